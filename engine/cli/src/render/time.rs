//! Points and spans of time, as people and programs read them. Times are in UTC.

use std::time::Duration;

use engine_core::time::Timestamp;

fn formatted(at: Timestamp, format: &str) -> String {
    let point = i64::try_from(at.millis()).ok().and_then(|millis| jiff::Timestamp::from_millisecond(millis).ok());
    point.map_or_else(|| format!("{} ms", at.millis()), |point| point.strftime(format).to_string())
}

/// `2026-01-31 08:00:00.123`
pub(crate) fn point(at: Timestamp) -> String {
    formatted(at, "%Y-%m-%d %H:%M:%S%.3f")
}

/// `2026-01-31 08:00:00`
pub(crate) fn point_in_list(at: Timestamp) -> String {
    formatted(at, "%Y-%m-%d %H:%M:%S")
}

/// `08:00:00`
pub(crate) fn clock(at: Timestamp) -> String {
    formatted(at, "%H:%M:%S")
}

/// RFC 3339: `2026-01-31T08:00:00.123Z`
pub(crate) fn rfc3339(at: Timestamp) -> String {
    formatted(at, "%Y-%m-%dT%H:%M:%S%.3fZ")
}

const MINUTE: u64 = 60;
const HOUR: u64 = 60 * MINUTE;
const DAY: u64 = 24 * HOUR;

/// `0.012 s`, `0.4 s`, `12.5 s`, `2 min 5 s`, `3 h 2 min`, `4 d 1 h`
pub(crate) fn span(span: Duration) -> String {
    let seconds = span.as_secs();
    let two = |count: u64, unit: &str, rest: u64, rest_unit: &str| match rest {
        0 => format!("{count} {unit}"),
        _ => format!("{count} {unit} {rest} {rest_unit}"),
    };
    match seconds {
        MINUTE..HOUR => two(seconds / MINUTE, "min", seconds % MINUTE, "s"),
        HOUR..DAY => two(seconds / HOUR, "h", seconds % HOUR / MINUTE, "min"),
        DAY.. => two(seconds / DAY, "d", seconds % DAY / HOUR, "h"),
        0..MINUTE => {
            let exact = span.as_secs_f64();
            let text = match span.as_millis() {
                0..100 => format!("{exact:.3}"),
                100..10_000 => format!("{exact:.2}"),
                _ => format!("{exact:.1}"),
            };
            format!("{} s", text.trim_end_matches('0').trim_end_matches('.'))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_are_as_exact_as_they_matter() {
        let cases: [(u64, &str); 12] = [
            (0, "0 s"),
            (4, "0.004 s"),
            (12, "0.012 s"),
            (400, "0.4 s"),
            (1_234, "1.23 s"),
            (10_000, "10 s"),
            (20_040, "20 s"),
            (12_540, "12.5 s"),
            (125_000, "2 min 5 s"),
            (120_000, "2 min"),
            (10_920_000, "3 h 2 min"),
            (349_200_000, "4 d 1 h"),
        ];
        for (millis, text) in cases {
            assert_eq!(span(Duration::from_millis(millis)), text);
        }
    }

    #[test]
    fn points_are_utc() {
        let at = Timestamp::from_millis(1_769_846_400_123);
        assert_eq!(point(at), "2026-01-31 08:00:00.123");
        assert_eq!(rfc3339(at), "2026-01-31T08:00:00.123Z");
        assert_eq!(rfc3339(Timestamp::from_millis(1_769_846_400_000)), "2026-01-31T08:00:00.000Z");
        assert_eq!(clock(at), "08:00:00");
        assert_eq!(rfc3339(Timestamp::from_millis(u64::MAX)), format!("{} ms", u64::MAX));
    }
}
