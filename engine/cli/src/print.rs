//! The only place that writes to standard output and standard error.

use std::io::{self, Write};

use serde::Serialize;

use crate::arguments::Format;
use serde_json::Value;

/// Writes a text and a line end to standard output. A reader that has gone away is no error: the work goes on.
pub(crate) fn line(text: &str) {
    // There is nowhere to say that nothing can be said.
    let _ = write_line(&mut io::stdout().lock(), text);
}

/// Writes lines to standard output.
pub(crate) fn lines(lines: &[String]) {
    for text in lines {
        line(text);
    }
}

/// Writes a text as it is to standard output.
pub(crate) fn text(text: &str) {
    let mut out = io::stdout().lock();
    let _ = out.write_all(text.as_bytes()).and_then(|()| out.flush());
}

/// Writes a text and a line end to standard error.
pub(crate) fn note(text: &str) {
    let _ = write_line(&mut io::stderr().lock(), text);
}

/// Says something beside the answer: out of the way of a JSON document.
pub(crate) fn beside(format: Format, text: &str) {
    match format {
        Format::Text => line(text),
        Format::Json => note(text),
    }
}

/// Writes an error to standard error.
pub(crate) fn error(message: &str) {
    note(&format!("error: {message}"));
}

/// Writes a JSON document to standard output.
pub(crate) fn json(document: &impl Serialize) {
    match serde_json::to_string_pretty(document) {
        Ok(text) => line(&text),
        Err(broken) => error(&format!("the answer can't be written as JSON: {broken}")),
    }
}

/// Writes a JSON document on one line to standard output.
pub(crate) fn json_line(document: &Value) {
    line(&document.to_string());
}

fn write_line(out: &mut impl Write, text: &str) -> io::Result<()> {
    out.write_all(text.as_bytes())?;
    out.write_all(b"\n")?;
    out.flush()
}
