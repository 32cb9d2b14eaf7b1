//! SQL text on its way to the warehouse, and the only ways to put something into it.
//!
//! A statement is put together by [`sql!`] from a text that stands in the source and from fragments: quoted names and
//! literals, privileges, numbers, secrets, other statements. No `String` becomes SQL, so nothing that was read from a
//! configuration, from AWS or from a warehouse can end a name or a literal and begin something else:
//!
//! ```
//! use terraform_provider_redshift::engine::sql::{Quoted, Sql, ident};
//!
//! fn shown(statement: &Sql, name: &Quoted) -> String {
//!     format!("{statement} {name}")
//! }
//! assert_eq!(ident("a\"b").to_string(), "\"a\"\"b\"");
//! ```
//!
//! ```compile_fail,E0277
//! use terraform_provider_redshift::engine::sql::{Quoted, Sql, ident};
//!
//! let name = String::from("u; ALTER USER mallory CREATEUSER");
//! let statement = Sql::from(format!("DROP USER {name}"));
//! ```
//!
//! ```compile_fail,E0277
//! use terraform_provider_redshift::engine::sql::{Fragment, Quoted, Sql, ident};
//!
//! fn put(_: &dyn Fragment) {}
//! put(&String::from("u; ALTER USER mallory CREATEUSER"));
//! ```

use std::borrow::{Borrow, Cow};
use std::fmt;
use std::ops::Deref;

use secrecy::{ExposeSecret, SecretString};

use crate::engine::error::{shown, shown_in_lines};
use crate::engine::names::is_plain_identifier;
use crate::engine::rights::{Privilege, Rights};

/// What stands in a statement's printed form where a secret stands in the text that is sent.
pub const REDACTED: &str = "<REDACTED>";

/// One SQL statement, or a part of one. `Display` and `Debug` print the form that is safe to show; where the statement
/// holds a secret, the text that is sent can be opened by the session only.
#[derive(Clone)]
pub struct Sql {
    shown: String,
    sent: Option<SecretString>,
}

/// A statement from a text in the source, with a fragment for each hole: `{}` takes the next one, `{0}` one by its place.
/// How many there are is checked when the source is compiled.
macro_rules! sql {
    ($template:literal $(, $fragment:expr)* $(,)?) => {{
        const {
            assert!(
                $crate::engine::sql::holes($template) == <[&str]>::len(&[$(stringify!($fragment)),*]),
                "a template needs one fragment for each hole"
            );
        }
        $crate::engine::sql::Sql::put($template, &[$(&$fragment as &dyn $crate::engine::sql::Fragment),*])
    }};
}
pub(crate) use sql;

/// How many fragments a template takes.
pub(crate) const fn holes(template: &str) -> usize {
    let text = template.as_bytes();
    let (mut at, mut next, mut most) = (0, 0, 0);
    while at < text.len() {
        if text[at] == b'{' {
            at += 1;
            if text[at] == b'}' {
                next += 1;
            } else {
                let mut index = 0;
                while text[at] != b'}' {
                    assert!(text[at].is_ascii_digit(), "a hole is empty or holds a number");
                    index = index * 10 + (text[at] - b'0') as usize;
                    at += 1;
                }
                if index + 1 > most {
                    most = index + 1;
                }
            }
        }
        at += 1;
    }
    if next > most { next } else { most }
}

impl Sql {
    /// [`sql!`] calls it, which takes care that the template is a text of the source.
    pub(crate) fn put(template: &'static str, fragments: &[&dyn Fragment]) -> Self {
        let mut writing = Writing { shown: String::with_capacity(template.len() + 32), sent: None };
        let (mut rest, mut next) = (template, fragments.iter());
        while let Some((before, after)) = rest.split_once('{') {
            writing.text(before);
            let (index, after) = after.split_once('}').unwrap_or(("", after));
            let fragment = match index.parse::<usize>() {
                Ok(index) => fragments.get(index),
                Err(_) => next.next(),
            };
            if let Some(fragment) = fragment {
                fragment.write(&mut writing);
            }
            rest = after;
        }
        writing.text(rest);
        writing.done()
    }

    /// One after the other, with a text of the source between them.
    pub fn join<F: Fragment>(separator: &'static str, fragments: impl IntoIterator<Item = F>) -> Self {
        let mut writing = Writing { shown: String::new(), sent: None };
        for (index, fragment) in fragments.into_iter().enumerate() {
            if index > 0 {
                writing.text(separator);
            }
            fragment.write(&mut writing);
        }
        writing.done()
    }

