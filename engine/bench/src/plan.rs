//! What is measured, and how much of it.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use crate::workloads::Spec;

/// Something to measure.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
#[non_exhaustive]
pub enum Workload {
    /// The disk without a store.
    Floor,
    /// The store without an engine.
    Store,
    /// Tasks in sequence.
    Chain,
    /// Tasks side by side, and a join.
    Fan,
    /// The order saga over HTTP.
    Saga,
    /// Starts.
    Start,
    /// Runs in a long back-off.
    Waiting,
    /// Runs in flight when the process is killed.
    Recover,
    /// Histories that are folded.
    History,
    /// Large payloads.
    Big,
    /// A fixed rate for a time.
    Soak,
}

impl Workload {
    /// All of them, in the order in which they are measured.
    pub const ALL: [Self; 11] = [
        Self::Floor,
        Self::Store,
        Self::Chain,
        Self::Fan,
        Self::Saga,
        Self::Start,
        Self::Waiting,
        Self::Recover,
        Self::History,
        Self::Big,
        Self::Soak,
    ];

    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Floor => "floor",
            Self::Store => "store",
            Self::Chain => "chain",
            Self::Fan => "fan",
            Self::Saga => "saga",
            Self::Start => "start",
            Self::Waiting => "waiting",
            Self::Recover => "recover",
            Self::History => "history",
            Self::Big => "big",
            Self::Soak => "soak",
        }
    }
}

impl fmt::Display for Workload {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Workload {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let found = Self::ALL.into_iter().find(|workload| workload.name() == text);
        found.ok_or_else(|| format!("there is {}", Self::ALL.map(Self::name).join(", ")))
    }
}

/// What is measured, and where.
#[derive(Clone, PartialEq, Debug)]
pub struct Plan {
    /// The workloads; none stands for all but `soak`.
    pub workloads: Vec<Workload>,
    /// Small numbers: shows that everything works, and gives the same counts, but no figures to go by.
    pub quick: bool,
    /// Runs that wait, and chains that are in flight when the process is killed, where others than usual.
    pub runs: Option<u64>,
    /// How long `soak` takes.
    pub minutes: f64,
    /// How many runs a second `soak` starts.
    pub rate: f64,
    /// Where measurements make their directories.
    pub directory: PathBuf,
    /// Whether the program has the mock services of the order saga: without them `saga` is left out.
    pub mock_services: bool,
}

impl Plan {
    /// The workloads, in order.
    pub fn chosen(&self) -> Vec<Workload> {
        let is_chosen = |workload: &Workload| match self.workloads.as_slice() {
            [] => self.quick || *workload != Workload::Soak,
            chosen => chosen.contains(workload),
        };
        let can_be = |workload: &Workload| self.mock_services || *workload != Workload::Saga;
        Workload::ALL.into_iter().filter(is_chosen).filter(can_be).collect()
    }

    /// How long the floor is measured beside each.
    pub(crate) fn beside(&self) -> Duration {
        Duration::from_millis(if self.quick { 50 } else { 500 })
    }

    pub(crate) fn specs(&self) -> Vec<Spec> {
        self.chosen().into_iter().flat_map(|workload| self.specs_of(workload)).collect()
    }

    fn specs_of(&self, workload: Workload) -> Vec<Spec> {
        // Enough for a second or two each, or for a moment.
        let n = |usual: u64, quick: u64| if self.quick { quick } else { usual };
        let runs = |usual: [u64; 2], quick: u64| match (self.runs, self.quick) {
            (Some(runs), _) => vec![runs],
            (None, true) => vec![quick],
            (None, false) => usual.to_vec(),
        };
        match workload {
            Workload::Floor => [1, 64, 256].map(|writers| Spec::Floor { writers }).into(),
            Workload::Store => [1, 64, 256].map(|committers| Spec::Store { committers }).into(),
            Workload::Chain => vec![
                Spec::Chain { steps: 10, in_flight: 1, runs: n(400, 20) },
                Spec::Chain { steps: 10, in_flight: 64, runs: n(6_000, 128) },
                Spec::Chain { steps: 10, in_flight: 256, runs: n(12_000, 256) },
                Spec::Chain { steps: 100, in_flight: 64, runs: n(640, 64) },
                Spec::Chain { steps: 1_000, in_flight: 64, runs: n(64, 4) },
            ],
            Workload::Fan => vec![Spec::Fan { width: 100, runs: n(200, 5) }],
            Workload::Saga => vec![
                Spec::Saga { in_flight: 1, runs: n(200, 4), refund: false },
                Spec::Saga { in_flight: 64, runs: n(3_000, 32), refund: false },
                Spec::Saga { in_flight: 1, runs: n(200, 4), refund: true },
                Spec::Saga { in_flight: 64, runs: n(3_000, 32), refund: true },
            ],
            Workload::Start => vec![
                Spec::Start { callers: 1, starts: n(2_000, 50) },
                Spec::Start { callers: 256, starts: n(60_000, 512) },
            ],
            Workload::Waiting => runs([10_000, 100_000], 300).into_iter().map(|runs| Spec::Waiting { runs }).collect(),
            Workload::Recover => runs([1_000, 10_000], 50).into_iter().map(|runs| Spec::Recover { runs }).collect(),
            Workload::History => [10, 1_000, 100_000].map(|events| Spec::History { events }).into(),
            Workload::Big => [1 << 10, 64 << 10, 1 << 20, 8 << 20]
                .map(|bytes| Spec::Big { bytes, runs: n(((256 << 20) / bytes).clamp(16, 2_000), 4) })
                .into(),
            Workload::Soak => {
                vec![Spec::Soak { rate: self.rate, seconds: if self.quick { 1.0 } else { self.minutes * 60.0 } }]
            }
        }
    }
}
