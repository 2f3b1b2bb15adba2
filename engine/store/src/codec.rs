//! Rows as bytes: `[frame u8][schema u16][crc32 u32][body]`.
//!
//! The body is bincode, which is fast but notices hardly any damage and can't tell one shape from another. So the
//! frame says what kind of row it is, the schema in which shape it was written, and the checksum, which covers the
//! row's key too, that both and the body are what was written, and in their place.
//!
//! Shapes are frozen: a changed one gets the next schema number, and its [`Row::decode`] turns older ones into it.

use bincode::config::{Configuration, Limit};
use engine_core::bounds::RECORD_LEN;
use engine_core::event::Recorded;
use engine_core::id::{Digest, RunId, Seq};
use engine_core::time::Timestamp;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::error::{CommitError, StoreError};
use crate::keys;
use crate::row::{InboxRow, IndexRow, TimerClock, TimerRow};
use crate::unit::Claim;

/// The schema that this version writes.
pub const SCHEMA: u16 = 1;

/// Bytes before the body.
const HEADER_LEN: usize = 7;

/// What decoding may claim. Bincode counts a number with its full width, however short it is written.
const DECODE_LIMIT: usize = 16 * RECORD_LEN;

/// What kind of row some bytes are: their first byte.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u8)]
pub enum Frame {
    /// Events of a run.
    Events = 1,
    /// An index row.
    Index = 2,
    /// A timer.
    Timer = 3,
    /// When a run's timer is due.
    TimerOf = 4,
    /// An inbox row.
    Inbox = 5,
    /// The arrival number of a request.
    InboxId = 6,
    /// Who holds a unique key.
    Claim = 7,
    /// A mark.
    Mark = 8,
    /// A row whose key says everything.
    Present = 9,
    /// The current definition of a workflow.
    Current = 10,
    /// How far the store is.
    State = 11,
    /// A definition.
    Definition = 12,
}

/// What is kept as a row.
pub trait Row: Sized {
    /// Its kind.
    const FRAME: Frame;

    /// Writes the body in the current schema.
    fn encode(&self) -> Result<Vec<u8>, CodecError>;

    /// Reads a body that was written in this schema.
    fn decode(schema: u16, body: &[u8]) -> Result<Self, CodecError>;
}

macro_rules! rows {
    ($($row:ty => $frame:ident),+ $(,)?) => {$(
        impl Row for $row {
            const FRAME: Frame = Frame::$frame;

            fn encode(&self) -> Result<Vec<u8>, CodecError> {
                to_body(self)
            }

            fn decode(schema: u16, body: &[u8]) -> Result<Self, CodecError> {
                match schema {
                    1 => from_body(body),
                    newer => Err(CodecError::Schema(newer)),
                }
            }
        }
    )+};
}

rows! {
    Vec<Recorded> => Events,
    IndexRow => Index,
    TimerRow => Timer,
    TimerOf => TimerOf,
    InboxRow => Inbox,
    InboxId => InboxId,
    Claim => Claim,
    MarkValue => Mark,
    Present => Present,
    Current => Current,
    State => State,
}

/// When a timer of a run is due; the key says which.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct TimerOf {
    /// By which clock.
    pub clock: TimerClock,
    /// When.
    pub due: Timestamp,
}

/// The arrival number of a request that waits in an inbox; the key says whose.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct InboxId {
    /// The number.
    pub arrival: u64,
}

/// The value of a mark; the key says which.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct MarkValue {
    /// The value.
    pub value: Vec<u8>,
}

/// A row whose key says everything.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Present;

/// The current definition of a workflow; the key says whose.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Current {
    /// Its digest.
    pub definition: Digest,
}

/// How far the store is.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct State {
    /// How many batches were ever written.
    pub commit: u64,
    /// The last arrival number that was given.
    pub arrivals: u64,
    /// The latest engine time.
    pub time: Timestamp,
    /// How often the store was opened.
    pub fence: u64,
}

/// Why something is no row, or can't be one.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CodecError {
    /// It is larger than [`RECORD_LEN`].
    #[error("{0} bytes are more than a record may have")]
    TooLarge(usize),
    /// It was written by a newer version of the program.
    #[error("it was written in schema {0} by a newer version of this program: use that version")]
    Schema(u16),
    /// The bytes are not what was written.
    #[error("{0}")]
    Damaged(String),
    /// The value can't be encoded.
    #[error("{0}")]
    Unencodable(String),
}

impl CodecError {
    /// The same as the error of a store that read `what`.
    pub fn reading(self, what: impl Into<String>) -> StoreError {
        StoreError::Damaged { what: what.into(), why: self.to_string() }
    }

    /// The same as the answer to a unit with `what` in it.
    pub fn committing(self, run: RunId, what: impl Into<String>) -> CommitError {
        match self {
            Self::TooLarge(len) => CommitError::TooLarge { run, what: what.into(), len },
            Self::Unencodable(why) => CommitError::Malformed { run, why },
            damaged @ (Self::Schema(_) | Self::Damaged(_)) => damaged.reading(what).into(),
        }
    }
}

/// The bytes of a row that is kept under `key`.
pub fn seal<R: Row>(key: &[u8], row: &R) -> Result<Vec<u8>, CodecError> {
    let body = row.encode()?;
    let len = HEADER_LEN + body.len();
    if len > RECORD_LEN {
        return Err(CodecError::TooLarge(len));
    }
    Ok(seal_bytes(R::FRAME, key, &body))
}

