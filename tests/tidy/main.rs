//! What no compiler checks: who may depend on whom, how long a file may be, what the core may not touch, which
//! matches list every case. Each rule is a function from sources to findings, tried on an example that breaks it, and
//! held against the whole tree. A finding says where it is and what to do.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test may panic"
)]

mod arrows;
mod files;
mod matches;
mod readme;
mod tree;
mod words;
