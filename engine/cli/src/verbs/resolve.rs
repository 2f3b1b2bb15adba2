//! `resolve`: an operator says what to do about something stuck, and the run goes on.

use std::sync::Arc;

use engine_core::id::{Name, RunId};
use engine_core::payload::Payload;
use engine_core::request::{Answer, Resolution};
use engine_core::request::{Demand, Request};
use engine_runtime::{Random, SystemRandom};

use crate::arguments::{Action, Done, ResolveArguments};
use crate::error::CliError;
use crate::exit::Outcome;
use crate::follow;
use crate::session::{self, Session, actor};
use crate::verbs::Context;

pub(super) async fn resolve(context: &Context, arguments: ResolveArguments) -> Result<Outcome, CliError> {
    let (action, output) = said(&arguments.action)?;
    let store = context.directory.open_existing().await?;
    Session::with(context, store, Vec::new(), async |session| {
        let run = session::find(session.store(), &arguments.run).await?;
        let past = session.store().row(run).await?.map(|row| row.last).unwrap_or_default();
        let request = request(session, arguments, action, output);
        match session.engine.request(run, request).await? {
            Answer::Accepted | Answer::Held => {}
            Answer::NoOp => context.note("there was nothing to do"),
            Answer::Refused { message, .. } => return Err(CliError::bad_input(format!("refused: {message}"))),
        }
        follow::to_its_end(context, session, run, past, &[]).await
    })
    .await
}

fn request(session: &Session, arguments: ResolveArguments, action: Resolution, output: Option<Arc<[u8]>>) -> Request {
    let id = arguments.request_id.unwrap_or_else(|| {
        // Each command is a request of its own: the step may be stuck again.
        RunId::new(session.engine.now(), SystemRandom.bytes()).to_string()
    });
    let step = arguments.step.map(Name::new);
    let output = output.map(Payload::json);
    Request { id, actor: actor(), demand: Demand::Resolve { step, action, output } }
}

/// What is said, and the output that goes with it.
type Said = (Resolution, Option<Arc<[u8]>>);

/// Reads what is said.
fn said(action: &Action) -> Result<Said, CliError> {
    if let Some(output) = &action.done {
        let output = match output {
            Done::With(given) => Some(given.read("--done")?.0.to_string().into_bytes().into()),
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
