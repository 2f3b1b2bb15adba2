//! The pure heart of the engine: what a workflow is, what happened to a run of it, and what is to be done next.
//!
//! Nothing here reads a clock, a disk, a socket or a random source; every such thing is an argument. The same
//! definition, history and input give the same decision, always, bit by bit. That is what makes crash tests cheap:
//! a run can be cut at any event, folded again from its history, and must go on to the same end.
//!
//! The way through the crate:
//!
//! | module | what it holds |
//! |---|---|
//! | [`mod@format`] | the workflow file, key by key, as serde types |
//! | [`definition`] | the checked, compiled form of one workflow version |
//! | [`graph`] | workflows and runs as drawings |
//! | [`expression`] | `${ … }`: jq's syntax, bounded and deterministic |
//! | [`event`] | the recorded facts |
//! | [`task`] | the names of functions that steps call |
//! | [`request`] | what is asked of a run from outside, and what is answered |
//! | [`state`] | the fold of a history |
//! | [`machine`] | decides: state + input → events and commands |
//!
//! Invariants: folding never evaluates an expression and needs no definition; a decision never looks at anything
//! but its arguments; no map whose order could differ between two processes is ever iterated.

pub mod bounds;
pub mod call;
pub mod definition;
pub mod event;
pub mod expression;
pub mod failure;
pub mod format;
pub mod graph;
pub mod id;
pub mod machine;
pub mod payload;
pub mod request;
pub mod state;
pub mod task;
pub mod time;
pub mod trace;
