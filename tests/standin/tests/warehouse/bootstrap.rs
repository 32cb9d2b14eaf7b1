//! The bootstrap of an integration: its whole script, and how what it made behaves for others.

use super::*;
use redshift_standin::{Client, SUPERUSER};

const KEY: &str = "6b3f0e2a9d1c4f58a7e6b5c4d3e2f1a06b3f0e2a9d1c4f58a7e6b5c4d3e2f1a0";
pub const SYSTEM_USER: &str = "immuta_system_user";

pub fn block_on<T>(work: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime").block_on(work)
}

const PROCEDURE: &str = "CREATE OR REPLACE PROCEDURE immuta_procedures.impersonate_user(target IN varchar(256))
AS $rs_body$
DECLARE
  k varchar(64);
  claim varchar(1024);
  found_rows integer;
  ignored varchar(2048);
BEGIN
  IF target IS NULL THEN
    SELECT INTO ignored set_config('immuta_session.impersonation', '', false);
    RETURN;
  END IF;
  SELECT INTO found_rows count(*) FROM immuta_system.profile WHERE immuta__userid = target;
  IF found_rows <> 1 THEN
    RAISE EXCEPTION 'user % is not known here', target;
  END IF;
  SELECT INTO k impersonation_key FROM immuta_system.impersonation;
  claim := pg_backend_pid()::varchar || '|' || to_char(getdate() + interval '4 hours', 'YYYYMMDDHH24MISS')
           || '|' || sha2(session_user::varchar, 256) || '|' || target;
  SELECT INTO ignored set_config('immuta_session.impersonation', sha2(k || sha2(k || claim, 256), 256) || '|' || claim, false);
END;
$rs_body$ LANGUAGE plpgsql SECURITY DEFINER SET search_path = immuta_system";

/// The view with impersonation; the key is joined LEFT, so that nobody loses his row where there is none.
const VIEW: &str = "CREATE OR REPLACE VIEW immuta_system.user_profile AS
SELECT p.*
FROM immuta_system.profile p
CROSS JOIN (
  SELECT CASE
    WHEN length(c.v) > 65
     AND substring(c.v, 1, 64) = sha2(i.impersonation_key || sha2(i.impersonation_key || substring(c.v, 66), 256), 256)
     AND split_part(c.v, '|', 2) = pg_backend_pid()::varchar
     AND split_part(c.v, '|', 3) > to_char(getdate(), 'YYYYMMDDHH24MISS')
     AND split_part(c.v, '|', 4) = sha2(current_user::varchar, 256)
    THEN substring(c.v, length(split_part(c.v,'|',1)) + length(split_part(c.v,'|',2)) + length(split_part(c.v,'|',3)) + length(split_part(c.v,'|',4)) + 5)
    ELSE current_user::varchar END AS acting_as
  FROM (SELECT coalesce(current_setting('immuta_session.impersonation', FALSE), '') AS v) c
  LEFT JOIN immuta_system.impersonation i ON 1 = 1
) me
WHERE p.immuta__userid = me.acting_as";

const INNER_VIEW: &str = "CREATE VIEW immuta_system.user_profile AS
SELECT p.*
FROM immuta_system.profile p
CROSS JOIN (
  SELECT CASE
    WHEN length(c.v) > 65
     AND substring(c.v, 1, 64) = sha2(i.impersonation_key || sha2(i.impersonation_key || substring(c.v, 66), 256), 256)
     AND split_part(c.v, '|', 2) = pg_backend_pid()::varchar
     AND split_part(c.v, '|', 3) > to_char(getdate(), 'YYYYMMDDHH24MISS')
     AND split_part(c.v, '|', 4) = sha2(current_user::varchar, 256)
    THEN substring(c.v, length(split_part(c.v,'|',1)) + length(split_part(c.v,'|',2)) + length(split_part(c.v,'|',3)) + length(split_part(c.v,'|',4)) + 5)
    ELSE current_user::varchar END AS acting_as
  FROM immuta_system.impersonation i
  CROSS JOIN (SELECT coalesce(current_setting('immuta_session.impersonation', FALSE), '') AS v) c
) me
WHERE p.immuta__userid = me.acting_as";

const PLAIN_VIEW: &str = "CREATE OR REPLACE VIEW immuta_system.user_profile AS SELECT p.* FROM immuta_system.profile p WHERE p.immuta__userid = current_user AND getdate() IS NOT NULL";

