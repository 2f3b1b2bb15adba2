//! A directory whose owner drives runs for as long as the test wants.

use std::path::PathBuf;

use serde_json::{Value, json};

use super::{Engine, Gate, Ran, Watched};

/// A gate, a workflow that calls it, and the binary with a directory of its own.
pub(crate) struct Place {
    pub(crate) gate: Gate,
    pub(crate) engine: Engine,
    pub(crate) file: PathBuf,
    pub(crate) dir: tempfile::TempDir,
}

impl Place {
    /// A workflow of so many steps.
    pub(crate) fn with(steps: usize) -> Self {
        let (gate, dir) = (Gate::closed(), tempfile::tempdir().unwrap());
        let file = dir.path().join("gated.json");
        std::fs::write(&file, gate.workflow(steps).to_string()).unwrap();
        Self { gate, engine: Engine::new(&dir.path().join("data")), file, dir }
    }

    /// Starts a run and waits until it waits at the gate, where `calls` have come by then.
    pub(crate) fn run(&self, id: &str, calls: usize) -> Watched {
        let run = self.engine.watch_run(&self.file, &["--id", id, "--input", "null"]);
        self.gate.until_called(calls);
        run
    }

    pub(crate) fn status(&self, id: &str) -> Value {
        self.engine.verb(&["show", id, "-o", "json"]).assert_exit(0).json()["status"].clone()
    }
}

#[track_caller]
pub(crate) fn assert_completed(ran: &Ran, id: &str) {
    let report = ran.assert_exit(0).json();
    assert_eq!((&report["status"], &report["workflow_id"]), (&json!("Completed"), &json!(id)));
}
