//! Dropping a user. Redshift itself looks only in the current database for what he owns and holds, and leaves the rest
//! dangling; so every database is looked at, and the whole is proved, before anything is changed in any.

use tokio_util::sync::CancellationToken;

use crate::engine::catalog::At;
use crate::engine::datastore::owners::Warning;
use crate::engine::error::Error;
use crate::engine::names::fold_ascii;
use crate::engine::run::{self, Retry};
use crate::engine::session::warehouse::{TurnGuard, Warehouse};
use crate::engine::sql::{Sql, ident};
use crate::engine::step::Step;
use crate::engine::user::blockers::{blockers, check, listed, stuck};
use crate::engine::user::inventory::{Inventory, Outside, Who};
use crate::engine::user::looking::{look_everywhere, look_in, outside, went_away};
use crate::engine::user::proving::{Proven, last_steps, prove};

/// A user is gone.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Dropped {
    pub warnings: Vec<Warning>,
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

/// What the caller does beside.
pub(in crate::engine) struct Beside<'a> {
    /// The statements that come before, by database.
    pub(in crate::engine) before: &'a (dyn Fn(&str) -> Vec<Sql> + Send + Sync),
    /// Whether the caller takes something away in the database that no transaction can take.
    pub(in crate::engine) alone_in: &'a (dyn Fn(&str) -> bool + Send + Sync),
    /// What comes when the user is gone, by database.
    pub(in crate::engine) after: &'a (dyn Fn(&str) -> Vec<Sql> + Send + Sync),
}

impl Beside<'_> {
    /// Nothing.
    fn nothing() -> Beside<'static> {
        Beside { before: &|_| Vec::new(), alone_in: &|_| false, after: &|_| Vec::new() }
    }
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
    let left = loop {
        let ran = drop_once(at, Who { name, id: user.id }, dropping).await;
        catalog.forget_principals();
        match ran {
            Ok(left) => break left,
            // A database that was found went away before he was cleared out of it: the next look does not find it.
            Err(error) => retry.after_if(went_away(&error) || error.is_retryable(), error, cancel).await?,
        }
    };
    let principals = catalog.principals(At { cancel: &CancellationToken::new(), ..at }).await?;
    if principals.user(name).is_some() {
        return Err(Error::refused(
            format!("User {} was not dropped", ident(name)),
            "The warehouse accepted DROP USER, but pg_user still lists the user.",
        ));
    }
    let mut warnings = blind_spots(warehouse, name, skip_databases, cancel).await;
    if !left.is_empty() {
        warnings.push(Warning {
            summary: format!("Numbers of users who are gone stay behind user {}", ident(name)),
            detail: format!("No statement can take these entries away:\n{}", listed(&left)),
        });
    }
    Ok(Dropped { warnings })
}

/// Whether [`drop_held`] would be refused now, without changing anything. What `spares` takes out of what was found does
/// not count: the caller takes it away before. With `beside`, it is tried too.
pub(in crate::engine) async fn may_drop(
    warehouse: &Warehouse,
    dropping: Dropping<'_>,
    id: i64,
    beside: Option<&Beside<'_>>,
    spares: &(dyn Fn(&mut Inventory) + Send + Sync),
    cancel: &CancellationToken,
) -> Result<(), Error> {
    let home = warehouse.access().database.clone();
    let who = Who { name: dropping.name, id };
    let attempt = async || {
        let mut found = look_everywhere(warehouse, who, dropping.skip_databases, cancel).await?;
        found.iter_mut().for_each(spares);
        let outside = outside(At::new(warehouse, &home, cancel), who).await?;
        check(dropping.name, &found, &outside, dropping.force)?;
        match beside {
            Some(beside) => prove(warehouse, dropping, found, &outside, beside, cancel).await.map(drop),
            None => Ok(()),
        }
    };
    let mut retry = Retry::default();
    loop {
        match attempt().await {
            Ok(()) => return Ok(()),
            // A database that others dropped meanwhile has nothing in it any more.
            Err(error) => retry.after_if(went_away(&error), error, cancel).await?,
        }
    }
}

