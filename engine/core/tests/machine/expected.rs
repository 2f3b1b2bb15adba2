//! Whether a run completes, told from its workflow and its world alone.

use std::collections::BTreeSet;

use engine_core::failure::Effect;
use engine_core::id::Name;

use crate::spec::{ConditionSpec, KindSpec, Spec, StepSpec};
use crate::world::{Ending, Script};

/// What becomes of a step.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Fate {
    Done,
    Skipped,
    /// It fails, and the run goes on.
    Forgiven,
    /// It fails, and the run with it.
    Fatal,
    /// It is never begun.
    Unreached,
}

/// How a call ends.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Ended {
    Well,
    /// With what it may have done.
    Failed(Effect),
}

/// Whether the run completes; none where that depends on the moment, on an operator, or on which attempts a crash cut
/// off.
pub(crate) fn completes(spec: &Spec, cut_off: &BTreeSet<Name>) -> Option<bool> {
    if spec.timeout_ms.is_some() {
        return None;
    }
    let mut fates = Vec::new();
    for index in 0..spec.main {
        let fate = fate(spec, index, &fates, cut_off.contains(&spec.steps[index].name))?;
        fates.push(fate);
    }
    Some(!fates.contains(&Fate::Fatal))
}

fn fate(spec: &Spec, index: usize, fates: &[Fate], cut_off: bool) -> Option<Fate> {
    let step = &spec.steps[index];
    let before: Vec<Fate> = step.after.iter().map(|earlier| fates[*earlier]).collect();
    if before.iter().any(|fate| matches!(fate, Fate::Fatal | Fate::Unreached)) {
        return Some(Fate::Unreached);
    }
    if !step.if_skipped && !before.is_empty() && before.iter().all(|fate| *fate == Fate::Skipped) {
        return Some(Fate::Skipped);
    }
    let is_past_pivot = spec.is_past_pivot(index) && spec.pivot.is_some_and(|pivot| fates[pivot] == Fate::Done);
    let ended = match (step.condition, step.kind) {
        (ConditionSpec::Skips, _) => return Some(Fate::Skipped),
        (ConditionSpec::Fails | ConditionSpec::NotBoolean, _) | (_, KindSpec::BadValue) => Ended::Failed(Effect::None),
        (_, KindSpec::Value) => Ended::Well,
        (_, KindSpec::Http) => carried_out(step, is_past_pivot, cut_off)?,
    };
    let Ended::Failed(effect) = ended else { return Some(Fate::Done) };
    let asks_operator = is_past_pivot
        || (spec.pivot == Some(index) && effect != Effect::None)
        || (step.stuck_if_unknown && effect == Effect::Unknown);
    match step.optional {
        true => Some(Fate::Forgiven),
        false if asks_operator => None,
        false => Some(Fate::Fatal),
    }
}

/// How a call ends; none where that depends on what a crash cut off.
fn carried_out(step: &StepSpec, is_past_pivot: bool, cut_off: bool) -> Option<Ended> {
    let unlimited = is_past_pivot && !step.optional;
    if !cut_off {
        return Some(attempts(step, &step.forward, unlimited));
    }
    if step.max_attempts == 1 {
        return None;
    }
    // Requests that were cut off may have arrived, any of them, without counting.
    let all = &step.forward.first;
    let arrived = (0..1 << all.len()).map(|lost: usize| {
        let left = (0..all.len()).filter(|place| lost >> place & 1 == 0).map(|place| all[place]);
        match attempts(step, &Script { first: left.collect(), last: step.forward.last }, unlimited) {
            // What was cut off stays open, unless a refusal settles it.
            Ended::Failed(Effect::None) => Ended::Failed(Effect::Unknown),
            ended => ended,
        }
    });
    let mut arrived = arrived.collect::<Vec<_>>();
    arrived.dedup();
    match arrived.as_slice() {
        [only] if !step.idempotent || *only == Ended::Well => Some(*only),
        _ => None,
    }
}

fn attempts(step: &StepSpec, script: &Script, unlimited: bool) -> Ended {
    let (mut failures, mut effect) = (0, Effect::None);
    for asked in 0..100 {
        let ending = script.at(asked);
        if ending == Ending::Success {
            return Ended::Well;
        }
        let says = ending.says(step.idempotent, step.expect);
        let settles = step.idempotent && says.definite;
        if !(effect == Effect::Unknown && says.effect == Effect::None && !settles) {
            effect = says.effect;
        }
        failures += u32::from(says.counts);
        let spent = if unlimited { step.max_attempts == 1 } else { failures >= step.max_attempts };
        if !says.again || step.max_attempts == 1 || spent {
            return Ended::Failed(effect);
        }
    }
    // It asked so often that the service gave in.
    Ended::Well
}
