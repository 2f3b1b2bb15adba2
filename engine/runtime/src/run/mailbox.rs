//! The requests that wait for a run's turn.

use engine_core::request::{Answer, Request};
use tokio::sync::{mpsc, oneshot};

use crate::bounds;

/// A request to a run, answered once the answer is durable.
#[derive(Debug)]
pub(crate) struct Mail {
    pub(crate) request: Request,
    pub(crate) answer: oneshot::Sender<Answer>,
}

/// The requests that wait for a run's turn.
#[derive(Debug)]
pub(crate) struct Mailbox {
    /// Boxed, because a channel makes room for 32 at once.
    receiver: mpsc::Receiver<Box<Mail>>,
    drained: Vec<Mail>,
}

impl Mailbox {
    pub(crate) fn new() -> (mpsc::Sender<Box<Mail>>, Self) {
        let (sender, receiver) = mpsc::channel(bounds::MAILBOX);
        (sender, Self { receiver, drained: Vec::new() })
    }

    /// Waits for a request: for ever, where nobody is left who could make one. Dropping the future loses nothing.
    pub(crate) async fn wait(&mut self) {
        if self.drained.is_empty() {
            match self.receiver.recv().await {
                Some(mail) => self.drained.push(*mail),
                None => std::future::pending().await,
            }
        }
    }

    /// Whether nothing has come.
    pub(crate) fn is_empty(&self) -> bool {
        self.drained.is_empty() && self.receiver.is_empty()
    }

    /// What has come.
    pub(crate) fn drain(&mut self) -> impl Iterator<Item = Mail> {
        while self.drained.len() < bounds::MAILBOX
            && let Ok(mail) = self.receiver.try_recv()
        {
            self.drained.push(*mail);
        }
        std::mem::take(&mut self.drained).into_iter()
    }
}
