//! `redshift_schema`: made, changed, renamed, imported and dropped.

use redshift_standin::{Action, Fault};
use serde_json::json;

use crate::support::{Warehouse, Workspace};

const ADDRESS: &str = "redshift_schema.s";

fn schema(more: &str) -> String {
    named("quality_results", more)
}

fn named(name: &str, more: &str) -> String {
    format!(
        "provider \"redshift\" {{}}\nresource \"redshift_schema\" \"s\" {{\n  database = \"dev\"\n  name     = \"{name}\"\n{more}\n}}\n"
    )
}

/// What the warehouse holds of schemas whose names begin so: name, owner, quota.
fn lines(warehouse: &Warehouse, start: &str) -> Vec<String> {
    let of =
        |line: &String| ["schema ", "quota of schema "].iter().any(|kind| line.starts_with(&format!("{kind}{start}")));
    warehouse.dump("dev").into_iter().filter(of).collect()
}

#[test]
fn a_schema_lives_and_leaves_no_trace() {
    let warehouse = Warehouse::start();
    for name in ["ann", "bob"] {
        warehouse.sql("dev", &format!("CREATE USER {name} PASSWORD DISABLE"));
    }
    let (before, mut others) = (warehouse.dump_all(), lines(&warehouse, ""));
    let workspace = Workspace::on(&warehouse);
    workspace.write(&schema("  owner = \"ann\"\n  quota = \"50 GB\""));
    workspace.apply();
    workspace.plan().assert_empty();
    assert_eq!(
        lines(&warehouse, "quality_"),
        ["quota of schema quality_results 51200 MB", "schema quality_results owner=ann -"]
    );
    let id = workspace.values(ADDRESS)["id"].clone();
    assert_eq!(id, json!(format!("redshift://{}:{}#schema/dev/quality_results", warehouse.host(), warehouse.port())));

    // The same quota in another unit.
    workspace.write(&schema("  owner = \"ann\"\n  quota = \"51200 MB\""));
    warehouse.reset_counters();
    workspace.apply();
    workspace.plan().assert_empty();
    assert_eq!(warehouse.writes(), 0);

    // All of it at once, in place.
    workspace.write(&named("results", "  owner = \"bob\"\n  quota = \"unlimited\""));
    assert_eq!(workspace.plan().changes()[ADDRESS], ["update"]);
    workspace.apply();
    workspace.plan().assert_empty();
    others.push("schema results owner=bob -".to_owned());
    others.sort();
    assert_eq!(lines(&warehouse, ""), others);

    // Not managed any more: what is there stays.
    workspace.write(&named("results", ""));
    warehouse.reset_counters();
    workspace.apply();
    workspace.plan().assert_empty();
    assert_eq!(warehouse.writes(), 0);
    workspace.destroy();
    assert_eq!(warehouse.dump_all(), before);
}

#[test]
fn what_somebody_changes_by_hand_is_put_back() {
    let warehouse = Warehouse::start();
    for name in ["ann", "bob"] {
        warehouse.sql("dev", &format!("CREATE USER {name} PASSWORD DISABLE"));
    }
    let workspace = Workspace::on(&warehouse);
    workspace.write(&schema("  owner = \"ann\"\n  quota = \"2 TB\""));
    workspace.apply();
    let whole = warehouse.dump_all();
    for (statement, attribute, seen) in [
        ("ALTER SCHEMA quality_results OWNER TO bob", "owner", "bob"),
        ("ALTER SCHEMA quality_results QUOTA 7", "quota", "7 GB"),
        ("ALTER SCHEMA quality_results QUOTA UNLIMITED", "quota", "unlimited"),
        ("ALTER SCHEMA quality_results RENAME TO elsewhere", "name", "elsewhere"),
    ] {
        warehouse.sql("dev", statement);
        let plan = workspace.plan();
        assert_eq!(plan.changes()[ADDRESS], ["update"], "{statement}");
        assert_eq!(plan.change(ADDRESS)["before"][attribute], json!(seen), "{statement}");
        workspace.apply();
        workspace.plan().assert_empty();
        assert_eq!(warehouse.dump_all(), whole, "{statement}");
    }
    warehouse.sql("dev", "DROP SCHEMA quality_results");
    assert_eq!(workspace.plan().changes()[ADDRESS], ["create"]);
    workspace.apply();
    assert_eq!(warehouse.dump_all(), whole);
}

