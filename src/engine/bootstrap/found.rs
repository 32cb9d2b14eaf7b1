//! What is there of an integration: read from the catalogues, in its own database and in the warehouse.

use super::marker::{self, Seen};
use super::spec::{ActorKind, Impersonation, Spec};
use crate::engine::catalog::acl::Acl;
use crate::engine::catalog::principals::{self, Principals};
use crate::engine::catalog::roles::{self, RoleRights, Roles};
use crate::engine::catalog::snapshot::{self, ExternalSchemas, Relation, Schema, Snapshot};
use crate::engine::error::Error;
use crate::engine::names::same_name;
use crate::engine::session::Session;
use crate::engine::sql::{Sql, literal};

/// What all databases share.
#[derive(Clone, Debug, Default)]
pub struct World {
    pub principals: Principals,
    pub roles: Roles,
    pub case_sensitive: bool,
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
    pub acl: Acl,
    pub source: String,
}

impl Routine {
    /// Whether it is the procedure by which members act for others, and no other of the same name.
    fn is_impersonation(&self, spec: &Spec) -> bool {
        let arguments = self.signature.rsplit_once('(').map(|(_, arguments)| arguments.trim_end_matches(')'));
        self.schema == spec.procedures()
            && self.name == "impersonate_user"
            && matches!(arguments, Some("character varying" | "varchar"))
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
    pub marker: Seen,
    /// The view's query, as the server prints it.
    pub view: Option<String>,
}

/// All of it.
#[derive(Clone, Debug, Default)]
pub struct Found {
    pub world: World,
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
        })
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
    let query = format!(
        "SELECT d.datdba, array_to_string(d.datacl, chr(9)) FROM pg_database d WHERE d.datname = {}",
        literal(name)
    );
    let rows = session.query(&Sql::from(query)).await?;
    let Some(row) = rows.first() else { return Ok(None) };
    Ok(Some(DatabaseFound { owner: row.parse(0)?, acl: row.get(1).and_then(|text| Acl::parse(text).ok()) }))
}

impl Inside {
    /// Looks at the session's database.
    pub(super) async fn read(session: &mut Session, prefix: &str) -> Result<Inside, Error> {
        let system = format!("{prefix}_system");
        let snapshot = snapshot::load(session).await?;
        let routines = routines(session).await?;
        let external = snapshot::load_external(session).await?;
        let role_rights = roles::load_rights(session).await?;
        let view = match snapshot.schema(&system) {
            Some(schema) if schema.relations.iter().any(|relation| relation.name == "user_profile") => {
                view(session, &system).await?
            }
            _ => None,
        };
        let marker = match snapshot.schema(&system) {
            None => Seen::Absent,
            Some(schema) if schema.relations.iter().all(|relation| relation.name != "integration") => Seen::Foreign,
            Some(_) => match marker::read(session, &system).await {
                Ok(Some(marker)) => Seen::Here(Box::new(marker)),
                Ok(None) => Seen::Foreign,
                Err(error) if error.sqlstate() == Some("42501") => Seen::Unseen,
                // A table of that name that is another's.
                Err(error) if error.sqlstate() == Some("42703") => Seen::Foreign,
                Err(error) => return Err(error),
            },
        };
        Ok(Inside { snapshot, routines, external, role_rights, marker, view })
    }

    pub(super) fn schema(&self, name: &str) -> Option<&Schema> {
        self.snapshot.schema(name)
    }

    pub(super) fn relation(&self, schema: &str, name: &str) -> Option<&Relation> {
        self.schema(schema)?.relations.iter().find(|relation| relation.name == name)
    }

    /// The procedure by which members act for others.
    pub(super) fn procedure(&self, spec: &Spec) -> Option<&Routine> {
        self.routines.iter().find(|routine| routine.is_impersonation(spec))
    }

    /// Whether there is a schema of any kind of that name.
    pub(super) fn has_schema(&self, name: &str) -> bool {
        let case_sensitive = self.snapshot.login.case_sensitive;
        self.has_external(name)
            || self.snapshot.schemas.iter().any(|found| same_name(&found.name, name, case_sensitive))
    }

    pub(super) fn has_external(&self, name: &str) -> bool {
        self.external.0.iter().any(|found| same_name(found, name, self.snapshot.login.case_sensitive))
    }

    /// What others put there: everything but what an integration of this prefix and these external schemas makes.
    pub fn others(&self, spec: &Spec) -> Vec<String> {
        let (system, ours) = (spec.system(), spec.schemas());
        let tables = ["integration_lock", "integration", "profile", "user_profile", "impersonation"];
        let mut others = Vec::new();
        for schema in &self.snapshot.schemas {
            // The warehouse's own, such as `public`, belong to nobody who could have made them.
            let is_ours = ours.contains(&schema.name);
            let case_sensitive = self.snapshot.login.case_sensitive;
            let is_external = spec.external_schemas.keys().any(|name| same_name(name, &schema.name, case_sensitive));
            if !is_ours && !is_external && schema.owner > principals::SYSTEM_USER_ID {
                others.push(format!("schema {}", schema.name));
            }
            for relation in &schema.relations {
                let known = schema.name == system && tables.contains(&relation.name.as_str());
                if !known && relation.owner > principals::SYSTEM_USER_ID {
                    others.push(format!("{} {}.{}", relation.kind.name(), schema.name, relation.name));
                }
            }
        }
        for routine in &self.routines {
            let known = routine.is_impersonation(spec);
            if !known && routine.owner > principals::SYSTEM_USER_ID {
                let kind = if routine.is_procedure { "procedure" } else { "function" };
                others.push(format!("{kind} {}", routine.signature));
            }
        }
        others
    }
}

async fn routines(session: &mut Session) -> Result<Vec<Routine>, Error> {
    const ROUTINES: &str = "\
SELECT n.nspname::varchar, p.proname::varchar, textin(regprocedureout(p.oid::regprocedure))::varchar, \
CASE WHEN p.prorettype = 0 THEN 'procedure' ELSE 'function' END, p.proowner, array_to_string(p.proacl, chr(9)), p.prosrc::varchar \
FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace WHERE p.proowner > 1";
    let rows = session.query(&Sql::from(ROUTINES)).await?;
    let routine = |row: &crate::engine::session::Row| {
        Ok(Routine {
            schema: row.text(0)?.to_owned(),
            name: row.text(1)?.to_owned(),
            signature: row.text(2)?.to_owned(),
            is_procedure: row.text(3)?.trim_end() == "procedure",
            owner: row.parse(4)?,
            acl: row.get(5).and_then(|text| Acl::parse(text).ok()).unwrap_or_default(),
            source: row.get(6).unwrap_or_default().to_owned(),
        })
    };
    rows.iter().map(routine).collect()
}

async fn view(session: &mut Session, system: &str) -> Result<Option<String>, Error> {
    let query =
        format!("SELECT definition FROM pg_views WHERE schemaname = {} AND viewname = 'user_profile'", literal(system));
    let rows = session.query(&Sql::from(query)).await?;
    Ok(rows.first().and_then(|row| row.get(0)).map(str::to_owned))
}
