//! Every bound of the runtime, with its reason.

use std::time::Duration;

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

/// Runs that are taken up at once, so that what they note of their recovery shares syncs.
pub const TAKEN_UP: usize = 256;

/// A run that only waits for at least this long is dormant: to read it again costs well below a thousandth of that.
pub const DORMANT_FROM: Duration = Duration::from_secs(1);

/// Open runs, and timers, that are listed at once.
pub const LISTED_RUNS: usize = 1_024;

/// Processes that are answered at once; further ones wait in the socket's queue. A follower takes two.
pub const CONNECTIONS: usize = 128;

/// How long another process may take to say what it wants, and the process that has the directory to say who it is.
pub const HELLO_TIME: Duration = Duration::from_secs(5);

/// The first message of each side.
pub const HELLO_LEN: usize = 1_024;

/// Any later message: a payload, or a definition, with what goes with it.
pub const MESSAGE_LEN: usize = engine_core::bounds::MAX_PAYLOAD + (8 << 20);

/// A message longer than this is large.
pub const LARGE_MESSAGE: usize = 1 << 20;

/// Large messages that are taken in at once.
pub const LARGE_MESSAGES: usize = 4;

/// Events in one answer: each may have as many bytes as a record.
pub const EVENTS_PER_ANSWER: usize = 128;

/// Rows in one answer.
pub const ROWS_PER_ANSWER: usize = 256;

/// How long a wait for a run's next turn lasts before it is answered in any case.
pub const WAIT_TIME: Duration = Duration::from_secs(20);

/// Processes that wait for news at once; further ones are answered at once, and pause. Some connections are left for
/// those that ask something.
pub const WAITS: usize = CONNECTIONS - 32;

/// How long a process that is answered at once pauses.
pub const CROWDED_PAUSE: Duration = Duration::from_secs(1);

/// Followers for whom the process stays a little.
pub const FAREWELLS: usize = 128;

/// How long a question may go unanswered: a commit may have to wait for a slow disk.
pub const ANSWER_TIME: Duration = Duration::from_mins(1);

/// How often a process that does something long for another one says that it is at it. Without such a sign for
/// [`ANSWER_TIME`] it counts as lost; the work itself takes as long as there is data.
pub const SIGN_OF_LIFE: Duration = Duration::from_secs(10);

/// How many processes the data directory is copied or looked through for at once: each is a thread that reads
/// everything.
pub const KEEPINGS: usize = 4;

/// How long the process that had a run stays for a follower that has not yet read its end.
pub const FAREWELL_TIME: Duration = Duration::from_secs(5);

/// How long a process that finds the directory taken, and nobody to ask, tries again: the one that has it may be just
/// opening it, or look something up, or end.
pub const REACH_TIME: Duration = Duration::from_secs(15);

/// How long it waits for a process that gives the directory up: that one lets its attempts end first.
pub const LEAVING_TIME: Duration = Duration::from_mins(2);

/// Pauses between two tries: from this one they double up to the other.
pub const FIRST_PAUSE: Duration = Duration::from_millis(5);
/// See [`FIRST_PAUSE`].
pub const LONGEST_PAUSE: Duration = Duration::from_millis(200);

/// How long a task that nobody waits for any more has to tidy up, before it is stopped where it next waits.
pub const TASK_GRACE: Duration = Duration::from_secs(5);

/// Checkpoints of one run that wait for its turn.
pub const NOTES: usize = 16;

/// Below this much free disk no new run is started; running runs go on.
pub const DISK_RESERVE: u64 = 256 << 20;
