//! Trust and identity policies, as the calls feel them.

use serde_json::{Value as Json, json};

use super::*;

const ME: &str = "111122223333";
const ROLE: &str = "arn:aws:iam::111122223333:role/Reader";
const OTHER: &str = "arn:aws:iam::444455556666:role/team/Reader";

fn allow(action: &str, resource: &str) -> Json {
    json!({ "Version": "2012-10-17", "Statement": [{ "Effect": "Allow", "Action": action, "Resource": resource }] })
}

fn trust(principal: &str, condition: Json) -> Json {
    let principal = json!({ "AWS": principal });
    json!({ "Version": "2012-10-17", "Statement": [
        { "Effect": "Allow", "Principal": principal, "Action": "sts:AssumeRole", "Condition": condition }
    ]})
}

fn put(standin: &Standin, arn: &str, what: Json) {
    standin.aws().put_policies(&json!({ arn: what })).expect("good policies");
}

/// Whether the role can be assumed; a denial is always worded alike.
fn may(standin: &Standin, keys: &Keys, caller: &str, role: &str, external_id: Option<&str>) -> bool {
    let mut parameters = vec![("RoleArn", role), ("RoleSessionName", "rights"), ("DurationSeconds", "900")];
    parameters.extend(external_id.map(|id| ("ExternalId", id)));
    let answer = query(standin, keys, "sts:AssumeRole", &parameters);
    if answer.status == 200 {
        return true;
    }
    let text = format!("User: {caller} is not authorized to perform: sts:AssumeRole on resource: {role}");
    assert_eq!(answer.error(), error(403, "AccessDenied", &text));
    false
}

#[test]
fn trust_and_permission_both_ways() {
    let standin = start();
    let arn = format!("arn:aws:iam::{ME}:user/people/ann");
    let keys = Keys::from(standin.aws().add_user(&arn));
    let may = |role: &str| may(&standin, &keys, &arn, role, None);
    let root = format!("arn:aws:iam::{ME}:root");
    assert!(!may(ROLE), "no such role");
    for (role, by_name_alone) in [(ROLE, true), (OTHER, false)] {
        put(&standin, role, json!({}));
        put(&standin, &arn, json!({ "policies": [] }));
        assert!(!may(role), "nobody is trusted");
        // Named himself: enough in his own account.
        put(&standin, role, json!({ "trust": trust(&arn, json!({})) }));
        assert_eq!(may(role), by_name_alone, "{role}");
        // His account: he needs the permission too.
        for account in [root.as_str(), ME] {
            put(&standin, &arn, json!({ "policies": [] }));
            put(&standin, role, json!({ "trust": trust(account, json!({})) }));
            assert!(!may(role), "{role} {account}");
            put(&standin, &arn, json!({ "policies": [allow("sts:Assume*", role).to_string()] }));
            assert!(may(role), "{role} {account}");
        }
        // The permission without the trust.
        put(&standin, role, json!({ "trust": trust("999999999999", json!({})) }));
        assert!(!may(role));
        // A denial beats both.
        put(&standin, role, json!({ "trust": trust(&arn, json!({})) }));
        assert!(may(role));
        let deny = json!({ "Statement": { "Effect": "Deny", "Action": "*", "Resource": role } });
        put(&standin, &arn, json!({ "policies": [allow("*", "*"), deny] }));
        assert!(!may(role));
    }
}

#[test]
fn external_ids() {
    let standin = start();
    let (fixtures, keys, caller) = (standin.aws().fixtures(), Keys::of(&standin), standin.aws().caller_arn());
    let may = |id: Option<&str>| may(&standin, &keys, &caller, &fixtures.role_arn, id);
    assert!(may(Some(&fixtures.external_id)));
    assert!(!may(Some("another")) && !may(None) && !may(Some(&fixtures.external_id.to_uppercase())));
    // In the permission, too.
    let condition = json!({ "StringLike": { "sts:ExternalId": "standin-*" } });
    let policy = json!({ "Statement": { "Effect": "Allow", "Action": "sts:AssumeRole", "Resource": "*", "Condition": condition } });
    put(&standin, &caller, json!({ "policies": [policy] }));
    assert!(may(Some(&fixtures.external_id)));
    assert!(!may(None));
}

