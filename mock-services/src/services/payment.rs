//! The payment service: charges and refunds.

use std::collections::{BTreeMap, HashMap, HashSet};

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::{Decision, Effect};
use crate::call::{Answer, Call};
use crate::money::Money;

/// `declined_card` is known and well-formed, and its bank says no when it is charged.
const METHODS: [&str; 4] = ["credit_card", "debit_card", "paypal", "declined_card"];

/// Money that was taken for an order.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Charge {
    order_id: String,
    amount: String,
    key: Option<String>,
    transaction_id: String,
    method: String,
    user_id: Option<String>,
}

/// Money that was given back.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[allow(clippy::struct_field_names, reason = "the names in the JSON")]
pub(crate) struct Refund {
    order_id: String,
    /// As the request had it: null where the caller did not know what was charged.
    transaction_id: Option<String>,
    refund_id: String,
    amount: String,
    /// The charges that this refund gave back.
    refunded: Vec<String>,
    key: Option<String>,
}

/// What the payment service remembers.
#[derive(Debug, Default)]
pub(crate) struct Payments {
    charges: Vec<Charge>,
    by_order: HashMap<String, Vec<usize>>,
    refunds: Vec<Refund>,
    /// Transactions that were refunded.
    returned: HashSet<String>,
}

pub(super) fn validate(call: &Call) -> Decision {
    match (method(call), amount(call)) {
        (Ok(method), Ok(amount)) => Decision::told(&json!({
            "valid": true,
            "details": { "method": method, "amount": amount },
        })),
        (Err(error), _) | (_, Err(error)) => Decision::told(&json!({ "valid": false, "error": error })),
    }
}

pub(super) fn process(call: &Call, number: u64) -> Result<Decision, Answer> {
    let refused = |error: String| Answer::refused(422, &error);
    let order_id = call.text("order_id")?;
    let method = method(call).map_err(refused)?;
    let amount = amount(call).map_err(refused)?;
    if method == "declined_card" {
        return Err(Answer::refused(402, "the card was declined"));
    }
    let charge = Charge {
        order_id: order_id.to_owned(),
        amount: amount.to_owned(),
        key: call.key.clone(),
        transaction_id: format!("txn_{number}"),
        method: method.to_owned(),
        user_id: call.body.get("user_id").and_then(Value::as_str).map(str::to_owned),
    };
    let answer = json!({
        "transaction_id": charge.transaction_id,
        "amount": amount,
        "status": "charged",
    });
    Ok(Decision::done(&answer, Effect::Charged(charge)))
}

fn method(call: &Call) -> Result<&str, String> {
    let method = call.body.get("method").and_then(Value::as_str);
    method.filter(|method| METHODS.contains(method)).ok_or_else(|| {
        let given = method.unwrap_or("(none)");
        format!("payment method `{given}` is not known")
    })
}

/// The amount as it was sent: a decimal string. A JSON number may have gone through a float.
fn amount(call: &Call) -> Result<&str, String> {
    let amount = call.body.get("amount").and_then(Value::as_str);
    amount
        .filter(|text| text.parse::<Money>().is_ok_and(|amount| amount > Money::ZERO))
        .ok_or_else(|| "`amount` must be a positive decimal string such as \"199.98\"".to_owned())
}

impl Payments {
    /// With a transaction: gives that one back. Without: whatever was charged for the order and
    /// not yet given back, because the caller does not know what happened.
    pub(super) fn refund(&self, call: &Call, number: u64) -> Result<Decision, Answer> {
        let order_id = call.text("order_id")?;
        let transaction = match call.body.get("transaction_id") {
            None | Some(Value::Null) => None,
            Some(Value::String(id)) => Some(id.as_str()),
            Some(_) => {
                return Err(Answer::refused(422, "`transaction_id` must be a string or null"));
            }
        };
        let of_order: Vec<&Charge> = self
            .by_order
            .get(order_id)
            .into_iter()
            .flatten()
            .filter_map(|index| self.charges.get(*index))
            .filter(|charge| transaction.is_none_or(|id| id == charge.transaction_id))
            .collect();
        if let Some(id) = transaction {
            if of_order.is_empty() {
                return Err(Answer::refused(404, &format!("order `{order_id}` has no transaction `{id}`")));
            }
            if let Some(earlier) = self.refund_of(id) {
                return Ok(Decision::told(&json!({ "refund_id": earlier.refund_id, "refunded": "0.00" })));
            }
        }
        let open: Vec<&Charge> =
            of_order.into_iter().filter(|charge| !self.returned.contains(&charge.transaction_id)).collect();
        if open.is_empty() {
            return Err(Answer::refused(404, "nothing to refund"));
        }
        let refund = Refund {
            order_id: order_id.to_owned(),
            transaction_id: transaction.map(str::to_owned),
            refund_id: format!("rfd_{number}"),
            amount: sum(open.iter().map(|charge| charge.amount.as_str())).to_string(),
            refunded: open.iter().map(|charge| charge.transaction_id.clone()).collect(),
            key: call.key.clone(),
        };
        let answer = json!({ "refund_id": refund.refund_id, "refunded": refund.amount });
        Ok(Decision::done(&answer, Effect::Refunded(refund)))
    }

