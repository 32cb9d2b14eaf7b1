//! Names on their way to PostgreSQL and back.
//!
//! Redshift keeps users, groups and roles apart; PostgreSQL has one name space, so groups and roles carry a control
//! character that no Redshift name may have. PostgreSQL cuts names at 63 bytes, Redshift allows 127: a longer name
//! travels as a digest and is put back in every answer.

use std::borrow::Cow;
use std::collections::HashMap;
use std::sync::{PoisonError, RwLock};

use sha2::{Digest, Sha256};

use crate::refusal::Refusal;

/// Before a group's name in PostgreSQL.
pub const GROUP: char = '\u{1}';
/// Before a role's name in PostgreSQL.
pub const ROLE: char = '\u{2}';
/// Before the name of a helper role that carries a scoped grant.
pub const SCOPE: char = '\u{4}';

/// What a name names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Users keep their case when quoted.
    User,
    /// See [`GROUP`].
    Group,
    /// See [`ROLE`].
    Role,
    /// Databases, schemas, relations, columns, routines.
    Object,
}

/// The names that were too long for PostgreSQL.
#[derive(Debug, Default)]
pub struct Names {
    long: RwLock<HashMap<String, String>>,
}

/// Longest name of PostgreSQL, bytes.
const POSTGRES_MAX: usize = 63;
/// Longest name of Redshift, bytes (AWS: Names and identifiers).
const REDSHIFT_MAX: usize = 127;
const PLAIN: &str = "long_";
const ODD: &str = "long~";

impl Names {
    /// The name as PostgreSQL is given it. Refuses what Redshift would cut or cannot hold.
    pub fn postgres(&self, kind: Kind, name: &str) -> Result<String, Refusal> {
        if name.chars().any(char::is_control) {
            return Err(Refusal::new("42602", "a name holds a control character"));
        }
        if name.len() > REDSHIFT_MAX {
            let detail =
                format!("Redshift would cut it at {REDSHIFT_MAX} bytes without a word; the stand-in refuses it.");
            let mut refusal = Refusal::new("42622", format!("identifier of {} bytes is too long", name.len()));
            refusal.detail = Some(detail);
            return Err(refusal);
        }
        let (prefix, room) = match kind {
            Kind::Group => (Some(GROUP), POSTGRES_MAX - 1),
            Kind::Role => (Some(ROLE), POSTGRES_MAX - 1),
            Kind::User | Kind::Object => (None, POSTGRES_MAX),
        };
        let short = if name.len() > room { self.shorten(name) } else { name.to_owned() };
        Ok(prefix.into_iter().chain(short.chars()).collect())
    }

    fn shorten(&self, name: &str) -> String {
        let plain = name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_');
        let digest: String = Sha256::digest(name).iter().take(16).map(|b| format!("{b:02x}")).collect();
        let short = format!("{}{digest}", if plain { PLAIN } else { ODD });
        let mut long = self.long.write().unwrap_or_else(PoisonError::into_inner);
        long.entry(short.clone()).or_insert_with(|| name.to_owned());
        short
    }

    /// The digest of a literal that is a known long name, or a LIKE pattern around one.
    pub fn in_literal<'a>(&self, value: &'a str) -> Cow<'a, str> {
        if value.len() < POSTGRES_MAX {
            return Cow::Borrowed(value);
        }
        let long = self.long.read().unwrap_or_else(PoisonError::into_inner);
        let core = value.trim_matches('%');
        let bare = core.replace('\\', "");
        match long.iter().find(|(_, name)| *name == core || **name == bare) {
            Some((short, _)) => Cow::Owned(value.replacen(core, short, 1)),
            None => Cow::Borrowed(value),
        }
    }

    /// Puts long names back wherever their digests stand in `text`. `None` when nothing changed.
    pub fn restore(&self, text: &str) -> Option<String> {
        if !text.contains("long") {
            return None;
        }
        let long = self.long.read().unwrap_or_else(PoisonError::into_inner);
        let mut out: Option<String> = None;
        for (short, name) in long.iter() {
            let current = out.as_deref().unwrap_or(text);
            if !current.contains(short.as_str()) {
                continue;
            }
            let escaped = name.replace('"', "\"\"");
            out =
                Some(current.replace(&format!("\"{short}\""), &format!("\"{escaped}\"")).replace(short.as_str(), name));
        }
        out
    }
}

/// Folds ASCII letters, and only those (AWS: "ASCII letters in standard and delimited identifiers are case-insensitive
/// and are folded to lowercase").
pub fn fold(name: &str) -> String {
    name.to_ascii_lowercase()
}

/// Quoted identifier for PostgreSQL.
pub fn ident(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

/// String literal for a PostgreSQL that runs with `standard_conforming_strings = off`.
pub fn literal(text: &str) -> String {
    format!("'{}'", text.replace('\\', "\\\\").replace('\'', "''"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_names_come_back() {
        let names = Names::default();
        let plain = "a".repeat(127);
        let odd = format!("Ä\"{}", "b".repeat(100));
        for name in [&plain, &odd] {
            let short = names.postgres(Kind::Role, name).expect("fits");
            assert!(short.len() <= POSTGRES_MAX);
            assert_eq!(names.restore(&short[1..]).as_deref(), Some(name.as_str()));
        }
        let short = names.postgres(Kind::User, &odd).expect("fits");
        assert_eq!(names.restore(&format!("\"{short}\"=r/x")), Some(format!("\"{}\"=r/x", odd.replace('"', "\"\""))));
        assert_eq!(
            names.in_literal(&format!("%{plain}%")),
            format!("%{}%", names.postgres(Kind::User, &plain).expect("fits"))
        );
    }

    #[test]
    fn short_names_stay_and_impossible_ones_are_refused() {
        let names = Names::default();
        assert_eq!(names.postgres(Kind::User, "Ann").expect("fits"), "Ann");
        assert_eq!(names.postgres(Kind::Group, "g").expect("fits"), "\u{1}g");
        assert_eq!(names.postgres(Kind::User, &"x".repeat(128)).expect_err("too long").sqlstate, "42622");
        assert_eq!(names.postgres(Kind::User, "a\u{1}b").expect_err("control").sqlstate, "42602");
        assert_eq!(names.restore("long_0123"), None);
    }
}
