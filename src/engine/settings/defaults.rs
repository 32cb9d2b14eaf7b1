//! The settings that others fall back on, and what a warehouse's settings come to over them.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::time::Duration;

use crate::engine::error::{Error, Hints};
use crate::engine::settings::access::{Access, SslMode};
use crate::engine::settings::endpoint::{Endpoint, Place, same_endpoint};
use crate::engine::settings::env::Environment;
use crate::engine::settings::host::Host;
use crate::engine::settings::hostaddr::{HostAddr, HostAddrs};
use crate::engine::settings::logins::{Credentials, Names};
use crate::engine::settings::{self, DEFAULT_CONNECT_TIMEOUT, DEFAULT_DATABASE, Settings};

mod login;
#[cfg(test)]
mod tests;

/// `max_sessions` where none is written.
pub const DEFAULT_MAX_SESSIONS: usize = 4;

/// `statement_timeout` where none is written.
pub const DEFAULT_STATEMENT_TIMEOUT: Duration = Duration::from_secs(300);

/// The team-wide settings as they are written. A name in `settings.pending` may also be one of this struct's.
#[derive(Debug, Clone, Default)]
pub struct Written {
    /// Endpoint, login and the rest.
    pub settings: Settings,
    /// Logins by place.
    pub credentials: Credentials,
    /// `address[:port]` for the settings' own host.
    pub hostaddr: Option<String>,
    /// The same for other hosts, by `host[:port]`.
    pub hostaddrs: BTreeMap<String, String>,
    /// The most sessions at a time in one database.
    pub max_sessions: Option<u16>,
    /// A duration such as `5m`.
    pub statement_timeout: Option<String>,
    /// The address of this machine as the warehouse's firewall sees it.
    pub egress_ip: Option<String>,
}

/// The team-wide settings, read and completed from the environment.
#[derive(Debug, Clone)]
pub struct Defaults {
    settings: Settings,
    credentials: Credentials,
    hostaddr: Option<HostAddr>,
    hostaddrs: HostAddrs,
    max_sessions: usize,
    statement_timeout: Duration,
    egress_ip: Option<String>,
    /// How these settings are called in messages ("the provider block").
    label: &'static str,
}

/// What can be told now, or the settings that it waits for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Settled<T> {
    /// All that matters is known.
    Known(T),
    /// These settings must be known first.
    Pending(Vec<&'static str>),
}

/// What a warehouse's settings come to, without its login's secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Resolved {
    /// Where the warehouse listens.
    pub endpoint: Endpoint,
    /// `redshift` or `redshift-serverless`.
    pub product: &'static str,
    /// `BASIC`.
    pub authentication_type: &'static str,
    /// The database user.
    pub username: String,
    /// The database first connected to.
    pub database: String,
    /// Written, or told by the host.
    pub cluster_identifier: Option<String>,
    /// Written, or told by the host.
    pub workgroup_name: Option<String>,
    /// Told by the host.
    pub region: Option<String>,
    /// How the line is protected.
    pub sslmode: SslMode,
}

/// Why something cannot be told: it waits for a setting, or it is wrong.
enum Stop {
    Pending(&'static str),
    Error(Error),
}

impl From<Error> for Stop {
    fn from(error: Error) -> Self {
        Self::Error(error)
    }
}

/// Turns the early return of `read` into what a caller sees.
fn settle<T>(read: impl FnOnce() -> Result<T, Stop>) -> Result<Settled<T>, Error> {
    match read() {
        Ok(value) => Ok(Settled::Known(value)),
        Err(Stop::Pending(name)) => Ok(Settled::Pending(vec![name])),
        Err(Stop::Error(error)) => Err(error),
    }
}

impl<T> Settled<T> {
    /// The value, if it is known.
    pub fn known(self) -> Option<T> {
        match self {
            Self::Known(value) => Some(value),
            Self::Pending(_) => None,
        }
    }

