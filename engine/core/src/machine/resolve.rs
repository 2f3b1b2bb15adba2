//! What an operator says of something stuck.

use crate::definition::StepIndex;
use crate::event::{Event, SkipReason};
use crate::expression::Value;
use crate::failure::{Effect, Failure};
use crate::format::did_you_mean;
use crate::id::{Name, Side};
use crate::machine::{Machine, Needs};
use crate::payload::Payload;
use crate::request::{Answer, Request, Resolution};
use crate::state::{Activity, Forward, StepState, UndoStatus};

/// What is stuck about a step.
#[derive(Clone, Copy)]
enum Stuck {
    Forward(StepIndex),
    Undo(StepIndex),
}

impl Machine {
    /// Answers a request to resolve something, and does what it says.
    pub(super) fn resolve(
        &mut self,
        request: &Request,
        step: Option<&Name>,
        action: Resolution,
        output: Option<&Payload>,
    ) -> Result<(), Needs> {
        let decided = match step {
            None => self.whole_run_is_stuck(action).map(|()| None),
            Some(step) => self.stuck_step(step, action, output).map(Some),
        };
        if let Ok(Some(stuck)) = decided
            && action == Resolution::Retry
        {
            // Rendering may need payloads: nothing is recorded before they are there.
            self.payloads_for(stuck)?;
        }
        let answer = match &decided {
            Ok(_) => Answer::Accepted,
            Err((code, message)) => Answer::refused(code, message),
        };
        self.answer(request, answer);
        match decided {
            Err(_) => Ok(()),
            Ok(None) => {
                self.emit(Event::RunUnstuck);
                Ok(())
            }
            Ok(Some(Stuck::Forward(index))) => self.resolve_forward(index, action, output),
            Ok(Some(Stuck::Undo(index))) => self.resolve_undo(index, action),
        }
    }

    fn whole_run_is_stuck(&self, action: Resolution) -> Result<(), (&'static str, String)> {
        if self.state.stuck.is_empty() {
            return Err(("NOT_STUCK", self.only_steps_are_stuck()));
        }
        if action == Resolution::Retry {
            Ok(())
        } else {
            let message = "a run that is stuck as a whole can only be retried (--retry), cancelled or terminated";
            Err(("NOT_POSSIBLE", message.to_owned()))
        }
    }

    fn only_steps_are_stuck(&self) -> String {
        let is_stuck = |state: &StepState| {
            [Side::Forward, Side::Compensation].iter().any(|side| state.activity(*side) == Activity::Stuck)
        };
        let steps = self.state.steps().filter(|(_, state)| is_stuck(state)).map(|(name, _)| format!("`{name}`"));
        let steps: Vec<String> = steps.collect();
        if steps.is_empty() {
            format!("nothing is stuck: the run is {}", self.state.status())
        } else {
            format!("the run as a whole is not stuck, but its steps are: name one of {}", steps.join(", "))
        }
    }

    fn stuck_step(
        &self,
        step: &Name,
        action: Resolution,
        output: Option<&Payload>,
    ) -> Result<Stuck, (&'static str, String)> {
        let Some(index) = self.definition.find(step.as_str()) else {
            let names = self.definition.all_steps().iter().map(|step| step.name.as_str());
            let near = did_you_mean(step.as_str(), names);
            return Err(("NO_SUCH_STEP", format!("the workflow has no step `{step}`{near}")));
        };
        let state = self.state.step(step);
        if state.undo.status == UndoStatus::Stuck {
            if action == Resolution::Fail {
                let message = format!("the compensation of `{step}` is stuck: use --retry, --done or --skip");
                return Err(("NOT_POSSIBLE", message));
            }
            return Ok(Stuck::Undo(index));
        }
        if state.forward != Forward::Stuck {
            return Err(("NOT_STUCK", format!("step `{step}` is not stuck; `engine show` lists the steps that are")));
        }
        if action == Resolution::Done
            && output.and_then(Payload::inline).is_none_or(|output| Value::from_slice(output).is_err())
        {
            return Err((
                "OUTPUT_INVALID",
                format!("--done needs the output of `{step}` as JSON, for instance `null`"),
            ));
        }
        Ok(Stuck::Forward(index))
    }

    fn payloads_for(&self, stuck: Stuck) -> Result<(), Needs> {
        match stuck {
            Stuck::Forward(index) => self.step_document(index).map(|_| ()),
            Stuck::Undo(index) => {
                let step = self.definition.step(index);
                let Some(compensate) = &step.compensate else { return Ok(()) };
                let call = compensate.call_for(self.state.step(&step.name).effect);
                self.compensation_document(step, call).map(|_| ())
            }
        }
    }

    fn resolve_forward(&mut self, index: StepIndex, action: Resolution, output: Option<&Payload>) -> Result<(), Needs> {
        let step = self.name(index);
        let state = self.state.step(&step);
        let (attempt, started_at, effect) = (state.tries.attempt, state.tries.since, state.effect);
        match action {
            // What provably did nothing is rendered anew, under a new key; else the same request is sent again.
            Resolution::Retry if effect == Effect::None => self.begin_step(index)?,
            Resolution::Retry => {
                self.emit(Event::AttemptStarted { step, side: Side::Forward, attempt: attempt.saturating_add(1) });
            }
            Resolution::Done => {
                let output = output.cloned().unwrap_or_else(|| Payload::json(*b"null"));
                self.emit(Event::StepCompleted { step, attempt: 0, started_at, status: None, output });
            }
            Resolution::Skip => self.emit(Event::StepSkipped { step, reason: SkipReason::Operator }),
            Resolution::Fail => {
                let failure = Failure::new("FAILED_BY_OPERATOR", "an operator said that it did not happen");
                self.emit(Event::StepFailed {
                    step: step.clone(),
                    attempt,
                    started_at,
                    failure,
                    effect: Effect::None,
                    fatal: true,
                    output: None,
                });
                self.stop_for(step);
            }
        }
        Ok(())
    }

    fn resolve_undo(&mut self, index: StepIndex, action: Resolution) -> Result<(), Needs> {
        let step = self.name(index);
        let undo = &self.state.step(&step).undo;
        let attempt = undo.tries.attempt.saturating_add(1);
        match action {
            Resolution::Retry if undo.effect == Effect::None => self.begin_compensation(index)?,
            Resolution::Retry => self.emit(Event::AttemptStarted { step, side: Side::Compensation, attempt }),
            Resolution::Done => {
                self.emit(Event::CompensationCompleted { step, attempt: 0, started_at: self.now, status: None });
            }
            Resolution::Skip | Resolution::Fail => self.emit(Event::CompensationSkipped { step }),
        }
        Ok(())
    }
}
