//! Functions that ask for types and change them.

use super::super::failure::raise;
use super::super::number::Number;
use super::super::value::Value;
use super::{Function, format, keep, value};

pub(super) const FUNCTIONS: &[Function] = &[
    value("type", |_, input| Ok(Value::string(input.type_name()))),
    keep("values", |input| !input.is_null()),
    keep("nulls", Value::is_null),
    keep("booleans", |input| matches!(input, Value::Bool(_))),
    keep("numbers", |input| matches!(input, Value::Number(_))),
    keep("strings", |input| matches!(input, Value::String(_))),
    keep("arrays", |input| matches!(input, Value::Array(_))),
    keep("objects", |input| matches!(input, Value::Object(_))),
    keep("iterables", is_container),
    keep("scalars", |input| !is_container(input)),
    value("tostring", |evaluator, input| match input {
        Value::String(_) => Ok(input.clone()),
        other => {
            let text = format::write(evaluator, "@json", other)?;
            evaluator.text(text)
        }
    }),
    value("tojson", |evaluator, input| {
        let text = evaluator.json_text(input)?;
        evaluator.text(text)
    }),
    value("tonumber", |evaluator, input| match input {
        Value::Number(_) => Ok(input.clone()),
        Value::String(text) => {
            evaluator.pay(input.weight())?;
            match Number::parse(text.trim()) {
                Some(number) => Ok(Value::Number(number)),
                None => raise("the string is no number"),
            }
        }
        other => raise(format!("cannot make a number of {}", other.type_name())),
    }),
];

fn is_container(value: &Value) -> bool {
    matches!(value, Value::Array(_) | Value::Object(_))
}
