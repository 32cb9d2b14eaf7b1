//! The schemas of a database, without the system's.

use std::collections::BTreeSet;

use tokio_util::sync::CancellationToken;

use crate::engine::catalog::At;
use crate::engine::error::Error;
use crate::engine::names::{check_name, fold_ascii};
use crate::engine::session::warehouse::Warehouse;

/// A schema.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SchemaInfo {
    pub name: String,
    pub owner: String,
    /// `local`, or `external`.
    pub kind: &'static str,
}

/// Which schemas are asked for, by LIKE patterns of their names (`%` for any characters, `_` for one, `\` before either
/// for itself).
#[derive(Clone, Debug, Default)]
pub struct Names {
    /// A name has to match one of them; `None`: every name does.
    pub like: Option<Vec<String>>,
    /// And none of these.
    pub not_like: Vec<String>,
}

impl Names {
    /// From one pattern, or several; and without some.
    pub fn new(like: Option<String>, like_any: Option<BTreeSet<String>>, not_like: Option<BTreeSet<String>>) -> Self {
        let several = || like_any.map(|several| several.into_iter().collect());
        Names { like: like.map(|one| vec![one]).or_else(several), not_like: not_like.into_iter().flatten().collect() }
    }

    /// Whether a name is among them; without `case_sensitive` ASCII letters are folded.
    pub fn include(&self, name: &str, case_sensitive: bool) -> bool {
        let matches = |pattern: &String| is_like(name, pattern, case_sensitive);
        self.like.as_ref().is_none_or(|like| like.iter().any(matches)) && !self.not_like.iter().any(matches)
    }
}

/// The schemas that are asked for, by name.
pub async fn schemas(
    warehouse: &Warehouse,
    database: &str,
    names: &Names,
    cancel: &CancellationToken,
) -> Result<Vec<SchemaInfo>, Error> {
    check_name(database).map_err(|problem| Error::setting("database", format!("In database: {problem}.")))?;
    let at = At::new(warehouse, database, cancel);
    let catalog = warehouse.catalog();
    let snapshot = catalog.snapshot(at, None).await.map_err(|error| match error.sqlstate() {
        Some("3D000") => crate::engine::datastore::refusal::no_database(database, &error),
        _ => error,
    })?;
    let principals = catalog.principals(at).await?;
    let external = catalog.external_schemas(at).await?;
    let case_sensitive = snapshot.login.case_sensitive;
    let is_external = |name: &str| external.has(name, case_sensitive);
    Ok(snapshot
        .schemas
        .iter()
        .filter(|schema| names.include(&schema.name, case_sensitive))
        .map(|schema| SchemaInfo {
            name: schema.name.clone(),
            owner: principals.name_of(schema.owner),
            kind: if is_external(&schema.name) { "external" } else { "local" },
        })
        .collect())
}

/// Whether a name matches a LIKE pattern; without `case_sensitive` ASCII letters are folded.
fn is_like(name: &str, pattern: &str, case_sensitive: bool) -> bool {
    let (name, pattern) =
        if case_sensitive { (name.to_owned(), pattern.to_owned()) } else { (fold_ascii(name), fold_ascii(pattern)) };
    let name: Vec<char> = name.chars().collect();
    let mut parts = Vec::new();
    let mut letters = pattern.chars();
    while let Some(letter) = letters.next() {
        parts.push(match letter {
            '%' => Part::Any,
            '_' => Part::One,
            '\\' => Part::Letter(letters.next().unwrap_or('\\')),
            letter => Part::Letter(letter),
        });
    }
    // The places in the name that the pattern so far can have led to.
    let mut places = vec![false; name.len() + 1];
    places[0] = true;
    for part in parts {
        let mut next = vec![false; name.len() + 1];
        for at in (0..places.len()).filter(|at| places[*at]) {
            match part {
                Part::Any => next[at..].fill(true),
                Part::One if at < name.len() => next[at + 1] = true,
                Part::Letter(letter) if name.get(at) == Some(&letter) => next[at + 1] = true,
                Part::One | Part::Letter(_) => {}
            }
        }
        places = next;
    }
    places[name.len()]
}

#[derive(Clone, Copy)]
enum Part {
    Any,
    One,
    Letter(char),
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_match_as_like_does() {
        for (name, pattern, wanted) in [
            ("sales", "sales", true),
            ("sales", "sale", false),
            ("sales", "%", true),
            ("", "%", true),
            ("", "_", false),
            ("sales", "s%s", true),
            ("sales", "%le%", true),
            ("sales", "_____", true),
            ("sales", "____", false),
            ("a_b", "a\\_b", true),
            ("axb", "a\\_b", false),
            ("100%", "100\\%", true),
            ("1000", "100\\%", false),
            ("größe", "gr__e", true),
            ("a\\", "a\\", true),
            ("aaab", "%a%a%b", true),
            ("sales", "", false),
        ] {
            assert_eq!(is_like(name, pattern, true), wanted, "{name} like {pattern}");
        }
        assert!(is_like("Sales", "sA%", false) && !is_like("Sales", "sA%", true));
        assert!(!is_like("Ä", "ä", false), "only ASCII letters are folded");
    }
}
