//! Registrations on a stand-in: a fault at every step, and what people see against what is simulated.

use std::collections::BTreeSet;

use proptest::strategy::{Strategy, ValueTree};
use proptest::test_runner::TestRunner;
use redshift_standin::Fault;
use secrecy::SecretString;

use super::kept::Kept;
use super::profiles::{self, ProfilesWanted};
use super::tables::{self, NotOffered};
use super::uri::IntegrationUri;
use super::wanted::{External, Offer, Reader, Source, TablesWanted};
use crate::engine::bootstrap::{self, Kind, Request, Spec, UserPassword};
use crate::engine::governance::{
    Column, Condition, FilterRule, MaskRule, Policy, Profile, Rules, SeenColumn, SeenRows, Simulation, Table, column,
};
use crate::engine::trial::trouble::{Trouble, side_by_side, stride, under};
use crate::engine::trial::{PASSWORD, Trial, is_campaign};

const READERS: [&str; 3] = ["ann", "bob", "cyd"];

/// The columns of the table that is offered.
const COLUMNS: [(&str, &str); 8] = [
    ("id", "integer"),
    ("email", "varchar(100)"),
    ("name", "char(10)"),
    ("amount", "decimal(10, 2)"),
    ("visits", "integer"),
    ("born", "date"),
    ("tenant", "varchar(10)"),
    ("owner", "varchar(100)"),
];

const ROWS: [&str; 6] = [
    "1, 'a@x.org', 'Ann', 123.45, 17, '1990-05-17', 'one', 'ann'",
    "2, 'b@x.org', 'Bob', -987.65, -23, '2001-12-31', 'two', 'bob'",
    "3, NULL, NULL, NULL, NULL, NULL, NULL, NULL",
    "4, 'it''s % \\\\ \"', 'a b', 0, 0, '1970-01-01', 'one', 'cyd'",
    "5, '', '', 99999.99, 2147483647, '2024-02-29', 'o', 'ann '",
    "6, 'A@X.ORG', 'ANN', 1000, 1000, '2025-03-01', 'two', 'Ann'",
];

/// Where the tables are: beside the views, in another database, or outside of the warehouse.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Where {
    Beside,
    Elsewhere,
    Outside,
}

async fn trial(place: Where) -> Trial {
    let trial = Trial::start();
    trial.admin("dev", "CREATE DATABASE prod").await;
    for user in READERS {
        trial.admin("dev", &format!("CREATE USER {user} PASSWORD '{PASSWORD}'")).await;
    }
    let columns: Vec<String> = COLUMNS.iter().map(|(name, ty)| format!("{name} {ty}")).collect();
    let columns = columns.join(", ");
    if place == Where::Outside {
        let schema = "CREATE EXTERNAL SCHEMA sales FROM DATA CATALOG DATABASE 'raw' IAM_ROLE default";
        trial.admin("prod", schema).await;
        let people = "STORED AS PARQUET LOCATION 's3://bucket/people/'";
        trial.admin("prod", &format!("CREATE EXTERNAL TABLE sales.people ({columns}) {people}")).await;
        let row = |id: i32, visits: Option<i32>| serde_json::json!({ "id": id, "visits": visits, "tenant": "one" });
        let rows: Vec<_> = [(1, Some(17)), (2, Some(-23)), (3, None)].map(|(id, visits)| row(id, visits)).into();
        trial.standin.put_files("s3://bucket/people/", &rows.into()).expect("files are put");
        return trial;
    }
    trial.admin("prod", "CREATE SCHEMA sales").await;
    trial.admin("prod", &format!("CREATE TABLE sales.people ({columns})")).await;
    for row in ROWS {
        trial.admin("prod", &format!("INSERT INTO sales.people VALUES ({row})")).await;
    }
    trial.admin("prod", "CREATE TABLE sales.orders (id integer, tenant varchar(10))").await;
    trial
}

fn uri(place: Where) -> IntegrationUri {
    let (database, kind) = match place {
        Where::Beside | Where::Outside => ("prod", Kind::RedshiftSpectrum),
        Where::Elsewhere => ("governed", Kind::Redshift),
    };
    let (database, prefix, system_user) = (database.into(), "gov".into(), "gov_system_user".into());
    IntegrationUri { database, prefix, system_user, kind, by_hand: false }
}

