//! One event more: what each does to the state.

use crate::bounds;
use crate::event::{CancelCause, Event, Recorded, SkipReason, TriedAndFailed};
use crate::failure::{Effect, Failure, StepFailure};
use crate::id::{Name, Side};
use crate::payload::{Held, Payload};
use crate::request::{Answer, RequestKind};
use crate::state::{Activity, End, Forward, Signal, State, Status, StepState, Stuck, Tally, UndoStatus};
use crate::time::Timestamp;

impl State {
    /// Takes in the next event. Total: whatever stands in a history can be folded.
    pub fn apply(&mut self, recorded: &Recorded) {
        let (seq, at) = (recorded.seq, recorded.at);
        self.last = seq;
        self.results += u64::from(recorded.event.is_result());
        let held_back = self.holds_back();
        match &recorded.event {
            // Only ever the first event, which `begin` takes.
            Event::RunStarted(_) => {}
            Event::StopBegan { cause } => self.stop = Some(cause.clone()),
            Event::RunStuck { reason, message, parked } => {
                self.stuck.push(Stuck { reason: *reason, message: message.clone() });
                if let Some((step, side)) = parked {
                    self.touch(step, |state| state.park(*side));
                }
            }
            Event::RunUnstuck => self.unstick(at),
            Event::RecoveryNoted { cut_off } => {
                for (step, side) in cut_off {
                    self.touch(step, |state| state.cut_off(*side, at, held_back));
                }
            }
            Event::RunCompleted { output, residue, .. } => {
                self.end(at, Status::Completed, None, residue);
                if let Some(end) = &mut self.end {
                    end.output = Some(Held::new(seq, output));
                }
            }
            Event::RunCompensated { .. } => self.end(at, Status::Compensated, None, &[]),
            Event::RunFailed { residue, .. } => self.end(at, Status::Failed, None, residue),
            Event::RunCancelled { cause, residue, .. } => self.end(at, Status::Cancelled, Some(*cause), residue),
            Event::StepScheduled { step, .. } => self.touch(step, |state| {
                state.tries.begin(seq, at, state.forward == Forward::Stuck);
                state.forward = if held_back { Forward::Parked } else { Forward::InFlight };
            }),
            Event::AttemptStarted { step, side, attempt } => {
                self.touch(step, |state| state.again(*side, *attempt, at, held_back));
            }
            Event::StepCheckpointed { step, side, .. } => self.touch(step, |state| match side {
                Side::Forward => state.tries.checkpoint = Some(seq),
                Side::Compensation => state.undo.tries.checkpoint = Some(seq),
            }),
            Event::AttemptFailed(failed) => self.touch(&failed.step, |state| state.attempt_failed(failed, at)),
            Event::StepCompleted { step, output, .. } => self.touch(step, |state| {
                state.effect = Effect::Done;
                state.end(Forward::Done, at, Some(Held::new(seq, output)));
            }),
            Event::StepFailed { step, failure, effect, fatal, output, .. } => {
                let output = output.as_ref().map(|output: &Payload| Held::new(seq, output));
                self.touch(step, |state| {
                    state.effect = *effect;
                    state.failure = Some(failure.clone());
                    state.end(Forward::Failed { fatal: *fatal }, at, output);
                });
                self.note_failure(step, failure, *fatal);
            }
            Event::StepSkipped { step, reason } => self.touch(step, |state| state.skip(*reason, at)),
            Event::StepStuck { step, failure, effect, .. } => self.touch(step, |state| {
                state.effect = *effect;
                state.failure = Some(failure.clone());
                state.forward = Forward::Stuck;
            }),
            Event::RequestAnswered { id, kind, payload, answer, .. } => {
                self.note_answer(id, kind, answer);
                self.follow_request(recorded, kind, payload.as_ref(), answer);
            }
            Event::RequestSettled { .. } => self.cancel_held = None,
            Event::StepCarried { step, output } => self.touch(step, |state| {
                state.end(Forward::Done, at, Some(Held::new(seq, output)));
            }),
            Event::CompensationStarted { step, .. } => self.touch(step, |state| {
                state.undo.tries.begin(seq, at, state.undo.status == UndoStatus::Stuck);
                state.undo.status = if held_back { UndoStatus::Parked } else { UndoStatus::InFlight };
            }),
            Event::CompensationAttemptFailed(failed) => {
                self.touch(&failed.step, |state| state.undo_attempt_failed(failed, at));
            }
            Event::CompensationCompleted { step, .. } => {
                self.touch(step, |state| state.undo.status = UndoStatus::Undone);
            }
            Event::CompensationFailed { step, failure, effect, .. } => self.touch(step, |state| {
                state.undo.effect = *effect;
                state.undo.failure = Some(failure.clone());
                state.undo.status = UndoStatus::Stuck;
            }),
            Event::CompensationSkipped { step } => self.touch(step, |state| state.undo.status = UndoStatus::Skipped),
        }
    }

