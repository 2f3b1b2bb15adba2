//! Processes that die again and again, and the run that they die of.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use engine_core::definition::Definition;
use engine_core::event::{Event, StuckReason};
use engine_core::id::RunId;
use engine_core::request::{Answer, Demand, Request, Resolution};
use engine_core::state::Status;
use engine_runtime::{DriveError, Engine, Finished, Random, SetAside, read};
use engine_store::{Class, Mark, MemoryStore, Store, Unit};
use serde_json::{Value, json};

use crate::stage::Stage;
use crate::world;

/// One call, and another one after it.
fn calls(path: &str) -> Arc<Definition> {
    world::definition(&json!({
        "first": { "http": { "service": "svc", "post": path },
                   "compensate": { "http": { "service": "svc", "post": "/undo" } } },
        "then": { "after": ["first"], "http": { "service": "svc", "post": "/then" } },
    }))
}

/// Makes runs that are started in the same millisecond sort in the order of their starts.
#[derive(Default)]
struct Counting(AtomicU64);

impl Random for Counting {
    fn bytes(&self) -> [u8; 10] {
        let mut bytes = [0; 10];
        bytes[2..].copy_from_slice(&self.0.fetch_add(1, Ordering::SeqCst).to_be_bytes());
        bytes
    }
}

/// One process after the other on the same data.
struct Lives {
    random: Arc<Counting>,
    stage: Arc<Stage>,
    store: Arc<MemoryStore>,
    engine: Engine,
}

impl Lives {
    async fn begin() -> Self {
        let (stage, store, random) = (Stage::new(), Arc::new(MemoryStore::new()), Arc::new(Counting::default()));
        let engine = Self::open(&store, &stage, &random).await;
        Self { random, stage, store, engine }
    }

    async fn open(store: &Arc<MemoryStore>, stage: &Arc<Stage>, random: &Arc<Counting>) -> Engine {
        let mut options = stage.options();
        options.random = random.clone();
        Engine::open(store.clone(), options).await.unwrap()
    }

    /// Starts a run whose first call is not answered.
    async fn start(&self, path: &str) -> RunId {
        self.stage.hold(path);
        let run = self.engine.start(world::start(&calls(path), path)).await.unwrap().run;
        self.stage.asked(&[path]).await;
        run
    }

    /// The process dies, and the next one begins.
    async fn die(&mut self) {
        self.engine.shutdown(Duration::ZERO).await;
        self.store = Arc::new(self.store.reopen());
        self.engine = Self::open(&self.store, &self.stage, &self.random).await;
    }

    /// The process stops as it should, and the next one begins.
    async fn stop(&mut self) {
        self.engine.shutdown(Duration::ZERO).await;
        self.store.close().await.unwrap();
        self.die().await;
    }

    /// Takes everything up, as `recover` does.
    async fn recover(&self) -> Vec<tokio::task::JoinHandle<Result<Finished, DriveError>>> {
        let drive = |run| {
            let engine = self.engine.clone();
            tokio::spawn(async move { Ok(engine.drive(run).await?.finish().await) })
        };
        self.engine.recover().await.unwrap().into_iter().map(drive).collect()
    }

    /// What is held against a run: unclean stops with others, and alone.
    async fn held_against(&self, run: RunId) -> Option<(u64, u64)> {
        let mark = self.store.mark(run, "crashes").await.unwrap().filter(|mark| !mark.is_empty())?;
        let mark: Value = serde_json::from_slice(&mark).unwrap();
        Some((mark["stops"].as_u64().unwrap(), mark["alone"].as_u64().unwrap()))
    }

    /// A run that the process has died of so often that once more is enough.
    async fn nearly_poison(&self, path: &str) -> RunId {
        let run = self.start(path).await;
        let value = json!({ "results": 0, "stops": 3, "alone": 4, "named": true }).to_string().into_bytes();
        let marks = vec![Mark { run, name: "crashes".to_owned(), value }];
        self.store.commit(vec![Unit { marks, ..Unit::default() }]).await.pop().unwrap().unwrap();
        run
    }

