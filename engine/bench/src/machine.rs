//! What the figures are of.

use std::fmt;
use std::fs;
use std::path::Path;

use serde::{Deserialize, Serialize};

/// The machine, the disk and the program that were measured.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Machine {
    /// The processor.
    pub processor: String,
    /// How many of it this process may use.
    pub cores: usize,
    /// Memory, in MiB.
    pub memory_mib: u64,
    /// The kernel.
    pub system: String,
    /// The file system of the directory, and what it is on.
    pub disk: String,
    /// What an acknowledged commit survives.
    pub durability: String,
    /// The version of the engine.
    pub engine: String,
    /// Whether the program was built for speed.
    pub release: bool,
}

impl Machine {
    /// This machine, with what is known of the disk of this directory.
    pub fn here(directory: &Path, engine: &str) -> Self {
        let read = |path| fs::read_to_string(path).unwrap_or_default();
        let unknown = || "unknown".to_owned();
        let memory = value(&read("/proc/meminfo"), "MemTotal").and_then(|text| text.split(' ').next()?.parse().ok());
        Self {
            processor: value(&read("/proc/cpuinfo"), "model name").unwrap_or_else(unknown),
            cores: std::thread::available_parallelism().map_or(1, std::num::NonZero::get),
            memory_mib: memory.map_or(0, |kib: u64| kib / 1024),
            system: format!("{} {}", std::env::consts::OS, read("/proc/sys/kernel/osrelease").trim()),
            disk: disk(&read("/proc/self/mounts"), directory).unwrap_or_else(unknown),
            durability: "every commit is written and synced (fdatasync) before it is acknowledged".to_owned(),
            engine: engine.to_owned(),
            release: !cfg!(debug_assertions),
        }
    }
}

impl fmt::Display for Machine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { processor, cores, memory_mib, system, disk, durability, engine, .. } = self;
        write!(f, "engine {engine} on {cores} × {processor}, {memory_mib} MiB, {system}; {disk}; {durability}")
    }
}

/// What `/proc` says after a name and a colon.
fn value(text: &str, name: &str) -> Option<String> {
    let of = |line: &str| {
        line.split_once(':').filter(|(key, _)| key.trim() == name).map(|(_, value)| value.trim().to_owned())
    };
    text.lines().find_map(of)
}

/// The mount that a directory lies on.
fn disk(mounts: &str, directory: &Path) -> Option<String> {
    // It may not be there yet.
    let directory = std::path::absolute(directory).ok()?;
    let directory = directory.ancestors().find_map(|ancestor| ancestor.canonicalize().ok())?;
    let mount = |line: &str| {
        let mut fields = line.split(' ').map(str::to_owned);
        let (device, place, kind) = (fields.next()?, fields.next()?, fields.next()?);
        directory.starts_with(&place).then(|| (place.len(), format!("{kind} on {device}")))
    };
    // Of mounts over each other the last one counts.
    mounts.lines().filter_map(mount).max_by_key(|(len, _)| *len).map(|(_, disk)| disk)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn proc_is_read_by_name() {
        let text = "processor\t: 0\nmodel name\t: A fast one\nmodel name\t: Another\n";
        assert_eq!(value(text, "model name").as_deref(), Some("A fast one"));
        assert_eq!(value(text, "model"), None);
    }

    #[test]
    fn the_innermost_mount_counts() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().canonicalize().unwrap();
        let mounts =
            format!("/dev/a / ext4 rw 0 0\n/dev/b {} xfs rw 0 0\n/dev/c /nowhere btrfs rw 0 0", path.display());
        assert_eq!(disk(&mounts, &path.join(".")).as_deref(), Some("xfs on /dev/b"));
        assert_eq!(disk(&mounts, Path::new("/")).as_deref(), Some("ext4 on /dev/a"));
    }
}
