//! Expressions and templates of the file: what they may read where they stand, and which steps they bind together.

use std::collections::BTreeSet;

use serde_json::Value;

use super::StepIndex;
use super::check::{Checked, Checker, Noted, UndoRead};
use crate::expression::scan::{self, Piece};
use crate::expression::{Expression, Template};
use crate::format::{At, did_you_mean, pointer_to, quoted};

/// Where an expression stands.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Scope {
    /// `when` and `otherwise`: before anything is done.
    Condition,
    /// What a step sends or computes.
    Request,
    /// `expect` and `output`: after the answer.
    Answer,
    /// `compensate` and `unknown`.
    Undo,
    /// The workflow's `output`.
    WorkflowOutput,
}

/// Where an expression stands, and whose it is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Place {
    pub(super) step: Option<StepIndex>,
    pub(super) scope: Scope,
    pub(super) on_failure: bool,
}

impl Place {
    pub(super) fn with(self, scope: Scope) -> Self {
        Self { scope, ..self }
    }

    /// What may follow the first dot.
    fn roots(self) -> Vec<&'static str> {
        let mut roots = vec!["input", "steps", "run"];
        match self.scope {
            Scope::Condition | Scope::WorkflowOutput => {}
            Scope::Request => roots.push("key"),
            Scope::Answer => roots.extend(["key", "output"]),
            Scope::Undo => roots.extend(["key", "forward"]),
        }
        if self.on_failure {
            roots.push("error");
        }
        roots
    }

    /// Whether the step's own output can be read: only where it may be there.
    fn sees_itself(self) -> bool {
        matches!(self.scope, Scope::Answer | Scope::Undo)
    }
}

impl Checker<'_> {
    /// JSON with expressions.
    pub(super) fn template(&mut self, json: &Value, place: Place, pointer: &str) -> Checked<Template> {
        match Template::compile(json, &place.roots()) {
            Ok(template) => {
                self.reads(template.steps().iter(), json, place, pointer);
                self.reads_of_input(&template.inputs(), json, pointer);
                Ok(template)
            }
            Err(error) => {
                let at = At::Inside(error.offset);
                self.findings.add_at(&format!("{pointer}{}", error.pointer), at, || error.message);
                Err(Noted)
            }
        }
    }

    /// A text with expressions.
    pub(super) fn text(&mut self, text: &str, place: Place, pointer: &str) -> Checked<Template> {
        self.template(&Value::String(text.to_owned()), place, pointer)
    }

    /// A text that is one expression and nothing else.
    pub(super) fn condition(&mut self, text: &str, place: Place, pointer: &str) -> Checked<Expression> {
        let source = match scan::split(text).as_deref() {
            Err(error) => {
                self.findings.add_at(pointer, At::Inside(error.offset), || error.message.clone());
                return Err(Noted);
            }
            Ok([Piece::Expression(range)]) => range.clone(),
            Ok(_) => {
                let message = "a condition is one whole expression, as \"${ .input.express }\", with nothing around it";
                self.findings.add(pointer, message);
                return Err(Noted);
            }
        };
        match Expression::compile(text.get(source.clone()).unwrap_or_default(), &place.roots()) {
            Ok(expression) => {
                let json = Value::String(text.to_owned());
                self.reads(expression.steps().iter(), &json, place, pointer);
                self.reads_of_input(expression.inputs(), &json, pointer);
                Ok(expression)
            }
            Err(error) => {
                self.findings.add_at(pointer, At::Inside(source.start + error.offset), || error.message);
                Err(Noted)
            }
        }
    }

    /// Notes which steps an expression reads: it comes after them, or must not read them.
    fn reads<'n>(&mut self, names: impl Iterator<Item = &'n String>, json: &Value, place: Place, pointer: &str) {
        for name in names {
            let Some(read) = self.by_name.get(name.as_str()).copied() else {
                let (below, at) = first_read(json, name);
                let near = self.near_step(name, false);
                let message = || format!("there is no step {}{near}", quoted(name));
                self.findings.add_at(&format!("{pointer}{below}"), at, message);
                continue;
            };
            if let Some(message) = self.forbidden_read(name, read, place) {
                let (below, at) = first_read(json, name);
                self.findings.add_at(&format!("{pointer}{below}"), at, || message);
                continue;
            }
            let Some(reader) = place.step.filter(|reader| *reader != read) else { continue };
            if place.scope == Scope::Undo {
                let (below, at) = first_read(json, name);
                self.undo_reads.push(UndoRead { reader, read, pointer: format!("{pointer}{below}"), at });
            } else if self.is_on_failure(read) == place.on_failure
                && let Some(after) = self.after.get_mut(reader.get())
            {
                after.insert(read);
            }
        }
    }

    /// Notes what is read of the input that its schema does not speak of: that is null, unless the schema is too short.
    fn reads_of_input(&mut self, names: &BTreeSet<String>, json: &Value, pointer: &str) {
        let Some(known) = &self.known_inputs else { return };
        for name in names.iter().filter(|name| !known.contains(*name)) {
            let exact = format!(".input.{name}");
            let place = find_text(json, "", &exact).or_else(|| find_text(json, "", name));
            let (below, at) = place.map_or((String::new(), At::Value), |(below, offset)| (below, At::Inside(offset)));
            let near = did_you_mean(name, known.iter().map(String::as_str));
            let message = || format!("the schema of the input does not speak of {}{near}", quoted(name));
            self.notes.add_at(&format!("{pointer}{below}"), at, message);
        }
    }

    fn forbidden_read(&self, name: &str, read: StepIndex, place: Place) -> Option<String> {
        if place.step == Some(read) && !place.sees_itself() {
            return Some(format!("`{name}` reads its own output here, before it has one"));
        }
        if self.is_on_failure(read) && !place.on_failure {
            return Some(format!("`{name}` is a step of `on_failure`: it runs only after a run has failed"));
        }
        None
    }
}

/// The first string in which `.steps.name` is read, below the pointer of `json`.
fn first_read(json: &Value, name: &str) -> (String, At) {
    let exact = format!(".steps.{name}");
    let place = find_text(json, "", &exact).or_else(|| find_text(json, "", name));
    place.map_or((String::new(), At::Value), |(pointer, offset)| (pointer, At::Inside(offset)))
}

fn find_text(json: &Value, pointer: &str, sought: &str) -> Option<(String, usize)> {
    match json {
        Value::String(text) => text.find(sought).map(|offset| (pointer.to_owned(), offset)),
        Value::Array(items) => {
            let mut items = items.iter().enumerate();
            items.find_map(|(index, item)| find_text(item, &format!("{pointer}/{index}"), sought))
        }
        Value::Object(keys) => keys.iter().find_map(|(key, value)| find_text(value, &pointer_to(pointer, key), sought)),
        Value::Null | Value::Bool(_) | Value::Number(_) => None,
    }
}
