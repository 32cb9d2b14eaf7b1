//! Removing an integration: only what it made, after a look at what others put there, and the marker last.

use tokio_util::sync::CancellationToken;

use super::conflict::{busy, needs_privileges};
use super::few;
use super::found::{Found, Inside};
use super::life::system_rights;
use super::look;
use super::made::{Made, Owners};
use super::marker::{self, Marker, Seen, Status};
use super::parts::{database_in_words, user_in_words};
use super::spec::Spec;
use super::work::{Act, Lock, Turn, alone, claim_lost, transaction};
use crate::engine::catalog::snapshot::Login;
use crate::engine::datastore::owners::Warning;
use crate::engine::error::Error;
use crate::engine::run::Retry;
use crate::engine::session::warehouse::Warehouse;
use crate::engine::sql::{Sql, bare, ident, literal, sql};
use crate::engine::user::dropping::{self, Dropping};
use crate::engine::user::inventory::Inventory;

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
    /// Drop what others put there, and hand over what the system user owns elsewhere.
    pub force: bool,
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
    let mut found = look(warehouse, spec, cancel).await?;
    let (mut made, mut marker) = ours(&found, removal, remover)?;
    look_before(warehouse, removal, &made, &found, cancel).await?;
    let (run, lock) = match remover {
        Remover::Run(run, lock) => ((*run).to_owned(), lock.take()),
        Remover::Destroy => {
            let lock = match &marker {
                Some(marker) => match Lock::take(warehouse, spec, cancel).await? {
                    None => return Err(busy(warehouse, spec, marker, cancel).await),
                    // Whoever had it may have changed everything.
                    lock => {
                        found = look(warehouse, spec, cancel).await?;
                        lock
                    }
                },
                None => None,
            };
            if lock.is_some() {
                (made, marker) = ours(&found, removal, remover)?;
                look_before(warehouse, removal, &made, &found, cancel).await?;
            }
            (super::life::random(), lock)
        }
    };
    let Some(marker) = marker else { return take_apart(warehouse, removal, &made, &found, None, cancel).await };
    let claim = marker::claim(&spec.system(), Status::Deleting, &run, marker.generation);
    let acts = [Act::Claim(Sql::from(claim))];
    transaction(warehouse, spec, &spec.database, &acts, cancel).await.map_err(|broken| broken.error)?;
    let ended = take_apart(warehouse, removal, &made, &found, lock, cancel).await;
    if let Err(error) = &ended {
        let note = marker::failed(&spec.system(), Status::DeleteError, &run, &error.to_string());
        let noted = alone(warehouse, &spec.database, &Sql::from(note), &CancellationToken::new()).await;
        tracing::debug!(noted = noted.is_ok(), "the marker says that the removal failed");
    }
    ended
}

/// What of it is ours, and the marker that says so.
fn ours(found: &Found, removal: &Removal, remover: &Remover<'_>) -> Result<(Made, Option<Marker>), Error> {
    let spec = &removal.spec;
    let kept = removal.made.clone();
    let Some(inside) = &found.inside else { return Ok((kept.unwrap_or_default(), None)) };
    match &inside.marker {
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
            let database = marker.made.database && kept.is_none_or(|kept| kept.database);
            let user = marker.made.user && marker.made.system_user == spec.system_user;
            Ok((Made { database, user, ..marker.made.clone() }, Some((**marker).clone())))
        }
        Seen::Unseen => Err(needs_privileges(spec)),
        Seen::Foreign if !removal.force => Err(Error::refused(
            "The marker of the integration is gone",
            format!(
                "{}.integration in database {} is not there or empty, so it is not known any more what is whose. With force_destroy = true the managed schemas, the system user and the group or role are dropped, and the database if nothing else is in it.",
                spec.system(),
                spec.database
            ),
        )),
        Seen::Foreign | Seen::Absent => {
            let mut made = kept.unwrap_or_default();
            // Without the marker, it may be another database of the same name.
            made.database = made.database && inside.others(spec).is_empty();
            Ok((made, None))
        }
    }
}

/// Everything that could refuse is asked before anything is changed anywhere.
async fn look_before(
    warehouse: &Warehouse,
    removal: &Removal,
    made: &Made,
    found: &Found,
    cancel: &CancellationToken,
) -> Result<(), Error> {
    let spec = &removal.spec;
    if let Some(inside) = &found.inside {
        refuse_others(inside, spec, made, removal.force)?;
    }
    let user = found.world.principals.user(&spec.system_user).filter(|_| made.user);
    let Some(id) = user.map(|user| user.id) else { return Ok(()) };
    may_drop_users(warehouse, found, cancel).await?;
    let skipped = skipped(spec, made);
    let dropping = dropping(removal, &skipped);
    dropping::may_drop(warehouse, dropping, id, |inventory| spare(inventory, spec, made), cancel).await
}

