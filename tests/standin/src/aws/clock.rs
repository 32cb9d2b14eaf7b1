//! The account's clock, which a test may move.

use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use time::{Date, Month, OffsetDateTime, PrimitiveDateTime, Time};

/// The machine's time plus a skew.
#[derive(Debug, Default)]
pub struct Clock(AtomicI64);

impl Clock {
    /// Now, by this clock.
    pub fn now(&self) -> OffsetDateTime {
        OffsetDateTime::now_utc() + time::Duration::seconds(self.0.load(Ordering::Relaxed))
    }

    /// This much from now.
    pub fn after(&self, span: Duration) -> OffsetDateTime {
        self.now() + span
    }

    /// From now on this many seconds ahead of the machine's time; negative: behind.
    pub fn skew(&self, seconds: i64) {
        self.0.store(seconds, Ordering::Relaxed);
    }
}

/// `20260102T030405Z`, as in `x-amz-date`.
pub fn basic(at: OffsetDateTime) -> String {
    let (date, time) = (at.date(), at.time());
    let (year, month, day) = (date.year(), u8::from(date.month()), date.day());
    format!("{year:04}{month:02}{day:02}T{:02}{:02}{:02}Z", time.hour(), time.minute(), time.second())
}

/// Reads what [`basic`] writes.
pub fn read_basic(text: &str) -> Option<OffsetDateTime> {
    let digits = text.strip_suffix('Z').filter(|t| t.is_ascii() && t.len() == 15 && t.as_bytes()[8] == b'T')?;
    let number = |range: std::ops::Range<usize>| {
        let part = &digits[range];
        part.bytes().all(|b| b.is_ascii_digit()).then(|| part.parse::<u16>().ok()).flatten()
    };
    let byte = |range| number(range).and_then(|n| u8::try_from(n).ok());
    let month = Month::try_from(byte(4..6)?).ok()?;
    let date = Date::from_calendar_date(number(0..4)?.into(), month, byte(6..8)?).ok()?;
    let time = Time::from_hms(byte(9..11)?, byte(11..13)?, byte(13..15)?).ok()?;
    Some(PrimitiveDateTime::new(date, time).assume_utc())
}

/// `2026-01-02T03:04:05.678Z`, as in XML answers.
pub fn extended(at: OffsetDateTime) -> String {
    let (date, time) = (at.date(), at.time());
    let (year, month, day) = (date.year(), u8::from(date.month()), date.day());
    let (hour, minute, second) = time.as_hms();
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{:03}Z", time.millisecond())
}

/// `Fri, 02 Jan 2026 03:04:05 GMT`, as in the Date header.
pub fn header(at: OffsetDateTime) -> String {
    let (weekday, month) = (at.weekday().to_string(), at.month().to_string());
    let (day, year, (hour, minute, second)) = (at.day(), at.year(), at.to_hms());
    format!("{}, {day:02} {} {year:04} {hour:02}:{minute:02}:{second:02} GMT", &weekday[..3], &month[..3])
}

/// Seconds since 1970 with milliseconds, as in JSON answers.
pub fn epoch(at: OffsetDateTime) -> f64 {
    (at.unix_timestamp_nanos() / 1_000_000) as f64 / 1000.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stamps() {
        let at = OffsetDateTime::from_unix_timestamp(1_767_323_045).expect("a time") + Duration::from_millis(678);
        assert_eq!(basic(at), "20260102T030405Z");
        assert_eq!(extended(at), "2026-01-02T03:04:05.678Z");
        assert_eq!(header(at), "Fri, 02 Jan 2026 03:04:05 GMT");
        assert_eq!(epoch(at), 1_767_323_045.678);
        assert_eq!(read_basic("20260102T030405Z"), Some(at - Duration::from_millis(678)));
        for bad in
            ["20260102T030405", "20261302T030405Z", "2026010203040500Z", "+0260102T030405Z", "2026-01-02T03:04:05Z"]
        {
            assert_eq!(read_basic(bad), None, "{bad}");
        }
    }
}
