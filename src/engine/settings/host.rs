//! What a host's name tells: a cluster, a workgroup, an endpoint of a VPC, an address, or something of one's own.

use std::net::IpAddr;

use crate::engine::error::Error;
use crate::engine::partition::without_suffix;

/// A checked host and what its name tells.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Host {
    /// Lower case, without a final dot, without the brackets of an IPv6 address.
    pub name: String,
    /// What kind of name it is.
    pub kind: HostKind,
    /// The cluster, where the name says which.
    pub cluster_identifier: Option<String>,
    /// The serverless workgroup, where the name says which.
    pub workgroup_name: Option<String>,
    /// The AWS region, where the name says which.
    pub region: Option<String>,
}

/// The kinds of hosts. SUFFIX is what the hosts of a partition of AWS end in, such as `amazonaws.com`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HostKind {
    /// `<cluster>.<hash>.<region>.redshift.SUFFIX`
    Provisioned,
    /// `<workgroup>.<account>.<region>.redshift-serverless.SUFFIX`
    Serverless,
    /// `<name>-endpoint-<hash>.<hash>.<region>.redshift.SUFFIX`: the first label is not the cluster.
    VpcEndpoint,
    /// The same of a serverless workgroup.
    ServerlessVpcEndpoint,
    /// An IP address.
    Address,
    /// A custom domain, a balancer, a name in a private zone.
    Other,
}

impl Host {
    /// `redshift` or `redshift-serverless`.
    pub fn product(&self) -> &'static str {
        match self.kind {
            HostKind::Serverless | HostKind::ServerlessVpcEndpoint => "redshift-serverless",
            _ => "redshift",
        }
    }
}

/// Checks a host (DNS name or IP address) and reads its shape (the patterns of the AWS JDBC driver).
pub fn parse_host(text: &str) -> Result<Host, Error> {
    let bare = text.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(text);
    if let Ok(address) = bare.parse::<IpAddr>() {
        return Ok(other(address.to_string(), HostKind::Address));
    }
    let name = text.strip_suffix('.').unwrap_or(text).to_ascii_lowercase();
    check_dns(text, &name)?;
    let labels: Vec<&str> = without_suffix(&name).unwrap_or_default().split('.').collect();
    let [first, _, region, product] = labels[..] else { return Ok(other(name, HostKind::Other)) };
    let kind = match (product, is_vpc_endpoint(first)) {
        ("redshift" | "redshift-dev", false) => HostKind::Provisioned,
        ("redshift" | "redshift-dev", true) => HostKind::VpcEndpoint,
        ("redshift-serverless" | "redshift-serverless-dev", false) => HostKind::Serverless,
        ("redshift-serverless" | "redshift-serverless-dev", true) => HostKind::ServerlessVpcEndpoint,
        _ => return Ok(other(name, HostKind::Other)),
    };
    Ok(Host {
        kind,
        cluster_identifier: (kind == HostKind::Provisioned).then(|| first.to_owned()),
        workgroup_name: (kind == HostKind::Serverless).then(|| first.to_owned()),
        region: Some(region.to_owned()),
        name,
    })
}

fn other(name: String, kind: HostKind) -> Host {
    Host { name, kind, cluster_identifier: None, workgroup_name: None, region: None }
}

/// `<name>-endpoint-<hash>`, the hash being letters and digits with at least one digit (a cluster may well be called
/// `my-endpoint-prod`).
fn is_vpc_endpoint(label: &str) -> bool {
    label.rsplit_once("-endpoint-").is_some_and(|(name, hash)| {
        !name.is_empty()
            && hash.len() >= 8
            && hash.bytes().all(|b| b.is_ascii_alphanumeric())
            && hash.bytes().any(|b| b.is_ascii_digit())
    })
}

