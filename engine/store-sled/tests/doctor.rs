//! The doctor finds each thing that is wrong, and mends what follows from histories.
#![allow(missing_docs, clippy::unwrap_used, clippy::print_stdout)]

#[path = "common/filled.rs"]
mod filled;

use std::fs;
use std::path::Path;

use engine_core::id::{Digest, Seq};
use engine_store::codec;
use engine_store::conformance::{at, row, run};
use engine_store::keys::{self, Space};
use engine_store::{Class, Diagnosis, IndexRow, Keeper, Store, StoreError};
use engine_store_sled::{Definitions, SledStore, doctor, doctor_repair};
use filled::{
    DEFINITION, EVENTS, all_rows, blob_bytes, copy, fill, folder, open_tree, read_lists, read_run, rebuild, timer,
};

const RUNS: u64 = 6;

/// What is done to the rows of a directory.
type Harm = fn(&sled::Db);

fn remove(tree: &sled::Db, key: &[u8]) {
    assert!(tree.remove(key).unwrap().is_some(), "there is no such row");
}

fn flip(tree: &sled::Db, key: &[u8]) {
    let mut bytes = tree.get(key).unwrap().unwrap().to_vec();
    *bytes.last_mut().unwrap() ^= 1;
    tree.insert(key, bytes).unwrap();
}

fn first_of(tree: &sled::Db, space: Space, number: u64) -> Vec<u8> {
    tree.scan_prefix(keys::of_run(space, run(number))).next().unwrap().unwrap().0.to_vec()
}

fn put_index(tree: &sled::Db, row: &IndexRow) {
    let key = keys::index(row.run);
    tree.insert(&*key, codec::seal(&key, row).unwrap()).unwrap();
}

fn timer_key(number: u64) -> Vec<u8> {
    keys::timer(timer(number).clock, timer(number).due, run(number), &timer(number).timer)
}

/// What is wrong, what of it the doctor says, and whether a repair mends it.
const HARMS: &[(&str, Harm, &str, bool)] = &[
    ("an index row is damaged", |tree| flip(tree, &keys::index(run(1))), "checksum is wrong", true),
    ("an index row is missing", |tree| remove(tree, &keys::index(run(1))), "index row of run", true),
    (
        "an index row is behind",
        |tree| put_index(tree, &row(run(1), EVENTS - 2)),
        "ends at event 4, and that ends at 6",
        true,
    ),
    (
        "a class row is missing",
        |tree| remove(tree, &keys::class_run(Class::InFlight, run(1))),
        "class row of run",
        true,
    ),
    (
        "a class row too many",
        |tree| {
            let key = keys::class_run(Class::Ended, run(1));
            tree.insert(&*key, codec::seal(&key, &codec::Present).unwrap()).unwrap();
        },
        "there is one of class Ended",
        true,
    ),
    ("a timer is not due", |tree| remove(tree, &timer_key(1)), "would not go off", true),
    ("a timer is unknown", |tree| remove(tree, &keys::timer_of(run(1), &timer(1).timer)), "go off for nothing", true),
    ("a timer is damaged", |tree| flip(tree, &timer_key(1)), "checksum is wrong", true),
    ("a request id is missing", |tree| remove(tree, &keys::inbox_id(run(1), "request-1")), "not known by its id", true),
    (
        "an inbox row is missing",
        |tree| remove(tree, &first_of(tree, Space::Inbox, 1)),
        "the row itself is missing",
        false,
    ),
    ("a claim is missing", |tree| remove(tree, &keys::claim("orders/order-1")), "by its own rows", true),
    ("a claim is unknown", |tree| remove(tree, &keys::claim_of(run(1), "orders/order-1")), "does not know it", true),
    ("a claim is damaged", |tree| flip(tree, &keys::claim("orders/order-1")), "checksum is wrong", true),
    ("a mark is damaged", |tree| flip(tree, &keys::mark(run(1), "exported")), "checksum is wrong", false),
    ("events are damaged", |tree| flip(tree, &keys::events(run(1), Seq(4))), "checksum is wrong", false),
    (
        "events are missing at the end",
        |tree| remove(tree, &keys::events(run(1), Seq(4))),
        "index row says event 6",
        false,
    ),
    (
        "events are missing at the front",
        |tree| remove(tree, &keys::events(run(1), Seq(1))),
        "event 1 is missing",
        false,
    ),
    (
        "a whole run is missing",
        |tree| {
            remove(tree, &keys::index(run(1)));
            remove(tree, &keys::events(run(1), Seq(1)));
            remove(tree, &keys::events(run(1), Seq(4)));
        },
        "missing as a whole",
        false,
    ),
];

fn texts(diagnosis: &Diagnosis) -> Vec<String> {
    diagnosis.findings.iter().map(ToString::to_string).collect()
}

#[tokio::test]
async fn each_harm_is_found_and_mended_where_it_can_be() {
    let folder = folder();
    let sound = folder.path().join("sound");
    fill(&sound, 0..RUNS).await;
    assert_eq!(texts(&doctor(&sound).unwrap()), Vec::<String>::new());
    for (number, (name, harm, said, mended)) in HARMS.iter().enumerate() {
        let data = folder.path().join(number.to_string());
        copy(&sound, &data);
        let tree = open_tree(&data);
        let before = rows_of(&tree);
        harm(&tree);
        drop(tree);
        let harmed = all_rows(&data);
        let found = texts(&doctor(&data).unwrap());
        assert!(found.iter().any(|text| text.contains(said)), "{name}: {found:?}");
        assert!(found.iter().all(|text| text.contains("What to do: ")), "{name}: {found:?}");
        assert!(found.iter().all(|text| !text.contains(&run(2).to_string())), "{name}: {found:?}");
        assert_eq!(all_rows(&data), harmed, "{name}: the doctor only looks");

        let repaired = doctor_repair(&data, &rebuild).unwrap();
        let after = texts(&doctor(&data).unwrap());
        assert_eq!(after.is_empty(), *mended, "{name}: {repaired:?} {after:?}");
        if *mended {
            assert_eq!(all_rows(&data), before, "{name}");
        } else {
            assert!(data.join("clean").exists());
        }
        // Made again it changes nothing.
        assert_eq!(doctor_repair(&data, &rebuild).unwrap().rows, 0, "{name}");
        tolerated(&data, name, *mended).await;
    }
}

