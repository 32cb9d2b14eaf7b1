//! Everything that a sign-in needs, settled.

use std::fmt;
use std::time::Duration;

use secrecy::{ExposeSecret, SecretString};

use crate::engine::error::Error;
use crate::engine::settings::endpoint::Endpoint;
use crate::engine::settings::hostaddr::HostAddr;
use crate::engine::settings::needs::{Role, Target};
use crate::engine::settings::proxy::Proxy;

/// How the line is protected, as libpq names it; a weaker mode is less than a stronger one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub enum SslMode {
    /// In clear.
    Disable,
    /// Encrypted, with whoever answers.
    Require,
    /// The certificate is signed by a trusted authority.
    VerifyCa,
    /// That, and it is for the host's name.
    #[default]
    VerifyFull,
}

impl SslMode {
    /// All modes, in the order of their strength.
    pub const ALL: [Self; 4] = [Self::Disable, Self::Require, Self::VerifyCa, Self::VerifyFull];

    /// The mode as it is written.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Disable => "disable",
            Self::Require => "require",
            Self::VerifyCa => "verify-ca",
            Self::VerifyFull => "verify-full",
        }
    }

    /// Reads a mode. libpq's `allow` and `prefer` are refused: they fall back to clear text in silence.
    pub fn parse(text: &str) -> Result<Self, Error> {
        Self::ALL.into_iter().find(|mode| mode.as_str() == text).ok_or_else(|| {
            let why = match text {
                "allow" | "prefer" => " It would fall back to clear text without a word.",
                _ => "",
            };
            Error::setting("sslmode", format!("sslmode must be disable, require, verify-ca or verify-full.{why}"))
        })
    }
}

impl fmt::Display for SslMode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Whom to trust in place of the built-in public authorities.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum RootCert {
    /// The path of a PEM file.
    Path(String),
    /// PEM text.
    Pem(String),
}

/// How temporary credentials are asked for.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Iam {
    /// Of which warehouse.
    pub target: Target,
    /// Its region; none: the AWS chain's.
    pub region: Option<String>,
    /// The roles to assume before, in this order; none: whoever runs this asks.
    pub roles: Vec<Role>,
    /// The database user; none: the one that belongs to the identity.
    pub user: Option<String>,
    /// How long they may be used to sign in.
    pub duration: Duration,
    /// Whether nothing but a missing password led here.
    pub for_want_of_password: bool,
}

impl fmt::Display for Iam {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "for {}", self.target)?;
        match self.roles.last() {
            Some(role) => write!(f, " by {}", role.arn),
            None => Ok(()),
        }
    }
}

/// Everything that a sign-in needs. `Debug` does not show the password.
#[derive(Debug, Clone)]
pub struct Access {
    /// The warehouse.
    pub endpoint: Endpoint,
    /// Where to connect to reach it, if elsewhere. Certificates are still checked for the endpoint's host.
    pub hostaddr: Option<HostAddr>,
    /// The proxy by which to reach the endpoint. Certificates are still checked for the endpoint's host.
    pub proxy: Option<Proxy>,
    /// The database first connected to.
    pub database: String,
    /// The database user; with temporary credentials the one behind them, or empty where that follows from the identity.
    pub user: String,
    /// Where the user's name came from, in words.
    pub user_source: String,
    /// The password.
    pub password: Option<SecretString>,
    /// Where the password came from, in words.
    pub password_source: String,
    /// Where temporary credentials come from, in place of a password.
    pub iam: Option<Iam>,
    /// How the line is protected.
    pub sslmode: SslMode,
    /// Whom to trust.
    pub sslrootcert: Option<RootCert>,
    /// The longest time for a line and a sign-in.
    pub connect_timeout: Duration,
    /// The longest time for a statement, told to the warehouse.
    pub statement_timeout: Duration,
    /// The most sessions at a time in one database.
    pub max_sessions: usize,
    /// What the user says of `enable_case_sensitive_identifier`; checked against the session.
    pub preserve_case: Option<bool>,
}

impl Access {
    /// Whether a session of one serves the other, whatever database each opens first.
    pub fn same_login(&self, other: &Self) -> bool {
        let password = |access: &Self| access.password.as_ref().map(|text| text.expose_secret().to_owned());
        (&self.endpoint, &self.hostaddr, &self.user, self.sslmode, &self.sslrootcert, self.preserve_case)
            == (&other.endpoint, &other.hostaddr, &other.user, other.sslmode, &other.sslrootcert, other.preserve_case)
            && (self.connect_timeout, self.statement_timeout, self.max_sessions)
                == (other.connect_timeout, other.statement_timeout, other.max_sessions)
            && self.proxy == other.proxy
            && password(self) == password(other)
            && self.iam == other.iam
    }

    /// Whether both come to the same: the same login, and the same first database.
    pub fn same(&self, other: &Self) -> bool {
        self.database == other.database && self.same_login(other)
    }
}

#[cfg(test)]
pub(in crate::engine) fn sample() -> Access {
    Access {
        endpoint: Endpoint { host: "h".into(), port: 5439 },
        hostaddr: None,
        proxy: None,
        database: "dev".into(),
        user: "alice".into(),
        user_source: "REDSHIFT_USER".into(),
        password: Some(SecretString::from("CANARY")),
        password_source: "REDSHIFT_PASSWORD".into(),
        iam: None,
        sslmode: SslMode::VerifyFull,
        sslrootcert: None,
        connect_timeout: Duration::from_secs(30),
        statement_timeout: Duration::from_secs(300),
        max_sessions: 4,
        preserve_case: None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn modes_read_and_print() {
        for mode in SslMode::ALL {
            assert_eq!(SslMode::parse(mode.as_str()), Ok(mode));
        }
        for bad in ["", "Require", "verify_full", "prefer", "allow"] {
            let words = SslMode::parse(bad).expect_err(bad).to_string();
            assert!(words.contains("verify-full"), "{words}");
            assert_eq!(words.contains("clear text"), matches!(bad, "prefer" | "allow"));
        }
        assert_eq!(SslMode::default(), SslMode::VerifyFull);
    }

    #[test]
    fn debug_hides_the_password_and_sameness_sees_it() {
        let one = sample();
        assert!(!format!("{one:?}").contains("CANARY"));
        let other = Access { password: Some(SecretString::from("other")), ..one.clone() };
        assert!(one.same(&one.clone()) && !one.same_login(&other));
        let elsewhere = Access { database: "sales".into(), user_source: "username".into(), ..one.clone() };
        assert!(one.same_login(&elsewhere) && !one.same(&elsewhere));
        let proxy = |password: &str| Proxy {
            host: "p".into(),
            port: 1080,
            login: Some(("ann".into(), SecretString::from(password))),
        };
        let through = |password: &str| Access { proxy: Some(proxy(password)), ..sample() };
        assert!(through("CANARY").same(&through("CANARY")) && !through("CANARY").same_login(&through("other")));
        assert!(!one.same_login(&through("CANARY")) && !format!("{:?}", through("CANARY")).contains("CANARY"));
    }
}
