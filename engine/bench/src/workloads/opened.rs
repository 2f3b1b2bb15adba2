//! An engine on a directory, whose store can be asked what it has done.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use engine::inner::{SledStore, Store};
use engine::{Engine, Workflow};
use engine_store::Counters;

use crate::BenchError;
use crate::child::Scratch;
use crate::measurement::Measurement;
use crate::meter::{Latencies, Meter, disk_len};

/// An open engine with one workflow.
pub(crate) struct Opened<I, O> {
    pub(crate) engine: Engine,
    pub(crate) workflow: Workflow<I, O>,
    store: Arc<SledStore>,
    path: PathBuf,
}

/// What is still in flight when a measurement ends is of no interest.
const GRACE: Duration = Duration::from_millis(100);

/// Says what failed in a measurement.
pub(crate) fn failed(error: impl std::fmt::Display) -> BenchError {
    BenchError::new("the engine failed", error)
}

impl<I, O> Opened<I, O> {
    /// Opens the engine in a directory of its own below the scratch directory.
    pub(crate) async fn open(scratch: &Scratch, workflow: Workflow<I, O>) -> Result<Self, BenchError> {
        let path = scratch.directory.join("engine");
        let store = Arc::new(SledStore::open(&path).map_err(failed)?);
        let engine = Engine::open(&path).store(store.clone()).register(&workflow).start().await.map_err(failed)?;
        Ok(Self { engine, workflow, store, path })
    }

    pub(crate) fn counters(&self) -> Counters {
        self.store.counters()
    }

    /// Where its data is.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    pub(crate) fn meter(&self) -> Meter {
        Meter::start(self.counters())
    }

    /// What the meter says of so many units, and what the disk holds once the engine is closed.
    #[allow(clippy::cast_precision_loss, reason = "three digits are shown")]
    pub(crate) async fn close(
        self,
        meter: Meter,
        units: u64,
        latencies: &Latencies,
    ) -> Result<Measurement, BenchError> {
        let measured = meter.stop(self.counters(), units, latencies);
        self.engine.shutdown_within(GRACE).await.map_err(failed)?;
        Ok(Measurement { disk: Some(disk_len(&self.path) as f64 / units.max(1) as f64), ..measured })
    }
}
