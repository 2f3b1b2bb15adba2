//! Processes that are killed, and engines that are shut down, with runs open.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use tempfile::TempDir;

use crate::order::{World, engine, workflow};

/// Tells the child process which directory it works in.
const DIRECTORY: &str = "EMBEDDED_CHILD_DIRECTORY";

/// What the child says once all its runs are in the middle.
const CHARGING: &str = "all are charging";

const RUNS: u32 = 20;

fn id(number: u32) -> String {
    format!("order-{number}")
}

fn notes_file(directory: &Path) -> PathBuf {
    directory.join("notes")
}

/// How often each thing was done to the end, by its name and key.
fn counted(notes: impl IntoIterator<Item = String>) -> BTreeMap<String, usize> {
    let mut counted = BTreeMap::new();
    for note in notes {
        *counted.entry(note).or_default() += 1;
    }
    counted
}

fn assert_once_each(counted: &BTreeMap<String, usize>, what: &str, runs: u32) {
    let these: Vec<usize> =
        counted.iter().filter(|(note, _)| note.starts_with(what)).map(|(_, count)| *count).collect();
    assert_eq!(these, vec![1; runs as usize], "{what}");
}

/// The process that is killed: runs are started, come to their charge, and stay there.
#[tokio::test]
#[ignore = "it is started and killed by another test"]
async fn child() {
    let Some(directory) = std::env::var_os(DIRECTORY).map(PathBuf::from) else { return };
    let world = World::noted_in(&notes_file(&directory), false);
    let (order, engine) = (workflow().unwrap(), engine(&directory.join("data"), &world).await);
    for number in 0..RUNS {
        engine.start(&order, 100 + number).id(id(number)).await.unwrap();
    }
    world.until_charging(RUNS as usize).await;
    println!("{CHARGING}");
    std::future::pending::<()>().await;
}

#[tokio::test]
async fn a_killed_program_goes_on_where_it_was() {
    let dir = TempDir::new().unwrap();
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "killed::child", "--ignored", "--nocapture"])
        .env(DIRECTORY, dir.path())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines().map(Result::unwrap);
    assert!(lines.any(|line| line.ends_with(CHARGING)), "the child came to its charges");
    child.kill().unwrap();
    child.wait().unwrap();

    let world = World::noted_in(&notes_file(dir.path()), true);
    let (order, engine) = (workflow().unwrap(), engine(&dir.path().join("data"), &world).await);
    for number in 0..RUNS {
        let run = engine.find(&order, &id(number)).await.unwrap();
        assert_eq!(run.result().await.unwrap(), format!("receipt over {}", 100 + number));
    }
    engine.shutdown().await.unwrap();
    let notes = std::fs::read_to_string(notes_file(dir.path())).unwrap();
    let counted = counted(notes.lines().map(str::to_owned));
    for what in ["reserve", "charge", "record"] {
        assert_once_each(&counted, what, RUNS);
    }
}

#[tokio::test]
async fn a_shutdown_in_the_middle_of_many_runs_loses_none() {
    const MANY: u32 = 200;
    let (dir, order, world) = (TempDir::new().unwrap(), workflow().unwrap(), World::open());
    let first = engine(dir.path(), &world).await;
    for number in 0..MANY {
        first.start(&order, 100 + number).id(id(number)).await.unwrap();
    }
    first.shutdown_within(Duration::ZERO).await.unwrap();
    let second = engine(dir.path(), &world).await;
    for number in 0..MANY {
        let run = second.find(&order, &id(number)).await.unwrap();
        assert_eq!(run.result().await.unwrap(), format!("receipt over {}", 100 + number));
    }
    second.shutdown().await.unwrap();
    // What was cut off may be done again, under the same key.
    let counted = counted(world.notes());
    for what in ["reserve", "charge", "record"] {
        let keys = counted.keys().filter(|note| note.starts_with(what)).count();
        assert_eq!(keys, MANY as usize, "{what}");
    }
}
