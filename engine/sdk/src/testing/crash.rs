//! A test that is cut off at every write, and compared with itself undisturbed.

use std::fmt;

use engine_core::state::Status;
use engine_store::{Filter, Store as _};
use engine_testkit::{Fault, FaultStore, Life, Planned};

use super::TestEngine;
use super::world::{Lived, World};

/// Lives of one test, at most: the one that is cut off, the one after it, and one more.
const LIVES: usize = 3;

/// Runs that are compared, at most.
const RUNS: usize = 10_000;

/// What a test left behind.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Left {
    /// Each run's workflow and how it ended, in the order of their starts.
    runs: Vec<(String, Status)>,
    services: Vec<String>,
    tasks: Vec<String>,
}

impl Left {
    /// What services carried out and what was not undone, as `bank POST /charge`; sorted, each once per key.
    pub fn effects_left(&self) -> &[String] {
        &self.services
    }

    /// The steps whose tasks were carried out and not undone, sorted.
    pub fn steps_left(&self) -> &[String] {
        &self.tasks
    }

    /// Whether a test that was cut off may leave this where the undisturbed one left `self`. What an attempt did that was
    /// cut off is unknown, so a run that failed with nothing to undo may have to undo what turns out to be nothing.
    fn allows(&self, other: &Self) -> bool {
        let same = |(own, found): (&(String, Status), &(String, Status))| {
            own == found || (own.0 == found.0 && (own.1, found.1) == (Status::Failed, Status::Compensated))
        };
        self.services == other.services
            && self.tasks == other.tasks
            && self.runs.len() == other.runs.len()
            && self.runs.iter().zip(&other.runs).all(same)
    }
}

impl fmt::Display for Left {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let runs: Vec<String> = self.runs.iter().map(|(workflow, status)| format!("{workflow} {status:?}")).collect();
        write!(f, "runs: {}; left: [{}], [{}]", runs.join(", "), self.services.join(", "), self.tasks.join(", "))
    }
}

/// What came of a test that was cut off everywhere.
#[derive(Debug)]
#[must_use = "say what must hold: `.assert_same_outcome()`"]
pub struct Crashes {
    undisturbed: Left,
    count: usize,
    findings: Vec<String>,
}

impl Crashes {
    /// What the test left when nothing went wrong.
    pub fn undisturbed(&self) -> &Left {
        &self.undisturbed
    }

    /// How often it was cut off: twice for each write of the undisturbed test.
    pub fn count(&self) -> usize {
        self.count
    }

    /// Asserts that every run came to the same end each time, with the same things done and not undone.
    ///
    /// # Panics
    /// Where that is not so, with all that was found.
    pub fn assert_same_outcome(&self) {
        let (wrong, crashes) = (self.findings.len(), self.count);
        assert!(
            self.findings.is_empty(),
            "{wrong} of {crashes} crashes changed something:\n{}",
            self.findings.join("\n")
        );
        assert!(crashes > 0, "the test writes nothing: it starts no run");
    }
}

/// Carries the test out undisturbed, and then with a crash before and after every write.
pub(super) fn sweep<R>(test: impl AsyncFn(TestEngine) -> R + Sync) -> Crashes {
    // A runtime can't be begun where one is at work.
    let swept = std::thread::scope(|scope| scope.spawn(|| sweep_here(&test)).join());
    swept.unwrap_or_else(|panic| std::panic::resume_unwind(panic))
}

fn sweep_here<R>(test: &impl AsyncFn(TestEngine) -> R) -> Crashes {
    let (undisturbed, writes) = once(None, test);
    let mut crashes = Crashes { undisturbed, count: 0, findings: Vec::new() };
    for write in 1..=writes {
        for fault in [Fault::CrashBefore, Fault::CrashAfter] {
            let (left, _) = once(Some(Planned { write, fault }), test);
            crashes.count += 1;
            if !crashes.undisturbed.allows(&left) {
                let when = if fault == Fault::CrashBefore { "before" } else { "after" };
                let undisturbed = &crashes.undisturbed;
                crashes.findings.push(format!("killed {when} write {write}: {left}\n  instead of {undisturbed}"));
            }
        }
    }
    crashes
}

/// The test in a world of its own, killed as planned; what it left, and how much its first process wrote.
fn once<R>(plan: Option<Planned>, test: &impl AsyncFn(TestEngine) -> R) -> (Left, u64) {
    let world = World::new();
    let mut first = None;
    for life in 0..LIVES {
        let (lived, writes) = world.live(plan.filter(|_| life == 0), async |engine| test(engine).await);
        let writes = *first.get_or_insert(writes);
        match lived {
            Lived::Through(_) => return (left(&world), writes),
            Lived::Crashed => {}
        }
    }
    panic!("the test was killed once, and did not come to its end after that");
}

fn left(world: &World) -> Left {
    let store = world.store(|store: &FaultStore| store.reopen(Life::new(), None));
    let runtime = tokio::runtime::Builder::new_current_thread().build();
    let read = runtime.map(|runtime| runtime.block_on(store.list(&Filter::default(), None, RUNS)));
    let mut rows = match read {
        Ok(Ok(page)) => page.items,
        Ok(Err(error)) => panic!("the runs of the test can't be read: {error}"),
        Err(error) => panic!("no runtime for the test: {error}"),
    };
    rows.sort_by_key(|row| row.run);
    let runs = rows.into_iter().map(|row| (row.workflow.to_string(), row.status)).collect();
    Left { runs, services: world.services.left(), tasks: world.doubles.left() }
}
