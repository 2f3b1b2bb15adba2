//! What an attempt's end says, and what follows from it.

use std::time::Duration;

use engine_core::id::Side;
use engine_core::machine::{Answered, AttemptOutcome, Body};
use serde_json::{Value, json};

use super::kit::{Story, answered, lost, step, undoable};

/// What one step makes of an attempt that ends so.
fn first_word(outcome: AttemptOutcome, more: Value) -> String {
    let mut run = Story::of(json!({ "a": step(&[], more) }));
    run.news();
    run.ends("a", Side::Forward, outcome);
    run.turn();
    run.news().swap_remove(0)
}

fn body(status: u16, content_type: &str, text: &str) -> AttemptOutcome {
    let headers = vec![("content-type".to_owned(), content_type.to_owned())];
    let body = Body::Whole(text.as_bytes().into());
    AttemptOutcome::Answered(Answered { status, retry_after: None, headers, body })
}

#[test]
fn the_table() {
    let keyed = || json!({ "http": { "service": "keyed" } });
    let expects = |effect: &str| json!({ "expect": { "that": "${ .output.ok }", "effect": effect } });
    let (null, refused) = (json!(null), json!({ "ok": false }));
    let table = [
        (answered(200, &null), json!({}), "done a"),
        (answered(204, &null), json!({}), "done a"),
        (AttemptOutcome::NotSent { message: String::new() }, json!({}), "retry a none 200ms"),
        (AttemptOutcome::Unsendable { message: String::new() }, json!({}), "fail a none"),
        (answered(408, &null), json!({}), "retry a none 200ms"),
        (answered(425, &null), json!({}), "retry a none 200ms"),
        (answered(429, &null), json!({}), "retry a none 200ms"),
        (answered(409, &null), json!({}), "retry a unknown 200ms"),
        (answered(409, &null), keyed(), "retry a unknown 10s"),
        (answered(422, &null), json!({}), "fail a none"),
        (answered(302, &null), json!({}), "fail a unknown"),
        (answered(500, &null), json!({}), "retry a unknown 200ms"),
        (lost(), json!({}), "retry a unknown 200ms"),
        (body(200, "application/json", "{"), json!({}), "fail a unknown"),
        (body(200, "text/plain; charset=utf-8", "hello"), json!({}), "done a"),
        (body(200, "image/png", "…"), json!({}), "fail a unknown"),
        (body(200, "image/png", "…"), json!({ "output": "response" }), "done a"),
        (body(200, "application/json", ""), json!({}), "done a"),
        (answered(200, &refused), expects("unknown"), "fail a unknown"),
        (answered(200, &refused), expects("none"), "fail a none"),
        (answered(200, &refused), expects("done"), "fail a done"),
        (answered(200, &null), expects("none"), "fail a none"),
        (answered(200, &json!({ "ok": "yes" })), expects("unknown"), "fail a unknown"),
        (answered(200, &json!({ "ok": "yes" })), expects("none"), "fail a none"),
        (answered(200, &null), json!({ "output": "${ .output + 1 | length + {} }" }), "fail a unknown"),
        (answered(404, &null), json!({ "http": { "classify": { "404": "success" } } }), "done a"),
        (
            answered(500, &null),
            json!({ "http": { "classify": { "500": { "retry": false, "effect": "none" } } } }),
            "fail a none",
        ),
    ];
    for (outcome, more, word) in table {
        assert_eq!(first_word(outcome.clone(), more.clone()), word, "{outcome:?} {more}");
    }
    let large = Answered { status: 200, retry_after: None, headers: Vec::new(), body: Body::TooLarge { limit: 9 } };
    assert_eq!(first_word(AttemptOutcome::Answered(large), json!({})), "fail a unknown");
}

#[test]
fn what_the_callee_asks_to_wait_is_waited() {
    let outcome = |seconds| match answered(503, &json!(null)) {
        AttemptOutcome::Answered(answered) => {
            AttemptOutcome::Answered(Answered { retry_after: Some(Duration::from_secs(seconds)), ..answered })
        }
        other => other,
    };
    assert_eq!(first_word(outcome(3), json!({})), "retry a unknown 3s");
    // Longer than the step may take in all.
    assert_eq!(first_word(outcome(300), json!({})), "fail a unknown");
}

