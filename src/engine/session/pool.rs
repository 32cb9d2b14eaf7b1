//! The sessions of one login: a few in all databases together, used again.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use crate::engine::error::Error;
use crate::engine::names::fold_ascii;
use crate::engine::session::Live;

/// How long the end of a session that is closed is waited for.
const FAREWELL: Duration = Duration::from_secs(1);

/// The idle sessions of a login, and how many more there may be.
pub(super) struct Pool {
    /// One for each session that may be: less than `max_sessions`, once the warehouse has said that it gives fewer.
    permits: Arc<Semaphore>,
    limit: AtomicUsize,
    /// How many sessions are in use.
    in_use: AtomicUsize,
    /// By the database's name as it was asked for; who waits longest is first.
    idle: Mutex<Vec<(String, Live)>>,
}

/// Where a session goes when it is not needed any more: to the others of its database.
pub(super) struct Shelf {
    pool: Arc<Pool>,
    database: String,
}

/// The right to one session.
pub(super) struct Seat {
    permit: Option<OwnedSemaphorePermit>,
    pool: Arc<Pool>,
    taken: bool,
}

impl Pool {
    pub(super) fn new(max_sessions: usize) -> Self {
        let limit = max_sessions.max(1);
        Self {
            permits: Arc::new(Semaphore::new(limit)),
            limit: AtomicUsize::new(limit),
            in_use: AtomicUsize::new(0),
            idle: Mutex::default(),
        }
    }

    /// The shelf of a database.
    pub(super) fn shelf(self: &Arc<Self>, database: &str) -> Arc<Shelf> {
        Arc::new(Shelf { pool: self.clone(), database: database.to_owned() })
    }

    /// Waits until one more session may be in use. Who asked first is first.
    pub(super) async fn seat(self: &Arc<Self>, cancel: &CancellationToken) -> Result<Seat, Error> {
        let permit = tokio::select! {
            biased;
            () = cancel.cancelled() => return Err(Error::Cancelled),
            permit = self.permits.clone().acquire_owned() => permit.map_err(|_| Error::Cancelled)?,
        };
        Ok(Seat { permit: Some(permit), pool: self.clone(), taken: false })
    }

    /// How many sessions there may be.
    pub(super) fn limit(&self) -> usize {
        self.limit.load(Ordering::Acquire)
    }

    /// After the warehouse has refused one more session: waits for one of those that are in use, and never again for as
    /// many. None are: then the seat is given back as it is, for it is others who crowd the warehouse.
    pub(super) async fn give_way(
        self: &Arc<Self>,
        mut seat: Seat,
        cancel: &CancellationToken,
    ) -> Result<(Seat, bool), Error> {
        if self.in_use.load(Ordering::Acquire) == 0 {
            return Ok((seat, false));
        }
        let limit = self.limit.fetch_sub(1, Ordering::AcqRel) - 1;
        tracing::debug!(limit, "the warehouse gives no more sessions than this");
        if let Some(permit) = seat.permit.take() {
            permit.forget();
        }
        Ok((self.seat(cancel).await?, true))
    }

    /// The idle session of a database that was used last and whose line still stands.
    pub(super) fn take(&self, database: &str) -> Option<Live> {
        let mut idle = self.idle();
        while let Some(at) = idle.iter().rposition(|(name, _)| name == database) {
            let (_, live) = idle.remove(at);
            if !live.wired.client.is_closed() {
                return Some(live);
            }
        }
        None
    }

    /// Closes idle sessions, the oldest first, until there is room for one that whoever holds a seat wants to open.
    pub(super) async fn make_room(&self) {
        let out = self.limit.load(Ordering::Acquire).saturating_sub(self.permits.available_permits());
        let room = self.limit.load(Ordering::Acquire).saturating_sub(out);
        let spare = {
            let mut idle = self.idle();
            let spare = idle.len().saturating_sub(room);
            idle.drain(..spare).map(|(_, live)| live).collect()
        };
        farewell(spare).await;
    }

    /// Closes all that are idle.
    pub(super) async fn close_all_idle(&self) {
        let all = self.idle().drain(..).map(|(_, live)| live).collect();
        farewell(all).await;
    }

    /// Closes what is idle in a database, however its name was written.
    pub(super) fn close_idle(&self, database: &str) {
        self.idle().retain(|(name, _)| fold_ascii(name) != fold_ascii(database));
    }

    fn idle(&self) -> std::sync::MutexGuard<'_, Vec<(String, Live)>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Closes sessions and waits until their lines are, so that the warehouse does not count them any more.
async fn farewell(sessions: Vec<Live>) {
    for live in sessions {
        tracing::debug!(database = %live.facts.database, "an idle session is closed");
        drop(live.wired.client);
        let _ = timeout(FAREWELL, live.wired.end).await;
    }
}

impl Shelf {
    pub(super) fn put(&self, live: Live) {
        self.pool.idle().push((self.database.clone(), live));
    }
}

impl Seat {
    /// The same with a session in use.
    pub(super) fn taken(mut self) -> Self {
        if !std::mem::replace(&mut self.taken, true) {
            self.pool.in_use.fetch_add(1, Ordering::AcqRel);
        }
        self
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        if self.taken {
            self.pool.in_use.fetch_sub(1, Ordering::AcqRel);
        }
    }
}
