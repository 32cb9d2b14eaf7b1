//! The life of something that a database holds under a name: looked for, made, altered, dropped. What differs from kind to
//! kind is an [`Object`]: how it is found, and the statements that lead to what is wanted.
//!
//! Everything is looked at anew in the turn in which it is changed. After a conflict or a lost answer it is looked at and
//! planned again: what is there then decides.

use std::future::Future;

use tokio_util::sync::CancellationToken;

use crate::engine::catalog::At;
use crate::engine::error::Error;
use crate::engine::run::{self, Retry};
use crate::engine::session::warehouse::Warehouse;
use crate::engine::step::Step;

/// What something is to be.
pub trait Object: Sync {
    /// What was found of it.
    type Found: Send + Sync;

    /// Kind and name, as an error begins: `Schema "sales"`.
    fn title(&self) -> String;

    /// The database in which its statements run.
    fn database(&self) -> &str;

    /// What is wrong with it before anybody is asked.
    fn check(&self) -> Result<(), Error>;

    /// Makes what the catalogue knows of it out of date.
    fn forget(&self, warehouse: &Warehouse);

    /// What has its name now. None: nothing has.
    fn find(&self, at: At<'_>) -> impl Future<Output = Result<Option<Self::Found>, Error>> + Send;

    /// The steps from nothing to what is wanted.
    fn create(&self) -> Vec<Step>;
}

/// Something that was not made, or was not read back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NotCreated {
    pub error: Error,
    /// Whether it is there and ours, as far as is known: then it must be kept, so that it can be dropped.
    pub made: bool,
    /// Whether something of its name was there before.
    pub taken: bool,
}

/// Makes it. What has its name already is refused, and left as it is.
pub async fn create<O: Object>(
    warehouse: &Warehouse,
    wanted: &O,
    cancel: &CancellationToken,
) -> Result<O::Found, NotCreated> {
    let not = |error| NotCreated { error, made: false, taken: false };
    wanted.check().map_err(not)?;
    let mut retry = Retry::default();
    // Whether a CREATE took effect, or may have: what is found from then on is ours.
    let mut sent = false;
    loop {
        let failed = match create_once(warehouse, wanted, sent, cancel).await {
            Ok(found) => return Ok(found),
            Err(failed) => failed,
        };
        wanted.forget(warehouse);
        sent |= failed.made;
        if failed.taken {
            return Err(failed);
        }
        let may_retry = failed.error.is_retryable() || failed.error.is_lost() || lost_race(&failed.error);
        if let Err(error) = retry.after_if(may_retry, failed.error, cancel).await {
            let error = if failed.made { not_read_back(wanted, &error) } else { error };
            return Err(NotCreated { error, made: failed.made, taken: false });
        }
    }
}

async fn create_once<O: Object>(
    warehouse: &Warehouse,
    wanted: &O,
    sent: bool,
    cancel: &CancellationToken,
) -> Result<O::Found, NotCreated> {
    let not = |error| NotCreated { error, made: false, taken: false };
    let at = At::new(warehouse, wanted.database(), cancel);
    // What was begun is looked at to its end, whoever stops meanwhile.
    let never = CancellationToken::new();
    let to_the_end = At { cancel: &never, ..at };
    let steps = wanted.create();
    let mut turns = run::turn(warehouse, wanted.database(), cancel).await.map_err(not)?;
    turns.with_shared(warehouse, &steps, cancel).await.map_err(not)?;
    wanted.forget(warehouse);
    match wanted.find(at).await.map_err(|error| NotCreated { error, made: sent, taken: false })? {
        Some(ours) if sent => return Ok(ours),
        Some(_) => return Err(taken(wanted)),
        None => {}
    }
    let ran = run::run(warehouse, wanted.database(), &steps, cancel).await;
    wanted.forget(warehouse);
    match ran {
        Err(stopped) if !stopped.nothing_done => {
            // The answer was lost. It was not there a moment ago: if it is now, it is ours.
            let there = wanted.find(to_the_end).await;
            let made = !matches!(there, Ok(None));
            there.ok().flatten().ok_or(NotCreated { error: stopped.error, made, taken: false })
        }
        Err(stopped) if lost_race(&stopped.error) || stopped.error.sqlstate() == Some("XX000") => {
            match wanted.find(to_the_end).await.map_err(not)? {
                Some(ours) if sent => Ok(ours),
                Some(_) => Err(taken(wanted)),
                None => Err(not(stopped.error)),
            }
        }
        Err(stopped) => Err(not(stopped.error)),
        Ok(()) => {
            drop(turns);
            let unlisted =
                || Error::refused(format!("{} is not listed", wanted.title()), "The catalogue does not show it.");
            let made = |error| NotCreated { error, made: true, taken: false };
            wanted.find(to_the_end).await.map_err(made)?.ok_or_else(unlisted).map_err(made)
        }
    }
}

/// Alters or drops it: runs what `steps` finds to do, in the turn of its database. Nothing to do is fine.
pub async fn change<O: Object, F>(
    warehouse: &Warehouse,
    of: &O,
    steps: impl Fn() -> F,
    cancel: &CancellationToken,
) -> Result<(), Error>
where
    F: Future<Output = Result<Vec<Step>, Error>> + Send,
{
    let mut retry = Retry::default();
    loop {
        let once = async {
            let mut turns = run::turn(warehouse, of.database(), cancel).await?;
            of.forget(warehouse);
            let steps = steps().await?;
            if steps.is_empty() {
                return Ok(());
            }
            turns.with_shared(warehouse, &steps, cancel).await?;
            run::run(warehouse, of.database(), &steps, cancel).await.map_err(|stopped| stopped.error)
        };
        let ran = once.await;
        of.forget(warehouse);
        let Err(error) = ran else { return Ok(()) };
        retry.after_if(error.is_retryable() || error.is_lost(), error, cancel).await?;
    }
}

/// Whether the index of names said it, or the warehouse in its own words: somebody was faster, whom nobody may see yet.
fn lost_race(error: &Error) -> bool {
    matches!(error.sqlstate(), Some("23505" | "42710" | "42P06"))
}

fn taken(wanted: &impl Object) -> NotCreated {
    let error = Error::refused(
        format!("{} exists already", wanted.title()),
        "Nothing was changed about it. To manage the one that is there, import it.",
    );
    NotCreated { error, made: false, taken: true }
}

fn not_read_back(wanted: &impl Object, error: &Error) -> Error {
    Error::refused(
        format!("{} was made, but not read back", wanted.title()),
        format!(
            "It was sent and took effect, as far as is known. Looking at it then failed: {}\n{}",
            error.summary(),
            error.detail()
        ),
    )
}
