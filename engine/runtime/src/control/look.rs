//! The reading half of a store as questions: whoever answers them, they read like a store.

use std::sync::Arc;

use async_trait::async_trait;
use engine_core::event::Recorded;
use engine_core::id::{Digest, RunId, Seq};
use engine_core::time::Timestamp;
use engine_store::{
    Claim, Class, CommitError, Counters, Cursor, Fence, Filter, InboxRow, IndexRow, Page, Store, StoreError,
    TimerClock, TimerRow, Unit,
};
use serde::{Deserialize, Serialize};

use crate::bounds;
use crate::control::wire::Bytes;

/// Something to be read.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[expect(missing_docs, reason = "they are the reading methods of a store, with their arguments")]
pub enum Look {
    Row(RunId),
    List { filter: Filter, cursor: Option<Vec<u8>>, limit: usize },
    OpenRuns { class: Class, cursor: Option<Vec<u8>>, limit: usize },
    Read { run: RunId, from: Seq, limit: usize },
    Definition(Digest),
    CurrentDefinition(String),
    CurrentDefinitions,
    Inbox(RunId),
    InboxRuns { cursor: Option<Vec<u8>>, limit: usize },
    Claim(String),
    Mark { run: RunId, name: String },
    Blob { run: RunId, digest: Digest },
    Watermark,
}

/// What was read.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[expect(missing_docs, reason = "they are what the reading methods of a store give")]
pub enum Looked {
    Row(Option<IndexRow>),
    Rows {
        items: Vec<IndexRow>,
        next: Option<Vec<u8>>,
    },
    Runs {
        items: Vec<RunId>,
        next: Option<Vec<u8>>,
    },
    /// Where `more` follow they have to be asked for: an answer is bounded.
    Events {
        items: Vec<Recorded>,
        more: bool,
    },
    Bytes(Option<Bytes>),
    Digest(Option<Digest>),
    Digests(Vec<(String, Digest)>),
    Inbox(Vec<InboxRow>),
    Claim(Option<Claim>),
    Time(Timestamp),
}

/// Answers a look from a store.
pub async fn look(store: &dyn Store, look: Look) -> Result<Looked, StoreError> {
    Ok(match look {
        Look::Row(run) => Looked::Row(store.row(run).await?),
        Look::List { filter, cursor, limit } => {
            let page = store.list(&filter, cursor.map(Cursor), limit.min(bounds::ROWS_PER_ANSWER)).await?;
            Looked::Rows { items: page.items, next: page.next.map(|next| next.0) }
        }
        Look::OpenRuns { class, cursor, limit } => {
            runs(store.open_runs(class, cursor.map(Cursor), limit.min(bounds::LISTED_RUNS)).await?)
        }
        Look::InboxRuns { cursor, limit } => {
            runs(store.inbox_runs(cursor.map(Cursor), limit.min(bounds::LISTED_RUNS)).await?)
        }
        Look::Read { run, from, limit } => {
            let part = limit.min(bounds::EVENTS_PER_ANSWER);
            let items = store.read(run, from, part).await?;
            let more = items.len() == part && part < limit;
            Looked::Events { items, more }
        }
        Look::Definition(digest) => Looked::Bytes(store.definition(digest).await?.map(|bytes| Bytes(bytes.to_vec()))),
        Look::CurrentDefinition(workflow) => Looked::Digest(store.current_definition(&workflow).await?),
        Look::CurrentDefinitions => Looked::Digests(store.current_definitions().await?),
        Look::Inbox(run) => Looked::Inbox(store.inbox(run).await?),
        Look::Claim(key) => Looked::Claim(store.claim(&key).await?),
        Look::Mark { run, name } => Looked::Bytes(store.mark(run, &name).await?.map(Bytes)),
        Look::Blob { run, digest } => Looked::Bytes(Some(Bytes(store.blob(run, digest).await?.to_vec()))),
        Look::Watermark => Looked::Time(store.watermark().await?),
    })
}

fn runs(page: Page<RunId>) -> Looked {
    Looked::Runs { items: page.items, next: page.next.map(|next| next.0) }
}

/// Whoever answers looks.
#[async_trait]
pub trait Looker: Send + Sync + 'static {
    /// Answers a look.
    async fn look(&self, look: Look) -> Result<Looked, StoreError>;
}

/// What a looker gives, as a store that can't be written.
#[derive(Debug)]
pub struct LookStore<L>(pub L);

/// Takes the answer that belongs to the question.
macro_rules! looked {
    ($self:ident, $look:expr, $pattern:pat => $value:expr) => {
        match $self.0.look($look).await? {
            $pattern => Ok($value),
            _ => Err(mixed_up()),
        }
    };
}

fn mixed_up() -> StoreError {
    StoreError::Unusable("the process that has the data directory answered another question".to_owned())
}

fn unwritable() -> StoreError {
    StoreError::Unusable("another process has the data directory: only that one writes into it".to_owned())
}

#[async_trait]
impl<L: Looker> Store for LookStore<L> {
    async fn commit(&self, units: Vec<Unit>) -> Vec<Result<Seq, CommitError>> {
        units.iter().map(|_| Err(CommitError::Store(unwritable()))).collect()
    }

