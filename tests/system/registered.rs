//! Workflows that the binary brings along, written in Rust. What `order_saga_rs` does of itself is held case by case in
//! `outcomes.rs` and `kill.rs`, beside the same saga as a file.

use std::path::Path;

use serde_json::{Value, json};

use crate::support::{Engine, Shop, input};

const ALL: [&str; 3] = ["order_saga_rs", "report_delivery", "user_registration"];

/// The binary with the addresses of those services that the workflow calls.
fn engine(shop: &Shop, workflow: &str) -> Engine {
    let file = Engine::new(shop.dir()).verb(&["definitions", workflow]).assert_exit(0).json();
    shop.engine_for(&file)
}

#[test]
fn what_the_program_brings_along_is_listed_before_anything_is_stored_and_after() {
    let shop = Shop::open(&[]);
    let engine = shop.engine();
    let listed = || -> Vec<(Value, Value, Value)> {
        let listed = engine.verb(&["definitions", "-o", "json"]).assert_exit(0).json();
        let definitions = listed["definitions"].as_array().unwrap().iter();
        definitions.map(|it| (it["workflow"].clone(), it["registered"].clone(), it["runs"].clone())).collect()
    };
    assert_eq!(listed(), ALL.map(|name| (json!(name), json!(true), json!(0))));
    assert!(!engine.data_dir.exists(), "nothing is made by looking");
    engine.run(Path::new("order_saga_rs"), &["--example"]).assert_exit(0);
    assert_eq!(listed(), ALL.map(|name| (json!(name), json!(true), json!(i32::from(name == "order_saga_rs")))));
    engine.verb(&["definitions"]).assert_exit(0).assert_says(&["this program", "user_registration"]);
}

#[test]
fn each_of_them_completes_with_mock_services() {
    for (name, output) in
        [("order_saga_rs", json!("completed")), ("report_delivery", json!(2)), ("user_registration", Value::Null)]
    {
        let dir = tempfile::tempdir().unwrap();
        let engine = Engine::new(&dir.path().join("data"));
        let report = engine.run(Path::new(name), &["--mock-services"]).assert_exit(0).json();
        assert_eq!((&report["workflow"], &report["status"]), (&json!(name), &json!("Completed")));
        match &report["output"] {
            Value::Object(receipt) => assert_eq!(receipt["status"], output),
            Value::String(message) => assert!(message.starts_with("ntf_"), "{message}"),
            other => assert_eq!(*other, output),
        }
    }
}

#[test]
fn a_refused_step_ends_each_of_them_as_it_should() {
    for (name, fault, exit, undone) in [
        ("order_saga_rs", "inventory/update:status=422", 4, &["charge"][..]),
        ("user_registration", "notification/send:status=422", 4, &["set_gift_aside"]),
        ("report_delivery", "notification/send:status=422", 1, &[]),
    ] {
        let shop = Shop::open(&[fault]);
        let report = engine(&shop, name).run(Path::new(name), &["--example"]).assert_exit(exit).json();
        let steps = report["steps"].as_array().unwrap().iter();
        let steps = steps.filter(|step| step["compensation"]["state"] == "undone");
        let found: Vec<&str> = steps.map(|step| step["step"].as_str().unwrap()).collect();
        assert_eq!(found, undone, "{report:#}");
        let effects = shop.effects();
        assert_eq!((effects.net.as_str(), effects.stock, effects.records), ("0.00", 0, 0), "{name}");
    }
}

#[test]
fn it_is_drawn_by_its_name_and_so_is_a_run_of_it() {
    let shop = Shop::open(&["inventory/update:status=422"]);
    let engine = shop.engine();
    engine.verb(&["graph", "order_saga_rs"]).assert_exit(0).assert_says(&["digraph \"order_saga_rs\"", "pivot"]);
    let mermaid = engine.verb(&["graph", "user_registration", "--format", "mermaid"]);
    mermaid.assert_exit(0).assert_says(&["flowchart", "step_check_account --> step_set_gift_aside"]);
    engine.run(Path::new("order_saga_rs"), &["--id", "order-1001", "--example"]).assert_exit(4);
    engine.verb(&["graph", "order-1001"]).assert_exit(0).assert_says(&["digraph", "undone"]);
}

#[test]
fn its_input_comes_from_the_command_a_file_a_run_file_or_the_example() {
    let shop = Shop::open(&[]);
    let engine = shop.engine();
    let order = |id: &str| {
        let mut order = input();
        order["order_id"] = json!(id);
        order
    };
    let write = |name: &str, content: &Value| {
        let path = shop.dir().join(name);
        std::fs::write(&path, content.to_string()).unwrap();
        path
    };
    let in_file = format!("@{}", write("input.json", &order("order-2")).display());
    let run_file = write("run.json", &json!({ "run": "order_saga_rs", "input": order("order-3") }));
    let by_name = Path::new("order_saga_rs");
    for (workflow, arguments, id) in [
        (by_name, &["--input", &order("order-1").to_string()][..], "order-1"),
        (by_name, &["--input", &in_file], "order-2"),
        (&run_file, &[], "order-3"),
        (by_name, &["--example"], "order-1001"),
    ] {
        let report = engine.run(workflow, arguments).assert_exit(0).json();
        assert_eq!(report["output"]["order_id"], json!(id));
    }
    engine.run(by_name, &[]).assert_exit(2).assert_says(&["needs an input", "--example"]);
    let refused = engine.run(by_name, &["--input", "{}"]);
    refused.assert_exit(2).assert_says(&["--input: the tasks of `order_saga_rs` can't read this", "`order_id`"]);
}

#[test]
fn a_file_of_the_same_name_goes_first() {
    let shop = Shop::open(&[]);
    std::fs::write(shop.dir().join("order_saga_rs"), "no workflow").unwrap();
    let ran = Engine::new(&shop.dir().join("data")).verb_in(shop.dir(), &["run", "order_saga_rs", "--example"]);
    ran.assert_exit(2).assert_says(&["order_saga_rs:1:"]);
}

#[test]
fn a_name_that_is_nearly_right_is_put_right() {
    let shop = Shop::open(&[]);
    let engine = shop.engine();
    let run_file = shop.dir().join("run.json");
    std::fs::write(&run_file, json!({ "run": "order_saga_r" }).to_string()).unwrap();
    let run_file = run_file.to_str().unwrap();
    // Before the first run, and after it, when there is a directory to look into as well.
    for _ in 0..2 {
        for (verb, exit) in
            [(&["run", "order_saga_r"][..], 2), (&["graph", "order_saga_r"], 3), (&["definitions", "order_saga_r"], 3)]
        {
            engine.verb(verb).assert_exit(exit).assert_says(&["order_saga_r", "did you mean `order_saga_rs`?"]);
        }
        engine.verb(&["run", run_file, "--example"]).assert_says(&["did you mean `order_saga_rs`?"]);
        let unlike = engine.verb(&["run", "nonesuch"]);
        unlike.assert_exit(2).assert_says(&["no such file", "order_saga_rs, report_delivery, user_registration"]);
        engine.verb(&["run", "user_registration", "--mock-services"]).assert_exit(0);
    }
}

/// What looks like a path is one.
#[test]
fn a_file_that_is_not_there_is_not_taken_for_a_name() {
    let dir = tempfile::tempdir().unwrap();
    let engine = Engine::new(&dir.path().join("data"));
    for path in ["./order_saga_r", "order_saga_rs.json"] {
        let ran = engine.verb(&["run", path]);
        ran.assert_exit(2).assert_says(&[&format!("{path}: there is no such file\n")]);
    }
}
