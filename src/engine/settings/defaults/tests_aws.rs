//! How somebody signs in where AWS has a part in it.

use secrecy::ExposeSecret;

use super::*;
use crate::engine::settings::access::Iam;
use crate::engine::settings::logins::Credential;
use crate::engine::settings::needs::{Located, Network, ParameterValue, Role};

const CLUSTER: &str = "main.abc123.eu-west-1.redshift.amazonaws.com";
const WORKGROUP: &str = "wg1.123456789012.eu-west-1.redshift-serverless.amazonaws.com";
const ROLE: &str = "arn:aws:iam::123456789012:role/x";
const OTHER: &str = "arn:aws:iam::210987654321:role/y";

fn team(settings: Settings) -> Defaults {
    let written = Written { settings, ..Written::default() };
    Defaults::new(written, &Environment::default(), "the provider block").expect("defaults")
}

fn at(host: &str) -> Settings {
    Settings { host: Some(host.into()), ..Settings::default() }
}

fn some(text: &str) -> Option<String> {
    Some(text.to_owned())
}

/// How the settings come to be used, after a secret `s` and a parameter `p` were looked up.
fn settled(team: &Defaults, own: &Settings) -> Result<Settled<Access>, Error> {
    let found = Findings::default();
    let fields = SecretFields {
        username: some("sue"),
        password: Some("of secret".into()),
        host: some("vault"),
        port: Some(5440),
        database: some("sales"),
        cluster_identifier: None,
        version: "1".into(),
    };
    loop {
        match team.access(own, &found)? {
            Settled::LookUp(need @ Need::Secret { .. }) => found.put(need, Finding::Secret(fields.clone())),
            Settled::LookUp(need @ Need::Parameter { .. }) => {
                found.put(need, Finding::Parameter(ParameterValue { value: "of ssm".into(), version: "1".into() }))
            }
            other => return Ok(other),
        }
    }
}

fn access(team: &Defaults, own: &Settings) -> Access {
    settled(team, own).expect("settings").known().expect("known")
}

fn iam(team: &Defaults, own: &Settings) -> Iam {
    access(team, own).iam.expect("temporary credentials")
}

fn password(team: &Defaults, own: &Settings) -> (String, String, String) {
    let access = access(team, own);
    let password = access.password.expect("a password").expose_secret().to_owned();
    (access.user, password, access.password_source)
}

fn refused(team: &Defaults, own: &Settings) -> (Option<&'static str>, String) {
    let error = settled(team, own).expect_err("an error");
    (error.setting_name(), error.to_string())
}

/// Proves: L16, L26, L4
#[test]
fn without_a_password_temporary_credentials_are_asked_for_where_the_warehouse_has_a_name() {
    let nobody = team(Settings::default());
    let found = iam(&nobody, &Settings { username: some("alice"), ..at(CLUSTER) });
    assert_eq!(found.target, Target::Cluster("main".into()));
    assert_eq!((found.region.as_deref(), found.user.as_deref()), (Some("eu-west-1"), Some("alice")));
    assert!(found.for_want_of_password && found.roles.is_empty() && found.duration == Duration::from_secs(900));
    let (_, words) = refused(&nobody, &Settings { username: some("alice"), ..at("h.example.com") });
    assert!(words.contains("No password for \"alice\" at h.example.com:5439"), "{words}");
    let found = iam(&nobody, &at(CLUSTER));
    assert_eq!((found.user, found.for_want_of_password), (None, true));
}

/// Proves: L2, Q18
#[test]
fn on_a_workgroup_the_user_follows_from_the_identity() {
    let nobody = team(Settings::default());
    assert_eq!(iam(&nobody, &at(WORKGROUP)).target, Target::Workgroup("wg1".into()));
    let named = Settings { username: some("alice"), ..at(WORKGROUP) };
    let (setting, words) = refused(&nobody, &named);
    assert!(setting == Some("username") && words.contains("follows from the AWS identity"), "{words}");
    let inherited = team(Settings { username: some("alice"), ..Settings::default() });
    assert_eq!(refused(&inherited, &at(WORKGROUP)).0, Some("username"));
}

