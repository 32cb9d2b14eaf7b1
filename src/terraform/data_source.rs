//! The trait of a data source.

use std::future::Future;

use serde::de::DeserializeOwned;
use tokio_util::sync::CancellationToken;

use super::{Diagnostic, Diagnostics, Path, Schema, Value};

/// Something that Terraform reads and never changes.
pub trait DataSource: Send + Sync + 'static {
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

    /// Reads it. What is not set is null.
    fn read(
        data: &Self::Data,
        config: Self::Model,
        cx: &mut Read<'_>,
    ) -> impl Future<Output = Result<(), Diagnostics>> + Send;
}

/// One read of a data source.
#[derive(Debug)]
pub struct Read<'a> {
    pub(super) config: &'a Value,
    pub(super) patch: Vec<(Path, Value)>,
    pub(super) diagnostics: Diagnostics,
    pub(super) cancelled: CancellationToken,
}

impl Read<'_> {
    /// Sets a computed attribute.
    pub fn set(&mut self, path: &str, value: impl Into<Value>) {
        self.patch.push((Path::from(path), value.into()));
    }

    /// What a person wrote, with defaults.
    pub fn config(&self) -> &Value {
        self.config
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
