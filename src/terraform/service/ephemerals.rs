//! Ephemeral resources: validate, open, renew, close.

use std::time::{SystemTime, UNIX_EPOCH};

use super::super::ephemeral::Lease;
use super::super::erased::AnyEphemeral;
use super::super::plan::wrongly_set;
use super::super::planning::defaults;
use super::super::private::Private;
use super::super::schema::validate;
use super::super::wire::google::protobuf::Timestamp;
use super::super::wire::tfplugin6 as pb;
use super::super::{Diagnostics, Provider, Value};
use super::{Service, convert, no_such};

impl<P: Provider> Service<P> {
    fn ephemeral(&self, type_name: &str) -> Result<&dyn AnyEphemeral<P::Data>, Diagnostics> {
        let found = self.own_name(type_name).and_then(|name| self.tables().types.ephemerals.get(name));
        found.map(|ephemeral| &**ephemeral).ok_or_else(|| no_such("ephemeral resource", type_name))
    }

    pub(super) fn validate_ephemeral(
        &self,
        request: &pb::validate_ephemeral_resource_config::Request,
    ) -> Result<pb::validate_ephemeral_resource_config::Response, Diagnostics> {
        let ephemeral = self.ephemeral(&request.type_name)?;
        let form = ephemeral.form();
        let config = convert::value(request.config.as_ref(), &form.ty)?;
        let mut d = Diagnostics::new();
        validate(&form.schema, &config, Self::rules(false), &mut d);
        ephemeral.check(&config, &mut d);
        Ok(pb::validate_ephemeral_resource_config::Response { diagnostics: Self::told(d, form, &[&config]) })
    }

    pub(super) async fn open(
        &self,
        request: &pb::open_ephemeral_resource::Request,
    ) -> Result<pb::open_ephemeral_resource::Response, Diagnostics> {
        let ephemeral = self.ephemeral(&request.type_name)?;
        let form = ephemeral.form();
        let written = convert::value(request.config.as_ref(), &form.ty)?;
        let mut config = written.clone();
        defaults(&form.schema, &written, &mut config);
        let data = self.data()?;
        let mut lease = Lease { config: config.clone(), cancelled: self.token(), ..Lease::default() };
        let result = ephemeral.open(&data, &mut lease).await;
        let mut d = std::mem::take(&mut lease.diagnostics);
        let mut value = config.clone();
        match result {
            Err(errors) => {
                d.extend(errors);
                value = Value::Null;
            }
            Ok(()) => {
                for (path, patch) in std::mem::take(&mut lease.patch) {
                    if let Err(error) = value.set_typed(&form.ty, &path, patch) {
                        d.push(wrongly_set(&error));
                    }
                }
            }
        }
        Ok(pb::open_ephemeral_resource::Response {
            diagnostics: Self::told(d, form, &[&config]),
            renew_at: lease.renew_at.and_then(timestamp),
            result: convert::message(value.unknown_to_null(), &form.ty)?,
            private: Some(lease.private.write()),
            deferred: None,
        })
    }

    pub(super) async fn renew(
        &self,
        request: &pb::renew_ephemeral_resource::Request,
    ) -> Result<pb::renew_ephemeral_resource::Response, Diagnostics> {
        let ephemeral = self.ephemeral(&request.type_name)?;
        let data = self.data()?;
        let mut lease = self.lease(request.private.as_deref());
        let result = ephemeral.renew(&data, &mut lease).await;
        let mut d = std::mem::take(&mut lease.diagnostics);
        d.extend(result.err().unwrap_or_default());
        Ok(pb::renew_ephemeral_resource::Response {
            diagnostics: Self::told(d, ephemeral.form(), &[]),
            renew_at: lease.renew_at.and_then(timestamp),
            private: Some(lease.private.write()),
        })
    }

    pub(super) async fn close(
        &self,
        request: &pb::close_ephemeral_resource::Request,
    ) -> Result<pb::close_ephemeral_resource::Response, Diagnostics> {
        let ephemeral = self.ephemeral(&request.type_name)?;
        let data = self.data()?;
        let mut lease = self.lease(request.private.as_deref());
        let result = ephemeral.close(&data, &mut lease).await;
        let mut d = std::mem::take(&mut lease.diagnostics);
        d.extend(result.err().unwrap_or_default());
        let diagnostics = Self::told(d, ephemeral.form(), &[]);
        Ok(pb::close_ephemeral_resource::Response { diagnostics })
    }

    fn lease(&self, private: Option<&[u8]>) -> Lease {
        let private = Private::read(private.unwrap_or_default());
        Lease { private, cancelled: self.token(), ..Lease::default() }
    }
}

/// `None` for a time before 1970.
fn timestamp(time: SystemTime) -> Option<Timestamp> {
    let since = time.duration_since(UNIX_EPOCH).ok()?;
    Some(Timestamp { seconds: i64::try_from(since.as_secs()).ok()?, nanos: i32::try_from(since.subsec_nanos()).ok()? })
}
