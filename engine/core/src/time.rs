//! Points and spans of time. No clock is read here.

use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};

/// A point in engine time: milliseconds since the Unix epoch.
///
/// Engine time starts at the wall clock's time and then runs monotonically, so differences of two timestamps are
/// never negative.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default, Serialize, Deserialize)]
pub struct Timestamp(u64);

impl Timestamp {
    /// The point this many milliseconds after the Unix epoch.
    pub const fn from_millis(millis: u64) -> Self {
        Self(millis)
    }

    /// Milliseconds since the Unix epoch.
    pub const fn millis(self) -> u64 {
        self.0
    }

    /// The point this much later; the end of time at the latest.
    pub fn after(self, span: Duration) -> Self {
        Self(self.0.saturating_add(millis(span)))
    }

    /// How long after `earlier` this is; zero where it is not after.
    pub fn since(self, earlier: Self) -> Duration {
        Duration::from_millis(self.0.saturating_sub(earlier.0))
    }
}

/// The whole milliseconds of a span.
pub fn millis(span: Duration) -> u64 {
    u64::try_from(span.as_millis()).unwrap_or(u64::MAX)
}

const UNITS: [(&str, u64); 5] = [("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1_000), ("ms", 1)];

/// Why a text is no duration.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is not a duration: write it as \"200ms\", \"10s\", \"2m\", \"1h30m\" or \"7d\"{why}")]
pub struct InvalidDuration {
    text: String,
    why: &'static str,
}

/// Reads a duration as workflow files write it: whole numbers with `d`, `h`, `m`, `s`, `ms`, each unit once, from
/// the largest to the smallest.
///
/// ```
/// use std::time::Duration;
/// use engine_core::time::parse_duration;
///
/// assert_eq!(parse_duration("1h30m").unwrap(), Duration::from_secs(5400));
/// assert!(parse_duration("90").is_err());
/// ```
pub fn parse_duration(text: &str) -> Result<Duration, InvalidDuration> {
    let invalid = |why| InvalidDuration { text: text.chars().take(40).collect(), why };
    let (mut rest, mut total, mut smaller) = (text, 0u64, UNITS.as_slice());
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len());
        let (number, tail) = rest.split_at(digits);
        let unit_len = tail.find(|c: char| c.is_ascii_digit()).unwrap_or(tail.len());
        let (unit, tail) = tail.split_at(unit_len);
        let number: u64 = number.parse().map_err(|_| invalid(""))?;
        let at = smaller.iter().position(|(name, _)| *name == unit).ok_or_else(|| invalid(""))?;
        let Some((_, factor)) = smaller.get(at) else { return Err(invalid("")) };
        let part = number.checked_mul(*factor).ok_or_else(|| invalid(" (too long)"))?;
        total = total.checked_add(part).ok_or_else(|| invalid(" (too long)"))?;
        smaller = smaller.get(at + 1..).unwrap_or_default();
        rest = tail;
    }
    if text.is_empty() || total > crate::bounds::LONGEST_DURATION_MS {
        return Err(invalid(if text.is_empty() { "" } else { " (ten years at most)" }));
    }
    Ok(Duration::from_millis(total))
}

/// A duration as workflow files write it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct DisplayDuration(pub Duration);

impl fmt::Display for DisplayDuration {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut rest = millis(self.0);
        if rest == 0 {
            return f.write_str("0s");
        }
        for (unit, factor) in UNITS {
            if rest >= factor {
                write!(f, "{}{unit}", rest / factor)?;
                rest %= factor;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_read_and_written_alike() {
        for (text, millis) in
            [("200ms", 200), ("10s", 10_000), ("2m", 120_000), ("1h30m", 5_400_000), ("7d", 604_800_000)]
        {
            let span = parse_duration(text).unwrap();
            assert_eq!(span, Duration::from_millis(millis));
            assert_eq!(DisplayDuration(span).to_string(), text);
        }
        assert_eq!(parse_duration("0s").unwrap(), Duration::ZERO);
    }

    #[test]
    fn what_is_no_duration_is_refused() {
        for text in ["", "10", "s", "1.5s", "-1s", "10 s", "1m1h", "1s1s", "99999999999999999999d", "1000000000d", "1y"]
        {
            assert!(parse_duration(text).is_err(), "{text}");
        }
    }
}
