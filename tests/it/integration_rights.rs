//! `redshift_integration` by a login with the rights that the documents list, and by one that lacks one of them.

use crate::campaign::sampled;
use crate::integration::{USER, integration};
use crate::integration_checks::{GRANTS, PASSWORD, PERMISSIONS, ROLE, errors, fails_first, login};
use crate::support::Warehouse;

const SPECTRUM: &str = "  type = \"RedshiftSpectrum\"\n";

/// What is revoked and granted on the new database, the login does as its owner.
/// Proves: I11, I12, S8, S9
#[test]
fn a_login_that_may_make_databases_closes_its_own_and_opens_temp() {
    for kind in [String::new(), format!("{SPECTRUM}  create_database = true\n")] {
        let warehouse = Warehouse::start();
        let workspace = login(&warehouse, true, &PERMISSIONS);
        warehouse.sql("dev", &format!("CREATE USER ann PASSWORD '{PASSWORD}'"));
        let before = warehouse.dump_all();
        let config = integration(&format!("{USER}{ROLE}{kind}"));
        // One of somebody else, though empty, would let it do neither.
        warehouse.sql("dev", "CREATE DATABASE governed");
        let summary = "Validate Automatic Bootstrap: Immuta Database Does Not Exist";
        fails_first(&warehouse, &workspace, &config, summary, &["belongs to user awsuser"]);
        warehouse.sql("dev", "DROP DATABASE governed");

        warehouse.reset_counters();
        workspace.apply();
        workspace.plan().assert_empty();
        for statement in [
            "REVOKE ALL ON DATABASE governed FROM PUBLIC",
            "GRANT TEMP ON DATABASE governed TO PUBLIC",
            "GRANT CREATE, TEMP ON DATABASE governed TO immuta_system_user",
        ] {
            let by: Vec<String> =
                warehouse.log().into_iter().filter(|it| it.sql == statement).map(|it| it.user).collect();
            assert_eq!(by, ["setup"], "{statement}");
        }
        for (user, password, may_make_schemas) in
            [("ann", PASSWORD, false), ("immuta_system_user", "System-secret-1", true)]
        {
            let runs = |statement: &str| warehouse.sql_as(user, password, "governed", statement).is_ok();
            assert!(runs("CREATE TEMP TABLE mine (a integer)"), "{user}");
            assert_eq!(runs("CREATE SCHEMA made"), may_make_schemas, "{user}");
        }
        warehouse.sql("governed", "DROP SCHEMA made");
        workspace.destroy();
        assert_eq!(warehouse.dump_all(), before);
    }
}

/// Proves: S5
#[test]
fn in_an_existing_database_each_right_that_is_missing_is_named() {
    let warehouse = Warehouse::start();
    let workspace = login(&warehouse, false, &PERMISSIONS);
    warehouse.sql("dev", "CREATE DATABASE governed");
    warehouse.sql("dev", "ALTER DATABASE governed OWNER TO setup");
    let config = integration(&format!("{USER}{ROLE}{SPECTRUM}"));
    for missing in sampled(PERMISSIONS, 2) {
        warehouse.sql("dev", &format!("REVOKE {missing} FROM ROLE installers"));
        let summary = format!("{GRANTS}: {missing}");
        fails_first(&warehouse, &workspace, &config, &summary, &["setup", &format!("GRANT {missing} TO ROLE")]);
        warehouse.sql("dev", &format!("GRANT {missing} TO ROLE installers"));
    }
    workspace.apply();
    workspace.destroy();
}

/// Proves: I66
#[test]
fn whoever_changes_an_integration_needs_the_rights_of_who_makes_one() {
    for kind in ["", SPECTRUM] {
        let warehouse = Warehouse::start();
        let workspace = login(&warehouse, true, &PERMISSIONS);
        if !kind.is_empty() {
            warehouse.sql("dev", "CREATE DATABASE governed");
            warehouse.sql("dev", "ALTER DATABASE governed OWNER TO setup");
        }
        let before = warehouse.dump_all();
        workspace.write(&integration(&format!("{USER}{kind}")));
        workspace.apply();
        // The database is there.
        warehouse.sql("dev", "ALTER USER setup NOCREATEDB");
        let made = warehouse.dump_all();
        workspace.write(&integration(&format!("{USER}{ROLE}{kind}")));
        for missing in sampled(PERMISSIONS, 1) {
            warehouse.sql("dev", &format!("REVOKE {missing} FROM ROLE installers"));
            warehouse.reset_counters();
            let told = errors(workspace.apply_problems());
            assert_eq!(told.len(), 1, "{missing}: {told:#?}");
            assert_eq!(told[0].summary, format!("Failed: {GRANTS}: {missing}"));
            assert!(told[0].detail.contains(&format!("GRANT {missing} TO ROLE")), "{told:#?}");
            assert_eq!(warehouse.writes(), 0, "{:?}", warehouse.statements());
            warehouse.sql("dev", &format!("GRANT {missing} TO ROLE installers"));
            assert_eq!(warehouse.dump_all(), made, "{missing}");
        }
        workspace.apply();
        workspace.plan().assert_empty();
        workspace.destroy();
        warehouse.sql("dev", "ALTER USER setup CREATEDB");
        assert_eq!(warehouse.dump_all(), before);
    }
}
