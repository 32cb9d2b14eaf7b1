//! Whatever can go wrong on the way in by AWS, provoked with real Terraform: the whole text of each error is kept in
//! tests/golden/errors/, as whoever has never seen this provider reads it.

use redshift_standin::{Cluster, Fault, SecretValue, Workgroup};
use serde_json::json;

use crate::support::{CLUSTER_HOST, Outcome, WORKGROUP_HOST, Warehouse, Workspace, golden, masked, shown};

const ROLE: &str = "arn:aws:iam::444455556666:role/warehouse-access";

/// Every action that signing in may need.
const ACTIONS: [&str; 8] = [
    "sts:AssumeRole",
    "redshift:GetClusterCredentials",
    "redshift:GetClusterCredentialsWithIAM",
    "redshift-serverless:GetCredentials",
    "redshift:DescribeClusters",
    "redshift-serverless:GetWorkgroup",
    "secretsmanager:GetSecretValue",
    "ssm:GetParameter",
];

fn connection(lines: &str) -> String {
    format!(
        "provider \"redshift\" {{}}\nresource \"redshift_connection\" \"c\" {{\n  name = \"warehouse\"\n{lines}\n}}\n"
    )
}

/// Lines for a role in another account.
fn role(external_id: &str) -> String {
    let external_id =
        if external_id.is_empty() { String::new() } else { format!("  external_id = \"{external_id}\"\n") };
    format!("  cluster_identifier = \"examplecluster\"\n  role_arn = \"{ROLE}\"\n{external_id}")
}

/// An AWS account with a warehouse, and a folder whose provider finds the account but no login.
struct Stage {
    warehouse: Warehouse,
    workspace: Workspace,
}

impl Stage {
    fn new() -> Self {
        let warehouse = Warehouse::start();
        let mut workspace = Workspace::new();
        let root = warehouse.environment().into_iter().filter(|(name, _)| name == "REDSHIFT_SSLROOTCERT");
        for (name, value) in warehouse.aws_environment().into_iter().chain(root) {
            workspace.env(&name, &value);
        }
        at_home(&mut workspace);
        Stage { warehouse, workspace }
    }

    /// From now on a user or role may do this and nothing else.
    fn allow(&self, arn: &str, actions: &[&str]) {
        let statement = json!({ "Effect": "Allow", "Action": actions, "Resource": "*" });
        let policy = json!({ "Version": "2012-10-17", "Statement": [statement] });
        let policies = json!({ arn: { "policies": [policy] } });
        self.warehouse.aws().put_policies(&policies).expect("policies");
    }

    /// From now on a user or role may do everything but this.
    fn forbid(&self, arn: &str, action: &str) {
        let others: Vec<&str> = ACTIONS.into_iter().filter(|known| *known != action).collect();
        self.allow(arn, &others);
    }

    /// Creating a connection with these lines fails so, and leaves nothing behind.
    #[track_caller]
    fn connection(&self, name: &str, lines: &str) {
        self.workspace.write(&connection(lines));
        self.apply(name);
        assert!(self.workspace.addresses().is_empty(), "{name}");
    }

    #[track_caller]
    fn apply(&self, name: &str) {
        self.expect(name, self.workspace.run(&["apply", "-auto-approve", "-json", "-input=false"]));
    }

    /// A command failed, and said this.
    #[track_caller]
    fn expect(&self, name: &str, outcome: Outcome) {
        let port = format!(":{}", self.warehouse.port());
        compare(name, &outcome.failed(), &[(port, ":<port>")]);
    }
}

/// Without the AWS configuration of whoever runs the tests.
fn at_home(workspace: &mut Workspace) {
    let home = workspace.path().display().to_string();
    workspace.env("HOME", &home).env("AWS_EC2_METADATA_DISABLED", "true");
}

#[track_caller]
fn compare(name: &str, outcome: &Outcome, known: &[(String, &str)]) {
    let text = shown(&outcome.stdout);
    assert!(text.contains("error: "), "{outcome:#?}");
    golden(&format!("errors/{name}.txt"), &masked(&text, known));
}

