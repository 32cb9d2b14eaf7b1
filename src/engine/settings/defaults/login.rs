//! Who signs in, and with which password: `credentials`, then the team's own login for its own endpoint and user.

use secrecy::SecretString;

use super::{Defaults, Stop};
use crate::engine::error::Error;
use crate::engine::settings::logins::{Match, Names};
use crate::engine::settings::{Settings, authentication_type};

/// A user with a password, and where both came from.
pub(super) struct Login {
    pub(super) user: String,
    pub(super) user_source: String,
    pub(super) password: SecretString,
    pub(super) password_source: String,
}

impl Defaults {
    /// The user who signs in. Errors: none is written anywhere.
    pub(super) fn user(&self, own: &Settings, names: &Names) -> Result<String, Stop> {
        Ok(self.find_user(own, names)?.0)
    }

    pub(super) fn login(&self, own: &Settings, names: &Names) -> Result<Login, Stop> {
        let (user, user_source, found) = self.find_user(own, names)?;
        if let Some(found) = found
            && let Some(password) = &found.credential.password
        {
            return Ok(Login { user, user_source, password: password.clone(), password_source: found.source });
        }
        if self.settings.pending.contains("password") || self.settings.password.is_some() {
            if self.settings.pending.contains("username") {
                return Err(Stop::Pending("username"));
            }
            if self.settings.username.as_ref() == Some(&user) && self.is_own(&names.endpoint)? {
                let Some(password) = self.settings.password.clone() else { return Err(Stop::Pending("password")) };
                return Ok(Login { user, user_source, password, password_source: self.origin("password") });
            }
        }
        Err(self.no_password(user, names)?.into())
    }

    /// The user, in words where the name came from, and the entry of `credentials` that applies.
    fn find_user(&self, own: &Settings, names: &Names) -> Result<(String, String, Option<Match<'_>>), Stop> {
        for settings in [own, &self.settings] {
            if let Some(text) = &settings.authentication_type {
                authentication_type(text)?;
            }
        }
        // The login is inherited as a whole: who writes a part of it writes all.
        let writes = own.writes(&["username", "authentication_type"]);
        let from = if writes { own } else { &self.settings };
        for name in ["authentication_type", "username"] {
            if from.pending.contains(name) {
                return Err(Stop::Pending(name));
            }
        }
        if self.settings.pending.contains("credentials") || self.credentials.pending {
            return Err(Stop::Pending("credentials"));
        }
        let written = own.username.is_some();
        let found = self.credentials.find(from.username.as_deref(), written, names);
        if found.as_ref().is_some_and(|found| found.credential.pending) {
            return Err(Stop::Pending("credentials"));
        }
        let named = found.as_ref().and_then(|found| Some((found.username?, found.source.clone())));
        let (user, source) = match (&from.username, named) {
            (Some(user), Some((name, source))) if name != user => (name.to_owned(), source),
            (Some(user), _) if writes => (user.clone(), own.source("username").to_owned()),
            (Some(user), _) => (user.clone(), self.origin("username")),
            (None, Some((name, source))) => (name.to_owned(), source),
            (None, None) if writes => {
                let message = format!(
                    "authentication_type is written without username. The login is taken from {} as a whole or not at all: write username too.",
                    self.label
                );
                return Err(Error::setting("username", message).into());
            }
            (None, None) => {
                let message = format!(
                    "No user is written for {}: set username here or in {}, or REDSHIFT_USER.",
                    names.endpoint, self.label
                );
                return Err(Error::setting("username", message).into());
            }
        };
        Ok((user, source, found))
    }

    fn no_password(&self, user: String, names: &Names) -> Result<Error, Stop> {
        let endpoint = &names.endpoint;
        let label = self.label;
        let mut detail = format!(
            "A login's password can stand in the credentials of {label}, under \"{user}@{endpoint}\" or \"{endpoint}\"; or be {label}'s own password (REDSHIFT_PASSWORD in the environment), which is sent to its own host and for its own username only."
        );
        if self.settings.password.is_some() {
            let whose = self
                .settings
                .username
                .as_ref()
                .map_or_else(|| "nobody in particular".to_owned(), |user| format!("\"{user}\""));
            let place = self.own_endpoint()?.map_or_else(|| "no host".to_owned(), |own| own.to_string());
            detail.push_str(&format!(" That one ({}) is for {whose} at {place}.", self.origin("password")));
        }
        Ok(Error::NoPassword { user, endpoint: endpoint.to_string(), detail })
    }
}
