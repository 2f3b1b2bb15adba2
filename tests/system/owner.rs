//! Verbs beside the process that has the data directory.

use std::io::{Read as _, Write as _};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};

use serde_json::json;

use crate::support::{Engine, Gate, Place, Ran, Shop, assert_completed, fast, input};

#[test]
fn looks_are_answered_by_the_process_that_drives() {
    let place = Place::with(1);
    let owner = place.run("a", 1);
    let engine = &place.engine;
    engine.verb(&["list"]).assert_exit(0).assert_says(&["a", "gated", "Running"]);
    engine.verb(&["show", "a"]).assert_exit(0).assert_says(&["s0", &format!("process {} drives it", owner.pid())]);
    engine.verb(&["history", "a"]).assert_exit(0).assert_says(&["s0: POST gate/"]);
    engine.verb(&["graph", "a"]).assert_exit(0).assert_says(&["digraph", "s0"]);
    engine.verb(&["show", "nonsense"]).assert_exit(3).assert_says(&["nonsense", "a"]);
    assert_eq!(engine.verb(&["resolve", "a", "s0", "--retry"]).assert_exit(2).exit, Some(2));
    place.gate.open();
    assert_completed(&owner.ended(), "a");
    assert_eq!(place.gate.keys().len(), 1);
}

#[test]
fn a_second_run_is_handed_over_and_followed() {
    let place = Place::with(1);
    let owner = place.run("a", 1);
    let follower = place.run("b", 2);
    follower.until_says(&format!("handed to process {}", owner.pid()));
    let (first, second) = (owner.pid(), follower.pid());
    assert_ne!(first, second);
    // The same once more: known, and followed by two.
    let again = place.engine.watch_run(&place.file, &["--id", "b", "--input", "null"]);
    again.until_says("is open");
    place.gate.open();
    assert_completed(&owner.ended(), "a");
    assert_completed(&follower.ended(), "b");
    assert_completed(&again.ended(), "b");
    assert_eq!(place.gate.keys().len(), 2, "nothing was asked for twice");
    let same = ["--id", "b", "--input", "1"];
    place.engine.run(&place.file, &same).assert_exit(2).assert_says(&["other input"]);
}

#[test]
fn the_owner_stays_until_handed_in_runs_end() {
    let (place, other) = (Place::with(1), Gate::closed());
    let file = place.dir.path().join("other.json");
    std::fs::write(&file, other.workflow(1).to_string().replace("gated", "other")).unwrap();
    let owner = place.run("a", 1);
    let follower = place.engine.watch_run(&file, &["--id", "b", "--input", "null"]);
    other.until_called(1);
    place.gate.open();
    owner.until_says("staying for 1 run");
    assert_eq!(place.status("a"), "Completed");
    // A follower that leaves takes nothing with it.
    follower.signal("INT");
    let left = follower.ended();
    left.assert_exit(9).assert_says(&[&format!("goes on in process {}", owner.pid()), "recover"]);
    other.open();
    assert_completed(&owner.ended(), "a");
    assert_eq!(place.status("b"), "Completed");
    assert_eq!(other.keys().len(), 1);
}

#[test]
fn a_follower_goes_on_where_the_owner_is_stopped() {
    let place = Place::with(2);
    let owner = place.run("a", 1);
    let follower = place.run("b", 2);
    follower.until_says("handed to process");
    owner.signal("INT");
    owner.until_says("stopping");
    place.gate.open();
    owner.ended().assert_exit(9).assert_says(&["the run is open"]);
    assert_completed(&follower.ended(), "b");
    assert_eq!(place.status("a"), "Running", "nobody asked for it any more");
    let recovered = place.engine.verb(&["recover"]);
    recovered.assert_exit(0);
    assert_eq!(place.status("a"), "Completed");
    let keys = place.gate.keys();
    assert_eq!((keys.len(), keys.iter().collect::<std::collections::BTreeSet<_>>().len()), (4, 4), "{keys:?}");
}

