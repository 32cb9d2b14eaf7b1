//! Profiles and protected tables in the hands of people: imported, written wrongly, shared, seen by others.

use crate::governed::{ADDRESS, BESIDE, INTEGRATION, PASSWORD, PROFILES, RULES, seen, tables, warehouse};
use crate::support::Workspace;

#[test]
fn both_are_imported_by_an_id_and_views_are_made_anew_once() {
    let warehouse = warehouse();
    let workspace = Workspace::on(&warehouse);
    let whole = format!("{INTEGRATION}{PROFILES}{}", tables(RULES));
    workspace.write(&whole);
    workspace.apply();
    let id = |address: &str| workspace.values(address)["id"].as_str().expect("an id").to_owned();
    let (profiles, sales) = (id("redshift_user_profiles.idp"), id(ADDRESS));
    let place = format!("redshift://{}:{}", warehouse.host(), warehouse.port());
    assert_eq!(profiles, format!("{place}#profiles/governed/gov/okta"));
    assert_eq!(sales, format!("{place}#tables/governed/gov/sales"));
    for address in ["redshift_user_profiles.idp", ADDRESS] {
        workspace.run(&["state", "rm", address]).succeeded();
    }
    // Made again without an import, it is refused, and the error shows how.
    let problems = workspace.apply_problems();
    let taken = problems.iter().find(|problem| problem.address == ADDRESS);
    // What is equal to what is wanted is taken over, as after an apply that was killed at its end.
    assert!(taken.is_none(), "{problems:#?}");
    for address in ["redshift_user_profiles.idp", ADDRESS] {
        workspace.run(&["state", "rm", address]).succeeded();
    }
    let other =
        format!("{INTEGRATION}{}{}", PROFILES.replace("\"privacy\"", "\"others\""), tables("  clear_columns = []\n"));
    workspace.write(&other);
    let problems = workspace.apply_problems();
    let of = |address: &str| problems.iter().find(|it| it.address == address && it.severity == "error");
    for (address, id) in [(ADDRESS, &sales), ("redshift_user_profiles.idp", &profiles)] {
        let problem = of(address).unwrap_or_else(|| panic!("{address}: {problems:#?}"));
        assert!(problem.detail.contains(&format!("id = \"{id}\"")), "{}", problem.detail);
    }
    workspace.write(&whole);
    workspace.import("redshift_user_profiles.idp", &profiles).succeeded();
    workspace.import(ADDRESS, &sales).succeeded();
    let plan = workspace.plan();
    assert!(!plan.changes().contains_key("redshift_integration.gov"));
    workspace.apply();
    workspace.plan().assert_empty();
    assert_eq!(
        seen(&warehouse, "bob", "governed", "SELECT id FROM sales.people ORDER BY id").expect("reads"),
        ["2", "3"]
    );
}

#[test]
fn what_is_written_wrongly_is_told_on_its_attribute_before_anything_is_sent() {
    let warehouse = warehouse();
    let workspace = Workspace::on(&warehouse);
    workspace.write(BESIDE);
    workspace.apply();
    let before = warehouse.dump_all();
    let profiles = |users: &str| {
        format!(
            "{BESIDE}resource \"redshift_user_profiles\" \"p\" {{\n  name            = \"p\"\n  integration_uri = redshift_integration.gov.uri\n  users           = {users}\n}}\n"
        )
    };
    for (hcl, summary, words) in [
        (profiles("{ ann = { group = [\"pii\"] } }"), "users", "Write `groups` if that is meant"),
        (profiles("{ \"IAM:ann\" = {} }"), "users", "write `ann`"),
        (profiles("{ ann = { groups = [\"\"] } }"), "groups", "A value is empty"),
        (profiles("{ ann = { attributes = { tenant = 7 } } }"), "users", "A string or a list of strings"),
        (
            profiles("{}").replace("redshift_integration.gov.uri", "\"governed\""),
            "integration_uri",
            "redshift-integration://",
        ),
        (profiles("{}").replace("\"p\"\n  integration", "\"P-1\"\n  integration"), "name", "lower-case letters"),
        (
            format!("{BESIDE}{}", tables("  mask {\n    columns = [\"email\"]\n    using   = \"nul\"\n  }\n")),
            "using",
            "must be one of",
        ),
        (
            format!(
                "{BESIDE}{}",
                tables(
                    "  mask {\n    columns    = [\"email\"]\n    using      = \"expression\"\n    expression = \"(SELECT 1)\"\n  }\n"
                )
            ),
            "expression",
            "SELECT",
        ),
        (format!("{BESIDE}{}", tables("  view_name = \"all\"\n")), "view_name", "{table}"),
        (format!("{BESIDE}{}", tables("  policies = [\"{}\"]\n")), "policy", "does not read as one"),
        (
            format!(
                "{BESIDE}{}",
                tables("")
                    .replace("schema   = \"sales\"", "schema   = \"sales\"\n    tables   = [\"people\", \"poeple\"]")
            ),
            "tables",
            "no table \"poeple\"",
        ),
        (
            format!("{BESIDE}{}", tables("").replace("schema   = \"sales\"", "schema   = \"nothing\"")),
            "Schema \"nothing\" does not exist",
            "sees no such schema",
        ),
    ] {
        workspace.write(&hcl);
        let problems =
            [workspace.run(&["validate", "-json"]).problems(), workspace.plan_problems(), workspace.apply_problems()]
                .concat();
        let told = problems.iter().find(|problem| problem.severity == "error" && problem.detail.contains(words));
        let told = told.unwrap_or_else(|| panic!("{words}: {problems:#?}\n{hcl}"));
        assert!(told.summary.contains(summary), "{summary}: {told:?}");
        assert_eq!(warehouse.dump_all(), before, "{hcl}");
    }
}

