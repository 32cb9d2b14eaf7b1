//! Policies as people write them and as JSON: rules that only take away, whose order means nothing.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::condition::{Concerns, Condition};
use super::mask::Using;
use super::pattern::{Case, Patterns};
use super::problem::{Problem, nullable};
use super::row_filter::Kind;

/// The form of the JSON. A reader of an older one refuses a newer one.
const FORMAT: u32 = 1;

/// A policy: the rules of one document, or of several put together.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Policy {
    version: u32,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    name: Option<String>,
    #[serde(default, rename = "mask", skip_serializing_if = "BTreeSet::is_empty")]
    pub(super) masks: BTreeSet<MaskRule>,
    #[serde(default, rename = "row_filter", skip_serializing_if = "BTreeSet::is_empty")]
    pub(super) filters: BTreeSet<FilterRule>,
    /// What each tag is on: patterns of `column` or `table.column`.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub(super) tags: BTreeMap<String, BTreeSet<String>>,
    /// Lists of columns that may be shown in clear; a column has to be on each.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub(super) clear_columns: BTreeSet<BTreeSet<String>>,
}

/// A `mask` block.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct MaskRule {
    /// Patterns of columns.
    #[serde(deserialize_with = "nullable", skip_serializing_if = "BTreeSet::is_empty")]
    pub columns: BTreeSet<String>,
    /// Tags of columns.
    #[serde(deserialize_with = "nullable", skip_serializing_if = "BTreeSet::is_empty")]
    pub tags: BTreeSet<String>,
    /// Patterns of tables; all if there is none.
    #[serde(deserialize_with = "nullable", skip_serializing_if = "BTreeSet::is_empty")]
    pub tables: BTreeSet<String>,
    /// Which mask.
    #[serde(deserialize_with = "nullable")]
    pub using: String,
    /// Of `constant`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub value: Option<String>,
    /// Of `hash`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub salt: Option<String>,
    /// Of `regex`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pattern: Option<String>,
    /// Of `regex`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub replacement: Option<String>,
    /// Of `regex`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub flags: Option<String>,
    /// Of `regex`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub unmatched: Option<String>,
    /// Of `round`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub to: Option<String>,
    /// Of `expression`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub expression: Option<String>,
    /// Masked only in rows where this holds, or is NULL.
    #[serde(rename = "where", skip_serializing_if = "Option::is_none")]
    pub condition: Option<String>,
    /// Who is exempt.
    #[serde(deserialize_with = "nullable", skip_serializing_if = "Vec::is_empty")]
    pub unless: Vec<Condition>,
    /// Who alone is masked.
    #[serde(deserialize_with = "nullable", skip_serializing_if = "Vec::is_empty")]
    pub only_for: Vec<Condition>,
    /// The document it came from.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub policy: Option<String>,
}

/// A `row_filter` block.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct FilterRule {
    /// Patterns of tables; all if there is none.
    #[serde(deserialize_with = "nullable", skip_serializing_if = "BTreeSet::is_empty")]
    pub tables: BTreeSet<String>,
    /// The column that is looked at.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub column: Option<String>,
    /// The same by its tag.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub column_tag: Option<String>,
    /// `groups`, `purposes`, `user` or `attribute.KEY`.
    #[serde(rename = "in", skip_serializing_if = "Option::is_none")]
    pub list: Option<String>,
    /// A predicate.
    #[serde(rename = "where", skip_serializing_if = "Option::is_none")]
    pub condition: Option<String>,
    /// Such as `90 days`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub newest: Option<String>,
    /// 1 to 99.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sample_percent: Option<u32>,
    /// `error` or `skip`, for a table without the column.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub missing_column: Option<String>,
    /// Who is exempt.
    #[serde(deserialize_with = "nullable", skip_serializing_if = "Vec::is_empty")]
    pub unless: Vec<Condition>,
    /// Whose rows alone are filtered.
    #[serde(deserialize_with = "nullable", skip_serializing_if = "Vec::is_empty")]
    pub only_for: Vec<Condition>,
    /// The document it came from.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub policy: Option<String>,
}

impl Policy {
    /// A document with these rules.
    pub fn new(
        name: Option<&str>,
        masks: impl IntoIterator<Item = MaskRule>,
        filters: impl IntoIterator<Item = FilterRule>,
    ) -> Self {
        Policy {
            version: FORMAT,
            name: name.map(str::to_owned),
            masks: masks.into_iter().map(MaskRule::canonical).collect(),
            filters: filters.into_iter().map(FilterRule::canonical).collect(),
            ..Policy::default()
        }
    }

