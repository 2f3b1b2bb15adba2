//! `list`: runs, newest first.

use engine_core::id::RunId;
use engine_store::{Cursor, Filter, IndexRow, Store};
use serde_json::{Value, json};

use crate::arguments::{Format, ListArguments};
use crate::directory::quoted;
use crate::error::CliError;
use crate::exit::Outcome;
use crate::print;
use crate::render::event_json::pairs;
use crate::render::table::table;
use crate::render::{one_line, time};
use crate::verbs::Context;

pub(super) async fn list(context: &Context, arguments: ListArguments) -> Result<Outcome, CliError> {
    let filter = Filter {
        workflow: arguments.workflow.clone(),
        statuses: arguments.statuses.clone(),
        labels: arguments.labels.clone(),
        since: arguments.since,
        until: arguments.until,
        ..Filter::default()
    };
    let limit = usize::try_from(arguments.limit).unwrap_or(usize::MAX);
    let look = async |store: &dyn Store| newest(store, &filter, arguments.after, limit).await;
    let (rows, more) = context.directory.look(look).await?;
    let next = rows.last().map(|row| row.run).filter(|_| more);
    match context.format {
        Format::Json => {
            let runs: Vec<Value> = rows.iter().map(document).collect();
            print::json(&json!({ "runs": runs, "next": next.map(|next| next.to_string()) }));
        }
        Format::Text if rows.is_empty() => print::line("no runs"),
        Format::Text => {
            print::lines(&lines(&rows));
            if let Some(next) = next {
                print::line(&format!("older ones are listed by\n  {}", again(context, &arguments, next)));
            }
        }
    }
    Ok(Outcome::Completed)
}

/// The newest runs that were started before `after`, and whether there are more.
async fn newest(
    store: &dyn Store,
    filter: &Filter,
    after: Option<RunId>,
    limit: usize,
) -> Result<(Vec<IndexRow>, bool), CliError> {
    let (mut rows, mut cursor) = (Vec::new(), after.map(Cursor::after));
    loop {
        let page = store.list(filter, cursor, limit - rows.len()).await?;
        rows.extend(page.items);
        cursor = page.next;
        if cursor.is_none() || rows.len() >= limit {
            return Ok((rows, cursor.is_some()));
        }
    }
}

/// The command that lists what comes after this run.
fn again(context: &Context, arguments: &ListArguments, after: RunId) -> String {
    let mut words = Vec::new();
    words.extend(arguments.statuses.iter().map(|status| format!(" --status {status}")));
    words.extend(arguments.workflow.iter().map(|workflow| format!(" --workflow {}", quoted(workflow))));
    words.extend(arguments.labels.iter().map(|(key, value)| format!(" --label {}", quoted(&format!("{key}={value}")))));
    // As points in time: a span ago would be another one by then.
    words.extend(arguments.since.iter().map(|since| format!(" --since {}", time::rfc3339(*since))));
    words.extend(arguments.until.iter().map(|until| format!(" --until {}", time::rfc3339(*until))));
    words.push(format!(" --limit {} --after {after}", arguments.limit));
    let wording = context.wording();
    format!("{} list{}{}", wording.program, words.concat(), wording.tail)
}

fn lines(rows: &[IndexRow]) -> Vec<String> {
    let heading = ["RUN", "ID", "WORKFLOW", "STATUS", "STARTED (UTC)", "TOOK"].map(str::to_owned).to_vec();
    let mut cells = vec![heading];
    cells.extend(rows.iter().map(|row| {
        let took = row.ended_at.map(|end| time::span(end.since(row.started_at))).unwrap_or_default();
        vec![
            row.run.to_string(),
            row.workflow_id.as_deref().map(one_line).unwrap_or_default(),
            row.workflow.to_string(),
            row.status.to_string(),
            time::point_in_list(row.started_at),
            took,
        ]
    }));
    table(&cells)
}

fn document(row: &IndexRow) -> Value {
    json!({
        "run": row.run.to_string(),
        "workflow": row.workflow.as_str(),
        "definition": row.definition.to_string(),
        "workflow_id": row.workflow_id,
        "status": row.status.to_string(),
        "labels": pairs(&row.labels),
        "started_at": time::rfc3339(row.started_at),
        "ended_at": row.ended_at.map(time::rfc3339),
    })
}
