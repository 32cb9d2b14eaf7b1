//! Who signs in, and how: what is written beside the warehouse, `credentials`, the team's own login for its own endpoint
//! and user, and temporary credentials from AWS.

use secrecy::SecretString;

use super::{Defaults, Stop};
use crate::engine::error::{BY_IDENTITY, Error};
use crate::engine::settings::access::Iam;
use crate::engine::settings::aws::{DERIVED_USER, NO_CLEAR_TEXT};
use crate::engine::settings::host::{Host, HostKind};
use crate::engine::settings::logins::{Match, Names};
use crate::engine::settings::needs::{Finding, Findings, Need, Role, SecretFields, Target};
use crate::engine::settings::{
    BASIC, DEFAULT_PASSWORD_DURATION, IAM, IAM_ROLE, LOGIN, Settings, access::SslMode, authentication_type,
    password_duration,
};

/// What can supply a password where it is written.
const PASSWORDS: [&str; 3] = ["password", "password_ssm_parameter", "secret_id"];

/// Somebody with a way to prove it.
pub(super) struct Login {
    pub(super) user: String,
    pub(super) user_source: String,
    pub(super) proof: Proof,
}

/// The way to prove it.
pub(super) enum Proof {
    Password {
        password: SecretString,
        source: String,
        /// Whether it is the team's own, for its own endpoint and user.
        teams: bool,
    },
    Iam(Iam),
}

/// How somebody signs in, before any password is looked for.
pub(super) struct Choice<'a> {
    /// `BASIC`, `IAM`, `IAM_ROLE`.
    pub(super) kind: &'static str,
    /// The user's name and where it came from.
    user: Option<(String, String)>,
    /// The entry of `credentials` that applies.
    entry: Option<Match<'a>>,
    /// Whether nothing but a missing password led to the kind.
    pub(super) for_want_of_password: bool,
}

impl Choice<'_> {
    /// The user's name, where one is written or found.
    pub(super) fn user(self) -> Option<String> {
        self.user.map(|(name, _)| name)
    }
}

/// The setting that names where a password is stored, with that name.
fn stored_in(settings: &Settings, setting: &'static str) -> String {
    let name = if setting == "secret_id" { &settings.secret_id } else { &settings.password_ssm_parameter };
    match name {
        Some(name) => format!("{setting} \"{name}\""),
        None => setting.to_owned(),
    }
}

/// A secret is there, and no password in it.
pub(super) fn no_password_in_secret(id: &str) -> Error {
    let message = format!(
        "The secret \"{id}\" has no field \"password\": add it. It must be JSON such as {{\"username\": …, \"password\": …}}."
    );
    Error::setting("secret_id", message)
}

impl Defaults {
    pub(super) fn login(&self, own: &Settings, names: &Names, found: &Findings) -> Result<Login, Stop> {
        let choice = self.choose(own, names, found)?;
        if choice.kind != BASIC {
            let iam = self.iam(own, names, &choice)?;
            let (user, user_source) = choice.user.unwrap_or_else(|| (String::new(), BY_IDENTITY.to_owned()));
            return Ok(Login { user, user_source, proof: Proof::Iam(iam) });
        }
        let Some((user, user_source)) = choice.user else {
            return Err(self.no_user(own, names).into());
        };
        let basic = |password, source: String, teams| Login {
            user: user.clone(),
            user_source: user_source.clone(),
            proof: Proof::Password { password, source, teams },
        };
        for name in PASSWORDS {
            if own.pending.contains(name) {
                return Err(Stop::Pending(name));
            }
        }
        if let Some((password, source)) = self.stored(own, own, found)? {
            return Ok(basic(password, stored_in(own, source), false));
        }
        if let Some(entry) = choice.entry
            && let Some(password) = &entry.credential.password
        {
            return Ok(basic(password.clone(), entry.source, false));
        }
        let team = &self.settings;
        if team.writes(&PASSWORDS) {
            if team.pending.contains("username") {
                return Err(Stop::Pending("username"));
            }
            if self.team_user(found)?.as_ref() == Some(&user) && self.is_own(names, found)? {
                if let Some(name) = PASSWORDS.into_iter().find(|name| team.pending.contains(name)) {
                    return Err(Stop::Pending(name));
                }
                if let Some(password) = &team.password {
                    return Ok(basic(password.clone(), self.origin("password"), true));
                }
                if let Some((password, source)) = self.stored(team, team, found)? {
                    return Ok(basic(password, format!("{} of {}", stored_in(team, source), self.label), true));
                }
            }
        }
        Err(self.no_password(user, names, found)?.into())
    }

