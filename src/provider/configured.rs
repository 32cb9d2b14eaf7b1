//! The provider block, and what it was configured to: the settings that others inherit, the logins, the sessions. All of
//! it belongs to one configuration and dies with the next.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use serde::Deserialize;
use tokio_util::sync::CancellationToken;

use super::errors;
use super::link::Link;
use super::settings::{self, Place};
use crate::engine::aws::{AwsOptions, Service};
use crate::engine::datastore::Registry;
use crate::engine::error::{Error, Hints};
use crate::engine::session::warehouse::{Engine, Options, Warehouse};
use crate::engine::settings::Settings;
use crate::engine::settings::defaults::{Defaults, Settled, StoredAt, StoredPassword, Written};
use crate::engine::settings::endpoint::Endpoint;
use crate::engine::settings::env::Environment;
use crate::engine::settings::logins::{Credential, Credentials};
use crate::engine::settings::needs::Findings;
use crate::terraform::{Configure, Diagnostic, Diagnostics, Schema, Value, map, map_of, number, string};

/// What every type of this provider works with.
pub struct Configured {
    defaults: Defaults,
    engine: Engine,
    /// Whether a warehouse that cannot be read is an error.
    strict: bool,
    /// Whether a resource was read.
    reads: AtomicBool,
    /// The warehouses of links that were followed before.
    followed: Mutex<HashMap<Followed, Arc<Warehouse>>>,
    /// What the datastores of this configuration declare, as far as they were seen.
    datastores: Registry,
    /// The users that are planned to be made, with where.
    new_users: Mutex<BTreeSet<(String, String)>>,
}

/// The key of a link to a connection, and the endpoint that was remembered with it.
type Followed = (String, Option<Endpoint>);

/// The schema of the provider block.
pub(super) fn schema() -> Schema<()> {
    let schema = Schema::new(
        "Connects tools to Amazon Redshift. What is written here is the team-wide default: connections, users and \
         datastores inherit what they leave out.",
    );
    settings::attributes(Place::Provider)
        .into_iter()
        .fold(schema, |schema, (name, attribute)| schema.setting(name, attribute))
        .setting(
            "credentials",
            map_of([
                ("username", string().doc("The database user, if the key names none.")),
                ("password", string().sensitive().doc("The user's password.")),
            ])
            .sensitive()
            .holds_secret()
            .doc(
                "Logins for other warehouses and users, by where they belong: `user@host:port`, `user@host`, `host:port` or \
                 `host`. The most specific one counts.",
            ),
        )
        .setting(
            "profile",
            string().doc("Profile of the shared AWS configuration files. Default: that of the environment (`AWS_PROFILE`)."),
        )
        .block(
            "endpoints",
            "Addresses of AWS services in place of their own: for VPC endpoints, and for tests.",
            Service::ALL.map(|(name, _)| (name, string().check(url).doc("A URL such as `https://…`."))),
        )
        .setting(
            "max_sessions",
            number().whole().doc("Most sessions at a time that one login has, in all databases together. Idle ones are closed where another database needs one. Default: `4`."),
        )
        .setting(
            "statement_timeout",
            string().doc("How long one statement may run, such as `5m`. Redshift has no other limit on waiting for a lock. Default: `5m`."),
        )
        .setting(
            "egress_ip",
            string().doc("Address that this machine has when it leaves its network. Used in hints only, to name the firewall rule that is missing."),
        )
        .setting(
            "on_unreachable",
            string().one_of(&["warn", "error"]).doc(
                "What a refresh does when a warehouse cannot be read: `warn` and keep the state, or `error`, for jobs that must \
                 not be green then. Default: `warn`.",
            ),
        )
        .setting(
            "hostaddr",
            string().doc(
                "Where to connect to reach this block's own `host`: `address` or `address:port`, for a tunnel or a port \
                 forward. TLS still verifies the name `host`. It is part of no state and no id.",
            ),
        )
        .setting("hostaddrs", map(string()).doc("The same for other hosts: a map from `host` or `host:port`."))
}

