//! The role of a datastore: planted beforehand, shared by two states, tampered with.

use redshift_standin::Fault;
use serde_json::json;

use super::datastore::{USER, source, tool, warehouse};
use crate::campaign::sampled;
use crate::support::{Warehouse, Workspace};

fn planned_role(workspace: &Workspace) -> String {
    workspace.plan().change("redshift_datastore.sales")["after"]["grant_role"].as_str().expect("is known").to_owned()
}

/// `mallory` may make roles, as some administrators may.
fn with_mallory() -> Warehouse {
    let warehouse = warehouse();
    for statement in [
        "CREATE USER mallory PASSWORD 'Mallory1pass'",
        "CREATE ROLE makers",
        "GRANT CREATE ROLE TO ROLE makers",
        "GRANT ROLE makers TO mallory",
        "CREATE DATABASE extra",
    ] {
        warehouse.sql("dev", statement);
    }
    warehouse.sql("extra", "CREATE SCHEMA s");
    warehouse
}

fn mallory_reads(warehouse: &Warehouse) -> bool {
    warehouse.sql_as("mallory", "Mallory1pass", "dev", "SELECT id FROM sales.orders").is_ok()
}

#[test]
fn a_planted_role_is_never_filled() {
    let warehouse = with_mallory();
    let workspace = Workspace::on(&warehouse);
    workspace.write(USER);
    workspace.apply();
    workspace.write(&source());
    let role = planned_role(&workspace);
    let cases = [
        ("mallory", "dev", String::new(), "owns it"),
        ("", "dev", format!("GRANT ROLE {role} TO mallory"), "user mallory holds it"),
        ("", "dev", format!("GRANT ROLE {role} TO tool WITH ADMIN OPTION"), "ADMIN OPTION"),
        ("", "dev", format!("GRANT INSERT ON TABLE sales.orders TO ROLE {role}"), "INSERT on sales.orders"),
        ("", "extra", format!("GRANT USAGE ON SCHEMA s TO ROLE {role}"), "database \"extra\""),
        ("", "dev", format!("GRANT ROLE makers TO ROLE {role}"), "it holds role"),
    ];
    for (maker, database, statement, words) in sampled(cases, 2) {
        let create = format!("CREATE ROLE {role}");
        match maker {
            "" => {
                warehouse.sql("dev", &create);
                warehouse.sql(database, &statement);
            }
            maker => drop(warehouse.sql_as(maker, "Mallory1pass", "dev", &create).expect("may make roles")),
        }
        let planted = (warehouse.dump("dev"), warehouse.dump("extra"));
        let told = workspace.plan_problems();
        assert!(told.iter().any(|told| told.detail.contains(words)), "{statement}: {told:#?}");
        assert_eq!(planned_role(&workspace), format!("{role}_2"), "{statement}");
        workspace.apply();
        tool(&warehouse, "SELECT id FROM sales.orders").expect("reads by another role");
        assert!(!mallory_reads(&warehouse), "{statement}");
        workspace.plan().assert_empty();
        workspace.write(USER);
        workspace.apply();
        assert_eq!((warehouse.dump("dev"), warehouse.dump("extra")), planted, "{statement}: as it was planted");
        workspace.write(&source());
        // A role that holds something cannot be dropped.
        if statement.contains(" TO ROLE ") && !statement.contains("GRANT ROLE") {
            warehouse.sql(database, &statement.replace("GRANT", "REVOKE").replace(" TO ROLE", " FROM ROLE"));
        }
        warehouse.sql("dev", &format!("DROP ROLE {role} FORCE"));
    }
    // Between the plan and the apply.
    workspace.run(&["plan", "-out=saved", "-input=false"]).succeeded();
    warehouse.sql_as("mallory", "Mallory1pass", "dev", &format!("CREATE ROLE {role}")).expect("may make roles");
    warehouse.sql_as("mallory", "Mallory1pass", "dev", &format!("GRANT ROLE {role} TO mallory")).expect("owns it");
    let before = warehouse.dump("dev");
    warehouse.reset_counters();
    workspace.run(&["apply", "-input=false", "saved"]).failed();
    assert_eq!((warehouse.writes(), warehouse.dump("dev")), (0, before));
    assert!(!mallory_reads(&warehouse));
}

