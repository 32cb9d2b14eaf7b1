//! `redshift_integration` in a warehouse where others have been before: nobody gains a right through it, and nobody can
//! jam it.

use redshift_standin::Fault;
use serde_json::json;

use crate::campaign::sampled;
use crate::integration::{ACTS, USER, integration};
use crate::support::{Problem, Warehouse, Workspace};

const PASSWORD: &str = "Person-secret-1";
const LAKE: &str = "  type = \"RedshiftSpectrum\"\n";
const FORCE: &str = "  force_destroy = true\n";

/// The integration in a database `lake` that was there before.
fn in_lake(lines: &str) -> String {
    integration(&format!("{LAKE}{USER}{lines}")).replace("\"governed\"", "\"lake\"")
}

/// A warehouse with a database `lake` in which user mallory may create.
fn with_mallory() -> Warehouse {
    let warehouse = Warehouse::start();
    warehouse.sql("dev", "CREATE DATABASE lake");
    warehouse.sql("dev", &format!("CREATE USER mallory PASSWORD '{PASSWORD}'"));
    warehouse.sql("dev", "GRANT CREATE ON DATABASE lake TO mallory");
    warehouse.sql("dev", "CREATE GROUP finance_admins");
    warehouse.sql("dev", "CREATE ROLE prod_role");
    warehouse.sql("lake", "CREATE EXTERNAL SCHEMA spectrum_prod FROM DATA CATALOG DATABASE 'prod' IAM_ROLE DEFAULT");
    warehouse
}

#[track_caller]
fn by_mallory(warehouse: &Warehouse, database: &str, statement: &str) {
    warehouse.sql_as("mallory", PASSWORD, database, statement).unwrap_or_else(|error| panic!("{statement}: {error}"));
}

const MARKER: &str = "CREATE TABLE immuta_system.integration (id varchar(64) NOT NULL, type varchar(32) NOT NULL, \
    mode varchar(16) NOT NULL, status varchar(32) NOT NULL, format integer NOT NULL, generation bigint NOT NULL, \
    run_id varchar(64), config_digest varchar(64) NOT NULL, made varchar(4096) NOT NULL, message varchar(4096), \
    created_at timestamp NOT NULL, updated_at timestamp NOT NULL)";

fn forged(made: &str) -> String {
    format!(
        "INSERT INTO immuta_system.integration VALUES ('deadbeefdeadbeefdeadbeefdeadbeef', 'RedshiftSpectrum', 'automatic', \
         'createError', 1, 1, NULL, 'x', '{made}', NULL, getdate(), getdate())"
    )
}

fn errors(problems: Vec<Problem>) -> Vec<Problem> {
    problems.into_iter().filter(|problem| problem.severity == "error").collect()
}

/// What an ordinary user wrote before is not even read: no name in it runs, is dropped or is believed.
#[test]
fn a_marker_of_somebody_else_decides_nothing() {
    let warehouse = with_mallory();
    by_mallory(&warehouse, "lake", "CREATE SCHEMA immuta_system");
    by_mallory(&warehouse, "lake", "CREATE TABLE immuta_system.integration_lock (unused integer)");
    by_mallory(&warehouse, "lake", MARKER);
    let workspace = Workspace::on(&warehouse);
    workspace.write(&in_lake(ACTS));
    for made in [
        "{\"actors\":{\"name\":\"finance_admins; SET SESSION AUTHORIZATION DEFAULT; ALTER USER mallory CREATEUSER; --\",\"type\":\"group\"}}",
        "{\"actors\":{\"name\":\"prod_role\",\"type\":\"role\"},\"external_schemas\":{\"spectrum_prod\":{\"database\":\"prod\",\"iam_role\":\"default\"}}}",
    ] {
        by_mallory(&warehouse, "lake", &forged(made));
        let before = warehouse.dump_all();
        warehouse.reset_counters();
        let told = errors(workspace.apply_problems());
        assert_eq!(told.len(), 1, "{told:#?}");
        assert_eq!(told[0].summary, "409 Conflict");
        assert!(told[0].detail.contains("belongs to user mallory"), "{told:#?}");
        assert_eq!(warehouse.writes(), 0, "{:?}", warehouse.statements());
        assert!(warehouse.statements().iter().all(|sql| !sql.contains("immuta_system.integration")), "it was read");
        assert_eq!(warehouse.dump_all(), before);
        by_mallory(&warehouse, "lake", "DELETE FROM immuta_system.integration");
    }
}

