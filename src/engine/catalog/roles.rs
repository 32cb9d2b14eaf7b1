//! Roles: who holds them, what they hold, and what system permissions they carry.
//!
//! All of this comes from `svv_*` views, which show a regular user only what concerns him: his own roles and those he
//! made. What is not seen there is unknown, not missing; [`Roles::sees_all`] says for whom the views are complete.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use futures::future::BoxFuture;

use crate::engine::catalog::principals::is_true;
use crate::engine::catalog::snapshot::Login;
use crate::engine::error::Error;
use crate::engine::names::same_name;
use crate::engine::rights::{Privilege, Rights};
use crate::engine::session::{Row, Session, row};
use crate::engine::sql::sql;

/// Roles of the warehouse that the login sees, and the memberships that it sees.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Roles {
    pub names: BTreeSet<String>,
    /// User, and the role he holds.
    pub of_users: Vec<(String, String)>,
    /// Role, and the role it holds.
    pub of_roles: Vec<(String, String)>,
    /// Who owns each role, and its id.
    pub owners: BTreeMap<String, (String, i64)>,
    /// Users who may pass on a role that they hold.
    pub admins: BTreeSet<(String, String)>,
    /// What an identity provider gave the login for this session (AWS: PG_GET_SESSION_ROLES); no view lists who holds them.
    pub of_session: BTreeSet<String>,
}

/// System permissions, by role.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SystemRights(pub Vec<(String, String)>);

/// What roles hold in one database, by the role's name in lower case.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RoleRights(HashMap<String, Vec<RoleHeld>>);

/// What one role holds in one database.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RoleHeld {
    pub role: String,
    /// Rights on relations, by schema and name.
    pub relations: BTreeMap<(String, String), Rights>,
    /// Rights on schemas.
    pub schemas: BTreeMap<String, Rights>,
    /// Rights on all tables of a schema, present and future.
    pub scoped: BTreeMap<String, Rights>,
    /// Rights on tables that an owner will make, by schema (none: in every schema) and owner.
    pub defaults: BTreeMap<(Option<String>, String), Rights>,
}

/// The scoped rights of users on the tables of schemas: user, schema, rights.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct UserScopes(pub BTreeMap<(String, String), Rights>);

impl Roles {
    /// Whether the role is there, as far as the login sees.
    pub fn has(&self, role: &str, case_sensitive: bool) -> bool {
        // As a rule it is spelt as it is here: a thousand datastores ask.
        self.names.contains(role) || self.names.iter().any(|name| same_name(name, role, case_sensitive))
    }

    /// The owner of a role and its id, as far as the login sees the role.
    pub fn owner(&self, role: &str, case_sensitive: bool) -> Option<&(String, i64)> {
        let otherwise = || self.owners.iter().find(|(name, _)| same_name(name, role, case_sensitive));
        self.owners.get(role).or_else(|| otherwise().map(|(_, owner)| owner))
    }

    /// The roles that a user holds, directly or through other roles.
    pub fn held_by(&self, user: &str) -> BTreeSet<&str> {
        let direct = self.of_users.iter().filter(|(name, _)| name == user).map(|(_, role)| role.as_str());
        self.through(BTreeSet::new(), direct.collect())
    }

    /// What is held already, and these roles with all that they hold.
    fn through<'a>(&'a self, mut held: BTreeSet<&'a str>, mut open: Vec<&'a str>) -> BTreeSet<&'a str> {
        while let Some(role) = open.pop() {
            if held.insert(role) {
                open.extend(self.of_roles.iter().filter(|(holder, _)| holder == role).map(|(_, role)| role.as_str()));
            }
        }
        held
    }

    /// The roles that the login holds, with those of its session.
    pub fn held_by_login(&self, login: &Login) -> BTreeSet<&str> {
        self.through(self.held_by(&login.name), self.of_session.iter().map(String::as_str).collect())
    }

    /// Whether the login is a superuser, or has all permissions of one by a role (AWS, system-defined roles:
    /// sys:superuser). Only the former may use SET SESSION AUTHORIZATION, as far as AWS says.
    pub fn has_all_permissions(&self, login: &Login) -> bool {
        login.superuser || self.held_by_login(login).contains("sys:superuser")
    }

    /// Whether the login sees the rights of all: a superuser, or who may read system tables.
    pub fn sees_all(&self, login: &Login, system: &SystemRights) -> bool {
        const READERS: [&str; 3] = ["sys:monitor", "sys:operator", "sys:dba"];
        self.has_all_permissions(login)
            || self.held_by_login(login).iter().any(|role| READERS.contains(role))
            || self.may(login, system, "ACCESS SYSTEM TABLE")
    }

    /// Whether the login has a system permission, as a superuser or by a role. His own roles every login sees.
    pub fn may(&self, login: &Login, system: &SystemRights, permission: &str) -> bool {
        let held = self.held_by_login(login);
        let of_role = |role: &str| held.contains(role);
        self.has_all_permissions(login)
            || system.0.iter().any(|(privilege, role)| privilege.eq_ignore_ascii_case(permission) && of_role(role))
    }

    /// Whether the warehouse would certainly refuse for want of a system permission. What the roles of a session carry is
    /// not shown to everybody.
    pub fn may_not(&self, login: &Login, system: &SystemRights, permission: &str) -> bool {
        self.of_session.is_empty() && !self.may(login, system, permission)
    }
}

