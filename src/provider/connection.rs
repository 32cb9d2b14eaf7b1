//! `redshift_connection`: proves that a login works, and gives dependents an id that says where and how, without a secret.

use serde::Deserialize;

use super::configured::Configured;
use super::errors;
use super::link::Link;
use super::settings::{self, Place};
use super::tests_result;
use crate::engine::error::Error;
use crate::engine::session::validation::{Validation, validate};
use crate::engine::settings::Settings;
use crate::engine::settings::defaults::Resolved;
use crate::engine::settings::endpoint::Endpoint;
use crate::engine::settings::id::ConnectionId;
use crate::engine::settings::jdbc_url;
use crate::terraform::{
    Change, Diagnostics, Found, Plan, Resource, Schema, Value, boolean, list, number, object, string,
};

/// The resource `redshift_connection`.
pub struct Connection;

/// A connection once everything about it is known.
#[derive(Deserialize)]
pub struct Model {
    enabled: bool,
    validation_results: Option<tests_result::Results>,
}

/// What the id is made of.
#[derive(Deserialize)]
struct Enabled {
    enabled: bool,
}

impl Resource for Connection {
    type Data = Configured;
    type Model = Model;
    const NAME: &'static str = "connection";

    fn schema() -> Schema<Configured> {
        let schema = Schema::new(
            "A login to a warehouse, proved by signing in. Others refer to it by its `id`, which holds the settings and no \
             secret. It makes nothing in the warehouse.",
        )
        .setting("name", string().required().max_length(255).doc("Name shown in messages. Kept in state only."))
        .setting("description", string().max_length(255).doc("Kept in state only."))
        .setting(
            "enabled",
            boolean().default(true).doc("`false`: no call is made for this connection, and what depends on it keeps its state."),
        );
        settings::attributes(Place::Connection)
            .into_iter()
            .fold(schema, |schema, (name, attribute)| schema.setting(name, attribute))
            .derived("id", string().doc("The settings as a URI, without secrets; also the import id."), |_, planned| {
                id(planned)
            })
            .pure("endpoint", string().doc("`host:port` of the warehouse."), |data: &Configured, own: Settings| {
                of_place(data, &own, "endpoint")
            })
            .pure("resolved", settings::resolved_attribute(), |data: &Configured, own: Settings| {
                of_place(data, &own, "resolved")
            })
            .pure(
                "type",
                string().doc("`redshift` for a cluster, `redshift-serverless` for a workgroup."),
                |data: &Configured, own: Settings| of_place(data, &own, "type"),
            )
            .pure(
                "jdbc_url",
                string().doc("URL for JDBC drivers, without user and password; `jdbc:redshift:iam://` where AWS gives the credentials."),
                |data: &Configured, own: Settings| of_place(data, &own, "jdbc_url"),
            )
            .drift(
                "connected",
                boolean().doc(
                    "Whether the last sign-in worked; null for a connection that is disabled. A plan that shows `false` as `true` \
                     signs in again, after the warehouse has refused the login. While the warehouse cannot be reached, it says \
                     what it said before.",
                ),
                true,
            )
            .observed(
                "database_user",
                string().doc("Database user of the session that the last create or update opened."),
            )
            .observed("server_version", string().doc("Version that the warehouse reports."))
            .observed(
                "network",
                object([
                    ("port", number().doc("The port to let through.")),
                    ("publicly_accessible", boolean().doc("Whether it has a public address.")),
                    ("security_groups", list(string()).doc("Ids of its VPC security groups, for the rule that lets a tool through.")),
                ])
                .doc(
                    "What a security group rule needs. Known where AWS is asked for the endpoint, that is for a connection by \
                     `cluster_identifier` or `workgroup_name` without a host; else null.",
                ),
            )
            .observed("validation_results", tests_result::attribute())
    }

    fn check(config: &Value, d: &mut Diagnostics) {
        settings::refuse_password(config, "", d);
        settings::check(config, "", Place::Connection, d);
    }

