//! The list: everything the stand-in accepts, each with what shows it on Redshift. `ALLOWED.md` is printed from it.

mod catalog;
mod constructs;
mod functions;
mod statements;

use std::collections::HashMap;
use std::fmt::Write as _;

pub use catalog::{Node, Relation};
pub use functions::{Function, Type};
pub use statements::Form;

use crate::pattern::Pattern;

/// The list without the entries a test took out.
#[derive(Debug)]
pub struct Allowed {
    /// Statement forms, in the order in which they are tried.
    pub forms: Vec<(&'static Form, Pattern)>,
    relations: HashMap<&'static str, &'static Relation>,
    functions: HashMap<&'static str, &'static Function>,
    types: HashMap<&'static str, &'static Type>,
    settings: HashMap<&'static str, &'static str>,
    words: Vec<&'static str>,
    constructs: Vec<&'static str>,
}

impl Allowed {
    /// The whole list less `without`: ids such as `create-user`, `relation:svv_roles`, `function:version`,
    /// `type:varchar`, `setting:statement_timeout`, `word:case`, `plpgsql:if`. An id that is not on the list is an error.
    pub fn new(without: &[String]) -> Result<Self, String> {
        let mut unused: Vec<&String> = without.iter().collect();
        let mut keep = |id: String| {
            unused.retain(|u| **u != id);
            !without.contains(&id)
        };
        let mut forms = Vec::new();
        for form in statements::STATEMENTS {
            let pattern = Pattern::parse(form.form)?;
            if keep(form.id.to_owned()) {
                forms.push((form, pattern));
            }
        }
        let allowed = Allowed {
            forms,
            relations: catalog::RELATIONS
                .iter()
                .map(|r| (r.name, r))
                .filter(|(n, _)| keep(format!("relation:{n}")))
                .collect(),
            functions: functions::FUNCTIONS
                .iter()
                .map(|f| (f.name, f))
                .filter(|(n, _)| keep(format!("function:{n}")))
                .collect(),
            types: functions::TYPES.iter().map(|t| (t.name, t)).filter(|(n, _)| keep(format!("type:{n}"))).collect(),
            settings: functions::SETTINGS.iter().copied().filter(|(n, _)| keep(format!("setting:{n}"))).collect(),
            constructs: constructs::CONSTRUCTS
                .iter()
                .map(|c| c.id)
                .filter(|id| keep(format!("plpgsql:{id}")))
                .collect(),
            words: functions::WORDS.split_whitespace().filter(|w| keep(format!("word:{w}"))).collect(),
        };
        match unused.first() {
            None => Ok(allowed),
            Some(id) => Err(format!("{id} is no entry of the list")),
        }
    }

    /// A catalogue relation by its unqualified name.
    pub fn relation(&self, name: &str) -> Option<&'static Relation> {
        self.relations.get(name).copied()
    }

    /// A function.
    pub fn function(&self, name: &str) -> Option<&'static Function> {
        self.functions.get(name).copied()
    }

    /// A type by its name, words separated by one space.
    pub fn data_type(&self, name: &str) -> Option<&'static Type> {
        self.types.get(name).copied()
    }

    /// PostgreSQL's name of a setting.
    pub fn setting(&self, name: &str) -> Option<&'static str> {
        self.settings.get(name).copied()
    }

    /// Whether a procedure's body may hold a construct.
    pub fn construct(&self, id: &str) -> bool {
        self.constructs.contains(&id)
    }

    /// Whether a word that PostgreSQL reserves may stand in a query.
    pub fn word(&self, word: &str) -> bool {
        self.words.contains(&word)
    }
}

/// Whether PostgreSQL gives the word a meaning of its own.
pub fn is_reserved(word: &str) -> bool {
    functions::RESERVED.split_whitespace().any(|w| w == word)
}

/// The name of the function that this one of the shims stands in for.
pub fn function_shown(backing: &str) -> Option<&'static str> {
    functions::FUNCTIONS.iter().find(|f| f.backing == Some(backing)).map(|f| f.name)
}

