//! The rules one by one: each case is a short story of a run.

mod attempts;
mod crashes;
mod ends;
mod kit;
mod optional;
mod payloads;
mod pivot;
mod resolve;
mod secrets;
mod stopping;
mod timeout;
mod undoing;
