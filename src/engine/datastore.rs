//! A datastore's life in the warehouse: look, grant what is missing, take back what is not wanted any more, remove.

pub mod declared;
pub mod found;
pub mod grantee;
pub mod import;
#[cfg(test)]
mod life_tests;
pub mod linked;
pub mod listing;
pub mod missing;
mod narrow;
pub mod owners;
pub mod refusal;
pub mod registry;
pub mod role;
#[cfg(test)]
mod role_tests;
pub mod script;
pub mod steps;
#[cfg(test)]
mod steps_tests;
pub mod surplus;
pub mod tables;
pub(in crate::engine) mod taking;
#[cfg(test)]
mod taking_tests;
pub(in crate::engine) mod view;
pub mod wanted;
#[cfg(test)]
pub(in crate::engine) mod world;

use tokio_util::sync::CancellationToken;

use crate::engine::catalog::At;
pub use crate::engine::catalog::effective::{Lacking, effective};
pub use crate::engine::datastore::declared::{Before, Ids};
use crate::engine::datastore::found::found_by_id;
pub use crate::engine::datastore::found::{Found, found};
pub use crate::engine::datastore::import::{Imported, grant_role_present, import_lookup};
pub use crate::engine::datastore::listing::{Listed, list};
use crate::engine::datastore::missing::lacks;
pub use crate::engine::datastore::missing::missing;
pub use crate::engine::datastore::owners::{Warning, public_create_warning, warnings};
use crate::engine::datastore::owners::{derive, renamed_away, there_before};
use crate::engine::datastore::refusal::{check, explain, left_behind, not_read_back};
pub use crate::engine::datastore::registry::{Others, Registry};
pub use crate::engine::datastore::role::{choose_role, is_role_name, role_name, roles_of};
pub use crate::engine::datastore::script::script;
use crate::engine::datastore::steps::{removal, steps};
pub use crate::engine::datastore::surplus::surplus;
pub use crate::engine::datastore::tables::Selection;
pub use crate::engine::datastore::wanted::{FutureTables, Grantee, GranteeKind, Through, Wanted};
use crate::engine::error::Error;
use crate::engine::run::{self, Retry, Stopped};
use crate::engine::session::warehouse::Warehouse;
use crate::engine::sql::{Sql, ident, sql};
use crate::engine::step::Step;

/// What an apply came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Applied {
    /// What is declared now: with the owners that were named, or those that were found.
    pub wanted: Wanted,
    /// By what the schema, the grantee and the role are known again; to be kept with the datastore.
    pub ids: Ids,
    pub warnings: Vec<Warning>,
    /// How many statements changed something.
    pub changes: usize,
}

/// An apply that failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NotApplied {
    pub error: Error,
    /// What may be there now beside what was declared before, if anything.
    pub half_done: Option<Wanted>,
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
/// `before` is what state declares; nothing for a new datastore. Nothing is sent if nothing is missing. If what was
/// committed does not show when it is read back, that is an error which names the owners and what they must run; for a
/// new datastore everything is taken back then.
pub async fn apply(
    warehouse: &Warehouse,
    wanted: &Wanted,
    before: &Before,
    others: Others<'_>,
    cancel: &CancellationToken,
) -> Result<Applied, NotApplied> {
    let stays = |error| NotApplied { error, half_done: None, nothing_done: true };
    wanted.check().map_err(stays)?;
    let mut retry = Retry::default();
    // What an attempt sent whose answer to COMMIT was lost: it is ours.
    let mut sent: Option<Sent> = None;
    let mut done = Done::default();
    let mut looks = 0;
    loop {
        let mut planned = None;
        let known = with_sent(before, sent.as_ref().map(|sent| &sent.wanted));
        match attempt(warehouse, wanted, &known, others, &mut planned, cancel).await {
            Ok(mut work) => {
                let was_there = work.sent.was_there || sent.as_ref().is_some_and(|sent| sent.was_there);
                work.sent.was_there = was_there;
                let progress = work.changes > 0;
                done.changes += work.changes;
                done.add(work.warnings);
                let outcome = read_back(warehouse, &work.sent.wanted, progress, cancel).await;
                match outcome {
                    // A table or schema of the moment between: whoever may grant on it grants it now.
                    Err(NotSeen { error, lacks: true }) if progress && looks < LOOKS && !cancel.is_cancelled() => {
                        looks += 1;
                        tracing::debug!(looks, %error, "looking again after the commit");
                        sent = Some(work.sent);
                        forget_all(warehouse, wanted);
                    }
                    outcome => return finish(warehouse, work.sent, done, outcome, before, others).await,
                }
            }
            Err(stopped) => {
                if !stopped.nothing_done {
                    sent = sent.or(planned);
                }
                // What is dropped and made anew all the time may be met more than once.
                if stopped.nothing_done && is_out_of_date(&stopped.error) && looks < LOOKS && !cancel.is_cancelled() {
                    looks += 1;
                    forget_all(warehouse, wanted);
                    continue;
                }
                if let Err(error) = retry.after(stopped.error, cancel).await {
                    return Err(stopped_half_way(warehouse, before, others, sent, error).await);
                }
                forget(warehouse, wanted, before);
            }
        }
    }
}

