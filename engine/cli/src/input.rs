//! JSON on the command line: as it stands, from a file, from standard input.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use serde_json::Value;

use engine_core::bounds;

use crate::error::CliError;

/// Where a JSON value comes from.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Given {
    /// It stands on the command line.
    Text(String),
    /// `@file`
    File(String),
    /// `-`
    StandardInput,
}

impl Given {
    /// Reads `JSON`, `@file` or `-`.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        match text.strip_prefix('@') {
            Some("") => Err("name a file after `@`".to_owned()),
            Some(path) => Ok(Self::File(path.to_owned())),
            None if text == "-" => Ok(Self::StandardInput),
            None => Ok(Self::Text(text.to_owned())),
        }
    }

    /// What it is called in messages; `flag` is where it was given.
    fn origin(&self, flag: &str) -> String {
        match self {
            Self::Text(_) => flag.to_owned(),
            Self::File(path) => path.clone(),
            Self::StandardInput => "standard input".to_owned(),
        }
    }

    /// The JSON value, and what its place is called in messages.
    pub(crate) fn read(&self, flag: &str) -> Result<(Value, String), CliError> {
        let origin = self.origin(flag);
        let bytes = match self {
            Self::Text(text) => text.clone().into_bytes(),
            Self::File(path) => read_file(Path::new(path), bounds::MAX_PAYLOAD, "an input")?,
            Self::StandardInput => read_whole(io::stdin().lock(), bounds::MAX_PAYLOAD)
                .map_err(|error| CliError::bad_input(format!("standard input: {error}")))?
                .ok_or_else(|| too_large("standard input", "an input", bounds::MAX_PAYLOAD))?,
        };
        let value = serde_json::from_slice(&bytes).map_err(|error| not_json(&origin, self, &error))?;
        Ok((value, origin))
    }
}

fn not_json(origin: &str, given: &Given, error: &serde_json::Error) -> CliError {
    let (line, column) = (error.line(), error.column());
    let what = error.to_string();
    let what = what.strip_suffix(&format!(" at line {line} column {column}")).unwrap_or(&what);
    let hint = match given {
        Given::Text(text) if Path::new(text).exists() => format!(". To read the file, write @{text}"),
        Given::Text(_) => ". Texts need double quotes inside the JSON: '{\"order_id\": \"order-1\"}'".to_owned(),
        Given::File(_) | Given::StandardInput => String::new(),
    };
    CliError::bad_input(format!("{origin}:{line}:{column}: this is not JSON: {what}{hint}"))
}

/// Reads a file of at most `most` bytes.
pub(crate) fn read_file(path: &Path, most: usize, what: &str) -> Result<Vec<u8>, CliError> {
    let shown = path.display().to_string();
    let unreadable = |error: io::Error| {
        let hint = if error.kind() == io::ErrorKind::NotFound {
            "there is no such file".to_owned()
        } else {
            error.to_string()
        };
        CliError::bad_input(format!("{shown}: {hint}"))
    };
    let file = File::open(path).map_err(unreadable)?;
    if file.metadata().map_err(unreadable)?.is_dir() {
        return Err(CliError::bad_input(format!("{shown}: this is a directory; name a file")));
    }
    read_whole(file, most).map_err(unreadable)?.ok_or_else(|| too_large(&shown, what, most))
}

fn too_large(shown: &str, what: &str, most: usize) -> CliError {
    CliError::bad_input(format!("{shown}: too large: {what} may have {} MiB", most >> 20))
}

/// Everything there is to read; none where that is more than `most` bytes.
fn read_whole(source: impl Read, most: usize) -> io::Result<Option<Vec<u8>>> {
    let mut bytes = Vec::new();
    source.take(most as u64 + 1).read_to_end(&mut bytes)?;
    Ok((bytes.len() <= most).then_some(bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_is_given_in_three_ways() {
        assert_eq!(Given::parse("{}"), Ok(Given::Text("{}".to_owned())));
        assert_eq!(Given::parse("@order.json"), Ok(Given::File("order.json".to_owned())));
        assert_eq!(Given::parse("-"), Ok(Given::StandardInput));
        assert_eq!(Given::parse("-1"), Ok(Given::Text("-1".to_owned())));
        assert!(Given::parse("@").is_err());
    }

    #[test]
    fn values_are_read_exactly() {
        let (value, origin) =
            Given::Text(r#"{"b": 1.10, "a": 12345678901234567890123}"#.to_owned()).read("--input").unwrap();
        assert_eq!(value.to_string(), r#"{"b":1.10,"a":12345678901234567890123}"#);
        assert_eq!(origin, "--input");
    }

    #[test]
    fn what_is_no_json_is_refused_with_its_place() {
        let error = Given::Text("{\n  oops}".to_owned()).read("--input").unwrap_err();
        assert!(error.message.starts_with("--input:2:3: this is not JSON: key must be a string"), "{error}");
        let error = Given::File("/nonexistent.json".to_owned()).read("--input").unwrap_err();
        assert_eq!(error.message, "/nonexistent.json: there is no such file");
    }

    #[test]
    fn what_is_too_large_is_not_read_to_its_end() {
        assert_eq!(read_whole(io::repeat(b'x'), 1000).unwrap(), None);
        assert_eq!(read_whole(&b"abc"[..], 3).unwrap(), Some(b"abc".to_vec()));
    }
}
