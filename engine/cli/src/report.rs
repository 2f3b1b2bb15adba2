//! What there is to say of a run: for people and programs alike.

use engine_core::definition::{Definition, Step};
use engine_core::event::{Event, Recorded};
use engine_core::failure::{Effect, Failure, StepFailure};
use engine_core::id::{IdempotencyKey, Name, RunId, Side};
use engine_core::request::Resolution;
use engine_core::state::{Forward, State, Status, StepState, Undo, UndoStatus};
use engine_core::time::Timestamp;
use engine_runtime::SetAside;
use engine_runtime::read::{self, LoadError};
use engine_store::Store;
use serde_json::{Value, json};

use crate::exit::Outcome;
use crate::render::event_json::{self, cancel_cause, failures, pairs, side_name};
use crate::render::report::Wording;
use crate::render::{event::flag, time};
use crate::set_aside;
use crate::waiting::Waiting;

/// What there is to say of a run.
pub(crate) struct Report {
    /// What is known of it.
    pub(crate) state: State,
    /// Its steps, in the order of the file.
    pub(crate) steps: Vec<StepReport>,
    /// Failures that did not matter.
    pub(crate) warnings: Vec<StepFailure>,
    /// What it waits for by itself.
    pub(crate) waiting: Vec<Waiting>,
    /// What it waits for an operator for.
    pub(crate) stuck: Vec<StuckReport>,
    /// What the workflow gave.
    pub(crate) output: Option<Value>,
    /// Why it was set aside when it was last taken up.
    pub(crate) set_aside: Option<SetAside>,
    /// Whether its definition could not be read.
    pub(crate) definition_missing: Option<String>,
}

/// What there is to say of a step.
pub(crate) struct StepReport {
    /// Its name.
    pub(crate) name: Name,
    /// What is known of it.
    pub(crate) state: StepState,
    /// Whether it has a compensation.
    pub(crate) undoable: bool,
    /// Whether it belongs to `on_failure`.
    pub(crate) on_failure: bool,
    /// Whether the run has ended and left its effect, which should have been undone.
    pub(crate) residue: bool,
}

/// Something that waits for an operator.
pub(crate) struct StuckReport {
    /// The step and the side of it; none for the run as a whole.
    pub(crate) step: Option<(Name, Side)>,
    /// Why.
    pub(crate) failure: Failure,
    /// What the step may have done.
    pub(crate) effect: Option<Effect>,
    /// What an operator can say, and what it means.
    pub(crate) answers: Vec<(Resolution, &'static str)>,
}

impl Report {
    /// Reads what there is to say of a run.
    pub(crate) async fn load(store: &dyn Store, run: RunId) -> Result<Self, LoadError> {
        let mut report = Self::without_output(store, run).await?;
        if let Some(output) = report.state.end.as_ref().and_then(|end| end.output.as_ref()) {
            report.output = Some(json_of(&read::held(store, run, output).await?));
        }
        Ok(report)
    }

    /// Reads what there is to say of a run, but for its output, which may be large.
    pub(crate) async fn without_output(store: &dyn Store, run: RunId) -> Result<Self, LoadError> {
        let history = read::history(store, run).await?;
        let last = history.last().cloned();
        let state = State::fold(run, history)?;
        let definition = read::definition(store, state.definition).await;
        let mut report = Self::new(state, last.as_ref(), definition.as_deref().ok());
        report.set_aside = read::set_aside(store, run).await?.filter(|_| report.state.end.is_none());
        report.definition_missing = definition.err().map(|error| error.to_string());
        Ok(report)
    }

    /// What there is to say, but for the output; `last` is the last event.
    pub(crate) fn new(state: State, last: Option<&Recorded>, definition: Option<&Definition>) -> Self {
        let steps = match definition {
            Some(definition) => steps(&state, definition),
            None => state.steps().map(|(name, step)| StepReport::unknown(name, step)).collect(),
        };
        let warnings = last.and_then(warnings).unwrap_or(&state.warnings).to_vec();
        let pivot_done = definition
            .and_then(Definition::pivot)
            .zip(definition)
            .is_some_and(|(pivot, definition)| state.step(&definition.step(pivot).name).forward == Forward::Done);
        let stuck = stuck(&state, pivot_done);
        let waiting = Waiting::of(&state, definition);
        Self { state, steps, warnings, waiting, stuck, output: None, set_aside: None, definition_missing: None }
    }

    /// The run.
    pub(crate) fn run(&self) -> RunId {
        self.state.run
    }

    /// The status that it is shown with.
    pub(crate) fn status(&self) -> Status {
        if self.set_aside.is_some() { Status::Stuck } else { self.state.status() }
    }

    /// Its outcome; where it is open, that.
    pub(crate) fn outcome(&self) -> Outcome {
        if self.set_aside.is_some() { Outcome::Stuck } else { Outcome::of(&self.state) }
    }

