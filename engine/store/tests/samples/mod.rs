//! One of each: every variant of every event, and every kind of row.
#![allow(unreachable_pub)]

use std::time::Duration;

use engine_core::call::{Call, HttpCall, Method, Target, TaskCall};
use engine_core::event::{
    CancelCause, Event, Origin, Parent, Recorded, RunStarted, SkipReason, StopCause, StuckReason, TriedAndFailed,
};
use engine_core::failure::{Effect, Failure, StepFailure};
use engine_core::id::{Digest, Name, RunId, Seq, Side};
use engine_core::payload::{ContentType, Payload};
use engine_core::request::{Answer, RequestKind, Resolution};
use engine_core::task::TaskName;
use engine_core::time::Timestamp;
use engine_store::codec::{State, TimerOf};
use engine_store::{Claim, ClaimState, Class, InboxRow, IndexRow, Status, TimerClock, TimerKey, TimerRow};

pub fn run() -> RunId {
    RunId::from_bytes([1, 146, 4, 5, 6, 7, 120, 9, 138, 11, 12, 13, 14, 15, 16, 17])
}

pub fn digest() -> Digest {
    Digest::from_bytes(*b"0123456789abcdefghijklmnopqrstuv")
}

pub fn at(millis: u64) -> Timestamp {
    Timestamp::from_millis(1_767_225_600_000 + millis)
}

pub fn recorded(seq: u64, event: Event) -> Recorded {
    Recorded { seq: Seq(seq), at: at(seq), event }
}

pub fn large(len: usize) -> Event {
    Event::RunCompleted { output: Payload::json(vec![b'7'; len]), warnings: Vec::new(), residue: Vec::new() }
}

fn charge() -> Name {
    Name::new("charge")
}

