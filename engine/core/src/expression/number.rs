//! Numbers, kept as written until they are used.
//!
//! `199.98`, `1e400` and integers of 23 digits pass through unchanged; they are compared exactly;
//! arithmetic is exact on 64-bit integers (overflow is an error) and binary floating point
//! otherwise (a result that is not finite is an error).

use std::cmp::Ordering;
use std::fmt;
use std::sync::Arc;

/// The longest number, in characters, as written.
pub(super) const MAX_CHARACTERS: usize = 256;

/// A number.
#[derive(Clone, Debug)]
pub struct Number(Repr);

#[derive(Clone, Debug)]
enum Repr {
    Integer(i64),
    /// Always finite.
    Float(f64),
    Written(Arc<Written>),
}

/// A number that is no 64-bit integer, as it was written.
#[derive(Debug)]
struct Written {
    text: Box<str>,
    /// Infinite where the number is too large.
    value: f64,
}

/// The operators of arithmetic.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Arithmetic {
    Add,
    Subtract,
    Multiply,
    Divide,
    Remainder,
}

impl Number {
    /// Reads a number written as in JSON.
    pub(super) fn parse(text: &str) -> Option<Self> {
        if text.len() > MAX_CHARACTERS || !is_json_number(text) {
            return None;
        }
        if text != "-0"
            && let Ok(integer) = text.parse()
        {
            return Some(Self(Repr::Integer(integer)));
        }
        let value = text.parse().ok()?;
        let text = text.into();
        Some(Self(Repr::Written(Arc::new(Written { text, value }))))
    }

    /// Reads a number as it stands in an expression, where leading zeros are allowed.
    pub(super) fn parse_literal(text: &str) -> Option<Self> {
        let zeros = text.bytes().take_while(|byte| *byte == b'0').count();
        let next = text.as_bytes().get(zeros);
        let keep = usize::from(!next.is_some_and(u8::is_ascii_digit));
        Self::parse(text.get(zeros.saturating_sub(keep)..)?)
    }

    pub(super) fn integer(value: i64) -> Self {
        Self(Repr::Integer(value))
    }

    /// A finite float; `None` for anything else.
    fn float(value: f64) -> Option<Self> {
        value.is_finite().then_some(Self(Repr::Float(value)))
    }

    /// How long the number is beyond the one unit of every scalar.
    pub(super) fn extra_weight(&self) -> u64 {
        match &self.0 {
            Repr::Written(written) => written.text.len() as u64 / 8,
            _ => 0,
        }
    }

    pub(super) fn as_f64(&self) -> f64 {
        match &self.0 {
            Repr::Integer(integer) => nearest_float(*integer),
            Repr::Float(float) => *float,
            Repr::Written(written) => written.value,
        }
    }

    /// The number as an index or a count: rounded down, `None` where it is too large for one.
    pub(super) fn as_index(&self) -> Option<i64> {
        match &self.0 {
            Repr::Integer(integer) => Some(*integer),
            _ => whole(self.as_f64().floor()),
        }
    }

    pub(super) fn is_zero(&self) -> bool {
        match &self.0 {
            Repr::Integer(integer) => *integer == 0,
            // Not by its float: `1e-400` is no zero.
            Repr::Float(float) => *float == 0.0,
            Repr::Written(written) => Decimal::read(&written.text).digits.is_empty(),
        }
    }

    fn is_negative(&self) -> bool {
        match &self.0 {
            Repr::Written(written) => !self.is_zero() && written.text.starts_with('-'),
            _ => self.as_f64() < 0.0,
        }
    }

    /// The number with the other sign; `None` where that is too large.
    pub(super) fn negate(&self) -> Option<Self> {
        match &self.0 {
            Repr::Integer(integer) => integer.checked_neg().map(Self::integer),
            Repr::Float(float) => Self::float(-float),
            Repr::Written(written) => match written.text.strip_prefix('-') {
                Some(text) => Self::parse(text),
                None => Self::parse(&format!("-{}", written.text)),
            },
        }
    }

    pub(super) fn absolute(&self) -> Option<Self> {
        if self.is_negative() { self.negate() } else { Some(self.clone()) }
    }

    /// Applies a function that rounds to an integer.
    pub(super) fn round_by(&self, round: fn(f64) -> f64) -> Option<Self> {
        if let Repr::Integer(_) = self.0 {
            return Some(self.clone());
        }
        let rounded = round(self.as_f64());
        whole(rounded).map(Self::integer).or_else(|| Self::float(rounded))
    }

    pub(super) fn square_root(&self) -> Option<Self> {
        Self::float(self.as_f64().sqrt())
    }