    /// The same with what tags are on.
    #[must_use]
    pub fn tagged(mut self, tags: BTreeMap<String, BTreeSet<String>>) -> Self {
        for (tag, patterns) in tags {
            self.tags.entry(tag).or_default().extend(patterns);
        }
        self
    }

    /// The same with a list of what alone may be shown in clear.
    #[must_use]
    pub fn clear(mut self, columns: Option<BTreeSet<String>>) -> Self {
        self.clear_columns.extend(columns);
        self
    }

    /// The rules of all documents in one; each rule keeps the name of its own.
    pub fn together(documents: impl IntoIterator<Item = Policy>) -> Self {
        let mut all = Policy::new(None, [], []);
        for Policy { name, masks, filters, tags, clear_columns, .. } in documents {
            let of = |own: Option<String>| own.or_else(|| name.clone());
            all.masks.extend(masks.into_iter().map(|rule| MaskRule { policy: of(rule.policy.clone()), ..rule }));
            all.filters.extend(filters.into_iter().map(|rule| FilterRule { policy: of(rule.policy.clone()), ..rule }));
            all = all.tagged(tags);
            all.clear_columns.extend(clear_columns);
        }
        all
    }

    /// Reads JSON. What it says is checked.
    pub fn read(json: &str) -> Result<Self, Problem> {
        let told = |detail: String| Problem::of("", "This is no policy", format!("{detail} {WHOSE}"));
        let read: Policy =
            serde_json::from_str(json).map_err(|error| told(format!("It does not read as one: {error}.")))?;
        if read.version != FORMAT {
            return Err(told(format!("It has the version {}, and {FORMAT} is known here.", read.version)));
        }
        let policy = Policy {
            masks: read.masks.into_iter().map(MaskRule::canonical).collect(),
            filters: read.filters.into_iter().map(FilterRule::canonical).collect(),
            ..read
        };
        match policy.problems().into_iter().next() {
            Some(problem) => Err(problem),
            None => Ok(policy),
        }
    }

    /// What is wrong with its rules, each told by its place in the canonical order.
    pub fn problems(&self) -> Vec<Problem> {
        let masks = self.masks.iter().enumerate();
        let masks = masks.flat_map(|(i, rule)| below(rule.problems(), &format!("mask[{i}]")));
        let filters = self.filters.iter().enumerate();
        let filters = filters.flat_map(|(i, rule)| below(rule.problems(), &format!("row_filter[{i}]")));
        masks.chain(filters).chain(tag_problems(&self.tags)).collect()
    }

    /// A problem on a rule as it is written: `masks` and `filters` are the rules in their own order. One on a rule of a
    /// document is on `policies`.
    #[must_use]
    pub fn as_written(&self, problem: Problem, masks: &[MaskRule], filters: &[FilterRule]) -> Problem {
        let Some((block, index, below)) = problem.at_rule() else { return problem };
        let place = match block {
            "mask" => self.masks.iter().nth(index).and_then(|rule| {
                masks.iter().position(|written| rule.policy.is_none() && written.clone().canonical() == *rule)
            }),
            _ => self.filters.iter().nth(index).and_then(|rule| {
                filters.iter().position(|written| rule.policy.is_none() && written.clone().canonical() == *rule)
            }),
        };
        let at = match place {
            Some(index) if below.is_empty() => format!("{block}[{index}]"),
            Some(index) => format!("{block}[{index}].{below}"),
            None => "policies".to_owned(),
        };
        Problem { at, ..problem }
    }

    /// Canonical JSON: the same rules are the same text, in whatever order they were written.
    pub fn json(&self) -> String {
        // Maps with keys of text, strings and numbers: there is nothing that JSON could not hold.
        serde_json::to_string(self).unwrap_or_default()
    }

    /// How many rules there are.
    pub fn len(&self) -> usize {
        self.masks.len() + self.filters.len()
    }

