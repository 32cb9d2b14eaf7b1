//! The data source `redshift_policy_simulation`: what somebody would see of a table under a policy. It asks nobody, so
//! that a policy can be tested where there is no warehouse.

use std::collections::{BTreeMap, BTreeSet};

use serde::Deserialize;

use super::configured::Configured;
use super::{errors, rules};
use crate::engine::governance::{
    Barrier, Column, Entitlements, Policy, Problem, Profile, Rules, SeenColumn, Simulation, Table, Target, column,
    tag_problems,
};
use crate::terraform::{
    Attribute, DataSource, Diagnostic, Diagnostics, Path, Read, Schema, Step, Value, list, map, map_of, set, string,
};

/// The data source `redshift_policy_simulation`.
pub struct PolicySimulation;

/// What is written.
#[derive(Deserialize)]
pub struct Model {
    policy: String,
    schema: Option<String>,
    table: String,
    columns: BTreeMap<String, String>,
    tags: Option<BTreeMap<String, BTreeSet<String>>>,
    profile: Option<Profile>,
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
            "What somebody with a profile would see of a table under a policy. Nothing is asked or made, so policies can be tested without a \
             warehouse.",
        );
        results(
            schema
                .setting("policy", string().required().doc("The policy: the `json` of a `redshift_data_policy`."))
                .setting("table", string().required().doc("Name of the table."))
                .setting("schema", string().doc("Name of its schema. Default: `public`."))
                .setting("columns", map(string()).required().doc("Its columns, each with its type: `varchar(100)`, `integer`, …"))
                .setting(
                    "tags",
                    rules::tags().doc("Tags that the policy's rules speak of, each with patterns of the columns it is on: `email`, or `people.phone`."),
                )
                .block("profile", "Whose eyes it is seen with. Left out: somebody's without a profile.", profile()),
        )
    }

    fn check(config: &Value, d: &mut Diagnostics) {
        if d.has_errors() {
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

    async fn read(_: &Configured, model: Model, cx: &mut Read<'_>) -> Result<(), Diagnostics> {
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
        cx.set("rows", seen.rows.word());
        cx.set("row_filter", seen.row_filter);
        cx.set("filters", seen.filters);
        cx.set(
            "seen",
            Value::Map(seen.columns.iter().map(|column| (column.name.clone(), of_column(column))).collect()),
        );
        cx.set("view_sql", view_sql);
        Ok(())
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
                "The text of the view, as an integration with the prefix `gov` makes it in the schema `gov_SCHEMA`.",
            ),
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
    let policy = Policy::read(&model.policy).map_err(|problem| of_policy(&problem))?;
    let policy = Policy::together([policy]).tagged(model.tags.clone().unwrap_or_default());
    let schema = model.schema.clone().unwrap_or_else(|| SCHEMA.to_owned());
    let columns = read_columns(&model.columns)?;
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
