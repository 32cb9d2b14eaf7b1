//! The cross-check: AWS's own Python SDK calls the account, signs for it and reads its answers.

use std::process::{Command, Stdio};

use super::*;

const SCRIPT: &str = r#"
import os, sys
import boto3
from botocore.config import Config
from botocore.exceptions import ClientError

config = Config(retries={"max_attempts": 0}, region_name="eu-west-1")
def client(name, **keys):
    return boto3.client(name, config=config, **keys)
def fails(code, status, call):
    try:
        call()
    except ClientError as error:
        got = (error.response["Error"]["Code"], error.response["ResponseMetadata"]["HTTPStatusCode"])
        assert got == (code, status), error
        assert error.response["ResponseMetadata"]["RequestId"]
    else:
        raise AssertionError(code)

role, external_id = sys.argv[1:]
sts = client("sts")
assert sts.get_caller_identity()["Account"] == "111122223333"
assumed = sts.assume_role(RoleArn=role, RoleSessionName="boto+tests@example.com", ExternalId=external_id)["Credentials"]
assert assumed["Expiration"].tzinfo
fails("AccessDenied", 403, lambda: sts.assume_role(RoleArn=role, RoleSessionName="boto", ExternalId="a:b/c=d"))
session = dict(aws_access_key_id=assumed["AccessKeyId"], aws_secret_access_key=assumed["SecretAccessKey"],
               aws_session_token=assumed["SessionToken"])
redshift = client("redshift", **session)
got = redshift.get_cluster_credentials(DbUser="a+b.c@d-e_f", DbName="dev", ClusterIdentifier="examplecluster", AutoCreate=False)
assert got["DbUser"] == "IAM:a+b.c@d-e_f" and len(got["DbPassword"]) > 32 and got["Expiration"].tzinfo
got = redshift.get_cluster_credentials_with_iam(DbName="dev", ClusterIdentifier="examplecluster")
assert got["DbUser"] == "IAMR:warehouse-access" and got["NextRefreshTime"]
[cluster] = redshift.describe_clusters(ClusterIdentifier="examplecluster")["Clusters"]
assert cluster["Endpoint"]["Address"] == "localhost" and isinstance(cluster["Endpoint"]["Port"], int)
try:
    redshift.describe_clusters(ClusterIdentifier="missing")
    raise AssertionError
except redshift.exceptions.ClusterNotFoundFault as error:
    assert str(error).endswith("Cluster missing not found."), error
assert redshift.describe_custom_domain_associations()["Associations"] == []
fails("CustomDomainAssociationNotFoundFault", 404, lambda: redshift.describe_custom_domain_associations(CustomDomainName="x.example.com"))
serverless = client("redshift-serverless", **session)
workgroup = serverless.get_workgroup(workgroupName="analytics")["workgroup"]
assert workgroup["workgroupArn"].endswith("workgroup/" + workgroup["workgroupId"]) and workgroup["creationDate"].tzinfo
got = serverless.get_credentials(workgroupName="analytics", dbName="dev", durationSeconds=900)
assert got["dbUser"] == "IAMR:warehouse-access" and got["expiration"].tzinfo
try:
    serverless.get_workgroup(workgroupName="missing")
    raise AssertionError
except serverless.exceptions.ResourceNotFoundException:
    pass
fails("AccessDeniedException", 400, lambda: client("ssm", **session).get_parameter(Name="x"))
fails("AccessDeniedException", 400, lambda: client("secretsmanager", **session).get_secret_value(SecretId="x"))
assert "password" in client("secretsmanager").get_secret_value(SecretId="standin/warehouse")["SecretString"]
parameter = client("ssm").get_parameter(Name="/standin/warehouse/password", WithDecryption=True)["Parameter"]
assert parameter["Type"] == "SecureString" and parameter["LastModifiedDate"].tzinfo
fails("ParameterNotFound", 400, lambda: client("ssm").get_parameter(Name="missing"))
fails("SignatureDoesNotMatch", 403, lambda: client("redshift", **{**session, "aws_secret_access_key": "x"}).describe_clusters())
fails("InvalidSignatureException", 400, lambda: client("ssm", **{**session, "aws_secret_access_key": "x"}).get_parameter(Name="x"))
fails("InvalidClientTokenId", 403, lambda: client("sts", **{**session, "aws_session_token": "x"}).get_caller_identity())
fails("UnrecognizedClientException", 400, lambda: client("ssm", **{**session, "aws_session_token": "x"}).get_parameter(Name="x"))
print("all good")
"#;

#[test]
fn the_python_sdk_understands_it() {
    let has = Command::new("python3").args(["-c", "import boto3"]).stdout(Stdio::null()).stderr(Stdio::null()).status();
    if !has.is_ok_and(|status| status.success()) {
        eprintln!("skipped: python3 has no boto3 here, so AWS's own signer was not tried");
        return;
    }
    let standin = start();
    let (id, secret) = standin.aws().access_key();
    let fixtures = standin.aws().fixtures();
    let mut python = Command::new("python3");
    python.args(["-c", SCRIPT, &fixtures.role_arn, &fixtures.external_id]);
    // Nothing of the machine's own AWS settings or proxies.
    for (name, _) in std::env::vars() {
        if name.starts_with("AWS_") || name.to_ascii_lowercase().ends_with("_proxy") {
            python.env_remove(name);
        }
    }
    python.envs([
        ("AWS_ENDPOINT_URL", standin.aws_url().as_str()),
        ("AWS_ACCESS_KEY_ID", id),
        ("AWS_SECRET_ACCESS_KEY", secret),
    ]);
    python.envs([("AWS_CONFIG_FILE", "/dev/null"), ("AWS_SHARED_CREDENTIALS_FILE", "/dev/null")]);
    let output = python.output().expect("python3 runs");
    let text = String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && text.contains("all good"), "{text}");
}
