//! A SOCKS5 proxy on the way to warehouses, and the hosts that are reached without it.

use std::fmt;
use std::net::IpAddr;

use secrecy::{ExposeSecret, SecretString};

use crate::engine::error::Error;
use crate::engine::settings::endpoint::{bracketed, split_port};
use crate::engine::settings::host::parse_host;
use crate::engine::settings::uri::decode;

/// The port of SOCKS (RFC 1928), where none is written.
const DEFAULT_PORT: u16 = 1080;

/// The most bytes of a user or a password that SOCKS5 can carry (RFC 1929); none of the two may be empty.
const LONGEST: usize = 255;

/// A SOCKS5 proxy. It resolves the names of hosts. `Debug` and `Display` do not show its login.
#[derive(Clone)]
pub struct Proxy {
    /// DNS name or IP address.
    pub host: String,
    /// TCP port.
    pub port: u16,
    /// User and password.
    pub login: Option<(String, SecretString)>,
}

impl Proxy {
    /// Reads `socks5://[user:password@]host[:port]`, or the same with `socks5h`; user and password are
    /// percent-encoded. None for what is of another scheme. Errors name `variable` and repeat nothing of the text.
    fn read(variable: &'static str, text: &str) -> Result<Option<Self>, Error> {
        let Some((scheme, rest)) = text.trim().split_once("://") else { return Ok(None) };
        if !["socks5", "socks5h"].iter().any(|known| scheme.eq_ignore_ascii_case(known)) {
            return Ok(None);
        }
        let wrong = |why: &str| {
            let form = "socks5://host:port or socks5://user:password@host:port";
            // Not about a setting: no attribute of a configuration is to blame.
            Error::refused(format!("Bad {variable}"), format!("{variable} must have the form {form}: {why}."))
        };
        let authority = rest.split_once('/').map_or(rest, |(authority, _)| authority);
        let (login, place) = match authority.rsplit_once('@') {
            Some((login, place)) => (Some(login), place),
            None => (None, authority),
        };
        let (host, port) = split_port(place).map_err(|_| wrong("the port must be a number from 1 to 65535"))?;
        let host = parse_host(host).map_err(|_| wrong("the host must be a DNS name or an IP address"))?.name;
        let login = login.map(|login| read_login(login).map_err(wrong)).transpose()?;
        Ok(Some(Self { host, port: port.unwrap_or(DEFAULT_PORT), login }))
    }
}

fn read_login(text: &str) -> Result<(String, SecretString), &'static str> {
    let (user, password) = text.split_once(':').unwrap_or((text, ""));
    let (Some(user), Some(password)) = (decode(user), decode(password)) else {
        return Err("special characters in user and password must be percent-encoded");
    };
    let fits = |text: &str| (1..=LONGEST).contains(&text.len());
    if !fits(&user) || !fits(&password) {
        return Err("user and password must both be there, with at most 255 bytes");
    }
    Ok((user, SecretString::from(password)))
}

impl PartialEq for Proxy {
    fn eq(&self, other: &Self) -> bool {
        let login =
            |proxy: &Self| proxy.login.as_ref().map(|(user, key)| (user.clone(), key.expose_secret().to_owned()));
        (&self.host, self.port) == (&other.host, other.port) && login(self) == login(other)
    }
}

impl fmt::Display for Proxy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", bracketed(&self.host), self.port)
    }
}

impl fmt::Debug for Proxy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Proxy({self}, {})", if self.login.is_some() { "with a login" } else { "without a login" })
    }
}

