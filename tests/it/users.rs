//! `redshift_user`: made, changed, rotated, renamed, imported and dropped.

use serde_json::json;

use crate::support::{Warehouse, Workspace};

fn user(more: &str) -> String {
    format!("provider \"redshift\" {{}}\nresource \"redshift_user\" \"tool\" {{\n  name = \"tool\"\n{more}\n}}\n")
}

const PASSWORD: &str = "  password_wo         = \"Tool-secret-1\"\n  password_wo_version = 1";

#[track_caller]
fn signs_in(warehouse: &Warehouse, name: &str, password: &str) -> bool {
    warehouse.sql_as(name, password, "dev", "SELECT 1").is_ok()
}

/// Only the hash is sent, and it is the one Redshift would have stored.
/// Proves: F5
#[test]
fn the_password_is_sent_as_a_hash_and_works() {
    let warehouse = Warehouse::start();
    let workspace = Workspace::on(&warehouse);
    workspace.write(&user(PASSWORD));
    workspace.apply();
    assert!(signs_in(&warehouse, "tool", "Tool-secret-1"));
    let sent = warehouse.statements().join("\n");
    assert!(sent.contains("CREATE USER \"tool\" PASSWORD 'md5"), "{sent}");
    assert!(!sent.contains("Tool-secret-1"));
    workspace.plan().assert_empty();
}

#[test]
fn a_new_version_rotates_the_password_and_nothing_else_does() {
    let warehouse = Warehouse::start();
    let workspace = Workspace::on(&warehouse);
    workspace.write(&user(PASSWORD));
    workspace.apply();
    workspace.write(&user(&PASSWORD.replace("secret-1", "secret-2")));
    workspace.plan().assert_empty();
    workspace.write(&user(&PASSWORD.replace("secret-1", "secret-2").replace("= 1", "= 2")));
    workspace.apply();
    assert!(signs_in(&warehouse, "tool", "Tool-secret-2"));
    assert!(!signs_in(&warehouse, "tool", "Tool-secret-1"));
    assert_eq!(workspace.values("redshift_user.tool")["password_version"], json!("2"));
    workspace.plan().assert_empty();
}

/// Clients that answer Redshift's own request can sign in, and the hash is another.
#[test]
fn the_sha256_form_works_too() {
    let warehouse = Warehouse::start();
    let workspace = Workspace::on(&warehouse);
    workspace.write(&user(&format!("{PASSWORD}\n  password_hash = \"sha256\"")));
    workspace.apply();
    assert!(warehouse.statements().iter().any(|statement| statement.contains("PASSWORD 'sha256|")));
    assert!(signs_in(&warehouse, "tool", "Tool-secret-1"));
    assert!(!signs_in(&warehouse, "tool", "Tool-secret-2"));
    workspace.plan().assert_empty();
}

/// Terraform makes the user, and a second provider signs in as him: the warehouse asks it for the digest.
#[test]
fn a_user_stored_as_sha256_signs_in_with_this_provider() {
    let warehouse = Warehouse::start();
    let mut workspace = Workspace::on(&warehouse);
    let log = workspace.log("DEBUG");
    let tool = format!("{PASSWORD}\n  password_hash = \"sha256\"");
    workspace.write(&format!(
        "{}\nprovider \"redshift\" {{\n  alias = \"tool\"\n  username = \"tool\"\n  password = \"Tool-secret-1\"\n}}\nresource \"redshift_connection\" \"tool\" {{\n  provider = redshift.tool\n  name = \"tool\"\n  depends_on = [redshift_user.tool]\n}}\n",
        user(&tool)
    ));
    workspace.apply();
    assert!(warehouse.statements().iter().any(|statement| statement.contains("PASSWORD 'sha256|")));
    assert_eq!(workspace.values("redshift_connection.tool")["database_user"], json!("tool"));
    let logged = std::fs::read_to_string(log).expect("the log");
    assert!(logged.contains("request=sha256"), "the digest was asked for");
    assert!(!logged.contains("Tool-secret-1"));
    workspace.plan().assert_empty();
    // An entry of `credentials` does it as well, and a wrong password is told as any other.
    let entry = |password: &str| {
        format!(
            "provider \"redshift\" {{\n  credentials = {{\n    \"tool@{}\" = {{ password = \"{password}\" }}\n  }}\n}}\nresource \"redshift_user\" \"tool\" {{\n  name = \"tool\"\n{tool}\n}}\nresource \"redshift_connection\" \"tool\" {{\n  name = \"tool\"\n  username = \"tool\"\n  depends_on = [redshift_user.tool]\n}}\n",
            warehouse.host()
        )
    };
    workspace.write(&entry("Tool-secret-1"));
    workspace.apply();
    assert_eq!(workspace.values("redshift_connection.tool")["database_user"], json!("tool"));
    workspace.write(&entry("Tool-secret-2"));
    let refused = workspace.plan().outcome.text();
    assert!(refused.contains("password authentication failed for user \"tool\""), "{refused}");
}

