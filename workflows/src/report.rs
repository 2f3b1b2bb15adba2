//! Delivering a report: its rows are counted in parts, it is rendered, and sent to each reader.
//!
//! Counting takes long, so it notes how far it is: an attempt after a crash goes on where the last one was.

use engine::{DefinitionError, Retry, StepContext, TaskError, Workflow};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

#[cfg(test)]
mod tests;

/// Which report, and for whom.
#[derive(Clone, Serialize, Deserialize)]
pub struct ReportOrder {
    /// What it is about.
    pub title: String,
    /// The rows, in parts.
    pub parts: Vec<Vec<u32>>,
    /// Who reads it.
    pub readers: Vec<String>,
}

/// What was counted so far.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct Totals {
    /// Parts that are counted.
    pub parts: usize,
    /// Rows in them.
    pub rows: u64,
    /// The sum of all rows.
    pub sum: u64,
}

/// The workflow. It gives how many readers were sent the report.
///
/// # Errors
/// Where it can't be built: what is wrong, with file and line.
pub fn workflow() -> Result<Workflow<ReportOrder, usize>, DefinitionError> {
    let wf = Workflow::builder("report_delivery");
    wf.description("Counts the rows of a report, renders it, and sends it to its readers");
    super::services(&wf, &["notification", "analytics"]);
    wf.example(&ReportOrder {
        title: "Sales of the day".into(),
        parts: vec![vec![3, 4], vec![5]],
        readers: vec!["alice".into(), "bob".into()],
    });
    let order = wf.input::<ReportOrder>();

    let totals = wf.step("count", count, order).timeout("10m").retry(Retry::exponential(10, "1s"));
    let text = wf.step("render", render, (order, totals)).timeout("5m");
    let sent = wf.step("deliver", deliver, (order, text));
    wf.step("track_report", track, (order, totals)).after(sent).optional();
    wf.finish(sent)
}

async fn count(cx: StepContext, order: ReportOrder) -> Result<Totals, TaskError> {
    let mut totals = cx.last_checkpoint::<Totals>()?.unwrap_or_default();
    while let Some(part) = order.parts.get(totals.parts) {
        if cx.is_cancelled() {
            return Err(TaskError::retry("the engine stops, or the run turns back").effect_none());
        }
        totals.parts += 1;
        totals.rows += part.len() as u64;
        totals.sum += part.iter().copied().map(u64::from).sum::<u64>();
        cx.checkpoint(&totals).await?;
    }
    Ok(totals)
}

async fn render(cx: StepContext, order: ReportOrder, totals: Totals) -> Result<String, TaskError> {
    // Rendering keeps a thread busy, so it gets one of its own.
    cx.blocking(move || format!("{}\n{} rows, {} in all\n", order.title, totals.rows, totals.sum)).await
}

async fn deliver(cx: StepContext, order: ReportOrder, text: String) -> Result<usize, TaskError> {
    for reader in &order.readers {
        let body = json!({ "user_id": reader, "type": "report", "data": { "title": order.title, "text": text } });
        // Each reader's message has a key of its own.
        let _: Value = cx.service("notification").post("/send").part(reader).json(&body).send().await?;
    }
    Ok(order.readers.len())
}

async fn track(cx: StepContext, order: ReportOrder, totals: Totals) -> Result<(), TaskError> {
    let data = json!({ "title": order.title, "rows": totals.rows });
    cx.service("analytics").post("/track").json(&json!({ "event_type": "report_delivered", "data": data })).send().await
}
