//! The data directory as a whole: doctor, backup, compact.

use std::fs::{self, File};
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use crate::support::{Engine, Place, Shop, Watched, assert_completed, fast, input};

/// A run that is stuck, one that ended, in a directory that nobody uses.
fn filled(shop: &Shop) -> Engine {
    let (engine, file) = (shop.engine(), shop.file(&fast()));
    engine.run(&file, &["--id", "order-1", "--input", &input().to_string()]).assert_exit(0);
    engine
}

fn listed(engine: &Engine) -> serde_json::Value {
    engine.verb(&["list", "-o", "json"]).assert_exit(0).json()["runs"].clone()
}

#[test]
fn a_backup_is_a_directory_that_can_be_used() {
    let shop = Shop::open(&[]);
    let engine = filled(&shop);
    let to = shop.dir().join("copy");
    let path = to.to_str().unwrap();
    engine.verb(&["backup", path]).assert_exit(0).assert_says(&["1 runs", "opened and looked at"]);
    let copy = Engine::new(&to);
    assert_eq!(listed(&copy), listed(&engine));
    let history = |engine: &Engine| engine.verb(&["history", "order-1", "-o", "json"]).assert_exit(0).json();
    assert_eq!(history(&copy), history(&engine));
    copy.verb(&["doctor"]).assert_exit(0).assert_says(&["all sound"]);
    engine.verb(&["backup", path]).assert_exit(8).assert_says(&["copy"]);
}

#[test]
fn compacting_keeps_everything() {
    let shop = Shop::open(&[]);
    let engine = filled(&shop);
    let before = listed(&engine);
    let report = engine.verb(&["compact", "-o", "json"]).assert_exit(0).json();
    assert!(report["after"].as_u64().unwrap() > 0, "{report}");
    assert_eq!(listed(&engine), before);
    engine.verb(&["doctor"]).assert_exit(0);
}

#[test]
fn the_doctor_says_what_is_wrong_and_mends_what_follows_from_histories() {
    let shop = Shop::open(&[]);
    let engine = filled(&shop);
    let sound = engine.verb(&["doctor", "-o", "json"]).assert_exit(0).json();
    assert_eq!((&sound["sound"], &sound["counts"]["runs"]), (&true.into(), &1.into()), "{sound}");
    let repaired = engine.verb(&["doctor", "--repair", "-o", "json"]).assert_exit(0).json();
    assert_eq!(repaired["repaired"]["rows"], 0, "what is right is not touched: {repaired}");

    let definition = std::fs::read_dir(engine.data_dir.join("definitions")).unwrap().next().unwrap().unwrap().path();
    std::fs::remove_file(definition).unwrap();
    let found = engine.verb(&["doctor"]).assert_exit(8).text();
    assert!(found.contains("definition") && found.contains("finding"), "{found}");
}

#[test]
fn nothing_is_made_where_nothing_is() {
    let dir = tempfile::tempdir().unwrap();
    let engine = Engine::new(&dir.path().join("none"));
    for verb in [vec!["doctor"], vec!["compact"], vec!["backup", "copy"]] {
        engine.verb(&verb).assert_exit(3).assert_says(&["no data directory"]);
    }
    assert!(!Path::new(&engine.data_dir).exists());
}

#[test]
fn a_backup_is_made_beside_the_process_that_drives() {
    let place = Place::with(2);
    let owner = place.run("a", 1);
    // From another working directory than the owner's.
    let (here, to) = (tempfile::tempdir().unwrap(), "copies/today");
    let made = place.engine.verb_in(here.path(), &["backup", to]);
    made.assert_exit(0).assert_says(&["1 runs", "opened and looked at", &owner.pid().to_string()]);
    let copy = Engine::new(&here.path().join(to));
    copy.verb(&["list"]).assert_exit(0).assert_says(&["a", "gated", "Running"]);
    copy.verb(&["history", "a"]).assert_exit(0).assert_says(&["s0: POST gate/"]);
    copy.verb(&["doctor"]).assert_exit(0).assert_says(&["1 runs", "all sound"]);
    let again = place.engine.verb_in(here.path(), &["backup", to, "-o", "json"]);
    again.assert_exit(8).assert_says(&["is not empty"]);
    place.gate.open();
    assert_completed(&owner.ended(), "a");
    let alone = place.engine.verb_in(here.path(), &["backup", to, "-o", "json"]);
    assert_eq!(again.json(), alone.json(), "whoever makes it says the same");
    copy.verb(&["list"]).assert_exit(0).assert_says(&["Running"]);
}

