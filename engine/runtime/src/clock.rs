//! Engine time: starts at the wall clock's time and then runs monotonically.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant, SystemTime};

use async_trait::async_trait;
use engine_core::time::{Timestamp, millis};

/// Where a runtime takes its time from.
#[async_trait]
pub trait Clock: Send + Sync + 'static {
    /// Engine time: never goes back, never jumps.
    fn now(&self) -> Timestamp;

    /// Makes sure that engine time is at least this, as a store remembers it from an earlier process.
    fn raise_to(&self, at: Timestamp);

    /// Returns once engine time has reached this.
    async fn sleep_until(&self, at: Timestamp);
}

/// The machine's clocks.
#[derive(Debug)]
pub struct SystemClock {
    /// Engine time at `started`.
    base: AtomicU64,
    started: Instant,
}

impl SystemClock {
    /// Engine time that begins now, at the wall clock's time.
    pub fn new() -> Self {
        let wall = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        Self::starting_at(Timestamp::from_millis(millis(wall)))
    }

    /// Engine time that begins now, where the wall clock says this.
    pub fn starting_at(wall: Timestamp) -> Self {
        Self { base: AtomicU64::new(wall.millis()), started: Instant::now() }
    }
}

impl Default for SystemClock {
    fn default() -> Self {
        Self::new()
    }
}

#[async_trait]
impl Clock for SystemClock {
    fn now(&self) -> Timestamp {
        Timestamp::from_millis(self.base.load(Ordering::Acquire)).after(self.started.elapsed())
    }

    fn raise_to(&self, at: Timestamp) {
        // Only as far as needed: what has gone by since the start counts.
        let base = at.since(Timestamp::default().after(self.started.elapsed()));
        self.base.fetch_max(millis(base), Ordering::AcqRel);
    }

    async fn sleep_until(&self, at: Timestamp) {
        loop {
            let left = at.since(self.now());
            if left.is_zero() {
                return;
            }
            // A day at most: longer sleeps are beyond what timers have to bear.
            tokio::time::sleep(left.min(Duration::from_hours(24))).await;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: Duration = Duration::from_hours(1);

    #[test]
    fn a_wall_clock_behind_the_watermark_does_not_count() {
        let watermark = Timestamp::from_millis(1_800_000_000_000);
        let clock = SystemClock::starting_at(Timestamp::from_millis(watermark.millis() - millis(HOUR)));
        clock.raise_to(watermark);
        let now = clock.now();
        assert!(now >= watermark && now.since(watermark) < HOUR, "{now:?}");
        clock.raise_to(watermark);
        assert!(clock.now().since(watermark) < HOUR, "engine time never jumps");
    }

    #[test]
    fn a_wall_clock_ahead_of_the_watermark_counts() {
        let wall = Timestamp::from_millis(1_800_000_000_000);
        let clock = SystemClock::starting_at(wall);
        clock.raise_to(Timestamp::from_millis(wall.millis() - millis(HOUR)));
        assert!(clock.now() >= wall && clock.now().since(wall) < HOUR);
    }

    #[test]
    fn the_end_of_time_is_no_overflow() {
        let clock = SystemClock::starting_at(Timestamp::default());
        clock.raise_to(Timestamp::from_millis(u64::MAX));
        assert!(clock.now() <= Timestamp::from_millis(u64::MAX));
    }
}
