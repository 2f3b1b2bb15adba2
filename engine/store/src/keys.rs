//! The keys of an ordered key-value store: every row in one key space, told apart by the first byte.
//!
//! Keys sort as what they stand for: numbers are big-endian, run ids by the time of their start. Where a text is not
//! the last part of a key it ends in a zero byte.
//!
//! The spaces are ordered by the size of their rows. A tree keeps neighbours on one page and writes pages as a
//! whole, so [`Space::State`], which every commit writes, must not lie beside histories.

use engine_core::id::{Name, RunId, Seq, Side};
use engine_core::time::Timestamp;

use crate::row::{Class, TimerClock, TimerKey};

/// What a key leads to: its first byte.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u8)]
pub enum Space {
    /// How far the store is: one row.
    State = 0x01,
    /// Workflow name → digest of its current definition.
    Current = 0x10,
    /// Unique key → who holds it.
    Claim = 0x20,
    /// Run, unique key: which keys a run holds.
    ClaimOf = 0x21,
    /// Class, run: the runs of a class, oldest first.
    Class = 0x30,
    /// Run: runs that are deleted, of whose events some are still to be removed.
    Gone = 0x38,
    /// Clock, due time, run, timer: timers in the order of their due times.
    Timer = 0x40,
    /// Run, timer: when a timer of a run is due.
    TimerOf = 0x41,
    /// Run, request id → arrival number.
    InboxId = 0x50,
    /// Run, name: marks.
    Mark = 0x60,
    /// Run: index rows, oldest first.
    Index = 0x70,
    /// Run, arrival number: inbox rows in the order of arrival.
    Inbox = 0x78,
    /// Run, position of its first event: records of events.
    Events = 0x80,
}

/// A key being put together.
struct Key(Vec<u8>);

impl Key {
    fn new(space: Space) -> Self {
        let mut bytes = Vec::with_capacity(40);
        bytes.push(space as u8);
        Self(bytes)
    }

    fn byte(mut self, byte: u8) -> Self {
        self.0.push(byte);
        self
    }

    fn bytes(mut self, bytes: &[u8]) -> Self {
        self.0.extend_from_slice(bytes);
        self
    }

    fn run(self, run: RunId) -> Self {
        self.bytes(run.as_bytes())
    }

    fn number(self, number: u64) -> Self {
        self.bytes(&number.to_be_bytes())
    }

    fn timer(self, timer: &TimerKey) -> Self {
        match timer {
            TimerKey::Retry(step, side) => self.byte(0).name(step).byte(match side {
                Side::Forward => 0,
                Side::Compensation => 1,
            }),
            TimerKey::RunTimeout => self.byte(1),
        }
    }

    fn name(self, name: &Name) -> Self {
        self.bytes(name.as_str().as_bytes()).byte(0)
    }
}

/// The first byte of a space: where it begins.
pub fn space(space: Space) -> Vec<u8> {
    Key::new(space).0
}

/// The row that says how far the store is.
pub fn state() -> Vec<u8> {
    space(Space::State)
}

/// The current definition of a workflow.
pub fn current(workflow: &str) -> Vec<u8> {
    Key::new(Space::Current).bytes(workflow.as_bytes()).0
}

/// Who holds a unique key.
pub fn claim(key: &str) -> Vec<u8> {
    Key::new(Space::Claim).bytes(key.as_bytes()).0
}

/// That a run holds a unique key.
pub fn claim_of(run: RunId, key: &str) -> Vec<u8> {
    Key::new(Space::ClaimOf).run(run).bytes(key.as_bytes()).0
}

/// The runs of a class.
pub fn class(class: Class) -> Vec<u8> {
    Key::new(Space::Class).byte(class_byte(class)).0
}

/// A run in its class.
pub fn class_run(class: Class, run: RunId) -> Vec<u8> {
    Key::new(Space::Class).byte(class_byte(class)).run(run).0
}

