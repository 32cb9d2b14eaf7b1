//! Where a thing was made is remembered: `endpoint` and `namespace` are pinned, read and delete go there, and a
//! configuration that leads to another warehouse replaces instead of granting there on behalf of the old.

use std::sync::Arc;

use tokio_util::sync::CancellationToken;

use super::configured::Configured;
use super::errors;
use super::link::Link;
use crate::engine::bootstrap;
use crate::engine::catalog::At;
use crate::engine::datastore::grant_role_present;
use crate::engine::error::Error;
use crate::engine::session::warehouse::Warehouse;
use crate::engine::settings::defaults::Settled;
use crate::engine::settings::endpoint::{Endpoint, Place, same_endpoint};
use crate::terraform::{Change, Diagnostic, Diagnostics, Plan, Schema, Value, string};

/// Adds `endpoint` and `namespace` to a schema.
pub(super) fn attributes<D>(schema: Schema<D>) -> Schema<D> {
    schema
        .pinned(
            "endpoint",
            string().doc("`host:port` of the warehouse it was made on. Read and destroy go there, whatever the provider block says later."),
        )
        .pinned(
            "namespace",
            string().doc("The warehouse's own id, by which it is known again under another name; null if it has none."),
        )
}

/// Something of ours in a warehouse, which a restored copy of it has too.
#[derive(Clone, Copy)]
pub(super) enum Mark<'a> {
    None,
    /// The role of a datastore.
    Role(&'a str),
    /// The marker of an integration.
    Integration {
        id: &'a str,
        database: &'a str,
        prefix: &'a str,
    },
}

impl Mark<'_> {
    async fn is_there(self, warehouse: &Warehouse, cancel: &CancellationToken) -> Result<bool, Error> {
        match self {
            Mark::None => Ok(false),
            Mark::Role(role) => Ok(grant_role_present(warehouse, role, cancel).await? == Some(true)),
            Mark::Integration { id, database, prefix } => {
                Ok(bootstrap::id_of(warehouse, database, prefix, cancel).await?.as_deref() == Some(id))
            }
        }
    }
}

/// That the login was refused where no connection says so, in private state.
const REFUSED: &str = "login_refused";

/// What a read says that could not look: the state stays as it is. A login that was refused, of which no connection tells, is
/// planned to be tried again, so that nobody is told "No changes".
pub(super) fn unread(data: &Configured, link: &Link, error: &Error, cx: &mut Change<'_>) -> Result<(), Diagnostics> {
    let warning = data.unread(error)?;
    cx.warn(warning);
    if error.is_refusal() && link.connection().is_none() {
        cx.set_private(REFUSED, true);
    }
    Ok(())
}

/// Notes that the warehouse was read.
pub(super) fn was_read(cx: &mut Change<'_>) {
    cx.set_private(REFUSED, serde_json::Value::Null);
}

/// The warehouse to make something in. Where that is, is set.
///
/// Here as below, `database` is what will be asked next: to sign in there tells as much of the warehouse as anywhere. Where
/// there are several, the others are read meanwhile.
pub(super) async fn to_create(
    data: &Configured,
    cx: &mut Change<'_>,
    database: &str,
) -> Result<Arc<Warehouse>, Diagnostics> {
    let link = super::link::known(cx.planned())?;
    let opened = async {
        let warehouse = data.warehouse(&link, cx.cancelled()).await?;
        let facts = warehouse.facts_in(database, cx.cancelled()).await?;
        Ok((warehouse, facts))
    };
    let (warehouse, facts) = opened.await.map_err(|error: Error| explained(data, &error, cx))?;
    cx.set("endpoint", warehouse.access().endpoint.to_string());
    cx.set("namespace", facts.namespace.clone());
    Ok(warehouse)
}

