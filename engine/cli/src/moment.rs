//! Points in time on the command line.

use std::time::{SystemTime, UNIX_EPOCH};

use engine_core::time::{self, Timestamp, parse_duration};
use jiff::civil::Date;

/// Reads a time as RFC 3339 writes it, a day (UTC), or a span ago.
pub(crate) fn parse(text: &str) -> Result<Timestamp, String> {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    before(Timestamp::from_millis(time::millis(now)), text)
}

fn before(now: Timestamp, text: &str) -> Result<Timestamp, String> {
    if let Ok(span) = parse_duration(text) {
        return Ok(Timestamp::from_millis(now.millis().saturating_sub(time::millis(span))));
    }
    let is_day = text.len() == "2026-01-31".len();
    // A time without its offset is a day to jiff, and would lose its hours.
    let day = || text.parse::<Date>().ok().filter(|_| is_day);
    let midnight = || format!("{}T00:00:00Z", day()?).parse::<jiff::Timestamp>().ok();
    let at = text.parse::<jiff::Timestamp>().ok().or_else(midnight);
    let millis = at.and_then(|at| u64::try_from(at.as_millisecond()).ok());
    millis.map(Timestamp::from_millis).ok_or_else(|| {
        "write a time as 2026-01-31T08:00:00Z, a day as 2026-01-31 (it begins at midnight UTC), or a span ago as 2h"
            .to_owned()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_days_and_spans_are_read() {
        let now = Timestamp::from_millis(1_769_846_400_000);
        let read = |text| before(now, text).map(Timestamp::millis);
        assert_eq!(read("2026-01-31T08:00:00Z"), Ok(1_769_846_400_000));
        assert_eq!(read("2026-01-31T09:00:00.5+01:00"), Ok(1_769_846_400_500));
        assert_eq!(read("2026-01-31"), Ok(1_769_817_600_000));
        assert_eq!(read("1h30m"), Ok(1_769_841_000_000));
        for bad in ["", "yesterday", "31.01.2026", "8", "2026-01-31T08:00:00"] {
            assert!(read(bad).is_err(), "{bad}");
        }
    }
}
