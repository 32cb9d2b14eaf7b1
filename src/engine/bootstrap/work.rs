//! How an integration's statements are sent: those of one transaction together, with the marker's claim in it.

use std::time::Duration;

use tokio_util::sync::CancellationToken;

use super::found::Found;
use super::made::Owners;
use super::owned::make_lock;
use super::parts::{Part, Place};
use super::spec::Spec;
use super::text::{self, of_lock, of_system};
use crate::engine::catalog::snapshot::RelationKind;
use crate::engine::error::Error;
use crate::engine::names::NAME_BYTES;
use crate::engine::run::{self, NOTHING_GRANTED, Retry, Turns};
use crate::engine::session::warehouse::{TurnGuard, Warehouse};
use crate::engine::session::{Done, Session};
use crate::engine::sql::{Sql, bare, literal, sql};

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
    /// It must touch the marker's row: the claim of this run still stands. A table of DISTSTYLE ALL has a copy on each node,
    /// and AWS does not say whether the tag counts them.
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
    session.execute(&sql!("BEGIN")).await.map_err(certain)?;
    for act in acts {
        if let Err(error) = run_act(&mut session, spec, act).await {
            if !error.is_lost() {
                // Whatever it answers: the session is closed afterwards, which rolls back too.
                let _ = session.execute(&sql!("ROLLBACK")).await;
            }
            session.discard();
            return Err(certain(error));
        }
    }
    let committed = session.execute(&sql!("COMMIT")).await;
    committed.map(drop).map_err(|error| {
        let unsure = !matches!(error, Error::Server(_) | Error::Cancelled);
        Broken { error, unsure }
    })
}

