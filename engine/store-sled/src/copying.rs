//! Copying rows into a fresh database: for backups and for compaction.

use engine_store::StoreError;

use crate::database::{Database, Writes};
use crate::shared::Look;

/// Bytes to copy in one go, about: batches wait while they are read.
const CHUNK_LEN: usize = 1 << 20;

/// Rows to copy in one go, at most.
const CHUNK_ROWS: usize = 1024;

/// Sorts after every key.
const END: [u8; 1] = [0xff];

/// Copies all rows into an empty database, in the order of their keys, and says how many. `copied` is told during each
/// look up to which key (included) the rows have been read.
pub(crate) fn copy_rows(from: &impl Look, to: &Database, copied: impl Fn(&[u8])) -> Result<u64, StoreError> {
    let (mut start, mut count) = (Vec::new(), 0);
    loop {
        let chunk = from.look(|database| {
            let chunk = chunk(database, start.clone())?;
            copied(chunk.keys().next_back().map_or(&END, Vec::as_slice));
            Ok(chunk)
        })?;
        let Some(last) = chunk.keys().next_back() else { return Ok(count) };
        start.clone_from(last);
        start.push(0);
        count += chunk.len() as u64;
        to.apply(chunk)?;
    }
}

fn chunk(database: &Database, start: Vec<u8>) -> Result<Writes, StoreError> {
    let (mut rows, mut len) = (Writes::new(), 0);
    for found in database.range(start, None) {
        let (key, bytes) = found?;
        len += key.len() + bytes.len();
        rows.insert(key.to_vec(), Some(bytes.to_vec()));
        if len >= CHUNK_LEN || rows.len() >= CHUNK_ROWS {
            break;
        }
    }
    Ok(rows)
}

/// What these keys lead to now.
pub(crate) fn copy_again(from: &Database, keys: impl IntoIterator<Item = Vec<u8>>) -> Result<Writes, StoreError> {
    let row = |key: Vec<u8>| {
        let bytes = from.get_bytes(&key)?.map(|bytes| bytes.to_vec());
        Ok((key, bytes))
    };
    keys.into_iter().map(row).collect()
}
