//! What a run waits for by itself: the next attempts of its steps, and why.

use engine_core::definition::{CallRule, Definition};
use engine_core::failure::Failure;
use engine_core::id::{Name, Side};
use engine_core::state::{Activity, Forward, State, StepState};
use engine_core::time::Timestamp;
use serde_json::{Value, json};

use crate::render::event_json::{self, side_name};
use crate::render::{event, failure, time};

/// A side of a step that waits for its next attempt.
pub(crate) struct Waiting {
    step: Name,
    side: Side,
    why: Why,
    /// Attempts so far.
    attempts: u32,
    /// How many of them count.
    counted: u32,
    /// How many may count; none where that has no end, or is not known.
    most: Option<u32>,
    /// When the next one is due.
    due: Timestamp,
    /// How the latest one failed.
    failure: Option<Failure>,
}

/// Why it waits.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Why {
    /// Its latest attempt failed.
    Failed,
    /// The service says that the same request is being carried out.
    InWork,
    /// Its latest attempt failed, and it is past the pivot: it is tried until it succeeds.
    PastPivot,
}

impl Waiting {
    /// All that wait, by name.
    pub(crate) fn of(state: &State, definition: Option<&Definition>) -> Vec<Self> {
        let sides = |(name, step)| [Side::Forward, Side::Compensation].map(|side| (name, step, side));
        let steps = state.steps().flat_map(sides);
        steps.filter_map(|(name, step, side)| Self::of_side(state, definition, name, step, side)).collect()
    }

    fn of_side(
        state: &State,
        definition: Option<&Definition>,
        name: &Name,
        step: &StepState,
        side: Side,
    ) -> Option<Self> {
        let Activity::BackingOff { due } = step.activity(side) else { return None };
        let failure = match side {
            Side::Forward => step.failure.clone(),
            Side::Compensation => step.undo.failure.clone(),
        };
        let call = definition.and_then(|definition| call(definition, name, step, side));
        let http = call.and_then(|call| call.template.http());
        let in_work = http.is_some_and(|http| http.idempotent && !http.classify.contains_key(&409))
            && failure.as_ref().is_some_and(|failure| failure.status == Some(409));
        let endless = side == Side::Forward && definition.is_some_and(|definition| has_no_end(state, definition, name));
        let why = match (in_work, endless) {
            (true, _) => Why::InWork,
            (false, true) => Why::PastPivot,
            (false, false) => Why::Failed,
        };
        let tries = step.tries(side);
        let most = call.filter(|_| !endless).map(|call| call.retry.max_attempts);
        let (attempts, counted) = (tries.attempt, tries.failures);
        Some(Self { step: name.clone(), side, why, attempts, counted, most, due, failure })
    }

    /// `charge: attempt 2 of 4 failed: HTTP_503 answered 503; attempt 3 is due at 2026-01-31 08:00:00.500 UTC`
    pub(crate) fn text(&self) -> String {
        let (subject, attempt, due) = (event::subject(&self.step, self.side), self.attempts, time::point(self.due));
        let attempt = match self.most {
            Some(most) if self.counted == attempt => format!("attempt {attempt} of {most}"),
            Some(most) => format!("attempt {attempt} ({} of {most} count)", self.counted),
            None => format!("attempt {attempt}"),
        };
        let failed = self.failure.as_ref().map(|why| format!(": {}", failure(why))).unwrap_or_default();
        let why = match self.why {
            Why::Failed => "",
            Why::InWork => "; the same request is being carried out, which does not count",
            Why::PastPivot => "; the run only goes forward now, so it is tried until it succeeds",
        };
        format!("{subject}: {attempt} failed{failed}{why}; attempt {} is due at {due} UTC", self.attempts + 1)
    }

    pub(crate) fn to_json(&self) -> Value {
        json!({
            "step": self.step.as_str(),
            "side": side_name(self.side),
            "reason": match self.why {
                Why::Failed => "failed",
                Why::InWork => "in_work",
                Why::PastPivot => "past_pivot",
            },
            "attempts": self.attempts,
            "attempts_counted": self.counted,
            "max_attempts": self.most,
            "next_attempt_at": time::rfc3339(self.due),
            "failure": self.failure.as_ref().map(event_json::failure),
        })
    }
}

fn call<'d>(definition: &'d Definition, name: &Name, step: &StepState, side: Side) -> Option<&'d CallRule> {
    let declared = definition.step(definition.find(name.as_str())?);
    match side {
        Side::Forward => declared.call(),
        Side::Compensation => Some(declared.compensate.as_ref()?.call_for(step.effect)),
    }
}

/// Whether the step is tried without end: past the pivot a run only goes forward.
fn has_no_end(state: &State, definition: &Definition, name: &Name) -> bool {
    let (Some(pivot), Some(index)) = (definition.pivot(), definition.find(name.as_str())) else { return false };
    let step = definition.step(index);
    let counts = pivot == index || definition.is_on_failure(index) || step.optional;
    let once = step.call().is_some_and(|call| call.retry.max_attempts <= 1);
    !counts && !once && state.step(&definition.step(pivot).name).forward == Forward::Done
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::render::sample;

    fn waiting() -> Waiting {
        let history = sample::compensated().into_iter().take(3);
        let state = State::fold(sample::run(), history.collect::<Vec<_>>()).unwrap();
        let mut waiting = Waiting::of(&state, Some(&sample::definition()));
        assert_eq!(waiting.len(), 1);
        waiting.remove(0)
    }

    #[test]
    fn it_says_why_how_often_and_when() {
        let waiting = waiting();
        assert_eq!(
            waiting.text(),
            "charge: attempt 1 of 4 failed: HTTP_503 answered 503; attempt 2 is due at 2026-01-31 08:00:00.500 UTC"
        );
        assert_eq!(
            waiting.to_json(),
            json!({
                "step": "charge", "side": "forward", "reason": "failed",
                "attempts": 1, "attempts_counted": 1, "max_attempts": 4,
                "next_attempt_at": "2026-01-31T08:00:00.500Z",
                "failure": waiting.failure.as_ref().map(event_json::failure),
            })
        );
    }

    #[test]
    fn what_does_not_count_and_what_has_no_end_is_said() {
        let in_work = Waiting { why: Why::InWork, attempts: 3, ..waiting() };
        assert!(in_work.text().contains("attempt 3 (1 of 4 count) failed"), "{}", in_work.text());
        assert!(in_work.text().contains("being carried out"), "{}", in_work.text());
        let endless = Waiting { why: Why::PastPivot, most: None, ..waiting() };
        assert!(endless.text().contains("attempt 1 failed") && endless.text().contains("until it succeeds"));
        assert_eq!(endless.to_json()["max_attempts"], Value::Null);
    }
}
