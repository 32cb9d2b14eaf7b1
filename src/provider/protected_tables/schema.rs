//! The attributes of protected tables.

use super::super::configured::Configured;
use super::super::link;
use super::super::place;
use super::super::registered;
use super::super::rules;
use super::super::settings::Place;
use super::model::Model;
use crate::engine::error::Hints;
use crate::engine::governance::{Policy, tag_problems};
use crate::engine::names::check_name;
use crate::engine::registration::registry::What;
use crate::terraform::{Block, Diagnostics, Schema, Value, boolean, list, map, set, string};

pub(super) fn schema() -> Schema<Configured> {
    let schema = Schema::new(
        "Tables of a schema that a governance integration offers as views: masks and row filters decide what each reader sees, by \
         the own profile. Readers need no right on the tables.",
    );
    let schema = registered::attributes(schema, "its tables").block("source", "The tables.", source().required());
    let schema = link::attributes(schema, Place::Block)
        .setting(
            "view_schema",
            string().replaces().check(name_of("view_schema")).doc(
                "Schema of the views, in the managed database. One that is not there is made, and goes with them. Default: for tables of \
                 another database the name of their schema, for those of the managed database `<prefix>_<schema>`. Another one replaces.",
            ),
        )
        .setting(
            "view_name",
            string().doc("Name of each view; `{table}` stands for the table's name. Default: `{table}`."),
        )
        .setting(
            "policies",
            list(string()).doc("Rules that are written elsewhere: the `json` of `redshift_data_policy`, each of which may serve many schemas."),
        )
        .setting(
            "tags",
            map(set(string())).doc("Tags that rules speak of, each with patterns of the columns it is on: `*email*`, or `people.phone`."),
        )
        .block("mask", "A mask: what shows of columns instead of their values. One that is on no column is an error.", rules::mask())
        .block("row_filter", "A row filter: which rows are seen. One that is on no table is an error.", rules::row_filter())
        .setting(
            "clear_columns",
            set(string()).doc(
                "Patterns of the only columns that may be shown in clear: of others that no mask is on, NULL shows. Left out: a column without a mask is shown.",
            ),
        );
    let schema = schema
        .block("readers", "Who may read the views. Left out: nobody yet.", readers())
        .block("security_barrier", "Whether a reader's own expressions see the values of rows that are hidden from him.", barrier())
        .setting(
            "external_tables",
            string().one_of(&["view", "materialized"]).doc(
                "For tables of an external schema, of which USAGE on the schema is the right to read them all, so that no reader is given it. `view`: views \
                 on the tables, which Redshift may refuse to whoever lacks that right. `materialized`: views on materialized views that hold a copy, which \
                 somebody has to refresh. Left out: `view`.",
            ),
        )
        .setting(
            "allowed_direct_readers",
            set(string()).doc(
                "Who may read the tables themselves, past the rules, beside superusers, owners and the system user: `user NAME`, `group NAME`, \
                 `role NAME`, `PUBLIC`. Others stop an apply. Left out: a warning names them. Nothing that others hold is revoked.",
            ),
        )
        .setting(
            "force_destroy",
            boolean().default(false).local().doc(
                "`true`: views that others hung on the protected ones are dropped with them, by a destroy and where a view has to be made anew.",
            ),
        )
        .timeouts(&[("create", "20m"), ("update", "20m"), ("delete", "20m")]);
    place::attributes(schema)
        .derived(
            "policy",
            string().doc("All rules as JSON, in a form that does not depend on how they were written: for `redshift_policy_simulation`."),
            policy,
        )
        .pinned(
            "effects",
            list(string()).doc(
                "What the last change of rules, readers or barrier shows and hides of tables that are offered already, in words: to be read in its plan. What shows more comes first.",
            ),
        )
        .pinned("scripts", registered::scripts_attribute())
        .pinned("views", map(string()).doc("The view of each table, with its schema."))
        .pinned(
            "copies",
            map(string()).doc("The materialized view that holds the rows of each external table, with its schema, for whoever refreshes it; null without copies."),
        )
        .observed(
            "direct_readers",
            list(string()).doc("Who holds SELECT on one of the tables itself, or USAGE on the schema of external ones, beside superusers, owners and the system user."),
        )
        .drift(
            "missing",
            list(string()).doc("What is not as it was made: views, rights, new tables and columns. A plan that shows any puts it right."),
            Value::List(Vec::new()),
        )
        .drift(
            "surplus",
            list(string()).doc("What is there and should not be: readers that are not declared, views of tables that are gone. A plan that shows any takes it away."),
            Value::List(Vec::new()),
        )
        .derived(
            "id",
            string().doc("Endpoint, or the connection's id, and `#tables/` with database, prefix and name; also the import id."),
            |data: &Configured, planned: &Value| registered::id(data, planned, What::Tables),
        )
}

