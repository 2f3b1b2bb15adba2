//! What a task may know and do while it is carried out.

use std::future::pending;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use engine_core::call::HttpCall;
use engine_core::event::StuckReason;
use engine_core::failure::Effect;
use engine_core::id::{IdempotencyKey, Name, RunId, Side};
use engine_core::machine::{AttemptOutcome, Send};
use engine_core::payload::Payload;
use engine_core::time::Timestamp;
use tokio::sync::{mpsc, oneshot, watch};

use crate::clock::Clock;
use crate::http::{Binder, Transport, Unbound, exchange};
use crate::memory::PayloadMemory;

/// What an attempt notes of how far it is, on its way to its run.
pub(crate) struct Note {
    pub(crate) step: Name,
    pub(crate) side: Side,
    pub(crate) attempt: u32,
    pub(crate) checkpoint: Payload,
    /// Told true once it is durable.
    pub(crate) kept: oneshot::Sender<bool>,
}

/// Says that nobody waits for the attempt any more, or that the process would rather see it end.
#[derive(Clone)]
pub(crate) struct Stopped {
    /// Its time is over, or its run was ended.
    pub(crate) abandoned: watch::Receiver<bool>,
    /// The engine stops.
    pub(crate) stopping: watch::Receiver<bool>,
    /// The run goes forward no more. Nothing to what is done only then.
    pub(crate) turned: Option<watch::Receiver<bool>>,
}

/// What a checkpoint was refused for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the checkpoint is not kept: nobody waits for this attempt any more, or the run's history is full")]
pub struct NotKept;

/// What became of a call that a task made.
#[derive(Clone, PartialEq, Debug)]
pub enum Called {
    /// How it ended.
    Ended(AttemptOutcome),
    /// It could not be sent, because something is missing that an operator has to see to.
    Unbound {
        /// What, for programs.
        reason: StuckReason,
        /// What is missing, and what to do.
        message: String,
    },
}

/// What a task knows of its attempt, and what it may ask of the engine. Cheap to clone; all clones are one.
#[derive(Clone)]
pub struct TaskContext {
    inner: Arc<Inner>,
}

pub(super) struct Inner {
    pub(super) run: RunId,
    pub(super) workflow: Name,
    pub(super) workflow_id: Option<String>,
    pub(super) send: Send,
    /// What is known of the step that a compensation undoes.
    pub(super) forward: Effect,
    pub(super) deadline: Timestamp,
    pub(super) last_checkpoint: Option<Arc<[u8]>>,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) binder: Binder,
    pub(super) transport: Arc<dyn Transport>,
    pub(super) memory: PayloadMemory,
    pub(super) notes: mpsc::Sender<Box<Note>>,
    pub(super) stopped: Stopped,
    /// Where what the engine does for the task is carried out, so that a task which blocks its thread holds up no
    /// connection.
    pub(super) engine: tokio::runtime::Handle,
}

impl TaskContext {
    pub(super) fn new(inner: Inner) -> Self {
        Self { inner: Arc::new(inner) }
    }

    /// The run.
    pub fn run(&self) -> RunId {
        self.inner.run
    }

    /// The run's workflow.
    pub fn workflow(&self) -> &Name {
        &self.inner.workflow
    }

    /// The id that the run's user gave it, if any.
    pub fn workflow_id(&self) -> Option<&str> {
        self.inner.workflow_id.as_deref()
    }

    /// The step.
    pub fn step(&self) -> &Name {
        &self.inner.send.step
    }

    /// Which side of the step.
    pub fn side(&self) -> Side {
        self.inner.send.side
    }

    /// The attempt's number, from 1.
    pub fn attempt(&self) -> u32 {
        self.inner.send.attempt
    }

    /// The idempotency key: the same for all attempts of this side.
    pub fn key(&self) -> &IdempotencyKey {
        &self.inner.send.key
    }

    /// Of a compensation, what is known of the step that it undoes.
    pub fn forward_effect(&self) -> Effect {
        self.inner.forward
    }

    /// When the attempt's time is over, in engine time.
    pub fn deadline(&self) -> Timestamp {
        self.inner.deadline
    }

    /// Engine time.
    pub fn now(&self) -> Timestamp {
        self.inner.clock.now()
    }

