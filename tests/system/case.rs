//! The cases of the order saga: what goes wrong, how the run ends, and what is left in the world.

use std::path::PathBuf;

use serde_json::{Value, json};

use crate::support::{Effects, Shop, fast, input};

/// What goes wrong, and what must come of it.
pub(crate) struct Case {
    pub(crate) name: &'static str,
    /// Faults of the mock services.
    pub(crate) faults: &'static [&'static str],
    /// A change of the workflow file; what the program brings along can't be changed.
    change_file: Option<fn(&mut Value)>,
    /// A change of the input.
    change_input: fn(&mut Value),
    /// The exit code.
    pub(crate) exit: i32,
    /// A further exit code that is right where a kill made an effect unknown.
    pub(crate) exit_after_kill: Option<i32>,
    /// What is left in the world.
    pub(crate) effects: Effects,
    /// What else must hold after an undisturbed run.
    pub(crate) check: fn(&Shop, report: &Value),
}

/// How the order saga is written. Both must do the same.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Saga {
    /// As a file.
    File,
    /// As Rust, in the binary: it waits between attempts as it ships.
    Rust,
}

impl Case {
    /// The sagas that the case can be had with.
    pub(crate) fn sagas(&self) -> &'static [Saga] {
        if self.change_file.is_some() { &[Saga::File] } else { &[Saga::File, Saga::Rust] }
    }

    /// The workflow as `run` is told it.
    pub(crate) fn workflow(&self, saga: Saga, shop: &Shop) -> PathBuf {
        if saga == Saga::Rust {
            return PathBuf::from("order_saga_rs");
        }
        let mut file = fast();
        if let Some(change) = self.change_file {
            change(&mut file);
        }
        shop.file(&file)
    }

    pub(crate) fn input(&self) -> String {
        let mut input = input();
        (self.change_input)(&mut input);
        input.to_string()
    }
}

const PAID: &str = "199.98";

fn nothing() -> Effects {
    Effects {
        charges: 0,
        refunds: 0,
        net: "0.00".to_owned(),
        stock: 0,
        records: 0,
        confirmations: 0,
        events: 0,
        marked_failed: 0,
        errors_sent: 0,
    }
}

/// Everything was done, and nothing twice.
fn all_well() -> Effects {
    let net = PAID.to_owned();
    Effects { charges: 1, net, stock: 2, records: 1, confirmations: 1, events: 1, ..nothing() }
}

/// The order was marked as failed and the error sent; this many charges were made and given back.
fn failed(charges: usize) -> Effects {
    Effects { charges, refunds: charges, marked_failed: 1, errors_sent: 1, ..nothing() }
}

fn as_it_is(_: &mut Value) {}

fn no_more(_: &Shop, _: &Value) {}

fn codes(report: &Value) -> Vec<&str> {
    report["failures"].as_array().unwrap().iter().map(|failure| failure["code"].as_str().unwrap()).collect()
}

fn assert_never_called(shop: &Shop, endpoint: &str) {
    assert_eq!(shop.calls(endpoint), Vec::<Value>::new(), "{endpoint} was called");
}

fn once(file: &mut Value, step: &str) {
    file["steps"][step]["retry"] = json!({ "max_attempts": 1 });
}

/// All cases but one: a late charge without the fence, whose loss depends on the moment of a kill.
pub(crate) fn cases() -> Vec<Case> {
    let mut cases = completed();
    cases.extend(refused());
    cases.extend(undone());
    cases.extend(stuck());
    cases
}

/// Each case with each saga that it can be had with.
pub(crate) fn cases_of_both(cases: &[Case]) -> Vec<(&Case, Saga)> {
    cases.iter().flat_map(|case| case.sagas().iter().map(move |saga| (case, *saga))).collect()
}

