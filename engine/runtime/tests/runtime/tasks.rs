//! Tasks that do what they should, and tasks that do everything else.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use engine_core::call::{HttpCall, Method, Target};
use engine_core::definition::Definition;
use engine_core::event::{Event, StuckReason};
use engine_core::failure::{Effect, Failure};
use engine_core::id::{Name, RunId, Side};
use engine_core::machine::{Again, AttemptOutcome, TaskFailure};
use engine_core::payload::Payload;
use engine_core::state::{State, Status};
use engine_core::task::TaskName;
use engine_runtime::tasks::{Called, TaskContext, TaskEnd, TaskFuture, Tasks, Undecodable};
use engine_runtime::{Engine, Finished, Options, Task, read};
use engine_store::MemoryStore;
use serde_json::{Value, json};

use crate::world::{self, SOON, World};

type Work = Arc<dyn Fn(TaskContext, Value) -> TaskFuture + Send + Sync>;

/// A process's functions, as closures.
#[derive(Default, Clone)]
pub(crate) struct Functions(BTreeMap<TaskName, Work>);

struct Function(Work);

impl Functions {
    pub(crate) fn with<F, W>(mut self, name: &str, work: F) -> Self
    where
        F: Fn(TaskContext, Value) -> W + Send + Sync + 'static,
        W: Future<Output = TaskEnd> + Send + 'static,
    {
        let work: Work = Arc::new(move |context, args| Box::pin(work(context, args)));
        self.0.insert(name.parse().unwrap(), work);
        self
    }
}

impl Tasks for Functions {
    fn find(&self, name: &TaskName) -> Option<Arc<dyn Task>> {
        self.0.get(name).map(|work| Arc::new(Function(work.clone())) as Arc<dyn Task>)
    }

    fn versions(&self, name: &str) -> Vec<TaskName> {
        self.0.keys().filter(|own| own.name() == name).cloned().collect()
    }
}

impl Task for Function {
    fn begin(&self, context: TaskContext, args: &[u8]) -> Result<TaskFuture, Undecodable> {
        let args: Value = serde_json::from_slice(args).unwrap();
        if args[0] == json!("unreadable") {
            return Err(Undecodable("argument 1: no number".to_owned()));
        }
        Ok(self.0(context, args))
    }
}

pub(crate) fn gave(value: &Value) -> TaskEnd {
    TaskEnd::Gave(value.to_string().into_bytes())
}

fn failed(code: &str, retry: bool, did_nothing: bool) -> TaskEnd {
    let again = if retry { Again::Yes { not_before: None } } else { Again::No };
    TaskEnd::Failed(TaskFailure { failure: Failure::new(code, code), again, did_nothing, settles: false })
}

pub(crate) fn options(functions: Functions) -> Options {
    let mut options = world::options(&World::new());
    options.tasks = Arc::new(functions);
    options
}

/// One step that calls `work@1` with `args`, and then one that gives 1.
pub(crate) fn one_step(args: &Value) -> Arc<Definition> {
    world::definition(&json!({
        "work": { "task": { "name": "work@1", "args": args }, "retry": { "max_attempts": 3 }, "timeout": "5s" },
    }))
}

async fn run_to_its_end(engine: &Engine, definition: &Arc<Definition>) -> (RunId, State) {
    let run = engine.start(world::start(definition, "one")).await.unwrap().run;
    (run, end_of(engine, run).await)
}

async fn end_of(engine: &Engine, run: RunId) -> State {
    let finished = engine.drive(run).await.unwrap().finish();
    match tokio::time::timeout(SOON, finished).await.expect("the run rests") {
        Finished::Ended(state) | Finished::Stuck(state) => *state,
        other => panic!("{other:?}"),
    }
}

/// Runs one step on a fresh engine.
async fn one(functions: Functions, args: &Value) -> (Engine, State) {
    let engine = Engine::open(Arc::new(MemoryStore::new()), options(functions)).await.unwrap();
    let (_, state) = run_to_its_end(&engine, &one_step(args)).await;
    (engine, state)
}

fn failure(state: &State) -> &Failure {
    &state.failures.first().expect("it failed").failure
}

#[tokio::test]
async fn a_task_gets_its_arguments_and_knows_its_attempt() {
    let functions = Functions::default().with("work@1", |cx, args| async move {
        assert_eq!((cx.workflow().as_str(), cx.workflow_id(), cx.step().as_str()), ("test", Some("one"), "work"));
        assert_eq!((cx.side(), cx.attempt(), cx.is_cancelled()), (Side::Forward, 1, false));
        assert!(cx.deadline() > cx.now() && !cx.key().as_str().is_empty());
        gave(&json!({ "got": args }))
    });
    let (engine, state) = one(functions, &json!([1, "${ .run.workflow_id }", { "deep": ["${ .input }"] }])).await;
    assert_eq!(state.status(), Status::Completed);
    let output = state.end.as_ref().unwrap().output.as_ref().unwrap();
    let output = read::held(&**engine.store(), state.run, output).await.unwrap();
    let output: Value = serde_json::from_slice(&output).unwrap();
    assert_eq!(output, json!({ "work": { "got": [1, "one", { "deep": [{}] }] } }));
}

