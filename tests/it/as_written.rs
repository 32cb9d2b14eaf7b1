//! What people write: each is taken as it is meant, or refused for what is wrong with it.

use redshift_standin::SecretValue;
use serde_json::{Value, json};

use crate::support::{Problem, Warehouse, Workspace};

const PROVIDER: &str = "provider \"redshift\" {}\n";

fn errors(problems: Vec<Problem>) -> Vec<Problem> {
    problems.into_iter().filter(|problem| problem.severity == "error").collect()
}

/// Every required argument in every block of a type, with null; and a block that is needed to get at one.
fn nulls(block: &Value, indent: &str, count: &mut usize) -> String {
    let mut hcl = String::new();
    for (name, attribute) in block["attributes"].as_object().into_iter().flatten() {
        if attribute["required"] == json!(true) {
            *count += 1;
            hcl.push_str(&format!("{indent}{name} = var.nothing\n"));
        }
    }
    for (name, inner) in block["block_types"].as_object().into_iter().flatten() {
        let before = *count;
        let inside = nulls(&inner["block"], &format!("{indent}  "), count);
        if *count > before {
            hcl.push_str(&format!("{indent}{name} {{\n{inside}{indent}}}\n"));
        }
    }
    hcl
}

/// Terraform takes a null for an argument that is there; so the provider says of every one that it is not.
#[test]
fn null_for_a_required_argument_is_refused_in_every_type() {
    let mut workspace = Workspace::new();
    workspace.write(PROVIDER);
    let schema = workspace.json(&["providers", "schema", "-json"]);
    let provider = schema["provider_schemas"].as_object().and_then(|all| all.values().next()).expect("a provider");
    workspace.env("REDSHIFT_HOST", "warehouse.invalid").env("REDSHIFT_USER", "u").env("REDSHIFT_PASSWORD", "Canary123");
    let mut types = 0;
    for (kind, word) in [("resource_schemas", "resource"), ("data_source_schemas", "data")] {
        for (name, schema) in provider[kind].as_object().into_iter().flatten() {
            let mut count = 0;
            let mut body = nulls(&schema["block"], "  ", &mut count);
            // What it needs beside, where a null is not known to be one yet.
            body.push_str(match name.as_str() {
                "redshift_iam_policy_document" => "  cluster_identifier = \"main\"\n  account_id = \"111122223333\"\n",
                "redshift_policy_simulation" => {
                    "  policy = jsonencode({ version = 1 })\n  columns = { a = \"text\" }\n"
                }
                _ => "",
            });
            if count == 0 {
                continue;
            }
            types += 1;
            let variable = "variable \"nothing\" {\n  default = null\n}\n";
            workspace.write(&format!("{PROVIDER}{variable}{word} \"{name}\" \"x\" {{\n{body}}}\n"));
            let found = errors(workspace.plan_problems());
            assert_eq!(found.len(), count, "{name}: {found:#?}\n{body}");
            for problem in found {
                assert_eq!(problem.summary, "Missing required argument", "{name}: {problem:#?}");
                assert!(problem.detail.contains("is required, but no definition was found"), "{problem:#?}");
                assert!(problem.line.contains("= var.nothing"), "{problem:#?}");
            }
            workspace
                .write(&format!("{PROVIDER}{word} \"{name}\" \"x\" {{\n{}}}\n", body.replace("var.nothing", "null")));
            assert_eq!(errors(workspace.run(&["validate", "-json"]).problems()).len(), count, "{name}: at validate");
        }
    }
    assert!(types >= 5, "{types}");
}

/// A module whose object has optional fields hands null on.
#[test]
fn null_from_an_optional_field_is_a_missing_argument() {
    let mut workspace = Workspace::new();
    workspace.env("REDSHIFT_HOST", "warehouse.invalid").env("REDSHIFT_USER", "u").env("REDSHIFT_PASSWORD", "Canary123");
    workspace.write(&format!(
        "{PROVIDER}variable \"tool\" {{\n  type    = object({{ name = optional(string), title = optional(string) }})\n  default = {{}}\n}}\nresource \"redshift_user\" \"tool\" {{\n  name = var.tool.name\n}}\nresource \"redshift_connection\" \"c\" {{\n  name = var.tool.title\n}}\nresource \"redshift_datastore\" \"d\" {{\n  name     = var.tool.title\n  database = \"dev\"\n  schema   = \"finance\"\n}}\n"
    ));
    let found = errors(workspace.plan_problems());
    assert_eq!(found.len(), 3, "{found:#?}");
    assert!(found.iter().all(|problem| problem.summary == "Missing required argument"), "{found:#?}");
}

