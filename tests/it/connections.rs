//! `redshift_connection` and the data source that tests one.

use serde_json::json;

use crate::support::{CLUSTER_HOST, WORKGROUP_HOST, Warehouse, Workspace};

fn connection(more: &str) -> String {
    format!(
        "provider \"redshift\" {{}}\nresource \"redshift_connection\" \"c\" {{\n  name = \"redshift_production\"\n{more}\n}}\n"
    )
}

/// Proves: Q6, Q13, L24, F19
#[test]
fn a_connection_inherits_everything_and_says_what_it_came_to() {
    let warehouse = Warehouse::start();
    let workspace = Workspace::on(&warehouse);
    workspace.write(&connection(""));
    workspace.apply();
    let values = workspace.values("redshift_connection.c");
    assert_eq!(values["id"], json!("redshift://"));
    assert_eq!(values["name"], json!("redshift_production"));
    assert_eq!(values["type"], json!("redshift"));
    assert_eq!(values["resolved"]["authentication_type"], json!("BASIC"));
    assert_eq!(values["resolved"]["username"], json!(warehouse.superuser()));
    assert_eq!(values["database_user"], json!(warehouse.superuser()));
    workspace.plan().assert_empty();
    let nameless = workspace.refused(&connection("").replace("  name = \"redshift_production\"\n", ""));
    assert!(nameless.text().contains("name"), "{nameless:?}");
}

/// Proves: I33, I34, I35, I37
#[test]
fn the_tests_are_in_state_by_name() {
    let warehouse = Warehouse::start();
    let workspace = Workspace::on(&warehouse);
    workspace.write(&connection(""));
    workspace.apply();
    let results = workspace.values("redshift_connection.c")["validation_results"].clone();
    assert_eq!(results["status"], json!("passed"), "{results}");
    let tests = results["tests"].as_array().cloned().unwrap_or_default();
    let basic = tests.iter().find(|test| test["name"] == "Initial Validation: Basic Connection Test");
    assert_eq!(basic.map(|test| &test["status"]), Some(&json!("passed")), "{results}");
    assert!(
        tests.iter().all(|test| test["name"].is_string() && test["status"].is_string() && test.get("result").is_some())
    );
}

/// Proves: Q8, L5, L9, L25
#[test]
fn every_setting_that_is_written_is_in_the_id_and_none_that_is_not() {
    let warehouse = Warehouse::start();
    let workspace = Workspace::on(&warehouse);
    let (host, port) = (warehouse.host(), warehouse.port());
    let superuser = warehouse.superuser();
    workspace.write(&connection(&format!(
        "  host = \"{host}\"\n  port = {port}\n  username = \"{superuser}\"\n  database = \"dev\"\n  sslmode = \"verify-full\"\n  connect_timeout = \"20s\""
    )));
    workspace.apply();
    let id = format!("redshift://{superuser}@{host}:{port}/dev?connect_timeout=20s&sslmode=verify-full");
    assert_eq!(workspace.values("redshift_connection.c")["id"], json!(id));
    workspace.plan().assert_empty();
    let other = Workspace::on(&warehouse);
    other.write(&connection(&format!(
        "  host = \"{host}\"\n  port = {port}\n  username = \"{superuser}\"\n  database = \"dev\"\n  sslmode = \"verify-full\"\n  connect_timeout = \"20s\""
    )));
    other.import("redshift_connection.c", &id).succeeded();
    let plan = other.plan();
    assert_eq!(
        plan.changes().remove("redshift_connection.c"),
        Some(vec!["update".to_owned()]),
        "only the name is missing"
    );
}

