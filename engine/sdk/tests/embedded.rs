//! The engine inside a program: on a real directory, on real time, with processes that die.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test may panic"
)]

#[path = "embedded/directory.rs"]
mod directory;
#[path = "embedded/endings.rs"]
mod endings;
#[path = "embedded/handler.rs"]
mod handler;
#[path = "embedded/killed.rs"]
mod killed;
#[path = "embedded/order.rs"]
mod order;
#[path = "embedded/rough_tasks.rs"]
mod rough_tasks;
#[path = "embedded/watched.rs"]
mod watched;
