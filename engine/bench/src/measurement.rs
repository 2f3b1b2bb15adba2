//! What a measurement says.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// One measurement. Whatever is counted is given for one unit.
#[derive(Clone, PartialEq, Debug, Default, Serialize, Deserialize)]
pub struct Measurement {
    /// What was measured, as `chain`.
    pub workload: String,
    /// How, as `256 in flight`.
    pub variant: String,
    /// What is counted, as `step`.
    pub unit: String,
    /// How many of them.
    pub units: u64,
    /// How long they took, all together.
    pub seconds: f64,
    /// How many that is a second.
    pub per_second: f64,
    /// How long one took.
    pub latency: Option<Latency>,
    /// Processor time of the whole process, user and system, in microseconds.
    pub cpu_us: f64,
    /// The most memory that the process had, in MiB.
    pub peak_mib: Option<f64>,
    /// Units committed.
    pub commits: Option<f64>,
    /// Syncs of the database.
    pub syncs: Option<f64>,
    /// Bytes of records, their keys included.
    pub bytes: Option<f64>,
    /// Bytes of disk that the directory takes afterwards.
    pub disk: Option<f64>,
    /// The same disk, or network, without an engine.
    pub floor: Option<Floor>,
    /// What else is worth saying, by name.
    pub extra: BTreeMap<String, f64>,
}

/// How long one unit took, in microseconds.
#[derive(Clone, Copy, PartialEq, Debug, Default, Serialize, Deserialize)]
pub struct Latency {
    /// Half of them at most.
    pub p50: f64,
    /// All but one of a hundred at most.
    pub p99: f64,
    /// All but one of a thousand at most.
    pub p999: f64,
}

/// What the same machine gives without an engine, measured just before.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Floor {
    /// What it is, as `lone commit of the store`.
    pub what: String,
    /// Its figure.
    pub figure: f64,
    /// The unit of its figure, as `us` or `/s`.
    pub of: String,
    /// The measurement's figure divided by the floor's: of times, the smaller the better; of rates, the greater.
    pub ratio: f64,
}

impl Measurement {
    /// The same held against a time of the floor, by its median.
    pub(crate) fn against_time(mut self, what: &str, micros: f64) -> Self {
        let own = self.latency.map_or(0.0, |latency| latency.p50);
        self.floor = Some(Floor { what: what.to_owned(), figure: micros, of: "us".to_owned(), ratio: own / micros });
        self
    }

    /// The same held against a rate of the floor.
    pub(crate) fn against_rate(mut self, what: &str, rate: f64) -> Self {
        let ratio = self.per_second / rate;
        self.floor = Some(Floor { what: what.to_owned(), figure: rate, of: "/s".to_owned(), ratio });
        self
    }

    /// The same with a further figure.
    pub(crate) fn with(mut self, name: &str, figure: f64) -> Self {
        self.extra.insert(name.to_owned(), figure);
        self
    }

    /// What names it among others.
    pub(crate) fn name(&self) -> String {
        format!("{}, {}", self.workload, self.variant)
    }
}
