//! What is wrong on purpose, to see that it is found.

use engine_testkit::Simulator;

use crate::shop::services;
use crate::table::late_charge;

#[test]
fn a_late_charge_that_nothing_fences_is_found() {
    for case in late_charge("late charge, not fenced", services().without_fences()).both() {
        let report = Simulator::new(case).run(&[]);
        assert_eq!(report.outcome.net.get("payment/process"), Some(&1), "the refund came before the charge");
        let found = report.findings.iter().any(|finding| finding.contains("after its compensation"));
        assert!(found, "{:?}", report.findings);
    }
}
