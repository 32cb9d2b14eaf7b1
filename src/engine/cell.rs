//! One thing that is read once and shared by all who ask for it.

use std::future::Future;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::engine::error::Error;

/// One thing that is read once and shared.
pub(in crate::engine) struct Cell<T> {
    kept: Mutex<Kept<T>>,
    /// Held by whoever is loading.
    gate: tokio::sync::Mutex<()>,
}

struct Kept<T> {
    /// What the last good load gave, and the moment at which it began.
    value: Option<(u64, Arc<T>)>,
    /// The last load that failed: when it began, when it ended, and why.
    failed: Option<(u64, u64, Error)>,
}

impl<T> Default for Cell<T> {
    fn default() -> Cell<T> {
        Cell { kept: Mutex::new(Kept { value: None, failed: None }), gate: tokio::sync::Mutex::default() }
    }
}

impl<T> Cell<T> {
    /// The value of a load that began after `since`, by the clock.
    pub(in crate::engine) async fn get<F>(
        &self,
        clock: &AtomicU64,
        since: u64,
        load: impl FnOnce() -> F,
    ) -> Result<Arc<T>, Error>
    where
        F: Future<Output = Result<T, Error>>,
    {
        if let Some(value) = self.value_after(since) {
            return Ok(value);
        }
        let asked = clock.fetch_add(1, Ordering::SeqCst) + 1;
        let _gate = self.gate.lock().await;
        if let Some(value) = self.value_after(since) {
            return Ok(value);
        }
        if let Some(error) = self.failure_shared(since, asked) {
            return Err(error);
        }
        let began = clock.fetch_add(1, Ordering::SeqCst) + 1;
        let loaded = load().await;
        let ended = clock.fetch_add(1, Ordering::SeqCst) + 1;
        let mut kept = lock(&self.kept);
        match loaded {
            Ok(value) => {
                let value = Arc::new(value);
                kept.value = Some((began, value.clone()));
                kept.failed = None;
                Ok(value)
            }
            // Somebody else's Ctrl-C is no reason for those who wait.
            Err(Error::Cancelled) => Err(Error::Cancelled),
            Err(error) => {
                kept.failed = Some((began, ended, error.clone()));
                Err(error)
            }
        }
    }

    fn value_after(&self, since: u64) -> Option<Arc<T>> {
        match &lock(&self.kept).value {
            Some((began, value)) if *began > since => Some(value.clone()),
            _ => None,
        }
    }

    /// The failure of a load that was good enough for who asked at that moment, and still ran then.
    fn failure_shared(&self, since: u64, asked: u64) -> Option<Error> {
        match &lock(&self.kept).failed {
            Some((began, ended, error)) if *began > since && asked < *ended => Some(error.clone()),
            _ => None,
        }
    }
}

/// A lock, also after a panic: what it holds is changed in one assignment each time, so it is whole.
pub(in crate::engine) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicUsize;

    use tokio::sync::Notify;

    use super::*;

    fn refused(text: &str) -> Error {
        Error::refused(text, "")
    }

    #[tokio::test]
    async fn callers_share_one_load_until_it_is_forgotten() {
        let (clock, cell, loads) = (AtomicU64::new(0), Cell::<usize>::default(), AtomicUsize::new(0));
        let load = || async {
            tokio::task::yield_now().await;
            Ok(loads.fetch_add(1, Ordering::SeqCst))
        };
        let all = futures::future::join_all((0..10).map(|_| cell.get(&clock, 0, load))).await;
        assert!(all.into_iter().all(|value| *value.expect("loads") == 0));
        assert_eq!(*cell.get(&clock, 0, load).await.expect("is kept"), 0);

        let change = clock.fetch_add(1, Ordering::SeqCst) + 1;
        assert_eq!(*cell.get(&clock, change, load).await.expect("loads"), 1);
        assert_eq!(loads.load(Ordering::SeqCst), 2);
    }

    #[tokio::test]
    async fn a_load_that_began_before_a_change_is_not_good_after_it() {
        let (clock, cell) = (AtomicU64::new(0), Cell::<&str>::default());
        let (started, release) = (Notify::new(), Notify::new());
        let old = cell.get(&clock, 0, || async {
            started.notify_one();
            release.notified().await;
            Ok("old")
        });
        let new = async {
            started.notified().await;
            let change = clock.fetch_add(1, Ordering::SeqCst) + 1;
            let wanted = cell.get(&clock, change, || async { Ok("new") });
            let (value, ()) = futures::join!(wanted, async { release.notify_one() });
            value
        };
        let (old, new) = futures::join!(old, new);
        assert_eq!((*old.expect("loads"), *new.expect("loads")), ("old", "new"));
    }

    #[tokio::test]
    async fn an_error_is_shared_by_those_who_waited_and_not_kept() {
        let (clock, cell, loads) = (AtomicU64::new(0), Cell::<usize>::default(), AtomicUsize::new(0));
        let fail = || async {
            loads.fetch_add(1, Ordering::SeqCst);
            tokio::task::yield_now().await;
            Err(refused("no"))
        };
        let all = futures::future::join_all((0..10).map(|_| cell.get(&clock, 0, fail))).await;
        assert!(all.iter().all(Result::is_err));
        assert_eq!(loads.load(Ordering::SeqCst), 1, "one attempt answers all who waited for it");
        assert_eq!(*cell.get(&clock, 0, || async { Ok(7) }).await.expect("a later caller tries again"), 7);
    }

    #[tokio::test]
    async fn a_cancelled_load_is_no_answer_for_others() {
        let (clock, cell) = (AtomicU64::new(0), Cell::<usize>::default());
        let cancelled = cell.get(&clock, 0, || async {
            tokio::task::yield_now().await;
            Err(Error::Cancelled)
        });
        let (first, second) = futures::join!(cancelled, cell.get(&clock, 0, || async { Ok(1) }));
        assert!(matches!(first, Err(Error::Cancelled)));
        assert_eq!(*second.expect("loads for itself"), 1);
    }
}
