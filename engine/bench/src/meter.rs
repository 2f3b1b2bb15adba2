//! Time, processor, memory and disk around what is measured.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::time::{Duration, Instant};

use engine_store::Counters;
use hdrhistogram::Histogram;
use rustix::time::{ClockId, clock_gettime};

use crate::BenchError;
use crate::measurement::{Latency, Measurement};

/// How long units took, in nanoseconds, to three digits.
#[derive(Debug)]
pub(crate) struct Latencies(Histogram<u64>);

impl Latencies {
    pub(crate) fn new() -> Result<Self, BenchError> {
        Histogram::new(3).map(Self).map_err(|error| BenchError::new("no histogram", error))
    }

    pub(crate) fn note(&mut self, took: Duration) {
        // It grows as it has to; what is longer than centuries is not noted.
        let _ = self.0.record(u64::try_from(took.as_nanos()).unwrap_or(u64::MAX));
    }

    pub(crate) fn add(&mut self, other: &Self) {
        let _ = self.0.add(&other.0);
    }

    /// The same where each was so many units one after the other.
    pub(crate) fn shared_among(self, units: u64) -> Result<Self, BenchError> {
        let mut shared = Self::new()?;
        for value in self.0.iter_recorded() {
            let _ = shared.0.record_n(value.value_iterated_to() / units.max(1), value.count_at_value());
        }
        Ok(shared)
    }

    #[allow(clippy::cast_precision_loss, reason = "three digits are kept")]
    pub(crate) fn said(&self) -> Option<Latency> {
        let micros = |quantile| self.0.value_at_quantile(quantile) as f64 / 1_000.0;
        (!self.0.is_empty()).then(|| Latency { p50: micros(0.5), p99: micros(0.99), p999: micros(0.999) })
    }
}

/// What a process has used, from when this was started.
pub(crate) struct Meter {
    began: Instant,
    cpu: Duration,
    counters: Counters,
}

impl Meter {
    pub(crate) fn start(counters: Counters) -> Self {
        Self { began: Instant::now(), cpu: cpu(), counters }
    }

    /// How long ago that was.
    pub(crate) fn elapsed(&self) -> Duration {
        self.began.elapsed()
    }

    /// What was used for so many units.
    #[allow(clippy::cast_precision_loss, reason = "three digits are shown")]
    pub(crate) fn stop(self, counters: Counters, units: u64, latencies: &Latencies) -> Measurement {
        let seconds = self.began.elapsed().as_secs_f64();
        let each = |figure: f64| figure / units.max(1) as f64;
        let counted = |after: u64, before: u64| (counters.syncs > 0).then(|| each((after - before) as f64));
        Measurement {
            units,
            seconds,
            per_second: units as f64 / seconds,
            latency: latencies.said(),
            cpu_us: each(cpu().saturating_sub(self.cpu).as_secs_f64() * 1e6),
            peak_mib: peak_mib(),
            commits: counted(counters.units, self.counters.units),
            syncs: counted(counters.syncs, self.counters.syncs),
            bytes: counted(counters.bytes, self.counters.bytes),
            ..Measurement::default()
        }
    }
}

fn cpu() -> Duration {
    let time = clock_gettime(ClockId::ProcessCPUTime);
    Duration::new(time.tv_sec.unsigned_abs(), u32::try_from(time.tv_nsec).unwrap_or(0))
}

/// The most memory that this process had.
pub(crate) fn peak_mib() -> Option<f64> {
    status_mib("VmHWM:")
}

/// The memory that this process has now.
pub(crate) fn resident_mib() -> Option<f64> {
    status_mib("VmRSS:")
}

fn status_mib(name: &str) -> Option<f64> {
    let status = fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix(name))?;
    line.trim().trim_end_matches("kB").trim().parse().ok().map(|kib: f64| kib / 1024.0)
}

/// The bytes of disk that a directory takes.
pub(crate) fn disk_len(directory: &Path) -> u64 {
    let Ok(entries) = fs::read_dir(directory) else { return 0 };
    let len = |entry: fs::DirEntry| match entry.metadata() {
        Ok(metadata) if metadata.is_dir() => disk_len(&entry.path()),
        Ok(metadata) => metadata.blocks() * 512,
        Err(_) => 0,
    };
    entries.flatten().map(len).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_of_all_that_was_noted() {
        let (mut all, mut some) = (Latencies::new().unwrap(), Latencies::new().unwrap());
        assert_eq!(all.said(), None);
        (1..=500).for_each(|millis| all.note(Duration::from_millis(millis)));
        (501..=1000).for_each(|millis| some.note(Duration::from_millis(millis)));
        all.add(&some);
        let Latency { p50, p99, p999 } = all.said().unwrap();
        for (found, millis) in [(p50, 500.0), (p99, 990.0), (p999, 999.0)] {
            assert!((found / 1_000.0 - millis).abs() / millis < 0.002, "{found} for {millis} ms");
        }
    }

    #[test]
    fn a_meter_divides_by_units() {
        let before = Counters { units: 10, syncs: 5, bytes: 100 };
        let after = Counters { units: 30, syncs: 10, bytes: 900 };
        let measured = Meter::start(before).stop(after, 4, &Latencies::new().unwrap());
        assert_eq!((measured.commits, measured.syncs, measured.bytes), (Some(5.0), Some(1.25), Some(200.0)));
        let without = Meter::start(Counters::default()).stop(Counters::default(), 4, &Latencies::new().unwrap());
        assert_eq!((without.commits, without.latency), (None, None));
    }
}
