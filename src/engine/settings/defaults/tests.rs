use std::ffi::OsString;

use secrecy::ExposeSecret;

use super::*;
use crate::engine::settings::logins::Credential;

const LABEL: &str = "the provider block";

fn environment(values: &[(&str, &str)]) -> Environment {
    let get = |name: &str| values.iter().find(|(key, _)| *key == name).map(|(_, value)| OsString::from(*value));
    Environment::read(get).expect("an environment")
}

/// Team settings: alice at `team`, with a password.
fn team() -> Settings {
    Settings {
        host: Some("team".into()),
        username: Some("alice".into()),
        password: Some("CANARY".into()),
        sslmode: Some("require".into()),
        ..Settings::default()
    }
}

fn defaults(settings: Settings, credentials: &[(&str, Option<&str>)]) -> Defaults {
    let entries = credentials.iter().map(|(key, username)| {
        let password = Some(format!("for {key}").into());
        ((*key).to_owned(), Credential { username: username.map(Into::into), password, pending: false })
    });
    let credentials = Credentials::parse(entries).expect("credentials");
    let written = Written { settings, credentials, ..Written::default() };
    Defaults::new(written, &Environment::default(), LABEL).expect("defaults")
}

fn host(name: &str) -> Settings {
    Settings { host: Some(name.into()), ..Settings::default() }
}

fn user(name: &str) -> Settings {
    Settings { username: Some(name.into()), ..Settings::default() }
}

fn access(defaults: &Defaults, own: &Settings) -> Access {
    defaults.access(own, &Findings::default()).expect("settings").known().expect("known settings")
}

/// User, password and where the password came from.
fn login(defaults: &Defaults, own: &Settings) -> Result<(String, String, String), String> {
    let found =
        defaults.access(own, &Findings::default()).map_err(|error| error.to_string())?.known().expect("known settings");
    let password = found.password.expect("a password").expose_secret().to_owned();
    Ok((found.user, password, found.password_source))
}

/// Proves: F19
#[test]
fn what_a_warehouse_leaves_out_is_the_teams() {
    let found = access(&defaults(team(), &[]), &Settings::default());
    assert_eq!(found.endpoint.to_string(), "team:5439");
    assert_eq!((found.database.as_str(), found.sslmode, found.max_sessions), ("dev", SslMode::Require, 4));
    assert_eq!((found.connect_timeout.as_secs(), found.statement_timeout.as_secs()), (30, 300));
    assert_eq!(
        (found.user_source.as_str(), found.password_source.as_str()),
        ("username of the provider block", "password of the provider block")
    );
    let own = Settings {
        sslmode: Some("verify-ca".into()),
        database: Some("sales".into()),
        connect_timeout: Some("5s".into()),
        ..Settings::default()
    };
    let found = access(&defaults(team(), &[]), &own);
    assert_eq!(
        (found.database.as_str(), found.sslmode, found.connect_timeout.as_secs()),
        ("sales", SslMode::VerifyCa, 5)
    );
}

/// Proves: Q8, Q9
#[test]
fn an_endpoint_is_inherited_as_a_whole_or_not_at_all() {
    let team = defaults(Settings { port: Some(5440), ..team() }, &[]);
    let endpoint = |own: &Settings| {
        team.endpoint(own, &Findings::default()).map(|found| found.known().map(|endpoint| endpoint.to_string()))
    };
    assert_eq!(endpoint(&Settings::default()), Ok(Some("team:5440".into())));
    assert_eq!(endpoint(&host("Other")), Ok(Some("other:5439".into())));
    let zero = Settings { port: Some(0), ..host("h") };
    assert!(zero.check().iter().any(|error| error.to_string().contains("1 to 65535")));
    let port = Settings { port: Some(1), ..Settings::default() };
    assert!(endpoint(&port).is_err_and(|error| error.to_string().contains("write host too")));
    let cluster = Settings { cluster_identifier: Some("main".into()), ..Settings::default() };
    assert!(matches!(team.endpoint(&cluster, &Findings::default()), Ok(Settled::LookUp(Need::Endpoint { .. }))));
    let nothing = defaults(Settings::default(), &[]);
    assert!(
        nothing
            .endpoint(&Settings::default(), &Findings::default())
            .is_err_and(|error| error.to_string().contains("REDSHIFT_HOST"))
    );
}

