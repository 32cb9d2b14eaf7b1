//! Registrations of an integration that is worked on by hand: what an apply would send, as scripts for a person, and
//! whether what is there is what they make.

use std::collections::BTreeSet;

use super::changes::{Stage, removal};
use super::found::Detail;
use super::kept::Kept;
use super::mask_key;
use super::registry::{self, Entry, What};
use super::tables::Looked;
use super::wanted::TablesWanted;
use crate::engine::error::Error;
use crate::engine::script::{Script, Writer};
use crate::engine::sql::{Sql, sql};

/// The registry's part of a registration, in words.
pub(super) const ENTRY: &str = "entry in the registry";

/// The scripts of a registration, each list in the order in which to run it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Scripts {
    /// From what was found to what is wanted; nothing, if it is so already.
    pub apply: Vec<Script>,
    /// What takes the registration away.
    pub remove: Vec<Script>,
}

/// The scripts of tables, by what was seen.
pub fn scripts(wanted: &TablesWanted, looked: &Looked, kept: &Kept) -> Result<Scripts, Error> {
    let apply = if looked.lacks(wanted).is_empty() { Vec::new() } else { apply(wanted, looked)? };
    Ok(Scripts { apply, remove: remove(wanted, looked, kept) })
}

fn apply(wanted: &TablesWanted, looked: &Looked) -> Result<Vec<Script>, Error> {
    let (managed, source) = (&wanted.uri.database, &wanted.offer.source.database);
    let seat = &looked.found.inside.seat;
    let entry = Entry { is_done: true, detail: Detail::of(wanted, looked).text()? };
    let mut inside = vec![registry::make(&wanted.uri)];
    if looked.desired.hashes && !seat.has_mask_key {
        inside.extend(mask_key::by_hand(&wanted.uri));
    }
    inside.extend(looked.way.statements(Stage::Inside));
    inside.extend(registry::write(&wanted.uri, What::Tables, &wanted.name, &entry));
    let (before, inside, after) =
        (looked.way.statements(Stage::Before), seat.by_hand(inside), looked.way.statements(Stage::After));
    let copies = seat.by_hand(looked.way.statements(Stage::Copies));
    let is_external = looked.found.source.external.is_some();
    if managed == source && !is_external {
        let all = before.into_iter().chain(inside).chain(after).collect();
        return Ok(together("Offers tables as protected views.", managed, all).into_iter().collect());
    }
    let on_tables = if is_external { each_alone } else { together };
    let claim = if before.is_empty() { Vec::new() } else { seat.by_hand(claim(wanted, looked)?) };
    let scripts = [
        together("Enters the registration, before anything is given for it.", managed, claim),
        on_tables("Lets the system user read the tables.", source, before),
        together("Copies the tables.", managed, copies),
        together("Offers them as protected views.", managed, inside),
        on_tables("Takes back what no view needs any more.", source, after),
    ];
    Ok(scripts.into_iter().flatten().collect())
}

/// The entry of a registration that is begun, so that whoever looks before the last script ran knows what was given for it.
fn claim(wanted: &TablesWanted, looked: &Looked) -> Result<Vec<Sql>, Error> {
    let mut detail = Detail::of(wanted, looked);
    detail.made.extend(looked.found.inside.detail(&wanted.name).into_iter().flat_map(|entered| entered.made));
    detail.views.extend(looked.way.views_before.iter().cloned());
    let entry = Entry { is_done: false, detail: detail.text()? };
    if looked.found.inside.entry(&wanted.name) == Some(&entry) {
        return Ok(Vec::new());
    }
    let write = registry::write(&wanted.uri, What::Tables, &wanted.name, &entry);
    Ok([registry::make(&wanted.uri)].into_iter().chain(write).collect())
}

