//! Random rules and profiles: what people see against what is simulated, and against what they saw with a rule less.

use std::collections::BTreeMap;
use std::sync::Arc;

use proptest::strategy::{Strategy, ValueTree};
use proptest::test_runner::TestRunner;

use super::{COLUMNS, READERS, Where, in_groups, integration, mask, set, trial, uri, wanted};
use crate::engine::governance::{
    Column, Condition, FilterRule, MaskRule, Policy, Profile, Rules, SeenColumn, SeenRows, Simulation, Table, column,
};
use crate::engine::registration::kept::Kept;
use crate::engine::registration::profiles::{self, ProfilesWanted};
use crate::engine::registration::tables::{self, NotOffered};
use crate::engine::session::warehouse::Warehouse;
use crate::engine::trial::{PASSWORD, Trial, is_campaign};

/// Rules of every kind whose effect can be told from outside.
fn masks() -> impl Strategy<Value = MaskRule> {
    use proptest::prelude::*;
    let constant = |column: &str| MaskRule { value: Some(constant_of(column).into()), ..mask("constant", column) };
    let using = prop_oneof![
        Just(mask("null", "email")),
        Just(constant("email")),
        Just(constant("visits")),
        Just(mask("hash", "email")),
        Just(MaskRule { salt: Some("s".into()), ..mask("hash", "visits") }),
        Just(mask("hash", "amount")),
        Just(MaskRule { to: Some("100".into()), ..mask("round", "amount") }),
        Just(MaskRule { to: Some("10".into()), ..mask("round", "visits") }),
        Just(MaskRule { to: Some("year".into()), ..mask("round", "born") }),
        Just(MaskRule { pattern: Some("@.*$".into()), replacement: Some("@…".into()), ..mask("regex", "email") }),
        Just(MaskRule { expression: Some("upper(@column)".into()), ..mask("expression", "name") }),
        Just(mask("null", "name")),
    ];
    let predicate = prop::option::weighted(0.3, prop::sample::select(vec!["id < 3", "tenant = 'one'", "amount > 0"]));
    (using, predicate, conditions(), any::<bool>()).prop_map(|(rule, predicate, conditions, unless)| {
        let (unless, only_for) = if unless { (conditions, Vec::new()) } else { (Vec::new(), conditions) };
        MaskRule { condition: predicate.map(str::to_owned), unless, only_for, ..rule }
    })
}

/// What a column's constant is, where one stands for it.
fn constant_of(column: &str) -> &'static str {
    if column == "visits" { "7" } else { "x" }
}

fn conditions() -> impl Strategy<Value = Vec<Condition>> {
    use proptest::prelude::*;
    let groups = |names: &[&str]| Condition { groups: set(names), ..Condition::default() };
    let tenant = || BTreeMap::from([("tenant".to_owned(), set(&["one"]))]);
    let one = prop::sample::select(vec![
        groups(&["g1"]),
        groups(&["g2", "g3"]),
        Condition { users: set(&["ann"]), ..Condition::default() },
        Condition { purposes: set(&["Research"]), ..Condition::default() },
        Condition { attributes: tenant(), ..Condition::default() },
        Condition { attributes: tenant(), ..groups(&["g1", "g2"]) },
        Condition { purposes: set(&["Research"]), ..groups(&["g2", "g3"]) },
    ]);
    prop::collection::vec(one, 0..3)
}