    /// Calculates; the error says what is wrong with the result.
    pub(super) fn calculate(&self, how: Arithmetic, other: &Self) -> Result<Self, &'static str> {
        let divides = matches!(how, Arithmetic::Divide | Arithmetic::Remainder);
        if divides && (other.is_zero() || other.as_f64() == 0.0) {
            return Err("division by zero");
        }
        if let (Repr::Integer(left), Repr::Integer(right)) = (&self.0, &other.0)
            && let Some(result) = integers(*left, how, *right)
        {
            return result.map(Self::integer);
        }
        let (left, right) = (self.as_f64(), other.as_f64());
        let result = match how {
            Arithmetic::Add => left + right,
            Arithmetic::Subtract => left - right,
            Arithmetic::Multiply => left * right,
            Arithmetic::Divide => left / right,
            Arithmetic::Remainder => left % right,
        };
        Self::float(result).ok_or("number out of range")
    }

    /// Compares exactly.
    pub(super) fn compare(&self, other: &Self) -> Ordering {
        match (&self.0, &other.0) {
            (Repr::Integer(left), Repr::Integer(right)) => left.cmp(right),
            (Repr::Float(left), Repr::Float(right)) => left.partial_cmp(right).unwrap_or(Ordering::Equal),
            // Rounding never changes an order, it only makes equal what is not.
            _ => match self.as_f64().partial_cmp(&other.as_f64()) {
                Some(order) if order.is_ne() => order,
                _ => Decimal::read(&self.to_string()).cmp(&Decimal::read(&other.to_string())),
            },
        }
    }
}

/// Shows the number as in JSON.
impl fmt::Display for Number {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Repr::Integer(integer) => write!(f, "{integer}"),
            Repr::Float(float) if float.fract() == 0.0 && float.abs() < 1e17 => {
                write!(f, "{float:.0}")
            }
            Repr::Float(float) => write!(f, "{float:?}"),
            Repr::Written(written) => f.write_str(&written.text),
        }
    }
}

/// Arithmetic on integers; `None` where the result is no integer.
fn integers(left: i64, how: Arithmetic, right: i64) -> Option<Result<i64, &'static str>> {
    let result = match how {
        Arithmetic::Add => left.checked_add(right),
        Arithmetic::Subtract => left.checked_sub(right),
        Arithmetic::Multiply => left.checked_mul(right),
        Arithmetic::Divide if left.checked_rem(right) == Some(0) => left.checked_div(right),
        Arithmetic::Divide => return None,
        // The only remainder that overflows is that by -1, which is 0.
        Arithmetic::Remainder => Some(left.checked_rem(right).unwrap_or(0)),
    };
    Some(result.ok_or("integer overflow"))
}

#[allow(clippy::cast_precision_loss)] // The nearest float is what is wanted.
fn nearest_float(integer: i64) -> f64 {
    integer as f64
}

/// A whole float as an integer, where floats can tell integers apart.
#[allow(clippy::cast_possible_truncation)] // Within the bounds it is exact.
fn whole(float: f64) -> Option<i64> {
    (float.abs() < 9e15).then_some(float as i64)
}

/// `-? (0 | [1-9][0-9]*) (. [0-9]+)? ([eE] [+-]? [0-9]+)?`
fn is_json_number(text: &str) -> bool {
    let digits = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
    let text = text.strip_prefix('-').unwrap_or(text);
    let (mantissa, exponent) = match text.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, Some(exponent)),
        None => (text, None),
    };
    let (whole, fraction) = match mantissa.split_once('.') {
        Some((whole, fraction)) => (whole, Some(fraction)),
        None => (mantissa, None),
    };
    digits(whole)
        && (whole == "0" || !whole.starts_with('0'))
        && fraction.is_none_or(digits)
        && exponent.is_none_or(|text| digits(text.strip_prefix(['+', '-']).unwrap_or(text)))
}

/// A number as 0.d₁d₂d₃… × 10^magnitude, with no zero at either end of the digits.
#[derive(PartialEq, Eq)]
struct Decimal {
    negative: bool,
    digits: Vec<u8>,
    magnitude: i64,
}

impl Decimal {
    fn read(text: &str) -> Self {
        let (mantissa, exponent) = text.split_once(['e', 'E']).unwrap_or((text, "0"));
        let negative = mantissa.starts_with('-');
        let mantissa = mantissa.trim_start_matches('-');
        let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
        let all: Vec<u8> = whole.bytes().chain(fraction.bytes()).collect();
        let leading = all.iter().take_while(|digit| **digit == b'0').count();
        let mut digits = all.get(leading..).unwrap_or_default().to_vec();
        while digits.last() == Some(&b'0') {
            digits.pop();
        }
        if digits.is_empty() {
            return Self { negative: false, digits, magnitude: 0 };
        }
        // An exponent that fits no integer is as large as any other.
        let beyond = if exponent.starts_with('-') { i64::MIN } else { i64::MAX };
        let exponent: i64 = exponent.parse().unwrap_or(beyond);
        let point = |count: usize| i64::try_from(count).unwrap_or(i64::MAX);
        Self { negative, digits, magnitude: exponent.saturating_add(point(whole.len()) - point(leading)) }
    }

