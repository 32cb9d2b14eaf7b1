//! Who was answered "no" has been told something: refused logins, dropped databases, warehouses that are gone, and what changed
//! while an apply ran.

use redshift_standin::{Action, Fault, On};
use serde_json::{Value, json};

use crate::campaign::sampled;
use crate::datastore::{source, tool, warehouse};
use crate::support::{Warehouse, Workspace};

fn update(address: &str) -> std::collections::BTreeMap<String, Vec<String>> {
    [(address.to_owned(), vec!["update".to_owned()])].into()
}

const SHOP: &str = r#"
provider "redshift" {}
resource "redshift_datastore" "sales" {
  name     = "sales"
  database = "shop"
  schema   = "sales"
  service_user {
    name = "reader"
  }
}
"#;

fn with_shop() -> Warehouse {
    let warehouse = Warehouse::start();
    warehouse.sql("dev", "CREATE USER reader PASSWORD DISABLE");
    warehouse.sql("dev", "CREATE DATABASE shop");
    warehouse.sql("shop", "CREATE SCHEMA sales");
    warehouse
}

#[test]
fn a_dropped_database_is_missing_and_planned() {
    let warehouse = with_shop();
    let workspace = Workspace::on(&warehouse);
    workspace.write(SHOP);
    workspace.apply();
    workspace.plan().assert_empty();
    warehouse.sql("dev", "DROP DATABASE shop");
    let plan = workspace.plan();
    assert_eq!(plan.changes(), update("redshift_datastore.sales"));
    assert_eq!(plan.change("redshift_datastore.sales")["before"]["missing"], json!(["database \"shop\""]));
    assert!(plan.outcome.text().contains("Database \"shop\" does not exist"), "{}", plan.outcome.text());
    let failure = workspace.try_apply().failed().text();
    assert!(failure.contains("Database \"shop\" does not exist"), "{failure}");
    assert_eq!(workspace.addresses(), ["redshift_datastore.sales"]);
    // Back again, it gets its rights; gone again, the datastore can be destroyed, and its role is gone, too.
    warehouse.sql("dev", "CREATE DATABASE shop");
    warehouse.sql("shop", "CREATE SCHEMA sales");
    workspace.apply();
    workspace.plan().assert_empty();
    warehouse.sql("dev", "DROP DATABASE shop");
    workspace.destroy();
    let roles = warehouse.sql("dev", "SELECT role_name FROM svv_roles WHERE role_name LIKE 'tfds%'");
    assert_eq!(roles, Vec::<Vec<Option<String>>>::new());
}

/// The same where the login itself begins in that database.
#[test]
fn a_dropped_first_database_is_missing_as_well() {
    let warehouse = with_shop();
    let workspace = Workspace::on(&warehouse);
    workspace.write(&SHOP.replace("\"redshift\" {}", "\"redshift\" {\n  database = \"shop\"\n}"));
    workspace.apply();
    warehouse.sql("dev", "DROP DATABASE shop");
    let plan = workspace.plan();
    assert_eq!(plan.changes(), update("redshift_datastore.sales"));
    assert_eq!(plan.change("redshift_datastore.sales")["before"]["missing"], json!(["database \"shop\""]));
}

/// A datastore that signs in by the provider block has no connection to say it.
#[test]
fn a_refused_login_of_a_datastore_without_a_connection_is_planned() {
    let warehouse = with_shop();
    let mut workspace = Workspace::on(&warehouse);
    workspace.write(SHOP);
    workspace.apply();
    workspace.env("REDSHIFT_PASSWORD", "Wrong-password-1");
    let plan = workspace.plan();
    assert_eq!(plan.changes(), update("redshift_datastore.sales"));
    assert!(plan.outcome.text().contains("password authentication failed"), "{}", plan.outcome.text());
    let failure = workspace.try_apply().failed().text();
    assert!(failure.contains("password authentication failed"), "{failure}");
    workspace.run(&["apply", "-refresh-only", "-auto-approve", "-input=false"]).succeeded();
    assert_eq!(workspace.values("redshift_datastore.sales")["connected"], json!(false));
    workspace.env("REDSHIFT_PASSWORD", warehouse.password());
    workspace.plan().assert_empty();
    workspace.destroy();
}

