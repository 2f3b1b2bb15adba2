//! What is recorded when something did not work. A failure is data; an error is infrastructure.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::bounds;
use crate::id::Name;

/// Why an attempt, a step or a run failed: recorded, shown, readable in `on_failure` as `.error`.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Failure {
    /// A short word for programs, as `HTTP_422`, `TIMEOUT` or what `expect.code` says.
    pub code: String,
    /// A sentence for people. Never holds a secret.
    pub message: String,
    /// The HTTP status, where there was one.
    pub status: Option<u16>,
}

impl Failure {
    /// A failure; an over-long message is cut.
    pub fn new(code: impl Into<String>, message: impl Into<String>) -> Self {
        let mut message = message.into();
        if message.len() > bounds::MESSAGE_LEN {
            message.truncate(message.floor_char_boundary(bounds::MESSAGE_LEN));
            message.push('…');
        }
        Self { code: code.into(), message, status: None }
    }

    /// The same failure with an HTTP status.
    pub fn with_status(mut self, status: u16) -> Self {
        self.status = Some(status);
        self
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.code, self.message)
    }
}

/// A failure of a run, with the step it belongs to.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct StepFailure {
    /// The step that failed.
    pub step: Name,
    /// Why.
    pub failure: Failure,
}

/// What is known of what a step did to the world.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub enum Effect {
    /// Provably nothing.
    #[default]
    None,
    /// Perhaps something.
    Unknown,
    /// It was carried out.
    Done,
}

impl fmt::Display for Effect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::None => "none",
            Self::Unknown => "unknown",
            Self::Done => "done",
        })
    }
}
