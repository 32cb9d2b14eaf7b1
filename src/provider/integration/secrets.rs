//! Where the system user's password comes from.

use secrecy::{ExposeSecret, SecretString};

use super::super::configured::Configured;
use super::super::{errors, link};
use super::model::{Settings, SystemUser};
use crate::engine::bootstrap::UserPassword;
use crate::engine::password;
use crate::engine::settings::defaults::StoredAt;
use crate::terraform::{Change, Diagnostic, Diagnostics};

impl SystemUser {
    fn store(&self) -> Option<StoredAt> {
        let parameter = self.password_ssm_parameter.clone().map(StoredAt::Parameter);
        parameter.or_else(|| self.secret_id.clone().map(StoredAt::Secret))
    }

    /// Whether the password comes from the same place, in the same version.
    fn same_source(&self, other: &SystemUser) -> bool {
        (&self.password_wo_version, &self.password_ssm_parameter, &self.secret_id)
            == (&other.password_wo_version, &other.password_ssm_parameter, &other.secret_id)
    }

    pub(super) fn has_source(&self) -> bool {
        self.password_wo_version.is_some() || self.store().is_some()
    }
}

/// What is to happen to the password: set where it is new or another, disabled where its source is gone.
pub(super) async fn wanted(
    data: &Configured,
    settings: &Settings,
    before: Option<&Settings>,
    cx: &Change<'_>,
) -> Result<UserPassword, Diagnostics> {
    let user = settings.system_user.clone().unwrap_or_default();
    if let Some(before) = before {
        let before = before.system_user.clone().unwrap_or_default();
        if user.same_source(&before) {
            return Ok(UserPassword::Keep);
        }
        if !user.has_source() {
            return Ok(UserPassword::Disable);
        }
    }
    if let Some(store) = user.store() {
        let link = link::known(cx.planned())?;
        let stored = data
            .stored_password(&link, &store, cx.cancelled())
            .await
            .map_err(|error| errors::on_attribute(&error, &data.hints(), cx.config()))?;
        return checked(stored.password, &format!("The password in {}", store.setting()));
    }
    match cx.secret("system_user.password_wo")? {
        Some(secret) => checked(secret, "password_wo"),
        None => Ok(UserPassword::Keep),
    }
}

fn checked(secret: SecretString, what: &str) -> Result<UserPassword, Diagnostics> {
    let problems = password::problems(secret.expose_secret());
    if problems.is_empty() {
        return Ok(UserPassword::Set(secret));
    }
    Err(Diagnostic::error("Bad password of the system user", format!("{what}: {}", problems.join(" "))).into())
}
