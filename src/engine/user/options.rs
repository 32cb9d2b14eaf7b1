//! Limits of a user: how many sessions, and until when his password is good.

use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use crate::engine::sql::{Sql, literal, sql};

/// How many sessions a user may have at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ConnectionLimit {
    Unlimited,
    AtMost(u32),
}

/// Until when a password is good, to the second.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ValidUntil {
    Infinity,
    At(OffsetDateTime),
}

/// Redshift's `valuntil` is an `abstime` (AWS: PG_USER_INFO), seconds in 32 bits. From this instant on PostgreSQL 8.0,
/// from which it comes, keeps `invalid` without a word, which for a sign-in means that the password never ends.
/// This is 2038-01-19T00:00:00Z.
const BEYOND: i64 = 2_147_472_000;
/// The same before 1902-01-01T00:00:00Z.
const EARLIEST: i64 = -2_145_916_800;

impl ConnectionLimit {
    /// The limit of so many sessions; -1, as in PostgreSQL's catalogue, is none.
    pub fn of(number: i64) -> ConnectionLimit {
        u32::try_from(number).map_or(ConnectionLimit::Unlimited, ConnectionLimit::AtMost)
    }

    /// The number of sessions, or -1.
    pub fn number(self) -> i64 {
        match self {
            ConnectionLimit::Unlimited => -1,
            ConnectionLimit::AtMost(sessions) => sessions.into(),
        }
    }

    /// Reads what `pg_user_info` says: a number, `UNLIMITED`, or -1 for the same.
    pub fn parse(text: &str) -> Option<ConnectionLimit> {
        match text.trim() {
            "" => None,
            "-1" => Some(ConnectionLimit::Unlimited),
            text if text.eq_ignore_ascii_case("unlimited") => Some(ConnectionLimit::Unlimited),
            text => text.parse().ok().map(ConnectionLimit::AtMost),
        }
    }

    /// As CREATE USER and ALTER USER take it.
    pub(super) fn sql(self) -> Sql {
        match self {
            ConnectionLimit::Unlimited => sql!("CONNECTION LIMIT UNLIMITED"),
            ConnectionLimit::AtMost(sessions) => sql!("CONNECTION LIMIT {}", sessions),
        }
    }
}

impl ValidUntil {
    /// Reads RFC 3339 or `infinity`. Parts of a second do not count: Redshift keeps none. A time that it would lose is refused.
    pub fn parse(text: &str) -> Result<ValidUntil, String> {
        if text == "infinity" {
            return Ok(ValidUntil::Infinity);
        }
        let instant = OffsetDateTime::parse(text, &Rfc3339).map_err(|_| {
            format!("\"{text}\" is neither a time like 2027-01-31T12:00:00Z (RFC 3339) nor \"infinity\".")
        })?;
        if !(EARLIEST..BEYOND).contains(&instant.unix_timestamp()) {
            return Err(format!(
                "Redshift keeps this time as seconds in 32 bits, and would lose \"{text}\" without a word. Write a time from 1902 to 2038-01-18T23:59:59Z, or \"infinity\" for a password that does not end."
            ));
        }
        Ok(ValidUntil::At(to_second(instant)))
    }

    /// Reads what `pg_user` says: `infinity`, or a time such as `2027-01-31 12:00:00+00`. What was lost shows as `invalid`,
    /// and ends nothing.
    pub fn from_server(text: &str) -> Option<ValidUntil> {
        let text = text.trim();
        if text.eq_ignore_ascii_case("infinity") || text.eq_ignore_ascii_case("invalid") {
            return Some(ValidUntil::Infinity);
        }
        let (day, clock) = text.split_once(' ')?;
        let clock = match clock.rfind(['+', '-']) {
            Some(at) => {
                let (time, offset) = clock.split_at(at);
                // `+00`, `+0530` and `+05:30` all occur.
                let digits: String = offset[1..].chars().filter(char::is_ascii_digit).collect();
                let (hours, minutes) = digits.split_at_checked(2)?;
                let minutes = if minutes.is_empty() { "00" } else { minutes };
                format!("{time}{}{hours}:{minutes}", &offset[..1])
            }
            None => format!("{}Z", clock.trim_end_matches("UTC").trim_end()),
        };
        OffsetDateTime::parse(&format!("{day}T{clock}"), &Rfc3339)
            .ok()
            .map(|instant| ValidUntil::At(to_second(instant)))
    }

