//! Where a warehouse listens, and when two such places are the same.

use std::fmt;
use std::str::FromStr;

use crate::engine::error::Error;
use crate::engine::settings::host::{Host, parse_host};
use crate::engine::settings::repeated;

/// Redshift's default port.
pub const DEFAULT_PORT: u16 = 5439;

/// A host and a port. The host is lower case, without the brackets of an IPv6 address.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Endpoint {
    /// DNS name or IP address.
    pub host: String,
    /// TCP port.
    pub port: u16,
}

impl Endpoint {
    /// The endpoint of `host`, checked, with `port` or the default port.
    pub fn new(host: &str, port: Option<u16>) -> Result<Self, Error> {
        Ok(Self { host: parse_host(host)?.name, port: port.unwrap_or(DEFAULT_PORT) })
    }

    /// What the host's name tells about the warehouse.
    pub fn shape(&self) -> Option<Host> {
        parse_host(&self.host).ok()
    }
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", bracketed(&self.host), self.port)
    }
}

impl FromStr for Endpoint {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        match Place::from_str(text)? {
            Place::Host(endpoint) => Ok(endpoint),
            place => Err(Error::setting("host", format!("\"{place}\" names no host."))),
        }
    }
}

/// A place as it is written or remembered: an endpoint, or a name that AWS knows.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Place {
    /// `host[:port]`
    Host(Endpoint),
    /// `cluster:NAME`
    Cluster(String),
    /// `workgroup:NAME`
    Workgroup(String),
}

impl Place {
    /// The cluster that this place is known to be.
    fn cluster(&self) -> Option<String> {
        match self {
            Self::Host(endpoint) => endpoint.shape()?.cluster_identifier,
            Self::Cluster(name) => Some(name.clone()),
            Self::Workgroup(_) => None,
        }
    }

    /// The workgroup that this place is known to be.
    fn workgroup(&self) -> Option<String> {
        match self {
            Self::Host(endpoint) => endpoint.shape()?.workgroup_name,
            Self::Workgroup(name) => Some(name.clone()),
            Self::Cluster(_) => None,
        }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Host(endpoint) => endpoint.fmt(f),
            Self::Cluster(name) => write!(f, "cluster:{name}"),
            Self::Workgroup(name) => write!(f, "workgroup:{name}"),
        }
    }
}

impl FromStr for Place {
    type Err = Error;

    /// Reads `host[:port]`, `cluster:NAME` or `workgroup:NAME`. After `cluster:` and `workgroup:` digits alone are the
    /// port of a host of that name.
    fn from_str(text: &str) -> Result<Self, Error> {
        if let Some((kind @ ("cluster" | "workgroup"), name)) = text.split_once(':')
            && !name.bytes().all(|b| b.is_ascii_digit())
        {
            return if kind == "cluster" {
                check_cluster(name).map(|()| Self::Cluster(name.to_ascii_lowercase()))
            } else {
                check_workgroup(name).map(|()| Self::Workgroup(name.to_owned()))
            };
        }
        let (host, port) = split_port(text)?;
        Ok(Self::Host(Endpoint::new(host, port)?))
    }
}

/// Whether two remembered places are the same: the same host and port, or a cluster (or workgroup) and a host whose
/// name says that it is that cluster's.
pub fn same_endpoint(a: &Place, b: &Place) -> bool {
    match (a, b) {
        (Place::Host(a), Place::Host(b)) => a == b,
        _ => {
            a.cluster().is_some_and(|name| Some(name) == b.cluster())
                || a.workgroup().is_some_and(|name| Some(name) == b.workgroup())
        }
    }
}

/// The host with brackets if it is an IPv6 address, as in a URL.
pub fn bracketed(host: &str) -> String {
    if host.contains(':') { format!("[{host}]") } else { host.to_owned() }
}

/// Splits `host[:port]`; an IPv6 address with a port stands in brackets.
pub fn split_port(text: &str) -> Result<(&str, Option<u16>), Error> {
    let (host, port) = match text.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        Some((host, "")) => (host, None),
        Some((host, rest)) => (host, Some(rest.strip_prefix(':').unwrap_or("?"))),
        None => match text.split_once(':') {
            Some((_, rest)) if rest.contains(':') => (text, None),
            Some((host, port)) => (host, Some(port)),
            None => (text, None),
        },
    };
    Ok((host, port.map(parse_port).transpose()?))
}