/// Proves: F14, L29
#[test]
fn a_call_that_is_not_allowed() {
    let stage = Stage::new();
    let caller = stage.warehouse.aws().caller_arn();
    let by_name = "  cluster_identifier = \"examplecluster\"\n  authentication_type = \"IAM\"";
    let by_host = format!("  host = \"{CLUSTER_HOST}\"\n  authentication_type = \"IAM\"");
    let workgroup = "  workgroup_name = \"analytics\"\n  authentication_type = \"IAM\"";
    let stored = "  host = \"localhost\"\n  username = \"awsuser\"\n";
    let of_cluster = "redshift:GetClusterCredentials";
    for (name, action, lines) in [
        ("denied_assume_role", "sts:AssumeRole", role("standin-4f1c9a")),
        ("denied_cluster_credentials", of_cluster, format!("{by_name}\n  username = \"tool_user\"")),
        ("denied_cluster_credentials_by_host", of_cluster, format!("{by_host}\n  username = \"tool_user\"")),
        ("denied_cluster_credentials_with_iam", "redshift:GetClusterCredentialsWithIAM", by_name.to_owned()),
        ("denied_workgroup_credentials", "redshift-serverless:GetCredentials", workgroup.to_owned()),
        ("denied_describe_clusters", "redshift:DescribeClusters", by_name.to_owned()),
        ("denied_get_workgroup", "redshift-serverless:GetWorkgroup", workgroup.to_owned()),
        (
            "denied_secret",
            "secretsmanager:GetSecretValue",
            "  host = \"localhost\"\n  secret_id = \"standin/warehouse\"".to_owned(),
        ),
        (
            "denied_parameter",
            "ssm:GetParameter",
            format!("{stored}  password_ssm_parameter = \"/standin/warehouse/password\""),
        ),
    ] {
        stage.forbid(&caller, action);
        stage.warehouse.aws().put_workgroup(Workgroup {
            id: "0123abcd-45ef-6789-abcd-0123456789ef".into(),
            region: Some("eu-west-1".into()),
            ..Workgroup::new("analytics")
        });
        stage.connection(name, &lines);
    }
    let deny = json!({ "Effect": "Deny", "Action": of_cluster, "Resource": "*" });
    let allow = json!({ "Effect": "Allow", "Action": "*", "Resource": "*" });
    let policy = json!({ "Version": "2012-10-17", "Statement": [allow, deny] });
    let policies = json!({ caller: { "policies": [policy] } });
    stage.warehouse.aws().put_policies(&policies).expect("policies");
    stage.connection("denied_explicitly", &format!("{by_name}\n  username = \"tool_user\""));
}

/// Proves: Q17, Q21
#[test]
fn a_role_that_cannot_be_assumed_or_may_not_go_on() {
    let stage = Stage::new();
    stage.connection("external_id_missing", &role(""));
    stage.connection("external_id_wrong", &role("somebody-else"));
    stage.connection("role_unknown", &role("standin-4f1c9a").replace("warehouse-access", "warehouse-acess"));
    stage.forbid(ROLE, "redshift:GetClusterCredentials");
    stage.connection(
        "denied_role_cluster_credentials",
        &format!("{}  username = \"tool_user\"", role("standin-4f1c9a")),
    );
    // The role is in the provider block, and so the connection has no line to show.
    let inherited = "resource \"redshift_connection\" \"c\" {\n  name = \"warehouse\"\n}\n";
    stage.workspace.write(&format!("provider \"redshift\" {{\n{}}}\n{inherited}", role("somebody-else")));
    stage.apply("external_id_wrong_in_provider");
}

#[test]
fn a_warehouse_that_is_not_there() {
    let stage = Stage::new();
    let aws = stage.warehouse.aws();
    let cluster = "  cluster_identifier = \"examplecluster\"\n  authentication_type = \"IAM\"";
    let workgroup = "  workgroup_name = \"analytics\"\n  authentication_type = \"IAM\"";
    let unknown_host = CLUSTER_HOST.replace("examplecluster", "other");
    stage.connection("cluster_unknown", &cluster.replace("examplecluster", "exampelcluster"));
    stage.connection(
        "cluster_unknown_by_host",
        &format!("  host = \"{unknown_host}\"\n  authentication_type = \"IAM\""),
    );
    stage.connection("custom_domain_unknown", "  host = \"warehouse.example.com\"\n  authentication_type = \"IAM\"");
    stage.connection("workgroup_unknown", &workgroup.replace("analytics", "analitics"));
    for (name, status) in [("cluster_paused", "paused"), ("cluster_creating", "creating")] {
        let region = Some("eu-west-1".into());
        aws.put_cluster(Cluster { status: status.into(), region, ..Cluster::new("examplecluster") });
        stage.connection(name, cluster);
    }
    let region = Some("eu-west-1".into());
    aws.put_workgroup(Workgroup { status: "CREATING".into(), region, ..Workgroup::new("analytics") });
    stage.connection("workgroup_creating", workgroup);
}

