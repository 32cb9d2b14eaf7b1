//! A run that makes or changes an integration: the database, the marker, one transaction, what stands alone, a look back;
//! and the way back where it fails.

use tokio_util::sync::CancellationToken;

use super::conflict;
use super::found::{Found, Inside};
use super::life::Left;
use super::made::Made;
use super::marker::{self, Marker, NewMarker, Status};
use super::parts::{How, Place, UserPassword, digest, made, missing, parts};
use super::removal::{self, Removal, Remover};
use super::spec::Spec;
use super::work::{Act, Broken, Lock, acts, alone, transaction};
use super::{few, look, text};
use crate::engine::error::Error;
use crate::engine::run::Retry;
use crate::engine::session::warehouse::Warehouse;
use crate::engine::sql::Sql;

/// A run that makes or changes an integration.
pub(super) struct Making<'a> {
    pub(super) warehouse: &'a Warehouse,
    pub(super) spec: &'a Spec,
    pub(super) cancel: &'a CancellationToken,
    pub(super) id: String,
    pub(super) run: String,
    pub(super) how: How,
    pub(super) made_so_far: Made,
    /// Held from the marker on, until everything is done or undone.
    pub(super) lock: Option<Lock>,
    /// Whether the marker says that everything is done.
    pub(super) done: bool,
    /// What takes back the external schemas that were made.
    pub(super) externals: Vec<Sql>,
}

