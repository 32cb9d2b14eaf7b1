//! A run that makes or changes an integration: the database, the marker, one transaction, what stands alone, a look back;
//! and the way back where it fails.

use tokio_util::sync::CancellationToken;

use super::conflict;
use super::found::{self, Found, World};
use super::life::Left;
use super::made::{Keepsake, Made};
use super::marker::{self, Marker, NewMarker, Seen, Status};
use super::owned::make_lock;
use super::parts::{How, NewKey, Place, UserPassword, digest, made, parts};
use super::removal::{self, Removal, Remover};
use super::spec::Spec;
use super::trust::Whose;
use super::work::{Act, Broken, Lock, acts, alone, transaction};
use super::{few, look, members, text};
use crate::engine::error::Error;
use crate::engine::run::Retry;
use crate::engine::session::warehouse::Warehouse;
use crate::engine::sql::{Sql, bare, ident, sql};

/// A run that makes or changes an integration.
pub(super) struct Making<'a> {
    pub(super) warehouse: &'a Warehouse,
    pub(super) spec: &'a Spec,
    pub(super) cancel: &'a CancellationToken,
    pub(super) id: String,
    pub(super) run: String,
    pub(super) how: How,
    pub(super) made_so_far: Made,
    /// Whose word counts beside the login's, as private state has it.
    pub(super) kept_owner: Option<i64>,
    /// What the last apply saw.
    pub(super) keepsake: Keepsake,
    /// Held from the marker on, until everything is done or undone.
    pub(super) lock: Option<Lock>,
    /// Whether this run made the database.
    pub(super) made_database: bool,
    /// Whether there is a marker in it, of whomever.
    pub(super) marked: bool,
    /// Whether the marker says that everything is done.
    pub(super) done: bool,
    /// What takes back the external schemas that were made.
    pub(super) externals: Vec<Sql>,
}

