//! What resources that are registered in an integration have in common.

use super::configured::Configured;
use super::link::Link;
use super::place;
use crate::engine::registration::check_registration;
use crate::engine::registration::registry::What;
use crate::engine::registration::uri::{IntegrationUri, RegistrationId};
use crate::engine::settings::Settings;
use crate::engine::settings::defaults::Settled;
use crate::engine::settings::id::ConnectionId;
use crate::terraform::{Change, Diagnostic, Diagnostics, Schema, Value, string};

/// `integration_uri` and `name`.
pub(super) fn attributes(schema: Schema<Configured>, of: &str) -> Schema<Configured> {
    schema
        .setting(
            "integration_uri",
            string().required().replaces().check(uri_is_one).doc(
                "The integration: the `uri` of a `redshift_integration`, or by hand `redshift-integration://DATABASE/PREFIX`. Another one replaces.",
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

fn name(value: &Value) -> Result<(), String> {
    check_registration(value.as_str().unwrap_or_default())
}

/// The integration that is written, if it is known.
pub(super) fn uri(value: &Value) -> Option<IntegrationUri> {
    value.at("integration_uri").as_str()?.parse().ok()
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
