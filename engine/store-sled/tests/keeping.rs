//! Backups of a store that is written meanwhile, compaction that may be cut off anywhere, and long deletions.
#![allow(missing_docs, clippy::unwrap_used, clippy::print_stdout)]

#[path = "common/filled.rs"]
mod filled;

use std::fs;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use engine_core::id::Seq;
use engine_store::conformance::{big, event, run, unit_of};
use engine_store::keys::{self, Space};
use engine_store::{Keeper, Store, StoreError};
use engine_store_sled::{SledStore, compact, compact_with, doctor};
use filled::{all_rows, copy, fence_of, fill, folder, read_lists, read_run, write_run};

const RUNS: u64 = 30;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_backup_holds_what_was_acknowledged_before() {
    let folder = folder();
    let (data, backup) = (folder.path().join("data"), folder.path().join("backup"));
    fill(&data, 0..RUNS).await;
    let store = Arc::new(SledStore::open(&data).unwrap());
    let fence = fence_of(&store).await;
    let (stop, acknowledged) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)));
    // Runs that are begun, and grow, before, during and after the backup: what is copied is written again.
    let writers = (0..4_u64).map(|writer| {
        let (store, stop, acknowledged) = (Arc::clone(&store), Arc::clone(&stop), Arc::clone(&acknowledged));
        tokio::spawn(async move {
            let (mut last, id) = (0, run(5_000 + writer));
            while !stop.load(Ordering::SeqCst) {
                let events = vec![big(last + 1, 2_000), big(last + 2, 100)];
                let mut unit = unit_of(fence, id, last, events);
                unit.run.as_mut().unwrap().row.definition = engine_core::id::Digest::of(filled::DEFINITION);
                store.commit(vec![unit]).await.pop().unwrap().unwrap();
                last += 2;
                if writer == 0 {
                    acknowledged.store(last, Ordering::SeqCst);
                }
            }
            last
        })
    });
    let writers: Vec<_> = writers.collect();
    while acknowledged.load(Ordering::SeqCst) < 100 {
        tokio::task::yield_now().await;
    }
    // Deleted while the backup is made, a run is in it as a whole or not at all.
    let deleting = {
        let store = Arc::clone(&store);
        tokio::spawn(async move { store.delete(run(0), engine_store::conformance::at(9)).await.unwrap() })
    };
    let before = acknowledged.load(Ordering::SeqCst);
    let made = store.backup(&backup).await.unwrap();
    let during = acknowledged.load(Ordering::SeqCst);
    deleting.await.unwrap();
    assert!(store.diagnose().await.unwrap().is_sound(), "the original, while it is written");
    stop.store(true, Ordering::SeqCst);
    for writer in writers {
        writer.await.unwrap();
    }
    assert!(made.diagnosis.is_sound(), "{:?}", made.diagnosis);
    println!("{before} events before the backup, {during} when it was made, {made:?}");
    assert!(during > before, "nothing was written meanwhile");
    store.close().await.unwrap();

    let found = doctor(&backup).unwrap();
    assert!(found.is_sound(), "{found:?}");
    assert_eq!(found.counts, made.diagnosis.counts);
    assert!(doctor(&data).unwrap().is_sound());
    let copied = SledStore::open(&backup).unwrap();
    for number in 1..RUNS {
        read_run(&copied, number).await.unwrap();
    }
    let row = copied.row(run(5_000)).await.unwrap().unwrap();
    assert!(row.last.0 >= before && row.last.0.is_multiple_of(2), "{row:?}");
    assert_eq!(copied.read(run(5_000), Seq(1), usize::MAX).await.unwrap().len() as u64, row.last.0);
    // It can be gone on with.
    let fence = fence_of(&copied).await;
    write_run(&copied, fence, 900).await;
    copied.close().await.unwrap();
}

#[tokio::test]
async fn a_backup_that_was_cut_off_is_refused() {
    let folder = folder();
    let (data, backup) = (folder.path().join("data"), folder.path().join("backup"));
    fill(&data, 0..3).await;
    let store = SledStore::open(&data).unwrap();
    fs::create_dir_all(backup.join("something")).unwrap();
    let refused = store.backup(&backup).await.unwrap_err();
    assert!(refused.to_string().contains("is not empty"), "{refused}");
    fs::remove_dir(backup.join("something")).unwrap();
    assert!(store.backup(&backup).await.unwrap().diagnosis.is_sound());
    let within = store.backup(&data.join("backup")).await.unwrap_err();
    assert!(within.to_string().contains("lies in the data directory"), "{within}");
    store.close().await.unwrap();
    // `format` comes last: this is what a crash leaves.
    fs::rename(backup.join("format"), backup.join("backup.unfinished")).unwrap();
    for refused in [SledStore::open(&backup).map(drop), doctor(&backup).map(drop), compact(&backup).map(drop)] {
        let refused = refused.unwrap_err();
        assert!(refused.to_string().contains("is a backup that was not finished"), "{refused}");
    }
}

#[tokio::test]
async fn a_backup_that_fails_does_no_harm() {
    let folder = folder();
    fill(&folder.path().join("data"), 0..3).await;
    let store = SledStore::open(&folder.path().join("data")).unwrap();
    let fence = fence_of(&store).await;
    // Nothing can be made below a file.
    fs::write(folder.path().join("file"), "").unwrap();
    assert!(matches!(store.backup(&folder.path().join("file/backup")).await, Err(StoreError::Unusable(_))));
    write_run(&store, fence, 7).await;
    store.backup(&folder.path().join("backup")).await.unwrap();
    store.close().await.unwrap();
}

