//! Where PostgreSQL is laxer than Redshift, or than PostgreSQL 8.0, from which Redshift comes; and what nobody knows of
//! Redshift, both ways.

use redshift_standin::Switch;

use super::*;

fn of(switch: Switch) -> Standin {
    Standin::start(StandinOptions { switches: vec![switch], ..StandinOptions::default() }).expect("a stand-in starts")
}

fn one(standin: &Standin, sql: &str) -> String {
    cells(&ok(standin, sql)).concat()
}

#[test]
fn the_end_of_a_password_is_kept_in_32_bits() {
    let standin = shared();
    user(standin, "ending");
    let of_ann = "SELECT valuntil FROM pg_user WHERE usename = 'ending'";
    for (until, kept) in [
        ("2038-01-18 23:59:59+00", "2038-01-18 23:59:59+00"),
        ("2038-01-19 00:00:00+00", "invalid"),
        ("2050-01-01", "invalid"),
        ("1901-01-01", "invalid"),
        ("infinity", "infinity"),
    ] {
        ok(standin, &format!("ALTER USER ending VALID UNTIL '{until}'"));
        assert_eq!(one(standin, of_ann), kept, "{until}");
        // What is lost ends nothing.
        as_user(standin, "ending", "SELECT 1").expect("signs in");
    }
}

#[test]
fn the_style_of_dates_is_the_users_own() {
    let standin = shared();
    user(standin, "styled");
    ok(standin, "ALTER USER styled VALID UNTIL '2031-01-31 12:00:00+00'");
    ok(standin, "ALTER USER styled SET datestyle TO 'SQL, DMY'");
    let of_ann = "SELECT valuntil FROM pg_user WHERE usename = 'styled'";
    assert_eq!(cells(&as_user(standin, "styled", of_ann).expect("reads")), ["31/01/2031 12:00:00 UTC"]);
    let refusal = refused(as_user(standin, "styled", "ALTER USER etl SET datestyle TO 'ISO'"));
    assert_eq!(refusal.sqlstate, "42501");
}

#[test]
fn a_right_on_something_dropped_is_an_error_and_no_null() {
    let error = err(shared(), "SELECT has_table_privilege(999999, 'select')");
    assert_eq!((error.sqlstate.as_str(), error.message.as_str()), ("42P01", "relation with OID 999999 does not exist"));
    assert_eq!(err(shared(), "SELECT has_schema_privilege('nowhere', 'usage')").sqlstate, "3F000");
    assert_eq!(one(shared(), "SELECT has_table_privilege('finance.accounts', 'select')"), "t");
}

#[test]
fn the_text_of_a_view_depends_on_the_readers_search_path() {
    let standin = start();
    user(&standin, "ann");
    ok(&standin, "GRANT USAGE ON SCHEMA finance TO ann");
    let text = "SELECT definition FROM pg_views WHERE viewname = 'open_invoices'";
    assert!(cells(&as_user(&standin, "ann", text).expect("reads")).concat().contains("FROM finance.invoices"));
    ok(&standin, "ALTER USER ann SET search_path TO finance, public");
    assert!(cells(&as_user(&standin, "ann", text).expect("reads")).concat().contains("FROM invoices"));
}

#[test]
fn a_group_may_stand_in_quotes_in_a_list_of_rights() {
    let acl = "SELECT array_to_string(relacl, chr(9)) FROM pg_class WHERE relname = 'accounts'";
    let shown = |standin: &Standin| {
        ok(standin, "CREATE GROUP \"a b\"");
        ok(standin, "GRANT SELECT ON finance.accounts TO GROUP analysts");
        ok(standin, "GRANT DELETE ON finance.accounts TO GROUP \"a b\"");
        one(standin, acl)
    };
    let usual = shown(&start());
    assert!(usual.contains("\tgroup analysts=r/") && usual.contains("\tgroup \"a b\"=d/"), "{usual}");
    let quoted = shown(&of(Switch::QuotedGroups));
    assert!(quoted.contains("\"group analysts=r/finance_owner\""), "{quoted}");
    assert!(quoted.contains("\"group \\\"a b\\\"=d/finance_owner\""), "{quoted}");
}

