//! What people ask of a datastore beside the usual rights, and what they find there.

use serde_json::json;

use crate::support::{Problem, Warehouse, Workspace};

fn warnings(problems: &[Problem]) -> Vec<&Problem> {
    problems.iter().filter(|problem| problem.severity == "warning").collect()
}

/// A tool's user is replaced, and the tool goes on with the tables that the old one made.
#[test]
fn the_user_of_an_enrichment_store_is_replaced() {
    let warehouse = Warehouse::start();
    let workspace = Workspace::on(&warehouse);
    warehouse.sql("dev", "CREATE SCHEMA findings_lab");
    let hcl = |who: &str, more: &str| {
        format!(
            "provider \"redshift\" {{}}\nvariable \"password\" {{\n  ephemeral = true\n  default   = \"Blue4Green9x\"\n}}\nresource \"redshift_user\" \"dq\" {{\n  for_each            = toset([\"dq_blue\", \"dq_green\"])\n  name                = each.key\n  password_wo         = var.password\n  password_wo_version = 1\n}}\nresource \"redshift_datastore\" \"findings\" {{\n  name            = \"findings\"\n  database        = \"dev\"\n  schema          = \"findings_lab\"\n  enrichment_only = true\n\n  service_user {{\n    name = redshift_user.dq[\"{who}\"].name\n{more}  }}\n}}\n"
        )
    };
    let run = |user: &str, sql: &str| warehouse.sql_as(user, "Blue4Green9x", "dev", sql);
    workspace.write(&hcl("dq_blue", ""));
    workspace.apply();
    run("dq_blue", "CREATE TABLE findings_lab.dq_results (id integer)").expect("makes its table");

    workspace.write(&hcl("dq_green", ""));
    for problems in [workspace.plan_problems(), workspace.apply_problems()] {
        let told = warnings(&problems).into_iter().find(|told| told.summary.contains("stay with user \"dq_blue\""));
        let told = told.unwrap_or_else(|| panic!("{problems:#?}"));
        assert!(told.detail.contains("dq_results") && told.detail.contains("table_privileges"), "{told:#?}");
        assert!(told.detail.contains("OWNER TO \"dq_green\""), "{told:#?}");
    }
    run("dq_green", "INSERT INTO findings_lab.dq_results VALUES (1)").expect("writes");
    let refused = run("dq_green", "ALTER TABLE findings_lab.dq_results ADD COLUMN note varchar(20)");
    assert!(refused.is_err_and(|error| error.contains("must be owner")));

    workspace.write(&hcl("dq_green", "    table_privileges = [\"ALTER\", \"DROP\"]\n"));
    let plan = workspace.plan();
    assert_eq!(plan.changes()["redshift_datastore.findings"], ["update"]);
    let script = plan.change("redshift_datastore.findings")["after"]["script"].to_string();
    assert!(script.contains("SELECT, INSERT, UPDATE, DELETE, ALTER, DROP ON ALL TABLES"), "{script}");
    assert!(
        script.contains("GRANT SELECT, INSERT, UPDATE, DELETE, DROP ON TABLES") || !script.contains("ON TABLES TO"),
        "{script}"
    );
    let problems = workspace.apply_problems();
    assert!(problems.iter().all(|problem| problem.severity != "error"), "{problems:#?}");
    assert!(!problems.iter().any(|told| told.summary.contains("stay with user")), "{problems:#?}");
    workspace.plan().assert_empty();
    run("dq_green", "ALTER TABLE findings_lab.dq_results ADD COLUMN note varchar(20)").expect("alters");
    run("dq_green", "DROP TABLE findings_lab.dq_results").expect("drops");

    workspace.write(&hcl("dq_green", ""));
    workspace.apply();
    workspace.plan().assert_empty();
    workspace.destroy();
}

/// A source is only read.
#[test]
fn a_source_takes_no_further_privileges() {
    let workspace = Workspace::new();
    let problem = workspace.refused("provider \"redshift\" {}\nresource \"redshift_datastore\" \"d\" {\n  name     = \"d\"\n  database = \"dev\"\n  schema   = \"sales\"\n  service_user {\n    name             = \"tool\"\n    table_privileges = [\"DROP\"]\n  }\n}\n");
    assert!(
        problem.detail.contains("enrichment_only = true") && problem.line.contains("table_privileges"),
        "{problem:#?}"
    );
}

