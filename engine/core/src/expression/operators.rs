//! `+ - * / %`, negation and comparison.

use super::budget::{self, STEP};
use super::evaluate::{Evaluator, with_stack};
use super::failure::{Flow, raise};
use super::number::{Arithmetic, Number};
use super::value::{Object, Value};
use jaq_core::ops::{Cmp, Math};
use std::cmp::Ordering;
use std::sync::Arc;

/// Whether a comparison holds for two values in this order.
pub(super) fn holds(operator: Cmp, order: Ordering) -> bool {
    match operator {
        Cmp::Lt => order.is_lt(),
        Cmp::Le => order.is_le(),
        Cmp::Gt => order.is_gt(),
        Cmp::Ge => order.is_ge(),
        Cmp::Eq => order.is_eq(),
        Cmp::Ne => order.is_ne(),
    }
}

/// `-value`
pub(super) fn negate(value: &Value) -> Flow<Value> {
    match value {
        Value::Number(number) => match number.negate() {
            Some(negated) => Ok(Value::Number(negated)),
            None => raise("integer overflow"),
        },
        other => raise(format!("cannot negate {}", other.type_name())),
    }
}

impl Evaluator<'_> {
    /// `left operator right`
    pub(super) fn calculate(&self, operator: Math, left: Value, right: Value) -> Flow<Value> {
        use Value::{Array, Null, Number, Object, String};
        match (operator, left, right) {
            (Math::Add, Null, other) | (Math::Add, other, Null) => Ok(other),
            (_, Number(left), Number(right)) => numbers(operator, &left, &right),
            (Math::Add, String(left), String(right)) => {
                self.pay(budget::text(left.len() + right.len()))?;
                Ok(Value::string([&*left, &*right].concat()))
            }
            (Math::Add, Array(left), Array(right)) => {
                self.pay(budget::array(left.items.len()))?;
                self.array([left.items.as_slice(), &right.items].concat())
            }
            (Math::Add, Object(left), Object(right)) => self.add_objects(&left, &right),
            (Math::Mul, Object(left), Object(right)) => self.merge(&left, &right),
            (Math::Mul, String(text), Number(times)) | (Math::Mul, Number(times), String(text)) => {
                self.repeat(&text, &times)
            }
            (Math::Sub, Array(left), Array(right)) => {
                // No element costs more than its own weight for each it is compared with.
                self.pay(budget::cross(Array(Arc::clone(&left)).weight(), right.items.len() as u64))?;
                let kept = left.items.iter().filter(|item| !right.items.contains(item));
                self.array(kept.cloned().collect())
            }
            (Math::Div, String(text), String(separator)) => self.split(&text, &separator),
            (operator, left, right) => {
                raise(format!("cannot calculate {} {} {}", left.type_name(), operator.as_str(), right.type_name()))
            }
        }
    }

    fn add_objects(&self, left: &Object, right: &Object) -> Flow<Value> {
        self.pay(budget::object(left.entries.len()))?;
        self.pay(budget::object(right.entries.len()))?;
        let mut entries = left.entries.clone();
        for (key, value) in &right.entries {
            entries.insert(Arc::clone(key), value.clone());
        }
        self.object(entries)
    }

    /// Merges deeply: where both sides have an object under a key, those are merged.
    fn merge(&self, left: &Object, right: &Object) -> Flow<Value> {
        self.pay(budget::object(left.entries.len()))?;
        self.pay(budget::object(right.entries.len()))?;
        let mut entries = left.entries.clone();
        for (key, value) in &right.entries {
            let merged = match (entries.get(key), value) {
                (Some(Value::Object(left)), Value::Object(right)) => {
                    self.pay(STEP)?;
                    with_stack(|| self.merge(left, right))?
                }
                _ => value.clone(),
            };
            entries.insert(Arc::clone(key), merged);
        }
        self.object(entries)
    }

    /// `text * times`: null where that is not even once, as in jq.
    fn repeat(&self, text: &str, times: &Number) -> Flow<Value> {
        if times.compare(&Number::integer(0)).is_le() {
            return Ok(Value::Null);
        }
        // What is too large for a count is too large for the budget.
        let times = times.round_by(f64::ceil).and_then(|times| times.as_index());
        let times = times.and_then(|times| u64::try_from(times).ok());
        let times = times.unwrap_or(u64::MAX);
        self.pay(budget::cross(budget::text(text.len()), times))?;
        // What was paid for fits.
        let times = usize::try_from(times).unwrap_or(usize::MAX);
        Ok(Value::string(text.repeat(times)))
    }

    /// The parts of a text between separators; its characters where the separator is empty.
    pub(super) fn split(&self, text: &str, separator: &str) -> Flow<Value> {
        self.pay(text.len() as u64)?;
        let parts = if text.is_empty() {
            Vec::new()
        } else if separator.is_empty() {
            let mut buffer = [0; 4];
            text.chars().map(|character| Value::string(character.encode_utf8(&mut buffer))).collect()
        } else {
            text.split(separator).map(Value::string).collect()
        };
        self.array(parts)
    }
}

fn numbers(operator: Math, left: &Number, right: &Number) -> Flow<Value> {
    let how = match operator {
        Math::Add => Arithmetic::Add,
        Math::Sub => Arithmetic::Subtract,
        Math::Mul => Arithmetic::Multiply,
        Math::Div => Arithmetic::Divide,
        Math::Rem => Arithmetic::Remainder,
    };
    match left.calculate(how, right) {
        Ok(number) => Ok(Value::Number(number)),
        Err(message) => raise(message),
    }
}
