//! `new`: the program that it makes, and what it refuses.

use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::json;
use tempfile::TempDir;

use crate::support::{Ran, all_are_required, skip};

fn checkout() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").canonicalize().unwrap()
}

/// `engine new`, in this directory.
fn new(directory: &Path, arguments: &[impl AsRef<OsStr>]) -> Ran {
    let mut command = Command::new(env!("CARGO_BIN_EXE_engine"));
    Ran::of(&command.arg("new").args(arguments).current_dir(directory).output().unwrap())
}

/// What lies in a directory, sorted.
fn names_in(directory: &Path) -> Vec<String> {
    let entries = fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().file_name());
    let mut names: Vec<String> = entries.map(|name| name.to_string_lossy().into_owned()).collect();
    names.sort();
    names
}

fn manifest(directory: &Path) -> String {
    fs::read_to_string(directory.join("Cargo.toml")).unwrap()
}

#[test]
fn a_program_on_a_checkout_names_its_crates_by_their_paths() {
    let dir = TempDir::new().unwrap();
    let shown = checkout();
    let made = new(dir.path(), &["deep/down/my_saga", "--path", shown.to_str().unwrap()]);
    made.assert_exit(0).assert_says(&["cd deep/down/my_saga\n", "cargo test", "cargo run -- run trip --example"]);
    let project = dir.path().join("deep/down/my_saga");
    assert_eq!(names_in(&project), [".gitignore", "Cargo.toml", "src"]);
    assert_eq!(names_in(&project.join("src")), ["main.rs", "trip.rs"]);
    let expected = format!(
        "[package]\nname = \"my_saga\"\nversion = \"0.1.0\"\nedition = \"2024\"\n\n[dependencies]\n\
         engine = {{ path = \"{0}/engine/sdk\" }}\nengine-cli = {{ path = \"{0}/engine/cli\" }}\n",
        shown.display()
    );
    assert!(manifest(&project).starts_with(&expected), "{}", manifest(&project));
    // A checkout that is named from where one stands is found from everywhere.
    fs::create_dir(dir.path().join("here")).unwrap();
    std::os::unix::fs::symlink(&shown, dir.path().join("engine-source")).unwrap();
    new(&dir.path().join("here"), &["other", "--path", "../engine-source"]).assert_exit(0);
    let other = manifest(&dir.path().join("here/other"));
    assert_eq!(other, manifest(&project).replace("my_saga", "other"));
}

#[test]
fn a_program_on_a_release_names_its_version() {
    let dir = TempDir::new().unwrap();
    for (arguments, version) in [
        (["one", "--engine-version", "0.7"], "0.7"),
        (["two", "--engine-version", ">=0.7.2-rc.1, <0.9"], ">=0.7.2-rc.1, <0.9"),
    ] {
        let made = new(dir.path(), &[&arguments[..], &["-o", "json"]].concat()).assert_exit(0).json();
        assert_eq!(made, json!({ "directory": arguments[0], "name": arguments[0] }));
        let manifest = manifest(&dir.path().join(arguments[0]));
        for name in ["engine", "engine-cli"] {
            assert!(manifest.contains(&format!("\n{name} = \"{version}\"\n")), "{manifest}");
        }
    }
}

#[track_caller]
fn assert_refused(directory: &Path, arguments: &[impl AsRef<OsStr>], words: &[&str]) {
    let before = names_in(directory);
    let refused = new(directory, arguments);
    refused.assert_exit(2).assert_says(words);
    assert!(!refused.text().contains("panicked"), "{}", refused.text());
    assert_eq!(names_in(directory), before, "nothing is left behind");
}

fn assert_name_refused(directory: &Path, name: impl AsRef<OsStr>, words: &[&str]) {
    let arguments = [OsStr::new("--engine-version=0.7"), OsStr::new("--"), name.as_ref()];
    assert_refused(directory, &arguments, words);
}

#[test]
fn a_name_that_no_program_can_have_is_refused() {
    let dir = TempDir::new().unwrap();
    for name in ["9lives", "a b", "Saga", "-saga", "sägä", "saga.rs", "_saga", ".", "..", "/", "a/.."] {
        assert_name_refused(dir.path(), name, &["a lower-case letter, then", "my_saga"]);
    }
    let taken = "fn self async gen deps build examples incremental test core proc_macro serde";
    for name in taken.split_whitespace() {
        assert_name_refused(dir.path(), name, &[&format!("`{name}`"), "another name"]);
    }
    assert_name_refused(dir.path(), OsStr::from_bytes(b"sag\xe4"), &["a lower-case letter, then"]);
}

/// Cargo can't tell a program from the crate that it uses where both have one name.
#[test]
fn the_names_of_our_own_crates_are_refused() {
    let dir = TempDir::new().unwrap();
    for entry in fs::read_dir(checkout().join("engine")).unwrap() {
        let manifest = manifest(&entry.unwrap().path());
        let name = manifest.lines().find_map(|line| line.strip_prefix("name = ")).unwrap().trim_matches('"');
        assert_name_refused(dir.path(), name, &[&format!("`{name}`"), "another name"]);
    }
}

