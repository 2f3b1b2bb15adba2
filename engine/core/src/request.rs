//! What is asked of a run from outside, and what is answered.
//!
//! Every request has an id. Its answer is decided in the turn that takes it and recorded with it, refusals included;
//! a repeat of the id gets the first answer.

use serde::{Deserialize, Serialize};

use crate::id::Name;
use crate::payload::Payload;

/// Something asked of a run. Kept in the durable inbox, so its shape is frozen like that of events.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Request {
    /// Its id, of 1 to 256 bytes, unique per run.
    pub id: String,
    /// Who asks.
    pub actor: String,
    /// What is asked.
    pub demand: Demand,
}

/// What may be asked of a run.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub enum Demand {
    /// Tells it something that a step waits for, or will.
    Signal {
        /// The signal's name.
        name: Name,
        /// What comes with it, as JSON.
        payload: Payload,
    },
    /// Stop, and undo what may have happened.
    Cancel {
        /// Why, for whoever reads the history.
        reason: Option<String>,
    },
    /// End at once, and undo nothing.
    Terminate {
        /// Why, for whoever reads the history.
        reason: Option<String>,
    },
    /// Begin nothing new until resumed.
    Pause,
    /// Go on after a pause.
    Resume,
    /// What to do about something stuck.
    Resolve {
        /// The step; none for the run as a whole.
        step: Option<Name>,
        /// What to do.
        action: Resolution,
        /// The step's output as JSON, for [`Resolution::Done`].
        output: Option<Payload>,
    },
    /// Carry an ended run out anew from this step on, as a new run.
    Rerun {
        /// The first step that is carried out anew.
        from: Name,
    },
    /// Forget an ended run.
    Delete,
}

/// What a request asked for, as the history keeps it; what came with it stands beside.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub enum RequestKind {
    /// The run's own timeout asked to stop it.
    Timeout,
    /// An operator resolved a stuck step, or the run where it is stuck as a whole.
    Resolve {
        /// The step; none for the run as a whole.
        step: Option<Name>,
        /// How.
        action: Resolution,
    },
    /// A signal came.
    Signal {
        /// The signal's name.
        name: Name,
    },
    /// To stop, and to undo what may have happened.
    Cancel {
        /// Why.
        reason: Option<String>,
    },
    /// To end at once, and to undo nothing.
    Terminate {
        /// Why.
        reason: Option<String>,
    },
    /// To begin nothing new.
    Pause,
    /// To go on after a pause.
    Resume,
    /// To carry the run out anew, as a new run.
    Rerun {
        /// From this step on.
        from: Name,
    },
    /// To forget the run.
    Delete,
}

/// What an operator says of something stuck.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub enum Resolution {
    /// Try again.
    Retry,
    /// It was done: the payload is the step's output (forward), or it was undone by hand (compensation).
    Done,
    /// Go on without it.
    Skip,
    /// It did not happen (forward only).
    Fail,
}

/// The answer to a request.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub enum Answer {
    /// It is carried out.
    Accepted,
    /// There was nothing to do.
    NoOp,
    /// It can't be carried out.
    Refused {
        /// Why, for programs.
        code: String,
        /// Why, and what would work.
        message: String,
    },
    /// It is kept until the pivot has settled, and decided then.
    Held,
}

impl Demand {
    /// What the history says of it.
    pub fn kind(&self) -> RequestKind {
        match self {
            Self::Signal { name, .. } => RequestKind::Signal { name: name.clone() },
            Self::Cancel { reason } => RequestKind::Cancel { reason: reason.clone() },
            Self::Terminate { reason } => RequestKind::Terminate { reason: reason.clone() },
            Self::Pause => RequestKind::Pause,
            Self::Resume => RequestKind::Resume,
            Self::Resolve { step, action, .. } => RequestKind::Resolve { step: step.clone(), action: *action },
            Self::Rerun { from } => RequestKind::Rerun { from: from.clone() },
            Self::Delete => RequestKind::Delete,
        }
    }

    /// What comes with it.
    pub fn payload(&self) -> Option<&Payload> {
        match self {
            Self::Signal { payload, .. } => Some(payload),
            Self::Resolve { output, .. } => output.as_ref(),
            Self::Cancel { .. }
            | Self::Terminate { .. }
            | Self::Pause
            | Self::Resume
            | Self::Rerun { .. }
            | Self::Delete => None,
        }
    }

    /// What comes with it, to put a reference to a blob in its place or what that refers to.
    pub fn payload_mut(&mut self) -> Option<&mut Payload> {
        match self {
            Self::Signal { payload, .. } => Some(payload),
            Self::Resolve { output, .. } => output.as_mut(),
            Self::Cancel { .. }
            | Self::Terminate { .. }
            | Self::Pause
            | Self::Resume
            | Self::Rerun { .. }
            | Self::Delete => None,
        }
    }
}

impl Answer {
    /// A refusal.
    pub fn refused(code: &str, message: impl Into<String>) -> Self {
        Self::Refused { code: code.to_owned(), message: message.into() }
    }
}
