//! What is wrong with a workflow that is being built.

use std::fmt;
use std::panic::Location;

use super::state::Place;

/// One thing that is wrong.
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct Problem {
    /// Where it was said.
    pub at: &'static Location<'static>,
    /// What is wrong, and what to do. It begins with the place in the workflow file where only that is wrong, as
    /// `/steps/charge/timeout`.
    pub message: String,
}

impl Problem {
    pub(super) fn new(at: Place, message: impl Into<String>) -> Self {
        Self { at, message: message.into() }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.at, self.message)
    }
}

/// Everything that is wrong with a workflow, in the order of the program.
#[derive(Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub struct DefinitionError {
    /// The name that the workflow was given.
    pub workflow: String,
    /// What is wrong.
    pub problems: Vec<Problem>,
    /// How much more is wrong.
    pub more: usize,
}

impl fmt::Display for DefinitionError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the workflow `{}` can't be built:", self.workflow)?;
        for problem in &self.problems {
            write!(f, "\n  {problem}")?;
        }
        if self.more > 0 {
            write!(f, "\n  and {} more", self.more)?;
        }
        Ok(())
    }
}

/// As it is displayed: a `main` that returns it, and `unwrap`, show what is wrong to a person.
impl fmt::Debug for DefinitionError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}
