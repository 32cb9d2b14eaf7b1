//! Where a user's password comes from, and which version of it was sent: a write-only value, a secret, or a parameter.

use secrecy::{ExposeSecret, SecretString};

use super::super::configured::Configured;
use super::super::errors;
use super::super::link::Link;
use super::super::rotation;
use super::Model;
use crate::engine::password;
use crate::engine::settings::defaults::{StoredAt, StoredPassword};
use crate::engine::user::{Password, PasswordHash};
use crate::terraform::{Change, Diagnostic, Diagnostics, Plan, Schema, Value, number, string};

/// The settings that name a password kept in AWS.
const STORES: [&str; 2] = ["password_ssm_parameter", "secret_id"];

/// Adds the sources of the password to a schema.
pub(super) fn attributes(schema: Schema<Configured>) -> Schema<Configured> {
    schema
        .setting(
            "password_wo",
            string().write_only().holds_secret().required_with(&["password_wo_version"]).conflicts_with(&STORES).doc(
                "Password of the user: 8 to 64 characters with an upper case letter, a lower case letter and a digit. It is looked at \
                 where it is sent; a run that sends none does not need it. Without any source of a password the user cannot sign in \
                 by password.",
            ),
        )
        .setting(
            "password_wo_version",
            number().doc("Any number. `password_wo` is sent when the user is created, renamed, and whenever this changes."),
        )
        .setting(
            "password_ssm_parameter",
            string().conflicts_with(&["secret_id"]).check(rotation::parameter).doc(
                "Name of an SSM parameter (a SecureString) that holds the password. A newer version of it shows in the plan as a \
                 rotation, and the apply sends it.",
            ),
        )
        .setting(
            "secret_id",
            string().check(rotation::secret).doc(
                "Name or ARN of a secret in Secrets Manager, whose JSON holds the password as `password`. A newer version of it \
                 shows in the plan as a rotation, and the apply sends it.",
            ),
        )
}

/// Plans the version that will have been sent: known where the configuration says it, unknown where AWS will.
pub(super) fn plan(plan: &mut Plan<'_>) -> Result<(), Diagnostic> {
    let is_stored = STORES.iter().any(|name| !plan.planned().at(name).is_null());
    if is_stored {
        let changed =
            [STORES[0], STORES[1], "name"].iter().any(|name| plan.planned().at(name) != plan.prior().at(name));
        let sent = plan.prior().at("password_version").as_str().map(str::to_owned);
        let newer = rotation::is_newer(plan, sent.as_deref());
        if plan.is_create() || changed || newer {
            plan.set("password_version", Value::Unknown);
        }
        return Ok(());
    }
    // Whether it is sent or only recorded, the version is what the configuration says.
    let version = match plan.planned().at("password_wo_version") {
        Value::Unknown => Value::Unknown,
        version => version.as_number().map(ToString::to_string).into(),
    };
    let is_new = plan.is_create() || version != *plan.prior().at("password_version");
    // A new name clears the old password. The first version after an import is only recorded.
    let is_renamed = plan.planned().at("name") != plan.prior().at("name");
    let is_sent = !version.is_null() && (is_renamed || is_new && plan.private(super::IMPORTED).is_none());
    if is_new {
        plan.set("password_version", version);
    }
    if is_sent { rotation::check_written(plan, "password_wo", "password_wo_version") } else { Ok(()) }
}

/// A password to send, and the version that it is.
pub(super) struct Wanted {
    pub(super) password: Password,
    pub(super) version: Option<String>,
}

/// The password that a plan asks for, read from where it is kept.
pub(super) async fn wanted(data: &Configured, wanted: &Model, cx: &Change<'_>) -> Result<Wanted, Diagnostics> {
    let hash = if wanted.password_hash == "sha256" { PasswordHash::Sha256 } else { PasswordHash::Md5 };
    if let Some(store) = wanted.store() {
        let stored = read(data, cx.planned(), &store, cx).await?;
        let setting = store.setting();
        if let Some(user) = stored.username.filter(|user| *user != wanted.name) {
            let detail =
                format!("The secret is for user \"{user}\", and this is \"{}\": their passwords are two.", wanted.name);
            return Err(Diagnostic::error("The secret is somebody else's", detail).at(setting).into());
        }
        let problems = password::problems(stored.password.expose_secret());
        if !problems.is_empty() {
            let detail = match password::stored_wrongly(stored.password.expose_secret()) {
                Some(remark) => format!("The password of {} cannot be used. {remark}", store.name()),
                None => format!("The password in it breaks Redshift's rules. {}", problems.join(" ")),
            };
            return Err(Diagnostic::error(format!("Bad {setting}"), detail).at(setting).into());
        }
        return Ok(Wanted { password: Password::Set(stored.password, hash), version: Some(stored.version) });
    }
    let version = wanted.password_version.clone();
    let secret = match (cx.secret("password_wo")?, &version) {
        (Some(secret), _) => secret,
        (None, Some(version)) => {
            return Err(rotation::not_written("password_wo", &format!("version {version} of it")).into());
        }
        (None, None) => return Ok(Wanted { password: Password::Disable, version }),
    };
    // A value that was unknown to the plan was not checked there.
    let problems = password::problems(secret.expose_secret());
    if !problems.is_empty() {
        return Err(Diagnostic::error("Bad password_wo", problems.join(" ")).into());
    }
    Ok(Wanted { password: Password::Set(SecretString::clone(&secret), hash), version })
}

async fn read(
    data: &Configured,
    value: &Value,
    store: &StoredAt,
    cx: &Change<'_>,
) -> Result<StoredPassword, Diagnostics> {
    let link: Link = super::super::link::known(value)?;
    let read = data.stored_password(&link, store, cx.cancelled()).await;
    read.map_err(|error| errors::on_attribute(&error, &data.hints(), cx.config()).into())
}
