//! `make testacc`: the life of every type on a real warehouse, the one that `REDSHIFT_*` names. It costs a warehouse that is
//! awake. The same code runs on the stand-in with every change, so that it is known to work.
//!
//! It makes a user and a schema of its own, lets the user read one schema, `REDSHIFT_TEST_SCHEMA` (`public` unless said
//! otherwise) of the database `REDSHIFT_DATABASE`, and makes an integration in a database of its own, where views on the
//! tables of that schema show nothing but NULL. All of it is taken away again, also after a step that failed. The login
//! needs the right to do so; `REDSHIFT_TEST_INTEGRATION=no` leaves the integration out.

use std::env;

use redshift_standin::{StandinOptions, Switch, WarehouseKind};
use serde_json::json;

use crate::support::{Warehouse, Workspace};

const TYPES: &str = r#"
variable "database" {}
variable "schema" {}
variable "user" {}
variable "limit" { default = 5 }
resource "redshift_connection" "here" { name = "acceptance" }
resource "redshift_user" "tool" {
  name                = var.user
  password_wo         = "Acceptance-1"
  password_wo_version = var.limit
  connection_limit    = var.limit
  valid_until         = "2037-12-31T00:00:00Z"
}
resource "redshift_schema" "own" {
  connection_id = redshift_connection.here.id
  database      = var.database
  name          = "${var.user}_schema"
  quota         = "${var.limit} GB"
}
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
data "redshift_connection_test" "here" {}
output "schemas" { value = data.redshift_schemas.all.names }
"#;

const INTEGRATION: &str = r#"
variable "prefix" {}
resource "redshift_integration" "own" {
  auto_bootstrap = true
  database       = "${var.prefix}_governed"
  prefix         = var.prefix
  system_user {
    name                = "${var.prefix}_system_user"
    password_wo         = "Acceptance-2"
    password_wo_version = 1
  }
  impersonation {
    enabled = true
    type    = "role"
  }
}
resource "redshift_user_profiles" "own" {
  name            = "acceptance"
  integration_uri = redshift_integration.own.uri
  users           = { (redshift_user.tool.name) = { groups = ["limit ${var.limit}"] } }
}
data "redshift_data_policy" "own" {
  name = "acceptance"
  mask {
    columns = ["*"]
    using   = "null"
    only_for { groups = ["limit ${var.limit}"] }
  }
}
data "redshift_policy_simulation" "own" {
  policy  = data.redshift_data_policy.own.json
  table   = "any"
  columns = { id = "integer" }
  lifecycle {
    postcondition {
      condition     = self.seen["id"].shown == "null"
      error_message = "Who has no profile sees more than NULL."
    }
  }
}
resource "redshift_protected_tables" "own" {
  name            = "acceptance"
  integration_uri = redshift_integration.own.uri
  source {
    database      = var.database
    schema        = var.schema
    future_tables = "none"
  }
  view_schema = "offered"
  policies    = [data.redshift_data_policy.own.json]
  readers { users = [redshift_user.tool.name] }
}
"#;

/// A life that is ended whatever happens: nothing may stay behind in a warehouse that somebody uses.
struct Life {
    workspace: Workspace,
    has_integration: bool,
}

impl Life {
    fn of(mut workspace: Workspace, database: &str, schema: &str, has_integration: bool) -> Life {
        let own = format!("tfacc{}", std::process::id());
        let variables =
            [("database", database), ("schema", schema), ("user", &format!("{own}_tool")), ("prefix", &own)];
        for (name, value) in variables {
            workspace.env(&format!("TF_VAR_{name}"), value);
        }
        workspace.write(&format!("{TYPES}{}", if has_integration { INTEGRATION } else { "" }));
        Life { workspace, has_integration }
    }

    /// Made, planned again, changed, and destroyed.
    fn live(mut self, schema: &str) {
        let mut resources = vec!["redshift_datastore.source"];
        if self.has_integration {
            resources.extend([
                "redshift_integration.own",
                "redshift_user_profiles.own",
                "redshift_protected_tables.own",
            ]);
        }
        for limit in ["5", "6"] {
            self.workspace.env("TF_VAR_limit", limit);
            self.workspace.apply();
            for address in &resources {
                assert_eq!(self.workspace.values(address)["missing"], json!([]), "{address}");
            }
            self.workspace.plan().assert_empty();
        }
        let schemas = self.workspace.output("schemas");
        assert!(schemas.as_array().is_some_and(|names| names.contains(&json!(schema))), "{schemas}");
        self.workspace.destroy();
        assert_eq!(self.workspace.addresses(), Vec::<String>::new());
    }
}

impl Drop for Life {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let ended = self.workspace.try_destroy();
            eprintln!("the life was ended after a step that failed: {}", ended.text());
        }
    }
}

#[test]
#[ignore = "needs a warehouse: make testacc"]
fn every_type_lives_on_a_real_warehouse_and_leaves_nothing() {
    let mut workspace = Workspace::new();
    for (name, value) in env::vars().filter(|(name, _)| name.starts_with("REDSHIFT_") || name.starts_with("AWS_")) {
        workspace.env(&name, &value);
    }
    let setting = |name: &str, default: &str| env::var(name).unwrap_or_else(|_| default.to_owned());
    let (database, schema) = (setting("REDSHIFT_DATABASE", "dev"), setting("REDSHIFT_TEST_SCHEMA", "public"));
    let has_integration = setting("REDSHIFT_TEST_INTEGRATION", "yes") != "no";
    Life::of(workspace, &database, &schema, has_integration).live(&schema);
}

/// As a workgroup, and where all is the other way that nobody knows of Redshift; in the campaign as each kind.
#[test]
fn campaign_every_type_lives_on_each_kind_of_stand_in() {
    let of_kind = |kind| StandinOptions { kind, ..StandinOptions::default() };
    // A superuser makes what the system user owns as that user, in the transaction in which he is made.
    let switches = Switch::ALL.into_iter().filter(|switch| *switch != Switch::NoNewAuthorization).collect();
    let mut all = vec![of_kind(WarehouseKind::Serverless), StandinOptions { switches, ..StandinOptions::default() }];
    if env::var_os("CAMPAIGN").is_some() {
        all.extend([of_kind(WarehouseKind::MultiAz), of_kind(WarehouseKind::Provisioned)]);
    }
    for options in all {
        let warehouse = Warehouse::with(options);
        let before = warehouse.dump_all();
        Life::of(Workspace::on(&warehouse), "dev", "finance", true).live("finance");
        assert_eq!(warehouse.dump_all(), before);
    }
}

/// Nothing stays behind after a step that failed.
#[test]
fn a_life_that_fails_is_ended_too() {
    let warehouse = Warehouse::start();
    let before = warehouse.dump_all();
    let life = Life::of(Workspace::on(&warehouse), "dev", "finance", false);
    let failed = std::panic::catch_unwind(std::panic::AssertUnwindSafe(move || life.live("no schema of this name")));
    assert!(failed.is_err());
    assert_eq!(warehouse.dump_all(), before);
}
