//! The order service: keeps records of orders and of their failures.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::{Decision, Effect};
use crate::call::{Answer, Call};

/// A record of an order that was paid.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[allow(clippy::struct_field_names, reason = "the names in the JSON")]
pub(crate) struct Record {
    record_id: String,
    order_id: String,
    transaction_id: Option<String>,
    key: Option<String>,
}

/// An order that came to nothing.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Failure {
    order_id: String,
    error_message: Value,
    key: Option<String>,
}

/// What the order service remembers.
#[derive(Debug, Default)]
pub(crate) struct Orders {
    records: Vec<Record>,
    failures: Vec<Failure>,
}

pub(super) fn create(call: &Call, number: u64) -> Result<Decision, Answer> {
    let order_id = call
        .body
        .pointer("/order_data/order_id")
        .and_then(Value::as_str)
        .ok_or_else(|| Answer::refused(422, "`order_data.order_id` must be a string"))?;
    let record = Record {
        record_id: format!("rec_{number}"),
        order_id: order_id.to_owned(),
        transaction_id: call.body.get("transaction_id").and_then(Value::as_str).map(str::to_owned),
        key: call.key.clone(),
    };
    let answer = json!({
        "record_id": record.record_id,
        "order_id": order_id,
        "status": "created",
    });
    Ok(Decision::done(&answer, Effect::RecordCreated(record)))
}

pub(super) fn mark_failed(call: &Call) -> Result<Decision, Answer> {
    let order_id = match call.id.as_deref() {
        Some(id) if !id.is_empty() => id.to_owned(),
        _ => return Err(Answer::refused(422, "the order id in the path is empty")),
    };
    let answer = json!({ "order_id": order_id, "status": "failed" });
    let failure = Failure {
        order_id,
        error_message: call.body.get("error_message").cloned().unwrap_or(Value::Null),
        key: call.key.clone(),
    };
    Ok(Decision::done(&answer, Effect::MarkedFailed(failure)))
}

impl Orders {
    pub(super) fn created(&mut self, record: Record) {
        self.records.push(record);
    }

    pub(super) fn failed(&mut self, failure: Failure) {
        self.failures.push(failure);
    }

    pub(super) fn summary(&self) -> Value {
        json!({ "records": self.records, "failures": self.failures })
    }
}

#[cfg(test)]
mod tests {
    use super::super::World;
    use super::super::testing::{body, call, carry_out};
    use super::*;
    use crate::catalogue::Endpoint;

    #[test]
    fn a_record_and_a_failure_are_kept() {
        let mut world = World::default();
        let created = carry_out(
            &mut world,
            &call(Endpoint::OrderCreate, json!({ "order_data": { "order_id": "o1" }, "transaction_id": "txn_1" })),
            4,
        );
        assert_eq!(body(&created), json!({ "record_id": "rec_4", "order_id": "o1", "status": "created" }));
        let mut failing = call(Endpoint::OrderMarkFailed, json!({ "error_message": "out of stock" }));
        failing.id = Some("o2".to_owned());
        let failed = carry_out(&mut world, &failing, 5);
        assert_eq!(body(&failed), json!({ "order_id": "o2", "status": "failed" }));
        let state = world.summary();
        assert_eq!(state["order"]["records"][0]["transaction_id"], "txn_1");
        assert_eq!(state["order"]["failures"][0]["error_message"], "out of stock");
    }

    #[test]
    fn a_record_needs_an_order() {
        let refused = create(&call(Endpoint::OrderCreate, json!({})), 1).unwrap_err();
        assert_eq!(refused.status, 422);
    }
}
