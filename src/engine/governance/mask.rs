//! Masks: what each shows of a column of each type, and which of two shows less.

mod constant;
mod round;

use super::columns::{Column, ColumnType};
use super::policy::MaskRule;
use super::problem::Problem;
use crate::engine::sql::{Sql, literal, sql};
pub(super) use round::To;

/// A mask as it is written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Using {
    Null,
    Constant(String),
    Hash(Option<String>),
    Regex(Regex),
    Round(To),
    Expression(String),
}

/// A pattern and what stands in place of what it matches.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Regex {
    pattern: String,
    replacement: String,
    flags: String,
    keep: bool,
}

/// A mask on a column: by this alone two are equal, or one shows less.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Shown {
    /// Nothing.
    Null,
    /// Always the same.
    Constant(String),
    /// So much of it.
    Round(To),
    /// Which values are equal, among all with the same salt.
    Hash(String),
    /// What a pattern leaves.
    Regex(Regex),
    /// What somebody wrote.
    Expression(String),
}

/// A mask on a column with its SQL.
#[derive(Debug, Clone)]
pub(super) struct Applied {
    pub(super) shown: Shown,
    pub(super) sql: Sql,
    /// Why nothing is shown although another mask is written.
    pub(super) fallback: Option<&'static str>,
}

/// The masks, and the settings of each: those that it needs, and those that it takes.
const MASKS: [(&str, &[&str], &[&str]); 6] = [
    ("null", &[], &[]),
    ("constant", &["value"], &["value"]),
    ("hash", &[], &["salt"]),
    ("regex", &["pattern"], &["pattern", "replacement", "flags", "unmatched"]),
    ("round", &["to"], &["to"]),
    ("expression", &["expression"], &["expression"]),
];

/// The names of the masks.
pub const NAMES: [&str; 6] = ["null", "constant", "hash", "regex", "round", "expression"];

impl Using {
    /// Reads the mask of a rule. The error is on the setting that is wrong.
    pub(super) fn read(rule: &MaskRule) -> Result<Self, Problem> {
        let Some((name, needed, taken)) = MASKS.iter().find(|(name, ..)| *name == rule.using) else {
            let names = NAMES.map(|name| format!("`{name}`")).join(", ");
            let detail = format!("There is no mask `{}`: write one of {names}.", rule.using);
            return Err(Problem::of("using", "Bad using", detail));
        };
        let settings = [
            ("value", &rule.value),
            ("salt", &rule.salt),
            ("pattern", &rule.pattern),
            ("replacement", &rule.replacement),
            ("flags", &rule.flags),
            ("unmatched", &rule.unmatched),
            ("to", &rule.to),
            ("expression", &rule.expression),
        ];
        for (setting, value) in settings {
            if value.is_some() && !taken.contains(&setting) {
                let owner = MASKS.iter().find(|(_, _, taken)| taken.contains(&setting)).map_or("", |(owner, ..)| owner);
                let detail = format!(
                    "`{setting}` belongs to `using = \"{owner}\"`; with `{name}` it means nothing. Leave it out."
                );
                return Err(Problem::of(setting, format!("{setting} without {owner}"), detail));
            }
            if value.is_none() && needed.contains(&setting) {
                let detail = format!("`using = \"{name}\"` needs it: write `{setting} = {}`.", example(setting));
                return Err(Problem::of("using", format!("No {setting}"), detail));
            }
        }
        let text = |value: &Option<String>| value.clone().unwrap_or_default();
        Ok(match *name {
            "constant" => Using::Constant(text(&rule.value)),
            "hash" => Using::Hash(checked_salt(rule.salt.as_deref())?),
            "regex" => Using::Regex(Regex::read(rule)?),
            "round" => Using::Round(To::read(&text(&rule.to)).map_err(|why| Problem::of("to", "Bad to", why))?),
            "expression" => {
                let text = text(&rule.expression);
                super::table::check_expression(&text)?;
                Using::Expression(text)
            }
            _ => Using::Null,
        })
    }

    /// The mask on a column, for whose value `value` stands; `path` is its full name. `expression` gives the SQL of an
    /// expression that was checked. The error is about a constant that does not fit.
    pub(super) fn on(
        &self,
        column: &Column,
        value: &Sql,
        path: &str,
        expression: Option<Sql>,
    ) -> Result<Applied, String> {
        let ty = column.ty;
        let null = |fallback| Applied { shown: Shown::Null, sql: sql!("CAST(NULL AS {})", ty.sql()), fallback };
        let applied = |shown, sql| Applied { shown, sql, fallback: None };
        Ok(match self {
            Using::Null => null(None),
            Using::Constant(text) => match constant::on(text, ty)? {
                Some(sql) => applied(Shown::Constant(text.clone()), sql),
                None => null(Some("no constant can be of its type")),
            },
            Using::Hash(salt) => {
                let salt = salt.as_deref().unwrap_or(path);
                match hash(ty, value, salt) {
                    Some(sql) => applied(Shown::Hash(salt.to_owned()), sql),
                    None => null(Some("only text and whole numbers are hashed")),
                }
            }
            Using::Regex(regex) if ty.is_text() => applied(Shown::Regex(regex.clone()), regex.on(value)),
            Using::Regex(_) => null(Some("a pattern is for text")),
            Using::Round(to) => match to.on(ty, value) {
                Some(sql) => applied(Shown::Round(*to), sql),
                None => null(Some("its type cannot be rounded so")),
            },
            Using::Expression(text) => match expression {
                Some(sql) => applied(Shown::Expression(text.clone()), sql!("({})", sql)),
                None => null(None),
            },
        })
    }
}

