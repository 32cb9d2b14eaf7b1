//! How an integration's statements are sent: those of one transaction together, with the marker's claim in it.

use std::time::Duration;

use tokio_util::sync::CancellationToken;

use super::parts::{Part, Place};
use super::spec::Spec;
use crate::engine::error::Error;
use crate::engine::names::NAME_BYTES;
use crate::engine::run::{self, NOTHING_GRANTED, Retry, Turns};
use crate::engine::session::warehouse::{TurnGuard, Warehouse};
use crate::engine::session::{Done, Session};
use crate::engine::sql::{Sql, literal};

/// How long a lock is waited for: who holds it for longer is alive.
const LOCK_WAIT: Duration = Duration::from_secs(15);

/// How much longer its statement is waited for: AWS says of statement_timeout what it limits, and does not name a wait
/// for a lock.
const LOCK_GRACE: Duration = Duration::from_secs(5);

/// The SQLSTATEs of "nothing was granted" and "nothing was revoked".
const NOT_GRANTED: [&str; 2] = ["01007", "01006"];

/// A statement of a transaction.
pub(super) enum Act {
    Run(Sql),
    /// It must touch exactly one row: the claim of this run still stands.
    Claim(Sql),
    /// A query that must answer this number.
    Counts(Sql, u64),
}

/// A transaction that failed.
#[derive(Debug)]
pub(super) struct Broken {
    pub(super) error: Error,
    /// The answer to COMMIT did not come.
    pub(super) unsure: bool,
}

/// What a claim that touched no row means.
pub(super) fn claim_lost(spec: &Spec) -> Error {
    Error::refused(
        "Another run took the integration over",
        format!(
            "The marker in {}.integration of database {} is another run's now. Nothing of this run's last transaction took effect.",
            spec.system(),
            spec.database
        ),
    )
}

/// Runs one transaction on a session of its own.
pub(super) async fn transaction(
    warehouse: &Warehouse,
    spec: &Spec,
    database: &str,
    acts: &[Act],
    cancel: &CancellationToken,
) -> Result<(), Broken> {
    let certain = |error| Broken { error, unsure: false };
    let mut session = warehouse.session(database, cancel).await.map_err(certain)?;
    session.execute(&Sql::from("BEGIN")).await.map_err(certain)?;
    for act in acts {
        if let Err(error) = run_act(&mut session, spec, act).await {
            if !error.is_lost() {
                // Whatever it answers: the session is closed afterwards, which rolls back too.
                let _ = session.execute(&Sql::from("ROLLBACK")).await;
            }
            session.discard();
            return Err(certain(error));
        }
    }
    let committed = session.execute(&Sql::from("COMMIT")).await;
    committed.map(drop).map_err(|error| {
        let unsure = !matches!(error, Error::Server(_) | Error::Cancelled);
        Broken { error, unsure }
    })
}

async fn run_act(session: &mut Session, spec: &Spec, act: &Act) -> Result<(), Error> {
    match act {
        Act::Run(sql) => nothing_refused(&session.execute(sql).await?, sql),
        Act::Claim(sql) => match session.execute(sql).await?.rows {
            1 => Ok(()),
            _ => Err(claim_lost(spec)),
        },
        Act::Counts(sql, wanted) => {
            let rows = session.query(sql).await?;
            let found: Option<u64> = rows.first().map(|row| row.parse(0)).transpose()?;
            if found == Some(*wanted) { Ok(()) } else { Err(acts_wrongly(spec)) }
        }
    }
}

fn nothing_refused(done: &Done, sql: &Sql) -> Result<(), Error> {
    match done.notices.iter().find(|notice| NOT_GRANTED.contains(&notice.sqlstate.as_str())) {
        None => Ok(()),
        Some(notice) => Err(Error::refused(
            NOTHING_GRANTED,
            format!("The warehouse said \"{}\" ({}) to: {sql}", notice.message, notice.sqlstate),
        )),
    }
}