#[test]
fn sessions_as_principals() {
    let standin = start();
    let keys = Keys::of(&standin);
    let sso = format!("arn:aws:iam::{ME}:role/aws-reserved/sso.amazonaws.com/eu-west-1/AWSReservedSSO_Dev_0123");
    put(&standin, &sso, json!({ "trust": trust(ME, json!({})), "policies": [allow("sts:AssumeRole", "*")] }));
    let session = assume(&standin, &keys, &sso, None);
    let caller = format!("arn:aws:sts::{ME}:assumed-role/AWSReservedSSO_Dev_0123/tests");
    let may = |with: Json| {
        put(&standin, OTHER, json!({ "trust": with }));
        may(&standin, &session, &caller, OTHER, None)
    };
    // The principal of a session is the role, path and all.
    assert!(may(trust(&sso, json!({}))));
    assert!(may(trust(&caller, json!({}))), "this session by name");
    assert!(!may(trust(&caller.replace("/tests", "/other"), json!({}))));
    let like = |arn: &str| trust(ME, json!({ "ArnLike": { "aws:PrincipalArn": arn } }));
    assert!(!may(like(&format!("arn:aws:iam::{ME}:role/AWSReservedSSO_Dev_0123"))));
    assert!(may(like(&format!("arn:aws:iam::{ME}:role/*/AWSReservedSSO_Dev_0123"))));
    let equals = |arn: &str| trust(ME, json!({ "ArnEquals": { "aws:PrincipalArn": arn } }));
    assert!(may(equals(&sso)) && !may(equals(&caller)));
    // The role without its path is nobody, and AWS says so when the policy is written.
    let pathless = format!("arn:aws:iam::{ME}:role/AWSReservedSSO_Dev_0123");
    let refused = standin.aws().put_policies(&json!({ OTHER: { "trust": trust(&pathless, json!({})) } }));
    assert!(refused.expect_err("refused").contains("Invalid principal in policy"));
}

#[test]
fn chained_roles_last_an_hour() {
    let standin = start();
    let keys = Keys::of(&standin);
    put(&standin, ROLE, json!({ "trust": trust(ME, json!({})), "policies": [allow("sts:AssumeRole", OTHER)] }));
    put(&standin, OTHER, json!({ "trust": trust(ROLE, json!({})), "max_session_duration": 7200 }));
    let session = assume(&standin, &keys, ROLE, None);
    let ask = |keys: &Keys, role: &str, seconds: &str| {
        let parameters = [("RoleArn", role), ("RoleSessionName", "chained"), ("DurationSeconds", seconds)];
        query(&standin, keys, "sts:AssumeRole", &parameters)
    };
    ask(&session, OTHER, "3600").ok();
    let text = "The requested DurationSeconds exceeds the 1 hour session limit for roles assumed by role chaining";
    assert_eq!(ask(&session, OTHER, "3601").error(), error(400, "ValidationError", text));
    // Not chained: the role's own limit.
    let text = "The requested DurationSeconds exceeds the MaxSessionDuration set for this role.";
    assert_eq!(ask(&keys, ROLE, "3601").error(), error(400, "ValidationError", text));
    put(&standin, ROLE, json!({ "max_session_duration": 43200 }));
    ask(&keys, ROLE, "43200").ok();
    for (seconds, end) in [("899", "greater than or equal to 900"), ("43201", "less than or equal to 43200")] {
        let text = format!(
            "1 validation error detected: Value '{seconds}' at 'durationSeconds' failed to satisfy constraint: Member \
             must have value {end}"
        );
        assert_eq!(ask(&keys, ROLE, seconds).error(), error(400, "ValidationError", &text));
    }
}