/// What cannot be read back is null in generated configuration, and whoever generates it is told what to fill in.
#[test]
fn generated_configuration_says_what_it_lacks() {
    let warehouse = Warehouse::start();
    let workspace = Workspace::on(&warehouse);
    let id = format!("redshift://{}:{}/dev", warehouse.host(), warehouse.port());
    workspace.write(&format!("{PROVIDER}import {{\n  to = redshift_connection.c\n  id = \"{id}\"\n}}\n"));
    let found =
        errors(workspace.run(&["plan", "-json", "-input=false", "-generate-config-out=generated.tf"]).problems());
    assert_eq!(found.len(), 1, "{found:#?}");
    assert_eq!(found[0].summary, "Missing required argument", "{found:#?}");
    assert!(found[0].detail.contains("generated configuration") && found[0].text().contains("name"), "{found:#?}");
}

/// Region, cluster and workgroup are read from the hosts of every partition that AWS publishes.
#[test]
fn hosts_of_every_partition_are_read() {
    let mut workspace = Workspace::new();
    let home = workspace.path().display().to_string();
    workspace.env("HOME", &home).env("AWS_EC2_METADATA_DISABLED", "true");
    let hosts = [
        ("workgroup", "reports.111122223333.eusc-de-east-1.redshift-serverless.amazonaws.eu"),
        ("cluster", "main.abc123xyz789.eusc-de-east-1.redshift.amazonaws.eu"),
        ("iso", "main.abc123xyz789.us-iso-east-1.redshift.c2s.ic.gov"),
        ("isob", "main.abc123xyz789.us-isob-east-1.redshift.sc2s.sgov.gov"),
        ("gov", "main.abc123xyz789.us-gov-west-1.redshift.amazonaws.com"),
        ("china", "main.abc123xyz789.cn-north-1.redshift.amazonaws.com.cn"),
    ];
    let map: String = hosts.iter().map(|(key, host)| format!("    {key} = \"{host}\"\n")).collect();
    workspace.write(&format!(
        "{PROVIDER}resource \"redshift_connection\" \"c\" {{\n  for_each = {{\n{map}  }}\n  name    = each.key\n  host    = each.value\n  enabled = false\n}}\noutput \"read\" {{\n  value = {{ for k, c in redshift_connection.c : k => [c.type, c.resolved.region, c.resolved.cluster_identifier, c.resolved.workgroup_name, c.resolved.authentication_type] }}\n}}\n"
    ));
    workspace.apply();
    let read = workspace.output("read");
    let cluster = |region: &str| json!(["redshift", region, "main", null, "IAM"]);
    assert_eq!(
        read,
        json!({
            "workgroup": ["redshift-serverless", "eusc-de-east-1", null, "reports", "IAM"],
            "cluster": cluster("eusc-de-east-1"),
            "iso": cluster("us-iso-east-1"),
            "isob": cluster("us-isob-east-1"),
            "gov": cluster("us-gov-west-1"),
            "china": cluster("cn-north-1"),
        })
    );
    workspace.plan().assert_empty();
}