/// Proves: Q16, Q20, Q21
#[test]
fn roles_are_assumed_the_teams_first() {
    let role = |arn: &str, external: Option<&str>| Role {
        arn: arn.to_owned(),
        external_id: external.map(str::to_owned),
        session_name: None,
    };
    let with = |arn: &str| Settings { role_arn: some(arn), ..Settings::default() };
    let base = team(with(ROLE));
    assert_eq!(iam(&base, &at(CLUSTER)).roles, [role(ROLE, None)]);
    let own = Settings { role_arn: some(OTHER), external_id: some("xy"), ..at(CLUSTER) };
    assert_eq!(iam(&base, &own).roles, [role(ROLE, None), role(OTHER, Some("xy"))]);
    assert_eq!(iam(&team(Settings::default()), &own).roles, [role(OTHER, Some("xy"))]);
    assert_eq!(iam(&base, &Settings { role_arn: some(ROLE), ..at(CLUSTER) }).roles.len(), 1);
    let named = iam(&base, &Settings { username: some("alice"), ..at(CLUSTER) });
    assert_eq!((named.roles.len(), named.user.as_deref()), (1, Some("alice")));
    let directly = Settings { authentication_type: some("IAM"), ..at(CLUSTER) };
    assert!(iam(&base, &directly).roles.is_empty());
    let without = Settings { authentication_type: some("IAM_ROLE"), ..at(CLUSTER) };
    assert_eq!(refused(&team(Settings::default()), &without).0, Some("role_arn"));
    assert_eq!(iam(&base, &without).roles, [role(ROLE, None)]);
}

#[test]
fn the_warehouse_is_the_one_that_is_written_or_told_by_the_host() {
    let by_iam = |settings: Settings| Settings { authentication_type: some("IAM"), ..settings };
    let nobody = team(Settings::default());
    let vpc = "main-endpoint-abcdef1234.xyz.eu-west-1.redshift.amazonaws.com";
    let serverless_vpc = "wg1-endpoint-abcdef1234.123.eu-west-1.redshift-serverless.amazonaws.com";
    for (host, setting) in
        [(vpc, "cluster_identifier"), (serverless_vpc, "workgroup_name"), ("10.0.0.1", "cluster_identifier")]
    {
        assert_eq!(refused(&nobody, &by_iam(at(host))).0, Some(setting), "{host}");
    }
    let named = by_iam(Settings { cluster_identifier: some("Main"), region: some("eu-central-1"), ..at("10.0.0.1") });
    let found = iam(&nobody, &named);
    assert_eq!((found.target, found.region.as_deref()), (Target::Cluster("main".into()), Some("eu-central-1")));
    assert_eq!(iam(&nobody, &by_iam(at("dw.example.com"))).target, Target::CustomDomain("dw.example.com".into()));
    let other = Settings { cluster_identifier: some("other"), ..at(CLUSTER) };
    assert_eq!(iam(&nobody, &other).target, Target::Cluster("other".into()), "what is written comes first");
    let nowhere = team(Settings { region: some("cn-north-1"), ..Settings::default() });
    assert_eq!(iam(&nowhere, &by_iam(at("dw.example.com"))).region.as_deref(), Some("cn-north-1"));
    assert_eq!(iam(&nowhere, &at(CLUSTER)).region.as_deref(), Some("eu-west-1"), "the host knows better than the team");
}

/// Proves: L6, L14, L19, L20, L31
#[test]
fn a_secret_fills_what_is_absent_and_a_parameter_comes_before_it() {
    let nobody = team(Settings::default());
    let secret = || Settings { secret_id: some("s"), ..Settings::default() };
    let all = access(&nobody, &secret());
    assert_eq!((all.endpoint.to_string(), all.database, all.user), ("vault:5440".into(), "sales".into(), "sue".into()));
    assert_eq!(password(&nobody, &secret()), ("sue".into(), "of secret".into(), "secret_id \"s\"".into()));
    let written = Settings { username: some("bob"), database: some("dev"), ..secret() };
    let some_of_it = access(&nobody, &Settings { port: Some(5441), ..written.clone() });
    assert_eq!((some_of_it.endpoint.to_string(), some_of_it.database), ("vault:5441".into(), "dev".into()));
    assert_eq!(password(&nobody, &Settings { host: some("h"), ..written.clone() }).0, "bob");
    let both = Settings { password_ssm_parameter: some("p"), ..written };
    assert_eq!(password(&nobody, &both), ("bob".into(), "of ssm".into(), "password_ssm_parameter \"p\"".into()));
    let elsewhere = team(at("inherited"));
    let (setting, words) = refused(&elsewhere, &secret());
    assert!(
        setting == Some("secret_id") && words.contains("vault:5440") && words.contains("inherited:5439"),
        "{words}"
    );
    assert_eq!(password(&elsewhere, &Settings { host: some("vault"), ..secret() }).1, "of secret");
}

