//! What the servers, the timer and the owner of the mocks have in common.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use tokio::sync::Notify;

use crate::catalogue::Service;
use crate::desk::Desk;

/// How long the timer waits before it tries a journal again that could not be written.
const TRY_AGAIN: Duration = Duration::from_millis(100);

/// One desk for all six services.
#[derive(Debug)]
pub(crate) struct Shared {
    desk: Mutex<Desk>,
    /// Wakes the timer: there may be an earlier late effect, or the end.
    timer: Condvar,
    /// Wakes the door keeper: a service may have to open or close.
    pub(crate) doors: Notify,
    pub(crate) addresses: BTreeMap<Service, SocketAddr>,
    open: BTreeMap<Service, AtomicBool>,
}

impl Shared {
    pub(crate) fn new(desk: Desk, addresses: BTreeMap<Service, SocketAddr>) -> Arc<Shared> {
        Arc::new(Shared {
            desk: Mutex::new(desk),
            timer: Condvar::new(),
            doors: Notify::new(),
            addresses,
            open: Service::ALL.map(|service| (service, AtomicBool::new(false))).into(),
        })
    }

    /// The desk. A panic elsewhere leaves it as it was: every change is made by one `apply`.
    pub(crate) fn desk(&self) -> MutexGuard<'_, Desk> {
        self.desk.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn wake_timer(&self) {
        self.timer.notify_all();
    }

    pub(crate) fn url(&self, service: Service) -> Option<String> {
        self.addresses.get(&service).map(|address| format!("http://{address}"))
    }

    pub(crate) fn set_open(&self, service: Service, open: bool) {
        if let Some(flag) = self.open.get(&service) {
            flag.store(open, Ordering::Release);
        }
    }

    pub(crate) fn is_open(&self, service: Service) -> bool {
        self.open.get(&service).is_some_and(|flag| flag.load(Ordering::Acquire))
    }

    /// Carries out late effects when they are due. Runs on a thread of its own until the end, so
    /// that it depends on nobody's runtime.
    pub(crate) fn run_timer(&self) {
        let mut desk = self.desk();
        while !desk.is_closed() {
            let failed = desk.settle(now()).is_err();
            let wait = match desk.next_due() {
                _ if failed => Some(TRY_AGAIN),
                Some(due) => Some(Duration::from_millis(due.saturating_sub(now()).max(1))),
                None => None,
            };
            desk = match wait {
                Some(wait) => self.timer.wait_timeout(desk, wait).unwrap_or_else(PoisonError::into_inner).0,
                None => self.timer.wait(desk).unwrap_or_else(PoisonError::into_inner),
            };
        }
    }
}

/// Milliseconds since 1970.
pub(crate) fn now() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}