/// How often is looked again at what changed between the look and the statements, or between these and the read-back.
const LOOKS: u32 = 4;

/// What all attempts did.
#[derive(Default)]
struct Done {
    changes: usize,
    warnings: Vec<Warning>,
}

impl Done {
    fn add(&mut self, warnings: Vec<Warning>) {
        for warning in warnings {
            if !self.warnings.contains(&warning) {
                self.warnings.push(warning);
            }
        }
    }
}

fn with_sent(before: &Before, sent: Option<&Wanted>) -> Before {
    let mut known = before.clone();
    known.declared.extend(sent.cloned());
    known
}

/// Of a new datastore, what may have been done is taken back.
async fn stopped_half_way(
    warehouse: &Warehouse,
    before: &Before,
    others: Others<'_>,
    sent: Option<Sent>,
    error: Error,
) -> NotApplied {
    let Some(sent) = sent else { return NotApplied { error, half_done: None, nothing_done: true } };
    let undone = undo(warehouse, &sent, before, others).await;
    NotApplied { error, half_done: (!undone).then_some(sent.wanted), nothing_done: undone }
}

/// Takes back what was sent for a new datastore, but for one of which something was there before: that would go too.
async fn undo(warehouse: &Warehouse, sent: &Sent, before: &Before, others: Others<'_>) -> bool {
    let Sent { wanted, was_there } = sent;
    before.declared.is_empty()
        && !was_there
        && remove(warehouse, wanted, &Before::of(wanted), others, &CancellationToken::new()).await.is_ok()
}

/// What was sent.
#[derive(Clone)]
struct Sent {
    wanted: Wanted,
    /// Whether something of it was there before.
    was_there: bool,
}

/// What one attempt did.
struct Work {
    sent: Sent,
    changes: usize,
    warnings: Vec<Warning>,
}

async fn attempt(
    warehouse: &Warehouse,
    wanted: &Wanted,
    before: &Before,
    others: Others<'_>,
    planned: &mut Option<Sent>,
    cancel: &CancellationToken,
) -> Result<Work, Stopped> {
    let untouched = |error| Stopped { error, nothing_done: true };
    let changing = warehouse.catalog().changing(&wanted.database);
    let mut turns = run::turn(warehouse, &wanted.database, cancel).await.map_err(untouched)?;
    let (wanted, found, mut warnings) = look_and_check(warehouse, wanted, before, cancel).await.map_err(untouched)?;
    let others = others.declare();
    let test = taking_over(warehouse, &wanted, &found, before, cancel).await.map_err(untouched)?;
    let mut was_there: Vec<Warning> = test.iter().filter_map(|_| wanted.role()).map(role::taken_over).collect();
    was_there.extend(there_before(&found, &wanted, before, &others));
    let sent = Sent { wanted: wanted.clone(), was_there: !was_there.is_empty() };
    warnings.extend(was_there);
    warnings.extend(owners::tables_that_stay(&found, &wanted, before));
    let steps = steps(&found, &wanted, before, &others);
    if !steps.is_empty() {
        *planned = Some(sent.clone());
        turns.with_shared(warehouse, &steps, cancel).await.map_err(untouched)?;
        let guard = test.as_ref().map(|test| test as &dyn run::Guard);
        let ran = run::run_guarded(warehouse, &wanted.database, &steps, guard, cancel).await;
        forget(warehouse, &wanted, before);
        ran.map_err(|stopped| Stopped { error: explain(stopped.error, &found, &wanted), ..stopped })?;
    }
    drop(turns);
    drop(changing);
    Ok(Work { sent, changes: steps.len(), warnings })
}

