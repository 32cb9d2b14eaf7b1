//! What readers try against protected tables, with CREATE on a schema and without, beside the tables and from another
//! database. Each of them has a neighbour who tries the same.

use serde_json::json;

use crate::campaign::sampled;
use crate::governed::{BESIDE, INTEGRATION, PASSWORD, seen};
use crate::support::{Sitting, Warehouse, Workspace};

/// Where the views are.
struct Place {
    integration: &'static str,
    database: &'static str,
    schema: &'static str,
}

const PLACES: [Place; 2] = [
    Place { integration: INTEGRATION, database: "governed", schema: "sales" },
    Place { integration: BESIDE, database: "prod", schema: "gov_sales" },
];

/// Both have the same profile; bob may make what he likes in a schema of his own.
const READERS: [&str; 2] = ["bob", "dan"];

const PROFILES: &str = r#"
resource "redshift_user_profiles" "idp" {
  name            = "okta"
  integration_uri = redshift_integration.gov.uri
  users = {
    ann = { groups = ["privacy"], attributes = { tenant = ["7", "9"] }, purposes = ["Research"] }
    bob = { groups = ["it's % \\ \""], attributes = { tenant = "9" } }
    dan = { groups = ["it's % \\ \""], attributes = { tenant = "9" } }
  }
}
"#;

/// Who sees rows of a tenant; who sees addresses; what a purpose shows.
const RULES: &str = r#"
  mask {
    columns = ["email"]
    using   = "hash"
    salt    = "customers"
    unless { groups = ["privacy"] }
  }
  mask {
    columns = ["phone"]
    using   = "null"
    unless { purposes = ["Research"] }
  }
  mask {
    columns = ["secret"]
    using   = "null"
    unless { groups = ["it's % \\ \""] }
  }
  row_filter {
    column = "tenant"
    in     = "attribute.tenant"
  }
"#;

fn tables(rules: &str) -> String {
    format!(
        "resource \"redshift_protected_tables\" \"sales\" {{\n  name            = \"sales\"\n  integration_uri = redshift_integration.gov.uri\n  source {{\n    database = \"prod\"\n    schema   = \"sales\"\n  }}\n{rules}\n  readers {{ users = [\"ann\", \"bob\", \"cyd\", \"dan\"] }}\n}}\n"
    )
}

/// Of the rows, bob and dan see the second and the third. The first and the last three are hidden from them: what fails on
/// these alone would tell that they are there.
fn warehouse() -> Warehouse {
    let warehouse = Warehouse::start();
    warehouse.sql("dev", "CREATE DATABASE prod");
    for user in ["ann", "bob", "cyd", "dan"] {
        warehouse.sql("dev", &format!("CREATE USER {user} PASSWORD '{PASSWORD}'"));
    }
    warehouse.sql("prod", "CREATE SCHEMA sales");
    warehouse.sql(
        "prod",
        "CREATE TABLE sales.people (id integer, email varchar(100), phone varchar(20), note varchar(20), secret varchar(20), tenant varchar(20))",
    );
    for row in [
        "1, 'a@x.org', '+1', 'none', 's1', '7'",
        "2, 'b@x.org', '+2', '22', 's2', '9'",
        "3, NULL, '+3', '33', NULL, '9'",
        "4, 'd@x.org', '+4', 'none', 's4', NULL",
        "5, 'e@x.org', '+5', 'none', 's5', '7' || chr(31) || '9'",
        "6, 'f@x.org', '+6', 'none', 's6', '%'",
    ] {
        warehouse.sql("prod", &format!("INSERT INTO sales.people VALUES ({row})"));
    }
    warehouse
}

fn made(place: &Place, rules: &str) -> (Warehouse, Workspace) {
    let warehouse = warehouse();
    let workspace = Workspace::on(&warehouse);
    workspace.write(&format!("{}{PROFILES}{}", place.integration, tables(rules)));
    workspace.apply();
    warehouse.sql(place.database, "CREATE SCHEMA mine");
    warehouse.sql(place.database, "GRANT ALL ON SCHEMA mine TO bob");
    warehouse.sql(place.database, "GRANT USAGE ON SCHEMA mine TO dan, cyd");
    (warehouse, workspace)
}

impl Place {
    fn view(&self) -> String {
        format!("{}.people", self.schema)
    }

    /// The rows that somebody sees of columns, in their order.
    fn see(&self, warehouse: &Warehouse, user: &str, columns: &str) -> Vec<String> {
        let query = format!("SELECT {columns} FROM {} ORDER BY id", self.view());
        seen(warehouse, user, self.database, &query).unwrap_or_else(|error| panic!("{user}: {error}"))
    }

