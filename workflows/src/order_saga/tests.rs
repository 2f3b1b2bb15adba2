use engine::RunError;
use engine::testing::{TestCall, TestEngine};
use engine_core::definition::{Definition, Step};

use super::*;

/// Services that say yes to everything. What a test says afterwards of a call replaces this.
fn all_well(t: &TestEngine) {
    t.service("user").on_post("/users/*/validate").reply(json!({ "valid": true }));
    t.service("inventory").on_post("/check").reply(json!({ "all_available": true }));
    t.service("payment").on_post("/validate").reply(json!({ "valid": true }));
    t.service("payment").on_post("/process").reply(json!({ "transaction_id": "txn_1" }));
    t.service("payment").on_post("/refund").reply(json!({ "refund_id": "rfd_1" }));
    t.service("inventory").on_post("/update").reply(json!({ "updated_items": [] }));
    t.service("inventory").on_post("/release").reply(json!({ "released_items": [] }));
    t.service("order").on_post("/create").reply(json!({ "record_id": "rec_1" }));
    t.service("order").on_post("/orders/*/mark_failed").reply(json!({ "marked": true }));
    t.service("notification").on_post("/send").reply(json!({ "notification_id": "ntf_1" }));
    t.service("analytics").on_post("/track").reply(json!({ "event_id": "evt_1" }));
}

/// Orders the example; whatever comes of it.
async fn order(t: &TestEngine) -> Result<Receipt, RunError> {
    t.start(&workflow().unwrap(), example()).id("order-1001").await.unwrap().result().await
}

/// What is left of the order, without the questions that were asked first.
fn left(effects: &[String]) -> Vec<&str> {
    let is_question = |effect: &&str| effect.ends_with("validate") || effect.ends_with("check");
    effects.iter().map(String::as_str).filter(|effect| !is_question(effect)).collect()
}

fn calls(t: &TestEngine, what: &str) -> Vec<TestCall> {
    t.calls().into_iter().filter(|call| call.what == what).collect()
}

const DONE: [&str; 5] = [
    "analytics POST /track",
    "inventory POST /update",
    "notification POST /send",
    "order POST /create",
    "payment POST /process",
];

/// The order is marked as failed, and the error is sent; of what was done, nothing is left.
const UNDONE: [&str; 2] = ["notification POST /send", "order POST /orders/order-1001/mark_failed"];

#[engine::test]
async fn an_order_is_charged_taken_recorded_and_told(t: TestEngine) {
    all_well(&t);
    let receipt = Receipt {
        order_id: "order-1001".into(),
        status: "completed".into(),
        transaction_id: "txn_1".into(),
        record_id: "rec_1".into(),
    };
    assert_eq!(order(&t).await.unwrap(), receipt);
    assert_eq!(
        t.attempts()[3..6],
        ["charge", "update_inventory", "create_record"],
        "once all three questions are asked"
    );
    assert_eq!(left(&t.effects_left()), DONE);
    let asked =
        json!({ "order_id": "order-1001", "amount": "199.98", "method": "credit_card", "user_id": "test_user_123" });
    assert_eq!(calls(&t, "payment POST /process")[0].body, asked);
}

#[engine::test]
async fn an_order_that_is_refused_is_not_charged(t: TestEngine) {
    for (service, path, answer, code) in [
        ("user", "/users/*/validate", json!({ "valid": false }), "USER_INVALID"),
        ("inventory", "/check", json!({ "all_available": false }), "OUT_OF_STOCK"),
        ("payment", "/validate", json!({ "valid": false, "error": "no seashells" }), "PAYMENT_METHOD_REFUSED"),
    ] {
        all_well(&t);
        t.service(service).on_post(path).reply(&answer);
        let run = t.start(&workflow().unwrap(), example()).await.unwrap();
        let RunError::Failed { failure: Some(failure), residue } = run.result().await.unwrap_err() else {
            panic!("{code}: nothing had to be undone");
        };
        assert_eq!((failure.code.as_str(), residue), (code, vec![]));
        let marked = calls(&t, "order POST /orders/order-1001/mark_failed").pop().unwrap();
        assert!(marked.body["error_message"].as_str().unwrap().contains(&answer.to_string()), "{marked:?}");
        assert_eq!(calls(&t, "payment POST /process"), []);
    }
}

#[engine::test]
async fn a_declined_card_leaves_nothing_to_refund(t: TestEngine) {
    all_well(&t);
    t.service("payment").on_post("/process").fail(402);
    let error = order(&t).await.unwrap_err();
    assert!(matches!(&error, RunError::Failed { failure: Some(failure), .. } if failure.code == "HTTP_402"), "{error}");
    assert_eq!(left(&t.effects_left()), UNDONE);
    assert_eq!(t.undone(), Vec::<String>::new());
}

#[engine::test]
async fn what_was_done_is_undone_the_latest_first(t: TestEngine) {
    for (service, path, undone) in
        [("inventory", "/update", &["charge"][..]), ("order", "/create", &["charge", "update_inventory", "charge"])]
    {
        all_well(&t);
        t.service(service).on_post(path).fail(422);
        let error = t.start(&workflow().unwrap(), example()).await.unwrap().result().await.unwrap_err();
        assert!(matches!(error, RunError::Compensated { .. }), "{error}");
        assert_eq!(t.undone(), undone, "so far");
        let refund = calls(&t, "payment POST /refund").pop().unwrap();
        assert_eq!(refund.body, json!({ "order_id": "order-1001", "transaction_id": "txn_1" }));
    }
}

