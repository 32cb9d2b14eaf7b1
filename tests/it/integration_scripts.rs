//! The scripts of `redshift_integration` as texts, its type RedshiftSpectrum, its list and its import.

use serde_json::{Value, json};

use crate::campaign::sampled;
use crate::integration::{ACTS, USER, integration};
use crate::integration_manual::{EXTERNAL, assert_alike, manual, planned_scripts, run, set_up, work};
use crate::support::text::statements;
use crate::support::{Warehouse, Workspace, golden};

const ADDRESS: &str = "redshift_integration.i";
const SPECTRUM: &str = "  type = \"RedshiftSpectrum\"\n";

/// Settings of the data source, by the name of their golden files.
const GOLDEN: [(&str, &str); 6] = [
    ("redshift", ""),
    ("redshift_group", "impersonation {\n enabled = true\n }\n before = { impersonation = { enabled = false } }\n"),
    (
        "redshift_role",
        "prefix = \"gov\"\n initial_database = \"Sales \\\"x\"\n system_user_name = \"tool\"\n marker_owner = \"Jane Doe\"\n \
         impersonation {\n enabled = true\n type = \"role\"\n name = \"actors\"\n }\n \
         before = { impersonation = { enabled = true } }\n",
    ),
    (
        "redshift_no_longer",
        "before = { impersonation = { enabled = true, type = \"role\" }, marker_owner = \"jane\" }\n",
    ),
    (
        "spectrum",
        "type = \"RedshiftSpectrum\"\n impersonation {\n enabled = true\n }\n \
         external_schemas = {\n lake = { database = \"it's\", iam_role = \"default\" }\n \
         \"My Pond\" = { database = \"pond\", iam_role = \"arn:aws:iam::123456789012:role/pond\", region = \"eu-west-1\" }\n }\n \
         before = { external_schemas = { lake = { database = \"old\", iam_role = \"default\" }, gone = { database = \"gone\", iam_role = \"default\" } } }\n",
    ),
    (
        "spectrum_new_database",
        "type = \"RedshiftSpectrum\"\n create_database = true\n initial_database = \"dev\"\n \
         external_schemas = {\n lake = { database = \"lake\", iam_role = \"default\" }\n }\n",
    ),
];

/// Proves: I40, I41, I42, S15, S24
#[test]
fn the_scripts_are_known_without_a_warehouse_and_hold_no_placeholder() {
    let workspace = Workspace::new();
    let one = |(name, lines): &(&str, &str)| {
        format!(
            "data \"redshift_integration_scripts\" \"{name}\" {{\n database = \"governed\"\n{lines}}}\noutput \"{name}\" {{\n value = data.redshift_integration_scripts.{name}.scripts\n}}\n"
        )
    };
    workspace.write(&format!("provider \"redshift\" {{}}\n{}", GOLDEN.iter().map(one).collect::<String>()));
    workspace.apply();
    let all = workspace.json(&["output", "-json"]);
    for (name, lines) in GOLDEN {
        let scripts = &all[name]["value"];
        for kind in ["initial_create", "create", "edit", "delete", "cleanup"] {
            let script = &scripts[kind];
            let expected = match kind {
                "initial_create" => name != "spectrum",
                "edit" => lines.contains("before ="),
                _ => true,
            };
            assert_eq!(!script.is_null(), expected, "{name} {kind}");
            let Some(sql) = script["sql"].as_str() else { continue };
            golden(&format!("scripts/{name}_{kind}.sql"), sql);
            let list: Vec<String> = serde_json::from_value(script["statements"].clone()).expect("a list");
            assert_eq!(statements(sql), list, "{name} {kind}");
            let database = script["run_in_database"].as_str().expect("a database");
            assert!(
                sql.lines()
                    .nth(1)
                    .is_some_and(|line| line
                        .contains(&format!("Run it in database {database}, as a superuser, with autocommit on"))),
                "{sql}"
            );
            no_placeholder(sql);
        }
    }
}

/// Proves: I40, I42, I57
#[test]
fn plan_and_data_source_print_the_same_scripts_while_no_warehouse_answers() {
    let mut workspace = Workspace::new();
    workspace.env("REDSHIFT_HOST", "localhost").env("REDSHIFT_PORT", "1").env("REDSHIFT_DATABASE", "sales");
    workspace.env("REDSHIFT_USER", "nobody").env("REDSHIFT_PASSWORD", "Nobody-secret-1");
    let data = "data \"redshift_integration_scripts\" \"s\" {\n  database = \"governed\"\n  impersonation {\n    enabled = true\n  }\n}\noutput \"s\" {\n  value = data.redshift_integration_scripts.s.scripts\n}\n";
    workspace.write(&format!("{}{data}", manual(ACTS)));
    let plan = workspace.plan();
    let planned = &plan.change(ADDRESS)["after"]["scripts"];
    assert!(planned["create"]["sql"].as_str().is_some_and(|sql| sql.contains("CREATE USER")), "{planned:#}");
    assert_eq!(planned["initial_create"]["run_in_database"], json!("sales"));
    assert_eq!(plan.json()["planned_values"]["outputs"]["s"]["value"], *planned);
}

