use proptest::prelude::*;

use super::*;
use crate::engine::datastore::grantee::GranteeKind;

fn connection(text: &str) -> ConnectionId {
    text.parse().unwrap_or_else(|error| panic!("{text}: {error}"))
}

#[test]
fn ids_say_what_is_written_and_nothing_else() {
    let settings = Settings {
        host: Some("H.example.com".into()),
        port: Some(5439),
        database: Some("dev".into()),
        authentication_type: Some("BASIC".into()),
        username: Some("a@b".into()),
        sslmode: Some("verify-full".into()),
        sslrootcert: Some("/etc/ca bundle.pem".into()),
        connect_timeout: Some("30s".into()),
        preserve_case: Some(false),
        cluster_identifier: Some("Main".into()),
        ..Settings::default()
    };
    let id = ConnectionId::new(&settings, false).expect("an id");
    assert_eq!(
        id.to_string(),
        "redshift://a%40b@h.example.com:5439/dev?auth=BASIC&cluster_identifier=main&connect_timeout=30s&enabled=false&preserve_case=false&sslmode=verify-full&sslrootcert=%2Fetc%2Fca%20bundle.pem"
    );
    let string =
        Settings { connection_string: Some("postgresql://u:CANARY@h/d?sslmode=require".into()), ..Settings::default() };
    assert_eq!(ConnectionId::new(&string, true).expect("an id").to_string(), "redshift://u@h/d?sslmode=require");
    assert_eq!(ConnectionId::new(&Settings::default(), true).expect("an id").to_string(), "redshift://");
    assert_eq!(ConnectionId::at(&Endpoint { host: "::1".into(), port: 1 }).to_string(), "redshift://[::1]:1");
}

#[test]
fn ids_read_back() {
    for text in [
        "redshift://",
        "redshift://h",
        "redshift://u@",
        "redshift:///db",
        "redshift://u@/db",
        "redshift://[2001:db8::1]:5440/db",
        "redshift://cluster:main/db",
        "redshift://workgroup:123",
        "redshift://cluster?port=5440",
        "redshift://cluster:main?port=5440",
        "redshift://?port=5440",
        "redshift://h?enabled=false",
        "redshift://IAM%3Aalice@h:5439",
        "redshift://cluster:main/db?region=eu-west-1&role_arn=arn%3Aaws%3Aiam%3A%3A123456789012%3Arole%2Fx",
        "redshift://?password_duration=1h&password_ssm_parameter=%2Fa%2Fb",
        "redshift://?secret_id=s",
        "redshift://h?external_id=a%2Fb&role_arn=arn%3Aaws%3Aiam%3A%3A123456789012%3Arole%2Fx&role_session_name=tf",
    ] {
        assert_eq!(connection(text).to_string(), text);
    }
    assert_eq!(
        connection("redshift://H?sslmode=require&auth=BASIC&enabled=true").to_string(),
        "redshift://h?auth=BASIC&sslmode=require"
    );
    assert!(!connection("redshift://h?enabled=false").enabled());
    assert_eq!(connection("redshift://a%20b@h").settings().username.as_deref(), Some("a b"));
}

#[test]
fn what_is_no_id_is_refused_with_the_reason() {
    for (text, words) in [
        ("", "does not begin"),
        ("h:5439", "does not begin"),
        ("redshift://u:CANARY@h", "never holds a password"),
        ("redshift://h?password=CANARY", "never holds a password"),
        ("redshift://h?auth=iam", "authentication_type must be BASIC"),
        ("redshift://h?role_arn=a", "role_arn must be the ARN of a role"),
        ("redshift://h?external_id=ab", "which is not written beside it"),
        ("redshift://h?colour=red", "unknown parameter, \"colour\""),
        ("redshift://h?sslmode=require&sslmode=require", "sslmode twice"),
        ("redshift://h:1?port=2", "port twice"),
        ("redshift://h?sslmode", "no value"),
        ("redshift://h?=x", "no proper name"),
        ("redshift://h?sslmode=prefer", "sslmode must be"),
        ("redshift://h:0", "1 to 65535"),
        ("redshift://h/", "database is empty"),
        ("redshift://h/a%zz", "database is empty or not percent-encoded"),
        ("redshift://h/a%0ab", "control"),
        ("redshift://a b", "host"),
        ("redshift://cluster:-x", "cluster identifier"),
        ("redshift://@h", "user is empty"),
        ("redshift://h#user/x", "what stands before the #"),
        ("redshift://h?enabled=no", "neither true nor false"),
        ("redshift://cluster:a?workgroup_name=wg1", "not both"),
    ] {
        let error = text.parse::<ConnectionId>().expect_err(text).to_string();
        assert!(error.contains(words), "{text}: {error}");
        assert!(!error.contains("CANARY"), "{error}");
    }
}

