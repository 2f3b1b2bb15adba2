//! Every file of a stopped data directory, each in turn damaged, cut off, replaced by an older copy, or removed: either
//! all that was acknowledged is there when it is read, or the store says what is wrong and what to do.
#![allow(missing_docs, clippy::unwrap_used, clippy::print_stdout)]

#[path = "common/dice.rs"]
mod dice;
#[path = "common/filled.rs"]
mod filled;

use std::fs;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::mpsc;
use std::time::Duration;

use dice::{Dice, seed};
use engine_core::id::Seq;
use engine_store::conformance::{big, event, run, unit_of};
use engine_store::{CommitError, Filter, Keeper, Mark, Store, StoreError, Unit};
use engine_store_sled::{SledStore, doctor};
use filled::{copy, copy_file, fill, folder, read_lists, read_run};

const RUNS: u64 = 40;

/// Byte flips of each file; more of the database.
const FLIPS: u64 = 2;
const FLIPS_OF_DATABASE: u64 = 16;

/// Cases at once.
const LANES: usize = 8;

/// After this long a case counts as one that hangs.
const PATIENCE: Duration = Duration::from_mins(1);

#[derive(Clone, Debug)]
enum Harm {
    Flip(u64, u8),
    Cut(u64),
    Older,
    Missing,
}

/// What came of a harm.
#[derive(PartialEq, Debug)]
enum Outcome {
    /// All is there.
    None,
    /// The open refuses.
    Refused(String),
    /// Some of what is read is an error.
    Read(Vec<String>),
}

fn files_below(path: &Path, below: &Path, into: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(path.join(below)).unwrap() {
        let name = below.join(entry.unwrap().file_name());
        if path.join(&name).is_dir() {
            files_below(path, &name, into);
        } else {
            into.push(name);
        }
    }
}

fn harms(file: &Path, sound: &Path, older: &Path, dice: &mut Dice) -> Vec<Harm> {
    let bytes = fs::read(sound.join(file)).unwrap();
    let used = bytes.iter().rposition(|byte| *byte != 0).map_or(0, |last| last as u64 + 1);
    let len = bytes.len() as u64;
    let mut harms = vec![Harm::Missing];
    if older.join(file).exists() {
        harms.push(Harm::Older);
    }
    let flips = if file == Path::new("db/db") { FLIPS_OF_DATABASE } else { FLIPS };
    if used > 0 {
        for _ in 0..flips {
            harms.push(Harm::Flip(dice.roll(used), 1 << dice.roll(8)));
        }
        let mut cuts = vec![0, used / 2, used - 1, dice.roll(used), len - 1];
        cuts.retain(|cut| *cut < len);
        cuts.sort_unstable();
        cuts.dedup();
        harms.extend(cuts.into_iter().map(Harm::Cut));
    }
    harms
}

fn apply(harm: &Harm, file: &Path, older: &Path) {
    let open = || fs::File::options().read(true).write(true).open(file).unwrap();
    match harm {
        Harm::Flip(at, bit) => {
            let mut byte = [0];
            open().read_exact_at(&mut byte, *at).unwrap();
            open().write_all_at(&[byte[0] ^ bit], *at).unwrap();
        }
        Harm::Cut(len) => open().set_len(*len).unwrap(),
        Harm::Older => copy_file(older, file),
        Harm::Missing => fs::remove_file(file).unwrap(),
    }
}

/// Opens and reads everything. Panics where something is missing without a word.
async fn outcome(data: &Path) -> Outcome {
    let store = match SledStore::open(data) {
        Ok(store) => store,
        Err(StoreError::Unusable(why)) => return Outcome::Refused(why),
        Err(other) => panic!("the open fails without saying what to do: {other}"),
    };
    let mut errors = Vec::new();
    for number in 0..RUNS {
        if let Err(error) = read_run(&store, number).await {
            assert!(!error.is_fatal(), "run {number} ends the store: {error}");
            errors.push(error.to_string());
        }
    }
    let lists = read_lists(&store, 0..RUNS);
    if let Err(error) = lists.await {
        assert!(!error.is_fatal(), "the lists end the store: {error}");
        errors.push(error.to_string());
    }
    // It may well be unable to close: sled reads pages then.
    let closed = store.close().await;
    if let Err(error) = closed {
        errors.push(error.to_string());
    }
    if errors.is_empty() { Outcome::None } else { Outcome::Read(errors) }
}

