//! The one place where an error of the engine becomes a diagnostic.

use super::configured::Configured;
use crate::engine::error::{Error, Hints};
use crate::engine::governance::Problem;
use crate::engine::settings::Settings;
use crate::engine::settings::defaults::Settled;
use crate::engine::settings::id::{ConnectionId, example_of_datastore, example_of_schema, example_of_user, is_no_id};
use crate::terraform::{Diagnostic, Value};

/// Settings whose line in a configuration may show a password.
const MAY_HOLD_A_SECRET: [&str; 3] = ["password", "connection_string", "credentials"];

/// What happened, in the warehouse's words, and what to do next.
pub(super) fn diagnostic(error: &Error, hints: &Hints) -> Diagnostic {
    Diagnostic::error(error.summary(), words(error, hints))
}

/// The same for a destroy. Where the warehouse does not answer, nobody here can know whether it is gone for good.
pub(super) fn of_destroy(error: &Error, hints: &Hints) -> Diagnostic {
    let diagnostic = diagnostic(error, hints);
    if !error.is_unreachable() && !error.is_no_warehouse() {
        return diagnostic;
    }
    let way_out = "If this warehouse is gone for good, take what was made on it out of state, which asks \
                   nobody: `terraform state rm ADDRESS`.";
    Diagnostic::error(diagnostic.summary(), format!("{}\n\n{way_out}", diagnostic.detail()))
}

/// The same for an error that does not stop anything.
pub(super) fn warning(error: &Error, hints: &Hints) -> Diagnostic {
    Diagnostic::warning(error.summary(), words(error, hints))
}

fn words(error: &Error, hints: &Hints) -> String {
    let detail = error.detail();
    match error.advice(hints) {
        Some(advice) if detail.is_empty() => advice,
        Some(advice) => format!("{detail}\n\n{advice}"),
        None => detail,
    }
}

/// What is wrong with a setting, on its attribute: below `prefix`, which is empty at the root. Nothing is said of an
/// attribute whose line may hold a secret, but in words.
pub(super) fn of_setting(error: &Error, prefix: &str) -> Diagnostic {
    let diagnostic = diagnostic(error, &Hints::default());
    match error.setting_name() {
        Some(setting) if !MAY_HOLD_A_SECRET.contains(&setting) => diagnostic.at(path(prefix, setting)),
        _ => diagnostic,
    }
}

/// What is wrong with a rule of a policy, on its setting below `above`, which is the rule.
pub(super) fn of_rule(problem: &Problem, above: &str) -> Diagnostic {
    let at = problem.clone().below(above).at;
    let diagnostic = Diagnostic::error(problem.summary.clone(), problem.detail.clone());
    if at.is_empty() { diagnostic } else { diagnostic.at(at) }
}

/// An error of the engine on the attribute it is about, if that is written: a setting of the resource or of its
/// `warehouse` block, or what a SQLSTATE speaks of.
pub(super) fn on_attribute(error: &Error, hints: &Hints, written: &Value) -> Diagnostic {
    let diagnostic = diagnostic(error, hints);
    let about = error.setting_name();
    let Some(about) = about.filter(|about| !MAY_HOLD_A_SECRET.contains(about)) else { return diagnostic };
    let named = std::iter::once(about).chain(told_by(about).iter().copied());
    let mut places = named.flat_map(|name| [name.to_owned(), path("warehouse", name)]);
    match places.find(|place| !written.at(place).is_null()) {
        Some(place) => diagnostic.at(place.as_str()),
        None => diagnostic,
    }
}

/// What an import id is to name.
#[derive(Clone, Copy)]
pub(super) enum Kind {
    Connection,
    Datastore,
    Schema,
    User,
}

/// What is wrong with an import id, and how the right one looks: for the warehouse of the provider block, where that is
/// known.
pub(super) fn of_id(data: &Configured, error: &Error, written: &str, kind: Kind) -> Diagnostic {
    let here = match data.endpoint(&Settings::default()) {
        Ok(Settled::Known(endpoint)) => ConnectionId::at(&endpoint).to_string(),
        _ => "redshift://HOST:PORT".to_owned(),
    };
    let (noun, next) = match kind {
        Kind::Connection => (
            "connection",
            format!(
                "The id of a connection is its settings as a URI, such as {here}/dev. But a connection makes nothing in the warehouse, so \
                 there is nothing to import: take the import block out, and let the apply create it."
            ),
        ),
        Kind::Datastore => ("datastore", format!("Write it as\n\n  id = \"{here}{}\"", example_of_datastore(written))),
        Kind::Schema => ("schema", format!("Write it as\n\n  id = \"{here}{}\"", example_of_schema(written))),
        Kind::User => ("user", format!("Write it as\n\n  id = \"{here}{}\"", example_of_user(written))),
    };
    Diagnostic::error(format!("This is not the id of a {noun}"), format!("{} {next}", is_no_id(written, noun, error)))
}

/// The settings that say a setting where it is not written itself.
fn told_by(setting: &str) -> &'static [&'static str] {
    match setting {
        "cluster_identifier" | "workgroup_name" => &["host"],
        "region" => &["cluster_identifier", "workgroup_name", "secret_id", "password_ssm_parameter", "host"],
        "role_arn" => &["authentication_type"],
        "sslmode" => &["connection_id"],
        _ => &[],
    }
}

fn path(prefix: &str, name: &str) -> String {
    if prefix.is_empty() { name.to_owned() } else { format!("{prefix}.{name}") }
}
