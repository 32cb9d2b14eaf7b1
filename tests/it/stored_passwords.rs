//! Users whose password AWS keeps: sent when they are made and when a newer version is there, and stored nowhere.

use redshift_standin::SecretValue;

use crate::integration::{USER, integration};
use crate::integration_checks::login;
use crate::support::{Warehouse, Workspace};

fn secret(user: &str, password: &str) -> SecretValue {
    SecretValue::Text(format!("{{\"username\":\"{user}\",\"password\":\"{password}\"}}"))
}

/// A folder whose provider signs in with a password, beside an AWS account.
fn workspace(warehouse: &Warehouse) -> Workspace {
    let mut workspace = Workspace::on(warehouse);
    for (name, value) in warehouse.aws_environment() {
        workspace.env(&name, &value);
    }
    workspace
}

fn user(name: &str, source: &str) -> String {
    format!("resource \"redshift_user\" \"tool\" {{\n  name = \"{name}\"\n  {source}\n}}\n")
}

#[track_caller]
fn signs_in(warehouse: &Warehouse, user: &str, password: &str) {
    warehouse.sql_as(user, password, "dev", "SELECT 1").unwrap_or_else(|error| panic!("{user}: {error}"));
}

/// Proves: L14, L19
#[test]
fn a_newer_version_of_a_secret_is_a_rotation() {
    let warehouse = Warehouse::start();
    let workspace = workspace(&warehouse);
    let put = |text: &str| {
        warehouse.aws().put_secret("tools/tool", secret("tool", &format!("Canary1{text}")));
        warehouse.aws().put_parameter("/tools/tool", true, &format!("Canary2{text}"));
    };
    put("first");
    for (source, number) in [("secret_id = \"tools/tool\"", 1), ("password_ssm_parameter = \"/tools/tool\"", 2)] {
        put("first");
        workspace.write(&user("tool", source));
        workspace.apply();
        signs_in(&warehouse, "tool", &format!("Canary{number}first"));
        workspace.plan().assert_empty();

        put("second");
        let plan = workspace.plan();
        assert_eq!(plan.changes()["redshift_user.tool"], ["update"], "{source}");
        assert_eq!(plan.change("redshift_user.tool")["after_unknown"]["password_version"], true);
        signs_in(&warehouse, "tool", &format!("Canary{number}first"));
        workspace.apply();
        signs_in(&warehouse, "tool", &format!("Canary{number}second"));
        workspace.plan().assert_empty();

        workspace.write(&user("renamed", source));
        warehouse.aws().put_secret("tools/tool", secret("renamed", "Canary1third"));
        warehouse.aws().put_parameter("/tools/tool", true, "Canary2third");
        workspace.apply();
        signs_in(&warehouse, "renamed", &format!("Canary{number}third"));
        workspace.plan().assert_empty();
        assert!(!workspace.state().to_string().contains("Canary"), "no password is in state");
        workspace.destroy();
    }
}

#[test]
fn without_its_source_a_password_is_disabled_and_a_failed_look_up_changes_nothing() {
    let warehouse = Warehouse::start();
    let workspace = workspace(&warehouse);
    warehouse.aws().put_secret("tools/tool", secret("tool", "Canary123"));
    workspace.write(&user("tool", "secret_id = \"tools/tool\""));
    workspace.apply();
    let version = workspace.values("redshift_user.tool")["password_version"].clone();
    assert!(version.as_str().is_some_and(|text| text.starts_with("secret:")), "{version}");
    warehouse.aws().remove_secret("tools/tool");
    let plan = workspace.plan();
    plan.assert_empty();
    assert!(plan.outcome.text().contains("AWS refused secretsmanager:GetSecretValue"), "{}", plan.outcome.text());
    workspace.write(&user("tool", ""));
    assert_eq!(workspace.plan().changes()["redshift_user.tool"], ["update"]);
    workspace.apply();
    assert!(warehouse.sql_as("tool", "Canary123", "dev", "SELECT 1").is_err(), "the password is disabled");
    workspace.plan().assert_empty();
}

/// Proves: L15
#[test]
fn what_is_no_password_for_the_user_is_refused_and_makes_nobody() {
    let warehouse = Warehouse::start();
    let workspace = workspace(&warehouse);
    let by_secret = || user("tool", "secret_id = \"s\"");
    for (value, words) in [
        (secret("other", "Canary123"), "The secret is for user \"other\""),
        (secret("tool", "weak"), "breaks Redshift's rules"),
        (SecretValue::Text("{\"username\":\"tool\"}".into()), "has no field \"password\""),
        (SecretValue::Text("Canary123".into()), "is no JSON object"),
        (SecretValue::Binary(b"Canary123".to_vec()), "it is binary"),
    ] {
        warehouse.aws().put_secret("s", value);
        workspace.write(&by_secret());
        let problems = workspace.apply_problems();
        let errors: Vec<_> = problems.iter().filter(|problem| problem.severity == "error").collect();
        assert_eq!(errors.len(), 1, "{problems:#?}");
        assert!(errors[0].detail.contains(words), "{errors:#?}");
        assert!(!format!("{problems:?}").contains("Canary"), "{problems:?}");
    }
    warehouse.aws().put_parameter("/p", false, "Canary123");
    workspace.write(&user("tool", "password_ssm_parameter = \"/p\""));
    assert!(workspace.try_apply().failed().text().contains("Make it a SecureString"));
    assert!(warehouse.sql("dev", "SELECT usename FROM pg_user WHERE usename = 'tool'").is_empty());
    let both = user("tool", "secret_id = \"s\"\n  password_ssm_parameter = \"/p\"");
    workspace.refused(&both);
}

