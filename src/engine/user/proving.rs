//! The proof that a user can be dropped, before anything is changed: in each database all that has to be done there is done,
//! DROP USER last, and taken back. So it is the warehouse that says whether the inventory is whole and the order right;
//! Redshift's own DROP USER looks in its database only.

use tokio_util::sync::CancellationToken;

use crate::engine::catalog::At;
use crate::engine::error::Error;
use crate::engine::rights::{Privilege, Rights};
use crate::engine::run;
use crate::engine::session::warehouse::Warehouse;
use crate::engine::session::{Row, Session};
use crate::engine::sql::{Sql, ident, sql};
use crate::engine::step::Step;
use crate::engine::user::blockers::{listed, stuck};
use crate::engine::user::dropping::{Beside, Dropping, turns};
use crate::engine::user::handover::{OfRoles, Schemas, clearing_steps, outside_steps};
use crate::engine::user::inventory::{Inventory, OnObject, Outside};
use crate::engine::user::kinds::unseen;
use crate::engine::user::looking::went_away;

/// What is to be done in one database, as it was proved.
pub(super) struct Proven {
    pub inventory: Inventory,
    pub schemas: Schemas,
    pub of_roles: OfRoles,
}

impl Proven {
    /// The statements for one database; the databases themselves are listed in each, and taken away in the first.
    pub fn steps(&self, name: &str, login: &str, is_first: bool) -> Vec<Step> {
        let inventory = match is_first {
            true => self.inventory.clone(),
            false => self.inventory.clone().without_databases(),
        };
        clearing_steps(&inventory, name, login, &self.schemas, &self.of_roles)
    }
}

/// Proves it in every database, or says which statement was refused.
pub(super) async fn prove(
    warehouse: &Warehouse,
    dropping: Dropping<'_>,
    found: Vec<Inventory>,
    outside: &Outside,
    beside: &Beside<'_>,
    cancel: &CancellationToken,
) -> Result<Vec<Proven>, Error> {
    let name = dropping.name;
    let login = warehouse.facts(cancel).await?.user.clone();
    let scoped_in = |database: &str| found.iter().any(|it| it.database != database && !it.scoped.is_empty());
    let mut all = Vec::new();
    for inventory in &found {
        let database = inventory.database.as_str();
        let at = At::new(warehouse, database, cancel);
        let is_bare =
            inventory.objects.is_empty() && inventory.defaults_by.is_empty() && inventory.defaults_to.is_empty();
        let schemas = if is_bare { Schemas::default() } else { Schemas::load(at).await? };
        let mut proven = Proven { inventory: inventory.clone(), schemas, of_roles: OfRoles::new() };
        let mut ran = rehearse(warehouse, dropping, &proven, outside, beside, &login, cancel).await;
        // Something hangs on a right: it may have been passed on to a role, which no list shows.
        if dropping.force && ran.as_ref().is_err_and(|error| error.sqlstate() == Some("2BP01")) {
            proven.of_roles = of_roles(warehouse, &inventory.objects, database, cancel).await?;
            if !proven.of_roles.is_empty() {
                ran = rehearse(warehouse, dropping, &proven, outside, beside, &login, cancel).await;
            }
        }
        // What is revoked alone, or in another database only, is still there when DROP USER is tried here.
        let is_early = scoped_in(database)
            || (beside.alone_in)(database)
            || proven.steps(name, &login, true).iter().any(|step| step.alone);
        match ran {
            Err(error) if is_early && is_of_drop_user(&error) => {
                tracing::debug!(database, %error, "the user cannot be dropped from here yet");
            }
            Err(error) => return Err(refused(error, name, &found, database)),
            Ok(()) => {}
        }
        all.push(proven);
    }
    Ok(all)
}

async fn rehearse(
    warehouse: &Warehouse,
    dropping: Dropping<'_>,
    proven: &Proven,
    outside: &Outside,
    beside: &Beside<'_>,
    login: &str,
    cancel: &CancellationToken,
) -> Result<(), Error> {
    let database = proven.inventory.database.as_str();
    let shared = |sql: Sql| Step::shared(database, sql, "beside");
    let mut steps: Vec<Step> = (beside.before)(database).into_iter().map(shared).collect();
    steps.extend(proven.steps(dropping.name, login, true));
    steps.extend(last_steps(database, dropping, login, outside));
    steps.extend((beside.after)(database).into_iter().map(shared));
    let _turns = turns(warehouse, database, &steps, dropping.held, cancel).await?;
    run::rehearse(warehouse, database, &steps, cancel).await
}

