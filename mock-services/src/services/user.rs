//! The user service: knows whether a user may order.

use serde_json::{Value, json};

use super::Decision;
use crate::call::Call;

const KNOWN: [(&str, &str); 3] = [("test_user_123", "Test User"), ("alice", "Alice"), ("bob", "Bob")];

/// Every id is valid but an empty one and those that start with `blocked`, so that examples may
/// use any name they like.
pub(super) fn validate(call: &Call) -> Decision {
    let id = call.id.as_deref().unwrap_or_default();
    if id.is_empty() {
        return Decision::told(&json!({ "valid": false, "error": "the user id is empty" }));
    }
    if id.starts_with("blocked") {
        return Decision::told(&json!({ "valid": false, "error": format!("user `{id}` is blocked") }));
    }
    let name = KNOWN.iter().find_map(|(known, name)| (*known == id).then_some(*name)).unwrap_or(id);
    Decision::told(&json!({
        "valid": true,
        "user_info": { "user_id": id, "name": name, "status": "active" },
    }))
}

pub(super) fn summary() -> Value {
    json!({ "accounts": KNOWN.map(|(id, _)| id) })
}

#[cfg(test)]
mod tests {
    use super::super::testing::{body, call};
    use super::*;
    use crate::catalogue::Endpoint;

    fn validated(id: &str) -> Value {
        let mut call = call(Endpoint::UserValidate, Value::Null);
        call.id = Some(id.to_owned());
        body(&validate(&call))
    }

    #[test]
    fn only_blocked_and_empty_ids_are_invalid() {
        assert_eq!(validated("test_user_123")["valid"], json!(true));
        assert_eq!(validated("test_user_123")["user_info"]["name"], json!("Test User"));
        assert_eq!(validated("somebody")["valid"], json!(true));
        assert_eq!(validated("blocked_9"), json!({ "valid": false, "error": "user `blocked_9` is blocked" }));
        assert_eq!(validated("")["valid"], json!(false));
    }
}
