//! `history`: what happened to a run, event by event.

use engine_core::event::{Event, Recorded};
use engine_core::id::{IdempotencyKey, Name, RunId, Seq, Side};
use engine_core::state::State;
use engine_core::time::Timestamp;
use engine_runtime::read;
use engine_store::Store;
use serde_json::{Value, json};

use crate::arguments::{Format, HistoryArguments};
use crate::error::CliError;
use crate::exit::Outcome;
use crate::interrupt::Interrupt;
use crate::print;
use crate::render::table::table;
use crate::render::{event, event_json, time};
use crate::report::json_of;
use crate::session;
use crate::verbs::Context;
use crate::watch::{self, Watched};

pub(super) async fn history(context: &Context, arguments: &HistoryArguments) -> Result<Outcome, CliError> {
    let look = async |store: &dyn Store| {
        let run = session::find(store, &arguments.run).await?;
        let history = read::history(store, run).await?;
        match context.format {
            Format::Text => print::lines(&lines(run, &history, arguments.keys)),
            Format::Json => {
                let events = documents(store, run, &history).await?;
                if arguments.follow {
                    events.iter().for_each(print::json_line);
                } else {
                    print::json(&json!({ "run": run.to_string(), "events": events }));
                }
            }
        }
        Ok((run, history))
    };
    let (run, history) = context.directory.look(look).await?;
    if arguments.follow {
        let mut watched = Watched::new(&context.directory, run).await?;
        if !watched.is_driven() {
            print::note("nothing drives it now, so there is nothing to follow");
        }
        follow(context, run, history, &mut watched).await?;
    }
    Ok(Outcome::Completed)
}

/// Prints what happens from now on, as it happens.
async fn follow(context: &Context, run: RunId, history: Vec<Recorded>, watched: &mut Watched) -> Result<(), CliError> {
    let mut interrupt = Interrupt::listen(watch::NOTHING_CHANGED.to_owned())?;
    let start = history.first().map_or(Timestamp::from_millis(0), |first| first.at);
    let past = history.last().map_or(Seq(0), |last| last.seq);
    let mut keys = Keys::new(run);
    loop {
        let recorded = tokio::select! {
            biased;
            () = interrupt.asked() => return Ok(()),
            recorded = watched.next() => recorded?,
        };
        let Some(recorded) = recorded else { return Ok(()) };
        let key = keys.of(&recorded);
        if recorded.seq <= past {
            continue;
        }
        match context.format {
            Format::Text => print::line(cells(start, &recorded).join("  ").trim_end()),
            Format::Json => {
                let payload = match recorded.event.payload() {
                    Some(payload) => Some(json_of(&watched.payload(payload).await?)),
                    None => None,
                };
                print::json_line(&document(&recorded, payload, key));
            }
        }
    }
}

fn lines(run: RunId, history: &[Recorded], with_keys: bool) -> Vec<String> {
    let heading = ["SEQ", "TIME (UTC)", "SINCE START", "EVENT", "KEY"];
    let columns = if with_keys { heading.len() } else { heading.len() - 1 };
    let mut rows = vec![heading.into_iter().take(columns).map(str::to_owned).collect()];
    let start = history.first().map_or(Timestamp::from_millis(0), |first| first.at);
    let mut keys = Keys::new(run);
    rows.extend(history.iter().map(|recorded| {
        let mut row = cells(start, recorded);
        if with_keys {
            row.push(keys.of(recorded).map(|key| key.to_string()).unwrap_or_default());
        }
        row
    }));
    table(&rows)
}

fn cells(start: Timestamp, recorded: &Recorded) -> Vec<String> {
    let since = format!("+{}", time::span(recorded.at.since(start)));
    vec![recorded.seq.to_string(), time::point(recorded.at), since, event::text(recorded)]
}

async fn documents(store: &dyn Store, run: RunId, history: &[Recorded]) -> Result<Vec<Value>, CliError> {
    let mut events = Vec::with_capacity(history.len());
    let mut keys = Keys::new(run);
    for recorded in history {
        let payload = match recorded.event.payload() {
            Some(payload) => Some(json_of(&read::payload(store, run, payload).await?)),
            None => None,
        };
        events.push(document(recorded, payload, keys.of(recorded)));
    }
    Ok(events)
}

fn document(recorded: &Recorded, payload: Option<Value>, key: Option<IdempotencyKey>) -> Value {
    let mut document = event_json::document(recorded, payload);
    if let (Value::Object(fields), Some(key)) = (&mut document, key) {
        fields.insert("idempotency_key".to_owned(), key.as_str().into());
    }
    document
}

/// The keys that attempts are sent with: they follow from the history up to each of them.
struct Keys {
    run: RunId,
    state: Option<State>,
}

impl Keys {
    fn new(run: RunId) -> Self {
        Self { run, state: None }
    }

    /// The key of the attempt that this event begins, if it begins one. Events are given in their order.
    fn of(&mut self, recorded: &Recorded) -> Option<IdempotencyKey> {
        match &mut self.state {
            Some(state) => state.apply(recorded),
            None => self.state = State::begin(self.run, recorded).ok(),
        }
        let (step, side) = begun(&recorded.event)?;
        let epoch = self.state.as_ref()?.step(step).tries(side).epoch;
        Some(IdempotencyKey::derive(self.run, step, side, epoch))
    }
}

/// The side of a step that begins an attempt by this event.
fn begun(event: &Event) -> Option<(&Name, Side)> {
    match event {
        Event::StepScheduled { step, .. } => Some((step, Side::Forward)),
        Event::CompensationStarted { step, .. } => Some((step, Side::Compensation)),
        Event::AttemptStarted { step, side, .. } => Some((step, *side)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::render::sample;

    #[test]
    fn a_history_is_a_table() {
        let lines = lines(sample::run(), &sample::compensated(), false);
        assert_eq!(lines.len(), 12);
        assert_eq!(
            lines[3],
            "3    2026-01-31 08:00:00.100  +0.1 s       charge: attempt 1 failed: HTTP_503 answered 503; next in 0.4 s"
        );
    }

    #[test]
    fn all_attempts_of_a_step_have_one_key_and_its_compensation_another() {
        let mut keys = Keys::new(sample::run());
        let keys: Vec<_> = sample::compensated().iter().map(|recorded| keys.of(recorded)).collect();
        assert!(keys[1].is_some());
        assert_eq!(keys[1], keys[3], "the second attempt");
        assert_eq!(keys[2], None, "a failure begins nothing");
        assert!(keys[8].is_some() && keys[8] != keys[1], "the compensation");
    }
}