/// Proves: Q14, Q15
#[test]
fn the_teams_password_goes_to_its_own_endpoint_and_user_only() {
    let team = defaults(team(), &[]);
    assert_eq!(login(&team, &Settings::default()).map(|found| found.1).as_deref(), Ok("CANARY"));
    assert_eq!(
        login(
            &team,
            &Settings {
                host: Some("TEAM".into()),
                port: Some(5439),
                username: Some("alice".into()),
                ..Settings::default()
            }
        )
        .map(|found| found.1)
        .as_deref(),
        Ok("CANARY")
    );
    for own in
        [host("other"), user("bob"), Settings { host: Some("team".into()), port: Some(1), ..Settings::default() }]
    {
        let words = login(&team, &own).expect_err("no login");
        assert!(words.starts_with("No password for \""), "{words}");
        assert!(words.contains("is for \"alice\" at team:5439") && !words.contains("CANARY"), "{words}");
    }
    let nobody = defaults(host("team"), &[]);
    assert!(login(&nobody, &Settings::default()).is_err_and(|words| words.contains("REDSHIFT_USER")));
    let half = Settings { authentication_type: Some("BASIC".into()), ..Settings::default() };
    assert!(login(&team, &half).is_err_and(|words| words.contains("write username too")));
}

#[test]
fn credentials_come_before_the_teams_password() {
    let team = defaults(team(), &[("alice@team", None), ("other", Some("carol")), ("bob@other", None)]);
    let expect = |user: &str, key: &str| Ok((user.to_owned(), format!("for {key}"), format!("credentials[\"{key}\"]")));
    assert_eq!(login(&team, &Settings::default()), expect("alice", "alice@team"));
    assert_eq!(login(&team, &host("other")), expect("carol", "other"));
    let bob = Settings { username: Some("bob".into()), ..host("other") };
    assert_eq!(login(&team, &bob), expect("bob", "bob@other"));
    let dan = Settings { username: Some("dan".into()), ..host("other") };
    assert!(login(&team, &dan).is_err());
}

#[test]
fn a_cluster_is_found_by_its_name_and_by_its_host() {
    let team = defaults(team(), &[("alice@cluster:main", None), ("workgroup:wg1", Some("w"))]);
    let by_host = host("main.abc.eu-west-1.redshift.amazonaws.com");
    assert_eq!(login(&team, &by_host).map(|found| found.1).as_deref(), Ok("for alice@cluster:main"));
    let named = Settings { cluster_identifier: Some("Main".into()), ..host("10.0.0.1") };
    assert_eq!(login(&team, &named).map(|found| found.1).as_deref(), Ok("for alice@cluster:main"));
    let serverless = host("wg1.1234.eu-west-1.redshift-serverless.amazonaws.com");
    assert_eq!(login(&team, &serverless).map(|found| found.0).as_deref(), Ok("w"));
}

#[test]
fn a_remembered_warehouse_gets_the_login_found_for_it() {
    let moved = defaults(team(), &[("alice@old", None)]);
    let old = "old:5439".parse::<Endpoint>().expect("an endpoint");
    let found =
        moved.access_at(&Settings::default(), &old, &Findings::default()).expect("settings").known().expect("known");
    assert_eq!((found.endpoint, found.password_source.as_str()), (old.clone(), "credentials[\"alice@old\"]"));
    let forgotten = defaults(team(), &[]);
    let error = forgotten.access_at(&Settings::default(), &old, &Findings::default()).expect_err("no login");
    assert!(matches!(error, Error::NoPassword { .. }), "{error}");
    let back =
        forgotten.access_at(&host("elsewhere"), &"team:5439".parse().expect("an endpoint"), &Findings::default());
    assert!(back.is_ok_and(|found| found.known().is_some()));
}

