//! Settings from the environment: `REDSHIFT_*`, and the proxy.

use std::collections::BTreeMap;
use std::ffi::OsString;

use secrecy::SecretString;

use crate::engine::error::{Error, shown};
use crate::engine::settings::endpoint::parse_port;
use crate::engine::settings::proxy::Proxies;
use crate::engine::settings::{BASIC, LOGIN, Settings};

const HOST: &str = "REDSHIFT_HOST";
const HOSTADDR: &str = "REDSHIFT_HOSTADDR";
const PORT: &str = "REDSHIFT_PORT";
const DATABASE: &str = "REDSHIFT_DATABASE";
const USER: &str = "REDSHIFT_USER";
const PASSWORD: &str = "REDSHIFT_PASSWORD";
const SSLMODE: &str = "REDSHIFT_SSLMODE";
const SSLROOTCERT: &str = "REDSHIFT_SSLROOTCERT";

/// Where the proxy is named, and who is reached without it: the first that is set counts.
const ALL_PROXY: [&str; 2] = ["ALL_PROXY", "all_proxy"];
const NO_PROXY: [&str; 2] = ["NO_PROXY", "no_proxy"];

/// All the variables that are read.
pub const VARIABLES: [&str; 12] = [
    HOST,
    HOSTADDR,
    PORT,
    DATABASE,
    USER,
    PASSWORD,
    SSLMODE,
    SSLROOTCERT,
    ALL_PROXY[0],
    ALL_PROXY[1],
    NO_PROXY[0],
    NO_PROXY[1],
];