    fn sit(&self, warehouse: &Warehouse, user: &str) -> Sitting {
        warehouse.sit(user, PASSWORD, self.database)
    }
}

fn rows_of(session: &mut Sitting, query: &str) -> Vec<Vec<Option<String>>> {
    session.sql(query).unwrap_or_else(|error| panic!("{query}: {error}"))
}

/// Attacks 1 and 2: no profile, and two.
///
/// Proves: G7
#[test]
fn who_has_no_profile_or_two_sees_nothing() {
    for place in sampled(&PLACES, 1) {
        let (warehouse, workspace) = made(place, RULES);
        assert_eq!(place.see(&warehouse, "cyd", "id"), [""; 0]);
        assert_eq!(place.see(&warehouse, "ann", "id, secret"), ["1 -", "2 -", "3 -"]);
        assert_eq!(place.see(&warehouse, "dan", "id, secret"), ["2 s2", "3 -"], "a group of any letters");
        let columns = "gov__userid, gov__groups, gov__attributes, gov__projects, gov__tables";
        let twice = format!(
            "INSERT INTO gov_system.profile SELECT {columns} FROM gov_system.profile WHERE gov__userid = 'ann'"
        );
        warehouse.sql(place.database, &twice);
        assert_eq!(place.see(&warehouse, "ann", "id"), [""; 0]);
        assert_eq!(place.see(&warehouse, "dan", "id"), ["2", "3"]);
        drop(workspace);
    }
}

/// Attacks 3 to 5: a division, a cast, and a function of one's own, in a predicate and in a join, on hidden rows.
///
/// Proves: G11
#[test]
fn what_fails_on_hidden_rows_alone_fails_for_nobody() {
    for place in sampled(&PLACES, 1) {
        let (warehouse, workspace) = made(place, RULES);
        let function =
            "CREATE FUNCTION mine.probe(integer) RETURNS integer STABLE AS $$ SELECT 1 / ($1 - 1) $$ LANGUAGE sql";
        place.sit(&warehouse, "bob").sql(function).expect("bob may make functions");
        warehouse.sql(place.database, "GRANT EXECUTE ON FUNCTION mine.probe(integer) TO dan");
        let predicates = [
            "1 / (v.id - 1) > -5",
            "CAST(v.note AS integer) > 0",
            "v.note::integer > 0 AND 1 / (v.id - 4) > -5",
            "mine.probe(v.id) > -5",
            "(CASE WHEN v.secret = 's1' THEN 1 / (v.id - v.id) ELSE 1 END) = 1",
        ];
        let view = place.view();
        for reader in READERS {
            for predicate in predicates {
                let counted = format!("SELECT count(*) FROM {view} v WHERE {predicate}");
                let counted = seen(&warehouse, reader, place.database, &counted);
                assert_eq!(counted.as_deref(), Ok(&["2".to_owned()][..]), "{reader}: {predicate}");
                let joined = format!("SELECT count(*) FROM {view} w JOIN {view} v ON w.id = v.id AND {predicate}");
                assert!(seen(&warehouse, reader, place.database, &joined).is_ok(), "{reader}: {predicate}");
            }
        }
        // Without the barrier it is the planner who decides: this is what it is for.
        workspace.write(&format!(
            "{}{PROFILES}{}",
            place.integration,
            tables(&format!("{RULES}  security_barrier {{ enabled = false }}\n"))
        ));
        workspace.apply();
        workspace.plan().assert_empty();
        let told = |predicate: &&str| {
            seen(&warehouse, "dan", place.database, &format!("SELECT count(*) FROM {view} v WHERE {predicate}"))
                .is_err()
        };
        assert!(predicates.iter().any(told), "nothing tells hidden rows without a barrier");
        // Of a column that is left out of it, hidden rows may tell; of others not.
        workspace.write(&format!(
            "{}{PROFILES}{}",
            place.integration,
            tables(&format!("{RULES}  security_barrier {{ except_columns = [\"id\"] }}\n"))
        ));
        workspace.apply();
        assert!(!told(&"CAST(v.note AS integer) > 0"));
        assert_eq!(place.see(&warehouse, "dan", "id"), ["2", "3"]);
    }
}

