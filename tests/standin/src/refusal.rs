//! What the stand-in answers instead of running a statement.

/// An error in Redshift's words: SQLSTATE, message, and what goes with it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// Five characters, such as `0A000`.
    pub sqlstate: String,
    /// The primary message.
    pub message: String,
    /// The DETAIL field.
    pub detail: Option<String>,
    /// The HINT field.
    pub hint: Option<String>,
    /// INFO messages sent before the error.
    pub info: Vec<String>,
}

impl Refusal {
    /// An error of any code.
    pub fn new(sqlstate: &str, message: impl Into<String>) -> Self {
        Refusal { sqlstate: sqlstate.to_owned(), message: message.into(), detail: None, hint: None, info: Vec::new() }
    }

    /// 42601.
    pub fn syntax(message: impl Into<String>) -> Self {
        Refusal::new("42601", message)
    }

    /// 0A000: not on the stand-in's list. `what` names the form, relation, function, type or word.
    pub fn unlisted(what: impl std::fmt::Display) -> Self {
        let mut refusal = Refusal::new("0A000", format!("{what} is not on the stand-in's list"));
        refusal.detail = Some("tests/standin/ALLOWED.md says what is allowed, and what shows it on Redshift.".into());
        refusal
    }

    /// The statement that makes PostgreSQL raise this error, so that transaction states stay its business.
    pub fn to_sql(&self) -> String {
        use crate::names::literal;
        let detail = literal(self.detail.as_deref().unwrap_or_default());
        let hint = literal(self.hint.as_deref().unwrap_or_default());
        let info: Vec<String> = self.info.iter().map(|i| literal(i)).collect();
        format!(
            "SELECT pg_catalog.rs_refuse({}, {}, {detail}, {hint}, ARRAY[{}]::text[])",
            literal(&self.sqlstate),
            literal(&self.message),
            info.join(", ")
        )
    }
}