/// Nothing in quotes, and no password at all, waits to be replaced by a secret.
fn no_placeholder(sql: &str) {
    for quoted in sql.split('\'').skip(1).step_by(2) {
        let lower = quoted.to_lowercase();
        for word in ["<", ">", "{{", "changeme", "change_me", "redacted", "password", "secret", "your", "xxx", "todo"] {
            assert!(!lower.contains(word), "'{quoted}' in {sql}");
        }
    }
    for statement in statements(sql) {
        let upper = statement.to_uppercase();
        assert!(!upper.contains("PASSWORD") || upper.contains("PASSWORD DISABLE"), "{statement}");
        assert!(!upper.contains(".IMPERSONATION VALUES"), "{statement}");
    }
}

const CHANGED: &str = "  external_schemas = {\n    lake = { database = \"other\", iam_role = \"default\", region = \"eu-west-1\" }\n    pond = { database = \"pond\", iam_role = \"default\" }\n  }\n";
const FEWER: &str = "  external_schemas = {\n    pond = { database = \"pond\", iam_role = \"default\" }\n  }\n";

/// The external schemas of a warehouse, as its dump lists them.
fn external(warehouse: &Warehouse) -> Vec<String> {
    let line = |line: String| line.strip_prefix("external schema ").map(str::to_owned);
    warehouse.dump("governed").into_iter().filter_map(line).collect()
}

/// Whether everybody may make temporary tables in the managed database.
fn temp_for_all(warehouse: &Warehouse) -> bool {
    warehouse
        .dump("governed")
        .iter()
        .any(|line| line.starts_with("database governed ") && line.contains("public : TEMP"))
}

/// Proves: S2, S6, S10
#[test]
fn a_spectrum_life_in_a_database_that_was_there() {
    for revoked in sampled([false, true], 1) {
        let warehouse = Warehouse::start();
        let workspace = Workspace::on(&warehouse);
        warehouse.sql("dev", "CREATE DATABASE governed");
        warehouse.sql("governed", "CREATE SCHEMA others");
        warehouse.sql("governed", "CREATE TABLE others.orders (id integer)");
        if revoked {
            warehouse.sql("governed", "REVOKE TEMP ON DATABASE governed FROM PUBLIC");
        }
        let before = warehouse.dump_all();
        warehouse.reset_counters();
        for (lines, schemas) in [(EXTERNAL, 1), (CHANGED, 2), (FEWER, 1), ("", 0), (EXTERNAL, 1)] {
            workspace.write(&integration(&format!("{SPECTRUM}{USER}{ACTS}{lines}")));
            workspace.apply();
            workspace.plan().assert_empty();
            let found = external(&warehouse);
            assert_eq!(found.len(), schemas, "{found:#?}");
            let changed = found.iter().any(|schema| schema.starts_with("lake database=other"));
            assert_eq!(changed, lines == CHANGED, "{found:#?}");
            assert!(temp_for_all(&warehouse));
        }
        let from_public = |statement: &String| statement.starts_with("REVOKE") && statement.contains("FROM PUBLIC");
        let taken: Vec<String> = work(&warehouse).into_iter().filter(from_public).collect();
        assert_eq!(taken, Vec::<String>::new());
        workspace.destroy();
        assert_alike(&warehouse.dump_all(), &before, "in the end");
    }
}

/// What the system user made beside the marker, and was given on it, stops a destroy, and one that is forced takes it away.
#[test]
fn what_the_system_user_has_beside_the_marker_ends_with_a_destroy_that_is_forced() {
    let warehouse = Warehouse::start();
    let workspace = Workspace::on(&warehouse);
    warehouse.sql("dev", "CREATE DATABASE governed");
    let before = warehouse.dump_all();
    workspace.write(&integration(&format!("{SPECTRUM}{USER}{ACTS}")));
    workspace.apply();
    for statement in
        ["CREATE TABLE immuta_system.extra (id integer)", "CREATE VIEW immuta_system.shown AS SELECT 1 AS one"]
    {
        let statements = ["SET SESSION AUTHORIZATION 'immuta_system_user'".to_owned(), statement.to_owned()];
        warehouse.run_all("governed", &statements).expect(statement);
    }
    warehouse.sql("governed", "GRANT SELECT ON immuta_system.integration TO immuta_system_user");
    let whole = warehouse.dump_all();
    let refused = workspace.try_destroy().failed().text();
    assert!(refused.contains("immuta_system.extra"), "{refused}");
    assert_alike(&warehouse.dump_all(), &whole, "refused");
    workspace.write(&integration(&format!("{SPECTRUM}{USER}{ACTS}  force_destroy = true\n")));
    workspace.apply();
    let again = "CREATE TABLE IF NOT EXISTS immuta_system.extra (id integer)";
    let statements = ["SET SESSION AUTHORIZATION 'immuta_system_user'".to_owned(), again.to_owned()];
    warehouse.run_all("governed", &statements).expect(again);
    warehouse.sql("governed", "GRANT SELECT ON immuta_system.integration TO immuta_system_user");
    workspace.destroy();
    assert_alike(&warehouse.dump_all(), &before, "in the end");
}

