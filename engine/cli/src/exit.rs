//! What the exit codes mean. They are public and stay as they are: scripts rely on them.

use std::process::ExitCode;

use engine_core::event::CancelCause;
use engine_core::state::{State, Status};

/// What became of it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Outcome {
    /// 0: the run completed; of any other verb, it did what it was asked for.
    Completed,
    /// 1: a step failed and nothing had to be undone, or not all could be.
    Failed,
    /// 2: bad usage, file or input. Nothing was stored.
    BadInput,
    /// 3: nothing there: no such run, nothing to recover, no data directory.
    NothingThere,
    /// 4: a step failed, and all that may have happened was undone.
    Compensated,
    /// 5: the run was cancelled.
    Cancelled,
    /// 6: the run was cancelled by its own timeout.
    TimedOut,
    /// 7: the run waits for an operator.
    Stuck,
    /// 8: the data directory can't be used; the message says what to do.
    DirectoryUnusable,
    /// 9: interrupted; the run is still open.
    Interrupted,
}

impl Outcome {
    /// All of them, by code.
    pub const ALL: [Self; 10] = [
        Self::Completed,
        Self::Failed,
        Self::BadInput,
        Self::NothingThere,
        Self::Compensated,
        Self::Cancelled,
        Self::TimedOut,
        Self::Stuck,
        Self::DirectoryUnusable,
        Self::Interrupted,
    ];

    /// The exit code.
    pub fn code(self) -> u8 {
        match self {
            Self::Completed => 0,
            Self::Failed => 1,
            Self::BadInput => 2,
            Self::NothingThere => 3,
            Self::Compensated => 4,
            Self::Cancelled => 5,
            Self::TimedOut => 6,
            Self::Stuck => 7,
            Self::DirectoryUnusable => 8,
            Self::Interrupted => 9,
        }
    }

    /// What it means, in a few words.
    pub fn meaning(self) -> &'static str {
        match self {
            Self::Completed => "Completed",
            Self::Failed => "Failed",
            Self::BadInput => "bad usage, file or input, or refused; nothing was changed",
            Self::NothingThere => "nothing there: no such run, nothing to recover",
            Self::Compensated => "Compensated: it failed and was undone",
            Self::Cancelled => "Cancelled",
            Self::TimedOut => "Cancelled by the run's timeout",
            Self::Stuck => "Stuck: it waits for an operator",
            Self::DirectoryUnusable => "the data directory can't be used",
            Self::Interrupted => "interrupted; the run is still open",
        }
    }

    /// The outcome of a run that has ended, is stuck, or is left open.
    pub fn of(state: &State) -> Self {
        match state.status() {
            Status::Completed => Self::Completed,
            Status::Compensated => Self::Compensated,
            Status::Failed => Self::Failed,
            Status::Cancelled => match state.end.as_ref().and_then(|end| end.cancelled) {
                Some(CancelCause::Timeout) => Self::TimedOut,
                Some(CancelCause::Cancelled | CancelCause::Terminated) | None => Self::Cancelled,
            },
            Status::Stuck => Self::Stuck,
            Status::Pending | Status::Running | Status::Waiting | Status::Paused | Status::Compensating => {
                Self::Interrupted
            }
        }
    }

    /// The worse of two outcomes, where several runs were driven. An interruption stands above all, then what could
    /// not be read, then 7, 6, 5, 1, 4, 0.
    pub fn worse(self, other: Self) -> Self {
        if other.badness() > self.badness() { other } else { self }
    }

    fn badness(self) -> u8 {
        match self {
            Self::Completed => 0,
            Self::Compensated => 1,
            Self::Failed => 2,
            Self::Cancelled => 3,
            Self::TimedOut => 4,
            Self::Stuck => 5,
            Self::NothingThere => 6,
            Self::BadInput => 7,
            Self::DirectoryUnusable => 8,
            Self::Interrupted => 9,
        }
    }
}

impl From<Outcome> for ExitCode {
    fn from(outcome: Outcome) -> Self {
        Self::from(outcome.code())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_what_scripts_rely_on() {
        for (code, outcome) in (0..).zip(Outcome::ALL) {
            assert_eq!(outcome.code(), code);
        }
        assert_eq!(Outcome::TimedOut.code(), 6);
        assert_eq!(Outcome::Stuck.code(), 7);
    }

    #[test]
    fn the_worst_outcome_wins() {
        let codes = [7, 6, 5, 1, 4, 0];
        let ordered: Vec<Outcome> =
            codes.iter().map(|code| Outcome::ALL.into_iter().find(|known| known.code() == *code).unwrap()).collect();
        for pair in ordered.windows(2) {
            let [worse, better] = pair else { unreachable!() };
            assert_eq!(worse.worse(*better), *worse);
            assert_eq!(better.worse(*worse), *worse);
        }
        assert_eq!(Outcome::Stuck.worse(Outcome::Interrupted), Outcome::Interrupted);
    }
}
