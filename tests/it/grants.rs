//! What happens to a datastore's rights when names are hostile, lines break, and grantees and owners come and go.

use redshift_standin::{Action, Fault};
use serde_json::json;

use super::datastore::{SOURCE, USER, source, tool, warehouse};
use crate::support::{Warehouse, Workspace};

#[test]
fn hostile_names_of_users_owners_and_tables_are_handled_exactly() {
    let warehouse = warehouse();
    let before = warehouse.dump("dev");
    let workspace = Workspace::on(&warehouse);
    let long = format!("{}x", "ä".repeat(63)); // 127 bytes
    for name in [r#"x"; DROP USER loader; --"#, "it's", r"back\slash", long.as_str()] {
        let owner: String = name.chars().skip(1).collect();
        let sql = |name: &str| format!("\"{}\"", name.replace('"', "\"\""));
        let hcl = |name: &str| format!("\"{}\"", name.replace('\\', "\\\\").replace('"', "\\\""));
        let table = format!("{}.{}", sql(name), sql(name));
        warehouse.sql("dev", &format!("CREATE USER {} PASSWORD DISABLE", sql(&owner)));
        warehouse.sql("dev", &format!("CREATE SCHEMA {} AUTHORIZATION {}", sql(name), sql(&owner)));
        warehouse.sql("dev", &format!("CREATE TABLE {table} (id integer)"));
        workspace.write(&format!(
            "provider \"redshift\" {{}}\nresource \"redshift_user\" \"tool\" {{\n  name = {n}\n  password_wo = \"Tool-secret-1\"\n  password_wo_version = 1\n}}\nresource \"redshift_datastore\" \"d\" {{\n  name = {n}\n  database = \"dev\"\n  schema = {n}\n  service_user {{\n    name = redshift_user.tool.name\n    default_privileges_for = [{o}]\n  }}\n}}\n",
            n = hcl(name),
            o = hcl(&owner)
        ));
        workspace.apply();
        assert_eq!(workspace.values("redshift_user.tool")["name"], json!(name));
        warehouse.sql_as(name, "Tool-secret-1", "dev", &format!("SELECT id FROM {table}")).expect(name);
        workspace.plan().assert_empty();
        workspace.destroy();
        warehouse.sql("dev", &format!("DROP SCHEMA {} CASCADE", sql(name)));
        warehouse.sql("dev", &format!("DROP USER {}", sql(&owner)));
    }
    assert_eq!(warehouse.dump("dev"), before, "nothing else was executed");
}

#[test]
fn conflicts_and_lost_answers_end_well() {
    for fault in [
        Fault::error("GRANT SELECT", "XX000", "conflict with concurrent transaction"),
        Fault::statement("COMMIT", Action::CutAfter),
        Fault::statement("GRANT USAGE", Action::CutBefore),
    ] {
        let warehouse = warehouse();
        let workspace = Workspace::on(&warehouse);
        workspace.write(USER);
        workspace.apply();
        let before = warehouse.dump("dev");
        workspace.write(&source());
        warehouse.fault(fault);
        workspace.try_apply();
        workspace.apply();
        workspace.plan().assert_empty();
        let ours = "SELECT role_name FROM svv_roles WHERE role_name LIKE 'tfds%'";
        assert_eq!(warehouse.sql("dev", ours).len(), 1);
        workspace.write(USER);
        workspace.apply();
        assert_eq!(warehouse.dump("dev"), before);
    }
}

/// A read-only user may write to a schema that is open to everybody; the warning shows what would close it.
#[test]
fn a_schema_open_to_everybody_is_a_warning() {
    let warehouse = warehouse();
    let workspace = Workspace::on(&warehouse);
    workspace.write(&source().replace("schema   = \"sales\"", "schema   = \"public\""));
    let applied = workspace.apply();
    assert!(applied.text().contains("REVOKE CREATE ON SCHEMA \"public\" FROM PUBLIC"), "{}", applied.text());
    workspace.plan().assert_empty();
}

