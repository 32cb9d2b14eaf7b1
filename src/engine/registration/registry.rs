//! The registry of an integration: one entry for each registration, in its own words. It tells two registrations apart,
//! and says what a run that was cut short had begun. What is dropped and revoked is named by configuration and private
//! state, which an entry can only narrow; of views in the schema that is ours, it also tells what an import does not know.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::seat::Seat;
use super::uri::IntegrationUri;
use crate::engine::catalog::At;
use crate::engine::error::Error;
use crate::engine::session::Session;
use crate::engine::sql::{Sql, literal, sql};

/// The table of `<prefix>_system`.
pub(in crate::engine) use crate::engine::bootstrap::REGISTRATION as TABLE;

/// The longest text in one row: a varchar takes 65,535 bytes (AWS: Character types).
const LONGEST: usize = 60_000;

/// What is registered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum What {
    /// Users with their profiles.
    Profiles,
    /// Tables as protected views.
    Tables,
}

impl What {
    /// As it stands in the table.
    pub fn word(self) -> &'static str {
        match self {
            What::Profiles => "profiles",
            What::Tables => "tables",
        }
    }

    fn from_word(word: &str) -> Option<What> {
        [What::Profiles, What::Tables].into_iter().find(|what| what.word() == word)
    }
}

/// An entry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Whether a run ended that made it. Otherwise one began, and may have made any part of it.
    pub is_done: bool,
    /// What it is about, as JSON.
    pub detail: String,
}

/// All entries, by what and name.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Registry(pub BTreeMap<(What, String), Entry>);

impl Registry {
    /// Reads it. Where its table is not there, nothing is registered.
    pub async fn read(session: &mut Session, seat: &Seat) -> Result<Registry, Error> {
        if !seat.has_registry {
            return Ok(Registry::default());
        }
        let query =
            sql!("SELECT kind, name, status, detail FROM {} ORDER BY kind, name, part", seat.uri.relation(TABLE));
        let mut registry = Registry::default();
        for row in session.query(&query).await? {
            // Of a newer version of this provider.
            let Some(what) = What::from_word(row.text(0)?) else { continue };
            let entry = registry
                .0
                .entry((what, row.text(1)?.to_owned()))
                .or_insert_with(|| Entry { is_done: true, detail: String::new() });
            entry.is_done &= row.text(2)? == DONE;
            entry.detail.push_str(row.get(3).unwrap_or_default());
        }
        Ok(registry)
    }

    /// The same, read once for all registrations of a plan.
    pub async fn shared(at: At<'_>, seat: &Seat) -> Result<Arc<Registry>, Error> {
        let read = || async {
            let mut session = at.warehouse.session(at.database, at.cancel).await?;
            Registry::read(&mut session, seat).await
        };
        at.warehouse.catalog().shared(at, &format!("registry {}", seat.uri.prefix), read).await
    }

    /// The entry of one registration.
    pub fn entry(&self, what: What, name: &str) -> Option<&Entry> {
        self.0.get(&(what, name.to_owned()))
    }

    /// The other registrations of its kind, by name.
    pub fn others(&self, what: What, name: &str) -> impl Iterator<Item = (&str, &Entry)> {
        let others = self.0.iter().filter(move |((kind, other), _)| *kind == what && other != name);
        others.map(|((_, other), entry)| (other.as_str(), entry))
    }
}

const DONE: &str = "done";
const BEGUN: &str = "begun";

/// Makes the table.
pub fn make(uri: &IntegrationUri) -> Sql {
    sql!(
        "CREATE TABLE IF NOT EXISTS {} (kind varchar(16) NOT NULL, name varchar(127) NOT NULL, status varchar(16) NOT NULL, part integer NOT NULL, detail varchar(65535) NOT NULL) DISTSTYLE ALL",
        uri.relation(TABLE)
    )
}

/// Writes an entry in place of the one that is there.
pub fn write(uri: &IntegrationUri, what: What, name: &str, entry: &Entry) -> Vec<Sql> {
    let status = if entry.is_done { DONE } else { BEGUN };
    let row = |(part, text): (usize, &str)| {
        sql!("({}, {}, {}, {}, {})", literal(what.word()), literal(name), literal(status), part, literal(text))
    };
    let rows = pieces(&entry.detail).into_iter().enumerate().map(row);
    let insert =
        sql!("INSERT INTO {} (kind, name, status, part, detail) VALUES {}", uri.relation(TABLE), Sql::join(", ", rows));
    vec![delete(uri, what, name), insert]
}

/// Takes an entry out.
pub fn delete(uri: &IntegrationUri, what: What, name: &str) -> Sql {
    sql!("DELETE FROM {} WHERE kind = {} AND name = {}", uri.relation(TABLE), literal(what.word()), literal(name))
}

/// The text in pieces that fit a row; at least one.
fn pieces(text: &str) -> Vec<&str> {
    let mut pieces = Vec::new();
    let mut rest = text;
    while rest.len() > LONGEST {
        let cut = (0..=LONGEST).rev().find(|at| rest.is_char_boundary(*at)).unwrap_or_default();
        let (piece, after) = rest.split_at(cut);
        pieces.push(piece);
        rest = after;
    }
    pieces.push(rest);
    pieces
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_text_is_cut_between_letters_and_nothing_is_lost() {
        for text in [String::new(), "short".to_owned(), "ü".repeat(70_000), format!("a{}", "€".repeat(50_000))] {
            let pieces = pieces(&text);
            assert_eq!(pieces.concat(), text);
            assert!(pieces.iter().all(|piece| piece.len() <= LONGEST));
        }
        assert_eq!(pieces(&"x".repeat(LONGEST + 1)).len(), 2);
        assert_eq!(pieces("").len(), 1, "an entry without a text is one too");
    }
}
