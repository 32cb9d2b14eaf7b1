//! `redshift_integration`: what is tested before, conflicts, what a destroy refuses, and secrets.

use std::fs;

use serde_json::{Value, json};

use crate::campaign::sampled;
use crate::integration::{ACTS, USER, integration};
use crate::support::{Problem, Warehouse, Workspace};

pub(crate) const PASSWORD: &str = "Setup-secret-1";
pub(crate) const ROLE: &str = "  impersonation {\n    enabled = true\n    type    = \"role\"\n  }\n";
pub(crate) const PERMISSIONS: [&str; 4] = ["CREATE USER", "DROP USER", "ALTER USER", "CREATE ROLE"];

/// A login that is no superuser and has these rights.
pub(crate) fn login(warehouse: &Warehouse, createdb: bool, permissions: &[&str]) -> Workspace {
    let createdb = if createdb { " CREATEDB" } else { "" };
    warehouse.sql("dev", &format!("CREATE USER setup PASSWORD '{PASSWORD}'{createdb}"));
    warehouse.sql("dev", "CREATE ROLE installers");
    warehouse.sql("dev", "GRANT ROLE installers TO setup");
    for permission in permissions {
        warehouse.sql("dev", &format!("GRANT {permission} TO ROLE installers"));
    }
    let mut workspace = Workspace::on(warehouse);
    workspace.env("REDSHIFT_USER", "setup").env("REDSHIFT_PASSWORD", PASSWORD);
    workspace
}

pub(crate) fn errors(problems: Vec<Problem>) -> Vec<Problem> {
    problems.into_iter().filter(|problem| problem.severity == "error").collect()
}

/// The apply fails before anything is made, and this is among what it says.
#[track_caller]
pub(crate) fn fails_first(warehouse: &Warehouse, workspace: &Workspace, config: &str, summary: &str, words: &[&str]) {
    let before = warehouse.dump_all();
    warehouse.reset_counters();
    workspace.write(config);
    let found = errors(workspace.apply_problems());
    let summary = format!("Failed: {summary}");
    let told = found.iter().find(|problem| problem.summary == summary);
    let told = told.unwrap_or_else(|| panic!("{summary} is not told: {found:#?}"));
    for word in words {
        assert!(told.detail.contains(word), "{word}: {told:#?}");
    }
    assert_eq!(warehouse.writes(), 0, "{:?}", warehouse.statements());
    assert_eq!(warehouse.dump_all(), before);
    assert_eq!(workspace.addresses(), Vec::<String>::new());
}

fn statuses(workspace: &Workspace) -> Vec<(String, String)> {
    let values = workspace.values("redshift_integration.i");
    let text = |test: &Value, key: &str| test[key].as_str().unwrap_or_default().to_owned();
    let tests = values["validation_results"]["tests"].as_array().cloned().unwrap_or_default();
    tests.iter().map(|test| (text(test, "name"), text(test, "status"))).collect()
}

fn pairs(all: &[(&str, &str)]) -> Vec<(String, String)> {
    all.iter().map(|(name, status)| ((*name).to_owned(), (*status).to_owned())).collect()
}

pub(crate) const GRANTS: &str = "Validate Automatic Bootstrap User Grants";

/// Proves: I9, I10
#[test]
fn each_right_that_is_missing_is_named_before_anything_is_made() {
    let config = integration(&format!("{USER}{ROLE}"));
    let without_createdb = Warehouse::start();
    let workspace = login(&without_createdb, false, &PERMISSIONS);
    let summary = format!("{GRANTS}: CREATE DATABASE");
    fails_first(&without_createdb, &workspace, &config, &summary, &["setup", "ALTER USER \"setup\" CREATEDB"]);
    for missing in sampled(PERMISSIONS, 2) {
        let warehouse = Warehouse::start();
        let others: Vec<&str> = PERMISSIONS.into_iter().filter(|permission| *permission != missing).collect();
        let workspace = login(&warehouse, true, &others);
        let summary = format!("{GRANTS}: {missing}");
        fails_first(&warehouse, &workspace, &config, &summary, &["setup", &format!("GRANT {missing} TO ROLE")]);
    }
}

