//! One attempt on its way: wait for room and a slot, load the call, and make it.

use std::sync::Arc;

use bytes::Bytes;
use engine_core::call::{Call, HttpCall, TaskCall};
use engine_core::definition::Step;
use engine_core::event::{Event, StuckReason};
use engine_core::failure::Effect;
use engine_core::id::{Seq, Side};
use engine_core::machine::{AttemptOutcome, Input, Send};
use engine_core::payload::Payload;
use engine_store::Store;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};

use crate::error::LoadError;
use crate::http::{Unbound, exchange};
use crate::memory::{Lease, Outgoing};
use crate::read;
use crate::tasks::{self, Outcome, TaskAttempt, Tasks, World};

/// What attempts of one run share.
#[derive(Clone)]
pub(crate) struct Sender {
    pub(crate) world: World,
    pub(crate) store: Arc<dyn Store>,
    pub(crate) tasks: Arc<dyn Tasks>,
    /// Attempts in flight in this process.
    pub(crate) slots: Arc<Semaphore>,
    /// True once the engine stops.
    pub(crate) stopping: watch::Receiver<bool>,
    /// True once the run goes forward no more.
    pub(crate) turned: watch::Receiver<bool>,
}

/// What of an attempt only its run knows.
pub(crate) struct Attempt {
    pub(crate) send: Send,
    /// The rendered call, where it is still in memory.
    pub(crate) call: Option<Arc<Call>>,
    /// What is known of the step's forward side.
    pub(crate) forward: Effect,
    /// The event that holds what an attempt of this call noted last.
    pub(crate) checkpoint: Option<Seq>,
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
    /// For what it passes on.
    room: Lease,
    _slot: Option<OwnedSemaphorePermit>,
}

impl Sender {
    /// Makes one attempt and says how it ended.
    pub(crate) async fn attempt(self, attempt: Attempt) -> Result<Ended, LoadError> {
        let call = match &attempt.call {
            Some(call) => call.clone(),
            None => Arc::new(self.load(&attempt.send).await?),
        };
        let Some(Place { room, _slot }) = self.place(&attempt.send, &call).await else { return Ok(Ended::Unsent) };
        match &*call {
            Call::Http(http) => self.http(attempt.send, http, room).await,
            Call::Task(task) => self.task(attempt, task, room).await,
        }
    }

    async fn http(&self, send: Send, http: &HttpCall, room: Lease) -> Result<Ended, LoadError> {
        let World { run, binder, transport, memory, .. } = &self.world;
        let body = match &http.body {
            Some(body) => {
                let bytes = read::payload(&*self.store, *run, body).await?;
                Some(Bytes::from_owner(Outgoing { bytes, _room: room }))
            }
            None => None,
        };
        let room = memory.answer();
        Ok(match exchange((binder, &**transport), (http, &send), body, room.clone()).await {
            Ok(outcome) => ended(send, outcome, room.take()),
            Err(Unbound { reason, message }) => not_sent(send, reason, message),
        })
    }

    async fn task(&self, attempt: Attempt, task: &TaskCall, _room: Lease) -> Result<Ended, LoadError> {
        let Attempt { send, forward, checkpoint, .. } = attempt;
        let Some(function) = self.tasks.find(&task.name) else {
            return Ok(not_sent(send, StuckReason::TaskMissing, tasks::missing(&*self.tasks, &task.name)));
        };
        let (store, run) = (&*self.store, self.world.run);
        let args = read::payload(store, run, &task.args).await?;
        let last_checkpoint = match checkpoint {
            Some(seq) => Some(read::payload(store, run, &read::recorded(store, run, seq).await?).await?),
            None => None,
        };
        let is_forward = send.side == Side::Forward && self.step(&send).is_some_and(|(_, turns)| turns);
        let turned = is_forward.then(|| self.turned.clone());
        let stopping = self.stopping.clone();
        let attempt = TaskAttempt { send: send.clone(), args, forward, last_checkpoint, stopping, turned };
        Ok(match self.world.attempt(function, attempt).await {
            Outcome::Ended(outcome) => {
                let room = self.room(&outcome).await;
                ended(send, outcome, room)
            }
            Outcome::Unbound { reason, message } => {
                let message = match reason {
                    StuckReason::InputUndecodable => tasks::undecodable(&task.name, &message),
                    _ => message,
                };
                not_sent(send, reason, message)
            }
        })
    }

    /// Room for what a task gave: it is in memory already, so this holds back only what comes after it.
    async fn room(&self, outcome: &AttemptOutcome) -> Option<Lease> {
        let AttemptOutcome::Gave(json) = outcome else { return None };
        let room = self.world.memory.answer();
        room.cover(json.len()).await;
        room.take()
    }

    /// Waits for room and then for a slot, so that attempts which wait for room are in nobody's way. None where the
    /// engine stops meanwhile; only what may not be made again goes on waiting, for it would count as sent.
    async fn place(&self, send: &Send, call: &Call) -> Option<Place> {
        let mut stopping = self.stopping.clone();
        let may_be_left = !self.runs_once(send);
        let place = async {
            let mut room = self.world.memory.sending.lease();
            room.cover(call.payload().map_or(0, payload_len)).await;
            // The semaphore is never closed; should it be, the attempt just goes without a slot.
            Place { room, _slot: self.slots.clone().acquire_owned().await.ok() }
        };
        tokio::select! {
            biased;
            Ok(_) = stopping.wait_for(|stopping| *stopping), if may_be_left => None,
            place = place => Some(place),
        }
    }

    /// The step, and whether it is one that the run turns back from.
    fn step(&self, send: &Send) -> Option<(&Step, bool)> {
        let definition = &self.world.binder.definition;
        let index = definition.find(send.step.as_str())?;
        Some((definition.step(index), !definition.is_on_failure(index)))
    }

    fn runs_once(&self, send: &Send) -> bool {
        let retry = self.step(send).and_then(|(step, _)| match send.side {
            Side::Forward => step.call().map(|call| &call.retry),
            Side::Compensation => step.compensate.as_ref().map(|compensate| &compensate.call.retry),
        });
        retry.is_some_and(|retry| retry.max_attempts <= 1)
    }

    async fn load(&self, send: &Send) -> Result<Call, LoadError> {
        let run = self.world.run;
        match read::event(&*self.store, run, send.call).await?.event {
            Event::StepScheduled { call, .. } | Event::CompensationStarted { call, .. } => Ok(call),
            _ => Err(LoadError::PayloadMissing { run, seq: send.call }),
        }
    }
}

fn ended(send: Send, outcome: AttemptOutcome, room: Option<Lease>) -> Ended {
    let Send { step, side, attempt, .. } = send;
    Ended::With(Box::new(Input::AttemptEnded { step, side, attempt, outcome }), room)
}

fn not_sent(send: Send, reason: StuckReason, message: String) -> Ended {
    let Send { step, side, attempt, .. } = send;
    Ended::With(Box::new(Input::AttemptNotSent { step, side, attempt, reason, message }), None)
}

/// How many bytes a payload will have in memory.
fn payload_len(payload: &Payload) -> usize {
    usize::try_from(payload.len()).unwrap_or(usize::MAX)
}
