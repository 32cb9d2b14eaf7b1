//! The data source `redshift_policy_simulation`: what somebody would see of a table under a policy. With a policy that is
//! written it asks nobody, so that this can be tested where there is no warehouse; with the id of protected tables it is
//! what they show somebody now.

mod online;

use std::collections::{BTreeMap, BTreeSet};

use serde::Deserialize;

use super::configured::Configured;
use super::{errors, rules};
use crate::engine::governance::{
    Barrier, Column, Entitlements, Policy, Problem, Profile, Rules, SeenColumn, Simulation, Table, Target, column,
    tag_problems,
};
use crate::terraform::{
    Attribute, DataSource, Diagnostic, Diagnostics, Path, Read, Schema, Step, Value, boolean, list, map, map_of, set,
    string,
};

/// The data source `redshift_policy_simulation`.
pub struct PolicySimulation;

/// What is written.
#[derive(Deserialize)]
pub struct Model {
    policy: Option<String>,
    schema: Option<String>,
    table: String,
    columns: Option<BTreeMap<String, String>>,
    tags: Option<BTreeMap<String, BTreeSet<String>>>,
    profile: Option<Profile>,
    protected_tables_id: Option<String>,
    user: Option<String>,
}

/// The schema that is taken where none is written.
const SCHEMA: &str = "public";

/// The integration in whose view the table is shown.
const PREFIX: &str = "gov";

impl DataSource for PolicySimulation {
    type Data = Configured;
    type Model = Model;
    const NAME: &'static str = "policy_simulation";

    fn schema() -> Schema<Configured> {
        let schema = Schema::new(
            "What somebody with a profile would see of a table under a policy: nothing is asked or made, so policies can be tested without a \
             warehouse. Or what a user sees of protected tables, by their rules and the own profile as they are in the warehouse now.",
        );
        results(
            schema
                .setting(
                    "policy",
                    string().doc("The policy: the `json` of a `redshift_data_policy`, or the `policy` of protected tables. With `columns`."),
                )
                .setting("table", string().required().doc("Name of the table."))
                .setting("schema", string().doc("Name of its schema. Default: `public`."))
                .setting("columns", map(string()).doc("Its columns, each with its type: `varchar(100)`, `integer`, …"))
                .setting(
                    "tags",
                    rules::tags().doc("Tags that the policy's rules speak of, each with patterns of the columns it is on: `email`, or `people.phone`."),
                )
                .setting(
                    "protected_tables_id",
                    string().doc(
                        "The `id` of a `redshift_protected_tables`, in the place of `policy` and `columns`: its rules, the table's columns and the profile of \
                         `user` are read from the warehouse, by a superuser or the system user.",
                    ),
                )
                .setting("user", string().doc("The user whose profile is read. With `protected_tables_id`."))
                .block("profile", "Whose eyes it is seen with. Left out: somebody's without a profile.", profile()),
        )
    }

    fn check(config: &Value, d: &mut Diagnostics) {
        check_ways(config, d);
        if d.has_errors() || !config.at("protected_tables_id").is_null() {
            return;
        }
        if let Some(json) = config.at("policy").as_str()
            && let Err(problem) = Policy::read(json)
        {
            d.push(of_policy(&problem));
        }
        if let Ok(columns) = config.at("columns").decode::<BTreeMap<String, String>>()
            && let Err(errors) = read_columns(&columns)
        {
            d.extend(errors);
        }
        if let Ok(tags) = config.at("tags").decode::<BTreeMap<String, BTreeSet<String>>>() {
            d.extend(tag_problems(&tags).iter().map(|problem| errors::of_rule(problem, "")));
        }
        if let Ok(profile) = config.at("profile").decode::<Profile>() {
            d.extend(profile.problems().iter().map(|problem| errors::of_rule(problem, "profile")));
        }
        if d.has_errors() {
            return;
        }
        if let Ok(model) = config.decode::<Model>() {
            d.extend(simulate(&model).err().unwrap_or_default());
        }
    }

    async fn read(data: &Configured, model: Model, cx: &mut Read<'_>) -> Result<(), Diagnostics> {
        if let (Some(id), Some(user)) = (&model.protected_tables_id, &model.user) {
            return online::read(data, id, &model.table, user, cx).await;
        }
        let Simulated { seen, view_sql, warnings } = simulate(&model)?;
        if !warnings.is_empty() {
            cx.warn(Diagnostic::warning("The policy shows less than it says", warnings.join("\n")).at("policy"));
        }
        let profile = model.profile.unwrap_or_default();
        if let Some(chosen) = profile.acting_under.filter(|chosen| !profile.purposes.contains(chosen)) {
            let detail = format!(
                "`{chosen}` is not one of the profile's purposes, so choosing it gives nothing: add it to `purposes` if it is held."
            );
            cx.warn(Diagnostic::warning("The purpose is not held", detail).at("profile.acting_under"));
        }
        show(seen, view_sql, cx);
        cx.set("may_select", Value::Null);
        cx.set("has_profile", Value::Null);
        Ok(())
    }
}

fn show(seen: Simulation, view_sql: String, cx: &mut Read<'_>) {
    cx.set("rows", seen.rows.word());
    cx.set("row_filter", seen.row_filter);
    cx.set("filters", seen.filters);
    let columns = seen.columns.iter().map(|column| (column.name.clone(), of_column(column)));
    cx.set("seen", Value::Map(columns.collect()));
    cx.set("view_sql", view_sql);
}