/// An interrupted run's marker is believed, but what stands beside it is made anew.
#[test]
fn a_leftover_is_adopted_without_what_others_put_there() {
    let warehouse = with_mallory();
    warehouse.sql("lake", "CREATE SCHEMA immuta_system");
    warehouse.sql("lake", MARKER);
    warehouse.sql("lake", &forged("{}"));
    warehouse.sql("lake", "GRANT ALL ON SCHEMA immuta_system TO mallory");
    by_mallory(
        &warehouse,
        "lake",
        "CREATE TABLE immuta_system.profile (immuta__userid varchar(256) NOT NULL, immuta__groups varchar(65535), \
         immuta__attributes varchar(65535), immuta__projects varchar(65535), immuta__tables varchar(65535))",
    );
    by_mallory(
        &warehouse,
        "lake",
        "CREATE VIEW immuta_system.user_profile AS SELECT p.* FROM immuta_system.profile p WHERE p.immuta__userid IS NOT NULL \
         AND current_user IS NOT NULL",
    );
    let workspace = Workspace::on(&warehouse);
    workspace.write(&in_lake(ACTS));
    workspace.apply();
    warehouse.sql("lake", "INSERT INTO immuta_system.profile VALUES ('ceo', 'g', 'salary=1', NULL, NULL)");
    let seen = warehouse.sql_as("mallory", PASSWORD, "lake", "SELECT * FROM immuta_system.user_profile");
    assert_eq!(seen.expect("everybody may read it").len(), 0);
    assert!(warehouse.sql_as("mallory", PASSWORD, "lake", "DROP TABLE immuta_system.profile CASCADE").is_err());
    assert!(warehouse.sql_as("mallory", PASSWORD, "lake", "CREATE TABLE immuta_system.mine (a integer)").is_err());
    workspace.plan().assert_empty();
    workspace.destroy();
}

/// Who owns the marker may write anything in it; a destroy drops what the configuration and the last apply name.
#[test]
fn the_owner_of_the_marker_names_nothing_to_drop_or_to_run() {
    let warehouse = with_mallory();
    let workspace = Workspace::on(&warehouse);
    let config = integration(&format!("{USER}{ACTS}  marker_owner = \"mallory\"\n"));
    for (group, verb) in [
        ("finance_admins", "destroy"),
        ("finance_admins; SET SESSION AUTHORIZATION DEFAULT; ALTER USER mallory CREATEUSER; --", "apply"),
    ] {
        let before = warehouse.dump_all();
        workspace.write(&config);
        workspace.apply();
        let made = warehouse.sql("governed", "SELECT made FROM immuta_system.integration");
        let made = made[0][0].clone().unwrap_or_default().replace("immuta_impersonator_role", group);
        by_mallory(&warehouse, "governed", &format!("UPDATE immuta_system.integration SET made = '{made}'"));
        if verb == "apply" {
            let plan = workspace.plan();
            assert!(plan.change("redshift_integration.i")["before"]["missing"].to_string().contains("marker"));
            workspace.apply();
            workspace.plan().assert_empty();
        }
        workspace.destroy();
        assert_eq!(warehouse.dump_all(), before, "{verb}");
    }
}

