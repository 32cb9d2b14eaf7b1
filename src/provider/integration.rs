//! `redshift_integration`: a governance integration, made by an apply or verified after a person ran its scripts.

mod import;
pub(super) mod listed;
mod model;
pub(super) mod schema;
pub(super) mod scripts;
mod secrets;

use super::configured::Configured;
use super::place::{self, Mark};
use super::{errors, link, rotation, tests_result};
use crate::engine::bootstrap::verify::{Looked, tests_by_hand, verify};
use crate::engine::bootstrap::{
    self, ALTERED, Applied, Impersonation, Keepsake, NotApplied, Removal, Request, Seen, Spec,
};
use crate::engine::error::Error;
use crate::engine::registration::mask_key;
use crate::engine::registration::uri::IntegrationUri;
use crate::engine::session::validation::{Status, TestResult, Validation};
use crate::engine::session::warehouse::Warehouse;
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
        let text = |name: &str| plan.prior().at(name).as_str().map(str::to_owned);
        let (id, database, prefix) = (text("id"), text("database"), text("prefix"));
        let mark = match (&id, &database, &prefix) {
            (Some(id), Some(database), Some(prefix)) => Mark::Integration { id, database, prefix },
            _ => Mark::None,
        };
        place::plan(data, plan, mark).await?;
        if plan.settings_changed() {
            refuse_what_cannot_be(data, plan)?;
        }
        secrets::plan(plan)?;
        if plan.is_create() {
            return Ok(());
        }
        replace_where_defaults_differ(plan);
        replace_what_is_gone(plan);
        warn_of_what_is_lost(plan);
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
            let looked =
                verify(&warehouse, &spec, None, true, cx.cancelled()).await.map_err(|error| explain(&error, cx))?;
            let tests = tests_by_hand(&warehouse, &spec, &looked, cx.cancelled()).await;
            return verified(&spec, &looked, &tests, cx);
        }
        let secret = secrets::wanted(data, &wanted, None, cx).await?;
        let serverless = data.resolved(&link.settings).is_some_and(|to| to.product == "redshift-serverless");
        let request = Request { spec, password: secret.password, serverless, new_key: false };
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
                    Kept { made: left.made.clone(), ..Kept::default() }.keep(cx);
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
        let kept = Kept::read(cx);
        let looked = match place::made_in(data, &link, state.made(), cx.cancelled()).await {
            Ok(warehouse) => {
                let spec = state.settings.spec(&warehouse.access().database);
                let by_hand = !state.settings.auto_bootstrap;
                let known = state.known(kept.as_ref());
                let looked = verify(&warehouse, &spec, Some(&known), by_hand, cx.cancelled()).await;
                looked.map(|looked| (spec, looked))
            }
            Err(error) => Err(error),
        };
        match looked {
            Ok((spec, looked)) => {
                place::was_read(cx);
                let keepsake = kept.map(|kept| kept.keepsake).unwrap_or_default();
                let found = show(&state, &spec, &looked, &keepsake, cx);
                if let Some(store) = state.store().filter(|_| found == Found::Here) {
                    rotation::look(data, &store, cx).await?;
                }
                return Ok(found);
            }
            Err(error) => {
                place::unread(data, &link, &error, cx)?;
            }
        }
        Ok(Found::Here)
    }

    async fn update(data: &Configured, prior: Model, wanted: Model, cx: &mut Change<'_>) -> Result<(), Diagnostics> {
        let explain = |error: &Error, cx: &Change<'_>| errors::on_attribute(error, &data.hints(), cx.config());
        let link = link::known(cx.planned())?;
        let secret = secrets::wanted(data, &wanted, Some(&prior), cx).await?;
        let keeps_password = matches!(secret.password, bootstrap::UserPassword::Keep);
        secrets::record(&secret, cx);
        if drops_what_is_needed(&prior.settings, &wanted.settings) {
            return Err(Diagnostic::error(DROPPED_FIRST, dropped_first(&wanted.settings)).at("database").into());
        }
        let is_whole = prior.status.as_deref() == Some("enabled") && !prior.has_drifted();
        let same = |home: &str| prior.settings.spec(home).same_in_warehouse(&wanted.settings.spec(home));
        let is_here = prior.endpoint == wanted.endpoint && wanted.endpoint.is_some();
        let renews = wanted.mask_key_version.is_some() && prior.mask_key_version != wanted.mask_key_version;
        let is_settled =
            is_whole && keeps_password && same("") && is_here && !cx.planned().at("namespace").is_unknown();
        if is_settled && !renews {
            return place::still_there(data, &link, wanted.endpoint.as_deref())
                .map_err(|error| explain(&error, cx).into());
        }
        let warehouse = place::to_update(data, &link, wanted.made_before(&prior), cx.cancelled())
            .await
            .map_err(|error| explain(&error, cx))?;
        let spec = wanted.settings.spec(&warehouse.access().database);
        let kept = Kept::read(cx);
        place::pin(&warehouse, cx).await.map_err(|error| explain(&error, cx))?;
        if renews && is_settled {
            return renew_mask_key(data, &warehouse, cx).await;
        }
        if !wanted.settings.auto_bootstrap {
            let mut known = prior.known(kept.as_ref());
            if !same(&warehouse.access().database) {
                // The script for the change made the view anew.
                known.keepsake.view = None;
            }
            let looked = verify(&warehouse, &spec, Some(&known), true, cx.cancelled())
                .await
                .map_err(|error| explain(&error, cx))?;
            let tests = tests_by_hand(&warehouse, &spec, &looked, cx.cancelled()).await;
            return verified(&spec, &looked, &tests, cx);
        }
        let serverless = data.resolved(&link.settings).is_some_and(|to| to.product == "redshift-serverless");
        let was = prior.settings.spec("");
        // Who was allowed to read everything knows the key.
        let new_key = was.key_version != spec.key_version || !was.allowed_readers.is_subset(&spec.allowed_readers);
        let request = Request { spec, password: secret.password, serverless, new_key };
        match bootstrap::update(&warehouse, &request, &prior.known(kept.as_ref()), cx.cancelled()).await {
            Ok(applied) => {
                record(applied, secret.version, cx);
                if renews { renew_mask_key(data, &warehouse, cx).await } else { Ok(()) }
            }
            Err(failed) => {
                if let Some(left) = &failed.left {
                    cx.set("status", left.status.name());
                    // As far as it came: what was made has to be removed one day.
                    let imported = kept.is_some_and(|kept| kept.imported);
                    Kept { made: left.made.clone(), keepsake: left.keepsake.clone(), imported }.keep(cx);
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
        let warehouse = match place::made_in(data, &link, state.made(), cx.cancelled()).await {
            Ok(warehouse) => warehouse,
            Err(error @ Error::NoPassword { .. }) if automatic => {
                let missing = errors::diagnostic(&error, &hints);
                let detail = format!("{NEEDS_LOGIN}\n\n{}: {}", missing.summary(), missing.detail());
                return Err(Diagnostic::error("400 Bad Request", detail).into());
            }
            Err(error) => return place::let_go(data, &link, state.endpoint.as_deref(), &error, cx),
        };
        let spec = state.settings.spec(&warehouse.access().database);
        let explain = |error: Error| errors::of_destroy(&error, &hints);
        if !automatic {
            let found = bootstrap::look(&warehouse, &spec, None, cx.cancelled()).await.map_err(explain)?;
            let left = bootstrap::gone(&found, &spec);
            return if left.is_empty() { Ok(()) } else { Err(not_removed(&spec, &warehouse.access().database, &left)) };
        }
        let kept = Kept::read(cx);
        let removal = Removal {
            spec,
            id: state.id.filter(|id| !id.is_empty()),
            keepsake: kept.as_ref().map(|kept| kept.keepsake.clone()).unwrap_or_default(),
            imported: kept.as_ref().is_some_and(|kept| kept.imported),
            made: kept.map(|kept| kept.made),
            force: state.force_destroy,
        };
        match bootstrap::remove(&warehouse, &removal, cx.cancelled()).await {
            Ok(warnings) => {
                for warning in warnings {
                    cx.warn(Diagnostic::warning(warning.summary, warning.detail));
                }
                Ok(())
            }
            Err(error) => {
                cx.set("status", bootstrap::Status::DeleteError.name());
                Err(explain(error).into())
            }
        }
    }

    async fn import(data: &Configured, id: &str, cx: &mut Change<'_>) -> Result<(), Diagnostics> {
        import::import(data, id, cx).await
    }
}

/// Makes another key of hashes. Where nothing was ever hashed there is none, and the first one is as good.
async fn renew_mask_key(data: &Configured, warehouse: &Warehouse, cx: &mut Change<'_>) -> Result<(), Diagnostics> {
    let uri = cx.planned().at("uri").as_str().unwrap_or_default().parse::<IntegrationUri>();
    let explain = |error: &Error| errors::on_attribute(error, &data.hints(), cx.config());
    let uri = uri.map_err(|error| explain(&error))?;
    mask_key::renew(warehouse, &uri, cx.cancelled()).await.map_err(|error| explain(&error))?;
    Ok(())
}

/// What only the connection's own database tells: the managed one cannot be made from itself.
fn refuse_what_cannot_be(data: &Configured, plan: &Plan<'_>) -> Result<(), Diagnostics> {
    let settings = plan.planned().decode::<model::Settings>();
    let (Ok(settings), Some(home)) = (settings, schema::home(data, plan.planned())) else { return Ok(()) };
    settings.spec(&home).check().map_err(|error| errors::on_attribute(&error, &data.hints(), plan.config()).into())
}

/// Another value that comes to the same as the default replaces nothing, and leaving a value out may replace.
fn replace_where_defaults_differ(plan: &mut Plan<'_>) {
    let creates = |value: &Value| match value.at("create_database") {
        Value::Null => value.at("type").as_str().map(|kind| kind == "Redshift"),
        written => written.as_bool(),
    };
    let user = |value: &Value| match (value.at("system_user.name"), value.at("prefix").as_str()) {
        (Value::Null, prefix) => prefix.map(|prefix| format!("{prefix}_system_user")),
        (written, _) => written.as_str().map(str::to_owned),
    };
    let read = |value: &Value| value.decode::<model::Settings>().ok();
    if let (Some(before), Some(wanted)) = (read(plan.prior()), read(plan.planned()))
        && drops_what_is_needed(&before, &wanted)
    {
        plan.warn(Diagnostic::warning(DROPPED_FIRST, format!("{} The apply will fail.", dropped_first(&wanted))));
        return;
    }
    if plan.prior().at("type") != plan.planned().at("type") {
        plan.replace("type");
    }
    // What is unknown may turn out to be another, and an update could not make it so.
    if creates(plan.prior()) != creates(plan.planned()) {
        plan.replace("create_database");
    }
    if user(plan.prior()) != user(plan.planned()) {
        plan.replace("system_user");
    }
}

const DROPPED_FIRST: &str = "The database would be dropped first";

/// The database that a replacement drops cannot be the one that has to be there.
fn drops_what_is_needed(before: &model::Settings, wanted: &model::Settings) -> bool {
    before.creates_database() && !wanted.creates_database() && before.database == wanted.database
}

fn dropped_first(wanted: &model::Settings) -> String {
    format!(
        "This integration made database {}, so replacing it drops the database, which then is to be there already. Keep \
         create_database = true, or name another database.",
        wanted.database
    )
}

/// Members of a group or role are nowhere else, and external schemas are made anew without what was granted on them.
fn warn_of_what_is_lost(plan: &mut Plan<'_>) {
    let read = |value: &Value| value.decode::<model::Settings>().ok();
    let (Some(before), Some(wanted)) = (read(plan.prior()), read(plan.planned())) else { return };
    let (before, wanted) = (before.spec(""), wanted.spec(""));
    let are_carried_over = wanted.impersonation.is_some() && wanted.members.is_some();
    let is_other = |actors: &Impersonation| wanted.impersonation.as_ref() != Some(actors) && !are_carried_over;
    if let Some(actors) = before.impersonation.filter(is_other) {
        let what = actors.to_string();
        let detail =
            format!("The {what} is dropped, and its members lose what it gives them. They are not taken over.");
        plan.warn(Diagnostic::warning(format!("The members of {what} are lost"), detail));
    }
    let again = before
        .external_schemas
        .iter()
        .filter(|(name, before)| wanted.external_schemas.get(*name).is_some_and(|wanted| wanted != *before));
    let again: Vec<&str> = again.map(|(name, _)| name.as_str()).collect();
    if !again.is_empty() {
        plan.warn(Diagnostic::warning(
            "Rights on external schemas are lost",
            format!(
                "Dropped and made again: {}. What others than the system user were granted on them has to be granted again.",
                again.join(", ")
            ),
        ));
    }
}

/// A database that somebody dropped cannot be repaired, only made again.
fn replace_what_is_gone(plan: &mut Plan<'_>) {
    let Some(database) = plan.prior().at("database").as_str() else { return };
    let gone = bootstrap::database_in_words(database);
    let is_gone = match plan.prior().at("missing") {
        Value::List(missing) => missing.iter().any(|what| what.as_str() == Some(gone.as_str())),
        _ => false,
    };
    if is_gone && *plan.planned().at("auto_bootstrap") == Value::from(true) {
        plan.set("id", Value::Unknown);
        plan.replace("id");
    }
}

/// The plan knows the scripts, and until they were run nothing else does.
const HOW_TO_GET: &str = "This prints the scripts:\n\n  terraform plan -out=plan.bin\n  terraform show -json plan.bin | jq -r '.planned_values | .. | \
                          .scripts? // empty | .initial_create, .create | .sql? // empty'\n\nThe data source redshift_integration_scripts \
                          gives them, too.";

/// One to a line, as Terraform leaves it.
fn listed(looked: &Looked) -> String {
    let missing = looked.missing.iter().map(|what| format!("  - {what}"));
    let surplus = looked.surplus.iter().map(|what| format!("  - {what} (which should not be there)"));
    missing.chain(surplus).collect::<Vec<_>>().join("\n")
}

/// A set-up by hand is there as it should be, or what is missing is an error.
fn verified(spec: &Spec, looked: &Looked, tests: &[TestResult], cx: &mut Change<'_>) -> Result<(), Diagnostics> {
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
            if !(looked.missing.is_empty() && looked.surplus.is_empty()) {
                let detail = format!(
                    "The script was run in database {}, and this is not as it left it:\n\n{}\n\nRun scripts.create again, or put it right \
                     by hand.\n\n{HOW_TO_GET}",
                    spec.database,
                    listed(looked)
                );
                d.push(Diagnostic::error("The integration is not complete", detail));
            }
            for test in tests.iter().filter(|test| test.status == Status::Failed) {
                d.push(Diagnostic::error(format!("Failed: {}", test.name), test.message.clone().unwrap_or_default()));
            }
            if !d.has_errors() {
                cx.created();
                cx.set("id", marker.id.clone());
                cx.set("status", "enabled");
                cx.set("missing", Vec::<String>::new());
                cx.set("surplus", Vec::<String>::new());
                cx.set("exposed_to", Vec::<String>::new());
                cx.set("validation_results", results(tests));
                warn(tests, cx);
                let kept = Kept { made: marker.made.clone(), keepsake: looked.keepsake.clone(), imported: false };
                kept.keep(cx);
            }
        }
        Seen::Unseen => d.push(Diagnostic::error(
            "The integration cannot be verified",
            format!("The login may not read {}.integration in database {}. Sign in as the user who ran the script, or as marker_owner.", spec.system(), spec.database),
        )),
        Seen::Theirs(owner) => d.push(Diagnostic::error(
            "The integration cannot be verified",
            format!("Schema {} of database {} belongs to user {owner}, and so does what is written in it. Sign in as that user or name {owner} as marker_owner, if the script was run by {owner}.", spec.system(), spec.database),
        )),
        Seen::Absent | Seen::Foreign | Seen::Broken(_) => {
            let first = match cx.planned().at("scripts.initial_create.run_in_database").as_str() {
                Some(home) if looked.found.database.is_none() => {
                    format!("scripts.initial_create in database {home}, then ")
                }
                _ => String::new(),
            };
            let detail = format!(
                "auto_bootstrap is false, so a person sets it up, and this is missing:\n\n{}\n\nRun {first}scripts.create in database {}, \
                 and apply again. Nothing was changed.\n\n{HOW_TO_GET}",
                listed(looked),
                spec.database
            );
            d.push(Diagnostic::error("The scripts of the integration were not run yet", detail));
        }
    }
    if d.has_errors() { Err(d) } else { Ok(()) }
}