#[test]
fn the_doctor_looks_beside_the_process_that_drives_and_says_what_it_could_not_see() {
    let place = Place::with(1);
    let owner = place.run("a", 1);
    let (engine, pid) = (&place.engine, owner.pid());
    engine.verb(&["doctor"]).assert_exit(0).assert_says(&["1 runs", "all sound", "not looked at", &pid.to_string()]);
    let sound = engine.verb(&["doctor", "-o", "json"]).assert_exit(0).json();
    assert_eq!((&sound["sound"], &sound["process"]), (&true.into(), &pid.into()), "{sound}");
    assert_eq!(sound["left_out"].as_array().map(Vec::len), Some(2), "{sound}");
    for verb in [&["doctor", "--repair"][..], &["compact"]] {
        engine.verb(verb).assert_exit(8).assert_says(&["in use", "Stop that process first", &pid.to_string()]);
    }
    let definition = fs::read_dir(engine.data_dir.join("definitions")).unwrap().next().unwrap().unwrap().path();
    fs::remove_file(definition).unwrap();
    engine.verb(&["doctor"]).assert_exit(8).assert_says(&["definition", "finding"]);
    place.gate.open();
    assert_completed(&owner.ended(), "a");
    let stopped = engine.verb(&["doctor", "-o", "json"]).assert_exit(8).json();
    assert_eq!(stopped["left_out"], serde_json::json!([]), "{stopped}");
}

/// A backup that its maker can't complete before something is written into the pipe, which it takes for a blob.
struct Held {
    making: Watched,
    to: PathBuf,
    path: PathBuf,
    pipe: File,
}

impl Held {
    /// Has a backup made of this place, by its owner.
    fn by_owner(place: &Place) -> Self {
        let run = place.engine.verb(&["show", "a", "-o", "json"]).assert_exit(0).json()["run"].clone();
        let blobs = place.engine.data_dir.join("blobs").join(run.as_str().unwrap());
        fs::create_dir_all(&blobs).unwrap();
        let (path, to) = (blobs.join("pipe"), place.dir.path().join("copy"));
        assert!(Command::new("mkfifo").arg(&path).status().unwrap().success());
        let making = place.engine.watch_verb(&["backup", to.to_str().unwrap()]);
        Self { making, to, pipe: once_it_is_read(&path), path }
    }
}

/// The end of a pipe to write into, once somebody reads at the other.
fn once_it_is_read(path: &Path) -> File {
    let at_once = i32::try_from(rustix::fs::OFlags::NONBLOCK.bits()).unwrap();
    let began = Instant::now();
    loop {
        match File::options().write(true).custom_flags(at_once).open(path) {
            Ok(pipe) => return pipe,
            Err(error) => assert!(began.elapsed() < Duration::from_mins(1), "nobody reads: {error}"),
        }
        std::thread::sleep(Duration::from_millis(5));
    }
}

#[test]
fn the_owner_stays_until_a_backup_is_made() {
    let place = Place::with(1);
    let owner = place.run("a", 1);
    let backup = Held::by_owner(&place);
    place.engine.verb(&["list"]).assert_exit(0).assert_says(&["Running"]);
    let other = place.dir.path().join("other");
    let refused = place.engine.verb(&["backup", other.to_str().unwrap()]);
    refused.assert_exit(8).assert_says(&["is being backed up already"]);
    Engine::new(&backup.to).verb(&["list"]).assert_exit(8);
    place.gate.open();
    owner.until_says("staying until");
    assert_eq!(place.status("a"), "Completed");
    (&backup.pipe).write_all(b"no blob").unwrap();
    drop(backup.pipe);
    backup.making.ended().assert_exit(0).assert_says(&["1 runs", &owner.pid().to_string()]);
    assert_completed(&owner.ended(), "a");
    Engine::new(&backup.to).verb(&["doctor"]).assert_exit(0).assert_says(&["all sound"]);
}

#[test]
fn a_backup_is_made_anew_where_the_owner_goes() {
    for signal in ["KILL", "INT"] {
        let place = Place::with(1);
        let owner = place.run("a", 1);
        let backup = Held::by_owner(&place);
        fs::remove_file(&backup.path).unwrap();
        owner.signal(signal);
        if signal == "INT" {
            owner.until_says("stopping");
            place.gate.open();
        }
        let pid = owner.pid();
        owner.ended();
        let made = backup.making.ended();
        made.assert_exit(0).assert_says(&["1 runs", "opened and looked at"]);
        assert!(!made.text().contains(&pid.to_string()), "{signal}: it made it itself: {}", made.text());
        let copy = Engine::new(&backup.to);
        copy.verb(&["doctor"]).assert_exit(0).assert_says(&["all sound"]);
        assert_eq!(listed(&copy), listed(&place.engine));
    }
}
