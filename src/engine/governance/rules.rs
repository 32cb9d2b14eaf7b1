//! A policy made ready: every rule read, its patterns compiled, and the flag and lists found that it asks the reader's
//! entitlements for.

use std::collections::BTreeSet;

use sha2::{Digest as _, Sha256};

use super::condition::Concerns;
use super::expression::List;
use super::mask::Using;
use super::pattern::{Case, Patterns, Tags};
use super::policy::{FilterRule, MaskRule, Policy};
use super::problem::Problem;
use super::row_filter::Kind;
use super::table::{Table, lists_of};
use crate::engine::sql::{Sql, sql};

/// A policy whose rules can be held against tables.
#[derive(Debug)]
pub struct Rules<'p> {
    pub(super) masks: Vec<Mask<'p>>,
    pub(super) filters: Vec<Filter<'p>>,
    pub(super) tags: Tags,
    pub(super) clear: Vec<Patterns>,
    /// The lists that views ask for, in the order of their columns.
    pub(super) lists: Vec<List>,
    /// Whether something is hashed.
    pub(super) hashes: bool,
}

#[derive(Debug)]
pub(super) struct Mask<'p> {
    pub(super) rule: &'p MaskRule,
    pub(super) using: Using,
    columns: Patterns,
    tables: Option<Patterns>,
    /// The column of the entitlements that says who is exempt; none if nobody is.
    pub(super) flag: Option<usize>,
}

#[derive(Debug)]
pub(super) struct Filter<'p> {
    pub(super) rule: &'p FilterRule,
    pub(super) kind: Kind,
    tables: Option<Patterns>,
    pub(super) flag: Option<usize>,
}

impl<'p> Rules<'p> {
    /// Reads all rules. The error is the first thing that is wrong.
    pub fn new(policy: &'p Policy) -> Result<Self, Problem> {
        let tags = Tags::new(&policy.tags)
            .map_err(|(tag, why)| Problem::of("tags", "Bad tags", format!("The tag `{tag}`: {why}")))?;
        let clear = policy.clear_columns.iter().map(|texts| patterns("clear_columns", texts, Case::Kept));
        let clear = clear.collect::<Result<_, _>>()?;
        let mut flags = 1..;
        let mut lists = BTreeSet::new();
        let mut masks = Vec::new();
        for rule in &policy.masks {
            let using = Using::read(rule)?;
            lists.extend(rule.condition.as_deref().map(lists_of).unwrap_or_default());
            if let Using::Expression(text) = &using {
                lists.extend(lists_of(text));
            }
            masks.push(Mask {
                rule,
                using,
                columns: patterns("columns", &rule.columns, Case::Folded)?,
                tables: tables(&rule.tables)?,
                flag: flag(&rule.concerns(), &mut flags),
            });
        }
        let mut filters = Vec::new();
        for rule in &policy.filters {
            let kind = Kind::read(rule)?;
            lists.extend(kind.list().cloned());
            if let Kind::Where(text) = &kind {
                lists.extend(lists_of(text));
            }
            let flag = flag(&rule.concerns(), &mut flags);
            filters.push(Filter { rule, kind, tables: tables(&rule.tables)?, flag });
        }
        let hashes = masks.iter().any(|mask| matches!(mask.using, Using::Hash(_)));
        Ok(Rules { masks, filters, tags, clear, lists: lists.into_iter().collect(), hashes })
    }

    /// Whether something is hashed, so that the key of hashes has to be there.
    pub fn is_hashing(&self) -> bool {
        self.hashes
    }