#[test]
fn a_login_without_rights_plans_nothing_and_is_told_so() {
    let warehouse = warehouse();
    let mut workspace = Workspace::on(&warehouse);
    workspace.write(&format!("{INTEGRATION}{PROFILES}{}", tables(RULES)));
    workspace.apply();
    workspace.env("REDSHIFT_USER", "cyd").env("REDSHIFT_PASSWORD", PASSWORD);
    // It ends with 2, where anything is planned.
    let outcome = workspace.run(&["plan", "-json", "-detailed-exitcode", "-input=false"]).succeeded();
    let mut warned: Vec<String> = outcome.problems().into_iter().map(|problem| problem.summary).collect();
    warned.sort();
    let registered = "The login may not work in the integration";
    assert_eq!(warned, ["The integration cannot be seen", registered, registered], "one of each resource");
}

/// Proves: G18
#[test]
fn two_registrations_of_one_schema_share_what_was_given_and_the_last_takes_it_back() {
    let warehouse = warehouse();
    let before = warehouse.dump_all();
    let workspace = Workspace::on(&warehouse);
    let one = tables(RULES).replace("schema   = \"sales\"", "schema   = \"sales\"\n    tables   = [\"people\"]");
    let two = tables("  view_schema = \"gov_sales\"\n")
        .replace("\"sales\" {", "\"orders\" {")
        .replace("name            = \"sales\"", "name            = \"orders\"")
        .replace("schema   = \"sales\"", "schema   = \"sales\"\n    tables   = [\"orders\"]");
    workspace.write(&format!("{BESIDE}{PROFILES}{one}{two}"));
    workspace.apply();
    workspace.plan().assert_empty();
    let orders = || seen(&warehouse, "cyd", "prod", "SELECT id FROM gov_sales.orders");
    assert_eq!(orders().expect("cyd reads"), ["10"]);
    // The first goes: the other still has what it needs.
    workspace.write(&format!("{BESIDE}{PROFILES}{two}"));
    workspace.apply();
    workspace.plan().assert_empty();
    assert_eq!(orders().expect("cyd reads"), ["10"]);

    // What somebody hung on a view keeps it, unless that is to go too. Made behind the stand-in, which binds no view to
    // a late one.
    warehouse.sql("prod", "CREATE SCHEMA reports");
    warehouse.sql_behind("prod", "CREATE VIEW reports.orders AS SELECT 1 AS found FROM gov_sales.orders");
    let whole = warehouse.dump_all();
    let target = "-target=redshift_protected_tables.orders";
    let outcome = workspace.run(&["destroy", target, "-auto-approve", "-json", "-input=false"]);
    let problems = outcome.problems();
    let error = problems.iter().find(|problem| problem.severity == "error").expect("it is refused");
    assert_eq!(error.summary, "Something hangs on a protected view");
    assert!(error.detail.contains("reports.orders") && error.detail.contains("force_destroy = true"), "{error:#?}");
    assert_eq!(warehouse.dump_all(), whole);
    let forced = two.replace("  view_schema", "  force_destroy = true\n  view_schema");
    workspace.write(&format!("{BESIDE}{PROFILES}{forced}"));
    workspace.apply();
    workspace.destroy();
    // Which takes that nothing is left in it.
    warehouse.sql("prod", "DROP SCHEMA reports");
    assert_eq!(warehouse.dump_all(), before);
}

/// Proves: G13
#[test]
fn hashes_join_where_they_share_a_salt_and_nowhere_else() {
    let warehouse = warehouse();
    warehouse.sql("prod", "CREATE TABLE sales.letters (id integer, email varchar(100), tenant_id integer)");
    warehouse.sql("prod", "INSERT INTO sales.letters VALUES (1, 'a@x.org', 7), (2, 'c@x.org', 7)");
    let workspace = Workspace::on(&warehouse);
    let joined = |salt: &str| {
        let rule = format!("  mask {{\n    columns = [\"email\"]\n    using   = \"hash\"\n{salt}  }}\n");
        workspace.write(&format!("{BESIDE}{PROFILES}{}", tables(&rule)));
        workspace.apply();
        seen(
            &warehouse,
            "ann",
            "prod",
            "SELECT p.id, l.id FROM gov_sales.people p JOIN gov_sales.letters l ON p.email = l.email",
        )
        .expect("reads")
    };
    assert_eq!(joined("    salt    = \"customer\"\n"), ["1 1"]);
    assert_eq!(joined(""), [""; 0]);
}

