//! Ctrl-C.

use crate::support::{Warehouse, Workspace};

/// What was finished is in state, what was cancelled is rolled back and is not; the next apply finishes the rest.
#[test]
fn an_interrupted_apply_of_twenty_datastores_loses_nothing() {
    let warehouse = Warehouse::start();
    warehouse.sql("dev", "CREATE USER tool PASSWORD DISABLE");
    for number in 0..20 {
        warehouse.sql("dev", &format!("CREATE SCHEMA mart_{number}"));
    }
    let clean = warehouse.dump("dev");
    let workspace = Workspace::on(&warehouse);
    workspace.write(
        r#"
provider "redshift" {}
resource "redshift_datastore" "mart" {
  count    = 20
  name     = "Mart ${count.index}"
  database = "dev"
  schema   = "mart_${count.index}"
  service_user {
    name          = "tool"
    future_tables = "none"
  }
}
"#,
    );
    warehouse.latency_ms(40);
    let running = workspace.start(&["apply", "-auto-approve", "-input=false", "-no-color"]);
    warehouse.wait_for_statement("COMMIT", 3);
    running.interrupt();
    let outcome = running.wait();
    warehouse.latency_ms(0);
    assert_eq!(outcome.code, 1, "{}", outcome.stdout);
    let finished = workspace.addresses();
    assert!(!finished.is_empty() && finished.len() < 20, "{} finished\n{}", finished.len(), outcome.text());
    assert!(!outcome.text().contains("crashed"), "{}", outcome.text());
    let roles = warehouse.sql("dev", "SELECT role_name FROM svv_roles WHERE role_name LIKE 'tfds%'");
    assert_eq!(roles.len(), finished.len(), "what is not in state was rolled back");
    assert!(workspace.state()["resources"].to_string().find("\"status\":\"tainted\"").is_none(), "nothing is tainted");

    workspace.apply();
    assert_eq!(workspace.addresses().len(), 20);
    workspace.plan().assert_empty();
    workspace.destroy();
    assert_eq!(warehouse.dump("dev"), clean);
}
