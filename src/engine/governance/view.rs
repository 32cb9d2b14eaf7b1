//! The text of a protected view: late-binding, with every function's schema written, and with a barrier where rows are
//! filtered: what a hidden row holds is NULL in whatever a reader can write, so no predicate of his can tell it, whichever
//! runs first (AWS: Row-level security, performance).

use super::decision::decide;
use super::pattern::{Case, Patterns};
use super::problem::Problem;
use super::rules::Rules;
use super::table::{HeldFilter, Protected, Table};
use crate::engine::sql::{Sql, bare, ident, sql};

/// Where a view goes, and what it reads besides the table.
#[derive(Debug, Clone)]
pub struct Target<'t> {
    /// The view's schema.
    pub schema: &'t str,
    /// The view's name.
    pub name: &'t str,
    /// The integration's prefix.
    pub prefix: &'t str,
    /// The entitlements.
    pub entitlements: Sql,
    /// The barrier.
    pub barrier: &'t Barrier,
    /// The relation that holds a copy of the table's rows, if the view reads that.
    pub copy: Option<Sql>,
}

/// Whether hidden rows are NULL in all columns.
#[derive(Debug, Clone)]
pub struct Barrier {
    enabled: bool,
    except: Option<Patterns>,
}

/// The longest text of a view. A statement may have 16 MB (AWS: Amazon Redshift SQL); no limit of view texts is published.
const LONGEST: usize = 1 << 20;

impl Default for Barrier {
    fn default() -> Self {
        Barrier { enabled: true, except: None }
    }
}

impl Barrier {
    /// With it or without, and with columns left out of it: what hidden rows hold in these may be inferred.
    pub fn new(enabled: bool, except: &std::collections::BTreeSet<String>) -> Result<Self, Problem> {
        let except = Patterns::new(except, Case::Kept);
        let except = except.map_err(|why| Problem::of("except_columns", "Bad except_columns", why))?;
        Ok(Barrier { enabled, except: Some(except) })
    }

    fn is_on(&self, table: &str, column: &str) -> bool {
        self.enabled && !self.except.as_ref().is_some_and(|except| except.match_column(table, column))
    }
}

impl Rules<'_> {
    /// The statement that makes the view, or puts another in its place at once.
    pub fn view(&self, table: &Table, protected: &Protected<'_>, target: &Target<'_>) -> Result<Sql, Problem> {
        let visible = format!("{}__visible", target.prefix);
        if protected.columns.iter().any(|column| column.column.name.eq_ignore_ascii_case(&visible)) {
            let detail = format!(
                "The table `{}` has a column `{visible}`, which is the name of one that the view needs.",
                table.name
            );
            return Err(Problem::of("", "A column's name is taken", detail));
        }
        let text = query(table, protected, target, &visible);
        let view = sql!(
            "CREATE OR REPLACE VIEW {}.{} AS\n{}\nWITH NO SCHEMA BINDING",
            ident(target.schema),
            ident(target.name),
            text
        );
        let bytes = view.to_string().len();
        if bytes > LONGEST {
            let detail = format!(
                "The view of `{}` would have {bytes} bytes, and may have {LONGEST}: protect fewer columns with fewer rules.",
                table.name
            );
            return Err(Problem::of("", "A view is too long", detail));
        }
        Ok(view)
    }
}

/// What the view selects. `visible` is the name of the column that says whether a row is seen.
fn query(table: &Table, protected: &Protected<'_>, target: &Target<'_>, visible: &str) -> Sql {
    let columns: Vec<(Sql, &str)> =
        protected.columns.iter().map(|column| (decide(column).sql(), column.column.name.as_str())).collect();
    let row = source(table, target);
    if protected.filters.is_empty() {
        let join = if uses_entitlements(protected) { sql!(" CROSS JOIN {} p", target.entitlements) } else { sql!("") };
        return sql!("SELECT {}\nFROM {} t{}", list(",\n       ", &columns), row, join);
    }
    let filter = filter(&protected.filters);
    let from = sql!("{} t CROSS JOIN {} p", row, target.entitlements);
    if !target.barrier.enabled {
        return sql!("SELECT {}\nFROM {}\nWHERE {}", list(",\n       ", &columns), from, filter);
    }
    let visible = bare(visible);
    let behind = |name: &str| match target.barrier.is_on(&table.name, name) {
        true => sql!("CASE WHEN r.{} = 1 THEN r.{} END", visible, ident(name)),
        false => sql!("r.{}", ident(name)),
    };
    let outer: Vec<(Sql, &str)> = columns.iter().map(|(_, name)| (behind(name), *name)).collect();
    sql!(
        "SELECT {0}\nFROM (SELECT {1},\n             CASE WHEN {2} THEN 1 ELSE 0 END AS {3}\n      FROM {4}\n      WHERE {2}) r",
        list(",\n       ", &outer),
        list(",\n             ", &columns),
        filter,
        visible,
        from
    )
}

fn source(table: &Table, target: &Target<'_>) -> Sql {
    if let Some(copy) = &target.copy {
        return copy.clone();
    }
    let database = table.database.as_deref().map_or_else(|| sql!(""), |database| sql!("{}.", ident(database)));
    sql!("{}{}.{}", database, ident(&table.schema), ident(&table.name))
}

fn list(separator: &'static str, columns: &[(Sql, &str)]) -> Sql {
    Sql::join(separator, columns.iter().map(|(sql, name)| sql!("{} AS {}", sql, ident(name))))
}

/// What all filters let pass. A NULL hides; and so does a reader without a profile.
fn filter(filters: &[HeldFilter<'_>]) -> Sql {
    let mut all = vec![sql!("p.known = 1")];
    all.extend(filters.iter().map(|filter| match filter.flag {
        Some(flag) => sql!("(p.e{} = 1 OR {})", flag, filter.sql),
        None => sql!("{}", filter.sql),
    }));
    Sql::join(" AND ", all)
}

/// Whether something in the columns is asked of the entitlements.
fn uses_entitlements(protected: &Protected<'_>) -> bool {
    let masks = protected.columns.iter().flat_map(|column| &column.masks);
    masks.into_iter().any(|mask| {
        let texts = std::iter::once(&mask.sql).chain(mask.condition.as_ref().map(|(sql, _)| sql));
        mask.flag.is_some() || texts.into_iter().any(|sql| sql.to_string().contains("p."))
    })
}
