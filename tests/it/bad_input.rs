//! What a person gets wrong: each is one clear diagnostic on the right attribute, and nothing is changed or lost.

use crate::support::{Problem, Warehouse, Workspace};

fn with_connection(more: &str) -> String {
    format!("provider \"redshift\" {{}}\nresource \"redshift_connection\" \"c\" {{\n  name = \"c\"\n{more}\n}}\n")
}

fn with_datastore(more: &str, service_user: &str) -> String {
    format!(
        "provider \"redshift\" {{}}\nresource \"redshift_datastore\" \"d\" {{\n  name = \"d\"\n  database = \"dev\"\n  schema = \"sales\"\n{more}\n  service_user {{\n    name = \"tool\"\n{service_user}\n  }}\n}}\n"
    )
}

fn with_integration(more: &str) -> String {
    format!(
        "provider \"redshift\" {{}}\nresource \"redshift_integration\" \"i\" {{\n  auto_bootstrap = true\n  database = \"governed\"\n{more}\n}}\n"
    )
}

/// What the configuration alone tells is refused before there is a warehouse to ask.
/// Proves: Q44
#[test]
fn what_the_configuration_tells_is_refused_at_plan_time() {
    let workspace = Workspace::new();
    let name = "n".repeat(256);
    let cases: Vec<(String, &str, &str)> = vec![
        (with_connection("  host = \"h\"\n  port = 0"), "port", "65535"),
        (with_connection("  host = \"h\"\n  port = 65536"), "port", "65535"),
        (with_connection("  host = \"h\"\n  sslmode = \"prefer\""), "sslmode", "verify-full"),
        (with_connection("  host = \"https://h/\""), "host", "host"),
        (with_connection("  host = \"h\"\n  connect_timeout = \"soon\""), "connect_timeout", "30s"),
        (with_connection("  host = \"h\"\n  authentication_type = \"KERBEROS\""), "authentication_type", "BASIC"),
        (with_connection("  connection_string = \"mysql://h/dev\""), "", "postgresql://"),
        (with_connection("  connection_string = \"redshift://h/dev?sslmod=require\""), "", "sslmod"),
        (with_connection(&format!("  description = \"{name}\"")), "description", "255"),
        (with_connection("  host = \"h\"\n  hostt = \"x\""), "hostt", "hostt"),
        (with_connection("  schema = \"sales\""), "schema", "schema"),
        (with_datastore("  username = \"u\"", ""), "username", "username"),
        (with_datastore("  warehouse {\n    database = \"dev\"\n  }", ""), "database", "database"),
        (with_datastore("  parameters {\n    username = \"u\"\n  }", ""), "parameters", "parameters"),
        (with_datastore("", "").replace("\"d\"\n", &format!("\"{name}\"\n")), "name", "255"),
        (format!("provider \"redshift\" {{}}\nresource \"redshift_user\" \"u\" {{\n  name = \"{name}\"\n}}\n"), "name", "127"),
        ("provider \"redshift\" {}\nresource \"redshift_user\" \"u\" {\n  name = \"u\"\n  passwrd = \"x\"\n}\n".to_owned(), "passwrd", "passwrd"),
        ("provider \"redshift\" {}\nresource \"redshift_user\" \"u\" {\n  name = \"u\"\n  warehouse {\n    hots = \"h\"\n  }\n}\n".to_owned(), "hots", "hots"),
        ("provider \"redshift\" {}\ndata \"redshift_schemas\" \"s\" {\n  database = \"dev\"\n  liek = \"x\"\n}\n".to_owned(), "liek", "liek"),
        ("provider \"redshift\" {}\ndata \"redshift_catalog\" \"s\" {\n  database = \"dev\"\n  schema = \"s\"\n  warehouse {\n    prot = 1\n  }\n}\n".to_owned(), "prot", "prot"),
        ("provider \"redshift\" {}\ndata \"redshift_connection_test\" \"s\" {\n  warehose = 1\n}\n".to_owned(), "warehose", "warehose"),
        (with_connection("").replace("\"c\"\n", &format!("\"{name}\"\n")), "name", "255"),
        (with_datastore("  connection_id = \"no id\"", ""), "connection_id", "redshift://"),
        (with_datastore("  datasets = [\"a[\"]", ""), "datasets", "a["),
        (with_datastore("", "    type = \"person\""), "type", "group"),
        (with_datastore("", "    grant_through = \"magic\""), "grant_through", "direct"),
        (with_datastore("", "    type = \"group\"\n    grant_through = \"role\""), "grant_through", "group"),
        (with_datastore("", "    type = \"group\"\n    future_tables = \"schema\""), "future_tables", "group"),
        (with_datastore("  warehouse {\n    port = 70000\n  }", ""), "port", "65535"),
        (with_datastore("  schema2 = \"x\"", ""), "schema2", "schema2"),
        (with_datastore("  warehouse {\n    sslmod = \"disable\"\n  }", ""), "sslmod", "sslmod"),
        (with_datastore("", "    nam = \"x\""), "nam", "nam"),
        (with_datastore("  catalog_refresh {\n    enable = true\n  }", ""), "enable", "enable"),
        (with_datastore("  catalog_refresh {\n    enabled = true\n    interval = \"daily\"\n  }", ""), "interval", "24h"),
        (with_datastore("", "").replace("\"sales\"", "\"\""), "schema", "schema"),
        (with_datastore("", "").replace("\"sales\"", &format!("\"{}\"", "ä".repeat(64))), "schema", "127"),
        (with_datastore("", "").replace("\"sales\"", "\"a\\nb\""), "schema", "control"),
        ("provider \"redshift\" {\n  max_sessions = 1.5\n}\nresource \"redshift_user\" \"u\" {\n  name = \"u\"\n}\n".to_owned(), "max_sessions", "whole"),
        (with_integration("  prefix = \"Bad Prefix\"\n  system_user {\n    password_wo = \"System-secret-1\"\n    password_wo_version = 1.5\n  }"), "prefix", "plain identifier"),
        (with_integration("  initial_database = \"governed\"\n  system_user {\n    password_wo = \"System-secret-1\"\n    password_wo_version = 1.5\n  }"), "database", "initial_database"),
        (with_integration("  impersonation {\n    enabled = true\n    key_version = 1.5\n  }"), "key_version", "whole"),
        ("provider \"redshift\" {\n  max_sessions = 0\n}\nresource \"redshift_user\" \"u\" {\n  name = \"u\"\n}\n".to_owned(), "max_sessions", "1"),
        ("provider \"redshift\" {\n  on_unreachable = \"cry\"\n}\nresource \"redshift_user\" \"u\" {\n  name = \"u\"\n}\n".to_owned(), "on_unreachable", "warn"),
        ("provider \"redshift\" {\n  hostaddr = \"a:b:c:d\"\n}\nresource \"redshift_user\" \"u\" {\n  name = \"u\"\n}\n".to_owned(), "hostaddr", "hostaddr"),
        ("provider \"redshift\" {\n  databas = \"dev\"\n}\nresource \"redshift_user\" \"u\" {\n  name = \"u\"\n}\n".to_owned(), "databas", "databas"),
        ("provider \"redshift\" {}\nresource \"redshift_user\" \"u\" {\n  name = \"u\"\n  password_wo = \"Secret-word-1\"\n}\n".to_owned(), "", "password_wo_version"),
        ("provider \"redshift\" {}\nresource \"redshift_user\" \"u\" {\n  name = \"u\"\n  valid_until = \"tomorrow\"\n}\n".to_owned(), "valid_until", "RFC 3339"),
    ];
    for (hcl, attribute, words) in cases {
        let problem = workspace.refused(&hcl);
        assert!(problem.text().contains(words), "{words} is not in {problem:#?}\n{hcl}");
        if !attribute.is_empty() {
            assert!(problem.line.contains(attribute), "not on {attribute}: {problem:#?}\n{hcl}");
        }
    }
}

