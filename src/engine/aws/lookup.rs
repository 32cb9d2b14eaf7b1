//! Endpoints, secrets and parameters.

use aws_credential_types::Credentials;
use aws_sdk_redshift::types::Cluster;
use secrecy::SecretString;
use serde_json::Value;

use super::problem::{Asked, failed};
use super::{Aws, Service};
use crate::engine::error::Error;
use crate::engine::settings::access::Iam;
use crate::engine::settings::aws::Arn;
use crate::engine::settings::endpoint::Endpoint;
use crate::engine::settings::needs::{Finding, Located, Need, Network, ParameterValue, Role, SecretFields, Target};

/// Looks a need up.
pub(super) async fn find(aws: &Aws, need: &Need) -> Result<Finding, Error> {
    match need {
        Need::Endpoint { target, region, roles, for_want_of_password } => {
            let asked = Asked { for_want_of_password: *for_want_of_password, ..Asked::default() };
            endpoint(aws, target, region.as_deref(), roles, asked).await.map(Finding::Endpoint)
        }
        Need::Secret { id, region } => secret(aws, id, region.as_deref()).await.map(Finding::Secret),
        Need::Parameter { name, region } => parameter(aws, name, region.as_deref()).await.map(Finding::Parameter),
    }
}

async fn endpoint(
    aws: &Aws,
    target: &Target,
    region: Option<&str>,
    roles: &[Role],
    asked: Asked,
) -> Result<Located, Error> {
    let region = aws.region(region).await?;
    let asked = Asked { target: format!("{target} in {region}"), about: target.setting(), ..asked };
    let identity = aws.identity(roles, &region).await.map_err(|error| asked.wanted(error))?;
    tracing::debug!(%target, region, "looking up the endpoint");
    let about = asked.about;
    let asked = |call, resource: String| Asked {
        call,
        identity: identity.name.clone(),
        resources: vec![resource],
        ..asked.clone()
    };
    let (address, port, status, network) = match target {
        Target::Workgroup(name) => {
            let config = aws.service(Service::RedshiftServerless, &region, identity.credentials.clone()).await?;
            let asked = asked("redshift-serverless:GetWorkgroup", "workgroup/<id>".into());
            let answer = aws_sdk_redshiftserverless::Client::new(&config)
                .get_workgroup()
                .workgroup_name(name)
                .send()
                .await
                .map_err(|error| failed(&asked, &error))?;
            let Some(workgroup) = answer.workgroup() else { return Err(asked.no_answer("workgroup")) };
            let endpoint = workgroup.endpoint();
            let status = workgroup.status().map(|status| status.as_str().to_owned());
            let network = Network {
                publicly_accessible: workgroup.publicly_accessible(),
                security_groups: sorted(workgroup.security_group_ids().iter().map(String::as_str)),
            };
            (endpoint.and_then(|e| e.address().map(str::to_owned)), endpoint.and_then(|e| e.port()), status, network)
        }
        Target::Cluster(name) | Target::CustomDomain(name) => {
            let asked = asked("redshift:DescribeClusters", format!("cluster:{name}"));
            let cluster = describe(aws, name, &region, identity.credentials.clone(), &asked).await?;
            let endpoint = cluster.endpoint();
            let status = cluster.cluster_status().map(str::to_owned);
            let groups = cluster.vpc_security_groups().iter().filter_map(|group| group.vpc_security_group_id());
            let network =
                Network { publicly_accessible: cluster.publicly_accessible(), security_groups: sorted(groups) };
            (endpoint.and_then(|e| e.address().map(str::to_owned)), endpoint.and_then(|e| e.port()), status, network)
        }
    };
    let status = status.unwrap_or_default().to_ascii_lowercase();
    match address.filter(|address| !address.is_empty()) {
        Some(address) => {
            if status.contains("paus") {
                let name = target.name();
                return Err(Error::Away {
                    advice: format!(
                        "Resume it in the console, or with `aws redshift resume-cluster --cluster-identifier {name} --region {region}`, and run this again when it is available."
                    ),
                    what: target.to_string(),
                    status,
                    about,
                });
            }
            let endpoint = Endpoint::new(&address, port.and_then(|port| u16::try_from(port).ok()))?;
            Ok(Located { endpoint, network })
        }
        None => Err(Error::Away {
            what: target.to_string(),
            status: if status.is_empty() { "not available".to_owned() } else { status },
            advice: "It has no endpoint: wait until its status is available, and run this again.".to_owned(),
            about,
        }),
    }
}

