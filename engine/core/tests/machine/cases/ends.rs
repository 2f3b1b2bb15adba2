//! How a run ends, by the table.

use engine_core::request::Resolution;
use engine_core::state::Status;
use serde_json::json;

use super::kit::{Story, step, undoable};

#[test]
fn every_step_ended_well() {
    let mut run = Story::with(json!({ "a": step(&[], json!({})) }), json!({ "output": "${ .steps.a.of }" }));
    run.answers("a", 200);
    assert_eq!(run.news().last().unwrap(), "COMPLETED");
    assert_eq!(run.output(), json!("a"));
    assert_eq!(run.status(), Status::Completed);
    assert!(run.warnings().is_empty());
}

#[test]
fn without_an_output_the_last_steps_give_theirs() {
    let steps = json!({ "a": step(&[], json!({})), "b": step(&["a"], json!({})), "c": step(&["a"], json!({})) });
    let mut run = Story::of(steps);
    for step in ["a", "c", "b"] {
        run.answers(step, 200);
    }
    assert_eq!(run.output(), json!({ "b": { "of": "b" }, "c": { "of": "c" } }));
}

#[test]
fn an_output_that_fails_is_a_warning() {
    let mut run = Story::with(json!({ "a": step(&[], json!({})) }), json!({ "output": "${ .steps.a + 1 }" }));
    run.answers("a", 200);
    assert_eq!(run.news().last().unwrap(), "COMPLETED");
    assert_eq!(run.output(), json!(null));
    assert_eq!(run.warnings(), ["output EXPRESSION_FAILED"]);
}

#[test]
fn nothing_had_to_be_undone() {
    let mut run = Story::of(json!({ "a": step(&[], json!({})), "b": undoable(&["a"], json!({})) }));
    run.answers("a", 200);
    run.answers("b", 422);
    assert_eq!(run.news().last().unwrap(), "FAILED");
}

#[test]
fn all_was_undone() {
    let mut run = Story::of(json!({ "a": undoable(&[], json!({})), "b": step(&["a"], json!({})) }));
    run.answers("a", 200);
    run.answers("b", 422);
    run.undo_answers("a", 204);
    assert_eq!(run.news().last().unwrap(), "COMPENSATED");
}

#[test]
fn something_remains() {
    let steps = json!({
        "z": undoable(&[], json!({})), "a": undoable(&[], json!({})), "b": step(&["a", "z"], json!({}))
    });
    let mut run = Story::of(steps);
    run.answers("a", 200);
    run.answers("z", 200);
    run.answers("b", 422);
    run.undo_answers("a", 200);
    run.undo_answers("z", 422);
    assert_eq!(run.status(), Status::Stuck);
    assert_eq!(run.resolve("z", Resolution::Skip), "accepted");
    assert_eq!(run.news().last().unwrap(), "FAILED +z");
    assert_eq!(run.state().end.as_ref().unwrap().residue, ["z".into()]);
}

#[test]
fn undone_by_hand_is_undone() {
    let mut run = Story::of(json!({ "a": undoable(&[], json!({})), "b": step(&["a"], json!({})) }));
    run.answers("a", 200);
    run.answers("b", 422);
    run.undo_answers("a", 422);
    assert_eq!(run.resolve("a", Resolution::Done), "accepted");
    assert_eq!(run.news().last().unwrap(), "COMPENSATED");
}

#[test]
fn an_ended_run_takes_nothing_any_more() {
    let mut run = Story::of(json!({ "a": step(&[], json!({})) }));
    run.answers("a", 200);
    run.news();
    run.asks("late", None, Resolution::Retry, None);
    run.turn();
    run.crashes();
    assert_eq!(run.news(), [""; 0]);
}
