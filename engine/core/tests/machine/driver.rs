//! Carries out what a machine decides: delivers results in any order, fires timers, crashes, resolves what is stuck.
//! After every turn it holds the machine against its own history.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use engine_core::definition::Definition;
use engine_core::event::{Event, Recorded, RunStarted, StuckReason};
use engine_core::id::{IdempotencyKey, Name, RunId, Seq, Side};
use engine_core::machine::{Command, Input, Machine, Progress, Send, Slot, TimerKey, Turn};
use engine_core::payload::Payload;
use engine_core::request::{Demand, Request, RequestKind, Resolution};
use engine_core::state::{Activity, State, Status};
use engine_core::time::Timestamp;

use crate::asked::{accepted, retried};
use crate::random::Random;
use crate::spec::Spec;
use crate::world::{Ending, World};

/// How a run is driven, apart from what its world does.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Plan {
    /// The process ends abruptly up to so often.
    pub(crate) crashes: usize,
    /// Attempts that are not sent for want of a secret.
    pub(crate) unsent: usize,
    /// Requests from outside, beside those that see to something stuck.
    pub(crate) requests: usize,
    pub(crate) supply: Supply,
    /// Whether the machine is made anew from the history before every turn, with everything still in flight.
    pub(crate) anew: bool,
}

/// How payloads are supplied.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Supply {
    /// All, before they are asked for.
    Ahead,
    /// Those that are asked for.
    AsAsked,
    /// The first of those that are asked for.
    OneByOne,
}

impl Plan {
    pub(crate) const CALM: Self = Self { crashes: 0, unsent: 0, requests: 0, supply: Supply::AsAsked, anew: false };
}

/// Everything about a run but the machine.
#[derive(Clone, Debug)]
pub(crate) struct Scene {
    pub(crate) spec: Arc<Spec>,
    pub(crate) definition: Arc<Definition>,
    pub(crate) history: Vec<Recorded>,
    /// The positions after each turn.
    pub(crate) turns: Vec<usize>,
    /// What is in flight.
    pub(crate) active: BTreeMap<Slot, Command>,
    /// How attempts ended.
    pub(crate) endings: BTreeMap<(Name, Side, u32), Ending>,
    /// Steps whose forward attempts were cut off.
    pub(crate) cut_off: BTreeSet<Name>,
    pub(crate) sends: Vec<Send>,
    plan: Plan,
    world: World,
    random: Random,
    now: Timestamp,
    keys: BTreeMap<(Name, Side), IdempotencyKey>,
    retried: BTreeSet<(Name, Side)>,
    requests: usize,
    /// Steps that an operator had tried again, and whose attempt is not sent yet.
    owed: BTreeSet<(Name, Side)>,
    /// Forward attempts that a step was granted: its first, those of an operator, those that were never sent.
    granted: BTreeMap<Name, usize>,
}

/// A run and its machine.
pub(crate) struct Driver {
    pub(crate) scene: Scene,
    machine: Machine,
    shadow: State,
}

const RUN: [u8; 16] = [9; 16];

pub(crate) fn start_event(definition: &Definition, input: &str) -> RunStarted {
    RunStarted {
        workflow: definition.name().clone(),
        version: definition.version().to_owned(),
        definition: definition.digest(),
        children: Vec::new(),
        workflow_id: None,
        request_id: "start".to_owned(),
        actor: "test".to_owned(),
        input: Payload::json(input.as_bytes()),
        labels: Vec::new(),
        priority: 0,
        start_at: None,
        expires_at: None,
        overrides: Vec::new(),
        parent: None,
        origin: None,
        traceparent: None,
        baggage: None,
        sampled: false,
    }
}

