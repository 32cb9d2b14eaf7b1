//! The life of a datastore: rights given, kept, repaired and taken back, seen by the service user and by the warehouse.

use redshift_standin::StandinOptions;
use serde_json::json;

use crate::support::{Warehouse, Workspace};

/// Two schemas: `sales` belongs to `loader`, who makes tables in it, and `findings` to nobody special.
pub(crate) fn warehouse() -> Warehouse {
    let warehouse = Warehouse::start();
    for statement in [
        "CREATE USER loader PASSWORD 'Loader-secret-1'",
        "CREATE SCHEMA sales AUTHORIZATION loader",
        "CREATE SCHEMA findings AUTHORIZATION loader",
        "CREATE TABLE sales.orders (id integer, amount integer)",
        "CREATE TABLE sales.customers (id integer, name varchar(100))",
        "ALTER TABLE sales.orders OWNER TO loader",
        "ALTER TABLE sales.customers OWNER TO loader",
        "CREATE TABLE findings.anomalies (id integer)",
        "ALTER TABLE findings.anomalies OWNER TO loader",
    ] {
        warehouse.sql("dev", statement);
    }
    warehouse
}

pub(crate) const USER: &str = r#"
provider "redshift" {}
resource "redshift_user" "tool" {
  name                = "tool"
  password_wo         = "Tool-secret-1"
  password_wo_version = 1
}
"#;

pub(crate) const SOURCE: &str = r#"
resource "redshift_datastore" "sales" {
  name     = "Sales"
  database = "dev"
  schema   = "sales"
  service_user {
    name = redshift_user.tool.name
  }
}
"#;

pub(crate) fn source() -> String {
    format!("{USER}{SOURCE}")
}

/// Whether the tool's user may do something.
#[track_caller]
pub(crate) fn tool(warehouse: &Warehouse, statement: &str) -> Result<(), String> {
    warehouse.sql_as("tool", "Tool-secret-1", "dev", statement).map(drop)
}

/// Proves: Q3, Q26, Q34, F1, F6
#[test]
fn a_source_gives_its_user_what_reading_takes_and_no_more() {
    let warehouse = warehouse();
    let workspace = Workspace::on(&warehouse);
    workspace.write(&source());
    workspace.apply();
    tool(&warehouse, "SELECT id FROM sales.orders").expect("may read");
    for refused in [
        "INSERT INTO sales.orders VALUES (1, 1)",
        "UPDATE sales.orders SET amount = 0",
        "DELETE FROM sales.orders",
        "CREATE TABLE sales.mine (id integer)",
        "SELECT id FROM findings.anomalies",
    ] {
        let words = tool(&warehouse, refused).expect_err(refused);
        assert!(words.contains("42501"), "{refused}: {words}");
    }
    workspace.plan().assert_empty();
}

/// Proves: F5, F7, F8
#[test]
fn tables_made_later_by_a_covered_owner_can_be_read() {
    let warehouse = warehouse();
    let workspace = Workspace::on(&warehouse);
    workspace.write(&source());
    workspace.apply();
    tool(&warehouse, "SELECT id FROM sales.customers").expect("signs in with the clear password and reads");
    warehouse
        .sql_as("loader", "Loader-secret-1", "dev", "CREATE TABLE sales.later (id integer)")
        .expect("the owner makes a table");
    tool(&warehouse, "SELECT id FROM sales.later").expect("reads what was made afterwards");
    assert_eq!(workspace.values("redshift_datastore.sales")["default_privileges_owners"], json!(["loader"]));
    workspace.plan().assert_empty();
}

