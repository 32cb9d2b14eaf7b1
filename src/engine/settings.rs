//! Connection settings as they are written, and the rules for each of them.

pub mod access;
pub(in crate::engine) mod aws;
pub mod connection_string;
pub mod defaults;
pub mod endpoint;
pub mod env;
pub mod host;
pub mod hostaddr;
pub mod id;
pub mod logins;
pub mod needs;
pub mod proxy;
pub(in crate::engine) mod uri;

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Deserializer};

use crate::engine::error::{Error, shown};
use crate::engine::names::check_name;
use crate::engine::session::tls::read_pem;
use crate::engine::settings::access::{RootCert, SslMode};
pub use crate::engine::settings::aws::{parameter_name, secret_id};
use crate::engine::settings::endpoint::{Endpoint, bracketed, check_cluster, check_workgroup};
use crate::engine::settings::host::parse_host;
use crate::engine::settings::uri::encode;

/// A database user and its password.
pub const BASIC: &str = "BASIC";
/// Temporary credentials, asked for by whoever runs this.
pub const IAM: &str = "IAM";
/// Temporary credentials, asked for by a role that is assumed first.
pub const IAM_ROLE: &str = "IAM_ROLE";

/// How long temporary credentials may be used to sign in, where nothing is written.
pub const DEFAULT_PASSWORD_DURATION: Duration = Duration::from_secs(900);

/// The database first connected to, where none is written (AWS: the default of clusters and workgroups).
pub const DEFAULT_DATABASE: &str = "dev";

/// The longest time for a line and a sign-in, where none is written.
pub const DEFAULT_CONNECT_TIMEOUT: Duration = Duration::from_secs(30);

/// Settings as they are written; what is not written is none. `Debug` shows no secret.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub struct Settings {
    /// DNS name or IP address.
    pub host: Option<String>,
    /// TCP port.
    pub port: Option<u16>,
    /// The database first connected to.
    pub database: Option<String>,
    /// `BASIC`, `IAM`, `IAM_ROLE`.
    pub authentication_type: Option<String>,
    /// The database user.
    pub username: Option<String>,
    /// The user's password.
    #[serde(deserialize_with = "secret")]
    pub password: Option<SecretString>,
    /// The name of an SSM parameter that holds the password.
    pub password_ssm_parameter: Option<String>,
    /// The name or ARN of a secret whose JSON fills what is absent.
    pub secret_id: Option<String>,
    /// A connection string; may hold a password.
    #[serde(deserialize_with = "secret")]
    pub connection_string: Option<SecretString>,
    /// The cluster behind the host, where its name does not tell.
    pub cluster_identifier: Option<String>,
    /// The serverless workgroup behind the host, where its name does not tell.
    pub workgroup_name: Option<String>,
    /// The AWS region.
    pub region: Option<String>,
    /// The role to assume.
    pub role_arn: Option<String>,
    /// What the role's trust policy asks for.
    pub external_id: Option<String>,
    /// The name of the assumed role's session.
    pub role_session_name: Option<String>,
    /// How long temporary credentials may be used to sign in, such as `15m`.
    pub password_duration: Option<String>,
    /// `disable`, `require`, `verify-ca`, `verify-full`.
    pub sslmode: Option<String>,
    /// The path of a PEM file, or PEM text.
    pub sslrootcert: Option<String>,
    /// A duration such as `30s`.
    pub connect_timeout: Option<String>,
    /// Whether the warehouse keeps the case of names.
    pub preserve_case: Option<bool>,
    /// The names of settings that are written but whose values are not known yet.
    #[serde(skip)]
    pub pending: BTreeSet<&'static str>,
    /// Where a setting came from, if not from the setting of its own name (`connection_string`, `REDSHIFT_HOST`).
    #[serde(skip)]
    pub sources: BTreeMap<&'static str, &'static str>,
    /// Why a variable of the environment that says a setting was not used, as a sentence.
    #[serde(skip)]
    pub unused: BTreeMap<&'static str, String>,
}

fn secret<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<SecretString>, D::Error> {
    Ok(Option::<String>::deserialize(deserializer)?.map(SecretString::from))
}

/// What a connection string can say.
const IN_CONNECTION_STRING: [&str; 13] = [
    "host",
    "port",
    "database",
    "authentication_type",
    "username",
    "password",
    "cluster_identifier",
    "workgroup_name",
    "region",
    "password_duration",
    "sslmode",
    "sslrootcert",
    "connect_timeout",
];

