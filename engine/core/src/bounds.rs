//! Every bound of the engine's core, with its reason. Beyond a bound stands a clear failure, never a panic.

/// Characters of a name in a workflow file.
pub const NAME_LEN: usize = 64;

/// Bytes of a workflow file. A file beyond it is more likely a mistake than a workflow.
pub const FILE_LEN: usize = 4 << 20;

/// Steps of one definition, `on_failure` included: so many that an event which lists them all fits a record.
pub const STEPS: usize = 2_000;

/// Dependencies of all steps of one definition together.
pub const EDGES: usize = 100_000;

/// Services of one definition.
pub const SERVICES: usize = 500;

/// Bytes of a workflow id, request id, label key or label value.
pub const ID_LEN: usize = 256;

/// The longest duration that a file may name: ten years.
pub const LONGEST_DURATION_MS: u64 = 10 * 366 * 86_400_000;

/// The most attempts that a policy may name.
pub const MAX_ATTEMPTS: u32 = 100_000;

/// The most delays that a policy may list: each step has its copy.
pub const INTERVALS: usize = 100;

/// A payload up to this many bytes stands in its event; a larger one is spilled to a blob.
pub const INLINE_PAYLOAD: usize = 16 << 10;

/// The largest payload: an input, a request body, an output.
pub const MAX_PAYLOAD: usize = 64 << 20;

/// State keeps a payload up to this many bytes in memory, and only a reference to a larger one.
pub const HELD_PAYLOAD: usize = 1 << 10;

/// Bytes of one encoded record of events.
pub const RECORD_LEN: usize = 192 << 10;

/// A turn stops draining its mailbox once its events are about this many bytes.
pub const TURN_LEN: usize = 128 << 10;

/// Bytes of a failure's message; the rest is cut off.
pub const MESSAGE_LEN: usize = 1_000;

/// Failures of one run that `.error.all` lists, and warnings that a terminal event lists; each stands in its own event
/// besides.
pub const LISTED_FAILURES: usize = 50;

/// The arguments of one task: eight, and before them the outcome that a compensation takes.
pub const TASK_ARGS: usize = 9;

/// Bytes of a rendered URL, query and headers together: they stand in the event itself.
pub const CALL_LEN: usize = 64 << 10;

/// The longest wait that a callee's `Retry-After` is granted.
pub const RETRY_AFTER_MS: u64 = 3_600_000;

/// Events of one run's history. It does not apply after the pivot or while compensating: there the run must end.
pub const HISTORY_LEN: u64 = 100_000;

/// Signals of one run that are kept until a step waits for them.
pub const SIGNALS: usize = 1_000;

/// Requests to one run that are answered, as their answers are kept for repeats; it can be terminated all the same.
pub const REQUESTS: usize = 10_000;

/// Shards that run ids are spread over.
pub const SHARDS: usize = 256;
