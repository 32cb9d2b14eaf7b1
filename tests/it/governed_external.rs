//! External tables: offered by views, without a right on their schema for anybody who reads these.

use std::collections::BTreeSet;

use redshift_standin::{StandinOptions, Switch};
use serde_json::json;

use crate::governed::{ADDRESS, BESIDE, PASSWORD, PROFILES, seen};
use crate::integration_manual::run;
use crate::support::{Warehouse, Workspace};

const COLUMNS: &str = "id int, email varchar(100), phone varchar(20), tenant_id int";

const WHERE_IT_IS: &str = "s3://bucket/people/";

/// A warehouse with three people, and a table of which each may see something else, in S3.
fn lake(options: StandinOptions) -> Warehouse {
    let warehouse = Warehouse::with(options);
    warehouse.sql("dev", "CREATE DATABASE prod");
    for user in ["ann", "bob", "cyd"] {
        warehouse.sql("dev", &format!("CREATE USER {user} PASSWORD '{PASSWORD}'"));
    }
    warehouse.sql("prod", "CREATE EXTERNAL SCHEMA lake FROM DATA CATALOG DATABASE 'raw' IAM_ROLE default");
    warehouse.sql("prod", &table(COLUMNS));
    put(&warehouse, 1);
    warehouse
}

fn table(columns: &str) -> String {
    format!("CREATE EXTERNAL TABLE lake.people ({columns}) STORED AS PARQUET LOCATION '{WHERE_IT_IS}'")
}

fn put(warehouse: &Warehouse, first: i64) {
    let row = |id: i64, tenant: i64| json!({ "id": id, "email": format!("{id}@x.org"), "phone": format!("+{id}"), "tenant_id": tenant });
    let rows = json!([row(first, 7), row(first + 1, 9), row(first + 2, 9)]);
    warehouse.put_files(WHERE_IT_IS, &rows);
}

const RULES: &str = r#"
  mask {
    columns = ["email", "phone"]
    using   = "null"
    unless { groups = ["privacy"] }
  }
  row_filter {
    column = "tenant_id"
    in     = "attribute.tenant"
  }
"#;

fn tables(more: &str) -> String {
    format!(
        "resource \"redshift_protected_tables\" \"sales\" {{\n  name            = \"sales\"\n  integration_uri = redshift_integration.gov.uri\n  source {{\n    schema = \"lake\"\n  }}\n{RULES}\n{more}\n  readers {{ users = [\"ann\", \"bob\", \"cyd\"] }}\n}}\n"
    )
}

fn config(more: &str) -> String {
    format!("{BESIDE}{PROFILES}{}", tables(more))
}

const COPIED: &str = "  external_tables = \"materialized\"\n";

const QUERY: &str = "SELECT id, phone FROM gov_lake.people ORDER BY id";

fn people(warehouse: &Warehouse, user: &str) -> Result<Vec<String>, String> {
    seen(warehouse, user, "prod", QUERY)
}

/// The copy that the view on a table reads.
fn copy(workspace: &Workspace) -> String {
    workspace.values(ADDRESS)["copies"]["people"].as_str().expect("a copy").to_owned()
}

/// Who but superusers may use the schema.
fn users_of_the_lake(warehouse: &Warehouse) -> Vec<String> {
    let all = ["ann", "bob", "cyd", "gov_system_user"];
    let may = |user: &&str| {
        let query = format!("SELECT has_schema_privilege('{user}', 'lake', 'USAGE')");
        warehouse.sql("prod", &query)[0][0].as_deref() == Some("t")
    };
    all.into_iter().filter(may).map(ToOwned::to_owned).collect()
}

/// To whom an apply ever gave the schema.
fn given_the_lake(warehouse: &Warehouse) -> BTreeSet<String> {
    let statements = warehouse.statements().into_iter();
    statements.filter_map(|sql| Some(sql.strip_prefix("GRANT USAGE ON SCHEMA \"lake\" TO ")?.to_owned())).collect()
}

