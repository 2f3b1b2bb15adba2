//! Generated workflows, services, requests and faults: whatever happens, what stands in the world is what the run says.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use engine_core::definition::Definition;
use engine_core::event::Event;
use engine_core::id::Name;
use engine_core::payload::Payload;
use engine_core::request::{Answer, Demand, RequestKind, Resolution};
use engine_core::state::Status;
use engine_testkit::{Act, Behaviour, Case, Endpoint, Fault, Planned, Point, Report, Script, Simulator};
use serde_json::{Value, json};

const CASES: u64 = 200;
const PLANS: u64 = 5;

/// The numbers that follow from a seed.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let mixed = (self.0 ^ (self.0 >> 33)).wrapping_mul(0xff51_afd7_ed55_8ccd);
        mixed ^ (mixed >> 29)
    }

    fn below(&mut self, end: u64) -> u64 {
        self.next() % end
    }

    fn percent(&mut self, chance: u64) -> bool {
        self.below(100) < chance
    }

    fn pick<T: Clone>(&mut self, from: &[T]) -> T {
        from[usize::try_from(self.below(from.len() as u64)).unwrap()].clone()
    }
}

/// What is known of a generated step.
#[derive(Clone)]
struct Step {
    name: String,
    can_be_undone: bool,
    optional: bool,
}