#[test]
fn rights_on_everything_in_the_database_stop_an_apply_until_they_are_allowed() {
    let warehouse = with_mallory();
    let workspace = Workspace::on(&warehouse);
    let before = warehouse.dump_all();
    warehouse.sql("lake", "GRANT SELECT FOR TABLES IN DATABASE lake TO ROLE prod_role");
    workspace.write(&in_lake(ACTS));
    let told = errors(workspace.apply_problems());
    assert_eq!(told.len(), 1, "{told:#?}");
    assert!(told[0].summary.contains("Nobody Else Reaches The Managed Tables"), "{told:#?}");
    for words in ["role prod_role: SELECT for tables in database lake", "allowed_readers"] {
        assert!(told[0].detail.contains(words), "{words}: {told:#?}");
    }
    assert_eq!(workspace.addresses(), Vec::<String>::new());

    workspace.write(&in_lake(&format!("{ACTS}  allowed_readers = [\"role prod_role\"]\n")));
    workspace.apply();
    workspace.plan().assert_empty();
    assert_eq!(workspace.values("redshift_integration.i")["exposed_to"], json!([]));

    // Another one comes later: the plan says who, and an apply does not pass over it.
    warehouse.sql("lake", "GRANT SELECT FOR TABLES IN DATABASE lake TO mallory");
    let plan = workspace.plan();
    assert_eq!(plan.changes()["redshift_integration.i"], ["update"]);
    let found = &plan.change("redshift_integration.i")["before"];
    assert_eq!(found["exposed_to"], json!(["user mallory: SELECT for tables in database lake"]));
    assert_eq!(found["status"], json!("recurringValidationError"));
    assert_eq!(found["validation_results"]["status"], json!("failed"));
    assert!(errors(workspace.apply_problems())[0].detail.contains("user mallory"));
    warehouse.sql("lake", "REVOKE SELECT FOR TABLES IN DATABASE lake FROM mallory");
    // He may know the key by now, so that there has to be another.
    let key = "SELECT impersonation_key FROM immuta_system.impersonation";
    let known = warehouse.sql("lake", key);
    let missing = workspace.plan().change("redshift_integration.i")["before"]["missing"].to_string();
    assert!(missing.contains("a new impersonation key"), "{missing}");
    workspace.apply();
    workspace.plan().assert_empty();
    assert_ne!(warehouse.sql("lake", key), known);

    // On a schema of ours, it is taken back.
    warehouse.sql("lake", "GRANT SELECT FOR TABLES IN SCHEMA immuta_system DATABASE lake TO mallory");
    assert!(warehouse.sql_as("mallory", PASSWORD, "lake", key).is_ok());
    workspace.apply();
    assert!(warehouse.sql_as("mallory", PASSWORD, "lake", key).is_err());
    workspace.plan().assert_empty();
    workspace.destroy();
    warehouse.sql("lake", "REVOKE SELECT FOR TABLES IN DATABASE lake FROM ROLE prod_role");
    assert_eq!(warehouse.dump_all(), before);
}

#[test]
fn a_reader_is_named_with_what_he_is() {
    let warehouse = Warehouse::start();
    let workspace = Workspace::on(&warehouse);
    workspace.write(&integration("  allowed_readers = [\"analysts\"]\n"));
    let told = errors(workspace.plan_problems());
    assert!(told[0].detail.contains("neither \"user NAME\" nor \"role NAME\""), "{told:#?}");
}

/// The key is made in the warehouse: no statement, script, state or plan holds it.
///
/// Proves: I24
#[test]
fn the_key_is_in_no_text_and_changes_on_request() {
    let warehouse = Warehouse::start();
    let workspace = Workspace::on(&warehouse);
    let acts =
        |version: u32| format!("  impersonation {{\n    enabled     = true\n    key_version = {version}\n  }}\n");
    let mut keys = Vec::new();
    for version in [1, 2] {
        workspace.write(&integration(&format!("{USER}{}", acts(version))));
        workspace.apply();
        workspace.plan().assert_empty();
        let rows = warehouse.sql("governed", "SELECT impersonation_key FROM immuta_system.impersonation");
        assert_eq!(rows.len(), 1);
        keys.push(rows[0][0].clone().unwrap_or_default());
    }
    assert_ne!(keys[0], keys[1]);
    let texts = format!("{:?} {}", warehouse.statements(), workspace.state());
    for key in &keys {
        assert!(key.len() == 64 && !texts.contains(key), "the key {key} is in a text");
    }
    assert!(warehouse.statements().iter().any(|sql| sql.contains("random()")), "it was drawn there");
    assert!(
        warehouse.sql("governed", "SELECT count(*) FROM pg_class WHERE relname = 'key_draws'")[0][0].as_deref()
            == Some("0")
    );
    let script = workspace.values("redshift_integration.i")["scripts"]["create"]["sql"].to_string();
    assert!(script.contains("random()") && !script.contains("openssl"), "{script}");
    workspace.destroy();
}

/// Ann makes a procedure that runs with her rights and calls ours, and gives it to Bob.
pub(crate) fn anns_procedure_lets_in_bob(warehouse: &Warehouse, password: &str) {
    warehouse.sql("governed", "CREATE SCHEMA anns");
    warehouse.sql("governed", "GRANT ALL ON SCHEMA anns TO ann");
    warehouse.sql("governed", "GRANT USAGE ON SCHEMA anns TO PUBLIC");
    let calls = "CREATE OR REPLACE PROCEDURE anns.lets_in(target IN varchar(256)) AS $$ BEGIN \
        CALL immuta_procedures.impersonate_user(target); END; $$ LANGUAGE plpgsql SECURITY DEFINER";
    warehouse.sql_as("ann", password, "governed", calls).expect("ann may make procedures");
    warehouse.sql("governed", "GRANT EXECUTE ON PROCEDURE anns.lets_in(varchar) TO bob");
}

