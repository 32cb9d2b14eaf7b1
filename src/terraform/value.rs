//! Terraform's values.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use serde::de::DeserializeOwned;

use super::{Attr, DecodeError, Diagnostic, Number, Path, Step, Type, clean, on_one_line};

/// A value of any of Terraform's types.
///
/// It does not know its type in full: a list, a set and a tuple look alike, as do a map and an object. Where that
/// matters a [`Type`] stands beside it; [`Type::same`] compares values with sets in them.
#[derive(Clone, Default, PartialEq)]
pub enum Value {
    /// Left out.
    #[default]
    Null,
    /// Known only after apply.
    Unknown,
    /// True or false.
    Bool(bool),
    /// A number of any size.
    Number(Number),
    /// Text.
    String(String),
    /// A list, set or tuple.
    List(Vec<Value>),
    /// A map, object or block.
    Map(BTreeMap<String, Value>),
    /// A value where any type may stand, with the type it has. Such values may be large, and are handed on as they are.
    Dynamic(Arc<(Type, Value)>),
}

static NULL: Value = Value::Null;
static UNKNOWN: Value = Value::Unknown;

impl Value {
    /// An object or block.
    pub fn object<const N: usize>(attributes: [(&str, Value); N]) -> Self {
        Value::Map(attributes.into_iter().map(|(name, value)| (name.to_owned(), value)).collect())
    }

    /// With those attributes of any type that the other one has as well, so that what is large is in memory once.
    #[must_use]
    pub(super) fn sharing(mut self, other: &Value) -> Value {
        if let (Value::Map(ours), Value::Map(theirs)) = (&mut self, other) {
            for (name, ours) in ours {
                match (&*ours, theirs.get(name)) {
                    (Value::Dynamic(a), Some(Value::Dynamic(b))) if a == b => *ours = Value::Dynamic(Arc::clone(b)),
                    _ => {}
                }
            }
        }
        self
    }

    /// The value at a path such as `service_user.name`. Below null, and where nothing is, it is null; below an unknown
    /// it is unknown.
    pub fn at(&self, path: &str) -> &Value {
        // A thousand resources ask for a dozen attributes each: names alone need no path to be made of them.
        if path.contains('[') {
            return self.at_path(&Path::from(path));
        }
        path.split('.').filter(|name| !name.is_empty()).fold(self, Value::attribute)
    }

    /// As [`Value::at`].
    pub fn at_path(&self, path: &Path) -> &Value {
        path.steps().iter().fold(self, |value, step| value.step(step))
    }

    fn step(&self, step: &Step) -> &Value {
        match (self, step) {
            (Value::Unknown, _) => &UNKNOWN,
            (Value::Dynamic(inner), step) => inner.1.step(step),
            (Value::Map(map), Step::Attribute(name) | Step::Key(name)) => map.get(name).unwrap_or(&NULL),
            (Value::List(items), Step::Index(index)) => items.get(*index).unwrap_or(&NULL),
            _ => &NULL,
        }
    }

    /// An attribute of an object or block; null where there is none.
    pub fn attribute(&self, name: &str) -> &Value {
        match self {
            Value::Map(map) => map.get(name).unwrap_or(&NULL),
            Value::Unknown => &UNKNOWN,
            Value::Dynamic(inner) => inner.1.attribute(name),
            _ => &NULL,
        }
    }

    /// What is at a path, read as a `T`. It is unknown as soon as a part that `T` reads is. A value of another type is
    /// an error on that attribute.
    pub fn get<T: DeserializeOwned>(&self, path: &str) -> Result<Attr<T>, Diagnostic> {
        let base = Path::from(path);
        let value = self.at_path(&base);
        if value.is_null() {
            return Ok(Attr::Null);
        }
        match value.decode() {
            Ok(known) => Ok(Attr::Known(known)),
            Err(error) if error.is_unknown() => Ok(Attr::Unknown),
            Err(error) => Err(error.below(&base).into()),
        }
    }

