//! Redshift, provisioned: clusters, and credentials for their databases.

use std::time::Duration;

use super::failure::Failure;
use super::logins::Login;
use super::server::{Context, unknown_here};
use super::sts::database_user;
use super::things::Cluster;
use super::wire::{Reply, element};
use super::{Account, clock};
use crate::SUPERUSER;
use crate::client::Client;
use crate::front;
use crate::names::literal;

/// Answers a call.
pub async fn answer(context: &Context<'_>) -> Result<Reply, Failure> {
    match context.call.operation.as_str() {
        "DescribeClusters" => describe(context),
        "DescribeCustomDomainAssociations" => custom_domains(context),
        _ => credentials(context).await,
    }
}

fn seen(context: &Context<'_>) -> Vec<Cluster> {
    let state = context.account.state();
    let seen = |c: &&Cluster| context.sees(c.account.as_deref(), c.region.as_deref());
    state.clusters.iter().filter(seen).cloned().collect()
}

fn not_found(context: &Context<'_>, id: &str) -> Failure {
    context.call.fail("ClusterNotFound", format!("Cluster {id} not found."))
}

fn describe(context: &Context<'_>) -> Result<Reply, Failure> {
    let id = context.call.get("ClusterIdentifier");
    context.allow(&[context.arn(&format!("cluster:{}", id.unwrap_or("*")))])?;
    let found: Vec<_> = seen(context).into_iter().filter(|c| id.is_none_or(|id| c.id == id)).collect();
    if let (Some(id), true) = (id, found.is_empty()) {
        return Err(not_found(context, id));
    }
    let port = context.account.port;
    let one = |cluster: Cluster| {
        let endpoint = match cluster.status.as_str() {
            "creating" => String::new(),
            _ => {
                let address = element("Address", cluster.address.as_deref().unwrap_or("localhost"));
                let port = element("Port", &cluster.port.unwrap_or(port).to_string());
                format!("<Endpoint>{address}{port}</Endpoint>")
            }
        };
        let availability = match cluster.status.as_str() {
            "available" => "Available",
            "paused" => "Paused",
            _ => "Modifying",
        };
        let fields = element("ClusterIdentifier", &cluster.id)
            + &element("NodeType", &cluster.node_type)
            + &element("ClusterStatus", &cluster.status)
            + &element("ClusterAvailabilityStatus", availability)
            + &element("MasterUsername", SUPERUSER)
            + &element("DBName", "dev")
            + &endpoint
            + &element("NumberOfNodes", "2")
            + &element("PubliclyAccessible", "false")
            + "<VpcSecurityGroups><VpcSecurityGroup><VpcSecurityGroupId>sg-0a1b2c3d</VpcSecurityGroupId>\
               <Status>active</Status></VpcSecurityGroup></VpcSecurityGroups>"
            + &element("Encrypted", "true");
        format!("<Cluster>{fields}</Cluster>")
    };
    Ok(Reply::Xml(format!("<Clusters>{}</Clusters>", found.into_iter().map(one).collect::<String>())))
}

fn custom_domains(context: &Context<'_>) -> Result<Reply, Failure> {
    // The service authorization reference has no resource for this action.
    context.allow(&["*".to_owned()])?;
    let asked = context.call.get("CustomDomainName");
    let pairs: Vec<(String, String)> = seen(context)
        .into_iter()
        .flat_map(|c| c.custom_domains.into_iter().map(move |d| (d, c.id.clone())))
        .filter(|(domain, _)| asked.is_none_or(|a| a.eq_ignore_ascii_case(domain)))
        .collect();
    if pairs.is_empty() && asked.is_some() {
        let text = "The custom domain association could not be found.";
        return Err(context.call.fail("CustomDomainAssociationNotFoundFault", text));
    }
    let associations: String = pairs
        .iter()
        .map(|(domain, id)| {
            let inner = element("CustomDomainName", domain) + &element("ClusterIdentifier", id);
            format!(
                "<Association><CertificateAssociations><CertificateAssociation>{inner}</CertificateAssociation>\
                 </CertificateAssociations></Association>"
            )
        })
        .collect();
    Ok(Reply::Xml(format!("<Associations>{associations}</Associations>")))
}

/// The cluster that is asked about, and whether it is there.
fn cluster_id(context: &Context<'_>) -> Result<(String, bool), Failure> {
    let call = context.call;
    match (call.get("ClusterIdentifier"), call.get("CustomDomainName")) {
        (Some(id), None) => Ok((id.to_owned(), seen(context).iter().any(|c| c.id == id))),
        (None, Some(domain)) => {
            let has = |c: &Cluster| c.custom_domains.iter().any(|d| d.eq_ignore_ascii_case(domain));
            match seen(context).into_iter().find(has) {
                Some(cluster) => Ok((cluster.id, true)),
                None => Err(not_found(context, domain)),
            }
        }
        (Some(_), Some(_)) => {
            let text = "ClusterIdentifier and CustomDomainName cannot be given together.";
            Err(call.fail("InvalidParameterCombination", text))
        }
        (None, None) => {
            let text = "Either ClusterIdentifier or CustomDomainName must be given.";
            Err(call.fail("InvalidParameterCombination", text))
        }
    }
}

