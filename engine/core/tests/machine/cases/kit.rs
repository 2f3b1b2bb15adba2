//! Tells a run step by step, and reads what it decided as short words.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use engine_core::definition::Definition;
use engine_core::event::{Event, Origin, Recorded, RunStarted, StuckReason};
use engine_core::id::{Name, RunId, Side};
use engine_core::machine::{
    self, Answered, AttemptOutcome, Body, Carried, Command, Input, Machine, Progress, Send, Slot, TimerKey,
};
use engine_core::payload::Payload;
use engine_core::request::{Demand, Request, Resolution};
use engine_core::state::{State, Status};
use engine_core::time::{DisplayDuration, Timestamp};
use serde_json::{Value, json};

use super::words::{answer_word, word};
use crate::driver::start_event;

/// A run that a test tells.
pub(super) struct Story {
    pub(super) machine: Machine,
    pub(super) history: Vec<Recorded>,
    pub(super) now: Timestamp,
    active: BTreeMap<Slot, Command>,
    sent: Vec<Send>,
    told: usize,
    requests: usize,
}

const RUN: [u8; 16] = [3; 16];

/// A step that posts, with further keys.
pub(super) fn step(after: &[&str], more: Value) -> Value {
    let mut step = json!({ "after": after, "http": { "service": "plain", "post": "/do" } });
    merge(&mut step, more);
    step
}

/// A step that is undone by a post.
pub(super) fn undoable(after: &[&str], more: Value) -> Value {
    let mut step = step(after, json!({ "compensate": { "http": { "service": "plain", "post": "/undo" } } }));
    merge(&mut step, more);
    step
}

fn merge(into: &mut Value, more: Value) {
    match (into, more) {
        (Value::Object(into), Value::Object(more)) => {
            for (key, value) in more {
                merge(into.entry(key).or_insert(Value::Null), value);
            }
        }
        (into, more) => *into = more,
    }
}

impl Story {
    /// A run of these steps.
    pub(super) fn of(steps: Value) -> Self {
        Self::with(steps, json!({}))
    }

