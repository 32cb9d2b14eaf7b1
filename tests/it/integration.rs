//! `redshift_integration`: its whole life, automatic and by hand.

use serde_json::json;

use crate::support::{Warehouse, Workspace};

pub(crate) fn integration(lines: &str) -> String {
    format!(
        "provider \"redshift\" {{}}\nresource \"redshift_integration\" \"i\" {{\n  auto_bootstrap = true\n  database       = \"governed\"\n{lines}\n}}\n"
    )
}

pub(crate) const USER: &str =
    "  system_user {\n    password_wo         = \"System-secret-1\"\n    password_wo_version = 1\n  }\n";

pub(crate) const ACTS: &str = "  impersonation {\n    enabled = true\n  }\n";

/// Proves: I22, I30, I31, I36, I59
#[test]
fn an_automatic_life_leaves_the_warehouse_as_it_was() {
    let warehouse = Warehouse::start();
    let workspace = Workspace::on(&warehouse);
    let before = warehouse.dump_all();
    workspace.write(&integration(&format!("{USER}{ACTS}")));
    workspace.apply();
    let values = workspace.values("redshift_integration.i");
    assert_eq!(values["status"], json!("enabled"), "{values:#}");
    assert_eq!(values["missing"], json!([]));
    assert!(values["id"].as_str().is_some_and(|id| !id.is_empty()), "{values:#}");
    assert_eq!(values["validation_results"]["status"], json!("passed"));
    assert!(values["validation_results"]["tests"].as_array().is_some_and(|tests| !tests.is_empty()), "{values:#}");
    workspace.plan().assert_empty();
    // The warehouse prints the view without its schema for whoever has that in his search_path.
    warehouse.sql("dev", "ALTER USER awsuser SET search_path TO immuta_system, public");
    workspace.plan().assert_empty();
    assert!(warehouse.sql_as("immuta_system_user", "System-secret-1", "governed", "SELECT 1").is_ok());
    workspace.destroy();
    assert_eq!(warehouse.dump_all(), before);
}
