//! Users, groups and roles.

use super::*;

fn md5(user: &str) -> String {
    // md5('Passw0rdPassw0rd' || user) is computed by the warehouse itself.
    cells(&ok(shared(), &format!("SELECT 'md5' || md5('{PASSWORD}{user}')"))).concat()
}

#[test]
fn passwords_of_every_form() {
    let standin = start();
    ok(&standin, &format!("CREATE USER hashed PASSWORD '{}'", md5("hashed")));
    as_user(&standin, "hashed", "SELECT 1").expect("md5");
    ok(&standin, &format!("CREATE USER digested PASSWORD 'sha256|{PASSWORD}'"));
    as_user(&standin, "digested", "SELECT 1").expect("sha256, request 13");
    ok(&standin, "ALTER USER digested PASSWORD DISABLE");
    let error = refused(as_user(&standin, "digested", "SELECT 1"));
    assert_eq!((error.severity.as_str(), error.sqlstate.as_str()), ("FATAL", "28000"));
    assert_eq!(error.message, "password authentication failed for user \"digested\"");
    assert_eq!(refused(as_user(&standin, "nobody", "SELECT 1")).sqlstate, "28000");
    assert_eq!(refused(standin.sql_as_blocking("hashed", "Wrong0000", "dev", "SELECT 1")).sqlstate, "28000");
    for weak in ["short1A", "alllowercase1", "ALLUPPERCASE1", "NoNumbersHere", "Has@Sign123"] {
        assert_eq!(err(&standin, &format!("CREATE USER weak PASSWORD '{weak}'")).sqlstate, "22023", "{weak}");
    }
    assert_eq!(err(&standin, "ALTER USER awsuser PASSWORD DISABLE").sqlstate, "42601");
}

#[test]
fn options_and_renaming() {
    let standin = start();
    user(&standin, "ann");
    ok(&standin, "ALTER USER ann CONNECTION LIMIT 3 VALID UNTIL '2036-05-01'");
    let rows = ok(
        &standin,
        "SELECT i.useconnlimit, u.valuntil FROM pg_user_info i JOIN pg_user u ON u.usesysid = i.usesysid WHERE u.usename = 'ann'",
    );
    assert_eq!(cells(&rows), ["3|2036-05-01 00:00:00+00"]);
    ok(&standin, "ALTER USER ann CONNECTION LIMIT UNLIMITED");
    assert_eq!(cells(&ok(&standin, "SELECT useconnlimit FROM pg_user_info WHERE usename = 'ann'")), ["UNLIMITED"]);
    ok(&standin, "ALTER USER ann VALID UNTIL '2020-01-01'");
    assert_eq!(refused(as_user(&standin, "ann", "SELECT 1")).sqlstate, "28000");
    ok(&standin, "ALTER USER ann VALID UNTIL 'infinity'");
    as_user(&standin, "ann", "SELECT 1").expect("for ever");
    ok(&standin, "ALTER USER ann RENAME TO anna");
    assert_eq!(refused(as_user(&standin, "anna", "SELECT 1")).sqlstate, "28000", "renaming clears the password");
    ok(&standin, &format!("ALTER USER anna PASSWORD '{}'", md5("anna")));
    as_user(&standin, "anna", "SELECT 1").expect("with the new name");
    assert_eq!(err(&standin, "ALTER USER ann RENAME TO x").message, "user \"ann\" does not exist");
    let error = err(&standin, "CREATE USER anna PASSWORD DISABLE");
    assert_eq!((error.sqlstate.as_str(), error.message.as_str()), ("42710", "user \"anna\" already exists"));
}

#[test]
fn connection_limits_hold() {
    let standin = start();
    user(&standin, "ann");
    ok(&standin, "ALTER USER ann CONNECTION LIMIT 1");
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    runtime.block_on(async {
        let _first = standin.session("ann", Some(PASSWORD), "dev").await.expect("the first");
        let second = standin.session("ann", Some(PASSWORD), "dev").await;
        assert!(matches!(second, Err(Error::Server(e)) if e.sqlstate == "53300"));
    });
}

