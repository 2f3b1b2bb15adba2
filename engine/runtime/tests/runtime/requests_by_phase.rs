//! The table "requests by phase": every cell, through every way and every door that a request can take, with repeats,
//! and with a crash between the answer and what follows from it.

use std::sync::Arc;
use std::time::Duration;

use engine_core::definition::Definition;
use engine_core::event::{Event, Recorded};
use engine_core::id::RunId;
use engine_core::payload::Payload;
use engine_core::request::{Answer, Demand, Request, Resolution};
use engine_core::state::Status;
use engine_runtime::control::{AskError, Client, Control, Place};
use engine_runtime::{Engine, Finished, read};
use engine_store::MemoryStore;
use serde_json::json;
use tempfile::TempDir;

use crate::keeping::Unasked;
use crate::stage::Stage;
use crate::world;

/// Where a run is when it is asked.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Phase {
    Forward,
    PivotInFlight,
    PivotDone,
    Stopping,
    Backward,
    After,
    Ended,
}

const PHASES: [Phase; 7] = [
    Phase::Forward,
    Phase::PivotInFlight,
    Phase::PivotDone,
    Phase::Stopping,
    Phase::Backward,
    Phase::After,
    Phase::Ended,
];

const DEMANDS: [&str; 8] = ["signal", "cancel", "terminate", "pause", "resume", "resolve", "rerun", "delete"];

/// What a run answers in each phase, and how it then ends: `=` as if nothing had been asked, else the status.
const TABLE: &str = "
              Forward              PivotInFlight        PivotDone            Stopping             Backward             After                Ended
    signal    accepted =           accepted =           accepted =           no-op =              no-op =              no-op =              ENDED =
    cancel    accepted Cancelled   held =                    PIVOT_DONE =         no-op =              no-op =              no-op =              ENDED =
    terminate accepted Cancelled   accepted Cancelled   accepted Cancelled   accepted Cancelled   accepted Cancelled   accepted Cancelled   ENDED =
    pause     accepted Paused      accepted Paused      accepted Paused      accepted Paused      accepted Paused      accepted Paused      ENDED =
    resume    no-op =              no-op =              no-op =              no-op =              no-op =              no-op =              ENDED =
    resolve   NOT_STUCK =          NOT_STUCK =          NOT_STUCK =          NOT_STUCK =          NOT_STUCK =          NOT_STUCK =          ENDED =
    rerun     OPEN =               OPEN =               OPEN =               OPEN =               OPEN =               OPEN =               accepted =
    delete    OPEN =               OPEN =               OPEN =               OPEN =               OPEN =               OPEN =               accepted gone
";

/// The cell of the table: the answer, and what becomes of the run.
fn cell(demand: &str, phase: Phase) -> (&'static str, &'static str) {
    let row = TABLE.lines().map(|line| line.split_whitespace().collect::<Vec<_>>());
    let row = row.into_iter().find(|row| row.first() == Some(&demand)).unwrap();
    let column = 1 + 2 * PHASES.iter().position(|own| *own == phase).unwrap();
    (row[column], row[column + 1])
}

/// After so long a cell hangs.
const PATIENCE: Duration = Duration::from_mins(1);

/// How a request reaches its run.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Way {
    /// Its task, in the process that drives it.
    Driven,
    /// A process that does not drive it, after the one that did is gone.
    Visited,
    /// As `Driven`, and the process dies right after the answer.
    ThenCrash,
}

/// Where a request comes in. The ways are the same behind each.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Door {
    /// The engine is asked in its own process.
    Engine,
    /// The control socket is asked by another process: here both are in this one.
    Socket,
}

const DOORS: [Door; 2] = [Door::Engine, Door::Socket];

fn demand(name: &str) -> Demand {
    match name {
        "signal" => Demand::Signal { name: "approved".into(), payload: Payload::json(*b"{\"by\":\"me\"}") },
        "cancel" => Demand::Cancel { reason: Some("a test".to_owned()) },
        "terminate" => Demand::Terminate { reason: None },
        "pause" => Demand::Pause,
        "resume" => Demand::Resume,
        "resolve" => Demand::Resolve { step: Some("first".into()), action: Resolution::Retry, output: None },
        "rerun" => Demand::Rerun { from: "first".into() },
        "delete" => Demand::Delete,
        other => panic!("{other}"),
    }
}

