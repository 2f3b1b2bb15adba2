//! `compact`: shrinks the database of a data directory that no process uses.

use serde_json::json;

use crate::arguments::Format;
use crate::error::CliError;
use crate::exit::Outcome;
use crate::print;
use crate::verbs::Context;

pub(super) async fn compact(context: &Context) -> Result<Outcome, CliError> {
    let done = context.directory.alone(engine_store_sled::compact).await?;
    match context.format {
        Format::Json => print::json(&json!({ "before": done.before, "after": done.after })),
        Format::Text => print::line(&format!("{} before, {} now", size(done.before), size(done.after))),
    }
    Ok(Outcome::Completed)
}

/// `16.8 MB`
fn size(bytes: u64) -> String {
    let (whole, tenth) = (bytes / 1_000_000, bytes / 100_000 % 10);
    format!("{whole}.{tenth} MB")
}

#[cfg(test)]
mod tests {
    use super::size;

    #[test]
    fn sizes_have_one_decimal() {
        assert_eq!(size(16_780_000), "16.7 MB");
        assert_eq!(size(0), "0.0 MB");
    }
}
