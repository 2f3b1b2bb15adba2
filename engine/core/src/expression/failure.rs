//! What stops an evaluation from inside, and the errors that leave this module.

use super::value::Value;
use std::fmt;

/// What an evaluation step gives: a value, or the reason to stop.
pub(super) type Flow<T = ()> = Result<T, Stop>;

/// Why an evaluation stops. Only [`Stop::Raised`] can be caught by an expression.
#[derive(Debug)]
pub(super) enum Stop {
    /// An error that `try`, `?` and `//` catch.
    Raised(Box<Raised>),
    /// The budget is spent.
    Budget,
    /// A function that needs no more results, named by its number, ends its argument.
    Break(u64),
    /// Whoever takes the results has stopped; the reason is kept where `try` or `//` was passed.
    Downstream,
    /// A second result where only one is wanted.
    Several,
}

/// An error of an expression.
#[derive(Debug)]
pub(super) struct Raised {
    /// What `catch` sees.
    pub(super) value: Value,
    /// What people see: names types, never values.
    pub(super) message: String,
    /// Where in the source, once known.
    pub(super) offset: Option<usize>,
}

impl Stop {
    /// An error whose text is also what `catch` sees.
    pub(super) fn raised(message: impl Into<String>) -> Self {
        let message = message.into();
        Self::Raised(Box::new(Raised { value: Value::string(&message), message, offset: None }))
    }

    /// Says where an error arose, unless that is known already: the innermost place counts.
    pub(super) fn at(mut self, offset: Option<usize>) -> Self {
        if let Self::Raised(raised) = &mut self {
            raised.offset = raised.offset.or(offset);
        }
        self
    }
}

/// An error raised by a function.
pub(super) fn raise<T>(message: impl Into<String>) -> Flow<T> {
    Err(Stop::raised(message))
}

/// An expression that cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{line}:{column}: {message}")]
pub struct ExpressionError {
    /// Where, in bytes from the start of the source.
    pub offset: usize,
    /// The line, from 1.
    pub line: usize,
    /// The column in characters, from 1.
    pub column: usize,
    /// What is wrong.
    pub message: String,
}

impl ExpressionError {
    pub(super) fn new(source: &str, offset: usize, message: impl Into<String>) -> Self {
        let (line, column) = line_and_column(source, offset);
        Self { offset, line, column, message: message.into() }
    }
}

/// Why an evaluation gave no value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EvaluationErrorKind {
    /// The expression failed: a wrong type, `error`, a number out of range.
    Error,
    /// The budget of operations and size was spent.
    Budget,
    /// The expression gave no result (`empty`, or `select` that chose nothing).
    NoResult,
    /// The expression gave more than one result.
    SeveralResults,
    /// The result cannot stand in a text: null, an array, an object, or a path segment that would
    /// change the path.
    NotText,
}

/// An evaluation that gave no value. Its texts name types, never values.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EvaluationError {
    /// Why.
    pub kind: EvaluationErrorKind,
    /// What happened.
    pub message: String,
    /// The source of the expression.
    pub expression: String,
    /// The line in the expression, from 1.
    pub line: usize,
    /// The column in the expression, in characters, from 1.
    pub column: usize,
    /// In a template: where the string with the expression stands, as a JSON pointer.
    pub pointer: String,
}

/// As much of an expression as is shown in a text.
const SHOWN_CHARACTERS: usize = 120;

impl EvaluationError {
    pub(super) fn new(kind: EvaluationErrorKind, source: &str, offset: usize, message: impl Into<String>) -> Self {
        let (line, column) = line_and_column(source, offset);
        Self { kind, message: message.into(), expression: source.to_owned(), line, column, pointer: String::new() }
    }

    pub(super) fn in_template(mut self, pointer: &str) -> Self {
        pointer.clone_into(&mut self.pointer);
        self
    }
}

impl fmt::Display for EvaluationError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let source = self.expression.trim();
        write!(f, "expression `")?;
        for character in source.chars().take(SHOWN_CHARACTERS) {
            write!(f, "{character}")?;
        }
        let rest = if source.chars().nth(SHOWN_CHARACTERS).is_some() { "…" } else { "" };
        write!(f, "{rest}` failed at {}:{}: {}", self.line, self.column, self.message)
    }
}

impl std::error::Error for EvaluationError {}

/// A template that cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{}{line}:{column}: {message}", prefix(pointer))]
pub struct TemplateError {
    /// The string in which it stands, as a JSON pointer inside the value.
    pub pointer: String,
    /// Where in that string, in bytes.
    pub offset: usize,
    /// The line in that string, from 1.
    pub line: usize,
    /// The column in that string in characters, from 1.
    pub column: usize,
    /// What is wrong.
    pub message: String,
}

fn prefix(pointer: &str) -> String {
    if pointer.is_empty() { String::new() } else { format!("{pointer}: ") }
}

/// The line and the column (in characters) of an offset in bytes, both from 1.
pub(super) fn line_and_column(text: &str, offset: usize) -> (usize, usize) {
    let before = text.char_indices().take_while(|(start, _)| *start < offset).map(|(_, character)| character);
    before.fold((1, 1), |(line, column), character| match character {
        '\n' => (line + 1, 1),
        _ => (line, column + 1),
    })
}