    /// The body of a procedure between dollar quotes, which it cannot leave: if it holds the usual tag, another is taken.
    pub fn dollar_quoted(body: &Sql) -> Self {
        let mut writing = Writing { shown: String::new(), sent: None };
        let mut tag = "$rs_body$".to_owned();
        let mut number = 0;
        while body.open().contains(&tag) {
            number += 1;
            tag = format!("$rs_body_{number}$");
        }
        writing.text(&tag);
        body.write(&mut writing);
        writing.text(&tag);
        writing.done()
    }

    /// How many bytes are sent.
    pub fn length(&self) -> usize {
        self.open().len()
    }

    /// Whether the text that is sent differs from the one that is printed.
    pub fn holds_secret(&self) -> bool {
        self.sent.is_some()
    }

    /// Whether there is nothing in it.
    pub fn is_empty(&self) -> bool {
        self.shown.is_empty()
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

/// A statement that is being put together.
pub struct Writing {
    shown: String,
    sent: Option<String>,
}

impl Writing {
    fn text(&mut self, text: &str) {
        self.shown.push_str(text);
        if let Some(sent) = &mut self.sent {
            sent.push_str(text);
        }
    }

    fn hidden(&mut self, shown: &str, sent: &str) {
        self.sent.get_or_insert_with(|| self.shown.clone()).push_str(sent);
        self.shown.push_str(shown);
    }

    fn done(self) -> Sql {
        Sql { shown: self.shown, sent: self.sent.map(SecretString::from) }
    }
}

/// What can be put into a statement. Only this file can write into one, so no other type can come to be a fragment.
pub trait Fragment {
    #[doc(hidden)]
    fn write(&self, into: &mut Writing);
}

impl<F: Fragment + ?Sized> Fragment for &F {
    fn write(&self, into: &mut Writing) {
        (**self).write(into);
    }
}

impl Fragment for Sql {
    fn write(&self, into: &mut Writing) {
        match &self.sent {
            Some(sent) => into.hidden(&self.shown, sent.expose_secret()),
            None => into.text(&self.shown),
        }
    }
}

impl Fragment for Quoted {
    fn write(&self, into: &mut Writing) {
        into.text(&self.0);
    }
}

/// As a list, such as `SELECT, INSERT`.
impl Fragment for Rights {
    fn write(&self, into: &mut Writing) {
        into.text(&self.to_string());
    }
}

impl Fragment for Privilege {
    fn write(&self, into: &mut Writing) {
        into.text(self.name());
    }
}

macro_rules! numbers {
    ($($number:ty),*) => {$(
        impl Fragment for $number {
            fn write(&self, into: &mut Writing) {
                into.text(&self.to_string());
            }
        }
    )*};
}
numbers!(i32, i64, u32, u64, u128, usize);

/// A secret as a quoted literal, of which the printed form shows only that it is there.
pub struct Secret<'a>(&'a SecretString);

impl Fragment for Secret<'_> {
    fn write(&self, into: &mut Writing) {
        into.hidden(&format!("'{REDACTED}'"), &literal(self.0.expose_secret()));
    }
}

/// `text` as a quoted literal that no printed form shows.
pub fn secret(text: &SecretString) -> Secret<'_> {
    Secret(text)
}

/// As it is sent, but for secrets, and for what could deceive a reader: a name that somebody gave may hold what moves a
/// terminal's cursor, and a line break in it would begin a line of its own.
impl fmt::Display for Sql {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&printed(&self.shown))
    }
}

fn printed(text: &str) -> Cow<'_, str> {
    let broken = text.contains('\n') && text.contains(['"', '\'']);
    if !broken {
        return shown_in_lines(text);
    }
    let mut printed = String::with_capacity(text.len() + 16);
    let (mut quote, mut comment) = (None, false);
    let mut begun = 0;
    for (at, c) in text.char_indices() {
        match (quote, c) {
            (Some(open), c) if open == c => {
                printed.push_str(&shown(&text[begun..at]));
                (quote, begun) = (None, at);
            }
            (None, '"' | '\'') if !comment => {
                printed.push_str(&shown_in_lines(&text[begun..at]));
                (quote, begun) = (Some(c), at);
            }
            (None, '-') if text[at..].starts_with("--") => comment = true,
            (None, '\n') => comment = false,
            _ => {}
        }
    }
    printed.push_str(&shown_in_lines(&text[begun..]));
    Cow::Owned(printed)
}

