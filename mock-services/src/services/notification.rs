//! The notification service: sends messages. It does not honour idempotency keys.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::{Decision, Effect};
use crate::call::{Answer, Call};

/// A message that was sent.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Message {
    notification_id: String,
    user_id: Option<String>,
    #[serde(rename = "type")]
    kind: String,
    data: Value,
    key: Option<String>,
}

/// What the notification service remembers.
#[derive(Debug, Default)]
pub(crate) struct Messages {
    messages: Vec<Message>,
}

pub(super) fn send(call: &Call, number: u64) -> Result<Decision, Answer> {
    let message = Message {
        notification_id: format!("ntf_{number}"),
        user_id: call.body.get("user_id").and_then(Value::as_str).map(str::to_owned),
        kind: call.text("type")?.to_owned(),
        data: call.body.get("data").cloned().unwrap_or(Value::Null),
        key: call.key.clone(),
    };
    let answer = json!({ "notification_id": message.notification_id, "status": "sent" });
    Ok(Decision::done(&answer, Effect::Sent(message)))
}

impl Messages {
    pub(super) fn sent(&mut self, message: Message) {
        self.messages.push(message);
    }

    pub(super) fn summary(&self) -> Value {
        json!({ "messages": self.messages })
    }
}

#[cfg(test)]
mod tests {
    use super::super::World;
    use super::super::testing::{body, call, carry_out};
    use super::*;
    use crate::catalogue::Endpoint;

    #[test]
    fn a_message_is_sent_with_or_without_a_user() {
        let mut world = World::default();
        let sent = carry_out(&mut world, &call(Endpoint::NotificationSend, json!({ "type": "order_error" })), 9);
        assert_eq!(body(&sent), json!({ "notification_id": "ntf_9", "status": "sent" }));
        let refused = carry_out(&mut world, &call(Endpoint::NotificationSend, json!({})), 10);
        assert_eq!(refused.answer.status, 422);
        assert_eq!(world.summary()["notification"]["messages"].as_array().unwrap().len(), 1);
    }
}
