//! Workflows as users build them: what comes of them, and what is said of those that can't be built.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test may panic"
)]

#[path = "builder/built.rs"]
mod built;
#[path = "builder/order_saga.rs"]
mod order_saga;
#[path = "builder/problems.rs"]
mod problems;
#[path = "builder/registry.rs"]
mod registry;
#[path = "builder/running.rs"]
mod running;
#[path = "builder/shop.rs"]
mod shop;
