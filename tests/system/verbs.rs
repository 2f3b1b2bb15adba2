//! The other verbs, on runs that ended.

use serde_json::{Value, json};

use crate::support::{Engine, Shop, fast, input};

fn ended(shop: &Shop) -> Engine {
    let (engine, file) = (shop.engine(), shop.file(&fast()));
    engine.run(&file, &["--id", "order-1001", "--input", &input().to_string()]);
    engine
}

#[test]
fn a_run_is_listed_shown_and_told() {
    let shop = Shop::open(&["payment/process:status=503,times=1"]);
    let engine = ended(&shop);
    engine.verb(&["list"]).assert_exit(0).assert_says(&["order-1001", "order_saga", "Completed"]);
    engine.verb(&["show", "order-1001"]).assert_exit(0).assert_says(&["Completed", "charge", "create_record"]);
    engine.verb(&["history", "order-1001"]).assert_exit(0).assert_says(&["charge", "HTTP_503", "completed"]);
    let history = engine.verb(&["history", "order-1001", "-o", "json"]).json();
    let events = history["events"].as_array().unwrap();
    let seqs: Vec<u64> = events.iter().map(|event| event["seq"].as_u64().unwrap()).collect();
    assert_eq!(seqs, (1..=events.len() as u64).collect::<Vec<_>>());
    let run = engine.verb(&["show", "order-1001", "-o", "json"]).json()["run"].as_str().unwrap().to_owned();
    engine.verb(&["show", &run[..13]]).assert_exit(0).assert_says(&["order-1001"]);
    engine.verb(&["show", "order-1002"]).assert_exit(3).assert_says(&["order-1001"]);
}

#[test]
fn a_run_is_drawn_with_its_states() {
    let shop = Shop::open(&["inventory/update:status=422"]);
    let engine = ended(&shop);
    engine.verb(&["graph", "order-1001"]).assert_exit(0).assert_says(&["digraph", "charge", "undone"]);
    let mermaid = engine.verb(&["graph", "order-1001", "--format", "mermaid"]);
    mermaid.assert_exit(0).assert_says(&["flowchart", "charge"]);
    let file = shop.dir().join("order_saga.json");
    engine.verb(&["graph", file.to_str().unwrap()]).assert_exit(0).assert_says(&["digraph", "create_record"]);
}

#[test]
fn nothing_is_made_by_looking() {
    let dir = tempfile::tempdir().unwrap();
    let engine = Engine::new(&dir.path().join("data"));
    for verb in [
        &["list"][..],
        &["show", "x"],
        &["history", "x"],
        &["definitions", "x"],
        &["recover"],
        &["resolve", "x", "y", "--retry"],
        &["cancel", "x", "--wait"],
        &["delete", "x"],
    ] {
        engine.verb(verb).assert_exit(3).assert_says(&["data"]);
    }
    assert!(!engine.data_dir.exists());
}

#[test]
fn all_open_runs_are_recovered() {
    let shop = Shop::open(&[]);
    let (engine, file) = (shop.engine(), shop.file(&fast()));
    for number in 0..3 {
        let id = format!("order-{number}");
        let mut order = input();
        order["order_id"] = json!(id);
        let before = shop.calls("process").len();
        let mut child = engine.spawn_run(&file, &["--id", &id, "--input", &order.to_string()]);
        shop.until("the charge was asked for", |ledger| {
            ledger["entries"].as_array().unwrap().iter().filter(|entry| entry["endpoint"] == "process").count() > before
        });
        child.kill().unwrap();
        child.wait().unwrap();
    }
    let recovered = engine.verb(&["recover"]);
    assert!(recovered.exit == Some(0) || recovered.exit == Some(3), "{recovered:?}");
    let runs = engine.verb(&["list", "-o", "json"]).json()["runs"].clone();
    assert!(runs.as_array().unwrap().iter().all(|run| run["status"] == "Completed"), "{runs:#}");
    assert_eq!(runs.as_array().map(Vec::len), Some(3));
    engine.verb(&["recover"]).assert_exit(3);
    assert_eq!(shop.ledger()["state"]["payment"]["charges"].as_array().map(Vec::len), Some(3));
}

#[test]
fn the_schema_is_the_one_that_ships() {
    let dir = tempfile::tempdir().unwrap();
    let printed = Engine::new(dir.path()).verb(&["schema"]).assert_exit(0).json();
    let shipped = concat!(env!("CARGO_MANIFEST_DIR"), "/../../workflows/engine-1.schema.json");
    let shipped: Value = serde_json::from_str(&std::fs::read_to_string(shipped).unwrap()).unwrap();
    assert_eq!(printed, shipped);
}

#[test]
fn usage_mistakes_are_exit_2_and_help_is_not() {
    let dir = tempfile::tempdir().unwrap();
    let engine = Engine::new(dir.path());
    engine.verb(&["rnu", "x.json"]).assert_exit(2).assert_says(&["rnu"]);
    engine.verb(&["run"]).assert_exit(2);
    engine.verb(&["--help"]).assert_exit(0).assert_says(&["Steer:\n  signal", "Keep:\n  doctor"]);
    engine.verb(&["cancle", "x"]).assert_exit(2).assert_says(&["cancel"]);
}