impl Making<'_> {
    pub(super) async fn all(&mut self, is_there: bool, leftover: Option<&Marker>) -> Result<Keepsake, Error> {
        match leftover {
            Some(marker) => self.claim(Status::Creating, marker.generation).await?,
            None => {
                if !is_there {
                    self.database().await?;
                }
                let found = self.mark().await?;
                self.lock = Lock::take(self.warehouse, self.spec, &found, self.cancel).await?;
            }
        }
        self.with_lock(Status::Creating).await?;
        self.inside().await
    }

    /// Does what only the session with the lock can do.
    async fn with_lock(&mut self, status: Status) -> Result<(), Error> {
        let is_busy = || conflict::busy_now(&self.id, status);
        let lock = self.lock.take().ok_or_else(is_busy)?;
        let found = self.look(self.cancel).await?;
        let todo: Vec<Sql> = parts(self.spec, &found, &self.how)
            .into_iter()
            .filter(|part| part.place == Place::WithLock && !part.done)
            .flat_map(|part| part.statements)
            .collect();
        let lock = match todo.is_empty() {
            true => lock,
            false => lock.run(&todo, self.warehouse, self.spec, self.cancel).await?.ok_or_else(is_busy)?,
        };
        self.lock = Some(lock);
        Ok(())
    }

    async fn look(&self, cancel: &CancellationToken) -> Result<Found, Error> {
        look(self.warehouse, self.spec, self.kept_owner, cancel).await
    }

    fn home(&self) -> String {
        self.spec.initial_database.clone().unwrap_or_else(|| self.warehouse.access().database.clone())
    }

    async fn database(&mut self) -> Result<(), Error> {
        let create = text::create_database(self.spec);
        // Until it is known that it was not made.
        self.made_so_far.database = true;
        let made = alone(self.warehouse, &self.home(), &create, self.cancel).await;
        // What belongs to a database that was made is made with it.
        self.how.made.database = true;
        let Err(error) = made else {
            self.made_database = true;
            return Ok(());
        };
        self.made_so_far.database = false;
        if is_unsure(&error) {
            let mut session = self.warehouse.session(&self.home(), &CancellationToken::new()).await?;
            let there = found::database(&mut session, &self.spec.database).await?;
            // Another run of this login may have made it: it is gone on with, and not dropped unseen.
            let login = session.facts().user_id;
            self.made_so_far.database = there.is_some_and(|database| database.owner == login);
            return if self.made_so_far.database { Ok(()) } else { Err(error) };
        }
        if is_taken(&error) {
            return Err(conflict::just_made(self.warehouse, self.spec));
        }
        Err(match self.spec.initial_database {
            Some(_) if error.sqlstate() == Some("3D000") => error.about("initial_database"),
            _ => error,
        })
    }

    /// Puts the marker there, so that whoever comes next sees this run.
    async fn mark(&mut self) -> Result<Found, Error> {
        let made = Made { owners: self.how.owners, ..self.made_so_far.clone() };
        let new = NewMarker { id: &self.id, mode: "automatic", run: &self.run, status: Status::Creating, made: &made };
        let found = self.look(self.cancel).await?;
        let mut statements = vec![sql!("CREATE SCHEMA {}", bare(&self.spec.system()))];
        statements.extend(make_lock(self.spec, &found));
        statements.extend([text::marker_table(self.spec), marker::insert(self.spec, &new)]);
        let acts: Vec<Act> = statements.into_iter().map(Act::Run).collect();
        let mut retry = Retry::default();
        loop {
            let ran = transaction(self.warehouse, self.spec, &self.spec.database, &acts, self.cancel).await;
            let Err(broken) = ran else {
                self.marked = true;
                return self.look(self.cancel).await;
            };
            // Whatever it was: somebody else may have been first.
            let seen = self.seen_marker().await?;
            self.marked = seen != Seen::Absent;
            match seen {
                Seen::Here(marker) if marker.id == self.id => return self.look(self.cancel).await,
                Seen::Here(marker) => return Err(conflict::busy_now(&marker.id, marker.status)),
                Seen::Theirs(owner) => return Err(conflict::theirs(self.spec, &owner)),
                _ => retry.after(broken.error, self.cancel).await?,
            }
        }
    }

    /// The marker is not what this provider writes, but the schema is the one that private state knows: it is made anew
    /// from that, not from what somebody wrote.
    pub(super) async fn mark_again(&mut self, found: &Found) -> Result<(), Error> {
        let spec = self.spec;
        let inside = found.inside.as_ref();
        let mut statements = Vec::new();
        let owner = inside.and_then(|inside| inside.schema(&spec.system())).map(|schema| schema.owner);
        if owner.is_some_and(|owner| !found.trusts(owner)) {
            let login = ident(&found.world.login_name);
            statements.push(sql!("ALTER SCHEMA {} OWNER TO {}", bare(&spec.system()), login));
        }
        let marker = text::of_system(spec, text::MARKER);
        if let Some(relation) = inside.and_then(|inside| inside.relation(&spec.system(), text::MARKER)) {
            statements.push(super::parts::drop_relation(relation.kind, &marker, false));
        }
        let new = NewMarker {
            id: &self.id,
            mode: "automatic",
            run: &self.run,
            status: Status::Editing,
            made: &self.how.made,
        };
        statements.extend([text::marker_table(spec), marker::insert(spec, &new)]);
        let acts: Vec<Act> = statements.into_iter().map(Act::Run).collect();
        let ran = transaction(self.warehouse, spec, &spec.database, &acts, self.cancel).await;
        ran.map_err(|broken| broken.error)
    }

    async fn seen_marker(&self) -> Result<Seen, Error> {
        let mut session = self.warehouse.session(&self.spec.database, &CancellationToken::new()).await?;
        let world = World::read(&mut session).await?;
        found::marker(&mut session, &self.spec.prefix, &world, Some(&Whose::of(self.spec, self.kept_owner))).await
    }

    async fn read_marker(&self) -> Result<Option<Marker>, Error> {
        Ok(self.seen_marker().await?.here().cloned())
    }

    async fn claim(&self, status: Status, generation: i64) -> Result<(), Error> {
        let claim = marker::claim(self.spec, status, &self.run, generation);
        let mut retry = Retry::default();
        loop {
            let acts = [Act::Claim(claim.clone())];
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
    async fn inside(&mut self) -> Result<Keepsake, Error> {
        let mut retry = Retry::default();
        let mut outrun = false;
        self.draw().await?;
        loop {
            let found = self.look(self.cancel).await?;
            self.refuse_what_is_not_ours(&found)?;
            members::check_there(self.spec, &found)?;
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
            let acts = acts(self.spec, &parts, self.how.owners, last);
            let ran = transaction(self.warehouse, self.spec, &self.spec.database, &acts, self.cancel).await;
            drop(shared);
            self.warehouse.catalog().forget_principals();
            if let Err(Broken { error, unsure }) = ran {
                // A lost answer is settled by the generation, with which the transaction ends.
                let settled =
                    unsure && self.read_marker().await?.map(|marker| marker.generation) == generation.map(|it| it + 1);
                if !settled {
                    // Somebody was faster; the next look says at what.
                    if is_taken(&error) && !outrun {
                        outrun = true;
                        continue;
                    }
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

    /// Lets several sessions draw what a new key is made of: each has a seed of its own.
    async fn draw(&self) -> Result<(), Error> {
        const SESSIONS: usize = 4;
        if !matches!(self.how.key, NewKey::Drawn(_)) {
            return Ok(());
        }
        let first = text::draws_table(self.spec);
        let mut session = self.warehouse.lone_session(&self.spec.database, self.cancel).await?;
        for statement in &first {
            session.execute(statement).await?;
        }
        session.discard();
        for _ in 1..SESSIONS {
            let mut session = self.warehouse.lone_session(&self.spec.database, self.cancel).await?;
            session.execute(&text::draw_again(self.spec)).await?;
            session.discard();
        }
        Ok(())
    }

    /// All of an edit, up to the end of the lock. Without a generation, the marker was made anew for it.
    pub(super) async fn changes(&mut self, generation: Option<i64>) -> Result<Keepsake, Error> {
        if let Some(generation) = generation {
            self.claim(Status::Editing, generation).await?;
        }
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
            let acts = [Act::Claim(done.clone())];
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
    async fn read_back(&self) -> Result<Keepsake, Error> {
        let found = self.look(&CancellationToken::new()).await?;
        let view = found.inside.as_ref().and_then(|inside| inside.view.as_deref()).map(digest);
        let how = How {
            made: self.made_so_far.clone(),
            password: UserPassword::Keep,
            key: NewKey::Keep,
            adopts: false,
            view: view.clone(),
            ..self.how.clone()
        };
        let left = parts(self.spec, &found, &how).into_iter().filter(|part| !part.done);
        let left: Vec<String> = left.map(|part| part.in_words()).collect();
        if left.is_empty() {
            return Ok(Keepsake::of(self.spec, &found));
        }
        Err(Error::refused(
            "The integration is not complete",
            format!("Every statement was accepted, but this does not show afterwards: {}.", few(&left)),
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
        let left = |made: &Made| Left {
            id: self.id.clone(),
            made: made.clone(),
            keepsake: Keepsake::default(),
            status: Status::CreateError,
        };
        if self.made_database && !self.marked {
            return match self.drop_unmarked(&cancel).await {
                Ok(()) => (None, None),
                Err(error) => (Some(left(&self.made_so_far)), Some(not_undone(&error))),
            };
        }
        let marker = match self.look(&cancel).await {
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
        let removal = Removal::of_run(self.spec, &made, &self.id);
        let remover = Remover::Run(&self.run, self.lock.take());
        let undone = removal::remove_by(self.warehouse, &removal, remover, &cancel).await;
        let Err(error) = undone else { return (None, None) };
        tracing::debug!(%error, "what was made of the integration could not be undone");
        let note = marker::failed(self.spec, Status::CreateError, &self.run, &why.to_string());
        let noted = alone(self.warehouse, &self.spec.database, &note, &cancel).await;
        tracing::debug!(noted = noted.is_ok(), "the marker says that it failed");
        (Some(left(&made)), Some(not_undone(&error)))
    }
}

impl Making<'_> {
    /// The database that this run made, in which it put nothing yet: from where it was made, so that one which cannot be
    /// entered is not left behind. Whoever is in it keeps it from being dropped.
    async fn drop_unmarked(&self, cancel: &CancellationToken) -> Result<(), Error> {
        self.warehouse.close_idle(&self.spec.database);
        let drop = sql!("DROP DATABASE {}", bare(&self.spec.database));
        match alone(self.warehouse, &self.home(), &drop, cancel).await {
            Err(error) if error.sqlstate() == Some("3D000") => Ok(()),
            other => other,
        }
    }
}

/// Whether a statement may have taken effect all the same.
fn is_unsure(error: &Error) -> bool {
    matches!(error, Error::Lost { .. } | Error::TimedOut { .. } | Error::Cancelled)
}

/// Whether there is something of that name: a database (42P04), schema (42P06), relation (42P07), user, group or role
/// (42710), or the row that would stand for
/// it, which another transaction has just put there (23505).
fn is_taken(error: &Error) -> bool {
    matches!(error.sqlstate(), Some("42P04" | "42P06" | "42P07" | "42710" | "23505"))
}

fn not_undone(error: &Error) -> Error {
    Error::refused(
        "What was made could not be undone",
        format!("{}: {} The next apply removes it and begins anew.", error.summary(), error.detail()),
    )
}

impl Making<'_> {
    /// Managed schemas of others: with their owner, whoever he gave rights in them would keep those.
    fn planted(&self, found: &Found) -> Vec<String> {
        let Some(inside) = &found.inside else { return Vec::new() };
        let system = found.world.principals.user(&self.spec.system_user).map(|user| user.id);
        let is_ours = |name: &String, owner: i64| {
            let known = self.keepsake.schemas.get(name);
            found.trusts(owner) || system == Some(owner) || (known.is_some() && known == inside.schema_oids.get(name))
        };
        let of = |name: String| {
            let schema = inside.schema(&name)?;
            let owner = found.world.principals.name_of(schema.owner);
            (!is_ours(&name, schema.owner)).then(|| format!("schema {name} (of user {owner})"))
        };
        self.spec.all_schemas().into_iter().skip(1).filter_map(of).collect()
    }

    /// Somebody may have made a user, group, role or schema of these names since the tests: it is not taken over.
    fn refuse_what_is_not_ours(&self, found: &Found) -> Result<(), Error> {
        let (spec, made) = (self.spec, &self.how.made);
        let mut taken = Vec::new();
        match found.world.principals.user(&spec.system_user) {
            Some(_) if !made.user => taken.push(format!("user {}", spec.system_user)),
            Some(user) if self.keepsake.system_user.is_some_and(|id| id != user.id) => {
                taken.push(format!("user {} (another than the one that was made)", spec.system_user));
            }
            _ => {}
        }
        if let Some(actors) = spec.impersonation.as_ref().filter(|actors| made.actors.as_ref() != Some(actors))
            && found.world.has_actors(actors)
        {
            taken.push(actors.to_string());
        }
        taken.extend(self.planted(found));
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
}
