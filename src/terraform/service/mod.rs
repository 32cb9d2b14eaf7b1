//! The service that Terraform calls: one file for each kind of thing, and [`rpc`] for the protocol's list of calls.

mod convert;
mod data_sources;
mod ephemerals;
mod functions;
mod provider;
mod resources;
mod rpc;
pub(super) use rpc::Server;
#[cfg(test)]
mod tests;

use std::future::Future;
use std::sync::{Arc, Mutex, OnceLock, PoisonError, RwLock};

use tokio_util::sync::CancellationToken;

use super::erased::Form;
use super::provider::{Provider, Types};
use super::schema::Rules;
use super::{Diagnostic, Diagnostics, Value, wire};

/// A provider, served. Its tables are made when the first call needs them, so that starting takes no time.
pub(super) struct Service<P: Provider> {
    tables: OnceLock<Tables<P>>,
    data: RwLock<Option<Arc<P::Data>>>,
    stop: Mutex<CancellationToken>,
}

struct Tables<P: Provider> {
    provider: Form<()>,
    types: Types<P::Data>,
}

impl<P: Provider> Service<P> {
    pub(super) fn new() -> Self {
        Service { tables: OnceLock::new(), data: RwLock::new(None), stop: Mutex::new(CancellationToken::new()) }
    }

    fn tables(&self) -> &Tables<P> {
        self.tables.get_or_init(|| Tables { provider: Form::new(P::schema()), types: P::types() })
    }

    /// What `configure` made of the latest provider block.
    fn data(&self) -> Result<Arc<P::Data>, Diagnostics> {
        let data = self.data.read().unwrap_or_else(PoisonError::into_inner).clone();
        data.ok_or_else(|| {
            let detail = "Terraform asked for something that needs the provider block before it sent one.";
            Diagnostic::error("The provider is not configured", detail).into()
        })
    }

    /// A token for one call, cancelled by the next stop.
    fn token(&self) -> CancellationToken {
        self.stop.lock().unwrap_or_else(PoisonError::into_inner).child_token()
    }

    /// Cancels the calls that are under way. Calls that come later, such as closing ephemeral resources, are not
    /// touched.
    pub(super) fn stop(&self) {
        let mut current = self.stop.lock().unwrap_or_else(PoisonError::into_inner);
        std::mem::take(&mut *current).cancel();
    }

    /// What is told of a configuration, and how.
    fn rules(write_only: bool) -> Rules {
        Rules { write_only, may_hold_secret: P::may_hold_secret }
    }

    /// Diagnostics about these values, as they are sent.
    fn told<D>(d: Diagnostics, form: &Form<D>, values: &[&Value]) -> Vec<wire::tfplugin6::Diagnostic> {
        convert::diagnostics(d, form, Self::rules(false), values)
    }

    /// The name without the provider's prefix.
    fn own_name<'n>(&self, type_name: &'n str) -> Option<&'n str> {
        type_name.strip_prefix(P::NAME)?.strip_prefix('_')
    }

    fn full_name(&self, name: &str) -> String {
        format!("{}_{name}", P::NAME)
    }
}

/// The provider has no type of this kind and name.
fn no_such(kind: &str, name: &str) -> Diagnostics {
    let detail = format!("This version of the provider has no {kind} `{name}`.");
    Diagnostic::error(format!("There is no such {kind}"), detail).into()
}

/// Runs a call, and turns a panic into its error.
async fn guarded<T>(call: impl Future<Output = Result<T, Diagnostics>>) -> Result<T, Diagnostics> {
    super::panics::guard(call).await.and_then(|result| result)
}