/// What all databases share, and the user himself.
pub(super) fn last_steps(database: &str, dropping: Dropping<'_>, login: &str, outside: &Outside) -> Vec<Step> {
    let name = dropping.name;
    let mut steps = match dropping.force {
        true => outside_steps(database, name, login, outside),
        false => Vec::new(),
    };
    for role in &outside.roles {
        steps.push(Step::shared(database, sql!("REVOKE ROLE {} FROM {}", ident(role), ident(name)), "a role"));
    }
    for group in &outside.groups {
        steps.push(Step::shared(database, sql!("ALTER GROUP {} DROP USER {}", ident(group), ident(name)), "a group"));
    }
    steps.push(Step::shared(database, sql!("DROP USER {}", ident(name)), "the user"));
    steps
}

fn is_of_drop_user(error: &Error) -> bool {
    matches!(error, Error::Server(error) if error.sqlstate == "55006" && error.statement.starts_with("DROP USER"))
}

/// What ends by itself is left as it is, so that it is tried again.
fn refused(error: Error, name: &str, found: &[Inventory], database: &str) -> Error {
    let is_final = matches!(error, Error::Server(_) | Error::Refused { .. });
    if !is_final || error.is_retryable() || went_away(&error) {
        return error;
    }
    let stuck = stuck(found, name);
    let left = match stuck.is_empty() {
        true if is_of_drop_user(&error) => format!("\nNo view shows {}.", unseen()),
        true => String::new(),
        false => format!(
            "\nNo statement can take away what names somebody who is gone; where it is that, drop the object, or make it anew:\n{}",
            listed(&stuck)
        ),
    };
    Error::refused(
        format!("User {} cannot be dropped", ident(name)),
        format!(
            "All that is needed for it was tried in database {} and taken back: nothing was changed. {}: {}{left}",
            ident(database),
            error.summary(),
            error.detail()
        ),
    )
}

/// What roles hold on those objects of which rights may have been passed on.
async fn of_roles(
    warehouse: &Warehouse,
    objects: &[OnObject],
    database: &str,
    cancel: &CancellationToken,
) -> Result<OfRoles, Error> {
    let rights = warehouse.catalog().role_rights(At::new(warehouse, database, cancel), None).await?;
    let mut session = warehouse.session(database, cancel).await?;
    let routines = sql!(
        "SELECT identity_name, namespace_name, function_name FROM svv_function_privileges WHERE identity_type = 'role'"
    );
    let routines = pairs(&mut session, &routines).await?;
    let languages =
        sql!("SELECT identity_name, language_name, '' FROM svv_language_privileges WHERE identity_type = 'role'");
    let languages = pairs(&mut session, &languages).await?;
    let databases = sql!(
        "SELECT identity_name, database_name, privilege_type FROM svv_database_privileges WHERE identity_type = 'role' AND privilege_scope = 'DATABASE'"
    );
    let databases = pairs(&mut session, &databases).await?;
    let mut all = OfRoles::new();
    for object in objects {
        let mut roles: Vec<(String, Rights)> = Vec::new();
        let mut put = |role: &str, rights: Rights| {
            if !rights.is_empty() {
                roles.push((role.to_owned(), rights));
            }
        };
        match object.kind.as_str() {
            "relation" => {
                let key = (object.schema.clone(), object.name.clone());
                for held in rights.all() {
                    put(&held.role, held.relations.get(&key).copied().unwrap_or_default());
                }
            }
            "schema" => {
                for held in rights.all() {
                    put(&held.role, held.schemas.get(&object.name).copied().unwrap_or_default());
                }
            }
            "language" => {
                for (role, ..) in languages.iter().filter(|(_, language, _)| *language == object.name) {
                    put(role, Privilege::Usage.into());
                }
            }
            "database" => {
                for (role, _, privilege) in databases.iter().filter(|(_, database, _)| *database == object.name) {
                    put(role, Privilege::from_name(privilege).map_or(Rights::NONE, Rights::from));
                }
            }
            _ => {
                let is_it = |schema: &String, name: &String| {
                    object.routine.as_ref().is_some_and(|it| object.schema == *schema && it.name() == name)
                };
                for (role, ..) in routines.iter().filter(|(_, schema, name)| is_it(schema, name)) {
                    put(role, Privilege::Execute.into());
                }
            }
        }
        roles.sort();
        roles.dedup();
        if !roles.is_empty() {
            all.insert((object.kind.clone(), object.schema.clone(), object.name.clone()), roles);
        }
    }
    Ok(all)
}

/// Role and two names; the roles of datashares and of the system are nobody's to grant to.
async fn pairs(session: &mut Session, query: &Sql) -> Result<Vec<(String, String, String)>, Error> {
    let text = |row: &Row, column| row.get(column).unwrap_or_default().to_owned();
    let rows = session.query(query).await?;
    let all = rows.iter().map(|row| (text(row, 0), text(row, 1), text(row, 2)));
    Ok(all.filter(|(role, ..)| !role.starts_with("ds:") && !role.starts_with("sys:")).collect())
}
