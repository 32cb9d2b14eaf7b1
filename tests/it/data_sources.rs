//! `redshift_schemas` and `redshift_catalog`.

use serde_json::json;

use crate::support::{Warehouse, Workspace};

/// Proves: F12
#[test]
fn schemas_and_tables_can_be_looked_up() {
    let warehouse = Warehouse::start();
    for statement in [
        "CREATE USER loader PASSWORD 'Loader-secret-1'",
        "CREATE SCHEMA mart_a AUTHORIZATION loader",
        "CREATE SCHEMA mart_b",
        "CREATE SCHEMA other",
        "CREATE TABLE mart_a.orders (id integer NOT NULL, note varchar(40))",
        "CREATE TABLE mart_a.customers (id integer)",
        "CREATE VIEW mart_a.recent AS SELECT id FROM mart_a.orders",
    ] {
        warehouse.sql("dev", statement);
    }
    let workspace = Workspace::on(&warehouse);
    workspace.write(
        r#"
provider "redshift" {}
data "redshift_schemas" "marts" {
  database = "dev"
  like     = "mart\\_%"
}
data "redshift_catalog" "a" {
  database = "dev"
  schema   = "mart_a"
  datasets = ["ord*", "rec*"]
}
output "names" {
  value = data.redshift_schemas.marts.names
}
output "schemas" {
  value = data.redshift_schemas.marts.schemas
}
output "tables" {
  value = data.redshift_catalog.a.tables
}
"#,
    );
    workspace.apply();
    assert_eq!(workspace.output("names"), json!(["mart_a", "mart_b"]));
    assert_eq!(workspace.output("schemas")[0], json!({ "name": "mart_a", "owner": "loader", "type": "local" }));
    let tables = workspace.output("tables");
    let names: Vec<_> = tables.as_array().into_iter().flatten().map(|table| table["name"].clone()).collect();
    assert_eq!(names, [json!("orders"), json!("recent")]);
    assert_eq!(
        tables[0]["columns"],
        json!([
            { "name": "id", "data_type": "integer", "nullable": false },
            { "name": "note", "data_type": "character varying(40)", "nullable": true },
        ])
    );
    workspace.plan().assert_empty();
}

#[test]
fn system_schemas_are_left_out() {
    let warehouse = Warehouse::start();
    let workspace = Workspace::on(&warehouse);
    workspace.write("provider \"redshift\" {}\ndata \"redshift_schemas\" \"all\" {\n  database = \"dev\"\n}\noutput \"names\" {\n  value = data.redshift_schemas.all.names\n}\n");
    workspace.apply();
    let names = workspace.output("names").to_string();
    for system in ["pg_", "information_schema"] {
        assert!(!names.contains(system), "{names}");
    }
    assert!(names.contains("public"), "{names}");
}

/// A data source cannot wait for what is not known yet.
#[test]
fn an_unknown_provider_says_to_add_depends_on() {
    let workspace = Workspace::new();
    workspace.write(
        r#"
resource "terraform_data" "host" {
  input = "h"
}
provider "redshift" {
  host     = terraform_data.host.output
  username = "u"
  password = "Secret-word-1"
}
data "redshift_schemas" "all" {
  database = "dev"
}
"#,
    );
    let plan = workspace.try_plan();
    assert_eq!(plan.outcome.code, 1);
    assert!(plan.outcome.text().contains("depends_on"), "{}", plan.outcome.text());
}

/// Proves: M2
#[test]
fn resources_wait_for_an_unknown_provider_and_modules_and_aliases_work() {
    let warehouse = Warehouse::start();
    warehouse.sql("dev", "CREATE SCHEMA sales");
    let workspace = Workspace::on(&warehouse);
    std::fs::create_dir(workspace.path().join("tool")).expect("a folder");
    workspace.file(
        "tool/main.tf",
        r#"
terraform {
  required_providers {
    redshift = {
      source                = "terraform-redshift/redshift"
      configuration_aliases = [redshift.there]
    }
  }
}
resource "redshift_user" "tool" {
  provider = redshift.there
  name     = "tool"
}
resource "redshift_datastore" "sales" {
  provider = redshift.there
  name     = "Sales"
  database = "dev"
  schema   = "sales"
  service_user {
    name          = redshift_user.tool.name
    future_tables = "none"
  }
}
output "endpoint" {
  value = redshift_datastore.sales.endpoint
}
"#,
    );
    workspace.write(&format!(
        r#"
resource "terraform_data" "host" {{
  input = "{}"
}}
provider "redshift" {{
  alias = "late"
  host  = terraform_data.host.output
}}
module "tool" {{
  source = "./tool"
  providers = {{
    redshift.there = redshift.late
  }}
}}
output "endpoint" {{
  value = module.tool.endpoint
}}
"#,
        warehouse.host()
    ));
    workspace.run(&["get"]).succeeded();
    workspace.apply();
    assert_eq!(workspace.output("endpoint"), json!(format!("{}:{}", warehouse.host(), warehouse.port())));
    workspace.plan().assert_empty();
    workspace.destroy();
}
