//! Removing an integration: only what it made, after a look at what others put there, and the marker last.

use tokio_util::sync::CancellationToken;

use super::conflict::{busy, needs_privileges, theirs};
use super::found::{Found, Inside};
use super::look;
use super::made::{Keepsake, Made, Owners};
use super::marker::{self, Marker, Seen, Status};
use super::owned::KINDS;
use super::parts::{database_in_words, drop_relation, user_in_words};
use super::provable::{dropping, is_managed, look_before, skipped};
use super::registered::{Registered, Views};
use super::spec::{ActorKind, Spec};
use super::text::{self, of_lock, of_system};
use super::work::{Act, Lock, Turn, alone, claim_lost, transaction};
use crate::engine::catalog::acl::Grantee;
use crate::engine::datastore::owners::Warning;
use crate::engine::error::Error;
use crate::engine::rights::Privilege;
use crate::engine::run::Retry;
use crate::engine::session::warehouse::Warehouse;
use crate::engine::sql::{Sql, bare, ident, literal, sql};
use crate::engine::user::dropping::drop_held;

/// What is to be removed.
#[derive(Clone, Debug)]
pub struct Removal {
    pub spec: Spec,
    /// What was made, as far as was kept. Where there is a marker, it says it better; but a database that was not kept as
    /// made stays. None: nothing was kept. (Of a tainted resource, Terraform hands no private state to the delete of a
    /// replacement.)
    pub made: Option<Made>,
    /// The integration's id; none: whatever has the name.
    pub id: Option<String>,
    pub keepsake: Keepsake,
    /// Whether what is known was read from the marker alone, by an import, and no apply has confirmed it.
    pub imported: bool,
    /// Drop what others put there, and hand over what the system user owns elsewhere.
    pub force: bool,
}

impl Removal {
    /// One of which nothing but this is known.
    pub(super) fn of_run(spec: &Spec, made: &Made, id: &str) -> Removal {
        Removal {
            spec: spec.clone(),
            made: Some(made.clone()),
            id: Some(id.to_owned()),
            keepsake: Keepsake::default(),
            imported: false,
            force: false,
        }
    }
}

/// Who removes it.
pub(super) enum Remover<'a> {
    /// A destroy, which has to take the lock and the marker first.
    Destroy,
    /// The run that made it and undoes that, and has both.
    Run(&'a str, Option<Lock>),
}

/// How often DROP DATABASE is tried while somebody is still in it.
const DROPS: u32 = 8;

/// Removes the integration. What is gone already is fine. The warnings say what could not be looked at.
pub async fn remove(
    warehouse: &Warehouse,
    removal: &Removal,
    cancel: &CancellationToken,
) -> Result<Vec<Warning>, Error> {
    let _turn = Turn::take(warehouse, &removal.spec, cancel).await?;
    remove_by(warehouse, removal, Remover::Destroy, cancel).await
}

/// The same for whoever has the turn in the database.
pub(super) async fn remove_by(
    warehouse: &Warehouse,
    removal: &Removal,
    mut remover: Remover<'_>,
    cancel: &CancellationToken,
) -> Result<Vec<Warning>, Error> {
    let mut retry = Retry::default();
    loop {
        let ran = once(warehouse, removal, &mut remover, cancel).await;
        warehouse.catalog().forget_principals();
        warehouse.catalog().forget(&removal.spec.database);
        match ran {
            Ok(warnings) => return Ok(warnings),
            Err(error) => {
                tracing::debug!(database = removal.spec.database, %error, "the integration was not removed");
                retry.after(error, cancel).await?;
            }
        }
    }
}

