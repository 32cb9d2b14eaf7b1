//! What the warehouse was seen to hold: each catalogue view read once per database, shared by all who ask.
//!
//! A read is only as good as its moment. The catalogue keeps a clock; every load is stamped with the moment at which
//! it began, every change with the moment after its commit. Who asks gets a load that began after the last change to
//! what he asks for, never an older one. Callers who wait for the same load share it, errors included; an error is
//! not kept for those who ask later.

pub mod acl;
pub mod effective;
pub mod narrow;
pub mod principals;
pub mod quotas;
pub mod roles;
pub mod schemas;
pub mod snapshot;
pub mod sync;
pub mod users;

use std::any::Any;
use std::collections::HashMap;
use std::future::Future;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use futures::future::BoxFuture;
use tokio::sync::{Notify, oneshot};
use tokio_util::sync::CancellationToken;

use crate::engine::catalog::effective::Effective;
use crate::engine::catalog::narrow::NarrowRights;
use crate::engine::catalog::principals::Principals;
use crate::engine::catalog::quotas::Quotas;
use crate::engine::catalog::roles::{RoleRights, Roles, SystemRights, UserScopes};
use crate::engine::catalog::snapshot::{Defaults, ExternalSchemas, Snapshot};
use crate::engine::catalog::sync::Columns;
use crate::engine::cell::{Cell, lock};
use crate::engine::error::Error;
use crate::engine::session::Session;
use crate::engine::session::warehouse::Warehouse;
use crate::engine::user::{self, Limits};

/// On how many lines a view is tried to be read, where lines are lost.
const LINES: u32 = 3;

/// How long a read-back waits for changes of others that are under way, so that one read serves them all.
const GATHER: Duration = Duration::from_secs(1);

/// The cache of one warehouse. It belongs to the warehouse, and dies with it.
#[derive(Default)]
pub struct Catalog {
    clock: AtomicU64,
    principals: Cell<Principals>,
    roles: Cell<Roles>,
    system_rights: Cell<SystemRights>,
    limits: Cell<Limits>,
    /// Changes to users, groups, roles and memberships; `named` by role.
    principals_changed: Mutex<Changed>,
    databases: Mutex<HashMap<String, Arc<DatabaseCells>>>,
    /// When the look ahead of a change began, by what is changed.
    looks_ahead: Mutex<HashMap<String, u64>>,
}

#[derive(Default)]
struct DatabaseCells {
    snapshot: Cell<Snapshot>,
    defaults: Cell<Defaults>,
    role_rights: Cell<RoleRights>,
    narrow: Cell<NarrowRights>,
    user_scopes: Cell<UserScopes>,
    external: Cell<ExternalSchemas>,
    quotas: Cell<Quotas>,
    effective: Cell<Effective>,
    others: Mutex<HashMap<String, Arc<Cell<Whatever>>>>,
    columns: Mutex<HashMap<String, (u64, Columns)>>,
    columns_asked: Mutex<Vec<ColumnsAsked>>,
    columns_gate: tokio::sync::Mutex<()>,
    changed: Mutex<Changed>,
    changing: Changing,
}

/// What another part of the engine reads.
type Whatever = Arc<dyn Any + Send + Sync>;

/// A schema whose columns are asked for, and who waits for them.
type ColumnsAsked = (String, oneshot::Sender<Result<Columns, Error>>);

/// The moments of the last changes: to everything, and to single things (schemas of a database, roles).
#[derive(Default)]
struct Changed {
    anything: u64,
    named: HashMap<String, u64>,
}

impl Changed {
    /// The moment after which a load must have begun to be good for the thing, or for all of them.
    fn since(&self, name: Option<&str>) -> u64 {
        let of_named = match name {
            Some(name) => self.named.get(name).copied().unwrap_or(0),
            None => self.named.values().copied().max().unwrap_or(0),
        };
        self.anything.max(of_named)
    }
}

impl Catalog {
    /// What the database holds. With a schema, only changes to that schema (and to the database as a whole) make a
    /// load stale: datastores of other schemas do not force a new one.
    pub async fn snapshot(&self, at: At<'_>, schema: Option<&str>) -> Result<Arc<Snapshot>, Error> {
        let cells = self.database(at.database);
        let since = cells.changed_since(schema);
        cells.snapshot.get(&self.clock, since, || at.with_session(snapshot::load)).await
    }