#[test]
fn without_a_password_the_user_cannot_sign_in_by_one() {
    let warehouse = Warehouse::start();
    let workspace = Workspace::on(&warehouse);
    workspace.write(&user(""));
    workspace.apply();
    assert!(warehouse.statements().iter().any(|statement| statement.contains("PASSWORD DISABLE")));
    workspace.plan().assert_empty();
    workspace.write(&user(PASSWORD));
    workspace.apply();
    assert!(signs_in(&warehouse, "tool", "Tool-secret-1"));
    workspace.write(&user(""));
    workspace.apply();
    assert!(!signs_in(&warehouse, "tool", "Tool-secret-1"), "removing every source disables the password");
    workspace.plan().assert_empty();
}

#[test]
fn a_new_name_renames_in_place_and_sends_the_password_again() {
    let warehouse = Warehouse::start();
    let workspace = Workspace::on(&warehouse);
    workspace.write(&user(PASSWORD));
    workspace.apply();
    workspace.write(&user(PASSWORD).replace("name = \"tool\"", "name = \"other\""));
    let plan = workspace.plan();
    assert_eq!(plan.changes(), [("redshift_user.tool".to_owned(), vec!["update".to_owned()])].into());
    workspace.apply();
    assert!(signs_in(&warehouse, "other", "Tool-secret-1"));
    assert_eq!(warehouse.sql("dev", "SELECT usename FROM pg_user WHERE usename = 'tool'").len(), 0);
    workspace.plan().assert_empty();
}

#[test]
fn limits_are_kept_and_their_drift_is_shown() {
    let warehouse = Warehouse::start();
    let workspace = Workspace::on(&warehouse);
    workspace.write(&user("  connection_limit = 5\n  valid_until = \"2031-01-02T03:04:05Z\""));
    workspace.apply();
    workspace.plan().assert_empty();
    warehouse.sql("dev", "ALTER USER tool CONNECTION LIMIT 7");
    let plan = workspace.plan();
    assert_eq!(plan.change("redshift_user.tool")["before"]["connection_limit"], json!(7));
    workspace.apply();
    workspace.plan().assert_empty();
    // The same instant, said otherwise, is no change of the warehouse.
    workspace.write(&user("  connection_limit = 5\n  valid_until = \"2031-01-02T04:04:05+01:00\""));
    warehouse.reset_counters();
    workspace.apply();
    assert_eq!(warehouse.writes(), 0, "{:?}", warehouse.statements());
    let lost = workspace.refused(&user("  valid_until = \"2050-01-01T00:00:00Z\""));
    assert!(lost.text().contains("32 bits") && lost.line.contains("valid_until"), "{lost:?}");
    workspace.write(&user("  valid_until = \"infinity\""));
    workspace.apply();
    workspace.plan().assert_empty();
}

#[test]
fn a_user_that_exists_is_an_error_that_shows_the_import_block() {
    let warehouse = Warehouse::start();
    warehouse.sql("dev", "CREATE USER tool PASSWORD 'By-hand-1'");
    let workspace = Workspace::on(&warehouse);
    workspace.write(&user(PASSWORD));
    let failure = workspace.try_apply().failed().text();
    let id = format!("redshift://{}:{}#user/tool", warehouse.host(), warehouse.port());
    assert!(failure.contains("import {") && failure.contains(&id), "{failure}");
    assert!(signs_in(&warehouse, "tool", "By-hand-1"), "it is left alone");
    assert_eq!(workspace.addresses(), Vec::<String>::new());
}

