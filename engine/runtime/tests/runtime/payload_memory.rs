//! Payloads in memory are bounded together: measured in a process of its own, with a real store and real sockets.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;

use engine_core::definition::Definition;
use engine_core::state::Status;
use engine_runtime::{Engine, Finished, Options};
use engine_store_sled::SledStore;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};

use crate::world;

const RUNS: usize = 50;
const STEPS: usize = 5;
const PAYLOAD: usize = 5_000_000;
const PEAK: usize = 150_000_000;

/// What the measured process is told: where the service is, where to work, and the budget.
const TASK: &str = "ENGINE_TEST_PAYLOAD_MEMORY";

/// Another budget than the default, to see what it is good for.
const BUDGET: &str = "ENGINE_TEST_PAYLOAD_BUDGET";

#[tokio::test(flavor = "multi_thread")]
async fn large_payloads_of_many_runs_stay_in_bounds() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(serve(listener));
    let directory = tempfile::tempdir().unwrap();
    let budget = std::env::var(BUDGET).unwrap_or_else(|_| engine_runtime::bounds::PAYLOAD_MEMORY.to_string());
    let mut measured = Command::new(std::env::current_exe().unwrap());
    measured.args(["--exact", "payload_memory::runs_with_large_payloads", "--ignored", "--test-threads=1"]);
    // glibc keeps freed memory for each arena, and has one for each thread. With one arena for all, the peak is close to
    // what the engine holds; without this setting it is higher, by what is kept.
    measured.env("MALLOC_ARENA_MAX", "1");
    measured.env(TASK, format!("{url} {budget} {}", directory.path().display()));
    let output = tokio::task::spawn_blocking(move || measured.output()).await.unwrap().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
    let peak: usize = std::fs::read_to_string(peak_file(directory.path())).unwrap().parse().unwrap();
    println!("with a budget of {budget} bytes the peak was {peak} bytes");
    assert!(peak < PEAK, "with a budget of {budget} bytes the peak was {peak} bytes");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
#[ignore = "a process of its own, started by the test above"]
async fn runs_with_large_payloads() {
    let task = std::env::var(TASK).unwrap();
    let mut task = task.splitn(3, ' ');
    let (url, budget, directory) = (task.next().unwrap(), task.next().unwrap(), Path::new(task.next().unwrap()));
    let mut options = Options::system().unwrap();
    options.payload_memory = budget.parse().unwrap();
    let store = Arc::new(SledStore::open(&directory.join("data")).unwrap());
    let engine = Engine::open(store, options).await.unwrap();
    let (definition, input) = (chain(url), Arc::<[u8]>::from(records()));
    let runs = (0..RUNS).map(|number| {
        let mut start = world::start(&definition, &format!("run-{number}"));
        start.input = input.clone();
        let engine = engine.clone();
        tokio::spawn(async move {
            let run = engine.start(start).await.unwrap().run;
            engine.drive(run).await.unwrap().finish().await
        })
    });
    for run in runs.collect::<Vec<_>>() {
        let Finished::Ended(state) = run.await.unwrap() else { panic!() };
        assert_eq!(state.status(), Status::Completed, "{:?}", state.failures);
    }
    std::fs::write(peak_file(directory), peak().to_string()).unwrap();
}

fn peak_file(directory: &Path) -> PathBuf {
    directory.join("peak")
}

/// The most memory that this process ever had, in bytes.
fn peak() -> usize {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    let kib: usize = line.trim().trim_end_matches(" kB").parse().unwrap();
    kib * 1024
}

/// Each step sends what the one before it gave.
fn chain(url: &str) -> Arc<Definition> {
    let mut steps = serde_json::Map::new();
    for number in 1..=STEPS {
        let before = number - 1;
        let body = if before == 0 { "${ .input }".to_owned() } else { format!("${{ .steps.s{before} }}") };
        let call = serde_json::json!({ "service": "svc", "post": format!("/s{number}"), "body": body });
        steps.insert(format!("s{number}"), serde_json::json!({ "http": call }));
    }
    let file = serde_json::json!({
        "format": "engine/1", "name": "test", "version": "1.0.0",
        "services": { "svc": { "url": url, "idempotency": "key" } },
        "steps": steps,
    });
    Arc::new(Definition::from_json(&file.to_string()).unwrap())
}

/// Many records, as services give them.
fn records() -> Vec<u8> {
    let record = |number: usize| serde_json::json!({ "id": format!("{number:08}"), "text": "lorem ipsum ".repeat(25) });
    let len = record(0).to_string().len() + 1;
    let records: Vec<_> = (0..PAYLOAD / len).map(record).collect();
    serde_json::json!({ "records": records }).to_string().into_bytes()
}

/// Answers every request with as much as it got, once it got all of it.
async fn serve(listener: TcpListener) {
    let body = Arc::<[u8]>::from(records());
    while let Ok((connection, _)) = listener.accept().await {
        let body = body.clone();
        // A connection that the client closes has done its work.
        tokio::spawn(async move { serve_connection(connection, &body).await.ok() });
    }
}

async fn serve_connection(connection: TcpStream, body: &[u8]) -> std::io::Result<()> {
    let mut connection = BufReader::new(connection);
    let head = format!("HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n", body.len());
    loop {
        let (mut line, mut len) = (String::new(), 0_u64);
        while connection.read_line(&mut line).await? > 2 {
            if let Some(value) = line.to_ascii_lowercase().strip_prefix("content-length:") {
                len = value.trim().parse().unwrap();
            }
            line.clear();
        }
        if line.is_empty() {
            return Ok(());
        }
        assert!(len > PAYLOAD as u64 / 2, "a body of {len} bytes");
        tokio::io::copy(&mut (&mut connection).take(len), &mut tokio::io::sink()).await?;
        connection.write_all(head.as_bytes()).await?;
        connection.write_all(body).await?;
    }
}
