//! Mermaid flowcharts, which Markdown viewers draw.

use std::fmt::Write as _;

use super::{Node, NodeClass, States};
use crate::definition::Definition;

pub(super) fn draw(definition: &Definition, states: Option<States<'_>>) -> String {
    let mut text = String::from("flowchart TD\n");
    let (main, on_failure): (Vec<_>, Vec<_>) =
        definition.nodes(states).partition(|node| !definition.is_on_failure(node.index));
    for found in &main {
        node(&mut text, "  ", found);
    }
    if !on_failure.is_empty() {
        text.push_str("  subgraph on_failure [\"on failure\"]\n");
        for found in &on_failure {
            node(&mut text, "    ", found);
        }
        text.push_str("  end\n");
    }
    for (from, to) in definition.arrows() {
        // A text grows without limits.
        let _ = writeln!(text, "  s{} --> s{}", from.get(), to.get());
    }
    let nodes: Vec<_> = main.iter().chain(&on_failure).collect();
    let optional = nodes.iter().filter(|node| node.step.optional);
    class(&mut text, "optional", "stroke-dasharray: 4 3", optional);
    for look in NodeClass::ALL {
        let alike = nodes.iter().filter(|node| node.state.as_ref().is_some_and(|state| state.class == look));
        class(&mut text, look.name(), &format!("fill: {}", look.colour()), alike);
    }
    text
}

/// Steps are numbered: some of their names, as `end`, are words of the language.
fn node(text: &mut String, indent: &str, node: &Node<'_>) {
    let label = node.lines().iter().map(|line| escaped(line)).collect::<Vec<_>>().join("<br/>");
    let (open, close) = if node.step.pivot { ("{{", "}}") } else { ("[", "]") };
    let _ = writeln!(text, "{indent}s{}{open}\"{label}\"{close}", node.index.get());
}

fn class<'n>(text: &mut String, name: &str, style: &str, nodes: impl Iterator<Item = &'n &'n Node<'n>>) {
    let members: Vec<_> = nodes.map(|node| format!("s{}", node.index.get())).collect();
    if !members.is_empty() {
        let _ = writeln!(text, "  classDef {name} {style}\n  class {} {name}", members.join(","));
    }
}

/// A text in a label: everything that Mermaid or HTML would act on is named by its number.
fn escaped(text: &str) -> String {
    let mut escaped = String::new();
    for c in text.chars() {
        match c {
            '\n' => escaped.push_str("<br/>"),
            c if c.is_control() => escaped.push(' '),
            '"' | '#' | '&' | '<' | '>' | '`' | '\\' | ';' | '[' | ']' | '{' | '}' => {
                let _ = write!(escaped, "#{};", u32::from(c));
            }
            c => escaped.push(c),
        }
    }
    escaped
}
