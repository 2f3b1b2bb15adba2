//! Functions on numbers.

use super::super::budget;
use super::super::failure::{Flow, raise};
use super::super::number::Number;
use super::super::value::Value;
use super::{Function, value};

pub(super) const FUNCTIONS: &[Function] = &[
    value("floor", |_, input| result(number(input)?.round_by(f64::floor))),
    value("ceil", |_, input| result(number(input)?.round_by(f64::ceil))),
    value("round", |_, input| result(number(input)?.round_by(f64::round))),
    value("abs", |_, input| result(number(input)?.absolute())),
    value("sqrt", |_, input| result(number(input)?.square_root())),
    value("length", |evaluator, input| match input {
        Value::Null => Ok(Value::integer(0)),
        Value::Bool(_) => raise("boolean has no length"),
        Value::Number(number) => result(number.absolute()),
        Value::String(text) => {
            // Characters have to be counted.
            evaluator.pay(budget::text(text.len()))?;
            Ok(Value::count(text.chars().count()))
        }
        Value::Array(array) => Ok(Value::count(array.items.len())),
        Value::Object(object) => Ok(Value::count(object.entries.len())),
    }),
];

fn number(value: &Value) -> Flow<&Number> {
    match value {
        Value::Number(number) => Ok(number),
        other => raise(format!("expected a number, got {}", other.type_name())),
    }
}

fn result(number: Option<Number>) -> Flow<Value> {
    match number {
        Some(number) => Ok(Value::Number(number)),
        None => raise("number out of range"),
    }
}
