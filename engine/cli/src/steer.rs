//! Asking a run for something: the one way of every verb that steers.
//!
//! Asking and answering are one thing, driving the run on is another: a verb asks, says what was answered and how the
//! run stands now, and is done. With `--wait` the run is then driven to its rest, as `recover` does.

use engine_core::id::RunId;
use engine_core::request::{Answer, Demand, Request};
use engine_runtime::control::{AskError, Refusal, RefusalKind};
use engine_runtime::read;
use engine_store::{IndexRow, Status};
use serde_json::{Map, Value, json};

use crate::arguments::Format;
use crate::error::CliError;
use crate::exit::Outcome;
use crate::follow;
use crate::print;
use crate::reach::{Aim, Reach};
use crate::render::event_json;
use crate::render::one_line;
use crate::session::{self, actor, fresh_id};
use crate::verbs::Context;

/// What was answered, and how the run stands now.
pub(crate) struct Answered {
    /// The run that was asked.
    pub(crate) run: RunId,
    /// The id of the request.
    pub(crate) request: String,
    /// The answer.
    pub(crate) answer: Answer,
    /// How the run stands now; of a rerun, the new run. None where it was deleted.
    pub(crate) now: Option<IndexRow>,
    /// Whether a process drives it.
    pub(crate) driven: bool,
}

/// Asks each of these runs for the same, and gives what each answers. `id` is the id of the request, where the caller
/// has one.
pub(crate) async fn ask(
    context: &Context,
    runs: &[String],
    demand: &Demand,
    id: Option<&str>,
) -> Result<Vec<Result<Answered, CliError>>, CliError> {
    Reach::with(context, Aim::Ask, async |reach| {
        let mut answers = Vec::with_capacity(runs.len());
        for run in runs {
            answers.push(ask_by(reach, run, demand, id).await);
        }
        Ok(answers)
    })
    .await
}

/// Asks one run.
pub(crate) async fn ask_one(
    context: &Context,
    run: &str,
    demand: &Demand,
    id: Option<&str>,
) -> Result<Answered, CliError> {
    let mut answers = ask(context, &[run.to_owned()], demand, id).await?;
    answers.pop().unwrap_or_else(|| Err(CliError::directory("nothing was asked, and nothing answered")))
}

/// Asks a run, whoever has its directory.
async fn ask_by(reach: &Reach, text: &str, demand: &Demand, id: Option<&str>) -> Result<Answered, CliError> {
    // Each command is a request of its own, unless it says which: the step may be stuck again.
    let id = id.map_or_else(fresh_id, str::to_owned);
    let request = Request { id: id.clone(), actor: actor(), demand: demand.clone() };
    let store = reach.store();
    let (run, unknown) = match (session::find(&*store, text).await, text.parse()) {
        (Ok(run), _) => (run, None),
        // It may be this very request that has deleted it.
        (Err(unknown), Ok(run)) if *demand == Demand::Delete => (run, Some(unknown)),
        (Err(unknown), _) => return Err(unknown),
    };
    let answer = match (reach.request(run, &request).await, unknown) {
        (Ok(answer), _) => answer,
        (Err(AskError::Refused(Refusal { kind: RefusalKind::Unknown, .. })), Some(unknown)) => return Err(unknown),
        (Err(error), _) => return Err(error.into()),
    };
    let anew = match demand {
        Demand::Rerun { .. } => read::rerun_by(&*store, run, &id).await?,
        _ => None,
    };
    let asked = anew.unwrap_or(run);
    let (now, driven) = (store.row(asked).await?, reach.drives(asked).await?);
    Ok(Answered { run, request: id, answer, now, driven })
}

/// Says what a run has answered to a verb; then drives it on where that is wanted.
pub(crate) async fn tell(context: &Context, verb: &str, answered: &Answered, wait: bool) -> Result<Outcome, CliError> {
    let outcome = outcome(&answered.answer);
    let open = answered.now.as_ref().filter(|_| wait && outcome == Outcome::Completed);
    match open {
        Some(row) if row.status != Status::Paused => {
            context.note(&said(verb, &answered.answer));
            if row.run != answered.run {
                context.note(&answered.named(row));
            }
            let extra: Vec<(&str, Value)> = vec![("request", answered.request_to_json())];
            self::wait(context, row.run, &extra).await
        }
        Some(_) => {
            say(context, verb, answered, Outcome::Interrupted);
            Ok(Outcome::Interrupted)
        }
        None => {
            say(context, verb, answered, outcome);
            Ok(outcome)
        }
    }
}

