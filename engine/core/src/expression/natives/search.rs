//! Functions that look for one value in another.

use super::super::budget::{self, STEP};
use super::super::evaluate::{Evaluator, with_stack};
use super::super::failure::{Flow, raise};
use super::super::value::Value;
use super::{Function, with};

pub(super) const FUNCTIONS: &[Function] = &[
    with("contains", |evaluator, input, part| contains(evaluator, input, part).map(Value::Bool)),
    with("inside", |evaluator, input, whole| contains(evaluator, whole, input).map(Value::Bool)),
    with("indices", |evaluator, input, wanted| match places(evaluator, input, wanted)? {
        Some(places) => evaluator.array(places),
        None => Ok(Value::Null),
    }),
    with("index", |evaluator, input, wanted| {
        let places = places(evaluator, input, wanted)?.unwrap_or_default();
        Ok(places.first().cloned().unwrap_or(Value::Null))
    }),
    with("rindex", |evaluator, input, wanted| {
        let places = places(evaluator, input, wanted)?.unwrap_or_default();
        Ok(places.last().cloned().unwrap_or(Value::Null))
    }),
];

fn contains(evaluator: &Evaluator<'_>, whole: &Value, part: &Value) -> Flow<bool> {
    evaluator.pay(STEP)?;
    with_stack(|| match (whole, part) {
        (Value::String(whole), Value::String(part)) => {
            evaluator.pay(budget::text(whole.len() + part.len()))?;
            Ok(whole.contains(&**part))
        }
        (Value::Array(whole), Value::Array(part)) => {
            for wanted in &part.items {
                let mut found = false;
                for item in &whole.items {
                    found = contains(evaluator, item, wanted)?;
                    if found {
                        break;
                    }
                }
                if !found {
                    return Ok(false);
                }
            }
            Ok(true)
        }
        (Value::Object(whole), Value::Object(part)) => {
            for (key, wanted) in &part.entries {
                evaluator.pay(budget::text(key.len()))?;
                match whole.entries.get(key) {
                    Some(value) if contains(evaluator, value, wanted)? => {}
                    _ => return Ok(false),
                }
            }
            Ok(true)
        }
        (whole, part) => Ok(evaluator.compare(whole, part)?.is_eq()),
    })
}

/// Where something occurs in a text (in characters) or an array; `None` in null.
fn places(evaluator: &Evaluator<'_>, input: &Value, wanted: &Value) -> Flow<Option<Vec<Value>>> {
    let places = match (input, wanted) {
        (Value::Null, _) => return Ok(None),
        (Value::String(text), Value::String(wanted)) => {
            evaluator.pay(budget::text_search(text.len(), wanted.len()))?;
            let starts = text.char_indices().enumerate();
            let found = starts.filter(|(_, (start, _))| {
                let rest = text.get(*start..).unwrap_or_default();
                !wanted.is_empty() && rest.starts_with(&**wanted)
            });
            found.map(|(place, _)| Value::count(place)).collect()
        }
        (Value::Array(array), Value::Array(run)) => {
            evaluator.pay(budget::cross(input.weight(), wanted.weight()))?;
            if run.items.is_empty() {
                return Ok(Some(Vec::new()));
            }
            let runs = array.items.windows(run.items.len()).enumerate();
            let found = runs.filter(|(_, items)| *items == run.items.as_slice());
            found.map(|(place, _)| Value::count(place)).collect()
        }
        (Value::Array(array), wanted) => {
            evaluator.pay(input.weight())?;
            let items = array.items.iter().enumerate();
            let found = items.filter(|(_, item)| *item == wanted);
            found.map(|(place, _)| Value::count(place)).collect()
        }
        (input, wanted) => {
            let (input, wanted) = (input.type_name(), wanted.type_name());
            return raise(format!("cannot look for {wanted} in {input}"));
        }
    };
    Ok(Some(places))
}
