//! `redshift_datastore`: a schema that a tool reads, or writes its findings to, with exactly the rights its user needs.

mod enrichment;
mod import;
mod kept;
pub(super) mod listed;
mod model;
mod plan;
mod schema;

use super::configured::Configured;
use super::errors;
use super::link;
use super::place;
use crate::engine::catalog::sync::{Summary, sync};
use crate::engine::datastore::owners::unseen_warning;
use crate::engine::datastore::refusal::database_in_words;
use crate::engine::datastore::{self, Applied, Before, NotApplied, Others, Wanted, Warning, choose_role, surplus};
use crate::engine::error::{Error, Hints};
use crate::engine::session::warehouse::Warehouse;
use crate::terraform::{Change, Diagnostic, Diagnostics, Found, Plan, Resource, Schema, Value};

pub use model::Model;
use model::Scripted;

/// The resource `redshift_datastore`.
pub struct Datastore;

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
        plan::choose_role_name(data, plan).await?;
        plan::name_role_in_script(plan);
        plan::look_at_changes(data, plan).await?;
        plan::give_back(data, plan);
        plan::sign_in_again(plan);
        schema::plan_without_a_call(plan)?;
        schema::refuse_own_link(plan)?;
        plan::note(data, plan);
        Ok(())
    }

    async fn create(data: &Configured, wanted: Model, cx: &mut Change<'_>) -> Result<(), Diagnostics> {
        let warehouse = data
            .warehouse(&link::known(cx.planned())?, cx.cancelled())
            .await
            .map_err(|error| explain(data, &error, cx))?;
        let facts = warehouse.facts(cx.cancelled()).await.map_err(|error| explain(data, &error, cx))?;
        let mark = kept::mark(cx);
        let others = data.datastores().beside(&warehouse.access().endpoint, Some(&mark));
        let rights = with_role(&warehouse, wanted.rights_to_create(), others, cx)
            .await
            .map_err(|error| explain(data, &error, cx))?;
        // Read before anything is granted: nothing may lie between COMMIT and the answer.
        let catalog = catalog_before(&warehouse, &wanted, wanted.trigger_catalog, data, cx).await?;
        enrichment::warn(&warehouse, &wanted, data, cx).await;
        let applied = datastore::apply(&warehouse, &rights, &Before::default(), others, cx.cancelled()).await;
        cx.set("endpoint", warehouse.access().endpoint.to_string());
        cx.set("namespace", facts.namespace.clone());
        set_role(&rights, cx);
        match applied {
            Ok(applied) => {
                cx.created();
                data.datastores().note(&mark, &warehouse.access().endpoint, &applied.wanted, true);
                record(&rights, applied, cx);
            }
            Err(failed) => {
                if !failed.nothing_done {
                    cx.created();
                    keep_owners(&rights, failed.half_done.as_ref(), cx);
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
            Err(error) if error.missing_database() == Some(&state.database) => {
                Ok(without_database(&error, &state, data, cx))
            }
            Err(error) => Err(error),
        };
        match seen {
            Ok((missing, surplus)) => {
                cx.set("missing", missing);
                cx.set("surplus", surplus);
                cx.set("connected", true);
                cx.set_private(kept::REFUSED, serde_json::Value::Null);
            }
            Err(error) => {
                let warning = data.unread(&error)?;
                cx.warn(warning);
                if error.is_refusal() && link.connection().is_none() {
                    cx.set_private(kept::REFUSED, true);
                }
                cx.set("connected", false);
            }
        }
        Ok(Found::Here)
    }

    async fn update(data: &Configured, prior: Model, wanted: Model, cx: &mut Change<'_>) -> Result<(), Diagnostics> {
        let link = link::known(cx.planned())?;
        let rights = wanted.rights_to_update(&prior);
        let syncs = wanted.syncs_after(&prior);
        let same_rights =
            rights == prior.rights() && prior.endpoint == wanted.endpoint && kept::half_done(cx).is_none();
        let given_back = cx.planned().at("missing").is_unknown() || plan::is_user_made(data, cx.planned());
        let refused = cx.private(kept::REFUSED).is_some();
        let is_metadata = same_rights && !syncs && !given_back && !refused && !prior.has_drifted();
        if is_metadata || (same_rights && !link.enabled) {
            // Nothing that the warehouse would have to be asked for, or that may be asked.
            place::still_there(data, &link, wanted.endpoint.as_deref()).map_err(|error| explain(data, &error, cx))?;
            for observed in ["missing", "surplus", "connected", "catalog"] {
                cx.set(observed, cx.prior().at(observed).clone());
            }
            return Ok(());
        }
        let warehouse = place::to_update(data, &link, wanted.made_before(&prior), cx.cancelled())
            .await
            .map_err(|error| explain(data, &error, cx))?;
        let facts = warehouse.facts(cx.cancelled()).await.map_err(|error| explain(data, &error, cx))?;
        if prior.schema != wanted.schema && facts.case_sensitive {
            let error = another_schema(&prior.schema, &wanted.schema);
            return Err(explain(data, &error, cx).into());
        }
        let mark = kept::mark(cx);
        let others = data.datastores().beside(&warehouse.access().endpoint, Some(&mark));
        let rights = with_role(&warehouse, rights, others, cx).await.map_err(|error| explain(data, &error, cx))?;
        let catalog = catalog_before(&warehouse, &wanted, syncs, data, cx).await?;
        enrichment::warn(&warehouse, &wanted, data, cx).await;
        let before = Before {
            // A copy of the warehouse may have been made before somebody planted a role there.
            elsewhere: prior.namespace.as_ref().zip(facts.namespace.as_ref()).is_some_and(|(then, now)| then != now),
            ..kept::before(prior.rights(), cx)
        };
        match datastore::apply(&warehouse, &rights, &before, others, cx.cancelled()).await {
            Ok(applied) => {
                data.datastores().note(&mark, &warehouse.access().endpoint, &applied.wanted, true);
                record(&rights, applied, cx);
            }
            Err(NotApplied { error, half_done, .. }) => {
                if half_done.is_some() {
                    kept::keep_half_done(half_done.as_ref(), cx);
                }
                return Err(explain_rights(data, &error, &rights, cx).into());
            }
        }
        place::pin(&warehouse, cx).await.map_err(|error| explain(data, &error, cx))?;
        set_role(&rights, cx);
        cx.set("connected", true);
        cx.set_private(kept::REFUSED, serde_json::Value::Null);
        if syncs {
            set_catalog(catalog.as_ref(), cx);
        } else {
            cx.set("catalog", cx.prior().at("catalog").clone());
        }
        Ok(())
    }

    async fn delete(data: &Configured, state: Model, cx: &mut Change<'_>) -> Result<(), Diagnostics> {
        let (mark, before) = (kept::known_mark(cx), kept::before(state.rights(), cx));
        let link = link::known(cx.prior())?;
        let warehouse = match place::made_in(data, &link, state.made(), cx.cancelled()).await {
            Ok(warehouse) => warehouse,
            Err(error) => return place::let_go(data, &link, state.endpoint.as_deref(), &error, cx),
        };
        let others = data.datastores().beside(&warehouse.access().endpoint, mark.as_deref());
        if let Some(mark) = &mark {
            data.datastores().leaves(mark, true);
        }
        let removed = datastore::remove(&warehouse, &state.rights(), &before, others, cx.cancelled()).await;
        if let (Some(mark), Err(_)) = (&mark, &removed) {
            data.datastores().leaves(mark, false);
        }
        let warnings = removed.map_err(|error| errors::of_destroy(&error, &data.hints()))?;
        if let Some(mark) = mark {
            data.datastores().forget(&mark);
        }
        warnings.into_iter().for_each(|warning| warn(warning, cx));
        Ok(())
    }

    async fn import(data: &Configured, id: &str, cx: &mut Change<'_>) -> Result<(), Diagnostics> {
        import::import(data, id, cx).await
    }
}

/// Two schemas whose names differ in case only, which the plan could not tell.
fn another_schema(before: &str, now: &str) -> Error {
    Error::refused(
        format!("Schema {now} is another one than {before}"),
        "This warehouse keeps the case of names (enable_case_sensitive_identifier), which the plan could not see. Nothing was changed. \
         Plan again while the warehouse can be reached: the datastore is replaced.",
    )
    .about("schema")
}

/// The rights with the name of their role, where the plan could not choose it: the warehouse could not be read then.
async fn with_role(
    warehouse: &Warehouse,
    mut rights: Wanted,
    others: Others<'_>,
    cx: &mut Change<'_>,
) -> Result<Wanted, Error> {
    if model::lacks_role_name(&rights) {
        let chosen = choose_role(warehouse, &rights, &|role| others.know_role(role), cx.cancelled()).await?;
        rights.through = datastore::Through::Role(chosen.name);
        // That one is taken over is said when it is done.
        chosen.passed_over.into_iter().for_each(|warning| warn(warning, cx));
    }
    Ok(rights)
}

/// Sets the role, and the script if it waited for the role's name.
fn set_role(rights: &Wanted, cx: &mut Change<'_>) {
    cx.set("grant_role", model::role_of(rights));
    if let (true, Some(role), Ok(scripted)) =
        (cx.planned().at("script").is_unknown(), rights.role(), cx.planned().decode::<Scripted>())
    {
        cx.set("script", datastore::script(&scripted.through(role), cx.private(kept::EXTERNAL).is_some()));
    }
}

/// The catalogue, if it is to be read. That it cannot be read is a warning, and no reason to grant nothing.
async fn catalog_before(
    warehouse: &Warehouse,
    wanted: &Model,
    syncs: bool,
    data: &Configured,
    cx: &mut Change<'_>,
) -> Result<Option<Summary>, Diagnostics> {
    if !syncs {
        return Ok(None);
    }
    match read_catalog(warehouse, wanted, cx).await {
        Ok(catalog) => Ok(Some(catalog)),
        Err(Error::Cancelled) => Err(explain(data, &Error::Cancelled, cx).into()),
        Err(error) => {
            cx.warn(errors::warning(&error, &data.hints()));
            Ok(None)
        }
    }
}

/// What is lacked and what is too much, with a warning about what the login cannot see. A catalogue that is to be
/// refreshed is read again once it is too old; that it cannot be read hides nothing else.
async fn look(
    warehouse: &Warehouse,
    state: &Model,
    data: &Configured,
    cx: &mut Change<'_>,
) -> Result<(Vec<String>, Vec<String>), Error> {
    let rights = state.rights();
    let mark = kept::mark(cx);
    data.datastores().note(&mark, &warehouse.access().endpoint, &rights, true);
    let found = match datastore::found(warehouse, &rights, &kept::before(rights.clone(), cx), cx.cancelled()).await {
        Err(error) if datastore::is_gone(&error, warehouse, &rights, cx.cancelled()).await => {
            return Ok(without_database(&error, state, data, cx));
        }
        found => found?,
    };
    kept::keep_ids(&found.ids, cx);
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
    enrichment::warn(warehouse, state, data, cx).await;
    let is_external = found.schema.as_ref().is_some_and(|schema| schema.external);
    if found.schema.is_some() {
        cx.set_private(kept::EXTERNAL, if is_external { true.into() } else { serde_json::Value::Null });
    }
    if is_external {
        let script = datastore::script(&rights, true);
        if cx.prior().at("script").as_str().is_some_and(|before| before != script) {
            cx.set("script", script);
        }
    }
    Ok((datastore::missing(&found, &rights), surplus(&found, &rights)))
}

/// What is missing where the database itself is.
fn without_database(
    error: &Error,
    state: &Model,
    data: &Configured,
    cx: &mut Change<'_>,
) -> (Vec<String>, Vec<String>) {
    let seen = errors::warning(error, &data.hints());
    let what =
        "Somebody dropped or renamed it. Its datastore stays in state; an apply fails until the database is back.";
    cx.warn(Diagnostic::warning(seen.summary(), format!("{}\n\n{what}", seen.detail())));
    (vec![database_in_words(&state.database)], Vec::new())
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
fn record(rights: &Wanted, applied: Applied, cx: &mut Change<'_>) {
    kept::keep_ids(&applied.ids, cx);
    kept::keep_half_done(None, cx);
    cx.set("missing", Vec::<String>::new());
    cx.set("surplus", Vec::<String>::new());
    keep_owners(rights, Some(&applied.wanted), cx);
    let told = kept::take_told(cx);
    let is_told = |warning: &Warning| told.as_ref() == Some(&warning.summary);
    applied.warnings.into_iter().filter(|warning| !is_told(warning)).for_each(|warning| warn(warning, cx));
}

fn keep_owners(rights: &Wanted, came_to: Option<&Wanted>, cx: &mut Change<'_>) {
    if cx.planned().at("default_privileges_owners").is_unknown() {
        let owners = || came_to.map(|wanted| wanted.owners().to_vec());
        cx.set("default_privileges_owners", model::covers_owners(rights).then(owners).flatten());
    }
}

fn warn(warning: Warning, cx: &mut Change<'_>) {
    cx.warn(Diagnostic::warning(warning.summary, warning.detail));
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