/// Proves: I9, I10
#[test]
fn a_login_without_any_right_is_told_all_of_them_at_once() {
    let warehouse = Warehouse::start();
    let workspace = login(&warehouse, false, &[]);
    workspace.write(&integration(&format!("{USER}{ACTS}")));
    let mut told: Vec<String> = errors(workspace.apply_problems()).into_iter().map(|problem| problem.summary).collect();
    told.sort();
    let wanted = ["ALTER USER", "CREATE DATABASE", "CREATE GROUP", "CREATE USER", "DROP USER"];
    assert_eq!(told, wanted.map(|right| format!("Failed: {GRANTS}: {right}")));
}

/// Also to a login that has all rights on it.
/// Proves: S4
#[test]
fn a_database_of_somebody_else_is_refused() {
    let warehouse = Warehouse::start();
    warehouse.sql("dev", "CREATE DATABASE governed");
    let workspace = login(&warehouse, false, &PERMISSIONS);
    let config = integration(&format!("{USER}{ROLE}  type = \"RedshiftSpectrum\"\n"));
    let summary = format!("{GRANTS}: owner of the database");
    let words = ["does not own database governed", "OWNER TO \"setup\""];
    fails_first(&warehouse, &workspace, &config, &summary, &words);
    warehouse.sql("dev", "GRANT ALL ON DATABASE governed TO setup WITH GRANT OPTION");
    fails_first(&warehouse, &workspace, &config, &summary, &words);
}

/// Proves: I22, I36
#[test]
fn what_is_there_already_is_refused_and_named() {
    let warehouse = Warehouse::start();
    let workspace = Workspace::on(&warehouse);
    let config = integration(&format!("{USER}{ACTS}"));
    let refused =
        |config: &str, summary: &str, words: &[&str]| fails_first(&warehouse, &workspace, config, summary, words);

    warehouse.sql("dev", "CREATE USER immuta_system_user PASSWORD DISABLE");
    let user = "Validate Automatic Bootstrap: Immuta System User Does Not Exist";
    refused(&config, user, &["immuta_system_user exists already"]);
    warehouse.sql("dev", "DROP USER immuta_system_user");

    warehouse.sql("dev", "CREATE GROUP immuta_impersonator_role");
    let actors = "Validate Automatic: Impersonation Role Does Not Exist";
    refused(&config, actors, &["group immuta_impersonator_role exists already"]);
    warehouse.sql("dev", "DROP GROUP immuta_impersonator_role");
    warehouse.sql("dev", "CREATE ROLE immuta_impersonator_role");
    refused(&integration(&format!("{USER}{ROLE}")), actors, &["role immuta_impersonator_role exists already"]);
    warehouse.sql("dev", "DROP ROLE immuta_impersonator_role");

    warehouse.sql("dev", "CREATE DATABASE governed");
    warehouse.sql("governed", "CREATE TABLE public.theirs (a integer)");
    let database = "Validate Automatic Bootstrap: Immuta Database Does Not Exist";
    refused(&config, database, &["not empty", "public.theirs"]);
    warehouse.sql("governed", "DROP TABLE public.theirs");

    // Somebody else's schema of that name, as a real governance tool has it.
    for table in ["profile (a integer)", "integration (a integer)"] {
        warehouse.sql("governed", "CREATE SCHEMA immuta_system");
        warehouse.sql("governed", &format!("CREATE TABLE immuta_system.{table}"));
        refused(&config, database, &["schema immuta_system without this provider's marker"]);
        let existing = integration(&format!("{USER}  type = \"RedshiftSpectrum\"\n"));
        refused(&existing, database, &["has a schema immuta_system that is not this integration's"]);
        warehouse.sql("governed", "DROP SCHEMA immuta_system CASCADE");
    }
    // Another prefix has tests of its own name.
    warehouse.sql("dev", "CREATE USER gov_system_user PASSWORD DISABLE");
    let other = "Validate Automatic Bootstrap: Gov System User Does Not Exist";
    refused(&integration(&format!("{USER}  prefix = \"gov\"\n")), other, &["gov_system_user exists already"]);
    // An empty database that is there is the integration's from then on.
    warehouse.sql("dev", "DROP DATABASE governed");
    let before = warehouse.dump_all();
    warehouse.sql("dev", "CREATE DATABASE governed");
    workspace.write(&config);
    workspace.apply();
    workspace.plan().assert_empty();
    workspace.destroy();
    assert_eq!(warehouse.dump_all(), before);
}

