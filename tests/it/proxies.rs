//! The ways to the warehouse and to AWS through proxies that the environment names.

use serde_json::json;

use crate::support::{CLUSTER_HOST, ConnectProxy, SocksProxy, Terminator, Warehouse, Workspace};

const CANARY: &str = "Canary-5d81";

/// A workspace whose provider finds a host that this machine does not know, by the proxy.
fn workspace(warehouse: &Warehouse, proxy: &str) -> Workspace {
    let mut workspace = Workspace::on(warehouse);
    workspace.env("REDSHIFT_HOST", CLUSTER_HOST).without("REDSHIFT_PORT");
    workspace.env("ALL_PROXY", proxy).env("NO_PROXY", "").env("no_proxy", "");
    workspace.write(CONFIGURATION);
    workspace
}

const CONFIGURATION: &str = r#"
provider "redshift" {
  connect_timeout = "10s"
}
resource "redshift_connection" "c" {
  name = "c"
}
resource "redshift_user" "tool" {
  name          = "tool"
  connection_id = redshift_connection.c.id
}
"#;

/// The proxy resolves the name, TLS verifies it, and nothing of the way is in state.
#[test]
fn a_warehouse_behind_a_socks_proxy_is_reached_and_verified() {
    let warehouse = Warehouse::start();
    let place = format!("{CLUSTER_HOST}:5439");
    // The certificate does not have the second name.
    let routes = [(place.as_str(), warehouse.port()), ("other.invalid:5439", warehouse.port())];
    let proxy = SocksProxy::with_login(&routes, "ann", &format!("{CANARY}@1"));
    let mut workspace = workspace(&warehouse, &format!("socks5://ann:{CANARY}%401@{}", proxy.address()));
    let log = workspace.log("TRACE");
    workspace.apply();
    assert!(!proxy.passed().is_empty() && proxy.passed().iter().all(|passed| *passed == place), "{:?}", proxy.passed());
    assert!(proxy.bytes() > 1000);
    let values = workspace.values("redshift_connection.c");
    assert_eq!((&values["id"], &values["endpoint"]), (&json!("redshift://"), &json!(place)));
    let logged = std::fs::read_to_string(log).expect("the log");
    assert!(
        logged.contains("ALL_PROXY") && !logged.contains(CANARY) && !workspace.state().to_string().contains(CANARY)
    );
    proxy.reset();
    workspace.plan().assert_empty();
    assert!(!proxy.passed().is_empty());

    // Who answers is verified for the name of the warehouse.
    let mut other = self::workspace(&warehouse, &format!("socks5h://ann:{CANARY}%401@{}", proxy.address()));
    other.env("REDSHIFT_HOST", "other.invalid");
    let failure = other.try_apply().failed().text();
    assert!(failure.contains("is not for other.invalid") && failure.contains("verify-full"), "{failure}");
    assert_eq!(proxy.refused(), [] as [&str; 0]);
}

#[test]
fn a_proxy_that_does_not_lead_there_says_why() {
    let warehouse = Warehouse::start();
    let proxy = SocksProxy::with_login(&[], "ann", CANARY);
    let mut workspace = workspace(&warehouse, &format!("socks5://{}", proxy.address()));
    let at = proxy.address();
    for (value, words) in [
        (format!("socks5://{at}"), format!("The SOCKS proxy at {at} wants a login")),
        (format!("socks5://ann:{CANARY}-2@{at}"), format!("The SOCKS proxy at {at} refused the login")),
        (format!("socks5://ann:{CANARY}@{at}"), format!("The SOCKS proxy at {at} refused the connection")),
        ("socks5://127.0.0.1:1".to_owned(), "The SOCKS proxy at 127.0.0.1:1 cannot be reached".to_owned()),
        (format!("socks5://{CANARY}@{at}"), "Bad ALL_PROXY".to_owned()),
    ] {
        workspace.env("ALL_PROXY", &value);
        let failure = workspace.try_apply().failed().text();
        assert!(failure.contains(&words) && !failure.contains(CANARY), "{words}: {failure}");
    }
    assert!(proxy.passed().is_empty());
}

