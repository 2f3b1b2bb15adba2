//! A disk that fails: whichever write or sync it is, the process stops with a message, and never hangs; what was
//! acknowledged is there, and the next start goes on.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicUsize, Ordering};

use tempfile::TempDir;

use crate::support::{Engine, Running, Shop, fast, input, skip};

const WORKERS: usize = 4;

/// What fails: so many calls go well, and then as many fail.
#[derive(Clone, Copy, Debug)]
struct Failing {
    call: &'static str,
    after: usize,
    times: usize,
}

/// Each call that writes or syncs, failing at several moments: while the directory is made, while the run is started,
/// and while it works; once, and from then on.
fn cases() -> Vec<Failing> {
    let moments: [(&str, &[usize]); 4] = [
        ("pwrite", &[0, 3, 6, 9, 12, 15, 18, 21, 24]),
        ("fdatasync", &[0, 2, 3, 4, 5, 7, 9, 11]),
        ("fsync", &[0, 8, 16, 20, 21]),
        ("write", &[1, 4, 6, 9]),
    ];
    let cases = moments.into_iter().flat_map(|(call, moments)| moments.iter().map(move |after| (call, *after)));
    cases.flat_map(|(call, after)| [1, usize::MAX >> 1].map(|times| Failing { call, after, times })).collect()
}

/// A library that is loaded before all others and lets calls fail; none, and said, where there is no compiler.
fn library(folder: &Path) -> Option<PathBuf> {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/system/fail_io.c");
    let library = folder.join("fail_io.so");
    let mut compile = Command::new("cc");
    compile.args(["-shared", "-fPIC", "-o"]).arg(&library).arg(source).arg("-ldl");
    match compile.output() {
        Ok(output) if output.status.success() => Some(library),
        Ok(output) => panic!("{}", String::from_utf8_lossy(&output.stderr)),
        Err(error) => {
            skip(&format!("`cc` can't be called: {error}"));
            None
        }
    }
}

fn start(engine: &Engine, file: &Path) -> Running {
    Running::new(engine.spawn_run(file, &["--id", "order-1001", "--input", &input().to_string()]))
}

/// Whether the disk's failure was met.
fn stops_and_goes_on(library: &Path, failing: Failing) -> bool {
    let shop = Shop::open(&[]);
    let (engine, file) = (shop.engine(), shop.file(&fast()));
    let environment = [
        ("LD_PRELOAD", library.display().to_string()),
        ("FAIL_CALL", failing.call.to_owned()),
        ("FAIL_AFTER", failing.after.to_string()),
        ("FAIL_TIMES", failing.times.to_string()),
        ("FAIL_UNDER", engine.data_dir.canonicalize().unwrap_or(engine.data_dir.clone()).display().to_string()),
    ];
    let on_it =
        Engine { environment: environment.map(|(key, value)| (key.to_owned(), value)).into(), ..engine.clone() };
    let stopped = start(&on_it, &file).end();
    let said = stopped.text();
    assert!(!said.contains("panicked") && !said.contains("backup"), "{failing:?}: {said}");
    match stopped.exit {
        Some(0) => {}
        Some(8) => {
            stopped.assert_says(&["Input/output error", "safe"]);
        }
        _ => panic!("{failing:?}: {stopped:?}"),
    }
    let next = start(&engine, &file).end();
    assert_eq!(next.exit, Some(0), "{failing:?}: {said}\nand then {next:?}");
    let effects = shop.effects();
    assert_eq!((effects.charges, effects.net.as_str(), effects.records), (1, "199.98", 1), "{failing:?}");
    shop.assert_keys_are_sound();
    stopped.exit == Some(8)
}

#[test]
fn a_write_or_sync_that_fails_stops_the_process_and_loses_nothing() {
    let folder = TempDir::new().unwrap();
    let Some(library) = library(folder.path()) else { return };
    let (cases, next, stopped) = (cases(), AtomicUsize::new(0), AtomicUsize::new(0));
    std::thread::scope(|scope| {
        for _ in 0..WORKERS {
            scope.spawn(|| {
                while let Some(failing) = cases.get(next.fetch_add(1, Ordering::Relaxed)) {
                    stopped.fetch_add(usize::from(stops_and_goes_on(&library, *failing)), Ordering::Relaxed);
                }
            });
        }
    });
    let stopped = stopped.into_inner();
    eprintln!("{} failures of a disk; {stopped} stopped the process", cases.len());
    assert!(stopped >= cases.len() / 2, "the failures came at the wrong moments");
}
