//! Decides: a definition, a state and an input give events and commands.
//!
//! A [`Machine`] holds one run in memory. Inputs are pushed, [`Machine::advance`] decides all that follows from
//! them, and [`Machine::take_turn`] gives the turn: the events, to be committed together, and the commands, to be
//! carried out once they are durable. Where a decision needs a payload that state does not hold, `advance` says
//! which ([`Progress::Needs`]); the caller supplies it and calls again. The result does not depend on how often.
//!
//! If the commit fails, the machine is thrown away and made again from the stored history.
//!
//! Commands are the difference between what should be in flight by the state and what was handed out before. A
//! machine that was just made from a history has handed out nothing, so its first turn hands out the whole: live
//! and recovered runs go one way.

mod answer;
mod backward;
mod call;
mod classify;
mod command;
mod document;
mod ending;
mod forward;
mod judge;
mod order;
mod recover;
mod request;
mod rerun;
mod resolve;
mod retry;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

use crate::bounds;
use crate::definition::{Definition, StepIndex};
use crate::event::{Event, Recorded, RunStarted, StuckReason};
use crate::id::{Name, RunId, Seq, Side};
use crate::payload::Payload;
use crate::state::{FoldError, State};
use crate::time::Timestamp;

pub use answer::answer_to_task;
pub use request::{after_end, answer_if_full};
pub use rerun::{Carried, Plan, plan};
pub use retry::Again;

pub use command::{Answered, AttemptOutcome, Body, Command, Input, Send, Slot, TaskFailure, TimerKey, Turn};

use document::Data;
use order::Order;

/// One run in memory, ready to decide.
#[derive(Debug)]
pub struct Machine {
    definition: Arc<Definition>,
    state: State,
    order: Order,
    now: Timestamp,
    inputs: VecDeque<Input>,
    supplied: BTreeMap<Seq, Arc<[u8]>>,
    events: Vec<Recorded>,
    event_bytes: usize,
    handed_out: BTreeMap<Slot, Command>,
    touched: BTreeSet<Slot>,
    /// Where timers stand in the store.
    timers: BTreeSet<Slot>,
    /// Whether what follows from the inputs taken so far is not all decided: a payload was missing in the middle.
    settling: bool,
    held: bool,
}

/// How far [`Machine::advance`] came.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Progress {
    /// Everything that follows from the inputs is decided.
    Settled,
    /// The payloads of these events are needed: supply them and advance again.
    Needs(Vec<Seq>),
}

/// Payloads that a decision needs and that are not in memory.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Needs(pub(crate) Vec<Seq>);

impl Machine {
    /// A new run. Its first turn holds `RunStarted` and whatever can begin at once.
    pub fn start(
        definition: Arc<Definition>,
        run: RunId,
        start: RunStarted,
        now: Timestamp,
    ) -> Result<Self, FoldError> {
        let first = Recorded { seq: Seq(1), at: now, event: Event::RunStarted(Box::new(start)) };
        let state = State::begin(run, &first)?;
        let mut machine = Self::resume(definition, state);
        machine.now = now;
        machine.keep_payload(&first);
        machine.events.push(first);
        Ok(machine)
    }

    /// A run as its history left it. Its first turn hands out everything that should be in flight; push
    /// [`Input::Recovered`] first where the process that drove it before is gone.
    pub fn resume(definition: Arc<Definition>, state: State) -> Self {
        let order = Order::new(&definition, &state);
        let mut touched = BTreeSet::from([Slot::RunTimeout]);
        touched.extend(state.steps().flat_map(|(name, _)| both_sides(name)));
        let mut machine = Self {
            definition,
            now: state.started_at,
            state,
            order,
            inputs: VecDeque::new(),
            supplied: BTreeMap::new(),
            events: Vec::new(),
            event_bytes: 0,
            handed_out: BTreeMap::new(),
            touched,
            timers: BTreeSet::new(),
            settling: false,
            held: false,
        };
        let is_timer = |slot: &&Slot| matches!(machine.wanted_if_driven(slot), Some(Command::SetTimer { .. }));
        machine.timers = machine.touched.iter().filter(is_timer).cloned().collect();
        machine
    }

    /// What is known of the run, the undelivered turn included.
    pub fn state(&self) -> &State {
        &self.state
    }

    /// The definition that the run is bound to.
    pub fn definition(&self) -> &Arc<Definition> {
        &self.definition
    }

