//! Retries as they are asked for, recorded, and shown while a run waits for one.

use std::path::Path;

use engine_core::time::{DisplayDuration, parse_duration};
use serde_json::{Value, json};

use crate::support::{Running, Shop, fast, input, shipped};

/// How much faster the workflow is here than as it ships.
const FASTER: u32 = 100;

fn faster(value: &mut Value) {
    let span = parse_duration(value.as_str().unwrap()).unwrap();
    *value = json!(DisplayDuration(span / FASTER).to_string());
}

/// The workflow with fixed, exponential and custom delays, faster.
fn retries() -> Value {
    let mut file = shipped("retries.json");
    faster(&mut file["steps"]["fixed"]["retry"]["initial"]);
    faster(&mut file["steps"]["exponential"]["retry"]["initial"]);
    file["steps"]["custom"]["retry"]["intervals"].as_array_mut().unwrap().iter_mut().for_each(faster);
    file
}

/// Each step with its endpoint, and the delays in seconds that it asks for as it ships.
const ASKED: [(&str, &str, &[u64]); 3] =
    [("fixed", "track", &[2, 2, 2]), ("exponential", "validate", &[1, 2, 4, 8, 16]), ("custom", "send", &[10, 20, 30])];

#[test]
fn delays_are_as_asked_and_end_after_the_last() {
    let shop = Shop::open(&["*:status=503"]);
    let (engine, file) = (shop.engine_for(&retries()), shop.file(&retries()));
    let ran = engine.run(&file, &["--example", "--id", "tries"]);
    let report = ran.assert_exit(0).json();
    assert_eq!(report["warnings"].as_array().unwrap().len(), 3, "{report:#}");
    let history = engine.verb(&["history", "tries", "-o", "json"]).json();
    for (step, endpoint, seconds) in ASKED {
        let asked: Vec<u64> = seconds.iter().map(|seconds| seconds * 1_000 / u64::from(FASTER)).collect();
        assert_eq!(recorded(&history, step), asked, "{step}");
        let calls = shop.calls(endpoint);
        assert_eq!(calls.len(), asked.len() + 1, "{step} stops after the last");
        let at: Vec<u64> = calls.iter().map(|call| call["received_at"].as_u64().unwrap()).collect();
        for (pair, asked) in at.windows(2).zip(&asked) {
            assert!(pair[1] - pair[0] >= *asked, "{step} came early: {at:?}");
        }
    }
}

/// The delays in the history, in ms; every failed attempt must be there, with what failed.
fn recorded(history: &Value, step: &str) -> Vec<u64> {
    let events = history["events"].as_array().unwrap().iter().filter(|event| event["step"] == step);
    let of = |kind: &str| events.clone().filter(|event| event["event"] == kind).cloned().collect::<Vec<_>>();
    let failed = of("AttemptFailed");
    for (attempt, event) in (1..).zip(&failed) {
        assert_eq!((&event["attempt"], &event["failure"]["code"]), (&json!(attempt), &json!("HTTP_503")), "{event}");
    }
    let begun: Vec<Value> = of("AttemptStarted").iter().map(|event| event["attempt"].clone()).collect();
    assert_eq!(begun, (2..2 + failed.len()).map(|attempt| json!(attempt)).collect::<Vec<_>>());
    let ended = of("StepFailed");
    assert_eq!(ended.iter().map(|event| event["attempt"].clone()).collect::<Vec<_>>(), [json!(failed.len() + 1)]);
    failed.iter().map(|event| event["delay_ms"].as_u64().unwrap()).collect()
}

#[test]
fn an_attempt_that_succeeds_ends_the_retries() {
    let shop = Shop::open(&["user:status=503,times=2"]);
    let (engine, file) = (shop.engine_for(&retries()), shop.file(&retries()));
    let report = engine.run(&file, &["--example"]).assert_exit(0).json();
    assert_eq!((report["warnings"].as_array().map(Vec::len), shop.calls("validate").len()), (Some(0), 3));
}

/// Stops a run while it waits for an attempt.
fn stop_while_waiting(shop: &Shop, file: &Path, endpoint: &str) {
    let arguments = ["--id", "order-1001", "--input", &input().to_string()];
    let running = Running::new(shop.engine().spawn_run(file, &arguments));
    shop.until_called(endpoint, 1);
    running.until_says("next in");
    running.signal("TERM");
    running.end().assert_exit(9).assert_says(&["open", "engine recover"]);
}

#[test]
fn a_run_says_what_it_waits_for() {
    let shop = Shop::open(&["payment/process:status=503"]);
    let mut content = fast();
    content["steps"]["charge"]["retry"] = json!({ "intervals": ["2h", "3h"] });
    let file = shop.file(&content);
    stop_while_waiting(&shop, &file, "process");
    let (engine, text) = (shop.engine(), "charge: attempt 1 of 3 failed: HTTP_503");
    engine.verb(&["show", "order-1001"]).assert_exit(0).assert_says(&["waiting:", text, "attempt 2 is due at"]);
    let shown = engine.verb(&["show", "order-1001", "-o", "json"]).json();
    let waiting = &shown["waiting"];
    assert_eq!(waiting.as_array().unwrap().len(), 1, "{waiting:#}");
    for (key, expected) in [("step", json!("charge")), ("side", json!("forward")), ("reason", json!("failed"))] {
        assert_eq!(waiting[0][key], expected);
    }
    assert_eq!((&waiting[0]["attempts"], &waiting[0]["max_attempts"]), (&json!(1), &json!(3)));
    assert_eq!(waiting[0]["failure"]["status"], 503);
    assert!(waiting[0]["next_attempt_at"].as_str().unwrap() > shown["started_at"].as_str().unwrap());
}

#[test]
fn a_compensation_says_what_it_waits_for() {
    let shop = Shop::open(&["inventory/update:status=422", "payment/refund:status=503"]);
    let mut content = fast();
    content["defaults"]["compensation_retry"] = json!({ "initial": "2m", "jitter": "none" });
    let file = shop.file(&content);
    stop_while_waiting(&shop, &file, "refund");
    let text = "undo charge: attempt 1 of 60 failed: HTTP_503";
    shop.engine().verb(&["show", "order-1001"]).assert_exit(0).assert_says(&[text, "attempt 2 is due at"]);
}
