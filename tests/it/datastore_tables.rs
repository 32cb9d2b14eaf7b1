//! A source whose rights are narrowed to some of its schema's tables.

use serde_json::json;

use crate::datastore::{USER, tool, warehouse};
use crate::support::{Warehouse, Workspace};

/// A datastore with these lines in its `service_user`.
fn narrowed(lines: &str) -> String {
    format!(
        "{USER}\nresource \"redshift_datastore\" \"sales\" {{\n  name     = \"Sales\"\n  database = \"dev\"\n  schema   = \"sales\"\n  service_user {{\n    name          = redshift_user.tool.name\n    future_tables = \"none\"\n{lines}  }}\n}}\n"
    )
}

/// Which of the tables the tool's user reads.
fn readable(warehouse: &Warehouse, tables: &[&'static str]) -> Vec<&'static str> {
    let reads = |table: &&&'static str| tool(warehouse, &format!("SELECT 1 FROM sales.{table}")).is_ok();
    tables.iter().filter(reads).copied().collect()
}

const ADDRESS: &str = "redshift_datastore.sales";

/// Proves: Q26
#[test]
fn only_the_tables_that_match_can_be_read() {
    for through in ["", "    grant_through = \"direct\"\n"] {
        let warehouse = warehouse();
        warehouse.sql("dev", "CREATE TABLE sales.ledger (id integer)");
        let all = ["orders", "customers", "ledger"];
        let before = warehouse.dump_all();
        let workspace = Workspace::on(&warehouse);
        workspace.write(&narrowed(&format!("{through}    tables = [\"orders\", \"cust*\", \"ordres\"]\n")));
        let told = workspace.apply();
        assert!(told.text().contains("No table of schema \"sales\" matches ordres"), "{}", told.text());
        assert_eq!(readable(&warehouse, &all), ["orders", "customers"]);
        workspace.plan().assert_empty();

        // One that matches comes, and one that does not.
        warehouse.sql("dev", "CREATE TABLE sales.custom (id integer)");
        warehouse.sql("dev", "CREATE TABLE sales.other (id integer)");
        let plan = workspace.plan();
        let missing = &plan.change(ADDRESS)["before"]["missing"];
        assert_eq!(missing, &json!(["SELECT on 1 of 3 tables (custom)"]));
        workspace.apply();
        assert_eq!(readable(&warehouse, &["custom", "other"]), ["custom"]);
        workspace.plan().assert_empty();

        // Fewer, all, and fewer again.
        for (lines, reads) in [
            ("    tables = [\"orders\"]\n", &["orders"][..]),
            ("", &["orders", "customers", "ledger", "custom", "other"]),
            ("    tables = [\"*er*\"]\n", &["orders", "customers", "ledger", "other"]),
        ] {
            workspace.write(&narrowed(&format!("{through}{lines}")));
            workspace.apply();
            assert_eq!(readable(&warehouse, &["orders", "customers", "ledger", "custom", "other"]), reads, "{lines}");
            workspace.plan().assert_empty();
        }
        warehouse.sql("dev", "DROP TABLE sales.custom");
        warehouse.sql("dev", "DROP TABLE sales.other");
        workspace.destroy();
        assert_eq!(warehouse.dump_all(), before);
    }
}

/// What somebody gave the datastore's own role on another table is too much, and taken back.
#[test]
fn a_right_on_a_table_that_does_not_match_is_surplus() {
    let warehouse = warehouse();
    let workspace = Workspace::on(&warehouse);
    workspace.write(&narrowed("    tables = [\"orders\"]\n"));
    workspace.apply();
    let role = workspace.values(ADDRESS)["grant_role"].as_str().expect("a role").to_owned();
    warehouse.sql("dev", &format!("GRANT SELECT ON TABLE sales.customers TO ROLE {role}"));
    let plan = workspace.plan();
    let surplus = &plan.change(ADDRESS)["before"]["surplus"];
    assert_eq!(surplus, &json!(["SELECT on 1 table of schema sales (customers)"]));
    workspace.apply();
    assert_eq!(readable(&warehouse, &["orders", "customers"]), ["orders"]);
    workspace.plan().assert_empty();
}

#[test]
fn what_does_not_go_with_tables_is_said_at_plan_time() {
    let warehouse = warehouse();
    let workspace = Workspace::on(&warehouse);
    let without_future = narrowed("    tables = [\"orders\"]\n").replace("    future_tables = \"none\"\n", "");
    let store = narrowed("    tables = [\"orders\"]\n").replace("schema   =", "enrichment_only = true\n  schema   =");
    for (hcl, summary) in [
        (without_future, "tables takes future_tables = \"none\""),
        (store, "tables are for sources"),
        (narrowed("    tables = []\n"), "Bad service_user.tables"),
        (narrowed("    tables = [\"[\"]\n"), "Bad service_user.tables"),
    ] {
        let problem = workspace.refused(&hcl);
        assert_eq!(problem.summary, summary, "{problem:#?}");
    }
}
