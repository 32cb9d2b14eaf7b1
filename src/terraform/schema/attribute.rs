//! Attributes: what they hold, and what is said about them.

use std::fmt;
use std::sync::Arc;

use super::super::{Number, Type, Value, on_one_line};
use super::block::Items;
use super::shape::Shape;

/// An attribute of a schema, of a block, or of an object. Optional unless [`Attribute::required`] is called.
#[derive(Clone, Debug)]
pub struct Attribute {
    pub(in crate::terraform) kind: Kind,
    pub(in crate::terraform) block: Option<Items>,
    pub(in crate::terraform) required: bool,
    pub(in crate::terraform) default: Option<Value>,
    pub(in crate::terraform) sensitive: bool,
    pub(in crate::terraform) write_only: bool,
    pub(in crate::terraform) holds_secret: bool,
    pub(in crate::terraform) decoy: bool,
    pub(in crate::terraform) local: bool,
    pub(in crate::terraform) replaces: Replaces,
    pub(in crate::terraform) deprecated: Option<String>,
    pub(in crate::terraform) doc: String,
    pub(in crate::terraform) checks: Vec<Check>,
    pub(in crate::terraform) shape: Option<Shape>,
    pub(in crate::terraform) conflicts_with: Vec<String>,
    pub(in crate::terraform) required_with: Vec<String>,
}

/// What an attribute holds.
#[derive(Clone, Debug)]
pub(in crate::terraform) enum Kind {
    /// A value of a type.
    Plain(Type),
    /// Attributes of its own, once or many times.
    Nested(Nesting, Vec<(String, Attribute)>),
}

/// How nested attributes are repeated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Nesting {
    /// Once.
    Single,
    /// Any number of times, in order.
    List,
    /// Any number of times, without order.
    Set,
    /// Any number of times, each with a key.
    Map,
}

/// Whether a change of the attribute replaces the resource.
#[derive(Clone)]
pub(in crate::terraform) enum Replaces {
    No,
    Always,
    If(Decide),
}

/// Gets the prior and the planned value.
pub(in crate::terraform) type Decide = Arc<dyn Fn(&Value, &Value) -> bool + Send + Sync>;

impl fmt::Debug for Replaces {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Replaces::No => "No",
            Replaces::Always => "Always",
            Replaces::If(_) => "If",
        })
    }
}

/// A rule for known values.
#[derive(Clone)]
pub(in crate::terraform) enum Check {
    OneOf(Vec<String>),
    MaxLength(usize),
    Between(i64, i64),
    Own(OwnCheck),
}

pub(in crate::terraform) type OwnCheck = Arc<dyn Fn(&Value) -> Result<(), String> + Send + Sync>;

impl fmt::Debug for Check {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Check::OneOf(values) => write!(f, "OneOf({values:?})"),
            Check::MaxLength(n) => write!(f, "MaxLength({n})"),
            Check::Between(low, high) => write!(f, "Between({low}, {high})"),
            Check::Own(_) => f.write_str("Own"),
        }
    }
}

impl Check {
    /// What the value breaks, or nothing. The text repeats the value only if `repeat`.
    pub(in crate::terraform) fn broken_by(&self, value: &Value, repeat: bool) -> Option<String> {
        match (self, value) {
            (Check::OneOf(allowed), Value::String(text)) if !allowed.contains(text) => {
                let allowed = allowed.iter().map(|value| format!("`{value}`")).collect::<Vec<_>>().join(", ");
                let given = if repeat { format!(", not `{}`", on_one_line(text.clone())) } else { String::new() };
                Some(format!("It must be one of {allowed}{given}."))
            }
            (Check::MaxLength(longest), Value::String(text)) if text.chars().count() > *longest => {
                Some(format!("It has {} characters, and may have at most {longest}.", text.chars().count()))
            }
            (Check::Between(low, high), Value::Number(number)) if !within(number, *low, *high) => {
                let given = if repeat { format!(", not {number}") } else { String::new() };
                Some(format!("It must be a whole number between {low} and {high}{given}."))
            }
            (Check::Own(check), value) => check(value).err(),
            (Check::OneOf(_) | Check::MaxLength(_) | Check::Between(..), Value::List(items)) => {
                items.iter().find_map(|item| self.broken_by(item, repeat))
            }
            (Check::OneOf(_) | Check::MaxLength(_) | Check::Between(..), Value::Map(map)) => {
                map.values().find_map(|item| self.broken_by(item, repeat))
            }
            _ => None,
        }
    }
}

