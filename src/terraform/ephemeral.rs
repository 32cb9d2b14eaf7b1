//! The trait of an ephemeral resource.

use std::future::Future;
use std::time::SystemTime;

use serde::de::DeserializeOwned;
use tokio_util::sync::CancellationToken;

use super::private::Private;
use super::{Diagnostic, Diagnostics, Path, Schema, Value};

/// Something that exists while Terraform runs and is never stored.
pub trait Ephemeral: Send + Sync + 'static {
    /// What the provider's `configure` returned.
    type Data: Send + Sync + 'static;
    /// Its settings, typed. What is null is `None`.
    type Model: DeserializeOwned + Send;
    /// The type's name without the provider's prefix.
    const NAME: &'static str;

    /// Settings and, by [`Schema::computed`], results.
    fn schema() -> Schema<Self::Data>;

    /// Rules across attributes, checked at validate. Whatever is unknown must be let pass.
    fn check(config: &Value, d: &mut Diagnostics) {
        let _ = (config, d);
    }

    /// Makes it, and sets its results.
    fn open(
        data: &Self::Data,
        config: Self::Model,
        lease: &mut Lease,
    ) -> impl Future<Output = Result<(), Diagnostics>> + Send;

    /// Prolongs it, when the time that [`Lease::renew_at`] gave has come.
    fn renew(data: &Self::Data, lease: &mut Lease) -> impl Future<Output = Result<(), Diagnostics>> + Send {
        let _ = (data, lease);
        async { Ok(()) }
    }

    /// Ends it.
    fn close(data: &Self::Data, lease: &mut Lease) -> impl Future<Output = Result<(), Diagnostics>> + Send {
        let _ = (data, lease);
        async { Ok(()) }
    }
}

/// One call of an ephemeral resource.
#[derive(Debug, Default)]
pub struct Lease {
    pub(super) config: Value,
    pub(super) patch: Vec<(Path, Value)>,
    pub(super) renew_at: Option<SystemTime>,
    pub(super) private: Private,
    pub(super) diagnostics: Diagnostics,
    pub(super) cancelled: CancellationToken,
}

impl Lease {
    /// Sets a result; only open can.
    pub fn set(&mut self, path: &str, value: impl Into<Value>) {
        self.patch.push((Path::from(path), value.into()));
    }

    /// Asks to be renewed at this time.
    pub fn renew_at(&mut self, time: SystemTime) {
        self.renew_at = Some(time);
    }

    /// What a person wrote, with defaults; null in renew and close.
    pub fn config(&self) -> &Value {
        &self.config
    }

    /// What open or renew kept under this key. It lives in memory, as long as Terraform runs.
    pub fn private(&self, key: &str) -> Option<serde_json::Value> {
        self.private.get(key)
    }

    /// Keeps a value for renew and close.
    pub fn set_private(&mut self, key: &str, value: impl Into<serde_json::Value>) {
        self.private.set(key, value.into());
    }

    /// Adds a warning to the result.
    pub fn warn(&mut self, warning: Diagnostic) {
        self.diagnostics.push(warning);
    }

    /// Cancelled when Terraform is interrupted.
    pub fn cancelled(&self) -> &CancellationToken {
        &self.cancelled
    }
}
