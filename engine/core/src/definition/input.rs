//! The input of a run, checked against the workflow's JSON Schema.

use std::collections::BTreeSet;
use std::fmt;

use jsonschema::{PatternOptions, ValidationError, Validator};
use serde_json::Value;

use super::schema_bounds;
use crate::format::{self, Findings};

/// Places that are listed; more are only counted.
const LISTED: usize = 20;

/// The stack that the deepest schema and the deepest input need together.
const STACK: usize = 64 << 20;

/// An input that breaks the workflow's schema.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[non_exhaustive]
pub struct InputError {
    /// What is wrong, the first 20 places.
    pub problems: Vec<InputProblem>,
    /// How many more there are.
    pub more: usize,
}

/// A place of an input that breaks the schema.
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct InputProblem {
    /// The place, as a JSON pointer (RFC 6901); empty for the whole input.
    pub pointer: String,
    /// What is wrong. Never holds a value of the input.
    pub reason: String,
}

impl fmt::Display for InputProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let place = if self.pointer.is_empty() { "the input" } else { &self.pointer };
        write!(f, "{place}: {}", self.reason)
    }
}

impl fmt::Display for InputError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, problem) in self.problems.iter().enumerate() {
            let newline = if index == 0 { "" } else { "\n" };
            write!(f, "{newline}{problem}")?;
        }
        match self.more {
            0 => Ok(()),
            more => write!(f, "\nand {more} more"),
        }
    }
}

/// A compiled schema.
#[derive(Debug)]
pub(super) struct InputSchema(Validator);

impl InputSchema {
    pub(super) fn check(&self, input: &Value) -> Result<(), InputError> {
        let (problems, more) = on_a_large_stack(|| {
            let mut errors = self.0.iter_errors(input);
            let problems: Vec<_> = errors.by_ref().take(LISTED).map(|error| problem(&error)).collect();
            (problems, errors.count())
        });
        if problems.is_empty() { Ok(()) } else { Err(InputError { problems, more }) }
    }
}

/// Schema and input together say how deep the check goes. What of the stack is not used takes no memory.
fn on_a_large_stack<T>(work: impl FnOnce() -> T) -> T {
    stacker::maybe_grow(STACK / 2, STACK, work)
}

fn problem(error: &ValidationError<'_>) -> InputProblem {
    // The pointer says which value it is; the value itself may be large or private.
    InputProblem { pointer: error.instance_path().to_string(), reason: error.masked_with("this value").to_string() }
}

/// The keys of the input, where its schema lists them and says nothing of others: then another one is rather a slip.
pub(super) fn known_keys(input: &format::Input) -> Option<BTreeSet<String>> {
    /// Keywords that may bring further keys with them.
    const OPEN: [&str; 9] = [
        "$ref",
        "$dynamicRef",
        "allOf",
        "anyOf",
        "oneOf",
        "if",
        "dependentSchemas",
        "patternProperties",
        "unevaluatedProperties",
    ];
    let schema = input.schema.as_ref()?.as_object()?;
    let others = schema.get("additionalProperties");
    if OPEN.iter().any(|keyword| schema.contains_key(*keyword)) || others.is_some_and(|others| *others != false) {
        return None;
    }
    let listed = schema.get("properties").and_then(Value::as_object);
    if listed.is_none() && others.is_none() {
        return None;
    }
    Some(listed.into_iter().flat_map(|listed| listed.keys().cloned()).collect())
}

/// Compiles the schema and checks the example against it.
pub(super) fn compile(input: &format::Input, findings: &mut Findings) -> Option<InputSchema> {
    let written = input.schema.as_ref()?;
    if !schema_bounds::check(written, findings) {
        return None;
    }
    // Patterns are matched in linear time, so no input can hold the engine up.
    let options = jsonschema::options().with_pattern_options(PatternOptions::regex()).offline();
    let schema = match on_a_large_stack(|| options.build(written)) {
        Ok(validator) => InputSchema(validator),
        Err(error) => {
            let reason = error.masked_with("this value");
            findings.add(
                &format!("/input/schema{}", error.instance_path()),
                format!("this is not a JSON Schema that can be used: {reason}"),
            );
            return None;
        }
    };
    if let Some(Err(broken)) = input.example.as_ref().map(|example| schema.check(example)) {
        for problem in broken.problems {
            let pointer = format!("/input/example{}", problem.pointer);
            findings.add(&pointer, format!("the example breaks the schema: {}", problem.reason));
        }
    }
    Some(schema)
}
