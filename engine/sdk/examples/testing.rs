//! A saga over two services, and its tests: on simulated time, without a network, and with crashes.
//!
//! ```sh
//! cargo test -p engine --example testing
//! cargo run -p engine --example testing     # prints the workflow as a file for the `engine` binary
//! ```

#![allow(clippy::print_stdout, reason = "it shows the workflow")]

use engine::{DefinitionError, HttpService, Outcome, Retry, StepContext, TaskError, Workflow};
use serde_json::json;

async fn charge(cx: StepContext, cents: u32) -> Result<String, TaskError> {
    // The key of the step goes along as `Idempotency-Key`.
    cx.service("bank").post("/charge").json(&cents).send().await
}

async fn refund(cx: StepContext, charged: Outcome<String>, cents: u32) -> Result<(), TaskError> {
    let body = json!({ "receipt": charged.done(), "cents": cents });
    cx.service("bank").post("/refund").json(&body).send().await
}

async fn ship(cx: StepContext, receipt: String) -> Result<String, TaskError> {
    cx.service("depot").post("/ship").json(&receipt).send().await
}

fn order() -> Result<Workflow<u32, String>, DefinitionError> {
    let wf = Workflow::builder("order");
    wf.service("bank", HttpService::url("https://bank.example").idempotent());
    wf.service("depot", HttpService::url("https://depot.example").idempotent());
    let cents = wf.input::<u32>();
    let receipt = wf.step("charge", charge, cents).retry(Retry::fixed(3, "10s")).compensate(refund, cents);
    let parcel = wf.step("ship", ship, receipt);
    wf.finish(parcel)
}

fn main() -> Result<(), DefinitionError> {
    println!("{}", order()?.to_json());
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use engine::RunError;
    use engine::testing::TestEngine;

    use super::*;

    #[engine::test]
    async fn a_bank_that_is_away_is_asked_again(t: TestEngine) {
        t.service("bank").on_post("/charge").fail_times(2, 503).reply("r-1");
        t.service("depot").on_post("/ship").reply("p-1");
        let run = t.start(&order().unwrap(), 4_200).await.unwrap();
        assert_eq!(run.result().await.unwrap(), "p-1");
        assert_eq!(t.attempts(), ["charge", "charge", "charge", "ship"]);
        assert!(t.elapsed() >= Duration::from_secs(20), "which took no time of ours");
        assert!(t.calls().iter().take(3).all(|call| call.key == t.calls()[0].key), "one key for all attempts");
    }

    #[engine::test]
    async fn what_can_not_be_shipped_is_refunded(t: TestEngine) {
        t.service("bank").on_post("/charge").reply("r-1");
        t.service("bank").on_post("/refund").reply(());
        t.service("depot").on_post("/ship").fail(422);
        let error = t.start(&order().unwrap(), 4_200).await.unwrap().result().await.unwrap_err();
        assert!(matches!(error, RunError::Compensated { .. }), "{error}");
        assert_eq!(t.undone(), ["charge"]);
    }

    /// Killed before and after every write, and with an answer lost on top: charged once, or refunded, each time.
    #[engine::test]
    async fn killed_at_any_moment_it_comes_to_the_same_end(t: TestEngine) {
        for (ships, left) in [(true, vec!["bank POST /charge", "depot POST /ship"]), (false, vec![])] {
            let crashes = t.crash_after_every_commit(async |t| {
                t.service("bank").on_post("/charge").lose_answers(1).reply("r-1");
                t.service("bank").on_post("/refund").reply(());
                let depot = t.service("depot");
                if ships {
                    depot.on_post("/ship").reply("p-1");
                } else {
                    depot.on_post("/ship").fail(422);
                }
                let run = t.start(&order().unwrap(), 4_200).id("order-1").await.unwrap();
                assert_eq!(run.result().await.is_ok(), ships);
            });
            crashes.assert_same_outcome();
            assert_eq!(crashes.undisturbed().effects_left(), left);
        }
    }
}
