//! Texts with values in them.

use serde_json::Value;

use super::reference;
use super::slot::{Slot, Source};
use super::state::{Reader, State};

/// A text that may hold expressions: a path, a header, a message. Made by [`text_of!`](crate::text_of!), and from a
/// plain text, which stands as it would in a workflow file: `${ … }` in it is an expression.
#[derive(Debug)]
pub struct Text(pub(super) Slot);

impl From<&str> for Text {
    fn from(text: &str) -> Self {
        text.to_owned().into()
    }
}

impl From<String> for Text {
    fn from(text: String) -> Self {
        Self(Slot(Source::Template(Value::String(text))))
    }
}

#[doc(hidden)]
pub fn __text(pattern: &str, values: Vec<Slot>) -> Text {
    let pieces: Vec<String> = pattern.split("{}").map(str::to_owned).collect();
    let places = pieces.len() - 1;
    Text(Slot(if places == values.len() {
        Source::Text(pieces, values)
    } else {
        let message = format!("the text {pattern:?} has {places} places `{{}}` for {} values", values.len());
        Source::Wrong(message)
    }))
}

/// A part of a text.
enum Part {
    Literal(String),
    Expression(String),
}

impl State {
    /// The text, with expressions in it.
    pub(super) fn text(&mut self, pieces: Vec<String>, values: Vec<Slot>, reader: Reader) -> String {
        let mut values = values.into_iter();
        let mut parts = Vec::new();
        for piece in pieces {
            parts.push(Part::Literal(piece));
            parts.extend(values.next().map(|value| self.part(value, reader)));
        }
        written(parts)
    }

    fn part(&mut self, value: Slot, reader: Reader) -> Part {
        let (json, is_constant) = match value.0 {
            Source::Constant(json) => (json, true),
            source => (self.resolve(Slot(source), reader), false),
        };
        match json {
            Value::String(text) if is_constant => Part::Literal(text),
            Value::String(text) => Part::Expression(text),
            scalar @ (Value::Bool(_) | Value::Number(_)) => Part::Literal(scalar.to_string()),
            // What could not be resolved has been noted.
            Value::Null if !is_constant => Part::Literal(String::new()),
            Value::Null | Value::Array(_) | Value::Object(_) => {
                self.problem(reader.at, "only a text, a number or a truth value can stand in a text");
                Part::Literal(String::new())
            }
        }
    }
}

fn written(parts: Vec<Part>) -> String {
    let (mut written, mut literal) = (String::new(), String::new());
    for part in parts {
        match part {
            Part::Literal(text) => literal.push_str(&text),
            Part::Expression(text) => {
                written.push_str(&before_expression(&std::mem::take(&mut literal)));
                written.push_str(&text);
            }
        }
    }
    written.push_str(&reference::escaped(&literal));
    written
}

/// A literal text that an expression follows: a `$` at its end would take the expression for a text.
fn before_expression(literal: &str) -> String {
    match literal.strip_suffix('$') {
        Some(before) => format!("{}{}", before_expression(before), reference::expression("\"$\"")),
        None => reference::escaped(literal),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_literal_stays_literal() {
        let literal = |text: &str| Part::Literal(text.to_owned());
        let value = || Part::Expression("${ .input.x }".to_owned());
        for (parts, expected) in [
            (vec![literal("a"), value(), literal("b")], "a${ .input.x }b"),
            (vec![literal("$"), literal("{y}"), value()], "$${y}${ .input.x }"),
            (vec![literal("1$$"), value()], "1${ \"$\" }${ \"$\" }${ .input.x }"),
            (vec![value(), literal("$")], "${ .input.x }$"),
        ] {
            assert_eq!(written(parts), expected);
        }
    }
}
