//! Who may work at what at a time, in this process and at one endpoint.
//!
//! The order in which one task takes turns, so that nobody waits in a circle:
//!
//! 1. the turn of integrations;
//! 2. a database's turn; a second one only by whoever has the turn of integrations, which one task has at a time;
//! 3. the turn of a look into every database, which many have at once, or of dropping one, which nobody has beside it;
//! 4. the shared turn;
//! 5. a session. Who has one and asks for another does not wait for it: see [`Turns::session`].
//!
//! In a build with debug assertions, a task that takes one out of this order panics.

use std::collections::HashMap;
use std::future::Future;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::{Mutex as AsyncMutex, OwnedMutexGuard, OwnedRwLockReadGuard, OwnedRwLockWriteGuard, RwLock};
use tokio::task::{self, Id};

use crate::engine::names::fold_ascii;

/// The turns at one endpoint. Who waits longest is next.
#[derive(Default)]
pub(super) struct Turns {
    databases: Mutex<HashMap<String, Arc<AsyncMutex<()>>>>,
    shared: Arc<AsyncMutex<()>>,
    integrations: Arc<AsyncMutex<()>>,
    all_databases: Arc<RwLock<()>>,
    order: Arc<Order>,
}

/// A turn; dropping it gives it back.
#[must_use = "a turn ends when its guard is dropped"]
pub struct TurnGuard {
    #[allow(dead_code)]
    lock: Lock,
    task: Option<Id>,
    rank: Rank,
    order: Arc<Order>,
}

#[allow(dead_code)]
enum Lock {
    Alone(OwnedMutexGuard<()>),
    Looking(OwnedRwLockReadGuard<()>),
    Dropping(OwnedRwLockWriteGuard<()>),
    /// There are many sessions: whoever waits for one does it elsewhere.
    Session,
}

/// The place of a turn in the order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Rank {
    Integrations,
    Database,
    AllDatabases,
    Shared,
    Session(Branch),
}

/// What of a task runs: all of it is 1, what [`side_by_side`] runs in a branch `n` are the branches `2n` and `2n + 1`.
type Branch = u32;

const WHOLE: Branch = 1;

tokio::task_local! {
    static BRANCH: Branch;
}

fn branch() -> Branch {
    BRANCH.try_with(|branch| *branch).unwrap_or(WHOLE)
}

/// Runs both at once in one task. Each waits for a session of its own, as two tasks would.
pub(super) async fn side_by_side<A: Future, B: Future>(one: A, other: B) -> (A::Output, B::Output) {
    let within = branch() * 2;
    // Boxed, as what waits in a branch is large, and lies on the stack of whoever joins the two.
    let (one, other) = (Box::pin(BRANCH.scope(within, one)), Box::pin(BRANCH.scope(within + 1, other)));
    futures::join!(one, other)
}

/// Whether one of them runs within the other.
fn is_within(one: Branch, other: Branch) -> bool {
    let (outer, mut inner) = (one.min(other), one.max(other));
    while inner > outer {
        inner /= 2;
    }
    inner == outer
}

impl Turns {
    pub(super) async fn integrations(&self) -> TurnGuard {
        self.alone(Rank::Integrations, self.integrations.clone()).await
    }

    pub(super) async fn database(&self, name: &str) -> TurnGuard {
        let turn = {
            let mut databases = self.databases.lock().unwrap_or_else(PoisonError::into_inner);
            databases.entry(fold_ascii(name)).or_default().clone()
        };
        self.alone(Rank::Database, turn).await
    }

    pub(super) async fn looking(&self) -> TurnGuard {
        let task = self.order.ask(Rank::AllDatabases);
        let lock = Lock::Looking(self.all_databases.clone().read_owned().await);
        self.order.take(task, Rank::AllDatabases, lock)
    }

    pub(super) async fn dropping(&self) -> TurnGuard {
        let task = self.order.ask(Rank::AllDatabases);
        let lock = Lock::Dropping(self.all_databases.clone().write_owned().await);
        self.order.take(task, Rank::AllDatabases, lock)
    }

    pub(super) async fn shared(&self) -> TurnGuard {
        self.alone(Rank::Shared, self.shared.clone()).await
    }

    /// Notes that the task, or this branch of it, is to have a session; none, where it has one already. All sessions may be
    /// in use by tasks that want a second one, so such a task must not wait.
    pub(super) fn session(&self) -> Option<TurnGuard> {
        let (task, branch) = (task::try_id(), branch());
        let has_one = |rank: &Rank| matches!(rank, Rank::Session(held) if is_within(*held, branch));
        if task.is_some_and(|task| self.order.held(task).iter().any(has_one)) {
            return None;
        }
        Some(self.order.take(task, Rank::Session(branch), Lock::Session))
    }

    async fn alone(&self, rank: Rank, turn: Arc<AsyncMutex<()>>) -> TurnGuard {
        let task = self.order.ask(rank);
        let lock = Lock::Alone(turn.lock_owned().await);
        self.order.take(task, rank, lock)
    }
}

impl Drop for TurnGuard {
    fn drop(&mut self) {
        self.order.give_back(self.task, self.rank);
    }
}

/// Which turns each task has. Outside of tasks, as in a test's own function, nothing is known and nothing is said.
#[derive(Default)]
struct Order(Mutex<HashMap<Id, Vec<Rank>>>);

