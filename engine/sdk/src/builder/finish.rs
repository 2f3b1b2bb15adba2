//! From what was gathered to a definition: what the types could not check is checked here.

use std::sync::Arc;

use engine_core::definition::Definition;
use engine_core::format::{self, DefinitionErrors, IfSkipped};
use serde_json::Value;

use super::problem::{DefinitionError, Problem};
use super::state::{Node, Place, State, Use};
use crate::workflow::Built;

impl State {
    /// The workflow, whose runs give `output`. Everything that is wrong is listed.
    pub(super) fn finish(&mut self, output: Value, at: Place) -> Result<Built, DefinitionError> {
        let mut problems = self.problems.clone();
        problems.extend(self.uses.iter().filter_map(|each| self.misused(each)));
        let file = self.file(output, &mut problems);
        self.place("/output", at);
        let (definition, more) = match define(&file) {
            Ok(definition) => (Some(definition), 0),
            Err(errors) => {
                let found = errors.problems.into_iter().map(|problem| self.placed(&problem.pointer, &problem.message));
                problems.extend(found);
                (None, errors.more)
            }
        };
        match definition {
            Some(definition) if problems.is_empty() => Ok(Built {
                digest: definition.digest().to_string(),
                definition: Arc::new(definition),
                tasks: self.tasks.clone(),
                needs: self.needs.clone(),
                input: self.input,
            }),
            _ => {
                problems.sort_by_key(|problem| (problem.at.file(), problem.at.line(), problem.at.column()));
                problems.dedup();
                Err(DefinitionError { workflow: self.file.name.clone(), problems, more })
            }
        }
    }

    /// Why the output of a step can't be used like this, if so. Only now is known whether it is optional.
    fn misused(&self, each: &Use) -> Option<Problem> {
        let of = self.nodes.get(each.of)?;
        if each.takes_none {
            return None;
        }
        let (reader, name) = (self.reader(each.reader), &of.name);
        let reads_itself = each.reader.undoes && each.reader.node == Some(each.of);
        let is_on_failure = each.reader.node.and_then(|node| self.nodes.get(node)).is_some_and(|node| node.on_failure);
        let message = if reads_itself {
            format!("{reader} is told what `{name}` gave by its `Outcome`; taken as an argument it may have no value")
        } else if of.is_maybe() {
            format!(
                "{reader} takes what `{name}` gives, which may be nothing, as `{name}` is optional or has a condition: \
                 use the handle that `.optional()` or `.when(..)` has returned, and take an `Option<_>`"
            )
        } else if is_on_failure && !of.on_failure {
            format!("{reader} follows a failure, and then `{name}` need not have been carried out: take an `Option<_>`")
        } else {
            return None;
        };
        Some(Problem::new(each.reader.at, message))
    }

    /// The workflow file.
    fn file(&self, output: Value, problems: &mut Vec<Problem>) -> format::Workflow {
        let mut file = self.file.clone();
        for (index, node) in self.nodes.iter().enumerate() {
            let step = format::Step {
                after: self.after(node),
                if_skipped: node.step.if_skipped.or(self.if_skipped(index, node)),
                compensate: Self::compensation(&node.undo).unwrap_or_else(|at| {
                    let message = format!("`{}` has no compensation: say `.compensate(..)` too", node.name);
                    problems.push(Problem::new(at, message));
                    None
                }),
                ..node.step.clone()
            };
            let part = if node.on_failure { file.on_failure.get_or_insert_default() } else { &mut file.steps };
            part.0.entry(node.name.clone()).or_insert(step);
        }
        file.output = Some(output);
        file
    }

    fn after(&self, node: &Node) -> Option<Vec<String>> {
        let names: Vec<String> = node.after.iter().map(|after| self.name_of(*after).to_owned()).collect();
        Some(names).filter(|names| !names.is_empty())
    }

    /// A step that says how it deals with outputs that are not there runs also where none is.
    fn if_skipped(&self, index: usize, node: &Node) -> Option<IfSkipped> {
        let uses = self.uses.iter().filter(|each| each.reader.node == Some(index) && !each.reader.undoes);
        // Steps that follow a failure come after none of the workflow's own, whatever they take of them.
        let beside = |each: &&Use| self.nodes.get(each.of).is_some_and(|of| of.on_failure == node.on_failure);
        let uses = uses.filter(beside);
        let mut before = uses.map(|each| each.of).chain(node.after.iter().copied()).peekable();
        let comes_after_some = before.peek().is_some();
        let may_all_be_skipped = before.all(|before| self.nodes.get(before).is_some_and(Node::is_maybe));
        (comes_after_some && may_all_be_skipped).then_some(IfSkipped::Run)
    }

    /// A problem of the file, at the place where the nearest part around it was said.
    fn placed(&self, pointer: &str, message: &str) -> Problem {
        let mut around = pointer;
        let at = loop {
            if let Some((_, at)) = self.places.iter().rev().find(|(place, _)| place == around) {
                break Some(*at);
            }
            match around.rsplit_once('/') {
                Some((outer, _)) => around = outer,
                None => break None,
            }
        };
        let message = if pointer.is_empty() { message.to_owned() } else { format!("{pointer}: {message}") };
        // The whole file has a place: where the builder was made.
        Problem::new(at.unwrap_or(std::panic::Location::caller()), message)
    }
}

fn define(file: &format::Workflow) -> Result<Definition, DefinitionErrors> {
    let text = serde_json::to_string(file).unwrap_or_default();
    Definition::from_json(&text)
}
