//! Optional steps: the run goes on without them.

use engine_core::request::Resolution;
use engine_core::state::Status;
use serde_json::json;

use super::kit::{Story, step, undoable};

#[test]
fn the_run_goes_on_with_null() {
    let reads = json!({ "http": { "body": "${ .steps.a }" } });
    let mut run = Story::of(json!({ "a": step(&[], json!({ "optional": true })), "b": step(&["a"], reads) }));
    run.answers("a", 422);
    assert_eq!(run.news(), ["start", "begin a", "forgive a none", "begin b"]);
    assert_eq!(run.rendered("b", engine_core::id::Side::Forward), json!(null));
    run.answers("b", 200);
    assert_eq!(run.warnings(), ["a HTTP_422"]);
}

#[test]
fn an_unknown_effect_is_undone_before_dependents_start() {
    let steps = json!({ "a": undoable(&[], json!({ "optional": true })), "b": step(&["a"], json!({})) });
    let mut run = Story::of(steps);
    run.answers("a", 302);
    assert_eq!(run.news(), ["start", "begin a", "forgive a unknown", "undo a"]);
    assert_eq!(run.status(), Status::Running);
    run.undo_answers("a", 500);
    assert_eq!(run.status(), Status::Waiting);
    run.wait();
    run.undo_answers("a", 404);
    assert_eq!(run.news(), ["undo retry a 200ms", "undo again a 2", "undone a", "begin b"]);
}

#[test]
fn dependents_wait_for_an_operator_where_it_can_not_be_undone() {
    let steps = json!({ "a": undoable(&[], json!({ "optional": true })), "b": step(&["a"], json!({})) });
    let mut run = Story::of(steps);
    run.answers("a", 302);
    run.undo_answers("a", 422);
    assert_eq!(run.status(), Status::Stuck);
    run.news();
    run.resolve("a", Resolution::Skip);
    assert_eq!(run.news(), ["accepted", "undo given up a", "begin b"]);
}

#[test]
fn a_stop_waits_for_an_undoing_in_flight_and_does_not_begin_it_again() {
    let steps = json!({ "a": undoable(&[], json!({ "optional": true })), "b": step(&[], json!({})) });
    let mut run = Story::of(steps);
    run.answers("a", 302);
    run.answers("b", 422);
    assert_eq!(run.news(), ["start", "begin a", "begin b", "forgive a unknown", "undo a", "fail b none", "stop by b"]);
    run.crashes();
    assert_eq!(run.news(), ["recovered a"]);
    run.undo_answers("a", 200);
    assert_eq!(run.news(), ["undone a", "COMPENSATED"]);
}

#[test]
fn a_back_off_that_a_stop_ends_is_undone_too() {
    let steps = json!({ "a": undoable(&[], json!({ "optional": true })), "b": step(&[], json!({})) });
    let mut run = Story::of(steps);
    run.answers("a", 500);
    run.news();
    run.answers("b", 422);
    assert_eq!(run.news(), ["fail b none", "stop by b", "forgive a unknown", "undo a"]);
}