/// What the environment says of the way to warehouses.
#[derive(Debug, Clone, Default)]
pub struct Proxies {
    proxy: Option<(Proxy, &'static str)>,
    without: Without,
}

impl Proxies {
    /// Reads the text of a variable such as `ALL_PROXY`, and the list of those who are reached without a proxy. Errors:
    /// a SOCKS5 proxy that cannot be read. Another scheme is not meant for warehouses.
    pub fn read(all: Option<(&str, &'static str)>, without: Option<&str>) -> Result<Self, Error> {
        let Some((text, variable)) = all else { return Ok(Self::default()) };
        let proxy = Proxy::read(variable, text)?;
        if proxy.is_none() {
            tracing::debug!(variable, "names no SOCKS5 proxy, and is not used for warehouses");
        }
        let without = without.map(Without::read).unwrap_or_default();
        Ok(Self { proxy: proxy.map(|proxy| (proxy, variable)), without })
    }

    /// The variable that names a proxy.
    pub fn source(&self) -> Option<&'static str> {
        self.proxy.as_ref().map(|(_, variable)| *variable)
    }

    /// The proxy by which a host is reached.
    pub fn to(&self, host: &str) -> Option<&Proxy> {
        self.proxy.as_ref().map(|(proxy, _)| proxy).filter(|_| !self.without.holds(host))
    }
}

/// Who is reached without a proxy.
#[derive(Debug, Clone, Default)]
pub(in crate::engine) struct Without(Vec<Entry>);

#[derive(Debug, Clone)]
enum Entry {
    /// `*`
    All,
    /// `name`, `.name` or `*.name`, kept as `name`: it and all names below it, as curl reads them all three.
    Name(String),
    /// An address, or a network as `address/bits`.
    Network(IpAddr, u32),
}

impl Without {
    /// Reads a list, split by commas or white space. What cannot be read excepts nobody.
    pub(in crate::engine) fn read(text: &str) -> Self {
        let entries = text.split(|c: char| c == ',' || c.is_whitespace()).filter(|entry| !entry.is_empty());
        Self(entries.filter_map(Entry::read).collect())
    }

