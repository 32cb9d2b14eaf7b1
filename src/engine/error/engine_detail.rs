//! Reading what Redshift's execution engine puts into the fields of an error.

use super::{ServerError, shown};

impl ServerError {
    /// The engine's own number (1018, 1023, ...): the whole message, its first word, or the line `code:` of the block
    /// that Redshift sends as DETAIL of an XX000.
    pub fn engine_code(&self) -> Option<u32> {
        let first = self.message.raw().split(|c: char| c.is_whitespace() || c == ':').next().unwrap_or_default();
        first.parse().ok().filter(|code| *code >= 1000).or_else(|| self.block_field("code")?.parse().ok())
    }

    /// Whether message or DETAIL hold `text`.
    pub fn says(&self, text: &str) -> bool {
        self.message.contains(text) || self.detail.as_ref().is_some_and(|detail| detail.contains(text))
    }

    /// The value after `name:` in the engine's block.
    fn block_field(&self, name: &str) -> Option<&str> {
        let lines = self.detail.as_ref()?.raw().lines();
        lines.into_iter().find_map(|line| Some(line.trim().strip_prefix(name)?.strip_prefix(':')?.trim()))
    }

    /// The warehouse's words, with DETAIL and HINT, and the statement. Of the engine's block only what a reader can use.
    pub(in crate::engine) fn detail_text(&self) -> String {
        let mut text = self.message.to_string();
        match (self.block_field("code"), self.block_field("context")) {
            (Some(code), Some(context)) => {
                let error = self.block_field("error").filter(|error| !self.message.contains(error));
                let words: Vec<&str> = error.into_iter().chain([context]).filter(|word| !word.is_empty()).collect();
                text.push_str(&format!("\n{} (code {})", shown(&words.join(": ")), shown(code)));
            }
            _ => {
                if let Some(detail) = self.detail.as_ref().filter(|detail| !detail.is_empty()) {
                    text.push_str(&format!("\n{detail}"));
                }
            }
        }
        if let Some(hint) = &self.hint {
            text.push_str(&format!("\nHint of the warehouse: {hint}"));
        }
        let database = if self.database.is_empty() {
            String::new()
        } else {
            format!(" in database \"{}\"", shown(&self.database))
        };
        text.push_str(&format!("\nSQLSTATE {}{database}", shown(&self.sqlstate)));
        if !self.statement.is_empty() {
            text.push_str(&format!(", statement: {}", self.statement));
        }
        text
    }

    /// One line for the kind of error (the table of SQLSTATEs; PostgreSQL 8.0's appendix A).
    pub(in crate::engine) fn summary(&self) -> &'static str {
        if self.says("Cannot connect to shared database") {
            return "A shared database cannot be connected to";
        }
        if self.says("not supported on Redshift tables") {
            return "Redshift cannot run this query";
        }
        match self.sqlstate.as_str() {
            "3D000" => "Database does not exist",
            "3F000" => "Schema does not exist",
            "42P01" => "Table or view does not exist",
            "42704" => "User, group, role or other object does not exist",
            "42501" => "Permission denied",
            "42P04" => "Database exists already",
            "42P06" => "Schema exists already",
            "42710" => "User, group, role or other object exists already",
            "2BP01" => "Other objects depend on it",
            "55006" => "Object is in use",
            "25001" => "Statement cannot run in a transaction",
            "25P02" => "An earlier statement of the transaction failed",
            "40001" | "40P01" => "Conflict with another transaction",
            "53300" => "Too many connections",
            "57014" => "Statement was cancelled by the warehouse",
            "57P01" | "57P02" | "57P03" => "Warehouse is not available",
            _ if super::Error::from(self.clone()).is_retryable() => "Conflict with another transaction",
            _ => "Redshift refused a statement",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::Error;
    use super::*;

    const BLOCK: &str = "\n  -----------------------------------------------\n  error:  Relation does not exist\n  code:      1018\n  context:   Table 1234 was dropped\n  query:     77\n  location:  xen_execute.cpp:1\n  process:   padbmaster [pid=1]\n  -----------------------------------------------\n";

    #[test]
    fn the_engine_number_is_found_wherever_it_stands() {
        let mut error = ServerError::new("XX000", "1023");
        assert_eq!(error.engine_code(), Some(1023));
        error.message = "1023 DETAIL: Serializable isolation violation on table - 1".into();
        assert_eq!(error.engine_code(), Some(1023));
        error.message = "Assert".into();
        assert_eq!(error.engine_code(), None);
        error.detail = Some(BLOCK.into());
        assert_eq!(error.engine_code(), Some(1018));
        assert!(Error::from(error).is_retryable());
    }

    #[test]
    fn only_conflicts_are_tried_again() {
        for (sqlstate, message, again) in [
            ("40001", "could not serialize access", true),
            ("40P01", "deadlock detected", true),
            ("XX000", "1018", true),
            ("XX000", "could not complete because of conflict with concurrent transaction", true),
            ("XX000", "tuple concurrently updated", true),
            ("XX000", "Assert", false),
            ("25P02", "current transaction is aborted", false),
            ("23505", "duplicate key", false),
            ("3F000", "schema \"s\" does not exist", false),
            ("42501", "tuple concurrently updated", false),
        ] {
            assert_eq!(Error::from(ServerError::new(sqlstate, message)).is_retryable(), again, "{sqlstate} {message}");
        }
        assert!(!Error::Cancelled.is_retryable());
    }

    #[test]
    fn the_block_is_shortened_to_what_a_reader_can_use() {
        let error = ServerError {
            detail: Some(BLOCK.into()),
            hint: Some("try again".into()),
            statement: "GRANT …".into(),
            database: "dev".into(),
            ..ServerError::new("XX000", "Assert")
        };
        assert_eq!(
            Error::from(error).to_string(),
            "Conflict with another transaction: Assert\nRelation does not exist: Table 1234 was dropped (code 1018)\nHint of the warehouse: try again\nSQLSTATE XX000 in database \"dev\", statement: GRANT …"
        );
    }

    #[test]
    fn a_server_that_goes_away_is_unreachable_and_a_refusal_is_not() {
        assert!(Error::from(ServerError::new("57P01", "terminating connection")).is_unreachable());
        assert!(!Error::from(ServerError::new("42501", "permission denied")).is_unreachable());
    }
}