impl Making<'_> {
    pub(super) async fn all(&mut self, is_there: bool, leftover: Option<&Marker>) -> Result<Option<String>, Error> {
        match leftover {
            Some(marker) => self.claim(Status::Creating, marker.generation).await?,
            None => {
                if !is_there {
                    self.database().await?;
                }
                self.mark().await?;
                self.lock = Lock::take(self.warehouse, self.spec, self.cancel).await?;
            }
        }
        self.with_lock(Status::Creating).await?;
        self.inside().await
    }

    /// Does what only the session with the lock can do.
    async fn with_lock(&mut self, status: Status) -> Result<(), Error> {
        let busy = || conflict::busy_now(&self.id, status);
        let lock = self.lock.take().ok_or_else(busy)?;
        let found = match self.spec.marker_owner {
            Some(_) => Some(look(self.warehouse, self.spec, self.cancel).await?),
            None => None,
        };
        let parts = found.map(|found| parts(self.spec, &found, &self.how)).unwrap_or_default();
        let todo: Vec<Sql> = parts
            .into_iter()
            .filter(|part| part.place == Place::WithLock && !part.done)
            .flat_map(|part| part.statements)
            .collect();
        let lock = match todo.is_empty() {
            true => lock,
            false => lock.run(&todo, self.warehouse, self.spec, self.cancel).await?.ok_or_else(busy)?,
        };
        self.lock = Some(lock);
        Ok(())
    }

    fn home(&self) -> String {
        self.spec.initial_database.clone().unwrap_or_else(|| self.warehouse.access().database.clone())
    }

    async fn database(&mut self) -> Result<(), Error> {
        let create = Sql::from(text::create_database(self.spec));
        // Until it is known that it was not made.
        self.made_so_far.database = true;
        let made = alone(self.warehouse, &self.home(), &create, self.cancel).await;
        // What belongs to a database that was made is made with it.
        self.how.made.database = true;
        let Err(error) = made else { return Ok(()) };
        if is_unsure(&error) {
            let found = look(self.warehouse, self.spec, &CancellationToken::new()).await?;
            self.made_so_far.database = found.database.is_some();
            return if self.made_so_far.database { Ok(()) } else { Err(error) };
        }
        self.made_so_far.database = false;
        Err(match self.spec.initial_database {
            Some(_) if error.sqlstate() == Some("3D000") => error.about("initial_database"),
            _ => error,
        })
    }

    /// Puts the marker there, so that whoever comes next sees this run.
    async fn mark(&mut self) -> Result<(), Error> {
        let system = self.spec.system();
        let made = Made { owners: self.how.owners, ..self.made_so_far.clone() };
        let new = NewMarker { id: &self.id, mode: "automatic", run: &self.run, made: &made };
        let statements = [
            format!("CREATE SCHEMA {system}"),
            text::lock_table(self.spec),
            text::marker_table(self.spec),
            marker::insert(self.spec, &new),
        ];
        let acts: Vec<Act> = statements.into_iter().map(|sql| Act::Run(Sql::from(sql))).collect();
        let mut retry = Retry::default();
        loop {
            let ran = transaction(self.warehouse, self.spec, &self.spec.database, &acts, self.cancel).await;
            let Err(broken) = ran else { return Ok(()) };
            // Whatever it was: somebody else may have been first.
            match self.read_marker().await?.as_ref() {
                Some(marker) if marker.id == self.id => return Ok(()),
                Some(marker) => return Err(conflict::busy_now(&marker.id, marker.status)),
                None => retry.after(broken.error, self.cancel).await?,
            }
        }
    }

    async fn read_marker(&self) -> Result<Option<Marker>, Error> {
        let mut session = self.warehouse.session(&self.spec.database, &CancellationToken::new()).await?;
        let inside = Inside::read(&mut session, &self.spec.prefix).await?;
        Ok(inside.marker.here().cloned())
    }

    async fn claim(&self, status: Status, generation: i64) -> Result<(), Error> {
        let claim = marker::claim(&self.spec.system(), status, &self.run, generation);
        let mut retry = Retry::default();
        loop {
            let acts = [Act::Claim(Sql::from(claim.clone()))];
            let ran = transaction(self.warehouse, self.spec, &self.spec.database, &acts, self.cancel).await;
            let Err(broken) = ran else { return Ok(()) };
            if (broken.error.is_lost() || broken.unsure)
                && self.read_marker().await?.is_some_and(|marker| marker.run.as_ref() == Some(&self.run))
            {
                return Ok(());
            }
            retry.after(broken.error, self.cancel).await?;
        }
    }

    /// Everything in the managed database: what shares a transaction, then what stands alone, then the marker.
    async fn inside(&mut self) -> Result<Option<String>, Error> {
        let mut retry = Retry::default();
        loop {
            let found = look(self.warehouse, self.spec, self.cancel).await?;
            refuse_what_is_not_ours(self.spec, &found, &self.how.made)?;
            let generation = found.inside.as_ref().and_then(|inside| inside.marker.here()).map(|it| it.generation);
            let parts = parts(self.spec, &found, &self.how);
            let mut wanted = made(self.spec, &found, &self.how);
            wanted.database = self.made_so_far.database;
            let standing: Vec<_> = parts.iter().filter(|part| part.place == Place::Alone && !part.done).collect();
            let last = if standing.is_empty() {
                marker::done(self.spec, &wanted, &self.run)
            } else {
                marker::making(self.spec, &self.on_the_way(&wanted), &self.run)
            };
            let shared = self.warehouse.shared_turn().await;
            let acts = acts(self.spec, &parts, Sql::from(last));
            let ran = transaction(self.warehouse, self.spec, &self.spec.database, &acts, self.cancel).await;
            drop(shared);
            self.warehouse.catalog().forget_principals();
            if let Err(Broken { error, unsure }) = ran {
                // A lost answer is settled by the generation, with which the transaction ends.
                let settled =
                    unsure && self.read_marker().await?.map(|marker| marker.generation) == generation.map(|it| it + 1);
                if !settled {
                    retry.after(error, self.cancel).await?;
                    continue;
                }
            }
            // What was committed is there, whatever comes next.
            let has_standing = !standing.is_empty();
            self.made_so_far = if has_standing { self.on_the_way(&wanted) } else { wanted.clone() };
            self.done = !has_standing;
            for part in standing {
                for sql in &part.statements {
                    self.external(sql, part.undo.as_ref()).await?;
                }
            }
            if has_standing {
                self.finish(&wanted).await?;
                self.made_so_far = wanted;
                self.done = true;
            }
            return self.read_back().await;
        }
    }

    /// All of an edit, up to the end of the lock.
    pub(super) async fn changes(&mut self, generation: i64) -> Result<Option<String>, Error> {
        self.claim(Status::Editing, generation).await?;
        self.with_lock(Status::Editing).await?;
        self.inside().await
    }

    /// What the marker says while external schemas are made: new ones as wanted, changed ones still as they were.
    fn on_the_way(&self, wanted: &Made) -> Made {
        let mut external_schemas = wanted.external_schemas.clone();
        external_schemas.extend(self.how.made.external_schemas.clone());
        Made { external_schemas, ..wanted.clone() }
    }

    async fn external(&mut self, sql: &Sql, undo: Option<&Sql>) -> Result<(), Error> {
        // Taken back also where the answer did not come.
        self.externals.extend(undo.cloned());
        match alone(self.warehouse, &self.spec.database, sql, self.cancel).await {
            Err(error) if !is_unsure(&error) => {
                self.externals.pop();
                Err(error)
            }
            other => other,
        }
    }

    async fn finish(&self, wanted: &Made) -> Result<(), Error> {
        let done = marker::done(self.spec, wanted, &self.run);
        let mut retry = Retry::default();
        loop {
            let acts = [Act::Claim(Sql::from(done.clone()))];
            let ran = transaction(self.warehouse, self.spec, &self.spec.database, &acts, self.cancel).await;
            let Err(broken) = ran else { return Ok(()) };
            if (broken.error.is_lost() || broken.unsure)
                && self.read_marker().await?.is_some_and(|marker| marker.status == Status::Enabled)
            {
                return Ok(());
            }
            retry.after(broken.error, self.cancel).await?;
        }
    }

    /// Looks at what was made. What does not show is a failure, whatever the warehouse answered.
    async fn read_back(&self) -> Result<Option<String>, Error> {
        let found = look(self.warehouse, self.spec, &CancellationToken::new()).await?;
        let view = found.inside.as_ref().and_then(|inside| inside.view.as_deref()).map(digest);
        let how = How {
            made: self.made_so_far.clone(),
            password: UserPassword::Keep,
            key: None,
            view: view.clone(),
            ..self.how.clone()
        };
        let missing = missing(&parts(self.spec, &found, &how));
        if missing.is_empty() {
            return Ok(view);
        }
        Err(Error::refused(
            "The integration is not complete",
            format!("Every statement was accepted, but this does not show afterwards: {}.", few(&missing)),
        ))
    }

    pub(super) async fn take_back_externals(&self) {
        for sql in self.externals.iter().rev() {
            if let Err(error) = alone(self.warehouse, &self.spec.database, sql, &CancellationToken::new()).await {
                tracing::debug!(%error, "an external schema could not be taken back");
            }
        }
    }

    /// Takes back all of a new integration. What is left is told, and why.
    pub(super) async fn undo(&mut self, why: &Error) -> (Option<Left>, Option<Error>) {
        tracing::debug!(error = %why, "undoing what was made of the integration");
        let cancel = CancellationToken::new();
        let left = |made: &Made| Left { id: self.id.clone(), made: made.clone(), status: Status::CreateError };
        let marker = match look(self.warehouse, self.spec, &cancel).await {
            Ok(Found { inside, .. }) => inside.and_then(|inside| inside.marker.here().cloned()),
            Err(error) => return (Some(left(&self.made_so_far)), Some(error)),
        };
        let is_ours = |marker: &Marker| {
            marker.id == self.id
                && match &marker.run {
                    Some(run) => *run == self.run,
                    None => self.done,
                }
        };
        match &marker {
            // Another run was first, or has taken it over: all of it is that run's.
            Some(marker) if !is_ours(marker) => return (None, None),
            None if !self.made_so_far.database => return (None, None),
            _ => {}
        }
        let made = marker.as_ref().map_or_else(|| Made { database: true, ..Made::default() }, |it| it.made.clone());
        let removal =
            Removal { spec: self.spec.clone(), made: Some(made.clone()), id: Some(self.id.clone()), force: false };
        let remover = Remover::Run(&self.run, self.lock.take());
        let undone = removal::remove_by(self.warehouse, &removal, remover, &cancel).await;
        let Err(error) = undone else { return (None, None) };
        tracing::debug!(%error, "what was made of the integration could not be undone");
        let note = marker::failed(&self.spec.system(), Status::CreateError, &self.run, &why.to_string());
        let noted = alone(self.warehouse, &self.spec.database, &Sql::from(note), &cancel).await;
        tracing::debug!(noted = noted.is_ok(), "the marker says that it failed");
        (Some(left(&made)), Some(not_undone(&error)))
    }
}

