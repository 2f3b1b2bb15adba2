//! Going backward: what may have happened is undone, in reverse order.

use crate::definition::{CallRule, Step, StepIndex};
use crate::event::{Event, TriedAndFailed};
use crate::expression::Value;
use crate::failure::{Effect, Failure};
use crate::id::{Name, Side};
use crate::machine::call::{call_templates, render_call};
use crate::machine::document::{Document, Reads, forward_document};
use crate::machine::ending::Phase;
use crate::machine::judge::judge_compensation;
use crate::machine::retry::{self, Retried};
use crate::machine::{AttemptOutcome, Machine, Needs};

impl Machine {
    /// Begins the compensations that nothing holds back any more. True where there were any.
    pub(super) fn begin_ready_compensations(&mut self) -> Result<bool, Needs> {
        let mut began = false;
        while let Phase::Forward | Phase::Stopping | Phase::Backward = self.phase() {
            let Some(index) = self.order.next_to_undo() else { break };
            self.begin_compensation(index)?;
            began = true;
        }
        Ok(began)
    }

    /// Renders the compensation of a step and begins it.
    pub(super) fn begin_compensation(&mut self, index: StepIndex) -> Result<(), Needs> {
        let definition = self.definition.clone();
        let step = definition.step(index);
        let Some(compensate) = &step.compensate else { return Ok(()) };
        let call = compensate.call_for(self.state.step(&step.name).effect);
        let document = self.compensation_document(step, call)?;
        let step = step.name.clone();
        match render_call(&call.template, &document) {
            Ok(call) => self.emit(Event::CompensationStarted { step, call }),
            Err(failure) => self.compensation_failed(step, 0, failure, Effect::None),
        }
        Ok(())
    }

    /// What the expressions of a compensation read.
    pub(super) fn compensation_document(&self, step: &Step, call: &CallRule) -> Result<Value, Needs> {
        let effect = self.state.step(&step.name).effect;
        let forward = || {
            let key = self.key(&step.name, Side::Forward);
            forward_document(key.as_str().unwrap_or_default(), effect)
        };
        Document::new(self.data(), Reads::default().templates(call_templates(&call.template)))
            .own_step(&step.name)
            .with("key", || self.key(&step.name, Side::Compensation))
            .with("forward", forward)
            .build()
    }

    /// An attempt to undo a step ended.
    pub(super) fn compensation_attempt_ended(&mut self, step: &Name, attempt: u32, outcome: &AttemptOutcome) {
        let definition = self.definition.clone();
        let rule = definition.find(step.as_str()).and_then(|index| definition.step(index).compensate.as_ref());
        let Some(compensate) = rule.filter(|_| self.in_flight(step, Side::Compensation, attempt)) else { return };
        let state = self.state.step(step);
        let call = compensate.call_for(state.effect);
        let tries = &state.undo.tries;
        let (step, started_at) = (step.clone(), tries.since);
        let verdict = match judge_compensation(call, state.effect, outcome) {
            Ok(status) => {
                self.emit(Event::CompensationCompleted { step, attempt, started_at, status });
                return;
            }
            Err(verdict) => verdict,
        };
        let effect = verdict.effect_after(state.undo.effect);
        let moment = retry::Moment { now: self.now, unlimited: false, seed: (self.state.run, &step, attempt) };
        match retry::next(&call.retry, tries, &verdict.retry, &moment) {
            Some(Retried { delay, count }) => self.emit(Event::CompensationAttemptFailed(TriedAndFailed {
                step,
                attempt,
                started_at,
                failure: verdict.failure,
                effect,
                count,
                delay,
                due: self.now.after(delay),
            })),
            None => self.compensation_failed(step, attempt, verdict.failure, effect),
        }
    }

    /// A step could not be undone: it waits for an operator.
    pub(super) fn compensation_failed(&mut self, step: Name, attempt: u32, failure: Failure, effect: Effect) {
        let started_at = if attempt == 0 { self.now } else { self.state.step(&step).undo.tries.since };
        self.emit(Event::CompensationFailed { step, attempt, started_at, failure, effect });
    }
}
