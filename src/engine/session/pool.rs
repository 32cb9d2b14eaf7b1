//! The sessions of one login: a few per database, used again.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_util::sync::CancellationToken;

use crate::engine::error::Error;
use crate::engine::names::fold_ascii;
use crate::engine::session::Live;

/// The shelves of all databases.
pub(super) struct Pool {
    max_sessions: usize,
    shelves: Mutex<HashMap<String, Arc<Shelf>>>,
}

/// The idle sessions of one database, and how many more there may be.
pub(super) struct Shelf {
    permits: Arc<Semaphore>,
    idle: Mutex<Vec<Live>>,
}

impl Pool {
    pub(super) fn new(max_sessions: usize) -> Self {
        Self { max_sessions: max_sessions.max(1), shelves: Mutex::default() }
    }

    /// The shelf of a database.
    pub(super) fn shelf(&self, database: &str) -> Arc<Shelf> {
        let mut shelves = self.shelves.lock().unwrap_or_else(PoisonError::into_inner);
        let make = || Arc::new(Shelf { permits: Arc::new(Semaphore::new(self.max_sessions)), idle: Mutex::default() });
        shelves.entry(database.to_owned()).or_insert_with(make).clone()
    }

    /// Closes what is idle in a database, however its name was written.
    pub(super) fn close_idle(&self, database: &str) {
        let shelves = self.shelves.lock().unwrap_or_else(PoisonError::into_inner);
        let same = shelves.iter().filter(|(name, _)| fold_ascii(name) == fold_ascii(database));
        same.for_each(|(_, shelf)| shelf.close());
    }
}

impl Shelf {
    /// Waits until one more session may be out.
    pub(super) async fn permit(&self, cancel: &CancellationToken) -> Result<OwnedSemaphorePermit, Error> {
        tokio::select! {
            biased;
            () = cancel.cancelled() => Err(Error::Cancelled),
            permit = self.permits.clone().acquire_owned() => permit.map_err(|_| Error::Cancelled),
        }
    }

    /// The session used last whose line still stands.
    pub(super) fn take(&self) -> Option<Live> {
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        while let Some(live) = idle.pop() {
            if !live.wired.client.is_closed() {
                return Some(live);
            }
        }
        None
    }

    fn close(&self) {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }

    pub(super) fn put(&self, live: Live) {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner).push(live);
    }
}
