//! Profiles and protected tables of an integration that is worked on by hand: a person runs the scripts, and an apply
//! verifies.

use serde_json::{Value, json};

use crate::campaign::sampled;
use crate::governed::{ADDRESS, BESIDE, INTEGRATION, PASSWORD, PROFILES, RULES, seen, tables, warehouse};
use crate::integration_manual::{assert_alike, dump, run, set_up, work};
use crate::support::{Problem, Warehouse, Workspace};

const IDP: &str = "redshift_user_profiles.idp";

/// The same registrations, by hand.
fn by_hand(integration: &str, rest: &str) -> String {
    let database = if integration == BESIDE { "prod" } else { "governed" };
    let kind = if integration == BESIDE { "&type=RedshiftSpectrum" } else { "" };
    let uri = format!("\"redshift-integration://{database}/gov?mode=manual{kind}\"");
    format!("{integration}{}", rest.replace("redshift_integration.gov.uri", &uri))
}

/// The scripts as the plan shows them.
#[track_caller]
fn planned(workspace: &Workspace, address: &str) -> Value {
    let plan = workspace.plan();
    let change = plan.change(address);
    assert_eq!(change["after_unknown"]["scripts"].as_bool(), None, "{change:#}");
    change["after"]["scripts"].clone()
}

#[track_caller]
fn run_all(warehouse: &Warehouse, scripts: &Value) {
    scripts.as_array().expect("a list").iter().for_each(|script| run(warehouse, script));
}

fn key_of_hashes(warehouse: &Warehouse, database: &str) -> String {
    warehouse.sql(database, "SELECT mask_key FROM gov_system.mask_key")[0][0].clone().expect("a key")
}

fn errors(problems: Vec<Problem>) -> Vec<Problem> {
    problems.into_iter().filter(|problem| problem.severity == "error").collect()
}

/// Proves: G19
#[test]
fn scripts_make_what_an_apply_makes_and_an_apply_verifies() {
    for integration in sampled([INTEGRATION, BESIDE], 1) {
        let (database, view) = match integration == BESIDE {
            true => ("prod", "gov_sales.people"),
            false => ("governed", "sales.people"),
        };
        let rest = format!("{PROFILES}{}", tables(RULES));
        let automatic = warehouse();
        let there = Workspace::on(&automatic);
        there.write(&format!("{integration}{rest}"));
        there.apply();
        let key = key_of_hashes(&automatic, database);

        // The mode of an integration that is there changes nothing of it.
        for text in [by_hand(integration, &rest), format!("{integration}{rest}")] {
            there.write(&text);
            let plan = there.plan();
            assert!(plan.changes().values().all(|actions| *actions == ["update"]));
            assert!(!plan.json().to_string().contains(&key), "the key of hashes is in no plan");
            there.apply();
            there.plan().assert_empty();
        }

        let warehouse = warehouse();
        let workspace = Workspace::on(&warehouse);
        workspace.write(integration);
        workspace.apply();
        let before = warehouse.dump_all();
        workspace.write(&by_hand(integration, &rest));
        let (profiles, sales) = (planned(&workspace, IDP), planned(&workspace, ADDRESS));
        warehouse.reset_counters();
        let early = errors(workspace.apply_problems());
        assert_eq!(early.len(), 2, "{early:#?}");
        for problem in &early {
            assert_eq!(problem.summary, "The scripts have still to be run");
            assert!(problem.detail.contains("terraform show -json plan.bin"), "{}", problem.detail);
        }
        assert!(early.iter().any(|problem| problem.detail.contains(" - profile of ann ")), "{early:#?}");
        assert!(early.iter().any(|problem| problem.detail.contains("people")), "{early:#?}");
        assert_eq!(work(&warehouse), [] as [&str; 0]);

        run_all(&warehouse, &profiles["apply"]);
        run_all(&warehouse, &sales["apply"]);
        assert_alike(&dump(&warehouse), &dump(&automatic), "as an apply leaves it");
        workspace.apply();
        workspace.plan().assert_empty();
        let people =
            |user: &str| seen(&warehouse, user, database, &format!("SELECT id, phone FROM {view} ORDER BY id"));
        assert_eq!(people("ann").expect("ann reads"), ["1 +1", "2 +2", "3 +3"]);
        assert_eq!(people("bob").expect("bob reads"), ["2 -", "3 -"]);

        // Another rule: one view says who sees what.
        let other = rest.replace("unless { groups = [\"privacy\"] }", "unless { groups = [\"auditors\"] }");
        workspace.write(&by_hand(integration, &other));
        let edit = planned(&workspace, ADDRESS);
        let [script] = edit["apply"].as_array().expect("a list").as_slice() else { panic!("one script: {edit:#}") };
        let early = errors(workspace.apply_problems());
        assert_eq!(early.len(), 1, "{early:#?}");
        run(&warehouse, script);
        workspace.apply();
        workspace.plan().assert_empty();
        assert_eq!(people("ann").expect("ann reads"), ["1 -", "2 -", "3 -"]);

        // What a person alters is drift, and the script puts it right.
        warehouse.sql(database, &format!("REVOKE SELECT ON {view} FROM ann"));
        let mended = planned(&workspace, ADDRESS);
        let key = key_of_hashes(&warehouse, database);
        assert!(edit.to_string().contains("mask_key"), "{edit:#}");
        assert!([&edit, &mended].iter().all(|scripts| !scripts.to_string().contains(&key)), "the key is in no script");
        run_all(&warehouse, &mended["apply"]);
        workspace.apply();
        workspace.plan().assert_empty();
        assert!(people("ann").is_ok());

        let state = |address: &str| workspace.values(address)["scripts"]["remove"].clone();
        let (profiles, sales) = (state(IDP), state(ADDRESS));
        workspace.write(integration);
        let early = errors(workspace.apply_problems());
        assert_eq!(early.len(), 2, "{early:#?}");
        assert!(early.iter().all(|problem| problem.summary == "The scripts that remove it have still to be run"));
        run_all(&warehouse, &sales);
        run_all(&warehouse, &profiles);
        workspace.apply();
        workspace.plan().assert_empty();
        // The tables of the registry and of the key stay, as after an apply.
        let left = warehouse.dump_all();
        let ours = |line: &&String| !line.contains("gov_system.registration") && !line.contains("gov_system.mask_key");
        assert_alike(&left.iter().filter(ours).cloned().collect::<Vec<_>>(), &before, "in the end");
    }
}

