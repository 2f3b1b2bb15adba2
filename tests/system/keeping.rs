//! The data directory as a whole: doctor, backup, compact.

use std::path::Path;

use crate::support::{Engine, Shop, fast, input};

/// A run that is stuck, one that ended, in a directory that nobody uses.
fn filled(shop: &Shop) -> Engine {
    let (engine, file) = (shop.engine(), shop.file(&fast()));
    engine.run(&file, &["--id", "order-1", "--input", &input().to_string()]).assert_exit(0);
    engine
}

fn listed(engine: &Engine) -> serde_json::Value {
    engine.verb(&["list", "-o", "json"]).assert_exit(0).json()["runs"].clone()
}

#[test]
fn a_backup_is_a_directory_that_can_be_used() {
    let shop = Shop::open(&[]);
    let engine = filled(&shop);
    let to = shop.dir().join("copy");
    let path = to.to_str().unwrap();
    engine.verb(&["backup", path]).assert_exit(0).assert_says(&["1 runs", "opened and looked at"]);
    let copy = Engine::new(&to);
    assert_eq!(listed(&copy), listed(&engine));
    let history = |engine: &Engine| engine.verb(&["history", "order-1", "-o", "json"]).assert_exit(0).json();
    assert_eq!(history(&copy), history(&engine));
    copy.verb(&["doctor"]).assert_exit(0).assert_says(&["all sound"]);
    engine.verb(&["backup", path]).assert_exit(8).assert_says(&["copy"]);
}

#[test]
fn compacting_keeps_everything() {
    let shop = Shop::open(&[]);
    let engine = filled(&shop);
    let before = listed(&engine);
    let report = engine.verb(&["compact", "-o", "json"]).assert_exit(0).json();
    assert!(report["after"].as_u64().unwrap() > 0, "{report}");
    assert_eq!(listed(&engine), before);
    engine.verb(&["doctor"]).assert_exit(0);
}

#[test]
fn the_doctor_says_what_is_wrong_and_mends_what_follows_from_histories() {
    let shop = Shop::open(&[]);
    let engine = filled(&shop);
    let sound = engine.verb(&["doctor", "-o", "json"]).assert_exit(0).json();
    assert_eq!((&sound["sound"], &sound["counts"]["runs"]), (&true.into(), &1.into()), "{sound}");
    let repaired = engine.verb(&["doctor", "--repair", "-o", "json"]).assert_exit(0).json();
    assert_eq!(repaired["repaired"]["rows"], 0, "what is right is not touched: {repaired}");

    let definition = std::fs::read_dir(engine.data_dir.join("definitions")).unwrap().next().unwrap().unwrap().path();
    std::fs::remove_file(definition).unwrap();
    let found = engine.verb(&["doctor"]).assert_exit(8).text();
    assert!(found.contains("definition") && found.contains("finding"), "{found}");
}

#[test]
fn nothing_is_made_where_nothing_is() {
    let dir = tempfile::tempdir().unwrap();
    let engine = Engine::new(&dir.path().join("none"));
    for verb in [vec!["doctor"], vec!["compact"], vec!["backup", "copy"]] {
        engine.verb(&verb).assert_exit(3).assert_says(&["no data directory"]);
    }
    assert!(!Path::new(&engine.data_dir).exists());
}
