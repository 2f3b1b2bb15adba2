//! What the verbs that steer take.

use clap::Args;

use engine_core::id::Name;

use crate::input::Given;
use crate::pairs;

/// What every verb that steers takes.
#[derive(Args, Debug)]
pub(crate) struct Asking {
    /// The id of this request: a repeat with the same id gets the first answer
    #[arg(long, value_name = "ID", value_parser = pairs::workflow_id)]
    pub(crate) request_id: Option<String>,
}

/// `signal`
#[derive(Args, Debug)]
pub(crate) struct SignalArguments {
    /// The run: its id, the beginning of it, or its workflow id
    pub(crate) run: String,
    /// The signal's name
    #[arg(value_parser = name)]
    pub(crate) name: Name,
    /// What comes with it: JSON, @FILE, or - for standard input; null where nothing is given
    #[arg(long, value_name = "JSON|@FILE|-", value_parser = Given::parse, allow_hyphen_values = true)]
    pub(crate) payload: Option<Given>,
    #[command(flatten)]
    pub(crate) asking: Asking,
    /// Drive the run on and exit with its outcome
    #[arg(long)]
    pub(crate) wait: bool,
}

/// `cancel` and `terminate`
#[derive(Args, Debug)]
pub(crate) struct EndArguments {
    /// The run: its id, the beginning of it, or its workflow id
    pub(crate) run: String,
    /// Why, for whoever reads the history
    #[arg(long, value_name = "TEXT")]
    pub(crate) reason: Option<String>,
    #[command(flatten)]
    pub(crate) asking: Asking,
    /// Drive the run on and exit with its outcome
    #[arg(long)]
    pub(crate) wait: bool,
}

/// `pause`
#[derive(Args, Debug)]
pub(crate) struct PauseArguments {
    /// The run: its id, the beginning of it, or its workflow id
    pub(crate) run: String,
    #[command(flatten)]
    pub(crate) asking: Asking,
}

/// `resume`
#[derive(Args, Debug)]
pub(crate) struct ResumeArguments {
    /// The run: its id, the beginning of it, or its workflow id
    pub(crate) run: String,
    #[command(flatten)]
    pub(crate) asking: Asking,
    /// Drive the run on and exit with its outcome
    #[arg(long)]
    pub(crate) wait: bool,
}

/// `resolve`
#[derive(Args, Debug)]
pub(crate) struct ResolveArguments {
    /// The run: its id, the beginning of it, or its workflow id
    pub(crate) run: String,
    /// The stuck step; none where the run is stuck as a whole
    pub(crate) step: Option<String>,
    #[command(flatten)]
    pub(crate) action: Action,
    #[command(flatten)]
    pub(crate) asking: Asking,
    /// Drive the run on and exit with its outcome
    #[arg(long)]
    pub(crate) wait: bool,
}

/// What is to be done about something stuck.
#[derive(Args, Debug)]
#[group(required = true, multiple = false)]
pub(crate) struct Action {
    /// Try again
    #[arg(long)]
    pub(crate) retry: bool,
    /// It was done, with this output (JSON, @FILE, -); of a compensation: it was undone by hand
    #[arg(long, value_name = "OUTPUT", num_args = 0..=1, default_missing_value = "", value_parser = Done::parse)]
    #[arg(allow_negative_numbers = true)]
    pub(crate) done: Option<Done>,
    /// Go on without it; of a compensation: its effect remains
    #[arg(long)]
    pub(crate) skip: bool,
    /// It did not happen: the run turns back
    #[arg(long)]
    pub(crate) fail: bool,
}

/// What `--done` says.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Done {
    /// That it was done.
    Only,
    /// That it was done, with this output.
    With(Given),
}

impl Done {
    fn parse(text: &str) -> Result<Self, String> {
        if text.is_empty() { Ok(Self::Only) } else { Given::parse(text).map(Self::With) }
    }
}

/// `rerun`
#[derive(Args, Debug)]
pub(crate) struct RerunArguments {
    /// The ended run: its id, the beginning of it, or its workflow id
    pub(crate) run: String,
    /// The first step that is carried out anew; what the steps before it gave is taken over
    #[arg(long, value_name = "STEP")]
    pub(crate) from: String,
    #[command(flatten)]
    pub(crate) asking: Asking,
    /// Drive the new run and exit with its outcome
    #[arg(long)]
    pub(crate) wait: bool,
}

/// `delete`
#[derive(Args, Debug)]
pub(crate) struct DeleteArguments {
    /// Ended runs: their ids, the beginnings of them, or their workflow ids
    #[arg(required = true, value_name = "RUN")]
    pub(crate) runs: Vec<String>,
    #[command(flatten)]
    pub(crate) asking: Asking,
}

fn name(text: &str) -> Result<Name, String> {
    Name::check(text).map_err(|error| error.to_string())?;
    Ok(Name::new(text))
}
