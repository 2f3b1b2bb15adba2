//! Workflow files that are wrong, and what is said of them: what, where, and what to do.

mod file;
mod steps;

use engine_core::definition::{Definition, DefinitionErrors};

/// A file in which nothing is wrong.
const GOOD: &str = r#"{
  "format": "engine/1", "name": "base", "version": "1",
  "services": { "pay": { "url": "http://127.0.0.1:1" } },
  "steps": {
    "a": { "http": { "service": "pay", "get": "/a" } },
    "b": { "after": ["a"], "http": { "service": "pay", "post": "/b", "body": { "x": "${ .input.x }" } } },
    "c": { "after": ["b"], "value": "${ .steps.b.y }" }
  },
  "on_failure": { "tell": { "http": { "service": "pay", "post": "/tell" } } }
}"#;

fn problems(text: &str) -> DefinitionErrors {
    match Definition::from_json(text) {
        Ok(_) => panic!("nothing was found wrong with {text}"),
        Err(errors) => errors,
    }
}

/// Puts `new` for `old` into the good file.
fn changed(old: &str, new: &str) -> String {
    assert_eq!(GOOD.matches(old).count(), 1, "{old}");
    GOOD.replace(old, new)
}

/// Checks a table: what is put in for what, and a line of what is said for each problem.
fn check(table: &[(&str, &str, &[&str])]) {
    let mut wrong = Vec::new();
    for (old, new, expected) in table {
        let said = problems(&changed(old, new)).to_string();
        let fits = said.lines().count() == expected.len()
            && said.lines().zip(*expected).all(|(line, expected)| line.contains(expected));
        if !fits {
            wrong.push(format!("{new}\n  said:     {said}\n  expected: {}\n", expected.join("\n            ")));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

const A: &str = r#""a": { "http": { "service": "pay", "get": "/a" } }"#;
const B_BODY: &str = r#""x": "${ .input.x }""#;
const C: &str = r#""c": { "after": ["b"], "value": "${ .steps.b.y }" }"#;
const SERVICE: &str = r#""pay": { "url": "http://127.0.0.1:1" }"#;
const VERSION: &str = r#""version": "1","#;
