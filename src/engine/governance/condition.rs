//! Whom a rule concerns: `unless` and `only_for`. Within a list any one counts, between the kinds of a block all, between
//! blocks any.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::problem::{Problem, nullable};
use super::profile::{Profile, check_value};
use crate::engine::names::check_name;
use crate::engine::sql::{Quoted, Sql, literal, sql};

/// One `unless` or `only_for` block.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Condition {
    /// Groups of the profile.
    #[serde(deserialize_with = "nullable", skip_serializing_if = "BTreeSet::is_empty")]
    pub groups: BTreeSet<String>,
    /// Users by name.
    #[serde(deserialize_with = "nullable", skip_serializing_if = "BTreeSet::is_empty")]
    pub users: BTreeSet<String>,
    /// Purposes that the profile holds and the session chose.
    #[serde(deserialize_with = "nullable", skip_serializing_if = "BTreeSet::is_empty")]
    pub purposes: BTreeSet<String>,
    /// Attributes of the profile, each with values of which it has one.
    #[serde(deserialize_with = "nullable", skip_serializing_if = "BTreeMap::is_empty")]
    pub attributes: BTreeMap<String, BTreeSet<String>>,
}

/// The conditions of a rule.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Concerns<'r> {
    /// Neither is written.
    Everybody,
    /// Whom a block describes is exempt.
    Unless(&'r [Condition]),
    /// Whom no block describes is exempt, if there is a profile.
    OnlyFor(&'r [Condition]),
}

impl<'r> Concerns<'r> {
    pub(super) fn of(unless: &'r [Condition], only_for: &'r [Condition]) -> Self {
        match (unless.is_empty(), only_for.is_empty()) {
            (true, true) => Self::Everybody,
            (false, _) => Self::Unless(unless),
            (true, false) => Self::OnlyFor(only_for),
        }
    }

    /// Whether a reader is exempt from the rule; none is a reader without a profile, who is exempt from nothing.
    pub(super) fn exempts(&self, reader: Option<&Profile>) -> bool {
        let Some(profile) = reader else { return false };
        let described = |blocks: &[Condition]| blocks.iter().any(|block| block.describes(profile));
        match self {
            Self::Everybody => false,
            Self::Unless(blocks) => described(blocks),
            Self::OnlyFor(blocks) => !described(blocks),
        }
    }
}

impl Condition {
    /// What is wrong with the block, on one of its settings.
    pub fn problems(&self) -> Vec<Problem> {
        let mut found = Vec::new();
        if *self == Self::default() {
            found.push(Problem::of("", "An empty condition", EMPTY));
        }
        for (setting, values) in [("groups", &self.groups), ("purposes", &self.purposes)] {
            let wrong = values.iter().find_map(|value| check_value(value).err());
            found.extend(wrong.map(|why| Problem::of(setting, format!("Bad {setting}"), why)));
        }
        if let Some(why) = self.users.iter().find_map(|user| check_name(user).err()) {
            found.push(Problem::of("users", "Bad users", format!("A user with this name is not possible: {why}.")));
        }
        for (key, values) in &self.attributes {
            let texts = std::iter::once(key).chain(values);
            let wrong = texts.into_iter().find_map(|text| check_value(text).err());
            found.extend(wrong.map(|why| Problem::of("attributes", "Bad attributes", why)));
            if values.is_empty() {
                let why = format!("The attribute `{key}` has no value that could be held: list one, or leave it out.");
                found.push(Problem::of("attributes", "Bad attributes", why));
            }
        }
        found
    }

    /// Whether the profile is one of those that the block describes.
    pub(super) fn describes(&self, profile: &Profile) -> bool {
        let any = |wanted: &BTreeSet<String>, held: &BTreeSet<String>| wanted.is_empty() || !wanted.is_disjoint(held);
        let acting: BTreeSet<String> = profile.acting_purpose().map(str::to_owned).into_iter().collect();
        any(&self.groups, &profile.groups)
            && (self.users.is_empty() || self.users.contains(&profile.user))
            && any(&self.purposes, &acting)
            && self
                .attributes
                .iter()
                .all(|(key, wanted)| profile.attributes.get(key).is_some_and(|held| !wanted.is_disjoint(held)))
    }

    /// The block over a row `u` of the view `user_profile`.
    pub(super) fn sql(&self, words: &ProfileWords) -> Sql {
        let mut kinds = Vec::new();
        let any = |each: Vec<Sql>| match each.len() {
            1 => each.into_iter().next().unwrap_or_else(|| sql!("1 = 0")),
            _ => sql!("({})", Sql::join(" OR ", each)),
        };
        if !self.groups.is_empty() {
            kinds.push(any(self.groups.iter().map(|group| holds(&words.groups(), group)).collect()));
        }
        if !self.users.is_empty() {
            kinds.push(any(self.users.iter().map(|user| is_user(&words.userid(), user)).collect()));
        }
        if !self.purposes.is_empty() {
            let chosen = words.chosen_purpose();
            let one = |purpose: &String| {
                sql!("({} AND {} = {})", holds(&words.purposes(), purpose), chosen, literal(purpose))
            };
            kinds.push(any(self.purposes.iter().map(one).collect()));
        }
        for (key, values) in &self.attributes {
            let list = words.attribute(key);
            kinds.push(any(values.iter().map(|value| holds(&list, value)).collect()));
        }
        Sql::join(" AND ", kinds)
    }
}

/// Blocks over a row of `user_profile`: any of them.
pub(super) fn any_of(blocks: &[Condition], words: &ProfileWords) -> Sql {
    let each: Vec<Sql> = blocks.iter().map(|block| block.sql(words)).collect();
    match each.len() {
        1 => Sql::join("", each),
        _ => sql!("({})", Sql::join(") OR (", each)),
    }
}

/// Whether a list holds a value. The separators on both sides make it the whole value.
fn holds(list: &Sql, value: &str) -> Sql {
    let value: Quoted = literal(value);
    sql!("pg_catalog.strpos({}, pg_catalog.chr(31) || {} || pg_catalog.chr(31)) > 0", list, value)
}

/// Whether this is the user. Comparisons of varchar pass over blanks at the end (AWS: Character types).
fn is_user(userid: &Sql, user: &str) -> Sql {
    sql!("({0} = {1} AND pg_catalog.length({0}) = {2})", userid, literal(user), user.chars().count())
}

/// The columns of `user_profile`, and the session's variable, by the integration's prefix.
#[derive(Debug, Clone, Copy)]
pub(super) struct ProfileWords<'p> {
    pub(super) prefix: &'p str,
}

