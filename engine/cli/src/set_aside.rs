//! What there is to say of a run that is set aside, even where its history can't be read.

use engine_core::failure::Failure;
use engine_core::id::RunId;
use engine_core::state::Status;
use engine_runtime::read::LoadError;
use engine_runtime::{SetAside, read};
use engine_store::{IndexRow, Store};
use serde_json::{Value, json};

use crate::error::CliError;
use crate::exit::Outcome;
use crate::render::event_json::{self, pairs};
use crate::render::report::Wording;
use crate::render::{failure, one_line, time};

/// A run that can't be read.
pub(crate) struct Unreadable {
    run: RunId,
    /// What the index says of it, where that can be read.
    row: Option<IndexRow>,
    why: SetAside,
}

impl Unreadable {
    /// What is known of a run that can't be read.
    pub(crate) async fn load(store: &dyn Store, run: RunId, error: LoadError) -> Result<Self, CliError> {
        let Some(why) = SetAside::unreadable(&error) else { return Err(error.into()) };
        let row = match store.row(run).await {
            Err(error) if !error.is_fatal() => None,
            row => row?,
        };
        // What was found when it was last taken up says more than what can't be read now.
        let noted = read::set_aside(store, run).await.ok().flatten();
        Ok(Self { run, row, why: noted.unwrap_or(why) })
    }

    /// As text.
    pub(crate) fn lines(&self, wording: Wording<'_>) -> Vec<String> {
        let mut lines = Vec::new();
        match &self.row {
            Some(row) => {
                let id = row.workflow_id.as_ref().map(|id| format!(" ({})", one_line(id))).unwrap_or_default();
                lines.push(format!("{}, run {}{id}", row.workflow, self.run));
                lines.push(format!("started   {} UTC", time::point(row.started_at)));
            }
            None => lines.push(format!("run {}", self.run)),
        }
        lines.push(String::new());
        lines.extend(text(self.run, &self.why, wording));
        lines
    }

    /// As JSON.
    pub(crate) fn to_json(&self, wording: Wording<'_>) -> Value {
        let mut document = document(self.run, &self.why, wording);
        if let (Some(row), Value::Object(fields)) = (&self.row, &mut document) {
            fields.insert("workflow".to_owned(), json!(row.workflow.as_str()));
            fields.insert("workflow_id".to_owned(), json!(row.workflow_id));
            fields.insert("definition".to_owned(), json!(row.definition.to_string()));
            fields.insert("labels".to_owned(), json!(pairs(&row.labels)));
            fields.insert("started_at".to_owned(), json!(time::rfc3339(row.started_at)));
        }
        document
    }
}

/// Why it is set aside, and what to do.
pub(crate) fn text(run: RunId, why: &SetAside, wording: Wording<'_>) -> Vec<String> {
    let (command, meaning) = what_to_do(run, why, wording);
    vec![
        "Stuck: it is set aside, and nothing of it is sent".to_owned(),
        format!("  {}", failure(&told(why))),
        format!("    {command}  # {meaning}"),
    ]
}

/// The same as JSON: the part that every document of a run has.
pub(crate) fn document(run: RunId, why: &SetAside, wording: Wording<'_>) -> Value {
    let (command, _) = what_to_do(run, why, wording);
    json!({
        "run": run.to_string(),
        "status": Status::Stuck.to_string(),
        "exit_code": Outcome::Stuck.code(),
        "stuck": [{
            "step": null,
            "side": null,
            "failure": event_json::failure(&told(why)),
            "effect": null,
            "commands": [command],
        }],
    })
}

/// The error of a verb that was to carry it out.
pub(crate) fn error(run: RunId, why: &SetAside, wording: Wording<'_>) -> CliError {
    let message = format!("run {run} can't be carried out\n{}", text(run, why, wording).join("\n"));
    CliError { outcome: Outcome::Stuck, message }
}

/// The reason as a failure.
pub(crate) fn told(why: &SetAside) -> Failure {
    Failure::new(why.code.clone(), why.message.clone())
}

/// The command that takes it up again, and when it will help.
pub(crate) fn what_to_do(run: RunId, why: &SetAside, wording: Wording<'_>) -> (String, &'static str) {
    let (program, tail) = (wording.program, wording.tail);
    let again = format!("{program} recover {run}{tail}");
    match why.code.as_str() {
        SetAside::POISON => (format!("{program} resolve {run} --retry{tail}"), "go on, once that has been seen to"),
        "DEFINITION_MISSING" => (again, "once a backup with its workflow, or that very file run anew, is in place"),
        "DEFINITION_UNREADABLE" => (again, "with a version of this program that can read its workflow"),
        "PANICKED" => (again, "try again; this is a defect of the program: please report it"),
        "HISTORY_MOVED" | "NOT_COMMITTED" => (again, "try again"),
        _ => (again, "once a backup of the data directory has been put in its place"),
    }
}

#[cfg(test)]
mod tests {
    use engine_core::id::{Digest, Seq};
    use engine_core::time::Timestamp;
    use engine_store::{Class, MemoryStore, RunWrite, Unit};

    use super::*;
    use crate::render::sample;

    /// A store with a run whose history does not begin with its start.
    async fn broken(run: RunId) -> MemoryStore {
        let store = MemoryStore::new();
        let mut event = sample::stuck().remove(1);
        event.seq = Seq(1);
        let row = IndexRow {
            run,
            workflow: "order_saga".into(),
            definition: Digest::of(b"definition"),
            workflow_id: Some("order-1".to_owned()),
            input: Digest::of(b"{}"),
            status: Status::Running,
            class: Class::InFlight,
            labels: Vec::new(),
            priority: 0,
            started_at: Timestamp::from_millis(1_800_000_000_000),
            ended_at: None,
            last: Seq(1),
            results: 0,
        };
        let fence = store.acquire(0, "test", Timestamp::default()).await.unwrap().unwrap();
        let write = RunWrite { run, expected: Seq(0), fence, events: vec![event], row };
        store.commit(vec![Unit { run: Some(write), ..Unit::default() }]).await.pop().unwrap().unwrap();
        store
    }

    #[tokio::test]
    async fn a_run_that_can_not_be_read_is_shown_with_the_reason_and_the_command() {
        let run = sample::run();
        let store = broken(run).await;
        let error = read::state(&store, run).await.unwrap_err();
        let unreadable = Unreadable::load(&store, run, error).await.unwrap();
        let wording = Wording { program: "engine", tail: "" };
        let lines = unreadable.lines(wording);
        assert_eq!(lines[0], format!("order_saga, run {run} (order-1)"));
        assert!(lines[4].starts_with("  HISTORY_UNREADABLE the history of run"), "{lines:#?}");
        assert!(lines[5].starts_with(&format!("    engine recover {run}  # once a backup")), "{lines:#?}");
        let json = unreadable.to_json(wording);
        assert_eq!((&json["status"], &json["exit_code"]), (&json!("Stuck"), &json!(7)));
        assert_eq!(json["stuck"][0]["failure"]["code"], "HISTORY_UNREADABLE");
        assert_eq!(json["workflow_id"], "order-1");
    }
}
