//! Carrying an ended run out anew from one step on, as a new run that takes over what came before.

use std::sync::Arc;

use crate::definition::{Definition, StepIndex};
use crate::event::{Event, RunStarted, SkipReason};
use crate::failure::{Effect, Failure};
use crate::format::did_you_mean;
use crate::id::{Name, RunId, Seq};
use crate::machine::Machine;
use crate::payload::Payload;
use crate::request::Answer;
use crate::state::{FoldError, Forward, State, StepState, UndoStatus};
use crate::time::Timestamp;

/// What a rerun takes over, in the order of the graph.
pub type Plan = Vec<(Name, Carried<Seq>)>;

/// How a step of the source ended that is not carried out anew.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Carried<Output> {
    /// It was carried out, and gave this.
    Done(Output),
    /// It was not carried out.
    Skipped(SkipReason),
    /// It failed, and that did not matter.
    Failed(Failure),
}

/// What a rerun of an ended run from this step on takes over: what all other steps gave that do not come after it.
/// Those that were never carried out begin anew.
///
/// # Errors
/// The refusal, where a step before it was not carried out, or was undone, or where what a step did that the rerun
/// would carry out once more beside it is unknown or remains.
pub fn plan(definition: &Definition, source: &State, from: &Name) -> Result<Plan, Answer> {
    let first = definition.find(from.as_str()).filter(|index| !definition.is_on_failure(*index)).ok_or_else(|| {
        let steps: Vec<&str> = definition.steps().iter().map(|step| step.name.as_str()).collect();
        let near = did_you_mean(from.as_str(), steps.iter().copied());
        let known = if near.is_empty() { format!("; it has {}", shortened(&steps)) } else { near };
        Answer::refused("NO_SUCH_STEP", format!("the workflow has no step `{from}`{known}"))
    })?;
    let mut plan = Plan::new();
    for index in definition.topological() {
        let anew = *index == first || definition.is_ancestor(first, *index) || definition.is_on_failure(*index);
        if anew {
            continue;
        }
        let step = &definition.step(*index).name;
        plan.extend(carried(definition, source, (first, from), *index)?.map(|carried| (step.clone(), carried)));
    }
    Ok(plan)
}

/// What is carried of a step that is neither the first one to be carried out anew nor comes after it.
fn carried(
    definition: &Definition,
    source: &State,
    (first, from): (StepIndex, &Name),
    index: StepIndex,
) -> Result<Option<Carried<Seq>>, Answer> {
    let step = &definition.step(index).name;
    let known = source.step(step);
    let is_before = definition.is_ancestor(index, first);
    // What was forgiven gave nothing that could be built on: undone at once, it is as if it had not happened.
    let is_gone = known.forward == Forward::Failed { fatal: false } && !known.has_lasting_effect();
    if known.undo.status != UndoStatus::NotBegun && is_before && !is_gone {
        let message = format!("step `{step}` was undone, and `{from}` builds on it: rerun from `{step}` or before it");
        return Err(Answer::refused("UNDONE", message));
    }
    if known.effect == Effect::Unknown && known.has_lasting_effect() {
        let message =
            format!("what step `{step}` did is unknown: rerun from `{step}` or before it, once that is clear");
        return Err(Answer::refused("EFFECT_UNKNOWN", message));
    }
    if let Some(carried) = kept(known) {
        return Ok(Some(carried));
    }
    if is_before {
        let message = format!("step `{step}` was not carried out, and `{from}` comes after it: rerun from `{step}`");
        return Err(Answer::refused("NOT_DONE", message));
    }
    if known.has_lasting_effect() {
        let message = format!(
            "what step `{step}` did remains, and the rerun would do it once more: rerun from `{step}` or before it, \
             once that is seen to"
        );
        return Err(Answer::refused("EFFECT_REMAINS", message));
    }
    Ok(None)
}

/// The names, the first of them where they are many.
fn shortened(names: &[&str]) -> String {
    const SHOWN: usize = 20;
    let first = names.get(..SHOWN).unwrap_or(names).join(", ");
    if names.len() > SHOWN { format!("{first} and {} more", names.len() - SHOWN) } else { first }
}

/// How a step ended that needs not be carried out anew.
fn kept(known: &StepState) -> Option<Carried<Seq>> {
    match known.forward {
        Forward::Done if known.undo.status == UndoStatus::NotBegun => {
            known.output.as_ref().map(|output| Carried::Done(output.seq))
        }
        Forward::Skipped(reason) => Some(Carried::Skipped(reason)),
        Forward::Failed { fatal: false } => {
            let unsaid = || Failure::new("FAILED", "it failed in the run that this one continues");
            Some(Carried::Failed(known.failure.clone().unwrap_or_else(unsaid)))
        }
        Forward::Pending
        | Forward::InFlight
        | Forward::BackingOff { .. }
        | Forward::Parked
        | Forward::Stuck
        | Forward::Done
        | Forward::Failed { fatal: true } => None,
    }
}

impl Machine {
    /// A run that continues another one, with what it takes over from it. Its first turn holds all of that and
    /// whatever can begin at once.
    pub fn rerun(
        definition: Arc<Definition>,
        run: RunId,
        start: RunStarted,
        carried: Vec<(Name, Carried<Payload>)>,
        now: Timestamp,
    ) -> Result<Self, FoldError> {
        let mut machine = Self::start(definition, run, start, now)?;
        for (step, carried) in carried {
            machine.emit(match carried {
                Carried::Done(output) => Event::StepCarried { step, output },
                Carried::Skipped(reason) => Event::StepSkipped { step, reason },
                Carried::Failed(failure) => Event::StepFailed {
                    step,
                    attempt: 0,
                    started_at: now,
                    failure,
                    effect: Effect::None,
                    fatal: false,
                    output: None,
                },
            });
        }
        Ok(machine)
    }
}
