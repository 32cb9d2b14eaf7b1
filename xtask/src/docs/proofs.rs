//! Which tests prove which requirements: the `/// Proves: Q13, I38` lines above tests.

use std::collections::BTreeMap;
use std::path::Path;

use super::{files, read};

/// A test that names more rows than this proves none of them.
const MOST: usize = 5;

/// A test and where it stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Proof {
    pub file: String,
    pub test: String,
}

/// The tests by row.
pub type Proofs = BTreeMap<String, Vec<Proof>>;

/// Reads every Rust file of src/ and tests/.
pub fn collect(root: &Path) -> Result<Proofs, String> {
    let mut proofs = Proofs::new();
    for folder in ["src", "tests", "xtask/src"] {
        for path in files(&root.join(folder), "rs")? {
            let file = path.strip_prefix(root).map_err(|e| e.to_string())?.display().to_string();
            read_into(&mut proofs, &file, &read(&path)?)?;
        }
    }
    Ok(proofs)
}

/// Adds what one file proves.
fn read_into(proofs: &mut Proofs, file: &str, text: &str) -> Result<(), String> {
    let mut named: Option<Vec<String>> = None;
    let mut is_test = false;
    for (number, line) in (1..).zip(text.lines()) {
        let line = line.trim();
        let fail = |what: &str| Err(format!("{file}:{number}: {what}"));
        // The marker is put together here, so that this file does not read itself as a proof.
        if let Some(rows) = line.strip_prefix("///").and_then(|rest| rest.trim().strip_prefix(concat!("Pro", "ves:"))) {
            let rows: Vec<String> =
                rows.trim().trim_end_matches('.').split(',').map(|row| row.trim().to_owned()).collect();
            if rows.len() > MOST {
                return fail(&format!("a test proves at most {MOST} rows, this one names {}", rows.len()));
            }
            if named.replace(rows).is_some() {
                return fail("two lists of rows above one test");
            }
            is_test = false;
        } else if line.starts_with("#[") {
            let attribute = line.trim_start_matches("#[").split(['(', ']', ' ', '=']).next().unwrap_or_default();
            is_test |= attribute == "test" || attribute.ends_with("::test");
        } else if let Some(test) = function(line) {
            if let Some(rows) = named.take() {
                if !is_test {
                    return fail("rows are named above a function that is no test");
                }
                for row in rows {
                    proofs.entry(row).or_default().push(Proof { file: file.to_owned(), test: test.to_owned() });
                }
            }
            is_test = false;
        } else if named.is_some() && !line.is_empty() && !line.starts_with("//") && !attribute_goes_on(line) {
            return fail("rows are named above something that is no test");
        }
    }
    if named.is_some() { Err(format!("{file}: rows are named above nothing")) } else { Ok(()) }
}

/// The name of the function that a line begins.
fn function(line: &str) -> Option<&str> {
    let start = ["fn ", "async fn ", "pub fn ", "pub async fn "].iter().find_map(|start| line.strip_prefix(start))?;
    start.split(['(', '<']).next()
}

/// The end of an attribute of several lines.
fn attribute_goes_on(line: &str) -> bool {
    line.ends_with(")]") || line == "]" || line.ends_with(',')
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Puts the marker into a sample.
    fn read(sample: &str) -> Result<Proofs, String> {
        let mut proofs = Proofs::new();
        read_into(&mut proofs, "a.rs", &sample.replace("ROWS", concat!("/// Pro", "ves:"))).map(|()| proofs)
    }

    #[test]
    fn rows_belong_to_the_test_below() {
        let proofs =
            read("/// What it shows.\nROWS Q1, I2\n#[tokio::test]\nasync fn shows() {}\nfn other() {}").expect("reads");
        let proof = vec![Proof { file: "a.rs".to_owned(), test: "shows".to_owned() }];
        assert_eq!(proofs, Proofs::from([("I2".to_owned(), proof.clone()), ("Q1".to_owned(), proof)]));
    }

    #[test]
    fn a_list_that_proves_nothing_is_refused() {
        assert!(read("ROWS Q1, Q2, Q3, Q4, Q5, Q6\n#[test]\nfn a() {}").expect_err("six rows").contains("at most 5"));
        assert!(read("ROWS Q1\nfn a() {}").expect_err("no test").contains("no test"));
        assert!(read("ROWS Q1\nstruct A;").expect_err("no test").contains("no test"));
        assert!(read("ROWS Q1\n").expect_err("nothing").contains("above nothing"));
    }
}
