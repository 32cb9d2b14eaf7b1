//! The trait of a provider function.

use serde::de::DeserializeOwned;

use super::{Attribute, Type, Value, clean};

/// A pure function that a configuration calls as `provider::NAME::FUNCTION(...)`.
pub trait Function: Send + Sync + 'static {
    /// The arguments, typed: a tuple. The variadic ones, if any, are a `Vec` at its end.
    type Arguments: DeserializeOwned + Send;
    /// The function's name.
    const NAME: &'static str;

    /// Parameters, result and docs.
    fn signature() -> Signature;

    /// Calls it. It must not look at anything but its arguments.
    fn call(arguments: Self::Arguments) -> Result<Value, FunctionError>;
}

/// Why a function failed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct FunctionError {
    pub(super) message: String,
    pub(super) argument: Option<usize>,
}

impl FunctionError {
    /// The call as a whole failed.
    pub fn new(message: impl Into<String>) -> Self {
        FunctionError { message: clean(message.into()), argument: None }
    }

    /// The argument with this index, counted from 0, is at fault.
    pub fn argument(index: usize, message: impl Into<String>) -> Self {
        FunctionError { message: clean(message.into()), argument: Some(index) }
    }
}

/// Parameters, result and docs of a function.
#[derive(Clone, Debug)]
pub struct Signature {
    pub(super) summary: String,
    pub(super) description: String,
    pub(super) parameters: Vec<Parameter>,
    pub(super) variadic: Option<Parameter>,
    pub(super) returns: Type,
}

/// A parameter of a function.
#[derive(Clone, Debug)]
pub struct Parameter {
    /// Its name.
    pub name: String,
    /// Its type.
    pub ty: Type,
    /// What it means, in Markdown.
    pub doc: String,
    /// Whether null may be given.
    pub null: bool,
}

impl Signature {
    /// A function without parameters. The summary is one line; the description is Markdown.
    pub fn new(summary: impl Into<String>, description: impl Into<String>, returns: Attribute) -> Self {
        Signature {
            summary: summary.into(),
            description: description.into(),
            parameters: Vec::new(),
            variadic: None,
            returns: returns.ty(),
        }
    }

    /// Adds a parameter that must not be null.
    #[must_use]
    pub fn parameter(mut self, name: &str, attribute: Attribute) -> Self {
        self.parameters.push(parameter(name, attribute, false));
        self
    }

    /// Adds a parameter that may be null.
    #[must_use]
    pub fn nullable(mut self, name: &str, attribute: Attribute) -> Self {
        self.parameters.push(parameter(name, attribute, true));
        self
    }

    /// Adds a last parameter that can be given any number of times.
    #[must_use]
    pub fn variadic(self, name: &str, attribute: Attribute) -> Self {
        Signature { variadic: Some(parameter(name, attribute, false)), ..self }
    }
}

fn parameter(name: &str, attribute: Attribute, null: bool) -> Parameter {
    Parameter { name: name.to_owned(), ty: attribute.ty(), doc: attribute.doc, null }
}
