//! Going forward: ready steps begin, their attempts end.

use crate::definition::{CallRule, Kind, OnUnknown, Otherwise, StepIndex};
use crate::event::{Event, SkipReason, StopCause, TriedAndFailed};
use crate::expression::{Encoding, Value};
use crate::failure::{Effect, Failure};
use crate::id::{IdempotencyKey, Name, Side};
use crate::machine::call::{call_templates, expression_failed, render_call};
use crate::machine::document::{Document, Reads, error_document};
use crate::machine::ending::Phase;
use crate::machine::judge::{Judged, Verdict};
use crate::machine::retry::{self, Retried};
use crate::machine::{AttemptOutcome, Machine, Needs, Slot, TimerKey};
use crate::payload::Payload;
use crate::state::{Activity, Forward};
use crate::time::Timestamp;

/// A failed step, on its way into an event.
pub(super) struct GivenUp {
    pub(super) attempt: u32,
    pub(super) started_at: Timestamp,
    pub(super) failure: Failure,
    pub(super) effect: Effect,
    pub(super) output: Option<Payload>,
}

impl Machine {
    /// Begins the steps that nothing holds back any more. True where there were any.
    pub(super) fn begin_ready_steps(&mut self) -> Result<bool, Needs> {
        let mut began = false;
        loop {
            let after_failure = match self.phase() {
                Phase::Forward => false,
                Phase::After => true,
                Phase::Stopping | Phase::Backward | Phase::Ended => return Ok(began),
            };
            let Some(index) = self.order.next_ready(after_failure, self.definition.steps().len()) else {
                return Ok(began);
            };
            self.begin_step(index)?;
            began = true;
        }
    }

    pub(super) fn begin_step(&mut self, index: StepIndex) -> Result<(), Needs> {
        let definition = self.definition.clone();
        let step = definition.step(index);
        if self.is_skipped_with_dependencies(index) {
            self.emit(Event::StepSkipped { step: step.name.clone(), reason: SkipReason::Dependencies });
            return Ok(());
        }
        let document = self.step_document(index)?;
        match step.when.as_ref().map(|when| (when, when.evaluate(&document))) {
            None => {}
            Some((when, result)) => match result.map(|value| value.as_bool()) {
                Ok(Some(true)) => {}
                Ok(Some(false)) => {
                    self.condition_is_false(index, &document);
                    return Ok(());
                }
                Ok(None) => {
                    let message = format!("`when` must give a boolean: {}", when.source());
                    self.fail_unsent(index, Failure::new("EXPRESSION_FAILED", message));
                    return Ok(());
                }
                Err(error) => {
                    self.fail_unsent(index, expression_failed(&error));
                    return Ok(());
                }
            },
        }
        match &step.kind {
            Kind::Call(call) => match render_call(&call.template, &document) {
                Ok(call) => self.emit(Event::StepScheduled { step: step.name.clone(), call }),
                Err(failure) => self.fail_unsent(index, failure),
            },
            Kind::Value(template) => match template.render(&document) {
                Ok(value) => self.emit(Event::StepCompleted {
                    step: step.name.clone(),
                    attempt: 0,
                    started_at: self.now,
                    status: None,
                    output: Payload::json(value.to_shared()),
                }),
                Err(error) => self.fail_unsent(index, expression_failed(&error)),
            },
        }
        Ok(())
    }

    fn is_skipped_with_dependencies(&self, index: StepIndex) -> bool {
        let step = self.definition.step(index);
        // What an operator left out counts as carried out, with null for its output.
        let is_skipped = |index: &StepIndex| match self.state.step(&self.definition.step(*index).name).forward {
            Forward::Skipped(reason) => reason != SkipReason::Operator,
            Forward::Pending
            | Forward::InFlight
            | Forward::BackingOff { .. }
            | Forward::Parked
            | Forward::Stuck
            | Forward::Done
            | Forward::Failed { .. } => false,
        };
        !step.if_skipped && !step.after.is_empty() && step.after.iter().all(is_skipped)
    }