/// Attacks 6, 7 and 12: functions, temporary tables and views under the names that the texts use, one's own or those of a
/// neighbour.
///
/// Proves: G11
#[test]
fn names_of_ones_own_take_the_place_of_nothing() {
    for place in sampled(&PLACES, 1) {
        let (warehouse, _workspace) = made(place, RULES);
        let view = place.view();
        let query = format!("SELECT id, email, phone, secret FROM {view} ORDER BY id");
        let entitlements = warehouse
            .sql(place.database, "SELECT viewname FROM pg_views WHERE viewname LIKE 'entitlements%'")[0][0]
            .clone()
            .expect("a view");
        let mut bob = place.sit(&warehouse, "bob");
        let before = rows_of(&mut bob, &query);
        for function in [
            "strpos(varchar, varchar) RETURNS integer STABLE AS $$ SELECT 1 $$",
            "sha2(varchar, integer) RETURNS varchar STABLE AS $$ SELECT $1 $$",
            "replace(varchar, varchar, varchar) RETURNS varchar STABLE AS $$ SELECT $3 $$",
            "chr(integer) RETURNS varchar STABLE AS $$ SELECT '9' $$",
        ] {
            rows_of(&mut bob, &format!("CREATE FUNCTION mine.{function} LANGUAGE sql"));
        }
        let columns = "(known integer, e1 integer, gov__userid varchar(10))";
        let names = ["profile", "user_profile", "mask_key", "people", &entitlements];
        for table in names {
            rows_of(&mut bob, &format!("CREATE TABLE mine.{table} {columns}"));
        }
        warehouse.sql(place.database, "GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA mine TO dan");
        warehouse.sql(place.database, "GRANT SELECT ON ALL TABLES IN SCHEMA mine TO dan");
        for reader in READERS {
            let mut session = place.sit(&warehouse, reader);
            for table in names {
                rows_of(&mut session, &format!("CREATE TEMP TABLE {table} {columns}"));
            }
            rows_of(&mut session, "SET search_path TO mine, pg_catalog, gov_system");
            assert_eq!(session.value("SELECT mine.strpos('a', 'b')"), "1", "{reader}");
            assert_eq!(rows_of(&mut session, &query), before, "{reader}");
            for schema in ["gov_system", place.schema, "mine"] {
                let make = session.sql(&format!("CREATE TABLE {schema}.more (id integer)"));
                let is_denied = make.is_err_and(|error| error.contains("permission denied"));
                assert_eq!(is_denied, (reader, schema) != ("bob", "mine"), "{reader}: {schema}");
            }
        }
    }
}

/// Attacks 8 and 9: what is kept of others, and the key.
///
/// Proves: G12
#[test]
fn the_key_and_what_is_known_of_others_are_read_by_nobody_and_written_nowhere() {
    for place in sampled(&PLACES, 1) {
        let (warehouse, mut workspace) = made(place, RULES);
        let key =
            warehouse.sql(place.database, "SELECT mask_key FROM gov_system.mask_key")[0][0].clone().expect("a key");
        let entitlements = "SELECT viewname FROM pg_views WHERE viewname LIKE 'entitlements%'";
        let entitlements = warehouse.sql(place.database, entitlements)[0][0].clone().expect("a view");
        for reader in READERS {
            for relation in ["mask_key", "registration", "profile", &entitlements] {
                let read = seen(&warehouse, reader, place.database, &format!("SELECT * FROM gov_system.{relation}"));
                assert!(read.is_err_and(|error| error.contains("permission denied")), "{reader}: {relation}");
            }
            let explained = format!("EXPLAIN VERBOSE SELECT * FROM {}", place.view());
            let explained = seen(&warehouse, reader, place.database, &explained).expect("may be explained");
            assert!(explained.iter().all(|line| !line.contains(&key)), "{explained:#?}");
        }
        let texts = warehouse.sql(place.database, "SELECT definition FROM pg_views");
        assert!(texts.iter().flatten().flatten().all(|text| !text.contains(&key)));
        // A plan, an apply and their logs, once the key is there.
        let log = workspace.log("TRACE");
        let other = tables(RULES).replace("[\"privacy\"]", "[\"legal\"]");
        workspace.write(&format!("{}{PROFILES}{other}", place.integration));
        let planned = workspace.plan();
        assert!(!planned.json().to_string().contains(&key));
        workspace.apply();
        let written = std::fs::read_to_string(&log).expect("a log");
        assert!(written.contains("CREATE OR REPLACE VIEW") && !written.contains(&key));
        assert!(!workspace.state().to_string().contains(&key));
        assert!(warehouse.statements().iter().all(|statement| !statement.contains(&key)));
    }
}

