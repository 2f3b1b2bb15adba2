//! Runs that wait for an operator, who then says what to do; the process dies at every write.

use engine_core::request::Resolution;
use engine_core::state::Status;
use engine_testkit::{Act, Behaviour, Point, Report, Simulator};
use serde_json::json;

use crate::shop::{Net, Saga, all_well, failed, left};
use crate::table::{record_lost, record_unknown, refund_refused};

/// The case ends so, wherever its process dies. Gives what comes of it when its process does not die, as a file and in
/// Rust.
pub(crate) fn assert_ends(saga: Saga, status: Status, net: &Net) -> [Report; 2] {
    saga.both().map(|case| {
        let sweep = Simulator::new(case).crash_at_every_write();
        sweep.assert_same_outcome();
        let report = sweep.undisturbed().clone();
        assert_eq!((report.outcome.status, &report.outcome.net), (Some(status), net), "{report:?}");
        report
    })
}

pub(crate) fn mended(path: &str) -> Act {
    Act::Change(path.to_owned(), Behaviour::Succeed)
}

#[test]
fn a_refund_that_was_refused_is_tried_again() {
    let case = refund_refused("refund retried")
        .at(Point::AtRest, mended("payment/refund"))
        .at(Point::AtRest, Act::resolve("charge", Resolution::Retry));
    assert_ends(case, Status::Compensated, &failed());
}

#[test]
fn a_refund_that_was_given_by_hand_is_done() {
    let case = refund_refused("refund done by hand").at(Point::AtRest, Act::resolve("charge", Resolution::Done));
    let net = left(&["payment/process", "order/orders/*/mark_failed", "notification/send"]);
    assert_ends(case, Status::Compensated, &net);
}

#[test]
fn a_refund_that_is_given_up_is_residue() {
    let case = refund_refused("refund given up").at(Point::AtRest, Act::resolve("charge", Resolution::Skip));
    let net = left(&["payment/process", "order/orders/*/mark_failed", "notification/send"]);
    assert_ends(case, Status::Failed, &net);
}

#[test]
fn a_record_that_may_be_made_is_asked_for_again() {
    let case = record_unknown("record retried")
        .at(Point::AtRest, mended("order/create"))
        .at(Point::AtRest, Act::resolve("create_record", Resolution::Retry));
    assert_ends(case, Status::Completed, &all_well());
}

#[test]
fn a_record_that_was_made_is_done() {
    let output = json!({ "record_id": "rec_by_hand" });
    let case = record_unknown("record done").at(Point::AtRest, Act::resolve_done("create_record", &output));
    assert_ends(case, Status::Completed, &all_well());
}

#[test]
fn a_run_goes_on_without_its_record() {
    let case = record_unknown("record skipped").at(Point::AtRest, Act::resolve("create_record", Resolution::Skip));
    assert_ends(case, Status::Completed, &all_well());
}

#[test]
fn a_record_that_was_not_made_turns_the_run_back() {
    let case = record_lost("record failed").at(Point::AtRest, Act::resolve("create_record", Resolution::Fail));
    assert_ends(case, Status::Compensated, &failed());
}

#[test]
fn what_is_not_stuck_is_not_resolved() {
    let refused = Act::resolve("create_record", Resolution::Retry);
    let case = refund_refused("wrong step").at(Point::AtRest, refused);
    assert_ends(case, Status::Stuck, &left(&["payment/process"]));
}
