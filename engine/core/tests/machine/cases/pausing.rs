//! A paused run begins nothing new; what is in flight ends and is recorded.

use std::time::Duration;

use engine_core::id::Side;
use engine_core::request::{Demand, Resolution};
use engine_core::state::Status;
use serde_json::json;

use super::kit::{Story, answered, step, undoable};

#[test]
fn steps_wait_for_the_resume() {
    let mut run = Story::of(json!({ "a": step(&[], json!({})), "b": step(&["a"], json!({})), "c": { "value": 1 } }));
    run.news();
    assert_eq!(run.pause(), "accepted");
    run.answers("a", 200);
    assert_eq!((run.news(), run.status()), (vec!["accepted".into(), "done a".into()], Status::Paused));
    assert!(run.rests());
    run.resume();
    assert_eq!(run.news(), ["accepted", "begin b"]);
    assert_eq!(run.status(), Status::Running);
}

#[test]
fn values_are_not_worked_out_either() {
    let mut run = Story::of(json!({ "a": step(&[], json!({})), "v": { "value": "${ .steps.a }" } }));
    run.pause();
    run.answers("a", 200);
    assert_eq!(run.news().last().unwrap(), "done a");
    run.resume();
    assert_eq!(run.news(), ["accepted", "done v", "COMPLETED"]);
}

#[test]
fn retries_wait_for_the_resume() {
    let mut run = Story::of(json!({ "a": step(&[], json!({})) }));
    run.answers("a", 503);
    run.pause();
    assert!(run.rests(), "no timer of a paused run is set");
    run.sleep(Duration::from_mins(1));
    run.crashes();
    assert!(run.rests());
    run.news();
    run.resume();
    assert_eq!(run.wait(), "0s");
    assert_eq!(run.news(), ["accepted", "again a 2"]);
}

#[test]
fn a_timer_that_fires_with_the_pause_begins_nothing() {
    let mut run = Story::of(json!({ "a": step(&[], json!({})) }));
    run.answers("a", 503);
    run.news();
    run.sleep(Duration::from_mins(1));
    run.demands("pause", Demand::Pause);
    run.fire();
    run.turn();
    assert_eq!(run.news(), ["accepted"]);
    run.fires_early("a");
    assert_eq!(run.news(), [""; 0], "one that comes late");
    run.resume();
    run.wait();
    assert_eq!(run.news(), ["accepted", "again a 2"]);
}

#[test]
fn a_failure_stops_a_paused_run_and_nothing_is_undone_yet() {
    let mut run = Story::of(json!({ "a": undoable(&[], json!({})), "b": step(&["a"], json!({})) }));
    run.answers("a", 200);
    run.pause();
    run.news();
    run.answers("b", 422);
    assert_eq!(run.news(), ["fail b none", "stop by b"]);
    assert_eq!(run.status(), Status::Paused);
    assert!(run.rests());
    run.resume();
    run.undo_answers("a", 503);
    assert_eq!(run.news(), ["accepted", "undo a", "undo retry a 200ms"]);
    run.pause();
    assert!(run.rests(), "an undoing is not tried again");
    run.resume();
    run.wait();
    run.undo_answers("a", 200);
    assert_eq!(run.news(), ["accepted", "accepted", "undo again a 2", "undone a", "COMPENSATED"]);
}

#[test]
fn an_undoing_at_once_waits_too() {
    let steps = json!({ "a": undoable(&[], json!({ "optional": true })), "b": step(&["a"], json!({})) });
    let mut run = Story::of(steps);
    run.pause();
    run.answers("a", 302);
    assert_eq!(run.news()[2..], ["accepted", "forgive a unknown"]);
    run.resume();
    run.undo_answers("a", 200);
    assert_eq!(run.news(), ["accepted", "undo a", "undone a", "begin b"]);
}

#[test]
fn steps_of_on_failure_wait_too() {
    let more = json!({ "on_failure": { "tell": step(&[], json!({})) } });
    let mut run = Story::with(json!({ "a": step(&[], json!({})) }), more);
    run.pause();
    run.answers("a", 422);
    assert_eq!(run.news()[2..], ["accepted", "fail a none", "stop by a"]);
    assert_eq!(run.status(), Status::Paused);
    run.resume();
    assert_eq!(run.news(), ["accepted", "begin tell"]);
}