/// Proves: Q27, Q35
#[test]
fn an_enrichment_store_can_be_written_to() {
    let warehouse = warehouse();
    let workspace = Workspace::on(&warehouse);
    workspace.write(&format!(
        r#"{USER}
resource "redshift_datastore" "findings" {{
  name            = "Findings"
  database        = "dev"
  schema          = "findings"
  enrichment_only = true
  service_user {{
    name = redshift_user.tool.name
  }}
}}
"#
    ));
    workspace.apply();
    for allowed in [
        "CREATE TABLE findings.mine (id integer)",
        "INSERT INTO findings.anomalies VALUES (1)",
        "UPDATE findings.anomalies SET id = 2",
        "DELETE FROM findings.anomalies",
        "SELECT id FROM findings.anomalies",
    ] {
        tool(&warehouse, allowed).unwrap_or_else(|words| panic!("{allowed}: {words}"));
    }
    workspace.plan().assert_empty();
}

/// Proves: Q10, Q11, Q24, Q28, Q30
#[test]
fn state_says_what_the_datastore_is() {
    let warehouse = warehouse();
    let workspace = Workspace::on(&warehouse);
    workspace.write(&source());
    let plan = workspace.plan();
    let after = &plan.change("redshift_datastore.sales")["after"];
    let endpoint = format!("{}:{}", warehouse.host(), warehouse.port());
    assert_eq!(after["endpoint"], json!(endpoint), "a reviewer sees which warehouse");
    assert_eq!(after["store_type"], json!("jdbc"));
    workspace.apply();
    let values = workspace.values("redshift_datastore.sales");
    for (name, expected) in [
        ("name", json!("Sales")),
        ("database", json!("dev")),
        ("schema", json!("sales")),
        ("enrichment_only", json!(false)),
        ("type", json!("redshift")),
        ("store_type", json!("jdbc")),
        ("connected", json!(true)),
        ("missing", json!([])),
        ("endpoint", json!(endpoint)),
        ("id", json!(format!("redshift://{endpoint}#dev/sales?mode=source&user=tool"))),
        ("jdbc_url", json!(format!("jdbc:redshift://{endpoint}/dev"))),
    ] {
        assert_eq!(values[name], expected, "{name}");
    }
    assert!(
        values["grant_role"].as_str().is_some_and(|role| role.starts_with("tfds_") && role.len() == 15),
        "{values}"
    );
    assert!(values.to_string().len() < 2048, "state stays small: {}", values.to_string().len());
}

/// The script is all there is to know before anything runs, and it does not depend on what is there.
/// Proves: F6, F7, F8
#[test]
fn the_plan_shows_the_sql() {
    let warehouse = warehouse();
    let workspace = Workspace::on(&warehouse);
    workspace.write(&source());
    let plan = workspace.plan();
    let script = plan.change("redshift_datastore.sales")["after"]["script"].as_str().unwrap_or_default().to_owned();
    let role = plan.change("redshift_datastore.sales")["after"]["grant_role"].as_str().expect("is known").to_owned();
    for line in [
        format!("GRANT USAGE ON SCHEMA \"sales\" TO ROLE \"{role}\""),
        format!("GRANT SELECT ON ALL TABLES IN SCHEMA \"sales\" TO ROLE \"{role}\""),
        format!("GRANT ROLE \"{role}\" TO \"tool\""),
    ] {
        assert!(script.contains(&line), "{line} is not in\n{script}");
    }
    workspace.apply();
    let values = workspace.values("redshift_datastore.sales");
    assert_eq!((&values["script"], &values["grant_role"]), (&json!(script), &json!(role)));
}

#[test]
fn a_revoked_right_is_named_and_restored() {
    let warehouse = warehouse();
    let workspace = Workspace::on(&warehouse);
    workspace.write(&source());
    workspace.apply();
    let role = workspace.values("redshift_datastore.sales")["grant_role"].as_str().unwrap_or_default().to_owned();
    warehouse.sql("dev", &format!("REVOKE SELECT ON TABLE sales.orders FROM ROLE {role}"));
    let plan = workspace.plan();
    assert_eq!(plan.changes(), [("redshift_datastore.sales".to_owned(), vec!["update".to_owned()])].into());
    let before = plan.change("redshift_datastore.sales")["before"]["missing"].clone();
    assert_eq!(before, json!(["SELECT on 1 of 2 tables (orders)"]));
    workspace.apply();
    tool(&warehouse, "SELECT id FROM sales.orders").expect("reads again");
    workspace.plan().assert_empty();
}

