//! A datastore's own role: what it is called, and when one that is there may be taken for it.
//!
//! The name follows from what is declared, so that what a killed apply left is found again. Whoever may make roles can
//! make one of that name beforehand, so one that is there is filled only if it can be nobody else's.

use std::fmt::Write as _;

use futures::future::BoxFuture;
use sha2::{Digest, Sha256};
use tokio_util::sync::CancellationToken;

use crate::engine::catalog::At;
use crate::engine::catalog::principals::{Principals, is_true};
use crate::engine::catalog::snapshot::Login;
use crate::engine::datastore::declared::{Declared, same_grantee};
use crate::engine::datastore::grantee::{Grantee, GranteeKind};
use crate::engine::datastore::owners::Warning;
use crate::engine::datastore::wanted::Wanted;
use crate::engine::error::Error;
use crate::engine::names::{fold_ascii, same_name};
use crate::engine::rights::Privilege;
use crate::engine::run::Guard;
use crate::engine::session::warehouse::Warehouse;
use crate::engine::session::{Row, Session, row};
use crate::engine::sql::{Quoted, Sql, ident, literal, sql};
use crate::engine::user::looking::listed_databases;

const PREFIX: &str = "tfds_";

/// How many names are tried: the one that follows from what is declared, and with a suffix.
const NAMES: u32 = 9;

/// The name of a datastore's role: `tfds_` and the first ten hexadecimal digits of SHA-256 over database, schema, mode,
/// and the grantee's type and name, each with its length before it.
pub fn role_name(wanted: &Wanted, case_sensitive: bool) -> String {
    let folded = |name: &str| if case_sensitive { name.to_owned() } else { fold_ascii(name) };
    let (kind, name) = match &wanted.grantee {
        // User names keep their case.
        Some(grantee) if grantee.kind == GranteeKind::User => (grantee.kind.name(), grantee.name.clone()),
        Some(grantee) => (grantee.kind.name(), folded(&grantee.name)),
        None => ("", String::new()),
    };
    let mode = if wanted.write { "enrichment" } else { "source" };
    let mut digest = Sha256::new();
    for part in [&*folded(&wanted.database), &*folded(&wanted.schema), mode, kind, &*name] {
        digest.update((part.len() as u64).to_be_bytes());
        digest.update(part);
    }
    let mut text = PREFIX.to_owned();
    for byte in digest.finalize().iter().take(5) {
        // Writing to a String cannot fail.
        let _ = write!(text, "{byte:02x}");
    }
    text
}

/// Whether a name has the shape of a datastore's role.
pub fn is_role_name(name: &str) -> bool {
    let Some(rest) = name.strip_prefix(PREFIX) else { return false };
    let (digits, suffix) = rest.split_once('_').map_or((rest, None), |(digits, suffix)| (digits, Some(suffix)));
    digits.len() == 10
        && digits.bytes().all(|digit| matches!(digit, b'0'..=b'9' | b'a'..=b'f'))
        && suffix.is_none_or(|suffix| matches!(suffix.as_bytes(), [b'2'..=b'9']))
}

/// A name that was chosen for a datastore's role.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Chosen {
    pub name: String,
    /// That a role of this name is there and will be taken over.
    pub taken_over: Option<Warning>,
    /// The names that were not taken.
    pub passed_over: Vec<Warning>,
}