/// The warehouse to change something in: where it was made. Where that is now, is set.
pub(super) async fn to_change(
    data: &Configured,
    cx: &mut Change<'_>,
    database: &str,
) -> Result<Arc<Warehouse>, Diagnostics> {
    let link = super::link::known(cx.planned())?;
    let (planned, prior) = (cx.planned().at("endpoint").clone(), cx.prior().at("namespace").clone());
    let asks = &[database];
    let made = Made { endpoint: planned.as_str(), namespace: prior.as_str(), mark: Mark::None, asks };
    let opened = to_update(data, &link, made, cx.cancelled()).await;
    let warehouse = opened.map_err(|error| explained(data, &error, cx))?;
    pin(&warehouse, cx).await.map_err(|error| explained(data, &error, cx))?;
    Ok(warehouse)
}

/// The warehouse to read in or to delete from: where it was made.
pub(super) async fn where_made(
    data: &Configured,
    cx: &Change<'_>,
    databases: &[&str],
) -> Result<Arc<Warehouse>, Error> {
    let link = super::link::known(cx.prior()).map_err(|_| Error::setting("connection_id", "It is not known."))?;
    let (endpoint, namespace) = (cx.prior().at("endpoint").as_str(), cx.prior().at("namespace").as_str());
    made_in(data, &link, Made { endpoint, namespace, mark: Mark::None, asks: databases }, cx.cancelled()).await
}

/// An error on the attribute it is about.
pub(super) fn explained(data: &Configured, error: &Error, cx: &Change<'_>) -> Diagnostic {
    errors::on_attribute(error, &data.hints(), cx.config())
}

/// Sets where it is, as far as the plan left that open.
pub(super) async fn pin(warehouse: &Warehouse, cx: &mut Change<'_>) -> Result<(), Error> {
    let is_open = |name: &str| cx.planned().at(name).is_unknown();
    if is_open("endpoint") || is_open("namespace") {
        let facts = warehouse.facts(cx.cancelled()).await?;
        cx.set("endpoint", warehouse.access().endpoint.to_string());
        cx.set("namespace", facts.namespace.clone());
        was_read(cx);
    }
    Ok(())
}

/// Plans where the thing is, as [`locate`] says, and to sign in again where that was refused.
pub(super) async fn plan(data: &Configured, plan: &mut Plan<'_>, mark: Mark<'_>) -> Result<(), Diagnostics> {
    locate(data, plan, mark).await?;
    if !plan.is_create() && plan.planned().at("connection_id").is_null() && plan.private(REFUSED).is_some() {
        plan.set("namespace", Value::Unknown);
    }
    Ok(())
}

