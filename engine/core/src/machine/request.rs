//! What is asked from outside: the table "requests by phase".

use crate::bounds;
use crate::event::{CancelCause, Event, StopCause};
use crate::failure::{Effect, Failure};
use crate::id::{Name, Side};
use crate::machine::ending::{Phase, pivot_is_done};
use crate::machine::{Machine, Needs, Slot};
use crate::request::{Answer, Demand, Request};
use crate::state::{Activity, State};

/// What a request does.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Rule {
    /// It is kept until a step waits for it.
    Keep,
    /// It is recorded, and changes nothing.
    Record,
    /// The run stops, unless the pivot says otherwise.
    Stop,
    /// The run ends at once.
    Terminate,
    /// Nothing new begins.
    Pause,
    /// The run goes on.
    Resume,
    /// Something stuck is seen to.
    Resolve,
    /// It is for a run that has ended: refused.
    NotEnded,
    /// It is for a run that is open: refused.
    Ended,
    /// It is done with the ended run as a whole, by whoever holds its history.
    Whole,
}

/// The table.
fn rule(demand: &Demand, phase: Phase) -> Rule {
    let [forward, turning, ended] = match demand {
        Demand::Signal { .. } => [Rule::Keep, Rule::Record, Rule::Ended],
        Demand::Cancel { .. } => [Rule::Stop, Rule::Record, Rule::Ended],
        Demand::Terminate { .. } => [Rule::Terminate, Rule::Terminate, Rule::Ended],
        Demand::Pause => [Rule::Pause, Rule::Pause, Rule::Ended],
        Demand::Resume => [Rule::Resume, Rule::Resume, Rule::Ended],
        Demand::Resolve { .. } => [Rule::Resolve, Rule::Resolve, Rule::Ended],
        Demand::Rerun { .. } | Demand::Delete => [Rule::NotEnded, Rule::NotEnded, Rule::Whole],
    };
    match phase {
        Phase::Forward => forward,
        Phase::Stopping | Phase::Backward | Phase::After => turning,
        Phase::Ended => ended,
    }
}

/// The answer of a run that has ended, which is for ever the same; none where the demand is for ended runs.
pub fn after_end(state: &State, demand: &Demand) -> Option<Answer> {
    (rule(demand, Phase::Ended) == Rule::Ended).then(|| {
        let message = format!("the run has ended: it is {}; rerun carries it out anew as a new run", state.status());
        Answer::refused("ENDED", message)
    })
}

/// The answer of a run that has answered too many requests to take in one more. It is not recorded.
pub fn answer_if_full(state: &State, demand: &Demand) -> Option<Answer> {
    let full = state.answers.len() >= bounds::REQUESTS && !matches!(demand, Demand::Terminate { .. });
    let message = format!("the run has answered {} requests, and takes in none but terminate", bounds::REQUESTS);
    full.then(|| Answer::refused("TOO_MANY_REQUESTS", message))
}

impl Machine {
    /// Answers a request, once for each id, and does what it asks for.
    pub(super) fn take_request(&mut self, request: &Request) -> Result<(), Needs> {
        if self.state.answers.contains_key(&request.id) || answer_if_full(&self.state, &request.demand).is_some() {
            return Ok(());
        }
        match rule(&request.demand, self.phase()) {
            Rule::Keep => self.keep_signal(request),
            Rule::Record => self.answer(request, Answer::NoOp),
            Rule::Stop => self.cancel_if_possible(request),
            Rule::Terminate => self.terminate(request),
            Rule::Pause => self.answer(request, if self.state.paused { Answer::NoOp } else { Answer::Accepted }),
            Rule::Resume => self.answer(request, if self.state.paused { Answer::Accepted } else { Answer::NoOp }),
            Rule::Resolve => return self.resolve_as_asked(request),
            Rule::NotEnded => {
                let message = format!("the run is open: it is {}; wait for its end, or cancel it", self.state.status());
                self.answer(request, Answer::refused("OPEN", message));
            }
            // Ended runs take no inputs.
            Rule::Ended | Rule::Whole => {}
        }
        Ok(())
    }

    pub(super) fn answer(&mut self, request: &Request, answer: Answer) {
        self.emit(Event::RequestAnswered {
            id: request.id.clone(),
            kind: request.demand.kind(),
            actor: request.actor.clone(),
            payload: request.demand.payload().cloned(),
            answer,
        });
    }

