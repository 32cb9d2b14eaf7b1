//! `redshift_integration` by temporary credentials of AWS: on clusters of every kind of node, and on a workgroup.

use redshift_standin::{Cluster, Workgroup};
use serde_json::{Value, json};

use crate::integration::{ACTS, USER};
use crate::support::{Warehouse, Workspace};

const NODES: &str = "Node Type For Cross-Database Views";

/// A warehouse whose superuser is the AWS identity that asks.
fn stage() -> (Warehouse, Workspace) {
    let warehouse = Warehouse::start();
    warehouse.sql("dev", "CREATE USER \"IAM:terraform\" PASSWORD 'Unused123' CREATEUSER");
    let workspace = Workspace::in_aws(&warehouse);
    (warehouse, workspace)
}

fn integration(warehouse: &Warehouse, target: &str, lines: &str) -> String {
    let (host, port) = (warehouse.host(), warehouse.port());
    format!(
        r#"
provider "redshift" {{}}
resource "redshift_integration" "i" {{
  auto_bootstrap = true
  database       = "governed"
{USER}{ACTS}{lines}
  warehouse {{
    host                = "{host}"
    port                = {port}
    authentication_type = "IAM"
    {target}
  }}
}}
"#
    )
}

fn nodes(workspace: &Workspace) -> Value {
    let values = workspace.values("redshift_integration.i");
    let tests = values["validation_results"]["tests"].as_array().cloned().unwrap_or_default();
    tests.into_iter().find(|test| test["name"] == NODES).unwrap_or_default()
}

/// Proves: I4, I30
#[test]
fn an_aws_identity_sets_it_up_on_nodes_that_have_views_across_databases() {
    let (warehouse, workspace) = stage();
    warehouse.aws().put_cluster(Cluster { node_type: "ra3.4xlarge".into(), ..Cluster::new("modern") });
    let before = warehouse.dump_all();
    workspace.write(&integration(&warehouse, "cluster_identifier = \"modern\"", ""));
    workspace.apply();
    assert_eq!(
        (&nodes(&workspace)["status"], &nodes(&workspace)["result"]),
        (&json!("passed"), &json!("\"ra3.4xlarge\""))
    );
    let calls = warehouse.aws().calls();
    assert_eq!(calls.iter().filter(|call| call.name == "redshift:DescribeClusters").count(), 1, "{calls:?}");
    workspace.plan().assert_empty();
    workspace.destroy();
    assert_eq!(warehouse.dump_all(), before);
}

/// Proves: I4, I5
#[test]
fn nodes_without_views_across_databases_are_refused_before_anything_is_made() {
    let (warehouse, workspace) = stage();
    warehouse.aws().put_cluster(Cluster { node_type: "dc2.large".into(), ..Cluster::new("old") });
    let before = warehouse.dump_all();
    let old = "cluster_identifier = \"old\"";
    workspace.write(&integration(&warehouse, old, ""));
    let problems = workspace.apply_problems();
    let told: Vec<_> = problems.iter().filter(|problem| problem.severity == "error").collect();
    assert_eq!(told.len(), 1, "{told:#?}");
    assert_eq!(told[0].summary, format!("Failed: {NODES}"));
    for words in ["dc2.large", "RA3", "type = \"RedshiftSpectrum\""] {
        assert!(told[0].detail.contains(words), "{told:#?}");
    }
    assert_eq!(warehouse.dump_all(), before);

    // As it says.
    warehouse.sql("dev", "CREATE DATABASE governed");
    workspace.write(&integration(&warehouse, old, "  type = \"RedshiftSpectrum\"\n"));
    workspace.apply();
    assert_eq!(nodes(&workspace)["status"], "skipped");
    workspace.destroy();
}

/// Proves: I4, I51
#[test]
fn whoever_may_not_ask_for_the_nodes_skips_the_test() {
    let (warehouse, workspace) = stage();
    let only_credentials = json!({ "Version": "2012-10-17", "Statement": [{
        "Effect": "Allow", "Action": "redshift:GetClusterCredentials*", "Resource": "*" }] });
    let caller = warehouse.aws().caller_arn();
    warehouse.aws().put_policies(&json!({ caller: { "policies": [only_credentials] } })).expect("policies");
    workspace.write(&integration(&warehouse, "cluster_identifier = \"examplecluster\"", ""));
    workspace.apply();
    let test = nodes(&workspace);
    assert_eq!(test["status"], "skipped");
    for words in ["redshift:DescribeClusters", "RA3", "RedshiftSpectrum"] {
        assert!(test["message"].as_str().unwrap_or_default().contains(words), "{test:#}");
    }
    workspace.destroy();
}

/// Proves: I4
#[test]
fn a_workgroup_has_views_across_databases() {
    let (warehouse, workspace) = stage();
    warehouse.aws().put_workgroup(Workgroup::new("analytics"));
    workspace.write(&integration(&warehouse, "workgroup_name = \"analytics\"", ""));
    workspace.apply();
    assert_eq!(nodes(&workspace)["status"], "passed");
    assert!(warehouse.aws().calls().iter().all(|call| call.name != "redshift:DescribeClusters"));
    workspace.destroy();
}
