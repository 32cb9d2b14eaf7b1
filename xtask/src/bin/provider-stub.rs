//! A provider with the same schemas that asks no warehouse: read answers with the state as it is. What it costs is what
//! Terraform and `src/terraform/` cost; the benchmark compares the real one with it.

use std::marker::PhantomData;
use std::process::ExitCode;

use terraform_provider_redshift::provider::{Configured, Connection, Datastore, Redshift, User};
use terraform_provider_redshift::terraform::{
    Change, Configure, Diagnostics, Found, Provider, Resource, Schema, Types, serve,
};

/// A resource that lives in the state alone.
struct InState<R>(PhantomData<fn() -> R>);

impl<R: Resource> Resource for InState<R> {
    type Data = R::Data;
    type Model = R::Model;
    const NAME: &'static str = R::NAME;

    fn schema() -> Schema<R::Data> {
        R::schema()
    }

    async fn create(_: &R::Data, _: R::Model, _: &mut Change<'_>) -> Result<(), Diagnostics> {
        Ok(())
    }

    async fn read(_: &R::Data, _: R::Model, _: &mut Change<'_>) -> Result<Found, Diagnostics> {
        Ok(Found::Here)
    }

    async fn update(_: &R::Data, _: R::Model, _: R::Model, _: &mut Change<'_>) -> Result<(), Diagnostics> {
        Ok(())
    }

    async fn delete(_: &R::Data, _: R::Model, _: &mut Change<'_>) -> Result<(), Diagnostics> {
        Ok(())
    }

    async fn import(_: &R::Data, id: &str, cx: &mut Change<'_>) -> Result<(), Diagnostics> {
        cx.set("id", id);
        Ok(())
    }
}

struct Stub;

impl Provider for Stub {
    type Data = Configured;
    const NAME: &'static str = Redshift::NAME;
    const ADDRESS: &'static str = Redshift::ADDRESS;
    const VERSION: &'static str = Redshift::VERSION;

    fn schema() -> Schema<()> {
        Redshift::schema()
    }

    /// The same data: the schemas' pure attributes are functions of it. It opens no session before it is asked to.
    async fn configure(request: Configure) -> Result<(Configured, Diagnostics), Diagnostics> {
        Redshift::configure(request).await
    }

    fn types() -> Types<Configured> {
        Types::new().resource::<InState<Connection>>().resource::<InState<User>>().resource::<InState<Datastore>>()
    }
}

fn main() -> ExitCode {
    serve::<Stub>()
}
