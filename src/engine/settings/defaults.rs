//! The settings that others fall back on, and what a warehouse's settings come to over them.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::time::Duration;

use secrecy::SecretString;

use crate::engine::error::{Error, Hints};
use crate::engine::settings::access::{Access, SslMode};
use crate::engine::settings::endpoint::{Endpoint, Place, same_endpoint};
use crate::engine::settings::env::Environment;
use crate::engine::settings::host::{Host, parse_host};
use crate::engine::settings::hostaddr::{HostAddr, HostAddrs};
use crate::engine::settings::logins::{Credentials, Names};
use crate::engine::settings::needs::{Finding, Findings, Located, Need, Network, SecretFields, Target};
use crate::engine::settings::proxy::Proxies;
use crate::engine::settings::{self, DEFAULT_CONNECT_TIMEOUT, DEFAULT_DATABASE, Settings};

mod login;
#[cfg(test)]
mod tests;
#[cfg(test)]
mod tests_aws;

use login::{Choice, Proof};

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
    proxies: Proxies,
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
    /// This must be looked up in AWS first.
    LookUp(Need),
}

/// Settings that speak of where a warehouse is.
const ENDPOINT: [&str; 4] = ["host", "port", "cluster_identifier", "workgroup_name"];

/// What a warehouse's settings come to, without its login's secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Resolved {
    /// Where the warehouse listens; none while that has to be looked up by its name.
    pub endpoint: Option<Endpoint>,
    /// `redshift` or `redshift-serverless`.
    pub product: &'static str,
    /// `BASIC`, `IAM`, `IAM_ROLE`.
    pub authentication_type: &'static str,
    /// The database user; none where it follows from the AWS identity.
    pub username: Option<String>,
    /// The database first connected to.
    pub database: String,
    /// Written, or told by the host.
    pub cluster_identifier: Option<String>,
    /// Written, or told by the host.
    pub workgroup_name: Option<String>,
    /// Written, or told by the host.
    pub region: Option<String>,
    /// How the line is protected.
    pub sslmode: SslMode,
}

/// Where AWS keeps a password.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StoredAt {
    /// A secret of Secrets Manager, by name or ARN.
    Secret(String),
    /// A parameter of SSM, by name or ARN.
    Parameter(String),
}

impl StoredAt {
    /// The setting that names it.
    pub fn setting(&self) -> &'static str {
        match self {
            Self::Secret(_) => "secret_id",
            Self::Parameter(_) => "password_ssm_parameter",
        }
    }

    /// Its name or ARN.
    pub fn name(&self) -> &str {
        match self {
            Self::Secret(name) | Self::Parameter(name) => name,
        }
    }
}

/// A password that AWS keeps. `Debug` does not show it.
#[derive(Debug, Clone)]
pub struct StoredPassword {
    /// Whose it is, where the secret says so.
    pub username: Option<String>,
    /// The password.
    pub password: SecretString,
    /// Which version of it, with the kind of its store: no secret.
    pub version: String,
}

/// Why something cannot be told: it waits for a setting, or it is wrong.
enum Stop {
    Pending(&'static str),
    LookUp(Need),
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
        Err(Stop::LookUp(need)) => Ok(Settled::LookUp(need)),
        Err(Stop::Error(error)) => Err(error),
    }
}

impl<T> Settled<T> {
    /// The value, if it is known.
    pub fn known(self) -> Option<T> {
        match self {
            Self::Known(value) => Some(value),
            Self::Pending(_) | Self::LookUp(_) => None,
        }
    }

