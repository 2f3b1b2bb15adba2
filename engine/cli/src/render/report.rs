//! What there is to say of a run, as text.

use engine_core::event::CancelCause;
use engine_core::failure::{Effect, StepFailure};
use engine_core::id::Name;
use engine_core::state::{Forward, Status};
use serde_json::Value;

use crate::render::table::table;
use crate::render::{count, event, failure, one_line, time};
use crate::report::{Report, StepReport};
use crate::set_aside;

/// How commands are written: the program's name, and what names the data directory.
#[derive(Clone, Copy)]
pub(crate) struct Wording<'a> {
    /// The program's name.
    pub(crate) program: &'a str,
    /// Added to every command.
    pub(crate) tail: &'a str,
}

/// How it ended, or why it does not: outcome, output, failures, warnings, residue, what to type.
pub(crate) fn outcome(report: &Report, wording: Wording<'_>) -> Vec<String> {
    let mut lines = match &report.set_aside {
        Some(why) => set_aside::text(report.run(), why, wording),
        None => vec![headline(report)],
    };
    if let Some(output) = &report.output {
        lines.push("output:".to_owned());
        lines.extend(indented(output));
    }
    lines.extend(listed("failures:", &report.state.failures));
    lines.extend(listed("warnings:", &report.warnings));
    let residue = report.state.end.as_ref().map(|end| end.residue.as_slice()).unwrap_or_default();
    if !residue.is_empty() {
        lines.push(format!("not undone, its effect remains: {}", joined(residue)));
    }
    if !report.waiting.is_empty() {
        lines.push("waiting:".to_owned());
        lines.extend(report.waiting.iter().map(|waiting| format!("  {}", waiting.text())));
    }
    lines.extend(stuck(report, wording));
    lines
}

/// Everything: heading, steps, outcome.
pub(crate) fn whole(report: &Report, wording: Wording<'_>) -> Vec<String> {
    let mut lines = vec![heading(report), format!("started   {} UTC", time::point(report.state.started_at))];
    let end = report.state.end.as_ref();
    lines.extend(end.map(|end| format!("ended     {} UTC", time::point(end.at))));
    if !report.state.labels.is_empty() {
        lines.push(format!("labels    {}", pairs(&report.state.labels)));
    }
    if !report.state.overrides.is_empty() {
        lines.push(format!("overrides {}", pairs(&report.state.overrides)));
    }
    if let Some(why) = &report.definition_missing {
        lines.push(format!("its workflow can't be shown: {why}"));
    }
    lines.push(String::new());
    lines.extend(steps(&report.steps));
    lines.push(String::new());
    lines.extend(outcome(report, wording));
    lines
}

/// `order_saga 1.0.0, run …, order-1001`
pub(crate) fn heading(report: &Report) -> String {
    let state = &report.state;
    let id = state.workflow_id.as_ref().map(|id| format!(" ({})", one_line(id))).unwrap_or_default();
    format!("{} {}, run {}{id}", state.workflow, one_line(&state.version), state.run)
}

/// The outcome in a line.
pub(crate) fn headline(report: &Report) -> String {
    let state = &report.state;
    let took = state.end.as_ref().map(|end| time::span(end.at.since(state.started_at))).unwrap_or_default();
    let failed: Vec<Name> = state.failures.iter().map(|failed| failed.step.clone()).collect();
    let failed = if failed.is_empty() { "a step".to_owned() } else { joined(&failed) };
    match state.status() {
        Status::Completed => format!("Completed in {took}"),
        Status::Compensated => format!("Compensated after {took}: {failed} failed, and what had been done was undone"),
        Status::Failed => format!("Failed after {took}: {failed} failed"),
        Status::Cancelled => match state.end.as_ref().and_then(|end| end.cancelled) {
            Some(CancelCause::Timeout) => format!("Cancelled after {took}: the run's time was over"),
            Some(CancelCause::Terminated) => format!("Terminated after {took}: nothing was undone"),
            Some(CancelCause::Cancelled) | None => format!("Cancelled after {took}"),
        },
        Status::Stuck => "Stuck: it waits for an operator".to_owned(),
        Status::Compensating => "Compensating: what was done is being undone".to_owned(),
        Status::Waiting => "Waiting for its next attempt".to_owned(),
        Status::Paused => "Paused: nothing new begins until it is resumed".to_owned(),
        Status::Pending | Status::Running => state.status().to_string(),
    }
}

fn joined(names: &[Name]) -> String {
    names.iter().map(Name::as_str).collect::<Vec<_>>().join(", ")
}

fn pairs(pairs: &[(String, String)]) -> String {
    pairs.iter().map(|(key, value)| one_line(&format!("{key}={value}"))).collect::<Vec<_>>().join(" ")
}

fn indented(value: &Value) -> Vec<String> {
    let text = serde_json::to_string_pretty(value).unwrap_or_default();
    text.lines().map(|line| format!("  {line}")).collect()
}

fn listed(title: &str, failures: &[StepFailure]) -> Vec<String> {
    if failures.is_empty() {
        return Vec::new();
    }
    let lines = failures.iter().map(|failed| format!("  {}: {}", failed.step, failure(&failed.failure)));
    std::iter::once(title.to_owned()).chain(lines).collect()
}

