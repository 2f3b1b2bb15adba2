//! From a decided turn to a unit for the store.

use engine_core::bounds;
use engine_core::call::Call;
use engine_core::event::{Event, Recorded};
use engine_core::id::{Digest, Name, RunId, Seq, Side};
use engine_core::machine::Command;
use engine_core::payload::Payload;
use engine_core::state::{State, Status};
use engine_store::{
    ClaimChange, Class, Fence, IndexRow, Mark, RunWrite, Store, StoreError, TimerClock, TimerRow, Unit,
};

use crate::crashes;

/// What of a run's index row does not change.
#[derive(Clone, Debug)]
pub(crate) struct Identity {
    pub(crate) fence: Fence,
    /// The digest of its input.
    pub(crate) input: Digest,
}

/// Puts payloads that are too large for an event into blobs, durable before this returns.
pub(crate) async fn spill(store: &dyn Store, state: &State, events: &mut [Recorded]) -> Result<(), StoreError> {
    for recorded in events {
        if let Some(payload) = recorded.event.payload_mut() {
            spill_payload(store, state.run, payload).await?;
        }
    }
    Ok(())
}

/// Puts a payload into a blob of the run where it is too large to stand where it is.
pub(crate) async fn spill_payload(store: &dyn Store, run: RunId, payload: &mut Payload) -> Result<(), StoreError> {
    let Payload::Inline { content_type, data } = payload else { return Ok(()) };
    if data.len() > bounds::INLINE_PAYLOAD {
        let (digest, len) = (Digest::of(data), data.len() as u64);
        store.put_blob(run, digest, data.clone()).await?;
        *payload = Payload::Blob { content_type: *content_type, digest, len };
    }
    Ok(())
}

/// What a turn writes beside its events and what follows from them.
#[derive(Debug, Default)]
pub(crate) struct Besides {
    /// Unique keys taken or moved.
    pub(crate) claims: Vec<ClaimChange>,
    /// Arrival numbers of the inbox rows that the turn has dealt with.
    pub(crate) inbox: Vec<u64>,
    /// What is noted about the run, or no longer.
    pub(crate) marks: Vec<Mark>,
}

impl Besides {
    pub(crate) fn is_empty(&self) -> bool {
        self.claims.is_empty() && self.inbox.is_empty() && self.marks.is_empty()
    }
}

/// Everything that one turn writes: events, timers, index row, and what goes with them.
pub(crate) fn unit(
    identity: &Identity,
    state: &State,
    expected: Seq,
    events: Vec<Recorded>,
    commands: &[Command],
    besides: Besides,
) -> Unit {
    let run = state.run;
    let is_lifted = events.iter().any(|recorded| matches!(recorded.event, Event::RunUnstuck));
    // Whatever the run was stuck on has been seen to: nothing is held against it any longer.
    let lifted = is_lifted.then(|| crashes::cleared(run));
    let timers_removed = commands.iter().filter_map(|command| match command {
        Command::ClearTimer { key } => Some((run, key.clone())),
        Command::Send(_) | Command::SetTimer { .. } => None,
    });
    Unit {
        timers_set: timers(run, commands),
        timers_removed: timers_removed.collect(),
        marks: besides.marks.into_iter().chain(lifted).collect(),
        claims: besides.claims,
        inbox_consumed: besides.inbox.into_iter().map(|arrival| (run, arrival)).collect(),
        run: Some(RunWrite { run, expected, fence: identity.fence, events, row: row(identity, state) }),
        ..Unit::default()
    }
}

/// The timers that these commands set.
pub(crate) fn timers(run: RunId, commands: &[Command]) -> Vec<TimerRow> {
    let set = commands.iter().filter_map(|command| match command {
        Command::SetTimer { key, due } => {
            Some(TimerRow { run, timer: key.clone(), due: *due, clock: TimerClock::Engine })
        }
        Command::Send(_) | Command::ClearTimer { .. } => None,
    });
    set.collect()
}

/// What `list` shows of a run in this state.
pub(crate) fn row(identity: &Identity, state: &State) -> IndexRow {
    IndexRow {
        run: state.run,
        workflow: state.workflow.clone(),
        definition: state.definition,
        workflow_id: state.workflow_id.clone(),
        input: identity.input,
        status: state.status(),
        class: class(state),
        labels: state.labels.clone(),
        priority: state.priority,
        started_at: state.started_at,
        ended_at: state.end.as_ref().map(|end| end.at),
        last: state.last,
        results: state.results,
    }
}

fn class(state: &State) -> Class {
    match state.status() {
        Status::Completed | Status::Compensated | Status::Failed | Status::Cancelled => Class::Ended,
        Status::Stuck => Class::Stuck,
        Status::Paused => Class::Paused,
        Status::Pending | Status::Running | Status::Waiting | Status::Compensating => {
            if state.in_flight() > 0 || !state.is_moving() { Class::InFlight } else { Class::Dormant }
        }
    }
}

/// The call that this event holds, and the side of the step that sends it.
pub(crate) fn scheduled(event: &Event) -> Option<(&Name, Side, &Call)> {
    match event {
        Event::StepScheduled { step, call } => Some((step, Side::Forward, call)),
        Event::CompensationStarted { step, call } => Some((step, Side::Compensation, call)),
        _ => None,
    }
}
