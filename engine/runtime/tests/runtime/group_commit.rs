//! What durability costs, counted in commits and syncs.

use std::sync::Arc;

use engine_core::state::Status;
use engine_runtime::{Engine, Finished};
use engine_store::{MemoryStore, Store};

use crate::world::{self, World};

const STEPS: usize = 10;

#[tokio::test]
async fn a_lone_chain_of_ten_costs_eleven_commits() {
    let (world, store) = (World::new(), Arc::new(MemoryStore::new()));
    let engine = Engine::open(store.clone(), world::options(&world)).await.unwrap();
    let run = engine.start(world::start(&world::chain(STEPS), "lone")).await.unwrap().run;
    let finished = engine.drive(run).await.unwrap().finish().await;
    assert!(matches!(finished, Finished::Ended(state) if state.status() == Status::Completed));
    let counters = store.counters();
    assert_eq!((counters.units, counters.syncs), (STEPS as u64 + 1, STEPS as u64 + 1));
}

#[tokio::test]
async fn many_chains_together_sync_hardly_more_often_than_one() {
    const RUNS: usize = 256;
    let world = World::new();
    let (store, gate) = MemoryStore::with_gate();
    let store = Arc::new(store);
    let engine = Engine::open(store.clone(), world::options(&world)).await.unwrap();
    let definition = world::chain(STEPS);
    let starts = (0..RUNS).map(|number| {
        let (engine, start) = (engine.clone(), world::start(&definition, &format!("chain-{number}")));
        tokio::spawn(async move {
            let run = engine.start(start).await.unwrap().run;
            engine.drive(run).await.unwrap().finish().await
        })
    });
    let runs: Vec<_> = starts.collect();
    while store.counters().units < (RUNS * (STEPS + 1)) as u64 {
        quiesce().await;
        gate.release(1);
        quiesce().await;
    }
    for run in runs {
        assert!(matches!(run.await.unwrap(), Finished::Ended(state) if state.status() == Status::Completed));
    }
    let syncs = store.counters().syncs;
    assert!(syncs <= STEPS as u64 + 3, "{syncs} syncs for {RUNS} chains");
}

#[tokio::test]
async fn what_ends_during_a_sync_shares_the_next_one() {
    const WIDTH: usize = 100;
    let world = World::new();
    let (store, gate) = MemoryStore::with_gate();
    let store = Arc::new(store);
    let engine = Engine::open(store.clone(), world::options(&world)).await.unwrap();
    let run = tokio::spawn(async move {
        let run = engine.start(world::start(&world::fan(WIDTH), "fan")).await.unwrap().run;
        engine.drive(run).await.unwrap().finish().await
    });
    // The start; the first steps to end, and the others while those wait for their sync; the join.
    while !run.is_finished() {
        quiesce().await;
        gate.release(1);
        quiesce().await;
    }
    assert!(matches!(run.await.unwrap(), Finished::Ended(state) if state.status() == Status::Completed));
    let commits = store.counters().units;
    assert!(commits <= 8, "{commits} commits for {WIDTH} steps side by side and a join");
}

/// Lets every other task of this single-threaded runtime go on until it waits for something.
async fn quiesce() {
    for _ in 0..100 {
        tokio::task::yield_now().await;
    }
}
