//! What requests from outside may do to a run, as the audit sees it: a model of its own.

use std::collections::{BTreeMap, BTreeSet};

use engine_core::event::{CancelCause, Event, Recorded, StopCause, StuckReason};
use engine_core::failure::Effect;
use engine_core::id::{Name, Side};
use engine_core::request::{Answer, RequestKind, Resolution};

use crate::driver::Scene;

/// Where the attempt of one side of a step is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Place {
    /// It began in this turn of the run.
    Flies(usize),
    Parked,
}

/// What must come next.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Due {
    Nothing,
    /// A cancel was accepted: the run stops.
    Stop,
    /// The run was terminated: what is under way is abandoned, and it ends.
    End,
}

/// What was asked of a run so far.
#[expect(clippy::struct_excessive_bools, reason = "any combination is a run")]
pub(crate) struct Asked<'a> {
    scene: &'a Scene,
    places: BTreeMap<(Name, Side), Place>,
    /// Sides that wait for their next attempt.
    waits: BTreeSet<(Name, Side)>,
    paused: bool,
    stuck: bool,
    poisoned: bool,
    stopped: bool,
    held: Option<String>,
    answered: BTreeSet<String>,
    due: Due,
}

/// What the audit knows of the pivot.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Pivot {
    pub(crate) passed: bool,
    pub(crate) stuck: bool,
    pub(crate) effect: Effect,
}

impl<'a> Asked<'a> {
    pub(crate) fn new(scene: &'a Scene) -> Self {
        Self {
            scene,
            places: BTreeMap::new(),
            waits: BTreeSet::new(),
            paused: false,
            stuck: false,
            poisoned: false,
            stopped: false,
            held: None,
            answered: BTreeSet::new(),
            due: Due::Nothing,
        }
    }

    /// Checks the next event; `pivot` as it was before it, `told` whether an operator had this step tried again.
    pub(crate) fn take(&mut self, recorded: &Recorded, pivot: Pivot, told: bool) {
        let event = &recorded.event;
        let turn = self.scene.turns.partition_point(|end| (*end as u64) < recorded.seq.0);
        self.is_due(event, pivot, turn);
        self.begins_nothing_while_held_back(event, told);
        match event {
            Event::RequestAnswered { id, kind, answer, .. } => self.is_answered(id, kind, answer, pivot, turn),
            Event::RequestSettled { id, answer } => self.is_settled(id, answer, pivot),
            Event::StopBegan { .. } => self.stopped = true,
            Event::RunStuck { reason, parked, .. } => {
                self.stuck = true;
                self.poisoned |= *reason == StuckReason::Poison;
                self.places.extend(parked.iter().map(|side| (side.clone(), Place::Parked)));
            }
            Event::RunUnstuck => {
                (self.stuck, self.poisoned) = (false, false);
                self.unpark(turn);
            }
            Event::RecoveryNoted { cut_off } => {
                for side in cut_off {
                    assert!(matches!(self.places.get(side), Some(Place::Flies(_))), "{side:?} was not in flight");
                    self.begins(side.clone(), turn);
                }
            }
            Event::StepScheduled { step, .. } => self.begins((step.clone(), Side::Forward), turn),
            Event::CompensationStarted { step, .. } => self.begins((step.clone(), Side::Compensation), turn),
            Event::AttemptStarted { step, side, .. } => self.begins((step.clone(), *side), turn),
            Event::AttemptFailed(failed) => self.rests((failed.step.clone(), Side::Forward)),
            Event::CompensationAttemptFailed(failed) => self.rests((failed.step.clone(), Side::Compensation)),
            Event::StepCompleted { step, .. }
            | Event::StepFailed { step, .. }
            | Event::StepSkipped { step, .. }
            | Event::StepStuck { step, .. } => self.ends(step, Side::Forward),
            Event::CompensationCompleted { step, .. }
            | Event::CompensationFailed { step, .. }
            | Event::CompensationSkipped { step } => self.ends(step, Side::Compensation),
            Event::RunCompleted { .. }
            | Event::RunCompensated { .. }
            | Event::RunFailed { .. }
            | Event::RunCancelled { .. } => {
                assert_eq!(self.held, None, "a cancel is held for ever");
                assert!(self.places.is_empty() && self.waits.is_empty(), "the run ends over {:?}", self.places);
            }
            Event::StepCheckpointed { step, side, .. } => {
                let place = self.places.get(&(step.clone(), *side));
                assert!(matches!(place, Some(Place::Flies(_))), "{step} is not in flight");
            }
            Event::RunStarted(_) | Event::StepCarried { .. } => {}
        }
    }

