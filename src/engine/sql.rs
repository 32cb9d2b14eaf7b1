//! SQL text on its way to the warehouse, and the quoting of what is put into it.

use std::fmt;

use secrecy::{ExposeSecret, SecretString};

/// What stands in a statement's printed form where a secret stands in the text that is sent.
pub const REDACTED: &str = "<REDACTED>";

/// One SQL statement. `Display` and `Debug` print the form that is safe to show; where the statement holds a secret,
/// the text that is sent can be opened by the session only.
#[derive(Clone)]
pub struct Sql {
    shown: String,
    sent: Option<SecretString>,
}

impl Sql {
    /// A statement that holds a secret: `text` is sent, `redacted` is printed (with [`REDACTED`] for each secret).
    pub fn secret(text: impl Into<SecretString>, redacted: impl Into<String>) -> Self {
        Self { shown: redacted.into(), sent: Some(text.into()) }
    }

    /// `before`, the secret as a quoted literal, and `after`, in one statement.
    pub fn with_secret(before: &str, secret: &SecretString, after: &str) -> Self {
        let quoted = literal(secret.expose_secret());
        Self::secret(format!("{before}{quoted}{after}"), format!("{before}'{REDACTED}'{after}"))
    }

    /// Whether the text that is sent differs from the one that is printed.
    pub fn holds_secret(&self) -> bool {
        self.sent.is_some()
    }

    /// The text for the wire. Only the session calls it.
    pub(in crate::engine) fn open(&self) -> &str {
        self.sent.as_ref().map_or(self.shown.as_str(), |text| text.expose_secret())
    }

    /// `message` without the secrets of this statement: the warehouse quotes parts of a statement that it refuses.
    pub(in crate::engine) fn scrub(&self, message: &str) -> String {
        self.secrets().into_iter().fold(message.to_owned(), |text, secret| text.replace(secret, REDACTED))
    }

    /// The pieces of the sent text that the printed form hides, found by laying one over the other.
    fn secrets(&self) -> Vec<&str> {
        let Some(sent) = &self.sent else { return Vec::new() };
        let mut rest = sent.expose_secret();
        let mut visible = self.shown.split(REDACTED);
        let Some(tail) = visible.next().and_then(|first| rest.strip_prefix(first)) else { return vec![rest] };
        rest = tail;
        let mut found = Vec::new();
        for piece in visible {
            // An empty last piece means that the secret runs to the end of the text.
            let end = if piece.is_empty() { rest.len() } else { rest.find(piece).unwrap_or(rest.len()) };
            found.push(&rest[..end]);
            rest = &rest[(end + piece.len()).min(rest.len())..];
        }
        found.retain(|secret| !secret.is_empty());
        found
    }
}

impl From<String> for Sql {
    fn from(text: String) -> Self {
        Self { shown: text, sent: None }
    }
}

impl From<&str> for Sql {
    fn from(text: &str) -> Self {
        Self::from(text.to_owned())
    }
}

impl fmt::Display for Sql {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.shown)
    }
}

impl fmt::Debug for Sql {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Sql({:?})", self.shown)
    }
}

