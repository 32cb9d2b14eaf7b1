//! The house rules that rustfmt and clippy do not know.

use std::fs;
use std::path::Path;
use std::process::Command;

use crate::tools;

/// A file longer than this has more than one job.
const LONGEST: usize = 700;

/// Files that are data or written by a tool, and may be of any length.
const ANY_LENGTH: [&str; 5] = ["Cargo.lock", "LICENSE", "proto/", "templates/requirements.txt", "docs/"];

/// Folders of one machine. Put together here, so that this file does not trip over itself.
const MACHINE_PATHS: [&str; 6] = [
    concat!("/wo", "rk/"),
    concat!("/ro", "ot/"),
    concat!("/ho", "me/"),
    concat!("/Use", "rs/"),
    concat!("/opt/", "wheels"),
    concat!("/mn", "t/"),
];

/// A folder in here is one machine's too. A file may be an example, such as a socket in a sample of output.
const SCRATCH: &str = concat!("/tm", "p/");

/// Where every dependency comes from.
const CRATES_IO: &str = "registry+https://github.com/rust-lang/crates.io-index";

/// Hosts that packages and providers are fetched from. Tools know their own; a copy here would only rot.
const REGISTRY_HOSTS: [&str; 7] = [
    concat!("registry.", "terraform.io"),
    concat!("registry.", "opentofu.org"),
    concat!("index.", "crates.io"),
    concat!("static.", "crates.io"),
    concat!("files.", "pythonhosted.org"),
    concat!("pypi", ".org/simple"),
    concat!("registry.", "npmjs.org"),
];

/// The one line that says where Terraform looks for this provider.
const ADDRESS_CONSTANT: &str = "const ADDRESS";

/// Checks everything, then fails with one line per finding.
pub fn check() -> Result<(), String> {
    let root = tools::root();
    let mut findings = Vec::new();
    for file in committed(&root)? {
        // Not UTF-8: not a text of ours.
        if let Ok(text) = fs::read_to_string(root.join(&file)) {
            findings.extend(findings_in(&file, &text));
        }
    }
    findings.extend(formatted(&root)?);
    if findings.is_empty() { Ok(()) } else { Err(findings.join("\n")) }
}

/// What is wrong with one file.
fn findings_in(file: &str, text: &str) -> Vec<String> {
    let mut findings = Vec::new();
    let lines = text.lines().count();
    if lines > LONGEST && !ANY_LENGTH.iter().any(|start| file.starts_with(start)) && !file.contains("/ALLOWED.md") {
        findings.push(format!("{file}: {lines} lines; more than {LONGEST} is more than one job"));
    }
    if file.ends_with("Cargo.lock") {
        if text.contains("name = \"aws-lc") {
            let why = "with two crypto libraries rustls refuses to choose, and this one starts slowly";
            findings.push(format!("{file}: aws-lc is among the dependencies: {why}"));
        }
        for (number, line) in (1..).zip(text.lines()) {
            let source = line.trim_start().strip_prefix("source = ").map(|quoted| quoted.trim_matches('"'));
            if let Some(source) = source.filter(|source| *source != CRATES_IO) {
                findings.push(format!("{file}:{number}: a dependency is not from crates.io, but from {source}"));
            }
        }
        return findings;
    }
    for (number, line) in (1..).zip(text.lines()) {
        let path = MACHINE_PATHS.iter().find(|path| paths(line, path).next().is_some());
        if let Some(path) = path.or(paths(line, SCRATCH).any(names_a_folder).then_some(&SCRATCH)) {
            findings.push(format!("{file}:{number}: names a folder of one machine ({path})"));
        }
        let host = REGISTRY_HOSTS.iter().find(|host| line.contains(**host));
        if let Some(host) = host.filter(|_| !line.contains(ADDRESS_CONSTANT)) {
            findings.push(format!("{file}:{number}: names a registry's host ({host})"));
        }
    }
    findings
}

/// What follows `start` wherever it begins an absolute path in the line, not inside a longer one or a URL.
fn paths<'a>(line: &'a str, start: &str) -> impl Iterator<Item = &'a str> {
    line.match_indices(start).filter_map(|(at, start)| {
        let before = line[..at].chars().next_back();
        let begins = before.is_none_or(|c| !c.is_alphanumeric() && !"._-~}*$/".contains(c));
        begins.then(|| &line[at + start.len()..])
    })
}