fn remove(wanted: &TablesWanted, looked: &Looked, kept: &Kept) -> Vec<Script> {
    let (managed, source) = (&wanted.uri.database, &wanted.offer.source.database);
    let removal = removal(wanted, &looked.desired, &looked.found, kept, &looked.way.made);
    let mut inside = removal.views;
    if looked.found.inside.seat.reads_all {
        inside.extend(removal.rights.iter().cloned());
    }
    inside.push(registry::make(&wanted.uri));
    inside.push(registry::delete(&wanted.uri, What::Tables, &wanted.name));
    let mut out = Writer::new("Takes protected views away.", managed);
    out.statement(sql!("BEGIN"));
    out.all(looked.found.inside.seat.by_hand(inside));
    let is_external = looked.found.source.external.is_some();
    let is_one = managed == source && !is_external;
    if is_one {
        out.all(removal.after.clone());
    }
    out.statement(sql!("COMMIT"));
    if !looked.found.inside.seat.reads_all {
        out.remark(
            "Leave out what another registration needs as well: whoever made this script does not see the others.",
        );
        out.all(removal.rights);
    }
    if let Some(schema) = removal.schema {
        out.remark("Leave this out if somebody else has put something there.");
        out.statement(schema);
    }
    let views = out.done(managed);
    let rights = if is_one { Vec::new() } else { removal.after };
    let on_tables = if is_external { each_alone } else { together };
    [Some(views), on_tables("Takes back what was given on the tables.", source, rights)].into_iter().flatten().collect()
}

/// No transaction, as there must be none; none, if there is nothing to do.
fn each_alone(what: &str, database: &str, statements: Vec<Sql>) -> Option<Script> {
    if statements.is_empty() {
        return None;
    }
    let mut out = Writer::new(what, database);
    out.remark("Each by itself: rights on an external schema are given and taken outside of a transaction.");
    out.all(statements);
    Some(out.done(database))
}

/// One transaction; none, if there is nothing to do.
pub(super) fn together(what: &str, database: &str, statements: Vec<Sql>) -> Option<Script> {
    if statements.is_empty() {
        return None;
    }
    let mut out = Writer::new(what, database);
    out.remark("All or nothing.");
    out.statement(sql!("BEGIN"));
    out.all(statements);
    out.statement(sql!("COMMIT"));
    Some(out.done(database))
}

/// Whether a view that binds late is what this statement makes. The warehouse keeps the text as it was sent, of which
/// AWS's own tool for definitions takes the whole to be the statement (amazon-redshift-utils, v_generate_view_ddl).
pub(super) fn is_as_written(text: &str, statement: &Sql) -> bool {
    let statement = statement.to_string();
    let (text, statement) = (one_line(text), one_line(&statement));
    let query = statement.split_once(" AS ").map_or("", |(_, query)| query);
    let unbound = query.strip_suffix("WITH NO SCHEMA BINDING").map(str::trim_end);
    [Some(statement.as_str()), Some(query), unbound].contains(&Some(text.as_str()))
}

/// The text with single blanks between its words, those in texts and names left alone, and no `;` at its end.
fn one_line(text: &str) -> String {
    let mut line = String::with_capacity(text.len());
    let mut quote = None;
    for c in text.trim().trim_end_matches(';').trim_end().chars() {
        match quote {
            None if c.is_whitespace() => {
                if !line.ends_with(' ') {
                    line.push(' ');
                }
                continue;
            }
            None if c == '\'' || c == '"' => quote = Some(c),
            Some(open) if c == open => quote = None,
            _ => {}
        }
        line.push(c);
    }
    line
}

/// Whether a bound view, which the warehouse shows in its own words, says what this statement says: the same texts and the
/// same words in the same order, whatever brackets, casts and full names the warehouse writes.
pub(super) fn says_the_same(text: &str, statement: &Sql) -> bool {
    let statement = one_line(&statement.to_string());
    let query = statement.split_once(" AS ").map_or("", |(_, query)| query);
    let (mut text, mut query) = (words(text), words(query));
    let known: BTreeSet<String> = query.iter().cloned().collect();
    // A type that is written behind a value is a word that the statement does not have.
    text.retain(|word| known.contains(word) || !OF_TYPES.contains(&word.as_str()));
    // A column that keeps its name is not named again.
    text.dedup();
    query.dedup();
    text == query
}

