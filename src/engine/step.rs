//! One statement of a plan, with what whoever runs or prints it has to know.

use crate::engine::sql::Sql;

/// One statement of a plan.
#[derive(Clone, Debug)]
pub struct Step {
    pub database: String,
    pub sql: Sql,
    /// It cannot be in a transaction with others.
    pub alone: bool,
    /// It touches what all databases share: roles, memberships, users, rights on databases.
    pub shared: bool,
    /// What takes it back, where it ran alone.
    pub undo: Option<Sql>,
    /// What it is for, for people.
    pub comment: String,
}

impl Step {
    /// A step that shares a transaction with others.
    pub fn new(database: &str, sql: impl Into<Sql>, comment: impl Into<String>) -> Step {
        Step {
            database: database.to_owned(),
            sql: sql.into(),
            alone: false,
            shared: false,
            undo: None,
            comment: comment.into(),
        }
    }

    /// The same, on what all databases share.
    pub fn shared(database: &str, sql: impl Into<Sql>, comment: impl Into<String>) -> Step {
        Step { shared: true, ..Step::new(database, sql, comment) }
    }
}