    fn compare_size(&self, other: &Self) -> Ordering {
        // Zero has no digits, and is smaller than everything.
        match (self.digits.is_empty(), other.digits.is_empty()) {
            (false, false) => (self.magnitude, &self.digits).cmp(&(other.magnitude, &other.digits)),
            (left, right) => right.cmp(&left),
        }
    }
}

impl Ord for Decimal {
    fn cmp(&self, other: &Self) -> Ordering {
        match (self.negative, other.negative) {
            (false, false) => self.compare_size(other),
            (true, true) => other.compare_size(self),
            (left, right) => right.cmp(&left),
        }
    }
}

impl PartialOrd for Decimal {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn number(text: &str) -> Number {
        Number::parse(text).unwrap()
    }

    #[test]
    fn numbers_stay_as_written() {
        for text in
            ["199.98", "199.980", "1e400", "-0", "0.0", "12345678901234567890123", "1E+5", "-9223372036854775808"]
        {
            assert_eq!(number(text).to_string(), text);
        }
        let negated = |text| number(text).negate().map(|number| number.to_string());
        assert_eq!(negated("199.980").as_deref(), Some("-199.980"));
        assert_eq!(negated("-1e400").as_deref(), Some("1e400"));
        assert_eq!(negated("-9223372036854775808"), None);
    }

    #[test]
    fn only_json_numbers_are_read() {
        for text in ["", "-", "+1", "01", "1.", ".5", "1e", "1e+", "0x1", "1_0", "NaN", "inf", "1 2", " 1"] {
            assert!(Number::parse(text).is_none(), "{text}");
        }
        assert!(Number::parse(&"9".repeat(MAX_CHARACTERS)).is_some());
        assert!(Number::parse(&"9".repeat(MAX_CHARACTERS + 1)).is_none());
        let literal = |text| Number::parse_literal(text).unwrap().to_string();
        assert_eq!([literal("007"), literal("0"), literal("00.5"), literal("0e3")], ["7", "0", "0.5", "0e3"]);
    }

    #[test]
    fn comparison_is_exact() {
        let ordered = [
            "-1e500",
            "-1e400",
            "-12345678901234567890124",
            "-12345678901234567890123",
            "-2",
            "-1e-400",
            "0",
            "1e-500",
            "1e-400",
            "0.1",
            "0.1000000000000000000001",
            "9007199254740992",
            "9007199254740993",
            "9007199254740993.5",
            "12345678901234567890123",
            "12345678901234567890124",
            "1e400",
            "11e399",
            "1e999999999999999999999",
        ];
        for (left_place, left) in ordered.iter().enumerate() {
            for (right_place, right) in ordered.iter().enumerate() {
                let order = number(left).compare(&number(right));
                assert_eq!(order, left_place.cmp(&right_place), "{left} {right}");
            }
        }
        for (left, right) in [("1", "1.0"), ("1e2", "100"), ("0", "-0.0"), ("0e9", "0"), ("1e400", "10e399")] {
            assert!(number(left).compare(&number(right)).is_eq(), "{left} {right}");
        }
    }

    #[test]
    fn arithmetic_is_exact_on_integers_and_never_gives_what_is_no_number() {
        use Arithmetic::{Add, Divide, Multiply, Remainder, Subtract};
        let calculate = |left, how, right| {
            let result = number(left).calculate(how, &number(right));
            result.map(|number| number.to_string())
        };
        assert_eq!(calculate("9007199254740993", Add, "0").as_deref(), Ok("9007199254740993"));
        assert_eq!(calculate("9223372036854775807", Add, "1"), Err("integer overflow"));
        assert_eq!(calculate("-9223372036854775808", Remainder, "-1").as_deref(), Ok("0"));
        assert_eq!(calculate("4", Divide, "2").as_deref(), Ok("2"));
        assert_eq!(calculate("1", Divide, "4").as_deref(), Ok("0.25"));
        assert_eq!(calculate("1", Divide, "0.0"), Err("division by zero"));
        assert_eq!(calculate("1", Remainder, "-0"), Err("division by zero"));
        assert_eq!(calculate("1e400", Subtract, "1e400"), Err("number out of range"));
        assert_eq!(calculate("1e200", Multiply, "1e200"), Err("number out of range"));
        assert_eq!(calculate("1.10", Multiply, "1").as_deref(), Ok("1.1"));
        assert_eq!(calculate("1e17", Multiply, "10").as_deref(), Ok("1e18"));
    }
}