/// Proves: I33, I34, I35, I37, I51
#[test]
fn the_tests_and_their_statuses_are_in_state() {
    let warehouse = Warehouse::start();
    let workspace = Workspace::on(&warehouse);
    workspace.write(&integration(USER));
    workspace.apply();
    let role = "Validate Automatic: Impersonation Role Does Not Exist";
    let of_all = [
        ("Initial Validation: Basic Connection Test", "passed"),
        ("Validate Automatic Bootstrap: Immuta Database Does Not Exist", "passed"),
        ("Validate Automatic Bootstrap: Immuta System User Does Not Exist", "passed"),
        (role, "skipped"),
        ("Validate Automatic Bootstrap User Grants: superuser", "passed"),
        ("Node Type For Cross-Database Views", "skipped"),
        ("Case-Sensitive Identifiers", "passed"),
        ("Nobody Else Reaches The Managed Tables", "passed"),
    ];
    assert_eq!(statuses(&workspace), pairs(&of_all));
    let results = workspace.values("redshift_integration.i")["validation_results"].clone();
    assert_eq!(results["status"], json!("passed"));
    assert_eq!(results["tests"][0]["result"], json!("[null]"));
    assert_eq!(results["tests"][1]["result"], json!("[]"));
    assert_eq!(results["tests"][3]["result"], json!(null));

    workspace.write(&integration(&format!("{USER}{ACTS}")));
    workspace.apply();
    let after = statuses(&workspace);
    let of_edit: Vec<(&str, &str)> =
        of_all.into_iter().map(|(name, status)| (name, if name == role { "passed" } else { status })).collect();
    assert_eq!(after[..7], pairs(&of_edit)[..7]);
    assert_eq!(
        after[7..],
        pairs(&[("Impersonation key", "passed"), ("Nobody Else Reaches The Managed Tables", "passed")])
    );
    workspace.plan().assert_empty();
}

/// A group of somebody else is not taken over by an edit, which a destroy would then drop with its members.
#[test]
fn an_edit_takes_over_nobodys_group() {
    let warehouse = Warehouse::start();
    let workspace = Workspace::on(&warehouse);
    workspace.write(&integration(&format!("{USER}{ACTS}")));
    workspace.apply();
    warehouse.sql("dev", "CREATE ROLE immuta_impersonator_role");
    let before = warehouse.dump_all();
    let analysts = ACTS.replace("enabled", "name    = \"analysts\"\n    enabled");
    for (lines, what) in [(analysts.as_str(), "group analysts"), (ROLE, "role immuta_impersonator_role")] {
        workspace.write(&integration(&format!("{USER}{lines}")));
        let told = errors(workspace.apply_problems());
        assert_eq!(told.len(), 1, "{told:#?}");
        assert_eq!(told[0].summary, "Failed: Validate Automatic: Impersonation Role Does Not Exist");
        assert!(told[0].detail.contains(&format!("The {what} exists already")), "{told:#?}");
        assert_eq!(warehouse.dump_all(), before);
    }
    workspace.write(&integration(&format!("{USER}{ACTS}")));
    workspace.plan().assert_empty();
    workspace.destroy();
    assert!(warehouse.dump("dev").iter().any(|line| line.starts_with("group analysts ")));
}