    async fn plan(data: &Configured, plan: &mut Plan<'_>) -> Result<(), Diagnostics> {
        let link = link(plan.planned())?;
        if plan.planned().at("id") != plan.prior().at("id") {
            data.require_login(&link).map_err(|error| errors::on_attribute(&error, &data.hints(), plan.config()))?;
        }
        plan_to_sign_in(plan);
        let is_new = plan.is_create() || plan.planned().at("id") != plan.prior().at("id");
        if is_new {
            // What a refresh found is not known to the apply, which plans once more and must come to the same.
            let as_written = data.resolved_as_written(&link.settings).map(|to| place_values(&to));
            for name in OF_PLACE {
                let values = as_written.iter().flatten();
                let value = values.clone().find(|(known, _)| *known == name);
                plan.set(name, value.map_or(Value::Unknown, |(_, value)| value.clone()));
            }
        }
        // What is inherited may lead elsewhere by now. That is another connection, as if its own host had changed.
        let now = data.resolved(&link.settings).and_then(|to| to.endpoint).map(|endpoint| endpoint.to_string());
        if let (false, Some(now), Some(before)) = (plan.is_create(), now, plan.prior().at("endpoint").as_str())
            && now != before
            && data.makes_a_plan()
        {
            let settings = link.settings.clone();
            if let Some(to) = data.resolved(&settings) {
                for (name, value) in place_values(&to) {
                    plan.set(name, value);
                }
            }
            plan.replace("endpoint");
        }
        // What has to be looked up stays as it was found while the same settings lead there.
        if !plan.is_create() && plan.planned().at("id") == plan.prior().at("id") {
            for name in OF_PLACE {
                if plan.planned().at(name).is_unknown() && !plan.prior().at(name).is_null() {
                    plan.set(name, plan.prior().at(name).clone());
                }
            }
        }
        Ok(())
    }

    async fn create(data: &Configured, wanted: Model, cx: &mut Change<'_>) -> Result<(), Diagnostics> {
        prove(data, &wanted, cx).await
    }

    async fn read(data: &Configured, state: Model, cx: &mut Change<'_>) -> Result<Found, Diagnostics> {
        data.reads();
        if !state.enabled {
            cx.set("connected", Value::Null);
            cx.set("validation_results", Value::Null);
            return Ok(Found::Here);
        }
        let seen = match link(cx.prior()) {
            Ok(link) => sign_in(data, &link, cx).await,
            Err(problem) => return Err(problem),
        };
        match seen {
            Ok(seen @ Validation { facts: Some(_), .. }) => {
                cx.set("connected", true);
                cx.set_private(REFUSED, serde_json::Value::Null);
                cx.set("server_version", seen.facts.as_ref().map(|facts| facts.server_version.clone()));
                let own = link(cx.prior())?.settings;
                let network = network(data, &own);
                if !network.is_null() {
                    cx.set("network", network);
                }
                // After an import whose look-up failed.
                if let (true, Some(to)) = (cx.prior().at("endpoint").is_null(), data.resolved(&own)) {
                    set_place(&to, cx);
                }
                state.show(&seen, cx);
            }
            Ok(Validation { error: None, .. }) => {}
            Ok(seen @ Validation { error: Some(_), .. }) => {
                let error = seen.error.clone().unwrap_or(Error::Cancelled);
                let warning = data.unheard(&error)?;
                cx.warn(warning);
                if error.is_refusal() {
                    cx.set("connected", false);
                    cx.set_private(REFUSED, true);
                    state.show(&seen, cx);
                }
            }
            Err(error) => {
                let warning = data.unheard(&error)?;
                cx.warn(warning);
                if error.is_refusal() {
                    cx.set("connected", false);
                    cx.set_private(REFUSED, true);
                    cx.set("validation_results", tests_result::not_tried(&error));
                }
            }
        }
        Ok(Found::Here)
    }

    async fn update(data: &Configured, _: Model, wanted: Model, cx: &mut Change<'_>) -> Result<(), Diagnostics> {
        let is_proved = cx.planned().at("connected") == cx.prior().at("connected");
        if cx.planned().at("id") == cx.prior().at("id") && is_proved && !cx.prior().at("connected").is_null() {
            // Name and description are kept in state only.
            for observed in ["connected", "database_user", "server_version", "network", "validation_results"] {
                cx.set(observed, cx.prior().at(observed).clone());
            }
            return Ok(());
        }
        prove(data, &wanted, cx).await
    }

    /// Nothing was made in the warehouse, so nothing is removed.
    async fn delete(_: &Configured, _: Model, _: &mut Change<'_>) -> Result<(), Diagnostics> {
        Ok(())
    }

    async fn import(data: &Configured, id: &str, cx: &mut Change<'_>) -> Result<(), Diagnostics> {
        let id: ConnectionId = id.parse().map_err(|error| errors::of_id(data, &error, id, errors::Kind::Connection))?;
        settings::set(id.settings(), cx);
        cx.set("enabled", id.enabled());
        cx.set("id", id.to_string());
        if let Err(error) = data.look_up(id.settings(), cx.cancelled()).await {
            let warning = data.unread(&error)?;
            cx.warn(warning);
        }
        if let Some(to) = data.resolved(id.settings()) {
            set_place(&to, cx);
        }
        Ok(())
    }
}

/// The key of private state that says that the login was refused: a warehouse that cannot be reached is none of this.
const REFUSED: &str = "refused";

