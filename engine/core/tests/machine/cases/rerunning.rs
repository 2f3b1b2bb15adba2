//! Reruns: an ended run is carried out anew from one step on.

use engine_core::id::Side;
use engine_core::request::Resolution;
use engine_core::state::Status;
use serde_json::{Value, json};

use super::kit::{Story, step, undoable};

fn refusal(run: &Story, from: &str) -> String {
    match run.rerun(from) {
        Ok(_) => panic!("rerun from {from}"),
        Err(word) => word,
    }
}

/// `a`, then the pivot `p`, then `b`; it failed after the pivot.
fn failed_after_the_pivot() -> Story {
    let reads = json!({ "http": { "body": { "paid": "${ .steps.p.of }", "by": "${ .steps.a.of }" } } });
    let mut run = Story::of(json!({
        "a": undoable(&[], json!({})), "p": step(&["a"], json!({ "pivot": true })), "b": undoable(&["p"], reads)
    }));
    run.answers("a", 200);
    run.answers("p", 200);
    run.answers("b", 422);
    run.resolve("b", Resolution::Fail);
    assert_eq!(run.status(), Status::Failed);
    run
}

#[test]
fn what_came_before_is_carried_and_read_but_never_undone() {
    let source = failed_after_the_pivot();
    let mut run = source.rerun("b").unwrap();
    assert_eq!(run.news(), ["start", "carry a", "carry p", "begin b"]);
    assert_eq!(run.rendered("b", Side::Forward), json!({ "paid": "p", "by": "a" }));
    assert_ne!(run.last_sent("b", Side::Forward).key, source.last_sent("b", Side::Forward).key);
    run.crashes();
    run.terminate();
    assert_eq!(run.news(), ["recovered b", "accepted", "fail b unknown", "CANCELLED +b"], "`a` is no residue here");
}

#[test]
fn past_a_carried_pivot_it_only_goes_forward() {
    let mut run = failed_after_the_pivot().rerun("b").unwrap();
    run.news();
    assert_eq!(run.cancel(), "refused PIVOT_DONE");
    run.answers("b", 422);
    assert_eq!(run.news(), ["refused PIVOT_DONE", "stuck b none"]);
    run.resolve("b", Resolution::Fail);
    assert_eq!(run.news(), ["accepted", "fail b none", "stop by b", "FAILED"]);
}

#[test]
fn from_the_first_step_nothing_is_carried() {
    let source = failed_after_the_pivot();
    let mut run = source.rerun("a").unwrap();
    assert_eq!(run.news(), ["start", "begin a"]);
    assert_ne!(run.last_sent("a", Side::Forward).key, source.last_sent("a", Side::Forward).key);
    run.answers("a", 200);
    run.answers("p", 422);
    run.undo_answers("a", 200);
    assert_eq!(run.news().last().unwrap(), "COMPENSATED", "what was carried out anew is undone");
}

#[test]
fn carried_steps_are_not_undone_where_the_rerun_turns_back() {
    let mut source = Story::of(
        json!({ "a": undoable(&[], json!({})), "b": undoable(&["a"], json!({})), "c": step(&["b"], json!({})) }),
    );
    source.answers("a", 200);
    source.answers("b", 200);
    source.answers("c", 503);
    source.terminate();
    assert_eq!(refusal(&source, "d"), "refused NO_SUCH_STEP");
    let mut run = source.rerun("b").unwrap();
    run.answers("b", 200);
    run.answers("c", 422);
    run.undo_answers("b", 200);
    assert_eq!(
        run.news(),
        [
            "start",
            "carry a",
            "begin b",
            "done b",
            "begin c",
            "fail c none",
            "stop by c",
            "undo b",
            "undone b",
            "COMPENSATED"
        ]
    );
}

#[test]
fn what_was_skipped_or_forgiven_stays_so() {
    let no = json!({ "when": "${ .input.no }" });
    let mut source = Story::of(json!({
        "s": step(&[], no), "dep": step(&["s"], json!({})), "o": undoable(&[], json!({ "optional": true })),
        "u": undoable(&[], json!({ "optional": true })), "v": { "value": 7 },
        "z": step(&["dep", "o", "u", "v"], json!({ "http": { "body": "${ [.steps.s, .steps.o, .steps.u, .steps.v] }" } }))
    }));
    source.answers("o", 422);
    source.answers("u", 302);
    source.undo_answers("u", 200);
    source.answers("z", 422);
    assert_eq!(source.status(), Status::Compensated);
    let mut run = source.rerun("z").unwrap();
    let mut news = run.news();
    news[1..6].sort();
    assert_eq!(news, ["start", "carry v", "forgive o none", "forgive u none", "skip dep", "skip s", "begin z"]);
    assert_eq!(run.rendered("z", Side::Forward), json!([null, null, null, 7]));
    run.answers("z", 200);
    assert_eq!(run.warnings().len(), 2, "{:?}", run.warnings());
}

#[test]
fn carried_skips_skip_what_depends_on_them_as_before() {
    let mut source = Story::of(json!({
        "s": step(&[], json!({ "when": "${ .input.no }" })), "x": step(&[], json!({})), "y": step(&["s"], json!({})),
        "z": step(&["x"], json!({}))
    }));
    source.answers("x", 200);
    source.answers("z", 422);
    let mut run = source.rerun("z").unwrap();
    assert_eq!(run.news()[4..], ["begin z"]);
    run.answers("z", 200);
    assert_eq!(run.news(), ["done z", "COMPLETED"]);
}