fn word(answer: &Answer) -> &str {
    match answer {
        Answer::Accepted => "accepted",
        Answer::NoOp => "no-op",
        Answer::Held => "held",
        Answer::Refused { code, .. } => code,
    }
}

fn definition(phase: Phase) -> Arc<Definition> {
    let http = |path: &str| json!({ "service": "svc", "post": path });
    let mut steps = json!({
        "first": { "http": http("/first"), "compensate": { "http": http("/undo") } },
        "last": { "after": ["first"], "http": http("/last") },
        "finish": { "after": ["last"], "http": http("/finish") },
    });
    match phase {
        Phase::PivotInFlight => steps["last"]["pivot"] = true.into(),
        Phase::PivotDone => steps["first"] = json!({ "http": http("/first"), "pivot": true }),
        Phase::Stopping => steps["other"] = json!({ "after": ["first"], "http": http("/other") }),
        Phase::Forward | Phase::Backward | Phase::After | Phase::Ended => {}
    }
    let file = json!({
        "format": "engine/1", "name": "phases", "version": "1", "steps": steps,
        "services": { "svc": { "url": "http://test" } },
        "on_failure": { "tell": { "http": http("/tell") }, "log": { "after": ["tell"], "http": http("/log") } },
    });
    Arc::new(Definition::from_json(&file.to_string()).unwrap_or_else(|errors| panic!("{errors}")))
}

/// The process that has the store, and who asks at its socket.
struct Owner {
    engine: Engine,
    socket: Option<(Control, Client)>,
}

impl Owner {
    async fn open(engine: Engine, door: Door, directory: &TempDir) -> Self {
        if door == Door::Engine {
            return Self { engine, socket: None };
        }
        let place = Place::of(directory.path()).unwrap();
        let control = Control::serve(engine.clone(), Arc::new(Unasked), place.clone(), true).unwrap();
        let (client, _) = Client::connect(place).await.unwrap();
        Self { engine, socket: Some((control, client)) }
    }

    async fn request(&self, run: RunId, request: Request) -> Result<Answer, AskError> {
        match &self.socket {
            None => Ok(self.engine.request(run, request).await?),
            Some((_, client)) => client.request(run, request).await,
        }
    }
}

/// A run that has come to this phase.
struct Scene {
    stage: Arc<Stage>,
    store: Arc<MemoryStore>,
    directory: TempDir,
    door: Door,
    owner: Owner,
    run: RunId,
    /// How it ends where nobody asks for anything.
    end: Status,
    /// What follows the attempt that is in flight.
    next: &'static str,
}

impl Scene {
    async fn come_to(phase: Phase, door: Door) -> Self {
        let stage = Stage::new();
        let (held, refused, next, end) = match phase {
            Phase::Forward | Phase::PivotInFlight | Phase::PivotDone => {
                (Some("/last"), None, "/finish", Status::Completed)
            }
            Phase::Stopping => (Some("/last"), Some("/other"), "/undo", Status::Compensated),
            Phase::Backward => (Some("/undo"), Some("/last"), "/tell", Status::Compensated),
            Phase::After => (Some("/tell"), Some("/last"), "/log", Status::Compensated),
            Phase::Ended => (None, Some("/last"), "/none", Status::Compensated),
        };
        if let Some(path) = held {
            stage.hold(path);
        }
        if let Some(path) = refused {
            stage.answers(path, 422);
        }
        let store = Arc::new(MemoryStore::new());
        let engine = Engine::open(store.clone(), stage.options()).await.unwrap();
        let run = engine.start(world::start(&definition(phase), "a")).await.unwrap().run;
        stage.asked(held.as_slice()).await;
        let mut handle = engine.drive(run).await.unwrap();
        let reached = |event: &Event| match phase {
            Phase::Forward | Phase::PivotInFlight | Phase::PivotDone => true,
            Phase::Stopping => matches!(event, Event::StopBegan { .. }),
            Phase::Backward => matches!(event, Event::CompensationStarted { .. }),
            Phase::After => matches!(event, Event::StepScheduled { step, .. } if step.as_str() == "tell"),
            Phase::Ended => matches!(event, Event::RunCompensated { .. }),
        };
        while !reached(&handle.next().await.expect("the run goes on").event) {}
        let directory = tempfile::tempdir().unwrap();
        let owner = Owner::open(engine, door, &directory).await;
        Self { stage, store, directory, door, owner, run, end, next }
    }

