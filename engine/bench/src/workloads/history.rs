//! Histories that are folded: what taking a run up costs beside reading it.

use std::sync::Arc;
use std::time::{Duration, Instant};

use engine_core::call::{Call, TaskCall};
use engine_core::event::{Event, Recorded, RunStarted};
use engine_core::id::{Digest, Name, RunId, Seq};
use engine_core::payload::Payload;
use engine_core::state::State;
use engine_core::task::TaskName;
use engine_core::time::Timestamp;
use engine_store::Counters;

use crate::BenchError;
use crate::child::Scratch;
use crate::measurement::Measurement;
use crate::meter::{Latencies, Meter};
use crate::workloads::opened::failed;

/// Steps that the events are of: a history may be long, but a workflow has few steps.
const STEPS: u64 = 100;

pub(crate) fn measure(scratch: &Scratch, events: u64) -> Result<Measurement, BenchError> {
    let run = RunId::new(Timestamp::from_millis(1), [7; 10]);
    let history = history(events)?;
    let mut latencies = Latencies::new()?;
    let (meter, mut folded, mut folding) = (Meter::start(Counters::default()), 0, Duration::ZERO);
    while meter.elapsed() < scratch.beside || folded == 0 {
        let given = history.clone();
        let began = Instant::now();
        State::fold(run, given).map_err(failed)?;
        let took = began.elapsed();
        latencies.note(took);
        folding += took;
        folded += events;
    }
    let measured = meter.stop(Counters::default(), folded, &latencies.shared_among(events)?);
    let (seconds, units) = (folding.as_secs_f64(), measured.units);
    #[allow(clippy::cast_precision_loss, reason = "three digits are shown")]
    let units = units as f64;
    // The copies of the history are made before each fold, and are none of it.
    Ok(Measurement { seconds, per_second: units / seconds, cpu_us: seconds * 1e6 / units, ..measured })
}

/// A start, and then steps that are scheduled and end, again and again as reruns of a part would have it.
fn history(events: u64) -> Result<Vec<Recorded>, BenchError> {
    let small = || Payload::json(Arc::<[u8]>::from(b"42".as_slice()));
    let name = TaskName::new("nothing", 1).map_err(failed)?;
    let mut history = vec![Event::RunStarted(Box::new(start(small())))];
    for pair in 0..events / 2 {
        let step = Name::new(format!("step_{}", pair % STEPS));
        let call = Call::Task(TaskCall { name: name.clone(), args: small() });
        history.push(Event::StepScheduled { step: step.clone(), call });
        let (attempt, started_at) = (1, Timestamp::from_millis(2));
        history.push(Event::StepCompleted { step, attempt, started_at, status: None, output: small() });
    }
    let recorded = |(event, seq)| Recorded { seq: Seq(seq), at: Timestamp::from_millis(2), event };
    Ok(history.into_iter().zip(1..=events).map(recorded).collect())
}

fn start(input: Payload) -> RunStarted {
    RunStarted {
        workflow: Name::new("bench"),
        version: String::new(),
        definition: Digest::of(b"bench"),
        children: Vec::new(),
        workflow_id: None,
        request_id: "start".to_owned(),
        actor: "bench".to_owned(),
        input,
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