fn filters() -> impl Strategy<Value = FilterRule> {
    use proptest::prelude::*;
    let on = |column: &str| FilterRule { column: Some(column.to_owned()), ..FilterRule::default() };
    let listed = |column: &str, list: &str| FilterRule { list: Some(list.to_owned()), ..on(column) };
    let skipping = |rule: FilterRule| FilterRule { missing_column: Some("skip".into()), ..rule };
    let kind = prop::sample::select(vec![
        listed("tenant", "attribute.tenant"),
        listed("name", "attribute.name"),
        listed("born", "attribute.born"),
        listed("owner", "user"),
        listed("tenant", "groups"),
        listed("tenant", "purposes"),
        skipping(listed("tenant", "groups")),
        skipping(listed("not_here", "groups")),
        FilterRule { condition: Some("visits >= 0".into()), ..FilterRule::default() },
        FilterRule { newest: Some("900 days".into()), ..on("born") },
        FilterRule { newest: Some("4 weeks".into()), ..on("seen_at") },
        FilterRule { sample_percent: Some(50), ..on("id") },
        FilterRule::default(),
    ]);
    (kind, conditions(), any::<bool>()).prop_map(|(rule, conditions, unless)| {
        // A filter that hides the table from everybody is refused where it is written.
        let hides = rule == FilterRule::default();
        let conditions = if hides && conditions.is_empty() { in_groups(&["g1"]) } else { conditions };
        let (unless, only_for) = if unless { (conditions, Vec::new()) } else { (Vec::new(), conditions) };
        FilterRule { unless, only_for, ..rule }
    })
}

/// One rule, a mask or a filter.
fn rule() -> impl Strategy<Value = (Option<MaskRule>, Option<FilterRule>)> {
    use proptest::prelude::*;
    prop_oneof![
        masks().prop_map(|rule| (Some(rule), None::<FilterRule>)),
        filters().prop_map(|rule| (None::<MaskRule>, Some(rule))),
    ]
}

fn profile(user: &'static str) -> impl Strategy<Value = Profile> {
    use proptest::prelude::*;
    use proptest::sample::subsequence;
    let groups = subsequence(vec!["g1", "g2", "g3", "one", "it's % \\ \""], 0..4);
    let purposes = subsequence(vec!["Research", "one"], 0..3);
    let chosen = prop::option::of(prop::sample::select(vec!["Research", "one"]));
    let tenants = subsequence(vec!["one", "two", "o"], 0..3);
    let names = subsequence(vec!["Ann", "a b"], 0..3);
    let days = subsequence(vec!["1990-05-17", "1970-01-01"], 0..3);
    (groups, purposes, chosen, tenants, names, days).prop_map(
        move |(groups, purposes, chosen, tenants, names, days)| {
            let attributes = [("tenant", tenants), ("name", names), ("born", days)].into_iter();
            let held = attributes.filter(|(_, values)| !values.is_empty());
            Profile {
                user: user.into(),
                groups: set(&groups),
                purposes: set(&purposes),
                acting_under: chosen.map(str::to_owned),
                attributes: held.map(|(key, values)| (key.to_owned(), set(&values))).collect(),
            }
        },
    )
}

/// One cell as it has to be. A hash is told by what it is not. Where some of several predicates hold, something in
/// between shows.
fn fits(
    seen: &SeenColumn,
    holds: &[Option<bool>],
    clear: &Option<String>,
    rounded: &Option<String>,
    cell: &Option<String>,
) -> bool {
    let shown = match seen.otherwise {
        Some(otherwise) if holds.iter().all(|holds| *holds == Some(false)) => otherwise,
        Some(_) if holds.contains(&Some(false)) => return true,
        _ => seen.shown,
    };
    match shown {
        "clear" => value(cell) == value(clear),
        "null" => cell.is_none(),
        "constant" => cell.as_deref() == Some(constant_of(&seen.name)),
        "hash" if seen.name == "amount" => cell.is_none(),
        "hash" if clear.is_none() => cell.is_none(),
        "hash" if seen.name == "visits" => {
            cell.as_ref().is_some_and(|text| text.parse::<u64>().is_ok() && cell != clear)
        }
        "hash" => {
            cell.as_ref().is_some_and(|text| text.len() == 64 && text.bytes().all(|byte| byte.is_ascii_hexdigit()))
        }
        "round" => cell == rounded,
        "regex" => {
            let masked = |text: &String| text.split_once('@').map(|(before, _)| format!("{before}@…"));
            *cell == clear.as_ref().and_then(masked)
        }
        "expression" => value(cell) == value(clear).map(str::to_uppercase).as_deref(),
        other => panic!("{other}"),
    }
}

/// Blanks at the end of a char are no part of the value, and go where an expression may show instead.
fn value(cell: &Option<String>) -> Option<&str> {
    cell.as_deref().map(str::trim_end)
}