/// Settings that speak of who signs in.
pub(super) const LOGIN: [&str; 5] =
    ["authentication_type", "username", "password_ssm_parameter", "secret_id", "role_arn"];

impl Settings {
    /// The settings in a connection string, its password included.
    pub fn from_connection_string(text: &str) -> Result<Self, Error> {
        connection_string::parse(text)
    }

    /// The names of the settings that are written, in the order of [`Self`], known or not.
    pub fn written(&self) -> Vec<&'static str> {
        let known = [
            ("host", self.host.is_some()),
            ("port", self.port.is_some()),
            ("database", self.database.is_some()),
            ("authentication_type", self.authentication_type.is_some()),
            ("username", self.username.is_some()),
            ("password", self.password.is_some()),
            ("password_ssm_parameter", self.password_ssm_parameter.is_some()),
            ("secret_id", self.secret_id.is_some()),
            ("connection_string", self.connection_string.is_some()),
            ("cluster_identifier", self.cluster_identifier.is_some()),
            ("workgroup_name", self.workgroup_name.is_some()),
            ("region", self.region.is_some()),
            ("role_arn", self.role_arn.is_some()),
            ("external_id", self.external_id.is_some()),
            ("role_session_name", self.role_session_name.is_some()),
            ("password_duration", self.password_duration.is_some()),
            ("sslmode", self.sslmode.is_some()),
            ("sslrootcert", self.sslrootcert.is_some()),
            ("connect_timeout", self.connect_timeout.is_some()),
            ("preserve_case", self.preserve_case.is_some()),
        ];
        known.into_iter().filter(|(name, is)| *is || self.pending.contains(name)).map(|(name, _)| name).collect()
    }

    /// Whether any of these settings is written, known or not.
    pub fn writes(&self, names: &[&str]) -> bool {
        self.written().iter().any(|name| names.contains(name))
    }

    /// Where a setting came from, in one word: its own name, `connection_string`, or an environment variable.
    pub fn source(&self, name: &'static str) -> &'static str {
        self.sources.get(name).copied().unwrap_or(name)
    }

    /// The same settings with the connection string taken apart. Errors: the string's own, and a part of it that is
    /// also written beside it. While the string is not known, neither is what it may say.
    pub fn expand(&self) -> Result<Self, Error> {
        let mut all = self.clone();
        if all.pending.remove("connection_string") {
            let unsaid = IN_CONNECTION_STRING.into_iter().filter(|name| !self.writes(&[name]));
            all.pending.extend(unsaid);
            return Ok(all);
        }
        let Some(text) = all.connection_string.take() else { return Ok(all) };
        let mut parts = connection_string::parse(text.expose_secret())?;
        // jdbc:redshift:iam:// says that AWS gives the credentials, not which identity asks.
        let by_iam = parts.authentication_type.is_some();
        if by_iam && (self.authentication_type.as_deref() == Some(IAM_ROLE) || self.writes(&["role_arn"])) {
            parts.authentication_type = None;
        }
        if let Some(twice) = parts.written().into_iter().find(|name| self.writes(&[name])) {
            return Err(Error::setting(
                "connection_string",
                format!("The connection string and \"{twice}\" both say what {twice} is: write it once."),
            ));
        }
        for name in parts.written() {
            all.sources.insert(name, "connection_string");
        }
        all.host = all.host.or(parts.host);
        all.port = all.port.or(parts.port);
        all.database = all.database.or(parts.database);
        all.authentication_type = all.authentication_type.or(parts.authentication_type);
        all.username = all.username.or(parts.username);
        all.password = all.password.or(parts.password);
        all.cluster_identifier = all.cluster_identifier.or(parts.cluster_identifier);
        all.workgroup_name = all.workgroup_name.or(parts.workgroup_name);
        all.region = all.region.or(parts.region);
        all.password_duration = all.password_duration.or(parts.password_duration);
        all.sslmode = all.sslmode.or(parts.sslmode);
        all.sslrootcert = all.sslrootcert.or(parts.sslrootcert);
        all.connect_timeout = all.connect_timeout.or(parts.connect_timeout);
        Ok(all)
    }

    /// Everything wrong with these settings that they show by themselves.
    pub fn check(&self) -> Vec<Error> {
        let mut found = Vec::new();
        let settings = match self.expand() {
            Ok(settings) => settings,
            Err(error) => {
                found.push(error);
                self.clone()
            }
        };
        let mut test = |value: &Option<String>, rule: fn(&str) -> Result<(), Error>| {
            found.extend(value.as_deref().and_then(|text| rule(text).err()));
        };
        test(&settings.host, host);
        test(&settings.database, |text| name("database", text));
        test(&settings.authentication_type, authentication_type);
        test(&settings.username, |text| name("username", text));
        test(&settings.cluster_identifier, check_cluster);
        test(&settings.workgroup_name, check_workgroup);
        test(&settings.password_ssm_parameter, aws::parameter_name);
        test(&settings.secret_id, aws::secret_id);
        test(&settings.region, aws::region);
        test(&settings.role_arn, aws::role_arn);
        test(&settings.external_id, aws::external_id);
        test(&settings.role_session_name, aws::role_session_name);
        test(&settings.password_duration, |text| password_duration(text).map(drop));
        test(&settings.sslmode, |text| SslMode::parse(text).map(drop));
        test(&settings.sslrootcert, |text| root_cert(text).map(drop));
        test(&settings.connect_timeout, |text| connect_timeout(text).map(drop));
        if settings.port == Some(0) {
            found.push(Error::setting("port", "The port must be a number from 1 to 65535."));
        }
        if settings.cluster_identifier.is_some() && settings.workgroup_name.is_some() {
            let message = "A warehouse is a cluster or a serverless workgroup: write cluster_identifier or workgroup_name, not both.";
            found.push(Error::setting("workgroup_name", message));
        }
        found.extend(aws::contradictions(&settings));
        found
    }
}

