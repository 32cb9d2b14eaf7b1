//! What a change of rules shows and hides, in words: what people are to read before they agree to it.

use std::collections::{BTreeMap, BTreeSet};

use super::condition::{Concerns, Condition};
use super::rules::Rules;
use super::table::{HeldFilter, HeldMask, Protected, Table};
use crate::engine::error::shown;

/// What holds for some tables, and what is to hold.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Turn {
    direction: Direction,
    what: String,
    before: BTreeSet<String>,
    after: BTreeSet<String>,
}

/// Whether more or less is seen. A rule only takes away, so it is told by the rules that come and go.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Direction {
    ShowsMore,
    Otherwise,
    HidesMore,
}

/// How many tables a line names.
const NAMED: usize = 3;

/// How many lines there are. What shows more comes first.
const LINES: usize = 40;

/// What the second rules change on the tables. Tables that one of them does not fit are told by the errors of the plan.
pub fn effects(before: &Rules<'_>, after: &Rules<'_>, tables: &[Table]) -> Vec<String> {
    let mut turns: BTreeMap<Turn, Vec<&str>> = BTreeMap::new();
    for table in tables {
        let (Ok(old), Ok(new)) = (before.on(table), after.on(table)) else { continue };
        for turn in on_table(&old, &new) {
            turns.entry(turn).or_default().push(&table.name);
        }
    }
    let all: Vec<String> = turns.iter().map(|(turn, tables)| turn.in_words(tables)).collect();
    let more = all.len().saturating_sub(LINES);
    let rest = (more > 0).then(|| format!("and {more} more"));
    all.into_iter().take(LINES).chain(rest).collect()
}

fn on_table(old: &Protected<'_>, new: &Protected<'_>) -> Vec<Turn> {
    let turn = |what: String, before: BTreeSet<String>, after: BTreeSet<String>| {
        let direction = match (after.is_superset(&before), before.is_superset(&after)) {
            (true, true) => return None,
            (true, false) => Direction::HidesMore,
            (false, true) => Direction::ShowsMore,
            (false, false) => Direction::Otherwise,
        };
        Some(Turn { direction, what, before, after })
    };
    let columns = old.columns.iter().zip(&new.columns).filter_map(|(one, two)| {
        let masks = |masks: &[HeldMask<'_>]| masks.iter().map(mask_in_words).collect();
        turn(shown(&one.column.name).into_owned(), masks(&one.masks), masks(&two.masks))
    });
    let filters = |filters: &[HeldFilter<'_>]| filters.iter().map(filter_in_words).collect();
    columns.chain(turn("rows".to_owned(), filters(&old.filters), filters(&new.filters))).collect()
}

impl Turn {
    fn in_words(&self, tables: &[&str]) -> String {
        let named: Vec<String> = tables.iter().take(NAMED).map(|table| shown(table).into_owned()).collect();
        let more = tables.len().saturating_sub(NAMED);
        let more = if more > 0 { format!(" and {more} more") } else { String::new() };
        let direction = match self.direction {
            Direction::ShowsMore => "shows more",
            Direction::Otherwise => "shows otherwise",
            Direction::HidesMore => "hides more",
        };
        let all = |rules: &BTreeSet<String>, none: &str| match rules.is_empty() {
            true => none.to_owned(),
            false => rules.iter().cloned().collect::<Vec<_>>().join("; "),
        };
        let none = if self.what == "rows" { "all" } else { "in clear" };
        format!(
            "{direction}: {} of {}{more}: {}, and before: {}",
            self.what,
            named.join(", "),
            all(&self.after, none),
            all(&self.before, none)
        )
    }
}

fn mask_in_words(mask: &HeldMask<'_>) -> String {
    let condition = mask.condition.as_ref().map(|(_, text)| format!(" where {}", shown(text))).unwrap_or_default();
    format!("{} mask{condition}{}", mask.shown.name(), whom(&mask.concerns))
}

fn filter_in_words(filter: &HeldFilter<'_>) -> String {
    let rule = filter.filter;
    let column = filter.column.as_ref().map(|column| column.name.as_str()).unwrap_or_default();
    let what = match (&rule.list, &rule.condition, &rule.newest, rule.sample_percent) {
        (Some(list), ..) => format!("where {column} is in {list}"),
        (_, Some(text), ..) => format!("where {text}"),
        (_, _, Some(age), _) => format!("where {column} is no older than {age}"),
        (.., Some(percent)) => format!("{percent} of 100, by {column}"),
        _ => "none".to_owned(),
    };
    format!("{}{}", shown(&what), whom(&filter.concerns))
}

fn whom(concerns: &Concerns<'_>) -> String {
    let all = |blocks: &[Condition]| blocks.iter().map(in_words).collect::<Vec<_>>().join(" or ");
    match concerns {
        Concerns::Everybody => " for everybody".to_owned(),
        Concerns::Unless(blocks) => format!(" unless {}", all(blocks)),
        Concerns::OnlyFor(blocks) => format!(" only for {}", all(blocks)),
    }
}

fn in_words(condition: &Condition) -> String {
    let list = |kind: &str, values: &BTreeSet<String>| {
        let values: Vec<String> = values.iter().map(|value| shown(value).into_owned()).collect();
        (!values.is_empty()).then(|| format!("{kind} {}", values.join(", ")))
    };
    let attributes =
        condition.attributes.iter().filter_map(|(key, values)| list(&format!("attribute {} of", shown(key)), values));
    let kinds = [("group", &condition.groups), ("user", &condition.users), ("purpose", &condition.purposes)];
    let kinds = kinds.into_iter().filter_map(|(kind, values)| list(kind, values));
    kinds.chain(attributes).collect::<Vec<_>>().join(" and ")
}