/// Puts what was seen into state.
fn show(state: &Model, spec: &Spec, looked: &Looked, kept: &Keepsake, cx: &mut Change<'_>) -> Found {
    if bootstrap::gone(&looked.found, spec).is_empty()
        && looked.found.inside.as_ref().is_none_or(|it| it.marker == Seen::Absent)
    {
        return Found::Gone;
    }
    let unseen = match looked.marker() {
        Seen::Unseen => true,
        // Whom to believe was not kept by an earlier version, and this login cannot tell.
        Seen::Theirs(_) => kept.owner.is_none() && !looked.found.world.superuser,
        _ => false,
    };
    if !unseen {
        show_exposure(state, spec, looked, cx);
    }
    match looked.marker() {
        _ if unseen => cx.warn(Diagnostic::warning(
            "The integration cannot be seen",
            format!("The login may not read {}.integration in database {}, so state stays as it was. Only changes need a login that can.", spec.system(), spec.database),
        )),
        Seen::Here(marker) => {
            let another = state.id.as_ref().is_some_and(|id| *id != marker.id);
            if another && !looked.is_known(kept) {
                cx.warn(Diagnostic::warning(
                    "Another integration is in its place",
                    format!("Database {} holds integration {}. It is left alone.", spec.database, marker.id),
                ));
            }
            let mut missing = looked.missing.clone();
            if kept.exposed && looked.exposed_to.is_empty() && spec.impersonation.is_some() {
                missing.push("a new impersonation key: whoever was in exposed_to may know this one".to_owned());
            }
            if another && looked.is_known(kept) {
                missing.insert(0, format!("the marker in {}.integration (it has another id)", spec.system()));
            }
            let broken = !missing.is_empty() || !looked.surplus.is_empty() || !looked.exposed_to.is_empty();
            let altered = broken && marker.status == bootstrap::Status::Enabled;
            cx.set("missing", missing);
            cx.set("surplus", looked.surplus.clone());
            cx.set("status", if altered || another { ALTERED } else { marker.status.name() });
        }
        other => {
            if let Seen::Theirs(owner) = &other
                && !looked.is_known(kept)
            {
                cx.warn(Diagnostic::warning(
                    "A schema of somebody else is in its place",
                    format!("Schema {} of database {} belongs to user {owner}. It was not looked into.", spec.system(), spec.database),
                ));
            }
            cx.set("missing", looked.missing.clone());
            cx.set("surplus", looked.surplus.clone());
            cx.set("status", ALTERED);
        }
    }
    Found::Here
}

