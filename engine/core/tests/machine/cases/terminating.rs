//! Terminate: the run ends at once, nothing is undone, and what remains is listed.

use std::time::Duration;

use engine_core::event::CancelCause;
use engine_core::id::Side;
use engine_core::machine::Input;
use engine_core::request::{Demand, Resolution};
use engine_core::state::Status;
use serde_json::json;

use super::kit::{Story, answered, lost, step, undoable};

fn terminate() -> Demand {
    Demand::Terminate { reason: None }
}

#[test]
fn what_may_have_happened_remains_and_nothing_is_undone() {
    let more = json!({ "on_failure": { "tell": step(&[], json!({})) } });
    let steps = json!({
        "done": undoable(&[], json!({})), "flies": undoable(&["done"], json!({})), "waits": undoable(&["done"], json!({})),
        "put_off": undoable(&["done"], json!({})), "plain": step(&["done"], json!({})),
        "later": undoable(&["flies"], json!({})), "skipped": undoable(&[], json!({ "when": "${ .input.no }" }))
    });
    let mut run = Story::with(steps, more);
    run.answers("done", 200);
    run.answers("waits", 500);
    run.answers("put_off", 429);
    run.news();
    assert_eq!(run.terminate(), "accepted");
    assert_eq!(
        run.news(),
        [
            "accepted",
            "fail flies unknown",
            "fail plain unknown",
            "fail put_off none",
            "fail waits unknown",
            "CANCELLED +done +flies +waits"
        ]
    );
    assert!(run.rests());
    let end = run.state().end.clone().unwrap();
    assert_eq!((end.status, end.cancelled), (Status::Cancelled, Some(CancelCause::Terminated)));
    assert_eq!(run.times_sent("done", Side::Compensation), 0);
}

#[test]
fn what_begins_in_the_same_turn_did_nothing() {
    let mut run = Story::of(json!({ "a": undoable(&[], json!({})), "b": undoable(&["a"], json!({})) }));
    run.news();
    run.ends("a", Side::Forward, answered(200, &json!(null)));
    run.demands("end", terminate());
    run.turn();
    assert_eq!(run.news(), ["done a", "begin b", "accepted", "fail b none", "CANCELLED +a"]);
    assert_eq!(run.times_sent("b", Side::Forward), 0);
}

#[test]
fn a_retry_that_begins_in_the_same_turn_keeps_what_is_known() {
    for (status, news) in [
        (500, ["again a 2", "accepted", "fail a unknown", "CANCELLED +a"]),
        (429, ["again a 2", "accepted", "fail a none", "CANCELLED"]),
    ] {
        let mut run = Story::of(json!({ "a": undoable(&[], json!({})) }));
        run.answers("a", status);
        run.news();
        run.sleep(Duration::from_mins(1));
        run.fire();
        run.demands("end", terminate());
        run.turn();
        assert_eq!(run.news(), news);
    }
}

#[test]
fn an_undoing_under_way_leaves_residue_wherever_it_is() {
    let failed = || {
        let mut run = Story::of(json!({ "a": undoable(&[], json!({})), "b": undoable(&["a"], json!({})) }));
        run.answers("a", 200);
        run.answers("b", 302);
        run.news();
        run
    };
    let mut run = failed();
    run.terminate();
    assert_eq!(run.news(), ["accepted", "undo stuck b", "CANCELLED +a +b"]);
    let mut run = failed();
    run.undo_answers("b", 503);
    run.terminate();
    assert_eq!(run.news()[1..], ["accepted", "undo stuck b", "CANCELLED +a +b"]);
    let mut run = failed();
    run.undo_answers("b", 422);
    run.terminate();
    assert_eq!(run.news()[1..], ["accepted", "CANCELLED +a +b"]);
    let mut run = failed();
    run.undo_answers("b", 200);
    run.terminate();
    assert_eq!(run.news()[2..], ["accepted", "undo stuck a", "CANCELLED +a"], "what was undone is no residue");
    let mut run = failed();
    run.undo_answers("b", 422);
    run.resolve("b", Resolution::Skip);
    run.terminate();
    assert_eq!(run.news().last().unwrap(), "CANCELLED +a +b", "what was given up is");
}

#[test]
fn an_optional_step_in_flight_is_a_warning() {
    let mut run = Story::of(json!({ "a": undoable(&[], json!({ "optional": true })), "b": step(&[], json!({})) }));
    run.news();
    run.terminate();
    assert_eq!(run.news(), ["accepted", "forgive a unknown", "fail b unknown", "CANCELLED +a"]);
    assert_eq!((run.warnings(), run.failures()), (vec!["a ABANDONED".into()], vec!["b ABANDONED".into()]));
}

#[test]
fn steps_of_on_failure_are_abandoned_too() {
    let more = json!({ "on_failure": { "tell": step(&[], json!({})), "mark": step(&["tell"], json!({})) } });
    let mut run = Story::with(json!({ "a": undoable(&[], json!({})) }), more);
    run.answers("a", 422);
    run.news();
    run.terminate();
    assert_eq!(run.news(), ["accepted", "forgive tell unknown", "CANCELLED"]);
}

#[test]
fn what_was_not_sent_did_nothing() {
    let mut run = Story::of(json!({ "a": undoable(&[], json!({})), "b": undoable(&[], json!({})) }));
    run.lacks_secret("a", Side::Forward);
    run.turn();
    run.news();
    run.terminate();
    assert_eq!(run.news(), ["accepted", "fail a none", "fail b unknown", "CANCELLED +b"]);
}

#[test]
fn what_a_crash_cut_off_is_unknown() {
    for paused in [false, true] {
        let mut run = Story::of(json!({ "a": undoable(&[], json!({})) }));
        if paused {
            run.pause();
        }
        run.news();
        run.crashes();
        run.terminate();
        assert_eq!(run.news(), ["recovered a", "accepted", "fail a unknown", "CANCELLED +a"]);
    }
}

#[test]
fn set_aside_as_poison_it_is_ended_all_the_same() {
    let mut run = Story::of(json!({ "a": undoable(&[], json!({})), "b": undoable(&["a"], json!({})) }));
    run.answers("a", 200);
    run.is_poison();
    run.news();
    run.terminate();
    assert_eq!(run.news(), ["accepted", "fail b unknown", "CANCELLED +a +b"]);
}

#[test]
fn a_cancel_of_the_same_turn_that_comes_first_is_answered_first() {
    let mut run = Story::of(json!({ "a": undoable(&[], json!({})), "b": step(&["a"], json!({})) }));
    run.answers("a", 200);
    run.news();
    run.demands("cancel", Demand::Cancel { reason: None });
    run.demands("end", terminate());
    run.demands("late", Demand::Cancel { reason: None });
    run.turn();
    assert_eq!(run.news(), ["accepted", "stop by cancel", "accepted", "fail b unknown", "CANCELLED +a"]);
    assert!(!run.state().answers.contains_key("late"));
}

#[test]
fn what_comes_after_it_is_dropped() {
    let mut run = Story::of(json!({ "a": undoable(&[], json!({})), "b": undoable(&[], json!({})) }));
    run.news();
    run.ends("a", Side::Forward, lost());
    run.demands("end", terminate());
    run.ends("b", Side::Forward, answered(200, &json!(null)));
    run.machine.push(Input::Recovered);
    run.turn();
    run.sleep(Duration::from_mins(5));
    run.crashes();
    assert_eq!(
        run.news(),
        ["retry a unknown 200ms", "accepted", "fail a unknown", "fail b unknown", "CANCELLED +a +b"]
    );
    assert!(run.rests());
}
