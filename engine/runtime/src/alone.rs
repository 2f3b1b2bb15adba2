//! Who is carried out alone, and who waits meanwhile.

use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::{oneshot, watch};

/// The runs that are to be carried out alone: one after the other, and nothing else begins until all had their turn.
#[derive(Clone, Default)]
pub(crate) struct Alone {
    /// How many have not had their turn.
    left: Arc<watch::Sender<usize>>,
    /// The end of the turn that was given out last.
    last: Arc<Mutex<Option<oneshot::Receiver<()>>>>,
}

/// The right to be carried out alone, from when those before are through until this is dropped.
pub(crate) struct Turn {
    before: Option<oneshot::Receiver<()>>,
    left: Arc<watch::Sender<usize>>,
    _over: oneshot::Sender<()>,
}

impl Alone {
    /// A turn after all that were given out before.
    pub(crate) fn turn(&self) -> Turn {
        let (over, is_over) = oneshot::channel();
        let before = self.last.lock().unwrap_or_else(PoisonError::into_inner).replace(is_over);
        self.left.send_modify(|left| *left += 1);
        Turn { before, left: self.left.clone(), _over: over }
    }

    /// Whether somebody has a turn, or waits for it.
    pub(crate) fn is_wanted(&self) -> bool {
        *self.left.borrow() > 0
    }

    /// Waits until everybody has had their turn.
    pub(crate) async fn over(&self) {
        // The sender lives as long as `self`.
        let _ = self.left.subscribe().wait_for(|left| *left == 0).await;
    }
}

impl Turn {
    /// Waits until those before are through.
    pub(crate) async fn begins(&mut self) {
        if let Some(before) = self.before.take() {
            // Nothing is ever sent: the other end is dropped.
            let _ = before.await;
        }
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        self.left.send_modify(|left| *left -= 1);
    }
}
