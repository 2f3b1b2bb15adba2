//! The doctor and backups of a store that is busy, is given up on them, or has no room for them.
#![allow(missing_docs, clippy::unwrap_used, clippy::print_stdout)]

#[path = "common/disk.rs"]
#[allow(dead_code)]
mod disk;
#[path = "common/filled.rs"]
mod filled;

use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use engine_core::id::{Digest, Seq};
use engine_store::conformance::{at, big, event, run, unit_of};
use engine_store::{Fence, Keeper, Store, StoreError};
use engine_store_sled::{SledStore, doctor};
use filled::{DEFINITION, fence_of, fill, folder, read_run, write_run};
use tokio::task::JoinHandle;

/// Enough for anything that should happen at all.
const SOON: Duration = Duration::from_mins(1);

/// Writers that go on until they are told to stop.
struct Busy {
    stop: Arc<AtomicBool>,
    rounds: Arc<AtomicU64>,
    writers: Vec<JoinHandle<()>>,
}

impl Busy {
    /// Runs begin with all that runs have, grow to several pieces, and are deleted; definitions come and are swept.
    fn writing(store: &Arc<SledStore>, fence: Fence) -> Self {
        let (stop, rounds) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)));
        let writers = (0..3).map(|writer| {
            let (store, stop, rounds) = (Arc::clone(store), Arc::clone(&stop), Arc::clone(&rounds));
            tokio::spawn(async move {
                let mut number = 1_000 * (writer + 1);
                while !stop.load(Ordering::SeqCst) {
                    come_and_go(&store, fence, number).await;
                    number += 1;
                    rounds.fetch_add(1, Ordering::SeqCst);
                }
            })
        });
        Self { writers: writers.collect(), stop, rounds }
    }

    async fn stop(self) -> u64 {
        self.stop.store(true, Ordering::SeqCst);
        for writer in self.writers {
            writer.await.unwrap();
        }
        self.rounds.load(Ordering::SeqCst)
    }
}

async fn come_and_go(store: &SledStore, fence: Fence, number: u64) {
    let own = format!("definition of {number}");
    store.put_definition("others", Digest::of(own.as_bytes()), own.as_bytes()).await.unwrap();
    write_run(store, fence, number).await;
    if number.is_multiple_of(2) {
        // More records than one piece of a deletion removes.
        let units = (filled::EVENTS..700).map(|last| unit_of(fence, run(number), last, vec![event(last + 1)]));
        assert!(store.commit(units.collect()).await.iter().all(Result::is_ok));
    }
    if !number.is_multiple_of(5) {
        store.delete(run(number), at(9)).await.unwrap();
    }
    if number.is_multiple_of(7) {
        store.sweep_definitions().await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 3)]
async fn what_is_written_meanwhile_is_no_damage() {
    let folder = folder();
    fill(folder.path(), 0..30).await;
    let store = Arc::new(SledStore::open(folder.path()).unwrap());
    let busy = Busy::writing(&store, fence_of(&store).await);
    let (mut looks, mut seen) = (0, 0);
    while busy.rounds.load(Ordering::SeqCst) < 60 || looks < 20 {
        let found = store.diagnose().await.unwrap();
        assert!(found.is_sound(), "{found:?}");
        assert!(found.left_out.iter().any(|left| left.contains("log")), "{found:?}");
        (looks, seen) = (looks + 1, found.counts.runs);
    }
    println!("{looks} looks, {seen} runs in the last one, {} written meanwhile", busy.stop().await);
    // It is not blind: what is gone is found while the store is open.
    fs::remove_file(folder.path().join(format!("definitions/{}", Digest::of(DEFINITION)))).unwrap();
    assert_eq!(store.diagnose().await.unwrap().findings.len(), 1);
    store.close().await.unwrap();
    let stopped = doctor(folder.path()).unwrap();
    assert_eq!((stopped.findings.len(), stopped.left_out.len()), (1, 0), "{stopped:?}");
}

