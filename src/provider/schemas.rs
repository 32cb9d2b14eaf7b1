//! The data source `redshift_schemas`: the schemas of a database, without the system's own.

use serde::Deserialize;

use super::configured::Configured;
use super::errors;
use super::link;
use super::patterns;
use super::settings::Place;
use crate::engine::catalog::schemas::{SchemaInfo, schemas};
use crate::engine::error::Error;
use crate::terraform::{DataSource, Diagnostics, Read, Schema, Value, list, list_of, string};

/// The data source `redshift_schemas`.
pub struct Schemas;

/// What is asked for.
#[derive(Deserialize)]
pub struct Model {
    database: String,
}

impl DataSource for Schemas {
    type Data = Configured;
    type Model = Model;
    const NAME: &'static str = "schemas";

    fn schema() -> Schema<Configured> {
        let schema = Schema::new("The schemas of a database, without the system's own.");
        let schema = link::attributes(schema, Place::DataBlock)
            .setting("database", string().required().doc("Database to look in."));
        patterns::attributes(schema, "").computed("names", list(string()).doc("Names, in order.")).computed(
            "schemas",
            list_of([
                ("name", string().doc("Name of the schema.")),
                ("owner", string().doc("Its owner.")),
                ("type", string().doc("`local` or `external`.")),
            ])
            .doc("The schemas, in order of their names."),
        )
    }

    fn check(config: &Value, d: &mut Diagnostics) {
        link::check(config, d);
    }

    async fn read(data: &Configured, wanted: Model, cx: &mut Read<'_>) -> Result<(), Diagnostics> {
        let explain = |error: Error| errors::on_attribute(&error, &data.hints(), cx.config());
        let warehouse = data.warehouse(&link::known(cx.config())?, cx.cancelled()).await.map_err(explain)?;
        let names = patterns::read(cx.config())?;
        let found = schemas(&warehouse, &wanted.database, &names, cx.cancelled()).await.map_err(explain)?;
        let row = |schema: &SchemaInfo| {
            Value::object([
                ("name", schema.name.as_str().into()),
                ("owner", schema.owner.as_str().into()),
                ("type", schema.kind.into()),
            ])
        };
        cx.set("names", found.iter().map(|schema| schema.name.clone()).collect::<Vec<_>>());
        cx.set("schemas", Value::List(found.iter().map(row).collect()));
        Ok(())
    }
}