/// Settings that hold a place, of which a login is never a part.
const PLACES: [&str; 12] = [
    "host",
    "hostaddr",
    "hostaddrs",
    "cluster_identifier",
    "workgroup_name",
    "region",
    "sts",
    "redshift",
    "redshiftserverless",
    "secretsmanager",
    "ssm",
    "port",
];

/// Whether a setting may hold a login with its password where none belongs, as in `host = "user:password@host"`. What is
/// said of such a setting repeats nothing of it.
pub fn may_hold_login(setting: &str, text: &str) -> bool {
    (PLACES.contains(&setting) && text.contains('@')) || connection_string::might_hold_password(text)
}

/// A value as an error repeats it, unless a password may be in it.
pub(in crate::engine) fn repeated(setting: &str, text: &str) -> String {
    if may_hold_login(setting, text) {
        "What is written (it is not repeated, as a password may be in it)".to_owned()
    } else {
        format!("\"{}\"", shown(text))
    }
}

/// A host: DNS name or IP address.
pub fn host(text: &str) -> Result<(), Error> {
    parse_host(text).map(drop)
}

/// A name of a database or user.
pub fn name(setting: &'static str, text: &str) -> Result<(), Error> {
    check_name(text).map_err(|error| Error::setting(setting, format!("{setting}: {error}.")))
}

/// A way to sign in: `BASIC`, `IAM` or `IAM_ROLE`, spelt so.
pub fn authentication_type(text: &str) -> Result<(), Error> {
    if [BASIC, IAM, IAM_ROLE].contains(&text) {
        return Ok(());
    }
    let message = format!(
        "authentication_type must be {BASIC} (a database user and its password), {IAM} (temporary credentials from AWS) or {IAM_ROLE} (the same, asked for by an assumed role)."
    );
    Err(Error::setting("authentication_type", message))
}

/// `password_duration`: digits and `s`, `m` or `h`; a bare number is seconds. 900 to 3600 seconds (AWS:
/// GetClusterCredentials, DurationSeconds).
pub fn password_duration(text: &str) -> Result<Duration, Error> {
    let (digits, unit) = text.split_at(text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len()));
    let factor = match unit {
        "" | "s" => 1,
        "m" => 60,
        "h" => 3600,
        _ => 0,
    };
    let seconds = digits.parse::<u64>().ok().and_then(|number| number.checked_mul(factor));
    seconds.filter(|seconds| (900..=3600).contains(seconds)).map(Duration::from_secs).ok_or_else(|| {
        Error::setting(
            "password_duration",
            "password_duration must be digits with s, m or h, such as \"15m\" (a bare number is seconds), from 900 seconds to one hour.",
        )
    })
}

/// `connect_timeout`: 1 second to 10 minutes.
pub fn connect_timeout(text: &str) -> Result<Duration, Error> {
    duration("connect_timeout", text, Duration::from_secs(1)..=Duration::from_secs(600))
}

/// `statement_timeout`: 1 second to 24 hours.
pub fn statement_timeout(text: &str) -> Result<Duration, Error> {
    duration("statement_timeout", text, Duration::from_secs(1)..=Duration::from_secs(24 * 3600))
}

