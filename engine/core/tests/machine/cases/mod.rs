//! The rules one by one: each case is a short story of a run.

mod attempts;
mod cancelling;
mod crashes;
mod ends;
mod kit;
mod optional;
mod pausing;
mod payloads;
mod pivot;
mod requests;
mod rerunning;
mod resolve;
mod secrets;
mod signals;
mod stopping;
mod terminating;
mod timeout;
mod undoing;
mod words;

/// An answer of this status, with a body.
pub(crate) fn answer(status: u16) -> engine_core::machine::AttemptOutcome {
    kit::answered(status, &serde_json::json!({ "ok": true }))
}