impl Driver {
    pub(crate) fn new(spec: &Arc<Spec>, plan: Plan) -> Self {
        let definition = Definition::from_json(&spec.file()).unwrap_or_else(|errors| panic!("{errors}"));
        let definition = Arc::new(definition);
        let now = Timestamp::from_millis(1_000_000);
        let input = format!(r#"{{"yes":true,"no":false,"padding":"{}"}}"#, "x".repeat(2_000));
        let start = start_event(&definition, &input);
        let machine = Machine::start(definition.clone(), RunId::from_bytes(RUN), start, now).unwrap();
        let shadow = machine.state().clone();
        let scene = Scene {
            spec: spec.clone(),
            definition,
            history: Vec::new(),
            turns: Vec::new(),
            active: BTreeMap::new(),
            endings: BTreeMap::new(),
            cut_off: BTreeSet::new(),
            sends: Vec::new(),
            plan,
            world: World::new(spec.clone()),
            random: Random(spec.seed),
            now,
            keys: BTreeMap::new(),
            retried: BTreeSet::new(),
            requests: 0,
            owed: BTreeSet::new(),
            granted: BTreeMap::new(),
        };
        let mut driver = Self { scene, machine, shadow };
        driver.turn();
        driver
    }

    /// Takes the run up from a scene of it, in a new process.
    pub(crate) fn after_crash(scene: Scene) -> Self {
        let machine = scene.machine();
        let shadow = machine.state().clone();
        let mut driver = Self { scene, machine, shadow };
        driver.crash();
        driver
    }

    pub(crate) fn state(&self) -> &State {
        self.machine.state()
    }

    /// Drives the run to its end. `each` sees every scene.
    pub(crate) fn finish(mut self, mut each: impl FnMut(&Scene)) -> Scene {
        let bound = 4_000 + 200 * self.scene.spec.steps.len();
        while self.state().end.is_none() {
            each(&self.scene);
            assert!(self.scene.turns.len() < bound, "the run does not end");
            self.happen();
        }
        each(&self.scene);
        assert_eq!(self.scene.refolded(), *self.state());
        self.scene
    }

    /// Something happens, and a turn is taken.
    fn happen(&mut self) {
        let scene = &mut self.scene;
        if scene.plan.crashes > 0 && scene.random.once_in(6) {
            scene.plan.crashes -= 1;
            self.crash();
            return;
        }
        if scene.plan.anew {
            self.machine = scene.machine();
            let turn = scene.decide(&mut self.machine);
            let active: Vec<_> = scene.active.values().cloned().collect();
            assert_eq!((turn.events, turn.commands), (Vec::new(), active), "what a run that is taken up does");
        }
        let moves = self.deliver() | self.resolve_something() | self.resume_perhaps();
        self.meddle();
        self.pass_time(!moves);
        self.turn();
    }

    /// The process ends and another one takes the run up. Requests in flight may have arrived or not.
    fn crash(&mut self) {
        let scene = &mut self.scene;
        for command in std::mem::take(&mut scene.active).into_values() {
            let Command::Send(send) = command else { continue };
            if scene.random.once_in(2) {
                scene.world.answer(&send);
            }
            if send.side == Side::Forward {
                scene.cut_off.insert(send.step);
            }
        }
        if scene.plan.requests > 0 && self.machine.state().end.is_none() && scene.random.once_in(6) {
            // It died of this run, or so it seems: the next process sets the run aside.
            let (reason, message) = (StuckReason::Poison, "the process died of it".to_owned());
            let seq = Seq(scene.history.len() as u64).next();
            let event = Event::RunStuck { reason, message, parked: None };
            let recorded = Recorded { seq, at: scene.now, event };
            self.shadow.apply(&recorded);
            scene.history.push(recorded);
        }
        self.machine = scene.machine();
        self.machine.push(Input::Recovered);
        self.meddle();
        self.turn();
    }

    /// Somebody asks for something, perhaps under an id that was used before.
    fn meddle(&mut self) {
        let scene = &mut self.scene;
        while scene.plan.requests > 0 && scene.random.once_in(3) {
            scene.plan.requests -= 1;
            let demand = match scene.random.below(14) {
                0..4 => Demand::Pause,
                4..6 => Demand::Resume,
                6..10 => Demand::Signal { name: Name::new("go"), payload: Payload::json(*b"1") },
                10..12 => Demand::Cancel { reason: None },
                12 => Demand::Rerun { from: Name::new("s") },
                _ if scene.random.once_in(2) => Demand::Terminate { reason: None },
                _ => Demand::Delete,
            };
            let id = format!("meddling-{}", scene.random.below(12));
            self.machine.push(Input::Request(Request { id, actor: "operator".to_owned(), demand }));
        }
    }

    /// A paused run is resumed now and then, at the latest where nothing else moves. True where it is.
    fn resume_perhaps(&mut self) -> bool {
        let scene = &mut self.scene;
        if !self.machine.state().paused || !(scene.active.is_empty() || scene.random.once_in(4)) {
            return false;
        }
        scene.requests += 1;
        let id = format!("request-{}", scene.requests);
        self.machine.push(Input::Request(Request { id, actor: "operator".to_owned(), demand: Demand::Resume }));
        true
    }

    /// Some results come. True where there were any.
    fn deliver(&mut self) -> bool {
        let scene = &mut self.scene;
        let sends = scene.active.values().filter_map(|command| match command {
            Command::Send(send) => Some(send.clone()),
            Command::SetTimer { .. } | Command::ClearTimer { .. } => None,
        });
        let mut sends: Vec<Send> = sends.collect();
        let (any, batch) = (!sends.is_empty(), scene.random.below(4));
        for _ in 0..batch.min(sends.len()) {
            let send = sends.swap_remove(scene.random.below(sends.len()));
            scene.active.remove(&Slot::Step(send.step.clone(), send.side));
            let Send { step, side, attempt, .. } = send.clone();
            if scene.plan.unsent > 0 && scene.random.once_in(8) {
                scene.plan.unsent -= 1;
                *scene.granted.entry(step.clone()).or_default() += usize::from(side == Side::Forward);
                let (reason, message) = (StuckReason::SecretMissing, "no secret".to_owned());
                self.machine.push(Input::AttemptNotSent { step, side, attempt, reason, message });
                continue;
            }
            let (ending, outcome) = scene.world.answer(&send);
            scene.endings.insert((step.clone(), side, attempt), ending);
            self.machine.push(Input::AttemptEnded { step, side, attempt, outcome });
        }
        any
    }

    /// An operator sees to something that is stuck. True where there was anything.
    fn resolve_something(&mut self) -> bool {
        let scene = &mut self.scene;
        let state = self.machine.state();
        let hurries = scene.random.once_in(12);
        if state.status() != Status::Stuck && !hurries {
            return false;
        }
        let stuck = state.steps().flat_map(|(name, _)| [(name, Side::Forward), (name, Side::Compensation)]);
        let stuck = stuck.filter(|(name, side)| state.activity(name, *side) == Activity::Stuck);
        let stuck: Vec<_> = stuck.map(|(name, side)| (name.clone(), side)).collect();
        let whole = !state.stuck.is_empty() && (stuck.is_empty() || scene.random.once_in(2));
        scene.requests += 1;
        let (step, action) = if whole || stuck.is_empty() {
            (None, Resolution::Retry)
        } else {
            let (name, side) = stuck[scene.random.below(stuck.len())].clone();
            let again = scene.random.once_in(2) && scene.retried.insert((name.clone(), side));
            let word = match (side, scene.spec.step(&name).word) {
                _ if again => Resolution::Retry,
                (Side::Compensation, Resolution::Fail) => Resolution::Skip,
                (_, word) => word,
            };
            if again && side == Side::Forward {
                *scene.granted.entry(name.clone()).or_default() += scene.spec.step(&name).max_attempts as usize;
            }
            (Some(name), word)
        };
        let output = (action == Resolution::Done).then(|| Payload::json(*br#"{"ok":true,"id":"by hand"}"#));
        let id = format!("request-{}", scene.requests);
        let demand = Demand::Resolve { step, action, output };
        self.machine.push(Input::Request(Request { id, actor: "operator".to_owned(), demand }));
        true
    }

    /// Time passes; what is due fires.
    fn pass_time(&mut self, nothing_else: bool) {
        let scene = &mut self.scene;
        scene.now = scene.now.after(Duration::from_millis(scene.random.below(50) as u64));
        let timers = |active: &BTreeMap<Slot, Command>| -> Vec<(Timestamp, TimerKey)> {
            let timers = active.values().filter_map(|command| match command {
                Command::SetTimer { key, due } => Some((*due, key.clone())),
                Command::Send(_) | Command::ClearTimer { .. } => None,
            });
            timers.collect()
        };
        let next = timers(&scene.active).into_iter().min();
        if let Some((due, _)) = &next
            && (nothing_else || scene.random.once_in(5))
        {
            scene.now = scene.now.max(*due);
        }
        assert!(!nothing_else || next.is_some(), "nothing moves: {:#?}", self.machine.state());
        for (due, key) in timers(&scene.active) {
            if due <= scene.now {
                scene.active.remove(&slot(&key));
                self.machine.push(Input::TimerFired(key));
            }
        }
    }

    /// Decides, "commits", and holds the state and what is in flight against what they should be.
    fn turn(&mut self) {
        let scene = &mut self.scene;
        let turn = scene.decide(&mut self.machine);
        for recorded in &turn.events {
            if recorded.seq != Seq(1) {
                self.shadow.apply(recorded);
            }
            scene.history.push(recorded.clone());
            assert_eq!(recorded.seq.0, scene.history.len() as u64);
        }
        assert_eq!(self.shadow, *self.machine.state(), "folding the history gives another state");
        scene.turns.push(scene.history.len());
        // They may be sent under a new key, and although the run stopped.
        scene.owed.extend(retried(&turn.events));
        for command in turn.commands {
            scene.hand_out(command, &turn.events, self.machine.state());
        }
        if self.machine.state().end.is_some() {
            // What is in flight is left to itself.
            self.scene.active.retain(|_, command| !matches!(command, Command::Send(_)));
        }
        assert_eq!(self.machine.state().status(), self.scene.status(self.machine.state()));
        let active: Vec<_> = self.scene.active.values().cloned().collect();
        assert_eq!(active, self.machine.outstanding(), "what was handed out is not what should be in flight");
    }
}

impl Scene {
    /// A machine as the history gives it.
    pub(crate) fn machine(&self) -> Machine {
        Machine::resume(self.definition.clone(), self.refolded())
    }

    pub(crate) fn refolded(&self) -> State {
        State::fold(RunId::from_bytes(RUN), self.history.iter().cloned()).unwrap()
    }

    /// Advances until all is settled, and takes the turn.
    pub(crate) fn decide(&self, machine: &mut Machine) -> Turn {
        let payload = |seq: Seq| {
            let recorded = usize::try_from(seq.0 - 1).ok().and_then(|place| self.history.get(place));
            recorded.unwrap().event.payload().unwrap().inline().unwrap().clone()
        };
        if self.plan.supply == Supply::Ahead {
            for recorded in self.history.iter().filter(|recorded| recorded.event.payload().is_some()) {
                machine.supply(recorded.seq, payload(recorded.seq));
            }
        }
        for _ in 0..1_000 {
            let Progress::Needs(seqs) = machine.advance(self.now) else { return machine.take_turn() };
            let most = if self.plan.supply == Supply::OneByOne { 1 } else { seqs.len() };
            assert!(!seqs.is_empty());
            for seq in seqs.into_iter().take(most) {
                machine.supply(seq, payload(seq));
            }
        }
        panic!("payloads are asked for without end");
    }

    /// Takes note of a command, and checks what is sent.
    fn hand_out(&mut self, command: Command, events: &[Recorded], state: &State) {
        match command {
            Command::SetTimer { ref key, .. } => {
                let before = self.active.insert(slot(key), command);
                assert!(!matches!(before, Some(Command::Send(_))), "a timer in place of an attempt in flight");
            }
            Command::ClearTimer { key } => {
                let before = self.active.remove(&slot(&key));
                assert!(!matches!(before, Some(Command::Send(_))), "a timer that stands for an attempt in flight");
            }
            Command::Send(send) => {
                let slot = Slot::Step(send.step.clone(), send.side);
                let before = self.active.insert(slot, Command::Send(send.clone()));
                assert!(!matches!(before, Some(Command::Send(_))), "two attempts of one side are in flight");
                self.check_send(&send, events, state);
                self.sends.push(send);
            }
        }
    }

    /// The status by what is in flight.
    fn status(&self, state: &State) -> Status {
        if let Some(end) = &state.end {
            return end.status;
        }
        let is_attempt = |command: &&Command| matches!(command, Command::Send(_));
        let is_retry = |command: &&Command| matches!(command, Command::SetTimer { key: TimerKey::Retry(..), .. });
        let flies = self.active.values().any(|command| is_attempt(&command));
        let waits = self.active.values().any(|command| is_retry(&command));
        let sides = |name| [(name, Side::Forward), (name, Side::Compensation)];
        let stuck = !state.stuck.is_empty()
            || state
                .steps()
                .flat_map(|(name, _)| sides(name))
                .any(|(name, side)| state.activity(name, side) == Activity::Stuck);
        match (state.paused, stuck && !flies && !waits, state.stop.is_some(), flies, waits) {
            (true, ..) => Status::Paused,
            (_, true, ..) => Status::Stuck,
            (_, _, true, ..) => Status::Compensating,
            (_, _, _, false, true) => Status::Waiting,
            _ => Status::Running,
        }
    }

    fn check_send(&mut self, send: &Send, events: &[Recorded], state: &State) {
        let place = self.spec.steps.iter().position(|step| step.name == send.step).unwrap();
        let resolved = self.owed.remove(&(send.step.clone(), send.side));
        let pauses = |recorded: &Recorded| accepted(&recorded.event) == Some(&RequestKind::Pause);
        // What began in the turn of the pause, before it, is sent.
        assert!(!state.holds_back() || events.iter().any(pauses), "{} is sent although the run is paused", send.step);
        let (forward, own) = (send.side == Side::Forward, place < self.spec.main);
        assert!(!(forward && own && state.stop.is_some()) || resolved, "{} begins after the stop", send.step);
        let call = &self.history[usize::try_from(send.call.0).unwrap() - 1].event;
        match call {
            Event::StepScheduled { step, .. } => assert!(forward && *step == send.step),
            Event::CompensationStarted { step, .. } => assert!(!forward && *step == send.step),
            other => panic!("the call of {send:?} is {other:?}"),
        }
        let side = (send.step.clone(), send.side);
        let known = self.keys.insert(side.clone(), send.key.clone());
        assert!(known.is_none_or(|known| known == send.key || resolved), "{} has a new key", send.step);
        let shared = self.keys.iter().any(|(other, key)| *other != side && *key == send.key);
        assert!(!shared, "{} shares its key", send.step);
        let forward_key = self.keys.get(&(send.step.clone(), Side::Forward));
        assert_eq!(send.key_of.as_ref(), forward_key.filter(|_| !forward));
        if forward && self.spec.steps[place].max_attempts == 1 {
            let earlier = self.sends.iter().filter(|sent| sent.side == send.side && sent.step == send.step).count();
            let granted = 1 + self.granted.get(&send.step).copied().unwrap_or_default();
            assert!(earlier < granted, "{} runs more than once", send.step);
        }
    }
}

fn slot(key: &TimerKey) -> Slot {
    match key {
        TimerKey::Retry(step, side) => Slot::Step(step.clone(), *side),
        TimerKey::RunTimeout => Slot::RunTimeout,
    }
}