#[test]
fn an_update_may_count_the_copies() {
    let tag = |standin: &Standin| {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        runtime.block_on(async {
            let mut session = standin.session("awsuser", None, "dev").await.expect("opens");
            session.query("UPDATE finance.accounts SET balance = 1").await.expect("updates").tags.concat()
        })
    };
    assert_eq!(tag(&start()), "UPDATE 2");
    assert_eq!(tag(&of(Switch::CountsCopies)), "UPDATE 4");
}

#[test]
fn rights_by_roles_and_scopes_may_be_unknown_to_the_functions() {
    let ask = |standin: &Standin| {
        for name in ["ann", "bob"] {
            user(standin, name);
        }
        ok(standin, "CREATE ROLE reader");
        ok(standin, "GRANT USAGE ON SCHEMA finance TO ROLE reader");
        ok(standin, "GRANT SELECT FOR TABLES IN SCHEMA finance DATABASE dev TO ROLE reader");
        ok(standin, "GRANT ROLE reader TO ann");
        ok(standin, "GRANT USAGE ON SCHEMA finance TO GROUP analysts");
        ok(standin, "GRANT SELECT ON finance.accounts TO GROUP analysts");
        ok(standin, "ALTER GROUP analysts ADD USER bob");
        let both = "SELECT has_table_privilege('finance.accounts', 'select'), has_schema_privilege('finance', 'usage')";
        ["ann", "bob"].map(|name| cells(&as_user(standin, name, both).expect("asks")).concat())
    };
    assert_eq!(ask(&start()), ["t|t", "t|t"]);
    assert_eq!(ask(&of(Switch::PrivilegesWithoutRoles)), ["f|f", "t|t"]);
}

#[test]
fn nobody_may_act_as_who_was_just_made_where_that_is_so() {
    let act = |standin: &Standin| {
        standin.sql_blocking("dev", "CREATE USER new PASSWORD DISABLE; SET SESSION AUTHORIZATION 'new'; SELECT 1")
    };
    act(&start()).expect("acts");
    assert_eq!(refused(act(&of(Switch::NoNewAuthorization))).sqlstate, "42704");
}

#[test]
fn a_right_on_columns_stands_in_the_way_of_one_on_the_table() {
    let standin = start();
    user(&standin, "ann");
    ok(&standin, "GRANT SELECT (owner) ON finance.accounts TO ann");
    for grant in ["GRANT SELECT ON finance.accounts TO ann", "GRANT ALL ON ALL TABLES IN SCHEMA finance TO ann"] {
        assert!(err(&standin, grant).message.contains("column-level"), "{grant}");
    }
    ok(&standin, "GRANT UPDATE ON finance.accounts TO ann");
    ok(&standin, "REVOKE SELECT (owner) ON finance.accounts FROM ann");
    ok(&standin, "GRANT SELECT ON finance.accounts TO ann");
}

#[test]
fn five_wrong_passwords_in_a_row_lock_a_user() {
    let standin = shared();
    user(standin, "clumsy");
    let wrong = || refused(standin.sql_as_blocking("clumsy", "Wrong0000", "dev", "SELECT 1"));
    for _ in 0..4 {
        wrong();
    }
    as_user(standin, "clumsy", "SELECT 1").expect("a success begins anew");
    for _ in 0..5 {
        wrong();
    }
    assert_eq!(refused(as_user(standin, "clumsy", "SELECT 1")).sqlstate, "28000", "the right one does not let in");
    ok(standin, &format!("ALTER USER clumsy PASSWORD '{PASSWORD}'"));
    assert_eq!(refused(as_user(standin, "clumsy", "SELECT 1")).sqlstate, "28000", "nor does a new one");
    ok(standin, &format!("ALTER USER clumsy LOGIN PASSWORD '{PASSWORD}'"));
    as_user(standin, "clumsy", "SELECT 1").expect("unlocked");
    ok(standin, "ALTER USER clumsy NOLOGIN");
    assert_eq!(refused(as_user(standin, "clumsy", "SELECT 1")).sqlstate, "28000");
}