/// Proves: Q44, Q50
#[test]
fn a_password_in_the_wrong_place_is_refused_in_words_and_never_shown() {
    let workspace = Workspace::new();
    for hcl in [
        with_connection("  host = \"h\"\n  password = \"CANARY-secret-1\""),
        with_connection("  connection_string = \"redshift://u:CANARY-secret-1@h/dev\""),
        with_connection("  connection_string = \"jdbc:redshift://h/dev?user=u&password=CANARY-secret-1\""),
        with_datastore("  warehouse {\n    host = \"h\"\n    password = \"CANARY-secret-1\"\n  }", ""),
        "provider \"redshift\" {}\ndata \"redshift_schemas\" \"s\" {\n  database = \"dev\"\n  warehouse {\n    password = \"CANARY-secret-1\"\n  }\n}\n".to_owned(),
    ] {
        let problem = workspace.refused(&hcl);
        assert_eq!(problem.summary, "A password does not belong here", "{problem:#?}\n{hcl}");
        assert!(problem.text().contains("provider block"), "{problem:#?}\n{hcl}");
        assert_eq!(problem.line, "", "Terraform would print the line");
        let all = workspace.run(&["validate"]);
        assert!(!format!("{}{}", all.stdout, all.stderr).contains("CANARY"), "{}{}", all.stdout, all.stderr);
    }
}

