//! One session with a database: statements one at a time, in the simple protocol, as text.
//!
//! tokio-postgres hands the text of every statement to the `log` crate. Nothing may ever install a logger there (nor
//! the bridge of tracing-subscriber): hashes of passwords would be in the logs. What may be seen is logged here.

mod bounds;
pub(in crate::engine) mod connect;
pub(in crate::engine) mod facts;
mod handshake;
pub(in crate::engine) mod memory;
pub(in crate::engine) mod pool;
mod proxy;
pub mod row;
pub mod tls;
mod turns;
pub mod validation;
pub mod warehouse;
#[cfg(test)]
mod wire_tests;

use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use futures::TryStreamExt;
use rustls::ClientConfig;
use tokio::time::{sleep, timeout};
use tokio_postgres::{Client, SimpleQueryMessage};
use tokio_util::sync::CancellationToken;

use crate::engine::error::{Error, ServerError};
use crate::engine::session::connect::{End, Wired, server_error};
pub use crate::engine::session::facts::Facts;
use crate::engine::session::pool::{Seat, Shelf};
pub use crate::engine::session::row::{Done, Notice, Row};
use crate::engine::session::turns::TurnGuard;
use crate::engine::settings::access::Access;
use crate::engine::sql::{Sql, sql};

/// How much longer than the warehouse's own limit an answer is waited for.
const GRACE: Duration = Duration::from_secs(15);

/// How long a cancelled statement may take to end, and a transaction to be rolled back.
const WIND_DOWN: Duration = Duration::from_secs(10);

/// A session that is signed in, as the pool keeps it.
struct Live {
    wired: Wired,
    facts: Arc<Facts>,
    access: Arc<Access>,
    tls: Option<Arc<ClientConfig>>,
    statements: Arc<AtomicU64>,
}

/// A session, taken from the pool. Dropped healthy and outside a transaction it goes back; when anything failed in it,
/// or it changed a setting or its authorization, it is closed.
pub struct Session {
    live: Option<Live>,
    facts: Arc<Facts>,
    cancel: CancellationToken,
    shelf: Arc<Shelf>,
    in_transaction: bool,
    /// Not to be used again by others.
    spoiled: bool,
    /// What failed the transaction; it answers for every later statement but ROLLBACK.
    failed: Option<Error>,
    /// Why nothing can be sent any more.
    closed: Option<Error>,
    /// Counts among `max_sessions` until the line is closed.
    seat: Option<Seat>,
    /// That the task has a session.
    held: Option<TurnGuard>,
}

/// What a statement does to the session it runs in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Verb {
    Begin,
    Commit,
    Rollback,
    Set,
    Other,
}

impl Verb {
    fn of(sql: &Sql) -> Self {
        let text = sql.open().trim_start();
        let word = text.split(|c: char| !c.is_ascii_alphabetic()).next().unwrap_or_default();
        match word.to_ascii_uppercase().as_str() {
            "BEGIN" | "START" => Self::Begin,
            "COMMIT" | "END" => Self::Commit,
            "ROLLBACK" | "ABORT" => Self::Rollback,
            "SET" | "RESET" => Self::Set,
            _ => Self::Other,
        }
    }
}

/// How asking ended.
enum Asked {
    Answered(Result<Answer, tokio_postgres::Error>),
    /// The token fired; whether the statement is known to have ended.
    Stopped {
        ended: bool,
    },
    TimedOut(Duration),
}

/// Rows, and what the statement did.
type Answer = (Vec<Row>, Done);

impl Session {
    fn new(live: Live, cancel: CancellationToken, shelf: Arc<Shelf>, seat: Option<Seat>) -> Self {
        let facts = live.facts.clone();
        Self {
            live: Some(live),
            facts,
            cancel,
            shelf,
            in_transaction: false,
            spoiled: false,
            failed: None,
            closed: None,
            seat: seat.map(Seat::taken),
            held: None,
        }
    }

    /// Who this session is.
    pub fn facts(&self) -> &Facts {
        &self.facts
    }

    fn shared_facts(&self) -> Arc<Facts> {
        self.facts.clone()
    }

