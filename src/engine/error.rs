//! What can go wrong, in Redshift's terms: every error says what happened ([`Error::summary`], [`Error::detail`]) and
//! what to do next ([`Error::advice`]).

use std::fmt;
use std::time::Duration;

mod advice;
mod aws;
mod engine_detail;
mod excess;
mod foreign;

pub use advice::Hints;
pub use aws::{AwsError, AwsProblem};
pub use excess::Excess;
pub use foreign::{Foreign, deceives, shown, shown_in_lines};

/// Where a user's name came from that AWS derives from the identity that asks.
pub const BY_IDENTITY: &str = "the AWS identity";

/// An error of the engine. It never holds a secret: statements in it are in their printed form.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// The warehouse refused a statement, or a sign-in for another reason than the login.
    Server(Box<ServerError>),
    /// The warehouse refused the login.
    SignIn(Box<SignInError>),
    /// There is no line to the warehouse.
    Unreachable {
        /// `host:port` of the warehouse.
        endpoint: String,
        /// Where the line was really to go (a tunnel), if elsewhere.
        hostaddr: Option<String>,
        /// What happened to it.
        reach: Reach,
    },
    /// The line is there, but no TLS session that `sslmode` asks for.
    Tls {
        /// `host:port` of the warehouse.
        endpoint: String,
        /// The mode that was asked for.
        sslmode: &'static str,
        /// What was wrong.
        problem: TlsProblem,
    },
    /// The line broke while a session was open. Whether the last statement took effect is not known.
    Lost {
        /// The database of the session.
        database: String,
        /// The statement that had no answer, in its printed form; none if the session was idle.
        statement: Option<String>,
        /// What the line's end said.
        reason: String,
        /// What was too much, where the line was closed for that.
        excess: Option<Excess>,
    },
    /// The caller stopped the work; what was in flight was cancelled in the warehouse too.
    Cancelled,
    /// The warehouse did not answer in time, not even with its own time-out.
    TimedOut {
        /// The database of the session.
        database: String,
        /// What had no answer, in its printed form.
        statement: String,
        /// How long it was waited for.
        after: Duration,
    },
    /// A setting is missing, malformed, or contradicts another.
    Setting {
        /// The setting's name, as a user writes it.
        setting: &'static str,
        /// What is wrong with it, as a sentence. Never repeats a secret.
        message: String,
    },
    /// No password is known for a user.
    NoPassword {
        /// The user.
        user: String,
        /// `host:port` of the warehouse.
        endpoint: String,
        /// Where a password for them can be given.
        detail: String,
    },
    /// AWS did not answer as hoped.
    Aws(Box<AwsError>),
    /// AWS knows the warehouse, but it cannot be used at present.
    Away {
        /// Which one.
        what: String,
        /// Its status, as AWS calls it.
        status: String,
        /// What to do.
        advice: String,
        /// The setting that names it.
        about: &'static str,
    },
    /// Something of the name is there already, and was left as it is.
    Exists {
        /// Its kind and name: `User "ann"`.
        title: String,
    },
    /// A refusal of our own, before or after asking the warehouse.
    Refused {
        /// One line.
        summary: String,
        /// What was found, and what to do.
        detail: String,
        /// The setting it is about, if it is about one.
        about: Option<&'static str>,
    },
}

/// An error that the warehouse sent.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ServerError {
    /// The five characters of SQLSTATE.
    pub sqlstate: String,
    /// The warehouse's own words.
    pub message: Foreign,
    /// Its DETAIL.
    pub detail: Option<Foreign>,
    /// Its HINT.
    pub hint: Option<Foreign>,
    /// The statement, in its printed form.
    pub statement: String,
    /// The database of the session.
    pub database: String,
    /// The user of the session.
    pub user: String,
}

impl ServerError {
    /// An error with no more than a code and a text.
    pub fn new(sqlstate: impl Into<String>, message: impl Into<Foreign>) -> Self {
        Self { sqlstate: sqlstate.into(), message: message.into(), ..Self::default() }
    }
}

