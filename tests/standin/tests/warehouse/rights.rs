//! Grants, revokes, defaults and scoped grants.

use super::*;

#[test]
fn public_may_create_in_schema_public_and_use_temp() {
    let standin = start();
    user(&standin, "ann");
    as_user(&standin, "ann", "CREATE TABLE public.t (a int)").expect("PUBLIC has CREATE on public");
    let owner = ok(&standin, "SELECT nspowner FROM pg_namespace WHERE nspname = 'public'");
    assert_eq!(cells(&owner), ["1"], "rdsdb");
    ok(&standin, "REVOKE ALL ON DATABASE dev FROM PUBLIC");
    as_user(&standin, "ann", "SELECT 1").expect("there is no right to connect");
    ok(&standin, "REVOKE CREATE ON SCHEMA public FROM PUBLIC");
    let error = refused(as_user(&standin, "ann", "CREATE TABLE public.u (a int)"));
    assert_eq!((error.sqlstate.as_str(), error.message.as_str()), ("42501", "permission denied for schema public"));
}

#[test]
fn tables_are_read_through_users_groups_and_roles() {
    let standin = start();
    user(&standin, "ann");
    let select = "SELECT count(*) FROM finance.accounts";
    let denied = |text: &str| {
        let error = refused(as_user(&standin, "ann", select));
        assert_eq!((error.sqlstate.as_str(), error.message.as_str()), ("42501", text));
    };
    denied("permission denied for schema finance");
    for sql in [
        "CREATE ROLE inner_role",
        "CREATE ROLE outer_role",
        "GRANT ROLE inner_role TO ROLE outer_role",
        "GRANT ROLE outer_role TO ann",
        "GRANT USAGE ON SCHEMA finance TO ROLE inner_role",
    ] {
        ok(&standin, sql);
    }
    denied("permission denied for relation accounts");
    ok(&standin, "GRANT SELECT ON ALL TABLES IN SCHEMA finance TO ROLE inner_role");
    as_user(&standin, "ann", select).expect("through a nested role");
    let error = refused(as_user(&standin, "ann", "INSERT INTO finance.accounts VALUES (3, 'x', '2024-01-01', 0)"));
    assert_eq!(error.message, "permission denied for relation accounts");
    ok(&standin, "REVOKE ROLE outer_role FROM ann");
    denied("permission denied for schema finance");
    ok(&standin, "CREATE GROUP pals WITH USER ann");
    ok(&standin, "GRANT USAGE ON SCHEMA finance TO GROUP pals");
    ok(&standin, "GRANT SELECT ON TABLE finance.accounts TO GROUP pals");
    as_user(&standin, "ann", select).expect("through a group");
    ok(&standin, "ALTER GROUP pals DROP USER ann");
    denied("permission denied for schema finance");
}

#[test]
fn grants_that_grant_nothing_warn() {
    let standin = start();
    user(&standin, "ann");
    ok(&standin, "GRANT USAGE ON SCHEMA finance TO ann");
    ok(&standin, "GRANT SELECT ON finance.accounts TO ann");
    let notices = |sql: &str| {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        runtime.block_on(async {
            let mut session = standin.session("ann", Some(PASSWORD), "dev").await.expect("opens");
            session.query(sql).await.expect("runs").notices
        })
    };
    let expected = [("01007".to_owned(), "no privileges were granted for \"accounts\"".to_owned())];
    assert_eq!(notices("GRANT SELECT ON finance.accounts TO analyst"), expected);
    let expected = [("01006".to_owned(), "no privileges could be revoked for \"accounts\"".to_owned())];
    assert_eq!(notices("REVOKE SELECT ON finance.accounts FROM analyst"), expected);
    let error = refused(as_user(&standin, "ann", "GRANT SELECT ON ALL TABLES IN SCHEMA finance TO analyst"));
    assert_eq!(error.sqlstate, "42501", "one foreign table fails the whole statement");
}