#[test]
fn what_is_there_already_is_left_alone() {
    let dir = TempDir::new().unwrap();
    fs::create_dir_all(dir.path().join("full/src")).unwrap();
    fs::create_dir(dir.path().join("empty")).unwrap();
    fs::write(dir.path().join("file"), "mine").unwrap();
    std::os::unix::fs::symlink("nowhere", dir.path().join("link")).unwrap();
    for name in ["full", "full/", "empty", "file", "link"] {
        assert_name_refused(dir.path(), name, &["is there already: name a directory that is not"]);
    }
    for below in ["file/saga", "file/deep/saga"] {
        assert_name_refused(dir.path(), below, &[below, "can't be made: file is no directory"]);
    }
    assert_eq!(names_in(&dir.path().join("full")), ["src"]);
    assert_eq!(fs::read_to_string(dir.path().join("file")).unwrap(), "mine");
}

#[test]
fn an_engine_that_can_not_be_had_is_refused() {
    let dir = TempDir::new().unwrap();
    let path = dir.path().to_str().unwrap();
    assert_refused(dir.path(), &["saga", "--path", path], &["no checkout of the engine", "engine/sdk/Cargo.toml"]);
    assert_refused(dir.path(), &["saga", "--path", "nowhere"], &["--path nowhere", "no checkout of the engine"]);
    for version in ["", "latest", "1.0\"\nevil = \"1", "-"] {
        assert_refused(dir.path(), &["saga", &format!("--engine-version={version}")], &["no version", "as 0.1.0"]);
    }
    assert_refused(dir.path(), &["saga"], &["--path <CHECKOUT>"]);
    assert_refused(dir.path(), &["saga", "--path", path, "--engine-version", "1"], &["cannot be used with"]);
    assert_refused(dir.path(), &["saga", "--pth", path], &["a similar argument exists: '--path'"]);
    assert_refused(dir.path(), &[""; 0], &["<DIR>"]);
    assert_refused(dir.path(), &[""], &["a value is required"]);
    assert_refused(dir.path(), &["saga", "another"], &["another"]);
}

/// A checkout below a name that no TOML can hold.
#[test]
fn a_path_that_is_no_text_is_refused() {
    let dir = TempDir::new().unwrap();
    let odd = dir.path().join(OsStr::from_bytes(b"\xe4"));
    for part in ["sdk", "cli"] {
        fs::create_dir_all(odd.join("engine").join(part)).unwrap();
        fs::write(odd.join("engine").join(part).join("Cargo.toml"), "").unwrap();
    }
    let arguments = [OsStr::new("saga"), OsStr::new("--path"), odd.as_os_str()];
    assert_refused(dir.path(), &arguments, &["no UTF-8 text", "Cargo.toml"]);
    // Where the program itself lies stands in no file.
    let version = [odd.join("saga").into_os_string(), "--engine-version=0.7".into(), "-o".into(), "json".into()];
    let made = new(dir.path(), &version);
    assert_eq!(made.assert_exit(0).json()["name"], "saga");
}

/// `cargo`, in the project, with what was built for it before.
fn cargo(project: &Path, arguments: &[&str]) -> Ran {
    let target = Path::new(env!("CARGO_BIN_EXE_engine")).parent().unwrap().parent().unwrap();
    let mut command = Command::new(env!("CARGO"));
    command.args(arguments).current_dir(project).env("CARGO_TARGET_DIR", target);
    command.env_remove("ENGINE_DATA_DIR").env_remove("ENGINE_LOG").stdin(Stdio::null());
    Ran::of(&command.output().unwrap())
}

/// Builds the whole engine once more, as a dependency: that takes minutes, so only where every test is asked for.
#[test]
fn the_program_builds_passes_its_tests_and_runs() {
    if !all_are_required() {
        return skip("building a new program takes long");
    }
    let (dir, checkout) = (TempDir::new().unwrap(), checkout());
    new(dir.path(), &["my_saga", "--path", checkout.to_str().unwrap()]).assert_exit(0);
    let project = dir.path().join("my_saga");
    // With our versions and profiles of what comes from outside, nothing of that is fetched or built again.
    fs::copy(checkout.join("Cargo.lock"), project.join("Cargo.lock")).unwrap();
    let ours = manifest(&checkout);
    fs::create_dir(project.join(".cargo")).unwrap();
    fs::write(project.join(".cargo/config.toml"), &ours[ours.find("[profile.dev]").unwrap()..]).unwrap();

    let tested = cargo(&project, &["test", "--offline"]);
    tested.assert_exit(0).assert_says(&["3 passed"]);
    assert!(!tested.stderr.contains("warning"), "it builds without a warning: {}", tested.stderr);

    let run = ["run", "--offline", "--quiet", "--", "run", "trip", "-o", "json"];
    let booked = cargo(&project, &[&run[..], &["--example"]].concat()).assert_exit(0).json();
    assert_eq!((&booked["status"], &booked["output"]["hotel"]), (&json!("Completed"), &json!("room for 3 nights")));
    let long = [&run[..], &["--input", r#"{"traveller": "Ada", "nights": 30}"#]].concat();
    let undone = cargo(&project, &long).assert_exit(4).json();
    assert_eq!(undone["failures"][0]["code"], "NO_ROOM");
    assert_eq!(undone["steps"][0]["compensation"]["state"], "undone");
}