fn completed() -> Vec<Case> {
    vec![
        Case {
            name: "all well",
            faults: &[],
            change_file: None,
            change_input: as_it_is,
            exit: 0,
            exit_after_kill: None,
            effects: all_well(),
            check: |_, report| {
                assert_eq!(report["output"]["status"], "completed");
                assert_eq!(report["output"]["order_id"], "order-1001");
            },
        },
        Case {
            name: "charge flaky",
            faults: &["payment/process:status=503,times=2"],
            change_file: None,
            change_input: as_it_is,
            exit: 0,
            exit_after_kill: None,
            effects: all_well(),
            check: |shop, _| assert_eq!(shop.calls("process").len(), 3, "three attempts"),
        },
        Case {
            name: "charge slow, its key in work after a kill",
            faults: &["payment/process:late=1s,times=1"],
            change_file: None,
            change_input: as_it_is,
            exit: 0,
            exit_after_kill: None,
            effects: all_well(),
            check: no_more,
        },
        Case {
            name: "charge throttled",
            faults: &["payment/process:status=429,retry_after=1,times=1"],
            change_file: None,
            change_input: as_it_is,
            exit: 0,
            exit_after_kill: None,
            effects: all_well(),
            check: |shop, _| {
                let at = |call: &Value| call["received_at"].as_u64().unwrap();
                let calls = shop.calls("process");
                assert!(at(&calls[1]) - at(&calls[0]) >= 1_000, "it waited as long as it was asked to");
            },
        },
        Case {
            name: "confirmation down",
            faults: &["notification/send:status=500"],
            change_file: None,
            change_input: as_it_is,
            exit: 0,
            exit_after_kill: None,
            effects: Effects { confirmations: 0, ..all_well() },
            check: |_, report| {
                assert_eq!(report["warnings"][0]["step"], "confirm");
                assert_eq!(report["failures"], json!([]));
            },
        },
    ]
}

fn refused() -> Vec<Case> {
    vec![
        Case {
            name: "user invalid",
            faults: &[],
            change_file: None,
            change_input: |input| input["user_id"] = json!("blocked_user"),
            exit: 1,
            exit_after_kill: None,
            effects: failed(0),
            check: |shop, report| {
                assert_eq!(codes(report), ["USER_INVALID"]);
                assert_never_called(shop, "process");
            },
        },
        Case {
            name: "payment method refused",
            faults: &[],
            change_file: None,
            change_input: |input| input["payment_method"] = json!("seashells"),
            exit: 1,
            exit_after_kill: None,
            effects: failed(0),
            check: |shop, report| {
                assert_eq!(codes(report), ["PAYMENT_METHOD_REFUSED"]);
                assert_never_called(shop, "process");
            },
        },
        Case {
            name: "out of stock",
            faults: &[],
            change_file: None,
            change_input: |input| input["items"][0]["id"] = json!("missing_1"),
            exit: 1,
            exit_after_kill: None,
            effects: failed(0),
            check: |shop, report| {
                assert_eq!(codes(report), ["OUT_OF_STOCK"]);
                assert!(report["failures"][0]["message"].as_str().unwrap().contains("missing_1"));
                assert_never_called(shop, "process");
            },
        },
        Case {
            name: "two validations fail together",
            faults: &["user/validate:delay=100ms", "payment/validate:delay=100ms"],
            change_file: None,
            change_input: |input| {
                input["user_id"] = json!("blocked_user");
                input["payment_method"] = json!("seashells");
            },
            exit: 1,
            exit_after_kill: None,
            effects: failed(0),
            check: |shop, report| {
                let mut codes = codes(report);
                codes.sort_unstable();
                assert_eq!(codes, ["PAYMENT_METHOD_REFUSED", "USER_INVALID"]);
                assert_never_called(shop, "process");
            },
        },
        Case {
            name: "charge declined",
            faults: &[],
            change_file: None,
            change_input: |input| input["payment_method"] = json!("declined_card"),
            exit: 1,
            exit_after_kill: None,
            effects: failed(0),
            check: |shop, report| {
                assert_eq!(codes(report), ["HTTP_402"]);
                assert_never_called(shop, "refund");
            },
        },
        Case {
            name: "charge unreachable",
            faults: &[],
            change_file: Some(|file| {
                file["services"]["bank"] = json!({ "url": "http://127.0.0.1:9" });
                file["steps"]["charge"]["http"]["service"] = json!("bank");
            }),
            change_input: as_it_is,
            exit: 1,
            exit_after_kill: Some(4),
            effects: failed(0),
            check: |shop, report| {
                assert_eq!(codes(report), ["NO_CONNECTION"]);
                assert_never_called(shop, "refund");
            },
        },
    ]
}

