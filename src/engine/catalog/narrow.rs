//! What datastores' roles hold that no datastore ever declares: rights on columns, routines, languages and databases, and
//! default privileges on routines.

use futures::future::BoxFuture;

use crate::engine::error::Error;
use crate::engine::names::same_name;
use crate::engine::session::{Row, Session, row};
use crate::engine::sql::sql;

/// A right of a role.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Narrow {
    pub role: String,
    /// As the warehouse names it.
    pub privilege: String,
    pub on: On,
}

/// What it is on.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum On {
    Column {
        schema: String,
        table: String,
        column: String,
    },
    /// A function or procedure.
    Routine {
        schema: String,
        name: String,
    },
    Language(String),
    /// The database itself, this one or another.
    Database(String),
    /// All that is in this database of one kind, present and future.
    InDatabase(String),
    /// Routines that a user will make.
    FutureRoutines {
        /// None: in every schema.
        schema: Option<String>,
        owner: String,
    },
}

/// The rights of all roles whose name is like a datastore's.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NarrowRights(pub Vec<Narrow>);

impl NarrowRights {
    /// Those of one role.
    pub fn of(&self, role: &str, case_sensitive: bool) -> Vec<Narrow> {
        let mut all: Vec<Narrow> =
            self.0.iter().filter(|right| same_name(&right.role, role, case_sensitive)).cloned().collect();
        all.sort();
        all
    }
}

/// Reads them. Each view is asked by itself: where one is not there, or not for this login, nothing is known of its kind.
pub fn load(session: &mut Session) -> BoxFuture<'_, Result<NarrowRights, Error>> {
    Box::pin(async move {
        let queries = [
            sql!(
                "SELECT 'column', identity_name, privilege_type, namespace_name, relation_name, column_name \
                 FROM svv_column_privileges WHERE identity_type = 'role' AND identity_name LIKE 'tfds\\\\_%'"
            ),
            sql!(
                "SELECT 'routine', identity_name, privilege_type, namespace_name, function_name, '' \
                 FROM svv_function_privileges WHERE identity_type = 'role' AND identity_name LIKE 'tfds\\\\_%'"
            ),
            sql!(
                "SELECT 'language', identity_name, privilege_type, language_name, '', '' \
                 FROM svv_language_privileges WHERE identity_type = 'role' AND identity_name LIKE 'tfds\\\\_%'"
            ),
            sql!(
                "SELECT 'database', identity_name, privilege_type, database_name, privilege_scope, '' \
                 FROM svv_database_privileges WHERE identity_type = 'role' AND identity_name LIKE 'tfds\\\\_%'"
            ),
            sql!(
                "SELECT 'default', grantee_name, privilege_type, schema_name, object_type, owner_name \
                 FROM svv_default_privileges WHERE grantee_type = 'role' AND grantee_name LIKE 'tfds\\\\_%'"
            ),
        ];
        let mut rows = Vec::new();
        for query in &queries {
            match session.query(query).await {
                Ok(more) => rows.extend(more),
                Err(error) if matches!(error.sqlstate(), Some("42P01" | "42501")) => {
                    tracing::debug!(%error, "a view of rights is not there for this login");
                }
                Err(error) => return Err(error),
            }
        }
        let facts = session.facts();
        // The view shows them of all databases, and each can be revoked in its own only.
        let is_elsewhere = |right: &Narrow| matches!(&right.on, On::InDatabase(name) if !same_name(name, &facts.database, facts.case_sensitive));
        Ok(NarrowRights(rows.iter().filter_map(right).filter(|right| !is_elsewhere(right)).collect()))
    })
}

fn right(row: &Row) -> Option<Narrow> {
    let text = |column: usize| row.get(column).map(row::name).unwrap_or_default().to_owned();
    let on = match (text(0).as_str(), text(4).to_ascii_uppercase().as_str()) {
        ("column", _) => On::Column { schema: text(3), table: text(4), column: text(5) },
        ("routine", _) => On::Routine { schema: text(3), name: text(4) },
        ("language", _) => On::Language(text(3)),
        ("database", "" | "DATABASE") => On::Database(text(3)),
        ("database", "TABLES" | "TABLE") => On::InDatabase(text(3)),
        ("default", "FUNCTION" | "FUNCTIONS" | "PROCEDURE" | "PROCEDURES") => {
            On::FutureRoutines { schema: Some(text(3)).filter(|name| !name.is_empty()), owner: text(5) }
        }
        _ => return None,
    };
    Some(Narrow { role: text(1), privilege: text(2), on })
}
