//! `redshift_integration` when something fails, through the front door. (A fault at every step: engine/bootstrap/life_tests.)

use redshift_standin::{Action, Fault};
use serde_json::json;

use crate::integration::{ACTS, USER, integration};
use crate::support::{Warehouse, Workspace};

/// Proves: I64
#[test]
fn a_create_that_fails_is_undone_or_tainted() {
    let warehouse = Warehouse::start();
    let workspace = Workspace::on(&warehouse);
    let before = warehouse.dump_all();
    workspace.write(&integration(&format!("{USER}{ACTS}")));
    warehouse.fault(Fault::error("CREATE OR REPLACE PROCEDURE", "42601", "syntax error near here"));
    let failure = workspace.try_apply().failed().text();
    assert!(failure.contains("syntax error near here") && failure.contains("42601"), "{failure}");
    assert_eq!(workspace.addresses(), [] as [&str; 0], "everything was undone");
    assert_eq!(warehouse.dump_all(), before);

    // Nor can it be undone: what is left is in state, and the next apply replaces it.
    warehouse.fault(Fault::error("CREATE OR REPLACE PROCEDURE", "42601", "syntax error near here"));
    warehouse.fault(Fault::error("DROP DATABASE", "42501", "permission denied").times(9));
    workspace.try_apply().failed();
    warehouse.clear_faults();
    assert_eq!(workspace.values("redshift_integration.i")["status"], json!("createError"));
    let plan = workspace.plan();
    assert_eq!(plan.changes()["redshift_integration.i"], ["delete", "create"]);
    workspace.apply();
    assert_eq!(workspace.values("redshift_integration.i")["status"], json!("enabled"));
    workspace.plan().assert_empty();
    workspace.destroy();
    assert_eq!(warehouse.dump_all(), before);
}

/// Proves: I31
#[test]
fn what_a_killed_apply_left_is_adopted() {
    let warehouse = Warehouse::start();
    let workspace = Workspace::on(&warehouse);
    let before = warehouse.dump_all();
    workspace.write(&integration(&format!("{USER}{ACTS}")));
    warehouse.fault(Fault::statement("CREATE GROUP", Action::Stall));
    let running = workspace.start(&["apply", "-auto-approve", "-input=false", "-no-color"]);
    warehouse.wait_for_stalled(true);
    running.kill();
    warehouse.wait_for_stalled(false);
    warehouse.clear_faults();
    // Terraform's own state file is empty, and still locked: a person removes both.
    for left in ["terraform.tfstate", ".terraform.tfstate.lock.info"] {
        std::fs::remove_file(workspace.path().join(left)).ok();
    }
    let marker = warehouse.sql("governed", "SELECT id, status FROM immuta_system.integration");
    assert_eq!(marker[0][1].as_deref(), Some("creating"));
    workspace.apply();
    let values = workspace.values("redshift_integration.i");
    assert_eq!((&values["status"], values["id"].as_str()), (&json!("enabled"), marker[0][0].as_deref()));
    workspace.plan().assert_empty();
    workspace.destroy();
    assert_eq!(warehouse.dump_all(), before);
}

/// Proves: I55
#[test]
fn an_update_that_fails_shows_in_the_next_plan_and_keeps_its_flags() {
    let warehouse = Warehouse::start();
    let workspace = Workspace::on(&warehouse);
    let before = warehouse.dump_all();
    workspace.write(&integration(USER));
    workspace.apply();
    warehouse.fault(Fault::error("CREATE GROUP", "42501", "permission denied"));
    workspace.write(&integration(&format!("{USER}{ACTS}  force_destroy = true\n")));
    workspace.try_apply().failed();
    warehouse.clear_faults();
    let values = workspace.values("redshift_integration.i");
    assert_eq!((&values["force_destroy"], &values["status"]), (&json!(true), &json!("editError")));
    assert_eq!(values["impersonation"], json!(null), "what was not done is not in state");
    // Also where the configuration goes back to what it was.
    workspace.write(&integration(&format!("{USER}  force_destroy = true\n")));
    assert_eq!(workspace.plan().changes()["redshift_integration.i"], ["update"]);
    workspace.write(&integration(&format!("{USER}{ACTS}  force_destroy = true\n")));
    workspace.apply();
    workspace.plan().assert_empty();
    assert_eq!(workspace.values("redshift_integration.i")["status"], json!("enabled"));
    workspace.destroy();
    assert_eq!(warehouse.dump_all(), before);
}

/// Proves: I63
#[test]
fn a_destroy_that_fails_keeps_the_state_and_is_finished_by_the_next() {
    let warehouse = Warehouse::start();
    let workspace = Workspace::on(&warehouse);
    let before = warehouse.dump_all();
    workspace.write(&integration(&format!("{USER}{ACTS}")));
    workspace.apply();
    // In `dev` and `sample` it is tried and rolled back first.
    warehouse.fault(Fault::error("DROP USER", "42501", "permission denied").occurrence(3));
    workspace.try_destroy().failed();
    warehouse.clear_faults();
    assert_eq!(workspace.values("redshift_integration.i")["status"], json!("deleteError"));
    let marker = warehouse.sql("governed", "SELECT status, message FROM immuta_system.integration");
    assert_eq!(marker[0][0].as_deref(), Some("deleteError"));
    assert!(marker[0][1].as_deref().is_some_and(|message| message.contains("permission denied")));
    workspace.destroy();
    assert_eq!(warehouse.dump_all(), before);
}
