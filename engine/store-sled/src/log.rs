//! Sled's log, looked at before sled opens it.
//!
//! Sled 0.34 reads its log from the last snapshot on. Where it can't read a message in its newest segments it takes that
//! for the end, and the watermark tells whether something is missing. In an older segment it leaves out the rest of that
//! segment without a word and goes on with the next: batches would be missing in the middle, whose rows fit each other.
//! And then it overwrites what it did not read. So the messages of those segments are checked here, as sled would check
//! them. It costs one more reading of what sled is about to read, and nothing where the log since the last snapshot is
//! shorter than a segment.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io;
use std::os::unix::fs::FileExt;
use std::path::Path;

use crate::database::SEGMENT_LEN;

/// Bytes before the first message of a segment.
const SEGMENT_HEADER_LEN: usize = 20;

/// With fewer bytes left than this no message begins in a segment.
const MESSAGE_HEADER_LEN: usize = 32;

/// The kinds of messages that say that there is none, and that the rest of the segment is empty; and the last kind.
const NO_MESSAGE: u8 = 0;
const CAP: u8 = 2;
const LAST_KIND: u8 = 11;

/// Looks for holes in the log of the database in `path`, and says where one is.
pub(crate) fn hole(path: &Path) -> io::Result<Option<String>> {
    // Where there is none, sled says so.
    let Some(file) = File::open(path.join("db")).ok() else { return Ok(None) };
    let snapshot = last_snapshot(path)?;
    let len = SEGMENT_LEN as u64;
    let (mut segments, mut stable) = (BTreeMap::new(), snapshot);
    let mut at = 0;
    while let Some(header) = header(&file, at)? {
        match header {
            Header::Damaged => return Ok(Some(format!("the segment at byte {at} has a damaged header"))),
            Header::Sound { lsn, max_stable } if lsn >= snapshot / len * len => {
                segments.insert(lsn, at);
                stable = stable.max(max_stable);
            }
            Header::Sound { .. } | Header::Empty => {}
        }
        at += len;
    }
    for (lsn, at) in segments.range(..stable / len * len) {
        if let Some(within) = unreadable(&file, *at, lsn / len)? {
            return Ok(Some(format!("a message at byte {} can't be read", at + within)));
        }
    }
    Ok(None)
}

/// Up to where the newest snapshot goes: its name says it.
fn last_snapshot(path: &Path) -> io::Result<u64> {
    let mut last = 0;
    for entry in fs::read_dir(path)? {
        let name = entry?.file_name();
        let lsn = name.to_str().and_then(|name| u64::from_str_radix(name.strip_prefix("snap.")?, 16).ok());
        last = last.max(lsn.unwrap_or_default());
    }
    Ok(last)
}

/// How a segment begins.
enum Header {
    Sound {
        /// The position in the log at which it begins.
        lsn: u64,
        /// Up to where everything was written when it was begun.
        max_stable: u64,
    },
    /// Never written, or wiped.
    Empty,
    Damaged,
}

/// None behind the last segment.
fn header(file: &File, at: u64) -> io::Result<Option<Header>> {
    const FLIPPED: i64 = i64::MAX;
    let mut bytes = [0; SEGMENT_HEADER_LEN];
    match file.read_exact_at(&mut bytes, at) {
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(None),
        read => read?,
    }
    let [first, rest @ ..] = bytes;
    if rest.iter().all(|byte| *byte == first) {
        return Ok(Some(Header::Empty));
    }
    let (crc, numbers) = bytes.split_at(4);
    // Of the first segment it is −1.
    let number = |bytes: &[u8]| bytes.first_chunk().map_or(0, |bytes| (i64::from_le_bytes(*bytes) ^ FLIPPED).max(0));
    let number = |bytes: &[u8]| number(bytes).unsigned_abs();
    let (lsn, max_stable) = numbers.split_at(8);
    let sound = crc == (crc32fast::hash(numbers) ^ u32::MAX).to_le_bytes();
    let sound = sound && number(lsn).is_multiple_of(SEGMENT_LEN as u64);
    Ok(Some(if sound { Header::Sound { lsn: number(lsn), max_stable: number(max_stable) } } else { Header::Damaged }))
}

/// Where in a segment the first message is that can't be read. A segment that was being written anew when a crash came
/// does not count: what was in it was not needed any more.
fn unreadable(file: &File, at: u64, number: u64) -> io::Result<Option<u64>> {
    let mut segment = vec![0; SEGMENT_LEN];
    let mut len = 0;
    while let Some(rest) = segment.get_mut(len..).filter(|rest| !rest.is_empty()) {
        match file.read_at(rest, at + len as u64)? {
            0 => break,
            read => len += read,
        }
    }
    segment.truncate(len);
    let mut within = SEGMENT_HEADER_LEN;
    while within + MESSAGE_HEADER_LEN <= SEGMENT_LEN {
        match message(segment.get(within..).unwrap_or_default()) {
            Some(message) if message.segment == number => {
                if message.kind == CAP {
                    return Ok(None);
                }
                within += message.len;
            }
            _ => {
                let newer = |from| message(segment.get(from..)?).filter(|found| found.segment > number);
                let written_anew = (within..len).any(|from| newer(from).is_some());
                return Ok(if written_anew { None } else { Some(within as u64) });
            }
        }
    }
    Ok(None)
}

