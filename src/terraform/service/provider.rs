//! The provider block, and what there is.

use std::sync::{Arc, PoisonError};

use super::super::schema::{Schema, validate};
use super::super::wire::tfplugin6 as pb;
use super::super::{Configure, Diagnostics, Provider};
use super::{Service, convert};

/// What the provider can do beyond the first version of the protocol. A destroy needs no plan; the schema is the same
/// for each process, so that a client may cache it.
pub(super) fn capabilities() -> Option<pb::ServerCapabilities> {
    Some(pb::ServerCapabilities {
        plan_destroy: false,
        get_provider_schema_optional: true,
        move_resource_state: false,
        generate_resource_config: false,
    })
}

impl<P: Provider> Service<P> {
    pub(super) fn metadata(&self) -> pb::get_metadata::Response {
        let types = &self.tables().types;
        pb::get_metadata::Response {
            server_capabilities: capabilities(),
            resources: (types.resources.keys())
                .map(|name| pb::get_metadata::ResourceMetadata { type_name: self.full_name(name) })
                .collect(),
            data_sources: (types.data_sources.keys())
                .map(|name| pb::get_metadata::DataSourceMetadata { type_name: self.full_name(name) })
                .collect(),
            functions: (types.functions.keys())
                .map(|name| pb::get_metadata::FunctionMetadata { name: name.clone() })
                .collect(),
            ephemeral_resources: (types.ephemerals.keys())
                .map(|name| pb::get_metadata::EphemeralMetadata { type_name: self.full_name(name) })
                .collect(),
            ..Default::default()
        }
    }

    pub(super) fn schemas(&self) -> pb::get_provider_schema::Response {
        let tables = self.tables();
        let types = &tables.types;
        pb::get_provider_schema::Response {
            provider: Some(tables.provider.schema.to_wire()),
            provider_meta: Some(Schema::<()>::new("").to_wire()),
            resource_schemas: (types.resources.iter())
                .map(|(name, resource)| (self.full_name(name), resource.form().schema.to_wire()))
                .collect(),
            data_source_schemas: (types.data_sources.iter())
                .map(|(name, source)| (self.full_name(name), source.form().schema.to_wire()))
                .collect(),
            ephemeral_resource_schemas: (types.ephemerals.iter())
                .map(|(name, ephemeral)| (self.full_name(name), ephemeral.form().schema.to_wire()))
                .collect(),
            functions: self.functions(),
            server_capabilities: capabilities(),
            ..Default::default()
        }
    }

    pub(super) fn validate_provider(
        &self,
        request: &pb::validate_provider_config::Request,
    ) -> Result<pb::validate_provider_config::Response, Diagnostics> {
        let form = &self.tables().provider;
        let config = convert::value(request.config.as_ref(), &form.ty)?;
        let mut d = Diagnostics::new();
        validate(&form.schema, &config, Self::rules(false), &mut d);
        P::check(&config, &mut d);
        Ok(pb::validate_provider_config::Response { diagnostics: Self::told(d, form, &[&config]) })
    }

    pub(super) async fn configure(
        &self,
        request: pb::configure_provider::Request,
    ) -> Result<pb::configure_provider::Response, Diagnostics> {
        let form = &self.tables().provider;
        let config = convert::value(request.config.as_ref(), &form.ty)?;
        let request =
            Configure { config: config.clone(), terraform_version: request.terraform_version, cancelled: self.token() };
        let d = match P::configure(request).await {
            Ok((data, warnings)) => {
                *self.data.write().unwrap_or_else(PoisonError::into_inner) = Some(Arc::new(data));
                warnings
            }
            Err(errors) => errors,
        };
        Ok(pb::configure_provider::Response { diagnostics: Self::told(d, form, &[&config]) })
    }
}