/// Proves: F9, F10, L6
#[test]
fn connection_strings_of_every_form_are_read() {
    let warehouse = Warehouse::start();
    let workspace = Workspace::on(&warehouse);
    let (host, port, user) = (warehouse.host(), warehouse.port(), warehouse.superuser().to_owned());
    for scheme in ["postgresql", "postgres", "redshift"] {
        workspace.write(&connection(&format!(
            "  connection_string = \"{scheme}://{user}@{host}:{port}/dev?sslmode=verify-full\""
        )));
        workspace.apply();
        let values = workspace.values("redshift_connection.c");
        assert_eq!(values["endpoint"], json!(format!("{host}:{port}")));
        assert_eq!(values["id"], json!(format!("redshift://{user}@{host}:{port}/dev?sslmode=verify-full")));
    }
    workspace.write(&connection(&format!("  connection_string = \"jdbc:redshift://{host}:{port}/dev\"")));
    workspace.apply();
    assert_eq!(
        workspace.values("redshift_connection.c")["jdbc_url"],
        json!(format!("jdbc:redshift://{host}:{port}/dev"))
    );
    for (path, database) in [("/sample", "sample"), ("", "dev")] {
        let string = format!("redshift://{user}@{host}:{port}{path}");
        workspace.write(&connection(&format!("  connection_string = \"{string}\"")));
        workspace.apply();
        assert_eq!(workspace.values("redshift_connection.c")["resolved"]["database"], json!(database));
    }
    let both = workspace.refused(&connection("  connection_string = \"redshift://a/dev\"\n  database = \"dev\""));
    assert!(both.text().contains("database"), "{both:?}");
}

/// Proves: L7, L8
#[test]
fn a_disabled_connection_makes_no_call_and_its_dependents_keep_their_state() {
    let warehouse = Warehouse::start();
    warehouse.sql("dev", "CREATE SCHEMA sales");
    warehouse.sql("dev", "CREATE USER tool PASSWORD 'Tool-secret-1'");
    let workspace = Workspace::on(&warehouse);
    let both = |enabled: bool, more: &str| {
        format!(
            "{}\nresource \"redshift_datastore\" \"sales\" {{\n  name = \"Sales\"\n  connection_id = redshift_connection.c.id\n  database = \"dev\"\n  schema = \"sales\"\n{more}  service_user {{\n    name = \"tool\"\n    future_tables = \"none\"\n  }}\n}}\n",
            connection(&format!("  description = \"The shop\"\n  enabled = {enabled}"))
        )
    };
    workspace.write(&both(true, ""));
    workspace.apply();
    assert_eq!(workspace.values("redshift_connection.c")["description"], json!("The shop"));
    workspace.write(&both(false, ""));
    workspace.apply();
    warehouse.reset_counters();
    workspace.plan().assert_empty();
    assert_eq!(warehouse.sessions(), 0, "no network call is made");
    workspace.write(&both(false, "  enrichment_only = true\n"));
    let failure = workspace.try_apply().failed().text();
    assert!(failure.contains("Connection not enabled"), "{failure}");
    workspace.write(&both(true, ""));
    workspace.apply();
    workspace.destroy();
}

#[test]
fn a_rename_does_not_touch_dependents() {
    let warehouse = Warehouse::start();
    let workspace = Workspace::on(&warehouse);
    workspace.write(&format!(
        "{}\nresource \"redshift_user\" \"u\" {{\n  name = \"u\"\n  connection_id = redshift_connection.c.id\n}}\n",
        connection("")
    ));
    workspace.apply();
    workspace.write(&format!(
        "{}\nresource \"redshift_user\" \"u\" {{\n  name = \"u\"\n  connection_id = redshift_connection.c.id\n}}\n",
        connection("").replace("redshift_production", "renamed")
    ));
    let plan = workspace.plan();
    assert_eq!(plan.changes(), [("redshift_connection.c".to_owned(), vec!["update".to_owned()])].into());
    workspace.apply();
    workspace.plan().assert_empty();
}

