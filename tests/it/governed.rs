//! Profiles and protected tables: what people see of tables that an integration offers.

use serde_json::json;

use crate::support::{Warehouse, Workspace};

pub(crate) const PASSWORD: &str = "Canary123";

/// The integration, in a database of its own.
pub(crate) const INTEGRATION: &str = "provider \"redshift\" {}\nresource \"redshift_integration\" \"gov\" {\n  auto_bootstrap = true\n  database       = \"governed\"\n  prefix         = \"gov\"\n}\n";

/// The same in the database of the tables.
pub(crate) const BESIDE: &str = "provider \"redshift\" {}\nresource \"redshift_integration\" \"gov\" {\n  auto_bootstrap  = true\n  type            = \"RedshiftSpectrum\"\n  database        = \"prod\"\n  prefix          = \"gov\"\n}\n";

pub(crate) const PROFILES: &str = r#"
resource "redshift_user_profiles" "idp" {
  name            = "okta"
  integration_uri = redshift_integration.gov.uri
  users = {
    ann = { groups = ["privacy"], attributes = { tenant = ["7", "9"] } }
    bob = { attributes = { tenant = "9" } }
  }
}
"#;

/// The rules of [`tables`].
pub(crate) const RULES: &str = r#"
  mask {
    columns = ["email"]
    using   = "hash"
    unless { groups = ["privacy"] }
  }
  mask {
    columns = ["phone"]
    using   = "null"
    unless { groups = ["privacy"] }
  }
  row_filter {
    column = "tenant_id"
    in     = "attribute.tenant"
  }
"#;

pub(crate) fn tables(rules: &str) -> String {
    format!(
        "resource \"redshift_protected_tables\" \"sales\" {{\n  name            = \"sales\"\n  integration_uri = redshift_integration.gov.uri\n  source {{\n    database = \"prod\"\n    schema   = \"sales\"\n  }}\n{rules}\n  readers {{ users = [\"ann\", \"bob\", \"cyd\"] }}\n}}\n"
    )
}

pub(crate) const ADDRESS: &str = "redshift_protected_tables.sales";

/// A warehouse with three people, and a table of which each may see something else.
pub(crate) fn warehouse() -> Warehouse {
    let warehouse = Warehouse::start();
    warehouse.sql("dev", "CREATE DATABASE prod");
    for user in ["ann", "bob", "cyd"] {
        warehouse.sql("dev", &format!("CREATE USER {user} PASSWORD '{PASSWORD}'"));
    }
    for statement in [
        "CREATE SCHEMA sales",
        "CREATE TABLE sales.people (id integer, email varchar(100), phone varchar(20), tenant_id integer)",
        "INSERT INTO sales.people VALUES (1, 'a@x.org', '+1', 7), (2, 'b@x.org', '+2', 9), (3, NULL, '+3', 9), (4, 'd@x.org', '+4', NULL)",
        "CREATE TABLE sales.orders (id integer, tenant_id integer, amount decimal(10,2))",
        "INSERT INTO sales.orders VALUES (10, 9, 12.50)",
    ] {
        warehouse.sql("prod", statement);
    }
    warehouse
}

/// What somebody is answered, each row as one text.
pub(crate) fn seen(warehouse: &Warehouse, user: &str, database: &str, query: &str) -> Result<Vec<String>, String> {
    let rows = warehouse.sql_as(user, PASSWORD, database, query)?;
    let cell = |cell: &Option<String>| cell.clone().unwrap_or_else(|| "-".to_owned());
    Ok(rows.iter().map(|row| row.iter().map(cell).collect::<Vec<_>>().join(" ")).collect())
}