const MARKER: [&str; 6] = [
    "BEGIN",
    "CREATE SCHEMA immuta_system",
    "CREATE TABLE immuta_system.integration_lock (unused integer) DISTSTYLE ALL",
    "CREATE TABLE immuta_system.integration (
  id varchar(64) NOT NULL, type varchar(32) NOT NULL, mode varchar(16) NOT NULL, status varchar(32) NOT NULL,
  format integer NOT NULL, generation bigint NOT NULL, run_id varchar(64), config_digest varchar(64) NOT NULL,
  made varchar(4096) NOT NULL, message varchar(4096), created_at timestamp NOT NULL, updated_at timestamp NOT NULL) DISTSTYLE ALL",
    r#"INSERT INTO immuta_system.integration VALUES ('id-1', 'Redshift', 'automatic', 'creating', 1, 1, 'run-1', 'digest', '{"database": true}', NULL, getdate(), getdate())"#,
    "COMMIT",
];

/// The second transaction; `{g}` is the impersonation group or role, with its kind where a grant wants one.
fn work(kind: &str) -> Vec<String> {
    let key = format!("INSERT INTO immuta_system.impersonation VALUES ('{KEY}')");
    let user = format!(
        "CREATE USER {SYSTEM_USER} PASSWORD 'md5{}' NOCREATEDB NOCREATEUSER",
        "0123456789abcdef0123456789abcdef"
    );
    [
        "BEGIN",
        &user,
        &format!("CREATE {kind} immuta_impersonators"),
        "GRANT CREATE, TEMP ON DATABASE governed TO immuta_system_user",
        "REVOKE ALL ON DATABASE governed FROM PUBLIC",
        "GRANT TEMP ON DATABASE governed TO PUBLIC",
        "REVOKE CREATE ON SCHEMA public FROM PUBLIC",
        "GRANT ALL ON SCHEMA immuta_system TO immuta_system_user",
        "SET SESSION AUTHORIZATION 'immuta_system_user'",
        "CREATE SCHEMA immuta_functions",
        "CREATE SCHEMA immuta_procedures",
        "CREATE TABLE immuta_system.profile (immuta__userid varchar(256) NOT NULL, immuta__groups varchar(65535), immuta__attributes varchar(65535), immuta__projects varchar(65535), immuta__tables varchar(65535)) DISTSTYLE ALL SORTKEY (immuta__userid)",
        "CREATE TABLE immuta_system.impersonation (impersonation_key varchar(64) NOT NULL) DISTSTYLE ALL",
        &key,
        PROCEDURE,
        INNER_VIEW,
        VIEW,
        "GRANT SELECT ON immuta_system.user_profile TO PUBLIC",
        &format!("GRANT EXECUTE ON PROCEDURE immuta_procedures.impersonate_user(varchar) TO {kind} immuta_impersonators"),
        "GRANT USAGE ON SCHEMA immuta_functions, immuta_procedures TO PUBLIC",
        "SET SESSION AUTHORIZATION DEFAULT",
        "GRANT USAGE ON SCHEMA immuta_system TO PUBLIC",
        "ALTER DATABASE governed OWNER TO immuta_system_user",
        "SELECT count(*) FROM immuta_system.user_profile",
        "CALL immuta_procedures.impersonate_user(NULL)",
        "UPDATE immuta_system.integration SET status = 'enabled', run_id = NULL, generation = generation + 1, updated_at = getdate() WHERE run_id = 'run-1'",
        "COMMIT",
    ]
    .iter()
    .map(|sql| (*sql).to_owned())
    .collect()
}

pub async fn run(client: &mut Client, statements: &[impl AsRef<str>]) -> Vec<String> {
    let mut tags = Vec::new();
    for sql in statements {
        let sql = sql.as_ref();
        tags.extend(client.query(sql).await.unwrap_or_else(|e| panic!("{sql}: {e}")).tags);
    }
    tags
}

/// A stand-in with the integration in the database `governed`, and the users ann and bob in its profile table.
pub fn bootstrapped(kind: &str) -> Standin {
    let standin = start();
    ok(&standin, "CREATE DATABASE governed WITH ISOLATION LEVEL SNAPSHOT");
    block_on(async {
        let mut admin = standin.session(SUPERUSER, None, "governed").await.expect("opens");
        run(&mut admin, &MARKER).await;
        let tags = run(&mut admin, &work(kind)).await;
        assert!(tags.ends_with(&["SELECT 1".into(), "CALL".into(), "UPDATE 1".into(), "COMMIT".into()]), "{tags:?}");
    });
    for name in ["ann", "bob"] {
        user(&standin, name);
        ok_in(
            &standin,
            "governed",
            &format!("INSERT INTO immuta_system.profile VALUES ('{name}', 'g', 'of {name}', '', '')"),
        );
    }
    let member = if kind == "GROUP" {
        "ALTER GROUP immuta_impersonators ADD USER ann"
    } else {
        "GRANT ROLE immuta_impersonators TO ann"
    };
    ok(&standin, member);
    standin
}