#[test]
fn the_same_place_is_told_by_its_parts() {
    for (a, b, same) in [
        ("redshift://", "redshift://u@/db?sslmode=require", true),
        ("redshift://", "redshift://h", false),
        ("redshift://u@h/a", "redshift://v@H:5439/b?enabled=false", true),
        ("redshift://h:5439", "redshift://h:5440", false),
        ("redshift://cluster:main", "redshift://main.x.eu-west-1.redshift.amazonaws.com", true),
        ("redshift://workgroup:wg1", "redshift://cluster:wg1", false),
    ] {
        assert_eq!(connection(a).same_place(&connection(b)), same, "{a} {b}");
    }
}

#[test]
fn ids_are_the_same_that_write_the_same() {
    let id = connection("redshift://u@h:5439/db?enabled=false&sslmode=require");
    assert_eq!(id, connection("redshift://u@H:5439/db?sslmode=require&enabled=false"));
    for other in [
        "redshift://",
        "redshift://v@h:5439/db?enabled=false&sslmode=require",
        "redshift://u@h:5440/db?enabled=false&sslmode=require",
        "redshift://u@h:5439/d?enabled=false&sslmode=require",
        "redshift://u@h:5439/db?sslmode=require",
        "redshift://u@h:5439/db?enabled=false&sslmode=verify-ca",
    ] {
        assert_ne!(id, connection(other));
    }
}

#[test]
fn datastores_and_users() {
    for text in [
        "redshift://h:5439#sales/public?mode=source",
        "redshift://u@h/d?sslmode=require#sales/pub%2Flic?mode=enrichment&user=svc%20user",
        "redshift://h#d/s?mode=source&type=group&user=g",
        "redshift://h#d/s?grant_role=tfds_0123456789&mode=source&user=svc",
        "redshift://h#user/x?mode=source",
    ] {
        assert_eq!(text.parse::<DatastoreId>().unwrap_or_else(|error| panic!("{text}: {error}")).to_string(), text);
    }
    let read: DatastoreId = "redshift://h#d/s?user=u&mode=source&type=user".parse().expect("an id");
    assert_eq!(read.principal, Some((GranteeKind::User, "u".into())));
    assert_eq!(read.to_string(), "redshift://h#d/s?mode=source&user=u");
    let user: UserId = "redshift://h#user/a%2Fb%23c".parse().expect("an id");
    assert_eq!(user.name, "a/b#c");
    assert_eq!(user.to_string(), "redshift://h#user/a%2Fb%23c");
}

#[test]
fn what_is_no_id_of_a_datastore_or_user_is_refused() {
    for (text, words) in [
        ("redshift://h", "has no #"),
        ("redshift://h#d", "database/schema"),
        ("redshift://h#d/s/t?mode=source", "database/schema"),
        ("redshift://h#d/s", "mode=source or mode=enrichment"),
        ("redshift://h#d/s?mode=both", "neither source nor enrichment"),
        ("redshift://h#d/s?mode=source&type=tribe&user=x", "none of user, group, role"),
        ("redshift://h#d/s?mode=source&type=role", "no user"),
        ("redshift://h#d/s?mode=source&grant_role=r", "no user"),
        ("redshift://h#/s?mode=source", "database is empty"),
        ("redshift://h#d/s?mode=source&name=x", "unknown parameter after the #"),
        ("redshift://h#d/%00?mode=source", "control"),
        ("nonsense#d/s?mode=source", "does not begin"),
    ] {
        let error = text.parse::<DatastoreId>().expect_err(text).to_string();
        assert!(error.contains(words), "{text}: {error}");
    }
    for (text, words) in [
        ("redshift://h", "has no #"),
        ("redshift://h#d/s?mode=source", "user/ and the name"),
        ("redshift://h#user/", "empty"),
        ("redshift://h#user/a/b", "user/ and the name"),
    ] {
        let error = text.parse::<UserId>().expect_err(text).to_string();
        assert!(error.contains(words), "{text}: {error}");
    }
}

