//! What the verbs that look take.

use clap::Args;

use engine_core::id::RunId;
use engine_core::state::Status;
use engine_core::time::Timestamp;

use crate::{moment, pairs};

/// `list`
#[derive(Args, Debug)]
pub(crate) struct ListArguments {
    /// Only runs with this status; may be repeated
    #[arg(long = "status", value_name = "STATUS", value_parser = status)]
    pub(crate) statuses: Vec<Status>,
    /// Only runs of this workflow
    #[arg(long, value_name = "WORKFLOW")]
    pub(crate) workflow: Option<String>,
    /// Only runs with this label; may be repeated, then with all of them
    #[arg(long = "label", value_name = "KEY=VALUE", value_parser = pairs::label)]
    pub(crate) labels: Vec<(String, String)>,
    /// Only runs started then or later: a time as 2026-01-31T08:00:00Z, a day (UTC), or a span ago as 2h
    #[arg(long, value_name = "TIME", value_parser = moment::parse)]
    pub(crate) since: Option<Timestamp>,
    /// Only runs started before then
    #[arg(long, value_name = "TIME", value_parser = moment::parse)]
    pub(crate) until: Option<Timestamp>,
    /// How many at most
    #[arg(long, value_name = "N", default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    pub(crate) limit: u32,
    /// Go on after this place, which the list before has named
    #[arg(long, value_name = "CURSOR", value_parser = cursor)]
    pub(crate) after: Option<RunId>,
}

/// `show`
#[derive(Args, Debug)]
pub(crate) struct ShowArguments {
    /// The run: its id, the beginning of it, or its workflow id
    pub(crate) run: String,
    /// Show what happens to it meanwhile, where another process drives it
    #[arg(long)]
    pub(crate) follow: bool,
}

/// `history`
#[derive(Args, Debug)]
pub(crate) struct HistoryArguments {
    /// The run: its id, the beginning of it, or its workflow id
    pub(crate) run: String,
    /// With the idempotency key of each attempt
    #[arg(long)]
    pub(crate) keys: bool,
    /// Print what happens meanwhile too, where another process drives it; as JSON, one event a line
    #[arg(long)]
    pub(crate) follow: bool,
}

fn cursor(text: &str) -> Result<RunId, String> {
    text.parse().map_err(|_| "take what the list before has printed after --after".to_owned())
}

fn status(text: &str) -> Result<Status, String> {
    let known = [
        Status::Pending,
        Status::Running,
        Status::Waiting,
        Status::Paused,
        Status::Compensating,
        Status::Stuck,
        Status::Completed,
        Status::Compensated,
        Status::Failed,
        Status::Cancelled,
    ];
    let found = known.into_iter().find(|status| status.to_string().eq_ignore_ascii_case(text));
    found.ok_or_else(|| format!("a status is one of {}", known.map(|status| status.to_string()).join(", ")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn statuses_are_read_in_any_case() {
        assert_eq!(status("stuck"), Ok(Status::Stuck));
        assert_eq!(status("Completed"), Ok(Status::Completed));
        assert!(status("done").is_err());
    }
}
