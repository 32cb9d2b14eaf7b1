//! What a datastore's plan asks the warehouse and tells its neighbours.

use super::super::configured::Configured;
use super::super::link::Link;
use super::kept;
use super::model::{Scripted, ServiceUser};
use crate::engine::datastore::owners::tables_that_stay;
use crate::engine::datastore::{self, Before, Found, Through, Wanted, Warning, choose_role, script};
use crate::engine::error::Error;
use crate::engine::settings::endpoint::Endpoint;
use crate::terraform::{Diagnostic, Diagnostics, Plan, Value};

/// Chooses the name of the datastore's role, where it is to get one and the warehouse can be read. Else the apply does.
pub(super) async fn choose_role_name(data: &Configured, plan: &mut Plan<'_>) -> Result<(), Diagnostics> {
    if !plan.planned().at("grant_role").is_unknown() {
        return Ok(());
    }
    let link = Link::read(plan.planned())?.filter(|link| link.enabled && link.settings.pending.is_empty());
    let (Some(link), Ok(scripted)) = (link, plan.planned().decode::<Scripted>()) else { return Ok(()) };
    let chosen = async {
        let warehouse = data.warehouse(&link, plan.cancelled()).await?;
        let others = data.datastores().beside(&warehouse.access().endpoint, None);
        let ours = |role: &str| others.know_role(role);
        choose_role(&warehouse, &scripted.rights(Some(true)), &ours, plan.cancelled()).await
    };
    match chosen.await {
        Ok(chosen) => {
            plan.set("grant_role", chosen.name);
            if let Some(warning) = chosen.taken_over {
                plan.set_private(kept::TOLD, warning.summary.clone());
                warn(warning, plan);
            }
            chosen.passed_over.into_iter().for_each(|warning| warn(warning, plan));
            Ok(())
        }
        Err(Error::Cancelled) => Err(Diagnostic::error("The plan was cancelled", "Nothing was changed.").into()),
        // The apply needs the warehouse, and says what is wrong with it.
        Err(error) => {
            tracing::debug!(%error, "the role's name is not known in the plan");
            Ok(())
        }
    }
}

/// Writes the script of what is planned with the role's name, which the apply may be the first to know, and for what the
/// schema is, where that was seen.
pub(super) fn name_role_in_script(plan: &mut Plan<'_>) {
    let is_new = plan.is_create() || plan.planned().at("script") != plan.prior().at("script");
    if !is_new || plan.planned().at("script").is_unknown() {
        return;
    }
    let role = plan.planned().at("grant_role").clone();
    if role.is_unknown() {
        plan.set("script", Value::Unknown);
        return;
    }
    let Ok(scripted) = plan.planned().decode::<Scripted>() else { return };
    let rights = match role.as_str() {
        Some(role) => scripted.through(role),
        None => scripted.rights(Some(false)),
    };
    // From what a refresh kept: the apply plans once more, and must come to the same.
    let external = plan.private(kept::EXTERNAL).is_some();
    plan.set("script", script(&rights, external));
}

/// What an update should be told of before it is applied: that another case of the schema's name is another schema here,
/// and what stays with the user whose place another one takes.
pub(super) async fn look_at_changes(data: &Configured, plan: &mut Plan<'_>) -> Result<(), Diagnostics> {
    // Nothing may be planned by an apply that was not planned before.
    if plan.is_create() || !plan.settings_changed() || !data.makes_a_plan() {
        return Ok(());
    }
    let (Ok(wanted), Ok(declared)) = (plan.planned().decode::<Scripted>(), plan.prior().decode::<Scripted>()) else {
        return Ok(());
    };
    let (wanted, declared) = (wanted.rights(Some(false)), declared.rights(Some(false)));
    if wanted.schema == declared.schema && wanted.grantee == declared.grantee {
        return Ok(());
    }
    let before = Before::of(&declared);
    let Some(found) = look(data, plan, &wanted, &before).await? else { return Ok(()) };
    if wanted.schema != declared.schema && found.login.case_sensitive {
        plan.replace("schema");
    }
    tables_that_stay(&found, &wanted, &before).into_iter().for_each(|warning| warn(warning, plan));
    Ok(())
}

