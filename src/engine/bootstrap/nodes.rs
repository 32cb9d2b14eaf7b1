//! Whether a warehouse's nodes have views on other databases.

use tokio_util::sync::CancellationToken;

use super::life::Request;
use super::spec::Kind;
use crate::engine::session::validation::{Status, TestResult, passed_with, skipped};
use crate::engine::session::warehouse::Warehouse;
use crate::engine::settings::needs::Target;

const NAME: &str = "Node Type For Cross-Database Views";
/// The families without them (AWS: Considerations for querying data across databases, which name RA3 and serverless).
const WITHOUT: [&str; 6] = ["dc1.", "dc2.", "ds1.", "ds2.", "dw1.", "dw2."];

/// What is known of the nodes.
#[derive(Clone, Debug)]
pub(super) enum Nodes {
    /// Nothing of it looks into another database.
    NotNeeded,
    /// A workgroup has none to choose.
    Serverless,
    /// As DescribeClusters names them.
    Of(String),
    /// AWS was not asked or did not tell; why.
    Untold(String),
}

impl Nodes {
    /// Asks AWS, where the login comes from there anyway: a password needs no AWS at all.
    pub(super) async fn ask(warehouse: &Warehouse, request: &Request, cancel: &CancellationToken) -> Self {
        if request.spec.kind == Kind::RedshiftSpectrum {
            return Self::NotNeeded;
        }
        if request.serverless {
            return Self::Serverless;
        }
        let Some(iam) = &warehouse.access().iam else {
            return Self::Untold("AWS was not asked, as the login is by password.".to_owned());
        };
        let name = match &iam.target {
            Target::Workgroup(_) => return Self::Serverless,
            Target::Cluster(name) => name,
            Target::CustomDomain(_) => {
                return Self::Untold("AWS was not asked, as a custom domain does not tell the cluster.".to_owned());
            }
        };
        let told = tokio::select! {
            biased;
            () = cancel.cancelled() => return Self::Untold("It was not waited for.".to_owned()),
            told = warehouse.aws().node_type(name, iam) => told,
        };
        match told {
            Ok(nodes) => Self::Of(nodes),
            Err(error) => Self::Untold(format!("AWS did not tell the node type. {error}")),
        }
    }

    /// The test.
    pub(super) fn test(&self) -> TestResult {
        match self {
            Self::NotNeeded => skipped(NAME, "Type RedshiftSpectrum needs no views on other databases."),
            Self::Serverless => passed_with(NAME, "serverless".to_owned()),
            Self::Of(nodes) if WITHOUT.iter().any(|family| nodes.starts_with(family)) => TestResult {
                name: NAME.into(),
                status: Status::Failed,
                message: Some(format!(
                    "The cluster has {nodes} nodes, which have no views on other databases: a managed database of its own needs RA3 nodes or a serverless workgroup. Set type = \"RedshiftSpectrum\" and database to the one that holds the tables."
                )),
                result: None,
            },
            Self::Of(nodes) => passed_with(NAME, nodes.clone()),
            Self::Untold(why) => skipped(
                NAME,
                &format!(
                    "{why} Views on other databases need RA3 nodes or a serverless workgroup; with other nodes use type RedshiftSpectrum."
                ),
            ),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Proves: I4, I5
    #[test]
    fn views_across_databases_take_nodes_that_have_them() {
        for nodes in [Nodes::Serverless, Nodes::Of("ra3.xlplus".into()), Nodes::Of("ra3.large".into())] {
            assert_eq!(nodes.test().status, Status::Passed, "{nodes:?}");
        }
        for nodes in ["dc2.large", "dc1.8xlarge", "ds2.xlarge"] {
            let test = Nodes::Of(nodes.into()).test();
            let message = test.message.unwrap_or_default();
            assert_eq!(test.status, Status::Failed);
            for word in [nodes, "RA3", "RedshiftSpectrum"] {
                assert!(message.contains(word), "{message}");
            }
        }
        for nodes in [Nodes::NotNeeded, Nodes::Untold("AWS was not asked.".into())] {
            assert_eq!(nodes.test().status, Status::Skipped, "{nodes:?}");
        }
    }
}
