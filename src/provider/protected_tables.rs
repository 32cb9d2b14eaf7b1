//! `redshift_protected_tables`: tables that a governance integration offers as views, in which its rules decide who sees what.

mod model;
mod schema;

use std::collections::{BTreeMap, BTreeSet};

use super::configured::Configured;
use super::errors;
use super::link::{self, Link};
use super::place::{self, Mark};
use super::registered;
use crate::engine::catalog::At;
use crate::engine::error::{Error, shown};
use crate::engine::governance::{self, Table, column};
use crate::engine::registration::by_hand;
use crate::engine::registration::kept::{Kept, KeptView};
use crate::engine::registration::registry::What;
use crate::engine::registration::source::Named;
use crate::engine::registration::tables::{self, Looked, NotOffered};
use crate::engine::registration::wanted::{External, TablesWanted};
use crate::terraform::{Change, Diagnostic, Diagnostics, Found, Plan, Resource, Schema, Value};
use model::Model;

/// The resource `redshift_protected_tables`.
pub struct ProtectedTables;

/// What the last apply made, in private state.
const KEPT: &str = "made";

/// The tables and columns that a read has seen: what the next plan names, its apply may show.
const NAMED: &str = "named";

impl Resource for ProtectedTables {
    type Data = Configured;
    type Model = Model;
    const NAME: &'static str = "protected_tables";

    fn schema() -> Schema<Configured> {
        schema::schema()
    }

    fn check(config: &Value, d: &mut Diagnostics) {
        schema::check(config, d);
    }

    async fn plan(data: &Configured, plan: &mut Plan<'_>) -> Result<(), Diagnostics> {
        place::plan(data, plan, Mark::None).await?;
        if plan.is_create() {
            plan.set("effects", Value::List(Vec::new()));
        } else {
            if may_have_other_views(plan) {
                plan.set("views", Value::Unknown);
                plan.set("copies", Value::Unknown);
            } else if plan.settings_changed() && plan.planned().at("external_tables").as_str() == Some("materialized") {
                // A column may have changed since, which makes another copy.
                plan.set("copies", Value::Unknown);
            }
            plan_effects(plan);
        }
        let scripts = registered::plans_scripts(plan);
        look_ahead(data, plan, scripts).await
    }

    async fn create(data: &Configured, wanted: Model, cx: &mut Change<'_>) -> Result<(), Diagnostics> {
        let (offered, written) = (wanted.tables()?, wanted.written());
        let warehouse = place::to_create(data, cx, &offered.uri.database).await?;
        let applied = match offered.uri.by_hand {
            true => tables::verify(&warehouse, &offered, &Kept::default(), cx.cancelled()).await,
            false => tables::apply(&warehouse, &offered, None, None, cx.cancelled()).await,
        };
        match applied {
            Ok(applied) => {
                cx.created();
                record(&applied, &offered, cx)
            }
            Err(NotOffered::Failed(error)) if matches!(error, Error::Exists { .. }) => {
                let diagnostic = place::explained(data, &error, cx);
                Err(registered::shows_import(&diagnostic, Self::NAME, cx).into())
            }
            Err(error) => Err(explained(data, error, &written, cx.config())),
        }
    }

