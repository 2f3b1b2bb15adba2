//! Workflows as drawings: DOT (Graphviz) and Mermaid.
//!
//! Steps stand in the order of the file; those of `on_failure` stand apart. An arrow that follows from others is left
//! out. With states, a run is drawn: each step says how far it is.

mod dot;
mod mermaid;

#[cfg(test)]
mod tests;

use crate::definition::{CallTemplate, Definition, HttpTarget, Kind, Step, StepIndex};

/// How far a step of a run is.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct NodeState {
    /// What stands in the node.
    pub label: String,
    /// How the node looks.
    pub class: NodeClass,
}

/// How a node looks.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum NodeClass {
    /// It has not begun.
    Waiting,
    /// It is being carried out.
    Running,
    /// It was carried out.
    Done,
    /// It failed.
    Failed,
    /// It was left out.
    Skipped,
    /// It was undone.
    Undone,
    /// It waits for an operator.
    Stuck,
}

/// Says how far each step is; nothing for a step of which nothing is to be said.
pub type States<'s> = &'s dyn Fn(StepIndex) -> Option<NodeState>;

impl NodeClass {
    const ALL: [Self; 7] =
        [Self::Waiting, Self::Running, Self::Done, Self::Failed, Self::Skipped, Self::Undone, Self::Stuck];

    fn name(self) -> &'static str {
        match self {
            Self::Waiting => "waiting",
            Self::Running => "running",
            Self::Done => "done",
            Self::Failed => "failed",
            Self::Skipped => "skipped",
            Self::Undone => "undone",
            Self::Stuck => "stuck",
        }
    }

    fn colour(self) -> &'static str {
        match self {
            Self::Waiting => "#f8f9fa",
            Self::Running => "#cfe2ff",
            Self::Done => "#d1e7dd",
            Self::Failed => "#f8d7da",
            Self::Skipped => "#e2e3e5",
            Self::Undone => "#fff3cd",
            Self::Stuck => "#f1aeb5",
        }
    }
}

impl Definition {
    /// The workflow in DOT, with the states of a run where they are given.
    pub fn to_dot(&self, states: Option<States<'_>>) -> String {
        dot::draw(self, states)
    }

    /// The workflow in Mermaid, with the states of a run where they are given.
    pub fn to_mermaid(&self, states: Option<States<'_>>) -> String {
        mermaid::draw(self, states)
    }

    /// The steps in the order of the file, with what is to be said of each.
    fn nodes<'d>(&'d self, states: Option<States<'d>>) -> impl Iterator<Item = Node<'d>> {
        self.all_steps().iter().enumerate().map(move |(place, step)| {
            let index = StepIndex::at(place);
            Node { index, step, state: states.and_then(|state| state(index)) }
        })
    }

    /// The arrows that do not follow from others.
    fn arrows(&self) -> impl Iterator<Item = (StepIndex, StepIndex)> {
        self.all_steps().iter().enumerate().flat_map(move |(place, step)| {
            let follows = move |from: StepIndex| step.after.iter().any(|between| self.is_ancestor(from, *between));
            let direct = step.after.iter().copied().filter(move |from| !follows(*from));
            direct.map(move |from| (from, StepIndex::at(place)))
        })
    }
}

/// A step and what is to be said of it.
struct Node<'d> {
    index: StepIndex,
    step: &'d Step,
    state: Option<NodeState>,
}

impl Node<'_> {
    /// The lines in the node, as yet without any escapes.
    fn lines(&self) -> Vec<String> {
        let mut lines = vec![self.step.name.to_string()];
        match &self.step.kind {
            Kind::Call(call) => lines.push(called(&call.template)),
            Kind::Value(_) => lines.push("value".to_owned()),
        }
        if let Some(when) = &self.step.when {
            lines.push(format!("when {}", shortened(when.source().trim())));
        }
        if let Some(undo) = &self.step.compensate {
            lines.push(format!("undo: {}", called(&undo.call.template)));
        }
        if self.step.pivot {
            lines.push("pivot".to_owned());
        }
        if self.step.optional {
            lines.push("optional".to_owned());
        }
        lines.extend(self.state.iter().map(|state| state.label.clone()));
        lines
    }
}

fn called(call: &CallTemplate) -> String {
    match call {
        CallTemplate::Task(task) => format!("task {}", task.name),
        CallTemplate::Http(http) => match &http.target {
            HttpTarget::Service { name, .. } => format!("{} {name}", http.method),
            HttpTarget::Url(_) => format!("{} a URL", http.method),
        },
    }
}

fn shortened(text: &str) -> String {
    const SHOWN: usize = 60;
    match text.char_indices().nth(SHOWN) {
        Some((cut, _)) => format!("{}…", text.get(..cut).unwrap_or_default()),
        None => text.to_owned(),
    }
}