    /// Puts a value at a path. Objects on the way that are null or unknown are made.
    pub fn set(&mut self, path: &str, value: impl Into<Value>) {
        let mut here = self;
        for step in Path::from(path).steps() {
            here = match step {
                Step::Attribute(name) | Step::Key(name) => {
                    if !matches!(here, Value::Map(_)) {
                        *here = Value::Map(BTreeMap::new());
                    }
                    let Value::Map(map) = here else { return };
                    map.entry(name.clone()).or_default()
                }
                Step::Index(index) => {
                    if !matches!(here, Value::List(_)) {
                        *here = Value::List(Vec::new());
                    }
                    let Value::List(items) = here else { return };
                    if items.len() <= *index {
                        items.resize(*index + 1, Value::Null);
                    }
                    &mut items[*index]
                }
            };
        }
        *here = value.into();
    }

    /// Reads the value as a `T`, which takes what it wants and ignores the rest. The error names the path, and says
    /// whether the reason was a value that is not known yet.
    pub fn decode<T: DeserializeOwned>(&self) -> Result<T, DecodeError> {
        super::decode::decode(self)
    }

    /// Whether it is null.
    pub fn is_null(&self) -> bool {
        match self {
            Value::Null => true,
            Value::Dynamic(inner) => inner.1.is_null(),
            _ => false,
        }
    }

    /// Whether it is unknown as a whole.
    pub fn is_unknown(&self) -> bool {
        match self {
            Value::Unknown => true,
            Value::Dynamic(inner) => inner.1.is_unknown(),
            _ => false,
        }
    }

    /// Whether nothing in it is unknown.
    pub fn is_wholly_known(&self) -> bool {
        match self {
            Value::Unknown => false,
            Value::List(items) => items.iter().all(Value::is_wholly_known),
            Value::Map(map) => map.values().all(Value::is_wholly_known),
            Value::Dynamic(inner) => inner.1.is_wholly_known(),
            _ => true,
        }
    }

    /// The same with null for everything that is unknown.
    #[must_use]
    pub fn unknown_to_null(self) -> Value {
        match self {
            Value::Unknown => Value::Null,
            Value::List(items) => items.into_iter().map(Value::unknown_to_null).collect(),
            Value::Map(map) => Value::Map(map.into_iter().map(|(k, v)| (k, v.unknown_to_null())).collect()),
            Value::Dynamic(inner) if inner.1.is_wholly_known() && !inner.1.is_null() => Value::Dynamic(inner),
            Value::Dynamic(inner) => {
                let (ty, value) = Arc::unwrap_or_clone(inner);
                match value.unknown_to_null() {
                    Value::Null => Value::Null,
                    value => Value::Dynamic(Arc::new((ty, value))),
                }
            }
            value => value,
        }
    }

    /// The same as people may see it: nothing in it acts on a terminal, and each text of a list is one line.
    #[must_use]
    pub(super) fn told(self) -> Value {
        match self {
            Value::String(text) => Value::String(clean(text)),
            Value::List(items) => items.into_iter().map(Value::told_in_list).collect(),
            Value::Map(map) => Value::Map(map.into_iter().map(|(k, v)| (k, v.told())).collect()),
            value => value,
        }
    }

    fn told_in_list(self) -> Value {
        match self {
            Value::String(text) => Value::String(on_one_line(text)),
            value => value.told(),
        }
    }

    /// The text, if it is a known string.
    pub fn as_str(&self) -> Option<&str> {
        match self {
            Value::String(text) => Some(text),
            Value::Dynamic(inner) => inner.1.as_str(),
            _ => None,
        }
    }

    /// The number, if it is a known number.
    pub fn as_number(&self) -> Option<&Number> {
        match self {
            Value::Number(number) => Some(number),
            Value::Dynamic(inner) => inner.1.as_number(),
            _ => None,
        }
    }

    /// True or false, if it is known.
    pub fn as_bool(&self) -> Option<bool> {
        match self {
            Value::Bool(value) => Some(*value),
            Value::Dynamic(inner) => inner.1.as_bool(),
            _ => None,
        }
    }

