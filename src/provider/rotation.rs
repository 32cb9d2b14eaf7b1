//! Passwords that AWS keeps: which version was sent, and whether there is a newer one.

use super::configured::Configured;
use super::link;
use crate::engine::error::Error;
use crate::engine::password::problems;
use crate::engine::settings::defaults::StoredAt;
use crate::engine::settings::{parameter_name, secret_id};
use crate::terraform::{Change, Diagnostic, Diagnostics, Plan, Value};

/// What read saw of a password's version, for the next plan to compare.
const SEEN: &str = "seen_password_version";

/// Where AWS keeps a password, of the two settings that may say it.
pub(super) fn stored_at(parameter: Option<&String>, secret: Option<&String>) -> Option<StoredAt> {
    parameter.cloned().map(StoredAt::Parameter).or_else(|| secret.cloned().map(StoredAt::Secret))
}

/// The rule for the name of a parameter, as a connection has it.
pub(super) fn parameter(value: &Value) -> Result<(), String> {
    named(value, parameter_name)
}

/// The same for a secret's.
pub(super) fn secret(value: &Value) -> Result<(), String> {
    named(value, secret_id)
}

fn named(value: &Value, rule: fn(&str) -> Result<(), Error>) -> Result<(), String> {
    rule(value.as_str().unwrap_or_default()).map_err(|error| error.detail())
}

/// A password that is written must be there, and keep the rules, where a plan sends it. One that is not sent may be gone, or
/// another in each run, as ephemeral values are.
pub(super) fn check_written(plan: &Plan<'_>, password: &str, version: &str) -> Result<(), Diagnostic> {
    let number = match plan.planned().at(version) {
        Value::Unknown => "a new version".to_owned(),
        number => number.as_number().map_or_else(|| "it".to_owned(), |number| format!("version {number} of it")),
    };
    match plan.config().at(password) {
        Value::Unknown => Ok(()),
        Value::Null => Err(not_written(password, &number).at(version)),
        text => {
            let problems = problems(text.as_str().unwrap_or_default());
            if problems.is_empty() {
                return Ok(());
            }
            // On no attribute: Terraform would print the line.
            let name = password.rsplit('.').next().unwrap_or(password);
            Err(Diagnostic::error(format!("Bad {name}"), format!("This is about `{password}`. {}", problems.join(" "))))
        }
    }
}

/// What is to be sent is null.
pub(super) fn not_written(password: &str, what: &str) -> Diagnostic {
    let name = password.rsplit('.').next().unwrap_or(password);
    Diagnostic::error(
        format!("No {name}"),
        format!(
            "`{password}` is null, and {what} is to be sent. Give it a value in this run (an ephemeral variable needs `-var` or \
             TF_VAR_… at plan and at apply); a run that sends no password needs none."
        ),
    )
}

/// Whether read saw another version than the one that was sent.
pub(super) fn is_newer(plan: &Plan<'_>, sent: Option<&str>) -> bool {
    plan.private(SEEN).is_some_and(|seen| seen.as_str() != sent)
}

/// Keeps the version that AWS has now, for the plan. What cannot be read is said, and nothing is planned for it.
pub(super) async fn look(data: &Configured, store: &StoredAt, cx: &mut Change<'_>) -> Result<(), Diagnostics> {
    let link = link::known(cx.prior())?;
    match data.stored_password(&link, store, cx.cancelled()).await {
        Ok(stored) => cx.set_private(SEEN, stored.version),
        Err(error) => {
            let warning = data.unread(&error)?;
            cx.warn(warning);
        }
    }
    Ok(())
}

/// Forgets what was seen: it was sent.
pub(super) fn sent(cx: &mut Change<'_>) {
    cx.set_private(SEEN, serde_json::Value::Null);
}
