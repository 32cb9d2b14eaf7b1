//! `redshift_datastore`: a schema that a tool reads, or writes its findings to, with exactly the rights its user needs.

mod import;
mod model;
mod schema;

use super::configured::Configured;
use super::errors;
use super::link;
use super::place;
use crate::engine::catalog::sync::{Summary, sync};
use crate::engine::datastore::owners::unseen_warning;
use crate::engine::datastore::{self, Applied, Made, Wanted, Warning};
use crate::engine::error::{Error, Hints};
use crate::engine::session::warehouse::Warehouse;
use crate::terraform::{Change, Diagnostic, Diagnostics, Found, Plan, Resource, Schema, Value};

pub use model::Model;

/// The resource `redshift_datastore`.
pub struct Datastore;

/// The key of private state under which the grants that were made are kept.
const MADE: &str = "made";

/// The key of private state that says when the catalogue was read, in seconds since 1970.
const SYNCED_AT: &str = "synced_at";

impl Resource for Datastore {
    type Data = Configured;
    type Model = Model;
    const NAME: &'static str = "datastore";

    fn schema() -> Schema<Configured> {
        schema::schema()
    }

    fn check(config: &Value, d: &mut Diagnostics) {
        link::check(config, d);
        schema::check_service_user(config, d);
    }

    async fn plan(data: &Configured, plan: &mut Plan<'_>) -> Result<(), Diagnostics> {
        let role = plan.prior().at("grant_role").as_str().map(str::to_owned);
        place::plan(data, plan, role.as_deref().map_or(place::Mark::None, place::Mark::Role)).await?;
        schema::plan_grants(plan);
        schema::plan_without_a_call(plan)?;
        schema::refuse_own_link(plan)
    }

    async fn create(data: &Configured, wanted: Model, cx: &mut Change<'_>) -> Result<(), Diagnostics> {
        let warehouse = data
            .warehouse(&link::known(cx.planned())?, cx.cancelled())
            .await
            .map_err(|error| explain(data, &error, cx))?;
        let facts = warehouse.facts(cx.cancelled()).await.map_err(|error| explain(data, &error, cx))?;
        let rights = wanted.rights_to_create();
        // Read before anything is granted: if it fails, nothing was begun.
        let catalog = match wanted.trigger_catalog {
            true => Some(read_catalog(&warehouse, &wanted, cx).await.map_err(|error| explain(data, &error, cx))?),
            false => None,
        };
        let applied = datastore::apply(&warehouse, &rights, &Made::default(), cx.cancelled()).await;
        cx.set("endpoint", warehouse.access().endpoint.to_string());
        cx.set("namespace", facts.namespace.clone());
        cx.set("grant_role", model::role_of(&rights));
        match applied {
            Ok(applied) => {
                cx.created();
                record(&rights, &applied, cx);
            }
            Err(failed) => {
                if !failed.nothing_done {
                    cx.created();
                    keep_made(&failed.made, cx);
                }
                return Err(explain_rights(data, &failed.error, &rights, cx).into());
            }
        }
        cx.set("connected", true);
        set_catalog(catalog.as_ref(), cx);
        Ok(())
    }

    async fn read(data: &Configured, state: Model, cx: &mut Change<'_>) -> Result<Found, Diagnostics> {
        data.reads();
        let link = link::known(cx.prior())?;
        if !link.enabled {
            return Ok(Found::Here);
        }
        let seen = match place::made_in(data, &link, state.made(), cx.cancelled()).await {
            Ok(warehouse) => look(&warehouse, &state, data, cx).await,
            Err(error) => Err(error),
        };
        match seen {
            Ok(missing) => {
                cx.set("missing", missing);
                cx.set("connected", true);
            }
            Err(error) => {
                let warning = data.unread(&error)?;
                cx.warn(warning);
                cx.set("connected", false);
            }
        }
        Ok(Found::Here)
    }

    async fn update(data: &Configured, prior: Model, wanted: Model, cx: &mut Change<'_>) -> Result<(), Diagnostics> {
        let link = link::known(cx.planned())?;
        let rights = wanted.rights_to_update(&prior);
        let syncs = wanted.syncs_after(&prior);
        let same_rights = rights == prior.rights() && prior.endpoint == wanted.endpoint;
        let is_metadata = same_rights && !syncs && !prior.lacks_something();
        if is_metadata || (same_rights && !link.enabled) {
            // Nothing that the warehouse would have to be asked for, or that may be asked.
            place::still_there(data, &link, wanted.endpoint.as_deref()).map_err(|error| explain(data, &error, cx))?;
            for observed in ["missing", "connected", "catalog"] {
                cx.set(observed, cx.prior().at(observed).clone());
            }
            return Ok(());
        }
        let warehouse = place::to_update(data, &link, wanted.made_before(&prior), cx.cancelled())
            .await
            .map_err(|error| explain(data, &error, cx))?;
        let catalog = match syncs {
            true => Some(read_catalog(&warehouse, &wanted, cx).await.map_err(|error| explain(data, &error, cx))?),
            false => None,
        };
        let made = made(cx);
        match datastore::apply(&warehouse, &rights, &made, cx.cancelled()).await {
            Ok(applied) => record(&rights, &applied, cx),
            Err(failed) => {
                keep_made(&failed.made, cx);
                return Err(explain_rights(data, &failed.error, &rights, cx).into());
            }
        }
        if cx.planned().at("endpoint").is_unknown() {
            let facts = warehouse.facts(cx.cancelled()).await.map_err(|error| explain(data, &error, cx))?;
            cx.set("endpoint", warehouse.access().endpoint.to_string());
            cx.set("namespace", facts.namespace.clone());
        }
        cx.set("grant_role", model::role_of(&rights));
        cx.set("connected", true);
        match &catalog {
            Some(catalog) => set_catalog(Some(catalog), cx),
            None => cx.set("catalog", cx.prior().at("catalog").clone()),
        }
        Ok(())
    }

