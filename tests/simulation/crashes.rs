//! Every case of the table, undisturbed and with the process cut off everywhere.

use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use engine_core::event::Event;
use engine_testkit::{Case, Fault, Simulator};

use crate::table::{Expected, case, cases};

/// Every case of the table, as a file and in Rust.
fn every_case() -> Vec<Case> {
    cases().into_iter().flat_map(|expected| expected.saga.both()).collect()
}

/// Each case by itself, spread over some threads; fails with what was found in all of them.
fn in_threads(cases: Vec<Case>, judge: impl Fn(Case) -> Vec<String> + Sync) {
    let (cases, findings) = (Mutex::new(cases), Mutex::new(Vec::new()));
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                while let Some(case) = { cases.lock().unwrap().pop() } {
                    let name = case.name().to_owned();
                    let found = judge(case).into_iter().map(|finding| format!("{name}: {finding}"));
                    findings.lock().unwrap().extend(found);
                }
            });
        }
    });
    let findings = findings.into_inner().unwrap();
    assert!(findings.is_empty(), "{} findings:\n{}", findings.len(), findings.join("\n"));
}

#[test]
fn every_case_ends_as_the_table_says() {
    for Expected { saga, status, net, check } in cases() {
        for case in saga.both() {
            let name = case.name().to_owned();
            let report = Simulator::new(case).run(&[]);
            assert_eq!(report.findings, [""; 0], "{name}");
            assert_eq!((report.outcome.status, &report.outcome.net), (Some(status), &net), "{name}");
            check(&report);
        }
    }
}

#[test]
fn every_case_ends_so_whichever_write_the_process_dies_at() {
    let runs = AtomicUsize::new(0);
    in_threads(every_case(), |case| {
        let sweep = Simulator::new(case).crash_at_every_write();
        runs.fetch_add(sweep.runs(), Ordering::Relaxed);
        sweep.findings().to_vec()
    });
    assert!(runs.into_inner() > 800, "the sweep is whole");
}

#[test]
fn every_case_ends_so_after_an_hour_without_a_process() {
    in_threads(every_case(), |case| {
        let case = case.with_downtime(Duration::from_hours(1));
        Simulator::new(case).crash_at_every_write().findings().to_vec()
    });
}

#[test]
fn every_case_ends_so_whichever_write_fails() {
    in_threads(every_case(), |case| {
        let sweep = Simulator::new(case).fail_at_every_write(&[Fault::FailBefore, Fault::FailAfter]);
        sweep.findings().to_vec()
    });
}

/// Crashes at every two writes of the case, as a file and in Rust.
fn assert_pairs(name: &str) {
    for case in case(name).saga.both() {
        let sweep = Simulator::new(case).crash_at_every_pair_of_writes();
        sweep.assert_same_outcome();
        assert!(sweep.runs() > 300, "the sweep is whole");
    }
}

#[test]
fn a_flaky_charge_is_made_once_whichever_two_writes_processes_die_at() {
    assert_pairs("charge flaky");
}

#[test]
fn a_refused_record_is_undone_whichever_two_writes_processes_die_at() {
    assert_pairs("record refused");
}

#[test]
fn stock_that_may_be_taken_is_released_whichever_two_writes_processes_die_at() {
    assert_pairs("stock update fails although stock was taken");
}

/// The simulation would show nothing if no attempt were in flight when processes die.
#[test]
fn attempts_are_cut_off() {
    for case in case("all well").saga.both() {
        let simulator = Simulator::new(case);
        let writes = simulator.run(&[]).writes[0];
        let cut_off: usize = (1..=writes)
            .map(|write| {
                let report = simulator.run(&[engine_testkit::Planned { write, fault: Fault::CrashBefore }]);
                report.count(|event| matches!(event, Event::RecoveryNoted { cut_off } if !cut_off.is_empty()))
            })
            .sum();
        assert!(cut_off >= 5, "{cut_off} of {writes}");
    }
}

#[test]
fn the_same_case_goes_the_same_way_bit_by_bit() {
    for case in case("refund flaky").saga.both() {
        let twice = |seed| {
            let run = || {
                let report = Simulator::new(case.clone()).seeded(seed).run(&[]);
                (report.history, report.requests)
            };
            let (first, second) = (run(), run());
            assert_eq!(first, second);
            first
        };
        assert_ne!(twice(1), twice(2), "another seed gives other ids and other delays");
    }
}