    /// Puts a value at a path of a value whose type is known: an object on the way that is null becomes one of nulls,
    /// an unknown one becomes one of unknowns, and the new value is fitted to its type.
    pub(super) fn set_typed(&mut self, ty: &Type, path: &Path, value: Value) -> Result<(), super::TypeError> {
        let (mut here, mut ty, mut walked) = (self, ty, Path::root());
        for step in path.steps() {
            let wrong = |walked: &Path| super::TypeError::new(walked, format!("there is no `{path}`"));
            let below = ty.step(step).ok_or_else(|| wrong(&walked))?;
            here = match (ty, step) {
                (Type::Object { fields, .. }, Step::Attribute(name) | Step::Key(name)) => {
                    if !matches!(here, Value::Map(_)) {
                        let rest = if here.is_unknown() { Value::Unknown } else { Value::Null };
                        *here = Value::Map(fields.keys().map(|name| (name.clone(), rest.clone())).collect());
                    }
                    let Value::Map(map) = here else { return Err(wrong(&walked)) };
                    map.entry(name.clone()).or_default()
                }
                (Type::Map(_), Step::Attribute(name) | Step::Key(name)) => {
                    if !matches!(here, Value::Map(_)) {
                        *here = Value::Map(BTreeMap::new());
                    }
                    let Value::Map(map) = here else { return Err(wrong(&walked)) };
                    map.entry(name.clone()).or_default()
                }
                (_, Step::Index(index)) => match here {
                    Value::List(items) => items.get_mut(*index).ok_or_else(|| wrong(&walked))?,
                    _ => return Err(wrong(&walked)),
                },
                _ => return Err(wrong(&walked)),
            };
            ty = below;
            walked.push(step.clone());
        }
        *here = ty.fit(value).map_err(|error| super::TypeError::new(&path.join(&error.path), error.message))?;
        Ok(())
    }
}

/// For tests and debugging; it shows everything, secrets too.
impl fmt::Debug for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Value::Null => f.write_str("null"),
            Value::Unknown => f.write_str("unknown"),
            Value::Bool(value) => value.fmt(f),
            Value::Number(value) => value.fmt(f),
            Value::String(value) => value.fmt(f),
            Value::List(items) => items.fmt(f),
            Value::Map(map) => map.fmt(f),
            Value::Dynamic(inner) => inner.1.fmt(f),
        }
    }
}

impl FromIterator<Value> for Value {
    fn from_iter<I: IntoIterator<Item = Value>>(items: I) -> Self {
        Value::List(items.into_iter().collect())
    }
}

impl From<&str> for Value {
    fn from(text: &str) -> Self {
        Value::String(text.to_owned())
    }
}

impl From<String> for Value {
    fn from(text: String) -> Self {
        Value::String(text)
    }
}

impl From<&String> for Value {
    fn from(text: &String) -> Self {
        Value::String(text.clone())
    }
}

impl From<bool> for Value {
    fn from(value: bool) -> Self {
        Value::Bool(value)
    }
}

impl From<Number> for Value {
    fn from(value: Number) -> Self {
        Value::Number(value)
    }
}

macro_rules! from_integers {
    ($($small:ty => $wide:ty),*) => {$(
        impl From<$small> for Value {
            fn from(value: $small) -> Self {
                Value::Number(Number::from(<$wide>::from(value)))
            }
        }
    )*};
}

from_integers!(i32 => i64, i64 => i64, u8 => u64, u16 => u64, u32 => u64, u64 => u64);

impl From<usize> for Value {
    fn from(value: usize) -> Self {
        Value::from(value as u64)
    }
}

/// The shortest decimal that names this double (`0.1` is a tenth); null for NaN.
impl From<f64> for Value {
    fn from(value: f64) -> Self {
        value.to_string().parse().map_or(Value::Null, Value::Number)
    }
}

impl<T: Into<Value>> From<Option<T>> for Value {
    fn from(value: Option<T>) -> Self {
        value.map_or(Value::Null, Into::into)
    }
}

impl<T: Into<Value>> From<Attr<T>> for Value {
    fn from(value: Attr<T>) -> Self {
        match value {
            Attr::Null => Value::Null,
            Attr::Unknown => Value::Unknown,
            Attr::Known(value) => value.into(),
        }
    }
}

impl<T: Into<Value>> From<Vec<T>> for Value {
    fn from(items: Vec<T>) -> Self {
        items.into_iter().map(Into::into).collect()
    }
}

impl<T: Into<Value>> From<BTreeMap<String, T>> for Value {
    fn from(map: BTreeMap<String, T>) -> Self {
        Value::Map(map.into_iter().map(|(key, value)| (key, value.into())).collect())
    }
}

impl<const N: usize> From<[(&str, Value); N]> for Value {
    fn from(attributes: [(&str, Value); N]) -> Self {
        Value::object(attributes)
    }
}
