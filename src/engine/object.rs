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
}

impl From<NotCreated> for Error {
    fn from(failed: NotCreated) -> Error {
        failed.error
    }
}

impl From<Error> for NotCreated {
    fn from(error: Error) -> NotCreated {
        NotCreated { error, made: false }
    }
}

/// What earlier attempts to make something came to.
#[derive(Default)]
struct Attempts {
    /// The CREATE took effect, or may have: what is found now is ours.
    sent: bool,
    /// It was not seen to be missing since.
    made: bool,
}

/// Makes it. What has its name already is refused ([`Error::Exists`]), and left as it is.
pub async fn create<O: Object>(
    warehouse: &Warehouse,
    wanted: &O,
    cancel: &CancellationToken,
) -> Result<O::Found, NotCreated> {
    let mut retry = Retry::default();
    let mut attempts = Attempts::default();
    loop {
        let error = match create_once(warehouse, wanted, &mut attempts, cancel).await {
            Ok(found) => return Ok(found),
            Err(error) => error,
        };
        wanted.forget(warehouse);
        let may_retry = error.is_retryable() || error.is_lost() || lost_race(&error);
        if let Err(error) = retry.after_if(may_retry, error, cancel).await {
            let error = if lost_race(&error) { exists(wanted) } else { error };
            let made = attempts.made;
            return Err(NotCreated { error: if made { not_read_back(wanted, &error) } else { error }, made });
        }
    }
}

async fn create_once<O: Object>(
    warehouse: &Warehouse,
    wanted: &O,
    attempts: &mut Attempts,
    cancel: &CancellationToken,
) -> Result<O::Found, Error> {
    let at = At::new(warehouse, wanted.database(), cancel);
    // What was begun is looked at to its end, whoever stops meanwhile.
    let never = CancellationToken::new();
    let to_the_end = At { cancel: &never, ..at };
    let steps = wanted.create();
    let mut turns = run::turn(warehouse, wanted.database(), cancel).await?;
    turns.with_shared(warehouse, &steps, cancel).await?;
    // Another login may have made or dropped it since the catalogue was read.
    wanted.forget(warehouse);
    match wanted.find(at).await? {
        Some(ours) if attempts.sent => return Ok(ours),
        Some(_) => return Err(exists(wanted)),
        None => attempts.made = false,
    }
    let ran = run::run(warehouse, wanted.database(), &steps, cancel).await;
    wanted.forget(warehouse);
    match ran {
        Err(stopped) if !stopped.nothing_done => {
            // The answer to COMMIT was lost. It was not there a moment ago: if it is now, it is ours.
            *attempts = Attempts { sent: true, made: true };
            let there = wanted.find(to_the_end).await?;
            attempts.made = there.is_some();
            return there.ok_or(stopped.error);
        }
        Err(stopped) if may_be_taken(&stopped.error) => {
            return match wanted.find(to_the_end).await? {
                // A COMMIT of ours whose answer was lost took effect only now.
                Some(ours) if attempts.sent => {
                    attempts.made = true;
                    Ok(ours)
                }
                Some(_) => Err(exists(wanted)),
                None => Err(stopped.error),
            };
        }
        Err(stopped) => return Err(stopped.error),
        Ok(()) => *attempts = Attempts { sent: true, made: true },
    }
    drop(turns);
    let made = wanted.find(to_the_end).await?;
    made.ok_or_else(|| Error::refused(format!("{} is not listed", wanted.title()), "The catalogue does not show it."))
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
    looked_at_anew(warehouse, of.database(), || of.forget(warehouse), steps, cancel).await
}

/// The same for what has no single name: `steps` looks at whatever it is about in this database.
pub async fn in_turn<F>(
    warehouse: &Warehouse,
    database: &str,
    steps: impl Fn() -> F,
    cancel: &CancellationToken,
) -> Result<(), Error>
where
    F: Future<Output = Result<Vec<Step>, Error>> + Send,
{
    looked_at_anew(warehouse, database, || warehouse.catalog().forget(database), steps, cancel).await
}

async fn looked_at_anew<F>(
    warehouse: &Warehouse,
    database: &str,
    forget: impl Fn(),
    steps: impl Fn() -> F,
    cancel: &CancellationToken,
) -> Result<(), Error>
where
    F: Future<Output = Result<Vec<Step>, Error>> + Send,
{
    let mut retry = Retry::default();
    loop {
        let once = async {
            let mut turns = run::turn(warehouse, database, cancel).await?;
            forget();
            let steps = steps().await?;
            if steps.is_empty() {
                return Ok(());
            }
            turns.with_shared(warehouse, &steps, cancel).await?;
            run::run(warehouse, database, &steps, cancel).await.map_err(|stopped| stopped.error)
        };
        // What is looked at in a turn may be large, and would lie on the stack of whoever waits for it.
        let ran = Box::pin(once).await;
        forget();
        let Err(error) = ran else { return Ok(()) };
        let may_retry = error.is_retryable() || error.is_lost() || lost_race(&error);
        retry.after_if(may_retry, error, cancel).await?;
    }
}

/// Whether the name may be taken: the warehouse says so, or that there was a conflict, which Redshift also says.
pub fn may_be_taken(error: &Error) -> bool {
    matches!(error.sqlstate(), Some("42710" | "42P06" | "XX000")) || lost_race(error)
}

/// Whether an index of names said it: somebody was faster, whom nobody may see yet.
pub fn lost_race(error: &Error) -> bool {
    error.sqlstate() == Some("23505")
}

fn exists(wanted: &impl Object) -> Error {
    Error::Exists { title: wanted.title() }
}

fn not_read_back(wanted: &impl Object, error: &Error) -> Error {
    Error::refused(
        format!("{} was made, but not read back", wanted.title()),
        format!(
            "The statement was sent and took effect, as far as is known. Looking at it then failed: {}\n{}",
            error.summary(),
            error.detail()
        ),
    )
}