/// Reads a port: 1 to 65535, digits only.
pub fn parse_port(text: &str) -> Result<u16, Error> {
    let port = if text.bytes().all(|b| b.is_ascii_digit()) { text.parse::<u16>().ok() } else { None };
    port.filter(|port| *port > 0).ok_or_else(|| Error::setting("port", "The port must be a number from 1 to 65535."))
}

/// A cluster identifier: 1 to 63 letters, digits and hyphens, first a letter, no hyphen last or twice (AWS: Naming
/// constraints of Amazon Redshift).
pub fn check_cluster(name: &str) -> Result<(), Error> {
    let good = name.len() <= 63
        && name.starts_with(|c: char| c.is_ascii_alphabetic())
        && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
        && !name.ends_with('-')
        && !name.contains("--");
    if good {
        return Ok(());
    }
    Err(Error::setting(
        "cluster_identifier",
        format!(
            "{} is no cluster identifier: 1 to 63 letters, digits and hyphens, a letter first, no hyphen last or twice in a row.",
            repeated("cluster_identifier", name)
        ),
    ))
}

/// A workgroup's name: 3 to 64 lower-case letters, digits and hyphens (AWS: GetCredentials).
pub fn check_workgroup(name: &str) -> Result<(), Error> {
    let good = (3..=64).contains(&name.len())
        && name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-');
    if good {
        return Ok(());
    }
    Err(Error::setting(
        "workgroup_name",
        format!(
            "{} is no workgroup's name: 3 to 64 lower-case letters, digits and hyphens.",
            repeated("workgroup_name", name)
        ),
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place(text: &str) -> Place {
        text.parse().unwrap_or_else(|error| panic!("{text}: {error}"))
    }

    #[test]
    fn places_read_and_print() {
        for (text, printed) in [
            ("Host.Example.COM", "host.example.com:5439"),
            ("h:5440", "h:5440"),
            ("::1", "[::1]:5439"),
            ("[::1]:5440", "[::1]:5440"),
            ("[2001:DB8::1]", "[2001:db8::1]:5439"),
            ("10.0.0.1:1", "10.0.0.1:1"),
            ("cluster:Main-1", "cluster:main-1"),
            ("workgroup:wg1", "workgroup:wg1"),
            ("cluster:5440", "cluster:5440"),
        ] {
            assert_eq!(place(text).to_string(), printed);
            assert_eq!(place(printed).to_string(), printed);
        }
        assert!(matches!(place("cluster:5440"), Place::Host(Endpoint { port: 5440, .. })));
    }

    #[test]
    fn what_is_no_place_is_refused() {
        for text in [
            "",
            ":1",
            "h:0",
            "h:65536",
            "h:+1",
            "h:x",
            "[::1",
            "[::1]x",
            "a b",
            "cluster:-x",
            "cluster:",
            "workgroup:A",
            "cluster:a--b",
        ] {
            assert!(text.parse::<Place>().is_err(), "{text}");
        }
    }

    #[test]
    fn a_cluster_is_the_same_as_its_host_and_nothing_else() {
        let host = "main-1.abc123.eu-central-1.redshift.amazonaws.com:5439";
        let serverless = "wg1.123456789012.eu-central-1.redshift-serverless.amazonaws.com";
        for (a, b, same) in [
            ("h:1", "H:1", true),
            ("h:1", "h:2", false),
            ("h", "h:5439", true),
            ("cluster:main-1", host, true),
            ("cluster:other", host, false),
            ("workgroup:main-1", host, false),
            ("workgroup:wg1", serverless, true),
            ("cluster:wg1", serverless, false),
            ("cluster:main-1", "cluster:MAIN-1", true),
            ("cluster:main-1", "h", false),
            ("h", "g", false),
        ] {
            assert_eq!(same_endpoint(&place(a), &place(b)), same, "{a} {b}");
            assert_eq!(same_endpoint(&place(b), &place(a)), same, "{b} {a}");
        }
    }
}