/// Drives a run to its end, or to where it waits for an operator.
async fn wait(context: &Context, run: RunId, extra: &[(&str, Value)]) -> Result<Outcome, CliError> {
    Reach::with(context, Aim::Drive, async |reach| {
        let past = reach.store().row(run).await?.map(|row| row.last).unwrap_or_default();
        follow::to_its_end(context, reach, run, past, extra).await
    })
    .await
}

/// What a verb exits with that does not wait.
pub(crate) fn outcome(answer: &Answer) -> Outcome {
    match answer {
        Answer::Accepted | Answer::NoOp | Answer::Held => Outcome::Completed,
        Answer::Refused { .. } => Outcome::BadInput,
    }
}

fn say(context: &Context, verb: &str, answered: &Answered, outcome: Outcome) {
    match context.format {
        Format::Json => print::json(&answered.to_json(context, outcome)),
        Format::Text => {
            let said = said(verb, &answered.answer);
            match answered.answer {
                Answer::Refused { .. } => print::error(&said),
                Answer::Accepted | Answer::NoOp | Answer::Held => print::line(&said),
            }
            let standing = answered.standing(context);
            if outcome == Outcome::BadInput {
                print::note(&standing.join("\n"));
            } else {
                print::lines(&standing);
            }
        }
    }
    if let (Format::Json, Answer::Refused { .. }) = (context.format, &answered.answer) {
        print::error(&said(verb, &answered.answer));
    }
}

/// The answer in a line.
fn said(verb: &str, answer: &Answer) -> String {
    match answer {
        Answer::Accepted => format!("{verb}: accepted"),
        Answer::NoOp => format!("{verb}: there was nothing to do"),
        Answer::Held => format!("{verb}: held until the pivot has settled"),
        Answer::Refused { message, .. } => format!("{verb}: refused: {message}"),
    }
}

impl Answered {
    /// How the run stands, and how to go on.
    fn standing(&self, context: &Context) -> Vec<String> {
        let Some(row) = &self.now else { return Vec::new() };
        let mut lines = vec![self.named(row)];
        if let Some((why, command)) = self.next(context) {
            lines.push(why.to_owned());
            lines.push(format!("  {command}"));
        }
        lines
    }

    /// Which run it is about, and its status.
    fn named(&self, row: &IndexRow) -> String {
        let id = row.workflow_id.as_ref().map(|id| format!(" ({})", one_line(id))).unwrap_or_default();
        let new = if row.run == self.run { "" } else { "the new run: " };
        format!("{new}{} run {}{id} is {}", row.workflow, row.run, row.status)
    }

    /// The command to go on with, and why.
    fn next(&self, context: &Context) -> Option<(&'static str, String)> {
        let row = self.now.as_ref()?;
        let wording = context.wording();
        let command =
            |verb: &str, flags: &str| format!("{} {verb} {}{flags}{}", wording.program, row.run, wording.tail);
        match row.status {
            Status::Completed | Status::Compensated | Status::Failed | Status::Cancelled => None,
            Status::Stuck => Some(("what gets it out is said by", command("show", ""))),
            Status::Paused => Some(("it begins nothing until it is resumed, with", command("resume", " --wait"))),
            Status::Pending | Status::Running | Status::Waiting | Status::Compensating => {
                (!self.driven).then(|| ("nothing drives it now; go on with", command("recover", "")))
            }
        }
    }

    fn request_to_json(&self) -> Value {
        let mut fields = Map::new();
        fields.insert("id".to_owned(), self.request.clone().into());
        if let Value::Object(answer) = event_json::answered(&self.answer) {
            fields.extend(answer);
        }
        Value::Object(fields)
    }

    /// What was answered, and how the run stands now.
    pub(crate) fn to_json(&self, context: &Context, outcome: Outcome) -> Value {
        let row = self.now.as_ref();
        let anew = row.map(|row| row.run).filter(|run| *run != self.run);
        json!({
            "run": self.run.to_string(),
            "request": self.request_to_json(),
            "new_run": anew.map(|run| run.to_string()),
            "workflow": row.map(|row| row.workflow.as_str()),
            "workflow_id": row.and_then(|row| row.workflow_id.as_deref()),
            "status": row.map(|row| row.status.to_string()),
            "driven": self.driven,
            "next": self.next(context).map(|(_, command)| command),
            "exit_code": outcome.code(),
        })
    }
}
