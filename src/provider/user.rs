//! `redshift_user`: the database user that a tool signs in with. Its password is sent as a hash and stored nowhere.

use std::collections::BTreeSet;

mod secrets;

use serde::Deserialize;

use super::configured::Configured;
use super::errors;
use super::link::{self, Link};
use super::place::{self, Mark};
use super::rotation;
use super::settings::Place;
use super::versions;
use crate::engine::datastore::roles_of;
use crate::engine::error::Error;
use crate::engine::names::check_name;
use crate::engine::session::warehouse::Warehouse;
use crate::engine::settings::defaults::StoredAt;
use crate::engine::settings::id::UserId;
use crate::engine::user::{self, ConnectionLimit, Password, UserFound, UserWanted, ValidUntil};
use crate::terraform::{
    Change, Diagnostic, Diagnostics, Found, Plan, Resource, Schema, Value, boolean, number, set, string,
};

/// The resource `redshift_user`.
pub struct User;

/// A user once everything about it is known.
#[derive(Deserialize)]
pub struct Model {
    name: String,
    password_hash: String,
    connection_limit: Option<i64>,
    valid_until: Option<String>,
    force_destroy: bool,
    skip_databases: Option<BTreeSet<String>>,
    endpoint: Option<String>,
    namespace: Option<String>,
    password_version: Option<String>,
    password_ssm_parameter: Option<String>,
    secret_id: Option<String>,
}

/// Marks a user that was imported, until its password is written or disabled.
const IMPORTED: &str = "imported";

impl Resource for User {
    type Data = Configured;
    type Model = Model;
    const NAME: &'static str = "user";

    fn schema() -> Schema<Configured> {
        let schema = Schema::new(
            "A database user that a tool signs in with. Its password is hashed before it is sent, and is in no state, plan or log.",
        )
        .setting("name", string().required().check(name).doc("Name of the user. Case is kept. Another name renames the user in place."));
        let schema = link::attributes(schema, Place::BlockWithDatabase);
        let schema = secrets::attributes(schema)
            .setting("password", string().refused(true).doc("Not used: declared so that a password written here gets an answer. It belongs in `password_wo`."))
            .setting(
                "password_hash",
                string().default("md5").one_of(&["md5", "sha256"]).doc(
                    "Form in which the password is sent and stored: `md5`, with which every client can sign in, or `sha256`, which \
                     drivers made with libpq cannot use. This provider signs in with both. It takes effect with the next password.",
                ),
            )
            .setting("connection_limit", number().between(-1, i64::from(i32::MAX)).doc(
                "Most sessions at a time; `-1`: no limit. Left out: not managed, so that a limit that is there stays.",
            ))
            .setting(
                "valid_until",
                string().check(valid_until).doc("When the password ends: a time such as `2027-12-31T00:00:00Z`, or `infinity`. Redshift loses a time after 2038-01-18, so one is refused. Left out: not managed."),
            )
            .setting(
                "force_destroy",
                boolean().default(false).local().doc(
                    "`true`: when the user is destroyed, what it owns goes to the login and what it holds is revoked. Otherwise both are \
                     listed, and nothing is changed.",
                ),
            )
            .setting(
                "skip_databases",
                set(string()).local().check(databases).doc("Databases that the login cannot enter and that are not looked at when the user is destroyed."),
            )
            .derived("id", string().doc("Endpoint, or the connection's id, and `#user/` with the name; also the import id."), id);
        let schema = place::attributes(schema).pinned(
            "password_version",
            string().doc("What was last sent: the version of the password; null if it has none."),
        );
        versions::of_a_shared_name(schema, Self::NAME)
    }

    fn check(config: &Value, d: &mut Diagnostics) {
        link::check(config, d);
        if !config.at("password").is_null() {
            // On no attribute: Terraform would print the line.
            d.push(Diagnostic::error(
                "password is password_wo here",
                "`password` of a `redshift_user` is not used: it would be kept in state. The password of the user to be made goes into a \
                 write-only argument with a version, which is raised to send another one:\n\n  password_wo         = var.password\n  \
                 password_wo_version = 1\n\nOr name where AWS keeps it: `secret_id` or `password_ssm_parameter`.",
            ));
        }
    }

