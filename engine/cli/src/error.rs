//! Errors, for the person who must act: what happened, where, what to do; and the exit code they end in.

use engine_core::definition::InputError;
use engine_core::id::RunId;
use engine_runtime::EngineError;
use engine_runtime::control::{AskError, Refusal, RefusalKind};
use engine_runtime::read::LoadError;
use engine_store::StoreError;

use crate::exit::Outcome;

/// Why a verb could not do what it was asked for.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub(crate) struct CliError {
    /// The exit code.
    pub(crate) outcome: Outcome,
    /// What happened, where, and what to do.
    pub(crate) message: String,
}

impl CliError {
    /// Bad usage, file or input. Nothing was stored.
    pub(crate) fn bad_input(message: impl Into<String>) -> Self {
        Self { outcome: Outcome::BadInput, message: message.into() }
    }

    /// There is nothing there.
    pub(crate) fn nothing(message: impl Into<String>) -> Self {
        Self { outcome: Outcome::NothingThere, message: message.into() }
    }

    /// The data directory can't be used.
    pub(crate) fn directory(message: impl Into<String>) -> Self {
        Self { outcome: Outcome::DirectoryUnusable, message: message.into() }
    }

    /// An input that breaks the workflow's schema, with where it came from.
    pub(crate) fn input(from: &str, error: &InputError) -> Self {
        let problems: Vec<String> = error.to_string().lines().map(|line| format!("  {line}")).collect();
        Self::bad_input(format!("{from} breaks the workflow's schema:\n{}", problems.join("\n")))
    }
}

impl From<StoreError> for CliError {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Io { .. } => Self::directory(format!(
                "{error}\nWhat was acknowledged is safe. See to the cause, and give the same command again"
            )),
            _ => Self::directory(error.to_string()),
        }
    }
}

impl From<EngineError> for CliError {
    fn from(error: EngineError) -> Self {
        match error {
            EngineError::Store(error) => error.into(),
            _ => Self::directory(error.to_string()),
        }
    }
}

impl From<LoadError> for CliError {
    fn from(error: LoadError) -> Self {
        Refusal::from(error).into()
    }
}

impl From<AskError> for CliError {
    fn from(error: AskError) -> Self {
        match error {
            AskError::Refused(refusal) => refusal.into(),
            AskError::Store(error) => error.into(),
            error => Self::directory(error.to_string()),
        }
    }
}

impl From<Refusal> for CliError {
    fn from(Refusal { kind, message }: Refusal) -> Self {
        match kind {
            RefusalKind::Bad => Self::bad_input(message),
            RefusalKind::Ambiguous(runs) => Self::bad_input(several_runs(&runs)),
            RefusalKind::Unknown => Self::nothing(message),
            RefusalKind::NotNow => Self { outcome: Outcome::Interrupted, message },
            RefusalKind::Kept | RefusalKind::SetAside(_) => Self { outcome: Outcome::Stuck, message },
            _ => Self::directory(message),
        }
    }
}

fn several_runs(runs: &[RunId]) -> String {
    let listed: Vec<String> = runs.iter().map(|run| format!("\n  {run}")).collect();
    format!(
        "{} open runs of this workflow have this input. Go on with one by `recover RUN`, or start another with \
         --new:{}",
        runs.len(),
        listed.concat()
    )
}
