//! Tasks that block their thread, ignore that nobody waits for them, or come back late.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, mpsc};
use std::time::Duration;

use async_trait::async_trait;
use engine_core::failure::Effect;
use engine_core::id::Name;
use engine_core::machine::AttemptOutcome;
use engine_core::request::{Demand, Request};
use engine_core::state::{State, Status};
use engine_core::time::Timestamp;
use engine_runtime::tasks::Called;
use engine_runtime::{Clock, Engine, Finished};
use engine_store::MemoryStore;
use serde_json::{Value, json};
use tokio::runtime::Runtime;
use tokio::sync::{Notify, watch};

use crate::tasks::{Functions, gave, one_step, options, request};
use crate::world::{self, SOON, World};

/// Time that moves only when a test says so.
struct HandClock(watch::Sender<Timestamp>);

impl HandClock {
    fn new() -> Arc<Self> {
        Arc::new(Self(watch::Sender::new(Timestamp::from_millis(1_800_000_000_000))))
    }

    fn advance(&self, span: Duration) {
        self.0.send_modify(|now| *now = now.after(span));
    }
}

#[async_trait]
impl Clock for HandClock {
    fn now(&self) -> Timestamp {
        *self.0.borrow()
    }

    fn raise_to(&self, at: Timestamp) {
        self.0.send_modify(|now| *now = (*now).max(at));
    }

    async fn sleep_until(&self, at: Timestamp) {
        // The clock lives as long as `self`.
        let _ = self.0.subscribe().wait_for(|now| *now >= at).await;
    }
}

/// Threads for tasks that may be left behind when they are blocked.
struct Threads(Option<Runtime>);

impl Threads {
    fn new() -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build();
        Self(Some(runtime.unwrap()))
    }
}

impl Drop for Threads {
    fn drop(&mut self) {
        self.0.take().unwrap().shutdown_background();
    }
}

async fn open(functions: Functions, clock: &Arc<HandClock>, threads: Option<&Threads>) -> Engine {
    let mut options = options(functions);
    options.clock = clock.clone();
    options.task_threads = threads.map(|threads| threads.0.as_ref().unwrap().handle().clone());
    Engine::open(Arc::new(MemoryStore::new()), options).await.unwrap()
}

/// Lets time go by until the run rests.
async fn rests(engine: &Engine, clock: &HandClock) -> State {
    let run = engine.start(world::start(&one_step(&json!([])), "one")).await.unwrap().run;
    let finished = engine.drive(run).await.unwrap().finish();
    tokio::pin!(finished);
    loop {
        tokio::select! {
            biased;
            finished = &mut finished => {
                let Finished::Ended(state) = finished else { panic!("{finished:?}") };
                return *state;
            }
            () = settled() => clock.advance(Duration::from_secs(1)),
        }
    }
}

/// Lets everything that can go on in this runtime do so.
async fn settled() {
    for _ in 0..50 {
        tokio::task::yield_now().await;
    }
}