/// Does something that may hang.
fn bounded<T: Send + 'static>(what: &str, act: impl FnOnce() -> T + Send + 'static) -> T {
    let (done, is_done) = mpsc::channel();
    let thread = std::thread::spawn(move || drop(done.send(act())));
    match is_done.recv_timeout(PATIENCE) {
        Ok(result) => result,
        Err(mpsc::RecvTimeoutError::Timeout) => panic!("{what}: it hangs"),
        Err(mpsc::RecvTimeoutError::Disconnected) => match thread.join() {
            Err(panic) => {
                println!("{what}");
                std::panic::resume_unwind(panic)
            }
            Ok(()) => unreachable!("it sends before it ends"),
        },
    }
}

#[test]
fn nothing_is_lost_without_a_word() {
    let mut dice = Dice(seed());
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let folder = folder();
    let (sound, older) = (folder.path().join("sound"), folder.path().join("older"));
    runtime.block_on(fill(&sound, 0..RUNS / 2));
    copy(&sound, &older);
    runtime.block_on(fill(&sound, RUNS / 2..RUNS));
    let mut files = Vec::new();
    files_below(&sound, Path::new(""), &mut files);
    files.sort();
    for file in ["db/db", "db/conf", "watermark", "clean", "format", "lock"] {
        assert!(files.contains(&PathBuf::from(file)), "{files:?}");
    }
    // All blobs are alike.
    let blobs: Vec<_> = files.iter().filter(|file| file.starts_with("blobs")).skip(2).cloned().collect();
    files.retain(|file| !blobs.contains(file));
    let mut cases = Vec::new();
    for file in &files {
        cases.extend(harms(file, &sound, &older, &mut dice).into_iter().map(|harm| (file, harm)));
    }
    // Most of the time is spent waiting.
    let said: Vec<(String, &str)> = std::thread::scope(|scope| {
        let lanes: Vec<_> = (0..LANES)
            .map(|lane| {
                let (folder, cases, sound, older) = (folder.path().join(lane.to_string()), &cases, &sound, &older);
                let case = move |(file, harm): &(&PathBuf, Harm)| {
                    (file.display().to_string(), examine_case(&folder, sound, older, file, harm))
                };
                scope.spawn(move || cases.iter().skip(lane).step_by(LANES).map(case).collect::<Vec<_>>())
            })
            .collect();
        lanes.into_iter().flat_map(|lane| lane.join().unwrap()).collect()
    });
    let mut counts = std::collections::BTreeMap::new();
    for said in said {
        *counts.entry(said).or_insert(0) += 1;
    }
    println!("{} cases: {counts:?}", cases.len());
    let count = |kind| counts.iter().filter(|((_, said), _)| *said == kind).map(|(_, count)| count).sum::<u64>();
    assert!(count("refused") > 0 && count("said when read") > 0 && count("no harm") > 0);
}

/// Does one harm to a copy, and gives what came of it.
fn examine_case(folder: &Path, sound: &Path, older: &Path, file: &Path, harm: &Harm) -> &'static str {
    let what = format!("{} {harm:?}", file.display());
    let (data, looked) = (folder.join("data"), folder.join("looked"));
    for copied in [&data, &looked] {
        let _ = fs::remove_dir_all(copied);
        copy(sound, copied);
        apply(harm, &copied.join(file), &older.join(file));
    }
    let found = bounded(&what, move || doctor(&looked).map(|diagnosis| diagnosis.findings));
    let outcome = bounded(&what, move || {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(outcome(&data))
    });
    let words = ["backup", "Write the line", "Use the version", "Name another"];
    let advises = |text: &str| words.iter().any(|word| text.contains(word));
    match &found {
        Ok(found) => {
            assert!(outcome == Outcome::None || !found.is_empty(), "{what}: the doctor sees nothing of {outcome:?}");
        }
        Err(error) => assert!(advises(&error.to_string()), "{what}: {error}"),
    }
    match outcome {
        Outcome::None => "no harm",
        Outcome::Refused(why) => {
            assert!(advises(&why), "{what}: {why}");
            "refused"
        }
        Outcome::Read(_) => "said when read",
    }
}

