//! Matches that must say more than the compiler asks: every case by name, and in which order `select!` looks.

use crate::tree::{Source, hold_each};

/// Here a match that names variants names all of them: a new event, input or state must be thought about everywhere.
const EXHAUSTIVE: &[&str] = &["engine/core/src/event.rs", "engine/core/src/machine/", "engine/core/src/state/"];

/// Here it holds for matches over events.
const EXHAUSTIVE_OVER_EVENTS: &[&str] = &["engine/core/src/", "engine/store/src/"];

/// Mock services run in real time only; all else is to run in a simulator too.
const REPEATABLE: &[&str] = &["engine/", "tests/", "workflows/"];

fn catch_alls(source: &Source) -> Vec<String> {
    let Some(variant) = listed_in_full(source) else {
        return Vec::new();
    };
    let lines: Vec<&str> = source.code().map(|(_, line)| line).collect();
    let is_found =
        |&index: &usize| is_catch_all(lines[index]) && arms_before(&lines, index).any(|arm| arm.contains(variant));
    let what = "this arm takes every variant that is not named: name them, so that a new one is thought about";
    (0..lines.len()).filter(is_found).map(|index| source.finding(index + 1, what)).collect()
}

/// What stands in a pattern of this file whose match may not have a catch-all.
fn listed_in_full(source: &Source) -> Option<&'static str> {
    if !source.is_rust() {
        None
    } else if source.is_under(EXHAUSTIVE) {
        Some("::")
    } else {
        source.is_under(EXHAUSTIVE_OVER_EVENTS).then_some("Event::")
    }
}

/// Whether this line starts an arm that takes whatever is left: `_ =>` or `name =>`.
fn is_catch_all(line: &str) -> bool {
    let is_name = |pattern: &str| pattern.chars().all(|letter| letter.is_ascii_lowercase() || letter == '_');
    line.trim_start().split_once(" =>").is_some_and(|(pattern, _)| is_name(pattern))
}

/// The patterns of the arms above the one on this line, in the same match: as rustfmt writes them, they are indented
/// alike, and what stands further left has begun before the match.
fn arms_before<'a>(lines: &'a [&'a str], index: usize) -> impl Iterator<Item = &'a str> {
    let own = indentation(lines[index]);
    let inside = move |line: &&&str| line.trim().is_empty() || indentation(line) >= own;
    let above = lines[..index].iter().rev().take_while(inside);
    above.filter(move |line| indentation(line) == own).map(|line| line.split(" => ").next().unwrap_or_default())
}

fn indentation(line: &str) -> usize {
    line.len() - line.trim_start().len()
}

fn unordered_selects(source: &Source) -> Vec<String> {
    if !source.is_rust() || !source.is_under(REPEATABLE) || source.is_under(&["tests/tidy/"]) {
        return Vec::new();
    }
    let lines: Vec<(usize, &str)> = source.code().filter(|(_, line)| !line.is_empty()).collect();
    let is_unordered = |pair: &&[(usize, &str)]| pair[0].1.contains("select! {") && pair[1].1.trim() != "biased;";
    let what = "`select!` picks at random: begin it with `biased;` and put what matters most first";
    lines.windows(2).filter(is_unordered).map(|pair| source.finding(pair[0].0, what)).collect()
}

#[test]
fn matches_name_every_case() {
    hold_each(catch_alls);
}

#[test]
fn select_is_biased() {
    hold_each(unordered_selects);
}

const OVER_EVENTS: &str = "match event {
    Event::RunUnstuck => {
        1
    }

    _ => 2,
}";

const INSIDE: &str = "match n {
    1 => match event {
        Event::RunUnstuck => 1,
        any => 2,
    },
    _ => 3,
}";

const OVER_NUMBERS: &str = "match n {
    1 => Some(Event::RunUnstuck),
    _ => None,
}";

const OVER_STATES: &str = "match state {
    Forward::Done => 1,
    _ => 2,
}";

#[test]
fn a_catch_all_is_found() {
    for (path, text, line) in [
        ("engine/core/src/state/fold.rs", OVER_EVENTS, Some(6)),
        ("engine/store/src/codec.rs", OVER_EVENTS, Some(6)),
        ("engine/cli/src/lib.rs", OVER_EVENTS, None),
        ("engine/core/src/state/fold.rs", INSIDE, Some(4)),
        ("engine/core/src/state/fold.rs", OVER_NUMBERS, None),
        ("engine/core/src/state/fold.rs", OVER_STATES, Some(3)),
        ("engine/store/src/codec.rs", OVER_STATES, None),
    ] {
        let found = catch_alls(&Source::sample(path, text));
        let place = line.map(|line: usize| format!("{path}:{line}:"));
        assert_eq!(found.len(), usize::from(place.is_some()), "{found:?}");
        assert!(place.is_none_or(|place| found[0].starts_with(&place)), "{found:?}");
    }
}

#[test]
fn an_unordered_select_is_found() {
    let path = "engine/runtime/src/lib.rs";
    let ordered = "tokio::select! {\n    // why\n    biased;\n    () = a => {}\n}\n";
    assert_eq!(unordered_selects(&Source::sample(path, ordered)), Vec::<String>::new());
    let unordered = "    tokio::select! {\n        () = a => {}\n    }\n";
    assert_eq!(unordered_selects(&Source::sample(path, unordered)).len(), 1);
}
