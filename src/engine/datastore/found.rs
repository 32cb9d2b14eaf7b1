//! What the warehouse shows of a datastore: its schema, and what each holder of its rights holds there.
//!
//! Everything that a view may hide from the login comes as [`Seen`]: what is not seen there is unknown, not missing.

use std::collections::{BTreeMap, BTreeSet};

use tokio_util::sync::CancellationToken;

use crate::engine::catalog::principals::is_true;
use crate::engine::catalog::roles::RoleHeld;
use crate::engine::catalog::snapshot::Login;
use crate::engine::datastore::view::View;
use crate::engine::datastore::wanted::{Grantee, GranteeKind, Made, Wanted};
use crate::engine::error::Error;
use crate::engine::rights::Rights;
use crate::engine::session::warehouse::Warehouse;
use crate::engine::sql::{Sql, literal};

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
    /// What earlier holders still have (an earlier role, an earlier grantee).
    pub earlier: Vec<Held>,
    /// Everything the datastore's role holds in this database, in whatever schema.
    pub role: Option<RoleHeld>,
    /// Who holds the datastore's role, as far as that is seen.
    pub members: Vec<Grantee>,
    /// Whether all members would be seen.
    pub members_complete: bool,
    /// Who was recorded as holding the role, and is no user or role any more.
    pub members_gone: Vec<Grantee>,
    /// Whether the grantee may make temporary tables, which queries on external tables need; looked at for external
    /// schemas only.
    pub temp: Option<bool>,
    /// Whether the login may make roles.
    pub may_create_roles: bool,
    /// Whether the login sees the rights of all; else some of what is asked here is unknown.
    pub sees_all: bool,
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
    pub may_create: BTreeMap<String, Option<bool>>,
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
    /// Whether the holder is there at all; `None` if that cannot be seen.
    pub exists: Option<bool>,
    pub schema: Seen,
    /// One entry per relation of the schema; `None` where nothing could be seen.
    pub relations: Vec<Option<Rights>>,
    /// On tables that these users will make.
    pub defaults: BTreeMap<String, Seen>,
    /// On tables of the schema, present and future.
    pub scoped: Seen,
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
    made: &Made,
    cancel: &CancellationToken,
) -> Result<Found, Error> {
    let view = View::load(warehouse, wanted, made, cancel).await.map_err(|error| missing_database(error, wanted))?;
    let mut found = view.found(wanted, made);
    let is_external = found.schema.as_ref().is_some_and(|schema| schema.external);
    if let (true, Some(grantee), Some(true)) = (is_external, &wanted.grantee, found.grantee)
        && grantee.kind == GranteeKind::User
    {
        found.temp = Some(may_make_temporary_tables(warehouse, wanted, &grantee.name, cancel).await?);
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
    let sql =
        format!("SELECT has_database_privilege({}, {}, 'temp')", literal(user), literal(&session.facts().database));
    let rows = session.query(&Sql::from(sql)).await?;
    Ok(rows.first().is_some_and(|row| is_true(row.get(0))))
}
