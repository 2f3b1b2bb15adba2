//! The run that a person means.

use engine_core::id::{Name, RunId};
use engine_store::{ClaimState, Filter, IndexRow, Store, StoreError};

use crate::bounds;
use crate::start::claim_key;

/// Why a text names no run.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum FindError {
    /// Nothing has this id.
    #[error("there is no run `{text}`{}", known(text, near, newest))]
    Unknown {
        /// What was asked for.
        text: String,
        /// The ids that are most like it, the nearest first.
        near: Vec<String>,
        /// The ids of the newest runs.
        newest: Vec<String>,
    },
    /// Several runs have an id that begins so, or this workflow id.
    #[error("`{text}` may be any of these; name one by its id, or by more of it{}", listed(candidates))]
    Ambiguous {
        /// What was asked for.
        text: String,
        /// The runs it may be, the newest first.
        candidates: Vec<IndexRow>,
    },
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Runs that are named in a message.
const FEW: usize = 5;

/// The beginning of an id has at least so many characters.
const SHORTEST_PREFIX: usize = 4;

/// The run that a person means: by its id, by the beginning of it, or by its workflow id. Where a run was carried out
/// anew under the same workflow id, the last one is meant.
pub async fn find(store: &dyn Store, text: &str) -> Result<RunId, FindError> {
    if let Ok(run) = text.parse::<RunId>()
        && store.row(run).await?.is_some()
    {
        return Ok(run);
    }
    let mut candidates = by_workflow_id(store, text).await?;
    if let [one] = candidates.as_slice() {
        return Ok(one.run);
    }
    let (mut like, mut cursor, is_workflow_id) = (Like::new(text), None, !candidates.is_empty());
    while !is_workflow_id && candidates.len() <= FEW {
        let page = store.list(&Filter::default(), cursor, bounds::LISTED_RUNS).await?;
        for row in page.items {
            like.consider(&row);
            if text.len() >= SHORTEST_PREFIX && row.run.to_string().starts_with(text) {
                candidates.push(row);
            }
        }
        cursor = page.next;
        if cursor.is_none() {
            break;
        }
    }
    match candidates.as_slice() {
        [] => Err(like.unknown()),
        [one] => Ok(one.run),
        [..] => {
            candidates.truncate(FEW);
            Err(FindError::Ambiguous { text: text.to_owned(), candidates })
        }
    }
}

/// The run that this workflow has under this id. Where it was carried out anew, the last one.
pub async fn claimed(store: &dyn Store, workflow: &Name, id: &str) -> Result<Option<RunId>, StoreError> {
    let claim = store.claim(&claim_key(workflow, id)).await?;
    Ok(claim.filter(|claim| claim.state == ClaimState::Live).map(|claim| claim.run))
}

/// The run of each workflow that has one under this id.
async fn by_workflow_id(store: &dyn Store, id: &str) -> Result<Vec<IndexRow>, StoreError> {
    let mut rows = Vec::new();
    for (workflow, _) in store.current_definitions().await? {
        if let Some(run) = claimed(store, &Name::new(workflow), id).await? {
            rows.extend(store.row(run).await?);
        }
    }
    Ok(rows)
}

/// The ids that are most like a text, and the newest ones.
struct Like<'t> {
    text: &'t str,
    /// With their distances, the nearest first.
    near: Vec<(usize, String)>,
    newest: Vec<String>,
}

impl<'t> Like<'t> {
    fn new(text: &'t str) -> Self {
        Self { text, near: Vec::new(), newest: Vec::new() }
    }

    fn consider(&mut self, row: &IndexRow) {
        let name = row.workflow_id.clone().unwrap_or_else(|| row.run.to_string());
        if self.newest.len() < FEW && !self.newest.contains(&name) {
            self.newest.push(name.clone());
        }
        if let Some(distance) = distance(self.text, &name)
            && self.near.iter().all(|(_, known)| *known != name)
        {
            let place = self.near.partition_point(|(known, _)| *known <= distance);
            self.near.insert(place, (distance, name));
            self.near.truncate(FEW);
        }
    }

    fn unknown(self) -> FindError {
        let near = self.near.into_iter().map(|(_, name)| name).collect();
        FindError::Unknown { text: self.text.to_owned(), near, newest: self.newest }
    }
}

/// How far two ids are apart; none where they have little in common.
fn distance(text: &str, id: &str) -> Option<usize> {
    if id.starts_with(text) || text.starts_with(id) {
        return Some(1);
    }
    let tolerated = (text.chars().count() / 4).max(1);
    if text.len().abs_diff(id.len()) > tolerated * 4 || id.len() > engine_core::bounds::ID_LEN {
        return None;
    }
    Some(strsim::damerau_levenshtein(text, id)).filter(|distance| *distance <= tolerated)
}

fn known(text: &str, near: &[String], newest: &[String]) -> String {
    let short = if text.len() < SHORTEST_PREFIX {
        format!(" (the beginning of an id has {SHORTEST_PREFIX} characters at least)")
    } else {
        String::new()
    };
    match (near, newest) {
        ([], []) => format!("{short}; there are no runs at all"),
        ([], newest) => format!("{short}; the newest are {}", newest.join(", ")),
        (near, _) => format!("{short}; did you mean {}?", near.join(", ")),
    }
}

fn listed(candidates: &[IndexRow]) -> String {
    let line = |row: &IndexRow| {
        let id = row.workflow_id.as_ref().map(|id| format!("  {}", id.escape_debug())).unwrap_or_default();
        format!("\n  {}  {}{id}  {}", row.run, row.workflow, row.status)
    };
    candidates.iter().map(line).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_near_by_their_beginning_or_by_few_slips() {
        for (text, id) in [("order-1002", "order-1001"), ("order", "order-1001"), ("order-1001x", "order-1001")] {
            assert!(distance(text, id).is_some(), "{text} {id}");
        }
        for (text, id) in [("order-9999", "order-1001"), ("x", "order-1001"), ("nightly", "order-1")] {
            assert_eq!(distance(text, id), None, "{text} {id}");
        }
    }
}
