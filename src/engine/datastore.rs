//! A datastore's life in the warehouse: look, grant what is missing, take back what is not wanted any more, remove.

pub mod found;
pub mod grantee;
pub mod import;
#[cfg(test)]
mod life_tests;
pub mod missing;
pub mod owners;
pub mod refusal;
pub mod script;
pub mod steps;
#[cfg(test)]
mod steps_tests;
pub(in crate::engine) mod taking;
#[cfg(test)]
mod taking_tests;
pub(in crate::engine) mod view;
pub mod wanted;
#[cfg(test)]
pub(in crate::engine) mod world;

use tokio_util::sync::CancellationToken;

pub use crate::engine::catalog::effective::{Lacking, effective};
pub use crate::engine::datastore::found::{Found, found};
pub use crate::engine::datastore::import::{Imported, grant_role_present, import_lookup};
use crate::engine::datastore::missing::lacks;
pub use crate::engine::datastore::missing::missing;
use crate::engine::datastore::owners::derive;
pub use crate::engine::datastore::owners::{Warning, public_create_warning, warnings};
use crate::engine::datastore::refusal::{check, explain, not_read_back};
pub use crate::engine::datastore::script::script;
use crate::engine::datastore::steps::{Plan, removal, steps};
pub use crate::engine::datastore::wanted::{
    FutureTables, Given, Grantee, GranteeKind, Made, Through, Wanted, is_role_name, new_role_name,
};
use crate::engine::error::Error;
use crate::engine::run::{self, Retry, Stopped};
use crate::engine::session::warehouse::Warehouse;
use crate::engine::sql::{Sql, ident};
use crate::engine::step::Step;

/// What an apply came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Applied {
    /// To be kept with the datastore, and given to the next apply and to removal.
    pub made: Made,
    /// The owners whose future tables are covered: those that were named, or those that were found.
    pub owners: Vec<String>,
    pub warnings: Vec<Warning>,
    /// How many statements changed something.
    pub changes: usize,
}

/// An apply that failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NotApplied {
    pub error: Error,
    /// What is recorded now: as before, unless something took effect.
    pub made: Made,
    /// Whether the warehouse is as it was, for sure. If not, the datastore must be kept, so that it can be removed.
    pub nothing_done: bool,
}

impl From<NotApplied> for Error {
    fn from(failed: NotApplied) -> Error {
        failed.error
    }
}

/// Brings the warehouse from what it is to what is wanted, and reads it back.
///
/// `made` is what earlier applies recorded; empty for a new datastore. Nothing is sent if nothing is missing. If what
/// was committed does not show when it is read back, that is an error which names the owners and what they must run;
/// for a new datastore everything is taken back then.
pub async fn apply(
    warehouse: &Warehouse,
    wanted: &Wanted,
    made: &Made,
    cancel: &CancellationToken,
) -> Result<Applied, NotApplied> {
    let stays = |error| NotApplied { error, made: made.clone(), nothing_done: true };
    wanted.check().map_err(stays)?;
    let mut retry = Retry::default();
    // What an attempt planned whose answer to COMMIT was lost: the next one finds it there and claims nothing.
    let mut claims: Option<Made> = None;
    let mut refreshed = false;
    loop {
        let mut planned = None;
        match attempt(warehouse, wanted, made, &mut planned, cancel).await {
            Ok(mut work) => {
                if let Some(claims) = &claims {
                    work.plan.made.merge(claims);
                }
                return finish(warehouse, work, made, cancel).await;
            }
            Err(stopped) => {
                if let (false, Some(planned)) = (stopped.nothing_done, planned) {
                    claims.get_or_insert_default().merge(&planned);
                }
                if stopped.nothing_done && is_out_of_date(&stopped.error) && !refreshed {
                    refreshed = true;
                    forget_all(warehouse, wanted);
                    continue;
                }
                if let Err(error) = retry.after(stopped.error, cancel).await {
                    return Err(stopped_half_way(warehouse, wanted, made, claims, error).await);
                }
                forget(warehouse, wanted, made);
            }
        }
    }
}

