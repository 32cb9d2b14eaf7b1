//! What is known of a user, and how it stands in the table `profile`: sets sorted between unit separators, attributes
//! between record separators, which no value can hold.

use std::collections::{BTreeMap, BTreeSet};

use serde::Deserialize;

use super::problem::{Problem, nullable};
use crate::engine::names::check_name;
use crate::engine::sql::{Sql, literal, sql};

/// A user's profile, and what the session chose.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Profile {
    /// The user's name.
    #[serde(deserialize_with = "nullable")]
    pub user: String,
    /// Groups.
    #[serde(deserialize_with = "nullable")]
    pub groups: BTreeSet<String>,
    /// Attributes, each with its values.
    #[serde(deserialize_with = "nullable")]
    pub attributes: BTreeMap<String, BTreeSet<String>>,
    /// Purposes that may be chosen.
    #[serde(deserialize_with = "nullable")]
    pub purposes: BTreeSet<String>,
    /// The purpose that the session chose.
    #[serde(deserialize_with = "nullable")]
    pub acting_under: Option<String>,
}

/// The longest text of one column, which leaves room in a `varchar(65535)`.
const LONGEST: usize = 60_000;

/// What stands between the values of a set, and between attributes (unit and record separator of ASCII).
pub(super) const UNIT: char = '\u{1f}';
pub(super) const RECORD: char = '\u{1e}';

/// What stands for them in a statement, so that a person can read it.
const STAND_INS: [char; 5] = ['~', '^', '|', '#', ';'];

/// A value that a set may hold.
pub(super) fn check_value(value: &str) -> Result<(), String> {
    if value.is_empty() {
        return Err("A value is empty: leave it out, or write the one that is meant.".to_owned());
    }
    if value.chars().any(char::is_control) {
        return Err(format!("{value:?} holds a control character, which would end the value: leave it out."));
    }
    Ok(())
}

impl Profile {
    /// The purpose that counts: chosen and held.
    pub(super) fn acting_purpose(&self) -> Option<&str> {
        self.acting_under.as_deref().filter(|chosen| self.purposes.contains(*chosen))
    }

    /// What is wrong with it, on one of its settings.
    pub fn problems(&self) -> Vec<Problem> {
        let mut found = Vec::new();
        for (setting, values) in [("groups", &self.groups), ("purposes", &self.purposes)] {
            let wrong = values.iter().find_map(|value| check_value(value).err());
            found.extend(wrong.map(|why| Problem::of(setting, format!("Bad {setting}"), why)));
        }
        let texts = self.attributes.iter().flat_map(|(key, values)| std::iter::once(key).chain(values));
        if let Some(why) = texts.into_iter().find_map(|text| check_value(text).err()) {
            found.push(Problem::of("attributes", "Bad attributes", why));
        }
        let [groups, attributes, purposes] = self.texts();
        for (setting, text) in [("groups", groups), ("attributes", attributes), ("purposes", purposes)] {
            if text.is_some_and(|text| text.len() > LONGEST) {
                let why = format!("They come to more than {LONGEST} bytes, which do not fit the profile's column.");
                found.push(Problem::of(setting, format!("Too many {setting}"), why));
            }
        }
        found
    }

    /// The three columns as they are stored; what is empty is NULL.
    pub fn texts(&self) -> [Option<String>; 3] {
        let whole = |values: &BTreeSet<String>| (!values.is_empty()).then(|| set_text(values));
        let attributes = self.attributes.iter().filter(|(_, values)| !values.is_empty());
        let attributes: String = attributes.map(|(key, values)| format!("{key}{}{RECORD}", set_text(values))).collect();
        let attributes = (!attributes.is_empty()).then(|| format!("{RECORD}{attributes}"));
        [whole(&self.groups), attributes, whole(&self.purposes)]
    }

    /// Reads the three columns. Whatever is no profile's text is passed over.
    pub fn read([groups, attributes, purposes]: [Option<&str>; 3]) -> Self {
        let set = |text: &str| text.split(UNIT).filter(|value| !value.is_empty()).map(str::to_owned).collect();
        let attribute = |text: &str| {
            let (key, values) = text.split_once(UNIT)?;
            Some((key.to_owned(), set(values)))
        };
        Profile {
            groups: groups.map(set).unwrap_or_default(),
            attributes: attributes.unwrap_or_default().split(RECORD).filter_map(attribute).collect(),
            purposes: purposes.map(set).unwrap_or_default(),
            ..Profile::default()
        }
    }

    /// The row of the profile: user, groups, attributes, purposes, and the column that nothing is written to.
    pub fn row(&self) -> Sql {
        let [groups, attributes, purposes] =
            self.texts().map(|text| text.map_or_else(|| sql!("NULL"), |text| readable(&text)));
        sql!("({}, {}, {}, {}, NULL)", literal(&self.user), groups, attributes, purposes)
    }
}

/// A user's name as a key of `users`: as `pg_user` shows it.
pub fn check_user(name: &str) -> Result<(), String> {
    check_name(name).map_err(|error| format!("`{name}` cannot be a user's name: {error}."))?;
    for prefix in ["IAM:", "IAMA:"] {
        if let Some(user) = name.strip_prefix(prefix) {
            return Err(format!(
                "`{name}` is how the user is asked for at AWS; in the warehouse the name is what stands behind it: write `{user}`."
            ));
        }
    }
    Ok(())
}

/// `~a~b~` with unit separators.
fn set_text(values: &BTreeSet<String>) -> String {
    values.iter().fold(UNIT.to_string(), |text, value| format!("{text}{value}{UNIT}"))
}

