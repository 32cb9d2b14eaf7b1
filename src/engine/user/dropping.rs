//! Dropping a user. Redshift itself looks only in the current database for what he owns and holds, and leaves the rest
//! dangling; so every database is looked at before anything is changed in any.

use std::collections::BTreeMap;

use tokio_util::sync::CancellationToken;

use crate::engine::catalog::At;
use crate::engine::catalog::principals::Group;
use crate::engine::datastore::owners::Warning;
use crate::engine::error::{Error, ProxyProblem, Reach};
use crate::engine::names::fold_ascii;
use crate::engine::run::{self, Retry};
use crate::engine::session::warehouse::Warehouse;
use crate::engine::sql::{Sql, ident, literal, sql};
use crate::engine::step::Step;
use crate::engine::user::blockers::{blockers, check};
use crate::engine::user::handover::{Owners, clearing_steps, outside_steps};
use crate::engine::user::inventory::{Inventory, OnDatabase, Outside, look};
use crate::engine::user::table;

/// How often the databases are looked at anew, where one of them or a session goes away meanwhile.
const LOOKS: u32 = 10;

/// A user is gone.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Dropped {
    pub warnings: Vec<Warning>,
}

/// The databases of the warehouse itself: not shared ones, not the system's. In order.
pub async fn local_databases(at: At<'_>) -> Result<Vec<String>, Error> {
    let databases = sql!(
        "SELECT database_name FROM svv_redshift_databases WHERE database_type = 'local' AND database_name NOT IN ('padb_harvest','template0','template1','sys:internal','awsdatacatalog')"
    );
    let mut session = at.warehouse.session(at.database, at.cancel).await?;
    let rows = session.query(&databases).await?;
    let mut names =
        rows.iter().map(|row| Ok(row.text(0)?.trim_end().to_owned())).collect::<Result<Vec<String>, Error>>()?;
    names.sort();
    Ok(names)
}

/// A user who is to be dropped.
#[derive(Clone, Copy, Debug)]
pub(in crate::engine) struct Dropping<'a> {
    pub(in crate::engine) name: &'a str,
    pub(in crate::engine) force: bool,
    pub(in crate::engine) skip_databases: &'a [String],
    /// The database of which the caller has the turn.
    pub(in crate::engine) held: Option<&'a str>,
}

/// Drops the user. What he owns and holds in any database but those in `skip_databases` blocks that, and is listed;
/// with `force` it is handed to the login and revoked. Memberships never block, they are revoked. A user who is gone
/// already is fine.
pub async fn drop_user(
    warehouse: &Warehouse,
    name: &str,
    force: bool,
    skip_databases: &[String],
    cancel: &CancellationToken,
) -> Result<Dropped, Error> {
    drop_held(warehouse, Dropping { name, force, skip_databases, held: None }, cancel).await
}

/// The same for whoever has the turn of a database already.
pub(in crate::engine) async fn drop_held(
    warehouse: &Warehouse,
    dropping: Dropping<'_>,
    cancel: &CancellationToken,
) -> Result<Dropped, Error> {
    let Dropping { name, skip_databases, .. } = dropping;
    let home = warehouse.access().database.clone();
    let at = At::new(warehouse, &home, cancel);
    let catalog = warehouse.catalog();
    // Somebody else may have made him since the users were read.
    catalog.forget_principals();
    let principals = catalog.principals(at).await?;
    let Some(user) = principals.user(name).cloned() else { return Ok(Dropped::default()) };
    let facts = warehouse.facts(cancel).await?;
    if facts.user == name {
        return Err(Error::refused(
            format!("User {} is the login itself", ident(name)),
            "A user cannot drop himself. Sign in as somebody else.",
        ));
    }

    let mut retry = Retry::default();
    loop {
        let ran = drop_once(at, user.id, dropping).await;
        catalog.forget_principals();
        match ran {
            Ok(()) => break,
            // A database that was found went away before he was cleared out of it: the next look does not find it.
            Err(error) => retry.after_if(went_away(&error) || error.is_retryable(), error, cancel).await?,
        }
    }
    let principals = catalog.principals(At { cancel: &CancellationToken::new(), ..at }).await?;
    if principals.user(name).is_some() {
        return Err(Error::refused(
            format!("User {} was not dropped", ident(name)),
            "The warehouse accepted DROP USER, but pg_user still lists the user.",
        ));
    }
    Ok(Dropped { warnings: blind_spots(warehouse, name, skip_databases, cancel).await })
}