    /// As a configuration writes it.
    pub fn text(self) -> String {
        match self {
            ValidUntil::Infinity => "infinity".to_owned(),
            ValidUntil::At(instant) => instant.format(&Rfc3339).unwrap_or_else(|_| instant.to_string()),
        }
    }

    /// As CREATE USER and ALTER USER take it.
    pub(super) fn sql(self) -> Sql {
        let text = match self {
            ValidUntil::Infinity => "infinity".to_owned(),
            ValidUntil::At(instant) => format!(
                "{:04}-{:02}-{:02} {:02}:{:02}:{:02}+00",
                instant.year(),
                u8::from(instant.month()),
                instant.day(),
                instant.hour(),
                instant.minute(),
                instant.second()
            ),
        };
        sql!("VALID UNTIL {}", literal(&text))
    }
}

fn to_second(instant: OffsetDateTime) -> OffsetDateTime {
    let utc = instant.to_offset(time::UtcOffset::UTC);
    utc - time::Duration::nanoseconds(i64::from(utc.nanosecond()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_compared_as_instants() {
        let at = |text: &str| ValidUntil::from_server(text);
        let same = ValidUntil::parse("2027-01-31T12:00:00Z").ok();
        for text in [
            "2027-01-31 12:00:00+00",
            "2027-01-31 14:00:00+02",
            "2027-01-31 17:30:00+0530",
            "2027-01-31 17:30:00+05:30",
            "2027-01-31 07:00:00-05",
            "2027-01-31 12:00:00",
            "2027-01-31 12:00:00.25+00",
            "2027-01-31 12:00:00 UTC",
        ] {
            assert_eq!(at(text), same, "{text}");
        }
        assert_eq!(at("infinity"), Some(ValidUntil::Infinity));
        for text in ["", "tomorrow", "2027-13-31 12:00:00+00", "2027-01-31", "2027-01-31 12:00:00+0"] {
            assert_eq!(at(text), None, "{text}");
        }
        assert!(ValidUntil::parse("2027-01-31 12:00").is_err());
        assert_eq!(ValidUntil::parse("infinity"), Ok(ValidUntil::Infinity));
        assert_eq!(same.map(ValidUntil::text).as_deref(), Some("2027-01-31T12:00:00Z"));
        assert_eq!(ValidUntil::Infinity.sql().to_string(), "VALID UNTIL 'infinity'");
        for (text, is_kept) in [
            ("2038-01-18T23:59:59Z", true),
            ("2038-01-19T00:00:00Z", false),
            ("2038-01-19T01:59:59+02:00", true),
            ("2050-01-01T00:00:00Z", false),
            ("1902-01-01T00:00:00Z", true),
            ("1901-12-31T23:59:59Z", false),
        ] {
            assert_eq!(ValidUntil::parse(text).is_ok(), is_kept, "{text}");
        }
        assert_eq!(at("invalid"), Some(ValidUntil::Infinity));
    }

    #[test]
    fn limits_are_read() {
        for (text, limit) in [
            ("UNLIMITED", Some(ConnectionLimit::Unlimited)),
            ("-1", Some(ConnectionLimit::Unlimited)),
            (" 7 ", Some(ConnectionLimit::AtMost(7))),
            ("", None),
            ("many", None),
        ] {
            assert_eq!(ConnectionLimit::parse(text), limit, "{text}");
        }
    }
}
