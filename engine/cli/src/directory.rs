//! The data directory: where it is, and its store, or the process that has it.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;

use async_trait::async_trait;
use engine_core::id::RunId;
use engine_runtime::bounds;
use engine_runtime::control::{self, Client, ConnectError, Look, LookStore, Looked, Looker as _, Place};
use engine_store::{Store, StoreError};
use engine_store_sled::SledStore;

use crate::error::CliError;
use crate::ways::{Finder, Ways};

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

    /// Opens its store, or finds the process that has it. It is made where it is not there.
    pub(crate) async fn enter(&self, purpose: Purpose) -> Result<Entered, CliError> {
        self.enter_by(purpose, |path| SledStore::open(path).map(Arc::new)).await
    }

    /// The same, with what takes the directory for this process.
    pub(crate) async fn enter_by<T: Send + 'static>(
        &self,
        purpose: Purpose,
        take: impl Fn(&Path) -> Result<T, StoreError> + Clone + Send + 'static,
    ) -> Result<Entered<T>, CliError> {
        let (began, mut pause) = (Instant::now(), bounds::FIRST_PAUSE);
        loop {
            let in_use = match self.off_the_runtime(take.clone()).await? {
                Ok(taken) => return Ok(Entered::Own(taken)),
                Err(error @ StoreError::InUse { .. }) => error,
                Err(error) => return Err(error.into()),
            };
            let (patience, why) = match self.connect().await {
                Ok((client, leaves)) if !leaves || purpose == Purpose::Look => return Ok(Entered::Beside(client)),
                Ok(_) => (bounds::LEAVING_TIME, "it is about to end".to_owned()),
                Err(ConnectError::Nobody(error)) => (bounds::REACH_TIME, format!("it does not answer ({error})")),
                Err(error) => return Err(CliError::directory(error.to_string())),
            };
            if began.elapsed() >= patience {
                return Err(CliError::directory(format!("{in_use}. It can't be asked instead: {why}")));
            }
            tokio::time::sleep(pause).await;
            pause = (pause * 2).min(bounds::LONGEST_PAUSE);
        }
    }

    async fn off_the_runtime<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Path) -> T + Send + 'static,
    ) -> Result<T, CliError> {
        let path = self.path.clone();
        let done = tokio::task::spawn_blocking(move || work(&path)).await;
        done.map_err(|error| CliError::directory(format!("using the data directory broke: {error}")))
    }

    async fn connect(&self) -> Result<(Client, bool), ConnectError> {
        Client::connect(Place::of(&self.path).map_err(ConnectError::Nobody)?).await
    }

    /// Refuses a directory where nothing is: nothing is made by looking.
    pub(crate) fn check_exists(&self) -> Result<(), CliError> {
        if !self.is_new() {
            return Ok(());
        }
        let shown = self.path.display();
        Err(CliError::nothing(format!(
            "no data directory at {shown}: nothing was run there yet. Name another one with --data-dir"
        )))
    }

    /// Looks something up, in its store or by asking the process that has it.
    pub(crate) async fn look<T>(
        &self,
        look: impl AsyncFnOnce(&dyn Store) -> Result<T, CliError>,
    ) -> Result<T, CliError> {
        let view = self.view().await?;
        let seen = look(view.store()).await;
        view.close().await?;
        seen
    }

    /// Its store, or what the process that has it tells of it. To be closed.
    pub(crate) async fn view(&self) -> Result<View, CliError> {
        self.check_exists()?;
        Ok(View(LookStore(Ways::find(Looking { directory: self.clone() }).await?)))
    }

    /// The process that has it, where one answers.
    pub(crate) async fn owner(&self) -> Option<Client> {
        self.connect().await.ok().map(|(client, _)| client)
    }

    /// The process that drives a run, if one does.
    pub(crate) async fn driver(&self, run: RunId) -> Option<u32> {
        let client = self.owner().await?;
        client.drives(run).await.ok()?.then(|| client.pid())
    }

    /// What has to be added to a command so that it uses this directory.
    pub(crate) fn flag(&self) -> String {
        if self.path == Path::new(DEFAULT) || std::env::var_os("ENGINE_DATA_DIR").is_some_and(|set| set == self.path) {
            return String::new();
        }
        format!(" --data-dir {}", quoted(&self.path.display().to_string()))
    }
}

/// What a data directory is entered for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Purpose {
    /// To look something up: whoever has it can be asked, to its last moment.
    Look,
    /// To have runs driven, or something else done that takes its time: a process that is about to end takes nothing
    /// in.
    Work,
}

/// Who has a data directory.
pub(crate) enum Entered<T = Arc<SledStore>> {
    /// This process, by its store or what else took the directory.
    Own(T),
    /// Another one, which answers.
    Beside(Client),
}

/// A data directory that is looked at.
pub(crate) struct View(LookStore<Ways<Looking>>);

impl View {
    /// What is stored there, to be read.
    pub(crate) fn store(&self) -> &dyn Store {
        &self.0
    }

    /// Leaves the directory to others.
    pub(crate) async fn close(self) -> Result<(), CliError> {
        if let Entered::Own(store) = &self.0.0.current().way {
            store.close().await?;
        }
        Ok(())
    }
}

/// Ways to look something up.
struct Looking {
    directory: DataDirectory,
}

#[async_trait]
impl Finder for Looking {
    type Way = Entered;

    async fn find(&self) -> Result<Entered, CliError> {
        self.directory.enter(Purpose::Look).await
    }

    async fn look(&self, way: &Entered, look: Look) -> Result<Looked, StoreError> {
        match way {
            Entered::Own(store) => control::look(&**store, look).await,
            Entered::Beside(client) => client.look(look).await,
        }
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
