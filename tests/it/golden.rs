//! The SQL that the provider emits, kept in tests/golden/, parsed by a parser of Redshift's dialect that is not ours.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::campaign::sampled;
use crate::support::tools;

/// Runs tests/golden/check.py on files: whether it passed, and what it printed.
fn check(files: &[PathBuf]) -> (bool, String) {
    let packages = tools::python_package("sqlfluff==4.5.0").expect("sqlfluff can be installed");
    let mut command = Command::new("python3");
    command.arg("tests/golden/check.py").args(files).current_dir(tools::root()).env("PYTHONPATH", packages);
    let output = command.output().expect("python3 runs");
    let text = [output.stdout, output.stderr].concat();
    (output.status.success(), String::from_utf8_lossy(&text).into_owned())
}

#[test]
fn the_golden_sql_is_redshift_sql() {
    let mut files = Vec::new();
    for folder in ["tests/golden", "tests/golden/scripts"] {
        let entries =
            fs::read_dir(tools::root().join(folder)).expect(folder).map(|entry| entry.expect("an entry").path());
        let before = files.len();
        files.extend(entries.filter(|path| path.extension().is_some_and(|e| e == "sql")));
        assert!(files.len() > before, "no golden SQL in {folder}");
    }
    // The parser takes seconds for each.
    let (passed, text) = check(&sampled(files, 8));
    assert!(passed, "{text}");
}

#[test]
fn the_check_finds_what_is_no_sql_and_what_is_listed_for_nothing() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let sample = |name: &str, text: &str| -> PathBuf {
        let path: PathBuf = Path::new(folder.path()).join(name);
        fs::write(&path, text).expect("writes");
        path
    };
    let (passed, text) = check(&[sample("good.sql", "-- a; b\nCREATE ROLE \"a;b\";\nDROP GROUP \"g\";\n")]);
    assert!(passed && text.contains("2 statements"), "{text}");
    let (passed, text) = check(&[sample("bad.sql", "CREATE ROLE \"a\";\n\nCREATE USERR \"b\";\n")]);
    assert!(!passed && text.contains("bad.sql:3: does not parse"), "{text}");
    let (passed, text) = check(&[sample("empty.sql", "-- nothing\n")]);
    assert!(!passed, "{text}");
}
