//! A wall clock that is set while a run waits, by libfaketime; the monotonic clock stays real.

use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::{Value, json};

use crate::support::{Engine, Running, Shop, fast, input, skip};

/// The library that shows another wall clock; none, and said, where it is not installed.
fn library() -> Option<String> {
    let shown = Command::new("faketime").args(["-m", "-f", "+0", "env"]).output();
    let shown = shown.map(|output| String::from_utf8_lossy(&output.stdout).into_owned()).unwrap_or_default();
    let library = shown.lines().find_map(|line| line.strip_prefix("LD_PRELOAD=")).map(str::to_owned);
    if library.is_none() {
        skip("`faketime` is not installed");
    }
    library
}

/// The wall clock of a process.
struct WallClock {
    file: PathBuf,
}

impl WallClock {
    /// Sets it, while processes run: `+0` is the real time, `-1h` an hour earlier.
    fn set(&self, to: &str) {
        let new = self.file.with_extension("new");
        std::fs::write(&new, format!("{to}\n")).unwrap();
        std::fs::rename(new, &self.file).unwrap();
    }
}

/// A shop whose payment fails so often, an engine under a wall clock, and a file whose charge is tried every second.
fn world(failures: usize) -> Option<(Shop, Engine, WallClock, PathBuf)> {
    let library = library()?;
    let shop = Shop::open(&[&format!("payment/process:status=503,times={failures}")]);
    let clock = WallClock { file: shop.dir().join("wall-clock") };
    clock.set("+0");
    let file = clock.file.display().to_string();
    let environment = [
        ("LD_PRELOAD", library.as_str()),
        ("FAKETIME_TIMESTAMP_FILE", &file),
        ("FAKETIME_NO_CACHE", "1"),
        ("FAKETIME_DONT_FAKE_MONOTONIC", "1"),
    ];
    let environment = environment.map(|(key, value)| (key.to_owned(), value.to_owned())).into();
    let mut content = fast();
    let intervals = vec!["1s"; failures];
    content["steps"]["charge"]["retry"] = json!({ "intervals": intervals, "max_elapsed": "20s" });
    let (engine, file) = (Engine { environment, ..shop.engine() }, shop.file(&content));
    Some((shop, engine, clock, file))
}

fn start(engine: &Engine, file: &Path) -> Running {
    Running::new(engine.spawn_run(file, &["--id", "order-1001", "--input", &input().to_string()]))
}

/// When the charge was asked for, by the real clock, in ms.
fn asked_at(shop: &Shop) -> Vec<u64> {
    shop.calls("process").iter().map(|call| call["received_at"].as_u64().unwrap()).collect()
}

#[track_caller]
fn assert_all_well(shop: &Shop, engine: &Engine, attempts: usize) {
    assert_eq!(asked_at(shop).len(), attempts, "no attempt was lost, and none came twice");
    let effects = shop.effects();
    assert_eq!((effects.charges, effects.net.as_str(), effects.records), (1, "199.98", 1));
    let history = engine.verb(&["history", "order-1001", "-o", "json"]).json();
    let events: &Vec<Value> = history["events"].as_array().unwrap();
    let times: Vec<&str> = events.iter().map(|event| event["at"].as_str().unwrap()).collect();
    assert!(times.is_sorted(), "engine time never runs backwards: {times:?}");
}

#[test]
fn set_while_a_process_runs_it_changes_nothing() {
    let Some((shop, engine, clock, file)) = world(3) else { return };
    let running = start(&engine, &file);
    for (attempt, wall) in [(1, "-1h"), (2, "+1d"), (3, "+0")] {
        shop.until_called("process", attempt);
        clock.set(wall);
    }
    running.end().assert_exit(0);
    assert_all_well(&shop, &engine, 4);
    for pair in asked_at(&shop).windows(2) {
        let waited = pair[1] - pair[0];
        assert!((1_000..30_000).contains(&waited), "nothing early, nothing stuck: {waited} ms");
    }
    let shown = engine.verb(&["show", "order-1001"]).text();
    let took = shown.lines().find_map(|line| line.strip_prefix("Completed in ")).unwrap();
    assert!(took.ends_with(" s") && !took.contains("min"), "the history knows nothing of it: {took}");
}

#[test]
fn set_between_two_processes_it_loses_and_hastens_nothing() {
    let Some((shop, engine, clock, file)) = world(3) else { return };
    let mut running = start(&engine, &file);
    for (attempt, wall) in [(1, "-1h"), (2, "+1d"), (3, "+0")] {
        shop.until_called("process", attempt);
        running.signal("TERM");
        running.end().assert_exit(9);
        clock.set(wall);
        running = Running::new(engine.spawn(&["recover"]));
    }
    let ended = running.end();
    // The last time it was a day back.
    ended.assert_exit(0).assert_says(&["clock was set back", "23 h"]);
    assert_all_well(&shop, &engine, 4);
    let asked = asked_at(&shop);
    assert!(asked[1] - asked[0] >= 1_000, "an hour back: {asked:?}");
    assert!(asked[3] - asked[2] >= 1_000, "a day back: {asked:?}");
    assert!(asked[3] - asked[0] < 60_000, "nothing waits for the clock to come back: {asked:?}");
}
