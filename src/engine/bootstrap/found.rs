//! What is there of an integration: read from the catalogues, in its own database and in the warehouse.

use std::collections::BTreeMap;
use std::fmt;

use super::exposure::{self, Exposure};
use super::marker::{self, Seen};
use super::spec::{ActorKind, Impersonation, Spec};
use super::text;
use super::trust::Whose;
use crate::engine::catalog::acl::{Acl, Grantee};
use crate::engine::catalog::principals::{self, Principals};
use crate::engine::catalog::roles::{self, RoleRights, Roles, UserScopes};
use crate::engine::catalog::snapshot::{self, ExternalSchemas, Relation, RelationKind, Schema, Snapshot};
use crate::engine::error::{Error, shown};
use crate::engine::names::same_name;
use crate::engine::rights::Privilege;
use crate::engine::session::Session;
use crate::engine::sql::{Sql, literal, sql};
use crate::engine::user;

/// What all databases share.
#[derive(Clone, Debug, Default)]
pub struct World {
    pub principals: Principals,
    pub roles: Roles,
    pub case_sensitive: bool,
    /// The user id and name of the login.
    pub login: i64,
    pub login_name: String,
    pub superuser: bool,
}

/// A database as the catalogue shows it.
#[derive(Clone, Debug, Default)]
pub struct DatabaseFound {
    pub owner: i64,
    /// None where nothing was granted or revoked since it was made.
    pub acl: Option<Acl>,
}

/// A function or procedure.
#[derive(Clone, Debug)]
pub struct Routine {
    pub schema: String,
    pub name: String,
    /// With its argument types, as the server writes it.
    pub signature: String,
    pub is_procedure: bool,
    pub owner: i64,
    /// None where the text could not be read: then nothing is known of it.
    pub acl: Option<Acl>,
    pub source: String,
    /// Whether it runs with the rights of its owner.
    pub definer: bool,
    /// Its own setting of search_path; the outer none: the warehouse does not tell.
    pub search_path: Option<Option<String>>,
}

impl Routine {
    /// Whether it is the procedure by which members act for others, and no other of the same name.
    fn is_impersonation(&self, spec: &Spec) -> bool {
        self.has_its_name(spec) && matches!(self.arguments(), Some("character varying" | "varchar"))
    }

    fn has_its_name(&self, spec: &Spec) -> bool {
        self.schema == spec.procedures() && self.name == "impersonate_user"
    }

    fn arguments(&self) -> Option<&str> {
        self.signature.rsplit_once('(').map(|(_, arguments)| arguments.trim_end_matches(')'))
    }

    /// The types of its arguments, written anew: none where one is not a type of the warehouse's own.
    pub(super) fn argument_types(&self) -> Option<Sql> {
        let named = user::routine::Routine::parse(&self.schema, &self.name, &self.signature)?;
        Some(named.arguments())
    }

    /// Whether its list of rights is seen to give something.
    pub(super) fn gives(&self, grantee: &Grantee, privilege: Privilege) -> bool {
        self.acl.as_ref().is_some_and(|acl| acl.of(grantee).has(privilege))
    }
}

/// A right that stands in no list of a table's or procedure's own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Narrow {
    /// The table of `<prefix>_system`, and its column; none: EXECUTE on the procedure.
    pub column: Option<(String, String)>,
    pub privilege: String,
    /// `user`, `role`, `group` or `public`, and the name.
    pub kind: String,
    pub name: String,
}

/// Something that others made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Other {
    /// The schema that it is in; none of what is a schema itself.
    pub schema: Option<String>,
    words: String,
}

impl fmt::Display for Other {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.words)
    }
}

/// What is in the managed database.
#[derive(Clone, Debug)]
pub struct Inside {
    pub snapshot: Snapshot,
    pub routines: Vec<Routine>,
    pub external: ExternalSchemas,
    /// What roles hold, as far as the login sees.
    pub role_rights: RoleRights,
    /// Scoped rights of users on the tables of a schema.
    pub user_scopes: UserScopes,
    /// Rights on single columns of the managed tables, and what others than the list of the procedure shows may call it.
    pub narrow: Vec<Narrow>,
    /// Rights on everything in the database.
    pub exposures: Vec<Exposure>,
    pub marker: Seen,
    /// The id of `<prefix>_system`: a schema that is made again has another.
    pub system_oid: Option<u64>,
    /// The ids of all managed schemas that are there.
    pub schema_oids: BTreeMap<String, u64>,
    /// The view's query, as the server prints it.
    pub view: Option<String>,
}

/// All of it.
#[derive(Clone, Debug, Default)]
pub struct Found {
    pub world: World,
    pub whose: Whose,
    pub database: Option<DatabaseFound>,
    /// None while the managed database is not there, or was not looked at.
    pub inside: Option<Inside>,
}

