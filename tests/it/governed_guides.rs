//! The guides about protected tables do what they say.

use serde_json::json;

use crate::support::{Warehouse, Workspace, tools};

fn page(name: &str) -> String {
    let file = tools::root().join(format!("docs/guides/{name}.md"));
    std::fs::read_to_string(file).unwrap_or_else(|error| panic!("{name}: {error}"))
}

/// The blocks of a page in this language.
fn blocks(page: &str, language: &str) -> Vec<String> {
    let begin = format!("```{language}\n");
    let parts = page.split(&begin).skip(1);
    parts.filter_map(|part| part.split("```").next()).map(str::to_owned).collect()
}

/// Proves: G1, G7, G17
#[test]
fn the_guide_works_as_it_is_written() {
    let page = page("govern");
    let warehouse = Warehouse::start();
    for statement in blocks(&page, "sql")[0].split(';').map(str::trim).filter(|statement| !statement.is_empty()) {
        warehouse.sql("sample", statement);
    }
    let terraform = blocks(&page, "terraform");
    let (masked, simulated) = (&terraform[0], &terraform[1]);
    let is_code = |line: &&str| !line.trim().is_empty() && !line.trim().starts_with('#');
    let lines = masked.lines().filter(is_code).count();
    assert!(lines <= 30, "{lines} lines to a first masked column");
    let workspace = Workspace::on(&warehouse);
    // The page names the provider's source itself.
    workspace.file("required.tf", "").write(masked);
    workspace.apply();
    let of = |user: &str, password: &str| -> Vec<Vec<String>> {
        let rows =
            warehouse.sql_as(user, password, "governed", "SELECT * FROM shop.people ORDER BY id").expect("reads");
        rows.into_iter().map(|row| row.into_iter().map(Option::unwrap_or_default).collect()).collect()
    };
    let ann = || of("ann", "Try-it-1");
    assert_eq!(ann(), [["1", "ann@example.com", "7"], ["2", "bob@example.com", "9"]]);
    for (user, password) in [("bob", "Try-it-2"), ("eve", "Try-it-3")] {
        let rows = of(user, password);
        assert!(rows.len() == 2 && rows.iter().all(|row| row[1].len() == 64), "{user}: {rows:?}");
    }

    let parts = blocks(&page, "hcl");
    let [users, row_filter] = parts.as_slice() else { panic!("what the second step adds: {parts:#?}") };
    let users_before = masked.lines().find(|line| line.trim_start().starts_with("users ")).expect("a line");
    let filtered = masked
        .replace(&format!("{users_before}\n"), users)
        .replace("  readers {", &format!("{row_filter}\n  readers {{"));
    workspace.write(&format!("{filtered}{simulated}"));
    let outcome = workspace.apply();
    assert!(!outcome.text().contains("Support reads addresses"), "{}", outcome.text());
    workspace.plan().assert_empty();
    assert_eq!(ann(), [["1", "ann@example.com", "7"], ["2", "bob@example.com", "9"]]);
    let bob = of("bob", "Try-it-2");
    assert_eq!((bob.len(), bob[0][0].as_str(), bob[0][1].len(), bob[0][2].as_str()), (1, "2", 64, "9"));
    assert_eq!(of("eve", "Try-it-3"), [[""; 0]; 0]);
    workspace.destroy();
}

/// Proves: G5, G17
#[test]
fn the_guide_of_words_tells_what_is_seen_without_a_warehouse() {
    let warehouse = Warehouse::start();
    let workspace = Workspace::on(&warehouse);
    workspace.write(&blocks(&page("words"), "terraform").concat());
    warehouse.reset_counters();
    workspace.apply();
    let seen = workspace.json(&["output", "-json", "support_sees"]);
    assert_eq!(seen["email"]["shown"], json!("hash"), "{seen:#}");
    assert_eq!(seen["amount"]["where"], json!("region <> 'eu'"), "{seen:#}");
    assert_eq!(warehouse.sessions(), 0);
}