    /// Queues an input. Nothing is decided yet.
    pub fn push(&mut self, input: Input) {
        self.inputs.push_back(input);
    }

    /// The payload of an event that was decided and not yet taken: it is in no store, though its blob may be.
    pub fn undelivered(&self, seq: Seq) -> Option<&Payload> {
        self.events.iter().find(|recorded| recorded.seq == seq)?.event.payload()
    }

    /// Gives the payload of an event, as asked for by [`Progress::Needs`].
    pub fn supply(&mut self, seq: Seq, payload: Arc<[u8]>) {
        self.supplied.insert(seq, payload);
    }

    /// Begins nothing any more: what is in flight ends and is recorded, and the rest waits for the next process.
    pub fn hold(&mut self) {
        self.held = true;
    }

    /// Whether the turn is so large that no more inputs should be put into it.
    pub fn is_full(&self) -> bool {
        self.event_bytes >= bounds::TURN_LEN
    }

    /// Decides everything that follows from the inputs, at this time.
    pub fn advance(&mut self, now: Timestamp) -> Progress {
        self.now = self.now.max(now);
        match self.try_advance() {
            Ok(()) => Progress::Settled,
            Err(Needs(seqs)) => Progress::Needs(seqs),
        }
    }

    /// The turn: what is to be committed, and what is to be done once that is durable.
    pub fn take_turn(&mut self) -> Turn {
        self.supplied.clear();
        self.event_bytes = 0;
        self.touched.insert(Slot::RunTimeout);
        let mut commands = Vec::new();
        for slot in std::mem::take(&mut self.touched) {
            let wanted = self.wanted(&slot);
            if wanted.is_some() && self.handed_out.get(&slot) == wanted.as_ref() {
                continue;
            }
            self.clear_timer(&slot, wanted.as_ref(), &mut commands);
            match wanted {
                Some(command) => {
                    commands.push(command.clone());
                    self.handed_out.insert(slot, command);
                }
                None => {
                    self.handed_out.remove(&slot);
                }
            }
        }
        Turn { events: std::mem::take(&mut self.events), commands }
    }

    /// Everything that should be in flight by the state alone: attempts and timers.
    pub fn outstanding(&self) -> Vec<Command> {
        let slots = self.state.steps().flat_map(|(name, _)| both_sides(name)).chain([Slot::RunTimeout]);
        slots.filter_map(|slot| self.wanted(&slot)).collect()
    }

    fn try_advance(&mut self) -> Result<(), Needs> {
        if self.settling {
            self.settle()?;
        }
        while let Some(input) = self.inputs.front() {
            let input = input.clone();
            self.take(&input)?;
            self.inputs.pop_front();
            self.settle()?;
        }
        self.settle()
    }

    /// Takes one input. Where a payload is missing nothing has been decided yet.
    fn take(&mut self, input: &Input) -> Result<(), Needs> {
        if self.state.end.is_some() {
            return Ok(());
        }
        match input {
            Input::AttemptEnded { step, side: Side::Forward, attempt, outcome } => {
                self.forward_attempt_ended(step, *attempt, outcome)
            }
            Input::AttemptEnded { step, side: Side::Compensation, attempt, outcome } => {
                self.compensation_attempt_ended(step, *attempt, outcome);
                Ok(())
            }
            Input::Checkpoint { step, side, attempt, checkpoint } => {
                self.checkpoint(step, *side, *attempt, checkpoint);
                Ok(())
            }
            Input::AttemptNotSent { step, side, attempt, reason, message } => {
                if self.in_flight(step, *side, *attempt) {
                    self.attempt_not_sent(step, *side, *reason, message);
                }
                Ok(())
            }
            Input::TimerFired(key) => {
                self.timer_came(key);
                self.timer_fired(key);
                Ok(())
            }
            Input::Recovered => {
                self.recover();
                Ok(())
            }
            Input::Equipped => {
                self.equipped();
                Ok(())
            }
            Input::Request(request) => self.take_request(request),
        }
    }

    /// A timer that is no longer wanted is cleared, also where it has fired: its row in the store stands until then.
    fn clear_timer(&mut self, slot: &Slot, wanted: Option<&Command>, commands: &mut Vec<Command>) {
        if let Some(Command::SetTimer { .. }) = wanted {
            self.timers.insert(slot.clone());
        } else if self.timers.remove(slot) {
            commands.push(Command::ClearTimer { key: slot.timer() });
        }
    }