impl World {
    /// Reads users, groups and roles.
    pub(super) async fn read(session: &mut Session) -> Result<World, Error> {
        Ok(World {
            principals: principals::load(session).await?,
            roles: roles::load(session).await?,
            case_sensitive: session.facts().case_sensitive,
            login: session.facts().user_id,
            login_name: session.facts().user.clone(),
            superuser: session.facts().superuser,
        })
    }
}

impl Found {
    /// Whether what this user owns is believed.
    pub(super) fn trusts(&self, owner: i64) -> bool {
        self.world.trusts(owner, &self.whose)
    }
}

impl World {
    /// Whether there is such a group or role, as far as the login sees.
    pub(super) fn has_actors(&self, actors: &Impersonation) -> bool {
        match actors.kind {
            ActorKind::Group => self.principals.group(&actors.name, self.case_sensitive).is_some(),
            ActorKind::Role => self.roles.has(&actors.name, self.case_sensitive),
        }
    }
}

/// The database of that name, if there is one.
pub(super) async fn database(session: &mut Session, name: &str) -> Result<Option<DatabaseFound>, Error> {
    let query = sql!(
        "SELECT d.datdba, array_to_string(d.datacl, chr(9)) FROM pg_database d WHERE d.datname = {}",
        literal(name)
    );
    let rows = session.query(&query).await?;
    let Some(row) = rows.first() else { return Ok(None) };
    Ok(Some(DatabaseFound { owner: row.parse(0)?, acl: row.get(1).and_then(|text| Acl::parse(text).ok()) }))
}

impl Inside {
    /// Looks at the session's database.
    pub(super) async fn read(
        session: &mut Session,
        (database, prefix): (&str, &str),
        world: &World,
        whose: &Whose,
    ) -> Result<Inside, Error> {
        let system = format!("{prefix}_system");
        let snapshot = snapshot::load(session).await?;
        let mut routines = routines(session).await?;
        for routine in &mut routines {
            if routine.schema == format!("{prefix}_procedures") && routine.name == "impersonate_user" {
                routine.search_path = search_path(session, routine).await?;
            }
        }
        let external = snapshot::load_external(session).await?;
        let role_rights = roles::load_rights(session).await?;
        let user_scopes = roles::load_user_scopes(session).await?;
        let narrow = narrow(session, prefix).await?;
        let exposures = exposure::read(session, database, world).await?;
        let view = match snapshot.schema(&system) {
            Some(schema) if schema.relations.iter().any(|relation| relation.name == text::VIEW) => {
                view(session, &system).await?
            }
            _ => None,
        };
        let marker = match snapshot.schema(&system) {
            Some(schema) => {
                let table = schema.relations.iter().find(|relation| relation.name == text::MARKER);
                let table = table.map(|table| (table.owner, table.kind));
                seen(session, prefix, (schema.owner, table), world, whose).await?
            }
            None => Seen::Absent,
        };
        let schema_oids = schema_oids(session, prefix).await?;
        let system_oid = schema_oids.get(&system).copied();
        Ok(Inside {
            snapshot,
            routines,
            external,
            role_rights,
            user_scopes,
            narrow,
            exposures,
            marker,
            system_oid,
            schema_oids,
            view,
        })
    }

    pub(super) fn schema(&self, name: &str) -> Option<&Schema> {
        self.snapshot.schema(name)
    }

    pub(super) fn relation(&self, schema: &str, name: &str) -> Option<&Relation> {
        self.schema(schema)?.relations.iter().find(|relation| relation.name == name)
    }

    /// Leaves out what is dropped.
    pub(super) fn without_relation(&mut self, schema: &str, name: &str) {
        for found in self.snapshot.schemas.iter_mut().filter(|found| found.name == schema) {
            found.relations.retain(|relation| relation.name != name);
        }
    }

    /// The same of the procedure.
    pub(super) fn without_procedure(&mut self, spec: &Spec) {
        self.routines.retain(|routine| !routine.is_impersonation(spec));
    }

    /// The procedure by which members act for others.
    pub(super) fn procedure(&self, spec: &Spec) -> Option<&Routine> {
        self.routines.iter().find(|routine| routine.is_impersonation(spec))
    }

    /// Other procedures of its name, by which somebody could be taken in.
    pub(super) fn overloads<'a>(&'a self, spec: &'a Spec) -> impl Iterator<Item = &'a Routine> {
        self.routines.iter().filter(|routine| routine.has_its_name(spec) && !routine.is_impersonation(spec))
    }