fn class_byte(class: Class) -> u8 {
    match class {
        Class::InFlight => 0,
        Class::Dormant => 1,
        Class::Paused => 2,
        Class::Stuck => 3,
        Class::Ended => 4,
    }
}

/// That a run is deleted, although some of its events are still there.
pub fn gone(run: RunId) -> Vec<u8> {
    of_run(Space::Gone, run)
}

/// The timers of a clock.
pub fn timers(clock: TimerClock) -> Vec<u8> {
    let byte = match clock {
        TimerClock::Engine => 0,
        TimerClock::Wall => 1,
    };
    Key::new(Space::Timer).byte(byte).0
}

/// The timers of a clock that are due at this time or later.
pub fn timers_from(clock: TimerClock, due: Timestamp) -> Vec<u8> {
    Key(timers(clock)).number(due.millis()).0
}

/// A timer in the order of due times.
pub fn timer(clock: TimerClock, due: Timestamp, run: RunId, timer: &TimerKey) -> Vec<u8> {
    Key(timers_from(clock, due)).run(run).timer(timer).0
}

/// A timer of a run.
pub fn timer_of(run: RunId, timer: &TimerKey) -> Vec<u8> {
    Key::new(Space::TimerOf).run(run).timer(timer).0
}

/// An inbox row by its request id.
pub fn inbox_id(run: RunId, request_id: &str) -> Vec<u8> {
    Key::new(Space::InboxId).run(run).bytes(request_id.as_bytes()).0
}

/// An inbox row.
pub fn inbox(run: RunId, arrival: u64) -> Vec<u8> {
    Key::new(Space::Inbox).run(run).number(arrival).0
}

/// A mark.
pub fn mark(run: RunId, name: &str) -> Vec<u8> {
    Key::new(Space::Mark).run(run).bytes(name.as_bytes()).0
}

/// A run's index row.
pub fn index(run: RunId) -> Vec<u8> {
    of_run(Space::Index, run)
}

/// A record of events, by its first one.
pub fn events(run: RunId, first: Seq) -> Vec<u8> {
    Key::new(Space::Events).run(run).number(first.0).0
}

/// The keys of a space that belong to a run.
pub fn of_run(space: Space, run: RunId) -> Vec<u8> {
    Key::new(space).run(run).0
}

/// The run that stands after `skip` bytes of a key.
pub fn run_at(key: &[u8], skip: usize) -> Option<RunId> {
    let bytes = key.get(skip..)?.first_chunk::<16>()?;
    Some(RunId::from_bytes(*bytes))
}

/// The first key after all those that begin with `prefix`; none where there is no such key.
pub fn after(prefix: &[u8]) -> Option<Vec<u8>> {
    let mut end = prefix.to_vec();
    while let Some(last) = end.pop() {
        if let Some(next) = last.checked_add(1) {
            end.push(next);
            return Some(end);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_sort_as_what_they_stand_for() {
        let run = |byte| RunId::from_bytes([byte; 16]);
        let at = Timestamp::from_millis;
        let retry = |step: &str, side| TimerKey::Retry(Name::new(step), side);
        let mut timers = Vec::new();
        for due in [at(0), at(255), at(256), at(u64::MAX)] {
            for run in [run(0), run(1), run(255)] {
                for name in [retry("a", Side::Forward), retry("ab", Side::Compensation), TimerKey::RunTimeout] {
                    timers.push((due, run, name));
                }
            }
        }
        assert!(timers.is_sorted());
        let keys: Vec<_> = timers.iter().map(|(due, run, name)| timer(TimerClock::Engine, *due, *run, name)).collect();
        assert!(keys.is_sorted());
        assert!(events(run(1), Seq(255)) < events(run(1), Seq(256)));
        assert!(events(run(1), Seq(u64::MAX)) < events(run(2), Seq(0)));
    }

    #[test]
    fn the_end_of_a_prefix_is_just_after_it() {
        assert_eq!(after(&[1, 2]), Some(vec![1, 3]));
        assert_eq!(after(&[1, 255]), Some(vec![2]));
        assert_eq!(after(&[255, 255]), None);
    }
}