    async fn read(data: &Configured, state: Model, cx: &mut Change<'_>) -> Result<Found, Diagnostics> {
        data.reads();
        let link = link::known(cx.prior())?;
        if !link.enabled {
            return Ok(Found::Here);
        }
        let wanted = state.tables()?;
        let kept = kept(cx.private(KEPT));
        let warehouse = match place::where_made(data, cx, &[&wanted.uri.database, &wanted.offer.source.database]).await
        {
            Ok(warehouse) => warehouse,
            Err(error) => {
                place::unread(data, &link, &error, cx)?;
                return Ok(Found::Here);
            }
        };
        let looked = tables::look(&warehouse, &wanted, &kept, None, cx.cancelled()).await;
        let is_gone = match &looked {
            Ok(Some(looked)) => !looked.is_there || is_gone(looked, &kept),
            Ok(None) => true,
            Err(_) => false,
        };
        if is_gone {
            return match tables::remains(&warehouse, &wanted, &kept, cx.cancelled()).await {
                Ok(rights) if rights.is_empty() => Ok(Found::Gone),
                Ok(_) => {
                    // Only its state tells what was given for it.
                    place::was_read(cx);
                    cx.set("missing", vec![format!("the registration in database {}", shown(&wanted.uri.database))]);
                    Ok(Found::Here)
                }
                Err(error) => place::unread(data, &link, &error, cx).map(|()| Found::Here),
            };
        }
        match looked {
            Ok(None) => {}
            Ok(Some(looked)) => {
                place::was_read(cx);
                cx.set("missing", looked.way.missing());
                cx.set("surplus", looked.way.surplus());
                cx.set("direct_readers", direct_readers(&looked, &wanted));
                let named = serde_json::to_value(looked.found.source.named()).unwrap_or_default();
                cx.set_private(NAMED, if looked.way.missing().is_empty() { serde_json::Value::Null } else { named });
            }
            // What stands in the way of an apply is told by the plan.
            Err(NotOffered::Rules(problems)) => {
                let lines: Vec<String> = problems.iter().map(ToString::to_string).collect();
                cx.set("missing", lines);
            }
            Err(NotOffered::NotYet(lacks)) => cx.set("missing", lacks),
            Err(NotOffered::Failed(error)) => place::unread(data, &link, &error, cx)?,
        }
        Ok(Found::Here)
    }

    async fn update(data: &Configured, prior: Model, wanted: Model, cx: &mut Change<'_>) -> Result<(), Diagnostics> {
        let (offered, written) = (wanted.tables()?, wanted.written());
        let warehouse = place::to_change(data, cx, &offered.uri.database).await?;
        let kept = kept(cx.private(KEPT));
        let named = named(&kept, cx.private(NAMED), prior.chooses_other_tables(&wanted));
        let applied = match offered.uri.by_hand {
            true => tables::verify(&warehouse, &offered, &kept, cx.cancelled()).await,
            false => tables::apply(&warehouse, &offered, Some(&kept), named.as_ref(), cx.cancelled()).await,
        };
        let applied = applied.map_err(|error| explained(data, error, &written, cx.config()))?;
        if let Some(lines) = effects_of(&prior, &wanted, &kept) {
            cx.set("effects", lines);
        } else if cx.planned().at("effects").is_unknown() {
            cx.set("effects", Value::List(Vec::new()));
        }
        record(&applied, &offered, cx)
    }

    async fn delete(data: &Configured, state: Model, cx: &mut Change<'_>) -> Result<(), Diagnostics> {
        let link = link::known(cx.prior())?;
        let gone = state.tables()?;
        let warehouse = match place::where_made(data, cx, &[&gone.uri.database]).await {
            Ok(warehouse) => warehouse,
            Err(error) => {
                let endpoint = cx.prior().at("endpoint").as_str().map(str::to_owned);
                return place::let_go(data, &link, endpoint.as_deref(), &error, cx);
            }
        };
        if gone.uri.by_hand {
            let left = tables::left(&warehouse, &gone, &kept(cx.private(KEPT)), cx.cancelled()).await;
            let left = left.map_err(|error| errors::of_destroy(&error, &data.hints()))?;
            return if left.is_empty() { Ok(()) } else { Err(registered::still_there(&left).into()) };
        }
        let removed = tables::remove(&warehouse, &gone, &kept(cx.private(KEPT)), cx.cancelled()).await;
        let left = removed.map_err(|error| errors::of_destroy(&error, &data.hints()))?;
        if !left.is_empty() {
            let detail = format!("It was left: {}. Drop it by hand, once nobody needs what is in it.", left.join(", "));
            cx.warn(Diagnostic::warning("Something of others is in the schema of the views", detail));
        }
        Ok(())
    }

