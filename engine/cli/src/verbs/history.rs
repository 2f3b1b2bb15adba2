//! `history`: what happened to a run, event by event.

use engine_core::event::Recorded;
use engine_core::id::RunId;
use engine_core::time::Timestamp;
use engine_runtime::read;
use engine_store::Store;
use serde_json::{Value, json};

use crate::arguments::Format;
use crate::error::CliError;
use crate::exit::Outcome;
use crate::print;
use crate::render::table::table;
use crate::render::{event, event_json, time};
use crate::report::json_of;
use crate::session;
use crate::verbs::Context;

pub(super) async fn history(context: &Context, run: &str) -> Result<Outcome, CliError> {
    let look = async |store: &dyn Store| {
        let run = session::find(store, run).await?;
        let history = read::history(store, run).await?;
        match context.format {
            Format::Text => print::lines(&lines(&history)),
            Format::Json => {
                let events = documents(store, run, &history).await?;
                print::json(&json!({ "run": run.to_string(), "events": events }));
            }
        }
        Ok(())
    };
    context.directory.look(look).await?;
    Ok(Outcome::Completed)
}

fn lines(history: &[Recorded]) -> Vec<String> {
    let mut rows = vec![["SEQ", "TIME (UTC)", "SINCE START", "EVENT"].map(str::to_owned).to_vec()];
    let start = history.first().map_or(Timestamp::from_millis(0), |first| first.at);
    rows.extend(history.iter().map(|recorded| {
        let since = format!("+{}", time::span(recorded.at.since(start)));
        vec![recorded.seq.to_string(), time::point(recorded.at), since, event::text(recorded)]
    }));
    table(&rows)
}

async fn documents(store: &dyn Store, run: RunId, history: &[Recorded]) -> Result<Vec<Value>, CliError> {
    let mut events = Vec::with_capacity(history.len());
    for recorded in history {
        let payload = match recorded.event.payload() {
            Some(payload) => Some(json_of(&read::payload(store, run, payload).await?)),
            None => None,
        };
        events.push(event_json::document(recorded, payload));
    }
    Ok(events)
}

#[cfg(test)]
mod tests {
    use crate::render::sample;

    #[test]
    fn a_history_is_a_table() {
        let lines = super::lines(&sample::compensated());
        assert_eq!(lines.len(), 12);
        assert_eq!(
            lines[3],
            "3    2026-01-31 08:00:00.100  +0.1 s       charge: attempt 1 failed: HTTP_503 answered 503; next in 0.4 s"
        );
    }
}