/// Who holds rights on everything in the database, in `exposed_to` and as a test; the other tests stay as they were.
fn show_exposure(state: &Model, spec: &Spec, looked: &Looked, cx: &mut Change<'_>) {
    let before = state.exposed_to.clone().unwrap_or_default();
    if before == looked.exposed_to {
        return;
    }
    // Until an apply makes another key.
    if let Some(mut kept) = Kept::read(cx).filter(|kept| !kept.keepsake.exposed && !looked.exposed_to.is_empty()) {
        kept.keepsake.exposed = true;
        kept.keep(cx);
    }
    cx.set("exposed_to", looked.exposed_to.clone());
    let kept = cx.prior().at("validation_results").clone();
    cx.set("validation_results", tests_result::with(&kept, &looked.exposure_test(spec)));
}

fn record(applied: Applied, password_version: Option<String>, cx: &mut Change<'_>) {
    if cx.planned().at("password_version").is_unknown() {
        cx.set("password_version", password_version);
    }
    rotation::sent(cx);
    cx.set("id", applied.id);
    cx.set("status", "enabled");
    cx.set("missing", Vec::<String>::new());
    cx.set("surplus", Vec::<String>::new());
    cx.set("exposed_to", Vec::<String>::new());
    cx.set("validation_results", results(&applied.tests));
    warn(&applied.tests, cx);
    Kept { made: applied.made, keepsake: applied.keepsake, imported: false }.keep(cx);
}

