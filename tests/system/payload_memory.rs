//! Payloads in memory are bounded together: measured of the binary as it is, with its own allocator's settings.

use std::net::TcpListener;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use engine_core::definition::Definition;
use engine_runtime::{Engine as Library, Options, Reuse, Start};
use engine_store::Store;
use engine_store_sled::SledStore;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;

use crate::support::Engine;

const RUNS: usize = 50;
const STEPS: usize = 5;
const PAYLOAD: usize = 5_000_000;
const PEAK: usize = 150_000_000;

/// Runs with large payloads are begun while their service answers nobody; the binary then drives them all at once.
#[tokio::test(flavor = "multi_thread")]
async fn large_payloads_of_many_runs_stay_in_bounds() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let directory = tempfile::tempdir().unwrap();
    let engine = Engine::new(&directory.path().join("data"));
    begin(&engine.data_dir, &chain(&url)).await;
    tokio::spawn(serve(listener));
    let (peak, ran) = tokio::task::spawn_blocking(move || engine.watch_verb(&["recover"]).peak()).await.unwrap();
    ran.assert_exit(0);
    assert_eq!(ran.stdout.matches(": Completed").count(), RUNS, "{}", ran.stdout);
    println!("the peak was {peak} bytes");
    assert!(peak < PEAK, "the peak was {peak} bytes");
}

async fn begin(data: &Path, definition: &Arc<Definition>) {
    let store = Arc::new(SledStore::open(data).unwrap());
    let engine = Library::open(store.clone(), Options::system().unwrap()).await.unwrap();
    let input = Arc::<[u8]>::from(records());
    for number in 0..RUNS {
        let start = Start {
            definition: definition.clone(),
            workflow_id: Some(format!("run-{number}")),
            request_id: None,
            actor: "test".to_owned(),
            input: input.clone(),
            labels: Vec::new(),
            overrides: Vec::new(),
            reuse: Reuse::Never,
        };
        engine.start(start).await.unwrap();
    }
    engine.shutdown(Duration::ZERO).await;
    drop(engine);
    store.close().await.unwrap();
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
    listener.set_nonblocking(true).unwrap();
    let listener = tokio::net::TcpListener::from_std(listener).unwrap();
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
