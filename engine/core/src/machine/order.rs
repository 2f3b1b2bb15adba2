//! Which steps may begin, and which may be undone: kept beside the state so that a turn costs by what became ready,
//! not by the size of the graph. All of it follows from definition and state.

use std::collections::BTreeSet;

use crate::definition::{Definition, Step, StepIndex};
use crate::failure::Effect;
use crate::state::{Forward, State, StepState, UndoStatus};

/// What waits for what.
#[derive(Debug)]
pub(super) struct Order {
    forward: Gate,
    backward: Option<Gate>,
    /// Own steps that have not settled.
    unsettled: usize,
    /// Own steps with an attempt in flight, parked or stuck.
    active: BTreeSet<StepIndex>,
    /// Own steps that wait for their next attempt.
    backing_off: BTreeSet<StepIndex>,
    /// Steps that are undone at once although the run goes on: optional, failed, effect unknown.
    undo_at_once: BTreeSet<StepIndex>,
    /// Of these, all whose undoing is not over, begun or not.
    undoing_at_once: BTreeSet<StepIndex>,
    /// `on_failure` steps that have not settled.
    after_unsettled: usize,
}

/// Counts for each step the neighbours that it waits for.
#[derive(Debug)]
struct Gate {
    waiting: Vec<u32>,
    settled: Vec<bool>,
    unsettled: usize,
    ready: BTreeSet<StepIndex>,
}

impl Order {
    pub(super) fn new(definition: &Definition, state: &State) -> Self {
        let steps = definition.all_steps();
        let mut order = Self {
            forward: Gate::new(steps.iter().map(|step| step.after.len())),
            backward: None,
            unsettled: definition.steps().len(),
            active: BTreeSet::new(),
            backing_off: BTreeSet::new(),
            undo_at_once: BTreeSet::new(),
            undoing_at_once: BTreeSet::new(),
            after_unsettled: definition.on_failure().len(),
        };
        // Dependencies first: what a step waits for must not make it ready again once it has begun.
        for index in definition.topological() {
            order.update(definition, state, *index);
        }
        order
    }

    /// Takes in what happened to a step.
    pub(super) fn update(&mut self, definition: &Definition, state: &State, index: StepIndex) {
        let step = definition.step(index);
        let known = state.step(&step.name);
        if known.forward != Forward::Pending {
            self.forward.ready.remove(&index);
        }
        if is_settled(step, known) && self.forward.settle(index) {
            let left = if definition.is_on_failure(index) { &mut self.after_unsettled } else { &mut self.unsettled };
            *left = left.saturating_sub(1);
            for next in &step.before {
                self.forward.release(*next);
            }
        }
        if !definition.is_on_failure(index) {
            self.note_activity(step, known, index);
        }
        if let Some(mut gate) = self.backward.take() {
            settle_backward(definition, state, &mut gate, index);
            self.backward = Some(gate);
        }
    }

    fn note_activity(&mut self, step: &Step, known: &StepState, index: StepIndex) {
        let active = matches!(known.forward, Forward::InFlight | Forward::Parked | Forward::Stuck);
        put(&mut self.active, index, active);
        put(&mut self.backing_off, index, matches!(known.forward, Forward::BackingOff { .. }));
        let at_once = known.forward == Forward::Failed { fatal: false } && needs_undo(step, known);
        put(&mut self.undo_at_once, index, at_once && known.undo.status == UndoStatus::NotBegun);
        put(&mut self.undoing_at_once, index, at_once && !known.undo.status.is_ended());
    }

    /// Counts backwards from the end of the graph, once, when nothing goes forward any more. False where it had.
    pub(super) fn turn_back(&mut self, definition: &Definition, state: &State) -> bool {
        if self.backward.is_some() {
            return false;
        }
        let mut gate = Gate::new(definition.all_steps().iter().map(|step| step.before.len()));
        let mut last = std::mem::take(&mut gate.ready);
        while let Some(index) = last.pop_last() {
            settle_backward(definition, state, &mut gate, index);
        }
        self.backward = Some(gate);
        true
    }

    /// The next step that may begin.
    pub(super) fn next_ready(&self, after_failure: bool, main: usize) -> Option<StepIndex> {
        let ready = &self.forward.ready;
        let main = StepIndex::at(main);
        let next = if after_failure { ready.range(main..).next() } else { ready.range(..main).next() };
        next.copied()
    }