    /// Runs one statement and returns its rows. Errors: the warehouse's; the line's; [`Error::Cancelled`] once the
    /// token fired (a transaction is then rolled back and the session closed).
    pub async fn query(&mut self, sql: &Sql) -> Result<Vec<Row>, Error> {
        Ok(self.run(sql, None).await?.0)
    }

    /// Runs one statement and returns what it did, with the warehouse's remarks. Errors as for [`Self::query`]; in a
    /// transaction that failed, COMMIT is not sent and answers with what failed it.
    pub async fn execute(&mut self, sql: &Sql) -> Result<Done, Error> {
        Ok(self.run(sql, None).await?.1)
    }

    /// The same, with a limit of its own for the answer: for a statement that may wait for a lock, which the warehouse's
    /// own limit need not cut short. Later than that it is cancelled, and [`Error::TimedOut`].
    pub async fn execute_within(&mut self, sql: &Sql, limit: Duration) -> Result<Done, Error> {
        Ok(self.run(sql, Some(limit)).await?.1)
    }

    /// Closes the session instead of giving it back.
    pub fn discard(mut self) {
        self.spoiled = true;
    }

    async fn run(&mut self, sql: &Sql, limit: Option<Duration>) -> Result<Answer, Error> {
        let verb = Verb::of(sql);
        if let Some(error) = &self.closed {
            return Err(error.clone());
        }
        if verb != Verb::Rollback {
            if let Some(error) = &self.failed {
                return Err(error.clone());
            }
            if self.cancel.is_cancelled() {
                return Err(self.stop(Error::Cancelled).await);
            }
        }
        // If the caller drops this call before its end, the session must not be used again.
        let spoiled = std::mem::replace(&mut self.spoiled, true);
        let answer = self.send(sql, verb, limit).await?;
        self.spoiled = spoiled || verb == Verb::Set;
        match verb {
            Verb::Begin => self.in_transaction = true,
            Verb::Commit | Verb::Rollback => {
                self.in_transaction = false;
                self.failed = None;
            }
            Verb::Set | Verb::Other => {}
        }
        Ok(answer)
    }

    async fn send(&mut self, sql: &Sql, verb: Verb, limit: Option<Duration>) -> Result<Answer, Error> {
        let Some(live) = &self.live else { return Err(Error::Cancelled) };
        let limit = limit.unwrap_or(live.access.statement_timeout + GRACE);
        match live.ask_within(sql, verb, limit, &self.cancel).await {
            Asked::Answered(Ok(answer)) => Ok(answer),
            Asked::Answered(Err(error)) => Err(self.failure(error, sql).await),
            Asked::Stopped { ended: true } => Err(self.stop(Error::Cancelled).await),
            Asked::Stopped { ended: false } => Err(self.close(Error::Cancelled)),
            Asked::TimedOut(after) => {
                let database = self.facts.database.clone();
                Err(self.close(Error::TimedOut { database, statement: sql.to_string(), after }))
            }
        }
    }

    /// Takes note of an error of the client library and says what it means.
    async fn failure(&mut self, error: tokio_postgres::Error, sql: &Sql) -> Error {
        let database = self.facts.database.clone();
        if let Some(db) = error.as_db_error() {
            let found = Error::from(ServerError {
                statement: sql.to_string(),
                database,
                user: self.facts.user.clone(),
                ..server_error(db, |text| sql.scrub(text))
            });
            if db.severity() == "FATAL" || db.severity() == "PANIC" {
                return self.close(found);
            }
            if self.in_transaction {
                self.failed = Some(found.clone());
            }
            return found;
        }
        let End { reason, excess } = match &mut self.live {
            Some(live) if error.is_closed() => live.wired.reason().await,
            _ => End::of(&error),
        };
        self.close(Error::Lost { database, statement: Some(sql.to_string()), reason, excess })
    }

    /// Ends the work: rolls an open transaction back, so that its locks are gone when the caller hears of it.
    async fn stop(&mut self, why: Error) -> Error {
        if let (true, Some(live)) = (self.in_transaction, &self.live) {
            let rolled_back = timeout(WIND_DOWN, live.ask(&sql!("ROLLBACK"))).await;
            tracing::debug!(done = matches!(rolled_back, Ok(Ok(_))), "rolled back after a stop");
        }
        self.close(why)
    }