/// A connection string as it stands in a tool's configuration.
#[test]
fn parameters_of_drivers_are_passed_over_and_one_that_weakens_tls_is_refused() {
    let warehouse = Warehouse::start();
    let mut workspace = Workspace::on(&warehouse);
    for name in ["REDSHIFT_HOST", "REDSHIFT_PORT", "REDSHIFT_USER", "REDSHIFT_PASSWORD"] {
        workspace.without(name);
    }
    let (port, password, user) = (warehouse.port(), warehouse.password().to_owned(), warehouse.superuser());
    let write = |string: &str| {
        workspace.write(&format!(
            "provider \"redshift\" {{\n  connection_string = \"{string}\"\n}}\ndata \"redshift_connection_test\" \"t\" {{}}\noutput \"connected\" {{\n  value = data.redshift_connection_test.t.connected\n}}\n"
        ));
    };
    for (string, names) in [
        (
            format!("jdbc:redshift://127.0.0.1:{port}/dev?tcpKeepAlive=true&user={user}&password={password}"),
            "tcpKeepAlive",
        ),
        (format!("postgresql://{user}:{password}@127.0.0.1:{port}/dev?application_name=airflow"), "application_name"),
        (format!("postgresql://{user}:{password}@127.0.0.1:{port}/dev?keepalives=1"), "keepalives"),
        (format!("postgresql://{user}:{password}@127.0.0.1:{port}/dev?options=-c%20a%3Db"), "options"),
        (
            format!(
                "jdbc:redshift://127.0.0.1:{port}/dev;UID={user};PWD={password};socketTimeout=60;ApplicationName=x"
            ),
            "socketTimeout, ApplicationName",
        ),
    ] {
        write(&string);
        let problems = workspace.apply_problems();
        assert!(errors(problems.clone()).is_empty(), "{string}: {problems:#?}");
        assert_eq!(workspace.output("connected"), json!(true), "{string}");
        let told = problems.iter().any(|problem| problem.severity == "warning" && problem.detail.starts_with(names));
        assert!(told && !format!("{problems:?}").contains(&password), "{string}: {problems:#?}");
    }
    let factory = "com.amazon.redshift.ssl.NonValidatingFactory";
    write(&format!(
        "jdbc:redshift://127.0.0.1:{port}/dev?ssl=true&sslfactory={factory}&user={user}&password={password}"
    ));
    let refused = errors(workspace.plan_problems());
    assert_eq!(refused.len(), 1, "{refused:#?}");
    assert!(refused[0].detail.contains("turns the check of the server's certificate off"), "{refused:#?}");
    assert!(!refused[0].text().contains(&password) && !refused[0].text().contains("%40"), "{refused:#?}");
}

/// -1 is what others have as their default, and lifts a limit.
#[test]
fn a_connection_limit_is_lifted() {
    let warehouse = Warehouse::start();
    let workspace = Workspace::on(&warehouse);
    warehouse.sql("dev", "CREATE USER bursty PASSWORD DISABLE CONNECTION LIMIT 3");
    let id = format!("redshift://{}:{}#user/bursty", warehouse.host(), warehouse.port());
    let import = format!("import {{\n  to = redshift_user.bursty\n  id = \"{id}\"\n}}\n");
    let user = |limit: i64| {
        format!(
            "{PROVIDER}resource \"redshift_user\" \"bursty\" {{\n  name             = \"bursty\"\n  connection_limit = {limit}\n}}\n"
        )
    };
    let limit = || {
        let rows = warehouse.sql("dev", "SELECT useconnlimit FROM pg_user_info WHERE usename = 'bursty'");
        rows[0][0].clone().unwrap_or_default()
    };
    workspace.write(&format!("{import}{}", user(-1)));
    workspace.apply();
    assert!(["UNLIMITED", "-1"].contains(&limit().as_str()), "{}", limit());
    workspace.plan().assert_empty();
    workspace.write(&user(5));
    workspace.apply();
    assert_eq!(limit(), "5");
    workspace.plan().assert_empty();
    workspace.write(&user(-1));
    workspace.apply();
    workspace.plan().assert_empty();
    warehouse.sql("dev", "ALTER USER bursty CONNECTION LIMIT 2");
    assert_eq!(workspace.plan().changes()["redshift_user.bursty"], ["update"]);
    workspace.apply();
    assert!(["UNLIMITED", "-1"].contains(&limit().as_str()), "{}", limit());
    workspace.plan().assert_empty();
}

fn tests_of(workspace: &Workspace) -> String {
    workspace.output("tests").to_string()
}

