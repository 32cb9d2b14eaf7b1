//! The data source `redshift_datastores`: the datastores of a database that a role tells of.

use serde::Deserialize;

use super::super::configured::Configured;
use super::super::settings::Place;
use super::super::{errors, link, place};
use crate::engine::datastore::{Listed, list as list_datastores};
use crate::engine::error::Error;
use crate::engine::settings::id::{DatastoreId, Mode};
use crate::terraform::{DataSource, Diagnostics, Read, Schema, Value, boolean, list_of, string};

/// The data source `redshift_datastores`.
pub struct Datastores;

/// What is asked for.
#[derive(Deserialize)]
pub struct Model {
    database: String,
}

impl DataSource for Datastores {
    type Data = Configured;
    type Model = Model;
    const NAME: &'static str = "datastores";

    fn schema() -> Schema<Configured> {
        let schema = Schema::new("The datastores of a database that give their rights through a role of their own.");
        link::attributes(schema, Place::DataBlock)
            .setting("database", string().required().doc("Database to look in."))
            .computed(
                "datastores",
                list_of([
                    ("id", string().doc("By which the datastore is imported. Null where its role cannot be one that this login made, or is held by nobody or by several, or has rights in more than one schema.")),
                    ("schema", string().doc("The schema in which the role has rights.")),
                    ("enrichment_only", boolean().doc("Whether it may write there, as an enrichment store's role.")),
                    ("grant_role", string().doc("The role.")),
                    ("grant_role_owner", string().doc("Who owns the role.")),
                    ("service_user", string().doc("Who holds the role. Null if it is held by nobody or by several.")),
                    ("service_user_type", string().doc("`user` or `role`. Null likewise.")),
                ])
                .doc("The datastores, by schema and role."),
            )
    }

    fn check(config: &Value, d: &mut Diagnostics) {
        link::check(config, d);
    }

    async fn read(data: &Configured, wanted: Model, cx: &mut Read<'_>) -> Result<(), Diagnostics> {
        let explain = |error: Error| errors::on_attribute(&error, &data.hints(), cx.config());
        let to = link::known(cx.config())?;
        let warehouse = data.warehouse(&to, cx.cancelled()).await.map_err(explain)?;
        let all = list_datastores(&warehouse, &wanted.database, cx.cancelled()).await.map_err(explain)?;
        let connection = place::base_id(data, &to);
        let row = |listed: &Listed| {
            let holder = listed.holder.as_ref();
            let id =
                connection.clone().zip(holder).filter(|_| listed.trusted && listed.only).map(|(connection, holder)| {
                    let id = DatastoreId {
                        connection,
                        database: wanted.database.clone(),
                        schema: listed.schema.clone(),
                        mode: if listed.write { Mode::Enrichment } else { Mode::Source },
                        principal: Some((holder.kind, holder.name.clone())),
                        grant_role: Some(listed.role.clone()),
                    };
                    id.to_string()
                });
            Value::object([
                ("id", id.into()),
                ("schema", listed.schema.clone().into()),
                ("enrichment_only", listed.write.into()),
                ("grant_role", listed.role.clone().into()),
                ("grant_role_owner", listed.owner.clone().into()),
                ("service_user", holder.map(|holder| holder.name.clone()).into()),
                ("service_user_type", holder.map(|holder| holder.kind.name()).into()),
            ])
        };
        cx.set("datastores", Value::List(all.iter().map(row).collect()));
        Ok(())
    }
}