/// Proves: I1, G1, G7, G17, G18
#[test]
fn three_people_see_three_things_of_a_table_in_another_database() {
    let warehouse = warehouse();
    let before = warehouse.dump_all();
    let workspace = Workspace::on(&warehouse);
    workspace.write(&format!("{INTEGRATION}{PROFILES}{}", tables(RULES)));
    workspace.apply();
    workspace.plan().assert_empty();
    assert_eq!(workspace.values(ADDRESS)["views"], json!({ "orders": "sales.orders", "people": "sales.people" }));
    let integration = workspace.values("redshift_integration.gov");
    assert_eq!(integration["system_user_name"], json!("gov_system_user"));
    let schemas = json!({ "functions": "gov_functions", "procedures": "gov_procedures", "system": "gov_system" });
    assert_eq!(integration["schemas"], schemas);

    let people =
        |user: &str| seen(&warehouse, user, "governed", "SELECT id, email, phone FROM sales.people ORDER BY id");
    assert_eq!(people("ann").expect("ann reads"), ["1 a@x.org +1", "2 b@x.org +2", "3 - +3"]);
    let of_bob = people("bob").expect("bob reads");
    assert_eq!(of_bob.len(), 2);
    assert!(of_bob[0].starts_with("2 ") && of_bob[0].ends_with(" -") && !of_bob[0].contains("b@x.org"), "{of_bob:?}");
    assert_eq!(of_bob[0].split(' ').nth(1).map(str::len), Some(64), "{of_bob:?}");
    assert_eq!(of_bob[1], "3 - -");
    assert_eq!(people("cyd").expect("cyd may ask"), [""; 0]);
    // Nobody needs a right on the table, and nobody has one.
    assert!(seen(&warehouse, "ann", "prod", "SELECT * FROM sales.people").is_err());

    // What each of them sees is told by the warehouse's own rules, profiles and rights, and so is the text of the view.
    let who = "data \"redshift_policy_simulation\" \"who\" {\n  for_each            = toset([\"ann\", \"bob\", \"cyd\", \"etl\"])\n  protected_tables_id = redshift_protected_tables.sales.id\n  table               = \"people\"\n  user                = each.key\n}\noutput \"who\" {\n  value = { for name, it in data.redshift_policy_simulation.who : name => [it.may_select, it.has_profile, it.rows, it.seen[\"email\"].shown, it.row_filter] }\n}\noutput \"view\" {\n  value = data.redshift_policy_simulation.who[\"ann\"].view_sql\n}\n";
    let made = warehouse.statements();
    workspace.write(&format!("{INTEGRATION}{PROFILES}{}{who}", tables(RULES)));
    workspace.apply();
    assert_eq!(
        workspace.output("who"),
        json!({
            "ann": [true, true, "some", "clear", "\"tenant_id\" IN ('7', '9')"],
            "bob": [true, true, "some", "hash", "\"tenant_id\" IN ('9')"],
            "cyd": [true, false, "none", "hash", null],
            "etl": [false, false, "none", "hash", null],
        })
    );
    let view = workspace.output("view");
    assert!(made.iter().any(|statement| *statement == view), "{view}\n{made:#?}");

    workspace.destroy();
    assert_eq!(warehouse.dump_all(), before);
}

/// Proves: G1, G18
#[test]
fn beside_the_tables_a_reader_is_given_what_a_late_view_asks_and_it_is_taken_back() {
    let warehouse = warehouse();
    // USAGE on the schema opens what is not offered and everybody holds SELECT on: who could use it before is told.
    warehouse.sql("prod", "CREATE TABLE sales.payroll (id integer)");
    warehouse.sql("prod", "GRANT SELECT ON TABLE sales.payroll TO PUBLIC");
    let before = warehouse.dump_all();
    let workspace = Workspace::on(&warehouse);
    workspace.write(&format!("{BESIDE}{PROFILES}"));
    workspace.apply();
    let offered = tables(RULES).replace("= \"sales\"\n  }", "= \"sales\"\n    except_tables = [\"payroll\"]\n  }");
    workspace.write(&format!("{BESIDE}{PROFILES}{offered}"));
    let told = workspace.plan_problems();
    let opened: Vec<_> = told.iter().filter(|it| it.summary == "Readers will read more than the views").collect();
    let [warning] = opened[..] else { panic!("{told:#?}") };
    assert!(warning.detail.contains("hold SELECT on already: payroll."), "{warning:#?}");
    workspace.apply();
    workspace.plan().assert_empty();
    assert!(seen(&warehouse, "ann", "prod", "SELECT id FROM sales.payroll").is_ok());
    let people = |user: &str| seen(&warehouse, user, "prod", "SELECT id, phone FROM gov_sales.people ORDER BY id");
    assert_eq!(people("ann").expect("ann reads"), ["1 +1", "2 +2", "3 +3"]);
    assert_eq!(people("bob").expect("bob reads"), ["2 -", "3 -"]);
    assert!(seen(&warehouse, "ann", "prod", "SELECT * FROM sales.people").is_err());
    workspace.destroy();
    assert_eq!(warehouse.dump_all(), before);
}

