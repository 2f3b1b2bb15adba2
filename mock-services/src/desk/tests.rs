//! The desk with a clock of numbers: keys, fences, faults, late effects, and its memory.

use serde_json::json;

use super::*;
use crate::catalogue::Endpoint;
use crate::fault::Origin;

fn desk(rules: &[&str]) -> Desk {
    let mut desk = Desk::default();
    let faults = rules.iter().map(|rule| rule.parse().unwrap()).collect();
    desk.set_rules(desk.book.with(faults, Origin::Admin)).unwrap();
    desk
}

fn call(endpoint: Endpoint, key: &str, body: Value) -> Call {
    let path = format!("/{}", endpoint.name());
    Call { endpoint, path, id: None, key: Some(key.to_owned()), forward_key: None, body }
}

fn charge(key: &str, amount: &str) -> Call {
    let body = json!({ "order_id": "o1", "amount": amount, "method": "credit_card", "user_id": "u" });
    call(Endpoint::PaymentProcess, key, body)
}

fn refund(key: &str, forward: &str) -> Call {
    let body = json!({ "order_id": "o1", "transaction_id": null });
    Call { forward_key: Some(forward.to_owned()), ..call(Endpoint::PaymentRefund, key, body) }
}

fn answer(reaction: &Reaction) -> (u16, String) {
    match reaction {
        Reaction::Reply { answer, .. } => (answer.status, answer.body.clone()),
        Reaction::Cut => (0, String::new()),
    }
}

fn status(reaction: &Reaction) -> u16 {
    answer(reaction).0
}

fn net(desk: &Desk) -> Value {
    desk.to_json()["state"]["payment"]["net"]["o1"].clone()
}