/// Proves: I8, I16
#[test]
fn a_login_with_just_the_rights_has_a_whole_life() {
    let warehouse = Warehouse::start();
    let workspace = login(&warehouse, true, &PERMISSIONS);
    warehouse.sql("dev", &format!("CREATE USER ann PASSWORD '{PASSWORD}'"));
    let before = warehouse.dump_all();
    workspace.write(&integration(&format!("{USER}{ROLE}")));
    workspace.apply();
    workspace.plan().assert_empty();
    let grants = [("CREATE DATABASE", "passed"), ("CREATE USER", "passed"), ("CREATE ROLE", "passed")];
    for (right, status) in grants {
        assert!(statuses(&workspace).contains(&(format!("{GRANTS}: {right}"), status.to_owned())), "{right}");
    }
    assert!(statuses(&workspace).contains(&("Owner of the managed objects".to_owned(), "warning".to_owned())));
    let told = workspace.values("redshift_integration.i")["validation_results"].to_string();
    assert!(told.contains("The login must be kept for as long as the integration"), "{told}");
    let dropped = warehouse.sql_as(warehouse.superuser(), warehouse.password(), "governed", "DROP USER setup");
    assert!(dropped.is_err(), "it owns what it made");
    // The system user writes the profile, and members act for others.
    let as_system = |statement: &str| {
        let done = warehouse.sql_as("immuta_system_user", "System-secret-1", "governed", statement);
        done.unwrap_or_else(|error| panic!("{statement}: {error}"));
    };
    for name in ["ann", "bob"] {
        as_system(&format!("INSERT INTO immuta_system.profile VALUES ('{name}', NULL, NULL, NULL, NULL)"));
    }
    as_system("SELECT * FROM immuta_system.profile");
    as_system("CREATE TABLE immuta_functions.of_the_tool (a integer)");
    as_system("DROP TABLE immuta_functions.of_the_tool");
    warehouse.sql("dev", "GRANT ROLE immuta_impersonator_role TO ann");
    let mut ann = warehouse.sit("ann", PASSWORD, "governed");
    let own = "SELECT immuta__userid FROM immuta_system.user_profile";
    assert_eq!(ann.value(own), "ann");
    ann.sql("CALL immuta_procedures.impersonate_user('bob')").expect("a member may");
    assert_eq!(ann.value(own), "bob");
    assert!(ann.sql("SELECT * FROM immuta_system.profile").is_err());
    drop(ann);
    // Edits as this login.
    let rotated = USER.replace("secret-1", "secret-2").replace("= 1", "= 2");
    for lines in [
        rotated.clone(),
        format!("{rotated}{ROLE}"),
        format!("{rotated}{}", ROLE.replace("type ", "name = \"stewards\"\n    type ")),
    ] {
        workspace.write(&integration(&lines));
        workspace.apply();
        workspace.plan().assert_empty();
    }
    assert!(warehouse.sql_as("immuta_system_user", "System-secret-2", "governed", "SELECT 1").is_ok());
    workspace.destroy();
    assert_eq!(warehouse.dump_all(), before);
}

/// The same in a database that this login owns already, which is left as it was.
/// Proves: S4, S6, S10
#[test]
fn a_login_that_owns_the_database_has_a_whole_life_in_it() {
    let warehouse = Warehouse::start();
    let workspace = login(&warehouse, false, &PERMISSIONS);
    warehouse.sql("dev", "CREATE DATABASE governed");
    warehouse.sql("dev", "ALTER DATABASE governed OWNER TO setup");
    warehouse.sql("governed", "CREATE TABLE public.theirs (a integer)");
    warehouse.sql("dev", "REVOKE TEMP ON DATABASE governed FROM PUBLIC");
    warehouse.sql("dev", &format!("CREATE USER ann PASSWORD '{PASSWORD}'"));
    let before = warehouse.dump_all();
    let temp = || warehouse.sql_as("ann", PASSWORD, "governed", "CREATE TEMP TABLE mine (a integer)").is_ok();
    assert!(!temp());
    workspace.write(&integration(&format!("{USER}{ROLE}  type = \"RedshiftSpectrum\"\n")));
    workspace.apply();
    workspace.plan().assert_empty();
    assert!(temp(), "this login granted TEMP");
    assert!(statuses(&workspace).contains(&(format!("{GRANTS}: owner of the database"), "passed".to_owned())));
    workspace.write(&integration(&format!("{USER}  type = \"RedshiftSpectrum\"\n")));
    workspace.apply();
    workspace.plan().assert_empty();
    workspace.destroy();
    assert_eq!(warehouse.dump_all(), before);
}

/// Proves: I38, I39
#[test]
fn a_second_integration_of_a_prefix_is_a_conflict() {
    let warehouse = Warehouse::start();
    let first = Workspace::on(&warehouse);
    first.write(&integration(USER));
    first.apply();
    let id = first.values("redshift_integration.i")["id"].as_str().unwrap_or_default().to_owned();
    let words = format!("Redshift integration already exists on host {} (id = {id})", warehouse.host());
    let before = warehouse.dump_all();
    let second = Workspace::on(&warehouse);
    for (config, line) in [
        (integration(USER), "database = \"governed\""),
        (
            integration(&format!("{USER}  prefix = \"immuta\"\n")).replace("\"governed\"", "\"second\""),
            "prefix = \"immuta\"",
        ),
    ] {
        second.write(&config);
        let told = errors(second.apply_problems());
        assert_eq!(told.len(), 1, "{told:#?}");
        assert_eq!((told[0].summary.as_str(), told[0].line.as_str()), ("409 Conflict", line));
        assert!(told[0].detail.contains(&words), "{told:#?}");
        assert_eq!(second.addresses(), Vec::<String>::new());
        assert_eq!(warehouse.dump_all(), before);
    }
    // With another prefix there may be one more, also in the same warehouse.
    second.write(&integration(&format!("{USER}  prefix = \"gov\"\n")).replace("\"governed\"", "\"second\""));
    second.apply();
    second.destroy();
    assert_eq!(warehouse.dump_all(), before);
}

