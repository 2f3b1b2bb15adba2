//! Each case, undisturbed: with the saga as a file, and as Rust.

use std::sync::atomic::{AtomicUsize, Ordering};

use serde_json::{Value, json};

use crate::case::{Case, Saga, cases, cases_of_both};
use crate::support::{Shop, fast, input};

fn assert_case(case: &Case, saga: Saga) {
    let shop = Shop::open(case.faults);
    let workflow = case.workflow(saga, &shop);
    let ran = shop.engine().run(&workflow, &["--id", "order-1001", "--input", &case.input()]);
    assert_eq!(ran.exit, Some(case.exit), "{} ({saga:?}): {}\n{}", case.name, ran.stdout, ran.stderr);
    shop.until("late effects", |ledger| ledger["pending"] == 0);
    assert_eq!(shop.effects(), case.effects, "{} ({saga:?}): {:#}", case.name, shop.ledger());
    shop.assert_keys_are_sound();
    (case.check)(&shop, &ran.json());
}

/// So many at a time that none of them waits long for the processor: some cases are about time.
const WORKERS: usize = 8;

#[test]
fn every_case_ends_as_it_should() {
    let (cases, next) = (cases(), AtomicUsize::new(0));
    let cases = cases_of_both(&cases);
    // A failed case panics its thread, and the scope with it.
    std::thread::scope(|scope| {
        for _ in 0..WORKERS {
            scope.spawn(|| {
                while let Some((case, saga)) = cases.get(next.fetch_add(1, Ordering::Relaxed)) {
                    assert_case(case, *saga);
                }
            });
        }
    });
}

/// Without the fence the lost refund must show: it is what the fence is for.
#[test]
fn a_late_charge_is_lost_without_the_fence() {
    let shop = Shop::open(&["payment/process:late=1500ms", "payment/refund:fence=off"]);
    let mut content = fast();
    content["steps"]["charge"]["timeout"] = json!("200ms");
    content["steps"]["charge"]["retry"] = json!({ "max_attempts": 1 });
    let file = shop.file(&content);
    shop.engine().run(&file, &["--input", &input().to_string()]).assert_exit(4);
    shop.until("the late charge", |ledger| ledger["pending"] == 0);
    let effects = shop.effects();
    assert_eq!((effects.charges, effects.refunds, effects.net.as_str()), (1, 0, "199.98"));
}

/// A restart cuts the first attempt off while the service still carries it out; the same key is answered 409 until
/// that is done, and then as the first time.
#[test]
fn a_key_that_is_in_work_is_waited_for() {
    let shop = Shop::open(&["payment/process:late=5s,times=1"]);
    let file = shop.file(&fast());
    let arguments = ["--id", "order-1001", "--input", &input().to_string()];
    let mut first = shop.engine().spawn_run(&file, &arguments);
    shop.until("the charge is in work", |ledger| ledger["pending"] == 1);
    first.kill().unwrap();
    first.wait().unwrap();
    shop.engine().run(&file, &arguments).assert_exit(0);
    assert_eq!(shop.effects().charges, 1);
    let outcomes: Vec<Value> = shop.calls("process").iter().map(|call| call["outcome"].clone()).collect();
    assert!(outcomes.contains(&json!("in_work")), "{outcomes:?}");
    shop.assert_keys_are_sound();
}

#[test]
fn the_same_command_again_reports_the_ended_run_and_does_nothing() {
    let shop = Shop::open(&[]);
    let file = shop.file(&fast());
    let arguments = ["--id", "order-1001", "--input", &input().to_string()];
    let first = shop.engine().run(&file, &arguments).assert_exit(0).json();
    let second = shop.engine().run(&file, &arguments).assert_exit(0).json();
    assert_eq!((&first["run"], &first["output"]), (&second["run"], &second["output"]));
    assert_eq!(shop.effects().charges, 1);
    // Without an id an ended run is no reason not to start another.
    let order = json!({ "order_id": "order-1001" });
    assert_eq!(first["output"]["order_id"], order["order_id"]);
}

#[test]
fn the_same_id_with_other_input_is_refused() {
    let shop = Shop::open(&[]);
    let file = shop.file(&fast());
    shop.engine().run(&file, &["--id", "order-1001", "--input", &input().to_string()]).assert_exit(0);
    let mut other = input();
    other["total_amount"] = json!("1.00");
    let refused = shop.engine().run(&file, &["--id", "order-1001", "--input", &other.to_string()]);
    refused.assert_exit(2).assert_says(&["order-1001", "other input"]);
    assert_eq!(shop.effects().charges, 1);
}
