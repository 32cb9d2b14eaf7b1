//! What a change of rules shows and hides, in words: what people are to read before they agree to it.

use std::collections::{BTreeMap, BTreeSet};

use super::condition::{Concerns, Condition};
use super::mask::Shown;
use super::rules::Rules;
use super::table::{HeldFilter, HeldMask, Protected, Table};
use crate::engine::error::shown;
use crate::engine::sql::Sql;

/// What holds for some tables, and what is to hold.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Turn {
    direction: Direction,
    what: String,
    before: BTreeSet<String>,
    after: BTreeSet<String>,
}

/// Whether more or less is seen. A rule only takes away, so less is seen where each of the old rules is covered by a new one.
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
    let columns = old.columns.iter().zip(&new.columns).filter_map(|(one, two)| {
        let words = |masks: &[HeldMask<'_>]| masks.iter().map(mask_in_words).collect();
        let is_strict = [&one.masks, &two.masks].into_iter().any(|masks| shows_nothing_together(masks));
        let direction = direction(&one.masks, &two.masks, |mask, other| mask_covers(mask, other, is_strict))?;
        let what = shown(&one.column.name).into_owned();
        Some(Turn { direction, what, before: words(&one.masks), after: words(&two.masks) })
    });
    let words = |filters: &[HeldFilter<'_>]| filters.iter().map(filter_in_words).collect();
    let rows = direction(&old.filters, &new.filters, filter_covers).map(|direction| {
        let (before, after) = (words(&old.filters), words(&new.filters));
        Turn { direction, what: "rows".to_owned(), before, after }
    });
    columns.chain(rows).collect()
}

/// None: the same is seen.
fn direction<T>(before: &[T], after: &[T], covers: impl Fn(&T, &T) -> bool) -> Option<Direction> {
    let all_covered = |rules: &[T], by: &[T]| rules.iter().all(|rule| by.iter().any(|other| covers(other, rule)));
    match (all_covered(before, after), all_covered(after, before)) {
        (true, true) => None,
        (true, false) => Some(Direction::HidesMore),
        (false, true) => Some(Direction::ShowsMore),
        (false, false) => Some(Direction::Otherwise),
    }
}

/// Whether two of the masks together show NULL, which is less than either: then one that is coarser than each may still show
/// more than both.
fn shows_nothing_together(masks: &[HeldMask<'_>]) -> bool {
    let is_less = |one: &HeldMask<'_>, other: &HeldMask<'_>| {
        one.shown != Shown::Null && other.shown != Shown::Null && one.shown.meet(&other.shown) == Shown::Null
    };
    masks.iter().enumerate().any(|(at, one)| masks[at + 1..].iter().any(|other| is_less(one, other)))
}

/// Whether the first hides all that the second does. False where that cannot be told.
fn mask_covers(one: &HeldMask<'_>, other: &HeldMask<'_>, is_strict: bool) -> bool {
    let condition =
        |mask: &HeldMask<'_>| mask.condition.as_ref().map(|(sql, text)| (told_apart(sql), (*text).to_owned()));
    // What an expression says of tags is in its SQL alone.
    let is_same = one.shown == other.shown
        && (!matches!(one.shown, Shown::Expression(_)) || told_apart(&one.sql) == told_apart(&other.sql));
    let is_as_strict = is_same
        || one.shown == Shown::Null
        || (!is_strict && one.shown != other.shown && one.shown.meet(&other.shown) == one.shown);
    let everywhere = one.condition.is_none() || condition(one) == condition(other);
    is_as_strict && everywhere && concerns_cover(&one.concerns, &other.concerns)
}

fn filter_covers(one: &HeldFilter<'_>, other: &HeldFilter<'_>) -> bool {
    let is_same = filter_rule(one) == filter_rule(other) && told_apart(&one.sql) == told_apart(&other.sql);
    is_same && concerns_cover(&one.concerns, &other.concerns)
}

/// A condition with the columns that its tags stand for, and without the numbers of lists, which other rules shift.
fn told_apart(sql: &Sql) -> String {
    let text = sql.to_string();
    let mut pieces = text.split("p.a");
    let first = pieces.next().unwrap_or_default().to_owned();
    pieces.fold(first, |text, piece| text + "p.a" + piece.trim_start_matches(|c: char| c.is_ascii_digit()))
}

/// Whether a rule with the first is on everybody whom one with the second is on.
fn concerns_cover(one: &Concerns<'_>, other: &Concerns<'_>) -> bool {
    let within = |blocks: &[Condition], others: &[Condition]| {
        blocks.iter().all(|block| others.iter().any(|other| is_within(block, other)))
    };
    match (one, other) {
        (Concerns::Everybody, _) => true,
        (Concerns::Unless(exempt), Concerns::Unless(other)) => within(exempt, other),
        (Concerns::OnlyFor(some), Concerns::OnlyFor(other)) => within(other, some),
        _ => false,
    }
}

/// Whether the second describes all whom the first does: of each kind that it names, the first names some of the same.
fn is_within(one: &Condition, other: &Condition) -> bool {
    let some_of = |one: &BTreeSet<String>, other: &BTreeSet<String>| {
        other.is_empty() || (!one.is_empty() && one.is_subset(other))
    };
    let has =
        |(key, values): (&String, &BTreeSet<String>)| one.attributes.get(key).is_some_and(|of| some_of(of, values));
    some_of(&one.groups, &other.groups)
        && some_of(&one.users, &other.users)
        && some_of(&one.purposes, &other.purposes)
        && other.attributes.iter().all(has)
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
    format!("{}{}", filter_rule(filter), whom(&filter.concerns))
}

fn filter_rule(filter: &HeldFilter<'_>) -> String {
    let rule = filter.filter;
    let column = filter.column.as_ref().map(|column| column.name.as_str()).unwrap_or_default();
    let what = match (&rule.list, &rule.condition, &rule.newest, rule.sample_percent) {
        (Some(list), ..) => format!("where {column} is in {list}"),
        (_, Some(text), ..) => format!("where {text}"),
        (_, _, Some(age), _) => format!("where {column} is no older than {age}"),
        (.., Some(percent)) => format!("{percent} of 100, by {column}"),
        _ => "none".to_owned(),
    };
    shown(&what).into_owned()
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

#[cfg(test)]
mod tests {
    use super::super::columns::column;
    use super::super::policy::{MaskRule, Policy};
    use super::*;

    fn groups(names: &[&str]) -> Vec<Condition> {
        let groups = names.iter().map(|name| (*name).to_owned()).collect();
        vec![Condition { groups, ..Condition::default() }]
    }

    fn mask(using: &str, unless: Vec<Condition>) -> MaskRule {
        MaskRule { columns: ["a".to_owned()].into(), using: using.into(), unless, ..MaskRule::default() }
    }

    /// The first words of what changes.
    fn told(before: Vec<MaskRule>, after: Vec<MaskRule>) -> String {
        let (before, after) = (Policy::new(None, before, []), Policy::new(None, after, []));
        let (before, after) = (Rules::new(&before).expect("rules"), Rules::new(&after).expect("rules"));
        let columns = vec![column("a", "varchar(9)").expect("a column"), column("n", "integer").expect("a column")];
        let table = Table { database: None, schema: "s".into(), name: "t".into(), columns };
        let lines = effects(&before, &after, &[table]);
        assert!(lines.len() <= 1, "{lines:?}");
        lines.first().and_then(|line| line.split(':').next()).unwrap_or("nothing").to_owned()
    }

    #[test]
    fn who_is_exempt_and_how_much_a_mask_tells_decide_the_direction() {
        let (one, two) = (|| groups(&["one"]), || groups(&["one", "two"]));
        let narrow = || {
            let users = ["ann".to_owned()].into();
            vec![Condition { users, ..groups(&["one"]).remove(0) }]
        };
        for (before, after, expected) in [
            (vec![mask("null", one())], vec![mask("null", two())], "shows more"),
            (vec![mask("null", two())], vec![mask("null", one())], "hides more"),
            (vec![mask("null", one())], vec![mask("null", narrow())], "hides more"),
            (vec![mask("null", one())], vec![mask("null", groups(&["three"]))], "shows otherwise"),
            (vec![mask("null", one())], vec![mask("null", vec![])], "hides more"),
            (vec![mask("hash", one())], vec![mask("null", one())], "hides more"),
            (vec![mask("null", one())], vec![mask("hash", one())], "shows more"),
            (vec![mask("null", one())], vec![mask("hash", vec![])], "shows otherwise"),
            (vec![], vec![mask("hash", one())], "hides more"),
            (vec![mask("hash", one())], vec![], "shows more"),
            (vec![mask("null", vec![]), mask("hash", one())], vec![mask("null", vec![])], "nothing"),
        ] {
            assert_eq!(told(before.clone(), after.clone()), expected, "{before:?} to {after:?}");
        }
        let round = |to: &[&str]| {
            let one = |to: &&str| MaskRule {
                to: Some((*to).to_owned()),
                columns: ["n".to_owned()].into(),
                ..mask("round", vec![])
            };
            to.iter().map(one).collect::<Vec<_>>()
        };
        for (before, after, expected) in [
            (&["10", "15"][..], &["30"][..], "shows otherwise"),
            (&["10", "15", "30"], &["30"], "shows more"),
            (&["30"], &["10", "15"], "shows otherwise"),
            (&["10"], &["10", "15"], "hides more"),
            (&["10"], &["30"], "hides more"),
            (&["30"], &["10"], "shows more"),
        ] {
            assert_eq!(told(round(before), round(after)), expected, "{before:?} to {after:?}");
        }
        let only_for = |names: &[&str]| MaskRule { only_for: groups(names), ..mask("null", vec![]) };
        assert_eq!(told(vec![only_for(&["one"])], vec![only_for(&["one", "two"])]), "hides more");
        assert_eq!(told(vec![only_for(&["one", "two"])], vec![only_for(&["one"])]), "shows more");
        let where_one = MaskRule { condition: Some("a = 'x'".into()), ..mask("null", vec![]) };
        assert_eq!(told(vec![mask("null", vec![])], vec![where_one.clone()]), "shows more");
        assert_eq!(told(vec![where_one], vec![mask("null", vec![])]), "hides more");
    }

    #[test]
    fn a_tag_on_another_column_is_a_change_of_what_speaks_of_it() {
        let rule = MaskRule { condition: Some("@columnTagged('consent') = 0".into()), ..mask("null", vec![]) };
        let policy = |on: &str| {
            Policy::new(None, [rule.clone()], []).tagged([("consent".to_owned(), [on.to_owned()].into())].into())
        };
        let (before, after) = (policy("n"), policy("m"));
        let (before, after) = (Rules::new(&before).expect("rules"), Rules::new(&after).expect("rules"));
        let columns = ["a", "n", "m"].map(|name| column(name, if name == "a" { "varchar(9)" } else { "integer" }));
        let columns = columns.into_iter().map(|column| column.expect("a column")).collect();
        let table = Table { database: None, schema: "s".into(), name: "t".into(), columns };
        let lines = effects(&before, &after, &[table]);
        assert!(lines[0].starts_with("shows otherwise: a of t"), "{lines:?}");
    }
}
