//! What a reader with a profile would see of a table. Pure: nothing is asked.

use std::collections::BTreeSet;

use super::decision::shows;
use super::expression::List;
use super::profile::Profile;
use super::row_filter::Kind;
use super::table::{HeldFilter, HeldMask, Protected, ProtectedColumn, named};
use crate::engine::sql::{Sql, ident, literal, sql};

/// How many rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum SeenRows {
    /// None.
    None,
    /// Those for which the filter holds.
    Some,
    /// All.
    All,
}

/// What is seen of a column.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SeenColumn {
    /// The column.
    pub name: String,
    /// `clear`, or the mask; where a predicate decides, what shows where it holds.
    pub shown: &'static str,
    /// The rules that hold.
    pub rule: Option<String>,
    /// The predicate that decides for each row. Of several masks it is all of theirs: where some hold, something between
    /// `shown` and `otherwise` shows.
    pub condition: Option<String>,
    /// What shows where the predicate is false; of several masks, where each of theirs is.
    pub otherwise: Option<&'static str>,
}

/// What a reader would see.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Simulation {
    /// How many rows.
    pub rows: SeenRows,
    /// The predicate that rows have to fulfil, with the profile's values.
    pub row_filter: Option<String>,
    /// The rules that filter rows.
    pub filters: Vec<String>,
    /// Each column.
    pub columns: Vec<SeenColumn>,
}

impl SeenRows {
    /// As it is written.
    pub fn word(self) -> &'static str {
        match self {
            SeenRows::None => "none",
            SeenRows::Some => "some",
            SeenRows::All => "all",
        }
    }
}

impl Protected<'_> {
    /// What a reader sees; none is a reader without a profile.
    pub fn seen_by(&self, reader: Option<&Profile>) -> Simulation {
        let held: Vec<&HeldFilter<'_>> =
            self.filters.iter().filter(|filter| !filter.concerns.exempts(reader)).collect();
        let each: Vec<(SeenRows, String)> = held.iter().map(|filter| filter.seen_by(reader)).collect();
        let nobody = reader.is_none() && !self.filters.is_empty();
        let rows = match each.iter().map(|(rows, _)| *rows).min() {
            _ if nobody => SeenRows::None,
            rows => rows.unwrap_or(SeenRows::All),
        };
        let predicates: Vec<String> = each.into_iter().map(|(_, predicate)| predicate).collect();
        Simulation {
            rows,
            row_filter: (rows == SeenRows::Some).then(|| predicates.join(" AND ")),
            filters: held.iter().map(|filter| filter.named()).collect(),
            columns: self.columns.iter().map(|column| column.seen_by(reader)).collect(),
        }
    }
}

impl HeldFilter<'_> {
    fn named(&self) -> String {
        let kind = match &self.kind {
            Kind::Hidden => "row_filter that hides the table".to_owned(),
            Kind::In(_) | Kind::User => format!("row_filter in {}", self.filter.list.as_deref().unwrap_or_default()),
            Kind::Where(_) => "row_filter where".to_owned(),
            Kind::Newest(_) => format!("row_filter newest {}", self.filter.newest.as_deref().unwrap_or_default()),
            Kind::Sample(percent) => format!("row_filter sample_percent {percent}"),
        };
        named(self.filter.policy.as_deref(), &kind)
    }

    /// How many rows it leaves to a reader who is not exempt, and which.
    fn seen_by(&self, reader: Option<&Profile>) -> (SeenRows, String) {
        let nothing = || (SeenRows::None, "FALSE".to_owned());
        let Some(profile) = reader else { return nothing() };
        let some = |predicate: Sql| (SeenRows::Some, predicate.to_string());
        let column = self.column.as_ref().map(|column| ident(&column.name));
        match (&self.kind, column) {
            (Kind::Where(text), _) => (SeenRows::Some, format!("({})", text.trim())),
            (Kind::In(list), Some(column)) => match &values(list, profile) {
                none if none.is_empty() => nothing(),
                values => some(sql!("{} IN ({})", column, Sql::join(", ", values.iter().map(|value| literal(value))))),
            },
            (Kind::User, Some(column)) if !profile.user.is_empty() => {
                some(sql!("{} = {}", column, literal(&profile.user)))
            }
            (Kind::Newest(days), Some(column)) => some(sql!("{} >= CURRENT_DATE - {}", column, *days)),
            (Kind::Sample(percent), Some(column)) => {
                some(sql!("pg_catalog.abs(pg_catalog.mod(pg_catalog.fnv_hash({}), 100)) < {}", column, *percent))
            }
            _ => nothing(),
        }
    }
}

fn values(list: &List, profile: &Profile) -> BTreeSet<String> {
    match list {
        List::Groups => profile.groups.clone(),
        List::Purposes => profile.acting_purpose().map(str::to_owned).into_iter().collect(),
        List::Attribute(key) => profile.attributes.get(key).cloned().unwrap_or_default(),
    }
}

impl ProtectedColumn<'_> {
    fn seen_by(&self, reader: Option<&Profile>) -> SeenColumn {
        let name = |shown: Option<super::mask::Shown>| shown.map_or("clear", |shown| shown.name());
        let (with, without) =
            (shows(&self.masks, reader, &|_| Some(true)), shows(&self.masks, reader, &|_| Some(false)));
        let held: Vec<&HeldMask<'_>> = self.masks.iter().filter(|mask| !mask.concerns.exempts(reader)).collect();
        let differs = with != without;
        let conditions: BTreeSet<&str> = held.iter().filter_map(|mask| Some(mask.condition.as_ref()?.1)).collect();
        let rules: BTreeSet<&str> = held.iter().map(|mask| mask.rule.as_str()).collect();
        let together = |texts: &BTreeSet<&str>, between: &str| texts.iter().copied().collect::<Vec<_>>().join(between);
        SeenColumn {
            name: self.column.name.clone(),
            shown: name(with),
            rule: (!rules.is_empty()).then(|| together(&rules, "; ")),
            condition: differs.then(|| match conditions.len() {
                1 => together(&conditions, ""),
                _ => format!("({})", together(&conditions, ") AND (")),
            }),
            otherwise: differs.then(|| name(without)),
        }
    }
}