/// Proves: G2, G15
#[test]
fn profiles_are_compared_row_by_row_and_only_what_differs_is_sent() {
    let warehouse = warehouse();
    let workspace = Workspace::on(&warehouse);
    workspace.write(&format!("{INTEGRATION}{PROFILES}"));
    workspace.apply();
    let is_write = |statement: &&String| statement.starts_with("INSERT INTO gov_system.profile ");
    assert_eq!(warehouse.statements().iter().filter(is_write).count(), 1, "both users in one statement");
    workspace.plan().assert_empty();
    assert_eq!(workspace.values("redshift_user_profiles.idp")["unknown_users"], json!([]));

    // Somebody writes in one row, and deletes another.
    warehouse.sql("governed", "UPDATE gov_system.profile SET gov__groups = NULL WHERE gov__userid = 'ann'");
    warehouse.sql("governed", "DELETE FROM gov_system.profile WHERE gov__userid = 'bob'");
    let plan = workspace.plan();
    let change = plan.change("redshift_user_profiles.idp");
    assert_eq!(change["before"]["missing"], json!(["profile of bob", "profile of ann, as it is written"]));
    assert_eq!(change["after"]["missing"], json!([]));
    workspace.apply();
    workspace.plan().assert_empty();

    // One more, one less.
    let other = PROFILES
        .replace("bob = {", "cyd = {")
        .replace("redshift_integration.gov.uri", "redshift_integration.gov.uri\n  exclusive       = true");
    warehouse.sql("governed", "INSERT INTO gov_system.profile VALUES ('eve', NULL, NULL, NULL, NULL)");
    workspace.write(&format!("{INTEGRATION}{other}"));
    workspace.apply();
    workspace.plan().assert_empty();
    let rows = warehouse.sql("governed", "SELECT gov__userid FROM gov_system.profile ORDER BY 1");
    let users: Vec<&str> = rows.iter().filter_map(|row| row[0].as_deref()).collect();
    assert_eq!(users, ["ann", "cyd"]);
}

/// Proves: G10, G15
#[test]
fn what_comes_goes_and_is_altered_is_named_by_the_plan_and_put_right_by_the_apply() {
    let warehouse = warehouse();
    warehouse.sql("dev", &format!("CREATE USER dbt PASSWORD '{PASSWORD}'"));
    warehouse.sql("prod", "GRANT USAGE, CREATE ON SCHEMA sales TO dbt");
    let by_dbt = |statement: &str| {
        let ran = warehouse.sql_as("dbt", PASSWORD, "prod", statement);
        ran.unwrap_or_else(|error| panic!("{statement}: {error}"));
    };
    let workspace = Workspace::on(&warehouse);
    workspace.write(&format!("{INTEGRATION}{PROFILES}{}", tables(RULES)));
    workspace.apply();
    // What comes between a plan and its apply is in no view, though the apply makes them anew.
    let changed = RULES.replace("using   = \"null\"", "using   = \"hash\"");
    workspace.write(&format!("{INTEGRATION}{PROFILES}{}", tables(&changed)));
    workspace.plan();
    warehouse.sql("prod", "ALTER TABLE sales.people ADD COLUMN work_email varchar(100)");
    by_dbt("CREATE TABLE sales.notes (id integer, tenant_id integer)");
    workspace.run(&["apply", "-input=false", "-no-color", "plan.bin"]).succeeded();
    let phones = seen(&warehouse, "bob", "governed", "SELECT phone FROM sales.people").expect("bob reads");
    assert!(phones.len() == 2 && phones.iter().all(|phone| phone.len() == 64), "{phones:?}");
    for hidden in ["SELECT work_email FROM sales.people", "SELECT id FROM sales.notes"] {
        let answer = seen(&warehouse, "ann", "governed", hidden);
        assert!(answer.is_err_and(|error| error.contains("does not exist")), "{hidden}");
    }

    warehouse.sql("prod", "DROP TABLE sales.orders");
    warehouse.sql("governed", "GRANT SELECT ON TABLE sales.people TO PUBLIC");
    warehouse.sql("governed", "REVOKE SELECT ON TABLE sales.people FROM bob");
    let plan = workspace.plan();
    let before = &plan.change(ADDRESS)["before"];
    assert_eq!(
        before["missing"],
        json!([
            "SELECT on what dbt will make in schema sales for user gov_system_user",
            "SELECT on sales.notes for user gov_system_user",
            "view sales.notes",
            "view sales.people: people.work_email, new, in clear",
            "SELECT on sales.people for user bob"
        ])
    );
    assert_eq!(before["surplus"], json!(["SELECT on sales.people for PUBLIC", "view sales.orders"]));
    workspace.apply();
    workspace.plan().assert_empty();
    assert_eq!(seen(&warehouse, "ann", "governed", "SELECT work_email FROM sales.people").expect("reads").len(), 3);
    assert_eq!(workspace.values(ADDRESS)["views"], json!({ "notes": "sales.notes", "people": "sales.people" }));

    // A table that its owner makes anew, as dbt does each night, is read as before.
    by_dbt("DROP TABLE sales.notes");
    by_dbt("CREATE TABLE sales.notes (id integer, tenant_id integer)");
    by_dbt("INSERT INTO sales.notes VALUES (1, 7), (2, 8)");
    assert_eq!(seen(&warehouse, "ann", "governed", "SELECT id FROM sales.notes").expect("ann reads"), ["1"]);
    workspace.plan().assert_empty();

    // Columns that went, and one of another type: readers are refused until an apply, and see nothing wrong.
    warehouse.sql("prod", "ALTER TABLE sales.people DROP COLUMN work_email");
    warehouse.sql("prod", "ALTER TABLE sales.people DROP COLUMN phone");
    warehouse.sql("prod", "ALTER TABLE sales.people ADD COLUMN phone varchar(30)");
    let missing = workspace.plan().change(ADDRESS)["before"]["missing"].clone();
    let line = "view sales.people: people.phone, varchar(30) and no longer varchar(20); people.work_email, gone";
    assert_eq!(missing, json!([line]));
    workspace.apply();
    workspace.plan().assert_empty();
    assert_eq!(seen(&warehouse, "bob", "governed", "SELECT id, phone FROM sales.people").expect("reads").len(), 2);
}

