//! What an operator says of something stuck.

use engine_core::event::Event;
use engine_core::id::Side;
use engine_core::request::Resolution;
use engine_core::state::Status;
use serde_json::{Value, json};

use super::kit::{Story, step, undoable};

fn stuck_story() -> Story {
    let reads = json!({ "http": { "body": "${ .steps.a }" } });
    let mut run = Story::of(json!({
        "a": undoable(&[], json!({ "on_unknown": "stuck" })), "b": step(&["a"], reads), "c": step(&["a", "d"], json!({})),
        "d": { "value": 1 }
    }));
    run.answers("a", 302);
    assert_eq!(run.news(), ["start", "begin a", "done d", "stuck a unknown"]);
    assert_eq!(run.status(), Status::Stuck);
    run
}

#[test]
fn retry_sends_the_same_where_the_effect_is_unknown_with_a_fresh_budget() {
    let mut run = stuck_story();
    let first = run.last_sent("a", Side::Forward).clone();
    assert_eq!(run.resolve("a", Resolution::Retry), "accepted");
    assert_eq!(run.news(), ["accepted", "again a 2"]);
    let second = run.last_sent("a", Side::Forward);
    assert_eq!((second.attempt, second.call, &second.key), (2, first.call, &first.key));
    run.answers("a", 500);
    assert_eq!(run.news(), ["retry a unknown 200ms"]);
}

#[test]
fn done_gives_the_output() {
    let mut run = stuck_story();
    run.resolve("a", Resolution::Done);
    assert_eq!(run.news(), ["accepted", "done a", "begin b", "begin c"]);
    assert_eq!(run.rendered("b", Side::Forward), json!("by hand"));
}

#[test]
fn skip_gives_null() {
    let mut run = stuck_story();
    run.resolve("a", Resolution::Skip);
    assert_eq!(run.news(), ["accepted", "skip a", "begin b", "begin c"]);
    assert_eq!(run.rendered("b", Side::Forward), json!(null));
}

#[test]
fn fail_says_that_it_did_not_happen() {
    let mut run = stuck_story();
    run.resolve("a", Resolution::Fail);
    assert_eq!(run.news(), ["accepted", "fail a none", "stop by a", "FAILED"]);
    assert_eq!(run.failures(), ["a FAILED_BY_OPERATOR"]);
}

#[test]
fn what_was_skipped_while_unknown_is_undone_where_the_run_turns_back() {
    let mut run = stuck_story();
    run.resolve("a", Resolution::Skip);
    run.news();
    run.answers("c", 422);
    run.answers("b", 200);
    assert_eq!(run.news(), ["fail c none", "stop by c", "done b", "undo a"]);
}

#[test]
fn while_the_run_stops_a_retry_is_one_attempt() {
    let steps = json!({ "a": undoable(&[], json!({ "on_unknown": "stuck" })), "b": step(&[], json!({})) });
    let mut run = Story::of(steps);
    run.answers("a", 302);
    run.answers("b", 422);
    run.news();
    assert_eq!(run.status(), Status::Stuck);
    run.resolve("a", Resolution::Retry);
    assert_eq!(run.status(), Status::Compensating);
    run.answers("a", 500);
    assert_eq!(run.news(), ["accepted", "again a 2", "fail a unknown", "undo a"]);
}

#[test]
fn what_does_not_fit_is_refused_and_recorded() {
    let mut run = stuck_story();
    assert_eq!(run.resolve("b", Resolution::Retry), "refused NOT_STUCK");
    assert_eq!(run.resolve("x", Resolution::Retry), "refused NO_SUCH_STEP");
    assert_eq!(run.unstick(), "refused NOT_STUCK");
    for output in [None, Some("{")] {
        run.asks(&format!("{output:?}"), Some("a"), Resolution::Done, output);
        run.turn();
        assert_eq!(run.answer_to(&format!("{output:?}")), "refused OUTPUT_INVALID");
    }
    let refusals = run.history.iter().filter(|recorded| matches!(recorded.event, Event::RequestAnswered { .. }));
    assert_eq!(refusals.count(), 5);
    assert_eq!(run.status(), Status::Stuck);
}

#[test]
fn a_compensation_did_not_not_happen() {
    let mut run = Story::of(json!({ "a": undoable(&[], json!({})) }));
    run.answers("a", 302);
    run.undo_answers("a", 422);
    assert_eq!(run.resolve("a", Resolution::Fail), "refused NOT_POSSIBLE");
    assert_eq!(run.status(), Status::Stuck);
}

#[test]
fn a_repeat_gets_the_first_answer() {
    let mut run = stuck_story();
    run.asks("once", Some("b"), Resolution::Retry, None);
    run.turn();
    run.news();
    for again in [("a", Resolution::Retry), ("b", Resolution::Retry)] {
        run.asks("once", Some(again.0), again.1, None);
        run.turn();
    }
    run.crashes();
    run.asks("once", Some("a"), Resolution::Fail, None);
    run.turn();
    assert_eq!(run.news(), [""; 0]);
    assert_eq!(run.answer_to("once"), "refused NOT_STUCK");
}

#[test]
fn two_at_once_the_second_finds_nothing_stuck() {
    let mut run = stuck_story();
    run.asks("one", Some("a"), Resolution::Done, Some("1"));
    run.asks("two", Some("a"), Resolution::Fail, None);
    run.turn();
    assert_eq!((run.answer_to("one"), run.answer_to("two")), ("accepted".into(), "refused NOT_STUCK".into()));
}

#[test]
fn a_retry_that_needs_a_large_payload_is_answered_once_it_is_there() {
    let large = json!({ "text": "x".repeat(5_000) });
    let reads = json!({ "http": { "body": "${ .steps.p.text | length }" }, "on_unknown": "stuck" });
    let mut run = Story::of(json!({ "p": step(&[], json!({ "pivot": true })), "a": step(&["p"], reads) }));
    run.answers_with("p", 200, &large);
    run.answers("a", 422);
    run.news();
    run.resolve("a", Resolution::Retry);
    assert_eq!(run.news(), ["accepted", "begin a"]);
    assert_eq!(run.rendered("a", Side::Forward), Value::from(5_000));
    let key = run.last_sent("a", Side::Forward).key.clone();
    run.answers("a", 422);
    run.resolve("a", Resolution::Retry);
    assert_ne!(run.last_sent("a", Side::Forward).key, key);
}