#[test]
fn passwords_are_disabled_and_enabled_by_superusers() {
    let standin = shared();
    user(standin, "enabler");
    ok(standin, "CREATE ROLE enablers");
    ok(standin, "GRANT CREATE USER, ALTER USER, DROP USER TO ROLE enablers");
    ok(standin, "GRANT ROLE enablers TO enabler");
    assert_eq!(refused(as_user(standin, "enabler", "CREATE USER enabled PASSWORD DISABLE")).sqlstate, "42501");
    as_user(standin, "enabler", &format!("CREATE USER enabled PASSWORD '{PASSWORD}'")).expect("with a password");
    assert_eq!(refused(as_user(standin, "enabler", "ALTER USER enabled PASSWORD DISABLE")).sqlstate, "42501");
    ok(standin, "ALTER USER enabled PASSWORD DISABLE");
    assert_eq!(
        refused(as_user(standin, "enabler", &format!("ALTER USER enabled PASSWORD '{PASSWORD}'"))).sqlstate,
        "42501"
    );
}

#[test]
fn who_holds_sys_superuser_may_what_one_may_but_act_as_others() {
    let standin = start();
    user(&standin, "ann");
    ok(&standin, "CREATE ROLE admins");
    ok(&standin, "GRANT ROLE \"sys:superuser\" TO ROLE admins");
    ok(&standin, "GRANT ROLE admins TO ann");
    let mut rows = as_user(&standin, "ann", "SELECT usesuper FROM pg_user WHERE usename = 'ann'").expect("asks");
    assert_eq!(cells(&rows), ["f"]);
    for statement in [
        "CREATE GROUP g",
        "CREATE DATABASE d",
        "ALTER TABLE finance.accounts OWNER TO ann",
        "SELECT count(*) FROM quality.runs",
    ] {
        as_user(&standin, "ann", statement).unwrap_or_else(|error| panic!("{statement}: {error}"));
    }
    assert_eq!(refused(as_user(&standin, "ann", "SET SESSION AUTHORIZATION 'etl'")).sqlstate, "42501");
    ok(&standin, "REVOKE ROLE \"sys:superuser\" FROM ROLE admins");
    assert_eq!(refused(as_user(&standin, "ann", "CREATE GROUP h")).sqlstate, "42501");
    rows = ok(&standin, "SELECT usesuper FROM pg_user WHERE usename = 'awsuser'");
    assert_eq!(cells(&rows), ["t"]);
}

#[test]
fn roles_of_a_session_are_in_no_view() {
    let standin = shared();
    user(standin, "\"idp:ann\"");
    ok(standin, "CREATE ROLE idp_makers");
    ok(standin, "GRANT CREATE ROLE TO ROLE idp_makers");
    standin.behind_blocking("dev", "SELECT pg_catalog.rs_session_role('idp:ann', 'idp_makers')").expect("gives");
    let roles = "SELECT name FROM pg_get_session_roles() AS sess_roles(name name, roleid integer)";
    assert_eq!(cells(&as_user(standin, "idp:ann", roles).expect("asks")), ["idp_makers"]);
    assert_eq!(
        cells(&ok(standin, "SELECT user_name FROM svv_user_grants WHERE role_name = 'idp_makers'")),
        [] as [&str; 0]
    );
    as_user(standin, "idp:ann", "CREATE ROLE idp_made").expect("it counts");
    assert_eq!(one(standin, &format!("SELECT count(*) FROM svv_roles WHERE role_name = '{}'", "idp_made")), "1");
    assert_eq!(ok(standin, roles), Rows::new());
}