    /// The value changed, if it is known.
    pub fn map<U>(self, change: impl FnOnce(T) -> U) -> Settled<U> {
        match self {
            Self::Known(value) => Settled::Known(change(value)),
            Self::Pending(names) => Settled::Pending(names),
        }
    }
}

impl Defaults {
    /// Reads the written settings, taking from the environment what they leave out; `label` is how messages call them
    /// ("the provider block"). What is pending is not replaced. Errors: whatever the settings show to be wrong.
    pub fn new(written: Written, environment: &Environment, label: &'static str) -> Result<Self, Error> {
        let mut settings = written.settings.expand()?;
        environment.fill(&mut settings)?;
        if let Some(error) = settings.check().into_iter().next() {
            return Err(error);
        }
        let mut hostaddr = written.hostaddr;
        if hostaddr.is_none()
            && !settings.pending.contains("hostaddr")
            && let Some((address, variable)) = environment.hostaddr()
        {
            settings.sources.insert("hostaddr", variable);
            hostaddr = Some(address);
        }
        if let Some(address) = &written.egress_ip {
            address.parse::<IpAddr>().map_err(|_| Error::setting("egress_ip", "egress_ip must be an IP address."))?;
        }
        let max_sessions = written.max_sessions.map_or(DEFAULT_MAX_SESSIONS, usize::from);
        if max_sessions == 0 {
            return Err(Error::setting("max_sessions", "max_sessions must be 1 or more."));
        }
        Ok(Self {
            credentials: written.credentials,
            hostaddr: hostaddr.as_deref().map(str::parse).transpose()?,
            hostaddrs: HostAddrs::parse(written.hostaddrs.iter().map(|(key, value)| (key.as_str(), value.as_str())))?,
            max_sessions,
            statement_timeout: match &written.statement_timeout {
                Some(text) => settings::statement_timeout(text)?,
                None => DEFAULT_STATEMENT_TIMEOUT,
            },
            egress_ip: written.egress_ip,
            label,
            settings,
        })
    }

    /// Where each of these settings came from: for a log, names and never values.
    pub fn sources(&self) -> BTreeMap<&'static str, String> {
        let mut sources: BTreeMap<_, _> =
            self.settings.written().into_iter().map(|name| (name, self.origin(name))).collect();
        if self.hostaddr.is_some() {
            sources.insert("hostaddr", self.origin("hostaddr"));
        }
        sources
    }

    /// What makes advice about errors exact.
    pub fn hints(&self) -> Hints {
        Hints { egress_ip: self.egress_ip.clone(), ..Hints::default() }
    }

    /// Where a warehouse with these settings of its own listens: its own endpoint as a whole, or the team's.
    pub fn endpoint(&self, own: &Settings) -> Result<Settled<Endpoint>, Error> {
        let own = own.expand()?;
        settle(|| self.endpoint_of(&own))
    }

    /// What the settings come to. Errors: what is missing or wrong; a missing password is none of this call's.
    pub fn resolve(&self, own: &Settings) -> Result<Settled<Resolved>, Error> {
        let own = own.expand()?;
        settle(|| {
            let endpoint = self.endpoint_of(&own)?;
            let names = self.names(&own, &endpoint);
            let shape = endpoint.shape();
            Ok(Resolved {
                product: if names.workgroup.is_some() { "redshift-serverless" } else { product(shape.as_ref()) },
                authentication_type: settings::BASIC,
                username: self.user(&own, &names)?,
                database: self.database(&own)?,
                cluster_identifier: names.cluster,
                workgroup_name: names.workgroup,
                region: shape.and_then(|host| host.region),
                sslmode: self.sslmode(&own)?,
                endpoint,
            })
        })
    }

    /// Everything that a sign-in needs. Errors: what is missing or wrong, [`Error::NoPassword`] among them.
    pub fn access(&self, own: &Settings) -> Result<Settled<Access>, Error> {
        let own = own.expand()?;
        settle(|| {
            let endpoint = self.endpoint_of(&own)?;
            self.access_to(&own, endpoint)
        })
    }

    /// The same for a warehouse that is remembered, wherever the settings lead now: with the login found for it.
    pub fn access_at(&self, own: &Settings, remembered: &Endpoint) -> Result<Settled<Access>, Error> {
        let own = own.expand()?;
        settle(|| self.access_to(&own, remembered.clone()))
    }

    fn access_to(&self, own: &Settings, endpoint: Endpoint) -> Result<Access, Stop> {
        let login = self.login(own, &self.names(own, &endpoint))?;
        let connect_timeout = match self.pick(own, "connect_timeout", |settings| settings.connect_timeout.clone())? {
            Some(text) => settings::connect_timeout(&text)?,
            None => DEFAULT_CONNECT_TIMEOUT,
        };
        let root = self.pick(own, "sslrootcert", |settings| settings.sslrootcert.clone())?;
        self.settled("max_sessions")?;
        self.settled("statement_timeout")?;
        Ok(Access {
            hostaddr: self.hostaddr_for(&endpoint)?,
            endpoint,
            database: self.database(own)?,
            user: login.user,
            user_source: login.user_source,
            password: Some(login.password),
            password_source: login.password_source,
            sslmode: self.sslmode(own)?,
            sslrootcert: root.as_deref().map(settings::root_cert).transpose()?,
            connect_timeout,
            statement_timeout: self.statement_timeout,
            max_sessions: self.max_sessions,
            preserve_case: self.pick(own, "preserve_case", |settings| settings.preserve_case)?,
        })
    }

