//! What is asked wrongly, what is not there, and faults.

use std::time::{Duration, Instant};

use redshift_standin::{Action, Cluster, Fault, On, SecretValue, Workgroup};
use serde_json::json;

use super::*;

fn breaks(parameter: &str, value: &str, constraint: &str) -> String {
    format!(
        "1 validation error detected: Value '{value}' at '{parameter}' failed to satisfy constraint: Member must {constraint}"
    )
}

#[test]
fn assume_role() {
    let standin = shared();
    let keys = Keys::of(standin);
    let role = standin.aws().fixtures().role_arn.clone();
    let ask = |parameters: &[(&str, &str)]| query(standin, &keys, "sts:AssumeRole", parameters).error();
    let session = ("RoleSessionName", "tests");
    let long = "x".repeat(65);
    for (parameters, text) in [
        (vec![session], breaks("roleArn", "?", "not be null").replace("'?'", "null")),
        (vec![("RoleArn", role.as_str())], breaks("roleSessionName", "?", "not be null").replace("'?'", "null")),
        (vec![("RoleArn", "short"), session], breaks("roleArn", "short", "have length greater than or equal to 20")),
        (
            vec![("RoleArn", "arn:aws:iam::111122223333:user/x"), session],
            "arn:aws:iam::111122223333:user/x is invalid".into(),
        ),
        (
            vec![("RoleArn", &role), ("RoleSessionName", "x")],
            breaks("roleSessionName", "x", "have length greater than or equal to 2"),
        ),
        (
            vec![("RoleArn", &role), ("RoleSessionName", &long)],
            breaks("roleSessionName", &long, "have length less than or equal to 64"),
        ),
        (
            vec![("RoleArn", &role), ("RoleSessionName", "not good")],
            breaks("roleSessionName", "not good", "satisfy regular expression pattern: [\\w+=,.@-]*"),
        ),
        (
            vec![("RoleArn", &role), session, ("ExternalId", "x")],
            breaks("externalId", "x", "have length greater than or equal to 2"),
        ),
        (
            vec![("RoleArn", &role), session, ("ExternalId", "not good")],
            breaks("externalId", "not good", "satisfy regular expression pattern: [\\w+=,.@:\\/-]*"),
        ),
    ] {
        assert_eq!(ask(&parameters), error(400, "ValidationError", &text));
    }
    assert_eq!(ask(&[("RoleArn", &role), session, ("Policy", "{}")]).1, "NotImplemented");
}

#[test]
fn provisioned() {
    let standin = shared();
    let keys = Keys::of(standin);
    let ask = |parameters: &[(&str, &str)]| query(standin, &keys, "redshift:GetClusterCredentials", parameters);
    let (user, cluster) = (("DbUser", "analyst"), ("ClusterIdentifier", "examplecluster"));
    let not_found = error(404, "ClusterNotFound", "Cluster missing not found.");
    assert_eq!(ask(&[user, ("ClusterIdentifier", "missing")]).error(), not_found);
    assert_eq!(ask(&[user, ("ClusterIdentifier", "ExampleCluster")]).error().1, "ClusterNotFound");
    assert_eq!(ask(&[user, ("CustomDomainName", "missing")]).error(), not_found);
    assert_eq!(
        query(standin, &keys, "redshift:DescribeClusters", &[("ClusterIdentifier", "missing")]).error(),
        not_found
    );
    for seconds in ["899", "3601", "soon"] {
        let text = "Token duration must be between 900 and 3600 seconds";
        assert_eq!(
            ask(&[user, cluster, ("DurationSeconds", seconds)]).error(),
            error(400, "InvalidParameterValue", text)
        );
    }
    let long = "a".repeat(65);
    for bad in ["1st", "a:b", "a/b", "public", "Public", "select", "ä", &long] {
        assert_eq!(ask(&[("DbUser", bad), cluster]).error().1, "InvalidParameterValue", "{bad}");
        assert_eq!(ask(&[user, ("DbName", bad), cluster]).error().1, "InvalidParameterValue", "{bad}");
    }
    ask(&[("DbUser", "A_b+c.d@e-1"), ("DbName", "dev"), cluster]).ok();
    assert_eq!(
        ask(&[cluster]).error(),
        error(400, "ValidationError", &breaks("dbUser", "?", "not be null").replace("'?'", "null"))
    );
    assert_eq!(ask(&[user]).error().1, "InvalidParameterCombination");
    assert_eq!(ask(&[user, cluster, ("CustomDomainName", "x.example.com")]).error().1, "InvalidParameterCombination");
    assert_eq!(ask(&[user, cluster, ("DbGroups.DbGroup.1", "g")]).error().1, "NotImplemented");
}