type Rows = Vec<Vec<Option<String>>>;

struct Clear {
    cells: Rows,
    /// The same with amounts rounded to 100, visits to 10 and days of birth to years.
    rounded: Rows,
}

fn at(rows: &Rows, id: &Option<String>, index: usize) -> Option<String> {
    rows.iter().find(|row| row[0] == *id).and_then(|row| row.get(index).cloned().flatten())
}

/// A table, where it is, and what is kept of the rules that were applied to it last.
struct Offered<'t> {
    trial: &'t Trial,
    warehouse: Arc<Warehouse>,
    place: Where,
    table: Table,
    clear: Clear,
    kept: Option<Kept>,
}

impl Offered<'_> {
    fn takes(&self, policy: &Policy) -> bool {
        Rules::new(policy).is_ok_and(|rules| rules.on(&self.table).is_ok())
    }

    /// What each reader sees under these rules, compared with what is simulated. None: the rules do not fit the table.
    async fn seen_under(&mut self, policy: &Policy, readers: [(&str, Option<&Profile>); 3]) -> Option<[Rows; 3]> {
        let mut wanted = wanted(self.place, policy.clone(), &READERS);
        wanted.offer.source.tables = set(&["people"]);
        let applied = tables::apply(&self.warehouse, &wanted, self.kept.as_ref(), None, &self.trial.never).await;
        self.kept = match applied {
            Ok(applied) => Some(applied.kept),
            Err(NotOffered::Rules(_)) => return None,
            Err(NotOffered::NotYet(lacks)) => panic!("{lacks:?}"),
            Err(NotOffered::Failed(error)) => panic!("{error}: {}", policy.json()),
        };
        let rules = Rules::new(policy).expect("rules");
        let protected = rules.on(&self.table).expect("they fit");
        let mut all = [Rows::new(), Rows::new(), Rows::new()];
        for (rows, (user, profile)) in all.iter_mut().zip(readers) {
            *rows = self.compared(user, profile, &protected.seen_by(profile)).await;
        }
        Some(all)
    }

    async fn compared(&self, user: &str, profile: Option<&Profile>, simulation: &Simulation) -> Rows {
        let predicate = match (simulation.rows, &simulation.row_filter) {
            (SeenRows::None, _) => "1 = 0".to_owned(),
            (SeenRows::All, _) => "1 = 1".to_owned(),
            (SeenRows::Some, predicate) => predicate.clone().expect("a predicate"),
        };
        let query = format!("SELECT id FROM sales.people t WHERE {predicate} ORDER BY id");
        let expected = self.trial.admin("prod", &query).await;
        let database = uri(self.place).database;
        let mut session = self.trial.standin.session(user, Some(PASSWORD), &database).await.expect("signs in");
        if let Some(purpose) = profile.and_then(|profile| profile.acting_under.as_ref()) {
            session.query(&format!("SET gov_session.purpose TO '{purpose}'")).await.expect("is set");
        }
        let rows = session.query("SELECT * FROM gov_sales.people ORDER BY id").await.expect("reads").rows;
        let ids = |rows: &Rows| rows.iter().map(|row| row[0].clone()).collect::<Vec<_>>();
        assert_eq!(ids(&rows), ids(&expected), "{user}: rows by {predicate}");
        for seen in &simulation.columns {
            let index = COLUMNS.iter().position(|(name, _)| *name == seen.name).expect("a column");
            let mut truths = Vec::new();
            for condition in seen.condition.iter().flat_map(|all| all.split(") AND (")) {
                let condition = condition.trim_start_matches('(').trim_end_matches(')');
                truths.push(self.trial.admin("prod", &format!("SELECT id, ({condition}) FROM sales.people t")).await);
            }
            for row in &rows {
                let holds = |truths: &Rows| at(truths, &row[0], 1).map(|text: String| text == "t");
                let holds: Vec<Option<bool>> = truths.iter().map(holds).collect();
                let of = |rows: &Rows| at(rows, &row[0], index);
                let (clear, rounded) = (of(&self.clear.cells), of(&self.clear.rounded));
                let fits = fits(seen, &holds, &clear, &rounded, &row[index]);
                assert!(fits, "{user}, row {:?}: {seen:?} shows {:?} of {clear:?}", row[0], row[index]);
            }
        }
        rows
    }

    /// With a rule more there is no other row, and a cell is as it was, unless it was in clear, or tells nothing now.
    fn assert_no_more(&self, user: &str, before: &Rows, after: &Rows) {
        for row in after {
            let earlier = before.iter().find(|earlier| earlier[0] == row[0]);
            let earlier = earlier.unwrap_or_else(|| panic!("{user}: row {:?} is seen with a rule more", row[0]));
            for (index, (name, _)) in COLUMNS.iter().enumerate() {
                let clear = at(&self.clear.cells, &row[0], index);
                let (clear, was, is) = (value(&clear), value(&earlier[index]), value(&row[index]));
                let tells_nothing = is.is_none_or(|text| text == constant_of(name));
                assert!(
                    was == clear || is == was || tells_nothing,
                    "{user}, row {:?}: {name} of {clear:?} was {was:?} and is {is:?}",
                    row[0]
                );
            }
        }
    }
}