/// The documents of the provider's page on policies: all of them are needed, each statement for its call.
#[test]
fn each_call_needs_its_statement() {
    let standin = start();
    let arn = format!("arn:aws:iam::{ME}:user/tool");
    let keys = Keys::from(standin.aws().add_user(&arn));
    let secret = standin.aws().fixtures().secret_id.clone();
    let asked = json!({ "workgroupName": "analytics", "dbName": "dev" });
    let workgroup = json(&standin, &Keys::of(&standin), "redshift-serverless:GetWorkgroup", &asked).ok().json();
    let workgroup = workgroup["workgroup"]["workgroupArn"].as_str().expect("an ARN").to_owned();
    let r = |rest: &str| format!("arn:aws:redshift:eu-west-1:{ME}:{rest}");
    let named = [("DbUser", "analyst"), ("DbName", "dev"), ("ClusterIdentifier", "examplecluster")];
    let cluster = [("ClusterIdentifier", "examplecluster")];
    let calls: Vec<(&str, Request, Vec<String>, String)> = vec![
        (
            "redshift:GetClusterCredentials",
            Request::query(&keys, "redshift:GetClusterCredentials", &named),
            vec![r("dbuser:examplecluster/analyst"), r("dbname:examplecluster/dev")],
            r("dbuser:examplecluster/analyst"),
        ),
        (
            "redshift:GetClusterCredentialsWithIAM",
            Request::query(&keys, "redshift:GetClusterCredentialsWithIAM", &named[1..]),
            vec![r("dbname:examplecluster/dev")],
            r("dbname:examplecluster/dev"),
        ),
        (
            "redshift:DescribeClusters",
            Request::query(&keys, "redshift:DescribeClusters", &cluster),
            vec![r("cluster:examplecluster")],
            r("cluster:examplecluster"),
        ),
        (
            "redshift:DescribeCustomDomainAssociations",
            Request::query(&keys, "redshift:DescribeCustomDomainAssociations", &[]),
            vec!["*".into()],
            "*".into(),
        ),
        (
            "redshift-serverless:GetCredentials",
            Request::json(&keys, "redshift-serverless:GetCredentials", &asked),
            vec![workgroup.clone()],
            workgroup.clone(),
        ),
        (
            "redshift-serverless:GetWorkgroup",
            Request::json(&keys, "redshift-serverless:GetWorkgroup", &asked),
            vec![workgroup.clone()],
            workgroup,
        ),
        (
            "secretsmanager:GetSecretValue",
            Request::json(&keys, "secretsmanager:GetSecretValue", &json!({ "SecretId": secret })),
            vec![format!("arn:aws:secretsmanager:eu-west-1:{ME}:secret:{secret}-??????")],
            secret.clone(),
        ),
        (
            "ssm:GetParameter",
            Request::json(&keys, "ssm:GetParameter", &json!({ "Name": "/standin/warehouse/password" })),
            vec![format!("arn:aws:ssm:eu-west-1:{ME}:parameter/standin/warehouse/password")],
            format!("arn:aws:ssm:eu-west-1:{ME}:parameter/standin/warehouse/password"),
        ),
    ];
    let all: Vec<Json> = calls
        .iter()
        .map(|(action, _, resources, _)| json!({ "Effect": "Allow", "Action": action, "Resource": resources }))
        .collect();
    let document =
        |statements: Vec<Json>| json!({ "policies": [{ "Version": "2012-10-17", "Statement": statements }] });
    for (at, (action, request, resources, shown)) in calls.iter().enumerate() {
        let send = || {
            let copy = Request { keys: Some(keys.clone()), ..Request::copy(request) };
            copy.send(&standin)
        };
        put(&standin, &arn, document(all.clone()));
        assert_eq!(send().status, 200, "{action}: {:?}", send());
        // Without its statement, and without any one of its resources.
        let mut without = all.clone();
        without.remove(at);
        put(&standin, &arn, document(without));
        let text = format!(
            "User: {arn} is not authorized to perform: {action} on resource: {shown} because no identity-based policy \
             allows the {action} action"
        );
        let json = !action.starts_with("redshift:");
        let denied = if json { error(400, "AccessDeniedException", &text) } else { error(403, "AccessDenied", &text) };
        assert_eq!(send().error(), denied);
        for missing in resources {
            let mut less = all.clone();
            less[at]["Resource"] =
                json!(resources.iter().filter(|r| *r != missing).chain([&r("cluster:x")]).collect::<Vec<_>>());
            put(&standin, &arn, document(less));
            let (_, code, text) = send().error();
            assert!(code.starts_with("AccessDenied"), "{action} without {missing}");
            let named = if action.starts_with("secretsmanager:") { shown } else { missing };
            assert!(text.contains(&format!("on resource: {named} because")), "{text}");
        }
        put(
            &standin,
            &arn,
            json!({ "policies": [
                allow("*", "*"),
                { "Statement": { "Effect": "Deny", "Action": action, "Resource": "*" } },
            ]}),
        );
        assert!(send().error().2.ends_with(" with an explicit deny in an identity-based policy"));
    }
}

