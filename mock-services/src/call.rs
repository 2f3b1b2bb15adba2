//! One request as the services see it, and their answer.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::catalogue::Endpoint;

/// A request to an endpoint, free of HTTP.
#[derive(Clone, Debug)]
pub(crate) struct Call {
    pub(crate) endpoint: Endpoint,
    pub(crate) path: String,
    /// The id in the path, decoded: `users/{id}/validate`.
    pub(crate) id: Option<String>,
    /// `Idempotency-Key`.
    pub(crate) key: Option<String>,
    /// `Idempotency-Key-Of`: the key of the request that this one undoes.
    pub(crate) forward_key: Option<String>,
    /// The JSON body; a body that is no JSON is a string here, which every endpoint refuses.
    pub(crate) body: Value,
}

impl Call {
    /// A text field of the body, or the refusal that says what is missing.
    pub(crate) fn text(&self, field: &str) -> Result<&str, Answer> {
        match self.body.get(field).and_then(Value::as_str) {
            Some(text) if !text.is_empty() => Ok(text),
            _ => Err(Answer::refused(422, &format!("`{field}` must be a non-empty string"))),
        }
    }
}

/// What a service answers. The body is kept as text, so that a repeat is the same byte for byte.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) body: String,
}

impl Answer {
    pub(crate) fn json(status: u16, body: &Value) -> Answer {
        Answer { status, body: body.to_string() }
    }

    pub(crate) fn ok(body: &Value) -> Answer {
        Answer::json(200, body)
    }

    pub(crate) fn refused(status: u16, error: &str) -> Answer {
        Answer::json(status, &json!({ "error": error }))
    }

    pub(crate) fn is_success(&self) -> bool {
        (200..300).contains(&self.status)
    }
}

/// `%41` becomes `A`. What is no valid escape stays as it is.
pub(crate) fn percent_decode(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((first, tail)) = rest.split_first() {
        let escaped = tail.get(..2).and_then(hex_byte);
        if let (b'%', Some(byte)) = (first, escaped) {
            bytes.push(byte);
            rest = tail.get(2..).unwrap_or_default();
        } else {
            bytes.push(*first);
            rest = tail;
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

fn hex_byte(digits: &[u8]) -> Option<u8> {
    if !digits.iter().all(u8::is_ascii_hexdigit) {
        return None;
    }
    u8::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escapes_are_decoded_and_broken_ones_kept() {
        assert_eq!(percent_decode("a%20b%2Fc"), "a b/c");
        assert_eq!(percent_decode("%E4%B8%AD"), "中");
        assert_eq!(percent_decode("50%"), "50%");
        assert_eq!(percent_decode("%+1"), "%+1");
    }
}
