//! Numbers as Terraform has them: of any size and any precision.

use std::fmt;
use std::str::FromStr;

/// A number without a limit of size or precision.
///
/// Each number has one representation, so that `==` compares values: what fits an `i64` is held as one, a fraction
/// that a double holds exactly is held as a double, and everything else is kept as decimal text.
#[derive(Clone, Debug, PartialEq)]
pub struct Number(Repr);

#[derive(Clone, Debug, PartialEq)]
enum Repr {
    Int(i64),
    /// Never an integer, never NaN; infinities are here.
    Float(f64),
    /// Canonical decimal text: see [`Decimal::text`].
    Decimal(String),
}

/// How a number goes into a message, see [`Number::wire`].
pub(crate) enum Wire<'a> {
    Int(i64),
    Float(f64),
    Text(&'a str),
}

/// The text is not a decimal number.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a number")]
pub struct NotANumber(String);

impl Number {
    /// The exact value of a double; `None` for NaN, which Terraform does not have.
    pub fn from_f64(value: f64) -> Option<Self> {
        if value.is_nan() {
            return None;
        }
        if value.is_infinite() || value.fract() != 0.0 {
            return Some(Number(Repr::Float(value)));
        }
        if (-9_223_372_036_854_775_808.0..9_223_372_036_854_775_808.0).contains(&value) {
            return Some(Number(Repr::Int(value as i64)));
        }
        Some(Number(Repr::Decimal(Decimal::parse(&format!("{value:.0}"))?.text())))
    }

    /// The value if it is an integer within `i64`.
    pub fn as_i64(&self) -> Option<i64> {
        match self.0 {
            Repr::Int(value) => Some(value),
            _ => None,
        }
    }

    /// The value if it is an integer within `u64`.
    pub fn as_u64(&self) -> Option<u64> {
        match &self.0 {
            Repr::Int(value) => u64::try_from(*value).ok(),
            Repr::Decimal(text) => text.parse().ok(),
            Repr::Float(_) => None,
        }
    }

    /// The nearest double.
    pub fn as_f64(&self) -> f64 {
        match &self.0 {
            Repr::Int(value) => *value as f64,
            Repr::Float(value) => *value,
            Repr::Decimal(text) => text.parse().unwrap_or(f64::NAN),
        }
    }

    /// Whether the number is finite, as everything is that JSON can say.
    pub fn is_finite(&self) -> bool {
        !matches!(self.0, Repr::Float(value) if value.is_infinite())
    }

    pub(crate) fn wire(&self) -> Wire<'_> {
        match &self.0 {
            Repr::Int(value) => Wire::Int(*value),
            Repr::Float(value) => Wire::Float(*value),
            Repr::Decimal(text) => Wire::Text(text),
        }
    }
}

/// The exact value in decimal digits; `inf` and `-inf` for the infinities.
impl fmt::Display for Number {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Repr::Int(value) => value.fmt(f),
            Repr::Float(value) => match Decimal::of(*value) {
                Some(decimal) => f.write_str(&decimal.text()),
                None => value.fmt(f),
            },
            Repr::Decimal(text) => f.write_str(text),
        }
    }
}

impl FromStr for Number {
    type Err = NotANumber;

    /// Reads decimal text, with or without fraction and exponent, or `inf`, `+inf` and `-inf`.
    fn from_str(text: &str) -> Result<Self, NotANumber> {
        match text.trim_start_matches('+') {
            "inf" | "Inf" => return Ok(Number(Repr::Float(f64::INFINITY))),
            "-inf" | "-Inf" => return Ok(Number(Repr::Float(f64::NEG_INFINITY))),
            _ => {}
        }
        let decimal = Decimal::parse(text).ok_or_else(|| NotANumber(text.chars().take(60).collect()))?;
        let canonical = decimal.text();
        if decimal.exponent >= 0 {
            return Ok(Number(canonical.parse().map(Repr::Int).unwrap_or(Repr::Decimal(canonical))));
        }
        // A fraction in lowest terms of ten is one of two only if its last digit is a 5.
        if decimal.digits.ends_with('5') {
            let nearest: f64 = canonical.parse().unwrap_or(f64::NAN);
            if Decimal::of(nearest).as_ref() == Some(&decimal) {
                return Ok(Number(Repr::Float(nearest)));
            }
        }
        Ok(Number(Repr::Decimal(canonical)))
    }
}

impl From<i64> for Number {
    fn from(value: i64) -> Self {
        Number(Repr::Int(value))
    }
}

impl From<u64> for Number {
    fn from(value: u64) -> Self {
        i64::try_from(value).map(Number::from).unwrap_or_else(|_| Number(Repr::Decimal(value.to_string())))
    }
}

/// `digits` times ten to the power `exponent`, without leading or trailing zeros; zero is no digits.
#[derive(Debug, PartialEq, Eq)]
struct Decimal {
    negative: bool,
    digits: String,
    exponent: i64,
}

impl Decimal {
    /// The exact decimal expansion of a finite double: it has at most 1074 digits behind the point.
    fn of(value: f64) -> Option<Self> {
        if value.is_finite() { Decimal::parse(&format!("{value:.1074}")) } else { None }
    }

    fn parse(text: &str) -> Option<Self> {
        let (negative, rest) = match text.strip_prefix('-') {
            Some(rest) => (true, rest),
            None => (false, text.strip_prefix('+').unwrap_or(text)),
        };
        let (mantissa, power) = match rest.split_once(['e', 'E']) {
            Some((mantissa, power)) => (mantissa, power.parse::<i64>().ok()?),
            None => (rest, 0),
        };
        let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
        let digits = format!("{whole}{fraction}");
        if digits.is_empty() || !digits.bytes().all(|b| b.is_ascii_digit()) {
            return None;
        }
        let digits = digits.trim_start_matches('0');
        let kept = digits.trim_end_matches('0');
        if kept.is_empty() {
            return Some(Decimal { negative: false, digits: String::new(), exponent: 0 });
        }
        let dropped = i64::try_from(digits.len() - kept.len()).ok()?;
        let exponent = power.checked_sub(i64::try_from(fraction.len()).ok()?)?.checked_add(dropped)?;
        Some(Decimal { negative, digits: kept.to_owned(), exponent })
    }