/// Proves: G12, G15, G19
#[test]
fn a_login_without_rights_has_everything_made_by_a_person() {
    let warehouse = warehouse();
    warehouse.sql("dev", &format!("CREATE USER planner PASSWORD '{PASSWORD}'"));
    let mut workspace = Workspace::on(&warehouse);
    workspace.env("REDSHIFT_USER", "planner").env("REDSHIFT_PASSWORD", PASSWORD);
    let integration =
        INTEGRATION.replace("auto_bootstrap = true", "auto_bootstrap = false\n  marker_owner   = \"planner\"");
    workspace.write(&format!("{integration}{PROFILES}{}", tables(RULES)));
    // All of it is known before any of it is there.
    let plan = workspace.plan();
    let scripts = |address: &str| plan.change(address)["after"]["scripts"].clone();
    let (profiles, sales) = (scripts(IDP), scripts(ADDRESS));
    set_up(&warehouse, &scripts("redshift_integration.gov"));
    run_all(&warehouse, &profiles["apply"]);
    run_all(&warehouse, &sales["apply"]);
    let printed = plan.json().to_string();
    let keys = warehouse.sql("governed", "SELECT mask_key FROM gov_system.mask_key");
    let keys: Vec<String> = keys.into_iter().flatten().flatten().collect();
    assert!(keys.len() == 1 && !printed.contains(&keys[0]), "the key of hashes is in no plan");
    workspace.apply();
    let plan = workspace.plan();
    plan.assert_empty();
    let warned: Vec<Problem> = workspace.run(&["plan", "-json"]).problems();
    let warned: Vec<&str> = warned.iter().map(|problem| problem.summary.as_str()).collect();
    assert!(warned.contains(&"The profiles cannot be seen"), "{warned:?}");
    assert_eq!(
        seen(&warehouse, "bob", "governed", "SELECT id FROM sales.people ORDER BY id").expect("reads"),
        ["2", "3"]
    );

    // The catalogue tells everybody what a view says.
    let altered = [
        "SET SESSION AUTHORIZATION 'gov_system_user'".to_owned(),
        "CREATE OR REPLACE VIEW sales.orders AS SELECT id, tenant_id, amount FROM prod.sales.orders WITH NO SCHEMA BINDING"
            .to_owned(),
    ];
    warehouse.run_all("governed", &altered).expect("a person alters it");
    let plan = workspace.plan();
    assert_eq!(plan.change(ADDRESS)["before"]["missing"], json!(["view sales.orders, as it was made"]));

    // What this login cannot see gone does not keep it from letting go.
    let remove = |address: &str| workspace.values(address)["scripts"]["remove"].clone();
    let (profiles, sales) = (remove(IDP), remove(ADDRESS));
    workspace.write(&integration);
    let early = errors(workspace.apply_problems());
    assert!(early.iter().any(|problem| problem.detail.contains("view sales.people")), "{early:#?}");
    run_all(&warehouse, &sales);
    run_all(&warehouse, &profiles);
    workspace.apply();
    workspace.plan().assert_empty();
    assert_eq!(warehouse.sql("prod", "SELECT 1 FROM pg_default_acl"), Vec::<Vec<Option<String>>>::new());
}

