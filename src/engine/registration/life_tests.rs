//! Registrations on a stand-in: a fault at every step, what people see meanwhile, and what they see against what is
//! simulated.

mod every_type;
mod simulated;
mod tightening;

use std::collections::BTreeSet;

use redshift_standin::Fault;
use secrecy::SecretString;

use super::kept::Kept;
use super::profiles::{self, ProfilesWanted};
use super::tables;
use super::uri::IntegrationUri;
use super::wanted::{External, Offer, Reader, Source, TablesWanted};
use crate::engine::bootstrap::{self, Kind, Request, Spec, UserPassword};
use crate::engine::governance::{Condition, FilterRule, MaskRule, Policy, Profile};
use crate::engine::trial::trouble::{Trouble, side_by_side, stride, under};
use crate::engine::trial::{PASSWORD, Trial, is_campaign};

const READERS: [&str; 3] = ["ann", "bob", "cyd"];

/// The columns of the table that is offered.
const COLUMNS: [(&str, &str); 9] = [
    ("id", "integer"),
    ("email", "varchar(100)"),
    ("name", "char(10)"),
    ("amount", "decimal(10, 2)"),
    ("visits", "integer"),
    ("born", "date"),
    ("tenant", "varchar(10)"),
    ("owner", "varchar(100)"),
    ("seen_at", "timestamp"),
];

const ROWS: [&str; 6] = [
    "1, 'a@x.org', 'Ann', 123.45, 17, '1990-05-17', 'one', 'ann', '2199-01-01 12:30:00'",
    "2, 'b@x.org', 'Bob', -987.65, -23, '2001-12-31', 'two', 'bob', '1999-12-31 23:59:59'",
    "3, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL",
    "4, 'it''s % \\\\ \"', 'a b', 0, 0, '1970-01-01', 'one', 'cyd', '2199-12-31 00:00:00'",
    "5, '', '', 99999.99, 2147483647, '2024-02-29', 'o', 'ann ', '1970-01-01 00:00:00'",
    "6, 'A@X.ORG', 'ANN', 1000, 1000, '2025-03-01', 'two', 'Ann', '2199-06-15 01:02:03.5'",
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

fn nobody(user: &str) -> Profile {
    let (groups, purposes) = (BTreeSet::new(), BTreeSet::new());
    Profile { user: user.into(), groups, purposes, acting_under: None, attributes: Default::default() }
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
