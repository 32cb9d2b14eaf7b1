//! The trait of a resource.

use std::future::Future;

use serde::de::DeserializeOwned;

use super::{Change, Diagnostics, Plan, Schema, Value};

/// Whether a resource that was read is still there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Found {
    /// It is.
    Here,
    /// It is gone: Terraform takes it out of state and plans to create it.
    Gone,
}

/// A kind of thing that Terraform creates, reads, updates and deletes.
///
/// The model is what the calls work with: the attributes they need, by name, in Rust types. What is null is `None`,
/// and so is, in create and update, what the call itself is to compute. Results are not written into a model but
/// [`set`](Change::set) on the change.
pub trait Resource: Send + Sync + 'static {
    /// What the provider's `configure` returned.
    type Data: Send + Sync + 'static;
    /// A resource, typed.
    type Model: DeserializeOwned + Send;
    /// The type's name without the provider's prefix.
    const NAME: &'static str;

    /// Attributes and blocks, in the order in which pure attributes are derived.
    fn schema() -> Schema<Self::Data>;

    /// Rules across attributes, checked at validate. Whatever is unknown must be let pass.
    fn check(config: &Value, d: &mut Diagnostics) {
        let _ = (config, d);
    }

    /// Looks at a plan to create or update, and may change it. Never asked when the resource is to be deleted.
    fn plan(data: &Self::Data, plan: &mut Plan<'_>) -> impl Future<Output = Result<(), Diagnostics>> + Send {
        let _ = (data, plan);
        async { Ok(()) }
    }

    /// Makes it. Calls [`Change::created`] as soon as an error would leave something behind.
    fn create(
        data: &Self::Data,
        wanted: Self::Model,
        cx: &mut Change<'_>,
    ) -> impl Future<Output = Result<(), Diagnostics>> + Send;

    /// Looks it up, and sets what differs from state.
    fn read(
        data: &Self::Data,
        state: Self::Model,
        cx: &mut Change<'_>,
    ) -> impl Future<Output = Result<Found, Diagnostics>> + Send;

    /// Changes it. Calls [`Change::keep`] for settings that are in effect before something that may fail.
    fn update(
        data: &Self::Data,
        prior: Self::Model,
        wanted: Self::Model,
        cx: &mut Change<'_>,
    ) -> impl Future<Output = Result<(), Diagnostics>> + Send;

    /// Removes it; what is gone already is removed.
    fn delete(
        data: &Self::Data,
        state: Self::Model,
        cx: &mut Change<'_>,
    ) -> impl Future<Output = Result<(), Diagnostics>> + Send;

    /// Sets what an id says; `read` is called next.
    fn import(data: &Self::Data, id: &str, cx: &mut Change<'_>)
    -> impl Future<Output = Result<(), Diagnostics>> + Send;
}
