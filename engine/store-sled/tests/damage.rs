//! What is wrong with a directory is said, with what to do; a panic never reaches the user.
#![allow(missing_docs, clippy::unwrap_used)]

#[path = "common/filled.rs"]
mod filled;

use std::fs;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::Arc;

use engine_core::id::{Digest, Seq};
use engine_store::conformance::{at, run, unit};
use engine_store::{Class, CommitError, Filter, Store, StoreError, keys};
use engine_store_sled::SledStore;

use crate::filled::copy;

/// Why the directory can't be used.
fn refusal(path: &Path) -> String {
    match SledStore::open(path) {
        Ok(_) => panic!("`{}` was opened", path.display()),
        Err(StoreError::Unusable(why)) => why,
        Err(other) => panic!("{other}"),
    }
}

/// A directory with that many runs.
async fn filled(path: &Path, runs: u64) {
    let store = SledStore::open(path).unwrap();
    let fence = store.acquire(0, "test", at(0)).await.unwrap().unwrap();
    for number in 0..runs {
        assert_eq!(store.commit(vec![unit(fence, run(number), 0, 3)]).await, [Ok(Seq(3))]);
    }
    store.close().await.unwrap();
}

/// Changes a row behind the store's back.
fn damage(path: &Path, key: &[u8]) {
    let tree = sled::Config::new().path(path.join("db")).segment_size(16 << 20).open().unwrap();
    let mut bytes = tree.get(key).unwrap().unwrap().to_vec();
    *bytes.last_mut().unwrap() ^= 1;
    tree.insert(key, bytes).unwrap();
    tree.flush().unwrap();
}

/// Sled takes a snapshot that it had not finished when the process was killed for a damaged one.
#[tokio::test]
async fn an_unfinished_snapshot_is_no_damage() {
    let folder = tempfile::tempdir().unwrap();
    filled(folder.path(), 2).await;
    for (name, content) in
        [("snap.0000000000000001.generating", ""), ("snap.FFFFFFFFFFFFFFFF.generating", "half of it")]
    {
        fs::write(folder.path().join("db").join(name), content).unwrap();
    }
    let store = SledStore::open(folder.path()).unwrap();
    assert_eq!(store.read(run(1), Seq(1), 10).await.unwrap().len(), 3);
    store.close().await.unwrap();
}

#[test]
fn directories_of_others_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("file");
    fs::write(&file, "x").unwrap();
    assert!(refusal(&file).contains("is a file"));
    assert!(refusal(&file.join("below")).contains("can't be"));
    assert!(refusal(folder.path()).contains("holds something else (`file`)"));
    assert!(!folder.path().join("lock").exists(), "nothing is written into a directory of others");
    assert!(refusal(Path::new("/proc/engine")).contains("can't be made"));

    let other = folder.path().join("other");
    fs::create_dir_all(other.join("tmp")).unwrap();
    assert!(refusal(&other).contains("holds something else (`tmp`)"));
    // This is what a crash may leave of one that was being made.
    let begun = folder.path().join("begun");
    fs::create_dir_all(begun.join("tmp")).unwrap();
    fs::write(begun.join("lock"), "").unwrap();
    fs::create_dir_all(begun.join("db.new")).unwrap();
    assert!(refusal(&begun).contains("`db.new`"), "that is made only after `format`");
    fs::remove_dir(begun.join("db.new")).unwrap();
    // Whoever uses the directory may have begun to listen in it; the store ignores that.
    fs::create_dir_all(begun.join("control")).unwrap();
    drop(SledStore::open(&begun).unwrap());
    drop(SledStore::open(&begun).unwrap());
    let listening = folder.path().join("listening");
    fs::create_dir_all(listening.join("control")).unwrap();
    drop(SledStore::open(&listening).unwrap());

    fs::write(other.join("format"), "another program, layout 1\n").unwrap();
    assert!(refusal(&other).contains("belongs to another program"));
    fs::write(other.join("format"), "engine data directory, layout 2\n").unwrap();
    assert!(refusal(&other).contains("has layout 2"));
}