/// The text as an expression without control characters: a character that it does not hold stands for each separator.
fn readable(text: &str) -> Sql {
    let mut free = STAND_INS.into_iter().filter(|stand_in| !text.contains(*stand_in));
    match (free.next(), free.next()) {
        (Some(unit), _) if !text.contains(RECORD) => {
            let written = text.replace(UNIT, &unit.to_string());
            sql!("pg_catalog.replace({}, {}, pg_catalog.chr(31))", literal(&written), literal(&unit.to_string()))
        }
        (Some(unit), Some(record)) => {
            let (unit, record) = (unit.to_string(), record.to_string());
            let written = text.replace(UNIT, &unit).replace(RECORD, &record);
            sql!(
                "pg_catalog.replace(pg_catalog.replace({}, {}, pg_catalog.chr(31)), {}, pg_catalog.chr(30))",
                literal(&written),
                literal(&unit),
                literal(&record)
            )
        }
        _ => spelt_out(text),
    }
}

/// Every separator by its number, for a text that holds all the characters that could stand for one.
fn spelt_out(text: &str) -> Sql {
    let mut parts = Vec::new();
    let mut rest = text;
    while let Some(at) = rest.find([UNIT, RECORD]) {
        let (before, after) = rest.split_at(at);
        if !before.is_empty() {
            parts.push(sql!("{}", literal(before)));
        }
        parts.push(if after.starts_with(UNIT) { sql!("pg_catalog.chr(31)") } else { sql!("pg_catalog.chr(30)") });
        rest = &after[1..];
    }
    if !rest.is_empty() {
        parts.push(sql!("{}", literal(rest)));
    }
    Sql::join(" || ", parts)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn set(values: &[&str]) -> BTreeSet<String> {
        values.iter().map(|&value| value.to_owned()).collect()
    }

    #[test]
    fn a_row_is_readable_and_sorted() {
        let ann = Profile {
            user: "ann".into(),
            groups: set(&["pii", "hr"]),
            attributes: [("tenant".to_owned(), set(&["9", "7"])), ("empty".to_owned(), set(&[]))].into(),
            purposes: set(&["Research"]),
            acting_under: None,
        };
        assert_eq!(
            ann.row().to_string(),
            "('ann', pg_catalog.replace('~hr~pii~', '~', pg_catalog.chr(31)), pg_catalog.replace(pg_catalog.replace('^tenant~7~9~^', '~', pg_catalog.chr(31)), '^', pg_catalog.chr(30)), pg_catalog.replace('~Research~', '~', pg_catalog.chr(31)), NULL)"
        );
        let none = Profile { user: "o'x".into(), ..Profile::default() };
        assert_eq!(none.row().to_string(), "('o''x', NULL, NULL, NULL, NULL)");
    }

    #[test]
    fn another_character_stands_in_where_a_value_holds_the_first() {
        let of = |group: &str| readable(&set_text(&set(&[group]))).to_string();
        assert_eq!(of("a~b"), "pg_catalog.replace('^a~b^', '^', pg_catalog.chr(31))");
        assert_eq!(of("~^|#;"), "pg_catalog.chr(31) || '~^|#;' || pg_catalog.chr(31)");
        let one_left = format!("{RECORD}k{UNIT}~^|#{UNIT}{RECORD}");
        let spelt =
            "pg_catalog.chr(30) || 'k' || pg_catalog.chr(31) || '~^|#' || pg_catalog.chr(31) || pg_catalog.chr(30)";
        assert_eq!(readable(&one_left).to_string(), spelt);
    }

    #[test]
    fn values_that_would_end_themselves_are_refused() {
        for bad in ["", "a\u{1f}b", "a\nb", "\u{1e}"] {
            assert!(check_value(bad).is_err(), "{bad:?}");
            let profile = Profile { groups: set(&[bad]), ..Profile::default() };
            assert_eq!(profile.problems().len(), 1, "{bad:?}");
        }
        assert!(check_value("it's % \\ \"").is_ok());
        let many = Profile { groups: (0..9000).map(|n| format!("group-{n}")).collect(), ..Profile::default() };
        assert_eq!(many.problems()[0].at, "groups");
    }

    #[test]
    fn a_user_is_named_as_the_warehouse_names_it() {
        assert!(check_user("IAMR:analyst").is_ok() && check_user("Ann@Example.com").is_ok());
        for (name, right) in [("IAM:ann", "write `ann`"), ("IAMA:bob", "write `bob`")] {
            assert!(check_user(name).is_err_and(|why| why.contains(right)), "{name}");
        }
        assert!(check_user("").is_err());
    }

    proptest! {
        /// Two different profiles never come to the same text.
        #[test]
        fn the_text_tells_profiles_apart(
            a in prop::collection::btree_map("[a-c~]{1,2}", prop::collection::btree_set("[a-c^]{1,2}", 1..3), 0..3),
            b in prop::collection::btree_map("[a-c~]{1,2}", prop::collection::btree_set("[a-c^]{1,2}", 1..3), 0..3),
        ) {
            let text = |attributes: &BTreeMap<_, _>| Profile { attributes: attributes.clone(), ..Profile::default() }.texts();
            prop_assert_eq!(text(&a) == text(&b), a == b);
            let [groups, attributes, purposes] = text(&a);
            let read = Profile::read([groups.as_deref(), attributes.as_deref(), purposes.as_deref()]);
            prop_assert_eq!(read.attributes, a);
        }
    }
}