impl fmt::Debug for Sql {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Sql({:?})", self.shown)
    }
}

/// By what is shown, and whether there is a secret in it.
impl PartialEq for Sql {
    fn eq(&self, other: &Self) -> bool {
        self.shown == other.shown && self.holds_secret() == other.holds_secret()
    }
}

impl Eq for Sql {}

/// A name or a literal in its quotes, or a name that needs none.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Quoted(String);

impl Deref for Quoted {
    type Target = str;

    fn deref(&self) -> &str {
        &self.0
    }
}

impl Borrow<str> for Quoted {
    fn borrow(&self) -> &str {
        &self.0
    }
}

/// For people: on one line, whatever is in the name. SQL is put together by [`sql!`].
impl fmt::Display for Quoted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&shown(&self.0))
    }
}

impl From<Quoted> for String {
    fn from(quoted: Quoted) -> String {
        quoted.0
    }
}

/// `name` as a quoted identifier. Only `"` is doubled: inside double quotes a backslash is an ordinary character.
/// The name must have passed [`crate::engine::names::check_name`].
pub fn ident(name: &str) -> Quoted {
    Quoted(format!("\"{}\"", name.replace('"', "\"\"")))
}

/// `name` as it is where it is a plain identifier, else quoted: GRANT on procedures takes no quoted names (AWS: GRANT,
/// usage notes), and every other name is safe only in quotes.
pub fn bare(name: &str) -> Quoted {
    if is_plain_identifier(name) { Quoted(name.to_owned()) } else { ident(name) }
}

/// `text` as a quoted literal. `'` and `\` are doubled: Redshift's lexer always takes a backslash for an escape and
/// has no `standard_conforming_strings` (comment in RedshiftDatabaseMetaData.java of the AWS JDBC driver).
pub fn literal(text: &str) -> Quoted {
    let mut quoted = String::with_capacity(text.len() + 2);
    quoted.push('\'');
    for c in text.chars() {
        if matches!(c, '\'' | '\\') {
            quoted.push(c);
        }
        quoted.push(c);
    }
    quoted.push('\'');
    Quoted(quoted)
}

