//! A process that is killed between COMMIT and its answer, and objects that take each other's place.

use redshift_standin::{Action, Fault};
use serde_json::json;

use super::datastore::warehouse;
use crate::campaign::sampled;
use crate::support::{Warehouse, Workspace};

/// A datastore on `sales` for a user, group or role.
fn datastore(address: &str, service_user: &str, more: &str) -> String {
    format!(
        "resource \"redshift_datastore\" \"{address}\" {{\n  name = \"{address}\"\n  database = \"dev\"\n  schema = \"sales\"\n  \
         service_user {{\n    {service_user}\n  }}\n  {more}\n}}\n"
    )
}

const PROVIDER: &str = "provider \"redshift\" {}\n";

/// By a role, directly, and to a group.
const WAYS: [&str; 3] =
    ["name = \"svc\"", "name = \"svc\"\n    grant_through = \"direct\"", "name = \"readers\"\n    type = \"group\""];

/// `svc` is a user and member of the group `readers`.
fn prepared() -> Warehouse {
    let warehouse = warehouse();
    warehouse.sql("dev", "CREATE USER svc PASSWORD 'Service1pass'");
    warehouse.sql("dev", "CREATE GROUP readers WITH USER svc");
    warehouse
}

fn reads(warehouse: &Warehouse) -> bool {
    warehouse.sql_as("svc", "Service1pass", "dev", "SELECT id FROM sales.orders").is_ok()
}

/// Kills Terraform and the provider after a COMMIT took effect.
fn kill_after_commit(warehouse: &Warehouse, workspace: &Workspace, command: &str) {
    warehouse.fault(Fault::statement("COMMIT", Action::StallAfter));
    let running = workspace.start(&[command, "-auto-approve", "-input=false"]);
    warehouse.wait_for_stalled(true);
    running.kill();
    warehouse.clear_faults();
}

#[test]
fn an_apply_killed_after_its_commit_is_made_good_by_one_more() {
    for way in WAYS {
        let warehouse = prepared();
        let before = warehouse.dump("dev");
        let workspace = Workspace::on(&warehouse);
        workspace.write(&format!("{PROVIDER}{}", datastore("d", way, "")));
        // The second kill hits the repair.
        for _ in 0..2 {
            kill_after_commit_or_done(&warehouse, &workspace);
        }
        let told = workspace.apply_problems();
        if way.contains("direct") || way.contains("group") {
            assert!(told.iter().any(|told| told.summary.contains("were there before")), "{way}: {told:#?}");
        } else {
            assert!(told.iter().any(|told| told.summary.contains("is taken over")), "{way}: {told:#?}");
        }
        assert!(reads(&warehouse), "{way}");
        workspace.plan().assert_empty();
        workspace.destroy();
        assert_eq!(warehouse.dump("dev"), before, "{way}");
    }
}

/// A repair that has nothing to send has no COMMIT: then it is killed while it looks.
fn kill_after_commit_or_done(warehouse: &Warehouse, workspace: &Workspace) {
    if reads(warehouse) {
        warehouse.fault(Fault::statement("FROM pg_default_acl", Action::StallAfter));
    } else {
        warehouse.fault(Fault::statement("COMMIT", Action::StallAfter));
    }
    let running = workspace.start(&["apply", "-auto-approve", "-input=false"]);
    warehouse.wait_for_stalled(true);
    running.kill();
    warehouse.clear_faults();
    assert!(reads(warehouse), "it was committed");
}

#[test]
fn an_update_or_destroy_killed_after_its_commit_is_made_good() {
    for way in WAYS {
        let warehouse = prepared();
        let before = warehouse.dump("dev");
        let workspace = Workspace::on(&warehouse);
        workspace.write(&format!("{PROVIDER}{}", datastore("d", way, "")));
        workspace.apply();
        workspace.write(&format!("{PROVIDER}{}", datastore("d", way, "enrichment_only = true")));
        kill_after_commit(&warehouse, &workspace, "apply");
        workspace.apply();
        workspace.plan().assert_empty();
        warehouse.sql_as("svc", "Service1pass", "dev", "DELETE FROM sales.orders").expect("may write");
        kill_after_commit(&warehouse, &workspace, "destroy");
        workspace.destroy();
        assert_eq!(warehouse.dump("dev"), before, "{way}");
    }
}

