//! A process that writes until it is killed, and what must be there afterwards.
#![allow(dead_code, unreachable_pub)]

mod dice;

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use engine_core::id::{RunId, Seq};
use engine_store::conformance::{big, event, run, unit_of};
use engine_store::{Fence, Mark, Store, Unit};
use engine_store_sled::SledStore;

pub use dice::{Dice, seed};

/// Writers at once, each on a run of its own.
const WRITERS: u64 = 4;

/// Events of one unit.
pub const EVENTS: u64 = 3;

/// No writer outlives its test by more than this.
const LIFE: Duration = Duration::from_secs(20);

const DIRECTORY: &str = "ENGINE_TEST_WRITER_DIRECTORY";
const ROUND: &str = "ENGINE_TEST_WRITER_ROUND";

/// Where and what a writer process is to write; none where this is no such process.
pub fn orders() -> Option<(std::path::PathBuf, u64)> {
    let directory = std::env::var_os(DIRECTORY)?;
    let round = std::env::var(ROUND).ok()?.parse().ok()?;
    Some((directory.into(), round))
}

/// Tells the test something, at once.
pub fn say(text: &str) {
    let mut out = std::io::stdout().lock();
    writeln!(out, "{text}").and_then(|()| out.flush()).unwrap();
}

pub fn writer_run(round: u64, writer: u64) -> RunId {
    run(1 + round * WRITERS + writer)
}

/// The unit that a writer writes after `last` events: a history, an index row and a mark that fit each other. Now and
/// then it is a large one.
fn writer_unit(fence: Fence, run: RunId, last: u64) -> Unit {
    let len = if (last / EVENTS) % 16 == 7 { 120_000 } else { 300 };
    let events = vec![big(last + 1, len), event(last + 2), event(last + 3)];
    let mark = Mark { run, name: "last".to_owned(), value: (last + EVENTS).to_be_bytes().to_vec() };
    Unit { marks: vec![mark], ..unit_of(fence, run, last, events) }
}

/// Writes until it is killed, and says what was acknowledged.
pub fn write_for_ever(directory: &Path, round: u64) {
    let store = Arc::new(SledStore::open(directory).unwrap());
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    let begun = Instant::now();
    runtime.block_on(async {
        let fence = store.acquire(0, "test", engine_store::conformance::at(0)).await.unwrap().unwrap();
        say("open");
        let writers = (0..WRITERS).map(|writer| {
            let (store, run) = (Arc::clone(&store), writer_run(round, writer));
            async move {
                let mut last = 0;
                while begun.elapsed() < LIFE {
                    let answers = store.commit(vec![writer_unit(fence, run, last)]).await;
                    last += EVENTS;
                    assert_eq!(answers, [Ok(Seq(last))]);
                    say(&format!("acknowledged {writer} {last}"));
                }
            }
        });
        let local = tokio::task::LocalSet::new();
        local
            .run_until(async {
                let tasks: Vec<_> = writers.map(tokio::task::spawn_local).collect();
                for task in tasks {
                    task.await.unwrap();
                }
            })
            .await;
    });
}

/// What a writer process has acknowledged: by writer, the last position.
#[derive(Clone, Debug, Default)]
pub struct Acknowledged {
    pub open: bool,
    pub last: BTreeMap<u64, u64>,
}

impl Acknowledged {
    pub fn units(&self) -> u64 {
        self.last.values().sum::<u64>() / EVENTS
    }

    fn hear(&mut self, line: &str) {
        let words: Vec<&str> = line.split_whitespace().collect();
        match words[..] {
            // The test harness may have begun the line.
            [.., "open"] => self.open = true,
            [.., "acknowledged", writer, last] => {
                self.last.insert(writer.parse().unwrap(), last.parse().unwrap());
            }
            _ => {}
        }
    }
}

/// A writer process.
pub struct Writer {
    pub child: Child,
    opened: std::sync::mpsc::Receiver<()>,
    heard: Option<JoinHandle<Acknowledged>>,
}

impl Writer {
    /// Starts this test program again as a process that does only what its test `name` does.
    pub fn start(name: &str, directory: &Path, round: u64) -> Self {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", name, "--ignored", "--nocapture", "--test-threads=1"])
            .env(DIRECTORY, directory)
            .env(ROUND, round.to_string())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let (is_open, opened) = std::sync::mpsc::channel();
        let heard = std::thread::spawn(move || {
            let mut acknowledged = Acknowledged::default();
            for line in lines.map_while(Result::ok) {
                acknowledged.hear(&line);
                if acknowledged.open {
                    let _ = is_open.send(());
                }
            }
            acknowledged
        });
        Self { child, opened, heard: Some(heard) }
    }

    /// Waits until it has opened its store.
    pub fn wait_until_open(&mut self) {
        let opened = self.opened.recv_timeout(Duration::from_secs(30));
        assert!(opened.is_ok(), "the writer did not open its store: {:?}", self.child.try_wait());
    }

    /// Kills it, and gives what it had acknowledged.
    pub fn kill(mut self) -> Acknowledged {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
        self.heard.take().unwrap().join().unwrap()
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Checks that nothing acknowledged is missing and that no unit is there by halves. Gives what was written but not
/// acknowledged, in units.
pub async fn check(store: &SledStore, round: u64, acknowledged: &Acknowledged) -> Result<u64, String> {
    let mut further = 0;
    for writer in 0..WRITERS {
        let run = writer_run(round, writer);
        let wrong = |what: String| format!("round {round}, writer {writer}: {what}, of {acknowledged:?}");
        let events = store.read(run, Seq(1), usize::MAX).await.map_err(|error| wrong(error.to_string()))?;
        let last = events.len() as u64;
        let acked = acknowledged.last.get(&writer).copied().unwrap_or_default();
        if last < acked {
            return Err(wrong(format!("lost {acked} - {last} events")));
        }
        further += (last - acked) / EVENTS;
        let row = store.row(run).await.map_err(|error| wrong(error.to_string()))?.map_or(0, |row| row.last.0);
        let mark = store.mark(run, "last").await.map_err(|error| wrong(error.to_string()))?;
        let mark = mark.map_or(0, |mark| u64::from_be_bytes(mark.try_into().unwrap()));
        if (last % EVENTS, row, mark) != (0, last, last) {
            return Err(wrong(format!("half a unit: {last} events, row {row}, mark {mark}")));
        }
    }
    Ok(further)
}
