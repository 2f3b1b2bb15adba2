//! What is written together.

use engine_core::event::Recorded;
use engine_core::id::{Digest, RunId, Seq};
use engine_core::time::Timestamp;
use serde::{Deserialize, Serialize};

use crate::row::{InboxRow, IndexRow, Timer, TimerRow};

/// The number that an owner of a shard commits with. A higher one makes lower ones void.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default, Serialize, Deserialize)]
pub struct Fence(pub u64);

/// Everything that becomes durable together, or not at all.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Unit {
    /// What happens to one run.
    pub run: Option<RunWrite>,
    /// Inbox rows that this unit has dealt with: (run, arrival).
    pub inbox_consumed: Vec<(RunId, u64)>,
    /// Inbox rows for this or other runs.
    pub inbox_put: Vec<InboxRow>,
    /// Timers set; one that exists is replaced.
    pub timers_set: Vec<TimerRow>,
    /// Timers removed; one that is not there is no error.
    pub timers_removed: Vec<(RunId, Timer)>,
    /// Marks written.
    pub marks: Vec<Mark>,
    /// Unique keys taken, moved or released.
    pub claims: Vec<ClaimChange>,
}

/// What a unit does to its run.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct RunWrite {
    /// The run.
    pub run: RunId,
    /// The position of its last event before this unit; zero for a run that does not exist yet.
    pub expected: Seq,
    /// The fence of the run's shard.
    pub fence: Fence,
    /// Its new events, which follow `expected` without gaps. May be none.
    pub events: Vec<Recorded>,
    /// Its index row from now on.
    pub row: IndexRow,
}

/// A note about a run that is no part of its history, as how far its trace was exported.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Mark {
    /// The run.
    pub run: RunId,
    /// The mark's name.
    pub name: String,
    /// Its value.
    pub value: Vec<u8>,
}

/// Who holds a unique key.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Claim {
    /// The run that holds it, or held it.
    pub run: RunId,
    /// The digest of that run's input.
    pub input: Digest,
    /// Whether it is held or only remembered.
    pub state: ClaimState,
}

/// Whether a claim is held.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub enum ClaimState {
    /// The run exists.
    Live,
    /// The run was deleted; the key stays taken until this time.
    Tombstone {
        /// When the key is free again.
        expires: Timestamp,
    },
}

/// A change of a unique key. The unit fails as `Claimed` where its condition does not hold.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum ClaimChange {
    /// Takes a key that nobody holds (an expired tombstone counts as nobody, by `now`).
    Take {
        /// The key.
        key: String,
        /// Its holder from now on.
        claim: Claim,
        /// The time of the commit.
        now: Timestamp,
    },
    /// Moves a key from one run to another.
    Move {
        /// The key.
        key: String,
        /// The run that must hold it.
        from: RunId,
        /// Its holder from now on.
        to: Claim,
    },
    /// Frees a key.
    Release {
        /// The key.
        key: String,
        /// The run that must hold it.
        from: RunId,
    },
}