/// What an editor or `echo` leaves at the end of a stored password, and JSON where a password alone belongs.
#[test]
fn a_password_that_was_stored_wrongly_is_told() {
    let warehouse = Warehouse::start();
    let mut workspace = Workspace::on(&warehouse);
    workspace.without("REDSHIFT_PASSWORD").without("REDSHIFT_USER");
    for (name, value) in warehouse.aws_environment() {
        workspace.env(&name, &value);
    }
    let (user, password) = (warehouse.superuser(), warehouse.password());
    let test = "data \"redshift_connection_test\" \"t\" {}\noutput \"tests\" {\n  value = data.redshift_connection_test.t.validation_results.tests\n}\n";
    workspace.write(&format!(
        "provider \"redshift\" {{\n  username               = \"{user}\"\n  password_ssm_parameter = \"/team/pw\"\n}}\n{test}"
    ));
    let json = format!("{{\"username\": \"{user}\", \"password\": \"{password}\"}}");
    for (value, words) in [(format!("{password}\n"), "ends in a line break"), (json, "is a JSON object")] {
        warehouse.aws().put_parameter("/team/pw", true, &value);
        workspace.apply();
        let told = tests_of(&workspace);
        assert!(told.contains(words) && told.contains("/team/pw"), "{told}");
        assert!(!told.contains(password), "{told}");
    }
    warehouse.aws().put_parameter("/team/pw", true, password);
    workspace.apply();
    assert!(tests_of(&workspace).contains("passed"), "{}", tests_of(&workspace));
}

/// Secrets that people write themselves say `user` and `database`.
#[test]
fn the_names_that_people_give_in_secrets_are_read() {
    let warehouse = Warehouse::start();
    let mut workspace = Workspace::on(&warehouse);
    workspace.without("REDSHIFT_PASSWORD").without("REDSHIFT_USER");
    for (name, value) in warehouse.aws_environment() {
        workspace.env(&name, &value);
    }
    warehouse.sql("dev", "CREATE DATABASE reports");
    let (user, password) = (warehouse.superuser(), warehouse.password());
    let secret = |text: String| warehouse.aws().put_secret("team/login", SecretValue::Text(text));
    secret(format!("{{\"user\": \"{user}\", \"password\": \"{password}\", \"database\": \"reports\"}}"));
    workspace.write(
        "provider \"redshift\" {\n  secret_id = \"team/login\"\n}\nresource \"redshift_connection\" \"c\" {\n  name = \"c\"\n}\n",
    );
    workspace.apply();
    let values = workspace.values("redshift_connection.c");
    assert_eq!((&values["connected"], &values["database_user"]), (&json!(true), &json!(user)));
    assert_eq!(values["resolved"]["database"], json!("reports"));
    workspace.plan().assert_empty();
    workspace.destroy();
    secret(format!("{{\"login\": \"{user}\", \"password\": \"{password}\"}}"));
    let refused = errors(workspace.apply_problems());
    assert_eq!(refused.len(), 1, "{refused:#?}");
    assert!(
        refused[0].detail.contains("The secret \"team/login\"") && refused[0].detail.contains("was read"),
        "{refused:#?}"
    );
}