/// The variables that are set and not empty. `Debug` shows their names only.
#[derive(Clone, Default)]
pub struct Environment(BTreeMap<&'static str, SecretString>);

impl Environment {
    /// The variables of this process. Errors: one that is not UTF-8.
    pub fn of_process() -> Result<Self, Error> {
        Self::read(|name| std::env::var_os(name))
    }

    /// The variables that `get` knows.
    pub fn read(get: impl Fn(&str) -> Option<OsString>) -> Result<Self, Error> {
        let mut found = BTreeMap::new();
        for name in VARIABLES {
            let Some(value) = get(name).filter(|value| !value.is_empty()) else { continue };
            let value = value.into_string().map_err(|_| Error::setting(name, format!("{name} is not UTF-8.")))?;
            found.insert(name, SecretString::from(value));
        }
        Ok(Self(found))
    }

    fn get(&self, name: &str) -> Option<String> {
        use secrecy::ExposeSecret;
        self.0.get(name).map(|value| value.expose_secret().to_owned())
    }

    /// `REDSHIFT_HOSTADDR`, and its name.
    pub fn hostaddr(&self) -> Option<(String, &'static str)> {
        Some((self.get(HOSTADDR)?, HOSTADDR))
    }

    /// The proxy of `ALL_PROXY`, less the hosts of `NO_PROXY`. Errors: a SOCKS5 proxy that cannot be read.
    pub fn proxies(&self) -> Result<Proxies, Error> {
        let all = ALL_PROXY.into_iter().find_map(|name| Some((self.get(name)?, name)));
        let without = NO_PROXY.into_iter().find_map(|name| self.get(name));
        Proxies::read(all.as_ref().map(|(text, name)| (text.as_str(), *name)), without.as_deref())
    }

    /// Fills in what is not written (nor pending). The connection string must have been taken apart before.
    ///
    /// Host and port, and user and password, belong together: a value from here completes a written one only if
    /// nothing here speaks of another host or user. So a login from the environment counts where none is written, and
    /// `REDSHIFT_PASSWORD` alone may complete a `username`. Errors: a port that is none.
    pub fn fill(&self, settings: &mut Settings) -> Result<(), Error> {
        let free = |settings: &Settings, name: &str| !settings.writes(&[name]);
        let (host, port) = (self.get(HOST), self.get(PORT));
        let same_host = host
            .as_ref()
            .is_none_or(|host| settings.host.as_ref().is_some_and(|written| written.eq_ignore_ascii_case(host)));
        if !settings.writes(&["host", "port", "cluster_identifier", "workgroup_name"]) {
            set(settings, "host", HOST, host, |settings| &mut settings.host);
            let port = port.map(|port| read_port(&port)).transpose()?;
            set(settings, "port", PORT, port, |settings| &mut settings.port);
        } else if settings.host.is_some() && same_host && free(settings, "port") {
            let port = port.map(|port| read_port(&port)).transpose()?;
            set(settings, "port", PORT, port, |settings| &mut settings.port);
        } else if free(settings, "host") && settings.port.is_some() && port.is_none() {
            set(settings, "host", HOST, host, |settings| &mut settings.host);
        } else if let (true, Some(host)) = (free(settings, "host") && settings.port.is_some(), host) {
            // A host with a password in it is repeated nowhere.
            let told = if host.contains('@') { String::new() } else { format!(" (\"{}\")", shown(&host)) };
            let why = format!("{HOST}{told} is set and was not used: {PORT} is set beside it, and port is written.");
            settings.unused.insert("host", why);
        }
        let (user, password) = (self.get(USER), self.get(PASSWORD).map(SecretString::from));
        let same_user = user.is_none() || (settings.username.is_some() && settings.username == user);
        let writes_login = settings.writes(&LOGIN) || settings.writes(&["password"]);
        // A login that is not a user and a password is no business of these two variables.
        let by_aws = settings.writes(&["role_arn", "secret_id"])
            || settings.authentication_type.as_deref().is_some_and(|kind| kind != BASIC);
        if !writes_login {
            set(settings, "username", USER, user, |settings| &mut settings.username);
            set(settings, "password", PASSWORD, password, |settings| &mut settings.password);
        } else if !by_aws {
            let no_password = free(settings, "password") && free(settings, "password_ssm_parameter");
            if settings.username.is_some() && same_user && no_password {
                set(settings, "password", PASSWORD, password, |settings| &mut settings.password);
            } else if free(settings, "username") && password.is_none() {
                set(settings, "username", USER, user, |settings| &mut settings.username);
            } else if let (true, Some(user)) = (free(settings, "username"), &user) {
                let why = format!(
                    "{USER} (\"{}\") is set and was not used: it belongs to the password of {PASSWORD}, which is set beside it.",
                    shown(user)
                );
                settings.unused.insert("username", why);
            } else if let (Some(user), true) = (&user, no_password && password.is_some()) {
                let why =
                    format!("{PASSWORD} is set and was not used: it belongs to {USER}, which is \"{}\".", shown(user));
                settings.unused.insert("password", why);
            }
        }
        for (name, variable, place) in [
            ("database", DATABASE, (|settings| &mut settings.database) as fn(&mut Settings) -> &mut Option<String>),
            ("sslmode", SSLMODE, |settings| &mut settings.sslmode),
            ("sslrootcert", SSLROOTCERT, |settings| &mut settings.sslrootcert),
        ] {
            if free(settings, name) {
                set(settings, name, variable, self.get(variable), place);
            }
        }
        Ok(())
    }
}

fn set<T>(
    settings: &mut Settings,
    name: &'static str,
    variable: &'static str,
    value: Option<T>,
    place: impl Fn(&mut Settings) -> &mut Option<T>,
) {
    if value.is_some() {
        *place(settings) = value;
        settings.sources.insert(name, variable);
    }
}

fn read_port(text: &str) -> Result<u16, Error> {
    parse_port(text).map_err(|_| Error::setting("port", format!("{PORT} must be a number from 1 to 65535.")))
}

impl std::fmt::Debug for Environment {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_set().entries(self.0.keys()).finish()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use secrecy::ExposeSecret;

    use super::*;

    fn environment(values: &[(&str, &str)]) -> Environment {
        let get = |name: &str| values.iter().find(|(key, _)| *key == name).map(|(_, value)| OsString::from(*value));
        Environment::read(get).expect("an environment")
    }

    type Filled = (Option<String>, Option<u16>, Option<String>, Option<String>);

    fn filled(values: &[(&str, &str)], mut settings: Settings) -> Filled {
        environment(values).fill(&mut settings).expect("settings");
        let password = settings.password.map(|password| password.expose_secret().to_owned());
        (settings.host, settings.port, settings.username, password)
    }

    fn some(text: &str) -> Option<String> {
        Some(text.to_owned())
    }

    const ALL: &[(&str, &str)] = &[(HOST, "e"), (PORT, "1"), (USER, "eve"), (PASSWORD, "CANARY")];

    #[test]
    fn everything_counts_where_nothing_is_written() {
        assert_eq!(filled(ALL, Settings::default()), (some("e"), Some(1), some("eve"), some("CANARY")));
        let mut settings = Settings::default();
        environment(&[(DATABASE, "d"), (SSLMODE, "require"), (SSLROOTCERT, "/c"), (HOST, "")])
            .fill(&mut settings)
            .expect("settings");
        assert_eq!(
            (
                settings.database.as_deref(),
                settings.sslmode.as_deref(),
                settings.sslrootcert.as_deref(),
                &settings.host
            ),
            (Some("d"), Some("require"), Some("/c"), &None)
        );
        assert_eq!(settings.source("database"), "REDSHIFT_DATABASE");
    }

    #[test]
    fn a_login_from_the_environment_counts_only_where_none_is_written() {
        let user = |name: &str| Settings { username: some(name), ..Settings::default() };
        let password = || Settings { password: Some("p".into()), ..Settings::default() };
        assert_eq!(filled(ALL, user("bob")), (some("e"), Some(1), some("bob"), None));
        assert_eq!(filled(ALL, user("eve")), (some("e"), Some(1), some("eve"), some("CANARY")));
        assert_eq!(filled(&[(PASSWORD, "CANARY")], user("bob")).3, some("CANARY"));
        assert_eq!(filled(ALL, password()), (some("e"), Some(1), None, some("p")));
        assert_eq!(filled(&[(USER, "eve")], password()).2, some("eve"));
        let basic = Settings { authentication_type: some("BASIC"), ..Settings::default() };
        assert_eq!(filled(ALL, basic), (some("e"), Some(1), None, None));
    }

    #[test]
    fn a_port_from_the_environment_belongs_to_its_host() {
        let host = |name: &str| Settings { host: some(name), ..Settings::default() };
        assert_eq!(filled(ALL, host("h")).1, None);
        assert_eq!(filled(ALL, host("E")).1, Some(1));
        assert_eq!(filled(&[(PORT, "1")], host("h")).1, Some(1));
        let port = Settings { port: Some(2), ..Settings::default() };
        assert_eq!(filled(ALL, port.clone()).0, None);
        assert_eq!(filled(&[(HOST, "e")], port).0, some("e"));
        let cluster = Settings { cluster_identifier: some("main"), ..Settings::default() };
        assert_eq!(filled(ALL, cluster).0, None);
    }

    #[test]
    fn what_is_pending_is_never_replaced() {
        let pending = BTreeSet::from(["host", "username", "database"]);
        let settings = Settings { pending, ..Settings::default() };
        assert_eq!(filled(ALL, settings), (None, None, None, None));
    }

    #[test]
    fn only_names_are_shown() {
        assert_eq!(
            format!("{:?}", environment(ALL)),
            r#"{"REDSHIFT_HOST", "REDSHIFT_PASSWORD", "REDSHIFT_PORT", "REDSHIFT_USER"}"#
        );
        let error = environment(&[(PORT, "x")]).fill(&mut Settings::default()).expect_err("no port");
        assert!(error.to_string().contains(PORT));
        assert_eq!(environment(&[(HOSTADDR, "127.0.0.1:1")]).hostaddr(), Some(("127.0.0.1:1".into(), HOSTADDR)));
    }

    #[test]
    fn a_proxy_is_taken_from_either_spelling_and_the_upper_case_one_wins() {
        let found = |values: &[(&str, &str)]| {
            let proxies = environment(values).proxies().expect("proxies");
            proxies.to("h").map(|proxy| format!("{proxy} of {}", proxies.source().unwrap_or_default()))
        };
        let (lower, upper) = (("all_proxy", "socks5://l:CANARY@lower"), ("ALL_PROXY", "socks5h://upper:1"));
        assert_eq!(found(&[lower]), some("lower:1080 of all_proxy"));
        assert_eq!(found(&[lower, upper]), some("upper:1 of ALL_PROXY"));
        assert_eq!(found(&[lower, ("ALL_PROXY", "")]), some("lower:1080 of all_proxy"));
        assert_eq!(found(&[lower, ("ALL_PROXY", "http://h:3128")]), None);
        assert_eq!(found(&[lower, ("no_proxy", "a,h")]), None);
        assert_eq!(found(&[lower, ("no_proxy", "a,h"), ("NO_PROXY", "b")]), some("lower:1080 of all_proxy"));
        assert_eq!(found(&[("NO_PROXY", "b")]), None);
        assert!(!format!("{:?} {:?}", environment(&[lower]), environment(&[lower]).proxies()).contains("CANARY"));
        let error = environment(&[("all_proxy", "socks5://h:CANARY")]).proxies().expect_err("no port").to_string();
        assert!(error.contains("all_proxy") && !error.contains("CANARY"), "{error}");
    }
}
