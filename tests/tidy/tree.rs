//! The tree that is judged, and what is found in it.

use std::fmt;
use std::path::{Path, PathBuf};
use std::process::Command;

/// A text file of the project.
pub(crate) struct Source {
    /// Its path from the root of the project.
    pub(crate) path: String,
    pub(crate) text: String,
}

impl Source {
    /// An example to try a rule on.
    pub(crate) fn sample(path: &str, text: &str) -> Self {
        Self { path: path.to_owned(), text: text.to_owned() }
    }

    pub(crate) fn is_rust(&self) -> bool {
        self.has_extension("rs")
    }

    pub(crate) fn has_extension(&self, extension: &str) -> bool {
        Path::new(&self.path).extension().is_some_and(|found| found == extension)
    }

    pub(crate) fn is_under(&self, folders: &[&str]) -> bool {
        folders.iter().any(|folder| self.path.starts_with(folder))
    }

    /// Its lines with their numbers, from 1.
    pub(crate) fn lines(&self) -> impl Iterator<Item = (usize, &str)> {
        self.text.lines().enumerate().map(|(index, line)| (index + 1, line))
    }

    /// Its lines without what a `//` starts.
    pub(crate) fn code(&self) -> impl Iterator<Item = (usize, &str)> {
        self.lines().map(|(number, line)| (number, line.split("//").next().unwrap_or_default().trim_end()))
    }

    pub(crate) fn finding(&self, line: usize, what: impl fmt::Display) -> String {
        format!("{}:{line}: {what}", self.path)
    }
}

/// The root of the project.
pub(crate) fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../..").canonicalize().expect("the root of the project")
}

/// Every text file that git tracks or would track.
pub(crate) fn sources() -> Vec<Source> {
    let sources: Vec<Source> = paths().into_iter().filter_map(read).collect();
    assert!(sources.iter().any(|source| source.path == "Cargo.toml"), "the root of the project has a Cargo.toml");
    sources
}

fn paths() -> Vec<String> {
    let listed = Command::new("git")
        .args(["-c", "safe.directory=*", "ls-files", "-z", "--cached", "--others", "--exclude-standard"])
        .current_dir(root())
        .output()
        .expect("git lists the files of the project: install it");
    let complaint = String::from_utf8_lossy(&listed.stderr);
    assert!(listed.status.success(), "the project's files are listed by git, in a checkout of it: {complaint}");
    let text = String::from_utf8(listed.stdout).expect("paths in UTF-8");
    text.split_terminator('\0').map(str::to_owned).collect()
}

/// Nothing for what is not text, or was removed and the removal not yet recorded.
fn read(path: String) -> Option<Source> {
    let bytes = std::fs::read(root().join(&path)).ok()?;
    let text = String::from_utf8(bytes).ok()?;
    Some(Source { path, text })
}

/// Fails with all that was found.
pub(crate) fn hold(findings: &[String]) {
    assert!(findings.is_empty(), "{} to put right:\n{}", findings.len(), findings.join("\n"));
}

/// Holds every source against a rule for one.
pub(crate) fn hold_each(rule: impl Fn(&Source) -> Vec<String>) {
    hold(&sources().iter().flat_map(rule).collect::<Vec<_>>());
}
