//! The documents that expressions read, put together from state and supplied payloads.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::event::StopCause;
use crate::expression::{Expression, Template, Value};
use crate::failure::{Effect, Failure};
use crate::id::{Name, Seq};
use crate::machine::Needs;
use crate::payload::Held;
use crate::state::{Forward, State};

/// Where payloads are looked up.
#[derive(Clone, Copy)]
pub(super) struct Data<'a> {
    pub(super) state: &'a State,
    pub(super) supplied: &'a BTreeMap<Seq, Arc<[u8]>>,
}

/// What some expressions read together; nothing else is loaded for them.
#[derive(Default)]
pub(super) struct Reads<'a> {
    roots: BTreeSet<&'a str>,
    steps: BTreeSet<&'a str>,
}

impl<'a> Reads<'a> {
    pub(super) fn template(self, template: &'a Template) -> Self {
        template.expressions().into_iter().fold(self, Self::expression)
    }

    pub(super) fn templates(self, templates: impl IntoIterator<Item = &'a Template>) -> Self {
        templates.into_iter().fold(self, Self::template)
    }

    pub(super) fn expression(mut self, expression: &'a Expression) -> Self {
        self.roots.extend(expression.roots().iter().map(String::as_str));
        self.steps.extend(expression.steps().iter().map(String::as_str));
        self
    }
}

/// A document under construction.
pub(super) struct Document<'a> {
    data: Data<'a>,
    reads: Reads<'a>,
    own: Option<&'a Name>,
    fields: Vec<(String, Value)>,
}

impl<'a> Document<'a> {
    pub(super) fn new(data: Data<'a>, reads: Reads<'a>) -> Self {
        Self { data, reads, own: None, fields: Vec::new() }
    }

    /// The step whose own output may be read although it failed, as compensations do.
    pub(super) fn own_step(mut self, name: &'a Name) -> Self {
        self.own = Some(name);
        self
    }

    /// Adds what a further root stands for, where it is read.
    pub(super) fn with(mut self, root: &str, value: impl FnOnce() -> Value) -> Self {
        if self.reads.roots.contains(root) {
            self.fields.push((root.to_owned(), value()));
        }
        self
    }

    /// The document, once every payload that its readers name is there.
    pub(super) fn build(self) -> Result<Value, Needs> {
        let Self { data, reads, own, mut fields } = self;
        let mut missing = Vec::new();
        if reads.roots.contains("input") {
            fields.push(("input".to_owned(), data.read(&data.state.input, &mut missing)));
        }
        if reads.roots.contains("run") {
            fields.push(("run".to_owned(), run_document(data.state)));
        }
        if reads.roots.contains("steps") {
            let outputs = reads.steps.iter().map(|name| {
                let step = Name::from(*name);
                ((*name).to_owned(), data.output(&step, own == Some(&step), &mut missing))
            });
            fields.push(("steps".to_owned(), Value::object(outputs.collect::<Vec<_>>())));
        }
        if missing.is_empty() { Ok(Value::object(fields)) } else { Err(Needs(missing)) }
    }
}

impl<'a> Data<'a> {
    /// The bytes of a payload, if they are at hand.
    fn bytes<'h>(&self, held: &'h Held) -> Option<&'h Arc<[u8]>>
    where
        'a: 'h,
    {
        held.small.as_ref().or_else(|| self.supplied.get(&held.seq))
    }

    fn read(&self, held: &Held, missing: &mut Vec<Seq>) -> Value {
        let Some(bytes) = self.bytes(held) else {
            missing.push(held.seq);
            return Value::null();
        };
        // Payloads were checked before they were recorded.
        Value::from_slice(bytes).unwrap_or_else(|_| Value::null())
    }

    /// What a step gives to others: null unless it was carried out.
    pub(super) fn output(&self, name: &Name, even_if_failed: bool, missing: &mut Vec<Seq>) -> Value {
        let step = self.state.step(name);
        match &step.output {
            Some(held) if step.forward == Forward::Done || even_if_failed => self.read(held, missing),
            Some(_) | None => Value::null(),
        }
    }
}

fn run_document(state: &State) -> Value {
    let text = |text: String| Value::string(text);
    let started = i64::try_from(state.started_at.millis()).ok();
    let started = started.and_then(|millis| jiff::Timestamp::from_millisecond(millis).ok());
    let id = state.run.to_string();
    let entries = [
        ("workflow_id", text(state.workflow_id.clone().unwrap_or_else(|| id.clone()))),
        ("id", text(id)),
        ("workflow", text(state.workflow.to_string())),
        ("started_at", started.map_or_else(Value::null, |at| text(at.to_string()))),
        ("scheduled_for", Value::null()),
        ("url", Value::null()),
    ];
    Value::object(entries.map(|(key, value)| (key.to_owned(), value)))
}

/// What a compensation reads as `.forward`.
pub(super) fn forward_document(key: &str, effect: Effect) -> Value {
    let entries = [("key", Value::string(key)), ("effect", Value::string(effect.to_string()))];
    Value::object(entries.map(|(key, value)| (key.to_owned(), value)))
}

/// What `on_failure` reads as `.error`: why the run stopped, and the failures of all its steps.
pub(super) fn error_document(state: &State) -> Value {
    let first = state.failures.first().map(|first| failure_entries(&first.failure, Some(&first.step)));
    let mut entries = match (&state.stop, first) {
        (Some(StopCause::Cancelled), _) => failure_entries(&Failure::new("CANCELLED", "the run was cancelled"), None),
        (Some(StopCause::StepFailed(_)), Some(first)) => first,
        (Some(StopCause::Timeout | StopCause::StepFailed(_)) | None, _) => {
            failure_entries(&Failure::new("RUN_TIMEOUT", "the run took longer than its timeout"), None)
        }
    };
    let all = state.failures.iter().map(|each| failure_json(&each.failure, Some(&each.step)));
    let all = serde_json::Value::Array(all.collect());
    entries.insert("all".to_owned(), all);
    Value::from_json(&serde_json::Value::Object(entries)).unwrap_or_else(|_| Value::null())
}

fn failure_json(failure: &Failure, step: Option<&Name>) -> serde_json::Value {
    serde_json::Value::Object(failure_entries(failure, step))
}

fn failure_entries(failure: &Failure, step: Option<&Name>) -> serde_json::Map<String, serde_json::Value> {
    let mut entries = serde_json::Map::new();
    entries.insert("code".to_owned(), failure.code.clone().into());
    entries.insert("message".to_owned(), failure.message.clone().into());
    entries.insert("step".to_owned(), step.map(Name::to_string).into());
    entries.insert("status".to_owned(), failure.status.into());
    entries
}
