//! Dormant runs: those that only wait are nowhere but in the store, and are taken up when their time comes.
//!
//! What is kept of one in memory is when it is due. One task takes up whatever is due, some runs at a time.

use engine_core::id::RunId;
use engine_core::time::Timestamp;
use engine_store::{Class, StoreError, TimerClock};
use tokio::task::JoinSet;

use crate::bounds;
use crate::driven::Drove;
use crate::engine::Engine;
use crate::error::DriveError;
use crate::read;
use crate::run::{Broken, RunTask};

impl Engine {
    /// Goes on with all runs that are open, and drives them from now on: returns once they are known. Those that have
    /// something to do are taken up one after the other, many at a time; the others once their time comes, or somebody
    /// asks for them.
    ///
    /// Runs that the process may have died of, again and again, begin at once and alone, as with
    /// [`Engine::recover`]. So call this before anything is driven.
    pub async fn go_on(&self) -> Result<(), StoreError> {
        self.take_up_suspects().await;
        let at_once = Some(Timestamp::default());
        for (class, due) in [
            (Class::InFlight, at_once),
            // Tried again whenever a process starts.
            (Class::Stuck, at_once),
        ] {
            self.driven().enter_dormant(read::runs_of(&**self.store(), class).await?.into_iter().map(|run| (run, due)));
        }
        self.driven().enter_dormant(self.runs_with_inbox().await?.into_iter().map(|run| (run, at_once)));
        for class in [Class::Dormant, Class::Paused] {
            let runs = read::runs_of(&**self.store(), class).await?;
            self.driven().enter_dormant(runs.into_iter().map(|run| (run, None)));
        }
        self.enter_timers().await?;
        self.wake_dormant();
        Ok(())
    }

    async fn enter_timers(&self) -> Result<(), StoreError> {
        let (end, mut cursor) = (Timestamp::from_millis(u64::MAX), None);
        loop {
            let page = self.store().due_timers(TimerClock::Engine, end, cursor, bounds::LISTED_RUNS).await?;
            self.driven().bring_forward(page.items.into_iter().map(|timer| (timer.run, timer.due)));
            cursor = page.next;
            if cursor.is_none() {
                return Ok(());
            }
        }
    }

    /// Drives a run by its task until the run ends, breaks, or is laid down.
    pub(crate) async fn drive_by(&self, run: RunId, task: &mut RunTask) -> Result<Drove, Broken> {
        loop {
            let drove = task.drive().await?;
            if self.is_over(run, drove) {
                return Ok(drove);
            }
        }
    }

    /// Whether the task is over that drove the run so far: not, where somebody follows it just now.
    pub(crate) fn is_over(&self, run: RunId, drove: Drove) -> bool {
        let Drove::UntilDormant(due) = drove else { return true };
        let is_over = self.driven().lay_down(run, due);
        if is_over {
            self.wake_dormant();
        }
        is_over
    }

    /// Sees to it that dormant runs are taken up when they are due.
    fn wake_dormant(&self) {
        if self.driven().is_first_to_wake() {
            tokio::spawn(self.clone().take_up_when_due());
        }
    }

    async fn take_up_when_due(self) {
        let mut taken_up = JoinSet::new();
        loop {
            while taken_up.len() < bounds::TAKEN_UP
                && let Some(reservation) = self.driven().next_due(self.now())
            {
                let engine = self.clone();
                taken_up.spawn(async move {
                    let run = reservation.run();
                    match engine.take_up(reservation).await {
                        Ok(_) | Err(DriveError::ShuttingDown) => {}
                        // It is shown as Stuck, and concerns no other run.
                        Err(error) => tracing::warn!(%run, %error, "a run could not be taken up"),
                    }
                });
            }
            let next = self.driven().next_time().filter(|_| taken_up.len() < bounds::TAKEN_UP);
            tokio::select! {
                biased;
                () = self.stopped() => return,
                Some(_) = taken_up.join_next() => {}
                () = self.driven().earlier() => {}
                () = self.options().clock.sleep_until(next.unwrap_or_default()), if next.is_some() => {}
            }
        }
    }
}