    async fn delete(data: &Configured, state: Model, cx: &mut Change<'_>) -> Result<(), Diagnostics> {
        let hints = data.hints();
        let removed = match place::made_in(data, &link::known(cx.prior())?, state.made(), cx.cancelled()).await {
            Ok(warehouse) => datastore::remove(&warehouse, &state.rights(), &made(cx), cx.cancelled()).await,
            Err(error) => Err(error),
        };
        removed.map_err(|error| errors::diagnostic(&error, &hints))?;
        if let Some(grantee) = state.unrecorded_grantee(&made(cx)) {
            cx.warn(Diagnostic::warning(
                "No grant was taken back",
                format!(
                    "No grant is on record as made for this datastore, so what {grantee} holds on schema \"{}\" of database \"{}\" \
                     stays. That is so after an import, and where the datastore is replaced because it was tainted: Terraform does not \
                     hand the record to the destroy then. Revoke by hand what is not wanted.",
                    state.schema, state.database
                ),
            ));
        }
        Ok(())
    }

    async fn import(data: &Configured, id: &str, cx: &mut Change<'_>) -> Result<(), Diagnostics> {
        import::import(data, id, cx).await
    }
}

/// What is lacked, with a warning about what the login cannot see. A catalogue that is to be refreshed is read again once
/// it is too old; that it cannot be read hides nothing else.
async fn look(
    warehouse: &Warehouse,
    state: &Model,
    data: &Configured,
    cx: &mut Change<'_>,
) -> Result<Vec<String>, Error> {
    let rights = state.rights();
    let found = datastore::found(warehouse, &rights, &made(cx), cx.cancelled()).await?;
    unseen_warning(&found, &rights).into_iter().for_each(|warning| warn(warning, cx));
    if found.schema.is_none() {
        let gone = format!("Schema \"{}\" does not exist in database \"{}\"", state.schema, state.database);
        let what =
            "Somebody dropped or renamed it. Its datastore stays in state; an apply fails until the schema is back.";
        cx.warn(Diagnostic::warning(gone, what));
    } else if state.refreshes(cx.private(SYNCED_AT).and_then(|at| at.as_u64())) {
        match read_catalog(warehouse, state, cx).await {
            Ok(catalog) => set_catalog(Some(&catalog), cx),
            Err(error) => cx.warn(errors::warning(&error, &data.hints())),
        }
    }
    Ok(datastore::missing(&found, &rights))
}

async fn read_catalog(warehouse: &Warehouse, wanted: &Model, cx: &Change<'_>) -> Result<Summary, Error> {
    let tables = sync(warehouse, &wanted.database, &wanted.schema, &wanted.datasets(), cx.cancelled()).await?;
    Ok(Summary::of(&tables))
}

fn set_catalog(catalog: Option<&Summary>, cx: &mut Change<'_>) {
    let Some(catalog) = catalog else {
        cx.set("catalog", Value::Null);
        return;
    };
    cx.set_private(SYNCED_AT, model::now());
    cx.set(
        "catalog",
        Value::object([
            ("table_count", catalog.table_count.into()),
            ("column_count", catalog.column_count.into()),
            ("fingerprint", catalog.fingerprint.clone().into()),
        ]),
    );
}

/// Puts what an apply came to into state.
fn record(rights: &Wanted, applied: &Applied, cx: &mut Change<'_>) {
    keep_made(&applied.made, cx);
    cx.set("missing", Vec::<String>::new());
    if cx.planned().at("default_privileges_owners").is_unknown() {
        cx.set("default_privileges_owners", model::covers_owners(rights).then(|| applied.owners.clone()));
    }
    applied.warnings.iter().cloned().for_each(|warning| warn(warning, cx));
}

fn warn(warning: Warning, cx: &mut Change<'_>) {
    cx.warn(Diagnostic::warning(warning.summary, warning.detail));
}

fn made(cx: &Change<'_>) -> Made {
    cx.private(MADE).and_then(|made| serde_json::from_value(made).ok()).unwrap_or_default()
}

fn keep_made(made: &Made, cx: &mut Change<'_>) {
    let made = if made.is_empty() { serde_json::Value::Null } else { serde_json::json!(made) };
    cx.set_private(MADE, made);
}

fn explain(data: &Configured, error: &Error, cx: &Change<'_>) -> Diagnostic {
    errors::on_attribute(error, &data.hints(), cx.config())
}

/// The same for an error about rights: the advice names who is to have them.
fn explain_rights(data: &Configured, error: &Error, rights: &Wanted, cx: &Change<'_>) -> Diagnostic {
    let grantee = rights.grantee.as_ref().map(|grantee| grantee.name.clone());
    let hints = Hints { grantee, schema: Some(rights.schema.clone()), ..data.hints() };
    errors::on_attribute(error, &hints, cx.config())
}
