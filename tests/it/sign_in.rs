//! Every way in: passwords from AWS, IAM, assumed roles, clusters and workgroups, connection strings; what is asked of AWS,
//! and what is left behind.

use std::collections::BTreeMap;
use std::fs;
use std::time::{Duration, Instant};

use redshift_standin::{Action, Fault};
use serde_json::{Value, json};

use crate::support::{Warehouse, Workspace};

const LOCAL_ROLE: &str = "arn:aws:iam::111122223333:role/local";

/// A warehouse whose users behind IAM identities may do everything, with a role in the caller's own account.
fn warehouse() -> Warehouse {
    let warehouse = Warehouse::start();
    for user in ["IAM:terraform", "IAMR:warehouse-access", "IAMR:local"] {
        warehouse.sql("dev", &format!("CREATE USER \"{user}\" PASSWORD 'Unused123' CREATEUSER"));
    }
    let everything =
        json!({ "Version": "2012-10-17", "Statement": [{ "Effect": "Allow", "Action": "*", "Resource": "*" }] });
    let trust = json!({ "Version": "2012-10-17", "Statement": [{
        "Effect": "Allow", "Action": "sts:AssumeRole", "Principal": { "AWS": "arn:aws:iam::111122223333:root" } }] });
    let role = json!({ LOCAL_ROLE: { "policies": [everything], "trust": trust } });
    warehouse.aws().put_policies(&role).expect("a role");
    warehouse
}

/// Each way in by its name, as settings of a connection.
fn ways(warehouse: &Warehouse) -> BTreeMap<&'static str, String> {
    let at = warehouse.aws().fixtures();
    let port = warehouse.port();
    let host = format!("host = \"localhost\"\n  port = {port}");
    let role = format!("role_arn = \"{}\"\n  external_id = \"{}\"", at.role_arn, at.external_id);
    let cluster = format!("cluster_identifier = \"{}\"", at.cluster);
    let workgroup = format!("workgroup_name = \"{}\"", at.workgroup);
    let string = |text: &str| format!("connection_string = \"{text}\"");
    BTreeMap::from([
        ("ssm", format!("{host}\n  username = \"awsuser\"\n  password_ssm_parameter = \"{}\"", at.ssm_parameter)),
        ("secret", format!("secret_id = \"{}\"", at.secret_id)),
        ("secret_beside_host", format!("{host}\n  secret_id = \"{}\"", at.secret_id)),
        ("iam_named", format!("{cluster}\n  username = \"{}\"", at.db_user)),
        ("iam_unnamed", format!("{cluster}\n  authentication_type = \"IAM\"")),
        ("iam_by_host", format!("host = \"{}\"\n  port = {port}\n  username = \"{}\"", at.cluster_host, at.db_user)),
        ("role_here", format!("{cluster}\n  role_arn = \"{LOCAL_ROLE}\"")),
        ("role_there_named", format!("{cluster}\n  username = \"{}\"\n  {role}", at.db_user)),
        ("serverless", workgroup.clone()),
        ("serverless_by_host", format!("host = \"{}\"\n  port = {port}", at.workgroup_host)),
        ("serverless_role", format!("{workgroup}\n  {role}")),
        ("string_postgresql", string(&format!("postgresql://awsuser@localhost:{port}/dev"))),
        ("string_postgres", string(&format!("postgres://awsuser@localhost:{port}/dev?sslmode=verify-ca"))),
        ("string_redshift", string(&format!("redshift://awsuser@localhost:{port}"))),
        ("string_jdbc", string(&format!("jdbc:redshift://localhost:{port}/dev;UID=awsuser"))),
        ("string_jdbc_iam", string(&format!("jdbc:redshift:iam://{}:eu-west-1/dev?DbUser={}", at.cluster, at.db_user))),
        (
            "string_jdbc_iam_host",
            format!(
                "{}\n  {role}",
                string(&format!("jdbc:redshift:iam://localhost:{port}/dev?ClusterID={}", at.cluster))
            ),
        ),
    ])
}