/// Proves: G20, S1
#[test]
fn copies_show_each_his_own_and_nobody_may_read_the_tables() {
    let warehouse = lake(StandinOptions::default());
    let before = warehouse.dump_all();
    let workspace = Workspace::on(&warehouse);
    workspace.write(&config(COPIED));
    assert!(workspace.plan_problems().is_empty());
    workspace.apply();
    workspace.plan().assert_empty();
    assert_eq!(workspace.values(ADDRESS)["views"], json!({ "people": "gov_lake.people" }));
    assert_eq!(people(&warehouse, "ann").expect("ann reads"), ["1 +1", "2 +2", "3 +3"]);
    assert_eq!(people(&warehouse, "bob").expect("bob reads"), ["2 -", "3 -"]);
    assert_eq!(people(&warehouse, "cyd").expect("cyd may ask"), [""; 0]);
    assert_eq!(users_of_the_lake(&warehouse), ["gov_system_user"]);
    let first = copy(&workspace);
    for relation in ["lake.people", &first] {
        assert!(seen(&warehouse, "ann", "prod", &format!("SELECT * FROM {relation}")).is_err(), "{relation}");
    }
    // A right on all that is in the schema of the views opens no copy.
    warehouse.sql("prod", "GRANT SELECT ON ALL TABLES IN SCHEMA gov_lake TO cyd");
    warehouse.sql("prod", "GRANT SELECT FOR TABLES IN SCHEMA gov_lake DATABASE prod TO cyd");
    assert!(seen(&warehouse, "cyd", "prod", &format!("SELECT * FROM {first}")).is_err());
    warehouse.sql("prod", "REVOKE SELECT FOR TABLES IN SCHEMA gov_lake DATABASE prod FROM cyd");

    // What is new in S3 shows once the owner has the copies refreshed.
    put(&warehouse, 11);
    assert_eq!(people(&warehouse, "bob").expect("bob reads"), ["2 -", "3 -"]);
    let refresh = format!("SET SESSION AUTHORIZATION 'gov_system_user'; REFRESH MATERIALIZED VIEW {first}");
    warehouse.sql("prod", &refresh);
    assert_eq!(people(&warehouse, "bob").expect("bob reads"), ["12 -", "13 -"]);
    workspace.plan().assert_empty();

    // Another column stays hidden until an apply whose plan names it.
    warehouse.sql("prod", "DROP TABLE lake.people");
    warehouse.sql("prod", &table("id int, email string, phone varchar(20), tenant_id int, born date"));
    let plan = workspace.plan();
    let missing = plan.change(ADDRESS)["before"]["missing"].to_string();
    assert!(missing.contains("people.born, new, in clear") && missing.contains("of people"), "{missing}");
    workspace.apply();
    workspace.plan().assert_empty();
    let second = copy(&workspace);
    assert_ne!(second, first);
    assert!(!warehouse.dump_all().iter().any(|line| line.contains(&first)), "the first copy is gone");
    assert_eq!(seen(&warehouse, "bob", "prod", "SELECT id, born FROM gov_lake.people").expect("reads").len(), 2);

    // Who is let in by hand, and a copy that is gone, are drift.
    warehouse.sql("prod", &format!("GRANT SELECT ON {second} TO cyd"));
    let surplus = workspace.plan().change(ADDRESS)["before"]["surplus"].clone();
    assert_eq!(surplus, json!([format!("SELECT on {second} for user cyd")]));
    workspace.apply();
    assert!(seen(&warehouse, "cyd", "prod", &format!("SELECT * FROM {second}")).is_err());
    let drop = format!("SET SESSION AUTHORIZATION 'gov_system_user'; DROP MATERIALIZED VIEW {second}");
    warehouse.sql("prod", &drop);
    let missing = workspace.plan().change(ADDRESS)["before"]["missing"].clone();
    assert_eq!(missing, json!([format!("materialized view {second}, of people")]));
    workspace.apply();
    workspace.plan().assert_empty();
    assert_eq!(people(&warehouse, "bob").expect("bob reads"), ["12 -", "13 -"]);

    // Without copies, and with them again.
    workspace.write(&config(""));
    workspace.apply();
    workspace.plan().assert_empty();
    assert!(!warehouse.dump_all().iter().any(|line| line.contains("copy_sales")));
    workspace.write(&config(COPIED));
    workspace.apply();
    workspace.plan().assert_empty();
    assert!(people(&warehouse, "bob").is_ok());

    assert_eq!(given_the_lake(&warehouse), BTreeSet::from(["gov_system_user".to_owned()]));
    workspace.destroy();
    let columns = "DROP TABLE lake.people";
    warehouse.sql("prod", columns);
    warehouse.sql("prod", &table(COLUMNS));
    assert_eq!(warehouse.dump_all(), before);
}

