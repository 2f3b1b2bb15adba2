//! A wall clock that was set while no process ran: nothing early, nothing twice, nothing lost, nothing stuck.

use std::sync::Arc;
use std::time::{Duration, Instant};

use engine_core::definition::Definition;
use engine_core::event::{Event, Recorded};
use engine_core::id::RunId;
use engine_core::state::Status;
use engine_core::time::{Timestamp, millis};
use engine_runtime::{Engine, Finished, SystemClock, read};
use engine_store::{MemoryStore, Store, TimerClock};

use crate::world::{self, World, answer};

const HOUR: u64 = 3_600_000;
const DAY: u64 = 24 * HOUR;

/// When the first process starts, by the wall clock.
const BEGIN: u64 = 1_800_000_000_000;

/// The delay before the second attempt, and before the third.
const DELAYS: [Duration; 2] = [Duration::from_millis(700), Duration::from_millis(100)];

/// A step that fails twice, with a budget of time that leaves no room for a clock that was set. The run has no timeout:
/// that would count what looks like downtime.
fn flaky() -> Arc<Definition> {
    let file = serde_json::json!({
        "format": "engine/1", "name": "test", "version": "1.0.0",
        "services": { "svc": { "url": "http://test" } },
        "steps": {
            "a": { "http": { "service": "svc", "post": "/a" },
                   "retry": { "intervals": ["700ms", "100ms"], "max_elapsed": "5s" } },
            "b": { "after": ["a"], "http": { "service": "svc", "post": "/b" } },
        },
    });
    Arc::new(Definition::from_json(&file.to_string()).unwrap())
}

async fn open(world: &Arc<World>, store: &Arc<MemoryStore>, wall: u64) -> Engine {
    let mut options = world::options(world);
    options.clock = Arc::new(SystemClock::starting_at(Timestamp::from_millis(wall)));
    Engine::open(store.clone(), options).await.unwrap()
}

/// Starts the run and stops once it waits for its second attempt; the next process starts at this time.
async fn restarted(world: &Arc<World>, wall: u64) -> (Engine, RunId, Arc<MemoryStore>) {
    world.script("/a", [answer(503, "{}"), answer(503, "{}")]);
    let store = Arc::new(MemoryStore::new());
    let engine = open(world, &store, BEGIN).await;
    let run = engine.start(world::start(&flaky(), "a")).await.unwrap().run;
    let mut handle = engine.drive(run).await.unwrap();
    while let Some(recorded) = handle.next().await {
        if matches!(recorded.event, Event::AttemptFailed(_)) {
            break;
        }
    }
    engine.shutdown(Duration::from_secs(5)).await;
    let store = Arc::new(store.reopen());
    (open(world, &store, wall).await, run, store)
}

/// Drives the run to its end and checks that every attempt came at its time, and once.
async fn goes_on(world: &World, engine: &Engine, run: RunId, store: &MemoryStore) -> Vec<Recorded> {
    let finished = engine.drive(run).await.unwrap().finish().await;
    let Finished::Ended(state) = finished else { panic!("{finished:?}") };
    assert_eq!(state.status(), Status::Completed, "{:?}", state.failures);
    assert_eq!(world.sent().len(), 4, "three attempts of the one, one of the other");
    let history = read::history(store, run).await.unwrap();
    assert!(history.windows(2).all(|pair| pair[0].at <= pair[1].at), "engine time never runs backwards");
    let due = history.iter().filter_map(|recorded| match &recorded.event {
        Event::AttemptFailed(failed) => Some((failed.due, failed.delay)),
        _ => None,
    });
    let begun = history.iter().filter(|recorded| matches!(recorded.event, Event::AttemptStarted { .. }));
    let pairs: Vec<_> = due.zip(begun.map(|recorded| recorded.at)).collect();
    assert_eq!(pairs.len(), 2);
    for (((due, delay), began), asked) in pairs.into_iter().zip(DELAYS) {
        assert_eq!(delay, asked);
        assert!(began >= due, "it came early by engine time");
    }
    let timers = store.due_timers(TimerClock::Engine, Timestamp::from_millis(u64::MAX), None, 10).await.unwrap().items;
    assert_eq!(timers, [], "nothing is left to fire again");
    history
}

#[tokio::test]
async fn an_hour_back_engine_time_goes_on_from_where_it_was() {
    let world = World::new();
    let (engine, run, store) = restarted(&world, BEGIN - HOUR).await;
    assert!(engine.now().millis() >= BEGIN, "it starts at what the store has seen");
    let began = Instant::now();
    let history = goes_on(&world, &engine, run, &store).await;
    assert!(began.elapsed() >= DELAYS[1], "delays are waited for");
    assert!(began.elapsed() < Duration::from_mins(1), "and not an hour more");
    assert!(history.last().unwrap().at.millis() < BEGIN + HOUR);
}

#[tokio::test]
async fn a_day_forward_counts_as_a_day_of_downtime() {
    let world = World::new();
    let (engine, run, store) = restarted(&world, BEGIN + DAY).await;
    // What was due meanwhile comes now; the budget of time does not count the day.
    goes_on(&world, &engine, run, &store).await;
    assert!(engine.now().millis() >= BEGIN + DAY);

    // And back again: engine time stays ahead, and new runs work as ever.
    let store = Arc::new(store.reopen());
    let engine = open(&world, &store, BEGIN).await;
    assert!(engine.now().millis() >= BEGIN + DAY);
    world.script("/a", [answer(503, "{}")]);
    let run = engine.start(world::start(&flaky(), "b")).await.unwrap().run;
    let Finished::Ended(state) = engine.drive(run).await.unwrap().finish().await else { panic!() };
    assert_eq!(state.status(), Status::Completed);
}

/// A wall clock was once in 2100, or at the end of what a clock can say: engine time is there from then on, and all that
/// counts spans of time goes on as ever.
#[tokio::test]
async fn a_watermark_far_in_the_future_breaks_nothing() {
    let year_2100 = 4_102_444_800_000;
    let last_of_run_ids = (1 << 48) - 1;
    for far in [year_2100, last_of_run_ids] {
        let world = World::new();
        let (engine, run, store) = restarted(&world, far).await;
        goes_on(&world, &engine, run, &store).await;
        engine.shutdown(Duration::ZERO).await;

        let store = Arc::new(store.reopen());
        let engine = open(&world, &store, BEGIN).await;
        assert!(engine.now().millis() >= far, "it never runs backwards");
        world.script("/a", [answer(503, "{}"), answer(503, "{}")]);
        let before = Instant::now();
        let run = engine.start(world::start(&flaky(), "c")).await.unwrap().run;
        let Finished::Ended(state) = engine.drive(run).await.unwrap().finish().await else { panic!() };
        assert_eq!(state.status(), Status::Completed);
        let waited = before.elapsed();
        assert!(waited >= DELAYS[0] + DELAYS[1] && millis(waited) < 60_000, "{waited:?}");
    }
}
