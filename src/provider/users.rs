//! The data source `redshift_users`: the users of a warehouse, without its own.

use std::collections::BTreeSet;

use serde::Deserialize;

use super::configured::Configured;
use super::errors;
use super::link;
use super::settings::Place;
use crate::engine::catalog::schemas::Names;
use crate::engine::catalog::users::{UserInfo, users};
use crate::engine::error::Error;
use crate::terraform::{DataSource, Diagnostics, Read, Schema, Value, boolean, list, list_of, set, string};

/// The data source `redshift_users`.
pub struct Users;

/// What is asked for.
#[derive(Deserialize)]
pub struct Model {
    like: Option<String>,
    like_any: Option<BTreeSet<String>>,
    not_like: Option<BTreeSet<String>>,
}

impl DataSource for Users {
    type Data = Configured;
    type Model = Model;
    const NAME: &'static str = "users";

    fn schema() -> Schema<Configured> {
        let schema = Schema::new("The database users of a warehouse, without its own.");
        link::attributes(schema, Place::DataBlock)
            .setting("like", string().doc("Pattern of names, as SQL's LIKE has it: `%` is any text, `_` any character, `\\` takes the next one as it is. Redshift keeps the case of user names."))
            .setting("like_any", set(string()).conflicts_with(&["like"]).doc("Several such patterns: a name has to match one of them."))
            .setting("not_like", set(string()).doc("Patterns of names that are left out."))
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

    async fn read(data: &Configured, wanted: Model, cx: &mut Read<'_>) -> Result<(), Diagnostics> {
        let explain = |error: Error| errors::on_attribute(&error, &data.hints(), cx.config());
        let warehouse = data.warehouse(&link::known(cx.config())?, cx.cancelled()).await.map_err(explain)?;
        let names = Names::new(wanted.like, wanted.like_any, wanted.not_like);
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
