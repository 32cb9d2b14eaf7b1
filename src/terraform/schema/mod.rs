//! Schemas: what a type has, who sets it, and how each part is planned.

mod attribute;
mod block;
mod models;
mod problems;
mod proto;
mod shape;
mod validate;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use serde::de::DeserializeOwned;

use super::{DecodeError, Diagnostic, Diagnostics, Type, Value, json};

pub use attribute::{
    Attribute, Nesting, boolean, dynamic, list, list_of, map, map_of, number, object, set, set_of, string,
};
pub(super) use attribute::{Kind, Replaces};
pub use block::Block;
pub(super) use block::Items;
pub use problems::schema_problems;
pub use shape::Shape;
pub(super) use validate::{Rules, validate};

/// The schema of a resource, a data source, an ephemeral resource or the provider block. `D` is what the provider's
/// `configure` returned, which [`Schema::pure`] functions may ask.
pub struct Schema<D> {
    pub(super) description: String,
    pub(super) subcategory: String,
    pub(super) deprecated: Option<String>,
    pub(super) version: i64,
    pub(super) first_version: i64,
    pub(super) upgrades: Vec<(i64, Upgrade)>,
    pub(super) entries: Vec<Entry<D>>,
    pub(super) timeouts: Vec<(&'static str, &'static str)>,
}

/// Reads stored state of an earlier version as a value of the type.
pub(super) type Upgrade = Arc<dyn Fn(serde_json::Value, &Type) -> Result<Value, Diagnostics> + Send + Sync>;

/// One attribute or block of a schema.
pub(super) struct Entry<D> {
    pub(super) name: String,
    pub(super) attribute: Attribute,
    pub(super) class: Class<D>,
}

/// Who sets an attribute, and how it is planned.
pub(super) enum Class<D> {
    /// A person writes it.
    Setting,
    /// Always this value.
    Constant(Value),
    /// Set at create and kept.
    Pinned,
    /// A function of the settings.
    Pure(Pure<D>),
    /// Seen by create, update and read.
    Observed,
    /// Observed, and planned as this value.
    Drift(Value),
    /// The result of a data source.
    Computed,
}

pub(super) type Pure<D> = Arc<dyn Fn(&D, &Value) -> Result<Value, DecodeError> + Send + Sync>;

impl<D> Class<D> {
    /// The word the docs use for it; empty for what a person writes.
    pub(super) fn word(&self) -> &'static str {
        match self {
            Class::Setting => "",
            Class::Constant(_) => "constant",
            Class::Pinned => "pinned",
            Class::Pure(_) => "pure",
            Class::Observed => "observed",
            Class::Drift(_) => "drift",
            Class::Computed => "computed",
        }
    }

    pub(super) fn is_setting(&self) -> bool {
        matches!(self, Class::Setting)
    }
}

impl<D> fmt::Debug for Entry<D> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({}): {:?}", self.name, self.class.word(), self.attribute)
    }
}

impl<D> Schema<D> {
    /// A schema without attributes; the description is Markdown.
    pub fn new(description: impl Into<String>) -> Self {
        Schema {
            description: description.into(),
            subcategory: String::new(),
            deprecated: None,
            version: 0,
            first_version: 0,
            upgrades: Vec::new(),
            entries: Vec::new(),
            timeouts: Vec::new(),
        }
    }

    /// The heading in the Registry's navigation under which the page stands.
    #[must_use]
    pub fn subcategory(self, name: impl Into<String>) -> Self {
        Schema { subcategory: name.into(), ..self }
    }

    /// Whoever uses the type is warned with this text.
    #[must_use]
    pub fn deprecated(self, message: impl Into<String>) -> Self {
        Schema { deprecated: Some(message.into()), ..self }
    }

    /// The version of the state's form; 0 if never called.
    #[must_use]
    pub fn version(self, version: i64) -> Self {
        Schema { version, ..self }
    }

    /// The version counts from here instead of from 0. Another provider's type may have this name and its state a small
    /// version; where the versions are equal, Terraform drops what this schema lacks before the provider sees it.
    #[must_use]
    pub fn versions_from(self, first_version: i64) -> Self {
        Schema { first_version, version: self.version.max(first_version), ..self }
    }

    /// How to read state of an earlier version: from the JSON that was stored to a value of this schema.
    #[must_use]
    pub fn upgrade(
        mut self,
        from_version: i64,
        upgrade: impl Fn(serde_json::Value) -> Result<Value, Diagnostics> + Send + Sync + 'static,
    ) -> Self {
        self.upgrades.push((from_version, Arc::new(move |stored, _: &Type| upgrade(stored))));
        self
    }

    /// State of an earlier version has the form of this schema, if it is ours: `is_foreign` says why it is not.
    #[must_use]
    pub fn same_form_as(
        mut self,
        from_version: i64,
        is_foreign: impl Fn(&serde_json::Value) -> Option<Diagnostic> + Send + Sync + 'static,
    ) -> Self {
        let upgrade = move |stored: serde_json::Value, ty: &Type| match is_foreign(&stored) {
            Some(error) => Err(error.into()),
            None => json::from_json(stored, ty, json::Extra::Dropped)
                .map_err(|error| Diagnostic::error(UNREADABLE, format!("{error}.")).into()),
        };
        self.upgrades.push((from_version, Arc::new(upgrade)));
        self
    }

