//! What a builder has gathered so far. Nothing here is generic.

use std::panic::Location;

use engine_core::format;
use engine_core::task::{InvalidTaskName, TaskName};
use serde_json::Value;

use super::problem::Problem;
use super::reference;
use super::slot::{BuilderId, Slot, Source};
use crate::registry::{Need, TaskMap, add_task, well_named};
use crate::task::TaskEntry;
use crate::workflow::InputType;

/// A place in the program.
pub(super) type Place = &'static Location<'static>;

#[derive(Debug)]
pub(super) struct State {
    pub(super) id: BuilderId,
    /// The file but for its steps and its output.
    pub(super) file: format::Workflow,
    pub(super) nodes: Vec<Node>,
    /// What ports stand for.
    references: Vec<Reference>,
    pub(super) uses: Vec<Use>,
    pub(super) tasks: TaskMap,
    pub(super) needs: Vec<Need>,
    pub(super) input: Option<InputType>,
    /// Which part of the file was said where, by JSON pointer.
    pub(super) places: Vec<(String, Place)>,
    pub(super) problems: Vec<Problem>,
}

/// The path of an expression, and the step whose output it reads.
#[derive(Clone, Debug)]
struct Reference {
    path: String,
    of: Option<usize>,
}

/// A step.
#[derive(Debug)]
pub(super) struct Node {
    pub(super) name: String,
    pub(super) on_failure: bool,
    pub(super) at: Place,
    /// Whether another step has its name: then it comes to nothing.
    pub(super) is_second: bool,
    pub(super) step: format::Step,
    /// The steps that it was told to come after.
    pub(super) after: Vec<usize>,
    pub(super) undo: Undo,
}

/// What was said of a step's compensation, in any order.
#[derive(Debug, Default)]
pub(super) struct Undo {
    pub(super) call: Option<Called>,
    pub(super) unknown: Option<Called>,
    pub(super) retry: Option<format::Retry>,
    pub(super) timeout: Option<String>,
    /// Where something of it was said first.
    pub(super) at: Option<Place>,
}

/// What a step or a compensation calls.
#[derive(Clone, Debug)]
pub(super) enum Called {
    Http(Box<format::Http>),
    Task(format::Task),
}

/// Where a value is used.
#[derive(Clone, Copy, Debug)]
pub(super) struct Reader {
    /// The step, or the workflow's output.
    pub(super) node: Option<usize>,
    /// Whether its compensation uses it.
    pub(super) undoes: bool,
    pub(super) at: Place,
}

/// That the output of a step is used.
#[derive(Debug)]
pub(super) struct Use {
    pub(super) reader: Reader,
    pub(super) of: usize,
    pub(super) takes_none: bool,
}

impl Node {
    /// Whether it may have no output although the run goes on.
    pub(super) fn is_maybe(&self) -> bool {
        let may_be_skipped =
            self.step.when.is_some() && !matches!(self.step.otherwise, Some(format::WordOr::Object(_)));
        self.step.optional == Some(true) || may_be_skipped
    }

    /// Its JSON pointer.
    pub(super) fn pointer(&self) -> String {
        let part = if self.on_failure { "on_failure" } else { "steps" };
        format!("/{part}/{}", pointer_key(&self.name))
    }
}

impl State {
    pub(super) fn new(name: &str, at: Place) -> Self {
        let file = format::Workflow {
            schema: format::Comment,
            comment: format::Comment,
            format: format::Format::Engine1,
            name: name.to_owned(),
            version: "1.0.0".to_owned(),
            description: None,
            labels: None,
            input: None,
            services: None,
            defaults: None,
            steps: format::Entries::default(),
            on_failure: None,
            output: None,
            timeout: None,
        };
        Self {
            id: BuilderId::next(),
            file,
            nodes: Vec::new(),
            references: Vec::new(),
            uses: Vec::new(),
            tasks: TaskMap::new(),
            needs: Vec::new(),
            input: None,
            places: vec![(String::new(), at)],
            problems: Vec::new(),
        }
    }

    pub(super) fn problem(&mut self, at: Place, message: impl Into<String>) {
        self.problems.push(Problem::new(at, message));
    }

    pub(super) fn place(&mut self, pointer: impl Into<String>, at: Place) {
        self.places.push((pointer.into(), at));
    }

