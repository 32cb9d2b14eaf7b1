//! The typed traits without their types, so that one table holds them.

use std::marker::PhantomData;

use async_trait::async_trait;

use super::{
    Change, DataSource, DecodeError, Diagnostics, Ephemeral, Found, Function, FunctionError, Lease, Plan, Read,
    Resource, Schema, Signature, Type, Value,
};

/// A schema, and the type it amounts to.
pub(super) struct Form<D> {
    pub(super) schema: Schema<D>,
    pub(super) ty: Type,
}

impl<D> Form<D> {
    pub(super) fn new(schema: Schema<D>) -> Self {
        Form { ty: schema.ty(), schema }
    }
}

#[async_trait]
pub(super) trait AnyResource<D>: Send + Sync {
    fn form(&self) -> &Form<D>;
    /// Whether a value can be read into the model.
    fn reads(&self, value: &Value) -> Result<(), DecodeError>;
    fn check(&self, config: &Value, d: &mut Diagnostics);
    async fn plan(&self, data: &D, plan: &mut Plan<'_>) -> Result<(), Diagnostics>;
    async fn create(&self, data: &D, wanted: Value, cx: &mut Change<'_>) -> Result<(), Diagnostics>;
    async fn read(&self, data: &D, state: Value, cx: &mut Change<'_>) -> Result<Found, Diagnostics>;
    async fn update(&self, data: &D, prior: Value, wanted: Value, cx: &mut Change<'_>) -> Result<(), Diagnostics>;
    async fn delete(&self, data: &D, state: Value, cx: &mut Change<'_>) -> Result<(), Diagnostics>;
    async fn import(&self, data: &D, id: &str, cx: &mut Change<'_>) -> Result<(), Diagnostics>;
}

pub(super) struct OfResource<R: Resource>(Form<R::Data>);

impl<R: Resource> OfResource<R> {
    pub(super) fn new() -> Self {
        OfResource(Form::new(R::schema()))
    }
}

#[async_trait]
impl<R: Resource> AnyResource<R::Data> for OfResource<R> {
    fn form(&self) -> &Form<R::Data> {
        &self.0
    }

    fn reads(&self, value: &Value) -> Result<(), DecodeError> {
        value.decode::<R::Model>().map(drop)
    }

    fn check(&self, config: &Value, d: &mut Diagnostics) {
        R::check(config, d);
    }

    async fn plan(&self, data: &R::Data, plan: &mut Plan<'_>) -> Result<(), Diagnostics> {
        R::plan(data, plan).await
    }

    async fn create(&self, data: &R::Data, wanted: Value, cx: &mut Change<'_>) -> Result<(), Diagnostics> {
        let wanted = wanted.decode()?;
        R::create(data, wanted, cx).await
    }

    async fn read(&self, data: &R::Data, state: Value, cx: &mut Change<'_>) -> Result<Found, Diagnostics> {
        let state = state.decode()?;
        R::read(data, state, cx).await
    }

    async fn update(
        &self,
        data: &R::Data,
        prior: Value,
        wanted: Value,
        cx: &mut Change<'_>,
    ) -> Result<(), Diagnostics> {
        let (prior, wanted) = (prior.decode()?, wanted.decode()?);
        R::update(data, prior, wanted, cx).await
    }

    async fn delete(&self, data: &R::Data, state: Value, cx: &mut Change<'_>) -> Result<(), Diagnostics> {
        let state = state.decode()?;
        R::delete(data, state, cx).await
    }

    async fn import(&self, data: &R::Data, id: &str, cx: &mut Change<'_>) -> Result<(), Diagnostics> {
        R::import(data, id, cx).await
    }
}

#[async_trait]
pub(super) trait AnyDataSource<D>: Send + Sync {
    fn form(&self) -> &Form<D>;
    /// Whether a value can be read into the model.
    fn reads(&self, value: &Value) -> Result<(), DecodeError>;
    fn check(&self, config: &Value, d: &mut Diagnostics);
    async fn read(&self, data: &D, cx: &mut Read<'_>) -> Result<(), Diagnostics>;
}

pub(super) struct OfDataSource<S: DataSource>(Form<S::Data>);

impl<S: DataSource> OfDataSource<S> {
    pub(super) fn new() -> Self {
        OfDataSource(Form::new(S::schema()))
    }
}

#[async_trait]
impl<S: DataSource> AnyDataSource<S::Data> for OfDataSource<S> {
    fn form(&self) -> &Form<S::Data> {
        &self.0
    }

    fn reads(&self, value: &Value) -> Result<(), DecodeError> {
        value.decode::<S::Model>().map(drop)
    }

    fn check(&self, config: &Value, d: &mut Diagnostics) {
        S::check(config, d);
    }

    async fn read(&self, data: &S::Data, cx: &mut Read<'_>) -> Result<(), Diagnostics> {
        let config = cx.config.decode()?;
        S::read(data, config, cx).await
    }
}

#[async_trait]
pub(super) trait AnyEphemeral<D>: Send + Sync {
    fn form(&self) -> &Form<D>;
    fn check(&self, config: &Value, d: &mut Diagnostics);
    async fn open(&self, data: &D, lease: &mut Lease) -> Result<(), Diagnostics>;
    async fn renew(&self, data: &D, lease: &mut Lease) -> Result<(), Diagnostics>;
    async fn close(&self, data: &D, lease: &mut Lease) -> Result<(), Diagnostics>;
}

pub(super) struct OfEphemeral<E: Ephemeral>(Form<E::Data>);

impl<E: Ephemeral> OfEphemeral<E> {
    pub(super) fn new() -> Self {
        OfEphemeral(Form::new(E::schema()))
    }
}

#[async_trait]
impl<E: Ephemeral> AnyEphemeral<E::Data> for OfEphemeral<E> {
    fn form(&self) -> &Form<E::Data> {
        &self.0
    }

    fn check(&self, config: &Value, d: &mut Diagnostics) {
        E::check(config, d);
    }

    async fn open(&self, data: &E::Data, lease: &mut Lease) -> Result<(), Diagnostics> {
        let config = lease.config.decode()?;
        E::open(data, config, lease).await
    }

    async fn renew(&self, data: &E::Data, lease: &mut Lease) -> Result<(), Diagnostics> {
        E::renew(data, lease).await
    }

    async fn close(&self, data: &E::Data, lease: &mut Lease) -> Result<(), Diagnostics> {
        E::close(data, lease).await
    }
}

pub(super) trait AnyFunction: Send + Sync {
    fn signature(&self) -> &Signature;
    fn call(&self, arguments: Vec<Value>) -> Result<Value, FunctionError>;
}

pub(super) struct OfFunction<F: Function>(Signature, PhantomData<fn() -> F>);

impl<F: Function> OfFunction<F> {
    pub(super) fn new() -> Self {
        OfFunction(F::signature(), PhantomData)
    }
}

impl<F: Function> AnyFunction for OfFunction<F> {
    fn signature(&self) -> &Signature {
        &self.0
    }

    fn call(&self, mut arguments: Vec<Value>) -> Result<Value, FunctionError> {
        if self.0.variadic.is_some() {
            let rest = arguments.split_off(self.0.parameters.len().min(arguments.len()));
            arguments.push(Value::List(rest));
        }
        let arguments = Value::List(arguments).decode().map_err(|error| {
            let index = match error.path().steps().first() {
                Some(super::Step::Index(index)) => Some(*index),
                _ => None,
            };
            FunctionError { message: error.message().to_owned(), argument: index }
        })?;
        F::call(arguments)
    }
}
