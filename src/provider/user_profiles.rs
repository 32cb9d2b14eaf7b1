//! `redshift_user_profiles`: what a governance integration knows of users, by which its views decide.

use std::collections::{BTreeMap, BTreeSet};

use serde::Deserialize;

use super::configured::Configured;
use super::errors;
use super::link::{self, Link};
use super::place::{self, Mark};
use super::registered;
use super::settings::Place;
use crate::engine::catalog::At;
use crate::engine::error::{Error, shown};
use crate::engine::governance::{Profile, check_user};
use crate::engine::registration::profiles::{self, ProfilesFound, ProfilesWanted};
use crate::engine::registration::registry::What;
use crate::engine::session::warehouse::Warehouse;
use crate::terraform::{
    Change, Diagnostic, Diagnostics, Found, Path, Plan, Resource, Schema, Shape, Step, Value, boolean, dynamic, list,
    string,
};

/// The resource `redshift_user_profiles`.
pub struct UserProfiles;

/// Profiles once everything about them is known.
#[derive(Deserialize)]
pub struct Model {
    integration_uri: String,
    name: String,
    users: Option<BTreeMap<String, Written>>,
    exclusive: bool,
}

/// A profile as it is written.
#[derive(Default, Deserialize)]
struct Written {
    groups: Option<BTreeSet<String>>,
    attributes: Option<BTreeMap<String, Values>>,
    purposes: Option<BTreeSet<String>>,
}

/// The values of an attribute: one of them needs no list.
#[derive(Deserialize)]
#[serde(untagged)]
enum Values {
    One(String),
    Many(BTreeSet<String>),
}

impl Resource for UserProfiles {
    type Data = Configured;
    type Model = Model;
    const NAME: &'static str = "user_profiles";

    fn schema() -> Schema<Configured> {
        let schema = Schema::new(
            "Users and what is known of them in a governance integration: groups, attributes and purposes, by which the rules of \
             protected tables decide who sees what.",
        );
        let schema = registered::attributes(schema, "its profiles")
            .setting("users", dynamic().required().shaped(users()).doc(
                "The profiles, by the name of the database user: `{ ann = { groups = [\"pii\"], attributes = { tenant = \"7\" }, purposes = [\"Research\"] } }`. \
                 The value of an attribute is a string or a list of strings. A profile holds no secrets: each user reads the own one.",
            ))
            .setting("exclusive", boolean().default(false).doc(
                "`true`: nobody else has a profile in this integration. Rows that no registration declares show in `surplus`, and are deleted.",
            ));
        let schema = place::attributes(link::attributes(schema, Place::Block));
        schema
            .drift(
                "missing",
                list(string()).doc("Profiles that are not there, or say something else. A plan that shows any restores them."),
                Value::List(Vec::new()),
            )
            .drift(
                "surplus",
                list(string()).doc("Profiles that are there and are not declared. A plan that shows any deletes them."),
                Value::List(Vec::new()),
            )
            .pinned("scripts", registered::scripts_attribute())
            .observed(
                "unknown_users",
                list(string()).doc("Users in `users` whom the warehouse does not have. Whoever is given such a name later has the profile."),
            )
            .derived(
                "id",
                string().doc("Endpoint, or the connection's id, and `#profiles/` with database, prefix and name; also the import id."),
                |data: &Configured, planned: &Value| registered::id(data, planned, What::Profiles),
            )
    }

    fn check(config: &Value, d: &mut Diagnostics) {
        link::check(config, d);
        if let (false, Ok(written)) = (d.has_errors(), config.at("users").decode::<BTreeMap<String, Written>>()) {
            d.extend(problems(&written));
        }
    }

    async fn plan(data: &Configured, plan: &mut Plan<'_>) -> Result<(), Diagnostics> {
        place::plan(data, plan, Mark::None).await?;
        if registered::plans_scripts(plan) {
            plan_scripts(data, plan).await?;
        }
        Ok(())
    }

