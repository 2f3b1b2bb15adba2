//! A store with something of everything in it.
#![allow(dead_code, unreachable_pub)]

use std::fs;
use std::path::Path;
use std::sync::Arc;

use engine_core::event::{Event, Recorded};
use engine_core::id::{Digest, Name, RunId, Seq, Side};
use engine_core::payload::{ContentType, Payload};
use engine_store::conformance::{at, event, row, run, started, unit_of};
use engine_store::{
    Claim, ClaimChange, ClaimState, Class, Fence, Filter, InboxRow, Mark, Store, StoreError, TimerClock, TimerKey,
    TimerRow, Unit,
};
use engine_store_sled::{Definitions, Rebuilt, SledStore};

/// Events of each run.
pub const EVENTS: u64 = 6;

/// The definition that all runs are bound to.
pub const DEFINITION: &[u8] = b"definition";

pub fn blob_bytes(number: u64) -> Arc<[u8]> {
    vec![u8::try_from(number % 251).unwrap(); 20_000 + usize::try_from(number).unwrap()].into()
}

fn claim_key(number: u64) -> String {
    format!("orders/order-{number}")
}

pub fn claim(number: u64) -> Claim {
    Claim { run: run(number), input: Digest::of(b"input"), state: ClaimState::Live }
}

pub fn timer(number: u64) -> TimerRow {
    TimerRow {
        run: run(number),
        timer: TimerKey::Retry(Name::new("charge"), Side::Forward),
        due: at(50_000 + number),
        clock: TimerClock::Engine,
    }
}

/// Every third run has a blob.
pub fn has_blob(number: u64) -> bool {
    number.is_multiple_of(3)
}

/// What begins a run, with its claim, timer, request and mark.
pub fn first_unit(fence: Fence, number: u64) -> Unit {
    let run = run(number);
    let bytes = blob_bytes(number);
    let input = if has_blob(number) {
        Payload::Blob { content_type: ContentType::Json, digest: Digest::of(&bytes), len: bytes.len() as u64 }
    } else {
        Payload::json(*b"{}")
    };
    let begin = Recorded { seq: Seq(1), at: at(1_001), event: started(Vec::new(), input) };
    let request = InboxRow { run, arrival: 0, request_id: format!("request-{number}"), body: vec![1, 2, 3] };
    let mark = Mark { run, name: "exported".to_owned(), value: vec![4, 5] };
    Unit {
        claims: vec![ClaimChange::Take { key: claim_key(number), claim: claim(number), now: at(1_000) }],
        timers_set: vec![timer(number)],
        inbox_put: vec![request],
        marks: vec![mark],
        ..unit_of(fence, run, 0, vec![begin, event(2), event(3)])
    }
}

/// Writes one run, in two units.
pub async fn write_run(store: &SledStore, fence: Fence, number: u64) {
    let bytes = blob_bytes(number);
    if has_blob(number) {
        store.put_blob(run(number), Digest::of(&bytes), bytes).await.unwrap();
    }
    for unit in [first_unit(fence, number), unit_of(fence, run(number), 3, (4..=EVENTS).map(event).collect())] {
        store.commit(vec![unit]).await.pop().unwrap().unwrap();
    }
}

pub async fn fence_of(store: &SledStore) -> Fence {
    store.acquire(0, "test", at(0)).await.unwrap().unwrap()
}

/// Writes runs with these numbers, and closes the store.
pub async fn fill(path: &Path, numbers: std::ops::Range<u64>) {
    let store = SledStore::open(path).unwrap();
    let fence = fence_of(&store).await;
    store.put_definition("orders", Digest::of(DEFINITION), DEFINITION).await.unwrap();
    for number in numbers {
        write_run(&store, fence, number).await;
    }
    store.close().await.unwrap();
}

/// Reads all that belongs to a run. None where all is as it was written; otherwise what the store said.
/// Panics where something is missing and the store does not say so.
pub async fn read_run(store: &SledStore, number: u64) -> Result<(), StoreError> {
    let run = run(number);
    let events = store.read(run, Seq(1), usize::MAX).await?;
    assert_eq!(events.len() as u64, EVENTS, "the history of run {number} came back shorter, without a word");
    assert_eq!(store.row(run).await?, Some(row(run, EVENTS)), "run {number}");
    assert_eq!(store.mark(run, "exported").await?, Some(vec![4, 5]), "run {number}");
    assert_eq!(store.inbox(run).await?.len(), 1, "run {number}");
    assert_eq!(store.claim(&claim_key(number)).await?, Some(claim(number)), "run {number}");
    if let Some(Recorded { event: Event::RunStarted(started), .. }) = events.first() {
        assert_eq!(started.definition, Digest::of(DEFINITION));
        if let Payload::Blob { digest, .. } = started.input {
            assert_eq!(store.blob(run, digest).await?, blob_bytes(number), "run {number}");
        }
    }
    Ok(())
}

