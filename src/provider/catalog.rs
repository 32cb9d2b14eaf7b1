//! The data source `redshift_catalog`: the tables and columns of a schema.

use serde::Deserialize;

use super::configured::Configured;
use super::errors;
use super::link;
use super::settings::{Place, globs};
use crate::engine::catalog::sync;
use crate::engine::error::Error;
use crate::terraform::{
    Attribute, DataSource, Diagnostic, Diagnostics, Read, Schema, Value, boolean, list_of, set, string,
};

/// The data source `redshift_catalog`.
pub struct Catalog;

/// What is asked for.
#[derive(Deserialize)]
pub struct Model {
    database: String,
    schema: String,
    datasets: Option<Vec<String>>,
    include_columns: bool,
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
            .setting(
                "include_columns",
                boolean().default(true).doc("`false`: only the tables, without their columns, which are most of what a state holds of a catalogue."),
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
        let (database, schema) = (&wanted.database, &wanted.schema);
        let found = if wanted.include_columns {
            sync::sync(&warehouse, database, schema, &datasets, cx.cancelled()).await
        } else {
            sync::tables(&warehouse, database, schema, &datasets, cx.cancelled()).await
        };
        let found = found.map_err(explain)?;
        if let Some(warning) = costly(&found).filter(|_| wanted.include_columns) {
            cx.warn(warning);
        }
        let table = |found: &sync::Table| table(found, wanted.include_columns);
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
            .doc(
                "Its columns, in order; none where a late-binding view cannot be resolved, and null with \
                 `include_columns = false`.",
            ),
        ),
    ])
    .doc("Tables and views, in order of their names.")
}

/// From so many columns on, some megabytes of state, a catalogue is warned of.
const MANY: usize = 20_000;

/// What one column takes in a state file beside its texts: braces, keys and indentation.
const BESIDE: usize = 170;

/// What a large catalogue costs.
fn costly(found: &[sync::Table]) -> Option<Diagnostic> {
    let columns = || found.iter().flat_map(|table| &table.columns);
    let count = columns().count();
    if count < MANY {
        return None;
    }
    let bytes: usize = columns().map(|column| column.name.len() + column.data_type.len() + BESIDE).sum();
    let detail = format!(
        "{} tables with {count} columns are about {} MB in the state, which is read, written and kept with every run. Narrow \
         it with `datasets`, or write `include_columns = false` if the tables alone are needed.",
        found.len(),
        bytes.div_ceil(1_000_000)
    );
    Some(Diagnostic::warning("A large catalogue goes into the state", detail))
}

fn table(table: &sync::Table, with_columns: bool) -> Value {
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
        ("columns", if with_columns { table.columns.iter().map(column).collect() } else { Value::Null }),
    ])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn catalogue(tables: usize, columns: usize) -> Vec<sync::Table> {
        let column = sync::Column { name: "amount".into(), data_type: "numeric(18,2)".into(), nullable: true };
        let table = sync::Table { name: "t".into(), kind: "table", owner: "o".into(), columns: vec![column; columns] };
        vec![table; tables]
    }

    #[test]
    fn a_large_catalogue_says_what_it_costs() {
        assert_eq!(costly(&catalogue(499, 40)), None);
        let warning = costly(&catalogue(5000, 40)).expect("a warning");
        for words in ["5000 tables", "200000 columns", "about 38 MB", "include_columns = false", "`datasets`"] {
            assert!(warning.detail().contains(words), "{words} is not in {warning}");
        }
    }
}
