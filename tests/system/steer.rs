//! What a run is asked for from outside, and what it answers.

use serde_json::{Value, json};

use crate::support::{Engine, Ran, Shop, fast, input};

/// A run whose process was killed while it charged: open, and driven by nobody.
fn cut_off(shop: &Shop) -> Engine {
    let (engine, file) = (shop.engine(), shop.file(&fast()));
    let mut child = engine.spawn_run(&file, &["--id", "order-1001", "--input", &input().to_string()]);
    shop.until("the charge was asked for", |ledger| {
        ledger["entries"].as_array().unwrap().iter().any(|entry| entry["endpoint"] == "process")
    });
    child.kill().unwrap();
    child.wait().unwrap();
    shop.lift_faults();
    engine
}

/// A run that went as its faults want it.
fn over(shop: &Shop, exit: i32) -> Engine {
    let (engine, file) = (shop.engine(), shop.file(&fast()));
    engine.run(&file, &["--id", "order-1001", "--input", &input().to_string()]).assert_exit(exit);
    shop.lift_faults();
    engine
}

const SLOW: [&str; 1] = ["payment/process:delay=5s,times=1"];

fn history(engine: &Engine, run: &str) -> Value {
    engine.verb(&["history", run, "-o", "json"]).assert_exit(0).json()
}

/// Refused in these words, and the history says no more than before.
#[track_caller]
fn assert_refused(engine: &Engine, verb: &[&str], words: &[&str]) {
    let before = history(engine, "order-1001");
    engine.verb(verb).assert_exit(2).assert_says(words);
    assert_eq!(before, history(engine, "order-1001"), "{verb:?} changed the history");
}

fn request(ran: &Ran) -> (Value, Value) {
    let document = ran.assert_exit(0).json();
    (document["request"]["answer"].clone(), document["status"].clone())
}

#[test]
fn a_cancelled_run_is_undone_by_whoever_drives_it() {
    let shop = Shop::open(&SLOW);
    let engine = cut_off(&shop);
    let cancelled = engine.verb(&["cancel", "order-1001", "--reason", "changed her mind", "--request-id", "c1"]);
    cancelled.assert_exit(0).assert_says(&["cancel: accepted", "Compensating", "engine recover"]);
    assert!(shop.calls("refund").is_empty(), "asking drives nothing");
    let again = engine.verb(&["cancel", "order-1001", "-o", "json"]);
    assert_eq!(request(&again), (json!("no_op"), json!("Compensating")), "the first cancel stays");
    engine.verb(&["recover", "order-1001"]).assert_exit(5).assert_says(&["Cancelled"]);
    assert_eq!(shop.effects().net, "0.00");
    let repeated = engine.verb(&["cancel", "order-1001", "--request-id", "c1", "-o", "json"]);
    assert_eq!(request(&repeated), (json!("accepted"), json!("Cancelled")), "a repeat gets the first answer");
    engine.verb(&["history", "order-1001"]).assert_exit(0).assert_says(&["changed her mind"]);
    assert_refused(&engine, &["cancel", "order-1001"], &["ended", "rerun"]);
}

#[test]
fn a_cancel_may_be_waited_for() {
    let shop = Shop::open(&SLOW);
    let engine = cut_off(&shop);
    let report = engine.verb(&["cancel", "order-1001", "--wait", "-o", "json"]).assert_exit(5).json();
    assert_eq!((&report["status"], &report["request"]["answer"]), (&json!("Cancelled"), &json!("accepted")));
}

