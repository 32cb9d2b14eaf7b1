//! The way to the warehouse through a proxy that the environment names.

use serde_json::json;

use crate::support::{CLUSTER_HOST, SocksProxy, Warehouse, Workspace};

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