fn name() -> impl Strategy<Value = String> {
    "\\PC{1,30}".prop_filter("a name", |name| check_name(name).is_ok())
}

prop_compose! {
    fn settings()(
        host in prop::option::of(prop::sample::select(vec!["h", "Host.example.com", "::1", "10.0.0.1", "cluster", "workgroup"])),
        port in prop::option::of(1u16..),
        database in prop::option::of(name()),
        username in prop::option::of(name()),
        cluster in prop::option::of("[a-zA-Z][a-z0-9]{0,8}"),
        workgroup in prop::option::of("[a-z0-9-]{3,9}"),
        sslmode in prop::option::of(prop::sample::select(vec!["disable", "require", "verify-ca", "verify-full"])),
        sslrootcert in prop::option::of("[ -~]{0,9}x"),
        connect_timeout in prop::option::of(prop::sample::select(vec!["30s", "1m 30s", "5"])),
        preserve_case in prop::option::of(any::<bool>()),
        basic in any::<bool>(),
    ) -> Settings {
        Settings {
            host: host.map(Into::into), port, database, username,
            workgroup_name: workgroup.filter(|_| cluster.is_none()),
            cluster_identifier: cluster,
            sslmode: sslmode.map(Into::into), sslrootcert, connect_timeout: connect_timeout.map(Into::into), preserve_case,
            authentication_type: basic.then(|| "BASIC".into()),
            ..Settings::default()
        }
    }
}

/// What can be compared of settings.
fn fields(settings: &Settings) -> String {
    format!("{settings:?}").to_ascii_lowercase()
}

proptest! {
    #[test]
    fn every_connection_reads_back(settings in settings(), enabled in any::<bool>()) {
        let id = ConnectionId::new(&settings, enabled).expect("an id");
        let text = id.to_string();
        let read = text.parse::<ConnectionId>();
        prop_assert!(read.is_ok(), "{text}: {read:?}");
        let read = read.expect("an id");
        prop_assert_eq!(read.to_string(), text);
        prop_assert_eq!(fields(read.settings()), fields(&settings));
        prop_assert_eq!(read.enabled(), enabled);
        prop_assert!(read.same_place(&id));
    }

    #[test]
    fn every_datastore_and_user_reads_back(
        settings in settings(), database in name(), schema in name(), enrichment in any::<bool>(),
        principal in prop::option::of((prop::sample::select(vec![GranteeKind::User, GranteeKind::Group, GranteeKind::Role]), name())),
        role in prop::option::of(name()),
    ) {
        let connection = ConnectionId::new(&settings, true).expect("an id");
        let user = UserId { connection: connection.clone(), name: schema.clone() };
        prop_assert_eq!(user.to_string().parse::<UserId>(), Ok(user));
        let mode = if enrichment { Mode::Enrichment } else { Mode::Source };
        let grant_role = role.filter(|_| principal.is_some());
        let id = DatastoreId { connection, database, schema, mode, principal, grant_role };
        prop_assert_eq!(id.to_string().parse::<DatastoreId>(), Ok(id));
    }

    #[test]
    fn nothing_makes_it_panic(text in ".*") {
        let _ = text.parse::<ConnectionId>();
        let _ = format!("redshift://{text}").parse::<DatastoreId>();
        let _ = format!("redshift://h#user/{text}").parse::<UserId>();
    }
}
