//! Ways to one data directory, one after the other: where the process that had it is gone, the next way is found.

use std::sync::Arc;

use async_trait::async_trait;
use engine_runtime::control::{Look, Looked, Looker};
use engine_store::StoreError;
use tokio::sync::OnceCell;

use crate::error::CliError;

/// How often something is asked anew of the next process that has the directory.
pub(crate) const ROUNDS: usize = 16;

/// How ways are found, and read by.
#[async_trait]
pub(crate) trait Finder: Send + Sync + 'static {
    /// A way.
    type Way: Send + Sync;

    /// Finds a way: the directory itself, or the process that has it.
    async fn find(&self) -> Result<Self::Way, CliError>;

    /// Reads; [`StoreError::Closed`] where the process that had the directory is gone.
    async fn look(&self, way: &Self::Way, look: Look) -> Result<Looked, StoreError>;
}

/// Ways to one data directory. Cheap to clone.
pub(crate) struct Ways<F: Finder> {
    finder: Arc<F>,
    first: Arc<Link<F::Way>>,
}

/// A way, and the one that came after it was lost.
pub(crate) struct Link<W> {
    pub(crate) way: W,
    next: OnceCell<Arc<Link<W>>>,
}

impl<W> Link<W> {
    fn new(way: W) -> Arc<Self> {
        Arc::new(Self { way, next: OnceCell::new() })
    }
}

impl<F: Finder> Clone for Ways<F> {
    fn clone(&self) -> Self {
        Self { finder: self.finder.clone(), first: self.first.clone() }
    }
}

impl<F: Finder> Ways<F> {
    /// The first way.
    pub(crate) async fn find(finder: F) -> Result<Self, CliError> {
        let first = Link::new(finder.find().await?);
        Ok(Self { finder: Arc::new(finder), first })
    }

    /// The way that was found last.
    pub(crate) fn current(&self) -> Arc<Link<F::Way>> {
        let mut link = &self.first;
        while let Some(next) = link.next.get() {
            link = next;
        }
        link.clone()
    }

    /// The way that was found first.
    pub(crate) fn first(&self) -> &F::Way {
        &self.first.way
    }

    /// Whether this is the first way.
    pub(crate) fn is_first(&self, link: &Arc<Link<F::Way>>) -> bool {
        Arc::ptr_eq(link, &self.first)
    }

    /// Finds the way after one that was lost; once, however many have lost it.
    pub(crate) async fn after(&self, lost: &Link<F::Way>) -> Result<(), CliError> {
        let find = async || self.finder.find().await.map(Link::new);
        lost.next.get_or_try_init(find).await.map(drop)
    }
}

#[async_trait]
impl<F: Finder> Looker for Ways<F> {
    async fn look(&self, look: Look) -> Result<Looked, StoreError> {
        for _ in 0..ROUNDS {
            let link = self.current();
            match self.finder.look(&link.way, look.clone()).await {
                Err(StoreError::Closed) => {}
                looked => return looked,
            }
            self.after(&link).await.map_err(|error| StoreError::Unusable(error.message))?;
        }
        Err(StoreError::Closed)
    }
}
