//! As whom the statements of a registration run. What is in `<prefix>_system` belongs to the system user, or to the login
//! that made the integration for it; what belongs to anybody else is not believed, and nothing in it is read.

use crate::engine::catalog::At;
use crate::engine::catalog::snapshot::{RelationKind, Schema};
use crate::engine::error::{Error, shown};
use crate::engine::sql::{Sql, literal, sql};
use crate::engine::step::Step;

use super::uri::IntegrationUri;

/// An integration that is there, and as whom to work in it.
#[derive(Clone, Debug)]
pub struct Seat {
    /// Which it is.
    pub uri: IntegrationUri,
    /// The user whose authorization is taken; none: the login's own.
    acts_as: Option<String>,
    /// The user id of who owns what is managed.
    pub owner: i64,
    /// Whether the registry's tables are there.
    pub has_registry: bool,
    /// The same of the key of hashes.
    pub has_mask_key: bool,
    /// Whether the login reads what only its owner and superusers may: the registry and the profiles.
    pub reads_all: bool,
}

/// The relations that an integration has from the start, and on which registrations rely.
const RELATIONS: [(&str, RelationKind); 2] = [("profile", RelationKind::Table), ("user_profile", RelationKind::View)];

impl Seat {
    /// Looks for the integration. None: there is none.
    pub async fn find(at: At<'_>, uri: &IntegrationUri) -> Result<Option<Seat>, Error> {
        let snapshot = match at.warehouse.catalog().snapshot(at, None).await {
            Err(error) if error.sqlstate() == Some("3D000") => return Ok(None),
            snapshot => snapshot?,
        };
        let principals = at.warehouse.catalog().principals(at).await?;
        let Some(schema) = snapshot.schema(&uri.system()) else { return Ok(None) };
        let login = principals.user(&snapshot.login.name).map(|user| user.id);
        let system = principals.user(&uri.system_user).map(|user| user.id);
        let mut owner = None;
        for (name, kind) in RELATIONS {
            let Some(found) = relation(schema, name, kind)? else { return Ok(None) };
            owner = Some(believed(uri, name, found, [system, login], &principals.name_of(found))?);
        }
        let owner = owner.unwrap_or_default();
        let is_there = |name: &str| match relation(schema, name, RelationKind::Table)? {
            Some(found) => believed(uri, name, found, [system, login], &principals.name_of(found)).map(|_| true),
            None => Ok(false),
        };
        let (has_registry, has_mask_key) = (is_there(super::registry::TABLE)?, is_there(MASK_KEY)?);
        let reads_all = Some(owner) == login || snapshot.login.superuser;
        let acts_as = match Some(owner) == login {
            // Whoever runs a script is a superuser.
            _ if uri.by_hand => Some(principals.name_of(owner)),
            true => None,
            false if snapshot.login.superuser => Some(uri.system_user.clone()),
            false => return Err(cannot_act(uri, &snapshot.login.name)),
        };
        Ok(Some(Seat { uri: uri.clone(), acts_as, owner, has_registry, has_mask_key, reads_all }))
    }

    /// Of an integration that is not there yet, as whoever runs its script will find it.
    pub(super) fn to_come(uri: &IntegrationUri) -> Seat {
        Seat { acts_as: Some(uri.system_user.clone()), ..Seat::nobody(uri) }
    }

    /// The statements as a person runs them: as who owns what they are about.
    pub(super) fn by_hand(&self, statements: impl IntoIterator<Item = Sql>) -> Vec<Sql> {
        self.steps(statements, "").into_iter().map(|step| step.sql).collect()
    }

    /// The steps that run these statements in the managed database, as who owns what they are about.
    pub fn steps(&self, statements: impl IntoIterator<Item = Sql>, what: &str) -> Vec<Step> {
        let step = |sql: Sql| Step::new(&self.uri.database, sql, what);
        let mut steps: Vec<Step> = statements.into_iter().map(step).collect();
        if let (Some(user), false) = (&self.acts_as, steps.is_empty()) {
            steps.insert(0, step(sql!("SET SESSION AUTHORIZATION {}", literal(user))));
            steps.push(step(sql!("SET SESSION AUTHORIZATION DEFAULT")));
        }
        steps
    }

    /// Of an integration that is gone: nothing is its owner's.
    pub(super) fn nobody(uri: &IntegrationUri) -> Seat {
        let uri = uri.clone();
        Seat { uri, acts_as: None, owner: -1, has_registry: false, has_mask_key: false, reads_all: true }
    }

    /// An integration of a superuser's, for tests.
    #[cfg(test)]
    pub(super) fn of_test(uri: &IntegrationUri) -> Seat {
        let (uri, acts_as) = (uri.clone(), Some(uri.system_user.clone()));
        Seat { uri, acts_as, owner: 100, has_registry: true, has_mask_key: true, reads_all: true }
    }
}

/// The table of the key of hashes: one row, which only its owner reads.
pub(in crate::engine) use crate::engine::bootstrap::MASK_KEY;

/// The owner of a relation, if it is of its kind.
fn relation(schema: &Schema, name: &str, kind: RelationKind) -> Result<Option<i64>, Error> {
    match schema.relations.iter().find(|relation| relation.name == name) {
        None => Ok(None),
        Some(relation) if relation.kind == kind => Ok(Some(relation.owner)),
        Some(relation) => Err(Error::refused(
            "The integration was altered",
            format!(
                "{}.{name} is a {}, and has to be a {}. Apply the integration, which puts that right.",
                schema.name,
                relation.kind.name(),
                kind.name()
            ),
        )),
    }
}

fn believed(uri: &IntegrationUri, name: &str, owner: i64, ours: [Option<i64>; 2], who: &str) -> Result<i64, Error> {
    if ours.contains(&Some(owner)) {
        return Ok(owner);
    }
    Err(Error::refused(
        "The integration belongs to somebody else",
        format!(
            "{}.{name} in database {} belongs to {}, who is neither its system user {} nor the login, so nothing of it is \
             believed. If another name was given to the system user, take the `uri` of the integration. Otherwise apply the \
             integration first, which puts its owners right.",
            uri.system(),
            uri.database,
            shown(who),
            uri.system_user
        ),
    )
    .about("integration_uri"))
}

/// There is no such integration.
pub fn not_there(uri: &IntegrationUri) -> Error {
    Error::refused(
        "The integration is not there",
        format!(
            "No governance integration with the prefix {} was found in database {}. Make it first: with \
             `integration_uri = redshift_integration.NAME.uri` Terraform does it in this order.",
            uri.prefix, uri.database
        ),
    )
    .about("integration_uri")
}

fn cannot_act(uri: &IntegrationUri, login: &str) -> Error {
    Error::refused(
        "The login may not work in the integration",
        format!(
            "What is registered belongs to the system user {}, and user {} can neither act as that user nor reads it. Sign in as a \
             superuser, or as {} itself.",
            uri.system_user,
            shown(login),
            uri.system_user
        ),
    )
    .about("integration_uri")
}
