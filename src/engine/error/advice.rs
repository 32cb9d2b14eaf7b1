//! The next step after an error.

use super::{BY_IDENTITY, Error, ProxyProblem, Reach, ServerError, SignInError, Stage, TlsProblem, shown};
use crate::engine::sql::ident;

/// What the caller knows that makes advice exact.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Hints {
    /// The address from which this machine reaches the warehouse, as a firewall there sees it.
    pub egress_ip: Option<String>,
    /// The user who lacks a right, where that is not the session's own.
    pub grantee: Option<String>,
    /// The schema that the work was about.
    pub schema: Option<String>,
}

impl Error {
    /// What to do next, where there is something to say: one line, which may hold names of others.
    pub fn advice(&self, hints: &Hints) -> Option<String> {
        self.next_step(hints).map(|text| shown(&text).into_owned())
    }

    fn next_step(&self, hints: &Hints) -> Option<String> {
        match self {
            Self::Server(error) => server(error, hints),
            Self::SignIn(error) => Some(sign_in(error)),
            Self::Unreachable { endpoint, hostaddr, reach } => {
                Some(unreachable(endpoint, hostaddr.as_deref(), reach, hints))
            }
            Self::Tls { endpoint, problem, .. } => Some(tls(endpoint, problem)),
            Self::Lost { excess: Some(_), .. } => Some(
                "No warehouse of a usual size does this: is what answers there the warehouse that is meant? If it is, and its catalogue is really so large, name fewer tables (`datasets`) or leave columns out. The limits are listed in the guide \"Troubleshooting\"."
                    .into(),
            ),
            Self::Lost { .. } => Some(
                "The warehouse may have been restarted, paused or resized, or a firewall dropped the line. Run it again: what is there is read before anything is changed."
                    .into(),
            ),
            Self::TimedOut { .. } => Some(
                "The network may swallow large packets (path MTU), or the warehouse is overloaded. See STV_INFLIGHT there (on serverless and Multi-AZ warehouses SYS_QUERY_HISTORY), or raise statement_timeout."
                    .into(),
            ),
            Self::Aws(error) => error.advice(),
            Self::Away { advice, .. } => Some(advice.clone()),
            Self::Cancelled | Self::Setting { .. } | Self::NoPassword { .. } | Self::Exists { .. } | Self::Refused { .. } => None,
        }
    }
}

fn server(error: &ServerError, hints: &Hints) -> Option<String> {
    if error.says("Cannot connect to shared database") {
        return Some("Connect to a local database; a shared one is reached from there by three-part names.".into());
    }
    if error.says("not supported on Redshift tables") {
        return Some("This is a defect of this program, please report it with the statement.".into());
    }
    let text = match error.sqlstate.as_str() {
        "3D000" => "Check `database`. The databases are listed by: SELECT database_name FROM svv_redshift_databases;".into(),
        "3F000" => "Check `schema`. The schemas are listed by: SELECT nspname FROM pg_namespace; A regular user may not see all of them.".into(),
        "42P01" => "It may have been dropped or renamed meanwhile, or the login may not see it.".into(),
        "42704" => "It may have been dropped or renamed by someone else. Names of users keep their case, other names are lower case.".into(),
        "42501" => return Some(permission(error, hints)),
        "42P04" | "42P06" | "42710" => "Choose another name, or import what is there.".into(),
        "2BP01" => "Something of others, most often a view, depends on it: the detail names it. Drop that first. Where there is force_destroy, it drops such things too.".into(),
        "55006" => "Someone is connected to it, or it still owns or holds something. Sessions are listed in STV_SESSIONS, on serverless and Multi-AZ warehouses in SYS_SESSION_HISTORY.".into(),
        "25001" => "This is a defect of this program, please report it with the statement.".into(),
        "53300" => "Lower max_sessions, or close other sessions (STV_SESSIONS lists them, on serverless and Multi-AZ warehouses SYS_SESSION_HISTORY). Regular users are refused before superusers are.".into(),
        "57014" if error.says("resize") => "The warehouse is being resized and takes no changes. Run it again when the resize is done.".into(),
        "57014" => "It ran longer than statement_timeout allows, an administrator cancelled it, or a queue rule did. Something may hold a lock: see SVV_TRANSACTIONS; or raise statement_timeout.".into(),
        "57P01" | "57P02" | "57P03" => "It is restarting, being resized, paused, or in maintenance. Run it again when its status is Available.".into(),
        _ if Error::from(error.clone()).is_retryable() => {
            "Another session changed the same objects at the same time, also after several attempts. Run it again when that work is done.".into()
        }
        _ => return None,
    };
    Some(text)
}

