//! Runs that somebody asks for something on the way; the process dies at every write.

use std::time::Duration;

use engine_core::event::{CancelCause, Event};
use engine_core::request::{Answer, Demand, Resolution};
use engine_core::state::Status;
use engine_testkit::{Act, Behaviour, Point, Report, Script, Simulator};
use serde_json::json;

use crate::operators::{assert_ends, mended};
use crate::shop::{Net, Saga, all_well, failed, left, saga, services, unchanged};
use crate::table::record_lost;

fn but(path: &str, behaviour: Behaviour) -> Script {
    services().with(path, |endpoint| endpoint.then(behaviour))
}

/// The case ends so, wherever its process dies; when it does not die, the acts are answered so.
fn assert_goes(saga: Saga, status: Status, net: &Net, answers: &[&str]) -> [Report; 2] {
    let name = saga.name().to_owned();
    let reports = assert_ends(saga, status, net);
    for report in &reports {
        let given: Vec<&str> = report.answers.values().map(word).collect();
        assert_eq!(given, answers, "{name}");
    }
    reports
}

fn word(answer: &Answer) -> &str {
    match answer {
        Answer::Accepted => "accepted",
        Answer::NoOp => "no-op",
        Answer::Held => "held",
        Answer::Refused { code, .. } => code,
    }
}

fn cause(report: &Report) -> Option<CancelCause> {
    report.history.iter().find_map(|recorded| match &recorded.event {
        Event::RunCancelled { cause, .. } => Some(*cause),
        _ => None,
    })
}

fn minutes(minutes: u64) -> Duration {
    Duration::from_mins(minutes)
}

#[test]
fn a_cancel_undoes_what_is_in_flight() {
    let case = saga("cancel", services(), unchanged).at(Point::in_flight("charge"), Act::cancel());
    for report in assert_goes(case, Status::Cancelled, &failed(), &["accepted"]) {
        assert_eq!(cause(&report), Some(CancelCause::Cancelled));
        assert_eq!(report.requests_to("payment/refund").len(), 1);
    }
}

#[test]
fn a_cancel_ends_a_back_off() {
    let flaky = but("payment/process", Behaviour::FailThoughDone(503));
    let case = saga("cancel in back-off", flaky, unchanged).at(Point::waiting("charge"), Act::cancel());
    for report in assert_goes(case, Status::Cancelled, &failed(), &["accepted"]) {
        assert_eq!(report.requests_to("payment/process").len(), 1, "nothing is tried again");
    }
}

#[test]
fn a_cancel_while_the_pivot_is_in_flight_is_refused_once_it_is_done() {
    let case = saga("cancel at the pivot", services(), unchanged).at(Point::in_flight("create_record"), Act::cancel());
    for report in assert_goes(case, Status::Completed, &all_well(), &["held"]) {
        let refused = |event: &Event| matches!(event, Event::RequestSettled { answer: Answer::Refused { .. }, .. });
        assert_eq!(report.count(refused), 1);
    }
}

#[test]
fn a_cancel_while_the_pivot_is_in_flight_is_carried_out_once_it_is_refused() {
    let slow = services().with("order/create", |endpoint| endpoint.then(Behaviour::Refuse(422)));
    let case = saga("cancel at a refused pivot", slow, unchanged).at(Point::in_flight("create_record"), Act::cancel());
    assert_goes(case, Status::Cancelled, &failed(), &["held"]);
}

#[test]
fn a_cancel_of_a_run_stuck_at_its_pivot_waits_for_the_operator() {
    let case = record_lost("cancel at a stuck pivot")
        .at(Point::AtRest, Act::cancel())
        .at(Point::AtRest, Act::resolve("create_record", Resolution::Fail));
    assert_goes(case, Status::Cancelled, &failed(), &["held", "accepted"]);
}

#[test]
fn a_cancel_past_the_pivot_is_refused() {
    let past = Point::Completed("create_record".into());
    let case = saga("cancel past the pivot", services(), unchanged).at(past, Act::cancel());
    assert_goes(case, Status::Completed, &all_well(), &["PIVOT_DONE"]);
}

#[test]
fn a_cancel_of_a_run_that_stops_changes_nothing() {
    let refused = but("inventory/update", Behaviour::Refuse(422));
    let stops = Point::Recorded(|event| matches!(event, Event::StopBegan { .. }));
    let case = saga("cancel while stopping", refused, unchanged).at(stops, Act::cancel());
    assert_goes(case, Status::Compensated, &failed(), &["no-op"]);
}

#[test]
fn a_terminated_run_leaves_what_was_in_flight() {
    let case = saga("terminate", services(), unchanged).at(Point::in_flight("charge"), Act::terminate());
    for report in assert_goes(case, Status::Cancelled, &left(&["payment/process"]), &["accepted"]) {
        assert_eq!(cause(&report), Some(CancelCause::Terminated));
        let names_it =
            |event: &Event| matches!(event, Event::RunCancelled { residue, .. } if *residue == ["charge".into()]);
        assert_eq!(report.count(names_it), 1);
    }
}

#[test]
fn a_run_that_is_undone_can_be_terminated() {
    let refused = but("inventory/update", Behaviour::Refuse(422))
        .with("payment/refund", |endpoint| endpoint.then(Behaviour::CutBefore));
    let case =
        saga("terminate while undoing", refused, unchanged).at(Point::Undoing("charge".into()), Act::terminate());
    assert_goes(case, Status::Cancelled, &left(&["payment/process"]), &["accepted"]);
}

