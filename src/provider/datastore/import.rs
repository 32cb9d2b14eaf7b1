//! Importing a datastore: what the warehouse shows becomes state. Nothing is sent but questions.

use super::super::configured::Configured;
use super::super::errors;
use super::super::place;
use crate::engine::datastore::{FutureTables, GranteeKind, Through, import_lookup};
use crate::engine::error::Error;
use crate::engine::settings::id::{DatastoreId, Mode};
use crate::terraform::{Change, Diagnostic, Diagnostics, Value};

pub(super) async fn import(data: &Configured, id: &str, cx: &mut Change<'_>) -> Result<(), Diagnostics> {
    let hints = data.hints();
    let explain = |error: Error| errors::diagnostic(&error, &hints);
    let id: DatastoreId = id.parse().map_err(|error| errors::of_id(data, &error, id, errors::Kind::Datastore))?;
    let (link, connection_id, endpoint) =
        place::imported(data, &id.connection, cx.cancelled()).await.map_err(explain)?;
    let warehouse = data.warehouse(&link, cx.cancelled()).await.map_err(explain)?;
    let facts = warehouse.facts(cx.cancelled()).await.map_err(explain)?;
    let grantee = id.principal.as_ref().map(|(kind, name)| (name.as_str(), Some(*kind)));
    let found = import_lookup(&warehouse, &id.database, &id.schema, grantee, id.grant_role.as_deref(), cx.cancelled())
        .await
        .map_err(explain)?;
    if found.write && id.mode == Mode::Source {
        let detail = "What the service user holds there is what an enrichment store has. As a source, the first apply would \
                      take the write rights away. Import it with `mode=enrichment`, or revoke them first.";
        return Err(Diagnostic::error("This is an enrichment store", detail).into());
    }
    cx.set("id", DatastoreId { grant_role: None, ..id.clone() }.to_string());
    cx.set("connection_id", connection_id);
    cx.set("endpoint", endpoint);
    cx.set("namespace", facts.namespace.clone());
    cx.set("database", id.database);
    cx.set("schema", id.schema);
    cx.set("enrichment_only", id.mode == Mode::Enrichment);
    cx.set("trigger_catalog", true);
    cx.set("type", "redshift");
    cx.set("store_type", "jdbc");
    if let Some(grantee) = &found.grantee {
        let future = match &found.future {
            FutureTables::Owners(_) | FutureTables::Pinned(_) => "owners",
            FutureTables::Schema => "schema",
            FutureTables::None => "none",
        };
        let through = match (&found.through, grantee.kind) {
            (Through::Role(_), _) => Value::from("role"),
            (Through::Direct, GranteeKind::Group) => Value::Null,
            (Through::Direct, _) => Value::from("direct"),
        };
        cx.set(
            "service_user",
            Value::object([
                ("name", grantee.name.as_str().into()),
                ("type", grantee.kind.name().into()),
                ("grant_through", through),
                ("future_tables", future.into()),
                ("default_privileges_for", Value::Null),
            ]),
        );
    }
    if let Through::Role(role) = &found.through {
        cx.set("grant_role", role.as_str());
    }
    if let FutureTables::Owners(owners) | FutureTables::Pinned(owners) = &found.future {
        cx.set("default_privileges_owners", owners.clone());
    }
    Ok(())
}