/// The GRANT for a "permission denied", read from the warehouse's sentence.
fn permission(error: &ServerError, hints: &Hints) -> String {
    let grantee = hints.grantee.as_deref().unwrap_or(&error.user);
    let to = if grantee.is_empty() { "<user>".to_owned() } else { ident(grantee).into() };
    let statement = error.message.raw().strip_prefix("permission denied for ").and_then(|rest| {
        let (kind, name) = rest.split_once(' ')?;
        let name = name.trim().trim_matches('"');
        let table = || match &hints.schema {
            Some(schema) => format!("{}.{}", ident(schema), ident(name)),
            None => ident(name).into(),
        };
        Some(match kind {
            "schema" if error.statement.starts_with("CREATE ") => {
                format!("GRANT CREATE ON SCHEMA {} TO {to};", ident(name))
            }
            "schema" => format!("GRANT USAGE ON SCHEMA {} TO {to};", ident(name)),
            "relation" | "table" | "view" => format!("GRANT SELECT ON TABLE {} TO {to};", table()),
            "database" => format!("GRANT CREATE ON DATABASE {} TO {to};", ident(name)),
            "language" => format!("GRANT USAGE ON LANGUAGE {} TO {to};", ident(name)),
            _ => return None,
        })
    });
    let lacking = if to == "<user>" { "The login".to_owned() } else { format!("User {to}") };
    match statement {
        Some(statement) => format!("{lacking} lacks a right. Its owner or a superuser can give it: {statement}"),
        None if error.says("must be owner") => {
            format!("{lacking} does not own it. Its owner or a superuser must do this.")
        }
        None if error.says("permission denied to create user") || error.says("must be superuser") => {
            format!(
                "{lacking} is no superuser. A superuser can do this, or give the system permission through a role (GRANT CREATE USER TO ROLE ...)."
            )
        }
        None => {
            format!("{lacking} lacks a right for this. A superuser, or a role with the system permission, can do it.")
        }
    }
}

fn sign_in(error: &SignInError) -> String {
    let message = error.message.raw().to_ascii_lowercase();
    if message.contains("ssl off") || message.contains("no pg_hba.conf entry") && !error.encrypted {
        return "The warehouse takes encrypted connections only (require_ssl, which new ones have on since 2025): leave sslmode out, or set it to verify-full.".into();
    }
    if message.contains("authentication request") {
        return format!(
            "This way to sign in is not known here: a password is given in clear, as md5 or as sha256, whichever the warehouse asks for. Users of an identity provider, and of IAM Identity Center, have no password: give {} one, sign in by IAM (the connection's aws block), or use another user.",
            ident(&error.user)
        );
    }
    if let (Some(user), true) = (error.behind_aws(), error.encrypted) {
        return if error.user_source == BY_IDENTITY {
            format!(
                "AWS gave these credentials, so its policies are right, and it makes this user at the first sign-in. Most often the credentials are for another warehouse than the one at {}: check cluster_identifier, workgroup_name and region. Else they expired on the way: check this machine's clock.",
                error.endpoint
            )
        } else {
            format!(
                "AWS gave these credentials, so its policies are right, but it does not look whether there is such a user. Most often there is none: check username (the case counts), or make the user with the resource redshift_user, or by: CREATE USER {} PASSWORD DISABLE; If the user is there, the credentials are for another cluster than the one at {}: check cluster_identifier and region.",
                ident(user),
                error.endpoint
            )
        };
    }
    if let Some(remark) = error.password_remark {
        return format!("The password came from {}. {remark}", error.password_source);
    }
    let mut text = format!(
        "Check the user ({}) and the password ({}). Redshift says the same for a user who does not exist, for one whose password is disabled or expired (VALID UNTIL), and for one who was renamed: renaming clears the password. And for one who is locked after wrong passwords in a row (five, unless max_failed_login_attempts says otherwise), whom the right one does not let in: a superuser sees him by SHOW USER LOCKOUT and lets him in by ALTER USER {} LOGIN PASSWORD '...'; a new password alone may not do it.",
        error.user_source,
        error.password_source,
        ident(&error.user)
    );
    if error.by_aws() {
        text.push_str(" Temporary credentials are refused in these words too when the connection is not encrypted: sslmode must not be disable.");
    }
    text
}

