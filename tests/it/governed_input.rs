//! What does not fit: one error on what is wrong, and nothing changed.

use redshift_standin::StandinOptions;
use serde_json::json;

use crate::governed::{ADDRESS, BESIDE, INTEGRATION, PASSWORD, PROFILES, RULES, seen, tables, warehouse};
use crate::support::{Problem, Warehouse, Workspace};

fn errors(problems: Vec<Problem>) -> Vec<Problem> {
    problems.into_iter().filter(|problem| problem.severity == "error").collect()
}

/// The one error of an apply, which leaves the warehouse as it is.
#[track_caller]
fn refused(warehouse: &Warehouse, workspace: &Workspace, hcl: &str) -> Problem {
    let before = warehouse.dump_all();
    workspace.write(hcl);
    let errors = errors(workspace.apply_problems());
    assert_eq!(warehouse.dump_all(), before, "{hcl}");
    let [error] = errors.as_slice() else { panic!("one error: {errors:#?}\n{hcl}") };
    error.clone()
}

/// The same, told by the plan already.
#[track_caller]
fn refused_by_the_plan(warehouse: &Warehouse, workspace: &Workspace, hcl: &str) -> Problem {
    let told = refused(warehouse, workspace, hcl);
    let planned = errors(workspace.plan_problems());
    assert!(planned.iter().any(|error| error.text() == told.text()), "{planned:#?}");
    told
}

#[test]
fn rules_that_do_not_fit_the_tables_are_told_by_the_plan() {
    let warehouse = warehouse();
    let workspace = Workspace::on(&warehouse);
    workspace.write(&format!("{BESIDE}{PROFILES}"));
    workspace.apply();
    let rule = |rule: &str| format!("{BESIDE}{PROFILES}{}", tables(rule));
    for (hcl, line, words) in [
        (
            rule("  mask {\n    columns = [\"id\"]\n    using   = \"constant\"\n    value   = \"x\"\n  }\n"),
            "value",
            "On `orders.id`",
        ),
        (
            rule(
                "  mask {\n    columns    = [\"email\"]\n    using      = \"expression\"\n    expression = \"upper(nothing)\"\n  }\n",
            ),
            "expression",
            "nothing",
        ),
        (
            rule("  row_filter {\n    tables = [\"none_*\"]\n    column = \"id\"\n    in     = \"user\"\n  }\n"),
            "tables",
            "No table matches it",
        ),
        (
            rule("  mask {\n    tags  = [\"pii\"]\n    using = \"null\"\n  }\n  tags = { pii = [\"nothing_*\"] }\n"),
            "tags",
            "No column of the tables matches it",
        ),
    ] {
        let error = refused_by_the_plan(&warehouse, &workspace, &hcl);
        assert!(error.line.starts_with(line), "{line}: {error:#?}");
        assert!(error.text().contains(words), "{words}: {error:#?}");
    }
}

#[test]
fn what_is_in_the_place_of_a_view_stays() {
    let warehouse = warehouse();
    warehouse.sql("prod", "CREATE USER eve PASSWORD 'Canary123'");
    warehouse.sql("prod", "CREATE SCHEMA gov_sales AUTHORIZATION eve");
    let workspace = Workspace::on(&warehouse);
    workspace.write(&format!("{BESIDE}{PROFILES}"));
    workspace.apply();
    let all = format!("{BESIDE}{PROFILES}{}", tables(&format!("{RULES}  view_schema = \"gov_sales\"\n")));
    let error = refused(&warehouse, &workspace, &all);
    assert_eq!(error.summary, "Schema \"gov_sales\" is somebody else's");
    assert_eq!(error.line, "view_schema = \"gov_sales\"");
    assert!(error.detail.contains("belongs to eve"), "{error:#?}");
    // One of the name that is the system user's, with something of his that nobody registered.
    warehouse.sql("prod", "DROP SCHEMA gov_sales");
    warehouse.sql("prod", "CREATE SCHEMA gov_sales AUTHORIZATION gov_system_user");
    warehouse.sql("prod", "CREATE TABLE gov_sales.people (id integer)");
    let error = refused(&warehouse, &workspace, &all);
    assert_eq!(error.summary, "The name of a view is taken: \"people\"");
    assert!(error.detail.contains("table of awsuser"), "{error:#?}");
    // A view of another registration.
    warehouse.sql("prod", "DROP TABLE gov_sales.people");
    workspace.write(&all);
    workspace.apply();
    let second = tables("")
        .replace("\"sales\" {", "\"second\" {")
        .replace("= \"sales\"\n  integration", "= \"second\"\n  integration");
    for view_name in ["{table}", "{TABLE}"] {
        let upper = second
            .replace("  readers", &format!("  view_name = \"{view_name}\"\n  readers"))
            .replace("{TABLE}", "{table}");
        let other = if view_name == "{TABLE}" {
            upper
                .replace("\"{table}\"", "\"PEOPLE\"")
                .replace("schema   = \"sales\"", "schema   = \"sales\"\n    tables   = [\"people\"]")
        } else {
            upper
        };
        let error = refused(&warehouse, &workspace, &format!("{all}{other}"));
        assert!(error.summary.starts_with("The name of a view is taken"), "{error:#?}");
        assert!(error.line.starts_with("view_name = "), "{error:#?}");
        assert!(error.detail.contains("it is a view of the registration \"sales\""), "{error:#?}");
    }
    assert_eq!(seen(&warehouse, "ann", "prod", "SELECT count(*) FROM gov_sales.people").expect("reads"), ["3"]);
}