/// Makes the integration, and says how to take it away.
async fn integration(trial: &Trial, place: Where) {
    let uri = uri(place);
    let spec = Spec {
        kind: uri.kind,
        database: uri.database.clone(),
        initial_database: (place == Where::Elsewhere).then(|| "dev".into()),
        create_database: place == Where::Elsewhere,
        prefix: uri.prefix,
        system_user: uri.system_user,
        impersonation: None,
        marker_owner: None,
        external_schemas: Default::default(),
        members: None,
        key_version: None,
        allowed_readers: Default::default(),
    };
    let password = UserPassword::Set(SecretString::from("System-secret-1"));
    let request = Request { spec, password, serverless: false, new_key: false };
    bootstrap::create(&trial.warehouse(), &request, &trial.never).await.expect("the integration is made");
}

fn set(values: &[&str]) -> BTreeSet<String> {
    values.iter().map(|&value| value.to_owned()).collect()
}

fn wanted(place: Where, policy: Policy, readers: &[&str]) -> TablesWanted {
    let offer = Offer {
        source: Source {
            database: "prod".into(),
            schema: "sales".into(),
            tables: set(&["*"]),
            except_tables: BTreeSet::new(),
            future_tables: true,
        },
        view_schema: "gov_sales".into(),
        view_name: "{table}".into(),
        policy,
        barrier: true,
        barrier_except: BTreeSet::new(),
        readers: readers.iter().map(|&user| Reader::User(user.to_owned())).collect(),
        external: (place == Where::Outside).then_some(External::Materialized),
    };
    TablesWanted { uri: uri(place), name: "sales".into(), offer, allowed_readers: None, force: false }
}

fn in_groups(names: &[&str]) -> Vec<Condition> {
    vec![Condition { groups: set(names), ..Condition::default() }]
}

fn mask(using: &str, column: &str) -> MaskRule {
    MaskRule { columns: set(&[column]), using: using.into(), ..MaskRule::default() }
}

/// Rules as they are first, and after they were made stricter.
fn policy(edited: bool) -> Policy {
    let mut masks = vec![MaskRule { unless: in_groups(&["privacy"]), ..mask("hash", "email") }];
    if edited {
        masks.push(MaskRule { value: Some("0".into()), ..mask("constant", "visits") });
        masks.push(mask("null", "born"));
    }
    let filter =
        FilterRule { column: Some("tenant".into()), list: Some("attribute.tenant".into()), ..FilterRule::default() };
    Policy::new(None, masks, [filter])
}

/// Whether all is as it is wanted.
async fn is_whole(trial: &Trial, wanted: &TablesWanted, kept: &Kept, what: &str) {
    let looked = tables::look(&trial.warehouse(), wanted, kept, None, &trial.never).await;
    let looked = looked.unwrap_or_else(|error| panic!("{what}: {error:?}")).expect("it is there");
    assert_eq!((looked.way.missing(), looked.way.surplus()), (vec![], vec![]), "{what}");
    assert!(looked.found.inside.entry(&wanted.name).is_some_and(|entry| entry.is_done), "{what}");
}

async fn dump(trial: &Trial) -> String {
    let text = trial.standin.dump_all().await.expect("dumps");
    // The table of what is registered stays with the integration, and so does the key.
    let stays = |line: &&str| !line.contains("gov_system.registration") && !line.contains("gov_system.mask_key");
    text.lines().filter(stays).map(|line| format!("{line}\n")).collect()
}

/// What a reader is answered; none: he is refused.
async fn seen(trial: &Trial, user: &str, database: &str, query: &str) -> Option<Vec<Vec<Option<String>>>> {
    trial.standin.sql_as(user, PASSWORD, database, query).await.ok()
}

