//! Logins that are no superusers by name: by the role sys:superuser, as IAM identities are admins as a rule.

use serde_json::json;

use crate::integration::{ACTS, USER, integration};
use crate::support::{Warehouse, Workspace};

const PASSWORD: &str = "Admin-secret-1";

/// A user who holds sys:superuser through a role of his team's, and is no usesuper.
fn admin(warehouse: &Warehouse, name: &str) -> Workspace {
    for sql in [
        &format!("CREATE USER {name} PASSWORD '{PASSWORD}'"),
        "CREATE ROLE platform",
        "GRANT ROLE \"sys:superuser\" TO ROLE platform",
        &format!("GRANT ROLE platform TO {name}"),
    ] {
        warehouse.sql("dev", sql);
    }
    let mut workspace = Workspace::on(warehouse);
    workspace.env("REDSHIFT_USER", name).env("REDSHIFT_PASSWORD", PASSWORD);
    workspace
}

#[test]
fn a_login_that_holds_sys_superuser_makes_every_type() {
    let warehouse = Warehouse::start();
    let workspace = admin(&warehouse, "ann");
    let before = warehouse.dump_all();
    let others = r#"
        resource "redshift_user" "tool" { name = "tool" }
        resource "redshift_datastore" "source" {
          name     = "source"
          database = "dev"
          schema   = "finance"
          service_user { name = redshift_user.tool.name }
        }
    "#;
    workspace.write(&format!("{}{others}", integration(&format!("{USER}{ACTS}  marker_owner = \"awsuser\"\n"))));
    workspace.apply();
    for address in ["redshift_integration.i", "redshift_datastore.source"] {
        assert_eq!(workspace.values(address)["missing"], json!([]), "{address}");
    }
    let tests = workspace.values("redshift_integration.i")["validation_results"]["tests"].to_string();
    assert!(tests.contains("sys:superuser"), "{tests}");
    assert!(warehouse.statements().iter().all(|sql| !sql.contains("SESSION AUTHORIZATION")), "it is for usesuper");
    workspace.plan().assert_empty();
    workspace.destroy();
    assert_eq!(warehouse.dump_all(), before);
}