impl RoleHeld {
    /// The schemas in which it holds something, or will hold something of what is made there. One may come more than once.
    pub fn in_schemas(&self) -> impl Iterator<Item = &str> {
        let relations = self.relations.keys().map(|(schema, _)| schema);
        let defaults = self.defaults.keys().filter_map(|(schema, _)| schema.as_ref());
        relations.chain(self.schemas.keys()).chain(self.scoped.keys()).chain(defaults).map(String::as_str)
    }

    /// The users whose future tables in a schema give it something.
    pub fn owners_in(&self, schema: &str) -> impl Iterator<Item = &str> {
        let here = self.defaults.keys().filter(move |(name, _)| name.as_deref() == Some(schema));
        here.map(|(_, owner)| owner.as_str())
    }
}

impl RoleRights {
    /// What the role holds; `None` if nothing of it is seen.
    pub fn of(&self, role: &str, case_sensitive: bool) -> Option<&RoleHeld> {
        let held = self.0.get(&role.to_ascii_lowercase())?;
        held.iter().find(|held| same_name(&held.role, role, case_sensitive))
    }

    /// What each role holds that holds anything which is seen, by name.
    pub fn all(&self) -> Vec<&RoleHeld> {
        let mut all: Vec<&RoleHeld> = self.0.values().flatten().collect();
        all.sort_by(|one, other| one.role.cmp(&other.role));
        all
    }

    /// The entry of a role, made if there is none.
    pub(in crate::engine) fn entry(&mut self, role: &str) -> &mut RoleHeld {
        let held = self.0.entry(role.to_ascii_lowercase()).or_default();
        let place = held.iter().position(|held| held.role == role).unwrap_or_else(|| {
            held.push(RoleHeld { role: role.to_owned(), ..RoleHeld::default() });
            held.len() - 1
        });
        &mut held[place]
    }
}

/// Reads roles and memberships.
pub fn load(session: &mut Session) -> BoxFuture<'_, Result<Roles, Error>> {
    Box::pin(async move {
        let names = session.query(&sql!("SELECT role_name, role_owner, role_id FROM svv_roles")).await?;
        let of_users = session.query(&sql!("SELECT user_name, role_name, admin_option FROM svv_user_grants")).await?;
        let of_roles = session.query(&sql!("SELECT role_name, granted_role_name FROM svv_role_grants")).await?;
        let mut roles = Roles { of_users: pairs(&of_users)?, of_roles: pairs(&of_roles)?, ..Roles::default() };
        for row in &names {
            let name = text(row, 0)?;
            roles.names.insert(name.clone());
            if let (Some(owner), Some(Ok(id))) = (row.get(1), row.get(2).map(str::parse)) {
                roles.owners.insert(name, (row::name(owner).to_owned(), id));
            }
        }
        for row in of_users.iter().filter(|row| is_true(row.get(2))) {
            roles.admins.insert((text(row, 0)?, text(row, 1)?));
        }
        roles.of_session = session_roles(session).await?;
        Ok(roles)
    })
}

/// The roles of the session, which only those can have whom somebody else vouches for: their names begin with who does
/// (`IAMR:`, `AWSIDC:`, the namespace of an identity provider). A warehouse that does not know of them has none.
async fn session_roles(session: &mut Session) -> Result<BTreeSet<String>, Error> {
    if !session.facts().user.contains(':') {
        return Ok(BTreeSet::new());
    }
    let query = sql!("SELECT name, roleid FROM pg_get_session_roles() AS sess_roles(name name, roleid integer)");
    match session.query(&query).await {
        Ok(rows) => rows.iter().map(|row| text(row, 0)).collect(),
        Err(error @ Error::Server(_)) => {
            tracing::debug!(%error, "the roles of the session are not shown");
            Ok(BTreeSet::new())
        }
        Err(error) => Err(error),
    }
}

