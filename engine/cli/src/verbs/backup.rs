//! `backup`: copies the data directory, also while runs go on.

use std::path::Path;

use serde_json::json;

use crate::arguments::Format;
use crate::error::CliError;
use crate::exit::Outcome;
use crate::keeping::Done;
use crate::print;
use crate::verbs::{Context, doctor};

pub(super) async fn backup(context: &Context, to: &Path) -> Result<Outcome, CliError> {
    let Done { what: copied, by } = context.directory.backup(to).await?;
    let sound = copied.diagnosis.is_sound();
    match context.format {
        Format::Json => {
            let shown = to.display().to_string();
            let diagnosis = doctor::document(&copied.diagnosis);
            print::json(&json!({ "backup": shown, "rows": copied.rows, "diagnosis": diagnosis, "process": by }));
        }
        Format::Text => {
            let counts = &copied.diagnosis.counts;
            let by = by.map(|pid| format!(" by process {pid}, which has the original")).unwrap_or_default();
            print::line(&format!(
                "backup in {}: {} runs, {} events; opened and looked at{by}",
                to.display(),
                counts.runs,
                counts.events
            ));
            if !sound {
                print::line("something is wrong in it, and in the original too: `doctor` says what");
            }
        }
    }
    Ok(if sound { Outcome::Completed } else { Outcome::DirectoryUnusable })
}