/// What is wrong with the provider block by itself.
pub(super) fn check(config: &Value, d: &mut Diagnostics) {
    settings::check(config, "", Place::Provider, d);
    let written = match written(config) {
        Ok((written, _)) => written,
        // What a rule of the schema refused does not decode either.
        Err(_) if d.has_errors() => return,
        Err(error) => return d.push(error),
    };
    if let Err(error) = Defaults::new(written, &Environment::default(), LABEL) {
        let error = errors::of_setting(&error, "");
        if !d.iter().any(|known| known.summary() == error.summary()) {
            d.push(error);
        }
    }
}

const LABEL: &str = "the provider block";

/// What else a provider block says.
#[derive(Deserialize, Default)]
#[serde(default)]
struct Block {
    max_sessions: Option<u16>,
    statement_timeout: Option<String>,
    egress_ip: Option<String>,
    on_unreachable: Option<String>,
    hostaddr: Option<String>,
    hostaddrs: Option<BTreeMap<String, String>>,
}

/// The provider block as the engine takes it, and whether a warehouse that cannot be read is an error.
fn written(config: &Value) -> Result<(Written, bool), Diagnostic> {
    let mut known = config.clone();
    let mut settings = settings::read(config)?;
    for name in ["max_sessions", "statement_timeout", "egress_ip", "on_unreachable", "hostaddr", "hostaddrs"] {
        if !config.at(name).is_wholly_known() {
            known.set(name, Value::Null);
            settings.pending.insert(name);
        }
    }
    let block: Block = known.decode().map_err(Diagnostic::from)?;
    let strict = block.on_unreachable.as_deref() == Some("error");
    let written = Written {
        settings,
        credentials: credentials(config.at("credentials"))?,
        hostaddr: block.hostaddr,
        hostaddrs: block.hostaddrs.unwrap_or_default(),
        max_sessions: block.max_sessions,
        statement_timeout: block.statement_timeout,
        egress_ip: block.egress_ip,
    };
    Ok((written, strict))
}

/// What the provider block says of AWS itself. What is not known yet is as if it were not written: what needs AWS then
/// fails by itself.
fn aws(config: &Value) -> AwsOptions {
    let endpoints = config.at("endpoints");
    let url = |name: &str| endpoints.attribute(name).as_str().map(str::to_owned);
    AwsOptions {
        profile: config.at("profile").as_str().map(str::to_owned),
        endpoints: Service::ALL.into_iter().filter_map(|(name, service)| Some((service, url(name)?))).collect(),
    }
}

fn url(value: &Value) -> Result<(), String> {
    let text = value.as_str().unwrap_or_default();
    let rest = text.strip_prefix("https://").or_else(|| text.strip_prefix("http://"));
    if rest.is_some_and(|rest| !rest.is_empty() && !rest.contains([' ', '@'])) {
        return Ok(());
    }
    Err("It must be a URL such as https://vpce-1.sts.eu-west-1.vpce.amazonaws.com, without a login.".to_owned())
}

fn credentials(value: &Value) -> Result<Credentials, Diagnostic> {
    let entries = match value {
        Value::Unknown => return Ok(Credentials::unknown()),
        Value::Map(entries) => entries,
        _ => return Ok(Credentials::default()),
    };
    let entries = entries.iter().map(|(key, entry)| {
        let text = |name: &str| entry.attribute(name).as_str().map(str::to_owned);
        let credential = Credential {
            username: text("username"),
            password: text("password").map(Into::into),
            pending: !entry.is_wholly_known(),
        };
        (key.clone(), credential)
    });
    Credentials::parse(entries).map_err(|error| errors::of_setting(&error, ""))
}

impl Configured {
    /// Takes the provider block and the environment. Opens nothing.
    pub(super) fn new(request: &Configure) -> Result<(Configured, Diagnostics), Diagnostics> {
        let (written, strict) = written(&request.config)?;
        let environment = Environment::of_process().map_err(|error| errors::diagnostic(&error, &Hints::default()))?;
        let defaults = Defaults::new(written, &environment, LABEL).map_err(|error| errors::of_setting(&error, ""))?;
        for (setting, source) in defaults.sources() {
            tracing::debug!(setting, source, "a setting of the provider");
        }
        let options =
            Options { application_name: format!("terraform-provider-redshift/{}", env!("CARGO_PKG_VERSION")) };
        let engine = Engine::new(options, aws(&request.config));
        Ok((
            Configured {
                defaults,
                engine,
                strict,
                reads: AtomicBool::new(false),
                followed: Mutex::default(),
                datastores: Registry::default(),
                new_users: Mutex::default(),
            },
            Diagnostics::new(),
        ))
    }

