//! The page that says, for each of the requirements, which tests prove it or why none does.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;

use super::proofs::Proofs;

/// How a row is settled.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Status {
    /// By tests.
    Tested,
    /// By a release to come. Tests may prove a part of it already.
    Later(String),
    /// It has no meaning for a provider that stands on its own, or it is words for people.
    NotApplicable(String),
}

/// A requirement.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row {
    pub id: String,
    pub statement: String,
    pub status: Status,
}

/// The page, and the rows that have neither a test nor a reason.
pub struct Report {
    pub page: String,
    pub unproven: Vec<String>,
}

/// Where rows come from, by their letter.
const SOURCES: [(&str, &str); 7] = [
    ("Q", "Qualytics datastore"),
    ("I", "Immuta Redshift integration"),
    ("L", "Lava connector"),
    ("F", "Flitch source"),
    ("S", "Immuta Redshift Spectrum integration"),
    ("G", "Governance of tables"),
    ("M", "Shape of the project"),
];

/// How many requirements there are.
const COUNT: usize = 221;

/// Reads `id | status | statement`; status is `test`, `later: reason` or `n/a: reason`. `#` begins a comment.
pub fn rows(text: &str) -> Result<Vec<Row>, String> {
    let mut rows = Vec::new();
    for line in text.lines().filter(|line| !line.trim().is_empty() && !line.starts_with('#')) {
        let wrong = || format!("templates/requirements.txt: not `id | status | statement`: {line}");
        let mut parts = line.splitn(3, '|').map(str::trim);
        let (Some(id), Some(status), Some(statement)) = (parts.next(), parts.next(), parts.next()) else {
            return Err(wrong());
        };
        let status = match status.split_once(':').map(|(word, reason)| (word, reason.trim())) {
            None if status == "test" => Status::Tested,
            Some(("later", reason)) if !reason.is_empty() => Status::Later(reason.to_owned()),
            Some(("n/a", reason)) if !reason.is_empty() => Status::NotApplicable(reason.to_owned()),
            _ => return Err(wrong()),
        };
        rows.push(Row { id: id.to_owned(), statement: statement.to_owned(), status });
    }
    let ids: BTreeSet<&str> = rows.iter().map(|row| row.id.as_str()).collect();
    if ids.len() != COUNT || rows.len() != COUNT {
        return Err(format!("templates/requirements.txt: {} rows, {} ids, not {COUNT}", rows.len(), ids.len()));
    }
    Ok(rows)
}

/// Joins rows and proofs. A proof of an unknown row is an error, and so is a row that would be on no page.
pub fn report(rows: &[Row], proofs: &Proofs) -> Result<Report, String> {
    let known: BTreeMap<&str, &Row> = rows.iter().map(|row| (row.id.as_str(), row)).collect();
    if let Some((row, proof)) = proofs.iter().find(|(row, _)| !known.contains_key(row.as_str())) {
        return Err(format!("{} names a row that does not exist: {row}", proof[0].test));
    }
    let has_source = |row: &Row| SOURCES.iter().any(|(letter, _)| row.id.starts_with(*letter));
    if let Some(row) = rows.iter().find(|row| !has_source(row)) {
        return Err(format!("templates/requirements.txt: {} begins with the letter of no source", row.id));
    }
    let mut page = String::from(
        "---\npage_title: \"Requirements and their tests\"\nsubcategory: \"\"\ndescription: |-\n  Each requirement, and the tests that prove it or why none does.\n---\n\n\
         <!-- Written by `make docs` from templates/requirements.txt and the tests: edit those. -->\n\n\
         # Requirements and their tests\n\n\
         What this provider has to do was gathered from the descriptions of five products, one row each; what it offers beyond them has rows of its own. A row is settled by tests that name it, or by the reason why it does not apply, or not yet.\n",
    );
    let mut unproven = Vec::new();
    for (letter, source) in SOURCES {
        let members: Vec<&Row> = rows.iter().filter(|row| row.id.starts_with(letter)).collect();
        let _ = write!(page, "\n## {source}\n\n| row | requirement | settled by |\n|---|---|---|\n");
        for row in members {
            let tests = proofs.get(&row.id).map_or(&[][..], Vec::as_slice);
            let mut settled: Vec<String> = tests.iter().map(|p| format!("`{}` in `{}`", p.test, p.file)).collect();
            match &row.status {
                Status::Tested if tests.is_empty() => {
                    unproven.push(row.id.clone());
                    settled.push("**no test yet**".to_owned());
                }
                Status::Tested => {}
                Status::Later(reason) => {
                    if let Some(first) = settled.first_mut() {
                        first.insert_str(0, "in part by ");
                    }
                    settled.insert(0, format!("later: {reason}"));
                }
                Status::NotApplicable(reason) => settled.push(format!("does not apply: {reason}")),
            }
            let _ = writeln!(page, "| {} | {} | {} |", row.id, row.statement, settled.join("; "));
        }
    }
    let _ = write!(page, "\n{}", summary(rows, proofs));
    Ok(Report { page, unproven })
}