/// A role as the grantee, switches between role and direct, and several roles at an import.
#[test]
fn a_role_as_grantee_and_every_way_of_granting() {
    let warehouse = warehouse();
    warehouse.sql("dev", "CREATE ROLE readers");
    let before = warehouse.dump("dev");
    let workspace = Workspace::on(&warehouse);
    let datastore = |more: &str| {
        format!(
            "provider \"redshift\" {{}}\n{}",
            SOURCE.replace("redshift_user.tool.name", &format!("\"readers\"\n    type = \"role\"\n{more}"))
        )
    };
    for more in [
        "",
        "    grant_through = \"direct\"",
        "    grant_through = \"role\"\n    future_tables = \"schema\"",
        "    grant_through = \"direct\"\n    future_tables = \"none\"",
        "    default_privileges_for = [\"loader\"]",
    ] {
        workspace.write(&datastore(more));
        workspace.apply();
        workspace.plan().assert_empty();
    }
    workspace.write("provider \"redshift\" {}\n");
    workspace.apply();
    assert_eq!(warehouse.dump("dev"), before);
}

#[test]
fn a_service_user_comes_changes_and_goes() {
    let warehouse = warehouse();
    warehouse.sql("dev", "CREATE USER other PASSWORD 'Other-secret-1'");
    let before = warehouse.dump("dev");
    let workspace = Workspace::on(&warehouse);
    let nobody = "provider \"redshift\" {}\nresource \"redshift_datastore\" \"sales\" {\n  name     = \"Sales\"\n  database = \"dev\"\n  schema   = \"sales\"\n}\n";
    let somebody = |name: &str| {
        nobody.replace("\"sales\"\n}", &format!("\"sales\"\n  service_user {{\n    name = \"{name}\"\n  }}\n}}"))
    };
    warehouse.sql("dev", "CREATE USER tool PASSWORD 'Tool-secret-1'");
    for step in [nobody.to_owned(), somebody("tool"), somebody("other"), nobody.to_owned(), somebody("tool")] {
        workspace.write(&step);
        workspace.apply();
        workspace.plan().assert_empty();
        let reads =
            |user: &str, password: &str| warehouse.sql_as(user, password, "dev", "SELECT id FROM sales.orders").is_ok();
        assert_eq!(reads("tool", "Tool-secret-1"), step.contains("\"tool\""), "{step}");
        assert_eq!(reads("other", "Other-secret-1"), step.contains("\"other\""), "{step}");
    }
    workspace.destroy();
    warehouse.sql("dev", "DROP USER tool");
    assert_eq!(warehouse.dump("dev"), before);
}

/// The user behind a datastore gets another name: the rights follow, and nothing stays behind.
#[test]
fn a_renamed_user_keeps_its_datastores() {
    for through in ["role", "direct"] {
        let warehouse = warehouse();
        let before = warehouse.dump("dev");
        let workspace = Workspace::on(&warehouse);
        let named = |name: &str| {
            source().replace("name                = \"tool\"", &format!("name = \"{name}\"")).replace(
                "name = redshift_user.tool.name",
                &format!("name = redshift_user.tool.name\n    grant_through = \"{through}\""),
            )
        };
        workspace.write(&named("tool"));
        workspace.apply();
        workspace.write(&named("toolbox"));
        workspace.apply();
        workspace.plan().assert_empty();
        warehouse.sql_as("toolbox", "Tool-secret-1", "dev", "SELECT id FROM sales.orders").expect("still reads");
        workspace.destroy();
        assert_eq!(warehouse.dump("dev"), before, "grant_through = {through}");
    }
}

#[test]
fn no_named_owners_is_the_same_as_none_written() {
    let warehouse = warehouse();
    let workspace = Workspace::on(&warehouse);
    workspace.write(
        &source().replace(
            "name = redshift_user.tool.name",
            "name = redshift_user.tool.name\n    default_privileges_for = []",
        ),
    );
    workspace.apply();
    workspace.plan().assert_empty();
    assert_eq!(workspace.values("redshift_datastore.sales")["default_privileges_owners"], json!(["loader"]));
}