/// Whoever signed in has to be a member, also when a member's own procedure calls for him; and a caller's temporary tables
/// are not taken for the managed ones.
///
/// Proves: I24
#[test]
fn a_member_cannot_let_others_in_and_nothing_of_the_callers_is_taken_for_ours() {
    let warehouse = Warehouse::start();
    for name in ["ann", "bob", "cat"] {
        warehouse.sql("dev", &format!("CREATE USER {name} PASSWORD '{PASSWORD}'"));
    }
    let workspace = Workspace::on(&warehouse);
    workspace.write(&integration(&format!("{USER}{ACTS}")));
    workspace.apply();
    for name in ["ann", "bob", "cat"] {
        warehouse.sql("governed", &format!("INSERT INTO immuta_system.profile (immuta__userid) VALUES ('{name}')"));
    }
    warehouse.sql("dev", "ALTER GROUP immuta_impersonator_role ADD USER ann");
    anns_procedure_lets_in_bob(&warehouse, PASSWORD);

    let seen = "SELECT immuta__userid FROM immuta_system.user_profile";
    let mut bob = warehouse.sit("bob", PASSWORD, "governed");
    let refused = bob.sql("CALL anns.lets_in('cat')").expect_err("bob is no member");
    assert!(refused.contains("user bob may not act for others"), "{refused}");
    assert_eq!(bob.value(seen), "bob");

    let mut ann = warehouse.sit("ann", PASSWORD, "governed");
    ann.sql("CREATE TEMP TABLE profile (immuta__userid varchar(256))").expect("temporary tables are for all");
    ann.sql("INSERT INTO profile VALUES ('nobody')").expect("it is hers");
    ann.sql("CREATE TEMP TABLE impersonation (impersonation_key varchar(64))").expect("temporary tables are for all");
    let unknown = ann.sql("CALL immuta_procedures.impersonate_user('nobody')").expect_err("is in her table only");
    assert!(unknown.contains("user nobody is not known here"), "{unknown}");
    ann.sql("CALL immuta_procedures.impersonate_user('cat')").expect("a member may");
    assert_eq!(ann.value(seen), "cat");
    warehouse.sql("governed", "DROP SCHEMA anns CASCADE");
    workspace.destroy();
}

/// What somebody made of the procedure is seen and put right.
#[test]
fn the_procedure_is_kept_as_it_was_made() {
    let warehouse = Warehouse::start();
    let workspace = Workspace::on(&warehouse);
    workspace.write(&integration(&format!("{USER}{ACTS}")));
    workspace.apply();
    let procedure = "immuta_procedures.impersonate_user(target IN varchar(256))";
    let source = warehouse.sql("governed", "SELECT prosrc::varchar FROM pg_proc WHERE proname = 'impersonate_user'");
    let source = source[0][0].clone().unwrap_or_default();
    for (options, what) in [
        ("SET search_path = pg_catalog", "SECURITY DEFINER taken away"),
        ("SECURITY DEFINER", "search_path taken away"),
        ("SECURITY DEFINER SET search_path = immuta_system", "another search_path"),
    ] {
        let change = format!("CREATE OR REPLACE PROCEDURE {procedure} AS $${source}$$ LANGUAGE plpgsql {options}");
        warehouse.run_all("governed", &["SET SESSION AUTHORIZATION 'immuta_system_user'".into(), change]).expect(what);
        let plan = workspace.plan();
        assert_eq!(plan.changes()["redshift_integration.i"], ["update"], "{what}");
        workspace.apply();
        workspace.plan().assert_empty();
    }
    let other = "CREATE PROCEDURE immuta_procedures.impersonate_user(target IN integer) AS $$ BEGIN RETURN; END; $$ LANGUAGE plpgsql";
    warehouse
        .run_all("governed", &["SET SESSION AUTHORIZATION 'immuta_system_user'".into(), other.into()])
        .expect("an overload");
    let plan = workspace.plan();
    let surplus = plan.change("redshift_integration.i")["before"]["surplus"].to_string();
    assert!(surplus.contains("impersonate_user(integer)"), "{surplus}");
    workspace.apply();
    workspace.plan().assert_empty();
    workspace.destroy();
}

