//! What the mock services did, by their ledger.

use serde_json::Value;

/// What is there of an order.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Effects {
    /// Charges that happened.
    pub(crate) charges: usize,
    /// Refunds that gave something back.
    pub(crate) refunds: usize,
    /// What the customer has paid in the end.
    pub(crate) net: String,
    /// Pieces that the order holds in the end.
    pub(crate) stock: i64,
    pub(crate) records: usize,
    pub(crate) confirmations: usize,
    pub(crate) events: usize,
    pub(crate) marked_failed: usize,
    pub(crate) errors_sent: usize,
}

impl Effects {
    /// What is left in the end where repeats are allowed: messages, events and failure marks go to services that
    /// honour no keys, so after a crash there may be more than one.
    pub(crate) fn net(mut self) -> Self {
        for repeatable in [&mut self.confirmations, &mut self.events, &mut self.marked_failed, &mut self.errors_sent] {
            *repeatable = (*repeatable).min(1);
        }
        // Whether an unknown charge had happened, and so was refunded, may depend on the moment of a crash.
        if self.charges == self.refunds {
            (self.charges, self.refunds) = (0, 0);
        }
        self
    }

    pub(crate) fn of(ledger: &Value) -> Self {
        let state = &ledger["state"];
        let messages = |kind: &str| {
            let messages = state["notification"]["messages"].as_array().unwrap();
            messages.iter().filter(|message| message["type"] == kind).count()
        };
        let len = |list: &Value| list.as_array().map_or(0, Vec::len);
        let refunds = state["payment"]["refunds"].as_array().unwrap();
        let taken = state["inventory"]["taken"].as_object().unwrap();
        Self {
            charges: len(&state["payment"]["charges"]),
            refunds: refunds.iter().filter(|refund| !refund["refunded"].as_array().unwrap().is_empty()).count(),
            net: net(&state["payment"]["net"]),
            stock: taken.values().flat_map(|order| order.as_object().unwrap().values()).filter_map(Value::as_i64).sum(),
            records: len(&state["order"]["records"]),
            confirmations: messages("order_confirmation"),
            events: len(&state["analytics"]["events"]),
            marked_failed: len(&state["order"]["failures"]),
            errors_sent: messages("order_error"),
        }
    }
}

fn net(per_order: &Value) -> String {
    let orders: Vec<&str> = per_order.as_object().unwrap().values().map(|net| net.as_str().unwrap()).collect();
    match orders.as_slice() {
        [] => "0.00".to_owned(),
        [net] => (*net).to_owned(),
        [..] => panic!("one order at a time: {per_order}"),
    }
}
