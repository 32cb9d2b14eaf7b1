//! The data source `redshift_integrations`: all integrations of a warehouse.

use serde::Deserialize;

use super::super::configured::Configured;
use super::super::settings::Place;
use super::super::{errors, link};
use crate::engine::bootstrap::{Listed, list as list_integrations};
use crate::engine::error::Error;
use crate::terraform::{DataSource, Diagnostics, Read, Schema, Value, list_of, string};

/// The data source `redshift_integrations`.
pub struct Integrations;

/// It has no settings but those of a connection.
#[derive(Deserialize)]
pub struct Model {}

impl DataSource for Integrations {
    type Data = Configured;
    type Model = Model;
    const NAME: &'static str = "integrations";

    fn schema() -> Schema<Configured> {
        let schema = Schema::new("The governance integrations of a warehouse that this provider made or verified.");
        link::attributes(schema, Place::DataBlockWithDatabase).computed(
            "integrations",
            list_of([
                (
                    "id",
                    string().doc(
                        "The integration's id, by which it is imported; null if the login may not read the marker.",
                    ),
                ),
                ("type", string().doc("`Redshift` or `RedshiftSpectrum`; null likewise.")),
                ("status", string().doc("Its status; null likewise.")),
                ("database", string().doc("The managed database.")),
                ("prefix", string().doc("What the names of its schemas begin with.")),
            ])
            .doc("The integrations, by database and prefix."),
        )
    }

    fn check(config: &Value, d: &mut Diagnostics) {
        link::check(config, d);
    }

    async fn read(data: &Configured, _: Model, cx: &mut Read<'_>) -> Result<(), Diagnostics> {
        let explain = |error: Error| errors::on_attribute(&error, &data.hints(), cx.config());
        let warehouse = data.warehouse(&link::known(cx.config())?, cx.cancelled()).await.map_err(explain)?;
        let all = list_integrations(&warehouse, cx.cancelled()).await.map_err(explain)?;
        let row = |listed: &Listed| {
            let marker = listed.marker.as_ref();
            Value::object([
                ("id", marker.map(|marker| marker.id.clone()).into()),
                ("type", marker.map(|marker| marker.kind.clone()).into()),
                ("status", marker.map(|marker| marker.status.name()).into()),
                ("database", listed.database.clone().into()),
                ("prefix", listed.prefix.clone().into()),
            ])
        };
        cx.set("integrations", Value::List(all.iter().map(row).collect()));
        Ok(())
    }
}
