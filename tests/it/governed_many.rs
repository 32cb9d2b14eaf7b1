//! Many tables, several registrations, and all settings together.

use serde_json::json;

use crate::governed::{ADDRESS, BESIDE, INTEGRATION, PROFILES, RULES, seen, tables, warehouse};
use crate::support::Workspace;

#[test]
fn the_plan_of_a_rule_on_300_tables_is_short_and_says_what_it_means() {
    let warehouse = warehouse();
    for n in 0..298 {
        warehouse
            .sql("prod", &format!("CREATE TABLE sales.t{n:03} (id integer, email varchar(100), tenant_id integer)"));
    }
    let workspace = Workspace::on(&warehouse);
    workspace.write(&format!("{INTEGRATION}{PROFILES}{}", tables(RULES)));
    workspace.apply();
    let looser = RULES.replacen("unless { groups = [\"privacy\"] }", "unless { groups = [\"privacy\", \"legal\"] }", 1);
    let other = looser.replace("using   = \"null\"", "using   = \"hash\"");
    workspace.write(&format!("{INTEGRATION}{PROFILES}{}", tables(&other)));
    let plan = workspace.run(&["plan", "-no-color", "-input=false"]).succeeded();
    let text = plan.text();
    let start = text.find("Terraform will perform").unwrap_or_else(|| panic!("{text}"));
    let lines = text[start..].lines().count();
    assert!(lines <= 60, "{lines} lines:\n{text}");
    let words = [
        "shows more: email of people, t000, t001 and 296 more: ",
        "hash mask unless group legal, privacy, and before: hash mask unless group privacy",
        "shows more: phone of people: hash mask unless group privacy, and before: null mask unless group privacy",
    ];
    let one_line = text.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(words.iter().all(|words| one_line.contains(words)), "{one_line}");
    workspace.apply();
    workspace.plan().assert_empty();
}

/// One of two registrations on one schema, with profiles of its own, in a state of its own.
fn part(name: &str, user: &str) -> String {
    let uri = "\"redshift-integration://prod/gov?type=RedshiftSpectrum\"";
    let tables = tables(RULES)
        .replace("\"sales\" {", &format!("\"{name}\" {{"))
        .replace("= \"sales\"\n  integration", &format!("= \"{name}\"\n  integration"))
        .replace(
            "  readers { users = [\"ann\", \"bob\", \"cyd\"] }",
            &format!("  view_name = \"{{table}}_{name}\"\n  readers {{ users = [\"{user}\", \"cyd\"] }}"),
        );
    let profiles = format!(
        "resource \"redshift_user_profiles\" \"idp\" {{\n  name            = \"{name}\"\n  integration_uri = {uri}\n  users = {{\n    {user} = {{ groups = [\"privacy\"], attributes = {{ tenant = \"9\" }} }}\n  }}\n}}\n"
    );
    format!("provider \"redshift\" {{}}\n{profiles}{}", tables.replace("redshift_integration.gov.uri", uri))
}

