//! Rounding, which is downward in time and toward zero for numbers, so that it cannot overflow.

use std::cmp::Ordering;

use crate::engine::governance::columns::ColumnType;
use crate::engine::sql::{Sql, literal, sql};

/// What is rounded to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(in crate::engine::governance) enum To {
    /// A multiple of so many millionths.
    Number(u64),
    /// The begin of a unit of time.
    Unit(Unit),
}

/// Units of time, the finer first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(in crate::engine::governance) enum Unit {
    Minute,
    Hour,
    Day,
    Week,
    Month,
    Quarter,
    Year,
}

const UNITS: [(&str, Unit); 7] = [
    ("minute", Unit::Minute),
    ("hour", Unit::Hour),
    ("day", Unit::Day),
    ("week", Unit::Week),
    ("month", Unit::Month),
    ("quarter", Unit::Quarter),
    ("year", Unit::Year),
];

const ONE: u64 = 1_000_000;
const LARGEST: u64 = 1_000_000_000_000;

impl To {
    /// Reads `1000`, `0.5` or `month`.
    pub(super) fn read(text: &str) -> Result<Self, String> {
        if let Some((_, unit)) = UNITS.iter().find(|(name, _)| *name == text) {
            return Ok(To::Unit(*unit));
        }
        let wrong = || {
            let units = UNITS.map(|(name, _)| format!("`{name}`")).join(", ");
            format!(
                "`{text}` is neither a number above 0, with at most 6 digits after the point and up to {LARGEST}, nor one of {units}."
            )
        };
        let (whole, fraction) = text.split_once('.').unwrap_or((text, "0"));
        let digits = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
        if !digits(whole) || !digits(fraction) || fraction.len() > 6 {
            return Err(wrong());
        }
        let whole = whole.parse::<u64>().ok().filter(|whole| *whole <= LARGEST).ok_or_else(wrong)?;
        let fraction = format!("{fraction:0<6}").parse::<u64>().map_err(|_| wrong())?;
        match whole * ONE + fraction {
            0 => Err(wrong()),
            number => Ok(To::Number(number)),
        }
    }

    /// The one that follows from the other, if one does.
    pub(super) fn coarser(self, other: To) -> Option<To> {
        match (self, other) {
            (To::Number(one), To::Number(two)) => match one.cmp(&two) {
                Ordering::Less | Ordering::Equal => (two % one == 0).then_some(other),
                Ordering::Greater => (one % two == 0).then_some(self),
            },
            (To::Unit(one), To::Unit(two)) => {
                let (finer, coarser) = (one.min(two), one.max(two));
                // Months begin within weeks.
                let contains = finer == coarser || finer != Unit::Week;
                contains.then_some(To::Unit(coarser))
            }
            _ => None,
        }
    }

    /// The rounded value; none for types that cannot be rounded so.
    pub(super) fn on(self, ty: ColumnType, value: &Sql) -> Option<Sql> {
        match (self, ty) {
            (To::Number(number), ColumnType::Integer(_)) => {
                let step = (number % ONE == 0).then_some(number / ONE)?;
                Some(sql!("CAST({0} - pg_catalog.mod({0}, {1}) AS {2})", value, step, ty.sql()))
            }
            (To::Number(number), ColumnType::Decimal(..)) => {
                Some(sql!("CAST({0} - pg_catalog.mod({0}, {1}) AS {2})", value, decimal(number), ty.sql()))
            }
            // A step below 1 would make the quotient larger than the value, which may overflow.
            (To::Number(number), ColumnType::Real | ColumnType::Double) => {
                let step = (number % ONE == 0).then_some(number / ONE)?;
                Some(sql!("CAST(pg_catalog.trunc({0} / {1}) * {1} AS {2})", value, step, ty.sql()))
            }
            (To::Unit(unit), ty) if ty.is_date_or_moment() => {
                let name = UNITS.iter().find(|(_, of)| *of == unit).map_or("year", |(name, _)| name);
                Some(sql!("CAST(pg_catalog.date_trunc({}, {}) AS {})", literal(name), value, ty.sql()))
            }
            _ => None,
        }
    }
}

/// Such as `CAST('0.05' AS decimal(19, 6))`, without zeros at the end.
fn decimal(number: u64) -> Sql {
    let mut text = format!("{}.{:06}", number / ONE, number % ONE);
    let shortest = text.trim_end_matches('0').trim_end_matches('.').len();
    text.truncate(shortest);
    let scale = text.split_once('.').map_or(0, |(_, fraction)| fraction.len());
    let precision = text.len() - usize::from(scale > 0);
    sql!("CAST({} AS decimal({}, {}))", literal(&text), precision, scale)
}
