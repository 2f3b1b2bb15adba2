//! A process beside the one that has the directory: here both are in this process, with the socket between them.

use std::sync::Arc;

use engine_core::id::RunId;
use engine_core::request::{Answer, Demand, Request};
use engine_runtime::control::{AskError, Client, ConnectError, Control, Place, Presence, RefusalKind};
use engine_runtime::{Engine, Finished, Reuse, Start, read};
use engine_store::{Filter, MemoryStore, Store, StoreError};
use serde_json::json;

use crate::keeping::Unasked;
use crate::world::{SOON, World, chain, definition, options, start};

struct Beside {
    engine: Engine,
    store: Arc<MemoryStore>,
    control: Control,
    dir: tempfile::TempDir,
}

impl Beside {
    async fn open() -> Self {
        let (store, dir) = (Arc::new(MemoryStore::new()), tempfile::tempdir().unwrap());
        let engine = Engine::open(store.clone(), options(&World::new())).await.unwrap();
        let control = Control::serve(engine.clone(), Arc::new(Unasked), Place::of(dir.path()).unwrap(), true).unwrap();
        Self { engine, store, control, dir }
    }

    async fn client(&self) -> Client {
        Client::connect(Place::of(self.dir.path()).unwrap()).await.unwrap().0
    }
}

fn handed(request: &str) -> Start {
    Start { workflow_id: None, request_id: Some(request.to_owned()), reuse: Reuse::Never, ..start(&chain(2), "") }
}

/// A run that was handed in and has ended; the process stays until the presence goes.
async fn ended(client: &Client) -> (RunId, Presence) {
    let (started, presence) = client.start(&handed("r1"), None).await.unwrap();
    client.drive(started.run).await.unwrap().finish().await;
    (started.run, presence)
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_stored_reads_beside_as_it_does_at_home() {
    let beside = Beside::open().await;
    // Large enough for a blob, and for many events.
    let big = json!({ "value": "x".repeat(100_000) });
    let run = beside.engine.start(start(&definition(&json!({ "big": big })), "one")).await.unwrap().run;
    beside.engine.drive(run).await.unwrap().finish().await;
    let client = beside.client().await;
    let (there, here) = (client.store(), &*beside.store);
    assert_eq!(there.row(run).await, here.row(run).await);
    let list = |store: Arc<dyn Store>| async move { store.list(&Filter::default(), None, 10).await.unwrap() };
    assert_eq!(list(there.clone()).await, list(beside.store.clone()).await);
    assert_eq!(read::history(&*there, run).await.unwrap(), read::history(here, run).await.unwrap());
    let state = read::state(&*there, run).await.unwrap();
    let output = state.end.as_ref().unwrap().output.clone().unwrap();
    let output = read::held(&*there, run, &output).await.unwrap();
    assert_eq!(output, read::held(here, run, &state.end.unwrap().output.unwrap()).await.unwrap());
    assert!(output.len() > 100_000);
    assert_eq!(there.current_definitions().await, here.current_definitions().await);
    assert_eq!(read::definition(&*there, state.definition).await.unwrap().digest(), state.definition);
    assert!(matches!(there.commit(Vec::new()).await.as_slice(), []));
    assert!(there.put_definition("test", state.definition, b"").await.is_err(), "only its owner writes");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_start_that_is_repeated_gives_the_same_run() {
    let beside = Beside::open().await;
    let client = beside.client().await;
    let (first, _presence) = client.start(&handed("r1"), None).await.unwrap();
    let (again, _presence) = client.start(&handed("r1"), None).await.unwrap();
    assert_eq!(first, again, "the first answer, although the workflow may be started twice");
    let (other, _presence) = client.start(&handed("r2"), None).await.unwrap();
    assert_ne!(first.run, other.run);
    let Finished::Ended(state) = client.drive(first.run).await.unwrap().finish().await else { panic!("it ends") };
    assert_eq!(state.run, first.run);
    let many = started_at_once(&client, 8).await;
    assert!(many.iter().all(|run| *run == many[0]), "at the same moment too: {many:?}");
}

async fn started_at_once(client: &Client, count: usize) -> Vec<RunId> {
    let mut starts = tokio::task::JoinSet::new();
    for _ in 0..count {
        let client = client.clone();
        starts.spawn(async move { client.start(&handed("same"), None).await.unwrap().0.run });
    }
    starts.join_all().await
}

#[tokio::test(flavor = "multi_thread")]
async fn requests_are_answered_once() {
    let beside = Beside::open().await;
    let client = beside.client().await;
    let (run, _presence) = ended(&client).await;
    let cancel = |id: &str| Request { id: id.into(), actor: "me".into(), demand: Demand::Cancel { reason: None } };
    let answer = client.request(run, cancel("c1")).await.unwrap();
    assert!(matches!(answer, Answer::Refused { .. }), "it has ended");
    assert_eq!(beside.engine.request(run, cancel("c1")).await.unwrap(), answer);
    let nobody = RunId::from_bytes([1; 16]);
    let Err(AskError::Refused(refusal)) = client.request(nobody, cancel("c2")).await else { panic!("there is none") };
    assert_eq!(refusal.kind, RefusalKind::Unknown);
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_handed_to_a_process_that_leaves() {
    let beside = Beside::open().await;
    let client = beside.client().await;
    let (run, presence) = ended(&client).await;
    drop(presence);
    tokio::time::timeout(SOON, beside.control.settled()).await.unwrap();
    assert!(matches!(client.start(&handed("r2"), None).await, Err(AskError::Lost(_))));
    assert!(matches!(client.drive(run).await, Err(AskError::Lost(_))));
    assert!(client.store().row(run).await.unwrap().is_some(), "it can be asked until it has gone");
    beside.control.close();
    assert_eq!(client.store().row(run).await, Err(StoreError::Closed));
    let gone = Client::connect(Place::of(beside.dir.path()).unwrap()).await;
    assert!(matches!(gone, Err(ConnectError::Nobody(_))));
    assert_eq!(read::open_runs(&*beside.store).await.unwrap(), Vec::new());
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_process_can_not_do_because_it_leaves_is_asked_of_the_next_one() {
    let beside = Beside::open().await;
    let client = beside.client().await;
    let (run, _presence) = ended(&client).await;
    beside.engine.shutdown(SOON).await;
    beside.store.close().await.unwrap();
    let pause = Request { id: "p1".into(), actor: "me".into(), demand: Demand::Pause };
    assert!(matches!(client.request(run, pause).await, Err(AskError::Lost(_))));
    assert!(matches!(client.recover().await, Err(AskError::Lost(_))));
    assert!(matches!(client.watch(run).await, Err(AskError::Lost(_))));
    assert!(matches!(client.start(&handed("r2"), None).await, Err(AskError::Lost(_))));
}