/// A login that the warehouse did not accept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignInError {
    /// SQLSTATE, where the warehouse sent one.
    pub sqlstate: Option<String>,
    /// The warehouse's own words.
    pub message: Foreign,
    /// `host:port` of the warehouse.
    pub endpoint: String,
    /// The database that was asked for.
    pub database: String,
    /// The user.
    pub user: String,
    /// Where the user's name came from, in words ("REDSHIFT_USER").
    pub user_source: String,
    /// Where the password came from, in words.
    pub password_source: String,
    /// What shows that the password was stored wrongly; nothing of it is repeated.
    pub password_remark: Option<&'static str>,
    /// Whether the line was encrypted.
    pub encrypted: bool,
}

impl SignInError {
    /// Whether the login was temporary credentials from AWS.
    pub fn by_aws(&self) -> bool {
        self.behind_aws().is_some()
    }

    /// The database user behind temporary credentials from AWS.
    pub(in crate::engine) fn behind_aws(&self) -> Option<&str> {
        ["IAM:", "IAMA:", "IAMR:"].into_iter().find_map(|prefix| self.user.strip_prefix(prefix))
    }
}

/// Why there is no line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reach {
    /// The name has no address.
    NoSuchHost(String),
    /// Something answered that no one listens there.
    Refused,
    /// Nothing answered at all.
    TimedOut(Duration),
    /// The line stood, and nothing came any more.
    Silent {
        /// How long was waited in all.
        after: Duration,
        /// How far it had come.
        stage: Stage,
    },
    /// The other side hung up before the session was open.
    HungUp,
    /// The answer was not the wire protocol's: what it was.
    NotAWarehouse(&'static str),
    /// The SOCKS proxy on the way did not lead there.
    Proxy {
        /// `host:port` of the proxy.
        address: String,
        /// What happened.
        problem: ProxyProblem,
    },
    /// Another complaint of the network.
    Network(String),
}

/// How far a sign-in has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stage {
    /// The TCP connection is there; nobody has spoken on it.
    Connected,
    /// TLS is agreed on; the login is to come.
    Encrypted,
    /// The login was accepted; the first statements are to come.
    SignedIn,
}

/// What was wrong with a SOCKS proxy, or behind it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ProxyProblem {
    /// There is no line to the proxy itself.
    Unreachable(Box<Reach>),
    /// It asks for a login, and none is written.
    WantsLogin,
    /// It does not accept the login.
    LoginRefused,
    /// It opens no line to the warehouse: why, in words.
    Refused(String),
    /// What answers is no SOCKS5 proxy.
    NotSocks,
    /// It led there, and this happened to the line.
    Beyond(Box<Reach>),
}

/// What was wrong with TLS.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TlsProblem {
    /// The server has no TLS: it answered `N` to the request for it.
    PlainServer,
    /// The answer was not the wire protocol's; it is another kind of server.
    NotAWarehouse,
    /// The server asked for the password in clear on a line that is not encrypted.
    PasswordInClear,
    /// The certificate is for other names.
    WrongName {
        /// The name that was expected.
        expected: String,
        /// The names in the certificate, where known.
        presented: Vec<String>,
    },
    /// The chain does not end at a trusted root.
    UnknownIssuer,
    /// The certificate is past its end.
    Expired,
    /// The certificate's time has not begun.
    NotYetValid,
    /// Another complaint, in the words of the TLS library.
    Other(String),
}

impl Error {
    /// A setting that cannot be used; `message` is a sentence without the value of a secret.
    pub fn setting(setting: &'static str, message: impl Into<String>) -> Self {
        Self::Setting { setting, message: message.into() }
    }

    /// A setting that has to be written and is not; `message` says where it can be.
    pub fn missing(setting: &'static str, message: impl Into<String>) -> Self {
        Self::refused(format!("No {setting}"), message).about(setting)
    }

    /// A refusal of our own.
    pub fn refused(summary: impl Into<String>, detail: impl Into<String>) -> Self {
        Self::Refused { summary: summary.into(), detail: detail.into(), about: None }
    }

