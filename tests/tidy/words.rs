//! Words that may not stand somewhere.

use crate::tree::{Source, hold_each};

/// What would make the core depend on more than its arguments.
const IMPURE: &[&str] = &[
    "SystemTime",
    "Instant",
    "HashMap",
    "HashSet",
    "std::fs",
    "std::net",
    "std::env",
    "std::io",
    "std::process",
    "std::thread",
    "tokio",
    "rand",
    "getrandom",
];

/// These only look like it: addresses are data.
const PURE: &[&str] = &["std::net::IpAddr", "std::net::Ipv4Addr", "std::net::Ipv6Addr"];

/// A folder and the start of a name that exist where someone works on the project, and nowhere else.
const LOCAL_ROOT: &str = "/work/";
const LOCAL_NAME: &str = "/target-";

/// Tests beside the code they test may use what they like.
fn impure(source: &Source) -> Vec<String> {
    if !source.is_rust() || !source.is_under(&["engine/core/src/"]) || source.path.ends_with("/tests.rs") {
        return Vec::new();
    }
    let what = |word: &str| {
        format!("the core may not use {word}: time, randomness and what was read are handed to it; index what it keeps")
    };
    let found = |(number, line): (usize, &str)| {
        let judged = PURE.iter().fold(line.to_owned(), |line, pure| line.replace(pure, ""));
        let word = IMPURE.iter().find(|word| has_word(&judged, word))?;
        Some(source.finding(number, what(word)))
    };
    source.code().take_while(|(_, line)| *line != "mod tests {").filter_map(found).collect()
}

fn sled_outside_its_crate(source: &Source) -> Vec<String> {
    if !source.is_rust() || source.is_under(&["engine/store-sled/", "tests/tidy/"]) {
        return Vec::new();
    }
    let what = "only engine-store-sled may see sled: use the Store trait";
    source.code().filter(|(_, line)| has_word(line, "sled::")).map(|(number, _)| source.finding(number, what)).collect()
}

/// Only the allocator's settings need it.
fn unsafe_code(source: &Source) -> Vec<String> {
    if !source.is_rust() || source.is_under(&["engine/cli/src/allocator.rs", "tests/tidy/"]) {
        return Vec::new();
    }
    let what = "no unsafe code: find a library that offers the same safely";
    let is_unsafe = |line: &str| has_word(line, "unsafe") || has_word(line, "unsafe_code");
    source.code().filter(|(_, line)| is_unsafe(line)).map(|(number, _)| source.finding(number, what)).collect()
}

fn local_paths(source: &Source) -> Vec<String> {
    if source.is_under(&["tests/tidy/"]) {
        return Vec::new();
    }
    let is_local = |line: &str| has_word(line, LOCAL_ROOT) || line.contains(LOCAL_NAME);
    let what = "this path is of one machine only: use one inside the project, or a temporary one";
    source.lines().filter(|(_, line)| is_local(line)).map(|(number, _)| source.finding(number, what)).collect()
}

/// Whether the word stands in the line, not as a part of a longer one.
fn has_word(line: &str, word: &str) -> bool {
    let is_letter = |letter: char| letter.is_alphanumeric() || letter == '_';
    let is_whole = |start: usize| {
        let goes_on_before = line[..start].ends_with(is_letter);
        let goes_on_after = word.ends_with(is_letter) && line[start + word.len()..].starts_with(is_letter);
        !goes_on_before && !goes_on_after
    };
    line.match_indices(word).any(|(start, _)| is_whole(start))
}

#[test]
fn the_core_is_pure() {
    hold_each(impure);
}

#[test]
fn only_its_crate_sees_sled() {
    hold_each(sled_outside_its_crate);
}

#[test]
fn code_is_safe() {
    hold_each(unsafe_code);
}

#[test]
fn no_file_names_a_path_of_one_machine() {
    hold_each(local_paths);
}

#[test]
fn an_impure_word_is_found() {
    for (line, is_found) in [
        ("use std::time::{Duration, Instant};", true),
        ("let now = SystemTime::now();", true),
        ("/// Unlike a HashMap, it is ordered.", false),
        ("let a: std::net::Ipv6Addr;", false),
        ("let a: std::net::TcpStream;", true),
        ("let operand = strand;", false),
        ("mod tests {\nuse std::fs;\n}", false),
    ] {
        assert_eq!(impure(&Source::sample("engine/core/src/lib.rs", line)).len(), usize::from(is_found), "{line}");
    }
    assert_eq!(impure(&Source::sample("engine/runtime/src/lib.rs", "use std::fs;")), Vec::<String>::new());
}

#[test]
fn sled_is_found() {
    let path = "engine/runtime/src/lib.rs";
    assert_eq!(sled_outside_its_crate(&Source::sample(path, "use sled::Db;")).len(), 1);
    assert_eq!(sled_outside_its_crate(&Source::sample(path, "use engine_store_sled::Open;")), Vec::<String>::new());
    assert_eq!(
        sled_outside_its_crate(&Source::sample("engine/store-sled/src/lib.rs", "use sled::Db;")),
        Vec::<String>::new()
    );
}

#[test]
fn unsafe_code_is_found() {
    for (line, is_found) in
        [("unsafe { f() }", true), ("#[allow(unsafe_code)]", true), ("// unsafe", false), ("let unsafely = 1;", false)]
    {
        assert_eq!(unsafe_code(&Source::sample("engine/core/src/lib.rs", line)).len(), usize::from(is_found), "{line}");
    }
}

#[test]
fn a_local_path_is_found() {
    for (line, is_found) in [
        ("cd /work/here", true),
        ("CARGO_TARGET_DIR=/somewhere/target-mine", true),
        ("CARGO_TARGET_DIR=target", false),
        ("http://example.org/work/1", false),
        ("--target-dir", false),
    ] {
        assert_eq!(local_paths(&Source::sample("README.md", line)).len(), usize::from(is_found), "{line}");
    }
}