    /// The value changed, if it is known.
    pub fn map<U>(self, change: impl FnOnce(T) -> U) -> Settled<U> {
        match self {
            Self::Known(value) => Settled::Known(change(value)),
            Self::Pending(names) => Settled::Pending(names),
            Self::LookUp(need) => Settled::LookUp(need),
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
            return Err(error.of_variable(|name| settings.source(name)));
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
            proxies: environment.proxies()?,
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
        if let Some(variable) = self.proxies.source() {
            sources.insert("proxy", variable.to_owned());
        }
        sources
    }

    /// What makes advice about errors exact.
    pub fn hints(&self) -> Hints {
        Hints { egress_ip: self.egress_ip.clone(), ..Hints::default() }
    }

    /// Where a warehouse with these settings of its own listens: its own endpoint as a whole, or the team's.
    pub fn endpoint(&self, own: &Settings, found: &Findings) -> Result<Settled<Endpoint>, Error> {
        let own = own.expand()?;
        settle(|| self.endpoint_of(&own, found))
    }

    /// What the settings come to. Errors: what is missing or wrong; a missing password is none of this call's.
    pub fn resolve(&self, own: &Settings, found: &Findings) -> Result<Settled<Resolved>, Error> {
        let own = own.expand()?;
        settle(|| {
            let endpoint = match self.endpoint_of(&own, found) {
                Err(Stop::LookUp(Need::Endpoint { .. })) => None,
                endpoint => Some(endpoint?),
            };
            let names = self.names(&own, endpoint.as_ref(), found)?;
            // A host that has to be looked up tells nothing, so that what is known before is what is known after.
            let is_written = self.endpoint_settings(&own).host.is_some();
            let shape = endpoint.as_ref().filter(|_| is_written).and_then(Endpoint::shape);
            let choice = self.choose(&own, &names, found)?;
            let authentication_type = choice.kind;
            Ok(Resolved {
                product: if names.workgroup.is_some() { "redshift-serverless" } else { product(shape.as_ref()) },
                authentication_type,
                username: choice.user(),
                database: self.database(&own, found)?,
                cluster_identifier: names.cluster,
                workgroup_name: names.workgroup,
                region: self.region(&own, shape.as_ref())?,
                sslmode: self.sslmode(&own)?,
                endpoint,
            })
        })
    }

    /// The database first connected to.
    pub fn first_database(&self, own: &Settings, found: &Findings) -> Result<Settled<String>, Error> {
        let own = own.expand()?;
        settle(|| self.database(&own, found))
    }

    /// Everything that a sign-in needs. Errors: what is missing or wrong, [`Error::NoPassword`] among them.
    pub fn access(&self, own: &Settings, found: &Findings) -> Result<Settled<Access>, Error> {
        let own = own.expand()?;
        settle(|| {
            // Whether there is a way to sign in shows without the endpoint, where that has to be looked up.
            let endpoint = self.endpoint_of(&own, found).map_err(|stop| match stop {
                Stop::LookUp(need @ Need::Endpoint { .. }) => self
                    .names(&own, None, found)
                    .and_then(|names| self.login(&own, &names, found))
                    .err()
                    .filter(|stop| !matches!(stop, Stop::LookUp(_)))
                    .unwrap_or(Stop::LookUp(need)),
                stop => stop,
            })?;
            self.access_to(&own, endpoint, found)
        })
    }

    /// The same for a warehouse that is remembered, wherever the settings lead now: with the login found for it.
    pub fn access_at(&self, own: &Settings, remembered: &Endpoint, found: &Findings) -> Result<Settled<Access>, Error> {
        let own = own.expand()?;
        settle(|| self.access_to(&own, remembered.clone(), found))
    }

    fn access_to(&self, own: &Settings, endpoint: Endpoint, found: &Findings) -> Result<Access, Stop> {
        let login = self.login(own, &self.names(own, Some(&endpoint), found)?, found)?;
        let sslmode = self.sslmode(own)?;
        let (password, password_source, iam) = match login.proof {
            Proof::Password { password, source, teams } => {
                if teams {
                    self.refuse_weaker(own, sslmode, &source)?;
                }
                (Some(password), source, None)
            }
            Proof::Iam(iam) => (None, "AWS".to_owned(), Some(iam)),
        };
        let connect_timeout = match self.pick(own, "connect_timeout", |settings| settings.connect_timeout.clone())? {
            Some(text) => settings::connect_timeout(&text)?,
            None => DEFAULT_CONNECT_TIMEOUT,
        };
        let root = self.pick(own, "sslrootcert", |settings| settings.sslrootcert.clone())?;
        self.settled("max_sessions")?;
        self.settled("statement_timeout")?;
        let hostaddr = self.hostaddr_for(&endpoint, found)?;
        // Who writes where to connect means it.
        let proxy = if hostaddr.is_none() { self.proxies.to(&endpoint.host).cloned() } else { None };
        Ok(Access {
            hostaddr,
            proxy,
            endpoint,
            database: self.database(own, found)?,
            user: login.user,
            user_source: login.user_source,
            password,
            password_source,
            iam,
            sslmode,
            sslrootcert: root.as_deref().map(settings::root_cert).transpose()?,
            connect_timeout,
            statement_timeout: self.statement_timeout,
            max_sessions: self.max_sessions,
            preserve_case: self.pick(own, "preserve_case", |settings| settings.preserve_case)?,
        })
    }

    /// A password that AWS keeps for some user of the warehouse. Errors: a secret without one.
    pub fn stored_password(
        &self,
        own: &Settings,
        at: &StoredAt,
        found: &Findings,
    ) -> Result<Settled<StoredPassword>, Error> {
        let own = own.expand()?;
        settle(|| {
            let host = self.endpoint_settings(&own).host.as_deref().and_then(|host| parse_host(host).ok());
            let region = self.region(&own, host.as_ref())?;
            let need = match at {
                StoredAt::Secret(id) => Need::Secret { id: id.clone(), region },
                StoredAt::Parameter(name) => Need::Parameter { name: name.clone(), region },
            };
            match found.get(&need) {
                Some(Finding::Secret(SecretFields { username, password: Some(password), version, .. })) => {
                    Ok(StoredPassword { username, password, version: format!("secret:{version}") })
                }
                Some(Finding::Secret(_)) => Err(login::no_password_in_secret(at.name()).into()),
                Some(Finding::Parameter(parameter)) => Ok(StoredPassword {
                    username: None,
                    password: parameter.value,
                    version: format!("parameter:{}", parameter.version),
                }),
                _ => Err(Stop::LookUp(need)),
            }
        })
    }

    /// The settings that say where the warehouse is: its own as soon as they say anything about it, else the team's.
    fn endpoint_settings<'a>(&'a self, own: &'a Settings) -> &'a Settings {
        let team_says = self.settings.writes(&ENDPOINT);
        let own_says = own.writes(&ENDPOINT) || (!team_says && own.writes(&["secret_id"]));
        if own_says { own } else { &self.settings }
    }

    /// Who may reach the warehouse, where AWS was asked for its endpoint.
    pub fn network(&self, own: &Settings, found: &Findings) -> Option<Network> {
        let own = own.expand().ok()?;
        self.located(&own, found).ok()?.1
    }

    fn endpoint_of(&self, own: &Settings, found: &Findings) -> Result<Endpoint, Stop> {
        self.located(own, found).map(|(endpoint, _)| endpoint)
    }

    fn located(&self, own: &Settings, found: &Findings) -> Result<(Endpoint, Option<Network>), Stop> {
        let settings = self.endpoint_settings(own);
        for name in ["host", "port"] {
            if settings.pending.contains(name) {
                return Err(Stop::Pending(name));
            }
        }
        if let Some(host) = &settings.host {
            let endpoint = Endpoint::new(host, settings.port)?;
            self.refuse_foreign_secret(own, settings, &endpoint, found)?;
            return Ok((endpoint, None));
        }
        for name in ["cluster_identifier", "workgroup_name"] {
            if settings.pending.contains(name) {
                return Err(Stop::Pending(name));
            }
        }
        let written = (settings.cluster_identifier.clone(), settings.workgroup_name.clone());
        let secret = if written == (None, None) { self.secret(settings, settings, found)? } else { None };
        let (cluster, port) = match secret {
            Some(SecretFields { host: Some(host), port, .. }) => {
                let endpoint = Endpoint::new(&host, settings.port.or(port)).map_err(|error| error.about_secret())?;
                return Ok((endpoint, None));
            }
            Some(fields) => (fields.cluster_identifier, settings.port.or(fields.port)),
            None => (written.0, settings.port),
        };
        let target = match (cluster, written.1) {
            (_, Some(name)) => Target::Workgroup(name),
            (Some(name), None) => Target::Cluster(name.to_ascii_lowercase()),
            (None, None) => return Err(self.no_host(settings).into()),
        };
        let choice = self.choice_by_name(own, &target, found)?;
        let (roles, for_want_of_password) = (self.roles(own, choice.kind)?, choice.for_want_of_password);
        let need = Need::Endpoint { target, region: self.region(own, None)?, roles, for_want_of_password };
        match found.get(&need) {
            Some(Finding::Endpoint(Located { endpoint, network })) => {
                Ok((Endpoint { port: port.unwrap_or(endpoint.port), ..endpoint }, Some(network)))
            }
            _ => Err(Stop::LookUp(need)),
        }
    }

    /// Who is to look up an endpoint: who asks for credentials there.
    fn choice_by_name(&self, own: &Settings, target: &Target, found: &Findings) -> Result<Choice<'_>, Stop> {
        let (cluster, workgroup) = match target {
            Target::Cluster(name) => (Some(name.clone()), None),
            Target::Workgroup(name) => (None, Some(name.clone())),
            Target::CustomDomain(_) => (None, None),
        };
        self.choose(own, &Names { endpoint: None, cluster, workgroup }, found)
    }