/// An owner who was found at creation and is no user any more stops nothing.
#[test]
fn an_owner_who_is_gone_is_a_warning() {
    let warehouse = warehouse();
    let workspace = Workspace::on(&warehouse);
    workspace.write(&source());
    workspace.apply();
    for statement in [
        "ALTER TABLE sales.orders OWNER TO awsuser",
        "ALTER TABLE sales.customers OWNER TO awsuser",
        "ALTER TABLE findings.anomalies OWNER TO awsuser",
        "ALTER SCHEMA sales OWNER TO awsuser",
        "ALTER SCHEMA findings OWNER TO awsuser",
    ] {
        warehouse.sql("dev", statement);
    }
    let role = workspace.values("redshift_datastore.sales")["grant_role"].as_str().unwrap_or_default().to_owned();
    warehouse.sql("dev", "GRANT CREATE ON SCHEMA sales TO loader");
    warehouse.sql(
        "dev",
        &format!("ALTER DEFAULT PRIVILEGES FOR USER loader IN SCHEMA sales REVOKE SELECT ON TABLES FROM ROLE {role}"),
    );
    warehouse.sql("dev", "REVOKE CREATE ON SCHEMA sales FROM loader");
    warehouse.sql("dev", "DROP USER loader");
    workspace.apply();
    workspace.plan().assert_empty();
    workspace.destroy();
}

/// What touches an external schema cannot stand in a transaction, so it is undone when what comes after it fails.
#[test]
fn grants_on_an_external_schema_are_undone_by_themselves() {
    let warehouse = Warehouse::start();
    for statement in [
        "CREATE EXTERNAL SCHEMA lake FROM DATA CATALOG DATABASE 'lake' IAM_ROLE DEFAULT",
        "CREATE USER tool PASSWORD DISABLE",
        "CREATE USER other PASSWORD DISABLE",
        "REVOKE TEMP ON DATABASE dev FROM PUBLIC",
    ] {
        warehouse.sql("dev", statement);
    }
    let clean = warehouse.dump("dev");
    let workspace = Workspace::on(&warehouse);
    let lake = |user: &str, through: &str| {
        format!(
            "provider \"redshift\" {{}}\nresource \"redshift_datastore\" \"lake\" {{\n  name = \"Lake\"\n  database = \"dev\"\n  schema = \"lake\"\n  service_user {{\n    name = \"{user}\"\n    grant_through = \"{through}\"\n  }}\n}}\n"
        )
    };
    for through in ["direct", "role"] {
        workspace.write(&lake("tool", through));
        warehouse.fault(Fault::error("GRANT TEMP", "XX001", "no"));
        workspace.try_apply().failed();
        assert_eq!(warehouse.dump("dev"), clean, "{through}: a new one leaves nothing");
        workspace.apply();
        workspace.plan().assert_empty();
        let before = warehouse.dump("dev");
        workspace.write(&lake("other", through));
        warehouse.fault(Fault::error(if through == "role" { "GRANT ROLE" } else { "GRANT TEMP" }, "XX001", "no"));
        workspace.try_apply().failed();
        assert_eq!(warehouse.dump("dev"), before, "{through}: a change leaves everything as it was");
        workspace.apply();
        workspace.plan().assert_empty();
        workspace.destroy();
        assert_eq!(warehouse.dump("dev"), clean, "{through}");
    }
}