/// `NO_PROXY` excepts hosts, `hostaddr` says by itself where to connect, and other proxies are for other lines.
#[test]
fn the_proxy_is_left_out_where_it_is_not_meant() {
    let warehouse = Warehouse::start();
    let proxy = SocksProxy::start(&[]);
    let mut workspace = workspace(&warehouse, &format!("socks5://{}", proxy.address()));
    workspace.env("REDSHIFT_HOSTADDR", &format!("127.0.0.1:{}", warehouse.port()));
    workspace.apply();
    workspace.plan().assert_empty();
    workspace.destroy();
    workspace.without("REDSHIFT_HOSTADDR");
    workspace.env("REDSHIFT_HOST", &warehouse.host()).env("REDSHIFT_PORT", &warehouse.port().to_string());
    workspace.env("NO_PROXY", &format!("10.0.0.0/8, {}", warehouse.host()));
    workspace.apply();
    workspace.env("NO_PROXY", "").env("ALL_PROXY", "http://127.0.0.1:1");
    workspace.plan().assert_empty();
    workspace.destroy();
    assert_eq!((proxy.passed(), proxy.refused()), (Vec::new(), Vec::new()));
}

const SECRET: &str = r#"
provider "redshift" {
  connect_timeout = "10s"
}
resource "redshift_connection" "c" {
  name      = "c"
  secret_id = "standin/warehouse"
}
"#;

/// A workspace whose provider has to ask AWS for everything. `url`: where AWS is.
fn by_secret(warehouse: &Warehouse, url: &str) -> Workspace {
    let mut workspace = Workspace::on(warehouse);
    for name in ["REDSHIFT_HOST", "REDSHIFT_PORT", "REDSHIFT_USER", "REDSHIFT_PASSWORD"] {
        workspace.without(name);
    }
    for (name, value) in warehouse.aws_environment() {
        workspace.env(&name, &value);
    }
    workspace.env("AWS_ENDPOINT_URL", url);
    workspace.write(SECRET);
    workspace
}

/// The stand-in's AWS is plain HTTP, so requests go to HTTP_PROXY in absolute form; the warehouse has the SOCKS one.
#[test]
fn each_line_takes_the_proxy_that_is_for_it() {
    let warehouse = Warehouse::start();
    let place = format!("{}:{}", warehouse.host(), warehouse.port());
    let socks = SocksProxy::start(&[(place.as_str(), warehouse.port())]);
    let tls = Terminator::start(&["aws.invalid", "localhost"], warehouse.aws_address());
    let routes = [("aws.invalid:8080", warehouse.aws_address().port()), ("aws.invalid:443", tls.port())];
    let proxy = ConnectProxy::with_login(&routes, "ann", &format!("{CANARY}@1"));
    let url = format!("http://ann:{CANARY}%401@{}", proxy.address());
    let mut workspace = by_secret(&warehouse, "http://aws.invalid:8080");
    let log = workspace.log("TRACE");
    workspace.env("ALL_PROXY", &format!("socks5://{}", socks.address()));
    let only_these = |aws: &str| {
        let passed = proxy.passed();
        assert!(!passed.is_empty() && passed.iter().all(|passed| passed == aws), "{aws}: {passed:?}");
        assert!(socks.passed().iter().all(|passed| *passed == place), "{:?}", socks.passed());
        assert_eq!((proxy.refused(), socks.refused()), (Vec::new(), Vec::new()), "{aws}");
        assert!(!socks.passed().is_empty(), "{aws}");
        proxy.reset();
        socks.reset();
    };
    workspace.env("HTTP_PROXY", &url).env("HTTPS_PROXY", "http://127.0.0.1:1");
    workspace.apply();
    only_these("aws.invalid:8080");

    // HTTPS goes through a tunnel, and the root that AWS_CA_BUNDLE names is the one that counts.
    workspace.env("AWS_ENDPOINT_URL", "https://aws.invalid").env("HTTP_PROXY", "http://127.0.0.1:1");
    workspace.env("HTTPS_PROXY", &url).env("AWS_CA_BUNDLE", &tls.root_file().display().to_string());
    workspace.plan().assert_empty();
    only_these("aws.invalid:443");

    // Past all of them.
    workspace.env("AWS_ENDPOINT_URL", &format!("https://localhost:{}", tls.port())).env("NO_PROXY", "localhost");
    workspace.plan().assert_empty();
    assert_eq!((proxy.passed(), socks.passed()), (Vec::new(), Vec::new()));

    // A web proxy in ALL_PROXY is for AWS alone.
    workspace.without("HTTP_PROXY").without("HTTPS_PROXY").without("NO_PROXY").env("ALL_PROXY", &url);
    workspace.env("AWS_ENDPOINT_URL", "https://aws.invalid");
    workspace.destroy();
    assert!(proxy.passed().iter().all(|passed| passed == "aws.invalid:443") && !proxy.passed().is_empty());
    let logged = std::fs::read_to_string(log).expect("the log");
    assert!(logged.contains("HTTPS_PROXY") && !logged.contains(CANARY));
}