/// Where the datastore's role is there and state does not know it: whether it can be taken over, and the test for the
/// transaction that does.
async fn taking_over(
    warehouse: &Warehouse,
    wanted: &Wanted,
    found: &Found,
    before: &Before,
    cancel: &CancellationToken,
) -> Result<Option<role::Test>, Error> {
    let is_there = found.held.as_ref().is_some_and(|held| held.exists == Some(true));
    let Some(role) =
        wanted.role().filter(|role| is_there && is_role_name(role) && (before.elsewhere || !before.has_role(role)))
    else {
        return Ok(None);
    };
    let obstacles = role::obstacles(warehouse, wanted, role, cancel).await?;
    if !obstacles.is_empty() {
        return Err(role::not_ours(role, &obstacles));
    }
    role::Test::new(At::new(warehouse, &wanted.database, cancel), wanted, role).await.map(Some)
}

/// Looks, and checks that what is wanted can be done. What was read earlier in this run may be out of date by the work
/// of others (a user or schema that another resource just made), so a refusal is checked against a new read.
async fn look_and_check(
    warehouse: &Warehouse,
    wanted: &Wanted,
    before: &Before,
    cancel: &CancellationToken,
) -> Result<(Wanted, Found, Vec<Warning>), Error> {
    let mut looked = look(warehouse, wanted, before, cancel).await?;
    if check(&looked.1, &looked.0, before).is_err() {
        forget_all(warehouse, wanted);
        looked = look(warehouse, wanted, before, cancel).await?;
        check(&looked.1, &looked.0, before)?;
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
    before: &Before,
    cancel: &CancellationToken,
) -> Result<(Wanted, Found, Vec<Warning>), Error> {
    let mut wanted = wanted.clone();
    let mut first = found(warehouse, &wanted, before, cancel).await?;
    let mut warnings = Vec::new();
    if wanted.grantee.is_some() && wanted.future == FutureTables::Owners(Vec::new()) {
        let (owners, nobody) = derive(&first, &wanted);
        warnings = nobody;
        if !owners.is_empty() {
            wanted.future = FutureTables::Owners(owners);
            // From what was read already.
            first = found(warehouse, &wanted, before, cancel).await?;
        }
    }
    Ok((wanted, first, warnings))
}

/// What the warehouse does not show after the commit.
struct NotSeen {
    error: Error,
    /// Declared rights are lacked.
    lacks: bool,
}

impl From<Error> for NotSeen {
    fn from(error: Error) -> Self {
        NotSeen { error, lacks: false }
    }
}

/// What the warehouse shows after the commit. What was committed is read back even if the caller was stopped meanwhile: it
/// is a few statements.
async fn read_back(
    warehouse: &Warehouse,
    wanted: &Wanted,
    changed: bool,
    cancel: &CancellationToken,
) -> Result<Found, NotSeen> {
    if changed {
        warehouse.catalog().settled(&wanted.database).await;
    }
    let found = found(warehouse, wanted, &Before::of(wanted), &CancellationToken::new()).await?;
    if wanted.grantee.is_some() && !lacks(&found, wanted).is_empty() {
        return Err(NotSeen { error: not_read_back(&found, wanted, &missing(&found, wanted)), lacks: true });
    }
    // What was taken back may have been the login's own.
    if wanted.grantee.is_none() && changed {
        may_work(warehouse, wanted, cancel).await?;
    }
    Ok(found)
}

async fn finish(
    warehouse: &Warehouse,
    sent: Sent,
    done: Done,
    read: Result<Found, NotSeen>,
    before: &Before,
    others: Others<'_>,
) -> Result<Applied, NotApplied> {
    let Done { changes, mut warnings } = done;
    match read {
        Ok(found) => {
            let wanted = sent.wanted;
            warnings.extend(crate::engine::datastore::owners::warnings(&found, &wanted));
            Ok(Applied { wanted, ids: found.ids, warnings, changes })
        }
        Err(NotSeen { error, .. }) => {
            let nothing_done = changes == 0 || undo(warehouse, &sent, before, others).await;
            Err(NotApplied { error, half_done: (!nothing_done).then_some(sent.wanted), nothing_done })
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
            lacking.grants.iter().map(Sql::to_string).collect::<Vec<_>>().join(";\n")
        ),
    ))
}

/// What was read about the datastore is out of date.
fn forget(warehouse: &Warehouse, wanted: &Wanted, before: &Before) {
    let catalog = warehouse.catalog();
    catalog.forget_schema(&wanted.database, &wanted.schema);
    for role in wanted.role().into_iter().chain(before.roles()) {
        catalog.forget_role(role);
    }
}