async fn once(
    warehouse: &Warehouse,
    removal: &Removal,
    remover: &mut Remover<'_>,
    cancel: &CancellationToken,
) -> Result<Vec<Warning>, Error> {
    let spec = &removal.spec;
    let kept_owner = removal.keepsake.owner;
    let mut found = look(warehouse, spec, kept_owner, cancel).await?;
    let (mut made, mut marker) = ours(&found, removal, remover)?;
    look_before(warehouse, removal, &made, &found, false, cancel).await?;
    let is_destroy = matches!(remover, Remover::Destroy);
    let (run, lock) = match remover {
        Remover::Run(run, lock) => ((*run).to_owned(), lock.take()),
        Remover::Destroy => {
            // With force, what is there is taken apart whatever was done to its marker; the lock tells of a live run.
            let is_there = found.inside.as_ref().is_some_and(|inside| inside.marker != Seen::Absent);
            let lock = match marker.is_some() || (is_there && removal.force) {
                true => match Lock::take(warehouse, spec, &found, cancel).await? {
                    None => {
                        let state = marker.as_ref().map(|marker| (marker.id.as_str(), marker.status));
                        return Err(busy(warehouse, spec, &found, state, cancel).await);
                    }
                    // Whoever had it may have changed everything.
                    lock => {
                        found = look(warehouse, spec, kept_owner, cancel).await?;
                        lock
                    }
                },
                false => None,
            };
            if lock.is_some() {
                (made, marker) = ours(&found, removal, remover)?;
            }
            (super::life::random(), lock)
        }
    };
    // Nobody else is at it now. An undo takes away what it can.
    if is_destroy {
        look_before(warehouse, removal, &made, &found, true, cancel).await?;
    }
    let Some(marker) = marker else { return take_apart(warehouse, removal, &made, &found, lock, cancel).await };
    let claim = marker::claim(spec, Status::Deleting, &run, marker.generation);
    let acts = [Act::Claim(claim)];
    transaction(warehouse, spec, &spec.database, &acts, cancel).await.map_err(|broken| broken.error)?;
    let ended = take_apart(warehouse, removal, &made, &found, lock, cancel).await;
    if let Err(error) = &ended {
        let note = marker::failed(spec, Status::DeleteError, &run, &error.to_string());
        let noted = alone(warehouse, &spec.database, &note, &CancellationToken::new()).await;
        tracing::debug!(noted = noted.is_ok(), "the marker says that the removal failed");
    }
    ended
}

/// What of it is ours, and the marker that says so.
fn ours(found: &Found, removal: &Removal, remover: &Remover<'_>) -> Result<(Made, Option<Marker>), Error> {
    let (mut made, marker) = told(found, removal, remover)?;
    // Another user of the name is another's.
    let user = found.world.principals.user(&removal.spec.system_user).map(|user| user.id);
    made.user &= removal.keepsake.system_user.is_none_or(|kept| user == Some(kept));
    Ok((made, marker))
}

