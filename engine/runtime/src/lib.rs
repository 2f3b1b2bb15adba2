//! Carries out what the core decides: turns, group commit, dispatch, timers, recovery, HTTP steps, tasks.
//!
//! Each run that this process drives is one task that takes turns: drain the mailbox, decide, commit, dispatch.
//! Nothing is sent before the events that say so are durable. All turns of all runs go through one committer, which
//! writes what queued up while the last sync ran and syncs once for all.
//!
//! Time, randomness, the network, secrets and mock services are arguments ([`Options`]), so a test can own them.
//!
//! Invariants: one task per run, and only it appends to the run's history; no lock is held across an await; every
//! queue is bounded (see [`bounds`]).

mod alone;
pub mod bounds;
mod caught;
mod clock;
mod committer;
pub mod control;
mod crashes;
mod definitions;
mod dormant;
mod driven;
mod engine;
mod error;
mod find;
mod handle;
pub mod http;
mod inbox;
mod memory;
mod options;
mod random;
pub mod read;
pub mod rebuild;
mod recovery;
mod report;
mod rerun;
mod run;
mod set_aside;
mod start;
mod steer;
pub mod tasks;

pub use clock::{Clock, SystemClock};
pub use engine::Engine;
pub use error::{DriveError, EngineError, LoadError, RequestError, StartError};
pub use handle::{Finished, RunHandle};
pub use http::{Request, Transport};
pub use memory::AnswerRoom;
pub use options::{Environment, Mocks, Observer, Options, Secrets};
pub use random::{Random, SystemRandom};
pub use set_aside::SetAside;
pub use start::{Reuse, Start, Started};
pub use tasks::{Task, Tasks};
