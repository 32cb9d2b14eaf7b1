//! What hangs on a user, seen from a destroy: all of it is listed or taken away, and a destroy that is refused has changed
//! nothing.

use redshift_standin::{StandinOptions, WarehouseKind};

use crate::integration::{ACTS, USER, integration};
use crate::support::{CLUSTER_HOST, WORKGROUP_HOST, Warehouse, Workspace};

fn users(lines: &[(&str, &str)]) -> String {
    let user = |(name, more): &(&str, &str)| {
        format!("resource \"redshift_user\" \"{name}\" {{\n  name = \"{name}\"\n{more}}}\n")
    };
    format!("provider \"redshift\" {{}}\n{}", lines.iter().map(user).collect::<String>())
}

fn import(warehouse: &Warehouse, name: &str) -> String {
    let id = format!("redshift://{}:{}#user/{name}", warehouse.host(), warehouse.port());
    format!("import {{\n  to = redshift_user.{name}\n  id = \"{id}\"\n}}\n")
}

const FORCE: &str = "  force_destroy = true\n";

fn is_there(warehouse: &Warehouse, name: &str) -> bool {
    !warehouse.sql("dev", &format!("SELECT usename FROM pg_user WHERE usename = '{name}'")).is_empty()
}

/// pg_default_acl does not show what is for roles; svv_default_privileges does, in each database its own.
#[test]
fn default_privileges_for_roles_are_seen_in_every_database() {
    let warehouse = Warehouse::start();
    let workspace = Workspace::on(&warehouse);
    warehouse.sql("dev", "CREATE ROLE mart_readers");
    for (database, schema, loader) in [("dev", "mart_a", "loader_a"), ("sample", "mart_b", "loader_b")] {
        for statement in [
            format!("CREATE SCHEMA {schema}"),
            format!("CREATE USER {loader} PASSWORD DISABLE"),
            format!("GRANT USAGE, CREATE ON SCHEMA {schema} TO {loader}"),
            format!(
                "ALTER DEFAULT PRIVILEGES FOR USER {loader} IN SCHEMA {schema} GRANT SELECT ON TABLES TO ROLE mart_readers"
            ),
        ] {
            warehouse.sql(database, &statement);
        }
    }
    warehouse.sql("sample", "REVOKE USAGE, CREATE ON SCHEMA mart_b FROM loader_b");
    let config = |force: &str| {
        let imports = [import(&warehouse, "loader_a"), import(&warehouse, "loader_b")].concat();
        format!("{}{imports}", users(&[("loader_a", force), ("loader_b", force)]))
    };
    workspace.write(&config(""));
    workspace.apply();
    let full = warehouse.dump_all();
    warehouse.reset_counters();
    let refused = workspace.try_destroy().failed().text();
    for (database, schema) in [("dev", "mart_a"), ("sample", "mart_b")] {
        let line = format!(
            "database \"{database}\": has set default privileges on tables in schema \"{schema}\" for role mart_readers"
        );
        assert!(refused.contains(&line), "{line}: {refused}");
    }
    assert_eq!((warehouse.writes(), warehouse.dump_all()), (0, full));

    workspace.write(&config(FORCE));
    workspace.apply();
    workspace.destroy();
    let sent = warehouse.statements().join("\n");
    assert!(
        sent.contains("ALTER DEFAULT PRIVILEGES FOR USER \"loader_a\" IN SCHEMA \"mart_a\" REVOKE ALL ON TABLES FROM ROLE \"mart_readers\""),
        "{sent}"
    );
    for (database, loader) in [("dev", "loader_a"), ("sample", "loader_b")] {
        assert!(!is_there(&warehouse, loader));
        let left = warehouse.sql(database, "SELECT owner_name FROM svv_default_privileges WHERE grantee_type = 'role'");
        assert!(left.is_empty(), "{database}: {left:?}");
        assert!(warehouse.dump(database).iter().all(|line| !line.contains(loader)), "{database}");
    }
}

