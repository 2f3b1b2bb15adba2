//! Runs that can't be carried out as they are: each is set aside, and the others go on.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use async_trait::async_trait;
use engine_core::event::{Event, Recorded};
use engine_core::id::{RunId, Seq};
use engine_core::machine::AttemptOutcome;
use engine_core::request::{Answer, Demand, Request, RequestKind, Resolution};
use engine_core::state::Status;
use engine_core::time::Timestamp;
use engine_runtime::{Clock, DriveError, Engine, Finished, RequestError, SetAside, SystemClock, Transport, read};
use engine_store::{Class, IndexRow, MemoryStore, RunWrite, Store, Unit};

use crate::stage::Stage;
use crate::world;

async fn fence(store: &MemoryStore) -> engine_store::Fence {
    store.acquire(0, "test", Timestamp::default()).await.unwrap().unwrap()
}

/// Writes this as the history of a run, or more of it.
async fn write(store: &MemoryStore, row: IndexRow, expected: Seq, events: Vec<Recorded>) {
    let last = events.last().map_or(expected, |last| last.seq);
    let (run, fence) = (row.run, fence(store).await);
    let write = RunWrite { run, expected, fence, events, row: IndexRow { last, ..row } };
    store.commit(vec![Unit { run: Some(write), ..Unit::default() }]).await.pop().unwrap().unwrap();
}

/// A run in flight, moved into a store that lacks its workflow.
async fn without_definition(store: &MemoryStore) -> RunId {
    let (stage, home) = (Stage::new(), Arc::new(MemoryStore::new()));
    stage.hold("/s1");
    let engine = Engine::open(home.clone(), stage.options()).await.unwrap();
    let run = engine.start(world::start(&world::chain(2), "moved")).await.unwrap().run;
    let events = home.read(run, Seq(1), 100).await.unwrap();
    let row = home.row(run).await.unwrap().unwrap();
    write(store, row, Seq(0), events).await;
    run
}

async fn reason(store: &MemoryStore, run: RunId) -> Option<String> {
    read::set_aside(store, run).await.unwrap().map(|why| why.code)
}

fn code(finished: Result<Finished, DriveError>) -> String {
    match finished {
        Err(DriveError::SetAside(why)) | Ok(Finished::SetAside(why)) => why.code,
        other => panic!("{other:?}"),
    }
}

async fn finished(engine: &Engine, run: RunId) -> Result<Finished, DriveError> {
    Ok(engine.drive(run).await?.finish().await)
}

async fn completed(engine: &Engine, run: RunId) {
    let Finished::Ended(state) = finished(engine, run).await.unwrap() else { panic!("it did not end") };
    assert_eq!(state.status(), Status::Completed);
}

#[tokio::test]
async fn a_run_without_its_workflow_waits_for_it() {
    let (stage, store) = (Stage::new(), Arc::new(MemoryStore::new()));
    let run = without_definition(&store).await;
    let engine = Engine::open(store.clone(), stage.options()).await.unwrap();
    for _ in 0..2 {
        assert_eq!(engine.recover().await.unwrap(), [run]);
        assert_eq!(code(finished(&engine, run).await), "DEFINITION_MISSING");
    }
    assert_eq!(store.counters().units, 2, "its history, and once that it is set aside");
    let row = store.row(run).await.unwrap().unwrap();
    assert_eq!((row.status, row.class), (Status::Stuck, Class::Stuck));

    // What is asked of it meanwhile is kept, and answered once it can be read.
    let request = Request { id: "1".to_owned(), actor: "op".to_owned(), demand: Demand::Pause };
    let kept = engine.request(run, request.clone()).await.unwrap_err();
    assert!(matches!(kept, RequestError::Kept(_)), "{kept}");
    let definition = world::chain(2);
    store.put_definition("test", definition.digest(), definition.source()).await.unwrap();
    assert_eq!(engine.request(run, request).await.unwrap(), Answer::Accepted, "as the one that was kept");
    assert_eq!(reason(&store, run).await, None);
    assert_eq!(store.row(run).await.unwrap().unwrap().status, Status::Paused);
    let resume = Request { id: "2".to_owned(), actor: "op".to_owned(), demand: Demand::Resume };
    assert_eq!(engine.request(run, resume).await.unwrap(), Answer::Accepted);
    completed(&engine, run).await;
}

#[tokio::test]
async fn a_history_that_can_not_be_folded_stops_nobody_else() {
    let (stage, store) = (Stage::new(), Arc::new(MemoryStore::new()));
    let engine = Engine::open(store.clone(), stage.options()).await.unwrap();
    let good = engine.start(world::start(&world::chain(2), "good")).await.unwrap().run;
    completed(&engine, good).await;
    let row = store.row(good).await.unwrap().unwrap();
    let bad = RunId::from_bytes([7; 16]);
    let event = Recorded { seq: Seq(1), at: Timestamp::default(), event: Event::RunUnstuck };
    let open = IndexRow { run: bad, class: Class::InFlight, status: Status::Running, ended_at: None, ..row };
    write(&store, open, Seq(0), vec![event.clone()]).await;
    let other = engine.start(world::start(&world::chain(2), "other")).await.unwrap().run;
    assert_eq!(code(finished(&engine, bad).await), "HISTORY_UNREADABLE");
    completed(&engine, other).await;
    assert_eq!(store.read(bad, Seq(1), 10).await.unwrap(), [event], "its history stays as it is");
    assert_eq!(reason(&store, bad).await.as_deref(), Some("HISTORY_UNREADABLE"));
}

