//! Holds a whole history against the rules, event by event, with a model of its own.

use std::collections::BTreeMap;

use engine_core::event::{CancelCause, Event, Recorded, StopCause};
use engine_core::failure::{Effect, Failure};
use engine_core::id::{Name, Side};
use engine_core::request::Resolution;

use crate::asked::{Asked, Pivot, resolved};
use crate::driver::Scene;
use crate::spec::{Spec, StepSpec};
use crate::world::Ending;

/// Checks everything that a history must keep to.
pub(crate) fn audit(scene: &Scene) {
    let (spec, asked) = (&scene.spec, Asked::new(scene));
    let mut audit = Audit { scene, spec, asked, seen: BTreeMap::new(), stop: None, word: None, over: false };
    for recorded in &scene.history {
        assert!(!audit.over, "{:?} comes after the end", recorded.event);
        audit.take(recorded);
        audit.word = resolved(&recorded.event);
    }
}

struct Audit<'a> {
    scene: &'a Scene,
    spec: &'a Spec,
    asked: Asked<'a>,
    seen: BTreeMap<Name, Seen>,
    stop: Option<StopCause>,
    /// The operator's request that the event before answered.
    word: Option<(Option<Name>, Resolution)>,
    over: bool,
}

#[derive(Clone, Debug)]
struct Seen {
    forward: Forward,
    effect: Effect,
    undo: Undo,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Forward {
    Pending,
    Active,
    Stuck,
    Done,
    Skipped,
    Failed,
    FailedFatally,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Undo {
    NotBegun,
    Active,
    Stuck,
    Undone,
    GivenUp,
}

const UNSEEN: Seen = Seen { forward: Forward::Pending, effect: Effect::None, undo: Undo::NotBegun };

impl Audit<'_> {
    fn seen(&self, index: usize) -> Seen {
        self.seen.get(&self.spec.steps[index].name).cloned().unwrap_or(UNSEEN)
    }

    fn of(&mut self, name: &Name) -> &mut Seen {
        self.seen.entry(name.clone()).or_insert(UNSEEN)
    }

    fn place(&self, name: &Name) -> usize {
        self.spec.steps.iter().position(|step| step.name == *name).unwrap()
    }

    fn needs_undo(&self, index: usize) -> bool {
        let seen = self.seen(index);
        let ended = matches!(seen.forward, Forward::Done | Forward::Skipped | Forward::Failed | Forward::FailedFatally);
        self.spec.steps[index].undone.is_some() && ended && seen.effect != Effect::None
    }

    fn undo_is_over(&self, index: usize) -> bool {
        !self.needs_undo(index) || matches!(self.seen(index).undo, Undo::Undone | Undo::GivenUp)
    }

    fn has_settled(&self, index: usize) -> bool {
        match self.seen(index).forward {
            Forward::Done | Forward::Skipped => true,
            Forward::Failed => self.undo_is_over(index),
            Forward::Pending | Forward::Active | Forward::Stuck | Forward::FailedFatally => false,
        }
    }

    fn is_pivot_passed(&self) -> bool {
        self.spec.pivot.is_some_and(|pivot| {
            let seen = self.seen(pivot);
            seen.forward == Forward::Done || (seen.forward == Forward::Skipped && seen.effect != Effect::None)
        })
    }

    fn is_forward_active(&self) -> bool {
        (0..self.spec.main).any(|step| matches!(self.seen(step).forward, Forward::Active | Forward::Stuck))
    }

    fn was_told(&self, name: &Name, action: Resolution) -> bool {
        self.word == Some((Some(name.clone()), action))
    }

    fn pivot(&self) -> Pivot {
        let seen = self.spec.pivot.map_or(UNSEEN, |pivot| self.seen(pivot));
        Pivot { passed: self.is_pivot_passed(), stuck: seen.forward == Forward::Stuck, effect: seen.effect }
    }

    /// What was done to this step was asked for, by the event before.
    fn is_told(&self, event: &Event) -> bool {
        let [name] = event.steps()[..] else { return false };
        matches!(&self.word, Some((Some(told), _)) if told == name)
    }

    fn take(&mut self, recorded: &Recorded) {
        if let Event::StepFailed { step, failure, effect, .. } = &recorded.event
            && failure.code == "ABANDONED"
        {
            let known = self.of(step).effect;
            let expected = self.asked.abandoned(step, recorded, known);
            assert_eq!(*effect, expected, "what {step} did when the run was terminated");
            self.of(step).effect = *effect;
        }
        let told = self.is_told(&recorded.event);
        self.asked.take(recorded, self.pivot(), told);
        match &recorded.event {
            Event::RunStarted(_)
            | Event::RequestAnswered { .. }
            | Event::RequestSettled { .. }
            | Event::RunStuck { .. }
            | Event::RunUnstuck
            | Event::StepCarried { .. } => {}
            Event::StopBegan { cause } => self.stops(cause),
            Event::RecoveryNoted { cut_off } => {
                for (name, side) in cut_off {
                    if *side == Side::Forward && self.of(name).effect == Effect::None {
                        self.of(name).effect = Effect::Unknown;
                    }
                }
            }
            Event::RunCompleted { .. }
            | Event::RunCompensated { .. }
            | Event::RunFailed { .. }
            | Event::RunCancelled { .. } => self.ends(&recorded.event),
            Event::StepScheduled { step, .. } => {
                if self.was_told(step, Resolution::Retry) {
                    assert_eq!(self.of(step).effect, Effect::None, "{step} is rendered anew");
                } else {
                    self.begins(step);
                }
                self.of(step).forward = Forward::Active;
            }
            Event::AttemptStarted { step, side: Side::Forward, .. } => {
                let told = self.was_told(step, Resolution::Retry);
                let own = self.place(step) < self.spec.main;
                assert!(!own || self.stop.is_none() || told, "{step} is tried again after the stop");
                self.of(step).forward = Forward::Active;
            }
            Event::AttemptStarted { step, side: Side::Compensation, .. } => self.of(step).undo = Undo::Active,
            Event::StepCheckpointed { step, side, .. } => {
                let seen = self.of(step);
                let flies = match side {
                    Side::Forward => seen.forward == Forward::Active,
                    Side::Compensation => seen.undo == Undo::Active,
                };
                assert!(flies, "{step} notes how far it is, and nobody waits for it");
            }
            Event::AttemptFailed(failed) => self.has_effect(&failed.step, failed.attempt, failed.effect),
            Event::StepStuck { step, attempt, effect, .. } => {
                self.begins_if_pending(step);
                self.has_effect(step, *attempt, *effect);
                self.is_stuck_rightly(step);
                self.of(step).forward = Forward::Stuck;
            }
            Event::StepCompleted { step, attempt, .. } => {
                self.begins_if_pending(step);
                let ending = self.scene.endings.get(&(step.clone(), Side::Forward, *attempt));
                assert!(*attempt == 0 || ending == Some(&Ending::Success), "{step} was not carried out");
                *self.of(step) = Seen { forward: Forward::Done, effect: Effect::Done, undo: Undo::NotBegun };
            }
            Event::StepFailed { step, attempt, failure, effect, fatal, .. } => {
                self.fails(step, *attempt, failure, *effect, *fatal);
            }
            Event::StepSkipped { step, .. } => {
                self.begins_if_pending(step);
                self.of(step).forward = Forward::Skipped;
            }
            Event::CompensationStarted { step, .. } => {
                self.is_undone_in_order(step);
                self.of(step).undo = Undo::Active;
            }
            Event::CompensationAttemptFailed(failed) => assert_eq!(self.of(&failed.step).undo, Undo::Active),
            Event::CompensationCompleted { step, attempt, .. } => {
                let told = self.was_told(step, Resolution::Done);
                let ending = self.scene.endings.get(&(step.clone(), Side::Compensation, *attempt));
                let effect = self.of(step).effect;
                assert!(ending.is_none_or(|ending| ending.undoes(effect)), "{step} was not undone: {ending:?}");
                let undo = &mut self.of(step).undo;
                assert_eq!(*undo, if *attempt == 0 { Undo::Stuck } else { Undo::Active });
                assert_eq!(told, *attempt == 0);
                *undo = Undo::Undone;
            }
            Event::CompensationFailed { step, attempt, .. } => {
                if *attempt == 0 {
                    self.is_undone_in_order(step);
                }
                self.of(step).undo = Undo::Stuck;
            }
            Event::CompensationSkipped { step } => {
                assert!(self.was_told(step, Resolution::Skip));
                self.of(step).undo = Undo::GivenUp;
            }
        }
    }

    fn stops(&mut self, cause: &StopCause) {
        assert!(self.stop.is_none(), "a run stops once");
        if self.is_pivot_passed() {
            let StopCause::StepFailed(name) = cause else { panic!("{cause:?} after the pivot") };
            let last = self.scene.history.iter().rev().find_map(|recorded| match &recorded.event {
                Event::StepFailed { step, failure, .. } if step == name => Some(failure.code.clone()),
                _ => None,
            });
            assert_eq!(last.as_deref(), Some("FAILED_BY_OPERATOR"));
        }
        if let (Some(pivot), StopCause::Timeout) = (self.spec.pivot, cause) {
            let pivot = self.seen(pivot);
            let is_open = matches!(pivot.forward, Forward::Active | Forward::Stuck);
            // Between two attempts that did nothing it holds nothing.
            assert!(!is_open || pivot.effect == Effect::None, "the timeout was not held");
        }
        self.stop = Some(cause.clone());
    }

    fn begins_if_pending(&mut self, name: &Name) {
        if self.of(name).forward == Forward::Pending {
            self.begins(name);
        }
    }

    /// A step begins: what it comes after has settled, and the run is where it may.
    fn begins(&mut self, name: &Name) {
        assert_eq!(self.of(name).forward, Forward::Pending, "{name} begins again");
        let index = self.place(name);
        for earlier in &self.spec.steps[index].after {
            assert!(self.has_settled(*earlier), "{name} does not wait for {}", self.spec.steps[*earlier].name);
        }
        if index < self.spec.main {
            assert!(self.stop.is_none(), "{name} begins after the stop");
        } else {
            assert!(self.stop.is_some() && !self.is_forward_active(), "{name} begins too early");
            let undone = (0..self.spec.main).all(|step| self.undo_is_over(step));
            assert!(undone || self.is_pivot_passed(), "{name} begins before all is undone");
        }
    }

    /// The effect is sticky, but for a definite refusal by a service that honours keys.
    fn has_effect(&mut self, name: &Name, attempt: u32, effect: Effect) {
        let before = self.of(name).effect;
        let step = self.spec.step(name);
        let ending = self.scene.endings.get(&(name.clone(), Side::Forward, attempt));
        let says = ending.map(|ending| ending.says(step.idempotent, step.expect));
        let expected = match says {
            Some(says) => {
                let settles = step.idempotent && says.definite;
                let sticks = before == Effect::Unknown && says.effect == Effect::None && !settles;
                let after = if sticks { Effect::Unknown } else { says.effect };
                if before == Effect::Done { before } else { after }
            }
            None => before,
        };
        assert_eq!(effect, expected, "what {name} did in attempt {attempt}, after {before}");
        self.of(name).effect = effect;
    }

    fn is_stuck_rightly(&mut self, name: &Name) {
        let (index, effect) = (self.place(name), self.of(name).effect);
        let step: &StepSpec = &self.spec.steps[index];
        let past = self.is_pivot_passed() && self.spec.is_past_pivot(index);
        let open = (self.spec.pivot == Some(index) && effect != Effect::None)
            || (step.stuck_if_unknown && effect == Effect::Unknown);
        assert!(!step.optional && index < self.spec.main && self.stop.is_none() && (past || open), "{name} is stuck");
    }

    fn fails(&mut self, name: &Name, attempt: u32, failure: &Failure, effect: Effect, fatal: bool) {
        self.begins_if_pending(name);
        let index = self.place(name);
        let step = &self.spec.steps[index];
        assert_eq!(fatal, !step.optional && index < self.spec.main);
        if failure.code == "FAILED_BY_OPERATOR" {
            assert!(self.was_told(name, Resolution::Fail));
            self.of(name).effect = Effect::None;
        } else if failure.code == "ABANDONED" {
            assert!(self.asked.is_terminated());
        } else {
            self.has_effect(name, attempt, effect);
            let pivot = self.spec.pivot == Some(index);
            assert!(!(pivot && effect != Effect::None), "the pivot failed, and what it did is {effect}");
            let past = self.is_pivot_passed() && self.spec.is_past_pivot(index);
            assert!(!fatal || !past || self.stop.is_some(), "{name} failed after the pivot");
        }
        self.of(name).forward = if fatal { Forward::FailedFatally } else { Forward::Failed };
    }

    /// A compensation begins: the step needs it, and those of its dependents are over.
    fn is_undone_in_order(&mut self, name: &Name) {
        let index = self.place(name);
        let seen = self.seen(index);
        assert!(self.needs_undo(index), "{name} did nothing that could be undone");
        let told = self.was_told(name, Resolution::Retry) && seen.undo == Undo::Stuck;
        assert!(seen.undo == Undo::NotBegun || told, "{name} is undone twice");
        let at_once = seen.forward == Forward::Failed;
        if !at_once {
            assert!(self.stop.is_some() && !self.is_forward_active(), "{name} is undone too early");
            assert!(!self.is_pivot_passed(), "{name} is undone after the pivot");
        }
        for later in (0..self.spec.main).filter(|later| self.spec.ancestors(*later).contains(&index)) {
            assert!(self.undo_is_over(later), "{name} is undone before {}", self.spec.steps[later].name);
        }
    }

    /// Steps that should have been undone and were not, in the order of the file.
    fn remains(&self) -> Vec<Name> {
        let in_file_order = self.scene.definition.steps().iter().map(|step| self.place(&step.name));
        let remains = in_file_order.filter(|step| {
            let seen = self.seen(*step);
            self.spec.steps[*step].undone.is_some() && seen.effect != Effect::None && seen.undo != Undo::Undone
        });
        remains.map(|step| self.spec.steps[step].name.clone()).collect()
    }

    /// The table "why the run ended".
    fn ends(&mut self, end: &Event) {
        self.over = true;
        if self.asked.is_terminated() {
            let Event::RunCancelled { cause: CancelCause::Terminated, residue, .. } = end else { panic!("{end:?}") };
            assert_eq!(*residue, self.remains());
            return;
        }
        let own = 0..self.spec.main;
        assert!(!self.is_forward_active());
        let undoing = own.clone().find(|step| matches!(self.seen(*step).undo, Undo::Active | Undo::Stuck));
        assert_eq!(undoing, None, "the run ends while something is being undone");
        let Some(cause) = self.stop.clone() else {
            assert!(own.clone().all(|step| self.has_settled(step)), "the run ends too early");
            assert!(matches!(end, Event::RunCompleted { .. }), "{end:?}");
            return;
        };
        let after = self.spec.main..self.spec.steps.len();
        assert!(after.into_iter().all(|step| self.has_settled(step)), "on_failure has not ended");
        let passed = self.is_pivot_passed();
        assert!(passed || own.clone().all(|step| self.undo_is_over(step)), "not all is undone");
        let remains = self.remains();
        let any_undone = own.clone().any(|step| self.seen(step).undo == Undo::Undone);
        match (cause, end) {
            (StopCause::Timeout, Event::RunCancelled { cause: CancelCause::Timeout, residue, .. })
            | (StopCause::Cancelled, Event::RunCancelled { cause: CancelCause::Cancelled, residue, .. }) => {
                assert_eq!(*residue, remains);
            }
            (StopCause::StepFailed(_), Event::RunCompensated { .. }) => {
                assert!(remains.is_empty() && any_undone && !passed, "Compensated");
            }
            (StopCause::StepFailed(_), Event::RunFailed { residue, .. }) => {
                assert!(!remains.is_empty() || !any_undone || passed, "Failed");
                assert_eq!(*residue, remains);
            }
            (cause, end) => panic!("{end:?} for {cause:?}"),
        }
    }
}
