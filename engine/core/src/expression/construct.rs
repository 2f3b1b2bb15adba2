//! Strings with interpolation, objects, and patterns that take values apart.

use super::budget;
use super::evaluate::{Binding, Evaluator, Output, Scope, with_stack};
use super::failure::{Flow, raise};
use super::natives::format;
use super::parse::{Ast, position};
use super::value::{Entries, Value};
use jaq_core::load::lex::StrPart;
use jaq_core::load::parse::{Pattern, Term};
use std::sync::Arc;

/// Takes the variables that a pattern has bound.
type Bound<'b> = &'b mut dyn FnMut(Option<&Binding<'_>>) -> Flow;

impl Evaluator<'_> {
    /// `"text \(term) text"`, the results of terms written by a format such as `@uri`.
    pub(super) fn interpolate(
        &self,
        format: &str,
        parts: &[StrPart<&str, Ast<'_>>],
        scope: Scope<'_>,
        mut text: String,
        out: Output<'_>,
    ) -> Flow {
        let mut rest = parts;
        while let Some((part, after)) = rest.split_first() {
            rest = after;
            match part {
                StrPart::Str(literal) => text.push_str(literal),
                StrPart::Char(character) => text.push(*character),
                StrPart::Term(term) => {
                    return self.evaluate(term, scope, &mut |value| {
                        let written =
                            format::write(self, format, &value).map_err(|stop| stop.at(position(self.source, term)))?;
                        // Every result starts from a copy of what stands before it.
                        self.pay(budget::text(text.len() + written.len()))?;
                        let text = format!("{text}{written}");
                        with_stack(|| self.interpolate(format, rest, scope, text, out))
                    });
                }
            }
        }
        out(self.text(text)?)
    }

    /// `{key: value, …}` with every combination of the results of keys and values.
    pub(super) fn construct(
        &self,
        parts: &[(Ast<'_>, Option<Ast<'_>>)],
        scope: Scope<'_>,
        entries: Entries,
        out: Output<'_>,
    ) -> Flow {
        let Some(((key, value), rest)) = parts.split_first() else {
            return out(self.object(entries)?);
        };
        let mut put = |key: Value, value: Value| {
            let Value::String(key) = key else {
                return raise(format!("object keys must be strings, not {}", key.type_name()));
            };
            // The copy of what stands before it.
            self.pay(budget::object(entries.len()))?;
            self.pay(budget::text(key.len()))?;
            let mut entries = entries.clone();
            entries.insert(key, value);
            with_stack(|| self.construct(rest, scope, entries, out))
        };
        let place = || position(self.source, key);
        match (key, value) {
            // `{$name}`
            (Term::Var(name), None) => {
                self.evaluate(key, scope, &mut |value| put(Value::string(name.trim_start_matches('$')), value))
            }
            // `{name}`
            (key, None) => self.evaluate(key, scope, &mut |key| {
                let value = self.index(scope.input, &key);
                put(key, value.map_err(|stop| stop.at(place()))?)
            }),
            (key, Some(value)) => self.evaluate(key, scope, &mut |key| {
                self.evaluate(value, scope, &mut |value| put(key.clone(), value).map_err(|stop| stop.at(place())))
            }),
        }
    }

    /// Takes a value apart by a pattern and goes on with the variables that it binds.
    pub(super) fn bind(&self, pattern: &Pattern<&str>, value: &Value, scope: Scope<'_>, go_on: Bound<'_>) -> Flow {
        match pattern {
            Pattern::Var(name) => go_on(Some(&Binding { name, value: value.clone(), outer: scope.variables })),
            Pattern::Arr(items) => {
                let keys = (0..items.len()).map(Value::count);
                let parts: Vec<_> = keys.zip(items).collect();
                self.bind_all(&parts, value, scope, go_on)
            }
            Pattern::Obj(entries) => {
                let mut parts = Vec::new();
                for (key, inner) in entries {
                    parts.push((self.pattern_key(key, scope)?, inner));
                }
                self.bind_all(&parts, value, scope, go_on)
            }
        }
    }

    /// A key of a pattern: a string without interpolation, or a variable.
    fn pattern_key(&self, key: &Ast<'_>, scope: Scope<'_>) -> Flow<Value> {
        let mut found = Value::Null;
        self.evaluate(key, scope, &mut |key| {
            found = key;
            Ok(())
        })?;
        Ok(found)
    }

    fn bind_all(&self, parts: &[(Value, &Pattern<&str>)], value: &Value, scope: Scope<'_>, go_on: Bound<'_>) -> Flow {
        let Some(((key, pattern), rest)) = parts.split_first() else {
            return go_on(scope.variables);
        };
        let part = self.index(value, key)?;
        with_stack(|| {
            self.bind(pattern, &part, scope, &mut |variables| {
                let input = scope.input;
                self.bind_all(rest, value, Scope { input, variables }, go_on)
            })
        })
    }
}

/// Keeps a key shared with the value it came from.
pub(super) fn shared_key(key: &Arc<str>) -> Value {
    Value::String(Arc::clone(key))
}