/// Runs that wait for an operator, with what they did so far.
fn stuck() -> Vec<Case> {
    vec![
        Case {
            name: "refund refused",
            faults: &["inventory/update:status=422", "payment/refund:status=422"],
            change_file: None,
            change_input: as_it_is,
            exit: 7,
            exit_after_kill: None,
            effects: Effects { charges: 1, net: PAID.to_owned(), ..nothing() },
            check: |_, report| assert_eq!(report["stuck"][0]["step"], "charge"),
        },
        Case {
            name: "record unknown",
            faults: &["order/create:cut=after"],
            change_file: None,
            change_input: as_it_is,
            exit: 7,
            exit_after_kill: None,
            effects: Effects { confirmations: 0, events: 0, ..all_well() },
            check: |shop, report| {
                assert_eq!(report["stuck"][0]["step"], "create_record");
                assert_eq!(shop.calls("create").len(), 4, "it was retried first");
                assert_never_called(shop, "refund");
                assert_never_called(shop, "release");
            },
        },
    ]
}

fn undone() -> Vec<Case> {
    vec![
        Case {
            name: "charge unknown",
            faults: &["payment/process:cut=after"],
            change_file: None,
            change_input: as_it_is,
            exit: 4,
            exit_after_kill: None,
            effects: failed(1),
            check: |shop, _| assert_eq!(shop.calls("refund")[0]["body"]["transaction_id"], Value::Null),
        },
        Case {
            name: "late charge, fenced",
            faults: &["payment/process:late=1500ms"],
            change_file: Some(|file| {
                file["steps"]["charge"]["timeout"] = json!("200ms");
                once(file, "charge");
            }),
            change_input: as_it_is,
            exit: 4,
            exit_after_kill: None,
            effects: failed(0),
            check: no_more,
        },
        Case {
            name: "stock update refused",
            faults: &["inventory/update:status=422"],
            change_file: None,
            change_input: as_it_is,
            exit: 4,
            exit_after_kill: None,
            effects: failed(1),
            check: |shop, _| {
                assert_eq!(shop.calls("refund").len(), 1);
                assert_never_called(shop, "release");
            },
        },
        Case {
            name: "stock update fails although stock was taken",
            faults: &["inventory/update:status=500,effect"],
            change_file: None,
            change_input: as_it_is,
            exit: 4,
            exit_after_kill: None,
            effects: failed(1),
            check: |shop, _| {
                let at = |endpoint: &str| shop.calls(endpoint)[0]["seq"].as_u64().unwrap();
                assert!(at("release") < at("refund"), "the stock is released before the money is refunded");
            },
        },
        Case {
            name: "refund flaky",
            faults: &["inventory/update:status=422", "payment/refund:status=503,times=5"],
            change_file: None,
            change_input: as_it_is,
            exit: 4,
            exit_after_kill: None,
            effects: failed(1),
            check: |shop, _| assert_eq!(shop.calls("refund").len(), 6),
        },
        Case {
            name: "record refused",
            faults: &["order/create:status=422"],
            change_file: None,
            change_input: as_it_is,
            exit: 4,
            exit_after_kill: None,
            effects: failed(1),
            check: |shop, _| {
                let at = |endpoint: &str| shop.calls(endpoint)[0]["seq"].as_u64().unwrap();
                assert!(at("release") < at("refund"));
            },
        },
        Case {
            name: "run timeout",
            faults: &["payment/process:delay=2s"],
            change_file: Some(|file| {
                file["timeout"] = json!("600ms");
                file["steps"]["charge"]["timeout"] = json!("900ms");
            }),
            change_input: as_it_is,
            exit: 6,
            exit_after_kill: None,
            effects: failed(1),
            check: no_more,
        },
    ]
}
