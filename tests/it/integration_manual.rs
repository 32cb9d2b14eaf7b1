//! `redshift_integration` with `auto_bootstrap = false`: a person runs the scripts, and the provider verifies.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::campaign::sampled;
use crate::integration::{ACTS, integration};
use crate::support::{Problem, Warehouse, Workspace};

const ADDRESS: &str = "redshift_integration.i";

pub(crate) const ACTS_BY_ROLE: &str = "  impersonation {\n    enabled = true\n    type    = \"role\"\n  }\n";

pub(crate) const EXTERNAL: &str = "  external_schemas = {\n    lake = { database = \"lake\", iam_role = \"arn:aws:iam::123456789012:role/lake\" }\n  }\n";

/// The configuration of [`integration`], by hand.
pub(crate) fn manual(lines: &str) -> String {
    integration(lines).replace("auto_bootstrap = true", "auto_bootstrap = false")
}

/// The scripts as the plan shows them.
#[track_caller]
pub(crate) fn planned_scripts(workspace: &Workspace) -> Value {
    let plan = workspace.plan();
    let change = plan.change(ADDRESS);
    assert_eq!(change["after_unknown"]["scripts"].as_bool(), None, "{change:#}");
    change["after"]["scripts"].clone()
}

/// Runs a script as it is printed, by psql, in the database it names.
#[track_caller]
pub(crate) fn run(warehouse: &Warehouse, script: &Value) {
    let text = |key: &str| script[key].as_str().unwrap_or_else(|| panic!("{key} of {script}"));
    assert_eq!(script["autocommit"], json!(true));
    warehouse
        .run_script(text("run_in_database"), text("sql"))
        .unwrap_or_else(|error| panic!("{error}\n{}", text("sql")));
}

/// Runs the statements of a script one by one.
#[track_caller]
pub(crate) fn run_statements(warehouse: &Warehouse, script: &Value) {
    let statements: Vec<String> = serde_json::from_value(script["statements"].clone()).expect("a list of texts");
    let database = script["run_in_database"].as_str().expect("a database");
    warehouse.run_all(database, &statements).unwrap_or_else(|error| panic!("{error}"));
}

/// Runs what makes an integration.
#[track_caller]
pub(crate) fn set_up(warehouse: &Warehouse, scripts: &Value) {
    if !scripts["initial_create"].is_null() {
        run(warehouse, &scripts["initial_create"]);
    }
    run(warehouse, &scripts["create"]);
}

/// What came from outside and does more than look.
pub(crate) fn work(warehouse: &Warehouse) -> Vec<String> {
    let looks = |statement: &String| ["SELECT", "SET ", "SHOW"].iter().any(|start| statement.trim().starts_with(start));
    warehouse.statements().into_iter().filter(|statement| !looks(statement)).collect()
}

/// A dump without what is stored of passwords.
pub(crate) fn dump(warehouse: &Warehouse) -> Vec<String> {
    let without = |line: String| match line.split_once("\"password\": \"md5") {
        Some((before, _)) => before.to_owned(),
        None => line,
    };
    warehouse.dump_all().into_iter().map(without).collect()
}

/// Two dumps are equal; else what is only in one of them.
#[track_caller]
pub(crate) fn assert_alike(left: &[String], right: &[String], when: &str) {
    let only = |a: &[String], b: &[String]| a.iter().filter(|line| !b.contains(line)).cloned().collect::<Vec<_>>();
    assert!(left == right, "{when}: {:#?}\nagainst {:#?}", only(left, right), only(right, left));
}

fn errors(problems: Vec<Problem>) -> Vec<Problem> {
    problems.into_iter().filter(|problem| problem.severity == "error").collect()
}

#[track_caller]
fn missing(problems: Vec<Problem>) -> BTreeSet<String> {
    let errors = errors(problems);
    assert_eq!(errors.len(), 1, "one error says it all: {errors:#?}");
    let Problem { summary, detail, .. } = &errors[0];
    assert!(
        summary == "The integration is not complete" || summary == "The scripts of the integration were not run yet",
        "{errors:#?}"
    );
    let (_, list) = detail.split_once(" - ").unwrap_or_else(|| panic!("{detail}"));
    let (list, next) = list.split_once(" Run ").unwrap_or_else(|| panic!("{detail}"));
    assert!(next.contains("scripts.create") && next.contains("terraform show -json"), "{detail}");
    let lines: Vec<String> = list.split(" - ").map(str::to_owned).collect();
    let missing: BTreeSet<String> = lines.iter().cloned().collect();
    assert_eq!(missing.len(), lines.len(), "each is told once: {detail}");
    missing
}

