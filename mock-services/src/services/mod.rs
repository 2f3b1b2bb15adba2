//! The six services as pure logic: a request and the state give a decision, and an effect changes
//! the state. Nothing here knows about sockets, clocks, files or faults.

mod analytics;
mod inventory;
mod notification;
mod order;
mod payment;
mod user;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::call::{Answer, Call};
use crate::catalogue::Endpoint;

/// What a service did to its state. Effects are journalled, and applying them again rebuilds it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Effect {
    Charged(payment::Charge),
    Refunded(payment::Refund),
    Taken(inventory::Movement),
    Released(inventory::Movement),
    RecordCreated(order::Record),
    MarkedFailed(order::Failure),
    Sent(notification::Message),
    Tracked(analytics::Event),
}

/// How a service takes a request: its answer, and what it changes, if anything.
#[derive(Clone, Debug)]
pub(crate) struct Decision {
    pub(crate) answer: Answer,
    pub(crate) effect: Option<Effect>,
}

impl Decision {
    fn done(answer: &Value, effect: Effect) -> Decision {
        Decision { answer: Answer::ok(answer), effect: Some(effect) }
    }

    fn told(answer: &Value) -> Decision {
        Decision { answer: Answer::ok(answer), effect: None }
    }
}

impl From<Answer> for Decision {
    fn from(answer: Answer) -> Decision {
        Decision { answer, effect: None }
    }
}

/// The state of all six services.
#[derive(Debug, Default)]
pub(crate) struct World {
    order: order::Orders,
    payment: payment::Payments,
    notification: notification::Messages,
    inventory: inventory::Inventory,
    analytics: analytics::Events,
}

impl World {
    /// What `call` leads to now. `number` is unique per request and makes the ids in the answer,
    /// so that an answer promised early and an effect carried out late agree.
    pub(crate) fn decide(&self, call: &Call, number: u64) -> Decision {
        let decision = match call.endpoint {
            Endpoint::UserValidate => Ok(user::validate(call)),
            Endpoint::OrderCreate => order::create(call, number),
            Endpoint::OrderMarkFailed => order::mark_failed(call),
            Endpoint::PaymentValidate => Ok(payment::validate(call)),
            Endpoint::PaymentProcess => payment::process(call, number),
            Endpoint::PaymentRefund => self.payment.refund(call, number),
            Endpoint::NotificationSend => notification::send(call, number),
            Endpoint::InventoryCheck => self.inventory.check(call),
            Endpoint::InventoryUpdate => self.inventory.update(call),
            Endpoint::InventoryRelease => self.inventory.release(call),
            Endpoint::AnalyticsTrack => analytics::track(call, number),
        };
        decision.unwrap_or_else(Decision::from)
    }

    pub(crate) fn apply(&mut self, effect: &Effect) {
        match effect.clone() {
            Effect::Charged(charge) => self.payment.charged(charge),
            Effect::Refunded(refund) => self.payment.refunded(refund),
            Effect::Taken(movement) => self.inventory.taken(&movement),
            Effect::Released(movement) => self.inventory.released(movement),
            Effect::RecordCreated(record) => self.order.created(record),
            Effect::MarkedFailed(failure) => self.order.failed(failure),
            Effect::Sent(message) => self.notification.sent(message),
            Effect::Tracked(event) => self.analytics.tracked(event),
        }
    }

    /// The state as the ledger shows it.
    pub(crate) fn summary(&self) -> Value {
        json!({
            "user": user::summary(),
            "order": self.order.summary(),
            "payment": self.payment.summary(),
            "notification": self.notification.summary(),
            "inventory": self.inventory.summary(),
            "analytics": self.analytics.summary(),
        })
    }
}

#[cfg(test)]
pub(crate) mod testing {
    use super::{Call, Decision, Effect, Endpoint, Value, World};

    pub(crate) fn call(endpoint: Endpoint, body: Value) -> Call {
        Call { endpoint, path: format!("/{}", endpoint.pattern()), id: None, key: None, forward_key: None, body }
    }

    /// Decides and applies, like the desk without faults and keys.
    pub(crate) fn carry_out(world: &mut World, call: &Call, number: u64) -> Decision {
        let decision = world.decide(call, number);
        if let Some(effect) = &decision.effect {
            world.apply(effect);
        }
        decision
    }

    pub(crate) fn body(decision: &Decision) -> Value {
        serde_json::from_str(&decision.answer.body).unwrap()
    }

    #[test]
    fn effects_survive_the_journal() {
        let mut world = World::default();
        let charge = call(
            Endpoint::PaymentProcess,
            serde_json::json!({ "order_id": "o1", "amount": "1.00", "method": "paypal", "user_id": "u" }),
        );
        let effect = carry_out(&mut world, &charge, 1).effect.unwrap();
        let line = serde_json::to_string(&effect).unwrap();
        assert_eq!(serde_json::from_str::<Effect>(&line).unwrap(), effect);
    }
}