#[test]
fn a_paused_run_begins_nothing_until_it_is_resumed() {
    let flaky = services().with("payment/process", |endpoint| endpoint.first(1, Behaviour::Fail(503)));
    let case = saga("pause in back-off", flaky, unchanged)
        .at(Point::waiting("charge"), Act::Ask(Demand::Pause))
        .at(Point::Begun, Act::Wait(minutes(10)))
        .at(Point::Begun, Act::Ask(Demand::Resume));
    for report in assert_goes(case, Status::Completed, &all_well(), &["accepted", "accepted"]) {
        let requests = report.requests_to("payment/process");
        assert_eq!(requests.len(), 2);
        assert!(requests[1].at.since(requests[0].at) >= minutes(10), "the retry waited for the end of the pause");
    }
}

#[test]
fn what_is_in_flight_ends_while_the_run_is_paused() {
    let case = saga("pause in flight", services(), unchanged)
        .at(Point::in_flight("charge"), Act::Ask(Demand::Pause))
        .at(Point::AtRest, Act::Wait(minutes(10)))
        .at(Point::AtRest, Act::Ask(Demand::Resume));
    for report in assert_goes(case, Status::Completed, &all_well(), &["accepted", "accepted"]) {
        let (charged, taken) = (&report.requests_to("payment/process")[0], &report.requests_to("inventory/update")[0]);
        assert!(taken.at.since(charged.at) >= minutes(10));
    }
}

#[test]
fn undoing_waits_while_the_run_is_paused() {
    let refused = but("order/create", Behaviour::Refuse(422));
    let case = saga("pause while undoing", refused, unchanged)
        .at(Point::Undoing("update_inventory".into()), Act::Ask(Demand::Pause))
        .at(Point::AtRest, Act::Wait(minutes(10)))
        .at(Point::AtRest, Act::Ask(Demand::Resume));
    for report in assert_goes(case, Status::Compensated, &failed(), &["accepted", "accepted"]) {
        let (released, refunded) =
            (&report.requests_to("inventory/release")[0], &report.requests_to("payment/refund")[0]);
        assert!(refunded.at.since(released.at) >= minutes(10));
    }
}

#[test]
fn a_cancel_lifts_a_pause() {
    let case = saga("cancel while paused", services(), unchanged)
        .at(Point::in_flight("charge"), Act::Ask(Demand::Pause))
        .at(Point::AtRest, Act::cancel());
    assert_goes(case, Status::Cancelled, &failed(), &["accepted", "accepted"]);
}

#[test]
fn a_paused_run_can_be_terminated() {
    let case = saga("terminate while paused", services(), unchanged)
        .at(Point::in_flight("update_inventory"), Act::Ask(Demand::Pause))
        .at(Point::AtRest, Act::terminate());
    assert_goes(case, Status::Cancelled, &left(&["payment/process", "inventory/update"]), &["accepted", "accepted"]);
}

#[test]
fn signals_are_kept_and_recorded_once() {
    let case = saga("signals", services(), unchanged)
        .at(Point::Begun, Act::signal("approved", &json!({ "by": "ann" })))
        .at(Point::in_flight("charge"), Act::signal("approved", &json!({ "by": "bob" })))
        .at(Point::AtRest, Act::signal("approved", &json!("too late")));
    for report in assert_goes(case, Status::Completed, &all_well(), &["accepted", "accepted", "ENDED"]) {
        assert_eq!(report.count(|event| matches!(event, Event::RequestAnswered { payload: Some(_), .. })), 2);
    }
}

/// The stock is refused, all is undone; then it is mended and the order is carried out anew from the charge on.
fn rerun(name: &str) -> Saga {
    saga(name, but("inventory/update", Behaviour::Refuse(422)), unchanged)
        .at(Point::AtRest, mended("inventory/update"))
        .at(Point::AtRest, Act::rerun("charge"))
}

#[test]
fn a_failed_run_is_carried_out_anew_from_a_step_on() {
    // The error of the first run was sent, and so was the confirmation of the second.
    let mut net = all_well();
    net.insert("order/orders/*/mark_failed".to_owned(), 1);
    net.insert("notification/send".to_owned(), 2);
    for report in assert_goes(rerun("rerun"), Status::Completed, &net, &["accepted"]) {
        assert_eq!(report.earlier.len(), 1);
        assert_eq!(report.requests_to("user/users/*/validate").len(), 1, "what came before was carried");
        assert_eq!(report.count(|event| matches!(event, Event::StepCarried { .. })), 3);
    }
}

#[test]
fn nothing_is_built_on_what_was_undone() {
    let case = saga("rerun from too late", but("order/create", Behaviour::Refuse(422)), unchanged)
        .at(Point::AtRest, Act::rerun("create_record"));
    assert_goes(case, Status::Compensated, &failed(), &["UNDONE"]);
}

#[test]
fn an_open_run_is_neither_rerun_nor_deleted() {
    let case = saga("too early", services(), unchanged)
        .at(Point::in_flight("charge"), Act::rerun("charge"))
        .at(Point::in_flight("charge"), Act::Ask(Demand::Delete));
    assert_goes(case, Status::Completed, &all_well(), &["OPEN", "OPEN"]);
}

#[test]
fn an_ended_run_is_deleted() {
    let saga = saga("delete", services(), unchanged).at(Point::AtRest, Act::Ask(Demand::Delete));
    for case in saga.both() {
        let sweep = Simulator::new(case).crash_at_every_write();
        let outcome = &sweep.undisturbed().outcome;
        assert_eq!((outcome.status, &outcome.net), (None, &all_well()));
        sweep.assert_same_outcome();
    }
}