#[test]
fn every_kind_of_right_is_noticed_and_restored() {
    let warehouse = warehouse();
    let workspace = Workspace::on(&warehouse);
    workspace.write(&source());
    workspace.apply();
    let role = workspace.values("redshift_datastore.sales")["grant_role"].as_str().unwrap_or_default().to_owned();
    for (statement, words) in [
        (format!("REVOKE USAGE ON SCHEMA sales FROM ROLE {role}"), "USAGE"),
        (format!("REVOKE ROLE {role} FROM tool"), "tool"),
        (
            format!(
                "ALTER DEFAULT PRIVILEGES FOR USER loader IN SCHEMA sales REVOKE SELECT ON TABLES FROM ROLE {role}"
            ),
            "loader",
        ),
    ] {
        warehouse.sql("dev", &statement);
        let plan = workspace.plan();
        let missing = plan.change("redshift_datastore.sales")["before"]["missing"].to_string();
        assert!(missing.contains(words), "after {statement}: {missing}");
        workspace.apply();
        workspace.plan().assert_empty();
    }
}

#[test]
fn a_dropped_schema_is_an_update_that_fails_and_a_destroy_that_works() {
    let warehouse = warehouse();
    let workspace = Workspace::on(&warehouse);
    workspace.write(&source());
    workspace.apply();
    warehouse.sql("dev", "DROP SCHEMA sales CASCADE");
    let plan = workspace.plan();
    assert_eq!(plan.changes(), [("redshift_datastore.sales".to_owned(), vec!["update".to_owned()])].into());
    assert!(plan.outcome.text().contains("Warning"), "{}", plan.outcome.text());
    let failure = workspace.try_apply().failed().text();
    assert!(failure.contains("sales") && failure.contains("does not exist"), "{failure}");
    workspace.destroy();
    assert_eq!(
        warehouse.sql("dev", "SELECT role_name FROM svv_roles WHERE role_name LIKE 'tfds%'"),
        Vec::<Vec<Option<String>>>::new()
    );
    assert_eq!(workspace.addresses(), Vec::<String>::new());
}

/// Proves: Q25, Q33
#[test]
fn metadata_changes_in_place_and_runs_no_sql() {
    let warehouse = warehouse();
    let workspace = Workspace::on(&warehouse);
    workspace.write(&source());
    workspace.apply();
    workspace.write(&source().replace(
        "name     = \"Sales\"",
        "name = \"Sales of the shop\"\n  description = \"Orders\"\n  teams = [\"b\", \"a\"]\n  tags = [\"prod\"]",
    ));
    warehouse.reset_counters();
    let plan = workspace.plan();
    assert_eq!(plan.changes(), [("redshift_datastore.sales".to_owned(), vec!["update".to_owned()])].into());
    assert_eq!(warehouse.writes(), 0);
    warehouse.reset_counters();
    workspace.run(&["apply", "-refresh=false", "-auto-approve", "-input=false", "-no-color"]).succeeded();
    assert_eq!(warehouse.sessions(), 0, "metadata is no affair of the warehouse: {:?}", warehouse.statements());
    assert_eq!(workspace.values("redshift_datastore.sales")["teams"], json!(["a", "b"]));
    workspace.plan().assert_empty();
}

#[test]
fn another_database_or_schema_replaces() {
    let warehouse = warehouse();
    let workspace = Workspace::on(&warehouse);
    workspace.write(&source());
    workspace.apply();
    workspace.write(&source().replace("schema   = \"sales\"", "schema   = \"findings\""));
    let plan = workspace.plan();
    let actions = plan.changes().remove("redshift_datastore.sales").unwrap_or_else(|| {
        panic!("{}", plan.outcome.stdout);
    });
    assert_eq!(actions, ["delete", "create"]);
    workspace.apply();
    tool(&warehouse, "SELECT id FROM findings.anomalies").expect("reads the other schema");
    tool(&warehouse, "SELECT id FROM sales.orders").expect_err("no longer reads the first");
    workspace.plan().assert_empty();
}

