//! Durable workflows and sagas inside your own program.
//!
//! You write the steps as plain `async` functions, say which step takes what from which, and how a step is undone. The
//! engine carries a run to its end, or undoes what was done, whatever crashes meanwhile. It needs a directory, and
//! nothing else.
//!
//! ```
//! use std::collections::BTreeMap;
//! use std::sync::{Arc, Mutex};
//!
//! use engine::{DefinitionError, Engine, Outcome, Retry, RunError, StepContext, TaskError, Workflow, pick};
//! use serde::{Deserialize, Serialize};
//!
//! #[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
//! struct Order { id: String, cents: u32, city: String }
//!
//! /// Stands in for a bank: what was charged, by idempotency key.
//! type Bank = Arc<Mutex<BTreeMap<String, Order>>>;
//!
//! async fn charge(cx: StepContext, order: Order) -> Result<String, TaskError> {
//!     let bank = cx.state::<Bank>()?;
//!     // A second attempt has the same key, and changes nothing.
//!     bank.lock().unwrap().insert(cx.key().to_owned(), order);
//!     Ok(format!("receipt {}", cx.key()))
//! }
//!
//! // `Outcome::Unknown` where nobody knows whether the charge came through: so it goes by the order, not by a receipt.
//! async fn refund(cx: StepContext, _: Outcome<String>, order: Order) -> Result<(), TaskError> {
//!     cx.state::<Bank>()?.lock().unwrap().retain(|_, charged| charged.id != order.id);
//!     Ok(())
//! }
//!
//! async fn pack(_: StepContext, order: Order) -> Result<String, TaskError> {
//!     Ok(format!("parcel for {}", order.id))
//! }
//!
//! async fn ship(_: StepContext, parcel: String, city: String) -> Result<String, TaskError> {
//!     if city == "Atlantis" {
//!         return Err(TaskError::refused("NO_ROUTE").message("nobody drives there"));
//!     }
//!     Ok(format!("{parcel}, to {city}"))
//! }
//!
//! fn order_saga() -> Result<Workflow<Order, String>, DefinitionError> {
//!     let wf = Workflow::builder("order_saga");
//!     wf.needs::<Bank>();
//!     let order = wf.input::<Order>();
//!     let charged = wf.step("charge", charge, order).retry(Retry::exponential(4, "200ms")).compensate(refund, order);
//!     let parcel = wf.step("pack", pack, order).after(charged);
//!     let shipped = wf.step("ship", ship, (parcel, pick!(order.city)));
//!     wf.finish(shipped)
//! }
//!
//! #[tokio::main]
//! async fn main() -> Result<(), Box<dyn std::error::Error>> {
//!     let (saga, bank) = (order_saga()?, Bank::default());
//!     // `Engine::open("./.engine")` keeps everything in that directory.
//!     let engine = Engine::in_memory().register(&saga).state(bank.clone()).start().await?;
//!
//!     let order = Order { id: "order-1001".into(), cents: 4_200, city: "Shanghai".into() };
//!     let run = engine.start(&saga, order.clone()).id("order-1001").await?;
//!     assert_eq!(run.result().await?, "parcel for order-1001, to Shanghai");
//!
//!     let far = Order { id: "order-1002".into(), city: "Atlantis".into(), ..order };
//!     let run = engine.start(&saga, far).id("order-1002").await?;
//!     let error = run.result().await.unwrap_err();
//!     assert!(matches!(error, RunError::Compensated { .. }), "{error}");
//!     assert_eq!(bank.lock().unwrap().len(), 1, "the second order was refunded");
//!     engine.shutdown().await?;
//!     Ok(())
//! }
//! ```
//!
//! # How the pieces fit
//!
//! | | |
//! |---|---|
//! | [`Workflow::builder`], [`Builder`] | declares steps, and checks the whole in [`finish`](Builder::finish) |
//! | [`Port`], [`Step`] | handles of values that a run will have; what a step takes it waits for |
//! | [`StepContext`] | what a task knows of its attempt: key, number, time left, state, services |
//! | [`TaskError`], [`Retry`] | whether an attempt is made again, and when |
//! | [`Outcome`] | what a compensation is told of the step that it undoes |
//! | [`Engine`], [`EngineBuilder`] | owns a data directory and drives its runs |
//! | [`RunHandle`], [`RunStatus`], [`RunError`] | one run: its result, its status, its history; cancel and signal it |
//! | [`Registry`] | workflows, tasks and state together, for a program that hands them on |
//! | [`testing`] | simulated time, services and crashes |
//!
//! A workflow is data: [`Workflow::to_json`] is the file that the `engine` binary reads as well. Tasks are called by
//! name. Your code is never replayed, so tasks may read clocks and draw random numbers.
//!
//! # What survives a crash
//!
//! Kill the process or cut the power. The next [`Engine`] on the same directory goes on by itself:
//!
//! | survives | is gone |
//! |---|---|
//! | a start that was answered, with its input | a start that was not; make it again with the same `.id(..)` |
//! | what a step gave, once the next one has begun | an attempt in flight: it is made again, with the same key |
//! | checkpoints, retries so far and when the next is due | variables of tasks, and [`state`](EngineBuilder::state) |
//! | the answer to a cancel or a signal | handles and futures: [`Engine::find`] gives a new handle |
//!
//! # Where an effect happens once
//!
//! An attempt can die after its effect and before its result is stored. So a step runs at least once, and its effect
//! happens once as far as the callee knows repeats by [`StepContext::key`]. All attempts of a step have the same key,
//! also after a crash; its compensation has another. [`StepContext::service`] sends it as `Idempotency-Key`. For a
//! database, put the key under a unique index in the same transaction. With [`Retry::never`] a step runs at most once.
//!
//! # Errors of tasks
//!
//! | a task gives | another attempt | what this one did |
//! |---|---|---|
//! | `?` on any error; [`TaskError::retry`]; a panic; a timeout | yes | unknown |
//! | [`TaskError::refused`] | no | nothing |
//! | [`TaskError::fatal`] | no | unknown |
//! | the error of a [`ServiceCall`] | see there | see there |
//!
//! A step that failed for good turns its run back: done and unknown steps are undone, the latest first; what did
//! nothing is left alone. "Unknown" stays until an attempt succeeds. A later refusal does not settle it, except by a
//! service that honours keys ([`HttpService::idempotent`]).
//!
//! # Versions of tasks
//!
//! A run stays with the definition that it started with, and that names its tasks with versions: `charge@1`. Where a
//! task takes or gives something else than before, use `task!(charge@2)` ([`task!`]) or [`TaskExt::version`], and
//! [`keep`](Builder::keep) the old function as `charge@1` until its runs have ended. A run whose task is missing waits
//! as [`Stuck`](RunStatus::Stuck) until a program that has it takes the directory; nothing fails because of it.
//!
//! # Tests and programs around it
//!
//! [`#[engine::test]`](macro@test) gives a test a [`testing::TestEngine`] without network, disk or waiting, which can
//! crash it at every write. The engine runs inside your tokio runtime; tasks get threads of their own
//! ([`EngineBuilder::task_threads`]). Call [`Engine::shutdown`] before you leave. One process owns a directory;
//! meanwhile the verbs of the `engine` binary (`list`, `show`, `cancel`, …) ask it. Whole programs stand in
//! `engine/sdk/examples`: `axum.rs`, `worker.rs`, `testing.rs`. You know Celery? See [`for_celery_users`].

