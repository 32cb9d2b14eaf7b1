//! Runs steps: those of one database in one transaction, but for those that must stand alone.

use std::time::Duration;

use futures::future::BoxFuture;
use tokio_util::sync::CancellationToken;

use crate::engine::error::Error;
use crate::engine::session::warehouse::{TurnGuard, Warehouse};
use crate::engine::session::{Done, Session};
use crate::engine::sql::{Sql, sql};
use crate::engine::step::Step;

/// How often a transaction is planned and run before its error is final.
const ATTEMPTS: u32 = 6;

/// The SQLSTATEs of "nothing was granted" and "nothing was revoked": warnings for the server, failures for us.
const NOT_GRANTED: [&str; 2] = ["01007", "01006"];

/// What became of steps that failed.
#[derive(Debug)]
pub struct Stopped {
    pub error: Error,
    /// Whether nothing of them took effect, for sure.
    pub nothing_done: bool,
}

/// A test that is made in the transaction of the first steps, before anything is sent.
pub trait Guard: Send + Sync {
    /// Errors: what stands against the steps.
    fn test<'s>(&'s self, session: &'s mut Session) -> BoxFuture<'s, Result<(), Error>>;
}

/// Runs the steps, all of one database, in their order. Those that may share a transaction do; where a later step
/// fails, those that stood alone are taken back.
///
/// The caller holds the turns ([`turns`]) and no session of the database.
pub async fn run(
    warehouse: &Warehouse,
    database: &str,
    steps: &[Step],
    cancel: &CancellationToken,
) -> Result<(), Stopped> {
    run_guarded(warehouse, database, steps, None, cancel).await
}

/// The same, if the guard lets it: what it sees is seen in the transaction that the first steps share. Before a step
/// that stands alone it looks without one.
pub async fn run_guarded(
    warehouse: &Warehouse,
    database: &str,
    steps: &[Step],
    mut guard: Option<&dyn Guard>,
    cancel: &CancellationToken,
) -> Result<(), Stopped> {
    let opened = warehouse.session(database, cancel).await;
    let mut session = opened.map_err(|error| Stopped { error, nothing_done: true })?;
    let mut undo: Vec<&Sql> = Vec::new();
    let mut committed = false;
    for (alone, part) in parts(steps) {
        let guard = guard.take();
        let ran = match alone {
            true => standing_alone(&mut session, guard, part).await,
            false => transaction(&mut session, guard, part).await,
        };
        match ran {
            Ok(()) => {
                undo.extend(part.iter().filter_map(|step| step.undo.as_ref()));
                committed = committed || !alone;
            }
            Err(failure) => {
                session.discard();
                let mut nothing_done = !committed && !failure.unsure;
                if !undo.is_empty() {
                    nothing_done &= take_back(warehouse, database, &undo).await.is_ok();
                }
                return Err(Stopped { error: failure.error, nothing_done });
            }
        }
    }
    Ok(())
}

/// Runs those of the steps, all of one database, that may share a transaction, and takes them back: so the warehouse itself
/// says whether they could be run, and nothing is changed.
///
/// The caller holds the turns ([`turns`]) and no session of the database.
pub async fn rehearse(
    warehouse: &Warehouse,
    database: &str,
    steps: &[Step],
    cancel: &CancellationToken,
) -> Result<(), Error> {
    let mut session = warehouse.session(database, cancel).await?;
    session.execute(&sql!("BEGIN")).await?;
    let mut failed = None;
    for step in steps.iter().filter(|step| !step.alone) {
        if let Err(error) = session.execute(&step.sql).await.and_then(|done| nothing_refused(&done, step)) {
            failed = Some(error);
            break;
        }
    }
    // Where it does not get there, the session is closed, which rolls back too.
    let ended = session.execute(&sql!("ROLLBACK")).await;
    match (failed, ended) {
        (None, Ok(_)) => Ok(()),
        (failed, ended) => {
            session.discard();
            Err(failed.or(ended.err()).unwrap_or(Error::Cancelled))
        }
    }
}

/// The turns that the steps need: the database's, and where they touch what all databases share, the warehouse's
/// after it.
pub struct Turns {
    pub database: TurnGuard,
    pub shared: Option<TurnGuard>,
}

/// Waits for the turn in a database.
pub async fn turn(warehouse: &Warehouse, database: &str, cancel: &CancellationToken) -> Result<Turns, Error> {
    tokio::select! {
        biased;
        () = cancel.cancelled() => Err(Error::Cancelled),
        database = warehouse.turn(database) => Ok(Turns { database, shared: None }),
    }
}