/// Plans where the thing is: known at creation if the configuration tells it; afterwards as it was, anew in place if the
/// same warehouse goes by another name. If it is another warehouse, the thing is replaced; but an integration, with what
/// a governance tool keeps in it, never: its update will fail. `mark` is looked for there.
async fn locate(data: &Configured, plan: &mut Plan<'_>, mark: Mark<'_>) -> Result<(), Diagnostics> {
    let Some(link) = Link::read(plan.planned())?.filter(|link| link.settings.pending.is_empty()) else {
        // It may turn out to be the same warehouse, the same by another name, or another.
        if !plan.is_create() {
            plan.set("endpoint", Value::Unknown);
            plan.set("namespace", Value::Unknown);
        }
        return Ok(());
    };
    let changes = plan.is_create() || plan.settings_changed();
    if changes {
        data.require_login(&link).map_err(|error| errors::on_attribute(&error, &data.hints(), plan.config()))?;
    }
    if plan.is_create() {
        return plan_new(data, &link, plan);
    }
    // Whatever is updated now may find out only then where it leads.
    let has_drifted = |name: &str| matches!(plan.prior().at(name), Value::List(lines) if !lines.is_empty());
    let updates = changes || has_drifted("missing") || has_drifted("surplus");
    let configured = match data.endpoint(&link.settings) {
        // Where a name leads is asked anew, so that a cluster that was moved is noticed.
        Ok(Settled::LookUp(_)) if link.enabled => {
            match data.look_up(&link.settings, plan.cancelled()).await {
                Ok(endpoint) => {
                    if changes {
                        plan.derive_anew();
                    }
                    Some(endpoint)
                }
                Err(_) if updates && data.makes_a_plan() => None,
                // What is remembered stands until AWS can be asked.
                Err(_) => return Ok(()),
            }
        }
        Ok(endpoint) => endpoint.known(),
        Err(error) if changes => {
            return Err(errors::on_attribute(&error, &data.hints(), plan.config()).into());
        }
        // Nothing is planned for it, and what was made can still be destroyed where it is.
        Err(_) => None,
    };
    let Some(configured) = configured else {
        if updates {
            plan.set("endpoint", Value::Unknown);
            plan.set("namespace", Value::Unknown);
        }
        return Ok(());
    };
    let Some(remembered) = remembered(plan.prior().at("endpoint").as_str())? else { return Ok(()) };
    if same(&configured, &remembered) || !link.enabled {
        return Ok(());
    }
    let namespace = plan.prior().at("namespace").as_str().map(str::to_owned);
    match known_again(data, &link, namespace.as_deref(), mark, plan.cancelled()).await {
        Ok(Some(namespace)) => {
            plan.set("endpoint", configured.to_string());
            plan.set("namespace", namespace);
            plan.derive_anew();
        }
        // The plan that is applied knew less; the update will find it out, change nothing and say so.
        Ok(None) if !data.makes_a_plan() => {}
        Ok(None) => {
            plan.set("endpoint", configured.to_string());
            plan.set("namespace", Value::Unknown);
            match mark {
                Mark::Integration { .. } => plan.warn(Diagnostic::warning(
                    "The configuration leads to another warehouse",
                    format!(
                        "It leads to {configured} now, and the integration was made on {remembered}. An integration is never moved \
                         or replaced for that: the apply will fail and change nothing. Let the configuration lead back, or destroy \
                         the integration first, which goes to where it was made."
                    ),
                )),
                Mark::None | Mark::Role(_) => plan.replace("endpoint"),
            }
        }
        Err(error) if !data.makes_a_plan() => {
            return Err(errors::on_attribute(&error, &data.hints(), plan.config()).into());
        }
        Err(error) => {
            if updates {
                plan.set("endpoint", Value::Unknown);
                plan.set("namespace", Value::Unknown);
            }
            let what = format!(
                "The configuration leads to {configured} now, but it was made on {remembered}. Whether that is the same warehouse \
                 could not be seen, so nothing is planned for it."
            );
            let seen = errors::warning(&error, &data.hints());
            plan.warn(Diagnostic::warning(
                "Another warehouse cannot be reached",
                format!("{what}\n\n{}: {}", seen.summary(), seen.detail()),
            ));
        }
    }
    Ok(())
}

/// Plans where something new will be, as far as what is written tells it. What a refresh found of a cluster that is named is
/// not known to the apply, which plans once more and must come to the same.
fn plan_new(data: &Configured, link: &Link, plan: &mut Plan<'_>) -> Result<(), Diagnostics> {
    match data.endpoint_as_written(&link.settings) {
        Ok(Settled::Known(endpoint)) => plan.set("endpoint", endpoint.to_string()),
        Ok(_) => {
            let of_endpoint = ["jdbc_url", "config"].into_iter().chain(link.connection().is_none().then_some("id"));
            for name in of_endpoint.filter(|name| !plan.planned().at(name).is_null()).collect::<Vec<_>>() {
                plan.set(name, Value::Unknown);
            }
        }
        Err(error) => return Err(errors::on_attribute(&error, &data.hints(), plan.config()).into()),
    }
    Ok(())
}

