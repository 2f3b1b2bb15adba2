//! Tests of workflows without a network, a disk or waiting.
//!
//! A [`Case`] is a workflow with its input, scripted services and what people ask for meanwhile. A [`Simulator`] runs
//! it on simulated time in one thread, the same way each time, bit by bit; counts everything that becomes durable;
//! and runs it again with the process cut off before and after each of these writes. Whatever the moment, the run has to
//! come to the same end with the same things done.
//!
//! ```
//! use std::sync::Arc;
//!
//! use engine_core::definition::Definition;
//! use engine_core::state::Status;
//! use engine_testkit::{Act, Behaviour, Case, Endpoint, Point, Script, Simulator};
//!
//! let file = r#"{
//!     "format": "engine/1", "name": "order", "version": "1.0.0",
//!     "services": { "bank": { "url": "http://bank", "idempotency": "key" } },
//!     "steps": { "charge": {
//!         "http": { "service": "bank", "post": "/charge" },
//!         "compensate": { "http": { "service": "bank", "post": "/refund" } }
//!     } }
//! }"#;
//! let services = Script::new()
//!     .on("bank/charge", Endpoint::effect().first(2, Behaviour::FailThoughDone(503)))
//!     .on("bank/refund", Endpoint::undo("bank/charge"));
//! let definition = Arc::new(Definition::from_json(file).unwrap());
//! let case = Case::new("cancelled charge", definition, serde_json::json!({}), services)
//!     .at(Point::waiting("charge"), Act::cancel());
//!
//! let sweep = Simulator::new(case).crash_at_every_write();
//! assert_eq!(sweep.undisturbed().outcome.status, Some(Status::Cancelled));
//! assert!(sweep.undisturbed().outcome.net.is_empty(), "what may have been charged was refunded");
//! sweep.assert_same_outcome();
//! ```
//!
//! The parts can be used alone: [`SimClock`], [`FaultStore`], [`Services`], [`SeededRandom`].
//!
//! Invariants: nothing here reads a clock, sleeps or opens a socket; what a process began is gone before the next
//! begins; a request that reached a service goes on without its caller.

mod case;
mod client;
mod clock;
mod left;
mod life;
mod random;
mod report;
mod services;
mod simulator;
mod store;
mod sweep;

pub use case::{Act, Case, Point};
pub use clock::SimClock;
pub use life::Life;
pub use random::SeededRandom;
pub use report::{Outcome, Report};
pub use services::{Became, Behaviour, Endpoint, Entry, Script, Services};
pub use simulator::Simulator;
pub use store::{Fault, FaultStore, Planned};
pub use sweep::Sweep;
