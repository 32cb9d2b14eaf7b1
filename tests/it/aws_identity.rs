//! Who asks AWS, and where: other partitions, web identities, profiles, addresses of services.

use redshift_standin::{AwsCall, AwsOptions, StandinOptions};
use serde_json::json;

use crate::support::{ConnectProxy, Terminator, Warehouse, Workspace};

/// A workspace whose provider knows no login and no AWS but what a test gives it.
fn workspace(warehouse: &Warehouse) -> Workspace {
    let mut workspace = Workspace::on(warehouse);
    for name in ["REDSHIFT_HOST", "REDSHIFT_PORT", "REDSHIFT_USER", "REDSHIFT_PASSWORD"] {
        workspace.without(name);
    }
    workspace.env("AWS_EC2_METADATA_DISABLED", "true");
    workspace
}

/// The call of that name. There is one of each in a walk.
#[track_caller]
fn the(warehouse: &Warehouse, name: &str) -> AwsCall {
    let mut calls = warehouse.aws().calls();
    calls.retain(|call| call.name == name);
    assert_eq!(calls.len(), 1, "{name}: {:?}", warehouse.aws().calls());
    calls.remove(0)
}

/// Nothing names a region but the host and the secret's ARN, and nothing names the addresses of AWS: those that are asked
/// are the partition's own, by way of a proxy that knows them.
#[test]
fn china_and_govcloud_are_asked_at_their_own_addresses() {
    for (region, partition, suffix) in
        [("cn-north-1", "aws-cn", "amazonaws.com.cn"), ("us-gov-west-1", "aws-us-gov", "amazonaws.com")]
    {
        let aws = AwsOptions { region: region.to_owned(), ..AwsOptions::default() };
        let warehouse = Warehouse::with(StandinOptions { aws, ..StandinOptions::default() });
        let services = ["sts", "redshift", "redshift-serverless", "secretsmanager"];
        let hosts = services.map(|service| format!("{service}.{region}.{suffix}"));
        let tls = Terminator::start(&hosts.each_ref().map(String::as_str), warehouse.aws_address());
        let places = hosts.map(|host| format!("{host}:443"));
        let proxy = ConnectProxy::start(&places.each_ref().map(|place| (place.as_str(), tls.port())));
        let mut workspace = workspace(&warehouse);
        for (name, value) in warehouse.aws_environment() {
            workspace.env(&name, &value);
        }
        workspace.without("AWS_ENDPOINT_URL").without("AWS_REGION");
        workspace.env("HTTPS_PROXY", &proxy.url()).env("AWS_CA_BUNDLE", &tls.root_file().display().to_string());
        let fixtures = warehouse.aws().fixtures();
        assert!(fixtures.role_arn.starts_with(&format!("arn:{partition}:iam::")), "{}", fixtures.role_arn);
        let login = json!({
            "username": warehouse.superuser(), "password": warehouse.password(), "host": "localhost",
            "port": warehouse.port(),
        });
        let secret = warehouse.aws().put_secret("mine", redshift_standin::SecretValue::Text(login.to_string()));
        let (cluster, workgroup, port) = (&fixtures.cluster_host, &fixtures.workgroup_host, warehouse.port());
        let role = format!("  role_arn    = \"{}\"\n  external_id = \"{}\"", fixtures.role_arn, fixtures.external_id);
        workspace.write(&format!(
            r#"
provider "redshift" {{
  hostaddrs = {{
    "{cluster}"   = "127.0.0.1:{port}"
    "{workgroup}" = "127.0.0.1:{port}"
  }}
}}
resource "redshift_connection" "cluster" {{
  name     = "cluster"
  host     = "{cluster}"
  username = "{}"
{role}
}}
resource "redshift_connection" "workgroup" {{
  name = "workgroup"
  host = "{workgroup}"
{role}
}}
resource "redshift_connection" "secret" {{
  name      = "secret"
  secret_id = "{secret}"
}}
"#,
            fixtures.db_user
        ));
        workspace.apply();
        let asked: Vec<AwsCall> = warehouse.aws().calls();
        assert!(asked.iter().all(|call| call.region == region), "{asked:?}");
        let session = format!("arn:{partition}:sts::444455556666:assumed-role/warehouse-access/");
        for call in ["redshift:GetClusterCredentials", "redshift-serverless:GetCredentials"] {
            assert!(the(&warehouse, call).identity_arn.starts_with(&session), "{asked:?}");
        }
        the(&warehouse, "secretsmanager:GetSecretValue");
        assert_eq!(workspace.values("redshift_connection.workgroup")["database_user"], "IAMR:warehouse-access");
        let mut passed = proxy.passed();
        passed.sort();
        passed.dedup();
        let mut places = places.to_vec();
        places.sort();
        assert_eq!((passed, proxy.refused()), (places, Vec::new()));
        workspace.plan().assert_empty();
    }
}

