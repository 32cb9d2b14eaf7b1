//! The protocol's list of calls, each handed to the file that knows it.

use std::sync::Arc;

use futures::stream::{self, BoxStream, StreamExt};
use tonic::{Request, Response, Status, Streaming};

use super::super::Provider;
use super::super::wire::tfplugin6 as pb;
use super::super::wire::tfplugin6::provider_server::Provider as Calls;
use super::{Service, convert, guarded, no_such};

/// Works on a call; what goes wrong, a panic too, is told in the diagnostics of its answer.
macro_rules! answer {
    ($call:literal, $of:expr, $module:ident, $work:expr) => {{
        let started = std::time::Instant::now();
        // Some answers are nothing but diagnostics.
        #[allow(clippy::needless_update)]
        let failed = |errors| pb::$module::Response { diagnostics: convert::plain(errors), ..Default::default() };
        let answer = guarded(async { $work }).await.unwrap_or_else(failed);
        tracing::debug!(tf_type = $of, took_us = started.elapsed().as_micros() as u64, $call);
        Ok(Response::new(answer))
    }};
}

type Answer<T> = Result<Response<T>, Status>;

fn no_state_store<T>() -> Result<T, Status> {
    Err(Status::unimplemented("this provider has no state store"))
}

/// Serves one provider.
pub(in crate::terraform) struct Server<P: Provider>(pub(in crate::terraform) Arc<Service<P>>);

#[tonic::async_trait]
impl<P: Provider> Calls for Server<P> {
    type ListResourceStream = BoxStream<'static, Result<pb::list_resource::Event, Status>>;
    type InvokeActionStream = BoxStream<'static, Result<pb::invoke_action::Event, Status>>;
    type ReadStateBytesStream = BoxStream<'static, Result<pb::read_state_bytes::Response, Status>>;

    async fn get_metadata(&self, _: Request<pb::get_metadata::Request>) -> Answer<pb::get_metadata::Response> {
        answer!("GetMetadata", P::NAME, get_metadata, Ok(self.0.metadata()))
    }

    async fn get_provider_schema(
        &self,
        _: Request<pb::get_provider_schema::Request>,
    ) -> Answer<pb::get_provider_schema::Response> {
        answer!("GetProviderSchema", P::NAME, get_provider_schema, Ok(self.0.schemas()))
    }

    /// No resource has an identity yet.
    async fn get_resource_identity_schemas(
        &self,
        _: Request<pb::get_resource_identity_schemas::Request>,
    ) -> Answer<pb::get_resource_identity_schemas::Response> {
        Ok(Response::new(pb::get_resource_identity_schemas::Response::default()))
    }

    async fn get_functions(&self, _: Request<pb::get_functions::Request>) -> Answer<pb::get_functions::Response> {
        answer!(
            "GetFunctions",
            P::NAME,
            get_functions,
            Ok(pb::get_functions::Response { functions: self.0.functions(), ..Default::default() })
        )
    }

    async fn validate_provider_config(
        &self,
        request: Request<pb::validate_provider_config::Request>,
    ) -> Answer<pb::validate_provider_config::Response> {
        let request = request.into_inner();
        answer!("ValidateProviderConfig", P::NAME, validate_provider_config, self.0.validate_provider(&request))
    }

    async fn configure_provider(
        &self,
        request: Request<pb::configure_provider::Request>,
    ) -> Answer<pb::configure_provider::Response> {
        let request = request.into_inner();
        answer!("ConfigureProvider", P::NAME, configure_provider, self.0.configure(request).await)
    }

    async fn stop_provider(&self, _: Request<pb::stop_provider::Request>) -> Answer<pb::stop_provider::Response> {
        tracing::debug!("StopProvider");
        self.0.stop();
        Ok(Response::new(pb::stop_provider::Response::default()))
    }

    async fn validate_resource_config(
        &self,
        request: Request<pb::validate_resource_config::Request>,
    ) -> Answer<pb::validate_resource_config::Response> {
        let request = request.into_inner();
        let of = &*request.type_name;
        answer!("ValidateResourceConfig", of, validate_resource_config, self.0.validate_resource(&request))
    }

    async fn upgrade_resource_state(
        &self,
        request: Request<pb::upgrade_resource_state::Request>,
    ) -> Answer<pb::upgrade_resource_state::Response> {
        let request = request.into_inner();
        let of = request.type_name.clone();
        answer!("UpgradeResourceState", of, upgrade_resource_state, self.0.upgrade(request))
    }