#[test]
fn a_materialized_view_is_a_view_and_a_table() {
    let standin = start();
    ok(
        &standin,
        "CREATE MATERIALIZED VIEW finance.totals AS SELECT account_id, sum(total) AS total FROM finance.invoices GROUP BY account_id",
    );
    let kinds = "SELECT relname, relkind FROM pg_class WHERE relname LIKE '%totals%' ORDER BY 1";
    assert_eq!(cells(&ok(&standin, kinds)), ["mv_tbl__totals__0|r", "totals|v"]);
    assert_eq!(one(&standin, "SELECT count(*) FROM finance.totals"), "2");
    let text = one(&standin, "SELECT definition FROM pg_views WHERE viewname = 'totals'");
    assert!(text.to_lowercase().contains("create materialized view"), "{text}");
    assert_eq!(err(&standin, "DROP VIEW finance.totals").sqlstate, "42809");
    assert_eq!(err(&standin, "ALTER TABLE finance.totals OWNER TO etl").sqlstate, "0A000");
    assert_eq!(err(&standin, "DROP MATERIALIZED VIEW finance.open_invoices").sqlstate, "42809");
    ok(&standin, "DROP MATERIALIZED VIEW finance.totals");
    assert_eq!(ok(&standin, kinds), Rows::new());
}

#[test]
fn lengths_count_bytes() {
    let standin = shared();
    ok(standin, "CREATE SCHEMA lengths");
    ok(standin, "CREATE TABLE lengths.short (a varchar(4), b varchar(max))");
    ok(standin, "INSERT INTO lengths.short VALUES ('\u{e4}\u{e4}', '\u{e4}\u{e4}\u{e4}')");
    let error = err(standin, "INSERT INTO lengths.short VALUES ('\u{e4}\u{e4}\u{e4}', NULL)");
    assert_eq!(
        (error.sqlstate.as_str(), error.message.as_str()),
        ("22001", "value too long for type character varying(4)")
    );
}

#[test]
fn nothing_is_cast_that_postgresql_8_0_does_not_cast() {
    for query in [
        "SELECT relacl::varchar FROM pg_class",
        "SELECT true::varchar",
        "SELECT u.usesuper::varchar FROM pg_user u",
        "SELECT valuntil::varchar FROM pg_user",
        "SELECT p.oid::regprocedure::varchar FROM pg_proc p",
    ] {
        assert_eq!(err(shared(), query).sqlstate, "42846", "{query}");
    }
    ok(shared(), "SELECT relkind::varchar, relname::varchar, oid::varchar FROM pg_class LIMIT 1");
}

#[test]
fn some_views_are_for_those_who_keep_the_warehouse_safe() {
    let standin = shared();
    user(standin, "keeper");
    for view in ["svv_rls_attached_policy", "svv_attached_masking_policy"] {
        let query = format!("SELECT * FROM {view}");
        ok(standin, &query);
        let error = refused(as_user(standin, "keeper", &query));
        assert_eq!(
            (error.sqlstate.as_str(), error.message),
            ("42501", format!("permission denied for relation {view}"))
        );
    }
    ok(standin, "GRANT ROLE \"sys:secadmin\" TO keeper");
    as_user(standin, "keeper", "SELECT * FROM svv_rls_attached_policy").expect("may");
}

#[test]
fn mounted_catalogues_are_listed_and_not_entered() {
    let standin = shared();
    let listed = cells(&ok(standin, "SELECT database_name, database_type FROM svv_redshift_databases"));
    assert!(
        listed.contains(&"lake@catalog|local".to_owned())
            && listed.iter().any(|row| row.starts_with("awsdatacatalog|"))
    );
    assert_eq!(refused(standin.sql_blocking("lake@catalog", "SELECT 1")).sqlstate, "3D000");
}
