//! What is written together.

use engine_core::bounds::RECORD_LEN;
use engine_core::event::Recorded;
use engine_core::id::{Digest, RunId, Seq};
use engine_core::time::Timestamp;
use serde::{Deserialize, Serialize};

use crate::error::CommitError;
use crate::row::{InboxRow, IndexRow, TimerKey, TimerRow, timer_len};

/// The number that an owner of a shard commits with. A higher one makes lower ones void.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default, Serialize, Deserialize)]
pub struct Fence(pub u64);

/// Everything that becomes durable together, or not at all.
///
/// Its parts are applied in this order: inbox rows consumed, then put; timers removed, then set; marks; claims.
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
    pub timers_removed: Vec<(RunId, TimerKey)>,
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

impl Mark {
    /// Takes a mark from a run.
    pub fn cleared(run: RunId, name: &str) -> Self {
        Self { run, name: name.to_owned(), value: Vec::new() }
    }
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

/// A change of a unique key. The changes of a unit are made in order, each on what the ones before it left.
///
/// The unit fails as `Claimed` where a key to be taken is held, and as `NotHeld` where a key to be moved or released
/// is not held, live, by the run named.
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

/// Bytes beside the texts and bytes that a row holds, at most.
const ROW_OVERHEAD: usize = 256;

impl Unit {
    /// The run that an error about this unit names.
    pub fn about(&self) -> RunId {
        let nobody = RunId::from_bytes([0; 16]);
        self.run.as_ref().map_or(nobody, |write| write.run)
    }

    /// What can be said against the unit without looking at the store: whether it contradicts itself, and whether
    /// its rows fit. Events and the index row are measured where they are encoded.
    pub fn check(&self) -> Result<(), CommitError> {
        if let Some(write) = &self.run {
            write.check()?;
        }
        for row in &self.inbox_put {
            fits(row.run, "inbox row", row.request_id.len() + row.body.len())?;
        }
        for row in &self.timers_set {
            fits(row.run, "timer", timer_len(&row.timer))?;
        }
        for mark in &self.marks {
            fits(mark.run, "mark", mark.name.len() + mark.value.len())?;
        }
        for change in &self.claims {
            fits(self.about(), "unique key", change.key().len())?;
        }
        Ok(())
    }

    /// The latest engine time that the unit speaks of.
    pub fn time(&self) -> Timestamp {
        let events = self.run.iter().flat_map(|write| &write.events).map(|event| event.at);
        let claims = self.claims.iter().map(|change| match change {
            ClaimChange::Take { now, .. } => *now,
            ClaimChange::Move { .. } | ClaimChange::Release { .. } => Timestamp::default(),
        });
        events.chain(claims).max().unwrap_or_default()
    }
}

impl RunWrite {
    fn check(&self) -> Result<(), CommitError> {
        let malformed = |why: &str| Err(CommitError::Malformed { run: self.run, why: why.to_owned() });
        if self.row.run != self.run {
            return malformed("its index row is that of another run");
        }
        if self.expected == Seq(0) && self.events.is_empty() {
            return malformed("a run begins with an event");
        }
        let mut last = self.expected;
        for event in &self.events {
            if last.0.checked_add(1) != Some(event.seq.0) {
                return malformed(&format!("event {} comes after event {last}", event.seq));
            }
            last = event.seq;
        }
        if self.row.last != last {
            return malformed(&format!("its index row ends at {}, its events at {last}", self.row.last));
        }
        Ok(())
    }
}

impl ClaimChange {
    /// The unique key.
    pub fn key(&self) -> &str {
        match self {
            Self::Take { key, .. } | Self::Move { key, .. } | Self::Release { key, .. } => key,
        }
    }

    /// What holds the key after the change, given what held it before.
    pub fn apply(&self, before: Option<&Claim>) -> Result<Option<Claim>, CommitError> {
        let holds = |run: &RunId| before.is_some_and(|claim| claim.run == *run && claim.state == ClaimState::Live);
        match (self, before) {
            (Self::Take { claim, .. }, None) => Ok(Some(claim.clone())),
            (Self::Take { key, claim, now }, Some(before)) => match before.state {
                ClaimState::Tombstone { expires } if expires <= *now => Ok(Some(claim.clone())),
                ClaimState::Tombstone { .. } | ClaimState::Live => {
                    Err(CommitError::Claimed { key: key.clone(), holder: before.run })
                }
            },
            (Self::Move { from, to, .. }, _) if holds(from) => Ok(Some(to.clone())),
            (Self::Release { from, .. }, _) if holds(from) => Ok(None),
            (Self::Move { key, from, .. } | Self::Release { key, from }, _) => {
                Err(CommitError::NotHeld { key: key.clone(), run: *from })
            }
        }
    }
}

fn fits(run: RunId, what: &str, len: usize) -> Result<(), CommitError> {
    let len = len + ROW_OVERHEAD;
    if len <= RECORD_LEN { Ok(()) } else { Err(CommitError::TooLarge { run, what: what.to_owned(), len }) }
}