/// The namespace of the warehouse that a link leads to, if it is the one that is remembered: by its own id, or by a
/// mark of ours that is there.
async fn known_again(
    data: &Configured,
    link: &Link,
    namespace: Option<&str>,
    mark: Mark<'_>,
    cancel: &CancellationToken,
) -> Result<Option<Option<String>>, Error> {
    let warehouse = data.warehouse(link, cancel).await?;
    let facts = warehouse.facts(cancel).await?;
    let by_id = namespace.is_some() && facts.namespace.as_deref() == namespace;
    let known = by_id || mark.is_there(&warehouse, cancel).await?;
    Ok(known.then(|| facts.namespace.clone()))
}

/// What a state remembers of where a thing was made.
#[derive(Clone, Copy)]
pub(super) struct Made<'a> {
    pub(super) endpoint: Option<&'a str>,
    pub(super) namespace: Option<&'a str>,
    pub(super) mark: Mark<'a>,
    /// The databases that will be asked next, where that is known.
    pub(super) asks: &'a [&'a str],
}

/// The warehouse to update in: the planned one, which `made` says. If the configuration turned out to lead elsewhere
/// only now, nothing is changed.
pub(super) async fn to_update(
    data: &Configured,
    link: &Link,
    made: Made<'_>,
    cancel: &CancellationToken,
) -> Result<Arc<Warehouse>, Error> {
    let warehouse = data.warehouse(link, cancel).await?;
    let now = &warehouse.access().endpoint;
    match remembered(made.endpoint).ok().flatten() {
        Some(planned) if !same(now, &planned) => {
            let facts = warehouse.facts(cancel).await?;
            if made.namespace.is_some() && facts.namespace.as_deref() == made.namespace {
                return Ok(warehouse);
            }
            Err(moved(&planned, now))
        }
        _ => {
            expect(&warehouse, made, cancel).await?;
            Ok(warehouse)
        }
    }
}

/// The warehouse to read in or to delete from: where it was made, and nobody else who answers there now.
pub(super) async fn made_in(
    data: &Configured,
    link: &Link,
    made: Made<'_>,
    cancel: &CancellationToken,
) -> Result<Arc<Warehouse>, Error> {
    let warehouse = match remembered(made.endpoint).ok().flatten() {
        Some(endpoint) => data.warehouse_at(link, &endpoint, cancel).await?,
        None => data.warehouse(link, cancel).await?,
    };
    expect(&warehouse, made, cancel).await?;
    Ok(warehouse)
}

/// Refuses a warehouse that answers in place of the one that is remembered: a tunnel that leads elsewhere today, or a
/// cluster that was made anew under the old name.
async fn expect(warehouse: &Warehouse, made: Made<'_>, cancel: &CancellationToken) -> Result<(), Error> {
    let facts = match made.asks {
        [] => warehouse.facts(cancel).await?,
        [database, others @ ..] => {
            // Only read, so it does no harm in another warehouse; whatever fails is asked, and told, again.
            let ahead = async {
                let read_now = |other: &&&str| **other != *database && warehouse.asks_side_by_side();
                for other in others.iter().filter(read_now) {
                    let _ = warehouse.catalog().snapshot(At::new(warehouse, other, cancel), None).await;
                }
            };
            warehouse.side_by_side(warehouse.facts_in(database, cancel), ahead).await.0?
        }
    };
    let (Some(before), Some(now)) = (made.namespace, facts.namespace.as_deref()) else { return Ok(()) };
    if before == now {
        return Ok(());
    }
    if made.mark.is_there(warehouse, cancel).await? {
        return Ok(());
    }
    let endpoint = &warehouse.access().endpoint;
    Err(Error::refused(
        format!("Another warehouse answers at {endpoint}"),
        format!(
            "It was made in the warehouse with the id (namespace) {before}, and {now} answers now, so nothing is read or changed \
             there. Does a tunnel lead elsewhere today? If the warehouse was restored under its old name, take the resource out \
             of state (`terraform state rm`) and import it again."
        ),
    ))
}

