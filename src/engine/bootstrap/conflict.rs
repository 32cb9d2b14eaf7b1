//! Who else is there: another integration in this warehouse, or another run at this one.

use tokio_util::sync::CancellationToken;

use super::found::{self, Found, Inside, World};
use super::life::Known;
use super::marker::{Marker, Seen, Status};
use super::spec::{Kind, Spec};
use super::text::{self, of_lock, of_system};
use super::trust::Whose;
use super::work::table;
use crate::engine::catalog::principals::is_true;
use crate::engine::error::Error;
use crate::engine::session::warehouse::Warehouse;
use crate::engine::sql::{literal, sql};

const CONFLICT: &str = "409 Conflict";

/// One managed database or schema set of a warehouse.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listed {
    pub database: String,
    pub prefix: String,
    /// None where the login may not read the marker.
    pub marker: Option<Marker>,
}

pub(super) fn exists(warehouse: &Warehouse, id: &str) -> Error {
    Error::refused(
        CONFLICT,
        format!(
            "Redshift integration already exists on host {} (id = {id}). To manage it here, import it by that id. If this apply is to replace it, it cannot be made before the old one is destroyed: leave create_before_destroy out.",
            warehouse.access().endpoint.host
        ),
    )
    .about("database")
}

/// Somebody made the database since it was looked for.
pub(super) fn just_made(warehouse: &Warehouse, spec: &Spec) -> Error {
    Error::refused(
        CONFLICT,
        format!(
            "Redshift integration already exists on host {}, or is being made there: database {} has come to be since this apply looked. Apply again when the other run has ended.",
            warehouse.access().endpoint.host, spec.database
        ),
    )
    .about("database")
}

pub(super) fn exists_in(warehouse: &Warehouse, other: &Listed) -> Error {
    let id = other.marker.as_ref().map_or("unknown", |marker| &marker.id);
    Error::refused(
        CONFLICT,
        format!(
            "Redshift integration already exists on host {} (id = {id}). It is in database {}; there can be one for each prefix, and both have prefix {}.",
            warehouse.access().endpoint.host, other.database, other.prefix
        ),
    )
    .about("prefix")
}

pub(super) fn busy_now(id: &str, status: Status) -> Error {
    Error::refused(
        CONFLICT,
        format!(
            "Unable to edit integration with ID {id} in current state {}. Another run is at it: apply again when it has ended.",
            status.name()
        ),
    )
}

/// The same, with who it is where the warehouse tells: whoever holds the lock of the table is at it, and whoever holds
/// something less only stands in front of it.
pub(super) async fn busy(
    warehouse: &Warehouse,
    spec: &Spec,
    found: &Found,
    status: Option<(&str, Status)>,
    cancel: &CancellationToken,
) -> Error {
    let holders = holders(warehouse, spec, found, cancel).await.unwrap_or_default();
    let unable = match status {
        Some((id, status)) => {
            format!("Unable to edit integration with ID {id} in current state {}. ", status.name())
        }
        None => String::new(),
    };
    let who = |holder: &Holder| format!("user {}, process {}, since {}", holder.user, holder.process, holder.since);
    let told = match (holders.iter().find(|it| it.is_a_run), holders.first()) {
        (Some(run), _) => format!("Another run is at it: {}; apply again when it has ended.", who(run)),
        (None, Some(other)) => format!(
            "No run is at it, but somebody keeps {} from being locked: {}. Apply again when that session has ended its transaction; a superuser can end it with SELECT pg_terminate_backend({}).",
            of_lock(spec, text::LOCK),
            who(other),
            other.process
        ),
        (None, None) => "Another run is at it: apply again when it has ended.".to_owned(),
    };
    Error::refused(CONFLICT, format!("{unable}{told}"))
}

/// Who holds a lock on what is to be locked.
struct Holder {
    user: String,
    process: String,
    since: String,
    is_a_run: bool,
}

async fn holders(
    warehouse: &Warehouse,
    spec: &Spec,
    found: &Found,
    cancel: &CancellationToken,
) -> Result<Vec<Holder>, Error> {
    let schema = match table(spec, found) {
        Some(table) if table == of_system(spec, text::LOCK) => spec.system(),
        _ => spec.lock(),
    };
    let mut session = warehouse.session(&spec.database, cancel).await?;
    let query = sql!(
        "SELECT c.oid FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname = {} AND c.relname = {}",
        literal(&schema),
        literal(text::LOCK)
    );
    let rows = session.query(&query).await?;
    let Some(oid) = rows.first().map(|row| row.parse::<u64>(0)).transpose()? else { return Ok(Vec::new()) };
    let query = sql!(
        "SELECT txn_owner, pid, txn_start, granted, lock_mode FROM svv_transactions WHERE relation = {} AND txn_db = {}",
        oid,
        literal(&spec.database)
    );
    let rows = session.query(&query).await?;
    // AWS's pages show `t` and `true`, and the ids of tables repeat between databases.
    let held = rows.iter().filter(|row| is_true(row.get(3)));
    let text = |row: &crate::engine::session::Row, column| row.get(column).unwrap_or_default().trim().to_owned();
    let holder = |row| Holder {
        user: text(row, 0),
        process: text(row, 1),
        since: text(row, 2),
        is_a_run: text(row, 4) == "AccessExclusiveLock",
    };
    Ok(held.map(holder).collect())
}