/// Nor have the others.
#[test]
fn a_refused_login_of_any_type_without_a_connection_is_planned() {
    let warehouse = Warehouse::start();
    let before = warehouse.dump_all();
    let mut workspace = Workspace::on(&warehouse);
    workspace.write(
        "provider \"redshift\" {}\nresource \"redshift_user\" \"u\" {\n  name = \"u\"\n}\nresource \"redshift_schema\" \"s\" {\n  database = \"dev\"\n  name = \"s\"\n}\nresource \"redshift_integration\" \"i\" {\n  auto_bootstrap = true\n  database = \"governed\"\n}\n",
    );
    workspace.apply();
    let made = warehouse.dump_all();
    workspace.env("REDSHIFT_PASSWORD", "Wrong-password-1");
    let plan = workspace.plan();
    let addresses = ["redshift_integration.i", "redshift_schema.s", "redshift_user.u"];
    assert_eq!(plan.changes().into_keys().collect::<Vec<_>>(), addresses);
    assert!(plan.outcome.text().contains("password authentication failed"), "{}", plan.outcome.text());
    let failure = workspace.try_apply().failed().text();
    assert!(failure.contains("password authentication failed"), "{failure}");

    // Signed in again without a look before: that is all it does.
    workspace.run(&["apply", "-refresh-only", "-auto-approve", "-input=false"]).succeeded();
    workspace.env("REDSHIFT_PASSWORD", warehouse.password());
    workspace.run(&["apply", "-refresh=false", "-auto-approve", "-input=false"]).succeeded();
    assert_eq!(warehouse.dump_all(), made);
    for address in addresses {
        assert!(workspace.values(address)["namespace"].is_string(), "{address}");
    }
    workspace.plan().assert_empty();
    workspace.destroy();
    assert_eq!(warehouse.dump_all(), before);
}

const CONNECTION: &str = "provider \"redshift\" {}\nresource \"redshift_connection\" \"c\" {\n  name = \"c\"\n}\n";

/// `connected`, and the status and the failed test of `validation_results`.
fn told(values: &Value) -> (Value, Value, Option<String>) {
    let results = &values["validation_results"];
    let tests = results["tests"].as_array().cloned().unwrap_or_default();
    let failed = tests.iter().find(|test| test["status"] == "failed").map(|test| test["name"].to_string());
    (values["connected"].clone(), results["status"].clone(), failed)
}

#[test]
fn a_refused_login_is_planned_and_proved_again() {
    let warehouse = Warehouse::start();
    let mut workspace = Workspace::on(&warehouse);
    workspace.write(CONNECTION);
    workspace.apply();
    let good = (json!(true), json!("passed"), None);
    assert_eq!(told(&workspace.values("redshift_connection.c")), good);

    workspace.env("REDSHIFT_PASSWORD", "Wrong-password-1");
    let plan = workspace.plan();
    assert_eq!(plan.changes(), update("redshift_connection.c"));
    let change = plan.change("redshift_connection.c");
    assert_eq!((&change["before"]["connected"], &change["after"]["connected"]), (&json!(false), &json!(true)));
    let refused = (json!(false), json!("failed"), Some("\"Database user\"".to_owned()));
    assert_eq!(told(&change["before"]), refused, "what state says and the warning are one");
    assert!(plan.outcome.text().contains("password authentication failed"), "{}", plan.outcome.text());
    let failure = workspace.try_apply().failed().text();
    assert!(failure.contains("password authentication failed"), "{failure}");
    workspace.run(&["apply", "-refresh-only", "-auto-approve", "-input=false"]).succeeded();
    assert_eq!(told(&workspace.values("redshift_connection.c")), refused);

    // Out of reach is no answer: what was heard last stands, and is still planned.
    warehouse.pause();
    let plan = workspace.plan();
    assert_eq!(plan.changes(), update("redshift_connection.c"));
    assert_eq!(told(&plan.change("redshift_connection.c")["before"]), refused);
    warehouse.resume();

    workspace.env("REDSHIFT_PASSWORD", warehouse.password());
    workspace.plan().assert_empty();
    workspace.apply();
    assert_eq!(told(&workspace.values("redshift_connection.c")), good);
    workspace.destroy();
}