#[tokio::test]
async fn a_database_that_a_crash_cut_off_in_the_making_is_made_anew() {
    let data = tempfile::tempdir().unwrap();
    filled(data.path(), 2).await;
    let mark = data.path().join("db.new");
    fs::write(&mark, "").unwrap();
    assert!(refusal(data.path()).contains("something is missing"), "one that was acknowledged is never made anew");
    fs::remove_file(&mark).unwrap();
    let store = SledStore::open(data.path()).unwrap();
    assert_eq!(store.read(run(1), Seq(1), 9).await.unwrap().len(), 3);
    store.close().await.unwrap();

    for file in ["watermark", "clean"] {
        let _ = fs::remove_file(data.path().join(file));
    }
    fs::write(&mark, "").unwrap();
    fs::write(data.path().join("db/db"), "half of it").unwrap();
    filled(data.path(), 1).await;
    assert!(!mark.exists());
    let store = SledStore::open(data.path()).unwrap();
    assert_eq!(store.read(run(1), Seq(1), 9).await.unwrap(), [], "nothing is left of what was there");
}

#[tokio::test]
async fn a_second_opener_is_refused() {
    let data = tempfile::tempdir().unwrap();
    let store = SledStore::open(data.path()).unwrap();
    let Err(why @ StoreError::InUse { .. }) = SledStore::open(data.path()) else { panic!("it was opened twice") };
    let said = format!("in use by another process (pid {}). Stop that process", std::process::id());
    assert!(why.to_string().contains(&said), "{why}");
    store.close().await.unwrap();
    // Closed, it is free, although the store is still there.
    let next = SledStore::open(data.path()).unwrap();
    assert_eq!(store.row(run(1)).await, Err(StoreError::Closed));
    drop((store, next));
    drop(SledStore::open(data.path()).unwrap());
}

#[tokio::test]
async fn a_database_that_lacks_something_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let (data, old) = (folder.path().join("data"), folder.path().join("old"));
    filled(&data, 5).await;
    copy(&data.join("db"), &old);
    let store = SledStore::open(&data).unwrap();
    let fence = store.acquire(0, "test", at(0)).await.unwrap().unwrap();
    assert_eq!(store.commit(vec![unit(fence, run(90), 0, 1)]).await, [Ok(Seq(1))]);
    // No clean stop: only the watermark knows.
    drop(store);
    fs::remove_dir_all(data.join("db")).unwrap();
    copy(&old, &data.join("db"));
    for _ in 0..2 {
        let why = refusal(&data);
        assert!(why.contains("something is missing") && why.contains("backup"), "{why}");
    }
    // The operator takes it on.
    fs::remove_file(data.join("watermark")).unwrap();
    let store = SledStore::open(&data).unwrap();
    assert_eq!(store.row(run(90)).await, Ok(None));
    assert!(store.row(run(4)).await.unwrap().is_some());
    store.close().await.unwrap();

    fs::remove_dir_all(data.join("db")).unwrap();
    assert!(refusal(&data).contains("has no database any more"));
    fs::write(data.join("watermark"), "garbage").unwrap();
    assert!(refusal(&data).contains("damaged file `watermark`"));
}

/// Whatever is cut off or overwritten in the database's files: it opens with all that was acknowledged, or is refused
/// with what to do. It never opens with less, and never panics.
#[tokio::test]
async fn damaged_files_are_refused_or_do_no_harm() {
    let folder = tempfile::tempdir().unwrap();
    let sound = folder.path().join("sound");
    filled(&sound, 40).await;
    let log_len = fs::metadata(sound.join("db/db")).unwrap().len();
    let mut refused = 0;
    for (number, (name, at, cut)) in [
        ("db", 0, true),
        ("db", 100, true),
        ("db", log_len / 2, true),
        ("db", log_len - 1, true),
        ("db", 0, false),
        ("db", 40, false),
        ("db", 1_000, false),
        ("db", 6_000, false),
        ("db", 12_000, false),
        ("conf", 0, true),
        ("conf", 3, false),
    ]
    .into_iter()
    .enumerate()
    {
        let data = folder.path().join(format!("data-{number}"));
        copy(&sound, &data);
        let file = fs::File::options().write(true).open(data.join("db").join(name)).unwrap();
        if cut {
            file.set_len(at).unwrap();
        } else {
            file.write_all_at(&[0x5a; 64], at).unwrap();
        }
        match SledStore::open(&data) {
            Ok(store) => {
                for number in 0..40 {
                    let events = store.read(run(number), Seq(1), 9).await;
                    assert!(events.as_ref().is_ok_and(|events| events.len() == 3), "{name} {at} {cut}: {events:?}");
                }
            }
            Err(StoreError::Unusable(why)) => {
                assert!(why.contains("backup"), "{why}");
                refused += 1;
            }
            Err(other) => panic!("{name} {at} {cut}: {other}"),
        }
    }
    assert!(refused > 0);
}

