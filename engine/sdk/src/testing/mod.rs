//! Tests of workflows: on simulated time, without a network, a disk or waiting, the same way each time.
//!
//! ```
//! use engine::testing::TestEngine;
//! use engine::{DefinitionError, HttpService, Outcome, StepContext, TaskError, Workflow};
//!
//! async fn charge(cx: StepContext, cents: u32) -> Result<String, TaskError> {
//!     cx.service("bank").post("/charge").json(&cents).send().await
//! }
//! async fn refund(cx: StepContext, _: Outcome<String>, cents: u32) -> Result<(), TaskError> {
//!     cx.service("bank").post("/refund").json(&cents).send().await
//! }
//! async fn ship(cx: StepContext, _receipt: String) -> Result<(), TaskError> {
//!     cx.service("depot").post("/ship").send().await
//! }
//! fn order() -> Result<Workflow<u32, ()>, DefinitionError> {
//!     let wf = Workflow::builder("order");
//!     wf.service("bank", HttpService::url("http://bank").idempotent());
//!     wf.service("depot", HttpService::url("http://depot").idempotent());
//!     let cents = wf.input::<u32>();
//!     let receipt = wf.step("charge", charge, cents).compensate(refund, (cents,));
//!     let shipped = wf.step("ship", ship, receipt);
//!     wf.finish(shipped)
//! }
//!
//! // With `#[engine::test] async fn …(t: TestEngine)` this is a test.
//! engine::testing::run(async |t: TestEngine| {
//!     let sweep = t.crash_after_every_commit(async |t| {
//!         t.service("bank").on_post("/charge").reply("r-1");
//!         t.service("bank").on_post("/refund").reply(());
//!         t.service("depot").on_post("/ship").fail(422);
//!         let run = t.start(&order().unwrap(), 4_200).await.unwrap();
//!         assert!(run.result().await.is_err());
//!     });
//!     sweep.assert_same_outcome();
//!     assert_eq!(sweep.undisturbed().effects_left(), Vec::<String>::new(), "what was charged was refunded");
//! });
//! ```
//!
//! Nothing here reads a clock, sleeps, or opens a socket. Time jumps ahead whenever nothing else can go on, so a test of
//! a timeout of seven days takes milliseconds; a task waits by [`StepContext::sleep`](crate::StepContext::sleep), as
//! tokio's own timers do not exist in a test.

mod client;
mod crash;
mod doubles;
mod engine;
mod service;
#[cfg(test)]
mod tests;
mod world;

pub use crash::{Crashes, Left};
pub use doubles::Fail;
pub use engine::TestEngine;
pub use service::{Answering, TestCall, TestService};

/// Carries a test out: what `#[engine::test]` makes of an `async fn`.
///
/// # Panics
/// Where the test does, and where it waits for what never comes.
pub fn run<R>(test: impl AsyncFnOnce(TestEngine) -> R) -> R {
    match world::World::new().live(None, test).0 {
        world::Lived::Through(result) => result,
        world::Lived::Crashed => panic!("the test was cut off although nothing was planned"),
    }
}