/// What is in a database that is dropped goes with it.
fn skipped(spec: &Spec, made: &Made) -> Vec<String> {
    if made.database { vec![spec.database.clone()] } else { Vec::new() }
}

fn dropping<'a>(removal: &'a Removal, skip_databases: &'a [String]) -> Dropping<'a> {
    Dropping {
        name: &removal.spec.system_user,
        force: removal.force,
        skip_databases,
        held: Some(&removal.spec.database),
    }
}

/// Takes out of what the system user has what is taken away before he is dropped.
fn spare(inventory: &mut Inventory, spec: &Spec, made: &Made) {
    // Databases are listed in all of them.
    inventory.owns.retain(|owned| owned.kind != "database" || owned.name != spec.database);
    inventory.holds.retain(|hold| hold.kind != "database" || hold.name != spec.database);
    if inventory.database != spec.database {
        return;
    }
    let schemas = spec.schemas();
    let managed = |schema: &String| schemas.contains(schema);
    let gone = |name: &String| managed(name) || made.external_schemas.contains_key(name);
    inventory.owns.retain(|owned| !(managed(&owned.schema) || owned.kind == "schema" && managed(&owned.name)));
    inventory.holds.retain(|hold| !(managed(&hold.schema) || hold.kind == "schema" && gone(&hold.name)));
    inventory.defaults_by.retain(|row| !managed(&row.schema));
    inventory.defaults_to.retain(|row| !managed(&row.schema));
    inventory.columns.retain(|(schema, ..)| !managed(schema));
    inventory.scoped.retain(|(schema, _)| !managed(schema));
}

/// A login that could not drop the system user in the end must not begin.
async fn may_drop_users(warehouse: &Warehouse, found: &Found, cancel: &CancellationToken) -> Result<(), Error> {
    let facts = warehouse.facts(cancel).await?;
    if facts.superuser {
        return Ok(());
    }
    let login = Login { name: facts.user.clone(), superuser: facts.superuser, case_sensitive: facts.case_sensitive };
    let rights = system_rights(warehouse, cancel).await?;
    if found.world.roles.may(&login, &rights, "DROP USER") {
        return Ok(());
    }
    let user = ident(&facts.user);
    Err(Error::refused(
        "The login may not drop users",
        format!(
            "User {user} lacks the system permission DROP USER. Nothing was changed. A superuser must run: CREATE ROLE installers; GRANT DROP USER TO ROLE installers; GRANT ROLE installers TO {user};"
        ),
    ))
}