/// A duration such as `30s`, `5m`, `1h 30m`; a bare number is seconds.
fn duration(setting: &'static str, text: &str, range: std::ops::RangeInclusive<Duration>) -> Result<Duration, Error> {
    let seconds = text.parse::<u32>().ok().map(|seconds| Duration::from_secs(seconds.into()));
    let read = seconds.or_else(|| humantime::parse_duration(text).ok());
    read.filter(|duration| range.contains(duration)).ok_or_else(|| {
        let (low, high) = (humantime::format_duration(*range.start()), humantime::format_duration(*range.end()));
        Error::setting(
            setting,
            format!("{setting} must be a duration such as \"30s\" or \"5m\", from {low} to {high}."),
        )
    })
}

/// `sslrootcert`: PEM text, which is checked, or else a path, whose file is read when it is needed.
pub fn root_cert(text: &str) -> Result<RootCert, Error> {
    if text.contains("-----BEGIN") {
        return read_pem(text.as_bytes()).map(|_| RootCert::Pem(text.to_owned()));
    }
    if text.trim().is_empty() || text.contains(['\n', '\0']) {
        return Err(Error::setting("sslrootcert", "sslrootcert must be the path of a PEM file."));
    }
    Ok(RootCert::Path(text.to_owned()))
}

/// `sslrootcert` where only a path may stand.
pub fn root_cert_path(text: &str) -> Result<RootCert, Error> {
    match root_cert(text)? {
        RootCert::Pem(_) => {
            Err(Error::setting("sslrootcert", "sslrootcert must be the path of a PEM file here, not its text."))
        }
        path => Ok(path),
    }
}

