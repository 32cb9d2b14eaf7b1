//! Resources: validate, upgrade, read, plan, apply, import.

use std::future::Future;
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use super::super::change::{Action, Change};
use super::super::erased::AnyResource;
use super::super::outcome::{Outcome, outcome};
use super::super::panics::guard;
use super::super::planning::{Planned, Proposal, plan};
use super::super::private::Private;
use super::super::schema::{UNREADABLE, validate};
use super::super::wire::tfplugin6 as pb;
use super::super::{Diagnostic, Diagnostics, Found, Provider, Value, json};
use super::{Service, convert, no_such};

impl<P: Provider> Service<P> {
    fn resource(&self, type_name: &str) -> Result<&dyn AnyResource<P::Data>, Diagnostics> {
        let found = self.own_name(type_name).and_then(|name| self.tables().types.resources.get(name));
        found.map(|resource| &**resource).ok_or_else(|| no_such("resource", type_name))
    }

    pub(super) fn validate_resource(
        &self,
        request: &pb::validate_resource_config::Request,
    ) -> Result<pb::validate_resource_config::Response, Diagnostics> {
        let resource = self.resource(&request.type_name)?;
        let form = resource.form();
        let config = convert::value(request.config.as_ref(), &form.ty)?;
        let write_only = request.client_capabilities.is_some_and(|client| client.write_only_attributes_allowed);
        let mut d = Diagnostics::new();
        validate(&form.schema, &config, Self::rules(write_only), &mut d);
        resource.check(&config, &mut d);
        Ok(pb::validate_resource_config::Response { diagnostics: Self::told(d, form, &[&config]) })
    }

    /// State of this version is read, too: attributes that another release wrote and this one does not have are
    /// dropped.
    pub(super) fn upgrade(
        &self,
        request: pb::upgrade_resource_state::Request,
    ) -> Result<pb::upgrade_resource_state::Response, Diagnostics> {
        let form = self.resource(&request.type_name)?.form();
        let failed = |detail: String| Diagnostics::from(Diagnostic::error(UNREADABLE, detail));
        let stored = request.raw_state.unwrap_or_default().json;
        if stored.is_empty() {
            return Err(failed("It is not JSON: Terraform 0.12 or newer must have written it.".to_owned()));
        }
        let (current, version) = (form.schema.version, request.version);
        let state = if version == current {
            json::decode(&stored, &form.ty, json::Extra::Dropped).map_err(|error| failed(format!("{error}.")))?
        } else if version > current {
            return Err(failed(format!(
                "A newer version of the provider wrote it (schema version {version}; this one knows {current}). Use \
                 that version or a newer one."
            )));
        } else {
            let upgrade = form.schema.upgrades.iter().find(|(from, _)| *from == version).map(|(_, upgrade)| upgrade);
            let upgrade = upgrade.ok_or_else(|| failed(format!("Nothing upgrades schema version {version}.")))?;
            let stored = serde_json::from_slice(&stored).map_err(|_| failed("It is not JSON.".to_owned()))?;
            upgrade(stored, &form.ty)?
        };
        let upgraded_state = convert::message(state.unknown_to_null(), &form.ty)?;
        Ok(pb::upgrade_resource_state::Response { upgraded_state, ..Default::default() })
    }

    pub(super) async fn plan(
        &self,
        request: pb::plan_resource_change::Request,
    ) -> Result<pb::plan_resource_change::Response, Diagnostics> {
        let resource = self.resource(&request.type_name)?;
        let form = resource.form();
        let prior = convert::value(request.prior_state.as_ref(), &form.ty)?;
        let config = convert::value(request.config.as_ref(), &form.ty)?.sharing(&prior);
        let proposed = convert::value(request.proposed_new_state.as_ref(), &form.ty)?.sharing(&config);
        let proposal = Proposal {
            config: config.clone(),
            prior,
            proposed,
            private: Private::read(&request.prior_private),
            cancelled: self.token(),
        };
        let data = self.data()?;
        let Planned { value, replaces, private, diagnostics } = plan(resource, &*data, proposal).await;
        Ok(pb::plan_resource_change::Response {
            planned_state: convert::message(value, &form.ty)?,
            requires_replace: replaces.iter().map(|path| convert::path(&path.in_terms_of(&form.ty))).collect(),
            planned_private: private.write(),
            diagnostics: Self::told(diagnostics, form, &[&config]),
            ..Default::default()
        })
    }

    pub(super) async fn apply(
        &self,
        request: &pb::apply_resource_change::Request,
    ) -> Result<pb::apply_resource_change::Response, Diagnostics> {
        let resource = self.resource(&request.type_name)?;
        let ty = &resource.form().ty;
        let prior = convert::value(request.prior_state.as_ref(), ty)?;
        let planned = convert::value(request.planned_state.as_ref(), ty)?.sharing(&prior);
        let config = convert::value(request.config.as_ref(), ty)?.sharing(&planned);
        let action = match (&prior, &planned) {
            (Value::Null, Value::Null) => {
                return Ok(pb::apply_resource_change::Response { new_state: convert::null(), ..Default::default() });
            }
            (Value::Null, _) => Action::Create,
            (_, Value::Null) => Action::Delete,
            _ => Action::Update,
        };
        let written = config.clone();
        let call = Call { action, config, prior, planned, id: "", private: Private::read(&request.planned_private) };
        let Outcome { state, private, diagnostics } = self.run(resource, call).await?;
        Ok(pb::apply_resource_change::Response {
            private: if state.is_null() { Vec::new() } else { private.write() },
            new_state: convert::message(state, ty)?,
            diagnostics: Self::told(diagnostics, resource.form(), &[&written]),
            ..Default::default()
        })
    }

