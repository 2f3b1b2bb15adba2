//! Functions that make arrays of arrays.

use super::super::budget::{self, STEP};
use super::super::evaluate::{Evaluator, Output, Scope, with_stack};
use super::super::failure::{Flow, Stop, raise};
use super::super::parse::Ast;
use super::super::value::{Entries, Value};
use super::{Function, arguments, array, aside, integer, terms, value, with};
use jaq_core::ops::Math;
use std::sync::Arc;

pub(super) const FUNCTIONS: &[Function] = &[
    terms("map", 1, |evaluator, terms, scope, out| {
        let [term] = arguments(terms)?;
        out(map(evaluator, term, scope)?)
    }),
    terms("map_values", 1, map_values),
    value("add", |evaluator, input| {
        let mut values = Vec::new();
        evaluator.iterate(input, &mut |value| {
            values.push(value);
            Ok(())
        })?;
        sum(evaluator, values)
    }),
    aside("add", 1, |evaluator, terms, scope, out| {
        let [results] = arguments(terms)?;
        let values = evaluator.collect(results, scope)?;
        out(sum(evaluator, values)?)
    }),
    value("reverse", reverse),
    value("flatten", |evaluator, input| flatten(evaluator, input, i64::MAX)),
    with("flatten", |evaluator, input, depth| {
        let depth = integer(depth)?;
        if depth < 0 {
            return raise("flatten takes no negative depth");
        }
        flatten(evaluator, input, depth)
    }),
    value("transpose", transpose),
];

/// All results of a term for all elements.
pub(super) fn map(evaluator: &Evaluator<'_>, term: &Ast<'_>, scope: Scope<'_>) -> Flow<Value> {
    let mut items = Vec::new();
    evaluator.iterate(scope.input, &mut |item| {
        evaluator.evaluate(term, scope.on(&item), &mut |value| {
            evaluator.pay(STEP)?;
            items.push(value);
            Ok(())
        })
    })?;
    evaluator.array(items)
}

/// For an object, the first result for each value; entries without one are dropped.
fn map_values(evaluator: &Evaluator<'_>, terms: &[Ast<'_>], scope: Scope<'_>, out: Output<'_>) -> Flow {
    let [term] = arguments(terms)?;
    let Value::Object(object) = scope.input else {
        return out(map(evaluator, term, scope)?);
    };
    let mut entries = Entries::new();
    for (key, value) in &object.entries {
        evaluator.pay(budget::text(key.len()))?;
        evaluator.breakable(|enough| {
            evaluator.evaluate(term, scope.on(value), &mut |value| {
                entries.insert(Arc::clone(key), value);
                Err(Stop::Break(enough))
            })
        })?;
    }
    out(evaluator.object(entries)?)
}

/// What `+` makes of all values, in one go where they are of one type.
fn sum(evaluator: &Evaluator<'_>, values: Vec<Value>) -> Flow<Value> {
    let mut sum = Value::Null;
    let mut rest = values.into_iter().peekable();
    while let Some(next) = rest.next() {
        // A run of values of the same type is joined at once: one by one it would copy the sum
        // as often as there are values.
        let same = |other: &Value| other.type_name() == next.type_name();
        let joins = matches!(next, Value::String(_) | Value::Array(_) | Value::Object(_));
        let run = if joins && rest.peek().is_some_and(same) {
            let mut run = vec![next.clone()];
            while let Some(other) = rest.next_if(same) {
                run.push(other);
            }
            join(evaluator, &run)?
        } else {
            next
        };
        sum = evaluator.calculate(Math::Add, sum, run)?;
    }
    Ok(sum)
}

/// Values of one type, one after the other.
fn join(evaluator: &Evaluator<'_>, run: &[Value]) -> Flow<Value> {
    let mut text = String::new();
    let mut items = Vec::new();
    let mut entries = Entries::new();
    for value in run {
        match value {
            Value::String(part) => {
                evaluator.pay(budget::text(part.len()))?;
                text.push_str(part);
            }
            Value::Array(array) => {
                evaluator.pay(budget::array(array.items.len()))?;
                items.extend_from_slice(&array.items);
            }
            Value::Object(object) => {
                for (key, value) in &object.entries {
                    evaluator.pay(budget::text(key.len()))?;
                    entries.insert(Arc::clone(key), value.clone());
                }
            }
            _ => {}
        }
    }
    match run.first() {
        Some(Value::String(_)) => evaluator.text(text),
        Some(Value::Array(_)) => evaluator.array(items),
        _ => evaluator.object(entries),
    }
}

fn reverse(evaluator: &Evaluator<'_>, input: &Value) -> Flow<Value> {
    match input {
        Value::Null => evaluator.array(Vec::new()),
        Value::String(text) => {
            evaluator.pay(budget::text(text.len()))?;
            evaluator.text(text.chars().rev().collect::<String>())
        }
        other => {
            let items = array(other)?;
            evaluator.pay(budget::array(items.len()))?;
            evaluator.array(items.iter().rev().cloned().collect())
        }
    }
}

fn flatten(evaluator: &Evaluator<'_>, input: &Value, depth: i64) -> Flow<Value> {
    let mut flat = Vec::new();
    flatten_into(evaluator, array(input)?, depth, &mut flat)?;
    evaluator.array(flat)
}

fn flatten_into(evaluator: &Evaluator<'_>, items: &[Value], depth: i64, flat: &mut Vec<Value>) -> Flow {
    for item in items {
        evaluator.pay(STEP)?;
        match item {
            Value::Array(inner) if depth > 0 => {
                with_stack(|| flatten_into(evaluator, &inner.items, depth - 1, flat))?;
            }
            other => flat.push(other.clone()),
        }
    }
    Ok(())
}

/// Rows to columns; short rows are filled up with null.
fn transpose(evaluator: &Evaluator<'_>, input: &Value) -> Flow<Value> {
    let mut rows = Vec::new();
    for row in array(input)? {
        evaluator.pay(STEP)?;
        rows.push(array(row)?);
    }
    let width = rows.iter().map(|row| row.len()).max().unwrap_or(0);
    evaluator.pay(budget::cross(width as u64, rows.len() as u64))?;
    let mut columns = Vec::new();
    for place in 0..width {
        let column = rows.iter().map(|row| row.get(place).cloned().unwrap_or(Value::Null));
        columns.push(evaluator.array(column.collect())?);
    }
    evaluator.array(columns)
}
