//! Workflow files that are too large, too deep, or nonsense: each ends in an answer, soon, and never in a panic.

#![allow(clippy::unwrap_used, reason = "a test may end by panic")]

use std::fmt::Write as _;
use std::time::{Duration, Instant};

use engine_core::definition::Definition;
use proptest::prelude::*;

const SAGA: &str = include_str!("../../../workflows/order_saga.json");

fn said(text: &str) -> String {
    match Definition::from_json(text) {
        Ok(definition) => format!("fine, {} steps", definition.all_steps().len()),
        Err(errors) => errors.to_string(),
    }
}

/// A file with these steps.
fn file(steps: impl IntoIterator<Item = (String, String)>) -> String {
    let mut text = String::from("{\"format\":\"engine/1\",\"name\":\"big\",\"version\":\"1\",\"steps\":{");
    for (index, (name, step)) in steps.into_iter().enumerate() {
        let comma = if index == 0 { "" } else { "," };
        write!(text, "{comma}\n\"{name}\":{step}").unwrap();
    }
    text.push_str("}}");
    text
}

fn value(json: &str) -> String {
    file([("a".to_owned(), format!("{{\"value\":{json}}}"))])
}

/// Debug builds on a busy machine are slow; what is quadratic is slower still.
fn soon<T>(what: &str, work: impl FnOnce() -> T) -> T {
    let start = Instant::now();
    let result = work();
    let took = start.elapsed();
    assert!(took < Duration::from_secs(20), "{what} took {took:?}");
    result
}

#[test]
fn ten_megabytes_are_refused_by_their_length() {
    assert_eq!(said(&" ".repeat(10 << 20)), "1:1: a workflow file may have 4 MiB; this one has 10 MiB");
    assert_eq!(said(&" ".repeat((4 << 20) + 1)), "1:1: a workflow file may have 4 MiB; this one has 4.1 MiB");
}

#[test]
fn ten_thousand_steps_are_refused_by_their_number() {
    let text = file((0..10_000).map(|index| (format!("s{index}"), "{\"value\":1}".to_owned())));
    let said = soon("10,000 steps", || said(&text));
    assert_eq!(said, "1:49: /steps: a workflow may have 2000 steps; this one has 10000");
}

#[test]
fn many_dependencies_are_refused_by_their_number() {
    let all: Vec<_> = (0..400).map(|index| format!("\"s{index}\"")).collect();
    let text =
        file((0..400).map(|index| (format!("s{index}"), format!("{{\"value\":1,\"after\":[{}]}}", all.join(",")))));
    let said = soon("160,000 dependencies", || said(&text));
    assert_eq!(said, "1:49: /steps: the steps of a workflow may come after each other 100000 times; here it is 160000");
}

#[test]
fn two_thousand_steps_load_fast() {
    let chain = file((0..2_000).map(|index| {
        let read = if index == 0 { "1".to_owned() } else { format!("\"${{ .steps.s{} }}\"", index - 1) };
        (format!("s{index}"), format!("{{\"value\":{read}}}"))
    }));
    let chain = soon("a chain of 2,000 steps", || Definition::from_json(&chain)).unwrap();
    let (first, last) = (chain.find("s0").unwrap(), chain.find("s1999").unwrap());
    assert!(chain.is_ancestor(first, last) && !chain.is_ancestor(last, first));

    let layers = file((0..2_000_i32).map(|index| {
        let before: Vec<_> =
            (index - 40..index - 20).filter(|step| *step >= 0).map(|step| format!("\"s{step}\"")).collect();
        (format!("s{index}"), format!("{{\"value\":{index},\"after\":[{}]}}", before.join(",")))
    }));
    let layers = soon("2,000 steps with 40,000 dependencies", || Definition::from_json(&layers)).unwrap();
    assert_eq!(layers.topological().len(), 2_000);
}

#[test]
fn a_ring_of_two_thousand_steps_is_told_in_short() {
    let ring =
        file((0..2_000).map(|index| {
            (format!("s{index}"), format!("{{\"value\":1,\"after\":[\"s{}\"]}}", (index + 1_999) % 2_000))
        }));
    let said = soon("a ring of 2,000 steps", || said(&ring));
    assert!(said.starts_with("2:1: /steps/s0: these steps wait for each other: s0 → s1 → "), "{said}");
    assert!(said.contains(" → s9 → (1981 more) → s1991 → "), "{said}");
}