/// Whether [`drop_held`] would be refused now, without changing anything. What `spares` takes out of what was found does
/// not count: the caller takes it away before.
pub(in crate::engine) async fn may_drop(
    warehouse: &Warehouse,
    dropping: Dropping<'_>,
    id: i64,
    spares: impl Fn(&mut Inventory) + Send + Sync,
    cancel: &CancellationToken,
) -> Result<(), Error> {
    let home = warehouse.access().database.clone();
    let mut found = look_everywhere(warehouse, dropping.name, id, dropping.skip_databases, cancel).await?;
    found.iter_mut().for_each(spares);
    let outside = outside(At::new(warehouse, &home, cancel), dropping).await?;
    check(dropping.name, &found, &outside, dropping.force)
}

/// Looks everywhere, then changes one database after the other, and drops the user last.
async fn drop_once(at: At<'_>, id: i64, dropping: Dropping<'_>) -> Result<(), Error> {
    let warehouse = at.warehouse;
    let Dropping { name, force, skip_databases, .. } = dropping;
    if warehouse.catalog().principals(at).await?.user(name).is_none() {
        // An earlier attempt did it, and its answer was lost.
        return Ok(());
    }
    let found = look_everywhere(warehouse, name, id, skip_databases, at.cancel).await?;
    let outside = outside(at, dropping).await?;
    check(name, &found, &outside, force)?;
    for inventory in &found {
        clear(warehouse, inventory, dropping, id, at.cancel).await?;
    }
    let steps = if force { outside_steps(at.database, name, &outside) } else { Vec::new() };
    let (mut last, elsewhere): (Vec<Step>, Vec<Step>) =
        steps.into_iter().partition(|step| step.database == at.database);
    for steps in elsewhere.chunk_by(|one, other| one.database == other.database) {
        run_in(warehouse, &steps[0].database, steps, dropping.held, at.cancel).await?;
    }
    for role in &outside.roles {
        last.push(Step::shared(at.database, sql!("REVOKE ROLE {} FROM {}", ident(role), ident(name)), "a role"));
    }
    for group in &outside.groups {
        last.push(Step::shared(at.database, sql!("ALTER GROUP {} DROP USER {}", ident(group), ident(name)), "a group"));
    }
    last.push(Step::shared(at.database, sql!("DROP USER {}", ident(name)), "the user"));
    run_in(warehouse, at.database, &last, dropping.held, at.cancel).await
}

/// Takes away what the user has in one database, and looks again.
async fn clear(
    warehouse: &Warehouse,
    inventory: &Inventory,
    dropping: Dropping<'_>,
    id: i64,
    cancel: &CancellationToken,
) -> Result<(), Error> {
    let name = dropping.name;
    let at = At::new(warehouse, &inventory.database, cancel);
    let login = warehouse.facts(cancel).await?.user.clone();
    let mut left = inventory.clone();
    // What is revoked can leave an empty row of default privileges behind, which is the second round's.
    for _ in 0..2 {
        let owners = Owners::load(at).await?;
        let steps = clearing_steps(&left, name, &login, &owners);
        if steps.is_empty() {
            return Ok(());
        }
        run_in(warehouse, &inventory.database, &steps, dropping.held, cancel).await?;
        left = look_in(warehouse, &inventory.database, name, id, cancel).await?;
    }
    let lines = blockers(&[left], &Outside::default(), name, false);
    if lines.is_empty() {
        return Ok(());
    }
    Err(Error::refused(
        format!("User {} could not be cleared out of database {}", ident(name), ident(&inventory.database)),
        format!("After the commit there is still:\n- {}\nThe user was not dropped.", lines.join("\n- ")),
    ))
}

async fn run_in(
    warehouse: &Warehouse,
    database: &str,
    steps: &[Step],
    held: Option<&str>,
    cancel: &CancellationToken,
) -> Result<(), Error> {
    let is_held = held.is_some_and(|held| fold_ascii(held) == fold_ascii(database));
    let _turn = if is_held { None } else { Some(run::turn(warehouse, database, cancel).await?) };
    let _shared = run::shared_turn(warehouse, steps, cancel).await?;
    let ran = run::run(warehouse, database, steps, cancel).await;
    warehouse.catalog().forget(database);
    ran.map_err(|stopped| stopped.error)
}