impl Turns {
    /// Waits for the shared turn too, if a step needs it.
    pub async fn with_shared(
        &mut self,
        warehouse: &Warehouse,
        steps: &[Step],
        cancel: &CancellationToken,
    ) -> Result<(), Error> {
        if self.shared.is_none() {
            self.shared = shared_turn(warehouse, steps, cancel).await?;
        }
        Ok(())
    }
}

/// Waits for the shared turn, if a step needs it.
pub async fn shared_turn(
    warehouse: &Warehouse,
    steps: &[Step],
    cancel: &CancellationToken,
) -> Result<Option<TurnGuard>, Error> {
    if steps.iter().all(|step| !step.shared) {
        return Ok(None);
    }
    tokio::select! {
        biased;
        () = cancel.cancelled() => Err(Error::Cancelled),
        shared = warehouse.shared_turn() => Ok(Some(shared)),
    }
}

/// Says when to try again.
pub struct Retry {
    failures: u32,
    attempts: u32,
}

impl Default for Retry {
    fn default() -> Self {
        Retry::of(ATTEMPTS)
    }
}

impl Retry {
    /// Tries so often.
    pub fn of(attempts: u32) -> Retry {
        Retry { failures: 0, attempts }
    }

    /// Waits, if the transaction may be planned and run again after this error; else gives the error back. After a
    /// lost line it may, too: the next plan is made from what is there then.
    pub async fn after(&mut self, error: Error, cancel: &CancellationToken) -> Result<(), Error> {
        let may_retry = error.is_retryable() || matches!(error, Error::Lost { .. });
        self.after_if(may_retry, error, cancel).await
    }

    /// The same for who knows of other errors that end by themselves.
    pub async fn after_if(&mut self, may_retry: bool, error: Error, cancel: &CancellationToken) -> Result<(), Error> {
        self.failures += 1;
        if !may_retry || self.failures >= self.attempts || cancel.is_cancelled() {
            return Err(error);
        }
        let pause = pause(self.failures, rand::random::<u16>());
        tracing::debug!(attempt = self.failures, ?pause, %error, "trying the transaction again");
        tokio::select! {
            () = tokio::time::sleep(pause) => Ok(()),
            () = cancel.cancelled() => Err(Error::Cancelled),
        }
    }
}

/// 50 ms, doubled with each failure up to 1.6 s, of which between half and all is waited.
fn pause(failures: u32, chance: u16) -> Duration {
    let full = Duration::from_millis(50) * 2u32.saturating_pow(failures.saturating_sub(1).min(5));
    full / 2 + full / 2 * u32::from(chance) / u32::from(u16::MAX)
}

/// Each step that stands alone, so that what it did is known when the next one fails; and runs of those that share a
/// transaction.
fn parts(steps: &[Step]) -> impl Iterator<Item = (bool, &[Step])> {
    steps.chunk_by(|one, other| !one.alone && !other.alone).map(|part| (part[0].alone, part))
}

struct Failure {
    error: Error,
    /// The answer to COMMIT, or to a statement that stood alone, did not come.
    unsure: bool,
}

async fn standing_alone(session: &mut Session, guard: Option<&dyn Guard>, steps: &[Step]) -> Result<(), Failure> {
    if let Some(guard) = guard {
        guard.test(session).await.map_err(|error| Failure { error, unsure: false })?;
    }
    for step in steps {
        let ran = session.execute(&step.sql).await;
        let unsure = matches!(ran, Err(Error::Lost { .. } | Error::TimedOut { .. } | Error::Cancelled));
        ran.and_then(|done| nothing_refused(&done, step)).map_err(|error| Failure { error, unsure })?;
    }
    Ok(())
}

async fn transaction(session: &mut Session, guard: Option<&dyn Guard>, steps: &[Step]) -> Result<(), Failure> {
    let certain = |error| Failure { error, unsure: false };
    session.execute(&sql!("BEGIN")).await.map_err(certain)?;
    let mut failed = match guard {
        Some(guard) => guard.test(session).await.err(),
        None => None,
    };
    for step in steps {
        if failed.is_some() {
            break;
        }
        let ran = session.execute(&step.sql).await.and_then(|done| nothing_refused(&done, step));
        failed = ran.err();
    }
    match failed {
        None => {
            let committed = session.execute(&sql!("COMMIT")).await;
            committed.map(drop).map_err(|error| {
                // A cancelled session does not send it, and one that was sent is waited for.
                let unsure = !matches!(error, Error::Server(_) | Error::Cancelled);
                Failure { error, unsure }
            })
        }
        Some(error) => {
            if !matches!(error, Error::Lost { .. }) {
                // Whatever it answers: the session is closed afterwards, which rolls back too.
                let _ = session.execute(&sql!("ROLLBACK")).await;
            }
            Err(certain(error))
        }
    }
}

