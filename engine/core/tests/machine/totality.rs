//! Nothing makes the fold or the decider panic: any events in any order, then any inputs.

use std::sync::Arc;
use std::time::Duration;

use engine_core::call::{Call, HttpCall, Method, Target};
use engine_core::definition::Definition;
use engine_core::event::{CancelCause, Event, Recorded, SkipReason, StopCause, StuckReason, TriedAndFailed};
use engine_core::failure::{Effect, Failure};
use engine_core::id::{Name, RunId, Seq, Side};
use engine_core::machine::{Again, AttemptOutcome, Input, Machine, Progress, TaskFailure, TimerKey};
use engine_core::payload::Payload;
use engine_core::request::{Answer, Demand, Request, RequestKind, Resolution};
use engine_core::state::State;
use engine_core::time::Timestamp;
use proptest::collection::vec;
use proptest::prelude::*;

use crate::driver::start_event;
use crate::random::Random;

const RUN: [u8; 16] = [7; 16];
const FILE: &str = r#"{
    "format": "engine/1", "name": "any", "version": "1", "timeout": "1m",
    "services": { "plain": { "url": "http://plain.test" } },
    "steps": {
        "a": { "http": { "service": "plain", "post": "/do", "body": "${ .key }" },
               "compensate": { "http": { "service": "plain", "post": "/undo/${ .steps.a }" } } },
        "o": { "http": { "service": "plain", "post": "/do" }, "optional": true,
               "compensate": { "http": { "service": "plain", "post": "/undo" }, "retry": { "max_attempts": 1 } } },
        "p": { "after": ["a", "o"], "http": { "service": "plain", "post": "/do" }, "pivot": true },
        "v": { "after": ["p"], "value": "${ .steps.p + 1 }" },
        "b": { "after": ["p"], "http": { "service": "plain", "post": "/do" }, "on_unknown": "stuck",
               "compensate": { "http": { "service": "plain", "post": "/undo" } } }
    },
    "on_failure": { "tell": { "http": { "service": "plain", "post": "/tell", "body": "${ .error }" } } }
}"#;

impl Random {
    fn one_of<T: Clone>(&mut self, choices: &[T]) -> T {
        choices[self.below(choices.len())].clone()
    }

    fn name(&mut self) -> Name {
        Name::new(self.one_of(&["a", "o", "p", "v", "b", "tell", "nobody"]))
    }

    fn side(&mut self) -> Side {
        self.one_of(&[Side::Forward, Side::Compensation])
    }

    fn effect(&mut self) -> Effect {
        self.one_of(&[Effect::None, Effect::Unknown, Effect::Done])
    }

    fn attempt(&mut self) -> u32 {
        self.one_of(&[0, 1, 1, 2, 3, u32::MAX])
    }

    fn at(&mut self) -> Timestamp {
        Timestamp::from_millis(self.one_of(&[0, 1_000, 100_000, u64::MAX]))
    }