    /// The process dies, and another one opens the store. It finds the socket of the dead one.
    async fn crash(&mut self) {
        self.store = Arc::new(self.store.reopen());
        let engine = Engine::open(self.store.clone(), self.stage.options()).await.unwrap();
        self.owner = Owner::open(engine, self.door, &self.directory).await;
    }

    async fn ask(&self, name: &str, id: &str) -> Answer {
        let request = Request { id: id.to_owned(), actor: "tester".to_owned(), demand: demand(name) };
        self.owner.request(self.run, request).await.unwrap_or_else(|error| panic!("{name}: {error}"))
    }

    async fn history(&self) -> Vec<Recorded> {
        read::history(&**self.owner.engine.store(), self.run).await.unwrap_or_default()
    }

    /// A paused run records what ends and begins nothing; then it is resumed.
    async fn rest_paused_and_resume(&self, driven: bool) {
        let mut handle = self.owner.engine.drive(self.run).await.unwrap();
        let answered = |event: &Event| matches!(event, Event::RequestAnswered { .. });
        while !answered(&handle.next().await.unwrap().event) {}
        if driven {
            while !handle.next().await.unwrap().event.is_result() {}
        }
        let state = read::state(&**self.owner.engine.store(), self.run).await.unwrap();
        assert_eq!((state.status(), state.in_flight()), (Status::Paused, 0));
        assert_eq!(self.stage.times(self.next), 0, "{} begins while the run is paused", self.next);
        assert_eq!(self.ask("resume", "r2").await, Answer::Accepted);
    }

    async fn end(&self) -> Option<Status> {
        let handle = self.owner.engine.drive(self.run).await.ok()?;
        match handle.finish().await {
            Finished::Ended(state) => Some(state.status()),
            other => panic!("{other:?}"),
        }
    }
}

async fn check_cell(way: Way, door: Door, name: &str, phase: Phase) {
    let (expected, then) = cell(name, phase);
    let mut scene = Scene::come_to(phase, door).await;
    if way == Way::Visited {
        scene.crash().await;
    }
    let first = scene.ask(name, "r1").await;
    assert_eq!(word(&first), expected, "{first:?}");
    assert_eq!(scene.ask(name, "r1").await, first, "a repeat gets the first answer");
    if way == Way::ThenCrash {
        scene.crash().await;
        assert_eq!(scene.ask(name, "r1").await, first, "a repeat gets the first answer, also of the next process");
    }
    scene.stage.release_all();
    if then == "Paused" {
        scene.rest_paused_and_resume(way == Way::Driven).await;
    }
    let end = match then {
        "=" | "Paused" => Some(scene.end),
        "Cancelled" => Some(Status::Cancelled),
        "gone" => None,
        other => panic!("{other}"),
    };
    assert_eq!(scene.end().await, end);
    scene.crash().await;
    assert_eq!(scene.ask(name, "r1").await, first, "a repeat gets the first answer, also after a restart");
    let is_answer = |recorded: &Recorded| matches!(&recorded.event, Event::RequestAnswered { id, .. } if id == "r1");
    let recorded = scene.history().await.iter().filter(|recorded| is_answer(recorded)).count();
    assert_eq!(recorded, usize::from(phase != Phase::Ended), "recorded once, unless the run had ended");
}

/// One cell after the other: whoever asks at a socket waits for a bounded time, and a hundred owners in one thread would
/// wait for each other.
async fn check_table(way: Way) {
    let cells = DEMANDS.into_iter().flat_map(|name| PHASES.map(|phase| (name, phase)));
    for (door, (name, phase)) in cells.flat_map(|cell| DOORS.map(|door| (door, cell))) {
        let cell = tokio::spawn(check_cell(way, door, name, phase));
        let checked = tokio::time::timeout(PATIENCE, cell).await;
        let checked = checked.unwrap_or_else(|_| panic!("{name} in {phase:?} at the {door:?} does not end"));
        checked.unwrap_or_else(|error| panic!("{name} in {phase:?} at the {door:?}: {error}"));
    }
}

#[tokio::test]
async fn a_driven_run_answers_by_the_table() {
    check_table(Way::Driven).await;
}

#[tokio::test]
async fn a_run_that_nobody_drives_answers_by_the_table() {
    check_table(Way::Visited).await;
}

#[tokio::test]
async fn what_was_answered_is_done_by_the_next_process() {
    check_table(Way::ThenCrash).await;
}
