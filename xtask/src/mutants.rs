//! `make mutants`: breaks the pure rules one line at a time and sees whether a unit test notices.

use std::collections::BTreeSet;
use std::fs;
use std::process::Command;

use crate::tools;

/// Modules whose functions are rules: no network, no clock, no Terraform.
const RULES: [&str; 15] = [
    "src/terraform/types.rs",
    "src/terraform/value.rs",
    "src/terraform/number.rs",
    "src/terraform/planning.rs",
    "src/terraform/outcome.rs",
    "src/engine/settings/id.rs",
    "src/engine/settings/id/**",
    "src/engine/sql.rs",
    "src/engine/names.rs",
    "src/engine/catalog/acl.rs",
    "src/engine/rights.rs",
    "src/engine/datastore/missing.rs",
    "src/engine/datastore/steps.rs",
    "src/engine/datastore/taking.rs",
    "src/engine/datastore/wanted.rs",
];

/// Tests that start a stand-in or a server: too slow to run once per mutant, and not what rules are held by.
const SLOW: [&str; 4] = ["--skip", "life_tests", "--skip", "wire_tests"];

/// Where accepted survivors are listed, each with its reason.
const ACCEPTED: &str = "tests/mutants.md";

/// Runs cargo-mutants (`arguments` are handed on, such as `--file src/engine/id.rs` or `--shard 1/4`) and fails
/// with the survivors that are not listed, and with listed ones that a test has caught since.
pub fn run(arguments: &[&str]) -> Result<(), String> {
    let root = tools::root();
    let listed = fs::read_to_string(root.join(ACCEPTED)).map_err(|e| format!("{ACCEPTED}: {e}"))?;
    let accepted = accepted(&listed)?;
    let output = tools::target().join("mutants");
    fs::create_dir_all(&output).map_err(|e| e.to_string())?;

    let mut command = Command::new(tools::target().join("tools/bin/cargo-mutants"));
    command.args(["mutants", "--no-shuffle", "--package", "terraform-provider-redshift", "--output"]).arg(&output);
    let whole = !arguments.iter().any(|argument| ["--file", "-f", "--shard", "--re"].contains(argument));
    if !arguments.iter().any(|argument| ["--file", "-f"].contains(argument)) {
        command.args(RULES.iter().flat_map(|rule| ["--file", rule]));
    }
    // To cargo as a whole: else each mutant builds the end-to-end tests too, only to leave them alone.
    command.arg("--cargo-arg=--lib").args(arguments).args(["--", "--"]).args(SLOW).current_dir(&root);
    // Debug information costs a second per mutant and is read by nobody.
    command.env("CARGO_PROFILE_DEV_DEBUG", "false").env("CARGO_PROFILE_TEST_DEBUG", "false");
    // Relative: inside each copy of the sources that is broken. What is mutated must not end up among our own builds.
    command.env("CARGO_TARGET_DIR", "target");
    // 0: all caught, 2: some missed, 3: some timed out. Anything else is no result.
    let status = command.status().map_err(|e| format!("cargo-mutants does not run: {e}"))?;
    if !matches!(status.code(), Some(0 | 2 | 3)) {
        return Err(format!("cargo-mutants gave up: {status}"));
    }

    let missed = fs::read_to_string(output.join("mutants.out/missed.txt")).map_err(|e| format!("missed.txt: {e}"))?;
    let missed: BTreeSet<String> = missed.lines().map(without_position).collect();
    let mut findings: Vec<String> = missed.difference(&accepted).map(|m| format!("alive: {m}")).collect();
    if whole {
        findings.extend(accepted.difference(&missed).map(|m| format!("{ACCEPTED} lists what a test now catches: {m}")));
    }
    if findings.is_empty() { Ok(()) } else { Err(findings.join("\n")) }
}

/// The survivors of the list: ``- `src/x.rs: replace …`: reason``.
fn accepted(text: &str) -> Result<BTreeSet<String>, String> {
    let entry = |line: &str| {
        let (mutant, reason) = line.strip_prefix("- `")?.split_once("`: ")?;
        (!reason.trim().is_empty()).then(|| mutant.to_owned())
    };
    let items = text.lines().filter(|line| line.starts_with("- "));
    items.map(|line| entry(line).ok_or_else(|| format!("{ACCEPTED}: no mutant and reason in: {line}"))).collect()
}

/// `src/x.rs:12:5: replace a with b` without the line and column, which move with every edit.
fn without_position(line: &str) -> String {
    let mut parts = line.splitn(4, ':');
    match (parts.next(), parts.next(), parts.next(), parts.next()) {
        (Some(file), Some(_), Some(_), Some(change)) => format!("{file}:{change}"),
        _ => line.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_pattern_of_the_rules_matches_a_file() {
        for rule in RULES {
            let found = match rule.strip_suffix("/**") {
                Some(folder) => fs::read_dir(tools::root().join(folder)).is_ok_and(|entries| entries.count() > 0),
                None => tools::root().join(rule).is_file(),
            };
            assert!(found, "{rule} matches nothing");
        }
    }

    #[test]
    fn the_list_is_read_by_mutant_and_needs_reasons() {
        let list = "# Title\n\ntext\n- `src/a.rs: replace f -> bool with true`: equal for every input\n";
        let expected = BTreeSet::from(["src/a.rs: replace f -> bool with true".to_owned()]);
        assert_eq!(accepted(list), Ok(expected));
        assert!(accepted("- `src/a.rs: replace f`:  \n").is_err());
        assert!(accepted("- src/a.rs\n").is_err());
    }

    #[test]
    fn positions_do_not_count() {
        let line = "src/a.rs:12:5: replace f -> bool with x::y";
        assert_eq!(without_position(line), "src/a.rs: replace f -> bool with x::y");
    }
}
