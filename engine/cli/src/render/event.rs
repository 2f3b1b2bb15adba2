//! An event as one line of text.

use std::time::Duration;

use engine_core::event::{CancelCause, Event, Origin, Recorded, RunStarted, SkipReason};
use engine_core::event::{StopCause, TriedAndFailed};
use engine_core::failure::{Effect, StepFailure};
use engine_core::id::{Name, Side};
use engine_core::request::{Answer, RequestKind, Resolution};
use engine_core::time::Timestamp;

use crate::render::{count, failure, one_line, time};

/// What happened, on one line.
pub(crate) fn text(recorded: &Recorded) -> String {
    match &recorded.event {
        Event::RunStarted(started) => run_started(started),
        Event::StopBegan { cause: StopCause::StepFailed(step) } => format!("stopping because {step} failed"),
        Event::StopBegan { cause: StopCause::Timeout } => "stopping because the run's time is over".to_owned(),
        Event::StopBegan { cause: StopCause::Cancelled } => "stopping because the run was cancelled".to_owned(),
        Event::RunStuck { message, .. } => format!("the run is stuck: {}", one_line(message)),
        Event::RunUnstuck => "going on: an operator has seen to it".to_owned(),
        Event::RecoveryNoted { cut_off } => {
            let cut_off: Vec<String> = cut_off.iter().map(|(step, side)| subject(step, *side)).collect();
            format!("taken up again; cut off in flight, with unknown effect: {}", cut_off.join(", "))
        }
        Event::RunCompleted { warnings, residue, .. } => format!("completed{}", with(warnings, residue)),
        Event::RunCompensated { warnings } => format!("compensated{}", with(warnings, &[])),
        Event::RunFailed { warnings, residue } => format!("failed{}", with(warnings, residue)),
        Event::RunCancelled { cause, warnings, residue } => {
            let how = match cause {
                CancelCause::Timeout => "cancelled by the run's timeout",
                CancelCause::Cancelled => "cancelled",
                CancelCause::Terminated => "terminated",
            };
            format!("{how}{}", with(warnings, residue))
        }
        Event::RequestAnswered { kind, actor, answer, .. } => answered(request(kind, actor), answer),
        Event::RequestSettled { answer, .. } => answered("what was held is decided".to_owned(), answer),
        event => step_text(recorded.at, event),
    }
}

/// What happened to a step.
fn step_text(at: Timestamp, event: &Event) -> String {
    match event {
        Event::StepScheduled { step, call } => {
            format!("{step}: {}", one_line(&call.to_string()))
        }
        Event::CompensationStarted { step, call } => {
            format!("undo {step}: {}", one_line(&call.to_string()))
        }
        Event::AttemptStarted { step, side, attempt } => format!("{}: attempt {attempt}", subject(step, *side)),
        Event::StepCheckpointed { step, side, .. } => format!("{}: noted how far it is", subject(step, *side)),
        Event::AttemptFailed(failed) => tried(failed, Side::Forward),
        Event::CompensationAttemptFailed(failed) => tried(failed, Side::Compensation),
        Event::StepCompleted { step, attempt, started_at, .. } => {
            format!("{step}: done{}", how(*attempt, at.since(*started_at)))
        }
        Event::StepFailed { step, attempt, failure: why, effect, fatal, .. } => {
            let after = if *attempt > 1 { format!(" after {attempt} attempts") } else { String::new() };
            let goes_on = if *fatal { "" } else { "; the run goes on" };
            format!("{step}: failed{after}: {}{}{goes_on}", failure(why), of_effect(*effect))
        }
        Event::StepCarried { step, .. } => format!("{step}: taken over from the run before"),
        Event::StepSkipped { step, reason } => format!("{step}: skipped: {}", skipped(*reason)),
        Event::StepStuck { step, failure: why, effect, .. } => {
            format!("{step}: stuck: {}{}; an operator has to say what to do", failure(why), of_effect(*effect))
        }
        Event::CompensationCompleted { step, attempt: 0, .. } => format!("undo {step}: done, says an operator"),
        Event::CompensationCompleted { step, attempt, started_at, .. } => {
            format!("undo {step}: done{}", how(*attempt, at.since(*started_at)))
        }
        Event::CompensationFailed { step, failure: why, .. } => {
            format!("undo {step}: stuck: {}; an operator has to say what to do", failure(why))
        }
        Event::CompensationSkipped { step } => format!("undo {step}: given up by an operator; its effect remains"),
        Event::RunStarted(_)
        | Event::StopBegan { .. }
        | Event::RunStuck { .. }
        | Event::RunUnstuck
        | Event::RecoveryNoted { .. }
        | Event::RunCompleted { .. }
        | Event::RunCompensated { .. }
        | Event::RunFailed { .. }
        | Event::RunCancelled { .. }
        | Event::RequestAnswered { .. }
        | Event::RequestSettled { .. } => String::new(),
    }
}

