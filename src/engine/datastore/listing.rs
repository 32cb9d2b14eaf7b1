//! The datastores of a database that give their rights through a role, as the warehouse shows them.

use tokio_util::sync::CancellationToken;

use crate::engine::catalog::At;
use crate::engine::catalog::roles::RoleHeld;
use crate::engine::datastore::grantee::Grantee;
use crate::engine::datastore::refusal::no_database;
use crate::engine::datastore::role::{is_role_name, is_trusted};
use crate::engine::error::Error;
use crate::engine::names::{check_name, same_name};
use crate::engine::rights::{Privilege, Rights};
use crate::engine::session::warehouse::Warehouse;

/// A role of a datastore's shape, in one schema.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listed {
    pub role: String,
    pub owner: String,
    /// Whether it can be one that this login made: whoever may make roles can make one of that shape.
    pub trusted: bool,
    pub schema: String,
    /// Whether that is the only schema in which the role has rights: a second one would be another datastore's.
    pub only: bool,
    /// Whether it may write there, as an enrichment store's.
    pub write: bool,
    /// The user or role that holds it; none: nobody is seen to, or there are several.
    pub holder: Option<Grantee>,
}

/// All of them, by schema and role, as far as the login sees roles.
pub async fn list(warehouse: &Warehouse, database: &str, cancel: &CancellationToken) -> Result<Vec<Listed>, Error> {
    check_name(database).map_err(|problem| Error::setting("database", format!("In database: {problem}.")))?;
    let at = At::new(warehouse, database, cancel);
    let catalog = warehouse.catalog();
    let snapshot = catalog.snapshot(at, None).await.map_err(|error| match error.sqlstate() {
        Some("3D000") => no_database(database, &error),
        _ => error,
    })?;
    let (principals, roles) = (catalog.principals(at).await?, catalog.roles(at, None).await?);
    let rights = catalog.role_rights(at, None).await?;
    let case_sensitive = snapshot.login.case_sensitive;
    let mut all = Vec::new();
    for held in rights.all().into_iter().filter(|held| is_role_name(&held.role)) {
        let is_it = |role: &str| same_name(role, &held.role, case_sensitive);
        let users = roles.of_users.iter().filter(|(_, role)| is_it(role)).map(|(name, _)| Grantee::user(name));
        let others = roles.of_roles.iter().filter(|(_, role)| is_it(role)).map(|(name, _)| Grantee::role(name));
        let holders: Vec<Grantee> = users.chain(others).collect();
        let owner = roles.owner(&held.role, case_sensitive).map(|(owner, _)| owner.clone()).unwrap_or_default();
        let mut schemas: Vec<&str> = held.in_schemas().collect();
        schemas.sort_unstable();
        schemas.dedup();
        let is_one = schemas.len() == 1;
        all.extend(schemas.into_iter().map(|schema| Listed {
            role: held.role.clone(),
            trusted: is_trusted(&owner, &snapshot.login, &principals),
            owner: owner.clone(),
            only: is_one,
            schema: schema.to_owned(),
            write: writes(held, schema),
            holder: <[Grantee; 1]>::try_from(holders.clone()).ok().map(|[holder]| holder),
        }));
    }
    all.sort_by(|one, other| (&one.schema, &one.role).cmp(&(&other.schema, &other.role)));
    Ok(all)
}

/// A store for findings may create; so may whoever has a right to write to a table there.
fn writes(held: &RoleHeld, schema: &str) -> bool {
    let creates = held.schemas.get(schema).is_some_and(|rights| rights.has(Privilege::Create));
    let on_tables = held.relations.iter().filter(|((name, _), _)| name == schema).map(|(_, rights)| *rights);
    let later =
        held.defaults.iter().filter(|((name, _), _)| name.as_deref() == Some(schema)).map(|(_, rights)| *rights);
    let tables = on_tables.chain(later).chain(held.scoped.get(schema).copied());
    creates || !tables.fold(Rights::NONE, Rights::and).without(Rights::READ).is_empty()
}
