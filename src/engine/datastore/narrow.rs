//! What a datastore's own role holds beside tables and schemas: it is never declared, so it is shown and taken back.

use crate::engine::catalog::narrow::{Narrow, On};
use crate::engine::datastore::declared::Declared;
use crate::engine::datastore::found::Found;
use crate::engine::datastore::steps::{Work, table};
use crate::engine::datastore::wanted::Wanted;
use crate::engine::error::shown;
use crate::engine::names::same_name;
use crate::engine::rights::{Privilege, Rights};
use crate::engine::sql::{Sql, ident, sql};

/// Those that are not wanted: TEMP on the database is, where the schema is external.
pub(super) fn unwanted<'f>(found: &'f Found, wanted: Option<&Wanted>) -> Vec<&'f Narrow> {
    let is_declared = |right: &Narrow| {
        let Some(wanted) = wanted else { return false };
        let external = found.schema.as_ref().is_some_and(|schema| schema.external);
        let declared = Declared::of(wanted, external);
        let here = |name: &str| same_name(name, &wanted.database, found.login.case_sensitive);
        let is_temp = Privilege::from_name(&right.privilege) == Some(Privilege::Temp);
        matches!(&right.on, On::Database(name) if declared.temp && is_temp && here(name))
    };
    // What a newer release calls a right can be named by no statement here.
    let is_known = |right: &&Narrow| Privilege::from_name(&right.privilege).is_some();
    found.narrow.iter().filter(is_known).filter(|right| !is_declared(right)).collect()
}

/// One line for a right.
pub(super) fn line(right: &Narrow) -> String {
    let on = match &right.on {
        On::Column { schema, table, column } => format!("column {column} of table {schema}.{table}"),
        On::Routine { schema, name } => format!("routine {schema}.{name}"),
        On::Language(name) => format!("language {name}"),
        On::Database(name) => format!("database {name}"),
        On::InDatabase(name) => format!("tables in database {name}, present and future"),
        On::FutureRoutines { schema: Some(schema), owner } => format!("future routines of {owner} in schema {schema}"),
        On::FutureRoutines { schema: None, owner } => format!("future routines of {owner} in every schema"),
    };
    shown(&format!("{} on {on}", right.privilege)).into_owned()
}

impl Work<'_> {
    /// Takes back what our role holds beside tables and schemas.
    pub(super) fn take_back_narrow(&mut self, role: &str, wanted: Option<&Wanted>) {
        let from = sql!("ROLE {}", ident(role));
        let mut done: Vec<Sql> = Vec::new();
        let found = self.found;
        let takes_temp =
            found.held.iter().chain(&found.earlier).any(|held| held.holder.name == role && held.temp == Some(true));
        for right in unwanted(found, wanted) {
            let Some(privilege) = Privilege::from_name(&right.privilege) else { continue };
            // That of an external schema is taken back with the rest of it.
            if privilege == Privilege::Temp && takes_temp {
                continue;
            }
            let rights = Rights::from(privilege);
            let (shared, all) = match &right.on {
                On::Column { schema, table: name, column } => {
                    let on = table(schema, name);
                    (false, vec![sql!("REVOKE {} ({}) ON TABLE {} FROM {}", rights, ident(column), on, from)])
                }
                // The view does not tell functions from procedures.
                On::Routine { schema, .. } => {
                    let on = ident(schema);
                    let functions = sql!("REVOKE {} ON ALL FUNCTIONS IN SCHEMA {} FROM {}", rights, on, from);
                    (false, vec![functions, sql!("REVOKE {} ON ALL PROCEDURES IN SCHEMA {} FROM {}", rights, on, from)])
                }
                On::Language(name) => {
                    (false, vec![sql!("REVOKE {} ON LANGUAGE {} FROM {}", rights, ident(name), from)])
                }
                On::Database(name) => (true, vec![sql!("REVOKE {} ON DATABASE {} FROM {}", rights, ident(name), from)]),
                On::InDatabase(name) => {
                    (false, vec![sql!("REVOKE {} FOR TABLES IN DATABASE {} FROM {}", rights, ident(name), from)])
                }
                On::FutureRoutines { schema, owner } => {
                    let by = match schema {
                        Some(schema) => sql!("FOR USER {} IN SCHEMA {}", ident(owner), ident(schema)),
                        None => sql!("FOR USER {}", ident(owner)),
                    };
                    let functions =
                        sql!("ALTER DEFAULT PRIVILEGES {} REVOKE {} ON FUNCTIONS FROM {}", by, rights, from);
                    (
                        false,
                        vec![
                            functions,
                            sql!("ALTER DEFAULT PRIVILEGES {} REVOKE {} ON PROCEDURES FROM {}", by, rights, from),
                        ],
                    )
                }
            };
            for sql in all {
                if done.contains(&sql) {
                    continue;
                }
                done.push(sql.clone());
                match shared {
                    true => self.push_shared(sql, line(right)),
                    false => self.push(sql, line(right)),
                }
            }
        }
    }
}
