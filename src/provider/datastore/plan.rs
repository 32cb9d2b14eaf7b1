//! What a datastore's plan asks the warehouse and tells its neighbours.

use super::super::configured::Configured;
use super::super::link::Link;
use super::kept;
use super::model::{Scripted, ServiceUser};
use crate::engine::datastore::{Through, Wanted, Warning, choose_role, script};
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

/// Writes the script of what is planned with the role's name, which the apply may be the first to know.
pub(super) fn name_role_in_script(plan: &mut Plan<'_>) {
    let is_new = plan.is_create() || plan.planned().at("script") != plan.prior().at("script");
    if !is_new || plan.planned().at("script").is_unknown() {
        return;
    }
    match plan.planned().at("grant_role") {
        Value::Unknown => plan.set("script", Value::Unknown),
        role => {
            if let (Some(role), Ok(scripted)) = (role.as_str(), plan.planned().decode::<Scripted>()) {
                plan.set("script", script(&scripted.through(role)));
            }
        }
    }
}

/// A service user that is made anew holds nothing, whatever was read before: the datastore is updated after it.
pub(super) fn give_back(data: &Configured, plan: &mut Plan<'_>) {
    let text = |name: &str| plan.planned().at(name).as_str();
    let is_user = text("service_user.type") == Some("user");
    if let (false, true, Some(endpoint), Some(name)) =
        (plan.is_create(), is_user, text("endpoint"), text("service_user.name"))
        && data.makes_user(endpoint, name)
    {
        plan.set("missing", Value::Unknown);
    }
}

fn warn(warning: Warning, plan: &mut Plan<'_>) {
    plan.warn(Diagnostic::warning(warning.summary, warning.detail));
}

/// Notes what the plan declares, so that a datastore that is removed in the same process leaves it.
pub(super) fn note(data: &Configured, plan: &mut Plan<'_>) {
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
