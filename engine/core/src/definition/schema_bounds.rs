//! What an input's schema may not be, although JSON Schema allows it: dependent on other documents, or so entangled by
//! references that holding an input against it would not end.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use crate::format::{Findings, pointer_to};

/// Schemas that one value is held against, references followed.
const WEIGHT: u64 = 50_000;

/// Schemas in each other, references followed.
const HEIGHT: u64 = 200;

/// Notes what can't be; says whether all is well.
pub(super) fn check(schema: &Value, findings: &mut Findings) -> bool {
    let noted_before = findings.len();
    leaving_references(schema, "/input/schema", true, findings);
    if findings.len() == noted_before {
        let extent = Weigher { root: schema, known: BTreeMap::new(), open: BTreeSet::new() }.extent(schema);
        if extent.height > HEIGHT {
            let message = format!("its schemas and references lead more than {HEIGHT} deep into each other");
            findings.add("/input/schema", message);
        } else if extent.weight > WEIGHT {
            let message = format!("its references multiply: a value would be held against more than {WEIGHT} schemas");
            findings.add("/input/schema", message);
        }
    }
    findings.len() == noted_before
}

/// Whether the value of this key is data, not schemas.
fn is_data(key: &str) -> bool {
    ["const", "enum", "default", "examples"].contains(&key)
}

/// Whether the keys of this object are names that the author chose, as a property called `default`.
fn is_named(key: &str) -> bool {
    ["properties", "patternProperties", "dependentSchemas", "$defs", "definitions"].contains(&key)
}

/// A workflow means the same everywhere and for ever, so all its schemas stand in it.
fn leaving_references(schema: &Value, pointer: &str, top: bool, findings: &mut Findings) {
    match schema {
        Value::Array(items) => {
            for (index, item) in items.iter().enumerate() {
                leaving_references(item, &format!("{pointer}/{index}"), false, findings);
            }
        }
        Value::Object(keys) => {
            for (key, value) in keys {
                let place = pointer_to(pointer, key);
                match (key.as_str(), value) {
                    ("$ref", Value::String(target)) if target == "#" || target.starts_with("#/") => {}
                    ("$ref" | "$dynamicRef" | "$recursiveRef", Value::String(_)) => {
                        let message = "a reference is a `$ref` to a place within the schema, as `#/$defs/item`";
                        findings.add(&place, message);
                    }
                    ("$id", Value::String(_)) if !top => {
                        findings.add(&place, "an `$id` within a schema leads references elsewhere; take it out");
                    }
                    (key, Value::Object(named)) if is_named(key) => {
                        for (name, value) in named {
                            leaving_references(value, &pointer_to(&place, name), false, findings);
                        }
                    }
                    (key, _) if is_data(key) => {}
                    _ => leaving_references(value, &place, false, findings),
                }
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

/// How large a schema is with its references followed. One that leads back to itself counts once: there each round
/// goes one level deeper into the input.
#[derive(Clone, Copy, Debug, Default)]
struct Extent {
    weight: u64,
    height: u64,
}

struct Weigher<'s> {
    root: &'s Value,
    known: BTreeMap<&'s str, Extent>,
    open: BTreeSet<&'s str>,
}

impl<'s> Weigher<'s> {
    fn extent(&mut self, schema: &'s Value) -> Extent {
        let mut extent = Extent { weight: 1, height: 0 };
        let mut add = |part: Extent| {
            extent.weight = extent.weight.saturating_add(part.weight);
            extent.height = extent.height.max(part.height);
        };
        match schema {
            Value::Array(items) => items.iter().for_each(|item| add(self.extent(item))),
            Value::Object(keys) => {
                for (key, value) in keys {
                    match (key.as_str(), value) {
                        ("$ref", Value::String(target)) => add(self.target(target)),
                        // Only what is referred to counts.
                        ("$defs" | "definitions", _) => {}
                        (key, Value::Object(named)) if is_named(key) => {
                            named.values().for_each(|value| add(self.extent(value)));
                        }
                        (key, _) if is_data(key) => {}
                        _ => add(self.extent(value)),
                    }
                }
            }
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
        }
        extent.height += 1;
        extent
    }

    fn target(&mut self, reference: &'s str) -> Extent {
        if let Some(extent) = self.known.get(reference) {
            return *extent;
        }
        // Long before it is this deep, the height has become too large.
        if self.open.len() > 200 {
            return Extent { weight: 1, height: HEIGHT };
        }
        if !self.open.insert(reference) {
            return Extent { weight: 1, height: 1 };
        }
        let pointer = percent_encoding::percent_decode_str(reference.trim_start_matches('#')).decode_utf8_lossy();
        // One that leads nowhere is told when the schema is compiled.
        let extent = self.root.pointer(&pointer).map(|target| self.extent(target)).unwrap_or_default();
        self.open.remove(reference);
        self.known.insert(reference, extent);
        extent
    }
}
