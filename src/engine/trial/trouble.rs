//! What can go wrong at a step, for tests that try it at each: a refusal, a lost line, Ctrl-C, a killed process.

use std::future::Future;
use std::ops::RangeInclusive;
use std::time::Duration;

use redshift_standin::Action;
use tokio_util::sync::CancellationToken;

use super::{Trial, is_campaign};

/// What goes wrong at a step.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Trouble {
    /// The warehouse refuses the statement.
    Fails,
    /// The line is cut before the statement is run.
    LostBefore,
    /// And after it.
    LostAfter,
    /// Somebody stops Terraform, before the statement is run.
    Cancelled,
    /// The process ends before the statement is run.
    KilledBefore,
    /// And after it.
    KilledAfter,
}

/// How far it is to the next step that is tried: in the campaign one, else some at random.
pub fn stride(sample: RangeInclusive<u64>) -> u64 {
    if is_campaign() { 1 } else { rand::random_range(sample) }
}

/// Each list is gone through in a warehouse of its own.
pub const TROUBLES: [&[Trouble]; 5] = [
    &[Trouble::Fails],
    &[Trouble::LostBefore],
    &[Trouble::LostAfter],
    &[Trouble::Cancelled],
    &[Trouble::KilledBefore, Trouble::KilledAfter],
];

/// Most of the time is spent waiting for answers.
pub async fn side_by_side<W: Future<Output = ()>>(work: impl Fn(&'static [Trouble]) -> W) {
    futures::future::join_all(TROUBLES.map(work)).await;
}

impl Trouble {
    /// What the stand-in does at the step.
    pub fn action(self) -> Action {
        match self {
            Trouble::Fails => {
                Action::Error { sqlstate: "42501".into(), message: "permission denied here".into(), detail: None }
            }
            Trouble::LostBefore => Action::CutBefore,
            Trouble::LostAfter => Action::CutAfter,
            Trouble::Cancelled | Trouble::KilledBefore => Action::Stall,
            Trouble::KilledAfter => Action::StallAfter,
        }
    }

    /// The first step to try, where the last was found before: to die after one is to die before the next.
    pub fn first(self, last: u64, fewest: u64) -> u64 {
        match self {
            Trouble::KilledAfter => last,
            _ if is_campaign() => 1,
            _ => rand::random_range(1..=fewest),
        }
    }

    /// Whether the process ends.
    pub fn kills(self) -> bool {
        matches!(self, Trouble::KilledBefore | Trouble::KilledAfter)
    }
}

/// Runs the work until it ends or stalls; stalled work is cancelled, or dies with its lines, as with a killed process.
/// None: it died.
pub async fn under<T: Send + 'static, W: Future<Output = T> + Send + 'static>(
    trial: &Trial,
    trouble: Trouble,
    work: impl FnOnce(CancellationToken) -> W,
) -> Option<T> {
    let cancel = CancellationToken::new();
    let work = work(cancel.clone());
    if trouble == Trouble::Cancelled {
        let stopped = async {
            while trial.standin.counters().stalled == 0 {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
            cancel.cancel();
            // A COMMIT is waited for, so it has to be answered one day.
            tokio::time::sleep(Duration::from_millis(50)).await;
            trial.standin.clear_faults();
            std::future::pending::<()>().await;
        };
        return tokio::select! {
            ended = work => Some(ended),
            () = stopped => None,
        };
    }
    if !trouble.kills() {
        return Some(work.await);
    }
    let process =
        tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().expect("a runtime");
    let mut task = process.spawn(work);
    let ended = loop {
        tokio::select! {
            ended = &mut task => break Some(ended.expect("ends")),
            () = tokio::time::sleep(Duration::from_millis(5)) => {}
        }
        if trial.standin.counters().stalled > 0 {
            break None;
        }
    };
    process.shutdown_background();
    while trial.standin.counters().stalled > 0 {
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    ended
}