    async fn put_definition(&self, _workflow: &str, _digest: Digest, _bytes: &[u8]) -> Result<(), StoreError> {
        Err(unwritable())
    }

    async fn definition(&self, digest: Digest) -> Result<Option<Arc<[u8]>>, StoreError> {
        looked!(self, Look::Definition(digest), Looked::Bytes(bytes) => bytes.map(|bytes| bytes.0.into()))
    }

    async fn current_definition(&self, workflow: &str) -> Result<Option<Digest>, StoreError> {
        looked!(self, Look::CurrentDefinition(workflow.to_owned()), Looked::Digest(digest) => digest)
    }

    async fn current_definitions(&self) -> Result<Vec<(String, Digest)>, StoreError> {
        looked!(self, Look::CurrentDefinitions, Looked::Digests(digests) => digests)
    }

    async fn sweep_definitions(&self) -> Result<u64, StoreError> {
        Err(unwritable())
    }

    async fn read(&self, run: RunId, from: Seq, limit: usize) -> Result<Vec<Recorded>, StoreError> {
        let mut events: Vec<Recorded> = Vec::new();
        loop {
            let from = events.last().map_or(from, |last| last.seq.next());
            let look = Look::Read { run, from, limit: limit - events.len() };
            let (items, more) = looked!(self, look, Looked::Events { items, more } => (items, more))?;
            events.extend(items);
            if !more || events.len() >= limit {
                return Ok(events);
            }
        }
    }

    async fn row(&self, run: RunId) -> Result<Option<IndexRow>, StoreError> {
        looked!(self, Look::Row(run), Looked::Row(row) => row)
    }

    async fn list(&self, filter: &Filter, cursor: Option<Cursor>, limit: usize) -> Result<Page<IndexRow>, StoreError> {
        let look = Look::List { filter: filter.clone(), cursor: cursor.map(|cursor| cursor.0), limit };
        looked!(self, look, Looked::Rows { items, next } => Page { items, next: next.map(Cursor) })
    }

    async fn open_runs(&self, class: Class, cursor: Option<Cursor>, limit: usize) -> Result<Page<RunId>, StoreError> {
        let look = Look::OpenRuns { class, cursor: cursor.map(|cursor| cursor.0), limit };
        looked!(self, look, Looked::Runs { items, next } => Page { items, next: next.map(Cursor) })
    }

    async fn due_timers(
        &self,
        _clock: TimerClock,
        _until: Timestamp,
        _cursor: Option<Cursor>,
        _limit: usize,
    ) -> Result<Page<TimerRow>, StoreError> {
        Err(StoreError::Unusable("timers are read by the process that has the data directory".to_owned()))
    }

    async fn inbox(&self, run: RunId) -> Result<Vec<InboxRow>, StoreError> {
        looked!(self, Look::Inbox(run), Looked::Inbox(rows) => rows)
    }

    async fn inbox_runs(&self, cursor: Option<Cursor>, limit: usize) -> Result<Page<RunId>, StoreError> {
        let look = Look::InboxRuns { cursor: cursor.map(|cursor| cursor.0), limit };
        looked!(self, look, Looked::Runs { items, next } => Page { items, next: next.map(Cursor) })
    }

    async fn claim(&self, key: &str) -> Result<Option<Claim>, StoreError> {
        looked!(self, Look::Claim(key.to_owned()), Looked::Claim(claim) => claim)
    }

    async fn mark(&self, run: RunId, name: &str) -> Result<Option<Vec<u8>>, StoreError> {
        let look = Look::Mark { run, name: name.to_owned() };
        looked!(self, look, Looked::Bytes(bytes) => bytes.map(|bytes| bytes.0))
    }

    async fn put_blob(&self, _run: RunId, _digest: Digest, _bytes: Arc<[u8]>) -> Result<(), StoreError> {
        Err(unwritable())
    }

    async fn blob(&self, run: RunId, digest: Digest) -> Result<Arc<[u8]>, StoreError> {
        looked!(self, Look::Blob { run, digest }, Looked::Bytes(Some(bytes)) => bytes.0.into())
    }

    async fn delete(&self, _run: RunId, _claims_until: Timestamp) -> Result<(), StoreError> {
        Err(unwritable())
    }

    async fn acquire(&self, _shard: u8, _worker: &str, _until: Timestamp) -> Result<Option<Fence>, StoreError> {
        Err(unwritable())
    }

    async fn renew(&self, _shard: u8, _fence: Fence, _until: Timestamp) -> Result<bool, StoreError> {
        Err(unwritable())
    }

    async fn release(&self, _shard: u8, _fence: Fence) -> Result<(), StoreError> {
        Err(unwritable())
    }

    async fn watermark(&self) -> Result<Timestamp, StoreError> {
        looked!(self, Look::Watermark, Looked::Time(at) => at)
    }

    fn stopped_cleanly(&self) -> bool {
        true
    }

    fn counters(&self) -> Counters {
        Counters::default()
    }

    fn free_bytes(&self) -> Option<u64> {
        None
    }

    async fn broken(&self) -> StoreError {
        // Whoever asks is told so by the process that has it.
        std::future::pending().await
    }

    async fn close(&self) -> Result<(), StoreError> {
        Ok(())
    }
}
