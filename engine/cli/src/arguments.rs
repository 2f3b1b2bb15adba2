//! The command line, as types.

mod bench;
mod look;
mod steer;

use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

use clap::{ArgMatches, Args, CommandFactory, FromArgMatches, Parser, Subcommand, ValueEnum};

use engine_core::time::parse_duration;

use crate::app::App;
use crate::directory;
use crate::exit::Outcome;
use crate::help;
use crate::input::Given;
use crate::overrides::Override;
use crate::pairs;

pub(crate) use bench::BenchArguments;
pub(crate) use look::{HistoryArguments, ListArguments, ShowArguments};
pub(crate) use steer::{
    Action, Asking, DeleteArguments, Done, EndArguments, PauseArguments, RerunArguments, ResolveArguments,
    ResumeArguments, SignalArguments,
};

/// Runs workflows of many steps across services, to their end or cleanly undone, whatever crashes meanwhile.
#[derive(Parser, Debug)]
#[command(disable_help_subcommand = true, arg_required_else_help = true, subcommand_required = true)]
#[command(subcommand_value_name = "VERB")]
struct Cli {
    #[command(subcommand)]
    verb: Known,
    #[command(flatten)]
    common: Common,
}

/// What every verb takes.
#[derive(Args, Clone, Debug)]
pub(crate) struct Common {
    /// Where runs are kept
    #[arg(long, global = true, value_name = "DIR", env = "ENGINE_DATA_DIR", default_value = directory::DEFAULT)]
    pub(crate) data_dir: PathBuf,
    /// How to answer; `json` is one JSON document on standard output
    #[arg(short = 'o', long = "output", global = true, value_name = "FORMAT", default_value = "text")]
    pub(crate) format: Format,
    /// How long attempts in flight may take to end once Ctrl-C or SIGTERM came; a second one leaves at once
    #[arg(long, global = true, value_name = "DURATION", default_value = "10s", value_parser = parse_duration)]
    pub(crate) grace: Duration,
}

/// How a verb answers.
#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum)]
pub(crate) enum Format {
    // For people.
    Text,
    // For programs.
    Json,
}

/// A verb with its arguments, and what every verb takes.
pub(crate) struct Asked {
    pub(crate) verb: Verb,
    pub(crate) common: Common,
}

/// A verb with its arguments.
pub(crate) enum Verb {
    /// One that every program has.
    Known(Known),
    /// `mock-services`, whose arguments are the program's own.
    MockServices(ArgMatches),
}

/// The verbs that every program has.
#[derive(Subcommand, Debug)]
pub(crate) enum Known {
    /// Run a workflow and follow it to its end; the same command again goes on with an open run
    Run(RunArguments),
    /// Take up open runs and drive them to their ends
    Recover {
        /// Only this run: its id, the beginning of it, or its workflow id
        run: Option<String>,
    },
    /// List runs, newest first
    List(ListArguments),
    /// Show a run: status, steps, failures, and what to do where it is stuck
    Show(ShowArguments),
    /// Print what happened to a run, event by event
    History(HistoryArguments),
    /// Draw a workflow, or a run with its states
    Graph {
        /// A workflow file, or a run
        #[arg(value_name = "FILE|RUN")]
        what: String,
        /// The language of the drawing: pipe dot into `dot -Tsvg`, put mermaid into a Markdown page
        #[arg(long = "format", default_value = "dot")]
        language: Language,
    },
    /// List the stored workflows, or print one of them
    Definitions {
        /// A workflow, or the digest of a version of it, or the beginning of that
        #[arg(value_name = "WORKFLOW|DIGEST")]
        what: Option<String>,
    },
    /// Tell a run something that a step waits for, or will
    Signal(SignalArguments),
    /// Stop a run, and undo what may have happened
    Cancel(EndArguments),
    /// End a run at once; nothing is undone
    Terminate(EndArguments),
    /// Let a run begin nothing new until it is resumed
    Pause(PauseArguments),
    /// Let a paused run go on
    Resume(ResumeArguments),
    /// Say what to do about a stuck step, or about a run that is stuck as a whole
    Resolve(ResolveArguments),
    /// Carry an ended run out anew from one step on, as a new run
    Rerun(RerunArguments),
    /// Forget ended runs; their ids stay taken for 30 days
    Delete(DeleteArguments),
    /// Look at everything in the data directory, also while runs go on, and say what is wrong and what to do
    Doctor {
        /// Write anew what follows from histories: lists, timers, missing ids; needs the directory for itself
        #[arg(long)]
        repair: bool,
    },
    /// Copy the data directory, also while runs go on
    Backup {
        /// Where to: a directory that is empty, not there, or left unfinished by a backup that was cut off
        to: PathBuf,
    },
    /// Shrink the database; needs the directory for itself
    Compact,
    /// Measure this machine: what a step, a start, a saga cost here, held against what the disk gives without an engine
    Bench(BenchArguments),
    /// Check workflow files; run nothing
    Check {
        /// Workflow files and run files
        #[arg(required = true, value_name = "FILE")]
        files: Vec<PathBuf>,
    },
    /// Make a small program with a saga in Rust and its tests, to begin with
    New(NewArguments),
    /// Print the JSON Schema of workflow files, for editors
    Schema,
}

