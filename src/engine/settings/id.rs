//! Ids: URIs that say where a thing is, without secrets.
//!
//! `redshift://[user@][host[:port]|cluster:NAME|workgroup:NAME][/database][?name=value&…]` is a connection;
//! `#database/schema?mode=source` after it a datastore, `#user/name` a user, `#schema/database/name` a schema. Absent parts are inherited. All but the
//! unreserved characters of RFC 3986 are percent-encoded in each part, and the parameters are sorted.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use crate::engine::datastore::grantee::GranteeKind;
use crate::engine::error::Error;
use crate::engine::names::check_name;
use crate::engine::settings::Settings;
use crate::engine::settings::endpoint::{Endpoint, Place, bracketed, same_endpoint, split_port};
use crate::engine::settings::host::parse_host;
use crate::engine::settings::repeated;
use crate::engine::settings::uri::{decode, encode};

#[cfg(test)]
mod tests;

/// The id of a connection: its settings as they are written.
#[derive(Debug, Clone)]
pub struct ConnectionId {
    settings: Settings,
    enabled: bool,
}

impl ConnectionId {
    /// The id of settings. A connection string enters as its parts; a password never does. Errors: whatever the
    /// settings show to be wrong.
    pub fn new(settings: &Settings, enabled: bool) -> Result<Self, Error> {
        let mut settings = settings.expand()?;
        settings.password = None;
        settings.sources.clear();
        settings.pending.clear();
        if let Some(error) = settings.check().into_iter().next() {
            return Err(error);
        }
        settings.host = settings.host.map(|host| parse_host(&host).map(|host| host.name)).transpose()?;
        settings.cluster_identifier = settings.cluster_identifier.map(|name| name.to_ascii_lowercase());
        Ok(Self { settings, enabled })
    }

    /// The id of a warehouse that nothing but its endpoint is written of.
    pub fn at(endpoint: &Endpoint) -> Self {
        let settings = Settings { host: Some(endpoint.host.clone()), port: Some(endpoint.port), ..Settings::default() };
        Self { settings, enabled: true }
    }

    /// The settings in it.
    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    /// Whether the connection may be used.
    pub fn enabled(&self) -> bool {
        self.enabled
    }

    /// The place that is written in it; none if it is inherited.
    pub fn place(&self) -> Option<Place> {
        match (&self.settings.host, &self.settings.cluster_identifier, &self.settings.workgroup_name) {
            (Some(host), _, _) => Endpoint::new(host, self.settings.port).ok().map(Place::Host),
            (None, Some(name), _) => Some(Place::Cluster(name.clone())),
            (None, None, Some(name)) => Some(Place::Workgroup(name.clone())),
            (None, None, None) => None,
        }
    }

    /// Whether two ids write the same place, or both none; whatever else differs, a dependent changes in place.
    pub fn same_place(&self, other: &Self) -> bool {
        match (self.place(), other.place()) {
            (Some(a), Some(b)) => same_endpoint(&a, &b),
            (a, b) => a == b,
        }
    }
}

impl PartialEq for ConnectionId {
    fn eq(&self, other: &Self) -> bool {
        self.to_string() == other.to_string()
    }
}

impl Eq for ConnectionId {}