fn told(found: &Found, removal: &Removal, remover: &Remover<'_>) -> Result<(Made, Option<Marker>), Error> {
    let spec = &removal.spec;
    let kept = removal.made.clone();
    let Some(inside) = &found.inside else { return Ok((kept.unwrap_or_default(), None)) };
    // The schema that the last apply saw: whatever somebody wrote in it, it is no other integration's.
    let is_known = removal.keepsake.schema.is_some() && removal.keepsake.schema == inside.system_oid;
    let by_force = removal.force && is_known;
    match &inside.marker {
        Seen::Here(marker) if by_force && removal.id.as_ref().is_some_and(|id| *id != marker.id) => {
            Ok((kept.unwrap_or_default(), None))
        }
        Seen::Here(marker) if removal.id.as_ref().is_some_and(|id| *id != marker.id) => Err(Error::refused(
            "Another integration is in its place",
            format!(
                "Database {} holds integration {}, and {} is to be removed. Nothing was changed.",
                spec.database,
                marker.id,
                removal.id.clone().unwrap_or_default()
            ),
        )),
        Seen::Here(marker) => {
            if let Remover::Run(run, _) = remover
                && marker.run.as_deref().is_some_and(|other| other != *run)
            {
                return Err(claim_lost(spec));
            }
            let mut made = match kept.filter(|kept| is_known && kept.is_contradicted_by(spec, &marker.made)) {
                Some(kept) => kept,
                None => Made::ours(spec, removal.made.as_ref(), &marker.made),
            };
            if removal.imported {
                confirm(&mut made, inside, found, spec);
            }
            Ok((made, Some((**marker).clone())))
        }
        Seen::Unseen => Err(needs_privileges(spec)),
        Seen::Theirs(_) | Seen::Broken(_) if by_force => Ok((kept.unwrap_or_default(), None)),
        Seen::Theirs(owner) => Err(theirs(spec, owner)),
        Seen::Broken(what) if !removal.force => Err(Error::refused(
            "The marker of the integration was altered",
            format!(
                "{}.integration in database {} is not what this provider writes: {what}. An apply makes it anew, or with force_destroy = true a destroy takes the integration apart without it.",
                spec.system(),
                spec.database
            ),
        )),
        // Somebody made another schema of the name: it is his, whatever is to be forced.
        Seen::Foreign | Seen::Broken(_) if removal.keepsake.schema.is_some() && !is_known => Err(Error::refused(
            "Another schema is in its place",
            format!(
                "Schema {} in database {} was made again since the last apply, and holds no marker of this integration. Nothing was changed: drop it by hand, or take the integration out of state (`terraform state rm`).",
                spec.system(),
                spec.database
            ),
        )),
        Seen::Foreign if !removal.force => Err(Error::refused(
            "The marker of the integration is gone",
            format!(
                "{}.integration in database {} is not there or empty, so it is not known any more what is whose. With force_destroy = true the managed schemas, the system user and the group or role are dropped, and the database if nothing else is in it.",
                spec.system(),
                spec.database
            ),
        )),
        Seen::Foreign | Seen::Absent | Seen::Broken(_) => {
            // What only an import read is nobody's word without the marker.
            let mut made = kept.filter(|_| !removal.imported).unwrap_or_default();
            // Without the marker, it may be another database of the same name. One that is empty and of somebody who is
            // believed was left by a run that died before it put a marker there.
            let trusted = found.database.as_ref().is_some_and(|database| found.trusts(database.owner));
            let unmarked = removal.made.is_none() && spec.create_database && trusted;
            // A database of the name may have been made since by somebody else.
            let system = found.world.principals.user(&spec.system_user).map(|user| user.id);
            let owned = trusted || found.database.as_ref().is_some_and(|database| Some(database.owner) == system);
            made.database = (made.database && owned || unmarked) && (by_force || inside.others(spec).is_empty());
            Ok((made, None))
        }
    }
}

/// After an import, only the marker told the names of user and group: those that hold nothing of ours are left.
fn confirm(made: &mut Made, inside: &Inside, found: &Found, spec: &Spec) {
    let user = found.world.principals.user(&made.system_user).map(|user| user.id);
    let owns = |name: String| inside.schema(&name).is_some_and(|schema| Some(schema.owner) == user);
    let holds = inside.relation(&spec.system(), text::PROFILE).and_then(|relation| relation.acl.as_ref());
    let holds = holds.is_some_and(|acl| acl.of(&Grantee::User(made.system_user.clone())).has(Privilege::Select));
    made.user &= owns(spec.functions()) || holds;
    made.actors = made.actors.take().filter(|actors| match actors.kind {
        ActorKind::Group => inside
            .procedure(spec)
            .is_some_and(|routine| routine.gives(&Grantee::Group(actors.name.clone()), Privilege::Execute)),
        // What roles hold on procedures is in no view: only the name that goes without saying.
        ActorKind::Role => actors.name == format!("{}_impersonator_role", spec.prefix),
    });
}