/// ASSUMEROLE is revoked for the command for which it was granted.
#[test]
fn assumerole_for_one_command_is_revoked_for_that_command() {
    let warehouse = Warehouse::start();
    let workspace = Workspace::on(&warehouse);
    let arn = "arn:aws:iam::111122223333:role/bucket-reader";
    warehouse.sql("dev", "CREATE USER copier PASSWORD DISABLE");
    warehouse.sql("dev", &format!("GRANT ASSUMEROLE ON '{arn}' TO copier FOR COPY"));
    let config = |force: &str| format!("{}{}", users(&[("copier", force)]), import(&warehouse, "copier"));
    workspace.write(&config(""));
    workspace.apply();
    let refused = workspace.try_destroy().failed().text();
    assert!(refused.contains(&format!("holds ASSUMEROLE on {arn} for COPY")), "{refused}");
    workspace.write(&config(FORCE));
    workspace.apply();
    workspace.destroy();
    assert!(!is_there(&warehouse, "copier"));
    assert!(warehouse.statements().contains(&format!("REVOKE ASSUMEROLE ON '{arn}' FROM \"copier\" FOR COPY")));
}

/// A scoped right is taken in its own database, roles that he owns are handed over, and what he passed on goes first.
#[test]
fn rights_of_every_reach_are_taken_where_they_can_be() {
    let warehouse = Warehouse::start();
    let workspace = Workspace::on(&warehouse);
    let before = warehouse.dump_all();
    let config = |force: &str| {
        users(&[("far", &format!("  password_wo = \"Far-secret-1\"\n  password_wo_version = 1\n{force}"))])
    };
    workspace.write(&config(""));
    workspace.apply();
    for (database, statement) in [
        ("sample", "GRANT EXECUTE FOR PROCEDURES IN DATABASE sample TO far"),
        ("sample", "GRANT SELECT FOR TABLES IN DATABASE sample TO far"),
        ("sample", "GRANT USAGE FOR TEMPLATES IN SCHEMA tickit DATABASE sample TO far"),
        ("dev", "CREATE ROLE his"),
        ("dev", "ALTER ROLE his OWNER TO far"),
        ("sample", "GRANT USAGE ON SCHEMA tickit TO far"),
        ("sample", "GRANT SELECT ON tickit.sales TO far WITH GRANT OPTION"),
    ] {
        warehouse.sql(database, statement);
    }
    warehouse
        .sql_as("far", "Far-secret-1", "sample", "GRANT SELECT ON tickit.sales TO ROLE his")
        .expect("is passed on");
    let full = warehouse.dump_all();
    let refused = workspace.try_destroy().failed().text();
    for line in [
        "database \"sample\": holds EXECUTE for procedures in the database",
        "database \"sample\": holds SELECT for tables in the database",
        "database \"sample\": holds USAGE for templates in schema \"tickit\"",
        "owns role \"his\"",
    ] {
        assert!(refused.contains(line), "{line}: {refused}");
    }
    assert_eq!(warehouse.dump_all(), full);
    workspace.write(&config(FORCE));
    workspace.apply();
    workspace.destroy();
    let owner = warehouse.sql("dev", "SELECT role_owner FROM svv_roles WHERE role_name = 'his'");
    assert_eq!(owner, [[Some(warehouse.superuser().to_owned())]]);
    warehouse.sql("dev", "DROP ROLE his");
    assert_eq!(warehouse.dump_all(), before);
}

