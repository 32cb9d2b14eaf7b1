//! One statement of every form on the list.

use std::collections::BTreeSet;

use super::*;
use crate::token::statements;

fn rewrite(sql: &str) -> Result<Plan, Refusal> {
    let (allowed, names) = (Allowed::new(&[]).expect("the list is whole"), Names::default());
    let (binding, reads) = (Binding::default(), RefCell::default());
    let context = Context {
        allowed: &allowed,
        names: &names,
        case_sensitive: false,
        namespace: Some("n"),
        in_transaction: false,
        kind: WarehouseKind::default(),
        binding: &binding,
        reads: &reads,
        text: sql,
    };
    plan(&statements(sql)?[0], &context)
}

/// One statement of every form, and what it becomes; `~` joins PostgreSQL's statements.
const CASES: &[(&str, &str, &str)] = &[
    ("select", "select U.\"UseName\" from PG_USER u", "SELECT \"u\".\"usename\" FROM pg_catalog.rs_user u"),
    ("select", "SELECT current_namespace", "SELECT 'n'::varchar AS current_namespace"),
    ("explain", "EXPLAIN VERBOSE SELECT 1", "EXPLAIN VERBOSE SELECT 1"),
    ("begin", "begin work", "BEGIN"),
    ("start-transaction", "START TRANSACTION", "START TRANSACTION"),
    ("commit", "END", "COMMIT"),
    ("rollback", "ABORT TRANSACTION", "ROLLBACK"),
    ("set-statement-timeout", "SET statement_timeout = 5", "SET statement_timeout TO 5"),
    ("set-application-name", r"SET application_name TO 'a\'b'", "SET application_name TO 'a''b'"),
    ("set-search-path", "SET search_path TO '$user', public", "SET search_path TO '$user', \"public\""),
    (
        "set-case-sensitive",
        "SET enable_case_sensitive_identifier TO true",
        "SET standin.enable_case_sensitive_identifier TO on",
    ),
    ("set-variable", "SET p_session.who TO 'a'", "SET rs_variable.p_session.who TO 'a'"),
    ("reset-variable", "RESET p_session.who", "RESET rs_variable.p_session.who"),
    (
        "set-session-authorization",
        r"SET SESSION AUTHORIZATION 'O\'Hara'",
        "SELECT pg_catalog.rs_may_authorize('O''Hara')~SET SESSION AUTHORIZATION \"O'Hara\"",
    ),
    ("default-session-authorization", "SET SESSION AUTHORIZATION DEFAULT", "SET SESSION AUTHORIZATION DEFAULT"),
    (
        "create-user",
        "CREATE USER \"Ann\" PASSWORD DISABLE",
        "SELECT pg_catalog.rs_create_user('Ann', '{\"password\":null}')",
    ),
    ("rename-user", "ALTER USER a RENAME TO \"B\"", "SELECT pg_catalog.rs_rename_user('a', 'B')"),
    (
        "alter-user",
        "ALTER USER a CONNECTION LIMIT UNLIMITED",
        "SELECT pg_catalog.rs_alter_user('a', '{\"connection_limit\":-1}')",
    ),
    ("drop-user", "DROP USER IF EXISTS a, b", "SELECT pg_catalog.rs_drop_users(ARRAY['a', 'b']::text[], 'IF EXISTS')"),
    ("create-group", "CREATE GROUP g WITH USER a", "SELECT pg_catalog.rs_create_group('\u{1}g', ARRAY['a']::text[])"),
    (
        "alter-group",
        "ALTER GROUP g DROP USER a",
        "SELECT pg_catalog.rs_alter_group('\u{1}g', 'DROP', ARRAY['a']::text[])",
    ),
    ("drop-group", "DROP GROUP g", "SELECT pg_catalog.rs_drop_group('\u{1}g')"),
    ("create-role", "CREATE ROLE r", "SELECT pg_catalog.rs_create_role('\u{2}r')"),
    ("drop-role", "DROP ROLE r FORCE", "SELECT pg_catalog.rs_drop_role('\u{2}r', 'FORCE')"),
    ("own-role", "ALTER ROLE r OWNER TO a", "SELECT pg_catalog.rs_own_role('\u{2}r', 'a')"),
    (
        "grant-role",
        "GRANT ROLE r TO a, ROLE s",
        "SELECT pg_catalog.rs_grant_roles(ARRAY['\u{2}r']::text[], ARRAY['a', '\u{2}s']::text[], NULL)",
    ),
    (
        "revoke-role",
        "REVOKE ROLE r FROM ROLE s",
        "SELECT pg_catalog.rs_revoke_roles(ARRAY['\u{2}r']::text[], ARRAY['\u{2}s']::text[], NULL)",
    ),
    (
        "grant-system",
        "GRANT CREATE USER, ACCESS SYSTEM TABLE TO ROLE r",
        "SELECT pg_catalog.rs_system_rights(true, ARRAY['CREATE USER', 'ACCESS SYSTEM TABLE']::text[], ARRAY['\u{2}r']::text[])",
    ),
    (
        "revoke-system",
        "REVOKE DROP USER FROM ROLE r",
        "SELECT pg_catalog.rs_system_rights(false, ARRAY['DROP USER']::text[], ARRAY['\u{2}r']::text[])",
    ),
    (
        "grant-assumerole",
        "GRANT ASSUMEROLE ON ALL TO a FOR EXTERNAL FUNCTION",
        "SELECT pg_catalog.rs_assumerole(true, coalesce(NULL, 'ALL'), 'a', 'EXTERNAL FUNCTION')",
    ),
    (
        "revoke-assumerole",
        "REVOKE ASSUMEROLE ON 'arn' FROM a FOR COPY",
        "SELECT pg_catalog.rs_assumerole(false, coalesce('arn', NULL), 'a', 'COPY')",
    ),
    (
        "grant-scoped",
        "GRANT SELECT, INSERT FOR TABLES IN SCHEMA s DATABASE d TO ROLE r",
        "SELECT pg_catalog.rs_scoped(true, 'SELECT, INSERT', 's', 'd', ARRAY['\u{2}r']::text[])",
    ),
    (
        "revoke-scoped",
        "REVOKE SELECT FOR TABLES IN SCHEMA s DATABASE d FROM a",
        "SELECT pg_catalog.rs_scoped(false, 'SELECT', 's', 'd', ARRAY['a']::text[])",
    ),
    (
        "grant-scoped-database",
        "GRANT SELECT FOR TABLES IN DATABASE d TO a",
        "SELECT pg_catalog.rs_scoped(true, 'SELECT', NULL, 'd', ARRAY['a']::text[])",
    ),
    (
        "revoke-scoped-database",
        "REVOKE SELECT FOR TABLES IN DATABASE d FROM ROLE r",
        "SELECT pg_catalog.rs_scoped(false, 'SELECT', NULL, 'd', ARRAY['\u{2}r']::text[])",
    ),
    (
        "grant-scope",
        "GRANT EXECUTE FOR FUNCTIONS IN SCHEMA s DATABASE d TO ROLE r",
        "SELECT pg_catalog.rs_scope(true, 'EXECUTE', 'FUNCTIONS', 's', 'd', ARRAY['\u{2}r']::text[])",
    ),
    (
        "revoke-scope",
        "REVOKE ALL FOR PROCEDURES IN SCHEMA s DATABASE d FROM a",
        "SELECT pg_catalog.rs_scope(false, 'ALL', 'PROCEDURES', 's', 'd', ARRAY['a']::text[])",
    ),
    (
        "grant-scope-database",
        "GRANT CREATE, DROP FOR COPY JOBS IN DATABASE d TO a",
        "SELECT pg_catalog.rs_scope(true, 'CREATE, DROP', 'COPY JOBS', NULL, 'd', ARRAY['a']::text[])",
    ),
    (
        "revoke-scope-database",
        "REVOKE USAGE FOR LANGUAGES IN DATABASE d FROM a",
        "SELECT pg_catalog.rs_scope(false, 'USAGE', 'LANGUAGES', NULL, 'd', ARRAY['a']::text[])",
    ),
    ("create-datashare", "CREATE DATASHARE x", "SELECT pg_catalog.rs_datashare(true, 'x')"),
    ("drop-datashare", "DROP DATASHARE x", "SELECT pg_catalog.rs_datashare(false, 'x')"),
    (
        "grant-datashare",
        "GRANT ALTER, SHARE ON DATASHARE x TO a",
        "SELECT pg_catalog.rs_on_datashare(true, ARRAY['ALTER', 'SHARE']::text[], 'x', ARRAY['a']::text[])",
    ),
    (
        "revoke-datashare",
        "REVOKE SHARE ON DATASHARE x FROM GROUP g",
        "SELECT pg_catalog.rs_on_datashare(false, ARRAY['SHARE']::text[], 'x', ARRAY['\u{1}g']::text[])",
    ),
    (
        "grant-schema",
        "GRANT USAGE, CREATE ON SCHEMA \"S\" TO GROUP g, ROLE r, a, PUBLIC",
        "SELECT pg_catalog.rs_check_schemas(ARRAY['s']::text[], 'USAGE, CREATE', false)~GRANT USAGE, CREATE ON SCHEMA \"s\" TO \"\u{1}g\", \"\u{2}r\", \"a\", PUBLIC",
    ),
    (
        "revoke-schema",
        "REVOKE ALL ON SCHEMA s FROM a RESTRICT",
        "SELECT pg_catalog.rs_check_schemas(ARRAY['s']::text[], 'ALL', false)~REVOKE  ALL ON SCHEMA \"s\" FROM \"a\"",
    ),
    (
        "grant-all-tables",
        "GRANT SELECT ON ALL TABLES IN SCHEMA s TO a WITH GRANT OPTION",
        "SELECT pg_catalog.rs_no_column_rights(ARRAY['s']::text[], NULL, 'SELECT', ARRAY['a']::text[])~SELECT pg_catalog.rs_on_all_tables('GRANT ', 'SELECT', ARRAY['s']::text[], ' TO ', '\"a\"', 'WITH GRANT OPTION')",
    ),
    (
        "revoke-all-tables",
        "REVOKE ALL PRIVILEGES ON ALL TABLES IN SCHEMA s FROM a",
        "SELECT pg_catalog.rs_on_all_tables('REVOKE  ', 'ALL', ARRAY['s']::text[], ' FROM ', '\"a\"', '')",
    ),
    (
        "grant-all-routines",
        "GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA s TO a",
        "GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA \"s\" TO \"a\" ",
    ),
    (
        "revoke-all-routines",
        "REVOKE ALL ON ALL PROCEDURES IN SCHEMA s FROM a",
        "REVOKE ALL ON ALL PROCEDURES IN SCHEMA \"s\" FROM \"a\"",
    ),
    (
        "grant-routine",
        "GRANT EXECUTE ON PROCEDURE s.p(varchar, int) TO a",
        "GRANT EXECUTE ON PROCEDURE \"s\".\"p\"(varchar, int4) TO \"a\" ",
    ),
    ("revoke-routine", "REVOKE ALL ON FUNCTION f() FROM PUBLIC", "REVOKE ALL ON FUNCTION \"f\"() FROM PUBLIC"),
    ("grant-database", "GRANT ALL ON DATABASE d TO a", "GRANT CREATE, TEMPORARY ON DATABASE \"d\" TO \"a\""),
    ("revoke-database", "REVOKE TEMP ON DATABASE d FROM PUBLIC", "REVOKE  TEMP ON DATABASE \"d\" FROM PUBLIC"),
    ("grant-language", "GRANT USAGE ON LANGUAGE plpgsql TO a", "GRANT USAGE ON LANGUAGE \"plpgsql\" TO \"a\" "),
    ("revoke-language", "REVOKE ALL ON LANGUAGE plpgsql FROM a", "REVOKE ALL ON LANGUAGE \"plpgsql\" FROM \"a\""),
    ("grant-columns", "GRANT SELECT (a, b) ON s.t TO u", "GRANT SELECT (\"a\", \"b\") ON TABLE \"s\".\"t\" TO \"u\""),
    ("revoke-columns", "REVOKE SELECT (a) ON TABLE t FROM u", "REVOKE SELECT (\"a\") ON TABLE \"t\" FROM \"u\""),
    (
        "grant-table",
        "GRANT SELECT ON TABLE s.t, u TO a",
        "SELECT pg_catalog.rs_no_column_rights(NULL, ARRAY['\"s\".\"t\"', '\"u\"']::text[], 'SELECT', ARRAY['a']::text[])~GRANT SELECT ON TABLE \"s\".\"t\", \"u\" TO \"a\"",
    ),
    (
        "revoke-table",
        "REVOKE SELECT, TRUNCATE, ALTER, DROP ON t FROM a",
        "REVOKE SELECT, TRUNCATE, TRIGGER ON TABLE \"t\" FROM \"a\"",
    ),
    (
        "revoke-table",
        "REVOKE GRANT OPTION FOR SELECT ON t FROM a",
        "REVOKE GRANT OPTION FOR SELECT ON TABLE \"t\" FROM \"a\"",
    ),
    (
        "default-grant",
        "ALTER DEFAULT PRIVILEGES FOR USER o IN SCHEMA s GRANT SELECT ON TABLES TO ROLE r",
        "SELECT pg_catalog.rs_default_privileges(ARRAY['o']::text[], ARRAY['s']::text[], 'GRANT ', 'SELECT', 'TABLES TO ', '\"\u{2}r\"', '')",
    ),
    (
        "default-revoke",
        "ALTER DEFAULT PRIVILEGES FOR USER o REVOKE ALL ON TABLES FROM a",
        "SELECT pg_catalog.rs_default_privileges(ARRAY['o']::text[], NULL, 'REVOKE  ', 'ALL', 'TABLES FROM ', '\"a\"', '')",
    ),
    (
        "default-grant-routines",
        "ALTER DEFAULT PRIVILEGES GRANT ALL ON FUNCTIONS TO a, PUBLIC",
        "SELECT pg_catalog.rs_default_privileges(NULL, NULL, 'GRANT ', 'ALL', 'ROUTINES TO ', '\"a\", PUBLIC', '')",
    ),
    (
        "default-revoke-routines",
        "ALTER DEFAULT PRIVILEGES IN SCHEMA s REVOKE EXECUTE ON PROCEDURES FROM a",
        "SELECT pg_catalog.rs_default_privileges(NULL, ARRAY['s']::text[], 'REVOKE ', 'EXECUTE', 'ROUTINES FROM ', '\"a\"', '')",
    ),
    (
        "create-database",
        "CREATE DATABASE d WITH OWNER = \"O\" ISOLATION LEVEL SNAPSHOT",
        "CREATE DATABASE \"d\" OWNER \"O\"",
    ),
    (
        "create-database",
        "CREATE DATABASE d COLLATE CASE_INSENSITIVE ISOLATION LEVEL SNAPSHOT",
        "CREATE DATABASE \"d\" CONNECTION LIMIT 262142",
    ),
    ("drop-database", "DROP DATABASE d FORCE", "DROP DATABASE \"d\" WITH (FORCE)"),
    (
        "own-database",
        "ALTER DATABASE d OWNER TO a",
        "SELECT pg_catalog.rs_superuser('change owner')~ALTER DATABASE \"d\" OWNER TO \"a\"",
    ),
    ("rename-database", "ALTER DATABASE d RENAME TO e", "ALTER DATABASE \"d\" RENAME TO \"e\""),
    (
        "create-schema",
        "CREATE SCHEMA IF NOT EXISTS s AUTHORIZATION a",
        "CREATE SCHEMA IF NOT EXISTS \"s\" AUTHORIZATION \"a\"",
    ),
    ("drop-schema", "DROP SCHEMA s, t CASCADE", "DROP SCHEMA  \"s\", \"t\" CASCADE"),
    (
        "own-schema",
        "ALTER SCHEMA s OWNER TO a",
        "SELECT pg_catalog.rs_superuser('change owner')~ALTER SCHEMA \"s\" OWNER TO \"a\"",
    ),
    (
        "create-schema-quota",
        "CREATE SCHEMA s AUTHORIZATION a QUOTA 5 GB",
        "CREATE SCHEMA \"s\" AUTHORIZATION \"a\"~SELECT pg_catalog.rs_quota('s', '5', 'GB')",
    ),
    (
        "quota-schema",
        "ALTER SCHEMA s QUOTA UNLIMITED",
        "SELECT pg_catalog.rs_superuser('change a quota')~SELECT pg_catalog.rs_quota('s', NULL, NULL)",
    ),
    ("rename-schema", "ALTER SCHEMA s RENAME TO t", "ALTER SCHEMA \"s\" RENAME TO \"t\""),
    (
        "create-external-schema",
        "CREATE EXTERNAL SCHEMA s FROM DATA CATALOG DATABASE 'd' IAM_ROLE DEFAULT",
        "SELECT pg_catalog.rs_alone('CREATE EXTERNAL SCHEMA', false)~CREATE SCHEMA \"s\"~SELECT pg_catalog.rs_external('s', 'd', NULL, NULL)",
    ),
    (
        "create-external-table",
        "CREATE EXTERNAL TABLE s.t (a int, \"B\" varchar(20), c decimal(10,2), d real) PARTITIONED BY (e date) ROW FORMAT DELIMITED FIELDS TERMINATED BY '|' STORED AS TEXTFILE LOCATION 's3://b/t/' TABLE PROPERTIES ('numRows'='5')",
        "SELECT pg_catalog.rs_alone('CREATE EXTERNAL TABLE', false)~SELECT pg_catalog.rs_create_external(ARRAY['\"s\".\"t\"']::text[], '[{\"name\":\"a\",\"shown\":\"int\",\"type\":\"int4\"},{\"name\":\"b\",\"shown\":\"varchar(20)\",\"type\":\"varchar(20)\"},{\"name\":\"c\",\"shown\":\"decimal(10,2)\",\"type\":\"numeric(10,2)\"},{\"name\":\"d\",\"shown\":\"float\",\"type\":\"float4\"}]', '[{\"name\":\"e\",\"shown\":\"date\",\"type\":\"date\"}]', 'TEXTFILE', 's3://b/t/', '{\"numRows\":\"5\"}')",
    ),
    (
        "create-external-table",
        "CREATE EXTERNAL TABLE s.t (a char) STORED AS PARQUET LOCATION 's3://b/t/'",
        "SELECT pg_catalog.rs_alone('CREATE EXTERNAL TABLE', false)~SELECT pg_catalog.rs_create_external(ARRAY['\"s\".\"t\"']::text[], '[{\"name\":\"a\",\"shown\":\"char(1)\",\"type\":\"char(1)\"}]', NULL, 'PARQUET', 's3://b/t/', NULL)",
    ),
    ("create-table-as", "CREATE TABLE t DISTSTYLE ALL AS SELECT 1 AS a", "CREATE TABLE \"t\" AS SELECT 1 AS \"a\""),
    ("create-temp-table", "CREATE TEMP TABLE t (a int)", "CREATE TEMP TABLE \"t\" (\"a\" int4)"),
    (
        "create-table",
        "CREATE TABLE t (a varchar(max) ENCODE lzo NOT NULL, b char, c decimal(4,2) DEFAULT 1, PRIMARY KEY (a)) DISTKEY (a) COMPOUND SORTKEY (a, b)",
        "CREATE TABLE  \"t\" (\"a\" varchar(65535) CHECK (pg_catalog.rs_fits(\"a\", 65535)) NOT NULL, \"b\" char, \"c\" numeric(4, 2) DEFAULT 1)",
    ),
    (
        "create-late-view",
        "CREATE VIEW v AS SELECT a FROM s.t WITH NO SCHEMA BINDING",
        "SELECT pg_catalog.rs_late_view(ARRAY['\"v\"']::text[], NULL, 'CREATE VIEW v AS SELECT a FROM s.t WITH NO SCHEMA BINDING')",
    ),
    (
        "create-view",
        "CREATE OR REPLACE VIEW v AS SELECT a FROM t",
        "SELECT pg_catalog.rs_view_columns(ARRAY['\"v\"']::text[], false)~CREATE OR REPLACE VIEW \"v\" AS SELECT a FROM \"t\"~COMMENT ON VIEW \"v\" IS NULL~SELECT pg_catalog.rs_view_columns(ARRAY['\"v\"']::text[], true)",
    ),
    (
        "drop-table",
        "DROP TABLE IF EXISTS s.t",
        "SELECT pg_catalog.rs_drop_tables(ARRAY['\"s\".\"t\"']::text[], 'IF EXISTS', '', false)",
    ),
    (
        "drop-view",
        "DROP VIEW v CASCADE",
        "SELECT pg_catalog.rs_plain_views(ARRAY['\"v\"']::text[])~DROP VIEW  \"v\" CASCADE",
    ),
    (
        "create-materialized-view",
        "CREATE MATERIALIZED VIEW s.m AS SELECT a FROM t",
        "SELECT pg_catalog.rs_materialize(ARRAY['\"s\".\"m\"']::text[], 'SELECT a FROM \"t\"', 'CREATE MATERIALIZED VIEW s.m AS SELECT a FROM t')",
    ),
    (
        "create-materialized-view",
        "CREATE MATERIALIZED VIEW m BACKUP NO DISTSTYLE KEY DISTKEY (a) SORTKEY (a) AUTO REFRESH NO AS SELECT 1 AS a",
        "SELECT pg_catalog.rs_materialize(ARRAY['\"m\"']::text[], 'SELECT 1 AS \"a\"', 'CREATE MATERIALIZED VIEW m BACKUP NO DISTSTYLE KEY DISTKEY (a) SORTKEY (a) AUTO REFRESH NO AS SELECT 1 AS a')",
    ),
    (
        "refresh-materialized-view",
        "REFRESH MATERIALIZED VIEW s.m",
        "SELECT pg_catalog.rs_may_refresh(ARRAY['\"s\".\"m\"']::text[])~SELECT pg_catalog.rs_refresh(ARRAY['\"s\".\"m\"']::text[], NULL::text)",
    ),
    (
        "drop-materialized-view",
        "DROP MATERIALIZED VIEW IF EXISTS m CASCADE",
        "SELECT pg_catalog.rs_drop_materialized(ARRAY['\"m\"']::text[], 'IF EXISTS', 'CASCADE')",
    ),
    (
        "set-user-datestyle",
        "ALTER USER a SET datestyle TO 'SQL, DMY'",
        "SELECT pg_catalog.rs_set_for_user('a', 'DateStyle', '''SQL, DMY''')",
    ),
    (
        "set-user-search-path",
        "ALTER USER a SET search_path TO s, '$user'",
        "SELECT pg_catalog.rs_set_for_user('a', 'search_path', '\"s\", ''$user''')",
    ),
    (
        "own-table",
        "ALTER TABLE t OWNER TO a",
        "SELECT pg_catalog.rs_superuser('change owner')~SELECT pg_catalog.rs_own_materialized(ARRAY['\"t\"']::text[])~ALTER TABLE \"t\" OWNER TO \"a\"",
    ),
    ("rename-table", "ALTER TABLE t RENAME TO u", "ALTER TABLE \"t\" RENAME TO \"u\""),
    (
        "add-column",
        "ALTER TABLE t ADD COLUMN b bigint",
        "SELECT pg_catalog.rs_owning(ARRAY['\"t\"']::text[], concat('ALTER TABLE ', '\"t\"', ' ADD COLUMN ', '\"b\" int8'))",
    ),
    (
        "drop-column",
        "ALTER TABLE t DROP b",
        "SELECT pg_catalog.rs_owning(ARRAY['\"t\"']::text[], concat('ALTER TABLE ', '\"t\"', ' DROP COLUMN ', '\"b\"'))",
    ),
    (
        "insert-values",
        "INSERT INTO t (a, b) VALUES (1, 'x'), (2, getdate())",
        "INSERT INTO \"t\" (\"a\", \"b\") VALUES ( 1 , 'x' ) , ( 2 , pg_catalog.rs_getdate ( ) )",
    ),
    ("insert-select", "INSERT INTO t SELECT a FROM u", "INSERT INTO \"t\"  SELECT a FROM \"u\""),
    ("update", "UPDATE t SET a = 1 WHERE b = 'x'", "UPDATE \"t\" SET a = 1 WHERE b = 'x'"),
    ("delete", "DELETE FROM t WHERE a = 1", "DELETE FROM \"t\" WHERE a = 1"),
    (
        "create-function",
        "CREATE FUNCTION f() RETURNS int STABLE AS $$ SELECT 1 $$ LANGUAGE sql",
        "CREATE  FUNCTION \"f\"() RETURNS int4 STABLE LANGUAGE sql AS 'SELECT 1'",
    ),
    (
        "create-procedure",
        "CREATE PROCEDURE p(a IN int) AS $$ BEGIN NULL; END $$ LANGUAGE plpgsql SECURITY DEFINER SET search_path = s",
        "CREATE PROCEDURE \"p\"(\"a\" int4) LANGUAGE plpgsql SECURITY DEFINER SET search_path TO \"s\" AS 'BEGIN NULL; END;'~COMMENT ON PROCEDURE \"p\"(\"a\" int4) IS ' BEGIN NULL; END '",
    ),
    ("call", "CALL s.p('a', NULL)", "CALL \"s\".\"p\"('a' , NULL)"),
    ("lock", "LOCK TABLE s.t, u", "SELECT pg_catalog.rs_lock(ARRAY['\"s\".\"t\"', '\"u\"']::text[])"),
    (
        "own-routine",
        "ALTER FUNCTION f() OWNER TO a",
        "SELECT pg_catalog.rs_superuser('change owner')~ALTER FUNCTION \"f\"() OWNER TO \"a\"",
    ),
    ("drop-routine", "DROP PROCEDURE p(int)", "DROP PROCEDURE \"p\"(int4)"),
];