/// The provider block: passwords for those who sign in by one, and the way to hosts that have no address here.
fn provider(warehouse: &Warehouse) -> String {
    let at = warehouse.aws().fixtures();
    let port = warehouse.port();
    format!(
        r#"
variable "password" {{
  type      = string
  ephemeral = true
}}
provider "redshift" {{
  credentials = {{ "awsuser@localhost:{port}" = {{ password = var.password }} }}
  hostaddrs   = {{
    "{}" = "127.0.0.1"
    "{}" = "127.0.0.1"
  }}
}}
"#,
        at.cluster_host, at.workgroup_host
    )
}

/// What is minted or stored in AWS, wherever it may have got to.
fn assert_no_secret(warehouse: &Warehouse, workspace: &Workspace) {
    let secrets = warehouse.aws().secrets();
    assert!(secrets.len() > 20, "there are secrets to look for");
    let mut open = vec![workspace.path().to_path_buf()];
    while let Some(folder) = open.pop() {
        for path in fs::read_dir(&folder).expect("reads").flatten().map(|entry| entry.path()) {
            if path.is_dir() {
                open.push(path);
                continue;
            }
            let text = String::from_utf8_lossy(&fs::read(&path).expect("reads")).into_owned();
            for secret in &secrets {
                assert!(!text.contains(secret.as_str()), "{} holds a secret", path.display());
            }
        }
    }
}

/// Proves: Q2, Q19, Q21, Q47, F13
#[test]
fn every_way_in_leads_to_a_connection_and_a_datastore_that_can_be_destroyed_alone() {
    let warehouse = warehouse();
    let mut workspace = Workspace::in_aws(&warehouse);
    workspace.env("TF_VAR_password", warehouse.password());
    let log = workspace.log("TRACE");
    let ways = ways(&warehouse);
    let mut hcl = provider(&warehouse);
    warehouse.sql("dev", "CREATE USER reader PASSWORD DISABLE");
    for (name, settings) in &ways {
        warehouse.sql("dev", &format!("CREATE SCHEMA s_{name}"));
        hcl.push_str(&format!(
            r#"
resource "redshift_connection" "{name}" {{
  name = "{name}"
  {settings}
}}
resource "redshift_datastore" "{name}" {{
  name          = "{name}"
  connection_id = redshift_connection.{name}.id
  database      = "dev"
  schema        = "s_{name}"
  service_user {{
    name = "reader"
  }}
}}
"#
        ));
    }
    workspace.write(&hcl);
    workspace.apply();
    let endpoint = format!("localhost:{}", warehouse.port());
    for name in ways.keys() {
        let connection = workspace.values(&format!("redshift_connection.{name}"));
        assert_eq!(connection["connected"], true, "{name}");
        let serverless = name.starts_with("serverless");
        assert_eq!(connection["type"], if serverless { "redshift-serverless" } else { "redshift" }, "{name}");
        let datastore = workspace.values(&format!("redshift_datastore.{name}"));
        assert_eq!(datastore["connected"], true, "{name}");
        if !name.ends_with("_by_host") {
            assert_eq!(
                (&connection["endpoint"], &datastore["endpoint"]),
                (&json!(endpoint), &json!(endpoint)),
                "{name}"
            );
        }
        let iam = connection["resolved"]["authentication_type"] != "BASIC";
        for url in [&connection["jdbc_url"], &datastore["jdbc_url"]] {
            assert_eq!(url.as_str().expect("a URL").starts_with("jdbc:redshift:iam://"), iam, "{name}: {url}");
        }
    }
    let user = |name: &str| workspace.values(&format!("redshift_connection.{name}"))["database_user"].clone();
    assert_eq!((user("iam_named"), user("iam_unnamed")), (json!("tool_user"), json!("IAM:terraform")));
    assert_eq!((user("serverless_role"), user("role_here")), (json!("IAMR:warehouse-access"), json!("IAMR:local")));
    assert_eq!(user("string_jdbc_iam"), json!("tool_user"));
    workspace.plan().assert_empty();

    let targets: Vec<String> = ways.keys().map(|name| format!("-target=redshift_datastore.{name}")).collect();
    let mut arguments = vec!["destroy", "-auto-approve", "-input=false", "-no-color"];
    arguments.extend(targets.iter().map(String::as_str));
    workspace.run(&arguments).succeeded();
    assert_eq!(workspace.addresses().len(), ways.len(), "the connections stay");
    let roles = warehouse.sql("dev", "SELECT role_name FROM svv_roles WHERE role_name LIKE 'tfds%'");
    assert!(roles.is_empty(), "{roles:?}");
    workspace.destroy();
    assert!(fs::metadata(&log).is_ok_and(|file| file.len() > 100_000), "the log was written");
    assert_no_secret(&warehouse, &workspace);
}

