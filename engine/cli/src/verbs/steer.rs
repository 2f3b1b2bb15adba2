//! `signal`, `cancel`, `terminate`, `pause`, `resume`, `resolve`, `rerun`: a run is asked, and answers.

use std::sync::Arc;

use engine_core::id::Name;
use engine_core::payload::Payload;
use engine_core::request::{Demand, Resolution};

use crate::arguments::{
    Action, Asking, Done, EndArguments, PauseArguments, RerunArguments, ResolveArguments, ResumeArguments,
    SignalArguments,
};
use crate::error::CliError;
use crate::exit::Outcome;
use crate::input::Given;
use crate::steer;
use crate::verbs::Context;

pub(super) async fn signal(context: &Context, arguments: SignalArguments) -> Result<Outcome, CliError> {
    let payload =
        arguments.payload.as_ref().map_or_else(|| Ok(Arc::from(*b"null")), |given| json(given, "--payload"))?;
    let demand = Demand::Signal { name: arguments.name, payload: Payload::json(payload) };
    ask(context, "signal", &arguments.run, &demand, &arguments.asking, arguments.wait).await
}

pub(super) async fn cancel(context: &Context, arguments: EndArguments) -> Result<Outcome, CliError> {
    let demand = Demand::Cancel { reason: arguments.reason };
    ask(context, "cancel", &arguments.run, &demand, &arguments.asking, arguments.wait).await
}

pub(super) async fn terminate(context: &Context, arguments: EndArguments) -> Result<Outcome, CliError> {
    let demand = Demand::Terminate { reason: arguments.reason };
    ask(context, "terminate", &arguments.run, &demand, &arguments.asking, arguments.wait).await
}

pub(super) async fn pause(context: &Context, arguments: PauseArguments) -> Result<Outcome, CliError> {
    ask(context, "pause", &arguments.run, &Demand::Pause, &arguments.asking, false).await
}

pub(super) async fn resume(context: &Context, arguments: ResumeArguments) -> Result<Outcome, CliError> {
    ask(context, "resume", &arguments.run, &Demand::Resume, &arguments.asking, arguments.wait).await
}

pub(super) async fn resolve(context: &Context, arguments: ResolveArguments) -> Result<Outcome, CliError> {
    let (action, output) = said(&arguments.action)?;
    let demand = Demand::Resolve { step: arguments.step.map(Name::new), action, output: output.map(Payload::json) };
    ask(context, "resolve", &arguments.run, &demand, &arguments.asking, arguments.wait).await
}

pub(super) async fn rerun(context: &Context, arguments: RerunArguments) -> Result<Outcome, CliError> {
    let demand = Demand::Rerun { from: Name::new(arguments.from) };
    ask(context, "rerun", &arguments.run, &demand, &arguments.asking, arguments.wait).await
}

async fn ask(
    context: &Context,
    verb: &str,
    run: &str,
    demand: &Demand,
    asking: &Asking,
    wait: bool,
) -> Result<Outcome, CliError> {
    let answered = steer::ask_one(context, run, demand, asking.request_id.as_deref()).await?;
    steer::tell(context, verb, &answered, wait).await
}

/// The JSON that was given, as it is kept.
fn json(given: &Given, flag: &str) -> Result<Arc<[u8]>, CliError> {
    Ok(given.read(flag)?.0.to_string().into_bytes().into())
}

/// What an operator says of something stuck, and the output that goes with it.
type Said = (Resolution, Option<Arc<[u8]>>);

/// Reads what is said.
fn said(action: &Action) -> Result<Said, CliError> {
    if let Some(output) = &action.done {
        let output = match output {
            Done::With(given) => Some(json(given, "--done")?),
            Done::Only => None,
        };
        return Ok((Resolution::Done, output));
    }
    let action = match (action.retry, action.skip) {
        (true, _) => Resolution::Retry,
        (false, true) => Resolution::Skip,
        // The command line takes exactly one.
        (false, false) => Resolution::Fail,
    };
    Ok((action, None))
}