    /// Changes one step and keeps the tally of what steps are doing.
    fn touch(&mut self, step: &Name, change: impl FnOnce(&mut StepState)) {
        let state = match self.steps.get_mut(step) {
            Some(state) => state,
            None => self.steps.entry(step.clone()).or_insert_with(|| Box::new(StepState::UNTOUCHED)),
        };
        self.tally.remove(state);
        change(state);
        self.tally.add(state);
    }

    fn unstick(&mut self, at: Timestamp) {
        self.stuck.clear();
        self.unpark(at);
    }

    /// What was not sent is in flight again, once the run is neither paused nor stuck as a whole.
    fn unpark(&mut self, at: Timestamp) {
        if self.tally.parked == 0 || self.paused || !self.stuck.is_empty() {
            return;
        }
        for state in self.steps.values_mut() {
            self.tally.remove(state);
            state.unpark(at);
            self.tally.add(state);
        }
    }

    fn end(&mut self, at: Timestamp, status: Status, cancelled: Option<CancelCause>, residue: &[Name]) {
        self.end = Some(End { status, at, cancelled, output: None, residue: residue.to_vec() });
    }

    fn note_failure(&mut self, step: &Name, failure: &Failure, fatal: bool) {
        let list = if fatal { &mut self.failures } else { &mut self.warnings };
        if list.len() < bounds::LISTED_FAILURES {
            list.push(StepFailure { step: step.clone(), failure: failure.clone() });
        }
    }

    fn note_answer(&mut self, id: &str, kind: &RequestKind, answer: &Answer) {
        match kind {
            // The engine's own request: its id must not stand in the way of somebody else's.
            RequestKind::Timeout => self.timeout_answered = true,
            RequestKind::Resolve { .. }
            | RequestKind::Signal { .. }
            | RequestKind::Cancel { .. }
            | RequestKind::Terminate { .. }
            | RequestKind::Pause
            | RequestKind::Resume
            | RequestKind::Rerun { .. }
            | RequestKind::Delete => {
                self.answers.entry(id.to_owned()).or_insert_with(|| answer.clone());
            }
        }
    }

    /// What a request changes by itself; the rest stands in the events that come with its answer.
    fn follow_request(&mut self, recorded: &Recorded, kind: &RequestKind, payload: Option<&Payload>, answer: &Answer) {
        match (kind, answer) {
            (RequestKind::Signal { name }, Answer::Accepted) => {
                let payload = payload.map(|payload| Held::new(recorded.seq, payload));
                self.signals.extend(payload.map(|payload| Signal { name: name.clone(), payload }));
            }
            (RequestKind::Pause, Answer::Accepted) => self.paused = true,
            (RequestKind::Resume | RequestKind::Cancel { .. }, Answer::Accepted) => self.resume(recorded.at),
            (RequestKind::Cancel { .. }, Answer::Held) => {
                if let Event::RequestAnswered { id, .. } = &recorded.event {
                    self.cancel_held = Some(id.clone());
                }
                self.resume(recorded.at);
            }
            (
                RequestKind::Timeout
                | RequestKind::Resolve { .. }
                | RequestKind::Signal { .. }
                | RequestKind::Cancel { .. }
                | RequestKind::Terminate { .. }
                | RequestKind::Pause
                | RequestKind::Resume
                | RequestKind::Rerun { .. }
                | RequestKind::Delete,
                Answer::Accepted | Answer::NoOp | Answer::Refused { .. } | Answer::Held,
            ) => {}
        }
    }