    async fn plan(data: &Configured, plan: &mut Plan<'_>) -> Result<(), Diagnostics> {
        place::plan(data, plan, Mark::None).await?;
        secrets::plan(plan)?;
        if plan.is_create() {
            note_new(data, plan);
        }
        Ok(())
    }

    async fn create(data: &Configured, wanted: Model, cx: &mut Change<'_>) -> Result<(), Diagnostics> {
        let explain = |error: &Error, cx: &Change<'_>| errors::on_attribute(error, &data.hints(), cx.config());
        let warehouse =
            data.warehouse(&link::known(cx.planned())?, cx.cancelled()).await.map_err(|error| explain(&error, cx))?;
        let secret = secrets::wanted(data, &wanted, cx).await?;
        let user = wanted.user(secret.password);
        let facts = warehouse.facts(cx.cancelled()).await.map_err(|error| explain(&error, cx))?;
        let made = user::create(&warehouse, &user, cx.cancelled()).await;
        cx.set("endpoint", warehouse.access().endpoint.to_string());
        cx.set("namespace", facts.namespace.clone());
        match made {
            Ok(_) => {
                cx.created();
                cx.set("password_version", secret.version);
            }
            Err(failed) => {
                if failed.made {
                    cx.created();
                    cx.set("password_version", secret.version);
                }
                let error = failed.error;
                let diagnostic = explain(&error, cx);
                return Err(if matches!(error, Error::Exists { .. }) {
                    shows_import(&diagnostic, cx)
                } else {
                    diagnostic
                }
                .into());
            }
        }
        Ok(())
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
                state.show_drift(&found, cx);
                if let Some(store) = state.store() {
                    rotation::look(data, &store, cx).await?;
                }
            }
            Err(error) => {
                place::unread(data, &link, &error, cx)?;
            }
        }
        Ok(Found::Here)
    }

    async fn update(data: &Configured, prior: Model, wanted: Model, cx: &mut Change<'_>) -> Result<(), Diagnostics> {
        let explain = |error: &Error, cx: &Change<'_>| errors::on_attribute(error, &data.hints(), cx.config());
        let imported = cx.private(IMPORTED).is_some();
        // Unknown where a secret says it: then it is read now.
        let stored = match wanted.store() {
            Some(_) if cx.planned().at("password_version").is_unknown() => {
                Some(secrets::wanted(data, &wanted, cx).await?)
            }
            _ => None,
        };
        let version = stored.as_ref().map_or_else(|| wanted.password_version.clone(), |stored| stored.version.clone());
        let password = match (prior.password_version.as_deref(), version.as_deref()) {
            // The first version after an import says what the password is, and changes nothing.
            (None, Some(version)) if imported && prior.name == wanted.name => {
                cx.warn(recorded(version));
                Password::Keep
            }
            (before, Some(now)) if before != Some(now) || prior.name != wanted.name => match stored {
                Some(stored) => stored.password,
                None => secrets::wanted(data, &wanted, cx).await?.password,
            },
            (Some(_), None) => Password::Disable,
            _ => Password::Keep,
        };
        let is_settled = version.is_some() || !matches!(password, Password::Keep);
        let nothing_to_do =
            matches!(password, Password::Keep) && prior.name == wanted.name && !prior.differs_in_limits(&wanted);
        let is_elsewhere = prior.endpoint != wanted.endpoint || wanted.endpoint.is_none();
        if !nothing_to_do || is_elsewhere || cx.planned().at("namespace").is_unknown() {
            let link = link::known(cx.planned())?;
            let warehouse = place::to_update(data, &link, wanted.made_before(&prior), cx.cancelled())
                .await
                .map_err(|error| explain(&error, cx))?;
            if !nothing_to_do {
                let found = look_up(&warehouse, &prior.name, &wanted, cx).await.map_err(|error| explain(&error, cx))?;
                let changed = user::alter(&warehouse, &found, &wanted.user(password), cx.cancelled()).await;
                for warning in changed.map_err(|error| explain(&error, cx))? {
                    cx.warn(Diagnostic::warning(warning.summary, warning.detail));
                }
            }
            place::pin(&warehouse, cx).await.map_err(|error| explain(&error, cx))?;
        } else {
            place::still_there(data, &link::known(cx.planned())?, wanted.endpoint.as_deref())
                .map_err(|error| explain(&error, cx))?;
        }
        if cx.planned().at("password_version").is_unknown() {
            cx.set("password_version", version);
        }
        rotation::sent(cx);
        if is_settled {
            cx.set_private(IMPORTED, serde_json::Value::Null);
        }
        Ok(())
    }

    async fn delete(data: &Configured, state: Model, cx: &mut Change<'_>) -> Result<(), Diagnostics> {
        let link = link::known(cx.prior())?;
        let warehouse = match place::made_in(data, &link, state.made(), cx.cancelled()).await {
            Ok(warehouse) => warehouse,
            Err(error) => return place::let_go(data, &link, state.endpoint.as_deref(), &error, cx),
        };
        let roles = roles_of(&warehouse, &state.name, cx.cancelled()).await;
        let skipped: Vec<String> = state.skip_databases.unwrap_or_default().into_iter().collect();
        let dropped = user::drop_user(&warehouse, &state.name, state.force_destroy, &skipped, cx.cancelled()).await;
        for warning in dropped.map_err(|error| errors::of_destroy(&error, &data.hints()))?.warnings {
            cx.warn(Diagnostic::warning(warning.summary, warning.detail));
        }
        if !roles.is_empty() {
            cx.warn(roles_lost(&state.name, &roles));
        }
        Ok(())
    }

    async fn import(data: &Configured, id: &str, cx: &mut Change<'_>) -> Result<(), Diagnostics> {
        let hints = data.hints();
        let explain = |error: Error| errors::diagnostic(&error, &hints);
        let id: UserId = id.parse().map_err(|error| errors::of_id(data, &error, id, errors::Kind::User))?;
        let (link, connection_id, endpoint) =
            place::imported(data, &id.connection, cx.cancelled()).await.map_err(explain)?;
        let warehouse = data.warehouse(&link, cx.cancelled()).await.map_err(explain)?;
        let facts = warehouse.facts(cx.cancelled()).await.map_err(explain)?;
        if user::find(&warehouse, &id.name, false, cx.cancelled()).await.map_err(explain)?.is_none() {
            let detail = format!("{endpoint} has no user of exactly this name. User names keep their case.");
            return Err(Diagnostic::error(format!("User \"{}\" does not exist", id.name), detail).into());
        }
        cx.set("id", id.to_string());
        cx.set("name", id.name);
        cx.set("connection_id", connection_id);
        cx.set("endpoint", endpoint);
        cx.set("namespace", facts.namespace.clone());
        cx.set("password_hash", "md5");
        cx.set("force_destroy", false);
        cx.set_private(IMPORTED, true);
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

    /// Where the update is planned: the pinned endpoint, of the warehouse that state knows.
    fn made_before<'a>(&'a self, prior: &'a Model) -> place::Made<'a> {
        place::Made { endpoint: self.endpoint.as_deref(), ..prior.made() }
    }

    /// Where AWS keeps the password.
    fn store(&self) -> Option<StoredAt> {
        rotation::stored_at(self.password_ssm_parameter.as_ref(), self.secret_id.as_ref())
    }

    fn user(&self, password: Password) -> UserWanted {
        UserWanted {
            name: self.name.clone(),
            password,
            connection_limit: self.connection_limit.map(ConnectionLimit::of),
            valid_until: self.valid_until(),
        }
    }

    fn valid_until(&self) -> Option<ValidUntil> {
        self.valid_until.as_deref().and_then(|text| ValidUntil::parse(text).ok())
    }

    /// Whether a limit that is managed is to be another than in state.
    fn differs_in_limits(&self, wanted: &Model) -> bool {
        (wanted.connection_limit.is_some() && wanted.connection_limit != self.connection_limit)
            || (wanted.valid_until.is_some() && wanted.valid_until() != self.valid_until())
    }

    /// Puts what differs from state there; the same instant in other words does not.
    fn show_drift(&self, found: &UserFound, cx: &mut Change<'_>) {
        if let (Some(_), Some(limit)) = (self.connection_limit, found.connection_limit)
            && Some(limit) != self.connection_limit.map(ConnectionLimit::of)
        {
            cx.set("connection_limit", limit.number());
        }
        if let (Some(known), Some(seen)) = (self.valid_until(), found.valid_until)
            && known != seen
        {
            cx.set("valid_until", seen.text());
        }
    }
}