/// Of a new datastore, what may have been done is taken back.
async fn stopped_half_way(
    warehouse: &Warehouse,
    wanted: &Wanted,
    made: &Made,
    claims: Option<Made>,
    error: Error,
) -> NotApplied {
    let Some(claims) = claims else { return NotApplied { error, made: made.clone(), nothing_done: true } };
    if made.is_empty() && remove(warehouse, wanted, &claims, &CancellationToken::new()).await.is_ok() {
        return NotApplied { error, made: Made::default(), nothing_done: true };
    }
    let mut made = made.clone();
    made.merge(&claims);
    NotApplied { error, made, nothing_done: false }
}

/// What one attempt did.
struct Work {
    wanted: Wanted,
    plan: Plan,
    warnings: Vec<Warning>,
}

async fn attempt(
    warehouse: &Warehouse,
    wanted: &Wanted,
    made: &Made,
    planned: &mut Option<Made>,
    cancel: &CancellationToken,
) -> Result<Work, Stopped> {
    let untouched = |error| Stopped { error, nothing_done: true };
    let changing = warehouse.catalog().changing(&wanted.database);
    let mut turns = run::turn(warehouse, &wanted.database, cancel).await.map_err(untouched)?;
    let (wanted, found, warnings) = look_and_check(warehouse, wanted, made, cancel).await.map_err(untouched)?;
    let plan = steps(&found, &wanted, made);
    if !plan.steps.is_empty() {
        *planned = Some(plan.made.clone());
        turns.with_shared(warehouse, &plan.steps, cancel).await.map_err(untouched)?;
        let ran = run::run(warehouse, &wanted.database, &plan.steps, cancel).await;
        forget(warehouse, &wanted, made);
        ran.map_err(|stopped| Stopped { error: explain(stopped.error, &found, &wanted), ..stopped })?;
    }
    drop(turns);
    drop(changing);
    Ok(Work { wanted, plan, warnings })
}

/// Looks, and checks that what is wanted can be done. What was read earlier in this run may be out of date by the work
/// of others (a user or schema that another resource just made), so a refusal is checked against a new read.
async fn look_and_check(
    warehouse: &Warehouse,
    wanted: &Wanted,
    made: &Made,
    cancel: &CancellationToken,
) -> Result<(Wanted, Found, Vec<Warning>), Error> {
    let mut looked = look(warehouse, wanted, made, cancel).await?;
    if check(&looked.1, &looked.0, made).is_err() {
        forget_all(warehouse, wanted);
        looked = look(warehouse, wanted, made, cancel).await?;
        check(&looked.1, &looked.0, made)?;
    }
    if wanted.grantee.is_none() {
        may_work(warehouse, wanted, cancel).await?;
    }
    Ok(looked)
}

/// What is there, and the owners filled in where none is named.
async fn look(
    warehouse: &Warehouse,
    wanted: &Wanted,
    made: &Made,
    cancel: &CancellationToken,
) -> Result<(Wanted, Found, Vec<Warning>), Error> {
    let mut wanted = wanted.clone();
    let mut first = found(warehouse, &wanted, made, cancel).await?;
    let mut warnings = Vec::new();
    if wanted.grantee.is_some() && wanted.future == FutureTables::Owners(Vec::new()) {
        let (owners, nobody) = derive(&first, &wanted);
        warnings = nobody;
        if !owners.is_empty() {
            wanted.future = FutureTables::Owners(owners);
            // From what was read already.
            first = found(warehouse, &wanted, made, cancel).await?;
        }
    }
    Ok((wanted, first, warnings))
}