    /// The default privileges of the database that the login sees.
    pub async fn defaults(&self, at: At<'_>, schema: Option<&str>) -> Result<Arc<Defaults>, Error> {
        let cells = self.database(at.database);
        let since = cells.changed_since(schema);
        cells.defaults.get(&self.clock, since, || at.with_session(snapshot::load_defaults)).await
    }

    /// What roles hold in the database, as far as the login sees it.
    pub async fn role_rights(&self, at: At<'_>, schema: Option<&str>) -> Result<Arc<RoleRights>, Error> {
        let cells = self.database(at.database);
        let since = cells.changed_since(schema);
        cells.role_rights.get(&self.clock, since, || at.with_session(roles::load_rights)).await
    }

    /// What datastores' roles hold in the database that none declares, as far as the login sees it.
    pub async fn narrow_rights(&self, at: At<'_>, schema: Option<&str>) -> Result<Arc<NarrowRights>, Error> {
        let cells = self.database(at.database);
        let since = cells.changed_since(schema);
        cells.narrow.get(&self.clock, since, || at.with_session(narrow::load)).await
    }

    /// The scoped rights of users in the database, as far as the login sees them.
    pub async fn user_scopes(&self, at: At<'_>, schema: Option<&str>) -> Result<Arc<UserScopes>, Error> {
        let cells = self.database(at.database);
        let since = cells.changed_since(schema);
        cells.user_scopes.get(&self.clock, since, || at.with_session(roles::load_user_scopes)).await
    }

    /// What the login itself may do in the database, by whatever way.
    pub async fn effective(&self, at: At<'_>, schema: Option<&str>) -> Result<Arc<Effective>, Error> {
        let cells = self.database(at.database);
        let since = cells.changed_since(schema);
        cells.effective.get(&self.clock, since, || at.with_session(effective::load)).await
    }

    /// The columns of a schema's relations. Schemas that others ask for at the same time are read with it.
    pub async fn columns(&self, at: At<'_>, schema: &str) -> Result<Columns, Error> {
        let cells = self.database(at.database);
        let since = cells.changed_since(Some(schema));
        if let Some(columns) = cells.columns_after(schema, since) {
            return Ok(columns);
        }
        let (sender, mut answer) = oneshot::channel();
        lock(&cells.columns_asked).push((schema.to_owned(), sender));
        let gate = cells.columns_gate.lock().await;
        if let Ok(answer) = answer.try_recv() {
            return answer;
        }
        // Those who waited for the same as this one, and go on now, are read with it.
        tokio::task::yield_now().await;
        let asked = std::mem::take(&mut *lock(&cells.columns_asked));
        let mut schemas: Vec<String> = asked.iter().map(|(schema, _)| schema.clone()).collect();
        schemas.push(schema.to_owned());
        schemas.sort();
        schemas.dedup();
        let began = self.tick();
        let loaded = match at.warehouse.session(at.database, at.cancel).await {
            Ok(mut session) => sync::load_columns(&mut session, &schemas).await,
            Err(error) => Err(error),
        };
        if let Ok(columns) = &loaded {
            let of_each = schemas.into_iter().map(|schema| (schema, (began, columns.clone())));
            lock(&cells.columns).extend(of_each);
        }
        // Somebody else's Ctrl-C is no answer: those who get none read for themselves.
        if !matches!(loaded, Err(Error::Cancelled)) {
            for (_, sender) in asked {
                // Who went away meanwhile needs none.
                let _ = sender.send(loaded.clone());
            }
        }
        drop(gate);
        loaded
    }

    /// The external schemas of the database. Asks no Glue, Hive or federated database.
    pub async fn external_schemas(&self, at: At<'_>) -> Result<Arc<ExternalSchemas>, Error> {
        let cells = self.database(at.database);
        let since = cells.changed().anything;
        cells.external.get(&self.clock, since, || at.with_session(snapshot::load_external)).await
    }

    /// The quotas of the database's schemas that the login sees.
    pub async fn quotas(&self, at: At<'_>) -> Result<Arc<Quotas>, Error> {
        let cells = self.database(at.database);
        let since = cells.changed_since(None);
        cells.quotas.get(&self.clock, since, || at.with_session(quotas::load)).await
    }

