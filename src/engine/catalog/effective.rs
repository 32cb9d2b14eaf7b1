//! What the login itself may do, however it came to it: as owner, by a grant, a group, a role, PUBLIC or a scoped
//! right. The warehouse judges.

use std::collections::HashMap;

use futures::future::BoxFuture;
use tokio_util::sync::CancellationToken;

use crate::engine::catalog::At;
use crate::engine::catalog::principals::is_true;
use crate::engine::catalog::roles::RoleHeld;
use crate::engine::catalog::snapshot::{RelationKind, no_system_schemas};
use crate::engine::datastore::found::missing_database;
use crate::engine::datastore::missing::some_of;
use crate::engine::datastore::wanted::Wanted;
use crate::engine::error::Error;
use crate::engine::rights::{Privilege, Rights};
use crate::engine::session::warehouse::Warehouse;
use crate::engine::session::{Row, Session};
use crate::engine::sql::{Sql, ident, sql};

// The functions stand in the select list, never in a WHERE clause: there the leader runs them on every row of the
// whole catalogue.
fn tables() -> Sql {
    sql!(
        "SELECT x.nspname, x.relname, has_table_privilege(x.oid, 'select'), has_table_privilege(x.oid, 'insert'), \
         has_table_privilege(x.oid, 'update'), has_table_privilege(x.oid, 'delete') \
         FROM (SELECT c.oid, c.relname::varchar, n.nspname::varchar FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace \
         WHERE {} AND c.relkind IN ('r','v','m')) x",
        no_system_schemas()
    )
}

fn schemas() -> Sql {
    sql!(
        "SELECT x.nspname, has_schema_privilege(x.nspname, 'usage'), has_schema_privilege(x.nspname, 'create') \
         FROM (SELECT n.nspname::varchar FROM pg_namespace n WHERE {}) x",
        no_system_schemas()
    )
}

/// The login's rights in one database.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Effective {
    schemas: HashMap<String, Rights>,
    tables: HashMap<(String, String), Rights>,
}

/// What the login lacks for a datastore.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Lacking {
    /// The login's user.
    pub user: String,
    /// One line per right.
    pub missing: Vec<String>,
    /// The statements that give them, each without a semicolon.
    pub grants: Vec<Sql>,
}

/// How often the catalogue is asked while others drop what is in it.
const ATTEMPTS: u32 = 5;

/// Reads the login's rights on everything in the database.
pub fn load(session: &mut Session) -> BoxFuture<'_, Result<Effective, Error>> {
    Box::pin(async move {
        let schemas = asked(session, &schemas()).await?;
        let tables = asked(session, &tables()).await?;
        read(&schemas, &tables)
    })
}

/// PostgreSQL 8.0 has an error, and no null, for what was dropped since the query began (42P01, 3F000): it is asked again.
async fn asked(session: &mut Session, query: &Sql) -> Result<Vec<Row>, Error> {
    let mut attempt = 1;
    loop {
        match session.query(query).await {
            Err(error) if attempt < ATTEMPTS && matches!(error.sqlstate(), Some("42P01" | "3F000")) => {
                tracing::debug!(%error, attempt, "something was dropped meanwhile");
                attempt += 1;
            }
            other => return other,
        }
    }
}

fn read(schemas: &[Row], tables: &[Row]) -> Result<Effective, Error> {
    const ON_TABLES: [Privilege; 4] = [Privilege::Select, Privilege::Insert, Privilege::Update, Privilege::Delete];
    let rights = |row: &Row, first: usize, privileges: &[Privilege]| -> Rights {
        let held = privileges.iter().enumerate().filter(|(index, _)| is_true(row.get(first + index)));
        held.map(|(_, privilege)| *privilege).collect()
    };
    let mut all = Effective::default();
    for row in schemas {
        all.schemas.insert(row.text(0)?.to_owned(), rights(row, 1, &[Privilege::Usage, Privilege::Create]));
    }
    for row in tables {
        all.tables.insert((row.text(0)?.to_owned(), row.text(1)?.to_owned()), rights(row, 2, &ON_TABLES));
    }
    Ok(all)
}

