//! Runs that only wait are nowhere but in the store, and nobody can tell.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use engine_core::definition::Definition;
use engine_core::id::RunId;
use engine_core::request::{Answer, Demand, Request};
use engine_core::state::Status;
use engine_core::time::Timestamp;
use engine_runtime::{Clock, Engine, Finished};
use engine_store::{MemoryStore, Store};
use tokio::sync::watch;
use tokio::time::timeout;

use crate::world::{self, SOON, World, answer};

const MINUTE: Duration = Duration::from_mins(1);

/// A clock that a test sets.
struct Hands(watch::Sender<Timestamp>);

#[async_trait]
impl Clock for Hands {
    fn now(&self) -> Timestamp {
        *self.0.borrow()
    }

    fn raise_to(&self, at: Timestamp) {
        self.0.send_modify(|now| *now = at.max(*now));
    }

    async fn sleep_until(&self, at: Timestamp) {
        self.0.subscribe().wait_for(|now| *now >= at).await.unwrap();
    }
}

/// An engine whose time the test sets, and whose services fail once for each run.
struct Bench {
    world: Arc<World>,
    clock: Arc<Hands>,
    store: Arc<MemoryStore>,
    engine: Engine,
}

/// A step that is tried again after an hour.
fn patient() -> Arc<Definition> {
    patient_within("30d")
}

fn patient_within(timeout: &str) -> Arc<Definition> {
    let file = serde_json::json!({
        "format": "engine/1", "name": "test", "version": "1.0.0", "timeout": timeout,
        "services": { "svc": { "url": "http://test" } },
        "steps": { "a": { "http": { "service": "svc", "post": "/a" }, "retry": { "intervals": ["1h"] } } },
    });
    Arc::new(Definition::from_json(&file.to_string()).unwrap())
}

impl Bench {
    async fn new() -> Self {
        let clock = Arc::new(Hands(watch::Sender::new(Timestamp::from_millis(1_800_000_000_000))));
        Self::on(World::new(), clock, Arc::new(MemoryStore::new())).await
    }

    async fn on(world: Arc<World>, clock: Arc<Hands>, store: Arc<MemoryStore>) -> Self {
        let mut options = world::options(&world);
        options.clock = clock.clone();
        let engine = Engine::open(store.clone(), options).await.unwrap();
        Self { world, clock, store, engine }
    }

    /// What the next process makes of it, after this one was killed.
    async fn next_life(self) -> Self {
        let Self { world, clock, store, engine } = self;
        engine.shutdown(Duration::ZERO).await;
        let next = Self::on(world, clock, Arc::new(store.reopen())).await;
        next.engine.go_on().await.unwrap();
        next
    }

    /// Starts so many runs, and waits until they wait.
    async fn waiting(&self, count: usize) -> Vec<RunId> {
        self.world.script("/a", (0..count).map(|_| answer(503, "{}")));
        let (definition, mut runs) = (patient(), Vec::new());
        for number in 0..count {
            runs.push(self.engine.start(world::start(&definition, &number.to_string())).await.unwrap().run);
        }
        self.are(&runs, Status::Waiting).await;
        self.in_memory(0).await;
        runs
    }

    fn pass(&self, span: Duration) {
        self.clock.raise_to(self.clock.now().after(span));
    }

    /// Waits until all of these are at this status.
    async fn are(&self, runs: &[RunId], status: Status) {
        let are = async {
            for run in runs {
                while self.store.row(*run).await.unwrap().unwrap().status != status {
                    tokio::task::yield_now().await;
                }
            }
        };
        timeout(SOON, are).await.unwrap();
    }

    /// Waits until so many runs are in memory.
    async fn in_memory(&self, count: usize) {
        let are = async {
            while self.engine.runs_in_memory() != count {
                tokio::task::yield_now().await;
            }
        };
        timeout(SOON, are).await.unwrap();
    }

    async fn ask(&self, run: RunId, id: &str, demand: Demand) -> Answer {
        let request = Request { id: id.to_owned(), actor: "test".to_owned(), demand };
        timeout(SOON, self.engine.request(run, request)).await.unwrap().unwrap()
    }
}

#[tokio::test]
async fn it_goes_on_when_it_is_due_and_not_before() {
    let bench = Bench::new().await;
    let runs = bench.waiting(3).await;
    bench.pass(59 * MINUTE);
    for _ in 0..100 {
        tokio::task::yield_now().await;
    }
    assert_eq!((bench.world.sent().len(), bench.engine.runs_in_memory()), (3, 0));
    bench.pass(2 * MINUTE);
    bench.are(&runs, Status::Completed).await;
    assert_eq!(bench.world.sent().len(), 6);
}

