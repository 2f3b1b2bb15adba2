//! How many bytes of payloads are in memory at a time.
//!
//! There are three budgets, so that nobody waits for room that is held by somebody who waits for him: bodies on their
//! way out, answers from the moment they are read until their turn is durable, and what turns work on. The rules:
//!
//! 1. Who holds nothing waits at the door until there is room for all that it needs.
//! 2. Who holds something and needs more takes what is free, else the one overdraft of the budget. Who has the
//!    overdraft waits for nothing in this budget any more.
//! 3. Answers wait for no bodies, turns for neither: bodies are released by the network, answers by turns, and turns
//!    by the store.
//!
//! A payload that is larger than a budget goes alone. A small one ([`bounds::SMALL_PAYLOAD`]) is not counted.

use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::bounds;

/// The budgets of one process.
#[derive(Clone, Debug)]
pub(crate) struct PayloadMemory {
    /// Bodies of requests, until they are sent.
    pub(crate) sending: Budget,
    /// Answers, until what they say is durable.
    pub(crate) answers: Budget,
    /// What turns work on. They make several times as much of it while they do.
    pub(crate) deciding: Budget,
}

impl PayloadMemory {
    /// Budgets of so many bytes together.
    pub(crate) fn new(bytes: usize) -> Self {
        let quarter = bytes / 4;
        Self { sending: Budget::new(quarter), answers: Budget::new(2 * quarter), deciding: Budget::new(quarter) }
    }

    /// Room for the answer to one request.
    pub(crate) fn answer(&self) -> AnswerRoom {
        AnswerRoom(Some(Arc::new(Mutex::new(Some(self.answers.lease())))))
    }
}

/// So many bytes, for whoever comes first.
#[derive(Clone, Debug)]
pub(crate) struct Budget {
    room: Arc<Semaphore>,
    overdraft: Arc<Semaphore>,
    bytes: u32,
}

impl Budget {
    fn new(bytes: usize) -> Self {
        let bytes = u32::try_from(bytes).unwrap_or(u32::MAX).max(1);
        Self { room: Arc::new(Semaphore::new(bytes as usize)), overdraft: Arc::new(Semaphore::new(1)), bytes }
    }

    /// A lease of nothing so far.
    pub(crate) fn lease(&self) -> Lease {
        Lease { budget: self.clone(), room: None, overdraft: None }
    }
}

/// A part of a budget, given back when it is dropped.
#[derive(Debug)]
pub(crate) struct Lease {
    budget: Budget,
    room: Option<OwnedSemaphorePermit>,
    overdraft: Option<OwnedSemaphorePermit>,
}

impl Lease {
    /// Waits until the lease covers so many bytes in all. Dropping the future leaves it as it was.
    ///
    /// The semaphores are never closed; should one be, things just go on without room.
    pub(crate) async fn cover(&mut self, bytes: usize) {
        if bytes <= bounds::SMALL_PAYLOAD || self.overdraft.is_some() {
            return;
        }
        let wanted = u32::try_from(bytes).unwrap_or(u32::MAX);
        let Budget { room, overdraft, bytes: all } = &self.budget;
        let Some(held) = &mut self.room else {
            self.room = room.clone().acquire_many_owned(wanted.min(*all)).await.ok();
            return;
        };
        let more = wanted.saturating_sub(u32::try_from(held.num_permits()).unwrap_or(u32::MAX));
        match room.clone().try_acquire_many_owned(more) {
            Ok(more) => held.merge(more),
            Err(_) if wanted > *all && held.num_permits() == *all as usize => {}
            Err(_) => self.overdraft = overdraft.clone().acquire_owned().await.ok(),
        }
    }
}

/// Room for an answer. A [`Transport`](crate::Transport) that reads large answers asks for it before it reads;
/// clones are one room.
#[derive(Clone, Debug, Default)]
pub struct AnswerRoom(Option<Arc<Mutex<Option<Lease>>>>);

