//! Which tables of its schema a datastore's rights are about: all of them, or those that patterns name.

use std::fmt;
use std::sync::{Arc, OnceLock};

use serde::{Deserialize, Serialize};

use crate::engine::catalog::sync::Datasets;
use crate::engine::error::Error;
use crate::engine::rights::Rights;

/// Patterns of tables, each compiled once whoever asks.
#[derive(Clone, Serialize, Deserialize)]
#[serde(from = "Vec<String>", into = "Vec<String>")]
pub struct Selection {
    patterns: Arc<[String]>,
    /// For a warehouse that folds the case of names, and for one that keeps it.
    compiled: Arc<[OnceLock<Option<Datasets>>; 2]>,
}

impl Selection {
    /// The patterns as they are written.
    pub fn patterns(&self) -> &[String] {
        &self.patterns
    }

    /// Errors: a pattern that does not parse; no pattern at all, which would select every table.
    pub fn check(&self) -> Result<(), Error> {
        if self.patterns.is_empty() {
            return Err(Error::setting(
                "service_user.tables",
                "The list is empty, so nothing could be read. Name at least one table or pattern, or leave `tables` out for all.",
            ));
        }
        self.patterns.iter().try_for_each(|pattern| {
            Datasets::check(pattern).map_err(|error| Error::setting("service_user.tables", error.detail()))
        })
    }

    /// Whether a table is among them.
    pub fn includes(&self, table: &str, case_sensitive: bool) -> bool {
        let compile = || Datasets::new(&self.patterns, case_sensitive).ok().filter(|_| !self.patterns.is_empty());
        let compiled = self.compiled[usize::from(case_sensitive)].get_or_init(compile);
        compiled.as_ref().is_some_and(|compiled| compiled.include(table))
    }
}

impl From<Vec<String>> for Selection {
    fn from(patterns: Vec<String>) -> Self {
        Self { patterns: patterns.into(), compiled: Arc::default() }
    }
}

impl From<Selection> for Vec<String> {
    fn from(selection: Selection) -> Self {
        selection.patterns.to_vec()
    }
}

impl PartialEq for Selection {
    fn eq(&self, other: &Self) -> bool {
        self.patterns == other.patterns
    }
}

impl Eq for Selection {}

impl fmt::Debug for Selection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.patterns.fmt(f)
    }
}

/// Rights on the tables of a schema: on all of them, and on those of some selections.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TableRights {
    all: Rights,
    selected: Vec<(Selection, Rights)>,
}

impl TableRights {
    /// On all tables, or on the selected ones.
    pub fn new(rights: Rights, selection: Option<&Selection>) -> Self {
        match selection {
            None => Self { all: rights, selected: Vec::new() },
            Some(selection) => Self { all: Rights::NONE, selected: vec![(selection.clone(), rights)] },
        }
    }

    /// Those on one table.
    pub fn on(&self, table: &str, case_sensitive: bool) -> Rights {
        let selected = self.selected.iter().filter(|(selection, _)| selection.includes(table, case_sensitive));
        selected.fold(self.all, |all, (_, rights)| all.and(*rights))
    }

    /// Those on any table.
    pub fn any(&self) -> Rights {
        self.selected.iter().fold(self.all, |all, (_, rights)| all.and(*rights))
    }

    /// Those of both.
    #[must_use]
    pub fn and(mut self, other: TableRights) -> TableRights {
        self.all = self.all.and(other.all);
        self.selected.extend(other.selected);
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_selection_includes_what_one_of_its_patterns_names() {
        let selection = Selection::from(vec!["fact_*".to_owned(), "Orders".to_owned()]);
        for (table, folded, kept) in
            [("fact_sales", true, true), ("orders", true, false), ("Orders", true, true), ("dim", false, false)]
        {
            assert_eq!((selection.includes(table, false), selection.includes(table, true)), (folded, kept), "{table}");
        }
        let nothing = Selection::from(Vec::new());
        assert!(!nothing.includes("orders", false) && nothing.check().is_err());
        assert!(Selection::from(vec!["[".to_owned()]).check().is_err());
    }

    #[test]
    fn rights_on_all_tables_and_on_some_add_up() {
        let some = TableRights::new(Rights::READ_WRITE, Some(&vec!["orders".to_owned()].into()));
        let both = TableRights::new(Rights::READ, None).and(some.clone());
        assert_eq!((both.on("orders", false), both.on("lines", false)), (Rights::READ_WRITE, Rights::READ));
        assert_eq!((some.on("lines", false), some.any()), (Rights::NONE, Rights::READ_WRITE));
    }
}
