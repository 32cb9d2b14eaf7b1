//! `redshift_integration`: a governance integration, made by an apply or verified after a person ran its scripts.

mod import;
pub(super) mod listed;
mod model;
pub(super) mod schema;
pub(super) mod scripts;
mod secrets;

use super::configured::Configured;
use super::{errors, link, place, rotation, tests_result};
use crate::engine::bootstrap::life::{self, Looked};
use crate::engine::bootstrap::{self, ALTERED, Applied, NotApplied, Removal, Request, Seen, Spec};
use crate::engine::error::Error;
use crate::engine::session::validation::{Status, TestResult, Validation};
use crate::terraform::{Change, Diagnostic, Diagnostics, Found, Plan, Resource, Schema, Value};
use model::{Kept, Model};

/// The resource `redshift_integration`.
pub struct Integration;

/// The documents' words for a removal without a login.
const NEEDS_LOGIN: &str = "Integrations that are automatically configured require privileged credentials to disable.";

impl Resource for Integration {
    type Data = Configured;
    type Model = Model;
    const NAME: &'static str = "integration";

    fn schema() -> Schema<Configured> {
        schema::schema()
    }

    fn check(config: &Value, d: &mut Diagnostics) {
        schema::check(config, d);
    }

    async fn plan(data: &Configured, plan: &mut Plan<'_>) -> Result<(), Diagnostics> {
        place::plan(data, plan, None).await?;
        if plan.settings_changed() {
            refuse_what_cannot_be(data, plan)?;
        }
        secrets::plan(plan);
        if plan.is_create() {
            return Ok(());
        }
        replace_where_defaults_differ(plan);
        if plan.settings_changed() {
            let scripts = schema::scripts_of(data, plan.planned(), Some(plan.prior()));
            if !scripts.is_unknown() {
                // What makes no difference to the SQL leaves the last edit as it was.
                let keeps = scripts.at("edit").is_null();
                plan.set("scripts", scripts);
                if keeps {
                    let edit = plan.prior().at("scripts.edit").clone();
                    plan.set("scripts.edit", edit);
                }
            }
        }
        Ok(())
    }

    async fn create(data: &Configured, wanted: Model, cx: &mut Change<'_>) -> Result<(), Diagnostics> {
        let explain = |error: &Error, cx: &Change<'_>| errors::on_attribute(error, &data.hints(), cx.config());
        let link = link::known(cx.planned())?;
        let warehouse = data.warehouse(&link, cx.cancelled()).await.map_err(|error| explain(&error, cx))?;
        let facts = warehouse.facts(cx.cancelled()).await.map_err(|error| explain(&error, cx))?;
        let spec = wanted.settings.spec(&warehouse.access().database);
        cx.set("endpoint", warehouse.access().endpoint.to_string());
        cx.set("namespace", facts.namespace.clone());
        if !wanted.settings.auto_bootstrap {
            let looked = life::verify(&warehouse, &spec, None, true, cx.cancelled())
                .await
                .map_err(|error| explain(&error, cx))?;
            return verified(&spec, &looked, cx);
        }
        let secret = secrets::wanted(data, &wanted, None, cx).await?;
        let serverless = data.resolved(&link.settings).is_some_and(|to| to.product == "redshift-serverless");
        let request = Request { spec, password: secret.password, serverless };
        match bootstrap::create(&warehouse, &request, cx.cancelled()).await {
            Ok(applied) => {
                cx.created();
                record(applied, secret.version, cx);
                Ok(())
            }
            Err(failed) => {
                if let Some(left) = &failed.left {
                    cx.created();
                    cx.set("id", left.id.clone());
                    cx.set("status", left.status.name());
                    cx.set("validation_results", results(&failed.tests));
                    cx.set("password_version", secret.version);
                    Kept { made: left.made.clone(), view: None }.keep(cx);
                }
                Err(report(data, &failed, cx))
            }
        }
    }

    async fn read(data: &Configured, state: Model, cx: &mut Change<'_>) -> Result<Found, Diagnostics> {
        data.reads();
        let link = link::known(cx.prior())?;
        if !link.enabled {
            return Ok(Found::Here);
        }
        let kept = Kept::read(cx).unwrap_or_default();
        let looked = match place::made_in(data, &link, state.made(), cx.cancelled()).await {
            Ok(warehouse) => {
                let spec = state.settings.spec(&warehouse.access().database);
                let by_hand = !state.settings.auto_bootstrap;
                let known = state.known(&kept);
                let looked = life::verify(&warehouse, &spec, Some(&known), by_hand, cx.cancelled()).await;
                looked.map(|looked| (spec, looked))
            }
            Err(error) => Err(error),
        };
        match looked {
            Ok((spec, looked)) => {
                let found = show(&state, &spec, &looked, cx);
                if let Some(store) = state.store().filter(|_| found == Found::Here) {
                    rotation::look(data, &store, cx).await?;
                }
                return Ok(found);
            }
            Err(error) => {
                let warning = data.unread(&error)?;
                cx.warn(warning);
            }
        }
        Ok(Found::Here)
    }

