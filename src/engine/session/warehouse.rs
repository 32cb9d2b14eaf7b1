//! A warehouse and one login to it.

use std::collections::HashMap;
use std::future::Future;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use rustls::ClientConfig;
use secrecy::SecretString;
use tokio::sync::{Mutex as AsyncMutex, OnceCell};
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

use crate::engine::aws::{Aws, AwsOptions};
use crate::engine::catalog::Catalog;
use crate::engine::error::{Error, Reach, ServerError, Stage};
use crate::engine::session::connect::{self, End, Wired, unreachable};
use crate::engine::session::facts::{Facts, namespace, opening};
use crate::engine::session::memory::Memory;
use crate::engine::session::pool::Pool;
use crate::engine::session::tls;
pub use crate::engine::session::turns::TurnGuard;
use crate::engine::session::turns::{self, Turns};
use crate::engine::session::{Live, Session};
use crate::engine::settings::access::Access;
use crate::engine::settings::endpoint::Endpoint;
use crate::engine::sql::{Sql, sql};

/// How often a sign-in is tried while the warehouse has no session to spare (53300), and the first wait between, which is
/// doubled.
const CROWDED: (u32, Duration) = (8, Duration::from_millis(30));

/// What an engine is told once.
#[derive(Debug, Clone)]
pub struct Options {
    /// The name under which an administrator sees the sessions.
    pub application_name: String,
}

impl Default for Options {
    fn default() -> Self {
        Self { application_name: concat!(env!("CARGO_PKG_NAME"), "/", env!("CARGO_PKG_VERSION")).to_owned() }
    }
}

/// All warehouses that one set of settings leads to. What is cached in them lives as long as it does.
pub struct Engine {
    options: Options,
    aws: Arc<Aws>,
    statements: Arc<AtomicU64>,
    known: Mutex<Known>,
}

#[derive(Default)]
struct Known {
    warehouses: Vec<Arc<Warehouse>>,
    endpoints: HashMap<Endpoint, Arc<AtEndpoint>>,
}

impl Engine {
    /// An engine that knows no warehouse yet.
    pub fn new(options: Options, aws: AwsOptions) -> Self {
        Self { options, aws: Arc::new(Aws::new(aws)), statements: Arc::default(), known: Mutex::default() }
    }

    /// AWS, as all of its warehouses see it.
    pub fn aws(&self) -> &Aws {
        &self.aws
    }

    /// The warehouse for an access: the same one for the same access. Accesses that differ in the first database only
    /// share sessions, turns and catalogue; all accesses to one endpoint share turns.
    pub fn warehouse(&self, access: Access) -> Arc<Warehouse> {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(found) = known.warehouses.iter().find(|warehouse| warehouse.access.same(&access)) {
            return found.clone();
        }
        let relative = known.warehouses.iter().find(|warehouse| warehouse.access.same_login(&access));
        let login = match relative {
            Some(warehouse) => warehouse.login.clone(),
            None => {
                let endpoint = known.endpoints.entry(access.endpoint.clone()).or_default().clone();
                let application = self.options.application_name.clone();
                Arc::new(Login::new(access.clone(), endpoint, application, self.statements.clone(), self.aws.clone()))
            }
        };
        let warehouse = Arc::new(Warehouse { access, login, facts: OnceCell::new() });
        known.warehouses.push(warehouse.clone());
        warehouse
    }

    /// How many statements were sent so far, to all warehouses.
    pub fn statements(&self) -> u64 {
        self.statements.load(Ordering::Relaxed)
    }
}

/// A warehouse as one login sees it.
pub struct Warehouse {
    access: Access,
    login: Arc<Login>,
    facts: OnceCell<Arc<Facts>>,
}

/// What accesses of one login share.
struct Login {
    access: Arc<Access>,
    aws: Arc<Aws>,
    application: String,
    pool: Arc<Pool>,
    catalog: Catalog,
    endpoint: Arc<AtEndpoint>,
    memory: Memory,
    tls: OnceCell<Option<Arc<ClientConfig>>>,
    statements: Arc<AtomicU64>,
    /// Held while signing in, until it worked once: a wrong password is tried once, not by everyone who waits.
    first: AsyncMutex<()>,
    works: AtomicBool,
}