/// One life with a fault at step k of one of its acts, each of which is then tried again. False: there is no step k.
async fn life_with(trial: &Trial, place: Where, act: usize, k: u64, trouble: Trouble, before: &str) -> bool {
    let what = format!("{place:?}, act {act}, step {k}, {trouble:?}");
    let later = trial.warehouse();
    let mut struck = false;
    let mut kept: Option<Kept> = None;
    let database = uri(place).database;
    let view = "SELECT sum(visits) FROM gov_sales.people";
    for (number, policy) in [policy(false), policy(true)].into_iter().enumerate() {
        let wanted = wanted(place, policy, if number == 0 { &READERS } else { &READERS[..2] });
        let old = seen(trial, "ann", &database, view).await;
        if number == act {
            trial.standin.reset_counters();
            trial.standin.fault(Fault::work(k, trouble.action()));
        }
        let (warehouse, one, known) = (trial.warehouse(), wanted.clone(), kept.clone());
        let work = |cancel| async move { tables::apply(&warehouse, &one, known.as_ref(), None, &cancel).await };
        let applied =
            if number == act { under(trial, trouble, work).await } else { Some(work(trial.never.clone()).await) };
        if number == act {
            struck = trial.standin.counters().work >= k;
            trial.standin.clear_faults();
            let now = seen(trial, "ann", &database, view).await;
            let is_new = now.as_ref().is_some_and(|rows| rows[0][0].as_deref() == Some("0"));
            let failed = !matches!(applied, Some(Ok(_)));
            let is_seen = old.as_ref().is_some_and(|rows| !["0", ""].contains(&rows[0][0].as_deref().unwrap_or("")));
            assert!(number == 0 || is_seen, "{what}: ann sees nothing: {old:?}");
            assert!(number == 0 || !failed || now == old || is_new, "{what}: neither old nor new: {now:?}");
        }
        let applied = match applied {
            Some(Ok(applied)) => applied,
            failed => {
                let again = tables::apply(&later, &wanted, kept.as_ref(), None, &trial.never).await;
                again.unwrap_or_else(|again| panic!("{what}: {:?}, then {again:?}", failed.map(|it| it.err())))
            }
        };
        is_whole(trial, &wanted, &applied.kept, &what).await;
        kept = Some(applied.kept);
    }
    let (gone, kept) = (wanted(place, policy(true), &READERS[..2]), kept.unwrap_or_default());
    if act == 2 {
        trial.standin.reset_counters();
        trial.standin.fault(Fault::work(k, trouble.action()));
    }
    let (warehouse, one, known) = (trial.warehouse(), gone.clone(), kept.clone());
    let work = |cancel| async move { tables::remove(&warehouse, &one, &known, &cancel).await };
    let removed = if act == 2 { under(trial, trouble, work).await } else { Some(work(trial.never.clone()).await) };
    if act == 2 {
        struck = trial.standin.counters().work >= k;
        trial.standin.clear_faults();
    }
    if !matches!(removed, Some(Ok(_))) {
        let again = tables::remove(&later, &gone, &kept, &trial.never).await;
        again.unwrap_or_else(|again| panic!("{what}: {removed:?}, then {again}"));
    }
    assert_eq!(dump(trial).await, before, "{what}");
    struck
}

async fn every_step(place: Where, troubles: &[Trouble]) {
    let trial = trial(place).await;
    integration(&trial, place).await;
    let ann = Profile { attributes: [("tenant".to_owned(), set(&["one"]))].into(), ..nobody("ann") };
    let users = [("ann".to_owned(), ann)].into();
    let people = ProfilesWanted { uri: uri(place), name: "people".into(), users, exclusive: true };
    profiles::apply(&trial.warehouse(), &people, None, &trial.never).await.expect("profiles");
    let before = dump(&trial).await;
    // Outside of the campaign one act for each list of troubles.
    let first = if is_campaign() { 0 } else { rand::random_range(0..3) };
    for act in first..if is_campaign() { 3 } else { first + 1 } {
        let mut last = 0;
        for trouble in troubles {
            let mut k = trouble.first(last, 6);
            while life_with(&trial, place, act, k, *trouble, &before).await {
                last = k;
                k += stride(9..=30);
            }
            assert!(last > 0, "act {act}: no step was struck");
        }
    }
}

