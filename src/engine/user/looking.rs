//! Looking for a user in every database of a warehouse.

use std::collections::BTreeMap;

use tokio_util::sync::CancellationToken;

use crate::engine::catalog::At;
use crate::engine::catalog::principals::Group;
use crate::engine::error::{Error, ProxyProblem, Reach};
use crate::engine::run::Retry;
use crate::engine::session::warehouse::Warehouse;
use crate::engine::sql::{ident, sql};
use crate::engine::user::inventory::{Inventory, Outside, Who, look, look_outside};

/// How often the databases are looked at anew, where one of them or a session goes away meanwhile.
const LOOKS: u32 = 10;

/// The databases of the warehouse itself: not shared ones, not the system's, and not mounted catalogues (`awsdatacatalog`,
/// `name@catalog`), which hold no users' objects and are not entered. In order.
pub async fn local_databases(at: At<'_>) -> Result<Vec<String>, Error> {
    let databases = sql!(
        "SELECT database_name FROM svv_redshift_databases WHERE database_type = 'local' AND database_name NOT IN ('padb_harvest','template0','template1','sys:internal','awsdatacatalog') AND database_name NOT LIKE '%@%'"
    );
    let mut session = at.warehouse.session(at.database, at.cancel).await?;
    let rows = session.query(&databases).await?;
    let mut names = rows.iter().map(|row| Ok(row.text(0)?.to_owned())).collect::<Result<Vec<String>, Error>>()?;
    names.sort();
    Ok(names)
}

/// Looks into every database but those that are skipped. One that is listed and not there any more, or a session that is
/// ended, is somebody dropping a database: the list is read anew, and what it does not hold any more needs no look.
pub(super) async fn look_everywhere(
    warehouse: &Warehouse,
    who: Who<'_>,
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
            look_into_rest(warehouse, who, &listed, &mut found, cancel).await
        };
        let Err((database, error)) = ended else { return Ok(found.into_values().collect()) };
        let again = retry.after_if(went_away(&error), error, cancel).await;
        again.map_err(|error| cannot_look(error, &database, who.name))?;
    }
}

/// Looks into those databases of a list in which it was not looked yet; where it ended, and why.
async fn look_into_rest(
    warehouse: &Warehouse,
    who: Who<'_>,
    listed: &[String],
    found: &mut BTreeMap<String, Inventory>,
    cancel: &CancellationToken,
) -> Result<(), (String, Error)> {
    for database in listed {
        if !found.contains_key(database) {
            let inventory = look_in(warehouse, database, who, cancel).await;
            found.insert(database.clone(), inventory.map_err(|error| (database.clone(), error))?);
        }
    }
    Ok(())
}

/// Whether the database is not there (any more), or the session with it was ended: so it is while one is dropped.
pub(super) fn went_away(error: &Error) -> bool {
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

/// Looks into one.
pub(super) async fn look_in(
    warehouse: &Warehouse,
    database: &str,
    who: Who<'_>,
    cancel: &CancellationToken,
) -> Result<Inventory, Error> {
    let principals = warehouse.catalog().principals(At::new(warehouse, database, cancel)).await?;
    let mut session = warehouse.session(database, cancel).await?;
    look(&mut session, who, &principals).await
}

/// Looks at what all databases share.
pub(super) async fn outside(at: At<'_>, who: Who<'_>) -> Result<Outside, Error> {
    let local = local_databases(at).await?;
    let principals = at.warehouse.catalog().principals(at).await?;
    let mut session = at.warehouse.session(at.database, at.cancel).await?;
    let mut outside = look_outside(&mut session, who, &local).await?;
    outside.groups = principals.groups_of(who.id).map(|Group { name, .. }| name.clone()).collect();
    Ok(outside)
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