    /// A secret is for its own host. Its password does not go to another one that is only inherited.
    fn refuse_foreign_secret(
        &self,
        own: &Settings,
        from: &Settings,
        endpoint: &Endpoint,
        found: &Findings,
    ) -> Result<(), Stop> {
        if std::ptr::eq(from, own) || own.secret_id.is_none() {
            return Ok(());
        }
        // It is looked up by whoever needs the password.
        let Ok(Some(SecretFields { host: Some(host), port, .. })) = self.secret(own, own, found) else { return Ok(()) };
        let theirs = Endpoint::new(&host, port).map_err(|error| error.about_secret())?;
        if theirs.host == endpoint.host {
            return Ok(());
        }
        let message = format!(
            "The secret is for {theirs}, but {} leads to {endpoint}. Write host here to say which one is meant.",
            self.label
        );
        Err(Error::setting("secret_id", message).into())
    }

    fn no_host(&self, settings: &Settings) -> Error {
        let label = self.label;
        if let Some(id) = &settings.secret_id {
            let message = format!(
                "The secret \"{id}\" has neither a field \"host\" nor \"dbClusterIdentifier\": add one, or write host, cluster_identifier or workgroup_name."
            );
            return Error::missing("host", message).about("secret_id");
        }
        let message = if let (Some(port), true) = (settings.port, settings.source("port").starts_with("REDSHIFT_")) {
            format!(
                "{} is set ({port}), and no host is: a port alone leads nowhere. Set REDSHIFT_HOST too, or write host (or cluster_identifier, workgroup_name, connection_string) here or in {label}.",
                settings.source("port")
            )
        } else if let Some(why) = settings.unused.get("host") {
            format!("port is written without host. {why} Write host too, or leave port out.")
        } else if settings.writes(&["port"]) {
            format!(
                "port is written without host. Where a warehouse listens is taken from {label} as a whole or not at all: write host too."
            )
        } else {
            format!(
                "No host is written: set host (or cluster_identifier, workgroup_name, connection_string), here or in {label}, or REDSHIFT_HOST."
            )
        };
        Error::missing("host", message)
    }