/// The settings that a host, a port and a database are written as.
fn lines(host: &str, port: &str, database: &str) -> String {
    let port = if port.is_empty() { String::new() } else { format!(", port = {port}") };
    let database = if database.is_empty() { String::new() } else { format!(", database = \"{database}\"") };
    format!("host = \"{host}\"{port}{database}")
}

/// What is said of a URL in the place of a host: the same as settings, where it is plain. What follows a ? is not repeated.
fn of_url(written: &str) -> String {
    const PROBLEM: &str = "The host looks like a URL";
    let (scheme, rest) = written.split_once("://").unwrap_or_default();
    let is_connection = matches!(
        scheme.to_ascii_lowercase().as_str(),
        "jdbc:redshift" | "jdbc:redshift:iam" | "redshift" | "postgresql" | "postgres"
    );
    let place = rest.split(['?', ';']).next().unwrap_or_default();
    let (authority, database) = place.split_once('/').unwrap_or((place, ""));
    let (host, port) = authority.split_once(':').unwrap_or((authority, ""));
    let plain = |text: &str| text.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_.".contains(&b));
    let is_plain = plain(host) && plain(database) && port.bytes().all(|b| b.is_ascii_digit()) && !host.is_empty();
    if !is_plain {
        return format!("{PROBLEM}: write the host name alone, or use connection_string.");
    }
    let lines = lines(host, port, database);
    if is_connection && place == rest {
        format!("{PROBLEM}: write {lines}; or, in place of all of these, connection_string = \"{written}\".")
    } else {
        format!("{PROBLEM}: write {lines}.")
    }
}