#[test]
fn import_leaves_the_password_alone() {
    let warehouse = Warehouse::start();
    warehouse.sql("dev", "CREATE USER tool PASSWORD 'By-hand-1'");
    let workspace = Workspace::on(&warehouse);
    let id = format!("redshift://{}:{}#user/tool", warehouse.host(), warehouse.port());
    workspace.write(&user(PASSWORD));
    workspace.import("redshift_user.tool", &id).succeeded();
    warehouse.reset_counters();
    let applied = workspace.apply();
    assert!(applied.text().contains("Warning"), "{}", applied.text());
    assert_eq!(warehouse.writes(), 0, "{:?}", warehouse.statements());
    assert!(signs_in(&warehouse, "tool", "By-hand-1"));
    workspace.plan().assert_empty();
    workspace.write(&user(&PASSWORD.replace("= 1", "= 2")));
    workspace.apply();
    assert!(signs_in(&warehouse, "tool", "Tool-secret-1"));
    // And without any password in the configuration, nothing is disabled.
    let other = Workspace::on(&warehouse);
    other.write(&user(""));
    other.import("redshift_user.tool", &id).succeeded();
    other.apply();
    assert!(signs_in(&warehouse, "tool", "Tool-secret-1"));
    other.plan().assert_empty();
}

#[test]
fn a_user_dropped_by_hand_is_made_again() {
    let warehouse = Warehouse::start();
    let workspace = Workspace::on(&warehouse);
    workspace.write(&user(PASSWORD));
    workspace.apply();
    warehouse.sql("dev", "DROP USER tool");
    let plan = workspace.plan();
    assert_eq!(plan.changes(), [("redshift_user.tool".to_owned(), vec!["create".to_owned()])].into());
    workspace.apply();
    assert!(signs_in(&warehouse, "tool", "Tool-secret-1"));
    workspace.plan().assert_empty();
}

/// Redshift itself would look in one database only, and leave the rest behind.
#[test]
fn what_a_user_owns_or_holds_elsewhere_blocks_the_drop_and_is_listed() {
    let warehouse = Warehouse::start();
    let workspace = Workspace::on(&warehouse);
    workspace.write(&user(PASSWORD));
    workspace.apply();
    warehouse.sql("dev", "CREATE DATABASE mart");
    warehouse.sql("mart", "CREATE SCHEMA reports");
    warehouse.sql("mart", "CREATE TABLE reports.daily (id integer)");
    warehouse.sql("mart", "ALTER TABLE reports.daily OWNER TO tool");
    warehouse.sql("mart", "CREATE TABLE reports.weekly (id integer)");
    warehouse.sql("mart", "GRANT SELECT ON TABLE reports.weekly TO tool");
    warehouse.reset_counters();
    let failure = workspace.try_destroy().failed().text();
    for part in ["mart", "\"reports\".\"daily\"", "\"reports\".\"weekly\"", "force_destroy"] {
        assert!(failure.contains(part), "{part}: {failure}");
    }
    assert_eq!(warehouse.writes(), 0, "nothing was changed: {:?}", warehouse.statements());
    assert_eq!(workspace.addresses(), ["redshift_user.tool"]);

    workspace.write(&user(&format!("{PASSWORD}\n  force_destroy = true")));
    workspace.apply();
    workspace.destroy();
    let owner = "SELECT u.usename FROM pg_class c JOIN pg_user u ON u.usesysid = c.relowner WHERE c.relname = 'daily'";
    assert_eq!(warehouse.sql("mart", owner), vec![vec![Some(warehouse.superuser().to_owned())]], "it was handed over");
    assert_eq!(warehouse.sql("dev", "SELECT usename FROM pg_user WHERE usename = 'tool'").len(), 0);
}

/// A database that the login cannot enter is left out by name, and a warning says so.
#[test]
fn a_database_that_is_skipped_does_not_block_the_drop() {
    let warehouse = Warehouse::start();
    let workspace = Workspace::on(&warehouse);
    workspace.write(&user(PASSWORD));
    workspace.apply();
    warehouse.sql("dev", "CREATE DATABASE mart");
    warehouse.sql("mart", "CREATE TABLE daily (id integer)");
    warehouse.sql("mart", "GRANT SELECT ON TABLE daily TO tool");
    assert!(workspace.try_destroy().failed().text().contains("mart"));
    workspace.write(&user(&format!("{PASSWORD}\n  skip_databases = [\"mart\"]")));
    workspace.apply();
    let destroyed = workspace.destroy().text();
    assert!(destroyed.contains("mart"), "{destroyed}");
    assert_eq!(warehouse.sql("dev", "SELECT usename FROM pg_user WHERE usename = 'tool'").len(), 0);
}