#[test]
fn a_long_list_of_problems_is_cut() {
    let text = file((0..2_000).map(|index| (format!("s{index}"), "{\"value\":1,\"after\":[\"charge\"]}".to_owned())));
    let said = soon("2,000 problems", || said(&text));
    assert_eq!(said.lines().count(), 51);
    assert!(said.ends_with("and 1950 more"), "{said}");
}

#[test]
fn a_long_expression_is_refused() {
    let long = value(&format!("\"${{ .input{} }}\"", ".x".repeat(1 << 19)));
    let refusal = soon("an expression of 1 MB", || said(&long));
    assert!(refusal.starts_with("2:"), "{refusal}");
    assert!(refusal.contains("/steps/a/value: "), "{refusal}");
    let many = value(&format!("\"{}\"", "${ 1 }".repeat(10_000)));
    soon("10,000 expressions in one text", || said(&many));
}

#[test]
fn deep_nesting_is_refused() {
    for depth in [101, 1_000, 100_000] {
        let lists = value(&format!("{}1{}", "[".repeat(depth), "]".repeat(depth)));
        let said_of_lists = soon("deep lists", || said(&lists));
        assert!(said_of_lists.contains("more than 100 deep"), "{said_of_lists}");
        let objects = value(&format!("{}1{}", "{\"a\":".repeat(depth), "}".repeat(depth)));
        let said_of_objects = soon("deep objects", || said(&objects));
        assert!(said_of_objects.contains("more than 100 deep"), "{said_of_objects}");
    }
    let fine = value(&format!("{}1{}", "[".repeat(90), "]".repeat(90)));
    assert_eq!(said(&fine), "fine, 1 steps");
}

#[test]
fn a_wide_and_deep_file_is_read_soon() {
    let item = format!("{}1{}", "[".repeat(80), "]".repeat(80));
    let text = value(&format!("[{}]", vec![item; 4_000].join(",")));
    assert_eq!(soon("640 kB, 80 deep", || said(&text)), "fine, 1 steps");
}

#[test]
fn schemas_that_refer_to_themselves_end() {
    for schema in ["{\"$ref\":\"#\"}", "{\"allOf\":[{\"$ref\":\"#\"}]}", "{\"properties\":{\"a\":{\"$ref\":\"#\"}}}"] {
        let text = SAGA.replacen("\"schema\": {", &format!("\"schema\": {schema}, \"$comment\": {{"), 1);
        let saga = Definition::from_json(&text).unwrap();
        saga.check_input(&serde_json::json!({ "a": { "a": {} } })).unwrap();
    }
}

/// A workflow whose input has this schema.
fn with_schema(schema: &serde_json::Value) -> String {
    format!(
        r#"{{"format":"engine/1","name":"n","version":"1","input":{{"schema":{schema}}},"steps":{{"a":{{"value":1}}}}}}"#
    )
}

/// A schema of definitions, each of which is made of the next one.
fn linked(count: usize, link: impl Fn(&str) -> serde_json::Value) -> serde_json::Value {
    let next = |index: usize| (format!("d{index}"), link(&format!("#/$defs/d{}", index + 1)));
    let mut definitions: serde_json::Map<_, _> = (0..count).map(next).collect();
    definitions.insert(format!("d{count}"), serde_json::json!({ "type": "string" }));
    serde_json::json!({ "$ref": "#/$defs/d0", "$defs": definitions })
}

#[test]
fn entangled_schemas_are_refused() {
    let doubled = |next: &str| serde_json::json!({ "allOf": [{ "$ref": next }, { "$ref": next }] });
    let refusal = said(&with_schema(&linked(40, doubled)));
    assert!(refusal.contains("/input/schema: its references multiply"), "{refusal}");
    assert_eq!(said(&with_schema(&linked(10, doubled))), "fine, 1 steps");
    let chained = |next: &str| serde_json::json!({ "$ref": next });
    let refusal = said(&with_schema(&linked(50_000, chained)));
    assert!(refusal.contains("/input/schema: its schemas and references lead more than 200 deep"), "{refusal}");
    let anchored = said(&with_schema(&serde_json::json!({ "$ref": "#a", "$defs": { "a": { "$anchor": "a" } } })));
    assert!(
        anchored.contains("/input/schema/$ref: a reference is a `$ref` to a place within the schema"),
        "{anchored}"
    );
}