/// Proves: L30
#[test]
fn throttling_is_waited_out_and_then_reported() {
    let stage = Stage::new();
    let throttled =
        |times| Fault::aws("redshift:GetClusterCredentialsWithIAM", "Throttling", "Rate exceeded").times(times);
    let calls = || {
        let calls = stage.warehouse.aws().calls();
        calls.iter().filter(|call| call.name == "redshift:GetClusterCredentialsWithIAM").count()
    };
    let lines = "  cluster_identifier = \"examplecluster\"\n  authentication_type = \"IAM\"";
    stage.warehouse.fault(throttled(100));
    stage.connection("throttled", lines);
    assert_eq!(calls(), 5);
    stage.warehouse.clear_faults();
    stage.warehouse.reset_counters();
    stage.warehouse.fault(throttled(2));
    stage.workspace.apply();
    assert_eq!(calls(), 3);
}

#[test]
fn credentials_of_aws_that_are_missing_or_wrong() {
    let mut stage = Stage::new();
    let lines = "  cluster_identifier = \"examplecluster\"\n  authentication_type = \"IAM\"";
    let expired = ("ExpiredToken", "The security token included in the request is expired");
    stage.warehouse.fault(Fault::aws("redshift:DescribeClusters", expired.0, expired.1));
    stage.connection("session_expired", lines);
    stage.warehouse.aws().skew_clock(600);
    stage.connection("clock_behind", lines);
    stage.warehouse.aws().skew_clock(-600);
    stage.connection("clock_ahead", &format!("  host = \"{WORKGROUP_HOST}\"\n  authentication_type = \"IAM\""));
    stage.warehouse.aws().skew_clock(0);
    stage.workspace.env("AWS_SECRET_ACCESS_KEY", "not-the-secret-of-this-key");
    stage.connection("secret_key_wrong", lines);
    stage.workspace.env("AWS_ACCESS_KEY_ID", "AKIA0000000000000000");
    stage.connection("access_key_unknown", lines);
    let stored = "  host = \"localhost\"\n  secret_id = \"standin/warehouse\"";
    stage.connection("access_key_unknown_by_json", stored);

    stage.workspace.without("AWS_ACCESS_KEY_ID").without("AWS_SECRET_ACCESS_KEY");
    stage.connection("no_credentials", lines);
    // Nobody thought of AWS: the password was forgotten.
    stage.connection(
        "no_credentials_for_want_of_password",
        "  cluster_identifier = \"examplecluster\"\n  username = \"alice\"",
    );
    let by_host = format!("  host = \"{CLUSTER_HOST}\"\n  username = \"alice\"");
    stage.connection("no_credentials_for_want_of_password_by_host", &by_host);
    stage.workspace.without("AWS_REGION");
    stage.connection("no_region", lines);
}

#[test]
fn a_login_of_sso_that_has_expired() {
    let mut stage = Stage::new();
    let profile = "[profile warehouse]\nsso_session = corp\nsso_account_id = 111122223333\nsso_role_name = Deploy\n\
                   region = eu-west-1\n\n[sso-session corp]\nsso_region = eu-west-1\n\
                   sso_start_url = https://corp.awsapps.com/start\n";
    stage.workspace.file("aws.config", profile);
    let config = stage.workspace.path().join("aws.config").display().to_string();
    stage.workspace.without("AWS_ACCESS_KEY_ID").without("AWS_SECRET_ACCESS_KEY");
    stage.workspace.env("AWS_CONFIG_FILE", &config).env("AWS_PROFILE", "warehouse");
    let lines = "  cluster_identifier = \"examplecluster\"\n  authentication_type = \"IAM\"";
    stage.connection("sso_not_logged_in", lines);
    // The name is SHA-1 of the session's.
    let token = json!({
        "accessToken": "expired", "expiresAt": "2024-01-02T03:04:05Z", "region": "eu-west-1",
        "startUrl": "https://corp.awsapps.com/start",
    });
    let cache = stage.workspace.path().join(".aws/sso/cache");
    std::fs::create_dir_all(&cache).expect("the cache");
    let file = cache.join("ee0bfd2552fbd840c02cc48b6e823320543c450f.json");
    std::fs::write(file, token.to_string()).expect("the token");
    stage.connection("sso_expired", lines);
    stage.workspace.without("AWS_PROFILE");
    stage.workspace.write(&connection(lines).replace("{}", "{\n  profile = \"warehouse\"\n}"));
    stage.apply("sso_expired_profile");
    stage.workspace.write(&connection(lines).replace("{}", "{\n  profile = \"werehouse\"\n}"));
    stage.apply("profile_unknown");
}