#[test]
fn users_groups_and_roles_are_three_name_spaces() {
    let standin = start();
    ok(&standin, "CREATE USER same PASSWORD DISABLE");
    ok(&standin, "CREATE GROUP same");
    assert_eq!(err(&standin, "CREATE ROLE same").sqlstate, "42710", "a role may not be called as a user");
    ok(&standin, "CREATE ROLE other");
    ok(&standin, "CREATE GROUP other");
    assert_eq!(err(&standin, "CREATE USER other PASSWORD DISABLE").sqlstate, "42710");
    for (sql, text) in [
        ("CREATE GROUP same", "group \"same\" already exists"),
        ("CREATE ROLE other", "role \"other\" already exists"),
        ("DROP GROUP nothing", "group \"nothing\" does not exist"),
        ("DROP ROLE nothing", "role \"nothing\" does not exist"),
        ("DROP USER nothing", "user \"nothing\" does not exist"),
        ("GRANT ROLE nothing TO same", "role \"nothing\" does not exist"),
        ("GRANT SELECT ON finance.accounts TO ROLE nothing", "role \"nothing\" does not exist"),
        ("GRANT SELECT ON finance.accounts TO GROUP nothing", "group \"nothing\" does not exist"),
    ] {
        assert_eq!(err(&standin, sql).message, text);
    }
    ok(&standin, "DROP USER IF EXISTS nothing");
    let groups = ok(&standin, "SELECT groname, array_to_string(grolist, chr(9)) FROM pg_group ORDER BY groname");
    assert_eq!(groups.len(), 3);
    assert!(groups[0][1].is_some() && groups[1][1].is_none());
}

#[test]
fn who_may_what() {
    let standin = start();
    user(&standin, "ann");
    for sql in [
        "CREATE USER x PASSWORD DISABLE",
        "ALTER USER etl CONNECTION LIMIT 1",
        "DROP USER analyst",
        "CREATE GROUP g",
        "ALTER GROUP analysts ADD USER ann",
        "DROP GROUP analysts",
        "CREATE ROLE r",
        "CREATE DATABASE d",
        "CREATE SCHEMA s",
        "SET SESSION AUTHORIZATION 'awsuser'",
        "ALTER SCHEMA finance OWNER TO ann",
        "ALTER TABLE finance.accounts OWNER TO ann",
        "GRANT CREATE USER TO ROLE \"sys:dba\"",
        "REVOKE CREATE ON SCHEMA public FROM PUBLIC",
    ] {
        let result = as_user(&standin, "ann", sql);
        let warned = sql.starts_with("REVOKE") && result.is_ok();
        assert!(warned || refused(result).sqlstate == "42501", "{sql}");
    }
    assert!(
        cells(&ok(&standin, "SELECT array_to_string(nspacl, chr(9)) FROM pg_namespace WHERE nspname = 'public'"))[0]
            .contains("=UC/rdsdb")
    );
    for sql in [
        "CREATE ROLE admin",
        "GRANT CREATE USER, ALTER USER, DROP USER, CREATE ROLE TO ROLE admin",
        "CREATE ROLE nested",
        "GRANT ROLE admin TO ROLE nested",
        "GRANT ROLE nested TO ann",
    ] {
        ok(&standin, sql);
    }
    for sql in [
        "CREATE USER x PASSWORD 'Abcdefg12'",
        "ALTER USER x CONNECTION LIMIT 2",
        "CREATE ROLE mine",
        "GRANT ROLE mine TO x",
        "REVOKE ROLE mine FROM x",
        "DROP ROLE mine",
        "DROP USER x",
    ] {
        as_user(&standin, "ann", sql).unwrap_or_else(|e| panic!("{sql}: {e}"));
    }
    for sql in [
        "CREATE USER s PASSWORD 'Abcdefg12' CREATEUSER",
        "ALTER USER awsuser CONNECTION LIMIT 1",
        "GRANT ROLE admin TO etl",
        "CREATE GROUP g",
    ] {
        assert_eq!(refused(as_user(&standin, "ann", sql)).sqlstate, "42501", "{sql}");
    }
    let system =
        ok(&standin, "SELECT system_privilege FROM svv_system_privileges WHERE identity_name = 'admin' ORDER BY 1");
    assert_eq!(cells(&system), ["ALTER USER", "CREATE ROLE", "CREATE USER", "DROP USER"]);
}