    /// What another part of the engine reads of a database, under a key of its own, which stands for one type.
    pub async fn shared<T, F>(&self, at: At<'_>, key: &str, load: impl Fn() -> F) -> Result<Arc<T>, Error>
    where
        T: Send + Sync + 'static,
        F: Future<Output = Result<T, Error>>,
    {
        let cells = self.database(at.database);
        let since = cells.changed().anything;
        let cell = lock(&cells.others).entry(key.to_owned()).or_default().clone();
        let whatever = cell.get(&self.clock, since, || async { Ok(Arc::new(load().await?) as Whatever) }).await?;
        match Arc::downcast::<T>((*whatever).clone()) {
            Ok(value) => Ok(value),
            // Somebody else's key.
            Err(_) => load().await.map(Arc::new),
        }
    }

    /// Users and groups of the warehouse.
    pub async fn principals(&self, at: At<'_>) -> Result<Arc<Principals>, Error> {
        let since = lock(&self.principals_changed).anything;
        self.principals.get(&self.clock, since, || at.with_session(principals::load)).await
    }

    /// The connection limits of users.
    pub async fn limits(&self, at: At<'_>) -> Result<Arc<Limits>, Error> {
        let since = lock(&self.principals_changed).anything;
        self.limits.get(&self.clock, since, || at.with_session(user::load_limits)).await
    }

    /// Roles of the warehouse and who holds them, as far as the login sees it. With a role, only changes to that
    /// role (and to principals as a whole) make a load stale.
    pub async fn roles(&self, at: At<'_>, role: Option<&str>) -> Result<Arc<Roles>, Error> {
        let since = lock(&self.principals_changed).since(role);
        self.roles.get(&self.clock, since, || at.with_session(roles::load)).await
    }

    /// The system permissions of roles (CREATE ROLE, ACCESS SYSTEM TABLE, ...), as far as the login sees them.
    pub async fn system_rights(&self, at: At<'_>) -> Result<Arc<SystemRights>, Error> {
        let since = lock(&self.principals_changed).anything;
        self.system_rights.get(&self.clock, since, || at.with_session(roles::load_system_rights)).await
    }

    /// Everything that was read about a database is out of date.
    pub fn forget(&self, database: &str) {
        let now = self.tick();
        self.database(database).changed().anything = now;
    }

    /// A plan looks ahead at `what` from this moment on: what it reads itself is new enough for a change that follows at once.
    pub fn looks_ahead(&self, what: &str) {
        let now = self.tick();
        lock(&self.looks_ahead).insert(what.to_owned(), now);
    }

    /// What was read about a database before the look ahead at `what` is out of date: somebody else's plan may have read it
    /// long ago. All of it is, where nothing looked ahead, or for a second change.
    pub fn forget_before_look_ahead(&self, database: &str, what: &str) {
        let began = lock(&self.looks_ahead).remove(what);
        let moment = began.unwrap_or_else(|| self.tick());
        let cells = self.database(database);
        let mut changed = cells.changed();
        changed.anything = changed.anything.max(moment);
    }

    /// What was read about one schema is out of date; the rest of the database is not.
    pub fn forget_schema(&self, database: &str, schema: &str) {
        let now = self.tick();
        self.database(database).changed().named.insert(schema.to_owned(), now);
    }

    /// Users, groups, roles and memberships are out of date.
    pub fn forget_principals(&self) {
        let now = self.tick();
        lock(&self.principals_changed).anything = now;
    }

    /// One role and who holds it are out of date.
    pub fn forget_role(&self, role: &str) {
        let now = self.tick();
        lock(&self.principals_changed).named.insert(role.to_owned(), now);
    }

    /// Says that a change of the database is under way, until the guard is dropped. See [`Catalog::settled`].
    pub fn changing(&self, database: &str) -> ChangingGuard {
        let cells = self.database(database);
        *lock(&cells.changing.count) += 1;
        ChangingGuard { cells }
    }

    /// Waits until no change of the database is under way, at most a second: a read-back that begins then serves
    /// all who just committed. Who waits must not hold a turn, nor his own guard.
    pub async fn settled(&self, database: &str) {
        let cells = self.database(database);
        let quiet = async {
            loop {
                let notified = cells.changing.done.notified();
                tokio::pin!(notified);
                notified.as_mut().enable();
                if *lock(&cells.changing.count) == 0 {
                    return;
                }
                notified.await;
            }
        };
        let _ = tokio::time::timeout(GATHER, quiet).await;
    }

    fn tick(&self) -> u64 {
        self.clock.fetch_add(1, Ordering::SeqCst) + 1
    }

    fn database(&self, name: &str) -> Arc<DatabaseCells> {
        lock(&self.databases).entry(name.to_owned()).or_default().clone()
    }
}

impl DatabaseCells {
    fn changed(&self) -> MutexGuard<'_, Changed> {
        lock(&self.changed)
    }