/// What it waits for an operator for, each with the commands that get it out.
fn stuck(report: &Report, wording: Wording<'_>) -> Vec<String> {
    let mut lines = Vec::new();
    if !report.stuck.is_empty() {
        lines.push("to be resolved by one of these commands (with --wait the run is driven on at once):".to_owned());
    }
    for stuck in &report.stuck {
        let what = match &stuck.step {
            Some((step, side)) => event::subject(step, *side),
            None => "the run as a whole".to_owned(),
        };
        let effect = if stuck.effect == Some(Effect::Unknown) { "; what it did is unknown" } else { "" };
        lines.push(format!("  {what}: {}{effect}", failure(&stuck.failure)));
        let commands = stuck.commands(report.run(), wording.program, wording.tail);
        let rows: Vec<Vec<String>> = commands
            .into_iter()
            .map(|(command, meaning)| vec![format!("    {command}"), format!("# {meaning}")])
            .collect();
        lines.extend(table(&rows));
    }
    lines
}

/// The steps, a line each.
fn steps(steps: &[StepReport]) -> Vec<String> {
    let mut rows = vec![["", "STEP", "STATE", "ATTEMPTS", "EFFECT", "UNDONE", ""].map(str::to_owned).to_vec()];
    rows.extend(steps.iter().filter(|step| !step.on_failure || step.state.forward != Forward::Pending).map(row));
    table(&rows)
}

fn row(step: &StepReport) -> Vec<String> {
    let state = &step.state;
    let attempts = if state.tries.attempt == 0 { String::new() } else { state.tries.attempt.to_string() };
    let undone = match (step.undo_progress(), step.undoable) {
        ("", _) => String::new(),
        (progress, _) => match state.undo.tries.attempt {
            0 | 1 => progress.to_owned(),
            attempts => format!("{progress} ({})", count(attempts as usize, "attempt")),
        },
    };
    let effect = if state.forward == Forward::Pending { String::new() } else { step.effect().to_string() };
    let name = if step.on_failure { format!("{} (on failure)", step.name) } else { step.name.to_string() };
    vec![mark(step).to_owned(), name, step.progress().to_owned(), attempts, effect, undone, note(step)]
}

fn note(step: &StepReport) -> String {
    let state = &step.state;
    if let Forward::Skipped(reason) = state.forward {
        return event::skipped(reason).to_owned();
    }
    let why = state.undo.failure.as_ref().filter(|_| !state.undo.status.is_ended());
    let why = why.or(state.failure.as_ref().filter(|_| state.forward != Forward::Done));
    let due = step.due().map(|due| format!("next at {} UTC", time::clock(due)));
    let parts: Vec<String> = why.map(failure).into_iter().chain(due).collect();
    parts.join("; ")
}

fn mark(step: &StepReport) -> &'static str {
    match (step.state.forward, step.undo_progress()) {
        (Forward::Stuck, _) | (_, "undo stuck") => "!",
        (_, "undone") => "↩",
        // Its effect was to be undone, and is still there: however well the step went, that is not green.
        (_, "not undone") | (Forward::Failed { .. }, _) => "✗",
        (Forward::Done, _) => "✓",
        (Forward::Skipped(_), _) => "–",
        (Forward::Pending, _) => "·",
        (Forward::InFlight | Forward::BackingOff { .. } | Forward::Parked, _) => "…",
    }
}

#[cfg(test)]
mod tests {
    use engine_core::state::State;

    use super::*;
    use crate::render::sample;

    const WORDING: Wording<'_> = Wording { program: "engine", tail: "" };

    fn report(history: Vec<engine_core::event::Recorded>) -> Report {
        let last = history.last().cloned();
        Report::new(State::fold(sample::run(), history).unwrap(), last.as_ref(), Some(&sample::definition()))
    }

    #[test]
    fn an_undone_run_says_what_failed() {
        assert_eq!(
            outcome(&report(sample::compensated()), WORDING),
            [
                "Compensated after 0.63 s: record failed, and what had been done was undone",
                "failures:",
                "  record: HTTP_422 answered 422: no such item",
            ]
        );
    }

    #[test]
    fn a_stuck_run_says_what_to_type() {
        let lines = outcome(&report(sample::stuck()), WORDING);
        assert_eq!(lines.first().map(String::as_str), Some("Stuck: it waits for an operator"));
        let command =
            format!("    engine resolve {} charge --skip   # leave it as it is: its effect remains", sample::run());
        assert!(lines.contains(&command), "{lines:#?}");
    }

    #[test]
    fn the_steps_stand_in_a_table() {
        let lines = whole(&report(sample::stuck()), WORDING);
        assert!(
            lines.iter().any(|line| line.starts_with("!  charge  done     2         done    undo stuck  HTTP_422")),
            "{lines:#?}"
        );
        assert!(lines.iter().any(|line| line.starts_with("·  tell    pending")), "{lines:#?}");
        assert!(!lines.iter().any(|line| line.contains("mark")), "{lines:#?}");
    }
}