    /// Plain digits where that stays readable, else scientific notation.
    fn text(&self) -> String {
        const LONGEST: i64 = 1100;
        const SHORTEST: i64 = -LONGEST;
        let sign = if self.negative { "-" } else { "" };
        let digits = &self.digits;
        if digits.is_empty() {
            return "0".to_owned();
        }
        match self.exponent {
            0..=LONGEST => format!("{sign}{digits}{}", "0".repeat(self.exponent as usize)),
            SHORTEST..0 => {
                let behind = self.exponent.unsigned_abs() as usize;
                if digits.len() > behind {
                    let (whole, fraction) = digits.split_at(digits.len() - behind);
                    format!("{sign}{whole}.{fraction}")
                } else {
                    format!("{sign}0.{}{digits}", "0".repeat(behind - digits.len()))
                }
            }
            _ => {
                let (first, rest) = digits.split_at(1);
                let point = if rest.is_empty() { "" } else { "." };
                format!("{sign}{first}{point}{rest}e{}", self.exponent.saturating_add_unsigned(rest.len() as u64))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn number(text: &str) -> Number {
        text.parse().expect(text)
    }

    #[test]
    fn one_number_has_one_representation() {
        for (a, b) in [
            ("1", "1.0"),
            ("1", "10e-1"),
            ("0", "-0.000"),
            ("0.5", "5e-1"),
            ("9223372036854775808", "9.223372036854775808e18"),
            ("0.1", "0.10"),
            ("1e2000", "10E+1999"),
            ("-0.00000001", "-1e-8"),
        ] {
            assert_eq!(number(a), number(b), "{a} and {b}");
        }
        assert_ne!(number("0.1"), Number::from_f64(0.1).expect("no NaN"), "a double is not exactly a tenth");
        assert_eq!(number("0.5"), Number::from_f64(0.5).expect("no NaN"));
        assert_eq!(number("inf"), Number::from_f64(f64::INFINITY).expect("no NaN"));
        assert_eq!(number("100000000000000000000"), Number::from_f64(1e20).expect("no NaN"));
    }

    #[test]
    fn numbers_are_written_plainly_while_that_is_readable() {
        let zeros = |count: usize| "0".repeat(count);
        for (text, written) in [
            ("-0.00", "0".to_owned()),
            ("10e2", "1000".to_owned()),
            ("0.50", "0.5".to_owned()),
            ("123.45", "123.45".to_owned()),
            ("-12.5e-3", "-0.0125".to_owned()),
            ("-1e1100", format!("-1{}", zeros(1100))),
            ("1e1101", "1e1101".to_owned()),
            ("12e1101", "1.2e1102".to_owned()),
            ("1e-1100", format!("0.{}1", zeros(1099))),
            ("1e-1101", "1e-1101".to_owned()),
            ("-125e-1101", "-1.25e-1099".to_owned()),
            ("+inf", "inf".to_owned()),
            ("-inf", "-inf".to_owned()),
        ] {
            assert_eq!(number(text).to_string(), written, "{text}");
        }
    }

    #[test]
    fn the_nearest_double_of_a_number() {
        let largest = 18_446_744_073_709_551_616.0;
        for (text, nearest) in [
            ("-3", -3.0),
            ("0.5", 0.5),
            ("0.1", 0.1),
            ("18446744073709551615", largest),
            ("1e400", f64::INFINITY),
            ("-inf", f64::NEG_INFINITY),
        ] {
            assert_eq!(number(text).as_f64(), nearest, "{text}");
        }
        assert_eq!(Number::from_f64(f64::NEG_INFINITY), Some(number("-inf")));
        assert!(number("1e400").is_finite() && number("0.5").is_finite() && !number("-inf").is_finite());
    }

    #[test]
    fn text_that_is_no_number_is_refused() {
        for text in ["", "-", ".", "1.2.3", "0x10", "1e", "e5", "1 ", "NaN", "１"] {
            assert!(text.parse::<Number>().is_err(), "{text:?}");
        }
    }

    #[test]
    fn integers_are_read_as_such() {
        assert_eq!(number("18446744073709551615").as_u64(), Some(u64::MAX));
        assert_eq!(number("18446744073709551616").as_u64(), None);
        assert_eq!((number("5").as_u64(), number("-5").as_u64(), number("0.5").as_u64()), (Some(5), None, None));
        assert_eq!(number("-9223372036854775808").as_i64(), Some(i64::MIN));
        assert_eq!(number("5439.0").as_i64(), Some(5439));
        assert_eq!(number("0.5").as_i64(), None);
        assert_eq!(Number::from(u64::MAX), number("18446744073709551615"));
    }

    proptest! {
        #[test]
        fn text_of_a_number_reads_back(value in any::<f64>()) {
            if let Some(number) = Number::from_f64(value) {
                prop_assert_eq!(number.to_string().parse::<Number>().expect("own text"), number);
            }
        }

        #[test]
        fn decimals_read_back(text in "-?[0-9]{1,40}(\\.[0-9]{1,40})?([eE][+-]?[0-9]{1,3})?") {
            let number: Number = text.parse().expect("decimal");
            prop_assert_eq!(number.to_string().parse::<Number>().expect("own text"), number);
        }
    }
}