fn outcomes(desk: &Desk) -> Vec<String> {
    let ledger = desk.to_json();
    let entries = ledger["entries"].as_array().unwrap();
    entries.iter().map(|entry| entry["outcome"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn a_key_has_one_effect_and_one_answer() {
    let mut desk = desk(&[]);
    let first = desk.handle(&charge("k", "1.00"), 0);
    let again = desk.handle(&charge("k", "1.00"), 1);
    assert_eq!(status(&first), 200);
    assert_eq!(answer(&again), answer(&first));
    assert_eq!(outcomes(&desk), ["effect", "repeat"]);
    assert_eq!(desk.to_json()["keys"]["payment"]["k"]["effects"], 1);
    assert_eq!(desk.to_json()["keys"]["payment"]["k"]["repeats"], 1);
}

#[test]
fn a_key_for_another_request_is_a_violation() {
    let mut desk = desk(&[]);
    desk.handle(&charge("k", "1.00"), 0);
    assert_eq!(answer(&desk.handle(&charge("k", "2.00"), 1)), (422, r#"{"error":"key reused"}"#.to_owned()));
    assert_eq!(status(&desk.handle(&refund("k", "other"), 2)), 422);
    let ledger = desk.to_json();
    assert_eq!(ledger["violations"], 2);
    assert_eq!(ledger["keys"]["payment"]["k"]["violations"], 2);
    // A request that is a mistake fences nothing.
    assert_eq!(ledger["fenced"], json!({}));
}

#[test]
fn a_refusal_stays_even_when_it_would_not_be_one_any_more() {
    let mut desk = desk(&[]);
    assert_eq!(status(&desk.handle(&refund("r", "k"), 0)), 404);
    desk.handle(&charge("k2", "1.00"), 1);
    assert_eq!(status(&desk.handle(&refund("r", "k"), 2)), 404);
    assert_eq!(net(&desk), "1.00");
}

#[test]
fn services_without_keys_only_write_them_down() {
    let mut desk = desk(&[]);
    let message = call(Endpoint::NotificationSend, "k", json!({ "type": "order_error" }));
    assert_eq!(status(&desk.handle(&message, 0)), 200);
    assert_eq!(status(&desk.handle(&message, 1)), 200);
    assert_eq!(desk.to_json()["keys"]["notification"]["k"]["effects"], 2);
}

#[test]
fn a_fence_refuses_what_was_not_carried_out() {
    let mut desk = desk(&[]);
    desk.handle(&refund("r", "k"), 0);
    assert_eq!(answer(&desk.handle(&charge("k", "1.00"), 1)), (422, r#"{"error":"fenced"}"#.to_owned()));
    assert_eq!(status(&desk.handle(&charge("k", "1.00"), 2)), 422);
    assert_eq!(outcomes(&desk), ["refused", "fenced", "repeat"]);
    assert_eq!(net(&desk), Value::Null);
}

#[test]
fn a_fence_does_not_change_what_was_carried_out() {
    let mut desk = desk(&[]);
    let first = desk.handle(&charge("k", "1.00"), 0);
    assert_eq!(status(&desk.handle(&refund("r", "k"), 1)), 200);
    assert_eq!(answer(&desk.handle(&charge("k", "1.00"), 2)), answer(&first));
    assert_eq!(net(&desk), "0.00");
}

#[test]
fn without_the_fence_a_late_charge_is_a_lost_refund() {
    for (rule, lost) in [("payment/process:late=3s", false), ("payment/process:late=3s,fence=off", true)] {
        let mut desk = desk(&[rule]);
        let promised = desk.handle(&charge("k", "1.00"), 1000);
        assert!(matches!(promised, Reaction::Reply { delay, .. } if delay > Duration::from_secs(3)));
        assert_eq!(status(&desk.handle(&charge("k", "1.00"), 1500)), 409);
        assert_eq!(status(&desk.handle(&refund("r", "k"), 2000)), 404);
        desk.settle(3999).unwrap();
        assert_eq!(desk.next_due(), Some(4000));
        desk.settle(4000).unwrap();
        assert_eq!(desk.next_due(), None);
        assert_eq!(net(&desk), if lost { json!("1.00") } else { Value::Null });
        assert_eq!(outcomes(&desk)[0], if lost { "effect" } else { "fenced" });
    }
}

#[test]
fn a_late_charge_is_what_was_promised() {
    let mut desk = desk(&["payment/process:late=3s,times=1"]);
    let promised = desk.handle(&charge("k", "1.00"), 0);
    desk.handle(&charge("other", "5.00"), 1);
    desk.settle(3000).unwrap();
    assert_eq!(answer(&desk.handle(&charge("k", "1.00"), 3001)), answer(&promised));
    assert_eq!(desk.to_json()["entries"][0]["settled_at"], 3000);
}

#[test]
fn errors_before_the_effect_are_not_remembered() {
    let mut desk = desk(&["payment/process:status=503,retry_after=1,times=1"]);
    let failed = desk.handle(&charge("k", "1.00"), 0);
    assert!(matches!(&failed, Reaction::Reply { answer, retry_after: Some(1), .. } if answer.status == 503));
    assert_eq!(status(&desk.handle(&charge("k", "1.00"), 1)), 200);
    assert_eq!(outcomes(&desk), ["fault", "effect"]);
}

#[test]
fn injected_definite_refusals_stand_but_never_deny_an_effect() {
    let mut desk = desk(&["payment/process:status=402,after=1,times=2"]);
    assert_eq!(status(&desk.handle(&charge("done", "1.00"), 0)), 200);
    assert_eq!(status(&desk.handle(&charge("k", "1.00"), 1)), 402);
    assert_eq!(status(&desk.handle(&charge("done", "1.00"), 2)), 200);
    assert_eq!(status(&desk.handle(&charge("k", "1.00"), 3)), 402);
    assert_eq!(net(&desk), "1.00");
}

#[test]
fn faults_on_the_way_back_leave_the_effect() {
    for (rule, seen) in [
        ("payment/process:cut=after,times=1", 0),
        ("payment/process:status=500,effect,times=1", 500),
        ("payment/process:malformed,times=1", 200),
    ] {
        let mut desk = desk(&[rule]);
        let first = desk.handle(&charge("k", "1.00"), 0);
        assert_eq!(status(&first), seen, "{rule}");
        assert!(serde_json::from_str::<Value>(&answer(&first).1).is_err() || seen == 500, "{rule}");
        let (again, body) = answer(&desk.handle(&charge("k", "1.00"), 1));
        assert_eq!(again, 200);
        assert!(body.contains("txn_1"));
        assert_eq!(net(&desk), "1.00");
    }
    let mut desk = desk(&["payment/process:cut=before,times=1"]);
    assert_eq!(desk.handle(&charge("k", "1.00"), 0), Reaction::Cut);
    assert_eq!(net(&desk), Value::Null);
}

#[test]
fn a_cut_late_request_is_cut_at_once_and_carried_out_later() {
    let mut desk = desk(&["payment/process:late=1s,cut=after"]);
    assert_eq!(desk.handle(&charge("k", "1.00"), 0), Reaction::Cut);
    assert_eq!(net(&desk), Value::Null);
    desk.settle(1000).unwrap();
    assert_eq!(net(&desk), "1.00");
}

#[test]
fn the_journal_brings_everything_back() {
    let dir = tempfile::tempdir().unwrap();
    let rules = || vec!["payment/process:status=503,times=2".parse().unwrap()];
    let late: Fault = "inventory/update:late=1s".parse().unwrap();
    let mut desk = Desk::open(Some(dir.path()), rules()).unwrap();
    desk.set_rules(desk.book.with(vec![late], Origin::Admin)).unwrap();
    desk.handle(&charge("k", "1.00"), 0);
    desk.handle(&charge("k2", "0.50"), 1);
    let first = desk.handle(&charge("k", "1.00"), 2);
    let items = json!({ "order_id": "o1", "items": [{ "id": "product_3", "quantity": 4 }] });
    desk.handle(&call(Endpoint::InventoryUpdate, "stock", items), 3);
    desk.handle(&refund("r", "fenced"), 4);
    let before = desk.to_json();
    // A killed process does not close its desk; dropping it lets go of the lock just the same.
    drop(desk);

    let mut desk = Desk::open(Some(dir.path()), rules()).unwrap();
    assert_eq!(desk.to_json(), before);
    assert_eq!(answer(&desk.handle(&charge("k", "1.00"), 5)), answer(&first));
    assert_eq!(status(&desk.handle(&charge("fenced", "9.00"), 6)), 422);
    assert_eq!(desk.next_due(), Some(1003));
    desk.settle(5000).unwrap();
    assert_eq!(desk.to_json()["state"]["inventory"]["stock"]["product_3"], 6);
    assert_eq!(desk.to_json()["keys"]["inventory"]["stock"]["effects"], 1);
}

#[test]
fn a_closed_desk_does_nothing() {
    let mut desk = desk(&[]);
    desk.close();
    assert_eq!(desk.handle(&charge("k", "1.00"), 0), Reaction::Cut);
    assert_eq!(desk.to_json()["entries"], json!([]));
}
