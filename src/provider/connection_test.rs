//! The data source `redshift_connection_test`: signs in and says how it went. A failed test is no error.

use serde::Deserialize;

use super::configured::Configured;
use super::errors;
use super::link;
use super::settings::Place;
use super::tests_result;
use crate::engine::error::Error;
use crate::engine::session::validation::{Status, validate};
use crate::terraform::{DataSource, Diagnostics, Read, Schema, Value, boolean, on_one_line, string};

/// The data source `redshift_connection_test`.
pub struct ConnectionTest;

/// Its settings are those of a connection.
#[derive(Deserialize)]
pub struct Model {}

impl DataSource for ConnectionTest {
    type Data = Configured;
    type Model = Model;
    const NAME: &'static str = "connection_test";

    fn schema() -> Schema<Configured> {
        let schema =
            Schema::new("Signs in to a warehouse and reports how it went. A failed test is a result, not an error.");
        link::attributes(schema, Place::DataBlockWithDatabase)
            .computed("connected", boolean().doc("Whether a session could be opened and every test passed."))
            .computed(
                "type",
                string()
                    .doc("`redshift` for a cluster, `redshift-serverless` for a workgroup; null if no host is known."),
            )
            .computed("database_user", string().doc("Database user of the session; null without one."))
            .computed("server_version", string().doc("Version that the warehouse reports; null without a session."))
            .computed("validation_results", tests_result::attribute())
    }

    fn check(config: &Value, d: &mut Diagnostics) {
        link::check(config, d);
    }

    async fn read(data: &Configured, _: Model, cx: &mut Read<'_>) -> Result<(), Diagnostics> {
        let link = link::known(cx.config())?;
        let explain = |error: Error| errors::on_attribute(&error, &data.hints(), cx.config());
        let warehouse = match data.warehouse(&link, cx.cancelled()).await {
            Ok(warehouse) => warehouse,
            // What keeps a login from being tried is a failed test as well.
            Err(error @ (Error::NoPassword { .. } | Error::Aws(_) | Error::Away { .. })) => {
                cx.set("connected", false);
                cx.set("type", data.resolved(&link.settings).map(|to| to.product));
                cx.set("validation_results", tests_result::not_tried(&error));
                return Ok(());
            }
            Err(error) => return Err(explain(error).into()),
        };
        let seen = validate(&warehouse, &data.hints(), cx.cancelled()).await.map_err(explain)?;
        cx.set("connected", seen.status != Status::Failed);
        cx.set("type", data.resolved(&link.settings).map(|to| to.product));
        cx.set("database_user", seen.facts.as_ref().map(|facts| on_one_line(facts.user.clone())));
        cx.set("server_version", seen.facts.as_ref().map(|facts| on_one_line(facts.server_version.clone())));
        cx.set("validation_results", tests_result::value(&seen));
        Ok(())
    }
}
