//! `run`: starts a run, or goes on with the one that the same command started before.

use std::path::Path;
use std::sync::Arc;

use engine_core::definition::Definition;
use engine_core::id::{RunId, Seq};
use engine_core::state::{State, Status};
use engine_runtime::control::{AskError, Refusal, RefusalKind};
use engine_runtime::{Reuse, Start, read};
use engine_store::Store;
use serde_json::{Value, json};

use crate::arguments::{Format, RunArguments};
use crate::directory::quoted;
use crate::error::CliError;
use crate::exit::Outcome;
use crate::follow;
use crate::overrides;
use crate::print;
use crate::reach::{Aim, Reach};
use crate::render::one_line;
use crate::session::actor;
use crate::source::{self, Source};
use crate::verbs::Context;

/// A run that can be started: everything is checked.
struct Prepared {
    definition: Arc<Definition>,
    input: Value,
    overrides: Vec<(String, String)>,
}

pub(super) async fn run(context: &Context, arguments: RunArguments) -> Result<Outcome, CliError> {
    check_mocks(context, &arguments)?;
    let is_first = context.directory.is_new();
    let faults = arguments.faults.clone();
    match source::load(&context.program, &arguments.file)? {
        Source::Workflow(definition) => {
            // Checked as far as can be before anything is made.
            let prepared = prepare(context, &arguments, definition, None)?;
            let work = async |reach: &Reach| start_and_follow(context, reach, &arguments, prepared, is_first).await;
            Reach::with_new(context, Aim::Drive, faults, work).await
        }
        Source::Run(file) => {
            let or_own = |error| source::or_meant(&context.program, &file.run, error);
            let work = async |reach: &Reach| {
                let definition = match context.program.workflow(&file.run) {
                    Some(definition) => definition,
                    None => stored(&*reach.store(), &file.run, &arguments.file).await.map_err(or_own)?,
                };
                let prepared = prepare(context, &arguments, definition, file.input)?;
                start_and_follow(context, reach, &arguments, prepared, is_first).await
            };
            if context.program.workflow(&file.run).is_none() {
                context.directory.check_exists().map_err(or_own)?;
            }
            Reach::with_new(context, Aim::Drive, faults, work).await
        }
    }
}

async fn start_and_follow(
    context: &Context,
    reach: &Reach,
    arguments: &RunArguments,
    prepared: Prepared,
    is_first: bool,
) -> Result<Outcome, CliError> {
    let start = Start {
        definition: prepared.definition.clone(),
        workflow_id: arguments.id.clone(),
        request_id: None,
        actor: actor(),
        input: prepared.input.to_string().into_bytes().into(),
        labels: arguments.labels.clone(),
        overrides: prepared.overrides.clone(),
        reuse: if arguments.new { Reuse::Never } else { Reuse::OpenRun },
    };
    let faults = arguments.mock_services.then_some(arguments.faults.as_slice());
    let started = reach.start(start, faults).await.map_err(|error| refused(context, error))?;
    let place = match reach.beside() {
        None => format!("data in {}", shown_directory(context)),
        Some(pid) => format!("handed to process {pid}, which has {}", shown_directory(context)),
    };
    let past = if started.fresh {
        context.note(&format!("{}; {place}", named(&prepared, arguments, started.run)));
        Seq(0)
    } else {
        let state = read::state(&*reach.store(), started.run).await?;
        context.note(&known(&state, &place));
        for note in differences(&state, &prepared) {
            context.note(&note);
        }
        state.last
    };
    let extra = [("fresh", json!(started.fresh))];
    let outcome = follow::to_its_end(context, reach, started.run, past, &extra).await?;
    if is_first && context.format == Format::Text && outcome != Outcome::Interrupted {
        tips(context, arguments, started.run);
    }
    Ok(outcome)
}

/// Whether the program has mock services, and the fault rules are rules.
fn check_mocks(context: &Context, arguments: &RunArguments) -> Result<(), CliError> {
    if !arguments.mock_services {
        return Ok(());
    }
    let Some(mocks) = &context.app.mocks else {
        return Err(CliError::bad_input("--mock-services: this program brings no mock services"));
    };
    for rule in &arguments.faults {
        mocks.check_fault(rule).map_err(|why| CliError::bad_input(format!("--fault {}: {why}", quoted(rule))))?;
    }
    Ok(())
}

/// Refuses a workflow that calls a service which is neither a mock service nor at an address of its own.
fn check_mocked(context: &Context, overrides: &[(String, String)], definition: &Definition) -> Result<(), CliError> {
    let mocked = context.app.mocks.as_ref().map(|mocks| mocks.services()).unwrap_or_default();
    let is_known = |name: &str| {
        mocked.iter().any(|mock| mock == name) || overrides.iter().any(|(key, _)| *key == format!("{name}.url"))
    };
    let unknown = definition.services().keys().find(|name| !is_known(name.as_str()));
    unknown.map_or(Ok(()), |name| {
        Err(CliError::bad_input(format!(
            "--mock-services: there is no mock service `{name}`; there are {}: rename it, or say where it is with \
             --override {name}.url=URL",
            mocked.join(", ")
        )))
    })
}

