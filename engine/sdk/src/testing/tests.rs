//! The engine of a test, tested.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::{Value, json};

use super::{TestEngine, run};
use crate::task::TaskEntry;
use crate::workflow::Built;
use crate::{EventKind, Outcome, RunError, RunStatus, StepContext, TaskError, Workflow};

async fn charge(cx: StepContext, cents: u32) -> Result<String, TaskError> {
    cx.service("bank").post("/charge").json(&cents).send().await
}

async fn refund(cx: StepContext, done: Outcome<String>, cents: u32) -> Result<(), TaskError> {
    cx.service("bank").post("/refund").json(&json!([done, cents])).send().await
}

async fn ship(cx: StepContext, receipt: String) -> Result<String, TaskError> {
    let parcel: String = cx.service("depot").post("/ship").json(&receipt).send().await?;
    Ok(parcel)
}

/// Charges, and then ships; a failed shipment is refunded.
fn order() -> Workflow<u32, String> {
    let file = json!({
        "format": "engine/1", "name": "order", "version": "1.0.0", "timeout": "30d",
        "services": {
            "bank": { "url": "http://bank", "idempotency": "key" },
            "depot": { "url": "http://depot", "idempotency": "key" },
        },
        "steps": {
            "charge": {
                "task": { "name": "charge@1", "args": ["${ .input }"] },
                "compensate": { "task": { "name": "charge.undo@1", "args": [
                    "${ if .forward.effect == \"done\" then {done: .steps.charge} else \"unknown\" end }", "${ .input }"
                ] } },
            },
            "ship": { "task": { "name": "ship@1", "args": ["${ .steps.charge }"] } },
        },
        "output": "${ .steps.ship }",
    });
    let definition = engine_core::definition::Definition::from_json(&file.to_string()).unwrap();
    let tasks = [
        ("charge@1", TaskEntry::new(charge)),
        ("charge.undo@1", TaskEntry::new(refund)),
        ("ship@1", TaskEntry::new(ship)),
    ];
    let tasks = tasks.into_iter().map(|(name, entry)| (name.parse().unwrap(), entry)).collect();
    let digest = definition.digest().to_string();
    Workflow::new(Built { definition: definition.into(), digest, tasks, needs: Vec::new(), input: None })
}

fn happy(t: &TestEngine) {
    t.service("bank").on_post("/charge").reply("r-1");
    t.service("bank").on_post("/refund").reply(Value::Null);
    t.service("depot").on_post("/ship").reply("p-1");
}

#[test]
fn a_run_gives_what_its_workflow_gives() {
    run(async |t: TestEngine| {
        happy(&t);
        let run = t.start(&order(), 4_200).id("order-1").await.unwrap();
        assert!(run.is_new());
        assert_eq!(run.result().await.unwrap(), "p-1");
        assert_eq!(run.status().await.unwrap(), RunStatus::Completed);
        assert_eq!(t.attempts(), ["charge", "ship"]);
        assert_eq!(t.effects_left(), ["bank POST /charge", "depot POST /ship"]);
        let again = t.start(&order(), 4_200).id("order-1").await.unwrap();
        assert_eq!((again.is_new(), again.id()), (false, run.id()));
        assert!(t.start(&order(), 1).id("order-1").await.is_err(), "the same id with other input");
        assert_eq!(t.find(&order(), "order-1").await.id(), run.id());
        let kinds: Vec<EventKind> = run.history().await.unwrap().iter().map(|event| event.kind).collect();
        let mut followed = Vec::new();
        let mut events = run.events();
        while let Some(event) = events.next().await {
            followed.push(event.unwrap().kind);
        }
        assert_eq!(kinds, followed);
        assert_eq!((kinds[0], kinds[kinds.len() - 1]), (EventKind::RunStarted, EventKind::RunCompleted));
    });
}

#[test]
fn a_refused_shipment_is_refunded() {
    run(async |t: TestEngine| {
        happy(&t);
        t.service("depot").on_post("/ship").fail(422);
        let run = t.start(&order(), 4_200).await.unwrap();
        let RunError::Compensated { failure: Some(failure) } = run.result().await.unwrap_err() else { panic!() };
        assert_eq!((failure.step.as_str(), failure.code.as_str()), ("ship", "HTTP_422"));
        assert_eq!(t.undone(), ["charge"]);
        assert_eq!(t.effects_left(), Vec::<String>::new());
        let refund = t.calls().pop().unwrap();
        assert_eq!(refund.body, json!([{ "done": "r-1" }, 4_200]));
    });
}

#[test]
fn what_nobody_knows_is_undone_and_time_costs_nothing() {
    run(async |t: TestEngine| {
        happy(&t);
        t.service("bank").on_post("/charge").unreachable();
        t.service("bank").on_post("/refund").fail(404);
        t.fail("charge").unknown().times(1);
        let run = t.start(&order(), 4_200).await.unwrap();
        let error = run.result().await.unwrap_err();
        assert!(matches!(error, RunError::Compensated { .. }), "nothing to undo is undone: {error}");
        assert!(t.elapsed() > Duration::from_millis(100), "it waited, in simulated time");
    });
}

