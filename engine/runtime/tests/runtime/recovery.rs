//! A process that dies after any commit, and the next one.

use std::sync::Arc;
use std::time::Duration;

use engine_core::definition::Definition;
use engine_core::event::Event;
use engine_core::machine::AttemptOutcome;
use engine_core::state::Status;
use engine_core::time::Timestamp;
use engine_runtime::{Engine, Finished, read};
use engine_store::{MemoryStore, Store, TimerClock};

use crate::world::{self, World, answer};

/// A saga over four calls: two that can be undone, one that may be refused.
fn saga() -> Arc<Definition> {
    world::definition(&serde_json::json!({
        "check": { "http": { "service": "svc", "post": "/check" } },
        "charge": { "after": ["check"], "http": { "service": "svc", "post": "/charge" },
                    "compensate": { "http": { "service": "svc", "post": "/refund" } } },
        "take": { "after": ["charge"], "http": { "service": "svc", "post": "/take" },
                  "compensate": { "http": { "service": "svc", "post": "/release" } } },
        "record": { "after": ["take"], "http": { "service": "svc", "post": "/record" } },
    }))
}

fn refused() -> AttemptOutcome {
    answer(422, r#"{"error":"no"}"#)
}

/// What the world looks like after a case: status, and how often each thing was done.
type Outcome = (Status, [usize; 5]);

const PATHS: [&str; 5] = ["/charge", "/refund", "/take", "/release", "/record"];

/// Runs the saga, killing the process after its `crash_after`-th commit; gives the outcome and the commits made.
async fn run_case(refuse: Option<&str>, crash_after: Option<usize>) -> (Outcome, u64) {
    let world = World::new();
    if let Some(path) = refuse {
        world.script(path, std::iter::repeat_n(refused(), 20));
    }
    let (store, gate) = MemoryStore::with_gate();
    let store = Arc::new(store);
    let first = Engine::open(store.clone(), world::options(&world)).await.unwrap();
    gate.release(crash_after.unwrap_or(1_000));
    let started = {
        let first = first.clone();
        tokio::spawn(async move {
            let run = first.start(world::start(&saga(), "order-1")).await.unwrap().run;
            first.drive(run).await.unwrap().finish().await
        })
    };
    let commits = crash_after.map_or(u64::MAX, |commits| commits as u64 + 1);
    tokio::select! {
        biased;
        () = gate.reached(commits) => {}
        _ = started => {}
    }
    first.shutdown(Duration::ZERO).await;
    let made = store.counters().units;
    let store = Arc::new(store.reopen());
    gate.open();

    let second = Engine::open(store.clone(), world::options(&world)).await.unwrap();
    let run = second.start(world::start(&saga(), "order-1")).await.unwrap().run;
    let finished = second.drive(run).await.unwrap().finish().await;
    let Finished::Ended(state) = finished else { panic!("{finished:?}") };
    assert_keys_are_sound(&world);
    let timers = store.due_timers(TimerClock::Engine, Timestamp::from_millis(u64::MAX), None, 10).await.unwrap().items;
    assert_eq!(timers, [], "an ended run has no timers");
    ((state.status(), PATHS.map(|path| world.done(path))), made)
}

/// No key is used for two things, and nothing is asked for under two keys.
fn assert_keys_are_sound(world: &World) {
    let mut keys = std::collections::BTreeMap::new();
    let mut paths = std::collections::BTreeMap::new();
    for sent in world.sent() {
        assert_eq!(*keys.entry(sent.key.clone()).or_insert(sent.path.clone()), sent.path);
        assert_eq!(*paths.entry(sent.path.clone()).or_insert(sent.key.clone()), sent.key);
    }
}

async fn assert_same_outcome_at_every_crash(refuse: Option<&str>, expected: Outcome) {
    let (undisturbed, commits) = run_case(refuse, None).await;
    assert_eq!(undisturbed, expected);
    for crash_after in 0..usize::try_from(commits).unwrap() {
        let (outcome, _) = run_case(refuse, Some(crash_after)).await;
        assert_eq!(outcome, expected, "killed after commit {crash_after}");
    }
}

#[tokio::test]
async fn a_saga_completes_whichever_commit_the_process_dies_after() {
    assert_same_outcome_at_every_crash(None, (Status::Completed, [1, 0, 1, 0, 1])).await;
}

#[tokio::test]
async fn a_refused_record_is_undone_whichever_commit_the_process_dies_after() {
    assert_same_outcome_at_every_crash(Some("/record"), (Status::Compensated, [1, 1, 1, 1, 0])).await;
}

#[tokio::test]
async fn a_flaky_refund_leaves_no_timers_behind() {
    let world = World::new();
    world.script("/record", [refused()]);
    world.script("/refund", [answer(503, "{}"), answer(503, "{}")]);
    let store = Arc::new(MemoryStore::new());
    let engine = Engine::open(store.clone(), world::options(&world)).await.unwrap();
    let run = engine.start(world::start(&saga(), "order-1")).await.unwrap().run;
    let Finished::Ended(state) = engine.drive(run).await.unwrap().finish().await else { panic!() };
    assert_eq!(state.status(), Status::Compensated);
    let timers = store.due_timers(TimerClock::Engine, Timestamp::from_millis(u64::MAX), None, 10).await.unwrap().items;
    assert_eq!(timers, []);
}

#[tokio::test]
async fn a_refused_stock_update_is_undone_without_a_release() {
    assert_same_outcome_at_every_crash(Some("/take"), (Status::Compensated, [1, 1, 0, 0, 0])).await;
}

#[tokio::test]
async fn the_same_id_gives_the_same_run_and_other_input_is_refused() {
    let (world, store) = (World::new(), Arc::new(MemoryStore::new()));
    let engine = Engine::open(store, world::options(&world)).await.unwrap();
    let definition = saga();
    let first = engine.start(world::start(&definition, "a")).await.unwrap();
    let second = engine.start(world::start(&definition, "a")).await.unwrap();
    assert_eq!((first.run, true, false), (second.run, first.fresh, second.fresh));
    let mut other = world::start(&definition, "a");
    other.input = br#"{"other":1}"#.as_slice().into();
    let refused = engine.start(other).await.unwrap_err();
    assert!(refused.to_string().contains("other input"), "{refused}");
}

#[tokio::test]
async fn racing_starts_of_one_id_make_one_run() {
    let (world, store) = (World::new(), Arc::new(MemoryStore::new()));
    let engine = Engine::open(store, world::options(&world)).await.unwrap();
    let definition = saga();
    let starts = (0..20).map(|_| {
        let (engine, start) = (engine.clone(), world::start(&definition, "race"));
        tokio::spawn(async move { engine.start(start).await.unwrap() })
    });
    let mut started = Vec::new();
    for start in starts.collect::<Vec<_>>() {
        started.push(start.await.unwrap());
    }
    let run = started.first().unwrap().run;
    assert!(started.iter().all(|each| each.run == run));
    assert_eq!(started.iter().filter(|each| each.fresh).count(), 1);
    assert!(matches!(engine.drive(run).await.unwrap().finish().await, Finished::Ended(_)));
    assert_eq!(world.done("/charge"), 1);
}

#[tokio::test]
async fn a_large_payload_is_spilled_and_read_back_by_later_steps() {
    let (world, store) = (World::new(), Arc::new(MemoryStore::new()));
    let big = format!(r#"{{"text":"{}"}}"#, "x".repeat(100_000));
    world.script("/make", [answer(200, &big)]);
    let definition = world::definition(&serde_json::json!({
        "make": { "http": { "service": "svc", "post": "/make" } },
        "size": { "value": "${ .steps.make.text | length }" },
        "pass_on": { "http": { "service": "svc", "post": "/use", "body": "${ .steps.make }" } },
    }));
    let engine = Engine::open(store.clone(), world::options(&world)).await.unwrap();
    let run = engine.start(world::start(&definition, "big")).await.unwrap().run;
    let Finished::Ended(state) = engine.drive(run).await.unwrap().finish().await else { panic!() };
    assert_eq!(state.status(), Status::Completed);
    let history = read::history(&*store, run).await.unwrap();
    let spilled = history.iter().filter_map(|recorded| recorded.event.payload()).filter(|held| held.inline().is_none());
    assert_eq!(spilled.count(), 2, "the output and the body made of it");
    let output = state.step(&"size".into()).output.clone().unwrap();
    assert_eq!(&*read::held(&*store, run, &output).await.unwrap(), b"100000");
    assert!(history.iter().any(|recorded| matches!(recorded.event, Event::RunCompleted { .. })));
}