/// Reads the system permissions of roles.
pub fn load_system_rights(session: &mut Session) -> BoxFuture<'_, Result<SystemRights, Error>> {
    Box::pin(async move {
        let query =
            sql!("SELECT system_privilege, identity_name FROM svv_system_privileges WHERE identity_type = 'role'");
        pairs(&session.query(&query).await?).map(SystemRights)
    })
}

/// Reads what roles hold in the database.
pub fn load_rights(session: &mut Session) -> BoxFuture<'_, Result<RoleRights, Error>> {
    Box::pin(async move {
        let relations = sql!(
            "SELECT namespace_name, relation_name, privilege_type, identity_name, admin_option \
             FROM svv_relation_privileges \
             WHERE identity_type = 'role' AND identity_name NOT LIKE 'ds:%' AND identity_name NOT LIKE 'sys:%'"
        );
        let relations = session.query(&relations).await?;
        let schemas = sql!(
            "SELECT namespace_name, privilege_type, identity_name, admin_option, privilege_scope \
             FROM svv_schema_privileges \
             WHERE identity_type = 'role' AND identity_name NOT LIKE 'ds:%' AND identity_name NOT LIKE 'sys:%'"
        );
        let schemas = session.query(&schemas).await?;
        let defaults = sql!(
            "SELECT schema_name, object_type, owner_name, privilege_type, grantee_name, grantee_type \
             FROM svv_default_privileges WHERE grantee_type = 'role'"
        );
        let defaults = session.query(&defaults).await?;
        role_rights(&relations, &schemas, &defaults)
    })
}

/// Reads the scoped rights of users in the database.
pub fn load_user_scopes(session: &mut Session) -> BoxFuture<'_, Result<UserScopes, Error>> {
    Box::pin(async move {
        let query = sql!(
            "SELECT namespace_name, privilege_type, identity_name, admin_option, privilege_scope \
             FROM svv_schema_privileges WHERE identity_type = 'user'"
        );
        user_scopes(&session.query(&query).await?)
    })
}

fn role_rights(relations: &[Row], schemas: &[Row], defaults: &[Row]) -> Result<RoleRights, Error> {
    let mut all = RoleRights::default();
    for row in relations {
        if let Some(privilege) = row.get(2).and_then(Privilege::from_name) {
            let held = all.entry(&text(row, 3)?);
            held.relations.entry((text(row, 0)?, text(row, 1)?)).or_default().insert(privilege);
        }
    }
    for row in schemas {
        if let Some(privilege) = row.get(1).and_then(Privilege::from_name) {
            let held = all.entry(&text(row, 2)?);
            match scope(row.get(4)) {
                Scope::Schema => held.schemas.entry(text(row, 0)?).or_default().insert(privilege),
                Scope::Tables => held.scoped.entry(text(row, 0)?).or_default().insert(privilege),
                Scope::Other => {}
            }
        }
    }
    for row in defaults {
        let on_tables = matches!(
            row.get(1).map(|kind| kind.trim().to_ascii_uppercase()).as_deref(),
            Some("RELATION" | "TABLE" | "TABLES")
        );
        if let (true, Some(privilege)) = (on_tables, row.get(3).and_then(Privilege::from_name)) {
            let schema = row.get(0).map(row::name).filter(|name| !name.is_empty()).map(str::to_owned);
            let held = all.entry(&text(row, 4)?);
            held.defaults.entry((schema, text(row, 2)?)).or_default().insert(privilege);
        }
    }
    Ok(all)
}

fn user_scopes(rows: &[Row]) -> Result<UserScopes, Error> {
    let mut scopes = UserScopes::default();
    for row in rows {
        if let (Scope::Tables, Some(privilege)) = (scope(row.get(4)), row.get(1).and_then(Privilege::from_name)) {
            scopes.0.entry((text(row, 2)?, text(row, 0)?)).or_default().insert(privilege);
        }
    }
    Ok(scopes)
}

enum Scope {
    Schema,
    Tables,
    Other,
}

/// What `privilege_scope` says (AWS: SVV_SCHEMA_PRIVILEGES); a warehouse without scoped rights says nothing.
fn scope(text: Option<&str>) -> Scope {
    match text.map(|text| text.trim().to_ascii_uppercase()).as_deref() {
        None | Some("" | "SCHEMA") => Scope::Schema,
        Some("TABLES" | "TABLE") => Scope::Tables,
        Some(_) => Scope::Other,
    }
}

fn text(row: &Row, column: usize) -> Result<String, Error> {
    row.name(column).map(str::to_owned)
}