/// What the login lacks for the datastore, without anybody being granted anything. An error if the schema or the
/// database is not there.
pub async fn effective(warehouse: &Warehouse, wanted: &Wanted, cancel: &CancellationToken) -> Result<Lacking, Error> {
    let at = At::new(warehouse, &wanted.database, cancel);
    let catalog = warehouse.catalog();
    let name = Some(wanted.schema.as_str());
    let snapshot = catalog.snapshot(at, name).await.map_err(|error| missing_database(error, wanted))?;
    let Some(schema) = snapshot.schema(&wanted.schema) else {
        return Err(crate::engine::datastore::refusal::no_schema(&wanted.schema, &wanted.database, &snapshot.login));
    };
    let user = snapshot.login.name.clone();
    if snapshot.login.superuser {
        return Ok(Lacking { user, ..Lacking::default() });
    }
    let external = schema.relations.is_empty() && {
        let all = catalog.external_schemas(at).await?;
        all.has(&schema.name, snapshot.login.case_sensitive)
    };
    let mut effective = Effective::clone(&*catalog.effective(at, name).await?);
    let tables: Vec<(&str, bool)> = schema
        .relations
        .iter()
        .filter(|relation| relation.is_of_people())
        .map(|relation| (relation.name.as_str(), relation.kind == RelationKind::Table))
        .collect();
    let lacking = effective.lacking(user.clone(), wanted, &schema.name, &tables, external);
    if lacking.missing.is_empty() {
        return Ok(lacking);
    }
    // The functions are PostgreSQL 8.0's, and nothing says that they know of roles and scoped rights.
    let roles = catalog.roles(at, None).await?;
    if roles.has_all_permissions(&snapshot.login) {
        return Ok(Lacking { user, ..Lacking::default() });
    }
    let (of_roles, scopes) = (catalog.role_rights(at, name).await?, catalog.user_scopes(at, name).await?);
    for role in roles.held_by_login(&snapshot.login) {
        if let Some(held) = of_roles.of(role, snapshot.login.case_sensitive) {
            effective.add(held, &schema.name, &tables);
        }
    }
    if let Some(rights) = scopes.0.get(&(user.clone(), schema.name.clone())) {
        effective.add_scoped(*rights, &schema.name, &tables);
    }
    Ok(effective.lacking(user, wanted, &schema.name, &tables, external))
}

impl Effective {
    /// Adds what a role of the login's holds.
    fn add(&mut self, held: &RoleHeld, schema: &str, tables: &[(&str, bool)]) {
        if let Some(rights) = held.schemas.get(schema) {
            let all = self.schemas.entry(schema.to_owned()).or_default();
            *all = all.and(*rights);
        }
        for (table, _) in tables {
            let key = (schema.to_owned(), (*table).to_owned());
            if let Some(rights) = held.relations.get(&key) {
                let all = self.tables.entry(key).or_default();
                *all = all.and(*rights);
            }
        }
        if let Some(rights) = held.scoped.get(schema) {
            self.add_scoped(*rights, schema, tables);
        }
    }

    /// Adds rights on all tables of a schema.
    fn add_scoped(&mut self, rights: Rights, schema: &str, tables: &[(&str, bool)]) {
        for (table, _) in tables {
            let all = self.tables.entry((schema.to_owned(), (*table).to_owned())).or_default();
            *all = all.and(rights);
        }
    }

