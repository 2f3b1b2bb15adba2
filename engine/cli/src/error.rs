//! Errors, for the person who must act: what happened, where, what to do; and the exit code they end in.

use engine_core::definition::InputError;
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