#[test]
fn a_retry_by_an_operator_waits_parked() {
    let mut run = Story::of(json!({ "a": undoable(&[], json!({ "on_unknown": "stuck" })) }));
    run.answers("a", 302);
    run.pause();
    run.news();
    assert_eq!(run.resolve("a", Resolution::Retry), "accepted");
    assert_eq!(run.news(), ["accepted", "again a 2"]);
    assert_eq!((run.times_sent("a", Side::Forward), run.status()), (1, Status::Paused));
    run.crashes();
    assert_eq!(run.news(), [""; 0], "it was not sent, so it was not cut off");
    run.resume();
    assert_eq!((run.times_sent("a", Side::Forward), run.last_sent("a", Side::Forward).attempt), (2, 2));
    assert_eq!(run.resolve("a", Resolution::Retry), "refused NOT_STUCK");
}

#[test]
fn an_undoing_that_an_operator_retries_waits_parked() {
    let mut run = Story::of(json!({ "a": undoable(&[], json!({})) }));
    run.answers("a", 302);
    run.undo_answers("a", 422);
    run.pause();
    run.news();
    let key = run.last_sent("a", Side::Compensation).key.clone();
    run.resolve("a", Resolution::Retry);
    assert_eq!((run.news(), run.rests()), (vec!["accepted".into(), "undo a".into()], true));
    run.resume();
    assert_ne!(run.last_sent("a", Side::Compensation).key, key, "it did nothing, so it goes out under a new key");
    run.undo_answers("a", 200);
    assert_eq!(run.news(), ["accepted", "undone a", "COMPENSATED"]);
}

#[test]
fn what_an_operator_settles_is_recorded() {
    let mut run = Story::of(json!({ "a": step(&[], json!({ "on_unknown": "stuck" })), "b": step(&["a"], json!({})) }));
    run.answers("a", 302);
    run.pause();
    run.news();
    run.resolve("a", Resolution::Done);
    assert_eq!(run.news(), ["accepted", "done a"]);
    run.resume();
    assert_eq!(run.news(), ["accepted", "begin b"]);
}

#[test]
fn what_a_crash_cut_off_is_made_again_at_the_resume() {
    let mut run = Story::of(json!({ "a": step(&[], json!({})) }));
    let first = run.last_sent("a", Side::Forward).clone();
    run.pause();
    run.news();
    run.crashes();
    run.crashes();
    assert_eq!((run.news(), run.rests()), (vec!["recovered a".into()], true));
    run.resume();
    let second = run.last_sent("a", Side::Forward);
    assert_eq!((second.attempt, second.call, &second.key), (2, first.call, &first.key));
}

#[test]
fn what_a_crash_cut_off_and_runs_at_most_once_is_not_made_again() {
    let once = json!({ "retry": { "max_attempts": 1 }, "compensate": { "retry": { "max_attempts": 1 } } });
    let mut run = Story::of(json!({ "a": undoable(&[], once) }));
    run.pause();
    run.news();
    run.crashes();
    assert_eq!(run.news(), ["recovered a", "fail a unknown", "stop by a"]);
    run.resume();
    run.pause();
    run.crashes();
    assert_eq!(run.news(), ["accepted", "undo a", "accepted", "recovered a", "undo stuck a"]);
    run.resume();
    assert_eq!((run.times_sent("a", Side::Forward), run.times_sent("a", Side::Compensation)), (1, 1));
}

#[test]
fn what_a_crash_cut_off_while_the_run_stops_is_not_made_again() {
    let mut run = Story::of(json!({ "a": undoable(&[], json!({})), "b": step(&[], json!({})) }));
    run.answers("b", 422);
    run.pause();
    run.news();
    run.crashes();
    assert_eq!(run.news(), ["recovered a", "fail a unknown"]);
    run.resume();
    assert_eq!(run.news(), ["accepted", "undo a"]);
}