/// What a pipe of Linux holds before its writers have to wait.
const PIPE_LEN: usize = 64 << 10;

/// The follower waits at a full pipe, where it says whom its run was handed to, until the owner is gone: it learns of
/// that by asking for the run, not by following it.
#[test]
fn a_follower_that_never_began_to_follow_says_that_it_takes_over() {
    let place = Place::with(1);
    let owner = place.run("a", 1);
    let (mut says, mut into) = std::io::pipe().unwrap();
    into.write_all(&vec![b'.'; PIPE_LEN]).unwrap();
    let follower = place.engine.spawn_run_into(&place.file, &["--id", "b", "--input", "null"], into);
    place.gate.until_called(2);
    owner.kill();
    place.gate.open();
    let mut said = String::new();
    says.read_to_string(&mut said).unwrap();
    let said = said.trim_start_matches('.');
    assert!(said.contains("this process goes on with it"), "{said}");
    assert!(!said.contains("the process that drove the run is gone"), "it never followed it: {said}");
    assert_completed(&Ran::of(&follower.wait_with_output().unwrap()), "b");
}

#[test]
fn who_recovers_says_that_it_takes_over() {
    let place = Place::with(1);
    let owner = place.run("a", 1);
    let all = place.engine.watch_verb(&["recover"]);
    all.until_says("a: goes on after");
    owner.kill();
    all.until_says("a: this process goes on with it");
    place.gate.open();
    all.ended().assert_exit(0).assert_says(&["a: Completed"]);
}

#[test]
fn open_runs_are_recovered_by_the_owner() {
    let place = Place::with(1);
    place.run("a", 1).kill();
    place.run("b", 2).kill();
    let owner = place.run("c", 3);
    let one = place.engine.watch_verb(&["recover", "a", "-o", "json"]);
    place.gate.until_called(4);
    let all = place.engine.watch_verb(&["recover"]);
    all.until_says("recovering 3 runs");
    place.gate.until_called(5);
    place.gate.open();
    assert_completed(&one.ended(), "a");
    all.ended().assert_exit(0).assert_says(&["a: Completed", "b: Completed", "c: Completed"]);
    assert_completed(&owner.ended(), "c");
}

#[test]
fn what_is_stuck_is_resolved_beside_the_owner() {
    let (place, shop) = (Place::with(1), Shop::open(&["inventory/update:status=422", "payment/refund:status=422"]));
    let owner = place.run("a", 1);
    let engine = Engine { overrides: shop.engine().overrides, ..place.engine.clone() };
    let stuck = engine.run(&shop.file(&fast()), &["--id", "order-1001", "--input", &input().to_string()]);
    stuck.assert_exit(7).assert_says(&[&format!("handed to process {}", owner.pid())]);
    engine.verb(&["resolve", "order-1001", "confirm", "--retry"]).assert_exit(2).assert_says(&["not stuck"]);
    let ended = engine.verb(&["resolve", "order-1001", "charge", "--skip", "--wait", "-o", "json"]);
    assert_eq!(ended.assert_exit(1).json()["residue"], json!(["charge"]));
    place.gate.open();
    assert_completed(&owner.ended(), "a");
}

#[test]
fn a_run_is_steered_and_watched_beside_its_owner() {
    let place = Place::with(2);
    let owner = place.run("a", 1);
    let engine = &place.engine;
    let asked = engine.verb(&["pause", "a", "--request-id", "p1", "-o", "json"]).assert_exit(0).json();
    assert_eq!((&asked["request"]["answer"], &asked["driven"]), (&json!("accepted"), &json!(true)));
    let again = engine.verb(&["pause", "a", "--request-id", "p1", "-o", "json"]).assert_exit(0).json();
    assert_eq!(asked["request"], again["request"], "a repeat gets the first answer");
    let watcher = engine.watch_verb(&["history", "a", "--follow"]);
    watcher.until_says("pause");
    place.gate.open();
    watcher.until_says("s0: done");
    assert_eq!(place.status("a"), "Paused");
    engine.verb(&["resume", "a", "--wait"]).assert_exit(0);
    watcher.ended().assert_exit(0).assert_says(&["s0: done", "s1: done", "completed"]);
    assert_completed(&owner.ended(), "a");
}

