//! What a case left in the store, and whether it is sound.

use engine_core::event::{Event, Recorded};
use engine_core::id::RunId;
use engine_core::request::{Answer, Demand};
use engine_core::state::{State, Status};
use engine_core::time::Timestamp;
use engine_runtime::read;
use engine_store::{Filter, IndexRow, Store, TimerClock, TimerRow};

use crate::case::{Act, Case};
use crate::client::{Memory, request_id};

/// What a case left in the store.
#[derive(Default)]
pub(crate) struct Left {
    /// That of the last run.
    pub(crate) status: Option<Status>,
    /// Of the run and its reruns, oldest first.
    pub(crate) histories: Vec<Vec<Recorded>>,
    pub(crate) findings: Vec<String>,
}

/// More than any case has.
const PAGE: usize = 100;

impl Left {
    pub(crate) async fn read(store: &dyn Store, case: &Case, memory: &Memory) -> Result<Self, String> {
        let text = |error: engine_store::StoreError| error.to_string();
        let rows = store.list(&Filter::default(), None, PAGE).await.map_err(text)?.items;
        let end = Timestamp::from_millis(u64::MAX);
        let timers = store.due_timers(TimerClock::Engine, end, None, PAGE).await.map_err(text)?.items;
        let mut left = Self::default();
        let kept = memory.runs.len() - usize::from(memory.deleted);
        if rows.len() != kept {
            left.findings.push(format!("{kept} runs should be there, and there are {}", rows.len()));
        }
        for run in memory.runs.iter().take(kept) {
            let history = read::history(store, *run).await.map_err(|error| error.to_string())?;
            let state = State::fold(*run, history.iter().cloned()).map_err(|error| error.to_string())?;
            left.status = Some(state.status());
            left.findings.extend(unsound(&state, &rows, &timers));
            left.findings.extend(unkept(case, memory, *run, &history));
            left.histories.push(history);
        }
        if memory.deleted {
            left.status = None;
            left.histories.push(Vec::new());
        }
        Ok(left)
    }
}

/// Where the rows of a run are not those of its history.
fn unsound(state: &State, rows: &[IndexRow], timers: &[TimerRow]) -> Vec<String> {
    let mut findings = Vec::new();
    let is_right = |row: &&IndexRow| row.run == state.run && row.last == state.last && row.status == state.status();
    if !rows.iter().any(|row| is_right(&row)) {
        findings.push(format!("the index has {rows:?}; the history ends at {} as {}", state.last, state.status()));
    }
    let left_over: Vec<_> = timers.iter().filter(|timer| timer.run == state.run).collect();
    if state.end.is_some() && !left_over.is_empty() {
        findings.push(format!("the run has ended and left timers: {left_over:?}"));
    }
    findings
}

/// Answers that do not stand in the history once, and as they were given.
fn unkept(case: &Case, memory: &Memory, run: RunId, history: &[Recorded]) -> Vec<String> {
    let recorded: Vec<(&String, &Answer)> = history
        .iter()
        .filter_map(|recorded| match &recorded.event {
            Event::RequestAnswered { id, answer, .. } => Some((id, answer)),
            _ => None,
        })
        .collect();
    let mut findings = Vec::new();
    let mut ids: Vec<_> = recorded.iter().map(|(id, _)| *id).collect();
    ids.sort_unstable();
    ids.dedup();
    if ids.len() != recorded.len() {
        findings.push(format!("a request was answered twice: {recorded:?}"));
    }
    for (act, (_, given)) in memory.answers.iter().filter(|(_, (asked, _))| *asked == run) {
        let id = request_id(*act);
        let found: Vec<_> = recorded.iter().filter(|(found, _)| **found == id).map(|(_, answer)| *answer).collect();
        // A run that has ended is not written to any more: its answer follows from its history.
        let is_unwritten = found.is_empty() && (is_for_ended_runs(case, *act) || is_of_ended_run(given));
        if found != [given] && !is_unwritten {
            findings.push(format!("act {act} was answered with {given:?}; the history has {found:?}"));
        }
    }
    findings
}

fn is_for_ended_runs(case: &Case, act: usize) -> bool {
    matches!(case.acts.get(act), Some((_, Act::Ask(Demand::Rerun { .. } | Demand::Delete))))
}

fn is_of_ended_run(answer: &Answer) -> bool {
    matches!(answer, Answer::Refused { code, .. } if code == "ENDED")
}
