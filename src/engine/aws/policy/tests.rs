//! Golden documents, one for each branch, and what contradicts itself.

use proptest::prelude::*;

use super::*;

const ROLE: &str = "arn:aws:iam::444455556666:role/team/warehouse-access";

/// A cluster in an account, and nothing else written.
fn cluster() -> Wanted {
    Wanted {
        cluster_identifier: Some("examplecluster".into()),
        region: Some("eu-west-1".into()),
        account_id: Some("111122223333".into()),
        ..Wanted::default()
    }
}

fn workgroup(id: Option<&str>) -> Wanted {
    Wanted {
        cluster_identifier: None,
        workgroup_name: Some("analytics".into()),
        workgroup_id: id.map(str::to_owned),
        ..cluster()
    }
}

fn names(all: &[&str]) -> Option<BTreeSet<String>> {
    Some(all.iter().map(|name| (*name).to_owned()).collect())
}

fn policies(wanted: &Wanted) -> Policies {
    wanted.policies().unwrap_or_else(|error| panic!("{wanted:?}: {error}"))
}

/// A document without its white space, in its own order.
fn compact(text: Option<String>) -> String {
    let text = text.unwrap_or_else(|| "null".to_owned());
    text.lines().map(str::trim).collect::<String>().replace("\": ", "\":")
}

/// A policy with these statements.
fn policy(statements: &str) -> String {
    format!(r#"{{"Version":"2012-10-17","Statement":[{statements}]}}"#)
}

fn json(wanted: &Wanted) -> String {
    compact(policies(wanted).json)
}

fn caller(wanted: &Wanted) -> String {
    compact(policies(wanted).caller_json)
}

fn trust(principal: &str, external_id: Option<&str>) -> String {
    let wanted =
        Wanted { principal_arn: Some(principal.into()), external_id: external_id.map(str::to_owned), ..cluster() };
    compact(policies(&wanted).trust_json)
}

/// What is wrong, and with which setting.
fn refused(wanted: &Wanted) -> (&'static str, String) {
    let error = wanted.policies().expect_err("it is refused");
    (error.setting_name().unwrap_or_default(), error.detail())
}

/// Proves: Q37, L29, F14
#[test]
fn a_named_user_on_a_cluster_gets_credentials_for_user_and_database() {
    let wanted = Wanted { username: Some("alice".into()), ..cluster() };
    assert_eq!(
        json(&wanted),
        policy(concat!(
            r#"{"Sid":"DatabaseCredentials","Effect":"Allow","Action":"redshift:GetClusterCredentials","Resource":["#,
            r#""arn:aws:redshift:eu-west-1:111122223333:dbuser:examplecluster/alice","#,
            r#""arn:aws:redshift:eu-west-1:111122223333:dbname:examplecluster/dev"]},"#,
            r#"{"Sid":"FindEndpoint","Effect":"Allow","Action":"redshift:DescribeClusters","#,
            r#""Resource":"arn:aws:redshift:eu-west-1:111122223333:cluster:examplecluster"}"#,
        ))
    );
    assert_eq!(policies(&wanted).caller_json, None);
    assert_eq!(policies(&wanted).trust_json, None);
}

#[test]
fn the_text_is_indented_and_ends_without_a_line_break() {
    let wanted = Wanted { find_endpoint: Some(false), ..cluster() };
    assert_eq!(
        policies(&wanted).json.as_deref(),
        Some(
            r#"{
  "Version": "2012-10-17",
  "Statement": [
    {
      "Sid": "DatabaseCredentials",
      "Effect": "Allow",
      "Action": "redshift:GetClusterCredentialsWithIAM",
      "Resource": "arn:aws:redshift:eu-west-1:111122223333:dbname:examplecluster/dev"
    }
  ]
}"#
        )
    );
}

