//! Where the socket of a data directory is: in it, or in a short place where its path is too long for a socket.

use std::fs::{self, DirBuilder, Permissions};
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

use engine_core::id::Digest;

/// What fits the address of a socket (`sockaddr_un`) on every system, with the zero that ends it.
const LONGEST: usize = 103;

/// Characters of the digest of a directory's path that name it in a short place.
const NAMED: usize = 16;

/// Where the socket of a data directory is. The same for every process that names the directory.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Place {
    socket: PathBuf,
    /// The directories that belong to it alone, outermost first.
    own: Vec<PathBuf>,
    /// Whether others may write where these directories are.
    is_shared: bool,
}

impl Place {
    /// The place for this data directory, which must be there.
    pub fn of(directory: &Path) -> io::Result<Self> {
        Ok(Self::of_canonical(&directory.canonicalize()?, &std::env::temp_dir(), user()))
    }

    fn of_canonical(directory: &Path, temporary: &Path, user: u32) -> Self {
        let control = directory.join("control");
        let socket = control.join("socket");
        if socket.as_os_str().len() <= LONGEST {
            return Self { socket, own: vec![control], is_shared: false };
        }
        let digest = Digest::of(directory.as_os_str().as_bytes()).to_string();
        let users = temporary.join(format!("engine-{user}"));
        let control = users.join(digest.get(..NAMED).unwrap_or(&digest));
        Self { socket: control.join("socket"), own: vec![users, control], is_shared: true }
    }

    /// The socket.
    pub(crate) fn socket(&self) -> &Path {
        &self.socket
    }

    /// Makes the place and frees it of the socket of a dead process. Only for who has the directory's lock.
    pub(crate) fn make(&self) -> io::Result<()> {
        for directory in &self.own {
            match DirBuilder::new().mode(0o700).create(directory) {
                Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(named(directory, &error)),
                Ok(()) | Err(_) => {}
            }
            self.check(directory)?;
            fs::set_permissions(directory, Permissions::from_mode(0o700)).map_err(|error| named(directory, &error))?;
        }
        self.clear()
    }

    /// Refuses a place that somebody else may have made in the hope that it is used.
    pub(crate) fn check_all(&self) -> io::Result<()> {
        self.own.iter().try_for_each(|directory| self.check(directory))
    }

    fn check(&self, directory: &Path) -> io::Result<()> {
        let found = fs::symlink_metadata(directory).map_err(|error| named(directory, &error))?;
        let other = |what: &str| io::Error::other(format!("`{}` {what}", directory.display()));
        if !found.is_dir() {
            return Err(other("is no directory"));
        }
        if self.is_shared && found.uid() != user() {
            return Err(other("belongs to another user"));
        }
        Ok(())
    }

    /// Removes the socket, if it is there.
    pub(crate) fn clear(&self) -> io::Result<()> {
        match fs::remove_file(&self.socket) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(named(&self.socket, &error)),
            Ok(()) | Err(_) => Ok(()),
        }
    }
}

/// The user whom this process acts for.
pub(crate) fn user() -> u32 {
    rustix::process::geteuid().as_raw()
}

fn named(path: &Path, error: &io::Error) -> io::Error {
    io::Error::new(error.kind(), format!("`{}`: {error}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_path_has_a_short_place() {
        let place = |directory: &str| Place::of_canonical(Path::new(directory), Path::new("/tmp"), 7).socket;
        assert_eq!(place("/srv/data"), Path::new("/srv/data/control/socket"));
        let (long, other) = (format!("/{}/a", "x".repeat(90)), format!("/{}/b", "x".repeat(90)));
        let short = place(&long);
        assert!(short.starts_with("/tmp/engine-7") && short.as_os_str().len() < 50, "{}", short.display());
        assert_eq!(place(&long), short);
        assert_ne!(place(&other), short);
    }

    #[test]
    fn a_place_is_its_users_alone() {
        let dir = tempfile::tempdir().unwrap();
        let place = Place::of_canonical(&dir.path().join("x".repeat(90)), dir.path(), user());
        place.make().unwrap();
        std::fs::write(place.socket(), "left behind").unwrap();
        place.make().unwrap();
        place.check_all().unwrap();
        assert!(!place.socket().exists());
        let mode = |path: &Path| std::fs::metadata(path).unwrap().mode() & 0o777;
        assert!(place.own.iter().all(|directory| mode(directory) == 0o700));
        std::fs::remove_dir(place.own.last().unwrap()).unwrap();
        std::os::unix::fs::symlink("/tmp", place.own.last().unwrap()).unwrap();
        assert!(place.make().is_err() && place.check_all().is_err(), "a link may lead anywhere");
    }
}