/// Proves: G20
#[test]
fn views_on_the_tables_themselves_say_that_readers_may_be_refused() {
    let told = |workspace: &Workspace| {
        let problems = workspace.plan_problems();
        let [told] = problems.as_slice() else { panic!("one warning: {problems:#?}") };
        assert_eq!((told.severity.as_str(), told.summary.as_str()), ("warning", "Readers may be refused"));
        assert!(told.detail.contains("external_tables = \"materialized\""), "{}", told.detail);
    };
    // On one warehouse whoever reads needs the right, on another the owner of the view alone.
    let by_owner = StandinOptions { switches: vec![Switch::ExternalViewsByOwner], ..StandinOptions::default() };
    for (options, is_refused) in [(StandinOptions::default(), true), (by_owner, false)] {
        let warehouse = lake(options);
        let before = warehouse.dump_all();
        let workspace = Workspace::on(&warehouse);
        workspace.write(BESIDE);
        workspace.apply();
        workspace.write(&config(""));
        told(&workspace);
        workspace.apply();
        workspace.plan().assert_empty();
        match people(&warehouse, "bob") {
            Err(error) => assert!(is_refused && error.contains("permission denied for schema lake"), "{error}"),
            Ok(rows) => assert!(!is_refused && rows == ["2 -", "3 -"], "{rows:?}"),
        }
        assert_eq!(users_of_the_lake(&warehouse), ["gov_system_user"]);
        assert_eq!(given_the_lake(&warehouse), BTreeSet::from(["gov_system_user".to_owned()]));
        workspace.destroy();
        assert_eq!(warehouse.dump_all(), before);
    }
}

/// The tables are in a data catalogue, so an external schema of a new database shows all of them again.
///
/// Proves: I7, S11, S1, G20
#[test]
fn a_new_database_gets_all_external_tables_again_and_they_are_protected() {
    let warehouse = lake(StandinOptions::default());
    warehouse.sql("prod", "CREATE EXTERNAL TABLE lake.orders (id int, tenant_id int, amount double precision) STORED AS PARQUET LOCATION 's3://bucket/orders/'");
    warehouse.put_files("s3://bucket/orders/", &json!([{ "id": 1, "tenant_id": 9, "amount": 1.5 }]));
    let before = warehouse.dump_all();
    let workspace = Workspace::on(&warehouse);
    let integration = BESIDE.replace("database        = \"prod\"", "database        = \"lakehouse\"\n  create_database = true\n  initial_database = \"dev\"\n  external_schemas = {\n    lake = { database = \"raw\", iam_role = \"default\" }\n  }");
    workspace.write(&format!("{integration}{PROFILES}{}", tables(COPIED)));
    workspace.apply();
    workspace.plan().assert_empty();
    let views = json!({ "orders": "gov_lake.orders", "people": "gov_lake.people" });
    assert_eq!(workspace.values(ADDRESS)["views"], views);
    let all = |database: &str| {
        warehouse.sql(
            database,
            "SELECT tablename, columnname, external_type FROM svv_external_columns ORDER BY 1, columnnum",
        )
    };
    assert_eq!(all("lakehouse"), all("prod"));
    let of_bob = |query: &str| seen(&warehouse, "bob", "lakehouse", query).expect("bob reads");
    assert_eq!(of_bob(QUERY), ["2 -", "3 -"]);
    assert_eq!(of_bob("SELECT id, amount FROM gov_lake.orders"), ["1 1.5"]);
    assert!(seen(&warehouse, "bob", "lakehouse", "SELECT * FROM lake.people").is_err());
    workspace.destroy();
    assert_eq!(warehouse.dump_all(), before);
}

