//! Making and changing an integration: look, test, claim, one transaction, look again. What failed is undone, or told.

use secrecy::SecretString;
use tokio_util::sync::CancellationToken;

use super::conflict::{self, busy};
use super::found::{Found, Inside};
use super::made::{Made, Owners};
use super::marker::{self, Marker, NewMarker, Seen, Status};
use super::nodes::Nodes;
use super::parts::{How, Place, UserPassword, digest, made, missing, parts};
use super::removal::{self, Removal, Remover};
use super::spec::Spec;
use super::tests_before::{Seat, tests};
use super::work::{Act, Broken, Lock, Turn, acts, alone, transaction};
use super::{few, look, text};
use crate::engine::catalog::roles::{self, SystemRights};
use crate::engine::error::Error;
use crate::engine::run::Retry;
use crate::engine::session::validation::{CONNECTION, Status as Verdict, TestResult, passed_with, skipped};
use crate::engine::session::warehouse::Warehouse;
use crate::engine::sql::Sql;

/// What is wanted of an integration.
#[derive(Clone, Debug)]
pub struct Request {
    pub spec: Spec,
    pub password: UserPassword,
    /// Whether the warehouse is a serverless workgroup.
    pub serverless: bool,
}

/// An integration as it is now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Applied {
    pub id: String,
    pub made: Made,
    /// The digest of the view's query, by which an altered view is noticed.
    pub view: Option<String>,
    pub tests: Vec<TestResult>,
}

/// An integration that was not made or changed.
#[derive(Debug)]
pub struct NotApplied {
    /// One for each thing that is wrong.
    pub errors: Vec<Error>,
    /// What is left in the warehouse; none: nothing was begun, or everything was undone.
    pub left: Option<Left>,
    pub tests: Vec<TestResult>,
}

/// What a failed run left behind.
#[derive(Debug)]
pub struct Left {
    pub id: String,
    pub made: Made,
    pub status: Status,
}

impl NotApplied {
    pub(super) fn nothing(error: Error) -> Box<Self> {
        Box::new(Self { errors: vec![error], left: None, tests: Vec::new() })
    }
}

