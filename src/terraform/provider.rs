//! The trait of a provider, and the table of what it offers.

use std::collections::BTreeMap;
use std::future::Future;

use tokio_util::sync::CancellationToken;

use super::erased::{
    AnyDataSource, AnyEphemeral, AnyFunction, AnyResource, OfDataSource, OfEphemeral, OfFunction, OfResource,
};
use super::{DataSource, Diagnostics, Ephemeral, Function, Resource, Schema, Value};

/// A provider: its own settings, and the types it offers.
pub trait Provider: Send + Sync + 'static {
    /// What the types work with, made by `configure`.
    type Data: Send + Sync + 'static;
    /// The provider's name, with which all its types begin.
    const NAME: &'static str;
    /// Where it is published, such as `acme/thing`.
    const ADDRESS: &'static str;
    /// Its version.
    const VERSION: &'static str;

    /// The provider block. It has settings only, and no defaults.
    fn schema() -> Schema<()>;

    /// Rules across the provider block's attributes. Whatever is unknown must be let pass.
    fn check(config: &Value, d: &mut Diagnostics) {
        let _ = (config, d);
    }

    /// Whether what is written in an attribute of this name may hold a secret by mistake, such as a login in a host. A
    /// diagnostic about it then carries no path, for Terraform would print the line, and does not repeat it.
    fn may_hold_secret(attribute: &str, text: &str) -> bool {
        let _ = (attribute, text);
        false
    }

    /// Takes the provider block. Values may be unknown in a plan. The second part of the result are warnings.
    fn configure(request: Configure) -> impl Future<Output = Result<(Self::Data, Diagnostics), Diagnostics>> + Send;

    /// What it offers.
    fn types() -> Types<Self::Data>;
}

/// A provider block to take.
#[derive(Debug)]
pub struct Configure {
    /// What is written in it.
    pub config: Value,
    /// The client's version, such as `1.11.4`.
    pub terraform_version: String,
    /// Cancelled when Terraform is interrupted.
    pub cancelled: CancellationToken,
}

/// What a provider offers, by name. A new kind of thing gets its table here.
pub struct Types<D> {
    pub(super) resources: BTreeMap<String, Box<dyn AnyResource<D>>>,
    pub(super) data_sources: BTreeMap<String, Box<dyn AnyDataSource<D>>>,
    pub(super) functions: BTreeMap<String, Box<dyn AnyFunction>>,
    pub(super) ephemerals: BTreeMap<String, Box<dyn AnyEphemeral<D>>>,
}

impl<D> Default for Types<D> {
    fn default() -> Self {
        Types {
            resources: BTreeMap::new(),
            data_sources: BTreeMap::new(),
            functions: BTreeMap::new(),
            ephemerals: BTreeMap::new(),
        }
    }
}

impl<D: Send + Sync + 'static> Types<D> {
    /// Nothing.
    pub fn new() -> Self {
        Types::default()
    }

    /// Offers a resource.
    #[must_use]
    pub fn resource<R: Resource<Data = D>>(mut self) -> Self {
        self.resources.insert(R::NAME.to_owned(), Box::new(OfResource::<R>::new()));
        self
    }

    /// Offers a data source.
    #[must_use]
    pub fn data_source<S: DataSource<Data = D>>(mut self) -> Self {
        self.data_sources.insert(S::NAME.to_owned(), Box::new(OfDataSource::<S>::new()));
        self
    }

    /// Offers a function.
    #[must_use]
    pub fn function<F: Function>(mut self) -> Self {
        self.functions.insert(F::NAME.to_owned(), Box::new(OfFunction::<F>::new()));
        self
    }

    /// Offers an ephemeral resource.
    #[must_use]
    pub fn ephemeral<E: Ephemeral<Data = D>>(mut self) -> Self {
        self.ephemerals.insert(E::NAME.to_owned(), Box::new(OfEphemeral::<E>::new()));
        self
    }
}