    /// The same, about a setting.
    #[must_use]
    pub fn about(self, setting: &'static str) -> Self {
        match self {
            Self::Refused { summary, detail, .. } => Self::Refused { summary, detail, about: Some(setting) },
            other => other,
        }
    }

    /// The same error, said of the secret that it was found in.
    #[must_use]
    pub fn about_secret(self) -> Self {
        match self {
            Self::Setting { message, .. } => Self::setting("secret_id", format!("In the secret: {message}")),
            other => other,
        }
    }

    /// The same error, named after the variable of the environment that its setting came from, if it came from one.
    #[must_use]
    pub fn of_variable(self, source: impl Fn(&'static str) -> &'static str) -> Self {
        match self {
            Self::Setting { setting, message } => match source(setting) {
                variable if variable.starts_with("REDSHIFT_") => {
                    let whole = match setting {
                        "host" => " In the environment these are REDSHIFT_HOST, REDSHIFT_PORT and REDSHIFT_DATABASE.",
                        _ => "",
                    };
                    let detail = format!("This is the environment variable {variable}. {message}{whole}");
                    Self::refused(format!("Bad {variable}"), detail)
                }
                _ => Self::Setting { setting, message },
            },
            other => other,
        }
    }

    /// The setting it is about, if it is about one.
    pub fn setting_name(&self) -> Option<&'static str> {
        match self {
            Self::Setting { setting, .. } => Some(setting),
            Self::Refused { about, .. } => *about,
            Self::Aws(error) => error.about,
            Self::Away { about, .. } => Some(about),
            Self::NoPassword { .. } => Some("username"),
            Self::SignIn(error) if error.by_aws() => Some("username"),
            _ => match self.sqlstate() {
                Some("3D000") => Some("database"),
                Some("3F000") => Some("schema"),
                _ => None,
            },
        }
    }

    /// What happened, without the summary where the detail is a sentence of its own.
    pub fn sentence(&self) -> String {
        match self {
            Self::Setting { .. } => self.detail(),
            _ => self.to_string(),
        }
    }

    /// Whether the line broke, so that it is not known what took effect. It may be asked again, unless the answer was too
    /// large.
    pub fn is_lost(&self) -> bool {
        matches!(self, Self::Lost { excess: None, .. })
    }

    /// The SQLSTATE that the warehouse sent, if it sent one.
    pub fn sqlstate(&self) -> Option<&str> {
        match self {
            Self::Server(error) => Some(&error.sqlstate),
            Self::SignIn(error) => error.sqlstate.as_deref(),
            _ => None,
        }
    }

    /// One line that says what kind of thing happened.
    pub fn summary(&self) -> String {
        shown(&self.title()).into_owned()
    }

    fn title(&self) -> String {
        match self {
            Self::Server(error) => error.summary().to_owned(),
            Self::SignIn(error) => format!("Sign-in refused for user \"{}\"", error.user),
            Self::Unreachable { endpoint, .. } => format!("Cannot reach {endpoint}"),
            Self::Tls { endpoint, .. } => format!("No secure connection to {endpoint}"),
            Self::Lost { excess: Some(_), .. } => "Too much came from the warehouse".to_owned(),
            Self::Lost { .. } => "Connection lost".to_owned(),
            Self::Cancelled => "Cancelled".to_owned(),
            Self::TimedOut { .. } => "No answer from the warehouse".to_owned(),
            Self::Setting { setting, .. } => format!("Bad {setting}"),
            Self::Aws(error) => error.summary(),
            Self::Away { what, status, .. } => match status.as_str() {
                "creating" => format!("The {what} is being created"),
                "deleting" => format!("The {what} is being deleted"),
                "modifying" => format!("The {what} is being modified"),
                _ => format!("The {what} is {status}"),
            },
            Self::NoPassword { user, endpoint, .. } => format!("No password for \"{user}\" at {endpoint}"),
            Self::Exists { title } => format!("{title} exists already"),
            Self::Refused { summary, .. } => summary.clone(),
        }
    }

