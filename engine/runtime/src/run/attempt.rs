//! One attempt on its way: wait for room and a slot, load the call, bind, send.

use std::sync::Arc;

use bytes::Bytes;
use engine_core::call::Call;
use engine_core::event::Event;
use engine_core::id::{RunId, Side};
use engine_core::machine::{AttemptOutcome, Input, Send};
use engine_core::payload::Payload;
use engine_store::Store;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};

use crate::error::LoadError;
use crate::http::{Binder, Transport, Unbound};
use crate::memory::{Lease, Outgoing, PayloadMemory};
use crate::read;

/// What attempts of one run share.
#[derive(Clone)]
pub(crate) struct Sender {
    pub(crate) run: RunId,
    pub(crate) store: Arc<dyn Store>,
    pub(crate) transport: Arc<dyn Transport>,
    pub(crate) binder: Binder,
    /// Attempts in flight in this process.
    pub(crate) slots: Arc<Semaphore>,
    pub(crate) memory: PayloadMemory,
    /// True once the engine stops.
    pub(crate) stopping: watch::Receiver<bool>,
}

/// How an attempt ended.
pub(crate) enum Ended {
    /// So, and its answer has this room.
    With(Box<Input>, Option<Lease>),
    /// The engine stopped before it was sent: the next process makes it.
    Unsent,
}

/// What an attempt needs before it may be sent.
struct Place {
    /// For its body.
    room: Lease,
    _slot: Option<OwnedSemaphorePermit>,
}

impl Sender {
    /// Makes one attempt and says how it ended. `call` is the rendered call where it is still in memory.
    pub(crate) async fn attempt(self, send: Send, call: Option<Arc<Call>>) -> Result<Ended, LoadError> {
        let call = match call {
            Some(call) => call,
            None => Arc::new(self.load(&send).await?),
        };
        let Some(Place { room, _slot }) = self.place(&send, &call).await else { return Ok(Ended::Unsent) };
        let body = match &call.body {
            Some(body) => {
                let bytes = read::payload(&*self.store, self.run, body).await?;
                Some(Bytes::from_owner(Outgoing { bytes, _room: room }))
            }
            None => None,
        };
        let Send { step, side, attempt, .. } = send.clone();
        Ok(match self.binder.bind(&call, &send, body).await {
            Ok(mut request) => {
                let room = self.memory.answer();
                request.room = room.clone();
                let address = self.binder.address(&call, &request);
                let outcome = at(address, self.transport.send(request).await);
                Ended::With(Box::new(Input::AttemptEnded { step, side, attempt, outcome }), room.take())
            }
            Err(Unbound { reason, message }) => {
                Ended::With(Box::new(Input::AttemptNotSent { step, side, attempt, reason, message }), None)
            }
        })
    }

    /// Waits for room and then for a slot, so that attempts which wait for room are in nobody's way. None where the
    /// engine stops meanwhile; only what may not be made again goes on waiting, for it would count as sent.
    async fn place(&self, send: &Send, call: &Call) -> Option<Place> {
        let mut stopping = self.stopping.clone();
        let may_be_left = !self.runs_once(send);
        let place = async {
            let mut room = self.memory.sending.lease();
            room.cover(call.body.as_ref().map_or(0, body_len)).await;
            // The semaphore is never closed; should it be, the attempt just goes without a slot.
            Place { room, _slot: self.slots.clone().acquire_owned().await.ok() }
        };
        tokio::select! {
            biased;
            Ok(_) = stopping.wait_for(|stopping| *stopping), if may_be_left => None,
            place = place => Some(place),
        }
    }

    fn runs_once(&self, send: &Send) -> bool {
        let definition = &self.binder.definition;
        let step = definition.find(send.step.as_str()).map(|index| definition.step(index));
        let retry = step.and_then(|step| match send.side {
            Side::Forward => step.http().map(|call| &call.retry),
            Side::Compensation => step.compensate.as_ref().map(|compensate| &compensate.call.retry),
        });
        retry.is_some_and(|retry| retry.max_attempts <= 1)
    }

    async fn load(&self, send: &Send) -> Result<Call, LoadError> {
        match read::event(&*self.store, self.run, send.call).await?.event {
            Event::StepScheduled { call, .. } | Event::CompensationStarted { call, .. } => Ok(call),
            _ => Err(LoadError::PayloadMissing { run: self.run, seq: send.call }),
        }
    }
}

/// How many bytes a body will have in memory.
fn body_len(body: &Payload) -> usize {
    usize::try_from(body.len()).unwrap_or(usize::MAX)
}

/// Says where nobody was reached.
fn at(address: Option<String>, outcome: AttemptOutcome) -> AttemptOutcome {
    match (address, outcome) {
        (Some(address), AttemptOutcome::NotSent { message }) => {
            AttemptOutcome::NotSent { message: format!("{address}: {message}") }
        }
        (_, outcome) => outcome,
    }
}