    fn close(&mut self, why: Error) -> Error {
        self.closed = Some(why.clone());
        self.live = None;
        self.seat = None;
        self.held = None;
        why
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        let Some(live) = self.live.take() else { return };
        if !self.spoiled && !self.in_transaction && !live.wired.client.is_closed() {
            self.shelf.put(live);
        }
    }
}

impl Live {
    /// Sends one statement and reads its answer; logs it in its printed form.
    async fn ask(&self, sql: &Sql) -> Result<Answer, tokio_postgres::Error> {
        let number = self.statements.fetch_add(1, Ordering::Relaxed) + 1;
        let started = Instant::now();
        self.wired.take_notices();
        let answer = read(&self.wired.client, sql).await;
        let ms = started.elapsed().as_millis();
        let database = &self.facts.database;
        match answer {
            Ok((rows, touched)) => {
                tracing::debug!(number, %database, ms, rows = rows.len(), touched, %sql, "statement");
                let mut notices = self.wired.take_notices();
                notices.iter_mut().for_each(|notice| notice.message = sql.scrub(notice.message.raw()).into());
                Ok((rows, Done { rows: touched, notices }))
            }
            Err(error) => {
                let sqlstate = error.code().map_or("", |code| code.code());
                tracing::debug!(number, %database, ms, sqlstate, %sql, "statement failed");
                Err(error)
            }
        }
    }

    /// Asks, until the answer, the token or the limit.
    async fn ask_within(&self, sql: &Sql, verb: Verb, limit: Duration, cancel: &CancellationToken) -> Asked {
        let ask = self.ask(sql);
        tokio::pin!(ask);
        tokio::select! {
            biased;
            answer = &mut ask => return Asked::Answered(answer),
            // Whether a COMMIT that is cut short took effect could not be told, so it is waited for; and a ROLLBACK is
            // what a stop wants.
            () = cancel.cancelled(), if !matches!(verb, Verb::Commit | Verb::Rollback) => {}
            () = sleep(limit) => {
                self.cancel().await;
                return Asked::TimedOut(limit);
            }
        }
        self.cancel().await;
        match timeout(WIND_DOWN, ask).await {
            // It ended before the request arrived; the next call is told.
            Ok(Ok(answer)) => Asked::Answered(Ok(answer)),
            Ok(Err(_)) => Asked::Stopped { ended: true },
            Err(_) => Asked::Stopped { ended: false },
        }
    }

    async fn cancel(&self) {
        connect::cancel(&self.access, self.tls.as_ref(), &self.wired.client.cancel_token()).await;
    }
}

/// Each row is read as it comes, so that no more than what is kept of it stays.
async fn read(client: &Client, sql: &Sql) -> Result<(Vec<Row>, u64), tokio_postgres::Error> {
    let mut messages = pin!(client.simple_query_raw(sql.open()).await?);
    let mut rows = Vec::new();
    let mut touched = 0;
    while let Some(message) = messages.try_next().await? {
        match message {
            SimpleQueryMessage::Row(row) => {
                let values: Vec<_> = (0..row.len()).map(|column| row.try_get(column)).collect::<Result<_, _>>()?;
                rows.push(Row::new(values));
            }
            SimpleQueryMessage::CommandComplete(count) => touched = count,
            _ => {}
        }
    }
    Ok((rows, touched))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::sql::raw;

    #[test]
    fn the_first_word_says_what_a_statement_does_to_its_session() {
        for (text, verb) in [
            ("BEGIN", Verb::Begin),
            ("start transaction", Verb::Begin),
            (" commit;", Verb::Commit),
            ("END", Verb::Commit),
            ("ROLLBACK", Verb::Rollback),
            ("SET SESSION AUTHORIZATION 'u'", Verb::Set),
            ("SET SESSION AUTHORIZATION DEFAULT", Verb::Set),
            ("RESET search_path", Verb::Set),
            ("SELECT 1", Verb::Other),
            ("", Verb::Other),
            ("SETTLE", Verb::Other),
        ] {
            assert_eq!(Verb::of(&raw(text)), verb, "{text}");
        }
    }
}
