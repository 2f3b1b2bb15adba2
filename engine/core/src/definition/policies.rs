//! Policies and timeouts: what the file says, merged key by key over what it says by default.

use std::time::Duration;

use super::check::Checker;
use super::{Jitter, RetryPolicy};
use crate::bounds;
use crate::format;
use crate::time::{DisplayDuration, parse_duration};

/// The timeout of an attempt for which nobody named one.
const TIMEOUT: Duration = Duration::from_mins(1);

/// The most that a delay may grow from one attempt to the next.
const FACTOR: f64 = 1_000.0;

/// What holds for steps that do not say otherwise.
#[derive(Debug)]
pub(super) struct Policies {
    pub(super) forward: RetryPolicy,
    pub(super) compensation: RetryPolicy,
    pub(super) timeout: Option<Duration>,
}

impl Default for Policies {
    fn default() -> Self {
        Self { forward: RetryPolicy::FORWARD, compensation: RetryPolicy::COMPENSATION, timeout: None }
    }
}

impl Checker<'_> {
    pub(super) fn defaults(&mut self) {
        let Some(defaults) = &self.file.defaults else { return };
        let compensation = defaults.compensation_retry.as_ref();
        self.policies = Policies {
            forward: self.policy(&RetryPolicy::FORWARD, defaults.retry.as_ref(), "/defaults/retry"),
            compensation: self.policy(&RetryPolicy::COMPENSATION, compensation, "/defaults/compensation_retry"),
            timeout: self.span(defaults.timeout.as_deref(), "/defaults/timeout"),
        };
    }

    /// The timeout of one attempt: the step's own, else its service's, else the default of the file, else 60 s.
    pub(super) fn timeout(&mut self, own: Option<&str>, service: Option<&str>, pointer: &str) -> Duration {
        let of_service = service.and_then(|name| self.service_timeouts.get(name).copied());
        let own = self.span(own, pointer);
        own.or(of_service).or(self.policies.timeout).unwrap_or(TIMEOUT)
    }

    /// A duration that is not zero.
    pub(super) fn span(&mut self, text: Option<&str>, pointer: &str) -> Option<Duration> {
        match parse_duration(text?) {
            Ok(span) if span.is_zero() => {
                self.findings.add(pointer, "this must be longer than nothing, at least `1ms`");
                None
            }
            Ok(span) => Some(span),
            Err(error) => {
                self.findings.add(pointer, error.to_string());
                None
            }
        }
    }

    /// What the file says here, over `base`.
    pub(super) fn policy(&mut self, base: &RetryPolicy, over: Option<&format::Retry>, pointer: &str) -> RetryPolicy {
        let Some(over) = over else { return base.clone() };
        let mut policy = match &over.intervals {
            Some(intervals) => self.listed(base, over, intervals, pointer),
            None => self.growing(base, over, pointer),
        };
        if let Some(attempts) = over.max_attempts {
            policy.max_attempts = attempts;
            if attempts == 0 || attempts > bounds::MAX_ATTEMPTS {
                let message =
                    format!("attempts are counted from 1 to {}; {attempts} is not among them", bounds::MAX_ATTEMPTS);
                self.findings.add(&format!("{pointer}/max_attempts"), message);
            }
        }
        if let Some(elapsed) = self.span(over.max_elapsed.as_deref(), &format!("{pointer}/max_elapsed")) {
            policy.max_elapsed = Some(elapsed);
        }
        match over.jitter {
            Some(format::Jitter::Full) => policy.jitter = Jitter::Full,
            Some(format::Jitter::None) => policy.jitter = Jitter::None,
            None => {}
        }
        policy
    }

    /// Delays that grow. Who says how replaces a list that `base` has.
    fn growing(&mut self, base: &RetryPolicy, over: &format::Retry, pointer: &str) -> RetryPolicy {
        let mut policy = base.clone();
        let at = |key: &str| format!("{pointer}/{key}");
        if over.initial.is_some() || over.factor.is_some() || over.max_interval.is_some() {
            policy.intervals.clear();
        }
        if let Some(factor) = &over.factor {
            match factor.as_f64() {
                Some(number) if (1.0..=FACTOR).contains(&number) => policy.factor = number,
                _ => self.findings.add(&at("factor"), format!("the factor is a number from 1 to {FACTOR}")),
            }
        }
        let initial = self.span(over.initial.as_deref(), &at("initial"));
        let longest = self.span(over.max_interval.as_deref(), &at("max_interval"));
        policy.initial = initial.unwrap_or(policy.initial);
        policy.max_interval = longest.unwrap_or(policy.max_interval);
        let both_are_fine =
            initial.is_some() == over.initial.is_some() && longest.is_some() == over.max_interval.is_some();
        let one_is_written = initial.is_some() || longest.is_some();
        if policy.initial > policy.max_interval && both_are_fine && one_is_written {
            let key = if initial.is_some() { "initial" } else { "max_interval" };
            let message = format!(
                "the first delay (`initial`, {}) is longer than the longest (`max_interval`, {}); \
                 what is not written here comes from `defaults`",
                DisplayDuration(policy.initial),
                DisplayDuration(policy.max_interval)
            );
            self.findings.add(&at(key), message);
        }
        policy
    }

    /// Delays that are listed. The list alone says how many attempts there are and when: nothing that `base` says
    /// cuts it off or spreads it.
    fn listed(&mut self, base: &RetryPolicy, over: &format::Retry, list: &[String], pointer: &str) -> RetryPolicy {
        let growing = [
            ("initial", over.initial.is_some()),
            ("factor", over.factor.is_some()),
            ("max_interval", over.max_interval.is_some()),
        ];
        for (key, _) in growing.into_iter().filter(|(_, written)| *written) {
            let message = format!("`intervals` lists every delay, so `{key}` says nothing beside it: leave one out");
            self.findings.add(&format!("{pointer}/{key}"), message);
        }
        let at = format!("{pointer}/intervals");
        if list.is_empty() || list.len() > bounds::INTERVALS {
            let message = format!("1 to {} delays can be listed, not {}", bounds::INTERVALS, list.len());
            self.findings.add(&at, message);
        }
        let spans = list.iter().take(bounds::INTERVALS).enumerate();
        let intervals: Vec<_> =
            spans.filter_map(|(index, text)| self.span(Some(text), &format!("{at}/{index}"))).collect();
        let max_attempts = u32::try_from(intervals.len()).unwrap_or(u32::MAX).saturating_add(1);
        RetryPolicy { max_attempts, intervals, jitter: Jitter::None, max_elapsed: None, ..base.clone() }
    }
}