    /// How somebody signs in. The login is inherited as a whole: who writes a part of it writes all.
    pub(super) fn choose(&self, own: &Settings, names: &Names, found: &Findings) -> Result<Choice<'_>, Stop> {
        for settings in [own, &self.settings] {
            if let Some(text) = &settings.authentication_type {
                authentication_type(text)?;
            }
        }
        let writes = own.writes(&LOGIN);
        // A login from the environment belongs to the team's own endpoint.
        let without_login;
        let from = match (writes, self.belongs_elsewhere(own, names, found)?) {
            (true, _) => own,
            (false, false) => &self.settings,
            (false, true) => {
                without_login = Settings { username: None, ..self.settings.clone() };
                &without_login
            }
        };
        if let Some(name) = LOGIN.into_iter().find(|name| from.pending.contains(name)) {
            return Err(Stop::Pending(name));
        }
        let written = |kind: &str| [BASIC, IAM, IAM_ROLE].into_iter().find(|known| *known == kind);
        let mut kind = from.authentication_type.as_deref().and_then(written);
        if kind.is_none() && from.role_arn.is_some() {
            kind = Some(IAM_ROLE);
        }
        let user = |choice: Option<(String, String)>| -> Result<Option<(String, String)>, Stop> {
            match &from.username {
                Some(_) if choice.is_some() => Ok(choice),
                Some(name) if writes => Ok(Some((name.clone(), own.source("username").to_owned()))),
                Some(name) => Ok(Some((name.clone(), self.origin("username")))),
                None => Ok(choice),
            }
        };
        if let Some(kind @ (IAM | IAM_ROLE)) = kind {
            return Ok(Choice { kind, user: user(None)?, entry: None, for_want_of_password: false });
        }
        let own_source = own.writes(&["password_ssm_parameter", "secret_id"]);
        if own_source {
            let told = self.secret(own, own, found)?.and_then(|fields| fields.username);
            let told = told.filter(|_| own.username.is_none()).map(|name| (name, "secret_id".to_owned()));
            return Ok(Choice { kind: BASIC, user: user(told)?, entry: None, for_want_of_password: false });
        }
        if self.settings.pending.contains("credentials") || self.credentials.pending {
            return Err(Stop::Pending("credentials"));
        }
        let entry = self.credentials.find(from.username.as_deref(), own.username.is_some(), names);
        if entry.as_ref().is_some_and(|entry| entry.credential.pending) {
            return Err(Stop::Pending("credentials"));
        }
        if let Some(entry) = entry {
            let named = entry.username.filter(|name| from.username.as_deref() != Some(*name));
            let named = named.map(|name| (name.to_owned(), entry.source.clone()));
            if entry.credential.password.is_some() || kind.is_some() {
                let user = user(named)?;
                return Ok(Choice { kind: BASIC, user, entry: Some(entry), for_want_of_password: false });
            }
        }
        // A user alone leaves open how he signs in; the team's way is then his too.
        if writes && kind.is_none() {
            let team = &self.settings;
            for name in ["authentication_type", "role_arn"] {
                if team.pending.contains(name) {
                    return Err(Stop::Pending(name));
                }
            }
            kind = team.authentication_type.as_deref().and_then(written);
            if kind.is_none() && team.role_arn.is_some() {
                kind = Some(IAM_ROLE);
            }
        }
        let told = if writes || from.username != self.settings.username { None } else { self.team_user(found)? };
        let told = told.filter(|_| from.username.is_none()).map(|name| (name, self.origin("secret_id")));
        let user = user(told)?;
        if let Some(kind) = kind {
            return Ok(Choice { kind, user, entry: None, for_want_of_password: false });
        }
        let team = &self.settings;
        let has_source = team.writes(&PASSWORDS)
            && user.as_ref().map(|(name, _)| name) == self.team_user(found)?.as_ref()
            && self.is_own_as_written(own, names, found)?;
        let by_aws = !has_source && (names.cluster.is_some() || names.workgroup.is_some());
        let kind = if by_aws { IAM } else { BASIC };
        Ok(Choice { kind, user, entry: None, for_want_of_password: by_aws })
    }

    /// Whether the team's user comes from the environment, and the settings lead to another endpoint than the team's.
    fn belongs_elsewhere(&self, own: &Settings, names: &Names, found: &Findings) -> Result<bool, Stop> {
        let from_environment =
            self.settings.username.is_some() && self.settings.source("username").starts_with("REDSHIFT_");
        let is_written = !std::ptr::eq(self.endpoint_settings(own), &self.settings);
        Ok(from_environment && is_written && !self.is_own_as_written(own, names, found)?)
    }

    /// How temporary credentials are asked for.
    fn iam(&self, own: &Settings, names: &Names, choice: &Choice<'_>) -> Result<Iam, Stop> {
        let user = choice.user.as_ref().map(|(name, _)| name.clone());
        let why = |words: &str| {
            if choice.for_want_of_password {
                format!("{words} (No password is known for this login, so AWS would be asked for one.)")
            } else {
                words.to_owned()
            }
        };
        let refused = |setting, words: &str| -> Stop { Error::setting(setting, why(words)).into() };
        let missing = |setting, words: &str| -> Stop { Error::missing(setting, why(words)).into() };
        if self.sslmode(own)? == SslMode::Disable {
            return Err(refused("sslmode", NO_CLEAR_TEXT));
        }
        let host = names.endpoint.as_ref().and_then(|endpoint| endpoint.shape());
        let target = match (&names.workgroup, &names.cluster, &host) {
            (Some(name), _, _) => Target::Workgroup(name.clone()),
            (None, Some(name), _) => Target::Cluster(name.clone()),
            (None, None, Some(Host { kind: HostKind::ServerlessVpcEndpoint, .. })) => {
                return Err(missing(
                    "workgroup_name",
                    "The host is a VPC endpoint, which does not tell the workgroup: write workgroup_name.",
                ));
            }
            (None, None, Some(Host { kind: HostKind::VpcEndpoint, .. })) => {
                return Err(missing(
                    "cluster_identifier",
                    "The host is a VPC endpoint, which does not tell the cluster: write cluster_identifier.",
                ));
            }
            (None, None, Some(Host { kind: HostKind::Address, .. })) => {
                return Err(missing(
                    "cluster_identifier",
                    "The host is an IP address, which does not tell the warehouse: write cluster_identifier or workgroup_name.",
                ));
            }
            (None, None, Some(host)) => Target::CustomDomain(host.name.clone()),
            (None, None, None) => {
                return Err(missing("cluster_identifier", "Write cluster_identifier or workgroup_name."));
            }
        };
        if let (Some((name, source)), Target::Workgroup(_)) = (&choice.user, &target) {
            if own.writes(&["username"]) {
                return Err(refused("username", DERIVED_USER));
            }
            let other = self.settings.writes(&PASSWORDS).then(|| {
                let written = PASSWORDS.into_iter().find(|name| self.settings.writes(&[name])).unwrap_or("password");
                format!(" ({} goes to its own endpoint only)", self.origin(written))
            });
            let message = format!(
                "User \"{name}\" is inherited, from {source}. On a serverless workgroup AWS gives credentials only for the user that follows from the identity that asks (IAM:<user> or IAMR:<role>). To sign in as that one, write authentication_type = \"IAM\" here: then no user is inherited. To sign in as {name}, give him a password for {names}{}: secret_id or password_ssm_parameter here, or an entry \"{name}@{names}\" in the credentials of {}.",
                other.unwrap_or_default(),
                self.label
            );
            return Err(refused("username", &message));
        }
        let duration = self.pick(own, "password_duration", |settings| settings.password_duration.clone())?;
        Ok(Iam {
            region: self.region(own, host.as_ref())?,
            roles: self.roles(own, choice.kind)?,
            user,
            duration: duration.as_deref().map(password_duration).transpose()?.unwrap_or(DEFAULT_PASSWORD_DURATION),
            for_want_of_password: choice.for_want_of_password,
            target,
        })
    }

    /// The roles to assume, the team's first.
    pub(super) fn roles(&self, own: &Settings, kind: &str) -> Result<Vec<Role>, Stop> {
        let mut roles: Vec<Role> = Vec::new();
        if kind != IAM_ROLE {
            return Ok(roles);
        }
        for settings in [&self.settings, own] {
            for name in ["role_arn", "external_id", "role_session_name"] {
                if settings.pending.contains(name) {
                    return Err(Stop::Pending(name));
                }
            }
            let Some(arn) = &settings.role_arn else { continue };
            let role = Role {
                arn: arn.clone(),
                external_id: settings.external_id.clone(),
                session_name: settings.role_session_name.clone(),
            };
            if roles.last().is_none_or(|before| before.arn != role.arn) {
                roles.push(role);
            }
        }
        if roles.is_empty() {
            let message = format!("{IAM_ROLE} assumes a role: write its ARN in role_arn, here or in {}.", self.label);
            return Err(Error::missing("role_arn", message).into());
        }
        Ok(roles)
    }

    /// The user of the team's own login; its secret may tell.
    fn team_user(&self, found: &Findings) -> Result<Option<String>, Stop> {
        let team = &self.settings;
        match &team.username {
            Some(name) => Ok(Some(name.clone())),
            None if team.pending.contains("username") => Err(Stop::Pending("username")),
            None => Ok(self.secret(team, team, found)?.and_then(|fields| fields.username)),
        }
    }

    /// The fields of the secret that settings name, if they name one.
    pub(super) fn secret(
        &self,
        settings: &Settings,
        region_of: &Settings,
        found: &Findings,
    ) -> Result<Option<SecretFields>, Stop> {
        if settings.pending.contains("secret_id") {
            return Err(Stop::Pending("secret_id"));
        }
        let Some(id) = settings.secret_id.clone() else { return Ok(None) };
        let need = Need::Secret { id, region: self.region(region_of, None)? };
        match found.get(&need) {
            Some(Finding::Secret(fields)) => Ok(Some(fields)),
            _ => Err(Stop::LookUp(need)),
        }
    }

    /// The password that AWS stores for settings, and the setting that names it.
    fn stored(
        &self,
        settings: &Settings,
        region_of: &Settings,
        found: &Findings,
    ) -> Result<Option<(SecretString, &'static str)>, Stop> {
        if let Some(name) = settings.password_ssm_parameter.clone() {
            let need = Need::Parameter { name, region: self.region(region_of, None)? };
            return match found.get(&need) {
                Some(Finding::Parameter(found)) => Ok(Some((found.value, "password_ssm_parameter"))),
                _ => Err(Stop::LookUp(need)),
            };
        }
        match self.secret(settings, region_of, found)? {
            Some(SecretFields { password: Some(password), .. }) => Ok(Some((password, "secret_id"))),
            Some(_) => {
                let id = settings.secret_id.as_deref().unwrap_or_default();
                Err(no_password_in_secret(id).into())
            }
            None => Ok(None),
        }
    }

    fn no_user(&self, own: &Settings, names: &Names) -> Error {
        let words = |id: &str, whose: &str| {
            format!(
                "The secret \"{id}\"{whose} was read and has no field \"username\" (nor \"user\"): write username, or add it to the secret."
            )
        };
        if let Some(id) = &own.secret_id {
            return Error::missing("username", words(id, "")).about("secret_id");
        }
        if let (Some(id), false) = (&self.settings.secret_id, own.writes(&LOGIN)) {
            return Error::missing("username", words(id, &format!(" of {}", self.label)));
        }
        let team = &self.settings;
        let message = if let (Some(why), false) = (team.unused.get("username"), own.writes(&LOGIN)) {
            let written = PASSWORDS.into_iter().chain(LOGIN).find(|name| team.writes(&[name])).unwrap_or("password");
            format!(
                "{} is written, and no username beside it. {why} Write username in {label}, too; or take {written} out of it, and the user and the password of the environment are used.",
                self.origin(written),
                label = self.label
            )
        } else if own.writes(&LOGIN) {
            let written = LOGIN.into_iter().find(|name| own.writes(&[name])).unwrap_or("authentication_type");
            format!(
                "{written} is written without username. The login is taken from {} as a whole or not at all: write username too.",
                self.label
            )
        } else {
            let unused = match (&self.settings.username, self.settings.source("username")) {
                (Some(user), source @ "REDSHIFT_USER") => {
                    format!(" ({source} says \"{user}\", which is for the own endpoint of {} alone.)", self.label)
                }
                _ => String::new(),
            };
            format!("No user is written for {names}: set username here or in {}, or REDSHIFT_USER.{unused}", self.label)
        };
        Error::missing("username", message)
    }

    fn no_password(&self, user: String, names: &Names, found: &Findings) -> Result<Error, Stop> {
        let label = self.label;
        let mut detail = format!(
            "A login's password can be an SSM parameter (password_ssm_parameter) or in a secret (secret_id); or stand in the credentials of {label}, under \"{user}@{names}\" or \"{names}\"; or be {label}'s own password (REDSHIFT_PASSWORD in the environment), which is sent to its own host and for its own username only."
        );
        if let Some(name) = PASSWORDS.into_iter().find(|name| self.settings.writes(&[name])) {
            let whose =
                self.team_user(found)?.map_or_else(|| "nobody in particular".to_owned(), |user| format!("\"{user}\""));
            let place = self.own_endpoint(found)?.map_or_else(|| "no host".to_owned(), |own| own.to_string());
            detail.push_str(&format!(" That one ({}) is for {whose} at {place}.", self.origin(name)));
        }
        if let Some(why) = self.settings.unused.get("password") {
            detail.push_str(&format!(" {why}"));
        }
        Ok(Error::NoPassword { user, endpoint: names.to_string(), detail })
    }
}
