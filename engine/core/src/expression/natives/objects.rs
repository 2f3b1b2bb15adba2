//! Functions on keys and entries.

use super::super::budget;
use super::super::construct::shared_key;
use super::super::evaluate::{Evaluator, Output, Scope};
use super::super::failure::{Flow, raise};
use super::super::parse::Ast;
use super::super::value::{Entries, Value};
use super::{Function, arguments, array, arrays, terms, value, with};
use std::sync::Arc;

pub(super) const FUNCTIONS: &[Function] = &[
    value("keys", |evaluator, input| keys(evaluator, input, true)),
    value("keys_unsorted", |evaluator, input| keys(evaluator, input, false)),
    with("has", has),
    value("to_entries", to_entries),
    value("from_entries", from_entries),
    terms("with_entries", 1, with_entries),
];

fn keys(evaluator: &Evaluator<'_>, input: &Value, sorted: bool) -> Flow<Value> {
    let keys = match input {
        Value::Array(array) => (0..array.items.len()).map(Value::count).collect(),
        Value::Object(object) if sorted => object.sorted().map(|(key, _)| shared_key(key)).collect(),
        Value::Object(object) => object.entries.keys().map(shared_key).collect(),
        other => return raise(format!("{} has no keys", other.type_name())),
    };
    evaluator.array(keys)
}

fn has(evaluator: &Evaluator<'_>, input: &Value, key: &Value) -> Flow<Value> {
    evaluator.pay(key.weight())?;
    let has = match (input, key) {
        (Value::Object(object), Value::String(key)) => object.entries.contains_key(key),
        (Value::Array(array), Value::Number(place)) => place
            .as_index()
            .and_then(|place| usize::try_from(place).ok())
            .is_some_and(|place| place < array.items.len()),
        (input, key) => {
            let (input, key) = (input.type_name(), key.type_name());
            return raise(format!("cannot ask {input} for a key that is {key}"));
        }
    };
    Ok(Value::Bool(has))
}

fn to_entries(evaluator: &Evaluator<'_>, input: &Value) -> Flow<Value> {
    let pair = |key: Value, value: &Value| {
        let pair = [("key", key), ("value", value.clone())];
        evaluator.object(pair.map(|(name, value)| (name.into(), value)).into_iter().collect())
    };
    let mut pairs = Vec::new();
    match input {
        Value::Object(object) => {
            for (key, value) in &object.entries {
                pairs.push(pair(shared_key(key), value)?);
            }
        }
        Value::Array(array) => {
            for (place, value) in array.items.iter().enumerate() {
                pairs.push(pair(Value::count(place), value)?);
            }
        }
        other => return raise(format!("{} has no entries", other.type_name())),
    }
    evaluator.array(pairs)
}

/// Takes entries as `{key, value}`, `{k, v}` or `{name, value}`.
fn from_entries(evaluator: &Evaluator<'_>, input: &Value) -> Flow<Value> {
    let mut entries = Entries::new();
    for entry in array(input)? {
        let key = ["key", "k", "name"].into_iter().find_map(|name| {
            let found = evaluator.member(entry, name);
            (!matches!(found, Ok(Value::Null))).then_some(found)
        });
        let key: Arc<str> = match key.transpose()?.unwrap_or(Value::Null) {
            Value::String(key) => key,
            scalar @ (Value::Null | Value::Bool(_) | Value::Number(_)) => evaluator.json_text(&scalar)?.into(),
            other => {
                let got = other.type_name();
                return raise(format!("object keys must be strings, not {got}"));
            }
        };
        evaluator.pay(budget::text(key.len()))?;
        let value = if entry.get("value").is_some() {
            evaluator.member(entry, "value")?
        } else {
            evaluator.member(entry, "v")?
        };
        entries.insert(key, value);
    }
    evaluator.object(entries)
}

fn with_entries(evaluator: &Evaluator<'_>, terms: &[Ast<'_>], scope: Scope<'_>, out: Output<'_>) -> Flow {
    let [term] = arguments(terms)?;
    let entries = to_entries(evaluator, scope.input)?;
    let entries = arrays::map(evaluator, term, scope.on(&entries))?;
    out(from_entries(evaluator, &entries)?)
}
