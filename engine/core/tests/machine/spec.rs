//! Random workflows, and what their services and operators do.

use std::collections::BTreeSet;

use engine_core::failure::Effect;
use engine_core::id::Name;
use engine_core::request::Resolution;
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::{Index, select};
use serde_json::{Value, json};

use crate::world::{Ending, Script};

/// A workflow with its world.
#[derive(Clone, Debug)]
pub(crate) struct Spec {
    /// The workflow's own steps, each after those it comes after; then those of `on_failure`.
    pub(crate) steps: Vec<StepSpec>,
    pub(crate) main: usize,
    pub(crate) pivot: Option<usize>,
    pub(crate) timeout_ms: Option<u64>,
    /// Chooses the order in which things happen.
    pub(crate) seed: u64,
}

#[derive(Clone, Debug)]
#[expect(clippy::struct_excessive_bools, reason = "any combination is a step")]
pub(crate) struct StepSpec {
    pub(crate) name: Name,
    /// Where it stands in the file.
    place: u8,
    pub(crate) after: Vec<usize>,
    pub(crate) kind: KindSpec,
    pub(crate) condition: ConditionSpec,
    pub(crate) if_skipped: bool,
    pub(crate) optional: bool,
    pub(crate) stuck_if_unknown: bool,
    pub(crate) idempotent: bool,
    pub(crate) max_attempts: u32,
    pub(crate) expect: Effect,
    pub(crate) undone: Option<UndoSpec>,
    /// Whether its output is too large for the state.
    pub(crate) large: bool,
    /// Whether it reads what the steps before gave.
    reads: bool,
    pub(crate) forward: Script,
    pub(crate) undo: Script,
    /// What an operator says once it is stuck and was retried.
    pub(crate) word: Resolution,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum KindSpec {
    Http,
    Value,
    /// A value whose expression fails.
    BadValue,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum ConditionSpec {
    None,
    True,
    Skips,
    Fails,
    NotBoolean,
}

#[derive(Clone, Copy, Debug)]
pub(crate) struct UndoSpec {
    /// Whether there is another request for the unknown case.
    pub(crate) unknown: bool,
    /// Whether its path needs what the step gave, so that it can't be rendered for an unknown one.
    pub(crate) needs_output: bool,
    pub(crate) at_most_once: bool,
}

impl Spec {
    pub(crate) fn step(&self, name: &Name) -> &StepSpec {
        self.steps.iter().find(|step| step.name == *name).unwrap()
    }

    pub(crate) fn is_past_pivot(&self, index: usize) -> bool {
        self.pivot.is_some_and(|pivot| index != pivot && index < self.main && self.ancestors(index).contains(&pivot))
    }

    pub(crate) fn ancestors(&self, index: usize) -> BTreeSet<usize> {
        let mut all = BTreeSet::new();
        let mut work = self.steps[index].after.clone();
        while let Some(earlier) = work.pop() {
            if all.insert(earlier) {
                work.extend(&self.steps[earlier].after);
            }
        }
        all
    }

    /// The workflow file.
    pub(crate) fn file(&self) -> String {
        let section = |range: std::ops::Range<usize>| {
            let mut places: Vec<usize> = range.collect();
            places.sort_by_key(|index| self.steps[*index].place);
            let steps = places.into_iter().map(|index| (self.steps[index].name.to_string(), self.step_json(index)));
            Value::Object(steps.collect())
        };
        let mut file = json!({
            "format": "engine/1", "name": "random", "version": "1",
            "services": {
                "plain": { "url": "http://plain.test" },
                "keyed": { "url": "http://keyed.test", "idempotency": "key" }
            },
            "defaults": {
                "retry": { "initial": "100ms", "max_interval": "2s", "max_elapsed": "1h" },
                "compensation_retry": { "initial": "100ms", "max_interval": "2s", "max_attempts": 3 }
            },
            "steps": section(0..self.main),
        });
        if self.main < self.steps.len() {
            file["on_failure"] = section(self.main..self.steps.len());
        }
        if let Some(timeout) = self.timeout_ms {
            file["timeout"] = json!(format!("{timeout}ms"));
        }
        file.to_string()
    }

    fn step_json(&self, index: usize) -> Value {
        let step = &self.steps[index];
        let after: Vec<_> = step.after.iter().map(|earlier| self.steps[*earlier].name.to_string()).collect();
        let read: Vec<_> = after.iter().map(|name| format!("${{ .steps.{name} }}")).collect();
        let body = if step.reads { json!({ "read": read }) } else { json!({ "n": index }) };
        let mut json = json!({ "after": after, "optional": step.optional });
        match step.condition {
            ConditionSpec::None => {}
            ConditionSpec::True => json["when"] = json!("${ .input.yes }"),
            ConditionSpec::Skips => json["when"] = json!("${ .input.no }"),
            ConditionSpec::Fails => {
                json["when"] = json!("${ .input.no }");
                json["otherwise"] = json!({ "fail": "NOT_TODAY", "message": "since ${ .input.no }" });
            }
            ConditionSpec::NotBoolean => json["when"] = json!("${ .input.absent }"),
        }
        if step.if_skipped {
            json["if_skipped"] = json!("run");
        }
        match step.kind {
            KindSpec::Http => {}
            KindSpec::Value => json["value"] = body.clone(),
            KindSpec::BadValue => json["value"] = json!("${ .input + 1 }"),
        }
        if step.kind == KindSpec::Http {
            let service = if step.idempotent { "keyed" } else { "plain" };
            json["http"] = json!({ "service": service, "post": "/do/${ .key }", "body": body });
            json["expect"] = json!({ "that": "${ .output.ok }", "effect": step.expect.to_string() });
            json["retry"] = json!({ "max_attempts": step.max_attempts });
            json["pivot"] = json!(self.pivot == Some(index));
            if step.stuck_if_unknown {
                json["on_unknown"] = json!("stuck");
            }
            if let Some(undone) = step.undone {
                json["compensate"] = undo_json(step, undone, service);
            }
        }
        json
    }
}

fn undo_json(step: &StepSpec, undone: UndoSpec, service: &str) -> Value {
    let own = format!("${{ .steps.{} }}", step.name);
    let path = if undone.needs_output { format!("/undo/${{ .steps.{}.id }}", step.name) } else { "/undo".to_owned() };
    let body = json!({ "own": own, "key": "${ .forward.key }", "effect": "${ .forward.effect }" });
    let mut undo = json!({ "http": { "service": service, "post": path, "body": body } });
    if undone.unknown {
        undo["unknown"] = json!({ "http": { "service": service, "post": "/look", "body": body } });
    }
    if undone.at_most_once {
        undo["retry"] = json!({ "max_attempts": 1 });
    }
    undo
}

/// Workflows of up to so many own steps.
pub(crate) fn specs(most: usize) -> impl Strategy<Value = Spec> {
    let timeout = prop_oneof![3 => Just(None), 1 => (1u64..20_000).prop_map(Some)];
    let pivot = prop_oneof![Just(None), any::<Index>().prop_map(Some)];
    (vec(steps(), 1..=most), vec(steps(), 0..4), pivot, timeout, any::<u64>()).prop_map(assemble)
}

fn assemble((own, after, pivot, timeout_ms, seed): (Vec<Drawn>, Vec<Drawn>, Option<Index>, Option<u64>, u64)) -> Spec {
    // Of sixteen steps so many go well: else hardly a long run would get to its end.
    let mood = [0u8, 8, 14, 16][usize::try_from(seed % 4).unwrap()];
    let main = own.len();
    let pivot = pivot.map(|pivot| pivot.index(main));
    let mut spec = Spec { steps: Vec::new(), main, pivot, timeout_ms, seed };
    for (index, (mut step, name, luck, edges)) in own.into_iter().chain(after).enumerate() {
        let first = if index < main { 0 } else { main };
        step.name = Name::new(format!("s{name}_{index}"));
        if index > first {
            step.after = edges.iter().map(|edge| first + edge.index(index - first)).collect();
        }
        if index >= main {
            step.undone = None;
            step.stuck_if_unknown = false;
        }
        if luck < mood {
            step.goes_well();
        }
        if pivot == Some(index) {
            step.kind = KindSpec::Http;
            step.optional = false;
        }
        spec.steps.push(step);
        if let Some(pivot) = pivot.filter(|pivot| index < main && *pivot <= index) {
            let ancestors = spec.ancestors(index);
            // Every own step stands clearly before or behind the pivot.
            if index > pivot && !ancestors.contains(&pivot) {
                spec.steps[index].after.push(pivot);
            } else if index == pivot {
                spec.steps[index].after.extend((0..index).filter(|earlier| !ancestors.contains(earlier)));
            }
        }
        let after = &mut spec.steps[index].after;
        after.sort_unstable();
        after.dedup();
    }
    spec
}

impl StepSpec {
    /// The step is carried out in the end, or skipped.
    fn goes_well(&mut self) {
        self.forward.last = Ending::Success;
        self.forward.first.retain(|ending| ending.says(self.idempotent, self.expect).again);
        self.forward.first.truncate(self.max_attempts as usize - 1);
        if matches!(self.condition, ConditionSpec::Fails | ConditionSpec::NotBoolean) {
            self.condition = ConditionSpec::None;
        }
        if self.kind == KindSpec::BadValue {
            self.kind = KindSpec::Value;
        }
    }
}

/// A step before it has its place: with a number for its name, its luck, and the steps it comes after.
type Drawn = (StepSpec, u8, u8, Vec<Index>);

fn steps() -> impl Strategy<Value = Drawn> {
    let kind = prop_oneof![8 => Just(KindSpec::Http), 2 => Just(KindSpec::Value), 1 => Just(KindSpec::BadValue)];
    let condition = prop_oneof![
        20 => Just(ConditionSpec::None),
        2 => Just(ConditionSpec::True),
        2 => Just(ConditionSpec::Skips),
        1 => Just(ConditionSpec::Fails),
        1 => Just(ConditionSpec::NotBoolean),
    ];
    let undo = (any::<bool>(), prop::bool::weighted(0.2), prop::bool::weighted(0.2))
        .prop_map(|(unknown, needs_output, at_most_once)| UndoSpec { unknown, needs_output, at_most_once });
    let order = (any::<u8>(), any::<u8>(), 0u8..16, vec(any::<Index>(), 0..4));
    let what = (kind, condition, prop::bool::weighted(0.3), any::<bool>(), any::<bool>());
    let policy = (
        prop::bool::weighted(0.25),
        prop::bool::weighted(0.25),
        any::<bool>(),
        1u32..=4,
        select(vec![Effect::None, Effect::Unknown, Effect::Done]),
        prop::option::weighted(0.7, undo),
    );
    let answers = (scripts(5), scripts(2), select(vec![Resolution::Done, Resolution::Skip, Resolution::Fail]));
    (order, what, policy, answers).prop_map(|(order, what, policy, answers)| {
        let (kind, condition, if_skipped, large, reads) = what;
        let (optional, stuck_if_unknown, idempotent, max_attempts, expect, undone) = policy;
        let step = StepSpec {
            name: Name::new(""),
            place: order.1,
            after: Vec::new(),
            kind,
            condition,
            if_skipped,
            optional,
            stuck_if_unknown,
            idempotent,
            max_attempts,
            expect,
            undone: undone.filter(|_| kind == KindSpec::Http),
            large,
            reads,
            forward: answers.0,
            undo: answers.1,
            word: answers.2,
        };
        (step, order.0, order.2, order.3)
    })
}

/// Answers that are a success once in the end, `good` times more often than not.
fn scripts(good: u32) -> impl Strategy<Value = Script> {
    let failures = || select(Ending::FAILURES.to_vec());
    let last = prop_oneof![
        good * 4 => Just(Ending::Success),
        // A service that always says that it is at work on it keeps a run for as long as its policy allows.
        4 => failures().prop_filter("ends", |ending| *ending != Ending::Conflict),
    ];
    (prop_oneof![4 => Just(Vec::new()), 3 => vec(failures(), 1..4)], last)
        .prop_map(|(first, last)| Script { first, last })
}
