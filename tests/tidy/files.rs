//! Files as a whole: their length, and whether what claims to be JSON is.

use serde_json::Value;

use crate::tree::{Source, hold_each};

/// Longer than this, a file holds more than one idea.
const LONGEST: usize = 500;

fn too_long(source: &Source) -> Vec<String> {
    let lines = source.text.lines().count();
    if !source.is_rust() || lines <= LONGEST {
        return Vec::new();
    }
    let what = format!("{lines} lines, {LONGEST} are the most: split it by what its parts are about");
    vec![source.finding(LONGEST + 1, what)]
}

fn not_json(source: &Source) -> Vec<String> {
    if !source.is_under(&["workflows/"]) || !source.has_extension("json") {
        return Vec::new();
    }
    let broken = serde_json::from_str::<Value>(&source.text).err();
    broken
        .map(|error| source.finding(error.line(), format!("this is not JSON ({error}): correct it")))
        .into_iter()
        .collect()
}

#[test]
fn no_source_is_too_long() {
    hold_each(too_long);
}

#[test]
fn workflow_files_are_json() {
    hold_each(not_json);
}

#[test]
fn a_long_source_is_found() {
    let at_most = "\n".repeat(LONGEST);
    assert_eq!(too_long(&Source::sample("engine/core/src/lib.rs", &at_most)), Vec::<String>::new());
    let longer = "\n".repeat(LONGEST + 1);
    assert_eq!(too_long(&Source::sample("engine/core/src/lib.rs", &longer)).len(), 1);
    assert_eq!(too_long(&Source::sample("Cargo.lock", &longer)), Vec::<String>::new());
}

#[test]
fn broken_json_is_found() {
    assert_eq!(not_json(&Source::sample("workflows/a.json", "{}")), Vec::<String>::new());
    assert_eq!(not_json(&Source::sample("workflows/a.json", "{\n\"a\": }")).len(), 1);
}