    async fn import(data: &Configured, id: &str, cx: &mut Change<'_>) -> Result<(), Diagnostics> {
        let hints = data.hints();
        let explain = |error: Error| errors::diagnostic(&error, &hints);
        let id = registered::read_id(data, id, What::Tables)?;
        let (link, connection_id, endpoint) =
            place::imported(data, &id.connection, cx.cancelled()).await.map_err(explain)?;
        let warehouse = data.warehouse(&link, cx.cancelled()).await.map_err(explain)?;
        let facts = warehouse.facts(cx.cancelled()).await.map_err(explain)?;
        let at = At::new(&warehouse, &id.uri.database, cx.cancelled());
        let Some((offer, kept)) = tables::entered(at, &id.uri, &id.name).await.map_err(explain)? else {
            let detail =
                format!("The integration in database {} has no registration of tables of this name.", id.uri.database);
            return Err(Diagnostic::error(format!("No tables \"{}\"", id.name), detail).into());
        };
        keep(&kept, cx);
        cx.set("id", id.to_string());
        cx.set("integration_uri", id.uri.to_string());
        cx.set("name", id.name);
        model::show(&offer, &id.uri, cx);
        cx.set("connection_id", connection_id);
        cx.set("endpoint", endpoint);
        cx.set("namespace", facts.namespace.clone());
        cx.set("force_destroy", false);
        cx.set("effects", Value::List(Vec::new()));
        Ok(())
    }
}

/// Says what changed rules show and hide, of the columns that are shown already: by what the last apply has kept, so that the
/// plan and its apply say the same.
fn plan_effects(plan: &mut Plan<'_>) {
    if !plan.settings_changed() {
        return;
    }
    let is_known = RULES.iter().all(|name| plan.planned().at(name).is_wholly_known());
    let read = |value: &Value| value.clone().unknown_to_null().decode::<Model>();
    let (Ok(prior), Ok(wanted), true) = (read(plan.prior()), read(plan.planned()), is_known) else {
        return plan.set("effects", Value::Unknown);
    };
    if let Some(lines) = effects_of(&prior, &wanted, &kept(plan.private(KEPT))) {
        plan.set("effects", lines);
    }
}

/// What decides who sees what.
const RULES: [&str; 7] = ["policies", "mask", "row_filter", "tags", "clear_columns", "readers", "security_barrier"];

/// None: nothing of it changes.
fn effects_of(prior: &Model, wanted: &Model, kept: &Kept) -> Option<Vec<String>> {
    let (before, after) = (prior.tables().ok()?.offer, wanted.tables().ok()?.offer);
    let of_readers = before.effects(&after);
    let is_same = before.policy == after.policy;
    let (before, after) = (governance::Rules::new(&before.policy).ok()?, governance::Rules::new(&after.policy).ok()?);
    let table = |(name, view): (&String, &KeptView)| Table {
        database: None,
        schema: String::new(),
        name: name.clone(),
        columns: view.columns.iter().filter_map(|(name, ty)| column(name, ty).ok()).collect(),
    };
    let tables: Vec<Table> = kept.views.iter().map(table).collect();
    let of_rules = governance::effects(&before, &after, &tables);
    let lines: Vec<String> = of_readers.more.into_iter().chain(of_rules).chain(of_readers.less).collect();
    (!is_same || !lines.is_empty()).then_some(lines)
}

/// Whether an update may come to other views than state shows.
fn may_have_other_views(plan: &Plan<'_>) -> bool {
    let differs = |name: &str| plan.prior().at(name) != plan.planned().at(name);
    let has_drifted = |name: &str| matches!(plan.prior().at(name), Value::List(lines) if !lines.is_empty());
    let differ = ["source", "view_name", "external_tables"].into_iter().any(differs);
    // After an import it is not known which there are.
    has_drifted("missing") || has_drifted("surplus") || differ || plan.prior().at("views").is_null()
}

