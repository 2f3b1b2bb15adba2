//! When an attempt is made again.

use std::time::Duration;

/// How often and how late an attempt is made again.
#[derive(Clone, PartialEq, Debug)]
pub struct RetryPolicy {
    /// Attempts in all, at least 1. With 1 the step runs at most once.
    pub max_attempts: u32,
    /// The delay before the second attempt.
    pub initial: Duration,
    /// What each delay is multiplied with to give the next; at least 1.
    pub factor: f64,
    /// The longest delay.
    pub max_interval: Duration,
    /// Every delay, the last one again and again, instead of delays that grow; empty where they grow.
    pub intervals: Vec<Duration>,
    /// Whether delays are spread at random.
    pub jitter: Jitter,
    /// The most that attempts and delays may take together; downtime of the engine does not count.
    pub max_elapsed: Option<Duration>,
}

/// How delays are spread.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Jitter {
    /// Evenly between nothing and the whole delay.
    Full,
    /// Not at all.
    None,
}

impl RetryPolicy {
    /// What steps do unless the file says otherwise: 4 attempts, 200 ms × 2, 10 s at most, jitter, within 2 min.
    pub const FORWARD: Self = Self {
        max_attempts: 4,
        initial: Duration::from_millis(200),
        factor: 2.0,
        max_interval: Duration::from_secs(10),
        intervals: Vec::new(),
        jitter: Jitter::Full,
        max_elapsed: Some(Duration::from_mins(2)),
    };

    /// What compensations do unless the file says otherwise: patient, 60 attempts up to 5 min apart.
    pub const COMPENSATION: Self = Self {
        max_attempts: 60,
        initial: Duration::from_millis(200),
        factor: 2.0,
        max_interval: Duration::from_mins(5),
        intervals: Vec::new(),
        jitter: Jitter::Full,
        max_elapsed: None,
    };

    /// The longest delay that it knows.
    pub fn longest(&self) -> Duration {
        self.intervals.iter().max().copied().unwrap_or(self.max_interval)
    }
}
