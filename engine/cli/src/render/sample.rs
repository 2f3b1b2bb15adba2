//! Runs made by hand, for tests.

use std::time::Duration;

use engine_core::call::{Call, HttpCall, Method, Target};
use engine_core::definition::Definition;
use engine_core::event::{Event, Recorded, RunStarted, StopCause, TriedAndFailed};
use engine_core::failure::{Effect, Failure};
use engine_core::id::{Name, RunId, Seq};
use engine_core::payload::Payload;
use engine_core::time::Timestamp;

const FILE: &str = r#"{
  "format": "engine/1", "name": "order_saga", "version": "1.0.0",
  "services": { "payment": { "url": "http://127.0.0.1:1" }, "order": { "url": "http://127.0.0.1:2" } },
  "steps": {
    "charge": { "http": { "service": "payment", "post": "/process" },
                "compensate": { "http": { "service": "payment", "post": "/refund" } } },
    "record": { "after": ["charge"], "http": { "service": "order", "post": "/create" }, "pivot": true },
    "tell": { "after": ["record"], "value": "\"told\"", "optional": true }
  },
  "on_failure": { "mark": { "http": { "service": "order", "post": "/failed" } } }
}"#;

/// The workflow that the runs belong to.
pub(crate) fn definition() -> Definition {
    Definition::from_json(FILE).unwrap()
}

/// The run's id.
pub(crate) fn run() -> RunId {
    RunId::new(Timestamp::from_millis(1_769_846_400_000), [7; 10])
}

fn at(millis: u64) -> Timestamp {
    Timestamp::from_millis(1_769_846_400_000 + millis)
}

fn call(service: &str, path: &str) -> Call {
    Call::Http(HttpCall {
        target: Target::Service { name: Name::new(service), path: path.to_owned() },
        method: Method::Post,
        query: Vec::new(),
        headers: Vec::new(),
        body: Some(Payload::json(*br#"{"order_id":"order-1001"}"#)),
    })
}

fn started() -> Event {
    Event::RunStarted(Box::new(RunStarted {
        workflow: Name::new("order_saga"),
        version: "1.0.0".to_owned(),
        definition: definition().digest(),
        children: Vec::new(),
        workflow_id: Some("order-1001".to_owned()),
        request_id: "r".to_owned(),
        actor: "ann".to_owned(),
        input: Payload::json(*br#"{"order_id":"order-1001"}"#),
        labels: vec![("team".to_owned(), "shop".to_owned())],
        priority: 0,
        start_at: None,
        expires_at: None,
        overrides: Vec::new(),
        parent: None,
        origin: None,
        traceparent: None,
        baggage: None,
        sampled: false,
    }))
}

fn until_undo() -> Vec<(u64, Event)> {
    let (charge, record) = (Name::new("charge"), Name::new("record"));
    let refused = Failure::new("HTTP_422", "answered 422: no such item").with_status(422);
    vec![
        (0, started()),
        (0, Event::StepScheduled { step: charge.clone(), call: call("payment", "/process") }),
        (
            100,
            Event::AttemptFailed(TriedAndFailed {
                step: charge.clone(),
                attempt: 1,
                started_at: at(0),
                failure: Failure::new("HTTP_503", "answered 503").with_status(503),
                effect: Effect::Unknown,
                count: 1,
                delay: Duration::from_millis(400),
                due: at(500),
            }),
        ),
        (500, Event::AttemptStarted { step: charge.clone(), side: engine_core::id::Side::Forward, attempt: 2 }),
        (
            550,
            Event::StepCompleted {
                step: charge.clone(),
                attempt: 2,
                started_at: at(500),
                status: Some(200),
                output: Payload::json(*br#"{"transaction_id":"t-1"}"#),
            },
        ),
        (550, Event::StepScheduled { step: record.clone(), call: call("order", "/create") }),
        (
            600,
            Event::StepFailed {
                step: record.clone(),
                attempt: 1,
                started_at: at(550),
                failure: refused,
                effect: Effect::None,
                fatal: true,
                output: None,
            },
        ),
        (600, Event::StopBegan { cause: StopCause::StepFailed(record) }),
        (600, Event::CompensationStarted { step: charge, call: call("payment", "/refund") }),
    ]
}

fn recorded(events: Vec<(u64, Event)>) -> Vec<Recorded> {
    (1..).zip(events).map(|(seq, (millis, event))| Recorded { seq: Seq(seq), at: at(millis), event }).collect()
}

/// A run that was undone.
pub(crate) fn compensated() -> Vec<Recorded> {
    let mut events = until_undo();
    let step = Name::new("charge");
    events.push((630, Event::CompensationCompleted { step, attempt: 1, started_at: at(600), status: Some(200) }));
    events.push((630, Event::RunCompensated { warnings: Vec::new() }));
    recorded(events)
}

/// A run whose compensation was refused.
pub(crate) fn stuck() -> Vec<Recorded> {
    let mut events = until_undo();
    let failure = Failure::new("HTTP_422", "answered 422: too late").with_status(422);
    let step = Name::new("charge");
    events.push((
        630,
        Event::CompensationFailed { step, attempt: 1, started_at: at(600), failure, effect: Effect::None },
    ));
    recorded(events)
}
