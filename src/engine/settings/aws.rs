//! The rules for settings that AWS reads.

use std::str::FromStr;

use crate::engine::error::Error;
use crate::engine::settings::access::SslMode;
use crate::engine::settings::host::{HostKind, parse_host};
use crate::engine::settings::{BASIC, IAM, IAM_ROLE, Settings};

/// An ARN by its parts: `arn:partition:service:region:account:resource`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Arn {
    /// `aws`, `aws-cn`, `aws-us-gov`, …
    pub partition: String,
    /// Such as `iam`.
    pub service: String,
    /// Empty for what is in no region.
    pub region: String,
    /// Twelve digits.
    pub account: String,
    /// The rest.
    pub resource: String,
}

impl FromStr for Arn {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let mut parts = text.splitn(6, ':').map(str::to_owned);
        let mut next = || parts.next().ok_or(());
        let (scheme, partition, service, region, account, resource) =
            (next()?, next()?, next()?, next()?, next()?, next()?);
        let good = scheme == "arn" && partition.starts_with("aws") && !service.is_empty() && !resource.is_empty();
        if good { Ok(Self { partition, service, region, account, resource }) } else { Err(()) }
    }
}

/// Whether all bytes are letters, digits or one of `others`.
fn plain(text: &str, others: &[u8]) -> bool {
    text.bytes().all(|b| b.is_ascii_alphanumeric() || others.contains(&b))
}

fn rule(setting: &'static str, good: bool, words: &str) -> Result<(), Error> {
    if good { Ok(()) } else { Err(Error::setting(setting, format!("{setting} must be {words}."))) }
}

/// A region such as `eu-west-1` or `us-gov-east-1`.
pub(super) fn region(text: &str) -> Result<(), Error> {
    let labels: Vec<&str> = text.split('-').collect();
    let good = labels.len() >= 3
        && labels.iter().all(|label| !label.is_empty())
        && labels[labels.len() - 1].bytes().all(|b| b.is_ascii_digit())
        && labels[..labels.len() - 1].iter().all(|label| label.bytes().all(|b| b.is_ascii_lowercase()));
    rule("region", good, "a region's name such as \"eu-west-1\"")
}

/// The ARN of a role, 20 to 2048 characters (AWS: AssumeRole).
pub(super) fn role_arn(text: &str) -> Result<(), Error> {
    let good = (20..=2048).contains(&text.len())
        && text.parse::<Arn>().is_ok_and(|arn| {
            arn.service == "iam"
                && arn.region.is_empty()
                && arn.account.len() == 12
                && arn.account.bytes().all(|b| b.is_ascii_digit())
                && arn.resource.strip_prefix("role/").is_some_and(|name| !name.is_empty() && !name.ends_with('/'))
        });
    rule("role_arn", good, "the ARN of a role, such as \"arn:aws:iam::123456789012:role/warehouse\"")
}

/// 2 to 1224 characters (AWS: AssumeRole).
pub(super) fn external_id(text: &str) -> Result<(), Error> {
    let good = (2..=1224).contains(&text.len()) && plain(text, b"_+=,.@:/-");
    rule("external_id", good, "2 to 1224 letters, digits and characters of _+=,.@:/-")
}

/// 2 to 64 characters (AWS: AssumeRole).
pub(super) fn role_session_name(text: &str) -> Result<(), Error> {
    let good = (2..=64).contains(&text.len()) && plain(text, b"_+=,.@-");
    rule("role_session_name", good, "2 to 64 letters, digits and characters of _+=,.@-")
}

/// The name of an SSM parameter, or its ARN (AWS: GetParameter).
pub fn parameter_name(text: &str) -> Result<(), Error> {
    let good = (1..=2048).contains(&text.len()) && plain(text, b"_.-/:") && !text.ends_with('/');
    let good = good && is_name_or_arn(text, "ssm", "parameter/");
    rule("password_ssm_parameter", good, "the name of an SSM parameter, such as \"/warehouse/password\"")
}