#[test]
fn a_warehouse_out_of_reach_keeps_what_was_heard_last() {
    let warehouse = Warehouse::start();
    let workspace = Workspace::on(&warehouse);
    workspace.write(&CONNECTION.replace("{}", "{\n  connect_timeout = \"5s\"\n}"));
    workspace.apply();
    warehouse.pause();
    let plan = workspace.plan();
    plan.assert_empty();
    assert!(plan.outcome.text().contains("Cannot reach"), "{}", plan.outcome.text());
    workspace.run(&["apply", "-refresh-only", "-auto-approve", "-input=false"]).succeeded();
    assert_eq!(told(&workspace.values("redshift_connection.c")), (json!(true), json!("passed"), None));
    warehouse.resume();
    workspace.plan().assert_empty();
    // An earlier build wrote `false` for it, and did not know why.
    let mut state = workspace.state();
    state["resources"][0]["instances"][0]["attributes"]["connected"] = json!(false);
    std::fs::write(workspace.path().join("terraform.tfstate"), state.to_string()).expect("writes");
    warehouse.pause();
    workspace.plan().assert_empty();
    warehouse.resume();
    workspace.plan().assert_empty();
}

#[test]
fn a_disabled_connection_says_nothing() {
    let warehouse = Warehouse::start();
    let workspace = Workspace::on(&warehouse);
    workspace.write(&CONNECTION.replace("\"c\"\n}", "\"c\"\n  enabled = false\n}"));
    workspace.apply();
    assert_eq!(told(&workspace.values("redshift_connection.c")), (Value::Null, Value::Null, None));
    workspace.plan().assert_empty();
    workspace.write(CONNECTION);
    workspace.apply();
    assert_eq!(told(&workspace.values("redshift_connection.c")), (json!(true), json!("passed"), None));
    workspace.write(&CONNECTION.replace("\"c\"\n}", "\"c\"\n  enabled = false\n}"));
    workspace.apply();
    assert_eq!(told(&workspace.values("redshift_connection.c")), (Value::Null, Value::Null, None));
    workspace.plan().assert_empty();
}

/// Where nobody can know whether it is gone for good, the way out is named.
#[test]
fn a_destroy_without_a_warehouse_says_how_to_get_out() {
    let warehouse = warehouse();
    let workspace = Workspace::on(&warehouse);
    workspace.write(&source().replace("\"redshift\" {}", "\"redshift\" {\n  connect_timeout = \"5s\"\n}"));
    workspace.apply();
    warehouse.pause();
    let errors: Vec<_> = workspace.destroy_problems().into_iter().filter(|it| it.severity == "error").collect();
    assert!(!errors.is_empty());
    for error in &errors {
        assert!(error.text().contains("terraform state rm"), "{error:#?}");
    }
}

/// AWS says that the cluster is not there: everything on it is let go.
#[test]
fn what_was_on_a_cluster_that_aws_does_not_know_is_let_go() {
    let warehouse = Warehouse::start();
    warehouse.sql("dev", "CREATE USER \"IAM:terraform\" PASSWORD 'Unused123' CREATEUSER");
    warehouse.sql("dev", "CREATE SCHEMA sales");
    let at = warehouse.aws().fixtures();
    let workspace = Workspace::in_aws(&warehouse);
    let hcl = format!(
        r#"
resource "redshift_connection" "c" {{
  name                = "c"
  cluster_identifier  = "{}"
  authentication_type = "IAM"
}}
resource "redshift_user" "tool" {{
  name          = "tool"
  connection_id = redshift_connection.c.id
}}
resource "redshift_datastore" "d" {{
  name          = "d"
  connection_id = redshift_connection.c.id
  database      = "dev"
  schema        = "sales"
  service_user {{
    name = redshift_user.tool.name
  }}
}}
"#,
        at.cluster
    );
    workspace.write(&hcl);
    workspace.apply();
    workspace.plan().assert_empty();
    warehouse.aws().remove_cluster(&at.cluster);
    // The connection has been refused, which shows.
    let plan = workspace.plan();
    assert_eq!(plan.changes(), update("redshift_connection.c"));
    warehouse.reset_counters();
    let outcome = workspace.destroy();
    assert!(outcome.text().contains("The warehouse does not exist any more"), "{}", outcome.text());
    assert_eq!((workspace.addresses(), warehouse.writes()), (Vec::new(), 0));
}

