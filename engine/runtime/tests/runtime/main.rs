//! The runtime on a store in memory and a scripted network.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, reason = "tests fail by panicking")]

mod clocks;
mod control;
mod dormant;
mod following;
mod group_commit;
mod http_client;
mod keeping;
mod poison;
mod recovery;
mod requests_by_phase;
mod set_aside;
mod stage;
mod start_up;
mod steering;
mod stopping;
mod stray_tasks;
mod tasks;
mod world;
