//! Runs cut off everywhere, on simulated time against scripted services.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "tests fail by panicking"
)]

mod crashes;
mod generated;
mod operators;
mod planted;
mod requests;
mod shop;
mod table;