/// A connection that was refused is planned to sign in again. One that is disabled does not, and neither does one about
/// which nothing was heard.
fn plan_to_sign_in(plan: &mut Plan<'_>) {
    let connected = match plan.planned().at("enabled") {
        Value::Unknown => Value::Unknown,
        _ if !plan.is_create()
            && plan.planned().at("id") == plan.prior().at("id")
            && plan.private(REFUSED).is_none() =>
        {
            plan.prior().at("connected").clone()
        }
        enabled if enabled.as_bool() == Some(false) => Value::Null,
        _ if plan.is_create() || plan.planned().at("id") != plan.prior().at("id") => return,
        _ => true.into(),
    };
    plan.set("connected", connected);
}

impl Model {
    /// Shows the tests, where a status is another than in state.
    fn show(&self, seen: &Validation, cx: &mut Change<'_>) {
        if !self.validation_results.as_ref().is_some_and(|known| known.same_as(&seen.tests)) {
            cx.set("validation_results", tests_result::value(seen));
        }
    }
}

/// What is known as soon as the settings lead somewhere.
const OF_PLACE: [&str; 4] = ["endpoint", "resolved", "type", "jdbc_url"];

/// Unknown where AWS has to be asked first.
fn place_values(to: &Resolved) -> [(&'static str, Value); 4] {
    let of_endpoint = |value: fn(&Resolved, &Endpoint) -> String| {
        to.endpoint.as_ref().map_or(Value::Unknown, |endpoint| value(to, endpoint).into())
    };
    [
        ("endpoint", of_endpoint(|_, endpoint| endpoint.to_string())),
        ("resolved", settings::resolved_value(to)),
        ("type", to.product.into()),
        ("jdbc_url", of_endpoint(|to, endpoint| jdbc_url(endpoint, &to.database, to.authentication_type))),
    ]
}

fn set_place(to: &Resolved, cx: &mut Change<'_>) {
    let known = place_values(to).into_iter().filter(|(_, value)| !value.is_unknown());
    known.for_each(|(name, value)| cx.set(name, value));
}

fn of_place(data: &Configured, own: &Settings, name: &str) -> Value {
    let values = data.resolved(own).map(|to| place_values(&to));
    let value = values.into_iter().flatten().find(|(known, _)| *known == name);
    value.map_or(Value::Unknown, |(_, value)| value)
}

fn network(data: &Configured, own: &Settings) -> Value {
    let port = data.resolved(own).and_then(|to| to.endpoint).map(|endpoint| u64::from(endpoint.port));
    data.network(own).map_or(Value::Null, |network| {
        Value::object([
            ("port", port.into()),
            ("publicly_accessible", network.publicly_accessible.into()),
            ("security_groups", network.security_groups.into()),
        ])
    })
}

fn link(value: &Value) -> Result<Link, Diagnostics> {
    let settings = settings::read(value)?;
    let enabled = value.at("enabled").as_bool().unwrap_or(true);
    Ok(Link::own(settings, enabled))
}

fn id(written: &Value) -> Value {
    let (Ok(settings), Ok(Enabled { enabled })) = (settings::read(written), written.decode()) else {
        return Value::Unknown;
    };
    if !settings.pending.is_empty() {
        return Value::Unknown;
    }
    // What is wrong with the settings was said before.
    ConnectionId::new(&settings, enabled).map_or(Value::Unknown, |id| id.to_string().into())
}

/// Signs in and runs the tests.
async fn sign_in(data: &Configured, link: &Link, cx: &Change<'_>) -> Result<Validation, Error> {
    let warehouse = data.warehouse(link, cx.cancelled()).await?;
    validate(&warehouse, &data.hints(), cx.cancelled()).await
}

/// Signs in; each test that failed is an error of its own.
async fn prove(data: &Configured, wanted: &Model, cx: &mut Change<'_>) -> Result<(), Diagnostics> {
    if !wanted.enabled {
        for observed in ["connected", "network", "validation_results"] {
            cx.set(observed, Value::Null);
        }
        return Ok(());
    }
    let link = link(cx.planned())?;
    let explain = |error: &Error| errors::on_attribute(error, &data.hints(), cx.config());
    let seen = sign_in(data, &link, cx).await.map_err(|error| explain(&error))?;
    if let Some(error) = &seen.error {
        return Err(explain(error).into());
    }
    let report = tests_result::report(&seen.tests);
    if report.has_errors() {
        return Err(report);
    }
    report.into_iter().for_each(|warning| cx.warn(warning));
    cx.set("connected", true);
    cx.set_private(REFUSED, serde_json::Value::Null);
    cx.set("database_user", seen.facts.as_ref().map(|facts| facts.user.clone()));
    cx.set("server_version", seen.facts.as_ref().map(|facts| facts.server_version.clone()));
    cx.set("network", network(data, &link.settings));
    cx.set("validation_results", tests_result::value(&seen));
    Ok(())
}
