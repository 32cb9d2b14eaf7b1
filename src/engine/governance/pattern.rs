//! Patterns for names of tables and columns, and for what a tag is on.

use std::collections::{BTreeMap, BTreeSet};

use globset::{GlobBuilder, GlobMatcher};

/// Patterns of which one has to match. A pattern with a dot is held against `table.column`.
#[derive(Debug, Clone)]
pub(super) struct Patterns(Vec<(bool, GlobMatcher)>);

/// Whether the case of letters counts. It does where a match shows something.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Case {
    Folded,
    Kept,
}

impl Patterns {
    pub(super) fn new(texts: &BTreeSet<String>, case: Case) -> Result<Self, String> {
        texts.iter().map(|text| Ok((text.contains('.'), glob(text, case)?))).collect::<Result<_, _>>().map(Self)
    }

    pub(super) fn match_table(&self, table: &str) -> bool {
        self.0.iter().any(|(_, glob)| glob.is_match(table))
    }

    pub(super) fn match_column(&self, table: &str, column: &str) -> bool {
        let both = format!("{table}.{column}");
        self.0.iter().any(|(dotted, glob)| glob.is_match(if *dotted { both.as_str() } else { column }))
    }
}

/// One pattern: `*`, `?`, `[abc]` and `{a,b}`.
pub(super) fn glob(text: &str, case: Case) -> Result<GlobMatcher, String> {
    if text.is_empty() {
        return Err("A pattern is empty.".to_owned());
    }
    let mut builder = GlobBuilder::new(text);
    let built = builder.literal_separator(false).backslash_escape(true).case_insensitive(case == Case::Folded).build();
    built.map(|glob| glob.compile_matcher()).map_err(|error| format!("`{text}` is no pattern: {}.", error.kind()))
}

/// What each tag is on.
#[derive(Debug, Clone, Default)]
pub(super) struct Tags(BTreeMap<String, Option<Patterns>>);

impl Tags {
    pub(super) fn new(tags: &BTreeMap<String, BTreeSet<String>>) -> Result<Self, (String, String)> {
        let one = |(tag, texts): (&String, &BTreeSet<String>)| match Patterns::new(texts, Case::Folded) {
            Ok(patterns) => Ok((tag.clone(), Some(patterns))),
            Err(why) => Err((tag.clone(), why)),
        };
        tags.iter().map(one).collect::<Result<_, _>>().map(Self)
    }

    pub(super) fn on(&self, tag: &str, table: &str, column: &str) -> bool {
        self.0.get(tag).and_then(Option::as_ref).is_some_and(|patterns| patterns.match_column(table, column))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pattern_with_a_dot_names_the_table_too() {
        let of = |texts: &[&str], case| {
            Patterns::new(&texts.iter().map(|&text| text.to_owned()).collect(), case).expect("patterns")
        };
        let patterns = of(&["*email*", "people.phone"], Case::Folded);
        for (table, column, matches) in [
            ("people", "work_EMAIL", true),
            ("people", "phone", true),
            ("orders", "phone", false),
            ("email", "id", false),
        ] {
            assert_eq!(patterns.match_column(table, column), matches, "{table}.{column}");
        }
        assert!(!of(&["email"], Case::Kept).match_column("t", "Email"));
        assert!(of(&["PEOPLE", "x"], Case::Folded).match_table("people"));
        assert!(of(&["a?c"], Case::Folded).match_table("abc"));
    }

    #[test]
    fn what_is_no_pattern_is_told() {
        for text in ["", "[a", "{a,b"] {
            assert!(glob(text, Case::Folded).is_err(), "{text}");
        }
    }
}
