//! Time that moves when it is told to, or when nothing else can move.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use engine_core::time::Timestamp;
use engine_runtime::Clock;
use tokio::runtime::Builder;
use tokio::sync::oneshot;

use crate::life::Life;

/// A clock that a test owns.
///
/// It moves when it is told to ([`SimClock::advance`]). Where it drives a runtime ([`SimClock::drive`]) it also moves
/// by itself: whenever no task of the runtime can go on, it jumps to the next sleeper's time. Sleepers wake in the
/// order of their times, those of the same time in the order in which they came.
///
/// Only for runtimes without sockets and other threads: while an answer is on its way over a socket, a runtime looks
/// as if nothing could move.
#[derive(Debug)]
pub struct SimClock {
    state: Mutex<State>,
}

/// Where a sleeper stands in line: by time, then by arrival.
type Place = (Timestamp, u64);

#[derive(Debug, Default)]
struct State {
    now: Timestamp,
    /// It does not jump beyond this.
    limit: Option<Timestamp>,
    arrivals: u64,
    sleepers: BTreeMap<Place, oneshot::Sender<()>>,
    /// Who waits for the moment when nothing can move any more; the last to come is told first.
    stalled: Vec<oneshot::Sender<()>>,
}

impl SimClock {
    /// A clock that stands at this time.
    pub fn starting_at(now: Timestamp) -> Self {
        Self { state: Mutex::new(State { now, ..State::default() }) }
    }

    /// It does not jump beyond this time: who sleeps longer does not move. Without a limit, a run that tries again
    /// without end goes on without end.
    pub fn limit(&self, at: Timestamp) {
        self.lock().limit = Some(at);
    }

    /// Whether somebody sleeps beyond the limit.
    pub fn has_reached_limit(&self) -> bool {
        let state = self.lock();
        !state.sleepers.is_empty() && state.next().is_none()
    }

    /// Lets this much time pass at once; who is due wakes, in order.
    pub fn advance(&self, span: Duration) {
        let to = self.lock().now.after(span);
        self.raise_to(to);
    }

    /// Makes the clock jump whenever the runtime that is built by this has nothing else to do, while `life` lasts.
    ///
    /// The runtime must be of the current thread, without timers of its own.
    pub fn drive(self: &Arc<Self>, builder: &mut Builder, life: &Life) {
        let (clock, life) = (Arc::clone(self), life.clone());
        builder.on_thread_park(move || {
            // The task that waits for the end of a life may have been woken, and not yet have seen it.
            if !life.is_over() {
                clock.jump();
            }
        });
    }

    /// Jumps to the time of the next sleeper and wakes all of that time. Where nobody sleeps, or only beyond the limit,
    /// nothing can move: whoever waits for that is told, the last to come first.
    pub fn jump(&self) {
        let mut state = self.lock();
        let Some(due) = state.next() else {
            // Who no longer waits is passed over.
            while let Some(waiting) = state.stalled.pop() {
                if !waiting.is_closed() {
                    drop(state);
                    let _ = waiting.send(());
                    return;
                }
            }
            return;
        };
        drop(state);
        self.raise_to(due);
    }

    /// Returns when nothing can move any more: no task can go on, and nobody sleeps.
    pub async fn stalled(&self) {
        let (tell, told) = oneshot::channel();
        self.lock().stalled.push(tell);
        // The clock lives as long as `self`.
        let _ = told.await;
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// The time of the next sleeper, within the limit.
    fn next(&self) -> Option<Timestamp> {
        let ((due, _), _) = self.sleepers.first_key_value()?;
        self.limit.is_none_or(|limit| *due <= limit).then_some(*due)
    }

    /// Those whose time has come, in order.
    fn due(&mut self) -> Vec<oneshot::Sender<()>> {
        let later = self.sleepers.split_off(&(self.now, u64::MAX));
        std::mem::replace(&mut self.sleepers, later).into_values().collect()
    }
}

#[async_trait]
impl Clock for SimClock {
    fn now(&self) -> Timestamp {
        self.lock().now
    }

    fn raise_to(&self, at: Timestamp) {
        let mut state = self.lock();
        state.now = state.now.max(at);
        let due = state.due();
        drop(state);
        for sleeper in due {
            // A sleeper that is gone need not be woken.
            let _ = sleeper.send(());
        }
    }

    async fn sleep_until(&self, at: Timestamp) {
        let (_sleeper, woken) = {
            let mut state = self.lock();
            if at <= state.now {
                return;
            }
            let (wake, woken) = oneshot::channel();
            let place = (at, state.arrivals);
            state.arrivals += 1;
            state.sleepers.insert(place, wake);
            (Sleeper { clock: self, place }, woken)
        };
        // The clock lives as long as `self`.
        let _ = woken.await;
    }
}

/// Leaves the line when its sleep is dropped.
struct Sleeper<'a> {
    clock: &'a SimClock,
    place: Place,
}

impl Drop for Sleeper<'_> {
    fn drop(&mut self) {
        self.clock.lock().sleepers.remove(&self.place);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run<T>(clock: &Arc<SimClock>, future: impl Future<Output = T>) -> T {
        let mut builder = Builder::new_current_thread();
        clock.drive(&mut builder, &Life::new());
        builder.build().unwrap().block_on(future)
    }

    fn at(millis: u64) -> Timestamp {
        Timestamp::from_millis(millis)
    }

    #[test]
    fn time_jumps_from_sleeper_to_sleeper_in_order() {
        let clock = Arc::new(SimClock::starting_at(at(1_000)));
        let woken = Arc::new(Mutex::new(Vec::new()));
        run(&clock, async {
            let sleeps = [("c", 3_000), ("a", 2_000), ("past", 500), ("b", 2_000)].map(|(name, due)| {
                let (clock, woken) = (clock.clone(), woken.clone());
                tokio::spawn(async move {
                    clock.sleep_until(at(due)).await;
                    woken.lock().unwrap().push((name, clock.now().millis()));
                })
            });
            for sleep in sleeps {
                sleep.await.unwrap();
            }
        });
        assert_eq!(*woken.lock().unwrap(), [("past", 1_000), ("a", 2_000), ("b", 2_000), ("c", 3_000)]);
    }

    #[test]
    fn a_sleep_that_is_dropped_holds_nothing_up() {
        let clock = Arc::new(SimClock::starting_at(at(0)));
        run(&clock, async {
            tokio::select! {
                biased;
                () = clock.sleep_until(at(9_000)) => {}
                () = clock.sleep_until(at(10)) => {}
            }
            clock.stalled().await;
        });
        assert_eq!(clock.now(), at(10));
    }

    #[test]
    fn who_came_last_is_told_first_that_nothing_moves() {
        let clock = Arc::new(SimClock::starting_at(at(0)));
        run(&clock, async {
            let outer = clock.clone();
            let outer = tokio::spawn(async move { outer.stalled().await });
            tokio::task::yield_now().await;
            let inner = clock.clone();
            tokio::spawn(async move { inner.stalled().await }).await.unwrap();
            assert!(!outer.is_finished());
        });
    }
}
