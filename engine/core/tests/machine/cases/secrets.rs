//! A secret is missing at the send: the run is parked until an operator has seen to it.

use engine_core::id::Side;
use engine_core::request::Resolution;
use engine_core::state::Status;
use serde_json::json;

use super::kit::{Story, answered, step, undoable};

fn parked() -> Story {
    let mut run = Story::of(json!({
        "a": undoable(&[], json!({})), "b": step(&[], json!({})), "c": step(&["b"], json!({}))
    }));
    run.lacks_secret("a", Side::Forward);
    run.turn();
    assert_eq!(run.news(), ["start", "begin a", "begin b", "run stuck on a"]);
    run
}

#[test]
fn what_is_in_flight_ends_and_nothing_begins() {
    let mut run = parked();
    assert_eq!(run.status(), Status::Running);
    run.answers("b", 200);
    assert_eq!(run.news(), ["done b"]);
    assert_eq!(run.status(), Status::Stuck);
    assert_eq!(run.unstick(), "accepted");
    assert_eq!(run.news(), ["accepted", "run unstuck", "begin c"]);
    // The attempt that was not sent is made now, under its number.
    assert_eq!(run.last_sent("a", Side::Forward).attempt, 1);
    run.answers("a", 422);
    assert_eq!(run.news(), ["fail a none", "stop by a"]);
}

#[test]
fn only_a_retry_gets_it_out() {
    let mut run = parked();
    run.asks("done", None, Resolution::Done, Some("1"));
    run.asks("step", Some("a"), Resolution::Fail, None);
    run.turn();
    assert_eq!(
        (run.answer_to("done"), run.answer_to("step")),
        ("refused NOT_POSSIBLE".into(), "refused NOT_STUCK".into())
    );
}

#[test]
fn it_stays_parked_through_a_crash() {
    let mut run = parked();
    run.answers("b", 200);
    run.news();
    run.crashes();
    assert_eq!(run.news(), [""; 0]);
    assert_eq!(run.status(), Status::Stuck);
    run.unstick();
    assert_eq!(run.last_sent("a", Side::Forward).attempt, 1);
}

#[test]
fn one_that_is_parked_and_got_out_in_one_turn_is_sent() {
    let mut run = parked();
    run.lacks_secret("b", Side::Forward);
    run.asks("go", None, Resolution::Retry, None);
    run.turn();
    assert_eq!(run.news(), ["run stuck on b", "accepted", "run unstuck"]);
    assert_eq!((run.times_sent("a", Side::Forward), run.times_sent("b", Side::Forward)), (2, 2));
}

#[test]
fn a_stop_withdraws_what_is_parked() {
    let mut run = parked();
    run.answers("b", 422);
    assert_eq!(run.news(), ["fail b none", "stop by b", "fail a none"]);
    assert_eq!(run.status(), Status::Stuck);
    run.unstick();
    assert_eq!(run.news(), ["accepted", "run unstuck", "FAILED"]);
}

#[test]
fn while_the_run_stops_an_unsent_attempt_is_withdrawn() {
    let mut run = Story::of(json!({ "a": undoable(&[], json!({})), "b": step(&[], json!({})) }));
    run.ends("b", Side::Forward, answered(422, &json!(null)));
    run.lacks_secret("a", Side::Forward);
    run.turn();
    assert_eq!(run.news()[3..], ["fail b none", "stop by b", "fail a none", "FAILED"]);
}

#[test]
fn a_compensation_may_be_parked_too() {
    let mut run = Story::of(json!({ "a": undoable(&[], json!({})) }));
    run.answers("a", 302);
    run.lacks_secret("a", Side::Compensation);
    run.turn();
    assert_eq!(run.status(), Status::Stuck);
    run.crashes();
    run.unstick();
    assert_eq!(run.status(), Status::Compensating);
    run.undo_answers("a", 200);
    assert_eq!(run.news()[4..], ["undo a", "run stuck on a", "accepted", "run unstuck", "undone a", "COMPENSATED"]);
}
