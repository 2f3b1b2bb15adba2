//! `graph`: a workflow as a drawing, or a run with its states.

use std::path::Path;

use engine_runtime::read;
use engine_store::Store;
use serde_json::json;

use crate::arguments::{Format, Language};
use crate::error::CliError;
use crate::exit::Outcome;
use crate::print;
use crate::render::graph::{dot, mermaid};
use crate::session;
use crate::source::{self, Source};
use crate::verbs::Context;

pub(super) async fn graph(context: &Context, what: &str, language: Language) -> Result<Outcome, CliError> {
    let draw = match language {
        Language::Dot => dot,
        Language::Mermaid => mermaid,
    };
    let path = Path::new(what);
    let names_a_file = path.is_file() || what.contains('/') || path.extension().is_some_and(|end| end == "json");
    let drawing = if names_a_file || source::named(&context.program, path).is_some() {
        match source::load(&context.program, path)? {
            Source::Workflow(definition) => draw(&definition, None),
            Source::Run(run) => {
                let runs = run.run;
                return Err(CliError::bad_input(format!("{what}: only runs `{runs}`; name the workflow's own file")));
            }
        }
    } else {
        let look = async |store: &dyn Store| {
            let state = read::state(store, session::find(store, what).await?).await?;
            let definition = read::definition(store, state.definition).await?;
            Ok(draw(&definition, Some(&state)))
        };
        context.directory.look(look).await.map_err(|error| source::or_meant(&context.program, what, error))?
    };
    match context.format {
        Format::Text => print::text(&drawing),
        Format::Json => print::json(&json!({ "graph": drawing })),
    }
    Ok(Outcome::Completed)
}
