//! What is asked of AWS: who we are there, temporary credentials, endpoints, secrets. Nothing of it is loaded before it
//! is needed, and all of it belongs to one configuration of the provider.

mod bounds;
mod client;
mod credentials;
mod identity;
mod kept;
mod lookup;
pub mod policy;
mod problem;
mod way;

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, PoisonError};

use aws_credential_types::Credentials;
use aws_types::SdkConfig;
use futures::FutureExt;
use futures::future::BoxFuture;
use tokio::sync::OnceCell;

use crate::engine::error::Error;
use crate::engine::settings::access::Iam;
use crate::engine::settings::needs::{Finding, Findings, Need, Role};
pub(in crate::engine) use credentials::Minted;
use kept::Kept;

/// The services whose addresses can be set.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Service {
    /// Security Token Service.
    Sts,
    /// Provisioned clusters.
    Redshift,
    /// Serverless workgroups.
    RedshiftServerless,
    /// Secrets Manager.
    SecretsManager,
    /// Systems Manager.
    Ssm,
}

impl Service {
    /// All of them, by the names that they have in `endpoints`.
    pub const ALL: [(&'static str, Self); 5] = [
        ("sts", Self::Sts),
        ("redshift", Self::Redshift),
        ("redshiftserverless", Self::RedshiftServerless),
        ("secretsmanager", Self::SecretsManager),
        ("ssm", Self::Ssm),
    ];
}

/// What is told once.
#[derive(Debug, Clone, Default)]
pub struct AwsOptions {
    /// The profile of the shared configuration files.
    pub profile: Option<String>,
    /// Addresses of services, in place of AWS's own.
    pub endpoints: BTreeMap<Service, String>,
}

/// Whose credentials, and for which database; none: for all.
type Login = (Iam, Option<String>);

/// AWS, as one configuration of the provider sees it.
pub struct Aws {
    options: AwsOptions,
    config: OnceCell<SdkConfig>,
    caller: Kept<Credentials>,
    roles: Mutex<HashMap<Vec<Role>, Arc<Kept<Credentials>>>>,
    minted: Mutex<HashMap<Login, Arc<Kept<Minted>>>>,
    looking: Mutex<HashMap<Need, Arc<Kept<()>>>>,
    found: Findings,
}

impl Aws {
    /// Nothing is asked yet.
    pub fn new(options: AwsOptions) -> Self {
        Self {
            options,
            config: OnceCell::new(),
            caller: Kept::default(),
            roles: Mutex::default(),
            minted: Mutex::default(),
            looking: Mutex::default(),
            found: Findings::default(),
        }
    }

    /// What was found so far.
    pub fn found(&self) -> &Findings {
        &self.found
    }

    /// The type of a cluster's nodes, such as `ra3.xlplus`, asked by those who get the credentials of `iam`.
    pub(in crate::engine) fn node_type<'a>(
        &'a self,
        name: &'a str,
        iam: &'a Iam,
    ) -> BoxFuture<'a, Result<String, Error>> {
        lookup::node_type(self, name, iam).boxed()
    }

    /// Looks something up and keeps it, once however many ask at the same time.
    pub fn find<'a>(&'a self, need: &'a Need) -> BoxFuture<'a, Result<(), Error>> {
        let cell = one_of(&self.looking, need.clone());
        let look = move || async move {
            if self.found.get(need).is_none() {
                let finding: Finding = lookup::find(self, need).await?;
                self.found.put(need.clone(), finding);
            }
            Ok(((), None))
        };
        // Boxed, as the futures of AWS's clients are large and would be part of every caller's.
        async move { cell.get(look).await.map(drop) }.boxed()
    }
}

/// The value for a key, made when it is first asked for.
fn one_of<K: std::hash::Hash + Eq, V: Default>(map: &Mutex<HashMap<K, Arc<V>>>, key: K) -> Arc<V> {
    map.lock().unwrap_or_else(PoisonError::into_inner).entry(key).or_default().clone()
}