/// A schema of the same name is not the same schema.
#[test]
fn what_somebody_made_anew_is_not_dropped() {
    let warehouse = Warehouse::start();
    let workspace = Workspace::on(&warehouse);
    workspace.write(&schema("  force_destroy = true"));
    workspace.apply();
    warehouse.sql("dev", "DROP SCHEMA quality_results");
    warehouse.sql("dev", "CREATE SCHEMA quality_results");
    warehouse.sql("dev", "CREATE TABLE quality_results.precious (a integer)");
    let theirs = warehouse.dump_all();
    // As it stands in state, without a look before.
    workspace.run(&["destroy", "-auto-approve", "-input=false", "-refresh=false"]).succeeded();
    assert_eq!(warehouse.dump_all(), theirs);

    // Where it is to be made, the error shows how to take over what is there.
    let problems = workspace.apply_problems();
    let error = problems.iter().find(|problem| problem.severity == "error").expect("an error");
    assert_eq!(error.summary, "Schema \"quality_results\" exists already");
    let id = format!("redshift://{}:{}#schema/dev/quality_results", warehouse.host(), warehouse.port());
    assert!(error.detail.contains(&format!("id = \"{id}\"")), "{}", error.detail);
    assert_eq!(warehouse.dump_all(), theirs);
    workspace.import(ADDRESS, &id).succeeded();
    workspace.apply();
    workspace.plan().assert_empty();
    assert_eq!(warehouse.dump_all(), theirs);
}

#[test]
fn what_is_in_a_schema_stops_its_end_but_by_force() {
    let warehouse = Warehouse::start();
    let before = warehouse.dump_all();
    let workspace = Workspace::on(&warehouse);
    workspace.write(&schema(""));
    workspace.apply();
    for (statement, undo, words) in [
        ("CREATE TABLE quality_results.runs (a integer)", "DROP TABLE quality_results.runs", "It holds runs"),
        (
            "CREATE PROCEDURE quality_results.p() AS $$ BEGIN NULL; END $$ LANGUAGE plpgsql",
            "DROP PROCEDURE quality_results.p()",
            "The warehouse says",
        ),
    ] {
        warehouse.sql("dev", statement);
        let held = warehouse.dump_all();
        let problems = workspace.destroy_problems();
        let error = problems.iter().find(|problem| problem.severity == "error").expect("an error");
        assert_eq!(error.summary, "Schema \"quality_results\" is not empty", "{statement}");
        assert!(error.detail.contains(words) && error.detail.contains("force_destroy"), "{}", error.detail);
        assert_eq!(warehouse.dump_all(), held, "{statement}");
        warehouse.sql("dev", undo);
    }
    warehouse.sql("dev", "CREATE TABLE quality_results.runs (a integer)");
    warehouse.sql("dev", "CREATE VIEW public.seen AS SELECT a FROM quality_results.runs");
    workspace.write(&schema("  force_destroy = true"));
    workspace.apply();
    let problems = workspace.destroy_problems();
    assert!(problems.iter().all(|problem| problem.severity == "warning"), "{problems:#?}");
    assert!(problems.iter().any(|problem| problem.detail.contains("went too: runs")), "{problems:#?}");
    assert_eq!(warehouse.dump_all(), before);
}