/// One statement that stands alone.
pub(super) async fn alone(
    warehouse: &Warehouse,
    database: &str,
    sql: &Sql,
    cancel: &CancellationToken,
) -> Result<(), Error> {
    let mut retry = Retry::default();
    loop {
        let ran = async {
            let mut session = warehouse.session(database, cancel).await?;
            nothing_refused(&session.execute(sql).await?, sql)
        };
        match ran.await {
            Ok(()) => return Ok(()),
            // Whether it took effect has to be looked at, not tried.
            Err(error) if error.is_lost() => return Err(error),
            Err(error) => retry.after(error, cancel).await?,
        }
    }
}

/// The statements of a transaction: those that are not done, the system user's in its name, then proof and marker.
pub(super) fn acts(spec: &Spec, parts: &[Part], last: Sql) -> Vec<Act> {
    let chosen = |part: &Part| !part.done && part.place != Place::WithLock;
    let mut acts: Vec<Act> = statements(spec, parts, chosen).into_iter().map(Act::Run).collect();
    match spec.impersonation {
        Some(_) => acts.extend(acting_proof(spec, &probe())),
        None => acts.extend(proof(spec).into_iter().map(Act::Run)),
    }
    acts.push(Act::Claim(last));
    acts
}

/// A user that is nobody, with as long a name as there can be.
fn probe() -> String {
    format!("nobody-{}{}", super::life::random(), super::life::random())[..NAME_BYTES].to_owned()
}

/// Shows that whoever acts for another sees that one's row, and no longer does afterwards: in a warehouse where session
/// variables, views or procedures work otherwise, nothing is committed.
fn acting_proof(spec: &Spec, probe: &str) -> Vec<Act> {
    let (p, system, procedures) = (&spec.prefix, spec.system(), spec.procedures());
    let who = literal(probe);
    let run = |sql: String| Act::Run(Sql::from(sql));
    let seen = || Sql::from(format!("SELECT count(*) FROM {system}.user_profile WHERE {p}__userid = {who}"));
    vec![
        run(format!("INSERT INTO {system}.profile ({p}__userid) VALUES ({who})")),
        run(format!("CALL {procedures}.impersonate_user({who})")),
        Act::Counts(seen(), 1),
        run(format!("CALL {procedures}.impersonate_user(NULL)")),
        Act::Counts(seen(), 0),
        run(format!("DELETE FROM {system}.profile WHERE {p}__userid = {who}")),
    ]
}

fn acts_wrongly(spec: &Spec) -> Error {
    Error::refused(
        "Impersonation does not work on this warehouse",
        format!(
            "A user that was made up for a test did not appear in {}.user_profile as it should, so nothing was kept. Please report it with \
             the server's version, and set enabled = false in impersonation meanwhile.",
            spec.system()
        ),
    )
}

/// The statements inside the transaction of the parts that are chosen, in order.
pub(super) fn statements(spec: &Spec, parts: &[Part], chosen: impl Fn(&Part) -> bool) -> Vec<Sql> {
    let mut all = Vec::new();
    let inside = parts.iter().filter(|part| !matches!(part.place, Place::Initial | Place::Alone) && chosen(part));
    let mut as_system = false;
    for part in inside {
        if (part.place == Place::AsSystem) != as_system {
            as_system = !as_system;
            all.push(identity(spec, as_system));
        }
        all.extend(part.statements.iter().cloned());
    }
    if as_system {
        all.push(identity(spec, false));
    }
    all
}

fn identity(spec: &Spec, system: bool) -> Sql {
    if system {
        Sql::from(format!("SET SESSION AUTHORIZATION '{}'", spec.system_user))
    } else {
        Sql::from("SET SESSION AUTHORIZATION DEFAULT")
    }
}

/// Shows that view and procedure work on this warehouse, before anything is committed.
pub(super) fn proof(spec: &Spec) -> Vec<Sql> {
    let mut proof = vec![Sql::from(format!("SELECT count(*) FROM {}.user_profile", spec.system()))];
    if spec.impersonation.is_some() {
        proof.push(Sql::from(format!("CALL {}.impersonate_user(NULL)", spec.procedures())));
    }
    proof
}