    /// A timer is no longer set: should it have come too early, it is set again.
    fn timer_came(&mut self, key: &TimerKey) {
        let slot = match key {
            TimerKey::Retry(step, side) => Slot::Step(step.clone(), *side),
            TimerKey::RunTimeout => Slot::RunTimeout,
        };
        if let Some(Command::SetTimer { .. }) = self.handed_out.get(&slot) {
            self.handed_out.remove(&slot);
            self.touched.insert(slot);
        }
    }

    /// An attempt notes how far it is, where it is still waited for and the history has room.
    fn checkpoint(&mut self, step: &Name, side: Side, attempt: u32, checkpoint: &Payload) {
        if self.in_flight(step, side, attempt) && self.state.last.0 < bounds::HISTORY_LEN {
            let (step, checkpoint) = (step.clone(), checkpoint.clone());
            self.emit(Event::StepCheckpointed { step, side, attempt, checkpoint });
        }
    }

    /// The attempt waits until the run is no longer stuck as a whole; where the run stops, there is none any more.
    fn attempt_not_sent(&mut self, step: &Name, side: Side, reason: StuckReason, message: &str) {
        // It may be handed out once more under the same number, even in this very turn.
        self.handed_out.remove(&Slot::Step(step.clone(), side));
        match self.definition.find(step.as_str()) {
            Some(index) if side == Side::Forward && self.is_stopping(index) => self.withdraw(index),
            Some(_) | None => {
                let parked = Some((step.clone(), side));
                self.emit(Event::RunStuck { reason, message: message.to_owned(), parked });
            }
        }
    }

    /// Begins whatever became ready, until nothing more follows.
    fn settle(&mut self) -> Result<(), Needs> {
        self.settling = true;
        self.settle_held_cancel();
        while !self.held && self.state.end.is_none() && self.state.stuck.is_empty() {
            let began = !self.state.paused && (self.begin_ready_steps()? | self.begin_ready_compensations()?);
            if !(began | self.change_phase()?) {
                break;
            }
        }
        self.settling = false;
        Ok(())
    }

    /// Records a fact and takes it into the state.
    fn emit(&mut self, event: Event) {
        let recorded = Recorded { seq: self.state.last.next(), at: self.now, event };
        self.state.apply(&recorded);
        self.keep_payload(&recorded);
        for name in recorded.event.steps() {
            self.touched.extend(both_sides(name));
            if let Some(index) = self.definition.find(name.as_str()) {
                self.order.update(&self.definition, &self.state, index);
            }
        }
        if matches!(recorded.event, Event::RunUnstuck | Event::RequestAnswered { .. }) {
            // What the run as a whole may do has changed, perhaps, and with it what every step may.
            self.touched.extend(self.state.steps().flat_map(|(name, _)| both_sides(name)));
        }
        self.events.push(recorded);
    }

    /// A payload of this very turn is not in the store yet, so it is kept until the turn is taken.
    fn keep_payload(&mut self, recorded: &Recorded) {
        self.event_bytes += 200;
        let Some(data) = recorded.event.payload().and_then(|payload| payload.inline()) else { return };
        self.event_bytes += data.len().min(bounds::INLINE_PAYLOAD);
        if data.len() > bounds::HELD_PAYLOAD {
            self.supplied.insert(recorded.seq, data.clone());
        }
    }

    fn data(&self) -> Data<'_> {
        Data { state: &self.state, supplied: &self.supplied }
    }

    fn name(&self, index: StepIndex) -> Name {
        self.definition.step(index).name.clone()
    }

    /// Whether what should be outstanding in this slot was handed out before this turn.
    fn is_handed_out(&self, slot: &Slot) -> bool {
        self.handed_out.get(slot) == self.wanted(slot).as_ref()
    }

    /// Whether this very attempt is in flight; a result of any other one comes too late and is dropped.
    fn in_flight(&self, step: &Name, side: Side, attempt: u32) -> bool {
        let state = self.state.step(step);
        state.activity(side) == crate::state::Activity::InFlight && state.tries(side).attempt == attempt
    }
}

fn both_sides(name: &Name) -> [Slot; 2] {
    [Slot::Step(name.clone(), Side::Forward), Slot::Step(name.clone(), Side::Compensation)]
}