async fn run_act(session: &mut Session, spec: &Spec, act: &Act) -> Result<(), Error> {
    match act {
        Act::Run(sql) => nothing_refused(&session.execute(sql).await?, sql),
        Act::Claim(sql) => match session.execute(sql).await?.rows {
            0 => Err(claim_lost(spec)),
            _ => Ok(()),
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
pub(super) fn acts(spec: &Spec, parts: &[Part], owners: Owners, last: Sql) -> Vec<Act> {
    let chosen = |part: &Part| !part.done && part.place != Place::WithLock;
    let mut acts: Vec<Act> = statements(spec, parts, chosen).into_iter().map(Act::Run).collect();
    // As whom they belong to: nothing of his is run with more rights than his own.
    let as_system = |system| (owners == Owners::System).then(|| Act::Run(identity(spec, system)));
    acts.extend(as_system(true));
    match spec.impersonation {
        Some(_) => acts.extend(acting_proof(spec, &probe())),
        None => acts.extend(proof(spec).into_iter().map(Act::Run)),
    }
    acts.extend(as_system(false));
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
    let (view, profile) = (of_system(spec, text::VIEW), of_system(spec, text::PROFILE));
    let (who, userid) = (literal(probe), bare(&text::profile_columns(spec)[0]));
    let call = |target: Sql| Act::Run(sql!("CALL {}.impersonate_user({})", bare(&spec.procedures()), target));
    let seen = || sql!("SELECT count(*) FROM {} WHERE {} = {}", view, userid, who);
    vec![
        Act::Run(sql!("INSERT INTO {} ({}) VALUES ({})", profile, userid, who)),
        call(sql!("{}", who)),
        Act::Counts(seen(), 1),
        call(sql!("NULL")),
        Act::Counts(seen(), 0),
        Act::Run(sql!("DELETE FROM {} WHERE {} = {}", profile, userid, who)),
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
        sql!("SET SESSION AUTHORIZATION {}", literal(&spec.system_user))
    } else {
        sql!("SET SESSION AUTHORIZATION DEFAULT")
    }
}

/// The same in a script, as the system user.
pub(super) fn proof_by_hand(spec: &Spec) -> Vec<Sql> {
    let mut all = vec![identity(spec, true)];
    all.extend(proof(spec));
    all.push(identity(spec, false));
    all
}

/// Shows that view and procedure work on this warehouse, before anything is committed.
fn proof(spec: &Spec) -> Vec<Sql> {
    let mut proof = vec![sql!("SELECT count(*) FROM {}", of_system(spec, text::VIEW))];
    if spec.impersonation.is_some() {
        proof.push(sql!("CALL {}.impersonate_user(NULL)", bare(&spec.procedures())));
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
    /// Takes it, and makes it first where there is none: somebody dropped it, or put something else in its place. `found`
    /// is what was seen of it. None: somebody else holds it.
    pub(super) async fn take(
        warehouse: &Warehouse,
        spec: &Spec,
        found: &Found,
        cancel: &CancellationToken,
    ) -> Result<Option<Lock>, Error> {
        if let Some(table) = table(spec, found) {
            return Lock::take_within(warehouse, spec, &table, LOCK_WAIT + LOCK_GRACE, cancel).await;
        }
        let acts: Vec<Act> = make_lock(spec, found).into_iter().map(Act::Run).collect();
        let made = transaction(warehouse, spec, &spec.database, &acts, cancel).await;
        // Somebody else may have made it first. The lock says whether it is there.
        if let Err(broken) = &made {
            tracing::debug!(error = %broken.error, "the lock was not made");
        }
        let lock = of_lock(spec, text::LOCK);
        match Lock::take_within(warehouse, spec, &lock, LOCK_WAIT + LOCK_GRACE, cancel).await {
            Err(error) if error.sqlstate().is_some() => Err(made.err().map_or(error, |broken| broken.error)),
            other => other,
        }
    }

    async fn take_within(
        warehouse: &Warehouse,
        spec: &Spec,
        table: &Sql,
        limit: Duration,
        cancel: &CancellationToken,
    ) -> Result<Option<Lock>, Error> {
        let mut session = warehouse.lone_session(&spec.database, cancel).await?;
        // As a number: statement_timeout is in milliseconds.
        session.execute(&sql!("SET statement_timeout TO {}", LOCK_WAIT.as_millis())).await?;
        session.execute(&sql!("BEGIN")).await?;
        match session.execute_within(&sql!("LOCK {}", table), limit).await {
            Ok(_) => Ok(Some(Lock(Some(Box::new(session))))),
            Err(error) => {
                session.discard();
                // A session that waits may also be ended for it (57P01: SESSION TIMEOUT, an administrator).
                let waited =
                    matches!(error, Error::TimedOut { .. }) || matches!(error.sqlstate(), Some("57014" | "57P01"));
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
            for statement in statements.iter().chain([&sql!("COMMIT")]) {
                if let Err(error) = session.execute(statement).await {
                    session.discard();
                    return Err(error);
                }
            }
            session.discard();
        }
        Lock::take_within(warehouse, spec, &of_lock(spec, text::LOCK), LOCK_WAIT + LOCK_GRACE, cancel).await
    }
}

/// What is locked: the table in `<prefix>_lock`, or of an earlier version in `<prefix>_system`, if it is one of ours.
pub(super) fn table(spec: &Spec, found: &Found) -> Option<Sql> {
    let inside = found.inside.as_ref()?;
    let is_ours = |schema: &str| {
        let trusted = inside.schema(schema).is_some_and(|schema| found.trusts(schema.owner));
        let table = inside.relation(schema, text::LOCK);
        trusted && table.is_some_and(|table| table.kind == RelationKind::Table && found.trusts(table.owner))
    };
    if is_ours(&spec.lock()) {
        return Some(of_lock(spec, text::LOCK));
    }
    is_ours(&spec.system()).then(|| of_system(spec, text::LOCK))
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
        trial.admin("dev", "CREATE SCHEMA immuta_lock").await;
        trial.admin("dev", "CREATE TABLE immuta_lock.integration_lock (a integer)").await;
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
            members: None,
            key_version: None,
            allowed_readers: Default::default(),
        };
        let table = of_lock(&spec, text::LOCK);
        let warehouse = trial.warehouse();
        trial.standin.fault(Fault::statement("LOCK ", Action::Stall));
        let limit = Duration::from_millis(500);
        let lock = Lock::take_within(&warehouse, &spec, &table, limit, &trial.never).await.expect("is no time-out");
        assert!(lock.is_none());
        let lock = Lock::take_within(&warehouse, &spec, &table, LOCK_WAIT, &trial.never).await.expect("takes it");
        assert!(lock.is_some());
    }
}