async fn take_apart(
    warehouse: &Warehouse,
    removal: &Removal,
    made: &Made,
    found: &Found,
    lock: Option<Lock>,
    cancel: &CancellationToken,
) -> Result<Vec<Warning>, Error> {
    let spec = &removal.spec;
    let registered = Registered::read(warehouse, spec, found, cancel).await?;
    let mut warnings: Vec<Warning> = registered.left(removal, made).into_iter().collect();
    // The marker goes last: without it, what has the names of managed objects is somebody else's.
    if let Some(inside) = found.inside.as_ref().filter(|inside| is_managed(removal, made, inside)) {
        let views = registered.views(removal, made, found);
        let statements = statements(removal, made, found, inside, &views, warehouse, cancel).await?;
        let acts: Vec<Act> = statements.into_iter().map(Act::Run).collect();
        if !acts.is_empty() {
            transaction(warehouse, spec, &spec.database, &acts, cancel).await.map_err(|broken| broken.error)?;
        }
        // They cannot be dropped in a transaction, so they come after what may still be refused.
        for (name, _) in made.external_schemas.iter().filter(|(name, _)| inside.has_external(name)) {
            let drop = sql!("DROP SCHEMA {}", ident(name));
            alone(warehouse, &spec.database, &drop, cancel).await?;
        }
    }
    warehouse.catalog().forget(&spec.database);
    if made.user {
        let skipped = skipped(spec, made);
        let dropped = drop_held(warehouse, dropping(removal, &skipped), cancel).await?;
        // What is not looked into there is dropped.
        warnings.extend(dropped.warnings.into_iter().filter(|_| !made.database));
    }
    if let Some(actors) = made.actors.as_ref().filter(|actors| found.world.has_actors(actors)) {
        let home = warehouse.access().database.clone();
        let dropped = alone(warehouse, &home, &actors.drop_sql(), cancel).await;
        // Gone meanwhile, or by an attempt whose answer was lost.
        dropped.or_else(|error| if error.sqlstate() == Some("42704") { Ok(()) } else { Err(error) })?;
    }
    // The lock's own session is in the database, and holds a table of the schema.
    drop(lock);
    match &found.inside {
        Some(_) if made.database => drop_database(warehouse, spec, cancel).await?,
        Some(inside) if [spec.system(), spec.lock()].iter().any(|name| inside.schema(name).is_some()) => {
            drop_marker(warehouse, spec, inside, removal.force, cancel).await?;
        }
        _ => {}
    }
    Ok(warnings)
}

/// The marker's schema, last. Without force, what came there since it was looked at stops it.
async fn drop_marker(
    warehouse: &Warehouse,
    spec: &Spec,
    inside: &Inside,
    force: bool,
    cancel: &CancellationToken,
) -> Result<(), Error> {
    // Without the marker, what has the names may be anybody's.
    let (system, lock) = (spec.system(), spec.lock());
    let mut statements = Vec::new();
    for (schema, name) in [(&system, text::LOCK), (&system, text::MARKER), (&lock, text::DRAWS), (&lock, text::LOCK)] {
        if let Some(relation) = inside.relation(schema, name) {
            let name = if *schema == system { of_system(spec, name) } else { of_lock(spec, name) };
            statements.push(drop_relation(relation.kind, &name, force));
        }
    }
    for schema in [&lock, &system].into_iter().filter(|name| inside.schema(name).is_some()) {
        statements.push(drop_schema(schema, force));
    }
    // A destroy that found no lock has made one.
    if inside.schema(&lock).is_none() {
        statements.push(sql!("DROP TABLE IF EXISTS {}", of_lock(spec, text::LOCK)));
        statements.push(sql!("DROP SCHEMA IF EXISTS {}", bare(&lock)));
    }
    let acts: Vec<Act> = statements.into_iter().map(Act::Run).collect();
    transaction(warehouse, spec, &spec.database, &acts, cancel).await.map_err(|broken| broken.error)
}

fn drop_schema(name: &str, cascade: bool) -> Sql {
    let cascade = if cascade { sql!(" CASCADE") } else { sql!("") };
    sql!("DROP SCHEMA {}{}", bare(name), cascade)
}

