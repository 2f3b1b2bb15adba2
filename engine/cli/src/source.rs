//! Workflow files and run files.

use std::path::Path;
use std::sync::Arc;

use engine::Program;
use engine_core::bounds;
use engine_core::definition::{Definition, DefinitionErrors, Problem};
use engine_core::format::{self, File, RunFile};

use crate::error::CliError;
use crate::input;
use crate::overrides::nearest;

/// How names that are nearly right are put right.
const MEANT: &str = "did you mean";

/// What a file holds.
#[derive(Debug)]
pub(crate) enum Source {
    /// A workflow.
    Workflow(Arc<Definition>),
    /// The order to run a stored workflow.
    Run(RunFile),
}

/// A file that can't be used.
#[derive(Debug)]
pub(crate) enum Unusable {
    /// It can't be read at all.
    Unreadable(CliError),
    /// It is wrong in these places.
    Wrong(DefinitionErrors),
}

/// Reads and checks a file, or finds the workflow of the program that has this name.
pub(crate) fn load(program: &Program, path: &Path) -> Result<Source, CliError> {
    if let Some(definition) = named(program, path) {
        return Ok(Source::Workflow(definition));
    }
    examine(path).map_err(|unusable| {
        let error = unusable.into_error(path);
        match path.to_str().filter(|name| !path.exists() && !name.contains(['/', '.'])) {
            Some(name) => or_listed(program, or_meant(program, name, error)),
            None => error,
        }
    })
}

/// An error that nothing has this name, with the workflow of the program that may be meant.
pub(crate) fn or_meant(program: &Program, name: &str, mut error: CliError) -> CliError {
    let own = program.workflows();
    let near = nearest(name, own.iter().map(|definition| definition.name().as_str()));
    if let Some(near) = near.filter(|_| !error.message.contains(MEANT)) {
        error.message = format!("{}\nOf the workflows of this program: {MEANT} `{near}`?", error.message);
    }
    error
}

/// The same with all of them where none is like it.
fn or_listed(program: &Program, mut error: CliError) -> CliError {
    let own = program.workflows();
    let own: Vec<&str> = own.iter().map(|definition| definition.name().as_str()).collect();
    if !own.is_empty() && !error.message.contains(MEANT) {
        error.message = format!("{}\nThe workflows of this program are {}", error.message, own.join(", "));
    }
    error
}

/// The workflow of the program that has this name; a file of the same name goes first.
pub(crate) fn named(program: &Program, path: &Path) -> Option<Arc<Definition>> {
    path.to_str().filter(|_| !path.exists()).and_then(|name| program.workflow(name))
}

/// Reads and checks a file; gives all that is wrong with it.
pub(crate) fn examine(path: &Path) -> Result<Source, Unusable> {
    let bytes = input::read_file(path, bounds::FILE_LEN, "a workflow file").map_err(Unusable::Unreadable)?;
    let text = String::from_utf8(bytes).map_err(|error| {
        let before = error.as_bytes().get(..error.utf8_error().valid_up_to()).unwrap_or_default();
        let line = before.split(|byte| *byte == b'\n').count();
        Unusable::Unreadable(CliError::bad_input(format!("{}:{line}: this is not UTF-8 text", path.display())))
    })?;
    match format::parse(&text).map_err(Unusable::Wrong)? {
        File::Workflow(_) => {
            let definition = Definition::from_json(&text).map_err(Unusable::Wrong)?;
            Ok(Source::Workflow(Arc::new(definition)))
        }
        File::Run(file) => Ok(Source::Run(file)),
    }
}

impl Unusable {
    fn into_error(self, path: &Path) -> CliError {
        match self {
            Self::Unreadable(error) => error,
            Self::Wrong(errors) => CliError::bad_input(lines(path, &errors).join("\n")),
        }
    }
}

/// A line for each thing that is wrong, as editors and terminals understand it.
pub(crate) fn lines(path: &Path, errors: &DefinitionErrors) -> Vec<String> {
    let shown = path.display();
    let mut lines: Vec<String> = errors.problems.iter().map(|problem| line(path, "", problem)).collect();
    if errors.more > 0 {
        lines.push(format!("{shown}: and {} more", errors.more));
    }
    lines
}

/// A line for a place of a file, with what kind of remark it is.
pub(crate) fn line(path: &Path, kind: &str, problem: &Problem) -> String {
    let place = format!("{}:{}:{}", path.display(), problem.line, problem.column);
    let pointer = if problem.pointer.is_empty() { String::new() } else { format!(" ({})", problem.pointer) };
    format!("{place}: {kind}{}{pointer}", problem.message)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn problems_name_file_line_and_pointer() {
        let text = "{\n  \"format\": \"engine/1\", \"name\": \"x\", \"version\": \"1\",\n  \"stepz\": {}\n}";
        let errors = Definition::from_json(text).unwrap_err();
        let lines = lines(Path::new("x.json"), &errors);
        assert!(lines.iter().any(|line| line.starts_with("x.json:3:3: ") && line.contains("steps")), "{lines:?}");
        assert!(lines.iter().any(|line| line.ends_with("(/stepz)")), "{lines:?}");
    }

    #[test]
    fn a_missing_file_is_bad_input() {
        let error = load(&Program::default(), Path::new("/nonexistent/x.json")).unwrap_err();
        assert_eq!(error.message, "/nonexistent/x.json: there is no such file");
    }
}
