//! What `new` makes has tests of its own: here they are carried out.
#![allow(missing_docs, unreachable_pub, dead_code, clippy::unwrap_used, clippy::match_same_arms)]

#[path = "../templates/new/src/trip.rs"]
mod trip;
