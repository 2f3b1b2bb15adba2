//! `delete`: ended runs are forgotten.

use engine_core::request::{Answer, Demand};
use serde_json::{Value, json};

use crate::arguments::{DeleteArguments, Format};
use crate::error::CliError;
use crate::exit::Outcome;
use crate::print;
use crate::steer::{self, Answered};
use crate::verbs::Context;

pub(super) async fn delete(context: &Context, arguments: DeleteArguments) -> Result<Outcome, CliError> {
    let id = arguments.asking.request_id.as_deref();
    let answers = steer::ask(context, &arguments.runs, &Demand::Delete, id).await?;
    let (mut worst, mut documents, mut any) = (Outcome::Completed, Vec::new(), false);
    for (run, answered) in arguments.runs.iter().zip(answers) {
        let (outcome, document) = tell(context, run, answered);
        worst = worst.worse(outcome);
        any |= outcome == Outcome::Completed;
        documents.push(document);
    }
    match context.format {
        Format::Json => print::json(&json!({ "runs": documents, "exit_code": worst.code() })),
        Format::Text if any => print::line("an id that a deleted run had stays taken for 30 days"),
        Format::Text => {}
    }
    Ok(worst)
}

/// Says what became of one of them.
fn tell(context: &Context, name: &str, answered: Result<Answered, CliError>) -> (Outcome, Value) {
    let answered = match answered {
        Ok(answered) => answered,
        Err(error) => {
            print::error(&format!("delete: {}", error.message));
            return (error.outcome, json!({ "asked_for": name, "error": { "message": error.message } }));
        }
    };
    let outcome = steer::outcome(&answered.answer);
    let run = answered.run;
    match &answered.answer {
        Answer::Refused { message, .. } => print::error(&format!("delete: {run} is not deleted: {message}")),
        Answer::Accepted | Answer::NoOp | Answer::Held if context.format == Format::Text => {
            print::line(&format!("deleted run {run}"));
        }
        Answer::Accepted | Answer::NoOp | Answer::Held => {}
    }
    (outcome, answered.to_json(context, outcome))
}
