//! `redshift_integration` in the words of the documents, and what a governance tool does with it.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::integration::{ACTS, USER, integration};
use crate::support::{Warehouse, Workspace};

fn by_hand(lines: &str) -> String {
    integration(lines).replace("auto_bootstrap = true", "auto_bootstrap = false")
}

/// Proves: I21, I25, I27, I32, I47
#[test]
fn state_shows_the_configuration_in_the_documents_words() {
    let warehouse = Warehouse::start();
    let workspace = Workspace::on(&warehouse);
    workspace.write(&integration(&format!("{USER}{ACTS}  initial_database = \"sample\"\n")));
    workspace.apply();
    let values = workspace.values("redshift_integration.i");
    assert!(values["id"].as_str().is_some_and(|id| !id.is_empty()));
    assert_eq!(values["status"], json!("enabled"));
    let config: Value = serde_json::from_str(values["config"].as_str().expect("a text")).expect("JSON");
    assert_eq!((&config["type"], &config["autoBootstrap"]), (&json!("Redshift"), &json!(true)));
    let config = &config["config"];
    let endpoint = (config["host"].as_str(), config["port"].as_u64());
    assert_eq!(endpoint, (Some(warehouse.host().as_str()), Some(u64::from(warehouse.port()))));
    assert_eq!((&config["database"], &config["initialDatabase"]), (&json!("governed"), &json!("sample")));
    assert_eq!(config["authenticationType"], json!("userPassword"));
    assert_eq!(config["impersonation"]["enabled"], json!(true));
    workspace.destroy();
}

/// Proves: I2, I46
#[test]
fn an_integration_is_made_read_changed_listed_and_deleted() {
    let warehouse = Warehouse::start();
    let workspace = Workspace::on(&warehouse);
    let list = "data \"redshift_integrations\" \"all\" {\n  depends_on = [redshift_integration.i]\n}\noutput \"all\" {\n  value = data.redshift_integrations.all.integrations\n}\n";
    let with = |lines: &str| format!("{}{list}", integration(lines));
    workspace.write(&with(""));
    workspace.apply();
    let id = workspace.values("redshift_integration.i")["id"].clone();
    assert_eq!(workspace.output("all")[0]["id"], id);
    // By its id alone, all of it is read.
    workspace.run(&["state", "rm", "redshift_integration.i"]).succeeded();
    workspace.import("redshift_integration.i", id.as_str().expect("an id")).succeeded();
    assert_eq!(workspace.values("redshift_integration.i")["database"], json!("governed"));
    workspace.write(&with(ACTS));
    workspace.apply();
    assert_eq!(workspace.values("redshift_integration.i")["id"], id);
    workspace.plan().assert_empty();
    workspace.destroy();
    assert_eq!(warehouse.sql("dev", "SELECT datname FROM pg_database WHERE datname = 'governed'").len(), 0);
}

/// Where each kind of statement was run that the log holds.
fn places(warehouse: &Warehouse, start: &str) -> BTreeSet<String> {
    warehouse.log().into_iter().filter(|it| it.sql.starts_with(start)).map(|it| it.database).collect()
}

/// By itself and by hand, neither of them in the database that the login names.
/// Proves: I23, I67
#[test]
fn the_database_is_made_from_the_initial_one_and_all_else_inside_it() {
    const INSIDE: [&str; 6] =
        ["CREATE SCHEMA", "CREATE TABLE", "CREATE USER", "CREATE GROUP", "CREATE OR REPLACE VIEW", "INSERT INTO"];
    let from = "  initial_database = \"sample\"\n";
    let holds = |warehouse: &Warehouse| {
        assert_eq!(places(warehouse, "CREATE DATABASE"), BTreeSet::from(["sample".to_owned()]));
        for start in INSIDE {
            assert_eq!(places(warehouse, start), BTreeSet::from(["governed".to_owned()]), "{start}");
        }
    };
    let warehouse = Warehouse::start();
    let workspace = Workspace::on(&warehouse);
    workspace.write(&integration(&format!("{ACTS}{from}")));
    warehouse.reset_counters();
    workspace.apply();
    holds(&warehouse);
    workspace.destroy();
    assert_eq!(places(&warehouse, "DROP DATABASE"), BTreeSet::from(["sample".to_owned()]));

    let warehouse = Warehouse::start();
    let workspace = Workspace::on(&warehouse);
    workspace.write(&by_hand(&format!("{ACTS}{from}")));
    let scripts = workspace.plan().change("redshift_integration.i")["after"]["scripts"].clone();
    for (name, database) in [("initial_create", "sample"), ("create", "governed")] {
        assert_eq!(scripts[name]["run_in_database"], json!(database), "{name}");
        let sql = scripts[name]["sql"].as_str().expect("a script");
        let is_first = name == "initial_create";
        assert_eq!(sql.lines().any(|line| line.starts_with("CREATE DATABASE")), is_first, "{name}");
        for start in INSIDE {
            assert_eq!(sql.lines().any(|line| line.starts_with(start)), !is_first, "{start} in {name}");
        }
        warehouse.run_script(database, sql).expect("runs");
    }
    workspace.apply();
    workspace.plan().assert_empty();
}