/// Another integration of the same prefix, in another database of the warehouse.
pub(super) async fn elsewhere(
    warehouse: &Warehouse,
    spec: &Spec,
    cancel: &CancellationToken,
) -> Result<Option<Listed>, Error> {
    let found = candidates(warehouse, Some(&spec.system()), cancel).await?;
    for (database, _) in found.into_iter().filter(|(database, _)| *database != spec.database) {
        // One that is nobody's who is believed says nothing, else whoever may create a schema somewhere could bar this one.
        let whose = Whose::of(spec, None);
        if let Some(listed) = listed(warehouse, database, &spec.prefix, Some(&whose), cancel).await?
            && listed.marker.is_some()
        {
            return Ok(Some(listed));
        }
    }
    Ok(None)
}

/// All managed databases and schema sets of the warehouse, in the order of database and prefix, whoever owns them: whoever
/// imports one of them sees in the next plan who that is.
pub async fn list(warehouse: &Warehouse, cancel: &CancellationToken) -> Result<Vec<Listed>, Error> {
    let mut all = Vec::new();
    for (database, schema) in candidates(warehouse, None, cancel).await? {
        if let Some(prefix) = schema.strip_suffix("_system")
            && super::spec::check_prefix(prefix).is_ok()
            && let Some(found) = listed(warehouse, database, prefix, None, cancel).await?
        {
            all.push(found);
        }
    }
    Ok(all)
}

/// Settings that no list of what was made tells: whether the database was to be made (an empty one may have been there),
/// and who was to get the marker. The marker's digest is of all settings, so those are right that lead to it.
pub async fn settings(
    warehouse: &Warehouse,
    database: &str,
    prefix: &str,
    marker: &Marker,
    cancel: &CancellationToken,
) -> Result<Option<(bool, Option<String>)>, Error> {
    let Some(kind) = [Kind::Redshift, Kind::RedshiftSpectrum].into_iter().find(|kind| marker.is_kind(*kind)) else {
        return Ok(None);
    };
    let mut spec = Spec {
        kind,
        database: database.to_owned(),
        initial_database: None,
        create_database: true,
        prefix: prefix.to_owned(),
        system_user: marker.made.system_user.clone(),
        impersonation: marker.made.actors.clone(),
        marker_owner: None,
        external_schemas: marker.made.external_schemas.clone(),
        members: None,
        key_version: None,
        allowed_readers: Default::default(),
    };
    let mut session = warehouse.session(database, cancel).await?;
    let world = World::read(&mut session).await?;
    let inside = Inside::read(&mut session, (database, prefix), &world, &Whose::default()).await?;
    let owner = inside.schema(&spec.system()).map(|schema| world.principals.name_of(schema.owner));
    for marker_owner in [None, owner] {
        for create_database in [true, false] {
            spec = Spec { create_database, marker_owner: marker_owner.clone(), ..spec };
            if spec.digest() == marker.digest {
                return Ok(Some((create_database, marker_owner)));
            }
        }
    }
    Ok(None)
}

/// Databases and schemas whose name ends like that of a managed one; only those are opened.
async fn candidates(
    warehouse: &Warehouse,
    schema: Option<&str>,
    cancel: &CancellationToken,
) -> Result<Vec<(String, String)>, Error> {
    let condition = match schema {
        Some(schema) => sql!("schema_name = {}", literal(schema)),
        None => sql!("schema_name LIKE '%\\\\_system'"),
    };
    let query = sql!("SELECT database_name, schema_name FROM svv_redshift_schemas WHERE {}", condition);
    let mut session = warehouse.session(&warehouse.access().database, cancel).await?;
    let rows = session.query(&query).await?;
    let pair = |row: &crate::engine::session::Row| Ok((row.text(0)?.to_owned(), row.text(1)?.to_owned()));
    let mut found = rows.iter().map(pair).collect::<Result<Vec<_>, Error>>()?;
    found.sort();
    found.dedup();
    Ok(found)
}

