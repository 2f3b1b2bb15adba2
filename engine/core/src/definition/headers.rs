//! Names and values of headers.

use crate::format::quoted;

/// Headers that the engine or the transport sets.
const OWNED: [&str; 15] = [
    "idempotency-key",
    "idempotency-key-of",
    "host",
    "content-length",
    "transfer-encoding",
    "connection",
    "keep-alive",
    "proxy-connection",
    "te",
    "trailer",
    "upgrade",
    "expect",
    "traceparent",
    "tracestate",
    "baggage",
];

/// Why a file may not use this name for a header.
pub(super) fn name_problem(name: &str) -> Option<String> {
    let token = |c: char| c.is_ascii_alphanumeric() || "!#$%&'*+-.^_`|~".contains(c);
    if name.is_empty() || name.len() > crate::bounds::ID_LEN || !name.chars().all(token) {
        return Some(format!("{} is no name of a header: use letters, digits and `-`", quoted(name)));
    }
    let owned = OWNED.iter().any(|owned| owned.eq_ignore_ascii_case(name));
    owned.then(|| format!("the engine sets the header {} itself; take it out", quoted(name)))
}

/// Why this can't stand in the value of a header.
pub(super) fn value_problem(value: &str) -> Option<String> {
    let fine = |c: char| c == '\t' || (' '..='~').contains(&c);
    (!value.chars().all(fine)).then(|| "the value of a header is ASCII without line breaks".to_owned())
}
