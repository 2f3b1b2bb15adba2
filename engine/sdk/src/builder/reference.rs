//! Expressions that the builder writes.

use std::fmt::Write as _;

use serde_json::Value;

/// The path to a key below a path.
pub(super) fn key(path: &str, key: &str) -> String {
    let is_word = key.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
        && key.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
    if is_word { format!("{path}.{key}") } else { format!("{path}[{}]", Value::from(key)) }
}

/// The path to a place in a list below a path.
pub(super) fn place(path: &str, index: usize) -> String {
    let mut path = path.to_owned();
    // Writing to a text does not fail.
    let _ = write!(path, "[{index}]");
    path
}

/// The path to the output of a step.
pub(super) fn step(name: &str) -> String {
    key(".steps", name)
}

/// The expression in a string of JSON.
pub(super) fn expression(source: &str) -> String {
    format!("${{ {source} }}")
}

/// How the step ended that a compensation undoes, as [`Outcome`](crate::Outcome) is written.
pub(super) fn outcome(step_name: &str) -> Value {
    let done = step(step_name);
    let source = format!("if .forward.effect == \"done\" then {{done: {done}}} else \"unknown\" end");
    Value::String(expression(&source))
}

/// A text in which nothing is an expression.
pub(super) fn escaped(text: &str) -> String {
    text.replace("${", "$${")
}

/// JSON in which nothing is an expression.
pub(super) fn literal(json: Value) -> Value {
    match json {
        Value::String(text) => Value::String(escaped(&text)),
        Value::Array(items) => Value::Array(items.into_iter().map(literal).collect()),
        Value::Object(entries) => entries.into_iter().map(|(key, value)| (key, literal(value))).collect(),
        plain @ (Value::Null | Value::Bool(_) | Value::Number(_)) => plain,
    }
}

#[cfg(test)]
mod tests {
    use engine_core::expression::{Expression, Template, Value as Data};
    use serde_json::json;

    use super::*;

    fn render(json: &Value, document: &Value) -> Value {
        let template = Template::compile(json, &["input", "steps", "forward"]).unwrap();
        let rendered = template.render(&Data::from_json(document).unwrap()).unwrap();
        serde_json::from_slice(&rendered.to_vec()).unwrap()
    }

    #[test]
    fn any_key_can_be_reached() {
        let keys = [
            "a",
            "_1",
            "1",
            "",
            "weird name",
            "a-b",
            "a.b",
            "\"",
            "\\(1)",
            "}",
            "${",
            "ü",
            "\n",
            "#",
            "if",
            "then",
            "elif",
            "else",
            "end",
            "and",
            "or",
            "not",
            "as",
            "def",
            "reduce",
            "foreach",
            "try",
            "catch",
            "label",
            "import",
            "include",
            "null",
            "true",
            "__loc__",
        ];
        for name in keys {
            let path = key(".input", name);
            let json = Value::String(expression(&path));
            assert_eq!(render(&json, &json!({ "input": { name: 7 } })), json!(7), "{path}");
            let deeper = Value::String(expression(&place(&key(&path, "b"), 1)));
            assert_eq!(render(&deeper, &json!({ "input": { name: { "b": [1, 8] } } })), json!(8), "{path}");
        }
        assert!(Expression::compile(&step("end"), &["steps"]).is_ok());
    }

    #[test]
    fn a_constant_stays_what_it_is() {
        let constant = json!({ "a": ["${ .input }", "$${x}", "$$${", "$", "{}", 1.50, null], "${": true });
        assert_eq!(render(&literal(constant.clone()), &json!({})), constant);
    }

    #[test]
    fn a_compensation_is_told_what_was_done() {
        let json = outcome("charge");
        let told = |effect: &str, output: Value| {
            render(&json, &json!({ "forward": { "effect": effect }, "steps": { "charge": output } }))
        };
        assert_eq!(told("done", json!({ "id": 1 })), json!({ "done": { "id": 1 } }));
        assert_eq!(told("done", json!(null)), json!({ "done": null }));
        assert_eq!(told("unknown", json!(null)), json!("unknown"));
    }
}