/// Proves: G14, G18
#[tokio::test(flavor = "multi_thread")]
async fn tables_beside_the_views_survive_a_fault_at_every_step() {
    side_by_side(|troubles| every_step(Where::Beside, troubles)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn tables_of_another_database_survive_a_fault_at_every_step() {
    side_by_side(|troubles| every_step(Where::Elsewhere, troubles)).await;
}

/// Three people ask all the time while rules are made stricter: each answer is the old one or the new one.
async fn answers_while_it_tightens(place: Where) {
    let trial = trial(place).await;
    integration(&trial, place).await;
    let of = |tenant: &str, user: &str| {
        let attributes = [("tenant".to_owned(), set(&[tenant]))].into();
        (user.to_owned(), Profile { attributes, ..nobody(user) })
    };
    let users = [of("one", "ann"), of("two", "bob")].into();
    let people = ProfilesWanted { uri: uri(place), name: "people".into(), users, exclusive: true };
    profiles::apply(&trial.warehouse(), &people, None, &trial.never).await.expect("profiles");
    let query = "SELECT id, email, visits, born FROM gov_sales.people ORDER BY id";
    let database = uri(place).database;
    let ask = async |user: &str| {
        let answer = trial.standin.sql_as(user, PASSWORD, &database, query).await;
        answer.unwrap_or_else(|error| panic!("{place:?}, {user}: {error}"))
    };
    let all = async || [ask("ann").await, ask("bob").await, ask("cyd").await];
    let first = wanted(place, policy(false), &READERS);
    let made = tables::apply(&trial.warehouse(), &first, None, None, &trial.never).await;
    let kept = made.expect("is made").kept;
    let before = all().await;
    let after_policy = wanted(place, policy(true), &READERS);
    let done = std::sync::atomic::AtomicBool::new(false);
    trial.standin.set_latency(std::time::Duration::from_millis(5));
    let warehouse = trial.warehouse();
    let tighten = async {
        let applied = tables::apply(&warehouse, &after_policy, Some(&kept), None, &trial.never).await;
        done.store(true, std::sync::atomic::Ordering::Relaxed);
        applied.expect("is tightened");
    };
    let poll = async |user: &str| {
        let mut answers = Vec::new();
        while !done.load(std::sync::atomic::Ordering::Relaxed) {
            answers.push(ask(user).await);
        }
        answers
    };
    let ((), ann, bob, cyd) = futures::join!(tighten, poll("ann"), poll("bob"), poll("cyd"));
    trial.standin.set_latency(std::time::Duration::ZERO);
    let after = all().await;
    assert_ne!(before[0], after[0]);
    for (at, answers) in [ann, bob, cyd].into_iter().enumerate() {
        assert!(!answers.is_empty());
        for answer in answers {
            assert!(answer == before[at] || answer == after[at], "{}: {answer:?}", READERS[at]);
        }
    }
}

/// Proves: G14
#[tokio::test(flavor = "multi_thread")]
async fn whoever_asks_while_rules_are_made_stricter_sees_the_old_or_the_new() {
    for place in [Where::Beside, Where::Elsewhere] {
        answers_while_it_tightens(place).await;
    }
}

/// Profiles with a fault at step k of making, changing or removing them. False: there is no step k.
async fn profiles_with(trial: &Trial, act: usize, k: u64, trouble: Trouble, before: &str) -> bool {
    let what = format!("profiles, act {act}, step {k}, {trouble:?}");
    let later = trial.warehouse();
    let wanted = |groups: &[&str]| {
        let of = |user: &&str| ((*user).to_owned(), Profile { groups: set(groups), ..nobody(user) });
        let users = READERS.iter().take(groups.len() + 1).map(of).collect();
        ProfilesWanted { uri: uri(Where::Beside), name: "people".into(), users, exclusive: true }
    };
    let mut struck = false;
    let mut known: Option<BTreeSet<String>> = None;
    let fault = |number: usize| {
        if number == act {
            trial.standin.reset_counters();
            trial.standin.fault(Fault::work(k, trouble.action()));
        }
    };
    for (number, people) in [wanted(&["g1"]), wanted(&["g2", "g3"])].into_iter().enumerate() {
        fault(number);
        let (warehouse, one, before) = (trial.warehouse(), people.clone(), known.clone());
        let work = |cancel| async move { profiles::apply(&warehouse, &one, before.as_ref(), &cancel).await };
        let applied =
            if number == act { under(trial, trouble, work).await } else { Some(work(trial.never.clone()).await) };
        if number == act {
            struck = trial.standin.counters().work >= k;
            trial.standin.clear_faults();
        }
        if !matches!(applied, Some(Ok(_))) {
            let again = profiles::apply(&later, &people, known.as_ref(), &trial.never).await;
            again.unwrap_or_else(|again| panic!("{what}: {applied:?}, then {again:?}"));
        }
        let rows = trial.admin("prod", "SELECT gov__userid FROM gov_system.profile ORDER BY 1").await;
        let users: Vec<&String> = people.users.keys().collect();
        assert_eq!(rows.iter().flatten().flatten().collect::<Vec<_>>(), users, "{what}");
        known = Some(people.users.keys().cloned().collect());
    }
    fault(2);
    let (warehouse, gone) = (trial.warehouse(), wanted(&["g2", "g3"]));
    let work = |cancel| async move { profiles::remove(&warehouse, &gone, &cancel).await };
    let removed = if act == 2 { under(trial, trouble, work).await } else { Some(work(trial.never.clone()).await) };
    if act == 2 {
        struck = trial.standin.counters().work >= k;
        trial.standin.clear_faults();
    }
    if !matches!(removed, Some(Ok(_))) {
        let again = profiles::remove(&later, &wanted(&["g2", "g3"]), &trial.never).await;
        again.unwrap_or_else(|again| panic!("{what}: {removed:?}, then {again}"));
    }
    assert!(trial.admin("prod", "SELECT gov__userid FROM gov_system.profile").await.is_empty(), "{what}");
    assert_eq!(dump(trial).await, before, "{what}");
    struck
}

/// Proves: G2
#[tokio::test(flavor = "multi_thread")]
async fn profiles_survive_a_fault_at_every_step() {
    side_by_side(async |troubles: &[Trouble]| {
        let trial = trial(Where::Beside).await;
        integration(&trial, Where::Beside).await;
        let before = dump(&trial).await;
        for act in 0..3 {
            let mut last = 0;
            for trouble in troubles {
                let mut k = trouble.first(last, 3);
                while profiles_with(&trial, act, k, *trouble, &before).await {
                    last = k;
                    k += stride(2..=6);
                }
                assert!(last > 0 || act == 2, "act {act}: no step was struck");
            }
        }
    })
    .await;
}

/// Proves: G20
#[tokio::test(flavor = "multi_thread")]
async fn copies_of_external_tables_survive_a_fault_at_every_step() {
    side_by_side(|troubles| every_step(Where::Outside, troubles)).await;
}

/// Rules of every kind whose effect can be told from outside.
fn masks() -> impl Strategy<Value = MaskRule> {
    use proptest::prelude::*;
    let using = prop_oneof![
        Just(mask("null", "email")),
        Just(MaskRule { value: Some("x".into()), ..mask("constant", "email") }),
        Just(MaskRule { value: Some("7".into()), ..mask("constant", "visits") }),
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

fn conditions() -> impl Strategy<Value = Vec<Condition>> {
    use proptest::prelude::*;
    let one = prop_oneof![
        Just(Condition { groups: set(&["g1"]), ..Condition::default() }),
        Just(Condition { groups: set(&["g2", "g3"]), ..Condition::default() }),
        Just(Condition { users: set(&["ann"]), ..Condition::default() }),
        Just(Condition { purposes: set(&["Research"]), ..Condition::default() }),
        Just(Condition { attributes: [("tenant".to_owned(), set(&["one"]))].into(), ..Condition::default() }),
    ];
    prop::collection::vec(one, 0..3)
}

fn filters() -> impl Strategy<Value = FilterRule> {
    use proptest::prelude::*;
    let on = |column: &str| FilterRule { column: Some(column.to_owned()), ..FilterRule::default() };
    let listed = |column: &str, list: &str| FilterRule { list: Some(list.to_owned()), ..on(column) };
    let kind = prop_oneof![
        Just(listed("tenant", "attribute.tenant")),
        Just(listed("owner", "user")),
        Just(listed("tenant", "groups")),
        Just(FilterRule { condition: Some("visits >= 0".into()), ..FilterRule::default() }),
        Just(FilterRule { newest: Some("900 days".into()), ..on("born") }),
        Just(FilterRule { sample_percent: Some(50), ..on("id") }),
    ];
    (kind, conditions(), any::<bool>()).prop_map(|(rule, conditions, unless)| {
        let (unless, only_for) = if unless { (conditions, Vec::new()) } else { (Vec::new(), conditions) };
        FilterRule { unless, only_for, ..rule }
    })
}

fn nobody(user: &str) -> Profile {
    let (groups, purposes) = (BTreeSet::new(), BTreeSet::new());
    Profile { user: user.into(), groups, purposes, acting_under: None, attributes: Default::default() }
}

fn profile(user: &'static str) -> impl Strategy<Value = Profile> {
    use proptest::prelude::*;
    let groups = prop::sample::subsequence(vec!["g1", "g2", "g3", "one", "it's % \\ \""], 0..4);
    (groups, any::<bool>(), any::<bool>(), prop::sample::subsequence(vec!["one", "two", "o"], 0..3)).prop_map(
        move |(groups, holds, acts, tenants)| Profile {
            user: user.into(),
            groups: set(&groups),
            purposes: if holds { set(&["Research"]) } else { BTreeSet::new() },
            acting_under: acts.then(|| "Research".to_owned()),
            attributes: if tenants.is_empty() {
                Default::default()
            } else {
                [("tenant".to_owned(), set(&tenants))].into()
            },
        },
    )
}

/// One cell as it has to be. A hash is told by what it is not. Where some of several predicates hold, something in between
/// shows.
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
        // Blanks at the end of a char are no part of the value, and go where an expression may show instead.
        "clear" => cell.as_deref().map(str::trim_end) == clear.as_deref().map(str::trim_end),
        "null" => cell.is_none(),
        "constant" => cell.as_deref() == Some(if seen.name == "visits" { "7" } else { "x" }),
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
        "expression" => {
            cell.as_deref().map(str::trim_end) == clear.as_ref().map(|text| text.trim_end().to_uppercase()).as_deref()
        }
        other => panic!("{other}"),
    }
}

struct Clear {
    cells: Vec<Vec<Option<String>>>,
    /// The same with amounts rounded to 100, visits to 10 and days of birth to years.
    rounded: Vec<Vec<Option<String>>>,
}

fn at(rows: &[Vec<Option<String>>], id: &Option<String>, index: usize) -> Option<String> {
    rows.iter().find(|row| row[0] == *id).and_then(|row| row.get(index).cloned().flatten())
}

async fn compare(
    trial: &Trial,
    place: Where,
    clear: &Clear,
    user: &str,
    profile: Option<&Profile>,
    simulation: &Simulation,
) {
    let predicate = match (simulation.rows, &simulation.row_filter) {
        (SeenRows::None, _) => "1 = 0".to_owned(),
        (SeenRows::All, _) => "1 = 1".to_owned(),
        (SeenRows::Some, predicate) => predicate.clone().expect("a predicate"),
    };
    let expected = trial.admin("prod", &format!("SELECT id FROM sales.people t WHERE {predicate} ORDER BY id")).await;
    let database = uri(place).database;
    let mut session = trial.standin.session(user, Some(PASSWORD), &database).await.expect("signs in");
    if let Some(purpose) = profile.and_then(|profile| profile.acting_under.as_ref()) {
        session.query(&format!("SET gov_session.purpose TO '{purpose}'")).await.expect("is set");
    }
    let rows = session.query("SELECT * FROM gov_sales.people ORDER BY id").await.expect("reads").rows;
    let ids = |rows: &[Vec<Option<String>>]| rows.iter().map(|row| row[0].clone()).collect::<Vec<_>>();
    assert_eq!(ids(&rows), ids(&expected), "{user}: rows by {predicate}");
    for seen in &simulation.columns {
        let index = COLUMNS.iter().position(|(name, _)| *name == seen.name).expect("a column");
        let mut truths = Vec::new();
        for condition in seen.condition.iter().flat_map(|all| all.split(") AND (")) {
            let condition = condition.trim_start_matches('(').trim_end_matches(')');
            truths.push(trial.admin("prod", &format!("SELECT id, ({condition}) FROM sales.people t")).await);
        }
        for row in &rows {
            let holds = |truths: &Vec<_>| at(truths, &row[0], 1).map(|text: String| text == "t");
            let holds: Vec<Option<bool>> = truths.iter().map(holds).collect();
            let (clear, rounded) = (at(&clear.cells, &row[0], index), at(&clear.rounded, &row[0], index));
            let fits = fits(seen, &holds, &clear, &rounded, &row[index]);
            assert!(fits, "{user}, row {:?}: {seen:?} shows {:?} of {clear:?}", row[0], row[index]);
        }
    }
}

/// Random rules, profiles and rows: the warehouse shows what the simulation says.
async fn views_show_what_is_simulated(place: Where, cases: usize) {
    let trial = trial(place).await;
    integration(&trial, place).await;
    let warehouse = trial.warehouse();
    let clear = Clear {
        cells: trial.admin("prod", "SELECT * FROM sales.people").await,
        rounded: trial
            .admin("prod", "SELECT id, email, name, CAST(amount - mod(amount, 100) AS decimal(10, 2)), visits - mod(visits, 10), CAST(date_trunc('year', born) AS date) FROM sales.people")
            .await,
    };
    let columns: Vec<Column> = COLUMNS.iter().map(|(name, ty)| column(name, ty).expect("a column")).collect();
    let database = (place == Where::Elsewhere).then(|| "prod".to_owned());
    let table = Table { database, schema: "sales".into(), name: "people".into(), columns };
    let mut runner = TestRunner::default();
    let (mut kept, mut before) = (None, None);
    let mut done = 0;
    while done < cases {
        let strategy = (
            proptest::collection::vec(masks(), 0..6),
            proptest::collection::vec(filters(), 0..3),
            profile("ann"),
            profile("bob"),
        );
        let (masks, filters, ann, bob) = strategy.new_tree(&mut runner).expect("a case").current();
        let policy = Policy::new(None, masks, filters);
        let Ok(rules) = Rules::new(&policy) else { continue };
        let Ok(protected) = rules.on(&table) else { continue };
        let wanted = TablesWanted {
            offer: Offer {
                source: Source { tables: set(&["people"]), ..wanted(place, policy.clone(), &READERS).offer.source },
                ..wanted(place, policy.clone(), &READERS).offer
            },
            ..wanted(place, policy.clone(), &READERS)
        };
        let users = [("ann".to_owned(), ann.clone()), ("bob".to_owned(), bob.clone())].into();
        let people = ProfilesWanted { uri: uri(place), name: "people".into(), users, exclusive: true };
        profiles::apply(&warehouse, &people, before.as_ref(), &trial.never).await.expect("profiles");
        before = Some(set(&["ann", "bob"]));
        let applied = tables::apply(&warehouse, &wanted, kept.as_ref(), None, &trial.never).await;
        kept = match applied {
            Ok(applied) => Some(applied.kept),
            Err(NotOffered::Rules(_)) => continue,
            Err(NotOffered::NotYet(lacks)) => panic!("{lacks:?}"),
            Err(NotOffered::Failed(error)) => panic!("{error}: {}", policy.json()),
        };
        for (user, profile) in [("ann", Some(&ann)), ("bob", Some(&bob)), ("cyd", None)] {
            compare(&trial, place, &clear, user, profile, &protected.seen_by(profile)).await;
        }
        done += 1;
    }
}

/// Proves: G3, G5, G6, G17
#[tokio::test(flavor = "multi_thread")]
async fn views_beside_the_tables_show_what_is_simulated() {
    views_show_what_is_simulated(Where::Beside, if is_campaign() { 200 } else { 12 }).await;
}

/// Proves: G3, G5, G6, G17
#[tokio::test(flavor = "multi_thread")]
async fn views_on_another_database_show_what_is_simulated() {
    views_show_what_is_simulated(Where::Elsewhere, if is_campaign() { 60 } else { 4 }).await;
}