/// The largest whole number that Terraform's own JSON keeps exactly everywhere.
const WHOLE: i64 = (1 << 53) - 1;

fn within(number: &Number, low: i64, high: i64) -> bool {
    match number.as_i64() {
        Some(value) => (low..=high).contains(&value),
        None => false,
    }
}

impl Attribute {
    fn new(kind: Kind) -> Self {
        Attribute {
            kind,
            block: None,
            required: false,
            default: None,
            sensitive: false,
            write_only: false,
            holds_secret: false,
            decoy: false,
            local: false,
            replaces: Replaces::No,
            deprecated: None,
            doc: String::new(),
            checks: Vec::new(),
            shape: None,
            conflicts_with: Vec::new(),
            required_with: Vec::new(),
        }
    }

    /// A block, which is an attribute that Terraform reads in another syntax.
    pub(super) fn block(items: Items, attributes: Vec<(String, Attribute)>) -> Self {
        let nesting = if items.repeated { Nesting::List } else { Nesting::Single };
        Attribute { block: Some(items), required: items.least > 0, ..Attribute::new(Kind::Nested(nesting, attributes)) }
    }

    /// It must be written.
    #[must_use]
    pub fn required(self) -> Self {
        Attribute { required: true, ..self }
    }

    /// What it is when it is left out.
    #[must_use]
    pub fn default(self, value: impl Into<Value>) -> Self {
        Attribute { default: Some(value.into()), ..self }
    }

    /// Terraform hides it in what it prints.
    #[must_use]
    pub fn sensitive(self) -> Self {
        Attribute { sensitive: true, ..self }
    }

    /// It reaches create and update and is never stored (Terraform 1.11 and later). Sensitive too: without that,
    /// an older Terraform prints it when it refuses the plan.
    #[must_use]
    pub fn write_only(self) -> Self {
        Attribute { write_only: true, sensitive: true, ..self }
    }

    /// It is declared to be refused, in words, by whoever checks the configuration: what people write in the wrong place.
    /// It never gets as far as a plan, so it needs no mark that would hide everything which holds it. `write_only` where
    /// the place can have that: then it takes ephemeral values, too.
    #[must_use]
    pub fn refused(self, write_only: bool) -> Self {
        Attribute { write_only, holds_secret: true, decoy: true, ..self }
    }

    /// A change makes a new resource in place of the old one.
    #[must_use]
    pub fn replaces(self) -> Self {
        Attribute { replaces: Replaces::Always, ..self }
    }

    /// A change makes a new resource if the function, which gets the prior and the planned value, says so. The planned
    /// value may be unknown.
    #[must_use]
    pub fn replaces_if(self, decide: impl Fn(&Value, &Value) -> bool + Send + Sync + 'static) -> Self {
        Attribute { replaces: Replaces::If(Arc::new(decide)), ..self }
    }

    /// Whoever writes it is warned with this text.
    #[must_use]
    pub fn deprecated(self, message: impl Into<String>) -> Self {
        Attribute { deprecated: Some(message.into()), ..self }
    }

    /// What it means, in Markdown.
    #[must_use]
    pub fn doc(self, markdown: impl Into<String>) -> Self {
        Attribute { doc: markdown.into(), ..self }
    }

    /// It concerns nothing outside Terraform, so it is saved even when the rest of an update fails.
    #[must_use]
    pub fn local(self) -> Self {
        Attribute { local: true, ..self }
    }

    /// It is one of these strings; for a collection, each of its elements is.
    #[must_use]
    pub fn one_of(mut self, values: &[&str]) -> Self {
        self.checks.push(Check::OneOf(values.iter().map(|&value| value.to_owned()).collect()));
        self
    }

    /// It has at most so many characters; for a collection, each of its elements has.
    #[must_use]
    pub fn max_length(mut self, characters: usize) -> Self {
        self.checks.push(Check::MaxLength(characters));
        self
    }

    /// It is at least `low` and at most `high`; for a collection, each of its elements is.
    #[must_use]
    pub fn between(mut self, low: i64, high: i64) -> Self {
        self.checks.push(Check::Between(low, high));
        self
    }

    /// It has no fraction, and is no larger than what is counted with.
    #[must_use]
    pub fn whole(self) -> Self {
        self.between(-WHOLE, WHOLE)
    }

    /// It cannot be written together with any of these, which are attributes or blocks beside it, or paths below one
    /// of those.
    #[must_use]
    pub fn conflicts_with(mut self, beside: &[&str]) -> Self {
        self.conflicts_with.extend(beside.iter().map(|&name| name.to_owned()));
        self
    }

