//! `make testacc`: the same life on a real warehouse, the one that REDSHIFT_* names. It costs a warehouse that is awake.
//!
//! It makes a user and grants it rights on one schema, `REDSHIFT_TEST_SCHEMA` (default `public`) of the database
//! `REDSHIFT_DATABASE`, and removes both again. The login needs the right to do so.

use std::env;

use serde_json::json;

use crate::support::Workspace;

#[test]
#[ignore = "needs a warehouse: make testacc"]
fn a_user_and_a_datastore_live_and_leave_nothing() {
    let mut workspace = Workspace::new();
    for (name, value) in env::vars().filter(|(name, _)| name.starts_with("REDSHIFT_")) {
        workspace.env(&name, &value);
    }
    let setting = |name: &str, default: &str| env::var(name).unwrap_or_else(|_| default.to_owned());
    let (database, schema) = (setting("REDSHIFT_DATABASE", "dev"), setting("REDSHIFT_TEST_SCHEMA", "public"));
    let user = format!("tf_acceptance_{}", std::process::id());
    workspace.env("TF_VAR_database", &database).env("TF_VAR_schema", &schema).env("TF_VAR_user", &user);
    workspace.write(
        r#"
        variable "database" {}
        variable "schema" {}
        variable "user" {}
        resource "redshift_connection" "here" { name = "acceptance" }
        resource "redshift_user" "tool" { name = var.user }
        resource "redshift_datastore" "source" {
          name          = "acceptance"
          connection_id = redshift_connection.here.id
          database      = var.database
          schema        = var.schema
          service_user {
            name          = redshift_user.tool.name
            grant_through = "direct"
            future_tables = "none"
          }
        }
        data "redshift_schemas" "all" {
          database   = var.database
          depends_on = [redshift_datastore.source]
        }
        output "schemas" { value = data.redshift_schemas.all.names }
        "#,
    );
    let applied = workspace.try_apply();
    let missing =
        if applied.code == 0 { workspace.values("redshift_datastore.source")["missing"].clone() } else { json!(null) };
    let second = workspace.try_plan();
    let schemas = if applied.code == 0 { workspace.output("schemas") } else { json!([]) };
    // Before the first assertion that can fail: nothing may stay behind in a warehouse that somebody uses.
    let destroyed = workspace.try_destroy();
    applied.succeeded();
    assert_eq!(missing, json!([]));
    second.assert_empty();
    assert!(schemas.as_array().is_some_and(|names| names.contains(&json!(schema))), "{schemas}");
    destroyed.succeeded();
    assert_eq!(workspace.addresses(), Vec::<String>::new());
}
