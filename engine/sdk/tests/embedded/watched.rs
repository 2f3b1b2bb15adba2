//! What a program sees of its runs while they go on.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use engine::{Engine, EventKind, HistoryEvent};
use futures_util::StreamExt;

use crate::order::{TOO_MUCH, World, brief_engine, workflow};

#[tokio::test]
async fn events_are_told_as_they_happen_and_end_where_the_run_rests() {
    let world = World::closed();
    let engine = brief_engine(&world).await;
    let run = engine.start(&workflow().unwrap(), TOO_MUCH).await.unwrap();
    let mut events = run.events();
    let first = events.next().await.unwrap().unwrap();
    assert_eq!((first.seq, first.kind), (1, EventKind::RunStarted));
    world.let_charge();
    // It is a stream as well.
    let rest: Vec<HistoryEvent> = StreamExt::map(events, Result::unwrap).collect().await;
    let all: Vec<HistoryEvent> = std::iter::once(first).chain(rest).collect();
    assert_eq!(all, run.history().await.unwrap());
    let failed = all.iter().find(|event| event.kind == EventKind::StepFailed).unwrap();
    assert_eq!((failed.step.as_deref(), failed.code.as_deref()), (Some("charge"), Some("TOO_MUCH")));
    assert!(all.iter().zip(1..).all(|(event, seq)| event.seq == seq), "{all:?}");
}

#[tokio::test]
async fn the_hook_is_told_every_event_once_in_order_and_may_panic() {
    let seen: Arc<Mutex<BTreeMap<String, Vec<u64>>>> = Arc::default();
    let (noted, world) = (seen.clone(), World::open());
    let order = workflow().unwrap();
    let engine = Engine::in_memory().register(&order).state(world).observe(move |run, event| {
        noted.lock().unwrap().entry(run.to_owned()).or_default().push(event.seq);
        assert!(event.seq != 2, "a hook that panics harms nobody");
    });
    let engine = engine.start().await.unwrap();
    let mut histories = BTreeMap::new();
    for cents in [100, 200, TOO_MUCH] {
        let run = engine.start(&order, cents).await.unwrap();
        let _ = run.result().await;
        let seqs: Vec<u64> = run.history().await.unwrap().iter().map(|event| event.seq).collect();
        histories.insert(run.id().to_owned(), seqs);
    }
    engine.shutdown().await.unwrap();
    assert_eq!(*seen.lock().unwrap(), histories);
}
