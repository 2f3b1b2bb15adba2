//! Runs that wait for an operator, and what the operator says.

use serde_json::{Value, json};

use crate::support::{Engine, Shop, fast, input};

fn run_until_stuck(shop: &Shop) -> (Engine, Value) {
    let file = shop.file(&fast());
    let engine = shop.engine();
    let ran = engine.run(&file, &["--id", "order-1001", "--input", &input().to_string()]);
    let report = ran.assert_exit(7).json();
    (engine, report)
}

const REFUND_REFUSED: [&str; 2] = ["inventory/update:status=422", "payment/refund:status=422"];

#[test]
fn a_refused_refund_names_the_step_the_reason_and_the_command() {
    let shop = Shop::open(&REFUND_REFUSED);
    let (engine, report) = run_until_stuck(&shop);
    let stuck = &report["stuck"][0];
    assert_eq!((&stuck["step"], &stuck["failure"]["code"]), (&json!("charge"), &json!("HTTP_422")), "{report:#}");
    let shown = engine.verb(&["show", "order-1001"]);
    shown.assert_exit(0).assert_says(&["Stuck", "charge", "422", "resolve", "--retry", "--skip"]);
}

#[test]
fn a_skipped_refund_leaves_residue() {
    let shop = Shop::open(&REFUND_REFUSED);
    let (engine, _) = run_until_stuck(&shop);
    let ended = engine.verb(&["resolve", "order-1001", "charge", "--skip", "--wait", "-o", "json"]);
    let report = ended.assert_exit(1).json();
    assert_eq!((&report["status"], &report["residue"]), (&json!("Failed"), &json!(["charge"])));
    assert_eq!(shop.effects().net, "199.98");
}

#[test]
fn a_refund_is_retried_once_the_fault_is_lifted() {
    let shop = Shop::open(&REFUND_REFUSED);
    let (engine, _) = run_until_stuck(&shop);
    shop.lift_faults();
    // The refusal stands for its key; what provably did nothing is asked for again under another one.
    let ended = engine.verb(&["resolve", "order-1001", "charge", "--retry", "--wait", "-o", "json"]);
    assert_eq!(ended.assert_exit(4).json()["status"], "Compensated");
    let effects = shop.effects();
    assert_eq!((effects.charges, effects.refunds, effects.net.as_str()), (1, 1, "0.00"));
}

#[test]
fn a_refund_done_by_hand_is_no_residue() {
    let shop = Shop::open(&REFUND_REFUSED);
    let (engine, _) = run_until_stuck(&shop);
    let report =
        engine.verb(&["resolve", "order-1001", "charge", "--done", "--wait", "-o", "json"]).assert_exit(4).json();
    assert_eq!((&report["status"], &report["residue"]), (&json!("Compensated"), &json!([])));
}

#[test]
fn an_unknown_record_is_never_undone_and_waits_for_its_operator() {
    let shop = Shop::open(&["order/create:cut=after"]);
    let (engine, report) = run_until_stuck(&shop);
    assert_eq!(report["stuck"][0]["step"], "create_record");
    assert_eq!(shop.calls("create").len(), 4, "it was retried first");
    assert!(shop.calls("refund").is_empty() && shop.calls("release").is_empty());
    let output = r#"{"record_id":"rec-1"}"#;
    let ended = engine.verb(&["resolve", "order-1001", "create_record", "--done", output, "--wait", "-o", "json"]);
    let report = ended.assert_exit(0).json();
    assert_eq!((&report["status"], &report["output"]["record_id"]), (&json!("Completed"), &json!("rec-1")));
    assert_eq!(shop.effects().confirmations, 1);
}

#[test]
fn what_is_not_stuck_can_not_be_resolved() {
    let shop = Shop::open(&REFUND_REFUSED);
    let (engine, _) = run_until_stuck(&shop);
    let before = engine.verb(&["show", "order-1001", "-o", "json"]).json();
    engine.verb(&["resolve", "order-1001", "confirm", "--retry"]).assert_exit(2).assert_says(&["confirm", "not stuck"]);
    engine.verb(&["resolve", "order-1001", "nonsense", "--retry"]).assert_exit(2).assert_says(&["nonsense"]);
    engine.verb(&["resolve", "order-1001", "charge", "--fail"]).assert_exit(2).assert_says(&["--retry"]);
    engine
        .verb(&["resolve", "order-9999", "charge", "--retry"])
        .assert_exit(3)
        .assert_says(&["order-9999", "order-1001"]);
    let after = engine.verb(&["show", "order-1001", "-o", "json"]).json();
    assert_eq!((&before["status"], &before["steps"]), (&after["status"], &after["steps"]));
}
