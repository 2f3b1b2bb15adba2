//! What is measured: a file for each.

mod big;
mod chain;
mod crowd;
mod floor;
mod history;
mod opened;
mod recover;
mod saga;
mod soak;
mod start;
mod store;
mod waiting;

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::BenchError;
use crate::child::Scratch;
use crate::measurement::Measurement;

/// One measurement to be made, or a process that is a part of one.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub(crate) enum Spec {
    Floor {
        writers: usize,
    },
    Store {
        committers: usize,
    },
    Chain {
        steps: usize,
        in_flight: usize,
        runs: u64,
    },
    Fan {
        width: usize,
        runs: u64,
    },
    Saga {
        in_flight: usize,
        runs: u64,
        refund: bool,
    },
    Start {
        callers: usize,
        starts: u64,
    },
    Waiting {
        runs: u64,
    },
    /// The process that takes up the runs of [`Self::Waiting`].
    WaitingOn {
        runs: u64,
    },
    Recover {
        runs: u64,
    },
    /// The process that is killed, or its undisturbed twin.
    Victim {
        runs: u64,
    },
    /// The process after it.
    Heir {
        runs: u64,
    },
    History {
        events: u64,
    },
    Big {
        bytes: u64,
        runs: u64,
    },
    Soak {
        rate: f64,
        seconds: f64,
    },
}

impl Spec {
    /// Measures it in this process.
    pub(crate) async fn measure(&self, scratch: &Scratch) -> Result<Measurement, BenchError> {
        let measured = match *self {
            Self::Floor { writers } => floor::measure(scratch, writers).await?,
            Self::Store { committers } => store::measure(scratch, committers).await?,
            Self::Chain { steps, in_flight, runs } => chain::measure(scratch, steps, in_flight, runs).await?,
            Self::Fan { width, runs } => chain::fan(scratch, width, runs).await?,
            Self::Saga { in_flight, runs, refund } => saga::measure(scratch, in_flight, runs, refund).await?,
            Self::Start { callers, starts } => start::measure(scratch, callers, starts).await?,
            Self::Waiting { runs } => waiting::measure(scratch, runs).await?,
            Self::WaitingOn { runs } => waiting::go_on(scratch, runs).await?,
            Self::Recover { runs } => recover::measure(scratch, runs).await?,
            Self::Victim { runs } => recover::victim(scratch, runs).await?,
            Self::Heir { runs } => recover::heir(scratch, runs).await?,
            Self::History { events } => history::measure(scratch, events)?,
            Self::Big { bytes, runs } => big::measure(scratch, bytes, runs).await?,
            Self::Soak { rate, seconds } => soak::measure(scratch, rate, seconds).await?,
        };
        let (workload, variant, unit) = self.words();
        Ok(Measurement { workload: workload.to_owned(), variant, unit: unit.to_owned(), ..measured })
    }

    /// The workload, the variant, and the unit.
    fn words(&self) -> (&'static str, String, &'static str) {
        let in_flight = |count: usize| if count == 1 { "alone".to_owned() } else { format!("{count} in flight") };
        match self {
            Self::Floor { writers } => ("floor", in_flight(*writers), "write"),
            Self::Store { committers } => ("store", in_flight(*committers), "commit"),
            Self::Chain { steps, in_flight: width, .. } => {
                ("chain", format!("{steps} steps, {}", in_flight(*width)), "step")
            }
            Self::Fan { width, .. } => ("fan", format!("{width} and a join, alone"), "run"),
            Self::Saga { in_flight: width, refund, .. } => {
                ("saga", format!("{}, {}", if *refund { "refunded" } else { "completed" }, in_flight(*width)), "run")
            }
            Self::Start { callers: 1, .. } => ("start", "1 caller".to_owned(), "start"),
            Self::Start { callers, .. } => ("start", format!("{callers} callers"), "start"),
            Self::Waiting { runs } | Self::WaitingOn { runs } => ("waiting", format!("{runs} runs"), "run"),
            Self::Recover { runs } | Self::Victim { runs } | Self::Heir { runs } => {
                ("recover", format!("{runs} chains of 10 killed"), "run")
            }
            Self::History { events } => ("history", format!("{events} events"), "event"),
            Self::Big { bytes, .. } => ("big", format!("{} KiB, 8 in flight", bytes >> 10), "run"),
            Self::Soak { rate, .. } => ("soak", format!("{rate} runs a second"), "run"),
        }
    }
}

impl fmt::Display for Spec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (workload, variant, _) = self.words();
        write!(f, "{workload}, {variant}")
    }
}