/// What is dropped and revoked in the managed database, but for the marker.
pub(super) async fn statements(
    removal: &Removal,
    made: &Made,
    found: &Found,
    inside: &Inside,
    views: &Views<'_>,
    warehouse: &Warehouse,
    cancel: &CancellationToken,
) -> Result<Vec<Sql>, Error> {
    let (spec, force) = (&removal.spec, removal.force);
    let [system, functions, procedures] = spec.schemas();
    let (database, name) = (bare(&spec.database), bare(&spec.system_user));
    let mut all = views.drops();
    for (index, (relation, _)) in KINDS.into_iter().enumerate() {
        // The view reads the tables, and the procedure reads them too.
        if index == 1 {
            all.extend(drop_procedures(spec, inside));
        }
        if let Some(found) = inside.relation(&system, relation) {
            all.push(drop_relation(found.kind, &of_system(spec, relation), force));
        }
    }
    // Views are handed to nobody, so what others put beside the marker goes here, and not with its schema.
    let beside = inside.schema(&system).filter(|_| force).into_iter().flat_map(|schema| &schema.relations);
    for relation in beside.filter(|relation| relation.is_of_people() && !is_managed_relation(&relation.name)) {
        let name = sql!("{}.{}", bare(&system), ident(&relation.name));
        all.push(drop_relation(relation.kind, &name, true));
    }
    let system_user = found.world.principals.user(&spec.system_user).map(|user| user.id);
    for schema in [&functions, &procedures] {
        // One of somebody else's stays: with a database that is dropped it goes all the same.
        let known = removal.keepsake.schemas.get(schema);
        let is_ours = inside.schema(schema).is_some_and(|found_schema| {
            found.trusts(found_schema.owner)
                || system_user == Some(found_schema.owner)
                || (known.is_some() && known == inside.schema_oids.get(schema))
        });
        if is_ours {
            all.push(drop_schema(schema, force));
        }
    }
    if made.temp_to_public && !made.database {
        all.push(sql!("REVOKE TEMP ON DATABASE {} FROM PUBLIC", database));
    }
    if inside.schema(&system).is_some() && made.user && found.world.principals.user(&spec.system_user).is_some() {
        all.push(sql!("REVOKE ALL ON SCHEMA {} FROM {}", bare(&system), name));
    }
    all.extend(ownership(spec, made, found, warehouse, cancel).await?);
    Ok(all)
}

/// Whether a relation of `<prefix>_system` has the name of one that is made there.
pub(super) fn is_managed_relation(name: &str) -> bool {
    KINDS.iter().map(|(relation, _)| *relation).chain([text::MARKER, text::LOCK]).any(|managed| managed == name)
}

/// What the system user has of the database itself.
pub(super) async fn ownership(
    spec: &Spec,
    made: &Made,
    found: &Found,
    warehouse: &Warehouse,
    cancel: &CancellationToken,
) -> Result<Vec<Sql>, Error> {
    let (database, name) = (bare(&spec.database), bare(&spec.system_user));
    let mut all = Vec::new();
    let user = found.world.principals.user(&spec.system_user);
    if user.is_some() && made.user && found.database.is_some() {
        let owned = found.database.as_ref().is_some_and(|database| user.is_some_and(|user| user.id == database.owner));
        if owned && made.owners == Owners::System {
            let login = warehouse.facts(cancel).await?.user.clone();
            all.push(sql!("ALTER DATABASE {} OWNER TO {}", database, ident(&login)));
        }
        all.push(sql!("REVOKE ALL ON DATABASE {} FROM {}", database, name));
    }
    Ok(all)
}

/// The procedure and what else has its name.
fn drop_procedures(spec: &Spec, inside: &Inside) -> Vec<Sql> {
    let all = inside.procedure(spec).into_iter().chain(inside.overloads(spec));
    all.filter_map(|routine| {
        let name = sql!("{}.impersonate_user({})", bare(&spec.procedures()), routine.argument_types()?);
        Some(if routine.is_procedure { sql!("DROP PROCEDURE {}", name) } else { sql!("DROP FUNCTION {}", name) })
    })
    .collect()
}