#[test]
fn every_form_is_found_and_rewritten() {
    let squeeze = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ").replace(" :: ", "::");
    let mut seen = BTreeSet::new();
    for (id, sql, expected) in CASES {
        let plan = rewrite(sql).unwrap_or_else(|e| panic!("{sql}: {e:?}"));
        assert_eq!(plan.id, *id, "{sql}");
        assert_eq!(squeeze(&plan.sql.join("~")), squeeze(expected), "{sql}");
        seen.insert(*id);
    }
    let allowed = Allowed::new(&[]).expect("the list is whole");
    let missing: Vec<_> = allowed.forms.iter().map(|(f, _)| f.id).filter(|id| !seen.contains(id)).collect();
    assert!(missing.is_empty(), "no case for {missing:?}");
}

#[test]
fn what_has_a_form_may_still_be_refused() {
    for (sql, sqlstate) in [
        ("GRANT SELECT ON t TO ROLE r WITH GRANT OPTION", "0LP01"),
        ("GRANT SELECT ON t TO ROLE \"ds:share\"", "42501"),
        ("GRANT SELECT FOR TABLES IN SCHEMA s DATABASE d TO GROUP g", "0A000"),
        ("GRANT EXECUTE ON FUNCTION \"f\"() TO a", "42601"),
        ("CREATE ROLE \"a.b\"", "42602"),
        ("CREATE USER a PASSWORD 'weak'", "22023"),
        ("DROP DATABASE dev", "42501"),
        ("REVOKE SELECT ON t FROM a CASCADE", "0A000"),
        ("SELECT 1 FROM pg_authid", "0A000"),
        ("RESET SESSION AUTHORIZATION", "0A000"),
        ("SELECT (passed IS NOT TRUE) AS b FROM t", "0A000"),
        ("SELECT CASE WHEN passed IS UNKNOWN THEN 1 END FROM t", "0A000"),
        ("SELECT mine.f(1) FROM t WHERE f(1) = 1", "0A000"),
        ("GRANT RULE ON t TO a", "42601"),
        ("CREATE EXTERNAL TABLE s.t (a timestamptz) STORED AS PARQUET LOCATION 's3://b/t/'", "0A000"),
        ("CREATE EXTERNAL TABLE s.t (a text) STORED AS PARQUET LOCATION 's3://b/t/'", "0A000"),
        ("CREATE EXTERNAL TABLE s.t (a super) STORED AS PARQUET LOCATION 's3://b/t/'", "0A000"),
        ("CREATE EXTERNAL TABLE s.t (\"$path\" varchar(9)) STORED AS PARQUET LOCATION 's3://b/t/'", "0A000"),
        ("CREATE EXTERNAL TABLE s.t (a int) STORED AS PARQUET LOCATION '/t/'", "0A000"),
        ("CREATE EXTERNAL TABLE s.t (a int) LOCATION 's3://b/t/'", "0A000"),
        ("CREATE EXTERNAL TABLE s.t STORED AS PARQUET LOCATION 's3://b/t/' AS SELECT 1 AS a", "0A000"),
        ("GRANT SELECT ON EXTERNAL TABLE s.t TO IAM_ROLE 'arn'", "0A000"),
        ("REFRESH MATERIALIZED VIEW m CASCADE", "0A000"),
        ("REVOKE SELECT, REFERENCES, TRIGGER, DROP ON TABLE t FROM a", "42601"),
        ("ALTER DEFAULT PRIVILEGES FOR USER a IN SCHEMA s GRANT SELECT, ALTER ON TABLES TO b", "42601"),
    ] {
        assert_eq!(rewrite(sql).expect_err(sql).sqlstate, sqlstate, "{sql}");
    }
}

#[test]
fn openings_name_the_form_and_nothing_else() {
    for (sql, expected) in
        [("create user secret password 'x'", "CREATE USER"), ("select 1", "SELECT"), ("\"x\"", "statement")]
    {
        assert_eq!(opening(&statements(sql).expect("lexes")[0]), expected);
    }
}
