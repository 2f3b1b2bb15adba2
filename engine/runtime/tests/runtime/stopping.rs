//! Stopping on purpose, and a store that fails.

use std::sync::Arc;
use std::time::Duration;

use engine_core::machine::AttemptOutcome;
use engine_core::request::{Answer, Demand, Request, Resolution};
use engine_core::state::Status;
use engine_runtime::{Engine, Finished, Transport};
use engine_store::MemoryStore;
use tokio::sync::Notify;

use crate::world::{self, World, answer};

#[tokio::test]
async fn a_run_that_is_stopped_is_open_and_goes_on_later() {
    let world = World::new();
    let (store, gate) = MemoryStore::with_gate();
    let store = Arc::new(store);
    let engine = Engine::open(store.clone(), world::options(&world)).await.unwrap();
    gate.release(3);
    let run = engine.start(world::start(&world::chain(5), "a")).await.unwrap().run;
    let handle = engine.drive(run).await.unwrap();
    gate.reached(4).await;
    let following = tokio::spawn(handle.finish());
    // The stop is told first; then the commit that waits at the gate goes through.
    tokio::join!(biased; engine.shutdown(world::SOON), async { gate.open() });
    assert!(matches!(following.await.unwrap(), Finished::Interrupted));

    let engine = Engine::open(Arc::new(store.reopen()), world::options(&world)).await.unwrap();
    assert_eq!(engine.open_runs().await.unwrap(), [run]);
    let Finished::Ended(state) = engine.drive(run).await.unwrap().finish().await else { panic!() };
    assert_eq!(state.status(), Status::Completed);
    assert!((1..=5).all(|number| world.done(&format!("/s{number}")) == 1));
    // Three results and the fourth step's scheduling were on their way; the fifth step waited for the next process.
    assert_eq!(world.sent().len(), 5, "an orderly stop cuts nothing off: {:?}", world.sent());
}

#[tokio::test]
async fn a_store_that_fails_breaks_the_run_and_acknowledges_nothing() {
    let world = World::new();
    let (store, gate) = MemoryStore::with_gate();
    let engine = Engine::open(Arc::new(store), world::options(&world)).await.unwrap();
    gate.release(2);
    let run = engine.start(world::start(&world::chain(5), "a")).await.unwrap().run;
    let handle = engine.drive(run).await.unwrap();
    gate.reached(3).await;
    gate.fail();
    let finished = handle.finish().await;
    assert!(matches!(&finished, Finished::Broken(why) if why.contains("syncing")), "{finished:?}");
    assert_eq!(world.sent().len(), 2, "the third step was never durable, so it was never sent");
}