    fn stuck_json(&self, program: &str, tail: &str) -> Vec<Value> {
        let mut stuck: Vec<Value> = self.stuck.iter().map(|stuck| stuck.to_json(self.run(), program, tail)).collect();
        if let Some(why) = &self.set_aside {
            let mut document = set_aside::document(self.run(), why, Wording { program, tail });
            stuck.extend(document.get_mut("stuck").and_then(|list| list.get_mut(0)).map(Value::take));
        }
        stuck
    }

    /// The report as JSON. `tail` is added to the commands, to name the data directory; `outcome` is none while the
    /// run is open.
    pub(crate) fn to_json(&self, program: &str, tail: &str, outcome: Option<Outcome>) -> Value {
        let state = &self.state;
        let end = state.end.as_ref();
        json!({
            "run": state.run.to_string(),
            "workflow": state.workflow.as_str(),
            "version": state.version,
            "definition": state.definition.to_string(),
            "workflow_id": state.workflow_id,
            "labels": pairs(&state.labels),
            "overrides": pairs(&state.overrides),
            "status": self.status().to_string(),
            "exit_code": outcome.map(Outcome::code),
            "cause": end.and_then(|end| end.cancelled).map(cancel_cause),
            "started_at": time::rfc3339(state.started_at),
            "ended_at": end.map(|end| time::rfc3339(end.at)),
            "output": self.output,
            "failures": failures(&state.failures),
            "warnings": failures(&self.warnings),
            "residue": end.map(|end| end.residue.iter().map(Name::as_str).collect::<Vec<_>>()).unwrap_or_default(),
            "waiting": self.waiting.iter().map(Waiting::to_json).collect::<Vec<_>>(),
            "stuck": self.stuck_json(program, tail),
            "steps": self.steps.iter().map(|step| step.to_json(self.run())).collect::<Vec<_>>(),
        })
    }
}

/// Bytes that should be JSON.
pub(crate) fn json_of(bytes: &[u8]) -> Value {
    serde_json::from_slice(bytes).unwrap_or_else(|_| String::from_utf8_lossy(bytes).into_owned().into())
}

fn steps(state: &State, definition: &Definition) -> Vec<StepReport> {
    let report = |step: &Step, on_failure| StepReport {
        name: step.name.clone(),
        state: state.step(&step.name).clone(),
        undoable: step.compensate.is_some(),
        on_failure,
        residue: is_residue(state, &step.name),
    };
    let main = definition.steps().iter().map(|step| report(step, false));
    main.chain(definition.on_failure().iter().map(|step| report(step, true))).collect()
}

/// Whether the ended run has left the effect of this step, which should have been undone.
pub(crate) fn is_residue(state: &State, step: &Name) -> bool {
    state.end.as_ref().is_some_and(|end| end.residue.contains(step))
}

/// The warnings that an ended run's last event lists: there may be some that belong to no step.
fn warnings(last: &Recorded) -> Option<&[StepFailure]> {
    match &last.event {
        Event::RunCompleted { warnings, .. }
        | Event::RunCompensated { warnings }
        | Event::RunFailed { warnings, .. }
        | Event::RunCancelled { warnings, .. } => Some(warnings),
        _ => None,
    }
}

const RETRY: &str = "try again";

fn stuck(state: &State, pivot_done: bool) -> Vec<StuckReport> {
    let whole = state.stuck.iter().map(|stuck| StuckReport {
        step: None,
        failure: Failure::new(event_json::stuck_reason(stuck.reason).to_uppercase(), stuck.message.clone()),
        effect: None,
        answers: vec![(Resolution::Retry, "go on, once that has been seen to")],
    });
    let unknown = || Failure::new("STUCK", "the history does not say why");
    let steps = state.steps().flat_map(|(name, step)| {
        let forward = (step.forward == Forward::Stuck).then(|| StuckReport {
            step: Some((name.clone(), Side::Forward)),
            failure: step.failure.clone().unwrap_or_else(unknown),
            effect: Some(step.effect),
            answers: vec![
                (Resolution::Retry, RETRY),
                (Resolution::Done, "it was done: put its output, as JSON, for null"),
                (Resolution::Skip, "go on without it, its output null"),
                (
                    Resolution::Fail,
                    if pivot_done {
                        "it did not happen: the run fails, nothing is undone"
                    } else {
                        "it did not happen: the run turns back"
                    },
                ),
            ],
        });
        let undo = (step.undo.status == UndoStatus::Stuck).then(|| StuckReport {
            step: Some((name.clone(), Side::Compensation)),
            failure: step.undo.failure.clone().unwrap_or_else(unknown),
            effect: Some(step.effect),
            answers: vec![
                (Resolution::Retry, RETRY),
                (Resolution::Done, "it was undone by hand"),
                (Resolution::Skip, "leave it as it is: its effect remains"),
            ],
        });
        forward.into_iter().chain(undo)
    });
    whole.chain(steps).collect()
}

impl StuckReport {
    /// The commands that get the run out of it, each with what it means.
    pub(crate) fn commands(&self, run: RunId, program: &str, tail: &str) -> Vec<(String, &'static str)> {
        let step = self.step.as_ref().map(|(step, _)| format!(" {step}")).unwrap_or_default();
        let command = |(action, meaning): &(Resolution, &'static str)| {
            let takes_output = *action == Resolution::Done && matches!(self.step, Some((_, Side::Forward)));
            let output = if takes_output { " null" } else { "" };
            (format!("{program} resolve {run}{step} {}{output}{tail}", flag(*action)), *meaning)
        };
        self.answers.iter().map(command).collect()
    }

