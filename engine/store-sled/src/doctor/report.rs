//! What the doctor says.

use std::fmt;

use engine_core::id::RunId;
use engine_store::StoreError;

/// Findings that are told one by one; more are counted.
const FINDINGS: usize = 1_000;

/// What is wrong in a store, and what there is.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Diagnosis {
    /// What is wrong, the first thousand of it.
    pub findings: Vec<Finding>,
    /// How much more is wrong.
    pub more: u64,
    /// What there is.
    pub counts: Counts,
}

/// One thing that is wrong.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Finding {
    /// What is concerned, as "the index row of run …".
    pub what: String,
    /// What is wrong with it.
    pub why: String,
    /// The run that is concerned, where it is one.
    pub run: Option<RunId>,
    /// What to do.
    pub remedy: String,
}

/// What there is in a store.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Counts {
    /// Runs that have an index row or a history.
    pub runs: u64,
    /// Events in histories.
    pub events: u64,
    /// Timers.
    pub timers: u64,
    /// Inbox rows.
    pub inbox: u64,
    /// Unique keys that are held.
    pub claims: u64,
    /// Definitions.
    pub definitions: u64,
    /// Blobs that events name.
    pub blobs: u64,
    /// Blobs that nothing names. They do no harm: a crash leaves one now and then.
    pub orphan_blobs: u64,
}

impl Diagnosis {
    /// Whether nothing is wrong.
    pub fn is_sound(&self) -> bool {
        self.findings.is_empty() && self.more == 0
    }

    pub(crate) fn find(&mut self, finding: Finding) {
        if self.findings.len() < FINDINGS {
            self.findings.push(finding);
        } else {
            self.more += 1;
        }
    }

    /// Notes that something can't be read.
    pub(crate) fn find_error(&mut self, run: Option<RunId>, what: &str, error: &StoreError, remedy: &str) {
        let (what, why) = match error {
            StoreError::Damaged { what, why } => (what.clone(), why.clone()),
            other => (what.to_owned(), other.to_string()),
        };
        self.find(Finding { what, why, run, remedy: remedy.to_owned() });
    }

    /// The same as `read`, with what is damaged noted instead. What concerns the whole store is an error still.
    pub(crate) fn read<T>(
        &mut self,
        run: Option<RunId>,
        read: Result<T, StoreError>,
        remedy: &str,
    ) -> Result<Option<T>, StoreError> {
        match read {
            Ok(read) => Ok(Some(read)),
            Err(error) if error.is_fatal() => Err(error),
            Err(error) => {
                self.find_error(run, "a row", &error, remedy);
                Ok(None)
            }
        }
    }

    /// Adds what was found apart.
    pub(crate) fn add(&mut self, other: Self) {
        self.more += other.more;
        for finding in other.findings {
            self.find(finding);
        }
        let (all, more) = (&mut self.counts, other.counts);
        all.runs += more.runs;
        all.events += more.events;
        all.timers += more.timers;
        all.inbox += more.inbox;
        all.claims += more.claims;
        all.definitions += more.definitions;
        all.blobs += more.blobs;
        all.orphan_blobs += more.orphan_blobs;
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}. What to do: {}", self.what, self.why, self.remedy)
    }
}