#[test]
fn creating_users_is_a_right_of_its_own() {
    let standin = start();
    let arn = format!("arn:aws:iam::{ME}:user/tool");
    let keys = Keys::from(standin.aws().add_user(&arn));
    put(&standin, &arn, json!({ "policies": [allow("redshift:GetClusterCredentials", "*")] }));
    let parameters = [("DbUser", "newcomer"), ("ClusterIdentifier", "examplecluster"), ("AutoCreate", "true")];
    let ask = || query(&standin, &keys, "redshift:GetClusterCredentials", &parameters);
    let (status, code, text) = ask().error();
    assert_eq!((status, code.as_str()), (403, "AccessDenied"));
    assert!(text.contains(
        "redshift:CreateClusterUser on resource: arn:aws:redshift:eu-west-1:111122223333:dbuser:examplecluster/newcomer"
    ));
    let create = allow("redshift:CreateClusterUser", "*");
    put(&standin, &arn, json!({ "policies": [allow("redshift:GetClusterCredentials", "*"), create] }));
    assert_eq!(ask().ok().xml("DbUser"), "IAMA:newcomer");
    assert_eq!(standin.aws().calls()[0].parameters["AutoCreate"], "true");
    assert_eq!(
        standin.sql_blocking("dev", "SELECT usename FROM pg_user WHERE usename = 'newcomer'").expect("runs").len(),
        1
    );
}

#[test]
fn other_partitions_and_regions() {
    let standin = start();
    let china = format!("arn:aws-cn:iam::{ME}:user/tool");
    let keys = Keys::from(standin.aws().add_user(&china));
    let dbuser = format!("arn:aws-cn:redshift:cn-north-1:{ME}:dbuser:beijing/analyst");
    put(&standin, &china, json!({ "policies": [allow("redshift:GetClusterCredentials", &dbuser)] }));
    let cluster =
        redshift_standin::Cluster { region: Some("cn-north-1".into()), ..redshift_standin::Cluster::new("beijing") };
    standin.aws().put_cluster(cluster);
    let parameters = [("DbUser", "analyst"), ("ClusterIdentifier", "beijing")];
    let ask = |region: &str| {
        Request::query(&keys, "redshift:GetClusterCredentials", &parameters).region(region).send(&standin)
    };
    assert_eq!(ask("cn-north-1").ok().xml("DbUser"), "IAM:analyst");
    assert!(ask("cn-northwest-1").error().2.contains(&format!("arn:aws-cn:redshift:cn-northwest-1:{ME}:dbuser:")));
    // The fixture's cluster is in one region only.
    let describe =
        Request::query(&Keys::of(&standin), "redshift:DescribeClusters", &[("ClusterIdentifier", "examplecluster")]);
    assert_eq!(
        describe.region("us-east-1").send(&standin).error(),
        error(404, "ClusterNotFound", "Cluster examplecluster not found.")
    );
    // A whole account elsewhere.
    let aws = redshift_standin::AwsOptions { region: "us-gov-west-1".into(), ..Default::default() };
    let gov = Standin::start(StandinOptions { aws, ..Default::default() }).expect("starts");
    assert_eq!(gov.aws().caller_arn(), format!("arn:aws-us-gov:iam::{ME}:user/terraform"));
    let role = gov.aws().fixtures().role_arn.clone();
    assert!(role.starts_with("arn:aws-us-gov:iam::444455556666:"));
    let parameters = [
        ("RoleArn", role.as_str()),
        ("RoleSessionName", "gov"),
        ("ExternalId", gov.aws().fixtures().external_id.as_str()),
    ];
    let assumed =
        Request::query(&Keys::of(&gov), "sts:AssumeRole", &parameters).region("us-gov-west-1").send(&gov).ok();
    assert!(assumed.xml("Arn").starts_with("arn:aws-us-gov:sts::444455556666:assumed-role/"));
}

#[test]
fn web_identities() {
    let standin = start();
    standin.aws().put_web_identity("header.canary-token.signature", &[ROLE]);
    let ask = |token: &str, role: &str| {
        let parameters = [("RoleArn", role), ("RoleSessionName", "ci"), ("WebIdentityToken", token)];
        let request = Request::query(&Keys::of(&standin), "sts:AssumeRoleWithWebIdentity", &parameters);
        Request { keys: None, ..request }.send(&standin)
    };
    let answer = ask("header.canary-token.signature", ROLE).ok();
    let keys = Keys {
        id: answer.xml("AccessKeyId"),
        secret: answer.xml("SecretAccessKey"),
        token: Some(answer.xml("SessionToken")),
    };
    let who = query(&standin, &keys, "sts:GetCallerIdentity", &[]).ok();
    assert_eq!(who.xml("Arn"), format!("arn:aws:sts::{ME}:assumed-role/Reader/ci"));
    assert_eq!(ask("other", ROLE).error().1, "InvalidIdentityToken");
    let denied = error(403, "AccessDenied", "Not authorized to perform sts:AssumeRoleWithWebIdentity");
    assert_eq!(ask("header.canary-token.signature", OTHER).error(), denied);
    assert!(!format!("{:?}", standin.aws().calls()).contains("canary"));
}