    async fn create(data: &Configured, wanted: Model, cx: &mut Change<'_>) -> Result<(), Diagnostics> {
        let wanted = wanted.profiles()?;
        let warehouse = place::to_create(data, cx, &wanted.uri.database).await?;
        if wanted.uri.by_hand {
            let unknown = verify(data, &warehouse, &wanted, &BTreeSet::new(), cx).await?;
            cx.created();
            show_unknown(unknown, cx);
            return Ok(());
        }
        match profiles::apply(&warehouse, &wanted, None, cx.cancelled()).await {
            Ok(unknown) => {
                cx.created();
                show_unknown(unknown, cx);
                Ok(())
            }
            Err(error) => {
                let diagnostic = place::explained(data, &error, cx);
                let is_taken = matches!(error, Error::Exists { .. });
                Err(if is_taken { registered::shows_import(&diagnostic, Self::NAME, cx) } else { diagnostic }.into())
            }
        }
    }

    async fn read(data: &Configured, state: Model, cx: &mut Change<'_>) -> Result<Found, Diagnostics> {
        data.reads();
        let link = link::known(cx.prior())?;
        if !link.enabled {
            return Ok(Found::Here);
        }
        let wanted = state.profiles()?;
        let found = match place::where_made(data, cx, &[&wanted.uri.database]).await {
            Ok(warehouse) => look(&warehouse, &wanted, cx).await,
            Err(error) => Err(error),
        };
        match found {
            Ok(None) => return Ok(Found::Gone),
            Ok(Some(found)) if !found.is_read() => cx.warn(unseen(&wanted)),
            Ok(Some(found)) if found.is_gone(&wanted.users) => return Ok(Found::Gone),
            Ok(Some(found)) => {
                place::was_read(cx);
                let differences = wanted.differences(&found, &BTreeSet::new());
                cx.set("missing", differences.missing());
                cx.set("surplus", differences.surplus());
                cx.set("unknown_users", found.unknown_users);
            }
            Err(error) => place::unread(data, &link, &error, cx)?,
        }
        Ok(Found::Here)
    }

    async fn update(data: &Configured, prior: Model, wanted: Model, cx: &mut Change<'_>) -> Result<(), Diagnostics> {
        let (prior, wanted) = (prior.profiles()?, wanted.profiles()?);
        let warehouse = place::to_change(data, cx, &wanted.uri.database).await?;
        let before: BTreeSet<String> = prior.users.into_keys().collect();
        if wanted.uri.by_hand {
            let unknown = verify(data, &warehouse, &wanted, &before, cx).await?;
            show_unknown(unknown, cx);
            return Ok(());
        }
        let applied = profiles::apply(&warehouse, &wanted, Some(&before), cx.cancelled()).await;
        show_unknown(applied.map_err(|error| place::explained(data, &error, cx))?, cx);
        Ok(())
    }

    async fn delete(data: &Configured, state: Model, cx: &mut Change<'_>) -> Result<(), Diagnostics> {
        let link = link::known(cx.prior())?;
        let gone = state.profiles()?;
        let warehouse = match place::where_made(data, cx, &[&gone.uri.database]).await {
            Ok(warehouse) => warehouse,
            Err(error) => {
                let endpoint = cx.prior().at("endpoint").as_str().map(str::to_owned);
                return place::let_go(data, &link, endpoint.as_deref(), &error, cx);
            }
        };
        if gone.uri.by_hand {
            let left = profiles::left(&warehouse, &gone, cx.cancelled()).await;
            let Some(left) = left.map_err(|error| errors::of_destroy(&error, &data.hints()))? else {
                cx.warn(unseen(&gone));
                return Ok(());
            };
            return if left.is_empty() { Ok(()) } else { Err(registered::still_there(&left).into()) };
        }
        let removed = profiles::remove(&warehouse, &gone, cx.cancelled()).await;
        removed.map_err(|error| errors::of_destroy(&error, &data.hints()).into())
    }

