//! `redshift_schema`: a schema of a database, for what a tool writes or a team keeps.

use serde::Deserialize;

use super::configured::Configured;
use super::errors;
use super::link::{self, Link};
use super::place::{self, Mark};
use super::settings::Place;
use super::versions;
use crate::engine::catalog::At;
use crate::engine::error::Error;
use crate::engine::names::{check_name, same_name};
use crate::engine::schema::{self, Quota, SchemaFound, SchemaWanted, Which};
use crate::engine::session::warehouse::Warehouse;
use crate::engine::settings::id::SchemaId;
use crate::engine::sql::ident;
use crate::terraform::{Change, Diagnostic, Diagnostics, Found, Plan, Resource, Schema, Value, boolean, string};

/// The resource `redshift_schema`.
pub struct SchemaResource;

/// A schema once everything about it is known.
#[derive(Deserialize)]
pub struct Model {
    database: String,
    name: String,
    owner: Option<String>,
    quota: Option<String>,
    force_destroy: bool,
    endpoint: Option<String>,
    namespace: Option<String>,
}

/// The number of the schema, in private state: by it a schema is known again under another name.
const NUMBER: &str = "schema";

impl Resource for SchemaResource {
    type Data = Configured;
    type Model = Model;
    const NAME: &'static str = "schema";

    fn schema() -> Schema<Configured> {
        let schema = Schema::new("A schema of a database: for what a tool writes, or a team keeps.")
            .setting("database", string().required().check(database).doc(
                "Database that the schema is in. Another name changes nothing in the warehouse: it is for a database that was renamed. A schema is never moved.",
            ))
            .setting("name", string().required().check(name).doc(
                "Name of the schema. Another name renames it in place. The warehouse folds its case, unless the session is told to keep it (`preserve_case`).",
            ));
        let schema = link::attributes(schema, Place::Block)
            .setting("owner", string().check(owner).doc(
                "User who owns the schema. Left out: not managed, and a new schema is the login's. For another owner the login has to be a superuser.",
            ))
            .setting("quota", string().check(quota).doc(
                "Most space that its tables may take: `50 GB`, `512 MB`, `1 TB` or `unlimited`. Only a superuser may change it. Left out: not managed.",
            ))
            .setting("force_destroy", boolean().default(false).local().doc(
                "`true`: a destroy drops the schema with all that is in it, and with the views elsewhere that hang on it. Otherwise what is in it is listed, and nothing is changed.",
            ))
            .derived("id", string().doc("Endpoint, or the connection's id, and `#schema/` with database and name; also the import id."), id);
        versions::of_a_shared_name(place::attributes(schema), Self::NAME)
    }

    fn check(config: &Value, d: &mut Diagnostics) {
        link::check(config, d);
    }

    async fn plan(data: &Configured, plan: &mut Plan<'_>) -> Result<(), Diagnostics> {
        place::plan(data, plan, Mark::None).await
    }

    async fn create(data: &Configured, wanted: Model, cx: &mut Change<'_>) -> Result<(), Diagnostics> {
        let explain = |error: &Error, cx: &Change<'_>| errors::on_attribute(error, &data.hints(), cx.config());
        let link = link::known(cx.planned())?;
        let warehouse = data.warehouse(&link, cx.cancelled()).await.map_err(|error| explain(&error, cx))?;
        let facts = warehouse.facts(cx.cancelled()).await.map_err(|error| explain(&error, cx))?;
        let made = schema::create(&warehouse, &wanted.schema(), cx.cancelled()).await;
        cx.set("endpoint", warehouse.access().endpoint.to_string());
        cx.set("namespace", facts.namespace.clone());
        match made {
            Ok(found) => {
                cx.created();
                cx.set_private(NUMBER, found.oid);
                Ok(())
            }
            Err(failed) => {
                if failed.made {
                    cx.created();
                }
                let diagnostic = explain(&failed.error, cx);
                let is_taken = matches!(failed.error, Error::Exists { .. });
                Err(if is_taken { shows_import(&diagnostic, cx) } else { diagnostic }.into())
            }
        }
    }

