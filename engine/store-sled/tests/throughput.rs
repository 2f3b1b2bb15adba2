//! How many durable commits a second: `cargo test --release -p engine-store-sled --test throughput -- --ignored
//! --nocapture`.
#![allow(missing_docs, clippy::unwrap_used, clippy::print_stdout, clippy::cast_precision_loss)]

use std::sync::Arc;
use std::time::{Duration, Instant};

use engine_store::Store;
use engine_store::conformance::{at, big, run, unit_of};
use engine_store_sled::SledStore;

const LASTS: Duration = Duration::from_secs(3);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "it measures, and takes a while"]
async fn durable_commits_a_second() {
    for committers in [1, 8, 64, 256] {
        let data = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
        let store = Arc::new(SledStore::open(data.path()).unwrap());
        let fence = store.acquire(0, "test", at(0)).await.unwrap().unwrap();
        let begun = Instant::now();
        let tasks = (0..committers).map(|number| {
            let store = Arc::clone(&store);
            tokio::spawn(async move {
                let (mut last, mut spent) = (0, Vec::new());
                while begun.elapsed() < LASTS {
                    let from = Instant::now();
                    let unit = unit_of(fence, run(number), last, vec![big(last + 1, 200)]);
                    store.commit(vec![unit]).await.pop().unwrap().unwrap();
                    last += 1;
                    spent.push(from.elapsed());
                }
                spent
            })
        });
        let mut spent = Vec::new();
        for task in tasks.collect::<Vec<_>>() {
            spent.extend(task.await.unwrap());
        }
        spent.sort_unstable();
        let (count, syncs) = (spent.len(), store.counters().syncs);
        let (half, most) = (spent.get(count / 2).unwrap(), spent.get(count * 99 / 100).unwrap());
        let rate = count as f64 / LASTS.as_secs_f64();
        println!("{committers:4} committers: {rate:7.0}/s, p50 {half:?}, p99 {most:?}, {syncs} syncs");
        store.close().await.unwrap();
    }
}