#[test]
fn branches_that_were_never_carried_out_begin_anew() {
    let mut source = Story::of(json!({
        "a": step(&[], json!({})), "b": step(&["a"], json!({})), "c": step(&["a"], json!({})), "d": step(&["c"], json!({})),
        "e": step(&["b", "d"], json!({}))
    }));
    source.answers("a", 200);
    source.answers("b", 422);
    source.answers("c", 200);
    assert_eq!(source.status(), Status::Failed);
    let mut run = source.rerun("b").unwrap();
    assert_eq!(run.news(), ["start", "carry a", "carry c", "begin b", "begin d"]);
    for step in ["b", "d", "e"] {
        run.answers(step, 200);
    }
    assert_eq!(run.status(), Status::Completed);
    assert_eq!(refusal(&source, "e"), "refused NOT_DONE");
    assert_eq!(source.rerun("d").unwrap().news(), ["start", "carry a", "carry c", "begin b", "begin d"]);
}

#[test]
fn a_branch_that_was_undone_is_carried_out_anew() {
    let mut source = Story::of(json!({
        "a": step(&[], json!({})), "b": step(&["a"], json!({})), "c": undoable(&["a"], json!({}))
    }));
    source.answers("a", 200);
    source.answers("c", 200);
    source.answers("b", 422);
    source.undo_answers("c", 200);
    assert_eq!(source.rerun("b").unwrap().news(), ["start", "carry a", "begin b", "begin c"]);
}

#[test]
fn refused_where_a_step_before_was_undone() {
    let mut source = Story::of(json!({ "a": undoable(&[], json!({})), "b": step(&["a"], json!({})) }));
    source.answers("a", 200);
    source.answers("b", 422);
    source.undo_answers("a", 422);
    source.resolve("a", Resolution::Skip);
    assert_eq!(refusal(&source, "b"), "refused UNDONE", "perhaps in part");
    assert_eq!(source.rerun("a").unwrap().news(), ["start", "begin a"]);
}

#[test]
fn refused_where_what_another_step_did_is_unknown() {
    let steps = |more: Value| {
        let mut source = Story::of(json!({
            "a": step(&[], more.clone()), "b": step(&["a"], json!({})), "c": step(&[], more), "d": step(&["c"], json!({}))
        }));
        source.answers("c", 200);
        source
    };
    let mut source = steps(json!({}));
    source.answers("a", 302);
    source.answers("d", 200);
    assert_eq!(refusal(&source, "b"), "refused EFFECT_UNKNOWN", "a step before it");
    assert_eq!(refusal(&source, "d"), "refused EFFECT_UNKNOWN", "a step beside it");
    assert_eq!(source.rerun("a").unwrap().news(), ["start", "carry c", "carry d", "begin a"]);
    let mut skipped = steps(json!({ "on_unknown": "stuck" }));
    skipped.answers("a", 302);
    skipped.resolve("a", Resolution::Skip);
    skipped.answers("b", 422);
    skipped.answers("d", 200);
    assert_eq!(refusal(&skipped, "b"), "refused EFFECT_UNKNOWN", "an operator left it out while unknown");
}

#[test]
fn refused_where_what_a_step_beside_it_did_remains() {
    let source = |status| {
        let mut source = Story::of(json!({ "a": step(&[], json!({})), "c": undoable(&[], json!({})) }));
        source.answers("c", 200);
        source.answers("a", 422);
        source.undo_answers("c", status);
        source.terminate();
        source
    };
    assert_eq!(refusal(&source(503), "a"), "refused EFFECT_REMAINS", "an undoing was cut short");
    assert_eq!(source(503).rerun("c").unwrap().news(), ["start", "begin a", "begin c"]);
    let expects = json!({ "expect": { "that": "${ .output.ok }", "effect": "done" } });
    let mut unexpected = Story::of(json!({ "a": step(&[], json!({})), "c": step(&[], expects) }));
    unexpected.answers("c", 200);
    unexpected.answers("a", 422);
    assert_eq!(refusal(&unexpected, "a"), "refused EFFECT_REMAINS", "it was done, if not as expected");
}

#[test]
fn steps_of_on_failure_are_no_place_to_begin() {
    let more = json!({ "on_failure": { "tell": { "value": "${ .error.code }" } } });
    let mut source = Story::with(json!({ "a": step(&[], json!({})), "b": step(&["a"], json!({})) }), more);
    source.answers("a", 200);
    source.answers("b", 422);
    assert_eq!(refusal(&source, "tell"), "refused NO_SUCH_STEP");
    let mut run = source.rerun("b").unwrap();
    run.answers("b", 422);
    assert_eq!(run.news(), ["start", "carry a", "begin b", "fail b none", "stop by b", "done tell", "FAILED"]);
}

#[test]
fn a_rerun_that_failed_can_be_run_once_more() {
    let first = failed_after_the_pivot().rerun("b").unwrap();
    let mut second = first;
    second.answers("b", 422);
    second.resolve("b", Resolution::Fail);
    assert_eq!(second.rerun("b").unwrap().news(), ["start", "carry a", "carry p", "begin b"]);
    assert_eq!(refusal(&second, "x"), "refused NO_SUCH_STEP");
}

#[test]
fn large_outputs_are_carried_too() {
    let reads = json!({ "http": { "body": "${ .steps.a.text | length }" } });
    let mut source = Story::of(json!({ "a": step(&[], json!({})), "b": step(&["a"], reads) }));
    source.answers_with("a", 200, &json!({ "text": "x".repeat(5_000) }));
    source.answers("b", 422);
    let run = source.rerun("b").unwrap();
    assert_eq!(run.rendered("b", Side::Forward), json!(5_000));
}
