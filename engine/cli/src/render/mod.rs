//! Runs as text and as JSON.

pub(crate) mod event;
pub(crate) mod event_json;
pub(crate) mod graph;
pub(crate) mod report;
#[cfg(test)]
pub(crate) mod sample;
pub(crate) mod table;
pub(crate) mod time;

use engine_core::failure::Failure;

/// A failure as it stands in a line: `HTTP_503 answered 503`.
pub(crate) fn failure(failure: &Failure) -> String {
    let message: String = failure.message.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    format!("{} {message}", failure.code).trim_end().to_owned()
}

/// A text from outside, on one line.
pub(crate) fn one_line(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect()
}

/// `1 step`, `2 steps`.
pub(crate) fn count(number: usize, thing: &str) -> String {
    if number == 1 { format!("1 {thing}") } else { format!("{number} {thing}s") }
}