/// Proves: Q17, L27, L28
#[test]
fn a_credential_call_names_cluster_database_and_user_and_makes_nobody() {
    let warehouse = warehouse();
    let at = warehouse.aws().fixtures();
    let workspace = Workspace::in_aws(&warehouse);
    workspace.write(&format!(
        r#"
resource "redshift_connection" "named" {{
  name               = "named"
  cluster_identifier = "{}"
  username           = "{}"
  database           = "dev"
  password_duration  = "20m"
  role_arn           = "{}"
  external_id        = "{}"
  role_session_name  = "nightly"
}}
resource "redshift_connection" "here" {{
  name               = "here"
  cluster_identifier = "{}"
  role_arn           = "{LOCAL_ROLE}"
}}
"#,
        at.cluster, at.db_user, at.role_arn, at.external_id, at.cluster
    ));
    workspace.apply();
    let calls = warehouse.aws().calls();
    let parameters = |name: &str, with: (&str, &str)| {
        let found =
            calls.iter().find(|call| call.name == name && call.parameters.get(with.0).is_some_and(|v| v == with.1));
        found.unwrap_or_else(|| panic!("{name} with {with:?} in {calls:?}")).parameters.clone()
    };
    let asked = parameters("redshift:GetClusterCredentials", ("DbUser", "tool_user"));
    assert_eq!((asked["ClusterIdentifier"].as_str(), asked["DbName"].as_str()), ("examplecluster", "dev"));
    assert_eq!((asked["DurationSeconds"].as_str(), asked["AutoCreate"].as_str()), ("1200", "false"));
    let assumed = parameters("sts:AssumeRole", ("RoleArn", &at.role_arn));
    assert_eq!(
        (assumed["ExternalId"].as_str(), assumed["RoleSessionName"].as_str()),
        (at.external_id.as_str(), "nightly")
    );
    let local = parameters("sts:AssumeRole", ("RoleArn", LOCAL_ROLE));
    assert!(!local.contains_key("ExternalId"), "it is sent only when it is written: {local:?}");
}

fn many(warehouse: &Warehouse, count: usize, rest: &str) -> String {
    let at = warehouse.aws().fixtures();
    format!(
        r#"
resource "redshift_connection" "role" {{
  name               = "role"
  cluster_identifier = "{}"
  username           = "{}"
  role_arn           = "{}"
  external_id        = "{}"
}}
resource "redshift_datastore" "many" {{
  count         = {count}
  name          = "d${{count.index}}"
  connection_id = redshift_connection.role.id
  database      = "dev"
  schema        = "public"
  trigger_catalog = false
{rest}
}}
"#,
        at.cluster, at.db_user, at.role_arn, at.external_id
    )
}

fn asked(warehouse: &Warehouse) -> (u64, u64) {
    let calls = warehouse.counters().aws_calls;
    let count = |name: &str| calls.get(name).copied().unwrap_or_default();
    (count("sts:AssumeRole"), count("redshift:GetClusterCredentials"))
}