/// Looks everywhere, proves it, then changes one database after the other, and drops the user last. What stays behind, in
/// words.
async fn drop_once(at: At<'_>, who: Who<'_>, dropping: Dropping<'_>) -> Result<Vec<String>, Error> {
    let warehouse = at.warehouse;
    let Dropping { name, force, skip_databases, .. } = dropping;
    if warehouse.catalog().principals(at).await?.user(name).is_none() {
        // An earlier attempt did it, and its answer was lost.
        return Ok(Vec::new());
    }
    let found = look_everywhere(warehouse, who, skip_databases, at.cancel).await?;
    let outside = outside(at, who).await?;
    check(name, &found, &outside, force)?;
    let left = stuck(&found, name);
    let proven = prove(warehouse, dropping, found, &outside, &Beside::nothing(), at.cancel).await?;
    for (index, proven) in proven.into_iter().enumerate() {
        clear(warehouse, proven, dropping, who, index == 0, at.cancel).await?;
    }
    let login = warehouse.facts(at.cancel).await?.user.clone();
    let last = last_steps(at.database, dropping, &login, &outside);
    run_in(warehouse, at.database, &last, dropping.held, at.cancel).await?;
    Ok(left)
}

/// Takes away what the user has in one database, and looks again.
async fn clear(
    warehouse: &Warehouse,
    mut proven: Proven,
    dropping: Dropping<'_>,
    who: Who<'_>,
    is_first: bool,
    cancel: &CancellationToken,
) -> Result<(), Error> {
    let name = dropping.name;
    let database = proven.inventory.database.clone();
    let login = warehouse.facts(cancel).await?.user.clone();
    // What is revoked can leave something behind that a second round takes.
    for _ in 0..2 {
        let steps = proven.steps(name, &login, is_first);
        if steps.is_empty() {
            return Ok(());
        }
        run_in(warehouse, &database, &steps, dropping.held, cancel).await?;
        proven.inventory = look_in(warehouse, &database, who, cancel).await?;
        if proven.inventory.defaults_by.is_empty() && blocks(&proven, name, is_first).is_empty() {
            return Ok(());
        }
    }
    let lines = blocks(&proven, name, is_first);
    if lines.is_empty() {
        return Ok(());
    }
    Err(Error::refused(
        format!("User {} could not be cleared out of database {}", ident(name), ident(&database)),
        format!("After the commit there is still:\n{}\nThe user was not dropped.", listed(&lines)),
    ))
}

/// What blocks in one database, but for what nothing can take away.
fn blocks(proven: &Proven, name: &str, is_first: bool) -> Vec<String> {
    let inventory = std::slice::from_ref(&proven.inventory);
    let stuck = stuck(inventory, name);
    let mut lines = blockers(inventory, &Outside::default(), name, false);
    lines.retain(|line| !stuck.contains(line));
    if !is_first {
        let without = [proven.inventory.clone().without_databases()];
        let here = blockers(&without, &Outside::default(), name, false);
        lines.retain(|line| here.contains(line));
    }
    lines
}

async fn run_in(
    warehouse: &Warehouse,
    database: &str,
    steps: &[Step],
    held: Option<&str>,
    cancel: &CancellationToken,
) -> Result<(), Error> {
    let _turns = turns(warehouse, database, steps, held, cancel).await?;
    let ran = run::run(warehouse, database, steps, cancel).await;
    warehouse.catalog().forget(database);
    ran.map_err(|stopped| stopped.error)
}

/// The turns that the steps need, but for the one that the caller has.
pub(super) async fn turns(
    warehouse: &Warehouse,
    database: &str,
    steps: &[Step],
    held: Option<&str>,
    cancel: &CancellationToken,
) -> Result<(Option<run::Turns>, Option<TurnGuard>), Error> {
    let is_held = held.is_some_and(|held| fold_ascii(held) == fold_ascii(database));
    let turn = if is_held { None } else { Some(run::turn(warehouse, database, cancel).await?) };
    Ok((turn, run::shared_turn(warehouse, steps, cancel).await?))
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