/// A version is only compared, so any number is one.
#[test]
fn the_version_of_a_password_is_any_number() {
    let warehouse = Warehouse::start();
    let workspace = Workspace::on(&warehouse);
    let user = "resource \"redshift_user\" \"u\" {\n  name = \"u\"\n  password_wo = \"Secret-word-1\"\n  password_wo_version = 1.5\n}\n";
    let system = "  system_user {\n    password_wo = \"System-secret-1\"\n    password_wo_version = 1.5\n  }";
    workspace.write(&format!("{}{user}", with_integration(system)));
    workspace.apply();
    for address in ["redshift_user.u", "redshift_integration.i"] {
        assert_eq!(workspace.values(address)["password_version"], serde_json::json!("1.5"), "{address}");
    }
    workspace.plan().assert_empty();
    workspace.write(&format!("{}{user}", with_integration(system)).replace("1.5", "1e40"));
    workspace.apply();
    workspace.plan().assert_empty();
    workspace.destroy();
}

/// Proves: Q14, Q15
#[test]
fn a_missing_login_or_host_is_a_plan_error() {
    let mut workspace = Workspace::new();
    workspace.env("REDSHIFT_HOST", "warehouse.invalid");
    let no_user = workspace.refused(&with_connection(""));
    assert!(no_user.text().contains("username"), "{no_user:#?}");
    workspace.env("REDSHIFT_USER", "alice");
    let no_password = workspace.refused(&with_connection(""));
    assert!(no_password.text().contains("No password for \"alice\" at warehouse.invalid"), "{no_password:#?}");
    workspace.env("REDSHIFT_PASSWORD", "Secret-word-1").without("REDSHIFT_HOST");
    let no_host = workspace.refused(&with_connection(""));
    assert!(no_host.text().contains("host"), "{no_host:#?}");
}

fn one_error(problems: Vec<Problem>) -> Problem {
    let mut errors: Vec<_> = problems.into_iter().filter(|problem| problem.severity == "error").collect();
    assert_eq!(errors.len(), 1, "{errors:#?}");
    errors.remove(0)
}