/// A language that drawings are written in.
#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum)]
pub(crate) enum Language {
    // Graphviz.
    Dot,
    // As Markdown pages show it.
    Mermaid,
}

/// What `new` makes.
#[derive(Args, Debug)]
pub(crate) struct NewArguments {
    /// Where: the last part of it is the program's name, as `my_saga`
    #[arg(value_name = "DIR")]
    pub(crate) directory: PathBuf,
    /// Use the engine in this checkout of its repository
    #[arg(
        long,
        value_name = "CHECKOUT",
        required_unless_present = "engine_version",
        conflicts_with = "engine_version"
    )]
    pub(crate) path: Option<PathBuf>,
    /// Use this version of the engine from the registry
    #[arg(long, value_name = "VERSION")]
    pub(crate) engine_version: Option<String>,
}

/// `run`
#[derive(Args, Debug)]
pub(crate) struct RunArguments {
    /// A workflow file, a run file that names a workflow, or a workflow of this program by its name
    #[arg(value_name = "FILE|WORKFLOW")]
    pub(crate) file: PathBuf,
    /// The input: JSON, @FILE, or - for standard input
    #[arg(long, value_name = "JSON|@FILE|-", value_parser = Given::parse, allow_hyphen_values = true)]
    pub(crate) input: Option<Given>,
    /// Use the example input of the workflow file
    #[arg(long, conflicts_with = "input")]
    pub(crate) example: bool,
    /// The run's own id, unique per workflow: the same command again finds the run by it
    #[arg(long, value_name = "ID", value_parser = pairs::workflow_id)]
    pub(crate) id: Option<String>,
    /// Start another run although one with this input is open
    #[arg(long, conflicts_with = "id")]
    pub(crate) new: bool,
    /// Mark the run; may be repeated
    #[arg(long = "label", value_name = "KEY=VALUE", value_parser = pairs::label)]
    pub(crate) labels: Vec<(String, String)>,
    /// Use another base URL for a service, for this run; may be repeated
    #[arg(long = "override", value_name = "SERVICE.url=URL", value_parser = Override::parse)]
    pub(crate) overrides: Vec<Override>,
    /// Use mock services, which run in this process; without --input, on the example input
    #[arg(long)]
    pub(crate) mock_services: bool,
    /// Make a mock service misbehave, as payment/process:status=503,times=2; may be repeated
    #[arg(long = "fault", value_name = "RULE", requires = "mock_services")]
    pub(crate) faults: Vec<String>,
}

/// The name of the verb whose arguments are the program's own.
const MOCK_SERVICES: &str = "mock-services";

