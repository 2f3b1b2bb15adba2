//! Measurements as lines of a table.

use crate::compare::Change;
use crate::machine::Machine;
use crate::measurement::{Floor, Measurement};

/// What the figures are of.
pub fn header(machine: &Machine) -> Vec<String> {
    let mut lines = vec![machine.to_string()];
    if !machine.release {
        lines.push("built without optimisation: these figures say nothing; use a release build".to_owned());
    }
    lines
}

/// What the columns are.
pub fn heading() -> String {
    line(
        ["", "a second", "p50", "p99", "p99.9", "cpu", "memory", "commits", "syncs", "bytes", "disk", "floor"]
            .map(str::to_owned),
    )
}

/// One measurement, and below it what else there is to say.
pub fn row(measured: &Measurement, changes: &[Change]) -> Vec<String> {
    let Measurement { per_second, latency, cpu_us, peak_mib, commits, syncs, bytes, disk, .. } = measured;
    let time = |of: fn(&crate::measurement::Latency) -> f64| {
        latency.as_ref().map_or_else(String::new, |latency| micros(of(latency)))
    };
    let optional = |figure: &Option<f64>| figure.map_or_else(String::new, digits);
    let mut lines = vec![line([
        measured.name(),
        format!("{} {}s", digits(*per_second), measured.unit),
        time(|latency| latency.p50),
        time(|latency| latency.p99),
        time(|latency| latency.p999),
        micros(*cpu_us),
        peak_mib.map_or_else(String::new, |mib| format!("{} MiB", digits(mib))),
        optional(commits),
        optional(syncs),
        optional(bytes),
        optional(disk),
        measured.floor.as_ref().map_or_else(String::new, |Floor { ratio, .. }| format!("× {ratio:.2}")),
    ])];
    let mut beside: Vec<String> =
        measured.extra.iter().map(|(name, figure)| format!("{name} {}", digits(*figure))).collect();
    if let Some(Floor { what, figure, of, .. }) = &measured.floor {
        let figure = if of == "us" { micros(*figure) } else { format!("{} {of}", digits(*figure)) };
        beside.insert(0, format!("floor: {what}, {figure}"));
    }
    lines.extend((!beside.is_empty()).then(|| format!("    {}", beside.join("; "))));
    let changes: Vec<String> = changes.iter().map(ToString::to_string).collect();
    lines.extend((!changes.is_empty()).then(|| format!("    since then: {}", changes.join(", "))));
    lines
}

fn line(columns: [String; 12]) -> String {
    let mut columns = columns.into_iter();
    let first = columns.next().unwrap_or_default();
    let rest = columns.map(|column| format!(" {column:>10}"));
    format!("{first:<32}{}", rest.collect::<String>()).trim_end().to_owned()
}

/// A time, given in microseconds, in a unit that suits it.
fn micros(micros: f64) -> String {
    match micros {
        _ if micros >= 1e6 => format!("{} s", digits(micros / 1e6)),
        _ if micros >= 1e3 => format!("{} ms", digits(micros / 1e3)),
        _ => format!("{} us", digits(micros)),
    }
}

/// Three digits or so.
pub(crate) fn digits(figure: f64) -> String {
    match figure.abs() {
        size if size >= 100.0 || size == 0.0 => format!("{figure:.0}"),
        size if size >= 10.0 => format!("{figure:.1}"),
        _ => format!("{figure:.2}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::measurement::Latency;

    #[test]
    fn a_row_says_what_was_measured() {
        let latency = Some(Latency { p50: 456.0, p99: 1_234.0, p999: 2_500_000.0 });
        let measured = Measurement {
            workload: "chain".to_owned(),
            variant: "alone".to_owned(),
            unit: "step".to_owned(),
            per_second: 2_200.0,
            latency,
            commits: Some(1.1),
            ..Measurement::default()
        };
        let lines = row(&measured.against_time("lone commit of the store", 304.0).with("lost", 0.0), &[]);
        assert!(lines[0].starts_with("chain, alone "), "{lines:?}");
        for expected in ["2200 steps", "456 us", "1.23 ms", "2.50 s", "1.10", "× 1.50"] {
            assert!(lines[0].contains(expected), "{expected} in {lines:?}");
        }
        assert_eq!(lines[1].trim(), "floor: lone commit of the store, 304 us; lost 0");
    }
}
