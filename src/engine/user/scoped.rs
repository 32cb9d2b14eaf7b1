//! Scoped rights: on all objects of a kind in a schema or a database, present and future.

use std::collections::BTreeMap;

use crate::engine::rights::{Privilege, Rights};
use crate::engine::sql::{Sql, ident, sql};
use crate::engine::step::Step;

/// A scoped right in one database, in the warehouse's words.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Scoped {
    /// `TABLES`, `FUNCTIONS`, …
    pub scope: String,
    /// None: in the whole database.
    pub schema: Option<String>,
    pub privilege: String,
}

impl Scoped {
    /// None where the warehouse shows a scope or a privilege that has no statement here.
    fn known(&self) -> Option<(Sql, Privilege)> {
        Some((scope(&self.scope)?, Privilege::from_name(&self.privilege)?))
    }

    /// Whether a statement can take it away.
    pub fn is_known(&self) -> bool {
        self.known().is_some()
    }

    /// What is held on what.
    pub fn words(&self) -> String {
        let Scoped { scope, schema, privilege } = self;
        let place = schema.as_ref().map_or_else(|| "the database".to_owned(), |name| format!("schema {}", ident(name)));
        format!("{privilege} for {} in {place}", scope.to_ascii_lowercase())
    }
}

/// The kinds of objects that AWS names (GRANT, scoped permissions).
fn scope(word: &str) -> Option<Sql> {
    Some(match word.trim().to_ascii_uppercase().as_str() {
        "TABLES" => sql!("TABLES"),
        "SCHEMAS" => sql!("SCHEMAS"),
        "FUNCTIONS" => sql!("FUNCTIONS"),
        "PROCEDURES" => sql!("PROCEDURES"),
        "LANGUAGES" => sql!("LANGUAGES"),
        "COPY JOBS" => sql!("COPY JOBS"),
        "TEMPLATES" => sql!("TEMPLATES"),
        _ => return None,
    })
}

/// The statements that take them from a user, in their own database: Redshift takes them nowhere else (AWS: considerations
/// for scoped permissions).
pub fn revokes(scoped: &[Scoped], database: &str, user: &str) -> Vec<Step> {
    let mut together: BTreeMap<(&str, Option<&str>), (Sql, Rights)> = BTreeMap::new();
    for one in scoped {
        let Some((scope, privilege)) = one.known() else { continue };
        let entry = together.entry((one.scope.as_str(), one.schema.as_deref())).or_insert((scope, Rights::NONE));
        entry.1.insert(privilege);
    }
    let step = |((_, schema), (scope, rights)): ((&str, Option<&str>), (Sql, Rights))| {
        let (on, from) = (ident(database), ident(user));
        let sql = match schema {
            Some(schema) => {
                sql!("REVOKE {} FOR {} IN SCHEMA {} DATABASE {} FROM {}", rights, scope, ident(schema), on, from)
            }
            None => sql!("REVOKE {} FOR {} IN DATABASE {} FROM {}", rights, scope, on, from),
        };
        Step::shared(database, sql, "what he holds")
    };
    together.into_iter().map(step).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_belongs_together_is_one_statement_and_what_is_not_known_is_none() {
        let right = |scope: &str, schema: Option<&str>, privilege: &str| Scoped {
            scope: scope.into(),
            schema: schema.map(str::to_owned),
            privilege: privilege.into(),
        };
        let all = [
            right("TABLES", Some("s"), "SELECT"),
            right("TABLES", Some("s"), "INSERT"),
            right("COPY JOBS", None, "CREATE"),
            // What has no statement here is a blocker, and never one made of the warehouse's words.
            right("TABLES", None, "SELECT ON TABLE x FROM eve; --"),
            right("TABLES IN DATABASE x FROM eve; --", None, "SELECT"),
        ];
        let texts: Vec<String> = revokes(&all, "d", "bob").iter().map(|step| step.sql.to_string()).collect();
        assert_eq!(
            texts,
            [
                "REVOKE CREATE FOR COPY JOBS IN DATABASE \"d\" FROM \"bob\"",
                "REVOKE SELECT, INSERT FOR TABLES IN SCHEMA \"s\" DATABASE \"d\" FROM \"bob\"",
            ]
        );
        assert_eq!(all.iter().filter(|one| !one.is_known()).count(), 2);
    }
}