#[test]
fn states_and_endpoints() {
    let standin = start();
    let keys = Keys::of(&standin);
    let describe = |id: &str| query(&standin, &keys, "redshift:DescribeClusters", &[("ClusterIdentifier", id)]).ok();
    let fixture = describe("examplecluster");
    assert_eq!((fixture.xml("Address").as_str(), fixture.xml("Port")), ("localhost", standin.port().to_string()));
    assert_eq!((fixture.xml("ClusterStatus").as_str(), fixture.xml("NodeType").as_str()), ("available", "ra3.xlplus"));
    for status in ["paused", "resuming", "creating"] {
        let node_type = "dc2.large".to_owned();
        standin.aws().put_cluster(Cluster { status: status.into(), node_type, ..Cluster::new("state") });
        let answer = describe("state");
        assert_eq!((answer.xml("ClusterStatus").as_str(), answer.xml("NodeType").as_str()), (status, "dc2.large"));
        assert_eq!(answer.body.contains("<Endpoint>"), status != "creating");
    }
    standin.aws().put_cluster(Cluster {
        address: Some("warehouse.internal".into()),
        port: Some(5439),
        custom_domains: vec!["wh.example.com".into()],
        ..Cluster::new("state")
    });
    assert_eq!(
        (describe("state").xml("Address").as_str(), describe("state").xml("Port").as_str()),
        ("warehouse.internal", "5439")
    );
    let all = query(&standin, &keys, "redshift:DescribeClusters", &[]).ok();
    assert_eq!(all.body.matches("<Cluster>").count(), 2);

    let domains =
        |name: &str| query(&standin, &keys, "redshift:DescribeCustomDomainAssociations", &[("CustomDomainName", name)]);
    assert_eq!(domains("WH.example.com").ok().xml("ClusterIdentifier"), "state");
    assert_eq!(domains("missing.example.com").error().0, 404);
    assert_eq!(domains("missing.example.com").error().1, "CustomDomainAssociationNotFoundFault");
    let parameters = [("DbUser", "analyst"), ("CustomDomainName", "wh.example.com")];
    query(&standin, &keys, "redshift:GetClusterCredentials", &parameters).ok();
    query(&standin, &keys, "redshift:GetClusterCredentialsWithIAM", &parameters[1..]).ok();
    standin.aws().remove_cluster("state");
    assert_eq!(query(&standin, &keys, "redshift:GetClusterCredentials", &parameters).error().1, "ClusterNotFound");
    // A new state of the fixture, whether or not the account and region are said again.
    standin.aws().put_cluster(Cluster { status: "paused".into(), ..Cluster::new("examplecluster") });
    let paused = describe("examplecluster");
    assert_eq!((paused.xml("ClusterStatus").as_str(), paused.body.matches("<Cluster>").count()), ("paused", 1));
    let region = Some("eu-west-1".to_owned());
    standin.aws().put_cluster(Cluster { region, ..Cluster::new("examplecluster") });
    assert_eq!(describe("examplecluster").xml("ClusterStatus"), "available");
    // One account's cluster is none of the other's; the fixture answers in both.
    standin.aws().put_cluster(Cluster { account: Some("111122223333".into()), ..Cluster::new("mine") });
    let other = other_account(&standin);
    describe("mine");
    for (id, status) in [("mine", 404), ("examplecluster", 200)] {
        assert_eq!(query(&standin, &other, "redshift:DescribeClusters", &[("ClusterIdentifier", id)]).status, status);
    }
}

