//! What the catalogue says, and to whom.

use super::*;

const SNAPSHOT: &str = r"SELECT n.nspname::varchar, n.nspowner, array_to_string(n.nspacl, chr(9)) AS nspacl,
       c.oid, c.relname::varchar, c.relkind::varchar, c.relowner, array_to_string(c.relacl, chr(9)) AS relacl
FROM pg_namespace n LEFT JOIN pg_class c ON c.relnamespace = n.oid AND c.relkind IN ('r','v','m')
WHERE n.nspname NOT LIKE 'pg\\_%' AND n.nspname NOT IN ('information_schema','catalog_history')";
const DEFAULTS: &str = "SELECT d.defacluser, n.nspname::varchar, d.defaclobjtype::varchar, array_to_string(d.defaclacl, chr(9)) FROM pg_default_acl d LEFT JOIN pg_namespace n ON n.oid = d.defaclnamespace";
const ROLES: &str = "SELECT namespace_name, relation_name, privilege_type, identity_name, admin_option FROM svv_relation_privileges WHERE identity_type = 'role' AND identity_name NOT LIKE 'ds:%' AND identity_name NOT LIKE 'sys:%'";
const COLUMNS: &str = "SELECT a.attrelid, a.attnum, a.attname::varchar, format_type(a.atttypid, a.atttypmod), a.attnotnull FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid JOIN pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname IN ('finance','quality') AND c.relkind IN ('r','v','m') AND a.attnum > 0 AND NOT a.attisdropped";
const DROP_USER: &str = r"SELECT 'owns' AS what, 'database' AS kind, '' AS nsp, d.datname::varchar AS obj, '' AS acl FROM pg_database d WHERE d.datdba = :id
UNION ALL SELECT 'owns','schema','', n.nspname::varchar, '' FROM pg_namespace n WHERE n.nspowner = :id AND n.nspname NOT LIKE 'pg\\_temp\\_%'
UNION ALL SELECT 'owns', CASE c.relkind WHEN 'v' THEN 'view' WHEN 'm' THEN 'mview' ELSE 'table' END, n.nspname::varchar, c.relname::varchar, ''
  FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE c.relowner = :id AND c.relkind IN ('r','v','m') AND n.nspname NOT LIKE 'pg\\_temp\\_%'
UNION ALL SELECT 'owns', CASE WHEN p.prorettype = 0 THEN 'procedure' ELSE 'function' END, n.nspname::varchar, textin(regprocedureout(p.oid::regprocedure))::varchar, ''
  FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace WHERE p.proowner = :id
UNION ALL SELECT 'default by', d.defaclobjtype::varchar, coalesce(n.nspname::varchar,''), '', array_to_string(d.defaclacl, chr(9)) FROM pg_default_acl d LEFT JOIN pg_namespace n ON n.oid = d.defaclnamespace WHERE d.defacluser = :id
UNION ALL SELECT 'default to', d.defaclobjtype::varchar, coalesce(n.nspname::varchar,''), pg_get_userbyid(d.defacluser)::varchar, array_to_string(d.defaclacl, chr(9)) FROM pg_default_acl d LEFT JOIN pg_namespace n ON n.oid = d.defaclnamespace WHERE array_to_string(d.defaclacl, chr(9)) LIKE :name
UNION ALL SELECT 'acl','database','', d.datname::varchar, array_to_string(d.datacl, chr(9)) FROM pg_database d WHERE array_to_string(d.datacl, chr(9)) LIKE :name
UNION ALL SELECT 'acl','schema','', n.nspname::varchar, array_to_string(n.nspacl, chr(9)) FROM pg_namespace n WHERE array_to_string(n.nspacl, chr(9)) LIKE :name
UNION ALL SELECT 'acl','relation', n.nspname::varchar, c.relname::varchar, array_to_string(c.relacl, chr(9)) FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE array_to_string(c.relacl, chr(9)) LIKE :name
UNION ALL SELECT 'acl', CASE WHEN p.prorettype = 0 THEN 'procedure' ELSE 'function' END, n.nspname::varchar, textin(regprocedureout(p.oid::regprocedure))::varchar, array_to_string(p.proacl, chr(9)) FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace WHERE array_to_string(p.proacl, chr(9)) LIKE :name
UNION ALL SELECT 'acl','language','', l.lanname::varchar, array_to_string(l.lanacl, chr(9)) FROM pg_language l WHERE array_to_string(l.lanacl, chr(9)) LIKE :name";