    pub(super) async fn read(
        &self,
        request: &pb::read_resource::Request,
    ) -> Result<pb::read_resource::Response, Diagnostics> {
        let resource = self.resource(&request.type_name)?;
        let ty = &resource.form().ty;
        let prior = convert::value(request.current_state.as_ref(), ty)?;
        if prior.is_null() {
            return Ok(pb::read_resource::Response { new_state: convert::null(), ..Default::default() });
        }
        let before = prior.clone();
        let call = Call { prior, ..Call::of(Action::Read, Private::read(&request.private)) };
        let Outcome { state, private, diagnostics } = self.run(resource, call).await?;
        Ok(pb::read_resource::Response {
            private: if state.is_null() { Vec::new() } else { private.write() },
            new_state: convert::message(state, ty)?,
            diagnostics: Self::told(diagnostics, resource.form(), &[&before]),
            ..Default::default()
        })
    }

    pub(super) async fn import(
        &self,
        request: &pb::import_resource_state::Request,
    ) -> Result<pb::import_resource_state::Response, Diagnostics> {
        let resource = self.resource(&request.type_name)?;
        let call = Call { id: &request.id, ..Call::of(Action::Import, Private::default()) };
        let Outcome { state, private, diagnostics } = self.run(resource, call).await?;
        let mut imported_resources = Vec::new();
        if !diagnostics.has_errors() {
            imported_resources.push(pb::import_resource_state::ImportedResource {
                type_name: request.type_name.clone(),
                state: convert::message(state, &resource.form().ty)?,
                private: private.write(),
                identity: None,
            });
        }
        let diagnostics = Self::told(diagnostics, resource.form(), &[]);
        Ok(pb::import_resource_state::Response { imported_resources, diagnostics, deferred: None })
    }

    /// Calls the resource within its time, and works out what the call leaves behind.
    async fn run(&self, resource: &dyn AnyResource<P::Data>, call: Call<'_>) -> Result<Outcome, Diagnostics> {
        let data = self.data()?;
        let form = resource.form();
        let Call { action, config, prior, planned, id, private } = call;
        let cancelled = self.token();
        let limit = form.schema.timeout(action.name(), if planned.is_null() { &prior } else { &planned });
        let (state, wanted) = (prior.clone(), planned.clone().unknown_to_null());
        let mut cx = Change {
            action,
            config: &config,
            prior,
            planned,
            patch: Vec::new(),
            created: false,
            kept: Vec::new(),
            private,
            diagnostics: Diagnostics::new(),
            cancelled: cancelled.clone(),
        };
        let here = |result: Result<(), Diagnostics>| result.map(|()| Found::Here);
        let result = guard(in_time(limit, &cancelled, action, async {
            match action {
                Action::Create => here(resource.create(&data, wanted, &mut cx).await),
                Action::Read => resource.read(&data, state, &mut cx).await,
                Action::Update => here(resource.update(&data, state, wanted, &mut cx).await),
                Action::Delete => here(resource.delete(&data, state, &mut cx).await),
                Action::Import => here(resource.import(&data, id, &mut cx).await),
            }
        }))
        .await
        .and_then(|result| result);
        Ok(outcome(form, &*data, cx, result))
    }
}

/// A call to make.
struct Call<'a> {
    action: Action,
    config: Value,
    prior: Value,
    planned: Value,
    id: &'a str,
    private: Private,
}

impl Call<'_> {
    fn of(action: Action, private: Private) -> Self {
        Call { action, config: Value::Null, prior: Value::Null, planned: Value::Null, id: "", private }
    }
}

/// When the time is over the call is told to stop, and its end is waited for: it may have things to undo.
async fn in_time<T>(
    limit: Option<Duration>,
    cancelled: &CancellationToken,
    action: Action,
    call: impl Future<Output = Result<T, Diagnostics>>,
) -> Result<T, Diagnostics> {
    let Some(limit) = limit else { return call.await };
    tokio::pin!(call);
    tokio::select! {
        result = &mut call => return result,
        () = tokio::time::sleep(limit) => cancelled.cancel(),
    }
    call.await.map_err(|errors| {
        let action = action.name();
        let summary = format!("The time for {action} is over");
        let limit = humantime::format_duration(limit);
        let detail = format!("It was stopped after {limit}. `{action}` in the `timeouts` block gives it more.");
        std::iter::once(Diagnostic::error(summary, detail)).chain(errors).collect()
    })
}
