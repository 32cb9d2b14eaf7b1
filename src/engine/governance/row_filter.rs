//! Row filters: which rows a reader sees who is not exempt.

use super::columns::{Column, ColumnType, find};
use super::expression::{List, comparable, in_list, list_of};
use super::policy::FilterRule;
use super::problem::Problem;
use crate::engine::sql::{Sql, ident, sql};

/// What a filter looks at, as it is written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Kind {
    /// Nothing: the whole table is hidden.
    Hidden,
    /// A column's value is in a list of the profile.
    In(List),
    /// A column holds the reader's name.
    User,
    /// A predicate.
    Where(String),
    /// So many days back.
    Newest(u32),
    /// So many of a hundred rows, always the same.
    Sample(u32),
}

/// Where the column of a filter is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ColumnOf<'r> {
    Named(&'r str),
    Tagged(&'r str),
}

/// The longest time back, in days.
const MOST_DAYS: u32 = 36_600;

impl Kind {
    /// Reads a rule. The error is on the setting that is wrong.
    pub(super) fn read(rule: &FilterRule) -> Result<Self, Problem> {
        if rule.column.is_some() && rule.column_tag.is_some() {
            return Err(Problem::of(
                "column_tag",
                "column and column_tag exclude each other",
                "Leave one of them out.",
            ));
        }
        if let Some(other) = rule.missing_column.as_deref().filter(|missing| !["error", "skip"].contains(missing)) {
            let detail = format!("It is `error` or `skip`, not `{other}`.");
            return Err(Problem::of("missing_column", "Bad missing_column", detail));
        }
        let kinds = [
            ("in", rule.list.is_some()),
            ("where", rule.condition.is_some()),
            ("newest", rule.newest.is_some()),
            ("sample_percent", rule.sample_percent.is_some()),
        ];
        let mut written = kinds.iter().filter(|(_, written)| *written).map(|(name, _)| *name);
        let (first, second) = (written.next(), written.next());
        if let (Some(first), Some(second)) = (first, second) {
            let detail = format!(
                "A row filter has one of `in`, `where`, `newest` and `sample_percent`, and `{first}` is written too: make it two filters, of which both must let a row pass."
            );
            return Err(Problem::of(second, format!("{first} and {second} exclude each other"), detail));
        }
        let has_column = rule.column.is_some() || rule.column_tag.is_some();
        match (first, has_column) {
            (Some("where"), true) => {
                let setting = if rule.column.is_some() { "column" } else { "column_tag" };
                return Err(Problem::of(
                    setting,
                    format!("{setting} with where"),
                    "A predicate names its columns itself: leave it out.",
                ));
            }
            (Some(kind @ ("in" | "newest" | "sample_percent")), false) => {
                return Err(Problem::of(
                    kind,
                    "No column",
                    format!("`{kind}` needs the column that is looked at: write `column = \"…\"`."),
                ));
            }
            (None, true) => {
                let setting = if rule.column.is_some() { "column" } else { "column_tag" };
                let detail = "What about the column? Write `in = \"groups\"` (or `purposes`, `user`, `attribute.KEY`), `newest = \"90 days\"` or `sample_percent = 10` beside it.";
                return Err(Problem::of(setting, format!("{setting} alone"), detail));
            }
            _ => {}
        }
        Self::of(rule)
    }

    fn of(rule: &FilterRule) -> Result<Self, Problem> {
        if let Some(list) = &rule.list {
            return Self::in_list(list);
        }
        if let Some(text) = &rule.condition {
            return super::table::check_where(text).map(|()| Kind::Where(text.clone()));
        }
        if let Some(newest) = &rule.newest {
            return days(newest).map(Kind::Newest).ok_or_else(|| {
                let detail = format!(
                    "`{newest}` is not a number of days or weeks up to {MOST_DAYS} days: write one such as `90 days`."
                );
                Problem::of("newest", "Bad newest", detail)
            });
        }
        match rule.sample_percent {
            None => Ok(Kind::Hidden),
            Some(percent @ 1..=99) => Ok(Kind::Sample(percent)),
            Some(percent) => {
                let detail = format!("It is a whole number between 1 and 99, not {percent}.");
                Err(Problem::of("sample_percent", "Bad sample_percent", detail))
            }
        }
    }

    fn in_list(list: &str) -> Result<Self, Problem> {
        match list {
            "groups" => Ok(Kind::In(List::Groups)),
            "purposes" => Ok(Kind::In(List::Purposes)),
            "user" => Ok(Kind::User),
            _ => {
                let key = list.strip_prefix("attribute.").filter(|key| super::profile::check_value(key).is_ok());
                let detail =
                    format!("`{list}` is no list of a profile: write `groups`, `purposes`, `user` or `attribute.KEY`.");
                key.map(|key| Kind::In(List::Attribute(key.to_owned())))
                    .ok_or_else(|| Problem::of("in", "Bad in", detail))
            }
        }
    }

    /// The list of the profile that it asks for.
    pub(super) fn list(&self) -> Option<&List> {
        match self {
            Kind::In(list) => Some(list),
            _ => None,
        }
    }

    /// The predicate on a column; NULL hides the row as well. The error says why the column's type does not do.
    pub(super) fn on(&self, column: &Column, list: &dyn Fn(&List) -> Sql) -> Result<Sql, String> {
        let value = sql!("t.{}", ident(&column.name));
        let named = |what: &str| format!("`{}` is not {what}.", column.name);
        match self {
            Kind::In(of) => match comparable(column) {
                Some(value) => Ok(in_list(&list(of), &value)),
                None => Err(named("text, a whole number or a date, which alone are in a list")),
            },
            // Comparisons of varchar pass over blanks at the end, and a name may have some (AWS: Character types).
            Kind::User => match column.ty {
                ColumnType::Varchar(_) => {
                    Ok(sql!("{0} = p.userid AND pg_catalog.length({0}) = pg_catalog.length(p.userid)", value))
                }
                ColumnType::Char(_) => Ok(sql!("pg_catalog.rtrim({}) = p.userid", value)),
                _ => Err(named("text, and so holds no user's name")),
            },
            Kind::Newest(days) if column.ty.is_date_or_moment() => Ok(sql!("{} >= CURRENT_DATE - {}", value, *days)),
            Kind::Newest(_) => Err(named("a date or timestamp, so nothing is newest")),
            Kind::Sample(percent) => match column.ty {
                ColumnType::Varchar(_)
                | ColumnType::Char(_)
                | ColumnType::Integer(_)
                | ColumnType::Date
                | ColumnType::Timestamp => Ok(sql!(
                    "{0} IS NOT NULL AND pg_catalog.abs(pg_catalog.mod(pg_catalog.fnv_hash({0}), 100)) < {1}",
                    value,
                    *percent
                )),
                _ => Err(named("text, a whole number, a date or a timestamp, by which rows are drawn")),
            },
            Kind::Hidden | Kind::Where(_) => Ok(sql!("1 = 0")),
        }
    }
}

impl FilterRule {
    /// Where its column is written; none for filters without one.
    pub(super) fn column_of(&self) -> Option<ColumnOf<'_>> {
        let named = self.column.as_deref().map(ColumnOf::Named);
        named.or_else(|| self.column_tag.as_deref().map(ColumnOf::Tagged))
    }

    /// Whether a table without the column is passed over.
    pub(super) fn skips(&self) -> bool {
        self.missing_column.as_deref() == Some("skip")
    }
}