    /// The rules that are on nothing in these tables, but for those of documents, which serve others too: a name is misspelt
    /// there, and what it was to protect is seen.
    pub fn without_effect(&self, on: &[Table]) -> Vec<Problem> {
        let masks = self.masks.iter().enumerate().filter(|(_, mask)| mask.rule.policy.is_none()).filter(|(_, mask)| {
            let is_on =
                |table: &Table| table.columns.iter().any(|column| mask.is_on(&self.tags, &table.name, &column.name));
            !on.iter().any(is_on)
        });
        let filters = self.filters.iter().enumerate().filter(|(_, filter)| filter.rule.policy.is_none());
        let filters = filters.filter(|(_, filter)| !on.iter().any(|table| filter.is_on(&table.name)));
        let masks = masks.map(|(index, mask)| {
            let setting = if mask.rule.columns.is_empty() { "tags" } else { "columns" };
            Problem::of(setting, "A mask that is on nothing", ON_NO_COLUMN).below(&format!("mask[{index}]"))
        });
        let filters = filters.map(|(index, _)| {
            Problem::of("tables", "A row filter that is on nothing", ON_NO_TABLE).below(&format!("row_filter[{index}]"))
        });
        masks.chain(filters).collect()
    }

    /// Whom each flag is about, in the order of their columns.
    pub(super) fn flags(&self) -> Vec<Concerns<'p>> {
        let masks = self.masks.iter().filter(|mask| mask.flag.is_some()).map(|mask| mask.rule.concerns());
        let filters = self.filters.iter().filter(|filter| filter.flag.is_some()).map(|filter| filter.rule.concerns());
        masks.chain(filters).collect()
    }

    /// The column of the entitlements that holds a list.
    pub(super) fn list(&self, list: &List) -> Sql {
        match self.lists.binary_search(list) {
            Ok(index) => sql!("p.a{}", index + 1),
            // Every rule's lists were collected, so this is nobody's; an empty list holds nothing.
            Err(_) => sql!("NULL"),
        }
    }

    /// What the views on these entitlements rely on: which flag is which rule's, and which lists there are. Whom a rule
    /// concerns is no part of it: that can change in one statement under all views.
    pub(super) fn shape(&self) -> String {
        let masks = self.masks.iter().filter(|mask| mask.flag.is_some()).map(|mask| json(&mask.rule.body()));
        let filters =
            self.filters.iter().filter(|filter| filter.flag.is_some()).map(|filter| json(&filter.rule.body()));
        let lists = self.lists.iter().map(|list| format!("{list:?}"));
        let all: Vec<String> = masks.chain(filters).chain(lists).chain([self.hashes.to_string()]).collect();
        let digest = Sha256::digest(all.join("\n").as_bytes());
        digest.iter().take(4).map(|byte| format!("{byte:02x}")).collect()
    }
}

const ON_NO_COLUMN: &str = "No column of the tables matches it, so what it was to mask would be seen. Is a name misspelt? A rule that \
                            serves other schemas too belongs into a redshift_data_policy.";

const ON_NO_TABLE: &str = "No table matches it, so the rows that it was to hide would be seen. Is a name misspelt? A rule that serves \
                           other schemas too belongs into a redshift_data_policy.";

fn json(rule: &impl serde::Serialize) -> String {
    serde_json::to_string(rule).unwrap_or_default()
}

fn patterns(setting: &str, texts: &BTreeSet<String>, case: Case) -> Result<Patterns, Problem> {
    Patterns::new(texts, case).map_err(|why| Problem::of(setting, format!("Bad {setting}"), why))
}

fn tables(texts: &BTreeSet<String>) -> Result<Option<Patterns>, Problem> {
    if texts.is_empty() { Ok(None) } else { patterns("tables", texts, Case::Folded).map(Some) }
}

fn flag(concerns: &Concerns<'_>, next: &mut impl Iterator<Item = usize>) -> Option<usize> {
    (*concerns != Concerns::Everybody).then(|| next.next()).flatten()
}

impl Mask<'_> {
    pub(super) fn is_on(&self, tags: &Tags, table: &str, column: &str) -> bool {
        let here = self.tables.as_ref().is_none_or(|tables| tables.match_table(table));
        let tagged = || self.rule.tags.iter().any(|tag| tags.on(tag, table, column));
        here && (self.columns.match_column(table, column) || tagged())
    }
}

impl Filter<'_> {
    pub(super) fn is_on(&self, table: &str) -> bool {
        self.tables.as_ref().is_none_or(|tables| tables.match_table(table))
    }
}