/// A warning for each test that warns.
fn warn(tests: &[TestResult], cx: &mut Change<'_>) {
    for warning in tests_result::report(tests).iter().filter(|told| !told.is_error()) {
        cx.warn(warning.clone());
    }
}

fn results(tests: &[TestResult]) -> Value {
    let status = tests.iter().map(|test| test.status).max().unwrap_or(Status::Passed);
    tests_result::value(&Validation { status, tests: tests.to_vec(), facts: None, error: None })
}

fn report(data: &Configured, failed: &NotApplied, cx: &Change<'_>) -> Diagnostics {
    let mut d = Diagnostics::new();
    for error in &failed.errors {
        let diagnostic = errors::on_attribute(error, &data.hints(), cx.config());
        let about = about(&error.summary()).filter(|path| !cx.config().at(path).is_null());
        d.push(about.map_or(diagnostic.clone(), |path| diagnostic.at(path)));
    }
    d
}

/// The attribute that a test is about, by the end of its name.
fn about(test: &str) -> Option<&'static str> {
    [
        (" Database Does Not Exist", "database"),
        (" System User Does Not Exist", "system_user.name"),
        (" Impersonation Role Does Not Exist", "impersonation.name"),
        ("External Schemas Do Not Exist", "external_schemas"),
        ("Marker Owner Exists", "marker_owner"),
    ]
    .into_iter()
    .find_map(|(end, path)| test.ends_with(end).then_some(path))
}

fn not_removed(spec: &Spec, home: &str, left: &[String]) -> Diagnostics {
    // Terraform wraps lines, but not those that begin with a blank.
    let script = bootstrap::scripts(spec, home, None).delete.sql;
    let script: Vec<String> = script.lines().map(|line| format!("  {line}")).collect();
    Diagnostic::error(
        "The integration is still there",
        format!(
            "auto_bootstrap is false, so nothing is dropped here. Still there: {}. Run this script, or set abandon_on_destroy = true and apply:\n\n{}",
            left.join(", "),
            script.join("\n")
        ),
    )
    .into()
}
