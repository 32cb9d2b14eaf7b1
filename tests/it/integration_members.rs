//! `impersonation { members }`: exactly the declared users may act for others.

use serde_json::json;

use crate::integration::{USER, integration};
use crate::integration_checks::{PERMISSIONS, login};
use crate::integration_trust::anns_procedure_lets_in_bob;
use crate::support::{Warehouse, Workspace};

const PASSWORD: &str = "Person-secret-1";

fn block(kind: &str, name: &str, members: &[&str]) -> String {
    format!(
        "{USER}  impersonation {{\n    enabled = true\n    type    = \"{kind}\"\n    name    = \"{name}\"\n    members = {}\n  }}\n",
        json!(members)
    )
}

/// A warehouse with three people and a folder to manage it from.
fn people() -> (Warehouse, Workspace) {
    let warehouse = Warehouse::start();
    for name in ["ann", "bob", "cat"] {
        warehouse.sql("dev", &format!("CREATE USER {name} PASSWORD '{PASSWORD}'"));
    }
    let workspace = Workspace::on(&warehouse);
    (warehouse, workspace)
}

fn fill_profile(warehouse: &Warehouse) {
    for name in ["ann", "bob", "cat"] {
        warehouse.sql("governed", &format!("INSERT INTO immuta_system.profile (immuta__userid) VALUES ('{name}')"));
    }
}

fn may_act(warehouse: &Warehouse, user: &str) -> bool {
    let mut session = warehouse.sit(user, PASSWORD, "governed");
    match session.sql("CALL immuta_procedures.impersonate_user('cat')") {
        Ok(_) => session.value("SELECT immuta__userid FROM immuta_system.user_profile") == "cat",
        Err(error) => {
            assert!(error.contains("permission denied") || error.contains("may not act for others"), "{error}");
            false
        }
    }
}

/// Added, taken away, carried over to another name, and put right when somebody changes them by hand.
fn members_are_as_declared(kind: &str, by_hand: (&str, &str), line: &str) {
    let (warehouse, workspace) = people();
    let before = warehouse.dump_all();
    workspace.write(&integration(&block(kind, "actors", &["ann"])));
    workspace.apply();
    workspace.plan().assert_empty();
    fill_profile(&warehouse);
    assert!(may_act(&warehouse, "ann") && !may_act(&warehouse, "bob"));

    warehouse.sql("dev", by_hand.0);
    warehouse.sql("dev", by_hand.1);
    assert!(!may_act(&warehouse, "ann"));
    let plan = workspace.plan();
    let before_it = &plan.change("redshift_integration.i")["before"];
    for (name, what) in [("ann", "missing"), ("bob", "surplus")] {
        let lines = before_it[what].to_string();
        assert!(lines.contains(&format!("\"{}", line.replace("NAME", name))), "{what}: {lines}");
    }
    workspace.apply();
    workspace.plan().assert_empty();
    assert!(may_act(&warehouse, "ann") && !may_act(&warehouse, "bob"));

    // Others, under another name: nobody is lost, so nothing is warned of.
    workspace.write(&integration(&block(kind, "deputies", &["ann", "bob"])));
    let applied = workspace.try_apply();
    assert_eq!(applied.code, 0, "{}", applied.text());
    assert!(!applied.text().contains("are lost"), "{}", applied.text());
    workspace.plan().assert_empty();
    assert!(may_act(&warehouse, "ann") && may_act(&warehouse, "bob"));

    workspace.write(&integration(&block(kind, "deputies", &[])));
    workspace.apply();
    workspace.plan().assert_empty();
    assert!(!may_act(&warehouse, "ann") && !may_act(&warehouse, "bob"));
    workspace.destroy();
    assert_eq!(warehouse.dump_all(), before);
}

#[test]
fn members_of_a_group_are_as_declared() {
    let by_hand = ("ALTER GROUP actors DROP USER ann", "ALTER GROUP actors ADD USER bob");
    members_are_as_declared("group", by_hand, "user NAME in group actors");
}

#[test]
fn holders_of_a_role_are_as_declared() {
    let by_hand = ("REVOKE ROLE actors FROM ann", "GRANT ROLE actors TO bob");
    members_are_as_declared("role", by_hand, "role actors for \\\"NAME\\\"");
}

/// A member's procedure that runs with its rights lets nobody in, also where the members hold a role.
#[test]
fn a_holder_of_the_role_cannot_let_others_in() {
    let (warehouse, workspace) = people();
    workspace.write(&integration(&block("role", "actors", &["ann"])));
    workspace.apply();
    fill_profile(&warehouse);
    anns_procedure_lets_in_bob(&warehouse, PASSWORD);
    let mut bob = warehouse.sit("bob", PASSWORD, "governed");
    let refused = bob.sql("CALL anns.lets_in('cat')").expect_err("bob is no member");
    assert!(refused.contains("user bob may not act for others"), "{refused}");
    assert_eq!(bob.value("SELECT immuta__userid FROM immuta_system.user_profile"), "bob");
    // Who got the role by hand is not declared.
    warehouse.sql("dev", "GRANT ROLE actors TO bob");
    assert!(!may_act(&warehouse, "bob") && may_act(&warehouse, "ann"));
    warehouse.sql("governed", "DROP SCHEMA anns CASCADE");
    workspace.destroy();
}

/// A name that is no user stops an apply before anything is made, and says which.
#[test]
fn a_member_who_is_no_user_is_named() {
    let (warehouse, workspace) = people();
    let before = warehouse.dump_all();
    workspace.write(&integration(&block("group", "actors", &["ann", "Bob"])));
    let refused = workspace.try_apply().failed().text();
    assert!(refused.contains("There is no user \"Bob\"") && refused.contains("impersonation"), "{refused}");
    assert_eq!(warehouse.dump_all(), before);

    workspace.write(&integration(&block("group", "actors", &["ann\n"])));
    let refused = workspace.run(&["validate", "-no-color"]);
    assert_ne!(refused.code, 0);
    assert!(refused.text().contains("In members"), "{}", refused.text());
}

/// A login that is no superuser sees its own roles alone: the members of a role under another name get it all the same.
#[test]
fn members_of_a_role_are_carried_over_by_a_login_that_does_not_see_them() {
    let warehouse = Warehouse::start();
    let workspace = login(&warehouse, true, &PERMISSIONS);
    for name in ["ann", "bob", "cat"] {
        warehouse.sql("dev", &format!("CREATE USER {name} PASSWORD '{PASSWORD}'"));
    }
    for name in ["actors", "deputies"] {
        workspace.write(&integration(&block("role", name, &["ann"])));
        workspace.apply();
        workspace.plan().assert_empty();
        if name == "actors" {
            fill_profile(&warehouse);
        }
        assert!(may_act(&warehouse, "ann") && !may_act(&warehouse, "bob"), "{name}");
    }
    workspace.destroy();
}