    /// The settings that say where the warehouse is: its own as soon as they say anything about it, else the team's.
    fn endpoint_settings<'a>(&'a self, own: &'a Settings) -> &'a Settings {
        if own.writes(&["host", "port", "cluster_identifier", "workgroup_name"]) { own } else { &self.settings }
    }

    fn endpoint_of(&self, own: &Settings) -> Result<Endpoint, Stop> {
        let settings = self.endpoint_settings(own);
        for name in ["host", "port"] {
            if settings.pending.contains(name) {
                return Err(Stop::Pending(name));
            }
        }
        let Some(host) = &settings.host else {
            let message = if settings.writes(&["cluster_identifier", "workgroup_name"]) {
                format!(
                    "A cluster's or workgroup's name alone leads to no host here, as {}: write host too.",
                    settings::PASSWORD_ONLY
                )
            } else if settings.writes(&["port"]) {
                format!(
                    "port is written without host. Where a warehouse listens is taken from {} as a whole or not at all: write host too.",
                    self.label
                )
            } else {
                format!(
                    "No host is written: set host (or connection_string), here or in {}, or REDSHIFT_HOST.",
                    self.label
                )
            };
            return Err(Error::setting("host", message).into());
        };
        Ok(Endpoint::new(host, settings.port)?)
    }

    /// The team's own endpoint; none if it has none.
    fn own_endpoint(&self) -> Result<Option<Endpoint>, Stop> {
        match self.endpoint_of(&Settings::default()) {
            Err(Stop::Error(_)) => Ok(None),
            other => other.map(Some),
        }
    }

    /// Whether an endpoint is the team's own.
    fn is_own(&self, endpoint: &Endpoint) -> Result<bool, Stop> {
        let own = self.own_endpoint()?;
        Ok(own.is_some_and(|own| same_endpoint(&Place::Host(own), &Place::Host(endpoint.clone()))))
    }

    /// All names of the warehouse at an endpoint.
    fn names(&self, own: &Settings, endpoint: &Endpoint) -> Names {
        let settings = self.endpoint_settings(own);
        let here = self.endpoint_of(own).is_ok_and(|found| found == *endpoint);
        let written = |name: &Option<String>| name.clone().filter(|_| here);
        let shape = endpoint.shape();
        let told = |name: fn(&Host) -> Option<String>| shape.as_ref().and_then(name);
        Names {
            endpoint: endpoint.clone(),
            cluster: written(&settings.cluster_identifier)
                .map(|name| name.to_ascii_lowercase())
                .or_else(|| told(|host| host.cluster_identifier.clone())),
            workgroup: written(&settings.workgroup_name).or_else(|| told(|host| host.workgroup_name.clone())),
        }
    }

    fn hostaddr_for(&self, endpoint: &Endpoint) -> Result<Option<HostAddr>, Stop> {
        self.settled("hostaddrs")?;
        if let Some(address) = self.hostaddrs.get(endpoint) {
            return Ok(Some(address.clone()));
        }
        self.settled("hostaddr")?;
        match &self.hostaddr {
            Some(address) if self.is_own(endpoint)? => Ok(Some(address.clone())),
            _ => Ok(None),
        }
    }

    fn database(&self, own: &Settings) -> Result<String, Stop> {
        let written = self.pick(own, "database", |settings| settings.database.clone())?;
        Ok(written.unwrap_or_else(|| DEFAULT_DATABASE.to_owned()))
    }

    fn sslmode(&self, own: &Settings) -> Result<SslMode, Stop> {
        let written = self.pick(own, "sslmode", |settings| settings.sslmode.clone())?;
        Ok(written.as_deref().map(SslMode::parse).transpose()?.unwrap_or_default())
    }

    /// A setting that is inherited by itself: the warehouse's own, else the team's.
    fn pick<T>(
        &self,
        own: &Settings,
        name: &'static str,
        get: impl Fn(&Settings) -> Option<T>,
    ) -> Result<Option<T>, Stop> {
        for settings in [own, &self.settings] {
            if settings.pending.contains(name) {
                return Err(Stop::Pending(name));
            }
            if let Some(value) = get(settings) {
                return Ok(Some(value));
            }
        }
        Ok(None)
    }

    fn settled(&self, name: &'static str) -> Result<(), Stop> {
        if self.settings.pending.contains(name) { Err(Stop::Pending(name)) } else { Ok(()) }
    }

    /// Where one of the team's settings came from, in words.
    fn origin(&self, name: &'static str) -> String {
        match self.settings.source(name) {
            source if source.starts_with("REDSHIFT_") => source.to_owned(),
            source => format!("{source} of {}", self.label),
        }
    }
}

fn product(host: Option<&Host>) -> &'static str {
    host.map_or("redshift", Host::product)
}
