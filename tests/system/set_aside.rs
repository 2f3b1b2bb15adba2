//! Runs that can't be carried out: named with the reason and the command, while all others go on.

use std::path::{Path, PathBuf};

use serde_json::json;

use crate::support::{Engine, Shop, fast, input};

/// The file that keeps a definition.
fn definition_of(engine: &Engine, run: &str) -> PathBuf {
    let shown = engine.verb(&["show", run, "-o", "json"]).json();
    let digest = shown["definition"].as_str().unwrap().to_owned();
    let folder = engine.data_dir.join("definitions");
    let mut files = std::fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path());
    files.find(|file| file.file_name().unwrap().to_str().unwrap() == digest).unwrap()
}

/// A run that is killed while its payment is under way.
fn kill_in_flight(shop: &Shop, engine: &Engine, file: &Path, id: &str) {
    let before = shop.calls("process").len();
    let mut child = engine.spawn_run(file, &["--id", id, "--input", &input().to_string()]);
    shop.until("the payment is under way", |ledger| {
        ledger["entries"].as_array().unwrap().iter().filter(|entry| entry["endpoint"] == "process").count() > before
    });
    child.kill().unwrap();
    child.wait().unwrap();
}

#[test]
fn a_run_that_can_not_be_read_is_named_and_the_others_end() {
    let shop = Shop::open(&["payment/process:delay=2s"]);
    let engine = shop.engine();
    let mut other = fast();
    other["description"] = json!("another definition of the same workflow");
    kill_in_flight(&shop, &engine, &shop.file(&other), "order-1");
    let definition = definition_of(&engine, "order-1");
    kill_in_flight(&shop, &engine, &shop.file(&fast()), "order-2");
    shop.lift_faults();
    let kept = std::fs::read(&definition).unwrap();
    std::fs::remove_file(&definition).unwrap();

    let recovered = engine.verb(&["recover", "-o", "json"]);
    let report = recovered.assert_exit(7).json();
    let runs = report["runs"].as_array().unwrap();
    let mut statuses: Vec<&str> = runs.iter().map(|run| run["status"].as_str().unwrap()).collect();
    statuses.sort_unstable();
    assert_eq!(statuses, ["Completed", "Stuck"], "{report:#}");
    let listed = engine.verb(&["list"]);
    listed.assert_exit(0).assert_says(&["Stuck", "Completed"]);
    engine.verb(&["show", "order-1"]).assert_says(&["Stuck", "DEFINITION_MISSING", "recover"]);
    engine.verb(&["recover", "order-1"]).assert_exit(7).assert_says(&["DEFINITION_MISSING", "recover"]);

    std::fs::write(&definition, kept).unwrap();
    engine.verb(&["recover"]).assert_exit(0);
    let shown = engine.verb(&["show", "order-1", "-o", "json"]).json();
    assert_eq!((&shown["status"], &shown["stuck"]), (&json!("Completed"), &json!([])));
    shop.until("late effects", |ledger| ledger["pending"] == 0);
}