    fn entry(mut self, name: &str, attribute: Attribute, class: Class<D>) -> Self {
        self.entries.push(Entry { name: name.to_owned(), attribute, class });
        self
    }

    /// What a person writes.
    #[must_use]
    pub fn setting(self, name: &str, attribute: Attribute) -> Self {
        self.entry(name, attribute, Class::Setting)
    }

    /// A block that a person writes: an array of attributes, which is written at most once, or a [`Block`].
    #[must_use]
    pub fn block(self, name: &str, doc: impl Into<String>, block: impl Into<Block>) -> Self {
        let block: Block = block.into();
        self.entry(name, block.attribute().doc(doc), Class::Setting)
    }

    /// Computed, and always this value.
    #[must_use]
    pub fn constant(self, name: &str, attribute: Attribute, value: impl Into<Value>) -> Self {
        self.entry(name, attribute, Class::Constant(value.into()))
    }

    /// Computed: unknown when planned for a new resource (a plan hook may know better), set by create, kept
    /// afterwards.
    #[must_use]
    pub fn pinned(self, name: &str, attribute: Attribute) -> Self {
        self.entry(name, attribute, Class::Pinned)
    }

    /// Computed by a function from what the struct `I` reads of the planned value. An input that is unknown makes it
    /// unknown, and the function may say so itself. It is derived for a new resource and whenever a setting changed,
    /// and otherwise kept as it is in state, so that a release that words it differently plans nothing.
    #[must_use]
    pub fn pure<I: DeserializeOwned + 'static>(
        self,
        name: &str,
        attribute: Attribute,
        function: impl Fn(&D, I) -> Value + Send + Sync + 'static,
    ) -> Self {
        let pure = move |data: &D, planned: &Value| match planned.decode::<I>() {
            Ok(inputs) => Ok(function(data, inputs)),
            Err(error) if error.is_unknown() => Ok(Value::Unknown),
            Err(error) => Err(error),
        };
        self.entry(name, attribute, Class::Pure(Arc::new(pure)))
    }

    /// The same, by a function that looks at the whole planned value and says itself what is unknown.
    #[must_use]
    pub fn derived(
        self,
        name: &str,
        attribute: Attribute,
        function: impl Fn(&D, &Value) -> Value + Send + Sync + 'static,
    ) -> Self {
        let pure = move |data: &D, planned: &Value| Ok(function(data, planned));
        self.entry(name, attribute, Class::Pure(Arc::new(pure)))
    }

    /// Computed: set by create, update and read. Unknown in a plan that creates or updates, else kept.
    #[must_use]
    pub fn observed(self, name: &str, attribute: Attribute) -> Self {
        self.entry(name, attribute, Class::Observed)
    }

    /// Like an observed attribute, but planned as `planned`. Where state holds something else (null does not count: it
    /// says that nothing was seen), the plan becomes an update.
    #[must_use]
    pub fn drift(self, name: &str, attribute: Attribute, planned: impl Into<Value>) -> Self {
        self.entry(name, attribute, Class::Drift(planned.into()))
    }

    /// What a data source or an ephemeral resource gives.
    #[must_use]
    pub fn computed(self, name: &str, attribute: Attribute) -> Self {
        self.entry(name, attribute, Class::Computed)
    }

    /// The usual `timeouts` block, for these operations with these defaults (`create`, `read`, `update`, `delete`;
    /// durations such as `20m`). When the time is over the call's token is cancelled, and its end is waited for.
    #[must_use]
    pub fn timeouts(mut self, defaults: &[(&'static str, &'static str)]) -> Self {
        let attribute = |&(operation, default): &(&'static str, &'static str)| {
            let doc = format!("How long {operation} may take, such as `90s` or `1h 30m`. Default: `{default}`.");
            (operation, string().local().check(check_duration).doc(doc))
        };
        let block = Block::new(defaults.iter().map(attribute));
        self.timeouts = defaults.to_vec();
        self.block(TIMEOUTS, "How long operations may take.", block)
    }

    /// The time an operation may take, with the timeouts written in `value`.
    pub(super) fn timeout(&self, operation: &str, value: &Value) -> Option<Duration> {
        let (_, default) = self.timeouts.iter().find(|(name, _)| *name == operation)?;
        let written = value.attribute(TIMEOUTS).attribute(operation).as_str();
        written
            .and_then(|text| humantime::parse_duration(text).ok())
            .or_else(|| humantime::parse_duration(default).ok())
    }

    /// The type of the whole.
    pub fn ty(&self) -> Type {
        Type::object(self.entries.iter().map(|entry| (entry.name.clone(), entry.attribute.ty())))
    }
}

pub(super) const TIMEOUTS: &str = "timeouts";

/// The summary of every error about stored state.
pub(super) const UNREADABLE: &str = "The state cannot be read";

fn check_duration(value: &Value) -> Result<(), String> {
    let text = value.as_str().unwrap_or_default();
    match humantime::parse_duration(text) {
        Ok(duration) if duration.is_zero() => Err("It must be longer than nothing.".to_owned()),
        Ok(_) => Ok(()),
        Err(error) => Err(format!("`{text}` is not a duration such as `90s`, `20m` or `1h 30m`: {error}.")),
    }
}
