//! The IAM policies around temporary database credentials: what the identity that asks for them may do, what whoever runs
//! this may do, and whom a role trusts. Pure: what is written decides, nothing is looked up.

mod document;
pub mod names;
#[cfg(test)]
mod tests;

use std::collections::BTreeSet;

use serde::Deserialize;

use crate::engine::error::Error;
use crate::engine::partition::of_region as partition;
use crate::engine::settings::endpoint::{check_cluster, check_workgroup};
use document::{Document, Statement, Trust};
use names::{Arn, DB_NAME_WORDS, Principal, is_db_name};

/// The database that a connection goes to when none is written.
const DEFAULT_DATABASE: &str = "dev";

/// Whatever its name is.
const EVERY: &str = "*";

/// What the policies are for, as it is written.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub struct Wanted {
    /// The provisioned cluster.
    pub cluster_identifier: Option<String>,
    /// The serverless workgroup. ARNs hold its id, not its name.
    pub workgroup_name: Option<String>,
    /// The workgroup's id, a UUID; `*` for every workgroup.
    pub workgroup_id: Option<String>,
    /// Where all of it is.
    pub region: Option<String>,
    /// The account of the warehouse, which is that of the role, else of the caller.
    pub account_id: Option<String>,
    /// The database user; none: the one that belongs to the identity.
    pub username: Option<String>,
    /// The databases of a cluster that credentials are asked for; `*` for every one.
    pub databases: Option<BTreeSet<String>>,
    /// Whether host and port have to be looked up.
    pub find_endpoint: Option<bool>,
    /// Whether the host is a domain of one's own and no `cluster_identifier` is written beside it.
    pub custom_domain: Option<bool>,
    /// The role that the caller assumes.
    pub role_arn: Option<String>,
    /// The secret that the caller reads: its name or ARN.
    pub secret_id: Option<String>,
    /// The SSM parameter that the caller reads: its name or ARN.
    pub password_ssm_parameter: Option<String>,
    /// The key of the secret or parameter, where it is not AWS's own.
    pub kms_key_arn: Option<String>,
    /// Who assumes the role.
    pub principal_arn: Option<String>,
    /// What the role's trust policy asks for beside.
    pub external_id: Option<String>,
    /// Settings that are written and not known yet.
    #[serde(skip)]
    pub pending: BTreeSet<&'static str>,
}

/// The policies as JSON.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Policies {
    /// For the identity that asks for credentials. None if no warehouse is named.
    pub json: Option<String>,
    /// For the identity that runs this. None if it needs nothing.
    pub caller_json: Option<String>,
    /// The role's trust policy. None without a principal.
    pub trust_json: Option<String>,
}

/// What names a warehouse.
const WAREHOUSE: [&str; 3] = ["cluster_identifier", "workgroup_name", "workgroup_id"];

/// What a password is read from.
const SECRETS: [&str; 2] = ["secret_id", "password_ssm_parameter"];

/// A warehouse as ARNs name it.
enum Target {
    Cluster(String),
    /// By its id, or `*`.
    Workgroup(String),
}

impl Wanted {
    /// Whether a setting is written and known.
    fn knows(&self, name: &'static str) -> bool {
        match name {
            "cluster_identifier" => self.cluster_identifier.is_some(),
            "workgroup_name" => self.workgroup_name.is_some(),
            "workgroup_id" => self.workgroup_id.is_some(),
            "account_id" => self.account_id.is_some(),
            "username" => self.username.is_some(),
            "databases" => self.databases.is_some(),
            "role_arn" => self.role_arn.is_some(),
            "secret_id" => self.secret_id.is_some(),
            "password_ssm_parameter" => self.password_ssm_parameter.is_some(),
            "kms_key_arn" => self.kms_key_arn.is_some(),
            "principal_arn" => self.principal_arn.is_some(),
            "external_id" => self.external_id.is_some(),
            _ => false,
        }
    }

