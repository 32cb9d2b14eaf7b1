//! What the catalogue and the dump say of an integration, and external schemas.

use super::bootstrap::{SYSTEM_USER, block_on, bootstrapped, code, run};
use super::*;
use redshift_standin::SUPERUSER;

const INVENTORY: &str = r"SELECT n.nspname, c.relname AS object_name, c.relkind::varchar AS kind, pg_get_userbyid(c.relowner) AS owner
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind IN ('r','v','m') AND n.nspname NOT IN ('pg_catalog','information_schema','pg_internal','pg_automv','pg_auto_copy','pg_s3','pg_toast','catalog_history')
  AND n.nspname NOT LIKE 'pg\\_temp\\_%' AND n.nspname NOT LIKE 'pg\\_toast%'
UNION ALL
SELECT n.nspname, textin(regprocedureout(p.oid::regprocedure)), CASE WHEN p.prorettype = 0 THEN 'procedure' ELSE 'function' END, pg_get_userbyid(p.proowner)
FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace WHERE p.proowner > 1
UNION ALL
SELECT nspname, '', 'schema', pg_get_userbyid(nspowner) FROM pg_namespace WHERE nspowner > 1";

#[test]
fn the_inventory_lists_what_was_made_and_nothing_else() {
    let standin = bootstrapped("GROUP");
    let mut rows = cells(&ok_in(&standin, "governed", INVENTORY));
    rows.sort();
    let expected = [
        "immuta_functions||schema|immuta_system_user",
        "immuta_procedures|immuta_procedures.impersonate_user(character varying)|procedure|immuta_system_user",
        "immuta_procedures||schema|immuta_system_user",
        "immuta_system|impersonation|r|immuta_system_user",
        "immuta_system|integration_lock|r|awsuser",
        "immuta_system|integration|r|awsuser",
        "immuta_system|profile|r|immuta_system_user",
        "immuta_system|user_profile|v|immuta_system_user",
        "immuta_system||schema|awsuser",
    ];
    assert_eq!(rows, expected);
    ok(&standin, "CREATE DATABASE untouched WITH ISOLATION LEVEL SNAPSHOT");
    assert_eq!(ok_in(&standin, "untouched", INVENTORY).len(), 0, "a new database is empty");
}

#[test]
fn sources_definitions_and_rights_are_read_back() {
    let standin = bootstrapped("GROUP");
    let here = |sql: &str| cells(&ok_in(&standin, "governed", sql));
    let source = here("SELECT p.prosrc FROM pg_proc p WHERE p.proname = 'impersonate_user'").concat();
    assert!(
        source.starts_with("\nDECLARE\n  k varchar(64);") && source.ends_with("\nEND;\n"),
        "as it was sent: {source}"
    );
    assert!(source.contains("sha2(k || sha2(k || claim, 256), 256)"), "{source}");
    let acl = here(
        "SELECT array_to_string(p.proacl, chr(9)), pg_get_userbyid(p.proowner) FROM pg_proc p WHERE p.proname = 'impersonate_user'",
    );
    assert_eq!(
        acl,
        ["immuta_system_user=X/immuta_system_user\tgroup immuta_impersonators=X/immuta_system_user|immuta_system_user"]
    );
    let view = here(
        "SELECT viewowner, definition FROM pg_views WHERE schemaname = 'immuta_system' AND viewname = 'user_profile'",
    )
    .concat();
    for part in ["immuta_system_user|", "p.immuta__userid", "sha2(", "'immuta_session.impersonation'", "getdate()"] {
        assert!(view.contains(part), "{part}: {view}");
    }
    assert!(!view.contains("rs_"), "{view}");
    let late =
        cells(&ok(&standin, "SELECT pg_get_viewdef(c.oid, TRUE) FROM pg_class c WHERE c.relname = 'latest'")).concat();
    let sent = "CREATE VIEW quality.latest AS SELECT check_id, passed FROM quality.runs WITH NO SCHEMA BINDING;";
    assert_eq!(late, sent, "as it was sent");
    assert_eq!(
        err(&standin, "SELECT v.definition FROM pg_views v, svv_tables t").sqlstate,
        "0A000",
        "leader and compute"
    );
    let database = here(
        "SELECT pg_get_userbyid(d.datdba), array_to_string(d.datacl, chr(9)) FROM pg_database d WHERE d.datname = 'governed'",
    );
    assert_eq!(
        database,
        ["immuta_system_user|=T/immuta_system_user\timmuta_system_user=CT/immuta_system_user"],
        "the old owner's entry goes with the database"
    );
}

#[test]
fn schemas_of_all_databases_are_seen_by_who_may_see_them() {
    let standin = bootstrapped("ROLE");
    let all = r"SELECT database_name, schema_name FROM svv_redshift_schemas WHERE schema_name LIKE '%\\_system' ORDER BY database_name";
    assert_eq!(cells(&ok(&standin, all)), ["governed|immuta_system"]);
    assert_eq!(cells(&ok_in(&standin, "sample", all)), ["governed|immuta_system"]);
    user(&standin, "cleo");
    let seen = |database: &str| {
        let sql = "SELECT database_name, schema_name FROM svv_redshift_schemas ORDER BY database_name, schema_name";
        cells(&standin.sql_as_blocking("cleo", PASSWORD, database, sql).expect("reads"))
    };
    let public = [
        "dev|public",
        "governed|immuta_functions",
        "governed|immuta_procedures",
        "governed|immuta_system",
        "governed|public",
        "sample|public",
    ];
    assert_eq!(seen("dev"), public);
    assert_eq!(seen("governed"), public);
    ok(&standin, "GRANT USAGE ON SCHEMA finance TO cleo");
    assert!(seen("sample").contains(&"dev|finance".to_owned()));
    block_on(async {
        let mut admin = standin.session(SUPERUSER, None, "dev").await.expect("opens");
        run(&mut admin, &["BEGIN", "CREATE SCHEMA young_system"]).await;
        assert_eq!(cells(&admin.query(all).await.expect("answers").rows).len(), 2, "its own, before COMMIT");
    });
}