/// Whatever somebody with rights does to marker, lock, view or profile: the plan shows it, an apply puts it right, and a
/// destroy that is forced gets rid of it.
#[test]
fn nothing_that_is_altered_jams_an_integration() {
    let warehouse = Warehouse::start();
    warehouse.sql("dev", "CREATE USER other PASSWORD DISABLE");
    let before = warehouse.dump_all();
    let workspace = Workspace::on(&warehouse);
    let (config, forced) = (integration(&format!("{USER}{ACTS}")), integration(&format!("{USER}{ACTS}{FORCE}")));
    let marker = "immuta_system.integration";
    let drifts: [&[&str]; 11] = [
        &["DROP TABLE immuta_lock.integration_lock"],
        &["DROP TABLE immuta_lock.integration_lock", "CREATE VIEW immuta_lock.integration_lock AS SELECT 1 AS a"],
        &["INSERT INTO immuta_system.integration SELECT * FROM immuta_system.integration"],
        &["UPDATE immuta_system.integration SET status = 'banana'"],
        &["UPDATE immuta_system.integration SET made = 'no json'"],
        &["UPDATE immuta_system.integration SET id = 'another'"],
        &["DROP TABLE immuta_system.integration"],
        &["ALTER TABLE immuta_system.integration OWNER TO other"],
        &["ALTER SCHEMA immuta_system OWNER TO other"],
        &["DROP VIEW immuta_system.user_profile", "CREATE TABLE immuta_system.user_profile (x integer)"],
        &[
            "DROP VIEW immuta_system.user_profile",
            "DROP TABLE immuta_system.profile",
            "CREATE VIEW immuta_system.profile AS SELECT 1 AS x",
        ],
    ];
    for drift in sampled(drifts, 3) {
        workspace.write(&config);
        workspace.apply();
        drift.iter().for_each(|statement| drop(warehouse.sql("governed", statement)));
        let plan = workspace.plan();
        assert_eq!(plan.changes()["redshift_integration.i"], ["update"], "{drift:?}");
        workspace.apply();
        workspace.plan().assert_empty();
        let rows = warehouse.sql("governed", &format!("SELECT count(*) FROM {marker}"));
        assert_eq!(rows[0][0].as_deref(), Some("1"), "{drift:?}");
        // Again, and now it goes.
        drift.iter().for_each(|statement| drop(warehouse.sql("governed", statement)));
        workspace.write(&forced);
        workspace.run(&["apply", "-auto-approve", "-input=false", "-no-color", "-refresh=false"]);
        workspace.destroy();
        assert_eq!(warehouse.dump_all(), before, "{drift:?}");
    }
}

/// Everybody may use `<prefix>_system`, and nobody the lock.
#[test]
fn nobody_can_stand_in_front_of_the_lock() {
    let warehouse = Warehouse::start();
    warehouse.sql("dev", &format!("CREATE USER joe PASSWORD '{PASSWORD}'"));
    let workspace = Workspace::on(&warehouse);
    workspace.write(&integration(USER));
    workspace.apply();
    let mut joe = warehouse.sit("joe", PASSWORD, "governed");
    joe.sql("BEGIN").expect("begins");
    for statement in ["LOCK immuta_lock.integration_lock", "SELECT * FROM immuta_lock.integration_lock"] {
        let refused = joe.sql(statement).expect_err(statement);
        assert!(refused.contains("permission denied for schema immuta_lock"), "{refused}");
        joe.sql("ROLLBACK").expect("ends");
        joe.sql("BEGIN").expect("begins");
    }
    // A superuser who only reads it is no run.
    let mut reader = warehouse.sit(warehouse.superuser(), warehouse.password(), "governed");
    reader.sql("BEGIN").expect("begins");
    reader.sql("SELECT count(*) FROM immuta_lock.integration_lock").expect("reads");
    workspace.write(&integration(&format!("{USER}{ACTS}")));
    let told = errors(workspace.apply_problems());
    assert!(told[0].detail.contains("No run is at it, but somebody keeps"), "{told:#?}");
    assert!(told[0].detail.contains("pg_terminate_backend"), "{told:#?}");
    reader.sql("ROLLBACK").expect("ends");
    workspace.apply();
    workspace.destroy();
}

/// Proves: I22
#[test]
fn an_empty_database_is_taken_only_from_whom_is_believed_and_closed_then() {
    let warehouse = with_mallory();
    let workspace = Workspace::on(&warehouse);
    workspace.write(&integration(USER));
    warehouse.sql("dev", "ALTER USER mallory CREATEDB");
    by_mallory(&warehouse, "dev", "CREATE DATABASE governed");
    let full = warehouse.dump_all();
    let told = errors(workspace.apply_problems());
    assert!(told[0].detail.contains("belongs to user mallory"), "{told:#?}");
    assert_eq!(warehouse.dump_all(), full);
    warehouse.sql("dev", "DROP DATABASE governed");

    let before = warehouse.dump_all();
    warehouse.sql("dev", "CREATE DATABASE governed");
    workspace.apply();
    assert!(warehouse.sql_as("mallory", PASSWORD, "governed", "CREATE TABLE public.mine (a integer)").is_err());
    workspace.plan().assert_empty();
    workspace.destroy();
    assert_eq!(warehouse.dump_all(), before);
}

