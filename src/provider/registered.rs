//! What resources that are registered in an integration have in common.

use super::configured::Configured;
use super::link::Link;
use super::place;
use super::script;
use crate::engine::registration::by_hand::Scripts;
use crate::engine::registration::check_registration;
use crate::engine::registration::registry::What;
use crate::engine::registration::uri::{IntegrationUri, RegistrationId};
use crate::engine::script::Script;
use crate::engine::settings::Settings;
use crate::engine::settings::defaults::Settled;
use crate::engine::settings::id::ConnectionId;
use crate::terraform::{Attribute, Change, Diagnostic, Diagnostics, Plan, Schema, Value, list_of, object, string};

/// `integration_uri` and `name`.
pub(super) fn attributes(schema: Schema<Configured>, of: &str) -> Schema<Configured> {
    schema
        .setting(
            "integration_uri",
            string().required().replaces_if(is_another).check(uri_is_one).doc(
                "The integration: the `uri` of a `redshift_integration`, or by hand `redshift-integration://DATABASE/PREFIX`. With `mode=manual`, as an integration with `auto_bootstrap = false` writes it, a person runs `scripts`, and an apply only verifies. Another integration replaces, another mode does not.",
            ),
        )
        .setting(
            "name",
            string().required().replaces().check(name).doc(format!(
                "Name of the registration, by which {of} are told from others in the integration: lower-case letters, digits and `_`. Another one replaces.",
            )),
        )
}

fn uri_is_one(value: &Value) -> Result<(), String> {
    let uri = value.as_str().unwrap_or_default().parse::<IntegrationUri>();
    uri.map(drop).map_err(|error| error.detail())
}

/// Whether it is another integration, and not the same worked on otherwise.
fn is_another(prior: &Value, planned: &Value) -> bool {
    let read = |value: &Value| value.as_str().and_then(|text| text.parse::<IntegrationUri>().ok());
    match (read(prior), read(planned)) {
        (Some(prior), Some(planned)) => !prior.is_same(&planned),
        _ => true,
    }
}

fn name(value: &Value) -> Result<(), String> {
    check_registration(value.as_str().unwrap_or_default())
}

/// The integration that is written, if it is known.
pub(super) fn uri(value: &Value) -> Option<IntegrationUri> {
    value.at("integration_uri").as_str()?.parse().ok()
}

/// `scripts`.
pub(super) fn scripts_attribute() -> Attribute {
    let scripts = |doc: &str| list_of(script::fields()).doc(doc);
    object([
        ("apply", scripts("What leads from what was found to what is wanted, in the order in which to run it. Empty, if it was so already.")),
        ("remove", scripts("What takes it away, in the order in which to run it.")),
    ])
    .doc("The SQL for a person to run, with an integration that is made by hand (`mode=manual` in its `uri`); else null. It holds no secret.")
}

/// The scripts as that attribute.
pub(super) fn scripts_value(scripts: &Scripts) -> Value {
    let all = |scripts: &[Script]| Value::List(scripts.iter().map(script::value).collect());
    Value::object([("apply", all(&scripts.apply)), ("remove", all(&scripts.remove))])
}

/// Plans `scripts`: none, where an apply does the work; else they are to be made. True: they have to be.
pub(super) fn plans_scripts(plan: &mut Plan<'_>) -> bool {
    let has_drifted = |name: &str| matches!(plan.prior().at(name), Value::List(lines) if !lines.is_empty());
    let changes = plan.is_create() || plan.settings_changed() || has_drifted("missing") || has_drifted("surplus");
    match uri(plan.planned()).map(|uri| uri.by_hand) {
        Some(false) => plan.set("scripts", Value::Null),
        Some(true) if changes => {
            plan.set("scripts", Value::Unknown);
            return true;
        }
        Some(true) => {}
        None => plan.set("scripts", Value::Unknown),
    }
    false
}

/// The plan knows the scripts, and until they were run nothing else does.
const HOW_TO_GET: &str = "This prints them, each with the database to run it in:\n\n  terraform plan -out=plan.bin\n  terraform show -json plan.bin | jq \
                          -r '.planned_values | .. | .scripts? // empty | .apply // empty | .[].sql'";

/// An apply that came before the scripts were run.
pub(super) fn not_yet(lacks: &[String]) -> Diagnostic {
    Diagnostic::error(
        "The scripts have still to be run",
        format!(
            "The integration is worked on by hand, so nothing was changed. This is not as it is declared:\n\n{}\n\nRun the scripts of \
             this plan, and apply again.\n\n{HOW_TO_GET}",
            lines(lacks)
        ),
    )
}

/// A destroy that came before the scripts were run.
pub(super) fn still_there(left: &[String]) -> Diagnostic {
    Diagnostic::error(
        "The scripts that remove it have still to be run",
        format!(
            "The integration is worked on by hand, so nothing was changed. This is still there:\n\n{}\n\nRun `scripts.remove`, which is in \
             state, and destroy again. This prints it, each script with the database to run it in:\n\n  terraform show -json | jq -r '.values | \
             .. | .scripts? // empty | .remove // empty | .[].sql'\n\nOr let go of it without a look: terraform state rm.",
            lines(left)
        ),
    )
}

/// One to a line, as Terraform leaves it.
fn lines(what: &[String]) -> String {
    what.iter().map(|what| format!("  - {what}")).collect::<Vec<_>>().join("\n")
}

/// The id of what is planned.
pub(super) fn id(data: &Configured, planned: &Value, what: What) -> Value {
    let (Some(uri), Some(name), Ok(Some(link))) = (uri(planned), planned.at("name").as_str(), Link::read(planned))
    else {
        return Value::Unknown;
    };
    place::base_id(data, &link).map_or(Value::Unknown, |connection| {
        RegistrationId { connection, uri, what, name: name.to_owned() }.to_string().into()
    })
}

/// What an import names; the error shows the right form.
pub(super) fn read_id(data: &Configured, id: &str, what: What) -> Result<RegistrationId, Diagnostics> {
    RegistrationId::read(id, what).map_err(|error| {
        let here = match data.endpoint(&Settings::default()) {
            Ok(Settled::Known(endpoint)) => ConnectionId::at(&endpoint).to_string(),
            _ => "redshift://HOST:PORT".to_owned(),
        };
        let form = format!("Write it as\n\n  id = \"{here}#{}/DATABASE/PREFIX/NAME\"", what.word());
        Diagnostic::error("This is not the id of a registration", format!("{} {form}", error.detail())).into()
    })
}

/// A registration of the name is there: the block that imports it.
pub(super) fn shows_import(diagnostic: &Diagnostic, kind: &str, cx: &Change<'_>) -> Diagnostic {
    let id = cx.planned().at("id").as_str().unwrap_or_default();
    let block = format!("import {{\n  to = redshift_{kind}.NAME_OF_THE_RESOURCE\n  id = \"{id}\"\n}}");
    Diagnostic::error(diagnostic.summary(), format!("{}\n\n{block}", diagnostic.detail())).at("name")
}