    /// Whether one of these is written, known or not.
    fn may_know(&self, names: &[&'static str]) -> bool {
        names.iter().any(|name| self.knows(name) || self.pending.contains(name))
    }

    /// What contradicts itself or is missing, each on its setting. What is not known yet neither contradicts nor is
    /// missing; each setting by itself is another's to check (see [`names`]).
    pub fn contradictions(&self) -> Vec<Error> {
        let mut found = Vec::new();
        let mut say = |setting, message: &str| found.push(Error::setting(setting, message));
        let cluster = self.knows("cluster_identifier");
        let workgroup = self.knows("workgroup_name") || self.knows("workgroup_id");
        if cluster && workgroup {
            say("cluster_identifier", ONE_WAREHOUSE);
        } else if workgroup {
            for (name, why) in [("username", DERIVED_USER), ("databases", ANY_DATABASE)] {
                if self.knows(name) {
                    say(name, why);
                }
            }
        } else if !self.may_know(&WAREHOUSE) && !self.may_know(&SECRETS) {
            say("cluster_identifier", NO_WAREHOUSE);
        }
        if (cluster || workgroup) && !self.may_know(&["account_id", "role_arn"]) {
            say("account_id", "The warehouse's account is missing: write account_id, or role_arn, which tells it.");
        }
        if self.knows("kms_key_arn") && !self.may_know(&SECRETS) {
            say("kms_key_arn", "The key is for a secret or a parameter: write secret_id or password_ssm_parameter.");
        }
        if self.knows("external_id") && !self.may_know(&["principal_arn"]) {
            say(
                "external_id",
                "The external id stands in the trust policy, which is for principal_arn: write that too.",
            );
        }
        found.extend(self.foreign_account());
        found.extend(self.other_partitions());
        found.extend(self.nobodys_secrets());
        found
    }

    /// A role asks for warehouses of its own account.
    fn foreign_account(&self) -> Option<Error> {
        let role = Arn::read(self.role_arn.as_deref()?)?;
        self.account_id.as_ref().filter(|account| **account != role.account)?;
        let message = format!(
            "The role in role_arn asks for credentials, and it can for warehouses of its own account only, {}: leave account_id out.",
            role.account
        );
        Some(Error::setting("account_id", message))
    }

    /// Nothing reaches from one partition of AWS to another.
    fn other_partitions(&self) -> Vec<Error> {
        let Some(region) = &self.region else { return Vec::new() };
        let here = partition(region);
        let written = [
            ("role_arn", &self.role_arn),
            ("principal_arn", &self.principal_arn),
            ("secret_id", &self.secret_id),
            ("password_ssm_parameter", &self.password_ssm_parameter),
            ("kms_key_arn", &self.kms_key_arn),
        ];
        let arns = written.into_iter().filter_map(|(name, text)| Some((name, Arn::read(text.as_deref()?)?)));
        arns.filter(|(_, arn)| arn.partition != here)
            .map(|(name, arn)| {
                let there = arn.partition;
                Error::setting(
                    name,
                    format!("This ARN is of the partition {there}, but the region {region} is in {here}."),
                )
            })
            .collect()
    }

    /// A secret's name is one in the caller's account, which has to be known.
    fn nobodys_secrets(&self) -> Vec<Error> {
        let missing = if self.may_know(&["principal_arn"]) || self.pending.contains("role_arn") {
            return Vec::new();
        } else if self.knows("role_arn") {
            "principal_arn"
        } else if self.may_know(&["account_id"]) || self.may_know(&WAREHOUSE) {
            // Without a role the account is the warehouse's, whose absence is told above.
            return Vec::new();
        } else {
            "account_id"
        };
        let written = [("secret_id", &self.secret_id), ("password_ssm_parameter", &self.password_ssm_parameter)];
        let named = written.into_iter().filter(|(_, id)| id.as_deref().is_some_and(|id| !id.starts_with("arn:")));
        named
            .map(|(name, _)| {
                let message = format!(
                    "A name alone means the account of whoever runs this, which is not known here: write the ARN, or {missing} beside the name."
                );
                Error::setting(name, message)
            })
            .collect()
    }

    /// What the policies allow beyond what is named, one sentence for each.
    pub fn beyond(&self) -> Vec<Error> {
        let mut found = Vec::new();
        if self.workgroup_name.is_some() && self.workgroup_id.is_none() && !self.pending.contains("workgroup_id") {
            let why = "The ARN of a workgroup holds its id, which does not follow from its name. Write workgroup_id to allow this one only, or \"*\" if all are meant.";
            found.push(
                Error::refused("The policy covers every workgroup of the account and region", why)
                    .about("workgroup_id"),
            );
        }
        let named = self.databases.iter().filter(|all| !all.contains(EVERY)).flatten();
        if let Some(odd) = named.into_iter().find(|name| !is_db_name(name)) {
            let why = format!(
                "A request for credentials cannot name the database \"{odd}\": AWS takes {DB_NAME_WORDS}. So they are asked for without a database, and open every one. Write \"*\" if that is meant."
            );
            found.push(Error::refused("The credentials open every database of the cluster", why).about("databases"));
        }
        found
    }

    /// The policies. The error is the first thing that is wrong.
    pub fn policies(&self) -> Result<Policies, Error> {
        self.check()?;
        Ok(Policies {
            json: self.credentials().map(|document| document.text()).transpose()?,
            caller_json: self.caller().map(|document| document.text()).transpose()?,
            trust_json: self.trust()?.map(|document| document.text()).transpose()?,
        })
    }

    /// Checks each setting by itself, then all together.
    fn check(&self) -> Result<(), Error> {
        let test = |value: &Option<String>, rule: fn(&str) -> Result<(), Error>| value.as_deref().map_or(Ok(()), rule);
        test(&self.cluster_identifier, check_cluster)?;
        test(&self.workgroup_name, check_workgroup)?;
        test(&self.workgroup_id, names::workgroup_id)?;
        test(&self.region, names::region)?;
        test(&self.account_id, names::account_id)?;
        test(&self.username, names::username)?;
        self.databases.as_ref().map_or(Ok(()), names::databases)?;
        test(&self.role_arn, names::role_arn)?;
        test(&self.secret_id, names::secret_id)?;
        test(&self.password_ssm_parameter, names::parameter)?;
        test(&self.kms_key_arn, names::kms_key_arn)?;
        test(&self.principal_arn, |text| names::principal(text).map(drop))?;
        test(&self.external_id, names::external_id)?;
        if self.region.is_none() {
            return Err(Error::setting("region", "The warehouse's region is missing."));
        }
        self.contradictions().into_iter().next().map_or(Ok(()), Err)
    }

    fn region(&self) -> &str {
        self.region.as_deref().unwrap_or_default()
    }

    /// The warehouse's account.
    fn account(&self) -> String {
        let role = || Some(Arn::read(self.role_arn.as_deref()?)?.account);
        self.account_id.clone().or_else(role).unwrap_or_default()
    }

    /// The account of whoever runs this, which is the warehouse's unless a role leads there.
    fn callers_account(&self) -> String {
        let told = match &self.principal_arn {
            Some(principal) => names::principal(principal).ok().map(|principal| principal.account().to_owned()),
            None => self.account_id.clone(),
        };
        told.unwrap_or_default()
    }

    fn arn(&self, service: &str, account: &str, resource: &str) -> String {
        let region = self.region();
        format!("arn:{}:{service}:{region}:{account}:{resource}", partition(region))
    }

    fn target(&self) -> Option<Target> {
        if let Some(id) = &self.cluster_identifier {
            return Some(Target::Cluster(id.to_ascii_lowercase()));
        }
        let named = self.workgroup_name.is_some() || self.workgroup_id.is_some();
        named.then(|| Target::Workgroup(self.workgroup_id.clone().unwrap_or_else(|| EVERY.to_owned())))
    }

    /// What the identity that asks for credentials may do.
    fn credentials(&self) -> Option<Document> {
        let account = self.account();
        let custom_domain = self.custom_domain.unwrap_or(false);
        let find_endpoint = self.find_endpoint.unwrap_or(!custom_domain);
        let mut statements = Vec::new();
        match self.target()? {
            Target::Cluster(cluster) => {
                let arn = |resource: String| self.arn("redshift", &account, &resource);
                let (action, resources) = self.cluster_credentials(&cluster, arn);
                statements.push(Statement::new("DatabaseCredentials", action, resources));
                if find_endpoint {
                    let resource = arn(format!("cluster:{cluster}"));
                    statements.push(Statement::new("FindEndpoint", "redshift:DescribeClusters", [resource]));
                }
                if custom_domain {
                    // IAM knows no resource for this action (AWS: Service Authorization Reference).
                    let action = "redshift:DescribeCustomDomainAssociations";
                    statements.push(Statement::new("FindCustomDomain", action, [EVERY.to_owned()]));
                }
            }
            Target::Workgroup(id) => {
                let resource = self.arn("redshift-serverless", &account, &format!("workgroup/{id}"));
                let action = "redshift-serverless:GetCredentials";
                statements.push(Statement::new("DatabaseCredentials", action, [resource.clone()]));
                if find_endpoint {
                    statements.push(Statement::new("FindEndpoint", "redshift-serverless:GetWorkgroup", [resource]));
                }
            }
        }
        Some(Document::new(statements))
    }

    /// The call for a cluster's credentials, and what it is about.
    fn cluster_credentials(&self, cluster: &str, arn: impl Fn(String) -> String) -> (&'static str, Vec<String>) {
        let default = BTreeSet::from([DEFAULT_DATABASE.to_owned()]);
        let asked = self.databases.as_ref().unwrap_or(&default);
        let mut databases: Vec<&str> = asked.iter().map(String::as_str).filter(|name| is_db_name(name)).collect();
        let every = asked.contains(EVERY);
        // A request without a database is about no dbname where it names a user, else about all of them.
        if every || (self.username.is_none() && databases.len() < asked.len()) {
            databases = vec![EVERY];
        }
        let databases = databases.into_iter().map(|name| arn(format!("dbname:{cluster}/{name}")));
        match &self.username {
            Some(user) => {
                let user = arn(format!("dbuser:{cluster}/{user}"));
                ("redshift:GetClusterCredentials", std::iter::once(user).chain(databases).collect())
            }
            None => ("redshift:GetClusterCredentialsWithIAM", databases.collect()),
        }
    }

    /// What whoever runs this may do beside.
    fn caller(&self) -> Option<Document> {
        let mut statements = Vec::new();
        if let Some(role) = &self.role_arn {
            statements.push(Statement::new("AssumeRole", "sts:AssumeRole", [role.clone()]));
        }
        let account = self.callers_account();
        let own = |service: &str, resource: String| self.arn(service, &account, &resource);
        if let Some(id) = &self.secret_id {
            let resource = names::secret_resource(id, |resource| own("secretsmanager", resource));
            statements.push(Statement::new("ReadSecret", "secretsmanager:GetSecretValue", [resource]));
        }
        if let Some(name) = &self.password_ssm_parameter {
            let resource = names::parameter_resource(name, |resource| own("ssm", resource));
            statements.push(Statement::new("ReadParameter", "ssm:GetParameter", [resource]));
        }
        if let Some(key) = &self.kms_key_arn {
            statements.push(Statement::new("Decrypt", "kms:Decrypt", [key.clone()]));
        }
        (!statements.is_empty()).then(|| Document::new(statements))
    }

    /// Whom the role trusts.
    fn trust(&self) -> Result<Option<Document>, Error> {
        let Some(principal) = &self.principal_arn else { return Ok(None) };
        let principal = names::principal(principal)?;
        let here = partition(self.region());
        let iam = |account: &str, resource: &str| format!("arn:{here}:iam::{account}:{resource}");
        let (arn, like) = match &principal {
            Principal::Account(account) => (iam(account, "root"), Vec::new()),
            Principal::User { account, path_and_name } => (iam(account, &format!("user/{path_and_name}")), Vec::new()),
            // The ARN of a session does not hold the role's path, so the role is allowed on every path.
            Principal::Role { account, name } => {
                let paths = ["role/", "role/*/"];
                (iam(account, "root"), paths.iter().map(|path| iam(account, &format!("{path}{name}"))).collect())
            }
        };
        Ok(Some(Document::new([Statement::trust(Trust { arn, like, external_id: self.external_id.clone() })])))
    }
}

const ONE_WAREHOUSE: &str =
    "A warehouse is a cluster or a serverless workgroup: write cluster_identifier, or workgroup_name and workgroup_id.";

const NO_WAREHOUSE: &str = "Write cluster_identifier, or workgroup_name or workgroup_id: the policies are for one warehouse. (Only those for secret_id and password_ssm_parameter need none.)";

const DERIVED_USER: &str = "On a serverless workgroup the database user follows from the AWS identity that asks (IAM:<user> or IAMR:<role>): leave username out.";

const ANY_DATABASE: &str = "Credentials of a serverless workgroup cannot be limited to databases by a policy: leave databases out, and limit rights in the database.";
