//! The durable inbox: requests that wait for a run which can't take them now.
//!
//! A request to a run that this process can take a turn of never goes through it: that costs one commit instead of
//! two. What comes with a request and is too large for a row stands in a blob of the run, put before the row.

use engine_core::id::RunId;
use engine_core::payload::Payload;
use engine_core::request::Request;
use engine_store::{InboxRow, Store, StoreError, Unit};

use crate::committer::Committer;
use crate::error::LoadError;
use crate::read;
use crate::run::spill_payload;

/// Puts a request into the inbox of a run. Once this returns it is durable; a second one with its id is dropped.
pub(crate) async fn put(
    store: &dyn Store,
    committer: &Committer,
    run: RunId,
    mut request: Request,
) -> Result<(), engine_store::CommitError> {
    if let Some(payload) = request.demand.payload_mut() {
        spill_payload(store, run, payload).await?;
    }
    let request_id = request.id.clone();
    let body = serde_json::to_vec(&request).map_err(|error| unreadable(run, &request_id, &error.to_string()))?;
    let row = InboxRow { run, arrival: 0, request_id, body };
    committer.commit(Unit { inbox_put: vec![row], ..Unit::default() }).await.map(|_| ())
}

/// What waits in the inbox of a run, with the arrival numbers, oldest first.
pub(crate) async fn waiting(store: &dyn Store, run: RunId) -> Result<Vec<(u64, Request)>, LoadError> {
    let mut requests = Vec::new();
    for row in store.inbox(run).await? {
        let mut request: Request =
            serde_json::from_slice(&row.body).map_err(|error| unreadable(run, &row.request_id, &error.to_string()))?;
        if let Some(payload) = request.demand.payload_mut() {
            *payload = Payload::json(read::payload(store, run, payload).await?);
        }
        requests.push((row.arrival, request));
    }
    Ok(requests)
}

fn unreadable(run: RunId, request: &str, why: &str) -> StoreError {
    StoreError::Damaged { what: format!("request `{request}` in the inbox of run {run}"), why: why.to_owned() }
}