    async fn import(data: &Configured, id: &str, cx: &mut Change<'_>) -> Result<(), Diagnostics> {
        let hints = data.hints();
        let explain = |error: Error| errors::diagnostic(&error, &hints);
        let id = registered::read_id(data, id, What::Profiles)?;
        let (link, connection_id, endpoint) =
            place::imported(data, &id.connection, cx.cancelled()).await.map_err(explain)?;
        let warehouse = data.warehouse(&link, cx.cancelled()).await.map_err(explain)?;
        let facts = warehouse.facts(cx.cancelled()).await.map_err(explain)?;
        let at = At::new(&warehouse, &id.uri.database, cx.cancelled());
        let Some(users) = profiles::read_back(at, &id.uri, &id.name).await.map_err(explain)? else {
            let detail = format!(
                "The integration in database {} has no registration of profiles of this name.",
                id.uri.database
            );
            return Err(Diagnostic::error(format!("No profiles \"{}\"", id.name), detail).into());
        };
        let users = users.into_iter().map(|(user, profile)| (user, written(profile))).collect();
        cx.set("id", id.to_string());
        cx.set("integration_uri", id.uri.to_string());
        cx.set("name", id.name);
        cx.set("users", Value::Map(users));
        cx.set("exclusive", false);
        cx.set("connection_id", connection_id);
        cx.set("endpoint", endpoint);
        cx.set("namespace", facts.namespace.clone());
        Ok(())
    }
}

impl Model {
    fn profiles(&self) -> Result<ProfilesWanted, Diagnostics> {
        let users = self.users.iter().flatten();
        let problems = problems(users.clone());
        if problems.has_errors() {
            return Err(problems);
        }
        let uri = self.integration_uri.parse().map_err(|error| errors::of_setting(&error, ""))?;
        let users = users.map(|(user, written)| (user.clone(), written.profile())).collect();
        Ok(ProfilesWanted { uri, name: self.name.clone(), users, exclusive: self.exclusive })
    }
}

impl Written {
    fn profile(&self) -> Profile {
        let values = |values: &Values| match values {
            Values::One(value) => BTreeSet::from([value.clone()]),
            Values::Many(values) => values.clone(),
        };
        let attributes = self.attributes.iter().flatten().map(|(key, of)| (key.clone(), values(of)));
        Profile {
            groups: self.groups.clone().unwrap_or_default(),
            attributes: attributes.filter(|(_, values)| !values.is_empty()).collect(),
            purposes: self.purposes.clone().unwrap_or_default(),
            ..Profile::default()
        }
    }
}

/// The form of `users`.
fn users() -> Shape {
    Shape::map_of(Shape::object([
        ("groups", Shape::Texts),
        ("attributes", Shape::map_of(Shape::TextOrTexts)),
        ("purposes", Shape::Texts),
    ]))
}

fn problems<'w>(users: impl IntoIterator<Item = (&'w String, &'w Written)>) -> Diagnostics {
    let mut found = Diagnostics::new();
    for (user, written) in users {
        let at = Path::root().attribute("users").below(Step::Attribute(user.clone()));
        if let Err(why) = check_user(user) {
            found.push(Diagnostic::error("Bad users", why).at(at.clone()));
        }
        for problem in written.profile().problems() {
            let at = at.attribute(problem.at.clone());
            found.push(Diagnostic::error(problem.summary, problem.detail).at(at));
        }
    }
    found
}

/// A profile as somebody would write it.
fn written(profile: Profile) -> Value {
    let set = |values: BTreeSet<String>| Value::from(values.into_iter().collect::<Vec<_>>());
    let mut written = BTreeMap::new();
    if !profile.groups.is_empty() {
        written.insert("groups".to_owned(), set(profile.groups));
    }
    if !profile.attributes.is_empty() {
        let attributes = profile.attributes.into_iter().map(|(key, values)| (key, set(values))).collect();
        written.insert("attributes".to_owned(), Value::Map(attributes));
    }
    if !profile.purposes.is_empty() {
        written.insert("purposes".to_owned(), set(profile.purposes));
    }
    Value::Map(written)
}

