//! Registrations of an integration that is worked on by hand: what an apply would send, as scripts for a person, and
//! whether what is there is what they make.

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
    let has_entry = looked.found.inside.entry(&wanted.name).is_some() || !looked.found.inside.seat.reads_all;
    let is_done = looked.way.changes.is_empty() && has_entry;
    let apply = if is_done { Vec::new() } else { apply(wanted, looked)? };
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
    if managed == source {
        let all = before.into_iter().chain(inside).chain(after);
        return Ok(together("Offers tables as protected views.", managed, all).into_iter().collect());
    }
    let scripts = [
        together("Lets the system user read the tables.", source, before),
        together("Offers them as protected views.", managed, inside),
        together("Takes back what no view needs any more.", source, after),
    ];
    Ok(scripts.into_iter().flatten().collect())
}

fn remove(wanted: &TablesWanted, looked: &Looked, kept: &Kept) -> Vec<Script> {
    let (managed, source) = (&wanted.uri.database, &wanted.offer.source.database);
    let removal = removal(wanted, &looked.desired, &looked.found, kept, &looked.way.made);
    let mut inside = removal.inside;
    inside.push(registry::make(&wanted.uri));
    inside.push(registry::delete(&wanted.uri, What::Tables, &wanted.name));
    let mut out = Writer::new("Takes protected views away.", managed);
    out.statement(sql!("BEGIN"));
    out.all(looked.found.inside.seat.by_hand(inside));
    if managed == source {
        out.all(removal.after.clone());
    }
    out.statement(sql!("COMMIT"));
    if let Some(schema) = removal.schema {
        out.remark("Leave this out if somebody else has put something there.");
        out.statement(schema);
    }
    let views = out.done(managed);
    let rights = if managed == source { Vec::new() } else { removal.after };
    [Some(views), together("Takes back what was given on the tables.", source, rights)].into_iter().flatten().collect()
}

/// One transaction; none, if there is nothing to do.
pub(super) fn together(what: &str, database: &str, statements: impl IntoIterator<Item = Sql>) -> Option<Script> {
    let mut statements = statements.into_iter().peekable();
    statements.peek()?;
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

/// Whether a bound view, which the warehouse shows in its own words, speaks of what this statement speaks of: the same
/// texts in the same order.
pub(super) fn says_the_same(text: &str, statement: &Sql) -> bool {
    texts(text) == texts(&statement.to_string())
}

/// The texts between single quotes, in their order.
fn texts(sql: &str) -> Vec<&str> {
    // Two quotes within a text only cut it in two, on both sides alike.
    sql.split('\'').skip(1).step_by(2).collect()
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
    fn a_bound_view_is_told_by_its_texts() {
        let made = sql!("CREATE VIEW v AS SELECT strpos(u.g, chr(31) || 'it''s' || chr(31)) WHERE x = 'b'");
        assert!(says_the_same("SELECT strpos(u.g, (chr(31) || 'it''s'::text)) WHERE (x = 'b'::text);", &made));
        assert!(!says_the_same("SELECT strpos(u.g, (chr(31) || 'its'::text)) WHERE (x = 'b'::text);", &made));
        assert!(!says_the_same("SELECT 1", &made));
    }
}