#[test]
fn all_tables_leaves_the_tables_behind_materialized_views() {
    let standin = start();
    ok(&standin, "GRANT SELECT ON ALL TABLES IN SCHEMA quality TO analyst");
    let rows = ok(
        &standin,
        "SELECT relation_name FROM svv_relation_privileges WHERE identity_name = 'analyst' ORDER BY relation_name",
    );
    assert_eq!(cells(&rows), ["checks", "daily", "latest", "runs"]);
    ok(&standin, "REVOKE ALL ON ALL TABLES IN SCHEMA quality FROM analyst");
    assert_eq!(err(&standin, "GRANT SELECT ON ALL TABLES IN SCHEMA nowhere TO analyst").sqlstate, "3F000");
    let nobody = err(&standin, "GRANT SELECT ON ALL TABLES IN SCHEMA quality TO nobody");
    assert_eq!((nobody.sqlstate.as_str(), nobody.message.as_str()), ("42704", "user \"nobody\" does not exist"));
}

#[test]
fn defaults_need_create_on_the_schema_and_reach_new_tables() {
    let standin = start();
    user(&standin, "ann");
    let error =
        err(&standin, "ALTER DEFAULT PRIVILEGES FOR USER ann IN SCHEMA finance GRANT SELECT ON TABLES TO analyst");
    assert_eq!((error.sqlstate.as_str(), error.message.as_str()), ("42501", "permission denied for schema finance"));
    ok(&standin, "ALTER DEFAULT PRIVILEGES FOR USER etl IN SCHEMA finance GRANT SELECT ON TABLES TO ann");
    ok(&standin, "GRANT USAGE ON SCHEMA finance TO ann");
    ok(&standin, "SET SESSION AUTHORIZATION 'etl'; CREATE TABLE finance.fresh (a int)");
    as_user(&standin, "ann", "SELECT a FROM finance.fresh").expect("by default");
    let error = refused(as_user(
        &standin,
        "ann",
        "ALTER DEFAULT PRIVILEGES FOR USER etl IN SCHEMA finance GRANT SELECT ON TABLES TO analyst",
    ));
    assert_eq!(error.sqlstate, "42501");
    for sql in ["CREATE ROLE steward", "GRANT ALTER DEFAULT PRIVILEGES TO ROLE steward", "GRANT ROLE steward TO ann"] {
        ok(&standin, sql);
    }
    as_user(
        &standin,
        "ann",
        "ALTER DEFAULT PRIVILEGES FOR USER etl IN SCHEMA finance GRANT SELECT ON TABLES TO analyst",
    )
    .expect("by permission");
}

#[test]
fn scoped_grants_open_present_and_future_tables_of_any_owner() {
    let standin = start();
    user(&standin, "ann");
    ok(&standin, "CREATE ROLE scoped_role");
    ok(&standin, "GRANT ROLE scoped_role TO ann");
    ok(&standin, "GRANT USAGE ON SCHEMA finance TO ROLE scoped_role");
    ok(&standin, "GRANT SELECT FOR TABLES IN SCHEMA finance DATABASE dev TO ROLE scoped_role");
    ok(&standin, "SET SESSION AUTHORIZATION etl; CREATE TABLE finance.later (a int)");
    for table in ["accounts", "payments", "later", "open_invoices"] {
        as_user(&standin, "ann", &format!("SELECT count(*) FROM finance.{table}")).expect(table);
    }
    let rows = ok(
        &standin,
        "SELECT namespace_name, privilege_type, identity_name, privilege_scope FROM svv_schema_privileges WHERE identity_name = 'scoped_role' ORDER BY privilege_scope",
    );
    assert_eq!(cells(&rows), ["finance|USAGE|scoped_role|SCHEMA", "finance|SELECT|scoped_role|TABLES"]);
    assert_eq!(
        ok(&standin, "SELECT relation_name FROM svv_relation_privileges WHERE identity_name = 'scoped_role'").len(),
        0,
        "independent of table grants"
    );
    let held =
        cells(&ok(&standin, "SELECT array_to_string(c.relacl, chr(9)) FROM pg_class c WHERE c.relname = 'later'"));
    assert_eq!(held, ["etl=arwdRxtDPA/etl"]);
    assert_eq!(err(&standin, "DROP ROLE scoped_role FORCE").sqlstate, "55006");
    ok(&standin, "REVOKE SELECT FOR TABLES IN SCHEMA finance DATABASE dev FROM ROLE scoped_role");
    assert_eq!(refused(as_user(&standin, "ann", "SELECT count(*) FROM finance.later")).sqlstate, "42501");
    assert_eq!(
        err(&standin, "GRANT SELECT FOR TABLES IN SCHEMA finance DATABASE dev TO GROUP analysts").sqlstate,
        "0A000"
    );
    assert_eq!(err(&standin, "GRANT SELECT FOR TABLES IN SCHEMA tickit DATABASE sample TO ann").sqlstate, "3F000");
    assert_eq!(
        refused(as_user(&standin, "ann", "GRANT SELECT FOR TABLES IN SCHEMA finance DATABASE dev TO analyst")).sqlstate,
        "42501"
    );
}

