//! The key of hashes: one row that only its owner reads. It is drawn by several sessions, each of which the warehouse seeds
//! anew, and with a half of the provider's, so that neither who reads the warehouse's log of statements knows it, nor who
//! could guess one session's draws.

use secrecy::SecretString;
use tokio_util::sync::CancellationToken;

use super::seat::{MASK_KEY, Seat, not_there};
use super::uri::IntegrationUri;
use crate::engine::bootstrap::draws;
use crate::engine::catalog::At;
use crate::engine::error::Error;
use crate::engine::password;
use crate::engine::session::warehouse::Warehouse;
use crate::engine::sql::{Sql, secret, sql};

/// How many sessions draw a key.
const DRAWS: u64 = 4;

/// Makes it, if it is not there; goes on with one that a run was making when it was cut short.
pub(super) async fn ensure(warehouse: &Warehouse, seat: &Seat, cancel: &CancellationToken) -> Result<(), Error> {
    let drawn = if seat.has_mask_key { drawn(warehouse, &seat.uri, cancel).await? } else { 0 };
    draw(warehouse, seat, drawn, cancel).await
}

/// Makes another key in its place, with which all hashes change. False: there is none yet.
pub async fn renew(warehouse: &Warehouse, uri: &IntegrationUri, cancel: &CancellationToken) -> Result<bool, Error> {
    let at = At::new(warehouse, &uri.database, cancel);
    let seat = Seat::find(at, uri).await?.ok_or_else(|| not_there(uri))?;
    if seat.has_mask_key {
        let again = sql!("UPDATE {} SET draws = 0", uri.relation(MASK_KEY));
        run(warehouse, &seat, vec![again], cancel).await?;
        draw(warehouse, &seat, 0, cancel).await?;
    }
    Ok(seat.has_mask_key)
}

/// What makes it in a script: the warehouse alone, so that nobody has to know it.
pub(super) fn by_hand(uri: &IntegrationUri) -> [Sql; 2] {
    let table = uri.relation(MASK_KEY);
    let insert = sql!(
        "INSERT INTO {0} SELECT pg_catalog.sha2({1} || {1}, 256), {2} WHERE NOT EXISTS (SELECT 1 FROM {0})",
        table,
        draws(),
        DRAWS
    );
    [make(&table), insert]
}

fn make(table: &Sql) -> Sql {
    sql!("CREATE TABLE IF NOT EXISTS {} (mask_key varchar(64) NOT NULL, draws integer NOT NULL) DISTSTYLE ALL", table)
}

async fn draw(warehouse: &Warehouse, seat: &Seat, drawn: u64, cancel: &CancellationToken) -> Result<(), Error> {
    let table = seat.uri.relation(MASK_KEY);
    for number in drawn..DRAWS {
        let half: SecretString = password::nobodys();
        let mut statements = Vec::new();
        if number == 0 {
            statements.push(make(&table));
            statements.push(sql!(
                "INSERT INTO {0} SELECT pg_catalog.sha2({1} || {2}, 256), 0 WHERE NOT EXISTS (SELECT 1 FROM {0})",
                table,
                secret(&half),
                draws()
            ));
        }
        statements.push(sql!(
            "UPDATE {} SET mask_key = pg_catalog.sha2(mask_key || {} || {}, 256), draws = draws + 1",
            table,
            secret(&half),
            draws()
        ));
        run(warehouse, seat, statements, cancel).await?;
    }
    if drawn < DRAWS {
        warehouse.catalog().forget(&seat.uri.database);
    }
    Ok(())
}

/// By a session of its own.
async fn run(
    warehouse: &Warehouse,
    seat: &Seat,
    statements: Vec<Sql>,
    cancel: &CancellationToken,
) -> Result<(), Error> {
    let mut session = warehouse.lone_session(&seat.uri.database, cancel).await?;
    for step in seat.steps(statements, "the key of hashes") {
        session.execute(&step.sql).await?;
    }
    session.discard();
    Ok(())
}

async fn drawn(warehouse: &Warehouse, uri: &IntegrationUri, cancel: &CancellationToken) -> Result<u64, Error> {
    let mut session = warehouse.session(&uri.database, cancel).await?;
    let query = sql!("SELECT coalesce(pg_catalog.min(draws), 0) FROM {}", uri.relation(MASK_KEY));
    let rows = session.query(&query).await?;
    rows.first().map_or(Ok(0), |row| row.parse(0))
}
