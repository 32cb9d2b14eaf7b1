//! `redshift_integration`: what is somebody else's stays, what would be lost is said before, and nothing is half done.

use redshift_standin::{Fault, SecretValue};
use serde_json::json;

use crate::integration::{ACTS, USER, integration};
use crate::integration_checks::login;
use crate::support::{Problem, Warehouse, Workspace};

const SPECTRUM: &str = "  type = \"RedshiftSpectrum\"\n";
const LAKE: &str = "  external_schemas = {\n    lake = { database = \"lake\", iam_role = \"default\" }\n  }\n";
const CREATE_LAKE: &str = "CREATE EXTERNAL SCHEMA lake FROM DATA CATALOG DATABASE 'theirs' IAM_ROLE DEFAULT";

/// An integration in the database that the connection leads to.
fn in_dev(lines: &str) -> String {
    integration(&format!("{SPECTRUM}{lines}")).replace("\"governed\"", "\"dev\"")
}

fn errors(problems: Vec<Problem>) -> Vec<Problem> {
    problems.into_iter().filter(|problem| problem.severity == "error").collect()
}

/// Proves: I59, S10
#[test]
fn what_the_system_user_has_in_an_existing_database_is_looked_at_first_and_handed_over_by_force() {
    let warehouse = Warehouse::start();
    warehouse.sql("dev", "CREATE TABLE public.sales (id integer)");
    let before = warehouse.dump_all();
    let workspace = Workspace::on(&warehouse);
    workspace.write(&in_dev(&format!("{USER}{ACTS}{LAKE}")));
    workspace.apply();
    workspace.destroy();
    assert_eq!(warehouse.dump_all(), before);

    workspace.apply();
    warehouse.sql("dev", "GRANT SELECT ON public.sales TO immuta_system_user");
    warehouse.sql("dev", "CREATE SCHEMA governed_views");
    warehouse.sql("dev", "ALTER SCHEMA governed_views OWNER TO immuta_system_user");
    let full = warehouse.dump_all();
    warehouse.reset_counters();
    let told = workspace.try_destroy().failed().text();
    for what in ["\"public\".\"sales\"", "governed_views", "force_destroy"] {
        assert!(told.contains(what), "{what}: {told}");
    }
    assert_eq!(warehouse.writes(), 0, "{:?}", warehouse.statements());
    assert_eq!(warehouse.dump_all(), full);

    workspace.write(&in_dev(&format!("{USER}{ACTS}{LAKE}  force_destroy = true\n")));
    workspace.apply();
    workspace.destroy();
    warehouse.sql("dev", "DROP SCHEMA governed_views");
    assert_eq!(warehouse.dump_all(), before);
}

#[test]
fn an_external_schema_of_somebody_else_is_never_taken_over() {
    let warehouse = Warehouse::start();
    let workspace = Workspace::on(&warehouse);
    warehouse.sql("dev", CREATE_LAKE);
    let before = warehouse.dump_all();
    let refused = |with: &dyn Fn() -> Vec<Problem>| {
        let full = warehouse.dump_all();
        for _ in 0..2 {
            let told = errors(with());
            assert_eq!(told.len(), 1, "{told:#?}");
            assert_eq!(told[0].summary, "Failed: External Schemas Do Not Exist");
            assert!(told[0].detail.contains("lake"), "{told:#?}");
            assert_eq!(warehouse.dump_all(), full);
        }
    };
    workspace.write(&in_dev(&format!("{USER}{LAKE}")));
    refused(&|| workspace.apply_problems());
    workspace.write(&in_dev(USER));
    workspace.apply();
    workspace.write(&in_dev(&format!("{USER}{LAKE}")));
    refused(&|| workspace.apply_problems());
    workspace.write(&in_dev(USER));
    workspace.apply();
    workspace.destroy();
    assert_eq!(warehouse.dump_all(), before);
}

/// A view of others on the managed view stops a destroy before anything is lost.
#[test]
fn a_destroy_that_is_refused_has_dropped_nothing() {
    let warehouse = Warehouse::start();
    let workspace = Workspace::on(&warehouse);
    workspace.write(&in_dev(&format!("{USER}{LAKE}")));
    workspace.apply();
    warehouse.sql("dev", "CREATE VIEW public.theirs AS SELECT * FROM immuta_system.user_profile");
    let full = warehouse.dump_all();
    let told = workspace.try_destroy().failed().text();
    assert!(told.contains("user_profile"), "{told}");
    assert_eq!(warehouse.dump_all(), full);
    warehouse.sql("dev", "DROP VIEW public.theirs");
    workspace.destroy();
}