#[test]
fn another_database_replaces() {
    let warehouse = warehouse();
    warehouse.sql("dev", "CREATE DATABASE mart");
    warehouse.sql("mart", "CREATE SCHEMA sales");
    let workspace = Workspace::on(&warehouse);
    let none = source().replace("redshift_user.tool.name", "redshift_user.tool.name\n    future_tables = \"none\"");
    workspace.write(&none);
    workspace.apply();
    workspace.write(&none.replace("database = \"dev\"", "database = \"mart\""));
    let replaced = vec!["delete".to_owned(), "create".to_owned()];
    assert_eq!(workspace.plan().changes(), [("redshift_datastore.sales".to_owned(), replaced)].into());
    workspace.apply();
    tool(&warehouse, "SELECT id FROM sales.orders").expect_err("gone from the first");
    workspace.plan().assert_empty();
}

#[test]
fn becoming_an_enrichment_store_and_back_takes_what_it_gave() {
    let warehouse = warehouse();
    let workspace = Workspace::on(&warehouse);
    workspace.write(&source());
    workspace.apply();
    workspace.write(&source().replace("schema   = \"sales\"", "schema   = \"sales\"\n  enrichment_only = true"));
    workspace.apply();
    tool(&warehouse, "INSERT INTO sales.orders VALUES (1, 1)").expect("writes");
    workspace.plan().assert_empty();
    workspace.write(&source());
    workspace.apply();
    tool(&warehouse, "INSERT INTO sales.orders VALUES (2, 2)").expect_err("no longer writes");
    tool(&warehouse, "SELECT id FROM sales.orders").expect("still reads");
    workspace.plan().assert_empty();
}

/// Each operation in its turn, and by its id alone the datastore is read anew.
/// Proves: Q1, Q40
#[test]
fn a_datastore_is_made_read_changed_and_deleted() {
    let warehouse = warehouse();
    let before = warehouse.dump("dev");
    let workspace = Workspace::on(&warehouse);
    workspace.write(&source());
    workspace.apply();
    let made = workspace.values("redshift_datastore.sales");
    workspace.run(&["state", "rm", "redshift_datastore.sales"]).succeeded();
    workspace.import("redshift_datastore.sales", made["id"].as_str().expect("an id")).succeeded();
    let read = workspace.values("redshift_datastore.sales");
    for name in ["id", "type", "store_type", "database", "schema", "enrichment_only", "endpoint", "missing"] {
        assert_eq!(read[name], made[name], "{name}");
    }
    workspace.write(&source().replace("\"Sales\"", "\"Orders\""));
    workspace.apply();
    let changed = workspace.values("redshift_datastore.sales");
    assert_eq!((&changed["name"], &changed["id"]), (&json!("Orders"), &made["id"]));
    workspace.plan().assert_empty();
    workspace.destroy();
    assert_eq!(workspace.addresses(), Vec::<String>::new());
    assert_eq!(warehouse.dump("dev"), before);
}

#[test]
fn destroy_leaves_no_user_role_grant_or_default_privilege() {
    let warehouse = warehouse();
    let before = warehouse.dump("dev");
    let workspace = Workspace::on(&warehouse);
    for through in ["role", "direct"] {
        workspace.write(&source().replace(
            "name = redshift_user.tool.name",
            &format!("name = redshift_user.tool.name\n    grant_through = \"{through}\""),
        ));
        workspace.apply();
        assert_ne!(warehouse.dump("dev"), before);
        workspace.destroy();
        assert_eq!(warehouse.dump("dev"), before, "grant_through = {through}");
    }
}

