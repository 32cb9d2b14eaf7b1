//! The walls between the rooms: `terraform/` and `engine/` name neither each other nor `provider/`.

mod scan;

use std::fs;
use std::path::{Path, PathBuf};

use scan::names;

/// The crate's name, as a path may begin with it.
const OWN_NAME: &str = "terraform_provider_redshift";

/// Rooms that may name only themselves.
const WALLED: [&str; 2] = ["terraform", "engine"];

/// What crosses a wall in one file of module `module`.
fn crossings(module: &[&str], source: &str) -> Vec<String> {
    let Some(room) = module.first().filter(|room| WALLED.contains(room)) else { return Vec::new() };
    // The crate's root holds all rooms: naming it, or all of it, is a way around the wall.
    let outside = names(source, module, OWN_NAME)
        .into_iter()
        .filter(|named| named.path.first().is_none_or(|first| first != room));
    outside.map(|named| format!("{}:{} names {}", module.join("::"), named.line, named.path.join("::"))).collect()
}

/// The module of a file below src/: `src/engine/acl.rs` is `engine::acl`.
fn module_of(path: &Path) -> Vec<String> {
    let mut parts: Vec<String> =
        path.with_extension("").iter().map(|part| part.to_string_lossy().into_owned()).collect();
    if parts.last().is_some_and(|last| ["mod", "lib", "main"].contains(&last.as_str())) {
        parts.pop();
    }
    parts
}

fn rust_files(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).expect("a folder of sources").map(|entry| entry.expect("an entry").path());
    let (folders, files): (Vec<PathBuf>, Vec<PathBuf>) = entries.partition(|path| path.is_dir());
    let mut found: Vec<PathBuf> =
        files.into_iter().filter(|path| path.extension().is_some_and(|e| e == "rs")).collect();
    found.extend(folders.iter().flat_map(|folder| rust_files(folder)));
    found
}

#[test]
fn no_room_reaches_over_its_wall() {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut rooms = Vec::new();
    let mut found = Vec::new();
    for file in rust_files(&source) {
        let module = module_of(file.strip_prefix(&source).expect("below src"));
        let module: Vec<&str> = module.iter().map(String::as_str).collect();
        rooms.extend(module.first().map(ToString::to_string));
        found.extend(crossings(&module, &fs::read_to_string(&file).expect("a source is UTF-8")));
    }
    assert!(WALLED.iter().all(|room| rooms.iter().any(|found| found == room)), "a room is gone: {rooms:?}");
    assert_eq!(found, Vec::<String>::new());
}

#[test]
fn a_path_over_a_wall_is_found_however_it_is_written() {
    let crossing = [
        "use crate::provider::Redshift;",
        "use crate::{engine::Sql, terraform::Value};",
        "use crate::engine::{self, Sql}; use super::super::provider;",
        "fn f() -> crate::terraform::Value { todo() }",
        "use crate::*;",
        "use crate as all;",
        "use terraform_provider_redshift::provider::Redshift;",
        "mod inner { use super::super::super::terraform::Value; }",
        "fn f<'a>(c: char) { if c == '\\'' || c == '\"' { crate::terraform::f() } }",
        "const A: &str = r#\"\"#; use crate::provider;",
        "pub(in crate::provider) fn f() {}",
    ];
    for source in crossing {
        assert_eq!(crossings(&["engine", "acl"], source).len(), 1, "{source}");
    }
    assert_eq!(crossings(&["terraform"], "use super::engine::Sql;"), ["terraform:1 names engine::Sql"]);
    assert_eq!(crossings(&["terraform", "plan"], "\n\nuse crate::engine;"), ["terraform::plan:3 names engine"]);
}

#[test]
fn paths_within_a_room_comments_strings_and_tests_are_no_crossings() {
    let fine = [
        "use crate::engine::{Sql, names::{self, fold}}; use super::rights::Rights;",
        "// crate::terraform\n/* crate::provider /* crate */ */ /// [`crate::terraform::Value`]",
        "const A: &str = \"crate::terraform \\\" crate::provider\"; const B: &str = r##\"crate::terraform\"# \"##;",
        "pub(crate) fn f(self: &Self) {} pub(super) struct A; pub(in crate::engine) struct B;",
        "#[cfg(test)]\nmod tests { use crate::terraform::Value; }",
        "#[cfg(test)] use crate::provider; #[test] fn f() { crate::terraform::f() }",
        "mod inner { use super::super::rights; use self::crate_like; } fn f(&self) { self.engine::<u8>() }",
        "use tokio::sync::Mutex; use other::engine::terraform;",
    ];
    for source in fine {
        assert_eq!(crossings(&["engine", "acl"], source), Vec::<String>::new(), "{source}");
    }
    assert_eq!(crossings(&["provider", "user"], "use crate::{engine, terraform};"), Vec::<String>::new());
}

/// What no source may hold, and where it may be all the same: ways by which a text could become SQL, or reach the wire.
const WAYS_AROUND: [(&str, &[&str]); 7] = [
    ("Sql::put(", &["engine/sql.rs"]),
    ("impl Fragment for", &["engine/sql.rs"]),
    ("Writing {", &["engine/sql.rs"]),
    ("for Sql {", &["engine/sql.rs"]),
    (".simple_query", &["engine/session.rs"]),
    ("batch_execute", &["engine/session.rs"]),
    (".leak()", &[]),
];

/// SQL is put together from texts of the source and typed fragments ([`terraform_provider_redshift::engine::sql`]): by
/// types, as its doc tests show, and with no way around them.
#[test]
fn no_string_becomes_sql() {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut found = Vec::new();
    let mut used = 0;
    for file in rust_files(&source) {
        let name = file.strip_prefix(&source).expect("below src").to_string_lossy().replace('\\', "/");
        let text = fs::read_to_string(&file).expect("a source is UTF-8");
        used += text.matches("sql!(").count();
        for (way, allowed) in WAYS_AROUND {
            if text.contains(way) && !allowed.contains(&name.as_str()) {
                found.push(format!("{name} holds {way}"));
            }
        }
        // Text for tests alone: the function is not there outside of them.
        if text.contains("sql::raw") && !text.contains("#[cfg(test)]") && !name.ends_with("tests.rs") {
            found.push(format!("{name} uses sql::raw"));
        }
    }
    assert!(used > 100, "statements are made by sql!, of which {used} were found");
    assert_eq!(found, Vec::<String>::new());
    let sql = fs::read_to_string(source.join("engine/sql.rs")).expect("is there");
    for conversion in
        ["From<String> for Sql", "From<&str> for Sql", "for String {\n    fn write", "for str {\n    fn write"]
    {
        assert!(!sql.contains(conversion), "{conversion} lets any text become SQL");
    }
}