    /// What the expressions of a step read before anything is sent.
    pub(super) fn step_document(&self, index: StepIndex) -> Result<Value, Needs> {
        let step = self.definition.step(index);
        let mut reads = match &step.kind {
            Kind::Call(call) => Reads::default().templates(call_templates(&call.template)),
            Kind::Value(template) => Reads::default().template(template),
        };
        if let Some(when) = &step.when {
            reads = reads.expression(when);
        }
        if let Otherwise::Fail { message: Some(message), .. } = &step.otherwise {
            reads = reads.template(message);
        }
        let mut document = Document::new(self.data(), reads).with("key", || self.key(&step.name, Side::Forward));
        if self.definition.is_on_failure(index) {
            document = document.with("error", || error_document(&self.state));
        }
        document.build()
    }

    /// The key that the call of this side goes out with, for its expressions.
    pub(super) fn key(&self, step: &Name, side: Side) -> Value {
        let state = self.state.step(step);
        // What is stuck is rendered anew only where it did nothing, and then goes out under the next key.
        let epoch = state.tries(side).epoch.saturating_add(u32::from(state.activity(side) == Activity::Stuck));
        Value::string(IdempotencyKey::derive(self.state.run, step, side, epoch).as_str())
    }

    fn condition_is_false(&mut self, index: StepIndex, document: &Value) {
        let definition = self.definition.clone();
        let step = definition.step(index);
        match &step.otherwise {
            Otherwise::Skip => {
                self.emit(Event::StepSkipped { step: step.name.clone(), reason: SkipReason::Condition });
            }
            Otherwise::Fail { code, message } => {
                let failure = match message.as_ref().map(|message| message.render_text(document, Encoding::Plain)) {
                    None => Failure::new(code, format!("the condition of step `{}` does not hold", step.name)),
                    Some(Ok(message)) => Failure::new(code, message),
                    Some(Err(error)) => expression_failed(&error),
                };
                self.fail_unsent(index, failure);
            }
        }
    }

    /// The step fails before anything was sent.
    pub(super) fn fail_unsent(&mut self, index: StepIndex, failure: Failure) {
        let (attempt, started_at, effect) = (0, self.now, Effect::None);
        self.give_up(index, GivenUp { attempt, started_at, failure, effect, output: None });
    }

    /// An attempt of a step ended.
    pub(super) fn forward_attempt_ended(
        &mut self,
        name: &Name,
        attempt: u32,
        outcome: &AttemptOutcome,
    ) -> Result<(), Needs> {
        let definition = self.definition.clone();
        let Some(index) = definition.find(name.as_str()) else { return Ok(()) };
        let Some(call) = definition.step(index).call() else { return Ok(()) };
        if !self.in_flight(name, Side::Forward, attempt) {
            return Ok(());
        }
        match self.judge(name, call, outcome)? {
            Judged::Success { status, output } => {
                let started_at = self.state.step(name).tries.since;
                self.emit(Event::StepCompleted { step: name.clone(), attempt, started_at, status, output });
            }
            Judged::Failure(verdict) => self.forward_attempt_failed(index, call, attempt, *verdict),
        }
        Ok(())
    }

    fn forward_attempt_failed(&mut self, index: StepIndex, call: &CallRule, attempt: u32, verdict: Verdict) {
        let name = self.name(index);
        let state = self.state.step(&name);
        let started_at = state.tries.since;
        let effect = verdict.effect_after(state.effect);
        let retried = if self.may_retry(index) {
            let unlimited = self.is_past_pivot(index) && !self.definition.step(index).optional;
            retry::next(
                &call.retry,
                &state.tries,
                &verdict.retry,
                &retry::Moment { now: self.now, unlimited, seed: (self.state.run, &name, attempt) },
            )
        } else {
            None
        };
        let failure = verdict.failure;
        match retried {
            Some(Retried { delay, count }) => self.emit(Event::AttemptFailed(TriedAndFailed {
                step: name,
                attempt,
                started_at,
                failure,
                effect,
                count,
                delay,
                due: self.now.after(delay),
            })),
            None => self.give_up(index, GivenUp { attempt, started_at, failure, effect, output: verdict.output }),
        }
    }

    /// A run that stops makes no attempt again, and one whose history is full neither; its `on_failure` steps do.
    fn may_retry(&self, index: StepIndex) -> bool {
        let full = self.state.last.0 >= crate::bounds::HISTORY_LEN && !self.is_past_pivot(index);
        !self.is_stopping(index) && (!full || self.definition.is_on_failure(index))
    }