#[test]
fn external_schemas_are_made_and_granted_alone() {
    let standin = start();
    let create = "CREATE EXTERNAL SCHEMA lake FROM DATA CATALOG DATABASE 'raw' REGION 'eu-west-1' IAM_ROLE 'arn:aws:iam::123456789012:role/lake'";
    let before = block_on(standin.dump_all()).expect("dumps");
    block_on(async {
        let mut admin = standin.session(SUPERUSER, None, "dev").await.expect("opens");
        run(&mut admin, &["BEGIN"]).await;
        assert_eq!(code(&mut admin, create).await, "25001");
        run(&mut admin, &["ROLLBACK"]).await;
        let both = format!("CREATE ROLE lake_readers; {create}");
        assert_eq!(code(&mut admin, &both).await, "25001", "several statements are one transaction");
        run(&mut admin, &[create, "GRANT USAGE ON SCHEMA lake TO analyst"]).await;
        let row =
            admin.query("SELECT schemaname, databasename, esoptions FROM svv_external_schemas").await.expect("answers");
        assert_eq!(
            cells(&row.rows),
            [r#"lake|raw|{"REGION": "eu-west-1", "IAM_ROLE": "arn:aws:iam::123456789012:role/lake"}"#]
        );
        let kinds =
            "SELECT schema_name, schema_type FROM svv_redshift_schemas WHERE schema_name IN ('finance', 'lake')";
        assert_eq!(cells(&admin.query(kinds).await.expect("answers").rows), ["finance|local"]);
        run(&mut admin, &["BEGIN"]).await;
        assert_eq!(code(&mut admin, "REVOKE USAGE ON SCHEMA lake FROM analyst").await, "25001");
        run(&mut admin, &["ROLLBACK"]).await;
        assert_eq!(code(&mut admin, "REVOKE ALL ON SCHEMA lake FROM analyst").await, "0A000");
        assert_ne!(standin.dump_all().await.expect("dumps"), before);
        run(&mut admin, &["REVOKE USAGE ON SCHEMA lake FROM analyst", "DROP SCHEMA lake"]).await;
    });
    assert_eq!(block_on(standin.dump_all()).expect("dumps"), before);
}

#[test]
fn the_dump_tells_two_warehouses_apart_by_each_object_and_right() {
    let standin = bootstrapped("GROUP");
    let dump = || block_on(standin.dump("governed")).expect("dumps");
    let before = dump();
    for (sql, undo) in [
        (
            "ALTER TABLE immuta_system.integration ADD COLUMN more varchar(9)",
            "ALTER TABLE immuta_system.integration DROP COLUMN more",
        ),
        ("GRANT SELECT ON immuta_system.profile TO PUBLIC", "REVOKE SELECT ON immuta_system.profile FROM PUBLIC"),
        (
            "GRANT EXECUTE ON PROCEDURE immuta_procedures.impersonate_user(varchar) TO bob",
            "REVOKE EXECUTE ON PROCEDURE immuta_procedures.impersonate_user(varchar) FROM bob",
        ),
        ("ALTER DATABASE governed OWNER TO bob", "ALTER DATABASE governed OWNER TO immuta_system_user"),
        ("REVOKE TEMP ON DATABASE governed FROM PUBLIC", "GRANT TEMP ON DATABASE governed TO PUBLIC"),
        ("ALTER GROUP immuta_impersonators ADD USER bob", "ALTER GROUP immuta_impersonators DROP USER bob"),
        ("CREATE VIEW public.v AS SELECT 1 AS a", "DROP VIEW public.v"),
        ("REVOKE USAGE ON LANGUAGE plpgsql FROM PUBLIC", "GRANT USAGE ON LANGUAGE plpgsql TO PUBLIC"),
        ("CREATE PROCEDURE public.sp() AS $$ BEGIN NULL; END $$ LANGUAGE plpgsql", "DROP PROCEDURE public.sp()"),
    ] {
        ok_in(&standin, "governed", sql);
        assert_ne!(dump(), before, "{sql}");
        ok_in(&standin, "governed", undo);
        assert_eq!(dump(), before, "{undo}");
    }
    ok_in(&standin, "governed", "CREATE VIEW public.v AS SELECT 1 AS a");
    ok_in(&standin, "governed", "CREATE PROCEDURE public.sp() AS $$ BEGIN NULL; END $$ LANGUAGE plpgsql");
    let made = dump();
    ok_in(&standin, "governed", "CREATE OR REPLACE VIEW public.v AS SELECT 2 AS a");
    let viewed = dump();
    ok_in(&standin, "governed", "CREATE OR REPLACE PROCEDURE public.sp() AS $$ BEGIN RETURN; END $$ LANGUAGE plpgsql");
    assert!(made != viewed && viewed != dump(), "definitions and sources");
    ok_in(&standin, "governed", "INSERT INTO immuta_system.profile VALUES ('zoe', '', '', '', '')");
    let line = format!("database governed owner={SYSTEM_USER} ");
    assert!(dump().contains(&line) && !dump().contains("zoe"), "rows are no part of it");
    // A grant taken back leaves nothing, though the ACL is now written out.
    let dev = || block_on(standin.dump("dev")).expect("dumps");
    let before = dev();
    ok(&standin, "GRANT CREATE, TEMP ON DATABASE dev TO bob");
    assert_ne!(dev(), before);
    ok(&standin, "REVOKE ALL ON DATABASE dev FROM bob");
    assert_eq!(dev(), before);
}
