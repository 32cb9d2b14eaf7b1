//! Where the system user's password comes from, and which version of it was sent.

use secrecy::{ExposeSecret, SecretString};

use super::super::configured::Configured;
use super::super::{errors, link, rotation};
use super::model::{Model, SystemUser};
use crate::engine::bootstrap::UserPassword;
use crate::engine::password;
use crate::engine::settings::defaults::StoredAt;
use crate::terraform::{Change, Diagnostic, Diagnostics, Plan, Value};

const STORES: [&str; 2] = ["system_user.password_ssm_parameter", "system_user.secret_id"];
const WRITTEN: &str = "system_user.password_wo_version";

impl SystemUser {
    pub(super) fn store(&self) -> Option<StoredAt> {
        rotation::stored_at(self.password_ssm_parameter.as_ref(), self.secret_id.as_ref())
    }

    pub(super) fn has_source(&self) -> bool {
        self.password_wo_version.is_some() || self.store().is_some()
    }
}

/// Plans the version that will have been sent: known where the configuration says it, unknown where AWS will.
pub(super) fn plan(plan: &mut Plan<'_>) {
    // A person sets it, with the script.
    if *plan.planned().at("auto_bootstrap") == Value::from(false) {
        if plan.is_create() {
            plan.set("password_version", Value::Null);
        }
        return;
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
        plan.set("password_version", version);
    }
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
    let user = wanted.settings.system_user.clone().unwrap_or_default();
    if let Some(store) = user.store() {
        let link = link::known(cx.planned())?;
        let stored = data
            .stored_password(&link, &store, cx.cancelled())
            .await
            .map_err(|error| errors::on_attribute(&error, &data.hints(), cx.config()))?;
        let password = checked(stored.password, &format!("The password in {}", store.setting()))?;
        return Ok(Wanted { password, version: Some(stored.version) });
    }
    let password = match cx.secret("system_user.password_wo")? {
        Some(secret) => checked(secret, "password_wo")?,
        None if before.is_some() => UserPassword::Disable,
        None => UserPassword::Keep,
    };
    Ok(Wanted { password, version })
}

fn checked(secret: SecretString, what: &str) -> Result<UserPassword, Diagnostics> {
    let problems = password::problems(secret.expose_secret());
    if problems.is_empty() {
        return Ok(UserPassword::Set(secret));
    }
    Err(Diagnostic::error("Bad password of the system user", format!("{what}: {}", problems.join(" "))).into())
}
