//! The point of no return.

use engine_core::id::Side;
use engine_core::request::Resolution;
use engine_core::state::Status;
use serde_json::{Value, json};

use super::kit::{Story, step, undoable};

/// `a`, then the pivot `p`, then `b` and the optional `c`.
fn saga() -> Value {
    json!({
        "a": undoable(&[], json!({})),
        "p": step(&["a"], json!({ "pivot": true })),
        "b": undoable(&["p"], json!({})),
        "c": undoable(&["p"], json!({ "optional": true }))
    })
}

fn at_pivot(steps: Value, more: Value) -> Story {
    let mut run = Story::with(steps, more);
    run.answers("a", 200);
    run.news();
    run
}

fn past_pivot() -> Story {
    let mut run = at_pivot(saga(), json!({}));
    run.answers("p", 200);
    assert_eq!(run.news(), ["done p", "begin b", "begin c"]);
    run
}

#[test]
fn refused_with_no_effect_it_turns_back() {
    let mut run = at_pivot(saga(), json!({}));
    run.answers("p", 422);
    assert_eq!(run.news(), ["fail p none", "stop by p", "undo a"]);
}

#[test]
fn unknown_it_is_stuck_and_the_operator_says() {
    for (word, news) in [
        (Resolution::Done, vec!["accepted", "done p", "begin b", "begin c"]),
        (Resolution::Fail, vec!["accepted", "fail p none", "stop by p", "undo a"]),
        (Resolution::Retry, vec!["accepted", "again p 3"]),
    ] {
        let mut run = at_pivot(saga(), json!({}));
        run.answers("p", 500);
        run.wait();
        run.answers("p", 500);
        assert_eq!(run.news(), ["retry p unknown 200ms", "again p 2", "stuck p unknown"]);
        assert_eq!(run.status(), Status::Stuck);
        run.resolve("p", word);
        assert_eq!(run.news(), news);
    }
}

#[test]
fn cut_off_by_a_crash_it_keeps_its_attempts() {
    let mut run = at_pivot(saga(), json!({}));
    run.crashes();
    assert_eq!(run.news(), ["recovered p"]);
    assert_eq!(run.last_sent("p", Side::Forward).attempt, 2);
    run.answers("p", 422);
    assert_eq!(run.news(), ["stuck p unknown"]);
}

#[test]
fn at_most_once_and_cut_off_it_is_stuck() {
    let mut steps = saga();
    steps["p"]["retry"] = json!({ "max_attempts": 1 });
    let mut run = at_pivot(steps, json!({}));
    run.crashes();
    assert_eq!(run.news(), ["recovered p", "stuck p unknown"]);
    assert_eq!(run.times_sent("p", Side::Forward), 1);
}

#[test]
fn done_but_not_as_expected_it_is_stuck() {
    let mut steps = saga();
    steps["p"]["expect"] = json!({ "that": "${ .output.ok }", "effect": "done" });
    let mut run = at_pivot(steps.clone(), json!({}));
    run.answers_with("p", 200, &json!({ "ok": false }));
    assert_eq!(run.news(), ["stuck p done"]);
    run.resolve("p", Resolution::Retry);
    run.crashes();
    run.answers("p", 422);
    assert_eq!(run.news(), ["accepted", "again p 2", "recovered p", "stuck p done"]);
    steps["p"]["retry"] = json!({ "max_attempts": 1 });
    let mut run = at_pivot(steps, json!({}));
    run.answers_with("p", 200, &json!({ "ok": false }));
    run.resolve("p", Resolution::Retry);
    run.crashes();
    assert_eq!(run.news(), ["stuck p done", "accepted", "again p 2", "recovered p", "stuck p done"]);
}

#[test]
fn left_out_by_an_operator_while_unknown_there_is_no_way_back() {
    let steps = saga();
    let mut run = at_pivot(steps, json!({ "timeout": "1m" }));
    run.answers("p", 302);
    run.sleep(std::time::Duration::from_mins(2));
    run.news();
    run.resolve("p", Resolution::Skip);
    assert_eq!(run.news(), ["accepted", "skip p", "begin b", "begin c"]);
    run.wait();
    assert_eq!(run.news(), ["refused PIVOT_DONE"]);
    run.answers("b", 422);
    assert_eq!(run.news(), ["stuck b none"]);
}

#[test]
fn after_it_retries_have_no_end() {
    let mut run = past_pivot();
    run.answers("c", 200);
    for _ in 0..5 {
        run.answers("b", 500);
        run.wait();
    }
    let news = run.news();
    assert_eq!(news[1], "retry b unknown 200ms");
    assert_eq!(news[3], "retry b unknown 10s");
    assert_eq!(news[9], "retry b unknown 10s");
    run.answers("b", 200);
    assert_eq!(run.news(), ["again b 6", "done b", "COMPLETED"][1..]);
}

#[test]
fn after_it_what_can_not_be_retried_is_stuck_at_once() {
    let mut run = past_pivot();
    run.answers("b", 422);
    assert_eq!(run.news(), ["stuck b none"]);
    assert_eq!(run.status(), Status::Running);
    run.answers("c", 200);
    assert_eq!(run.status(), Status::Stuck);
    // It did nothing, so it is carried out anew, under another key.
    let key = run.last_sent("b", Side::Forward).key.clone();
    run.resolve("b", Resolution::Retry);
    assert_eq!(run.news(), ["done c", "accepted", "begin b"]);
    assert_ne!(run.last_sent("b", Side::Forward).key, key);
}

#[test]
fn after_it_optional_steps_keep_their_budget_and_are_undone_alone() {
    let mut run = past_pivot();
    run.answers("b", 200);
    run.answers("c", 500);
    run.wait();
    run.news();
    run.answers("c", 500);
    assert_eq!(run.news(), ["forgive c unknown", "undo c"]);
    run.undo_answers("c", 200);
    assert_eq!(run.news(), ["undone c", "COMPLETED"]);
}

#[test]
fn after_it_an_operator_may_fail_the_run_and_nothing_is_undone() {
    let mut run = past_pivot();
    run.answers("b", 422);
    run.answers("c", 200);
    run.news();
    run.resolve("b", Resolution::Fail);
    assert_eq!(run.news(), ["accepted", "fail b none", "stop by b", "FAILED +a +c"]);
}

#[test]
fn failing_it_waits_for_an_optional_step_that_is_being_undone() {
    let mut steps = saga();
    steps["a"] = step(&[], json!({}));
    let mut run = at_pivot(steps, json!({ "on_failure": { "tell": step(&[], json!({})) } }));
    run.answers("p", 200);
    run.answers("b", 422);
    run.answers("c", 302);
    run.news();
    run.resolve("b", Resolution::Fail);
    assert_eq!(run.news(), ["accepted", "fail b none", "stop by b"]);
    run.undo_answers("c", 200);
    assert_eq!(run.news(), ["undone c", "begin tell"]);
    run.answers("tell", 200);
    // What was undone was no turning back.
    assert_eq!(run.news(), ["done tell", "FAILED"]);
}

#[test]
fn failing_it_takes_along_what_is_stuck_and_did_nothing() {
    let mut steps = saga();
    steps["c"]["optional"] = json!(false);
    let mut run = at_pivot(steps, json!({}));
    run.answers("p", 200);
    run.answers("b", 422);
    run.answers("c", 422);
    run.news();
    run.resolve("b", Resolution::Fail);
    assert_eq!(run.news(), ["accepted", "fail b none", "stop by b", "fail c none", "FAILED +a"]);
}