/// Proves: I19
#[test]
fn the_type_is_one_of_two() {
    let warehouse = Warehouse::start();
    let workspace = Workspace::on(&warehouse);
    for (line, kind) in [("", "Redshift"), ("  type = \"RedshiftSpectrum\"\n", "RedshiftSpectrum")] {
        workspace.write(&integration(line));
        let config = workspace.plan().change("redshift_integration.i")["after"]["config"].clone();
        let config: Value = serde_json::from_str(config.as_str().expect("a text")).expect("JSON");
        assert_eq!(config["type"], json!(kind));
    }
    for other in ["Snowflake", "redshift"] {
        let told = workspace.refused(&integration(&format!("  type = \"{other}\"\n")));
        assert!(told.line.starts_with("type") && told.text().contains("RedshiftSpectrum"), "{told:?}");
    }
}

/// Tables of a database that is there, external ones among them, are registered, and shown as the profile says.
///
/// Proves: I1, I6, S1, S17
#[test]
fn views_enforce_what_the_profile_says_in_a_database_that_is_there() {
    let warehouse = Warehouse::start();
    let workspace = Workspace::on(&warehouse);
    for user in ["ann", "bob"] {
        warehouse.sql("dev", &format!("CREATE USER {user} PASSWORD 'Canary123'"));
    }
    warehouse.sql("sample", "CREATE EXTERNAL SCHEMA lake FROM DATA CATALOG DATABASE 'theirs' IAM_ROLE DEFAULT");
    let visits =
        "CREATE EXTERNAL TABLE lake.visits (id int, page varchar(20)) STORED AS PARQUET LOCATION 's3://bucket/visits/'";
    warehouse.sql("sample", visits);
    warehouse.put_files("s3://bucket/visits/", &json!([{ "id": 1, "page": "home" }, { "id": 2, "page": "basket" }]));
    let before = warehouse.dump_all();
    assert!(before.iter().any(|line| line.starts_with("external table lake.visits ")), "{before:#?}");
    let spectrum = integration(USER).replace(
        "database       = \"governed\"",
        "database       = \"sample\"\n  type           = \"RedshiftSpectrum\"",
    );
    let tables = |name: &str, schema: &str, more: &str| {
        format!(
            "resource \"redshift_protected_tables\" \"{name}\" {{\n  name            = \"{name}\"\n  integration_uri = redshift_integration.i.uri\n  source {{\n    schema = \"{schema}\"\n{more}  row_filter {{\n    where = \"1 = 0\"\n    unless {{ groups = [\"people\"] }}\n  }}\n  readers {{ users = [\"ann\", \"bob\"] }}\n}}\n"
        )
    };
    let profiles = "resource \"redshift_user_profiles\" \"p\" {\n  name            = \"p\"\n  integration_uri = redshift_integration.i.uri\n  users = {\n    ann = { groups = [\"people\"] }\n    bob = { groups = [\"nothing\"] }\n  }\n}\n";
    let local = tables("tickit", "tickit", "    tables = [\"people\"]\n  }\n");
    let external = tables("lake", "lake", "  }\n  external_tables = \"materialized\"\n");
    workspace.write(&format!("{spectrum}{profiles}{local}{external}"));
    workspace.apply();
    workspace.plan().assert_empty();
    let values = workspace.values("redshift_integration.i");
    assert_eq!((&values["status"], &values["validation_results"]["status"]), (&json!("enabled"), &json!("passed")));
    let count = |user: &str, relation: &str| {
        let rows = warehouse.sql_as(user, "Canary123", "sample", &format!("SELECT count(*) FROM {relation}"));
        rows.map(|rows| rows[0][0].clone().unwrap_or_default())
    };
    let views = workspace.values("redshift_protected_tables.tickit")["views"]["people"].clone();
    let people = views.as_str().expect("a view");
    assert_ne!(count("ann", people).expect("ann reads"), "0");
    assert_eq!(count("bob", people).expect("bob reads"), "0");
    assert_eq!(count("ann", "immuta_lake.visits").expect("ann reads"), "2");
    assert_eq!(count("bob", "immuta_lake.visits").expect("bob reads"), "0");
    // No right on the tables themselves, nor on the external schema, is needed.
    for relation in ["tickit.people", "lake.visits"] {
        assert!(count("ann", relation).is_err(), "{relation}");
    }
    workspace.destroy();
    assert_eq!(warehouse.dump_all(), before);
}

