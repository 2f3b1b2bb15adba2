//! Cancel: the run stops and what may have happened is undone, unless the pivot says otherwise.

use std::time::Duration;

use engine_core::event::{CancelCause, StuckReason};
use engine_core::id::Side;
use engine_core::request::{Demand, Resolution};
use engine_core::state::Status;
use serde_json::{Value, json};

use super::kit::{Story, answered, step, undoable};

fn cancel() -> Demand {
    Demand::Cancel { reason: Some("fraud".to_owned()) }
}

/// `a`, then the pivot `p`, then `b`.
fn at_pivot(more: Value) -> Story {
    let steps = json!({
        "a": undoable(&[], json!({})), "p": step(&["a"], json!({ "pivot": true })), "b": step(&["p"], json!({}))
    });
    let mut run = Story::with(steps, more);
    run.answers("a", 200);
    run.news();
    run
}

fn held() -> Story {
    let mut run = at_pivot(json!({}));
    assert_eq!(run.cancel(), "held");
    assert_eq!(run.news(), ["held"]);
    run
}

#[test]
fn what_was_sent_ends_first_and_all_is_undone() {
    let mut run = Story::of(json!({
        "a": undoable(&[], json!({})), "b": undoable(&["a"], json!({})), "c": undoable(&["a"], json!({})),
        "d": step(&["b", "c"], json!({}))
    }));
    run.answers("a", 200);
    run.answers("b", 503);
    run.news();
    assert_eq!(run.cancel(), "accepted");
    assert_eq!(run.news(), ["accepted", "stop by cancel", "fail b unknown"]);
    assert_eq!(run.status(), Status::Compensating);
    run.answers("c", 200);
    assert_eq!(run.news(), ["done c", "undo b", "undo c"]);
    run.undo_answers("b", 200);
    run.undo_answers("c", 200);
    run.undo_answers("a", 200);
    assert_eq!(run.news(), ["undone b", "undone c", "undo a", "undone a", "CANCELLED"]);
    assert_eq!(run.state().end.as_ref().unwrap().cancelled, Some(CancelCause::Cancelled));
}

#[test]
fn a_step_that_begins_in_the_same_turn_is_withdrawn() {
    let mut run = Story::of(json!({ "a": undoable(&[], json!({})), "b": undoable(&["a"], json!({})) }));
    run.news();
    run.ends("a", Side::Forward, answered(200, &json!(null)));
    run.demands("cancel", cancel());
    run.turn();
    assert_eq!(run.news(), ["done a", "begin b", "accepted", "stop by cancel", "fail b none", "undo a"]);
    assert_eq!((run.times_sent("b", Side::Forward), run.failures()), (0, vec!["b WITHDRAWN".into()]));
}

#[test]
fn a_pivot_that_begins_in_the_same_turn_is_withdrawn_too() {
    let steps = json!({ "a": undoable(&[], json!({})), "p": step(&["a"], json!({ "pivot": true })) });
    let mut run = Story::of(steps);
    run.news();
    run.ends("a", Side::Forward, answered(200, &json!(null)));
    run.demands("cancel", cancel());
    run.turn();
    assert_eq!(run.news(), ["done a", "begin p", "accepted", "stop by cancel", "fail p none", "undo a"]);
    assert_eq!(run.times_sent("p", Side::Forward), 0);
}

#[test]
fn a_pivot_that_is_tried_again_in_the_same_turn_is_withdrawn_only_where_it_did_nothing() {
    for (status, news) in [
        (429, vec!["again p 2", "accepted", "stop by cancel", "fail p none", "undo a"]),
        (500, vec!["again p 2", "held"]),
    ] {
        let mut run = at_pivot(json!({}));
        run.answers("p", status);
        run.news();
        run.sleep(Duration::from_mins(1));
        run.fire();
        run.demands("cancel", cancel());
        run.turn();
        assert_eq!(run.news(), news);
    }
}

#[test]
fn undone_in_part_there_is_residue() {
    let mut run = Story::of(json!({ "a": undoable(&[], json!({})), "b": step(&["a"], json!({})) }));
    run.answers("a", 200);
    run.cancel();
    run.answers("b", 200);
    run.undo_answers("a", 422);
    run.news();
    run.resolve("a", Resolution::Skip);
    assert_eq!(run.news(), ["accepted", "undo given up a", "CANCELLED +a"]);
}

#[test]
fn on_failure_is_told() {
    let more = json!({ "on_failure": { "tell": { "value": "${ .error }" } } });
    let mut run = Story::with(json!({ "a": step(&[], json!({})), "b": step(&[], json!({})) }), more);
    run.cancel();
    run.answers("a", 422);
    run.answers("b", 200);
    let error = run.value("tell");
    assert_eq!(
        (&error["code"], &error["step"], &error["all"][0]["code"]),
        (&json!("CANCELLED"), &json!(null), &json!("HTTP_422"))
    );
    assert_eq!(run.news().last().unwrap(), "CANCELLED");
}

