//! A network on which a test holds answers back: a run stays in the phase that the test wants to look at.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, OnceLock};

use async_trait::async_trait;
use engine_core::machine::AttemptOutcome;
use engine_runtime::{Options, Request, Transport};
use tokio::sync::watch;

use crate::world::answer;

/// Services that answer 200, or as told, once the test lets them.
#[derive(Default)]
pub(crate) struct Stage {
    statuses: Mutex<BTreeMap<String, u16>>,
    held: watch::Sender<BTreeSet<String>>,
    sent: watch::Sender<Vec<String>>,
}

impl Stage {
    pub(crate) fn new() -> Arc<Self> {
        Arc::default()
    }

    /// What a path answers from now on.
    pub(crate) fn answers(&self, path: &str, status: u16) {
        self.statuses.lock().unwrap().insert(path.to_owned(), status);
    }

    /// A path answers no more until it is released.
    pub(crate) fn hold(&self, path: &str) {
        self.held.send_modify(|held| {
            held.insert(path.to_owned());
        });
    }

    pub(crate) fn release(&self, path: &str) {
        self.held.send_modify(|held| {
            held.remove(path);
        });
    }

    pub(crate) fn release_all(&self) {
        self.held.send_modify(BTreeSet::clear);
    }

    /// Waits until all of these were asked for.
    pub(crate) async fn asked(&self, paths: &[&str]) {
        let mut sent = self.sent.subscribe();
        sent.wait_for(|sent| paths.iter().all(|path| sent.iter().any(|own| own == path))).await.unwrap();
    }

    /// Waits until this was asked for so often.
    pub(crate) async fn asked_times(&self, path: &str, times: usize) {
        let mut sent = self.sent.subscribe();
        sent.wait_for(|sent| sent.iter().filter(|own| *own == path).count() >= times).await.unwrap();
    }

    /// How often a path was asked for.
    pub(crate) fn times(&self, path: &str) -> usize {
        self.sent.borrow().iter().filter(|own| *own == path).count()
    }

    pub(crate) fn options(self: &Arc<Self>) -> Options {
        // Making an HTTP client that nobody uses takes a while.
        static SYSTEM: OnceLock<Options> = OnceLock::new();
        let mut options = SYSTEM.get_or_init(|| Options::system().unwrap()).clone();
        options.transport = self.clone();
        options
    }
}

#[async_trait]
impl Transport for Stage {
    async fn send(&self, request: Request) -> AttemptOutcome {
        let path = request.url.split("test").nth(1).unwrap_or_default().to_owned();
        self.sent.send_modify(|sent| sent.push(path.clone()));
        let mut held = self.held.subscribe();
        // The stage outlives its requests.
        let _ = held.wait_for(|held| !held.contains(&path)).await;
        let status = self.statuses.lock().unwrap().get(&path).copied().unwrap_or(200);
        answer(status, r#"{"ok":true}"#)
    }
}
