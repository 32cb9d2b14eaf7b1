//! Who a session is, read when it opens.

use crate::engine::error::Error;
use crate::engine::session::row::Row;
use crate::engine::sql::{Sql, sql};

/// Read in one statement when a session opens (leader-node functions and `pg_user` only).
pub(super) fn opening() -> Sql {
    sql!(
        "SELECT current_user, session_user, current_database(), version(), pg_backend_pid(), u.usesysid, u.usesuper, u.usecreatedb, current_setting('enable_case_sensitive_identifier') FROM pg_user u WHERE u.usename = current_user"
    )
}

/// The warehouse's own id (AWS: CURRENT_NAMESPACE). A server without it refuses; that is no error.
pub(super) fn namespace() -> Sql {
    sql!("SELECT current_namespace")
}

/// Who a session is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Facts {
    /// `current_user`
    pub user: String,
    /// `session_user`
    pub session_user: String,
    /// `current_database()`
    pub database: String,
    /// `version()`
    pub server_version: String,
    /// `pg_backend_pid()`
    pub backend_pid: i32,
    /// `usesysid`
    pub user_id: i64,
    /// `usesuper`
    pub superuser: bool,
    /// `usecreatedb`
    pub createdb: bool,
    /// `enable_case_sensitive_identifier`: whether names other than users' keep their case.
    pub case_sensitive: bool,
    /// `current_namespace`, where there is one.
    pub namespace: Option<String>,
}

impl Facts {
    /// Reads the answer to the opening query.
    pub(super) fn read(rows: &[Row], namespace: Option<String>) -> Result<Self, Error> {
        let Some(row) = rows.first() else {
            return Err(Error::refused(
                "The login is not in pg_user",
                "The warehouse let the login in but does not list it, so its rights cannot be told. So it is with users of IAM Identity Center and of other identity providers, whom this provider does not know: sign in as a database user, by a password or by IAM.",
            ));
        };
        Ok(Self {
            user: row.text(0)?.to_owned(),
            session_user: row.text(1)?.to_owned(),
            database: row.text(2)?.to_owned(),
            server_version: row.text(3)?.to_owned(),
            backend_pid: row.parse(4)?,
            user_id: row.parse(5)?,
            superuser: row.flag(6)?,
            createdb: row.flag(7)?,
            case_sensitive: row.get(8).is_some_and(|text| matches!(text.trim(), "on" | "true" | "t" | "1")),
            namespace,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_opening_row_is_read() {
        let row = Row::new(
            ["alice", "alice", "dev", "PostgreSQL 8.0.2 on …, Redshift 1.0.1", "77", "100", "t", "f", "on"].map(Some),
        );
        let facts = Facts::read(&[row], Some("guid".into())).expect("facts");
        assert_eq!((facts.user.as_str(), facts.backend_pid, facts.user_id), ("alice", 77, 100));
        assert!(facts.superuser && !facts.createdb && facts.case_sensitive);
        assert_eq!(facts.namespace.as_deref(), Some("guid"));
        let row = Row::new(["a", "a", "d", "v", "1", "1", "f", "t"].into_iter().map(Some).chain([None]));
        assert!(!Facts::read(&[row], None).expect("facts").case_sensitive);
        assert!(Facts::read(&[], None).is_err());
    }
}
