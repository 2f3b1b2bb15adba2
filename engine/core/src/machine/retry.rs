//! When an attempt is made again: a pure function of policy, history and time.

use std::time::Duration;

use crate::bounds;
use crate::definition::{Jitter, RetryPolicy};
use crate::id::{Digest, Name, RunId};
use crate::state::Tries;
use crate::time::Timestamp;

/// What an attempt's end says about another one.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Again {
    /// It would end the same way.
    No,
    /// It may end better.
    Yes {
        /// What the callee asked to wait, by `Retry-After`.
        not_before: Option<Duration>,
    },
    /// The same request is being carried out: ask again at the longest delay, without counting.
    InWork {
        /// What the callee asked to wait, by `Retry-After`.
        not_before: Option<Duration>,
    },
}

/// The circumstances of a failed attempt.
pub(super) struct Moment<'a> {
    pub(super) now: Timestamp,
    /// Whether the budget does not count: after the pivot a run only goes forward.
    pub(super) unlimited: bool,
    /// What makes this attempt different from all others, for its jitter.
    pub(super) seed: (RunId, &'a Name, u32),
}

/// Another attempt.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Retried {
    pub(super) delay: Duration,
    /// By how much the failure counts against `max_attempts`.
    pub(super) count: u32,
}

/// After so many failures of one step the delays of an unlimited retry grow to [`SLOWEST`].
const PATIENCE: u32 = 100;
const SLOWEST: Duration = Duration::from_mins(5);

/// Whether and when the attempt is made again. `None` where it may not be, or the budget is spent.
pub(super) fn next(policy: &RetryPolicy, tries: &Tries, again: &Again, moment: &Moment<'_>) -> Option<Retried> {
    let (not_before, count) = match again {
        Again::No => return None,
        Again::Yes { not_before } => (not_before, 1),
        Again::InWork { not_before } => (not_before, 0),
    };
    let at_most_once = policy.max_attempts <= 1;
    let attempts_spent = count > 0 && tries.failures.saturating_add(count) >= policy.max_attempts;
    let planned = if count == 0 || (moment.unlimited && attempts_spent) {
        longest(policy, tries)
    } else {
        jittered(policy.jitter, backoff(policy, tries.failures), moment.seed)
    };
    let asked = not_before.unwrap_or_default().min(Duration::from_millis(bounds::RETRY_AFTER_MS));
    let delay = planned.max(asked);
    if moment.unlimited && !at_most_once {
        return Some(Retried { delay, count });
    }
    let spent = tries.spent.saturating_add(moment.now.since(tries.since)).saturating_add(delay);
    let time_spent = policy.max_elapsed.is_some_and(|most| spent > most);
    (!at_most_once && !attempts_spent && !time_spent).then_some(Retried { delay, count })
}

fn longest(policy: &RetryPolicy, tries: &Tries) -> Duration {
    if tries.failures >= PATIENCE { policy.longest().max(SLOWEST) } else { policy.longest() }
}

/// The delay after this many earlier failures: as listed, or initial × factor^failures, up to the longest.
fn backoff(policy: &RetryPolicy, failures: u32) -> Duration {
    let listed = policy.intervals.get(failures as usize).or(policy.intervals.last());
    if let Some(listed) = listed {
        return *listed;
    }
    let longest = policy.max_interval.as_secs_f64();
    let exponent = i32::try_from(failures).unwrap_or(i32::MAX);
    let seconds = policy.initial.as_secs_f64() * policy.factor.powi(exponent);
    // Also takes in what is no number: zero times infinity.
    if seconds < longest { Duration::from_secs_f64(seconds) } else { policy.max_interval }
}