/// One of the two ways, and all of it.
fn check_ways(config: &Value, d: &mut Diagnostics) {
    let is_written = |name: &str| !config.at(name).is_null();
    let mut refuse = |at: &str, summary: &str, detail: String| d.push(Diagnostic::error(summary, detail).at(at));
    if is_written("protected_tables_id") {
        for name in ["policy", "columns", "schema", "tags", "profile"] {
            if is_written(name) {
                let detail =
                    format!("With protected_tables_id, {name} is read from the warehouse: leave one of the two out.");
                refuse(name, "Two ways to simulate", detail);
            }
        }
        if !is_written("user") {
            refuse("protected_tables_id", "No user", "Write `user`, whose profile is read.".to_owned());
        }
        return;
    }
    if is_written("user") {
        let detail = "A profile that is written has its own `user`: profile { user = … }. This one goes with protected_tables_id.";
        refuse("user", "No protected tables", detail.to_owned());
    }
    for name in ["policy", "columns"] {
        if !is_written(name) {
            let detail =
                format!("Write {name}, or protected_tables_id and user, with which it is read from the warehouse.");
            refuse("table", &format!("No {name}"), detail);
        }
    }
}

fn profile() -> Vec<(&'static str, Attribute)> {
    vec![
        ("user", string().doc("The user's name.")),
        ("groups", set(string()).doc("Groups.")),
        ("attributes", map(set(string())).doc("Attributes, each with its values.")),
        ("purposes", set(string()).doc("Purposes that may be chosen.")),
        ("acting_under", string().doc("The purpose that the session has chosen.")),
    ]
}

fn results(schema: Schema<Configured>) -> Schema<Configured> {
    schema
        .computed("rows", string().doc("Which rows are seen: `all`, `some` or `none`."))
        .computed(
            "row_filter",
            string().doc(
                "Where `some` are seen: the predicate that they fulfil, with the profile's values. Null otherwise.",
            ),
        )
        .computed("filters", list(string()).doc("The row filters that hold for the profile."))
        .computed(
            "seen",
            map_of([
                (
                    "shown",
                    string().doc("`clear`, or the mask: `null`, `constant`, `hash`, `regex`, `round`, `expression`."),
                ),
                ("rule", string().doc("The masks that hold. Null if none does.")),
                ("where", string().doc("The predicate in whose rows `shown` shows. Null: in all that are seen.")),
                ("otherwise", string().doc("What shows where that predicate is false; of several predicates, where each of them is. Null without a predicate.")),
            ])
            .doc("What is seen of each column."),
        )
        .computed(
            "view_sql",
            string().doc(
                "The text of the view, as an integration with the prefix `gov` makes it in the schema `gov_SCHEMA`; with \
                 `protected_tables_id`, as this one makes it.",
            ),
        )
        .computed(
            "may_select",
            boolean().doc("Whether the user may read the view, by a right of the own or of a group, a role or PUBLIC. Null without `protected_tables_id`."),
        )
        .computed(
            "has_profile",
            boolean().doc("Whether the user has one profile in the integration: without, all rules hold. Null without `protected_tables_id`."),
        )
}

fn of_column(column: &SeenColumn) -> Value {
    Value::object([
        ("shown", column.shown.into()),
        ("rule", column.rule.clone().into()),
        ("where", column.condition.clone().into()),
        ("otherwise", column.otherwise.into()),
    ])
}

/// A problem with a rule, which stands in the policy's own text.
fn of_policy(problem: &Problem) -> Diagnostic {
    errors::of_rule(&Problem { at: String::new(), ..problem.clone() }, "policy")
}

fn read_columns(columns: &BTreeMap<String, String>) -> Result<Vec<Column>, Diagnostics> {
    let mut read = Vec::new();
    let mut wrong = Diagnostics::new();
    for (name, ty) in columns {
        match column(name, ty) {
            Ok(column) => read.push(column),
            Err(why) => {
                let at = Path::root().attribute("columns").below(Step::Key(name.clone()));
                wrong.push(Diagnostic::error("Bad columns", why).at(at));
            }
        }
    }
    if wrong.is_empty() { Ok(read) } else { Err(wrong) }
}

struct Simulated {
    seen: Simulation,
    view_sql: String,
    warnings: Vec<String>,
}

fn simulate(model: &Model) -> Result<Simulated, Diagnostics> {
    let policy = Policy::read(model.policy.as_deref().unwrap_or_default()).map_err(|problem| of_policy(&problem))?;
    let policy = Policy::together([policy]).tagged(model.tags.clone().unwrap_or_default());
    let schema = model.schema.clone().unwrap_or_else(|| SCHEMA.to_owned());
    let columns = read_columns(model.columns.as_ref().unwrap_or(&BTreeMap::new()))?;
    let table = Table { database: None, schema, name: model.table.clone(), columns };
    let rules = Rules::new(&policy).map_err(|problem| of_policy(&problem))?;
    let protected = rules.on(&table).map_err(|problems| problems.iter().map(of_policy).collect::<Diagnostics>())?;
    let entitlements = Entitlements::new(&rules, PREFIX, "simulation");
    let barrier = Barrier::default();
    let view_schema = format!("{PREFIX}_{}", table.schema);
    let target = Target {
        schema: &view_schema,
        name: &table.name,
        prefix: PREFIX,
        entitlements: entitlements.relation(),
        barrier: &barrier,
        copy: None,
    };
    let view = rules.view(&table, &protected, &target).map_err(|problem| of_policy(&problem))?;
    let seen = protected.seen_by(model.profile.as_ref());
    Ok(Simulated { seen, view_sql: view.to_string(), warnings: protected.warnings })
}