/// First everything is looked at: the profile is not dropped where the system user cannot be.
#[test]
fn an_integration_is_not_taken_apart_while_something_hangs_on_its_system_user() {
    let warehouse = Warehouse::start();
    let workspace = Workspace::on(&warehouse);
    let before = warehouse.dump_all();
    workspace.write(&integration(&format!("  prefix = \"gov2\"\n{USER}")));
    workspace.apply();
    for statement in [
        "CREATE ROLE audit_readers",
        "CREATE SCHEMA audit_area",
        "GRANT USAGE, CREATE ON SCHEMA audit_area TO gov2_system_user",
        "ALTER DEFAULT PRIVILEGES FOR USER gov2_system_user IN SCHEMA audit_area GRANT SELECT ON TABLES TO ROLE audit_readers",
        "REVOKE USAGE, CREATE ON SCHEMA audit_area FROM gov2_system_user",
    ] {
        warehouse.sql("dev", statement);
    }
    warehouse.sql(
        "governed",
        "INSERT INTO gov2_system.profile (gov2__userid, gov2__groups) VALUES ('analyst', '[\"finance\"]')",
    );
    let full = warehouse.dump_all();
    let refused = workspace.try_destroy().failed().text();
    let line = "database \"dev\": has set default privileges on tables in schema \"audit_area\" for role audit_readers";
    assert!(refused.contains(line), "{refused}");
    assert_eq!(warehouse.dump_all(), full);
    let rows = warehouse.sql("governed", "SELECT gov2__userid FROM gov2_system.profile");
    assert_eq!(rows, [[Some("analyst".to_owned())]]);
    workspace.plan().assert_empty();
    warehouse.sql("dev", "GRANT USAGE, CREATE ON SCHEMA audit_area TO gov2_system_user");
    warehouse.sql("dev", "ALTER DEFAULT PRIVILEGES FOR USER gov2_system_user IN SCHEMA audit_area REVOKE SELECT ON TABLES FROM ROLE audit_readers");
    for statement in ["DROP SCHEMA audit_area", "DROP ROLE audit_readers"] {
        warehouse.sql("dev", statement);
    }
    workspace.destroy();
    assert_eq!(warehouse.dump_all(), before);
}

/// A view of somebody's that reads what is managed, from a schema of his own, and a right of the group's elsewhere.
#[test]
fn an_integration_is_not_taken_apart_while_others_hang_on_it() {
    let warehouse = Warehouse::start();
    let workspace = Workspace::on(&warehouse);
    warehouse.sql("dev", "CREATE DATABASE lake");
    let managed = format!(
        "provider \"redshift\" {{}}\nresource \"redshift_integration\" \"i\" {{\n  type = \"RedshiftSpectrum\"\n  auto_bootstrap = true\n  database = \"lake\"\n{USER}{ACTS}}}\n"
    );
    workspace.write(&managed);
    workspace.apply();
    warehouse.sql("lake", "CREATE SCHEMA reports");
    warehouse.sql("lake", "CREATE VIEW reports.own AS SELECT * FROM immuta_system.user_profile");
    let full = warehouse.dump_all();
    let refused = workspace.try_destroy().failed().text();
    for part in ["The integration in database lake cannot be taken apart", "nothing was changed", "reports.own"] {
        assert!(refused.contains(part) || crate::support::text::one_line(&refused).contains(part), "{part}: {refused}");
    }
    assert_eq!(warehouse.dump_all(), full);
    workspace.plan().assert_empty();
    warehouse.sql("lake", "DROP VIEW reports.own");
    warehouse.sql("dev", "GRANT USAGE ON SCHEMA quality TO GROUP immuta_impersonator_role");
    let full = warehouse.dump_all();
    let refused = workspace.try_destroy().failed().text();
    assert!(crate::support::text::one_line(&refused).contains("has a privilege on some object"), "{refused}");
    assert_eq!(warehouse.dump_all(), full);
    warehouse.sql("dev", "REVOKE USAGE ON SCHEMA quality FROM GROUP immuta_impersonator_role");
    workspace.destroy();
}

/// STV_SESSIONS is refused on a serverless and on a Multi-AZ warehouse: who sits in the database is ended by DROP DATABASE.
#[test]
fn an_integration_is_destroyed_where_no_sessions_are_shown() {
    for kind in [WarehouseKind::Serverless, WarehouseKind::MultiAz] {
        let hosts = vec![CLUSTER_HOST.to_owned(), WORKGROUP_HOST.to_owned()];
        let warehouse = Warehouse::with(StandinOptions { hosts, kind, ..StandinOptions::default() });
        let workspace = Workspace::on(&warehouse);
        let before = warehouse.dump_all();
        workspace.write(&integration(USER));
        workspace.apply();
        let sitting = warehouse.sit("immuta_system_user", "System-secret-1", "governed");
        workspace.destroy();
        assert!(warehouse.statements().iter().any(|sql| sql == "DROP DATABASE governed FORCE"));
        drop(sitting);
        assert_eq!(warehouse.dump_all(), before);
    }
}