fn sorted<'a>(ids: impl Iterator<Item = &'a str>) -> Vec<String> {
    let mut ids: Vec<String> = ids.map(str::to_owned).collect();
    ids.sort();
    ids
}

async fn describe(
    aws: &Aws,
    name: &str,
    region: &str,
    credentials: Credentials,
    asked: &Asked,
) -> Result<Cluster, Error> {
    let config = aws.service(Service::Redshift, region, credentials).await?;
    let answer = aws_sdk_redshift::Client::new(&config)
        .describe_clusters()
        .cluster_identifier(name)
        .send()
        .await
        .map_err(|error| failed(asked, &error))?;
    answer.clusters.and_then(|clusters| clusters.into_iter().next()).ok_or_else(|| asked.no_answer("cluster"))
}

/// The type of a cluster's nodes, such as `ra3.xlplus`, asked by those who get the credentials of `iam`.
pub(super) async fn node_type(aws: &Aws, name: &str, iam: &Iam) -> Result<String, Error> {
    let region = aws.region(iam.region.as_deref()).await?;
    let asked =
        Asked { target: format!("{} in {region}", iam.target), about: iam.target.setting(), ..Asked::default() };
    let identity = aws.identity(&iam.roles, &region).await.map_err(|error| asked.wanted(error))?;
    let asked = Asked {
        call: "redshift:DescribeClusters",
        identity: identity.name.clone(),
        resources: vec![format!("cluster:{name}")],
        ..asked
    };
    let cluster = describe(aws, name, &region, identity.credentials, &asked).await?;
    cluster.node_type.ok_or_else(|| asked.no_answer("node type"))
}

async fn secret(aws: &Aws, id: &str, region: Option<&str>) -> Result<SecretFields, Error> {
    let region = aws.region(region_of(id).as_deref().or(region)).await?;
    let asked = Asked {
        call: "secretsmanager:GetSecretValue",
        target: format!("secret \"{id}\" in {region}"),
        resources: vec![if id.starts_with("arn:") { id.to_owned() } else { format!("secret:{id}-??????") }],
        about: "secret_id",
        ..Asked::default()
    };
    let identity = aws.identity(&[], &region).await.map_err(|error| asked.wanted(error))?;
    let asked = Asked { identity: identity.name, ..asked };
    let config = aws.service(Service::SecretsManager, &region, identity.credentials).await?;
    tracing::debug!(secret_id = id, region, "secretsmanager:GetSecretValue");
    let answer = aws_sdk_secretsmanager::Client::new(&config)
        .get_secret_value()
        .secret_id(id)
        .send()
        .await
        .map_err(|error| failed(&asked, &error))?;
    match answer.secret_string() {
        Some(text) => {
            let version = answer.version_id().unwrap_or_default().to_owned();
            Ok(SecretFields { version, ..fields(id, text)? })
        }
        None => Err(wrong_secret(id, "it is binary. It must be text: JSON such as {\"username\": …, \"password\": …}")),
    }
}

fn wrong_secret(id: &str, why: &str) -> Error {
    Error::setting("secret_id", format!("The secret \"{id}\" cannot be used: {why}."))
}

/// The fields of a secret's JSON (AWS: JSON structure of Secrets Manager secrets); secrets that people write themselves
/// often say `user` and `database`, which count where AWS's names are absent. No value of it gets into an error.
fn fields(id: &str, text: &str) -> Result<SecretFields, Error> {
    let Ok(Value::Object(object)) = serde_json::from_str::<Value>(text) else {
        return Err(wrong_secret(id, "it is no JSON object. It must be such as {\"username\": …, \"password\": …}"));
    };
    let text = |name: &str| match object.get(name) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) if text.is_empty() => Ok(None),
        Some(Value::String(text)) => Ok(Some(text.clone())),
        Some(_) => Err(wrong_secret(id, &format!("its field \"{name}\" is no text"))),
    };
    let port = match object.get("port") {
        None | Some(Value::Null) => None,
        Some(value) => {
            let written = value.as_str().map(str::to_owned).unwrap_or_else(|| value.to_string());
            let port = crate::engine::settings::endpoint::parse_port(&written);
            Some(port.map_err(|_| wrong_secret(id, "its field \"port\" is no port (1 to 65535)"))?)
        }
    };
    Ok(SecretFields {
        username: text("username")?.or(text("user")?),
        password: text("password")?.map(SecretString::from),
        host: text("host")?,
        port,
        database: text("dbname")?.or(text("database")?),
        cluster_identifier: text("dbClusterIdentifier")?,
        version: String::new(),
    })
}