/// Proves: G14
#[test]
fn another_group_in_a_rule_replaces_one_view() {
    let warehouse = warehouse();
    let workspace = Workspace::on(&warehouse);
    workspace.write(&format!("{INTEGRATION}{PROFILES}{}", tables(RULES)));
    workspace.apply();
    warehouse.reset_counters();
    workspace.write(&format!(
        "{INTEGRATION}{PROFILES}{}",
        tables(&RULES.replace("[\"privacy\"]", "[\"privacy\", \"legal\"]"))
    ));
    workspace.apply();
    let made =
        warehouse.statements().iter().filter(|statement| statement.starts_with("CREATE OR REPLACE VIEW")).count();
    assert_eq!(made, 1, "{:#?}", warehouse.statements());
    workspace.plan().assert_empty();

    // What a change means is told in its plan.
    let looser = RULES
        .replace("[\"privacy\"]", "[\"privacy\", \"legal\"]")
        .replace("columns = [\"phone\"]", "columns = [\"id\"]");
    workspace.write(&format!("{INTEGRATION}{PROFILES}{}", tables(&looser)));
    let plan = workspace.plan();
    assert_eq!(
        plan.change(ADDRESS)["after"]["effects"],
        json!([
            "shows more: phone of people: in clear, and before: null mask unless group legal, privacy",
            "hides more: id of orders, people: null mask unless group legal, privacy, and before: in clear",
        ])
    );
    workspace.apply();
    workspace.plan().assert_empty();
}

