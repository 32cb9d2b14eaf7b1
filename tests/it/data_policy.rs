//! `redshift_data_policy` and `redshift_policy_simulation`: policies are written, told apart and tested without a warehouse
//! or a provider block.

use std::collections::BTreeMap;

use serde_json::json;

use crate::support::{Problem, Workspace, tools};

fn policy(lines: &str) -> String {
    format!("name = \"p\"\n{lines}")
}

fn simulation(lines: &str) -> String {
    format!(
        "policy = jsonencode({{ version = 1, mask = [{{ columns = [\"c\"], using = \"constant\", value = \"x\" }}] }})\ntable = \"t\"\n{lines}"
    )
}

/// One data source after the other in one configuration, and what `validate` says of each.
fn told(cases: &[(&str, String)]) -> BTreeMap<usize, Vec<Problem>> {
    let workspace = Workspace::new();
    let mut hcl = String::new();
    for (index, (name, lines)) in cases.iter().enumerate() {
        hcl += &format!("data \"redshift_{name}\" \"case_{index}\" {{\n{lines}\n}}\n");
    }
    workspace.write(&hcl);
    let mut told: BTreeMap<usize, Vec<Problem>> = BTreeMap::new();
    for problem in workspace.run(&["validate", "-json"]).problems() {
        let index = problem.address.rsplit_once("case_").and_then(|(_, index)| index.parse().ok());
        told.entry(index.unwrap_or_else(|| panic!("of no case: {problem:#?}"))).or_default().push(problem);
    }
    told
}

/// Each is one error, on the attribute that is to be changed, before anything is planned.
#[test]
fn bad_rules_are_told_on_their_attribute() {
    let mask = |lines: &str| ("data_policy", policy(&format!("mask {{\n{lines}\n}}")));
    let good = "mask {\ncolumns = [\"a\"]\nusing = \"null\"\n}\n";
    let second = |lines: &str| ("data_policy", policy(&format!("{good}mask {{\ncolumns = [\"a\"]\n{lines}\n}}")));
    let filter = |lines: &str| ("data_policy", policy(&format!("row_filter {{\n{lines}\n}}")));
    let simulated = |lines: &str| ("policy_simulation", simulation(lines));
    let cases = [
        (mask("using = \"null\""), "mask {", "which columns it masks"),
        (second("using = \"encrypt\""), "using", "`encrypt`"),
        (second("using = \"null\"\nsalt = \"s\""), "salt", "belongs to"),
        (second("using = \"constant\""), "using", "value = "),
        (second("using = \"regex\"\npattern = \"(a\""), "pattern", "does not parse"),
        (second("using = \"round\"\nto = \"decade\""), "to", "`month`"),
        (second("using = \"null\"\nwhere = \"a = 1; DROP TABLE b\""), "where", "`;`"),
        (second("using = \"null\"\nwhere = \"a = 1 -- all\""), "where", "comments"),
        (second("using = \"expression\"\nexpression = \"(SELECT 1)\""), "expression", "no query"),
        (second("using = \"expression\"\nexpression = \"public.f(@column)\""), "expression", "another table or schema"),
        (second("using = \"expression\"\nexpression = \"f_mine(@column)\""), "expression", "Functions of others"),
        (second("using = \"null\"\nunless {\n}"), "unless {", "would mean everybody"),
        (second("using = \"null\"\nunless {\ngroups = [\"a\"]\n}\nunless {\nusers = [\"\"]\n}"), "users", "empty"),
        (
            second("using = \"null\"\nunless {\ngroups = [\"a\"]\n}\nonly_for {\ngroups = [\"b\"]\n}"),
            "only_for {",
            "two rules",
        ),
        (filter("tables = [\"*\"]"), "row_filter {", "nobody would see a row"),
        (filter("column = \"a\"\nin = \"group\""), "in", "attribute.KEY"),
        (filter("column = \"a\"\nnewest = \"soon\""), "newest", "90 days"),
        (filter("column = \"a\"\nsample_percent = 100"), "sample_percent", "between 1 and 99"),
        (filter("where = \"f(a)\""), "where", "no built-in function"),
        (
            ("policy_simulation", "policy = \"{}\"\ntable = \"t\"\ncolumns = {}".to_owned()),
            "policy",
            "redshift_data_policy",
        ),
        (("policy_simulation", "table = \"t\"\ncolumns = { c = \"text\" }".to_owned()), "table", "Write policy"),
        (simulated(""), "table", "Write columns"),
        (simulated("columns = { c = \"text\" }\nuser = \"ann\""), "user", "goes with protected_tables_id"),
        (
            ("policy_simulation", "table = \"t\"\nprotected_tables_id = \"x\"".to_owned()),
            "protected_tables_id",
            "Write `user`",
        ),
        (
            (
                "policy_simulation",
                "table = \"t\"\nprotected_tables_id = \"x\"\nuser = \"ann\"\ncolumns = { c = \"text\" }".to_owned(),
            ),
            "columns",
            "leave one of the two out",
        ),
        (simulated("columns = { c = \"money\" }"), "columns", "no type of a column"),
        (simulated("columns = { c = \"integer\" }"), "policy", "`x` is no integer"),
        (simulated("columns = { c = \"text\" }\ntags = { a = [\"[\"] }"), "tags", "no pattern"),
        (
            simulated("columns = { c = \"text\" }\nprofile {\ngroups = [\"a\\u001fb\"]\n}"),
            "groups",
            "control character",
        ),
    ];
    let written: Vec<(&str, String)> = cases.iter().map(|(case, ..)| case.clone()).collect();
    let mut told = told(&written);
    for (index, (_, attribute, words)) in cases.iter().enumerate() {
        let problems = told.remove(&index).unwrap_or_default();
        let [problem] = &problems[..] else { panic!("one error is expected of {:?}: {problems:#?}", written[index]) };
        assert!(problem.text().contains(words), "{words} is not in {problem:#?}");
        assert!(problem.line.starts_with(attribute), "not on {attribute}: {problem:#?}");
    }
    assert!(told.is_empty(), "{told:#?}");
}