/// What a plan can tell before anything is sent: rules that do not fit the tables, who reads them anyway. What cannot be
/// looked at yet is told by the apply. With `scripts`, what a person has to run is made.
async fn look_ahead(data: &Configured, plan: &mut Plan<'_>, scripts: bool) -> Result<(), Diagnostics> {
    if !plan.settings_changed() && !scripts {
        return Ok(());
    }
    let Ok(wanted) = plan.planned().clone().unknown_to_null().decode::<Model>() else { return Ok(()) };
    let is_known = [
        "integration_uri",
        "source",
        "view_schema",
        "view_name",
        "policies",
        "mask",
        "row_filter",
        "tags",
        "external_tables",
    ];
    if !is_known.iter().all(|name| plan.planned().at(name).is_wholly_known()) {
        return Ok(());
    }
    let (Ok(offered), Ok(Some(link))) = (wanted.tables(), Link::read(plan.planned())) else { return Ok(()) };
    if !link.enabled || !link.settings.pending.is_empty() {
        return Ok(());
    }
    let kept = kept(plan.private(KEPT));
    let looked = match data.warehouse(&link, plan.cancelled()).await {
        Ok(warehouse) => tables::look_ahead(&warehouse, &offered, &kept, plan.cancelled()).await,
        Err(error) => Err(error.into()),
    };
    match looked {
        Ok(Some(looked)) => {
            let source = &looked.found.source;
            offered
                .refuse_strangers(source)
                .map_err(|error| errors::on_attribute(&error, &data.hints(), plan.config()))?;
            let strangers = offered.strangers(source);
            if !strangers.is_empty() {
                plan.warn(model::read_past_the_rules(source.right_to_read(), &strangers));
            }
            let opened = offered.opened(source);
            if !opened.is_empty() {
                plan.warn(model::opens_others(&source.schema, &opened));
            }
            if source.external.is_some()
                && offered.offer.external != Some(External::Materialized)
                && !offered.offer.readers.is_empty()
            {
                plan.warn(model::readers_may_be_refused(&source.schema));
            }
            let told = &looked.desired.warnings;
            if !told.is_empty() {
                plan.warn(Diagnostic::warning("Less is shown than the rules say", told.join("\n")));
            }
            let late = &looked.found.source.without_columns;
            if !late.is_empty() {
                plan.warn(not_offered(late));
            }
            if scripts {
                tables::refuse_another(&offered, &looked, &kept)
                    .map_err(|error| errors::on_attribute(&error, &data.hints(), plan.config()))?;
                let made = by_hand::scripts(&offered, &looked, &kept);
                let made = made.map_err(|error| errors::on_attribute(&error, &data.hints(), plan.config()))?;
                plan.set("scripts", registered::scripts_value(&made));
            }
            Ok(())
        }
        Err(NotOffered::Rules(problems)) => {
            Err(explained(data, NotOffered::Rules(problems), &wanted.written(), plan.config()))
        }
        // A setting that is wrong is wrong whoever looks. What else stands against it, the apply may have put right by then.
        Err(NotOffered::Failed(error @ Error::Setting { .. })) => {
            Err(errors::on_attribute(&error, &data.hints(), plan.config()).into())
        }
        Ok(None) | Err(NotOffered::NotYet(_) | NotOffered::Failed(_)) => Ok(()),
    }
}

fn not_offered(views: &[String]) -> Diagnostic {
    let names: Vec<String> = views.iter().map(|name| shown(name).into_owned()).collect();
    let detail = format!(
        "They match, and bind late, so that they show no columns in which something could be masked: {}. Offer the tables that they read \
         instead, or name them in except_tables.",
        names.join(", ")
    );
    Diagnostic::warning("Views that are not offered", detail).at("source.tables")
}

/// What was kept; nothing, if it was not.
fn kept(private: Option<serde_json::Value>) -> Kept {
    private.and_then(|value| serde_json::from_value(value).ok()).unwrap_or_default()
}

fn keep(kept: &Kept, cx: &mut Change<'_>) {
    cx.set_private(KEPT, serde_json::to_value(kept).unwrap_or_default());
}

/// What an update may show: what is shown already, and what a read has seen since, which its plan names. After an import
/// nothing is known to be shown, and all of it is named.
fn named(kept: &Kept, seen: Option<serde_json::Value>, other_tables: bool) -> Option<Named> {
    if kept.views.is_empty() {
        return None;
    }
    let seen: Named = seen.and_then(|value| serde_json::from_value(value).ok()).unwrap_or_default();
    let mut named = Named { other_tables, ..seen };
    for (table, view) in &kept.views {
        let columns = view.columns.iter().map(|(name, _)| name.clone());
        named.columns.entry(table.clone()).or_default().extend(columns);
    }
    Some(named)
}