/// A user that is made in the place of one that is dropped has none of his rights. Datastores that refer to it are planned
/// after it, and give them back in the same apply.
fn note_new(data: &Configured, plan: &Plan<'_>) {
    if let (Some(endpoint), Some(name)) = (plan.planned().at("endpoint").as_str(), plan.planned().at("name").as_str()) {
        data.note_new_user(endpoint, name);
    }
}

/// What goes with a user who holds roles of datastores, where these are not destroyed before him.
fn roles_lost(name: &str, roles: &[String]) -> Diagnostic {
    let detail = format!(
        "He held {}. If he is made anew in this apply, datastores whose service_user refers to the user by \
         `redshift_user.….name` give theirs back in it; the others do with the next apply.",
        roles.join(", ")
    );
    Diagnostic::warning(format!("User \"{name}\" was dropped with the roles of datastores"), detail)
}

async fn look(warehouse: &Warehouse, state: &Model, cx: &Change<'_>) -> Result<Option<UserFound>, Error> {
    user::find(warehouse, &state.name, state.connection_limit.is_some(), cx.cancelled()).await
}

async fn look_up(warehouse: &Warehouse, name: &str, wanted: &Model, cx: &Change<'_>) -> Result<UserFound, Error> {
    let found = user::find(warehouse, name, wanted.connection_limit.is_some(), cx.cancelled()).await?;
    found.ok_or_else(|| {
        Error::refused(
            format!("User \"{name}\" does not exist"),
            "Somebody dropped or renamed the user since the plan was made. Plan again.",
        )
    })
}

