//! `kill -9` at random moments, then the same command again.

use std::process::Child;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use engine_core::time::millis;

use crate::case::{Case, Saga, cases, cases_of_both};
use crate::support::{Engine, Random, Shop, fast, input};

/// Kills in all; each case gets its share, with either saga.
const KILLS: usize = 220;
const WORKERS: usize = 4;

/// The latest moment of a kill, where the machine is not busy: most runs are over by then.
const LATEST_MS: u64 = 500;

/// The latest moment of a kill on this machine as it is now: else a busy one would kill nothing but processes that start.
fn latest_ms() -> u64 {
    let shop = Shop::open(&[]);
    let (engine, file) = (shop.engine(), shop.file(&fast()));
    let began = Instant::now();
    engine.run(&file, &["--input", &input().to_string()]).assert_exit(0);
    LATEST_MS.max(millis(began.elapsed()) * 2)
}

#[test]
fn killed_at_any_moment_a_run_ends_as_if_nothing_had_been() {
    let (cases, kills, next) = (cases(), AtomicUsize::new(0), AtomicUsize::new(0));
    let cases = cases_of_both(&cases);
    let latest = latest_ms();
    let cut_off = AtomicUsize::new(0);
    let seeds = Mutex::new(Random::seeded("kill"));
    std::thread::scope(|scope| {
        for _ in 0..WORKERS {
            scope.spawn(|| {
                while kills.load(Ordering::Relaxed) < KILLS {
                    let round = next.fetch_add(1, Ordering::Relaxed);
                    let random = seeds.lock().unwrap().fork();
                    let (case, saga) = cases[round % cases.len()];
                    let round = kill_and_go_on(case, saga, round, random, latest);
                    kills.fetch_add(round.kills, Ordering::Relaxed);
                    cut_off.fetch_add(round.cut_off, Ordering::Relaxed);
                }
            });
        }
    });
    let [kills, rounds, cut_off] = [kills, next, cut_off].map(AtomicUsize::into_inner);
    eprintln!("{kills} kills in {rounds} rounds; {cut_off} attempts were cut off");
    assert!(cut_off >= KILLS / 10, "the kills came at the wrong moments: only {cut_off} attempts were cut off");
}

/// What one round came to.
struct Round {
    kills: usize,
    /// Attempts that recovery found cut off.
    cut_off: usize,
}

/// One run, killed up to three times and then left alone.
fn kill_and_go_on(case: &Case, saga: Saga, round: usize, mut random: Random, latest: u64) -> Round {
    let shop = Shop::open(case.faults);
    let (workflow, input) = (case.workflow(saga, &shop), case.input());
    let arguments: &[&str] =
        if round.is_multiple_of(2) { &["--input", &input, "--id", "order-1001"] } else { &["--input", &input] };
    let engine = shop.engine();
    let (mut kills, mut exit) = (0, None);
    for _ in 0..=random.below(3) {
        let child = engine.spawn_run(&workflow, arguments);
        exit = kill_after(child, Duration::from_millis(random.below(latest)));
        kills += usize::from(exit.is_none());
        // A process may be killed when it had brought the run to its end; without an id the command would then start
        // another run.
        exit = exit.or_else(|| ended(&engine));
        if exit.is_some() {
            break;
        }
    }
    let exit = exit.or_else(|| {
        let ran = engine.run(&workflow, arguments);
        assert!(!ran.stderr.contains("panicked"), "{}", ran.stderr);
        ran.exit
    });
    let what = format!("{} ({saga:?}, round {round}, {kills} kills)", case.name);
    assert!(exit == Some(case.exit) || exit == case.exit_after_kill, "{what}: exit {exit:?}");
    shop.until("late effects", |ledger| ledger["pending"] == 0);
    assert_eq!(shop.effects().net(), case.effects.clone().net(), "{what}: {:#}", shop.ledger());
    shop.assert_keys_are_sound();
    Round { kills, cut_off: attempts_cut_off(&engine) }
}

fn attempts_cut_off(engine: &Engine) -> usize {
    let run = engine.verb(&["list", "-o", "json"]).json()["runs"][0]["run"].as_str().unwrap().to_owned();
    let history = engine.verb(&["history", &run, "-o", "json"]).json();
    let notes = history["events"].as_array().unwrap().iter().filter(|event| event["event"] == "RecoveryNoted");
    notes.map(|note| note["cut_off"].as_array().unwrap().len()).sum()
}

/// The exit code that tells how the run ended, if it has.
fn ended(engine: &Engine) -> Option<i32> {
    let listed = engine.verb(&["list", "-o", "json"]);
    let runs = if listed.exit == Some(0) { listed.json()["runs"].as_array().unwrap().clone() } else { Vec::new() };
    assert!(runs.len() <= 1, "one order, one run: {runs:?}");
    let run = runs.first().filter(|run| !run["ended_at"].is_null())?["run"].as_str()?.to_owned();
    let shown = engine.verb(&["show", &run, "-o", "json"]).json();
    shown["exit_code"].as_i64().and_then(|exit| i32::try_from(exit).ok())
}

/// Kills the process after a while; its exit code if it ended before.
fn kill_after(mut child: Child, delay: Duration) -> Option<i32> {
    let began = Instant::now();
    while began.elapsed() < delay {
        if let Some(status) = child.try_wait().unwrap() {
            return status.code();
        }
        std::thread::sleep(Duration::from_millis(2));
    }
    child.kill().unwrap();
    // It may have ended in the meantime: then the kill came too late.
    child.wait().unwrap().code()
}

/// The mock services die with the engine, and remember as it does.
#[test]
fn mock_services_in_the_same_process_are_killed_too() {
    let mut random = Random::seeded("kill with mock services");
    for round in 0..8 {
        let shop = Shop::open(&[]);
        let engine = Engine::new(&shop.dir().join("data"));
        let (file, input) = (shop.file(&fast()), input().to_string());
        let arguments = ["--mock-services", "--id", "order-1001", "--input", &input];
        for _ in 0..3 {
            let child = engine.spawn_run(&file, &arguments);
            if kill_after(child, Duration::from_millis(random.below(LATEST_MS))).is_some() {
                break;
            }
        }
        let report = engine.run(&file, &arguments).assert_exit(0).json();
        assert_eq!(report["output"]["status"], "completed", "round {round}");
        let journal = std::fs::read_to_string(engine.data_dir.join("mock-services/mock-services.jsonl")).unwrap();
        let charges = journal.lines().filter(|line| line.contains("charged")).count();
        assert!(charges >= 1, "the mock services kept their journal under the data directory");
    }
}