    fn payload(&mut self) -> Payload {
        Payload::json(self.one_of(&["null", "1", "{", r#"{"a":[]}"#]).as_bytes())
    }

    fn resolution(&mut self) -> Resolution {
        self.one_of(&[Resolution::Retry, Resolution::Done, Resolution::Skip, Resolution::Fail])
    }

    fn reason(&mut self) -> StuckReason {
        self.one_of(&[
            StuckReason::SecretMissing,
            StuckReason::AddressMissing,
            StuckReason::Poison,
            StuckReason::TaskMissing,
        ])
    }

    fn answer(&mut self) -> Answer {
        self.one_of(&[Answer::Accepted, Answer::Accepted, Answer::NoOp, Answer::Held, Answer::refused("NO", "no")])
    }

    fn call(&mut self) -> Call {
        let target = Target::Service { name: Name::new("plain"), path: "/do".to_owned() };
        Call::Http(HttpCall {
            target,
            method: Method::Post,
            query: vec![],
            headers: vec![],
            body: Some(self.payload()),
        })
    }

    fn tried(&mut self) -> TriedAndFailed {
        TriedAndFailed {
            step: self.name(),
            attempt: self.attempt(),
            started_at: self.at(),
            failure: Failure::new("ANY", "any"),
            effect: self.effect(),
            count: self.attempt(),
            delay: self.one_of(&[Duration::ZERO, Duration::MAX]),
            due: self.at(),
        }
    }

    fn demand(&mut self) -> Demand {
        match self.below(8) {
            0 => Demand::Signal { name: self.name(), payload: self.payload() },
            1 => Demand::Cancel { reason: None },
            2 if self.once_in(3) => Demand::Terminate { reason: None },
            3 => Demand::Pause,
            4 => Demand::Resume,
            5 => Demand::Rerun { from: self.name() },
            6 => Demand::Delete,
            _ => {
                let step = if self.once_in(3) { None } else { Some(self.name()) };
                let output = if self.once_in(3) { None } else { Some(self.payload()) };
                Demand::Resolve { step, action: self.resolution(), output }
            }
        }
    }

    fn event(&mut self) -> Event {
        let (step, failure, started_at) = (self.name(), Failure::new("ANY", "any"), self.at());
        let (attempt, effect) = (self.attempt(), self.effect());
        match self.below(26) {
            0 => Event::StopBegan {
                cause: self.one_of(&[StopCause::StepFailed(step), StopCause::Timeout, StopCause::Cancelled]),
            },
            1 => {
                let parked = if self.once_in(3) { None } else { Some((step, self.side())) };
                Event::RunStuck { reason: self.reason(), message: String::new(), parked }
            }
            2 => Event::RunUnstuck,
            3 => Event::RecoveryNoted { cut_off: vec![(step, self.side()), (self.name(), self.side())] },
            4..7 => Event::StepScheduled { step, call: self.call() },
            7..9 => Event::AttemptStarted { step, side: self.side(), attempt },
            9 if self.once_in(2) => {
                Event::StepCheckpointed { step, side: self.side(), attempt, checkpoint: self.payload() }
            }
            9 => Event::AttemptFailed(self.tried()),
            10..12 => Event::StepCompleted { step, attempt, started_at, status: None, output: self.payload() },
            12 => {
                let fatal = self.once_in(2);
                Event::StepFailed { step, attempt, started_at, failure, effect, fatal, output: Some(self.payload()) }
            }
            13 => Event::StepSkipped { step, reason: self.one_of(&[SkipReason::Condition, SkipReason::Operator]) },
            14 => Event::StepStuck { step, attempt, started_at, failure, effect },
            15..18 => {
                let demand = self.demand();
                let (kind, payload) = (demand.kind(), demand.payload().cloned());
                let kind = if self.once_in(9) { RequestKind::Timeout } else { kind };
                let (id, actor) = (self.below(9).to_string(), String::new());
                Event::RequestAnswered { id, kind, actor, payload, answer: self.answer() }
            }
            18 => Event::RequestSettled { id: self.below(9).to_string(), answer: self.answer() },
            19 => Event::StepCarried { step, output: self.payload() },
            20 => Event::CompensationStarted { step, call: self.call() },
            21 => Event::CompensationAttemptFailed(self.tried()),
            22 => Event::CompensationCompleted { step, attempt, started_at, status: None },
            23 => Event::CompensationFailed { step, attempt, started_at, failure, effect },
            24 => Event::CompensationSkipped { step },
            _ if self.once_in(8) => {
                Event::RunCancelled { cause: CancelCause::Terminated, warnings: vec![], residue: vec![step] }
            }
            _ => Event::RunUnstuck,
        }
    }

    fn input(&mut self) -> Input {
        let (step, side, attempt, message) = (self.name(), self.side(), self.attempt(), String::new());
        match self.below(13) {
            0..3 => {
                let outcome = self.one_of(&[
                    super::cases::answer(200),
                    super::cases::answer(422),
                    super::cases::answer(503),
                    AttemptOutcome::Lost { timed_out: true, message },
                ]);
                Input::AttemptEnded { step, side, attempt, outcome }
            }
            3 => Input::AttemptNotSent { step, side, attempt, reason: self.reason(), message },
            4 => Input::TimerFired(TimerKey::Retry(step, side)),
            5 => Input::TimerFired(TimerKey::RunTimeout),
            6 => Input::Recovered,
            7 => Input::Equipped,
            8 => Input::Checkpoint { step, side, attempt, checkpoint: self.payload() },
            9 => {
                let failure = Failure::new("ANY", "any");
                let not_before = None;
                let again = self.one_of(&[Again::No, Again::Yes { not_before }, Again::InWork { not_before }]);
                let failed = TaskFailure { failure, again, did_nothing: self.once_in(2), settles: self.once_in(2) };
                let given = AttemptOutcome::Gave((*b"{}").into());
                let outcome = if self.once_in(2) { given } else { AttemptOutcome::Failed(failed) };
                Input::AttemptEnded { step, side, attempt, outcome }
            }
            _ => {
                let (id, actor) = (self.below(12).to_string(), String::new());
                Input::Request(Request { id, actor, demand: self.demand() })
            }
        }
    }
}

/// Takes a turn, whatever payloads it needs.
fn turn(machine: &mut Machine, history: &mut Vec<Recorded>, now: Timestamp) {
    for _ in 0..200 {
        let Progress::Needs(seqs) = machine.advance(now) else { break };
        for seq in seqs {
            machine.supply(seq, (*b"null").into());
        }
    }
    let decided = machine.take_turn();
    history.extend(decided.events);
}

proptest! {
    /// Whatever stands in a history can be folded, whatever a run is told then is taken, and what was decided folds to
    /// the state that it was decided in.
    #[test]
    fn any_events_fold_and_any_inputs_are_taken(seed in any::<u64>(), events in 0..60usize, turns in vec(0..6usize, 0..12)) {
        let mut random = Random(seed);
        let definition = Arc::new(Definition::from_json(FILE).unwrap());
        let start = Event::RunStarted(Box::new(start_event(&definition, "{}")));
        let mut history = vec![Recorded { seq: Seq(1), at: Timestamp::from_millis(5), event: start }];
        for seq in (2u64..).take(events) {
            history.push(Recorded { seq: Seq(seq), at: random.at(), event: random.event() });
        }
        let state = State::fold(RunId::from_bytes(RUN), history.iter().cloned()).unwrap();
        let mut machine = Machine::resume(definition, state);
        for inputs in turns {
            for _ in 0..inputs {
                machine.push(random.input());
            }
            turn(&mut machine, &mut history, random.at());
            prop_assert_eq!(&State::fold(RunId::from_bytes(RUN), history.iter().cloned()).unwrap(), machine.state());
        }
    }
}
