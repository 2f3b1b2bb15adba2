//! The data directory: where it is, and its store.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use engine_store::Store;
use engine_store_sled::SledStore;

use crate::error::CliError;

/// Where data goes unless told otherwise.
pub(crate) const DEFAULT: &str = "./.engine";

/// A data directory, perhaps not made yet.
#[derive(Clone, Debug)]
pub(crate) struct DataDirectory {
    path: PathBuf,
}

impl DataDirectory {
    /// The directory at this path. Nothing is looked at yet.
    pub(crate) fn new(path: PathBuf) -> Self {
        Self { path }
    }

    /// Where it is.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Where the mock services remember their state.
    pub(crate) fn mock_services(&self) -> PathBuf {
        self.path.join("mock-services")
    }

    /// Whether there is nothing there yet: no directory, or an empty one.
    pub(crate) fn is_new(&self) -> bool {
        match std::fs::read_dir(&self.path) {
            Ok(mut entries) => entries.next().is_none(),
            Err(error) => error.kind() == std::io::ErrorKind::NotFound,
        }
    }

    /// Opens its store; it is made where it is not there.
    pub(crate) async fn open(&self) -> Result<Arc<dyn Store>, CliError> {
        let path = self.path.clone();
        let opened = tokio::task::spawn_blocking(move || SledStore::open(&path)).await;
        let opened =
            opened.map_err(|error| CliError::directory(format!("opening the data directory broke: {error}")))?;
        Ok(Arc::new(opened?))
    }

    /// Opens its store where it is there; nothing is made.
    pub(crate) async fn open_existing(&self) -> Result<Arc<dyn Store>, CliError> {
        if self.is_new() {
            let shown = self.path.display();
            return Err(CliError::nothing(format!(
                "no data directory at {shown}: nothing was run there yet. Name another one with --data-dir"
            )));
        }
        self.open().await
    }

    /// Opens its store where it is there, looks something up, and closes it again.
    pub(crate) async fn look<T>(
        &self,
        look: impl AsyncFnOnce(&dyn Store) -> Result<T, CliError>,
    ) -> Result<T, CliError> {
        let store = self.open_existing().await?;
        let seen = look(&*store).await;
        store.close().await?;
        seen
    }

    /// What has to be added to a command so that it uses this directory.
    pub(crate) fn flag(&self) -> String {
        if self.path == Path::new(DEFAULT) || std::env::var_os("ENGINE_DATA_DIR").is_some_and(|set| set == self.path) {
            return String::new();
        }
        format!(" --data-dir {}", quoted(&self.path.display().to_string()))
    }
}

/// A text as a shell takes it for one word.
pub(crate) fn quoted(text: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./:=@%+,".contains(c);
    if !text.is_empty() && text.chars().all(plain) {
        text.to_owned()
    } else {
        format!("'{}'", text.replace('\'', r"'\''"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_quoted_for_the_shell() {
        assert_eq!(quoted("/tmp/data"), "/tmp/data");
        assert_eq!(quoted("my data"), "'my data'");
        assert_eq!(quoted("it's"), r"'it'\''s'");
        assert_eq!(quoted(""), "''");
    }

    #[test]
    fn commands_name_a_directory_that_is_not_the_usual_one() {
        assert_eq!(DataDirectory::new(DEFAULT.into()).flag(), "");
        assert_eq!(DataDirectory::new("/srv/x".into()).flag(), " --data-dir /srv/x");
    }
}