/// What all logins to one endpoint share.
#[derive(Default)]
struct AtEndpoint {
    turns: Turns,
    pools: Mutex<Vec<Arc<Pool>>>,
}

/// From how many sessions on two databases are asked side by side.
const SIDE_BY_SIDE: usize = 3;

impl Warehouse {
    /// A session with `database`, from the pool or new; waits while `max_sessions` of this login are in use, whatever their
    /// databases. Who has a session already does not wait, but gets one beside them. `cancel` stops the waiting,
    /// and later whatever the session does: the statement in flight is cancelled in the warehouse, an open transaction
    /// rolled back and the line closed. Only a COMMIT in flight is waited for. A session in which something failed needs
    /// no ROLLBACK: dropping it closes the line.
    pub async fn session(&self, database: &str, cancel: &CancellationToken) -> Result<Session, Error> {
        self.login.session(database, cancel).await
    }

    /// Asks two databases side by side, within `max_sessions`; where these are few, one after the other, as each would close
    /// the other's sessions.
    pub async fn side_by_side<A: Future, B: Future>(&self, one: A, other: B) -> (A::Output, B::Output) {
        match self.asks_side_by_side() {
            true => turns::side_by_side(one, other).await,
            false => (one.await, other.await),
        }
    }

    /// Whether there are sessions enough for that.
    pub fn asks_side_by_side(&self) -> bool {
        self.login.pool.limit() >= SIDE_BY_SIDE
    }

    /// A new session beside `max_sessions`, for holding a lock while others work; close it with
    /// [`Session::discard`].
    pub async fn lone_session(&self, database: &str, cancel: &CancellationToken) -> Result<Session, Error> {
        let live = self.login.sign_in_patiently(database, cancel).await?;
        Ok(Session::new(live, cancel.clone(), self.login.pool.shelf(database), None))
    }

    /// Closes the idle sessions with a database, of all logins to this endpoint: it cannot be dropped while somebody is in
    /// it.
    pub fn close_idle(&self, database: &str) {
        let pools = self.login.endpoint.pools.lock().unwrap_or_else(PoisonError::into_inner);
        pools.iter().for_each(|pool| pool.close_idle(database));
    }

    /// The facts of the first sign-in that asked for them, to the access's own database unless [`Warehouse::facts_in`] was
    /// faster.
    pub async fn facts(&self, cancel: &CancellationToken) -> Result<Arc<Facts>, Error> {
        let read = || async { Ok(self.session(&self.access.database, cancel).await?.shared_facts()) };
        self.facts.get_or_try_init(read).await.cloned()
    }

    /// The same by a sign-in to this database, if there is such a one. Whatever else stands against it is not tried twice: a
    /// refused login would count twice, and a silent warehouse be waited for twice.
    pub async fn facts_in(&self, database: &str, cancel: &CancellationToken) -> Result<Arc<Facts>, Error> {
        let read = || async { Ok::<_, Error>(self.session(database, cancel).await?.shared_facts()) };
        match self.facts.get_or_try_init(read).await {
            Ok(facts) => Ok(facts.clone()),
            Err(error) if error.sqlstate() == Some("3D000") => self.facts(cancel).await,
            Err(error) => Err(error),
        }
    }

    /// The turn for DDL in one database, among all logins to this endpoint.
    pub async fn turn(&self, database: &str) -> TurnGuard {
        self.login.endpoint.turns.database(database).await
    }

    /// The turn for making, changing and removing integrations, of which one looks for others in every database.
    pub async fn integrations_turn(&self) -> TurnGuard {
        self.login.endpoint.turns.integrations().await
    }

    /// The turn for a look into every database: others may look too, but none is dropped meanwhile.
    pub async fn looking_turn(&self, cancel: &CancellationToken) -> Result<TurnGuard, Error> {
        tokio::select! {
            biased;
            () = cancel.cancelled() => Err(Error::Cancelled),
            turn = self.login.endpoint.turns.looking() => Ok(turn),
        }
    }