/// Any text, for tests that play somebody else.
#[cfg(test)]
pub(in crate::engine) fn raw(text: &str) -> Sql {
    Sql { shown: text.to_owned(), sent: None }
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
            let text = format!("{}{after}", &*ident(&name));
            prop_assert_eq!(read_ident(&text), Some((name, after.as_str())));
        }

        #[test]
        fn a_name_is_bare_only_where_quotes_make_no_difference(name in "[a-z_0-9$]{0,8}|.*") {
            let text = String::from(bare(&name));
            if text == name {
                prop_assert!(is_plain_identifier(&name));
            } else {
                prop_assert_eq!(read_ident(&text), Some((name, "")));
            }
        }

        #[test]
        fn a_body_cannot_leave_its_quotes(body in "(\\$rs_body(_1)?\\$|[$a-z ]){0,12}") {
            let quoted = Sql::dollar_quoted(&raw(&body)).to_string();
            let tag_end = quoted[1..].find('$').expect("a tag") + 2;
            let (tag, rest) = quoted.split_at(tag_end);
            prop_assert_eq!(rest.find(tag), Some(body.len()));
        }

        #[test]
        fn a_quoted_literal_reads_back_and_ends_where_it_should(value in "(.|['\\\\\"]){0,40}", after in "[ ;a-z]{0,8}") {
            let text = format!("{}{after}", &*literal(&value));
            prop_assert_eq!(read_literal(&text), Some((value, after.as_str())));
        }

        #[test]
        fn a_secret_never_shows(secret in "[!-~]{8,64}") {
            let sql = sql!("ALTER USER {} PASSWORD {} VALID UNTIL 'infinity'", ident("u"), super::secret(&SecretString::from(secret.clone())));
            let text = literal(&secret);
            prop_assert!(sql.open().contains(&*text));
            let shown = format!("{sql} {sql:?}");
            prop_assume!(!"ALTER USER \"u\" PASSWORD '<REDACTED>' VALID UNTIL 'infinity' Sql(\\\"".contains(&secret));
            prop_assert!(!shown.contains(&secret));
            let scrubbed = sql.scrub(&format!("syntax error at or near {text}"));
            prop_assert_eq!(scrubbed, "syntax error at or near '<REDACTED>'");
        }
    }

    #[test]
    fn hostile_names_stay_inside_their_quotes() {
        assert_eq!(&*ident(r#""; DROP TABLE t; --"#), r#""""; DROP TABLE t; --""#);
        assert_eq!(&*literal(r"\'; DROP TABLE t; --"), r"'\\''; DROP TABLE t; --'");
        assert_eq!(&*ident(r"a\"), r#""a\""#);
        let name = "finance; SET SESSION AUTHORIZATION DEFAULT; ALTER USER mallory CREATEUSER; --";
        assert_eq!(&*bare(name), format!("\"{name}\""));
        assert_eq!(&*bare("immuta_system"), "immuta_system");
    }

    #[test]
    fn a_name_that_would_deceive_a_reader_is_printed_escaped_and_sent_as_it_is() {
        let name = "a\u{1b}[2J\"\u{202e}\nError: fake";
        let sql = sql!("-- the user's\nDROP TABLE {}\n  -- it's {}", ident(name), literal("x\ny"));
        assert!(sql.open().contains("\u{1b}[2J\"\"\u{202e}\nError: fake\"\n"));
        assert_eq!(
            sql.to_string(),
            "-- the user's\nDROP TABLE \"a\\u{1b}[2J\"\"\\u{202e}\\nError: fake\"\n  -- it's 'x\ny'"
        );
        assert_eq!(sql!("SELECT {},\n {}", literal("x\ny"), ident("b\tc")).to_string(), "SELECT 'x\\ny',\n \"b\\tc\"");
    }

    #[test]
    fn fragments_fill_the_holes_in_order_or_by_place() {
        let rights = Rights::READ_WRITE;
        let statement = sql!("GRANT {} ON {} TO {}", rights, ident("a b"), bare("c"));
        assert_eq!(statement.to_string(), "GRANT SELECT, INSERT, UPDATE, DELETE ON \"a b\" TO c");
        assert_eq!(sql!("{1} {0} {1}", 1u32, literal("x")).to_string(), "'x' 1 'x'");
        assert_eq!(Sql::join(", ", [ident("a"), ident("b")]).to_string(), "\"a\", \"b\"");
        assert_eq!((holes("a"), holes("{} {}"), holes("{2} {0}")), (0, 2, 3));
        // A hole in what is put in is no hole.
        assert_eq!(sql!("{} {}", literal("{}"), 2u32).to_string(), "'{}' 2");
    }

    #[test]
    fn a_plain_statement_is_sent_as_it_is_printed() {
        let sql = sql!("SELECT 1");
        assert!(!sql.holds_secret());
        assert_eq!(sql.open(), sql.to_string());
        assert_eq!(format!("{sql:?}"), r#"Sql("SELECT 1")"#);
        assert_eq!(sql.scrub("near SELECT"), "near SELECT");
    }

    #[test]
    fn a_statement_with_a_secret_is_printed_without_it() {
        let sql = sql!("PASSWORD {} CREATEDB", secret(&SecretString::from("k1")));
        assert!(sql.holds_secret());
        assert_eq!(sql.open(), "PASSWORD 'k1' CREATEDB");
        assert_eq!(sql.to_string(), "PASSWORD '<REDACTED>' CREATEDB");
        assert_eq!(format!("{sql:?}"), r#"Sql("PASSWORD '<REDACTED>' CREATEDB")"#);
        let around = sql!("A {} B", sql);
        assert_eq!(
            (around.open(), around.to_string().as_str()),
            ("A PASSWORD 'k1' CREATEDB B", "A PASSWORD '<REDACTED>' CREATEDB B")
        );
    }

    #[test]
    fn a_secret_at_the_end_or_twice_is_scrubbed() {
        let (one, two) = (SecretString::from("k1"), SecretString::from("k2"));
        let sql = sql!("A {} B {}", secret(&one), secret(&two));
        assert_eq!(sql.scrub("k2 and k1"), "<REDACTED> and <REDACTED>");
        let whole = Sql { shown: "A".into(), sent: Some("quite another text".into()) };
        assert_eq!(whole.scrub("near quite another text"), "near <REDACTED>");
    }
}
