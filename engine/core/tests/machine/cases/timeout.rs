//! The run's own timeout.

use std::time::Duration;

use engine_core::request::Resolution;
use engine_core::state::Status;
use serde_json::{Value, json};

use super::kit::{Story, step, undoable};

fn with_timeout(steps: Value) -> Story {
    Story::with(steps, json!({ "timeout": "1m", "on_failure": { "tell": { "value": "${ .error.code }" } } }))
}

fn with_pivot() -> Story {
    let mut run = with_timeout(json!({
        "a": undoable(&[], json!({})), "p": step(&["a"], json!({ "pivot": true })), "b": step(&["p"], json!({}))
    }));
    run.answers("a", 200);
    run.news();
    run
}

/// What the `on_failure` step said.
fn told(run: &Story) -> String {
    let told = run.state().step(&"tell".into()).output.clone().unwrap();
    String::from_utf8(told.small.unwrap().to_vec()).unwrap()
}

#[test]
fn it_cancels_the_run_and_all_is_undone() {
    let mut run = with_timeout(json!({ "a": undoable(&[], json!({})), "b": step(&["a"], json!({})) }));
    run.answers("a", 200);
    assert_eq!(run.wait(), "1m");
    run.news();
    run.answers("b", 500);
    assert_eq!(run.news(), ["fail b unknown", "undo a"]);
    run.undo_answers("a", 200);
    assert_eq!(run.news(), ["undone a", "done tell", "CANCELLED"]);
    assert_eq!(run.status(), Status::Cancelled);
    assert_eq!(told(&run), r#""RUN_TIMEOUT""#);
}

#[test]
fn what_can_not_be_undone_remains() {
    let mut run = with_timeout(json!({ "a": undoable(&[], json!({})), "b": step(&["a"], json!({})) }));
    run.answers("a", 200);
    run.answers("b", 503);
    run.sleep(Duration::from_mins(1));
    run.fire();
    run.turn();
    run.undo_answers("a", 422);
    run.resolve("a", Resolution::Skip);
    assert_eq!(run.news().last().unwrap(), "CANCELLED +a");
}

#[test]
fn it_comes_once_and_not_after_a_stop() {
    let mut run = with_timeout(json!({ "a": undoable(&[], json!({})), "b": step(&["a"], json!({})) }));
    run.answers("a", 200);
    run.answers("b", 422);
    run.sleep(Duration::from_mins(2));
    run.fire();
    run.turn();
    run.undo_answers("a", 200);
    assert_eq!(run.news().last().unwrap(), "COMPENSATED");
}

#[test]
fn it_counts_downtime() {
    let mut run = with_timeout(json!({ "a": step(&[], json!({})) }));
    run.sleep(Duration::from_hours(1));
    run.crashes();
    assert_eq!(run.wait(), "0s");
    assert_eq!(run.news(), ["start", "begin a", "recovered a", "stop by timeout"]);
}

#[test]
fn it_is_held_while_the_pivot_is_open_and_refused_once_it_is_done() {
    let mut run = with_pivot();
    run.sleep(Duration::from_mins(2));
    run.fire();
    run.turn();
    assert_eq!(run.news(), [""; 0]);
    run.answers("p", 200);
    assert_eq!(run.wait(), "0s");
    assert_eq!(run.news(), ["done p", "begin b", "refused PIVOT_DONE"]);
    run.answers("b", 200);
    assert_eq!(run.news(), ["done b", "COMPLETED"]);
}

#[test]
fn a_pivot_that_did_nothing_yet_does_not_hold_it() {
    let steps = json!({ "a": undoable(&[], json!({})), "p": step(&["a"], json!({ "pivot": true })) });
    let mut run = Story::with(steps, json!({ "timeout": "100ms" }));
    run.answers("a", 200);
    run.answers("p", 429);
    run.news();
    assert_eq!(run.wait(), "100ms", "before its next attempt");
    assert_eq!(run.news(), ["stop by timeout", "fail p none", "undo a"]);
}

#[test]
fn held_it_cancels_where_the_pivot_did_not_happen() {
    let mut run = with_pivot();
    run.sleep(Duration::from_mins(2));
    run.answers("p", 422);
    assert_eq!(run.news(), ["fail p none", "stop by timeout", "undo a"]);
    run.undo_answers("a", 200);
    assert_eq!(run.news().last().unwrap(), "CANCELLED");
}

#[test]
fn held_it_cancels_where_an_operator_says_that_the_pivot_did_not_happen() {
    let mut run = with_pivot();
    run.answers("p", 302);
    run.sleep(Duration::from_mins(2));
    run.news();
    run.resolve("p", Resolution::Fail);
    assert_eq!(run.news(), ["accepted", "fail p none", "stop by timeout", "undo a"]);
}

#[test]
fn after_the_pivot_a_run_that_an_operator_fails_is_failed() {
    let mut run = with_pivot();
    run.answers("p", 200);
    run.answers("b", 422);
    run.sleep(Duration::from_mins(2));
    run.news();
    run.resolve("b", Resolution::Fail);
    assert_eq!(run.news(), ["accepted", "fail b none", "stop by b", "done tell", "FAILED +a"]);
}

#[test]
fn before_the_pivot_it_cancels() {
    let mut run = with_timeout(json!({ "a": undoable(&[], json!({})), "p": step(&["a"], json!({ "pivot": true })) }));
    run.wait();
    run.answers("a", 200);
    assert_eq!(run.news()[2..], ["stop by timeout", "done a", "undo a"]);
}

#[test]
fn its_word_is_the_error_even_where_steps_failed_with_it() {
    let mut run =
        with_timeout(json!({ "a": step(&[], json!({ "retry": { "max_interval": "2m", "initial": "2m" } })) }));
    run.answers("a", 429);
    run.wait();
    assert_eq!(run.news()[2..], ["retry a none 2m", "stop by timeout", "fail a none", "done tell", "CANCELLED"]);
    assert_eq!(told(&run), r#""RUN_TIMEOUT""#);
    assert_eq!(run.failures(), ["a HTTP_429"]);
}
