//! Where to connect for a host, if elsewhere: a tunnel or a port forward.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use crate::engine::error::Error;
use crate::engine::settings::endpoint::{Endpoint, bracketed, split_port};
use crate::engine::settings::host::parse_host;
use crate::engine::settings::repeated;

/// `address[:port]`: the address to connect to; without a port, the warehouse's own.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct HostAddr {
    /// IP address, or a name such as `localhost`.
    pub address: String,
    /// TCP port.
    pub port: Option<u16>,
}

impl HostAddr {
    /// The address and port to connect to in place of `endpoint`.
    pub fn instead_of(&self, endpoint: &Endpoint) -> (String, u16) {
        (self.address.clone(), self.port.unwrap_or(endpoint.port))
    }
}

impl fmt::Display for HostAddr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.port {
            Some(port) => write!(f, "{}:{port}", bracketed(&self.address)),
            None => f.write_str(&self.address),
        }
    }
}

impl FromStr for HostAddr {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        let read = || {
            let (address, port) = split_port(text)?;
            Ok(Self { address: parse_host(address)?.name, port })
        };
        read().map_err(|_: Error| {
            Error::setting(
                "hostaddr",
                format!("{} is no address with an optional port, such as 127.0.0.1:15439.", repeated("hostaddr", text)),
            )
        })
    }
}

/// The addresses of several hosts, by `host[:port]`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct HostAddrs(BTreeMap<(String, Option<u16>), HostAddr>);

impl HostAddrs {
    /// Reads a map from `host[:port]` to `address[:port]`. A key without a port stands for every port.
    pub fn parse<'a>(entries: impl IntoIterator<Item = (&'a str, &'a str)>) -> Result<Self, Error> {
        let mut map = BTreeMap::new();
        for (key, value) in entries {
            let (host, port) =
                split_port(key).and_then(|(host, port)| Ok((parse_host(host)?.name, port))).map_err(|_| {
                    Error::setting("hostaddrs", format!("A key is no host[:port]: {}.", repeated("hostaddrs", key)))
                })?;
            let address = value.parse().map_err(|_| {
                Error::setting(
                    "hostaddrs",
                    format!(
                        "For {}: {} is no address[:port].",
                        repeated("hostaddrs", key),
                        repeated("hostaddrs", value)
                    ),
                )
            })?;
            if map.insert((host, port), address).is_some() {
                return Err(Error::setting("hostaddrs", format!("\"{key}\" is there twice.")));
            }
        }
        Ok(Self(map))
    }

    /// The address for an endpoint: the entry with its port, else the one without a port.
    pub fn get(&self, endpoint: &Endpoint) -> Option<&HostAddr> {
        self.0.get(&(endpoint.host.clone(), Some(endpoint.port))).or_else(|| self.0.get(&(endpoint.host.clone(), None)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_read_and_print() {
        for text in ["127.0.0.1", "127.0.0.1:15439", "::1", "[::1]:15439", "localhost:1"] {
            assert_eq!(text.parse::<HostAddr>().expect("an address").to_string(), text);
        }
        for text in ["", "127.0.0.1:", "a:b", "127.0.0.1:0", "user@host", "http://x"] {
            let error = text.parse::<HostAddr>().expect_err(text);
            assert!(matches!(error, Error::Setting { setting: "hostaddr", .. }));
        }
    }

    #[test]
    fn an_address_keeps_the_port_of_the_warehouse_unless_it_has_its_own() {
        let endpoint = Endpoint { host: "h".into(), port: 5440 };
        let at = |text: &str| text.parse::<HostAddr>().expect("an address").instead_of(&endpoint);
        assert_eq!(at("127.0.0.1"), ("127.0.0.1".into(), 5440));
        assert_eq!(at("127.0.0.1:1"), ("127.0.0.1".into(), 1));
    }

    #[test]
    fn the_entry_with_the_port_wins() {
        let map =
            HostAddrs::parse([("H", "10.0.0.1"), ("h:5440", "10.0.0.2"), ("[::1]:5", "10.0.0.3")]).expect("a map");
        let get = |host: &str, port| map.get(&Endpoint { host: host.into(), port }).map(|found| found.address.clone());
        assert_eq!(get("h", 5440).as_deref(), Some("10.0.0.2"));
        assert_eq!(get("h", 5439).as_deref(), Some("10.0.0.1"));
        assert_eq!(get("::1", 5).as_deref(), Some("10.0.0.3"));
        assert_eq!(get("g", 5439), None);
        assert!(HostAddrs::parse([("h", "x y")]).is_err());
        assert!(HostAddrs::parse([("h:x", "1.1.1.1")]).is_err());
        assert!(HostAddrs::parse([("h", "1.1.1.1"), ("H", "1.1.1.1")]).is_err());
    }
}
