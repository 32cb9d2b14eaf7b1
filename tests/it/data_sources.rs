//! `redshift_schemas`, `redshift_users` and `redshift_catalog`.

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

/// Several patterns, and names that are left out.
#[test]
fn schemas_are_chosen_by_several_patterns() {
    let warehouse = Warehouse::start();
    for schema in ["mart_a", "mart_b", "mart_tmp", "raw_a", "other"] {
        warehouse.sql("dev", &format!("CREATE SCHEMA {schema}"));
    }
    let workspace = Workspace::on(&warehouse);
    let choose = |patterns: &str| {
        workspace.write(&format!(
            "provider \"redshift\" {{}}\ndata \"redshift_schemas\" \"s\" {{\n  database = \"dev\"\n  {patterns}\n}}\noutput \"names\" {{\n  value = data.redshift_schemas.s.names\n}}\n"
        ));
        workspace.apply();
        workspace.output("names")
    };
    let chosen = choose("like_any = [\"mart%\", \"raw%\"]\n  not_like = [\"%tmp\", \"%\\\\_b\"]");
    assert_eq!(chosen, json!(["mart_a", "raw_a"]));
    assert_eq!(choose("like_any = []"), json!([]));
    let names = choose("like = \"mart%\"\n  not_like = [\"mart_a\"]");
    assert_eq!(names, json!(["mart_b", "mart_tmp"]));
}

const PASSWORD: &str = "Planter-secret-1";

/// Proves: Q40
#[test]
fn datastores_are_listed_and_imported_by_what_is_listed() {
    let warehouse = Warehouse::start();
    for statement in [
        "CREATE SCHEMA sales",
        "CREATE TABLE sales.orders (id integer)",
        "CREATE SCHEMA findings",
        "CREATE USER tool PASSWORD DISABLE",
        &format!("CREATE USER planter PASSWORD '{PASSWORD}'"),
    ] {
        warehouse.sql("dev", statement);
    }
    let workspace = Workspace::on(&warehouse);
    let store = |name: &str, schema: &str, writes: bool| {
        format!(
            "resource \"redshift_datastore\" \"{name}\" {{\n  name            = \"{name}\"\n  database        = \"dev\"\n  schema          = \"{schema}\"\n  enrichment_only = {writes}\n  service_user {{\n    name = \"tool\"\n  }}\n}}\n"
        )
    };
    let both = format!("{}{}", store("source", "sales", false), store("findings", "findings", true));
    workspace.write(&format!("provider \"redshift\" {{}}\n{both}"));
    workspace.apply();
    // Of that shape, but not ours.
    for statement in ["CREATE ROLE maker", "GRANT CREATE ROLE TO ROLE maker", "GRANT ROLE maker TO planter"] {
        warehouse.sql("dev", statement);
    }
    warehouse.sql_as("planter", PASSWORD, "dev", "CREATE ROLE tfds_0123456789").expect("may make roles");
    warehouse.sql("dev", "GRANT USAGE ON SCHEMA sales TO ROLE tfds_0123456789");
    let lookup = "data \"redshift_datastores\" \"all\" {\n  database = \"dev\"\n}\noutput \"all\" {\n  value = data.redshift_datastores.all.datastores\n}\n";
    workspace.write(&format!("provider \"redshift\" {{}}\n{both}{lookup}"));
    workspace.apply();
    let all = workspace.output("all");
    let all = all.as_array().expect("is a list");
    let seen: Vec<_> = all.iter().map(|one| (&one["schema"], &one["enrichment_only"], &one["service_user"])).collect();
    let (tool, sales) = (json!("tool"), json!("sales"));
    assert_eq!(seen.len(), 3, "{all:?}");
    assert!(
        seen.contains(&(&json!("findings"), &json!(true), &tool)) && seen.contains(&(&sales, &json!(false), &tool))
    );
    let planted = all.iter().find(|one| one["grant_role"] == "tfds_0123456789").expect("is listed");
    assert_eq!((&planted["id"], &planted["grant_role_owner"]), (&json!(null), &json!("planter")));

    // Each id leads back to the same datastore.
    let again = Workspace::on(&warehouse);
    again.write(&format!("provider \"redshift\" {{}}\n{both}"));
    for (name, schema) in [("source", "sales"), ("findings", "findings")] {
        let found = all.iter().find(|one| one["schema"] == schema && !one["id"].is_null()).expect("has an id");
        let imported = again.import(&format!("redshift_datastore.{name}"), found["id"].as_str().expect("a text"));
        assert_eq!(imported.code, 0, "{}", imported.text());
        assert_eq!(again.values(&format!("redshift_datastore.{name}"))["grant_role"], found["grant_role"]);
    }
    let before = warehouse.dump_all();
    again.apply();
    again.plan().assert_empty();
    assert_eq!(warehouse.dump_all(), before, "an import changes nothing");
}

#[test]
fn users_are_listed_with_their_groups() {
    let warehouse = Warehouse::start();
    for statement in [
        "CREATE USER tool_a PASSWORD DISABLE CREATEDB",
        "CREATE USER \"Tool B\" PASSWORD 'Tool-secret-1' CREATEUSER",
        "CREATE USER tool_old PASSWORD DISABLE",
        "CREATE GROUP readers WITH USER tool_a",
        "CREATE GROUP writers WITH USER tool_a, tool_old",
    ] {
        warehouse.sql("dev", statement);
    }
    let workspace = Workspace::on(&warehouse);
    workspace.write(
        "provider \"redshift\" {}\ndata \"redshift_users\" \"tools\" {\n  like_any = [\"tool%\", \"Tool%\"]\n  not_like = [\"%_old\", \"tool_user\"]\n}\ndata \"redshift_users\" \"all\" {}\noutput \"tools\" {\n  value = data.redshift_users.tools.users\n}\noutput \"all\" {\n  value = data.redshift_users.all.names\n}\n",
    );
    workspace.apply();
    let tool = |name: &str, superuser: bool, createdb: bool, groups: &[&str]| json!({ "name": name, "superuser": superuser, "create_database": createdb, "groups": groups });
    assert_eq!(
        workspace.output("tools"),
        json!([tool("Tool B", true, false, &[]), tool("tool_a", false, true, &["readers", "writers"])])
    );
    let all = workspace.output("all").to_string();
    assert!(all.contains("tool_old") && all.contains(warehouse.superuser()) && !all.contains("rdsdb"), "{all}");
    workspace.plan().assert_empty();
}