pub fn here(standin: &Standin, user: &str, sql: &str) -> Result<Rows, Error> {
    standin.sql_as_blocking(user, PASSWORD, "governed", sql)
}

pub async fn code(client: &mut Client, sql: &str) -> String {
    match client.query(sql).await {
        Err(Error::Server(e)) => e.sqlstate,
        other => panic!("{sql}: not refused: {other:?}"),
    }
}

pub const OWN_ROW: &str = "SELECT immuta__attributes FROM immuta_system.user_profile";

pub async fn seen(client: &mut Client) -> Vec<String> {
    cells(&client.query(OWN_ROW).await.expect("reads the view").rows)
}

#[test]
fn everybody_sees_his_own_row_and_no_table() {
    let standin = bootstrapped("GROUP");
    assert_eq!(cells(&here(&standin, "bob", OWN_ROW).expect("reads")), ["of bob"]);
    for table in ["profile", "impersonation", "integration", "integration_lock"] {
        let error = refused(here(&standin, "bob", &format!("SELECT count(*) FROM immuta_system.{table}")));
        assert_eq!(
            (error.sqlstate.as_str(), error.message),
            ("42501", format!("permission denied for relation {table}"))
        );
        assert_eq!(refused(here(&standin, "bob", &format!("LOCK immuta_system.{table}"))).sqlstate, "42501");
    }
    for (sql, code) in [
        ("CREATE TABLE public.mine (a int)", "42501"),
        ("CREATE TABLE immuta_system.mine (a int)", "42501"),
        ("CREATE SCHEMA mine", "42501"),
        ("CALL immuta_procedures.impersonate_user('ann')", "42501"),
        ("CALL immuta_procedures.impersonate_user(NULL)", "42501"),
        ("SET SESSION AUTHORIZATION ann", "42501"),
        ("DROP DATABASE sample", "42501"),
        ("ALTER DATABASE governed OWNER TO bob", "42501"),
    ] {
        assert_eq!(refused(here(&standin, "bob", sql)).sqlstate, code, "{sql}");
    }
    for owned in ["profile", "impersonation", "user_profile"] {
        let owner = format!("SELECT pg_get_userbyid(c.relowner) FROM pg_class c WHERE c.relname = '{owned}'");
        assert_eq!(cells(&ok_in(&standin, "governed", &owner)), [SYSTEM_USER]);
    }
    let marker = "SELECT status, generation, run_id FROM immuta_system.integration";
    assert_eq!(cells(&ok_in(&standin, "governed", marker)), ["enabled|2|-"]);
    // Without impersonation: the view's other form, its grant kept.
    block_on(async {
        let mut admin = standin.session(SUPERUSER, None, "governed").await.expect("opens");
        run(&mut admin, &["BEGIN", "SET SESSION AUTHORIZATION immuta_system_user", PLAIN_VIEW]).await;
        run(
            &mut admin,
            &[
                "DROP PROCEDURE immuta_procedures.impersonate_user(varchar)",
                "DROP TABLE immuta_system.impersonation",
                "COMMIT",
            ],
        )
        .await;
    });
    assert_eq!(cells(&here(&standin, "bob", OWN_ROW).expect("reads")), ["of bob"]);
}

#[test]
fn everything_of_a_transaction_rolls_back() {
    let standin = start();
    ok(&standin, "CREATE DATABASE governed WITH ISOLATION LEVEL SNAPSHOT");
    let names = "SELECT usename FROM pg_user WHERE usename LIKE 'immuta%'";
    let groups = "SELECT groname FROM pg_group WHERE groname LIKE 'immuta%'";
    block_on(async {
        let mut admin = standin.session(SUPERUSER, None, "governed").await.expect("opens");
        run(&mut admin, &MARKER).await;
        let mut work = work("GROUP");
        work.pop();
        run(&mut admin, &work).await;
        run(&mut admin, &["ROLLBACK"]).await;
        assert_eq!(cells(&admin.query("SELECT session_user").await.expect("answers").rows), [SUPERUSER]);
        let owner = "SELECT pg_get_userbyid(d.datdba) FROM pg_database d WHERE d.datname = 'governed'";
        assert_eq!(cells(&admin.query(owner).await.expect("answers").rows), [SUPERUSER]);
        for sql in [names, groups] {
            assert_eq!(admin.query(sql).await.expect("answers").rows.len(), 0);
        }
        // CREATE and DROP DATABASE stand alone.
        for sql in ["CREATE DATABASE another WITH ISOLATION LEVEL SNAPSHOT", "DROP DATABASE sample"] {
            run(&mut admin, &["BEGIN"]).await;
            assert_eq!(code(&mut admin, sql).await, "25001");
            run(&mut admin, &["ROLLBACK"]).await;
        }
    });
}