fn unreachable(endpoint: &str, hostaddr: Option<&str>, reach: &Reach, hints: &Hints) -> String {
    // Whoever accepted the login is a warehouse, tunnel or not.
    let signed_in = matches!(reach, Reach::Silent { stage: Stage::SignedIn, .. });
    if let Some(address) = hostaddr.filter(|_| !signed_in) {
        return format!("Is the tunnel or port forward at {address} running, and does it lead to {endpoint}?");
    }
    let port = endpoint.rsplit(':').next().unwrap_or_default();
    match reach {
        Reach::NoSuchHost(_) => {
            "Check `host` for a misspelling. The name of a private endpoint may be known inside its network only; through a tunnel, set hostaddr.".into()
        }
        Reach::Refused => format!(
            "Nothing listens on port {port} there. Check `port` (Redshift's default is 5439; serverless workgroups use 5431-5455 or 8191-8215), and that the warehouse is not paused."
        ),
        Reach::TimedOut(_) => format!(
            "Most often a security group is in the way: it needs an inbound rule, type custom TCP, port {port}, source {}. Else the warehouse is paused, or not publicly accessible (as new ones are since 2025, unless somebody changes it) and this machine is outside its network (then use a tunnel and hostaddr).",
            source(hints)
        ),
        Reach::Silent { stage: Stage::SignedIn, .. } => {
            "Network and login are right. The warehouse may be overloaded, restarting or being resized: look at its queues and at STV_RECENTS, or raise connect_timeout. Or the network swallows large packets (path MTU).".into()
        }
        Reach::Silent { stage: Stage::Encrypted, .. } => {
            "A warehouse answers there. It may be overloaded, restarting or being resized; or the network swallows large packets (path MTU). Try again, or raise connect_timeout.".into()
        }
        Reach::Silent { stage: Stage::Connected, .. } => format!(
            "Something accepts connections on port {port} there and says nothing: another kind of server, or a load balancer, proxy or tunnel that does not reach the warehouse behind it. Then the warehouse is paused, or not publicly accessible, or its security group has no inbound rule for custom TCP, port {port}, source {}. Check `host` and `port`, too.",
            source(hints)
        ),
        Reach::HungUp => "A load balancer or proxy without a warehouse behind it does this, and so does a warehouse that is restarting. Check `host` and `port`.".into(),
        Reach::NotAWarehouse(_) => "Check `host` and `port`: something else listens there.".into(),
        Reach::Proxy { address, problem } => proxied(endpoint, address, problem, hints),
        Reach::Network(_) => "Check `host` and `port`, and the route from this machine to the warehouse.".into(),
    }
}

/// This machine, as a security group sees it.
fn source(hints: &Hints) -> String {
    match &hints.egress_ip {
        Some(address) if address.contains(':') => format!("{address}/128"),
        Some(address) => format!("{address}/32"),
        None => "the address of the machine that runs this (not of your browser: \"My IP\" in the console may be another one)".into(),
    }
}