fn rows_of(tree: &sled::Db) -> Vec<(Vec<u8>, Vec<u8>)> {
    tree.iter().map(|row| row.map(|(key, value)| (key.to_vec(), value.to_vec())).unwrap()).collect()
}

/// The other runs are there and can be written; the doctor says the same of an open store.
async fn tolerated(data: &Path, name: &str, mended: bool) {
    let store = SledStore::open(data).unwrap();
    assert_eq!(store.diagnose().await.unwrap().is_sound(), mended, "{name}");
    for number in [0, 2, 3, 4, 5] {
        read_run(&store, number).await.unwrap();
    }
    if mended {
        read_lists(&store, 0..RUNS).await.unwrap();
    }
    store.close().await.unwrap();
}

/// What a run has lost is said where it is read, not only by the doctor.
#[tokio::test]
async fn what_is_missing_of_a_run_is_said_where_it_is_read() {
    let folder = folder();
    fill(folder.path(), 0..RUNS).await;
    let tree = open_tree(folder.path());
    remove(&tree, &keys::index(run(1)));
    remove(&tree, &keys::events(run(2), Seq(4)));
    remove(&tree, &keys::index(run(3)));
    remove(&tree, &keys::events(run(3), Seq(1)));
    remove(&tree, &keys::events(run(3), Seq(4)));
    drop(tree);
    let store = SledStore::open(folder.path()).unwrap();
    let damaged = |read: Result<(), StoreError>| assert!(matches!(read, Err(StoreError::Damaged { .. })), "{read:?}");
    damaged(store.row(run(1)).await.map(drop));
    damaged(store.read(run(2), Seq(1), 100).await.map(drop));
    damaged(store.row(run(3)).await.map(drop));
    damaged(store.read(run(3), Seq(1), 100).await.map(drop));
    read_run(&store, 4).await.unwrap();
}

#[tokio::test]
async fn files_are_looked_at_too() {
    let folder = folder();
    let data = folder.path();
    fill(data, 0..RUNS).await;
    let counts = doctor(data).unwrap().counts;
    assert_eq!((counts.runs, counts.events, counts.blobs, counts.orphan_blobs), (RUNS, RUNS * EVENTS, 2, 0));
    assert_eq!((counts.timers, counts.inbox, counts.claims, counts.definitions), (RUNS, RUNS, RUNS, 1));

    let orphan = data.join(format!("blobs/{}/{}", run(77), Digest::of(b"orphan")));
    fs::create_dir_all(orphan.parent().unwrap()).unwrap();
    fs::write(&orphan, "orphan").unwrap();
    fs::remove_file(data.join(format!("blobs/{}/{}", run(3), Digest::of(&blob_bytes(3))))).unwrap();
    fs::write(data.join(format!("definitions/{}", Digest::of(DEFINITION))), "x").unwrap();
    fs::remove_file(data.join("watermark")).unwrap();
    let found = doctor(data).unwrap();
    assert_eq!(found.counts.orphan_blobs, 1, "it does no harm, so it is counted only");
    let texts = texts(&found);
    assert_eq!(texts.len(), 3, "{texts:?}");
    for said in ["the watermark: it is missing", "is missing; event 1 names it", "definition"] {
        assert!(texts.iter().any(|text| text.contains(said)), "{texts:?}");
    }
    assert!(data.join("clean").exists() && orphan.exists() && !data.join("watermark").exists(), "it only looks");
}

#[tokio::test]
async fn runs_that_cannot_be_rebuilt_stay_as_they_are() {
    let folder = folder();
    fill(folder.path(), 0..RUNS).await;
    let tree = open_tree(folder.path());
    for number in [1, 2] {
        flip(&tree, &keys::index(run(number)));
    }
    drop(tree);
    let before = all_rows(folder.path());
    let refusing = |stored: &Definitions<'_>, id, events: Vec<_>| {
        if id == run(1) { Err("it makes no sense".to_owned()) } else { rebuild(stored, id, events) }
    };
    let repaired = doctor_repair(folder.path(), &refusing).unwrap();
    assert_eq!((repaired.runs, repaired.changed, repaired.rows), (RUNS, 1, 1), "{repaired:?}");
    assert_eq!(repaired.left.len(), 1);
    assert!(repaired.left.first().unwrap().why.contains("it makes no sense"));
    let after = all_rows(folder.path());
    let changed: Vec<_> = before.iter().zip(&after).filter(|(before, after)| before != after).collect();
    assert_eq!(changed.len(), 1);
    // Somebody else's store is left alone.
    let store = SledStore::open(folder.path()).unwrap();
    assert!(matches!(doctor(folder.path()), Err(StoreError::InUse { .. })));
    assert!(matches!(doctor_repair(folder.path(), &rebuild), Err(StoreError::InUse { .. })));
    drop(store);
    assert!(doctor(&folder.path().join("nothing")).unwrap_err().to_string().contains("is not there"));
    let _ = at(0);
}