/// The URL that a JDBC client takes, in its IAM form where AWS gives the credentials: no user, no password.
pub fn jdbc_url(endpoint: &Endpoint, database: &str, authentication_type: &str) -> String {
    let scheme = if authentication_type == BASIC { "jdbc:redshift" } else { "jdbc:redshift:iam" };
    format!("{scheme}://{}:{}/{}", bracketed(&endpoint.host), endpoint.port, encode(database))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn messages(settings: &Settings) -> Vec<String> {
        settings.check().iter().map(ToString::to_string).collect()
    }

    /// Proves: Q12, L9
    #[test]
    fn each_setting_is_checked() {
        let good = Settings {
            host: Some("10.0.0.1".into()),
            port: Some(5439),
            authentication_type: Some(BASIC.into()),
            sslmode: Some("verify-ca".into()),
            sslrootcert: Some("/ca.pem".into()),
            connect_timeout: Some("1m 30s".into()),
            cluster_identifier: Some("main".into()),
            ..Settings::default()
        };
        assert_eq!(messages(&good), Vec::<String>::new());
        let bad = Settings {
            role_arn: Some("role".into()),
            region: Some("here".into()),
            external_id: Some("?".into()),
            role_session_name: Some("a b".into()),
            password_duration: Some("1d".into()),
            secret_id: Some("a b".into()),
            password_ssm_parameter: Some("a b".into()),
            host: Some("a b".into()),
            port: Some(0),
            database: Some("x".repeat(256)),
            authentication_type: Some("basic".into()),
            username: Some("a\nb".into()),
            cluster_identifier: Some("-".into()),
            workgroup_name: Some("W".into()),
            sslmode: Some("prefer".into()),
            sslrootcert: Some("-----BEGIN CERTIFICATE-----".into()),
            connect_timeout: Some("0s".into()),
            ..Settings::default()
        };
        let mut named: Vec<_> = bad
            .check()
            .into_iter()
            .map(|error| match error {
                Error::Setting { setting, .. } => setting,
                other => panic!("{other}"),
            })
            .collect();
        named.sort_unstable();
        assert_eq!(
            named,
            [
                "authentication_type",
                "cluster_identifier",
                "connect_timeout",
                "database",
                "external_id",
                "host",
                "password_duration",
                "password_ssm_parameter",
                "password_ssm_parameter",
                "port",
                "region",
                "role_arn",
                "role_session_name",
                "secret_id",
                "sslmode",
                "sslrootcert",
                "username",
                "workgroup_name",
                "workgroup_name"
            ]
        );
    }

    /// Proves: Q12
    #[test]
    fn the_ways_to_sign_in_have_one_spelling_each() {
        for text in ["BASIC", "IAM", "IAM_ROLE"] {
            assert_eq!(authentication_type(text), Ok(()));
        }
        for text in ["basic", "IAMROLE", "iam", ""] {
            let error = authentication_type(text).expect_err(text).to_string();
            assert!(error.contains("BASIC") && error.contains("IAM_ROLE"), "{error}");
        }
    }

    /// Proves: L10, L11, L12, L13
    #[test]
    fn the_duration_of_credentials_keeps_to_the_limits_of_aws() {
        let seconds = |text: &str| password_duration(text).map(|duration| duration.as_secs());
        for (text, expected) in
            [("900", 900), ("900s", 900), ("15m", 900), ("60m", 3600), ("1h", 3600), ("1234s", 1234)]
        {
            assert_eq!(seconds(text), Ok(expected), "{text}");
        }
        for bad in
            ["", "899", "3601", "14m", "61m", "2h", "h", "1d", "15 m", "-900", "15m0s", "1.5h", "99999999999999999999"]
        {
            let error = password_duration(bad).expect_err(bad);
            assert_eq!(error.summary(), "Bad password_duration", "{bad}");
        }
        assert_eq!(DEFAULT_PASSWORD_DURATION.as_secs(), 900);
    }

    #[test]
    fn a_connection_string_of_the_iam_form_leaves_the_identity_open() {
        let text = SecretString::from("jdbc:redshift:iam://main:eu-west-1/dev");
        let settings = Settings { connection_string: Some(text), ..Settings::default() };
        assert_eq!(settings.expand().expect("settings").authentication_type.as_deref(), Some(IAM));
        let role = Settings { role_arn: Some("arn:aws:iam::123456789012:role/x".into()), ..settings.clone() };
        assert_eq!(role.expand().expect("settings").authentication_type, None);
        assert_eq!(messages(&role), Vec::<String>::new());
        let basic = Settings { authentication_type: Some(BASIC.into()), ..settings };
        assert!(basic.expand().is_err_and(|error| error.to_string().contains("authentication_type")));
    }

    #[test]
    fn durations_have_bounds() {
        assert_eq!(connect_timeout("90"), Ok(Duration::from_secs(90)));
        assert_eq!(statement_timeout("5m"), Ok(Duration::from_secs(300)));
        for bad in ["", "0", "11m", "soon", "-1s", "1x"] {
            assert!(connect_timeout(bad).is_err_and(|error| error.to_string().contains("from 1s to 10m")), "{bad}");
        }
    }

    #[test]
    fn a_connection_string_enters_as_its_parts_and_contradicts_nothing() {
        let text = SecretString::from("redshift://alice:CANARY@h:5440/sales?sslmode=require");
        let settings = Settings { connection_string: Some(text), preserve_case: Some(true), ..Settings::default() };
        let all = settings.expand().expect("settings");
        assert_eq!((all.host.as_deref(), all.port, all.username.as_deref()), (Some("h"), Some(5440), Some("alice")));
        assert_eq!((all.source("host"), all.source("preserve_case")), ("connection_string", "preserve_case"));
        assert!(all.connection_string.is_none() && all.preserve_case == Some(true));
        assert!(!format!("{settings:?} {all:?}").contains("CANARY"));
        let twice = Settings { sslmode: Some("disable".into()), ..settings.clone() };
        let error = twice.expand().expect_err("both").to_string();
        assert!(error.contains("\"sslmode\"") && !error.contains("CANARY"), "{error}");
        assert_eq!(messages(&twice).len(), 1);
    }

    #[test]
    fn while_the_connection_string_is_not_known_neither_are_its_parts() {
        let settings = Settings {
            database: Some("sales".into()),
            pending: BTreeSet::from(["connection_string"]),
            ..Settings::default()
        };
        let all = settings.expand().expect("settings");
        assert!(all.pending.contains("host") && all.pending.contains("password") && !all.pending.contains("database"));
        assert!(all.writes(&["host", "cluster_identifier"]) && !all.writes(&["role_arn"]));
    }

    /// Proves: Q19
    #[test]
    fn a_login_by_password_has_the_plain_jdbc_url() {
        let at = |host: &str| Endpoint { host: host.into(), port: 5439 };
        assert_eq!(jdbc_url(&at("h"), "dev", BASIC), "jdbc:redshift://h:5439/dev");
        assert_eq!(jdbc_url(&at("::1"), "a b/c", IAM), "jdbc:redshift:iam://[::1]:5439/a%20b%2Fc");
    }

    #[test]
    fn a_root_certificate_is_a_path_or_text() {
        assert_eq!(root_cert("/ca.pem"), Ok(RootCert::Path("/ca.pem".into())));
        assert!(root_cert("").is_err() && root_cert("a\nb").is_err());
        assert!(root_cert_path("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----").is_err());
    }
}
