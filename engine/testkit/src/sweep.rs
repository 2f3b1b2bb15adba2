//! Crashes everywhere: the same case again and again, cut off after each write, and compared.

use engine_core::state::Status;

use crate::report::{Outcome, Report};
use crate::simulator::Simulator;
use crate::store::{Fault, Planned};

/// What a sweep of faults over one case showed.
#[derive(Debug)]
pub struct Sweep {
    case: String,
    undisturbed: Report,
    /// How often the case was run with a fault that struck.
    runs: usize,
    findings: Vec<String>,
}

impl Simulator {
    /// Runs the case undisturbed, and then with a crash before and after every write of it.
    pub fn crash_at_every_write(&self) -> Sweep {
        self.fail_at_every_write(&[Fault::CrashBefore, Fault::CrashAfter])
    }

    /// Runs the case undisturbed, and then with each of these faults at every write of it.
    pub fn fail_at_every_write(&self, faults: &[Fault]) -> Sweep {
        let mut sweep = self.begin();
        let writes = sweep.undisturbed.writes.first().copied().unwrap_or_default();
        for (write, fault) in each(writes, faults) {
            sweep.compare(self, &[Planned { write, fault }]);
        }
        sweep
    }

    /// Runs the case undisturbed, and then with a crash before or after every write, and again one before or after
    /// every write of the process that takes it up.
    pub fn crash_at_every_pair_of_writes(&self) -> Sweep {
        const CRASHES: [Fault; 2] = [Fault::CrashBefore, Fault::CrashAfter];
        let mut sweep = self.begin();
        let writes = sweep.undisturbed.writes.first().copied().unwrap_or_default();
        for (write, fault) in each(writes, &CRASHES) {
            let first = Planned { write, fault };
            let report = sweep.compare(self, &[first]);
            let writes = report.writes.get(1).copied().unwrap_or_default();
            for (write, fault) in each(writes, &CRASHES) {
                sweep.compare(self, &[first, Planned { write, fault }]);
            }
        }
        sweep
    }

    fn begin(&self) -> Sweep {
        let undisturbed = self.run(&[]);
        let mut findings: Vec<String> =
            undisturbed.findings.iter().map(|finding| format!("undisturbed: {finding}")).collect();
        if undisturbed.not_done > 0 {
            findings.push(format!("undisturbed: {} acts were not done", undisturbed.not_done));
        }
        let again = self.run(&[]);
        if (&again.history, &again.earlier) != (&undisturbed.history, &undisturbed.earlier)
            || again.requests != undisturbed.requests
        {
            findings.push("the same case did not go the same way twice".to_owned());
        }
        Sweep { case: self.case().name().to_owned(), undisturbed, runs: 0, findings }
    }
}

fn each(writes: u64, faults: &[Fault]) -> impl Iterator<Item = (u64, Fault)> {
    (1..=writes).flat_map(move |write| faults.iter().map(move |fault| (write, *fault)))
}

impl Sweep {
    /// What came of the case when nothing went wrong.
    pub fn undisturbed(&self) -> &Report {
        &self.undisturbed
    }

    /// How often it was run with faults that struck.
    pub fn runs(&self) -> usize {
        self.runs
    }

    /// What came out differently, or wrong.
    pub fn findings(&self) -> &[String] {
        &self.findings
    }

    /// Asserts that the case came to the same end each time, with the same things done, and nothing wrong on the way.
    ///
    /// # Panics
    /// Where it did not: with all that was found.
    pub fn assert_same_outcome(&self) {
        let (case, count) = (&self.case, self.findings.len());
        assert!(
            self.findings.is_empty(),
            "{case}: {count} findings in {} runs:\n{}",
            self.runs,
            self.findings.join("\n")
        );
        assert!(self.runs > 0, "{case}: no fault struck");
    }

    fn compare(&mut self, simulator: &Simulator, faults: &[Planned]) -> Report {
        let report = simulator.run(faults);
        let told: Vec<String> = faults.iter().map(|planned| format!("{:?} {}", planned.fault, planned.write)).collect();
        let told = told.join(", then ");
        self.runs += 1;
        if report.struck != faults.len() {
            self.findings.push(format!("{told}: only {} of them struck", report.struck));
        }
        self.findings.extend(report.findings.iter().map(|finding| format!("{told}: {finding}")));
        if !allows(&self.undisturbed.outcome, &report.outcome) {
            self.findings.push(format!("{told}: {} instead of {}", report.outcome, self.undisturbed.outcome));
        }
        report
    }
}

/// Whether a run that was cut off may end so. What an attempt did that was cut off is unknown, so a run that failed
/// with nothing to undo may have to undo what turns out to be nothing.
fn allows(undisturbed: &Outcome, found: &Outcome) -> bool {
    let turned = undisturbed.status == Some(Status::Failed) && found.status == Some(Status::Compensated);
    undisturbed.net == found.net && (undisturbed.status == found.status || turned)
}
