//! The services that a run calls: what they answer follows from the step, its side, and how often they were asked.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use engine_core::failure::Effect;
use engine_core::id::{IdempotencyKey, Side};
use engine_core::machine::{Answered, AttemptOutcome, Body, Send};

use crate::spec::Spec;

/// How an attempt ends.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Ending {
    Success,
    /// 2xx, and the body says that it is not as expected.
    Unexpected,
    /// 2xx with a body that is no JSON.
    Malformed,
    /// 2xx with a body beyond the limit.
    TooLarge,
    Refused,
    Gone,
    Redirected,
    TooMany,
    Conflict,
    Broken,
    Busy,
    TimedOut,
    Cut,
    NoConnection,
    Unsendable,
}

/// What an ending says, by the table of the semantics.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Says {
    pub(crate) again: bool,
    /// Whether the failure counts against `max_attempts`.
    pub(crate) counts: bool,
    pub(crate) effect: Effect,
    /// Whether a service that honours keys will refuse this one for ever.
    pub(crate) definite: bool,
}

impl Ending {
    pub(crate) const FAILURES: [Self; 14] = [
        Self::Unexpected,
        Self::Malformed,
        Self::TooLarge,
        Self::Refused,
        Self::Gone,
        Self::Redirected,
        Self::TooMany,
        Self::Conflict,
        Self::Broken,
        Self::Busy,
        Self::TimedOut,
        Self::Cut,
        Self::NoConnection,
        Self::Unsendable,
    ];

    /// The table "What an attempt's end says", for a forward attempt that expects `.output.ok`.
    pub(crate) fn says(self, idempotent: bool, expect: Effect) -> Says {
        let (again, effect) = match self {
            Self::Success => (false, Effect::Done),
            Self::Unexpected => (false, expect),
            Self::Malformed | Self::TooLarge | Self::Redirected => (false, Effect::Unknown),
            Self::Refused | Self::Gone | Self::Unsendable => (false, Effect::None),
            Self::TooMany | Self::NoConnection => (true, Effect::None),
            Self::Conflict | Self::Broken | Self::Busy | Self::TimedOut | Self::Cut => (true, Effect::Unknown),
        };
        Says { again, counts: !(self == Self::Conflict && idempotent), effect, definite: self == Self::Refused }
    }

    /// Whether a compensation that ends so has undone its step.
    pub(crate) fn undoes(self, forward: Effect) -> bool {
        match self {
            Self::Success | Self::Unexpected | Self::Malformed | Self::TooLarge => true,
            Self::Gone => forward == Effect::Unknown,
            _ => false,
        }
    }

    fn outcome(self, large: bool) -> AttemptOutcome {
        let body = |text: String| Body::Whole(text.into_bytes().into());
        let padding = "x".repeat(if large { 3_000 } else { 10 });
        let answered = |status, body| {
            let headers = vec![("content-type".to_owned(), "application/json".to_owned())];
            AttemptOutcome::Answered(Answered { status, retry_after: None, headers, body })
        };
        let asks_to_wait = |outcome| match outcome {
            AttemptOutcome::Answered(mut answered) => {
                answered.retry_after = Some(Duration::from_millis(700));
                AttemptOutcome::Answered(answered)
            }
            other => other,
        };
        match self {
            Self::Success => answered(200, body(format!(r#"{{"ok":true,"id":"a b","padding":"{padding}"}}"#))),
            Self::Unexpected => answered(200, body(format!(r#"{{"ok":false,"padding":"{padding}"}}"#))),
            Self::Malformed => answered(201, body("{".to_owned())),
            Self::TooLarge => answered(200, Body::TooLarge { limit: 10 }),
            Self::Refused => answered(422, body(r#"{"message":"no"}"#.to_owned())),
            Self::Gone => answered(404, body(String::new())),
            Self::Redirected => answered(302, body(String::new())),
            Self::TooMany => asks_to_wait(answered(429, body(String::new()))),
            Self::Conflict => answered(409, body(String::new())),
            Self::Broken => answered(500, body("oh".to_owned())),
            Self::Busy => asks_to_wait(answered(503, body(String::new()))),
            Self::TimedOut => AttemptOutcome::Lost { timed_out: true, message: "no answer in time".to_owned() },
            Self::Cut => AttemptOutcome::Lost { timed_out: false, message: "cut off".to_owned() },
            Self::NoConnection => AttemptOutcome::NotSent { message: "refused".to_owned() },
            Self::Unsendable => AttemptOutcome::Unsendable { message: "no such header".to_owned() },
        }
    }
}

/// What one side of a step is answered: some failures, then for ever the last.
#[derive(Clone, Debug)]
pub(crate) struct Script {
    pub(crate) first: Vec<Ending>,
    pub(crate) last: Ending,
}

impl Script {
    pub(crate) fn at(&self, asked: usize) -> Ending {
        self.first.get(asked).copied().unwrap_or(self.last)
    }
}

/// The services, and how often each key was seen.
#[derive(Clone, Debug)]
pub(crate) struct World {
    spec: Arc<Spec>,
    seen: BTreeMap<IdempotencyKey, usize>,
}

/// Whoever is asked so often for the same thing gives in: after the pivot a run asks without end.
const PATIENCE: usize = 40;

impl World {
    pub(crate) fn new(spec: Arc<Spec>) -> Self {
        Self { spec, seen: BTreeMap::new() }
    }

    /// The request arrives.
    pub(crate) fn answer(&mut self, send: &Send) -> (Ending, AttemptOutcome) {
        let step = self.spec.step(&send.step);
        let script = match send.side {
            Side::Forward => &step.forward,
            Side::Compensation => &step.undo,
        };
        let seen = self.seen.entry(send.key.clone()).or_default();
        let ending = if *seen > PATIENCE { Ending::Success } else { script.at(*seen) };
        *seen += 1;
        (ending, ending.outcome(step.large))
    }
}