    async fn upgrade_resource_identity(
        &self,
        request: Request<pb::upgrade_resource_identity::Request>,
    ) -> Answer<pb::upgrade_resource_identity::Response> {
        let of = request.into_inner().type_name;
        answer!("UpgradeResourceIdentity", of.as_str(), upgrade_resource_identity, Err(no_such("identity", &of)))
    }

    async fn read_resource(&self, request: Request<pb::read_resource::Request>) -> Answer<pb::read_resource::Response> {
        let request = request.into_inner();
        let of = &*request.type_name;
        let unchanged = (request.current_state.clone(), request.private.clone());
        let mut answer: Answer<_> = answer!("ReadResource", of, read_resource, self.0.read(&request).await);
        if let Ok(answer) = &mut answer
            && answer.get_ref().new_state.is_none()
        {
            (answer.get_mut().new_state, answer.get_mut().private) = unchanged;
        }
        answer
    }

    async fn plan_resource_change(
        &self,
        request: Request<pb::plan_resource_change::Request>,
    ) -> Answer<pb::plan_resource_change::Response> {
        let request = request.into_inner();
        let of = request.type_name.clone();
        answer!("PlanResourceChange", of, plan_resource_change, self.0.plan(request).await)
    }

    /// Without a result the prior state is given back, for Terraform takes no state to mean that the resource is gone.
    async fn apply_resource_change(
        &self,
        request: Request<pb::apply_resource_change::Request>,
    ) -> Answer<pb::apply_resource_change::Response> {
        let request = request.into_inner();
        let of = &*request.type_name;
        let mut answer: Answer<_> =
            answer!("ApplyResourceChange", of, apply_resource_change, self.0.apply(&request).await);
        if let Ok(answer) = &mut answer
            && answer.get_ref().new_state.is_none()
        {
            answer.get_mut().new_state = request.prior_state.clone();
            answer.get_mut().private = request.planned_private.clone();
        }
        answer
    }

    async fn import_resource_state(
        &self,
        request: Request<pb::import_resource_state::Request>,
    ) -> Answer<pb::import_resource_state::Response> {
        let request = request.into_inner();
        let of = &*request.type_name;
        answer!("ImportResourceState", of, import_resource_state, self.0.import(&request).await)
    }

    async fn move_resource_state(
        &self,
        request: Request<pb::move_resource_state::Request>,
    ) -> Answer<pb::move_resource_state::Response> {
        let request = request.into_inner();
        let of = &*request.target_type_name;
        let from = format!("{} to {of}", request.source_type_name);
        answer!("MoveResourceState", of, move_resource_state, Err(no_such("move of state", &from)))
    }

    async fn generate_resource_config(
        &self,
        request: Request<pb::generate_resource_config::Request>,
    ) -> Answer<pb::generate_resource_config::Response> {
        let of = request.into_inner().type_name;
        answer!(
            "GenerateResourceConfig",
            of.as_str(),
            generate_resource_config,
            Err(no_such("generated configuration", &of))
        )
    }

    async fn validate_data_resource_config(
        &self,
        request: Request<pb::validate_data_resource_config::Request>,
    ) -> Answer<pb::validate_data_resource_config::Response> {
        let request = request.into_inner();
        let of = &*request.type_name;
        answer!("ValidateDataResourceConfig", of, validate_data_resource_config, self.0.validate_data_source(&request))
    }

    async fn read_data_source(
        &self,
        request: Request<pb::read_data_source::Request>,
    ) -> Answer<pb::read_data_source::Response> {
        let request = request.into_inner();
        let of = &*request.type_name;
        answer!("ReadDataSource", of, read_data_source, self.0.read_data_source(&request).await)
    }

    async fn call_function(&self, request: Request<pb::call_function::Request>) -> Answer<pb::call_function::Response> {
        let request = request.into_inner();
        tracing::debug!(tf_type = request.name, "CallFunction");
        let result = guarded(async { Ok(self.0.call_function(&request)) }).await;
        Ok(Response::new(result.unwrap_or_else(|errors| {
            let text = errors.to_string();
            pb::call_function::Response {
                result: None,
                error: Some(pb::FunctionError { text, function_argument: None }),
            }
        })))
    }

