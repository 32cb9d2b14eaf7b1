//! A user's life, and the catalogue, on a stand-in.

use redshift_standin::{Action, Fault};
use secrecy::SecretString;

use crate::engine::catalog::schemas::{Names, schemas};
use crate::engine::catalog::sync::{Summary, sync};
use crate::engine::error::{Error, Hints};
use crate::engine::session::validation::{Status, validate};
use crate::engine::trial::{PASSWORD, Trial};
use crate::engine::user::*;

fn wanted(name: &str) -> UserWanted {
    UserWanted {
        name: name.into(),
        password: Password::Set(SecretString::from(PASSWORD), PasswordHash::Md5),
        connection_limit: Some(ConnectionLimit::AtMost(5)),
        valid_until: ValidUntil::parse("2037-01-31T12:00:00Z").ok(),
    }
}

/// Proves: F5
#[tokio::test(flavor = "multi_thread")]
async fn a_user_is_made_altered_renamed_and_dropped() {
    let trial = Trial::start();
    let before = trial.dump("dev").await;
    // What the login has set for itself does not decide how times are read.
    trial.admin("dev", "ALTER USER awsuser SET datestyle TO 'SQL, DMY'").await;
    let warehouse = trial.warehouse();
    let made = create(&warehouse, &wanted("svc"), &trial.never).await.expect("is made");
    assert_eq!((made.name.as_str(), made.superuser), ("svc", false));
    assert!(trial.can("svc", "dev", "SELECT 1").await);
    assert!(trial.standin.log().iter().all(|logged| !logged.sql.contains(PASSWORD)), "only the hash was sent");
    let warehouse = trial.warehouse();
    let found = find(&warehouse, "svc", true, &trial.never).await.expect("asks").expect("is there");
    assert_eq!(found.connection_limit, Some(ConnectionLimit::AtMost(5)));
    assert_eq!(found.valid_until, wanted("svc").valid_until);
    assert_eq!(find(&warehouse, "SVC", true, &trial.never).await, Ok(None));

    let again = create(&trial.warehouse(), &wanted("svc"), &trial.never).await.expect_err("exists");
    assert_eq!((again.error.summary(), again.made), ("User \"svc\" exists already".into(), false));

    // Nothing differs, nothing is sent.
    trial.standin.reset_counters();
    let kept = UserWanted { password: Password::Keep, ..wanted("svc") };
    alter(&warehouse, &found, &kept, &trial.never).await.expect("is altered");
    assert_eq!(trial.changes(), [] as [&str; 0]);
    let other = UserWanted {
        connection_limit: Some(ConnectionLimit::Unlimited),
        valid_until: Some(ValidUntil::Infinity),
        ..kept.clone()
    };
    alter(&warehouse, &found, &other, &trial.never).await.expect("is altered");
    let found = find(&warehouse, "svc", true, &trial.never).await.expect("asks").expect("is there");
    assert_eq!((found.connection_limit, found.valid_until), (other.connection_limit, other.valid_until));

    let renamed = UserWanted { valid_until: None, ..wanted("Svc 2") };
    let warnings = alter(&warehouse, &found, &renamed, &trial.never).await.expect("is renamed");
    assert!(warnings.is_empty() && trial.can("Svc 2", "dev", "SELECT 1").await);
    assert_eq!(find(&warehouse, "svc", false, &trial.never).await, Ok(None));
    let found = find(&warehouse, "Svc 2", true, &trial.never).await.expect("asks").expect("is there");
    let clash = UserWanted { name: "etl".into(), ..renamed.clone() };
    let error = alter(&warehouse, &found, &clash, &trial.never).await.expect_err("is taken");
    assert_eq!(error.summary(), "User \"etl\" exists already");
    let disabled = UserWanted { password: Password::Disable, ..renamed };
    alter(&warehouse, &found, &disabled, &trial.never).await.expect("is altered");
    assert!(!trial.can("Svc 2", "dev", "SELECT 1").await);

    // Memberships do not block.
    trial.admin("dev", "CREATE ROLE r").await;
    trial.admin("dev", "GRANT ROLE r TO \"Svc 2\"").await;
    trial.admin("dev", "ALTER GROUP analysts ADD USER \"Svc 2\"").await;
    drop_user(&trial.warehouse(), "Svc 2", false, &[], &trial.never).await.expect("is dropped");
    trial.admin("dev", "DROP ROLE r").await;
    assert_eq!(trial.dump("dev").await, before);
    drop_user(&trial.warehouse(), "Svc 2", false, &[], &trial.never).await.expect("is gone already");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lost_answer_makes_one_user() {
    let trial = Trial::start();
    trial.standin.fault(Fault::statement("COMMIT", Action::CutAfter));
    create(&trial.warehouse(), &wanted("svc"), &trial.never).await.expect("is made");
    assert!(trial.can("svc", "dev", "SELECT 1").await);
    trial.standin.fault(Fault::statement("CREATE USER", Action::CutBefore));
    create(&trial.warehouse(), &wanted("other"), &trial.never).await.expect("is made by the second attempt");
    trial.standin.fault(Fault::error("CREATE USER", "40001", "conflict"));
    create(&trial.warehouse(), &wanted("third"), &trial.never).await.expect("is made by the second attempt");
    let found = find(&trial.warehouse(), "svc", false, &trial.never).await.expect("asks").expect("is there");
    trial.standin.fault(Fault::statement("COMMIT", Action::CutAfter));
    alter(&trial.warehouse(), &found, &wanted("renamed"), &trial.never).await.expect("is renamed");
    assert!(trial.can("renamed", "dev", "SELECT 1").await);
    trial.standin.fault(Fault::statement("COMMIT", Action::CutAfter));
    drop_user(&trial.warehouse(), "renamed", false, &[], &trial.never).await.expect("is dropped");
    assert_eq!(find(&trial.warehouse(), "renamed", false, &trial.never).await, Ok(None));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_user_who_was_made_is_ours_though_the_look_at_him_failed() {
    let trial = Trial::start();
    let look = |action| Fault::statement("valuntil FROM pg_user", action).skip(1);
    // The look after CREATE USER fails once: the next attempt finds him.
    trial.standin.fault(look(Action::CutBefore));
    let made = create(&trial.warehouse(), &wanted("one"), &trial.never).await.expect("is made");
    assert_eq!(made.name, "one");
    trial.standin.clear_faults();
    // The answer to COMMIT is lost, and the look too.
    trial.standin.fault(Fault::statement("COMMIT", Action::CutAfter));
    trial.standin.fault(look(Action::CutBefore));
    create(&trial.warehouse(), &wanted("two"), &trial.never).await.expect("is made");
    trial.standin.clear_faults();
    // It fails for good.
    trial
        .standin
        .fault(look(Action::Error { sqlstate: "XX000".into(), message: "no looking".into(), detail: None }).times(9));
    let failed = create(&trial.warehouse(), &wanted("three"), &trial.never).await.expect_err("is not read back");
    assert!(failed.made, "{failed:?}");
    let text = Error::from(failed).to_string();
    assert!(text.contains("User \"three\" was made, but not read back") && text.contains("no looking"), "{text}");
    trial.standin.clear_faults();
    for name in ["one", "two", "three"] {
        assert!(trial.can(name, "dev", "SELECT 1").await, "{name}");
    }
    // Nothing took effect.
    trial.standin.fault(Fault::error("CREATE USER", "XX000", "no"));
    let failed = create(&trial.warehouse(), &wanted("four"), &trial.never).await.expect_err("is refused");
    assert!(!failed.made && failed.error.sqlstate() == Some("XX000"), "{failed:?}");
    // The answer is lost, he is not there, and then it is refused.
    trial.standin.fault(Fault::statement("COMMIT", Action::CutBefore));
    trial.standin.fault(Fault::error("CREATE USER", "XX000", "no").skip(1));
    let failed = create(&trial.warehouse(), &wanted("four"), &trial.never).await.expect_err("is refused");
    assert!(!failed.made && failed.error.sqlstate() == Some("XX000"), "{failed:?}");
    let failed = create(&trial.warehouse(), &wanted("\n"), &trial.never).await.expect_err("no name");
    assert!(!failed.made);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_stood_alone_is_taken_back_step_by_step() {
    use crate::engine::run::run;
    use crate::engine::step::Step;
    let trial = Trial::start();
    trial.make_user("svc").await;
    let before = trial.dump("dev").await;
    let alone = |schema: &str| Step {
        alone: true,
        undo: Some(sql!("REVOKE USAGE ON SCHEMA {} FROM svc", ident(schema))),
        ..Step::new("dev", sql!("GRANT USAGE ON SCHEMA {} TO svc", ident(schema)), "")
    };
    trial.standin.fault(Fault::error("GRANT USAGE ON SCHEMA \"quality\"", "XX000", "no"));
    let steps = [alone("finance"), alone("quality")];
    let stopped = run(&trial.warehouse(), "dev", &steps, &trial.never).await.expect_err("fails");
    assert!(stopped.nothing_done && stopped.error.sqlstate() == Some("XX000"), "{stopped:?}");
    assert_eq!(trial.dump("dev").await, before);
    run(&trial.warehouse(), "dev", &steps, &trial.never).await.expect("runs");
    assert_ne!(trial.dump("dev").await, before);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_schema_that_was_made_since_the_catalogue_was_read_is_found() {
    let trial = Trial::start();
    let warehouse = trial.warehouse();
    sync(&warehouse, "dev", "finance", &[], &trial.never).await.expect("syncs");
    trial.admin("dev", "CREATE USER late_owner PASSWORD DISABLE").await;
    trial.admin("dev", "CREATE SCHEMA late AUTHORIZATION late_owner").await;
    trial.admin("dev", "CREATE TABLE late.t (a integer)").await;
    trial.admin("dev", "ALTER TABLE late.t OWNER TO late_owner").await;
    let tables = sync(&warehouse, "dev", "late", &[], &trial.never).await.expect("syncs");
    assert_eq!((tables.len(), tables[0].owner.as_str(), tables[0].columns.len()), (1, "late_owner", 1));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_user_who_has_things_anywhere_is_not_dropped_but_by_force() {
    let trial = Trial::start();
    trial.make_user("svc").await;
    trial.make_user("friend").await;
    for (database, sql) in [
        ("sample", "CREATE SCHEMA his AUTHORIZATION svc"),
        ("sample", "GRANT SELECT ON tickit.sales TO svc WITH GRANT OPTION"),
        ("sample", "GRANT ALL ON tickit.venues TO svc WITH GRANT OPTION"),
        ("sample", "GRANT USAGE ON SCHEMA tickit TO svc"),
        ("sample", "GRANT SELECT FOR TABLES IN SCHEMA tickit DATABASE sample TO svc"),
        ("sample", "GRANT SELECT (name) ON tickit.people TO svc"),
        ("dev", "GRANT CREATE ON DATABASE dev TO svc"),
        ("dev", "GRANT CREATE, USAGE ON SCHEMA quality TO svc"),
        ("dev", "ALTER DEFAULT PRIVILEGES FOR USER etl IN SCHEMA finance GRANT SELECT ON TABLES TO svc"),
        ("dev", "ALTER DEFAULT PRIVILEGES FOR USER svc IN SCHEMA quality GRANT SELECT ON TABLES TO friend"),
        ("dev", "ALTER DEFAULT PRIVILEGES FOR USER svc GRANT SELECT ON TABLES TO GROUP analysts"),
    ] {
        trial.admin(database, sql).await;
    }
    let mut his = trial.standin.session("svc", None, "sample").await.expect("opens");
    for sql in [
        "CREATE TABLE his.t (a integer)",
        "CREATE VIEW his.v AS SELECT a FROM his.t",
        "GRANT SELECT ON tickit.sales TO friend",
        "GRANT ALL ON tickit.venues TO friend",
        "CREATE FUNCTION his.f(integer) RETURNS integer IMMUTABLE AS $$ SELECT 1 $$ LANGUAGE sql",
        "CREATE PROCEDURE his.p(integer) AS $$ BEGIN END; $$ LANGUAGE plpgsql",
    ] {
        his.query(sql).await.unwrap_or_else(|error| panic!("{sql}: {error}"));
    }
    drop(his);
    let before = (trial.dump("dev").await, trial.dump("sample").await);
    trial.standin.reset_counters();
    let error = drop_user(&trial.warehouse(), "svc", false, &[], &trial.never).await.expect_err("blocked");
    let text = error.to_string();
    for line in [
        "database \"dev\": holds CREATE on database \"dev\"",
        "database \"dev\": holds USAGE, CREATE on schema \"quality\"",
        "database \"dev\": has set default privileges on tables in schema \"quality\" for user friend",
        "database \"dev\": has set default privileges on tables for group analysts",
        "database \"dev\": is given SELECT by default on tables in schema \"finance\" of etl",
        "database \"sample\": owns schema \"his\"",
        "database \"sample\": owns table \"his\".\"t\"",
        "database \"sample\": owns view \"his\".\"v\"",
        "database \"sample\": owns function his.f(integer) in schema \"his\"",
        "database \"sample\": owns procedure his.p(integer) in schema \"his\"",
        "database \"sample\": holds SELECT on table \"tickit\".\"sales\" (granted by awsuser)",
        "database \"sample\": has granted SELECT on table \"tickit\".\"sales\" to user friend",
        "database \"sample\": has granted SELECT, INSERT, UPDATE, DELETE, TRUNCATE, REFERENCES, ",
        "database \"sample\": holds SELECT on column name of \"tickit\".\"people\"",
        "database \"sample\": holds SELECT for tables in schema \"tickit\"",
        "force_destroy",
    ] {
        assert!(text.contains(line), "{line} is not in:\n{text}");
    }
    assert_eq!(trial.changes(), [] as [&str; 0]);
    assert_eq!((trial.dump("dev").await, trial.dump("sample").await), before);

    // A view goes on with its owner's rights, so it is handed to nobody.
    let error = drop_user(&trial.warehouse(), "svc", true, &[], &trial.never).await.expect_err("owns a view");
    assert!(
        error.detail().starts_with("- database \"sample\": owns view \"his\".\"v\"\nNothing was changed."),
        "{error}"
    );
    assert_eq!(trial.changes(), [] as [&str; 0]);
    trial.admin("sample", "DROP VIEW his.v").await;
    drop_user(&trial.warehouse(), "svc", true, &[], &trial.never).await.expect("is dropped");
    assert_eq!(find(&trial.warehouse(), "svc", false, &trial.never).await, Ok(None));
    for database in ["dev", "sample"] {
        let left = trial.dump(database).await;
        assert!(!left.contains("svc"), "{left}");
    }
    assert!(trial.dump("sample").await.contains("schema his owner=awsuser"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_warehouse_without_libraries_is_none_that_cannot_be_looked_into() {
    let trial = Trial::start();
    trial.make_user("svc").await;
    trial.admin("dev", "GRANT USAGE ON SCHEMA quality TO svc").await;
    trial.standin.fault(Fault::error("pg_library", "42P01", "relation \"pg_library\" does not exist").times(99));
    drop_user(&trial.warehouse(), "svc", true, &[], &trial.never).await.expect("is dropped");
}

#[tokio::test(flavor = "multi_thread")]
async fn rights_on_external_schemas_are_revoked_outside_of_transactions() {
    let trial = Trial::start();
    trial.make_user("hr").await;
    trial.make_user("friend").await;
    for sql in [
        "CREATE EXTERNAL SCHEMA lake FROM DATA CATALOG DATABASE 'lake' IAM_ROLE 'arn:aws:iam::1:role/x'",
        "GRANT USAGE ON SCHEMA lake TO hr WITH GRANT OPTION",
    ] {
        trial.admin("dev", sql).await;
    }
    let before = trial.dump("dev").await;
    trial.make_user("plain").await;
    trial.make_user("svc").await;
    for sql in [
        "GRANT USAGE ON SCHEMA lake TO plain",
        "GRANT USAGE ON SCHEMA lake TO svc WITH GRANT OPTION",
        "GRANT USAGE ON SCHEMA quality TO svc",
    ] {
        trial.admin("dev", sql).await;
    }
    for (grantor, to) in [("hr", "svc"), ("svc", "friend")] {
        let mut session = trial.standin.session(grantor, None, "dev").await.expect("opens");
        session.query(&format!("GRANT USAGE ON SCHEMA lake TO {to}")).await.expect("grants");
    }
    let error = drop_user(&trial.warehouse(), "svc", false, &[], &trial.never).await.expect_err("blocked").to_string();
    for grantor in ["awsuser", "hr"] {
        let line = format!("database \"dev\": holds USAGE on schema \"lake\" (granted by {grantor})");
        assert!(error.contains(&line), "{line} is not in:\n{error}");
    }
    drop_user(&trial.warehouse(), "plain", true, &[], &trial.never).await.expect("what the login gave is revoked");
    drop_user(&trial.warehouse(), "svc", true, &[], &trial.never).await.expect("what others gave is revoked");
    assert_eq!(trial.dump("dev").await, before);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_that_cannot_be_entered_stops_the_drop_unless_it_is_skipped() {
    let trial = Trial::start();
    trial.make_user("svc").await;
    let refused = Action::Error { sqlstate: "42501".into(), message: "permission denied".into(), detail: None };
    trial.standin.fault(Fault::statement("svv_column_privileges", refused).skip(1));
    let error = drop_user(&trial.warehouse(), "svc", false, &[], &trial.never).await;
    match error {
        Err(Error::Refused { summary, detail, .. }) => {
            assert_eq!(summary, "Cannot look into database \"sample\"");
            assert!(detail.contains("skip_databases"), "{detail}");
        }
        other => panic!("{other:?}"),
    }
    trial.standin.clear_faults();
    let skip = ["sample".to_owned()];
    let dropped = drop_user(&trial.warehouse(), "svc", false, &skip, &trial.never).await.expect("is dropped");
    assert!(dropped.warnings[0].summary.contains("sample"), "{dropped:?}");
    let error = drop_user(&trial.warehouse(), redshift_standin::SUPERUSER, true, &[], &trial.never).await;
    assert!(error.expect_err("himself").summary().contains("is the login itself"));
}

/// A database that goes away while it is looked at is gone, and a session that is ended is opened anew.
#[tokio::test(flavor = "multi_thread")]
async fn a_database_that_is_dropped_meanwhile_is_no_obstacle() {
    let trial = Trial::start();
    trial.admin("dev", "CREATE DATABASE gone").await;
    trial.make_user("svc").await;
    let warehouse = trial.warehouse();
    // In dev first, then in this one.
    trial.standin.fault(Fault::statement("svv_column_privileges", Action::Stall).skip(1));
    let dropping = tokio::spawn({
        let warehouse = warehouse.clone();
        async move { drop_user(&warehouse, "svc", false, &[], &tokio_util::sync::CancellationToken::new()).await }
    });
    let standin = &trial.standin;
    assert!(tokio::task::block_in_place(|| standin.wait_for_stalled(1, std::time::Duration::from_secs(60))));
    for row in trial.admin("dev", "SELECT process FROM stv_sessions WHERE db_name = 'gone'").await {
        trial.admin("dev", &format!("SELECT pg_terminate_backend({})", row[0].clone().unwrap_or_default())).await;
    }
    trial.admin("dev", "DROP DATABASE gone").await;
    standin.release();
    let dropped = dropping.await.expect("ends").expect("is dropped");
    assert_eq!(dropped.warnings, []);

    for (sqlstate, times) in [("57P01", 1), ("08006", 2), ("3D000", 3)] {
        trial.make_user("svc").await;
        let ended = Action::Error { sqlstate: sqlstate.into(), message: "it is being dropped".into(), detail: None };
        trial.standin.fault(Fault::statement("FROM pg_library", ended).times(times));
        drop_user(&trial.warehouse(), "svc", false, &[], &trial.never).await.expect(sqlstate);
    }
    trial.make_user("svc").await;
    trial.standin.fault(Fault::statement("FROM pg_library", Action::CutBefore).times(4));
    drop_user(&trial.warehouse(), "svc", false, &[], &trial.never).await.expect("lines are lost");

    // Not for ever.
    trial.make_user("svc").await;
    let ended = Action::Error { sqlstate: "3D000".into(), message: "for good".into(), detail: None };
    trial.standin.fault(Fault::statement("FROM pg_library", ended).times(99));
    let error = drop_user(&trial.warehouse(), "svc", false, &[], &trial.never).await.expect_err("is listed");
    assert_eq!(error.summary(), "Cannot look into database \"dev\"");
    assert!(error.detail().contains("skip_databases"), "{error}");
}

/// In whatever words the warehouse says it.
#[tokio::test(flavor = "multi_thread")]
async fn the_loser_of_a_race_reads_that_the_user_exists() {
    let trial = Trial::start();
    trial.make_user("other").await;
    let other = find(&trial.warehouse(), "other", false, &trial.never).await.expect("asks").expect("is there");
    let index = "duplicate key value violates unique constraint \"pg_authid_rolname_index\"";
    for (sqlstate, message) in [
        (None, ""),
        (Some("42710"), "user \"svc\" already exists"),
        (Some("23505"), index),
        (Some("XX000"), "tuple concurrently updated"),
        (Some("XX000"), "relation 1260 is busy"),
    ] {
        for rename in [false, true] {
            let (standin, warehouse, known) = (&trial.standin, trial.warehouse(), other.clone());
            // Between the look for the name and the statement that wants it, somebody else takes it.
            standin.fault(Fault::statement("BEGIN", Action::Stall));
            if let Some(sqlstate) = sqlstate {
                standin.fault(Fault::error(if rename { "RENAME" } else { "CREATE USER" }, sqlstate, message));
            }
            let late = tokio::spawn(async move {
                let never = tokio_util::sync::CancellationToken::new();
                match rename {
                    false => create(&warehouse, &wanted("svc"), &never).await.err().map(|failed| failed.error),
                    true => alter(&warehouse, &known, &wanted("svc"), &never).await.err(),
                }
            });
            assert!(tokio::task::block_in_place(|| standin.wait_for_stalled(1, std::time::Duration::from_secs(60))));
            trial.admin("dev", "CREATE USER svc PASSWORD 'By-hand-1'").await;
            standin.release();
            let error = late.await.expect("ends").expect("somebody was first");
            assert!(is_taken(&error), "{sqlstate:?} {rename}: {error}");
            assert!(!trial.can("svc", "dev", "SELECT 1").await, "the other's password stays");
            trial.admin("dev", "DROP USER svc").await;
            standin.clear_faults();
        }
    }
    // Nobody shows who has the name.
    trial.standin.fault(Fault::error("CREATE USER", "23505", index).times(9));
    let failed = create(&trial.warehouse(), &wanted("svc"), &trial.never).await.expect_err("is taken");
    assert!(!failed.made && is_taken(&failed.error), "{failed:?}");
    trial.standin.clear_faults();
    trial.standin.fault(Fault::error("CREATE USER", "42710", "role \"svc\" already exists"));
    let failed = create(&trial.warehouse(), &wanted("svc"), &trial.never).await.expect_err("a role has it");
    assert_eq!(failed.error.sqlstate(), Some("42710"), "{failed:?}");
    // A name that another took over after the answer to a rename was lost is not ours.
    trial.admin("dev", "CREATE USER svc PASSWORD 'By-hand-1'").await;
    trial.admin("dev", "DROP USER other").await;
    let error = alter(&trial.warehouse(), &other, &wanted("svc"), &trial.never).await.expect_err("is another's");
    assert!(is_taken(&error) && !trial.can("svc", "dev", "SELECT 1").await, "{error}");
}

/// Proves: F12
#[tokio::test(flavor = "multi_thread")]
async fn the_catalogue_shows_tables_with_their_columns() {
    let trial = Trial::start();
    let warehouse = trial.warehouse();
    let finance = sync(&warehouse, "dev", "FINANCE", &[], &trial.never).await.expect("syncs");
    let names: Vec<(&str, &str)> = finance.iter().map(|table| (table.name.as_str(), table.kind)).collect();
    assert_eq!(names, [("accounts", "table"), ("invoices", "table"), ("open_invoices", "view"), ("payments", "table")]);
    assert_eq!(finance[3].owner, "etl");
    let columns: Vec<(&str, &str, bool)> = finance[0]
        .columns
        .iter()
        .map(|column| (column.name.as_str(), column.data_type.as_str(), column.nullable))
        .collect();
    assert_eq!(
        columns,
        [
            ("account_id", "integer", false),
            ("owner", "character varying(100)", true),
            ("opened", "date", true),
            ("balance", "numeric(12,2)", true),
        ]
    );
    // Late-binding views have columns, backing tables do not show.
    let quality = sync(&warehouse, "dev", "quality", &[], &trial.never).await.expect("syncs");
    let latest = quality.iter().find(|table| table.name == "latest").expect("is there");
    assert_eq!(latest.columns.len(), 2, "{latest:?}");
    assert!(quality.iter().all(|table| !table.name.starts_with("mv_tbl__")));
    let some = sync(&warehouse, "dev", "quality", &["ru*".into(), "che?ks".into()], &trial.never).await.expect("syncs");
    assert_eq!(some.iter().map(|table| table.name.as_str()).collect::<Vec<_>>(), ["checks", "runs"]);
    assert_eq!((Summary::of(&some).table_count, Summary::of(&some).column_count), (2, 8));
    for (database, schema, glob, summary) in [
        ("dev", "nowhere", "*", "Schema \"nowhere\" does not exist in database \"dev\""),
        ("nowhere", "s", "*", "Database \"nowhere\" does not exist"),
        ("dev", "pg_catalog", "*", "Schema \"pg_catalog\" does not exist in database \"dev\""),
        ("dev", "catalog_history", "*", "Schema \"catalog_history\" does not exist in database \"dev\""),
        ("dev", "finance", "[z", "Bad datasets"),
    ] {
        let error = sync(&warehouse, database, schema, &[glob.to_owned()], &trial.never).await.expect_err(summary);
        assert_eq!(error.summary(), summary);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_external_schema_is_one_of_its_own() {
    use crate::engine::datastore::*;
    let trial = Trial::start();
    trial.make_user("svc").await;
    trial
        .admin("dev", "CREATE EXTERNAL SCHEMA lake FROM DATA CATALOG DATABASE 'lake' IAM_ROLE 'arn:aws:iam::1:role/x'")
        .await;
    let all = schemas(&trial.warehouse(), "dev", &Names::default(), &trial.never).await.expect("lists");
    let listed: Vec<(&str, &str, &str)> =
        all.iter().map(|schema| (schema.name.as_str(), schema.owner.as_str(), schema.kind)).collect();
    assert_eq!(
        listed,
        [
            ("finance", "finance_owner", "local"),
            ("lake", "awsuser", "external"),
            ("public", "rdsdb", "local"),
            ("quality", "awsuser", "local"),
        ]
    );
    let some = schemas(
        &trial.warehouse(),
        "dev",
        &Names { like: Some(vec!["%AL%".to_owned()]), ..Names::default() },
        &trial.never,
    )
    .await
    .expect("lists");
    assert_eq!(some.iter().map(|schema| schema.name.as_str()).collect::<Vec<_>>(), ["quality"]);
    assert_eq!(sync(&trial.warehouse(), "dev", "lake", &[], &trial.never).await, Ok(vec![]));

    let before = trial.dump("dev").await;
    for through in [Through::Direct, Through::Role("tfds_0123456789".into())] {
        let wanted = Wanted {
            database: "dev".into(),
            schema: "lake".into(),
            write: false,
            grantee: Some(Grantee::user("svc")),
            through,
            future: FutureTables::Owners(Vec::new()),
            extra: crate::engine::rights::Rights::NONE,
            tables: None,
        };
        let applied = apply(&trial.warehouse(), &wanted, &Before::default(), Others::default(), &trial.never)
            .await
            .expect("applies");
        assert!(applied.wanted.owners().is_empty());
        let before_that = Before::of(&wanted);
        let again =
            apply(&trial.warehouse(), &wanted, &before_that, Others::default(), &trial.never).await.expect("applies");
        assert_eq!(again.changes, 0);
        remove(&trial.warehouse(), &wanted, &before_that, Others::default(), &trial.never).await.expect("removes");
        assert_eq!(trial.dump("dev").await, before);
        // It fails half-way: what stood alone is taken back.
        let store = Wanted { write: true, ..wanted.clone() };
        let failed = apply(&trial.warehouse(), &store, &Before::default(), Others::default(), &trial.never)
            .await
            .expect_err("external");
        assert!(failed.nothing_done && failed.error.summary().contains("enrichment store"));
        if matches!(wanted.through, Through::Role(_)) {
            trial.standin.fault(Fault::error("GRANT ROLE", "XX000", "no"));
            let failed = apply(&trial.warehouse(), &wanted, &Before::default(), Others::default(), &trial.never)
                .await
                .expect_err("fails");
            assert!(failed.nothing_done, "{failed:?}");
            assert_eq!(trial.dump("dev").await, before);
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn everybody_may_create_in_public_and_that_is_told() {
    use crate::engine::datastore::*;
    let trial = Trial::start();
    trial.make_user("svc").await;
    let wanted = Wanted {
        database: "dev".into(),
        schema: "public".into(),
        write: false,
        grantee: Some(Grantee::user("svc")),
        through: Through::Direct,
        future: FutureTables::Owners(Vec::new()),
        extra: crate::engine::rights::Rights::NONE,
        tables: None,
    };
    let applied =
        apply(&trial.warehouse(), &wanted, &Before::default(), Others::default(), &trial.never).await.expect("applies");
    let told: Vec<&str> = applied.warnings.iter().map(|warning| warning.summary.as_str()).collect();
    assert_eq!(
        told,
        ["Future tables in schema \"public\" are not covered", "Everybody may create in schema \"public\""]
    );
}

/// Proves: Q41
#[tokio::test(flavor = "multi_thread")]
async fn a_connection_is_tested() {
    let trial = Trial::start();
    let good = validate(&trial.warehouse(), &Hints::default(), &trial.never).await.expect("tests");
    assert_eq!(good.status, Status::Passed, "{good:?}");
    let wrong = trial.sign_in("awsuser", "Wrong1234");
    let bad = validate(&wrong, &Hints::default(), &trial.never).await.expect("tests");
    let failed: Vec<&str> =
        bad.tests.iter().filter(|test| test.status == Status::Failed).map(|test| test.name.as_ref()).collect();
    assert_eq!((bad.status, failed), (Status::Failed, vec!["Database user"]));
    trial.standin.fault(Fault::login("57P03", "the database system is starting up"));
    let paused = validate(&trial.warehouse(), &Hints::default(), &trial.never).await.expect("tests");
    assert_eq!(
        paused.tests.iter().find(|test| test.status == Status::Failed).map(|test| test.name.clone()),
        Some("Initial Validation: Basic Connection Test".into())
    );
    let stopped = tokio_util::sync::CancellationToken::new();
    stopped.cancel();
    assert_eq!(validate(&trial.warehouse(), &Hints::default(), &stopped).await.err(), Some(Error::Cancelled));
}

/// A regular user with these system permissions.
async fn delegate(trial: &Trial, name: &str, permissions: &str) {
    trial.make_user(name).await;
    for sql in
        ["CREATE ROLE makers", &format!("GRANT {permissions} TO ROLE makers"), &format!("GRANT ROLE makers TO {name}")]
    {
        trial.admin("dev", sql).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn who_is_no_superuser_makes_users_without_a_password_too() {
    let trial = Trial::start();
    delegate(&trial, "maker", "CREATE USER, ALTER USER, DROP USER").await;
    let maker = trial.sign_in("maker", PASSWORD);
    let none = UserWanted { password: Password::Keep, connection_limit: None, valid_until: None, ..wanted("svc") };
    let found = create(&maker, &none, &trial.never).await.expect("is made");
    let statements: Vec<String> = trial.standin.log().into_iter().map(|logged| logged.sql).collect();
    assert!(!statements.iter().any(|sql| sql.contains("PASSWORD DISABLE")), "it is a superuser's");
    alter(&maker, &found, &wanted("svc"), &trial.never).await.expect("gets one");
    assert!(trial.can("svc", "dev", "SELECT 1").await);
    let disabled = UserWanted { password: Password::Disable, ..none };
    alter(&maker, &found, &disabled, &trial.never).await.expect("loses it");
    assert!(!trial.can("svc", "dev", "SELECT 1").await);
}

#[tokio::test(flavor = "multi_thread")]
async fn limits_that_are_not_shown_are_unknown() {
    let trial = Trial::start();
    let warehouse = trial.warehouse();
    create(&warehouse, &wanted("svc"), &trial.never).await.expect("is made");
    trial.standin.fault(Fault::error("pg_user_info", "42501", "permission denied for relation pg_user_info"));
    let found = find(&trial.warehouse(), "svc", true, &trial.never).await.expect("asks").expect("is there");
    assert_eq!(found.connection_limit, None);
}

/// A materialized view keeps its owner, as a view does: nothing is handed over, and the words are right.
#[tokio::test(flavor = "multi_thread")]
async fn a_materialized_view_stands_in_the_way_by_its_name() {
    let trial = Trial::start();
    trial.make_user("svc").await;
    trial.admin("dev", "GRANT CREATE, USAGE ON SCHEMA quality TO svc").await;
    let mut svc = trial.standin.session("svc", None, "dev").await.expect("opens");
    svc.query("CREATE MATERIALIZED VIEW quality.mine AS SELECT 1 AS a").await.expect("is made");
    drop(svc);
    let error = drop_user(&trial.warehouse(), "svc", true, &[], &trial.never).await.expect_err("it stands in the way");
    let text = error.to_string();
    assert!(text.contains("materialized view \"quality\".\"mine\"") && !text.contains("mv_tbl__"), "{text}");
}

fn is_taken(error: &Error) -> bool {
    matches!(error, Error::Exists { title } if title == "User \"svc\"")
}
