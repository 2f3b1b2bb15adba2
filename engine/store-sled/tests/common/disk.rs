//! A disk of our own: an ext4 file system in a file. Its power can be cut, for its copy is what that would leave, and it
//! can be filled.

use std::path::{Path, PathBuf};
use std::process::Command;

use tempfile::TempDir;

/// Whether disks can be mounted here; if not, why.
///
/// Where everything is required, missing tools or rights are a failure, but a kernel that forbids it is not.
pub(crate) fn available() -> Result<(), String> {
    let required = std::env::var_os("ENGINE_TEST_REQUIRE_ALL").is_some_and(|value| value == "1");
    let missing = |why: String| {
        assert!(!required, "ENGINE_TEST_REQUIRE_ALL=1, but {why}");
        Err(why)
    };
    if !rustix::process::geteuid().is_root() {
        return missing("only root may mount a disk".to_owned());
    }
    for tool in ["mkfs.ext4", "mount", "umount", "cp"] {
        if Command::new(tool).arg("--version").output().is_err() {
            return missing(format!("`{tool}` is not installed"));
        }
    }
    let folder = TempDir::new().unwrap();
    let image = format(folder.path(), 16 << 20).map_err(|why| format!("a disk can't be formatted: {why}"))?;
    Mounted::new(&image).map(drop).map_err(|why| format!("the kernel forbids loop mounts: {why}"))
}

/// Makes a new disk of this many bytes in a folder. The file is sparse; nothing is kept back for root.
pub(crate) fn format(folder: &Path, len: u64) -> Result<PathBuf, String> {
    let image = folder.join("disk-0");
    let file = std::fs::File::create(&image).map_err(|error| error.to_string())?;
    file.set_len(len).map_err(|error| error.to_string())?;
    run(Command::new("mkfs.ext4").args(["-q", "-m", "0"]).arg(&image))?;
    Ok(image)
}

/// A disk in use, until it is dropped.
pub(crate) struct Mounted {
    folder: TempDir,
}

impl Mounted {
    pub(crate) fn new(image: &Path) -> Result<Self, String> {
        let folder = TempDir::new().map_err(|error| error.to_string())?;
        run(Command::new("mount").args(["-o", "loop"]).arg(image).arg(folder.path()))?;
        Ok(Self { folder })
    }

    /// A data directory on it.
    pub(crate) fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }
}

impl Drop for Mounted {
    fn drop(&mut self) {
        // Whatever keeps it busy is about to end: let the kernel unmount it then.
        if run(Command::new("umount").arg(self.folder.path())).is_err() {
            let _ = run(Command::new("umount").arg("-l").arg(self.folder.path()));
        }
    }
}

/// What the disk would hold if the power were cut now.
pub(crate) fn cut(image: &Path, copy: &Path) {
    run(Command::new("cp").arg("--sparse=always").arg(image).arg(copy)).unwrap();
}

fn run(command: &mut Command) -> Result<(), String> {
    let output = command.output().map_err(|error| format!("{command:?}: {error}"))?;
    let said = String::from_utf8_lossy(&output.stderr);
    if output.status.success() { Ok(()) } else { Err(format!("{command:?}: {}", said.trim())) }
}
