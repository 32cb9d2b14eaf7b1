//! What an integration is to be: the configuration in plain Rust, with its names checked.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::engine::error::Error;
use crate::engine::names::{NAME_BYTES, check_name, is_plain_identifier};
use crate::engine::settings::aws::Arn;
use crate::engine::sql::{Sql, bare, sql};

/// The kind of an integration, in the documents' words.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Kind {
    /// A database of its own, with views on the tables of other databases.
    #[default]
    Redshift,
    /// Schemas in the database that holds the external tables.
    RedshiftSpectrum,
}

impl Kind {
    /// The documents' word.
    pub fn name(self) -> &'static str {
        match self {
            Kind::Redshift => "Redshift",
            Kind::RedshiftSpectrum => "RedshiftSpectrum",
        }
    }
}

/// Who may act for others.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ActorKind {
    /// The members of a group. Only superusers make groups.
    #[default]
    Group,
    /// Those to whom a role was granted.
    Role,
}

/// The group or role whose members may act for others.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Impersonation {
    pub name: String,
    #[serde(rename = "type")]
    pub kind: ActorKind,
}

impl Impersonation {
    /// `GROUP g` or `ROLE r`.
    pub fn sql(&self) -> Sql {
        match self.kind {
            ActorKind::Group => sql!("GROUP {}", bare(&self.name)),
            ActorKind::Role => sql!("ROLE {}", bare(&self.name)),
        }
    }

    /// What drops it, with its members.
    pub fn drop_sql(&self) -> Sql {
        match self.kind {
            ActorKind::Group => sql!("DROP {}", self.sql()),
            ActorKind::Role => sql!("DROP {} FORCE", self.sql()),
        }
    }
}

/// `group g` or `role r`, for people.
impl fmt::Display for Impersonation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = match self.kind {
            ActorKind::Group => "group",
            ActorKind::Role => "role",
        };
        write!(f, "{kind} {}", self.name)
    }
}

/// An external schema on a database of a data catalogue.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ExternalSchema {
    pub database: String,
    pub iam_role: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub region: Option<String>,
}

/// What an integration is to be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Spec {
    pub kind: Kind,
    /// The managed database.
    pub database: String,
    /// Where the managed database is made from; none where it is not made.
    pub initial_database: Option<String>,
    pub create_database: bool,
    pub prefix: String,
    pub system_user: String,
    pub impersonation: Option<Impersonation>,
    /// The users who may act for others, and nobody else; none: whoever somebody puts into the group or gives the role.
    pub members: Option<BTreeSet<String>>,
    /// Who gets the marker; none: it stays with the login.
    pub marker_owner: Option<String>,
    pub external_schemas: BTreeMap<String, ExternalSchema>,
    /// A change of it makes a new key, which ends every impersonation that goes on.
    pub key_version: Option<i64>,
    /// Who may hold rights on all tables of the database, in the words of [`super::exposure`].
    pub allowed_readers: BTreeSet<String>,
}

/// The longest name that is made of the prefix: the variable and the schemas are shorter.
const LONGEST_DERIVED: &str = "_impersonator_role";

impl Spec {
    /// `<prefix>_system`, which holds the marker, the profile and the view.
    pub fn system(&self) -> String {
        format!("{}_system", self.prefix)
    }

    /// `<prefix>_functions`, for the governance tool's functions.
    pub fn functions(&self) -> String {
        format!("{}_functions", self.prefix)
    }

    /// `<prefix>_procedures`.
    pub fn procedures(&self) -> String {
        format!("{}_procedures", self.prefix)
    }

    /// `<prefix>_lock`, which nobody else may use: it holds the lock, by which a live run is told from a dead one.
    pub fn lock(&self) -> String {
        format!("{}_lock", self.prefix)
    }

    /// The three schemas that people and the governance tool use.
    pub fn schemas(&self) -> [String; 3] {
        [self.system(), self.functions(), self.procedures()]
    }

    /// The session variable that carries the claim of whoever acts for another.
    pub fn variable(&self) -> String {
        format!("{}_session.impersonation", self.prefix)
    }

    /// Every schema that is made.
    pub fn all_schemas(&self) -> [String; 4] {
        [self.system(), self.functions(), self.procedures(), self.lock()]
    }

    /// `<prefix>_procedures.impersonate_user(varchar)`.
    pub fn procedure(&self) -> Sql {
        sql!("{}.impersonate_user(varchar)", bare(&self.procedures()))
    }

    /// A digest of all that the marker and a script have to agree on, as hexadecimal digits.
    pub fn digest(&self) -> String {
        let text = serde_json::json!({
            "type": self.kind,
            "database": self.database,
            "create_database": self.create_database,
            "prefix": self.prefix,
            "system_user": self.system_user,
            "impersonation": self.impersonation,
            "marker_owner": self.marker_owner,
            "external_schemas": self.external_schemas,
        })
        .to_string();
        Sha256::digest(text.as_bytes()).iter().map(|byte| format!("{byte:02x}")).collect()
    }

    /// Whether the warehouse looks the same for both.
    pub fn same_in_warehouse(&self, other: &Spec) -> bool {
        self.digest() == other.digest()
            && self.key_version == other.key_version
            && self.members == other.members
            && self.allowed_readers == other.allowed_readers
    }