    /// Whether there is a schema of any kind of that name.
    pub(super) fn has_schema(&self, name: &str) -> bool {
        let case_sensitive = self.snapshot.login.case_sensitive;
        self.has_external(name)
            || self.snapshot.schemas.iter().any(|found| same_name(&found.name, name, case_sensitive))
    }

    pub(super) fn has_external(&self, name: &str) -> bool {
        self.external.has(name, self.snapshot.login.case_sensitive)
    }

    /// What others put there: everything but what an integration of this prefix and these external schemas makes.
    pub fn others(&self, spec: &Spec) -> Vec<Other> {
        let (system, lock, ours) = (spec.system(), spec.lock(), spec.all_schemas());
        let in_system =
            [text::LOCK, text::MARKER, text::PROFILE, text::VIEW, text::KEY, text::REGISTRATION, text::MASK_KEY];
        let in_lock = [text::LOCK, text::DRAWS];
        let mut others = Vec::new();
        for schema in &self.snapshot.schemas {
            // The warehouse's own, such as `public`, belong to nobody who could have made them.
            let is_ours = ours.contains(&schema.name);
            let case_sensitive = self.snapshot.login.case_sensitive;
            let is_external = spec.external_schemas.keys().any(|name| same_name(name, &schema.name, case_sensitive));
            if !is_ours && !is_external && schema.owner > principals::SYSTEM_USER_ID {
                others.push(Other { schema: None, words: format!("schema {}", shown(&schema.name)) });
            }
            for relation in &schema.relations {
                let known = schema.name == system && in_system.contains(&relation.name.as_str())
                    || schema.name == lock && in_lock.contains(&relation.name.as_str());
                if !known && relation.owner > principals::SYSTEM_USER_ID {
                    let words = format!("{} {}.{}", relation.kind.name(), shown(&schema.name), shown(&relation.name));
                    others.push(Other { schema: Some(schema.name.clone()), words });
                }
            }
        }
        for routine in &self.routines {
            // One that is not as it was made is altered, and is put right or dropped like the rest.
            let known =
                routine.is_impersonation(spec) || (routine.has_its_name(spec) && routine.argument_types().is_some());
            if !known && routine.owner > principals::SYSTEM_USER_ID {
                let kind = if routine.is_procedure { "procedure" } else { "function" };
                let words = format!("{kind} {}", shown(&routine.signature));
                others.push(Other { schema: Some(routine.schema.clone()), words });
            }
        }
        others
    }
}

/// The marker, if whoever owns its schema and its table is believed: nothing of anybody else is even selected from.
async fn seen(
    session: &mut Session,
    prefix: &str,
    (schema_owner, table): (i64, Option<(i64, RelationKind)>),
    world: &World,
    whose: &Whose,
) -> Result<Seen, Error> {
    let name_of = |owner: i64| world.principals.name_of(owner);
    if !world.trusts(schema_owner, whose) {
        return Ok(Seen::Theirs(name_of(schema_owner)));
    }
    match table {
        None => Ok(Seen::Foreign),
        Some((owner, _)) if !world.trusts(owner, whose) => {
            Ok(Seen::Broken(format!("it belongs to {}", name_of(owner))))
        }
        Some((_, kind)) if kind != RelationKind::Table => Ok(Seen::Broken(format!("it is a {}", kind.name()))),
        Some(_) => marker::read(session, prefix).await,
    }
}

/// The same of the session's database, where nothing else of it matters; without somebody to believe, whatever is written
/// there.
pub(super) async fn marker(
    session: &mut Session,
    prefix: &str,
    world: &World,
    whose: Option<&Whose>,
) -> Result<Seen, Error> {
    let query = sql!(
        "SELECT n.nspowner, c.relowner, c.relkind FROM pg_namespace n LEFT JOIN pg_class c ON c.relnamespace = n.oid AND c.relname = {} AND c.relkind IN ('r','v','m') WHERE n.nspname = {}",
        literal(text::MARKER),
        literal(&format!("{prefix}_system"))
    );
    let rows = session.query(&query).await?;
    let Some(row) = rows.first() else { return Ok(Seen::Absent) };
    let table = match row.get(2).map(str::trim) {
        None => None,
        Some("r") => Some((row.parse(1)?, RelationKind::Table)),
        Some("v") => Some((row.parse(1)?, RelationKind::View)),
        Some(_) => Some((row.parse(1)?, RelationKind::MaterializedView)),
    };
    match (whose, table) {
        (Some(whose), _) => seen(session, prefix, (row.parse(0)?, table), world, whose).await,
        // To look at, not to act on: a plain table runs nothing of its owner's.
        (None, Some((_, RelationKind::Table))) => marker::read(session, prefix).await,
        (None, _) => Ok(Seen::Foreign),
    }
}