/// A store with so many rows of 100 kB.
async fn large(path: &Path, rows: u64) -> Arc<SledStore> {
    fill(path, 0..3).await;
    let store = Arc::new(SledStore::open(path).unwrap());
    let fence = fence_of(&store).await;
    for number in 0..rows / 10 {
        let events = (1..=10).map(|seq| big(seq, 100_000)).collect();
        let mut unit = unit_of(fence, run(7_000 + number), 0, events);
        unit.run.as_mut().unwrap().row.definition = Digest::of(DEFINITION);
        store.commit(vec![unit]).await.pop().unwrap().unwrap();
    }
    store
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_backup_is_made_at_a_time_and_given_up_with_its_asker() {
    let folder = folder();
    let (store, to) = (large(&folder.path().join("data"), 400).await, folder.path().join("backup"));
    let making = tokio::spawn({
        let (store, to) = (Arc::clone(&store), to.clone());
        async move { store.backup(&to).await.unwrap() }
    });
    while !to.join("backup.unfinished").exists() {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    let other = folder.path().join("other");
    let refused = store.backup(&other).await.unwrap_err();
    assert!(refused.to_string().contains("is being backed up already"), "{refused}");
    making.abort();
    assert!(making.await.unwrap_err().is_cancelled(), "it was given up before its end");
    // Nobody waits for it: the next one need not wait for its end, and takes its place.
    let made = tokio::time::timeout(SOON, async {
        loop {
            match store.backup(&to).await {
                Err(StoreError::Unusable(why)) if why.contains("already") => {
                    tokio::time::sleep(Duration::from_millis(5)).await;
                }
                made => break made.unwrap(),
            }
        }
    });
    assert!(made.await.unwrap().diagnosis.is_sound());
    let again = store.backup(&to).await.unwrap_err();
    assert!(again.to_string().contains("is not empty"), "one that is whole is never replaced: {again}");
    store.close().await.unwrap();
    let found = doctor(&to).unwrap();
    assert!(found.is_sound() && found.counts == doctor(&folder.path().join("data")).unwrap().counts, "{found:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_put_beside_an_unfinished_backup_is_kept() {
    let folder = folder();
    let (store, to) = (large(&folder.path().join("data"), 10).await, folder.path().join("backup"));
    store.backup(&to).await.unwrap();
    fs::rename(to.join("format"), to.join("backup.unfinished")).unwrap();
    fs::write(to.join("notes"), "mine").unwrap();
    let refused = store.backup(&to).await.unwrap_err();
    assert!(refused.to_string().contains("is not empty") && to.join("notes").exists(), "{refused}");
    fs::remove_file(to.join("notes")).unwrap();
    store.backup(&to).await.unwrap();
    store.close().await.unwrap();
    assert!(doctor(&to).unwrap().is_sound());
}

/// A backup fills its disk; the store that it is made of has another one, and goes on.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_full_disk_below_the_backup_is_no_concern_of_the_store() {
    if let Err(why) = disk::available() {
        println!("skipped: {why}");
        return;
    }
    let folder = folder();
    let store = large(&folder.path().join("data"), 800).await;
    let image = disk::format(folder.path(), 40 << 20).unwrap();
    let mounted = disk::Mounted::new(&image).unwrap();
    let failed = tokio::time::timeout(SOON, store.backup(&mounted.data())).await.unwrap().unwrap_err();
    assert!(failed.to_string().contains(&mounted.data().display().to_string()), "{failed}");
    assert!(failed.to_string().contains("no space"), "{failed}");
    assert!(SledStore::open(&mounted.data()).err().unwrap().to_string().contains("not finished"));
    let fence = fence_of(&store).await;
    write_run(&store, fence, 900).await;
    read_run(&store, 900).await.unwrap();
    assert!(store.diagnose().await.unwrap().is_sound());
    assert_eq!(store.read(run(7_000), Seq(1), 100).await.unwrap().len(), 10);
    store.close().await.unwrap();
}