impl fmt::Display for ConnectionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let settings = &self.settings;
        let mut rest: BTreeMap<&str, String> = BTreeMap::new();
        let mut put = |name, value: Option<String>| {
            if let Some(value) = value {
                rest.insert(name, value);
            }
        };
        f.write_str("redshift://")?;
        if let Some(user) = &settings.username {
            write!(f, "{}@", encode(user))?;
        }
        // After `cluster:` and `workgroup:` stands a name, so a host called so keeps its port elsewhere.
        let reserved = |host: &str| matches!(host, "cluster" | "workgroup");
        let mut port = settings.port;
        match (&settings.host, &settings.cluster_identifier, &settings.workgroup_name) {
            (Some(host), cluster, workgroup) => {
                f.write_str(&bracketed(host))?;
                if let Some(port) = port.take_if(|_| !reserved(host)) {
                    write!(f, ":{port}")?;
                }
                put("cluster_identifier", cluster.clone());
                put("workgroup_name", workgroup.clone());
            }
            (None, Some(name), workgroup) => {
                write!(f, "cluster:{name}")?;
                put("workgroup_name", workgroup.clone());
            }
            (None, None, Some(name)) => write!(f, "workgroup:{name}")?,
            (None, None, None) => {}
        }
        if let Some(database) = &settings.database {
            write!(f, "/{}", encode(database))?;
        }
        put("port", port.map(|port| port.to_string()));
        put("auth", settings.authentication_type.clone());
        put("connect_timeout", settings.connect_timeout.clone());
        put("external_id", settings.external_id.clone());
        put("enabled", (!self.enabled).then(|| "false".to_owned()));
        put("password_duration", settings.password_duration.clone());
        put("password_ssm_parameter", settings.password_ssm_parameter.clone());
        put("preserve_case", settings.preserve_case.map(|keep| keep.to_string()));
        put("region", settings.region.clone());
        put("role_arn", settings.role_arn.clone());
        put("role_session_name", settings.role_session_name.clone());
        put("secret_id", settings.secret_id.clone());
        put("sslmode", settings.sslmode.clone());
        put("sslrootcert", settings.sslrootcert.clone());
        write_parameters(f, &rest)
    }
}

impl FromStr for ConnectionId {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        let rest = text.strip_prefix("redshift://").ok_or_else(|| wrong("It does not begin with redshift://."))?;
        if rest.contains('#') {
            return Err(wrong(
                "It is the id of something that uses a connection: what stands before the # is the connection's.",
            ));
        }
        let (rest, query) = rest.split_once('?').unwrap_or((rest, ""));
        let (authority, path) = match rest.split_once('/') {
            Some((authority, path)) => (authority, Some(path)),
            None => (rest, None),
        };
        let mut settings = Settings::default();
        let place = match authority.rsplit_once('@') {
            Some((login, _)) if login.contains([':', '@']) => {
                return Err(wrong(
                    "Something other than a percent-encoded user stands before the @. An id never holds a password.",
                ));
            }
            Some((user, place)) => {
                settings.username = Some(part(user, "user")?);
                place
            }
            None => authority,
        };
        read_place(place, &mut settings)?;
        settings.database = path.map(|path| part(path, "database")).transpose()?;
        let mut enabled = true;
        for (name, value) in read_parameters(query)? {
            let twice = |is: bool| if is { Err(wrong(&format!("It says {name} twice."))) } else { Ok(()) };
            match name.as_str() {
                "auth" => settings.authentication_type = Some(value),
                "cluster_identifier" => {
                    twice(settings.cluster_identifier.is_some())?;
                    settings.cluster_identifier = Some(value);
                }
                "connect_timeout" => settings.connect_timeout = Some(value),
                "enabled" => enabled = flag(&name, &value)?,
                "external_id" => settings.external_id = Some(value),
                "password_duration" => settings.password_duration = Some(value),
                "password_ssm_parameter" => settings.password_ssm_parameter = Some(value),
                "port" => {
                    twice(settings.port.is_some())?;
                    settings.port = Some(crate::engine::settings::endpoint::parse_port(&value)?);
                }
                "preserve_case" => settings.preserve_case = Some(flag(&name, &value)?),
                "region" => settings.region = Some(value),
                "role_arn" => settings.role_arn = Some(value),
                "role_session_name" => settings.role_session_name = Some(value),
                "secret_id" => settings.secret_id = Some(value),
                "sslmode" => settings.sslmode = Some(value),
                "sslrootcert" => settings.sslrootcert = Some(value),
                "workgroup_name" => {
                    twice(settings.workgroup_name.is_some())?;
                    settings.workgroup_name = Some(value);
                }
                "password" => return Err(wrong("An id never holds a password.")),
                other => return Err(wrong(&format!("It has an unknown parameter, \"{other}\"."))),
            }
        }
        Self::new(&settings, enabled)
    }
}

fn read_place(place: &str, settings: &mut Settings) -> Result<(), Error> {
    if let Some(name) = place.strip_prefix("cluster:") {
        settings.cluster_identifier = Some(name.to_owned());
    } else if let Some(name) = place.strip_prefix("workgroup:") {
        settings.workgroup_name = Some(name.to_owned());
    } else if !place.is_empty() {
        let (host, port) = split_port(place)?;
        settings.host = Some(host.to_owned());
        settings.port = port;
    }
    Ok(())
}