#[test]
fn import_of_an_unchanged_warehouse_sends_no_ddl() {
    for through in ["role", "direct"] {
        let warehouse = warehouse();
        let first = Workspace::on(&warehouse);
        let configuration = source().replace(
            "name = redshift_user.tool.name",
            &format!("name = redshift_user.tool.name\n    grant_through = \"{through}\""),
        );
        first.write(&configuration);
        first.apply();
        let id = first.values("redshift_datastore.sales")["id"].as_str().unwrap_or_default().to_owned();
        let user_id = first.values("redshift_user.tool")["id"].as_str().unwrap_or_default().to_owned();

        let second = Workspace::on(&warehouse);
        second.write(&configuration);
        second.import("redshift_user.tool", &user_id).succeeded();
        second.import("redshift_datastore.sales", &id).succeeded();
        warehouse.reset_counters();
        second.apply();
        assert_eq!(warehouse.writes(), 0, "grant_through = {through}: {:?}", warehouse.statements());
        second.plan().assert_empty();
        tool(&warehouse, "SELECT id FROM sales.orders").expect("nothing was lost");
    }
}

/// What is declared is owned, whoever gave it: create says which rights were there, and destroy takes them.
#[test]
fn direct_grants_that_were_found_are_told_and_go_with_the_datastore() {
    let warehouse = warehouse();
    warehouse.sql("dev", "CREATE USER tool PASSWORD 'Tool-secret-1'");
    let clean = warehouse.dump("dev");
    warehouse.sql("dev", "GRANT USAGE ON SCHEMA sales TO tool");
    warehouse.sql("dev", "GRANT SELECT ON TABLE sales.customers TO tool");
    let workspace = Workspace::on(&warehouse);
    workspace.write(
        r#"
provider "redshift" {}
resource "redshift_datastore" "sales" {
  name     = "Sales"
  database = "dev"
  schema   = "sales"
  service_user {
    name          = "tool"
    grant_through = "direct"
  }
}
"#,
    );
    let told = workspace.apply_problems();
    let warning = told.iter().find(|told| told.summary.contains("were there before")).expect("says so");
    assert!(warning.detail.contains("USAGE on schema sales") && warning.detail.contains("SELECT on customers"));
    assert!(warning.detail.contains("destroy will revoke"), "{warning:?}");
    tool(&warehouse, "SELECT id FROM sales.orders").expect("reads");
    assert_eq!(workspace.values("redshift_datastore.sales")["grant_role"], json!(null));
    assert!(!warehouse.statements().iter().any(|sql| sql.contains("CREATE ROLE")));
    workspace.destroy();
    assert_eq!(warehouse.dump("dev"), clean);
}

/// Proves: Q22
#[test]
fn trigger_catalog_reads_the_catalogue_or_leaves_it() {
    let warehouse = warehouse();
    let workspace = Workspace::on(&warehouse);
    workspace.write(&source().replace("schema   = \"sales\"", "schema   = \"sales\"\n  trigger_catalog = false"));
    workspace.apply();
    assert_eq!(workspace.values("redshift_datastore.sales")["catalog"], json!(null));
    workspace.write(&source());
    workspace.apply();
    let catalog = workspace.values("redshift_datastore.sales")["catalog"].clone();
    assert_eq!((&catalog["table_count"], &catalog["column_count"]), (&json!(2), &json!(4)), "{catalog}");
    assert!(catalog["fingerprint"].as_str().is_some_and(|text| !text.is_empty()));
    workspace.plan().assert_empty();
}