    async fn update(data: &Configured, prior: Model, wanted: Model, cx: &mut Change<'_>) -> Result<(), Diagnostics> {
        let explain = |error: &Error, cx: &Change<'_>| errors::on_attribute(error, &data.hints(), cx.config());
        let link = link::known(cx.planned())?;
        let secret = secrets::wanted(data, &wanted, Some(&prior), cx).await?;
        let keeps_password = matches!(secret.password, bootstrap::UserPassword::Keep);
        let is_whole = prior.status.as_deref() == Some("enabled") && prior.missing.as_ref().is_none_or(Vec::is_empty);
        let same = |home: &str| prior.settings.spec(home).same_in_warehouse(&wanted.settings.spec(home));
        if is_whole && keeps_password && same("") && prior.endpoint == wanted.endpoint && wanted.endpoint.is_some() {
            return place::still_there(data, &link, wanted.endpoint.as_deref())
                .map_err(|error| explain(&error, cx).into());
        }
        let warehouse = place::to_update(data, &link, wanted.made_before(&prior), cx.cancelled())
            .await
            .map_err(|error| explain(&error, cx))?;
        let spec = wanted.settings.spec(&warehouse.access().database);
        let kept = Kept::read(cx).unwrap_or_default();
        if cx.planned().at("endpoint").is_unknown() {
            let facts = warehouse.facts(cx.cancelled()).await.map_err(|error| explain(&error, cx))?;
            cx.set("endpoint", warehouse.access().endpoint.to_string());
            cx.set("namespace", facts.namespace.clone());
        }
        if !wanted.settings.auto_bootstrap {
            let known = life::Known { view: None, ..prior.known(&kept) };
            let looked = life::verify(&warehouse, &spec, Some(&known), true, cx.cancelled())
                .await
                .map_err(|error| explain(&error, cx))?;
            return verified(&spec, &looked, cx);
        }
        let serverless = data.resolved(&link.settings).is_some_and(|to| to.product == "redshift-serverless");
        let request = Request { spec, password: secret.password, serverless };
        match bootstrap::update(&warehouse, &request, &prior.known(&kept), cx.cancelled()).await {
            Ok(applied) => {
                record(applied, secret.version, cx);
                Ok(())
            }
            Err(failed) => {
                if let Some(left) = &failed.left {
                    cx.set("status", left.status.name());
                }
                Err(report(data, &failed, cx))
            }
        }
    }

    async fn delete(data: &Configured, state: Model, cx: &mut Change<'_>) -> Result<(), Diagnostics> {
        let hints = data.hints();
        let link = link::known(cx.prior())?;
        let automatic = state.settings.auto_bootstrap;
        if !automatic && state.abandon_on_destroy {
            let detail = format!("abandon_on_destroy is set: database {} was not looked at.", state.settings.database);
            cx.warn(Diagnostic::warning("The integration's objects are left in the warehouse", detail));
            return Ok(());
        }
        let warehouse =
            place::made_in(data, &link, state.made(), cx.cancelled()).await.map_err(|error| match error {
                Error::NoPassword { .. } if automatic => {
                    let missing = errors::diagnostic(&error, &hints);
                    let detail = format!("{NEEDS_LOGIN}\n\n{}: {}", missing.summary(), missing.detail());
                    Diagnostic::error("400 Bad Request", detail)
                }
                error => errors::diagnostic(&error, &hints),
            })?;
        let spec = state.settings.spec(&warehouse.access().database);
        let explain = |error: Error| errors::diagnostic(&error, &hints);
        if !automatic {
            let found = bootstrap::look(&warehouse, &spec, cx.cancelled()).await.map_err(explain)?;
            let left = bootstrap::gone(&found, &spec);
            return if left.is_empty() { Ok(()) } else { Err(not_removed(&spec, &warehouse.access().database, &left)) };
        }
        let kept = Kept::read(cx);
        let removal = Removal {
            spec,
            made: kept.map(|kept| kept.made),
            id: state.id.filter(|id| !id.is_empty()),
            force: state.force_destroy,
            run: None,
        };
        if let Err(error) = bootstrap::remove(&warehouse, &removal, cx.cancelled()).await {
            cx.set("status", bootstrap::Status::DeleteError.name());
            return Err(explain(error).into());
        }
        Ok(())
    }

    async fn import(data: &Configured, id: &str, cx: &mut Change<'_>) -> Result<(), Diagnostics> {
        import::import(data, id, cx).await
    }
}

/// What only the connection's own database tells: the managed one cannot be made from itself.
fn refuse_what_cannot_be(data: &Configured, plan: &Plan<'_>) -> Result<(), Diagnostics> {
    let settings = plan.planned().decode::<model::Settings>();
    let (Ok(settings), Some(home)) = (settings, schema::home(data, plan.planned())) else { return Ok(()) };
    settings.spec(&home).check().map_err(|error| errors::on_attribute(&error, &data.hints(), plan.config()).into())
}