/// The text of `ALLOWED.md`.
pub fn document() -> String {
    let mut out = String::from(
        "# What the stand-in accepts\n\n\
         Printed from the table in `src/allowed/` by `redshift-standin --allowed`; do not edit. Everything else is refused with 0A000 and its name.\n\
         Evidence: a page of the Amazon Redshift Database Developer Guide by its name (`r_GRANT` is \
         <https://docs.aws.amazon.com/redshift/latest/dg/r_GRANT.html>), or a public source.\n\n\
         ## Statements\n\n| id | form | runs as | evidence |\n|---|---|---|---|\n",
    );
    let cell = |text: &str| text.replace('|', "\\|");
    for f in statements::STATEMENTS {
        let _ = writeln!(out, "| {} | `{}` | `{}` | {} |", f.id, cell(f.form), cell(f.rewrite), f.evidence);
    }
    out.push_str("\n## Catalogue relations\n\nA query may not mix relations of the leader node with those of the compute nodes.\n\n| relation | node | evidence |\n|---|---|---|\n");
    for r in catalog::RELATIONS {
        let _ = writeln!(
            out,
            "| {} | {} | {} |",
            r.name,
            if r.node == Node::Leader { "leader" } else { "compute" },
            r.evidence
        );
    }
    out.push_str("\n## Functions\n\nA leader-only function fails with `Specified types or functions (one per INFO message) not supported on Redshift tables.` beside SVV, STV or user tables.\n\n| function | node | evidence |\n|---|---|---|\n");
    for f in functions::FUNCTIONS {
        let _ = writeln!(out, "| {} | {} | {} |", f.name, if f.leader { "leader only" } else { "any" }, f.evidence);
    }
    out.push_str("\n## Types\n\n| type | node | evidence |\n|---|---|---|\n");
    for t in functions::TYPES {
        let _ = writeln!(out, "| {} | {} | {} |", t.name, if t.leader { "leader only" } else { "any" }, t.evidence);
    }
    out.push_str("\n## Procedures\n\nA body is one block, `[DECLARE ...] BEGIN ... END`, of these; their expressions are looked up as in a query.\n\n| id | form | evidence |\n|---|---|---|\n");
    for c in constructs::CONSTRUCTS {
        let _ = writeln!(out, "| {} | `{}` | {} |", c.id, cell(c.form), c.evidence);
    }
    let settings: Vec<_> = functions::SETTINGS.iter().map(|(n, _)| *n).collect();
    let _ = write!(
        out,
        "\n## Settings\n\n{} (r_SET, cm_chap_ConfigurationRef)\n\n## Words in a query\n\nWords that PostgreSQL reserves; of these a query may hold only: {} (r_SELECT_synopsis and the pages of its clauses)\n\n## Names in a query\n\nUsers' relations and functions, with a schema or without one (r_search_path, udf-naming-udfs). Relations of another database by three parts, to be read (cross-database-overview), but not in what outlives the statement, other than late-binding and materialized views (cross-database_limitation).\n",
        settings.join(", "),
        functions::WORDS.split_whitespace().collect::<Vec<_>>().join(" ")
    );
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_committed_document_is_the_table() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/ALLOWED.md");
        let committed = std::fs::read_to_string(path).unwrap_or_default();
        assert!(committed == document(), "run: redshift-standin --allowed > tests/standin/ALLOWED.md");
    }

    #[test]
    fn entries_are_whole_and_can_be_taken_out() {
        let mut ids: Vec<_> = statements::STATEMENTS.iter().map(|f| f.id).collect();
        assert!(statements::STATEMENTS.iter().all(|f| !f.evidence.is_empty()));
        let less = Allowed::new(&["plpgsql:if".into()]).expect("a known id");
        assert!(!less.construct("if") && constructs::CONSTRUCTS.iter().all(|c| c.id == "if" || less.construct(c.id)));
        ids.sort_unstable();
        ids.dedup();
        assert_eq!(ids.len(), statements::STATEMENTS.len(), "ids are unique");
        let less = Allowed::new(&["create-user".into(), "relation:svv_roles".into()]).expect("known ids");
        assert!(less.relation("svv_roles").is_none() && less.relation("svv_user_grants").is_some());
        assert!(less.forms.iter().all(|(f, _)| f.id != "create-user"));
        assert!(Allowed::new(&["relation:nothing".into()]).is_err());
    }
}