    /// The team's own endpoint; none if it has none.
    fn own_endpoint(&self, found: &Findings) -> Result<Option<Endpoint>, Stop> {
        match self.endpoint_of(&Settings::default(), found) {
            Err(Stop::Error(_)) => Ok(None),
            other => other.map(Some),
        }
    }

    /// Whether a warehouse is the team's own, as far as that is written: what a name leads to is not asked for.
    fn is_own_as_written(&self, own: &Settings, names: &Names, found: &Findings) -> Result<bool, Stop> {
        if std::ptr::eq(self.endpoint_settings(own), &self.settings) {
            return self.is_own(names, found);
        }
        let team = &self.settings;
        if let Some(name) = ENDPOINT.into_iter().find(|name| team.pending.contains(name)) {
            return Err(Stop::Pending(name));
        }
        let place = team.host.as_deref().and_then(|host| Endpoint::new(host, team.port).ok());
        let shape = place.as_ref().and_then(Endpoint::shape);
        let told = |name: fn(&Host) -> Option<String>| shape.as_ref().and_then(name);
        let cluster = team.cluster_identifier.as_ref().map(|name| name.to_ascii_lowercase());
        let cluster = cluster.or_else(|| told(|host| host.cluster_identifier.clone()));
        let workgroup = team.workgroup_name.clone().or_else(|| told(|host| host.workgroup_name.clone()));
        if cluster.is_some() && cluster == names.cluster || workgroup.is_some() && workgroup == names.workgroup {
            return Ok(true);
        }
        let lower = |name: &Option<String>| name.as_ref().map(|name| name.to_ascii_lowercase());
        let by_name = own.host.is_none()
            && (own.cluster_identifier.is_some() && lower(&own.cluster_identifier) == names.cluster
                || own.workgroup_name.is_some() && own.workgroup_name == names.workgroup);
        match (place, &names.endpoint) {
            (Some(place), Some(endpoint)) if !by_name => {
                Ok(same_endpoint(&Place::Host(place), &Place::Host(endpoint.clone())))
            }
            _ => Ok(false),
        }
    }

    /// Whether a warehouse is the team's own.
    fn is_own(&self, names: &Names, found: &Findings) -> Result<bool, Stop> {
        let team = &self.settings;
        if team.host.is_none() && !team.pending.contains("host") {
            // By name: nothing has to be looked up to tell.
            let cluster = team.cluster_identifier.as_ref().map(|name| name.to_ascii_lowercase());
            if cluster.is_some() && cluster == names.cluster
                || team.workgroup_name.is_some() && team.workgroup_name == names.workgroup
            {
                return Ok(true);
            }
        }
        let Some(endpoint) = &names.endpoint else { return Ok(false) };
        let own = self.own_endpoint(found)?;
        Ok(own.is_some_and(|own| same_endpoint(&Place::Host(own), &Place::Host(endpoint.clone()))))
    }