/// What blocks the dropping of a user, as the provider asks: id and LIKE prefilter put in.
pub fn blockers(standin: &Standin, database: &str, name: &str) -> Vec<String> {
    let id =
        ok(standin, &format!("SELECT usesysid FROM pg_user WHERE usename = '{name}'"))[0][0].clone().expect("an id");
    let sql = DROP_USER.replace(":id", &id).replace(":name", &format!("'%{}%'", name.replace('_', r"\\_")));
    cells(&ok_in(standin, database, &sql))
}

fn acl(standin: &Standin, relation: &str) -> String {
    let sql = format!("SELECT array_to_string(c.relacl, chr(9)) FROM pg_class c WHERE c.relname = '{relation}'");
    cells(&ok(standin, &sql)).concat()
}

#[test]
fn every_query_of_the_provider_runs_for_superusers_and_others() {
    let standin = start();
    user(&standin, "plain");
    let queries = [
        SNAPSHOT,
        DEFAULTS,
        ROLES,
        COLUMNS,
        "SELECT current_user, session_user, current_database(), version(), pg_backend_pid(), u.usesysid, u.usesuper, u.usecreatedb, current_setting('enable_case_sensitive_identifier') FROM pg_user u WHERE u.usename = current_user",
        "SELECT current_namespace",
        "SELECT 1",
        "SELECT x.relname, has_table_privilege(x.oid, 'select') FROM (SELECT c.oid, c.relname::varchar FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname = 'finance' AND c.relkind IN ('r','v','m')) x",
        "SELECT has_schema_privilege('finance', 'usage'), has_database_privilege('dev', 'create')",
        "SELECT table_name, column_name, ordinal_position, data_type, is_nullable FROM svv_columns WHERE table_schema = 'quality' AND table_name IN ('latest')",
        "SELECT usename, usesysid, usesuper, usecreatedb, valuntil FROM pg_user",
        "SELECT usename, useconnlimit FROM pg_user_info",
        "SELECT groname, grosysid, array_to_string(grolist, chr(9)) AS members FROM pg_group",
        "SELECT role_name FROM svv_roles",
        "SELECT user_name, role_name FROM svv_user_grants",
        "SELECT role_name, granted_role_name FROM svv_role_grants",
        "SELECT namespace_name, privilege_type, identity_name, admin_option, privilege_scope FROM svv_schema_privileges WHERE identity_type = 'role' AND identity_name NOT LIKE 'ds:%' AND identity_name NOT LIKE 'sys:%'",
        "SELECT database_name, privilege_type, identity_name, identity_type, privilege_scope FROM svv_database_privileges WHERE identity_name = 'plain'",
        "SELECT schema_name, object_type, owner_name, privilege_type, grantee_name, grantee_type FROM svv_default_privileges WHERE grantee_type = 'role'",
        "SELECT system_privilege, identity_name FROM svv_system_privileges WHERE identity_type = 'role'",
        "SELECT schemaname, eskind FROM svv_external_schemas",
        "SELECT namespace_name, relation_name, column_name, privilege_type FROM svv_column_privileges WHERE identity_name = 'plain'",
        "SELECT iam_arn, command_type FROM svv_iam_privileges WHERE identity_name = 'plain'",
        "SELECT datashare_name FROM svv_datashare_privileges WHERE identity_name = 'plain'",
        "SELECT polname FROM svv_rls_attached_policy WHERE grantee = 'plain'",
        "SELECT policy_name FROM svv_attached_masking_policy WHERE grantee = 'plain'",
        "SELECT database_name FROM svv_redshift_databases WHERE database_type = 'local' AND database_name NOT IN ('padb_harvest','template0','template1','sys:internal','awsdatacatalog') AND database_name NOT LIKE '%@%'",
        "SELECT usesuper, usecreatedb FROM pg_user u WHERE u.usename = current_user",
        "SELECT table_name FROM svv_tables WHERE table_schema = 'finance'",
        "SELECT trim_me.user_name FROM stv_sessions trim_me",
        "SELECT txn_owner FROM svv_transactions",
        "SELECT l.name::varchar FROM pg_library l WHERE l.owner = 101",
    ];
    for sql in queries {
        ok(&standin, sql);
        match as_user(&standin, "plain", sql) {
            // Policies are shown to superusers and sys:secadmin.
            Err(error) if sql.contains("_attached_") => assert!(error.to_string().contains("42501"), "{sql}: {error}"),
            answer => drop(answer.unwrap_or_else(|e| panic!("{sql}: {e}"))),
        }
    }
    let databases = cells(&ok(&standin, queries[26]));
    assert_eq!(databases, ["dev", "sample"]);
    assert_eq!(blockers(&standin, "dev", "plain"), Vec::<String>::new());
    assert!(blockers(&standin, "dev", "etl").contains(&"owns|table|finance|payments|".to_owned()));
}