    /// What happened, in the warehouse's words where it has some. Line breaks in it are our own, as far as that can be
    /// told: names that others gave go through [`shown`] before they are put into a [`Error::Refused`].
    pub fn detail(&self) -> String {
        shown_in_lines(&self.story()).into_owned()
    }

    fn story(&self) -> String {
        match self {
            Self::Server(error) => error.detail_text(),
            Self::SignIn(error) => format!(
                "{} said: {}\nUser \"{}\" from {}, password from {}, database \"{}\".",
                error.endpoint,
                error.message,
                shown(&error.user),
                error.user_source,
                error.password_source,
                shown(&error.database)
            ),
            Self::Unreachable { hostaddr, reach, .. } => one_line(match hostaddr {
                Some(address) => format!("{reach} (connecting to {address}, as hostaddr says)."),
                None => format!("{reach}."),
            }),
            Self::Tls { problem, sslmode, .. } => one_line(format!("sslmode is \"{sslmode}\": {problem}.")),
            Self::Lost { database, statement, excess: Some(excess), .. } => {
                let to = statement.as_ref().map(|statement| format!(", in answer to: {statement}")).unwrap_or_default();
                format!("The session in database \"{}\" was closed: {excess}{to}", shown(database))
            }
            Self::Lost { database, statement: Some(statement), reason, .. } => format!(
                "The session in database \"{}\" ended ({}) before an answer came to: {statement}\nWhether it took effect is not known.",
                shown(database),
                shown(reason)
            ),
            Self::Lost { database, statement: None, reason, .. } => {
                format!("The session in database \"{}\" ended: {}.", shown(database), shown(reason))
            }
            Self::Cancelled => "The work was stopped. What was not committed was rolled back.".to_owned(),
            Self::TimedOut { database, statement, after } => format!(
                "Nothing came back within {} in database \"{}\" to: {statement}",
                humantime::format_duration(*after),
                shown(database)
            ),
            Self::Setting { message, .. } => one_line(message.clone()),
            Self::Aws(error) => error.detail(),
            Self::Away { status, .. } => {
                one_line(format!("Its status is \"{status}\", says AWS, so nothing was asked of the warehouse."))
            }
            Self::Exists { .. } => {
                "Nothing was changed about it. To manage the one that is there, import it.".to_owned()
            }
            Self::NoPassword { detail, .. } | Self::Refused { detail, .. } => detail.clone(),
        }
    }

    /// Whether the transaction that failed may be planned and run again: conflicts with other transactions only.
    pub fn is_retryable(&self) -> bool {
        let Self::Server(error) = self else { return false };
        match error.sqlstate.as_str() {
            "40001" | "40P01" => true,
            "XX000" => {
                matches!(error.engine_code(), Some(1018 | 1023))
                    || ["conflict with concurrent transaction", "tuple concurrently updated"]
                        .iter()
                        .any(|text| error.says(text))
            }
            _ => false,
        }
    }

    /// Whether it was asked and the answer is no: to the login, or to its database. Another attempt gets the same answer.
    pub fn is_refusal(&self) -> bool {
        match self {
            Self::SignIn(_) | Self::Setting { setting: "preserve_case", .. } => true,
            Self::Aws(error) => error.is_denied() || error.is_no_warehouse(),
            _ => self.sqlstate().is_some_and(|sqlstate| sqlstate == "3D000" || sqlstate.starts_with("28")),
        }
    }

    /// The database that the warehouse says it does not have.
    pub fn missing_database(&self) -> Option<&str> {
        match self {
            Self::Server(error) if error.sqlstate == "3D000" => Some(&error.database),
            _ => None,
        }
    }

    /// Whether AWS knows no cluster or workgroup of the name.
    pub fn is_no_warehouse(&self) -> bool {
        matches!(self, Self::Aws(error) if error.is_no_warehouse())
    }