/// The name of a secret, or its ARN (AWS: GetSecretValue).
pub fn secret_id(text: &str) -> Result<(), Error> {
    let good = (1..=2048).contains(&text.len()) && plain(text, b"/_+=.@-!:");
    let good = good && is_name_or_arn(text, "secretsmanager", "secret:");
    rule("secret_id", good, "the name or ARN of a secret in Secrets Manager")
}

/// Whether an ARN, if it is one, is of this service and this kind of thing.
fn is_name_or_arn(text: &str, service: &str, kind: &str) -> bool {
    let is_of = |arn: Arn| {
        let name = arn.resource.strip_prefix(kind);
        arn.service == service && !arn.region.is_empty() && name.is_some_and(|name| !name.is_empty())
    };
    !text.starts_with("arn:") || text.parse().is_ok_and(is_of)
}

/// What contradicts itself, as far as the settings of one place show.
pub(super) fn contradictions(settings: &Settings) -> Vec<Error> {
    let mut found = Vec::new();
    let mut say = |setting: &'static str, message: String| found.push(Error::setting(setting, message));
    let written = settings.authentication_type.as_deref();
    let has_role = settings.writes(&["role_arn"]);
    if let (Some(kind @ (BASIC | IAM)), true) = (written, has_role) {
        say(
            "role_arn",
            format!("role_arn is assumed with {IAM_ROLE}, but authentication_type is {kind}: leave one out."),
        );
    }
    for name in ["external_id", "role_session_name"] {
        if settings.writes(&[name]) && !has_role {
            say(name, format!("{name} is for the role in role_arn, which is not written beside it."));
        }
    }
    let by_iam = written.is_some_and(|kind| kind != BASIC) || (written.is_none() && has_role);
    if by_iam {
        let how = written.unwrap_or(IAM_ROLE);
        for name in ["password", "password_ssm_parameter"] {
            let known = settings.writes(&[name]) && !settings.pending.contains(name);
            if known && !settings.source(name).starts_with("REDSHIFT_") {
                say(name, format!("{name} has no place beside {how}: AWS gives the password then. Leave one out."));
            }
        }
        if settings.sslmode.as_deref() == Some(SslMode::Disable.as_str()) {
            say("sslmode", NO_CLEAR_TEXT.to_owned());
        }
    }
    let Some(host) = settings.host.as_deref().and_then(|host| parse_host(host).ok()) else { return found };
    let serverless = matches!(host.kind, HostKind::Serverless | HostKind::ServerlessVpcEndpoint);
    let provisioned = matches!(host.kind, HostKind::Provisioned | HostKind::VpcEndpoint);
    if serverless && settings.cluster_identifier.is_some() {
        let message = "The host is a serverless workgroup's, which has no cluster: leave cluster_identifier out. The host tells the workgroup; if it does not, write workgroup_name.";
        say("cluster_identifier", message.to_owned());
    }
    if provisioned && settings.workgroup_name.is_some() {
        let message = "The host is a cluster's, which has no workgroup: leave workgroup_name out. The host tells the cluster; if it does not, write cluster_identifier.";
        say("workgroup_name", message.to_owned());
    }
    if (serverless || settings.workgroup_name.is_some()) && by_iam && settings.username.is_some() {
        say("username", DERIVED_USER.to_owned());
    }
    found
}

/// Why `sslmode` cannot be `disable`.
pub(super) const NO_CLEAR_TEXT: &str = "Temporary credentials are accepted over TLS only; without it Redshift answers that the password is wrong. Leave sslmode out, or write verify-full, verify-ca or require.";

