//! The cases of the order saga: what goes wrong, how the run ends, and what is left in the world.

use std::time::Duration;

use engine_core::event::Event;
use engine_core::state::Status;
use engine_testkit::{Behaviour, Endpoint, Report, Script};
use serde_json::json;

use crate::shop::{Net, Saga, all_well, failed, left, saga, services, unchanged};

/// A case and what must come of it.
pub(crate) struct Expected {
    pub(crate) saga: Saga,
    pub(crate) status: Status,
    pub(crate) net: Net,
    /// What else must hold after an undisturbed run.
    pub(crate) check: fn(&Report),
}

fn expect(saga: Saga, status: Status, net: Net, check: fn(&Report)) -> Expected {
    Expected { saga, status, net, check }
}

fn no_more(_: &Report) {}

/// The services, but this endpoint does this with every request.
fn but(path: &str, behaviour: Behaviour) -> Script {
    services().with(path, |endpoint| endpoint.then(behaviour))
}

/// The services, but this endpoint does this with its first requests.
fn but_first(path: &str, times: usize, behaviour: Behaviour) -> Script {
    services().with(path, |endpoint| endpoint.first(times, behaviour))
}

fn codes(report: &Report) -> Vec<String> {
    let failures = report.history.iter().filter_map(|recorded| match &recorded.event {
        Event::StepFailed { failure, fatal: true, .. } => Some(failure.code.clone()),
        _ => None,
    });
    failures.collect()
}

fn assert_never_called(report: &Report, endpoint: &str) {
    assert_eq!(report.requests_to(endpoint), Vec::<&_>::new(), "{endpoint} was called");
}

/// The first request to one endpoint came before the first to another.
fn assert_before(report: &Report, first: &str, then: &str) {
    assert!(report.requests_to(first)[0].at < report.requests_to(then)[0].at, "{first} before {then}");
}

/// Every case.
pub(crate) fn cases() -> Vec<Expected> {
    let mut cases = completed();
    cases.extend(refused());
    cases.extend(undone());
    cases.extend(stuck());
    cases
}

/// The case of this name.
pub(crate) fn case(name: &str) -> Expected {
    cases().into_iter().find(|expected| expected.saga.name() == name).unwrap()
}

fn completed() -> Vec<Expected> {
    let second = Duration::from_secs(1);
    vec![
        expect(saga("all well", services(), unchanged), Status::Completed, all_well(), |report| {
            let output = report.output().unwrap();
            assert_eq!((&output["status"], &output["order_id"]), (&json!("completed"), &json!("order-1001")));
            assert_eq!(output["transaction_id"], "txn_1");
        }),
        expect(
            saga("charge flaky", but_first("payment/process", 2, Behaviour::Fail(503)), unchanged),
            Status::Completed,
            all_well(),
            |report| assert_eq!(report.requests_to("payment/process").len(), 3),
        ),
        expect(
            saga(
                "charge late, its key in work after a crash",
                but_first("payment/process", 1, Behaviour::Late(second)),
                unchanged,
            ),
            Status::Completed,
            all_well(),
            |report| assert_eq!(report.requests_to("payment/process").len(), 1),
        ),
        expect(
            saga("charge throttled", but_first("payment/process", 1, Behaviour::Throttle(second)), unchanged),
            Status::Completed,
            all_well(),
            |report| {
                let requests = report.requests_to("payment/process");
                assert!(requests[1].at.since(requests[0].at) >= Duration::from_secs(1), "it waited as it was asked to");
            },
        ),
        expect(
            saga("confirmation down", but("notification/send", Behaviour::Fail(500)), unchanged),
            Status::Completed,
            left(&["payment/process", "inventory/update", "order/create", "analytics/track"]),
            |report| assert_eq!(codes(report), [""; 0]),
        ),
    ]
}