/// Proves: I56
#[test]
fn whoever_is_at_it_is_not_disturbed() {
    let warehouse = Warehouse::start();
    let workspace = Workspace::on(&warehouse);
    workspace.write(&integration(USER));
    workspace.apply();
    let id = workspace.values("redshift_integration.i")["id"].as_str().unwrap_or_default().to_owned();
    let before = warehouse.dump_all();
    let mut other = warehouse.sit(warehouse.superuser(), warehouse.password(), "governed");
    other.sql("BEGIN").expect("begins");
    other.sql("LOCK immuta_lock.integration_lock").expect("locks");
    let words = format!("Unable to edit integration with ID {id} in current state enabled.");
    workspace.write(&integration(&format!("{USER}{ACTS}")));
    let edited = errors(workspace.apply_problems());
    let removed = errors(workspace.destroy_problems());
    for told in [edited, removed] {
        assert_eq!(told.len(), 1, "{told:#?}");
        assert_eq!(told[0].summary, "409 Conflict");
        assert!(told[0].detail.contains(&words), "{told:#?}");
        assert!(told[0].detail.contains("user awsuser, process "), "it says who: {told:#?}");
    }
    assert_eq!(warehouse.dump_all(), before);
    other.sql("ROLLBACK").expect("ends");
    workspace.apply();
    workspace.plan().assert_empty();
    workspace.destroy();
}

/// Proves: I60
#[test]
fn a_removal_without_a_login_is_refused_in_the_documents_words() {
    let warehouse = Warehouse::start();
    let mut workspace = Workspace::on(&warehouse);
    workspace.write(&integration(USER));
    workspace.apply();
    workspace.without("REDSHIFT_PASSWORD");
    let told =
        errors(workspace.run(&["destroy", "-refresh=false", "-auto-approve", "-json", "-input=false"]).problems());
    assert_eq!(told.len(), 1, "{told:#?}");
    assert_eq!(told[0].summary, "400 Bad Request");
    let words = "Integrations that are automatically configured require privileged credentials to disable.";
    assert!(told[0].detail.contains(words), "{told:#?}");
    assert_eq!(workspace.addresses(), ["redshift_integration.i"]);
    // A login that may not read the marker has no such right either.
    warehouse.sql("dev", &format!("CREATE USER weak PASSWORD '{PASSWORD}'"));
    workspace.env("REDSHIFT_USER", "weak").env("REDSHIFT_PASSWORD", PASSWORD);
    let told = errors(workspace.destroy_problems());
    assert!(told.iter().any(|problem| problem.detail.contains(words)), "{told:#?}");
    assert_eq!(workspace.addresses(), ["redshift_integration.i"]);
}

/// A later refresh needs no privileged login.
/// Proves: I15
#[test]
fn a_login_that_cannot_see_the_marker_keeps_the_state() {
    let warehouse = Warehouse::start();
    let mut workspace = Workspace::on(&warehouse);
    workspace.write(&integration(&format!("{USER}{ROLE}")));
    workspace.apply();
    let kept = workspace.values("redshift_integration.i");
    warehouse.sql("dev", &format!("CREATE USER weak PASSWORD '{PASSWORD}'"));
    workspace.env("REDSHIFT_USER", "weak").env("REDSHIFT_PASSWORD", PASSWORD);
    let plan = workspace.plan();
    plan.assert_empty();
    assert!(plan.outcome.text().contains("The integration cannot be seen"), "{}", plan.outcome.text());
    workspace.run(&["apply", "-refresh-only", "-auto-approve", "-input=false"]).succeeded();
    assert_eq!(workspace.values("redshift_integration.i"), kept);
}