/// A name that is misspelt in a block would open what it was to close.
#[test]
fn a_misspelt_name_in_a_rule_is_refused_by_terraform() {
    let mask = "mask {\ncolumns = [\"a\"]\nusing = \"null\"\n";
    let cases = [
        ("data_policy", policy(&format!("{mask}}}\nmask {{\ncolumn = [\"a\"]\nusing = \"null\"\n}}"))),
        ("data_policy", policy(&format!("{mask}unless {{\ngroup = [\"a\"]\n}}\n}}"))),
        ("data_policy", policy(&format!("{mask}except {{\ngroups = [\"a\"]\n}}\n}}"))),
    ];
    let workspace = Workspace::new();
    for ((name, lines), unexpected) in cases.into_iter().zip(["column", "group", "except"]) {
        let problem = workspace.refused(&format!("data \"redshift_{name}\" \"d\" {{\n{lines}\n}}\n"));
        assert!(problem.summary.starts_with("Unsupported"), "{problem:#?}");
        assert!(problem.line.starts_with(unexpected), "{problem:#?}");
    }
}

/// A policy is asserted as its authors would, and one that shows too much fails.
#[test]
fn a_policy_is_tested_offline() {
    let workspace = Workspace::new();
    let example = tools::root().join("examples/data-sources/redshift_policy_simulation/data-source.tf");
    let example = std::fs::read_to_string(example).expect("the example");
    workspace.write(&example);
    let page = std::fs::read_to_string(tools::root().join("docs/data-sources/policy_simulation.md")).expect("the page");
    let (_, test) = page.split_once("# policy.tftest.hcl\n").expect("a test on the page");
    let (test, _) = test.split_once("```").expect("its end");
    workspace.file("policy.tftest.hcl", test);
    workspace.run(&["test", "-no-color"]).succeeded();
    workspace.write(&example.replace("\"privacy\"", "\"support\""));
    let failed = workspace.run(&["test", "-no-color"]).failed();
    assert!(failed.text().contains("Support reads email addresses."), "{}", failed.text());
}

/// What is known later is waited for, and the same rules in another order are the same policy.
#[test]
fn what_is_seen_follows_from_policy_profile_and_columns() {
    let workspace = Workspace::new();
    let hide = "mask {\n columns = [\"*mail*\"]\n using = \"null\"\n unless {\n  groups = [\"privacy\"]\n }\n}\n";
    let vip = "mask {\n columns = [\"owner\"]\n using = \"constant\"\n value = \"vip\"\n where = \"amount > 10\"\n}\n";
    let rows = "row_filter {\n column = \"tenant\"\n in = \"attribute.tenant\"\n unless {\n  users = [terraform_data.later.output]\n }\n}\n";
    let simulated = |name: &str, profile: &str| {
        format!(
            "data \"redshift_policy_simulation\" \"{name}\" {{\n policy = data.redshift_data_policy.a.json\n table = \"people\"\n columns = {{ email = \"varchar(9)\", owner = \"text\", amount = \"bigint\", tenant = \"integer\" }}\n{profile}\n}}\noutput \"{name}\" {{\n value = data.redshift_policy_simulation.{name}\n}}\n"
        )
    };
    workspace.write(&format!(
        "resource \"terraform_data\" \"later\" {{\n input = \"ops\"\n}}\n\
         data \"redshift_data_policy\" \"a\" {{\n name = \"p\"\n{hide}{vip}{rows}}}\n\
         data \"redshift_data_policy\" \"b\" {{\n name = \"p\"\n{rows}{vip}{hide}}}\n\
         output \"same\" {{\n value = data.redshift_data_policy.a.json == data.redshift_data_policy.b.json\n}}\n{}{}{}",
        simulated("nobody", ""),
        simulated(
            "ann",
            "profile {\n user = \"ann\"\n groups = [\"privacy\"]\n attributes = { tenant = [\"7\"] }\n acting_under = \"Research\"\n}"
        ),
        simulated("ops", "profile {\n user = \"ops\"\n}"),
    ));
    let problems = workspace.apply_problems();
    assert!(problems.iter().any(|problem| problem.summary == "The purpose is not held"), "{problems:#?}");
    assert!(problems.iter().all(|problem| problem.severity == "warning"), "{problems:#?}");
    assert_eq!(workspace.output("same"), true);
    let (nobody, ann, ops) = (workspace.output("nobody"), workspace.output("ann"), workspace.output("ops"));
    assert_eq!((&nobody["rows"], &nobody["seen"]["email"]["shown"]), (&json!("none"), &json!("null")));
    assert_eq!(nobody["seen"]["email"]["rule"], "p: mask using null");
    assert_eq!((&ann["rows"], &ann["row_filter"]), (&json!("some"), &json!("\"tenant\" IN ('7')")));
    assert_eq!(ann["seen"]["email"], json!({ "shown": "clear", "rule": null, "where": null, "otherwise": null }));
    assert_eq!(
        ann["seen"]["owner"],
        json!({ "shown": "constant", "rule": "p: mask using constant", "where": "amount > 10", "otherwise": "clear" })
    );
    assert_eq!((&ops["rows"], &ops["row_filter"]), (&json!("all"), &json!(null)));
    let view = ops["view_sql"].as_str().unwrap_or_default();
    assert!(view.contains("\"gov_public\".\"people\"") && view.ends_with("WITH NO SCHEMA BINDING"), "{view}");
    workspace.plan().assert_empty();
}