/// A connection by IAM to the stand-in's cluster, with nobody named.
fn by_iam(warehouse: &Warehouse, provider: &str) -> String {
    let (host, port, cluster) = (warehouse.host(), warehouse.port(), &warehouse.aws().fixtures().cluster);
    format!(
        r#"
provider "redshift" {{
{provider}
}}
resource "redshift_connection" "c" {{
  name               = "c"
  host               = "{host}"
  port               = {port}
  cluster_identifier = "{cluster}"
}}
"#
    )
}

/// As in a pipeline or a Kubernetes pod: a token in a file, and a role that it opens.
#[test]
fn a_web_identity_asks_for_credentials() {
    let warehouse = Warehouse::start();
    let role = "arn:aws:iam::111122223333:role/ci/deploy";
    let token = "Canary-token-7f20";
    warehouse.aws().put_web_identity(token, &[role]);
    let all = json!({ "Version": "2012-10-17", "Statement": [{ "Effect": "Allow", "Action": "redshift:*", "Resource": "*" }] });
    warehouse.aws().put_policies(&json!({ role: { "policies": [all] } })).expect("policies");
    let mut workspace = workspace(&warehouse);
    workspace.file("token", token);
    let file = workspace.path().join("token").display().to_string();
    for (name, value) in warehouse.aws_environment() {
        workspace.env(&name, &value);
    }
    workspace.without("AWS_ACCESS_KEY_ID").without("AWS_SECRET_ACCESS_KEY");
    workspace.env("AWS_WEB_IDENTITY_TOKEN_FILE", &file).env("AWS_ROLE_ARN", role);
    let log = workspace.log("TRACE");
    workspace.write(&by_iam(&warehouse, ""));
    workspace.apply();
    assert_eq!(workspace.values("redshift_connection.c")["database_user"], "IAMR:deploy");
    assert_eq!(the(&warehouse, "sts:AssumeRoleWithWebIdentity").parameters["RoleArn"], role);
    let asked = the(&warehouse, "redshift:GetClusterCredentialsWithIAM");
    assert!(asked.identity_arn.starts_with("arn:aws:sts::111122223333:assumed-role/deploy/"), "{asked:?}");
    let logged = std::fs::read_to_string(log).expect("the log");
    for secret in warehouse.aws().secrets() {
        assert!(!logged.contains(&secret) && !workspace.state().to_string().contains(&secret));
    }

    workspace.file("token", "expired");
    let failure = workspace.try_destroy().text() + &workspace.try_apply().failed().text();
    assert!(
        failure.contains("AWS credentials cannot be used") && failure.contains("InvalidIdentityToken"),
        "{failure}"
    );
}

