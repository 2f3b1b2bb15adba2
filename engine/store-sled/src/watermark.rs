//! What was acknowledged, kept beside the database.
//!
//! After a bad crash sled may open an older or an empty database without a word. What it should hold at least is
//! known from here, so that the loss is said and not served.

use std::fs::{File, OpenOptions};
use std::os::unix::fs::FileExt;
use std::path::Path;

use engine_core::time::Timestamp;
use engine_store::StoreError;

use crate::directory::{Directory, unusable};
use crate::files;

/// Bytes from one slot to the next. Two slots are written in turns, so that a torn write leaves the other one.
const SLOT_LEN: u64 = 64;

/// After how many marks the file is synced. In between a kill loses none of them, a power cut the newest.
const SYNC_EVERY: u64 = 256;

/// The last acknowledged batch.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Default)]
pub(crate) struct Mark {
    pub(crate) commit: u64,
    pub(crate) time: Timestamp,
}

/// The file that says what was acknowledged last.
pub(crate) struct Watermark {
    file: File,
    unsynced: u64,
}

impl Watermark {
    /// What the file says; none where there is no file.
    pub(crate) fn read(directory: &Directory) -> Result<Option<Mark>, StoreError> {
        let path = directory.watermark();
        let Some(bytes) = files::read_if_there(&path).map_err(|error| files::failed("reading", &path, &error))? else {
            return Ok(None);
        };
        let slots = bytes.chunks(usize::try_from(SLOT_LEN).unwrap_or(usize::MAX));
        let mark = slots.filter_map(Mark::decode).max();
        mark.map(Some).ok_or_else(|| {
            unusable(
                directory.path(),
                "has a damaged file `watermark`, so it can't be told whether the database is complete. Put a backup \
                 of the whole directory in its place; or, to go on with what is there, delete `watermark`",
            )
        })
    }

    /// Makes a new file, durable.
    pub(crate) fn create(directory: &Directory, mark: Mark) -> Result<(), StoreError> {
        let mut bytes = mark.encode().to_vec();
        bytes.resize(2 * usize::try_from(SLOT_LEN).unwrap_or_default(), 0);
        files::write_durably(&directory.watermark(), &directory.temporary().join("watermark"), &bytes)
    }

    /// Opens the file to write marks.
    pub(crate) fn open(path: &Path) -> Result<Self, StoreError> {
        let file = OpenOptions::new().write(true).open(path);
        Ok(Self { file: file.map_err(|error| files::failed("opening", path, &error))?, unsynced: 0 })
    }

    /// Notes that everything up to here is about to be acknowledged. It must be durable in the database already.
    pub(crate) fn note(&mut self, mark: Mark) -> Result<(), StoreError> {
        self.file.write_all_at(&mark.encode(), (mark.commit % 2) * SLOT_LEN).map_err(|error| broken(&error))?;
        self.unsynced += 1;
        if self.unsynced >= SYNC_EVERY { self.sync() } else { Ok(()) }
    }

    /// Makes the last mark durable.
    pub(crate) fn sync(&mut self) -> Result<(), StoreError> {
        self.unsynced = 0;
        self.file.sync_data().map_err(|error| broken(&error))
    }
}

fn broken(error: &std::io::Error) -> StoreError {
    StoreError::Io { what: "writing the watermark".to_owned(), why: files::why(error) }
}

impl Mark {
    fn encode(self) -> [u8; 20] {
        let mut bytes = [0; 20];
        let (numbers, crc) = bytes.split_at_mut(16);
        let (commit, time) = numbers.split_at_mut(8);
        commit.copy_from_slice(&self.commit.to_be_bytes());
        time.copy_from_slice(&self.time.millis().to_be_bytes());
        crc.copy_from_slice(&checksum(numbers).to_be_bytes());
        bytes
    }

    fn decode(slot: &[u8]) -> Option<Self> {
        let (numbers, rest) = slot.split_first_chunk::<16>()?;
        let crc = rest.first_chunk::<4>()?;
        if u32::from_be_bytes(*crc) != checksum(numbers) {
            return None;
        }
        let (commit, time) = numbers.split_first_chunk::<8>()?;
        let time = Timestamp::from_millis(u64::from_be_bytes(*time.first_chunk::<8>()?));
        Some(Self { commit: u64::from_be_bytes(*commit), time })
    }
}

/// The salt keeps a slot of zeros from being a mark.
fn checksum(numbers: &[u8]) -> u32 {
    let mut hasher = crc32fast::Hasher::new();
    hasher.update(b"watermark");
    hasher.update(numbers);
    hasher.finalize()
}

/// The number of the last batch before a clean stop; none after an unclean one.
pub(crate) fn clean(directory: &Directory) -> Result<Option<u64>, StoreError> {
    let path = directory.clean();
    let text = files::read_if_there(&path).map_err(|error| files::failed("reading", &path, &error))?;
    Ok(text.and_then(|text| String::from_utf8(text).ok()?.trim().parse().ok()))
}

/// Notes a clean stop after this batch.
pub(crate) fn put_clean(directory: &Directory, commit: u64) -> Result<(), StoreError> {
    let temporary = directory.temporary().join("clean");
    files::write_durably(&directory.clean(), &temporary, format!("{commit}\n").as_bytes())
}