/// Memberships are revoked; they never block.
#[test]
fn memberships_do_not_block_the_drop() {
    let warehouse = Warehouse::start();
    let workspace = Workspace::on(&warehouse);
    workspace.write(&user(PASSWORD));
    workspace.apply();
    warehouse.sql("dev", "CREATE ROLE readers");
    warehouse.sql("dev", "GRANT ROLE readers TO tool");
    warehouse.sql("dev", "CREATE GROUP auditors WITH USER tool");
    workspace.destroy();
    assert_eq!(warehouse.sql("dev", "SELECT usename FROM pg_user WHERE usename = 'tool'").len(), 0);
}

#[test]
fn a_password_against_redshifts_rules_is_refused_before_anything_is_sent() {
    let warehouse = Warehouse::start();
    let workspace = Workspace::on(&warehouse);
    for (password, rule) in [
        ("Short-1", "8"),
        ("all-lower-case-1", "upper"),
        ("ALL-UPPER-CASE-1", "lower"),
        ("No-digit-here", "digit"),
        ("With space-1", "blanks"),
        ("With'quote-1", "'"),
    ] {
        let problem = workspace.refused(&user(&PASSWORD.replace("Tool-secret-1", password)));
        assert!(problem.detail.contains(rule), "{password}: {problem:?}");
        assert!(!problem.text().contains(password), "the password is not repeated: {problem:?}");
        assert_eq!(problem.line, "", "no source line either");
    }
    assert_eq!(warehouse.writes(), 0);
}

/// As those of a connection are.
#[test]
fn settings_that_cannot_be_are_refused_by_the_plan() {
    let warehouse = Warehouse::start();
    let workspace = Workspace::on(&warehouse);
    let arn = "arn:aws:ssm:eu-west-1:123456789012:parameter/tool";
    for (setting, value) in [
        ("secret_id", "\"\""),
        ("secret_id", "\"warehouse\\u0007tool\""),
        ("secret_id", "\"arn:aws:secretsmanager:eu-west-1\""),
        ("secret_id", &format!("\"{arn}\"")),
        ("password_ssm_parameter", "\"\""),
        ("password_ssm_parameter", "\"/warehouse\\n/tool\""),
        ("password_ssm_parameter", "\"/warehouse/\""),
        ("skip_databases", "[\"mart\", \"\"]"),
        ("skip_databases", "[\"a\\u0000b\"]"),
        ("skip_databases", "[null]"),
    ] {
        let problem = workspace.refused(&user(&format!("  {setting} = {value}")));
        assert!(problem.text().contains(setting), "{value}: {problem:?}");
    }
    for good in [
        "  secret_id = \"warehouse/tool\"".to_owned(),
        format!("  password_ssm_parameter = \"{arn}\""),
        "  skip_databases = [\"Mart 2\"]".to_owned(),
    ] {
        workspace.write(&user(&good));
        let plan = workspace.try_plan();
        assert_eq!(plan.outcome.code, 2, "{good}: {}", plan.outcome.text());
    }
    assert_eq!(warehouse.writes(), 0);
}

/// Whoever may use a view or a routine that runs with its owner's rights would gain those of the login it is handed to.
#[test]
fn what_runs_with_its_owners_rights_is_handed_to_nobody() {
    let warehouse = Warehouse::start();
    let workspace = Workspace::on(&warehouse);
    let user = |force: &str| {
        format!(
            "provider \"redshift\" {{}}\nresource \"redshift_user\" \"b\" {{\n  name = \"mallory\"\n  password_wo = \"Person-secret-1\"\n  \
             password_wo_version = 1\n{force}}}\n"
        )
    };
    workspace.write(&user("  force_destroy = true\n"));
    workspace.apply();
    warehouse.sql("dev", "CREATE SCHEMA his AUTHORIZATION mallory");
    let made = [
        "CREATE PROCEDURE his.p() AS $$ BEGIN RETURN; END; $$ LANGUAGE plpgsql SECURITY DEFINER",
        "CREATE VIEW his.v AS SELECT 1 AS a",
    ];
    for statement in made {
        warehouse.sql_as("mallory", "Person-secret-1", "dev", statement).expect(statement);
    }
    let full = warehouse.dump_all();
    let told = workspace.try_destroy().failed().text();
    for what in ["his\".\"v", "his.p()", "would gain those"] {
        assert!(told.contains(what), "{what}: {told}");
    }
    assert_eq!(warehouse.dump_all(), full);
    warehouse.sql("dev", "DROP PROCEDURE his.p()");
    warehouse.sql("dev", "DROP VIEW his.v");
    workspace.destroy();
}
