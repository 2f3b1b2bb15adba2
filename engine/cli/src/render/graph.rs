//! Workflows as drawings, in DOT and Mermaid; runs with their states.

use std::fmt::Write;

use engine_core::definition::{CallTemplate, Definition, HttpTarget, Kind, Step};
use engine_core::state::{Forward, State, UndoStatus};

use crate::report::is_residue;

/// How a step is drawn.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Look {
    Plain,
    Done,
    Active,
    Failed,
    Stuck,
    Undone,
    Remains,
    Skipped,
}

impl Look {
    const ALL: [Self; 8] =
        [Self::Plain, Self::Done, Self::Active, Self::Failed, Self::Stuck, Self::Undone, Self::Remains, Self::Skipped];

    fn name(self) -> &'static str {
        match self {
            Self::Plain => "plain",
            Self::Done => "done",
            Self::Active => "active",
            Self::Failed => "failed",
            Self::Stuck => "stuck",
            Self::Undone => "undone",
            Self::Remains => "remains",
            Self::Skipped => "skipped",
        }
    }

    fn fill(self) -> &'static str {
        match self {
            Self::Plain => "#ffffff",
            Self::Done => "#c8e6c9",
            Self::Active => "#bbdefb",
            Self::Failed => "#ffcdd2",
            Self::Stuck => "#ffe082",
            Self::Undone => "#e1bee7",
            Self::Remains => "#ffab91",
            Self::Skipped => "#eeeeee",
        }
    }

    fn of(step: &Step, state: Option<&State>) -> Self {
        let Some(run) = state else { return Self::Plain };
        let state = run.step(&step.name);
        if is_residue(run, &step.name) {
            return Self::Remains;
        }
        match (state.undo.status, state.forward) {
            (UndoStatus::Stuck, _) | (UndoStatus::NotBegun, Forward::Stuck) => Self::Stuck,
            (UndoStatus::Undone, _) => Self::Undone,
            // Given up: its effect was to be undone, and is still there.
            (UndoStatus::Skipped, _) => Self::Remains,
            (UndoStatus::InFlight | UndoStatus::BackingOff { .. } | UndoStatus::Parked, _) => Self::Active,
            (UndoStatus::NotBegun, forward) => match forward {
                Forward::Pending => Self::Plain,
                Forward::InFlight | Forward::BackingOff { .. } | Forward::Parked => Self::Active,
                Forward::Stuck => Self::Stuck,
                Forward::Done => Self::Done,
                Forward::Skipped(_) => Self::Skipped,
                Forward::Failed { .. } => Self::Failed,
            },
        }
    }
}

/// The lines of a step's box.
fn label(step: &Step, state: Option<&State>) -> Vec<String> {
    let does = match &step.kind {
        Kind::Call(call) => match &call.template {
            CallTemplate::Task(task) => format!("task {}", task.name),
            CallTemplate::Http(http) => match &http.target {
                HttpTarget::Service { name, .. } => format!("{} {name}", http.method),
                HttpTarget::Url(_) => format!("{} URL", http.method),
            },
        },
        Kind::Value(_) => "value".to_owned(),
    };
    let mut lines = vec![step.name.to_string(), does];
    let marks = [(step.pivot, "pivot"), (step.optional, "optional"), (step.compensate.is_some(), "can be undone")];
    let marks: Vec<&str> = marks.into_iter().filter(|(holds, _)| *holds).map(|(_, mark)| mark).collect();
    if !marks.is_empty() {
        lines.push(marks.join(", "));
    }
    let look = Look::of(step, state);
    if state.is_some() && look != Look::Plain {
        lines.push(if look == Look::Remains { "not undone" } else { look.name() }.to_owned());
    }
    lines
}