/// Attacks 10 and 11: a purpose that is not held, and another's name.
///
/// Proves: G5, G21
#[test]
fn a_purpose_that_is_not_held_and_anothers_name_give_nothing() {
    for place in sampled(&PLACES, 1) {
        let (warehouse, _workspace) = made(place, RULES);
        let view = place.view();
        let query = format!("SELECT id, phone FROM {view} ORDER BY id");
        let cells = |rows: Vec<Vec<Option<String>>>| {
            let one = |row: Vec<Option<String>>| {
                row.into_iter().map(|it| it.unwrap_or("-".into())).collect::<Vec<_>>().join(" ")
            };
            rows.into_iter().map(one).collect::<Vec<_>>()
        };
        for (user, chosen, expected) in [
            ("ann", None, vec!["1 -", "2 -", "3 -"]),
            ("ann", Some("Research"), vec!["1 +1", "2 +2", "3 +3"]),
            ("ann", Some("research"), vec!["1 -", "2 -", "3 -"]),
            ("bob", Some("Research"), vec!["2 -", "3 -"]),
            ("dan", Some("Research"), vec!["2 -", "3 -"]),
            ("cyd", Some("Research"), vec![]),
        ] {
            let mut session = place.sit(&warehouse, user);
            if let Some(purpose) = chosen {
                rows_of(&mut session, &format!("SET gov_session.purpose TO '{purpose}'"));
            }
            assert_eq!(cells(rows_of(&mut session, &query)), expected, "{user}: {chosen:?}");
        }
        for reader in READERS {
            let mut session = place.sit(&warehouse, reader);
            for variable in
                ["gov_session.user", "gov_session.userid", "gov_session.impersonated_user", "gov_session.token"]
            {
                // A name that cannot be set does no harm either.
                let _ = session.sql(&format!("SET {variable} TO 'ann'"));
            }
            assert_eq!(cells(rows_of(&mut session, &query)), ["2 -", "3 -"], "{reader}");
            assert!(session.sql("SET SESSION AUTHORIZATION 'ann'").is_err(), "{reader}");
        }
    }
}

/// Attack 13: what somebody makes of what he sees shows others no more than that, or what they see themselves.
///
/// Proves: G11
#[test]
fn a_view_or_a_copy_of_a_reader_shows_nobody_elses_rows() {
    for place in sampled(&PLACES, 1) {
        let (warehouse, _workspace) = made(place, RULES);
        let view = place.view();
        let mut bob = place.sit(&warehouse, "bob");
        for statement in [
            format!("CREATE TABLE mine.copied AS SELECT * FROM {view}"),
            format!("CREATE VIEW mine.seen AS SELECT * FROM {view} WITH NO SCHEMA BINDING"),
            "GRANT SELECT ON mine.copied, mine.seen TO cyd, dan".to_owned(),
        ] {
            rows_of(&mut bob, &statement);
        }
        let ids = |user: &str, relation: &str| {
            seen(&warehouse, user, place.database, &format!("SELECT id, phone FROM mine.{relation} ORDER BY id"))
        };
        assert_eq!(ids("cyd", "copied").expect("reads"), ["2 -", "3 -"]);
        // Whoever asks decides, and not whose view it is.
        assert_eq!(ids("dan", "seen").expect("reads"), ["2 -", "3 -"]);
        assert_eq!(ids("cyd", "seen").expect("reads"), [""; 0]);
    }
}

/// Attacks 14 and 15: values that look like several, or like patterns; and what somebody else was answered just before.
///
/// Proves: G6, G7
#[test]
fn values_of_any_letters_are_one_value_and_answers_are_each_ones_own() {
    for place in sampled(&PLACES, 1) {
        let (warehouse, workspace) = made(place, RULES);
        for _ in 0..3 {
            assert_eq!(
                place.see(&warehouse, "ann", "id"),
                ["1", "2", "3"],
                "not the row whose tenant is two with a separator"
            );
            assert_eq!(place.see(&warehouse, "bob", "id"), ["2", "3"]);
            assert_eq!(place.see(&warehouse, "cyd", "id"), [""; 0]);
        }
        let every = PROFILES.replace("[\"7\", \"9\"]", "[\"it's\", \"\\\\\", \"\\\"\", \"100%\", \"%%\"]");
        workspace.write(&format!("{}{every}{}", place.integration, tables(RULES)));
        workspace.apply();
        workspace.plan().assert_empty();
        for (id, tenant) in [(11, "it''s"), (12, "\\\\"), (13, "\""), (14, "100%"), (15, "1000")] {
            let row = format!("INSERT INTO sales.people VALUES ({id}, 'x', 'x', '1', 'x', '{tenant}')");
            warehouse.sql("prod", &row);
        }
        assert_eq!(place.see(&warehouse, "ann", "id"), ["11", "12", "13", "14"]);
        let refused = PROFILES.replace("[\"7\", \"9\"]", "[\"7\\u001f9\"]");
        workspace.write(&format!("{}{refused}{}", place.integration, tables(RULES)));
        let problems = workspace.plan_problems();
        assert!(problems.iter().any(|it| it.severity == "error" && it.line.contains("users")), "{problems:#?}");
        assert_eq!(workspace.values("redshift_protected_tables.sales")["missing"], json!([]));
    }
}
