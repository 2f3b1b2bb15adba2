//! A killed process has lost nothing that it acknowledged.
#![allow(missing_docs, clippy::unwrap_used, clippy::indexing_slicing, clippy::print_stdout)]

mod common;

use std::thread::sleep;
use std::time::Duration;

use common::{Dice, Writer, check, orders, seed, write_for_ever};
use engine_store::Store;
use engine_store_sled::SledStore;

const ROUNDS: u64 = 200;

/// Not a test: what the killed process does.
#[test]
#[ignore = "it is started by the test that kills it"]
fn writes_until_killed() {
    if let Some((directory, round)) = orders() {
        write_for_ever(&directory, round);
    }
}

#[tokio::test]
async fn nothing_acknowledged_is_lost_by_a_kill() {
    let mut dice = Dice(seed());
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
        // Mostly the next writer recovers, so that crashes come on top of crashes.
        rounds.push((round, heard));
        if dice.roll(4) == 0 || round + 1 == ROUNDS {
            let store = SledStore::open(data.path()).unwrap();
            for (round, heard) in rounds.drain(..) {
                further += check(&store, round, &heard).await.unwrap();
            }
            if dice.roll(2) == 0 {
                store.close().await.unwrap();
            }
        }
    }
    println!("{ROUNDS} kills: {acknowledged} units acknowledged, all there; {further} more were written");
    assert!(acknowledged > ROUNDS, "the writers did next to nothing");
}
