//! `bench`: that every workload works, and what each costs in commits, syncs and bytes. No time is looked at.

use std::fs;

use serde_json::{Value, json};

use crate::support::Engine;

/// Bytes that a step of a chain may write, keys included.
const STEP_BYTES: f64 = 600.0;

/// A measurement, by the beginning of its name.
fn measured<'a>(lines: &'a [Value], workload: &str, variant: &str) -> &'a Value {
    let is_it = |line: &&Value| {
        line["workload"] == workload && line["variant"].as_str().is_some_and(|own| own.starts_with(variant))
    };
    lines.iter().find(is_it).unwrap_or_else(|| panic!("{workload}, {variant} was not measured"))
}

fn figure(line: &Value, name: &str) -> f64 {
    let of = |value: &Value| value.as_f64();
    of(&line[name]).or_else(|| of(&line["extra"][name])).unwrap_or_else(|| panic!("{name} in {line}"))
}

#[test]
fn every_workload_works_and_costs_what_it_should() {
    let place = tempfile::tempdir().unwrap();
    let engine = Engine::new(&place.path().join("data"));
    let ran = engine.verb(&["bench", "--quick", "-o", "json"]);
    let text = ran.assert_exit(0).stdout.clone();
    let lines: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert!(lines[0]["cores"].as_u64().unwrap() > 0 && lines[0]["disk"] != "unknown", "{}", lines[0]);
    for workload in ["floor", "store", "chain", "fan", "saga", "start", "waiting", "recover", "history", "big", "soak"]
    {
        let line = measured(&lines, workload, "");
        assert!(figure(line, "per_second") > 0.0, "{line}");
    }

    let chain = measured(&lines, "chain", "10 steps, alone");
    assert_eq!(
        (&chain["commits"], &chain["syncs"]),
        (&json!(1.1), &json!(1.1)),
        "eleven commits for ten steps, each synced"
    );
    for variant in ["10 steps, 64", "10 steps, 256"] {
        let chain = measured(&lines, "chain", variant);
        assert_eq!(chain["commits"], json!(1.1));
        assert!(figure(chain, "syncs") <= 1.1 && figure(chain, "bytes") <= STEP_BYTES, "{chain}");
    }
    assert!(figure(measured(&lines, "chain", "100 steps"), "bytes") <= STEP_BYTES);
    let store = measured(&lines, "store", "alone");
    assert_eq!((&store["commits"], &store["syncs"]), (&json!(1.0), &json!(1.0)), "every commit is synced");
    assert_eq!(measured(&lines, "start", "256")["commits"], json!(1.0), "a start");
    assert_eq!(measured(&lines, "waiting", "")["commits"], json!(2.0), "a start, and a failed attempt");
    // At least one for each of its calls that wait for each other, and the start.
    let saga = figure(measured(&lines, "saga", "completed, alone"), "commits");
    assert!((5.0..=9.0).contains(&saga), "{saga}");
    let killed = measured(&lines, "recover", "");
    let (acknowledged, lost) = (&killed["extra"]["acknowledged"], &killed["extra"]["lost"]);
    assert_eq!((acknowledged, lost), (&json!(50.0), &json!(0.0)), "{killed}");
    assert!(figure(killed, "repeated") <= 50.0, "one step of each chain was in flight at most: {killed}");
    assert!(fs::read_dir(&engine.data_dir).unwrap().next().is_none(), "what was measured is removed");
}

#[test]
fn a_run_is_held_against_an_earlier_one() {
    let place = tempfile::tempdir().unwrap();
    let engine = Engine::new(&place.path().join("data"));
    let ran = engine.verb(&["bench", "chain", "--quick", "-o", "json"]);
    let earlier = place.path().join("earlier.json");
    fs::write(&earlier, &ran.assert_exit(0).stdout).unwrap();
    let compared = engine.verb(&["bench", "chain", "--quick", "--compare", earlier.to_str().unwrap()]);
    compared.assert_exit(0).assert_says(&["chain, 10 steps, alone", "commits +0 %", "rate "]);
    fs::write(&earlier, "what?").unwrap();
    let refused = engine.verb(&["bench", "chain", "--quick", "--compare", earlier.to_str().unwrap()]);
    refused.assert_exit(2).assert_says(&["line 1 is not what `bench -o json` prints"]);
    engine.verb(&["bench", "chian"]).assert_exit(2).assert_says(&["floor, store, chain"]);
}
