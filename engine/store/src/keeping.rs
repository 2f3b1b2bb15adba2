//! A store's data as a whole: whether it is sound, and copies of it.

use std::fmt;
use std::path::Path;

use async_trait::async_trait;
use engine_core::id::RunId;
use serde::{Deserialize, Serialize};

use crate::StoreError;

/// Keeps the data of an open store, which is read and written meanwhile.
///
/// Whoever drops the future gives the work up: it ends soon, and what it has made is not taken for a whole.
#[async_trait]
pub trait Keeper: Send + Sync + 'static {
    /// Looks at everything that can be looked at while the store is in use, and says what could not be. What is
    /// written meanwhile is no damage.
    async fn diagnose(&self) -> Result<Diagnosis, StoreError>;

    /// Makes a whole data directory in `to`, an absolute path: all units that were acknowledged before the call, each
    /// later one as a whole or not at all, with their definitions and blobs. It is durable, and has been opened and
    /// looked at, when this returns.
    ///
    /// `to` must be empty, not be there, or hold what is left of a backup that was cut off: that is made anew.
    ///
    /// One backup is made at a time; another one is refused meanwhile, as [`StoreError::Unusable`].
    async fn backup(&self, to: &Path) -> Result<BackedUp, StoreError>;
}

/// What a backup holds.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct BackedUp {
    /// The number of the last batch in it.
    pub commit: u64,
    /// Rows of the database.
    pub rows: u64,
    /// What the doctor said of the backup. Where something is wrong, it is in the original too.
    pub diagnosis: Diagnosis,
}

/// Findings that are told one by one; more are counted.
const FINDINGS: usize = 1_000;

/// What is wrong in a store, and what there is.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct Diagnosis {
    /// What is wrong, the first thousand of it.
    pub findings: Vec<Finding>,
    /// How much more is wrong.
    pub more: u64,
    /// What there is.
    pub counts: Counts,
    /// What was not looked at, because the store was in use.
    pub left_out: Vec<String>,
}

/// One thing that is wrong.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
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
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
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

    /// Notes a finding, or counts it where there are too many.
    pub fn find(&mut self, finding: Finding) {
        if self.findings.len() < FINDINGS {
            self.findings.push(finding);
        } else {
            self.more += 1;
        }
    }

    /// Notes that something can't be read.
    pub fn find_error(&mut self, run: Option<RunId>, what: &str, error: &StoreError, remedy: &str) {
        let (what, why) = match error {
            StoreError::Damaged { what, why } => (what.clone(), why.clone()),
            other => (what.to_owned(), other.to_string()),
        };
        self.find(Finding { what, why, run, remedy: remedy.to_owned() });
    }

    /// The same as `read`, with what is damaged noted instead. What concerns the whole store is an error still.
    ///
    /// # Errors
    /// Those that concern the whole store.
    pub fn read<T>(
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
    pub fn add(&mut self, other: Self) {
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
        self.left_out.extend(other.left_out);
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}. What to do: {}", self.what, self.why, self.remedy)
    }
}
