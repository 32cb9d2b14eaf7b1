//! Removing an integration: only what it made, after a look at what others put there, and the marker last.

use tokio_util::sync::CancellationToken;

use super::conflict::{busy, needs_privileges};
use super::few;
use super::found::{Found, Inside};
use super::look;
use super::made::{Made, Owners};
use super::marker::{self, Seen, Status};
use super::spec::{ActorKind, Spec};
use super::work::{Act, Lock, Turn, alone, transaction};
use crate::engine::error::Error;
use crate::engine::run::Retry;
use crate::engine::session::warehouse::Warehouse;
use crate::engine::sql::{Sql, ident, literal};
use crate::engine::user::dropping;

/// What is to be removed.
#[derive(Clone, Debug)]
pub struct Removal {
    pub spec: Spec,
    /// What was made, as far as was kept; the marker may narrow it. None: nothing was kept, and the marker says it.
    /// (Of a tainted resource, Terraform hands no private state to the delete of a replacement.)
    pub made: Option<Made>,
    /// The integration's id; none: whatever has the name.
    pub id: Option<String>,
    /// Drop what others put there, and hand over what the system user owns elsewhere.
    pub force: bool,
    /// The run that has claimed it already, when a failed create is undone.
    pub run: Option<String>,
}

/// How often DROP DATABASE is tried while somebody is still in it.
const DROPS: u32 = 5;

/// Removes the integration. What is gone already is fine.
pub async fn remove(warehouse: &Warehouse, removal: &Removal, cancel: &CancellationToken) -> Result<(), Error> {
    let _turn = Turn::take(warehouse, &removal.spec, cancel).await?;
    remove_locked(warehouse, removal, cancel).await
}

/// The same for whoever has the turn in the database.
pub(super) async fn remove_locked(
    warehouse: &Warehouse,
    removal: &Removal,
    cancel: &CancellationToken,
) -> Result<(), Error> {
    let spec = &removal.spec;
    let mut retry = Retry::default();
    loop {
        let ran = once(warehouse, removal, cancel).await;
        warehouse.catalog().forget_principals();
        match ran {
            Ok(()) => return Ok(()),
            Err(error) => {
                tracing::debug!(database = spec.database, %error, "the integration was not removed");
                retry.after(error, cancel).await?;
            }
        }
    }
}

