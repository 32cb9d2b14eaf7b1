//! What a datastore's own role has beyond what is declared, and who else holds it: all of it is taken back.

use std::collections::BTreeMap;

use crate::engine::datastore::declared::{Declared, same_grantee};
use crate::engine::datastore::found::Found;
use crate::engine::datastore::grantee::Grantee;
use crate::engine::datastore::missing::some_of;
use crate::engine::datastore::narrow;
use crate::engine::datastore::role::is_role_name;
use crate::engine::datastore::wanted::Wanted;
use crate::engine::names::same_name;
use crate::engine::rights::Rights;
use crate::engine::sql::{Sql, sql};

/// What a role has in one database beyond what it is to have.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Beyond {
    pub schemas: BTreeMap<String, Rights>,
    /// By schema and table.
    pub tables: BTreeMap<String, BTreeMap<String, Rights>>,
    pub scoped: BTreeMap<String, Rights>,
    /// By schema (none: in every schema) and owner.
    pub defaults: BTreeMap<Option<String>, BTreeMap<String, Rights>>,
    /// Who holds it beside the grantee.
    pub holders: Vec<Grantee>,
    /// The grantee, where he may pass it on.
    pub admin: Option<Grantee>,
    /// Roles that it holds.
    pub holds: Vec<String>,
    /// Its system permissions, as the warehouse names them.
    pub system: Vec<String>,
}

/// What the datastore's own role has beyond what is wanted; of no use with `None`, beyond nothing.
pub fn beyond(found: &Found, wanted: Option<&Wanted>) -> Beyond {
    let case_sensitive = found.login.case_sensitive;
    let external = found.schema.as_ref().is_some_and(|schema| schema.external);
    let declared = wanted.map(|wanted| Declared::of(wanted, external)).unwrap_or_default();
    let is_here = |schema: &str| wanted.is_some_and(|wanted| same_name(schema, &wanted.schema, case_sensitive));
    let keep = |schema: &str, rights: Rights| if is_here(schema) { rights } else { Rights::NONE };
    let mut beyond = Beyond::default();
    for held in found.role.iter() {
        for (schema, rights) in &held.schemas {
            put(&mut beyond.schemas, schema.clone(), rights.without(keep(schema, declared.schema)));
        }
        for ((schema, table), rights) in &held.relations {
            let rights = rights.without(keep(schema, declared.tables.on(table, case_sensitive)));
            if !rights.is_empty() {
                beyond.tables.entry(schema.clone()).or_default().insert(table.clone(), rights);
            }
        }
        for (schema, rights) in &held.scoped {
            put(&mut beyond.scoped, schema.clone(), rights.without(keep(schema, declared.scoped)));
        }
        for ((schema, owner), rights) in &held.defaults {
            let kept = schema.as_deref().map_or(Rights::NONE, |schema| keep(schema, declared.on_future_of(owner)));
            let rights = rights.without(kept);
            if !rights.is_empty() {
                beyond.defaults.entry(schema.clone()).or_default().insert(owner.clone(), rights);
            }
        }
    }
    let grantee = wanted.and_then(|wanted| wanted.grantee.as_ref());
    let is_grantee = |it: &Grantee| grantee.is_some_and(|grantee| same_grantee(grantee, it, case_sensitive));
    beyond.holders = found.members.iter().filter(|member| !is_grantee(member)).cloned().collect();
    beyond.admin = found.admins.iter().find(|member| is_grantee(member)).cloned();
    beyond.holds.clone_from(&found.role_holds);
    beyond.system.clone_from(&found.role_system);
    beyond
}

fn put(all: &mut BTreeMap<String, Rights>, schema: String, rights: Rights) {
    if !rights.is_empty() {
        all.insert(schema, rights);
    }
}

/// One line for each thing that the datastore's own role has beyond what is declared.
pub fn surplus(found: &Found, wanted: &Wanted) -> Vec<String> {
    let Some(role) = wanted.role().filter(|role| is_role_name(role)) else { return Vec::new() };
    let beyond = beyond(found, Some(wanted));
    let mut lines = Vec::new();
    for (schema, rights) in &beyond.schemas {
        lines.extend(rights.iter().map(|privilege| format!("{} on schema {schema}", privilege.name())));
    }
    for (schema, tables) in &beyond.tables {
        let all = tables.values().fold(Rights::NONE, |all, rights| all.and(*rights));
        for privilege in all.iter() {
            let names: Vec<&str> =
                tables.iter().filter(|(_, rights)| rights.has(privilege)).map(|(name, _)| name.as_str()).collect();
            let counted = if names.len() == 1 { "1 table".to_owned() } else { format!("{} tables", names.len()) };
            lines.push(format!("{} on {counted} of schema {schema} ({})", privilege.name(), some_of(&names)));
        }
    }
    for (schema, rights) in &beyond.scoped {
        let line = |name| format!("{name} for tables in schema {schema}, present and future");
        lines.extend(rights.iter().map(|privilege| line(privilege.name())));
    }
    for (schema, owners) in &beyond.defaults {
        let place = schema.as_ref().map_or("every schema".to_owned(), |schema| format!("schema {schema}"));
        for (owner, rights) in owners {
            let line = |name| format!("{name} on future tables of {owner} in {place}");
            lines.extend(rights.iter().map(|privilege| line(privilege.name())));
        }
    }
    lines.extend(beyond.holders.iter().map(|holder| format!("role {role} for {holder}")));
    lines.extend(beyond.admin.iter().map(|holder| format!("role {role} for {holder} with ADMIN OPTION")));
    lines.extend(beyond.holds.iter().map(|held| format!("role {held} for role {role}")));
    lines.extend(beyond.system.iter().map(|permission| format!("system permission {permission}")));
    lines.extend(narrow::unwanted(found, Some(wanted)).into_iter().map(narrow::line));
    lines
}

macro_rules! permissions {
    ($($name:literal)*) => {
        /// A system permission as a statement names it; `None` for one that is not known here (AWS: System permissions
        /// for RBAC).
        pub fn system_permission(name: &str) -> Option<Sql> {
            $(if name.trim().eq_ignore_ascii_case($name) { return Some(sql!($name)); })*
            None
        }
    };
}

permissions! {
    "CREATE ROLE" "DROP ROLE" "CREATE USER" "DROP USER" "ALTER USER" "CREATE SCHEMA" "DROP SCHEMA"
    "ALTER DEFAULT PRIVILEGES" "ACCESS CATALOG" "ACCESS SYSTEM TABLE" "CREATE TABLE" "DROP TABLE" "ALTER TABLE"
    "TRUNCATE TABLE" "CREATE OR REPLACE FUNCTION" "CREATE OR REPLACE EXTERNAL FUNCTION" "DROP FUNCTION"
    "CREATE OR REPLACE PROCEDURE" "DROP PROCEDURE" "CREATE OR REPLACE VIEW" "DROP VIEW" "CREATE MODEL" "DROP MODEL"
    "CREATE DATASHARE" "ALTER DATASHARE" "DROP DATASHARE" "CREATE LIBRARY" "DROP LIBRARY" "VACUUM" "ANALYZE" "CANCEL"
    "IGNORE RLS" "EXPLAIN RLS" "EXPLAIN MASKING"
}