#[test]
fn what_others_put_there_is_listed_and_kept_until_it_is_forced() {
    let warehouse = Warehouse::start();
    let before = warehouse.dump_all();
    let workspace = Workspace::on(&warehouse);
    workspace.write(&integration(&format!("{USER}{ACTS}")));
    workspace.apply();
    for statement in [
        "CREATE SCHEMA reports",
        "CREATE TABLE reports.daily (a integer)",
        "CREATE TABLE public.notes (a integer)",
        "CREATE VIEW reports.mine AS SELECT immuta__userid FROM immuta_system.user_profile",
    ] {
        warehouse.sql("governed", statement);
    }
    let full = warehouse.dump_all();
    warehouse.reset_counters();
    let told = workspace.try_destroy().failed().text();
    for name in ["schema reports", "table reports.daily", "view reports.mine", "table public.notes", "force_destroy"] {
        assert!(told.contains(name), "{name}: {told}");
    }
    assert_eq!(warehouse.writes(), 0, "{:?}", warehouse.statements());
    assert_eq!(warehouse.dump_all(), full);
    workspace.write(&integration(&format!("{USER}{ACTS}  force_destroy = true\n")));
    workspace.apply();
    assert_eq!(workspace.values("redshift_integration.i")["force_destroy"], json!(true));
    assert_eq!(warehouse.dump_all(), full, "the flag runs no SQL");
    workspace.destroy();
    assert_eq!(warehouse.dump_all(), before);
}

/// The flag is kept even where the rest of the update fails.
#[test]
fn force_is_saved_though_the_update_fails() {
    let warehouse = Warehouse::start();
    let before = warehouse.dump_all();
    let workspace = Workspace::on(&warehouse);
    workspace.write(&integration(USER));
    workspace.apply();
    warehouse.sql("governed", "CREATE SCHEMA reports");
    workspace.try_destroy().failed();
    warehouse.fault(redshift_standin::Fault::error("CREATE GROUP", "XX000", "1023 not serializable").times(20));
    workspace.write(&integration(&format!("{USER}{ACTS}  force_destroy = true\n")));
    workspace.try_apply().failed();
    warehouse.clear_faults();
    let values = workspace.values("redshift_integration.i");
    assert_eq!((&values["force_destroy"], &values["status"]), (&json!(true), &json!("editError")));
    assert!(!workspace.plan().changes().is_empty(), "an update that failed is not done");
    workspace.destroy();
    assert_eq!(warehouse.dump_all(), before);
}

#[test]
fn what_the_system_user_owns_elsewhere_blocks_until_it_is_handed_over() {
    let warehouse = Warehouse::start();
    warehouse.sql("dev", "CREATE DATABASE mart");
    warehouse.sql("mart", "CREATE TABLE public.daily (a integer)");
    let workspace = Workspace::on(&warehouse);
    workspace.write(&integration(USER));
    workspace.apply();
    warehouse.sql("mart", "ALTER TABLE public.daily OWNER TO immuta_system_user");
    let full = warehouse.dump_all();
    warehouse.reset_counters();
    let told = workspace.try_destroy().failed().text();
    for name in ["mart", "\"public\".\"daily\"", "force_destroy"] {
        assert!(told.contains(name), "{name}: {told}");
    }
    assert_eq!(warehouse.writes(), 0, "{:?}", warehouse.statements());
    assert_eq!(warehouse.dump_all(), full);
    workspace.write(&integration(&format!("{USER}  force_destroy = true\n")));
    workspace.apply();
    workspace.destroy();
    let owner = "SELECT u.usename FROM pg_class c JOIN pg_user u ON u.usesysid = c.relowner WHERE c.relname = 'daily'";
    assert_eq!(warehouse.sql("mart", owner), vec![vec![Some(warehouse.superuser().to_owned())]]);
    let left = "SELECT usename FROM pg_user WHERE usename = 'immuta_system_user'";
    assert_eq!(warehouse.sql("dev", left).len(), 0);
}