/// Proves: F3, I39
#[test]
fn what_the_world_refuses_is_told_apart_at_apply() {
    let warehouse = Warehouse::start();
    let mut workspace = Workspace::on(&warehouse);
    workspace.write(&with_connection(""));

    workspace.env("REDSHIFT_PASSWORD", "Wrong-secret-1");
    let wrong = one_error(workspace.apply_problems());
    assert!(
        wrong.text().contains("password authentication failed") && wrong.text().contains("REDSHIFT_USER"),
        "{wrong:#?}"
    );
    workspace.env("REDSHIFT_PASSWORD", warehouse.password());

    workspace.env("REDSHIFT_HOST", "no-such-host.invalid");
    let unknown = one_error(workspace.apply_problems());
    assert!(
        unknown.text().contains("no-such-host.invalid") && unknown.text().contains("cannot be resolved"),
        "{unknown:#?}"
    );
    workspace.env("REDSHIFT_HOST", &warehouse.host());

    let closed = std::net::TcpListener::bind("127.0.0.1:0")
        .and_then(|listener| listener.local_addr())
        .map(|address| address.port());
    workspace.env("REDSHIFT_PORT", &closed.expect("a port").to_string());
    let refused = one_error(workspace.apply_problems());
    assert!(refused.text().contains("refused"), "{refused:#?}");
    workspace.env("REDSHIFT_PORT", &warehouse.port().to_string());

    workspace.write(&with_connection("  database = \"nowhere\""));
    let database = one_error(workspace.apply_problems());
    assert!(database.text().contains("nowhere") && database.text().contains("3D000"), "{database:#?}");

    workspace.write(&with_datastore("", "    future_tables = \"none\""));
    warehouse.sql("dev", "CREATE USER tool PASSWORD DISABLE");
    let schema = one_error(workspace.apply_problems());
    assert!(schema.text().contains("sales") && schema.line.contains("schema"), "{schema:#?}");

    warehouse.sql("dev", "CREATE SCHEMA sales");
    workspace.write(&with_datastore("", "    future_tables = \"none\"").replace("\"tool\"", "\"nobody\""));
    let nobody = one_error(workspace.apply_problems());
    assert!(nobody.text().contains("nobody") && nobody.line.contains("name"), "{nobody:#?}");
    assert_eq!(warehouse.writes(), 0, "nothing was changed");
    assert_eq!(workspace.addresses(), Vec::<String>::new());
}

#[test]
fn a_certificate_of_another_name_and_a_server_without_tls_are_told_apart() {
    let warehouse = Warehouse::start();
    let mut workspace = Workspace::on(&warehouse);
    workspace.write(&with_connection(""));
    workspace.env("REDSHIFT_HOST", "other.example.invalid").env("REDSHIFT_HOSTADDR", "127.0.0.1");
    let name = one_error(workspace.apply_problems());
    assert!(name.text().contains("other.example.invalid") && name.text().contains("verify-ca"), "{name:#?}");
    workspace.env("REDSHIFT_SSLMODE", "verify-ca");
    workspace.apply();
    workspace.without("REDSHIFT_SSLROOTCERT");
    workspace.write(&with_connection("  connect_timeout = \"20s\""));
    let issuer = one_error(workspace.apply_problems());
    assert!(issuer.text().contains("sslrootcert"), "{issuer:#?}");

    let plain = Warehouse::plain();
    let workspace = Workspace::on(&plain);
    workspace.write(&with_connection(""));
    let problem = one_error(workspace.apply_problems());
    assert!(problem.text().contains("TLS"), "{problem:#?}");
}

/// Proves: F15, F16, F17, F22
#[test]
fn a_timeout_says_where_to_look() {
    let warehouse = Warehouse::start();
    let mut workspace = Workspace::on(&warehouse);
    let silent = warehouse.silent_port();
    workspace.env("REDSHIFT_PORT", &silent.port().to_string());
    workspace
        .write(&with_connection("  connect_timeout = \"1s\"").replace("{}", "{\n  egress_ip = \"203.0.113.7\"\n}"));
    let problem = one_error(workspace.apply_problems());
    for words in ["security group", "203.0.113.7/32", "publicly accessible", "paused", &silent.port().to_string()] {
        assert!(problem.text().to_lowercase().contains(words), "{words} is not in {problem:#?}");
    }
}

/// A warehouse that let the login in is behind no security group.
#[test]
fn a_query_that_hangs_is_told_from_a_network_that_does() {
    let warehouse = Warehouse::start();
    let workspace = Workspace::on(&warehouse);
    warehouse.fault(redshift_standin::Fault::statement("pg_backend_pid", redshift_standin::Action::Stall).times(9));
    workspace.write(&with_connection("  connect_timeout = \"2s\""));
    let problem = one_error(workspace.apply_problems());
    assert!(problem.text().contains("The login was accepted, but the first statements had no answer"), "{problem:#?}");
    assert!(!problem.text().contains("security group"), "{problem:#?}");
}