#[tokio::test]
async fn a_stuck_compensation_waits_for_its_operator() {
    let (world, store) = (World::new(), Arc::new(MemoryStore::new()));
    world.script("/refuse", [answer(422, "{}")]);
    world.script("/refund", [answer(422, r#"{"error":"closed account"}"#)]);
    let definition = world::definition(&serde_json::json!({
        "charge": { "http": { "service": "svc", "post": "/charge" },
                    "compensate": { "http": { "service": "svc", "post": "/refund" } } },
        "refuse": { "after": ["charge"], "http": { "service": "svc", "post": "/refuse" } },
    }));
    let engine = Engine::open(store.clone(), world::options(&world)).await.unwrap();
    let run = engine.start(world::start(&definition, "a")).await.unwrap().run;
    let Finished::Stuck(state) = engine.drive(run).await.unwrap().finish().await else { panic!() };
    assert_eq!(state.status(), Status::Stuck);

    let resolve = |id: &str, step: &str, action| Request {
        id: id.to_owned(),
        actor: "op".to_owned(),
        demand: Demand::Resolve { step: Some(step.into()), action, output: None },
    };
    let refused = engine.request(run, resolve("1", "refuse", Resolution::Retry)).await.unwrap();
    assert!(matches!(refused, Answer::Refused { ref code, .. } if code == "NOT_STUCK"), "{refused:?}");
    let again = engine.request(run, resolve("1", "charge", Resolution::Retry)).await.unwrap();
    assert_eq!(again, refused, "a repeat gets the first answer");
    assert_eq!(engine.request(run, resolve("2", "charge", Resolution::Retry)).await.unwrap(), Answer::Accepted);
    let Finished::Ended(state) = engine.drive(run).await.unwrap().finish().await else { panic!() };
    assert_eq!(state.status(), Status::Compensated);
    let keys: Vec<_> = world.sent().into_iter().filter(|sent| sent.path == "/refund").map(|sent| sent.key).collect();
    assert_eq!(keys.len(), 2);
    assert_ne!(keys[0], keys[1], "what provably did nothing is asked for anew under another key");
    let ended = engine.request(run, resolve("3", "charge", Resolution::Skip)).await.unwrap();
    assert!(matches!(ended, Answer::Refused { code, .. } if code == "ENDED"));
    engine.shutdown(Duration::from_secs(1)).await;

    let engine = Engine::open(Arc::new(store.reopen()), world::options(&world)).await.unwrap();
    let ended = engine.request(run, resolve("4", "charge", Resolution::Skip)).await.unwrap();
    assert!(matches!(ended, Answer::Refused { code, .. } if code == "ENDED"), "a later process says the same");
    assert_eq!(engine.request(run, resolve("1", "charge", Resolution::Skip)).await.unwrap(), refused);
}

/// Services one of which takes the whole attempt down.
struct Panics(Arc<World>);

#[async_trait::async_trait]
impl Transport for Panics {
    async fn send(&self, request: engine_runtime::Request) -> AttemptOutcome {
        assert!(!request.url.ends_with("/bad"), "the attempt comes to nothing");
        self.0.send(request).await
    }
}

#[tokio::test]
async fn an_attempt_that_can_not_be_made_takes_no_result_with_it() {
    let (world, store) = (World::new(), Arc::new(MemoryStore::new()));
    let definition = world::definition(&serde_json::json!({
        "bad": { "http": { "service": "svc", "post": "/bad" } },
        "good": { "after": [], "http": { "service": "svc", "post": "/good" } },
        "last": { "after": ["bad", "good"], "http": { "service": "svc", "post": "/last" } },
    }));
    let mut options = world::options(&world);
    options.transport = Arc::new(Panics(world.clone()));
    let engine = Engine::open(store.clone(), options).await.unwrap();
    let run = engine.start(world::start(&definition, "a")).await.unwrap().run;
    let finished = engine.drive(run).await.unwrap().finish().await;
    assert!(matches!(&finished, Finished::SetAside(why) if why.code == "PANICKED"), "{finished:?}");

    let engine = Engine::open(Arc::new(store.reopen()), world::options(&world)).await.unwrap();
    let Finished::Ended(state) = engine.drive(run).await.unwrap().finish().await else { panic!() };
    assert_eq!(state.status(), Status::Completed);
    let sent: Vec<_> = world.sent().into_iter().map(|sent| sent.path).collect();
    assert_eq!(sent, ["/good", "/bad", "/last"], "the result that came with it was recorded");
}

/// Services that answer once they may, and keep the bodies that they were sent until then.
struct Waits {
    world: Arc<World>,
    came: Notify,
    may: Notify,
}

#[async_trait::async_trait]
impl Transport for Waits {
    async fn send(&self, request: engine_runtime::Request) -> AttemptOutcome {
        self.came.notify_one();
        self.may.notified().await;
        self.world.send(request).await
    }
}

#[tokio::test]
async fn a_stop_waits_for_no_attempt_that_waits_for_room() {
    let (world, store) = (World::new(), Arc::new(MemoryStore::new()));
    let waits = Arc::new(Waits { world: world.clone(), came: Notify::new(), may: Notify::new() });
    let call = serde_json::json!({ "service": "svc", "post": "/a", "body": "${ .input }" });
    let definition = world::definition(&serde_json::json!({ "a": { "http": call } }));
    let mut options = world::options(&world);
    (options.transport, options.payload_memory) = (waits.clone(), 400_000);
    let engine = Engine::open(store.clone(), options).await.unwrap();
    let mut runs = Vec::new();
    for id in ["first", "second"] {
        let mut start = world::start(&definition, id);
        start.input = format!("\"{}\"", "x".repeat(100_000)).into_bytes().into();
        runs.push(engine.start(start).await.unwrap().run);
        if id == "first" {
            waits.came.notified().await;
        }
    }
    tokio::join!(biased; engine.shutdown(world::SOON), async { waits.may.notify_one() });
    assert_eq!(world.sent().len(), 1, "the second one's body had no room beside the first one's");

    let engine = Engine::open(Arc::new(store.reopen()), world::options(&world)).await.unwrap();
    for run in runs {
        assert!(matches!(engine.drive(run).await.unwrap().finish().await, Finished::Ended(_)));
    }
    assert_eq!(world.done("/a"), 2);
    assert_eq!(world.sent().len(), 2);
}

/// Secrets that a test can set later.
#[derive(Default)]
struct Vault(std::sync::Mutex<Option<String>>);

impl engine_runtime::Secrets for Vault {
    fn secret(&self, name: &str) -> Option<String> {
        assert_eq!(name, "API_KEY");
        self.0.lock().unwrap().clone()
    }

    fn environment(&self, _: &str) -> Option<String> {
        None
    }
}

#[tokio::test]
async fn a_missing_secret_parks_the_run_and_fails_nothing() {
    let (world, vault) = (World::new(), Arc::new(Vault::default()));
    let file = serde_json::json!({
        "format": "engine/1", "name": "test", "version": "1.0.0",
        "services": { "svc": { "url": "http://test", "auth": { "bearer": "${secret:API_KEY}" } } },
        "steps": {
            "a": { "http": { "service": "svc", "post": "/a" }, "retry": { "max_attempts": 1 } },
            "b": { "after": ["a"], "http": { "service": "svc", "post": "/b" } },
        },
    });
    let definition = Arc::new(engine_core::definition::Definition::from_json(&file.to_string()).unwrap());
    let mut options = world::options(&world);
    options.secrets = vault.clone();
    let engine = Engine::open(Arc::new(MemoryStore::new()), options).await.unwrap();
    let run = engine.start(world::start(&definition, "a")).await.unwrap().run;
    let Finished::Stuck(state) = engine.drive(run).await.unwrap().finish().await else { panic!() };
    assert!(state.stuck.iter().any(|stuck| stuck.message.contains("ENGINE_SECRET_API_KEY")), "{:?}", state.stuck);
    assert!(world.sent().is_empty());

    *vault.0.lock().unwrap() = Some("s3cret".to_owned());
    let demand = Demand::Resolve { step: None, action: Resolution::Retry, output: None };
    let retry = Request { id: "1".to_owned(), actor: "op".to_owned(), demand };
    assert_eq!(engine.request(run, retry).await.unwrap(), Answer::Accepted);
    let Finished::Ended(state) = engine.drive(run).await.unwrap().finish().await else { panic!() };
    assert_eq!(state.status(), Status::Completed);
    assert_eq!(world.sent().len(), 2, "not even a step that runs at most once was failed by it");
    let history = engine_runtime::read::history(&**engine.store(), run).await.unwrap();
    assert!(!format!("{history:?}").contains("s3cret"), "a secret is never recorded");
}