async fn once(warehouse: &Warehouse, removal: &Removal, cancel: &CancellationToken) -> Result<(), Error> {
    let spec = &removal.spec;
    let found = look(warehouse, spec, cancel).await?;
    let mut made = removal.made.clone().unwrap_or_default();
    let mut claimed = None;
    if let Some(inside) = &found.inside {
        match &inside.marker {
            Seen::Here(marker) if removal.id.as_ref().is_some_and(|id| *id != marker.id) => {
                return Err(Error::refused(
                    "Another integration is in its place",
                    format!(
                        "Database {} holds integration {}, and {} is to be removed. Nothing was changed.",
                        spec.database,
                        marker.id,
                        removal.id.clone().unwrap_or_default()
                    ),
                ));
            }
            Seen::Here(marker) => {
                // While a failed create is undone, the marker does not say all yet.
                made = match &removal.made {
                    Some(kept) if removal.run.is_some() => kept.clone(),
                    Some(kept) => kept.narrowed_by(&marker.made),
                    None => marker.made.clone(),
                };
                claimed = Some(marker.clone());
            }
            Seen::Unseen => return Err(needs_privileges(spec)),
            Seen::Foreign if !removal.force => {
                return Err(Error::refused(
                    "The marker of the integration is gone",
                    format!(
                        "{}.integration in database {} is not there or empty, so it is not known any more what is whose. With force_destroy = true everything of these names is dropped.",
                        spec.system(),
                        spec.database
                    ),
                ));
            }
            Seen::Foreign | Seen::Absent => {}
        }
        refuse_others(inside, spec, &made, removal.force)?;
    }
    // Everywhere is looked before anything is changed anywhere.
    let user = found.world.principals.user(&spec.system_user).map(|user| user.id).filter(|_| made.user);
    if let Some(id) = user {
        dropping::may_drop(warehouse, &spec.system_user, id, removal.force, &spec.database, cancel).await?;
    }
    if let (Some(marker), Some(_)) = (&claimed, &found.inside) {
        let lock = match &removal.run {
            Some(_) => None,
            None => Some(Lock::take(warehouse, spec, cancel).await?),
        };
        if matches!(lock, Some(None)) {
            return Err(busy(warehouse, spec, marker, cancel).await);
        }
        let run = removal.run.clone().unwrap_or_else(super::life::random);
        let claim = marker::claim(&spec.system(), Status::Deleting, &run, marker.generation);
        let acts = [Act::Claim(Sql::from(claim))];
        transaction(warehouse, spec, &spec.database, &acts, cancel).await.map_err(|broken| broken.error)?;
        let ended = take_apart(warehouse, removal, &made, &found, lock.flatten(), cancel).await;
        if let Err(error) = ended {
            let note = marker::failed(&spec.system(), Status::DeleteError, &run, &error.to_string());
            let _ = alone(warehouse, &spec.database, &Sql::from(note), &CancellationToken::new()).await;
            return Err(error);
        }
        return Ok(());
    }
    take_apart(warehouse, removal, &made, &found, None, cancel).await
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
            "{place} holds what this integration did not make: {}. Nothing was dropped. Move it elsewhere, or set force_destroy = true and apply, to drop it too.",
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
) -> Result<(), Error> {
    let spec = &removal.spec;
    if let Some(inside) = &found.inside {
        for (name, _) in made.external_schemas.iter().filter(|(name, _)| inside.has_external(name)) {
            let drop = Sql::from(format!("DROP SCHEMA {}", ident(name)));
            alone(warehouse, &spec.database, &drop, cancel).await?;
        }
        let statements = statements(spec, made, found, inside, removal.force, warehouse, cancel).await?;
        let acts: Vec<Act> = statements.into_iter().map(|sql| Act::Run(Sql::from(sql))).collect();
        if !acts.is_empty() {
            transaction(warehouse, spec, &spec.database, &acts, cancel).await.map_err(|broken| broken.error)?;
        }
    }
    if made.user {
        let skipped = Vec::new();
        dropping::drop_user(warehouse, &spec.system_user, removal.force, &skipped, cancel).await?;
    }
    if let Some(actors) = &made.actors {
        let world = &found.world;
        let (there, drop) = match actors.kind {
            ActorKind::Group => {
                (world.principals.group(&actors.name, world.case_sensitive).is_some(), format!("DROP {}", actors.sql()))
            }
            ActorKind::Role => {
                (world.roles.has(&actors.name, world.case_sensitive), format!("DROP {} FORCE", actors.sql()))
            }
        };
        if there {
            let home = warehouse.access().database.clone();
            let dropped = alone(warehouse, &home, &Sql::from(drop), cancel).await;
            // Gone meanwhile, or by an attempt whose answer was lost.
            dropped.or_else(|error| if error.sqlstate() == Some("42704") { Ok(()) } else { Err(error) })?;
        }
    }
    // The lock's own session is in the database, and holds a table of the schema.
    drop(lock);
    match &found.inside {
        Some(_) if made.database => drop_database(warehouse, spec, cancel).await,
        Some(inside) if inside.schema(&spec.system()).is_some() => {
            let drop = Sql::from(format!("DROP SCHEMA {} CASCADE", spec.system()));
            alone(warehouse, &spec.database, &drop, cancel).await
        }
        _ => Ok(()),
    }
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
    let user = found.world.principals.user(&spec.system_user);
    if user.is_some() && made.user {
        if inside.schema(&system).is_some() {
            all.push(format!("REVOKE ALL ON SCHEMA {system} FROM {}", spec.system_user));
        }
        if made.temp_to_public {
            all.push(format!("REVOKE TEMP ON DATABASE {} FROM PUBLIC", spec.database));
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

/// Drops the managed database, once nobody is in it any more.
async fn drop_database(warehouse: &Warehouse, spec: &Spec, cancel: &CancellationToken) -> Result<(), Error> {
    let home = spec.initial_database.clone().unwrap_or_else(|| warehouse.access().database.clone());
    let superuser = warehouse.facts(cancel).await?.superuser;
    let drop = Sql::from(format!("DROP DATABASE {}", spec.database));
    for attempt in 1.. {
        warehouse.close_idle(&spec.database);
        if superuser {
            end_sessions(warehouse, &home, &spec.database, cancel).await?;
        }
        match alone(warehouse, &home, &drop, cancel).await {
            // It was dropped, and the answer was lost.
            Err(error) if error.sqlstate() == Some("3D000") => return Ok(()),
            // Sessions take a moment to end.
            Err(error) if error.sqlstate() == Some("55006") && attempt < DROPS => {
                tracing::debug!(attempt, "somebody is still in the database");
                tokio::time::sleep(std::time::Duration::from_millis(200) * attempt).await;
            }
            other => return other,
        }
    }
    Ok(())
}

/// Ends the sessions of others. Leader functions and STV tables do not mix, so their processes are read first.
async fn end_sessions(
    warehouse: &Warehouse,
    home: &str,
    database: &str,
    cancel: &CancellationToken,
) -> Result<(), Error> {
    let mut session = warehouse.session(home, cancel).await?;
    let query = format!("SELECT process FROM stv_sessions WHERE db_name = {}", literal(database));
    let rows = session.query(&Sql::from(query)).await?;
    for row in rows {
        let process: i64 = row.parse(0)?;
        session.query(&Sql::from(format!("SELECT pg_terminate_backend({process})"))).await?;
    }
    Ok(())
}

/// What is still there of an integration that a person was to remove by script.
pub fn gone(found: &Found, spec: &Spec) -> Vec<String> {
    let mut left = Vec::new();
    if let Some(inside) = &found.inside {
        if spec.create_database {
            left.push(format!("database {}", spec.database));
        }
        left.extend(
            spec.schemas()
                .into_iter()
                .filter(|name| inside.schema(name).is_some())
                .map(|name| format!("schema {name}")),
        );
    }
    let world = &found.world;
    if world.principals.user(&spec.system_user).is_some() {
        left.push(format!("user {}", spec.system_user));
    }
    if let Some(actors) = &spec.impersonation {
        let there = match actors.kind {
            ActorKind::Group => world.principals.group(&actors.name, world.case_sensitive).is_some(),
            ActorKind::Role => world.roles.has(&actors.name, world.case_sensitive),
        };
        left.extend(there.then(|| actors.sql().to_lowercase()));
    }
    left
}