/// A login in a setting that holds a place is neither shown with its line nor repeated.
#[test]
fn a_password_in_a_host_is_not_shown() {
    let workspace = Workspace::new();
    let provider = |lines: &str| {
        format!("provider \"redshift\" {{\n{lines}\n}}\nresource \"redshift_user\" \"u\" {{\n  name = \"u\"\n}}\n")
    };
    let of_user = |lines: &str| {
        format!("provider \"redshift\" {{}}\nresource \"redshift_user\" \"u\" {{\n  name = \"u\"\n{lines}\n}}\n")
    };
    for hcl in [
        with_connection("  host = \"ann:CANARY-1@h\""),
        with_connection("  host = \"CANARY-1@h\""),
        with_connection("  host = \"redshift://ann:CANARY-1@h\""),
        with_connection("  cluster_identifier = \"ann:CANARY-1@h\""),
        with_connection("  workgroup_name = \"ann:CANARY-1@h\""),
        with_connection("  host = \"h\"\n  region = \"ann:CANARY-1@h\""),
        with_connection("  host = \"h\"\n  sslmode = \"verify-full?password=CANARY-1\""),
        with_connection("  host = \"h\"\n  authentication_type = \"ann:CANARY-1@h\""),
        of_user("  warehouse {\n    host = \"ann:CANARY-1@h\"\n  }"),
        of_user("  connection_id = \"redshift://ann:CANARY-1@h?x=1\""),
        of_user("  connection_id = \"ann:CANARY-1@h\""),
        provider("  host = \"ann:CANARY-1@h\""),
        provider("  hostaddr = \"ann:CANARY-1@h\""),
        provider("  hostaddrs = {\n    \"ann:CANARY-1@h\" = \"h\"\n  }"),
        provider("  hostaddrs = {\n    h = \"ann:CANARY-1@h\"\n  }"),
        provider("  on_unreachable = \"ann:CANARY-1@h\""),
        provider("  endpoints {\n    sts = \"https://ann:CANARY-1@h\"\n  }"),
    ] {
        workspace.write(&hcl);
        let told = [workspace.run(&["validate", "-no-color"]), workspace.run(&["plan", "-input=false", "-no-color"])];
        let text = told.map(|outcome| outcome.text()).concat();
        assert!(text.contains("Error: ") && !text.contains("CANARY"), "{text}\n{hcl}");
    }
}

/// A change that is refused leaves state and warehouse as they were.
#[test]
fn a_refused_change_loses_nothing() {
    let warehouse = Warehouse::start();
    warehouse.sql("dev", "CREATE SCHEMA sales");
    warehouse.sql("dev", "CREATE USER tool PASSWORD DISABLE");
    let workspace = Workspace::on(&warehouse);
    let datastore = with_datastore("", "    future_tables = \"none\"");
    // On a datastore that is not there yet: on the attribute, at apply.
    workspace.write(&datastore.replace("database = \"dev\"", "database = \"nowhere\""));
    let missing = one_error(workspace.apply_problems());
    assert!(missing.text().contains("nowhere") && missing.line.contains("database"), "{missing:#?}");
    assert_eq!(workspace.addresses(), Vec::<String>::new());

    let hcl = format!("{}{}", with_connection(""), datastore.replace("provider \"redshift\" {}\n", ""));
    workspace.write(&hcl);
    workspace.apply();
    let values = || ["redshift_connection.c", "redshift_datastore.d"].map(|address| workspace.values(address));
    let (before, rights) = (values(), warehouse.dump("dev"));
    for bad in [
        hcl.replace("\"tool\"", "\"nobody\""),
        hcl.replace("  name = \"c\"\n", "  name = \"c\"\n  database = \"nowhere\"\n"),
    ] {
        workspace.write(&bad);
        one_error(workspace.apply_problems());
        assert_eq!(values(), before, "{bad}");
        assert_eq!(warehouse.dump("dev"), rights);
    }
    workspace.write(&hcl);
    workspace.plan().assert_empty();
}