#[test]
fn a_terminated_run_is_over_and_names_what_remains() {
    let shop = Shop::open(&["inventory/update:delay=5s,times=1"]);
    let (engine, file) = (shop.engine(), shop.file(&fast()));
    let mut child = engine.spawn_run(&file, &["--id", "order-1001", "--input", &input().to_string()]);
    shop.until("the update was asked for", |ledger| {
        ledger["entries"].as_array().unwrap().iter().any(|entry| entry["endpoint"] == "update")
    });
    child.kill().unwrap();
    child.wait().unwrap();
    let ended = engine.verb(&["terminate", "order-1001", "-o", "json"]);
    assert_eq!(request(&ended), (json!("accepted"), json!("Cancelled")));
    let report = engine.verb(&["show", "order-1001", "-o", "json"]).json();
    assert!(report["residue"].as_array().unwrap().contains(&json!("charge")), "{report:#}");
    engine.verb(&["show", "order-1001"]).assert_says(&["Terminated", "✗  charge", "not undone"]);
    engine.verb(&["graph", "order-1001"]).assert_says(&["not undone"]);
    assert_eq!(shop.effects().net, "199.98");
}

#[test]
fn a_paused_run_begins_nothing_until_it_is_resumed() {
    let shop = Shop::open(&SLOW);
    let engine = cut_off(&shop);
    engine.verb(&["pause", "order-1001"]).assert_exit(0).assert_says(&["pause: accepted", "Paused", "engine resume"]);
    engine.verb(&["pause", "order-1001"]).assert_exit(0).assert_says(&["nothing to do"]);
    engine.verb(&["recover"]).assert_exit(3).assert_says(&["1 paused run"]);
    // Nobody would be there to resume it.
    engine.verb(&["recover", "order-1001"]).assert_exit(9).assert_says(&["Paused", "engine resume", "--wait"]);
    let again = engine.run(&shop.file(&fast()), &["--id", "order-1001", "--input", &input().to_string()]);
    assert_eq!(again.assert_exit(9).json()["status"], "Paused");
    again.assert_says(&["is paused", "engine resume", "--wait"]);
    let signalled = engine.verb(&["signal", "order-1001", "paid", "--wait"]);
    signalled.assert_exit(9).assert_says(&["signal: accepted", "resume"]);
    engine.verb(&["resume", "order-1001", "--wait"]).assert_exit(0).assert_says(&["resume: accepted", "Completed"]);
    assert_refused(&engine, &["pause", "order-1001"], &["ended"]);
}

#[test]
fn a_signal_is_kept_with_what_comes_with_it() {
    let shop = Shop::open(&SLOW);
    let engine = cut_off(&shop);
    let payload = r#"{"amount":1.10}"#;
    engine.verb(&["signal", "order-1001", "paid", "--payload", payload]).assert_exit(0).assert_says(&["accepted"]);
    let events = history(&engine, "order-1001");
    let last = events["events"].as_array().unwrap().last().unwrap();
    assert_eq!((&last["signal"], &last["payload"]["amount"].to_string()), (&json!("paid"), &"1.10".to_owned()));
    assert_refused(
        &engine,
        &["signal", "order-1001", "paid", "--payload", "{nonsense"],
        &["--payload:1:2", "not JSON"],
    );
    assert_refused(&engine, &["signal", "order-1001", "paid", "--payload", "@nowhere"], &["nowhere"]);
    assert_refused(&engine, &["signal", "order-1001", "Paid!"], &["Paid!"]);
}

