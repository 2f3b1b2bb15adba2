//! Signals are kept until a step waits for them; how many requests a run takes in.

use engine_core::bounds;
use engine_core::id::Name;
use engine_core::machine::answer_if_full;
use engine_core::payload::Payload;
use engine_core::request::Demand;
use engine_core::state::Status;
use serde_json::json;

use super::kit::{Story, step};
use super::words::answer_word;

fn signal(text: &str) -> Demand {
    Demand::Signal { name: Name::new("go"), payload: Payload::json(text.as_bytes()) }
}

fn flying() -> Story {
    let mut run = Story::of(json!({ "a": step(&[], json!({})) }));
    run.news();
    run
}

#[test]
fn they_are_kept_in_their_order() {
    let mut run = flying();
    let large = format!("\"{}\"", "x".repeat(3_000));
    for text in ["1", &large, "2"] {
        assert_eq!(run.demand(signal(text)), "accepted");
    }
    run.crashes();
    let kept: Vec<_> = run.state().signals.iter().map(|signal| signal.payload.small.as_deref()).collect();
    assert_eq!(kept, [Some(&b"1"[..]), None, Some(&b"2"[..])], "a large one is kept by reference");
    run.answers("a", 200);
    assert_eq!(run.status(), Status::Completed, "nothing waits for them");
}

#[test]
fn a_run_that_turned_back_has_no_use_for_them() {
    let more = json!({ "on_failure": { "tell": step(&[], json!({})) } });
    let mut run = Story::with(json!({ "a": step(&[], json!({})) }), more);
    run.answers("a", 422);
    assert_eq!((run.demand(signal("1")), run.state().signals.len()), ("no-op".to_owned(), 0));
}

#[test]
fn beyond_the_bound_they_are_refused() {
    let mut run = flying();
    for number in 0..bounds::SIGNALS {
        run.demands(&number.to_string(), signal("1"));
    }
    run.turn();
    assert_eq!((run.state().signals.len(), run.answer_to("999")), (bounds::SIGNALS, "accepted".into()));
    assert_eq!(run.demand(signal("1")), "refused SIGNALS_FULL");
    assert_eq!((run.state().signals.len(), run.pause()), (bounds::SIGNALS, "accepted".into()));
}

#[test]
fn a_run_that_answered_too_many_requests_takes_in_none_but_terminate() {
    let mut run = flying();
    for number in 0..bounds::REQUESTS {
        run.demands(&number.to_string(), Demand::Resume);
    }
    run.turn();
    assert_eq!(run.news().len(), bounds::REQUESTS);
    for demand in [Demand::Pause, signal("1"), Demand::Cancel { reason: None }, Demand::Delete] {
        let refusal = answer_if_full(run.state(), &demand).unwrap();
        assert_eq!(answer_word(&refusal), "refused TOO_MANY_REQUESTS");
        run.demands("more", demand);
    }
    run.turn();
    assert_eq!((run.news(), run.status()), (Vec::new(), Status::Running));
    assert_eq!(answer_if_full(run.state(), &Demand::Terminate { reason: None }), None);
    run.terminate();
    assert_eq!(run.news(), ["accepted", "fail a unknown", "CANCELLED"]);
}