/// Writes and deletes a lot, so that there is something to gain.
async fn churned(path: &std::path::Path) {
    fill(path, 0..RUNS).await;
    let store = SledStore::open(path).unwrap();
    let fence = fence_of(&store).await;
    for number in 0..60 {
        let events = (1..=8).map(|seq| big(seq, 100_000)).collect();
        store.commit(vec![unit_of(fence, run(7_000 + number), 0, events)]).await.pop().unwrap().unwrap();
    }
    for number in 0..60 {
        store.delete(run(7_000 + number), engine_store::conformance::at(0)).await.unwrap();
    }
    store.close().await.unwrap();
}

#[tokio::test]
async fn compaction_keeps_every_row() {
    let folder = folder();
    let data = folder.path().join("data");
    churned(&data).await;
    let before = all_rows(&data);
    let compacted = compact(&data).unwrap();
    println!("{compacted:?}");
    assert!(compacted.after < compacted.before / 2, "{compacted:?}");
    assert_eq!(all_rows(&data), before);
    assert!(doctor(&data).unwrap().is_sound());
    assert!(data.join("clean").exists(), "a clean stop stays one");
    let store = SledStore::open(&data).unwrap();
    assert!(matches!(compact(&data), Err(StoreError::InUse { .. })));
    read_lists(&store, 0..RUNS).await.unwrap();
    drop(store);
    // And an unclean one is none afterwards.
    compact(&data).unwrap();
    assert!(!data.join("clean").exists());
}

#[tokio::test]
async fn compaction_may_be_cut_off_at_every_step() {
    let folder = folder();
    let original = folder.path().join("original");
    fill(&original, 0..RUNS).await;
    let before = all_rows(&original);
    let mut steps = Vec::new();
    compact_with(&original, |step| {
        steps.push(step.to_owned());
        Ok(())
    })
    .unwrap();
    assert!(steps.len() >= 4, "{steps:?}");
    for (number, stop) in steps.iter().enumerate() {
        let data = folder.path().join(number.to_string());
        copy(&original, &data);
        let cut = |step: &str| {
            if step == stop { Err(StoreError::Unusable("cut off".to_owned())) } else { Ok(()) }
        };
        assert_eq!(compact_with(&data, cut), Err(StoreError::Unusable("cut off".to_owned())));
        // What a crash within a step leaves: files of the new database, and not all of the old one.
        match number {
            0 => fs::create_dir_all(data.join("db.compact/half")).unwrap(),
            3 => fs::remove_file(data.join("db.old/conf")).unwrap(),
            _ => {}
        }
        // Once the next one to come is the doctor, once a compaction, mostly an open.
        match number {
            1 => assert!(doctor(&data).unwrap().is_sound()),
            2 => drop(compact(&data).unwrap()),
            _ => {}
        }
        if number == 2 {
            assert_eq!(all_rows(&data), before);
        } else {
            let store = SledStore::open(&data).unwrap();
            read_lists(&store, 0..RUNS).await.unwrap();
            for number in 0..RUNS {
                read_run(&store, number).await.unwrap();
            }
            store.close().await.unwrap();
        }
        assert!(!data.join("db.old").exists() && !data.join("db.compact").exists(), "after a stop before `{stop}`");
    }
}

/// A long history is removed in pieces. From the first one on nothing of the run is seen, and a crash in between
/// leaves what the next open removes.
#[tokio::test]
async fn a_long_run_is_deleted_in_pieces() {
    let folder = folder();
    let data = folder.path().join("data");
    fill(&data, 0..3).await;
    let failing = Arc::new(AtomicBool::new(false));
    let syncs = Arc::new(AtomicU64::new(0));
    let before_sync = {
        let (failing, syncs) = (Arc::clone(&failing), Arc::clone(&syncs));
        move || {
            let number = syncs.fetch_add(u64::from(failing.load(Ordering::SeqCst)), Ordering::SeqCst);
            if number == 1 { Err(std::io::Error::other("the disk is gone")) } else { Ok(()) }
        }
    };
    let store = SledStore::open_with_sync(&data, before_sync).unwrap();
    let fence = fence_of(&store).await;
    for first in (0..1_500).step_by(100) {
        let units = (first..first + 100).map(|last| unit_of(fence, run(50), last, vec![event(last + 1)]));
        assert!(store.commit(units.collect()).await.iter().all(Result::is_ok));
    }
    let last = store.row(run(50)).await.unwrap().unwrap().last;
    assert_eq!(last, Seq(1_500));
    // The first piece goes through, and the process dies with the second.
    failing.store(true, Ordering::SeqCst);
    store.delete(run(50), engine_store::conformance::at(9)).await.unwrap_err();
    drop(store);
    // In this process sled still holds the files.
    let (stopped, data) = (data, folder.path().join("copy"));
    copy(&stopped, &data);
    let left = all_rows(&data).iter().filter(|(key, _)| key.starts_with(&keys::of_run(Space::Events, run(50)))).count();
    assert!(left > 0 && left < 1_500, "{left}");
    assert!(doctor(&data).unwrap().is_sound());
    let store = SledStore::open(&data).unwrap();
    assert_eq!(store.row(run(50)).await, Ok(None));
    assert_eq!(store.read(run(50), Seq(1), 10).await, Ok(Vec::new()));
    let fence = fence_of(&store).await;
    store.commit(vec![unit_of(fence, run(50), 0, vec![event(1)])]).await.pop().unwrap().unwrap();
    assert_eq!(store.read(run(50), Seq(1), 10).await.unwrap().len(), 1);
    store.close().await.unwrap();
    assert_eq!(doctor(&data).unwrap().counts.runs, 4);
}