/// Proves: Q41, F3, I39, I52
#[test]
fn a_connection_is_tested_by_itself_and_a_failure_is_no_error() {
    let warehouse = Warehouse::start();
    let mut workspace = Workspace::on(&warehouse);
    workspace.write("provider \"redshift\" {}\ndata \"redshift_connection_test\" \"t\" {}\noutput \"t\" {\n  value = data.redshift_connection_test.t\n}\n");
    workspace.apply();
    let good = workspace.output("t");
    assert_eq!((&good["connected"], &good["validation_results"]["status"]), (&json!(true), &json!("passed")));
    workspace.env("REDSHIFT_PASSWORD", "Wrong-password-1");
    workspace.apply();
    let refused = workspace.output("t");
    assert_eq!(refused["connected"], json!(false));
    let tests = refused["validation_results"]["tests"].as_array().cloned().unwrap_or_default();
    let skipped: Vec<_> = tests.iter().filter(|test| test["status"] == "skipped").collect();
    assert!(!skipped.is_empty() && skipped.iter().all(|test| test["result"].is_null()), "{refused}");
    let failed = tests.iter().find(|test| test["status"] == "failed");
    let message = failed.and_then(|test| test["message"].as_str()).unwrap_or_default();
    assert!(message.contains("password authentication failed") && message.contains("REDSHIFT_PASSWORD"), "{message}");
    warehouse.pause();
    workspace.apply();
    let unreachable = workspace.output("t")["validation_results"]["tests"].to_string();
    assert!(!unreachable.contains("password authentication failed") && !unreachable.is_empty(), "{unreachable}");
}

/// Proves: L18
#[test]
fn preserve_case_is_checked_against_the_warehouse() {
    let warehouse = Warehouse::start();
    let workspace = Workspace::on(&warehouse);
    workspace.write(&connection("  preserve_case = true"));
    let failure = workspace.try_apply().failed().text();
    assert!(failure.contains("preserve_case") && failure.contains("enable_case_sensitive_identifier"), "{failure}");
    workspace.write(&connection("  preserve_case = false"));
    workspace.apply();
    workspace.plan().assert_empty();
}

/// Proves: L21
#[test]
fn tls_is_on_and_verified_unless_it_is_switched_off() {
    let warehouse = Warehouse::plain();
    let mut workspace = Workspace::on(&warehouse);
    workspace.write(&connection(""));
    let failure = workspace.try_apply().failed().text();
    assert!(failure.contains("TLS"), "{failure}");
    workspace.env("REDSHIFT_SSLMODE", "disable");
    workspace.apply();
    assert_eq!(workspace.values("redshift_connection.c")["resolved"]["sslmode"], json!("disable"));
}

/// Whichever way a weaker mode is written: the provider's own password is not sent by it.
#[test]
fn nobody_weakens_the_protection_of_the_providers_password() {
    let warehouse = Warehouse::start();
    let mut workspace = Workspace::on(&warehouse);
    let (host, port, user) = (warehouse.host(), warehouse.port(), warehouse.superuser());
    let string = format!("  connection_string = \"redshift://{user}@{host}:{port}/dev?sslmode=disable\"");
    let of_user = |lines: &str| {
        format!("provider \"redshift\" {{}}\nresource \"redshift_user\" \"u\" {{\n  name = \"u\"\n{lines}\n}}\n")
    };
    let by_id = of_user("  connection_id = \"redshift://?sslmode=disable\"");
    let inline = of_user("  warehouse {\n    sslmode = \"require\"\n  }");
    for (hcl, line) in [
        (connection("  sslmode = \"disable\""), "sslmode"),
        (connection("  sslmode = \"verify-ca\""), "sslmode"),
        (connection(&string), ""),
        (by_id.clone(), "connection_id"),
        (inline, "sslmode"),
    ] {
        let problem = workspace.refused(&hcl);
        for words in ["weaker than that of the provider block (verify-full, the default)", "REDSHIFT_PASSWORD"] {
            assert!(problem.text().contains(words), "{words} is not in {problem:#?}\n{hcl}");
        }
        assert!(problem.line.contains(line), "{problem:#?}");
    }
    // A data source is read in the plan, and fails there.
    workspace.write("provider \"redshift\" {}\ndata \"redshift_schemas\" \"s\" {\n  database = \"dev\"\n  warehouse {\n    sslmode = \"require\"\n  }\n}\n");
    assert!(workspace.try_plan().outcome.text().contains("is weaker than"));
    // What is known only in the apply is refused there.
    let late = by_id.replace("\"redshift://?sslmode=disable\"", "terraform_data.id.output");
    workspace.write(&format!(
        "{late}resource \"terraform_data\" \"id\" {{\n  input = \"redshift://?sslmode=disable\"\n}}\n"
    ));
    let failure = workspace.try_apply().failed().text();
    assert!(failure.contains("is weaker than"), "{failure}");
    assert_eq!(warehouse.sessions(), 0, "nobody signed in");
    // The same mode, a stronger one, and a login that is not the provider's own are no concern of it.
    workspace.env("REDSHIFT_SSLMODE", "verify-ca");
    for mode in ["verify-ca", "verify-full"] {
        workspace.write(&connection(&format!("  sslmode = \"{mode}\"")));
        workspace.apply();
    }
    let password = warehouse.password();
    let entry = format!("{{\n  credentials = {{ \"{host}:{port}\" = {{ password = \"{password}\" }} }}\n}}");
    workspace.write(&connection("  sslmode = \"require\"").replacen("{}", &entry, 1));
    workspace.apply();
}