/// The warehouse shows what the simulation says, and with one rule more nothing more.
async fn views_show_what_is_simulated(place: Where, cases: usize) {
    let trial = trial(place).await;
    integration(&trial, place).await;
    let clear = Clear {
        cells: trial.admin("prod", "SELECT * FROM sales.people").await,
        rounded: trial
            .admin("prod", "SELECT id, email, name, CAST(amount - mod(amount, 100) AS decimal(10, 2)), visits - mod(visits, 10), CAST(date_trunc('year', born) AS date) FROM sales.people")
            .await,
    };
    let columns: Vec<Column> = COLUMNS.iter().map(|(name, ty)| column(name, ty).expect("a column")).collect();
    let database = (place == Where::Elsewhere).then(|| "prod".to_owned());
    let table = Table { database, schema: "sales".into(), name: "people".into(), columns };
    let warehouse = trial.warehouse();
    let mut offered = Offered { trial: &trial, warehouse: warehouse.clone(), place, table, clear, kept: None };
    let mut runner = TestRunner::default();
    let mut before = None;
    let mut done = 0;
    while done < cases {
        let strategy = (
            proptest::collection::vec(masks(), 0..6),
            proptest::collection::vec(filters(), 0..3),
            rule(),
            profile("ann"),
            profile("bob"),
        );
        let (masks, filters, more, ann, bob) = strategy.new_tree(&mut runner).expect("a case").current();
        let policy = Policy::new(None, masks.clone(), filters.clone());
        let stricter = Policy::new(None, masks.into_iter().chain(more.0), filters.into_iter().chain(more.1));
        if !offered.takes(&policy) || !offered.takes(&stricter) {
            continue;
        }
        let users = [("ann".to_owned(), ann.clone()), ("bob".to_owned(), bob.clone())].into();
        let people = ProfilesWanted { uri: uri(place), name: "people".into(), users, exclusive: true };
        profiles::apply(&warehouse, &people, before.as_ref(), &trial.never).await.expect("profiles");
        before = Some(set(&["ann", "bob"]));
        let readers = [("ann", Some(&ann)), ("bob", Some(&bob)), ("cyd", None)];
        let Some(seen) = offered.seen_under(&policy, readers).await else { continue };
        let Some(with_more) = offered.seen_under(&stricter, readers).await else { continue };
        for (at, (user, _)) in readers.into_iter().enumerate() {
            offered.assert_no_more(user, &seen[at], &with_more[at]);
        }
        done += 1;
    }
}

/// Proves: G3, G5, G6, G8, G17
#[tokio::test(flavor = "multi_thread")]
async fn views_beside_the_tables_show_what_is_simulated() {
    views_show_what_is_simulated(Where::Beside, if is_campaign() { 120 } else { 8 }).await;
}

/// Proves: G3, G5, G6, G8, G17
#[tokio::test(flavor = "multi_thread")]
async fn views_on_another_database_show_what_is_simulated() {
    views_show_what_is_simulated(Where::Elsewhere, if is_campaign() { 40 } else { 3 }).await;
}