#[tokio::test]
async fn a_damaged_row_does_not_stop_the_others() {
    let data = tempfile::tempdir().unwrap();
    filled(data.path(), 3).await;
    damage(data.path(), &keys::index(run(1)));
    damage(data.path(), &keys::events(run(2), Seq(1)));
    let store = SledStore::open(data.path()).unwrap();
    let fence = store.acquire(0, "test", at(0)).await.unwrap().unwrap();

    assert!(matches!(store.row(run(1)).await, Err(StoreError::Damaged { .. })));
    let events = store.read(run(2), Seq(1), 9).await;
    assert!(matches!(&events, Err(error @ StoreError::Damaged { .. }) if !error.is_fatal()), "{events:?}");
    let batch = vec![unit(fence, run(0), 3, 1), unit(fence, run(1), 3, 1), unit(fence, run(9), 0, 1)];
    let answers = store.commit(batch).await;
    assert!(matches!(&answers[..], [Ok(_), Err(CommitError::Damaged { .. }), Ok(_)]), "{answers:?}");

    let listed = store.list(&Filter::default(), None, 9).await.unwrap();
    assert_eq!(listed.items.iter().map(|row| row.run).collect::<Vec<_>>(), [9, 2, 0].map(run));
    assert_eq!(store.open_runs(Class::InFlight, None, 9).await.unwrap().items, [0, 1, 2, 9].map(run));

    // A damaged run can still be deleted.
    store.delete(run(1), at(0)).await.unwrap();
    assert_eq!(store.row(run(1)).await, Ok(None));
    assert_eq!(store.open_runs(Class::InFlight, None, 9).await.unwrap().items, [0, 2, 9].map(run));
}

#[tokio::test]
async fn damaged_files_beside_the_database_are_noticed() {
    let data = tempfile::tempdir().unwrap();
    let store = SledStore::open(data.path()).unwrap();
    let bytes: Arc<[u8]> = vec![1; 50_000].into();
    let digest = Digest::of(&bytes);
    store.put_blob(run(1), digest, Arc::clone(&bytes)).await.unwrap();
    store.put_definition("orders", digest, &bytes).await.unwrap();
    let blob = data.path().join(format!("blobs/{}/{digest}", run(1)));
    for file in [&blob, &data.path().join(format!("definitions/{digest}"))] {
        fs::File::options().write(true).open(file).unwrap().write_all_at(&[2], 40_000).unwrap();
    }
    assert!(matches!(store.blob(run(1), digest).await, Err(StoreError::Damaged { .. })));
    assert!(matches!(store.definition(digest).await, Err(StoreError::Damaged { .. })));
    // Put again, they are sound again.
    store.put_blob(run(1), digest, Arc::clone(&bytes)).await.unwrap();
    store.put_definition("orders", digest, &bytes).await.unwrap();
    assert_eq!(store.blob(run(1), digest).await, Ok(Arc::clone(&bytes)));
    assert_eq!(store.definition(digest).await, Ok(Some(bytes)));
    drop(store);

    // Nobody knows this run, so a restart takes its blobs away.
    let store = SledStore::open(data.path()).unwrap();
    assert!(matches!(store.blob(run(1), digest).await, Err(StoreError::BlobMissing { .. })));
    assert!(!blob.exists());
    assert!(store.free_bytes().is_some());
}