    fn to_json(&self, run: RunId, program: &str, tail: &str) -> Value {
        let commands: Vec<String> = self.commands(run, program, tail).into_iter().map(|(command, _)| command).collect();
        json!({
            "step": self.step.as_ref().map(|(step, _)| step.as_str()),
            "side": self.step.as_ref().map(|(_, side)| side_name(*side)),
            "failure": event_json::failure(&self.failure),
            "effect": self.effect.map(|effect| effect.to_string()),
            "commands": commands,
        })
    }
}

impl StepReport {
    /// A step of a definition that can't be read.
    fn unknown(name: &Name, state: &StepState) -> Self {
        let undoable = state.undo.status != UndoStatus::NotBegun;
        Self { name: name.clone(), state: state.clone(), undoable, on_failure: false, residue: false }
    }

    /// What it may have done. Of what is in flight by the history nobody knows yet, or ever.
    pub(crate) fn effect(&self) -> Effect {
        if self.state.forward == Forward::InFlight { Effect::Unknown } else { self.state.effect }
    }

    /// How far it is, in a word.
    pub(crate) fn progress(&self) -> &'static str {
        match self.state.forward {
            Forward::Pending => "pending",
            Forward::InFlight => "in flight",
            Forward::BackingOff { .. } => "waiting",
            Forward::Parked => "parked",
            Forward::Stuck => "stuck",
            Forward::Done => "done",
            Forward::Skipped(_) => "skipped",
            Forward::Failed { .. } => "failed",
        }
    }

    /// How far its compensation is, in a word; empty where there is nothing to say.
    pub(crate) fn undo_progress(&self) -> &'static str {
        match self.state.undo.status {
            UndoStatus::NotBegun | UndoStatus::Stuck if self.residue => "not undone",
            UndoStatus::NotBegun => "",
            UndoStatus::InFlight => "undoing",
            UndoStatus::BackingOff { .. } => "undo waiting",
            UndoStatus::Parked => "undo parked",
            UndoStatus::Stuck => "undo stuck",
            UndoStatus::Undone => "undone",
            UndoStatus::Skipped => "not undone",
        }
    }

    /// When its next attempt is due, on either side.
    pub(crate) fn due(&self) -> Option<Timestamp> {
        match (self.state.forward, self.state.undo.status) {
            (Forward::BackingOff { due }, _) | (_, UndoStatus::BackingOff { due }) => Some(due),
            _ => None,
        }
    }

    fn to_json(&self, run: RunId) -> Value {
        let state = &self.state;
        json!({
            "step": self.name.as_str(),
            "on_failure": self.on_failure,
            "state": self.progress(),
            "attempts": state.tries.attempt,
            "effect": self.effect().to_string(),
            "idempotency_key": IdempotencyKey::derive(run, &self.name, Side::Forward, state.tries.epoch).as_str(),
            "failure": state.failure.as_ref().map(event_json::failure),
            "due": self.due().map(time::rfc3339),
            "ended_at": state.ended_at.map(time::rfc3339),
            "compensation": self.undoable.then(|| compensation(&state.undo, self.undo_progress())),
        })
    }
}

fn compensation(undo: &Undo, progress: &str) -> Value {
    json!({
        "state": if progress.is_empty() { "not begun" } else { progress },
        "attempts": undo.tries.attempt,
        "failure": undo.failure.as_ref().map(event_json::failure),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::render::sample;

    fn report(history: Vec<Recorded>) -> Report {
        let last = history.last().cloned();
        let state = State::fold(sample::run(), history).unwrap();
        Report::new(state, last.as_ref(), Some(&sample::definition()))
    }

    #[test]
    fn a_report_tells_the_outcome() {
        let json = report(sample::compensated()).to_json("engine", "", Some(Outcome::Compensated));
        assert_eq!(json["status"], "Compensated");
        assert_eq!(json["exit_code"], 4);
        assert_eq!(json["failures"][0]["step"], "record");
        assert_eq!(json["steps"][0]["compensation"]["state"], "undone");
        assert_eq!(json["steps"][3]["on_failure"], true);
        assert_eq!(json["stuck"], json!([]));
    }

    #[test]
    fn a_stuck_compensation_names_the_commands() {
        let report = report(sample::stuck());
        assert_eq!(report.outcome(), Outcome::Stuck);
        let commands = report.stuck[0].commands(report.run(), "engine", " --data-dir /x");
        let run = sample::run();
        let expected =
            ["--retry", "--done", "--skip"].map(|flag| format!("engine resolve {run} charge {flag} --data-dir /x"));
        assert_eq!(commands.iter().map(|(command, _)| command.clone()).collect::<Vec<_>>(), expected);
    }
}