    /// The next step that may be undone, in this order of preference: at once, then backwards.
    pub(super) fn next_to_undo(&self) -> Option<StepIndex> {
        let backward = self.backward.as_ref().and_then(|gate| gate.ready.first());
        self.undo_at_once.first().or(backward).copied()
    }

    /// Whether all own steps have settled.
    pub(super) fn all_settled(&self) -> bool {
        self.unsettled == 0
    }

    /// Whether all `on_failure` steps have settled.
    pub(super) fn after_settled(&self) -> bool {
        self.after_unsettled == 0
    }

    /// Whether an own step has an attempt in flight, parked or stuck.
    pub(super) fn is_active(&self) -> bool {
        !self.active.is_empty()
    }

    /// The own steps in flight, parked or stuck.
    pub(super) fn active(&self) -> impl Iterator<Item = StepIndex> {
        self.active.iter().copied()
    }

    /// The own steps that wait for their next attempt.
    pub(super) fn backing_off(&self) -> impl Iterator<Item = StepIndex> {
        self.backing_off.iter().copied()
    }

    /// Whether an optional step that failed is being undone, or is to be.
    pub(super) fn is_undoing_at_once(&self) -> bool {
        !self.undoing_at_once.is_empty()
    }

    /// Whether everything that had to be undone has been, or was given up.
    pub(super) fn is_undone(&self) -> bool {
        self.backward.as_ref().is_some_and(|gate| gate.unsettled == 0)
    }
}

impl Gate {
    fn new(waiting: impl Iterator<Item = usize>) -> Self {
        let waiting: Vec<u32> = waiting.map(|count| u32::try_from(count).unwrap_or(u32::MAX)).collect();
        let free = (0..).zip(&waiting).filter(|(_, count)| **count == 0);
        let ready = free.map(|(index, _)| StepIndex(index)).collect();
        Self { settled: vec![false; waiting.len()], unsettled: waiting.len(), waiting, ready }
    }

    /// Marks a step as settled; false where it was.
    fn settle(&mut self, index: StepIndex) -> bool {
        let first = self.settled.get_mut(index.get()).is_some_and(|settled| !std::mem::replace(settled, true));
        self.unsettled -= usize::from(first);
        first
    }

    /// One neighbour less to wait for.
    fn release(&mut self, index: StepIndex) {
        let Some(waiting) = self.waiting.get_mut(index.get()) else { return };
        *waiting = waiting.saturating_sub(1);
        if *waiting == 0 && self.settled.get(index.get()) == Some(&false) {
            self.ready.insert(index);
        }
    }
}

/// A step settles backwards once those after it have and it needs no undoing, or its undoing is over. Until then it is
/// ready once those after it have settled and its undoing has not begun.
fn settle_backward(definition: &Definition, state: &State, gate: &mut Gate, index: StepIndex) {
    let mut work = vec![index];
    while let Some(index) = work.pop() {
        let step = definition.step(index);
        let known = state.step(&step.name);
        let over = !needs_undo(step, known) || known.undo.status.is_ended();
        let free = gate.waiting.get(index.get()) == Some(&0);
        put(&mut gate.ready, index, free && !over && known.undo.status == UndoStatus::NotBegun);
        if !(over && free && gate.settle(index)) {
            continue;
        }
        for earlier in &step.after {
            gate.release(*earlier);
            work.push(*earlier);
        }
    }
}

/// Whether dependents may go on: the step ended without failing the run, and if it had to be undone, it was.
fn is_settled(step: &Step, known: &StepState) -> bool {
    match known.forward {
        Forward::Done | Forward::Skipped(_) => true,
        Forward::Failed { fatal } => !fatal && (!needs_undo(step, known) || known.undo.status.is_ended()),
        Forward::Pending | Forward::InFlight | Forward::BackingOff { .. } | Forward::Parked | Forward::Stuck => false,
    }
}

/// Whether a step has to be undone when the run turns back: it has a compensation and may have done something.
pub(super) fn needs_undo(step: &Step, known: &StepState) -> bool {
    step.compensate.is_some() && known.forward.is_ended() && known.effect != Effect::None
}

fn put(set: &mut BTreeSet<StepIndex>, index: StepIndex, present: bool) {
    if present {
        set.insert(index);
    } else {
        set.remove(&index);
    }
}