/// The first version after an import is recorded, and the password left as it is.
#[test]
fn a_secret_after_an_import_is_recorded() {
    let warehouse = Warehouse::start();
    let workspace = workspace(&warehouse);
    warehouse.sql("dev", "CREATE USER tool PASSWORD 'Before123'");
    warehouse.aws().put_secret("s", secret("tool", "Canary123"));
    workspace.write(&user("tool", "secret_id = \"s\""));
    let id = format!("redshift://{}:{}#user/tool", warehouse.host(), warehouse.port());
    workspace.import("redshift_user.tool", &id).succeeded();
    let applied = workspace.apply();
    assert!(applied.text().contains("The password was not sent"), "{}", applied.text());
    signs_in(&warehouse, "tool", "Before123");
    workspace.plan().assert_empty();
    warehouse.aws().put_secret("s", secret("tool", "Canary456"));
    workspace.apply();
    signs_in(&warehouse, "tool", "Canary456");
    workspace.plan().assert_empty();
}

/// The password of an integration's system user rotates as any other.
///
/// Proves: I54, L14
#[test]
fn a_newer_version_is_sent_to_the_system_user_of_an_integration() {
    let warehouse = Warehouse::start();
    let workspace = workspace(&warehouse);
    let put = |text: &str| {
        warehouse.aws().put_secret("tools/system", secret("immuta_system_user", &format!("Canary1{text}")));
        warehouse.aws().put_parameter("/tools/system", true, &format!("Canary2{text}"));
    };
    let by_hand = "password_wo = \"Canary3first\"\n    password_wo_version = 7";
    for (source, number) in [("secret_id = \"tools/system\"", 1), ("password_ssm_parameter = \"/tools/system\"", 2)] {
        put("first");
        workspace.write(&integration(&format!("  system_user {{\n    {source}\n  }}\n")));
        workspace.apply();
        signs_in(&warehouse, "immuta_system_user", &format!("Canary{number}first"));
        workspace.plan().assert_empty();

        put("second");
        let plan = workspace.plan();
        assert_eq!(plan.changes()["redshift_integration.i"], ["update"], "{source}");
        assert_eq!(plan.change("redshift_integration.i")["after_unknown"]["password_version"], true);
        workspace.apply();
        signs_in(&warehouse, "immuta_system_user", &format!("Canary{number}second"));
        workspace.plan().assert_empty();

        workspace.write(&integration(&format!("  system_user {{\n    {by_hand}\n  }}\n")));
        workspace.apply();
        signs_in(&warehouse, "immuta_system_user", "Canary3first");
        assert_eq!(workspace.values("redshift_integration.i")["password_version"], "7");
        workspace.plan().assert_empty();
        workspace.destroy();
    }
}

/// Proves: I26
#[test]
fn a_system_user_that_is_made_again_gets_its_password() {
    let warehouse = Warehouse::start();
    let workspace = login(&warehouse, true, &["CREATE USER", "DROP USER", "ALTER USER"]);
    workspace.write(&integration(USER));
    workspace.apply();
    // The login owns what is managed, so nothing but rights keeps the user.
    let mut owned = warehouse.sit("setup", "Setup-secret-1", "governed");
    for schema in ["immuta_system", "immuta_functions", "immuta_procedures"] {
        owned.sql(&format!("REVOKE ALL ON ALL TABLES IN SCHEMA {schema} FROM immuta_system_user")).expect("revokes");
        owned.sql(&format!("REVOKE ALL ON SCHEMA {schema} FROM immuta_system_user")).expect("revokes");
    }
    owned.sql("REVOKE ALL ON DATABASE governed FROM immuta_system_user").expect("revokes");
    drop(owned);
    warehouse.sql("governed", "DROP USER immuta_system_user");
    let plan = workspace.plan();
    assert_eq!(plan.changes()["redshift_integration.i"], ["update"]);
    workspace.apply();
    warehouse.sql_as("immuta_system_user", "System-secret-1", "governed", "SELECT 1").expect("signs in");
    workspace.plan().assert_empty();
    workspace.destroy();
}