    /// Returns after this long, by engine time.
    pub async fn sleep(&self, span: Duration) {
        self.inner.clock.sleep_until(self.now().after(span)).await;
    }

    /// Whether the attempt should come to an end: its time is over, its run was ended or turns back, or the engine
    /// stops.
    pub fn is_cancelled(&self) -> bool {
        let Stopped { abandoned, stopping, turned } = &self.inner.stopped;
        *abandoned.borrow() || *stopping.borrow() || turned.as_ref().is_some_and(|turned| *turned.borrow())
    }

    /// Returns once the attempt should come to an end.
    pub async fn cancelled(&self) {
        let Stopped { mut abandoned, mut stopping, turned } = self.inner.stopped.clone();
        let turned = async {
            match turned {
                Some(mut turned) => raised(&mut turned).await,
                None => pending().await,
            }
        };
        tokio::select! {
            biased;
            // Whoever waited for the attempt is gone, where the sender is.
            _ = abandoned.wait_for(|abandoned| *abandoned) => {}
            () = raised(&mut stopping) => {}
            () = turned => {}
        }
    }

    /// What the last attempt with the same call noted, JSON.
    pub fn last_checkpoint(&self) -> Option<&Arc<[u8]>> {
        self.inner.last_checkpoint.as_ref()
    }

    /// Notes how far the attempt is, as JSON; returns once that is durable.
    pub async fn checkpoint(&self, json: Vec<u8>) -> Result<(), NotKept> {
        let Send { step, side, attempt, .. } = self.inner.send.clone();
        let (kept, is_kept) = oneshot::channel();
        let note = Note { step, side, attempt, checkpoint: Payload::json(json), kept };
        self.inner.notes.send(Box::new(note)).await.map_err(|_| NotKept)?;
        if is_kept.await == Ok(true) { Ok(()) } else { Err(NotKept) }
    }

    /// Sends one request with everything bound: base URL, credentials, this key, and that of what a compensation
    /// undoes. It is given what is left of the attempt's time at most, and not sent at all once that is over.
    ///
    /// A task that makes several calls names each `part`: it gets a key of its own, derived from that of the attempt.
    pub async fn call(&self, http: HttpCall, part: Option<&str>, timeout: Duration) -> Called {
        let inner = self.inner.clone();
        if *inner.stopped.abandoned.borrow() {
            let message = "the attempt is over, so nothing is sent for it any more".to_owned();
            return Called::Ended(AttemptOutcome::NotSent { message });
        }
        let timeout = timeout.min(inner.deadline.since(inner.clock.now())).max(Duration::from_millis(1));
        let of_part = |key: &IdempotencyKey| part.map_or_else(|| key.clone(), |part| key.part(part));
        let (key, key_of) = (of_part(self.key()), self.inner.send.key_of.as_ref().map(of_part));
        let call = async move {
            let send = Send { key, key_of, timeout, ..inner.send.clone() };
            let body = http.body.as_ref().and_then(|body| body.inline()).map(|body| Bytes::from_owner(body.clone()));
            let (way, call) = ((&inner.binder, &*inner.transport), (&http, &send));
            match exchange(way, call, body, inner.memory.answer()).await {
                Ok(outcome) => Called::Ended(outcome),
                Err(Unbound { reason, message }) => Called::Unbound { reason, message },
            }
        };
        let mut call = AbortOnDrop(self.inner.engine.spawn(call));
        (&mut call.0).await.unwrap_or_else(|error| {
            Called::Ended(AttemptOutcome::Lost { timed_out: false, message: error.to_string() })
        })
    }

    /// Whether a service of the run's workflow honours `Idempotency-Key`.
    pub fn is_idempotent(&self, service: &Name) -> bool {
        self.inner.binder.definition.services().get(service).is_some_and(|service| service.idempotent)
    }
}

/// Returns once this is true; never, where nobody is left who could say so.
async fn raised(flag: &mut watch::Receiver<bool>) {
    if flag.wait_for(|raised| *raised).await.is_err() {
        pending::<()>().await;
    }
}

struct AbortOnDrop<T>(tokio::task::JoinHandle<T>);

impl<T> Drop for AbortOnDrop<T> {
    fn drop(&mut self) {
        self.0.abort();
    }
}