/// What a role's own database user lacks is said with the GRANTs for it; with them, the same configuration works.
/// Proves: Q36, Q38, F4
#[test]
fn the_user_behind_a_role_needs_rights_of_its_own() {
    let warehouse = Warehouse::start();
    let at = warehouse.aws().fixtures();
    warehouse.sql("dev", "CREATE SCHEMA findings");
    warehouse.sql("dev", "CREATE TABLE findings.anomalies (id integer)");
    let workspace = Workspace::in_aws(&warehouse);
    workspace.write(&format!(
        r#"
provider "redshift" {{
  cluster_identifier = "{}"
  role_arn           = "{}"
  external_id        = "{}"
}}
resource "redshift_datastore" "findings" {{
  name            = "findings"
  database        = "dev"
  schema          = "findings"
  enrichment_only = true
}}
"#,
        at.cluster, at.role_arn, at.external_id
    ));
    let refused = workspace.try_apply().failed().text();
    let user = "\"IAMR:warehouse-access\"";
    // It became a user of the warehouse by signing in; what it may, it may as that user.
    let may = |statement: &str| {
        let become_it = format!("SET SESSION AUTHORIZATION '{}'", user.trim_matches('"'));
        warehouse.run_all("dev", &[become_it, statement.to_owned()]).is_ok()
    };
    let writes = [
        "INSERT INTO findings.anomalies VALUES (1)",
        "UPDATE findings.anomalies SET id = 2",
        "DELETE FROM findings.anomalies",
        "CREATE TABLE findings.mine (id integer)",
    ];
    assert!(writes.iter().all(|statement| !may(statement)));
    for grant in [
        format!("GRANT USAGE, CREATE ON SCHEMA \"findings\" TO {user};"),
        format!("GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA \"findings\" TO {user};"),
    ] {
        assert!(refused.contains(&grant), "{grant}: {refused}");
        warehouse.sql("dev", grant.trim_end_matches(';'));
    }
    workspace.apply();
    workspace.plan().assert_empty();
    for statement in writes {
        assert!(may(statement), "{statement}");
    }
}

/// A string with a user, where the password comes from the provider block and nothing is asked of AWS; or region, cluster
/// and user, without any password.
/// Proves: F2, F11, L32
#[test]
fn a_connection_string_with_a_user_or_iam_without_a_password() {
    let warehouse = warehouse();
    let at = warehouse.aws().fixtures();
    let port = warehouse.port();
    let mut workspace = Workspace::in_aws(&warehouse);
    workspace.env("TF_VAR_password", warehouse.password());
    let connection =
        |settings: &str| format!("resource \"redshift_connection\" \"c\" {{\n  name = \"c\"\n{settings}}}\n");
    let came_to = |workspace: &Workspace| {
        let values = workspace.values("redshift_connection.c");
        assert_eq!(values["connected"], json!(true));
        (values["database_user"].clone(), values["resolved"].clone())
    };
    let string = format!("  connection_string = \"postgresql://awsuser@localhost:{port}/dev\"\n");
    workspace.write(&format!("{}{}", provider(&warehouse), connection(&string)));
    warehouse.reset_counters();
    workspace.apply();
    let (user, resolved) = came_to(&workspace);
    assert_eq!((&user, &resolved["authentication_type"]), (&json!("awsuser"), &json!("BASIC")));
    assert_eq!(resolved["cluster_identifier"], json!(null), "a password needs no cluster's name");
    assert_eq!(warehouse.counters().aws_calls, BTreeMap::new());

    workspace.write(&connection(&format!(
        "  region             = \"{}\"\n  cluster_identifier = \"{}\"\n  username           = \"{}\"\n",
        warehouse.aws().region(),
        at.cluster,
        at.db_user
    )));
    workspace.without("TF_VAR_password").without("AWS_REGION");
    warehouse.reset_counters();
    workspace.apply();
    let (user, resolved) = came_to(&workspace);
    assert_eq!((&user, &resolved["authentication_type"]), (&json!(at.db_user), &json!("IAM")));
    assert_eq!(resolved["cluster_identifier"], json!(at.cluster));
    assert_eq!(resolved["region"], json!(warehouse.aws().region()));
    assert!(warehouse.counters().aws_calls.contains_key("redshift:GetClusterCredentials"));
    workspace.plan().assert_empty();
}

/// Proves: L30
#[test]
fn two_hundred_datastores_ask_aws_once_in_each_walk() {
    let warehouse = warehouse();
    let workspace = Workspace::in_aws(&warehouse);
    workspace.write(&many(&warehouse, 200, ""));
    warehouse.reset_counters();
    workspace.run(&["apply", "-auto-approve", "-input=false", "-no-color", "-parallelism=50"]).succeeded();
    assert_eq!(asked(&warehouse), (1, 1), "only the walk that applies needs a session");
    warehouse.reset_counters();
    workspace.plan().assert_empty();
    assert_eq!(asked(&warehouse), (1, 1));
    warehouse.reset_counters();
    workspace.run(&["destroy", "-auto-approve", "-input=false", "-no-color", "-parallelism=50"]).succeeded();
    let (roles, credentials) = asked(&warehouse);
    assert!(roles <= 2 && credentials <= 2, "once for the refresh and once for the removal: {roles}, {credentials}");
}

