//! The bytes of every kind of row. What a released version wrote must be read by every later one, so these bytes may
//! only be added to. Before a release `ENGINE_BLESS=1 cargo test -p engine-store --test golden` writes them anew.
#![allow(missing_docs, clippy::unwrap_used, clippy::indexing_slicing, clippy::expect_used)]

mod samples;

use std::collections::BTreeMap;
use std::fmt::{Debug, Write as _};
use std::path::PathBuf;

use engine_core::event::Recorded;
use engine_store::codec::{self, CodecError, Frame, Row};
use engine_store::{Claim, InboxRow, IndexRow, TimerRow, keys};

const KEY: &[u8] = b"\x70the key of the row";

/// A row as bytes, and a way to do the round trip.
struct Golden {
    name: String,
    bytes: Vec<u8>,
    again: fn(&[u8]) -> Result<Vec<u8>, CodecError>,
}

fn golden<R: Row + Debug + PartialEq>(name: &str, row: &R) -> Golden {
    let bytes = codec::seal(KEY, row).unwrap();
    assert_eq!(codec::open::<R>(KEY, &bytes).as_ref(), Ok(row), "{name}");
    let again = |bytes: &[u8]| codec::open::<R>(KEY, bytes).and_then(|row| codec::seal(KEY, &row));
    Golden { name: name.to_owned(), bytes, again }
}

fn all() -> Vec<Golden> {
    let mut all = Vec::new();
    for (name, event) in samples::events() {
        let record = vec![samples::recorded(1, event)];
        all.push(golden::<Vec<Recorded>>(&format!("event {name}"), &record));
    }
    for (name, row) in samples::index_rows() {
        all.push(golden::<IndexRow>(&format!("index {name}"), &row));
    }
    for (name, row) in samples::timers() {
        all.push(golden::<TimerRow>(&format!("timer {name}"), &row));
    }
    for (name, row) in samples::claims() {
        all.push(golden::<Claim>(&format!("claim {name}"), &row));
    }
    all.push(golden::<InboxRow>("inbox", &samples::inbox()));
    all.push(golden("timer of run", &samples::timer_of()));
    all.push(golden("inbox id", &codec::InboxId { arrival: 300 }));
    all.push(golden("mark", &codec::MarkValue { value: vec![1, 2, 3] }));
    all.push(golden("present", &codec::Present));
    all.push(golden("current", &codec::Current { definition: samples::digest() }));
    all.push(golden("state", &samples::state()));
    all
}

fn file() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/golden/schema-1.txt")
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        write!(text, "{byte:02x}").unwrap();
        text
    })
}

fn unhex(text: &str) -> Vec<u8> {
    (0..text.len()).step_by(2).map(|at| u8::from_str_radix(&text[at..at + 2], 16).unwrap()).collect()
}

#[test]
fn bytes_are_those_that_were_released() {
    let all = all();
    if std::env::var_os("ENGINE_BLESS").is_some() {
        let text = all.iter().fold(String::new(), |mut text, golden| {
            writeln!(text, "{}: {}", golden.name, hex(&golden.bytes)).unwrap();
            text
        });
        std::fs::write(file(), text).unwrap();
    }
    let text = std::fs::read_to_string(file()).unwrap();
    let released: BTreeMap<&str, Vec<u8>> =
        text.lines().map(|line| line.split_once(": ").unwrap()).map(|(name, bytes)| (name, unhex(bytes))).collect();
    for Golden { name, bytes, again } in &all {
        let released = released.get(name.as_str()).unwrap_or_else(|| panic!("`{name}` is not in {}", file().display()));
        assert_eq!(hex(bytes), hex(released), "{name} is written otherwise than before");
        assert_eq!(again(released).as_ref(), Ok(released), "{name}");
    }
    assert_eq!(released.len(), all.len(), "a row in the file has no sample any more, or two have one name");
}

#[test]
fn every_flipped_bit_is_noticed() {
    for Golden { name, bytes, again } in all() {
        for bit in 0..bytes.len() * 8 {
            let mut flipped = bytes.clone();
            flipped[bit / 8] ^= 1 << (bit % 8);
            assert!(again(&flipped).is_err(), "{name}: bit {bit}");
        }
        for len in 0..bytes.len() {
            assert!(again(&bytes[..len]).is_err(), "{name}: {len} bytes");
        }
        assert!(again(&[bytes.as_slice(), &[0]].concat()).is_err(), "{name}: one byte more");
    }
}

#[test]
fn a_row_in_the_place_of_another_is_noticed() {
    let bytes = codec::seal(KEY, &samples::timer_of()).unwrap();
    assert!(codec::open::<codec::TimerOf>(b"\x70the key of a row", &bytes).is_err());
    assert!(codec::open::<codec::InboxId>(KEY, &bytes).is_err());
}

#[test]
fn what_follows_a_row_is_noticed() {
    let mut body = codec::InboxId { arrival: 1 }.encode().unwrap();
    body.push(0);
    let bytes = codec::seal_bytes(Frame::InboxId, KEY, &body);
    assert!(matches!(codec::open::<codec::InboxId>(KEY, &bytes), Err(CodecError::Damaged(_))));
}

#[test]
fn a_newer_schema_is_named() {
    // The same row as a later version would write it, checksum and all.
    let mut bytes = codec::seal(KEY, &codec::Present).unwrap();
    bytes[2] = 2;
    let crc = crc32fast::hash(&[KEY, &bytes[..3]].concat());
    bytes[3..7].copy_from_slice(&crc.to_be_bytes());
    assert_eq!(codec::open::<codec::Present>(KEY, &bytes), Err(CodecError::Schema(2)));
}

#[test]
fn a_turn_is_cut_into_records_that_fit() {
    let run = samples::run();
    let events: Vec<_> = (1..=200).map(|seq| samples::recorded(seq, samples::large(10_000))).collect();
    let records = codec::records(run, &events).unwrap();
    assert!(records.len() > 5);
    let mut read: Vec<Recorded> = Vec::new();
    for record in &records {
        assert!(record.bytes.len() <= engine_core::bounds::RECORD_LEN);
        assert_eq!(record.key, keys::events(run, engine_core::id::Seq(read.len() as u64 + 1)));
        let events: Vec<Recorded> = codec::open(&record.key, &record.bytes).unwrap();
        assert_eq!(codec::seal(&record.key, &events).as_ref(), Ok(&record.bytes));
        read.extend(events);
    }
    assert_eq!(read, events);
    assert_eq!(codec::records(run, &[]), Ok(Vec::new()));

    // The largest event that fits, and one byte more.
    let fits = |len: usize| codec::records(run, &[samples::recorded(1, samples::large(len))]).is_ok();
    let most = engine_core::bounds::RECORD_LEN;
    let edge = (most - 500..most).find(|len| !fits(*len)).unwrap();
    assert!(fits(edge - 1) && !fits(edge) && !fits(most));
}