/// Between COMMIT and the answer lies nothing but the read-back: no catalogue, and no question to the warehouse's facts.
#[test]
fn the_catalogue_is_read_before_anything_is_granted() {
    let warehouse = prepared();
    let workspace = Workspace::on(&warehouse);
    workspace.write(&format!("{PROVIDER}{}", datastore("d", WAYS[1], "trigger_catalog = true")));
    warehouse.reset_counters();
    workspace.apply();
    let sent = warehouse.statements();
    let at =
        |words: &str| sent.iter().position(|sql| sql.contains(words)).unwrap_or_else(|| panic!("{words}: {sent:#?}"));
    assert!(at("pg_attribute") < at("GRANT USAGE"), "{sent:#?}");
    assert!(sent[at("COMMIT")..].iter().all(|sql| !sql.contains("pg_attribute")), "{sent:#?}");
    // One that fails is a warning, and stops no grant.
    workspace.destroy();
    warehouse.fault(Fault::error("pg_attribute", "XX000", "no catalogue today"));
    let told = workspace.apply_problems();
    assert!(told.iter().any(|told| told.text().contains("no catalogue today")), "{told:#?}");
    assert!(reads(&warehouse));
    assert_eq!(workspace.values("redshift_datastore.d")["catalog"], json!(null));
    workspace.plan().assert_empty();
}

/// An object takes the place of another: in whatever order, the grantee keeps its rights.
#[test]
fn who_is_replaced_leaves_what_the_new_one_declares() {
    let lifecycles = ["", "lifecycle {\n    create_before_destroy = true\n  }"];
    let both = WAYS.into_iter().flat_map(|way| lifecycles.map(|lifecycle| (way, lifecycle)));
    for (way, lifecycle) in sampled(both, 2) {
        let warehouse = prepared();
        let before = warehouse.dump("dev");
        let workspace = Workspace::on(&warehouse);
        workspace.write(&format!("{PROVIDER}{}", datastore("d", way, lifecycle)));
        workspace.apply();
        workspace.run(&["apply", "-replace=redshift_datastore.d", "-auto-approve", "-input=false"]).succeeded();
        assert!(reads(&warehouse), "{way} {lifecycle}");
        workspace.plan().assert_empty();
        // Another name without `moved`: first as it comes, then each after the other.
        workspace.write(&format!("{PROVIDER}{}", datastore("e", way, lifecycle)));
        workspace.apply();
        assert!(reads(&warehouse), "{way} {lifecycle}: renamed");
        workspace.plan().assert_empty();
        workspace.destroy();
        assert_eq!(warehouse.dump("dev"), before, "{way} {lifecycle}");
    }
}

/// Terraform takes up what is to be made and what is to be removed as it comes; with one at a time, either way round.
#[test]
fn a_resource_that_is_renamed_keeps_its_rights_in_either_order() {
    for way in sampled(WAYS, 1) {
        let warehouse = prepared();
        let before = warehouse.dump("dev");
        let workspace = Workspace::on(&warehouse);
        for address in ["m", "z", "a", "q"] {
            workspace.write(&format!("{PROVIDER}{}", datastore(address, way, "")));
            workspace.run(&["apply", "-parallelism=1", "-auto-approve", "-input=false"]).succeeded();
            assert!(reads(&warehouse), "{way}: {address}");
            workspace.plan().assert_empty();
        }
        workspace.destroy();
        assert_eq!(warehouse.dump("dev"), before, "{way}");
    }
}

/// A schema or user that somebody renamed by hand keeps nothing.
#[test]
fn renamed_by_hand_nothing_stays_after_destroy() {
    for way in WAYS {
        let warehouse = prepared();
        let workspace = Workspace::on(&warehouse);
        workspace.write(&format!("{PROVIDER}{}", datastore("d", way, "")));
        workspace.apply();
        warehouse.sql("dev", "ALTER SCHEMA sales RENAME TO revenue");
        if way.contains("svc") {
            warehouse.sql("dev", "ALTER USER svc RENAME TO renamed");
            warehouse.sql("dev", "ALTER USER renamed PASSWORD 'Service1pass'");
        }
        workspace.destroy();
        let who = if way.contains("svc") { "renamed" } else { "svc" };
        let refused = warehouse.sql_as(who, "Service1pass", "dev", "SELECT id FROM revenue.orders");
        assert!(refused.expect_err(way).contains("42501"));
        warehouse.sql("dev", "CREATE TABLE revenue.later (id integer)");
        warehouse.sql("dev", "ALTER TABLE revenue.later OWNER TO loader");
        assert!(warehouse.sql_as(who, "Service1pass", "dev", "SELECT id FROM revenue.later").is_err());
    }
}
