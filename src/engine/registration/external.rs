//! Tables outside of the warehouse, in a data catalogue or a database that is federated: USAGE on their schema is the right to
//! read them all (AWS: GRANT), and they stand in no catalogue but their own.

use std::collections::{BTreeMap, BTreeSet};

use super::source::{SourceTable, cannot_be_offered};
use super::wanted::Source;
use crate::engine::catalog::At;
use crate::engine::catalog::acl::{Acl, Grantee};
use crate::engine::catalog::principals::Principals;
use crate::engine::catalog::roles::RoleRights;
use crate::engine::catalog::snapshot::{ExternalSchema, Login, Schema, Snapshot};
use crate::engine::error::{Error, shown};
use crate::engine::governance::{Column, ColumnType};
use crate::engine::rights::Privilege;
use crate::engine::sql::{literal, sql};

/// An external schema whose tables are offered.
#[derive(Clone, Debug)]
pub struct External {
    /// What lies behind it; none: whether it is one at all cannot be seen.
    kind: Option<i64>,
    /// It, and the other schemas of its database that lead to the same tables.
    schemas: Vec<Schema>,
}

/// The kinds whose tables a view may read: a data catalogue, Hive, PostgreSQL and MySQL (AWS: SVV_EXTERNAL_SCHEMAS, `eskind`).
/// The others lead to databases of Redshift, which have rights of their own, and to streams.
const READABLE: [i64; 4] = [1, 2, 3, 8];

impl External {
    /// None: the schema is the warehouse's own. One that shows no relation may be external all the same: that shows only to
    /// who may use it.
    pub(super) async fn find(at: At<'_>, schema: &Schema, snapshot: &Snapshot) -> Result<Option<External>, Error> {
        let external = at.warehouse.catalog().external_schemas(at).await?;
        let Some(this) = external.0.iter().find(|external| external.name == schema.name) else {
            let is_seen = !schema.relations.is_empty() || snapshot.login.superuser || may_use(at, &schema.name).await?;
            return Ok((!is_seen).then(|| External { kind: None, schemas: vec![schema.clone()] }));
        };
        // Of a database that is federated, the name alone does not tell which it is.
        let same = |other: &&ExternalSchema| {
            let is_catalogue = this.kind == other.kind && matches!(this.kind, 1 | 2);
            other.name == this.name || is_catalogue && other.database.eq_ignore_ascii_case(&this.database)
        };
        let schemas = external.0.iter().filter(same).filter_map(|other| snapshot.schema(&other.name).cloned());
        Ok(Some(External { kind: Some(this.kind), schemas: schemas.collect() }))
    }

    /// Refuses a schema of which nothing can be seen, and one whose tables no view may read.
    pub(super) fn refuse_unreadable(&self, source: &Source, login: &Login) -> Result<(), Error> {
        let schema = shown(&source.schema);
        match self.kind {
            None => Err(Error::refused(
                format!("The tables of schema {schema} cannot be seen"),
                format!(
                    "It shows no table to the login {}, which has no USAGE on it. If it is external, neither that nor its tables show \
                     without. Give the login USAGE on it, or sign in as somebody who has it.",
                    shown(&login.name)
                ),
            )),
            Some(kind) if !READABLE.contains(&kind) => {
                let why = format!(
                    "Schema \"{}\" leads to another database of Redshift or to a stream, whose tables have rights of their own. Offered \
                     are external tables of a data catalogue, Hive, PostgreSQL and MySQL.",
                    source.schema
                );
                Err(Error::setting("source.schema", why))
            }
            Some(_) => Ok(()),
        }
    }

    /// Who holds USAGE on a schema that leads to the tables.
    pub(super) fn users(
        &self,
        principals: &Principals,
        roles: &RoleRights,
        is_exempt: impl Fn(&str) -> bool,
    ) -> BTreeSet<String> {
        let mut users = BTreeSet::new();
        for schema in &self.schemas {
            let owner = principals.name_of(schema.owner);
            let held = |acl: &Acl| acl.0.iter().filter(|entry| entry.rights.has(Privilege::Usage)).cloned().collect();
            let entries: Vec<_> = schema.acl.as_ref().map(held).unwrap_or_default();
            users.extend(entries.into_iter().filter_map(|entry| match entry.grantee {
                Grantee::Public => Some("PUBLIC".to_owned()),
                Grantee::Group(name) => Some(format!("group {name}")),
                Grantee::User(name) => (name != owner && !is_exempt(&name)).then(|| format!("user {name}")),
            }));
            let has = |rights: &crate::engine::rights::Rights| rights.has(Privilege::Usage);
            let roles = roles.all().into_iter().filter(|held| held.schemas.get(&schema.name).is_some_and(has));
            users.extend(roles.map(|held| format!("role {}", held.role)));
        }
        users
    }
}

/// Whether the login may use a schema.
async fn may_use(at: At<'_>, schema: &str) -> Result<bool, Error> {
    let query = sql!("SELECT has_schema_privilege(current_user, {}, 'USAGE')", literal(schema));
    let mut session = at.warehouse.session(at.database, at.cancel).await?;
    let rows = session.query(&query).await?;
    Ok(rows.first().is_some_and(|row| crate::engine::catalog::principals::is_true(row.get(0))))
}

/// The tables of an external schema. Whatever lies behind it is asked, so it is asked of this schema alone.
pub(super) async fn tables(
    at: At<'_>,
    schema: &Schema,
    is_wanted: impl Fn(&str) -> bool,
) -> Result<BTreeMap<String, SourceTable>, Error> {
    let key = format!("external columns of {}", schema.name);
    let all = at.warehouse.catalog().shared(at, &key, || columns(at, &schema.name)).await?;
    let mut tables = BTreeMap::new();
    for (table, columns) in all.iter().filter(|(table, _)| is_wanted(table)) {
        let read = |(name, ty): &(String, String)| {
            let read = ColumnType::read_external(ty).map(|ty| Column { name: name.clone(), ty });
            read.ok_or_else(|| cannot_be_offered(table, name, ty))
        };
        let columns = columns.values().map(read).collect::<Result<Vec<_>, _>>()?;
        tables.insert(table.clone(), SourceTable { owner: schema.owner, columns });
    }
    Ok(tables)
}

/// The columns of each table by their numbers, with their names and types.
type Columns = BTreeMap<String, BTreeMap<i64, (String, String)>>;

async fn columns(at: At<'_>, schema: &str) -> Result<Columns, Error> {
    let query = sql!(
        "SELECT tablename, columnnum, columnname, external_type FROM svv_external_columns \
         WHERE redshift_database_name = current_database() AND schemaname = {}",
        literal(schema)
    );
    let mut session = at.warehouse.session(at.database, at.cancel).await?;
    let mut tables = Columns::new();
    for row in session.query(&query).await? {
        let column = (row.text(2)?.to_owned(), row.text(3)?.to_owned());
        tables.entry(row.text(0)?.to_owned()).or_default().insert(row.parse(1)?, column);
    }
    Ok(tables)
}

/// A data catalogue that cannot be read for a while may show nothing, which does not mean that its tables are gone.
pub(super) fn shows_nothing(source: &Source) -> Error {
    Error::refused(
        format!("Schema {} shows no external table", shown(&source.schema)),
        "It did before. What it is not allowed to see, or cannot reach, a data catalogue may leave out, so nothing is taken away for \
         that. Look at the rights of the schema's IAM role. If the tables are gone, take the registration out of the configuration.",
    )
}
