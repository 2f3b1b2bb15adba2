//! The order saga over HTTP, to mock services in a process of their own.

use std::collections::BTreeMap;
use std::process::Stdio;
use std::sync::Arc;
use std::time::{Duration, Instant};

use engine_core::definition::Definition;
use engine_core::id::Name;
use engine_core::state::Status;
use engine_runtime::{Engine, Finished, Options, Reuse, Start};
use engine_store::Store;
use engine_store_sled::SledStore;
use serde_json::Value;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::Child;

use crate::BenchError;
use crate::child;
use crate::child::Scratch;
use crate::measurement::Measurement;
use crate::meter::{Latencies, Meter, disk_len};
use crate::workloads::crowd::crowd;
use crate::workloads::opened::failed;
use crate::workloads::store;

const FILE: &str = include_str!("../../../../workflows/order_saga.json");

/// What makes the saga turn back after the payment.
const REFUSED: &str = "inventory/update:status=422";

/// Calls to measure one by.
const CALLS: u32 = 200;

/// How long attempts may take to end once all runs have.
const GRACE: Duration = Duration::from_secs(5);

/// The mock services, in a process that ends with this.
struct Services {
    _process: Child,
    urls: BTreeMap<String, String>,
}

pub(crate) async fn measure(
    scratch: &Scratch,
    in_flight: usize,
    runs: u64,
    refund: bool,
) -> Result<Measurement, BenchError> {
    let services = Services::start(refund).await?;
    let floor = store::beside(scratch, 1).await?;
    let call = services.lone_call().await?;
    let (path, definition) = (scratch.directory.join("engine"), Arc::new(Definition::from_json(FILE).map_err(failed)?));
    let store = Arc::new(SledStore::open(&path).map_err(failed)?);
    let mut options = Options::system().map_err(failed)?;
    options.overrides = services.urls.iter().map(|(name, url)| (format!("{name}.url"), url.clone())).collect();
    let engine = Engine::open(store.clone(), options).await.map_err(failed)?;
    let expected = if refund { Status::Compensated } else { Status::Completed };
    let carry_out = {
        let engine = engine.clone();
        move |number: u64| carry_out(engine.clone(), definition.clone(), number, expected)
    };
    // Connections are made once, so they are none of a run's costs.
    let warm = in_flight as u64;
    let numbered = carry_out.clone();
    crowd(in_flight, warm, move |number| numbered(runs + number)).await?;
    let meter = Meter::start(store.counters());
    let latencies = crowd(in_flight, runs, carry_out).await?;
    let measured = meter.stop(store.counters(), runs, &latencies);
    let calls = calls_of(&engine, runs).await?;
    engine.shutdown(GRACE).await;
    store.close().await.map_err(failed)?;
    #[allow(clippy::cast_precision_loss, reason = "three digits are shown")]
    let disk = disk_len(&path) as f64 / (runs + warm) as f64;
    let measured = Measurement { disk: Some(disk), ..measured }.with("HTTP calls", calls).with("a lone call, us", call);
    let commits = measured.commits.unwrap_or_default();
    Ok(match in_flight {
        1 => measured.against_time("its calls and its commits, alone", calls * call + commits * floor.p50_us),
        _ => measured,
    })
}

async fn carry_out(
    engine: Engine,
    definition: Arc<Definition>,
    number: u64,
    expected: Status,
) -> Result<(), BenchError> {
    let mut input = definition.example().cloned().unwrap_or_default();
    if let Value::Object(fields) = &mut input {
        fields.insert("order_id".to_owned(), format!("order-{number}").into());
    }
    let start = Start {
        definition,
        workflow_id: Some(format!("order-{number}")),
        request_id: None,
        actor: "bench".to_owned(),
        input: input.to_string().into_bytes().into(),
        labels: Vec::new(),
        overrides: Vec::new(),
        reuse: Reuse::Never,
    };
    let run = engine.start(start).await.map_err(failed)?.run;
    let finished = engine.drive(run).await.map_err(failed)?.finish().await;
    match finished {
        Finished::Ended(state) if state.status() == expected => Ok(()),
        other => Err(failed(format!("a saga should have been {expected:?}, and ended otherwise: {other:?}"))),
    }
}

/// How many calls one of the sagas made.
async fn calls_of(engine: &Engine, runs: u64) -> Result<f64, BenchError> {
    let id = format!("order-{}", runs.saturating_sub(1));
    let store = &**engine.store();
    let run = engine_runtime::read::claimed(store, &Name::new("order_saga"), &id).await.map_err(failed)?;
    let run = run.ok_or_else(|| failed("a saga is gone"))?;
    let history = engine_runtime::read::history(store, run).await.map_err(failed)?;
    let calls = history.iter().filter(|recorded| recorded.event.is_result()).count();
    Ok(u32::try_from(calls).map_or(f64::INFINITY, f64::from))
}

impl Services {
    async fn start(refund: bool) -> Result<Self, BenchError> {
        let mut command = child::this_program()?;
        command.args(["mock-services", "--ports", "ephemeral"]).kill_on_drop(true);
        if refund {
            command.args(["--fault", REFUSED]);
        }
        let mut process = command.stdin(Stdio::null()).stdout(Stdio::piped()).spawn().map_err(failed)?;
        let output = process.stdout.take().ok_or_else(|| failed("the mock services say nothing"))?;
        let (mut lines, mut urls) = (BufReader::new(output).lines(), BTreeMap::new());
        while let Some(line) = lines.next_line().await.map_err(failed)?.filter(|line| line != "ready") {
            if let Some((name, url)) = line.split_once(' ') {
                urls.insert(name.to_owned(), url.trim().to_owned());
            }
        }
        if urls.is_empty() {
            Err(failed("the mock services did not start"))
        } else {
            Ok(Self { _process: process, urls })
        }
    }

    /// How long one call takes that is made alone, in microseconds.
    async fn lone_call(&self) -> Result<f64, BenchError> {
        let user = self.urls.get("user").ok_or_else(|| failed("there is no user service"))?;
        let client = reqwest::Client::new();
        let mut latencies = Latencies::new()?;
        for _ in 0..CALLS {
            let began = Instant::now();
            let request = client.post(format!("{user}/users/test_user_123/validate"));
            let request = request.header("content-type", "application/json").body("{}");
            request.send().await.map_err(failed)?.bytes().await.map_err(failed)?;
            latencies.note(began.elapsed());
        }
        Ok(latencies.said().map_or(f64::INFINITY, |latency| latency.p50))
    }
}