/// Proves: G16, G20
#[test]
fn who_may_use_an_external_schema_reads_past_the_rules() {
    let warehouse = lake(StandinOptions::default());
    warehouse.sql("prod", "CREATE GROUP explorers");
    warehouse.sql("prod", "CREATE ROLE lake_reader");
    for grantee in ["cyd", "GROUP explorers", "ROLE lake_reader", "PUBLIC"] {
        warehouse.sql("prod", &format!("GRANT USAGE ON SCHEMA lake TO {grantee}"));
    }
    let workspace = Workspace::on(&warehouse);
    workspace.write(BESIDE);
    workspace.apply();
    workspace.write(&config(&format!("{COPIED}  allowed_direct_readers = [\"role lake_reader\"]\n")));
    let problems = workspace.plan_problems();
    assert!(problems.iter().any(|it| it.detail.contains("PUBLIC, group explorers, user cyd")), "{problems:#?}");
    workspace.write(&config(COPIED));
    workspace.apply();
    workspace.plan().assert_empty();
    let readers = json!(["PUBLIC", "group explorers", "role lake_reader", "user cyd"]);
    assert_eq!(workspace.values(ADDRESS)["direct_readers"], readers);
    workspace.destroy();
    assert!(warehouse.sql("prod", "SELECT has_schema_privilege('cyd', 'lake', 'USAGE')")[0][0].as_deref() == Some("t"));
}

/// Proves: G19, G20
#[test]
fn scripts_copy_external_tables_as_an_apply_does() {
    let automatic = lake(StandinOptions::default());
    let there = Workspace::on(&automatic);
    there.write(&config(COPIED));
    there.apply();

    let warehouse = lake(StandinOptions::default());
    let workspace = Workspace::on(&warehouse);
    workspace.write(&format!("{BESIDE}{PROFILES}"));
    workspace.apply();
    let uri = "\"redshift-integration://prod/gov?mode=manual&type=RedshiftSpectrum\"";
    let by_hand = tables(COPIED).replace("redshift_integration.gov.uri", uri);
    workspace.write(&format!("{BESIDE}{PROFILES}{by_hand}"));
    let scripts = workspace.plan().change(ADDRESS)["after"]["scripts"]["apply"].clone();
    scripts.as_array().expect("a list").iter().for_each(|script| run(&warehouse, script));
    workspace.apply();
    workspace.plan().assert_empty();
    assert_eq!(people(&warehouse, "bob").expect("bob reads"), ["2 -", "3 -"]);
    let of_lake = |warehouse: &Warehouse| {
        let is_of_it = |line: &String| line.contains("lake") || line.contains("copy_sales_");
        warehouse.dump_all().into_iter().filter(is_of_it).collect::<Vec<_>>()
    };
    assert_eq!(of_lake(&warehouse), of_lake(&automatic));

    // Another column, and another name of the view: a copy that is there is verified by its name.
    for (columns, more) in [
        ("id int, email varchar(100), phone varchar(20), tenant_id int, born date", COPIED.to_owned()),
        (COLUMNS, format!("{COPIED}  view_name = \"v_{{table}}\"\n")),
    ] {
        warehouse.sql("prod", "DROP TABLE lake.people");
        warehouse.sql("prod", &table(columns));
        workspace.write(&format!("{BESIDE}{PROFILES}{}", tables(&more).replace("redshift_integration.gov.uri", uri)));
        let scripts = workspace.plan().change(ADDRESS)["after"]["scripts"]["apply"].clone();
        scripts.as_array().expect("a list").iter().for_each(|script| run(&warehouse, script));
        workspace.apply();
        workspace.plan().assert_empty();
    }
    let copies = of_lake(&warehouse).iter().filter(|line| line.contains("gov_system.copy_sales_")).count();
    assert_eq!(copies, of_lake(&automatic).iter().filter(|line| line.contains("gov_system.copy_sales_")).count());

    let remove = workspace.values(ADDRESS)["scripts"]["remove"].clone();
    remove.as_array().expect("a list").iter().for_each(|script| run(&warehouse, script));
    workspace.write(&format!("{BESIDE}{PROFILES}"));
    workspace.apply();
    assert_eq!(users_of_the_lake(&warehouse), [""; 0]);
    assert!(!of_lake(&warehouse).iter().any(|line| line.contains("gov_lake")), "{:#?}", of_lake(&warehouse));
}

