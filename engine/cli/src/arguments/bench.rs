//! What is measured.

use std::path::PathBuf;

use clap::Args;
use engine_bench::Workload;

/// `bench`
#[derive(Args, Debug)]
pub(crate) struct BenchArguments {
    /// What to measure: floor, store, chain, fan, saga, start, waiting, recover, history, big, soak; by default all but
    /// soak. With `-o json` a line for the machine, and a line for each measurement
    #[arg(value_name = "WORKLOAD")]
    pub(crate) workloads: Vec<Workload>,
    /// Small numbers: whether everything works, and the same counts; the times say nothing
    #[arg(long)]
    pub(crate) quick: bool,
    /// Hold every figure against an earlier run, whose output of `-o json` stands in this file
    #[arg(long, value_name = "FILE")]
    pub(crate) compare: Option<PathBuf>,
    /// Runs of waiting and recover [default: 10000 and 100000, 1000 and 10000]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..=10_000_000))]
    pub(crate) runs: Option<u64>,
    /// How long soak takes
    #[arg(long, value_name = "N", default_value = "30", value_parser = positive)]
    pub(crate) minutes: f64,
    /// Runs a second that soak starts
    #[arg(long, value_name = "N", default_value = "200", value_parser = positive)]
    pub(crate) rate: f64,
    /// One measurement in this process, as another one asks for it
    #[arg(long, hide = true)]
    pub(crate) measure: Option<String>,
}

fn positive(text: &str) -> Result<f64, String> {
    let number: f64 = text.parse().map_err(|_| "a number is needed".to_owned())?;
    if number > 0.0 && number <= 1e6 { Ok(number) } else { Err("give a number above 0, 1000000 at most".to_owned()) }
}
