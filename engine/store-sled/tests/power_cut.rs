//! A power cut loses nothing that was acknowledged, and would without our own sync.
//!
//! The writer is stopped, the disk's image copied, and the copy mounted: it holds what had reached the disk.
#![allow(missing_docs, clippy::unwrap_used, clippy::print_stdout)]

#[path = "common/disk.rs"]
mod disk;

mod common;

use std::path::Path;
use std::thread::sleep;
use std::time::Duration;

use common::{Acknowledged, Dice, Writer, check, orders, say, seed, write_for_ever};
use disk::Mounted;
use engine_store_sled::SledStore;
use rustix::process::{Pid, Signal, kill_process};

const ROUNDS: u64 = 12;

/// The size of a disk.
const LEN: u64 = 256 << 20;

/// After so many cuts a new disk is taken, so that some cuts follow the making of the database at once.
const ROUNDS_OF_A_DISK: u64 = 3;

/// Not a test: what runs when the power is cut.
#[test]
#[ignore = "it is started by the test that cuts the power"]
fn writes_until_cut() {
    if let Some((directory, round)) = orders() {
        write_for_ever(&directory, round);
    }
}

/// Not a test: the same with sled as it comes, which calls what it flushed durable.
#[test]
#[ignore = "it is started by the test that cuts the power"]
fn only_flushes_until_cut() {
    if let Some((directory, _)) = orders() {
        let tree = plain(&directory).open().unwrap();
        say("open");
        for number in 1..100_000_u64 {
            tree.insert(number.to_be_bytes(), vec![7; 300]).unwrap();
            tree.flush().unwrap();
            say(&format!("acknowledged 0 {number}"));
        }
    }
}

fn plain(directory: &Path) -> sled::Config {
    sled::Config::new().path(directory).segment_size(16 << 20).cache_capacity(32 << 20)
}

/// Runs a writer on a disk and cuts the power while it writes. The new disk is what that leaves.
fn cut_while(name: &str, image: &Path, copy: &Path, round: u64, after: Duration) -> Acknowledged {
    let mounted = Mounted::new(image).unwrap();
    let mut writer = Writer::start(name, &mounted.data(), round);
    writer.wait_until_open();
    sleep(after);
    let pid = Pid::from_child(&writer.child);
    kill_process(pid, Signal::STOP).unwrap();
    disk::cut(image, copy);
    writer.kill()
}

#[tokio::test]
async fn nothing_acknowledged_is_lost_by_a_power_cut() {
    if let Err(why) = disk::available() {
        println!("skipped: {why}");
        return;
    }
    let mut dice = Dice(seed());
    let folder = tempfile::tempdir().unwrap();
    let mut image = folder.path().join("none");
    let (mut acknowledged, mut further) = (0, 0);
    let mut rounds = Vec::new();
    for round in 0..ROUNDS {
        if round % ROUNDS_OF_A_DISK == 0 {
            image = disk::format(folder.path(), LEN).unwrap();
            rounds.clear();
        }
        let copy = folder.path().join(format!("disk-{}", round + 1));
        let after = Duration::from_millis(dice.roll(150));
        let heard = cut_while("writes_until_cut", &image, &copy, round, after);
        std::fs::remove_file(&image).unwrap();
        image = copy;
        acknowledged += heard.units();
        rounds.push((round, heard));

        let mounted = Mounted::new(&image).unwrap();
        let store = SledStore::open(&mounted.data()).unwrap();
        for (number, heard) in &rounds {
            let more = check(&store, *number, heard).await.unwrap();
            further += if *number == round { more } else { 0 };
        }
    }
    println!("{ROUNDS} power cuts: {acknowledged} units acknowledged, all there; {further} more were written");
    assert!(acknowledged > ROUNDS, "the writers did next to nothing");
}

/// Holds the test above to account: with sled's own flush the same cuts lose data.
#[test]
fn flushing_alone_would_lose_data() {
    if let Err(why) = disk::available() {
        println!("skipped: {why}");
        return;
    }
    let mut said = Vec::new();
    for round in 0..10 {
        let folder = tempfile::tempdir().unwrap();
        let image = disk::format(folder.path(), LEN).unwrap();
        let copy = folder.path().join("copy");
        // Sled syncs by itself every 500 ms: be faster.
        let after = Duration::from_millis(60);
        let heard = cut_while("only_flushes_until_cut", &image, &copy, round, after);
        let mounted = Mounted::new(&copy).unwrap();
        let found = std::panic::catch_unwind(|| last_of(&mounted.data()));
        let expected = heard.last.get(&0).copied().unwrap_or_default();
        match found {
            Ok(Ok(last)) if last >= expected => said.push(format!("round {round}: all {expected} there")),
            Ok(Ok(last)) => return println!("round {round}: {last} of {expected} acknowledged are left"),
            Ok(Err(error)) => return println!("round {round}: of {expected} acknowledged none can be read: {error}"),
            Err(_) => return println!("round {round}: of {expected} acknowledged none can be read: sled panics"),
        }
    }
    panic!("sled's flush lost nothing in 10 power cuts, so the test of ours shows nothing: {said:?}");
}

fn last_of(directory: &Path) -> Result<u64, sled::Error> {
    let tree = plain(directory).open()?;
    let last = tree.last()?.and_then(|(key, _)| <[u8; 8]>::try_from(&*key).ok());
    Ok(last.map_or(0, u64::from_be_bytes))
}