/// Says what could not be looked at.
async fn blind_spots(
    warehouse: &Warehouse,
    name: &str,
    skip_databases: &[String],
    cancel: &CancellationToken,
) -> Vec<Warning> {
    let mut warnings = Vec::new();
    if !skip_databases.is_empty() {
        warnings.push(Warning {
            summary: format!("User {} was dropped without a look into {}", ident(name), skip_databases.join(", ")),
            detail:
                "What the user owned or held there is now owned by nobody (Redshift shows the owner as \"unknown\")."
                    .to_owned(),
        });
    }
    if warehouse.facts(cancel).await.is_ok_and(|facts| !facts.superuser) {
        warnings.push(Warning {
            summary: format!("Not everything about user {} could be seen", ident(name)),
            detail:
                "A login that is no superuser does not see the default privileges and the column, IAM and database \
                     rights of others."
                    .to_owned(),
        });
    }
    warnings
}

/// Looks into every database but those that are skipped. One that is listed and not there any more, or a session that is
/// ended, is somebody dropping a database: the list is read anew, and what it does not hold any more needs no look.
async fn look_everywhere(
    warehouse: &Warehouse,
    name: &str,
    id: i64,
    skip_databases: &[String],
    cancel: &CancellationToken,
) -> Result<Vec<Inventory>, Error> {
    let home = warehouse.access().database.clone();
    let mut found = BTreeMap::new();
    let mut retry = Retry::of(LOOKS);
    loop {
        let ended = {
            let _turn = warehouse.looking_turn(cancel).await?;
            let mut listed = local_databases(At::new(warehouse, &home, cancel)).await?;
            listed.retain(|database| !skip_databases.contains(database));
            found.retain(|database, _| listed.contains(database));
            look_into_rest(warehouse, name, id, &listed, &mut found, cancel).await
        };
        let Err((database, error)) = ended else { return Ok(found.into_values().collect()) };
        let again = retry.after_if(went_away(&error), error, cancel).await;
        again.map_err(|error| cannot_look(error, &database, name))?;
    }
}

/// Looks into those databases of a list in which it was not looked yet; where it ended, and why.
async fn look_into_rest(
    warehouse: &Warehouse,
    name: &str,
    id: i64,
    listed: &[String],
    found: &mut BTreeMap<String, Inventory>,
    cancel: &CancellationToken,
) -> Result<(), (String, Error)> {
    for database in listed {
        if !found.contains_key(database) {
            let inventory = look_in(warehouse, database, name, id, cancel).await;
            found.insert(database.clone(), inventory.map_err(|error| (database.clone(), error))?);
        }
    }
    Ok(())
}

/// Whether the database is not there (any more), or the session with it was ended: so it is while one is dropped.
fn went_away(error: &Error) -> bool {
    let hung_up = |reach: &Reach| match reach {
        Reach::HungUp => true,
        Reach::Proxy { problem: ProxyProblem::Beyond(reach), .. } => matches!(**reach, Reach::HungUp),
        _ => false,
    };
    match error {
        Error::Lost { .. } => true,
        Error::Unreachable { reach, .. } => hung_up(reach),
        _ => matches!(error.sqlstate(), Some("3D000" | "57P01" | "08006" | "08003")),
    }
}

async fn look_in(
    warehouse: &Warehouse,
    database: &str,
    name: &str,
    id: i64,
    cancel: &CancellationToken,
) -> Result<Inventory, Error> {
    let mut inventory = {
        let mut session = warehouse.session(database, cancel).await?;
        look(&mut session, name, id).await?
    };
    let at = At::new(warehouse, database, cancel);
    let scopes = warehouse.catalog().user_scopes(at, None).await?;
    let his = scopes.0.iter().filter(|((user, _), _)| user == name);
    inventory.scoped = his.map(|((_, schema), rights)| (schema.clone(), *rights)).collect();
    Ok(inventory)
}

/// A database that is listed and refuses can be left out. That the warehouse is out of reach is no reason to.
fn cannot_look(error: Error, database: &str, name: &str) -> Error {
    if matches!(error, Error::Cancelled) {
        return error;
    }
    let is_lost = error.sqlstate().is_some_and(|sqlstate| sqlstate.starts_with("08"));
    let advice = match error.is_unreachable() || is_lost {
        true => "Apply again when the warehouse can be reached.",
        false => "If this database is not to be searched, name it in skip_databases.",
    };
    Error::refused(
        format!("Cannot look into database {}", ident(database)),
        format!(
            "Before user {} is dropped, every database is searched for what he owns and holds, and nothing was changed \
             yet. {}: {}\n{advice}",
            ident(name),
            error.summary(),
            error.detail()
        ),
    )
}