/// The count at the end of the page.
fn summary(rows: &[Row], proofs: &Proofs) -> String {
    let count = |wanted: &dyn Fn(&Row) -> bool| rows.iter().filter(|row| wanted(row)).count();
    let has_tests = |row: &Row| proofs.contains_key(&row.id);
    let tested = count(&|row| row.status == Status::Tested && has_tests(row));
    let later = count(&|row| matches!(row.status, Status::Later(_)));
    let in_part = count(&|row| matches!(row.status, Status::Later(_)) && has_tests(row));
    let not = count(&|row| matches!(row.status, Status::NotApplicable(_)));
    format!(
        "Of {} rows, {tested} are proved by tests, {later} come later ({in_part} of them proved in part) and {not} do not apply.\n",
        rows.len()
    )
}

#[cfg(test)]
mod tests {
    use super::super::proofs::Proof;
    use super::*;

    fn row(id: &str, status: Status) -> Row {
        Row { id: id.to_owned(), statement: "says".to_owned(), status }
    }

    #[test]
    fn each_row_shows_its_tests_or_its_reason() {
        let later = |id: &str| row(id, Status::Later("with IAM".to_owned()));
        let rows = [row("Q1", Status::Tested), row("Q2", Status::Tested), later("I1"), later("I2")];
        let proof = || vec![Proof { file: "a.rs".to_owned(), test: "t".to_owned() }];
        let proofs = Proofs::from([("Q1".to_owned(), proof()), ("I2".to_owned(), proof())]);
        let report = report(&rows, &proofs).expect("no unknown row");
        assert_eq!(report.unproven, ["Q2"]);
        assert!(report.page.contains("| Q1 | says | `t` in `a.rs` |"), "{}", report.page);
        assert!(report.page.contains("| I1 | says | later: with IAM |"));
        assert!(report.page.contains("| I2 | says | later: with IAM; in part by `t` in `a.rs` |"));
        assert!(
            report.page.contains(
                "Of 4 rows, 1 are proved by tests, 2 come later (1 of them proved in part) and 0 do not apply."
            )
        );
    }

    #[test]
    fn an_unknown_row_is_refused() {
        let proofs = Proofs::from([("Q9".to_owned(), vec![Proof { file: "a.rs".to_owned(), test: "t".to_owned() }])]);
        assert!(report(&[row("Q1", Status::Tested)], &proofs).is_err());
    }

    #[test]
    fn a_row_of_no_source_is_refused() {
        let told = report(&[row("Q1", Status::Tested), row("Z1", Status::Tested)], &Proofs::new());
        assert!(told.is_err_and(|why| why.contains("Z1")));
    }

    #[test]
    fn the_file_has_every_row_once_and_reasons_where_they_are_due() {
        let all = |status: &str| (1..=COUNT).map(|n| format!("Q{n} | {status} | says\n")).collect::<String>();
        assert_eq!(rows(&all("later: soon")).map(|rows| rows.len()), Ok(COUNT));
        assert!(rows(&all("later:")).is_err());
        assert!(rows(&all("n/a")).is_err());
        assert!(rows(&all("test").replace("Q7 ", "Q8 ")).is_err());
        assert!(rows("Q1 | test | says\n").is_err());
    }
}
