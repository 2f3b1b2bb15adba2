//! How long a start takes beyond sled's own opening, by the number of ended runs:
//! `cargo test -p engine-runtime --test runtime start_up -- --ignored --nocapture`.

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use engine_core::event::Recorded;
use engine_core::id::{RunId, Seq};
use engine_core::time::Timestamp;
use engine_runtime::Engine;
use engine_store::{Class, IndexRow, MemoryStore, RunWrite, Store, Unit};
use engine_store_sled::SledStore;

use crate::stage::Stage;
use crate::world;

/// Runs that are open, besides the ended ones.
const OPEN: u64 = 10;

/// Units written with one sync.
const AT_ONCE: u64 = 5_000;

/// A run to be copied.
struct Sample {
    events: Vec<Recorded>,
    row: IndexRow,
}

impl Sample {
    /// Its history up to here, as another run's.
    fn copy(&self, number: u64, class: Class, fence: engine_store::Fence) -> Unit {
        let mut random = [0; 10];
        random[..8].copy_from_slice(&number.to_be_bytes());
        let run = RunId::new(Timestamp::from_millis(1_800_000_000_000 + number), random);
        let last = self.events.last().unwrap().seq;
        let row = IndexRow { run, class, last, workflow_id: Some(format!("order-{number}")), ..self.row.clone() };
        let write = RunWrite { run, expected: Seq(0), fence, events: self.events.clone(), row };
        Unit { run: Some(write), ..Unit::default() }
    }
}

/// A run whose first call is not answered.
async fn sample(stage: &Arc<Stage>) -> Sample {
    let store = Arc::new(MemoryStore::new());
    let engine = Engine::open(store.clone(), stage.options()).await.unwrap();
    let run = engine.start(world::start(&world::chain(1), "sample")).await.unwrap().run;
    let row = store.row(run).await.unwrap().unwrap();
    Sample { events: store.read(run, Seq(1), 100).await.unwrap(), row }
}

async fn fill(directory: &Path, sample: &Sample, ended: u64) {
    let store = SledStore::open(directory).unwrap();
    let fence = store.acquire(0, "test", Timestamp::default()).await.unwrap().unwrap();
    let definition = world::chain(1);
    store.put_definition("test", definition.digest(), definition.source()).await.unwrap();
    let begins = Sample { events: sample.events.iter().take(1).cloned().collect(), row: sample.row.clone() };
    let numbers: Vec<u64> = (0..ended).collect();
    for numbers in numbers.chunks(usize::try_from(AT_ONCE).unwrap()) {
        let units = numbers.iter().map(|number| begins.copy(*number, Class::Ended, fence)).collect();
        assert!(store.commit(units).await.iter().all(Result::is_ok));
    }
    let units = (ended..ended + OPEN).map(|number| sample.copy(number, Class::InFlight, fence)).collect();
    assert!(store.commit(units).await.iter().all(Result::is_ok));
    store.close().await.unwrap();
}

/// What a start takes: for sled, for the engine, and until all open runs have taken their first turn.
async fn start(directory: &Path, stage: &Arc<Stage>, clean: bool) -> [Duration; 3] {
    let begun = Instant::now();
    let store = Arc::new(SledStore::open(directory).unwrap());
    let sled = begun.elapsed();
    let begun = Instant::now();
    let engine = Engine::open(store.clone(), stage.options()).await.unwrap();
    let opened = begun.elapsed();
    let begun = Instant::now();
    let runs = engine.recover().await.unwrap();
    assert_eq!(runs.len() as u64, OPEN);
    for run in runs {
        engine.drive(run).await.unwrap();
    }
    let taken_up = begun.elapsed();
    engine.shutdown(Duration::ZERO).await;
    if clean {
        store.close().await.unwrap();
    }
    drop(engine);
    while Arc::strong_count(&store) > 1 {
        tokio::task::yield_now().await;
    }
    [sled, opened, taken_up]
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "it measures, and takes a while"]
async fn a_start_costs_by_the_open_runs() {
    let most = std::env::var("ENGINE_TEST_ENDED_RUNS").ok().and_then(|runs| runs.parse().ok()).unwrap_or(1_000_000);
    let stage = Stage::new();
    stage.hold("/s1");
    let sample = sample(&stage).await;
    for ended in [1_000, most] {
        let data = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
        let begun = Instant::now();
        fill(data.path(), &sample, ended).await;
        println!("{ended} ended runs, written in {:?}", begun.elapsed());
        for clean in [true, false, true] {
            let [sled, opened, taken_up] = start(data.path(), &stage, clean).await;
            println!("  sled {sled:?}; engine {opened:?}; {OPEN} runs taken up in {taken_up:?}");
        }
    }
}