/// A table that somebody makes between the look and the read-back is granted in the same apply.
#[test]
fn a_table_made_while_an_apply_runs_is_granted_as_well() {
    let warehouse = Warehouse::start();
    for statement in [
        "CREATE USER ana PASSWORD 'Tool-secret-1'",
        "CREATE USER loader PASSWORD 'Loader-secret-1'",
        "CREATE SCHEMA mart",
        "CREATE TABLE mart.a (i integer)",
        "GRANT USAGE, CREATE ON SCHEMA mart TO loader",
    ] {
        warehouse.sql("dev", statement);
    }
    let workspace = Workspace::on(&warehouse);
    workspace.write(
        "provider \"redshift\" {}\nresource \"redshift_datastore\" \"mart\" {\n  name = \"mart\"\n  database = \"dev\"\n  schema = \"mart\"\n  service_user {\n    name = \"ana\"\n    default_privileges_for = [\"awsuser\", \"loader\"]\n  }\n}\n",
    );
    warehouse.fault(Fault {
        on: On::Statement,
        contains: Some("GRANT SELECT ON ALL TABLES".into()),
        skip: 0,
        times: 1,
        action: Action::StallAfter,
    });
    let running = workspace.start(&["apply", "-auto-approve", "-input=false", "-no-color"]);
    warehouse.wait_for_stalled(true);
    warehouse.sql_as("loader", "Loader-secret-1", "dev", "CREATE TABLE mart.e (i integer)").expect("makes a table");
    warehouse.release();
    running.wait().succeeded();
    for table in ["a", "e"] {
        let read = warehouse.sql_as("ana", "Tool-secret-1", "dev", &format!("SELECT * FROM mart.{table}"));
        assert!(read.is_ok(), "{table}: {read:?}");
    }
    workspace.plan().assert_empty();
}

/// A user that a replacement makes anew gets the datastore's role back in the same apply.
#[test]
fn a_replaced_user_keeps_what_its_datastores_give() {
    let warehouse = warehouse();
    let workspace = Workspace::on(&warehouse);
    workspace.write(&source());
    workspace.apply();
    assert_eq!(tool(&warehouse, "SELECT * FROM sales.orders"), Ok(()));
    let id = |workspace: &Workspace| workspace.values("redshift_datastore.sales")["grant_role"].clone();
    let role = id(&workspace);
    workspace.run(&["apply", "-replace=redshift_user.tool", "-auto-approve", "-input=false", "-no-color"]).succeeded();
    assert_eq!(tool(&warehouse, "SELECT * FROM sales.orders"), Ok(()));
    assert_eq!(id(&workspace), role);
    workspace.plan().assert_empty();
    workspace.run(&["taint", "redshift_user.tool"]).succeeded();
    workspace.apply();
    assert_eq!(tool(&warehouse, "SELECT * FROM sales.orders"), Ok(()));
    workspace.plan().assert_empty();
}

/// Without a reference the order is not Terraform's to know, so the apply says what comes of it.
#[test]
fn a_replaced_user_that_nobody_refers_to_is_warned_about() {
    let warehouse = warehouse();
    let workspace = Workspace::on(&warehouse);
    workspace.write(&source());
    workspace.apply();
    workspace.write(&source().replace("redshift_user.tool.name", "\"tool\""));
    let replace =
        ["apply", "-replace=redshift_user.tool", "-parallelism=1", "-auto-approve", "-input=false", "-no-color"];
    let text = workspace.run(&replace).succeeded().text();
    let kept = tool(&warehouse, "SELECT * FROM sales.orders").is_ok();
    assert!(kept || text.contains("was dropped with the roles of datastores"), "{text}");
    workspace.apply();
    assert_eq!(tool(&warehouse, "SELECT * FROM sales.orders"), Ok(()));
}

