//! What is done with a data directory as a whole.

use std::path::Path;

use engine_runtime::control::Client;
use engine_store::{BackedUp, Diagnosis, Keeper, Store, StoreError};
use engine_store_sled::SledStore;

use crate::directory::{DataDirectory, Entered, Purpose};
use crate::error::CliError;
use crate::ways::ROUNDS;

/// What was done, and by whom.
pub(crate) struct Done<T> {
    pub(crate) what: T,
    /// The process that has the directory, where it is another one.
    pub(crate) by: Option<u32>,
}

impl DataDirectory {
    /// Does something with the directory that needs it stopped.
    pub(crate) async fn alone<T: Send + 'static>(
        &self,
        work: impl Fn(&Path) -> Result<T, StoreError> + Clone + Send + 'static,
    ) -> Result<T, CliError> {
        self.check_exists()?;
        match self.enter_by(Purpose::Work, work).await? {
            Entered::Own(done) => Ok(done),
            Entered::Beside(client) => Err(self.is_needed_alone(&client)),
        }
    }

    fn is_needed_alone(&self, client: &Client) -> CliError {
        let (shown, pid) = (self.path().display(), client.pid());
        CliError::directory(format!(
            "the data directory {shown} is in use by process {pid}, and this needs it alone. Stop that process first; \
             the runs that it drives stay open"
        ))
    }

    /// What is wrong in it.
    pub(crate) async fn diagnosis(&self) -> Result<Done<Diagnosis>, CliError> {
        let (own, beside) = (async |found| Ok(found), async |client: &Client| client.diagnose().await);
        self.kept(engine_store_sled::doctor, own, beside).await
    }

    /// Copies it.
    pub(crate) async fn backup(&self, to: &Path) -> Result<Done<BackedUp>, CliError> {
        // Another process has a working directory of its own.
        let to = std::path::absolute(to).map_err(|error| CliError::bad_input(format!("{}: {error}", to.display())))?;
        let own = async |store: SledStore| {
            let made = store.backup(&to).await;
            store.close().await?;
            made
        };
        self.kept(SledStore::open, own, async |client: &Client| client.backup(&to).await).await
    }

    /// Has something done by whoever has the directory: by this process where nobody has it, and by the next one where
    /// the one that was asked is lost.
    async fn kept<O: Send + 'static, T>(
        &self,
        open: fn(&Path) -> Result<O, StoreError>,
        own: impl AsyncFnOnce(O) -> Result<T, StoreError>,
        beside: impl AsyncFn(&Client) -> Result<T, StoreError>,
    ) -> Result<Done<T>, CliError> {
        self.check_exists()?;
        for _ in 0..ROUNDS {
            let client = match self.enter_by(Purpose::Work, open).await? {
                Entered::Own(opened) => return Ok(Done { what: own(opened).await?, by: None }),
                Entered::Beside(client) => client,
            };
            match beside(&client).await {
                Err(StoreError::Closed) => {}
                done => return Ok(Done { what: done?, by: Some(client.pid()) }),
            }
        }
        let shown = self.path().display();
        Err(CliError::directory(format!("process after process gave up the data directory {shown}. Try again")))
    }
}