async fn finish(
    warehouse: &Warehouse,
    work: Work,
    before: &Made,
    cancel: &CancellationToken,
) -> Result<Applied, NotApplied> {
    let Work { wanted, plan, mut warnings } = work;
    let changes = plan.steps.len();
    if changes > 0 {
        warehouse.catalog().settled(&wanted.database).await;
    }
    // What was committed is read back even if the caller was stopped meanwhile: it is a few statements.
    let read = found(warehouse, &wanted, &plan.made, &CancellationToken::new()).await;
    let problem = match &read {
        Ok(found) if wanted.grantee.is_some() && !lacks(found, &wanted).is_empty() => {
            Some(not_read_back(found, &wanted, &missing(found, &wanted)))
        }
        // What was taken back may have been the login's own.
        Ok(_) if wanted.grantee.is_none() && changes > 0 => may_work(warehouse, &wanted, cancel).await.err(),
        Ok(_) => None,
        Err(error) => Some(error.clone()),
    };
    match (problem, read) {
        (None, Ok(found)) => {
            warnings.extend(crate::engine::datastore::owners::warnings(&found, &wanted));
            Ok(Applied { made: plan.made, owners: wanted.owners().to_vec(), warnings, changes })
        }
        (problem, _) => {
            let error = problem.unwrap_or_else(|| Error::refused("Nothing was read back", ""));
            let undone =
                before.is_empty() && remove(warehouse, &wanted, &plan.made, &CancellationToken::new()).await.is_ok();
            let made = if undone { before.clone() } else { plan.made };
            Err(NotApplied { error, made, nothing_done: undone || changes == 0 })
        }
    }
}

/// Without somebody to grant to, the login itself must have the rights. What was read earlier in this run may be out
/// of date, so what seems to be lacking is looked at once more.
async fn may_work(warehouse: &Warehouse, wanted: &Wanted, cancel: &CancellationToken) -> Result<(), Error> {
    let mut lacking = effective(warehouse, wanted, cancel).await?;
    if !lacking.missing.is_empty() {
        warehouse.catalog().forget(&wanted.database);
        lacking = effective(warehouse, wanted, cancel).await?;
    }
    if lacking.missing.is_empty() {
        return Ok(());
    }
    // AWS names the user of a session by IAM so; on a new cluster he has no rights at all.
    let by_iam = if lacking.user.starts_with("IAMR:") || lacking.user.starts_with("IAM:") {
        "\nThe connection signs in by IAM without a username, as a user of AWS's making that has no rights of its own. On a cluster, username makes it another user."
    } else {
        ""
    };
    Err(Error::refused(
        format!("User {} lacks rights on schema {}", ident(&lacking.user), ident(&wanted.schema)),
        format!(
            "Missing:\n{}\nThe owner of the schema and its tables, or a superuser, must run in database {}:\n{};{by_iam}",
            lacking.missing.join("\n"),
            ident(&wanted.database),
            lacking.grants.join(";\n")
        ),
    ))
}

/// What was read about the datastore is out of date.
fn forget(warehouse: &Warehouse, wanted: &Wanted, made: &Made) {
    let catalog = warehouse.catalog();
    catalog.forget_schema(&wanted.database, &wanted.schema);
    if let Through::Role(role) = &wanted.through {
        catalog.forget_role(role);
    }
    if let Some(role) = &made.role {
        catalog.forget_role(role);
    }
}

fn forget_all(warehouse: &Warehouse, wanted: &Wanted) {
    warehouse.catalog().forget(&wanted.database);
    warehouse.catalog().forget_principals();
}

/// Whether the warehouse says that something is gone that was read as being there: a schema (3F000), a table (42P01),
/// a user, group or role (42704).
fn is_out_of_date(error: &Error) -> bool {
    matches!(error.sqlstate(), Some("3F000" | "42P01" | "42704"))
}

