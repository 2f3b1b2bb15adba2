//! The life of one simulated process.

use std::sync::Arc;

use tokio::sync::watch;

/// The life of one simulated process. Once it is over, nothing that the process does reaches anybody.
#[derive(Clone, Debug)]
pub struct Life {
    over: Arc<watch::Sender<bool>>,
}

impl Default for Life {
    fn default() -> Self {
        Self::new()
    }
}

impl Life {
    /// A process that lives.
    pub fn new() -> Self {
        Self { over: Arc::new(watch::Sender::new(false)) }
    }

    /// Ends the process, at this very point.
    pub fn end(&self) {
        self.over.send_replace(true);
    }

    /// Whether it is over.
    pub fn is_over(&self) -> bool {
        *self.over.borrow()
    }

    /// Returns once it is over.
    pub async fn over(&self) {
        let mut over = self.over.subscribe();
        // The sender lives as long as `self`, so this can't fail.
        let _ = over.wait_for(|over| *over).await;
    }

    /// Goes on while the process lives; never returns once it is over.
    pub(crate) async fn go_on(&self) {
        if self.is_over() {
            std::future::pending::<()>().await;
        }
    }
}