#[test]
fn who_watches_is_told_all_that_a_killed_owner_has_left() {
    let place = Place::with(1);
    let owner = place.run("a", 1);
    let watch = |verb: &[&str]| place.engine.watch_verb(verb);
    let watchers = [watch(&["history", "a", "--follow", "-o", "json"]), watch(&["show", "a", "--follow"])];
    watchers[1].until_says("goes on after");
    place.engine.verb(&["signal", "a", "paid"]).assert_exit(0);
    for watcher in &watchers {
        watcher.until_says("paid");
    }
    owner.kill();
    for watcher in watchers {
        watcher.ended().assert_exit(0).assert_says(&["s0", "paid"]);
    }
    let completed = place.run("a", 2);
    place.gate.open();
    assert_completed(&completed.ended(), "a");
    let rest = place.engine.verb(&["history", "a", "--follow"]);
    rest.assert_exit(0).assert_says(&["s0: done", "completed", "nothing drives it now"]);
}

#[test]
fn the_owner_does_not_stay_for_a_paused_run_that_nobody_follows() {
    let place = Place::with(1);
    place.run("b", 1).kill();
    place.engine.verb(&["pause", "b"]).assert_exit(0);
    let owner = place.run("a", 2);
    place.engine.run(&place.file, &["--id", "b", "--input", "null"]).assert_exit(9).assert_says(&["is paused"]);
    place.gate.open();
    assert_completed(&owner.ended(), "a");
    assert_eq!(place.status("b"), "Paused");
}

#[test]
fn a_run_is_cancelled_beside_its_owner() {
    let place = Place::with(2);
    let owner = place.run("a", 1);
    place.engine.verb(&["cancel", "a", "--reason", "enough"]).assert_exit(0).assert_says(&["accepted"]);
    place.gate.open();
    owner.ended().assert_exit(5).assert_says(&["Cancelled"]);
    assert_eq!(place.gate.keys().len(), 1, "nothing new began");
}

#[test]
fn a_run_that_the_owner_could_not_drive_is_refused() {
    let place = Place::with(1);
    let owner = place.run("a", 1);
    let mut file = place.gate.workflow(1);
    file["name"] = json!("secretive");
    file["services"]["gate"]["auth"] = json!({ "bearer": "${secret:OWNER_LACKS_IT}" });
    let secretive = place.dir.path().join("secretive.json");
    std::fs::write(&secretive, file.to_string()).unwrap();
    let refused = place.engine.run(&secretive, &["--input", "null"]);
    refused.assert_exit(8).assert_says(&["ENGINE_SECRET_OWNER_LACKS_IT", &owner.pid().to_string()]);
    let saga = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../workflows/order_saga.json");
    let mocked = ["--mock-services", "--fault", "payment/process:status=503,times=1"];
    place.engine.run(&saga, &mocked).assert_exit(8).assert_says(&["fault rules", &owner.pid().to_string()]);
    let runs = place.engine.verb(&["list", "-o", "json"]).json()["runs"].clone();
    assert_eq!(runs.as_array().map(Vec::len), Some(1), "nothing was stored: {runs}");
    // Without faults the owner's own mock services do.
    place.engine.run(&saga, &["--mock-services"]).assert_exit(0);
    place.gate.open();
    assert_completed(&owner.ended(), "a");
}

#[test]
fn a_path_that_is_too_long_for_a_socket() {
    let mut place = Place::with(1);
    place.engine.data_dir = place.dir.path().join("long".repeat(30)).join("data");
    let owner = place.run("a", 1);
    assert!(!place.engine.data_dir.join("control").exists());
    place.engine.verb(&["list"]).assert_exit(0).assert_says(&["Running"]);
    let follower = place.run("b", 2);
    place.gate.open();
    assert_completed(&owner.ended(), "a");
    assert_completed(&follower.ended(), "b");
}