#[tokio::test]
async fn what_a_task_says_of_its_failure_decides() {
    let cases = [
        (failed("REFUSED", false, true), 1, Effect::None),
        (failed("BROKE", false, false), 1, Effect::Unknown),
        (failed("LATER", true, true), 3, Effect::None),
        (failed("PERHAPS", true, false), 3, Effect::Unknown),
    ];
    for (end, attempts, effect) in cases {
        let made = Arc::new(AtomicUsize::new(0));
        let functions = Functions::default().with("work@1", {
            let (made, end) = (made.clone(), end.clone());
            move |_, _| {
                made.fetch_add(1, Ordering::SeqCst);
                std::future::ready(end.clone())
            }
        });
        let (_, state) = one(functions, &json!([])).await;
        let name = Name::new("work");
        assert_eq!((state.status(), state.step(&name).effect), (Status::Failed, effect), "{end:?}");
        assert_eq!(made.load(Ordering::SeqCst), attempts, "{end:?}");
    }
}

/// Panics before there is a future.
fn broken() -> std::future::Ready<TaskEnd> {
    panic!("not even a future")
}

#[tokio::test]
async fn a_task_that_panics_has_failed_and_nothing_else_has() {
    let functions = Functions::default().with("work@1", |cx, _| async move {
        assert!(cx.attempt() > 2, "the first two go wrong");
        gave(&json!("at last"))
    });
    let (_, state) = one(functions, &json!([])).await;
    assert_eq!(state.status(), Status::Completed);
    let functions = Functions::default().with("work@1", |_, _| broken());
    let (_, state) = one(functions, &json!([])).await;
    assert_eq!(failure(&state).to_string(), "PANICKED: the task panicked: not even a future");
    assert_eq!(state.step(&Name::new("work")).effect, Effect::Unknown);
}

#[tokio::test]
async fn what_a_task_gives_is_checked() {
    let functions = Functions::default().with("work@1", |_, _| async { TaskEnd::Gave(b"{".to_vec()) });
    let (_, state) = one(functions, &json!([])).await;
    assert_eq!(failure(&state).code, "OUTPUT_UNREADABLE");
    assert_eq!(state.step(&Name::new("work")).effect, Effect::Unknown, "it did run");
    let large = || vec![b' '; (64 << 20) + 1];
    let functions = Functions::default().with("work@1", move |_, _| async move { TaskEnd::Gave(large()) });
    let (_, state) = one(functions, &json!([])).await;
    assert_eq!(failure(&state).code, "PAYLOAD_TOO_LARGE");
}

#[tokio::test]
async fn a_compensation_is_a_task_too_and_is_told_what_is_known() {
    let seen = Arc::new(Mutex::new(Vec::new()));
    let undo = |seen: &Arc<Mutex<Vec<(Effect, Value)>>>| {
        let seen = seen.clone();
        move |cx: TaskContext, args: Value| {
            assert_eq!((cx.side(), cx.step().as_str()), (Side::Compensation, "charge"));
            seen.lock().unwrap().push((cx.forward_effect(), args));
            std::future::ready(gave(&Value::Null))
        }
    };
    let definition = world::definition(&json!({
        "charge": {
            "task": { "name": "charge@1" }, "retry": { "max_attempts": 1 },
            "compensate": { "task": { "name": "charge.undo@1", "args": ["${ .forward.effect }", "${ .steps.charge }"] } }
        },
        "record": { "after": ["charge"], "task": { "name": "record@1" } },
    }));
    for (charge, told) in [
        (gave(&json!({ "id": 7 })), (Effect::Done, json!(["done", { "id": 7 }]))),
        (failed("PERHAPS", false, false), (Effect::Unknown, json!(["unknown", null]))),
    ] {
        seen.lock().unwrap().clear();
        let functions = Functions::default()
            .with("charge@1", move |_, _| std::future::ready(charge.clone()))
            .with("charge.undo@1", undo(&seen))
            .with("record@1", |_, _| async { failed("REFUSED", false, true) });
        let engine = Engine::open(Arc::new(MemoryStore::new()), options(functions)).await.unwrap();
        let (_, state) = run_to_its_end(&engine, &definition).await;
        assert_eq!(state.status(), Status::Compensated);
        assert_eq!(*seen.lock().unwrap(), [told]);
    }
}