/// The provider's `profile` names a role and whose keys assume it; its region counts.
#[test]
fn a_profile_leads_to_its_role_and_region() {
    let warehouse = Warehouse::start();
    let fixtures = warehouse.aws().fixtures();
    let (key, secret) = warehouse.aws().access_key();
    let mut workspace = workspace(&warehouse);
    workspace.file(
        "aws.ini",
        &format!(
            "[profile keys]\naws_access_key_id = {key}\naws_secret_access_key = {secret}\n\n[profile warehouse]\nrole_arn = {}\nexternal_id = {}\nsource_profile = keys\nregion = {}\nendpoint_url = http://{}\n",
            fixtures.role_arn,
            fixtures.external_id,
            warehouse.aws().region(),
            warehouse.aws_address()
        ),
    );
    let file = workspace.path().join("aws.ini").display().to_string();
    workspace.env("AWS_CONFIG_FILE", &file).env("AWS_SHARED_CREDENTIALS_FILE", "/nowhere");
    workspace.write(&by_iam(&warehouse, "  profile = \"warehouse\""));
    workspace.apply();
    assert_eq!(workspace.values("redshift_connection.c")["database_user"], "IAMR:warehouse-access");
    assert_eq!(the(&warehouse, "sts:AssumeRole").identity_arn, warehouse.aws().caller_arn());
    let asked = the(&warehouse, "redshift:GetClusterCredentialsWithIAM");
    assert!(asked.identity_arn.contains("444455556666:assumed-role/warehouse-access/"), "{asked:?}");

    // The profile that is written goes before the environment's keys, and a name that is not there is no licence for them.
    for (name, value) in warehouse.aws_environment() {
        workspace.env(&name, &value);
    }
    let stranger = warehouse.aws().add_user("arn:aws:iam::111122223333:user/stranger");
    workspace.env("AWS_ACCESS_KEY_ID", &stranger.0).env("AWS_SECRET_ACCESS_KEY", &stranger.1);
    workspace.plan().assert_empty();
    workspace.destroy();
    workspace.write(&by_iam(&warehouse, "  profile = \"nobody\""));
    let failure = workspace.try_apply().failed().text();
    assert!(failure.contains("No AWS credentials"), "{failure}");
    assert!(failure.contains("the AWS profile \"nobody\" gives no credentials"), "{failure}");
    assert!(warehouse.aws().calls().iter().all(|call| !call.identity_arn.ends_with("/stranger")));
}

/// `endpoints` goes before the environment, for each service that it names.
#[test]
fn endpoints_name_the_addresses_of_services() {
    let warehouse = Warehouse::start();
    let fixtures = warehouse.aws().fixtures();
    let url = format!("http://{}", warehouse.aws_address());
    let mut workspace = workspace(&warehouse);
    for (name, value) in warehouse.aws_environment() {
        workspace.env(&name, &value);
    }
    workspace.env("AWS_ENDPOINT_URL", "http://127.0.0.1:1");
    let role = format!("role_arn = \"{}\"\n  external_id = \"{}\"", fixtures.role_arn, fixtures.external_id);
    let services = ["sts", "redshift", "redshiftserverless", "secretsmanager", "ssm"];
    workspace.env("AWS_ENDPOINT_URL_STS", "http://127.0.0.1:1");
    let endpoints: String = services.iter().map(|name| format!("    {name} = \"{url}\"\n")).collect();
    let port = warehouse.port();
    workspace.write(&format!(
        r#"
provider "redshift" {{
  endpoints {{
{endpoints}
  }}
}}
resource "redshift_connection" "cluster" {{
  name = "cluster"
  cluster_identifier = "{}"
  {role}
}}
resource "redshift_connection" "workgroup" {{
  name = "workgroup"
  workgroup_name = "{}"
  {role}
}}
resource "redshift_connection" "secret" {{
  name = "secret"
  secret_id = "{}"
}}
resource "redshift_connection" "parameter" {{
  name = "parameter"
  host = "localhost"
  port = {port}
  username = "{}"
  password_ssm_parameter = "{}"
}}
"#,
        fixtures.cluster,
        fixtures.workgroup,
        fixtures.secret_id,
        warehouse.superuser(),
        fixtures.ssm_parameter
    ));
    workspace.apply();
    for call in [
        "sts:AssumeRole",
        "redshift:DescribeClusters",
        "redshift-serverless:GetWorkgroup",
        "secretsmanager:GetSecretValue",
        "ssm:GetParameter",
    ] {
        the(&warehouse, call);
    }
    workspace.plan().assert_empty();
}