    /// What an abandoned attempt did: unknown where it was sent.
    pub(crate) fn abandoned(&self, step: &Name, turn_of: &Recorded, known: Effect) -> Effect {
        let turn = self.scene.turns.partition_point(|end| (*end as u64) < turn_of.seq.0);
        match self.places.get(&(step.clone(), Side::Forward)) {
            Some(Place::Flies(began)) if *began < turn && known != Effect::Done => Effect::Unknown,
            _ => known,
        }
    }

    pub(crate) fn is_terminated(&self) -> bool {
        self.due == Due::End
    }

    fn begins(&mut self, side: (Name, Side), turn: usize) {
        self.waits.remove(&side);
        self.places.insert(side, if self.paused || self.poisoned { Place::Parked } else { Place::Flies(turn) });
    }

    fn rests(&mut self, side: (Name, Side)) {
        self.places.remove(&side);
        self.waits.insert(side);
    }

    fn ends(&mut self, step: &Name, side: Side) {
        self.places.remove(&(step.clone(), side));
        self.waits.remove(&(step.clone(), side));
    }

    fn unpark(&mut self, turn: usize) {
        if !self.paused && !self.stuck {
            let parked = self.places.values_mut().filter(|place| **place == Place::Parked);
            parked.for_each(|place| *place = Place::Flies(turn));
        }
    }

    fn is_due(&mut self, event: &Event, pivot: Pivot, turn: usize) {
        let abandons = match event {
            Event::StepFailed { failure, .. } | Event::CompensationFailed { failure, .. } => {
                failure.code == "ABANDONED"
            }
            _ => false,
        };
        assert!(!abandons || self.due == Due::End, "{event:?} although nobody terminated the run");
        match (self.due, event) {
            (Due::Stop, Event::RunUnstuck)
            | (Due::End, Event::RequestSettled { .. } | Event::RunCancelled { cause: CancelCause::Terminated, .. }) => {
            }
            (Due::Stop, Event::StopBegan { cause: StopCause::Cancelled }) => self.due = Due::Nothing,
            (Due::Stop, other) => panic!("{other:?} after a cancel"),
            (Due::Nothing, Event::StopBegan { cause: StopCause::Cancelled }) => panic!("nobody cancelled"),
            (Due::End, other) => assert!(abandons, "{other:?} after terminate"),
            (Due::Nothing, other) => {
                let settles = matches!(other, Event::RequestSettled { .. });
                let waits = self.held.is_some() && !self.is_open(pivot, turn, true);
                assert_eq!(settles, waits, "{other:?} with a cancel held at {pivot:?}");
                assert!(!is_terminated(other), "nobody terminated the run");
            }
        }
    }

    /// Whether the pivot may have been carried out, or may still be; one that began in this turn, only `if_unsent`.
    fn is_open(&self, pivot: Pivot, turn: usize, if_unsent: bool) -> bool {
        let Some(index) = self.scene.spec.pivot else { return false };
        let side = (self.scene.spec.steps[index].name.clone(), Side::Forward);
        let unknown = pivot.effect != Effect::None && !pivot.passed;
        match self.places.get(&side) {
            Some(Place::Flies(began)) => unknown || if_unsent || *began < turn,
            Some(Place::Parked) => unknown,
            None => unknown && (pivot.stuck || self.waits.contains(&side)),
        }
    }

    fn begins_nothing_while_held_back(&self, event: &Event, told: bool) {
        let begins = match event {
            Event::StepScheduled { .. }
            | Event::AttemptStarted { .. }
            | Event::CompensationStarted { .. }
            | Event::StepSkipped { .. } => true,
            Event::StepCompleted { attempt, .. } | Event::CompensationFailed { attempt, .. } => *attempt == 0,
            _ => false,
        };
        assert!(!begins || told || !(self.paused || self.poisoned), "{event:?} although the run is held back");
    }

