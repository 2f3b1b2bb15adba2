//! The decider, driven through whole runs: random workflows under a random world, and the rules one by one.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test may end by panic")]

mod asked;
mod audit;
mod cases;
mod driver;
mod expected;
mod properties;
mod random;
mod spec;
mod totality;
mod world;