fn json() -> Payload {
    Payload::json(*br#"{"amount": 4200}"#)
}

fn blob() -> Payload {
    Payload::Blob { content_type: ContentType::Json, digest: digest(), len: 70_000 }
}

fn failure() -> Failure {
    Failure::new("HTTP_503", "the service is not available").with_status(503)
}

fn warnings() -> Vec<StepFailure> {
    vec![StepFailure { step: Name::new("notify"), failure: Failure::new("TIMEOUT", "no answer in 10s") }]
}

fn call(method: Method, target: Target, body: Option<Payload>) -> Call {
    let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
    let (query, headers) = (vec![pair("dry", "no")], vec![pair("x-tenant", "acme")]);
    Call::Http(HttpCall { target, method, query, headers, body })
}

fn tried(effect: Effect) -> TriedAndFailed {
    TriedAndFailed {
        step: charge(),
        attempt: 3,
        started_at: at(5),
        failure: failure(),
        effect,
        count: 1,
        delay: Duration::from_millis(1_250),
        due: at(1_255),
    }
}

fn started(full: bool) -> Event {
    let text = |text: &str| full.then(|| text.to_owned());
    let pairs = |name: &str, value: &str| if full { vec![(name.to_owned(), value.to_owned())] } else { Vec::new() };
    Event::RunStarted(Box::new(RunStarted {
        workflow: Name::new("order_saga"),
        version: "3".to_owned(),
        definition: digest(),
        children: if full { vec![(Name::new("ship"), Digest::of(b"ship"))] } else { Vec::new() },
        workflow_id: text("order-1001"),
        request_id: "request-1".to_owned(),
        actor: "cli".to_owned(),
        input: json(),
        labels: pairs("tier", "gold"),
        priority: if full { -100 } else { 0 },
        start_at: full.then(|| at(10)),
        expires_at: full.then(|| at(20)),
        overrides: pairs("payment.url", "http://localhost:9"),
        parent: full.then(|| Parent { run: run(), step: charge() }),
        origin: full.then(|| Origin::Rerun { run: run(), from: charge() }),
        traceparent: text("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"),
        baggage: text("tenant=acme"),
        sampled: full,
    }))
}

fn imported() -> Event {
    let mut event = started(false);
    if let Event::RunStarted(started) = &mut event {
        started.origin = Some(Origin::Import { run: run(), from: "staging".to_owned() });
    }
    event
}

/// One of each variant, and of what may stand in it. A new variant needs a sample: see [`name_of`].
pub fn events() -> Vec<(String, Event)> {
    let mut events = Vec::new();
    events.extend([started(true), started(false), imported()]);
    events.extend(run_events());
    events.extend(step_events());
    events.extend(request_events());
    events.extend(undo_events());
    let named = events.into_iter().scan(std::collections::BTreeMap::new(), |seen, event| {
        let count: &mut u32 = seen.entry(name_of(&event)).or_default();
        *count += 1;
        Some((format!("{} {count}", name_of(&event)), event))
    });
    let named: Vec<_> = named.collect();
    let kinds = named.iter().map(|(_, event)| name_of(event)).collect::<std::collections::BTreeSet<_>>();
    assert_eq!(kinds.len(), KINDS, "a variant has no sample");
    named
}

fn run_events() -> Vec<Event> {
    vec![
        Event::StopBegan { cause: StopCause::StepFailed(charge()) },
        Event::StopBegan { cause: StopCause::Timeout },
        Event::StopBegan { cause: StopCause::Cancelled },
        Event::RunStuck {
            reason: StuckReason::SecretMissing,
            message: "set PAYMENT_TOKEN".to_owned(),
            parked: Some((charge(), Side::Forward)),
        },
        Event::RunStuck { reason: StuckReason::AddressMissing, message: String::new(), parked: None },
        Event::RunStuck { reason: StuckReason::Poison, message: "it ends the process".to_owned(), parked: None },
        Event::RunStuck { reason: StuckReason::TaskMissing, message: "deploy charge@1".to_owned(), parked: None },
        Event::RunStuck { reason: StuckReason::InputUndecodable, message: "argument 1".to_owned(), parked: None },
        Event::RunUnstuck,
        Event::RecoveryNoted { cut_off: vec![(charge(), Side::Forward), (Name::new("reserve"), Side::Compensation)] },
        Event::RunCompleted { output: blob(), warnings: warnings(), residue: vec![charge()] },
        Event::RunCompensated { warnings: warnings() },
        Event::RunFailed { warnings: Vec::new(), residue: vec![charge()] },
        Event::RunCancelled { cause: CancelCause::Timeout, warnings: Vec::new(), residue: Vec::new() },
        Event::RunCancelled { cause: CancelCause::Cancelled, warnings: warnings(), residue: vec![charge()] },
        Event::RunCancelled { cause: CancelCause::Terminated, warnings: Vec::new(), residue: Vec::new() },
    ]
}

fn step_events() -> Vec<Event> {
    let service = |path: &str| Target::Service { name: Name::new("payment"), path: path.to_owned() };
    let url = || Target::Url("https://example.org/x".to_owned());
    let mut events = vec![
        Event::StepScheduled { step: charge(), call: call(Method::Post, service("/process"), Some(json())) },
        Event::StepScheduled { step: charge(), call: call(Method::Get, url(), None) },
        Event::StepScheduled {
            step: charge(),
            call: Call::Task(TaskCall { name: TaskName::new("charge", 2).unwrap(), args: json() }),
        },
        Event::AttemptStarted { step: charge(), side: Side::Forward, attempt: 2 },
        Event::StepCheckpointed { step: charge(), side: Side::Forward, attempt: 2, checkpoint: json() },
        Event::AttemptFailed(tried(Effect::Unknown)),
        Event::AttemptFailed(tried(Effect::None)),
        Event::StepCompleted { step: charge(), attempt: 1, started_at: at(5), status: Some(201), output: json() },
        Event::StepFailed {
            step: charge(),
            attempt: 4,
            started_at: at(5),
            failure: failure(),
            effect: Effect::Done,
            fatal: true,
            output: Some(json()),
        },
        Event::StepCarried { step: charge(), output: json() },
        Event::StepStuck { step: charge(), attempt: 4, started_at: at(5), failure: failure(), effect: Effect::Unknown },
    ];
    for method in [Method::Put, Method::Patch, Method::Delete, Method::Head] {
        events.push(Event::StepScheduled { step: charge(), call: call(method, service("/process/1"), None) });
    }
    for reason in [SkipReason::Condition, SkipReason::Dependencies, SkipReason::Operator] {
        events.push(Event::StepSkipped { step: charge(), reason });
    }
    events
}

fn request_events() -> Vec<Event> {
    let answered = |kind, payload, answer| Event::RequestAnswered {
        id: "request-2".to_owned(),
        kind,
        actor: "alice".to_owned(),
        payload,
        answer,
    };
    let resolve = |action| RequestKind::Resolve { step: Some(charge()), action };
    let refused = Answer::Refused { code: "not_stuck".to_owned(), message: "the step is not stuck".to_owned() };
    vec![
        answered(RequestKind::Timeout, None, Answer::Accepted),
        answered(resolve(Resolution::Done), Some(json()), Answer::Accepted),
        answered(resolve(Resolution::Retry), None, Answer::NoOp),
        answered(resolve(Resolution::Skip), None, refused),
        answered(RequestKind::Resolve { step: None, action: Resolution::Fail }, None, Answer::Accepted),
        answered(RequestKind::Signal { name: Name::new("approved") }, Some(json()), Answer::Accepted),
        answered(RequestKind::Cancel { reason: Some("fraud".to_owned()) }, None, Answer::Held),
        answered(RequestKind::Terminate { reason: None }, None, Answer::Accepted),
        answered(RequestKind::Pause, None, Answer::NoOp),
        answered(RequestKind::Resume, None, Answer::Accepted),
        answered(RequestKind::Rerun { from: charge() }, None, Answer::refused("OPEN", "the run is open")),
        answered(RequestKind::Delete, None, Answer::refused("OPEN", "the run is open")),
        Event::RequestSettled { id: "request-2".to_owned(), answer: Answer::Accepted },
    ]
}

fn undo_events() -> Vec<Event> {
    let refund = Target::Service { name: Name::new("payment"), path: "/refund".to_owned() };
    vec![
        Event::CompensationStarted { step: charge(), call: call(Method::Post, refund, Some(json())) },
        Event::CompensationAttemptFailed(tried(Effect::Unknown)),
        Event::CompensationCompleted { step: charge(), attempt: 2, started_at: at(5), status: None },
        Event::CompensationFailed {
            step: charge(),
            attempt: 9,
            started_at: at(5),
            failure: failure(),
            effect: Effect::Unknown,
        },
        Event::CompensationSkipped { step: charge() },
    ]
}

/// How many variants [`name_of`] knows.
const KINDS: usize = 25;

/// The name of a variant. Whoever adds one adds it here, to [`KINDS`] and to the samples.
fn name_of(event: &Event) -> &'static str {
    match event {
        Event::RunStarted(_) => "RunStarted",
        Event::StopBegan { .. } => "StopBegan",
        Event::RunStuck { .. } => "RunStuck",
        Event::RunUnstuck => "RunUnstuck",
        Event::RecoveryNoted { .. } => "RecoveryNoted",
        Event::RunCompleted { .. } => "RunCompleted",
        Event::RunCompensated { .. } => "RunCompensated",
        Event::RunFailed { .. } => "RunFailed",
        Event::RunCancelled { .. } => "RunCancelled",
        Event::StepScheduled { .. } => "StepScheduled",
        Event::AttemptStarted { .. } => "AttemptStarted",
        Event::StepCheckpointed { .. } => "StepCheckpointed",
        Event::AttemptFailed(_) => "AttemptFailed",
        Event::StepCompleted { .. } => "StepCompleted",
        Event::StepFailed { .. } => "StepFailed",
        Event::StepSkipped { .. } => "StepSkipped",
        Event::StepStuck { .. } => "StepStuck",
        Event::RequestAnswered { .. } => "RequestAnswered",
        Event::CompensationStarted { .. } => "CompensationStarted",
        Event::CompensationAttemptFailed(_) => "CompensationAttemptFailed",
        Event::CompensationCompleted { .. } => "CompensationCompleted",
        Event::CompensationFailed { .. } => "CompensationFailed",
        Event::CompensationSkipped { .. } => "CompensationSkipped",
        Event::RequestSettled { .. } => "RequestSettled",
        Event::StepCarried { .. } => "StepCarried",
    }
}

