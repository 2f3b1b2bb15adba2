//! When a step fails for good, the run stops going forward.

use engine_core::id::Side;
use engine_core::state::Status;
use serde_json::json;

use super::kit::{Story, answered, lost, step, undoable};

#[test]
fn what_is_in_flight_ends_and_is_then_undone() {
    let mut run = Story::of(json!({ "a": undoable(&[], json!({})), "b": undoable(&[], json!({})) }));
    assert_eq!(run.status(), Status::Running);
    run.answers("a", 422);
    assert_eq!(run.news(), ["start", "begin a", "begin b", "fail a none", "stop by a"]);
    assert_eq!(run.status(), Status::Compensating);
    run.answers("b", 200);
    assert_eq!(run.news(), ["done b", "undo b"]);
    run.undo_answers("b", 200);
    assert_eq!(run.news(), ["undone b", "COMPENSATED"]);
    assert_eq!(run.status(), Status::Compensated);
}

#[test]
fn back_offs_end_at_once() {
    let mut run = Story::of(json!({ "a": step(&[], json!({})), "b": undoable(&[], json!({})) }));
    run.answers("b", 503);
    run.news();
    run.answers("a", 422);
    assert_eq!(run.news(), ["fail a none", "stop by a", "fail b unknown", "undo b"]);
    assert_eq!(run.failures(), ["a HTTP_422", "b HTTP_503"]);
}

#[test]
fn an_attempt_in_flight_is_not_made_again() {
    let mut run = Story::of(json!({ "a": step(&[], json!({})), "b": undoable(&[], json!({})) }));
    run.answers("a", 422);
    run.news();
    run.answers("b", 429);
    assert_eq!(run.news(), ["fail b none", "FAILED"]);
}

#[test]
fn an_attempt_that_was_not_sent_yet_is_withdrawn() {
    let steps = json!({ "a": undoable(&[], json!({})), "b": { "value": "${ .input + 1 }" } });
    let mut run = Story::of(steps);
    assert_eq!(run.news(), ["start", "begin a", "fail b none", "stop by b", "fail a none", "FAILED"]);
    assert_eq!(run.times_sent("a", Side::Forward), 0);
    assert_eq!(run.failures(), ["b EXPRESSION_FAILED", "a WITHDRAWN"]);
}

#[test]
fn a_retry_that_was_not_sent_yet_is_withdrawn_and_stays_unknown() {
    let mut run = Story::of(json!({ "a": step(&[], json!({})), "b": undoable(&[], json!({})) }));
    run.answers("b", 500);
    run.news();
    run.sleep(std::time::Duration::from_secs(1));
    run.fire();
    run.ends("a", Side::Forward, answered(422, &json!(null)));
    run.turn();
    assert_eq!(run.news(), ["again b 2", "fail a none", "stop by a", "fail b unknown", "undo b"]);
    assert_eq!(run.times_sent("b", Side::Forward), 1);
}

#[test]
fn all_failures_are_kept_and_the_first_is_the_error() {
    let on_failure = json!({ "on_failure": { "tell": { "value": "${ .error }" } } });
    let steps = json!({ "a": step(&[], json!({})), "b": step(&[], json!({})), "c": step(&[], json!({})) });
    let mut run = Story::with(steps, on_failure);
    run.ends("b", Side::Forward, answered(422, &json!({ "message": "no" })));
    run.ends("a", Side::Forward, lost());
    run.turn();
    run.answers("c", 404);
    let told = run.state().step(&"tell".into()).output.clone().unwrap();
    let error: serde_json::Value = serde_json::from_slice(told.small.as_ref().unwrap()).unwrap();
    assert_eq!(error["step"], "b");
    assert_eq!(error["code"], "HTTP_422");
    assert_eq!(error["status"], 422);
    assert_eq!(error["message"], "answered 422: no");
    let all: Vec<_> = error["all"].as_array().unwrap().iter().map(|each| each["step"].as_str().unwrap()).collect();
    assert_eq!(all, ["b", "a", "c"]);
}

#[test]
fn steps_of_on_failure_run_last_and_change_nothing() {
    let on_failure = json!({ "on_failure": {
        "mark": step(&[], json!({})), "tell": step(&["mark"], json!({})), "count": { "value": "${ .input + 1 }" }
    } });
    let mut run = Story::with(json!({ "a": undoable(&[], json!({})), "b": step(&["a"], json!({})) }), on_failure);
    run.answers("a", 200);
    run.answers("b", 422);
    run.news();
    run.undo_answers("a", 200);
    assert_eq!(run.news(), ["undone a", "begin mark", "forgive count none"]);
    run.answers("mark", 500);
    assert_eq!(run.news(), ["retry mark unknown 200ms"]);
    run.wait();
    run.answers("mark", 500);
    assert_eq!(run.news(), ["again mark 2", "forgive mark unknown", "begin tell"]);
    run.answers("tell", 200);
    assert_eq!(run.news(), ["done tell", "COMPENSATED"]);
    assert_eq!(run.warnings(), ["count EXPRESSION_FAILED", "mark HTTP_500"]);
}

#[test]
fn a_condition_may_fail_the_run() {
    let fails =
        json!({ "when": "${ .input.no }", "otherwise": { "fail": "NO_STOCK", "message": "none: ${ .input.no }" } });
    let mut run = Story::of(json!({ "a": undoable(&[], json!({})), "b": step(&["a"], fails) }));
    run.answers("a", 200);
    run.undo_answers("a", 200);
    assert_eq!(
        run.news(),
        ["start", "begin a", "done a", "fail b none", "stop by b", "undo a", "undone a", "COMPENSATED"]
    );
    assert_eq!(run.failures(), ["b NO_STOCK"]);
    assert_eq!(run.state().failures[0].failure.message, "none: false");
}

#[test]
fn a_step_is_skipped_where_all_before_it_were() {
    let skips = json!({ "when": "${ .input.no }" });
    let mut run = Story::of(json!({
        "a": step(&[], skips), "b": step(&["a"], json!({})), "c": step(&["b"], json!({ "if_skipped": "run" })),
        "d": step(&["b", "c"], json!({}))
    }));
    assert_eq!(run.news(), ["start", "skip a", "skip b", "begin c"]);
    run.answers("c", 200);
    run.answers("d", 200);
    assert_eq!(run.news(), ["done c", "begin d", "done d", "COMPLETED"]);
}