#[test]
fn what_is_pending_is_waited_for_and_only_where_it_matters() {
    let pending =
        |name: &'static str, settings: Settings| defaults(Settings { pending: [name].into(), ..settings }, &[]);
    let nowhere = pending("host", Settings { host: None, ..team() });
    assert_eq!(nowhere.endpoint(&Settings::default(), &Findings::default()), Ok(Settled::Pending(vec!["host"])));
    assert!(nowhere.endpoint(&host("other"), &Findings::default()).is_ok_and(|found| found.known().is_some()));
    let waits =
        |defaults: &Defaults, own: &Settings| match defaults.access(own, &Findings::default()).expect("settings") {
            Settled::Pending(names) => names,
            Settled::Known(_) | Settled::LookUp(_) => Vec::new(),
        };
    assert_eq!(waits(&nowhere, &Settings { username: Some("alice".into()), ..host("other") }), ["host"]);
    assert_eq!(waits(&pending("password", Settings { password: None, ..team() }), &Settings::default()), ["password"]);
    assert_eq!(waits(&pending("credentials", team()), &Settings::default()), ["credentials"]);
    assert_eq!(waits(&pending("sslmode", Settings { sslmode: None, ..team() }), &Settings::default()), ["sslmode"]);
    let own = Settings { pending: ["username"].into(), ..Settings::default() };
    assert_eq!(waits(&defaults(team(), &[]), &own), ["username"]);
    let missing = pending("password", Settings { password: None, ..team() });
    assert!(missing.access(&host("other"), &Findings::default()).is_err());
    let entry = Credential { pending: true, ..Credential::default() };
    let credentials = Credentials::parse([("alice@team".to_owned(), entry)]).expect("credentials");
    let half =
        Defaults::new(Written { settings: team(), credentials, ..Written::default() }, &Environment::default(), LABEL);
    assert_eq!(waits(&half.expect("defaults"), &Settings::default()), ["credentials"]);
}

#[test]
fn what_the_settings_come_to() {
    let team = defaults(
        Settings {
            connection_string: Some(
                "redshift://alice:CANARY@wg1.1.eu-west-1.redshift-serverless.amazonaws.com:5431/sales".into(),
            ),
            ..Settings::default()
        },
        &[],
    );
    let resolved = team.resolve(&Settings::default(), &Findings::default()).expect("settings").known().expect("known");
    assert_eq!(
        (resolved.product, resolved.username.as_deref(), resolved.database.as_str()),
        ("redshift-serverless", Some("alice"), "sales")
    );
    assert_eq!((resolved.workgroup_name.as_deref(), resolved.region.as_deref()), (Some("wg1"), Some("eu-west-1")));
    assert_eq!((resolved.authentication_type, resolved.sslmode), ("BASIC", SslMode::VerifyFull));
    assert!(!format!("{team:?}").contains("CANARY"));
}

#[test]
fn a_tunnel_is_for_its_own_host() {
    let written = Written {
        settings: team(),
        hostaddrs: BTreeMap::from([("other".to_owned(), "127.0.0.1:2".to_owned())]),
        credentials: Credentials::parse(
            ["other", "third"]
                .map(|key| (key.to_owned(), Credential { password: Some("p".into()), ..Credential::default() })),
        )
        .expect("credentials"),
        ..Written::default()
    };
    let defaults =
        Defaults::new(written.clone(), &environment(&[("REDSHIFT_HOSTADDR", "127.0.0.1:1")]), LABEL).expect("defaults");
    let at = |own: &Settings| access(&defaults, own).hostaddr.map(|address| address.to_string());
    assert_eq!(at(&Settings::default()).as_deref(), Some("127.0.0.1:1"));
    assert_eq!(at(&host("other")).as_deref(), Some("127.0.0.1:2"));
    assert_eq!(at(&host("third")), None);
    assert_eq!(defaults.sources()["hostaddr"], "REDSHIFT_HOSTADDR");
    let own = Written { hostaddr: Some("10.0.0.9".into()), ..written };
    let defaults = Defaults::new(own, &environment(&[("REDSHIFT_HOSTADDR", "127.0.0.1:1")]), LABEL).expect("defaults");
    assert_eq!(
        access(&defaults, &Settings::default()).hostaddr.map(|address| address.to_string()).as_deref(),
        Some("10.0.0.9")
    );
}