/// A random text for ids, runs and keys: 64 hexadecimal digits.
pub(super) fn random() -> String {
    rand::random::<[u8; 32]>().iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Makes the integration. What an interrupted run of ours left is adopted.
pub async fn create(
    warehouse: &Warehouse,
    request: &Request,
    cancel: &CancellationToken,
) -> Result<Applied, Box<NotApplied>> {
    let spec = &request.spec;
    spec.check().map_err(NotApplied::nothing)?;
    let _turn = Turn::take(warehouse, spec, cancel).await.map_err(NotApplied::nothing)?;
    let start = Start::look(warehouse, request, cancel).await?;
    let mut making = Making {
        warehouse,
        spec,
        cancel,
        id: start.leftover.as_ref().map_or_else(|| random()[..32].to_owned(), |marker| marker.id.clone()),
        run: random()[..32].to_owned(),
        how: start.how(request),
        made_so_far: start.leftover.as_ref().map_or_else(Made::default, |marker| marker.made.clone()),
        lock: start.lock,
        done: false,
        externals: Vec::new(),
    };
    let ended = making.all(start.found.database.is_some(), start.leftover.as_ref()).await;
    let tests = start.tests;
    match ended {
        Ok(view) => {
            let made = making.made_so_far;
            Ok(Applied { id: making.id, made, view, tests })
        }
        Err(error) => {
            let (left, undoing) = making.undo(&error).await;
            let errors = std::iter::once(error).chain(undoing).collect();
            Err(Box::new(NotApplied { errors, left, tests }))
        }
    }
}

/// What was found before anything is made.
struct Start {
    found: Found,
    superuser: bool,
    leftover: Option<Marker>,
    lock: Option<Lock>,
    tests: Vec<TestResult>,
}

impl Start {
    async fn look(
        warehouse: &Warehouse,
        request: &Request,
        cancel: &CancellationToken,
    ) -> Result<Start, Box<NotApplied>> {
        let spec = &request.spec;
        let mut found = look(warehouse, spec, cancel).await.map_err(NotApplied::nothing)?;
        let facts = warehouse.facts(cancel).await.map_err(NotApplied::nothing)?;
        let mut lock = None;
        if let Some(marker) = adoptable(warehouse, spec, &found)? {
            // Whoever holds the lock is alive, and at it.
            lock = Lock::take(warehouse, spec, cancel).await.map_err(NotApplied::nothing)?;
            if lock.is_none() {
                return Err(NotApplied::nothing(busy(warehouse, spec, marker, cancel).await));
            }
            // It may have ended while its lock was waited for.
            found = look(warehouse, spec, cancel).await.map_err(NotApplied::nothing)?;
        }
        let leftover = adoptable(warehouse, spec, &found)?.cloned();
        if let Some(other) = conflict::elsewhere(warehouse, spec, cancel).await.map_err(NotApplied::nothing)? {
            return Err(NotApplied::nothing(conflict::exists_in(warehouse, &other)));
        }
        let system_rights = match facts.superuser {
            true => SystemRights::default(),
            false => system_rights(warehouse, cancel).await.map_err(NotApplied::nothing)?,
        };
        let nodes = Nodes::ask(warehouse, request, cancel).await;
        let tests = tests(&Seat {
            spec,
            found: &found,
            facts: &facts,
            system_rights: &system_rights,
            leftover: leftover.as_ref().map(|marker| &marker.made),
            edited: None,
            nodes: &nodes,
        });
        let errors = failures(&tests);
        if !errors.is_empty() {
            return Err(Box::new(NotApplied { errors, left: None, tests }));
        }
        Ok(Start { superuser: facts.superuser, found, leftover, lock, tests })
    }

    fn how(&self, request: &Request) -> How {
        How {
            owners: if self.superuser { Owners::System } else { Owners::Login },
            made: self.leftover.as_ref().map(|marker| marker.made.clone()).unwrap_or_default(),
            password: request.password.clone(),
            key: request.spec.impersonation.is_some().then(|| SecretString::from(random())),
            by_hand: false,
            view: None,
        }
    }
}

/// One error for each test that failed. A test is named for what should be, so its name alone would say the opposite.
fn failures(tests: &[TestResult]) -> Vec<Error> {
    let failed = tests.iter().filter(|test| test.status == Verdict::Failed);
    let error =
        |test: &TestResult| Error::refused(format!("Failed: {}", test.name), test.message.clone().unwrap_or_default());
    failed.map(error).collect()
}

pub(super) async fn system_rights(warehouse: &Warehouse, cancel: &CancellationToken) -> Result<SystemRights, Error> {
    let mut session = warehouse.session(&warehouse.access().database, cancel).await?;
    roles::load_system_rights(&mut session).await
}

/// A run that makes or changes an integration.
struct Making<'a> {
    warehouse: &'a Warehouse,
    spec: &'a Spec,
    cancel: &'a CancellationToken,
    id: String,
    run: String,
    how: How,
    made_so_far: Made,
    /// Held from the marker on, until everything is done or undone.
    lock: Option<Lock>,
    /// Whether the marker says that everything is done.
    done: bool,
    /// What takes back the external schemas that were made.
    externals: Vec<Sql>,
}

