//! Crashes, and being taken up again.

use engine_core::id::Side;
use engine_core::request::Resolution;
use engine_core::state::Status;
use serde_json::json;

use super::kit::{Story, step, undoable};

#[test]
fn a_cut_off_attempt_is_made_again_without_counting() {
    let mut run = Story::of(json!({ "a": step(&[], json!({})) }));
    let first = run.last_sent("a", Side::Forward).clone();
    for _ in 0..5 {
        run.crashes();
    }
    let sixth = run.last_sent("a", Side::Forward).clone();
    assert_eq!((sixth.attempt, sixth.call, sixth.key), (6, first.call, first.key));
    run.answers("a", 503);
    run.wait();
    run.answers("a", 200);
    assert_eq!(run.news().last().unwrap(), "COMPLETED");
}

#[test]
fn what_was_cut_off_is_unknown() {
    let mut run = Story::of(json!({ "a": undoable(&[], json!({})) }));
    run.crashes();
    run.answers("a", 422);
    assert_eq!(run.news(), ["start", "begin a", "recovered a", "fail a unknown", "stop by a", "undo a"]);
}

#[test]
fn at_most_once_is_not_made_again() {
    let once = json!({ "retry": { "max_attempts": 1 } });
    let mut run = Story::of(json!({ "a": undoable(&[], once.clone()) }));
    run.crashes();
    assert_eq!(run.news(), ["start", "begin a", "recovered a", "fail a unknown", "stop by a", "undo a"]);
    assert_eq!(run.times_sent("a", Side::Forward), 1);
    let mut asks = once;
    asks["on_unknown"] = json!("stuck");
    let mut run = Story::of(json!({ "a": undoable(&[], asks) }));
    run.crashes();
    assert_eq!(run.news(), ["start", "begin a", "recovered a", "stuck a unknown"]);
    assert_eq!(run.status(), Status::Stuck);
}

#[test]
fn a_stop_by_one_that_was_cut_off_takes_the_others_along() {
    let once = json!({ "retry": { "max_attempts": 1 } });
    let steps = json!({ "a": undoable(&[], json!({})), "b": step(&[], once.clone()), "c": step(&[], once) });
    let mut run = Story::of(steps);
    run.news();
    run.crashes();
    assert_eq!(
        run.news(),
        ["recovered a b c", "fail b unknown", "stop by b", "fail a unknown", "fail c unknown", "undo a"]
    );
    assert_eq!(run.times_sent("a", Side::Forward), 1);
}

#[test]
fn while_the_run_stops_it_is_not_made_again() {
    let mut run = Story::of(json!({ "a": undoable(&[], json!({})), "b": step(&[], json!({})) }));
    run.answers("b", 422);
    run.news();
    run.crashes();
    assert_eq!(run.news(), ["recovered a", "fail a unknown", "undo a"]);
}

#[test]
fn a_step_that_has_begun_does_not_begin_again() {
    // By name the dependency comes last.
    let mut run = Story::of(json!({ "z": step(&[], json!({})), "a": step(&["z"], json!({})) }));
    run.answers("z", 200);
    run.news();
    run.crashes();
    assert_eq!(run.news(), ["recovered a"]);
    run.answers("a", 503);
    run.crashes();
    assert_eq!(run.news(), ["retry a unknown 200ms"]);
    assert_eq!(run.wait(), "200ms");
}

#[test]
fn an_undoing_is_made_again_and_not_begun_again() {
    let mut run = Story::of(json!({ "a": undoable(&[], json!({})), "b": step(&["a"], json!({})) }));
    run.answers("a", 200);
    run.answers("b", 422);
    run.news();
    let first = run.last_sent("a", Side::Compensation).clone();
    run.crashes();
    assert_eq!(run.news(), ["recovered a"]);
    let second = run.last_sent("a", Side::Compensation).clone();
    assert_eq!((second.attempt, second.call, second.key), (2, first.call, first.key));
    run.undo_answers("a", 500);
    run.crashes();
    assert_eq!(run.news(), ["undo retry a 200ms"]);
    run.wait();
    run.undo_answers("a", 422);
    run.news();
    run.crashes();
    assert_eq!(run.news(), [""; 0]);
    assert_eq!(run.status(), Status::Stuck);
    run.resolve("a", Resolution::Done);
    assert_eq!(run.news(), ["accepted", "undone a", "COMPENSATED"]);
}

#[test]
fn an_undoing_that_is_made_at_most_once_is_stuck() {
    let once = json!({ "compensate": { "retry": { "max_attempts": 1 } } });
    let mut run = Story::of(json!({ "a": undoable(&[], once) }));
    run.answers("a", 302);
    run.news();
    run.crashes();
    assert_eq!(run.news(), ["recovered a", "undo stuck a"]);
}

#[test]
fn steps_of_on_failure_are_made_again() {
    let on_failure = json!({ "on_failure": { "tell": step(&[], json!({})) } });
    let mut run = Story::with(json!({ "a": step(&[], json!({})) }), on_failure);
    run.answers("a", 422);
    run.news();
    run.crashes();
    assert_eq!(run.news(), ["recovered tell"]);
    run.answers("tell", 200);
    assert_eq!(run.news(), ["done tell", "FAILED"]);
}

#[test]
fn with_nothing_in_flight_nothing_is_noted() {
    let mut run = Story::of(json!({ "a": step(&[], json!({})) }));
    run.answers("a", 503);
    run.news();
    run.crashes();
    assert_eq!(run.news(), [""; 0]);
    assert_eq!(run.status(), Status::Waiting);
}