    async fn read(data: &Configured, state: Model, cx: &mut Change<'_>) -> Result<Found, Diagnostics> {
        data.reads();
        let link = link::known(cx.prior())?;
        if !link.enabled {
            return Ok(Found::Here);
        }
        let found = match place::made_in(data, &link, state.made(), cx.cancelled()).await {
            Ok(warehouse) => look(&warehouse, &state, cx).await,
            Err(error) => Err(error),
        };
        match found {
            Ok(None) => return Ok(Found::Gone),
            Ok(Some(found)) => {
                place::was_read(cx);
                cx.set_private(NUMBER, found.oid);
                state.show_drift(&found, cx);
            }
            Err(error) if error.sqlstate() == Some("3D000") => return Ok(Found::Gone),
            Err(error) => {
                place::unread(data, &link, &error, cx)?;
            }
        }
        Ok(Found::Here)
    }

    async fn update(data: &Configured, prior: Model, wanted: Model, cx: &mut Change<'_>) -> Result<(), Diagnostics> {
        let explain = |error: &Error, cx: &Change<'_>| errors::on_attribute(error, &data.hints(), cx.config());
        let link = link::known(cx.planned())?;
        let made = place::Made { endpoint: wanted.endpoint.as_deref(), ..prior.made() };
        let warehouse =
            place::to_update(data, &link, made, cx.cancelled()).await.map_err(|error| explain(&error, cx))?;
        let oid = match number(cx) {
            Some(oid) => oid,
            // Of a create whose answer was lost: nobody refreshed since.
            None => look(&warehouse, &prior, cx).await.map_err(|error| explain(&error, cx))?.ok_or_else(gone)?.oid,
        };
        let altered = schema::alter(&warehouse, oid, &wanted.schema(), cx.cancelled()).await;
        altered.map_err(|error| explain(&error, cx))?;
        cx.set_private(NUMBER, oid);
        place::pin(&warehouse, cx).await.map_err(|error| explain(&error, cx).into())
    }

    async fn delete(data: &Configured, state: Model, cx: &mut Change<'_>) -> Result<(), Diagnostics> {
        let of_destroy = |error: Error| errors::of_destroy(&error, &data.hints());
        let link = link::known(cx.prior())?;
        let warehouse = match place::made_in(data, &link, state.made(), cx.cancelled()).await {
            Ok(warehouse) => warehouse,
            Err(error) => return place::let_go(data, &link, state.endpoint.as_deref(), &error, cx),
        };
        let oid = match number(cx) {
            Some(oid) => oid,
            None => match look(&warehouse, &state, cx).await.map_err(of_destroy)? {
                Some(found) => found.oid,
                None => return Ok(()),
            },
        };
        let dropped = schema::drop_schema(&warehouse, &state.schema(), oid, state.force_destroy, cx.cancelled()).await;
        match dropped {
            Ok(went) if went.is_empty() => {}
            Ok(went) => cx.warn(went_with_it(&state.name, &went)),
            // With its database.
            Err(error) if error.sqlstate() == Some("3D000") => {}
            Err(error) => return Err(of_destroy(error).into()),
        }
        Ok(())
    }

    async fn import(data: &Configured, id: &str, cx: &mut Change<'_>) -> Result<(), Diagnostics> {
        let hints = data.hints();
        let explain = |error: Error| errors::diagnostic(&error, &hints);
        let id: SchemaId = id.parse().map_err(|error| errors::of_id(data, &error, id, errors::Kind::Schema))?;
        let (link, connection_id, endpoint) =
            place::imported(data, &id.connection, cx.cancelled()).await.map_err(explain)?;
        let warehouse = data.warehouse(&link, cx.cancelled()).await.map_err(explain)?;
        let facts = warehouse.facts(cx.cancelled()).await.map_err(explain)?;
        let at = At::new(&warehouse, &id.database, cx.cancelled());
        let found = schema::find(at, &Which::Named(&id.name), false).await.map_err(explain)?;
        let Some(found) = found else {
            let detail = format!("Database {} on {endpoint} has no schema of this name.", ident(&id.database));
            return Err(Diagnostic::error(format!("Schema {} does not exist", ident(&id.name)), detail).into());
        };
        if schema::is_external(at, &id.name).await.map_err(explain)? {
            let detail = "It leads to a catalogue outside of the warehouse, and has other settings than a schema. Nothing here manages it yet.";
            return Err(Diagnostic::error(format!("Schema {} is external", ident(&id.name)), detail).into());
        }
        schema::check_own(&found.name).map_err(|problem| Diagnostic::error("No schema to manage", problem))?;
        cx.set_private(NUMBER, found.oid);
        cx.set("id", id.to_string());
        cx.set("database", id.database);
        cx.set("name", id.name);
        cx.set("owner", found.owner);
        cx.set("connection_id", connection_id);
        cx.set("endpoint", endpoint);
        cx.set("namespace", facts.namespace.clone());
        cx.set("force_destroy", false);
        Ok(())
    }
}