/// Chooses the name of a datastore's role: the one that follows from what is declared, or with a suffix where a role of
/// that name is there that may not be taken over. `ours`: roles that state knows.
pub async fn choose_role(
    warehouse: &Warehouse,
    wanted: &Wanted,
    ours: &(dyn Fn(&str) -> bool + Send + Sync),
    cancel: &CancellationToken,
) -> Result<Chosen, Error> {
    // Roles belong to the warehouse; the datastore's database may still have to be made.
    let at = At::new(warehouse, &warehouse.access().database, cancel);
    let facts = warehouse.facts(cancel).await?;
    let roles = warehouse.catalog().roles(at, Some("")).await?;
    let base = role_name(wanted, facts.case_sensitive);
    let mut passed = Vec::new();
    for number in 1..=NAMES {
        let name = if number == 1 { base.clone() } else { format!("{base}_{number}") };
        if !roles.has(&name, facts.case_sensitive) || ours(&name) {
            return Ok(Chosen { name, taken_over: None, passed_over: passed });
        }
        let obstacles = obstacles(warehouse, wanted, &name, cancel).await?;
        if obstacles.is_empty() {
            let warning = taken_over(&name);
            return Ok(Chosen { name, taken_over: Some(warning), passed_over: passed });
        }
        passed.push(passed_over(&name, &obstacles));
    }
    Err(Error::refused(
        format!("There is no free name for a role of schema {}", ident(&wanted.schema)),
        format!(
            "Roles {} to {base}_{NAMES} are there and cannot be taken over:\n{}",
            ident(&base),
            passed.iter().map(|warning| warning.detail.as_str()).collect::<Vec<_>>().join("\n")
        ),
    )
    .about("grant_role"))
}

/// The roles of datastores that a user holds, as far as they are seen.
pub async fn roles_of(warehouse: &Warehouse, user: &str, cancel: &CancellationToken) -> Vec<String> {
    let at = At::new(warehouse, &warehouse.access().database, cancel);
    let Ok(roles) = warehouse.catalog().roles(at, Some("")).await else { return Vec::new() };
    let his = roles.of_users.iter().filter(|(name, role)| name == user && is_role_name(role));
    his.map(|(_, role)| role.clone()).collect()
}

/// Says that a role that is there is taken for the datastore's.
pub fn taken_over(role: &str) -> Warning {
    Warning {
        summary: format!("Role {} is there already and is taken over", ident(role)),
        detail:
            "It has the name that follows from what this datastore declares, and it can be nobody else's: so it is \
                 what an interrupted apply or a lost state left. If another state declares the same datastore, each of \
                 the two takes back what the other adds, and a destroy of either takes the role from both."
                .to_owned(),
    }
}

fn passed_over(role: &str, obstacles: &[String]) -> Warning {
    Warning {
        summary: format!("Role {} is there and is not this datastore's", ident(role)),
        detail: format!(
            "It has the name that follows from what this datastore declares, but:\n- {}\nIt is left as it is, and \
             another name is used. If nobody needs it, drop it: it may hold rights.",
            obstacles.join("\n- ")
        ),
    }
}

/// The error where a role cannot be taken over by now.
pub fn not_ours(role: &str, obstacles: &[String]) -> Error {
    Error::refused(
        format!("Role {} is there and cannot be taken over", ident(role)),
        format!(
            "It has this datastore's name, but:\n- {}\nNothing was granted to it. Drop or rename it if nobody needs it, and \
             apply again.",
            obstacles.join("\n- ")
        ),
    )
    .about("grant_role")
}

/// What stands against taking a role that is there for the datastore's: everything about it in every database, read now.
pub async fn obstacles(
    warehouse: &Warehouse,
    wanted: &Wanted,
    role: &str,
    cancel: &CancellationToken,
) -> Result<Vec<String>, Error> {
    let at = At::new(warehouse, &wanted.database, cancel);
    let test = Test::new(at, wanted, role).await?;
    let mut session = warehouse.session(&wanted.database, cancel).await?;
    let mut all = test.clone().in_warehouse(&mut session, false).await?;
    all.extend(test.in_database(&mut session).await?);
    let databases = listed_databases(&mut session).await?;
    drop(session);
    for database in databases.iter().filter(|name| !same_name(name, &wanted.database, test.login.case_sensitive)) {
        match warehouse.session(database, cancel).await {
            Ok(mut session) => all.extend(test.in_database(&mut session).await?),
            Err(Error::Cancelled) => return Err(Error::Cancelled),
            Err(error) => {
                all.push(format!("database {} could not be looked at: {}", ident(database), error.summary()));
            }
        }
    }
    Ok(all)
}