    /// What the datastores that were planned, made, updated or read declare.
    pub(super) fn datastores(&self) -> &Registry {
        &self.datastores
    }

    /// Notes that a user is planned to be made, perhaps in the place of one that is dropped with all that he holds.
    pub(super) fn note_new_user(&self, endpoint: &str, name: &str) {
        let mut users = self.new_users.lock().unwrap_or_else(PoisonError::into_inner);
        users.insert((endpoint.to_owned(), name.to_owned()));
    }

    /// Whether a user is planned to be made.
    pub(super) fn makes_user(&self, endpoint: &str, name: &str) -> bool {
        let users = self.new_users.lock().unwrap_or_else(PoisonError::into_inner);
        users.contains(&(endpoint.to_owned(), name.to_owned()))
    }

    /// What makes advice exact.
    pub(super) fn hints(&self) -> Hints {
        self.defaults.hints()
    }

    /// Where settings lead, with what they inherit, as far as that shows without asking anybody.
    pub(super) fn endpoint(&self, settings: &Settings) -> Result<Settled<Endpoint>, Error> {
        self.defaults.endpoint(settings, self.engine.aws().found())
    }

    /// The same, asking AWS where a name alone is written.
    pub(super) async fn look_up(&self, settings: &Settings, cancel: &CancellationToken) -> Result<Endpoint, Error> {
        self.settle(|found| self.defaults.endpoint(settings, found), cancel).await
    }

    /// The values of `resolved`, `endpoint`, `type` and `jdbc_url`, or what of them is not known yet. What is wrong with
    /// the settings is another call's to say.
    pub(super) fn resolved(&self, settings: &Settings) -> Option<crate::engine::settings::defaults::Resolved> {
        self.defaults.resolve(settings, self.engine.aws().found()).ok().and_then(Settled::known)
    }

    /// Who may reach the warehouse, where AWS was asked for its endpoint.
    pub(super) fn network(&self, settings: &Settings) -> Option<crate::engine::settings::needs::Network> {
        self.defaults.network(settings, self.engine.aws().found())
    }

    /// Where settings lead, from what is written alone.
    pub(super) fn endpoint_as_written(&self, settings: &Settings) -> Result<Settled<Endpoint>, Error> {
        self.defaults.endpoint(settings, &Findings::default())
    }

    /// What `resolved` says, from what is written alone.
    pub(super) fn resolved_as_written(
        &self,
        settings: &Settings,
    ) -> Option<crate::engine::settings::defaults::Resolved> {
        self.defaults.resolve(settings, &Findings::default()).ok().and_then(Settled::known)
    }

    /// Whether more will be known of `resolved` later: something is unknown yet, or has to be asked for.
    pub(super) fn is_unresolved(&self, settings: &Settings) -> bool {
        let resolved = self.defaults.resolve(settings, self.engine.aws().found());
        match resolved {
            Ok(Settled::Known(to)) => to.endpoint.is_none(),
            other => matches!(other, Ok(Settled::Pending(_) | Settled::LookUp(_))),
        }
    }

    /// The database that settings lead to first, once it is known.
    pub(super) fn first_database(&self, settings: &Settings) -> Option<String> {
        self.defaults.first_database(settings, self.engine.aws().found()).ok().and_then(Settled::known)
    }

    /// Complains if the login that settings need is certainly missing.
    pub(super) fn require_login(&self, link: &Link) -> Result<(), Error> {
        if !link.enabled {
            return Ok(());
        }
        self.defaults.access(&link.settings, self.engine.aws().found()).map(drop)
    }

    /// A password that AWS keeps, for a user of the warehouse that settings lead to.
    pub(super) async fn stored_password(
        &self,
        link: &Link,
        at: &StoredAt,
        cancel: &CancellationToken,
    ) -> Result<StoredPassword, Error> {
        self.settle(|found| self.defaults.stored_password(&link.settings, at, found), cancel).await
    }

