//! Undoing, in reverse order.

use engine_core::id::Side;
use engine_core::request::Resolution;
use engine_core::state::Status;
use serde_json::{Value, json};

use super::kit::{Story, step, undoable};

/// A diamond a → (b, c) → d, then e that fails; all but e are undone.
fn diamond_turned_back() -> Story {
    let mut run = Story::of(json!({
        "a": undoable(&[], json!({})), "b": undoable(&["a"], json!({})), "c": undoable(&["a"], json!({})),
        "d": undoable(&["b", "c"], json!({})), "e": step(&["d"], json!({}))
    }));
    for name in ["a", "b", "c", "d"] {
        run.answers(name, 200);
    }
    run.news();
    run.answers("e", 422);
    assert_eq!(run.news(), ["fail e none", "stop by e", "undo d"]);
    run
}

#[test]
fn one_starts_when_those_of_all_its_dependents_have_ended() {
    let mut run = diamond_turned_back();
    run.undo_answers("d", 200);
    assert_eq!(run.news(), ["undone d", "undo b", "undo c"]);
    run.undo_answers("c", 200);
    assert_eq!(run.news(), ["undone c"]);
    run.undo_answers("b", 200);
    run.undo_answers("a", 200);
    assert_eq!(run.news(), ["undone b", "undo a", "undone a", "COMPENSATED"]);
}

#[test]
fn one_that_fails_is_stuck_and_the_rest_goes_on() {
    let mut run = diamond_turned_back();
    run.undo_answers("d", 200);
    run.undo_answers("b", 403);
    assert_eq!(run.status(), Status::Compensating);
    run.undo_answers("c", 200);
    assert_eq!(run.status(), Status::Stuck);
    assert_eq!(run.news()[3..], ["undo stuck b", "undone c"]);
    run.resolve("b", Resolution::Retry);
    assert_eq!(run.status(), Status::Compensating);
    run.undo_answers("b", 200);
    assert_eq!(run.news(), ["accepted", "undo b", "undone b", "undo a"]);
}

#[test]
fn a_chain_is_undone_through_steps_that_need_none() {
    let mut run = Story::of(json!({
        "a": undoable(&[], json!({})), "b": { "after": ["a"], "value": 1 }, "c": undoable(&["b"], json!({})),
        "d": step(&["c"], json!({}))
    }));
    run.answers("a", 200);
    run.answers("c", 200);
    run.news();
    run.answers("d", 422);
    assert_eq!(run.news(), ["fail d none", "stop by d", "undo c"]);
    run.undo_answers("c", 200);
    assert_eq!(run.news(), ["undone c", "undo a"]);
}

#[test]
fn it_carries_the_key_of_what_it_undoes() {
    let run = diamond_turned_back();
    let (forward, undo) = (run.last_sent("d", Side::Forward), run.last_sent("d", Side::Compensation));
    assert_eq!(undo.key_of.as_ref(), Some(&forward.key));
    assert_ne!(undo.key, forward.key);
    assert_eq!(forward.key_of, None);
}

#[test]
fn nothing_to_undo_is_undone_only_where_that_was_open() {
    let undo_with = |forward: u16, undo: u16| {
        let mut run = Story::of(json!({ "a": undoable(&[], json!({})), "b": step(&["a"], json!({})) }));
        run.answers("a", forward);
        if forward == 200 {
            run.answers("b", 422);
        }
        run.undo_answers("a", undo);
        run.news().last().unwrap().clone()
    };
    assert_eq!(undo_with(302, 404), "COMPENSATED");
    assert_eq!(undo_with(302, 410), "COMPENSATED");
    assert_eq!(undo_with(200, 404), "undo stuck a");
    assert_eq!(undo_with(302, 403), "undo stuck a");
}

#[test]
fn there_may_be_another_request_for_the_unknown_case() {
    let undo_of = |status: u16, body: Value| {
        let unknown = json!({ "compensate": {
            "http": { "body": "${ .steps.a.id }" },
            "unknown": { "http": { "service": "plain", "post": "/look", "body": "${ .forward.key }" } }
        } });
        let mut run = Story::of(json!({ "a": undoable(&[], unknown), "b": step(&["a"], json!({})) }));
        run.answers_with("a", status, &body);
        if status == 200 {
            run.answers("b", 422);
        }
        (run.rendered("a", Side::Compensation), json!(run.last_sent("a", Side::Forward).key.as_str()))
    };
    assert_eq!(undo_of(200, json!({ "id": 7 })).0, json!(7));
    let (body, key) = undo_of(302, json!(null));
    assert_eq!(body, key);
}

#[test]
fn one_that_can_not_be_rendered_is_stuck() {
    let needs_id = json!({ "compensate": { "http": { "post": "/undo/${ .steps.a.id }" } } });
    let mut run = Story::of(json!({ "a": undoable(&[], needs_id) }));
    run.answers("a", 302);
    assert_eq!(run.news()[2..], ["fail a unknown", "stop by a", "undo stuck a"]);
    run.resolve("a", Resolution::Retry);
    assert_eq!(run.news(), ["accepted", "undo stuck a"]);
    run.resolve("a", Resolution::Done);
    assert_eq!(run.news(), ["accepted", "undone a", "COMPENSATED"]);
}

#[test]
fn it_is_patient() {
    let mut run = Story::with(
        json!({ "a": undoable(&[], json!({})) }),
        json!({ "defaults": { "compensation_retry": { "max_attempts": 60 } } }),
    );
    run.answers("a", 302);
    let mut last = String::new();
    for _ in 1..60 {
        run.undo_answers("a", 500);
        last = run.wait();
    }
    assert_eq!(last, "5m");
    run.news();
    run.undo_answers("a", 500);
    assert_eq!(run.news(), ["undo stuck a"]);
}