/// None: it is not this provider's, or the database cannot be entered.
async fn listed(
    warehouse: &Warehouse,
    database: String,
    prefix: &str,
    whose: Option<&Whose>,
    cancel: &CancellationToken,
) -> Result<Option<Listed>, Error> {
    let mut session = match warehouse.session(&database, cancel).await {
        Ok(session) => session,
        Err(error @ (Error::Cancelled | Error::Lost { .. })) => return Err(error),
        // Shared databases are listed too, and cannot be connected to.
        Err(error) => {
            tracing::debug!(%database, %error, "not looked into");
            return Ok(None);
        }
    };
    let world = World::read(&mut session).await?;
    let marker = match found::marker(&mut session, prefix, &world, whose).await {
        // Whatever somebody made of that name there, it keeps nobody from seeing the others.
        Err(error @ Error::Server(_)) => {
            tracing::debug!(%database, %error, "its marker cannot be read");
            return Ok(None);
        }
        seen => seen?,
    };
    let marker = match marker {
        Seen::Here(marker) => Some(*marker),
        // It is somebody's, or not as this version knows it.
        Seen::Unseen | Seen::Theirs(_) | Seen::Broken(_) => None,
        Seen::Absent | Seen::Foreign => return Ok(None),
    };
    Ok(Some(Listed { database, prefix: prefix.to_owned(), marker }))
}

/// The id of the integration of a database and prefix, if there is one that can be seen.
pub async fn id_of(
    warehouse: &Warehouse,
    database: &str,
    prefix: &str,
    cancel: &CancellationToken,
) -> Result<Option<String>, Error> {
    let found = listed(warehouse, database.to_owned(), prefix, None, cancel).await?;
    Ok(found.and_then(|found| found.marker).map(|marker| marker.id))
}

/// What is to be changed.
pub(super) enum Own {
    Marked(Box<Marker>),
    /// It is the one that private state knows, and somebody altered its marker: what is wrong with it.
    Altered(String),
}

/// The marker of the integration that is to be changed.
pub(super) fn own_marker(found: &Found, spec: &Spec, known: &Known) -> Result<Own, Error> {
    let id = &known.id;
    let gone = |what: &str| {
        Err(Error::refused(
            "The integration is not there",
            format!(
                "{what} Replace it (`terraform apply -replace=…`), or take it out of state (`terraform state rm`)."
            ),
        ))
    };
    let Some(inside) = &found.inside else { return gone(&format!("Database {} does not exist.", spec.database)) };
    // The schema that the last apply saw: whatever is written in it, it is no other integration's.
    let is_known =
        known.made.is_some() && known.keepsake.schema.is_some() && known.keepsake.schema == inside.system_oid;
    match &inside.marker {
        Seen::Here(marker)
            if is_known && known.made.as_ref().is_some_and(|kept| kept.is_contradicted_by(spec, &marker.made)) =>
        {
            Ok(Own::Altered("it names what neither the configuration nor the last apply knows".into()))
        }
        Seen::Here(marker) if marker.id == *id => Ok(Own::Marked(marker.clone())),
        Seen::Here(marker) if is_known => Ok(Own::Altered(format!("it has id {} instead of {id}", marker.id))),
        Seen::Here(marker) => gone(&format!("In its place is another one, with id {} instead of {id}.", marker.id)),
        Seen::Broken(what) if is_known => Ok(Own::Altered(what.clone())),
        Seen::Foreign if is_known => Ok(Own::Altered("it is not there".into())),
        Seen::Theirs(owner) if is_known => Ok(Own::Altered(format!("its schema belongs to {owner}"))),
        Seen::Theirs(owner) => Err(theirs(spec, owner)),
        Seen::Broken(what) => gone(&format!(
            "Its marker, {}.integration in database {}, is not what this provider writes: {what}. A removal takes force_destroy = true now, which is saved though this apply fails.",
            spec.system(),
            spec.database
        )),
        Seen::Unseen => Err(Error::refused(
            "The login may not change the integration",
            format!(
                "It may not read {}.integration in database {}. Sign in as the user who made the integration, as marker_owner, or as a superuser.",
                spec.system(),
                spec.database
            ),
        )),
        Seen::Absent => gone(&format!(
            "There is no marker in {}.integration of database {}, as the schema is gone. A destroy removes what is left.",
            spec.system(),
            spec.database
        )),
        Seen::Foreign => gone(&format!(
            "There is no marker in {}.integration of database {}, so it is not known any more what is whose. A removal takes force_destroy = true now, which is saved though this apply fails.",
            spec.system(),
            spec.database
        )),
    }
}

/// What bears the name belongs to somebody whose word does not count.
pub(super) fn theirs(spec: &Spec, owner: &str) -> Error {
    Error::refused(
        CONFLICT,
        format!(
            "Schema {} of database {} belongs to user {owner}, so what it holds was not looked at, and nothing was changed. Only if you know that user {owner} made it for you, sign in as that user or name it as marker_owner. Else choose another prefix, or let a superuser drop the schema.",
            spec.system(),
            spec.database
        ),
    )
    .about("prefix")
}

/// The documents' 400: what the set-up did, only a privileged login can change or take back.
pub(super) fn needs_privileges(spec: &Spec) -> Error {
    Error::refused(
        "400 Bad Request",
        format!(
            "Integrations that are automatically configured require privileged credentials to disable. The login may not read {}.integration in database {}: sign in as the user who made the integration, or as a superuser.",
            spec.system(),
            spec.database
        ),
    )
}