/// `name` as a quoted identifier. Only `"` is doubled: inside double quotes a backslash is an ordinary character.
/// The name must have passed [`crate::engine::names::check_name`].
pub fn ident(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

/// `text` as a quoted literal. `'` and `\` are doubled: Redshift's lexer always takes a backslash for an escape and
/// has no `standard_conforming_strings` (comment in RedshiftDatabaseMetaData.java of the AWS JDBC driver).
pub fn literal(text: &str) -> String {
    let mut quoted = String::with_capacity(text.len() + 2);
    quoted.push('\'');
    for c in text.chars() {
        if matches!(c, '\'' | '\\') {
            quoted.push(c);
        }
        quoted.push(c);
    }
    quoted.push('\'');
    quoted
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Reads an identifier as Redshift's lexer does.
    fn read_ident(text: &str) -> Option<(String, &str)> {
        let mut rest = text.strip_prefix('"')?;
        let mut name = String::new();
        loop {
            let end = rest.find('"')?;
            name.push_str(&rest[..end]);
            rest = &rest[end + 1..];
            match rest.strip_prefix('"') {
                Some(more) => {
                    name.push('"');
                    rest = more;
                }
                None => return Some((name, rest)),
            }
        }
    }

    /// Reads a literal as Redshift's lexer does: a backslash takes the next character as it is.
    fn read_literal(text: &str) -> Option<(String, &str)> {
        let body = text.strip_prefix('\'')?;
        let mut value = String::new();
        let mut chars = body.char_indices().peekable();
        while let Some((at, c)) = chars.next() {
            match c {
                '\\' => value.push(chars.next()?.1),
                '\'' if chars.peek().is_some_and(|(_, next)| *next == '\'') => {
                    chars.next();
                    value.push('\'');
                }
                '\'' => return Some((value, &body[at + 1..])),
                _ => value.push(c),
            }
        }
        None
    }

    proptest! {
        #[test]
        fn a_quoted_identifier_reads_back_and_ends_where_it_should(name in ".*", after in "[ ;a-z]{0,8}") {
            let text = format!("{}{after}", ident(&name));
            prop_assert_eq!(read_ident(&text), Some((name, after.as_str())));
        }

        #[test]
        fn a_quoted_literal_reads_back_and_ends_where_it_should(value in "(.|['\\\\\"]){0,40}", after in "[ ;a-z]{0,8}") {
            let text = format!("{}{after}", literal(&value));
            prop_assert_eq!(read_literal(&text), Some((value, after.as_str())));
        }

        #[test]
        fn a_secret_never_shows(secret in "[!-~]{8,64}") {
            let sql = Sql::with_secret("ALTER USER \"u\" PASSWORD ", &SecretString::from(secret.clone()), " VALID UNTIL 'infinity'");
            let text = literal(&secret);
            prop_assert!(sql.open().contains(&text));
            let shown = format!("{sql} {sql:?}");
            prop_assume!(!"ALTER USER \"u\" PASSWORD '<REDACTED>' VALID UNTIL 'infinity' Sql(\\\"".contains(&secret));
            prop_assert!(!shown.contains(&secret));
            let scrubbed = sql.scrub(&format!("syntax error at or near {text}"));
            prop_assert_eq!(scrubbed, "syntax error at or near '<REDACTED>'");
        }
    }

    #[test]
    fn hostile_names_stay_inside_their_quotes() {
        assert_eq!(ident(r#""; DROP TABLE t; --"#), r#""""; DROP TABLE t; --""#);
        assert_eq!(literal(r"\'; DROP TABLE t; --"), r"'\\''; DROP TABLE t; --'");
        assert_eq!(ident(r"a\"), r#""a\""#);
    }

    #[test]
    fn a_plain_statement_is_sent_as_it_is_printed() {
        let sql = Sql::from("SELECT 1");
        assert!(!sql.holds_secret());
        assert_eq!(sql.open(), sql.to_string());
        assert_eq!(format!("{sql:?}"), r#"Sql("SELECT 1")"#);
        assert_eq!(sql.scrub("near SELECT"), "near SELECT");
    }

    #[test]
    fn a_statement_with_a_secret_is_printed_without_it() {
        let sql = Sql::with_secret("PASSWORD ", &SecretString::from("k1"), " CREATEDB");
        assert!(sql.holds_secret());
        assert_eq!(sql.open(), "PASSWORD 'k1' CREATEDB");
        assert_eq!(sql.to_string(), "PASSWORD '<REDACTED>' CREATEDB");
        assert_eq!(format!("{sql:?}"), r#"Sql("PASSWORD '<REDACTED>' CREATEDB")"#);
    }

    #[test]
    fn a_secret_at_the_end_or_twice_is_scrubbed() {
        let sql = Sql::secret("A k1 B k2", "A <REDACTED> B <REDACTED>");
        assert_eq!(sql.scrub("k2 and k1"), "<REDACTED> and <REDACTED>");
        let whole = Sql::secret("quite another text", "A");
        assert_eq!(whole.scrub("near quite another text"), "near <REDACTED>");
    }
}