#[test]
fn acl_text_is_redshifts() {
    let standin = start();
    for sql in [
        "CREATE USER \"Odd User\" PASSWORD DISABLE",
        "CREATE GROUP readers",
        "CREATE GROUP \"odd-readers\"",
        "CREATE ROLE reading",
        "CREATE TABLE quality.acl (a int)",
        "GRANT SELECT ON quality.acl TO GROUP readers, GROUP \"odd-readers\", ROLE reading, \"Odd User\", PUBLIC",
        "GRANT SELECT, INSERT ON quality.acl TO analyst WITH GRANT OPTION",
    ] {
        ok(&standin, sql);
    }
    let mut items: Vec<_> = acl(&standin, "acl").split('\t').map(str::to_owned).collect();
    items.sort();
    let expected = [
        "\"Odd User\"=r/awsuser",
        "=r/awsuser",
        "analyst=a*r*/awsuser",
        "awsuser=arwdRxtDPA/awsuser",
        "group \"odd-readers\"=r/awsuser",
        "group readers=r/awsuser",
    ];
    assert_eq!(items, expected, "roles are not in relacl");
    let role = ok(
        &standin,
        "SELECT relation_name, privilege_type, identity_type FROM svv_relation_privileges WHERE identity_name = 'reading'",
    );
    assert_eq!(cells(&role), ["acl|SELECT|role"]);
    let database = ok(&standin, "SELECT array_to_string(d.datacl, chr(9)) FROM pg_database d WHERE d.datname = 'dev'");
    assert_eq!(cells(&database), ["-"]);
    ok(&standin, "GRANT TEMP ON DATABASE dev TO analyst");
    let database = ok(&standin, "SELECT array_to_string(d.datacl, chr(9)) FROM pg_database d WHERE d.datname = 'dev'");
    assert_eq!(cells(&database), ["=T/rdsdb\trdsdb=CT/rdsdb\tanalyst=T/rdsdb"], "no c for CONNECT");
}

#[test]
fn default_acls_show_users_and_groups_not_roles() {
    let standin = start();
    for sql in [
        "CREATE ROLE later",
        "ALTER DEFAULT PRIVILEGES FOR USER etl IN SCHEMA finance GRANT SELECT ON TABLES TO ROLE later",
        "ALTER DEFAULT PRIVILEGES FOR USER finance_owner IN SCHEMA finance GRANT SELECT, INSERT ON TABLES TO GROUP analysts",
    ] {
        ok(&standin, sql);
    }
    let rows = cells(&ok(&standin, DEFAULTS));
    assert_eq!(rows.len(), 1, "{rows:?}");
    assert!(rows[0].ends_with("|finance|r|group analysts=ar/finance_owner"), "{rows:?}");
    let roles = ok(
        &standin,
        "SELECT schema_name, object_type, owner_name, privilege_type, grantee_name FROM svv_default_privileges WHERE grantee_type = 'role'",
    );
    assert_eq!(cells(&roles), ["finance|RELATION|etl|SELECT|later"]);
}

