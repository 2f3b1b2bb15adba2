//! A process for each measurement.

use std::path::{Path, PathBuf};
use std::process::Stdio;

use serde::{Deserialize, Serialize};
use tokio::process::Command;

use crate::BenchError;
use crate::measurement::Measurement;
use crate::workloads::Spec;

/// What a process is asked to measure.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Asked {
    pub(crate) spec: Spec,
    /// An empty directory for what is written.
    pub(crate) directory: PathBuf,
}

/// Has a process of its own measure this.
pub(crate) async fn measure(spec: &Spec, directory: &Path) -> Result<Measurement, BenchError> {
    let done = of_this_program(spec, directory)?.stdin(Stdio::null()).output().await;
    let done = done.map_err(|error| BenchError::new(format!("`{spec}` can't be started"), error))?;
    if !done.status.success() {
        let said = String::from_utf8_lossy(&done.stderr);
        return Err(BenchError::new(format!("`{spec}` failed ({})", done.status), said.trim()));
    }
    serde_json::from_slice(&done.stdout)
        .map_err(|error| BenchError::new(format!("what `{spec}` measured can't be read"), error))
}

/// This program as a process that measures, or is measured.
pub(crate) fn of_this_program(spec: &Spec, directory: &Path) -> Result<Command, BenchError> {
    let asked = Asked { spec: spec.clone(), directory: directory.to_owned() };
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
