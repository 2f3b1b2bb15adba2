//! A process for each measurement.

use std::path::PathBuf;
use std::process::Stdio;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use tokio::process::Command;

use crate::BenchError;
use crate::measurement::Measurement;
use crate::workloads::Spec;

/// What a process is asked to measure.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Asked {
    pub(crate) spec: Spec,
    pub(crate) scratch: Scratch,
}

/// What a measurement has to itself.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Scratch {
    /// For what is written: empty, or left by the part before.
    pub(crate) directory: PathBuf,
    /// How long the floor is measured, just before that which stands on it.
    pub(crate) beside: Duration,
}

impl Scratch {
    /// The same with another directory, below this one.
    pub(crate) fn below(&self, name: &str) -> Result<Self, BenchError> {
        let directory = self.directory.join(name);
        std::fs::create_dir(&directory)
            .map_err(|error| BenchError::new(format!("{} can't be made", directory.display()), error))?;
        Ok(Self { directory, ..self.clone() })
    }
}

/// Has a process of its own measure this.
pub(crate) async fn measure(spec: &Spec, scratch: &Scratch) -> Result<Measurement, BenchError> {
    let done = of_this_program(spec, scratch)?.stdin(Stdio::null()).output().await;
    let done = done.map_err(|error| BenchError::new(format!("`{spec}` can't be started"), error))?;
    if !done.status.success() {
        let said = String::from_utf8_lossy(&done.stderr);
        return Err(BenchError::new(format!("`{spec}` failed ({})", done.status), said.trim()));
    }
    serde_json::from_slice(&done.stdout)
        .map_err(|error| BenchError::new(format!("what `{spec}` measured can't be read"), error))
}

/// This program as a process that measures, or is measured.
pub(crate) fn of_this_program(spec: &Spec, scratch: &Scratch) -> Result<Command, BenchError> {
    let asked = Asked { spec: spec.clone(), scratch: scratch.clone() };
    let asked =
        serde_json::to_string(&asked).map_err(|error| BenchError::new("a measurement can't be written", error))?;
    let mut command = this_program()?;
    command.args(["bench", "--measure", &asked]).kill_on_drop(true);
    Ok(command)
}

/// This program.
pub(crate) fn this_program() -> Result<Command, BenchError> {
    let program = std::env::current_exe().map_err(|error| BenchError::new("this program can't be found", error))?;
    Ok(Command::new(program))
}
