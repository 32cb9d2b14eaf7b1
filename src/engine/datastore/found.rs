//! What the warehouse shows of a datastore: its schema, and what each holder of its rights holds there.
//!
//! Everything that a view may hide from the login comes as [`Seen`]: what is not seen there is unknown, not missing.

use std::collections::{BTreeMap, BTreeSet};

use tokio_util::sync::CancellationToken;

use crate::engine::catalog::At;
use crate::engine::catalog::narrow::Narrow;
use crate::engine::catalog::principals::is_true;
use crate::engine::catalog::roles::RoleHeld;
use crate::engine::catalog::snapshot::Login;
use crate::engine::datastore::declared::{Before, Ids, same_grantee};
use crate::engine::datastore::role::is_role_name;
use crate::engine::datastore::view::{View, own_role};
use crate::engine::datastore::wanted::{Grantee, GranteeKind, Wanted};
use crate::engine::error::Error;
use crate::engine::rights::Rights;
use crate::engine::session::warehouse::Warehouse;
use crate::engine::sql::{literal, sql};

/// Rights as far as they are seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Seen {
    pub rights: Rights,
    /// Whether what is not among them is really not there.
    pub complete: bool,
}

/// A datastore as it was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    pub login: Login,
    pub database: String,
    /// `None`: there is no such schema, or the login does not see it.
    pub schema: Option<SchemaFound>,
    /// Whether the grantee is there; `None` if that is not known, or nobody is to get rights.
    pub grantee: Option<bool>,
    /// What kinds of names the grantee's name is, where it is not of the kind that was said.
    pub other_kinds: Vec<GranteeKind>,
    /// What the holder of the rights has.
    pub held: Option<Held>,
    /// What earlier holders still have (an earlier role, an earlier grantee, by whatever name he goes now).
    pub earlier: Vec<Held>,
    /// The datastore's role: the one that is wanted, else an earlier one.
    pub own_role: Option<String>,
    /// Everything that role holds in this database, in whatever schema.
    pub role: Option<RoleHeld>,
    /// What has to be known of the other schemas in which it holds something, to take that back.
    pub elsewhere: BTreeMap<String, Elsewhere>,
    /// The roles that it holds.
    pub role_holds: Vec<String>,
    /// Its system permissions.
    pub role_system: Vec<String>,
    /// Roles that have the datastore's names and were made by somebody else, with their owners.
    pub foreign_roles: BTreeMap<String, String>,
    /// Who holds the datastore's role, as far as that is seen.
    pub members: Vec<Grantee>,
    /// Whether all members would be seen.
    pub members_complete: bool,
    /// Members who may pass the role on.
    pub admins: Vec<Grantee>,
    /// Who is declared to get rights, or was, and is no user, group or role any more.
    pub gone: Vec<Grantee>,
    /// Whether the grantee may make temporary tables, which queries on external tables need; looked at for external
    /// schemas only.
    pub temp: Option<bool>,
    /// What the datastore's own role holds that no datastore declares.
    pub narrow: Vec<Narrow>,
    /// Whether the login may make roles.
    pub may_create_roles: bool,
    /// Whether the login sees the rights of all; else some of what is asked here is unknown.
    pub sees_all: bool,
    /// The ids of what was found.
    pub ids: Ids,
}

/// The datastore's schema.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SchemaFound {
    pub name: String,
    pub owner: String,
    /// Its tables are elsewhere (Glue, Hive, another database): only USAGE can be granted.
    pub external: bool,
    /// Whether everybody may create in it.
    pub public_creates: bool,
    /// Whether the login may pass on rights on the schema.
    pub may_grant: bool,
    pub relations: Vec<RelationFound>,
    /// Users who own the schema or tables in it; without the system's own, and without the grantee.
    pub owners: BTreeSet<String>,
    /// Whether users may create there, for all who have to do with default privileges here; who is not in it is no
    /// user.
    pub may_create: BTreeMap<String, MayCreate>,
}

/// A schema beside the datastore's own.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Elsewhere {
    pub external: bool,
    /// Whether the users may create there whose default privileges give something to the datastore's role.
    pub may_create: BTreeMap<String, MayCreate>,
}

/// Whether a user may create in a schema.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MayCreate {
    Yes,
    No,
    /// Not by a right of his own, of his groups or of everybody; whether by a role was not looked at or is not seen.
    PerhapsByRole,
    /// The schema's list of rights could not be read.
    Unknown,
}