/// Drops the managed database, once nobody is in it any more. Who looks into every database waits meanwhile.
async fn drop_database(warehouse: &Warehouse, spec: &Spec, cancel: &CancellationToken) -> Result<(), Error> {
    let home = super::home(warehouse, spec, cancel).await?.1;
    let superuser = warehouse.facts(cancel).await?.superuser;
    let name = bare(&spec.database);
    // AWS, DROP DATABASE: FORCE ends the sessions itself. Older releases do not know the word, and whether somebody else
    // than a superuser may use it is nowhere said.
    let (plain, forced) = (sql!("DROP DATABASE {}", name), sql!("DROP DATABASE {} FORCE", name));
    let mut may_force = true;
    let _turn = warehouse.dropping_turn(cancel).await?;
    for attempt in 1.. {
        warehouse.close_idle(&spec.database);
        if superuser {
            end_sessions(warehouse, &home, &spec.database, cancel).await?;
        }
        let forces = may_force && attempt > 1;
        match alone(warehouse, &home, if forces { &forced } else { &plain }, cancel).await {
            // It was dropped, and the answer was lost.
            Err(error) if error.sqlstate() == Some("3D000") => return Ok(()),
            Err(error) if forces && matches!(error.sqlstate(), Some("42601" | "0A000" | "42501")) => may_force = false,
            // Sessions take a moment to end.
            Err(error) if error.sqlstate() == Some("55006") && attempt < DROPS => {
                tracing::debug!(attempt, %error, "somebody is still in the database");
                tokio::select! {
                    () = tokio::time::sleep(std::time::Duration::from_millis(200) * attempt) => {}
                    () = cancel.cancelled() => return Err(Error::Cancelled),
                }
            }
            other => return other,
        }
    }
    Ok(())
}

/// Ends the sessions of others. Leader functions and STV tables do not mix, so their processes are read first; a serverless
/// workgroup shows none (AWS: STV_SESSIONS is not in its list).
async fn end_sessions(
    warehouse: &Warehouse,
    home: &str,
    database: &str,
    cancel: &CancellationToken,
) -> Result<(), Error> {
    // db_name is char(50) (AWS: STV_SESSIONS): where a longer name is cut, it could be another database's.
    if database.len() >= 50 {
        return Ok(());
    }
    let mut session = warehouse.session(home, cancel).await?;
    let query = sql!("SELECT process FROM stv_sessions WHERE db_name = {} AND user_name <> 'rdsdb'", literal(database));
    let rows = match session.query(&query).await {
        Err(error @ Error::Server(_)) => {
            tracing::debug!(%error, "the sessions are not shown");
            return Ok(());
        }
        rows => rows?,
    };
    for row in rows {
        let process: i64 = row.parse(0)?;
        let ended = session.query(&sql!("SELECT pg_terminate_backend({})", process)).await;
        // DROP DATABASE says it, if it matters.
        match ended {
            Err(error @ Error::Server(_)) => tracing::debug!(process, %error, "a session could not be ended"),
            other => drop(other?),
        }
    }
    Ok(())
}

/// What is still there of an integration that a person was to remove by script.
pub fn gone(found: &Found, spec: &Spec) -> Vec<String> {
    let mut left = Vec::new();
    if let Some(inside) = &found.inside {
        if spec.create_database {
            left.push(database_in_words(&spec.database));
        }
        let external = spec.external_schemas.keys().filter(|name| inside.has_external(name));
        left.extend(external.map(|name| format!("external schema {name}")));
        left.extend(
            spec.all_schemas()
                .into_iter()
                .filter(|name| inside.schema(name).is_some())
                .map(|name| format!("schema {name}")),
        );
    }
    let world = &found.world;
    if world.principals.user(&spec.system_user).is_some() {
        left.push(user_in_words(&spec.system_user));
    }
    let actors = spec.impersonation.iter().filter(|actors| world.has_actors(actors));
    left.extend(actors.map(ToString::to_string));
    left
}