#[test]
fn a_scope_may_be_the_whole_database() {
    let standin = start();
    user(&standin, "ann");
    for sql in [
        "GRANT SELECT FOR TABLES IN DATABASE dev TO ann",
        "CREATE SCHEMA young",
        "CREATE TABLE young.t (a int)",
        "GRANT USAGE ON SCHEMA young TO ann",
        "GRANT USAGE ON SCHEMA finance TO ann",
    ] {
        ok(&standin, sql);
    }
    as_user(&standin, "ann", "SELECT a FROM young.t").expect("a new schema's new table");
    as_user(&standin, "ann", "SELECT count(*) FROM finance.payments").expect("an old one's");
    let query = "SELECT privilege_type, privilege_scope FROM svv_database_privileges WHERE identity_name = 'ann'";
    assert_eq!(cells(&ok(&standin, query)), ["SELECT|TABLES"]);
    assert_eq!(err(&standin, "DROP USER ann").sqlstate, "55006");
    ok(&standin, "REVOKE SELECT FOR TABLES IN DATABASE dev FROM ann");
    assert_eq!(refused(as_user(&standin, "ann", "SELECT a FROM young.t")).sqlstate, "42501");
}

#[test]
fn what_hangs_on_a_dropped_schema_blocks_nobody() {
    let standin = start();
    for sql in [
        "CREATE SCHEMA going",
        "CREATE ROLE staying",
        "GRANT CREATE ON SCHEMA going TO etl",
        "GRANT USAGE ON SCHEMA going TO ROLE staying",
        "GRANT SELECT FOR TABLES IN SCHEMA going DATABASE dev TO ROLE staying",
        "ALTER DEFAULT PRIVILEGES FOR USER etl IN SCHEMA going GRANT SELECT ON TABLES TO ROLE staying",
        "DROP SCHEMA going CASCADE",
        "DROP ROLE staying",
    ] {
        ok(&standin, sql);
    }
}

#[test]
fn external_schemas_take_usage_alone() {
    let standin = start();
    ok(
        &standin,
        "CREATE EXTERNAL SCHEMA lake FROM DATA CATALOG DATABASE 'raw' IAM_ROLE 'arn:aws:iam::123456789012:role/lake'",
    );
    assert_eq!(
        cells(&ok(&standin, "SELECT schemaname, eskind, databasename FROM svv_external_schemas")),
        ["lake|1|raw"]
    );
    assert_eq!(err(&standin, "GRANT CREATE ON SCHEMA lake TO analyst").sqlstate, "0A000");
    assert_eq!(err(&standin, "GRANT SELECT ON ALL TABLES IN SCHEMA lake TO analyst").sqlstate, "0A000");
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    runtime.block_on(async {
        let mut session = standin.session("awsuser", None, "dev").await.expect("opens");
        session.query("BEGIN").await.expect("begins");
        let error = session.query("GRANT USAGE ON SCHEMA lake TO analyst").await;
        assert!(matches!(error, Err(Error::Server(e)) if e.sqlstate == "25001"));
        session.query("ROLLBACK").await.expect("rolls back");
        session.query("GRANT USAGE ON SCHEMA lake TO analyst").await.expect("alone");
    });
}