/// Proves: I18, I40, I42, I43, I62
#[test]
fn a_life_by_hand_leaves_the_warehouse_as_it_was() {
    let warehouse = Warehouse::start();
    let workspace = Workspace::on(&warehouse);
    let before = warehouse.dump_all();
    workspace.write(&manual(ACTS));
    let scripts = planned_scripts(&workspace);
    assert_eq!(scripts["initial_create"]["run_in_database"], json!("dev"));
    assert_eq!(scripts["create"]["run_in_database"], json!("governed"));
    assert_eq!(scripts["edit"], Value::Null);

    let told = missing(workspace.apply_problems());
    for what in
        ["database governed", "user immuta_system_user", "group immuta_impersonator_role", "schema immuta_functions"]
    {
        assert!(told.contains(what), "{what} of {told:#?}");
    }
    assert!(workspace.addresses().is_empty(), "{:?}", workspace.addresses());
    assert_alike(&warehouse.dump_all(), &before, "in the end");

    run(&warehouse, &scripts["initial_create"]);
    warehouse.reset_counters();
    let told = missing(workspace.apply_problems());
    assert!(
        !told.contains("database governed") && told.contains("the marker in immuta_system.integration"),
        "{told:#?}"
    );
    assert!(workspace.addresses().is_empty(), "{:?}", workspace.addresses());
    assert_eq!(work(&warehouse), [] as [&str; 0]);

    run(&warehouse, &scripts["create"]);
    warehouse.reset_counters();
    workspace.apply();
    workspace.plan().assert_empty();
    let values = workspace.values(ADDRESS);
    assert_eq!(values["status"], json!("enabled"), "{values:#}");
    assert_eq!(values["missing"], json!([]));
    let marked = warehouse.sql("governed", "SELECT id, mode, status FROM immuta_system.integration");
    assert_eq!(json!(marked), json!([[values["id"], "manual", "enabled"]]));

    let refused = errors(workspace.destroy_problems());
    let [refused] = refused.as_slice() else { panic!("{refused:#?}") };
    assert_eq!(refused.summary, "The integration is still there");
    for statement in scripts["delete"]["statements"].as_array().expect("a list") {
        let statement = statement.as_str().expect("a text");
        assert!(refused.detail.contains(statement), "{statement} of {}", refused.detail);
    }
    assert_eq!(workspace.addresses(), [ADDRESS]);
    assert_eq!(work(&warehouse), Vec::<String>::new());
    run(&warehouse, &values["scripts"]["delete"]);
    workspace.destroy();
    assert_alike(&warehouse.dump_all(), &before, "in the end");
}

/// Proves: I41
#[test]
fn statements_one_by_one_do_the_same_and_what_is_left_can_be_cleaned_up() {
    let warehouse = Warehouse::start();
    let workspace = Workspace::on(&warehouse);
    let before = warehouse.dump_all();
    workspace.write(&manual(&format!("{ACTS_BY_ROLE}  abandon_on_destroy = true\n")));
    let scripts = planned_scripts(&workspace);
    run_statements(&warehouse, &scripts["initial_create"]);
    run_statements(&warehouse, &scripts["create"]);
    warehouse.reset_counters();
    workspace.apply();
    workspace.plan().assert_empty();
    let made = warehouse.dump_all();
    let told = workspace.destroy_problems();
    assert!(
        told.iter().any(|problem| problem.severity == "warning" && problem.text().contains("left in the warehouse")),
        "{told:#?}"
    );
    assert!(workspace.addresses().is_empty());
    assert_alike(&warehouse.dump_all(), &made, "nothing was done");
    assert_eq!(work(&warehouse), Vec::<String>::new());
    run(&warehouse, &scripts["cleanup"]);
    assert_alike(&warehouse.dump_all(), &before, "in the end");
}

/// Proves: I44, S16
#[test]
fn scripts_for_other_settings_are_not_taken() {
    for kind in ["", "  type = \"RedshiftSpectrum\"\n"] {
        let warehouse = Warehouse::start();
        let workspace = Workspace::on(&warehouse);
        if !kind.is_empty() {
            warehouse.sql("dev", "CREATE DATABASE governed");
        }
        workspace.write(&manual(&format!("{kind}{ACTS}")));
        set_up(&warehouse, &planned_scripts(&workspace));
        workspace.write(&manual(kind));
        let told = errors(workspace.apply_problems());
        let [told] = told.as_slice() else { panic!("{told:#?}") };
        assert_eq!(told.summary, "The scripts were made for other settings");
        assert!(workspace.addresses().is_empty());
        workspace.write(&manual(&format!("{kind}{ACTS}")));
        workspace.apply();
    }
}

#[test]
fn what_was_made_anew_by_hand_is_another_integration() {
    let warehouse = Warehouse::start();
    let workspace = Workspace::on(&warehouse);
    workspace.write(&manual(""));
    let scripts = planned_scripts(&workspace);
    set_up(&warehouse, &scripts);
    workspace.apply();
    run(&warehouse, &scripts["delete"]);
    set_up(&warehouse, &scripts);
    assert_eq!(workspace.plan().changes()[ADDRESS], ["update"]);
    let told = errors(workspace.apply_problems());
    let [told] = told.as_slice() else { panic!("{told:#?}") };
    assert_eq!(told.summary, "Another integration is in its place");
    let id = warehouse.sql("governed", "SELECT id FROM immuta_system.integration")[0][0].clone().expect("an id");
    assert!(told.detail.contains(&id), "{told:?}");
    workspace.run(&["state", "rm", ADDRESS]).succeeded();
    workspace.import(ADDRESS, &id).succeeded();
    workspace.plan().assert_empty();
}