/// A role that was dropped by hand and made anew by somebody else has the pinned name; it is not filled by the repair.
#[test]
fn a_role_that_somebody_made_anew_is_not_filled() {
    let warehouse = with_mallory();
    let workspace = Workspace::on(&warehouse);
    workspace.write(&source());
    workspace.apply();
    let role = workspace.values("redshift_datastore.sales")["grant_role"].as_str().expect("a role").to_owned();
    for statement in [
        format!("REVOKE USAGE ON SCHEMA sales FROM ROLE {role}"),
        format!("REVOKE SELECT ON ALL TABLES IN SCHEMA sales FROM ROLE {role}"),
        format!("ALTER DEFAULT PRIVILEGES FOR USER loader IN SCHEMA sales REVOKE SELECT ON TABLES FROM ROLE {role}"),
        format!("DROP ROLE {role} FORCE"),
    ] {
        warehouse.sql("dev", &statement);
    }
    for statement in [format!("CREATE ROLE {role}"), format!("GRANT ROLE {role} TO mallory")] {
        warehouse.sql_as("mallory", "Mallory1pass", "dev", &statement).expect("may make roles");
    }
    let before = warehouse.dump("dev");
    let refused = workspace.try_apply().failed().text();
    assert!(refused.contains("\"mallory\" owns it"), "{refused}");
    assert_eq!(warehouse.dump("dev"), before);
    assert!(!mallory_reads(&warehouse));
    let told = workspace.destroy_problems();
    assert!(told.iter().any(|told| told.summary.contains("was left as it is")), "{told:#?}");
}

/// Two states of one datastore share its role: the second is told so, and each sees what the other changed.
#[test]
fn a_second_state_of_a_datastore_is_warned_and_the_first_sees_what_it_changed() {
    let warehouse = warehouse();
    warehouse.sql("dev", "CREATE USER tool PASSWORD 'Tool-secret-1'");
    warehouse.sql("dev", "CREATE USER other PASSWORD DISABLE");
    warehouse.sql("dev", "GRANT USAGE, CREATE ON SCHEMA sales TO other");
    let datastore = |owners: &str| {
        format!(
            "provider \"redshift\" {{}}\nresource \"redshift_datastore\" \"sales\" {{\n  name = \"Sales\"\n  database = \"dev\"\n  schema = \"sales\"\n  service_user {{\n    name = \"tool\"\n    default_privileges_for = [{owners}]\n  }}\n}}\n"
        )
    };
    let (first, second) = (Workspace::on(&warehouse), Workspace::on(&warehouse));
    first.write(&datastore("\"loader\""));
    first.apply();
    second.write(&datastore("\"loader\", \"other\""));
    let told = second.apply_problems();
    let warning = told.iter().find(|told| told.summary.contains("is taken over")).expect("is warned");
    assert!(warning.detail.contains("a destroy of either takes the role from both"), "{warning:?}");
    second.plan().assert_empty();
    let plan = first.plan();
    let surplus = json!(["SELECT on future tables of other in schema sales"]);
    assert_eq!(plan.change("redshift_datastore.sales")["before"]["surplus"], surplus);
    assert_eq!(plan.change("redshift_datastore.sales")["after"]["surplus"], json!([]));
    first.apply();
    first.plan().assert_empty();
    let lacking = json!(["SELECT on future tables of other"]);
    assert_eq!(second.plan().change("redshift_datastore.sales")["before"]["missing"], lacking);
    second.destroy();
    assert!(first.plan().change("redshift_datastore.sales")["before"]["missing"].to_string().contains("role tfds_"));
    first.apply();
    tool(&warehouse, "SELECT id FROM sales.orders").expect("reads again");
}

/// What somebody adds to the datastore's role shows and is taken back.
#[test]
fn what_is_too_much_is_shown_and_taken_back() {
    let warehouse = with_mallory();
    let workspace = Workspace::on(&warehouse);
    workspace.write(&source());
    workspace.apply();
    let role = workspace.values("redshift_datastore.sales")["grant_role"].as_str().expect("a role").to_owned();
    // The dump tells a list that was emptied from one that never was.
    warehouse.sql("dev", &format!("GRANT CREATE USER TO ROLE {role}"));
    warehouse.sql("dev", &format!("REVOKE CREATE USER FROM ROLE {role}"));
    let before = warehouse.dump("dev");
    for (statement, words) in [
        (
            format!("GRANT INSERT ON TABLE sales.orders TO ROLE {role}"),
            "INSERT on 1 table of schema sales (orders)".to_owned(),
        ),
        (format!("GRANT USAGE, CREATE ON SCHEMA findings TO ROLE {role}"), "USAGE on schema findings".to_owned()),
        (format!("GRANT ROLE {role} TO mallory"), format!("role {role} for user mallory")),
        (
            format!("GRANT ROLE {role} TO tool WITH ADMIN OPTION"),
            format!("role {role} for user tool with ADMIN OPTION"),
        ),
        (format!("GRANT ROLE {role} TO ROLE makers"), format!("role {role} for role makers")),
        (format!("GRANT ROLE makers TO ROLE {role}"), format!("role makers for role {role}")),
        (format!("GRANT CREATE USER TO ROLE {role}"), "system permission CREATE USER".to_owned()),
        (
            format!("GRANT SELECT FOR TABLES IN SCHEMA findings DATABASE dev TO ROLE {role}"),
            "SELECT for tables in schema findings, present and future".to_owned(),
        ),
    ] {
        warehouse.sql("dev", &statement);
        let plan = workspace.plan();
        let surplus = plan.change("redshift_datastore.sales")["before"]["surplus"].to_string();
        assert!(surplus.contains(&words), "{statement}: {surplus}");
        workspace.apply();
        workspace.plan().assert_empty();
        assert_eq!(warehouse.dump("dev"), before, "{statement}");
    }
}

