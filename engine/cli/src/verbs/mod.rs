//! The verbs, a file each.

mod backup;
mod bench;
mod check;
mod compact;
mod definitions;
mod delete;
mod doctor;
mod graph;
mod history;
mod list;
mod mock_services;
mod new;
mod recover;
mod run;
mod schema;
mod show;
mod steer;

use std::time::Duration;

use engine::Program;
use engine_store::StoreError;
use serde_json::json;

use crate::app::App;
use crate::arguments::{Asked, Format, Known, Verb};
use crate::directory::DataDirectory;
use crate::error::CliError;
use crate::exit::Outcome;
use crate::print;
use crate::progress::Target;
use crate::render::report::Wording;
use crate::render::time;

/// What every verb works with.
pub(crate) struct Context {
    pub(crate) app: App,
    /// The workflows and tasks that the program brings along.
    pub(crate) program: Program,
    pub(crate) directory: DataDirectory,
    pub(crate) format: Format,
    /// How long attempts in flight may take to end once the process was asked to stop.
    pub(crate) grace: Duration,
    /// What names the data directory in commands.
    tail: String,
}

impl Context {
    /// How commands are written.
    pub(crate) fn wording(&self) -> Wording<'_> {
        Wording { program: self.app.name, tail: &self.tail }
    }

    /// Where progress goes.
    pub(crate) fn target(&self) -> Target {
        match self.format {
            Format::Text => Target::StandardOutput,
            Format::Json => Target::StandardError,
        }
    }

    /// What to do after a stop that left runs open.
    pub(crate) fn how_to_go_on(&self) -> String {
        let Wording { program, tail } = self.wording();
        format!("Runs that have not ended are open; go on with\n  {program} recover{tail}")
    }

    /// That nothing can be recorded any more, and what to do.
    pub(crate) fn broken(&self, why: &StoreError) -> String {
        let (directory, go_on) = (self.directory.path().display(), self.how_to_go_on());
        format!(
            "the data directory {directory} can't be used any more: {why}\nWhat was acknowledged is safe. See to the \
             cause. {go_on}"
        )
    }

    /// Says that the process was asked to stop, and what comes of it.
    pub(crate) fn stopping(&self) -> String {
        let grace = time::span(self.grace);
        format!("stopping: attempts in flight may end within {grace}; Ctrl-C again leaves at once")
    }

    /// Says something beside the answer.
    pub(crate) fn note(&self, text: &str) {
        print::beside(self.format, text);
    }
}

/// Does what the command line asks for.
pub(crate) async fn carry_out(app: App, asked: Asked) -> Outcome {
    let directory = DataDirectory::new(asked.common.data_dir);
    let tail = directory.flag();
    let program = match &app.registered {
        Ok(program) => program.clone(),
        Err(why) => {
            print::error(&format!("{}: what this program registers can't be used: {why}", app.name));
            return Outcome::BadInput;
        }
    };
    let context = Context { app, program, directory, format: asked.common.format, grace: asked.common.grace, tail };
    let done = match asked.verb {
        Verb::MockServices(arguments) => mock_services::serve(&context, &arguments).await,
        Verb::Known(verb) => known(&context, verb).await,
    };
    done.unwrap_or_else(|error| {
        print::error(&error.message);
        if context.format == Format::Json {
            let code = error.outcome.code();
            print::json(&json!({ "error": { "message": error.message }, "exit_code": code }));
        }
        error.outcome
    })
}

async fn known(context: &Context, verb: Known) -> Result<Outcome, CliError> {
    match verb {
        Known::Run(arguments) => run::run(context, arguments).await,
        Known::Recover { run } => recover::recover(context, run.as_deref()).await,
        Known::List(arguments) => list::list(context, arguments).await,
        Known::Show(arguments) => show::show(context, &arguments).await,
        Known::History(arguments) => history::history(context, &arguments).await,
        Known::Definitions { what } => definitions::definitions(context, what.as_deref()).await,
        Known::Graph { what, language } => graph::graph(context, &what, language).await,
        Known::Signal(arguments) => steer::signal(context, arguments).await,
        Known::Cancel(arguments) => steer::cancel(context, arguments).await,
        Known::Terminate(arguments) => steer::terminate(context, arguments).await,
        Known::Pause(arguments) => steer::pause(context, arguments).await,
        Known::Resume(arguments) => steer::resume(context, arguments).await,
        Known::Resolve(arguments) => steer::resolve(context, arguments).await,
        Known::Rerun(arguments) => steer::rerun(context, arguments).await,
        Known::Delete(arguments) => delete::delete(context, arguments).await,
        Known::Doctor { repair } => doctor::doctor(context, repair).await,
        Known::Backup { to } => backup::backup(context, &to).await,
        Known::Compact => compact::compact(context).await,
        Known::Bench(arguments) => bench::bench(context, arguments).await,
        Known::Check { files } => Ok(check::check(context, &files)),
        Known::New(arguments) => new::new(context, &arguments),
        Known::Schema => Ok(schema::schema()),
    }
}
