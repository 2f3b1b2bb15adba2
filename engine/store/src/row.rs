//! What the store keeps beside histories: index, timer and inbox rows.

use engine_core::id::{Digest, Name, RunId, Seq};
use engine_core::time::Timestamp;
use serde::{Deserialize, Serialize};

pub use engine_core::machine::TimerKey;
pub use engine_core::state::Status;

/// What a process that starts has to do for a run.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
pub enum Class {
    /// Attempts are in flight, or it has work to do at once.
    InFlight,
    /// It only waits for a timer or a request.
    Dormant,
    /// An operator paused it.
    Paused,
    /// It waits for an operator.
    Stuck,
    /// It ended.
    Ended,
}

/// What `list` shows of a run without reading its history.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct IndexRow {
    /// The run.
    pub run: RunId,
    /// Its workflow.
    pub workflow: Name,
    /// The definition it is bound to.
    pub definition: Digest,
    /// The id that its user gave it.
    pub workflow_id: Option<String>,
    /// The digest of its input.
    pub input: Digest,
    /// Its shown status.
    pub status: Status,
    /// What a starting process has to do for it.
    pub class: Class,
    /// Its labels.
    pub labels: Vec<(String, String)>,
    /// Its priority.
    pub priority: i8,
    /// When it was started.
    pub started_at: Timestamp,
    /// When it ended.
    pub ended_at: Option<Timestamp>,
    /// The position of its last event.
    pub last: Seq,
    /// How many of its attempts have ended: a run that gets on has more each time.
    pub results: u64,
}

/// Which rows a list gives. The default gives all.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct Filter {
    /// Only runs of this workflow.
    pub workflow: Option<String>,
    /// Only runs with one of these statuses; all where empty.
    pub statuses: Vec<Status>,
    /// Only runs with this workflow id.
    pub workflow_id: Option<String>,
    /// Only runs with all of these labels.
    pub labels: Vec<(String, String)>,
    /// Only runs started at this time or later.
    pub since: Option<Timestamp>,
    /// Only runs started before this time.
    pub until: Option<Timestamp>,
}

impl Filter {
    /// Whether the filter lets this row through.
    pub fn admits(&self, row: &IndexRow) -> bool {
        self.workflow.as_ref().is_none_or(|workflow| workflow == row.workflow.as_str())
            && (self.statuses.is_empty() || self.statuses.contains(&row.status))
            && (self.workflow_id.is_none() || self.workflow_id == row.workflow_id)
            && self.labels.iter().all(|label| row.labels.contains(label))
            && self.since.is_none_or(|since| row.started_at >= since)
            && self.until.is_none_or(|until| row.started_at < until)
    }
}

/// Which clock a timer follows.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
pub enum TimerClock {
    /// Engine time, which never jumps.
    Engine,
    /// The wall clock.
    Wall,
}

/// A timer of a run.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct TimerRow {
    /// The run.
    pub run: RunId,
    /// What it is for.
    pub timer: TimerKey,
    /// When it is due.
    pub due: Timestamp,
    /// By which clock.
    pub clock: TimerClock,
}

/// Something that waits for its run's turn: a request, or news of another run.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct InboxRow {
    /// The run that it is for.
    pub run: RunId,
    /// Its arrival number, given by the store, rising per run; zero where it is put.
    pub arrival: u64,
    /// The request's id, unique per run: a second row with the same id is dropped.
    pub request_id: String,
    /// What it says, in the runtime's encoding.
    pub body: Vec<u8>,
}

/// Bytes of the names in a timer's key.
pub(crate) fn timer_len(timer: &TimerKey) -> usize {
    match timer {
        TimerKey::Retry(step, _) => step.as_str().len(),
        TimerKey::RunTimeout => 0,
    }
}