/// Whether a path goes on with the name of a folder.
fn names_a_folder(rest: &str) -> bool {
    rest.split_once('/')
        .is_some_and(|(name, _)| !name.is_empty() && name.chars().all(|c| c.is_alphanumeric() || "._-".contains(c)))
}

/// What git tracks, and what it would track at the next `git add`.
fn committed(root: &Path) -> Result<Vec<String>, String> {
    let listed = Command::new("git")
        .args(["ls-files", "--cached", "--others", "--exclude-standard", "-z"])
        .current_dir(root)
        .output()
        .map_err(|e| format!("git is needed to know what is committed: {e}"))?;
    if !listed.status.success() {
        return Err(format!("git ls-files: {}", String::from_utf8_lossy(&listed.stderr)));
    }
    let names = String::from_utf8_lossy(&listed.stdout).into_owned();
    Ok(names.split('\0').filter(|name| !name.is_empty()).map(str::to_owned).collect())
}

/// Findings of `terraform fmt` in the examples.
fn formatted(root: &Path) -> Result<Vec<String>, String> {
    let terraform = tools::terraform()?;
    let checked = tools::clean(&terraform)
        .args(["fmt", "-check", "-recursive", "-no-color", "examples"])
        .current_dir(root)
        .output()
        .map_err(|e| format!("{}: {e}", terraform.display()))?;
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    if checked.status.success() {
        return Ok(Vec::new());
    }
    let files = text(&checked.stdout);
    if files.trim().is_empty() {
        return Err(format!("terraform fmt: {}", text(&checked.stderr)));
    }
    Ok(files.lines().map(|file| format!("examples/{file}: terraform fmt would change it")).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_file_and_a_second_crypto_library_are_found() {
        let long = "x\n".repeat(LONGEST + 1);
        assert_eq!(findings_in("src/a.rs", &long).len(), 1);
        assert_eq!(findings_in("docs/guides/a.md", &long), Vec::<String>::new());
        assert_eq!(findings_in("Cargo.lock", "name = \"aws-lc-rs\"\n").len(), 1);
        assert_eq!(findings_in("Cargo.lock", "name = \"ring\"\n"), Vec::<String>::new());
    }

    #[test]
    fn a_dependency_from_elsewhere_is_found() {
        let from = |source: &str| findings_in("Cargo.lock", &format!("name = \"a\"\nsource = \"{source}\"\n")).len();
        assert_eq!(from(CRATES_IO), 0);
        assert_eq!(from("git+https://example.com/a#1234"), 1);
        assert_eq!(from("registry+https://example.com/index"), 1);
    }

    #[test]
    fn folders_of_a_machine_are_found_and_parts_of_longer_paths_are_not() {
        let line = |path: &str| findings_in("README.md", &format!("see {path}x\n")).len();
        assert!(MACHINE_PATHS.iter().all(|path| line(path) == 1));
        let inner = format!("https://example.com{}x ${{HOME}}{}x\n", MACHINE_PATHS[0], MACHINE_PATHS[1]);
        assert_eq!(findings_in("README.md", &inner), Vec::<String>::new());
    }

    #[test]
    fn in_the_folder_for_what_is_temporary_a_folder_is_found_and_a_file_may_be_an_example() {
        let found = |line: String| findings_in("src/a.rs", &line).len();
        assert_eq!(found(format!("see {SCRATCH}mine/notes.md")), 1);
        assert_eq!(found(format!("1|6|unix|{SCRATCH}plugin1|grpc, and {SCRATCH}a \"or\" b/c")), 0);
        assert_eq!(found(format!("https://example.com{SCRATCH}mine/notes.md")), 0);
    }

    #[test]
    fn a_registry_may_stand_only_in_the_address() {
        let host = REGISTRY_HOSTS[0];
        assert_eq!(findings_in("src/a.rs", &format!("let a = \"{host}/x/y\";\n")).len(), 1);
        let constant = format!("    const ADDRESS: &str = \"{host}/x/y\";\n");
        assert_eq!(findings_in("src/a.rs", &constant), Vec::<String>::new());
    }
}