/// A connection that inherits its host is another one when the provider block leads elsewhere, and so is what it led to.
#[test]
fn an_inherited_host_that_changes_replaces() {
    let (here, there) = (Warehouse::start(), Warehouse::start());
    let mut workspace = Workspace::on(&here);
    let login = format!("username = \"{}\", password = \"{}\"", here.superuser(), here.password());
    let provider = format!("{{\n  credentials = {{ \"{}:{}\" = {{ {login} }} }}\n}}", here.host(), here.port());
    let user = "resource \"redshift_user\" \"u\" {\n  name = \"u\"\n  connection_id = redshift_connection.c.id\n}\n";
    workspace.write(&format!("{}{user}", connection("").replacen("{}", &provider, 1)));
    workspace.apply();
    workspace.plan().assert_empty();
    for (name, value) in there.environment() {
        workspace.env(&name, &value);
    }
    workspace.env("REDSHIFT_SSLROOTCERT", &here.roots_of_both(&there));
    let replaced = |address: &str| (address.to_owned(), vec!["delete".to_owned(), "create".to_owned()]);
    let plan = workspace.plan();
    assert_eq!(plan.changes(), ["redshift_connection.c", "redshift_user.u"].map(replaced).into());
    workspace.apply();
    let endpoint = format!("{}:{}", there.host(), there.port());
    assert_eq!(workspace.values("redshift_connection.c")["endpoint"], json!(endpoint));
    let users = "SELECT usename FROM pg_user WHERE usename = 'u'";
    assert_eq!((here.sql("dev", users).len(), there.sql("dev", users).len()), (0, 1));
    workspace.plan().assert_empty();
}

/// Another string for the same endpoint is a change in place.
#[test]
fn a_connection_string_that_names_another_endpoint_replaces() {
    let warehouse = Warehouse::start();
    let workspace = Workspace::on(&warehouse);
    let (user, password, port) = (warehouse.superuser(), warehouse.password(), warehouse.port());
    let by = |rest: &str| {
        let credentials = format!("{{\n  credentials = {{ \"127.0.0.1\" = {{ password = \"{password}\" }} }}\n}}");
        let string = format!("  connection_string = \"redshift://{user}@{rest}\"");
        connection(&string).replacen("{}", &credentials, 1)
    };
    workspace.write(&by(&format!("localhost:{port}/dev")));
    workspace.apply();
    for (rest, actions) in [
        (format!("localhost:{port}/dev?connect_timeout=20"), vec!["update"]),
        (format!("127.0.0.1:{port}/dev"), vec!["delete", "create"]),
    ] {
        workspace.write(&by(&rest));
        let planned = workspace.plan().changes().remove("redshift_connection.c");
        assert_eq!(planned, Some(actions.into_iter().map(str::to_owned).collect()), "{rest}");
    }
}