/// Proves: G20
#[test]
fn what_does_not_fit_external_tables_is_told_by_the_plan() {
    let warehouse = lake(StandinOptions::default());
    warehouse.sql("prod", "CREATE SCHEMA local_one");
    warehouse.sql(
        "prod",
        "CREATE TABLE local_one.people (id integer, email varchar(9), phone varchar(9), tenant_id integer)",
    );
    warehouse.sql(
        "prod",
        "CREATE EXTERNAL TABLE lake.nested (id int, tags array<int>) STORED AS PARQUET LOCATION 's3://bucket/nested/'",
    );
    let workspace = Workspace::on(&warehouse);
    workspace.write(BESIDE);
    workspace.apply();
    let is_told = |config: &str, at: &str, words: &[&str]| {
        workspace.write(config);
        let errors: Vec<_> = workspace.plan_problems().into_iter().filter(|it| it.severity == "error").collect();
        let [error] = errors.as_slice() else { panic!("one error: {errors:#?}") };
        assert!(error.line.contains(at), "{error:#?}");
        words.iter().for_each(|words| assert!(error.detail.contains(words), "{error:#?}"));
    };
    is_told(&config(COPIED), "", &["\"tags\"", "array<int>", "except_tables = [\"nested\"]"]);
    let local = config(COPIED).replace("\"lake\"", "\"local_one\"");
    is_told(&local, "external_tables", &["not external"]);
    let named = config(COPIED).replace("\"lake\"", "\"lake\"\n    tables = [\"persons\"]");
    is_told(&named, "tables", &["no table \"persons\""]);
}

/// Proves: G18, G20
#[test]
fn a_copy_outlives_an_import_and_goes_with_whatever_made_it() {
    let warehouse = lake(StandinOptions::default());
    let before = warehouse.dump_all();
    let first = Workspace::on(&warehouse);
    first.write(&format!("{BESIDE}{PROFILES}"));
    first.apply();
    let integrated = warehouse.dump_all();
    let by_uri = tables(COPIED)
        .replace("redshift_integration.gov.uri", "\"redshift-integration://prod/gov?type=RedshiftSpectrum\"");
    let workspace = Workspace::on(&warehouse);
    workspace.write(&format!("provider \"redshift\" {{}}\n{by_uri}"));
    workspace.apply();
    let (copied, id) = (copy(&workspace), workspace.values(ADDRESS)["id"].as_str().expect("an id").to_owned());

    let other = Workspace::on(&warehouse);
    other.write(&format!("provider \"redshift\" {{}}\n{by_uri}import {{\n  to = {ADDRESS}\n  id = \"{id}\"\n}}\n"));
    warehouse.reset_counters();
    other.apply();
    other.plan().assert_empty();
    assert!(!warehouse.statements().iter().any(|statement| statement.contains("MATERIALIZED")), "it was not made anew");
    assert_eq!(copy(&other), copied);

    // After an import alone, and of what an apply has not kept, nothing is left behind.
    let last = Workspace::on(&warehouse);
    last.write(&format!("provider \"redshift\" {{}}\n{by_uri}"));
    last.run(&["import", ADDRESS, &id]).succeeded();
    let made = warehouse.dump_all();
    warehouse.sql("prod", "DROP TABLE lake.people");
    let problems = last.apply_problems();
    assert!(problems.iter().any(|it| it.summary == "Schema lake shows no external table"), "{problems:#?}");
    warehouse.sql("prod", &table(COLUMNS));
    assert_eq!(warehouse.dump_all(), made);
    last.destroy();
    let of_registry = |line: &&String| !line.contains("gov_system.registration");
    let left: Vec<_> = warehouse.dump_all().iter().filter(of_registry).cloned().collect();
    assert_eq!(left, integrated.iter().filter(of_registry).cloned().collect::<Vec<_>>());
    first.destroy();
    assert_eq!(warehouse.dump_all(), before);
}

