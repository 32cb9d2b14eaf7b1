//! The link of a source to the enrichment store that findings about it go to.

use serde_json::json;

use crate::datastore::{SOURCE, USER, warehouse};
use crate::support::Workspace;

/// Proves: Q42
#[test]
fn a_source_is_linked_to_a_store_and_unlinked() {
    let warehouse = warehouse();
    let workspace = Workspace::on(&warehouse);
    let store = r#"
resource "redshift_datastore" "findings" {
  name            = "Findings"
  database        = "dev"
  schema          = "findings"
  enrichment_only = true
  service_user {
    name = redshift_user.tool.name
  }
}
"#;
    let linked = format!(
        "{USER}{store}{}",
        SOURCE.replace(
            "name     = \"Sales\"",
            "name = \"Sales\"\n  enrichment_datastore_id = redshift_datastore.findings.id"
        )
    );
    workspace.write(&linked);
    workspace.apply();
    let values = workspace.values("redshift_datastore.sales");
    assert_eq!(values["enrichment_datastore_id"], workspace.values("redshift_datastore.findings")["id"]);
    workspace.write(&format!("{USER}{store}{SOURCE}"));
    workspace.apply();
    assert_eq!(workspace.values("redshift_datastore.sales")["enrichment_datastore_id"], json!(null));
    let to_source = workspace
        .refused(&linked.replace("redshift_datastore.findings.id", "\"redshift://h:5439#dev/sales?mode=source\""));
    assert!(
        to_source.text().contains("enrichment") && to_source.line.contains("enrichment_datastore_id"),
        "{to_source:?}"
    );
    let to_itself = workspace.refused(&linked.replace(
        "redshift_datastore.findings.id",
        &format!("\"{}\"", values["id"].as_str().unwrap_or_default().replace("mode=source", "mode=enrichment")),
    ));
    assert!(to_itself.text().contains("its own enrichment store"), "{to_itself:?}");
    assert!(to_itself.line.contains("enrichment_datastore_id"), "{to_itself:?}");
}

/// Proves: Q42
#[test]
fn a_link_that_leads_nowhere_is_warned_about() {
    let warehouse = warehouse();
    warehouse.sql("dev", "CREATE USER other PASSWORD DISABLE");
    warehouse.sql("dev", "CREATE GROUP writers");
    let workspace = Workspace::on(&warehouse);
    let here = format!("redshift://{}:{}", warehouse.host(), warehouse.port());
    let linked = |id: &str, store: &str| {
        let link = format!("name = \"Sales\"\n  enrichment_datastore_id = {id}");
        format!("{USER}{store}{}", SOURCE.replace("name     = \"Sales\"", &link))
    };
    let store = |service_user: &str| {
        format!(
            "resource \"redshift_datastore\" \"findings\" {{\n  name            = \"Findings\"\n  database        = \"dev\"\n  schema          = \"findings\"\n  enrichment_only = true\n  service_user {{\n    {service_user}\n  }}\n}}\n"
        )
    };
    let id = "redshift_datastore.findings.id";
    let absent = "The linked enrichment store does not exist";
    let is_warned = |told: &str| told.contains("linked enrichment store") || told.contains("cannot write findings");
    let elsewhere = "redshift://other.example.com:5439#dev/findings?mode=enrichment&user=tool";
    for (hcl, warning) in [
        (linked(&format!("\"{here}#dev/nowhere?mode=enrichment&user=tool\""), ""), absent),
        (linked(&format!("\"{here}#nowhere/findings?mode=enrichment&user=tool\""), ""), absent),
        (linked(&format!("\"{elsewhere}\""), ""), "The linked enrichment store is in another warehouse"),
        (linked(id, &store("name = \"other\"")), "may not write to the linked enrichment store"),
        (linked(&format!("\"{here}#dev/findings?mode=enrichment&user=tool\""), ""), "cannot write findings to schema"),
        (linked(id, &store("name = redshift_user.tool.name")), ""),
        (linked(id, &store("name = redshift_user.tool.name\n    grant_through = \"direct\"")), ""),
    ] {
        workspace.write(&hcl);
        workspace.apply();
        let plan = workspace.plan();
        plan.assert_empty();
        let told = plan.outcome.text();
        assert_eq!(is_warned(&told), !warning.is_empty(), "{warning}: {told}");
        assert!(told.contains(warning), "{warning}: {told}");
    }
    // Whoever is in the group that may write, may write.
    workspace.write(&linked(id, &store("name = \"writers\"\n    type = \"group\"")));
    workspace.apply();
    assert!(workspace.plan().outcome.text().contains("may not write to the linked"), "not a member yet");
    warehouse.sql("dev", "ALTER GROUP writers ADD USER tool");
    let told = workspace.plan().outcome.text();
    assert!(!is_warned(&told), "{told}");
}