#[engine::test]
async fn a_charge_whose_answer_was_lost_is_asked_for_again_and_happens_once(t: TestEngine) {
    all_well(&t);
    t.service("payment").on_post("/process").lose_answers(1).reply(json!({ "transaction_id": "txn_7" }));
    assert_eq!(order(&t).await.unwrap().transaction_id, "txn_7");
    let asked = calls(&t, "payment POST /process");
    assert_eq!((asked.len(), &asked[0].key), (2, &asked[1].key));
    assert_eq!(left(&t.effects_left()), DONE);
}

#[engine::test]
async fn a_charge_of_which_nobody_knows_is_refunded_by_its_order(t: TestEngine) {
    all_well(&t);
    t.service("payment").on_post("/process").fail(500);
    let error = order(&t).await.unwrap_err();
    assert!(matches!(error, RunError::Compensated { .. }), "{error}");
    assert_eq!(calls(&t, "payment POST /process").len(), 4, "four attempts");
    let refund = calls(&t, "payment POST /refund").pop().unwrap();
    assert_eq!(refund.body, json!({ "order_id": "order-1001", "transaction_id": null }));
}

#[engine::test]
async fn a_charge_that_is_unknown_and_not_found_needs_no_refund(t: TestEngine) {
    all_well(&t);
    t.service("payment").on_post("/process").fail(500);
    t.service("payment").on_post("/refund").fail(404);
    let error = order(&t).await.unwrap_err();
    assert!(matches!(error, RunError::Compensated { .. }), "{error}");
}

#[engine::test]
async fn a_service_that_is_away_is_asked_again_later(t: TestEngine) {
    all_well(&t);
    t.service("inventory").on_post("/update").fail_times(2, 503).reply(());
    t.service("order").on_post("/create").unreachable_times(1).reply(json!({ "record_id": "rec_1" }));
    order(&t).await.unwrap();
    assert_eq!(calls(&t, "inventory POST /update").len(), 3);
    assert_eq!(calls(&t, "order POST /create").len(), 2);
    assert!(!t.elapsed().is_zero(), "it waited, in simulated time");
    assert_eq!(left(&t.effects_left()), DONE);
}

#[engine::test]
async fn an_order_that_may_be_recorded_waits_for_an_operator(t: TestEngine) {
    all_well(&t);
    t.service("order").on_post("/create").fail(500);
    let error = order(&t).await.unwrap_err();
    assert!(matches!(&error, RunError::Stuck { reasons, .. } if reasons[0].contains("create_record")), "{error}");
    assert_eq!(t.undone(), Vec::<String>::new());
}

#[engine::test]
async fn an_order_stands_although_nobody_could_be_told(t: TestEngine) {
    all_well(&t);
    t.service("notification").on_post("/send").fail(500);
    t.service("analytics").on_post("/track").unreachable();
    assert_eq!(order(&t).await.unwrap().status, "completed");
    assert_eq!(left(&t.effects_left()), ["inventory POST /update", "order POST /create", "payment POST /process"]);
}

/// Killed before and after every write, with an answer lost on top.
#[engine::test]
async fn killed_at_any_moment_an_order_comes_to_the_same_end(t: TestEngine) {
    for (is_recorded, expected) in [(true, &DONE[..]), (false, &UNDONE)] {
        let crashes = t.crash_after_every_commit(async |t| {
            all_well(&t);
            t.service("payment").on_post("/process").lose_answers(1).reply(json!({ "transaction_id": "txn_1" }));
            if !is_recorded {
                t.service("order").on_post("/create").fail(422);
            }
            assert_eq!(order(&t).await.is_ok(), is_recorded);
        });
        crashes.assert_same_outcome();
        assert_eq!(left(crashes.undisturbed().effects_left()), expected);
    }
}

/// A step as it stands among the others, and how patient it is.
fn in_short(definition: &Definition, step: &Step) -> String {
    let named = |index| definition.step(index).name.to_string();
    let mut after: Vec<String> = step.after.iter().copied().map(named).collect();
    after.sort();
    let Step { name, pivot, optional, on_unknown, .. } = step;
    let patience = [step.call(), step.compensate.as_ref().map(|undo| &undo.call)]
        .map(|call| call.map(|call| (call.timeout, call.retry.clone())));
    format!(
        "{name} after {after:?}, pivot {pivot}, optional {optional}, {on_unknown:?}, to do and to undo {patience:?}"
    )
}

/// The two are written by hand: here they are held to be one saga. That runs of both do the same is held by the tests of
/// the binary, which carries both out.
#[test]
fn the_saga_as_rust_is_the_saga_as_a_file() {
    let file = Definition::from_json(include_str!("../../order_saga.json")).unwrap();
    let rust = Definition::from_json(&workflow().unwrap().to_json()).unwrap();
    for steps in [Definition::steps, Definition::on_failure] {
        let [file, rust] = [&file, &rust].map(|it| steps(it).iter().map(|step| in_short(it, step)).collect::<Vec<_>>());
        assert_eq!(rust, file);
    }
    assert_eq!(rust.example(), file.example());
    assert_eq!(rust.labels(), file.labels());
    assert_eq!(rust.timeout(), file.timeout());
    assert_eq!(format!("{:?}", rust.services()), format!("{:?}", file.services()));
}