/// What is asked about a role.
#[derive(Clone)]
pub struct Test {
    wanted: Wanted,
    role: String,
    login: Login,
    sees_all: bool,
    external: bool,
    principals: std::sync::Arc<Principals>,
}

impl Test {
    /// The test of one role for one datastore.
    pub async fn new(at: At<'_>, wanted: &Wanted, role: &str) -> Result<Test, Error> {
        let catalog = at.warehouse.catalog();
        let snapshot = catalog.snapshot(at, Some(&wanted.schema)).await?;
        let login = snapshot.login.clone();
        let (roles, system) = (catalog.roles(at, Some("")).await?, catalog.system_rights(at).await?);
        let external = catalog.external_schemas(at).await?;
        Ok(Test {
            sees_all: roles.sees_all(&login, &system),
            external: external.has(&wanted.schema, login.case_sensitive),
            // As the warehouse spells it.
            role: roles
                .names
                .iter()
                .find(|name| same_name(name, role, login.case_sensitive))
                .map_or_else(|| role.to_owned(), Clone::clone),
            principals: catalog.principals(at).await?,
            wanted: wanted.clone(),
            login,
        })
    }

    /// Owner, holders, and what does not belong to a database. In a transaction a view that is refused would end it, so
    /// the one that may be is asked before only.
    async fn in_warehouse(self, session: &mut Session, in_transaction: bool) -> Result<Vec<String>, Error> {
        let Test { wanted, role, login, sees_all, principals, .. } = self;
        let name = literal(&role);
        let mut all = Vec::new();
        if !sees_all {
            all.push(format!(
                "user {} does not see who holds it and what it holds (ACCESS SYSTEM TABLE would show it)",
                ident(&login.name)
            ));
        }
        let owners =
            session.query(&sql!("SELECT role_name, role_owner FROM svv_roles WHERE role_name = {}", name)).await?;
        // A comparison of the warehouse may pass over blanks at the end.
        let owner = owners.iter().find(|row| row.name(0).is_ok_and(|name| name == role)).map(|row| text(row, 1));
        match owner.transpose()? {
            Some(owner) if is_trusted(&owner, &login, &principals) => {}
            Some(owner) => all.push(format!("user {} owns it", ident(&owner))),
            None => all.push("its owner could not be read".to_owned()),
        }
        let query = sql!("SELECT user_name, admin_option FROM svv_user_grants WHERE role_name = {}", name);
        for row in session.query(&query).await? {
            let holder = Grantee::user(text(&row, 0)?);
            if !wanted.grantee.as_ref().is_some_and(|it| same_grantee(it, &holder, login.case_sensitive)) {
                all.push(format!("{holder} holds it"));
            } else if is_true(row.get(1)) {
                all.push(format!("{holder} holds it with ADMIN OPTION"));
            }
        }
        let query = sql!(
            "SELECT role_name, granted_role_name FROM svv_role_grants WHERE role_name = {0} OR granted_role_name = {0}",
            name
        );
        for row in session.query(&query).await? {
            let (holder, held) = (Grantee::role(text(&row, 0)?), text(&row, 1)?);
            if same_name(&holder.name, &role, login.case_sensitive) {
                all.push(format!("it holds role {}", ident(&held)));
            } else if !wanted.grantee.as_ref().is_some_and(|it| same_grantee(it, &holder, login.case_sensitive)) {
                all.push(format!("{holder} holds it"));
            }
        }
        let query = sql!(
            "SELECT system_privilege FROM svv_system_privileges WHERE identity_type = 'role' AND identity_name = {}",
            name
        );
        for row in session.query(&query).await? {
            all.push(format!("it has the system permission {}", text(&row, 0)?));
        }
        if !in_transaction {
            let queries = [
                sql!(
                    "SELECT iam_arn FROM svv_iam_privileges WHERE identity_type = 'role' AND identity_name = {}",
                    name
                ),
                sql!(
                    "SELECT datashare_name FROM svv_datashare_privileges WHERE identity_type = 'role' \
                     AND identity_name = {}",
                    name
                ),
            ];
            for (query, what) in queries.iter().zip(["ASSUMEROLE on", "rights on datashare"]) {
                match session.query(query).await {
                    Ok(rows) => {
                        for row in &rows {
                            all.push(format!("it has {what} {}", text(row, 0)?));
                        }
                    }
                    // A warehouse without the view has nothing of the kind.
                    Err(error) if error.sqlstate() == Some("42P01") => {}
                    Err(error) if error.sqlstate() == Some("42501") => {
                        all.push(format!("whether it has {what} anything could not be read"));
                    }
                    Err(error) => return Err(error),
                }
            }
        }
        Ok(all)
    }

