//! Taking up a run whose process is gone.

use crate::definition::StepIndex;
use crate::event::Event;
use crate::failure::{Effect, Failure};
use crate::id::{Name, Side};
use crate::machine::Machine;
use crate::machine::forward::GivenUp;
use crate::state::Activity;
use crate::task::TaskName;

impl Machine {
    /// Notes the attempts that were cut off. They are made again, with the same key and call and without counting,
    /// unless the run stops or the step runs at most once.
    pub(super) fn recover(&mut self) {
        let sides = |(name, _): (&Name, _)| [(name.clone(), Side::Forward), (name.clone(), Side::Compensation)];
        let cut_off: Vec<(Name, Side)> = self
            .state
            .steps()
            .flat_map(sides)
            .filter(|(name, side)| self.state.activity(name, *side) == Activity::InFlight)
            .collect();
        if cut_off.is_empty() {
            return;
        }
        let lost: Vec<(StepIndex, Side, GivenUp)> =
            cut_off.iter().filter_map(|(name, side)| self.not_made_again(name, *side)).collect();
        self.emit(Event::RecoveryNoted { cut_off });
        for (index, side, given_up) in lost {
            match self.state.activity(&self.name(index), side) {
                // Parked where the run is paused or set aside: it is given up all the same.
                Activity::InFlight | Activity::Parked => {}
                // One of them may have stopped the run, and the others with it.
                Activity::Idle | Activity::BackingOff { .. } | Activity::Stuck => continue,
            }
            match side {
                Side::Forward => self.give_up(index, given_up),
                Side::Compensation => {
                    self.compensation_failed(self.name(index), given_up.attempt, given_up.failure, given_up.effect);
                }
            }
        }
    }

    /// The tasks that wait to be called until the run is no longer stuck as a whole.
    pub fn parked_tasks(&self) -> Vec<TaskName> {
        let parked = self.state.steps().filter_map(|(name, state)| {
            let step = self.definition.step(self.definition.find(name.as_str())?);
            let call = if state.activity(Side::Forward) == Activity::Parked {
                step.call()?
            } else if state.activity(Side::Compensation) == Activity::Parked {
                step.compensate.as_ref()?.call_for(state.effect)
            } else {
                return None;
            };
            Some(call.template.task()?.name.clone())
        });
        parked.collect()
    }

    /// A run that is stuck only because of the program that drove it before goes on by itself.
    pub(super) fn equipped(&mut self) {
        let stuck = &self.state.stuck;
        if !stuck.is_empty() && stuck.iter().all(|stuck| stuck.reason.lies_in_tasks()) {
            self.emit(Event::RunUnstuck);
        }
    }

    /// What becomes of an attempt that is not made again.
    fn not_made_again(&self, name: &Name, side: Side) -> Option<(StepIndex, Side, GivenUp)> {
        let index = self.definition.find(name.as_str())?;
        let step = self.definition.step(index);
        let state = self.state.step(name);
        let (call, stops, effect) = match side {
            Side::Forward => (step.call()?, self.is_stopping(index), state.effect),
            Side::Compensation => (step.compensate.as_ref()?.call_for(state.effect), false, state.undo.effect),
        };
        let why = if stops {
            "the engine stopped during the attempt, and the run is being undone"
        } else if call.retry.max_attempts <= 1 {
            "the engine stopped during the attempt, and the step runs at most once"
        } else {
            return None;
        };
        let given_up = GivenUp {
            attempt: state.tries(side).attempt,
            started_at: state.tries(side).since,
            failure: Failure::new("CUT_OFF", why),
            effect: if effect == Effect::None { Effect::Unknown } else { effect },
            output: None,
        };
        Some((index, side, given_up))
    }
}