/// The wait is what is proved: an apply that is longer than its credentials live.
/// Proves: Q20
#[test]
fn an_apply_outlives_its_credentials_and_lost_sessions() {
    let warehouse = warehouse();
    // Each datastore has a role of its own: they declare different grantees.
    for number in 0..10 {
        warehouse.sql("dev", &format!("CREATE USER reader{number} PASSWORD DISABLE"));
    }
    warehouse.aws().credentials_live(Duration::from_secs(5));
    let mut workspace = Workspace::in_aws(&warehouse);
    workspace.env("TF_CLI_ARGS_apply", "-parallelism=1");
    let rest = "  service_user {\n    name = \"reader${count.index}\"\n    future_tables = \"none\"\n  }";
    workspace.write(&many(&warehouse, 10, rest));
    let slow = Fault::statement("CREATE ROLE", Action::Delay { milliseconds: 3_000 });
    warehouse.fault(slow.times(10));
    for skip in [1, 3, 4, 6] {
        warehouse.fault(Fault::statement("SELECT d.defacluser", Action::CutBefore).skip(skip));
    }
    let begun = Instant::now();
    workspace.apply();
    assert!(begun.elapsed() >= Duration::from_secs(30), "it took its time");
    let (roles, credentials) = asked(&warehouse);
    // The plan looks too, for the names of the roles.
    assert!(roles == 2 && credentials >= 3, "a role for each walk, credentials anew: {roles}, {credentials}");
    assert_eq!(workspace.addresses().len(), 11);
    warehouse.aws().credentials_live(Duration::from_secs(900));
    workspace.plan().assert_empty();
}

/// A user is looked for in every database, and credentials are for one database each.
#[test]
fn each_database_has_credentials_of_its_own() {
    let warehouse = warehouse();
    for database in ["alpha", "beta", "_not a db name"] {
        warehouse.sql("dev", &format!("CREATE DATABASE \"{database}\""));
    }
    let at = warehouse.aws().fixtures();
    let workspace = Workspace::in_aws(&warehouse);
    workspace.write(&format!(
        r#"
provider "redshift" {{
  cluster_identifier = "{}"
  username           = "{}"
}}
resource "redshift_user" "tool" {{
  name = "tool"
}}
"#,
        at.cluster, at.db_user
    ));
    workspace.apply();
    warehouse.reset_counters();
    workspace.destroy();
    let calls = warehouse.aws().calls();
    let mut databases: Vec<Option<&str>> = calls
        .iter()
        .filter(|call| call.name == "redshift:GetClusterCredentials")
        .map(|call| call.parameters.get("DbName").map(String::as_str))
        .collect();
    databases.sort_unstable();
    databases.dedup();
    assert!(
        databases.contains(&None) && databases.contains(&Some("alpha")) && databases.contains(&Some("beta")),
        "{databases:?}"
    );
    assert!(warehouse.sql("dev", "SELECT usename FROM pg_user WHERE usename = 'tool'").is_empty());
}

const POLICIES: &str = r#"
variable "control" {
  type = string
}
variable "caller" {
  type = string
}
data "redshift_iam_policy_document" "tool" {
  cluster_identifier = "examplecluster"
  region             = "eu-west-1"
  username           = "tool_user"
  databases          = ["dev"]
  role_arn           = "arn:aws:iam::444455556666:role/tool"
  external_id        = "a-tool-of-ours"
  principal_arn      = var.caller
}
resource "terraform_data" "policies" {
  input = jsonencode({
    (var.caller) = { policies = [data.redshift_iam_policy_document.tool.caller_json] }
    "arn:aws:iam::444455556666:role/tool" = {
      policies = [data.redshift_iam_policy_document.tool.json]
      trust    = data.redshift_iam_policy_document.tool.trust_json
    }
  })
  provisioner "local-exec" {
    interpreter = ["python3", "-c"]
    command     = "import os, urllib.request as u; u.urlopen(u.Request(os.environ['URL'] + '/policies', data=os.environ['BODY'].encode(), method='PUT'))"
    environment = {
      URL  = var.control
      BODY = self.input
    }
  }
}
resource "redshift_connection" "tool" {
  depends_on         = [terraform_data.policies]
  name               = "tool"
  cluster_identifier = "examplecluster"
  username           = "tool_user"
  role_arn           = "arn:aws:iam::444455556666:role/tool"
  external_id        = "a-tool-of-ours"
}
output "documents" {
  value = terraform_data.policies.output
}
"#;

