//! A run outlives the program that started it: real binaries, one after the other, on the same data.
#![allow(missing_docs, clippy::unwrap_used, clippy::indexing_slicing, reason = "tests fail by panicking")]

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command, Output, Stdio};

use serde_json::Value;

const OLD: &str = env!("CARGO_BIN_EXE_old");
const NEW: &str = env!("CARGO_BIN_EXE_new");
const BOTH: &str = env!("CARGO_BIN_EXE_both");
const CHANGED: &str = env!("CARGO_BIN_EXE_changed");

fn program(binary: &str, directory: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(binary);
    command.args(arguments).arg("--data-dir").arg(directory).stdin(Stdio::null());
    command
}

fn carry_out(binary: &str, directory: &Path, arguments: &[&str]) -> (i32, String) {
    let Output { status, stdout, stderr } = program(binary, directory, arguments).output().unwrap();
    let said = format!("{}{}", String::from_utf8_lossy(&stdout), String::from_utf8_lossy(&stderr));
    (status.code().unwrap(), said)
}

fn show(directory: &Path) -> Value {
    let (code, said) = carry_out(BOTH, directory, &["show", "o-1", "-o", "json"]);
    assert_eq!(code, 0, "{said}");
    serde_json::from_str(&said).unwrap()
}

/// The old program starts an order, and is killed while it charges.
fn killed_while_it_charges(directory: &Path) {
    let mut old = program(OLD, directory, &["run", "order", "--input", "4200", "--id", "o-1"]);
    let mut old = old.env(versions::WAITS, "1").stdout(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(old.stdout.take().unwrap()).lines().map(Result::unwrap);
    assert!(lines.any(|line| line == "charge: task charge@1"), "it charges");
    old.kill().unwrap();
    old.wait().unwrap();
}

#[test]
fn a_run_waits_for_a_program_that_has_its_task() {
    let directory = tempfile::tempdir().unwrap();
    killed_while_it_charges(directory.path());

    let (code, said) = carry_out(NEW, directory.path(), &["recover"]);
    assert_eq!(code, 7, "{said}");
    assert!(said.contains("the run needs the task `charge@1`, and this program has only `charge@2`: deploy"), "{said}");
    let shown = show(directory.path());
    assert_eq!(shown["status"], "Stuck", "{shown}");

    let (code, said) = carry_out(BOTH, directory.path(), &["recover"]);
    assert_eq!(code, 0, "{said}");
    let shown = show(directory.path());
    assert_eq!(shown["output"], "4200 cents by charge@1", "a run goes on with what it was bound to: {shown}");

    let (code, said) = carry_out(BOTH, directory.path(), &["run", "order", "--input", "4200", "--id", "o-2"]);
    assert_eq!(code, 0, "{said}");
    assert!(said.contains("42 euros by charge@2"), "a fresh one takes the new version: {said}");
}

#[test]
fn a_run_whose_arguments_can_not_be_read_is_not_undone() {
    let directory = tempfile::tempdir().unwrap();
    killed_while_it_charges(directory.path());

    let (code, said) = carry_out(CHANGED, directory.path(), &["recover"]);
    assert_eq!(code, 7, "{said}");
    assert!(said.contains("can't read the arguments that were recorded for it: argument 1"), "{said}");
    let (_, history) = carry_out(BOTH, directory.path(), &["history", "o-1", "-o", "json"]);
    assert!(history.contains("input_undecodable"), "{history}");
    assert!(!history.contains("CompensationStarted") && !history.contains("StepFailed"), "{history}");

    let (code, said) = carry_out(BOTH, directory.path(), &["recover"]);
    assert_eq!(code, 0, "{said}");
    assert_eq!(show(directory.path())["output"], "4200 cents by charge@1");
}

#[test]
fn a_program_that_lacks_a_task_takes_no_run_in() {
    let directory = tempfile::tempdir().unwrap();
    let mut owner = program(OLD, directory.path(), &["run", "order", "--input", "1", "--id", "o-1"]);
    let mut owner = owner.env(versions::WAITS, "1").stdout(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(owner.stdout.take().unwrap()).lines().map(Result::unwrap);
    assert!(lines.any(|line| line == "charge: task charge@1"));

    let (code, said) = carry_out(NEW, directory.path(), &["run", "order", "--input", "2", "--id", "o-2"]);
    assert_eq!(code, 8, "{said}");
    assert!(said.contains("the task `charge@2`"), "it says what is lacking: {said}");
    let (code, said) = carry_out(BOTH, directory.path(), &["show", "o-2"]);
    assert_eq!(code, 3, "nothing was stored: {said}");
    owner.kill().unwrap();
    owner.wait().unwrap();
}