/// A drawing in the language of Graphviz.
pub(crate) fn dot(definition: &Definition, state: Option<&State>) -> String {
    let mut text = format!("digraph {} {{\n  rankdir=TB;\n", quoted(definition.name().as_str()));
    text.push_str("  node [shape=box, style=\"rounded,filled\", fillcolor=\"#ffffff\", fontname=\"sans-serif\"];\n");
    let node = |step: &Step| {
        let fill = Look::of(step, state).fill();
        let pivot = if step.pivot { ", penwidth=3" } else { "" };
        let label = quoted(&label(step, state).join("\n"));
        format!("{} [label={label}, fillcolor=\"{fill}\"{pivot}];\n", quoted(step.name.as_str()))
    };
    for step in definition.steps() {
        text.push_str("  ");
        text.push_str(&node(step));
    }
    if !definition.on_failure().is_empty() {
        text.push_str("  subgraph cluster_on_failure {\n    label=\"on failure\";\n    style=dashed;\n");
        for step in definition.on_failure() {
            text.push_str("    ");
            text.push_str(&node(step));
        }
        text.push_str("  }\n");
    }
    for (from, to, optional) in edges(definition) {
        let style = if optional { " [style=dashed]" } else { "" };
        // A String takes everything.
        let _ = writeln!(text, "  {} -> {}{style};", quoted(&from.name.to_string()), quoted(&to.name.to_string()));
    }
    text.push_str("}\n");
    text
}

/// A drawing in Mermaid.
pub(crate) fn mermaid(definition: &Definition, state: Option<&State>) -> String {
    let mut text = String::from("flowchart TD\n");
    // Names may be words of the language, as `end`.
    let node = |step: &Step| {
        let lines: Vec<String> = label(step, state).iter().map(|line| line.replace('"', "#quot;")).collect();
        let (open, close) = if step.pivot { ("{{", "}}") } else { ("(", ")") };
        let class = if state.is_some() { format!(":::{}", Look::of(step, state).name()) } else { String::new() };
        format!("step_{}{open}\"{}\"{close}{class}\n", step.name, lines.join("<br/>"))
    };
    for step in definition.steps() {
        text.push_str("  ");
        text.push_str(&node(step));
    }
    if !definition.on_failure().is_empty() {
        text.push_str("  subgraph on_failure [on failure]\n");
        for step in definition.on_failure() {
            text.push_str("    ");
            text.push_str(&node(step));
        }
        text.push_str("  end\n");
    }
    for (from, to, optional) in edges(definition) {
        let arrow = if optional { "-.->" } else { "-->" };
        let _ = writeln!(text, "  step_{} {arrow} step_{}", from.name, to.name);
    }
    if state.is_some() {
        for look in Look::ALL {
            let _ = writeln!(text, "  classDef {} fill:{},color:#000000,stroke:#555555", look.name(), look.fill());
        }
    }
    text
}

/// From which step to which; whether the second is optional.
fn edges(definition: &Definition) -> impl Iterator<Item = (&Step, &Step, bool)> {
    definition
        .all_steps()
        .iter()
        .flat_map(move |step| step.after.iter().map(move |before| (definition.step(*before), step, step.optional)))
}

fn quoted(text: &str) -> String {
    format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::render::sample;

    #[test]
    fn a_workflow_is_drawn() {
        let definition = sample::definition();
        let dot = dot(&definition, None);
        for expected in [
            "digraph \"order_saga\" {",
            r##"  "charge" [label="charge\nPOST payment\ncan be undone", fillcolor="#ffffff"];"##,
            "penwidth=3",
            "  \"charge\" -> \"record\";",
            "  \"record\" -> \"tell\" [style=dashed];",
            "subgraph cluster_on_failure",
        ] {
            assert!(dot.contains(expected), "{expected}\n{dot}");
        }
        let mermaid = mermaid(&definition, None);
        for expected in [
            "flowchart TD\n",
            "  step_record{{\"record<br/>POST order<br/>pivot\"}}\n",
            "  step_record -.-> step_tell\n",
            "  subgraph on_failure [on failure]\n    step_mark(",
        ] {
            assert!(mermaid.contains(expected), "{expected}\n{mermaid}");
        }
    }

    #[test]
    fn a_run_is_drawn_with_its_states() {
        let definition = sample::definition();
        let state = State::fold(sample::run(), sample::compensated()).unwrap();
        let mermaid = mermaid(&definition, Some(&state));
        assert!(mermaid.contains("can be undone<br/>undone\"):::undone"), "{mermaid}");
        assert!(mermaid.contains(":::failed"), "{mermaid}");
        assert!(dot(&definition, Some(&state)).contains("#e1bee7"));
    }
}