async fn narrow(session: &mut Session, prefix: &str) -> Result<Vec<Narrow>, Error> {
    let columns = sql!(
        "SELECT relation_name, column_name, privilege_type, identity_type, identity_name FROM svv_column_privileges WHERE namespace_name = {}",
        literal(&format!("{prefix}_system"))
    );
    let routines = sql!(
        "SELECT '', '', privilege_type, identity_type, identity_name FROM svv_function_privileges WHERE namespace_name = {} AND function_name = 'impersonate_user'",
        literal(&format!("{prefix}_procedures"))
    );
    let mut all = Vec::new();
    for query in [columns, routines] {
        for row in session.query(&query).await? {
            let (table, column) = (row.text(0)?.to_owned(), row.text(1)?.to_owned());
            all.push(Narrow {
                column: (!table.is_empty()).then_some((table, column)),
                privilege: row.text(2)?.trim().to_owned(),
                kind: row.text(3)?.trim().to_owned(),
                name: row.text(4)?.to_owned(),
            });
        }
    }
    Ok(all)
}

async fn schema_oids(session: &mut Session, prefix: &str) -> Result<BTreeMap<String, u64>, Error> {
    let names = ["system", "functions", "procedures", "lock"].map(|name| literal(&format!("{prefix}_{name}")));
    let query =
        sql!("SELECT nspname::varchar, oid FROM pg_namespace WHERE nspname IN ({})", Sql::join(", ", names.iter()));
    let rows = session.query(&query).await?;
    rows.iter().map(|row| Ok((row.text(0)?.to_owned(), row.parse(1)?))).collect()
}

/// What search_path a procedure sets for itself. AWS says of PG_PROC_INFO only that it shows what is known of procedures;
/// a warehouse that does not show this is not asked further.
async fn search_path(session: &mut Session, routine: &Routine) -> Result<Option<Option<String>>, Error> {
    let query = sql!(
        "SELECT array_to_string(p.proconfig, chr(10)) FROM pg_proc_info p JOIN pg_namespace n ON n.oid = p.pronamespace WHERE n.nspname = {} AND p.proname = {}",
        literal(&routine.schema),
        literal(&routine.name)
    );
    match session.query(&query).await {
        Ok(rows) => {
            let setting = |row: &crate::engine::session::Row| {
                row.get(0)?
                    .lines()
                    .find_map(|line| line.strip_prefix("search_path="))
                    .map(|path| path.trim().to_owned())
            };
            let all: Vec<Option<String>> = rows.iter().map(setting).collect();
            // Several of one name: each must set it.
            Ok(Some(if all.iter().any(Option::is_none) { None } else { all.into_iter().flatten().next() }))
        }
        Err(Error::Server(error)) => {
            tracing::debug!(sqlstate = error.sqlstate, "the warehouse does not show what procedures set");
            Ok(None)
        }
        Err(error) => Err(error),
    }
}

async fn routines(session: &mut Session) -> Result<Vec<Routine>, Error> {
    let query = sql!(
        "\
SELECT n.nspname::varchar, p.proname::varchar, textin(regprocedureout(p.oid::regprocedure))::varchar, \
CASE WHEN p.prorettype = 0 THEN 'procedure' ELSE 'function' END, p.proowner, array_to_string(p.proacl, chr(9)), p.prosrc::varchar, \
p.prosecdef FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace WHERE p.proowner > 1"
    );
    let rows = session.query(&query).await?;
    let routine = |row: &crate::engine::session::Row| {
        Ok(Routine {
            schema: row.text(0)?.to_owned(),
            name: row.text(1)?.to_owned(),
            signature: row.text(2)?.to_owned(),
            is_procedure: row.text(3)?.trim_end() == "procedure",
            owner: row.parse(4)?,
            acl: Acl::parse(row.get(5).unwrap_or_default()).ok(),
            source: row.get(6).unwrap_or_default().to_owned(),
            definer: principals::is_true(row.get(7)),
            search_path: None,
        })
    };
    rows.iter().map(routine).collect()
}

/// The text of the view as the warehouse prints it. A reader who has the schema in his search_path is shown its relations
/// without it (PostgreSQL 8.0), which a relation of the same name elsewhere would be too: that text tells nothing.
async fn view(session: &mut Session, system: &str) -> Result<Option<String>, Error> {
    let query = sql!(
        "SELECT definition, current_setting('search_path') FROM pg_views \
         WHERE schemaname = {} AND viewname = 'user_profile'",
        literal(system)
    );
    let rows = session.query(&query).await?;
    let is_told = |path: &str| !path.contains(system) && session.facts().user != system;
    let told = rows.first().filter(|row| row.get(1).is_some_and(is_told));
    Ok(told.and_then(|row| row.get(0)).map(str::to_owned))
}
