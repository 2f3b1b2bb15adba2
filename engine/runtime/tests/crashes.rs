//! Real processes on a real store: one that aborts on one run, and one that is killed.
#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::print_stderr,
    clippy::print_stdout,
    reason = "tests fail by panicking, and tell each other things"
)]

use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use async_trait::async_trait;
use engine_core::definition::Definition;
use engine_core::event::{Event, StuckReason};
use engine_core::machine::{Answered, AttemptOutcome, Body};
use engine_core::state::Status;
use engine_runtime::{Engine, Options, Request, Reuse, Start, Transport, read};
use engine_store::{Filter, Store};
use engine_store_sled::SledStore;
use serde_json::json;
use tokio::sync::watch;

const DIRECTORY: &str = "ENGINE_TEST_CRASHES_DIRECTORY";

/// Runs of which one takes the process down.
const RUNS: usize = 50;

/// Starts within which that one must be found.
const STARTS: usize = 12;

const KILLS: usize = 20;

/// Longer than anything here takes, so that no process outlives its test by much.
const LIFE: Duration = Duration::from_mins(2);

/// Steps one after the other; `path` is what each asks for.
fn chain(name: &str, length: usize, path: &str) -> Arc<Definition> {
    let mut steps = serde_json::Map::new();
    for number in 1..=length {
        let mut step = json!({ "http": { "service": "svc", "post": path } });
        if number > 1 {
            step["after"] = json!([format!("s{}", number - 1)]);
        }
        steps.insert(format!("s{number}"), step);
    }
    let file = json!({
        "format": "engine/1", "name": name, "version": "1.0.0",
        "services": { "svc": { "url": "http://test", "idempotency": "key" } }, "steps": steps,
    });
    Arc::new(Definition::from_json(&file.to_string()).unwrap())
}

/// Services that answer 200 once all runs were started, and abort the process for `/poison`.
struct Services {
    all_started: watch::Sender<bool>,
}

#[async_trait]
impl Transport for Services {
    async fn send(&self, request: Request) -> AttemptOutcome {
        self.all_started.subscribe().wait_for(|all| *all).await.unwrap();
        if request.url.ends_with("/poison") {
            std::process::abort();
        }
        let headers = vec![("content-type".to_owned(), "application/json".to_owned())];
        let body = Body::Whole(b"{}".as_slice().into());
        AttemptOutcome::Answered(Answered { status: 200, retry_after: None, headers, body })
    }
}

/// One process: starts what is not started yet, takes everything up, and ends when all of it rests.
async fn live(directory: &Path, runs: Vec<(String, Arc<Definition>)>) {
    let store = Arc::new(SledStore::open(directory).unwrap());
    let services = Arc::new(Services { all_started: watch::Sender::new(false) });
    let mut options = Options::system().unwrap();
    options.transport = services.clone();
    let engine = Engine::open(store.clone(), options).await.unwrap();
    for (id, definition) in runs {
        let start = Start {
            definition,
            request_id: None,
            workflow_id: Some(id),
            actor: "test".to_owned(),
            input: b"{}".as_slice().into(),
            labels: Vec::new(),
            overrides: Vec::new(),
            reuse: Reuse::OpenRun,
        };
        engine.start(start).await.unwrap();
    }
    services.all_started.send_replace(true);
    let mut following = tokio::task::JoinSet::new();
    for run in engine.recover().await.unwrap() {
        let engine = engine.clone();
        following.spawn(async move {
            let Ok(mut handle) = engine.drive(run).await else { return };
            let past = engine.store().row(run).await.unwrap().unwrap().last;
            while let Some(recorded) = handle.next().await {
                if recorded.seq > past && recorded.event.is_result() {
                    say("result");
                }
            }
        });
    }
    while let Some(followed) = following.join_next().await {
        followed.unwrap();
    }
    engine.shutdown(Duration::ZERO).await;
    store.close().await.unwrap();
}

fn say(text: &str) {
    let mut out = std::io::stdout().lock();
    writeln!(out, "{text}").and_then(|()| out.flush()).unwrap();
}

