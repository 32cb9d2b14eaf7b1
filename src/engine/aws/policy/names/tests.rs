//! Names that fit and names that do not.

use proptest::prelude::*;

use super::*;

#[test]
fn each_name_keeps_to_the_limits_of_aws() {
    type Rule = fn(&str) -> Result<(), Error>;
    let role = "arn:aws:iam::123456789012:role/";
    let long = |start: &str, length: usize| format!("{start}{}", "x".repeat(length));
    let cases: [(Rule, &str, Vec<String>, Vec<String>); 9] = [
        (
            super::region,
            "region",
            ["eu-west-1", "us-gov-east-1", "ap-southeast-12"].map(String::from).into(),
            ["", "eu", "eu-1", "eu-west", "eu-west-", "EU-west-1", "eu--1", "eu-west-1 ", "*"].map(String::from).into(),
        ),
        (
            super::account_id,
            "account_id",
            vec!["123456789012".into()],
            ["", "12345678901", "1234567890123", "12345678901x", "*"].map(String::from).into(),
        ),
        (
            super::workgroup_id,
            "workgroup_id",
            ["0123abcd-45ef-6789-abcd-0123456789ef", "*"].map(String::from).into(),
            ["", "analytics", "0123ABCD-45ef-6789-abcd-0123456789ef", "0123abcd-45ef-6789-abcd-0123456789e", "**"]
                .map(String::from)
                .into(),
        ),
        (
            super::username,
            "username",
            vec!["alice".into(), "A_+.@-9".into(), long("a", 63)],
            vec![
                "".into(),
                "9a".into(),
                "a b".into(),
                "a:b".into(),
                "a/b".into(),
                "*".into(),
                "Public".into(),
                "user".into(),
                long("a", 64),
            ],
        ),
        (
            super::role_arn,
            "role_arn",
            vec![
                format!("{role}x"),
                format!("{role}a/b/x"),
                "arn:aws-cn:iam::123456789012:role/x".into(),
                long(role, 64),
            ],
            vec![
                role.into(),
                format!("{role}*"),
                format!("{role}a/?"),
                format!("{role}a//b"),
                format!("{role}/a"),
                format!("{role}a/"),
                long(role, 65),
                "warehouse".into(),
                "arn:aws:iam::123456789012:user/x".into(),
                "arn:aws:iam::12345678901:role/xxx".into(),
                "arn:aws:iam:eu-west-1:123456789012:role/x".into(),
                "arn:aws:sts::123456789012:assumed-role/x/y".into(),
                "arn:other:iam::123456789012:role/x".into(),
                "urn:aws:iam::123456789012:role/x".into(),
            ],
        ),
        (
            super::external_id,
            "external_id",
            vec!["xx".into(), "tool:42/a-b".into(), long("", 1224)],
            vec!["x".into(), "a b".into(), "a*".into(), long("", 1225)],
        ),
        (
            super::secret_id,
            "secret_id",
            vec![
                "a".into(),
                "redshift!main-admin".into(),
                "arn:aws:secretsmanager:eu-west-1:123456789012:secret:a/b".into(),
                long("", 512),
            ],
            vec![
                "".into(),
                "a*".into(),
                "a:b".into(),
                "arn:aws:secretsmanager:eu-west-1:123456789012:secret:".into(),
                "arn:aws:secretsmanager:eu-west-1:123456789012:secret:a*".into(),
                "arn:aws:ssm:eu-west-1:123456789012:parameter/a".into(),
                long("", 513),
            ],
        ),
        (
            super::parameter,
            "password_ssm_parameter",
            vec![
                "a".into(),
                "/a/b".into(),
                "/a/b:3".into(),
                "arn:aws:ssm:eu-west-1:123456789012:parameter/a".into(),
                long("", 1011),
            ],
            vec![
                "".into(),
                "/".into(),
                "/a/".into(),
                "//a".into(),
                "a b".into(),
                "/a/*".into(),
                "a:".into(),
                "a:b:c".into(),
                "arn:aws:ssm:eu-west-1:123456789012:parameter/*".into(),
                "arn:aws:secretsmanager:eu-west-1:123456789012:secret:a".into(),
                long("", 1012),
            ],
        ),
        (
            super::kms_key_arn,
            "kms_key_arn",
            vec!["arn:aws:kms:eu-west-1:123456789012:key/0123abcd-45ef".into()],
            vec![
                "0123abcd-45ef".into(),
                "alias/a".into(),
                "arn:aws:kms:eu-west-1:123456789012:alias/a".into(),
                "arn:aws:kms:eu-west-1:123456789012:key/*".into(),
                "arn:aws:kms:eu-west-1:123456789012:key/".into(),
            ],
        ),
    ];
    for (rule, setting, good, bad) in cases {
        for text in good {
            assert_eq!(rule(&text), Ok(()), "{setting}: {text}");
        }
        for text in bad {
            assert_eq!(rule(&text).err().and_then(|error| error.setting_name()), Some(setting), "{setting}: {text}");
        }
    }
}

#[test]
fn principals_read() {
    let account = || "123456789012".to_owned();
    let role = |name: &str| Principal::Role { account: account(), name: name.into() };
    for (text, expected) in [
        ("123456789012", Principal::Account(account())),
        ("arn:aws:iam::123456789012:root", Principal::Account(account())),
        ("arn:aws:iam::123456789012:user/a/b", Principal::User { account: account(), path_and_name: "a/b".into() }),
        ("arn:aws:iam::123456789012:role/b", role("b")),
        ("arn:aws:iam::123456789012:role/a/b", role("b")),
        ("arn:aws:sts::123456789012:assumed-role/b/s", role("b")),
    ] {
        assert_eq!(principal(text), Ok(expected), "{text}");
    }
    for text in [
        "",
        "*",
        "ci",
        "12345678901",
        "arn:aws:iam::123456789012:user/",
        "arn:aws:iam::123456789012:user/*",
        "arn:aws:iam::123456789012:group/a",
        "arn:aws:iam::123456789012:role/*",
        "arn:aws:iam::123456789012:rooter",
        "arn:aws:sts::123456789012:root",
        "arn:aws:sts::123456789012:assumed-role/b",
        "arn:aws:sts::123456789012:assumed-role/b/",
        "arn:aws:sts::123456789012:assumed-role/b/c/d",
        "arn:aws:sts::123456789012:federated-user/a",
        "arn:aws:sts:eu-west-1:123456789012:assumed-role/b/s",
        "redshift.amazonaws.com",
    ] {
        let refused = principal(text).expect_err(text);
        assert_eq!(refused.setting_name(), Some("principal_arn"));
        assert!(refused.detail().contains("assumed-role"), "{refused}");
    }
}

proptest! {
    #[test]
    fn a_name_for_credentials_needs_no_escaping(name in "\\PC{0,70}") {
        if is_db_name(&name) {
            prop_assert!(name.len() <= 64 && !name.contains([':', '/', '*', '?', '$', ' ']));
        }
    }

    #[test]
    fn an_arn_has_an_account(text in "arn:aws:[a-z]{0,3}:[a-z-]{0,3}:[0-9]{11,13}:[a-z/]{0,4}") {
        if let Some(arn) = Arn::read(&text) {
            prop_assert_eq!(arn.account.len(), 12);
            let whole = format!("arn:{}:{}:{}:{}:{}", arn.partition, arn.service, arn.region, arn.account, arn.resource);
            prop_assert_eq!(whole, text);
        }
    }
}