/// A tool's user, the schema for its findings and the rights on it.
#[test]
fn an_enrichment_store_and_its_schema_come_from_one_apply() {
    let warehouse = Warehouse::start();
    let before = warehouse.dump_all();
    let workspace = Workspace::on(&warehouse);
    workspace.write(
        r#"
provider "redshift" {}
resource "redshift_user" "tool" {
  name = "tool"
}
resource "redshift_schema" "results" {
  database = "dev"
  name     = "Findings"
  owner    = redshift_user.tool.name
  quota    = "10 GB"
}
resource "redshift_datastore" "results" {
  name            = "results"
  database        = redshift_schema.results.database
  schema          = redshift_schema.results.name
  enrichment_only = true
  service_user {
    name = redshift_user.tool.name
  }
}
"#,
    );
    workspace.apply();
    workspace.plan().assert_empty();
    assert!(lines(&warehouse, "findings").iter().any(|line| line.starts_with("schema findings owner=tool")));
    workspace.destroy();
    assert_eq!(warehouse.dump_all(), before);
}

#[test]
fn what_cannot_be_is_refused_at_plan_time() {
    let warehouse = Warehouse::start();
    let workspace = Workspace::on(&warehouse);
    for (hcl, words) in [
        (schema("  quota = 50"), "has no unit"),
        (schema("  quota = \"much\""), "no quota"),
        (schema("  owner = \"\""), "In owner"),
        (named("public", ""), "the warehouse's own"),
        (named("PG_mine", ""), "the warehouse's own"),
        (schema("").replace("\"dev\"", "\"\""), "In database"),
        (schema("  quotas = \"5 GB\""), "quotas"),
    ] {
        let refused = workspace.refused(&hcl);
        assert!(format!("{} {}", refused.summary, refused.detail).contains(words), "{hcl}: {refused:#?}");
    }
    assert_eq!(warehouse.writes(), 0);
}

/// A statement that fails, and one whose answer is lost.
#[test]
fn a_create_that_fails_leaves_nothing_and_one_that_is_not_answered_is_found() {
    let warehouse = Warehouse::start();
    let before = warehouse.dump_all();
    let workspace = Workspace::on(&warehouse);
    workspace.write(&schema("  quota = \"5 GB\""));
    let refused =
        Action::Error { sqlstate: "42501".into(), message: "permission denied for database dev".into(), detail: None };
    warehouse.fault(Fault::statement("CREATE SCHEMA", refused));
    workspace.try_apply().failed();
    warehouse.clear_faults();
    assert_eq!((warehouse.dump_all(), workspace.addresses()), (before.clone(), vec![]));
    for action in [Action::CutBefore, Action::CutAfter] {
        for at in ["CREATE SCHEMA", "COMMIT"] {
            warehouse.fault(Fault::statement(at, action.clone()));
            workspace.apply();
            warehouse.clear_faults();
            workspace.plan().assert_empty();
            workspace.destroy();
            assert_eq!(warehouse.dump_all(), before, "{action:?} at {at}");
        }
    }
}

/// Who is no superuser sees the quotas of its own schemas: of others nothing is said.
#[test]
fn a_quota_that_is_not_shown_is_taken_to_be_as_it_was() {
    let warehouse = Warehouse::start();
    let mut workspace = Workspace::on(&warehouse);
    workspace.write(&schema("  quota = \"5 GB\""));
    workspace.apply();
    warehouse.sql("dev", "CREATE USER looker PASSWORD 'Looker-secret-1'");
    warehouse.sql("dev", "ALTER SCHEMA quality_results QUOTA 9 GB");
    workspace.env("REDSHIFT_USER", "looker").env("REDSHIFT_PASSWORD", "Looker-secret-1");
    workspace.plan().assert_empty();
    workspace.env("REDSHIFT_USER", warehouse.superuser()).env("REDSHIFT_PASSWORD", warehouse.password());
    assert_eq!(workspace.plan().change(ADDRESS)["before"]["quota"], json!("9 GB"));
}
