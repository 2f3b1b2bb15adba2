//! `doctor`: looks at everything in the data directory, and mends what follows from histories where asked to.

use engine_core::definition::Definition;
use engine_core::event::{Event, Recorded};
use engine_core::id::RunId;
use engine_runtime::rebuild;
use engine_store::Diagnosis;
use engine_store_sled::{Definitions, Rebuilt, Repaired};
use serde_json::{Value, json};

use crate::arguments::Format;
use crate::error::CliError;
use crate::exit::Outcome;
use crate::keeping::Done;
use crate::print;
use crate::render::{count, one_line};
use crate::verbs::Context;

pub(super) async fn doctor(context: &Context, repair: bool) -> Result<Outcome, CliError> {
    let repaired = if repair { Some(mended(context).await?) } else { None };
    let Done { what: diagnosis, by } = context.directory.diagnosis().await?;
    match context.format {
        Format::Json => {
            let mut document = document(&diagnosis);
            if let Value::Object(fields) = &mut document {
                fields.insert("process".to_owned(), json!(by));
                fields.extend(repaired.as_ref().map(|repaired| ("repaired".to_owned(), repairs(repaired))));
            }
            print::json(&document);
        }
        Format::Text => {
            if let Some(repaired) = &repaired {
                print::lines(&told(repaired));
            }
            print::lines(&lines(&diagnosis, &context.directory.path().display().to_string()));
            print::lines(&not_looked_at(&diagnosis, by));
        }
    }
    Ok(if diagnosis.is_sound() { Outcome::Completed } else { Outcome::DirectoryUnusable })
}

async fn mended(context: &Context) -> Result<Repaired, CliError> {
    context.directory.alone(|path| engine_store_sled::doctor_repair(path, &rebuilt)).await
}

/// What follows from a run's history, for the store, which does not fold.
fn rebuilt(definitions: &Definitions<'_>, run: RunId, history: Vec<Recorded>) -> Result<Rebuilt, String> {
    let Some(Event::RunStarted(started)) = history.first().map(|first| &first.event) else {
        return Err("it does not begin with the start of the run".to_owned());
    };
    let digest = started.definition;
    let source = definitions(digest).map_err(|error| error.to_string())?;
    let source = source.ok_or_else(|| format!("its definition {digest} is missing"))?;
    let definition = Definition::from_source(&source).map_err(|error| error.to_string())?;
    let follows = rebuild::follows(definition.into(), run, history).map_err(|error| error.to_string())?;
    Ok(Rebuilt { row: follows.row, timers: follows.timers, claims: follows.claims })
}

/// The diagnosis as JSON.
pub(super) fn document(diagnosis: &Diagnosis) -> Value {
    let findings = diagnosis.findings.iter().map(|finding| {
        let run = finding.run.map(|run| run.to_string());
        json!({ "what": finding.what, "why": finding.why, "run": run, "remedy": finding.remedy })
    });
    let counts = &diagnosis.counts;
    json!({
        "sound": diagnosis.is_sound(),
        "findings": findings.collect::<Vec<_>>(),
        "more": diagnosis.more,
        "left_out": diagnosis.left_out,
        "counts": {
            "runs": counts.runs, "events": counts.events, "timers": counts.timers, "inbox": counts.inbox,
            "claims": counts.claims, "definitions": counts.definitions, "blobs": counts.blobs,
            "orphan_blobs": counts.orphan_blobs,
        },
    })
}

fn lines(diagnosis: &Diagnosis, directory: &str) -> Vec<String> {
    let counts = &diagnosis.counts;
    let mut lines = Vec::new();
    for finding in &diagnosis.findings {
        lines.push(format!("{}: {}", one_line(&finding.what), one_line(&finding.why)));
        lines.push(format!("  {}", one_line(&finding.remedy)));
    }
    if diagnosis.more > 0 {
        lines.push(format!("and {} more", diagnosis.more));
    }
    let seen = format!(
        "{directory}: {} runs, {} events, {} timers, {} definitions, {} blobs",
        counts.runs, counts.events, counts.timers, counts.definitions, counts.blobs
    );
    let found = diagnosis.findings.len() as u64 + diagnosis.more;
    lines.push(match found {
        0 => format!("{seen}: all sound"),
        found => format!("{seen}: {}", count(usize::try_from(found).unwrap_or(usize::MAX), "finding")),
    });
    lines
}

/// What another process, which has the directory, could not look at.
fn not_looked_at(diagnosis: &Diagnosis, by: Option<u32>) -> Vec<String> {
    let Some(pid) = by.filter(|_| !diagnosis.left_out.is_empty()) else { return Vec::new() };
    let what = diagnosis.left_out.join(", ");
    vec![
        format!("looked at by process {pid}, which has the directory; not looked at while it runs: {what}"),
        format!("  process {pid} looked at that when it opened the directory; stop it to have it looked at again"),
    ]
}

fn repairs(repaired: &Repaired) -> Value {
    let left = repaired.left.len() as u64 + repaired.more;
    json!({ "runs": repaired.runs, "changed": repaired.changed, "rows": repaired.rows, "left": left })
}

fn told(repaired: &Repaired) -> Vec<String> {
    let mut lines = vec![format!(
        "repaired: {} of {} runs, {} rows written or removed",
        repaired.changed, repaired.runs, repaired.rows
    )];
    let left = repaired.left.iter().map(|left| format!("left as it is: {}: {}", left.what, one_line(&left.why)));
    lines.extend(left);
    lines
}

#[cfg(test)]
mod tests {
    use engine_store::{Counts, Finding};

    use super::*;

    #[test]
    fn findings_say_what_and_what_to_do() {
        let finding = Finding {
            what: "the index row of run 1".to_owned(),
            why: "it is damaged".to_owned(),
            run: None,
            remedy: "`doctor --repair` writes it anew".to_owned(),
        };
        let counts = Counts { runs: 2, ..Counts::default() };
        let diagnosis = Diagnosis { findings: vec![finding], counts, ..Diagnosis::default() };
        let told = lines(&diagnosis, "data");
        assert_eq!(told[0], "the index row of run 1: it is damaged");
        assert_eq!(told[1], "  `doctor --repair` writes it anew");
        assert!(told[2].starts_with("data: 2 runs, 0 events") && told[2].ends_with(": 1 finding"), "{}", told[2]);
        assert_eq!(document(&diagnosis)["sound"], false);
        assert!(lines(&Diagnosis::default(), "data")[0].ends_with("all sound"));
    }
}