#[test]
fn held_and_the_pivot_done_it_is_refused() {
    let mut run = held();
    run.answers("p", 200);
    assert_eq!(run.news(), ["done p", "settled refused PIVOT_DONE", "begin b"]);
    assert_eq!(run.cancel(), "refused PIVOT_DONE");
    run.answers("b", 200);
    assert_eq!(run.news(), ["refused PIVOT_DONE", "done b", "COMPLETED"]);
    assert_eq!(run.answer_to("request-1"), "held", "a repeat gets the first answer");
}

#[test]
fn held_and_the_pivot_refused_it_stops_the_run_as_cancelled() {
    let mut run = held();
    run.answers("p", 422);
    assert_eq!(run.news(), ["fail p none", "settled accepted", "stop by cancel", "undo a"]);
    run.undo_answers("a", 200);
    assert_eq!(run.news(), ["undone a", "CANCELLED"]);
}

#[test]
fn held_and_the_pivot_put_off_without_effect_it_stops_the_run() {
    let mut run = held();
    run.answers("p", 429);
    assert_eq!(run.news(), ["retry p none 200ms", "settled accepted", "stop by cancel", "fail p none", "undo a"]);
}

#[test]
fn held_and_the_pivot_not_sent_it_stops_the_run() {
    let mut run = held();
    run.lacks_secret("p", Side::Forward);
    run.turn();
    assert_eq!(
        run.news(),
        ["run stuck on p", "settled accepted", "run unstuck", "stop by cancel", "fail p none", "undo a"]
    );
    assert_eq!(run.times_sent("p", Side::Forward), 1);
}

#[test]
fn held_it_waits_through_retries_and_for_the_operator() {
    for (word, news) in [
        (Resolution::Done, vec!["accepted", "done p", "settled refused PIVOT_DONE", "begin b"]),
        (Resolution::Skip, vec!["accepted", "skip p", "settled refused PIVOT_DONE", "begin b"]),
        (Resolution::Fail, vec!["accepted", "fail p none", "settled accepted", "stop by cancel", "undo a"]),
        (Resolution::Retry, vec!["accepted", "again p 3"]),
    ] {
        let mut run = held();
        run.answers("p", 500);
        run.wait();
        run.answers("p", 500);
        assert_eq!(run.news(), ["retry p unknown 200ms", "again p 2", "stuck p unknown"]);
        run.resolve("p", word);
        assert_eq!(run.news(), news);
    }
}

#[test]
fn held_it_survives_crashes() {
    let mut run = held();
    run.crashes();
    run.crashes();
    assert_eq!(run.news(), ["recovered p", "recovered p"]);
    run.answers("p", 422);
    assert_eq!(run.news(), ["stuck p unknown"], "one that was cut off may have done it");
    run.crashes();
    run.resolve("p", Resolution::Fail);
    assert_eq!(run.news(), ["accepted", "fail p none", "settled accepted", "stop by cancel", "undo a"]);
}

#[test]
fn a_second_cancel_while_one_is_held_does_nothing() {
    let mut run = held();
    assert_eq!(run.cancel(), "no-op");
    run.answers("p", 422);
    assert_eq!(run.news(), ["no-op", "fail p none", "settled accepted", "stop by cancel", "undo a"]);
    assert_eq!(run.cancel(), "no-op", "the first cause stays");
}

#[test]
fn terminated_while_one_is_held_it_is_refused() {
    let mut run = held();
    assert_eq!(run.terminate(), "accepted");
    assert_eq!(run.news(), ["accepted", "settled refused ENDED", "fail p unknown", "CANCELLED +a"]);
    let mut run = held();
    run.answers("p", 302);
    run.terminate();
    assert_eq!(run.news(), ["stuck p unknown", "accepted", "settled refused ENDED", "CANCELLED +a"]);
    assert_eq!(run.state().cancel_held, None);
}

#[test]
fn the_timeout_gives_way_to_one_that_is_held() {
    let held = |status: u16| {
        let mut run = at_pivot(json!({ "timeout": "1m" }));
        run.cancel();
        run.sleep(Duration::from_mins(2));
        run.fire();
        run.answers("p", status);
        run.news()
    };
    assert_eq!(held(422), ["held", "fail p none", "settled accepted", "stop by cancel", "undo a"]);
    let mut run = at_pivot(json!({ "timeout": "1m" }));
    run.cancel();
    run.sleep(Duration::from_mins(2));
    run.answers("p", 200);
    run.wait();
    assert_eq!(run.news(), ["held", "done p", "settled refused PIVOT_DONE", "begin b", "refused PIVOT_DONE"]);
}

