//! Speaks Terraform: what a provider is built on, and the process that serves it (plugin protocol 6).
//!
//! A provider implements [`Provider`], [`Resource`] and [`DataSource`] (perhaps [`Function`] and [`Ephemeral`]), and its
//! `main` is [`serve`]. Nothing here knows what the provider is about.

#[cfg(test)]
mod arbitrary;
mod attr;
mod change;
mod clean;
#[cfg(test)]
mod codec_tests;
mod data_source;
mod decode;
mod describe;
mod diagnostics;
mod ephemeral;
mod erased;
mod function;
pub mod json;
mod logging;
mod markdown;
pub mod msgpack;
mod number;
mod outcome;
mod panics;
mod path;
mod plan;
mod planning;
#[cfg(test)]
mod planning_tests;
mod private;
mod provider;
mod resource;
mod schema;
mod serve;
mod service;
mod types;
mod value;
#[cfg(test)]
mod value_tests;

#[allow(dead_code, unreachable_pub, clippy::all)]
mod wire {
    tonic::include_proto!("protocols");
}

pub use attr::Attr;
pub use change::Change;
pub use clean::{clean, on_one_line};
pub use data_source::{DataSource, Read};
pub use decode::DecodeError;
pub use describe::{
    AttributeDescription, FunctionDescription, Presence, ProviderDescription, SchemaDescription, describe,
};
pub use diagnostics::{Diagnostic, Diagnostics, Severity};
pub use ephemeral::{Ephemeral, Lease};
pub use function::{Function, FunctionError, Parameter, Signature};
pub use markdown::{function_markdown, schema_markdown};
pub use number::{NotANumber, Number};
pub use path::{Path, Step};
pub use plan::Plan;
pub use provider::{Configure, Provider, Types};
pub use resource::{Found, Resource};
pub use schema::{
    Attribute, Block, Nesting, Schema, Shape, boolean, dynamic, list, list_of, map, map_of, number, object,
    schema_problems, set, set_of, string,
};
pub use serve::serve;
pub use types::{Type, TypeError};
pub use value::Value;

/// A provider's own schema, and its tables.
fn tables<P: Provider>() -> (Schema<()>, Types<P::Data>) {
    (P::schema(), P::types())
}