#[test]
fn a_lock_shuts_out_readers_until_its_session_ends() {
    let standin = bootstrapped("GROUP");
    let holders = "SELECT txn_owner, txn_db, pid, lock_mode, lockable_object_type, granted FROM svv_transactions WHERE lock_mode = 'AccessExclusiveLock' AND lockable_object_type = 'relation' AND txn_db = 'governed'";
    block_on(async {
        let mut holder = standin.session(SUPERUSER, None, "governed").await.expect("opens");
        let mut other = standin.session(SUPERUSER, None, "governed").await.expect("opens");
        let tags =
            run(&mut holder, &["SET statement_timeout TO 15000", "BEGIN", "LOCK immuta_system.integration_lock"]).await;
        assert_eq!(tags[2], "LOCK TABLE");
        let pid = cells(&holder.query("SELECT pg_backend_pid()").await.expect("answers").rows).concat();
        run(&mut other, &["SET statement_timeout TO 200", "SELECT status FROM immuta_system.integration", "BEGIN"])
            .await;
        assert_eq!(code(&mut other, "LOCK TABLE immuta_system.integration_lock").await, "57014");
        run(&mut other, &["ROLLBACK"]).await;
        assert_eq!(
            code(&mut other, "SELECT count(*) FROM immuta_system.integration_lock").await,
            "57014",
            "readers too"
        );
        let mut bob = standin.session("bob", Some(PASSWORD), "governed").await.expect("opens");
        assert!(bob.query(holders).await.expect("answers").rows.is_empty(), "others are for superusers to see");
        let mut root = standin.session(SUPERUSER, None, "dev").await.expect("opens");
        let rows = cells(&root.query(holders).await.expect("answers").rows);
        assert_eq!(rows, [format!("awsuser|governed|{pid}|AccessExclusiveLock|relation|t")]);
        let named = format!(
            "SELECT x.relation FROM svv_transactions x WHERE x.pid = {pid} AND x.xid > 0 AND x.txn_start IS NOT NULL AND x.lock_mode = 'AccessExclusiveLock' AND x.lockable_object_type = 'relation'"
        );
        let oid = cells(&root.query(&named).await.expect("answers").rows).concat();
        let name = format!("SELECT c.relname FROM pg_class c WHERE c.oid = {oid}");
        assert_eq!(cells(&bob.query(&name).await.expect("answers").rows), ["integration_lock"]);
        drop(holder);
        run(&mut other, &["SET statement_timeout TO 5000", "BEGIN", "LOCK immuta_system.integration_lock", "ROLLBACK"])
            .await;
        run(&mut other, &["LOCK immuta_system.integration_lock"]).await;
        assert_eq!(code(&mut other, "LOCK immuta_system.user_profile").await, "42809", "no views");
        assert_eq!(code(&mut other, "LOCK immuta_system.nothing").await, "42P01");
    });
}