/// Once the schema was seen to be external, the script says what such a one is given.
#[test]
fn the_script_of_an_external_schema_is_what_is_granted() {
    let warehouse = Warehouse::start();
    let workspace = Workspace::on(&warehouse);
    warehouse.sql("dev", "CREATE USER bi_o PASSWORD DISABLE");
    let make = "CREATE EXTERNAL SCHEMA lake_o FROM DATA CATALOG DATABASE 'lake' IAM_ROLE 'arn:aws:iam::111122223333:role/spectrum'";
    let hcl = "provider \"redshift\" {}\nresource \"redshift_datastore\" \"lake\" {\n  name     = \"lake\"\n  database = \"dev\"\n  schema   = \"lake_o\"\n  service_user {\n    name = \"bi_o\"\n  }\n}\n";
    workspace.write(hcl);
    let is_right = |script: &str| {
        assert!(script.contains("GRANT USAGE ON SCHEMA \"lake_o\""), "{script}");
        assert!(script.contains("GRANT TEMP ON DATABASE \"dev\""), "{script}");
        assert!(!script.contains("TABLES"), "{script}");
    };
    warehouse.sql("dev", make);
    // Not seen yet: a remark.
    let before = workspace.plan().change("redshift_datastore.lake")["after"]["script"].to_string();
    assert!(before.contains("Should the schema be external") && before.contains("ON ALL TABLES"), "{before}");
    workspace.apply();
    workspace.plan().assert_empty();
    let script = || workspace.values("redshift_datastore.lake")["script"].as_str().unwrap_or_default().to_owned();
    workspace.apply();
    is_right(&script());
    workspace.plan().assert_empty();
    // A change that derives it anew comes to the same.
    workspace.write(&hcl.replace("  schema ", "  description = \"the lake\"\n  schema "));
    let plan = workspace.plan();
    is_right(plan.change("redshift_datastore.lake")["after"]["script"].as_str().unwrap_or_default());
    workspace.apply();
    is_right(&script());
    workspace.plan().assert_empty();
    workspace.destroy();
}

/// Where an owner gives all his tables to the service user, whatever the schema, nothing is missing, and it stays his gift.
#[test]
fn a_default_privilege_without_a_schema_covers_this_one() {
    let warehouse = Warehouse::start();
    let workspace = Workspace::on(&warehouse);
    for sql in [
        "CREATE USER maker PASSWORD DISABLE",
        "CREATE USER tool PASSWORD DISABLE",
        "CREATE SCHEMA sales AUTHORIZATION maker",
        "ALTER DEFAULT PRIVILEGES FOR USER maker GRANT SELECT ON TABLES TO tool",
    ] {
        warehouse.sql("dev", sql);
    }
    workspace.write("provider \"redshift\" {}\nresource \"redshift_datastore\" \"d\" {\n  name     = \"d\"\n  database = \"dev\"\n  schema   = \"sales\"\n  service_user {\n    name          = \"tool\"\n    grant_through = \"direct\"\n  }\n}\n");
    let before = warehouse.dump("dev");
    workspace.apply();
    assert!(
        !warehouse
            .statements()
            .iter()
            .any(|sql| sql.starts_with("ALTER DEFAULT PRIVILEGES") && sql.contains("IN SCHEMA"))
    );
    assert_eq!(workspace.values("redshift_datastore.d")["missing"], json!([]));
    workspace.plan().assert_empty();
    workspace.destroy();
    assert_eq!(warehouse.dump("dev"), before);
}

/// Redshift folds names: another case is the same schema, and nothing is replaced or sent. Where the case is kept, it is
/// another schema.
#[test]
fn the_same_schema_in_another_case() {
    let warehouse = Warehouse::start();
    let workspace = Workspace::on(&warehouse);
    warehouse.sql("dev", "CREATE USER tool PASSWORD DISABLE");
    warehouse.sql("dev", "CREATE SCHEMA sales");
    let hcl = |schema: &str| {
        format!(
            "provider \"redshift\" {{}}\nresource \"redshift_datastore\" \"d\" {{\n  name     = \"d\"\n  database = \"dev\"\n  schema   = \"{schema}\"\n  service_user {{\n    name          = \"tool\"\n    future_tables = \"none\"\n  }}\n}}\n"
        )
    };
    workspace.write(&hcl("sales"));
    workspace.apply();
    let role = workspace.values("redshift_datastore.d")["grant_role"].clone();
    warehouse.reset_counters();
    workspace.write(&hcl("Sales"));
    assert_eq!(workspace.plan().changes()["redshift_datastore.d"], ["update"]);
    workspace.apply();
    assert_eq!(warehouse.writes(), 0);
    let values = workspace.values("redshift_datastore.d");
    assert_eq!((&values["schema"], &values["grant_role"]), (&json!("Sales"), &role));
    workspace.plan().assert_empty();
    workspace.write(&hcl("Sales2"));
    assert_eq!(workspace.plan().changes()["redshift_datastore.d"], ["delete", "create"]);
    workspace.write(&hcl("Sales"));
    workspace.destroy();
    assert!(warehouse.sql("dev", "SELECT role_name FROM svv_roles WHERE role_name LIKE 'tfds%'").is_empty());
}