impl AnswerRoom {
    /// Waits until there is room for an answer of so many bytes in all; the default has room for any. The wait is no
    /// part of the request's timeout: the callee can't help it.
    pub async fn cover(&self, bytes: usize) {
        if let Some(mut lease) = self.take() {
            lease.cover(bytes).await;
            if let Some(shared) = &self.0 {
                *shared.lock().unwrap_or_else(PoisonError::into_inner) = Some(lease);
            }
        }
    }

    /// The room that was taken, which then is no longer given back with this.
    pub(crate) fn take(&self) -> Option<Lease> {
        self.0.as_ref()?.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

/// A body on its way out: it gives its room back once the last of its bytes has been handed to the network.
pub(crate) struct Outgoing {
    pub(crate) bytes: Arc<[u8]>,
    pub(crate) _room: Lease,
}

impl AsRef<[u8]> for Outgoing {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::time::Duration;

    use super::*;

    const SOON: Duration = Duration::from_secs(30);
    const ALL: usize = 1 << 20;

    /// How many bytes a lease may count as, at most.
    fn held(lease: &Lease) -> usize {
        lease.room.as_ref().map_or(0, OwnedSemaphorePermit::num_permits)
    }

    #[tokio::test]
    async fn many_large_ones_and_one_larger_than_all_get_through() {
        let (budget, in_use) = (Budget::new(ALL), Arc::new(AtomicUsize::new(0)));
        let work = (0..60).map(|number| {
            let (budget, in_use) = (budget.clone(), in_use.clone());
            tokio::spawn(async move {
                let mut lease = budget.lease();
                lease.cover(if number == 20 { 4 * ALL } else { 50_000 + 9_000 * number }).await;
                for more in 1..4 {
                    let now = in_use.fetch_add(held(&lease), Ordering::SeqCst) + held(&lease);
                    assert!(now <= ALL, "{now} bytes at once");
                    tokio::task::yield_now().await;
                    in_use.fetch_sub(held(&lease), Ordering::SeqCst);
                    // Half of them find out on the way that they are larger.
                    if number % 2 == 0 {
                        lease.cover(more * ALL / 3).await;
                    }
                }
            })
        });
        let all = async {
            for each in work.collect::<Vec<_>>() {
                each.await.unwrap();
            }
        };
        tokio::time::timeout(SOON, all).await.expect("nobody waits for ever");
        assert_eq!((budget.room.available_permits(), budget.overdraft.available_permits()), (ALL, 1));
    }

    #[tokio::test]
    async fn two_that_hold_all_and_need_more_go_one_after_the_other() {
        let budget = Budget::new(ALL);
        let (mut one, mut other) = (budget.lease(), budget.lease());
        one.cover(ALL / 2).await;
        other.cover(ALL / 2).await;
        one.cover(ALL).await;
        let waits = async {
            other.cover(ALL).await;
            other
        };
        tokio::pin!(waits);
        tokio::select! {
            biased;
            _ = &mut waits => panic!("both at once"),
            () = std::future::ready(()) => {}
        }
        one.cover(8 * ALL).await;
        drop(one);
        drop(tokio::time::timeout(SOON, waits).await.expect("the first one is through"));
        assert_eq!((budget.room.available_permits(), budget.overdraft.available_permits()), (ALL, 1));
    }

    #[tokio::test]
    async fn who_gives_up_waiting_holds_nothing() {
        let budget = Budget::new(ALL);
        let mut first = budget.lease();
        first.cover(ALL / 2).await;
        let mut second = budget.lease();
        assert!(tokio::time::timeout(Duration::ZERO, second.cover(ALL)).await.is_err());
        assert_eq!((held(&second), budget.room.available_permits()), (0, ALL / 2));
        let mut small = budget.lease();
        small.cover(bounds::SMALL_PAYLOAD).await;
        assert_eq!(held(&small), 0, "small ones are not counted");
        drop(first);
        second.cover(ALL).await;
        assert_eq!(held(&second), ALL);
    }
}
