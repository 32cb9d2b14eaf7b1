//! An integration that goes by force, with what is registered in it.

use crate::governed::{BESIDE, PROFILES, RULES, tables, warehouse};
use crate::support::Workspace;

/// An entry of the registry, which only chooses among the system user's views.
const PLANTED: &str = r#"{"offer":{"source":{"database":"prod","schema":"sales","tables":["*"],"except_tables":[],"future_tables":false},"view_schema":"theirs","view_name":"{table}","policy":{"version":1},"barrier":true},"views":["orders"],"made":[]}"#;

/// Proves: G18
#[test]
fn by_force_an_integration_takes_its_views_along_and_nobody_elses() {
    let warehouse = warehouse();
    warehouse.sql("prod", "CREATE SCHEMA theirs");
    warehouse.sql("prod", "CREATE VIEW theirs.orders AS SELECT 1 AS one");
    let before = warehouse.dump_all();
    let workspace = Workspace::on(&warehouse);
    let forced = BESIDE.replace("  prefix ", "  force_destroy   = true\n  prefix ");
    let by_hand = |text: &str| {
        text.replace("redshift_integration.gov.uri", "\"redshift-integration://prod/gov?type=RedshiftSpectrum\"")
    };
    workspace.write(&forced);
    workspace.apply();
    workspace.write(&format!("{forced}{}{}", by_hand(PROFILES), by_hand(&tables(RULES))));
    workspace.apply();
    let entry = format!(
        "INSERT INTO gov_system.registration (kind, name, status, part, detail) VALUES ('tables', 'planted', 'done', 0, '{PLANTED}')"
    );
    warehouse.sql("prod", &entry);

    let gone =
        workspace.run(&["destroy", "-target=redshift_integration.gov", "-auto-approve", "-json", "-input=false"]);
    assert_eq!(gone.code, 0, "{}", gone.text());
    let warned = gone.problems();
    let warned = warned.iter().find(|problem| problem.summary == "Readers of database prod keep rights");
    let warned = warned.unwrap_or_else(|| panic!("{}", gone.text()));
    for reader in ["ann", "bob", "cyd"] {
        assert!(warned.detail.contains(&format!("USAGE on schema sales for user {reader}")), "{}", warned.detail);
    }
    assert_eq!(warehouse.sql("prod", "SELECT one FROM theirs.orders"), [[Some("1".to_owned())]]);

    // What was registered goes after it, with the rights that its own state tells.
    workspace.destroy();
    let after = warehouse.dump_all();
    let stays: Vec<&String> = after.iter().filter(|line| !before.contains(line)).collect();
    assert!(stays.is_empty(), "{stays:#?}");
    assert_eq!(after, before);
}