/// Spreads a delay over runs, evenly. Not by a random source: the same attempt always waits the same time.
fn jittered(jitter: Jitter, delay: Duration, (run, step, attempt): (RunId, &Name, u32)) -> Duration {
    match jitter {
        Jitter::None => delay,
        Jitter::Full => {
            let digest = Digest::of(format!("jitter/{run}/{step}/{attempt}").as_bytes());
            let [a, b, ..] = *digest.as_bytes();
            delay.mul_f64(f64::from(u16::from_be_bytes([a, b])) / f64::from(u16::MAX))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::id::Seq;

    fn policy() -> RetryPolicy {
        RetryPolicy { jitter: Jitter::None, ..RetryPolicy::FORWARD }
    }

    fn tries(failures: u32, spent_ms: u64) -> Tries {
        Tries {
            attempt: failures + 1,
            failures,
            spent: Duration::from_millis(spent_ms),
            since: Timestamp::from_millis(1_000),
            call: Some(Seq(2)),
            checkpoint: None,
            epoch: 0,
        }
    }

    fn ask(policy: &RetryPolicy, tries: &Tries, again: Again, unlimited: bool) -> Option<(u64, u32)> {
        let name = Name::new("charge");
        let run = RunId::from_bytes([7; 16]);
        let moment = Moment { now: Timestamp::from_millis(1_500), unlimited, seed: (run, &name, tries.attempt) };
        next(policy, tries, &again, &moment).map(|next| (crate::time::millis(next.delay), next.count))
    }

    const YES: Again = Again::Yes { not_before: None };

    #[test]
    fn delays_double_until_the_attempts_are_spent() {
        let delays: Vec<_> = (0..4).map(|failures| ask(&policy(), &tries(failures, 0), YES, false)).collect();
        assert_eq!(delays, [Some((200, 1)), Some((400, 1)), Some((800, 1)), None]);
    }

    #[test]
    fn listed_delays_are_taken_in_their_order() {
        let intervals: Vec<_> = [300, 100, 200].map(Duration::from_millis).into();
        let policy = RetryPolicy { intervals, ..policy() };
        let delays = |policy: &RetryPolicy| -> Vec<_> {
            (0..5).map(|failures| ask(policy, &tries(failures, 0), YES, false)).collect()
        };
        assert_eq!(delays(&policy), [Some((300, 1)), Some((100, 1)), Some((200, 1)), None, None]);
        let longer = RetryPolicy { max_attempts: 5, ..policy.clone() };
        assert_eq!(delays(&longer), [Some((300, 1)), Some((100, 1)), Some((200, 1)), Some((200, 1)), None]);
        let in_work = Again::InWork { not_before: None };
        assert_eq!(ask(&policy, &tries(0, 0), in_work, false), Some((300, 0)), "the longest");
    }

    #[test]
    fn delays_stay_below_the_longest() {
        let policy = RetryPolicy { max_attempts: 1_000, max_elapsed: None, ..policy() };
        for failures in [6, 60, 900] {
            assert_eq!(ask(&policy, &tries(failures, 0), YES, false), Some((10_000, 1)));
        }
    }

    #[test]
    fn elapsed_time_counts_attempts_and_delays() {
        // 119,000 spent + 500 of this attempt + 400 of delay: within two minutes.
        assert_eq!(ask(&policy(), &tries(1, 119_000), YES, false), Some((400, 1)));
        assert_eq!(ask(&policy(), &tries(1, 119_200), YES, false), None);
    }

    #[test]
    fn what_the_callee_asks_is_honoured_up_to_an_hour() {
        let asked = |seconds| Again::Yes { not_before: Some(Duration::from_secs(seconds)) };
        assert_eq!(ask(&policy(), &tries(0, 0), asked(1), false), Some((1_000, 1)));
        let patient = RetryPolicy { max_elapsed: None, ..policy() };
        assert_eq!(ask(&patient, &tries(0, 0), asked(100_000), false), Some((3_600_000, 1)));
    }

    #[test]
    fn a_request_in_work_does_not_count() {
        let in_work = Again::InWork { not_before: None };
        assert_eq!(ask(&policy(), &tries(3, 0), in_work, false), Some((10_000, 0)));
        assert_eq!(ask(&policy(), &tries(3, 115_000), in_work, false), None);
    }

    #[test]
    fn at_most_once_is_never_tried_again() {
        let once = RetryPolicy { max_attempts: 1, ..policy() };
        assert_eq!(ask(&once, &tries(0, 0), YES, false), None);
        assert_eq!(ask(&once, &tries(0, 0), Again::InWork { not_before: None }, false), None);
        assert_eq!(ask(&once, &tries(0, 0), YES, true), None);
    }

    #[test]
    fn after_the_pivot_there_is_no_end() {
        assert_eq!(ask(&policy(), &tries(3, 0), YES, true), Some((10_000, 1)));
        assert_eq!(ask(&policy(), &tries(100, 0), YES, true), Some((300_000, 1)));
        assert_eq!(ask(&policy(), &tries(3, 0), Again::No, true), None);
    }

    #[test]
    fn jitter_spreads_and_repeats() {
        let policy = RetryPolicy::FORWARD;
        let name = Name::new("charge");
        let delay = |run: u8| {
            let seed = (RunId::from_bytes([run; 16]), &name, 1);
            let moment = Moment { now: Timestamp::from_millis(1_500), unlimited: false, seed };
            next(&policy, &tries(0, 0), &YES, &moment).unwrap().delay
        };
        assert_eq!(delay(1), delay(1));
        let delays: std::collections::BTreeSet<_> = (0..50).map(delay).collect();
        assert!(delays.len() > 40 && delays.iter().all(|delay| *delay <= Duration::from_millis(200)));
    }
}