/// Why a serverless workgroup has no `username`.
pub(super) const DERIVED_USER: &str = "On a serverless workgroup the database user follows from the AWS identity that asks (IAM:<user> or IAMR:<role>): leave username out, or sign in with a password.";

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(outcome: Result<(), Error>) -> Option<&'static str> {
        outcome.err().and_then(|error| error.setting_name())
    }

    #[test]
    fn each_name_keeps_to_the_limits_of_aws() {
        for good in ["eu-west-1", "us-gov-east-1", "cn-north-1", "ap-southeast-2"] {
            assert_eq!(region(good), Ok(()));
        }
        for bad in ["", "eu", "eu-west", "eu-west-x", "EU-WEST-1", "eu--1", "eu-west-1 "] {
            assert_eq!(refused(region(bad)), Some("region"), "{bad}");
        }
        for good in ["arn:aws:iam::123456789012:role/x", "arn:aws-cn:iam::123456789012:role/path/to/x"] {
            assert_eq!(role_arn(good), Ok(()));
        }
        for bad in [
            "warehouse",
            "arn:aws:iam::123456789012:user/x",
            "arn:aws:iam::12345678901:role/xxxx",
            "arn:aws:iam::123456789012:role/",
            "arn:aws:sts::123456789012:assumed-role/x/y",
        ] {
            assert_eq!(refused(role_arn(bad)), Some("role_arn"), "{bad}");
        }
        assert_eq!(refused(external_id("x")), Some("external_id"));
        assert_eq!(refused(external_id("a b")), Some("external_id"));
        assert_eq!(external_id("tool:42/a-b"), Ok(()));
        assert_eq!(refused(role_session_name(&"x".repeat(65))), Some("role_session_name"));
        assert_eq!(parameter_name("/a/b.c-d_e"), Ok(()));
        assert_eq!(refused(parameter_name("a b")), Some("password_ssm_parameter"));
        assert_eq!(secret_id("arn:aws:secretsmanager:eu-west-1:123456789012:secret:a/b-AbCdEf"), Ok(()));
        for bad in [
            "",
            "a\u{7}b",
            "arn:aws:secretsmanager",
            "arn:aws:secretsmanager:eu-west-1:123456789012:secret:",
            "arn:aws:secretsmanager::123456789012:secret:a",
            "arn:aws:ssm:eu-west-1:123456789012:parameter/a",
        ] {
            assert_eq!(refused(secret_id(bad)), Some("secret_id"), "{bad}");
        }
        assert_eq!(parameter_name("arn:aws:ssm:eu-west-1:123456789012:parameter/a/b"), Ok(()));
        for bad in ["", "a/", "arn:aws:ssm", "arn:aws:secretsmanager:eu-west-1:123456789012:secret:a"] {
            assert_eq!(refused(parameter_name(bad)), Some("password_ssm_parameter"), "{bad}");
        }
    }

    /// Proves: Q18
    #[test]
    fn what_has_no_place_beside_a_role_is_named() {
        let role = || Settings { role_arn: Some("arn:aws:iam::123456789012:role/x".into()), ..Settings::default() };
        let named = |settings: Settings| -> Vec<_> {
            contradictions(&settings).iter().filter_map(Error::setting_name).collect()
        };
        assert_eq!(named(role()), Vec::<&str>::new());
        assert_eq!(named(Settings { password: Some("p".into()), ..role() }), ["password"]);
        assert_eq!(named(Settings { password_ssm_parameter: Some("p".into()), ..role() }), ["password_ssm_parameter"]);
        assert_eq!(named(Settings { authentication_type: Some(BASIC.into()), ..role() }), ["role_arn"]);
        assert_eq!(named(Settings { sslmode: Some("disable".into()), ..role() }), ["sslmode"]);
        assert_eq!(named(Settings { external_id: Some("xx".into()), ..Settings::default() }), ["external_id"]);
        let serverless = "wg1.123456789012.eu-west-1.redshift-serverless.amazonaws.com";
        let cluster = "main.abc123.eu-west-1.redshift.amazonaws.com";
        let at = |host: &str| Settings { host: Some(host.into()), ..role() };
        assert_eq!(named(Settings { cluster_identifier: Some("x".into()), ..at(serverless) }), ["cluster_identifier"]);
        assert_eq!(named(Settings { workgroup_name: Some("xyz".into()), ..at(cluster) }), ["workgroup_name"]);
        assert_eq!(named(Settings { username: Some("u".into()), ..at(serverless) }), ["username"]);
        assert_eq!(named(Settings { username: Some("u".into()), ..at(cluster) }), Vec::<&str>::new());
    }
}
