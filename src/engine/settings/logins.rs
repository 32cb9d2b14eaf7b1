//! Logins by place: the map `credentials`.

use std::fmt;

use secrecy::SecretString;

use crate::engine::error::Error;
use crate::engine::settings::endpoint::{Endpoint, Place, split_port};
use crate::engine::settings::host::parse_host;

/// One entry of the map. `Debug` does not show the password.
#[derive(Debug, Clone, Default)]
pub struct Credential {
    /// The user, if the key names none.
    pub username: Option<String>,
    /// The password.
    pub password: Option<SecretString>,
    /// Whether a part of the entry is not known yet.
    pub pending: bool,
}

/// The map from `user@WHERE` or `WHERE` to a login; WHERE is `host[:port]`, `cluster:NAME` or `workgroup:NAME`.
#[derive(Debug, Clone, Default)]
pub struct Credentials {
    entries: Vec<Entry>,
    /// Whether the map, or one of its keys, is not known yet.
    pub pending: bool,
}

#[derive(Debug, Clone)]
struct Entry {
    written: String,
    user: Option<String>,
    place: Where,
    credential: Credential,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Where {
    Host(String, Option<u16>),
    Cluster(String),
    Workgroup(String),
}

/// A warehouse by all the names that a key may have for it.
#[derive(Debug, Clone)]
pub(super) struct Names {
    /// None while it has to be looked up.
    pub(super) endpoint: Option<Endpoint>,
    pub(super) cluster: Option<String>,
    pub(super) workgroup: Option<String>,
}

/// An entry that was found, and how its key is written.
#[derive(Debug)]
pub(super) struct Match<'a> {
    pub(super) source: String,
    pub(super) username: Option<&'a str>,
    pub(super) credential: &'a Credential,
}

impl Credentials {
    /// Reads the map. Errors: a key that is none, two keys that mean the same, an entry for another user than its key's.
    pub fn parse(entries: impl IntoIterator<Item = (String, Credential)>) -> Result<Self, Error> {
        let mut read: Vec<Entry> = Vec::new();
        for (written, credential) in entries {
            let (user, place) = match written.rsplit_once('@') {
                Some((user, place)) => (Some(user.to_owned()), place),
                None => (None, written.as_str()),
            };
            let place = Where::parse(place)?;
            if user.as_deref() == Some("") {
                return Err(wrong(&place, "has an empty user before the @"));
            }
            if read.iter().any(|entry| entry.user == user && entry.place == place) {
                return Err(wrong(&place, "is there twice, for the same user"));
            }
            if user.is_some() && credential.username.is_some() && user != credential.username {
                return Err(wrong(&place, "names one user in its key and another in its username"));
            }
            read.push(Entry { written, user, place, credential });
        }
        Ok(Self { entries: read, pending: false })
    }

    /// A map that is not known yet.
    pub fn unknown() -> Self {
        Self { pending: true, ..Self::default() }
    }

    /// The most specific entry: `user@WHERE` before `WHERE`; in each, a host with its port before one without, before a
    /// cluster's or workgroup's name. An entry for another user does not apply to one that is `written`; where the user
    /// was only inherited, the entry of the place decides.
    pub(super) fn find(&self, user: Option<&str>, written: bool, names: &Names) -> Option<Match<'_>> {
        let at = |with_user: Option<&str>| {
            names.places().into_iter().find_map(|place| {
                self.entries.iter().find(|entry| {
                    let other = entry.credential.username.as_deref().is_some_and(|name| Some(name) != user);
                    entry.place == place && entry.user.as_deref() == with_user && !(written && other)
                })
            })
        };
        let found = user.and_then(|user| at(Some(user))).or_else(|| at(None))?;
        Some(Match {
            source: format!("credentials[\"{}\"]", found.written),
            username: found.user.as_deref().or(found.credential.username.as_deref()),
            credential: &found.credential,
        })
    }
}

impl fmt::Display for Names {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (&self.endpoint, &self.cluster, &self.workgroup) {
            (Some(endpoint), ..) => endpoint.fmt(f),
            (None, _, Some(name)) => write!(f, "workgroup:{name}"),
            (None, Some(name), None) => write!(f, "cluster:{name}"),
            (None, None, None) => f.write_str("a warehouse without a name"),
        }
    }
}