/// Whether nothing of a registration is there.
fn is_gone(looked: &Looked, kept: &Kept) -> bool {
    let inside = &looked.found.inside;
    if !inside.seat.reads_all && kept.views.is_empty() {
        // Nothing was to be made, and the entry cannot be seen.
        return false;
    }
    let is_there = |name: &str| inside.text(&looked.schema, name).is_some();
    !inside.is_entered(&looked.name) && !kept.views.values().any(|view| is_there(&view.name))
}

fn direct_readers(looked: &Looked, wanted: &TablesWanted) -> Vec<String> {
    looked.found.source.direct_readers(&wanted.uri.system_user).into_iter().collect()
}

fn record(applied: &tables::Applied, offered: &TablesWanted, cx: &mut Change<'_>) -> Result<(), Diagnostics> {
    keep(&applied.kept, cx);
    cx.set_private(NAMED, serde_json::Value::Null);
    // Where they are planned, they stay: a table that went since shows in the next plan.
    if cx.planned().at("views").is_unknown() {
        let views = applied.views.iter().map(|(table, view)| (table.clone(), Value::from(view.as_str())));
        cx.set("views", Value::Map(views.collect()));
    }
    if cx.planned().at("copies").is_unknown() {
        let copies = tables::copies_of(offered, &applied.looked.desired);
        let copies = copies.into_iter().map(|(table, copy)| (table, Value::from(copy))).collect::<BTreeMap<_, _>>();
        cx.set("copies", if copies.is_empty() { Value::Null } else { Value::Map(copies) });
    }
    let readers = applied.looked.found.source.direct_readers(&applied.looked.system_user);
    cx.set("direct_readers", readers.into_iter().collect::<Vec<_>>());
    if cx.planned().at("scripts").is_unknown() {
        let scripts = match offered.uri.by_hand {
            true => {
                by_hand::scripts(offered, &applied.looked, &applied.kept).map(|made| registered::scripts_value(&made))
            }
            false => Ok(Value::Null),
        };
        cx.set("scripts", scripts.map_err(|error| errors::on_attribute(&error, &Default::default(), cx.config()))?);
    }
    Ok(())
}

fn explained(data: &Configured, error: NotOffered, written: &model::Rules, config: &Value) -> Diagnostics {
    match error {
        NotOffered::NotYet(lacks) => registered::not_yet(&lacks).into(),
        NotOffered::Failed(error) => errors::on_attribute(&error, &data.hints(), config).into(),
        NotOffered::Rules(problems) => {
            // A rule that is wrong is so on each of hundreds of tables.
            let mut same: BTreeMap<(String, String), BTreeSet<String>> = BTreeMap::new();
            for problem in problems.into_iter().map(|problem| written.place(problem)) {
                same.entry((problem.at, problem.summary)).or_default().insert(problem.detail);
            }
            let diagnostic = |((at, summary), details): ((String, String), BTreeSet<String>)| {
                let diagnostic = Diagnostic::error(summary, few(&details));
                if at.is_empty() { diagnostic } else { diagnostic.at(at) }
            };
            same.into_iter().map(diagnostic).collect()
        }
    }
}

/// The first of them, each on a line, and how many more there are.
fn few(details: &BTreeSet<String>) -> String {
    const FEW: usize = 3;
    let mut lines: Vec<String> = details.iter().take(FEW).cloned().collect();
    match details.len().saturating_sub(FEW) {
        0 => {}
        more => lines.push(format!("And {more} more like these.")),
    }
    lines.join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_wrong_on_many_tables_is_told_of_a_few() {
        let details = |count: usize| few(&(0..count).map(|n| format!("On `t{n}`.")).collect());
        assert_eq!(details(1), "On `t0`.");
        assert_eq!(details(3), "On `t0`.\nOn `t1`.\nOn `t2`.");
        assert_eq!(details(5), "On `t0`.\nOn `t1`.\nOn `t2`.\nAnd 2 more like these.");
    }
}