/// A database that was made and cannot be entered is not left behind.
#[test]
fn a_new_database_that_cannot_be_entered_is_dropped_again() {
    let warehouse = Warehouse::start();
    let workspace = Workspace::on(&warehouse);
    let before = warehouse.dump_all();
    workspace.write(&integration(USER));
    warehouse.fault(Fault::sign_in_to("governed", "28000", "no entry here").times(99));
    let told = errors(workspace.apply_problems());
    assert!(told.iter().any(|told| told.detail.contains("no entry here")), "{told:#?}");
    warehouse.clear_faults();
    assert_eq!(workspace.addresses(), Vec::<String>::new());
    assert_eq!(warehouse.dump_all(), before);
}

/// A user of the system user's name who was there before is refused, whatever is written about him.
#[test]
fn a_system_user_who_was_planted_is_refused() {
    let warehouse = Warehouse::start();
    let workspace = Workspace::on(&warehouse);
    warehouse.sql("dev", &format!("CREATE USER immuta_system_user PASSWORD '{PASSWORD}'"));
    workspace.write(&integration(USER));
    let told = errors(workspace.apply_problems());
    assert!(told[0].detail.contains("User immuta_system_user exists already"), "{told:#?}");
    warehouse.sql("dev", "DROP USER immuta_system_user");
    workspace.apply();
    // One of the name who was made since is another: what the first owned is not handed to him.
    warehouse.sql("governed", "ALTER SCHEMA immuta_functions OWNER TO awsuser");
    warehouse.sql("dev", "CREATE USER spare PASSWORD DISABLE");
    warehouse.sql("dev", "ALTER USER immuta_system_user RENAME TO former");
    warehouse.sql("dev", "ALTER USER spare RENAME TO immuta_system_user");
    let told = errors(workspace.apply_problems());
    assert!(told[0].detail.contains("another than the one that was made"), "{told:#?}");
}

/// A schema that somebody made between the tests and the transaction is his, with whatever rights he gave in it.
#[test]
fn a_schema_that_was_planted_in_time_is_refused() {
    let warehouse = with_mallory();
    let workspace = Workspace::on(&warehouse);
    let before = warehouse.dump_all();
    workspace.write(&in_lake(ACTS));
    warehouse.fault(Fault::statement("CREATE TABLE immuta_lock.key_draws", redshift_standin::Action::Stall));
    let running = workspace.start(&["apply", "-auto-approve", "-input=false", "-no-color"]);
    warehouse.wait_for_stalled(true);
    by_mallory(&warehouse, "lake", "CREATE SCHEMA immuta_procedures");
    warehouse.clear_faults();
    let told = running.wait().failed().text();
    assert!(told.contains("schema immuta_procedures (of user mallory)"), "{told}");
    warehouse.sql("lake", "DROP SCHEMA immuta_procedures");
    assert_eq!(warehouse.dump_all(), before);
}

/// Rights that stand in no list of a table's or procedure's own.
#[test]
fn rights_on_columns_and_of_roles_on_the_procedure_are_taken_back() {
    let warehouse = with_mallory();
    let workspace = Workspace::on(&warehouse);
    workspace.write(&in_lake(ACTS));
    workspace.apply();
    let key = "SELECT impersonation_key FROM immuta_system.impersonation";
    let before = warehouse.sql("lake", key);
    for statement in [
        "GRANT SELECT (impersonation_key) ON immuta_system.impersonation TO mallory",
        "GRANT EXECUTE ON PROCEDURE immuta_procedures.impersonate_user(varchar) TO ROLE prod_role",
    ] {
        warehouse.sql("lake", statement);
        let plan = workspace.plan();
        assert_eq!(plan.changes()["redshift_integration.i"], ["update"], "{statement}");
        workspace.apply();
        workspace.plan().assert_empty();
        assert!(warehouse.sql_as("mallory", PASSWORD, "lake", key).is_err(), "{statement}");
    }
    assert_ne!(warehouse.sql("lake", key), before, "whoever could read it knows the old one");
    workspace.destroy();
}