    fn refund_of(&self, transaction: &str) -> Option<&Refund> {
        if !self.returned.contains(transaction) {
            return None;
        }
        self.refunds.iter().find(|refund| refund.refunded.iter().any(|id| id == transaction))
    }

    pub(super) fn charged(&mut self, charge: Charge) {
        self.by_order.entry(charge.order_id.clone()).or_default().push(self.charges.len());
        self.charges.push(charge);
    }

    pub(super) fn refunded(&mut self, refund: Refund) {
        self.returned.extend(refund.refunded.iter().cloned());
        self.refunds.push(refund);
    }

    pub(super) fn summary(&self) -> Value {
        let mut net: BTreeMap<&str, Money> = BTreeMap::new();
        for charge in &self.charges {
            let sum = net.entry(&charge.order_id).or_default();
            *sum = sum.plus(charge.amount.parse().unwrap_or_default());
        }
        for refund in &self.refunds {
            let sum = net.entry(&refund.order_id).or_default();
            *sum = sum.minus(refund.amount.parse().unwrap_or_default());
        }
        let net: BTreeMap<&str, String> = net.into_iter().map(|(order, sum)| (order, sum.to_string())).collect();
        json!({ "charges": self.charges, "refunds": self.refunds, "net": net })
    }
}

fn sum<'a>(amounts: impl Iterator<Item = &'a str>) -> Money {
    amounts.filter_map(|amount| amount.parse().ok()).fold(Money::ZERO, Money::plus)
}

#[cfg(test)]
mod tests {
    use super::super::World;
    use super::super::testing::{body, call, carry_out};
    use super::*;
    use crate::catalogue::Endpoint;

    fn charge(order: &str, amount: &str, method: &str) -> Call {
        call(Endpoint::PaymentProcess, json!({ "order_id": order, "amount": amount, "method": method, "user_id": "u" }))
    }

    fn refund(order: &str, transaction: &Value) -> Call {
        call(Endpoint::PaymentRefund, json!({ "order_id": order, "transaction_id": transaction }))
    }

    #[test]
    fn methods_and_amounts_are_validated() {
        let mut world = World::default();
        let mut valid = |method: Value, amount: Value| {
            let call = call(Endpoint::PaymentValidate, json!({ "method": method, "amount": amount }));
            body(&carry_out(&mut world, &call, 1))
        };
        for method in METHODS {
            assert_eq!(valid(json!(method), json!("199.98"))["valid"], true);
        }
        assert_eq!(valid(json!("cowries"), json!("1.00"))["error"], "payment method `cowries` is not known");
        assert_eq!(valid(json!("paypal"), json!(1.5))["valid"], false);
        assert_eq!(valid(json!("paypal"), json!("0.00"))["valid"], false);
    }

    #[test]
    fn a_charge_is_refunded_once() {
        let mut world = World::default();
        let charged = carry_out(&mut world, &charge("o1", "199.98", "credit_card"), 7);
        assert_eq!(body(&charged), json!({ "transaction_id": "txn_7", "amount": "199.98", "status": "charged" }));
        let first = carry_out(&mut world, &refund("o1", &json!("txn_7")), 8);
        assert_eq!(body(&first), json!({ "refund_id": "rfd_8", "refunded": "199.98" }));
        let second = carry_out(&mut world, &refund("o1", &json!("txn_7")), 9);
        assert_eq!(body(&second), json!({ "refund_id": "rfd_8", "refunded": "0.00" }));
        assert_eq!(second.effect, None);
        assert_eq!(world.summary()["payment"]["net"], json!({ "o1": "0.00" }));
    }

    #[test]
    fn without_a_transaction_everything_open_is_refunded() {
        let mut world = World::default();
        let none = carry_out(&mut world, &refund("o1", &Value::Null), 1);
        assert_eq!(none.answer.status, 404);
        assert_eq!(body(&none), json!({ "error": "nothing to refund" }));
        carry_out(&mut world, &charge("o1", "1.10", "paypal"), 2);
        carry_out(&mut world, &charge("o1", "2.20", "paypal"), 3);
        carry_out(&mut world, &charge("o2", "5.00", "paypal"), 4);
        let all = carry_out(&mut world, &refund("o1", &Value::Null), 5);
        assert_eq!(body(&all)["refunded"], "3.30");
        let state = world.summary();
        assert_eq!(state["payment"]["net"], json!({ "o1": "0.00", "o2": "5.00" }));
        assert_eq!(state["payment"]["refunds"][0]["transaction_id"], Value::Null);
    }

    #[test]
    fn declined_cards_unknown_transactions_and_floats_are_refused() {
        let mut world = World::default();
        let declined = carry_out(&mut world, &charge("o1", "1.00", "declined_card"), 1);
        assert_eq!(declined.answer.status, 402);
        let unknown = carry_out(&mut world, &refund("o1", &json!("txn_99")), 2);
        assert_eq!(unknown.answer.status, 404);
        let float = call(Endpoint::PaymentProcess, json!({ "order_id": "o1", "amount": 1.0, "method": "paypal" }));
        assert_eq!(carry_out(&mut world, &float, 3).answer.status, 422);
        assert_eq!(world.summary()["payment"]["charges"], json!([]));
    }
}
