//! Importing an integration: by its id, or by `host:port/database`.

use super::super::configured::Configured;
use super::super::link::Link;
use super::super::{errors, place};
use super::model::Kept;
use super::{schema, secrets};
use crate::engine::bootstrap::{self, Listed};
use crate::engine::error::Error;
use crate::engine::settings::Settings;
use crate::engine::settings::endpoint::Endpoint;
use crate::engine::settings::id::ConnectionId;
use crate::terraform::{Change, Diagnostic, Diagnostics, Value};

pub(super) async fn import(data: &Configured, id: &str, cx: &mut Change<'_>) -> Result<(), Diagnostics> {
    let hints = data.hints();
    let explain = |error: Error| errors::diagnostic(&error, &hints);
    let (link, connection_id, database) = match id.rsplit_once('/') {
        Some((endpoint, database)) => {
            let endpoint: Endpoint = endpoint.parse().map_err(|_| bad_id(id))?;
            let at = ConnectionId::at(&endpoint);
            let (link, connection_id, _) = place::imported(data, &at, cx.cancelled()).await.map_err(explain)?;
            (link, connection_id, Some(database))
        }
        None if is_id(id) => (Link::own(Settings::default(), true), None, None),
        None => return Err(bad_id(id).into()),
    };
    let warehouse = data.warehouse(&link, cx.cancelled()).await.map_err(explain)?;
    let facts = warehouse.facts(cx.cancelled()).await.map_err(explain)?;
    let all = bootstrap::list(&warehouse, cx.cancelled()).await.map_err(explain)?;
    let is_meant = |listed: &&Listed| match database {
        Some(database) => listed.database == database,
        None => listed.marker.as_ref().is_some_and(|marker| marker.id == id),
    };
    let found: Vec<&Listed> = all.iter().filter(is_meant).collect();
    let [listed] = found.as_slice() else {
        let detail = match found.len() {
            0 => "The warehouse has no integration of that id or database that this login can see. The data source redshift_integrations lists them.".to_owned(),
            _ => format!("Database {} has several, with different prefixes. Import by id.", found[0].database),
        };
        return Err(Diagnostic::error(format!("No integration \"{id}\""), detail).into());
    };
    let Some(marker) = &listed.marker else {
        let detail = format!("The login may not read the marker in database {}.", listed.database);
        return Err(Diagnostic::error("The integration cannot be seen", detail).into());
    };
    let told = bootstrap::settings(&warehouse, &listed.database, &listed.prefix, marker, cx.cancelled());
    let (creates_database, marker_owner) = told.await.map_err(explain)?.unwrap_or((marker.made.database, None));
    let made = &marker.made;
    let by_default = marker.kind == "Redshift";
    let mut imported = Value::object([
        ("connection_id", connection_id.into()),
        ("type", marker.kind.clone().into()),
        ("auto_bootstrap", (marker.mode == "automatic").into()),
        ("database", listed.database.clone().into()),
        ("create_database", (creates_database != by_default).then_some(creates_database).into()),
        ("prefix", listed.prefix.clone().into()),
        ("marker_owner", marker_owner.into()),
        ("force_destroy", false.into()),
        ("abandon_on_destroy", false.into()),
    ]);
    if made.system_user != format!("{}_system_user", listed.prefix) {
        imported.set("system_user", Value::object([("name", made.system_user.clone().into())]));
    }
    if let Some(actors) = &made.actors {
        let name = (actors.name != format!("{}_impersonator_role", listed.prefix)).then(|| actors.name.clone());
        let kind = (actors.kind == bootstrap::ActorKind::Role).then_some("role");
        imported.set(
            "impersonation",
            Value::object([("enabled", true.into()), ("name", name.into()), ("type", kind.into())]),
        );
    }
    if !made.external_schemas.is_empty() {
        let one = |external: &bootstrap::ExternalSchema| {
            Value::object([
                ("database", external.database.clone().into()),
                ("iam_role", external.iam_role.clone().into()),
                ("region", external.region.clone().into()),
            ])
        };
        let all = made.external_schemas.iter().map(|(name, external)| (name.clone(), one(external)));
        imported.set("external_schemas", all.collect::<std::collections::BTreeMap<_, _>>());
    }
    // Nothing derives them once the plan is empty.
    let (scripts, config) = (schema::scripts_of(data, &imported, None), schema::config(data, &imported));
    imported.set("scripts", scripts);
    imported.set("config", config);
    imported.set("id", marker.id.clone());
    imported.set("endpoint", warehouse.access().endpoint.to_string());
    imported.set("namespace", facts.namespace.clone());
    if let Value::Map(all) = imported {
        for (name, value) in all {
            cx.set(&name, value);
        }
    }
    Kept { made: made.clone(), imported: true, ..Kept::default() }.keep(cx);
    cx.set_private(secrets::IMPORTED, true);
    Ok(())
}

/// The integration's own id: 32 hexadecimal digits, as the marker has it.
fn is_id(id: &str) -> bool {
    id.len() == 32 && id.bytes().all(|byte| byte.is_ascii_hexdigit())
}

fn bad_id(id: &str) -> Diagnostic {
    let detail = "An integration is imported by its id, which is 32 hexadecimal digits, from the warehouse of the provider block; or by \
                  `host:port/database`. The data source redshift_integrations lists both.";
    Diagnostic::error(format!("\"{id}\" is no id of an integration"), detail)
}