/// `require` asks for TLS and not whose; an authority is trusted from a file, or from the text itself.
#[test]
fn tls_takes_whom_it_is_told_to_trust() {
    let warehouse = Warehouse::start();
    let mut workspace = Workspace::on(&warehouse);
    workspace.without("REDSHIFT_SSLROOTCERT");
    workspace.env("REDSHIFT_SSLMODE", "require");
    workspace.write(&connection("  sslmode = \"require\""));
    workspace.apply();
    for mode in ["verify-ca", "verify-full"] {
        workspace.write(&connection(&format!("  sslmode = \"{mode}\"")));
        let failure = workspace.try_apply().failed().text();
        assert!(failure.contains("sslrootcert"), "{mode}: {failure}");
    }
    workspace.without("REDSHIFT_SSLMODE");
    let file = warehouse.ca_file();
    workspace.write(&connection("").replace("{}", &format!("{{\n  sslrootcert = file(\"{file}\")\n}}")));
    workspace.apply();
    workspace.plan().assert_empty();
    workspace.write(&connection(&format!("  sslrootcert = \"{file}\"")));
    workspace.apply();
    workspace.plan().assert_empty();
    // In clear there is nothing to trust, and nothing is sent in clear.
    let plain = Warehouse::plain();
    let mut workspace = Workspace::on(&plain);
    workspace.env("REDSHIFT_SSLMODE", "require");
    workspace.write(&connection(""));
    let failure = workspace.try_apply().failed().text();
    assert!(failure.contains("TLS"), "{failure}");
}

/// Proves: L1, L17, Q7, Q9
#[test]
fn clusters_and_workgroups_are_told_apart_by_their_host() {
    let warehouse = Warehouse::start();
    let mut workspace = Workspace::on(&warehouse);
    for (host, kind) in [(CLUSTER_HOST, "redshift"), (WORKGROUP_HOST, "redshift-serverless")] {
        workspace.env("REDSHIFT_HOST", host).env("REDSHIFT_HOSTADDR", &format!("127.0.0.1:{}", warehouse.port()));
        workspace.without("REDSHIFT_PORT");
        workspace.write(&connection(""));
        workspace.apply();
        assert_eq!(workspace.values("redshift_connection.c")["type"], json!(kind));
        assert_eq!(workspace.values("redshift_connection.c")["endpoint"], json!(format!("{host}:5439")));
        workspace.write(&connection("  type = \"postgresql\""));
        let refused = workspace.run(&["validate", "-no-color"]);
        assert!(refused.code != 0 && refused.text().contains("type is read-only"), "{}", refused.text());
    }
}

#[test]
fn credentials_give_each_connection_its_login() {
    let warehouse = Warehouse::start();
    warehouse.sql("dev", "CREATE USER ann PASSWORD 'Ann-secret-1'");
    let workspace = Workspace::on(&warehouse);
    let configuration = |key: &str| {
        format!(
            "provider \"redshift\" {{\n  credentials = {{\n    \"{key}\" = {{ username = \"ann\", password = \"Ann-secret-1\" }}\n  }}\n}}\nresource \"redshift_connection\" \"c\" {{\n  name = \"anns\"\n  host = \"{}\"\n  port = {}\n  username = \"ann\"\n}}\n",
            warehouse.host(),
            warehouse.port()
        )
    };
    let endpoint = format!("{}:{}", warehouse.host(), warehouse.port());
    for key in [format!("ann@{endpoint}"), format!("ann@{}", warehouse.host()), endpoint.clone(), warehouse.host()] {
        workspace.write(&configuration(&key));
        workspace.apply();
        assert_eq!(workspace.values("redshift_connection.c")["database_user"], json!("ann"), "{key}");
        workspace.destroy();
    }
    // The provider's own password goes to nobody else.
    workspace.write(&configuration("somebody@else").replace("username = \"ann\", ", ""));
    let failure = workspace.try_apply().failed().text();
    assert!(failure.contains("No password for \"ann\" at"), "{failure}");
}