/// A table or view of the schema.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RelationFound {
    pub name: String,
    pub owner: String,
    /// A table, which can be written to; else a view.
    pub writable: bool,
    /// Whether a right that the grantee lacks here counts: not on the warehouse's own tables, nor on his own.
    pub counts: bool,
    /// Whether the login may pass on rights on it.
    pub may_grant: bool,
}

/// What one holder has in the datastore's schema.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Held {
    pub holder: Grantee,
    /// The names under which declarations know the holder: his own, and an earlier one if he was renamed.
    pub names: Vec<Grantee>,
    /// Whether the holder is there at all; `None` if that cannot be seen.
    pub exists: Option<bool>,
    pub schema: Seen,
    /// One entry per relation of the schema; `None` where nothing could be seen.
    pub relations: Vec<Option<Rights>>,
    /// On tables that these users will make.
    pub defaults: BTreeMap<String, Seen>,
    /// On tables that these users will make in whatever schema. It covers this schema's, and is no datastore's own: where
    /// it is there, nothing is missing, and nothing of it is taken back.
    pub everywhere: BTreeMap<String, Rights>,
    /// On tables of the schema, present and future.
    pub scoped: Seen,
    /// TEMP on the database, given to the holder himself; looked at for external schemas only.
    pub temp: Option<bool>,
}

impl Found {
    /// Whether somebody holds the datastore's role, as far as that is seen.
    pub fn holds_role(&self, holder: &Grantee) -> bool {
        self.members.iter().any(|member| same_grantee(member, holder, self.login.case_sensitive))
    }
}

impl Seen {
    /// All there is.
    pub fn all(rights: Rights) -> Seen {
        Seen { rights, complete: true }
    }

    /// What of `wanted` is certainly not there.
    pub fn lacks(self, wanted: Rights) -> Rights {
        if self.complete { wanted.without(self.rights) } else { Rights::NONE }
    }

    /// What of `wanted` may or may not be there.
    pub fn unsure(self, wanted: Rights) -> Rights {
        if self.complete { Rights::NONE } else { wanted.without(self.rights) }
    }
}

/// Looks at the datastore: mostly at what the catalogue holds already.
pub async fn found(
    warehouse: &Warehouse,
    wanted: &Wanted,
    before: &Before,
    cancel: &CancellationToken,
) -> Result<Found, Error> {
    look(warehouse, wanted, before, false, cancel).await
}

/// The same for what is to be removed: a schema that is not there by its name is looked for by its id.
pub async fn found_by_id(
    warehouse: &Warehouse,
    declared: &Wanted,
    before: &Before,
    cancel: &CancellationToken,
) -> Result<Found, Error> {
    look(warehouse, declared, before, true, cancel).await
}

async fn look(
    warehouse: &Warehouse,
    wanted: &Wanted,
    before: &Before,
    by_id: bool,
    cancel: &CancellationToken,
) -> Result<Found, Error> {
    let view =
        View::load(warehouse, wanted, before, by_id, cancel).await.map_err(|error| missing_database(error, wanted))?;
    let mut found = view.found(wanted, before);
    let is_external = found.schema.as_ref().is_some_and(|schema| schema.external);
    if let (true, Some(grantee), Some(true)) = (is_external, &wanted.grantee, found.grantee)
        && grantee.kind == GranteeKind::User
    {
        found.temp = Some(may_make_temporary_tables(warehouse, wanted, &grantee.name, cancel).await?);
    }
    if let Some(role) = own_role(wanted, before).filter(|role| is_role_name(role))
        && found.held.iter().chain(&found.earlier).any(|held| held.holder.name == role && held.exists == Some(true))
    {
        let at = At::new(warehouse, &wanted.database, cancel);
        let rights = warehouse.catalog().narrow_rights(at, Some(&wanted.schema)).await?;
        found.narrow = rights.of(role, found.login.case_sensitive);
    }
    Ok(found)
}

/// Says in words of the datastore that its database is not there.
pub(in crate::engine) fn missing_database(error: Error, wanted: &Wanted) -> Error {
    match error.sqlstate() {
        Some("3D000") => crate::engine::datastore::refusal::no_database(&wanted.database, &error),
        _ => error,
    }
}

async fn may_make_temporary_tables(
    warehouse: &Warehouse,
    wanted: &Wanted,
    user: &str,
    cancel: &CancellationToken,
) -> Result<bool, Error> {
    let mut session = warehouse.session(&wanted.database, cancel).await?;
    let database = literal(&session.facts().database);
    let rows = session.query(&sql!("SELECT has_database_privilege({}, {}, 'temp')", literal(user), database)).await?;
    Ok(rows.first().is_some_and(|row| is_true(row.get(0))))
}