/// The turn of a run among all of this process: one integration after another, and alone in its database.
pub(super) struct Turn(#[allow(dead_code)] TurnGuard, #[allow(dead_code)] Turns);

impl Turn {
    pub(super) async fn take(warehouse: &Warehouse, spec: &Spec, cancel: &CancellationToken) -> Result<Turn, Error> {
        let first = tokio::select! {
            biased;
            () = cancel.cancelled() => return Err(Error::Cancelled),
            turn = warehouse.integrations_turn() => turn,
        };
        Ok(Turn(first, run::turn(warehouse, &spec.database, cancel).await?))
    }
}

/// A session that holds the lock of an integration until it is dropped: nobody else is at it.
pub(super) struct Lock(Option<Box<Session>>);

impl Drop for Lock {
    fn drop(&mut self) {
        if let Some(session) = self.0.take() {
            session.discard();
        }
    }
}

impl Lock {
    /// Takes it. None: somebody who is alive holds it.
    pub(super) async fn take(
        warehouse: &Warehouse,
        spec: &Spec,
        cancel: &CancellationToken,
    ) -> Result<Option<Lock>, Error> {
        Lock::take_within(warehouse, spec, LOCK_WAIT + LOCK_GRACE, cancel).await
    }

    async fn take_within(
        warehouse: &Warehouse,
        spec: &Spec,
        limit: Duration,
        cancel: &CancellationToken,
    ) -> Result<Option<Lock>, Error> {
        let mut session = warehouse.lone_session(&spec.database, cancel).await?;
        session.execute(&Sql::from(format!("SET statement_timeout TO {}", LOCK_WAIT.as_millis()))).await?;
        session.execute(&Sql::from("BEGIN")).await?;
        let lock = Sql::from(format!("LOCK {}.integration_lock", spec.system()));
        match session.execute_within(&lock, limit).await {
            Ok(_) => Ok(Some(Lock(Some(Box::new(session))))),
            Err(error) => {
                session.discard();
                let waited = matches!(error, Error::TimedOut { .. }) || error.sqlstate() == Some("57014");
                if waited { Ok(None) } else { Err(error) }
            }
        }
    }

    /// Does what nobody else can do while it is held, which lets go of it for a moment. None: somebody else has it now.
    pub(super) async fn run(
        mut self,
        statements: &[Sql],
        warehouse: &Warehouse,
        spec: &Spec,
        cancel: &CancellationToken,
    ) -> Result<Option<Lock>, Error> {
        if let Some(mut session) = self.0.take() {
            for statement in statements.iter().chain([&Sql::from("COMMIT")]) {
                if let Err(error) = session.execute(statement).await {
                    session.discard();
                    return Err(error);
                }
            }
            session.discard();
        }
        Lock::take(warehouse, spec, cancel).await
    }
}

#[cfg(test)]
mod tests {
    use redshift_standin::{Action, Fault};

    use super::*;
    use crate::engine::bootstrap::Kind;
    use crate::engine::trial::Trial;

    #[tokio::test(flavor = "multi_thread")]
    async fn a_lock_that_is_never_answered_is_held_by_somebody() {
        let trial = Trial::start();
        trial.admin("dev", "CREATE SCHEMA immuta_system").await;
        trial.admin("dev", "CREATE TABLE immuta_system.integration_lock (a integer)").await;
        let spec = Spec {
            kind: Kind::Redshift,
            database: "dev".into(),
            initial_database: None,
            create_database: true,
            prefix: "immuta".into(),
            system_user: "immuta_system_user".into(),
            impersonation: None,
            marker_owner: None,
            external_schemas: Default::default(),
        };
        let warehouse = trial.warehouse();
        trial.standin.fault(Fault::statement("LOCK ", Action::Stall));
        let limit = Duration::from_millis(500);
        let lock = Lock::take_within(&warehouse, &spec, limit, &trial.never).await.expect("is no time-out");
        assert!(lock.is_none());
        let lock = Lock::take_within(&warehouse, &spec, LOCK_WAIT, &trial.never).await.expect("takes it");
        assert!(lock.is_some());
    }
}
