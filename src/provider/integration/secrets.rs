//! Where the system user's password comes from, and which version of it was sent.

use secrecy::{ExposeSecret, SecretString};

use super::super::configured::Configured;
use super::super::{errors, link, rotation};
use super::model::{Model, SystemUser};
use crate::engine::bootstrap::UserPassword;
use crate::engine::password;
use crate::engine::settings::defaults::{StoredAt, StoredPassword};
use crate::terraform::{Change, Diagnostic, Diagnostics, Plan, Value};

const STORES: [&str; 2] = ["system_user.password_ssm_parameter", "system_user.secret_id"];
/// Marks an integration that was imported, until the version of its password is known.
pub(super) const IMPORTED: &str = "imported";
const WRITTEN: &str = "system_user.password_wo_version";
const PASSWORD: &str = "system_user.password_wo";

impl SystemUser {
    pub(super) fn store(&self) -> Option<StoredAt> {
        rotation::stored_at(self.password_ssm_parameter.as_ref(), self.secret_id.as_ref())
    }

    pub(super) fn has_source(&self) -> bool {
        self.password_wo_version.is_some() || self.store().is_some()
    }
}

/// Plans the version that will have been sent: known where the configuration says it, unknown where AWS will.
pub(super) fn plan(plan: &mut Plan<'_>) -> Result<(), Diagnostic> {
    // A person sets it, with the script.
    if *plan.planned().at("auto_bootstrap") == Value::from(false) {
        if plan.is_create() {
            plan.set("password_version", Value::Null);
        }
        return Ok(());
    }
    let another = plan.is_create()
        || [STORES[0], STORES[1], WRITTEN].iter().any(|path| plan.planned().at(path) != plan.prior().at(path));
    if STORES.iter().any(|path| !plan.planned().at(path).is_null()) {
        let sent = plan.prior().at("password_version").as_str().map(str::to_owned);
        if another || (sent.is_some() && rotation::is_newer(plan, sent.as_deref())) {
            plan.set("password_version", Value::Unknown);
        }
    } else if another {
        let version = match plan.planned().at(WRITTEN) {
            Value::Unknown => Value::Unknown,
            version => version.as_number().map(ToString::to_string).into(),
        };
        let is_sent = !version.is_null() && plan.private(IMPORTED).is_none();
        plan.set("password_version", version);
        if is_sent {
            return rotation::check_written(plan, PASSWORD, WRITTEN);
        }
    }
    Ok(())
}

/// A password to send, and the version that it is.
pub(super) struct Wanted {
    pub(super) password: UserPassword,
    pub(super) version: Option<String>,
}

/// What is to happen to the password: set where it is new or another, disabled where its source is gone.
pub(super) async fn wanted(
    data: &Configured,
    wanted: &Model,
    before: Option<&Model>,
    cx: &Change<'_>,
) -> Result<Wanted, Diagnostics> {
    let version = wanted.password_version.clone();
    let is_sent = |before: &Model| {
        !cx.planned().at("password_version").is_unknown()
            && before.password_version == version
            && !before.lost_its_user()
    };
    if !wanted.settings.auto_bootstrap || before.is_some_and(is_sent) {
        return Ok(Wanted { password: UserPassword::Keep, version });
    }
    // The first version after an import says what the password is, and changes nothing.
    if cx.private(IMPORTED).is_some() && before.is_some_and(|before| !before.lost_its_user()) {
        let version = match wanted.store() {
            Some(store) => Some(stored(data, &store, cx).await?.version),
            None => version,
        };
        return Ok(Wanted { password: UserPassword::Keep, version });
    }
    let user = wanted.settings.system_user.clone().unwrap_or_default();
    if let Some(store) = user.store() {
        let stored = stored(data, &store, cx).await?;
        let name = wanted.settings.system_user_name();
        if let Some(other) = stored.username.filter(|other| *other != name) {
            let detail =
                format!("The secret is for user \"{other}\", and this is \"{name}\": their passwords are two.");
            let place = format!("system_user.{}", store.setting());
            return Err(Diagnostic::error("The secret is somebody else's", detail).at(place.as_str()).into());
        }
        let password = checked(stored.password, &format!("The password in {}", store.setting()))?;
        return Ok(Wanted { password, version: Some(stored.version) });
    }
    let password = match cx.secret(PASSWORD)? {
        Some(secret) => checked(secret, "password_wo")?,
        None if user.password_wo_version.is_some() => {
            return Err(rotation::not_written(PASSWORD, "a version of it").into());
        }
        None if before.is_some() => UserPassword::Disable,
        None => UserPassword::Keep,
    };
    Ok(Wanted { password, version })
}

/// After an import, says once that a password was taken for the one that is set.
pub(super) fn record(wanted: &Wanted, cx: &mut Change<'_>) {
    let Some(version) = &wanted.version else { return };
    if cx.private(IMPORTED).is_none() {
        return;
    }
    if matches!(wanted.password, UserPassword::Keep) {
        // It is settled, even where the rest of the update fails.
        match cx.planned().at("password_version").is_unknown() {
            true => cx.set("password_version", version.clone()),
            false => cx.keep("password_version"),
        }
        cx.warn(Diagnostic::warning(
            "The password was not sent",
            format!(
                "After an import, the first version ({version}) only says which password the system user has. To set another one, give it \
                 another version."
            ),
        ));
    }
    cx.set_private(IMPORTED, serde_json::Value::Null);
}

async fn stored(data: &Configured, store: &StoredAt, cx: &Change<'_>) -> Result<StoredPassword, Diagnostics> {
    let link = link::known(cx.planned())?;
    let read = data.stored_password(&link, store, cx.cancelled()).await;
    read.map_err(|error| errors::on_attribute(&error, &data.hints(), cx.config()).into())
}

fn checked(secret: SecretString, what: &str) -> Result<UserPassword, Diagnostics> {
    let problems = password::problems(secret.expose_secret());
    if problems.is_empty() {
        return Ok(UserPassword::Set(secret));
    }
    Err(Diagnostic::error("Bad password of the system user", format!("{what}: {}", problems.join(" "))).into())
}