#[test]
fn an_undone_run_is_carried_out_anew_from_the_step_that_was_undone() {
    let shop = Shop::open(&["inventory/update:status=422"]);
    let engine = over(&shop, 4);
    assert_refused(&engine, &["rerun", "order-1001", "--from", "chrge"], &["chrge", "did you mean `charge`?"]);
    assert_refused(
        &engine,
        &["rerun", "order-1001", "--from", "create_record"],
        &["`charge` was undone", "rerun from"],
    );
    let first = history(&engine, "order-1001")["run"].clone();
    let rerun = ["rerun", "order-1001", "--from", "charge", "--request-id", "r1", "-o", "json"];
    let asked = engine.verb(&rerun).assert_exit(0).json();
    let new = asked["new_run"].as_str().unwrap().to_owned();
    assert_eq!((&asked["run"], &asked["workflow_id"]), (&first, &json!("order-1001")), "{asked:#}");
    assert_eq!(shop.effects().charges, 1, "asking drives nothing");
    assert_eq!(history(&engine, "order-1001")["run"], json!(new), "the id names the new run");
    let again = ["rerun", first.as_str().unwrap(), "--from", "charge", "--request-id", "r1", "-o", "json"];
    assert_eq!(engine.verb(&again).assert_exit(0).json()["new_run"], json!(new), "a repeat gets the first answer");
    let open = engine.verb(&["rerun", "order-1001", "--from", "charge"]);
    open.assert_exit(2).assert_says(&["the run is open"]);
    engine.verb(&["recover", "order-1001"]).assert_exit(0);
    assert_eq!(shop.effects().net, "199.98");
    let validated = |events: &Value| {
        let mut events = events["events"].as_array().unwrap().iter();
        events.find(|event| event["step"] == "validate_user").unwrap()["event"].clone()
    };
    assert_eq!(validated(&history(&engine, &new)), "StepCarried", "what came before is taken over");
}

#[test]
fn a_rerun_may_be_waited_for() {
    let shop = Shop::open(&["inventory/update:status=422"]);
    let engine = over(&shop, 4);
    let report = engine.verb(&["rerun", "order-1001", "--from", "charge", "--wait", "-o", "json"]);
    assert_eq!(report.assert_exit(0).json()["status"], "Completed");
}

#[test]
fn an_ended_run_is_forgotten_and_its_id_stays_taken() {
    let shop = Shop::open(&[]);
    let engine = over(&shop, 0);
    let run = history(&engine, "order-1001")["run"].as_str().unwrap().to_owned();
    let deleted = engine.verb(&["delete", "order-1001", "nothing-such", "--request-id", "d1"]);
    deleted.assert_exit(3).assert_says(&["deleted run", &run, "30 days", "nothing-such"]);
    engine.verb(&["show", "order-1001"]).assert_exit(3);
    engine.verb(&["delete", &run, "--request-id", "d1"]).assert_exit(0);
    engine.verb(&["delete", &run]).assert_exit(3);
    let file = shop.file(&fast());
    let again = engine.run(&file, &["--id", "order-1001", "--input", &input().to_string()]);
    again.assert_exit(2).assert_says(&["order-1001", "deleted"]);
    engine.run(&file, &["--id", "order-1002", "--input", &input().to_string()]).assert_exit(0);
}

#[test]
fn an_open_run_is_neither_deleted_nor_resolved() {
    let shop = Shop::open(&SLOW);
    let engine = cut_off(&shop);
    engine.verb(&["delete", "order-1001"]).assert_exit(2).assert_says(&["not deleted", "the run is open"]);
    let resolved = engine.verb(&["resolve", "order-1001", "charge", "--retry"]);
    resolved.assert_exit(2).assert_says(&["`charge` is not stuck"]);
    engine.verb(&["resolve", "order-1001", "chrge", "--retry"]).assert_exit(2).assert_says(&["did you mean `charge`?"]);
    let events = history(&engine, "order-1001");
    let refusals = events["events"].as_array().unwrap().iter().filter(|event| event["answer"] == "refused");
    assert_eq!(refusals.count(), 3, "each refusal of an open run is recorded: {events:#}");
}

#[test]
fn a_cancel_waits_for_the_pivot() {
    let shop = Shop::open(&["order/create:cut=after"]);
    let engine = over(&shop, 7);
    engine.verb(&["cancel", "order-1001"]).assert_exit(0).assert_says(&["held until the pivot has settled", "Stuck"]);
    let resolved = engine.verb(&["resolve", "order-1001", "create_record", "--fail", "--wait"]);
    resolved.assert_exit(5).assert_says(&["Cancelled"]);
    assert_eq!(shop.effects().net, "0.00");
}
