//! The phases of a run, and its end.

use std::sync::Arc;

use crate::event::{CancelCause, Event, StopCause};
use crate::expression::Value;
use crate::failure::{Effect, Failure, StepFailure};
use crate::id::{Name, Seq};
use crate::machine::call::expression_failed;
use crate::machine::document::{Document, Reads};
use crate::machine::{Machine, Needs};
use crate::payload::Payload;
use crate::request::{Answer, RequestKind};
use crate::state::{Forward, UndoStatus};

/// Where a run is on its way.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Phase {
    /// Steps begin as they become ready.
    Forward,
    /// Nothing begins; what is in flight ends.
    Stopping,
    /// What may have happened is undone.
    Backward,
    /// The `on_failure` steps run.
    After,
    /// It is over.
    Ended,
}

impl Machine {
    /// Where the run is on its way: by its state alone.
    pub(super) fn phase(&self) -> Phase {
        if self.state.end.is_some() {
            Phase::Ended
        } else if self.state.stop.is_none() {
            Phase::Forward
        } else if self.order.is_active() || (self.is_pivot_done() && self.order.is_undoing_at_once()) {
            Phase::Stopping
        } else if !self.is_pivot_done() && !self.order.is_undone() {
            Phase::Backward
        } else {
            Phase::After
        }
    }

    /// Goes from one phase to the next where nothing is left to do in it. True where it did.
    pub(super) fn change_phase(&mut self) -> Result<bool, Needs> {
        match self.phase() {
            Phase::Forward if self.order.all_settled() => self.complete().map(|()| true),
            Phase::Backward => Ok(self.order.turn_back(&self.definition, &self.state)),
            Phase::After if self.order.after_settled() => {
                self.end();
                Ok(true)
            }
            Phase::Forward | Phase::Stopping | Phase::After | Phase::Ended => Ok(false),
        }
    }

    /// Whether the run has passed the point of no return. It also has where an operator left the pivot out without
    /// saying that it did not happen.
    pub(super) fn is_pivot_done(&self) -> bool {
        self.definition.pivot().is_some_and(|pivot| {
            let state = self.state.step(&self.definition.step(pivot).name);
            match state.forward {
                Forward::Done => true,
                Forward::Skipped(_) => state.effect != Effect::None,
                Forward::Pending
                | Forward::InFlight
                | Forward::BackingOff { .. }
                | Forward::Parked
                | Forward::Stuck
                | Forward::Failed { .. } => false,
            }
        })
    }

    /// The run's timeout is over: it stops, unless it can only go forward.
    pub(super) fn run_timed_out(&mut self) {
        if self.timeout_due().is_none_or(|due| due > self.now) {
            return;
        }
        if self.is_pivot_done() {
            self.emit(Event::RequestAnswered {
                id: "run-timeout".to_owned(),
                kind: RequestKind::Timeout,
                actor: "engine".to_owned(),
                payload: None,
                answer: pivot_is_done(),
            });
        } else {
            self.stop(StopCause::Timeout);
        }
    }

    fn complete(&mut self) -> Result<(), Needs> {
        let mut warnings = self.state.warnings.clone();
        let output = match self.output()? {
            Ok(output) => output,
            Err(failure) => {
                // Everything was carried out; an output that can't be put together changes nothing about it.
                warnings.push(StepFailure { step: Name::new("output"), failure });
                Arc::from(*b"null")
            }
        };
        let given_up = |name: &Name| self.state.step(name).undo.status == UndoStatus::Skipped;
        let residue = self.residue().into_iter().filter(given_up).collect();
        self.emit(Event::RunCompleted { output: Payload::json(output), warnings, residue });
        Ok(())
    }

    /// What the workflow gives: by its `output`, else the outputs of its last steps.
    fn output(&self) -> Result<Result<Arc<[u8]>, Failure>, Needs> {
        if let Some(template) = self.definition.output() {
            let document = Document::new(self.data(), Reads::default().template(template)).build()?;
            return Ok(template
                .render(&document)
                .map(|value| value.to_shared())
                .map_err(|error| expression_failed(&error)));
        }
        let (mut fields, mut missing) = (Vec::new(), Vec::<Seq>::new());
        for step in self.definition.steps().iter().filter(|step| step.before.is_empty()) {
            let value = self.data().output(&step.name, false, &mut missing);
            fields.push((step.name.to_string(), value));
        }
        if missing.is_empty() { Ok(Ok(Value::object(fields).to_shared())) } else { Err(Needs(missing)) }
    }

    /// The run ends after it had stopped.
    fn end(&mut self) {
        let warnings = self.state.warnings.clone();
        let residue = self.residue();
        let any_undone = self.state.steps().any(|(_, step)| step.undo.status == UndoStatus::Undone);
        let event = match &self.state.stop {
            Some(StopCause::Timeout) => Event::RunCancelled { cause: CancelCause::Timeout, warnings, residue },
            Some(StopCause::Cancelled) => Event::RunCancelled { cause: CancelCause::Cancelled, warnings, residue },
            Some(StopCause::StepFailed(_)) | None if residue.is_empty() && any_undone && !self.is_pivot_done() => {
                Event::RunCompensated { warnings }
            }
            Some(StopCause::StepFailed(_)) | None => Event::RunFailed { warnings, residue },
        };
        self.emit(event);
    }

    /// Steps that have a compensation, may have done something, and were not undone.
    pub(super) fn residue(&self) -> Vec<Name> {
        let steps = self.definition.steps().iter().filter(|step| step.compensate.is_some());
        let lasting = steps.filter(|step| self.state.step(&step.name).has_lasting_effect());
        lasting.map(|step| step.name.clone()).collect()
    }
}

/// Why a run does not stop any more.
pub(super) fn pivot_is_done() -> Answer {
    Answer::refused(
        "PIVOT_DONE",
        "the run is past its point of no return and only goes forward; terminate would end it",
    )
}
