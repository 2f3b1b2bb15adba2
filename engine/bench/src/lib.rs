//! Measures the engine against the floor of the disk that it runs on.
//!
//! Durable execution is bought with syncs, and no two disks sync alike. So every measurement says what the same disk
//! gives without an engine, measured in the same minute, and the ratio of the two is what can be compared.
//!
//! | module | what it measures | its floor |
//! |---|---|---|
//! | `floor` | a preallocated file, 200 bytes and `fdatasync` for each group | – |
//! | `store` | the store alone, with the records of a step of a chain | `floor` |
//! | `chain` | tasks in sequence, one run or many; tasks side by side and a join (`fan`) | `store` |
//! | `saga` | the order saga over HTTP to mock services of another process | its calls and its commits |
//! | `start` | runs started a second | `store` |
//! | `waiting` | many runs in a long back-off: memory, and the time to be ready again | – |
//! | `recover` | chains in flight when the process is killed | the rest, undisturbed |
//! | `history` | histories folded, without a disk | – |
//! | `big` | payloads of up to 8 MiB | a file written and synced |
//! | `soak` | a fixed rate for a time, ended runs deleted | – |
//!
//! Each measurement has a process of its own ([`measure`]), so that memory, processor time and the state of the
//! allocator are that measurement's only.

mod child;
mod compare;
mod machine;
mod measurement;
mod meter;
mod plan;
mod table;
mod workloads;

use std::path::Path;

pub use compare::{Change, Earlier};
pub use machine::Machine;
pub use measurement::{Floor, Latency, Measurement};
pub use plan::{Plan, Workload};
pub use table::{header, heading, row};

/// Why something was not measured, and what to do.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct BenchError(String);

impl BenchError {
    fn new(what: impl std::fmt::Display, why: impl std::fmt::Display) -> Self {
        Self(format!("{what}: {why}"))
    }
}

/// Measures what is planned, one after the other, and tells each measurement as it comes.
///
/// What is written goes to a directory of its own below [`Plan::directory`], and is removed afterwards.
///
/// # Errors
/// Where the directory can't be written to, and where a measurement fails: what was measured before was told.
pub async fn run(plan: &Plan, mut tell: impl FnMut(&Measurement)) -> Result<(), BenchError> {
    std::fs::create_dir_all(&plan.directory)
        .map_err(|error| BenchError::new(format!("{} can't be used", plan.directory.display()), error))?;
    for spec in plan.specs() {
        let directory = directory(&plan.directory)?;
        let scratch = child::Scratch { directory: directory.path().to_owned(), beside: plan.beside() };
        tell(&child::measure(&spec, &scratch).await?);
    }
    Ok(())
}

/// Measures one thing in this process, as [`run`] asked for it, and gives the measurement as a line of JSON.
///
/// # Errors
/// Where that is nothing that `run` asks for, or can't be measured.
pub async fn measure(asked: &str) -> Result<String, BenchError> {
    let asked: child::Asked =
        serde_json::from_str(asked).map_err(|error| BenchError::new("this is nothing that is measured", error))?;
    let measured = asked.spec.measure(&asked.scratch).await?;
    serde_json::to_string(&measured).map_err(|error| BenchError::new("the measurement can't be written", error))
}

/// A directory for one measurement, removed when it is dropped.
fn directory(directory: &Path) -> Result<tempfile::TempDir, BenchError> {
    tempfile::Builder::new()
        .prefix("bench-")
        .tempdir_in(directory)
        .map_err(|error| BenchError::new(format!("{} can't be written to", directory.display()), error))
}