#[test]
fn deep_schemas_and_inputs_fit_the_stack() {
    let mut schema = serde_json::json!({ "properties": { "a": { "$ref": "#" } } });
    for _ in 0..45 {
        schema = serde_json::json!({ "allOf": [schema] });
    }
    let definition = Definition::from_json(&with_schema(&schema)).unwrap();
    let mut input = serde_json::json!(1);
    for _ in 0..120 {
        input = serde_json::json!({ "a": input });
    }
    definition.check_input(&input).unwrap();
}

/// Reads the file; where it is fine, what is stored of it must give the same definition again.
fn read_and_read_again(text: &str) {
    let definition = match Definition::from_json(text) {
        Ok(definition) => definition,
        Err(errors) => {
            assert!(!errors.to_string().contains("can't say why"), "{text}");
            return;
        }
    };
    let again = Definition::from_source(definition.source()).unwrap();
    assert_eq!(again.digest(), definition.digest());
    assert_eq!(again.source(), definition.source());
    assert_eq!(again.topological(), definition.topological());
}

/// Pieces that mean something somewhere in a file.
const PIECES: [&str; 24] = [
    "\"",
    "{",
    "}",
    "[",
    "]",
    ",",
    ":",
    "null",
    "-1",
    "1e999",
    "\\",
    "\\u0000",
    "${",
    "}",
    "$${",
    "${ .steps.charge }",
    "\"after\": [\"charge\"],",
    "\"pivot\": true,",
    "\"value\": 1,",
    "\"$comment\": 1,",
    "é",
    "\u{202e}",
    "\n",
    "\"a\": 1,",
];

proptest! {
    #![proptest_config(ProptestConfig { cases: 3_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_mutated_saga_never_panics(changes in prop::collection::vec((0..SAGA.len(), 0..3_usize, 0..40_usize, 0..PIECES.len(), 0..SAGA.len()), 1..4)) {
        let mut text = SAGA.to_owned();
        for (at, what, length, piece, other) in changes {
            let start = text.floor_char_boundary(at.min(text.len()));
            let end = text.floor_char_boundary((start + length).min(text.len()));
            match what {
                0 => text.replace_range(start..end, ""),
                1 => text.replace_range(start..start, PIECES[piece]),
                _ => {
                    let from = text.floor_char_boundary(other.min(text.len()));
                    let to = text.floor_char_boundary((from + length).min(text.len()));
                    let copied = text[from..to].to_owned();
                    text.replace_range(start..end, &copied);
                }
            }
        }
        read_and_read_again(&text);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 600, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_saga_with_another_value_somewhere_never_panics(place in 0..400_usize, piece in 0..12_usize) {
        let mut saga: serde_json::Value = serde_json::from_str(SAGA).unwrap();
        let mut left = place;
        if let Some(value) = nth_value(&mut saga, &mut left) {
            let others = [
                "null", "true", "-1", "1.50", "\"\"", "\"x\"", "[]", "{}", "\"10s\"", "\"${ .input }\"", "[\"charge\"]", "{\"http\":{\"get\":\"http://x\"}}",
            ];
            *value = serde_json::from_str(others[piece]).unwrap();
        }
        read_and_read_again(&serde_json::to_string_pretty(&saga).unwrap());
    }
}

/// The value that is reached after `left` others.
fn nth_value<'v>(value: &'v mut serde_json::Value, left: &mut usize) -> Option<&'v mut serde_json::Value> {
    use serde_json::Value;
    if *left == 0 {
        return Some(value);
    }
    *left -= 1;
    match value {
        Value::Array(items) => items.iter_mut().find_map(|item| nth_value(item, left)),
        Value::Object(keys) => keys.values_mut().find_map(|item| nth_value(item, left)),
        _ => None,
    }
}
