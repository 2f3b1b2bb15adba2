//! DOT, the language of Graphviz.

use std::fmt::Write as _;

use super::{Node, States};
use crate::definition::Definition;

pub(super) fn draw(definition: &Definition, states: Option<States<'_>>) -> String {
    let mut text = format!("digraph {} {{\n", quoted(definition.name().as_str()));
    text.push_str(
        "  rankdir=TB;\n  node [shape=box, style=\"rounded,filled\", fillcolor=white, fontname=\"sans-serif\"];\n",
    );
    let (main, on_failure): (Vec<_>, Vec<_>) =
        definition.nodes(states).partition(|node| !definition.is_on_failure(node.index));
    for found in &main {
        node(&mut text, "  ", found);
    }
    if !on_failure.is_empty() {
        text.push_str("  subgraph \"cluster_on_failure\" {\n    label=\"on failure\";\n    style=dashed;\n");
        for found in &on_failure {
            node(&mut text, "    ", found);
        }
        text.push_str("  }\n");
    }
    for (from, to) in definition.arrows() {
        let (from, to) = (&definition.step(from).name, &definition.step(to).name);
        // A text grows without limits.
        let _ = writeln!(text, "  {} -> {};", quoted(from.as_str()), quoted(to.as_str()));
    }
    text.push_str("}\n");
    text
}

fn node(text: &mut String, indent: &str, node: &Node<'_>) {
    let mut attributes = format!("label={}", quoted(&node.lines().join("\n")));
    if node.step.pivot {
        attributes.push_str(", peripheries=2");
    }
    if node.step.optional {
        attributes.push_str(", style=\"rounded,filled,dashed\"");
    }
    if let Some(state) = &node.state {
        let _ = write!(attributes, ", class=\"{}\", fillcolor=\"{}\"", state.class.name(), state.class.colour());
    }
    let _ = writeln!(text, "{indent}{} [{attributes}];", quoted(node.step.name.as_str()));
}

/// A string of DOT. Line breaks become `\n`; every other backslash is doubled, as DOT has escapes of its own.
fn quoted(text: &str) -> String {
    let mut quoted = String::from("\"");
    for c in text.chars() {
        match c {
            '"' => quoted.push_str("\\\""),
            '\\' => quoted.push_str("\\\\"),
            '\n' => quoted.push_str("\\n"),
            c if c.is_control() => quoted.push(' '),
            c => quoted.push(c),
        }
    }
    quoted.push('"');
    quoted
}
