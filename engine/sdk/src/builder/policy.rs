//! Policies: when attempts are made again, and what holds for steps that do not say otherwise.

use engine_core::format;
use serde_json::Number;

/// When an attempt is made again. Times are texts as in a workflow file: `"200ms"`, `"10s"`, `"1h30m"`. What is not
/// said comes from [`Defaults`]; else there are 4 attempts, after 200 ms, 400 ms, … up to 10 s, spread at random,
/// within 2 minutes.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Retry(pub(super) format::Retry);

impl Retry {
    /// So many attempts in all; everything else as by default.
    pub fn attempts(max_attempts: u32) -> Self {
        Self::default().max_attempts(max_attempts)
    }

    /// One attempt: the step runs at most once. Where a crash cuts it off, it is not made again, and counts as unknown.
    pub fn never() -> Self {
        Self::attempts(1)
    }

    /// So many attempts in all, with a delay that doubles each time.
    pub fn exponential(max_attempts: u32, initial: &str) -> Self {
        Self::attempts(max_attempts).initial(initial).factor(2.0)
    }

    /// So many attempts in all, with the same delay between them, not spread at random.
    pub fn fixed(max_attempts: u32, delay: &str) -> Self {
        Self::attempts(max_attempts).initial(delay).factor(1.0).max_interval(delay).no_jitter()
    }

    /// An attempt after each of these delays, besides the first; 100 delays at most. Neither the usual four attempts nor
    /// the usual two minutes cut the list off.
    pub fn intervals<D: Into<String>>(delays: impl IntoIterator<Item = D>) -> Self {
        let intervals = Some(delays.into_iter().map(Into::into).collect());
        Self(format::Retry { intervals, ..format::Retry::default() })
    }

    /// Attempts in all, from 1 to 100,000.
    pub fn max_attempts(mut self, max_attempts: u32) -> Self {
        self.0.max_attempts = Some(max_attempts);
        self
    }

    /// The delay before the second attempt; else 200 ms.
    pub fn initial(mut self, delay: &str) -> Self {
        self.0.initial = Some(delay.to_owned());
        self
    }

    /// What each delay is multiplied with to give the next, from 1 to 1,000.
    pub fn factor(mut self, factor: f64) -> Self {
        self.0.factor = Some(number(factor));
        self
    }

    /// The longest delay; else 10 s.
    pub fn max_interval(mut self, delay: &str) -> Self {
        self.0.max_interval = Some(delay.to_owned());
        self
    }

    /// The most that attempts and delays may take together; else 2 minutes.
    pub fn max_elapsed(mut self, span: &str) -> Self {
        self.0.max_elapsed = Some(span.to_owned());
        self
    }

    /// Delays are spread at random between nothing and the whole delay.
    pub fn jitter(mut self) -> Self {
        self.0.jitter = Some(format::Jitter::Full);
        self
    }

    /// Delays are not spread at random.
    pub fn no_jitter(mut self) -> Self {
        self.0.jitter = Some(format::Jitter::None);
        self
    }
}

/// The number as a file would have it: `2`, not `2.0`.
fn number(factor: f64) -> Number {
    let whole = format!("{factor}").parse::<u64>().ok().map(Number::from);
    // What is no number is none that a factor can be, either.
    whole.or_else(|| Number::from_f64(factor)).unwrap_or_else(|| Number::from(0))
}

/// What holds for steps that do not say otherwise.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Defaults(pub(super) format::Defaults);

impl Defaults {
    /// Nothing said yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// The timeout of one attempt where neither the step nor its service names one; else 60 s.
    pub fn timeout(mut self, span: &str) -> Self {
        self.0.timeout = Some(span.to_owned());
        self
    }

    /// When a step is tried again.
    pub fn retry(mut self, retry: Retry) -> Self {
        self.0.retry = Some(retry.0);
        self
    }

    /// When a compensation is tried again; unless this says otherwise, 60 times up to 5 minutes apart.
    pub fn compensation_retry(mut self, retry: Retry) -> Self {
        self.0.compensation_retry = Some(retry.0);
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn policies_are_written_as_in_a_file() {
        let json = |retry: Retry| serde_json::to_string(&retry.0).unwrap();
        assert_eq!(json(Retry::exponential(4, "200ms")), r#"{"max_attempts":4,"initial":"200ms","factor":2}"#);
        assert_eq!(
            json(Retry::fixed(3, "1m")),
            r#"{"max_attempts":3,"initial":"1m","factor":1,"max_interval":"1m","jitter":"none"}"#
        );
        assert_eq!(
            json(Retry::intervals(["1s", "1m"]).max_elapsed("1h").jitter()),
            r#"{"intervals":["1s","1m"],"jitter":"full","max_elapsed":"1h"}"#
        );
        assert_eq!(json(Retry::never().factor(1.5)), r#"{"max_attempts":1,"factor":1.5}"#);
        assert_eq!(json(Retry::default().factor(f64::NAN)), r#"{"factor":0}"#);
    }
}
