//! Reruns, deletes and the durable inbox.

use std::sync::Arc;

use engine_core::event::{Event, Origin};
use engine_core::id::{Digest, RunId};
use engine_core::payload::Payload;
use engine_core::request::{Answer, Demand, Request, Resolution};
use engine_core::state::{State, Status};
use engine_runtime::{Engine, Finished, LoadError, RequestError, Start, StartError, read};
use engine_store::{InboxRow, MemoryStore, Store, TimerClock, Unit};
use serde_json::json;

use crate::world::{self, World, answer};

fn request(id: &str, demand: Demand) -> Request {
    Request { id: id.to_owned(), actor: "tester".to_owned(), demand }
}

fn rerun(id: &str, from: &str) -> Request {
    request(id, Demand::Rerun { from: from.into() })
}

async fn end(engine: &Engine, run: RunId) -> State {
    match engine.drive(run).await.unwrap().finish().await {
        Finished::Ended(state) => *state,
        other => panic!("{other:?}"),
    }
}

fn refusal(answer: &Answer) -> &str {
    match answer {
        Answer::Refused { code, .. } => code,
        other => panic!("{other:?}"),
    }
}

/// a gives much, b reads it, c fails the first time.
fn steps() -> serde_json::Value {
    let http = |path: &str| json!({ "service": "svc", "post": path });
    json!({
        "a": { "http": http("/a") },
        "b": { "after": ["a"], "http": { "service": "svc", "post": "/b", "body": "${ .steps.a }" } },
        "c": { "after": ["b"], "http": { "service": "svc", "post": "/c", "body": "${ .steps.b }" } },
    })
}

