//! The rules of a policy on one table.

use std::collections::{BTreeMap, BTreeSet};

use super::columns::Column;
use super::condition::Concerns;
use super::expression::{self, Expression, List, Scope};
use super::mask::{Shown, Using};
use super::problem::Problem;
use super::rules::{Filter, Mask, Rules};
use crate::engine::sql::{Sql, ident, sql};

/// A table whose rows are offered.
#[derive(Debug, Clone)]
pub struct Table {
    /// The database it is in, if that is another one.
    pub database: Option<String>,
    /// Its schema.
    pub schema: String,
    /// Its name.
    pub name: String,
    /// Its columns, in their order.
    pub columns: Vec<Column>,
}

/// What the rules come to on a table.
#[derive(Debug)]
pub struct Protected<'p> {
    pub(super) columns: Vec<ProtectedColumn<'p>>,
    pub(super) filters: Vec<HeldFilter<'p>>,
    /// What is worth knowing about it: masks that a type cannot take, masks that cannot be compared.
    pub warnings: Vec<String>,
}

#[derive(Debug)]
pub(super) struct ProtectedColumn<'p> {
    pub(super) column: Column,
    pub(super) masks: Vec<HeldMask<'p>>,
}

/// A mask on a column.
#[derive(Debug, Clone)]
pub(super) struct HeldMask<'p> {
    pub(super) shown: Shown,
    pub(super) sql: Sql,
    pub(super) flag: Option<usize>,
    pub(super) concerns: Concerns<'p>,
    /// Where alone it holds: the SQL and the text.
    pub(super) condition: Option<(Sql, &'p str)>,
    /// The rule in a few words.
    pub(super) rule: String,
}

/// A filter on the table.
#[derive(Debug, Clone)]
pub(super) struct HeldFilter<'p> {
    pub(super) filter: &'p super::policy::FilterRule,
    pub(super) kind: super::row_filter::Kind,
    /// The column it looks at.
    pub(super) column: Option<Column>,
    pub(super) sql: Sql,
    pub(super) flag: Option<usize>,
    pub(super) concerns: Concerns<'p>,
}

/// The most partial masks a column can have: each doubles what a view has to tell apart.
const MOST_PARTIAL: usize = 3;

/// The most columns of a view (AWS: CREATE VIEW).
const MOST_COLUMNS: usize = 1_600;

