//! Every bound of the runtime, with its reason.

use std::time::Duration;

/// Units that are written with one sync, at most: so that no unit waits long behind a huge batch.
pub const BATCH_UNITS: usize = 1_024;

/// Units that may wait for the committer; a run that finds the queue full waits for its place.
pub const COMMIT_QUEUE: usize = 4_096;

/// Requests from outside that may wait for a run's turn; further ones are refused.
pub const MAILBOX: usize = 256;

/// How often a request is tried on a run that ends, or is taken up, at that very moment.
pub const REQUEST_ROUNDS: usize = 8;

/// How long the workflow id of a deleted run stays taken: thirty days.
pub const ID_RETENTION: Duration = Duration::from_hours(30 * 24);

/// Unclean stops in a row, without a result of its own, after which a run in flight is carried out alone: one may be
/// chance, and two as well.
pub const CRASHES_TOGETHER: u32 = 3;

/// Unclean stops while a run was carried out alone, after which it is poison: a process may be killed for other
/// reasons, but hardly five times at that very moment.
pub const CRASHES_ALONE: u32 = 5;

/// Attempts in flight in one process; further ones wait for a slot.
pub const ATTEMPTS_IN_FLIGHT: usize = 512;

/// The largest answer that a step may get.
pub const ANSWER_LEN: usize = engine_core::bounds::MAX_PAYLOAD;

/// Bytes of payloads in memory, where nothing else is asked for: request bodies on their way out, answers that are
/// not yet durable, and what turns work on.
pub const PAYLOAD_MEMORY: usize = 32 << 20;

/// A payload up to this many bytes is not counted: what is in flight of those is bounded by their number.
pub const SMALL_PAYLOAD: usize = engine_core::bounds::INLINE_PAYLOAD;

/// Room for an answer whose length is not known is taken in pieces of this many bytes.
pub const ANSWER_PIECE: usize = 256 << 10;

/// How long a connection may take to be made, where the attempt's own timeout is not shorter.
pub const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// Idle connections kept to one service.
pub const IDLE_CONNECTIONS: usize = 64;

/// Events that are read from the store at once.
pub const READ_EVENTS: usize = 1_024;

/// Open runs that are listed at once.
pub const LISTED_RUNS: usize = 1_024;

/// Below this much free disk no new run is started; running runs go on.
pub const DISK_RESERVE: u64 = 256 << 20;