fn forget_all(warehouse: &Warehouse, wanted: &Wanted) {
    warehouse.catalog().forget(&wanted.database);
    warehouse.catalog().forget_principals();
}

/// Whether the warehouse says that something is gone that was read as being there: a schema (3F000), a table (42P01),
/// a user, group or role (42704); or that a role is there (42710) that was read as being missing.
fn is_out_of_date(error: &Error) -> bool {
    matches!(error.sqlstate(), Some("3F000" | "42P01" | "42704" | "42710"))
}

/// Takes back what is declared, and nothing else; what other datastores declare stays. What is gone already is fine: the
/// schema, the role, the grantee, the database.
pub async fn remove(
    warehouse: &Warehouse,
    declared: &Wanted,
    before: &Before,
    others: Others<'_>,
    cancel: &CancellationToken,
) -> Result<Vec<Warning>, Error> {
    declared.check()?;
    let mut retry = Retry::default();
    let mut refreshed = false;
    loop {
        let error = match remove_once(warehouse, declared, before, others, cancel).await {
            Ok(warnings) => return Ok(warnings),
            Err(error) => error,
        };
        if is_out_of_date(&error) && !refreshed {
            refreshed = true;
            forget_all(warehouse, declared);
            continue;
        }
        forget(warehouse, declared, before);
        retry.after(error, cancel).await?;
    }
}

async fn remove_once(
    warehouse: &Warehouse,
    declared: &Wanted,
    before: &Before,
    others: Others<'_>,
    cancel: &CancellationToken,
) -> Result<Vec<Warning>, Error> {
    let changing = warehouse.catalog().changing(&declared.database);
    let mut turns = run::turn(warehouse, &declared.database, cancel).await?;
    let there = match found_by_id(warehouse, declared, before, cancel).await {
        Ok(there) => there,
        Err(error) if is_gone(&error, warehouse, declared, cancel).await => {
            return remove_role_elsewhere(warehouse, declared, before, others, cancel).await.map(|()| Vec::new());
        }
        Err(error) => return Err(error),
    };
    let others = others.declare();
    let warnings = renamed_away(&there, declared, before);
    let steps = removal(&there, declared, before, &others);
    if steps.is_empty() {
        return Ok(warnings);
    }
    turns.with_shared(warehouse, &steps, cancel).await?;
    let ran = run::run(warehouse, &declared.database, &steps, cancel).await;
    forget(warehouse, declared, before);
    ran.map_err(|stopped| stopped.error)?;
    drop(turns);
    drop(changing);
    warehouse.catalog().settled(&declared.database).await;
    let left = found_by_id(warehouse, declared, before, &CancellationToken::new()).await?;
    // Who does not see everything would be told of what is gone.
    let left = if left.sees_all { removal(&left, declared, before, &others) } else { Vec::new() };
    left_behind(&left, declared).map(|left| warnings.into_iter().chain(left).collect())
}

/// Whether the database itself is gone, and with it every right in it.
pub async fn is_gone(error: &Error, warehouse: &Warehouse, declared: &Wanted, cancel: &CancellationToken) -> bool {
    if warehouse.access().database == declared.database || !matches!(error, Error::Refused { .. }) {
        return false;
    }
    let refused = warehouse.session(&declared.database, cancel).await;
    refused.is_err_and(|error| error.sqlstate() == Some("3D000"))
}

/// Drops the datastore's role from another database: roles belong to the warehouse, and their rights went with the
/// database that is gone.
async fn remove_role_elsewhere(
    warehouse: &Warehouse,
    declared: &Wanted,
    before: &Before,
    others: Others<'_>,
    cancel: &CancellationToken,
) -> Result<(), Error> {
    let others = others.declare();
    let is_of_others = |role: &str| others.iter().any(|other| other.role() == Some(role));
    let ours = before.roles().chain(declared.role()).find(|role| is_role_name(role) && !is_of_others(role));
    let Some(role) = ours else { return Ok(()) };
    let database = warehouse.access().database.as_str();
    if grant_role_present(warehouse, role, cancel).await? == Some(false) {
        return Ok(());
    }
    let drop_role = Step::shared(database, sql!("DROP ROLE {} FORCE", ident(role)), "the role itself");
    let _shared = warehouse.shared_turn().await;
    let ran = run::run(warehouse, database, &[drop_role], cancel).await;
    warehouse.catalog().forget_role(role);
    match ran {
        Err(stopped) if stopped.error.sqlstate() == Some("42704") => Ok(()),
        other => other.map_err(|stopped| stopped.error),
    }
}