/// Proves: F12, F21
#[test]
fn datasets_narrow_the_catalogue_and_never_the_rights() {
    let warehouse = warehouse();
    let workspace = Workspace::on(&warehouse);
    workspace.write(&source().replace("schema   = \"sales\"", "schema   = \"sales\"\n  datasets = [\"ord*\"]"));
    workspace.apply();
    assert_eq!(workspace.values("redshift_datastore.sales")["catalog"]["table_count"], json!(1));
    tool(&warehouse, "SELECT id FROM sales.customers").expect("rights are schema-wide");
    // The catalogue is served as it is: no refresh was asked for.
    warehouse
        .sql_as("loader", "Loader-secret-1", "dev", "CREATE TABLE sales.orders_2 (id integer)")
        .expect("makes a table");
    workspace.plan().assert_empty();
    assert_eq!(workspace.values("redshift_datastore.sales")["catalog"]["table_count"], json!(1));
}

/// Proves: Q48, F23
#[test]
fn without_a_service_user_the_logins_own_rights_are_checked() {
    let warehouse = warehouse();
    warehouse.sql("dev", "CREATE USER reader PASSWORD 'Reader-secret-1'");
    warehouse.sql("dev", "GRANT USAGE ON SCHEMA findings TO reader");
    warehouse.sql("dev", "GRANT SELECT ON ALL TABLES IN SCHEMA findings TO reader");
    let mut workspace = Workspace::on(&warehouse);
    workspace.env("REDSHIFT_USER", "reader").env("REDSHIFT_PASSWORD", "Reader-secret-1");
    workspace.write(
        r#"
provider "redshift" {}
resource "redshift_connection" "c" {
  name = "c"
}
resource "redshift_datastore" "findings" {
  name            = "Findings"
  connection_id   = redshift_connection.c.id
  database        = "dev"
  schema          = "findings"
  enrichment_only = true
}
"#,
    );
    let failure = workspace.try_apply().failed().text();
    assert!(failure.contains("GRANT CREATE ON SCHEMA \"findings\" TO \"reader\""), "{failure}");
    warehouse.sql("dev", "GRANT CREATE ON SCHEMA findings TO reader");
    warehouse.sql("dev", "GRANT INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA findings TO reader");
    workspace.apply();
    workspace.plan().assert_empty();
}

/// Proves: Q43
#[test]
fn many_schemas_are_taken_on_at_once() {
    let warehouse = warehouse();
    let workspace = Workspace::on(&warehouse);
    for number in 0..5 {
        warehouse.sql("dev", &format!("CREATE SCHEMA mart_{number}"));
    }
    workspace.write(&format!(
        r#"{USER}
data "redshift_schemas" "marts" {{
  database = "dev"
  like     = "mart\\_%"
}}
resource "redshift_datastore" "mart" {{
  for_each = toset(data.redshift_schemas.marts.names)
  name     = each.key
  database = "dev"
  schema   = each.key
  service_user {{
    name          = redshift_user.tool.name
    future_tables = "schema"
  }}
}}
"#
    ));
    workspace.apply();
    assert_eq!(
        workspace.addresses().iter().filter(|address| address.starts_with("redshift_datastore.mart[")).count(),
        5
    );
    warehouse.sql("dev", "GRANT USAGE, CREATE ON SCHEMA mart_3 TO loader");
    warehouse
        .sql_as("loader", "Loader-secret-1", "dev", "CREATE TABLE mart_3.later (id integer)")
        .expect("somebody makes a table who owns nothing there");
    tool(&warehouse, "SELECT id FROM mart_3.later").expect("future_tables = \"schema\" covers every owner");
    workspace.plan().assert_empty();
}

#[test]
fn a_group_gets_direct_grants() {
    let warehouse = warehouse();
    warehouse.sql("dev", "CREATE USER ann PASSWORD 'Ann-secret-1'");
    warehouse.sql("dev", "CREATE GROUP readers_of_sales WITH USER ann");
    let before = warehouse.dump("dev");
    let workspace = Workspace::on(&warehouse);
    workspace.write(
        r#"
provider "redshift" {}
resource "redshift_datastore" "sales" {
  name     = "Sales"
  database = "dev"
  schema   = "sales"
  service_user {
    name = "readers_of_sales"
    type = "group"
  }
}
"#,
    );
    workspace.apply();
    warehouse.sql_as("ann", "Ann-secret-1", "dev", "SELECT id FROM sales.orders").expect("a member reads");
    workspace.plan().assert_empty();
    workspace.destroy();
    assert_eq!(warehouse.dump("dev"), before);
}

