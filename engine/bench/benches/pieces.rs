//! The pure pieces of a turn, each by itself: `cargo bench -p engine-bench`.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "what is measured here is known to work")]
#![allow(missing_docs, reason = "the macros of criterion write no docs")]

use std::hint::black_box;
use std::sync::Arc;

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use engine_core::definition::Definition;
use engine_core::event::{Recorded, RunStarted};
use engine_core::expression::{Expression, Template, Value};
use engine_core::id::{RunId, Seq};
use engine_core::machine::{Answered, AttemptOutcome, Body, Command, Input, Machine, Progress};
use engine_core::payload::Payload;
use engine_core::state::State;
use engine_core::time::Timestamp;
use engine_store::{codec, keys};

const ROOTS: &[&str] = &["input", "steps"];

fn run() -> RunId {
    RunId::new(Timestamp::from_millis(1), [7; 10])
}

/// Calls one after the other, each given what the one before gave.
fn chain(length: usize) -> Arc<Definition> {
    let mut steps = serde_json::Map::new();
    for number in 1..=length {
        let (name, before) = (format!("s{number}"), format!("s{}", number - 1));
        let http = serde_json::json!({ "service": "svc", "post": "/step" });
        let mut step = serde_json::json!({ "http": http });
        if number > 1 {
            step["after"] = serde_json::json!([before]);
            step["http"]["body"] = serde_json::json!({ "number": format!("${{ .steps.{before}.number }}") });
        }
        steps.insert(name, step);
    }
    let file = serde_json::json!({
        "format": "engine/1", "name": "chain", "version": "1.0.0",
        "services": { "svc": { "url": "http://localhost" } }, "steps": steps,
    });
    Arc::new(Definition::from_json(&file.to_string()).unwrap())
}

fn start(definition: &Definition) -> RunStarted {
    RunStarted {
        workflow: definition.name().clone(),
        version: String::new(),
        definition: definition.digest(),
        children: Vec::new(),
        workflow_id: None,
        request_id: "start".to_owned(),
        actor: "bench".to_owned(),
        input: Payload::json(Arc::<[u8]>::from(br#"{"number":1}"#.as_slice())),
        labels: Vec::new(),
        priority: 0,
        start_at: None,
        expires_at: None,
        overrides: Vec::new(),
        parent: None,
        origin: None,
        traceparent: None,
        baggage: None,
        sampled: true,
    }
}

/// Decides a run to its end, every call answered at once; gives its history.
fn decide(definition: &Arc<Definition>) -> Vec<Recorded> {
    let now = Timestamp::from_millis(2);
    let mut machine = Machine::start(definition.clone(), run(), start(definition), now).unwrap();
    let mut history: Vec<Recorded> = Vec::new();
    while machine.state().end.is_none() || history.is_empty() {
        while let Progress::Needs(seqs) = machine.advance(now) {
            for seq in seqs {
                let event = machine.undelivered(seq).or_else(|| {
                    history.iter().find(|recorded| recorded.seq == seq).and_then(|recorded| recorded.event.payload())
                });
                let bytes = event.and_then(Payload::inline).unwrap().clone();
                machine.supply(seq, bytes);
            }
        }
        let turn = machine.take_turn();
        history.extend(turn.events);
        for command in turn.commands {
            let Command::Send(send) = command else { continue };
            let headers = vec![("content-type".to_owned(), "application/json".to_owned())];
            let body = Body::Whole(br#"{"number":2}"#.as_slice().into());
            let outcome = AttemptOutcome::Answered(Answered { status: 200, retry_after: None, headers, body });
            machine.push(Input::AttemptEnded { step: send.step, side: send.side, attempt: send.attempt, outcome });
        }
    }
    history
}

fn deciding(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("decide a chain");
    for length in [10, 100, 1_000] {
        let definition = chain(length);
        group.throughput(Throughput::Elements(length as u64));
        group.bench_function(BenchmarkId::from_parameter(length), |bencher| bencher.iter(|| decide(&definition)));
    }
}

fn folding(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("fold the history of a chain");
    for length in [10, 100, 1_000] {
        let history = decide(&chain(length));
        group.throughput(Throughput::Elements(history.len() as u64));
        group.bench_function(BenchmarkId::from_parameter(length), |bencher| {
            bencher.iter_batched(
                || history.clone(),
                |history| State::fold(run(), history).unwrap(),
                criterion::BatchSize::SmallInput,
            );
        });
    }
}

fn coding(criterion: &mut Criterion) {
    // What the turn of a step writes: how it ended, and what follows.
    let events: Vec<Recorded> = decide(&chain(3)).into_iter().skip(2).take(2).collect();
    let key = keys::events(run(), Seq(3));
    let bytes = codec::seal(&key, &events).unwrap();
    let mut group = criterion.benchmark_group("code the events of a turn");
    group.throughput(Throughput::Bytes(bytes.len() as u64));
    group.bench_function("write", |bencher| bencher.iter(|| codec::seal(&key, black_box(&events)).unwrap()));
    group.bench_function("read", |bencher| {
        bencher.iter(|| codec::open::<Vec<Recorded>>(&key, black_box(&bytes)).unwrap());
    });
}

/// An order with so many items.
fn order(items: usize) -> Value {
    let item =
        |number: usize| serde_json::json!({ "id": format!("product_{number}"), "quantity": 2, "price": "99.99" });
    let items: Vec<_> = (0..items).map(item).collect();
    let document = serde_json::json!({
        "input": { "order_id": "order-1001", "user_id": "test_user_123", "items": items, "total_amount": "199.98" },
        "steps": { "charge": { "transaction_id": "t-1" } },
    });
    Value::from_json(&document).unwrap()
}

fn evaluating(criterion: &mut Criterion) {
    let small = order(2);
    let mut group = criterion.benchmark_group("evaluate");
    for (name, source) in [
        ("a path", ".input.order_id"),
        ("a condition", "(.input.items | length) > 1 and .steps.charge.transaction_id != null"),
        ("a join", r#"[.input.items[].id] | join(", ")"#),
    ] {
        let expression = Expression::compile(source, ROOTS).unwrap();
        group.bench_function(name, |bencher| bencher.iter(|| expression.evaluate(black_box(&small)).unwrap()));
    }
    group.bench_function("compile a condition", |bencher| {
        bencher.iter(|| Expression::compile(black_box(r#".steps.charge.status == "done""#), ROOTS).unwrap());
    });
}

fn rendering(criterion: &mut Criterion) {
    let body = serde_json::json!({
        "order_data": "${ .input }", "transaction_id": "${ .steps.charge.transaction_id }",
        "text": "order ${ .input.order_id } of ${ .input.user_id }",
    });
    let template = Template::compile(&body, ROOTS).unwrap();
    let mut group = criterion.benchmark_group("render the body of a request");
    for items in [2, 1_000] {
        let document = order(items);
        let len = template.render(&document).unwrap().to_vec().len();
        group.throughput(Throughput::Bytes(len as u64));
        group.bench_function(BenchmarkId::new("items", items), |bencher| {
            bencher.iter(|| template.render(black_box(&document)).unwrap().to_vec());
        });
    }
}

criterion_group!(pieces, deciding, folding, coding, evaluating, rendering);
criterion_main!(pieces);