    /// The turn for dropping a database: nobody looks into every one meanwhile.
    pub async fn dropping_turn(&self, cancel: &CancellationToken) -> Result<TurnGuard, Error> {
        tokio::select! {
            biased;
            () = cancel.cancelled() => Err(Error::Cancelled),
            turn = self.login.endpoint.turns.dropping() => Ok(turn),
        }
    }

    /// The turn for statements on shared objects (users, groups, roles, memberships, rights on databases), among all
    /// logins to this endpoint.
    pub async fn shared_turn(&self) -> TurnGuard {
        self.login.endpoint.turns.shared().await
    }

    /// What this warehouse was made from.
    pub fn access(&self) -> &Access {
        &self.access
    }

    /// AWS, as it is seen by this warehouse's provider.
    pub(in crate::engine) fn aws(&self) -> &Aws {
        &self.login.aws
    }

    /// What is cached of its catalogue.
    pub fn catalog(&self) -> &Catalog {
        &self.login.catalog
    }
}

impl Login {
    fn new(
        access: Access,
        endpoint: Arc<AtEndpoint>,
        application: String,
        statements: Arc<AtomicU64>,
        aws: Arc<Aws>,
    ) -> Self {
        let pool = Arc::new(Pool::new(access.max_sessions));
        endpoint.pools.lock().unwrap_or_else(PoisonError::into_inner).push(pool.clone());
        Self {
            aws,
            pool,
            access: Arc::new(access),
            application,
            catalog: Catalog::default(),
            endpoint,
            memory: Memory::default(),
            tls: OnceCell::new(),
            statements,
            first: AsyncMutex::default(),
            works: AtomicBool::new(false),
        }
    }

    /// A session from the pool or a new one. While the warehouse has none to spare (53300), idle ones of other databases are
    /// closed; if that does not help, one that is in use is waited for, or where it is others who crowd the warehouse, some
    /// time.
    async fn session(&self, database: &str, cancel: &CancellationToken) -> Result<Session, Error> {
        let Some(held) = self.endpoint.turns.session() else {
            return self.second_session(database, cancel).await;
        };
        let mut seat = self.pool.seat(cancel).await?;
        let mut crowd = Crowd::default();
        loop {
            let live = match self.pool.take(database) {
                Some(live) => Ok(live),
                None => {
                    self.pool.make_room().await;
                    self.sign_in_unless(database, cancel).await
                }
            };
            match live {
                Err(error) if is_crowded(&error) => {
                    self.pool.close_all_idle().await;
                    let waited;
                    (seat, waited) = self.pool.give_way(seat, cancel).await?;
                    if !waited {
                        crowd.wait(error, cancel).await?;
                    }
                }
                live => {
                    let shelf = self.pool.shelf(database);
                    let mut session = Session::new(live?, cancel.clone(), shelf, Some(seat));
                    session.held = Some(held);
                    return Ok(session);
                }
            }
        }
    }

    /// One beside `max_sessions`, for whoever has a session and would wait for ever if all others had, too.
    async fn second_session(&self, database: &str, cancel: &CancellationToken) -> Result<Session, Error> {
        tracing::debug!(database, "a second session of one task");
        let live = match self.pool.take(database) {
            Some(live) => live,
            None => self.sign_in_patiently(database, cancel).await?,
        };
        Ok(Session::new(live, cancel.clone(), self.pool.shelf(database), None))
    }

    /// Signs in; while the warehouse has no session to spare, without the idle ones and again after a wait.
    async fn sign_in_patiently(&self, database: &str, cancel: &CancellationToken) -> Result<Live, Error> {
        let mut crowd = Crowd::default();
        loop {
            match self.sign_in_unless(database, cancel).await {
                Err(error) if is_crowded(&error) => {
                    self.pool.close_all_idle().await;
                    crowd.wait(error, cancel).await?;
                }
                outcome => return outcome,
            }
        }
    }

