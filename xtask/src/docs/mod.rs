//! `make docs`: the Registry's pages, from the schemas, the prose in templates/ and the HCL in examples/.
//!
//! A page is a template with the schema, examples and import commands put in. A type without a template of its own gets the
//! plain one. Pages that nothing produces any more are removed; nothing else writes into docs/.

mod describe;
mod proofs;
mod requirements;
mod schema;
mod template;

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use crate::tools;

/// Pages by their path below docs/.
type Pages = BTreeMap<PathBuf, String>;

/// Writes docs/. Fails, after writing, when a requirement has neither a test nor a reason.
pub fn write() -> Result<(), String> {
    let root = tools::root();
    let (pages, unproven) = pages(&root)?;
    let docs = root.join("docs");
    for stale in present(&docs)?.into_keys().filter(|path| !pages.contains_key(path)) {
        fs::remove_file(docs.join(&stale)).map_err(|e| format!("{}: {e}", stale.display()))?;
    }
    for (path, text) in &pages {
        let file = docs.join(path);
        if let Some(folder) = file.parent() {
            fs::create_dir_all(folder).map_err(|e| format!("{}: {e}", folder.display()))?;
        }
        fs::write(&file, text).map_err(|e| format!("{}: {e}", file.display()))?;
    }
    println!("docs/: {} pages", pages.len());
    complain(&unproven)
}

/// Fails when docs/ is not what [`write`] would write now.
pub fn check() -> Result<(), String> {
    let root = tools::root();
    let (pages, unproven) = pages(&root)?;
    let differing = differences(&present(&root.join("docs"))?, &pages);
    if !differing.is_empty() {
        return Err(format!("docs/ is not up to date, run `make docs`:\n  {}", differing.join("\n  ")));
    }
    complain(&unproven)
}

/// Requirements that wait for a test.
fn complain(unproven: &[String]) -> Result<(), String> {
    if unproven.is_empty() {
        return Ok(());
    }
    let why = "no test says `/// Proves:` and templates/requirements.txt gives no reason";
    Err(format!("requirements without proof ({why}): {}", unproven.join(" ")))
}

/// All pages, and the requirements that have neither proof nor reason.
fn pages(root: &Path) -> Result<(Pages, Vec<String>), String> {
    let mut pages = Pages::new();
    for page in describe::pages() {
        pages.insert(page.path(), template::page(root, &page)?);
    }
    for guide in files(&root.join("templates/guides"), "md")? {
        let text = read(&guide)?;
        let name = guide.file_name().ok_or("a guide without a name")?;
        pages.insert(Path::new("guides").join(name), template::guide(root, &text)?);
    }
    let rows = requirements::rows(&read(&root.join("templates/requirements.txt"))?)?;
    let proofs = proofs::collect(root)?;
    let report = requirements::report(&rows, &proofs)?;
    pages.insert(PathBuf::from("guides/requirements.md"), report.page);
    Ok((pages, report.unproven))
}

/// The files below docs/.
fn present(docs: &Path) -> Result<Pages, String> {
    let mut found = Pages::new();
    for file in files(docs, "md")? {
        let path = file.strip_prefix(docs).map_err(|e| e.to_string())?.to_path_buf();
        found.insert(path, read(&file)?);
    }
    Ok(found)
}

/// One line for each page that is missing, left over or different.
fn differences(present: &Pages, wanted: &Pages) -> Vec<String> {
    let line = |path: &PathBuf| match (present.get(path), wanted.get(path)) {
        (Some(_), None) => Some(format!("{} is left over", path.display())),
        (None, Some(_)) => Some(format!("{} is missing", path.display())),
        (Some(a), Some(b)) => {
            let at = a.lines().zip(b.lines()).take_while(|(a, b)| a == b).count() + 1;
            (a != b).then(|| format!("{} differs at line {at}", path.display()))
        }
        (None, None) => None,
    };
    let all: std::collections::BTreeSet<&PathBuf> = present.keys().chain(wanted.keys()).collect();
    all.into_iter().filter_map(line).collect()
}

/// Files with this extension in a folder and below, sorted; none when there is no such folder.
fn files(folder: &Path, extension: &str) -> Result<Vec<PathBuf>, String> {
    let mut found = Vec::new();
    if !folder.exists() {
        return Ok(found);
    }
    for entry in fs::read_dir(folder).map_err(|e| format!("{}: {e}", folder.display()))? {
        let path = entry.map_err(|e| e.to_string())?.path();
        if path.is_dir() {
            found.extend(files(&path, extension)?);
        } else if path.extension().is_some_and(|e| e == extension) {
            found.push(path);
        }
    }
    found.sort();
    Ok(found)
}

fn read(path: &Path) -> Result<String, String> {
    fs::read_to_string(path).map_err(|e| format!("{}: {e}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_pages_in_docs_are_the_ones_that_would_be_written() {
        let root = tools::root();
        let (wanted, unproven) = pages(&root).expect("pages can be made");
        let present = present(&root.join("docs")).expect("docs/ can be read");
        assert_eq!(differences(&present, &wanted), Vec::<String>::new(), "run `make docs`");
        assert_eq!(unproven, Vec::<String>::new(), "requirements without a test or a reason");
    }

    #[test]
    fn every_kind_of_difference_is_told() {
        let one = |path: &str, text: &str| Pages::from([(PathBuf::from(path), text.to_owned())]);
        assert_eq!(differences(&one("a.md", "x"), &one("a.md", "x")), Vec::<String>::new());
        assert_eq!(differences(&one("a.md", "x\ny"), &one("a.md", "x\nz")), ["a.md differs at line 2"]);
        assert_eq!(differences(&one("a.md", "x"), &one("b.md", "x")), ["a.md is left over", "b.md is missing"]);
    }
}