/// A destroy that found no warehouse. If AWS says that the cluster or workgroup where it was made does not exist, it is let go
/// of; an error says how else to.
pub(super) fn let_go(
    data: &Configured,
    link: &Link,
    endpoint: Option<&str>,
    error: &Error,
    cx: &mut Change<'_>,
) -> Result<(), Diagnostics> {
    // A name that the provider block has now may be another's: only the one that the pinned host tells counts, or that its
    // own settings name where the host tells none.
    let shape = remembered(endpoint).ok().flatten().and_then(|endpoint| endpoint.shape());
    let told = shape.and_then(|host| host.cluster_identifier.or(host.workgroup_name));
    let named = || link.settings.cluster_identifier.clone().or_else(|| link.settings.workgroup_name.clone());
    if !told.or_else(named).is_some_and(|name| error.is_no_warehouse_of(&name)) {
        return Err(errors::of_destroy(error, &data.hints()).into());
    }
    let detail = format!(
        "{}\n\nIt is taken out of state, and nothing was changed anywhere. If the warehouse is there after all, in another \
         account or region, what was made on it is still there: import it again.",
        error.detail()
    );
    cx.warn(Diagnostic::warning("The warehouse does not exist any more", detail));
    Ok(())
}

/// Refuses settings that turned out to lead elsewhere only now, without asking anybody.
pub(super) fn still_there(data: &Configured, link: &Link, planned: Option<&str>) -> Result<(), Error> {
    let Ok(Some(planned)) = remembered(planned) else { return Ok(()) };
    match data.endpoint(&link.settings) {
        Ok(Settled::Known(now)) if !same(&now, &planned) => Err(moved(&planned, &now)),
        _ => Ok(()),
    }
}

fn moved(planned: &Endpoint, now: &Endpoint) -> Error {
    Error::refused(
        "The warehouse changed during this apply",
        format!(
            "It was made on {planned}, and the settings turned out to lead to {now} only now. Nothing was changed on either. \
             Please apply again: the next plan that refreshes knows it, and replaces."
        ),
    )
}

fn remembered(endpoint: Option<&str>) -> Result<Option<Endpoint>, Diagnostics> {
    let Some(text) = endpoint else { return Ok(None) };
    let endpoint = text.parse::<Endpoint>().map_err(|error| errors::of_setting(&error, ""))?;
    Ok(Some(endpoint))
}

/// Whether two endpoints are of one warehouse, as far as their names tell.
pub(super) fn same(a: &Endpoint, b: &Endpoint) -> bool {
    same_endpoint(&Place::Host(a.clone()), &Place::Host(b.clone()))
}

/// What begins the id of a thing: its connection's id, else its endpoint.
pub(super) fn base_id(data: &Configured, link: &Link) -> Option<crate::engine::settings::id::ConnectionId> {
    match link.connection() {
        Some(id) => Some(id.clone()),
        None => match data.endpoint(&link.settings) {
            Ok(Settled::Known(endpoint)) => Some(crate::engine::settings::id::ConnectionId::at(&endpoint)),
            _ => None,
        },
    }
}

/// The connection that an import id begins with, as `connection_id` and `endpoint` have it: null where the provider
/// block leads there by itself.
pub(super) async fn imported(
    data: &Configured,
    id: &crate::engine::settings::id::ConnectionId,
    cancel: &CancellationToken,
) -> Result<(Link, Option<String>, String), Error> {
    let link = Link::of(id.clone());
    let endpoint = data.look_up(&link.settings, cancel).await?;
    let inherited = data.endpoint(&crate::engine::settings::Settings::default()).ok().and_then(Settled::known);
    let is_inherited = *id == crate::engine::settings::id::ConnectionId::at(&endpoint)
        && inherited.is_some_and(|inherited| same(&inherited, &endpoint));
    let connection_id = (!is_inherited).then(|| id.to_string());
    Ok((link, connection_id, endpoint.to_string()))
}