    /// It can only be written together with all of these; see [`Attribute::conflicts_with`] for their form.
    #[must_use]
    pub fn required_with(mut self, beside: &[&str]) -> Self {
        self.required_with.extend(beside.iter().map(|&name| name.to_owned()));
        self
    }

    /// A rule of its own. It is asked only about known values that are not null; the error's text becomes the detail
    /// of the diagnostic.
    #[must_use]
    pub fn check(mut self, check: impl Fn(&Value) -> Result<(), String> + Send + Sync + 'static) -> Self {
        self.checks.push(Check::Own(Arc::new(check)));
        self
    }

    /// What is in a value of any type: its names and types are checked as in a block, and errors name their place.
    #[must_use]
    pub fn shaped(self, shape: Shape) -> Self {
        Attribute { shape: Some(shape), ..self }
    }

    /// It may hold a secret: diagnostics about it carry no path, for Terraform would print the line, and name the
    /// attribute in words. Sensitive and write-only attributes are treated like that anyway.
    #[must_use]
    pub fn holds_secret(self) -> Self {
        Attribute { holds_secret: true, ..self }
    }

    /// The strings it may be, if only some are possible.
    pub(in crate::terraform) fn allowed(&self) -> Vec<String> {
        let mut lists = self.checks.iter().filter_map(|check| match check {
            Check::OneOf(values) => Some(values.clone()),
            _ => None,
        });
        lists.next().unwrap_or_default()
    }

    /// Whether a diagnostic about it must not show its line.
    pub(in crate::terraform) fn is_secret(&self) -> bool {
        self.holds_secret || self.sensitive || self.write_only
    }

    pub(in crate::terraform) fn children(&self) -> &[(String, Attribute)] {
        match &self.kind {
            Kind::Nested(_, children) => children,
            Kind::Plain(_) => &[],
        }
    }

    pub(in crate::terraform) fn ty(&self) -> Type {
        match &self.kind {
            Kind::Plain(ty) => ty.clone(),
            Kind::Nested(nesting, children) => {
                let object = Type::object(children.iter().map(|(name, child)| (name.clone(), child.ty())));
                match nesting {
                    Nesting::Single => object,
                    Nesting::List => Type::list(object),
                    Nesting::Set => Type::set(object),
                    Nesting::Map => Type::map(object),
                }
            }
        }
    }
}

fn nested<const N: usize>(nesting: Nesting, attributes: [(&str, Attribute); N]) -> Attribute {
    Attribute::new(Kind::Nested(nesting, named(attributes)))
}

pub(in crate::terraform) fn named<'a>(
    attributes: impl IntoIterator<Item = (&'a str, Attribute)>,
) -> Vec<(String, Attribute)> {
    attributes.into_iter().map(|(name, attribute)| (name.to_owned(), attribute)).collect()
}

/// A string.
pub fn string() -> Attribute {
    Attribute::new(Kind::Plain(Type::String))
}

/// A number.
pub fn number() -> Attribute {
    Attribute::new(Kind::Plain(Type::Number))
}

/// True or false.
pub fn boolean() -> Attribute {
    Attribute::new(Kind::Plain(Type::Bool))
}

/// A value of any type.
pub fn dynamic() -> Attribute {
    Attribute::new(Kind::Plain(Type::Dynamic))
}

/// A list of what the attribute given holds.
pub fn list(element: Attribute) -> Attribute {
    Attribute::new(Kind::Plain(Type::list(element.ty())))
}

/// A set of what the attribute given holds.
pub fn set(element: Attribute) -> Attribute {
    Attribute::new(Kind::Plain(Type::set(element.ty())))
}

/// A map of what the attribute given holds.
pub fn map(element: Attribute) -> Attribute {
    Attribute::new(Kind::Plain(Type::map(element.ty())))
}

/// One object with documented attributes.
pub fn object<const N: usize>(attributes: [(&str, Attribute); N]) -> Attribute {
    nested(Nesting::Single, attributes)
}

/// A list of objects with documented attributes.
pub fn list_of<const N: usize>(attributes: [(&str, Attribute); N]) -> Attribute {
    nested(Nesting::List, attributes)
}

/// A set of objects with documented attributes.
pub fn set_of<const N: usize>(attributes: [(&str, Attribute); N]) -> Attribute {
    nested(Nesting::Set, attributes)
}

/// A map of objects with documented attributes.
pub fn map_of<const N: usize>(attributes: [(&str, Attribute); N]) -> Attribute {
    nested(Nesting::Map, attributes)
}