/// The warehouse only warns of a grant that it does not carry out.
#[test]
fn a_right_that_the_login_may_not_hand_on_is_an_error() {
    let warehouse = warehouse();
    for statement in [
        "CREATE USER ann PASSWORD 'Ann-secret-1'",
        "CREATE USER reader PASSWORD DISABLE",
        "GRANT USAGE ON SCHEMA sales TO ann",
    ] {
        warehouse.sql("dev", statement);
    }
    let before = warehouse.dump("dev");
    let mut workspace = Workspace::on(&warehouse);
    workspace.env("REDSHIFT_USER", "ann").env("REDSHIFT_PASSWORD", "Ann-secret-1");
    workspace.write("provider \"redshift\" {}\nresource \"redshift_datastore\" \"sales\" {\n  name = \"Sales\"\n  database = \"dev\"\n  schema = \"sales\"\n  service_user {\n    name = \"reader\"\n    grant_through = \"direct\"\n    future_tables = \"none\"\n  }\n}\n");
    let failure = workspace.try_apply().failed().text();
    assert!(failure.contains("01007"), "{failure}");
    assert_eq!(warehouse.dump("dev"), before);
}

/// Users whose names differ in case only are two users.
#[test]
fn names_of_users_keep_their_case() {
    let warehouse = warehouse();
    let workspace = Workspace::on(&warehouse);
    workspace.write(&source());
    workspace.apply();
    let role = workspace.values("redshift_datastore.sales")["grant_role"].as_str().expect("a role").to_owned();
    warehouse.sql("dev", "CREATE USER \"TOOL\" PASSWORD DISABLE");
    warehouse.sql("dev", &format!("REVOKE ROLE {role} FROM tool"));
    warehouse.sql("dev", &format!("GRANT ROLE {role} TO \"TOOL\""));
    let plan = workspace.plan();
    let lacking = json!([format!("role {role} for user tool")]);
    assert_eq!(plan.change("redshift_datastore.sales")["before"]["missing"], lacking);
    workspace.apply();
    warehouse.sql_as("tool", "Tool-secret-1", "dev", "SELECT id FROM sales.orders").expect("has it again");
    workspace.plan().assert_empty();
}

/// Tables to come are covered for those who are named, or not at all.
#[test]
fn future_tables_are_covered_for_whom_it_is_said() {
    for (covers, loaders, others) in [
        ("future_tables = \"none\"", false, false),
        ("default_privileges_for = [\"other\"]", false, true),
        ("default_privileges_for = [\"loader\", \"other\"]", true, true),
    ] {
        let warehouse = warehouse();
        warehouse.sql("dev", "CREATE USER other PASSWORD 'Other-secret-1'");
        warehouse.sql("dev", "GRANT USAGE, CREATE ON SCHEMA sales TO other");
        let workspace = Workspace::on(&warehouse);
        let name = "redshift_user.tool.name";
        workspace.write(&source().replace(name, &format!("{name}\n    {covers}")));
        workspace.apply();
        for (maker, password, covered) in [("loader", "Loader-secret-1", loaders), ("other", "Other-secret-1", others)]
        {
            let table = format!("sales.made_by_{maker}");
            warehouse.sql_as(maker, password, "dev", &format!("CREATE TABLE {table} (id integer)")).expect(maker);
            assert_eq!(tool(&warehouse, &format!("SELECT id FROM {table}")).is_ok(), covered, "{covers}: {maker}");
        }
        workspace.destroy();
    }
}

/// Terraform hands nothing of private state to the destroy of a tainted object; what is declared is enough.
#[test]
fn a_tainted_datastore_is_made_anew_and_leaves_nothing() {
    for through in ["role", "direct"] {
        let warehouse = warehouse();
        let before = warehouse.dump("dev");
        let workspace = Workspace::on(&warehouse);
        let name = "name = redshift_user.tool.name";
        workspace.write(&source().replace(name, &format!("{name}\n    grant_through = \"{through}\"")));
        workspace.apply();
        workspace.run(&["taint", "redshift_datastore.sales"]).succeeded();
        workspace.apply();
        tool(&warehouse, "SELECT id FROM sales.orders").expect("reads");
        workspace.plan().assert_empty();
        workspace.run(&["taint", "redshift_datastore.sales"]).succeeded();
        workspace.destroy();
        assert_eq!(warehouse.dump("dev"), before, "{through}");
    }
}
