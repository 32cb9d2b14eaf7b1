//! Statements as a text for a person to run: for any client, with comments, without secrets.

use crate::engine::sql::Sql;

/// One script.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Script {
    /// Database in which to run it.
    pub run_in_database: String,
    /// Who has to run it.
    pub run_as: &'static str,
    /// Whether the client has to commit each statement by itself.
    pub autocommit: bool,
    /// The statements in order, for clients that cannot split a text.
    pub statements: Vec<String>,
    /// The same as one text, with comments.
    pub sql: String,
}

/// Who has to run them.
const RUN_AS: &str = "a superuser";

/// A text with comments, of which the statements are known too.
pub(in crate::engine) struct Writer {
    sql: String,
    statements: Vec<String>,
}

impl Writer {
    /// One that begins and ends its own transactions.
    pub fn new(what: &str, database: &str) -> Writer {
        Writer::with_manner(what, database, "It begins and ends its own transactions. Stop at the first error.")
    }

    /// One that says otherwise how it is to be run.
    pub fn with_manner(what: &str, database: &str, manner: &str) -> Writer {
        let head =
            format!("-- {what}\n-- Run it in database {database}, as {RUN_AS}, with autocommit on.\n-- {manner}\n");
        Writer { sql: head, statements: Vec::new() }
    }

    /// A comment. Its text has to be one line.
    pub fn remark(&mut self, text: &str) {
        self.sql.push_str(&format!("\n-- {text}\n"));
    }

    /// Comments as they are written.
    pub fn comment(&mut self, lines: &str) {
        self.sql.push_str(lines);
    }

    pub fn statement(&mut self, statement: Sql) {
        let statement = statement.to_string();
        self.sql.push_str(&statement);
        self.sql.push_str(";\n");
        self.statements.push(statement);
    }

    pub fn all(&mut self, statements: impl IntoIterator<Item = Sql>) {
        statements.into_iter().for_each(|statement| self.statement(statement));
    }

    pub fn done(self, database: &str) -> Script {
        Script {
            run_in_database: database.to_owned(),
            run_as: RUN_AS,
            autocommit: true,
            statements: self.statements,
            sql: self.sql,
        }
    }
}