/// A trust policy that admits another account only.
fn nobody() -> Value {
    json!({ "Version": "2012-10-17", "Statement": [{
        "Effect": "Allow", "Action": "sts:AssumeRole", "Principal": { "AWS": "arn:aws:iam::999999999999:root" } }] })
}

/// Proves: Q37, Q39, L29, F14
#[test]
fn the_policies_that_the_data_source_writes_are_enough_and_none_of_it_is_too_much() {
    let warehouse = Warehouse::start();
    let caller = warehouse.aws().caller_arn();
    let nothing = json!({ (caller.clone()): { "policies": [] } });
    warehouse.aws().put_policies(&nothing).expect("a caller without rights");
    let mut workspace = Workspace::in_aws(&warehouse);
    workspace.env("TF_VAR_control", &warehouse.control_url()).env("TF_VAR_caller", &caller);
    workspace.write(POLICIES);
    workspace.apply();
    assert_eq!(workspace.values("redshift_connection.tool")["connected"], true);
    let documents: Value = serde_json::from_str(workspace.output("documents").as_str().expect("JSON")).expect("JSON");

    let mut removed = 0;
    for (principal, key) in [
        (caller.as_str(), "policies"),
        ("arn:aws:iam::444455556666:role/tool", "policies"),
        ("arn:aws:iam::444455556666:role/tool", "trust"),
    ] {
        let text = if key == "trust" { &documents[principal][key] } else { &documents[principal][key][0] };
        let document: Value = serde_json::from_str(text.as_str().expect("a document")).expect("a document");
        for number in 0..document["Statement"].as_array().expect("statements").len() {
            let mut without = document.clone();
            let statement = without["Statement"].as_array_mut().expect("statements").remove(number);
            let mut all = documents.clone();
            let changed = if without["Statement"].as_array().is_some_and(Vec::is_empty) {
                None
            } else {
                Some(without.to_string())
            };
            match (key, changed) {
                // A role always trusts somebody.
                ("trust", None) => all[principal][key] = nobody(),
                ("trust", Some(text)) => all[principal][key] = text.into(),
                (_, changed) => all[principal][key] = changed.map_or(json!([]), |text| json!([text])),
            }
            warehouse.aws().put_policies(&all).expect("policies");
            let outcome = workspace
                .run(&["apply", "-auto-approve", "-input=false", "-no-color", "-replace=redshift_connection.tool"])
                .failed();
            let action = match &statement["Action"] {
                Value::String(action) => action.clone(),
                actions => actions[0].as_str().expect("an action").to_owned(),
            };
            let text = outcome.text();
            assert!(text.contains(&format!("AWS does not allow {action}")), "without {statement}: {text}");
            assert!(text.contains("AccessDenied") && text.contains("redshift_iam_policy_document"), "{text}");
            removed += 1;
        }
    }
    assert!(removed >= 4, "{removed} statements");
    warehouse.aws().put_policies(&documents).expect("policies");
    workspace.apply();
    workspace.plan().assert_empty();
}

