//! Constants: read here first, so that one that does not fit is told before anything is sent.

use time::{Date, Month, Time};

use crate::engine::governance::columns::{ColumnType, MAX_VARCHAR};
use crate::engine::sql::{Sql, literal, sql};

/// The constant as a value of the type; none for types that have no constant here. The error says why it does not fit.
pub(super) fn on(text: &str, ty: ColumnType) -> Result<Option<Sql>, String> {
    let wrong = |example: &str| format!("`{text}` is no {}: write one such as `{example}`.", ty.sql());
    let cast = |fits: bool, example: &str| {
        if fits { Ok(Some(sql!("CAST({} AS {})", literal(text), ty.sql()))) } else { Err(wrong(example)) }
    };
    match ty {
        ColumnType::Varchar(size) | ColumnType::Char(size) => {
            // Widened, never cut.
            let bytes = u32::try_from(text.len()).unwrap_or(u32::MAX);
            if bytes > MAX_VARCHAR {
                return Err(format!("It has {bytes} bytes, and a column may have {MAX_VARCHAR}."));
            }
            let size = size.max(bytes);
            Ok(Some(sql!("CAST({} AS varchar({}))", literal(text), size)))
        }
        ColumnType::Integer(bytes) => {
            let limit = 1i128 << (u32::from(bytes) * 8 - 1);
            cast(text.parse::<i64>().is_ok_and(|number| (-limit..limit).contains(&i128::from(number))), "0")
        }
        ColumnType::Decimal(precision, scale) => cast(is_decimal(text, precision, scale), "0"),
        ColumnType::Real => cast(text.parse::<f32>().is_ok_and(f32::is_finite), "0"),
        ColumnType::Double => cast(text.parse::<f64>().is_ok_and(f64::is_finite), "0"),
        ColumnType::Boolean => cast(matches!(text, "true" | "false"), "false"),
        ColumnType::Date => cast(is_date(text), "2000-01-01"),
        ColumnType::Timestamp => cast(is_moment(text), "2000-01-01 00:00:00"),
        ColumnType::TimestampTz => {
            let (moment, zone) = text.split_at(text.find('+').unwrap_or(text.len()));
            cast(is_moment(moment) && (zone.is_empty() || zone == "+00"), "2000-01-01 00:00:00+00")
        }
        ColumnType::Time => cast(is_time(text), "00:00:00"),
        _ => Ok(None),
    }
}

/// Digits, a sign and a fraction that fit.
fn is_decimal(text: &str, precision: u8, scale: u8) -> bool {
    let digits = text.strip_prefix('-').unwrap_or(text);
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    let all_digits = |text: &str| text.bytes().all(|b| b.is_ascii_digit());
    let whole_digits = whole.trim_start_matches('0').len();
    !whole.is_empty()
        && all_digits(whole)
        && all_digits(fraction)
        && fraction.len() <= usize::from(scale)
        && whole_digits <= usize::from(precision - scale)
}

/// Numbers of so many digits each, with the separator between them.
fn numbers<const N: usize>(text: &str, separator: char, digits: [usize; N]) -> Option<[u16; N]> {
    let parts: Vec<&str> = text.split(separator).collect();
    let mut found = [0; N];
    let fits = |(part, digits): (&&str, usize)| part.len() == digits && part.bytes().all(|b| b.is_ascii_digit());
    (parts.len() == N && parts.iter().zip(digits).all(fits)).then_some(())?;
    for (part, number) in parts.iter().zip(&mut found) {
        *number = part.parse().ok()?;
    }
    Some(found)
}

fn is_date(text: &str) -> bool {
    let Some([year, month, day]) = numbers(text, '-', [4, 2, 2]) else { return false };
    let month = u8::try_from(month).ok().and_then(|month| Month::try_from(month).ok());
    let date =
        month.zip(u8::try_from(day).ok()).map(|(month, day)| Date::from_calendar_date(i32::from(year), month, day));
    matches!(date, Some(Ok(_)))
}

fn is_time(text: &str) -> bool {
    let Some(parts) = numbers(text, ':', [2, 2, 2]) else { return false };
    let [hour, minute, second] = parts.map(|part| u8::try_from(part).unwrap_or(u8::MAX));
    Time::from_hms(hour, minute, second).is_ok()
}

fn is_moment(text: &str) -> bool {
    match text.split_once(' ') {
        Some((date, time)) => is_date(date) && is_time(time),
        None => is_date(text),
    }
}
