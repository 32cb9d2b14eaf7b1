//! Who else is there: another integration in this warehouse, or another run at this one.

use tokio_util::sync::CancellationToken;

use super::found::{Found, Inside, World};
use super::marker::{self, Marker, Seen, Status};
use super::spec::{Kind, Spec};
use crate::engine::catalog::principals::is_true;
use crate::engine::error::Error;
use crate::engine::session::warehouse::Warehouse;
use crate::engine::sql::{Sql, literal};

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

/// The same, with who it is where the warehouse tells.
pub(super) async fn busy(warehouse: &Warehouse, spec: &Spec, marker: &Marker, cancel: &CancellationToken) -> Error {
    let who = holder(warehouse, spec, cancel).await.unwrap_or(None);
    let who = who.map(|who| format!(" {who}")).unwrap_or_default();
    Error::refused(
        CONFLICT,
        format!(
            "Unable to edit integration with ID {} in current state {}. Another run is at it:{who} apply again when it has ended.",
            marker.id,
            marker.status.name()
        ),
    )
}

async fn holder(warehouse: &Warehouse, spec: &Spec, cancel: &CancellationToken) -> Result<Option<String>, Error> {
    let mut session = warehouse.session(&spec.database, cancel).await?;
    let table = format!(
        "SELECT c.oid FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname = {} AND c.relname = 'integration_lock'",
        literal(&spec.system())
    );
    let rows = session.query(&Sql::from(table)).await?;
    let Some(oid) = rows.first().map(|row| row.parse::<u64>(0)).transpose()? else { return Ok(None) };
    let query = format!(
        "SELECT txn_owner, pid, txn_start, granted FROM svv_transactions WHERE relation = {oid} AND txn_db = {} AND lock_mode = 'AccessExclusiveLock'",
        literal(&spec.database)
    );
    let rows = session.query(&Sql::from(query)).await?;
    // AWS's pages show `t` and `true`, and the ids of tables repeat between databases.
    let Some(row) = rows.iter().find(|row| is_true(row.get(3))) else { return Ok(None) };
    let text = |column| row.get(column).unwrap_or_default().trim().to_owned();
    Ok(Some(format!("user {}, process {}, since {};", text(0), text(1), text(2))))
}

/// Another integration of the same prefix, in another database of the warehouse.
pub(super) async fn elsewhere(
    warehouse: &Warehouse,
    spec: &Spec,
    cancel: &CancellationToken,
) -> Result<Option<Listed>, Error> {
    let found = candidates(warehouse, Some(&spec.system()), cancel).await?;
    for (database, _) in found.into_iter().filter(|(database, _)| *database != spec.database) {
        if let Some(listed) = listed(warehouse, database, &spec.prefix, cancel).await? {
            return Ok(Some(listed));
        }
    }
    Ok(None)
}

/// All managed databases and schema sets of the warehouse, in the order of database and prefix.
pub async fn list(warehouse: &Warehouse, cancel: &CancellationToken) -> Result<Vec<Listed>, Error> {
    let mut all = Vec::new();
    for (database, schema) in candidates(warehouse, None, cancel).await? {
        if let Some(prefix) = schema.strip_suffix("_system")
            && super::spec::check_prefix(prefix).is_ok()
            && let Some(found) = listed(warehouse, database, prefix, cancel).await?
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
    };
    let mut session = warehouse.session(database, cancel).await?;
    let inside = Inside::read(&mut session, prefix).await?;
    let principals = World::read(&mut session).await?.principals;
    let owner = inside.schema(&spec.system()).map(|schema| principals.name_of(schema.owner));
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
        Some(schema) => format!("schema_name = {}", literal(schema)),
        None => "schema_name LIKE '%\\\\_system'".to_owned(),
    };
    let query = format!("SELECT database_name, schema_name FROM svv_redshift_schemas WHERE {condition}");
    let mut session = warehouse.session(&warehouse.access().database, cancel).await?;
    let rows = session.query(&Sql::from(query)).await?;
    let pair = |row: &crate::engine::session::Row| {
        Ok((row.text(0)?.trim_end().to_owned(), row.text(1)?.trim_end().to_owned()))
    };
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
    match marker::read(&mut session, &format!("{prefix}_system")).await {
        Ok(Some(marker)) => Ok(Some(Listed { database, prefix: prefix.to_owned(), marker: Some(marker) })),
        Ok(None) => Ok(None),
        // It is somebody's, or of a form that this version does not know.
        Err(error) if error.sqlstate() == Some("42501") || matches!(error, Error::Refused { .. }) => {
            tracing::debug!(%database, %error, "its marker cannot be read");
            Ok(Some(Listed { database, prefix: prefix.to_owned(), marker: None }))
        }
        Err(error @ Error::Server(_)) => {
            tracing::debug!(%database, %error, "has no marker of ours");
            Ok(None)
        }
        Err(error) => Err(error),
    }
}

/// The id of the integration of a database and prefix, if there is one that can be seen.
pub async fn id_of(
    warehouse: &Warehouse,
    database: &str,
    prefix: &str,
    cancel: &CancellationToken,
) -> Result<Option<String>, Error> {
    let found = listed(warehouse, database.to_owned(), prefix, cancel).await?;
    Ok(found.and_then(|found| found.marker).map(|marker| marker.id))
}

/// The marker of the integration that is to be changed.
pub(super) fn own_marker(found: &Found, spec: &Spec, id: &str) -> Result<Marker, Error> {
    let gone = |what: &str| {
        Err(Error::refused(
            "The integration is not there",
            format!(
                "{what} Replace it (`terraform apply -replace=…`), or take it out of state (`terraform state rm`)."
            ),
        ))
    };
    let Some(inside) = &found.inside else { return gone(&format!("Database {} does not exist.", spec.database)) };
    match &inside.marker {
        Seen::Here(marker) if marker.id == id => Ok((**marker).clone()),
        Seen::Here(marker) => gone(&format!("In its place is another one, with id {} instead of {id}.", marker.id)),
        Seen::Unseen => Err(Error::refused(
            "The login may not change the integration",
            format!(
                "It may not read {}.integration in database {}. Sign in as the user who made the integration, as marker_owner, or as a superuser.",
                spec.system(),
                spec.database
            ),
        )),
        Seen::Absent | Seen::Foreign => gone(&format!(
            "There is no marker in {}.integration of database {}, so it is not known any more what is whose. A removal takes force_destroy = true now, which is saved though this apply fails.",
            spec.system(),
            spec.database
        )),
    }
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