impl Names {
    fn places(&self) -> Vec<Where> {
        let mut places = match &self.endpoint {
            Some(Endpoint { host, port }) => {
                vec![Where::Host(host.clone(), Some(*port)), Where::Host(host.clone(), None)]
            }
            None => Vec::new(),
        };
        places.extend(self.cluster.clone().map(Where::Cluster));
        places.extend(self.workgroup.clone().map(Where::Workgroup));
        places
    }
}

impl Where {
    fn parse(text: &str) -> Result<Self, Error> {
        let read = || match text.parse::<Place>()? {
            Place::Cluster(name) => Ok(Self::Cluster(name)),
            Place::Workgroup(name) => Ok(Self::Workgroup(name)),
            Place::Host(_) => {
                let (host, port) = split_port(text)?;
                Ok(Self::Host(parse_host(host)?.name, port))
            }
        };
        read().map_err(|_: Error| {
            Error::setting("credentials", "A key of credentials is neither WHERE nor user@WHERE, where WHERE is host[:port], cluster:NAME or workgroup:NAME.")
        })
    }
}

impl fmt::Display for Where {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Host(host, Some(port)) => Endpoint { host: host.clone(), port: *port }.fmt(f),
            Self::Host(host, None) => f.write_str(host),
            Self::Cluster(name) => write!(f, "cluster:{name}"),
            Self::Workgroup(name) => write!(f, "workgroup:{name}"),
        }
    }
}

fn wrong(place: &Where, what: &str) -> Error {
    Error::setting("credentials", format!("The entry of credentials for {place} {what}."))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(username: Option<&str>) -> Credential {
        Credential { username: username.map(Into::into), password: Some("CANARY".into()), pending: false }
    }

    fn map(keys: &[(&str, Option<&str>)]) -> Credentials {
        let entries = keys.iter().map(|(key, username)| ((*key).to_owned(), entry(*username)));
        Credentials::parse(entries).expect("credentials")
    }

    fn names(host: &str, port: u16) -> Names {
        let endpoint = Endpoint { host: host.into(), port };
        Names { endpoint: Some(endpoint), cluster: Some("main".into()), workgroup: None }
    }

    fn found(map: &Credentials, user: Option<&str>, written: bool, port: u16) -> Option<(String, Option<String>)> {
        map.find(user, written, &names("h", port)).map(|found| (found.source, found.username.map(Into::into)))
    }

    #[test]
    fn the_most_specific_entry_wins() {
        let all = ["alice@h:5439", "alice@H", "alice@cluster:Main", "h:5439", "h", "cluster:main"];
        for from in 0..all.len() {
            let keys: Vec<_> = all[from..].iter().rev().map(|key| (*key, None)).collect();
            let expected = format!("credentials[\"{}\"]", all[from]);
            assert_eq!(found(&map(&keys), Some("alice"), true, 5439).map(|found| found.0), Some(expected));
        }
        assert_eq!(found(&map(&[("h:5439", None), ("bob@h", None), ("g", None)]), Some("alice"), true, 5440), None);
    }

    #[test]
    fn an_entry_of_a_place_may_name_its_user() {
        let one = map(&[("h", Some("bob"))]);
        assert_eq!(found(&one, None, false, 1).and_then(|found| found.1).as_deref(), Some("bob"));
        assert_eq!(found(&one, Some("alice"), false, 1).and_then(|found| found.1).as_deref(), Some("bob"));
        assert_eq!(found(&one, Some("alice"), true, 1), None);
        assert!(found(&one, Some("bob"), true, 1).is_some());
        let iam = map(&[("a@b@h", None)]);
        assert_eq!(found(&iam, Some("a@b"), true, 1).and_then(|found| found.1).as_deref(), Some("a@b"));
    }

    #[test]
    fn what_is_no_key_is_refused_without_a_secret() {
        for keys in [
            &[("", None)][..],
            &[("@h", None)],
            &[("u@", None)],
            &[("h:x", None)],
            &[("u@h", Some("v"))],
            &[("h", None), ("H", None)],
        ] {
            let entries = keys.iter().map(|(key, username)| ((*key).to_owned(), entry(*username)));
            let error = Credentials::parse(entries).expect_err("bad keys");
            assert!(matches!(error, Error::Setting { setting: "credentials", .. }));
            assert!(!format!("{error} {:?}", map(&[("h", None)])).contains("CANARY"));
        }
    }
}