/// Whether a datastore is read or written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Mode {
    /// A tool reads it.
    Source,
    /// A tool writes its findings to it.
    Enrichment,
}

impl Mode {
    /// The word in an id.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Source => "source",
            Self::Enrichment => "enrichment",
        }
    }
}

/// The id of a datastore.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DatastoreId {
    /// How to get there.
    pub connection: ConnectionId,
    /// Its database.
    pub database: String,
    /// Its schema.
    pub schema: String,
    /// Whether it is read or written.
    pub mode: Mode,
    /// Who has the rights.
    pub principal: Option<(GranteeKind, String)>,
    /// The role that the rights go through. Read when importing; not part of an id that is made.
    pub grant_role: Option<String>,
}

impl fmt::Display for DatastoreId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}#{}/{}", self.connection, encode(&self.database), encode(&self.schema))?;
        let mut parameters = BTreeMap::from([("mode", self.mode.as_str().to_owned())]);
        if let Some((kind, name)) = &self.principal {
            parameters.insert("user", name.clone());
            if *kind != GranteeKind::User {
                parameters.insert("type", kind.name().to_owned());
            }
        }
        if let Some(role) = &self.grant_role {
            parameters.insert("grant_role", role.clone());
        }
        write_parameters(f, &parameters)
    }
}

impl FromStr for DatastoreId {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        let (connection, rest) = fragment(text, "redshift://host:port#database/schema?mode=source")?;
        let (path, query) = rest.split_once('?').unwrap_or((rest, ""));
        let (database, schema) = path
            .split_once('/')
            .filter(|(_, schema)| !schema.contains('/'))
            .ok_or_else(|| wrong("After the # must stand database/schema?mode=source (or mode=enrichment)."))?;
        let (mut mode, mut user, mut kind, mut grant_role) = (None, None, None, None);
        for (name, value) in read_parameters(query)? {
            match (name.as_str(), value.as_str()) {
                ("mode", "source") => mode = Some(Mode::Source),
                ("mode", "enrichment") => mode = Some(Mode::Enrichment),
                ("mode", _) => return Err(wrong("Its mode is neither source nor enrichment.")),
                ("type", "user") => kind = Some(GranteeKind::User),
                ("type", "group") => kind = Some(GranteeKind::Group),
                ("type", "role") => kind = Some(GranteeKind::Role),
                ("type", _) => return Err(wrong("Its type is none of user, group, role.")),
                ("user", _) => user = Some(named(value)?),
                ("grant_role", _) => grant_role = Some(named(value)?),
                _ => return Err(wrong(&format!("It has an unknown parameter after the #, \"{name}\"."))),
            }
        }
        if user.is_none() && (kind.is_some() || grant_role.is_some()) {
            return Err(wrong("It has type or grant_role, but no user."));
        }
        Ok(Self {
            connection,
            database: named(part(database, "database")?)?,
            schema: named(part(schema, "schema")?)?,
            mode: mode.ok_or_else(|| wrong("It does not say mode=source or mode=enrichment."))?,
            principal: user.map(|name| (kind.unwrap_or(GranteeKind::User), name)),
            grant_role,
        })
    }
}

/// The id of a database user.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UserId {
    /// How to get there.
    pub connection: ConnectionId,
    /// The user's name.
    pub name: String,
}

impl fmt::Display for UserId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}#user/{}", self.connection, encode(&self.name))
    }
}

impl FromStr for UserId {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        let (connection, rest) = fragment(text, "redshift://host:port#user/name")?;
        let name = rest
            .strip_prefix("user/")
            .filter(|name| !name.contains(['/', '?']))
            .ok_or_else(|| wrong("After the # must stand user/ and the name of the user."))?;
        Ok(Self { connection, name: named(part(name, "name")?)? })
    }
}

/// The id of a schema.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SchemaId {
    /// How to get there.
    pub connection: ConnectionId,
    /// Its database.
    pub database: String,
    /// The schema's name.
    pub name: String,
}

impl fmt::Display for SchemaId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}#schema/{}/{}", self.connection, encode(&self.database), encode(&self.name))
    }
}

