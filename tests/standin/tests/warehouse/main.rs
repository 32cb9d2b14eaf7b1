//! The warehouse through its front, by this crate's own client.

mod bootstrap;
mod catalog;
mod external;
mod impersonation;
mod inventory;
mod late;
mod line;
mod names;
mod procedures;
mod realism;
mod rights;
mod stalls;
mod strict;
mod users;

use std::sync::OnceLock;

use redshift_standin::{Error, ServerError, Standin, StandinOptions, WarehouseKind};

type Rows = Vec<Vec<Option<String>>>;

fn start() -> Standin {
    Standin::start(StandinOptions::default()).expect("a stand-in starts")
}

/// One stand-in for all tests that leave it as it was, or use names of their own.
fn shared() -> &'static Standin {
    static SHARED: OnceLock<Standin> = OnceLock::new();
    SHARED.get_or_init(start)
}

fn ok(standin: &Standin, sql: &str) -> Rows {
    ok_in(standin, "dev", sql)
}

fn ok_in(standin: &Standin, database: &str, sql: &str) -> Rows {
    standin.sql_blocking(database, sql).unwrap_or_else(|e| panic!("{sql}: {e}"))
}

/// Cells of all rows, NULL as `-`.
fn cells(rows: &Rows) -> Vec<String> {
    rows.iter().map(|r| r.iter().map(|c| c.as_deref().unwrap_or("-")).collect::<Vec<_>>().join("|")).collect()
}

fn refused(result: Result<Rows, Error>) -> ServerError {
    match result {
        Err(Error::Server(error)) => error,
        other => panic!("not refused: {other:?}"),
    }
}

fn err(standin: &Standin, sql: &str) -> ServerError {
    refused(standin.sql_blocking("dev", sql))
}

const PASSWORD: &str = "Passw0rdPassw0rd";

/// A user with [`PASSWORD`].
fn user(standin: &Standin, name: &str) {
    ok(standin, &format!("CREATE USER {name} PASSWORD '{PASSWORD}'"));
}

fn as_user(standin: &Standin, user: &str, sql: &str) -> Result<Rows, Error> {
    standin.sql_as_blocking(user, PASSWORD, "dev", sql)
}
