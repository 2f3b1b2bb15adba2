//! Why an attempt of a task failed.

use std::borrow::Cow;
use std::error::Error;
use std::fmt;
use std::time::Duration;

use engine_core::event::StuckReason;
use engine_core::failure::Failure;
use engine_core::machine::{Again, TaskFailure};
use engine_runtime::tasks::TaskEnd;

/// Why an attempt of a task failed, in two facts: may another attempt succeed, and may this one have done something?
///
/// | made by | another attempt | what it did |
/// |---|---|---|
/// | `?` on any error, and on a text | yes | unknown |
/// | [`TaskError::retry`] | yes | unknown |
/// | [`TaskError::refused`] | no | nothing |
/// | [`TaskError::fatal`] | no | unknown |
/// | a panic (`PANICKED`), a timeout (`TIMEOUT`) | yes | unknown |
/// | `?` on a call of [`StepContext::service`](crate::StepContext::service) | as the answer says | as the answer says |
///
/// What is unknown is undone when the run turns back; what did nothing is not. So say [`effect_none`] only where that
/// is certain, and [`effect_unknown`] where a task did something else before the call that failed. A step stays unknown
/// once an attempt of it was, cut off by a crash for example, until one succeeds: a refusal speaks for its own attempt.
///
/// ```
/// use std::time::Duration;
/// use engine::TaskError;
///
/// let declined = TaskError::refused("CARD_DECLINED").message("the card has expired");
/// assert!(!declined.is_retryable() && declined.did_nothing());
/// let busy = TaskError::retry("the bank is closed").after(Duration::from_secs(60)).effect_none();
/// assert!(busy.is_retryable() && busy.did_nothing());
/// ```
///
/// It is no [`std::error::Error`] itself, so that `?` takes every error.
///
/// [`effect_none`]: TaskError::effect_none
/// [`effect_unknown`]: TaskError::effect_unknown
#[derive(Clone, PartialEq, Debug)]
pub struct TaskError {
    code: Cow<'static, str>,
    message: String,
    status: Option<u16>,
    again: Again,
    did_nothing: bool,
    settles: bool,
    besides: Besides,
}

/// What an error says that only the engine makes.
#[derive(Clone, PartialEq, Debug)]
enum Besides {
    /// Nothing.
    Nothing,
    /// There is nothing to undo.
    NothingToUndo,
    /// Something is missing that an operator has to see to, and nothing was done.
    Unbound(StuckReason),
}

/// The code of an error that names none.
const FAILED: &str = "TASK_FAILED";

impl TaskError {
    /// The task was refused: it did nothing, and another attempt would not help. `code` is a word for programs, as
    /// `CARD_DECLINED`.
    pub fn refused(code: impl Into<Cow<'static, str>>) -> Self {
        let code = code.into();
        let message = code.to_string();
        Self { code, again: Again::No, did_nothing: true, ..Self::retry(message) }
    }

    /// Another attempt may succeed; what this one did is unknown.
    pub fn retry(message: impl fmt::Display) -> Self {
        Self {
            code: Cow::Borrowed(FAILED),
            message: message.to_string(),
            status: None,
            again: Again::Yes { not_before: None },
            did_nothing: false,
            settles: false,
            besides: Besides::Nothing,
        }
    }

    /// No further attempt is made; what this one did is unknown unless [`TaskError::effect_none`] follows.
    pub fn fatal(message: impl fmt::Display) -> Self {
        Self { again: Again::No, ..Self::retry(message) }
    }

    /// Another attempt may succeed, but is not made before this has gone by; an hour at most. The step's
    /// [`Retry`](crate::Retry) says how many attempts there are.
    pub fn after(self, delay: Duration) -> Self {
        Self { again: Again::Yes { not_before: Some(delay) }, ..self }
    }

    /// The attempt certainly did nothing.
    pub fn effect_none(self) -> Self {
        Self { did_nothing: true, ..self }
    }

    /// The attempt may have done something.
    pub fn effect_unknown(self) -> Self {
        Self { did_nothing: false, settles: false, besides: Besides::Nothing, ..self }
    }

    /// A word for programs, as `CARD_DECLINED`; shown, recorded, and read as `.error.code`.
    pub fn code(self, code: impl Into<Cow<'static, str>>) -> Self {
        Self { code: code.into(), ..self }
    }

    /// A sentence for people, of which 1,000 bytes are kept. It is recorded: no secrets.
    pub fn message(self, message: impl fmt::Display) -> Self {
        Self { message: message.to_string(), ..self }
    }

    /// The word for programs.
    pub fn as_code(&self) -> &str {
        &self.code
    }

    /// The HTTP status that the service answered with, where this comes from a call of a service.
    pub fn status(&self) -> Option<u16> {
        self.status
    }

    /// Whether another attempt may succeed.
    pub fn is_retryable(&self) -> bool {
        self.again != Again::No
    }

    /// Whether the attempt certainly did nothing.
    pub fn did_nothing(&self) -> bool {
        self.did_nothing
    }

    /// There is nothing to undo.
    pub(crate) fn nothing_to_undo(self) -> Self {
        Self { besides: Besides::NothingToUndo, ..self }
    }

    /// Something is missing that an operator has to see to, and nothing was done.
    pub(crate) fn unbound(self, reason: StuckReason) -> Self {
        Self { besides: Besides::Unbound(reason), ..self }
    }

    /// A failure as the engine records it, as an error.
    pub(crate) fn from_failure(failure: TaskFailure) -> Self {
        let TaskFailure { failure: Failure { code, message, status }, again, did_nothing, settles } = failure;
        Self { code: code.into(), message, status, again, did_nothing, settles, besides: Besides::Nothing }
    }

    /// How the attempt ends with it. A compensation that finds nothing to undo has succeeded.
    pub(crate) fn into_end(self) -> TaskEnd {
        let Self { code, message, status, again, did_nothing, settles, besides } = self;
        match besides {
            Besides::NothingToUndo => TaskEnd::Gave(b"null".to_vec()),
            Besides::Unbound(reason) => TaskEnd::Unbound { reason, message },
            Besides::Nothing => {
                let failure = Failure { status, ..Failure::new(code, message) };
                TaskEnd::Failed(TaskFailure { failure, again, did_nothing, settles })
            }
        }
    }
}

impl fmt::Display for TaskError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

/// Any error, with all its causes, and also a text: another attempt may succeed, and what this one did is unknown.
impl<E: Into<Box<dyn Error + Send + Sync>>> From<E> for TaskError {
    fn from(error: E) -> Self {
        let error = error.into();
        let mut message = error.to_string();
        let mut cause = error.source();
        while let Some(error) = cause {
            message = format!("{message}: {error}");
            cause = error.source();
        }
        Self::retry(message)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bare_error_may_have_done_something() {
        fn number(text: &str) -> Result<i32, TaskError> {
            Ok(text.parse::<i32>()?)
        }
        let error = number("x").unwrap_err();
        assert_eq!((error.is_retryable(), error.did_nothing()), (true, false));
        assert_eq!(error.to_string(), "invalid digit found in string");
        assert_eq!(error.as_code(), FAILED);
    }

    #[test]
    fn a_refusal_did_nothing() {
        let error = TaskError::refused("CARD_DECLINED");
        assert_eq!((error.is_retryable(), error.did_nothing()), (false, true));
        let TaskEnd::Failed(failure) = error.message("no credit").into_end() else { panic!() };
        assert_eq!(failure.failure.to_string(), "CARD_DECLINED: no credit");
        assert!(failure.did_nothing && failure.again == Again::No);
    }
}