    async fn ask(&self, run: RunId, demand: Demand) -> Answer {
        let request = Request { id: "1".to_owned(), actor: "op".to_owned(), demand };
        self.engine.request(run, request).await.unwrap()
    }

    async fn ended(&self, run: RunId) -> Status {
        match self.engine.drive(run).await.unwrap().finish().await {
            Finished::Ended(state) => state.status(),
            other => panic!("{other:?}"),
        }
    }
}

/// Lets everything happen that can.
async fn settle() {
    for _ in 0..200 {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn three_crashes_with_others_and_five_alone_are_poison() {
    let mut lives = Lives::begin().await;
    let poison = lives.start("/poison").await;
    for stops in 1..=3 {
        lives.die().await;
        assert_eq!(lives.held_against(poison).await, Some((stops, 0)));
        lives.recover().await;
        lives.stage.asked_times("/poison", 1 + usize::try_from(stops).unwrap()).await;
    }
    for alone in 1..=4 {
        lives.die().await;
        assert_eq!(lives.held_against(poison).await, Some((3, alone)));
        lives.recover().await;
        lives.stage.asked_times("/poison", 4 + usize::try_from(alone).unwrap()).await;
    }
    let before = read::history(&*lives.store, poison).await.unwrap();
    lives.die().await;
    let row = lives.store.row(poison).await.unwrap().unwrap();
    assert_eq!((row.status, row.class), (Status::Stuck, Class::Stuck));
    let after = read::history(&*lives.store, poison).await.unwrap();
    assert_eq!(after.len(), before.len() + 1);
    assert!(matches!(&after.last().unwrap().event, Event::RunStuck { reason: StuckReason::Poison, .. }));
    for taken_up in lives.recover().await {
        let refused = taken_up.await.unwrap().unwrap_err();
        assert!(matches!(&refused, DriveError::SetAside(why) if why.code == SetAside::POISON), "{refused}");
    }
    lives.die().await;
    assert_eq!(lives.stage.times("/poison"), 8, "nothing of it is sent any more");
    assert_eq!(read::history(&*lives.store, poison).await.unwrap(), after, "and nothing more is written");
}

#[tokio::test]
async fn suspects_are_carried_out_one_at_a_time_and_everybody_else_waits() {
    let mut lives = Lives::begin().await;
    let mut runs = Vec::new();
    for path in ["/a", "/b", "/c"] {
        runs.push(lives.start(path).await);
    }
    for _ in 0..2 {
        lives.die().await;
    }
    // This one was there at one crash only.
    let late = lives.start("/late").await;
    lives.die().await;
    assert_eq!(lives.held_against(runs[0]).await, Some((3, 0)));
    assert_eq!(lives.held_against(late).await, Some((1, 0)));

    let (stage, driven) = (lives.stage.clone(), lives.recover().await);
    let fresh = tokio::spawn({
        let engine = lives.engine.clone();
        async move { engine.start(world::start(&calls("/fresh"), "/fresh")).await.unwrap().run }
    });
    for (path, not_yet) in [("/a", ["/b", "/c"]), ("/b", ["/c", "/late"]), ("/c", ["/late", "/fresh"])] {
        stage.asked_times(path, 2).await;
        settle().await;
        for other in not_yet {
            assert!(stage.times(other) < 2, "{other} began while {path} was to be alone");
        }
        assert_eq!((stage.times("/fresh"), stage.times("/then")), (0, 0));
        stage.release(path);
    }
    stage.release_all();
    for driven in driven {
        assert!(matches!(driven.await.unwrap().unwrap(), Finished::Ended(_)));
    }
    assert_eq!(lives.ended(fresh.await.unwrap()).await, Status::Completed);
    for run in runs {
        assert_eq!(lives.held_against(run).await, None, "it got on, so nothing is held against it");
    }
}

#[tokio::test]
async fn a_crash_while_one_is_alone_counts_for_that_one_only() {
    let mut lives = Lives::begin().await;
    let (first, second) = (lives.start("/a").await, lives.start("/b").await);
    for _ in 0..3 {
        lives.die().await;
    }
    lives.recover().await;
    lives.stage.asked_times("/a", 2).await;
    lives.die().await;
    assert_eq!(lives.held_against(first).await, Some((3, 1)));
    assert_eq!(lives.held_against(second).await, Some((3, 0)));
    // The one that it died of less often comes first.
    lives.recover().await;
    lives.stage.asked_times("/b", 2).await;
    assert_eq!(lives.stage.times("/a"), 2);
}

#[tokio::test]
async fn a_clean_stop_counts_for_nobody() {
    let mut lives = Lives::begin().await;
    let run = lives.start("/a").await;
    for _ in 0..3 {
        lives.stop().await;
        assert_eq!(lives.held_against(run).await, None);
    }
    assert_eq!(lives.store.counters().units, 0, "nor does it cost a commit");
    for _ in 0..3 {
        lives.die().await;
    }
    // It is named, and then the process is stopped.
    lives.recover().await;
    lives.stage.asked_times("/a", 2).await;
    lives.stop().await;
    assert_eq!(lives.held_against(run).await, Some((3, 0)));
    lives.die().await;
    assert_eq!(lives.held_against(run).await, Some((4, 0)), "it was not named this time");
}

#[tokio::test]
async fn a_run_that_gets_on_is_never_suspected() {
    let mut lives = Lives::begin().await;
    let steps: Vec<String> = (1..=20).map(|number| format!("/s{number}")).collect();
    for step in &steps {
        lives.stage.hold(step);
    }
    let run = lives.engine.start(world::start(&world::chain(20), "a")).await.unwrap().run;
    for (place, step) in steps.iter().enumerate() {
        // This step's result is recorded, the next one is in flight, and the process dies.
        lives.stage.release(step);
        if let Some(next) = steps.get(place + 1) {
            lives.stage.asked(&[next]).await;
            lives.die().await;
            assert_eq!(lives.held_against(run).await, Some((1, 0)));
            lives.recover().await;
        }
    }
    assert_eq!(lives.ended(run).await, Status::Completed);
}

#[tokio::test]
async fn poison_goes_on_when_it_is_retried() {
    let mut lives = Lives::begin().await;
    let run = lives.nearly_poison("/poison").await;
    lives.die().await;
    let retry = Demand::Resolve { step: None, action: Resolution::Retry, output: None };
    assert_eq!(lives.ask(run, retry).await, Answer::Accepted);
    assert_eq!(lives.held_against(run).await, None);
    lives.stage.release_all();
    assert_eq!(lives.ended(run).await, Status::Completed);
}

#[tokio::test]
async fn poison_can_be_cancelled_and_terminated() {
    for (demand, sent) in [(Demand::Cancel { reason: None }, 1), (Demand::Terminate { reason: None }, 0)] {
        let mut lives = Lives::begin().await;
        let run = lives.nearly_poison("/poison").await;
        lives.die().await;
        assert_eq!(lives.ask(run, demand).await, Answer::Accepted);
        assert_eq!(lives.ended(run).await, Status::Cancelled);
        assert_eq!((lives.stage.times("/poison"), lives.stage.times("/undo")), (1, sent), "it is not made again");
        lives.die().await;
        assert_eq!(lives.ended(run).await, Status::Cancelled);
    }
}

#[tokio::test]
async fn a_single_run_goes_through_the_same_door() {
    let mut lives = Lives::begin().await;
    let run = lives.start("/a").await;
    for _ in 0..3 {
        lives.die().await;
    }
    let handle = lives.engine.drive(run).await.unwrap();
    lives.stage.asked_times("/a", 2).await;
    lives.die().await;
    assert_eq!(lives.held_against(run).await, Some((3, 1)));
    drop(handle);
    lives.stage.release_all();
    assert_eq!(lives.ended(run).await, Status::Completed);
}
