//! A small AWS account: STS, Redshift, Redshift Serverless, Secrets Manager and Systems Manager's parameters, as far as
//! signing in to a warehouse needs them, and as strict as AWS.

pub mod clock;
mod failure;
mod identity;
pub mod logins;
mod policy;
mod redshift;
mod secrets;
mod server;
mod serverless;
mod sigv4;
mod sts;
mod things;
mod wire;

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use rand::Rng as _;
use serde_json::{Value as Json, json};

use crate::SUPERUSER;
use crate::front::Shared;
use identity::{Directory, partition};
pub use server::serve;
pub use things::{Cluster, SecretValue, Workgroup};
use things::{Parameter, Secret};

/// How the account is to be.
#[derive(Debug, Clone)]
pub struct AwsOptions {
    /// The number of the account that the fixtures are in.
    pub account: String,
    /// The region that the fixtures are in; it decides on the partition.
    pub region: String,
}

impl Default for AwsOptions {
    fn default() -> Self {
        AwsOptions { account: "111122223333".into(), region: "eu-west-1".into() }
    }
}

/// The account that the fixture's role is in.
const OTHER_ACCOUNT: &str = "444455556666";

/// What the account holds at the start.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Fixtures {
    /// A cluster.
    pub cluster: String,
    /// A host name of the cluster's, which is in the certificate and resolves to nothing.
    pub cluster_host: String,
    /// A workgroup.
    pub workgroup: String,
    /// A host name of the workgroup's, likewise.
    pub workgroup_host: String,
    /// A database user, a superuser without a password.
    pub db_user: String,
    /// A role in another account that may do everything on the cluster and the workgroup.
    pub role_arn: String,
    /// The external id that the role wants.
    pub external_id: String,
    /// A secret: JSON with username, password, host, port, dbname and engine of the superuser.
    pub secret_id: String,
    /// A SecureString: the superuser's password.
    pub ssm_parameter: String,
}

impl Fixtures {
    /// Those of an account.
    pub fn new(options: &AwsOptions) -> Self {
        let (account, region) = (&options.account, &options.region);
        let suffix = if partition(region) == "aws-cn" { "amazonaws.com.cn" } else { "amazonaws.com" };
        Fixtures {
            cluster: "examplecluster".into(),
            cluster_host: format!("examplecluster.abc123xyz789.{region}.redshift.{suffix}"),
            workgroup: "analytics".into(),
            workgroup_host: format!("analytics.{account}.{region}.redshift-serverless.{suffix}"),
            db_user: "tool_user".into(),
            role_arn: format!("arn:{}:iam::{OTHER_ACCOUNT}:role/warehouse-access", partition(region)),
            external_id: "standin-4f1c9a".into(),
            secret_id: "standin/warehouse".into(),
            ssm_parameter: "/standin/warehouse/password".into(),
        }
    }
}

/// A call that came in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AwsCall {
    /// Such as `sts:AssumeRole`.
    pub name: String,
    /// Who called; empty where the signature did not say.
    pub identity_arn: String,
    /// The region of the signature.
    pub region: String,
    /// The parameters, without secrets.
    pub parameters: BTreeMap<String, String>,
    /// `user-agent`.
    pub user_agent: String,
}

#[derive(Default)]
struct State {
    directory: Directory,
    clusters: Vec<Cluster>,
    workgroups: Vec<Workgroup>,
    secrets: Vec<Secret>,
    parameters: Vec<Parameter>,
    /// Tokens of web identities, with the roles they open.
    web_identities: HashMap<String, Vec<String>>,
    /// Everything that may be found nowhere else.
    minted: Vec<String>,
    calls: Vec<AwsCall>,
}

/// The account. Its functions may be called from anywhere.
pub struct Account {
    options: AwsOptions,
    fixtures: Fixtures,
    access_key: (String, String),
    caller_arn: String,
    shared: Arc<Shared>,
    /// The port of the warehouse.
    port: u16,
    state: Mutex<State>,
    /// Users are made one at a time.
    making: tokio::sync::Mutex<()>,
}

impl std::fmt::Debug for Account {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Account").field("options", &self.options).finish_non_exhaustive()
    }
}

