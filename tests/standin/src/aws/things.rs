//! What is in the account: clusters, workgroups, secrets, parameters.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;
use serde_json::Value as Json;
use time::OffsetDateTime;

/// A provisioned cluster. All of them are the one warehouse of the stand-in.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Cluster {
    /// ClusterIdentifier.
    pub id: String,
    /// The account it is in; `None`: it answers in whichever account the caller's identity is.
    #[serde(default)]
    pub account: Option<String>,
    /// The region it is in; `None`: every one.
    #[serde(default)]
    pub region: Option<String>,
    /// ClusterStatus: `available`, `paused`, `resuming`, `creating` (no endpoint yet).
    #[serde(default = "available")]
    pub status: String,
    /// NodeType.
    #[serde(default = "node_type")]
    pub node_type: String,
    /// The endpoint's address; `None`: `localhost`.
    #[serde(default)]
    pub address: Option<String>,
    /// The endpoint's port; `None`: the warehouse's.
    #[serde(default)]
    pub port: Option<u16>,
    /// Custom domain names.
    #[serde(default)]
    pub custom_domains: Vec<String>,
}

/// A serverless workgroup. All of them are the one warehouse of the stand-in.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Workgroup {
    /// workgroupName.
    pub name: String,
    /// workgroupId, a UUID.
    #[serde(default = "crate::guid")]
    pub id: String,
    /// As in [`Cluster`].
    #[serde(default)]
    pub account: Option<String>,
    /// As in [`Cluster`].
    #[serde(default)]
    pub region: Option<String>,
    /// `AVAILABLE`, `CREATING` (no endpoint yet), `MODIFYING`, `DELETING`.
    #[serde(default = "available_workgroup")]
    pub status: String,
    /// As in [`Cluster`].
    #[serde(default)]
    pub address: Option<String>,
    /// As in [`Cluster`].
    #[serde(default)]
    pub port: Option<u16>,
    /// Custom domain names.
    #[serde(default)]
    pub custom_domains: Vec<String>,
}

fn available() -> String {
    "available".into()
}

fn available_workgroup() -> String {
    "AVAILABLE".into()
}

fn node_type() -> String {
    "ra3.xlplus".into()
}

impl Cluster {
    /// An available one, in every account and region.
    pub fn new(id: &str) -> Self {
        Cluster {
            id: id.to_owned(),
            account: None,
            region: None,
            status: available(),
            node_type: node_type(),
            address: None,
            port: None,
            custom_domains: Vec::new(),
        }
    }
}

impl Workgroup {
    /// An available one, in every account and region.
    pub fn new(name: &str) -> Self {
        Workgroup {
            name: name.to_owned(),
            id: crate::guid(),
            account: None,
            region: None,
            status: available_workgroup(),
            address: None,
            port: None,
            custom_domains: Vec::new(),
        }
    }
}

/// What a secret holds.
#[derive(Clone, PartialEq, Eq)]
pub enum SecretValue {
    /// SecretString.
    Text(String),
    /// SecretBinary.
    Binary(Vec<u8>),
}

impl std::fmt::Debug for SecretValue {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(if matches!(self, SecretValue::Text(_)) { "Text(...)" } else { "Binary(...)" })
    }
}

impl SecretValue {
    /// What may not be found anywhere: the value, and of a JSON object the password too.
    pub fn secrets(&self) -> Vec<String> {
        match self {
            SecretValue::Text(text) => {
                let json: Json = serde_json::from_str(text).unwrap_or_default();
                let password = json.get("password").and_then(Json::as_str).map(str::to_owned);
                std::iter::once(text.clone()).chain(password).collect()
            }
            SecretValue::Binary(bytes) => {
                let text = String::from_utf8(bytes.clone()).ok();
                std::iter::once(STANDARD.encode(bytes)).chain(text).collect()
            }
        }
    }
}

/// A secret of Secrets Manager.
#[derive(Debug, Clone)]
pub struct Secret {
    /// Its name.
    pub name: String,
    /// Its ARN, six random characters at the end.
    pub arn: String,
    /// VersionId: another one with each value.
    pub version: String,
    /// What it holds.
    pub value: SecretValue,
    /// CreatedDate.
    pub created: OffsetDateTime,
}

/// A parameter of Systems Manager.
#[derive(Clone)]
pub struct Parameter {
    /// Its name, with the slash in front if it has one.
    pub name: String,
    /// Whether it is a SecureString; else it is a String.
    pub secure: bool,
    /// Its value.
    pub value: String,
    /// Counts up.
    pub version: u64,
    /// LastModifiedDate.
    pub modified: OffsetDateTime,
}

impl std::fmt::Debug for Parameter {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Parameter").field("name", &self.name).finish_non_exhaustive()
    }
}