    /// `tables`: each table or view of the schema, and whether it can be written to.
    fn lacking(&self, user: String, wanted: &Wanted, schema: &str, tables: &[(&str, bool)], external: bool) -> Lacking {
        let mut lacking = Lacking { user, ..Lacking::default() };
        let (on, to) = (ident(schema), ident(&lacking.user));
        let held = self.schemas.get(schema).copied().unwrap_or_default();
        let on_schema = wanted.schema_rights().without(held);
        lacking.missing.extend(on_schema.iter().map(|privilege| format!("{} on schema {schema}", privilege.name())));
        if !on_schema.is_empty() {
            lacking.grants.push(sql!("GRANT {} ON SCHEMA {} TO {}", on_schema, on, to));
        }
        if external {
            return lacking;
        }
        let mut all = Rights::NONE;
        for privilege in wanted.table_rights().iter() {
            let counted: Vec<&str> = tables
                .iter()
                .filter(|(_, writable)| *writable || privilege == Privilege::Select)
                .map(|(name, _)| *name)
                .collect();
            let lacks: Vec<&str> = counted
                .iter()
                .filter(|table| {
                    let key = (schema.to_owned(), (**table).to_owned());
                    !self.tables.get(&key).is_some_and(|rights| rights.has(privilege))
                })
                .copied()
                .collect();
            if !lacks.is_empty() {
                all.insert(privilege);
                let (lacked, counted) = (lacks.len(), counted.len());
                let tables = if counted == 1 { "table" } else { "tables" };
                lacking.missing.push(format!(
                    "{} on {lacked} of {counted} {tables} ({})",
                    privilege.name(),
                    some_of(&lacks)
                ));
            }
        }
        if !all.is_empty() {
            lacking.grants.push(sql!("GRANT {} ON ALL TABLES IN SCHEMA {} TO {}", all, on, to));
        }
        lacking
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::datastore::wanted::{FutureTables, Through};

    fn grants(lacking: &Lacking) -> Vec<String> {
        lacking.grants.iter().map(Sql::to_string).collect()
    }

    #[test]
    fn what_is_lacked_comes_with_the_statements_that_give_it() {
        let row = |cells: &[&str]| Row::new(cells.iter().map(|cell| Some(*cell)));
        let effective = read(
            &[row(&["s", "t", "f"]), row(&["closed", "f", "f"])],
            &[
                row(&["s", "a", "t", "t", "t", "t"]),
                row(&["s", "b", "t", "f", "t", "f"]),
                row(&["s", "v", "f", "f", "f", "f"]),
            ],
        )
        .expect("reads");
        let source = Wanted {
            database: "dev".into(),
            schema: "s".into(),
            write: false,
            grantee: None,
            through: Through::Direct,
            future: FutureTables::None,
            extra: crate::engine::rights::Rights::NONE,
            tables: None,
        };
        let tables = [("a", true), ("b", true), ("v", false)];
        let lacking = effective.lacking("me".into(), &source, "s", &tables, false);
        assert_eq!(lacking.missing, ["SELECT on 1 of 3 tables (v)"]);
        assert_eq!(grants(&lacking), ["GRANT SELECT ON ALL TABLES IN SCHEMA \"s\" TO \"me\""]);
        let store = Wanted { write: true, ..source.clone() };
        let lacking = effective.lacking("me".into(), &store, "s", &tables, false);
        assert_eq!(
            lacking.missing,
            [
                "CREATE on schema s",
                "SELECT on 1 of 3 tables (v)",
                "INSERT on 1 of 2 tables (b)",
                "DELETE on 1 of 2 tables (b)"
            ]
        );
        assert_eq!(
            grants(&lacking),
            [
                "GRANT CREATE ON SCHEMA \"s\" TO \"me\"",
                "GRANT SELECT, INSERT, DELETE ON ALL TABLES IN SCHEMA \"s\" TO \"me\""
            ]
        );
        let lacking = effective.lacking("me".into(), &source, "closed", &[], true);
        assert_eq!(grants(&lacking), ["GRANT USAGE ON SCHEMA \"closed\" TO \"me\""]);
        assert_eq!(effective.lacking("me".into(), &source, "s", &tables[..2], false).missing, [] as [&str; 0]);
    }
}
