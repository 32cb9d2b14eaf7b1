//! The data source `redshift_catalog`: the tables and columns of a schema.

use serde::Deserialize;

use super::configured::Configured;
use super::errors;
use super::link;
use super::settings::{Place, globs};
use crate::engine::catalog::sync;
use crate::engine::error::Error;
use crate::terraform::{Attribute, DataSource, Diagnostics, Read, Schema, Value, boolean, list_of, set, string};

/// The data source `redshift_catalog`.
pub struct Catalog;

/// What is asked for.
#[derive(Deserialize)]
pub struct Model {
    database: String,
    schema: String,
    datasets: Option<Vec<String>>,
}

impl DataSource for Catalog {
    type Data = Configured;
    type Model = Model;
    const NAME: &'static str = "catalog";

    fn schema() -> Schema<Configured> {
        let schema = Schema::new("The tables and views of a schema, with their columns.");
        link::attributes(schema, Place::DataBlock)
            .setting("database", string().required().doc("Database that holds the schema."))
            .setting("schema", string().required().doc("The schema."))
            .setting(
                "datasets",
                set(string()).check(globs).doc("Patterns of table names, such as `orders_*`. Default: all."),
            )
            .computed("tables", tables())
    }

    fn check(config: &Value, d: &mut Diagnostics) {
        link::check(config, d);
    }

    async fn read(data: &Configured, wanted: Model, cx: &mut Read<'_>) -> Result<(), Diagnostics> {
        let explain = |error: Error| errors::on_attribute(&error, &data.hints(), cx.config());
        let warehouse = data.warehouse(&link::known(cx.config())?, cx.cancelled()).await.map_err(explain)?;
        let datasets = wanted.datasets.unwrap_or_default();
        let found = sync::sync(&warehouse, &wanted.database, &wanted.schema, &datasets, cx.cancelled())
            .await
            .map_err(explain)?;
        cx.set("tables", Value::List(found.iter().map(table).collect()));
        Ok(())
    }
}

fn tables() -> Attribute {
    list_of([
        ("name", string().doc("Name of the table or view.")),
        ("type", string().doc("`table`, `view`, `materialized view` or `external table`.")),
        ("owner", string().doc("Its owner.")),
        (
            "columns",
            list_of([
                ("name", string().doc("Name of the column.")),
                ("data_type", string().doc("Its type, as Redshift writes it.")),
                ("nullable", boolean().doc("Whether it may be null.")),
            ])
            .doc("Its columns, in order; none where a late-binding view cannot be resolved."),
        ),
    ])
    .doc("Tables and views, in order of their names.")
}

fn table(table: &sync::Table) -> Value {
    let column = |column: &sync::Column| {
        Value::object([
            ("name", column.name.as_str().into()),
            ("data_type", column.data_type.as_str().into()),
            ("nullable", column.nullable.into()),
        ])
    };
    Value::object([
        ("name", table.name.as_str().into()),
        ("type", table.kind.into()),
        ("owner", table.owner.as_str().into()),
        ("columns", Value::List(table.columns.iter().map(column).collect())),
    ])
}
