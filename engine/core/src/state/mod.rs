//! The fold of a history: what is known of a run.
//!
//! Folding needs no definition and evaluates nothing: whatever was decided stands in the events. It keeps small
//! payloads and references to larger ones, so a run that only waits costs little.

mod fold;
mod run;
mod status;
mod step;
mod tries;

use std::collections::BTreeMap;

use crate::event::{Event, Recorded, StopCause, StuckReason};
use crate::failure::StepFailure;
use crate::id::{Digest, Name, RunId, Seq, Side};
use crate::payload::Held;
use crate::request::Answer;
use crate::time::Timestamp;

pub use run::{End, Signal, Stuck};
pub use status::Status;
pub use step::{Forward, StepState, Undo, UndoStatus};
pub use tries::{Activity, Tries};

/// What is known of a run after the events so far.
#[derive(Clone, PartialEq, Debug)]
pub struct State {
    /// The run.
    pub run: RunId,
    /// The position of its last event.
    pub last: Seq,
    /// When it was started.
    pub started_at: Timestamp,
    /// Its workflow.
    pub workflow: Name,
    /// The version label of its definition.
    pub version: String,
    /// The definition it is bound to.
    pub definition: Digest,
    /// The id that its user gave it.
    pub workflow_id: Option<String>,
    /// Its labels.
    pub labels: Vec<(String, String)>,
    /// Its priority.
    pub priority: i8,
    /// Policy changed for this run only.
    pub overrides: Vec<(String, String)>,
    /// What it works on.
    pub input: Held,
    /// Why it stopped going forward.
    pub stop: Option<StopCause>,
    /// Whether it begins nothing new until it is resumed.
    pub paused: bool,
    /// The id of a cancel that waits for the pivot to settle.
    pub cancel_held: Option<String>,
    /// The signals that no step has waited for yet, oldest first; bounded.
    pub signals: Vec<Signal>,
    /// How many attempts have ended: what the run gets on by.
    pub results: u64,
    /// What it is stuck on as a whole, oldest first.
    pub stuck: Vec<Stuck>,
    /// The failures that the run fails with, the first first; bounded.
    pub failures: Vec<StepFailure>,
    /// The failures that do not matter; bounded.
    pub warnings: Vec<StepFailure>,
    /// Whether the run's timeout was answered.
    pub timeout_answered: bool,
    /// The answers to requests, by request id.
    pub answers: BTreeMap<String, Answer>,
    /// How it ended.
    pub end: Option<End>,
    /// Boxed, because a map has room for eleven in its smallest node, and most runs have fewer steps or touch few.
    steps: BTreeMap<Name, Box<StepState>>,
    tally: Tally,
}

/// How many sides of steps are in which activity.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
struct Tally {
    in_flight: usize,
    waiting: usize,
    parked: usize,
    stuck: usize,
}

/// A history that can't be folded: it is set aside, and the run with it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FoldError {
    /// There are no events at all.
    #[error("the history of run {0} is empty")]
    Empty(RunId),
    /// It does not begin with the start of the run.
    #[error("the history of run {0} does not begin with RunStarted")]
    NoStart(RunId),
    /// An event is missing or doubled.
    #[error("the history of run {run} has event {found} where event {expected} should be")]
    Gap {
        /// The run.
        run: RunId,
        /// The position that should come next.
        expected: Seq,
        /// The position that came.
        found: Seq,
    },
}

static UNTOUCHED: StepState = StepState::UNTOUCHED;

impl State {
    /// The state after these events, which must be a whole history.
    pub fn fold(run: RunId, history: impl IntoIterator<Item = Recorded>) -> Result<Self, FoldError> {
        let mut history = history.into_iter();
        let first = history.next().ok_or(FoldError::Empty(run))?;
        let mut state = Self::begin(run, &first)?;
        for recorded in history {
            if recorded.seq != state.last.next() {
                return Err(FoldError::Gap { run, expected: state.last.next(), found: recorded.seq });
            }
            state.apply(&recorded);
        }
        Ok(state)
    }

    /// The state after the first event.
    pub fn begin(run: RunId, first: &Recorded) -> Result<Self, FoldError> {
        let Event::RunStarted(start) = &first.event else { return Err(FoldError::NoStart(run)) };
        if first.seq != Seq(1) {
            return Err(FoldError::Gap { run, expected: Seq(1), found: first.seq });
        }
        Ok(Self {
            run,
            last: first.seq,
            started_at: first.at,
            workflow: start.workflow.clone(),
            version: start.version.clone(),
            definition: start.definition,
            workflow_id: start.workflow_id.clone(),
            labels: start.labels.clone(),
            priority: start.priority,
            overrides: start.overrides.clone(),
            input: Held::new(first.seq, &start.input),
            stop: None,
            paused: false,
            cancel_held: None,
            signals: Vec::new(),
            results: 0,
            stuck: Vec::new(),
            failures: Vec::new(),
            warnings: Vec::new(),
            timeout_answered: false,
            answers: BTreeMap::new(),
            end: None,
            steps: BTreeMap::new(),
            tally: Tally::default(),
        })
    }

    /// What is known of a step; of one that nothing happened to, that.
    pub fn step(&self, name: &Name) -> &StepState {
        self.steps.get(name).map_or(&UNTOUCHED, |state| state)
    }

    /// The steps that something happened to, by name.
    pub fn steps(&self) -> impl Iterator<Item = (&Name, &StepState)> {
        self.steps.iter().map(|(name, state)| (name, &**state))
    }

    /// What one side of a step is doing.
    pub fn activity(&self, name: &Name, side: Side) -> Activity {
        self.step(name).activity(side)
    }

    /// Whether anything can still happen by itself: an attempt is in flight, or a timer waits.
    pub fn is_moving(&self) -> bool {
        self.tally.in_flight + self.tally.waiting > 0
    }

    /// Whether nothing of it may be sent: the process died whenever it was driven.
    pub fn is_set_aside(&self) -> bool {
        self.stuck.iter().any(|stuck| stuck.reason == StuckReason::Poison)
    }

    /// Whether nothing of it begins: it is paused, or set aside.
    pub fn holds_back(&self) -> bool {
        self.paused || self.is_set_aside()
    }

    /// How many attempts are in flight.
    pub fn in_flight(&self) -> usize {
        self.tally.in_flight
    }

    /// The status that the run is shown with.
    pub fn status(&self) -> Status {
        if let Some(end) = &self.end {
            return end.status;
        }
        if self.paused {
            return Status::Paused;
        }
        let wants_operator = self.tally.stuck > 0 || !self.stuck.is_empty();
        if wants_operator && (!self.is_moving() || self.is_set_aside()) {
            Status::Stuck
        } else if self.stop.is_some() {
            Status::Compensating
        } else if self.tally.in_flight == 0 && self.tally.waiting > 0 {
            Status::Waiting
        } else {
            Status::Running
        }
    }
}