    /// Whether this step goes no further because the run has stopped: steps of `on_failure` only begin then.
    pub(super) fn is_stopping(&self, index: StepIndex) -> bool {
        self.state.stop.is_some() && !self.definition.is_on_failure(index)
    }

    /// The step fails for good, or waits for an operator where it may neither fail nor go on.
    pub(super) fn give_up(&mut self, index: StepIndex, given_up: GivenUp) {
        let definition = self.definition.clone();
        let step = definition.step(index);
        let GivenUp { attempt, started_at, failure, effect, output } = given_up;
        let stopping = self.state.stop.is_some();
        let harmless = step.optional || definition.is_on_failure(index);
        let must_wait = !harmless
            && !stopping
            && (self.is_past_pivot(index)
                || (effect == Effect::Unknown && step.on_unknown == OnUnknown::Stuck)
                || (effect != Effect::None && step.pivot));
        let step = step.name.clone();
        if must_wait {
            self.emit(Event::StepStuck { step, attempt, started_at, failure, effect });
            return;
        }
        let fatal = !harmless;
        self.emit(Event::StepFailed { step: step.clone(), attempt, started_at, failure, effect, fatal, output });
        if fatal {
            self.stop_for(step);
        }
    }

    /// A step failed, and the run stops with it; a timeout that is due by now, and perhaps was held, comes first.
    pub(super) fn stop_for(&mut self, step: Name) {
        if self.state.stop.is_some() {
            return;
        }
        self.settle_held_cancel();
        if self.state.stop.is_some() {
            return;
        }
        let timed_out = !self.is_pivot_done() && self.timeout_due().is_some_and(|due| due <= self.now);
        self.stop(if timed_out { StopCause::Timeout } else { StopCause::StepFailed(step) });
    }

    /// The run stops going forward: back-offs end at once, and so do attempts that were not sent and steps that wait
    /// for an operator although they provably did nothing.
    pub(super) fn stop(&mut self, cause: StopCause) {
        self.emit(Event::StopBegan { cause });
        let idle: Vec<StepIndex> = self.order.active().filter(|index| self.is_idle(*index)).collect();
        let waiting: Vec<StepIndex> = self.order.backing_off().collect();
        for index in waiting.into_iter().chain(idle) {
            self.withdraw(index);
        }
    }

    /// Whether nothing is to be awaited of an active step.
    fn is_idle(&self, index: StepIndex) -> bool {
        let name = self.name(index);
        let state = self.state.step(&name);
        match state.forward {
            Forward::Parked => true,
            Forward::Stuck => state.effect == Effect::None,
            Forward::InFlight => {
                // An attempt that begins in this very turn has not been sent.
                !self.is_handed_out(&Slot::Step(name, Side::Forward))
            }
            Forward::Pending
            | Forward::BackingOff { .. }
            | Forward::Done
            | Forward::Skipped(_)
            | Forward::Failed { .. } => false,
        }
    }

    /// The step fails because the run stopped before its next attempt was sent.
    pub(super) fn withdraw(&mut self, index: StepIndex) {
        let state = self.state.step(&self.name(index));
        let withdrawn = || Failure::new("WITHDRAWN", "the run stopped before the attempt was sent");
        let given_up = GivenUp {
            attempt: state.tries.attempt,
            started_at: state.tries.since,
            failure: state.failure.clone().unwrap_or_else(withdrawn),
            effect: state.effect,
            output: None,
        };
        self.give_up(index, given_up);
    }

    /// Whether the point of no return lies behind this step.
    pub(super) fn is_past_pivot(&self, index: StepIndex) -> bool {
        self.definition.pivot() != Some(index) && !self.definition.is_on_failure(index) && self.is_pivot_done()
    }

    /// A timer is due.
    pub(super) fn timer_fired(&mut self, key: &TimerKey) {
        match key {
            TimerKey::RunTimeout => self.run_timed_out(),
            TimerKey::Retry(step, side) => {
                let state = self.state.step(step);
                let attempt = state.tries(*side).attempt.saturating_add(1);
                if self.state.holds_back() {
                    return;
                }
                if matches!(state.activity(*side), Activity::BackingOff { due } if due <= self.now) {
                    self.emit(Event::AttemptStarted { step: step.clone(), side: *side, attempt });
                }
            }
        }
    }
}