impl<'p> Rules<'p> {
    /// Holds the rules against a table.
    pub fn on(&self, table: &Table) -> Result<Protected<'p>, Vec<Problem>> {
        let mut problems = Vec::new();
        let mut protected = Protected { columns: Vec::new(), filters: Vec::new(), warnings: Vec::new() };
        if table.columns.len() > MOST_COLUMNS {
            let detail = format!(
                "The table `{}` has {} columns, and a view may have {MOST_COLUMNS}.",
                table.name,
                table.columns.len()
            );
            return Err(vec![Problem::of("", "Too many columns", detail)]);
        }
        for column in &table.columns {
            match self.column(table, column, &mut protected.warnings) {
                Ok(masks) => protected.columns.push(ProtectedColumn { column: column.clone(), masks }),
                Err(problem) => problems.push(problem),
            }
        }
        for (index, filter) in self.filters.iter().enumerate().filter(|(_, filter)| filter.is_on(&table.name)) {
            match self.filter(table, filter) {
                Ok(held) => protected.filters.extend(held),
                Err(problem) => problems.push(problem.below(&format!("row_filter[{index}]"))),
            }
        }
        if problems.is_empty() { Ok(protected) } else { Err(problems) }
    }

    fn column(&self, table: &Table, column: &Column, warnings: &mut Vec<String>) -> Result<Vec<HeldMask<'p>>, Problem> {
        let mut held = Vec::new();
        for (index, mask) in self.masks.iter().enumerate() {
            if mask.is_on(&self.tags, &table.name, &column.name) {
                let one = self.mask(table, column, mask, warnings);
                held.push(one.map_err(|problem| problem.below(&format!("mask[{index}]")))?);
            }
        }
        let clear = self.clear.iter().all(|patterns| patterns.match_column(&table.name, &column.name));
        if held.is_empty() && !clear {
            held.push(HeldMask {
                shown: Shown::Null,
                sql: sql!("CAST(NULL AS {})", column.ty.sql()),
                flag: None,
                concerns: Concerns::Everybody,
                condition: None,
                rule: "clear_columns, which does not name it".to_owned(),
            });
        }
        let partial: BTreeSet<&Shown> =
            held.iter().map(|mask| &mask.shown).filter(|shown| shown.is_partial()).collect();
        if partial.len() > MOST_PARTIAL {
            let detail = format!(
                "`{}.{}` has {} different masks that leave something of the value, and may have {MOST_PARTIAL}: where two hold, \
                 NULL shows anyway. Put them together.",
                table.name,
                column.name,
                partial.len()
            );
            return Err(Problem::of("", "Too many masks on a column", detail));
        }
        warnings.extend(incomparable(&partial).map(|(one, two)| {
            format!(
                "`{}.{}`: where both `{one}` and `{two}` hold, NULL shows, as neither tells less than the other.",
                table.name, column.name
            )
        }));
        Ok(held)
    }

    fn mask(
        &self,
        table: &Table,
        column: &Column,
        mask: &Mask<'p>,
        warnings: &mut Vec<String>,
    ) -> Result<HeldMask<'p>, Problem> {
        let value = sql!("t.{}", ident(&column.name));
        let tagged = |tag: &str| self.tagged(table, tag);
        let scope = Scope { columns: Some(&table.columns), tagged: &tagged, column: Some(&value) };
        let list = |list: &List| self.list(list);
        let said = |setting: &'static str, why: String| {
            Problem::of(setting, format!("Bad {setting}"), format!("On `{}.{}`: {why}", table.name, column.name))
        };
        let checked = |setting, text: &str| expression::check(text, scope, &list).map_err(|why| said(setting, why));
        let own = match &mask.using {
            Using::Expression(text) => Some(checked("expression", text)?.sql),
            _ => None,
        };
        let condition = mask.rule.condition.as_deref();
        let condition = condition.map(|text| Ok((checked("where", text)?.sql, text))).transpose()?;
        let path = self.path(table, column);
        let applied = mask.using.on(column, &value, &path, own).map_err(|why| said("value", why))?;
        if let Some(why) = applied.fallback {
            warnings.push(format!(
                "`{}.{}` ({}) shows NULL where `{}` is asked for: {why}.",
                table.name,
                column.name,
                column.ty.sql(),
                mask.rule.using
            ));
        }
        Ok(HeldMask {
            shown: applied.shown,
            sql: applied.sql,
            flag: mask.flag,
            concerns: mask.rule.concerns(),
            condition,
            rule: named(mask.rule.policy.as_deref(), &format!("mask using {}", mask.rule.using)),
        })
    }

    /// What a hash is salted with if nothing is written: this column alone.
    fn path(&self, table: &Table, column: &Column) -> String {
        let database = table.database.as_deref().map_or_else(String::new, |database| format!("{database}."));
        format!("{database}{}.{}.{}", table.schema, table.name, column.name)
    }

    fn tagged(&self, table: &Table, tag: &str) -> Vec<String> {
        let on = table.columns.iter().filter(|column| self.tags.on(tag, &table.name, &column.name));
        on.map(|column| column.name.clone()).collect()
    }

    /// None if the table has no such column and the rule passes over it.
    fn filter(&self, table: &Table, filter: &Filter<'p>) -> Result<Option<HeldFilter<'p>>, Problem> {
        let list = |list: &List| self.list(list);
        let tagged = |tag: &str| self.tagged(table, tag);
        let (column, sql) = match (&filter.kind, filter.rule.column_of()) {
            (super::row_filter::Kind::Where(text), _) => {
                let scope = Scope { columns: Some(&table.columns), tagged: &tagged, column: None };
                let checked = expression::check(text, scope, &list);
                let checked = checked.map_err(|why| {
                    Problem::of("where", "Bad where", format!("On the table `{}`: {why}", table.name))
                })?;
                (None, sql!("({})", checked.sql))
            }
            (kind, Some(of)) => {
                let told = |why: String| Problem::of(of.setting(), format!("Bad {}", of.setting()), why);
                let Some(column) = of.find(&table.columns, &tagged).map_err(told)? else {
                    return if filter.rule.skips() {
                        Ok(None)
                    } else {
                        Err(told(of.missing(&table.name, &table.columns)))
                    };
                };
                let on = |why: String| told(format!("On the table `{}`: {why}", table.name));
                (Some(column.clone()), sql!("({})", kind.on(column, &list).map_err(on)?))
            }
            (_, None) => (None, sql!("1 = 0")),
        };
        Ok(Some(HeldFilter {
            filter: filter.rule,
            kind: filter.kind.clone(),
            column,
            sql,
            flag: filter.flag,
            concerns: filter.rule.concerns(),
        }))
    }
}