/// Takes back what was made, and nothing else. What is gone already is fine: the schema, the role, the grantee, the
/// database.
pub async fn remove(
    warehouse: &Warehouse,
    wanted: &Wanted,
    made: &Made,
    cancel: &CancellationToken,
) -> Result<(), Error> {
    wanted.check()?;
    let mut retry = Retry::default();
    let mut refreshed = false;
    loop {
        let error = match remove_once(warehouse, wanted, made, cancel).await {
            Ok(()) => return Ok(()),
            Err(error) => error,
        };
        if is_out_of_date(&error) && !refreshed {
            refreshed = true;
            forget_all(warehouse, wanted);
            continue;
        }
        forget(warehouse, wanted, made);
        retry.after(error, cancel).await?;
    }
}

async fn remove_once(
    warehouse: &Warehouse,
    wanted: &Wanted,
    made: &Made,
    cancel: &CancellationToken,
) -> Result<(), Error> {
    let changing = warehouse.catalog().changing(&wanted.database);
    let mut turns = run::turn(warehouse, &wanted.database, cancel).await?;
    let there = match found(warehouse, wanted, made, cancel).await {
        Ok(there) => there,
        Err(error) if is_gone(&error, warehouse, wanted, cancel).await => {
            return remove_role_elsewhere(warehouse, wanted, made, cancel).await;
        }
        Err(error) => return Err(error),
    };
    let steps = removal(&there, wanted, made);
    if steps.is_empty() {
        return Ok(());
    }
    turns.with_shared(warehouse, &steps, cancel).await?;
    let ran = run::run(warehouse, &wanted.database, &steps, cancel).await;
    forget(warehouse, wanted, made);
    ran.map_err(|stopped| stopped.error)?;
    drop(turns);
    drop(changing);
    warehouse.catalog().settled(&wanted.database).await;
    let left = found(warehouse, wanted, made, &CancellationToken::new()).await?;
    // Who does not see everything would be told of what is gone.
    let left = if left.sees_all { removal(&left, wanted, made) } else { Vec::new() };
    match left.as_slice() {
        [] => Ok(()),
        left => {
            let statements = left.iter().map(|step| format!("{};", step.sql)).collect::<Vec<_>>().join("\n");
            Err(Error::refused(
                format!("Rights on schema {} were not taken back", ident(&wanted.schema)),
                format!("After the commit these statements would still have something to do:\n{statements}"),
            ))
        }
    }
}

/// Whether the database itself is gone, and with it every right in it.
async fn is_gone(error: &Error, warehouse: &Warehouse, wanted: &Wanted, cancel: &CancellationToken) -> bool {
    if warehouse.access().database == wanted.database || !matches!(error, Error::Refused { .. }) {
        return false;
    }
    let refused = warehouse.session(&wanted.database, cancel).await;
    refused.is_err_and(|error| error.sqlstate() == Some("3D000"))
}

/// Drops the datastore's role from another database: roles belong to the warehouse, and their rights went with the
/// database that is gone.
async fn remove_role_elsewhere(
    warehouse: &Warehouse,
    wanted: &Wanted,
    made: &Made,
    cancel: &CancellationToken,
) -> Result<(), Error> {
    let ours = match (&wanted.through, &made.role) {
        (_, Some(role)) => Some(role),
        (Through::Role(role), None) if is_role_name(role) => Some(role),
        _ => None,
    };
    let Some(role) = ours else { return Ok(()) };
    let database = warehouse.access().database.as_str();
    if grant_role_present(warehouse, role, cancel).await? == Some(false) {
        return Ok(());
    }
    let drop_role = Step::shared(database, Sql::from(format!("DROP ROLE {} FORCE", ident(role))), "the role itself");
    let _shared = warehouse.shared_turn().await;
    let ran = run::run(warehouse, database, &[drop_role], cancel).await;
    warehouse.catalog().forget_role(role);
    match ran {
        Err(stopped) if stopped.error.sqlstate() == Some("42704") => Ok(()),
        other => other.map_err(|stopped| stopped.error),
    }
}