/// Proves: G19
#[test]
fn a_script_that_was_not_run_is_noticed_though_it_speaks_of_the_same_names() {
    let warehouse = warehouse();
    let workspace = Workspace::on(&warehouse);
    let rules = |condition: &str| {
        let rule = format!("  mask {{\n    columns = [\"phone\"]\n    using   = \"null\"\n    {condition}\n  }}\n");
        by_hand(INTEGRATION, &format!("{PROFILES}{}", tables(&rule)))
    };
    workspace.write(&rules("unless { groups = [\"privacy\"] }"));
    let plan = workspace.plan();
    let scripts = |address: &str| plan.change(address)["after"]["scripts"]["apply"].clone();
    let (profiles, sales) = (scripts(IDP), scripts(ADDRESS));
    // The integration is made by an apply, which the registrations wait for.
    assert_eq!(errors(workspace.apply_problems()).len(), 2);
    run_all(&warehouse, &profiles);
    run_all(&warehouse, &sales);
    workspace.apply();
    let phones = |user: &str| seen(&warehouse, user, "governed", "SELECT phone FROM sales.people ORDER BY id");
    assert_eq!(phones("ann").expect("reads")[0], "+1");
    for condition in ["only_for { groups = [\"privacy\"] }", "unless { users = [\"privacy\"] }"] {
        workspace.write(&rules(condition));
        let edit = planned(&workspace, ADDRESS);
        let early = errors(workspace.apply_problems());
        assert_eq!(early.len(), 1, "{condition}: {early:#?}");
        run_all(&warehouse, &edit["apply"]);
        workspace.apply();
        workspace.plan().assert_empty();
        assert_eq!(phones("ann").expect("reads")[0], "-", "{condition}");
    }

    // Nobody takes the place of what another configuration registered, in a script neither.
    let elsewhere = Workspace::on(&warehouse);
    let uri = "\"redshift-integration://governed/gov?mode=manual\"";
    let of_others = format!("provider \"redshift\" {{}}\n{PROFILES}{}", tables("  clear_columns = [\"id\"]\n"));
    elsewhere.write(&of_others.replace("redshift_integration.gov.uri", uri).replace("\"okta\"", "\"ldap\""));
    let refused = errors(elsewhere.plan_problems());
    let told: Vec<&str> = refused.iter().map(|problem| problem.summary.as_str()).collect();
    assert!(told.iter().any(|summary| summary.contains("another registration's")), "{told:?}");
    assert!(told.iter().any(|summary| summary.contains("The registration of tables \"sales\"")), "{told:?}");
}

/// Proves: G19
#[test]
fn a_script_makes_new_keys_and_asks_for_a_password() {
    let warehouse = warehouse();
    let workspace = Workspace::on(&warehouse);
    let acting = INTEGRATION.replace(
        "prefix         = \"gov\"\n",
        "prefix         = \"gov\"\n  impersonation {\n    enabled = true\n    members = [\"bob\"]\n  }\n",
    );
    workspace.write(&format!("{acting}{PROFILES}{}", tables(RULES)));
    workspace.apply();
    let email = || seen(&warehouse, "bob", "governed", "SELECT email FROM sales.people WHERE id = 2").expect("reads");
    let keys = || {
        ["mask_key FROM gov_system.mask_key", "impersonation_key FROM gov_system.impersonation"]
            .map(|of| warehouse.sql("governed", &format!("SELECT {of}"))[0][0].clone().expect("a key"))
    };
    let (hash, before) = (email(), keys());
    let rotate = workspace.values("redshift_integration.gov")["scripts"]["rotate"].clone();
    run(&warehouse, &rotate);
    let after = keys();
    assert!(before.iter().zip(&after).all(|(before, after)| before != after && after.len() == 64));
    assert_ne!(email(), hash);
    let text = rotate["sql"].as_str().expect("a script");
    assert!(text.contains("--   ALTER USER gov_system_user PASSWORD") && before.iter().all(|key| !text.contains(key)));
    workspace.plan().assert_empty();
    let mut session = warehouse.sit("bob", PASSWORD, "governed");
    session.sql("CALL gov_procedures.impersonate_user('ann')").expect("bob may");
    assert_eq!(session.sql("SELECT id FROM sales.people").expect("reads").len(), 3);
}