/// A login from the environment belongs to the provider's own endpoint. A connection that names a cluster is another one as it is
/// written, wherever the name leads, and says in the plan how it signs in.
#[test]
fn a_user_of_the_environment_is_not_taken_elsewhere() {
    let warehouse = warehouse();
    let at = warehouse.aws().fixtures();
    let mut workspace = Workspace::in_aws(&warehouse);
    for (name, value) in warehouse.environment() {
        workspace.env(&name, &value);
    }
    let named = format!(
        "resource \"redshift_connection\" \"c\" {{\n  name = \"c\"\n  cluster_identifier = \"{}\"\n}}\nresource \"redshift_connection\" \"own\" {{\n  name = \"own\"\n}}\n",
        at.cluster
    );
    workspace.write(&named);
    let plan = workspace.plan();
    let resolved = plan.change("redshift_connection.c")["after"]["resolved"].clone();
    assert_eq!(
        (&resolved["authentication_type"], &resolved["username"], &resolved["cluster_identifier"]),
        (&json!("IAM"), &Value::Null, &json!(at.cluster)),
        "{resolved:#}"
    );
    workspace.apply();
    let values = workspace.values("redshift_connection.c");
    assert_eq!((&values["database_user"], &values["resolved"]), (&json!("IAM:terraform"), &resolved));
    assert_eq!(workspace.values("redshift_connection.own")["database_user"], json!(warehouse.superuser()));
    workspace.plan().assert_empty();
    // A user that the provider block writes is everybody's.
    workspace.write(&format!("provider \"redshift\" {{\n  username = \"{}\"\n}}\n{named}", at.db_user));
    workspace.without("REDSHIFT_USER").without("REDSHIFT_PASSWORD");
    let planned = workspace.plan_problems();
    let told: Vec<_> = planned.iter().filter(|problem| problem.severity == "error").collect();
    assert!(told.iter().all(|error| !error.text().contains("redshift_connection.c")), "{told:#?}");
}

/// The same for a `warehouse` block and for a host.
#[test]
fn a_host_of_its_own_asks_for_a_user_of_its_own() {
    let (own, other) = (Warehouse::start(), Warehouse::start());
    let workspace = Workspace::on(&own);
    let refused = workspace.refused(&format!(
        "provider \"redshift\" {{}}\nresource \"redshift_user\" \"u\" {{\n  name = \"u\"\n  warehouse {{\n    host = \"localhost\"\n    port = {}\n  }}\n}}\n",
        other.port()
    ));
    assert!(refused.text().contains("username") && refused.text().contains("REDSHIFT_USER"), "{refused:#?}");
    // Its own endpoint in other words is its own.
    workspace.write(&format!(
        "provider \"redshift\" {{}}\nresource \"redshift_user\" \"u\" {{\n  name = \"u\"\n  warehouse {{\n    host = \"localhost\"\n    port = {}\n  }}\n}}\n",
        own.port()
    ));
    workspace.apply();
    workspace.plan().assert_empty();
}

/// What has to be looked up is known to a plan that has read the connection, and not to the apply that runs it, which
/// reads nothing: such a plan says of a new resource only what the apply will know too.
#[test]
fn something_new_on_a_connection_that_is_there_by_the_name_of_its_cluster() {
    let warehouse = warehouse();
    warehouse.sql("dev", "CREATE SCHEMA sales");
    let at = warehouse.aws().fixtures();
    let workspace = Workspace::in_aws(&warehouse);
    let port = warehouse.port();
    let provider = format!(
        "provider \"redshift\" {{\n  credentials = {{ \"localhost:{port}\" = {{ username = \"{}\", password = \"{}\" }} }}\n}}\n",
        warehouse.superuser(),
        warehouse.password()
    );
    for (name, settings) in [
        ("iam", format!("cluster_identifier = \"{}\"\n  authentication_type = \"IAM\"", at.cluster)),
        ("keyed_by_host", format!("cluster_identifier = \"{}\"\n  database = \"dev\"", at.cluster)),
    ] {
        let connection =
            format!("{provider}resource \"redshift_connection\" \"c\" {{\n  name = \"{name}\"\n  {settings}\n}}\n");
        workspace.write(&connection);
        workspace.apply();
        assert_eq!(
            workspace.values("redshift_connection.c")["network"],
            json!({ "port": port, "publicly_accessible": false, "security_groups": ["sg-0a1b2c3d"] }),
        );
        let more = r#"
resource "redshift_user" "tool" {
  connection_id = redshift_connection.c.id
  name          = "tool"
}
resource "redshift_datastore" "sales" {
  connection_id = redshift_connection.c.id
  name          = "sales"
  database      = "dev"
  schema        = "sales"
  service_user {
    name = redshift_user.tool.name
  }
}
resource "redshift_connection" "second" {
  name = "second"
"#;
        workspace.write(&format!("{connection}{more}  {settings}\n}}\n"));
        workspace.apply();
        workspace.plan().assert_empty();
        workspace.destroy();
    }
}