/// What is wrong between here and AWS is told apart, and no login of a proxy is repeated.
#[test]
fn what_stands_between_here_and_aws_is_named() {
    let warehouse = Warehouse::start();
    let tls = Terminator::start(&["aws.invalid"], warehouse.aws_address());
    let other = Terminator::start(&["aws.invalid"], warehouse.aws_address());
    let proxy = ConnectProxy::with_login(&[("aws.invalid:443", tls.port())], "ann", CANARY);
    let at = proxy.address();
    let good = format!("http://ann:{CANARY}@{at}");
    let mut workspace = by_secret(&warehouse, "https://aws.invalid");
    workspace.file("empty.pem", "no certificate\n");
    workspace.file("broken.pem", "-----BEGIN CERTIFICATE-----\nbm90aGluZw==\n-----END CERTIFICATE-----\n");
    let file = |name: &str| workspace.path().join(name).display().to_string();
    let roots = [file("missing.pem"), file("empty.pem"), file("broken.pem")];
    let (right, wrong) = (tls.root_file().display().to_string(), other.root_file().display().to_string());
    for (url, proxy, root, words) in [
        ("https://aws.invalid", good.as_str(), roots[0].as_str(), "missing.pem\" cannot be read"),
        ("https://aws.invalid", &good, &roots[1], "empty.pem\" holds no certificate in PEM form that can be used"),
        ("https://aws.invalid", &good, &roots[2], "broken.pem\" holds no certificate in PEM form that can be used"),
        ("https://aws.invalid", &good, &wrong, "AWS does not answer (secretsmanager:GetSecretValue)"),
        ("https://aws.invalid", &good, &wrong, "invalid peer certificate"),
        ("https://elsewhere.invalid", &good, &right, "The proxy on the way to AWS refuses to connect there."),
        ("https://aws.invalid", &format!("http://{at}"), &right, "The proxy on the way to AWS wants another login"),
        ("http://aws.invalid", &format!("http://{at}"), &right, "The proxy on the way to AWS wants another login"),
        ("https://aws.invalid", "http://127.0.0.1:1", &right, "The proxy on the way to AWS cannot be reached."),
        ("https://aws.invalid", &format!("socks5://{CANARY}:1"), &right, "Bad HTTPS_PROXY"),
    ] {
        workspace.env("AWS_ENDPOINT_URL", url).env("AWS_CA_BUNDLE", root);
        workspace.env("HTTPS_PROXY", proxy).env("HTTP_PROXY", proxy.trim_start_matches("socks5://"));
        let failure = workspace.try_apply().failed().text();
        assert!(failure.contains(words) && !failure.contains(CANARY), "{words}: {failure}");
        if words.contains("proxy") || words.contains("peer") {
            assert!(failure.contains("HTTPS_PROXY and NO_PROXY, and AWS_CA_BUNDLE"), "{failure}");
        }
    }
    assert!(warehouse.aws().calls().is_empty());
}