    fn resolve_as_asked(&mut self, request: &Request) -> Result<(), Needs> {
        match &request.demand {
            Demand::Resolve { step, action, output } => self.resolve(request, step.as_ref(), *action, output.as_ref()),
            Demand::Signal { .. }
            | Demand::Cancel { .. }
            | Demand::Terminate { .. }
            | Demand::Pause
            | Demand::Resume
            | Demand::Rerun { .. }
            | Demand::Delete => Ok(()),
        }
    }

    fn keep_signal(&mut self, request: &Request) {
        let full = self.state.signals.len() >= bounds::SIGNALS;
        let message = format!("{} signals are kept already, and no step waits for one", bounds::SIGNALS);
        self.answer(request, if full { Answer::refused("SIGNALS_FULL", message) } else { Answer::Accepted });
    }

    fn cancel_if_possible(&mut self, request: &Request) {
        if self.is_pivot_done() {
            self.answer(request, pivot_is_done());
        } else if self.is_pivot_open() && !self.is_pivot_unsent() {
            let held_already = self.state.cancel_held.is_some();
            self.answer(request, if held_already { Answer::NoOp } else { Answer::Held });
        } else {
            self.answer(request, Answer::Accepted);
            self.cancel();
        }
    }

    /// Whether the pivot begins in this very turn: it has not been sent, so it can be withdrawn.
    fn is_pivot_unsent(&self) -> bool {
        self.definition.pivot().is_some_and(|pivot| {
            let name = self.name(pivot);
            self.state.step(&name).effect == Effect::None && !self.is_handed_out(&Slot::Step(name, Side::Forward))
        })
    }

    /// A cancel that was held while the pivot was open is decided once that has settled.
    pub(super) fn settle_held_cancel(&mut self) {
        let Some(id) = self.state.cancel_held.clone() else { return };
        if self.is_pivot_open() || self.state.end.is_some() {
            return;
        }
        if self.is_pivot_done() {
            self.emit(Event::RequestSettled { id, answer: pivot_is_done() });
        } else {
            self.emit(Event::RequestSettled { id, answer: Answer::Accepted });
            self.cancel();
        }
    }

    /// The run stops, whatever it was stuck on as a whole.
    fn cancel(&mut self) {
        if !self.state.stuck.is_empty() {
            self.emit(Event::RunUnstuck);
        }
        self.stop(StopCause::Cancelled);
    }

    /// The run ends at once. Attempts in flight are abandoned: what they did is unknown.
    fn terminate(&mut self, request: &Request) {
        self.answer(request, Answer::Accepted);
        if let Some(id) = self.state.cancel_held.clone() {
            let message = "the run was terminated before its pivot had settled: nothing is undone";
            self.emit(Event::RequestSettled { id, answer: Answer::refused("ENDED", message) });
        }
        let steps: Vec<Name> = self.state.steps().map(|(name, _)| name.clone()).collect();
        for step in steps {
            self.abandon(step.clone(), Side::Forward);
            self.abandon(step, Side::Compensation);
        }
        let residue = self.residue();
        let warnings = self.state.warnings.clone();
        self.emit(Event::RunCancelled { cause: CancelCause::Terminated, warnings, residue });
    }

    /// One side of a step ends with the run, whatever it was about.
    fn abandon(&mut self, step: Name, side: Side) {
        let state = self.state.step(&step);
        let known = match side {
            Side::Forward => state.effect,
            Side::Compensation => state.undo.effect,
        };
        let slot = Slot::Step(step.clone(), side);
        let effect = match state.activity(side) {
            Activity::Idle | Activity::Stuck => return,
            Activity::BackingOff { .. } | Activity::Parked => known,
            // An attempt that begins in this very turn has not been sent.
            Activity::InFlight if !self.is_handed_out(&slot) => known,
            Activity::InFlight if known == Effect::Done => known,
            Activity::InFlight => Effect::Unknown,
        };
        let (attempt, started_at) = (state.tries(side).attempt, state.tries(side).since);
        let failure = Failure::new("ABANDONED", "the run was terminated before this was over");
        match side {
            Side::Forward => {
                let harmless = self
                    .definition
                    .find(step.as_str())
                    .is_some_and(|index| self.definition.step(index).optional || self.definition.is_on_failure(index));
                self.emit(Event::StepFailed {
                    step,
                    attempt,
                    started_at,
                    failure,
                    effect,
                    fatal: !harmless,
                    output: None,
                });
            }
            Side::Compensation => {
                self.emit(Event::CompensationFailed { step, attempt, started_at, failure, effect });
            }
        }
    }
}