#[test]
fn the_teams_secret_goes_to_its_own_warehouse_and_user_only() {
    let ours = team(Settings { secret_id: some("s"), ..Settings::default() });
    assert_eq!(
        password(&ours, &Settings::default()),
        ("sue".into(), "of secret".into(), "secret_id \"s\" of the provider block".into())
    );
    assert!(refused(&ours, &at("elsewhere")).1.contains("No password for \"sue\" at elsewhere:5439"));
    assert!(
        refused(&ours, &Settings { username: some("bob"), ..Settings::default() })
            .1
            .contains("No password for \"bob\"")
    );
    let ours = team(Settings { password_ssm_parameter: some("p"), username: some("amy"), ..at("h") });
    assert_eq!(password(&ours, &Settings::default()).1, "of ssm");
    assert!(refused(&ours, &at("g")).1.contains("No password for \"amy\" at g:5439"));
}

#[test]
fn a_name_alone_has_to_be_looked_up_by_whoever_asks_for_credentials() {
    let own = Settings {
        cluster_identifier: some("Main"),
        role_arn: some(ROLE),
        region: some("eu-west-1"),
        ..Settings::default()
    };
    let Ok(Settled::LookUp(need)) = team(Settings::default()).access(&own, &Findings::default()) else {
        panic!("known")
    };
    let roles = vec![Role { arn: ROLE.into(), external_id: None, session_name: None }];
    assert_eq!(
        need,
        Need::Endpoint {
            target: Target::Cluster("main".into()),
            region: some("eu-west-1"),
            roles,
            for_want_of_password: false
        }
    );
    let found = Findings::default();
    found.put(
        need,
        Finding::Endpoint(Located { endpoint: Endpoint { host: "h".into(), port: 5444 }, network: Network::default() }),
    );
    let access = team(Settings::default()).access(&own, &found).expect("settings").known().expect("known");
    assert_eq!(access.endpoint.to_string(), "h:5444");
    assert_eq!(access.iam.map(|iam| iam.target), Some(Target::Cluster("main".into())));
    let remembered = Endpoint { host: CLUSTER.replace("main", "old"), port: 5439 };
    let elsewhere = team(Settings::default()).access_at(&own, &remembered, &found).expect("settings").known();
    assert_eq!(elsewhere.expect("known").iam.map(|iam| iam.target), Some(Target::Cluster("old".into())));
}

#[test]
fn a_password_that_is_there_is_used_and_a_login_is_taken_as_a_whole() {
    let ours = team(Settings { username: some("amy"), password: Some("CANARY".into()), ..at(CLUSTER) });
    assert!(access(&ours, &Settings::default()).iam.is_none());
    assert!(iam(&ours, &Settings { username: some("bob"), ..Settings::default() }).for_want_of_password);
    let own = Settings { role_arn: some(ROLE), ..Settings::default() };
    assert_eq!(iam(&ours, &own).user, None, "whose role it is, is not amy");
    let entry = Credential { username: None, password: Some("of bob".into()), pending: false };
    let credentials = Credentials::parse([("bob@cluster:main".to_owned(), entry)]).expect("credentials");
    let settings = Settings { role_arn: some(ROLE), cluster_identifier: some("main"), ..at("10.0.0.1") };
    let written = Written { settings, credentials, ..Written::default() };
    let mixed = Defaults::new(written, &Environment::default(), "the provider block").expect("defaults");
    assert_eq!(password(&mixed, &Settings { username: some("bob"), ..Settings::default() }).1, "of bob");
    assert_eq!(iam(&mixed, &Settings { username: some("eve"), ..Settings::default() }).user.as_deref(), Some("eve"));
}

#[test]
fn temporary_credentials_never_travel_in_clear() {
    let clear = team(Settings { sslmode: some("disable"), ..at(CLUSTER) });
    let (setting, words) = refused(&clear, &Settings::default());
    assert!(setting == Some("sslmode") && words.contains("over TLS only") && words.contains("No password"), "{words}");
    assert!(iam(&clear, &Settings { sslmode: some("require"), ..Settings::default() }).for_want_of_password);
}

#[test]
fn while_a_part_of_the_login_is_not_known_nothing_is_chosen() {
    for name in ["role_arn", "secret_id", "password_ssm_parameter", "authentication_type"] {
        let own = Settings { pending: [name].into(), ..at(CLUSTER) };
        let found = settled(&team(Settings::default()), &own).expect("settings");
        assert!(matches!(&found, Settled::Pending(names) if names == &[name]), "{name}: {found:?}");
    }
}