    /// Begins a step; gives it and the reference to its output.
    pub(super) fn declare(&mut self, name: &str, on_failure: bool, at: Place) -> (usize, usize) {
        let first = self.nodes.iter().find(|node| node.name == name).map(|first| first.at);
        if let Some(first) = first {
            self.problem(at, format!("the step name `{name}` is taken: it was first used at {first}"));
        }
        let node = Node {
            name: name.to_owned(),
            on_failure,
            at,
            is_second: first.is_some(),
            step: format::Step::default(),
            after: Vec::new(),
            undo: Undo::default(),
        };
        if first.is_none() {
            self.place(node.pointer(), at);
        }
        self.nodes.push(node);
        let index = self.nodes.len() - 1;
        (index, self.refer(reference::step(name), Some(index)))
    }

    pub(super) fn node(&mut self, index: usize) -> Option<&mut Node> {
        self.nodes.get_mut(index)
    }

    pub(super) fn name_of(&self, index: usize) -> &str {
        self.nodes.get(index).map_or("", |node| node.name.as_str())
    }

    /// Notes that a key of a step was said here.
    pub(super) fn place_of_key(&mut self, index: usize, key: &str, at: Place) {
        if let Some(node) = self.nodes.get(index).filter(|node| !node.is_second) {
            let pointer = format!("{}/{key}", node.pointer());
            self.place(pointer, at);
        }
    }

    /// The path that a reference stands for.
    pub(super) fn path(&self, reference: usize) -> &str {
        self.references.get(reference).map_or("", |reference| reference.path.as_str())
    }

    pub(super) fn refer(&mut self, path: String, of: Option<usize>) -> usize {
        self.references.push(Reference { path, of });
        self.references.len() - 1
    }

    /// What stands below what a reference stands for.
    pub(super) fn refer_below(&mut self, reference: usize, below: impl FnOnce(&str) -> String) -> usize {
        let Some(Reference { path, of }) = self.references.get(reference) else { return reference };
        let (path, of) = (below(path), *of);
        self.refer(path, of)
    }

    /// Adds a task under the name that `name` gives.
    pub(super) fn task(&mut self, name: Result<TaskName, InvalidTaskName>, entry: TaskEntry, at: Place) -> String {
        let added = well_named(name).and_then(|name| {
            let text = name.to_string();
            add_task(&mut self.tasks, name, entry).map(|()| text)
        });
        added.unwrap_or_else(|error| {
            self.problem(at, error.to_string());
            // Named so only that nothing else seems wrong with it.
            "task@1".to_owned()
        })
    }

    /// The JSON of a value, with expressions.
    pub(super) fn resolve(&mut self, slot: Slot, reader: Reader) -> Value {
        match slot.0 {
            Source::Constant(json) => reference::literal(json),
            Source::Template(json) => json,
            Source::List(slots) => self.resolve_all(slots, reader).into(),
            Source::Object(fields) => {
                let fields = fields.into_iter().map(|(key, slot)| (key.to_owned(), self.resolve(slot, reader)));
                Value::Object(fields.collect())
            }
            Source::Text(pieces, values) => self.text(pieces, values, reader).into(),
            Source::Wrong(message) => {
                self.problem(reader.at, message);
                Value::Null
            }
            Source::Port { builder, reference, takes_none } => {
                let reference = self.references.get(reference).filter(|_| builder == self.id).cloned();
                let Some(Reference { path, of }) = reference else {
                    self.foreign(reader);
                    return Value::Null;
                };
                self.uses.extend(of.map(|of| Use { reader, of, takes_none }));
                Value::String(reference::expression(&path))
            }
        }
    }

    pub(super) fn resolve_all(&mut self, slots: Vec<Slot>, reader: Reader) -> Vec<Value> {
        slots.into_iter().map(|slot| self.resolve(slot, reader)).collect()
    }

    /// That something of another builder is used.
    pub(super) fn foreign(&mut self, reader: Reader) {
        let user = self.reader(reader);
        let message =
            format!("{user} uses a port of another workflow: what that gives comes into this one by its input");
        self.problem(reader.at, message);
    }

    /// What uses a value, for messages.
    pub(super) fn reader(&self, reader: Reader) -> String {
        match reader.node {
            None => "the workflow's output".to_owned(),
            Some(node) if reader.undoes => format!("the compensation of `{}`", self.name_of(node)),
            Some(node) => format!("`{}`", self.name_of(node)),
        }
    }
}

/// A key in a JSON pointer.
pub(super) fn pointer_key(key: &str) -> String {
    key.replace('~', "~0").replace('/', "~1")
}
