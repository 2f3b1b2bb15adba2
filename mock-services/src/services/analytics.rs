//! The analytics service: counts events. It does not honour idempotency keys.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::{Decision, Effect};
use crate::call::{Answer, Call};

/// An event that was tracked.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[allow(clippy::struct_field_names, reason = "the names in the JSON")]
pub(crate) struct Event {
    event_id: String,
    event_type: String,
    data: Value,
    key: Option<String>,
}

/// What the analytics service remembers.
#[derive(Debug, Default)]
pub(crate) struct Events {
    events: Vec<Event>,
}

pub(super) fn track(call: &Call, number: u64) -> Result<Decision, Answer> {
    let event = Event {
        event_id: format!("evt_{number}"),
        event_type: call.text("event_type")?.to_owned(),
        data: call.body.get("data").cloned().unwrap_or(Value::Null),
        key: call.key.clone(),
    };
    let answer = json!({ "event_id": event.event_id });
    Ok(Decision::done(&answer, Effect::Tracked(event)))
}

impl Events {
    pub(super) fn tracked(&mut self, event: Event) {
        self.events.push(event);
    }

    pub(super) fn summary(&self) -> Value {
        json!({ "events": self.events })
    }
}

#[cfg(test)]
mod tests {
    use super::super::World;
    use super::super::testing::{body, call, carry_out};
    use super::*;
    use crate::catalogue::Endpoint;

    #[test]
    fn an_event_is_tracked() {
        let mut world = World::default();
        let tracked = carry_out(
            &mut world,
            &call(Endpoint::AnalyticsTrack, json!({ "event_type": "order_completed", "data": { "items_count": 2 } })),
            3,
        );
        assert_eq!(body(&tracked), json!({ "event_id": "evt_3" }));
        assert_eq!(world.summary()["analytics"]["events"][0]["data"]["items_count"], 2);
    }
}
