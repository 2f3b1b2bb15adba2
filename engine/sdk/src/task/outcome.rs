//! What a compensation is told of the step that it undoes.

use serde::{Deserialize, Serialize};

/// The first argument of a compensation: how the step ended that it undoes. In JSON `{"done": …}` or `"unknown"`. A step
/// that provably did nothing has no compensation carried out.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome<T> {
    /// It was carried out and gave this.
    Done(T),
    /// It may have been carried out: its last attempt was cut off, timed out, or failed and could not say. Undo it by
    /// what you know beforehand, as the order's number, and take it well where there is nothing to undo.
    Unknown,
}

impl<T> Outcome<T> {
    /// What the step gave, where that is known.
    pub fn done(self) -> Option<T> {
        match self {
            Self::Done(output) => Some(output),
            Self::Unknown => None,
        }
    }
}

/// `Outcome<Done>` and nothing else.
#[diagnostic::on_unimplemented(
    message = "the first parameter of this compensation must be `Outcome<{Done}>`, it is `{Self}`",
    label = "does not take the outcome of the step that it undoes",
    note = "a compensation is `async fn undo(cx: StepContext, done: Outcome<{Done}>, …values…) -> Result<(), TaskError>`"
)]
pub trait OutcomeOf<Done> {}

impl<Done> OutcomeOf<Done> for Outcome<Done> {}

/// The parameters of a task that undoes a step which gives `Done`.
#[diagnostic::on_unimplemented(
    message = "a compensation takes `Outcome<{Done}>` first, this one takes nothing",
    note = "a compensation is `async fn undo(cx: StepContext, done: Outcome<{Done}>, …values…) -> Result<(), TaskError>`"
)]
pub trait Undoes<Done> {
    /// The parameters after the outcome.
    type Rest;
}

macro_rules! undoes {
    ($(($($Type:ident),*))*) => { $(
        impl<Done, First: OutcomeOf<Done>, $($Type),*> Undoes<Done> for (First, $($Type,)*) {
            type Rest = ($($Type,)*);
        }
    )* };
}

undoes! {
    ()
    (A)
    (A, B)
    (A, B, C)
    (A, B, C, D)
    (A, B, C, D, E)
    (A, B, C, D, E, F)
    (A, B, C, D, E, F, G)
    (A, B, C, D, E, F, G, H)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_outcome_is_plain_json() {
        for (json, outcome) in [(r#"{"done":7}"#, Outcome::Done(7)), (r#""unknown""#, Outcome::Unknown)] {
            assert_eq!(serde_json::from_str::<Outcome<u32>>(json).unwrap(), outcome);
            assert_eq!(serde_json::to_string(&outcome).unwrap(), json);
        }
        assert_eq!(serde_json::from_str::<Outcome<()>>(r#"{"done":null}"#).unwrap().done(), Some(()));
    }
}
