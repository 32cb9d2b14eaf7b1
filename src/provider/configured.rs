//! The provider block, and what it was configured to: the settings that others inherit, the logins, the sessions. All of
//! it belongs to one configuration and dies with the next.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use serde::Deserialize;

use super::errors;
use super::link::Link;
use super::settings::{self, Place};
use crate::engine::error::{Error, Hints};
use crate::engine::session::warehouse::{Engine, Options, Warehouse};
use crate::engine::settings::Settings;
use crate::engine::settings::defaults::{Defaults, Settled, Written};
use crate::engine::settings::endpoint::Endpoint;
use crate::engine::settings::env::Environment;
use crate::engine::settings::logins::{Credential, Credentials};
use crate::terraform::{Configure, Diagnostic, Diagnostics, Schema, Value, map, map_of, number, string};

/// What every type of this provider works with.
pub struct Configured {
    defaults: Defaults,
    engine: Engine,
    /// Whether a warehouse that cannot be read is an error.
    strict: bool,
    /// Whether a resource was read.
    reads: AtomicBool,
}

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
            "max_sessions",
            number().doc("Most sessions at a time in one database. Default: `4`."),
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
    if let Err(error) = written(config).and_then(|(written, _)| {
        Defaults::new(written, &Environment::default(), LABEL).map_err(|error| errors::of_setting(&error, ""))
    }) && !d.iter().any(|known| known.summary() == error.summary())
    {
        d.push(error);
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
        let engine = Engine::new(Options {
            application_name: format!("terraform-provider-redshift/{}", env!("CARGO_PKG_VERSION")),
        });
        Ok((Configured { defaults, engine, strict, reads: AtomicBool::new(false) }, Diagnostics::new()))
    }

    /// What makes advice exact.
    pub(super) fn hints(&self) -> Hints {
        self.defaults.hints()
    }

    /// Where settings lead, with what they inherit.
    pub(super) fn endpoint(&self, settings: &Settings) -> Result<Settled<Endpoint>, Error> {
        self.defaults.endpoint(settings)
    }

    /// The values of `resolved`, `endpoint`, `type` and `jdbc_url`, or what of them is not known yet. What is wrong with
    /// the settings is another call's to say.
    pub(super) fn resolved(&self, settings: &Settings) -> Option<crate::engine::settings::defaults::Resolved> {
        self.defaults.resolve(settings).ok().and_then(Settled::known)
    }

    /// Complains if the login that settings need is certainly missing.
    pub(super) fn require_login(&self, link: &Link) -> Result<(), Error> {
        if link.enabled { self.defaults.access(&link.settings).map(drop) } else { Ok(()) }
    }

    /// The warehouse that settings lead to.
    pub(super) fn warehouse(&self, link: &Link) -> Result<Arc<Warehouse>, Error> {
        enabled(link)?;
        self.open(self.defaults.access(&link.settings)?)
    }

    /// The warehouse at a remembered endpoint, with the login that is found for it now.
    pub(super) fn warehouse_at(&self, link: &Link, remembered: &Endpoint) -> Result<Arc<Warehouse>, Error> {
        enabled(link)?;
        self.open(self.defaults.access_at(&link.settings, remembered)?)
    }

    fn open(&self, access: Settled<crate::engine::settings::access::Access>) -> Result<Arc<Warehouse>, Error> {
        match access {
            Settled::Known(access) => Ok(self.engine.warehouse(access)),
            Settled::Pending(names) => Err(Error::refused(
                "The warehouse is not known yet",
                format!(
                    "{} of {LABEL} is known only after apply. A data source cannot wait for that by itself: add `depends_on` \
                     with what the value comes from.",
                    names.join(", ")
                ),
            )),
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