    async fn sign_in_unless(&self, database: &str, cancel: &CancellationToken) -> Result<Live, Error> {
        tokio::select! {
            biased;
            () = cancel.cancelled() => Err(Error::Cancelled),
            live = self.sign_in(database) => live,
        }
    }

    async fn sign_in(&self, database: &str) -> Result<Live, Error> {
        let _gate = if self.works.load(Ordering::Acquire) { None } else { Some(self.first.lock().await) };
        if let Some(error) = self.memory.recall(database, Instant::now()) {
            return Err(error);
        }
        let started = Instant::now();
        let outcome = self.sign_in_once(database).await;
        match &outcome {
            Ok(_) => self.works.store(true, Ordering::Release),
            Err(error) => self.memory.note(database, error, started.elapsed(), Instant::now()),
        }
        outcome
    }

    /// One sign-in; with temporary credentials that are refused, which may have expired on the way, a second one with new
    /// ones.
    async fn sign_in_once(&self, database: &str) -> Result<Live, Error> {
        let Some(iam) = &self.access.iam else {
            return self.sign_in_as(&self.access.user, self.access.password.as_ref(), database).await;
        };
        let minted = self.aws.mint(iam, database).await?;
        match self.sign_in_as(&minted.user, Some(&minted.password), database).await {
            Err(Error::SignIn(_)) => {
                tracing::debug!(database, "temporary credentials were refused: asking for new ones");
                self.aws.forget(iam, database);
                let minted = self.aws.mint(iam, database).await?;
                self.sign_in_as(&minted.user, Some(&minted.password), database).await
            }
            outcome => outcome,
        }
    }

    async fn sign_in_as(&self, user: &str, password: Option<&SecretString>, database: &str) -> Result<Live, Error> {
        let access = &self.access;
        let deadline = connect::Deadline::after(access.connect_timeout);
        let read = || tls::client_config(access.sslmode, access.sslrootcert.as_ref());
        let tls = self.tls.get_or_try_init(read).await?.clone();
        let line = connect::open_line(access, tls.as_ref(), deadline).await?;
        let stage = if line.encrypted { Stage::Encrypted } else { Stage::Connected };
        let signing_in = connect::sign_in(access, user, password, database, line, &self.application);
        let wired = deadline.within(access, stage, signing_in).await?;
        deadline.within(access, Stage::SignedIn, self.open(user, database, wired, tls)).await
    }

    /// The statements that open a session.
    async fn open(
        &self,
        user: &str,
        database: &str,
        wired: Wired,
        tls: Option<Arc<ClientConfig>>,
    ) -> Result<Live, Error> {
        let access = &self.access;
        let unknown = Facts {
            user: user.to_owned(),
            session_user: user.to_owned(),
            database: database.to_owned(),
            server_version: String::new(),
            backend_pid: 0,
            user_id: 0,
            superuser: false,
            createdb: false,
            case_sensitive: false,
            namespace: None,
        };
        let mut live =
            Live { wired, facts: Arc::new(unknown), access: access.clone(), tls, statements: self.statements.clone() };
        live.opening(sql!("SET statement_timeout TO {}", access.statement_timeout.as_millis())).await?;
        let rows = live.opening(opening()).await?;
        let namespace = match live.opening(namespace()).await {
            Ok(rows) => rows.first().and_then(|row| row.get(0)).map(str::to_owned),
            Err(Error::Server(_)) => None,
            Err(error) => return Err(error),
        };
        let facts = Facts::read(&rows, namespace)?;
        if let Some(written) = access.preserve_case.filter(|written| *written != facts.case_sensitive) {
            let session = if facts.case_sensitive { "on" } else { "off" };
            return Err(Error::setting(
                "preserve_case",
                format!(
                    "preserve_case is {written}, but enable_case_sensitive_identifier is {session} in the session. Write what the warehouse does, or leave it out."
                ),
            ));
        }
        tracing::debug!(endpoint = %access.endpoint, database, user = %facts.user, pid = facts.backend_pid, "signed in");
        live.facts = Arc::new(facts);
        Ok(live)
    }
}