#[test]
fn regular_users_see_only_their_own_rows() {
    let standin = start();
    user(&standin, "ann");
    user(&standin, "bob");
    for sql in [
        "CREATE ROLE anns",
        "CREATE ROLE bobs",
        "GRANT ROLE anns TO ann",
        "GRANT ROLE bobs TO bob",
        "GRANT SELECT ON finance.accounts TO ROLE anns, ROLE bobs, ann, bob",
        "ALTER DEFAULT PRIVILEGES FOR USER etl IN SCHEMA finance GRANT SELECT ON TABLES TO bob",
    ] {
        ok(&standin, sql);
    }
    let names = |sql: &str| {
        let mut names = cells(&as_user(&standin, "ann", sql).expect("runs"));
        names.sort();
        names.dedup();
        names
    };
    let own_sessions = "SELECT count(*) FROM stv_sessions WHERE user_name <> 'ann'";
    assert_eq!(names("SELECT role_name FROM svv_roles"), ["anns"]);
    assert_eq!(names("SELECT user_name FROM svv_user_grants"), ["ann"]);
    assert_eq!(
        names("SELECT identity_name FROM svv_relation_privileges WHERE relation_name = 'accounts'"),
        ["ann", "anns"]
    );
    assert_eq!(names("SELECT defacluser FROM pg_default_acl"), Vec::<String>::new());
    assert_eq!(names("SELECT usename FROM pg_user_info"), ["ann"]);
    assert_eq!(names(own_sessions), ["0"]);
    assert!(names("SELECT usename FROM pg_user").contains(&"bob".to_owned()), "pg_user is everybody's");
    let all = names("SELECT array_to_string(c.relacl, chr(9)) FROM pg_class c WHERE c.relname = 'accounts'");
    assert!(all[0].contains("bob=r"), "the ACL columns are everybody's");

    ok(&standin, "GRANT ACCESS SYSTEM TABLE TO ROLE anns");
    assert!(names("SELECT role_name FROM svv_roles").contains(&"bobs".to_owned()));
    assert_eq!(names("SELECT count(*) FROM pg_default_acl"), ["1"]);
    ok(&standin, "REVOKE ACCESS SYSTEM TABLE FROM ROLE anns");
    assert_eq!(names("SELECT role_name FROM svv_roles"), ["anns"]);
}

#[test]
fn leader_only_things_do_not_mix_with_compute_relations() {
    let standin = shared();
    for sql in [
        "SELECT has_table_privilege(table_name, 'select') FROM svv_tables",
        "SELECT array_to_string(c.relacl, ',') FROM pg_class c JOIN svv_tables t ON t.table_name = c.relname",
        "SELECT pg_get_userbyid(1) FROM finance.accounts",
        "SELECT a.owner FROM finance.accounts a JOIN pg_user u ON u.usename = a.owner",
        "SELECT owner FROM finance.accounts WHERE owner IN (SELECT usename FROM pg_user)",
    ] {
        let error = err(standin, sql);
        assert_eq!(
            error.message, "Specified types or functions (one per INFO message) not supported on Redshift tables.",
            "{sql}"
        );
        assert_eq!(error.sqlstate, "0A000");
    }
}

#[test]
fn what_is_not_listed_is_refused_by_name() {
    let standin = shared();
    for (sql, named) in [
        ("SELECT string_agg(owner, ',') FROM finance.accounts", "function string_agg"),
        ("SELECT * FROM pg_roles", "relation pg_roles"),
        ("SELECT * FROM pg_catalog.pg_shdepend", "relation pg_catalog.pg_shdepend"),
        ("SELECT * FROM information_schema.tables", "relation information_schema.tables"),
        ("SELECT * FROM rs_identity", "relation rs_identity"),
        ("SELECT pg_catalog.rs_superuser()", "function rs_superuser"),
        ("SELECT to_regclass('a')", "function to_regclass"),
        ("SELECT 'a'::regrole", "type regrole"),
        ("SELECT '{}'::jsonb", "type jsonb"),
        ("SELECT a FROM generate_series(1, 2) a", "function generate_series"),
        ("SELECT count(*) FILTER (WHERE true) FROM finance.accounts", "function filter"),
        ("SELECT * FROM finance.accounts, LATERAL (SELECT 1) x", "word LATERAL"),
        ("SELECT ARRAY[1]", "word ARRAY"),
        ("SELECT owner ILIKE 'a' FROM finance.accounts", "word ILIKE"),
        ("SELECT '[1]' -> 0", "operator ->"),
        ("SELECT 1 FETCH FIRST 1 ROW ONLY", "word FETCH"),
        ("SELECT current_setting('server_version_num')", "setting server_version_num"),
        ("VALUES (1)", "form of VALUES"),
        ("WITH x AS (SELECT 1) SELECT * FROM x", "form of WITH"),
        ("DO $$ BEGIN NULL; END $$", "form of DO"),
        ("CREATE EXTENSION hstore", "form of CREATE"),
        ("COPY finance.accounts FROM STDIN", "form of COPY"),
        ("DROP OWNED BY etl", "form of DROP"),
        ("CREATE TABLE quality.x (a jsonb)", "type jsonb"),
        ("INSERT INTO quality.runs VALUES (1) RETURNING run_id", "word RETURNING"),
        ("CREATE VIEW quality.v AS SELECT * FROM sample.tickit.sales", "another database"),
        ("REVOKE SELECT ON finance.accounts FROM analyst CASCADE", "form of REVOKE"),
        ("GRANT CONNECT ON DATABASE dev TO analyst", "form of GRANT"),
        ("GRANT USAGE ON DATABASE dev TO analyst", "form of GRANT"),
        ("CREATE USER IF NOT EXISTS x PASSWORD DISABLE", "form of CREATE USER"),
        ("CREATE PROCEDURE quality.p() AS $$ BEGIN DROP TABLE a; END $$ LANGUAGE plpgsql", "procedure's body"),
    ] {
        let error = err(standin, sql);
        assert_eq!(error.sqlstate, "0A000", "{sql}: {error}");
        assert!(error.message.contains(named), "{sql}: {error}");
    }
}