#[test]
fn a_proxy_is_for_hosts_that_are_neither_excepted_nor_behind_a_tunnel() {
    let written = Written {
        settings: team(),
        hostaddrs: BTreeMap::from([("other".to_owned(), "127.0.0.1:2".to_owned())]),
        credentials: Credentials::parse(
            ["other", "third", "fourth.internal"]
                .map(|key| (key.to_owned(), Credential { password: Some("p".into()), ..Credential::default() })),
        )
        .expect("credentials"),
        ..Written::default()
    };
    let variables = [("ALL_PROXY", "socks5://ann:CANARY@p:1081"), ("NO_PROXY", ".internal")];
    let defaults = Defaults::new(written.clone(), &environment(&variables), LABEL).expect("defaults");
    let by = |defaults: &Defaults, own: &Settings| access(defaults, own).proxy.map(|proxy| proxy.to_string());
    for (own, proxy) in [
        (Settings::default(), Some("p:1081")),
        (host("third"), Some("p:1081")),
        (host("other"), None),
        (host("fourth.internal"), None),
    ] {
        assert_eq!(by(&defaults, &own).as_deref(), proxy, "{own:?}");
    }
    let shown = format!("{defaults:?} {:?} {:?}", defaults.sources(), access(&defaults, &Settings::default()));
    assert!(defaults.sources()["proxy"] == "ALL_PROXY" && !shown.contains("CANARY"), "{shown}");
    let tunnel = Written { hostaddr: Some("127.0.0.1:1".into()), ..written.clone() };
    let defaults = Defaults::new(tunnel, &environment(&variables), LABEL).expect("defaults");
    assert_eq!(by(&defaults, &Settings::default()), None);
    let broken = Defaults::new(written, &environment(&[("ALL_PROXY", "socks5://p:0")]), LABEL).expect_err("no port");
    assert_eq!(broken.summary(), "Bad ALL_PROXY");
}

#[test]
fn sources_are_names_and_never_values() {
    let environment =
        environment(&[("REDSHIFT_USER", "eve"), ("REDSHIFT_PASSWORD", "CANARY"), ("REDSHIFT_DATABASE", "d")]);
    let written = Written { settings: host("team"), ..Written::default() };
    let defaults = Defaults::new(written, &environment, LABEL).expect("defaults");
    let shown = format!("{:?}", defaults.sources());
    assert_eq!(
        shown,
        r#"{"database": "REDSHIFT_DATABASE", "host": "host of the provider block", "password": "REDSHIFT_PASSWORD", "username": "REDSHIFT_USER"}"#
    );
    assert_eq!(access(&defaults, &Settings::default()).user_source, "REDSHIFT_USER");
}

#[test]
fn wrong_team_settings_are_refused() {
    for (name, written) in [
        ("max_sessions", Written { max_sessions: Some(0), ..Written::default() }),
        ("statement_timeout", Written { statement_timeout: Some("soon".into()), ..Written::default() }),
        ("egress_ip", Written { egress_ip: Some("here".into()), ..Written::default() }),
        ("hostaddr", Written { hostaddr: Some("x y".into()), ..Written::default() }),
        ("hostaddrs", Written { hostaddrs: BTreeMap::from([("h".into(), "x y".into())]), ..Written::default() }),
        (
            "sslmode",
            Written {
                settings: Settings { sslmode: Some("prefer".into()), ..Settings::default() },
                ..Written::default()
            },
        ),
    ] {
        match Defaults::new(written, &Environment::default(), LABEL) {
            Err(Error::Setting { setting, .. }) => assert_eq!(setting, name),
            other => panic!("{name}: {other:?}"),
        }
    }
    let written = Written { egress_ip: Some("203.0.113.7".into()), ..Written::default() };
    let defaults = Defaults::new(written, &Environment::default(), LABEL).expect("defaults");
    assert_eq!(defaults.hints().egress_ip.as_deref(), Some("203.0.113.7"));
}