fn source() -> Block {
    Block::new([
        (
            "database",
            string().replaces().check(name_of("database")).doc(
                "Database that the tables are in. Left out: the managed one. Another one replaces the registration.",
            ),
        ),
        ("schema", string().required().replaces().check(name_of("schema")).doc("Schema of the tables. Another one replaces the registration.")),
        (
            "tables",
            set(string()).doc("Names of tables, or patterns: `fact_*`. A name without `*` has to be there. Left out: all."),
        ),
        ("except_tables", set(string()).doc("Names or patterns of tables that are left out.")),
        (
            "future_tables",
            string().one_of(&["owners", "none"]).doc(
                "`owners`: the system user may read what the owners of the tables will make in the schema, so that a table that is dropped and \
                 made again is read as before. `none`: only the tables that are there. Left out: `owners`.",
            ),
        ),
    ])
}

fn readers() -> Block {
    Block::new([
        ("public", boolean().doc("Everybody.")),
        ("users", set(string()).doc("Users.")),
        ("groups", set(string()).doc("Groups.")),
        ("roles", set(string()).doc("Roles.")),
    ])
}

fn barrier() -> Block {
    Block::new([
        ("enabled", boolean().doc("Left out: `true`. `false`: a predicate of a reader's may run on hidden rows, and tell what they hold.")),
        (
            "except_columns",
            set(string()).doc("Patterns of columns that are left out of it, so that filters on them read fewer blocks. What hidden rows hold in these may be inferred."),
        ),
    ])
}

fn name_of(setting: &'static str) -> impl Fn(&Value) -> Result<(), String> {
    move |value| check_name(value.as_str().unwrap_or_default()).map_err(|problem| format!("In {setting}: {problem}."))
}

/// All rules as JSON, once they are known.
fn policy(_: &Configured, planned: &Value) -> Value {
    let is_known = ["policies", "mask", "row_filter", "tags", "clear_columns"];
    if !is_known.iter().all(|name| planned.at(name).is_wholly_known()) {
        return Value::Unknown;
    }
    let model = planned.clone().unknown_to_null().decode::<Model>();
    model.ok().and_then(|model| model.policy().ok()).map_or(Value::Unknown, |policy: Policy| policy.json().into())
}

/// Rules across attributes; what is unknown is let pass.
pub(super) fn check(config: &Value, d: &mut Diagnostics) {
    link::check(config, d);
    rules::check(config, d);
    if d.has_errors() {
        return;
    }
    if let Value::List(policies) = config.at("policies") {
        for (index, json) in policies.iter().enumerate() {
            if let Some(Err(problem)) = json.as_str().map(Policy::read) {
                let problem = crate::engine::governance::Problem { at: String::new(), ..problem };
                d.push(super::errors::of_rule(&problem, &format!("policies[{index}]")));
            }
        }
    }
    if let Ok(tags) = config.at("tags").decode() {
        d.extend(tag_problems(&tags).iter().map(|problem| super::errors::of_rule(problem, "")));
    }
    if d.has_errors() || !config.is_wholly_known() {
        return;
    }
    let mut filled = config.clone();
    filled.set("force_destroy", false);
    let Ok(model) = filled.decode::<Model>() else { return };
    match model.tables() {
        Err(errors) => d.extend(errors),
        Ok(wanted) => {
            if let Err(error) = wanted.offer.check() {
                d.push(super::errors::on_attribute(&error, &Hints::default(), config));
            }
        }
    }
}
