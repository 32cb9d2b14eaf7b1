//! Rights on everything in a database: they reach the managed tables too. They are somebody's, so none is taken back; they
//! are named, and stop a run that does not allow them.

use std::collections::BTreeSet;

use super::found::World;
use super::spec::Spec;
use crate::engine::error::Error;
use crate::engine::names::check_name;
use crate::engine::session::Session;
use crate::engine::session::validation::{Status, TestResult, passed_with};
use crate::engine::sql::{literal, sql};

/// The name of the test.
pub const TEST: &str = "Nobody Else Reaches The Managed Tables";

/// Somebody who holds a right on all objects of one kind in the database.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Exposure {
    /// `user ann` or `role analysts`.
    pub holder: String,
    /// `SELECT for tables`.
    pub right: String,
}

/// The scopes that reach what is managed: its tables, the procedure by which members act for others, and its schemas, in
/// which somebody could put something in its place or stand in front of the lock. (A right on functions is one to call
/// what is nobody's secret.)
const SCOPES: [&str; 3] = ["TABLES", "PROCEDURES", "SCHEMAS"];

/// What is granted on all of the session's database, as far as the login sees it (AWS: SVV_DATABASE_PRIVILEGES).
pub(super) async fn read(session: &mut Session, database: &str, world: &World) -> Result<Vec<Exposure>, Error> {
    let query = sql!(
        "SELECT privilege_type, identity_name, identity_type, privilege_scope FROM svv_database_privileges WHERE database_name = {}",
        literal(database)
    );
    let mut found = BTreeSet::new();
    for row in session.query(&query).await? {
        let (privilege, name, kind) = (row.text(0)?.trim(), row.text(1)?, row.text(2)?.trim());
        let scope = row.text(3)?.trim();
        let is_admin = kind == "user" && world.principals.user(name).is_some_and(|user| user.superuser);
        if !SCOPES.contains(&scope) || is_admin {
            continue;
        }
        let holder = if kind == "public" { "PUBLIC".to_owned() } else { format!("{kind} {name}") };
        let right = format!("{} for {}", privilege.to_uppercase(), scope.to_lowercase());
        found.insert(Exposure { holder, right });
    }
    Ok(found.into_iter().collect())
}

/// Who reaches in without being allowed to, one line for each right.
pub fn exposed_to(found: &[Exposure], spec: &Spec) -> Vec<String> {
    let system = format!("user {}", spec.system_user);
    let others = found.iter().filter(|it| !spec.allowed_readers.contains(&it.holder) && it.holder != system);
    others.map(|it| format!("{}: {} in database {}", it.holder, it.right, spec.database)).collect()
}

/// The same as a test.
pub fn test(found: &[Exposure], spec: &Spec) -> TestResult {
    let exposed = exposed_to(found, spec);
    if exposed.is_empty() {
        return passed_with(TEST, serde_json::json!([]));
    }
    TestResult {
        name: TEST.into(),
        status: Status::Failed,
        message: Some(format!(
            "They hold rights on everything in the database, and with them on what is managed here, the profile and the key of impersonation included: {}. They may be meant for other tables, so nothing was revoked. Grant them schema by schema instead and revoke these (REVOKE SELECT FOR TABLES IN DATABASE ... FROM ...), or accept it with allowed_readers, in these words: \"role analysts\", \"user ann\".",
            super::few(&exposed)
        )),
        result: None,
    }
}

/// `user NAME` or `role NAME`.
pub(super) fn check_reader(reader: &str) -> Result<(), Error> {
    let named = reader.strip_prefix("user ").or_else(|| reader.strip_prefix("role "));
    if named.is_some_and(|name| check_name(name).is_ok()) {
        return Ok(());
    }
    Err(Error::setting(
        "allowed_readers",
        format!("\"{}\" is neither \"user NAME\" nor \"role NAME\".", reader.escape_debug()),
    ))
}