    fn changed_since(&self, schema: Option<&str>) -> u64 {
        self.changed().since(schema)
    }

    fn columns_after(&self, schema: &str, since: u64) -> Option<Columns> {
        let columns = lock(&self.columns);
        columns.get(schema).filter(|(began, _)| *began > since).map(|(_, columns)| columns.clone())
    }
}

/// Where a load runs.
#[derive(Clone, Copy)]
pub struct At<'a> {
    pub warehouse: &'a Warehouse,
    pub database: &'a str,
    pub cancel: &'a CancellationToken,
}

impl<'a> At<'a> {
    pub fn new(warehouse: &'a Warehouse, database: &'a str, cancel: &'a CancellationToken) -> At<'a> {
        At { warehouse, database, cancel }
    }

    async fn with_session<T>(self, load: Load<T>) -> Result<T, Error> {
        let mut lines = 1;
        loop {
            let mut session = self.warehouse.session(self.database, self.cancel).await?;
            match load(&mut session).await {
                // Only questions were asked, so they may be asked again.
                Err(error) if error.is_lost() && lines < LINES => {
                    tracing::debug!(%error, "reading again on another line");
                    lines += 1;
                }
                outcome => return outcome,
            }
        }
    }
}

/// A function that reads something by a session.
pub type Load<T> = for<'s> fn(&'s mut Session) -> BoxFuture<'s, Result<T, Error>>;

#[derive(Default)]
struct Changing {
    count: Mutex<usize>,
    done: Notify,
}

/// A change that is under way.
pub struct ChangingGuard {
    cells: Arc<DatabaseCells>,
}

impl Drop for ChangingGuard {
    fn drop(&mut self) {
        *lock(&self.cells.changing.count) -= 1;
        self.cells.changing.done.notify_waiters();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_change_of_one_schema_leaves_the_others() {
        let catalog = Catalog::default();
        catalog.forget_schema("dev", "a");
        let cells = catalog.database("dev");
        assert_eq!(
            (cells.changed_since(Some("a")), cells.changed_since(Some("b")), cells.changed_since(None)),
            (1, 0, 1)
        );
        catalog.forget("dev");
        assert_eq!((cells.changed_since(Some("a")), cells.changed_since(Some("b"))), (2, 2));
        assert_eq!(catalog.database("other").changed_since(None), 0);
    }

    #[test]
    fn what_a_look_ahead_has_read_itself_serves_the_change_that_follows() {
        let catalog = Catalog::default();
        let since = || catalog.database("dev").changed_since(None);
        let read_by_others = catalog.tick();
        catalog.looks_ahead("tables sales");
        let read_by_itself = catalog.tick();
        catalog.forget_before_look_ahead("dev", "tables sales");
        assert!(read_by_others <= since() && since() < read_by_itself);
        catalog.forget_before_look_ahead("dev", "tables sales");
        assert!(read_by_itself <= since());
    }

    #[tokio::test]
    async fn a_read_back_waits_for_changes_under_way() {
        let catalog = Catalog::default();
        catalog.settled("dev").await;
        let (one, two) = (catalog.changing("dev"), catalog.changing("dev"));
        catalog.settled("other").await;
        let mut settled = std::pin::pin!(catalog.settled("dev"));
        assert!(futures::poll!(settled.as_mut()).is_pending());
        drop(one);
        assert!(futures::poll!(settled.as_mut()).is_pending());
        drop(two);
        assert!(futures::poll!(settled.as_mut()).is_ready());
    }
}