    /// Whether it is this cluster or workgroup that AWS does not know.
    pub fn is_no_warehouse_of(&self, name: &str) -> bool {
        let is_it = |target: &str| {
            ["cluster", "workgroup"].iter().any(|kind| target.starts_with(&format!("{kind} \"{name}\" ")))
        };
        matches!(self, Self::Aws(error) if error.is_no_warehouse() && is_it(&error.target))
    }

    /// Whether the warehouse is not there at present (network, paused, restarting), rather than refusing something.
    pub fn is_unreachable(&self) -> bool {
        match self {
            Self::Unreachable { .. } | Self::Lost { excess: None, .. } | Self::TimedOut { .. } | Self::Away { .. } => {
                true
            }
            Self::Server(error) => matches!(error.sqlstate.as_str(), "57P01" | "57P02" | "57P03"),
            _ => false,
        }
    }
}

fn one_line(text: String) -> String {
    shown(&text).into_owned()
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.summary(), self.detail())
    }
}

impl From<ServerError> for Error {
    fn from(error: ServerError) -> Self {
        Self::Server(Box::new(error))
    }
}

impl From<SignInError> for Error {
    fn from(error: SignInError) -> Self {
        Self::SignIn(Box::new(error))
    }
}

impl fmt::Display for Reach {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoSuchHost(words) => write!(f, "The host name cannot be resolved: {words}"),
            Self::Refused => f.write_str("The connection was refused"),
            Self::TimedOut(after) => {
                write!(f, "The connection timed out after {}", humantime::format_duration(*after))
            }
            Self::Silent { after, stage } => {
                let after = humantime::format_duration(*after);
                match stage {
                    Stage::Connected => write!(f, "The connection was made, but nothing answered on it within {after}"),
                    Stage::Encrypted => {
                        write!(
                            f,
                            "The connection was made and is encrypted, but the login had no answer within {after}"
                        )
                    }
                    Stage::SignedIn => {
                        write!(f, "The login was accepted, but the first statements had no answer within {after}")
                    }
                }
            }
            Self::HungUp => f.write_str("The other side closed the connection before the session was open"),
            Self::NotAWarehouse(what) => {
                write!(f, "What answers there does not speak the warehouse's protocol: it sent {what}")
            }
            Self::Proxy { address, problem } => {
                let proxy = format_args!("The SOCKS proxy at {address}");
                match problem {
                    ProxyProblem::Unreachable(reach) => write!(f, "{proxy} cannot be reached. {reach}"),
                    ProxyProblem::WantsLogin => write!(f, "{proxy} wants a login"),
                    ProxyProblem::LoginRefused => write!(f, "{proxy} refused the login"),
                    ProxyProblem::Refused(words) => write!(f, "{proxy} refused the connection: {words}"),
                    ProxyProblem::NotSocks => write!(f, "What answers at {address} is no SOCKS5 proxy"),
                    ProxyProblem::Beyond(reach) => write!(f, "{reach} (through the SOCKS proxy at {address})"),
                }
            }
            Self::Network(words) => write!(f, "The network says: {words}"),
        }
    }
}

impl fmt::Display for TlsProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::PlainServer => f.write_str("the server does not offer TLS"),
            Self::NotAWarehouse => f.write_str("the server does not speak the warehouse's protocol"),
            Self::PasswordInClear => f.write_str(
                "the server asks for the password in clear on a line that is not encrypted, and it was not sent",
            ),
            Self::WrongName { expected, presented } if presented.is_empty() => {
                write!(f, "the server's certificate is not for {expected}")
            }
            Self::WrongName { expected, presented } => {
                write!(f, "the server's certificate is not for {expected} but for {}", presented.join(", "))
            }
            Self::UnknownIssuer => f.write_str("the server's certificate is not signed by a trusted authority"),
            Self::Expired => f.write_str("the server's certificate has expired"),
            Self::NotYetValid => {
                f.write_str("the server's certificate is not valid yet (is this machine's clock right?)")
            }
            Self::Other(words) => f.write_str(words),
        }
    }
}