/// Proves: G15, G20
#[test]
fn what_cannot_be_seen_of_the_lake_is_neither_gone_nor_local() {
    let warehouse = lake(StandinOptions::default());
    warehouse.sql("dev", &format!("CREATE USER poor PASSWORD '{PASSWORD}'"));
    let mut workspace = Workspace::on(&warehouse);
    workspace.write(&config(COPIED));
    workspace.apply();
    let whole = warehouse.dump_all();
    // A data catalogue that shows nothing for a while.
    warehouse.sql("prod", "DROP TABLE lake.people");
    let problems = workspace.plan_problems();
    assert!(problems.iter().all(|it| it.severity == "warning"), "{problems:#?}");
    assert!(problems.iter().any(|it| it.summary == "Schema lake shows no external table"), "{problems:#?}");
    workspace.plan().assert_empty();
    warehouse.sql("prod", &table(COLUMNS));
    assert_eq!(warehouse.dump_all(), whole);

    // A login that may not use the schema sees neither that it is external nor what is in it.
    let poor = |workspace: &mut Workspace| {
        workspace.env("REDSHIFT_USER", "poor").env("REDSHIFT_PASSWORD", PASSWORD);
    };
    poor(&mut workspace);
    let problems = workspace.plan_problems();
    assert!(problems.iter().all(|it| it.severity == "warning"), "{problems:#?}");
    workspace.plan().assert_empty();
    let mut other = Workspace::on(&warehouse);
    poor(&mut other);
    let uri = "\"redshift-integration://prod/gov?mode=manual&type=RedshiftSpectrum\"";
    for more in [COPIED, ""] {
        let by_hand = tables(more).replace("redshift_integration.gov.uri", uri).replace("\"sales\"", "\"second\"");
        other.write(&format!("provider \"redshift\" {{}}\n{by_hand}"));
        let plan = other.plan();
        assert!(!plan.json().to_string().contains("GRANT USAGE"), "{more}");
        let problems = other.apply_problems();
        let error = problems.iter().find(|it| it.severity == "error").unwrap_or_else(|| panic!("{problems:#?}"));
        assert_eq!(error.summary, "The tables of schema lake cannot be seen");
    }
    assert_eq!(warehouse.dump_all(), whole);
}

/// Proves: G16, G20
#[test]
fn another_schema_of_the_same_catalogue_is_another_way_to_the_tables() {
    let warehouse = lake(StandinOptions::default());
    for schema in ["pond", "sea"] {
        let catalogue = if schema == "pond" { "raw" } else { "other" };
        warehouse.sql(
            "prod",
            &format!("CREATE EXTERNAL SCHEMA {schema} FROM DATA CATALOG DATABASE '{catalogue}' IAM_ROLE default"),
        );
    }
    warehouse.sql("prod", "GRANT USAGE ON SCHEMA pond TO cyd");
    warehouse.sql("prod", "GRANT USAGE ON SCHEMA sea TO bob");
    let workspace = Workspace::on(&warehouse);
    workspace.write(&config(COPIED));
    let outcome = workspace.apply();
    assert!(outcome.text().contains("USAGE on an external schema"), "{}", outcome.text());
    assert_eq!(workspace.values(ADDRESS)["direct_readers"], json!(["user cyd"]));
    workspace.write(&config(&format!("{COPIED}  allowed_direct_readers = []\n")));
    let whole = warehouse.dump_all();
    let problems = workspace.apply_problems();
    assert!(problems.iter().any(|it| it.severity == "error" && it.detail.contains("user cyd")), "{problems:#?}");
    assert_eq!(warehouse.dump_all(), whole);
}
