//! The trace of a run, as W3C Trace Context has it.
//!
//! Ids follow from what they stand for, so they are the same after a crash and need not be kept: a run is one trace,
//! whichever processes carry it out.

use crate::id::{Digest, Name, RunId, Side};

/// What a callee of this attempt sees as `traceparent` (W3C Trace Context, version 00): the trace is the run, the parent
/// the attempt.
pub fn traceparent(run: RunId, step: &Name, side: Side, attempt: u32) -> String {
    let side = match side {
        Side::Forward => "forward",
        Side::Compensation => "compensate",
    };
    let trace = run.to_string().replace('-', "");
    let digest = Digest::of(format!("span/{run}/{step}/{side}/{attempt}").as_bytes()).to_string();
    let span: String = digest.chars().take(16).collect();
    format!("00-{trace}-{span}-01")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn attempts_of_a_run_are_spans_of_one_trace() {
        let run = RunId::from_bytes([0xab; 16]);
        let step = Name::new("charge");
        let first = traceparent(run, &step, Side::Forward, 1);
        assert_eq!(first, traceparent(run, &step, Side::Forward, 1), "the same after a crash");
        let parts: Vec<&str> = first.split('-').collect();
        assert_eq!(parts.iter().map(|part| part.len()).collect::<Vec<_>>(), [2, 32, 16, 2]);
        assert_eq!((parts[0], parts[1], parts[3]), ("00", "ab".repeat(16).as_str(), "01"));
        for other in [
            traceparent(run, &step, Side::Forward, 2),
            traceparent(run, &step, Side::Compensation, 1),
            traceparent(run, &Name::new("ship"), Side::Forward, 1),
        ] {
            let others: Vec<&str> = other.split('-').collect();
            assert_eq!(others[1], parts[1]);
            assert_ne!(others[2], parts[2]);
        }
    }
}