/// A message of the log.
struct Message {
    kind: u8,
    /// The number of the segment that it was written into.
    segment: u64,
    /// Its bytes, header included.
    len: usize,
}

/// The message that some bytes begin with, where its checksum is right.
fn message(bytes: &[u8]) -> Option<Message> {
    let (crc, rest) = bytes.split_first_chunk::<4>()?;
    let (&kind, mut rest) = rest.split_first()?;
    if kind == NO_MESSAGE || kind > LAST_KIND {
        return None;
    }
    let len = usize::try_from(number(&mut rest)?).ok()?;
    let segment = number(&mut rest)?;
    number(&mut rest)?;
    let body = rest.get(..len)?;
    let header_len = bytes.len() - rest.len();
    let mut hasher = crc32fast::Hasher::new();
    hasher.update(body);
    hasher.update(bytes.get(4..header_len)?);
    let sound = hasher.finalize() ^ u32::MAX == u32::from_le_bytes(*crc);
    sound.then_some(Message { kind, segment, len: header_len + len })
}

/// A number as sled writes it: the larger, the more bytes.
fn number(bytes: &mut &[u8]) -> Option<u64> {
    let (&first, rest) = bytes.split_first()?;
    let (number, rest) = match first {
        0..=240 => (u64::from(first), rest),
        241..=248 => {
            let (&second, rest) = rest.split_first()?;
            (240 + 256 * (u64::from(first) - 241) + u64::from(second), rest)
        }
        249 => {
            let (&[second, third], rest) = rest.split_first_chunk::<2>()?;
            (2288 + 256 * u64::from(second) + u64::from(third), rest)
        }
        250..=255 => {
            let (number, rest) = rest.split_at_checked(usize::from(first) - 247)?;
            (number.iter().rev().fold(0, |all, byte| all << 8 | u64::from(*byte)), rest)
        }
    };
    *bytes = rest;
    Some(number)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn flip(path: &Path, at: u64) {
        let file = File::options().read(true).write(true).open(path.join("db")).unwrap();
        let mut byte = [0];
        file.read_exact_at(&mut byte, at).unwrap();
        file.write_all_at(&[byte[0] ^ 1], at).unwrap();
    }

    #[test]
    fn holes_are_found_in_what_sled_would_leave_out() {
        // In memory where that can be had: here nothing depends on the disk.
        let memory = Path::new("/dev/shm");
        let folder = if memory.is_dir() { tempfile::tempdir_in(memory) } else { tempfile::tempdir() }.unwrap();
        let config = || sled::Config::new().path(folder.path()).segment_size(SEGMENT_LEN).flush_every_ms(None);
        let tree = config().open().unwrap();
        for number in 0..500_u64 {
            tree.insert(number.to_be_bytes(), vec![7; 100_000]).unwrap();
        }
        tree.flush().unwrap();
        drop(tree);
        let len = SEGMENT_LEN as u64;
        assert!(std::fs::metadata(folder.path().join("db")).unwrap().len() > 4 * len);
        assert_eq!(hole(folder.path()).unwrap(), None);
        for at in [len + 3, 2 * len - 700_000, 3 * len - 600_000] {
            flip(folder.path(), at);
            let found = hole(folder.path()).unwrap();
            assert!(found.is_some(), "at {at}");
            flip(folder.path(), at);
        }
        assert_eq!(hole(folder.path()).unwrap(), None);
        // Once it is in a snapshot, sled reads each page by its place, and checks it then.
        drop(config().open().unwrap());
        assert!(last_snapshot(folder.path()).unwrap() > 4 * len);
        flip(folder.path(), 2 * len - 700_000);
        assert_eq!(hole(folder.path()).unwrap(), None);
    }

    #[test]
    fn numbers_are_read_as_sled_writes_them() {
        for (bytes, expected) in [
            (&[240][..], 240),
            (&[241, 0], 240),
            (&[248, 255], 2287),
            (&[249, 1, 2], 2288 + 258),
            (&[250, 1, 0, 2], 0x02_0001),
            (&[255, 0, 0, 0, 0, 0, 0, 0, 1], 1 << 56),
        ] {
            let mut rest = bytes;
            assert_eq!((number(&mut rest), rest.len()), (Some(expected), 0), "{bytes:?}");
        }
        assert_eq!(number(&mut &[250, 1][..]), None);
    }
}