#[test]
fn dropping_a_user_looks_in_this_database_only() {
    let standin = start();
    for name in ["owner_here", "holder", "defaulter", "elsewhere", "assumer"] {
        ok(&standin, &format!("CREATE USER {name} PASSWORD DISABLE"));
    }
    ok(&standin, "CREATE SCHEMA hers AUTHORIZATION owner_here");
    ok(&standin, "GRANT SELECT ON finance.accounts TO holder");
    ok(&standin, "GRANT CREATE ON SCHEMA finance TO defaulter");
    ok(&standin, "ALTER DEFAULT PRIVILEGES FOR USER defaulter IN SCHEMA finance GRANT SELECT ON TABLES TO analyst");
    ok(&standin, "REVOKE CREATE ON SCHEMA finance FROM defaulter");
    ok(&standin, "GRANT ASSUMEROLE ON 'arn:aws:iam::123456789012:role/x' TO assumer FOR COPY");
    for (name, text) in [
        ("owner_here", "user \"owner_here\" can't be dropped because the user owns some object"),
        ("holder", "user \"holder\" can't be dropped because the user has a privilege on some object"),
        ("defaulter", "owner of default privileges on new relations belonging to user defaulter"),
        ("assumer", "user \"assumer\" can't be dropped because the user has a privilege on some object"),
    ] {
        let error = err(&standin, &format!("DROP USER {name}"));
        assert_eq!((error.sqlstate.as_str(), error.message.as_str()), ("55006", text));
    }
    assert_eq!(
        cells(&ok(&standin, "SELECT iam_arn, command_type FROM svv_iam_privileges WHERE identity_name = 'assumer'")),
        ["arn:aws:iam::123456789012:role/x|COPY"]
    );
    ok(&standin, "REVOKE ASSUMEROLE ON 'arn:aws:iam::123456789012:role/x' FROM assumer FOR COPY");
    ok(&standin, "DROP USER assumer");

    ok_in(&standin, "sample", "GRANT USAGE ON SCHEMA tickit TO elsewhere");
    ok_in(&standin, "sample", "GRANT SELECT ON tickit.sales TO elsewhere");
    ok_in(&standin, "sample", "CREATE SCHEMA left_over AUTHORIZATION elsewhere");
    let id = cells(&ok(&standin, "SELECT usesysid FROM pg_user WHERE usename = 'elsewhere'")).concat();
    ok(&standin, "DROP USER elsewhere");
    assert_eq!(ok(&standin, "SELECT usename FROM pg_user WHERE usename = 'elsewhere'").len(), 0);
    let owner = ok_in(
        &standin,
        "sample",
        "SELECT nspowner, pg_get_userbyid(nspowner) FROM pg_namespace WHERE nspname = 'left_over'",
    );
    assert_eq!(cells(&owner), [format!("{id}|unknown (UID={id})")]);
    let acl = ok_in(&standin, "sample", "SELECT array_to_string(relacl, chr(9)) FROM pg_class WHERE relname = 'sales'");
    assert!(cells(&acl)[0].contains(&format!("{id}=r/awsuser")), "the grant dangles");
    ok(&standin, "CREATE USER elsewhere PASSWORD DISABLE");
    assert_eq!(err(&standin, "DROP USER awsuser").message, "current user cannot be dropped");
}

#[test]
fn dropping_roles() {
    let standin = start();
    for sql in [
        "CREATE ROLE a",
        "CREATE ROLE b",
        "GRANT ROLE a TO ROLE b",
        "CREATE ROLE c",
        "GRANT ROLE c TO analyst",
        "GRANT USAGE ON SCHEMA quality TO ROLE c",
    ] {
        ok(&standin, sql);
    }
    assert_eq!(err(&standin, "DROP ROLE c").message, "cannot drop this role since it has been granted on a user");
    assert_eq!(err(&standin, "DROP ROLE b").message, "cannot drop this role since it depends on another role");
    ok(&standin, "DROP ROLE b FORCE");
    let held = err(&standin, "DROP ROLE c FORCE");
    assert_eq!(
        (held.sqlstate.as_str(), held.message.as_str()),
        ("55006", "role \"c\" can't be dropped because the role has a privilege on some object")
    );
    ok(&standin, "REVOKE USAGE ON SCHEMA quality FROM ROLE c");
    ok(&standin, "DROP ROLE c FORCE");
    assert_eq!(ok(&standin, "SELECT user_name FROM svv_user_grants WHERE user_name = 'analyst'").len(), 0);
    assert_eq!(err(&standin, "DROP ROLE \"sys:dba\"").sqlstate, "42501");
    assert_eq!(err(&standin, "CREATE ROLE \"sys:mine\"").sqlstate, "42602");
}

#[test]
fn a_rolled_back_user_was_never_there() {
    let standin = shared();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    runtime.block_on(async {
        let mut session = standin.session("awsuser", None, "dev").await.expect("opens");
        for sql in [
            "BEGIN",
            "CREATE USER ghost PASSWORD 'Ghost1234'",
            "CREATE ROLE ghosts",
            "GRANT ROLE ghosts TO ghost",
            "ROLLBACK",
        ] {
            session.query(sql).await.expect(sql);
        }
        session.query("BEGIN").await.expect("begins");
        assert!(
            matches!(session.query("SELECT to_regclass('x')").await, Err(Error::Server(e)) if e.sqlstate == "0A000")
        );
        assert!(
            matches!(session.query("SELECT 1").await, Err(Error::Server(e)) if e.sqlstate == "25P02"),
            "a refusal aborts, too"
        );
        session.query("ROLLBACK").await.expect("rolls back");
        session.query("BEGIN").await.expect("begins");
        assert!(matches!(session.query("CREATE DATABASE x").await, Err(Error::Server(e)) if e.sqlstate == "25001"));
    });
    assert_eq!(ok(standin, "SELECT usename FROM pg_user WHERE usename = 'ghost'").len(), 0);
    assert_eq!(refused(standin.sql_as_blocking("ghost", "Ghost1234", "dev", "SELECT 1")).sqlstate, "28000");
}