#[tokio::test]
async fn a_rerun_is_a_new_run_that_carries_what_came_before() {
    let world = World::new();
    let large = format!(r#"{{"text":"{}"}}"#, "x".repeat(40_000));
    world.script("/b", [answer(200, &large)]);
    world.script("/c", [answer(422, "{}")]);
    let store = Arc::new(MemoryStore::new());
    let engine = Engine::open(store.clone(), world::options(&world)).await.unwrap();
    let definition = world::definition(&steps());
    let first = engine.start(world::start(&definition, "order-1")).await.unwrap().run;
    assert_eq!(end(&engine, first).await.status(), Status::Failed);

    let (unknown, none) = engine.rerun(first, rerun("r0", "nowhere")).await.unwrap();
    assert_eq!((refusal(&unknown), none), ("NO_SUCH_STEP", None));
    let (accepted, second) = engine.rerun(first, rerun("r1", "c")).await.unwrap();
    assert_eq!(accepted, Answer::Accepted);
    let second = second.unwrap();
    assert_ne!(second, first);
    let again = engine.rerun(first, rerun("r1", "c")).await.unwrap();
    assert_eq!(again, (Answer::Accepted, Some(second)), "a repeat gets the same run");
    let state = end(&engine, second).await;
    assert_eq!((state.status(), state.workflow_id.as_deref()), (Status::Completed, Some("order-1")));
    let sent: Vec<_> = world.sent().into_iter().map(|sent| sent.path).collect();
    assert_eq!(sent, ["/a", "/b", "/c", "/c"]);
    let history = read::history(&*store, second).await.unwrap();
    let Event::RunStarted(started) = &history[0].event else { panic!() };
    assert_eq!(started.origin, Some(Origin::Rerun { run: first, from: "c".into() }));
    assert_eq!(started.request_id, "r1");
    let carried: Vec<_> = history.iter().filter(|each| matches!(each.event, Event::StepCarried { .. })).collect();
    assert_eq!(carried.len(), 2);

    let same = engine.start(world::start(&definition, "order-1")).await.unwrap();
    assert_eq!((same.run, same.fresh), (second, false), "the new run took the id over");
    let (moved, none) = engine.rerun(first, rerun("r2", "c")).await.unwrap();
    assert_eq!((refusal(&moved), none), ("ID_MOVED", None));

    assert_eq!(engine.request(first, request("d", Demand::Delete)).await.unwrap(), Answer::Accepted);
    let payload = carried[1].event.payload().unwrap();
    assert_eq!(*read::payload(&*store, second, payload).await.unwrap(), *large.as_bytes(), "a blob of its own");
}

#[tokio::test]
async fn a_deleted_run_is_gone_and_its_id_stays_taken_for_a_while() {
    let world = World::new();
    let store = Arc::new(MemoryStore::new());
    let engine = Engine::open(store.clone(), world::options(&world)).await.unwrap();
    let definition = world::definition(&steps());
    let run = engine.start(world::start(&definition, "order-1")).await.unwrap().run;
    end(&engine, run).await;
    for _ in 0..2 {
        assert_eq!(engine.request(run, request("d1", Demand::Delete)).await.unwrap(), Answer::Accepted);
    }
    let other = engine.request(run, request("d2", Demand::Delete)).await;
    assert!(matches!(other, Err(RequestError::Load(LoadError::Unknown(_)))), "{other:?}");
    let retired = engine.start(world::start(&definition, "order-1")).await;
    assert!(matches!(retired, Err(StartError::IdRetired(_))), "{retired:?}");
    assert_eq!(store.row(run).await.unwrap(), None);
}

#[tokio::test]
async fn what_waits_in_the_inbox_is_answered_by_the_process_that_takes_the_run_up() {
    let world = World::new();
    world.script("/b", [answer(422, "{}")]);
    let store = Arc::new(MemoryStore::new());
    let engine = Engine::open(store.clone(), world::options(&world)).await.unwrap();
    let mut steps = steps();
    steps["a"]["retry"] = json!({ "initial": "1m", "max_interval": "1m", "jitter": "none" });
    world.script("/a", [answer(503, "{}")]);
    let run = engine.start(world::start(&world::definition(&steps), "x")).await.unwrap().run;
    let mut handle = engine.drive(run).await.unwrap();
    while !matches!(handle.next().await.unwrap().event, Event::AttemptFailed(_)) {}

    let store = Arc::new(store.reopen());
    let row = |request: &Request| InboxRow {
        run,
        arrival: 0,
        request_id: request.id.clone(),
        body: serde_json::to_vec(request).unwrap(),
    };
    let payload = Payload::json(br#""yes""#.as_slice());
    let signal = request("s1", Demand::Signal { name: "approved".into(), payload });
    let cancel = request("c1", Demand::Cancel { reason: None });
    let put = Unit { inbox_put: vec![row(&signal), row(&cancel), row(&signal)], ..Unit::default() };
    store.commit(vec![put]).await[0].clone().unwrap();

    let engine = Engine::open(store.clone(), world::options(&world)).await.unwrap();
    let state = end(&engine, run).await;
    assert_eq!(state.status(), Status::Cancelled);
    assert_eq!(state.answers.get("s1"), Some(&Answer::Accepted));
    assert_eq!(state.answers.get("c1"), Some(&Answer::Accepted));
    assert_eq!(state.signals.len(), 1);
    assert!(store.inbox(run).await.unwrap().is_empty(), "what was answered waits no more");
}

#[tokio::test]
async fn what_stands_beside_a_history_follows_from_it() {
    let world = World::new();
    let mut steps = steps();
    steps["b"]["retry"] = json!({ "initial": "1m", "max_interval": "1m" });
    world.script("/b", [answer(503, "{}")]);
    let store = Arc::new(MemoryStore::new());
    let engine = Engine::open(store.clone(), world::options(&world)).await.unwrap();
    let definition = world::definition(&steps);
    let start = Start { input: b"{ \"b\" : 1, \"a\":[ ] }".as_slice().into(), ..world::start(&definition, "x") };
    let run = engine.start(start).await.unwrap().run;
    let mut handle = engine.drive(run).await.unwrap();
    while !matches!(handle.next().await.unwrap().event, Event::AttemptFailed(_)) {}
    let history = read::history(&*store, run).await.unwrap();
    let follows = engine_runtime::rebuild::follows(definition, run, history).unwrap();
    assert_eq!(Some(follows.row), store.row(run).await.unwrap());
    let far = engine_core::time::Timestamp::from_millis(u64::MAX);
    let mut timers = store.due_timers(TimerClock::Engine, far, None, 10).await.unwrap().items;
    timers.sort_by(|one, other| one.timer.cmp(&other.timer));
    assert_eq!((follows.timers.len(), follows.timers), (2, timers), "the retry and the run's timeout");
    for (key, claim) in follows.claims {
        assert_eq!(store.claim(&key).await.unwrap(), Some(claim));
    }
}

#[tokio::test]
async fn what_no_run_could_take_changes_nothing() {
    let world = World::new();
    let engine = Engine::open(Arc::new(MemoryStore::new()), world::options(&world)).await.unwrap();
    let run = engine.start(world::start(&world::definition(&steps()), "x")).await.unwrap().run;
    end(&engine, run).await;
    let long = || Some("x".repeat(1_001));
    let signal = |payload: &[u8]| Demand::Signal { name: "s".into(), payload: Payload::json(payload) };
    let blob = Payload::Blob { content_type: engine_core::payload::ContentType::Json, digest: Digest::of(b""), len: 1 };
    let done = Demand::Resolve { step: None, action: Resolution::Done, output: Some(blob) };
    for (id, demand) in [
        ("", Demand::Pause),
        ("1", Demand::Cancel { reason: long() }),
        ("2", Demand::Terminate { reason: long() }),
        ("3", signal(b"{")),
        ("4", signal(b"")),
        ("5", done),
    ] {
        let refused = engine.request(run, request(id, demand)).await;
        assert!(matches!(refused, Err(RequestError::Unusable(_))), "{id}: {refused:?}");
    }
    let nobody = RunId::from_bytes([7; 16]);
    let unknown = engine.request(nobody, request("p", Demand::Pause)).await;
    assert!(matches!(unknown, Err(RequestError::Load(LoadError::Unknown(_)))), "{unknown:?}");
}