/// Proves: G4, G9
#[test]
fn a_document_is_on_whatever_fits_it_and_a_rule_of_ones_own_has_to_fit() {
    let warehouse = warehouse();
    for statement in [
        "CREATE SCHEMA crm",
        "CREATE TABLE crm.contacts (id integer, e_mail varchar(100), mobile_phone varchar(20), tenant_id integer)",
        "INSERT INTO crm.contacts VALUES (1, 'c@x.org', '+8', 7), (2, 'd@x.org', '+9', 9)",
    ] {
        warehouse.sql("prod", statement);
    }
    let workspace = Workspace::on(&warehouse);
    let policy = "data \"redshift_data_policy\" \"pii\" {\n  name = \"pii\"\n  mask {\n    tags  = [\"pii\"]\n    using = \"null\"\n    where = \"tenant_id = 9\"\n  }\n  mask {\n    columns = [\"*_mail\"]\n    using   = \"null\"\n  }\n}\n";
    let of_both_schemas = |rules: &str| {
        tables(rules)
            .replace("name            = \"sales\"", "for_each = toset([\"sales\", \"crm\"])\n  name = each.key")
            .replace("schema   = \"sales\"", "schema   = each.key")
    };
    let rules =
        "  policies = [data.redshift_data_policy.pii.json]\n  tags     = { pii = [\"people.email\", \"*phone*\"] }\n";
    workspace.write(&format!("{BESIDE}{PROFILES}{policy}{}", of_both_schemas(rules)));
    workspace.apply();
    workspace.plan().assert_empty();
    let of_bob = |query: &str| seen(&warehouse, "bob", "prod", query).expect("bob reads");
    // Where the predicate is NULL, it is masked too.
    let people = of_bob("SELECT id, email FROM gov_sales.people ORDER BY id");
    assert_eq!(people, ["1 a@x.org", "2 -", "3 -", "4 -"]);
    let contacts = of_bob("SELECT id, e_mail, mobile_phone FROM gov_crm.contacts ORDER BY id");
    assert_eq!(contacts, ["1 - +8", "2 - -"]);

    let own = of_both_schemas(
        "  mask {\n    columns = [\"not_here\"]\n    using   = \"null\"\n  }\n  mask {\n    columns = [\"*mail\"]\n    using   = \"constant\"\n    value   = \"x\"\n  }\n  row_filter {\n    column = \"nothing\"\n    in     = \"user\"\n  }\n",
    );
    let before = warehouse.dump_all();
    workspace.write(&format!("{BESIDE}{PROFILES}{own}"));
    let problems = workspace.plan_problems();
    let told = |summary: &str| problems.iter().find(|problem| problem.summary == summary).map(|it| it.line.as_str());
    assert_eq!(told("A mask that is on nothing"), Some("columns = [\"not_here\"]"), "{problems:#?}");
    assert_eq!(told("Bad column"), Some("column = \"nothing\""), "{problems:#?}");
    assert_eq!(warehouse.dump_all(), before);
}

/// Proves: G11, G12
#[test]
fn a_reader_learns_nothing_of_hidden_rows_and_reads_no_key() {
    let warehouse = warehouse();
    warehouse.sql("prod", "CREATE SCHEMA mine");
    warehouse.sql("prod", "GRANT ALL ON SCHEMA mine TO bob");
    let workspace = Workspace::on(&warehouse);
    workspace.write(&format!("{BESIDE}{PROFILES}{}", tables(RULES)));
    workspace.apply();
    let ask = |query: &str| seen(&warehouse, "bob", "prod", query);
    // A division or a cast that fails on a hidden row alone would tell that it is there.
    assert_eq!(ask("SELECT count(*) FROM gov_sales.people WHERE 1 / (id - 1) > -5").expect("no row fails"), ["2"]);
    assert_eq!(
        ask("SELECT count(*) FROM gov_sales.people WHERE CAST(phone AS integer) > 0").expect("no row fails"),
        ["0"]
    );
    // His own functions, first in his search_path.
    let mut session = warehouse.sit("bob", PASSWORD, "prod");
    let of_bob = "SELECT id, email, phone FROM gov_sales.people ORDER BY id";
    let before = session.sql(of_bob).expect("reads");
    for function in ["strpos(varchar, varchar) RETURNS integer", "sha2(varchar, integer) RETURNS varchar"] {
        let result = if function.starts_with("strpos") { "1" } else { "$1" };
        let made =
            session.sql(&format!("CREATE FUNCTION mine.{function} STABLE AS $$ SELECT {result} $$ LANGUAGE sql"));
        made.unwrap_or_else(|error| panic!("{function}: {error}"));
    }
    session.sql("SET search_path TO mine, pg_catalog").expect("is set");
    assert_eq!(session.sql(of_bob).expect("reads"), before);
    for relation in ["mask_key", "registration", "profile"] {
        let read = ask(&format!("SELECT * FROM gov_system.{relation}"));
        assert!(read.is_err_and(|error| error.contains("permission denied")), "{relation}");
    }
    let entitlements = warehouse.sql("prod", "SELECT viewname FROM pg_views WHERE viewname LIKE 'entitlements%'");
    let entitlements = entitlements[0][0].clone().expect("a view");
    assert!(ask(&format!("SELECT * FROM gov_system.{entitlements}")).is_err());
    let key = warehouse.sql("prod", "SELECT mask_key FROM gov_system.mask_key")[0][0].clone().expect("a key");
    let texts =
        warehouse.sql("prod", "SELECT definition FROM pg_views WHERE schemaname IN ('gov_sales', 'gov_system')");
    assert!(texts.iter().flatten().flatten().all(|text| !text.contains(&key)));
    assert!(!workspace.state().to_string().contains(&key));
    assert!(warehouse.statements().iter().all(|statement| !statement.contains(&key)));
}

