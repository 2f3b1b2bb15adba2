//! Sums of money: decimal text in, decimal text out, never a float.

use std::fmt;
use std::str::FromStr;

const DECIMALS: usize = 6;
const UNIT: i128 = 1_000_000;

/// An amount in millionths.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Money(i128);

impl Money {
    pub(crate) const ZERO: Money = Money(0);

    pub(crate) fn plus(self, other: Money) -> Money {
        Money(self.0.saturating_add(other.0))
    }

    pub(crate) fn minus(self, other: Money) -> Money {
        Money(self.0.saturating_sub(other.0))
    }
}

impl FromStr for Money {
    type Err = ();

    fn from_str(text: &str) -> Result<Money, ()> {
        let (whole, fraction) = text.split_once('.').unwrap_or((text, "0"));
        let digits = |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit());
        if !digits(whole) || !digits(fraction) || whole.len() > 18 || fraction.len() > DECIMALS {
            return Err(());
        }
        let whole: i128 = whole.parse().map_err(|_| ())?;
        let fraction: i128 = format!("{fraction:0<DECIMALS$}").parse().map_err(|_| ())?;
        Ok(Money(whole * UNIT + fraction))
    }
}

impl fmt::Display for Money {
    /// At least two decimals, more only where they are not zero.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sign = if self.0 < 0 { "-" } else { "" };
        let units = self.0.unsigned_abs();
        let whole = units / UNIT.unsigned_abs();
        let fraction = format!("{:0DECIMALS$}", units % UNIT.unsigned_abs());
        let cents = fraction.get(..2).unwrap_or_default();
        let beyond = fraction.get(2..).unwrap_or_default().trim_end_matches('0');
        write!(f, "{sign}{whole}.{cents}{beyond}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn money(text: &str) -> Money {
        text.parse().unwrap()
    }

    #[test]
    fn sums_are_exact() {
        assert_eq!(money("0.10").plus(money("0.20")).to_string(), "0.30");
        assert_eq!(money("199.98").minus(money("199.98")).to_string(), "0.00");
        assert_eq!(money("1").minus(money("2.5")).to_string(), "-1.50");
        assert_eq!(money("3.1415").to_string(), "3.1415");
    }

    #[test]
    fn what_is_no_decimal_is_refused() {
        for text in ["", "-1", "1e3", "1.", ".5", "1,00", "1.0000001", "NaN", "+1"] {
            assert_eq!(text.parse::<Money>(), Err(()), "{text}");
        }
    }
}