#[test]
fn runs_are_found_by_what_is_known_of_them() {
    let shop = Shop::open(&[]);
    let (engine, file) = (shop.engine(), shop.file(&fast()));
    for (id, team) in [("order-1", "shop"), ("order-2", "shop"), ("order-3", "stock")] {
        let label = format!("team={team}");
        engine.run(&file, &["--id", id, "--label", &label, "--input", &input().to_string()]).assert_exit(0);
    }
    let ids = |arguments: &[&str]| -> Vec<String> {
        let listed = engine.verb(&[&["list", "-o", "json"], arguments].concat()).assert_exit(0).json();
        let runs = listed["runs"].as_array().unwrap().iter();
        runs.map(|run| run["workflow_id"].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!(ids(&["--label", "team=shop"]), ["order-2", "order-1"]);
    assert_eq!(ids(&["--status", "stuck"]), Vec::<String>::new());
    assert_eq!(ids(&["--workflow", "order_saga", "--since", "1h"]).len(), 3);
    assert_eq!(ids(&["--until", "1h"]), Vec::<String>::new());
    let page = engine.verb(&["list", "--limit", "2", "-o", "json"]).json();
    assert_eq!(ids(&["--limit", "2", "--after", page["next"].as_str().unwrap()]), ["order-1"]);
    let text = engine.verb(&["list", "--limit", "2", "--since", "1h"]);
    text.assert_exit(0).assert_says(&["engine list --since 20", "--limit 2 --after", page["next"].as_str().unwrap()]);
    let begins = &page["next"].as_str().unwrap()[..4];
    engine.verb(&["show", begins]).assert_exit(2).assert_says(&["order-1", "order-2", "order-3", "Completed"]);
    engine.verb(&["show", "ordr-1"]).assert_exit(3).assert_says(&["did you mean order-1"]);
}

#[test]
fn stored_workflows_are_listed_and_printed() {
    let shop = Shop::open(&[]);
    let engine = ended(&shop);
    engine.verb(&["definitions"]).assert_exit(0).assert_says(&["order_saga", "1.0.0"]);
    let listed = engine.verb(&["definitions", "-o", "json"]).json()["definitions"].clone();
    let digest = listed[0]["definition"].as_str().unwrap().to_owned();
    assert_eq!(listed[0]["runs"], 1);
    let printed = engine.verb(&["definitions", "order_saga"]).assert_exit(0).json();
    assert_eq!(engine.verb(&["definitions", &digest[..12]]).assert_exit(0).json(), printed);
    let copy = shop.dir().join("copy.json");
    std::fs::write(&copy, printed.to_string()).unwrap();
    let checked = engine.verb(&["check", copy.to_str().unwrap(), "-o", "json"]).assert_exit(0).json();
    assert_eq!(checked["files"][0]["definition"], json!(digest), "what is printed is the same definition");
    engine.verb(&["definitions", "order_sga"]).assert_exit(3).assert_says(&["did you mean `order_saga`?"]);
}

#[test]
fn a_history_names_the_key_of_each_attempt() {
    let shop = Shop::open(&["payment/process:status=503,times=1"]);
    let engine = ended(&shop);
    let sent = shop.calls("process")[0]["key"].as_str().unwrap().to_owned();
    engine.verb(&["history", "order-1001", "--keys"]).assert_exit(0).assert_says(&["KEY", &sent]);
    let history = engine.verb(&["history", "order-1001", "-o", "json"]).json();
    let keys = history["events"].as_array().unwrap().iter().filter(|event| event["idempotency_key"] == json!(sent));
    assert_eq!(keys.count(), 2, "both attempts: {history:#}");
}

#[test]
fn where_nobody_drives_a_run_there_is_nothing_to_follow() {
    let shop = Shop::open(&[]);
    let engine = ended(&shop);
    engine.verb(&["show", "order-1001", "--follow"]).assert_exit(0).assert_says(&["Completed"]);
    let followed = engine.verb(&["history", "order-1001", "--follow", "-o", "json"]);
    followed.assert_exit(0).assert_says(&["nothing to follow"]);
    let first: Value = serde_json::from_str(followed.stdout.lines().next().unwrap()).unwrap();
    assert_eq!(first["event"], "RunStarted");
}

#[test]
fn a_service_that_is_not_there_is_named_by_its_address() {
    let shop = Shop::open(&[]);
    let mut file = fast();
    file["steps"]["validate_user"]["retry"] = json!({ "max_attempts": 1 });
    file["services"]["user"]["url"] = json!("http://127.0.0.1:9");
    let mut engine = shop.engine();
    engine.overrides.retain(|address| !address.starts_with("user."));
    let ran = engine.run(&shop.file(&file), &["--input", &input().to_string()]);
    ran.assert_exit(1).assert_says(&["NO_CONNECTION", "127.0.0.1:9"]);
}

#[test]
fn a_slip_in_what_is_read_of_the_input_is_noted() {
    let shop = Shop::open(&[]);
    let mut file = fast();
    file["steps"]["charge"]["http"]["body"]["order_id"] = json!("${ .input.order_idd }");
    let path = shop.file(&file);
    let checked = Engine::new(shop.dir()).verb(&["check", path.to_str().unwrap()]);
    checked.assert_exit(0).assert_says(&["fine", "note:", "order_idd", "did you mean `order_id`?"]);
}