#[tokio::test]
async fn a_run_without_its_task_waits_for_a_program_that_has_it() {
    let store = Arc::new(MemoryStore::new());
    let other = Functions::default().with("work@2", |_, _| async { gave(&json!("new")) });
    let engine = Engine::open(store.clone(), options(other.clone())).await.unwrap();
    let (run, state) = run_to_its_end(&engine, &one_step(&json!([]))).await;
    assert_eq!((state.status(), state.stuck[0].reason), (Status::Stuck, StuckReason::TaskMissing));
    assert!(
        state.stuck[0].message.contains("`work@1`, and this program has only `work@2`: deploy"),
        "{:?}",
        state.stuck
    );
    engine.shutdown(Duration::ZERO).await;
    let length = state.last;

    let same = Engine::open(store.clone(), options(other.clone())).await.unwrap();
    assert_eq!(end_of(&same, run).await.last, length, "a program that lacks it too adds nothing");
    same.shutdown(Duration::ZERO).await;

    let both = other.with("work@1", |_, _| async { gave(&json!("old")) });
    let engine = Engine::open(store, options(both)).await.unwrap();
    let state = end_of(&engine, run).await;
    assert_eq!(state.status(), Status::Completed);
    let history = read::history(&**engine.store(), run).await.unwrap();
    let failures = history.iter().filter(|recorded| matches!(recorded.event, Event::AttemptFailed(_)));
    assert_eq!(failures.count(), 0, "nothing failed because of it");
}

#[tokio::test]
async fn arguments_that_can_not_be_read_leave_the_run_stuck() {
    let store = Arc::new(MemoryStore::new());
    let functions = Functions::default().with("work@1", |_, _| async { gave(&json!(1)) });
    let engine = Engine::open(store.clone(), options(functions)).await.unwrap();
    let (_, state) = run_to_its_end(&engine, &one_step(&json!(["unreadable"]))).await;
    assert_eq!((state.status(), state.stuck[0].reason), (Status::Stuck, StuckReason::InputUndecodable));
    assert!(state.stuck[0].message.contains("argument 1: no number"), "{:?}", state.stuck);
    assert_eq!(state.step(&Name::new("work")).effect, Effect::None);
}

#[tokio::test]
async fn a_checkpoint_is_durable_and_the_next_attempt_finds_it() {
    let functions = Functions::default().with("work@1", |cx, _| async move {
        let last = cx.last_checkpoint().map(|json| serde_json::from_slice::<u32>(json).unwrap());
        let rows = last.unwrap_or(0) + 10;
        cx.checkpoint(rows.to_string().into_bytes()).await.unwrap();
        if cx.attempt() < 3 { failed("HALFWAY", true, false) } else { gave(&json!(rows)) }
    });
    let (engine, state) = one(functions, &json!([])).await;
    let history = read::history(&**engine.store(), state.run).await.unwrap();
    let noted = history.iter().filter_map(|recorded| match &recorded.event {
        Event::StepCheckpointed { attempt, checkpoint, .. } => Some((*attempt, checkpoint.clone())),
        _ => None,
    });
    let expected = [(1, "10"), (2, "20"), (3, "30")].map(|(attempt, rows)| (attempt, Payload::json(rows.as_bytes())));
    assert_eq!(noted.collect::<Vec<_>>(), expected);
    assert_eq!(state.status(), Status::Completed);
}

/// One service that a task may call.
pub(crate) fn request() -> HttpCall {
    HttpCall {
        target: Target::Service { name: Name::new("svc"), path: "/charge".to_owned() },
        method: Method::Post,
        query: Vec::new(),
        headers: Vec::new(),
        body: Some(Payload::json(*b"{}")),
    }
}

#[tokio::test]
async fn a_task_calls_services_with_its_key() {
    let world = World::new();
    let mut options = world::options(&world);
    options.tasks = Arc::new(Functions::default().with("work@1", |cx, _| async move {
        let called = cx.call(request(), None, Duration::from_secs(1)).await;
        let Called::Ended(AttemptOutcome::Answered(answered)) = called else { panic!("{called:?}") };
        gave(&json!([answered.status, cx.key().as_str()]))
    }));
    let engine = Engine::open(Arc::new(MemoryStore::new()), options).await.unwrap();
    let (run, state) = run_to_its_end(&engine, &one_step(&json!([]))).await;
    assert_eq!(state.status(), Status::Completed);
    let sent = world.sent();
    let trace = run.to_string().replace('-', "");
    assert!(sent[0].traceparent.as_ref().unwrap().starts_with(&format!("00-{trace}-")), "{sent:?}");
    let output = state.end.as_ref().unwrap().output.as_ref().unwrap().small.clone().unwrap();
    assert_eq!(serde_json::from_slice::<Value>(&output).unwrap(), json!({ "work": [200, sent[0].key] }));
}