#[test]
fn it_is_removed_without_a_trace() {
    let standin = bootstrapped("GROUP");
    block_on(async {
        let mut admin = standin.session(SUPERUSER, None, "governed").await.expect("opens");
        let mut bob = standin.session("bob", Some(PASSWORD), "governed").await.expect("opens");
        assert_eq!(code(&mut admin, "DROP USER immuta_system_user").await, "55006");
        run(
            &mut admin,
            &[
                "UPDATE immuta_system.integration SET status = 'deleting', run_id = 'run-2', generation = generation + 1, updated_at = getdate() WHERE generation = 2",
                "BEGIN",
                "DROP VIEW immuta_system.user_profile RESTRICT",
                "DROP PROCEDURE immuta_procedures.impersonate_user(varchar)",
                "DROP TABLE IF EXISTS immuta_system.impersonation RESTRICT",
                "DROP TABLE immuta_system.profile",
                "DROP SCHEMA immuta_functions",
                "DROP SCHEMA IF EXISTS immuta_procedures RESTRICT",
                "REVOKE ALL ON SCHEMA immuta_system FROM immuta_system_user",
                "REVOKE ALL ON DATABASE governed FROM immuta_system_user",
                "ALTER DATABASE governed OWNER TO awsuser",
                "DROP USER immuta_system_user",
                "DROP GROUP immuta_impersonators",
                "COMMIT",
            ],
        )
        .await;
        let sessions =
            "SELECT process, user_name, db_name FROM stv_sessions WHERE db_name = 'governed' AND process <> ";
        let others = format!(
            "{sessions}{}",
            cells(&admin.query("SELECT pg_backend_pid()").await.expect("answers").rows).concat()
        );
        let rows = admin.query(&others).await.expect("answers").rows;
        let shown = cells(&rows).concat();
        assert!(
            shown.contains("|bob ") && shown.ends_with("governed                                          "),
            "char(50): {shown}"
        );
        let own = bob.query("SELECT process, user_name FROM stv_sessions").await.expect("answers").rows;
        assert_eq!(own.len(), 1, "own rows only");
        let admins = cells(&admin.query("SELECT pg_backend_pid()").await.expect("answers").rows).concat();
        assert_eq!(code(&mut bob, &format!("SELECT pg_terminate_backend({admins})")).await, "42501");
        drop(admin);
        let mut admin = standin.session(SUPERUSER, None, "dev").await.expect("opens");
        let busy = admin.query("DROP DATABASE governed").await;
        assert!(
            matches!(busy, Err(Error::Server(e)) if e.sqlstate == "55006" && e.message == "database \"governed\" is being accessed by other users")
        );
        let pid = rows[0][0].clone().expect("a pid");
        assert_eq!(
            code(&mut admin, &format!("SELECT pg_terminate_backend({pid}), process FROM stv_sessions")).await,
            "0A000",
            "leader and compute"
        );
        run(&mut admin, &[format!("SELECT pg_terminate_backend({pid})")]).await;
        assert!(bob.query("SELECT 1").await.is_err(), "ended");
        run(&mut admin, &["DROP DATABASE governed"]).await;
    });
    assert_eq!(ok(&standin, "SELECT datname FROM pg_database WHERE datname = 'governed'").len(), 0);
}

#[test]
fn a_login_without_superuser_does_what_its_permissions_are() {
    let standin = start();
    ok(&standin, &format!("CREATE USER builder PASSWORD '{PASSWORD}' CREATEDB"));
    for sql in [
        "CREATE ROLE builders",
        "GRANT CREATE USER, DROP USER, ALTER USER, CREATE ROLE TO ROLE builders",
        "GRANT ROLE builders TO builder",
    ] {
        ok(&standin, sql);
    }
    as_user(&standin, "builder", "CREATE DATABASE governed WITH ISOLATION LEVEL SNAPSHOT").expect("CREATEDB");
    block_on(async {
        let mut builder = standin.session("builder", Some(PASSWORD), "governed").await.expect("opens");
        run(&mut builder, &MARKER).await;
        for sql in [
            "CREATE GROUP immuta_impersonators",
            "ALTER DATABASE governed OWNER TO builders",
            "SET SESSION AUTHORIZATION etl",
            "CREATE SCHEMA theirs AUTHORIZATION etl",
            "ALTER SCHEMA immuta_system OWNER TO etl",
            "ALTER TABLE immuta_system.integration OWNER TO etl",
        ] {
            assert_eq!(code(&mut builder, sql).await, "42501", "{sql}");
        }
        let revoked = builder.query("REVOKE CREATE ON SCHEMA public FROM PUBLIC").await.expect("a warning only");
        assert_eq!(revoked.notices[0].0, "01006", "public is rdsdb's");
        let made = format!("CREATE USER immuta_system_user PASSWORD '{PASSWORD}' NOCREATEDB NOCREATEUSER");
        run(
            &mut builder,
            &[
                "BEGIN",
                &made,
                "CREATE ROLE immuta_impersonators",
                "GRANT CREATE, TEMP ON DATABASE governed TO immuta_system_user",
                "GRANT ALL ON SCHEMA immuta_system TO immuta_system_user",
                "COMMIT",
            ],
        )
        .await;
        let mut system = standin.session(SYSTEM_USER, Some(PASSWORD), "governed").await.expect("opens");
        let own: Vec<String> = work("ROLE").into_iter().skip(9).take(11).collect();
        run(&mut system, &own).await;
        assert_eq!(code(&mut system, "UPDATE immuta_system.integration SET status = 'x'").await, "42501");
        drop(system);
        let others = "SELECT process FROM stv_sessions WHERE user_name <> 'builder'";
        assert_eq!(builder.query(others).await.expect("answers").rows.len(), 0);
    });
    let owner = "SELECT pg_get_userbyid(c.relowner) FROM pg_class c WHERE c.relname = 'user_profile'";
    assert_eq!(cells(&ok_in(&standin, "governed", owner)), [SYSTEM_USER]);
}