/// Proves: I4
#[test]
fn tables_that_are_not_read_across_databases_are_told_by_the_warehouse_itself() {
    // By a password, so that AWS is not asked: EXPLAIN of each view proves it.
    let old = Warehouse::with(StandinOptions { old_nodes: true, ..StandinOptions::default() });
    old.sql("dev", "CREATE DATABASE prod");
    old.sql("dev", &format!("CREATE USER ann PASSWORD '{PASSWORD}'"));
    old.sql("prod", "CREATE SCHEMA sales");
    old.sql("prod", "CREATE TABLE sales.people (id integer, email varchar(100), phone varchar(20), tenant_id integer)");
    let all = |integration: &str, rules: &str| {
        format!("{integration}{}", tables(rules)).replace("[\"ann\", \"bob\", \"cyd\"]", "[\"ann\"]")
    };
    let workspace = Workspace::on(&old);
    workspace.write(INTEGRATION);
    workspace.apply();
    let told = |warehouse: &Warehouse, workspace: &Workspace, hcl: &str| {
        let error = refused_but_for_the_registry(warehouse, workspace, hcl);
        assert_eq!(error.summary, "The tables cannot be read from another database");
        assert!(error.line.starts_with("database = \"prod\""), "{error:#?}");
        error
    };
    let error = told(&old, &workspace, &all(INTEGRATION, RULES));
    assert!(error.detail.contains("cross-database references are not implemented"), "{error:#?}");
    assert!(error.detail.contains("RedshiftSpectrum"), "{error:#?}");
    // Beside the tables these nodes do.
    workspace.write(INTEGRATION);
    workspace.destroy();
    workspace.write(&all(BESIDE, RULES));
    workspace.apply();
    workspace.plan().assert_empty();
    workspace.destroy();

    // Others read other databases, and not every table there.
    let warehouse = warehouse();
    warehouse.sql("prod", "GRANT SELECT (id) ON TABLE sales.orders TO cyd");
    let workspace = Workspace::on(&warehouse);
    workspace.write(INTEGRATION);
    workspace.apply();
    let error = told(&warehouse, &workspace, &all(INTEGRATION, RULES));
    assert!(error.detail.contains("rights on single columns") && error.detail.contains("except_tables"), "{error:#?}");
    let without = all(INTEGRATION, RULES)
        .replace("schema   = \"sales\"", "schema   = \"sales\"\n    except_tables = [\"orders\"]");
    workspace.write(&without);
    workspace.apply();
    workspace.plan().assert_empty();
    assert_eq!(workspace.values(ADDRESS)["views"], json!({ "people": "sales.people" }));
    // A view that binds late shows no columns, so it is not offered, and the plan says so.
    warehouse.sql("prod", "CREATE VIEW sales.late AS SELECT p.id FROM sales.people p WITH NO SCHEMA BINDING");
    workspace.write(&without.replace("\"hash\"", "\"null\""));
    let problems = workspace.plan_problems();
    assert!(
        problems.iter().any(|it| it.summary == "Views that are not offered" && it.detail.contains("late")),
        "{problems:#?}"
    );
}

/// The table of what is registered stays with the integration.
#[track_caller]
fn refused_but_for_the_registry(warehouse: &Warehouse, workspace: &Workspace, hcl: &str) -> Problem {
    let ours = |line: &String| !line.contains("gov_system.registration") && !line.contains("gov_system.mask_key");
    let dump = || warehouse.dump_all().into_iter().filter(ours).collect::<Vec<_>>();
    let before = dump();
    workspace.write(hcl);
    let errors = errors(workspace.apply_problems());
    assert_eq!(dump(), before, "{hcl}");
    let [error] = errors.as_slice() else { panic!("one error: {errors:#?}\n{hcl}") };
    error.clone()
}

#[test]
fn a_user_is_in_one_registration_and_one_that_is_not_there_is_named() {
    let warehouse = warehouse();
    let workspace = Workspace::on(&warehouse);
    workspace.write(&format!("{BESIDE}{PROFILES}"));
    workspace.apply();
    let second = "resource \"redshift_user_profiles\" \"second\" {\n  name            = \"second\"\n  integration_uri = redshift_integration.gov.uri\n  users = {\n    bob = { groups = [\"privacy\"] }\n    zoe = { groups = [\"privacy\"] }\n  }\n}\n";
    let error = refused(&warehouse, &workspace, &format!("{BESIDE}{PROFILES}{second}"));
    assert!(error.text().contains("bob") && error.text().contains("okta"), "{error:#?}");
    assert!(error.line.starts_with("users"), "{error:#?}");
    let alone = second.replace("    bob = { groups = [\"privacy\"] }\n", "");
    workspace.write(&format!("{BESIDE}{PROFILES}{alone}"));
    let outcome = workspace.apply();
    assert!(outcome.text().contains("Profiles of users who are not there"), "{}", outcome.text());
    workspace.plan().assert_empty();
    assert_eq!(workspace.values("redshift_user_profiles.second")["unknown_users"], json!(["zoe"]));
}