pub fn index_rows() -> Vec<(String, IndexRow)> {
    let statuses = [
        (Status::Pending, Class::InFlight),
        (Status::Running, Class::InFlight),
        (Status::Waiting, Class::Dormant),
        (Status::Paused, Class::Paused),
        (Status::Compensating, Class::InFlight),
        (Status::Stuck, Class::Stuck),
        (Status::Completed, Class::Ended),
        (Status::Compensated, Class::Ended),
        (Status::Failed, Class::Ended),
        (Status::Cancelled, Class::Ended),
    ];
    let row = |(status, class): (Status, Class)| IndexRow {
        run: run(),
        workflow: Name::new("order_saga"),
        definition: digest(),
        workflow_id: status.is_terminal().then(|| "order-1001".to_owned()),
        input: Digest::of(b"input"),
        status,
        class,
        labels: vec![("tier".to_owned(), "gold".to_owned())],
        priority: 100,
        started_at: at(0),
        ended_at: status.is_terminal().then(|| at(9)),
        last: Seq(300),
        results: 70,
    };
    statuses.into_iter().map(|pair| (pair.0.to_string(), row(pair))).collect()
}

pub fn timers() -> Vec<(String, TimerRow)> {
    let timers = [
        ("forward", TimerKey::Retry(charge(), Side::Forward), TimerClock::Engine),
        ("undo", TimerKey::Retry(charge(), Side::Compensation), TimerClock::Engine),
        ("run", TimerKey::RunTimeout, TimerClock::Wall),
    ];
    let row = |timer, clock| TimerRow { run: run(), timer, due: at(7), clock };
    timers.into_iter().map(|(name, timer, clock)| (name.to_owned(), row(timer, clock))).collect()
}

pub fn claims() -> Vec<(String, Claim)> {
    let claim = |state| Claim { run: run(), input: digest(), state };
    vec![
        ("live".to_owned(), claim(ClaimState::Live)),
        ("tombstone".to_owned(), claim(ClaimState::Tombstone { expires: at(1) })),
    ]
}

pub fn inbox() -> InboxRow {
    InboxRow { run: run(), arrival: 7, request_id: "request-3".to_owned(), body: vec![0, 1, 255] }
}

pub fn timer_of() -> TimerOf {
    TimerOf { clock: TimerClock::Wall, due: at(7) }
}

pub fn state() -> State {
    State { commit: 1_000, arrivals: 70_000, time: at(3), fence: 9 }
}