#[test]
fn serverless() {
    let standin = start();
    let keys = Keys::of(&standin);
    let credentials = |body: serde_json::Value| json(&standin, &keys, "redshift-serverless:GetCredentials", &body);
    let workgroup =
        |name: &str| json(&standin, &keys, "redshift-serverless:GetWorkgroup", &json!({ "workgroupName": name }));
    let not_found = error(400, "ResourceNotFoundException", "Serverless workgroup missing not found.");
    assert_eq!(workgroup("missing").error(), not_found);
    assert_eq!(credentials(json!({ "workgroupName": "missing" })).error(), not_found);
    for (seconds, constraint) in [(899, "greater than or equal to 900"), (3601, "less than or equal to 3600")] {
        let refused = credentials(json!({ "workgroupName": "analytics", "durationSeconds": seconds })).error();
        let text = breaks("durationSeconds", &seconds.to_string(), &format!("have value {constraint}"));
        assert_eq!(refused, error(400, "ValidationException", &text));
    }
    let text = breaks("workgroupName", "Not_good", "satisfy regular expression pattern: ^[a-z0-9-]+$");
    assert_eq!(workgroup("Not_good").error(), error(400, "ValidationException", &text));
    assert_eq!(workgroup("ab").error().2, breaks("workgroupName", "ab", "have length greater than or equal to 3"));
    for body in [json!({}), json!({ "workgroupName": "analytics", "customDomainName": "wh.example.com" })] {
        assert_eq!(credentials(body).error().1, "ValidationException");
    }
    let custom_domains = vec!["sl.example.com".to_owned()];
    standin.aws().put_workgroup(Workgroup { status: "CREATING".into(), custom_domains, ..Workgroup::new("fresh") });
    let fresh = workgroup("fresh").ok().json();
    assert_eq!(fresh["workgroup"]["status"], "CREATING");
    assert!(fresh["workgroup"].get("endpoint").is_none());
    assert_eq!(credentials(json!({ "workgroupName": "fresh" })).error().1, "ValidationException");
    standin.aws().put_workgroup(Workgroup { custom_domains: vec!["sl.example.com".into()], ..Workgroup::new("fresh") });
    let expiration = credentials(json!({ "customDomainName": "sl.example.com" })).ok().json()["expiration"].as_f64();
    let in_900 = time::OffsetDateTime::now_utc().unix_timestamp() + 900;
    assert!((expiration.expect("a number") - in_900 as f64).abs() < 5.0);
    let ready = workgroup("fresh").ok().json();
    assert_eq!(ready["workgroup"]["endpoint"]["port"], standin.port());
    let id = ready["workgroup"]["workgroupId"].as_str().expect("an id").to_owned();
    assert_eq!(
        ready["workgroup"]["workgroupArn"],
        format!("arn:aws:redshift-serverless:eu-west-1:111122223333:workgroup/{id}")
    );
    standin.aws().remove_workgroup("fresh");
    assert_eq!(workgroup("fresh").error().1, "ResourceNotFoundException");
}

