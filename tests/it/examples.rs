//! What people copy is valid.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use redshift_standin::StandinOptions;

use crate::support::text::one_line;
use crate::support::{Warehouse, Workspace, tools};

/// The folders below `folder` that hold .tf files.
fn examples(folder: &Path, found: &mut BTreeSet<PathBuf>) {
    for entry in fs::read_dir(folder).expect("a folder of examples") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            examples(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "tf") {
            found.insert(folder.to_path_buf());
        }
    }
}

/// Proves: Q45
#[test]
fn every_example_validates() {
    let mut found = BTreeSet::new();
    examples(&tools::root().join("examples"), &mut found);
    assert!(found.len() >= 8, "{found:?}");
    let mut all = String::new();
    for example in found {
        let workspace = Workspace::new();
        for entry in fs::read_dir(&example).expect("an example") {
            let path = entry.expect("an entry").path();
            if path.extension().is_some_and(|extension| extension == "tf") {
                let text = fs::read_to_string(&path).expect("an example is UTF-8");
                if text.contains("required_providers") {
                    fs::remove_file(workspace.path().join("required.tf")).expect("only one says it");
                }
                workspace.file(&path.file_name().expect("a name").to_string_lossy(), &text);
                all += &text;
            }
        }
        let outcome = workspace.run(&["validate", "-json"]);
        assert_eq!(outcome.code, 0, "{}: {:#?}", example.display(), outcome.problems());
    }
    for shown in ["redshift_production", "redshift_enrichment", "connection_id = redshift_connection."] {
        assert!(one_line(&all).contains(shown), "no example shows {shown}");
    }
}

#[test]
fn the_quickstart_lives_and_leaves_nothing() {
    let warehouse = Warehouse::start();
    let before = warehouse.dump_all();
    let mut workspace = Workspace::on(&warehouse);
    fs::remove_file(workspace.path().join("required.tf")).expect("the example says it itself");
    workspace.env("TF_VAR_tool_password", "Quickstart-2024");
    workspace.write(&fs::read_to_string(tools::root().join("examples/quickstart/main.tf")).expect("reads"));
    workspace.apply();
    assert!(workspace.output("sql_for_sales").as_str().is_some_and(|sql| sql.contains("GRANT SELECT")));
    let sees = |user: &str| {
        let query = "SELECT name, city, joined FROM tickit.people ORDER BY person_id";
        let rows = warehouse.sql_as(user, "Quickstart-2024", "governed", query).expect("reads");
        rows.into_iter().map(|row| row.into_iter().flatten().collect::<Vec<_>>().join(" ")).collect::<Vec<_>>()
    };
    assert_eq!(sees("auditor")[0], "Mira Olsen Bergen 2020-05-17");
    assert_eq!(sees("auditor").len(), 3);
    assert_eq!(sees("bergen_desk"), ["hidden Bergen 2020-05-01"]);
    workspace.plan().assert_empty();
    workspace.destroy();
    assert_eq!(warehouse.dump_all(), before);
}

/// The README's first example, as it stands there.
#[test]
fn the_example_of_the_readme_gives_no_warning() {
    let hosts = vec!["analytics.abc123xyz789.eu-west-1.redshift.amazonaws.com".to_owned()];
    let warehouse = Warehouse::with(StandinOptions { hosts, ..StandinOptions::default() });
    let mut workspace = Workspace::on(&warehouse);
    workspace.without("REDSHIFT_HOST").without("REDSHIFT_PORT").without("REDSHIFT_USER");
    workspace.env("REDSHIFT_HOSTADDR", &format!("127.0.0.1:{}", warehouse.port()));
    warehouse.sql("dev", &format!("CREATE USER platform PASSWORD '{}' CREATEUSER", warehouse.password()));
    let owner = "maker";
    warehouse.sql("dev", &format!("CREATE USER {owner} PASSWORD DISABLE"));
    for schema in ["finance", "sales"] {
        let there = warehouse.sql("dev", &format!("SELECT 1 FROM pg_namespace WHERE nspname = '{schema}'"));
        if there.is_empty() {
            warehouse.sql("dev", &format!("CREATE SCHEMA {schema} AUTHORIZATION {owner}"));
        }
    }
    let readme = fs::read_to_string(tools::root().join("README.md")).expect("reads");
    let example = readme.split("```hcl").nth(1).and_then(|rest| rest.split("```").next()).expect("an example");
    let variable = "variable \"bi_password\" {\n  ephemeral = true\n  default   = \"Readme-word-1\"\n}\n";
    workspace.write(&format!("{variable}{example}"));
    for problems in [workspace.plan_problems(), workspace.apply_problems(), workspace.plan_problems()] {
        assert!(problems.is_empty(), "{problems:#?}");
    }
    workspace.plan().assert_empty();
}