impl ColumnOf<'_> {
    /// The column in a table. None if there is none; the error if there are several.
    pub(super) fn find<'c>(
        self,
        columns: &'c [Column],
        tagged: &dyn Fn(&str) -> Vec<String>,
    ) -> Result<Option<&'c Column>, String> {
        match self {
            ColumnOf::Named(name) => Ok(find(columns, name)),
            ColumnOf::Tagged(tag) => match &tagged(tag)[..] {
                [] => Ok(None),
                [name] => Ok(find(columns, name)),
                several => Err(format!(
                    "The tag `{tag}` is on several columns: {}. Name the one that is meant.",
                    several.join(", ")
                )),
            },
        }
    }

    /// The setting that it is written in.
    pub(super) fn setting(self) -> &'static str {
        match self {
            ColumnOf::Named(_) => "column",
            ColumnOf::Tagged(_) => "column_tag",
        }
    }

    /// What is said where a table has no such column.
    pub(super) fn missing(self, table: &str, columns: &[Column]) -> String {
        let what = match self {
            ColumnOf::Named(name) => format!("column `{name}`"),
            ColumnOf::Tagged(tag) => format!("column with the tag `{tag}`"),
        };
        format!(
            "The table `{table}` has no {what}; it has {}. Write `missing_column = \"skip\"` to pass over such tables, or `tables` to name those that are meant.",
            list_of(columns)
        )
    }
}

/// `90 days`, `1 day` or `2 weeks` in days.
fn days(text: &str) -> Option<u32> {
    let (number, unit) = text.split_once(' ')?;
    let each = match unit {
        "day" | "days" => 1,
        "week" | "weeks" => 7,
        _ => return None,
    };
    let digits = !number.is_empty() && number.bytes().all(|b| b.is_ascii_digit());
    let days = digits.then(|| number.parse::<u32>().ok()).flatten()?.checked_mul(each)?;
    (1..=MOST_DAYS).contains(&days).then_some(days)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_back_is_days_or_weeks() {
        for (text, expected) in [("90 days", Some(90)), ("1 day", Some(1)), ("2 weeks", Some(14))] {
            assert_eq!(days(text), expected, "{text}");
        }
        for text in ["90", "90 months", "-1 days", "0 days", "1.5 days", "99999999 days", "90 days; x"] {
            assert_eq!(days(text), None, "{text}");
        }
    }

    #[test]
    fn each_mistake_is_on_its_setting() {
        let rule = FilterRule::default;
        let some = |text: &str| Some(text.to_owned());
        for (rule, at) in [
            (FilterRule { column: some("a"), column_tag: some("b"), ..rule() }, "column_tag"),
            (FilterRule { column: some("a"), ..rule() }, "column"),
            (FilterRule { list: some("groups"), ..rule() }, "in"),
            (FilterRule { column: some("a"), list: some("group"), ..rule() }, "in"),
            (FilterRule { column: some("a"), list: some("attribute."), ..rule() }, "in"),
            (FilterRule { column: some("a"), list: some("groups"), newest: some("1 day"), ..rule() }, "newest"),
            (FilterRule { column: some("a"), condition: some("x = 1"), ..rule() }, "column"),
            (FilterRule { condition: some("x = 1;"), ..rule() }, "where"),
            (FilterRule { column: some("a"), newest: some("soon"), ..rule() }, "newest"),
            (FilterRule { column: some("a"), sample_percent: Some(100), ..rule() }, "sample_percent"),
            (FilterRule { missing_column: some("ignore"), ..rule() }, "missing_column"),
        ] {
            assert_eq!(Kind::read(&rule).expect_err("it is wrong").at, at, "{rule:?}");
        }
        assert_eq!(Kind::read(&rule()), Ok(Kind::Hidden));
    }
}