#[test]
fn routines_are_granted_by_bare_names_and_procedures_are_not_publics() {
    let standin = start();
    user(&standin, "ann");
    ok(&standin, "CREATE FUNCTION public.two() RETURNS int STABLE AS $$ SELECT 2 $$ LANGUAGE sql");
    ok(&standin, "CREATE PROCEDURE public.sp_nothing(a integer) AS $$ BEGIN NULL; END; $$ LANGUAGE plpgsql");
    let acl = cells(&ok(
        &standin,
        "SELECT array_to_string(p.proacl, chr(9)) FROM pg_proc p WHERE p.proname IN ('two', 'sp_nothing') ORDER BY p.proname",
    ));
    assert_eq!(acl, ["awsuser=X/awsuser", "-"], "PUBLIC executes functions, not procedures");
    ok(&standin, "GRANT EXECUTE ON PROCEDURE public.sp_nothing(integer) TO ann");
    assert_eq!(err(&standin, "GRANT EXECUTE ON PROCEDURE \"public\".\"sp_nothing\"(integer) TO ann").sqlstate, "42601");
    assert!(
        super::catalog::blockers(&standin, "dev", "ann")
            .contains(&"acl|procedure|public|sp_nothing(integer)|awsuser=X/awsuser\tann=X/awsuser".to_owned())
    );
    ok(&standin, "REVOKE ALL ON ALL PROCEDURES IN SCHEMA public FROM ann");
    assert_eq!(super::catalog::blockers(&standin, "dev", "ann"), Vec::<String>::new());
    ok(&standin, "ALTER PROCEDURE public.sp_nothing(integer) OWNER TO ann");
}

#[test]
fn grant_options_are_for_users_and_datashare_roles_for_nobody() {
    let standin = shared();
    assert_eq!(err(standin, "GRANT SELECT ON finance.accounts TO GROUP analysts WITH GRANT OPTION").sqlstate, "0LP01");
    assert_eq!(err(standin, "GRANT SELECT ON finance.accounts TO ROLE \"ds:partner_share\"").sqlstate, "42501");
    let rows = ok(
        standin,
        "SELECT identity_name FROM svv_relation_privileges WHERE identity_type = 'role' AND identity_name LIKE 'ds:%'",
    );
    assert_eq!(cells(&rows), ["ds:partner_share"]);
}

