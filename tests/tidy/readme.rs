//! Programs in the README stand in the tree, where they are compiled and tested.

use crate::tree::{Source, hold, sources};

/// Where the first program of a newcomer comes from, all that is theirs to write.
const FIRST_SAGA: [&str; 2] = ["engine/cli/templates/new/src/trip.rs", "engine/cli/templates/new/src/main.rs"];

/// How long it may be.
const FIRST_SAGA_LINES: usize = 60;

/// The Rust programs of a page, each with the line that it begins at. One that leaves something out says so by `…`.
fn programs(page: &Source) -> Vec<(usize, Vec<&str>)> {
    let (mut programs, mut open) = (Vec::new(), None);
    for (number, line) in page.lines() {
        match (&mut open, line) {
            (None, "```rust") => open = Some((number + 1, Vec::new())),
            (Some(_), "```") => programs.extend(open.take()),
            (Some((_, lines)), line) => lines.push(line.trim()),
            (None, _) => {}
        }
    }
    programs.retain(|(_, lines)| !lines.iter().any(|line| line.contains('…')));
    programs
}

/// Programs of the page that stand in no file, line by line.
fn made_up(page: &Source, sources: &[Source]) -> Vec<String> {
    let stands_in = |source: &Source, program: &[&str]| {
        let lines: Vec<&str> = source.text.lines().map(str::trim).collect();
        source.is_rust() && lines.windows(program.len()).any(|window| window == program)
    };
    let what = "this program stands in no file of the project: take it from one that is compiled and tested";
    let made_up = programs(page).into_iter().filter(|(_, program)| !sources.iter().any(|it| stands_in(it, program)));
    made_up.map(|(number, _)| page.finding(number, what)).collect()
}

fn readme(sources: &[Source]) -> &Source {
    sources.iter().find(|source| source.path == "README.md").unwrap()
}

#[test]
fn programs_of_the_readme_are_compiled() {
    let page = Source::sample("README.md", "\n```rust\nfn a() {\n    b()\n}\n```\n```rust\nlet c = …;\n```\n");
    let same = Source::sample("a.rs", "mod d {\n    fn a() {\n        b()\n    }\n}\n");
    let other = Source::sample("a.rs", "fn a() {\n    c()\n}\n");
    assert_eq!(made_up(&page, &[same]), [""; 0]);
    assert!(made_up(&page, &[other])[0].starts_with("README.md:3: "));

    let sources = sources();
    assert!(programs(readme(&sources)).len() >= 3);
    hold(&made_up(readme(&sources), &sources));
}

#[test]
fn a_first_saga_is_short_and_stands_in_the_readme() {
    let sources = sources();
    let mut lines = 0;
    for path in FIRST_SAGA {
        let source = sources.iter().find(|source| source.path == path).unwrap();
        let own = source.text.split("\n#[cfg(test)]").next().unwrap();
        let own: Vec<&str> = own.lines().map(str::trim).filter(|line| !line.starts_with("//!")).collect();
        let own = own.join("\n");
        let (page, own) = (readme(&sources).lines().map(|(_, line)| line.trim()), own.trim());
        assert!(page.collect::<Vec<_>>().join("\n").contains(own), "{path} stands in README.md, but for its tests");
        lines += own.lines().filter(|line| !line.is_empty()).count();
    }
    assert!(lines < FIRST_SAGA_LINES, "a first saga has {lines} lines");
}