/// Whether a statement may have taken effect all the same.
fn is_unsure(error: &Error) -> bool {
    matches!(error, Error::Lost { .. } | Error::TimedOut { .. } | Error::Cancelled)
}

fn not_undone(error: &Error) -> Error {
    Error::refused(
        "What was made could not be undone",
        format!("{}: {} The next apply removes it and begins anew.", error.summary(), error.detail()),
    )
}

/// Somebody may have made a user, group, role or schema of these names since the tests: it is not taken over.
fn refuse_what_is_not_ours(spec: &Spec, found: &Found, made: &Made) -> Result<(), Error> {
    let mut taken = Vec::new();
    if !made.user && found.world.principals.user(&spec.system_user).is_some() {
        taken.push(format!("user {}", spec.system_user));
    }
    if let Some(actors) = spec.impersonation.as_ref().filter(|actors| made.actors.as_ref() != Some(actors))
        && found.world.has_actors(actors)
    {
        taken.push(actors.sql().to_lowercase());
    }
    if let Some(inside) = &found.inside {
        let wanted = spec.external_schemas.keys().filter(|name| !made.external_schemas.contains_key(*name));
        taken.extend(wanted.filter(|name| inside.has_schema(name)).map(|name| format!("schema {name}")));
    }
    if taken.is_empty() {
        return Ok(());
    }
    Err(Error::refused(
        "Somebody else made something of this name meanwhile",
        format!("Not this integration's: {}. Choose other names, or drop them.", taken.join(", ")),
    ))
}