/// Proves: G18
#[test]
fn two_states_with_two_profile_sets_come_and_go_in_every_order() {
    let warehouse = warehouse();
    let integration = Workspace::on(&warehouse);
    integration.write(BESIDE);
    integration.apply();
    // Rights that a reader and the system user had before anybody needed them: they stay through it all.
    warehouse.sql("prod", "GRANT USAGE ON SCHEMA sales TO cyd");
    warehouse.sql("prod", "GRANT SELECT ON TABLE sales.people TO gov_system_user");
    // The tables of the registry and of the key stay once they are there.
    let ours = |line: &String| !line.contains("gov_system.registration") && !line.contains("gov_system.mask_key");
    let dump = || warehouse.dump_all().into_iter().filter(ours).collect::<Vec<_>>();
    let before = dump();
    let reads = |user: &str, name: &str| {
        seen(&warehouse, user, "prod", &format!("SELECT id, email FROM gov_sales.people_{name} ORDER BY id"))
    };
    let all = [("one", "ann"), ("two", "bob")];
    let made = |(name, user): (&str, &str)| {
        let workspace = Workspace::on(&warehouse);
        workspace.write(&part(name, user));
        workspace.apply();
        workspace
    };
    // Each alone, so that what is left once the other has gone can be compared.
    let alone = all.map(|part| {
        let workspace = made(part);
        let alone = dump();
        workspace.destroy();
        assert_eq!(dump(), before, "{part:?}");
        alone
    });
    for first in 0..2 {
        for goes_first in 0..2 {
            let one = made(all[first]);
            let other = made(all[1 - first]);
            let mut states = [one, other];
            if first == 1 {
                states.reverse();
            }
            for (workspace, (name, user)) in states.iter().zip(all) {
                workspace.plan().assert_empty();
                assert_eq!(reads(user, name).expect("reads"), ["2 b@x.org", "3 -"]);
                assert_eq!(reads("cyd", name).expect("reads"), [""; 0]);
            }
            states[goes_first].destroy();
            let stays = 1 - goes_first;
            let (name, user) = all[stays];
            states[stays].plan().assert_empty();
            assert_eq!(reads(user, name).expect("reads"), ["2 b@x.org", "3 -"]);
            assert_eq!(dump(), alone[stays], "made {first} first, destroyed {goes_first} first");
            states[stays].destroy();
            assert_eq!(dump(), before, "made {first} first, destroyed {goes_first} first");
        }
    }
}