/// Proves: G16
#[test]
fn who_reads_the_tables_themselves_is_listed_and_can_be_refused() {
    let warehouse = warehouse();
    for statement in ["CREATE GROUP team", "CREATE ROLE loaders"] {
        warehouse.sql("prod", statement);
    }
    for who in ["GROUP team", "ROLE loaders", "ann"] {
        warehouse.sql("prod", &format!("GRANT SELECT ON TABLE sales.people TO {who}"));
    }
    warehouse.sql("prod", "GRANT SELECT FOR TABLES IN SCHEMA sales DATABASE prod TO cyd");
    let workspace = Workspace::on(&warehouse);
    workspace.write(&format!("{INTEGRATION}{PROFILES}{}", tables(RULES)));
    workspace.apply();
    let readers = json!(["group team", "role loaders", "user ann", "user cyd"]);
    assert_eq!(workspace.values(ADDRESS)["direct_readers"], readers);
    let allowed = |who: &str| tables(&format!("{RULES}  allowed_direct_readers = [{who}]\n"));
    workspace.write(&format!("{INTEGRATION}{PROFILES}{}", allowed("")));
    let whole = warehouse.dump_all();
    let problems = workspace.apply_problems();
    let error = problems.iter().find(|it| it.severity == "error").unwrap_or_else(|| panic!("{problems:#?}"));
    assert_eq!(error.line, "allowed_direct_readers = []");
    assert!(error.detail.contains("group team, role loaders, user ann, user cyd"), "{}", error.detail);
    assert_eq!(warehouse.dump_all(), whole);
    workspace.write(&format!("{INTEGRATION}{PROFILES}{}", allowed("\"user ann\", \"user cyd\", \"group team\"")));
    let problems = workspace.plan_problems();
    assert_eq!(problems[0].summary, "Others read the tables themselves");
    assert!(problems[0].detail.contains("role loaders"), "{}", problems[0].detail);
    workspace.write(&format!(
        "{INTEGRATION}{PROFILES}{}",
        allowed("\"user ann\", \"user cyd\", \"group team\", \"role loaders\"")
    ));
    workspace.apply();
    workspace.plan().assert_empty();
    // Somebody else is given the right.
    warehouse.sql("prod", "GRANT SELECT ON TABLE sales.orders TO PUBLIC");
    workspace.plan();
    workspace.run(&["apply", "-refresh-only", "-auto-approve", "-input=false"]).succeeded();
    assert_eq!(workspace.values(ADDRESS)["direct_readers"][0], json!("PUBLIC"));
}

/// Proves: G18
#[test]
fn an_integration_does_not_go_before_what_is_registered_in_it() {
    let warehouse = warehouse();
    let before = warehouse.dump_all();
    let workspace = Workspace::on(&warehouse);
    let by_hand = |text: &str| {
        text.replace("redshift_integration.gov.uri", "\"redshift-integration://prod/gov?type=RedshiftSpectrum\"")
    };
    workspace.write(BESIDE);
    workspace.apply();
    workspace.write(&format!("{BESIDE}{}{}", by_hand(PROFILES), by_hand(&tables(RULES))));
    workspace.apply();
    workspace.plan().assert_empty();
    // Nothing says in which order they go.
    let whole = warehouse.dump_all();
    let outcome =
        workspace.run(&["destroy", "-target=redshift_integration.gov", "-auto-approve", "-json", "-input=false"]);
    let problems = outcome.problems();
    let problem =
        problems.iter().find(|problem| problem.severity == "error").unwrap_or_else(|| panic!("{}", outcome.text()));
    assert_eq!(problem.summary, "Something is registered in the integration");
    assert!(problem.detail.contains("It has profiles okta, tables sales."), "{}", problem.detail);
    assert_eq!(warehouse.dump_all(), whole);
    workspace
        .run(&[
            "destroy",
            "-target=redshift_protected_tables.sales",
            "-target=redshift_user_profiles.idp",
            "-auto-approve",
            "-input=false",
        ])
        .succeeded();
    workspace.destroy();
    assert_eq!(warehouse.dump_all(), before);
}