/// Proves: S12, S17, S20, S21, S24
#[test]
fn a_spectrum_life_by_hand() {
    for create_database in sampled(["", "  create_database = true\n"], 1) {
        let warehouse = Warehouse::start();
        let workspace = Workspace::on(&warehouse);
        if create_database.is_empty() {
            warehouse.sql("dev", "CREATE DATABASE governed");
        }
        let before = warehouse.dump_all();
        let lines = |external: &str| manual(&format!("{SPECTRUM}{ACTS}{create_database}{external}"));
        workspace.write(&lines(EXTERNAL));
        let scripts = planned_scripts(&workspace);
        assert_eq!(scripts["initial_create"].is_null(), create_database.is_empty());
        assert_eq!(scripts["create"]["run_in_database"], json!("governed"));
        set_up(&warehouse, &scripts);
        workspace.apply();
        workspace.plan().assert_empty();
        let values = workspace.values(ADDRESS);
        assert_eq!((&values["status"], &values["validation_results"]["status"]), (&json!("enabled"), &json!("passed")));
        let first = warehouse.dump_all();
        for (external_schemas, schemas) in [(CHANGED, 2), (FEWER, 1), (EXTERNAL, 1)] {
            workspace.write(&lines(external_schemas));
            let edit = planned_scripts(&workspace)["edit"].clone();
            workspace.try_apply().failed();
            run(&warehouse, &edit);
            warehouse.reset_counters();
            workspace.apply();
            assert_eq!(work(&warehouse), Vec::<String>::new());
            workspace.plan().assert_empty();
            assert_eq!(external(&warehouse).len(), schemas);
        }
        assert_alike(&warehouse.dump_all(), &first, "back to the first settings");
        workspace.try_destroy().failed();
        run(&warehouse, &workspace.values(ADDRESS)["scripts"]["delete"]);
        workspace.destroy();
        assert_alike(&warehouse.dump_all(), &before, "in the end");
    }
}

/// Proves: S13
#[test]
fn without_a_database_to_make_there_is_no_initial_database() {
    let warehouse = Warehouse::start();
    let workspace = Workspace::on(&warehouse);
    let refused = workspace.refused(&integration(&format!("{SPECTRUM}  initial_database = \"dev\"\n")));
    assert!(refused.line.starts_with("initial_database"), "{refused:?}");
    assert!(refused.detail.contains("create_database"), "{refused:?}");
    workspace.write(&integration(&format!("{SPECTRUM}  initial_database = \"dev\"\n  create_database = true\n")));
    let before = warehouse.dump_all();
    workspace.apply();
    workspace.plan().assert_empty();
    workspace.destroy();
    assert_alike(&warehouse.dump_all(), &before, "in the end");
}

const LISTED: &str = "data \"redshift_integrations\" \"all\" {}\noutput \"all\" {\n  value = data.redshift_integrations.all.integrations\n}\n";