#[test]
fn an_entry_taken_out_is_missed() {
    let without = vec!["create-role".to_owned(), "relation:svv_roles".to_owned(), "function:version".to_owned()];
    let standin = Standin::start(StandinOptions { without, ..Default::default() }).expect("starts");
    for sql in ["CREATE ROLE r", "SELECT role_name FROM svv_roles", "SELECT version()"] {
        assert_eq!(err(&standin, sql).sqlstate, "0A000", "{sql}");
    }
    let unknown = Standin::start(StandinOptions { without: vec!["nothing".into()], ..Default::default() });
    assert!(matches!(unknown, Err(Error::Option(_))));
}

#[test]
fn late_binding_views_have_columns_in_svv_only() {
    let standin = shared();
    let query = |relation: &str| {
        format!(
            "SELECT a.attname::varchar FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid WHERE c.relname = '{relation}' AND a.attnum > 0"
        )
    };
    assert_eq!(ok(standin, &query("latest")).len(), 0);
    assert_eq!(ok(standin, &query("open_invoices")).len(), 2);
    let rows =
        ok(standin, "SELECT column_name FROM svv_columns WHERE table_schema = 'quality' AND table_name = 'latest'");
    assert_eq!(cells(&rows), ["check_id", "passed"]);
}

#[test]
fn the_warehouse_has_schemas_of_its_own_that_their_names_do_not_give_away() {
    let standin = start();
    let sql = "SELECT c.relname::varchar, c.relkind::varchar, pg_get_userbyid(c.relowner) FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname = 'catalog_history' ORDER BY 1";
    let found = ["changes|r|rdsdb", "last_changes|v|rdsdb"];
    assert_eq!(cells(&ok(&standin, sql)), found);
    ok(&standin, "CREATE DATABASE fresh");
    assert_eq!(cells(&ok_in(&standin, "fresh", sql)), found, "in new databases too");
}

#[test]
fn a_database_says_how_it_compares() {
    let standin = start();
    ok(&standin, "CREATE DATABASE folding WITH COLLATE CASE_INSENSITIVE ISOLATION LEVEL SNAPSHOT");
    ok(&standin, "CREATE DATABASE exact WITH COLLATE CS");
    for (database, collation) in
        [("dev", "case_sensitive"), ("exact", "case_sensitive"), ("folding", "case_insensitive")]
    {
        assert_eq!(cells(&ok_in(&standin, database, "SELECT db_collation()")), [collation], "{database}");
    }
}

/// AWS: SVV_REDSHIFT_SCHEMA_QUOTA, and the notes on QUOTA in CREATE SCHEMA.
#[test]
fn quotas_are_kept_in_megabytes_and_shown_to_who_may_see_them() {
    let standin = start();
    user(&standin, "ann");
    for (statement, quota) in [
        ("CREATE SCHEMA kept AUTHORIZATION ann QUOTA 2", "2048"),
        ("ALTER SCHEMA kept QUOTA 300 MB", "300"),
        ("ALTER SCHEMA kept QUOTA 1 TB", "1048576"),
    ] {
        ok(&standin, statement);
        let rows = ok(&standin, "SELECT schema_name, quota FROM svv_redshift_schema_quota");
        // Names are padded.
        assert_eq!(cells(&rows), [format!("{:<128}|{quota}", "kept")], "{statement}");
    }
    let seen =
        |name: &str| as_user(&standin, name, "SELECT quota FROM svv_redshift_schema_quota").expect("may ask").len();
    user(&standin, "bob");
    assert_eq!((seen("ann"), seen("bob")), (1, 0));
    assert_eq!(refused(as_user(&standin, "ann", "ALTER SCHEMA kept QUOTA 5 GB")).sqlstate, "42501");
    ok(&standin, "ALTER SCHEMA kept QUOTA UNLIMITED");
    assert_eq!(seen("ann"), 0);
}