impl Making<'_> {
    async fn all(&mut self, is_there: bool, leftover: Option<&Marker>) -> Result<Option<String>, Error> {
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
    async fn changes(&mut self, generation: i64) -> Result<Option<String>, Error> {
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

    async fn take_back_externals(&self) {
        for sql in self.externals.iter().rev() {
            if let Err(error) = alone(self.warehouse, &self.spec.database, sql, &CancellationToken::new()).await {
                tracing::debug!(%error, "an external schema could not be taken back");
            }
        }
    }

    /// Takes back all of a new integration. What is left is told, and why.
    async fn undo(&mut self, why: &Error) -> (Option<Left>, Option<Error>) {
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

/// What an interrupted run of the same integration left, if that is what is there.
fn adoptable<'a>(warehouse: &Warehouse, spec: &Spec, found: &'a Found) -> Result<Option<&'a Marker>, Box<NotApplied>> {
    let Some(marker) = found.inside.as_ref().and_then(|inside| inside.marker.here()) else { return Ok(None) };
    let unfinished = matches!(marker.status, Status::Creating | Status::CreateError);
    let same_user = !marker.made.user || marker.made.system_user == spec.system_user;
    if unfinished && same_user && marker.is_kind(spec.kind) {
        return Ok(Some(marker));
    }
    Err(NotApplied::nothing(conflict::exists(warehouse, &marker.id)))
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

/// What is known of an integration that is to be changed.
#[derive(Clone, Debug)]
pub struct Known {
    pub id: String,
    /// None: nothing was kept, and the marker says it.
    pub made: Option<Made>,
    pub view: Option<String>,
}

/// Changes the integration from what is there to what is wanted, and repairs what somebody altered.
pub async fn update(
    warehouse: &Warehouse,
    request: &Request,
    known: &Known,
    cancel: &CancellationToken,
) -> Result<Applied, Box<NotApplied>> {
    let spec = &request.spec;
    spec.check().map_err(NotApplied::nothing)?;
    let _turn = Turn::take(warehouse, spec, cancel).await.map_err(NotApplied::nothing)?;
    let found = look(warehouse, spec, cancel).await.map_err(NotApplied::nothing)?;
    let before = conflict::own_marker(&found, spec, &known.id).map_err(NotApplied::nothing)?;
    let lock = Lock::take(warehouse, spec, cancel).await.map_err(NotApplied::nothing)?;
    let Some(lock) = lock else {
        return Err(NotApplied::nothing(busy(warehouse, spec, &before, cancel).await));
    };
    // Whoever had the lock may have changed everything.
    let found = look(warehouse, spec, cancel).await.map_err(NotApplied::nothing)?;
    let marker = conflict::own_marker(&found, spec, &known.id).map_err(NotApplied::nothing)?;
    let facts = warehouse.facts(cancel).await.map_err(NotApplied::nothing)?;
    let tests = rights_to_edit(warehouse, request, &found, &marker.made, cancel).await.map_err(NotApplied::nothing)?;
    let errors = failures(&tests);
    if !errors.is_empty() {
        return Err(Box::new(NotApplied { errors, left: None, tests }));
    }
    let gains_key = spec.impersonation.is_some()
        && (may_know_key(spec, &found, known, &marker)
            || count_keys(warehouse, spec, cancel).await.is_some_and(|keys| keys != 1));
    let mut making = Making {
        warehouse,
        spec,
        cancel,
        id: marker.id.clone(),
        run: random()[..32].to_owned(),
        how: How {
            owners: marker.made.owners,
            made: marker.made.clone(),
            password: request.password.clone(),
            key: gains_key.then(|| SecretString::from(random())),
            by_hand: false,
            view: known.view.clone(),
        },
        made_so_far: Made {
            database: marker.made.database && known.made.as_ref().is_none_or(|made| made.database),
            ..marker.made.clone()
        },
        lock: Some(lock),
        done: false,
        externals: Vec::new(),
    };
    tracing::debug!(superuser = facts.superuser, status = marker.status.name(), "changing the integration");
    let changed = making.changes(marker.generation).await;
    match changed {
        Ok(view) => Ok(Applied { id: marker.id, made: making.made_so_far, view, tests }),
        Err(error) => {
            making.take_back_externals().await;
            let note = marker::failed(&spec.system(), Status::EditError, &making.run, &error.to_string());
            let noted = alone(warehouse, &spec.database, &Sql::from(note), &CancellationToken::new()).await;
            tracing::debug!(noted = noted.is_ok(), "the marker says that the edit failed");
            let left = Left { id: marker.id, made: making.made_so_far, status: Status::EditError };
            Err(Box::new(NotApplied { errors: vec![error], left: Some(left), tests }))
        }
    }
}

/// Whether the key is missing, or somebody may have read it: a new one ends all that is claimed by the old one.
fn may_know_key(spec: &Spec, found: &Found, known: &Known, marker: &Marker) -> bool {
    let how = How { owners: marker.made.owners, made: marker.made.clone(), view: known.view.clone(), ..How::default() };
    let table = format!("{}.impersonation", spec.system());
    // Both run as the owner of the key.
    let readers = [format!("procedure {}", spec.procedure()), format!("view {}.user_profile", spec.system())];
    let altered = missing(&parts(spec, found, &how));
    altered.iter().any(|what| what.contains(&table) || readers.iter().any(|reader| what.starts_with(reader)))
}

/// The tests of an edit: the same rights as for making it, and what it needs is there.
async fn rights_to_edit(
    warehouse: &Warehouse,
    request: &Request,
    found: &Found,
    made: &Made,
    cancel: &CancellationToken,
) -> Result<Vec<TestResult>, Error> {
    let facts = warehouse.facts(cancel).await?;
    let system_rights =
        if facts.superuser { SystemRights::default() } else { system_rights(warehouse, cancel).await? };
    let spec = &request.spec;
    let nodes = Nodes::ask(warehouse, request, cancel).await;
    let mut tests = tests(&Seat {
        spec,
        found,
        facts: &facts,
        system_rights: &system_rights,
        leftover: None,
        edited: Some(made),
        nodes: &nodes,
    });
    tests.extend(key_test(warehouse, spec, found, "It gets a new one.", cancel).await);
    Ok(tests)
}

/// Whether there is the one key that signs claims.
async fn key_test(
    warehouse: &Warehouse,
    spec: &Spec,
    found: &Found,
    otherwise: &str,
    cancel: &CancellationToken,
) -> Option<TestResult> {
    spec.impersonation.as_ref()?;
    let name = "Impersonation key";
    let there = found.inside.as_ref().is_some_and(|it| it.relation(&spec.system(), "impersonation").is_some());
    let rows = if there { count_keys(warehouse, spec, cancel).await } else { Some(1) };
    let warning = |what: &str| TestResult {
        name: name.into(),
        status: Verdict::Warning,
        message: Some(format!("{}.impersonation {what} {otherwise}", spec.system())),
        result: None,
    };
    Some(match rows {
        Some(0) => warning("has no key, so nobody can act for others."),
        Some(1) => passed_with(name, "[]".to_owned()),
        Some(_) => warning("has several keys, of which any signs."),
        None => skipped(name, "This login cannot see it."),
    })
}

/// How many keys there are, where the login may count them.
async fn count_keys(warehouse: &Warehouse, spec: &Spec, cancel: &CancellationToken) -> Option<u64> {
    let mut session = warehouse.session(&spec.database, cancel).await.ok()?;
    let query = format!("SELECT count(*) FROM {}.impersonation", spec.system());
    let rows = session.query(&Sql::from(query)).await.ok()?;
    rows.first()?.parse(0).ok()
}

/// The tests of a set-up by hand that is complete.
pub async fn tests_by_hand(
    warehouse: &Warehouse,
    spec: &Spec,
    looked: &Looked,
    cancel: &CancellationToken,
) -> Vec<TestResult> {
    let mut tests = vec![
        passed_with(CONNECTION, "[null]".to_owned()),
        passed_with("Validate Manual Bootstrap: Objects And Grants", "[]".to_owned()),
    ];
    let otherwise = "Put exactly one there, as the last lines of the script say.";
    tests.extend(key_test(warehouse, spec, &looked.found, otherwise, cancel).await);
    tests
}

/// What a read, and a set-up by hand, see.
#[derive(Debug)]
pub struct Looked {
    pub found: Found,
    pub missing: Vec<String>,
    pub view: Option<String>,
}

impl Looked {
    /// The marker as it was seen.
    pub fn marker(&self) -> Seen {
        self.found.inside.as_ref().map_or(Seen::Absent, |inside| inside.marker.clone())
    }
}

/// Compares what is there with what is wanted. `known` is what was kept of earlier runs.
pub async fn verify(
    warehouse: &Warehouse,
    spec: &Spec,
    known: Option<&Known>,
    by_hand: bool,
    cancel: &CancellationToken,
) -> Result<Looked, Error> {
    let found = look(warehouse, spec, cancel).await?;
    let view = found.inside.as_ref().and_then(|inside| inside.view.as_deref()).map(digest);
    let marker = found.inside.as_ref().and_then(|inside| inside.marker.here());
    let made = marker.map(|marker| marker.made.clone()).or_else(|| known.and_then(|known| known.made.clone()));
    let how = How {
        owners: made.as_ref().map(|made| made.owners).unwrap_or_default(),
        made: made.unwrap_or_else(|| super::scripts::made_by_hand(spec)),
        view: known.and_then(|known| known.view.clone()),
        by_hand,
        ..How::default()
    };
    let mut missing = missing(&parts(spec, &found, &how));
    if marker.is_none() && found.database.is_some() {
        missing.insert(0, format!("the marker in {}.integration", spec.system()));
    }
    Ok(Looked { found, missing, view })
}