#[test]
fn it_lifts_a_pause_and_withdraws_what_was_parked() {
    let steps = json!({ "a": undoable(&[], json!({ "on_unknown": "stuck" })), "b": step(&[], json!({})) });
    let mut run = Story::of(steps);
    run.answers("a", 302);
    run.pause();
    run.resolve("a", Resolution::Retry);
    run.news();
    run.cancel();
    assert_eq!(run.news(), ["accepted", "stop by cancel", "fail a unknown"]);
    assert_eq!(run.times_sent("a", Side::Forward), 1);
    run.answers("b", 200);
    assert_eq!((run.news(), run.status()), (vec!["done b".into(), "undo a".into()], Status::Compensating));
}

#[test]
fn held_it_lifts_a_pause_so_that_the_pivot_settles() {
    let mut run = at_pivot(json!({}));
    run.answers("p", 500);
    run.pause();
    assert!(run.rests());
    run.news();
    assert_eq!(run.cancel(), "held");
    run.wait();
    assert_eq!(run.news(), ["held", "again p 2"]);
    run.pause();
    run.answers("p", 200);
    assert_eq!(run.news(), ["accepted", "done p", "settled refused PIVOT_DONE"]);
    assert_eq!(run.status(), Status::Paused);
}

#[test]
fn a_pause_after_it_was_held_stays() {
    let mut run = held();
    run.pause();
    run.answers("p", 422);
    assert_eq!(run.news(), ["accepted", "fail p none", "settled accepted", "stop by cancel"]);
    assert_eq!((run.status(), run.rests()), (Status::Paused, true));
    run.resume();
    assert_eq!(run.news(), ["accepted", "undo a"]);
}

#[test]
fn it_gets_a_run_out_that_lacks_a_secret() {
    let steps = json!({ "a": undoable(&[], json!({})), "b": step(&["a"], json!({})), "c": step(&["a"], json!({})) });
    let mut run = Story::of(steps);
    run.answers("a", 200);
    run.lacks_secret("b", Side::Forward);
    run.turn();
    run.news();
    run.cancel();
    assert_eq!(run.news(), ["accepted", "run unstuck", "stop by cancel", "fail b none"]);
    run.answers("c", 200);
    assert_eq!(run.news(), ["done c", "undo a"]);
}

#[test]
fn it_gets_out_a_run_that_is_poison() {
    let mut run = Story::of(json!({ "a": undoable(&[], json!({})), "b": undoable(&["a"], json!({})) }));
    run.answers("a", 200);
    run.news();
    run.is_poison();
    assert_eq!(run.news(), ["run stuck on nothing", "recovered b"]);
    assert_eq!((run.status(), run.rests()), (Status::Stuck, true));
    assert_eq!(run.state().stuck[0].reason, StuckReason::Poison);
    run.crashes();
    assert_eq!(run.news(), [""; 0], "nothing was sent that could be cut off");
    run.cancel();
    assert_eq!(run.news(), ["accepted", "run unstuck", "stop by cancel", "fail b unknown", "undo b"]);
    run.undo_answers("b", 200);
    run.undo_answers("a", 200);
    assert_eq!(run.news().last().unwrap(), "CANCELLED");
}

#[test]
fn at_a_pivot_that_is_poison_it_is_held_until_an_operator_has_seen_to_it() {
    let mut run = at_pivot(json!({}));
    run.is_poison();
    assert_eq!(run.cancel(), "held");
    assert!(run.rests());
    run.news();
    run.unstick();
    run.answers("p", 200);
    assert_eq!(run.news(), ["accepted", "run unstuck", "done p", "settled refused PIVOT_DONE", "begin b"]);
}

#[test]
fn what_is_stuck_and_unknown_holds_a_cancelled_run() {
    let mut run = Story::of(json!({ "a": undoable(&[], json!({ "on_unknown": "stuck" })) }));
    run.answers("a", 302);
    run.news();
    run.cancel();
    assert_eq!((run.news(), run.status()), (vec!["accepted".into(), "stop by cancel".into()], Status::Stuck));
    run.resolve("a", Resolution::Fail);
    assert_eq!(run.news(), ["accepted", "fail a none", "CANCELLED"]);
}

#[test]
fn after_a_failure_the_failure_stays_the_cause() {
    let mut run = Story::of(json!({ "a": undoable(&[], json!({})), "b": step(&["a"], json!({})) }));
    run.answers("a", 200);
    run.answers("b", 422);
    run.news();
    assert_eq!(run.cancel(), "no-op");
    run.undo_answers("a", 200);
    assert_eq!(run.news(), ["no-op", "undone a", "COMPENSATED"]);
}