/// Proves: L14, L15, L19
#[test]
fn a_secret_or_parameter_that_cannot_be_used() {
    let stage = Stage::new();
    let aws = stage.warehouse.aws();
    let secret = |id: &str, value: SecretValue| aws.put_secret(id, value);
    let text = |value: &str| SecretValue::Text(value.to_owned());
    secret("plain", text("Canary-9f3b7c"));
    secret("no-password", text(r#"{"username":"awsuser","host":"localhost"}"#));
    secret("no-username", text(r#"{"password":"Canary-9f3b7c","host":"localhost"}"#));
    secret("no-host", text(r#"{"username":"awsuser","password":"Canary-9f3b7c"}"#));
    secret("binary", SecretValue::Binary(b"Canary-9f3b7c".to_vec()));
    aws.put_parameter("/plain", false, "Canary-9f3b7c");
    for (name, lines) in [
        ("secret_no_json", "  secret_id = \"plain\""),
        ("secret_without_password", "  secret_id = \"no-password\""),
        ("secret_without_username", "  secret_id = \"no-username\""),
        ("secret_without_host", "  secret_id = \"no-host\""),
        ("secret_binary", "  secret_id = \"binary\""),
        ("secret_unknown", "  secret_id = \"warehouse/login\""),
        (
            "parameter_is_string",
            "  host = \"localhost\"\n  username = \"awsuser\"\n  password_ssm_parameter = \"/plain\"",
        ),
        (
            "parameter_unknown",
            "  host = \"localhost\"\n  username = \"awsuser\"\n  password_ssm_parameter = \"/unknown\"",
        ),
    ] {
        stage.connection(name, lines);
    }
}

/// Proves: F23, L27
#[test]
fn a_database_user_who_is_not_there_or_has_no_rights() {
    let stage = Stage::new();
    stage.connection(
        "database_user_unknown",
        "  cluster_identifier = \"examplecluster\"\n  authentication_type = \"IAM\"\n  username = \"nobody\"",
    );
    stage.warehouse.sql("dev", "CREATE SCHEMA sales");
    let datastore = "resource \"redshift_datastore\" \"sales\" {\n  name = \"Sales\"\n  database = \"dev\"\n  schema = \"sales\"\n}\n";
    stage.workspace.write(&format!("provider \"redshift\" {{\n{}}}\n{datastore}", role("standin-4f1c9a")));
    stage.apply("user_of_iam_without_rights");
}

/// Proves: L2, L13, L32, Q16, Q18
#[test]
fn what_the_settings_show_is_refused_by_the_plan() {
    let mut workspace = Workspace::new();
    at_home(&mut workspace);
    let iam = |lines: &str| connection(&format!("  authentication_type = \"IAM\"\n{lines}"));
    let cluster = format!("  host = \"{CLUSTER_HOST}\"\n");
    let workgroup = format!("  host = \"{WORKGROUP_HOST}\"\n");
    let assumed = format!("  role_arn = \"{ROLE}\"\n");
    let endpoint = "tools-endpoint-a1b2c3d4e5f6.abc123xyz789.eu-west-1.redshift.amazonaws.com";
    let of_workgroup = "tools-endpoint-a1b2c3d4e5f6.111122223333.eu-west-1.redshift-serverless.amazonaws.com";
    for (name, hcl) in [
        ("password_duration", iam(&format!("{cluster}  password_duration = \"2h\""))),
        ("sslmode_disable", iam(&format!("{cluster}  sslmode = \"disable\""))),
        (
            "sslmode_disable_for_want_of_password",
            connection(&format!("{cluster}  username = \"alice\"\n  sslmode = \"disable\"")),
        ),
        ("serverless_username", iam(&format!("{workgroup}  username = \"alice\""))),
        ("serverless_username_for_want_of_password", connection(&format!("{workgroup}  username = \"alice\""))),
        ("serverless_host_with_cluster", iam(&format!("{workgroup}  cluster_identifier = \"examplecluster\""))),
        ("cluster_host_with_workgroup", iam(&format!("{cluster}  workgroup_name = \"analytics\""))),
        ("address_without_name", iam("  host = \"10.1.2.3\"")),
        ("vpc_endpoint_without_name", iam(&format!("  host = \"{endpoint}\""))),
        ("vpc_endpoint_of_workgroup_without_name", iam(&format!("  host = \"{of_workgroup}\""))),
        ("role_with_basic", connection(&format!("{cluster}{assumed}  authentication_type = \"BASIC\""))),
        ("role_missing", connection(&format!("{cluster}  authentication_type = \"IAM_ROLE\""))),
        ("role_with_parameter", connection(&format!("{cluster}{assumed}  password_ssm_parameter = \"/a\""))),
        ("role_with_password", connection(&format!("{cluster}{assumed}  password = \"Canary-9f3b7c\""))),
        (
            "role_with_password_in_provider",
            connection("").replace("{}", &format!("{{\n{cluster}{assumed}  password = \"Canary-9f3b7c\"\n}}")),
        ),
        ("external_id_without_role", iam(&format!("{cluster}  external_id = \"standin-4f1c9a\""))),
        ("no_password", connection("  host = \"warehouse.example.com\"\n  username = \"alice\"")),
    ] {
        workspace.write(&hcl);
        let validated = workspace.run(&["validate", "-json"]);
        let outcome = match validated.code {
            0 => workspace.run(&["plan", "-json", "-input=false"]),
            _ => validated,
        };
        compare(name, &outcome.failed(), &[]);
    }
}

/// A refresh warns and keeps what is known; an update and a destroy fail, change nothing and lose nothing.
/// Proves: Q20
#[test]
fn a_call_that_fails_later_changes_nothing_and_loses_nothing() {
    let stage = Stage::new();
    let caller = stage.warehouse.aws().caller_arn();
    stage.warehouse.sql("dev", "CREATE SCHEMA sales");
    stage.warehouse.sql("dev", "CREATE USER tool PASSWORD DISABLE");
    let configuration = |enrichment_only: bool| {
        format!(
            r#"
provider "redshift" {{}}
resource "redshift_connection" "c" {{
  name               = "warehouse"
  cluster_identifier = "examplecluster"
  username           = "tool_user"
}}
resource "redshift_datastore" "sales" {{
  name            = "Sales"
  connection_id   = redshift_connection.c.id
  database        = "dev"
  schema          = "sales"
  enrichment_only = {enrichment_only}
  service_user {{
    name          = "tool"
    future_tables = "none"
  }}
}}
"#
        )
    };
    stage.workspace.write(&configuration(false));
    stage.workspace.apply();
    let store = "redshift_datastore.sales";
    let (granted, known) = (stage.warehouse.dump("dev"), stage.workspace.values(store));
    stage.forbid(&caller, "redshift:GetClusterCredentials");
    stage.workspace.write(&configuration(true));
    stage.apply("denied_update");
    let destroyed = stage.workspace.run(&["destroy", "-auto-approve", "-json", "-input=false"]);
    stage.expect("denied_destroy", destroyed);
    let lost = |mut values: serde_json::Value| {
        // Whether it could be reached is noted.
        values["connected"] = json!(null);
        values
    };
    assert_eq!(lost(stage.workspace.values(store)), lost(known));
    assert_eq!(stage.warehouse.dump("dev"), granted);
    stage.allow(&caller, &ACTIONS);
    stage.workspace.apply();
    stage.workspace.plan().assert_empty();
    stage.workspace.destroy();
}

/// A text that no test compares any more would rot.
#[test]
fn every_golden_text_is_compared() {
    let names = concat!(include_str!("aws_errors.rs"), include_str!("first_tries.rs"));
    let folder = crate::support::tools::root().join("tests/golden/errors");
    for entry in std::fs::read_dir(folder).expect("tests/golden/errors").flatten() {
        let name = entry.file_name().to_string_lossy().into_owned();
        let name = name.strip_suffix(".txt").expect("a text");
        let name = name.strip_prefix("first_").unwrap_or(name);
        assert!(names.contains(&format!("\"{name}\"")), "{name}");
    }
}