    /// The rights in the session's database that this datastore does not declare.
    async fn in_database(&self, session: &mut Session) -> Result<Vec<String>, Error> {
        let database = session.facts().database.clone();
        let here = same_name(&database, &self.wanted.database, self.login.case_sensitive);
        let declared = if here { Declared::of(&self.wanted, self.external) } else { Declared::default() };
        let of_schema = |schema: &str| here && same_name(schema, &self.wanted.schema, self.login.case_sensitive);
        let mut all = Vec::new();
        let mut found = |privilege: &str, on: String| {
            all.push(format!("it has {privilege} on {on} in database {}", ident(&database)));
        };
        for (view, query) in self.queries() {
            for row in session.query(&query).await? {
                let (privilege, one, two) = (text(&row, 0)?, text(&row, 1)?, text(&row, 2)?);
                let known = Privilege::from_name(privilege.trim()).filter(|_| !is_true(row.get(3)));
                let has = |rights: crate::engine::rights::Rights| known.is_some_and(|known| rights.has(known));
                let (is_declared, on) = match view {
                    View::Relation => {
                        let rights = declared.tables.on(&two, self.login.case_sensitive);
                        (of_schema(&one) && has(rights), format!("{one}.{two}"))
                    }
                    View::Schema => {
                        let rights = match two.to_ascii_uppercase().as_str() {
                            "" | "SCHEMA" => declared.schema,
                            "TABLE" | "TABLES" => declared.scoped,
                            _ => crate::engine::rights::Rights::NONE,
                        };
                        (of_schema(&one) && has(rights), format!("schema {one}"))
                    }
                    View::Default => {
                        (of_schema(&one) && has(declared.on_future_of(&two)), format!("what {two} makes in {one}"))
                    }
                    View::Database => {
                        let plain = matches!(two.to_ascii_uppercase().as_str(), "" | "DATABASE");
                        let named = same_name(&one, &database, self.login.case_sensitive);
                        if !named {
                            // Each database is asked for its own.
                            continue;
                        }
                        (here && plain && declared.temp && known == Some(Privilege::Temp), format!("database {one}"))
                    }
                    View::Other => (false, format!("{one} {two}")),
                };
                if !is_declared {
                    found(&privilege, on);
                }
            }
        }
        Ok(all)
    }

    /// Privilege, two names, and whether it may be passed on.
    fn queries(&self) -> [(View, Sql); 7] {
        let name: Quoted = literal(&self.role);
        [
            (
                View::Relation,
                sql!(
                    "SELECT privilege_type, namespace_name, relation_name, admin_option FROM svv_relation_privileges \
                     WHERE identity_type = 'role' AND identity_name = {}",
                    name
                ),
            ),
            (
                View::Schema,
                sql!(
                    "SELECT privilege_type, namespace_name, privilege_scope, admin_option FROM svv_schema_privileges \
                     WHERE identity_type = 'role' AND identity_name = {}",
                    name
                ),
            ),
            (
                View::Default,
                sql!(
                    "SELECT privilege_type, schema_name, owner_name, admin_option, object_type \
                     FROM svv_default_privileges WHERE grantee_type = 'role' AND grantee_name = {}",
                    name
                ),
            ),
            (
                View::Database,
                sql!(
                    "SELECT privilege_type, database_name, privilege_scope, admin_option FROM svv_database_privileges \
                     WHERE identity_type = 'role' AND identity_name = {}",
                    name
                ),
            ),
            (
                View::Other,
                sql!(
                    "SELECT privilege_type, relation_name, column_name, admin_option FROM svv_column_privileges \
                     WHERE identity_type = 'role' AND identity_name = {}",
                    name
                ),
            ),
            (
                View::Other,
                sql!(
                    "SELECT privilege_type, namespace_name, function_name, admin_option FROM svv_function_privileges \
                     WHERE identity_type = 'role' AND identity_name = {}",
                    name
                ),
            ),
            (
                View::Other,
                sql!(
                    "SELECT privilege_type, language_name, identity_type, admin_option FROM svv_language_privileges \
                     WHERE identity_type = 'role' AND identity_name = {}",
                    name
                ),
            ),
        ]
    }
}