    /// Whether there is no rule.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// What is wrong with patterns of tags.
pub fn tag_problems(tags: &BTreeMap<String, BTreeSet<String>>) -> Vec<Problem> {
    let wrong = tags.iter().filter_map(|(tag, texts)| Some((tag, Patterns::new(texts, Case::Folded).err()?)));
    wrong.map(|(tag, why)| Problem::of("tags", "Bad tags", format!("The tag `{tag}`: {why}"))).collect()
}

fn below(problems: Vec<Problem>, above: &str) -> Vec<Problem> {
    problems.into_iter().map(|problem| problem.below(above)).collect()
}

fn sorted(mut conditions: Vec<Condition>) -> Vec<Condition> {
    conditions.sort();
    conditions.dedup();
    conditions
}

/// Without what means the same as nothing.
fn without_all(tables: BTreeSet<String>) -> BTreeSet<String> {
    if tables.contains("*") { BTreeSet::new() } else { tables }
}

impl MaskRule {
    fn canonical(self) -> Self {
        MaskRule {
            tables: without_all(self.tables),
            unless: sorted(self.unless),
            only_for: sorted(self.only_for),
            unmatched: self.unmatched.filter(|unmatched| unmatched != "null"),
            ..self
        }
    }

    /// The rule without whom it concerns.
    pub(super) fn body(&self) -> Self {
        MaskRule { unless: Vec::new(), only_for: Vec::new(), policy: None, ..self.clone() }
    }

    pub(super) fn concerns(&self) -> Concerns<'_> {
        Concerns::of(&self.unless, &self.only_for)
    }

    /// What is wrong with it, each on its setting.
    pub fn problems(&self) -> Vec<Problem> {
        let mut found = Vec::new();
        if self.columns.is_empty() && self.tags.is_empty() {
            found.push(Problem::of("columns", "A mask without columns", NO_COLUMNS));
        }
        for (setting, texts) in [("columns", &self.columns), ("tables", &self.tables)] {
            let wrong = Patterns::new(texts, Case::Folded).err();
            found.extend(wrong.map(|why| Problem::of(setting, format!("Bad {setting}"), why)));
        }
        found.extend(Using::read(self).err());
        found.extend(self.condition.as_deref().and_then(|text| super::table::check_where(text).err()));
        found.extend(concern_problems(&self.unless, &self.only_for));
        found
    }
}

impl FilterRule {
    fn canonical(self) -> Self {
        FilterRule {
            tables: without_all(self.tables),
            unless: sorted(self.unless),
            only_for: sorted(self.only_for),
            missing_column: self.missing_column.filter(|missing| missing != "error"),
            ..self
        }
    }

    /// The rule without whom it concerns.
    pub(super) fn body(&self) -> Self {
        FilterRule { unless: Vec::new(), only_for: Vec::new(), policy: None, ..self.clone() }
    }

    pub(super) fn concerns(&self) -> Concerns<'_> {
        Concerns::of(&self.unless, &self.only_for)
    }

    /// What is wrong with it, each on its setting.
    pub fn problems(&self) -> Vec<Problem> {
        let mut found: Vec<Problem> = Vec::new();
        let wrong = Patterns::new(&self.tables, Case::Folded).err();
        found.extend(wrong.map(|why| Problem::of("tables", "Bad tables", why)));
        match Kind::read(self) {
            Ok(Kind::Hidden) if self.concerns() == Concerns::Everybody => {
                found.push(Problem::of("unless", "A row filter that hides everything", NOTHING_LEFT));
            }
            Ok(_) => {}
            Err(problem) => found.push(problem),
        }
        found.extend(concern_problems(&self.unless, &self.only_for));
        found
    }
}

fn concern_problems(unless: &[Condition], only_for: &[Condition]) -> Vec<Problem> {
    let mut found = Vec::new();
    for (block, conditions) in [("unless", unless), ("only_for", only_for)] {
        for (index, condition) in conditions.iter().enumerate() {
            found.extend(below(condition.problems(), &format!("{block}[{index}]")));
        }
    }
    if !unless.is_empty() && !only_for.is_empty() {
        found.push(Problem::of("only_for", "unless and only_for exclude each other", BOTH));
    }
    found
}

const WHOSE: &str = "Take the `json` of a redshift_data_policy, or the `policy` of redshift_protected_tables.";

const NO_COLUMNS: &str = "Write which columns it masks: `columns = [\"*email*\"]`, or `tags = [\"pii\"]`.";

const NOTHING_LEFT: &str = "It has no predicate and exempts nobody, so that nobody would see a row: write `unless { groups = [\"…\"] }`, or \
                            what is filtered by (`column` with `in`, `newest` or `sample_percent`, or `where`).";

const BOTH: &str = "A rule has exceptions, or it is for some alone: write two rules, of which each only takes away.";