/// Proves: I60
#[test]
fn a_login_that_may_not_drop_users_does_not_begin() {
    let warehouse = Warehouse::start();
    let workspace = login(&warehouse, true, &["CREATE USER", "DROP USER", "ALTER USER"]);
    workspace.write(&integration(USER));
    workspace.apply();
    warehouse.sql("dev", "REVOKE DROP USER FROM ROLE installers");
    let full = warehouse.dump_all();
    let told = workspace.try_destroy().failed().text();
    assert!(told.contains("DROP USER") && told.contains("Nothing was changed"), "{told}");
    assert_eq!(warehouse.dump_all(), full);
    warehouse.sql("dev", "GRANT DROP USER TO ROLE installers");
    workspace.destroy();
}

/// Proves: I38
#[test]
fn two_of_one_prefix_in_one_apply_are_one_and_a_conflict() {
    let warehouse = Warehouse::start();
    let workspace = Workspace::on(&warehouse);
    let second = integration(USER)
        .replace("provider \"redshift\" {}\n", "")
        .replace("\"i\"", "\"j\"")
        .replace("\"governed\"", "\"second\"");
    workspace.write(&format!("{}{second}", integration(USER)));
    let told = errors(workspace.apply_problems());
    assert_eq!(told.len(), 1, "{told:#?}");
    assert!(told[0].summary == "409 Conflict" && told[0].detail.contains("already exists on host"), "{told:#?}");
    let made = workspace.addresses();
    assert_eq!(made.len(), 1, "{made:?}");
    let databases = warehouse.sql("dev", "SELECT datname FROM pg_database WHERE datname IN ('governed', 'second')");
    assert_eq!(databases.len(), 1, "{databases:?}");
    assert_eq!(workspace.values(&made[0])["status"], "enabled");
}

/// Proves: I37
#[test]
fn what_touches_no_warehouse_keeps_what_was_seen_there() {
    let warehouse = Warehouse::start();
    let workspace = Workspace::on(&warehouse);
    let output = "output \"tests\" {\n  value = redshift_integration.i.validation_results.status\n}\n";
    workspace.write(&format!("{}{output}", integration(USER)));
    workspace.apply();
    let seen = workspace.values("redshift_integration.i")["validation_results"].clone();
    workspace.write(&format!("{}{output}", integration(&format!("{USER}  force_destroy = true\n"))));
    workspace.apply();
    assert_eq!(workspace.values("redshift_integration.i")["validation_results"], seen);
    workspace.plan().assert_empty();
}

/// As where a cluster and its integration are made in one apply.
///
/// Proves: I21, I47
#[test]
fn a_warehouse_that_is_known_only_after_apply_is_planned_as_unknown() {
    let warehouse = Warehouse::start();
    let mut workspace = Workspace::on(&warehouse);
    workspace.without("REDSHIFT_HOST").without("REDSHIFT_DATABASE");
    let made = format!("resource \"terraform_data\" \"cluster\" {{\n  input = \"{}\"\n}}\n", warehouse.host());
    let provider = "provider \"redshift\" {\n  host = terraform_data.cluster.output\n}\n";
    workspace.write(&format!("{made}{}", integration(USER).replace("provider \"redshift\" {}\n", provider)));
    let plan = workspace.plan();
    assert_eq!(plan.change("redshift_integration.i")["after_unknown"]["config"], true);
    let sql = plan.change("redshift_integration.i")["after"]["scripts"]["create"]["sql"].to_string();
    assert!(sql.contains("CREATE SCHEMA immuta_system"), "the SQL does not depend on it: {sql}");
    workspace.apply();
    let config = workspace.values("redshift_integration.i")["config"].to_string();
    assert!(config.contains(&warehouse.host()), "{config}");
    workspace.plan().assert_empty();
}

/// Nobody who is given a schema gets at the key that signs.
#[test]
fn no_datastore_is_made_of_a_managed_schema() {
    let warehouse = Warehouse::start();
    warehouse.sql("dev", "CREATE USER reader PASSWORD 'Reader-secret-1'");
    let workspace = Workspace::on(&warehouse);
    let datastore = "resource \"redshift_datastore\" \"d\" {\n  name = \"d\"\n  database = redshift_integration.i.database\n  schema = \"immuta_system\"\n  service_user {\n    name = \"reader\"\n  }\n}\n";
    workspace.write(&format!("{}{datastore}", integration(&format!("{USER}{ACTS}"))));
    let told = errors(workspace.apply_problems());
    assert_eq!(told.len(), 1, "{told:#?}");
    assert!(told[0].summary.contains("is an integration's own"), "{told:#?}");
    let reads = warehouse.sql_as("reader", "Reader-secret-1", "governed", "SELECT * FROM immuta_system.impersonation");
    assert!(reads.is_err(), "{reads:?}");
    workspace.destroy();
}