#![warn(missing_debug_implementations)]

mod bound;
mod builder;
mod client;
mod context;
mod embedded;
mod engine;
mod error;
mod history;
mod observe;
mod registry;
mod run;
mod seal;
mod service;
mod task;
pub mod testing;
mod threads;
mod workflow;

#[doc = include_str!("../docs/celery.md")]
pub mod for_celery_users {}

/// Inner types that some options take: [`EngineBuilder::store`], [`EngineBuilder::clock`]. They are those of the engine's
/// own parts, and may change with a minor version.
pub mod inner {
    pub use engine_runtime::{Clock, SystemClock};
    pub use engine_store::{MemoryStore, Store};
    pub use engine_store_sled::SledStore;
}

#[doc(hidden)]
pub use bound::{Equipped, Program};
pub use builder::*;
pub use client::{
    Answer, Ask, CancelReason, Client, ClientError, NewRun, RunStatus, RunView, StartError, StartedRun, StepFailure,
};
pub use context::StepContext;
pub use engine::{DirectoryError, Engine, EngineBuilder, OpenError};
pub use engine_macros::test;
pub use error::TaskError;
pub use history::{EventKind, HistoryEvent};
pub use registry::{RegisterError, Registry};
pub use run::{Events, RunError, RunHandle, StartRun};
pub use service::{Service, ServiceCall};
pub use task::{
    ArgTypes, Named, NoCapture, Outcome, OutcomeOf, TaskArg, TaskExt, TaskFn, TaskFuture, TaskOutput, TaskResult,
    Undoes,
};
pub use workflow::Workflow;