/// Checks everything that a run is started with. `own` is the input of a run file.
fn prepare(
    context: &Context,
    arguments: &RunArguments,
    definition: Arc<Definition>,
    own: Option<Value>,
) -> Result<Prepared, CliError> {
    let overrides = overrides::of_run(&arguments.overrides, arguments.mock_services, &definition)?;
    if arguments.mock_services {
        check_mocked(context, &overrides, &definition)?;
    }
    let (input, origin) = input(arguments, &definition, own)?;
    definition.check_input(&input).map_err(|error| CliError::input(&origin, &error))?;
    context.program.check_input(&definition, &input).map_err(|error| {
        CliError::bad_input(format!("{origin}: the tasks of `{}` can't read this: {error}", definition.name()))
    })?;
    Ok(Prepared { definition, input, overrides })
}

/// The input, and what it is called in messages.
fn input(arguments: &RunArguments, definition: &Definition, own: Option<Value>) -> Result<(Value, String), CliError> {
    let (file, name) = (arguments.file.display(), definition.name());
    if let Some(given) = &arguments.input {
        return given.read("--input");
    }
    match (own, definition.example()) {
        (Some(own), _) if !arguments.example => Ok((own, format!("{file}: /input"))),
        (_, Some(example)) if arguments.example || arguments.mock_services => {
            Ok((example.clone(), format!("{file}: /input/example")))
        }
        (_, None) if arguments.example => {
            Err(CliError::bad_input(format!("workflow `{name}` has no `input.example`: give --input JSON, @FILE or -")))
        }
        (_, example) => {
            let or = match example {
                Some(_) => ", or --example to try it on the example in its file",
                None => " (null where it needs none)",
            };
            Err(CliError::bad_input(format!("workflow `{name}` needs an input: give --input JSON, @FILE or -{or}")))
        }
    }
}

/// The stored workflow that a run file names.
async fn stored(store: &dyn Store, workflow: &str, file: &Path) -> Result<Arc<Definition>, CliError> {
    let Some(digest) = store.current_definition(workflow).await? else {
        let file = file.display();
        return Err(CliError::bad_input(format!(
            "{file}: no workflow `{workflow}` is stored here: run its own file once, and it is"
        )));
    };
    Ok(read::definition(store, digest).await?)
}

fn refused(context: &Context, error: AskError) -> CliError {
    match error {
        AskError::Refused(Refusal { kind: RefusalKind::NoSpace { free, reserve }, .. }) => {
            CliError::directory(no_space(context, free, reserve))
        }
        AskError::Refused(Refusal { kind: RefusalKind::Failed(why), .. }) => CliError::directory(format!(
            "{}\nWhether this run was started is not known; the same command again is safe",
            context.broken(&why)
        )),
        error => error.into(),
    }
}

fn no_space(context: &Context, free: u64, reserve: u64) -> String {
    let (directory, wording) = (context.directory.path().display(), context.wording());
    let (free, reserve, program, tail) = (free >> 20, reserve >> 20, wording.program, wording.tail);
    format!(
        "the disk of the data directory {directory} has {free} MiB left, and below {reserve} MiB no new run is started; \
         nothing was stored. Free some space, or take a directory on another disk with --data-dir. Open runs go on: \
         {program} recover{tail}"
    )
}

/// What a fresh run is called.
fn named(prepared: &Prepared, arguments: &RunArguments, run: RunId) -> String {
    let definition = &prepared.definition;
    let id = arguments.id.as_ref().map(|id| format!(" ({})", one_line(id))).unwrap_or_default();
    format!("{} {}, run {run}{id}", definition.name(), one_line(definition.version()))
}

fn shown_directory(context: &Context) -> String {
    context.directory.path().display().to_string()
}

/// That the run is known, and how far it is.
fn known(state: &State, place: &str) -> String {
    let id = state.workflow_id.as_ref().map(|id| format!(" ({})", one_line(id))).unwrap_or_default();
    let what = match state.status() {
        Status::Stuck if state.workflow_id.is_none() => "has this input and is stuck; --new would start another",
        Status::Stuck => "is stuck",
        Status::Paused => "is paused",
        status if status.is_terminal() => "has ended already",
        _ => "is open: going on with it",
    };
    format!("{} run {}{id} {what}; {place}", state.workflow, state.run)
}

/// What the command says and the run, which was started before, does not do.
fn differences(state: &State, prepared: &Prepared) -> Vec<String> {
    let mut notes = Vec::new();
    if state.definition != prepared.definition.digest() {
        notes.push("note: the file has changed since; the run keeps the workflow that it started with".to_owned());
    }
    if state.overrides != prepared.overrides {
        notes.push("note: the run keeps the services that it started with, whatever this command says".to_owned());
    }
    notes
}

/// Three commands to try next, after the first run in a new data directory.
fn tips(context: &Context, arguments: &RunArguments, run: RunId) {
    let wording = context.wording();
    let (program, tail) = (wording.program, wording.tail);
    let file = quoted(&arguments.file.display().to_string());
    let third = if arguments.mock_services {
        format!("{program} run {file} --mock-services --fault inventory/update:status=422{tail}")
    } else {
        format!("{program} graph {run} --format mermaid{tail}")
    };
    print::line("");
    print::line("Try next:");
    for command in [format!("{program} show {run}{tail}"), format!("{program} history {run}{tail}"), third] {
        print::line(&format!("  {command}"));
    }
}