#[test]
fn a_schema_of_somebody_else_with_a_managed_name_is_not_taken_over() {
    let warehouse = Warehouse::start();
    warehouse.sql("dev", "CREATE SCHEMA immuta_functions");
    warehouse.sql("dev", "CREATE DATABASE governed");
    warehouse.sql("governed", "CREATE SCHEMA immuta_procedures");
    let before = warehouse.dump_all();
    let workspace = Workspace::on(&warehouse);
    for (config, schema) in [(in_dev(USER), "immuta_functions"), (integration(USER), "immuta_procedures")] {
        workspace.write(&config);
        let told = errors(workspace.apply_problems());
        assert!(told.len() == 1 && told[0].detail.contains(schema), "{told:#?}");
        assert_eq!(warehouse.dump_all(), before);
    }
}

/// Where text is compared without regard to case, bob would see Bob's row.
#[test]
fn a_database_that_folds_case_is_refused() {
    let warehouse = Warehouse::start();
    warehouse.sql("dev", "CREATE DATABASE folds COLLATE CASE_INSENSITIVE");
    let workspace = Workspace::on(&warehouse);
    workspace.write(&in_dev(USER).replace("\"dev\"", "\"folds\""));
    let told = errors(workspace.apply_problems());
    assert!(told.len() == 1 && told[0].summary == "Failed: Case-Sensitive Data", "{told:#?}");
    assert!(told[0].detail.contains("case_insensitive"), "{told:#?}");
}

#[test]
fn a_marker_owner_who_is_not_there_is_told_before_anything_is_made() {
    let warehouse = Warehouse::start();
    let before = warehouse.dump_all();
    let workspace = Workspace::on(&warehouse);
    workspace.write(&integration(&format!("{USER}  marker_owner = \"nobody_here\"\n")));
    let told = errors(workspace.apply_problems());
    assert_eq!(told.len(), 1, "{told:#?}");
    assert!(told[0].summary == "Failed: Marker Owner Exists" && told[0].detail.contains("nobody_here"), "{told:#?}");
    assert_eq!(warehouse.dump_all(), before);
}

#[test]
fn a_secret_of_somebody_else_is_not_the_system_users() {
    let warehouse = Warehouse::start();
    let before = warehouse.dump_all();
    let mut workspace = Workspace::on(&warehouse);
    for (name, value) in warehouse.aws_environment() {
        workspace.env(&name, &value);
    }
    let held = json!({ "username": "alice", "password": "Alices-secret-1" }).to_string();
    warehouse.aws().put_secret("alices", SecretValue::Text(held));
    workspace.write(&integration("  system_user {\n    secret_id = \"alices\"\n  }\n"));
    let told = errors(workspace.apply_problems());
    assert_eq!(told.len(), 1, "{told:#?}");
    assert!(told[0].summary.contains("somebody else") && told[0].detail.contains("alice"), "{told:#?}");
    assert_eq!(warehouse.dump_all(), before);
}

#[test]
fn the_first_password_after_an_import_is_recorded_and_not_sent() {
    let warehouse = Warehouse::start();
    let maker = Workspace::on(&warehouse);
    maker.write(&integration(USER));
    maker.apply();
    let id = maker.values("redshift_integration.i")["id"].as_str().expect("an id").to_owned();
    let other = USER.replace("System-secret-1", "Other-secret-1").replace("= 1", "= 5");
    let workspace = Workspace::on(&warehouse);
    workspace.write(&integration(&other));
    workspace.import("redshift_integration.i", &id).succeeded();
    // Also where the rest of that apply fails.
    warehouse.fault(Fault::error("CREATE GROUP", "42501", "permission denied"));
    workspace.write(&integration(&format!("{other}{ACTS}")));
    let told = workspace.apply_problems();
    assert_eq!(errors(told.clone()).len(), 1, "{told:#?}");
    workspace.write(&integration(&other));
    workspace.apply();
    assert!(
        told.iter().any(|told| told.severity == "warning" && told.summary == "The password was not sent"),
        "{told:#?}"
    );
    assert_eq!(workspace.values("redshift_integration.i")["password_version"], "5");
    workspace.plan().assert_empty();
    let signs_in = |password: &str| warehouse.sql_as("immuta_system_user", password, "governed", "SELECT 1").is_ok();
    assert!(signs_in("System-secret-1") && !signs_in("Other-secret-1"));
    workspace.write(&integration(&other.replace("= 5", "= 6")));
    workspace.apply();
    assert!(signs_in("Other-secret-1"));
}

