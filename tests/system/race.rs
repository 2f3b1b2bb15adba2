//! Processes that want the same data directory at the same moment, and those that it is taken from by `kill -9`.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};

use serde_json::{Value, json};

use crate::support::{Engine, Gate, Ran, Random, Shop, Watched, fast, input};

/// Rounds in all, over all workers.
const ROUNDS: usize = 100;
const WORKERS: usize = 4;

/// Two processes race for the directory: one has it, the other one's run is handed over, or it comes after. Each run
/// ends once.
#[test]
fn two_processes_race_for_the_directory() {
    let next = AtomicUsize::new(0);
    std::thread::scope(|scope| {
        for _ in 0..WORKERS {
            scope.spawn(|| {
                let dir = tempfile::tempdir().unwrap();
                let file = dir.path().join("values.json");
                std::fs::write(&file, values().to_string()).unwrap();
                let (engine, mut runs) = (Engine::new(&dir.path().join("data")), 0);
                loop {
                    let round = next.fetch_add(1, Ordering::Relaxed);
                    if round >= ROUNDS {
                        break;
                    }
                    runs += race(&engine, &file, round);
                }
                let listed = engine.verb(&["list", "--limit", "1000", "-o", "json"]).json()["runs"].clone();
                let listed = listed.as_array().unwrap();
                assert!(listed.iter().all(|run| run["status"] == "Completed"), "{listed:?}");
                assert_eq!(listed.len(), runs, "no run is lost, none doubled");
            });
        }
    });
}

fn values() -> Value {
    json!({
        "format": "engine/1", "name": "values", "version": "1",
        "steps": { "one": { "value": 1 }, "two": { "after": ["one"], "value": "${ .steps.one + 1 }" } },
    })
}

/// One round; gives how many runs it should have made.
fn race(engine: &Engine, file: &Path, round: usize) -> usize {
    // The same run, or two; with an id, or each another one in any case.
    let arguments: [Vec<String>; 2] = match round % 3 {
        0 => [0, 1].map(|number| vec!["--id".to_owned(), format!("{round}-{number}")]),
        1 => [0, 1].map(|_| vec!["--id".to_owned(), round.to_string()]),
        _ => [0, 1].map(|_| vec!["--new".to_owned()]),
    };
    let started = arguments.map(|arguments| {
        engine.watch_run(file, &[&arguments[..], &["--input".to_owned(), "null".to_owned()]].concat())
    });
    let runs: BTreeSet<String> = started.into_iter().map(|run| completed(&run.ended())).collect();
    assert_eq!(runs.len(), if round % 3 == 1 { 1 } else { 2 }, "round {round}: {runs:?}");
    runs.len()
}

/// The id of a run that has completed.
fn completed(ran: &Ran) -> String {
    let report = ran.assert_exit(0).json();
    assert_eq!(report["status"], "Completed");
    report["run"].as_str().unwrap().to_owned()
}

/// The owner is killed while two follow it: exactly one of them has the directory then, and goes on with both runs.
#[test]
fn one_follower_takes_over_from_a_killed_owner() {
    let (gate, dir) = (Gate::closed(), tempfile::tempdir().unwrap());
    let file = dir.path().join("gated.json");
    std::fs::write(&file, gate.workflow(1).to_string()).unwrap();
    let engine = Engine::new(&dir.path().join("data"));
    let start = |number: usize| {
        let run = engine.watch_run(&file, &["--new", "--input", &number.to_string()]);
        gate.until_called(number + 1);
        run
    };
    let [owner, one, two] = [0, 1, 2].map(start);
    for follower in [&one, &two] {
        follower.until_says(&format!("handed to process {}", owner.pid()));
    }
    owner.kill();
    // Both runs are driven again before any of them can end.
    gate.until_called(5);
    let has_it = std::fs::read_to_string(engine.data_dir.join("lock")).unwrap();
    assert!([one.pid(), two.pid()].iter().any(|pid| *pid.to_string() == *has_it.trim()), "{has_it} has the directory");
    gate.open();
    let runs = [completed(&one.ended()), completed(&two.ended())];
    let keys = gate.keys();
    assert_eq!(keys[3..].iter().collect::<BTreeSet<_>>(), keys[1..3].iter().collect(), "the same keys: {keys:?}");
    // What the dead owner drove for itself is open until somebody asks for it.
    let listed = engine.verb(&["list", "-o", "json"]).json()["runs"].clone();
    let open: Vec<&Value> = listed.as_array().unwrap().iter().filter(|run| run["status"] == "Running").collect();
    assert_eq!(open.len(), 1, "{listed:#}");
    assert!(runs.iter().all(|run| open[0]["run"] != **run));
}

/// How long a service holds the answers to the first attempts: until those are cut off.
const HELD: &str = "payment/process:delay=60s,times=3";

#[test]
fn runs_of_a_killed_owner_take_effect_once() {
    let shop = Shop::open(&[HELD]);
    let engine = shop.engine();
    let file = shop.file(&fast());
    let start = |number: usize| {
        let run = engine.watch_run(&file, &order(number));
        shop.until("the charge was asked for", |ledger| charges_asked_for(ledger) == number + 1);
        run
    };
    let [owner, one, two] = [0, 1, 2].map(start);
    owner.kill();
    for follower in [one, two] {
        completed(&follower.ended());
    }
    engine.verb(&["recover"]).assert_exit(0);
    assert_charged_once(&shop, 3);
}

/// The arguments of one order's run.
fn order(number: usize) -> [String; 4] {
    let mut order = input();
    order["order_id"] = json!(format!("order-{number}"));
    ["--id".to_owned(), format!("order-{number}"), "--input".to_owned(), order.to_string()]
}

fn charges_asked_for(ledger: &Value) -> usize {
    ledger["entries"].as_array().unwrap().iter().filter(|entry| entry["endpoint"] == "process").count()
}

fn assert_charged_once(shop: &Shop, orders: usize) {
    let ledger = shop.ledger();
    let payment = &ledger["state"]["payment"];
    assert_eq!(payment["charges"].as_array().map(Vec::len), Some(orders), "{payment:#}");
    let net = payment["net"].as_object().unwrap();
    assert!(net.len() == orders && net.values().all(|net| net == "199.98"), "{payment:#}");
    assert_eq!(ledger["state"]["order"]["records"].as_array().map(Vec::len), Some(orders));
    assert_eq!(ledger["violations"], 0);
}

/// Four processes at once, and whichever is hit is killed, at any moment: those that are left bring their runs to their
/// ends, and nothing is done twice.
#[test]
fn whoever_is_killed_the_others_end_their_runs() {
    let mut random = Random::seeded("race");
    for round in 0..6 {
        let shop = Shop::open(&["payment/process:delay=150ms"]);
        let engine = shop.engine();
        let file = shop.file(&fast());
        let mut runs: Vec<Watched> = (0..4).map(|number| engine.watch_run(&file, &order(number))).collect();
        for _ in 0..2 {
            let victim = runs.remove(usize::try_from(random.below(runs.len() as u64)).unwrap());
            shop.until("something is under way", |ledger| !ledger["entries"].as_array().unwrap().is_empty());
            victim.kill();
        }
        for run in runs {
            completed(&run.ended());
        }
        let rest = engine.verb(&["recover"]);
        assert!(rest.exit == Some(0) || rest.exit == Some(3), "round {round}: {rest:?}");
        let listed = engine.verb(&["list", "-o", "json"]).json()["runs"].clone();
        let listed = listed.as_array().unwrap();
        assert!(listed.iter().all(|run| run["status"] == "Completed"), "{listed:?}");
        assert_charged_once(&shop, listed.len());
    }
}