#[tokio::test]
async fn one_that_waits_less_long_is_first() {
    let bench = Bench::new().await;
    let first = bench.waiting(1).await;
    bench.pass(30 * MINUTE);
    bench.world.script("/a", [answer(503, "{}")]);
    let later = bench.engine.start(world::start(&patient(), "later")).await.unwrap().run;
    bench.are(&[later], Status::Waiting).await;
    bench.pass(31 * MINUTE);
    bench.are(&first, Status::Completed).await;
    bench.in_memory(0).await;
    bench.are(&[later], Status::Waiting).await;
    bench.pass(30 * MINUTE);
    bench.are(&[later], Status::Completed).await;
}

#[tokio::test]
async fn a_request_finds_it_and_has_it_act() {
    let bench = Bench::new().await;
    let runs = bench.waiting(2).await;
    assert_eq!(bench.ask(runs[0], "1", Demand::Cancel { reason: None }).await, Answer::Accepted);
    bench.are(&runs[..1], Status::Cancelled).await;

    assert_eq!(bench.ask(runs[1], "1", Demand::Pause).await, Answer::Accepted);
    bench.are(&runs[1..], Status::Paused).await;
    bench.in_memory(0).await;
    bench.pass(61 * MINUTE);
    bench.in_memory(0).await;
    assert_eq!(bench.world.sent().len(), 2, "it is paused");
    assert_eq!(bench.ask(runs[1], "2", Demand::Resume).await, Answer::Accepted);
    bench.are(&runs[1..], Status::Completed).await;
}

#[tokio::test]
async fn who_follows_it_keeps_it_in_memory_and_misses_nothing() {
    let bench = Bench::new().await;
    let run = bench.waiting(1).await[0];
    let mut handle = bench.engine.drive(run).await.unwrap();
    bench.in_memory(1).await;
    let mut seen = 0;
    while handle.seen() < bench.store.row(run).await.unwrap().unwrap().last {
        handle.next().await.unwrap();
        seen += 1;
    }
    drop(handle);
    bench.in_memory(0).await;

    let handle = bench.engine.drive(run).await.unwrap();
    bench.pass(61 * MINUTE);
    let finished = timeout(SOON, handle.finish()).await.unwrap();
    let Finished::Ended(state) = finished else { panic!("{finished:?}") };
    assert!(state.status() == Status::Completed && state.last.0 > seen);
}

#[tokio::test]
async fn the_next_process_takes_up_what_is_due() {
    let bench = Bench::new().await;
    // More than are taken up at once.
    let runs = bench.waiting(600).await;
    let paused = runs[0];
    assert_eq!(bench.ask(paused, "1", Demand::Pause).await, Answer::Accepted);
    let bench = bench.next_life().await;
    assert_eq!(bench.engine.runs_in_memory(), 0, "there is nothing to do");
    bench.pass(61 * MINUTE);
    bench.are(&runs[1..], Status::Completed).await;
    assert_eq!(bench.ask(paused, "2", Demand::Resume).await, Answer::Accepted);
    bench.are(&runs, Status::Completed).await;
    assert_eq!(bench.world.sent().len(), 2 * runs.len());
}

#[tokio::test]
async fn who_takes_it_up_and_goes_away_does_not_lose_it() {
    let bench = Bench::new().await;
    let runs = bench.waiting(1).await;
    cut_off(bench.engine.drive(runs[0])).await;
    let asked = Request { id: "1".to_owned(), actor: "test".to_owned(), demand: Demand::Resume };
    cut_off(bench.engine.request(runs[0], asked)).await;
    bench.in_memory(0).await;
    bench.pass(61 * MINUTE);
    bench.are(&runs, Status::Completed).await;
}

/// Polls a future once and drops it.
async fn cut_off(future: impl Future) {
    tokio::select! {
        biased;
        _ = future => panic!("it was to be cut off on the way"),
        () = std::future::ready(()) => {}
    }
}

#[tokio::test]
async fn the_timeout_of_a_run_finds_it() {
    let bench = Bench::new().await;
    bench.world.script("/a", [answer(503, "{}")]);
    let run = bench.engine.start(world::start(&patient_within("30m"), "timed")).await.unwrap().run;
    bench.are(&[run], Status::Waiting).await;
    bench.in_memory(0).await;
    bench.pass(31 * MINUTE);
    bench.are(&[run], Status::Cancelled).await;
}
