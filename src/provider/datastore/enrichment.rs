//! The link of a source to its enrichment store.

use super::super::configured::Configured;
use super::super::link::Link;
use super::super::place;
use super::model::Model;
use crate::engine::datastore::linked::{Store, obstacle};
use crate::engine::datastore::{Grantee, Warning};
use crate::engine::error::Error;
use crate::engine::session::warehouse::Warehouse;
use crate::engine::settings::id::DatastoreId;
use crate::terraform::{Change, Diagnostic};

/// Warns of what keeps findings from reaching the linked store. A look that fails says nothing: the link is no right, and
/// what is wrong with the warehouse is said elsewhere.
pub(super) async fn warn(warehouse: &Warehouse, model: &Model, data: &Configured, cx: &mut Change<'_>) {
    let Some(store) = model.enrichment_datastore_id.as_deref().and_then(|id| id.parse::<DatastoreId>().ok()) else {
        return;
    };
    match look(warehouse, &store, model, data, cx).await {
        Ok(None) => {}
        Ok(Some(warning)) => {
            cx.warn(Diagnostic::warning(warning.summary, warning.detail).at("enrichment_datastore_id"));
        }
        Err(error) => tracing::debug!(%error, "the linked enrichment store is not seen"),
    }
}

async fn look(
    warehouse: &Warehouse,
    store: &DatastoreId,
    model: &Model,
    data: &Configured,
    cx: &Change<'_>,
) -> Result<Option<Warning>, Error> {
    let theirs = data.look_up(&Link::of(store.connection.clone()).settings, cx.cancelled()).await?;
    let ours = &warehouse.access().endpoint;
    if !place::same(&theirs, ours) {
        return Ok(Some(Warning::new(
            "The linked enrichment store is in another warehouse",
            format!(
                "This source is on {ours}, and the store of `enrichment_datastore_id` on {theirs}: a tool that is connected to this \
                 one cannot write there. Link it to a store on the same warehouse."
            ),
        )));
    }
    let grantee = store.principal.clone().map(|(kind, name)| Grantee { kind, name });
    let store = Store { database: store.database.clone(), schema: store.schema.clone(), grantee };
    obstacle(warehouse, &store, model.grantee().as_ref(), cx.cancelled()).await
}
