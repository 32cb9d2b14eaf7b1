//! What has to be looked up in AWS before settings come to something, and what was found there.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use secrecy::SecretString;

use crate::engine::settings::endpoint::Endpoint;

/// A role to assume.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Role {
    /// Its ARN.
    pub arn: String,
    /// What its trust policy asks for; sent only when there is one.
    pub external_id: Option<String>,
    /// The name of its session.
    pub session_name: Option<String>,
}

/// A warehouse by the name that AWS knows it by.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Target {
    /// A provisioned cluster.
    Cluster(String),
    /// A serverless workgroup.
    Workgroup(String),
    /// A host name of the user's own.
    CustomDomain(String),
}

impl Target {
    /// The name alone.
    pub fn name(&self) -> &str {
        match self {
            Self::Cluster(name) | Self::Workgroup(name) | Self::CustomDomain(name) => name,
        }
    }

    /// The setting that says it.
    pub fn setting(&self) -> &'static str {
        match self {
            Self::Cluster(_) => "cluster_identifier",
            Self::Workgroup(_) => "workgroup_name",
            Self::CustomDomain(_) => "host",
        }
    }
}

impl std::fmt::Display for Target {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Cluster(name) => write!(f, "cluster \"{name}\""),
            Self::Workgroup(name) => write!(f, "workgroup \"{name}\""),
            Self::CustomDomain(name) => write!(f, "custom domain \"{name}\""),
        }
    }
}

/// One thing to look up.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Need {
    /// Where a cluster or workgroup listens.
    Endpoint {
        /// Which one.
        target: Target,
        /// Its region; none: the AWS chain's.
        region: Option<String>,
        /// The roles to assume before, in this order.
        roles: Vec<Role>,
        /// Whether nothing but a missing password led here.
        for_want_of_password: bool,
    },
    /// A secret of Secrets Manager.
    Secret {
        /// Its name or ARN.
        id: String,
        /// Its region, unless its ARN says it.
        region: Option<String>,
    },
    /// A parameter of SSM.
    Parameter {
        /// Its name or ARN.
        name: String,
        /// Its region, unless its ARN says it.
        region: Option<String>,
    },
}

impl Need {
    /// The setting that it is about.
    pub fn setting(&self) -> &'static str {
        match self {
            Self::Endpoint { target, .. } => target.setting(),
            Self::Secret { .. } => "secret_id",
            Self::Parameter { .. } => "password_ssm_parameter",
        }
    }
}

/// The fields of a secret that settings are filled from. `Debug` does not show the password.
#[derive(Debug, Clone, Default)]
pub struct SecretFields {
    /// `username`
    pub username: Option<String>,
    /// `password`
    pub password: Option<SecretString>,
    /// `host`
    pub host: Option<String>,
    /// `port`
    pub port: Option<u16>,
    /// `dbname`
    pub database: Option<String>,
    /// `dbClusterIdentifier`
    pub cluster_identifier: Option<String>,
    /// The id of the secret's version.
    pub version: String,
}

/// A parameter's value. `Debug` does not show it.
#[derive(Debug, Clone)]
pub struct ParameterValue {
    /// The value.
    pub value: SecretString,
    /// The number of its version.
    pub version: String,
}

/// Where AWS says that a warehouse listens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Located {
    /// Its address and port.
    pub endpoint: Endpoint,
    /// Who may reach it.
    pub network: Network,
}

/// What lets a client through to a warehouse (AWS: DescribeClusters, GetWorkgroup).
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Network {
    /// Whether it has a public address; none where AWS does not say.
    pub publicly_accessible: Option<bool>,
    /// Ids of its VPC security groups, sorted.
    pub security_groups: Vec<String>,
}

/// What was found for a need.
#[derive(Debug, Clone)]
pub enum Finding {
    /// Host and port.
    Endpoint(Located),
    /// The secret's fields.
    Secret(SecretFields),
    /// The parameter's value.
    Parameter(ParameterValue),
}

/// What was found so far. It lives as long as one configuration of the provider, so that a secret is read anew in each
/// run and once in it.
#[derive(Debug, Default)]
pub struct Findings(Mutex<HashMap<Need, Finding>>);

impl Findings {
    /// What was found for a need.
    pub fn get(&self, need: &Need) -> Option<Finding> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).get(need).cloned()
    }

    /// Keeps what was found.
    pub fn put(&self, need: Need, finding: Finding) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(need, finding);
    }
}