/// A log of several of sled's segments that no snapshot covers. Sled leaves out the rest of an older segment where it
/// can't read a message, and goes on with the next one: batches are missing in the middle then.
#[test]
fn a_log_with_a_hole_is_refused() {
    const RUNS: u64 = 1_200;
    let mut dice = Dice(seed());
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let folder = folder();
    let (sound, data) = (folder.path().join("sound"), folder.path().join("data"));
    let mark = |number, value| Mark { run: run(number), name: "place".to_owned(), value: vec![value; 9_000] };
    let write = |store: &SledStore, value| {
        for first in (0..RUNS).step_by(50) {
            let marks = (first..first + 50).map(|number| mark(number, value)).collect();
            let answers = runtime.block_on(store.commit(vec![Unit { marks, ..Unit::default() }]));
            assert!(answers.iter().all(Result::is_ok), "{answers:?}");
        }
    };
    let values = |store: &SledStore| {
        let value = |number| runtime.block_on(store.mark(run(number), "place")).map(|value| value.unwrap()[0]);
        (0..RUNS).map(value).collect::<Result<Vec<_>, _>>()
    };
    let store = SledStore::open(&sound).unwrap();
    write(&store, 1);
    drop(store);
    // What is written from here on is in no snapshot, needs no new pages, and touches each page but once.
    let from = fs::metadata(sound.join("db/db")).unwrap().len();
    let store = SledStore::open(&sound).unwrap();
    write(&store, 2);
    drop(store);
    let len = fs::metadata(sound.join("db/db")).unwrap().len();
    println!("{} MiB, then {} MiB", from >> 20, len >> 20);
    let mut refused = 0;
    for number in 0..3 {
        // Sled uses segments again, so what is new may stand anywhere.
        let at = if number == 0 { from + 6 } else { dice.roll(len) };
        let _ = fs::remove_dir_all(&data);
        copy(&sound, &data);
        apply(&Harm::Flip(at, 1), &data.join("db/db"), &data);
        match SledStore::open(&data) {
            Ok(store) => match values(&store) {
                Ok(values) => {
                    let lost = values.iter().filter(|value| **value != 2).count();
                    assert_eq!(lost, 0, "flipped at {at}: older without a word");
                }
                Err(error) => assert!(!error.is_fatal(), "{error}"),
            },
            Err(StoreError::Unusable(why)) => {
                assert!(why.contains("backup"), "{why}");
                println!("{at}: {why}");
                refused += 1;
            }
            Err(other) => panic!("{other}"),
        }
    }
    assert!(refused > 0, "no flip hit anything");
}

/// Where sled can't read a page, what is on it is said to be damaged; all else is read and written as ever.
#[tokio::test]
async fn a_page_that_cannot_be_read_does_not_stop_the_others() {
    let folder = folder();
    let data = folder.path();
    fill(data, 0..RUNS).await;
    let store = SledStore::open(data).unwrap();
    let mark = |byte| Mark { run: run(7), name: "place".to_owned(), value: vec![byte; 3_000] };
    let unit = |byte| vec![Unit { marks: vec![mark(byte)], ..Unit::default() }];
    assert!(store.commit(unit(0xee)).await.iter().all(Result::is_ok));
    let fence = filled::fence_of(&store).await;
    for number in 0..40 {
        let events = (1..=8).map(|seq| big(seq, 100_000)).collect();
        assert!(store.commit(vec![unit_of(fence, run(9_000 + number), 0, events)]).await.iter().all(Result::is_ok));
    }
    store.close().await.unwrap();
    // From here on the page is in sled's snapshot, and its segment is not the newest.
    SledStore::open(data).unwrap().close().await.unwrap();
    let log = fs::read(data.join("db/db")).unwrap();
    let file = fs::File::options().write(true).open(data.join("db/db")).unwrap();
    let chunks = log.chunks(1_000).enumerate().filter(|(_, bytes)| bytes.iter().all(|byte| *byte == 0xee));
    let places: Vec<_> = chunks.map(|(number, _)| number as u64 * 1_000).collect();
    assert!(!places.is_empty());
    for at in places {
        file.write_all_at(&[0xef], at).unwrap();
    }

    let store = SledStore::open(data).unwrap();
    let fence = filled::fence_of(&store).await;
    let read = store.mark(run(7), "place").await;
    assert!(matches!(&read, Err(error @ StoreError::Damaged { .. }) if !error.is_fatal()), "{read:?}");
    let written = store.commit(unit(1)).await;
    assert!(matches!(written[..], [Err(CommitError::Damaged { .. })]), "{written:?}");
    assert!(!store.diagnose().await.unwrap().is_sound());
    for number in 0..RUNS {
        assert_eq!(store.read(run(number), Seq(1), 100).await.unwrap().len() as u64, filled::EVENTS);
        let unit = unit_of(fence, run(number), filled::EVENTS, vec![event(filled::EVENTS + 1)]);
        assert!(store.commit(vec![unit]).await.iter().all(Result::is_ok));
    }
    let listed = store.list(&Filter::default(), None, 1_000).await.unwrap();
    assert_eq!(listed.items.len() as u64, RUNS + 40);
    store.close().await.unwrap();
}