    /// The warehouse that settings lead to.
    pub(super) async fn warehouse(&self, link: &Link, cancel: &CancellationToken) -> Result<Arc<Warehouse>, Error> {
        self.follow(link, None, cancel).await
    }

    /// The warehouse at a remembered endpoint, with the login that is found for it now.
    pub(super) async fn warehouse_at(
        &self,
        link: &Link,
        remembered: &Endpoint,
        cancel: &CancellationToken,
    ) -> Result<Arc<Warehouse>, Error> {
        self.follow(link, Some(remembered), cancel).await
    }

    /// A thousand datastores of one connection settle its settings once.
    async fn follow(
        &self,
        link: &Link,
        remembered: Option<&Endpoint>,
        cancel: &CancellationToken,
    ) -> Result<Arc<Warehouse>, Error> {
        enabled(link)?;
        let key = link.key().map(|key| (key, remembered.cloned()));
        let followed = || self.followed.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = key.as_ref().and_then(|key| followed().get(key).cloned()) {
            return Ok(known);
        }
        let settle = |found: &Findings| match remembered {
            Some(endpoint) => self.defaults.access_at(&link.settings, endpoint, found),
            None => self.defaults.access(&link.settings, found),
        };
        let warehouse = self.engine.warehouse(self.settle(settle, cancel).await?);
        if let Some(key) = key {
            followed().insert(key, warehouse.clone());
        }
        Ok(warehouse)
    }

    /// Reads until everything is known, looking up in AWS what has to be.
    async fn settle<T>(
        &self,
        read: impl Fn(&Findings) -> Result<Settled<T>, Error>,
        cancel: &CancellationToken,
    ) -> Result<T, Error> {
        let aws = self.engine.aws();
        loop {
            match read(aws.found())? {
                Settled::Known(value) => return Ok(value),
                Settled::LookUp(need) => tokio::select! {
                    biased;
                    () = cancel.cancelled() => return Err(Error::Cancelled),
                    found = aws.find(&need) => found?,
                },
                Settled::Pending(names) => {
                    return Err(Error::refused(
                        "The warehouse is not known yet",
                        format!(
                            "{} of {LABEL} is known only after apply. A data source cannot wait for that by itself: there, add \
                             `depends_on` with what the value comes from.",
                            names.join(", ")
                        ),
                    ));
                }
            }
        }
    }

    /// Notes that a resource is read: this is the walk that makes a plan.
    pub(super) fn reads(&self) {
        self.reads.store(true, Ordering::Relaxed);
    }

    /// Whether a plan is being made. During an apply Terraform asks for the plan of each resource once more, and then
    /// nothing may be planned that was not planned before, above all no replacement. It does not say which of the two it
    /// is; but only the walk that makes a plan reads what is in state first (unless `-refresh=false` forbids it, and then
    /// nothing of this kind is planned).
    pub(super) fn makes_a_plan(&self) -> bool {
        self.reads.load(Ordering::Relaxed)
    }

    /// What a connection's read says where there was no session. A refusal changes its state, so it is not said to be kept.
    pub(super) fn unheard(&self, error: &Error) -> Result<Diagnostic, Diagnostics> {
        if self.strict || *error == Error::Cancelled || !error.is_refusal() {
            return self.unread(error);
        }
        Ok(errors::warning(error, &self.hints()))
    }

    /// What a read says when the warehouse could not be asked: the state stays as it is.
    pub(super) fn unread(&self, error: &Error) -> Result<Diagnostic, Diagnostics> {
        if self.strict || *error == Error::Cancelled {
            return Err(errors::diagnostic(error, &self.hints()).into());
        }
        let seen = errors::warning(error, &self.hints());
        let kept = "It was not read, and its state is kept as it was.";
        Ok(Diagnostic::warning(seen.summary(), format!("{}\n\n{kept}", seen.detail())))
    }
}

/// A connection that is switched off is not used.
fn enabled(link: &Link) -> Result<(), Error> {
    if link.enabled {
        return Ok(());
    }
    let why = "Its connection has `enabled = false`, so no call is made. Enable it to create, change or remove what depends on it.";
    Err(Error::refused("Connection not enabled", why))
}