#[test]
fn two_datastores_on_one_user_do_not_take_rights_from_each_other() {
    let warehouse = warehouse();
    let workspace = Workspace::on(&warehouse);
    // On the same schema and user, in another mode: a role of its own.
    let twin = SOURCE
        .replace("\"sales\" {", "\"twin\" {")
        .replace("name     = \"Sales\"", "name = \"Twin\"\n  enrichment_only = true");
    workspace.write(&format!("{USER}{SOURCE}{twin}"));
    workspace.apply();
    workspace.write(&source());
    workspace.apply();
    tool(&warehouse, "SELECT id FROM sales.orders").expect("the other datastore's rights are its own");
    workspace.plan().assert_empty();
}

/// Switched on, a refresh reads the catalogue again once it is older than the interval.
/// Proves: F21
#[test]
fn catalog_refresh_reads_the_catalogue_again_when_it_is_old() {
    let warehouse = warehouse();
    let workspace = Workspace::on(&warehouse);
    let refreshing = |interval: &str| {
        let block = format!(
            "schema   = \"sales\"\n  catalog_refresh {{\n    enabled  = true\n    interval = \"{interval}\"\n  }}"
        );
        source().replace("schema   = \"sales\"", &block)
    };
    workspace.write(&refreshing("12h"));
    workspace.apply();
    warehouse
        .sql_as("loader", "Loader-secret-1", "dev", "CREATE TABLE sales.later (id integer)")
        .expect("makes a table");
    workspace.plan().assert_empty();
    let refreshed = || {
        workspace.run(&["apply", "-refresh-only", "-auto-approve", "-input=false"]).succeeded();
        workspace.values("redshift_datastore.sales")["catalog"]["table_count"].clone()
    };
    assert_eq!(refreshed(), json!(2), "it is not old yet");
    workspace.write(&refreshing("1ms"));
    workspace.apply();
    assert_eq!(refreshed(), json!(3));
}

/// The list of the stand-in is what Redshift takes: without an entry, what needs it fails, and by its name.
#[test]
fn a_form_that_is_not_on_the_list_is_refused() {
    let options = StandinOptions { without: vec!["create-role".to_owned()], ..StandinOptions::default() };
    let warehouse = Warehouse::with(options);
    warehouse.sql("dev", "CREATE SCHEMA sales");
    let workspace = Workspace::on(&warehouse);
    workspace.write(&source());
    let failure = workspace.try_apply().failed().text();
    assert!(failure.contains("0A000"), "{failure}");
    assert_eq!(workspace.addresses(), ["redshift_user.tool"], "nothing of the datastore is left");
}

/// A hostile name is handled exactly, or refused; it is never executed.
#[test]
fn hostile_names_are_handled_exactly() {
    let warehouse = warehouse();
    let workspace = Workspace::on(&warehouse);
    let long = "ä".repeat(20);
    for name in [r#"x\"; DROP TABLE sales.orders; --"#, "it's", r"back\\slash", long.as_str()] {
        let plain = name.replace("\\\"", "\"").replace("\\\\", "\\");
        warehouse.sql("dev", &format!("CREATE SCHEMA \"{}\"", plain.replace('"', "\"\"")));
        workspace.write(
            &source().replace("\"sales\"\n", &format!("\"{name}\"\n")).replace("= \"sales\"", &format!("= \"{name}\"")),
        );
        workspace.apply();
        workspace.plan().assert_empty();
        workspace.destroy();
    }
    assert_eq!(warehouse.sql("dev", "SELECT count(*) FROM sales.orders").len(), 1, "nothing was dropped");
}