fn nothing_refused(done: &Done, step: &Step) -> Result<(), Error> {
    match done.notices.iter().find(|notice| NOT_GRANTED.contains(&notice.sqlstate.as_str())) {
        None => Ok(()),
        Some(notice) => Err(Error::refused(
            NOTHING_GRANTED,
            format!("The warehouse said \"{}\" ({}) to: {}", notice.message, notice.sqlstate, step.sql),
        )),
    }
}

/// The summary of the error for warnings 01007 and 01006.
pub(in crate::engine) const NOTHING_GRANTED: &str = "A right was not granted or not revoked";

/// Takes back what stood alone, whether or not the caller was cancelled: it would be left behind otherwise.
async fn take_back(warehouse: &Warehouse, database: &str, undo: &[&Sql]) -> Result<(), Error> {
    let mut session = warehouse.session(database, &CancellationToken::new()).await?;
    for sql in undo.iter().rev() {
        session.execute(sql).await?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::session::row::Notice;
    use crate::engine::sql::raw;

    fn step(sql: &str, alone: bool) -> Step {
        Step { alone, ..Step::new("dev", raw(sql), "") }
    }

    #[test]
    fn steps_share_transactions_between_those_that_stand_alone() {
        let steps = [step("1", false), step("2", false), step("3", true), step("4", true), step("5", false)];
        let parts: Vec<(bool, Vec<String>)> = parts(&steps)
            .map(|(alone, part)| (alone, part.iter().map(|step| step.sql.to_string()).collect()))
            .collect();
        let texts = |texts: &[&str]| texts.iter().map(|text| (*text).to_owned()).collect::<Vec<_>>();
        assert_eq!(
            parts,
            [(false, texts(&["1", "2"])), (true, texts(&["3"])), (true, texts(&["4"])), (false, texts(&["5"]))]
        );
    }

    #[test]
    fn a_warning_that_nothing_was_granted_is_a_failure() {
        let notice =
            |sqlstate: &str| Notice { sqlstate: sqlstate.into(), message: "no privileges were granted".into() };
        let done = |notices| Done { rows: 0, notices };
        let grant = step("GRANT SELECT ON TABLE \"s\".\"t\" TO \"u\"", false);
        assert!(nothing_refused(&done(vec![notice("00000")]), &grant).is_ok());
        for sqlstate in NOT_GRANTED {
            let error = nothing_refused(&done(vec![notice("00000"), notice(sqlstate)]), &grant).expect_err(sqlstate);
            assert!(error.detail().contains("GRANT SELECT") && error.detail().contains(sqlstate), "{error}");
        }
    }

    #[test]
    fn pauses_grow_within_bounds() {
        let milliseconds = |failures, chance| pause(failures, chance).as_millis();
        assert_eq!((milliseconds(1, 0), milliseconds(1, u16::MAX)), (25, 50));
        assert_eq!((milliseconds(4, 0), milliseconds(4, u16::MAX)), (200, 400));
        assert_eq!(milliseconds(40, u16::MAX), 1600);
    }

    #[tokio::test]
    async fn only_conflicts_and_lost_lines_are_tried_again_and_not_for_ever() {
        let cancel = CancellationToken::new();
        let server = |sqlstate: &str| Error::from(crate::engine::error::ServerError::new(sqlstate, "x"));
        assert!(Retry::default().after(server("40001"), &cancel).await.is_ok());
        assert!(Retry::default().after(server("42501"), &cancel).await.is_err());
        assert!(Retry::default().after(server("25P02"), &cancel).await.is_err());
        let lost = Error::Lost { database: "dev".into(), statement: None, reason: "gone".into(), excess: None };
        assert!(Retry::default().after(lost, &cancel).await.is_ok());
        assert!(Retry { failures: ATTEMPTS - 1, ..Retry::default() }.after(server("40001"), &cancel).await.is_err());
        cancel.cancel();
        assert!(Retry::default().after(server("40001"), &cancel).await.is_err());
    }
}