/// Proves: G12
#[test]
fn another_key_of_hashes_changes_each_of_them_and_nothing_else() {
    let warehouse = warehouse();
    let workspace = Workspace::on(&warehouse);
    let rule = "  mask {\n    columns = [\"email\"]\n    using   = \"hash\"\n  }\n";
    let with = |version: &str| {
        let integration =
            BESIDE.replace("prefix          = \"gov\"\n", &format!("prefix          = \"gov\"\n{version}"));
        workspace.write(&format!("{integration}{PROFILES}{}", tables(rule)));
        workspace.apply();
        workspace.plan().assert_empty();
        let hashes = seen(&warehouse, "ann", "prod", "SELECT email FROM gov_sales.people WHERE email IS NOT NULL");
        (hashes.expect("reads"), warehouse.sql("prod", "SELECT mask_key, draws FROM gov_system.mask_key"))
    };
    let ((before, old), (after, new)) = (with(""), with("  mask_key_version = 1\n"));
    assert_eq!((before.len(), after.len(), new.len()), (3, 3, 1));
    assert!(before.iter().all(|hash| hash.len() == 64 && !after.contains(hash)), "{before:?} {after:?}");
    assert_ne!(old[0][0], new[0][0]);
    assert_eq!(new[0][1].as_deref(), Some("4"), "drawn to its end");
    let key = new[0][0].clone().expect("a key");
    assert!(!workspace.state().to_string().contains(&key));
    assert!(warehouse.statements().iter().all(|statement| !statement.contains(&key)));
    assert_eq!(with("  mask_key_version = 1\n").1, new, "it changes with its version alone");
    assert_eq!(with("").1, new);

    let by_hand = INTEGRATION.replace("auto_bootstrap = true", "auto_bootstrap = false\n  mask_key_version = 1");
    workspace.write(&by_hand);
    let problems = workspace.plan_problems();
    let problem = problems.iter().find(|problem| problem.severity == "error").expect("an error");
    assert_eq!((problem.summary.as_str(), problem.line.as_str()), ("The key would not change", "mask_key_version = 1"));
}

/// Proves: G21
#[test]
fn whoever_acts_for_another_sees_what_that_one_sees() {
    let warehouse = warehouse();
    let workspace = Workspace::on(&warehouse);
    let acting = INTEGRATION.replace(
        "prefix         = \"gov\"\n",
        "prefix         = \"gov\"\n  impersonation {\n    enabled = true\n    members = [\"bob\"]\n  }\n",
    );
    workspace.write(&format!("{acting}{PROFILES}{}", tables(RULES)));
    workspace.apply();
    workspace.plan().assert_empty();
    let of_bob = seen(&warehouse, "bob", "governed", "SELECT id FROM sales.people WHERE phone IS NOT NULL");
    assert_eq!(of_bob.expect("reads"), [""; 0]);
    let mut session = warehouse.sit("bob", PASSWORD, "governed");
    session.sql("CALL gov_procedures.impersonate_user('ann')").expect("bob may");
    let rows = session.sql("SELECT id FROM sales.people WHERE phone IS NOT NULL ORDER BY id").expect("reads");
    assert_eq!(rows.len(), 3);
    session.sql("CALL gov_procedures.impersonate_user(NULL)").expect("ends");
    assert_eq!(session.sql("SELECT id FROM sales.people ORDER BY id").expect("reads").len(), 2);
    drop(session);
    workspace.destroy();
}

/// A state that an earlier build wrote lacks what came since.
#[test]
fn a_state_of_an_earlier_build_plans_nothing() {
    let warehouse = warehouse();
    let workspace = Workspace::on(&warehouse);
    workspace.write(&format!("{INTEGRATION}{PROFILES}{}", tables(RULES)));
    workspace.apply();
    let file = workspace.path().join("terraform.tfstate");
    let mut state: serde_json::Value =
        serde_json::from_str(&std::fs::read_to_string(&file).expect("a state")).expect("JSON");
    for resource in state["resources"].as_array_mut().expect("resources") {
        for instance in resource["instances"].as_array_mut().expect("instances") {
            let attributes = instance["attributes"].as_object_mut().expect("attributes");
            for since in ["system_user_name", "schemas", "copies", "scripts", "external_tables", "mask_key_version"] {
                attributes.remove(since);
            }
        }
    }
    std::fs::write(&file, state.to_string()).expect("is written");
    workspace.plan().assert_empty();
    workspace.destroy();
}
