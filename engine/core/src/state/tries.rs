//! The attempts of one side of a step.

use std::time::Duration;

use crate::id::Seq;
use crate::time::Timestamp;

/// What one side of a step is doing.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Activity {
    /// Nothing: it has not begun, or it ended.
    Idle,
    /// An attempt is in flight.
    InFlight,
    /// It waits for its next attempt.
    BackingOff {
        /// When that is due.
        due: Timestamp,
    },
    /// Its attempt is not sent yet: it is once the run as a whole is neither stuck nor paused.
    Parked,
    /// It waits for an operator.
    Stuck,
}

/// The attempts of one side of a step.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Tries {
    /// The number of the latest attempt; 0 where none was made.
    pub attempt: u32,
    /// Failures that count against `max_attempts`.
    pub failures: u32,
    /// How long attempts and the delays between them took together; downtime does not count.
    pub spent: Duration,
    /// When the latest attempt began.
    pub since: Timestamp,
    /// The event that holds the rendered call.
    pub call: Option<Seq>,
    /// The event that holds what an attempt noted last of how far it is.
    pub checkpoint: Option<Seq>,
    /// Which of the idempotency keys is in use.
    pub epoch: u32,
}

impl Tries {
    pub(super) const NONE: Self = Self {
        attempt: 0,
        failures: 0,
        spent: Duration::ZERO,
        since: Timestamp::from_millis(0),
        call: None,
        checkpoint: None,
        epoch: 0,
    };

    /// The first attempt of a newly rendered call begins; under the next key where an operator asked for it, who may
    /// only where the calls before provably did nothing.
    pub(super) fn begin(&mut self, call: Seq, at: Timestamp, afresh: bool) {
        let epoch = self.epoch.saturating_add(u32::from(afresh));
        *self = Self { attempt: self.attempt.saturating_add(1), call: Some(call), since: at, epoch, ..Self::NONE };
    }

    /// A further attempt begins; with a fresh budget where an operator asked for it.
    pub(super) fn again(&mut self, attempt: u32, at: Timestamp, afresh: bool) {
        if afresh {
            *self = Self { call: self.call, checkpoint: self.checkpoint, epoch: self.epoch, ..Self::NONE };
        }
        self.attempt = attempt;
        self.since = at;
    }

    /// The latest attempt failed and another follows after `delay`.
    pub(super) fn failed(&mut self, count: u32, at: Timestamp, delay: Duration) {
        self.failures = self.failures.saturating_add(count);
        self.spent = self.spent.saturating_add(at.since(self.since)).saturating_add(delay);
    }
}