async fn parameter(aws: &Aws, name: &str, region: Option<&str>) -> Result<ParameterValue, Error> {
    let region = aws.region(region_of(name).as_deref().or(region)).await?;
    let asked = Asked {
        call: "ssm:GetParameter",
        target: format!("parameter \"{name}\" in {region}"),
        resources: vec![if name.starts_with("arn:") {
            name.to_owned()
        } else {
            format!("parameter/{}", name.trim_start_matches('/'))
        }],
        about: "password_ssm_parameter",
        ..Asked::default()
    };
    let identity = aws.identity(&[], &region).await.map_err(|error| asked.wanted(error))?;
    let asked = Asked { identity: identity.name, ..asked };
    let config = aws.service(Service::Ssm, &region, identity.credentials).await?;
    tracing::debug!(parameter = name, region, "ssm:GetParameter");
    let answer = aws_sdk_ssm::Client::new(&config)
        .get_parameter()
        .name(name)
        .with_decryption(true)
        .send()
        .await
        .map_err(|error| failed(&asked, &error))?;
    let Some(parameter) = answer.parameter() else { return Err(asked.no_answer("parameter")) };
    if parameter.r#type() != Some(&aws_sdk_ssm::types::ParameterType::SecureString) {
        let kind = parameter.r#type().map_or("unknown", aws_sdk_ssm::types::ParameterType::as_str);
        return Err(Error::setting(
            "password_ssm_parameter",
            format!(
                "The parameter \"{name}\" is of type {kind}, which anyone who may read it sees in clear. Make it a SecureString."
            ),
        ));
    }
    match parameter.value() {
        Some(value) if !value.is_empty() => {
            Ok(ParameterValue { value: SecretString::from(value.to_owned()), version: parameter.version().to_string() })
        }
        _ => Err(Error::setting("password_ssm_parameter", format!("The parameter \"{name}\" is empty."))),
    }
}

/// The region in an ARN.
fn region_of(id: &str) -> Option<String> {
    id.parse::<Arn>().ok().map(|arn| arn.region).filter(|region| !region.is_empty())
}

#[cfg(test)]
mod tests {
    use secrecy::ExposeSecret;

    use super::*;

    #[test]
    fn a_secret_is_read_as_aws_writes_it() {
        let all = r#"{"engine":"redshift","username":"u","password":"CANARY","host":"h","port":5440,"dbname":"d","dbClusterIdentifier":"c"}"#;
        let read = fields("s", all).expect("fields");
        assert_eq!(read.password.as_ref().map(|p| p.expose_secret().to_owned()).as_deref(), Some("CANARY"));
        assert_eq!((read.username.as_deref(), read.host.as_deref(), read.port), (Some("u"), Some("h"), Some(5440)));
        assert_eq!((read.database.as_deref(), read.cluster_identifier.as_deref()), (Some("d"), Some("c")));
        assert!(!format!("{read:?}").contains("CANARY"));
        assert_eq!(
            fields("s", r#"{"port":"5441","username":""}"#).map(|f| (f.port, f.username)),
            Ok((Some(5441), None))
        );
        let by_hand = |text: &str| fields("s", text).map(|f| (f.username, f.database));
        let some = |text: &str| Some(text.to_owned());
        assert_eq!(by_hand(r#"{"user":"u","database":"d"}"#), Ok((some("u"), some("d"))));
        let both = r#"{"user":"u","database":"d","username":"v","dbname":"e"}"#;
        assert_eq!(by_hand(both), Ok((some("v"), some("e"))));
    }

    #[test]
    fn what_is_no_such_secret_is_refused_without_its_value() {
        for text in ["CANARY", "[\"CANARY\"]", "{\"password\": 1234567}", "{\"port\": \"CANARY\"}", "\"CANARY\"", ""] {
            let error = fields("s", text).expect_err(text);
            assert_eq!(error.setting_name(), Some("secret_id"));
            assert!(!error.to_string().contains("CANARY") && !error.to_string().contains("1234567"), "{error}");
        }
    }
}