    async fn validate_ephemeral_resource_config(
        &self,
        request: Request<pb::validate_ephemeral_resource_config::Request>,
    ) -> Answer<pb::validate_ephemeral_resource_config::Response> {
        let request = request.into_inner();
        let of = &*request.type_name;
        answer!(
            "ValidateEphemeralResourceConfig",
            of,
            validate_ephemeral_resource_config,
            self.0.validate_ephemeral(&request)
        )
    }

    async fn open_ephemeral_resource(
        &self,
        request: Request<pb::open_ephemeral_resource::Request>,
    ) -> Answer<pb::open_ephemeral_resource::Response> {
        let request = request.into_inner();
        let of = &*request.type_name;
        answer!("OpenEphemeralResource", of, open_ephemeral_resource, self.0.open(&request).await)
    }

    async fn renew_ephemeral_resource(
        &self,
        request: Request<pb::renew_ephemeral_resource::Request>,
    ) -> Answer<pb::renew_ephemeral_resource::Response> {
        let request = request.into_inner();
        let of = &*request.type_name;
        answer!("RenewEphemeralResource", of, renew_ephemeral_resource, self.0.renew(&request).await)
    }

    async fn close_ephemeral_resource(
        &self,
        request: Request<pb::close_ephemeral_resource::Request>,
    ) -> Answer<pb::close_ephemeral_resource::Response> {
        let request = request.into_inner();
        let of = &*request.type_name;
        answer!("CloseEphemeralResource", of, close_ephemeral_resource, self.0.close(&request).await)
    }

    async fn validate_list_resource_config(
        &self,
        request: Request<pb::validate_list_resource_config::Request>,
    ) -> Answer<pb::validate_list_resource_config::Response> {
        let of = request.into_inner().type_name;
        answer!(
            "ValidateListResourceConfig",
            of.as_str(),
            validate_list_resource_config,
            Err(no_such("list resource", &of))
        )
    }

    async fn list_resource(&self, request: Request<pb::list_resource::Request>) -> Answer<Self::ListResourceStream> {
        let diagnostic = convert::plain(no_such("list resource", &request.into_inner().type_name));
        let event = pb::list_resource::Event { diagnostic, ..Default::default() };
        Ok(Response::new(stream::iter([Ok(event)]).boxed()))
    }

    async fn validate_action_config(
        &self,
        request: Request<pb::validate_action_config::Request>,
    ) -> Answer<pb::validate_action_config::Response> {
        let of = request.into_inner().type_name;
        answer!("ValidateActionConfig", of.as_str(), validate_action_config, Err(no_such("action", &of)))
    }

    async fn plan_action(&self, request: Request<pb::plan_action::Request>) -> Answer<pb::plan_action::Response> {
        let of = request.into_inner().action_type;
        answer!("PlanAction", of.as_str(), plan_action, Err(no_such("action", &of)))
    }

    async fn invoke_action(&self, request: Request<pb::invoke_action::Request>) -> Answer<Self::InvokeActionStream> {
        use pb::invoke_action::{Event, event};
        let diagnostics = convert::plain(no_such("action", &request.into_inner().action_type));
        let event = Event { r#type: Some(event::Type::Completed(event::Completed { diagnostics })) };
        Ok(Response::new(stream::iter([Ok(event)]).boxed()))
    }

    async fn validate_state_store_config(
        &self,
        _: Request<pb::validate_state_store::Request>,
    ) -> Answer<pb::validate_state_store::Response> {
        no_state_store()
    }

    async fn configure_state_store(
        &self,
        _: Request<pb::configure_state_store::Request>,
    ) -> Answer<pb::configure_state_store::Response> {
        no_state_store()
    }

    async fn read_state_bytes(&self, _: Request<pb::read_state_bytes::Request>) -> Answer<Self::ReadStateBytesStream> {
        no_state_store()
    }

    async fn write_state_bytes(
        &self,
        _: Request<Streaming<pb::write_state_bytes::RequestChunk>>,
    ) -> Answer<pb::write_state_bytes::Response> {
        no_state_store()
    }

    async fn lock_state(&self, _: Request<pb::lock_state::Request>) -> Answer<pb::lock_state::Response> {
        no_state_store()
    }

    async fn unlock_state(&self, _: Request<pb::unlock_state::Request>) -> Answer<pb::unlock_state::Response> {
        no_state_store()
    }

    async fn get_states(&self, _: Request<pb::get_states::Request>) -> Answer<pb::get_states::Response> {
        no_state_store()
    }

    async fn delete_state(&self, _: Request<pb::delete_state::Request>) -> Answer<pb::delete_state::Response> {
        no_state_store()
    }
}
