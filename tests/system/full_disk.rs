//! A disk that fills up: new starts are refused in time; where nothing can be written any more the process stops with a
//! message, and once there is space again everything goes on.

use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};

use rustix::fs::{FallocateFlags, fallocate, statvfs};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::disk::{self, Mounted};
use crate::support::{Effects, Engine, Running, Shop, fast, input};

/// So large that a run can be started while the disk is new.
const DISK: u64 = 352 << 20;

const MIB: u64 = 1 << 20;

/// A disk with a data directory, while it is mounted.
struct Disk {
    mounted: Mounted,
    // Dropped after it.
    _folder: TempDir,
}

impl Disk {
    /// None, and said, where this machine has no disks to offer.
    fn new() -> Option<Self> {
        if let Err(why) = disk::available() {
            // What is required was looked at already; a kernel may forbid it all the same.
            eprintln!("SKIPPED: {why}");
            return None;
        }
        let folder = TempDir::new().unwrap();
        let image = disk::format(folder.path(), DISK).unwrap();
        Some(Self { mounted: Mounted::new(&image).unwrap(), _folder: folder })
    }

    fn engine(&self, shop: &Shop) -> Engine {
        Engine { data_dir: self.mounted.data(), ..shop.engine() }
    }

    fn filler(&self) -> PathBuf {
        self.mounted.data().with_file_name("filler")
    }

    fn free(&self) -> u64 {
        let found = statvfs(self.filler().parent().unwrap()).unwrap();
        found.f_bavail * found.f_frsize
    }

    /// Fills the disk up to this many bytes.
    fn leave(&self, bytes: u64) {
        let file = File::create(self.filler()).unwrap();
        fallocate(&file, FallocateFlags::empty(), 0, self.free().saturating_sub(bytes)).unwrap();
        file.sync_all().unwrap();
    }

    /// Fills the disk to its last block.
    fn fill(&self) {
        self.leave(MIB);
        let mut rest = File::create(self.filler().with_extension("rest")).unwrap();
        for len in [64 << 10, 4 << 10, 1 << 10] {
            while rest.write_all(&vec![7; len]).and_then(|()| rest.sync_all()).is_ok() {}
        }
    }

    /// Makes space again.
    fn empty(&self) {
        std::fs::remove_file(self.filler()).unwrap();
        let _ = std::fs::remove_file(self.filler().with_extension("rest"));
    }
}

fn start(engine: &Engine, file: &Path, input: &Value) -> Running {
    let path = file.with_extension("input.json");
    std::fs::write(&path, input.to_string()).unwrap();
    Running::new(engine.spawn_run(file, &["--id", "order-1001", "--input", &format!("@{}", path.display())]))
}

fn all_well(effects: &Effects) -> bool {
    (effects.charges, effects.net.as_str(), effects.stock, effects.records) == (1, "199.98", 2, 1)
}

#[test]
fn below_the_reserve_nothing_new_starts_and_what_is_open_goes_on() {
    let Some(disk) = Disk::new() else { return };
    let shop = Shop::open(&["payment/process:delay=700ms,times=1"]);
    let (engine, file) = (disk.engine(&shop), shop.file(&fast()));
    let open = start(&engine, &file, &input());
    shop.until_called("process", 1);
    disk.leave(200 * MIB);
    // It has its space, and it is stopped so that others can be tried.
    open.signal("TERM");
    open.end().assert_exit(9);
    let another = ["--id", "order-1002", "--input", &input().to_string()];
    let refused = engine.run(&file, &another);
    refused.assert_exit(8).assert_says(&["MiB left", "256 MiB", "nothing was stored", "Free some space", "recover"]);
    let listed = engine.verb(&["list", "-o", "json"]).json();
    assert_eq!(listed["runs"].as_array().map(Vec::len), Some(1), "{listed:#}");
    start(&engine, &file, &input()).end().assert_exit(0);
    assert!(all_well(&shop.effects()), "{:#}", shop.ledger());
    disk.empty();
    engine.run(&file, &another).assert_exit(0);
}

/// The order saga, with steps after the record whose outputs need more space than sled keeps in store.
fn wide() -> Value {
    let mut file = fast();
    for number in 0..1_500 {
        let step = json!({ "after": ["create_record"], "value": "${ .input.shipping_address.remark }" });
        file["steps"][format!("note_{number}")] = step;
    }
    file
}

/// The order with a remark of that many bytes.
fn remarked(len: usize) -> Value {
    let mut order = input();
    order["shipping_address"]["remark"] = json!("x".repeat(len));
    order
}

/// Fills the disk while an endpoint is being called, and goes on once there is space again.
fn fill_while(endpoint: &str, workflow: &Value, input: &Value, words: &[&str]) {
    let Some(disk) = Disk::new() else { return };
    let shop = Shop::open(&[&format!("{endpoint}:delay=2s,times=1")]);
    let (engine, file) = (disk.engine(&shop), shop.file(workflow));
    let running = start(&engine, &file, input);
    shop.until_called(endpoint.split('/').nth(1).unwrap(), 1);
    disk.fill();
    let stopped = running.end();
    stopped.assert_exit(8).assert_says(words).assert_says(&["engine recover", "acknowledged is safe"]);
    assert!(!stopped.text().contains("panicked"), "{}", stopped.text());
    // While it is full nothing can be done, but nothing is lost, and nobody is told to fetch a backup.
    let still = Running::new(engine.spawn(&["recover"])).end();
    still.assert_exit(8);
    assert!(!still.text().contains("backup"), "{}", still.text());
    disk.empty();
    Running::new(engine.spawn(&["recover"])).end().assert_exit(0);
    assert!(all_well(&shop.effects()), "{endpoint}: {:#}", shop.ledger());
    shop.assert_keys_are_sound();
}

#[test]
fn a_full_disk_stops_the_process_and_space_lets_it_go_on() {
    fill_while("order/create", &wide(), &remarked(15 << 10), &["no space", "free some"]);
}

#[test]
fn a_full_disk_stops_the_process_where_a_payload_goes_to_a_blob() {
    // The record carries the whole order.
    fill_while("inventory/update", &fast(), &remarked(200 << 10), &["no space", "free some", "blobs"]);
}