/// A salt is told from the value by what neither can hold.
fn checked_salt(salt: Option<&str>) -> Result<Option<String>, Problem> {
    match salt.map(|salt| (salt, super::profile::check_value(salt))) {
        Some((_, Err(why))) => Err(Problem::of("salt", "Bad salt", why)),
        Some((salt, Ok(()))) => Ok(Some(salt.to_owned())),
        None => Ok(None),
    }
}

/// Text stays text; a whole number becomes one of 60 bits (AWS: SHA2, STRTOL). Without a key the answer is NULL.
fn hash(ty: ColumnType, value: &Sql, salt: &str) -> Option<Sql> {
    let of = |value: Sql| sql!("pg_catalog.sha2(p.mask_key || {} || p.sep || {}, 256)", literal(salt), value);
    match ty {
        ColumnType::Varchar(_) => Some(of(value.clone())),
        ColumnType::Char(_) => Some(of(sql!("pg_catalog.rtrim({})", value))),
        ColumnType::Integer(_) => {
            Some(sql!("pg_catalog.strtol(pg_catalog.substring({}, 1, 15), 16)", of(sql!("{}::varchar", value))))
        }
        _ => None,
    }
}

impl Regex {
    fn read(rule: &MaskRule) -> Result<Self, Problem> {
        let text = |value: &Option<String>| value.clone().unwrap_or_default();
        let (pattern, flags) = (text(&rule.pattern), text(&rule.flags));
        let mut seen = std::collections::BTreeSet::new();
        if !flags.chars().all(|flag| "cip".contains(flag) && seen.insert(flag))
            || (flags.contains('c') && flags.contains('i'))
        {
            let detail = "They are `i` (any case) or `c`, and `p` (Perl's form of patterns), each at most once.";
            return Err(Problem::of("flags", "Bad flags", detail));
        }
        let keep = match rule.unmatched.as_deref() {
            None | Some("null") => false,
            Some("keep") => true,
            Some(other) => {
                let detail = format!("It is `null` (the value becomes NULL) or `keep` (it is shown), not `{other}`.");
                return Err(Problem::of("unmatched", "Bad unmatched", detail));
            }
        };
        check_pattern(&pattern, flags.contains('p')).map_err(|why| Problem::of("pattern", "Bad pattern", why))?;
        // In one order, so that the same flags are the same mask.
        let flags = ["c", "i", "p"].into_iter().filter(|flag| flags.contains(*flag)).collect();
        Ok(Regex { pattern, replacement: text(&rule.replacement), flags, keep })
    }

    fn on(&self, value: &Sql) -> Sql {
        let (pattern, replacement) = (literal(&self.pattern), literal(&self.replacement));
        let flags = literal(&self.flags);
        let replaced = match self.flags.is_empty() {
            true => sql!("pg_catalog.regexp_replace({}, {}, {})", value, pattern, replacement),
            false => sql!("pg_catalog.regexp_replace({}, {}, {}, 1, {})", value, pattern, replacement, flags),
        };
        let count = match self.flags.is_empty() {
            true => sql!("pg_catalog.regexp_count({}, {})", value, pattern),
            false => sql!("pg_catalog.regexp_count({}, {}, 1, {})", value, pattern, flags),
        };
        if self.keep { replaced } else { sql!("CASE WHEN {} > 0 THEN {} END", count, replaced) }
    }
}

/// Whether a pattern reads as one. What Perl's form has beyond that (look-around, references) is let pass with `p`
/// (AWS: REGEXP_REPLACE).
fn check_pattern(pattern: &str, perl: bool) -> Result<(), String> {
    if pattern.is_empty() {
        return Err("It is empty, and would match everywhere.".to_owned());
    }
    let mut plain = pattern.to_owned();
    if perl {
        for look in ["(?<=", "(?<!", "(?=", "(?!", "(?>"] {
            plain = plain.replace(look, "(?:");
        }
        for digit in 1..=9 {
            plain = plain.replace(&format!("\\{digit}"), "x");
        }
    }
    regex_lite::Regex::new(&plain).map(drop).map_err(|error| format!("`{pattern}` does not parse: {error}."))
}

impl Shown {
    /// How it is called.
    pub(super) fn name(&self) -> &'static str {
        match self {
            Shown::Null => "null",
            Shown::Constant(_) => "constant",
            Shown::Round(_) => "round",
            Shown::Hash(_) => "hash",
            Shown::Regex(_) => "regex",
            Shown::Expression(_) => "expression",
        }
    }

    /// Whether something of the value is left.
    pub(super) fn is_partial(&self) -> bool {
        !matches!(self, Shown::Null | Shown::Constant(_))
    }

    /// What is shown where both hold: what tells no more than either.
    pub(super) fn meet(&self, other: &Shown) -> Shown {
        match (self, other) {
            (one, two) if one == two => one.clone(),
            (constant @ Shown::Constant(_), partial) | (partial, constant @ Shown::Constant(_))
                if partial.is_partial() =>
            {
                constant.clone()
            }
            (Shown::Round(one), Shown::Round(two)) => one.coarser(*two).map_or(Shown::Null, Shown::Round),
            _ => Shown::Null,
        }
    }
}

fn example(setting: &str) -> &'static str {
    match setting {
        "value" => "\"hidden\"",
        "pattern" => "\"^[^@]+\"",
        "to" => "\"1000\"` or `to = \"month\"",
        _ => "\"substring(@column, 1, 3)\"",
    }
}

#[cfg(test)]
mod tests;