/// A password that is not sent is neither needed nor looked at.
#[test]
fn a_run_that_sends_no_password_needs_none() {
    let warehouse = Warehouse::start();
    let workspace = Workspace::on(&warehouse);
    workspace.write(&format!(
        "{PROVIDER}variable \"password\" {{\n  ephemeral = true\n  default   = null\n}}\nvariable \"number\" {{\n  default = 1\n}}\nvariable \"name\" {{\n  default = \"tool_r\"\n}}\nresource \"redshift_user\" \"tool\" {{\n  name                = var.name\n  password_wo         = var.password\n  password_wo_version = var.number\n}}\n"
    ));
    let run = |command: &str, variables: &[&str]| {
        let mut arguments = vec![command, "-input=false", "-json"];
        if command != "plan" {
            arguments.push("-auto-approve");
        }
        arguments.extend(variables);
        workspace.run(&arguments)
    };
    let refused = |command: &str, variables: &[&str], summary: &str, words: &str| {
        let found = errors(run(command, variables).problems());
        assert_eq!(found.len(), 1, "{variables:?}: {found:#?}");
        assert_eq!(found[0].summary, summary, "{variables:?}: {found:#?}");
        assert!(found[0].detail.contains(words), "{variables:?}: {found:#?}");
    };
    refused("plan", &[], "No password_wo", "version 1 of it is to be sent");
    refused("plan", &["-var=password=x@y/z"], "Bad password_wo", "must not hold any of these characters");
    run("apply", &["-var=password=Abcdefg123"]).succeeded();
    for variables in [&[][..], &["-var=password=x@y/z"]] {
        let plan = run("plan", variables);
        assert!(errors(plan.problems()).is_empty() && plan.code == 0, "{}", plan.text());
        run("apply", variables).succeeded();
    }
    assert!(warehouse.sql_as("tool_r", "Abcdefg123", "dev", "SELECT 1").is_ok());
    refused("apply", &["-var=number=2"], "No password_wo", "version 2 of it is to be sent");
    refused("plan", &["-var=name=tool_s"], "No password_wo", "version 1 of it is to be sent");
    assert!(warehouse.sql_as("tool_r", "Abcdefg123", "dev", "SELECT 1").is_ok(), "nothing was changed");
    run("destroy", &[]).succeeded();
    assert!(warehouse.sql("dev", "SELECT 1 FROM pg_user WHERE usename = 'tool_r'").is_empty());
}

/// The same for an integration's system user.
#[test]
fn an_integration_needs_its_password_only_where_it_is_sent() {
    let warehouse = Warehouse::start();
    let workspace = Workspace::on(&warehouse);
    workspace.write(&format!(
        "{PROVIDER}variable \"password\" {{\n  ephemeral = true\n  default   = null\n}}\nresource \"redshift_integration\" \"i\" {{\n  database       = \"governed\"\n  auto_bootstrap = true\n  system_user {{\n    password_wo         = var.password\n    password_wo_version = 1\n  }}\n}}\n"
    ));
    let found = errors(workspace.plan_problems());
    assert_eq!(found.len(), 1, "{found:#?}");
    assert_eq!(found[0].summary, "No password_wo", "{found:#?}");
    workspace.run(&["apply", "-auto-approve", "-input=false", "-var=password=Abcdefg123"]).succeeded();
    workspace.plan().assert_empty();
    workspace.destroy();
}

/// The tests' results are what their name says.
#[test]
fn the_result_of_a_test_is_json() {
    let warehouse = Warehouse::start();
    let workspace = Workspace::on(&warehouse);
    workspace.write(&format!(
        "{PROVIDER}resource \"redshift_connection\" \"c\" {{\n  name = \"c\"\n}}\nresource \"redshift_integration\" \"i\" {{\n  database       = \"governed\"\n  auto_bootstrap = true\n}}\n"
    ));
    workspace.apply();
    for address in ["redshift_connection.c", "redshift_integration.i"] {
        let values = workspace.values(address);
        let tests = values["validation_results"]["tests"].as_array().cloned().unwrap_or_default();
        assert!(!tests.is_empty());
        for test in tests {
            let Some(result) = test["result"].as_str() else { continue };
            serde_json::from_str::<Value>(result).unwrap_or_else(|error| panic!("{error}: {test}"));
        }
    }
}

/// What is declared to be refused hides nothing of what it stands in.
#[test]
fn a_whole_connection_can_be_an_output() {
    let warehouse = Warehouse::start();
    let workspace = Workspace::on(&warehouse);
    workspace.write(&format!(
        "{PROVIDER}resource \"redshift_connection\" \"c\" {{\n  name = \"c\"\n}}\ndata \"redshift_schemas\" \"s\" {{\n  database = \"dev\"\n  warehouse {{\n    host = \"{}\"\n    port = {}\n  }}\n}}\noutput \"c\" {{\n  value = redshift_connection.c\n}}\noutput \"s\" {{\n  value = data.redshift_schemas.s\n}}\n",
        warehouse.host(),
        warehouse.port()
    ));
    workspace.apply();
    assert_eq!(workspace.output("c")["connected"], json!(true));
    workspace.plan().assert_empty();
}
