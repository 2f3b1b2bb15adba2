//! What is wrong with a file, and where.

use std::fmt;

use super::document::Document;

/// Problems that are listed; more are only counted.
const LISTED: usize = 50;

/// One thing that is wrong with a workflow file.
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct Problem {
    /// Where it is, as a JSON pointer (RFC 6901).
    pub pointer: String,
    /// Its line, from 1.
    pub line: usize,
    /// Its column in characters, from 1.
    pub column: usize,
    /// What is wrong, and what to do.
    pub message: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: ", self.line, self.column)?;
        if !self.pointer.is_empty() {
            write!(f, "{}: ", printable(&self.pointer))?;
        }
        f.write_str(&self.message)
    }
}

/// All that is wrong with a workflow file, in the order of the file.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[non_exhaustive]
pub struct DefinitionErrors {
    /// The problems, the first 50.
    pub problems: Vec<Problem>,
    /// How many more there are.
    pub more: usize,
}

impl fmt::Display for DefinitionErrors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, problem) in self.problems.iter().enumerate() {
            let newline = if index == 0 { "" } else { "\n" };
            write!(f, "{newline}{problem}")?;
        }
        if self.more > 0 {
            write!(f, "\nand {} more", self.more)?;
        }
        Ok(())
    }
}

impl DefinitionErrors {
    /// For the day on which nothing is wrong with a file and still nothing could be made of it.
    pub(crate) fn unreadable() -> Self {
        Self::single((1, 1), "this file can't be used, and the engine can't say why; please report it")
    }

    pub(crate) fn not_text() -> Self {
        Self::single((1, 1), "this is not UTF-8 text")
    }

    /// The only problem, of a text of which nothing more can be said.
    pub(super) fn single((line, column): (usize, usize), message: impl Into<String>) -> Self {
        Self { problems: vec![Problem { pointer: String::new(), line, column, message: message.into() }], more: 0 }
    }
}

/// Where a problem is, seen from its pointer.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum At {
    /// At the value.
    Value,
    /// At the key of the value.
    Key,
    /// Inside the value, a string: at this byte of what it means.
    Inside(usize),
    /// At this byte of the file, whatever the pointer says.
    Offset(usize),
}

/// Problems while they are found.
#[derive(Debug, Default)]
pub(crate) struct Findings {
    found: Vec<(String, At, String)>,
    more: usize,
}

impl Findings {
    /// Notes a problem with the value at `pointer`.
    pub(crate) fn add(&mut self, pointer: &str, message: impl Into<String>) {
        self.add_at(pointer, At::Value, || message.into());
    }

    /// Notes a problem; its message is only made where it will be listed.
    pub(crate) fn add_at(&mut self, pointer: &str, at: At, message: impl FnOnce() -> String) {
        if self.is_full() {
            self.more += 1;
        } else {
            self.found.push((pointer.to_owned(), at, message()));
        }
    }

    /// Whether a further problem would only be counted.
    pub(crate) fn is_full(&self) -> bool {
        self.found.len() >= LISTED
    }

    pub(super) fn append(&mut self, others: Self) {
        self.more += others.more;
        for (pointer, at, message) in others.found {
            self.add_at(&pointer, at, || message);
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.found.len() + self.more
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.found.is_empty()
    }

    /// `Ok` where nothing was found.
    pub(crate) fn into_result(self, document: &Document<'_>) -> Result<(), DefinitionErrors> {
        if self.is_empty() {
            return Ok(());
        }
        let mut placed: Vec<(usize, Problem)> = self
            .found
            .into_iter()
            .map(|(pointer, at, message)| {
                let offset = document.locate(&pointer, at);
                let (line, column) = document.line_and_column(offset);
                (offset, Problem { pointer, line, column, message: printable(&message) })
            })
            .collect();
        placed.sort_by_key(|(offset, _)| *offset);
        placed.dedup();
        Err(DefinitionErrors { problems: placed.into_iter().map(|(_, problem)| problem).collect(), more: self.more })
    }
}

/// A text of the file in a message, between backticks.
pub(crate) fn quoted(text: &str) -> String {
    format!("`{}`", shown(text))
}

/// A text of the file in a message: cut where it is long.
pub(super) fn shown(text: &str) -> String {
    const SHOWN: usize = 80;
    match text.char_indices().nth(SHOWN) {
        Some((cut, _)) => format!("{}…", text.get(..cut).unwrap_or_default()),
        None => text.to_owned(),
    }
}

/// The text on one line, and with nothing in it that a terminal would act on.
fn printable(text: &str) -> String {
    let mut printable = String::with_capacity(text.len());
    for c in text.chars() {
        if c.is_control() {
            printable.extend(c.escape_unicode());
        } else {
            printable.push(c);
        }
    }
    printable
}
