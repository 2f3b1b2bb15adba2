//! What is done with a data directory as a whole.

use std::path::Path;

use engine_store::{Store, StoreError};
use engine_store_sled::{BackedUp, Diagnosis, SledStore};

use crate::directory::DataDirectory;
use crate::error::CliError;

impl DataDirectory {
    /// Does something with the directory that needs it stopped.
    pub(crate) async fn offline<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Path) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, CliError> {
        if self.is_new() {
            let shown = self.path().display();
            return Err(CliError::nothing(format!("no data directory at {shown}: name another one with --data-dir")));
        }
        let path = self.path().to_owned();
        let done = tokio::task::spawn_blocking(move || work(&path)).await;
        Ok(done.map_err(|error| CliError::directory(format!("that broke: {error}")))??)
    }

    /// What is wrong in it.
    pub(crate) async fn diagnosis(&self) -> Result<Diagnosis, CliError> {
        self.offline(engine_store_sled::doctor).await
    }

    /// Copies it.
    pub(crate) async fn backup(&self, to: &Path) -> Result<BackedUp, CliError> {
        let store = self.offline(SledStore::open).await?;
        let copied = store.backup(to).await;
        store.close().await?;
        Ok(copied?)
    }
}
