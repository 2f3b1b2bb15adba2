//! SIGTERM and Ctrl-C: the first lets attempts end, the second leaves at once; nothing is lost either way.

use std::time::Duration;

use crate::support::{Engine, Running, Shop, fast, input};

/// A run whose charge is under way, in a process that `verb` started.
fn charging(shop: &Shop, engine: &Engine, verb: &str, more: &[&str]) -> Running {
    let (file, input) = (shop.file(&fast()), input().to_string());
    let arguments = ["--id", "order-1001", "--input", &input];
    let run = |more: &[&str]| Running::new(engine.spawn_run(&file, &[&arguments, more].concat()));
    if verb == "run" {
        let running = run(more);
        shop.until_called("process", 1);
        return running;
    }
    let first = run(&[]);
    shop.until_called("process", 1);
    drop(first);
    let running = Running::new(engine.spawn(&[&["recover"], more].concat()));
    shop.until_called("process", 2);
    running
}

/// What is left: one order, as if nothing had been.
fn assert_goes_on(shop: &Shop, engine: &Engine, what: &str) {
    shop.lift_faults();
    let recovered = engine.verb(&["recover"]);
    assert_eq!(recovered.exit, Some(0), "{what}: {recovered:?}");
    let effects = shop.effects();
    assert_eq!((effects.charges, effects.net.as_str(), effects.records), (1, "199.98", 1), "{what}");
    shop.assert_keys_are_sound();
}

/// Runs each combination of verb and signal.
fn each(test: impl Fn(&str, &str) + Sync) {
    std::thread::scope(|scope| {
        for (verb, signal) in [("run", "INT"), ("run", "TERM"), ("recover", "INT"), ("recover", "TERM")] {
            let test = &test;
            scope.spawn(move || test(verb, signal));
        }
    });
}

#[test]
fn the_first_signal_lets_attempts_end() {
    each(|verb, signal| {
        // The attempt that a killed process had made is answered late too.
        let shop = Shop::open(&["payment/process:delay=700ms,times=2"]);
        let engine = shop.engine();
        let running = charging(&shop, &engine, verb, &["--grace", "30s"]);
        running.signal(signal);
        running.until_says("attempts in flight may end within 30 s");
        let stopped = running.end();
        stopped.assert_exit(9).assert_says(&["open", "engine recover"]);
        let history = engine.verb(&["history", "order-1001"]);
        history.assert_exit(0).assert_says(&["charge: done"]);
        assert_eq!(shop.calls("update").len(), 0, "nothing new began");
        let calls = shop.calls("process").len();
        assert_goes_on(&shop, &engine, &format!("{verb} {signal}"));
        assert_eq!(shop.calls("process").len(), calls, "the charge was allowed to end");
    });
}

#[test]
fn the_second_signal_leaves_at_once() {
    each(|verb, signal| {
        let shop = Shop::open(&["payment/process:delay=50s"]);
        let engine = shop.engine();
        let mut running = charging(&shop, &engine, verb, &["--grace", "1h"]);
        running.signal(signal);
        running.until_says("stopping");
        // What comes within the same quarter of a second counts as one.
        while running.ended().is_none() {
            running.signal(signal);
            std::thread::sleep(Duration::from_millis(20));
        }
        running.end().assert_exit(9).assert_says(&["left at once", "open", "engine recover"]);
        assert_goes_on(&shop, &engine, &format!("{verb} {signal}"));
    });
}

#[test]
fn without_grace_the_first_signal_leaves_at_once() {
    each(|verb, signal| {
        let shop = Shop::open(&["payment/process:delay=50s"]);
        let engine = shop.engine();
        let running = charging(&shop, &engine, verb, &["--grace", "0s"]);
        running.signal(signal);
        running.end().assert_exit(9).assert_says(&["open", "engine recover"]);
        let before = shop.calls("process").len();
        assert_goes_on(&shop, &engine, &format!("{verb} {signal}"));
        assert!(shop.calls("process").len() > before, "it was cut off, so it was made again");
    });
}
