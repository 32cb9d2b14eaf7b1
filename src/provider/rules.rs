//! The blocks in which rules are written, wherever they are.

use super::errors;
use crate::engine::governance::{FilterRule, MASKS, MaskRule, Problem};
use crate::terraform::{Attribute, Block, Diagnostics, Value, map, number, set, string};

/// A `mask` block, repeated.
pub(super) fn mask() -> Block {
    let rule = Block::new([
        (
            "columns",
            set(string()).doc(
                "Patterns of columns it is on: `email`, `*mail*`, or with the table `people.*`. At least one of `columns` and `tags`.",
            ),
        ),
        ("tags", set(string()).doc("Tags of columns it is on.")),
        ("tables", set(string()).doc("Patterns of tables it is on. Left out: all.")),
        (
            "using",
            string().required().one_of(&MASKS).doc(
                "What shows instead: `null`, a `constant`, a `hash`, what a `regex` leaves, the value `round`ed, or an `expression`.",
            ),
        ),
        ("value", string().doc("With `constant`: what always shows. It has to be a value of each column's type.")),
        (
            "salt",
            string().doc(
                "With `hash`: values that are hashed with the same salt can be joined. Left out: those of the same column alone.",
            ),
        ),
        ("pattern", string().doc("With `regex`: what is replaced.")),
        ("replacement", string().doc("With `regex`: what it is replaced by. Left out: nothing, so it is cut out.")),
        ("flags", string().doc("With `regex`: `i` (any case) or `c`, and `p` (Perl's form of patterns).")),
        (
            "unmatched",
            string().one_of(&["null", "keep"]).doc(
                "With `regex`: whether a value without a match becomes NULL (`null`) or is shown (`keep`). Left out: `null`.",
            ),
        ),
        (
            "to",
            string().doc(
                "With `round`: the step of a number, such as `1000` or `0.5`, or a unit of time: `minute`, `hour`, `day`, `week`, \
                 `month`, `quarter`, `year`.",
            ),
        ),
        (
            "expression",
            string().doc("With `expression`: what shows, as SQL over the row; `@column` is the masked column. See below."),
        ),
        (
            "where",
            string().doc("Masks only the rows for which this predicate holds, or is NULL. Left out: all. See below for what it may hold."),
        ),
    ]);
    concerns(rule.repeated(), "is exempt and sees the value", "alone is masked; and so is who has no profile")
}

/// A `row_filter` block, repeated.
pub(super) fn row_filter() -> Block {
    let rule = Block::new([
        ("tables", set(string()).doc("Patterns of tables it is on. Left out: all.")),
        ("column", string().doc("The column that `in`, `newest` or `sample_percent` looks at.")),
        ("column_tag", string().doc("The same by its tag, which has to be on one column of each table.")),
        (
            "in",
            string().doc(
                "Rows whose column holds one of the reader's `groups`, the chosen one of the `purposes`, the name of the `user`, or a value \
                 of `attribute.KEY`.",
            ),
        ),
        ("where", string().doc("Rows for which this predicate holds. See below for what it may hold.")),
        ("newest", string().doc("Rows whose column is no older: `90 days`, `2 weeks`.")),
        (
            "sample_percent",
            number().between(1, 99).doc("So many of a hundred rows, by the column's value: the same ones each time."),
        ),
        (
            "missing_column",
            string().one_of(&["error", "skip"]).doc(
                "What a table without the column is: an `error`, or to be passed over (`skip`) and not filtered. Left out: `error`.",
            ),
        ),
    ]);
    concerns(rule.repeated(), "is exempt and sees every row", "alone sees fewer rows; and so does who has no profile")
}

fn concerns(rule: Block, unless: &str, only_for: &str) -> Block {
    let whom = |what: &str| {
        format!(
            "Who {what}. Within a list any one counts, between the kinds all, and between blocks any. Not `unless` and `only_for` in one rule."
        )
    };
    rule.block("unless", whom(unless), condition()).block("only_for", whom(only_for), condition())
}

fn condition() -> Block {
    Block::new([
        ("groups", set(string()).doc("Groups of the profile.")),
        ("users", set(string()).doc("Users by name.")),
        ("purposes", set(string()).doc("Purposes that the profile holds, of which the session has chosen one.")),
        ("attributes", map(set(string())).doc("Attributes of the profile, each with values of which it has one.")),
    ])
    .repeated()
}

/// Patterns of `column` or `table.column` for each tag.
pub(super) fn tags() -> Attribute {
    map(set(string()))
}

/// Checks each rule that is wholly known, on the attribute that is wrong.
pub(super) fn check(config: &Value, d: &mut Diagnostics) {
    // What is wrong by itself may well look like a contradiction.
    if d.has_errors() {
        return;
    }
    each(config, "mask", d, |rule: MaskRule| rule.problems());
    each(config, "row_filter", d, |rule: FilterRule| rule.problems());
}

fn each<R: serde::de::DeserializeOwned>(
    config: &Value,
    block: &str,
    d: &mut Diagnostics,
    problems: impl Fn(R) -> Vec<Problem>,
) {
    let Value::List(items) = config.at(block) else { return };
    for (index, item) in items.iter().enumerate().filter(|(_, item)| item.is_wholly_known()) {
        let above = format!("{block}[{index}]");
        match item.decode::<R>() {
            Ok(rule) => d.extend(problems(rule).iter().map(|problem| errors::of_rule(problem, &above))),
            Err(error) => d.push(error.below(&above.as_str().into()).into()),
        }
    }
}