    /// All names of the warehouse at an endpoint; without one, of the warehouse that has to be looked up.
    fn names(&self, own: &Settings, endpoint: Option<&Endpoint>, found: &Findings) -> Result<Names, Stop> {
        let settings = self.endpoint_settings(own);
        let shape = endpoint.and_then(Endpoint::shape);
        let told = |name: fn(&Host) -> Option<String>| shape.as_ref().and_then(name);
        let (cluster, workgroup) =
            (told(|host| host.cluster_identifier.clone()), told(|host| host.workgroup_name.clone()));
        let here = match (endpoint, self.endpoint_of(own, found)) {
            (Some(endpoint), Ok(here)) => here == *endpoint,
            // While it is not looked up, a remembered host that names another warehouse tells that it is not here.
            (_, Err(Stop::LookUp(Need::Endpoint { .. }))) => cluster.is_none() && workgroup.is_none(),
            (endpoint, _) => endpoint.is_none(),
        };
        let written = |name: &Option<String>| name.clone().filter(|_| here);
        let from_secret = match settings.secret_id {
            Some(_)
                if here
                    && settings.cluster_identifier.is_none()
                    && settings.workgroup_name.is_none()
                    && cluster.is_none() =>
            {
                match self.secret(settings, settings, found) {
                    Ok(fields) => fields.and_then(|fields| fields.cluster_identifier),
                    Err(_) => None,
                }
            }
            _ => None,
        };
        Ok(Names {
            endpoint: endpoint.cloned(),
            cluster: written(&settings.cluster_identifier)
                .or(from_secret)
                .map(|name| name.to_ascii_lowercase())
                .or(cluster),
            workgroup: written(&settings.workgroup_name).or(workgroup),
        })
    }

    /// The region: its own, else the host's, else the team's, else none (the AWS chain's).
    fn region(&self, own: &Settings, host: Option<&Host>) -> Result<Option<String>, Stop> {
        if own.pending.contains("region") {
            return Err(Stop::Pending("region"));
        }
        let told = || host.and_then(|host| host.region.clone());
        match own.region.clone().or_else(told) {
            Some(region) => Ok(Some(region)),
            None => self.pick(own, "region", |settings| settings.region.clone()),
        }
    }

    fn hostaddr_for(&self, endpoint: &Endpoint, found: &Findings) -> Result<Option<HostAddr>, Stop> {
        self.settled("hostaddrs")?;
        if let Some(address) = self.hostaddrs.get(endpoint) {
            return Ok(Some(address.clone()));
        }
        self.settled("hostaddr")?;
        match &self.hostaddr {
            Some(address) if self.own_endpoint(found)?.is_some_and(|own| own == *endpoint) => Ok(Some(address.clone())),
            _ => Ok(None),
        }
    }

    fn database(&self, own: &Settings, found: &Findings) -> Result<String, Stop> {
        if let Some(written) = self.pick(own, "database", |settings| settings.database.clone())? {
            return Ok(written);
        }
        for settings in [own, &self.settings] {
            if let Some(SecretFields { database: Some(name), .. }) = self.secret(settings, settings, found)? {
                return Ok(name);
            }
        }
        Ok(DEFAULT_DATABASE.to_owned())
    }

    fn sslmode(&self, own: &Settings) -> Result<SslMode, Stop> {
        let written = self.pick(own, "sslmode", |settings| settings.sslmode.clone())?;
        Ok(written.as_deref().map(SslMode::parse).transpose()?.unwrap_or_default())
    }

    /// The team's password travels as well protected as the team wants it, whoever writes a connection: without TLS, or
    /// with anybody at its other end, all who are on the way could read it.
    fn refuse_weaker(&self, own: &Settings, sslmode: SslMode, password: &str) -> Result<(), Stop> {
        let teams = self.sslmode(&Settings::default())?;
        if sslmode >= teams {
            return Ok(());
        }
        let label = self.label;
        let theirs = match self.settings.sslmode {
            Some(_) => format!("that of {label} ({teams}, from {})", self.origin("sslmode")),
            None => format!("that of {label} ({teams}, the default)"),
        };
        let whence = match own.source("sslmode") {
            "sslmode" => String::new(),
            source => format!(" (from {source})"),
        };
        let message = format!(
            "sslmode \"{sslmode}\"{whence} is weaker than {theirs}, and the password that would be sent is {label}'s own ({password}). Leave sslmode out here; or write the weaker one in {label}, for everybody; or give this login a password of its own (password_ssm_parameter, secret_id, or an entry of credentials)."
        );
        Err(Error::setting("sslmode", message).into())
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
