//! A data directory that can't be used: exit 8, and what to do.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::support::{Engine, Shop, fast, input};

fn run_in(data_dir: &Path) -> crate::support::Ran {
    let file = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../workflows/order_saga.json");
    Engine::new(data_dir).run(&file, &["--mock-services"])
}

#[test]
fn a_file_in_its_place() {
    let dir = tempfile::tempdir().unwrap();
    let data = dir.path().join("data");
    std::fs::write(&data, "hello").unwrap();
    run_in(&data).assert_exit(8).assert_says(&["data"]);
    assert_eq!(std::fs::read_to_string(&data).unwrap(), "hello");
}

#[test]
fn a_place_that_can_not_be_written() {
    // Not even root can make a directory there.
    run_in(Path::new("/proc/engine-data")).assert_exit(8).assert_says(&["/proc/engine-data"]);
}

#[test]
fn the_directory_of_another_program() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("important.txt"), "not yours").unwrap();
    run_in(dir.path()).assert_exit(8).assert_says(&["important.txt"]);
    assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 1, "nothing was put into it");
}

#[test]
fn a_directory_that_was_truncated() {
    let shop = Shop::open(&[]);
    let (engine, file) = (shop.engine(), shop.file(&fast()));
    engine.run(&file, &["--id", "order-1001", "--input", &input().to_string()]).assert_exit(0);
    let db = engine.data_dir.join("db/db");
    let len = std::fs::metadata(&db).unwrap().len();
    assert!(len > 0);
    std::fs::OpenOptions::new().write(true).open(&db).unwrap().set_len(0).unwrap();
    let refused = engine.verb(&["show", "order-1001"]);
    refused.assert_exit(8);
    assert!(!refused.text().contains("panicked"), "{}", refused.text());
}

/// SIGINT and SIGTERM leave the run open, and say how to go on.
#[test]
fn an_interrupted_run_is_open_and_goes_on() {
    for signal in ["-INT", "-TERM"] {
        let shop = Shop::open(&["payment/process:delay=700ms,times=1"]);
        let (engine, file) = (shop.engine(), shop.file(&fast()));
        let arguments = ["--id", "order-1001", "--input", &input().to_string()];
        let child = engine.spawn_run(&file, &arguments);
        shop.until("the charge is under way", |ledger| {
            ledger["entries"].as_array().unwrap().iter().any(|entry| entry["endpoint"] == "process")
        });
        let sent = Command::new("kill").arg(signal).arg(child.id().to_string()).stdout(Stdio::null()).status().unwrap();
        assert!(sent.success());
        let stopped = crate::support::Ran::of(&child.wait_with_output().unwrap());
        stopped.assert_exit(9).assert_says(&["open"]);
        assert_eq!(shop.calls("update").len(), 0, "nothing new began");
        engine.run(&file, &arguments).assert_exit(0);
        assert_eq!(shop.calls("process").len(), 1, "the charge was allowed to end");
    }
}