/// Proves: I57, I58
#[test]
fn edits_by_script() {
    let warehouse = Warehouse::start();
    let workspace = Workspace::on(&warehouse);
    let before = warehouse.dump_all();
    workspace.write(&manual(""));
    set_up(&warehouse, &planned_scripts(&workspace));
    workspace.apply();
    let plain = warehouse.dump_all();
    let renamed = ACTS.replace("= true", "= true\n    name    = \"actors\"");
    let again = ACTS_BY_ROLE.replace("= true", "= true\n    name    = \"acting\"");
    for lines in sampled([ACTS, &renamed, ACTS_BY_ROLE, &again], 2).into_iter().chain([""]) {
        workspace.write(&manual(lines));
        let prior = workspace.values(ADDRESS);
        let plan = workspace.plan();
        assert_eq!(plan.changes()[ADDRESS], ["update"], "{lines}");
        let edit = plan.change(ADDRESS)["after"]["scripts"]["edit"].clone();
        warehouse.reset_counters();
        let told = errors(workspace.apply_problems());
        assert!(told.iter().any(|problem| problem.summary == "The scripts were made for other settings"), "{told:#?}");
        let kept = workspace.values(ADDRESS);
        for (name, value) in prior.as_object().expect("values") {
            assert_eq!(kept[name], *value, "{name} after a failed update to {lines}");
        }
        assert_eq!(work(&warehouse), Vec::<String>::new());

        run(&warehouse, &edit);
        warehouse.reset_counters();
        workspace.apply();
        assert_eq!(work(&warehouse), Vec::<String>::new());
        let values = workspace.values(ADDRESS);
        assert_eq!((&values["status"], &values["missing"]), (&json!("enabled"), &json!([])), "{lines}");
        workspace.plan().assert_empty();

        // What an edit leads to is what the settings lead to from the start.
        let fresh = Warehouse::start();
        let elsewhere = Workspace::on(&fresh);
        elsewhere.write(&manual(lines));
        set_up(&fresh, &planned_scripts(&elsewhere));
        assert_alike(&dump(&warehouse), &dump(&fresh), lines);
    }
    assert_alike(&warehouse.dump_all(), &plain, "back to the first settings");
    run(&warehouse, &workspace.values(ADDRESS)["scripts"]["delete"]);
    workspace.destroy();
    assert_alike(&warehouse.dump_all(), &before, "in the end");
}

/// Proves: I20, I53
#[test]
fn who_does_the_work_changes_in_place_without_sql() {
    let warehouse = Warehouse::start();
    let workspace = Workspace::on(&warehouse);
    let before = warehouse.dump_all();
    workspace.write(&manual(ACTS));
    set_up(&warehouse, &planned_scripts(&workspace));
    workspace.apply();
    let made = warehouse.dump_all();
    for configuration in [integration(ACTS), manual(ACTS), integration(ACTS)] {
        workspace.write(&configuration);
        assert_eq!(workspace.plan().changes()[ADDRESS], ["update"]);
        warehouse.reset_counters();
        workspace.run(&["apply", "-refresh=false", "-auto-approve", "-input=false"]).succeeded();
        assert_eq!(warehouse.statements(), Vec::<String>::new());
        workspace.plan().assert_empty();
    }
    assert_alike(&warehouse.dump_all(), &made, "nothing was done");
    // Whoever does the work now removes it too.
    workspace.destroy();
    assert_alike(&warehouse.dump_all(), &before, "in the end");
}

/// Proves: I7, I14, S11, S15
#[test]
fn by_hand_and_by_itself_lead_to_the_same_warehouse() {
    let spectrum = "  type = \"RedshiftSpectrum\"\n";
    let kinds = [
        ("Redshift", ACTS.to_owned()),
        ("Redshift, by role", ACTS_BY_ROLE.to_owned()),
        ("Redshift, without acting", String::new()),
        ("Redshift, marker given away", format!("{ACTS}  marker_owner = \"etl\"\n")),
        ("Spectrum", format!("{spectrum}{ACTS}{EXTERNAL}")),
        ("Spectrum, new database", format!("{spectrum}{ACTS}{EXTERNAL}  create_database = true\n")),
    ];
    for (kind, lines) in sampled(kinds, 2) {
        let (by_itself, by_hand) = (Warehouse::start(), Warehouse::start());
        if kind == "Spectrum" {
            for warehouse in [&by_itself, &by_hand] {
                warehouse.sql("dev", "CREATE DATABASE governed");
            }
        }
        let before = by_itself.dump_all();
        let workspace = Workspace::on(&by_itself);
        workspace.write(&integration(&lines));
        // The plan shows a reviewer what an apply comes to.
        let scripts = planned_scripts(&workspace);
        workspace.apply();
        set_up(&by_hand, &scripts);
        assert_alike(&dump(&by_itself), &dump(&by_hand), kind);
        workspace.destroy();
        assert_alike(&by_itself.dump_all(), &before, kind);
    }
}
