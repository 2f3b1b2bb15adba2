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
        Self { base: AtomicU64::new(millis(wall)), started: Instant::now() }
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
        self.base.fetch_max(at.millis(), Ordering::AcqRel);
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
