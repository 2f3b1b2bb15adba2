//! Functions on strings.

use super::super::budget;
use super::super::evaluate::Evaluator;
use super::super::failure::{Flow, raise};
use super::super::value::Value;
use super::{Function, array, string, value, with};

pub(super) const FUNCTIONS: &[Function] = &[
    with("startswith", |evaluator, input, start| {
        let (text, start) = (read(evaluator, input)?, string(start)?);
        Ok(Value::Bool(text.starts_with(start)))
    }),
    with("endswith", |evaluator, input, end| {
        let (text, end) = (read(evaluator, input)?, string(end)?);
        Ok(Value::Bool(text.ends_with(end)))
    }),
    with("ltrimstr", |evaluator, input, start| {
        without(evaluator, input, start, |text, start| text.strip_prefix(start))
    }),
    with("rtrimstr", |evaluator, input, end| without(evaluator, input, end, |text, end| text.strip_suffix(end))),
    value("trim", |evaluator, input| evaluator.text(read(evaluator, input)?.trim())),
    value("ltrim", |evaluator, input| evaluator.text(read(evaluator, input)?.trim_start())),
    value("rtrim", |evaluator, input| evaluator.text(read(evaluator, input)?.trim_end())),
    value("ascii_downcase", |evaluator, input| evaluator.text(read(evaluator, input)?.to_ascii_lowercase())),
    value("ascii_upcase", |evaluator, input| evaluator.text(read(evaluator, input)?.to_ascii_uppercase())),
    value("utf8bytelength", |_, input| Ok(Value::count(string(input)?.len()))),
    with("split", |evaluator, input, separator| evaluator.split(string(input)?, string(separator)?)),
    with("join", join),
    value("explode", explode),
    value("implode", implode),
];

/// A string that is read whole.
fn read<'v>(evaluator: &Evaluator<'_>, input: &'v Value) -> Flow<&'v str> {
    let text = string(input)?;
    evaluator.pay(budget::text(text.len()))?;
    Ok(text)
}

/// A string without a part at its end; whatever is no string, or does not have it, as it is.
fn without(
    evaluator: &Evaluator<'_>,
    input: &Value,
    part: &Value,
    strip: for<'t> fn(&'t str, &str) -> Option<&'t str>,
) -> Flow<Value> {
    if let (Value::String(text), Value::String(part)) = (input, part) {
        evaluator.pay(budget::text(part.len()))?;
        if let Some(rest) = strip(text, part) {
            return evaluator.text(rest);
        }
    }
    Ok(input.clone())
}

/// The elements as one text; null counts as the empty text.
fn join(evaluator: &Evaluator<'_>, input: &Value, separator: &Value) -> Flow<Value> {
    let separator = string(separator)?;
    let mut text = String::new();
    for (place, item) in array(input)?.iter().enumerate() {
        evaluator.pay(budget::text(separator.len()))?;
        if place > 0 {
            text.push_str(separator);
        }
        match item {
            Value::Null => {}
            Value::String(part) => {
                evaluator.pay(budget::text(part.len()))?;
                text.push_str(part);
            }
            Value::Bool(_) | Value::Number(_) => text.push_str(&evaluator.json_text(item)?),
            other => return raise(format!("cannot join {}", other.type_name())),
        }
    }
    evaluator.text(text)
}

fn explode(evaluator: &Evaluator<'_>, input: &Value) -> Flow<Value> {
    let text = string(input)?;
    evaluator.pay(text.len() as u64)?;
    let points = text.chars().map(|c| Value::integer(u32::from(c).into()));
    evaluator.array(points.collect())
}

fn implode(evaluator: &Evaluator<'_>, input: &Value) -> Flow<Value> {
    let points = array(input)?;
    evaluator.pay(budget::array(points.len()))?;
    let characters = points.iter().map(|point| match point {
        Value::Number(number) => {
            let point = u32::try_from(number.as_index()?).ok()?;
            char::from_u32(point)
        }
        _ => None,
    });
    match characters.collect::<Option<String>>() {
        Some(text) => evaluator.text(text),
        None => raise("implode takes an array of code points"),
    }
}
