//! The data source `redshift_users`: the users of a warehouse, without its own.

use serde::Deserialize;

use super::configured::Configured;
use super::errors;
use super::link;
use super::patterns;
use super::settings::Place;
use crate::engine::catalog::users::{UserInfo, users};
use crate::engine::error::Error;
use crate::terraform::{DataSource, Diagnostics, Read, Schema, Value, boolean, list, list_of, string};

/// The data source `redshift_users`.
pub struct Users;

/// Nothing but names and where to ask, which others read.
#[derive(Deserialize)]
pub struct Model {}

impl DataSource for Users {
    type Data = Configured;
    type Model = Model;
    const NAME: &'static str = "users";

    fn schema() -> Schema<Configured> {
        let schema = Schema::new("The database users of a warehouse, without its own.");
        patterns::attributes(link::attributes(schema, Place::DataBlock), "Redshift keeps the case of user names.")
            .computed("names", list(string()).doc("Names, in order."))
            .computed(
                "users",
                list_of([
                    ("name", string().doc("Name of the user.")),
                    ("superuser", boolean().doc("Whether the user is a superuser.")),
                    ("create_database", boolean().doc("Whether the user may create databases.")),
                    ("groups", list(string()).doc("Groups that the user is in, in order.")),
                ])
                .doc("The users, in order of their names."),
            )
    }

    fn check(config: &Value, d: &mut Diagnostics) {
        link::check(config, d);
    }

    async fn read(data: &Configured, _: Model, cx: &mut Read<'_>) -> Result<(), Diagnostics> {
        let explain = |error: Error| errors::on_attribute(&error, &data.hints(), cx.config());
        let warehouse = data.warehouse(&link::known(cx.config())?, cx.cancelled()).await.map_err(explain)?;
        let names = patterns::read(cx.config())?;
        let found = users(&warehouse, &names, cx.cancelled()).await.map_err(explain)?;
        let row = |user: &UserInfo| {
            Value::object([
                ("name", user.name.as_str().into()),
                ("superuser", user.superuser.into()),
                ("create_database", user.createdb.into()),
                ("groups", user.groups.clone().into()),
            ])
        };
        cx.set("names", found.iter().map(|user| user.name.clone()).collect::<Vec<_>>());
        cx.set("users", Value::List(found.iter().map(row).collect()));
        Ok(())
    }
}