    #[expect(clippy::match_same_arms, reason = "it reads as the table")]
    fn is_answered(&mut self, id: &str, kind: &RequestKind, answer: &Answer, pivot: Pivot, turn: usize) {
        let once = *kind == RequestKind::Timeout || self.answered.insert(id.to_owned());
        assert!(once, "{id} is answered twice");
        let expected = match kind {
            RequestKind::Timeout => "PIVOT_DONE",
            RequestKind::Resolve { .. } => return,
            RequestKind::Signal { .. } | RequestKind::Cancel { .. } if self.stopped => "no-op",
            RequestKind::Signal { .. } => "accepted",
            RequestKind::Cancel { .. } if pivot.passed => "PIVOT_DONE",
            RequestKind::Cancel { .. } if !self.is_open(pivot, turn, false) => "accepted",
            RequestKind::Cancel { .. } if self.held.is_some() => "no-op",
            RequestKind::Cancel { .. } => "held",
            RequestKind::Terminate { .. } => "accepted",
            RequestKind::Pause if self.paused => "no-op",
            RequestKind::Resume if !self.paused => "no-op",
            RequestKind::Pause | RequestKind::Resume => "accepted",
            RequestKind::Rerun { .. } | RequestKind::Delete => "OPEN",
        };
        assert_eq!(word(answer), expected, "{kind:?} at {pivot:?}");
        match (kind, expected) {
            (RequestKind::Pause, _) => self.paused = true,
            (RequestKind::Cancel { .. }, "accepted") => self.due = Due::Stop,
            (RequestKind::Cancel { .. }, "held") => self.held = Some(id.to_owned()),
            (RequestKind::Terminate { .. }, _) => self.due = Due::End,
            _ => {}
        }
        let lifts =
            matches!((kind, expected), (RequestKind::Resume, _) | (RequestKind::Cancel { .. }, "accepted" | "held"));
        if lifts {
            self.paused = false;
            self.unpark(turn);
        }
    }

    fn is_settled(&mut self, id: &str, answer: &Answer, pivot: Pivot) {
        assert_eq!(self.held.take().as_deref(), Some(id), "what is settled was not held");
        if self.due == Due::End {
            assert_eq!(word(answer), "ENDED");
        } else if pivot.passed {
            assert_eq!(word(answer), "PIVOT_DONE");
        } else {
            assert_eq!(word(answer), "accepted");
            self.due = Due::Stop;
        }
    }
}

fn is_terminated(event: &Event) -> bool {
    matches!(event, Event::RunCancelled { cause: CancelCause::Terminated, .. })
}

fn word(answer: &Answer) -> &str {
    match answer {
        Answer::Accepted => "accepted",
        Answer::NoOp => "no-op",
        Answer::Held => "held",
        Answer::Refused { code, .. } => code,
    }
}

/// What was asked for and is carried out.
pub(crate) fn accepted(event: &Event) -> Option<&RequestKind> {
    match event {
        Event::RequestAnswered { kind, answer: Answer::Accepted, .. } => Some(kind),
        _ => None,
    }
}

/// The step that an operator spoke of, and the word.
pub(crate) fn resolved(event: &Event) -> Option<(Option<Name>, Resolution)> {
    match accepted(event) {
        Some(RequestKind::Resolve { step, action }) => Some((step.clone(), *action)),
        _ => None,
    }
}

/// The sides of steps that an operator had tried again.
pub(crate) fn retried(events: &[Recorded]) -> Vec<(Name, Side)> {
    let pairs = events.windows(2).filter_map(|pair| {
        let Some((Some(told), Resolution::Retry)) = resolved(&pair[0].event) else { return None };
        let side = match &pair[1].event {
            Event::AttemptStarted { side, .. } => *side,
            Event::StepScheduled { .. } => Side::Forward,
            Event::CompensationStarted { .. } => Side::Compensation,
            _ => return None,
        };
        Some((told, side))
    });
    pairs.collect()
}