/// Two of the masks of which neither tells less than the other.
fn incomparable<'s>(partial: &BTreeSet<&'s Shown>) -> impl Iterator<Item = (&'static str, &'static str)> + use<'s> {
    let all: Vec<&Shown> = partial.iter().copied().collect();
    let mut found = BTreeMap::new();
    for (index, one) in all.iter().enumerate() {
        for two in &all[index + 1..] {
            if one.meet(two) == Shown::Null {
                found.insert((one.name(), two.name()), ());
            }
        }
    }
    found.into_keys()
}

/// The words for a rule of a document, or of one's own.
pub(super) fn named(policy: Option<&str>, rule: &str) -> String {
    policy.map_or_else(|| rule.to_owned(), |policy| format!("{policy}: {rule}"))
}

impl Protected<'_> {
    /// The names and types of what a view of it shows, as far as they can be told: a mask may show another type than the
    /// column's.
    pub fn form(&self) -> String {
        let of = |column: &ProtectedColumn<'_>| {
            let masks: BTreeSet<String> = column
                .masks
                .iter()
                .filter(|mask| matches!(mask.shown, Shown::Constant(_) | Shown::Hash(_) | Shown::Expression(_)))
                .map(|mask| mask.sql.to_string())
                .collect();
            format!("{:?} {} {masks:?}", column.column.name, column.column.ty.sql())
        };
        self.columns.iter().map(of).collect::<Vec<_>>().join("\n")
    }

    /// The columns that a mask is on.
    pub fn masked(&self) -> BTreeSet<String> {
        let masked = self.columns.iter().filter(|column| !column.masks.is_empty());
        masked.map(|column| column.column.name.clone()).collect()
    }

    /// Whether rows are filtered.
    pub fn is_filtered(&self) -> bool {
        !self.filters.is_empty()
    }
}

fn without_columns<'c>(column: Option<&'c Sql>) -> Scope<'c> {
    Scope { columns: None, tagged: &|_| Vec::new(), column }
}

/// Checks the predicate of a `where` as far as that can be done before there is a table.
pub(super) fn check_where(text: &str) -> Result<(), Problem> {
    let checked: Result<Expression, String> =
        expression::check(text, without_columns(Some(&sql!("t"))), &|_| sql!("NULL"));
    checked.map(drop).map_err(|why| Problem::of("where", "Bad where", why))
}

/// The same for the expression of a mask.
pub(super) fn check_expression(text: &str) -> Result<(), Problem> {
    let checked = expression::check(text, without_columns(Some(&sql!("t"))), &|_| sql!("NULL"));
    checked.map(drop).map_err(|why| Problem::of("expression", "Bad expression", why))
}

/// The lists of a profile that a text asks for.
pub(super) fn lists_of(text: &str) -> BTreeSet<List> {
    let checked = expression::check(text, without_columns(Some(&sql!("t"))), &|_| sql!("NULL"));
    checked.map(|expression| expression.lists).unwrap_or_default()
}