    /// `host`: lower case, without brackets.
    pub(in crate::engine) fn holds(&self, host: &str) -> bool {
        let address = host.parse::<IpAddr>().ok().map(|address| address.to_canonical());
        self.0.iter().any(|entry| match entry {
            Entry::All => true,
            Entry::Name(name) => {
                host.strip_suffix(name.as_str()).is_some_and(|above| above.is_empty() || above.ends_with('.'))
            }
            Entry::Network(network, bits) => address.is_some_and(|address| within(address, *network, *bits)),
        })
    }
}

impl Entry {
    fn read(text: &str) -> Option<Self> {
        if text == "*" {
            return Some(Self::All);
        }
        if let Some((address, bits)) = text.split_once('/') {
            let address: IpAddr = address.parse().ok()?;
            let bits = bits.parse().ok().filter(|bits| *bits <= if address.is_ipv4() { 32 } else { 128 })?;
            return Some(Self::Network(address, bits));
        }
        let bare = text.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(text);
        if let Ok(address) = bare.parse::<IpAddr>() {
            let address = address.to_canonical();
            return Some(Self::Network(address, if address.is_ipv4() { 32 } else { 128 }));
        }
        let name = text.strip_suffix('.').unwrap_or(text).to_ascii_lowercase();
        let name = name.strip_prefix("*.").or_else(|| name.strip_prefix('.')).unwrap_or(&name);
        Some(Self::Name(name.to_owned())).filter(|_| !name.is_empty() && !name.contains('*'))
    }
}

/// Whether the first `bits` bits of both are the same.
fn within(address: IpAddr, network: IpAddr, bits: u32) -> bool {
    match (address, network) {
        (IpAddr::V4(a), IpAddr::V4(b)) => (a.to_bits() ^ b.to_bits()).checked_shr(32 - bits).unwrap_or(0) == 0,
        (IpAddr::V6(a), IpAddr::V6(b)) => (a.to_bits() ^ b.to_bits()).checked_shr(128 - bits).unwrap_or(0) == 0,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Option<Proxy>, Error> {
        Proxy::read("ALL_PROXY", text)
    }

    #[test]
    fn proxies_are_read() {
        for (text, shown, login) in [
            ("socks5://127.0.0.1:1081", "127.0.0.1:1081", None),
            ("SOCKS5H://Proxy.Example.com", "proxy.example.com:1080", None),
            ("socks5h://[::1]:9050/", "[::1]:9050", None),
            (" socks5://ann:CANARY@h:1 ", "h:1", Some(("ann", "CANARY"))),
            ("socks5://a%40b:CAN%2FARY%3a@h", "h:1080", Some(("a@b", "CAN/ARY:"))),
            ("socks5://ann:C:A@N@h:1/x", "h:1", Some(("ann", "C:A@N"))),
        ] {
            let proxy = read(text).unwrap_or_else(|error| panic!("{text}: {error}")).expect("a proxy");
            assert_eq!(proxy.to_string(), shown, "{text}");
            let found = proxy.login.as_ref().map(|(user, password)| (user.as_str(), password.expose_secret()));
            assert_eq!(found, login, "{text}");
            let debug = format!("{proxy:?}");
            assert!(debug.contains(shown) && !debug.contains("CAN") && !debug.contains("ann"), "{debug}");
            assert!(proxy == proxy.clone() && Some(&proxy) != read("socks5://other").expect("a proxy").as_ref());
        }
    }

    #[test]
    fn other_schemes_are_for_others() {
        for text in ["http://h:3128", "https://h", "socks4://h:1080", "socks4a://h", "socks://h", "h:1080", "", "://"] {
            assert_eq!(read(text).map(|proxy| proxy.is_none()), Ok(true), "{text}");
        }
    }

    #[test]
    fn what_is_no_proxy_is_refused_without_being_repeated() {
        let long = format!("socks5://{}:CANARY@h", "u".repeat(256));
        for text in [
            "socks5://",
            "socks5://:1080",
            "socks5://h:0",
            "socks5://h:CANARY",
            "socks5://CANARY /x",
            "socks5://user:CAN%ARY@h",
            "socks5://CANARY@h",
            "socks5://:CANARY@h",
            "socks5://CANARY:@h",
            &long,
        ] {
            let error = read(text).expect_err(text);
            assert_eq!((error.summary().as_str(), error.setting_name()), ("Bad ALL_PROXY", None));
            assert!(!error.to_string().contains("CAN"), "{error}");
        }
    }

    #[test]
    fn some_are_reached_without_a_proxy() {
        let list = "localhost, .internal *.Corp.example,10.0.0.0/8,192.0.2.7 [2001:db8::1],fd00::/8,h.example.com.,0.0.0.0/99,x/8,*part.org,.,*.";
        let proxies = Proxies::read(Some(("socks5://p", "ALL_PROXY")), Some(list)).expect("proxies");
        for (host, direct) in [
            ("localhost", true),
            ("internal", true),
            ("a.b.internal", true),
            ("notinternal", false),
            ("corp.example", true),
            ("db.corp.example", true),
            ("corp.example.org", false),
            ("h.example.com", true),
            ("a.h.example.com", true),
            ("ah.example.com", false),
            ("example.com", false),
            ("a.localhost", true),
            ("anythingpart.org", false),
            ("10.255.0.1", true),
            ("11.0.0.1", false),
            ("::ffff:10.0.0.1", true),
            ("192.0.2.7", true),
            ("192.0.2.8", false),
            ("2001:db8::1", true),
            ("2001:db8::2", false),
            ("fdff::1", true),
            ("fe00::1", false),
            ("10.example.com", false),
        ] {
            assert_eq!(proxies.to(host).is_none(), direct, "{host}");
        }
        for (list, host, direct) in
            [("*", "h", true), ("0.0.0.0/0", "192.0.2.1", true), ("0.0.0.0/0", "::1", false), ("::/0", "::1", true)]
        {
            let proxies = Proxies::read(Some(("socks5://p", "ALL_PROXY")), Some(list)).expect("proxies");
            assert_eq!(proxies.to(host).is_none(), direct, "{list} {host}");
        }
        let proxies = Proxies::read(Some(("socks5://p", "all_proxy")), None).expect("proxies");
        assert_eq!(
            (proxies.to("h").map(ToString::to_string), proxies.source()),
            (Some("p:1080".into()), Some("all_proxy"))
        );
        assert!(Proxies::read(None, Some("*")).expect("none").to("h").is_none());
    }
}