fn proxied(endpoint: &str, address: &str, problem: &ProxyProblem, hints: &Hints) -> String {
    let direct = "To reach the warehouse without a proxy, name its host in NO_PROXY.";
    match problem {
        ProxyProblem::Unreachable(_) => {
            format!("ALL_PROXY names this proxy: check that it is right, and that the proxy is running. {direct}")
        }
        ProxyProblem::WantsLogin => format!(
            "Write the login into ALL_PROXY: socks5://user:password@{address}, special characters percent-encoded."
        ),
        ProxyProblem::LoginRefused => {
            "Check the user and the password in ALL_PROXY. Special characters in them must be percent-encoded.".into()
        }
        ProxyProblem::Refused(_) => format!(
            "The proxy of ALL_PROXY answers, and resolves the host's name itself. Check `host` and `port`, the proxy's rules, and that the warehouse is not paused. {direct}"
        ),
        ProxyProblem::NotSocks => format!(
            "ALL_PROXY says that a SOCKS5 proxy listens there. An HTTP proxy (http://) is not used for warehouses. {direct}"
        ),
        ProxyProblem::Beyond(reach) if matches!(**reach, Reach::TimedOut(_)) => format!(
            "Check that the proxy of ALL_PROXY is working, and that it can reach {endpoint}: the warehouse's security group sees the proxy's address, not this machine's. {direct}"
        ),
        ProxyProblem::Beyond(reach) => unreachable(endpoint, None, reach, hints),
    }
}