/// Refuses to drop what others put there.
fn refuse_others(inside: &Inside, spec: &Spec, made: &Made, force: bool) -> Result<(), Error> {
    let mut others = inside.others(spec);
    if !made.database {
        // Only the managed schemas are dropped.
        let ours: Vec<String> = spec.schemas().iter().map(|schema| format!(" {schema}.")).collect();
        others.retain(|what| ours.iter().any(|schema| what.contains(schema.as_str())));
    }
    if others.is_empty() || force {
        return Ok(());
    }
    let place = if made.database { format!("Database {}", spec.database) } else { "A managed schema".to_owned() };
    Err(Error::refused(
        "Others put something there",
        format!(
            "{place} holds what this integration did not make: {}. Nothing was dropped. Move it elsewhere, or set force_destroy = true to drop it too: apply that first, without any change that replaces the integration.",
            few(&others)
        ),
    ))
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
    let mut warnings = Vec::new();
    // The marker goes last: without it, what has the names of managed objects is somebody else's.
    let managed = |inside: &&Inside| removal.force || inside.marker.here().is_some();
    if let Some(inside) = found.inside.as_ref().filter(managed) {
        let statements = statements(spec, made, found, inside, removal.force, warehouse, cancel).await?;
        let acts: Vec<Act> = statements.into_iter().map(|sql| Act::Run(Sql::from(sql))).collect();
        if !acts.is_empty() {
            transaction(warehouse, spec, &spec.database, &acts, cancel).await.map_err(|broken| broken.error)?;
        }
        // They cannot be dropped in a transaction, so they come after what may still be refused.
        for (name, _) in made.external_schemas.iter().filter(|(name, _)| inside.has_external(name)) {
            let drop = Sql::from(format!("DROP SCHEMA {}", ident(name)));
            alone(warehouse, &spec.database, &drop, cancel).await?;
        }
    }
    warehouse.catalog().forget(&spec.database);
    if made.user {
        let skipped = skipped(spec, made);
        let dropped = dropping::drop_held(warehouse, dropping(removal, &skipped), cancel).await?;
        // What is not looked into there is dropped.
        warnings.extend(dropped.warnings.into_iter().filter(|_| !made.database));
    }
    if let Some(actors) = made.actors.as_ref().filter(|actors| found.world.has_actors(actors)) {
        let home = warehouse.access().database.clone();
        let dropped = alone(warehouse, &home, &Sql::from(actors.drop_sql()), cancel).await;
        // Gone meanwhile, or by an attempt whose answer was lost.
        dropped.or_else(|error| if error.sqlstate() == Some("42704") { Ok(()) } else { Err(error) })?;
    }
    // The lock's own session is in the database, and holds a table of the schema.
    drop(lock);
    match &found.inside {
        Some(_) if made.database => drop_database(warehouse, spec, cancel).await?,
        Some(inside) if inside.schema(&spec.system()).is_some() => {
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
    let system = spec.system();
    let cascade = if force { " CASCADE" } else { "" };
    let tables =
        ["integration_lock", "integration"].into_iter().filter(|name| inside.relation(&system, name).is_some());
    let mut statements: Vec<String> = tables.map(|name| format!("DROP TABLE {system}.{name}{cascade}")).collect();
    statements.push(format!("DROP SCHEMA {system}{cascade}"));
    let acts: Vec<Act> = statements.into_iter().map(|sql| Act::Run(Sql::from(sql))).collect();
    transaction(warehouse, spec, &spec.database, &acts, cancel).await.map_err(|broken| broken.error)
}

/// What is dropped and revoked in the managed database, but for the marker.
async fn statements(
    spec: &Spec,
    made: &Made,
    found: &Found,
    inside: &Inside,
    force: bool,
    warehouse: &Warehouse,
    cancel: &CancellationToken,
) -> Result<Vec<String>, Error> {
    let [system, functions, procedures] = spec.schemas();
    let mut all = Vec::new();
    let cascade = if force { " CASCADE" } else { "" };
    if inside.relation(&system, "user_profile").is_some() {
        all.push(format!("DROP VIEW {system}.user_profile{cascade}"));
    }
    if inside.procedure(spec).is_some() {
        all.push(format!("DROP PROCEDURE {}", spec.procedure()));
    }
    for table in ["impersonation", "profile"] {
        if inside.relation(&system, table).is_some() {
            all.push(format!("DROP TABLE {system}.{table}{cascade}"));
        }
    }
    for schema in [&functions, &procedures] {
        if inside.schema(schema).is_some() {
            all.push(format!("DROP SCHEMA {schema}{cascade}"));
        }
    }
    if made.temp_to_public && !made.database {
        all.push(format!("REVOKE TEMP ON DATABASE {} FROM PUBLIC", spec.database));
    }
    let user = found.world.principals.user(&spec.system_user);
    if user.is_some() && made.user {
        if inside.schema(&system).is_some() {
            all.push(format!("REVOKE ALL ON SCHEMA {system} FROM {}", spec.system_user));
        }
        let owned = found.database.as_ref().is_some_and(|database| user.is_some_and(|user| user.id == database.owner));
        if owned && made.owners == Owners::System {
            let login = warehouse.facts(cancel).await?.user.clone();
            all.push(format!("ALTER DATABASE {} OWNER TO {}", spec.database, ident(&login)));
        }
        all.push(format!("REVOKE ALL ON DATABASE {} FROM {}", spec.database, spec.system_user));
    }
    Ok(all)
}

/// Drops the managed database, once nobody is in it any more. Who looks into every database waits meanwhile.
async fn drop_database(warehouse: &Warehouse, spec: &Spec, cancel: &CancellationToken) -> Result<(), Error> {
    let home = super::home(warehouse, spec, cancel).await?.1;
    let superuser = warehouse.facts(cancel).await?.superuser;
    let name = bare(&spec.database);
    // AWS, DROP DATABASE: FORCE ends the sessions itself. Older releases do not know the word.
    let (plain, forced) = (sql!("DROP DATABASE {}", name), sql!("DROP DATABASE {} FORCE", name));
    let mut may_force = superuser;
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
            Err(error) if forces && matches!(error.sqlstate(), Some("42601" | "0A000")) => may_force = false,
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
            spec.schemas()
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
    left.extend(actors.map(|actors| actors.sql().to_lowercase()));
    left
}