/// The example of the design, which uses nearly every setting.
///
/// Proves: G4, G5, G6, G17
#[test]
fn all_settings_together_do_what_they_say() {
    let warehouse = warehouse();
    let before = warehouse.dump_all();
    for statement in [
        "CREATE ROLE analysts",
        "CREATE GROUP operators_of_bi",
        "GRANT ROLE analysts TO ann",
        "GRANT ROLE analysts TO bob",
        "CREATE USER etl_job PASSWORD 'Canary123'",
        "ALTER GROUP operators_of_bi ADD USER cyd",
    ] {
        warehouse.sql("dev", statement);
    }
    for statement in [
        "CREATE TABLE sales.visits (id integer, customer_id integer, work_email varchar(100), region varchar(2), amount decimal(10,2), tenant_id integer, sold_at date)",
        "INSERT INTO sales.visits VALUES (1, 100, 'a@x.org', 'eu', 123.45, 7, CURRENT_DATE), (2, 200, 'b@x.org', 'us', 99.99, 9, CURRENT_DATE - 400), (3, 100, 'c@x.org', 'eu', 1.00, 9, CURRENT_DATE)",
        "CREATE TABLE sales.orders_customers (customer_id integer, tenant_id integer, sold_at date)",
        "INSERT INTO sales.orders_customers VALUES (100, 9, CURRENT_DATE), (200, 9, CURRENT_DATE)",
        "CREATE TABLE sales.scratch (x integer)",
        "GRANT SELECT ON TABLE sales.visits TO etl_job",
        "DROP TABLE sales.orders",
        "DROP TABLE sales.people",
    ] {
        warehouse.sql("prod", statement);
    }
    let workspace = Workspace::on(&warehouse);
    workspace.write(&format!(
        r#"{INTEGRATION}
data "redshift_data_policy" "pii" {{
  name = "pii"
  mask {{
    columns = ["*email*"]
    using   = "regex"
    pattern = "^[^@]+"
    replacement = "…"
    unless {{ groups = ["privacy"] }}
  }}
  mask {{
    columns = ["amount"]
    using   = "round"
    to      = "10"
    where   = "region = 'eu'"
    unless {{ groups = ["finance"] }}
    unless {{ users = ["cyd"] }}
  }}
  mask {{
    tags  = ["direct_id"]
    using = "hash"
    salt  = "customer"
    unless {{ purposes = ["Fraud investigation"] }}
  }}
}}
resource "redshift_protected_tables" "sales" {{
  name            = "sales"
  integration_uri = redshift_integration.gov.uri
  source {{
    database      = "prod"
    schema        = "sales"
    tables        = ["visits", "orders_*", "scr*"]
    except_tables = ["scr*"]
    future_tables = "none"
  }}
  view_schema = "shop"
  view_name   = "{{table}}_seen"
  policies    = [data.redshift_data_policy.pii.json]
  tags        = {{ pii = ["*email*"], direct_id = ["*.customer_id"], owner = ["visits.tenant_id", "orders_customers.tenant_id"] }}
  row_filter {{
    column_tag = "owner"
    in         = "attribute.tenant"
    unless {{ groups = ["operators"] }}
  }}
  row_filter {{
    column         = "sold_at"
    newest         = "90 days"
    missing_column = "skip"
    only_for {{ groups = ["support"] }}
  }}
  clear_columns = ["id", "region", "amount", "sold_at", "tenant_id"]
  security_barrier {{ except_columns = ["sold_at"] }}
  readers {{
    roles  = ["analysts"]
    groups = ["operators_of_bi"]
  }}
  allowed_direct_readers = ["user etl_job"]
  force_destroy          = true
}}
resource "redshift_user_profiles" "idp" {{
  name            = "okta"
  integration_uri = redshift_integration.gov.uri
  exclusive       = true
  users = {{
    ann = {{ groups = ["privacy", "support"], attributes = {{ tenant = ["7", "9"] }}, purposes = ["Fraud investigation"] }}
    bob = {{ attributes = {{ tenant = "9" }} }}
    cyd = {{ groups = ["operators"] }}
  }}
}}
check "support_sees_no_email" {{
  data "redshift_policy_simulation" "s" {{
    policy  = redshift_protected_tables.sales.policy
    table   = "visits"
    columns = {{ id = "integer", work_email = "varchar(100)", tenant_id = "integer" }}
    profile {{ groups = ["support"] }}
  }}
  assert {{
    condition     = data.redshift_policy_simulation.s.seen["work_email"].shown == "regex"
    error_message = "support reads email"
  }}
}}
"#
    ));
    let outcome = workspace.apply();
    assert!(!outcome.text().contains("support reads email"), "{}", outcome.text());
    // Terraform reads what is in a check again with each apply.
    assert!(workspace.plan().changes().values().all(|actions| *actions == ["read"]));
    assert_eq!(
        workspace.values(ADDRESS)["views"],
        json!({ "orders_customers": "shop.orders_customers_seen", "visits": "shop.visits_seen" })
    );
    let of = |user: &str| {
        let query = "SELECT id, work_email, amount, CASE WHEN customer_id IN (100, 200) THEN 'clear' ELSE 'hashed' END FROM shop.visits_seen ORDER BY id";
        seen(&warehouse, user, "governed", query).unwrap_or_else(|error| panic!("{user}: {error}"))
    };
    // Of support, old rows are hidden too; to cyd all rows show, and amounts in clear.
    assert_eq!(of("ann"), ["1 a@x.org 120.00 hashed", "3 c@x.org 0.00 hashed"]);
    assert_eq!(of("bob"), ["2 …@x.org 99.99 hashed", "3 …@x.org 0.00 hashed"]);
    assert_eq!(of("cyd"), ["1 …@x.org 123.45 hashed", "2 …@x.org 99.99 hashed", "3 …@x.org 1.00 hashed"]);
    let joined =
        "SELECT count(*) FROM shop.visits_seen v JOIN shop.orders_customers_seen o ON o.customer_id = v.customer_id";
    assert_eq!(seen(&warehouse, "bob", "governed", joined).expect("reads"), ["2"], "hashes of one salt join");
    workspace.destroy();
    for statement in ["DROP USER etl_job", "DROP ROLE analysts FORCE", "DROP GROUP operators_of_bi"] {
        warehouse.sql(
            "prod",
            &statement.replace("DROP USER etl_job", "REVOKE ALL ON TABLE sales.visits FROM etl_job; DROP USER etl_job"),
        );
    }
    for statement in ["DROP TABLE sales.visits", "DROP TABLE sales.orders_customers", "DROP TABLE sales.scratch"] {
        warehouse.sql("prod", statement);
    }
    let gone = |line: &&String| !line.contains("sales.people") && !line.contains("sales.orders");
    assert_eq!(warehouse.dump_all(), before.iter().filter(gone).cloned().collect::<Vec<_>>());
}