#[test]
fn secrets_and_parameters() {
    let standin = start();
    let keys = Keys::of(&standin);
    let secret = |id: &str| json(&standin, &keys, "secretsmanager:GetSecretValue", &json!({ "SecretId": id }));
    let missing = error(400, "ResourceNotFoundException", "Secrets Manager can't find the specified secret.");
    assert_eq!(secret("missing").error(), missing);
    let arn = standin.aws().put_secret("team/one", SecretValue::Text("first-canary".into()));
    assert!(
        arn.starts_with("arn:aws:secretsmanager:eu-west-1:111122223333:secret:team/one-") && arn.len() == 68,
        "{arn}"
    );
    let first = secret("team/one").ok().json();
    assert_eq!((first["SecretString"].as_str(), first["ARN"].as_str()), (Some("first-canary"), Some(arn.as_str())));
    // By ARN, and by the part of it that is known before the secret is made.
    for id in [arn.as_str(), &arn[..arn.len() - 7]] {
        assert_eq!(secret(id).ok().json(), first, "{id}");
    }
    assert_eq!(standin.aws().put_secret("team/one", SecretValue::Binary(vec![0, 159, 255])), arn);
    let second = secret("team/one").ok().json();
    assert_eq!(second["SecretBinary"], "AJ//");
    assert!(second.get("SecretString").is_none() && second["VersionId"] != first["VersionId"]);
    let old = json!({ "SecretId": "team/one", "VersionId": first["VersionId"] });
    assert_eq!(json(&standin, &keys, "secretsmanager:GetSecretValue", &old).error().1, "ResourceNotFoundException");
    // Another account's, although this one may do everything at home.
    let foreign = arn.replace("111122223333", "999999999999");
    assert!(
        secret(&foreign)
            .error()
            .2
            .ends_with("because no resource-based policy allows the secretsmanager:GetSecretValue action")
    );
    standin.aws().remove_secret("team/one");
    assert_eq!(secret("team/one").error(), missing);

    let parameter = |body: serde_json::Value| json(&standin, &keys, "ssm:GetParameter", &body);
    assert_eq!(parameter(json!({ "Name": "missing" })).error(), error(400, "ParameterNotFound", ""));
    standin.aws().put_parameter("plain", false, "plain-canary");
    standin.aws().put_parameter("/deep/er", true, "older-canary");
    standin.aws().put_parameter("/deep/er", true, "deep-canary");
    let plain = parameter(json!({ "Name": "plain" })).ok().json();
    assert_eq!(plain["Parameter"]["Type"], "String");
    assert_eq!(plain["Parameter"]["Value"], "plain-canary");
    assert_eq!(plain["Parameter"]["ARN"], "arn:aws:ssm:eu-west-1:111122223333:parameter/plain");
    let sealed = parameter(json!({ "Name": "/deep/er" })).ok().json();
    assert!(sealed["Parameter"]["Value"].as_str().is_some_and(|v| v.starts_with("AQICA")));
    assert_eq!((&sealed["Parameter"]["Type"], &sealed["Parameter"]["Version"]), (&json!("SecureString"), &json!(2)));
    for name in ["/deep/er", "arn:aws:ssm:eu-west-1:111122223333:parameter/deep/er"] {
        let open = parameter(json!({ "Name": name, "WithDecryption": true })).ok().json();
        assert_eq!(open["Parameter"]["Value"], "deep-canary");
    }
    assert_eq!(parameter(json!({ "Name": "deep/er" })).error().1, "ParameterNotFound", "the slash is part of the name");
    let listed = standin.aws().secrets();
    for canary in ["first-canary", "AJ//", "plain-canary", "deep-canary"] {
        assert!(listed.iter().any(|s| s == canary), "{canary}");
    }
}

#[test]
fn calls_that_are_none() {
    let standin = shared();
    let keys = Keys::of(standin);
    assert_eq!(query(standin, &keys, "redshift:DeleteCluster", &[]).error().1, "InvalidAction");
    assert_eq!(json(standin, &keys, "ssm:PutParameter", &json!({})).error().1, "UnknownOperationException");
    assert_eq!(json(standin, &keys, "ssm:GetParameter", &json!([])).error().1, "SerializationException");
    let mut request = Request::query(&keys, "sts:GetCallerIdentity", &[]);
    request.body = request.body.replace("2011-06-15", "2010-05-08");
    assert_eq!(request.send(standin).error().1, "NoSuchVersion");
    let mut request = Request::query(&keys, "sts:GetCallerIdentity", &[]);
    request.headers.insert("content-type".into(), "text/plain".into());
    assert_eq!(request.send(standin).error().1, "MalformedInput");
}