#[test]
fn a_request_in_work_does_not_count_and_ends_by_time() {
    let mut run = Story::of(json!({ "a": step(&[], json!({ "http": { "service": "keyed" } })) }));
    run.news();
    let mut waits = 0;
    while run.state().end.is_none() {
        run.answers("a", 409);
        if run.state().end.is_none() {
            assert_eq!(run.wait(), "10s");
            waits += 1;
        }
    }
    // Within the two minutes of the default policy.
    assert_eq!(waits, 12);
    assert_eq!(run.news().last().unwrap(), "FAILED");
}

#[test]
fn an_unknown_effect_stays_unknown() {
    let mut run = Story::of(json!({ "a": undoable(&[], json!({})) }));
    run.answers("a", 500);
    run.wait();
    run.answers("a", 422);
    assert_eq!(
        run.news(),
        ["start", "begin a", "retry a unknown 200ms", "again a 2", "fail a unknown", "stop by a", "undo a"]
    );
}

#[test]
fn a_later_429_does_not_make_it_none() {
    let mut run = Story::of(json!({ "a": undoable(&[], json!({ "retry": { "max_attempts": 3 } })) }));
    run.answers("a", 500);
    run.wait();
    run.news();
    run.answers("a", 429);
    assert_eq!(run.news(), ["retry a unknown 400ms"]);
}

#[test]
fn a_service_that_honours_keys_settles_it_by_a_definite_refusal() {
    let keyed = json!({ "http": { "service": "keyed" } });
    let mut run = Story::of(json!({ "a": undoable(&[], keyed.clone()) }));
    run.answers("a", 500);
    run.wait();
    run.answers("a", 422);
    assert_eq!(run.news()[4..], ["fail a none", "stop by a", "FAILED"]);
    // A gateway that refuses an attempt never looked at its key: what the one before did is as unknown as it was.
    let mut run = Story::of(json!({ "a": undoable(&[], keyed.clone()) }));
    run.answers("a", 500);
    run.wait();
    run.answers("a", 403);
    assert_eq!(run.news()[4..], ["fail a unknown", "stop by a", "undo a"]);
    // Something that says nothing of what the key did settles nothing.
    let mut run = Story::of(json!({ "a": undoable(&[], keyed) }));
    run.answers("a", 500);
    run.wait();
    run.ends("a", Side::Forward, AttemptOutcome::Unsendable { message: String::new() });
    run.turn();
    assert_eq!(run.news()[4..], ["fail a unknown", "stop by a", "undo a"]);
}

#[test]
fn a_body_that_could_be_read_is_there_for_the_compensation() {
    let more = json!({
        "expect": { "that": "${ .output.ok }" },
        "compensate": { "http": { "body": { "id": "${ .steps.a.id }", "of": "${ .forward.effect }" } } }
    });
    let mut run = Story::of(json!({ "a": undoable(&[], more) }));
    run.answers_with("a", 200, &json!({ "ok": false, "id": 7 }));
    assert_eq!(run.rendered("a", Side::Compensation), json!({ "id": 7, "of": "unknown" }));
}

#[test]
fn all_attempts_send_the_same() {
    let mut run = Story::of(json!({ "a": step(&[], json!({ "http": { "body": "${ .key }" } })) }));
    let first = run.last_sent("a", Side::Forward).clone();
    assert_eq!(run.rendered("a", Side::Forward), json!(first.key.as_str()));
    run.answers("a", 500);
    run.wait();
    let second = run.last_sent("a", Side::Forward);
    assert_eq!((second.attempt, second.call, &second.key), (2, first.call, &first.key));
}

#[test]
fn a_timer_that_comes_too_early_is_set_again() {
    let mut run = Story::of(json!({ "a": step(&[], json!({})) }));
    run.answers("a", 500);
    run.news();
    run.fires_early("a");
    assert_eq!(run.news(), [""; 0]);
    assert_eq!(run.wait(), "200ms");
    // One that comes too late does not send anything twice.
    run.fires_early("a");
    assert_eq!((run.news(), run.times_sent("a", Side::Forward)), (vec!["again a 2".to_owned()], 2));
}

#[test]
fn late_results_are_dropped() {
    let mut run = Story::of(json!({ "a": step(&[], json!({})) }));
    run.answers("a", 500);
    run.wait();
    run.news();
    let late = |attempt| engine_core::machine::Input::AttemptEnded {
        step: "a".into(),
        side: Side::Forward,
        attempt,
        outcome: answered(200, &json!(null)),
    };
    run.machine.push(late(1));
    run.machine.push(late(3));
    run.turn();
    assert_eq!(run.news(), [""; 0]);
}