#[tokio::test]
async fn what_came_too_late_for_an_ended_run_is_dropped_by_recovery() {
    let (stage, store) = (Stage::new(), Arc::new(MemoryStore::new()));
    let engine = Engine::open(store.clone(), stage.options()).await.unwrap();
    let run = engine.start(world::start(&world::chain(1), "a")).await.unwrap().run;
    completed(&engine, run).await;
    let row = |run| engine_store::InboxRow { run, arrival: 0, request_id: "late".to_owned(), body: b"{}".to_vec() };
    let nobody = RunId::from_bytes([9; 16]);
    let unit = Unit { inbox_put: vec![row(run), row(nobody)], ..Unit::default() };
    store.commit(vec![unit]).await.pop().unwrap().unwrap();
    assert_eq!(engine.recover().await.unwrap(), [run], "what waits for a run to come is left alone");
    completed(&engine, run).await;
    assert_eq!(engine.recover().await.unwrap(), []);
    assert_eq!(store.inbox(nobody).await.unwrap().len(), 1);
}

/// Panics where a path says so, as a defect in the engine would.
struct Panicking(Arc<Stage>);

#[async_trait]
impl Transport for Panicking {
    async fn send(&self, request: engine_runtime::Request) -> AttemptOutcome {
        assert!(!request.url.ends_with("/s2"), "a defect");
        self.0.send(request).await
    }
}

#[tokio::test]
async fn an_attempt_that_panics_sets_its_run_aside() {
    let (stage, store) = (Stage::new(), Arc::new(MemoryStore::new()));
    let mut options = stage.options();
    options.transport = Arc::new(Panicking(stage.clone()));
    let engine = Engine::open(store.clone(), options).await.unwrap();
    let run = engine.start(world::start(&world::chain(3), "a")).await.unwrap().run;
    assert_eq!(code(finished(&engine, run).await), "PANICKED");
    assert_eq!(reason(&store, run).await.as_deref(), Some("PANICKED"));
    assert_eq!(store.row(run).await.unwrap().unwrap().status, Status::Stuck);

    let engine = Engine::open(Arc::new(store.reopen()), stage.options()).await.unwrap();
    completed(&engine, run).await;
    assert_eq!(read::set_aside(&**engine.store(), run).await.unwrap(), None::<SetAside>);
    assert_eq!(stage.times("/s1"), 1);
}

/// A clock that panics once it is told to.
struct Breaking {
    clock: SystemClock,
    broken: AtomicBool,
}

#[async_trait]
impl Clock for Breaking {
    fn now(&self) -> Timestamp {
        assert!(!self.broken.load(Ordering::SeqCst), "a defect");
        self.clock.now()
    }

    fn raise_to(&self, at: Timestamp) {
        self.clock.raise_to(at);
    }

    async fn sleep_until(&self, at: Timestamp) {
        self.clock.sleep_until(at).await;
    }
}

#[tokio::test]
async fn a_run_whose_task_panics_is_no_interrupted_run() {
    let (stage, store) = (Stage::new(), Arc::new(MemoryStore::new()));
    let clock = Arc::new(Breaking { clock: SystemClock::new(), broken: AtomicBool::new(false) });
    let mut options = stage.options();
    options.clock = clock.clone();
    stage.hold("/s1");
    let engine = Engine::open(store.clone(), options).await.unwrap();
    let run = engine.start(world::start(&world::chain(2), "a")).await.unwrap().run;
    let handle = engine.drive(run).await.unwrap();
    stage.asked(&["/s1"]).await;
    clock.broken.store(true, Ordering::SeqCst);
    stage.release_all();
    let Finished::SetAside(why) = handle.finish().await else { panic!("it is set aside") };
    assert_eq!(why.code, "PANICKED");
    assert!(why.message.contains("a defect"), "{why}");

    clock.broken.store(false, Ordering::SeqCst);
    let other = engine.start(world::start(&world::chain(2), "b")).await.unwrap().run;
    completed(&engine, other).await;
    completed(&engine, run).await;
    assert_eq!(reason(&store, run).await, None);
}

#[tokio::test]
async fn a_history_that_moves_on_is_read_again_once() {
    let (stage, store) = (Stage::new(), Arc::new(MemoryStore::new()));
    let engine = Engine::open(store.clone(), stage.options()).await.unwrap();
    for (id, times, is_over) in [("once", 1, true), ("twice", 2, false)] {
        for path in ["/s1", "/s2"] {
            stage.hold(path);
        }
        let [first, second] = ["/s1", "/s2"].map(|path| stage.times(path) + 1);
        let run = engine.start(world::start(&world::chain(3), id)).await.unwrap().run;
        let handle = engine.drive(run).await.unwrap();
        stage.asked_times("/s1", first).await;
        append(&store, run, "1").await;
        stage.release("/s1");
        stage.asked_times("/s2", second).await;
        if times == 2 {
            append(&store, run, "2").await;
        }
        stage.release("/s2");
        match handle.finish().await {
            Finished::Ended(ended) if is_over => assert_eq!(ended.status(), Status::Completed),
            Finished::SetAside(why) if !is_over => assert_eq!(why.code, "HISTORY_MOVED"),
            other => panic!("{other:?}"),
        }
    }
}

/// Somebody else writes into the run's history.
async fn append(store: &MemoryStore, run: RunId, id: &str) {
    let row = store.row(run).await.unwrap().unwrap();
    let kind = RequestKind::Resolve { step: None, action: Resolution::Retry };
    let event = Event::RequestAnswered {
        id: id.to_owned(),
        kind,
        actor: "somebody".to_owned(),
        payload: None,
        answer: Answer::NoOp,
    };
    let (expected, at) = (row.last, Timestamp::default());
    write(store, row, expected, vec![Recorded { seq: expected.next(), at, event }]).await;
}