/// The databases of the first statement.
fn databases_in(wanted: &Wanted) -> Vec<String> {
    let document: serde_json::Value = serde_json::from_str(&json(wanted)).expect("JSON");
    let resource = &document["Statement"][0]["Resource"];
    let all = resource.as_array().cloned().unwrap_or_else(|| vec![resource.clone()]);
    let all = all.iter().filter_map(serde_json::Value::as_str);
    all.filter_map(|arn| Some(arn.split_once(":dbname:examplecluster/")?.1.to_owned())).collect()
}

#[test]
fn databases_are_listed_in_order_or_are_all() {
    for (databases, expected) in [
        (None, vec!["dev"]),
        (names(&["sales", "dev", "Ops-1"]), vec!["Ops-1", "dev", "sales"]),
        (names(&["*"]), vec!["*"]),
        (names(&["sales", "*"]), vec!["*"]),
    ] {
        for username in [None, Some("alice".to_owned())] {
            let wanted = Wanted { databases: databases.clone(), username, ..cluster() };
            assert_eq!(databases_in(&wanted), expected);
            assert_eq!(wanted.beyond(), []);
        }
    }
}

/// A request leaves such a name out. It is about the user alone then, or about every database.
#[test]
fn a_database_that_a_request_cannot_name_is_told() {
    for odd in ["my db", "_staging", "a*", "user", "PUBLIC", &"x".repeat(65)] {
        let with_user = Wanted { databases: names(&["dev", odd]), username: Some("alice".into()), ..cluster() };
        let without = Wanted { username: None, ..with_user.clone() };
        assert_eq!(databases_in(&with_user), ["dev"], "{odd}");
        assert_eq!(databases_in(&without), ["*"], "{odd}");
        for wanted in [with_user, without] {
            let told = wanted.beyond();
            assert_eq!(told.len(), 1);
            assert_eq!(told[0].setting_name(), Some("databases"));
            assert!(told[0].detail().contains(odd), "{told:?}");
            let meant = Wanted { databases: names(&["dev", odd, "*"]), ..wanted };
            assert_eq!(meant.beyond(), [], "with * it is meant");
        }
    }
    let alone = Wanted { databases: names(&["my db"]), username: Some("alice".into()), ..cluster() };
    let user = r#""Resource":"arn:aws:redshift:eu-west-1:111122223333:dbuser:examplecluster/alice"}"#;
    assert!(json(&alone).contains(user), "{}", json(&alone));
}

#[test]
fn the_endpoint_is_found_by_a_statement_of_its_own() {
    let sids = |find_endpoint, custom_domain, wanted: Wanted| {
        let document = json(&Wanted { find_endpoint, custom_domain, ..wanted });
        let parts: Vec<String> =
            document.split("\"Sid\":\"").skip(1).filter_map(|rest| Some(rest.split_once('"')?.0.to_owned())).collect();
        parts.join(" ")
    };
    let serverless = || workgroup(Some("*"));
    for (find, domain, on_cluster, on_workgroup) in [
        (None, None, "DatabaseCredentials FindEndpoint", "DatabaseCredentials FindEndpoint"),
        (Some(false), None, "DatabaseCredentials", "DatabaseCredentials"),
        (None, Some(true), "DatabaseCredentials FindCustomDomain", "DatabaseCredentials"),
        (
            Some(true),
            Some(true),
            "DatabaseCredentials FindEndpoint FindCustomDomain",
            "DatabaseCredentials FindEndpoint",
        ),
        (None, Some(false), "DatabaseCredentials FindEndpoint", "DatabaseCredentials FindEndpoint"),
    ] {
        assert_eq!(sids(find, domain, cluster()), on_cluster);
        assert_eq!(sids(find, domain, serverless()), on_workgroup);
    }
    let domain = Wanted { custom_domain: Some(true), ..cluster() };
    let statement = r#"{"Sid":"FindCustomDomain","Effect":"Allow","Action":"redshift:DescribeCustomDomainAssociations","Resource":"*"}"#;
    assert!(json(&domain).contains(statement));
}

