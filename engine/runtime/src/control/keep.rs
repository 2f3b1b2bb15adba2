//! What is done with the data directory as a whole, as questions: whoever has it does it for all.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use async_trait::async_trait;
use engine_store::{BackedUp, Diagnosis, Keeper, StoreError};
use serde::{Deserialize, Serialize};

use crate::control::client::{Client, other};
use crate::control::wire::{Ask, Bytes, Reply};

/// Something to be done with the directory.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) enum Keep {
    /// It is to be looked at.
    Diagnose,
    /// It is to be copied to this path.
    Backup(Bytes),
}

/// What came of it.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) enum Kept {
    Diagnosed(Diagnosis),
    BackedUp(BackedUp),
}

/// Does it.
pub(crate) async fn keep(keeper: &dyn Keeper, keep: Keep) -> Result<Kept, StoreError> {
    Ok(match keep {
        Keep::Diagnose => Kept::Diagnosed(keeper.diagnose().await?),
        Keep::Backup(to) => Kept::BackedUp(keeper.backup(Path::new(OsStr::from_bytes(&to.0))).await?),
    })
}

/// A process that was lost, or gives the directory up, is [`StoreError::Closed`].
#[async_trait]
impl Keeper for Client {
    async fn diagnose(&self) -> Result<Diagnosis, StoreError> {
        match self.told(Ask::Keep(Keep::Diagnose)).await? {
            Reply::Kept(Ok(Kept::Diagnosed(diagnosis))) => Ok(diagnosis),
            Reply::Kept(Err(error)) => Err(error),
            reply => Err(other(&reply).into()),
        }
    }

    async fn backup(&self, to: &Path) -> Result<BackedUp, StoreError> {
        match self.told(Ask::Keep(Keep::Backup(Bytes(to.as_os_str().as_bytes().to_vec())))).await? {
            Reply::Kept(Ok(Kept::BackedUp(made))) => Ok(made),
            Reply::Kept(Err(error)) => Err(error),
            reply => Err(other(&reply).into()),
        }
    }
}