/// The words of types that a server writes behind values.
const OF_TYPES: [&str; 16] = [
    "text",
    "varchar",
    "character",
    "varying",
    "char",
    "bpchar",
    "name",
    "integer",
    "int",
    "bigint",
    "smallint",
    "numeric",
    "boolean",
    "double",
    "precision",
    "regclass",
];

fn is_of_word(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

/// The words of a query in lower case, each text between quotes as one.
fn words(sql: &str) -> Vec<String> {
    let mut words: Vec<String> = Vec::new();
    // Two quotes within a text only cut it in two, on both sides alike.
    for (number, piece) in sql.split('\'').enumerate() {
        if number % 2 == 1 {
            words.push(format!("'{piece}'"));
            continue;
        }
        let mut rest = piece;
        while let Some(start) = rest.find(is_of_word) {
            let word = &rest[start..];
            let end = word.find(|c| !is_of_word(c)).unwrap_or(word.len());
            // Before the columns of a query on one relation, servers of some versions leave its name out: here one letter.
            let is_alias = end == 1 && word[end..].starts_with('.');
            let word = word[..end].to_lowercase();
            if !is_alias && !["pg_catalog", "as"].contains(&word.as_str()) {
                words.push(word);
            }
            rest = &rest[start + end..];
        }
    }
    // Where no ELSE is written, the warehouse writes the one that is meant.
    let mut meant = Vec::with_capacity(words.len());
    for word in words {
        if word == "null" && meant.last().is_some_and(|last: &String| last == "else") {
            meant.pop();
        } else {
            meant.push(word);
        }
    }
    meant
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_the_statement_or_its_query_whatever_the_blanks() {
        let made =
            sql!("CREATE OR REPLACE VIEW \"a\".\"v\" AS\nSELECT 'x  y' AS \"b c\"\nFROM t\nWITH NO SCHEMA BINDING");
        for text in [
            "CREATE OR REPLACE VIEW \"a\".\"v\" AS\nSELECT 'x  y' AS \"b c\"\nFROM t\nWITH NO SCHEMA BINDING",
            "CREATE OR REPLACE VIEW \"a\".\"v\" AS SELECT 'x  y' AS \"b c\" FROM t WITH NO SCHEMA BINDING;",
            " SELECT 'x  y'  AS \"b c\" FROM t",
        ] {
            assert!(is_as_written(text, &made), "{text}");
        }
        for text in [
            "SELECT 'x y' AS \"b c\" FROM t",
            "SELECT 'x  y' AS \"b  c\" FROM t",
            "SELECT 'x  y' AS \"b c\" FROM t2",
            "",
            "CREATE OR REPLACE VIEW \"a\".\"w\" AS SELECT 'x  y' AS \"b c\" FROM t WITH NO SCHEMA BINDING",
        ] {
            assert!(!is_as_written(text, &made), "{text}");
        }
    }

    #[test]
    fn a_bound_view_is_told_by_its_words() {
        let made = sql!(
            "CREATE VIEW v AS SELECT CASE WHEN pg_catalog.strpos(u.g, chr(31) || 'it''s' || chr(31)) > 0 THEN 1 - q.c1 END AS e WHERE x = 'b'"
        );
        let shown = "SELECT CASE WHEN (strpos(u.g, ((chr(31) || 'it''s'::text) || chr(31))) > 0) THEN (1 - q.c1) ELSE NULL::integer END AS e WHERE (x = 'b'::text);";
        assert!(says_the_same(shown, &made));
        assert!(
            says_the_same(&shown.replace("u.g", "g").replace("q.c1", "c1"), &made),
            "without the names of relations"
        );
        for other in [
            ("it''s", "its"),
            ("(1 - q.c1)", "q.c1"),
            ("u.g", "u.h"),
            ("THEN", "OR"),
            ("q.c1", "q.c1 AND q.c2"),
            ("q.c1", "other.c1"),
        ] {
            assert!(!says_the_same(&shown.replace(other.0, other.1), &made), "{other:?}");
        }
        assert!(!says_the_same("SELECT 1", &made));
    }
}