async fn credentials(context: &Context<'_>) -> Result<Reply, Failure> {
    let call = context.call;
    let by_identity = call.operation == "GetClusterCredentialsWithIAM";
    if let Some(name) = call.parameters.keys().find(|name| name.starts_with("DbGroups")) {
        return Err(unknown_here(name));
    }
    let database = call.get("DbName");
    if let Some(database) = database {
        check_name(context, "DbName", database)?;
    }
    let span = duration(context)?;
    let user = match (by_identity, call.get("DbUser")) {
        (true, _) => None,
        (false, None) => return Err(call.breaks("DbUser", None, "not be null")),
        (false, Some(user)) => {
            check_name(context, "DbUser", user)?;
            Some(user)
        }
    };
    let create = call.get("AutoCreate").is_some_and(|flag| flag.eq_ignore_ascii_case("true"));
    let (cluster, there) = cluster_id(context)?;

    let mut resources = Vec::new();
    let dbuser = user.map(|user| context.arn(&format!("dbuser:{cluster}/{user}")));
    resources.extend(dbuser.clone());
    match database {
        Some(database) => resources.push(context.arn(&format!("dbname:{cluster}/{database}"))),
        None if by_identity => resources.push(context.arn(&format!("dbname:{cluster}/*"))),
        None => {}
    }
    context.allow(&resources)?;
    if let (Some(dbuser), true) = (dbuser, create) {
        let directory = &context.account.state().directory;
        directory.allow(context.identity, call, "redshift:CreateClusterUser", &[dbuser])?;
    }
    if !there {
        return Err(not_found(context, &cluster));
    }
    let (name, user) = match user {
        Some(user) if create => (format!("IAMA:{user}"), user.to_owned()),
        Some(user) => (format!("IAM:{user}"), user.to_owned()),
        None => (database_user(context.identity), database_user(context.identity)),
    };
    let login = mint(context, &name, &user, database, span, by_identity || create).await?;
    let mut fields = element("DbUser", &login.name)
        + &element("DbPassword", &login.password)
        + &element("Expiration", &clock::extended(login.until));
    if by_identity {
        fields += &element("NextRefreshTime", &clock::extended(login.until));
    }
    Ok(Reply::Xml(fields))
}

/// Hands out credentials, and makes the user first where it has to be there.
pub async fn mint(
    context: &Context<'_>,
    name: &str,
    user: &str,
    database: Option<&str>,
    span: Duration,
    make: bool,
) -> Result<Login, Failure> {
    let account = context.account;
    if make {
        let made = account.make_user(user).await;
        made.map_err(|e| context.call.fail("InternalFailure", format!("the user {user:?} cannot be made: {e}")))?;
    }
    let login = account.shared.logins.mint(name, user, database, span);
    account.keep_secret([login.password.clone()]);
    Ok(login)
}

impl Account {
    /// Makes a database user without password and rights, unless he is there.
    async fn make_user(&self, name: &str) -> Result<(), crate::Error> {
        let _one = self.making.lock().await;
        let stream = front::internal(self.shared.clone(), true);
        let mut client = Client::connect(stream, SUPERUSER, "dev", "").await?;
        let there = client.query(&format!("SELECT 1 FROM pg_user WHERE usename = {}", literal(name))).await?;
        if there.rows.is_empty() {
            let name = name.replace('"', "\"\"");
            client.query(&format!("CREATE USER \"{name}\" PASSWORD DISABLE")).await?;
        }
        Ok(())
    }
}

fn check_name(context: &Context<'_>, parameter: &str, name: &str) -> Result<(), Failure> {
    let good = name.len() <= 64
        && name.starts_with(|c: char| c.is_ascii_alphabetic())
        && name.bytes().all(|b| b.is_ascii_alphanumeric() || b"_+.@-".contains(&b))
        && !name.eq_ignore_ascii_case("public")
        && !crate::allowed::is_reserved(&name.to_ascii_lowercase());
    match good {
        true => Ok(()),
        false => {
            let text = format!("The parameter {parameter} is not a valid identifier: {name}");
            Err(context.call.fail("InvalidParameterValue", text))
        }
    }
}

fn duration(context: &Context<'_>) -> Result<Duration, Failure> {
    let text = context.call.get("DurationSeconds").unwrap_or("900");
    match text.parse::<u64>() {
        Ok(seconds) if (900..=3600).contains(&seconds) => Ok(Duration::from_secs(seconds)),
        _ => {
            let text = "Token duration must be between 900 and 3600 seconds";
            Err(context.call.fail("InvalidParameterValue", text))
        }
    }
}
