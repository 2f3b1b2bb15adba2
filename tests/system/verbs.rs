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
    for verb in [&["list"][..], &["show", "x"], &["history", "x"], &["recover"], &["resolve", "x", "y", "--retry"]] {
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
    engine.verb(&["--help"]).assert_exit(0).assert_says(&["run", "recover", "resolve"]);
}