/// Every file of the workspace, and everything printed, without these texts.
#[track_caller]
fn nowhere(workspace: &Workspace, outputs: &[String], secrets: &[String]) {
    let mut open = vec![workspace.path().to_path_buf()];
    let mut texts: Vec<(String, Vec<u8>)> =
        outputs.iter().map(|text| (text.clone(), text.clone().into_bytes())).collect();
    while let Some(folder) = open.pop() {
        for entry in fs::read_dir(&folder).expect("reads").flatten() {
            match entry.path() {
                path if path.is_dir() => open.push(path),
                path => texts.push((path.display().to_string(), fs::read(&path).expect("reads"))),
            }
        }
    }
    for (place, text) in &texts {
        for secret in secrets {
            assert!(!text.windows(secret.len()).any(|part| part == secret.as_bytes()), "{secret}: {place}");
        }
    }
}

fn stored(user: &str, password: &str) -> String {
    use md5::{Digest, Md5};
    Md5::digest(format!("{password}{user}")).iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Proves: I15, I26, I48
#[test]
fn no_password_and_no_key_is_written_anywhere() {
    const CANARY: &str = "Canary-5e1d7a";
    let warehouse = Warehouse::start();
    let before = warehouse.dump_all();
    let mut workspace = Workspace::on(&warehouse);
    let log = workspace.log("TRACE");
    for (name, value) in warehouse.aws_environment() {
        workspace.env(&name, &value);
    }
    let (parameter, secret) = (format!("{CANARY}-Par1"), format!("{CANARY}-Sec1"));
    warehouse.aws().put_parameter("/governed/system", true, &parameter);
    let held = json!({ "password": secret }).to_string();
    warehouse.aws().put_secret("governed-system", redshift_standin::SecretValue::Text(held));
    workspace.env("TF_VAR_system", &format!("{CANARY}-Var1"));
    let variable = "variable \"system\" {\n  type      = string\n  ephemeral = true\n}\n";
    let output = "output \"all\" {\n  value = [redshift_integration.i.scripts, redshift_integration.i.config]\n}\n";
    let mut secrets = vec![CANARY.to_owned(), stored("awsuser", warehouse.password())];
    let mut outputs = Vec::new();
    for (source, password) in [
        ("password_wo = var.system\n    password_wo_version = 1", format!("{CANARY}-Var1")),
        ("password_ssm_parameter = \"/governed/system\"", parameter),
        ("secret_id = \"governed-system\"", secret),
    ] {
        let block = format!("  system_user {{\n    {source}\n  }}\n");
        workspace.write(&format!("{variable}{output}{}", integration(&format!("{block}{ACTS}"))));
        let plan = workspace.plan();
        outputs.extend([plan.outcome.stdout.clone(), plan.outcome.stderr.clone(), plan.json().to_string()]);
        let applied = workspace.apply();
        outputs.extend([applied.stdout, applied.stderr, workspace.state().to_string()]);
        let signed_in = warehouse.sql_as("immuta_system_user", &password, "governed", "SELECT 1");
        assert!(signed_in.is_ok(), "{source}: {signed_in:?}");
        secrets.push(stored("immuta_system_user", &password));
        workspace.plan().assert_empty();
    }
    let key = warehouse.sql("governed", "SELECT impersonation_key FROM immuta_system.impersonation");
    let key = key[0][0].clone().unwrap_or_default();
    assert_eq!(key.len(), 64);
    secrets.push(key);
    let config = workspace.values("redshift_integration.i")["config"].as_str().unwrap_or_default().to_owned();
    let config: Value = serde_json::from_str(&config).expect("JSON");
    assert_eq!(config["config"]["username"], json!("<REDACTED>"));
    assert_eq!(config["config"]["password"], json!("<REDACTED>"));
    // A statement with a secret that fails is shown without it.
    warehouse.fault(redshift_standin::Fault::error("ALTER USER", "42501", "permission denied"));
    let again = "  system_user {\n    password_wo = var.system\n    password_wo_version = 2\n  }\n";
    workspace.write(&format!("{variable}{output}{}", integration(&format!("{again}{ACTS}"))));
    let failed = workspace.try_apply().failed();
    assert!(failed.text().contains("<REDACTED>"), "{}", failed.text());
    outputs.extend([failed.stdout, failed.stderr]);
    warehouse.clear_faults();
    let destroyed = workspace.destroy();
    outputs.extend([destroyed.stdout, destroyed.stderr]);
    assert!(fs::metadata(&log).is_ok_and(|file| file.len() > 10_000), "the log was written");
    nowhere(&workspace, &outputs, &secrets);
    assert_eq!(warehouse.dump_all(), before);
}