/// This many random bytes as base64.
fn random_text(bytes: usize) -> String {
    let mut random = vec![0; bytes];
    rand::rng().fill_bytes(&mut random);
    STANDARD.encode(random)
}

/// Whether two accounts or regions are different ones; `None` is every one.
fn differ(one: &Option<String>, other: &Option<String>) -> bool {
    matches!((one, other), (Some(one), Some(other)) if one != other)
}

impl Account {
    /// The account with its fixtures, before a warehouse.
    pub(crate) fn new(
        options: AwsOptions,
        shared: Arc<Shared>,
        port: u16,
        superuser_password: &str,
    ) -> Result<Self, String> {
        if options.account.len() != 12 || !options.account.bytes().all(|b| b.is_ascii_digit()) {
            return Err(format!("an account is twelve digits, not {:?}", options.account));
        }
        let fixtures = Fixtures::new(&options);
        let partition = partition(&options.region);
        let caller_arn = format!("arn:{partition}:iam::{}:user/terraform", options.account);
        let mut state = State::default();
        let access_key = state.directory.add_user(&caller_arn)?;
        state.minted.push(access_key.1.clone());
        let everything = |actions: Json| json!({ "Version": "2012-10-17", "Statement": [{ "Effect": "Allow", "Action": actions, "Resource": "*" }] });
        state.directory.put(&json!({
            caller_arn.as_str(): { "policies": [everything(json!("*"))] },
            fixtures.role_arn.as_str(): {
                "policies": [everything(json!(["redshift:*", "redshift-serverless:*"]))],
                "trust": { "Version": "2012-10-17", "Statement": [{
                    "Effect": "Allow",
                    "Principal": { "AWS": format!("arn:{partition}:iam::{}:root", options.account) },
                    "Action": "sts:AssumeRole",
                    "Condition": { "StringEquals": { "sts:ExternalId": fixtures.external_id } },
                }] },
            },
        }))?;
        let region = Some(options.region.clone());
        state.clusters.push(Cluster { region: region.clone(), ..Cluster::new(&fixtures.cluster) });
        state.workgroups.push(Workgroup { region, ..Workgroup::new(&fixtures.workgroup) });
        let account = Account {
            options,
            fixtures,
            access_key,
            caller_arn,
            shared,
            port,
            state: Mutex::new(state),
            making: tokio::sync::Mutex::default(),
        };
        let secret = json!({
            "username": SUPERUSER, "password": superuser_password, "engine": "redshift", "host": "localhost",
            "port": port, "dbname": "dev",
        });
        account.put_secret(&account.fixtures.secret_id, SecretValue::Text(secret.to_string()));
        account.put_parameter(&account.fixtures.ssm_parameter, true, superuser_password);
        Ok(account)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What the account holds at the start.
    pub fn fixtures(&self) -> &Fixtures {
        &self.fixtures
    }

    /// The region that the fixtures are in.
    pub fn region(&self) -> &str {
        &self.options.region
    }

    /// The access key's id and secret of the IAM user that the account starts with; he may do everything.
    pub fn access_key(&self) -> (&str, &str) {
        (&self.access_key.0, &self.access_key.1)
    }

    /// His ARN.
    pub fn caller_arn(&self) -> String {
        self.caller_arn.clone()
    }

    /// Adds an IAM user without rights; his access key's id and secret. Panics if this is no ARN of a user.
    pub fn add_user(&self, arn: &str) -> (String, String) {
        let mut state = self.state();
        let key = match state.directory.add_user(arn) {
            Ok(key) => key,
            Err(why) => panic!("{why}"),
        };
        state.minted.push(key.1.clone());
        key
    }

    /// Replaces policies, all or none:
    /// `{"<ARN of a user or role>": {"policies": [document, ...], "trust": document, "max_session_duration": seconds}}`.
    /// A document is JSON or the same as text. What is not named stays; roles that are new are made.
    pub fn put_policies(&self, json: &Json) -> Result<(), String> {
        self.state().directory.put(json)
    }

    /// Adds a cluster, in place of those with the same id that answer in one of its accounts and regions.
    pub fn put_cluster(&self, cluster: Cluster) {
        let mut state = self.state();
        let apart = |c: &Cluster| {
            c.id != cluster.id || differ(&c.account, &cluster.account) || differ(&c.region, &cluster.region)
        };
        state.clusters.retain(apart);
        state.clusters.push(cluster);
    }

    /// Removes all clusters with this id.
    pub fn remove_cluster(&self, id: &str) {
        self.state().clusters.retain(|c| c.id != id);
    }

    /// Adds a workgroup, in place of those with the same name that answer in one of its accounts and regions.
    pub fn put_workgroup(&self, workgroup: Workgroup) {
        let mut state = self.state();
        let apart = |w: &Workgroup| {
            w.name != workgroup.name || differ(&w.account, &workgroup.account) || differ(&w.region, &workgroup.region)
        };
        state.workgroups.retain(apart);
        state.workgroups.push(workgroup);
    }

    /// Removes all workgroups with this name.
    pub fn remove_workgroup(&self, name: &str) {
        self.state().workgroups.retain(|w| w.name != name);
    }

    /// Sets a secret's value, in the fixtures' account and region; its ARN.
    pub fn put_secret(&self, name: &str, value: SecretValue) -> String {
        let mut state = self.state();
        state.minted.extend(value.secrets());
        let (version, created) = (crate::guid(), self.shared.logins.clock.now());
        if let Some(secret) = state.secrets.iter_mut().find(|s| s.name == name) {
            (secret.value, secret.version) = (value, version);
            return secret.arn.clone();
        }
        let suffix: String = identity::unique("").chars().take(6).collect();
        let arn = format!(
            "arn:{}:secretsmanager:{}:{}:secret:{name}-{suffix}",
            partition(&self.options.region),
            self.options.region,
            self.options.account
        );
        state.secrets.push(Secret { name: name.to_owned(), arn: arn.clone(), version, value, created });
        arn
    }

    /// Removes a secret.
    pub fn remove_secret(&self, name: &str) {
        self.state().secrets.retain(|s| s.name != name);
    }

    /// Sets a parameter, in the fixtures' account and region.
    pub fn put_parameter(&self, name: &str, secure: bool, value: &str) {
        let mut state = self.state();
        state.minted.push(value.to_owned());
        let version = state.parameters.iter().find(|p| p.name == name).map_or(0, |p| p.version) + 1;
        state.parameters.retain(|p| p.name != name);
        let modified = self.shared.logins.clock.now();
        let (name, value) = (name.to_owned(), value.to_owned());
        state.parameters.push(Parameter { name, secure, value, version, modified });
    }

    /// Removes a parameter.
    pub fn remove_parameter(&self, name: &str) {
        self.state().parameters.retain(|p| p.name != name);
    }

    /// From now on AssumeRoleWithWebIdentity takes this token for these roles, which are made if they are not there.
    /// The token stands for the role's trust in its issuer: trust policies are not asked. Panics if one is no role's ARN.
    pub fn put_web_identity(&self, token: &str, roles: &[&str]) {
        let mut state = self.state();
        for role in roles {
            if let Err(why) = state.directory.add_role(role) {
                panic!("{why}");
            }
        }
        state.minted.push(token.to_owned());
        state.web_identities.insert(token.to_owned(), roles.iter().map(|r| (*r).to_owned()).collect());
    }

    /// Database credentials minted from now on open new sessions only this long, and say so.
    pub fn credentials_live(&self, span: Duration) {
        self.shared.logins.live(span);
    }

    /// Sets the account's clock: this many seconds ahead of the machine's. Signatures, sessions and database credentials
    /// go by it.
    pub fn skew_clock(&self, seconds: i64) {
        self.shared.logins.clock.skew(seconds);
    }

    /// Everything that may be found nowhere outside: minted passwords, session tokens and secret keys, secret values,
    /// parameters, web identities.
    pub fn secrets(&self) -> Vec<String> {
        self.state().minted.clone()
    }

    /// The calls that came in since the start or the last [`crate::Standin::reset_counters`], in order.
    pub fn calls(&self) -> Vec<AwsCall> {
        self.state().calls.clone()
    }

    /// Forgets the calls.
    pub(crate) fn reset_calls(&self) {
        self.state().calls.clear();
    }
}