/// "Exactly its rights" holds for every kind of right that somebody may give the datastore's own role by hand.
#[test]
fn whatever_the_role_is_given_by_hand_shows_and_is_taken_back() {
    let warehouse = warehouse();
    for statement in [
        "CREATE USER stranger PASSWORD DISABLE",
        "CREATE SCHEMA other",
        "CREATE TABLE other.t (a integer, b integer)",
        "CREATE FUNCTION other.f(integer) RETURNS integer IMMUTABLE AS $$ SELECT $1 $$ LANGUAGE SQL",
        "CREATE PROCEDURE other.p() AS $$ BEGIN NULL; END $$ LANGUAGE plpgsql",
    ] {
        warehouse.sql("dev", statement);
    }
    let workspace = Workspace::on(&warehouse);
    workspace.write(&source());
    workspace.apply();
    let before = warehouse.dump("dev");
    let role = workspace.values("redshift_datastore.sales")["grant_role"].as_str().expect("a role").to_owned();
    let given = [
        ("GRANT SELECT (a) ON TABLE other.t TO ROLE {}", "SELECT on column a of table other.t"),
        ("GRANT EXECUTE ON FUNCTION other.f(integer) TO ROLE {}", "EXECUTE on routine other.f"),
        ("GRANT EXECUTE ON PROCEDURE other.p() TO ROLE {}", "EXECUTE on routine other.p"),
        ("GRANT USAGE ON LANGUAGE plpgsql TO ROLE {}", "USAGE on language plpgsql"),
        ("GRANT CREATE ON DATABASE dev TO ROLE {}", "CREATE on database dev"),
        ("GRANT DELETE ON TABLE other.t TO ROLE {}", "DELETE on 1 table of schema other (t)"),
        ("GRANT DELETE ON TABLE sales.orders TO ROLE {}", "DELETE on 1 table of schema sales (orders)"),
        ("GRANT CREATE ON SCHEMA sales TO ROLE {}", "CREATE on schema sales"),
        (
            "GRANT SELECT FOR TABLES IN SCHEMA other DATABASE dev TO ROLE {}",
            "SELECT for tables in schema other, present and future",
        ),
        ("GRANT CREATE USER TO ROLE {}", "system permission CREATE USER"),
        ("GRANT ROLE {} TO stranger", "role {} for user stranger"),
    ];
    for (statement, line) in sampled(given, 4) {
        warehouse.sql("dev", &statement.replace("{}", &role));
        let plan = workspace.plan();
        assert_eq!(plan.changes(), update("redshift_datastore.sales"), "{statement}");
        let surplus = plan.change("redshift_datastore.sales")["before"]["surplus"].clone();
        let line = line.replace("{}", &role);
        let lines: Vec<_> = surplus.as_array().into_iter().flatten().filter_map(Value::as_str).collect();
        let seen = lines.iter().any(|seen| seen.to_lowercase() == line.to_lowercase());
        assert!(seen && lines.len() == 1, "{statement}: {lines:?}, and not {line}");
        workspace.apply();
        workspace.plan().assert_empty();
        // How the stand-in notes a role's permissions and members is no right.
        if statement.contains(" ON ") {
            assert_eq!(warehouse.dump("dev"), before, "{statement}");
        }
    }
    // What it holds in another database can be revoked there only, and stops nothing here.
    warehouse.sql("sample", &format!("GRANT SELECT FOR TABLES IN DATABASE sample TO ROLE {role}"));
    workspace.plan().assert_empty();
    warehouse.sql("sample", &format!("REVOKE SELECT FOR TABLES IN DATABASE sample FROM ROLE {role}"));
    // All of it at once, and a destroy takes the role with it.
    warehouse.sql("dev", &format!("GRANT SELECT (a) ON TABLE other.t TO ROLE {role}"));
    warehouse.sql("dev", &format!("GRANT CREATE ON DATABASE dev TO ROLE {role}"));
    warehouse.sql("dev", &format!("GRANT EXECUTE ON FUNCTION other.f(integer) TO ROLE {role}"));
    workspace.destroy();
    let roles = warehouse.sql("dev", "SELECT role_name FROM svv_roles WHERE role_name LIKE 'tfds%'");
    assert_eq!(roles, Vec::<Vec<Option<String>>>::new());
}