impl FromStr for SchemaId {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        let (connection, rest) = fragment(text, "redshift://host:port#schema/database/name")?;
        let (database, name) = rest
            .strip_prefix("schema/")
            .and_then(|rest| rest.split_once('/'))
            .filter(|(_, name)| !name.contains(['/', '?']))
            .ok_or_else(|| wrong("After the # must stand schema/, the database, / and the name of the schema."))?;
        Ok(Self { connection, database: named(part(database, "database")?)?, name: named(part(name, "name")?)? })
    }
}

pub(in crate::engine) fn fragment<'a>(text: &'a str, form: &str) -> Result<(ConnectionId, &'a str), Error> {
    let (connection, rest) = text.split_once('#').ok_or_else(|| wrong(&format!("It has no #: the form is {form}.")))?;
    Ok((connection.parse()?, rest))
}

pub(in crate::engine) fn write_parameters(
    f: &mut fmt::Formatter<'_>,
    parameters: &BTreeMap<&str, String>,
) -> fmt::Result {
    for (number, (name, value)) in parameters.iter().enumerate() {
        write!(f, "{}{name}={}", if number == 0 { '?' } else { '&' }, encode(value))?;
    }
    Ok(())
}

pub(in crate::engine) fn read_parameters(query: &str) -> Result<BTreeMap<String, String>, Error> {
    let mut found = BTreeMap::new();
    for pair in query.split('&').filter(|_| !query.is_empty()) {
        let (name, value) = pair.split_once('=').ok_or_else(|| wrong("A parameter has no value."))?;
        if name.is_empty() || !name.bytes().all(|b| b.is_ascii_lowercase() || b == b'_') {
            return Err(wrong("A parameter has no proper name."));
        }
        if found.insert(name.to_owned(), part(value, name)?).is_some() {
            return Err(wrong(&format!("It says {name} twice.")));
        }
    }
    Ok(found)
}

pub(in crate::engine) fn part(text: &str, what: &str) -> Result<String, Error> {
    decode(text)
        .filter(|text| !text.is_empty())
        .ok_or_else(|| wrong(&format!("Its {what} is empty or not percent-encoded UTF-8.")))
}

fn named(name: String) -> Result<String, Error> {
    check_name(&name).map_err(|error| wrong(&format!("A name in it cannot be one: {error}.")))?;
    Ok(name)
}

fn flag(name: &str, value: &str) -> Result<bool, Error> {
    value.parse().map_err(|_| wrong(&format!("Its {name} is neither true nor false.")))
}

pub(in crate::engine) fn wrong(problem: &str) -> Error {
    Error::setting("id", problem)
}

/// What is wrong with a text that is to be an id, as sentences. The text is repeated unless a password may be in it.
pub fn is_no_id(text: &str, noun: &str, error: &Error) -> String {
    format!("{} is not the id of a {noun}. {}", repeated("id", text), error.detail())
}

/// What follows the # in the id of the user that a text seems to mean.
pub fn example_of_user(text: &str) -> String {
    format!("#user/{}", if check_name(text).is_ok() && is_bare(text) { encode(text) } else { "NAME".to_owned() })
}

/// The same of a datastore, from `schema` or `database/schema`.
pub fn example_of_datastore(text: &str) -> String {
    let (database, schema) = match text.split_once('/') {
        Some((database, schema)) if is_bare(database) && is_bare(schema) => (encode(database), encode(schema)),
        None if is_bare(text) => ("DATABASE".to_owned(), encode(text)),
        _ => ("DATABASE".to_owned(), "SCHEMA".to_owned()),
    };
    format!("#{database}/{schema}?mode=source&user=NAME")
}

/// The same of a schema, from `schema` or `database/schema`.
pub fn example_of_schema(text: &str) -> String {
    match text.split_once('/') {
        Some((database, schema)) if is_bare(database) && is_bare(schema) => {
            format!("#schema/{}/{}", encode(database), encode(schema))
        }
        None if is_bare(text) => format!("#schema/DATABASE/{}", encode(text)),
        _ => "#schema/DATABASE/NAME".to_owned(),
    }
}

/// Whether a text is a name and nothing that was meant as an id.
fn is_bare(text: &str) -> bool {
    !text.is_empty() && !text.contains(['/', ':', '#', '?', '@', '=', '%'])
}
