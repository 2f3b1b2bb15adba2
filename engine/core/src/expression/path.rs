//! Paths: `.a.b[0]`, `.[]`, `.[1:3]`, with `?`.

use super::budget::{self, STEP};
use super::evaluate::{Evaluator, Output, Scope, with_stack};
use super::failure::{Flow, Stop, raise};
use super::number::Number;
use super::parse::{Ast, literal, offset, position};
use super::value::Value;
use jaq_core::load::parse::Term;
use jaq_core::path::{Opt, Part};

type Parts<'p, 's> = &'p [(Part<Ast<'s>>, Opt)];

impl Evaluator<'_> {
    /// `head` and the path after it.
    pub(super) fn path(&self, head: &Ast<'_>, parts: Parts<'_, '_>, scope: Scope<'_>, out: Output<'_>) -> Flow {
        let at = position(self.source, head);
        if let Term::Id = head {
            return self.follow(parts, scope.input, at, scope, out);
        }
        self.evaluate(head, scope, &mut |value| self.follow(parts, &value, at, scope, out))
    }

    /// Follows a path from a value. Terms in the path see the `.` of the scope. `at` is the last
    /// known place in the source.
    fn follow(
        &self,
        parts: Parts<'_, '_>,
        value: &Value,
        at: Option<usize>,
        scope: Scope<'_>,
        out: Output<'_>,
    ) -> Flow {
        self.pay(STEP)?;
        let Some(((part, optional), rest)) = parts.split_first() else {
            return out(value.clone());
        };
        // `?` forgives what this very part cannot do, and nothing that comes later.
        let forgive = |result: Flow<Value>| match result {
            Err(Stop::Raised(_)) if matches!(optional, Opt::Optional) => Ok(None),
            result => result.map(Some).map_err(|stop| stop.at(at)),
        };
        with_stack(|| match part {
            Part::Index(index) => {
                if let Some(key) = literal(index) {
                    let at = Some(offset(self.source, key));
                    let found = self.member(value, key).map_err(|stop| stop.at(at));
                    return match forgive(found)? {
                        Some(found) => self.follow(rest, &found, at, scope, out),
                        None => Ok(()),
                    };
                }
                let at = position(self.source, index).or(at);
                self.evaluate(index, scope, &mut |index| match forgive(self.index(value, &index))? {
                    Some(found) => self.follow(rest, &found, at, scope, out),
                    None => Ok(()),
                })
            }
            Part::Range(None, None) => match value {
                Value::Array(_) | Value::Object(_) => {
                    self.iterate(value, &mut |item| self.follow(rest, &item, at, scope, out))
                }
                other => {
                    let message = format!("cannot iterate over {}", other.type_name());
                    forgive(raise(message)).map(|_| ())
                }
            },
            Part::Range(from, to) => {
                for from in self.bounds(from.as_ref(), scope)? {
                    for to in self.bounds(to.as_ref(), scope)? {
                        if let Some(slice) = forgive(self.slice(value, &from, &to))? {
                            self.follow(rest, &slice, at, scope, out)?;
                        }
                    }
                }
                Ok(())
            }
        })
    }

    /// The results of a bound of a slice; null where there is none.
    fn bounds(&self, bound: Option<&Ast<'_>>, scope: Scope<'_>) -> Flow<Vec<Value>> {
        match bound {
            Some(bound) => self.collect(bound, scope),
            None => Ok(vec![Value::Null]),
        }
    }

    /// `.key`, the key being part of the source.
    pub(super) fn member(&self, value: &Value, key: &str) -> Flow<Value> {
        self.pay(budget::text(key.len()))?;
        match value {
            Value::Null => Ok(Value::Null),
            Value::Object(object) => Ok(object.entries.get(key).cloned().unwrap_or(Value::Null)),
            other => raise(format!("cannot read `{key}` of {}", other.type_name())),
        }
    }

    /// `value[index]`
    pub(super) fn index(&self, value: &Value, index: &Value) -> Flow<Value> {
        self.pay(index.weight())?;
        match (value, index) {
            (Value::Null, _) => Ok(Value::Null),
            (Value::Object(object), Value::String(key)) => Ok(object.entries.get(key).cloned().unwrap_or(Value::Null)),
            (Value::Array(array), Value::Number(number)) => {
                let place = number.as_index().and_then(|index| {
                    let length = i64::try_from(array.items.len()).ok()?;
                    let index = if index < 0 { index + length } else { index };
                    usize::try_from(index).ok()
                });
                let found = place.and_then(|place| array.items.get(place));
                Ok(found.cloned().unwrap_or(Value::Null))
            }
            (value, index) => raise(format!("cannot index {} with {}", value.type_name(), index.type_name())),
        }
    }

    /// `value[from:to]`
    fn slice(&self, value: &Value, from: &Value, to: &Value) -> Flow<Value> {
        match value {
            Value::Null => Ok(Value::Null),
            Value::Array(array) => {
                let length = array.items.len();
                let from = slice_bound(from, length, 0)?;
                let to = slice_bound(to, length, length)?;
                let items = array.items.get(from..to.max(from)).unwrap_or_default();
                self.array(items.to_vec())
            }
            Value::String(text) => {
                // Characters have to be counted.
                self.pay(budget::text(text.len()))?;
                let length = text.chars().count();
                let from = slice_bound(from, length, 0)?;
                let to = slice_bound(to, length, length)?;
                let kept = text.chars().skip(from).take(to.saturating_sub(from));
                self.text(kept.collect::<String>())
            }
            other => raise(format!("cannot slice {}", other.type_name())),
        }
    }
}

/// A bound of a slice, counted from the end where it is negative, within the length.
fn slice_bound(bound: &Value, length: usize, absent: usize) -> Flow<usize> {
    let number = match bound {
        Value::Null => return Ok(absent),
        Value::Number(number) => number,
        other => {
            return raise(format!("cannot slice with {}", other.type_name()));
        }
    };
    let index = number.as_index().unwrap_or_else(|| {
        // Further than any value is long.
        let behind = number.compare(&Number::integer(0)).is_lt();
        if behind { i64::MIN } else { i64::MAX }
    });
    let size = i64::try_from(length).unwrap_or(i64::MAX);
    let index = if index < 0 { index.saturating_add(size).max(0) } else { index };
    Ok(usize::try_from(index).unwrap_or(usize::MAX).min(length))
}