async fn outside(at: At<'_>, dropping: Dropping<'_>) -> Result<Outside, Error> {
    let Dropping { name, skip_databases, .. } = dropping;
    let catalog = at.warehouse.catalog();
    let mut outside = Outside::default();
    let roles = catalog.roles(at, None).await?;
    outside.roles = roles.of_users.iter().filter(|(user, _)| user == name).map(|(_, role)| role.clone()).collect();
    let principals = catalog.principals(at).await?;
    if let Some(user) = principals.user(name) {
        outside.groups = principals.groups_of(user.id).map(|Group { name, .. }| name.clone()).collect();
    }
    let who = literal(name);
    let iam = sql!("SELECT iam_arn, command_type, identity_type FROM svv_iam_privileges WHERE identity_name = {}", who);
    for row in optional(at, &iam).await?.iter().filter(|row| is_user(row.get(2))) {
        outside.iam.push((trimmed(row.text(0)?), trimmed(row.text(1)?)));
    }
    let databases = sql!(
        "SELECT database_name, privilege_type, identity_name, identity_type, privilege_scope FROM svv_database_privileges WHERE identity_name = {}",
        who
    );
    let local = local_databases(at).await?;
    for row in optional(at, &databases).await?.iter().filter(|row| is_user(row.get(3))) {
        let right = OnDatabase {
            database: trimmed(row.text(0)?),
            privilege: trimmed(row.text(1)?),
            scope: row.get(4).map(trimmed).unwrap_or_default(),
            is_local: local.contains(&trimmed(row.text(0)?)),
        };
        // Plain rights on local databases are in their access control lists, and one that is skipped is not looked into.
        let is_seen = right.is_local && (!right.is_scoped() || skip_databases.contains(&right.database));
        if !is_seen {
            outside.databases.push(right);
        }
    }
    let shares = sql!(
        "SELECT datashare_name, privilege_type, identity_type FROM svv_datashare_privileges WHERE identity_name = {}",
        who
    );
    for row in optional(at, &shares).await?.iter().filter(|row| is_user(row.get(2))) {
        outside.datashares.push((trimmed(row.text(0)?), trimmed(row.text(1)?)));
    }
    let rows =
        sql!("SELECT polname, relschema, relname, granteekind FROM svv_rls_attached_policy WHERE grantee = {}", who);
    let masks = sql!(
        "SELECT policy_name, schema_name, table_name, grantee_type FROM svv_attached_masking_policy WHERE grantee = {}",
        who
    );
    for (kind, sql) in [("row-level security policy", rows), ("masking policy", masks)] {
        for row in optional(at, &sql).await?.iter().filter(|row| is_user(row.get(3))) {
            let (policy, on) = (trimmed(row.text(0)?), table(&trimmed(row.text(1)?), &trimmed(row.text(2)?)));
            outside.policies.push(format!("{kind} {} on {on}", ident(&policy)));
        }
    }
    Ok(outside)
}

/// A view that not every login may read, nor every release has: what it does not show is not looked at.
async fn optional(at: At<'_>, sql: &Sql) -> Result<Vec<crate::engine::session::row::Row>, Error> {
    let mut session = at.warehouse.session(at.database, at.cancel).await?;
    match session.query(sql).await {
        Err(error) if matches!(error.sqlstate(), Some("42501" | "42P01")) => Ok(Vec::new()),
        other => other,
    }
}

fn is_user(kind: Option<&str>) -> bool {
    kind.is_none_or(|kind| kind.trim().eq_ignore_ascii_case("user"))
}

fn trimmed(text: &str) -> String {
    text.trim_end().to_owned()
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::engine::error::ServerError;

    #[test]
    fn what_went_away_is_told_from_what_refuses() {
        let server = |sqlstate: &str| Error::from(ServerError::new(sqlstate, "no"));
        let line = |reach| Error::Unreachable { endpoint: "h:1".into(), hostaddr: None, reach };
        let beyond = ProxyProblem::Beyond(Box::new(Reach::HungUp));
        let lost = Error::Lost { database: "d".into(), statement: None, reason: "gone".into(), excess: None };
        for (error, away, may_be_skipped) in [
            (server("3D000"), true, true),
            (server("57P01"), true, false),
            (server("08006"), true, false),
            (lost, true, false),
            (line(Reach::HungUp), true, false),
            (line(Reach::Proxy { address: "p:1".into(), problem: beyond }), true, false),
            (line(Reach::Refused), false, false),
            (line(Reach::TimedOut(Duration::from_secs(1))), false, false),
            (server("42501"), false, true),
            (server("28000"), false, true),
        ] {
            assert_eq!(went_away(&error), away, "{error}");
            let told = cannot_look(error.clone(), "d", "svc");
            assert_eq!(told.detail().contains("skip_databases"), may_be_skipped, "{error}");
        }
        assert_eq!(cannot_look(Error::Cancelled, "d", "svc"), Error::Cancelled);
    }
}