#[test]
fn by_hand_no_login_is_needed_to_let_go() {
    let warehouse = Warehouse::start();
    let mut workspace = Workspace::on(&warehouse);
    workspace.write(&by_hand("  impersonation {\n    enabled = false\n  }\n"));
    let scripts = workspace.plan().change("redshift_integration.i")["after"]["scripts"].clone();
    for (name, database) in [("initial_create", "dev"), ("create", "governed")] {
        warehouse.run_script(database, scripts[name]["sql"].as_str().expect("a script")).expect("runs");
    }
    workspace.apply();
    workspace.write(&by_hand("  impersonation {\n    enabled = false\n  }\n  abandon_on_destroy = true\n"));
    workspace.apply();
    workspace.without("REDSHIFT_PASSWORD");
    warehouse.reset_counters();
    let outcome = workspace.destroy();
    assert!(outcome.text().contains("The integration's objects are left in the warehouse"), "{}", outcome.text());
    assert_eq!((warehouse.writes(), workspace.addresses().len()), (0, 0));
}

/// Proves: I7, S7, S19, S23
#[test]
fn a_new_database_for_spectrum_takes_rights_when_it_is_made_and_none_when_it_is_read() {
    let warehouse = Warehouse::start();
    warehouse.sql("dev", "CREATE USER poor PASSWORD 'Canary123'");
    let mut workspace = Workspace::on(&warehouse);
    let before = warehouse.dump_all();
    let config = integration("  type            = \"RedshiftSpectrum\"\n  create_database = true\n");
    workspace.env("REDSHIFT_USER", "poor").env("REDSHIFT_PASSWORD", "Canary123");
    workspace.write(&config);
    let problems = workspace.apply_problems();
    let named: Vec<&str> = problems.iter().filter(|it| it.severity == "error").map(|it| it.summary.as_str()).collect();
    for right in ["CREATE DATABASE", "CREATE USER"] {
        assert!(named.iter().any(|summary| summary.ends_with(right)), "{right}: {named:?}");
    }
    assert!(problems.iter().all(|problem| !problem.detail.is_empty()));
    assert_eq!(warehouse.dump_all(), before);
    let password = warehouse.password().to_owned();
    workspace.env("REDSHIFT_USER", warehouse.superuser()).env("REDSHIFT_PASSWORD", &password);
    workspace.apply();
    assert_eq!(workspace.values("redshift_integration.i")["status"], json!("enabled"));
    workspace.env("REDSHIFT_USER", "poor").env("REDSHIFT_PASSWORD", "Canary123");
    let plan = workspace.plan();
    plan.assert_empty();
    workspace.env("REDSHIFT_USER", warehouse.superuser()).env("REDSHIFT_PASSWORD", &password);
    workspace.destroy();
    assert_eq!(warehouse.dump_all(), before);
}

/// Proves: M1
#[test]
fn all_resources_share_one_way_to_sign_in_and_keep_no_secret() {
    let warehouse = Warehouse::start();
    let mut workspace = Workspace::on(&warehouse);
    workspace.without("REDSHIFT_PASSWORD");
    workspace.write(&format!(
        "variable \"password\" {{\n  type      = string\n  ephemeral = true\n}}\nprovider \"redshift\" {{\n  password = var.password\n}}\nresource \"redshift_connection\" \"c\" {{\n  name     = \"warehouse\"\n  database = \"sample\"\n}}\nresource \"redshift_user\" \"u\" {{\n  connection_id       = redshift_connection.c.id\n  name                = \"tool\"\n  password_wo         = \"Tool-secret-1\"\n  password_wo_version = 1\n}}\nresource \"redshift_datastore\" \"d\" {{\n  connection_id = redshift_connection.c.id\n  name          = \"Tickit\"\n  database      = \"sample\"\n  schema        = \"tickit\"\n  service_user {{\n    name = redshift_user.u.name\n  }}\n}}\nresource \"redshift_integration\" \"i\" {{\n  connection_id  = redshift_connection.c.id\n  auto_bootstrap = true\n  database       = \"governed\"\n{USER}}}\n"
    ));
    workspace.env("TF_VAR_password", warehouse.password());
    workspace.apply();
    workspace.plan().assert_empty();
    let state = workspace.state().to_string();
    for secret in [warehouse.password(), "Tool-secret-1", "System-secret-1"] {
        assert!(!state.contains(secret), "a password is in state");
    }
    let logins: std::collections::BTreeSet<_> = ["c", "u", "d", "i"]
        .iter()
        .zip(["connection", "user", "datastore", "integration"])
        .map(|(name, kind)| {
            workspace.values(&format!("redshift_{kind}.{name}"))["endpoint"].as_str().unwrap_or_default().to_owned()
        })
        .collect();
    assert_eq!(logins.len(), 1, "{logins:?}");
    workspace.destroy();
}