#[test]
fn a_mock_may_capture_and_a_lost_answer_is_found_again() {
    run(async |t: TestEngine| {
        happy(&t);
        let parcel = "p-2".to_owned();
        t.mock("ship", move |_: StepContext, receipt: String| {
            let parcel = format!("{parcel} for {receipt}");
            async move { Ok::<_, TaskError>(parcel) }
        });
        t.service("bank").on_post("/charge").lose_answers(1).reply("r-9");
        let run = t.start(&order(), 1).await.unwrap();
        assert_eq!(run.result().await.unwrap(), "p-2 for r-9");
        assert_eq!(t.effects_left(), ["bank POST /charge"], "charged once, though asked twice");
        assert_eq!(t.calls().len(), 2);
    });
}

#[test]
fn killed_at_any_moment_it_comes_to_the_same_end() {
    run(async |t: TestEngine| {
        for refuses in [false, true] {
            let sweep = t.crash_after_every_commit(async |t| {
                happy(&t);
                if refuses {
                    t.service("depot").on_post("/ship").fail(422);
                }
                t.service("bank").on_post("/charge").fail_times(1, 503).reply("r-1");
                let run = t.start(&order(), 4_200).await.unwrap();
                assert_eq!(run.result().await.is_err(), refuses);
            });
            sweep.assert_same_outcome();
            assert!(sweep.count() > 8, "{}", sweep.count());
            let left = if refuses { vec![] } else { vec!["bank POST /charge", "depot POST /ship"] };
            assert_eq!(sweep.undisturbed().effects_left(), left);
        }
    });
}

#[test]
fn a_cancel_turns_the_run_back() {
    run(async |t: TestEngine| {
        happy(&t);
        t.mock("ship", async |cx: StepContext, _: String| {
            cx.cancelled().await;
            Err::<String, _>(TaskError::refused("STOPPED"))
        });
        let run = t.start(&order(), 1).await.unwrap();
        t.skip(Duration::from_secs(10)).await;
        run.cancel().await.unwrap();
        let error = run.result().await.unwrap_err();
        assert!(matches!(error, RunError::Cancelled { .. }), "{error}");
        assert_eq!(t.undone(), ["charge"]);
    });
}

#[test]
#[should_panic(expected = "waits for what never comes")]
fn who_waits_for_ever_is_told() {
    run(async |_: TestEngine| std::future::pending::<()>().await);
}

async fn note(cx: StepContext, _: u32) -> Result<(), TaskError> {
    tracing::info!("at work");
    cx.sleep(Duration::from_secs(1)).await;
    Ok(())
}

#[test]
fn a_saga_with_a_timeout_of_a_week_is_undone_after_a_week() {
    let wf = Workflow::builder("patient");
    wf.timeout("7d");
    let cents = wf.input::<u32>();
    let noted = wf.step("note", note, cents).compensate(forget, ());
    let retry = crate::Retry::attempts(1_000).initial("1h").max_interval("6h").max_elapsed("30d");
    let waits = wf.step("wait", note, cents).after(noted).retry(retry);
    let patient = wf.finish(waits).unwrap();
    run(async |t| {
        t.fail("wait").times(1_000);
        let error = t.start(&patient, 1).await.unwrap().result().await.unwrap_err();
        assert!(matches!(error, RunError::Cancelled { reason: crate::CancelReason::Timeout, .. }), "{error}");
        assert_eq!(t.undone(), ["note"]);
        let week = Duration::from_hours(7 * 24);
        assert!(t.elapsed() >= week && t.elapsed() < week + Duration::from_hours(1), "{:?}", t.elapsed());
    });
}

async fn forget(_: StepContext, _: Outcome<()>) -> Result<(), TaskError> {
    Ok(())
}

#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl std::io::Write for Log {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

#[test]
fn what_a_task_logs_says_of_which_attempt_it_is() {
    let wf = Workflow::builder("logged");
    let noted = wf.step("note", note, wf.input::<u32>());
    let logged = wf.finish(noted).unwrap();
    let log = Log::default();
    let writer = log.clone();
    let subscriber = tracing_subscriber::fmt().with_ansi(false).with_writer(move || writer.clone()).finish();
    tracing::subscriber::with_default(subscriber, || {
        // A place that another test's thread came through first, while this subscriber was there, is off by that
        // thread's default, for all: so all places are gone through once, and asked again on this thread.
        run(async |t| t.start(&logged, 1).await.unwrap().result().await.unwrap());
        tracing::callsite::rebuild_interest_cache();
        log.0.lock().unwrap().clear();
        run(async |t| {
            t.fail("note").times(1);
            let run = t.start(&logged, 1).await.unwrap();
            run.result().await.unwrap();
            let text = String::from_utf8(log.0.lock().unwrap().clone()).unwrap();
            let line = text.lines().find(|line| line.ends_with("at work")).unwrap();
            for field in [&format!("run={}", run.id()), "workflow=logged", "step=note", "side=Forward", "attempt=2"] {
                assert!(line.contains(field), "{field} in {line}");
            }
        });
    });
}