impl Model {
    fn made(&self) -> place::Made<'_> {
        place::Made {
            endpoint: self.endpoint.as_deref(),
            namespace: self.namespace.as_deref(),
            mark: Mark::None,
            asks: &[],
        }
    }

    fn schema(&self) -> SchemaWanted {
        SchemaWanted {
            database: self.database.clone(),
            name: self.name.clone(),
            owner: self.owner.clone(),
            quota: self.quota(),
        }
    }

    fn quota(&self) -> Option<Quota> {
        self.quota.as_deref().and_then(|text| Quota::parse(text).ok())
    }

    /// Puts what differs from state there; the same quota in another unit does not, nor a name in another case that is the
    /// same to the warehouse.
    fn show_drift(&self, found: &SchemaFound, cx: &mut Change<'_>) {
        if !same_name(&self.name, &found.name, found.case_sensitive) {
            cx.set("name", found.name.clone());
        }
        if self.owner.as_ref().is_some_and(|owner| *owner != found.owner) {
            cx.set("owner", found.owner.clone());
        }
        if let (Some(known), Some(seen)) = (self.quota(), found.quota)
            && known != seen
        {
            cx.set("quota", seen.to_string());
        }
    }
}

/// The number that was kept.
fn number(cx: &Change<'_>) -> Option<u64> {
    cx.private(NUMBER)?.as_u64()
}

/// The schema of the number that was kept; where none was, that of the name.
async fn look(warehouse: &Warehouse, state: &Model, cx: &Change<'_>) -> Result<Option<SchemaFound>, Error> {
    let which = number(cx).map_or(Which::Named(&state.name), Which::Numbered);
    schema::find(At::new(warehouse, &state.database, cx.cancelled()), &which, state.quota.is_some()).await
}

fn gone() -> Diagnostic {
    Diagnostic::error(
        "The schema does not exist",
        "Somebody dropped or renamed it since the plan was made. Plan again.",
    )
}

fn went_with_it(name: &str, went: &[String]) -> Diagnostic {
    let detail = format!("force_destroy is true, so this went too: {}.", schema::first_of(went));
    Diagnostic::warning(format!("Schema {} was dropped with what it held", ident(name)), detail)
}

fn shows_import(diagnostic: &Diagnostic, cx: &Change<'_>) -> Diagnostic {
    let id = cx.planned().at("id").as_str().unwrap_or_default();
    let block = format!("import {{\n  to = redshift_schema.NAME_OF_THE_RESOURCE\n  id = \"{id}\"\n}}");
    Diagnostic::error(diagnostic.summary(), format!("{}\n\n{block}", diagnostic.detail())).at("name")
}

fn id(data: &Configured, planned: &Value) -> Value {
    let (database, name) = (planned.at("database"), planned.at("name"));
    let (Some(database), Some(name), Ok(Some(link))) = (database.as_str(), name.as_str(), Link::read(planned)) else {
        return Value::Unknown;
    };
    place::base_id(data, &link).map_or(Value::Unknown, |connection| {
        SchemaId { connection, database: database.to_owned(), name: name.to_owned() }.to_string().into()
    })
}

fn name(value: &Value) -> Result<(), String> {
    let name = value.as_str().unwrap_or_default();
    check_name(name).map_err(|problem| format!("In name: {problem}."))?;
    schema::check_own(name)
}

fn database(value: &Value) -> Result<(), String> {
    check_name(value.as_str().unwrap_or_default()).map_err(|problem| format!("In database: {problem}."))
}

fn owner(value: &Value) -> Result<(), String> {
    check_name(value.as_str().unwrap_or_default()).map_err(|problem| format!("In owner: {problem}."))
}

fn quota(value: &Value) -> Result<(), String> {
    Quota::parse(value.as_str().unwrap_or_default()).map(drop)
}