fn ms(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

/// Ends of an attempt after which another may end better.
fn trouble(random: &mut Random) -> Behaviour {
    random.pick(&[
        Behaviour::Fail(503),
        Behaviour::FailThoughDone(500),
        Behaviour::Throttle(ms(300)),
        Behaviour::CutBefore,
        Behaviour::CutAfter,
        Behaviour::Unreachable,
        Behaviour::Late(ms(700)),
        Behaviour::Late(ms(1_500)),
        Behaviour::SucceedAfter(ms(2_000)),
    ])
}

fn endpoint(random: &mut Random, endpoint: Endpoint, succeeds: u64) -> Endpoint {
    let mut endpoint = endpoint.takes(ms(5 + random.below(50)));
    for _ in 0..random.below(3) {
        endpoint = endpoint.first(1, trouble(random));
    }
    if random.percent(succeeds) {
        return endpoint;
    }
    // A 404 from an endpoint that undoes would say that there is nothing to undo.
    let end = random.pick(&[Behaviour::Refuse(422), Behaviour::Refuse(400), Behaviour::Malformed]);
    let end = if random.percent(70) { end } else { trouble(random) };
    endpoint.then(end)
}

fn generate(random: &mut Random) -> (Case, Vec<Step>) {
    let count = 3 + random.below(4);
    let pivot = random.percent(40).then(|| random.below(count));
    let (mut file, mut steps, mut services) = (serde_json::Map::new(), Vec::new(), Script::new());
    for number in 0..count {
        let name = format!("s{number}");
        let is_pivot = pivot == Some(number);
        let after: Vec<String> = (0..number)
            .filter(|before| is_pivot || pivot == Some(*before) || random.percent(40))
            .map(|before| format!("s{before}"))
            .collect();
        let step = Step {
            can_be_undone: !is_pivot && random.percent(75),
            optional: !is_pivot && random.percent(15),
            name: name.clone(),
        };
        let mut written = json!({
            "after": after, "timeout": "1s", "http": { "service": "svc", "post": format!("/{name}") },
            "retry": { "max_attempts": 1 + random.below(4), "initial": "100ms", "max_interval": "1s" },
        });
        services = services.on(&format!("svc/{name}"), endpoint(random, Endpoint::effect(), 80));
        if step.can_be_undone {
            written["compensate"] =
                json!({ "http": { "service": "svc", "post": format!("/undo_{name}") }, "timeout": "1s" });
            let undo = Endpoint::undo(&format!("svc/{name}"));
            services = services.on(&format!("svc/undo_{name}"), endpoint(random, undo, 90));
        }
        if is_pivot {
            written["pivot"] = json!(true);
        }
        if step.optional {
            written["optional"] = json!(true);
        }
        file.insert(name, written);
        steps.push(step);
    }
    let mut file = json!({
        "format": "engine/1", "name": "generated", "version": "1.0.0", "steps": Value::Object(file),
        "services": { "svc": { "url": "http://svc", "idempotency": "key" } },
    });
    if random.percent(25) {
        file["timeout"] = json!("2s");
    }
    let definition = Definition::from_json(&file.to_string()).unwrap_or_else(|error| panic!("{error}\n{file:#}"));
    let case = Case::new("generated", Arc::new(definition), json!({}), services);
    (with_acts(case, random, &steps), steps)
}

/// Requests at points that a run may reach or not.
fn with_acts(mut case: Case, random: &mut Random, steps: &[Step]) -> Case {
    if random.percent(40) {
        case = with_operator(case, random, steps);
    }
    // Acts are done in order: one whose point is not reached holds up those after it.
    for _ in 0..random.below(3) {
        let step: Name = random.pick(&steps.iter().map(|step| step.name.as_str().into()).collect::<Vec<Name>>());
        let stopping = Point::Recorded(|event| matches!(event, Event::StopBegan { .. }));
        let point = random.pick(&[
            Point::Begun,
            Point::InFlight(step.clone(), 1),
            Point::Waiting(step.clone(), 1),
            Point::Completed(step.clone()),
            Point::Undoing(step),
            stopping,
        ]);
        case = match random.below(8) {
            0..=2 => case.at(point, Act::cancel()),
            3 => case.at(point, Act::terminate()),
            4 => case.at(point, Act::signal("go", &json!(1))),
            _ => case
                .at(point, Act::Ask(Demand::Pause))
                .at(Point::AtRest, Act::Wait(ms(random.below(5_000))))
                .at(Point::AtRest, Act::Ask(Demand::Resume)),
        };
    }
    if random.percent(25) {
        case = case.at(Point::AtRest, Act::rerun(&random.pick(steps).name));
    }
    case.with_downtime(ms(random.pick(&[0, 0, 100, 10_000])))
}

/// An operator has something to say about every step, wherever that is stuck when the run comes to rest.
fn with_operator(mut case: Case, random: &mut Random, steps: &[Step]) -> Case {
    for step in steps {
        let action = random.pick(&[Resolution::Retry, Resolution::Done, Resolution::Skip, Resolution::Fail]);
        let output = (action == Resolution::Done).then(|| Payload::json(*b"{}"));
        let step = Some(step.name.as_str().into());
        case = case.at(Point::AtRest, Act::Ask(Demand::Resolve { step, action, output }));
    }
    case
}

fn faults(random: &mut Random) -> Vec<Planned> {
    const FAULTS: [Fault; 5] =
        [Fault::CrashBefore, Fault::CrashAfter, Fault::CrashAfter, Fault::FailBefore, Fault::FailAfter];
    (0..=random.below(4)).map(|_| Planned { write: 1 + random.below(12), fault: random.pick(&FAULTS) }).collect()
}

/// What is wrong with what a run says of the world.
fn lies(report: &Report, steps: &[Step]) -> Vec<String> {
    let mut lies = report.findings.clone();
    let stands = |step: &Step| report.outcome.net.contains_key(&format!("svc/{}", step.name));
    // An operator may say what is not so, and what an earlier run left stands as well.
    let is_told = |wanted: &Name| {
        let about_it = |event: &Event| match event {
            Event::RequestAnswered { kind: RequestKind::Resolve { step: Some(step), action }, answer, .. } => {
                step == wanted && *answer == Answer::Accepted && *action != Resolution::Retry
            }
            _ => false,
        };
        report.count(about_it) > 0
    };
    let is_first = report.earlier.is_empty();
    let residue: BTreeSet<&Name> = report
        .history
        .iter()
        .flat_map(|recorded| match &recorded.event {
            Event::RunCompleted { residue, .. }
            | Event::RunFailed { residue, .. }
            | Event::RunCancelled { residue, .. } => residue.as_slice(),
            _ => &[],
        })
        .collect();
    let status = report.outcome.status;
    for step in steps {
        let name = &Name::from(step.name.as_str());
        match status {
            Some(Status::Completed) if !step.optional && !stands(step) && !is_told(name) => {
                lies.push(format!("the run completed, and {name} was not done"));
            }
            Some(Status::Compensated | Status::Failed | Status::Cancelled)
                if step.can_be_undone && stands(step) && is_first && !residue.contains(name) && !is_told(name) =>
            {
                lies.push(format!("the run ended as {status:?}; {name} stands and is no residue"));
            }
            _ => {}
        }
    }
    if let None | Some(Status::Pending | Status::Running | Status::Waiting | Status::Compensating) = status {
        // Past the pivot a run tries again without end.
        if !report.out_of_time {
            lies.push(format!("the run rests although it is {status:?}"));
        }
    }
    lies
}

fn is_resolved(event: &Event) -> bool {
    matches!(event, Event::RequestAnswered { kind: RequestKind::Resolve { .. }, answer: Answer::Accepted, .. })
}

/// All that is wrong with one generated case; counts how it ended, reruns, and what was resolved.
fn judge(seed: u64, ends: &[AtomicUsize; 7]) -> Vec<String> {
    let (case, steps) = generate(&mut Random(seed));
    let simulator = Simulator::new(case).seeded(seed);
    let mut random = Random(seed ^ 0x5eed);
    let plans = std::iter::once(Vec::new()).chain((0..PLANS).map(|_| faults(&mut random)));
    let mut findings = Vec::new();
    for plan in plans {
        let report = simulator.run(&plan);
        let end = match report.outcome.status {
            Some(Status::Completed) => 0,
            Some(Status::Compensated) => 1,
            Some(Status::Failed) => 2,
            Some(Status::Cancelled) => 3,
            _ => 4,
        };
        ends[end].fetch_add(1, Ordering::Relaxed);
        ends[5].fetch_add(report.earlier.len(), Ordering::Relaxed);
        ends[6].fetch_add(report.count(is_resolved), Ordering::Relaxed);
        let outcome = &report.outcome;
        findings.extend(lies(&report, &steps).iter().map(|lie| format!("seed {seed}, {plan:?}, {outcome}: {lie}")));
    }
    findings
}

#[test]
fn what_stands_in_the_world_is_what_the_run_says() {
    let (next, ends) = (AtomicUsize::new(0), std::array::from_fn(|_| AtomicUsize::new(0)));
    let findings = std::sync::Mutex::new(Vec::new());
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                loop {
                    let seed = next.fetch_add(1, Ordering::Relaxed) as u64;
                    if seed >= CASES {
                        break;
                    }
                    let found = judge(seed, &ends);
                    findings.lock().unwrap().extend(found);
                }
            });
        }
    });
    let findings = findings.into_inner().unwrap();
    assert!(findings.is_empty(), "{} findings:\n{}", findings.len(), findings.join("\n"));
    let ends = ends.map(AtomicUsize::into_inner);
    assert!(
        ends.iter().all(|count| *count >= 10),
        "each kind of end is there, reruns, and what was resolved: {ends:?}"
    );
}