#[test]
fn a_database_that_somebody_dropped_is_planned_anew_and_one_in_its_place_is_left_alone() {
    let warehouse = Warehouse::start();
    let before = warehouse.dump_all();
    let workspace = Workspace::on(&warehouse);
    workspace.write(&integration(&format!("{USER}{ACTS}  force_destroy = true\n")));
    workspace.apply();
    warehouse.sql("dev", "DROP DATABASE governed");
    assert_eq!(workspace.plan().changes()["redshift_integration.i"], ["delete", "create"]);
    workspace.apply();
    workspace.plan().assert_empty();

    // Another team's, of the same name: force or not, without the marker it is not dropped.
    warehouse.sql("dev", "DROP DATABASE governed");
    warehouse.sql("dev", "CREATE DATABASE governed");
    warehouse.sql("governed", "CREATE TABLE public.theirs (a integer)");
    workspace.destroy();
    assert_eq!(warehouse.sql("governed", "SELECT count(*) FROM public.theirs").len(), 1);
    warehouse.sql("dev", "DROP DATABASE governed");
    assert_eq!(warehouse.dump_all(), before);
}

#[test]
fn what_a_replacement_would_drop_and_then_need_is_refused() {
    let warehouse = Warehouse::start();
    let workspace = Workspace::on(&warehouse);
    workspace.write(&integration(USER));
    workspace.apply();
    let full = warehouse.dump_all();
    workspace.write(&integration(&format!("{USER}{SPECTRUM}")));
    let plan = workspace.plan();
    assert_eq!(plan.changes()["redshift_integration.i"], ["update"]);
    assert!(plan.outcome.stdout.contains("The database would be dropped first"), "{}", plan.outcome.stdout);
    let told = errors(workspace.apply_problems());
    assert!(told.len() == 1 && told[0].summary == "The database would be dropped first", "{told:#?}");
    assert_eq!(warehouse.dump_all(), full);
    workspace.destroy();
}

#[test]
fn by_hand_a_view_that_somebody_replaced_is_not_accepted() {
    let warehouse = Warehouse::start();
    let workspace = Workspace::on(&warehouse);
    let by_hand = integration(ACTS).replace("auto_bootstrap = true", "auto_bootstrap = false");
    workspace.write(&by_hand);
    let scripts = workspace.plan().change("redshift_integration.i")["after"]["scripts"].clone();
    for (database, script) in [("dev", "initial_create"), ("governed", "create")] {
        let sql = scripts[script]["sql"].as_str().expect("a script");
        warehouse.run_script(database, sql).expect("runs");
    }
    // The script made the key.
    let told = workspace.apply_problems();
    assert!(!told.iter().any(|told| told.summary == "Impersonation key"), "{told:#?}");
    workspace.plan().assert_empty();
    warehouse.sql("governed", "CREATE OR REPLACE VIEW immuta_system.user_profile AS SELECT p.* FROM immuta_system.profile p WHERE current_setting('immuta_session.impersonation', FALSE) IS NULL OR 1 = 1");
    for _ in 0..2 {
        let told = errors(workspace.apply_problems());
        assert!(
            told.len() == 1 && told[0].detail.contains("view immuta_system.user_profile as it was made"),
            "{told:#?}"
        );
        assert_eq!(workspace.plan().changes()["redshift_integration.i"], ["update"]);
    }
    // Nor by somebody who never saw it as it was.
    let elsewhere = Workspace::on(&warehouse);
    elsewhere.write(&by_hand);
    let told = errors(elsewhere.apply_problems());
    assert!(told.len() == 1 && told[0].detail.contains("view immuta_system.user_profile"), "{told:#?}");
    assert!(elsewhere.addresses().is_empty());
}

#[test]
fn a_system_user_who_may_do_more_than_it_should_is_drift() {
    let warehouse = Warehouse::start();
    let workspace = Workspace::on(&warehouse);
    workspace.write(&integration(USER));
    workspace.apply();
    warehouse.sql("dev", "ALTER USER immuta_system_user CREATEUSER");
    assert_eq!(workspace.plan().changes()["redshift_integration.i"], ["update"]);
    workspace.apply();
    let is_superuser = warehouse.sql("dev", "SELECT usesuper FROM pg_user WHERE usename = 'immuta_system_user'");
    assert_eq!(is_superuser[0][0].as_deref(), Some("f"));
    workspace.plan().assert_empty();
}

#[test]
fn an_edit_says_whose_membership_is_lost() {
    let warehouse = Warehouse::start();
    let workspace = Workspace::on(&warehouse);
    workspace.write(&integration(&format!("{USER}{ACTS}")));
    workspace.apply();
    workspace.write(&integration(USER));
    let told = workspace.plan_problems();
    assert!(
        told.iter().any(|told| told.severity == "warning" && told.summary.contains("group immuta_impersonator_role")),
        "{told:#?}"
    );
}
