//! Whose future tables are covered: Redshift applies default privileges by who makes a table, and the login makes none.

use std::collections::BTreeSet;

use tokio_util::sync::CancellationToken;

use super::error::Error;
use super::found::{Found, SchemaFound, found};
use super::grantee::Grantee;
use super::missing::some_of;
use super::sql::ident;
use super::wanted::{FutureTables, Made, Wanted};
use super::warehouse::Warehouse;

/// Something a person should know, and that stops nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Warning {
    pub summary: String,
    pub detail: String,
}

impl Warning {
    fn new(summary: impl Into<String>, detail: impl Into<String>) -> Warning {
        Warning { summary: summary.into(), detail: detail.into() }
    }
}

/// The owners that are covered where none is named: the schema's owner and the present owners of its tables, without
/// the warehouse's own user, the grantee himself, and those who may not create in the schema. Asks the catalogue.
pub async fn owners(
    warehouse: &Warehouse,
    wanted: &Wanted,
    cancel: &CancellationToken,
) -> Result<(Vec<String>, Vec<Warning>), Error> {
    Ok(derive(&found(warehouse, wanted, &Made::default(), cancel).await?, wanted))
}

/// The same, of what was found.
pub fn derive(found: &Found, wanted: &Wanted) -> (Vec<String>, Vec<Warning>) {
    let schema = match (&found.schema, &wanted.future) {
        (Some(schema), FutureTables::Owners(_)) if !schema.external => schema,
        _ => return (Vec::new(), Vec::new()),
    };
    let owners = candidates(schema, wanted);
    if !owners.is_empty() {
        return (owners.into_iter().map(str::to_owned).collect(), Vec::new());
    }
    let warning = Warning::new(
        format!("Future tables in schema {} are not covered", ident(&schema.name)),
        format!(
            "Neither the schema's owner ({}) nor an owner of its tables is a user who may create there, so there is \
             nobody to set default privileges for. Name the users who will make tables in default_privileges_for, or \
             set future_tables = \"schema\" for one right that covers every table to come, whoever makes it.",
            schema.owner
        ),
    );
    (Vec::new(), vec![warning])
}

fn candidates<'a>(schema: &'a SchemaFound, wanted: &Wanted) -> BTreeSet<&'a str> {
    let may_create = schema.owners.iter().filter(|(_, may_create)| **may_create != Some(false));
    may_create.map(|(name, _)| name.as_str()).filter(|name| wanted.grantee != Some(Grantee::user(*name))).collect()
}

/// Says that tables of an owner who was not there before are not covered, where owners are.
pub fn uncovered_owners(found: &Found, wanted: &Wanted) -> Option<Warning> {
    let schema = found.schema.as_ref().filter(|schema| !schema.external)?;
    if wanted.owners().is_empty() {
        return None;
    }
    let uncovered: Vec<&str> = candidates(schema, wanted)
        .into_iter()
        .filter(|name| !wanted.owners().iter().any(|owner| owner == name))
        .collect();
    if uncovered.is_empty() {
        return None;
    }
    let all: Vec<String> = wanted
        .owners()
        .iter()
        .map(String::as_str)
        .chain(uncovered.iter().copied())
        .map(|name| format!("\"{name}\""))
        .collect();
    Some(Warning::new(
        format!("Future tables of {} in schema {} are not covered", some_of(&uncovered), ident(&schema.name)),
        format!(
            "Tables that these users make will not be readable. Set in service_user:\n  default_privileges_for = [{}]",
            all.join(", ")
        ),
    ))
}

/// Says that everybody may create in the schema, so that a read-only user may write there too, and what would end it.
/// The statement is never run: the database is not ours.
pub fn public_create_warning(found: &Found, wanted: &Wanted) -> Option<Warning> {
    let schema = found.schema.as_ref().filter(|schema| schema.public_creates)?;
    let grantee = wanted.grantee.as_ref().filter(|_| !wanted.write)?;
    let on = ident(&schema.name);
    Some(Warning::new(
        format!("Everybody may create in schema {on}"),
        format!(
            "PUBLIC has CREATE on schema {on} of database {} (Redshift's default for \"public\"), so {grantee} can make \
             tables there although this datastore is read-only. A superuser can end that for all users with:\n  REVOKE \
             CREATE ON SCHEMA {on} FROM PUBLIC;",
            ident(&wanted.database)
        ),
    ))
}

/// Says that not everything could be seen, and which permission would show it.
pub fn unseen_warning(found: &Found, wanted: &Wanted) -> Option<Warning> {
    let what = super::missing::unseen_in_words(found, wanted)?;
    Some(Warning::new(
        format!("User {} does not see all rights on schema {}", ident(&found.login.name), ident(&wanted.schema)),
        format!(
            "Not visible: {what}. What cannot be seen is taken to be as it was last set, and drift there is not \
             noticed. A superuser can show it: GRANT ACCESS SYSTEM TABLE TO ROLE <a role of {}>;",
            found.login.name
        ),
    ))
}

/// All warnings about a datastore as it was found.
pub fn warnings(found: &Found, wanted: &Wanted) -> Vec<Warning> {
    [public_create_warning(found, wanted), uncovered_owners(found, wanted), unseen_warning(found, wanted)]
        .into_iter()
        .flatten()
        .collect()
}
