//! Data sources: validate, read.

use super::super::data_source::Read;
use super::super::erased::AnyDataSource;
use super::super::plan::wrongly_set;
use super::super::planning::defaults;
use super::super::schema::validate;
use super::super::wire::tfplugin6 as pb;
use super::super::{Diagnostics, Provider, Value};
use super::{Service, convert, no_such};

impl<P: Provider> Service<P> {
    fn data_source(&self, type_name: &str) -> Result<&dyn AnyDataSource<P::Data>, Diagnostics> {
        let found = self.own_name(type_name).and_then(|name| self.tables().types.data_sources.get(name));
        found.map(|source| &**source).ok_or_else(|| no_such("data source", type_name))
    }

    pub(super) fn validate_data_source(
        &self,
        request: &pb::validate_data_resource_config::Request,
    ) -> Result<pb::validate_data_resource_config::Response, Diagnostics> {
        let source = self.data_source(&request.type_name)?;
        let form = source.form();
        let config = convert::value(request.config.as_ref(), &form.ty)?;
        let mut d = Diagnostics::new();
        validate(&form.schema, &config, Self::rules(false), &mut d);
        source.check(&config, &mut d);
        Ok(pb::validate_data_resource_config::Response { diagnostics: Self::told(d, form, &[&config]) })
    }

    pub(super) async fn read_data_source(
        &self,
        request: &pb::read_data_source::Request,
    ) -> Result<pb::read_data_source::Response, Diagnostics> {
        let source = self.data_source(&request.type_name)?;
        let form = source.form();
        let written = convert::value(request.config.as_ref(), &form.ty)?;
        let mut config = written.clone();
        defaults(&form.schema, &written, &mut config);
        let data = self.data()?;
        let mut cx =
            Read { config: &config, patch: Vec::new(), diagnostics: Diagnostics::new(), cancelled: self.token() };
        let result = source.read(&data, &mut cx).await;
        let Read { patch, diagnostics: mut d, .. } = cx;
        let mut state = config.clone();
        match result {
            Err(errors) => {
                d.extend(errors);
                state = Value::Null;
            }
            Ok(()) => {
                for (path, value) in patch {
                    if let Err(error) = state.set_typed(&form.ty, &path, value) {
                        d.push(wrongly_set(&error));
                    }
                }
            }
        }
        Ok(pb::read_data_source::Response {
            state: convert::message(state.unknown_to_null(), &form.ty)?,
            diagnostics: Self::told(d, form, &[&config]),
            deferred: None,
        })
    }
}