/// Scoped rights of every kind: in their own database only, listed in all, and in the way of a drop.
#[test]
fn scoped_rights_of_every_kind_are_of_one_database_and_listed_in_all() {
    let standin = start();
    user(&standin, "bob");
    let grants = [
        ("EXECUTE FOR FUNCTIONS IN SCHEMA quality DATABASE dev", "FUNCTIONS"),
        ("EXECUTE FOR PROCEDURES IN DATABASE dev", "PROCEDURES"),
        ("USAGE FOR SCHEMAS IN DATABASE dev", "SCHEMAS"),
        ("USAGE FOR LANGUAGES IN DATABASE dev", "LANGUAGES"),
        ("CREATE, DROP FOR COPY JOBS IN DATABASE dev", "COPY JOBS"),
        ("USAGE FOR TEMPLATES IN SCHEMA quality DATABASE dev", "TEMPLATES"),
        ("SELECT FOR TABLES IN DATABASE dev", "TABLES"),
    ];
    for (grant, scope) in grants {
        let elsewhere = refused(standin.sql_blocking("sample", &format!("GRANT {grant} TO bob")));
        assert!(["0A000", "3F000"].contains(&elsewhere.sqlstate.as_str()), "{elsewhere:?}");
        ok(&standin, &format!("GRANT {grant} TO bob"));
        let error = err(&standin, "DROP USER bob");
        assert_eq!(error.sqlstate, "55006", "{grant}");
        let (view, name) = match grant.contains("SCHEMA quality") {
            true => ("svv_schema_privileges", "namespace_name"),
            false => ("svv_database_privileges", "database_name"),
        };
        let query = format!("SELECT {name}, privilege_scope FROM {view} WHERE identity_name = 'bob'");
        assert!(cells(&ok(&standin, &query)).iter().all(|row| row.ends_with(scope)), "{grant}");
        if view == "svv_database_privileges" {
            assert!(!ok_in(&standin, "sample", &query).is_empty(), "{grant} is listed in every database");
            assert_eq!(refused(standin.sql_blocking("sample", &format!("REVOKE {grant} FROM bob"))).sqlstate, "0A000");
        }
        ok(&standin, &format!("REVOKE {grant} FROM bob"));
    }
    assert_eq!(err(&standin, "GRANT EXECUTE FOR SCHEMAS IN DATABASE dev TO bob").sqlstate, "42601");
    ok(&standin, "DROP USER bob");
}

/// AWS, DROP USER: nobody is dropped who owns something or holds a right; so with roles and datashares.
#[test]
fn roles_and_datashares_have_owners_and_rights() {
    let standin = start();
    let before = super::bootstrap::block_on(standin.dump_all()).expect("dumps");
    user(&standin, "bob");
    ok(&standin, "CREATE ROLE his");
    ok(&standin, "ALTER ROLE his OWNER TO bob");
    assert_eq!(cells(&ok(&standin, "SELECT role_owner FROM svv_roles WHERE role_name = 'his'")), ["bob"]);
    assert!(err(&standin, "DROP USER bob").message.ends_with("owns some object"));
    ok(&standin, "ALTER USER bob RENAME TO rob");
    assert_eq!(cells(&ok(&standin, "SELECT role_owner FROM svv_roles WHERE role_name = 'his'")), ["rob"]);
    ok(&standin, "ALTER ROLE his OWNER TO awsuser");
    ok(&standin, "CREATE DATASHARE pool");
    ok(&standin, "GRANT ALTER, SHARE ON DATASHARE pool TO rob");
    let held = "SELECT datashare_name, privilege_type FROM svv_datashare_privileges WHERE identity_name = 'rob'";
    assert_eq!(cells(&ok(&standin, held)), ["pool|ALTER", "pool|SHARE"]);
    assert_eq!(cells(&ok(&standin, "SELECT share_name FROM svv_datashares")), ["pool"]);
    assert!(err(&standin, "DROP USER rob").message.ends_with("has a privilege on some object"));
    ok(&standin, "REVOKE ALTER, SHARE ON DATASHARE pool FROM rob");
    for sql in ["DROP USER rob", "DROP DATASHARE pool", "DROP ROLE his"] {
        ok(&standin, sql);
    }
    assert_eq!(super::bootstrap::block_on(standin.dump_all()).expect("dumps"), before);
}

/// AWS, Monitoring queries with Amazon Redshift Serverless: no STL, STV, SVL and SVCS there.
#[test]
fn a_serverless_warehouse_shows_no_sessions() {
    for kind in [WarehouseKind::Serverless, WarehouseKind::MultiAz] {
        let standin = Standin::start(StandinOptions { kind, ..StandinOptions::default() }).expect("a stand-in starts");
        let error = err(&standin, "SELECT process FROM stv_sessions");
        let told = (error.sqlstate.as_str(), error.message.as_str());
        assert_eq!(told, ("42501", "permission denied for relation stv_sessions"));
        ok(&standin, "SELECT pid FROM svv_transactions");
    }
}
