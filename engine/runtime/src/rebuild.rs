//! What the store keeps beside a history, made from it anew.

use std::sync::Arc;

use engine_core::definition::Definition;
use engine_core::event::{Event, Recorded};
use engine_core::id::{Digest, RunId};
use engine_core::machine::Machine;
use engine_core::payload::Payload;
use engine_core::state::{FoldError, State};
use engine_store::{Claim, ClaimState, Fence, IndexRow, TimerRow};

use crate::run::{Identity, row, timers};
use crate::start::claim_key;

/// What follows from a run's history.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Follows {
    /// The run's index row.
    pub row: IndexRow,
    /// Its timers.
    pub timers: Vec<TimerRow>,
    /// The unique keys that it should hold.
    pub claims: Vec<(String, Claim)>,
}

/// What follows from a whole history of a run of this definition.
///
/// # Errors
/// Where the history can't be folded.
pub fn follows(definition: Arc<Definition>, run: RunId, history: Vec<Recorded>) -> Result<Follows, FoldError> {
    let first = history.first().ok_or(FoldError::Empty(run))?;
    let Event::RunStarted(started) = &first.event else { return Err(FoldError::NoStart(run)) };
    // An input is kept as the text that its digest is taken of.
    let input = match &started.input {
        Payload::Inline { data, .. } => Digest::of(data),
        Payload::Blob { digest, .. } => *digest,
    };
    let state = State::fold(run, history)?;
    let row = row(&Identity { fence: Fence::default(), input }, &state);
    let holds = |id: &String| (claim_key(&state.workflow, id), Claim { run, input, state: ClaimState::Live });
    let claims = state.workflow_id.iter().map(holds).collect();
    let timers = timers(run, &Machine::resume(definition, state).outstanding());
    Ok(Follows { row, timers, claims })
}
