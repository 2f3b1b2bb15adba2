//! An earlier run of the same workloads, to hold a new one against.

use std::collections::BTreeMap;
use std::fmt;
use std::fs;
use std::path::Path;

use crate::BenchError;
use crate::machine::Machine;
use crate::measurement::Measurement;

/// The measurements of an earlier run.
#[derive(Clone, Debug)]
pub struct Earlier {
    machine: Machine,
    measured: BTreeMap<String, Measurement>,
}

/// How a figure has changed.
#[derive(Clone, PartialEq, Debug)]
pub struct Change {
    figure: &'static str,
    per_cent: f64,
}

impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {:+.0} %", self.figure, self.per_cent)
    }
}

impl Change {
    /// Whether it is less than half of one per cent.
    pub fn is_none(&self) -> bool {
        self.per_cent.abs() < 0.5
    }
}

impl Earlier {
    /// Reads what `bench -o json` printed.
    ///
    /// # Errors
    /// Where that can't be read, or is something else.
    pub fn read(path: &Path) -> Result<Self, BenchError> {
        let what = || format!("{} can't be compared with", path.display());
        let text = fs::read_to_string(path).map_err(|error| BenchError::new(what(), error))?;
        let hint = |line: usize, error: serde_json::Error| {
            let why = format!(
                "line {line} is not what `bench -o json` prints ({error}). Save its output: bench -o json > FILE"
            );
            BenchError::new(what(), why)
        };
        let mut lines = text.lines().enumerate().map(|(index, line)| (index + 1, line));
        let (_, first) = lines.next().unwrap_or((1, ""));
        let machine = serde_json::from_str(first).map_err(|error| hint(1, error))?;
        let mut measured = BTreeMap::new();
        for (number, line) in lines {
            let one: Measurement = serde_json::from_str(line).map_err(|error| hint(number, error))?;
            measured.insert(one.name(), one);
        }
        Ok(Self { machine, measured })
    }

    /// What is worth knowing before figures are compared: that they are of another machine, or build.
    pub fn warning(&self, machine: &Machine) -> Option<String> {
        let Machine { engine, .. } = machine;
        let same = Machine { engine: engine.clone(), ..self.machine.clone() };
        (same != *machine).then(|| format!("compared with figures of another machine or build: {}", self.machine))
    }

    /// How the figures have changed since then; none for what was not measured then.
    pub fn changes(&self, measured: &Measurement) -> Vec<Change> {
        let Some(then) = self.measured.get(&measured.name()) else { return Vec::new() };
        let median = |measured: &Measurement| measured.latency.map(|latency| latency.p50);
        let figures = [
            ("rate", Some(then.per_second), Some(measured.per_second)),
            ("p50", median(then), median(measured)),
            ("cpu", Some(then.cpu_us), Some(measured.cpu_us)),
            ("memory", then.peak_mib, measured.peak_mib),
            ("commits", then.commits, measured.commits),
            ("bytes", then.bytes, measured.bytes),
        ];
        let change = |(figure, then, now): (_, Option<f64>, Option<f64>)| {
            let (then, now) = (then.filter(|then| *then > 0.0)?, now?);
            Some(Change { figure, per_cent: (now / then - 1.0) * 100.0 })
        };
        figures.into_iter().filter_map(change).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn measured(per_second: f64) -> Measurement {
        Measurement { workload: "chain".into(), variant: "alone".into(), per_second, ..Measurement::default() }
    }

    fn saved(text: &str) -> (tempfile::TempDir, std::path::PathBuf) {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("earlier.json");
        fs::write(&path, text).unwrap();
        (directory, path)
    }

    #[test]
    fn figures_are_held_against_those_of_the_same_name() {
        let machine = Machine::here(Path::new("/"), "1");
        let lines = [serde_json::to_string(&machine).unwrap(), serde_json::to_string(&measured(200.0)).unwrap()];
        let (_directory, path) = saved(&lines.join("\n"));
        let earlier = Earlier::read(&path).unwrap();
        let changes = earlier.changes(&measured(250.0));
        assert_eq!(changes.iter().map(ToString::to_string).collect::<Vec<_>>(), ["rate +25 %"]);
        assert!(earlier.changes(&measured(200.0)).iter().all(Change::is_none));
        let other = Measurement { variant: "64 in flight".into(), ..measured(250.0) };
        assert!(earlier.changes(&other).is_empty());
        assert_eq!(earlier.warning(&Machine { engine: "2".into(), ..machine.clone() }), None);
        assert!(earlier.warning(&Machine { cores: 96, ..machine }).is_some());
    }

    #[test]
    fn what_is_no_output_of_bench_is_refused_with_what_to_do() {
        let error = Earlier::read(Path::new("/nowhere/earlier.json")).unwrap_err().to_string();
        assert!(error.starts_with("/nowhere/earlier.json can't be compared with: "), "{error}");
        let (_directory, path) = saved("hello\n");
        let error = Earlier::read(&path).unwrap_err().to_string();
        assert!(error.contains("line 1 is not what `bench -o json` prints") && error.contains("> FILE"), "{error}");
    }
}