async fn look(warehouse: &Warehouse, wanted: &ProfilesWanted, cx: &Change<'_>) -> Result<Option<ProfilesFound>, Error> {
    profiles::find(At::new(warehouse, &wanted.uri.database, cx.cancelled()), wanted).await
}

/// Makes the scripts, from what is there where that can be seen, and else from what is written alone.
async fn plan_scripts(data: &Configured, plan: &mut Plan<'_>) -> Result<(), Diagnostics> {
    if !plan.planned().at("users").is_wholly_known() {
        return Ok(());
    }
    let read = |value: &Value| value.clone().unknown_to_null().decode::<Model>().ok()?.profiles().ok();
    let Some(wanted) = read(plan.planned()) else { return Ok(()) };
    let before: Option<BTreeSet<String>> = read(plan.prior()).map(|prior| prior.users.into_keys().collect());
    let found = match Link::read(plan.planned()) {
        Ok(Some(link)) if link.enabled && link.settings.pending.is_empty() => {
            let warehouse = data.warehouse(&link, plan.cancelled()).await;
            match warehouse {
                Ok(warehouse) => {
                    let at = At::new(&warehouse, &wanted.uri.database, plan.cancelled());
                    match profiles::find(at, &wanted).await {
                        Err(error @ Error::Refused { .. }) => Err(error),
                        found => Ok(found.ok().flatten()),
                    }
                }
                Err(_) => Ok(None),
            }
        }
        _ => Ok(None),
    };
    let explain = |error: Error| errors::on_attribute(&error, &data.hints(), plan.config());
    let found = found.map_err(explain)?;
    if let Some(found) = &found {
        profiles::refuse(&wanted, found, before.as_ref()).map_err(explain)?;
    }
    let scripts = profiles::scripts(&wanted, found.as_ref(), &before.unwrap_or_default());
    plan.set("scripts", registered::scripts_value(&scripts));
    Ok(())
}

/// Looks whether a person has written the profiles, and says which of the users the warehouse does not have.
async fn verify(
    data: &Configured,
    warehouse: &Warehouse,
    wanted: &ProfilesWanted,
    before: &BTreeSet<String>,
    cx: &mut Change<'_>,
) -> Result<Vec<String>, Diagnostics> {
    let seen = profiles::verify(warehouse, wanted, before, cx.cancelled()).await;
    let seen = seen.map_err(|error| place::explained(data, &error, cx))?;
    match seen.lacks {
        Some(lacks) if !lacks.is_empty() => return Err(registered::not_yet(&lacks).into()),
        Some(_) => {}
        None => cx.warn(unseen(wanted)),
    }
    if cx.planned().at("scripts").is_unknown() {
        let scripts = profiles::scripts(wanted, None, before);
        cx.set("scripts", registered::scripts_value(&scripts));
    }
    Ok(seen.unknown_users)
}

/// Of a login that may not read them.
fn unseen(wanted: &ProfilesWanted) -> Diagnostic {
    let detail = format!(
        "Only superusers and the system user read {} in database {}, so state holds what was declared, and whether it is there is not \
         known. With either as the login it is compared.",
        wanted.uri.relation("profile"),
        wanted.uri.database
    );
    Diagnostic::warning("The profiles cannot be seen", detail)
}

/// Which of the users the warehouse does not have.
fn show_unknown(unknown: Vec<String>, cx: &mut Change<'_>) {
    if !unknown.is_empty() {
        let names: Vec<String> = unknown.iter().map(|name| shown(name).into_owned()).collect();
        let detail = format!(
            "The warehouse has no user {}. Whoever is given such a name later has the profile.",
            names.join(", ")
        );
        cx.warn(Diagnostic::warning("Profiles of users who are not there", detail).at("users"));
    }
    cx.set("unknown_users", unknown);
}