/// Proves: Q37
#[test]
fn a_workgroup_is_named_by_its_id_or_all_are_meant() {
    let golden = |id: &str| {
        let arn = format!("arn:aws:redshift-serverless:eu-west-1:111122223333:workgroup/{id}");
        policy(&format!(
            r#"{{"Sid":"DatabaseCredentials","Effect":"Allow","Action":"redshift-serverless:GetCredentials","Resource":"{arn}"}},{{"Sid":"FindEndpoint","Effect":"Allow","Action":"redshift-serverless:GetWorkgroup","Resource":"{arn}"}}"#
        ))
    };
    let id = "0123abcd-45ef-6789-abcd-0123456789ef";
    assert_eq!(json(&workgroup(Some(id))), golden(id));
    assert_eq!(json(&Wanted { workgroup_name: None, ..workgroup(Some(id)) }), golden(id));
    assert_eq!(json(&workgroup(Some("*"))), golden("*"));
    assert_eq!(json(&workgroup(None)), golden("*"));
    assert_eq!(workgroup(Some(id)).beyond(), []);
    assert_eq!(workgroup(Some("*")).beyond(), []);
    let told = workgroup(None).beyond();
    assert_eq!(told.len(), 1);
    assert_eq!(told[0].setting_name(), Some("workgroup_id"));
}

#[test]
fn a_clusters_name_is_lower_case_in_arns() {
    let wanted = Wanted { cluster_identifier: Some("ExampleCluster".into()), ..cluster() };
    assert_eq!(json(&wanted), json(&cluster()));
}

#[test]
fn the_partition_follows_the_region() {
    for (region, expected) in [
        ("eu-west-1", "aws"),
        ("us-east-2", "aws"),
        ("us-west-1", "aws"),
        ("cn-north-1", "aws-cn"),
        ("us-gov-west-1", "aws-us-gov"),
        ("us-iso-east-1", "aws-iso"),
        ("us-isob-east-1", "aws-iso-b"),
        ("eu-isoe-west-1", "aws-iso-e"),
        ("us-isof-south-1", "aws-iso-f"),
        ("eusc-de-east-1", "aws-eusc"),
    ] {
        let wanted = Wanted { region: Some(region.into()), principal_arn: Some("777788889999".into()), ..cluster() };
        let Policies { json, trust_json, .. } = policies(&wanted);
        let arn = format!("arn:{expected}:redshift:{region}:111122223333:cluster:examplecluster");
        assert!(json.is_some_and(|json| json.contains(&arn)), "{region}");
        assert!(trust_json.is_some_and(|json| json.contains(&format!("arn:{expected}:iam::777788889999:root"))));
    }
}