/// Whether the warehouse has no session to spare.
fn is_crowded(error: &Error) -> bool {
    error.sqlstate() == Some("53300")
}

/// Waits for others to leave, for a while.
struct Crowd {
    attempts: u32,
    wait: Duration,
}

impl Default for Crowd {
    fn default() -> Self {
        Self { attempts: 1, wait: CROWDED.1 }
    }
}

impl Crowd {
    /// With jitter; after the last attempt the error is given back.
    async fn wait(&mut self, error: Error, cancel: &CancellationToken) -> Result<(), Error> {
        if self.attempts >= CROWDED.0 {
            return Err(error);
        }
        self.attempts += 1;
        let jitter = rand::random_range(0.5..1.5);
        tracing::debug!(attempt = self.attempts, "too many connections, waiting");
        tokio::select! {
            biased;
            () = cancel.cancelled() => return Err(Error::Cancelled),
            () = sleep(self.wait.mul_f64(jitter)) => {}
        }
        self.wait *= 2;
        Ok(())
    }
}

impl Live {
    /// One of the statements that open a session.
    async fn opening(&mut self, sql: Sql) -> Result<Vec<crate::engine::session::row::Row>, Error> {
        match self.ask(&sql).await {
            Ok((rows, _)) => Ok(rows),
            Err(error) => match error.as_db_error() {
                Some(db) => Err(ServerError {
                    statement: sql.to_string(),
                    database: self.facts.database.clone(),
                    user: self.access.user.clone(),
                    ..connect::server_error(db, str::to_owned)
                }
                .into()),
                None => {
                    let End { reason, excess } = self.wired.reason().await;
                    if excess.is_some() {
                        let (database, statement) = (self.facts.database.clone(), Some(sql.to_string()));
                        return Err(Error::Lost { database, statement, reason, excess });
                    }
                    tracing::debug!(%reason, "the line ended while a session was opened");
                    Err(unreachable(&self.access, Reach::HungUp))
                }
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::settings::access::sample;

    #[tokio::test]
    async fn the_same_access_is_the_same_warehouse() {
        let engine = Engine::new(Options::default(), AwsOptions::default());
        let one = engine.warehouse(sample());
        assert!(Arc::ptr_eq(&one, &engine.warehouse(sample())));
        let sales = engine.warehouse(Access { database: "sales".into(), ..sample() });
        assert!(!Arc::ptr_eq(&one, &sales));
        assert!(Arc::ptr_eq(&one.login, &sales.login));
        let bob = engine.warehouse(Access { user: "bob".into(), ..sample() });
        assert!(!Arc::ptr_eq(&one.login, &bob.login));
        assert!(Arc::ptr_eq(&one.login.endpoint, &bob.login.endpoint));
    }

    #[tokio::test]
    async fn turns_are_taken_one_at_a_time_per_database_and_endpoint() {
        let engine = Engine::new(Options::default(), AwsOptions::default());
        let alice = engine.warehouse(sample());
        let bob = engine.warehouse(Access { user: "bob".into(), ..sample() });
        let turn = alice.turn("Dev").await;
        let mut waiting = Box::pin(bob.turn("dev"));
        assert!(futures::poll!(waiting.as_mut()).is_pending());
        drop(bob.turn("other").await);
        drop(bob.shared_turn().await);
        drop(turn);
        assert!(futures::poll!(waiting.as_mut()).is_ready());
        let elsewhere = Access { endpoint: Endpoint { host: "g".into(), port: 1 }, ..sample() };
        let _ours = alice.shared_turn().await;
        drop(engine.warehouse(elsewhere).shared_turn().await);
    }

    #[test]
    fn administrators_see_name_and_version() {
        let name = Options::default().application_name;
        assert!(
            name.starts_with("terraform-provider-redshift/") && name.ends_with(env!("CARGO_PKG_VERSION")),
            "{name}"
        );
    }
}