impl Order {
    /// The task that asks for a turn, which must not stand before one that it has.
    fn ask(&self, rank: Rank) -> Option<Id> {
        let task = task::try_id().filter(|_| cfg!(debug_assertions))?;
        let held = self.held(task);
        assert!(may_follow(&held, rank), "the turn {rank:?} was asked for by a task that has {held:?}");
        Some(task)
    }

    fn held(&self, task: Id) -> Vec<Rank> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).get(&task).cloned().unwrap_or_default()
    }

    fn take(self: &Arc<Self>, task: Option<Id>, rank: Rank, lock: Lock) -> TurnGuard {
        if let Some(task) = task {
            self.0.lock().unwrap_or_else(PoisonError::into_inner).entry(task).or_default().push(rank);
        }
        TurnGuard { lock, task, rank, order: self.clone() }
    }

    fn give_back(&self, task: Option<Id>, rank: Rank) {
        let Some(task) = task else { return };
        let mut held = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(ranks) = held.get_mut(&task) {
            if let Some(at) = ranks.iter().position(|held| *held == rank) {
                ranks.swap_remove(at);
            }
            if ranks.is_empty() {
                held.remove(&task);
            }
        }
    }
}

fn may_follow(held: &[Rank], rank: Rank) -> bool {
    let second = rank == Rank::Database && held.contains(&Rank::Integrations);
    held.iter().all(|held| *held < rank || (second && *held == Rank::Database))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn many_look_at_once_and_nobody_while_a_database_is_dropped() {
        let turns = Turns::default();
        let (one, two) = (turns.looking().await, turns.looking().await);
        let mut dropping = Box::pin(turns.dropping());
        assert!(futures::poll!(dropping.as_mut()).is_pending());
        // Who came later waits behind it: however many look, it is dropped some time.
        let mut late = Box::pin(turns.looking());
        assert!(futures::poll!(late.as_mut()).is_pending());
        drop(one);
        assert!(futures::poll!(dropping.as_mut()).is_pending());
        drop(two);
        let std::task::Poll::Ready(dropping) = futures::poll!(dropping.as_mut()) else { panic!("its turn") };
        assert!(futures::poll!(late.as_mut()).is_pending());
        drop(dropping);
        assert!(futures::poll!(late.as_mut()).is_ready());
        // One who waits no more is in nobody's way.
        let looking = turns.looking().await;
        let mut given_up = Box::pin(turns.dropping());
        assert!(futures::poll!(given_up.as_mut()).is_pending());
        drop(given_up);
        drop((looking, turns.looking().await));
    }

    #[test]
    fn turns_are_taken_in_one_order() {
        use Rank::{AllDatabases, Database, Integrations, Shared};
        let session = || Rank::Session(WHOLE);
        for (held, rank, may) in [
            (vec![], Integrations, true),
            (vec![], Shared, true),
            (vec![Integrations], Database, true),
            (vec![Integrations, Database], Database, true),
            (vec![Integrations, Database], AllDatabases, true),
            (vec![Integrations, Database, AllDatabases], Shared, true),
            (vec![Database], Shared, true),
            (vec![Database], Database, false),
            (vec![Database], Integrations, false),
            (vec![Integrations], Integrations, false),
            (vec![AllDatabases], AllDatabases, false),
            (vec![AllDatabases], Database, false),
            (vec![Integrations, AllDatabases], Database, false),
            (vec![Shared], AllDatabases, false),
            (vec![Shared], Shared, false),
            (vec![Integrations, Database, AllDatabases, Shared], session(), true),
            (vec![session()], Shared, false),
            (vec![session()], Database, false),
        ] {
            assert_eq!(may_follow(&held, rank), may, "{rank:?} after {held:?}");
        }
    }

    #[tokio::test]
    async fn branches_of_a_task_have_a_session_each() {
        let turns = Arc::new(Turns::default());
        let both = tokio::spawn(async move {
            let within = async |turns: &Turns| {
                let one = turns.session();
                // Until the other branch has one, too.
                task::yield_now().await;
                let nested =
                    side_by_side(async { turns.session().is_none() }, async { turns.session().is_none() }).await;
                (one.is_some(), turns.session().is_none(), nested)
            };
            let both = side_by_side(within(&turns), within(&turns)).await;
            let held = turns.session();
            let none = side_by_side(async { turns.session().is_none() }, async { turns.session().is_none() }).await;
            (both, held.is_some(), none)
        });
        let in_each = (true, true, (true, true));
        assert_eq!(both.await.expect("ends"), ((in_each, in_each), true, (true, true)));
    }

    #[tokio::test]
    async fn a_task_that_would_wait_in_a_circle_is_told() {
        let turns = Arc::new(Turns::default());
        let taken = turns.clone();
        let in_order = tokio::spawn(async move {
            let held = (taken.database("dev").await, taken.looking().await);
            drop(held);
            drop(taken.database("dev").await);
        });
        assert!(in_order.await.is_ok());
        let wrong = tokio::spawn(async move {
            let shared = turns.shared().await;
            drop((turns.database("dev").await, shared));
        });
        assert_eq!(wrong.await.is_err_and(|error| error.is_panic()), cfg!(debug_assertions));
    }
}
