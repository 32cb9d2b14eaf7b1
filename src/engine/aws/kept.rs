//! Something that AWS gave for a while: kept until shortly before it expires, fetched once however many ask.

use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant, SystemTime};

use crate::engine::cell::Cell;
use crate::engine::error::Error;

/// The longest time before its end at which something is fetched anew.
const MARGIN: Duration = Duration::from_secs(60);

/// Something that expires. A failure is shared by those who waited for it, and not kept.
pub(super) struct Kept<T> {
    cell: Cell<Loaded<T>>,
    clock: AtomicU64,
    since: AtomicU64,
}

/// What was loaded, when, and when to load it anew.
pub(super) struct Loaded<T> {
    pub(super) value: T,
    at: Instant,
    renew: Option<Instant>,
}

impl<T> Default for Kept<T> {
    fn default() -> Self {
        Self { cell: Cell::default(), clock: AtomicU64::new(0), since: AtomicU64::new(0) }
    }
}

impl<T> Kept<T> {
    /// What is kept, or what `load` fetches with the moment of its end; none: it has no end.
    pub(super) async fn get<F>(&self, load: impl Fn() -> F) -> Result<Arc<Loaded<T>>, Error>
    where
        F: Future<Output = Result<(T, Option<SystemTime>), Error>>,
    {
        let timed = || async {
            let (value, end) = load().await?;
            let at = Instant::now();
            Ok(Loaded { value, at, renew: end.map(|end| renewal(end, SystemTime::now(), at)) })
        };
        let asked = Instant::now();
        let since = self.since.load(Ordering::SeqCst);
        let kept = self.cell.get(&self.clock, since, timed).await?;
        match kept.renew {
            // What was fetched just now and ends at once is as good as it gets.
            Some(renew) if renew <= Instant::now() && kept.at < asked => {
                self.forget(since);
                self.cell.get(&self.clock, self.since.load(Ordering::SeqCst), timed).await
            }
            _ => Ok(kept),
        }
    }

    /// Lets the next one fetch it anew.
    pub(super) fn drop_it(&self) {
        self.forget(self.since.load(Ordering::SeqCst));
    }

    /// Forgets what was loaded after `since`, unless another did so already.
    fn forget(&self, since: u64) {
        let now = self.clock.fetch_add(1, Ordering::SeqCst) + 1;
        let _ = self.since.compare_exchange(since, now, Ordering::SeqCst, Ordering::SeqCst);
    }
}

/// When to fetch something anew that ends at `end`: a minute before, or a fifth of its life where that is less.
fn renewal(end: SystemTime, now: SystemTime, instant: Instant) -> Instant {
    let life = end.duration_since(now).unwrap_or_default();
    instant + (life - MARGIN.min(life / 5))
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicUsize;

    use super::*;

    async fn load(kept: &Kept<usize>, loads: &AtomicUsize, life: Duration) -> usize {
        let load = || async {
            tokio::task::yield_now().await;
            Ok((loads.fetch_add(1, Ordering::SeqCst), Some(SystemTime::now() + life)))
        };
        kept.get(load).await.expect("loads").value
    }

    /// Proves: L30
    #[tokio::test]
    async fn it_is_fetched_once_and_again_when_it_ends() {
        let (kept, loads) = (Kept::default(), AtomicUsize::new(0));
        let hour = Duration::from_secs(3600);
        let all = futures::future::join_all((0..50).map(|_| load(&kept, &loads, hour))).await;
        assert!(all.iter().all(|value| *value == 0));
        kept.drop_it();
        assert_eq!(load(&kept, &loads, Duration::ZERO).await, 1);
        let all = futures::future::join_all((0..50).map(|_| load(&kept, &loads, hour))).await;
        assert!(all.iter().all(|value| *value == 2), "{all:?}");
    }

    #[tokio::test]
    async fn a_failure_is_not_kept() {
        let kept = Kept::<usize>::default();
        let failed = kept.get(|| async { Err(Error::refused("no", "")) }).await;
        assert!(failed.is_err());
        assert_eq!(kept.get(|| async { Ok((1, None)) }).await.expect("loads").value, 1);
    }

    #[test]
    fn it_is_renewed_a_minute_or_a_fifth_of_its_life_before_its_end() {
        let (now, instant) = (SystemTime::now(), Instant::now());
        for (life, renewed) in [(900, 840), (3600, 3540), (5, 4), (0, 0)] {
            let end = now + Duration::from_secs(life);
            assert_eq!(renewal(end, now, instant), instant + Duration::from_secs(renewed));
        }
        assert_eq!(renewal(now - Duration::from_secs(9), now, instant), instant);
    }
}