#[test]
fn faults_and_counters() {
    let standin = start();
    let keys = Keys::of(&standin);
    let parameters = [("DbUser", "analyst"), ("ClusterIdentifier", "examplecluster")];
    let request = || Request::query(&keys, "redshift:GetClusterCredentials", &parameters);
    let workgroup =
        || Request::json(&keys, "redshift-serverless:GetWorkgroup", &json!({ "workgroupName": "analytics" }));
    standin.fault(Fault::aws("redshift:GetClusterCredentials", "Throttling", "Rate exceeded").times(2));
    standin.fault(Fault::aws("redshift-serverless:", "ThrottlingException", "Rate exceeded"));
    for _ in 0..2 {
        assert_eq!(request().send(&standin).error(), error(400, "Throttling", "Rate exceeded"));
    }
    request().send(&standin).ok();
    assert_eq!(workgroup().send(&standin).error(), error(400, "ThrottlingException", "Rate exceeded"));
    workgroup().send(&standin).ok();

    standin.fault(Fault::aws("GetClusterCredentials", "InternalFailure", "An internal error occurred").skip(1));
    request().send(&standin).ok();
    let failed = request().send(&standin);
    assert!(failed.body.contains("<Type>Receiver</Type>"));
    assert_eq!(failed.error(), error(500, "InternalFailure", "An internal error occurred"));
    standin.fault(Fault::aws("GetWorkgroup", "InternalServerException", "Oops"));
    assert_eq!(workgroup().send(&standin).error().0, 500);
    standin.fault(Fault::aws("redshift:", "ServiceUnavailable", "Later"));
    assert_eq!(request().send(&standin).error().0, 503);

    // Cut before: nothing is minted; cut after: it is.
    let minted = standin.aws().secrets().len();
    let cut = |action| standin.fault(Fault { action, ..Fault::aws("redshift:GetClusterCredentials", "", "") });
    cut(Action::CutBefore);
    assert!(request().try_send(&standin).is_none());
    assert_eq!(standin.aws().secrets().len(), minted);
    cut(Action::CutAfter);
    assert!(request().try_send(&standin).is_none());
    assert_eq!(standin.aws().secrets().len(), minted + 1);
    cut(Action::Delay { milliseconds: 300 });
    let began = Instant::now();
    request().send(&standin).ok();
    assert!(began.elapsed() >= Duration::from_millis(300));
    // Calls are not statements, and the other way round.
    standin.fault(Fault { on: On::Statement, ..Fault::error("GetClusterCredentials", "XX000", "no") });
    request().send(&standin).ok();

    let counters = standin.counters();
    assert_eq!(counters.aws_calls["redshift:GetClusterCredentials"], 10);
    assert_eq!(counters.aws_calls["redshift-serverless:GetWorkgroup"], 3);
    assert_eq!(standin.aws().calls().len(), 13);
    assert_eq!(counters.statements, 0);
    standin.reset_counters();
    assert!(standin.counters().aws_calls.is_empty() && standin.aws().calls().is_empty());
}

#[test]
fn secrets_are_listed_and_never_logged() {
    let standin = start();
    let session = other_account(&standin);
    let parameters = [("DbUser", "analyst"), ("ClusterIdentifier", "examplecluster")];
    let password = query(&standin, &session, "redshift:GetClusterCredentials", &parameters).ok().xml("DbPassword");
    let secrets = standin.aws().secrets();
    for secret in [&password, &session.secret, session.token.as_ref().expect("a token")] {
        assert!(secrets.contains(secret));
    }
    assert!(secrets.iter().any(|s| s == standin.password()));
    let shown = format!("{:?} {:?} {:?}", standin, standin.aws(), standin.aws().calls());
    assert!(secrets.iter().all(|s| !shown.contains(s.as_str())), "{shown}");
}