fn tls(endpoint: &str, problem: &TlsProblem) -> String {
    match problem {
        TlsProblem::PlainServer => format!(
            "Redshift offers TLS always, so {endpoint} may be something else (a proxy, a local server). If it is meant, set sslmode = \"disable\": everything is then sent in clear."
        ),
        TlsProblem::NotAWarehouse => "Check `host` and `port`: something else listens there.".into(),
        TlsProblem::PasswordInClear => "Somebody else may be answering in the warehouse's place. If the server is meant, set sslmode = \"disable\": everything is then sent in clear, the password included.".into(),
        TlsProblem::WrongName { .. } => {
            "If this is the warehouse under another name (a CNAME, a balancer), use its own name as `host`, with hostaddr for a tunnel; or set sslmode = \"verify-ca\", which checks the authority but not the name.".into()
        }
        TlsProblem::UnknownIssuer => {
            "Redshift's certificates come from Amazon's public authority, which is built in. If the server's is from a private one, name its PEM file in sslrootcert. A proxy that opens TLS on the way shows itself like this too.".into()
        }
        TlsProblem::Expired | TlsProblem::NotYetValid => {
            "Renew the certificate (Redshift's own are renewed by AWS; a custom domain's is yours), and check this machine's clock.".into()
        }
        TlsProblem::Other(_) => "The other side may be no warehouse, or an old one. Check `host`, `port` and sslrootcert.".into(),
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn unreachable(reach: Reach, hostaddr: Option<&str>) -> Error {
        Error::Unreachable { endpoint: "h.example.com:5439".into(), hostaddr: hostaddr.map(Into::into), reach }
    }

    fn denied(message: &str, hints: &Hints) -> String {
        let error = ServerError { user: "alice".into(), ..ServerError::new("42501", message) };
        Error::from(error).advice(hints).expect("advice for 42501")
    }

    /// Proves: F23
    #[test]
    fn a_missing_right_comes_with_its_grant() {
        let hints = Hints::default();
        assert!(
            denied("permission denied for schema sales", &hints)
                .ends_with(r#"GRANT USAGE ON SCHEMA "sales" TO "alice";"#)
        );
        let hints = Hints { schema: Some("s".into()), grantee: Some("b\"i".into()), ..hints };
        assert!(
            denied("permission denied for relation t", &hints).ends_with(r#"GRANT SELECT ON TABLE "s"."t" TO "b""i";"#)
        );
        assert!(denied("must be owner of relation t", &hints).contains("does not own it"));
        assert!(denied("permission denied to create user", &hints).contains("GRANT CREATE USER TO ROLE"));
    }

    /// Proves: F15, F16, F17, F18, F22
    #[test]
    fn a_time_out_names_the_rule_for_the_security_group() {
        let error = unreachable(Reach::TimedOut(Duration::from_secs(30)), None);
        let hints = Hints { egress_ip: Some("203.0.113.7".into()), ..Hints::default() };
        assert!(error.advice(&hints).expect("advice").contains("custom TCP, port 5439, source 203.0.113.7/32"));
        assert!(error.advice(&Hints::default()).expect("advice").contains("\"My IP\""));
        assert!(error.advice(&hints).is_some_and(|advice| advice.contains("not publicly accessible")));
        assert!(error.to_string().contains("timed out after 30s"));
        assert!(unreachable(Reach::Refused, Some("127.0.0.1:1")).advice(&hints).expect("advice").contains("tunnel"));
    }

    #[test]
    fn a_refused_login_names_where_user_and_password_came_from() {
        let mut error = SignInError {
            sqlstate: Some("28P01".into()),
            message: "password authentication failed for user \"alice\"".into(),
            endpoint: "h:5439".into(),
            database: "dev".into(),
            user: "alice".into(),
            user_source: "REDSHIFT_USER".into(),
            password_source: "credentials[\"h:5439\"]".into(),
            password_remark: None,
            encrypted: true,
        };
        let shown = Error::from(error.clone()).to_string();
        assert!(shown.contains("User \"alice\" from REDSHIFT_USER, password from credentials[\"h:5439\"]"), "{shown}");
        assert!(sign_in(&error).contains("renaming clears the password"));
        assert!(sign_in(&error).contains("ALTER USER \"alice\" LOGIN PASSWORD"), "who is locked is let in by this");
        assert!(!sign_in(&error).contains("sslmode"));
        error.user = "IAM:alice".into();
        error.encrypted = false;
        assert!(sign_in(&error).contains("sslmode must not be disable"));
        error.message = "no pg_hba.conf entry for host \"::1\", user \"alice\", database \"dev\", SSL off".into();
        assert!(sign_in(&error).contains("encrypted connections only"));
        error.message = "authentication request 14 (an identity provider's token)".into();
        assert!(sign_in(&error).contains("not known here"));
    }

    #[test]
    fn every_kind_that_a_user_can_help_has_advice() {
        let hints = Hints::default();
        for sqlstate in [
            "3D000", "3F000", "42P01", "42704", "42501", "42P04", "42P06", "42710", "2BP01", "55006", "25001", "40001",
            "40P01", "53300", "57014", "57P01", "57P02", "57P03",
        ] {
            let error = Error::from(ServerError::new(sqlstate, "words"));
            assert!(error.advice(&hints).is_some(), "{sqlstate}");
            assert_ne!(error.summary(), "Redshift refused a statement", "{sqlstate}");
        }
        for problem in [
            TlsProblem::PlainServer,
            TlsProblem::NotAWarehouse,
            TlsProblem::PasswordInClear,
            TlsProblem::WrongName { expected: "a".into(), presented: vec!["b".into()] },
            TlsProblem::UnknownIssuer,
            TlsProblem::Expired,
            TlsProblem::NotYetValid,
            TlsProblem::Other("x".into()),
        ] {
            let error = Error::Tls { endpoint: "h:1".into(), sslmode: "verify-full", problem };
            assert!(error.advice(&hints).is_some() && error.to_string().contains("sslmode is \"verify-full\""));
        }
        assert_eq!(Error::from(ServerError::new("XX000", "Assert")).advice(&hints), None);
    }
}