#[test]
fn a_stop_withdraws_what_is_parked() {
    let steps = json!({ "a": undoable(&[], json!({ "on_unknown": "stuck" })), "b": step(&[], json!({})) });
    let mut run = Story::of(steps);
    run.answers("a", 302);
    run.pause();
    run.resolve("a", Resolution::Retry);
    run.news();
    run.answers("b", 422);
    assert_eq!(run.news(), ["fail b none", "stop by b", "fail a unknown"]);
    assert_eq!(run.times_sent("a", Side::Forward), 1);
}

#[test]
fn results_in_flight_may_end_the_run() {
    for (status, news, end) in [
        (200, vec!["done a", "COMPLETED"], Status::Completed),
        (422, vec!["fail a none", "stop by a", "FAILED"], Status::Failed),
    ] {
        let mut run = Story::of(json!({ "a": step(&[], json!({})) }));
        run.pause();
        run.news();
        run.answers("a", status);
        assert_eq!((run.news(), run.status()), (news.into_iter().map(str::to_owned).collect(), end));
    }
}

#[test]
fn the_timeout_of_the_run_waits_for_the_resume() {
    let mut run = Story::with(json!({ "a": step(&[], json!({})) }), json!({ "timeout": "1m" }));
    run.demands("pause", Demand::Pause);
    run.sleep(Duration::from_mins(2));
    run.fire();
    run.turn();
    assert_eq!(run.news(), ["start", "begin a", "accepted"]);
    run.resume();
    assert_eq!(run.wait(), "0s");
    assert_eq!(run.news(), ["accepted", "stop by timeout"]);
}

#[test]
fn a_step_that_fails_while_the_timeout_waits_is_the_cause() {
    let mut run = Story::with(json!({ "a": step(&[], json!({})) }), json!({ "timeout": "1m" }));
    run.pause();
    run.sleep(Duration::from_mins(2));
    run.answers("a", 422);
    assert_eq!(run.news()[2..], ["accepted", "fail a none", "stop by a", "FAILED"]);
}

#[test]
fn stuck_as_a_whole_and_paused_it_takes_both_words_in_either_order() {
    for paused_first in [true, false] {
        let mut run = Story::of(json!({ "a": step(&[], json!({})), "b": step(&[], json!({})) }));
        if paused_first {
            run.pause();
        }
        run.lacks_secret("a", Side::Forward);
        run.turn();
        if !paused_first {
            run.pause();
        }
        run.answers("b", 200);
        assert_eq!(run.status(), Status::Paused);
        if paused_first {
            run.resume();
            assert_eq!((run.rests(), run.status()), (true, Status::Stuck));
            run.unstick();
        } else {
            run.unstick();
            assert_eq!((run.rests(), run.status()), (true, Status::Paused));
            run.resume();
        }
        let sent = run.last_sent("a", Side::Forward);
        assert_eq!((sent.attempt, run.times_sent("a", Side::Forward), run.status()), (1, 2, Status::Running));
    }
}

#[test]
fn what_could_not_be_sent_while_paused_is_sent_after_both_words() {
    let mut run = Story::of(json!({ "a": undoable(&[], json!({ "on_unknown": "stuck" })), "b": step(&[], json!({})) }));
    run.answers("a", 302);
    run.pause();
    run.resolve("a", Resolution::Retry);
    run.lacks_secret("b", Side::Forward);
    run.turn();
    run.resume();
    assert_eq!((run.times_sent("a", Side::Forward), run.status()), (1, Status::Stuck));
    run.unstick();
    assert_eq!((run.times_sent("a", Side::Forward), run.times_sent("b", Side::Forward)), (2, 2));
}

#[test]
fn pause_and_resume_in_one_turn_change_nothing() {
    let mut run = Story::of(json!({ "a": step(&[], json!({})), "b": step(&["a"], json!({})) }));
    run.news();
    run.demands("1", Demand::Pause);
    run.ends("a", Side::Forward, answered(200, &json!(null)));
    run.demands("2", Demand::Resume);
    run.turn();
    assert_eq!(run.news(), ["accepted", "done a", "accepted", "begin b"]);
    assert_eq!(run.times_sent("b", Side::Forward), 1);
}