/// Another value that comes to the same as the default replaces nothing, and leaving a value out may replace.
fn replace_where_defaults_differ(plan: &mut Plan<'_>) {
    let read = |value: &Value| value.decode::<model::Settings>().ok();
    let (Some(before), Some(wanted)) = (read(plan.prior()), read(plan.planned())) else { return };
    if before.creates_database() != wanted.creates_database() {
        plan.replace("create_database");
    }
    if before.system_user_name() != wanted.system_user_name() {
        plan.replace("system_user");
    }
}

/// A set-up by hand is there as it should be, or each thing that is missing is an error.
fn verified(spec: &Spec, looked: &Looked, cx: &mut Change<'_>) -> Result<(), Diagnostics> {
    let mut d = Diagnostics::new();
    match looked.marker() {
        Seen::Here(marker) if marker.digest != spec.digest() => d.push(Diagnostic::error(
            "The scripts were made for other settings",
            "The marker in the warehouse was written by a script for another configuration. Use the settings that the script was made with, or run the script that this plan shows.",
        )),
        // A person removed it and made it again.
        Seen::Here(marker) if cx.prior().at("id").as_str().is_some_and(|id| id != marker.id) => d.push(Diagnostic::error(
            "Another integration is in its place",
            format!("Database {} holds integration {}. Take this one out of state (`terraform state rm`), and import that one by its id.", spec.database, marker.id),
        )),
        Seen::Here(marker) => {
            for what in &looked.missing {
                d.push(Diagnostic::error("The integration is not complete", format!("Missing: {what}. Run the script again, or grant it by hand.")));
            }
            if !d.has_errors() {
                cx.created();
                cx.set("id", marker.id.clone());
                cx.set("status", "enabled");
                cx.set("missing", Vec::<String>::new());
                cx.set("validation_results", results(&life::tests_by_hand()));
                Kept { made: marker.made.clone(), view: looked.view.clone() }.keep(cx);
            }
        }
        Seen::Unseen => d.push(Diagnostic::error(
            "The integration cannot be verified",
            format!("The login may not read {}.integration in database {}. Sign in as the user who ran the script, or as marker_owner.", spec.system(), spec.database),
        )),
        Seen::Absent | Seen::Foreign => {
            for what in &looked.missing {
                d.push(Diagnostic::error("The integration is not complete", format!("Missing: {what}. Run the scripts of this plan first: scripts.initial_create, then scripts.create.")));
            }
        }
    }
    if d.has_errors() { Err(d) } else { Ok(()) }
}

/// Puts what was seen into state.
fn show(state: &Model, spec: &Spec, looked: &Looked, cx: &mut Change<'_>) -> Found {
    if bootstrap::gone(&looked.found, spec).is_empty()
        && looked.found.inside.as_ref().is_none_or(|it| it.marker == Seen::Absent)
    {
        return Found::Gone;
    }
    match looked.marker() {
        Seen::Unseen => cx.warn(Diagnostic::warning(
            "The integration cannot be seen",
            format!("The login may not read {}.integration in database {}, so state stays as it was. Only changes need a login that can.", spec.system(), spec.database),
        )),
        Seen::Here(marker) => {
            let altered = !looked.missing.is_empty() && marker.status == bootstrap::Status::Enabled;
            let another = state.id.as_ref().is_some_and(|id| *id != marker.id);
            if another {
                cx.warn(Diagnostic::warning(
                    "Another integration is in its place",
                    format!("Database {} holds integration {}. It is left alone.", spec.database, marker.id),
                ));
            }
            cx.set("missing", looked.missing.clone());
            cx.set("status", if altered || another { ALTERED } else { marker.status.name() });
        }
        Seen::Absent | Seen::Foreign => {
            cx.set("missing", looked.missing.clone());
            cx.set("status", ALTERED);
        }
    }
    Found::Here
}

fn record(applied: Applied, password_version: Option<String>, cx: &mut Change<'_>) {
    if cx.planned().at("password_version").is_unknown() {
        cx.set("password_version", password_version);
    }
    rotation::sent(cx);
    cx.set("id", applied.id);
    cx.set("status", "enabled");
    cx.set("missing", Vec::<String>::new());
    cx.set("validation_results", results(&applied.tests));
    for warning in tests_result::report(&applied.tests).iter().filter(|told| !told.is_error()) {
        cx.warn(warning.clone());
    }
    Kept { made: applied.made, view: applied.view }.keep(cx);
}

fn results(tests: &[TestResult]) -> Value {
    let status = tests.iter().map(|test| test.status).max().unwrap_or(Status::Passed);
    tests_result::value(&Validation { status, tests: tests.to_vec(), facts: None, error: None })
}

fn report(data: &Configured, failed: &NotApplied, cx: &Change<'_>) -> Diagnostics {
    let mut d = Diagnostics::new();
    for error in &failed.errors {
        d.push(errors::on_attribute(error, &data.hints(), cx.config()));
    }
    d
}

fn not_removed(spec: &Spec, home: &str, left: &[String]) -> Diagnostics {
    let script = bootstrap::scripts(spec, home, None).delete;
    Diagnostic::error(
        "The integration is still there",
        format!(
            "auto_bootstrap is false, so nothing is dropped here. Still there: {}. Run this script, or set abandon_on_destroy = true and apply:\n\n{}",
            left.join(", "),
            script.sql
        ),
    )
    .into()
}
