//! The requests that wait for a run's turn.

use std::sync::Arc;

use engine_core::id::Name;
use engine_core::request::{Answer, Resolution};
use tokio::sync::{mpsc, oneshot};

use crate::bounds;

/// What an operator says of something stuck.
#[derive(Clone, Debug)]
pub struct Resolve {
    /// The request's id: a repeat gets the first answer.
    pub id: String,
    /// Who asks.
    pub actor: String,
    /// The step; none for the run as a whole.
    pub step: Option<Name>,
    /// What to do.
    pub action: Resolution,
    /// The step's output as JSON, for [`Resolution::Done`].
    pub output: Option<Arc<[u8]>>,
}

/// A request to a run, answered once the answer is durable.
#[derive(Debug)]
pub(crate) struct Mail {
    pub(crate) request: Resolve,
    pub(crate) answer: oneshot::Sender<Answer>,
}

/// The requests that wait for a run's turn.
#[derive(Debug)]
pub(crate) struct Mailbox {
    receiver: mpsc::Receiver<Mail>,
    drained: Vec<Mail>,
}

impl Mailbox {
    pub(crate) fn new() -> (mpsc::Sender<Mail>, Self) {
        let (sender, receiver) = mpsc::channel(bounds::MAILBOX);
        (sender, Self { receiver, drained: Vec::new() })
    }

    /// Waits for a request: for ever, where nobody is left who could make one. Dropping the future loses nothing.
    pub(crate) async fn wait(&mut self) {
        if self.drained.is_empty() {
            match self.receiver.recv().await {
                Some(mail) => self.drained.push(mail),
                None => std::future::pending().await,
            }
        }
    }

    /// What has come.
    pub(crate) fn drain(&mut self) -> impl Iterator<Item = Mail> {
        while self.drained.len() < bounds::MAILBOX
            && let Ok(mail) = self.receiver.try_recv()
        {
            self.drained.push(mail);
        }
        std::mem::take(&mut self.drained).into_iter()
    }
}