    /// A run of these steps, with further keys of the file.
    pub(super) fn with(steps: Value, more: Value) -> Self {
        let mut file = json!({
            "format": "engine/1", "name": "story", "version": "1",
            "services": {
                "plain": { "url": "http://plain.test" },
                "keyed": { "url": "http://keyed.test", "idempotency": "key" }
            },
            "defaults": {
                "retry": { "max_attempts": 2, "jitter": "none" },
                "compensation_retry": { "max_attempts": 2, "jitter": "none" }
            }
        });
        file["steps"] = steps;
        merge(&mut file, more);
        let definition = Definition::from_json(&file.to_string()).unwrap_or_else(|errors| panic!("{errors}"));
        let definition = Arc::new(definition);
        let now = Timestamp::from_millis(1_700_000_000_000);
        let start = start_event(&definition, r#"{"yes":true,"no":false}"#);
        let machine = Machine::start(definition, RunId::from_bytes(RUN), start, now).unwrap();
        Self::told_by(machine, now)
    }

    fn told_by(machine: Machine, now: Timestamp) -> Self {
        let mut story =
            Self { machine, history: Vec::new(), now, active: BTreeMap::new(), sent: Vec::new(), told: 0, requests: 0 };
        story.turn();
        story
    }

    /// The ended run is carried out anew from this step on, or the refusal.
    pub(super) fn rerun(&self, from: &str) -> Result<Self, String> {
        let definition = self.machine.definition().clone();
        let from = Name::new(from);
        let plan = machine::plan(&definition, self.state(), &from).map_err(|refusal| answer_word(&refusal))?;
        let carried = plan.into_iter().map(|(step, carried)| {
            let carried = match carried {
                Carried::Done(seq) => {
                    let recorded = &self.history[usize::try_from(seq.0).unwrap() - 1];
                    Carried::Done(recorded.event.payload().unwrap().clone())
                }
                Carried::Skipped(reason) => Carried::Skipped(reason),
                Carried::Failed(failure) => Carried::Failed(failure),
            };
            (step, carried)
        });
        let start = RunStarted {
            origin: Some(Origin::Rerun { run: RunId::from_bytes(RUN), from }),
            ..start_event(&definition, r#"{"yes":true,"no":false}"#)
        };
        let run = RunId::from_bytes([4; 16]);
        let machine = Machine::rerun(definition, run, start, carried.collect(), self.now).unwrap();
        Ok(Self::told_by(machine, self.now))
    }

    /// What was decided since this was asked last.
    pub(super) fn news(&mut self) -> Vec<String> {
        let news = self.history[self.told..].iter().map(|recorded| word(&recorded.event)).collect();
        self.told = self.history.len();
        news
    }

    pub(super) fn state(&self) -> &State {
        self.machine.state()
    }

    pub(super) fn status(&self) -> Status {
        self.state().status()
    }

    /// The latest request that was sent for one side of a step.
    pub(super) fn last_sent(&self, step: &str, side: Side) -> &Send {
        self.sent.iter().rev().find(|send| send.step.as_str() == step && send.side == side).unwrap()
    }

    /// How often one side of a step was sent.
    pub(super) fn times_sent(&self, step: &str, side: Side) -> usize {
        self.sent.iter().filter(|send| send.step.as_str() == step && send.side == side).count()
    }

    pub(super) fn failures(&self) -> Vec<String> {
        self.state().failures.iter().map(|each| format!("{} {}", each.step, each.failure.code)).collect()
    }

    /// A forward attempt is answered with this status.
    pub(super) fn answers(&mut self, step: &str, status: u16) {
        self.answers_with(step, status, &json!({ "of": step }));
    }

    pub(super) fn answers_with(&mut self, step: &str, status: u16, body: &Value) {
        self.ends(step, Side::Forward, answered(status, body));
        self.turn();
    }

    /// An attempt to undo a step is answered with this status.
    pub(super) fn undo_answers(&mut self, step: &str, status: u16) {
        self.ends(step, Side::Compensation, answered(status, &Value::Null));
        self.turn();
    }

    /// An attempt ended; no turn is taken yet.
    pub(super) fn ends(&mut self, step: &str, side: Side, outcome: AttemptOutcome) {
        let Send { step, side, attempt, .. } = self.take_send(step, side);
        self.machine.push(Input::AttemptEnded { step, side, attempt, outcome });
    }

    /// An attempt could not be sent for want of a secret; no turn is taken yet.
    pub(super) fn lacks_secret(&mut self, step: &str, side: Side) {
        let Send { step, side, attempt, .. } = self.take_send(step, side);
        let (reason, message) = (StuckReason::SecretMissing, "no secret".to_owned());
        self.machine.push(Input::AttemptNotSent { step, side, attempt, reason, message });
    }

    fn take_send(&mut self, step: &str, side: Side) -> Send {
        match self.active.remove(&Slot::Step(Name::new(step), side)) {
            Some(Command::Send(send)) => send,
            other => panic!("{side:?} of {step} is not in flight: {other:?}"),
        }
    }

    /// Time passes until the next timer fires.
    pub(super) fn wait(&mut self) -> String {
        let due = |command: &Command| match command {
            Command::SetTimer { due, .. } => Some(*due),
            Command::Send(_) | Command::ClearTimer { .. } => None,
        };
        let next = self.active.values().filter_map(due).min().unwrap();
        let waited = DisplayDuration(next.since(self.now)).to_string();
        self.now = self.now.max(next);
        self.fire();
        self.turn();
        waited
    }

    /// Time passes, and nobody notices yet.
    pub(super) fn sleep(&mut self, span: Duration) {
        self.now = self.now.after(span);
    }

    /// Hands over the timers that are due; no turn is taken yet.
    pub(super) fn fire(&mut self) {
        let due = |command: &Command| match command {
            Command::SetTimer { key, due } if *due <= self.now => Some(key.clone()),
            Command::SetTimer { .. } | Command::Send(_) | Command::ClearTimer { .. } => None,
        };
        let keys: Vec<TimerKey> = self.active.values().filter_map(due).collect();
        for key in keys {
            self.active.remove(&slot(&key));
            self.machine.push(Input::TimerFired(key));
        }
    }

    /// The timer of a forward retry is taken for due although it is not.
    pub(super) fn fires_early(&mut self, step: &str) {
        let key = TimerKey::Retry(Name::new(step), Side::Forward);
        if let Some(Command::SetTimer { .. }) = self.active.get(&slot(&key)) {
            self.active.remove(&slot(&key));
        }
        self.machine.push(Input::TimerFired(key));
        self.turn();
    }

    /// The process ends, and another one takes the run up.
    pub(super) fn crashes(&mut self) {
        self.active.clear();
        let state = self.refolded();
        self.machine = Machine::resume(self.machine.definition().clone(), state);
        self.machine.push(Input::Recovered);
        self.turn();
    }

    /// The process died of this run, and the next one sets it aside.
    pub(super) fn is_poison(&mut self) {
        let (reason, message) = (StuckReason::Poison, "the process died of it".to_owned());
        let event = Event::RunStuck { reason, message, parked: None };
        let seq = self.state().last.next();
        self.history.push(Recorded { seq, at: self.now, event });
        self.crashes();
    }

    fn refolded(&self) -> State {
        State::fold(self.state().run, self.history.iter().cloned()).unwrap()
    }

    /// Something is asked of the run; a turn is taken.
    pub(super) fn demand(&mut self, demand: Demand) -> String {
        self.requests += 1;
        let id = format!("request-{}", self.requests);
        self.demands(&id, demand);
        self.turn();
        self.answer_to(&id)
    }

    pub(super) fn cancel(&mut self) -> String {
        self.demand(Demand::Cancel { reason: None })
    }

    pub(super) fn terminate(&mut self) -> String {
        self.demand(Demand::Terminate { reason: None })
    }

    pub(super) fn pause(&mut self) -> String {
        self.demand(Demand::Pause)
    }

    pub(super) fn resume(&mut self) -> String {
        self.demand(Demand::Resume)
    }

    /// Whether nothing is in flight, and no timer is set.
    pub(super) fn rests(&self) -> bool {
        self.active.is_empty()
    }

    /// What a value step gave.
    pub(super) fn value(&self, step: &str) -> Value {
        let output = self.state().step(&Name::new(step)).output.clone().unwrap();
        serde_json::from_slice(&output.small.unwrap()).unwrap()
    }

    /// An operator speaks; a turn is taken.
    pub(super) fn resolve(&mut self, step: &str, action: Resolution) -> String {
        self.requests += 1;
        let id = format!("request-{}", self.requests);
        self.asks(&id, Some(step), action, (action == Resolution::Done).then_some(r#""by hand""#));
        self.turn();
        self.answer_to(&id)
    }

    /// An operator says that what the run as a whole was stuck on has been seen to.
    pub(super) fn unstick(&mut self) -> String {
        self.requests += 1;
        let id = format!("request-{}", self.requests);
        self.asks(&id, None, Resolution::Retry, None);
        self.turn();
        self.answer_to(&id)
    }

    /// A request comes; no turn is taken yet.
    pub(super) fn asks(&mut self, id: &str, step: Option<&str>, action: Resolution, output: Option<&str>) {
        let output = output.map(|output| Payload::json(output.as_bytes()));
        self.demands(id, Demand::Resolve { step: step.map(Name::new), action, output });
    }

    /// A request comes; no turn is taken yet.
    pub(super) fn demands(&mut self, id: &str, demand: Demand) {
        self.machine.push(Input::Request(Request { id: id.to_owned(), actor: "operator".to_owned(), demand }));
    }

    pub(super) fn answer_to(&self, id: &str) -> String {
        answer_word(&self.state().answers[id])
    }

    /// Decides; the state and what is in flight are held against the history.
    pub(super) fn turn(&mut self) {
        while let Progress::Needs(seqs) = self.machine.advance(self.now) {
            for seq in seqs {
                let recorded = &self.history[usize::try_from(seq.0).unwrap() - 1];
                self.machine.supply(seq, recorded.event.payload().unwrap().inline().unwrap().clone());
            }
        }
        let turn = self.machine.take_turn();
        self.history.extend(turn.events);
        for command in turn.commands {
            match command {
                Command::Send(send) => {
                    self.sent.push(send.clone());
                    let slot = Slot::Step(send.step.clone(), send.side);
                    self.active.insert(slot, Command::Send(send));
                }
                Command::SetTimer { ref key, .. } => drop(self.active.insert(slot(key), command)),
                Command::ClearTimer { key } => drop(self.active.remove(&slot(&key))),
            }
        }
        if self.state().end.is_some() {
            // A run that was terminated leaves its attempts to themselves.
            self.active.retain(|_, command| !matches!(command, Command::Send(_)));
        }
        assert_eq!(self.refolded(), *self.machine.state());
        assert_eq!(self.active.values().cloned().collect::<Vec<_>>(), self.machine.outstanding());
    }

    /// The body of the call that was rendered for one side of a step, the latest one.
    pub(super) fn rendered(&self, step: &str, side: Side) -> Value {
        let calls = self.history.iter().rev().find_map(|recorded| match (&recorded.event, side) {
            (Event::StepScheduled { step: own, call }, Side::Forward)
            | (Event::CompensationStarted { step: own, call }, Side::Compensation)
                if own.as_str() == step =>
            {
                Some(call)
            }
            _ => None,
        });
        serde_json::from_slice(calls.unwrap().payload().unwrap().inline().unwrap()).unwrap()
    }

    /// The output of the ended run.
    pub(super) fn output(&self) -> Value {
        let Event::RunCompleted { output, .. } = &self.history.last().unwrap().event else { panic!() };
        serde_json::from_slice(output.inline().unwrap()).unwrap()
    }

    /// The warnings of the ended run.
    pub(super) fn warnings(&self) -> Vec<String> {
        let (Event::RunCompleted { warnings, .. }
        | Event::RunCompensated { warnings }
        | Event::RunFailed { warnings, .. }
        | Event::RunCancelled { warnings, .. }) = &self.history.last().unwrap().event
        else {
            panic!("the run has not ended")
        };
        warnings.iter().map(|each| format!("{} {}", each.step, each.failure.code)).collect()
    }
}

pub(super) fn answered(status: u16, body: &Value) -> AttemptOutcome {
    let headers = vec![("content-type".to_owned(), "application/json".to_owned())];
    let body = Body::Whole(body.to_string().into_bytes().into());
    AttemptOutcome::Answered(Answered { status, retry_after: None, headers, body })
}

pub(super) fn lost() -> AttemptOutcome {
    AttemptOutcome::Lost { timed_out: true, message: "no answer in time".to_owned() }
}

fn slot(key: &TimerKey) -> Slot {
    match key {
        TimerKey::Retry(step, side) => Slot::Step(step.clone(), *side),
        TimerKey::RunTimeout => Slot::RunTimeout,
    }
}
