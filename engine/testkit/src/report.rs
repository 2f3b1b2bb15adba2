//! What came of a case.

use std::collections::BTreeMap;
use std::fmt;

use engine_core::event::{Event, Recorded};
use engine_core::request::Answer;
use engine_core::state::Status;
use serde_json::Value;

use crate::services::Entry;

/// Where a case came to rest, and what it left in the world.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Outcome {
    /// The status of the run, or of its last rerun; none where it was deleted, or could not be read.
    pub status: Option<Status>,
    /// What was done and not undone, by endpoint, each key counted once.
    pub net: BTreeMap<String, usize>,
}

/// What came of one simulation of a case.
#[derive(Clone, Debug)]
pub struct Report {
    /// Where it came to rest.
    pub outcome: Outcome,
    /// The history of the run, or of its last rerun.
    pub history: Vec<Recorded>,
    /// The histories of the runs that this one is a rerun of, oldest first.
    pub earlier: Vec<Vec<Recorded>>,
    /// Whether the case was over before the run came to rest.
    pub out_of_time: bool,
    /// How many writes each process made.
    pub writes: Vec<u64>,
    /// How many of the planned faults struck.
    pub struck: usize,
    /// The answers to the case's acts, by their position.
    pub answers: BTreeMap<usize, Answer>,
    /// Acts that were not done, because their points were not reached.
    pub not_done: usize,
    /// Every request that the services saw.
    pub requests: Vec<Entry>,
    /// What must never be, and was.
    pub findings: Vec<String>,
}

impl Report {
    /// The run's output, where it completed.
    pub fn output(&self) -> Option<Value> {
        self.history.iter().find_map(|recorded| match &recorded.event {
            Event::RunCompleted { output, .. } => serde_json::from_slice(output.inline()?).ok(),
            _ => None,
        })
    }

    /// How many events are so.
    pub fn count(&self, is: impl Fn(&Event) -> bool) -> usize {
        self.history.iter().filter(|recorded| is(&recorded.event)).count()
    }

    /// Every request to an endpoint, in the order of arrival.
    pub fn requests_to(&self, endpoint: &str) -> Vec<&Entry> {
        self.requests.iter().filter(|entry| entry.endpoint == endpoint).collect()
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.status {
            Some(status) => write!(f, "{status}")?,
            None => f.write_str("gone")?,
        }
        write!(f, " {:?}", self.net)
    }
}