/// Proves: I49, I69, S2, S18
#[test]
fn integrations_are_listed_and_imported() {
    let warehouse = Warehouse::start();
    // An empty database that was there is taken.
    warehouse.sql("dev", "CREATE DATABASE adopted");
    // A governance tool's own, which is nobody's business here.
    warehouse.sql("sample", "CREATE SCHEMA theirs_system");
    let owned = format!("{ACTS}  marker_owner = \"etl\"\n");
    let spectrum = format!("{SPECTRUM}{EXTERNAL}  prefix = \"lakes\"\n  system_user {{\n    name = \"laker\"\n  }}\n");
    let adopted = "  prefix = \"third\"\n  impersonation {\n    enabled = true\n    type    = \"role\"\n    name    = \"actors\"\n  }\n";
    let each = [
        ("governed", "Redshift", "immuta", integration(&owned)),
        ("dev", "RedshiftSpectrum", "lakes", integration(&spectrum).replace("\"governed\"", "\"dev\"")),
        ("adopted", "Redshift", "third", integration(adopted).replace("\"governed\"", "\"adopted\"")),
    ];
    let mut expected = Vec::new();
    for (database, kind, prefix, configuration) in &each {
        let workspace = Workspace::on(&warehouse);
        workspace.write(configuration);
        workspace.apply();
        let id = workspace.values(ADDRESS)["id"].clone();
        for import_id in [id.as_str().expect("an id").to_owned(), format!("localhost:{}/{database}", warehouse.port())]
        {
            let elsewhere = Workspace::on(&warehouse);
            elsewhere.write(configuration);
            elsewhere.import(ADDRESS, &import_id).succeeded();
            let plan = elsewhere.plan();
            assert_eq!(plan.changes().get(ADDRESS), None, "{import_id}:\n{}", plan.outcome.stdout);
            let (made, imported) = (workspace.values(ADDRESS), elsewhere.values(ADDRESS));
            for name in ["id", "endpoint", "namespace", "status", "missing", "scripts", "config"] {
                assert_eq!(imported[name], made[name], "{name} after the import of {import_id}");
            }
        }
        expected.push(json!({ "id": id, "type": kind, "status": "enabled", "database": database, "prefix": prefix }));
    }
    expected.sort_by_key(|listed| listed["database"].to_string());
    let workspace = Workspace::on(&warehouse);
    workspace.write(&format!("provider \"redshift\" {{}}\n{LISTED}"));
    workspace.apply();
    assert_eq!(workspace.output("all"), Value::Array(expected));
    let unknown = "0".repeat(32);
    let refused = workspace.write(&each[0].3).import(ADDRESS, &unknown).failed().text();
    assert!(refused.contains(&format!("No integration \"{unknown}\"")), "{refused}");
    for id in ["0000", "redshift://localhost:5439#dev", "nowhere:0/dev"] {
        let refused = workspace.import(ADDRESS, id).failed().text();
        assert!(refused.contains("is no id of an integration") && refused.contains("host:port/database"), "{refused}");
    }
}

/// Proves: I15, I16
#[test]
fn the_login_of_the_set_up_can_be_deleted_and_later_reads_need_no_rights() {
    let warehouse = Warehouse::start();
    warehouse.sql("dev", "CREATE USER set_up PASSWORD 'Set-up-secret-1' CREATEUSER");
    warehouse.sql("dev", "CREATE USER viewer PASSWORD 'Viewer-secret-1'");
    let mut workspace = Workspace::on(&warehouse);
    workspace.env("REDSHIFT_USER", "set_up").env("REDSHIFT_PASSWORD", "Set-up-secret-1");
    let configuration = integration(&format!("{USER}{ACTS}  marker_owner = \"awsuser\"\n"));
    workspace.write(&configuration);
    workspace.apply();
    let made = workspace.values(ADDRESS);
    assert!(!workspace.state().to_string().contains("Set-up-secret-1"));
    warehouse.sql("dev", "DROP USER set_up");

    workspace.env("REDSHIFT_USER", "viewer").env("REDSHIFT_PASSWORD", "Viewer-secret-1");
    let warnings = workspace.plan_problems();
    assert!(
        warnings.iter().any(|told| told.severity == "warning" && told.summary == "The integration cannot be seen"),
        "{warnings:#?}"
    );
    workspace.plan().assert_empty();
    workspace.run(&["apply", "-refresh-only", "-auto-approve", "-input=false"]).succeeded();
    assert_eq!(workspace.values(ADDRESS), made);
    // In a list it is there, and no more.
    workspace.write(&format!("{configuration}{LISTED}"));
    workspace.apply();
    let unseen = json!({ "id": null, "type": null, "status": null, "database": "governed", "prefix": "immuta" });
    assert_eq!(workspace.output("all"), json!([unseen]));
    let refused = workspace.try_destroy().failed().text();
    assert!(refused.contains("require privileged credentials to disable"), "{refused}");

    workspace.env("REDSHIFT_USER", warehouse.superuser()).env("REDSHIFT_PASSWORD", warehouse.password());
    // The marker changes hands in place.
    workspace.write(&configuration.replace("\"awsuser\"", "\"etl\""));
    workspace.apply();
    workspace.plan().assert_empty();
    let dump = warehouse.dump("governed");
    for table in ["immuta_system.integration", "immuta_lock.integration_lock"] {
        let line = format!("relation {table} r owner=etl -");
        assert!(dump.contains(&line), "{line}");
    }
    workspace.destroy();
    assert!(!warehouse.dump_all().iter().any(|line| line.contains("immuta") || line.contains("governed")));
}