fn in_child(work: impl AsyncFnOnce(&Path)) {
    let Some(directory) = std::env::var_os(DIRECTORY) else { return };
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    runtime.block_on(async {
        tokio::time::timeout(LIFE, work(Path::new(&directory))).await.unwrap();
    });
}

#[test]
#[ignore = "it is started by the test that watches it die"]
fn child_with_poison() {
    in_child(async |directory| {
        let (good, poison) = (chain("good", 3, "/fine"), chain("bad", 3, "/poison"));
        let definition = |number| if number == RUNS / 3 { poison.clone() } else { good.clone() };
        let runs = (0..RUNS).map(|number| (format!("run-{number}"), definition(number)));
        live(directory, runs.collect()).await;
    });
}

#[test]
#[ignore = "it is started by the test that kills it"]
fn child_that_is_killed() {
    in_child(async |directory| {
        let definition = chain("long", 200, "/fine");
        live(directory, (0..4).map(|number| (format!("run-{number}"), definition.clone())).collect()).await;
    });
}

/// Starts this test program again as a process that does only what its test `name` does.
fn spawn(name: &str, directory: &Path) -> Child {
    Command::new(std::env::current_exe().unwrap())
        .args(["--exact", name, "--ignored", "--nocapture", "--test-threads=1"])
        .env(DIRECTORY, directory)
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap()
}

fn ends(name: &str, directory: &Path) -> ExitStatus {
    let mut child = spawn(name, directory);
    std::io::copy(&mut child.stdout.take().unwrap(), &mut std::io::sink()).unwrap();
    child.wait().unwrap()
}

/// How many runs have which status; and the runs that are stuck.
fn statuses(directory: &Path) -> (Vec<Status>, Vec<(String, Event)>) {
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    runtime.block_on(async {
        let store = SledStore::open(directory).unwrap();
        let rows = store.list(&Filter::default(), None, 1_000).await.unwrap().items;
        let mut stuck = Vec::new();
        for row in &rows {
            let history = read::history(&store, row.run).await.unwrap();
            let found = history.into_iter().find(|recorded| matches!(recorded.event, Event::RunStuck { .. }));
            stuck.extend(found.map(|recorded| (row.workflow_id.clone().unwrap(), recorded.event)));
        }
        store.close().await.unwrap();
        (rows.into_iter().map(|row| row.status).collect(), stuck)
    })
}

#[test]
fn of_fifty_runs_the_one_that_takes_the_process_down_is_set_aside() {
    let data = tempfile::tempdir().unwrap();
    let mut starts = 1;
    while !ends("child_with_poison", data.path()).success() {
        starts += 1;
        assert!(starts <= STARTS, "the process still dies at the {starts}th start");
    }
    let (statuses, stuck) = statuses(data.path());
    eprintln!("{starts} starts");
    assert_eq!(statuses.iter().filter(|status| **status == Status::Completed).count(), RUNS - 1);
    assert!(
        matches!(stuck.as_slice(), [(id, Event::RunStuck { reason: StuckReason::Poison, .. })] if *id == format!("run-{}", RUNS / 3)),
        "{stuck:?}"
    );
    assert!(ends("child_with_poison", data.path()).success(), "and it stays so");
}

#[test]
fn a_process_that_is_killed_again_and_again_condemns_no_run() {
    let data = tempfile::tempdir().unwrap();
    let begun = Instant::now();
    for kill in 0..KILLS {
        let mut child = spawn("child_that_is_killed", data.path());
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines().map_while(Result::ok);
        // After at least one more result, and some more or less.
        for _ in 0..=kill % 7 {
            assert!(lines.by_ref().any(|line| line.ends_with("result")), "kill {kill}: {:?}", child.try_wait());
        }
        child.kill().unwrap();
        assert!(!child.wait().unwrap().success(), "kill {kill} came too late");
    }
    eprintln!("{KILLS} kills in {:?}", begun.elapsed());
    assert!(ends("child_that_is_killed", data.path()).success());
    let (statuses, stuck) = statuses(data.path());
    assert!(stuck.is_empty(), "{stuck:?}");
    assert_eq!(statuses, [Status::Completed; 4]);
}