#[test]
fn the_warehouse_is_in_the_roles_account() {
    let wanted = Wanted { account_id: None, role_arn: Some(ROLE.into()), ..cluster() };
    assert!(json(&wanted).contains("arn:aws:redshift:eu-west-1:444455556666:dbname:"), "{}", json(&wanted));
    assert_eq!(
        caller(&wanted),
        policy(&format!(r#"{{"Sid":"AssumeRole","Effect":"Allow","Action":"sts:AssumeRole","Resource":"{ROLE}"}}"#))
    );
}

#[test]
fn the_caller_reads_secret_and_parameter() {
    let key = "arn:aws:kms:eu-west-1:111122223333:key/mrk-0123abcd";
    let wanted = Wanted {
        secret_id: Some("warehouse/login".into()),
        password_ssm_parameter: Some("/warehouse/password".into()),
        kms_key_arn: Some(key.into()),
        ..cluster()
    };
    let golden = policy(concat!(
        r#"{"Sid":"ReadSecret","Effect":"Allow","Action":"secretsmanager:GetSecretValue","#,
        r#""Resource":"arn:aws:secretsmanager:eu-west-1:111122223333:secret:warehouse/login-??????"},"#,
        r#"{"Sid":"ReadParameter","Effect":"Allow","Action":"ssm:GetParameter","#,
        r#""Resource":"arn:aws:ssm:eu-west-1:111122223333:parameter/warehouse/password"},"#,
        r#"{"Sid":"Decrypt","Effect":"Allow","Action":"kms:Decrypt","Resource":"arn:aws:kms:eu-west-1:111122223333:key/mrk-0123abcd"}"#,
    ));
    assert_eq!(caller(&wanted), golden);
    // A login by password needs no more than that.
    let alone = Wanted { cluster_identifier: None, ..wanted };
    assert_eq!(policies(&alone).json, None);
    assert_eq!(caller(&alone), golden);
}

#[test]
fn a_secrets_arn_is_taken_as_it_is_or_completed() {
    for (written, resource) in [
        ("login", "arn:aws:secretsmanager:eu-west-1:111122223333:secret:login-??????"),
        ("login-AbC123", "arn:aws:secretsmanager:eu-west-1:111122223333:secret:login-AbC123-??????"),
        (
            "arn:aws:secretsmanager:us-east-1:777788889999:secret:login-AbC123",
            "arn:aws:secretsmanager:us-east-1:777788889999:secret:login-AbC123",
        ),
        (
            "arn:aws:secretsmanager:us-east-1:777788889999:secret:login",
            "arn:aws:secretsmanager:us-east-1:777788889999:secret:login-??????",
        ),
    ] {
        let found = caller(&Wanted { secret_id: Some(written.into()), ..cluster() });
        assert!(found.contains(&format!(r#""Resource":"{resource}""#)), "{written}: {found}");
    }
}

#[test]
fn a_parameters_arn_has_one_slash_and_no_version() {
    for (written, resource) in [
        ("/a/b", "arn:aws:ssm:eu-west-1:111122223333:parameter/a/b"),
        ("a.b", "arn:aws:ssm:eu-west-1:111122223333:parameter/a.b"),
        ("/a/b:3", "arn:aws:ssm:eu-west-1:111122223333:parameter/a/b"),
        ("arn:aws:ssm:us-east-1:777788889999:parameter/a/b", "arn:aws:ssm:us-east-1:777788889999:parameter/a/b"),
        ("arn:aws:ssm:us-east-1:777788889999:parameter/a/b:live", "arn:aws:ssm:us-east-1:777788889999:parameter/a/b"),
    ] {
        let found = caller(&Wanted { password_ssm_parameter: Some(written.into()), ..cluster() });
        assert!(found.contains(&format!(r#""Resource":"{resource}""#)), "{written}: {found}");
    }
}

#[test]
fn a_name_belongs_to_the_callers_account_not_to_the_roles() {
    let by_role =
        Wanted { account_id: None, role_arn: Some(ROLE.into()), secret_id: Some("login".into()), ..cluster() };
    let (setting, message) = refused(&by_role);
    assert_eq!(setting, "secret_id");
    assert!(message.contains("principal_arn"), "{message}");
    let known = Wanted { principal_arn: Some("arn:aws:iam::777788889999:user/ci".into()), ..by_role.clone() };
    assert!(caller(&known).contains(":777788889999:secret:login-??????"), "{}", caller(&known));
    let whole = "arn:aws:secretsmanager:eu-west-1:777788889999:secret:login-AbC123";
    assert!(caller(&Wanted { secret_id: Some(whole.into()), ..by_role }).contains(whole));
    let nobodys = Wanted { cluster_identifier: None, account_id: None, secret_id: Some("login".into()), ..cluster() };
    let (setting, message) = refused(&nobodys);
    assert_eq!(setting, "secret_id");
    assert!(message.contains("account_id"), "{message}");
}

/// Proves: Q39
#[test]
fn a_role_trusts_whoever_asks() {
    let statement = |principal: &str, condition: &str| {
        policy(&format!(
            r#"{{"Effect":"Allow","Principal":{{"AWS":"{principal}"}},"Action":"sts:AssumeRole"{condition}}}"#
        ))
    };
    let root = "arn:aws:iam::777788889999:root";
    let like = |name: &str, more: &str| {
        format!(
            r#","Condition":{{"ArnLike":{{"aws:PrincipalArn":["arn:aws:iam::777788889999:role/{name}","arn:aws:iam::777788889999:role/*/{name}"]}}{more}}}"#
        )
    };
    let user = "arn:aws:iam::777788889999:user/team/ci";
    let external = r#""StringEquals":{"sts:ExternalId":"tool:42"}"#;
    for (principal, expected) in [
        (user, statement(user, "")),
        ("777788889999", statement(root, "")),
        (root, statement(root, "")),
        ("arn:aws:iam::777788889999:role/Deploy", statement(root, &like("Deploy", ""))),
        ("arn:aws:iam::777788889999:role/team/Deploy", statement(root, &like("Deploy", ""))),
        ("arn:aws:sts::777788889999:assumed-role/Deploy/i-0123", statement(root, &like("Deploy", ""))),
        (
            "arn:aws:iam::777788889999:role/aws-reserved/sso.amazonaws.com/eu-west-1/AWSReservedSSO_Admin_0a1b",
            statement(root, &like("AWSReservedSSO_Admin_0a1b", "")),
        ),
    ] {
        assert_eq!(trust(principal, None), expected, "{principal}");
    }
    assert_eq!(trust(user, Some("tool:42")), statement(user, &format!(r#","Condition":{{{external}}}"#)));
    let session = "arn:aws:sts::777788889999:assumed-role/Deploy/i-0123";
    assert_eq!(trust(session, Some("tool:42")), statement(root, &like("Deploy", &format!(",{external}"))));
}

#[test]
fn what_contradicts_itself_is_told_on_its_setting() {
    let with = |change: fn(&mut Wanted)| {
        let mut wanted = cluster();
        change(&mut wanted);
        wanted
    };
    let cases: [(Wanted, &str, &str); 14] = [
        (with(|w| w.workgroup_name = Some("analytics".into())), "cluster_identifier", "or a serverless workgroup"),
        (with(|w| w.cluster_identifier = None), "cluster_identifier", "workgroup_name"),
        (with(|w| w.region = None), "region", "missing"),
        (with(|w| w.account_id = None), "account_id", "role_arn"),
        (with(|w| w.role_arn = Some(ROLE.into())), "account_id", "444455556666"),
        (with(|w| w.external_id = Some("xx".into())), "external_id", "principal_arn"),
        (with(|w| w.kms_key_arn = Some("arn:aws:kms:r:111122223333:key/k".into())), "kms_key_arn", "secret_id"),
        (with(|w| w.principal_arn = Some("arn:aws-cn:iam::111122223333:user/u".into())), "principal_arn", "aws-cn"),
        (
            with(|w| {
                w.account_id = None;
                w.role_arn = Some("arn:aws-us-gov:iam::111122223333:role/r".into());
            }),
            "role_arn",
            "aws-us-gov",
        ),
        (
            with(|w| w.secret_id = Some("arn:aws-cn:secretsmanager:r:111122223333:secret:s".into())),
            "secret_id",
            "aws-cn",
        ),
        (with(|w| w.databases = names(&[])), "databases", "at least one"),
        (with(|w| w.databases = names(&["a\nb"])), "databases", "control"),
        (Wanted { username: Some("alice".into()), ..workgroup(None) }, "username", "IAMR"),
        (Wanted { databases: names(&["dev"]), ..workgroup(None) }, "databases", "workgroup"),
    ];
    for (wanted, setting, words) in cases {
        let (found, message) = refused(&wanted);
        assert_eq!(found, setting, "{message}");
        assert!(message.contains(words), "{words} is not in: {message}");
    }
}

#[test]
fn what_is_not_known_yet_is_neither_missing_nor_wrong() {
    let bare = Wanted { region: Some("eu-west-1".into()), ..Wanted::default() };
    let pending = |names: &[&'static str], wanted: &Wanted| {
        let pending = names.iter().copied().collect();
        let all = Wanted { pending, ..wanted.clone() }.contradictions();
        all.iter().filter_map(Error::setting_name).collect::<Vec<_>>()
    };
    assert_eq!(pending(&[], &bare), ["cluster_identifier"]);
    for name in WAREHOUSE.into_iter().chain(SECRETS) {
        assert_eq!(pending(&[name], &bare), Vec::<&str>::new(), "{name}");
    }
    let nowhere = Wanted { account_id: None, ..cluster() };
    assert_eq!(pending(&[], &nowhere), ["account_id"]);
    assert_eq!(pending(&["account_id"], &nowhere), Vec::<&str>::new());
    assert_eq!(pending(&["role_arn"], &nowhere), Vec::<&str>::new());
    let external = Wanted { external_id: Some("xx".into()), ..cluster() };
    assert_eq!(pending(&["principal_arn"], &external), Vec::<&str>::new());
    let key = Wanted { kms_key_arn: Some("arn:aws:kms:r:111122223333:key/k".into()), ..cluster() };
    assert_eq!(pending(&["secret_id"], &key), Vec::<&str>::new());
    assert_eq!(pending(&["username", "databases"], &workgroup(Some("*"))), Vec::<&str>::new());
    assert_eq!(Wanted { pending: ["workgroup_id"].into(), ..workgroup(None) }.beyond(), []);
    let secret = Wanted { role_arn: Some(ROLE.into()), account_id: None, secret_id: Some("s".into()), ..cluster() };
    assert_eq!(pending(&[], &secret), ["secret_id"]);
    assert_eq!(pending(&["principal_arn"], &secret), Vec::<&str>::new());
    let secret = Wanted { role_arn: None, cluster_identifier: None, ..secret };
    assert_eq!(pending(&[], &secret), ["secret_id"]);
    assert_eq!(pending(&["role_arn"], &secret), Vec::<&str>::new());
    assert_eq!(pending(&["account_id"], &secret), Vec::<&str>::new());
    assert_eq!(pending(&["cluster_identifier"], &secret), Vec::<&str>::new());
}

proptest! {
    /// Whatever is written, no wildcard and no policy variable comes into a policy but by `*` alone.
    #[test]
    fn nobody_is_allowed_more_than_is_written(text in "[a-z*?$/:{}\\\\\" ]{1,12}|arn:aws:[a-z]{3}::111122223333:[a-z*/?]{1,9}") {
        let text = || Some(text.clone());
        let tries = [
            Wanted { cluster_identifier: text(), ..cluster() },
            Wanted { username: text(), ..cluster() },
            Wanted { databases: text().map(|name| BTreeSet::from([name])), username: Some("u".into()), ..cluster() },
            Wanted { account_id: None, role_arn: text(), ..cluster() },
            Wanted { secret_id: text(), ..cluster() },
            Wanted { password_ssm_parameter: text(), ..cluster() },
            Wanted { secret_id: Some("s".into()), kms_key_arn: text(), ..cluster() },
            Wanted { principal_arn: text(), ..cluster() },
            Wanted { principal_arn: Some("777788889999".into()), external_id: text(), ..cluster() },
            workgroup(text().as_deref()),
        ];
        for wanted in tries {
            let Ok(Policies { json, caller_json, trust_json }) = wanted.policies() else { continue };
            let all = [json, caller_json, trust_json].into_iter().flatten().collect::<String>();
            let ours = all.replace("-??????", "").replace("role/*/", "role/").replace("/*\"", "/\"");
            prop_assert!(!ours.contains(['*', '?', '$', '\\']), "{all}");
        }
    }
}