/// Reads what is there of many runs at once: all of these, or an error.
pub async fn read_lists(store: &SledStore, numbers: std::ops::Range<u64>) -> Result<(), StoreError> {
    let all: Vec<RunId> = numbers.map(run).collect();
    let listed = store.list(&Filter::default(), None, usize::MAX / 2).await?.items;
    assert_eq!(listed.iter().rev().map(|row| row.run).collect::<Vec<_>>(), all, "runs are missing in the list");
    assert_eq!(
        store.open_runs(Class::InFlight, None, usize::MAX / 2).await?.items,
        all,
        "runs are missing in the class"
    );
    let timers = store.due_timers(TimerClock::Engine, at(u64::MAX), None, usize::MAX).await?.items;
    assert_eq!(timers.iter().map(|timer| timer.run).collect::<Vec<_>>(), all, "timers are missing");
    assert_eq!(store.inbox_runs(None, usize::MAX / 2).await?.items, all, "inboxes are missing");
    assert_eq!(store.current_definition("orders").await?, Some(Digest::of(DEFINITION)));
    let Some(definition) = store.definition(Digest::of(DEFINITION)).await? else {
        // Whoever asks for it says that it is missing.
        return Err(StoreError::Damaged { what: "the definition".to_owned(), why: "it is missing".to_owned() });
    };
    assert_eq!(&*definition, DEFINITION);
    Ok(())
}

/// What follows from the histories that are written here.
#[allow(clippy::needless_pass_by_value)] // the repair gives them away
pub fn rebuild(_: &Definitions<'_>, id: RunId, events: Vec<Recorded>) -> Result<Rebuilt, String> {
    let number = (0..10_000).find(|number| run(*number) == id).ok_or("it is none of these runs")?;
    let row = row(id, events.last().map_or(0, |event| event.seq.0));
    Ok(Rebuilt { row, timers: vec![timer(number)], claims: vec![(claim_key(number), claim(number))] })
}

/// A directory in memory where there is such a thing: here nothing depends on the disk.
pub fn folder() -> tempfile::TempDir {
    let memory = Path::new("/dev/shm");
    if memory.is_dir() { tempfile::tempdir_in(memory) } else { tempfile::tempdir() }.unwrap()
}

pub fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let (entry, target) = (entry.as_ref().unwrap().path(), to.join(entry.as_ref().unwrap().file_name()));
        if entry.is_dir() {
            copy(&entry, &target);
        } else {
            copy_file(&entry, &target);
        }
    }
}

/// Copies a file; what is empty of it stays so on the disk.
pub fn copy_file(from: &Path, to: &Path) {
    use std::os::unix::fs::FileExt;
    let bytes = fs::read(from).unwrap();
    let file = fs::File::create(to).unwrap();
    for (at, chunk) in bytes.chunks(4096).enumerate() {
        if chunk.iter().any(|byte| *byte != 0) {
            file.write_all_at(chunk, at as u64 * 4096).unwrap();
        }
    }
    file.set_len(bytes.len() as u64).unwrap();
}

/// Every row of the database of a stopped directory.
pub fn all_rows(path: &Path) -> Vec<(Vec<u8>, Vec<u8>)> {
    let tree = open_tree(path);
    tree.iter().map(|row| row.map(|(key, value)| (key.to_vec(), value.to_vec())).unwrap()).collect()
}

/// Sled's own view of a stopped directory.
pub fn open_tree(path: &Path) -> sled::Db {
    let config = || sled::Config::new().path(path.join("db")).segment_size(16 << 20).open();
    for _ in 0..500 {
        match config() {
            Err(sled::Error::Io(error)) if error.to_string().contains("could not acquire lock") => {
                std::thread::yield_now();
            }
            opened => return opened.unwrap(),
        }
    }
    config().unwrap()
}
