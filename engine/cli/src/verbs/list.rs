//! `list`: runs, newest first.

use engine_store::{Filter, IndexRow, Store};
use serde_json::{Value, json};

use crate::arguments::{Format, ListArguments};
use crate::error::CliError;
use crate::exit::Outcome;
use crate::print;
use crate::render::event_json::pairs;
use crate::render::table::table;
use crate::render::{one_line, time};
use crate::verbs::Context;

pub(super) async fn list(context: &Context, arguments: ListArguments) -> Result<Outcome, CliError> {
    let filter = Filter { workflow: arguments.workflow, statuses: arguments.statuses, ..Filter::default() };
    let limit = usize::try_from(arguments.limit).unwrap_or(usize::MAX);
    let (rows, more) = context.directory.look(async |store: &dyn Store| newest(store, &filter, limit).await).await?;
    match context.format {
        Format::Json => {
            print::json(&json!({ "runs": rows.iter().map(document).collect::<Vec<_>>(), "more": more }));
        }
        Format::Text if rows.is_empty() => print::line("no runs"),
        Format::Text => {
            print::lines(&lines(&rows));
            if more {
                print::line(&format!("and older ones: --limit shows more than {limit}"));
            }
        }
    }
    Ok(Outcome::Completed)
}

/// The newest runs, and whether there are more.
async fn newest(store: &dyn Store, filter: &Filter, limit: usize) -> Result<(Vec<IndexRow>, bool), CliError> {
    let (mut rows, mut cursor) = (Vec::new(), None);
    loop {
        let page = store.list(filter, cursor, limit - rows.len()).await?;
        rows.extend(page.items);
        cursor = page.next;
        if cursor.is_none() || rows.len() >= limit {
            return Ok((rows, cursor.is_some()));
        }
    }
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