/// A warehouse that cannot be read does not stop the plan; the apply chooses the name.
#[test]
fn a_role_whose_name_the_plan_cannot_know_is_named_by_the_apply() {
    let warehouse = warehouse();
    let workspace = Workspace::on(&warehouse);
    workspace.write(USER);
    workspace.apply();
    workspace.write(&source());
    warehouse.fault(Fault::error("FROM svv_roles", "XX000", "not now"));
    let plan = workspace.plan();
    let unknown = &plan.change("redshift_datastore.sales")["after_unknown"];
    assert_eq!((&unknown["grant_role"], &unknown["script"]), (&json!(true), &json!(true)));
    warehouse.clear_faults();
    workspace.apply();
    let values = workspace.values("redshift_datastore.sales");
    let role = values["grant_role"].as_str().expect("is known now");
    assert!(values["script"].as_str().is_some_and(|script| script.contains(role)), "{values}");
    workspace.plan().assert_empty();
    workspace.destroy();
}

/// A role with a random name, as earlier releases made it, stays as it is, and so does a record that they kept.
#[test]
fn a_state_of_an_earlier_release_plans_nothing_and_is_destroyed() {
    let warehouse = warehouse();
    let before = warehouse.dump("dev");
    let workspace = Workspace::on(&warehouse);
    workspace.write(&source());
    workspace.apply();
    let role = workspace.values("redshift_datastore.sales")["grant_role"].as_str().expect("a role").to_owned();
    // What an earlier release would have left: another role, and its record in private state.
    let old = "tfds_0123456789";
    for statement in [
        format!("REVOKE USAGE ON SCHEMA sales FROM ROLE {role}"),
        format!("REVOKE SELECT ON ALL TABLES IN SCHEMA sales FROM ROLE {role}"),
        format!("ALTER DEFAULT PRIVILEGES FOR USER loader IN SCHEMA sales REVOKE SELECT ON TABLES FROM ROLE {role}"),
        format!("DROP ROLE {role} FORCE"),
        format!("CREATE ROLE {old}"),
        format!("GRANT USAGE ON SCHEMA sales TO ROLE {old}"),
        format!("GRANT SELECT ON ALL TABLES IN SCHEMA sales TO ROLE {old}"),
        format!("ALTER DEFAULT PRIVILEGES FOR USER loader IN SCHEMA sales GRANT SELECT ON TABLES TO ROLE {old}"),
        format!("GRANT ROLE {old} TO tool"),
    ] {
        warehouse.sql("dev", &statement);
    }
    let path = workspace.path().join("terraform.tfstate");
    let mut state: serde_json::Value =
        serde_json::from_str(&std::fs::read_to_string(&path).expect("a state")).expect("is JSON");
    for resource in state["resources"].as_array_mut().expect("resources") {
        if resource["type"] == "redshift_datastore" {
            let instance = &mut resource["instances"][0];
            instance["attributes"]["grant_role"] = json!(old);
            let attributes = instance["attributes"].as_object_mut().expect("attributes");
            attributes.remove("surplus");
            // {"made":{"role":"tfds_0123456789"}}
            instance["private"] = json!("eyJtYWRlIjp7InJvbGUiOiJ0ZmRzXzAxMjM0NTY3ODkifX0=");
        }
    }
    std::fs::write(&path, state.to_string()).expect("is written");
    workspace.plan().assert_empty();
    warehouse.reset_counters();
    workspace.apply();
    assert_eq!(warehouse.writes(), 0);
    assert_eq!(workspace.values("redshift_datastore.sales")["grant_role"], json!(old));
    workspace.destroy();
    assert_eq!(warehouse.dump("dev"), before);
}

#[test]
fn owners_that_no_statement_could_name_are_refused_by_the_plan() {
    let warehouse = warehouse();
    let workspace = Workspace::on(&warehouse);
    for bad in ["", "a\\nb"] {
        let name = "name = redshift_user.tool.name";
        let configuration =
            source().replace(name, &format!("{name}\n    default_privileges_for = [\"loader\", \"{bad}\"]"));
        let refused = workspace.refused(&configuration);
        assert!(refused.text().contains("service_user.default_privileges_for"), "{refused:?}");
    }
}