fn check_dns(written: &str, name: &str) -> Result<(), Error> {
    let wrong = |message: String| Err(Error::setting("host", message));
    if name.is_empty() {
        return wrong("The host is empty.".into());
    }
    if name.contains('@') {
        return wrong("The host holds an @: a login does not belong into it.".into());
    }
    if name.contains("://") {
        return wrong(of_url(written));
    }
    if let Some((host, rest)) = written.split_once(':') {
        let (port, database) = rest.split_once('/').unwrap_or((rest, ""));
        let plain = |text: &str| text.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_.".contains(&b));
        if plain(host) && plain(database) && !port.is_empty() && port.bytes().all(|b| b.is_ascii_digit()) {
            return wrong(format!("The host holds a port: write {}.", lines(host, port, database)));
        }
    }
    let good = name.len() <= 253
        && name.split('.').all(|label| {
            (1..=63).contains(&label.len())
                && label.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_')
                && !label.starts_with('-')
                && !label.ends_with('-')
        });
    // No top-level domain is a number, so this was meant as an address (RFC 3696, 2).
    if name.rsplit('.').next().is_some_and(|last| last.bytes().all(|b| b.is_ascii_digit())) && good {
        return wrong("The host ends in a number but is no IP address.".into());
    }
    if good {
        return Ok(());
    }
    wrong("The host is neither an IP address nor a DNS name: letters, digits, hyphens and underscores between dots, at most 63 characters between two of them and 253 in all.".into())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn facts(text: &str) -> (HostKind, Option<String>, Option<String>, Option<String>) {
        let host = parse_host(text).unwrap_or_else(|error| panic!("{text}: {error}"));
        (host.kind, host.cluster_identifier, host.workgroup_name, host.region)
    }

    #[test]
    fn shapes() {
        use HostKind::*;
        let some = |text: &str| Some(text.to_owned());
        for (text, kind, cluster, workgroup, region) in [
            ("Main.abc.eu-central-1.redshift.amazonaws.com", Provisioned, some("main"), None, some("eu-central-1")),
            ("main.abc.cn-north-1.redshift.amazonaws.com.cn", Provisioned, some("main"), None, some("cn-north-1")),
            ("main.abc.us-gov-west-1.redshift.amazonaws.com", Provisioned, some("main"), None, some("us-gov-west-1")),
            ("main.abc.us-iso-east-1.redshift.c2s.ic.gov", Provisioned, some("main"), None, some("us-iso-east-1")),
            ("main.abc.us-isob-east-1.redshift.sc2s.sgov.gov", Provisioned, some("main"), None, some("us-isob-east-1")),
            (
                "main.abc.eu-isoe-west-1.redshift.cloud.adc-e.uk",
                Provisioned,
                some("main"),
                None,
                some("eu-isoe-west-1"),
            ),
            (
                "main.abc.us-isof-east-1.redshift.csp.hci.ic.gov",
                Provisioned,
                some("main"),
                None,
                some("us-isof-east-1"),
            ),
            ("main.abc.eusc-de-east-1.redshift.amazonaws.eu", Provisioned, some("main"), None, some("eusc-de-east-1")),
            (
                "wg.1234.eusc-de-east-1.redshift-serverless.amazonaws.eu",
                Serverless,
                None,
                some("wg"),
                some("eusc-de-east-1"),
            ),
            ("main.abc.us-east-1.redshift-dev.amazonaws.com.", Provisioned, some("main"), None, some("us-east-1")),
            ("wg.1234.us-east-1.redshift-serverless.amazonaws.com", Serverless, None, some("wg"), some("us-east-1")),
            (
                "vp-endpoint-a1b2c3d4e5f6.abc.us-east-1.redshift.amazonaws.com",
                VpcEndpoint,
                None,
                None,
                some("us-east-1"),
            ),
            (
                "my-endpoint-prod.abc.us-east-1.redshift.amazonaws.com",
                Provisioned,
                some("my-endpoint-prod"),
                None,
                some("us-east-1"),
            ),
            (
                "vp-endpoint-a1b2c3d4e5f6.1234.us-east-1.redshift-serverless.amazonaws.com",
                ServerlessVpcEndpoint,
                None,
                None,
                some("us-east-1"),
            ),
            ("10.1.2.3", Address, None, None, None),
            ("[::1]", Address, None, None, None),
            ("warehouse.example.com", Other, None, None, None),
            ("a.b.c.rds.amazonaws.com", Other, None, None, None),
            ("localhost", Other, None, None, None),
            ("under_score.internal", Other, None, None, None),
        ] {
            assert_eq!(facts(text), (kind, cluster, workgroup, region), "{text}");
        }
        assert_eq!(
            parse_host("wg.1.r.redshift-serverless.amazonaws.com").expect("a host").product(),
            "redshift-serverless"
        );
        assert_eq!(parse_host("FE80::1").expect("a host").name, "fe80::1");
    }

    #[test]
    fn what_is_no_host_is_refused_with_the_reason() {
        for (text, words) in [
            ("", "empty"),
            ("h:5439", "host = \"h\", port = 5439."),
            ("h.x:5439/dev", "host = \"h.x\", port = 5439, database = \"dev\"."),
            ("https://h", "URL: write host = \"h\"."),
            ("jdbc:redshift://h.x:5439/dev", "write host = \"h.x\", port = 5439, database = \"dev\"; or, in place"),
            ("jdbc:redshift://h.x:5439/dev?password=secret", "database = \"dev\"."),
            ("https://h:secret/x/y", "host name alone"),
            ("u:secret@h", "login"),
            ("a..b", "neither"),
            ("-a", "neither"),
            ("a b", "neither"),
            ("300.1.1.1", "no IP address"),
            ("a;DROP", "neither"),
        ] {
            let shown = parse_host(text).expect_err(text).to_string();
            assert!(shown.contains(words), "{text}: {shown}");
            assert!(!shown.contains("secret"), "{shown}");
        }
        assert!(parse_host(&"a".repeat(64)).is_err());
        assert!(parse_host(&["a".repeat(63).as_str(); 4].join(".")).is_err());
    }

    proptest! {
        #[test]
        fn a_checked_host_is_stable(text in "\\PC{0,40}") {
            if let Ok(host) = parse_host(&text) {
                prop_assert_eq!(parse_host(&host.name), Ok(host));
            }
        }
    }
}