fn pairs(rows: &[Row]) -> Result<Vec<(String, String)>, Error> {
    rows.iter().map(|row| Ok((text(row, 0)?, text(row, 1)?))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rows(rows: &[&[&str]]) -> Vec<Row> {
        rows.iter().map(|cells| Row::new(cells.iter().map(|cell| Some(*cell)))).collect()
    }

    fn roles() -> Roles {
        let pair = |one: &str, other: &str| (one.to_owned(), other.to_owned());
        Roles {
            names: ["analyst".to_owned(), "Reader".to_owned()].into(),
            of_users: vec![pair("alice", "analyst"), pair("bob", "sys:monitor"), pair("eve", "sys:superuser")],
            of_roles: vec![pair("analyst", "reader"), pair("reader", "maker"), pair("maker", "analyst")],
            ..Roles::default()
        }
    }

    #[test]
    fn memberships_are_followed_through_roles() {
        let roles = roles();
        assert_eq!(roles.held_by("alice").into_iter().collect::<Vec<_>>(), ["analyst", "maker", "reader"]);
        assert!(roles.held_by("Alice").is_empty(), "user names keep their case");
        assert!(roles.has("READER", false) && !roles.has("READER", true) && !roles.has("maker", false));
    }

    #[test]
    fn who_sees_all_and_who_may_what() {
        let roles = roles();
        let system = SystemRights(vec![
            ("create role".into(), "maker".into()),
            ("ACCESS SYSTEM TABLE".into(), "auditor".into()),
        ]);
        let login = |name: &str, superuser| Login { name: name.into(), superuser, case_sensitive: false };
        let cases = [
            ("root", true, true, true),
            ("alice", false, false, true),
            ("bob", false, true, false),
            ("eve", false, true, true),
            ("carol", false, false, false),
        ];
        for (name, superuser, sees_all, may_create) in cases {
            let login = login(name, superuser);
            assert_eq!(roles.sees_all(&login, &system), sees_all, "{name} sees all");
            assert_eq!(roles.may(&login, &system, "CREATE ROLE"), may_create, "{name} may create roles");
        }
        let auditor = Roles { of_users: vec![("dora".into(), "auditor".into())], ..Roles::default() };
        assert!(auditor.sees_all(&login("dora", false), &system));
    }

    #[test]
    fn rows_become_what_each_role_holds() {
        let all = role_rights(
            &rows(&[
                &["s", "a", "SELECT", "tfds_1", "f"],
                &["s", "a", "insert", "tfds_1", "f"],
                &["s", "b", "FLY", "tfds_1", "f"],
            ]),
            &rows(&[
                &["s", "USAGE", "tfds_1", "f", "SCHEMA"],
                // Another role: blanks at the end of a name count.
                &["s", "CREATE", "tfds_1 ", "f", "SCHEMA"],
                &["s", "SELECT", "tfds_1", "f", "TABLES"],
                &["s", "EXECUTE", "tfds_1", "f", "FUNCTIONS"],
                &["s", "CREATE", "other", "f", ""],
            ]),
            &rows(&[
                &["s", "RELATION", "owner", "SELECT", "tfds_1", "role"],
                &["s", "FUNCTION", "owner", "EXECUTE", "tfds_1", "role"],
                &["", "RELATION", "owner", "DELETE", "tfds_1", "role"],
            ]),
        )
        .expect("reads");
        let held = all.of("TFDS_1", false).expect("is there");
        assert_eq!(held.relations.len(), 1);
        assert_eq!(held.relations[&("s".into(), "a".into())].to_string(), "SELECT, INSERT");
        assert_eq!(held.schemas["s"].to_string(), "USAGE");
        assert_eq!(held.scoped["s"].to_string(), "SELECT");
        assert_eq!(held.defaults[&(Some("s".into()), "owner".into())].to_string(), "SELECT");
        assert_eq!(held.defaults[&(None, "owner".into())].to_string(), "DELETE");
        assert_eq!(all.of("other", true).expect("is there").schemas["s"].to_string(), "CREATE");
        assert!(all.of("TFDS_1", true).is_none() && all.of("none", false).is_none());
    }

    #[test]
    fn only_scoped_rights_on_tables_count_for_users() {
        let scopes = user_scopes(&rows(&[
            &["s", "SELECT", "svc", "f", "TABLES"],
            &["s", "USAGE", "svc", "f", "SCHEMA"],
            &["s", "EXECUTE", "svc", "f", "FUNCTIONS"],
        ]))
        .expect("reads");
        assert_eq!(scopes.0.len(), 1);
        assert_eq!(scopes.0[&("svc".into(), "s".into())].to_string(), "SELECT");
    }
}