/// What is there, if the warehouse can be asked. What is wrong with it is the apply's to say.
async fn look(
    data: &Configured,
    plan: &Plan<'_>,
    rights: &Wanted,
    before: &Before,
) -> Result<Option<Found>, Diagnostics> {
    let link = Link::read(plan.planned())?.filter(|link| link.enabled && link.settings.pending.is_empty());
    let Some(link) = link else { return Ok(None) };
    let seen = async {
        let warehouse = data.warehouse(&link, plan.cancelled()).await?;
        datastore::found(&warehouse, rights, before, plan.cancelled()).await
    };
    match seen.await {
        Ok(found) => Ok(Some(found)),
        Err(Error::Cancelled) => Err(Diagnostic::error("The plan was cancelled", "Nothing was changed.").into()),
        Err(error) => {
            tracing::debug!(%error, "the datastore is not seen in the plan");
            Ok(None)
        }
    }
}

/// A service user that is made anew holds nothing, whatever was read before: the datastore is updated after it. The apply
/// plans once more, and may know of the user what the plan did not: an update that comes anyway looks itself then.
pub(super) fn give_back(data: &Configured, plan: &mut Plan<'_>) {
    let is_listed = |name: &str| matches!(plan.prior().at(name), Value::List(lines) if !lines.is_empty());
    let comes_anyway = plan.settings_changed() || is_listed("missing") || is_listed("surplus");
    let planned = data.makes_a_plan() || !comes_anyway;
    if !plan.is_create() && planned && is_user_made(data, plan.planned()) {
        plan.set("missing", Value::Unknown);
    }
}

/// Whether the service user is made in the same process.
pub(super) fn is_user_made(data: &Configured, planned: &Value) -> bool {
    let text = |name: &str| planned.at(name).as_str();
    let is_user = text("service_user.type") == Some("user");
    let (Some(endpoint), Some(name), true) = (text("endpoint"), text("service_user.name"), is_user) else {
        return false;
    };
    data.makes_user(endpoint, name)
}

/// A datastore whose login was refused is planned to try again, so that nobody is told "No changes". With a connection, the
/// connection is.
pub(super) fn sign_in_again(plan: &mut Plan<'_>) {
    let own_login = plan.planned().at("connection_id").is_null();
    if !plan.is_create() && own_login && plan.private(kept::REFUSED).is_some() {
        plan.set("connected", true);
    }
}

fn warn(warning: Warning, plan: &mut Plan<'_>) {
    plan.warn(Diagnostic::warning(warning.summary, warning.detail));
}

/// Notes what the plan declares, so that a datastore that is removed in the same process leaves it.
pub(super) fn note(data: &Configured, plan: &mut Plan<'_>) {
    // The walk that makes a plan removes nothing.
    if data.makes_a_plan() && plan.private(kept::MARK).is_some() {
        return;
    }
    let Some((endpoint, declares)) = declares(plan.planned()) else { return };
    let mark = match plan.private(kept::MARK).as_ref().and_then(|mark| mark.as_str()) {
        Some(mark) => mark.to_owned(),
        None => {
            let mark = kept::new_mark();
            plan.set_private(kept::MARK, mark.clone());
            mark
        }
    };
    data.datastores().note(&mark, &endpoint, &declares, !plan.is_create());
}

fn declares(planned: &Value) -> Option<(Endpoint, Wanted)> {
    let endpoint = planned.at("endpoint").as_str()?.parse().ok()?;
    let mut rights = planned.decode::<Scripted>().ok()?.rights(Some(false));
    match planned.at("grant_role") {
        Value::Unknown => return None,
        role => {
            if let Some(role) = role.as_str() {
                rights.through = Through::Role(role.to_owned());
            }
        }
    }
    if let (Ok(user), Value::List(owners)) =
        (planned.at("service_user").decode::<ServiceUser>(), planned.at("default_privileges_owners"))
    {
        let owners: Option<Vec<String>> = owners.iter().map(|owner| owner.as_str().map(str::to_owned)).collect();
        rights.future = user.future(owners.as_deref());
    }
    Some((endpoint, rights))
}