fn refused() -> Vec<Expected> {
    let invalid = || Behaviour::Say(json!({ "valid": false }));
    let short = Behaviour::Say(json!({ "all_available": false, "unavailable_items": ["missing_1"] }));
    let fails_with = |name, path, behaviour, check| {
        expect(saga(name, but(path, behaviour), unchanged), Status::Failed, failed(), check)
    };
    let together = ["user/users/*/validate", "payment/validate"].into_iter().fold(services(), |services, path| {
        services.with(path, |endpoint: Endpoint| endpoint.takes(Duration::from_millis(10)).then(invalid()))
    });
    vec![
        fails_with("user invalid", "user/users/*/validate", invalid(), |report| {
            assert_eq!(codes(report), ["USER_INVALID"]);
            assert_never_called(report, "payment/process");
        }),
        fails_with("payment method refused", "payment/validate", invalid(), |report| {
            assert_eq!(codes(report), ["PAYMENT_METHOD_REFUSED"]);
            assert_never_called(report, "payment/process");
        }),
        fails_with("out of stock", "inventory/check", short, |report| {
            assert_eq!(codes(report), ["OUT_OF_STOCK"]);
            assert_never_called(report, "payment/process");
        }),
        expect(saga("two validations fail together", together, unchanged), Status::Failed, failed(), |report| {
            let mut codes = codes(report);
            codes.sort_unstable();
            assert_eq!(codes, ["PAYMENT_METHOD_REFUSED", "USER_INVALID"]);
        }),
        fails_with("charge declined", "payment/process", Behaviour::Refuse(402), |report| {
            assert_eq!(codes(report), ["HTTP_402"]);
            assert_never_called(report, "payment/refund");
        }),
        fails_with("charge unreachable", "payment/process", Behaviour::Unreachable, |report| {
            assert_eq!(codes(report), ["NO_CONNECTION"]);
            assert_never_called(report, "payment/refund");
        }),
    ]
}

fn undone() -> Vec<Expected> {
    let compensated =
        |name, services, check| expect(saga(name, services, unchanged), Status::Compensated, failed(), check);
    let flaky = but("inventory/update", Behaviour::Refuse(422))
        .with("payment/refund", |endpoint| endpoint.first(5, Behaviour::Fail(503)));
    vec![
        compensated("charge unknown", but("payment/process", Behaviour::CutAfter), |report| {
            assert!(report.requests_to("payment/refund")[0].body.contains(r#""transaction_id":null"#));
        }),
        expect(late_charge("late charge, fenced", services()), Status::Compensated, failed(), no_more),
        compensated("stock update refused", but("inventory/update", Behaviour::Refuse(422)), |report| {
            assert_eq!(report.requests_to("payment/refund").len(), 1);
            assert_never_called(report, "inventory/release");
        }),
        compensated(
            "stock update fails although stock was taken",
            but("inventory/update", Behaviour::FailThoughDone(500)),
            |report| assert_before(report, "inventory/release", "payment/refund"),
        ),
        compensated("refund flaky", flaky, |report| assert_eq!(report.requests_to("payment/refund").len(), 6)),
        compensated("record refused", but("order/create", Behaviour::Refuse(422)), |report| {
            assert_before(report, "inventory/release", "payment/refund");
        }),
        expect(
            saga("run timeout", but("payment/process", Behaviour::SucceedAfter(Duration::from_secs(2))), |file| {
                file["timeout"] = json!("600ms");
                file["steps"]["charge"]["timeout"] = json!("900ms");
            }),
            Status::Cancelled,
            failed(),
            no_more,
        ),
    ]
}

/// A charge that happens after the engine gave up, and is not asked for again.
pub(crate) fn late_charge(name: &str, services: Script) -> Saga {
    let late = Behaviour::Late(Duration::from_millis(1_500));
    saga(name, services.with("payment/process", |endpoint| endpoint.then(late)), |file| {
        file["steps"]["charge"]["timeout"] = json!("200ms");
        file["steps"]["charge"]["retry"] = json!({ "max_attempts": 1 });
    })
}

fn stuck() -> Vec<Expected> {
    vec![
        expect(refund_refused("refund refused"), Status::Stuck, left(&["payment/process"]), |report| {
            assert_eq!(report.count(|event| matches!(event, Event::CompensationFailed { .. })), 1);
        }),
        expect(
            record_unknown("record unknown"),
            Status::Stuck,
            left(&["payment/process", "inventory/update", "order/create"]),
            |report| {
                assert_eq!(report.requests_to("order/create").len(), 4, "it was retried first");
                assert_never_called(report, "payment/refund");
                assert_never_called(report, "inventory/release");
            },
        ),
    ]
}

pub(crate) fn refund_refused(name: &str) -> Saga {
    let services = but("inventory/update", Behaviour::Refuse(422))
        .with("payment/refund", |endpoint| endpoint.then(Behaviour::Refuse(422)));
    saga(name, services, unchanged)
}

/// The record is made, and no answer ever comes.
pub(crate) fn record_unknown(name: &str) -> Saga {
    saga(name, but("order/create", Behaviour::CutAfter), unchanged)
}

/// The record is not made, and nobody can tell.
pub(crate) fn record_lost(name: &str) -> Saga {
    saga(name, but("order/create", Behaviour::CutBefore), unchanged)
}