#[test]
fn where_no_socket_can_be_made_it_works_alone() {
    let place = Place::with(1);
    place.run("a", 1).kill();
    std::fs::remove_dir_all(place.engine.data_dir.join("control")).unwrap();
    std::fs::write(place.engine.data_dir.join("control"), "in the way").unwrap();
    let owner = place.run("a", 2);
    owner.until_says("other commands can't reach this process");
    place.engine.verb(&["list"]).assert_exit(8).assert_says(&["in use", &owner.pid().to_string()]);
    place.gate.open();
    assert_completed(&owner.ended(), "a");
    assert_eq!(place.status("a"), "Completed");
}

#[test]
fn garbage_does_not_disturb_the_owner() {
    let place = Place::with(1);
    let owner = place.run("a", 1);
    let socket = place.engine.data_dir.join("control/socket");
    let mut held = Vec::new();
    let hello = hello("0.0.0");
    let mut after_hello = frame(&own_hello());
    after_hello.extend_from_slice(b"\0\0\0\x08garbage!");
    let pieces: [&[u8]; 7] = [
        b"GET / HTTP/1.1\r\n\r\n",
        &[0xff; 64],
        &[],
        b"\0\0\0\x02{}",
        b"\0\0\x04\0{\"protocol\":2",
        &frame(&hello),
        &after_hello,
    ];
    for piece in pieces.iter().cycle().take(70) {
        let mut stream = UnixStream::connect(&socket).unwrap();
        // The owner may have hung up by then.
        let _ = stream.write_all(piece);
        held.push(stream);
    }
    place.engine.verb(&["list"]).assert_exit(0).assert_says(&["Running"]);
    let mut greeted = UnixStream::connect(&socket).unwrap();
    greeted.write_all(&frame(&hello)).unwrap();
    let mut answer = Vec::new();
    greeted.read_to_end(&mut answer).unwrap();
    assert!(String::from_utf8_lossy(&answer).contains(&owner.pid().to_string()), "it says who it is, and hangs up");
    let follower = place.run("b", 2);
    place.gate.open();
    assert_completed(&owner.ended(), "a");
    assert_completed(&follower.ended(), "b");
}

fn hello(version: &str) -> Vec<u8> {
    json!({ "protocol": 2, "version": version, "pid": 4_194_304, "leaving": false }).to_string().into_bytes()
}

fn own_hello() -> Vec<u8> {
    hello(env!("CARGO_PKG_VERSION"))
}

fn frame(bytes: &[u8]) -> Vec<u8> {
    let len = u32::try_from(bytes.len()).unwrap();
    [&len.to_be_bytes(), bytes].concat()
}

/// A directory that is held by something which greets like this.
fn held_by(data_dir: &Path, greeting: Vec<u8>) -> std::fs::File {
    let lock = std::fs::OpenOptions::new().write(true).open(data_dir.join("lock")).unwrap();
    lock.lock().unwrap();
    let socket = data_dir.join("control/socket");
    // Whoever had it has removed it.
    let _ = std::fs::remove_file(&socket);
    let listener = UnixListener::bind(&socket).unwrap();
    std::thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            let _ = stream.write_all(&frame(&greeting));
            let _ = stream.read_to_end(&mut Vec::new());
        }
    });
    lock
}

#[test]
fn another_version_is_not_talked_to() {
    let place = Place::with(1);
    place.gate.open();
    place.run("a", 1).ended().assert_exit(0);
    let lock = held_by(&place.engine.data_dir, hello("9.9.9"));
    for verb in [&["list"][..], &["recover", "a"]] {
        place.engine.verb(verb).assert_exit(8).assert_says(&["9.9.9", "4194304", env!("CARGO_PKG_VERSION")]);
    }
    drop(lock);
    place.engine.verb(&["list"]).assert_exit(0);
}
