//! `check`: are these files fine?

use std::path::{Path, PathBuf};

use engine_core::definition::Problem;
use serde_json::{Value, json};

use crate::arguments::Format;
use crate::exit::Outcome;
use crate::print;
use crate::render::count;
use crate::source::{self, Source, Unusable};
use crate::verbs::Context;

pub(super) fn check(context: &Context, files: &[PathBuf]) -> Outcome {
    let mut documents = Vec::new();
    let mut outcome = Outcome::Completed;
    for file in files {
        let examined = source::examine(file);
        if examined.is_err() {
            outcome = Outcome::BadInput;
        }
        match context.format {
            Format::Text => print::lines(&lines(file, &examined)),
            Format::Json => documents.push(document(file, &examined)),
        }
    }
    if context.format == Format::Json {
        print::json(&json!({ "files": documents, "exit_code": outcome.code() }));
    }
    outcome
}

fn lines(file: &Path, examined: &Result<Source, Unusable>) -> Vec<String> {
    let shown = file.display();
    match examined {
        Ok(Source::Workflow(definition)) => {
            let steps = count(definition.all_steps().len(), "step");
            let verdict = format!("{shown}: fine: workflow {} {}, {steps}", definition.name(), definition.version());
            let notes = definition.notes().iter().map(|note| source::line(file, "note: ", note));
            std::iter::once(verdict).chain(notes).collect()
        }
        Ok(Source::Run(file)) => vec![format!("{shown}: fine: runs the stored workflow {}", file.run)],
        Err(Unusable::Unreadable(error)) => vec![error.message.clone()],
        Err(Unusable::Wrong(errors)) => source::lines(file, errors),
    }
}

fn document(file: &Path, examined: &Result<Source, Unusable>) -> Value {
    let file = file.display().to_string();
    match examined {
        Ok(Source::Workflow(definition)) => json!({
            "file": file,
            "fine": true,
            "workflow": definition.name().as_str(),
            "version": definition.version(),
            "definition": definition.digest().to_string(),
            "steps": definition.all_steps().len(),
            "notes": definition.notes().iter().map(problem).collect::<Vec<_>>(),
        }),
        Ok(Source::Run(run)) => json!({ "file": file, "fine": true, "runs": run.run }),
        Err(Unusable::Unreadable(error)) => {
            json!({ "file": file, "fine": false, "problems": [{ "message": error.message }], "more": 0 })
        }
        Err(Unusable::Wrong(errors)) => {
            let problems: Vec<Value> = errors.problems.iter().map(problem).collect();
            json!({ "file": file, "fine": false, "problems": problems, "more": errors.more })
        }
    }
}

fn problem(problem: &Problem) -> Value {
    json!({
        "line": problem.line,
        "column": problem.column,
        "pointer": problem.pointer,
        "message": problem.message,
    })
}