/// The row that was kept under `key` as these bytes.
pub fn open<R: Row>(key: &[u8], bytes: &[u8]) -> Result<R, CodecError> {
    if bytes.len() > RECORD_LEN {
        return Err(CodecError::Damaged(format!("it has {} bytes", bytes.len())));
    }
    let (schema, body) = open_bytes(R::FRAME, key, bytes)?;
    R::decode(schema, body)
}

/// Bytes of any length with the header of a row.
pub fn seal_bytes(frame: Frame, key: &[u8], body: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(HEADER_LEN + body.len());
    bytes.push(frame as u8);
    bytes.extend_from_slice(&SCHEMA.to_be_bytes());
    let crc = checksum(key, &bytes, body);
    bytes.extend_from_slice(&crc.to_be_bytes());
    bytes.extend_from_slice(body);
    bytes
}

/// The schema and the body of what [`seal_bytes`] gave.
pub fn open_bytes<'a>(frame: Frame, key: &[u8], bytes: &'a [u8]) -> Result<(u16, &'a [u8]), CodecError> {
    let short = || CodecError::Damaged(format!("it has only {} bytes", bytes.len()));
    let (head, rest) = bytes.split_at_checked(3).ok_or_else(short)?;
    let (crc, body) = rest.split_first_chunk::<4>().ok_or_else(short)?;
    if u32::from_be_bytes(*crc) != checksum(key, head, body) {
        return Err(CodecError::Damaged("its checksum is wrong".to_owned()));
    }
    match head {
        [found, schema @ ..] if *found == frame as u8 => {
            let schema = schema.first_chunk::<2>().copied().map(u16::from_be_bytes).ok_or_else(short)?;
            if schema > SCHEMA { Err(CodecError::Schema(schema)) } else { Ok((schema, body)) }
        }
        _ => Err(CodecError::Damaged(format!("it is a row of another kind than {frame:?}"))),
    }
}

fn checksum(key: &[u8], head: &[u8], body: &[u8]) -> u32 {
    let mut hasher = crc32fast::Hasher::new();
    hasher.update(key);
    hasher.update(head);
    hasher.update(body);
    hasher.finalize()
}

/// A record of events, ready to be written.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Record {
    /// Its key.
    pub key: Vec<u8>,
    /// Its bytes.
    pub bytes: Vec<u8>,
}

/// Events of a run as records: as few as the bound on their size allows, each with the events that follow the ones
/// of the record before.
pub fn records(run: RunId, events: &[Recorded]) -> Result<Vec<Record>, CommitError> {
    let mut records = Vec::new();
    let mut filling = Filling::default();
    for event in events {
        let bytes = to_body(event).map_err(|error| error.committing(run, format!("event {}", event.seq)))?;
        let alone = HEADER_LEN + COUNT_LEN + bytes.len();
        if alone > RECORD_LEN {
            let what = format!("event {}", event.seq);
            return Err(CommitError::TooLarge { run, what, len: alone });
        }
        if alone + filling.bytes.len() > RECORD_LEN {
            records.extend(std::mem::take(&mut filling).finish(run)?);
        }
        filling.push(event.seq, &bytes);
    }
    records.extend(filling.finish(run)?);
    Ok(records)
}

/// Bytes of the number of events in a record, at most.
const COUNT_LEN: usize = 9;

/// The events of a record that is being filled. Bincode writes a list as its length and then its items, so the items
/// need to be encoded only once.
#[derive(Default)]
struct Filling {
    first: Option<Seq>,
    count: u64,
    bytes: Vec<u8>,
}

impl Filling {
    fn push(&mut self, seq: Seq, bytes: &[u8]) {
        self.first.get_or_insert(seq);
        self.count += 1;
        self.bytes.extend_from_slice(bytes);
    }

    fn finish(self, run: RunId) -> Result<Option<Record>, CommitError> {
        let Some(first) = self.first else { return Ok(None) };
        let mut body = to_body(&self.count).map_err(|error| error.committing(run, "record"))?;
        body.extend_from_slice(&self.bytes);
        let key = keys::events(run, first);
        let bytes = seal_bytes(Frame::Events, &key, &body);
        Ok(Some(Record { key, bytes }))
    }
}

/// The bytes of a message to another process of the same version. It is no row: no schema, and never kept.
pub fn message<T: Serialize>(message: &T) -> Result<Vec<u8>, CodecError> {
    let config = bincode::config::standard();
    bincode::serde::encode_to_vec(message, config).map_err(|error| CodecError::Unencodable(error.to_string()))
}

/// The message that [`message`] gave these bytes for. Whoever receives them bounds their number.
pub fn read_message<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, CodecError> {
    let read = bincode::serde::decode_from_slice(bytes, bincode::config::standard());
    let (message, read) = read.map_err(|error| CodecError::Damaged(format!("it can't be decoded: {error}")))?;
    if read == bytes.len() {
        Ok(message)
    } else {
        Err(CodecError::Damaged(format!("{} bytes follow it", bytes.len() - read)))
    }
}

fn config() -> Configuration<bincode::config::LittleEndian, bincode::config::Varint, Limit<DECODE_LIMIT>> {
    bincode::config::standard().with_limit::<DECODE_LIMIT>()
}

fn to_body<T: Serialize>(value: &T) -> Result<Vec<u8>, CodecError> {
    bincode::serde::encode_to_vec(value, config()).map_err(|error| CodecError::Unencodable(error.to_string()))
}

fn from_body<T: DeserializeOwned>(body: &[u8]) -> Result<T, CodecError> {
    let (value, read) = bincode::serde::decode_from_slice(body, config())
        .map_err(|error| CodecError::Damaged(format!("it can't be decoded: {error}")))?;
    if read != body.len() {
        return Err(CodecError::Damaged(format!("{} bytes follow it", body.len() - read)));
    }
    Ok(value)
}