/// `charge`, or `undo charge` for its compensation.
pub(crate) fn subject(step: &Name, side: Side) -> String {
    match side {
        Side::Forward => step.to_string(),
        Side::Compensation => format!("undo {step}"),
    }
}

/// Why a step was skipped.
pub(crate) fn skipped(reason: SkipReason) -> &'static str {
    match reason {
        SkipReason::Condition => "its condition is false",
        SkipReason::Dependencies => "the steps before it were skipped",
        SkipReason::Operator => "an operator said so",
    }
}

/// The flag of `resolve` that says this.
pub(crate) fn flag(action: Resolution) -> &'static str {
    match action {
        Resolution::Retry => "--retry",
        Resolution::Done => "--done",
        Resolution::Skip => "--skip",
        Resolution::Fail => "--fail",
    }
}

fn run_started(started: &RunStarted) -> String {
    let id = started.workflow_id.as_ref().map(|id| format!(" as {}", one_line(id))).unwrap_or_default();
    let anew = match &started.origin {
        Some(Origin::Rerun { run, from }) => format!(", to carry run {run} out anew from {from}"),
        Some(Origin::Import { .. }) | None => String::new(),
    };
    format!("{} {} started{id} by {}{anew}", started.workflow, one_line(&started.version), one_line(&started.actor))
}

fn tried(failed: &TriedAndFailed, side: Side) -> String {
    let subject = subject(&failed.step, side);
    let many = if failed.count > 1 { format!(" ({} failures since)", failed.count) } else { String::new() };
    let next = time::span(failed.delay);
    format!("{subject}: attempt {} failed: {}; next in {next}{many}", failed.attempt, failure(&failed.failure))
}

fn how(attempt: u32, took: Duration) -> String {
    match attempt {
        0 => String::new(),
        1 => format!(" in {}", time::span(took)),
        _ => format!(" in {} (attempt {attempt})", time::span(took)),
    }
}

fn of_effect(effect: Effect) -> &'static str {
    match effect {
        Effect::None => "",
        Effect::Unknown => "; what it did is unknown",
        Effect::Done => "; it was carried out all the same",
    }
}

fn with(warnings: &[StepFailure], residue: &[Name]) -> String {
    let mut parts = Vec::new();
    if !warnings.is_empty() {
        parts.push(count(warnings.len(), "warning"));
    }
    if !residue.is_empty() {
        let residue: Vec<&str> = residue.iter().map(Name::as_str).collect();
        parts.push(format!("not undone: {}", residue.join(", ")));
    }
    if parts.is_empty() { String::new() } else { format!(" ({})", parts.join("; ")) }
}

fn request(kind: &RequestKind, actor: &str) -> String {
    let because =
        |reason: &Option<String>| reason.as_ref().map(|reason| format!(" ({})", one_line(reason))).unwrap_or_default();
    let what = match kind {
        RequestKind::Timeout => return "the run's time is over".to_owned(),
        RequestKind::Resolve { step, action } => {
            let step = step.as_ref().map(|step| format!("{step} ")).unwrap_or_default();
            format!("resolve {step}{}", flag(*action))
        }
        RequestKind::Signal { name } => format!("signal {name}"),
        RequestKind::Cancel { reason } => format!("cancel{}", because(reason)),
        RequestKind::Terminate { reason } => format!("terminate{}", because(reason)),
        RequestKind::Pause => "pause".to_owned(),
        RequestKind::Resume => "resume".to_owned(),
        RequestKind::Rerun { from } => format!("rerun from {from}"),
        RequestKind::Delete => "delete".to_owned(),
    };
    format!("{}: {what}", one_line(actor))
}

fn answered(asked: String, answer: &Answer) -> String {
    match answer {
        Answer::Accepted => asked,
        Answer::NoOp => format!("{asked}: nothing to do"),
        Answer::Held => format!("{asked}: held until the pivot has settled"),
        Answer::Refused { message, .. } => format!("{asked}: refused: {}", one_line(message)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::render::sample;

    #[test]
    fn each_event_is_one_line() {
        let lines: Vec<String> = sample::compensated().iter().map(text).collect();
        assert_eq!(
            lines,
            [
                "order_saga 1.0.0 started as order-1001 by ann",
                "charge: POST payment/process",
                "charge: attempt 1 failed: HTTP_503 answered 503; next in 0.4 s",
                "charge: attempt 2",
                "charge: done in 0.05 s (attempt 2)",
                "record: POST order/create",
                "record: failed: HTTP_422 answered 422: no such item",
                "stopping because record failed",
                "undo charge: POST payment/refund",
                "undo charge: done in 0.03 s",
                "compensated",
            ]
        );
    }

    #[test]
    fn what_an_operator_has_to_see_is_said() {
        let lines: Vec<String> = sample::stuck().iter().map(text).collect();
        assert_eq!(
            lines.last().map(String::as_str),
            Some("undo charge: stuck: HTTP_422 answered 422: too late; an operator has to say what to do")
        );
    }
}