/// The whole command line of a program.
pub(crate) fn command(app: &App) -> clap::Command {
    let mut command = Cli::command().name(app.name).bin_name(app.name).version(app.version);
    match &app.mocks {
        Some(mocks) => command = command.subcommand(mocks.command().name(MOCK_SERVICES)),
        None => {
            command = command.mut_subcommand("run", |run| {
                run.mut_arg("mock_services", |arg| arg.hide(true)).mut_arg("faults", |arg| arg.hide(true))
            });
        }
    }
    help::grouped(command)
}

/// Reads a command line. Where there is nothing to carry out, it says why and with what to exit.
pub(crate) fn parse(app: &App, line: impl IntoIterator<Item = OsString>) -> Result<Asked, Outcome> {
    let stop = |error: clap::Error| {
        // Help and version come as errors too, and go to standard output.
        let _ = error.print();
        if error.use_stderr() { Outcome::BadInput } else { Outcome::Completed }
    };
    let mut command = command(app);
    let matches = command.try_get_matches_from_mut(line).map_err(stop)?;
    if let Some((MOCK_SERVICES, arguments)) = matches.subcommand() {
        let common = Common::from_arg_matches(&matches).map_err(stop)?;
        return Ok(Asked { verb: Verb::MockServices(arguments.clone()), common });
    }
    let cli = Cli::from_arg_matches(&matches).map_err(|error| stop(error.format(&mut command)))?;
    Ok(Asked { verb: Verb::Known(cli.verb), common: cli.common })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(line: &str) -> Result<Asked, Outcome> {
        let line = format!("engine {line}");
        parse(&App::new("engine", "0"), line.split_whitespace().map(OsString::from))
    }

    #[test]
    fn the_command_line_is_sound() {
        command(&App::new("engine", "0")).debug_assert();
    }

    #[test]
    fn mistakes_are_bad_input_and_help_is_not() {
        for bad in [
            "",
            "rnu x.json",
            "run",
            "run a.json --id",
            "run a.json --example --input 1",
            "run a.json --override x=1",
            "run a.json --fault x",
            "resolve r",
            "resolve r s --retry --skip",
            "list --status Happy",
            "list --since yesterday",
            "list --after order-1001",
            "signal r",
            "signal r Not-A-Name",
            "pause r --wait",
            "rerun r",
            "delete",
            "run a.json --id x --new",
            "run a.json --grace 10",
        ] {
            assert!(matches!(read(bad), Err(Outcome::BadInput)), "{bad}");
        }
        assert!(matches!(read("--version"), Err(Outcome::Completed)));
        assert!(matches!(read("run --help"), Err(Outcome::Completed)));
    }

    #[test]
    fn done_takes_an_output_or_none() {
        let given = |line: &str| match read(line).map(|asked| asked.verb) {
            Ok(Verb::Known(Known::Resolve(resolve))) => (resolve.step, resolve.action.done),
            _ => panic!("{line}"),
        };
        assert_eq!(given("resolve r s --done"), (Some("s".to_owned()), Some(Done::Only)));
        assert_eq!(
            given("resolve r s --done -1"),
            (Some("s".to_owned()), Some(Done::With(Given::Text("-1".to_owned()))))
        );
        assert_eq!(given("resolve r s --skip"), (Some("s".to_owned()), None));
    }

    #[test]
    fn common_flags_stand_anywhere() {
        for line in ["list -o json --data-dir /x", "-o json list --data-dir /x", "--data-dir /x -o json list"] {
            let asked = read(line).unwrap_or_else(|_| panic!("{line}"));
            assert_eq!(asked.common.format, Format::Json);
            assert_eq!(asked.common.data_dir, PathBuf::from("/x"));
            assert_eq!(asked.common.grace, Duration::from_secs(10));
        }
        let grace = |line| read(line).unwrap_or_else(|_| panic!("{line}")).common.grace;
        assert_eq!(grace("--grace 1m30s recover"), Duration::from_secs(90));
        assert_eq!(grace("run a.json --grace 0s"), Duration::ZERO);
    }
}