fn id(data: &Configured, planned: &Value) -> Value {
    let name = planned.at("name");
    let (Some(name), Ok(Some(link))) = (name.as_str(), Link::read(planned)) else { return Value::Unknown };
    place::base_id(data, &link)
        .map_or(Value::Unknown, |connection| UserId { connection, name: name.to_owned() }.to_string().into())
}

fn shows_import(diagnostic: &Diagnostic, cx: &Change<'_>) -> Diagnostic {
    let id = cx.planned().at("id").as_str().unwrap_or_default().to_owned();
    let block = format!("import {{\n  to = redshift_user.NAME_OF_THE_RESOURCE\n  id = \"{id}\"\n}}");
    let replaced = "Or is Terraform replacing this user (-replace, or another warehouse)? Under `create_before_destroy` the new one is made \
                    while the old one is still there, and there cannot be two of one name: take that line out of `lifecycle`. For \
                    another password no replacement is needed: raise `password_wo_version`.";
    Diagnostic::error(diagnostic.summary(), format!("{}\n\n{block}\n\n{replaced}", diagnostic.detail())).at("name")
}

fn recorded(version: &str) -> Diagnostic {
    Diagnostic::warning(
        "The password was not sent",
        format!(
            "This user was imported, and version {version} of its password is the first that is written. It was recorded, and the \
             password in the warehouse was left as it is. Raise `password_wo_version` to send it, or store a new version where AWS keeps it."
        ),
    )
}

fn name(value: &Value) -> Result<(), String> {
    check_name(value.as_str().unwrap_or_default()).map_err(|problem| format!("In name: {problem}."))
}

fn databases(value: &Value) -> Result<(), String> {
    let Value::List(names) = value else { return Ok(()) };
    for name in names.iter().filter(|name| !name.is_unknown()) {
        let named = name.as_str().ok_or_else(|| "A name in skip_databases is null.".to_owned())?;
        check_name(named).map_err(|problem| format!("In skip_databases: {problem}."))?;
    }
    Ok(())
}

fn valid_until(value: &Value) -> Result<(), String> {
    ValidUntil::parse(value.as_str().unwrap_or_default()).map(drop)
}