async fn until(what: impl Fn() -> bool) {
    let wait = async {
        while !what() {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(SOON, wait).await.expect("it happens soon");
}

#[tokio::test]
async fn a_task_that_blocks_its_thread_holds_up_no_run() {
    let (release, blocked) = mpsc::channel::<()>();
    let (blocked, begun) = (Arc::new(Mutex::new(blocked)), Arc::new(AtomicUsize::new(0)));
    let functions = Functions::default().with("work@1", {
        let begun = begun.clone();
        move |_, _| {
            begun.fetch_add(1, Ordering::SeqCst);
            let blocked = blocked.clone();
            async move {
                let _ = blocked.lock().unwrap().recv();
                gave(&json!("too late"))
            }
        }
    });
    let (clock, threads) = (HandClock::new(), Threads::new());
    let engine = open(functions, &clock, Some(&threads)).await;
    let state = rests(&engine, &clock).await;
    let failure = &state.failures[0].failure;
    assert_eq!((failure.code.as_str(), state.status()), ("TIMEOUT", Status::Failed), "{failure}");
    assert_eq!(state.step(&Name::new("work")).effect, Effect::Unknown);
    until(|| begun.load(Ordering::SeqCst) > 0).await;
    drop(release);
    until(|| engine.late_results() > 0).await;
    assert_eq!(state.status(), Status::Failed, "what came late changes nothing");
}

#[tokio::test]
async fn a_task_whose_time_is_over_is_told_may_tidy_up_and_is_then_stopped() {
    let (told, stopped) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let functions = Functions::default().with("work@1", {
        let (told, stopped) = (told.clone(), stopped.clone());
        move |cx, _| {
            struct Stopped(Arc<AtomicUsize>);
            impl Drop for Stopped {
                fn drop(&mut self) {
                    self.0.fetch_add(1, Ordering::SeqCst);
                }
            }
            let (told, stopped) = (told.clone(), Stopped(stopped.clone()));
            async move {
                cx.cancelled().await;
                assert!(cx.is_cancelled());
                told.fetch_add(1, Ordering::SeqCst);
                // It never comes back.
                std::future::pending::<()>().await;
                drop(stopped);
                gave(&Value::Null)
            }
        }
    });
    let clock = HandClock::new();
    let engine = open(functions, &clock, None).await;
    let state = rests(&engine, &clock).await;
    assert_eq!(state.failures[0].failure.code, "TIMEOUT");
    until(|| told.load(Ordering::SeqCst) == 3).await;
    clock.advance(Duration::from_secs(6));
    until(|| stopped.load(Ordering::SeqCst) == 3).await;
    assert_eq!(engine.late_results(), 0, "what is stopped gives nothing");
}

#[tokio::test]
async fn an_attempt_that_is_over_sends_nothing_any_more() {
    let world = World::new();
    let late = Arc::new(Mutex::new(Vec::new()));
    let functions = Functions::default().with("work@1", {
        let late = late.clone();
        move |cx, _| {
            let late = late.clone();
            async move {
                cx.cancelled().await;
                let called = cx.call(request(), None, Duration::from_secs(1)).await;
                let noted = cx.checkpoint(b"1".to_vec()).await;
                late.lock().unwrap().push((called, noted));
                gave(&Value::Null)
            }
        }
    });
    let clock = HandClock::new();
    let mut options = options(functions);
    (options.clock, options.transport) = (clock.clone(), world.clone());
    let engine = Engine::open(Arc::new(MemoryStore::new()), options).await.unwrap();
    rests(&engine, &clock).await;
    until(|| engine.late_results() == 3).await;
    assert_eq!(world.sent(), []);
    for (called, noted) in late.lock().unwrap().iter() {
        assert!(matches!(called, Called::Ended(AttemptOutcome::NotSent { .. })), "{called:?}");
        assert!(noted.is_err());
    }
}

#[tokio::test]
async fn who_turns_the_run_back_tells_the_tasks_in_flight() {
    let began = Arc::new(Notify::new());
    let functions = Functions::default().with("work@1", {
        let began = began.clone();
        move |cx, _| {
            let began = began.clone();
            async move {
                began.notify_one();
                cx.cancelled().await;
                gave(&json!("done all the same"))
            }
        }
    });
    let engine = open(functions, &HandClock::new(), None).await;
    let run = engine.start(world::start(&one_step(&json!([])), "one")).await.unwrap().run;
    tokio::time::timeout(SOON, began.notified()).await.expect("it begins");
    let cancel = Request { id: "c".to_owned(), actor: "test".to_owned(), demand: Demand::Cancel { reason: None } };
    engine.request(run, cancel).await.unwrap();
    let finished = engine.drive(run).await.unwrap().finish();
    let Finished::Ended(state) = tokio::time::timeout(SOON, finished).await.expect("it ends") else { panic!() };
    assert_eq!((state.status(), state.step(&Name::new("work")).effect), (Status::Cancelled, Effect::Done));
}
