//! A killed process has lost nothing that it acknowledged.
#![allow(missing_docs, clippy::unwrap_used, clippy::indexing_slicing, clippy::print_stdout)]

mod common;

use std::thread::sleep;
use std::time::Duration;

use common::{Dice, Writer, check, orders, seed, write_for_ever};
use engine_store::Store;
use engine_store_sled::SledStore;

/// Kills of each of the lanes, which go on side by side: most of a round is spent waiting for the disk.
const ROUNDS: u64 = 100;
const LANES: u64 = 2;

/// Not a test: what the killed process does.
#[test]
#[ignore = "it is started by the test that kills it"]
fn writes_until_killed() {
    if let Some((directory, round)) = orders() {
        write_for_ever(&directory, round);
    }
}

#[test]
fn nothing_acknowledged_is_lost_by_a_kill() {
    let seed = seed();
    std::thread::scope(|scope| {
        for lane in 0..LANES {
            scope.spawn(move || kill_and_check(Dice(seed + lane)));
        }
    });
}

fn kill_and_check(mut dice: Dice) {
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let data = tempfile::tempdir().unwrap();
    let (mut acknowledged, mut further, mut rounds) = (0, 0, Vec::new());
    for round in 0..ROUNDS {
        let mut writer = Writer::start("writes_until_killed", data.path(), round);
        // Now and then it is killed while it opens the store.
        if dice.roll(8) > 0 {
            writer.wait_until_open();
        }
        sleep(Duration::from_micros(dice.roll(15_000)));
        let heard = writer.kill();
        acknowledged += heard.units();
        rounds.push((round, heard));
        // Mostly the next writer recovers, so that crashes come on top of crashes.
        if dice.roll(4) == 0 || round + 1 == ROUNDS {
            let store = SledStore::open(data.path()).unwrap();
            for (round, heard) in rounds.drain(..) {
                further += runtime.block_on(check(&store, round, &heard)).unwrap();
            }
            if dice.roll(2) == 0 {
                runtime.block_on(store.close()).unwrap();
            }
        }
    }
    println!("{ROUNDS} kills: {acknowledged} units acknowledged, all there; {further} more were written");
    assert!(acknowledged > ROUNDS, "the writers did next to nothing");
}