    /// Checks what the configuration alone can tell.
    pub fn check(&self) -> Result<(), Error> {
        check_prefix(&self.prefix)?;
        check_plain("database", &self.database)?;
        check_plain("system_user.name", &self.system_user)?;
        if let Some(actors) = &self.impersonation {
            check_plain("impersonation.name", &actors.name)?;
        }
        self.check_members()?;
        if let Some(owner) = &self.marker_owner {
            check_name(owner)
                .map_err(|problem| Error::setting("marker_owner", format!("In marker_owner: {problem}.")))?;
            if *owner == self.system_user {
                let why = "The system user could then rewrite the marker, by which a destroy knows what is its own.";
                return Err(Error::setting("marker_owner", why));
            }
        }
        self.check_databases()?;
        self.allowed_readers.iter().try_for_each(|reader| super::exposure::check_reader(reader))?;
        self.check_external()
    }

    fn check_members(&self) -> Result<(), Error> {
        let members = self.members.iter().flatten();
        for name in members.clone() {
            check_name(name).map_err(|problem| {
                let why = format!("In members, \"{}\": {problem}.", name.escape_debug());
                Error::setting("impersonation.members", why)
            })?;
        }
        if members.count() > MOST_MEMBERS {
            let why =
                format!("At most {MOST_MEMBERS} members: the procedure and the statements that make them name each.");
            return Err(Error::setting("impersonation.members", why));
        }
        Ok(())
    }

    fn check_databases(&self) -> Result<(), Error> {
        match &self.initial_database {
            Some(initial) if !self.create_database => Err(Error::setting(
                "initial_database",
                format!(
                    "It is where a managed database is made from, and \"{initial}\" has none to make: leave it out, or set create_database."
                ),
            )),
            Some(initial) if initial.eq_ignore_ascii_case(&self.database) => Err(Error::setting(
                "database",
                format!(
                    "The managed database \"{}\" cannot be made from itself: initial_database has to exist already.",
                    self.database
                ),
            )),
            Some(initial) => check_name(initial)
                .map_err(|problem| Error::setting("initial_database", format!("In initial_database: {problem}."))),
            None => Ok(()),
        }
    }

    fn check_external(&self) -> Result<(), Error> {
        if self.kind == Kind::Redshift && !self.external_schemas.is_empty() {
            let why = "External schemas belong to type RedshiftSpectrum.";
            return Err(Error::setting("external_schemas", why));
        }
        for (name, external) in &self.external_schemas {
            check_name(name).map_err(|problem| {
                Error::setting("external_schemas", format!("In the name of an external schema: {problem}."))
            })?;
            if self.all_schemas().iter().any(|own| own.eq_ignore_ascii_case(name)) {
                let why = format!("\"{name}\" is the name of a managed schema.");
                return Err(Error::setting("external_schemas", why));
            }
            for text in [&external.database, &external.iam_role].into_iter().chain(&external.region) {
                if text.is_empty() || text.chars().any(char::is_control) {
                    let why = format!("What is written for \"{name}\" must not be empty or hold control characters.");
                    return Err(Error::setting("external_schemas", why));
                }
            }
        }
        let bad = self.external_schemas.iter().find(|(_, external)| {
            external.iam_role != "default" && external.iam_role.split(',').any(|role| role.parse::<Arn>().is_err())
        });
        if let Some((name, external)) = bad {
            let why = format!(
                "iam_role of \"{name}\" is \"{}\". It must be the ARN of a role that is attached to the warehouse, several with commas between where one assumes the next, or \"default\".",
                external.iam_role.escape_debug()
            );
            return Err(Error::setting("external_schemas", why));
        }
        let made = serde_json::to_string(&self.external_schemas).unwrap_or_default().len();
        if made > MOST_EXTERNAL {
            let why = format!(
                "The marker remembers them in {MOST_EXTERNAL} bytes, and these take {made}. Make the others outside of this integration."
            );
            return Err(Error::setting("external_schemas", why));
        }
        Ok(())
    }
}

/// How many members the configuration may name.
const MOST_MEMBERS: usize = 200;

/// How many bytes the definitions of external schemas may take in the marker.
const MOST_EXTERNAL: usize = 3_000;

/// A prefix is a plain identifier that leaves room for what is put behind it.
pub fn check_prefix(prefix: &str) -> Result<(), Error> {
    check_plain("prefix", prefix)?;
    if prefix.len() + LONGEST_DERIVED.len() > NAME_BYTES {
        let most = NAME_BYTES - LONGEST_DERIVED.len();
        return Err(Error::setting("prefix", format!("At most {most} characters: names are made of it.")));
    }
    Ok(())
}

/// GRANT on procedures takes no quoted names, and the body of a procedure is a text: only plain identifiers are safe in
/// both.
pub fn check_plain(setting: &'static str, name: &str) -> Result<(), Error> {
    if is_plain_identifier(name) && !name.contains('$') {
        return Ok(());
    }
    Err(Error::setting(
        setting,
        format!(
            "\"{}\" is no plain identifier: lower-case letters, digits and _, no digit first, no reserved word, at most {NAME_BYTES} characters.",
            name.escape_debug()
        ),
    ))
}