    fn resume(&mut self, at: Timestamp) {
        self.paused = false;
        self.unpark(at);
    }
}

impl StepState {
    fn end(&mut self, forward: Forward, at: Timestamp, output: Option<Held>) {
        self.forward = forward;
        self.ended_at = Some(at);
        self.output = output;
    }

    fn skip(&mut self, reason: SkipReason, at: Timestamp) {
        self.end(Forward::Skipped(reason), at, None);
    }

    /// A further attempt begins; of a run that is paused or set aside, it waits.
    fn again(&mut self, side: Side, attempt: u32, at: Timestamp, held_back: bool) {
        match side {
            Side::Forward => {
                self.tries.again(attempt, at, self.forward == Forward::Stuck);
                self.forward = if held_back { Forward::Parked } else { Forward::InFlight };
            }
            Side::Compensation => {
                self.undo.tries.again(attempt, at, self.undo.status == UndoStatus::Stuck);
                self.undo.status = if held_back { UndoStatus::Parked } else { UndoStatus::InFlight };
            }
        }
    }

    fn attempt_failed(&mut self, failed: &TriedAndFailed, at: Timestamp) {
        self.tries.failed(failed.count, at, failed.delay);
        self.effect = failed.effect;
        self.failure = Some(failed.failure.clone());
        self.forward = Forward::BackingOff { due: failed.due };
    }

    fn undo_attempt_failed(&mut self, failed: &TriedAndFailed, at: Timestamp) {
        self.undo.tries.failed(failed.count, at, failed.delay);
        self.undo.effect = failed.effect;
        self.undo.failure = Some(failed.failure.clone());
        self.undo.status = UndoStatus::BackingOff { due: failed.due };
    }

    fn park(&mut self, side: Side) {
        match side {
            Side::Forward => self.forward = Forward::Parked,
            Side::Compensation => self.undo.status = UndoStatus::Parked,
        }
    }

    fn unpark(&mut self, at: Timestamp) {
        if self.forward == Forward::Parked {
            self.again(Side::Forward, self.tries.attempt, at, false);
        }
        if self.undo.status == UndoStatus::Parked {
            self.again(Side::Compensation, self.undo.tries.attempt, at, false);
        }
    }

    /// The attempt in flight was cut off: what it did is unknown, and the next attempt begins.
    fn cut_off(&mut self, side: Side, at: Timestamp, held_back: bool) {
        match side {
            Side::Forward => {
                if self.effect == Effect::None {
                    self.effect = Effect::Unknown;
                }
                self.again(side, self.tries.attempt.saturating_add(1), at, held_back);
            }
            Side::Compensation => {
                self.undo.effect = Effect::Unknown;
                self.again(side, self.undo.tries.attempt.saturating_add(1), at, held_back);
            }
        }
    }
}

impl Tally {
    fn add(&mut self, state: &StepState) {
        self.count(state, |place| *place += 1);
    }

    fn remove(&mut self, state: &StepState) {
        self.count(state, |place| *place -= 1);
    }

    fn count(&mut self, state: &StepState, change: impl Fn(&mut usize)) {
        for side in [Side::Forward, Side::Compensation] {
            match state.activity(side) {
                Activity::Idle => {}
                Activity::InFlight => change(&mut self.in_flight),
                Activity::BackingOff { .. } => change(&mut self.waiting),
                Activity::Parked => change(&mut self.parked),
                Activity::Stuck => change(&mut self.stuck),
            }
        }
    }
}
