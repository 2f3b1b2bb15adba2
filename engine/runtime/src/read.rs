//! Reading runs: histories, states, definitions, payloads. Drives nothing.

use std::sync::Arc;

use engine_core::definition::Definition;
use engine_core::event::Recorded;
use engine_core::id::{Digest, RunId, Seq};
use engine_core::payload::{Held, Payload};
use engine_core::state::State;
use engine_store::{Class, Store, StoreError};

use crate::bounds;
pub use crate::error::LoadError;
pub use crate::find::{FindError, claimed, find};
pub use crate::rerun::rerun_by;
pub use crate::set_aside::reason as set_aside;

/// The whole history of a run.
pub async fn history(store: &dyn Store, run: RunId) -> Result<Vec<Recorded>, LoadError> {
    let mut events: Vec<Recorded> = Vec::new();
    loop {
        let from = events.last().map_or(Seq(1), |last| last.seq.next());
        let page = store.read(run, from, bounds::READ_EVENTS).await?;
        let is_last = page.len() < bounds::READ_EVENTS;
        events.extend(page);
        if is_last {
            break;
        }
    }
    if events.is_empty() { Err(LoadError::Unknown(run)) } else { Ok(events) }
}

/// The state of a run, folded from its history.
pub async fn state(store: &dyn Store, run: RunId) -> Result<State, LoadError> {
    Ok(State::fold(run, history(store, run).await?)?)
}

/// All runs of this class, oldest first.
pub async fn runs_of(store: &dyn Store, class: Class) -> Result<Vec<RunId>, StoreError> {
    let (mut runs, mut cursor) = (Vec::new(), None);
    loop {
        let page = store.open_runs(class, cursor, bounds::LISTED_RUNS).await?;
        runs.extend(page.items);
        cursor = page.next;
        if cursor.is_none() {
            return Ok(runs);
        }
    }
}

/// A definition, made again from what the store keeps.
pub async fn definition(store: &dyn Store, digest: Digest) -> Result<Arc<Definition>, LoadError> {
    let source = store.definition(digest).await?.ok_or(LoadError::DefinitionMissing(digest))?;
    let unreadable = |why: String| LoadError::DefinitionUnreadable { digest, why };
    Definition::from_source(&source).map(Arc::new).map_err(|error| unreadable(error.to_string()))
}

/// The event at this position.
pub async fn event(store: &dyn Store, run: RunId, seq: Seq) -> Result<Recorded, LoadError> {
    let found = store.read(run, seq, 1).await?.into_iter().find(|recorded| recorded.seq == seq);
    found.ok_or(LoadError::PayloadMissing { run, seq })
}

/// The bytes of a payload, wherever they are.
pub async fn payload(store: &dyn Store, run: RunId, payload: &Payload) -> Result<Arc<[u8]>, LoadError> {
    match payload {
        Payload::Inline { data, .. } => Ok(data.clone()),
        Payload::Blob { digest, .. } => Ok(store.blob(run, *digest).await?),
    }
}

/// The payload of the event at this position, as it is recorded there.
pub async fn recorded(store: &dyn Store, run: RunId, seq: Seq) -> Result<Payload, LoadError> {
    let recorded = event(store, run, seq).await?;
    recorded.event.payload().cloned().ok_or(LoadError::PayloadMissing { run, seq })
}

/// The payload of the event at this position.
pub async fn payload_at(store: &dyn Store, run: RunId, seq: Seq) -> Result<Arc<[u8]>, LoadError> {
    payload(store, run, &recorded(store, run, seq).await?).await
}

/// The bytes of a payload that state refers to.
pub async fn held(store: &dyn Store, run: RunId, held: &Held) -> Result<Arc<[u8]>, LoadError> {
    match &held.small {
        Some(bytes) => Ok(bytes.clone()),
        None => payload_at(store, run, held.seq).await,
    }
}

/// All runs that have not ended, oldest first.
pub async fn open_runs(store: &dyn Store) -> Result<Vec<RunId>, StoreError> {
    let mut runs = Vec::new();
    for class in [Class::InFlight, Class::Dormant, Class::Paused, Class::Stuck] {
        runs.extend(runs_of(store, class).await?);
    }
    runs.sort();
    Ok(runs)
}