/// The whole test as far as one session sees it, in the transaction that grants: other databases were looked at before.
impl Guard for Test {
    fn test<'s>(&'s self, session: &'s mut Session) -> BoxFuture<'s, Result<(), Error>> {
        Box::pin(async move {
            let mut all = self.clone().in_warehouse(session, true).await?;
            all.extend(self.in_database(session).await?);
            if all.is_empty() { Ok(()) } else { Err(not_ours(&self.role, &all)) }
        })
    }
}

#[derive(Clone, Copy)]
enum View {
    Relation,
    Schema,
    Default,
    Database,
    Other,
}

/// Whether a role of this owner can be one of ours: the login's own, or for a superuser any superuser's.
pub fn is_trusted(owner: &str, login: &Login, principals: &Principals) -> bool {
    owner == login.name || login.superuser && principals.user(owner).is_some_and(|user| user.superuser)
}

/// A name, or nothing where a view holds none.
fn text(row: &Row, column: usize) -> Result<String, Error> {
    Ok(row.get(column).map(row::name).unwrap_or_default().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::datastore::wanted::FutureTables;
    use crate::engine::datastore::world::direct;

    #[test]
    fn a_name_follows_from_what_is_declared_and_from_nothing_else() {
        let name = |wanted: &Wanted| role_name(wanted, false);
        let one = direct();
        assert_eq!(name(&one), name(&Wanted { future: FutureTables::None, ..one.clone() }));
        assert_eq!(name(&one), name(&Wanted { schema: "SALES".into(), database: "Dev".into(), ..one.clone() }));
        let group = Wanted { grantee: Some(Grantee::role("Svc")), ..one.clone() };
        assert_eq!(name(&group), name(&Wanted { grantee: Some(Grantee::role("svc")), ..one.clone() }));
        let others = [
            Wanted { write: true, ..one.clone() },
            Wanted { schema: "sale".into(), ..one.clone() },
            Wanted { database: "devs".into(), schema: "ales".into(), ..one.clone() },
            Wanted { grantee: Some(Grantee::user("Svc")), ..one.clone() },
            group,
        ];
        for (index, other) in others.iter().enumerate() {
            assert_ne!(name(&one), name(other), "{index}");
            assert!(others[..index].iter().all(|earlier| name(earlier) != name(other)), "{index}");
        }
        assert_ne!(role_name(&Wanted { schema: "SALES".into(), ..one.clone() }, true), role_name(&one, true));
        // For good: a state that was lost must lead to the same role with every release.
        assert_eq!(name(&one), "tfds_00f4a94361");
    }

    #[test]
    fn names_of_our_shape_are_known_again() {
        assert!(is_role_name(&role_name(&direct(), false)));
        for name in ["tfds_0123456789", "tfds_0123456789_2", "tfds_0123456789_9"] {
            assert!(is_role_name(name), "{name}");
        }
        for name in [
            "tfds_",
            "tfds_012345678",
            "tfds_01234567890",
            "tfds_ABCDEF0123",
            "TFDS_0123456789",
            "x_0123456789",
            "tfds_0123456789_",
            "tfds_0123456789_1",
            "tfds_0123456789_10",
            "tfds_0123456789_2_2",
        ] {
            assert!(!is_role_name(name), "{name}");
        }
    }
}
