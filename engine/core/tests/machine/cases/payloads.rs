//! Payloads that state does not hold.

use engine_core::id::{Seq, Side};
use engine_core::machine::{Input, Progress};
use serde_json::json;

use super::kit::{Story, answered, step};

#[test]
fn a_missing_payload_does_not_let_the_next_input_overtake() {
    let reads = json!({ "http": { "body": "${ .steps.a.text | length }" } });
    let steps = json!({
        "a": step(&[], json!({})), "b": step(&[], json!({})), "c": step(&["a", "b"], reads), "d": step(&[], json!({}))
    });
    let mut run = Story::of(steps);
    run.answers_with("a", 200, &json!({ "text": "x".repeat(2_000) }));
    run.news();
    run.ends("b", Side::Forward, answered(200, &json!(null)));
    run.ends("d", Side::Forward, answered(422, &json!(null)));
    run.turn();
    // What follows from b comes before d is looked at.
    assert_eq!(run.news(), ["done b", "begin c", "fail d none", "stop by d", "fail c none", "FAILED"]);
}

#[test]
fn an_input_waits_undecided_for_its_payload() {
    let expects = json!({ "expect": { "that": "${ .output.n == (.steps.a.text | length) }" } });
    let mut run = Story::of(json!({ "a": step(&[], json!({})), "b": step(&["a"], expects) }));
    run.answers_with("a", 200, &json!({ "text": "x".repeat(2_000) }));
    run.news();
    run.ends("b", Side::Forward, answered(200, &json!({ "n": 2_000 })));
    let before = run.state().clone();
    assert_eq!(run.machine.advance(run.now), Progress::Needs(vec![Seq(3)]));
    assert_eq!(*run.state(), before);
    run.turn();
    assert_eq!(run.news(), ["done b", "COMPLETED"]);
}

#[test]
fn nothing_new_begins_once_it_is_held() {
    let mut run = Story::of(json!({ "a": step(&[], json!({})), "b": step(&["a"], json!({})) }));
    run.machine.hold();
    run.news();
    run.answers("a", 200);
    assert_eq!(run.news(), ["done a"]);
    run.crashes();
    assert_eq!(run.news(), ["begin b"]);
    run.machine.push(Input::Recovered);
    run.turn();
    assert_eq!(run.news(), ["recovered b"]);
}