impl ProfileWords<'_> {
    fn column(&self, name: &str) -> Sql {
        sql!("u.{}", crate::engine::sql::bare(&format!("{}__{name}", self.prefix)))
    }

    pub(super) fn userid(&self) -> Sql {
        self.column("userid")
    }

    pub(super) fn groups(&self) -> Sql {
        self.column("groups")
    }

    pub(super) fn purposes(&self) -> Sql {
        self.column("projects")
    }

    /// The purpose that the session chose; nothing is the empty text.
    pub(super) fn chosen_purpose(&self) -> Sql {
        let variable = literal(&format!("{}_session.purpose", self.prefix));
        sql!("coalesce(pg_catalog.current_setting({}, FALSE), '')", variable)
    }

    /// The values of an attribute between separators; only the separator if there is none.
    pub(super) fn attribute(&self, key: &str) -> Sql {
        sql!(
            "pg_catalog.chr(31) || pg_catalog.split_part(pg_catalog.split_part({}, pg_catalog.chr(30) || {} || pg_catalog.chr(31), 2), pg_catalog.chr(30), 1)",
            self.column("attributes"),
            literal(key)
        )
    }
}

const EMPTY: &str = "A condition without groups, users, purposes and attributes would mean everybody, or nobody: write whom \
                     it is about, or leave the block out.";

#[cfg(test)]
mod tests {
    use super::*;

    fn set(values: &[&str]) -> BTreeSet<String> {
        values.iter().map(|&value| value.to_owned()).collect()
    }

    fn ann() -> Profile {
        Profile {
            user: "ann".into(),
            groups: set(&["hr", "pii"]),
            attributes: [("tenant".to_owned(), set(&["7", "9"]))].into(),
            purposes: set(&["Research"]),
            acting_under: Some("Research".into()),
        }
    }

    #[test]
    fn any_within_a_list_all_between_kinds_any_between_blocks() {
        let groups = |names: &[&str]| Condition { groups: set(names), ..Condition::default() };
        let users = |names: &[&str]| Condition { users: set(names), ..Condition::default() };
        assert!(groups(&["x", "pii"]).describes(&ann()));
        assert!(!groups(&["x"]).describes(&ann()));
        let both = Condition { users: set(&["bob"]), ..groups(&["pii"]) };
        assert!(!both.describes(&ann()), "the group fits, the user does not");
        let blocks = [groups(&["x"]), users(&["ann"])];
        let none: [Condition; 0] = [];
        assert!(Concerns::of(&blocks, &none).exempts(Some(&ann())));
        assert!(!Concerns::of(&none, &blocks).exempts(Some(&ann())));
        for concerns in [Concerns::of(&blocks, &none), Concerns::of(&none, &blocks), Concerns::of(&none, &none)] {
            assert!(!concerns.exempts(None), "{concerns:?}: nobody without a profile is exempt");
        }
    }

    #[test]
    fn a_purpose_counts_while_it_is_chosen_and_an_attribute_by_one_of_its_values() {
        let research = Condition { purposes: set(&["Research"]), ..Condition::default() };
        assert!(research.describes(&ann()));
        assert!(!research.describes(&Profile { acting_under: None, ..ann() }));
        assert!(!research.describes(&Profile { purposes: set(&[]), ..ann() }), "chosen, and not held");
        let tenant = |values: &[&str]| Condition {
            attributes: [("tenant".to_owned(), set(values))].into(),
            ..Condition::default()
        };
        assert!(tenant(&["1", "9"]).describes(&ann()));
        assert!(!tenant(&["1"]).describes(&ann()));
    }

    #[test]
    fn a_block_without_anything_and_values_that_cannot_be_are_told() {
        let at =
            |condition: Condition| condition.problems().iter().map(|problem| problem.at.clone()).collect::<Vec<_>>();
        assert_eq!(at(Condition::default()), [""]);
        assert_eq!(at(Condition { groups: set(&["a\u{1f}b"]), ..Condition::default() }), ["groups"]);
        assert_eq!(at(Condition { purposes: set(&[""]), ..Condition::default() }), ["purposes"]);
        let no_value = Condition { attributes: [("k".to_owned(), set(&[]))].into(), ..Condition::default() };
        assert_eq!(at(no_value), ["attributes"]);
        assert!(at(Condition { users: set(&["IAMR:role"]), ..Condition::default() }).is_empty());
    }
}
