//! Reads a [`Value`] into a Rust type, knowing at each point where it is.
//!
//! Models cannot use `#[serde(flatten)]`: serde then reads through a buffer of its own in which places, unknown values
//! and large numbers are lost. Read the same value twice instead, into two structs.

use std::collections::btree_map;
use std::fmt;

use serde::de::value::StrDeserializer;
use serde::de::{self, DeserializeOwned, DeserializeSeed, Deserializer, IntoDeserializer, MapAccess, Visitor};

use super::number::Wire;
use super::{Diagnostic, Diagnostics, Number, Path, Step, Value, attr};

/// A value could not be read into a Rust type.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DecodeError {
    path: Path,
    unknown: bool,
    message: String,
}

impl DecodeError {
    /// Whether the reason is that the value is known only after apply.
    pub fn is_unknown(&self) -> bool {
        self.unknown
    }

    /// Where in the value that was read.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// What is wrong.
    pub fn message(&self) -> &str {
        &self.message
    }

    /// The same error when the value that was read is itself at `base`.
    #[must_use]
    pub fn below(self, base: &Path) -> Self {
        DecodeError { path: base.join(&self.path), ..self }
    }

    fn at(mut self, path: &Path) -> Self {
        if self.path.is_root() {
            self.path = path.clone();
        }
        self
    }
}

impl fmt::Display for DecodeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.path.is_root() { f.write_str(&self.message) } else { write!(f, "{} @ {}", self.message, self.path) }
    }
}

impl std::error::Error for DecodeError {}

impl de::Error for DecodeError {
    fn custom<T: fmt::Display>(message: T) -> Self {
        DecodeError { path: Path::root(), unknown: false, message: message.to_string() }
    }

    /// Without the value, which may be a secret.
    fn invalid_type(unexpected: de::Unexpected<'_>, expected: &dyn de::Expected) -> Self {
        let kind = match unexpected {
            de::Unexpected::Bool(_) => "true or false",
            de::Unexpected::Unsigned(_) | de::Unexpected::Signed(_) => "an integer",
            de::Unexpected::Float(_) => "a number with a fraction",
            de::Unexpected::Str(_) => "a string",
            de::Unexpected::Unit | de::Unexpected::Option => "null",
            de::Unexpected::Seq => "a list",
            de::Unexpected::Map => "an object",
            _ => "something else",
        };
        Self::custom(format_args!("{kind} was given, {expected} is needed"))
    }

    fn invalid_value(_: de::Unexpected<'_>, expected: &dyn de::Expected) -> Self {
        Self::custom(format_args!("the value is not possible here, {expected} is needed"))
    }
}

impl From<DecodeError> for Diagnostic {
    fn from(error: DecodeError) -> Self {
        let summary = if error.unknown { "The value is not known yet" } else { "The value has the wrong form" };
        Diagnostic::error(summary, error.message).at(&error.path)
    }
}

impl From<DecodeError> for Diagnostics {
    fn from(error: DecodeError) -> Self {
        Diagnostic::from(error).into()
    }
}

pub(super) fn decode<T: DeserializeOwned>(value: &Value) -> Result<T, DecodeError> {
    let path = Path::root();
    T::deserialize(Reader { value, path: &path }).map_err(|error| error.at(&path))
}

#[derive(Clone, Copy)]
struct Reader<'a> {
    value: &'a Value,
    path: &'a Path,
}

/// What a [`Value`] and a [`Number`] inside a model are known by.
const VALUE: &str = "$terraform::Value";
const NUMBER: &str = "$terraform::Number";

impl<'a> Reader<'a> {
    /// The value itself where it is wrapped as dynamic.
    fn inner(self) -> Self {
        match self.value {
            Value::Dynamic(inner) => Reader { value: &inner.1, ..self },
            _ => self,
        }
    }

    fn not_known<T>(self) -> Result<T, DecodeError> {
        Err(DecodeError { path: self.path.clone(), unknown: true, message: attr::NOT_KNOWN.to_owned() })
    }

    fn visit<'de, V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, DecodeError> {
        match self.value {
            Value::Null => visitor.visit_unit(),
            Value::Unknown => self.not_known(),
            Value::Bool(value) => visitor.visit_bool(*value),
            Value::Number(number) => visit_number(number, visitor),
            Value::String(text) => visitor.visit_str(text),
            Value::List(items) => visitor.visit_seq(Items { items: items.iter(), index: 0, path: self.path }),
            Value::Map(map) => visitor.visit_map(Entries { entries: map.iter(), value: None, path: self.path }),
            Value::Dynamic(inner) => Reader { value: &inner.1, ..self }.visit(visitor),
        }
        .map_err(|error| error.at(self.path))
    }
}

fn visit_number<'de, V: Visitor<'de>>(number: &Number, visitor: V) -> Result<V::Value, DecodeError> {
    match (number.wire(), number.as_u64()) {
        (Wire::Int(value), _) => visitor.visit_i64(value),
        (_, Some(value)) => visitor.visit_u64(value),
        (Wire::Float(value), None) => visitor.visit_f64(value),
        (Wire::Text(_), None) => visitor.visit_f64(number.as_f64()),
    }
}

impl<'de> Deserializer<'de> for Reader<'_> {
    type Error = DecodeError;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, DecodeError> {
        self.visit(visitor)
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, DecodeError> {
        match self.inner().value {
            Value::Null => visitor.visit_none(),
            Value::Unknown => self.not_known(),
            _ => visitor.visit_some(self),
        }
        .map_err(|error: DecodeError| error.at(self.path))
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(self, name: &str, visitor: V) -> Result<V::Value, DecodeError> {
        let inner = self.inner();
        match (name, inner.value) {
            (attr::TOKEN, Value::Null) => visitor.visit_unit(),
            (attr::TOKEN, Value::Unknown) => visitor.visit_none(),
            (NUMBER, Value::Number(number)) => visitor.visit_str(&number.to_string()),
            (VALUE, Value::Unknown) => visitor.visit_none(),
            (VALUE, Value::Number(number)) => {
                visitor.visit_newtype_struct(StrDeserializer::<DecodeError>::new(&number.to_string()))
            }
            (NUMBER | VALUE, _) => inner.visit(visitor),
            _ => visitor.visit_newtype_struct(self),
        }
        .map_err(|error| error.at(self.path))
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, DecodeError> {
        match self.inner().value {
            Value::String(text) => {
                visitor.visit_enum(IntoDeserializer::<DecodeError>::into_deserializer(text.as_str()))
            }
            Value::Unknown => self.not_known(),
            _ => Err(de::Error::custom("a string is needed")),
        }
        .map_err(|error: DecodeError| error.at(self.path))
    }

    /// What the model has no field for may be anything, unknown too.
    fn deserialize_ignored_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, DecodeError> {
        visitor.visit_unit()
    }

    serde::forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf unit unit_struct seq tuple
        tuple_struct map struct identifier
    }
}

struct Items<'a> {
    items: std::slice::Iter<'a, Value>,
    index: usize,
    path: &'a Path,
}

impl<'de> de::SeqAccess<'de> for Items<'_> {
    type Error = DecodeError;

    fn next_element_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<Option<T::Value>, DecodeError> {
        let Some(value) = self.items.next() else { return Ok(None) };
        let mut path = self.path.clone();
        path.push(Step::Index(self.index));
        self.index += 1;
        seed.deserialize(Reader { value, path: &path }).map(Some).map_err(|error| error.at(&path))
    }

    fn size_hint(&self) -> Option<usize> {
        Some(self.items.len())
    }
}

struct Entries<'a> {
    entries: btree_map::Iter<'a, String, Value>,
    value: Option<(&'a String, &'a Value)>,
    path: &'a Path,
}

impl<'de> MapAccess<'de> for Entries<'_> {
    type Error = DecodeError;

    fn next_key_seed<K: DeserializeSeed<'de>>(&mut self, seed: K) -> Result<Option<K::Value>, DecodeError> {
        self.value = self.entries.next();
        match self.value {
            Some((name, _)) => seed.deserialize(StrDeserializer::new(name)).map(Some),
            None => Ok(None),
        }
    }

    fn next_value_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<T::Value, DecodeError> {
        let Some((name, value)) = self.value.take() else { return Err(de::Error::custom("a value without a name")) };
        let path = self.path.attribute(name.as_str());
        seed.deserialize(Reader { value, path: &path }).map_err(|error| error.at(&path))
    }

    fn size_hint(&self) -> Option<usize> {
        Some(self.entries.len())
    }
}

impl<'de> de::Deserialize<'de> for Number {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct NumberVisitor;

        impl Visitor<'_> for NumberVisitor {
            type Value = Number;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a number")
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<Number, E> {
                text.parse().map_err(E::custom)
            }
        }

        deserializer.deserialize_newtype_struct(NUMBER, NumberVisitor)
    }
}

/// A model may hold any part of a value as it is, with what is null or unknown in it.
impl<'de> de::Deserialize<'de> for Value {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct ValueVisitor;

        impl<'de> Visitor<'de> for ValueVisitor {
            type Value = Value;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a Terraform value")
            }

            fn visit_unit<E: de::Error>(self) -> Result<Value, E> {
                Ok(Value::Null)
            }

            fn visit_none<E: de::Error>(self) -> Result<Value, E> {
                Ok(Value::Unknown)
            }

            fn visit_bool<E: de::Error>(self, value: bool) -> Result<Value, E> {
                Ok(value.into())
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<Value, E> {
                Ok(text.into())
            }

            fn visit_newtype_struct<D: Deserializer<'de>>(self, digits: D) -> Result<Value, D::Error> {
                let digits = <String as de::Deserialize>::deserialize(digits)?;
                digits.parse().map(Value::Number).map_err(de::Error::custom)
            }

            fn visit_seq<A: de::SeqAccess<'de>>(self, mut items: A) -> Result<Value, A::Error> {
                let mut list = Vec::new();
                while let Some(item) = items.next_element()? {
                    list.push(item);
                }
                Ok(Value::List(list))
            }

            fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Value, A::Error> {
                let mut map = std::collections::BTreeMap::new();
                while let Some((name, value)) = entries.next_entry()? {
                    map.insert(name, value);
                }
                Ok(Value::Map(map))
            }
        }

        deserializer.deserialize_newtype_struct(VALUE, ValueVisitor)
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Attr, Type};
    use super::*;
    use serde::Deserialize;

    #[derive(Deserialize, Debug, PartialEq)]
    struct Settings {
        host: String,
        port: u16,
        owners: Option<Vec<String>>,
        #[serde(default)]
        user: Attr<User>,
    }

    #[derive(Deserialize, Debug, PartialEq)]
    struct User {
        name: String,
    }

    fn settings(port: impl Into<Value>) -> Value {
        Value::object([("host", "h".into()), ("port", port.into())])
    }

    #[test]
    fn reads_what_the_model_asks_for_and_ignores_the_rest() {
        let mut value = settings(5439);
        value.set("script", Value::Unknown);
        value.set("deep", Value::List(vec![Value::Unknown]));
        let read: Settings = value.decode().expect("the unknown is not asked for");
        assert_eq!(read, Settings { host: "h".into(), port: 5439, owners: None, user: Attr::Null });
    }

    #[test]
    fn errors_name_the_place_and_not_the_value() {
        let mut value = settings(70000);
        let error = value.decode::<Settings>().expect_err("too large");
        assert_eq!(error.path().to_string(), "port");
        assert!(!error.to_string().contains("70000"), "{error}");
        value.set("port", "s3cret");
        let error = value.decode::<Settings>().expect_err("a string");
        assert_eq!(error.to_string(), "a string was given, u16 is needed @ port");
        value.set("port", 1.5);
        assert!(!value.decode::<Settings>().expect_err("a fraction").is_unknown());
        value.set("port", 1);
        value.set("owners", Value::List(vec!["a".into(), true.into()]));
        assert_eq!(value.decode::<Settings>().expect_err("true").path().to_string(), "owners[1]");
        value.set("owners", Value::List(vec!["a".into(), Value::Unknown]));
        let error = value.decode::<Settings>().expect_err("unknown");
        assert!(error.is_unknown());
        assert_eq!(error.path().to_string(), "owners[1]");
        assert_eq!(Value::object([]).decode::<Settings>().expect_err("nothing").message(), "missing field `host`");
    }

    #[test]
    fn attr_takes_null_and_unknown() {
        let mut value = settings(1);
        let user = |value: &Value| value.decode::<Settings>().expect("decodes").user;
        value.set("user", Value::Unknown);
        assert_eq!(user(&value), Attr::Unknown);
        value.set("user.name", Value::Unknown);
        assert_eq!(user(&value), Attr::Unknown, "a part that is read is unknown");
        value.set("user.name", "n");
        assert_eq!(user(&value), Attr::Known(User { name: "n".into() }));
        value.set("user.name", true);
        assert!(value.decode::<Settings>().is_err(), "another type stays an error");
    }

    #[test]
    fn get_tells_null_unknown_and_wrong_apart() {
        let value = Value::object([("a", Value::object([("n", 3.into()), ("u", Value::Unknown)]))]);
        assert_eq!(value.get::<u8>("a.n"), Ok(Attr::Known(3)));
        assert_eq!(value.get::<u8>("a.u"), Ok(Attr::Unknown));
        assert_eq!(value.get::<u8>("a.x"), Ok(Attr::Null));
        assert_eq!(value.get::<u8>("a.u.deeper"), Ok(Attr::Unknown));
        assert_eq!(value.get::<bool>("a.n").expect_err("no bool").path().to_string(), "a.n");
        assert_eq!(value.get::<Vec<String>>("a").expect_err("no list").path().to_string(), "a");
    }

    #[test]
    fn values_and_numbers_inside_a_model_are_exact() {
        let large: Value = Value::Number("123456789012345678901234567890.5".parse().expect("a number"));
        let value = Value::object([("v", Value::List(vec![large.clone(), Value::Unknown, Value::Null])), ("n", large)]);
        #[derive(Deserialize)]
        struct Model {
            v: Value,
            n: Number,
        }
        let read: Model = value.decode().expect("decodes");
        assert_eq!(&read.v, value.at("v"));
        assert_eq!(&Value::Number(read.n), value.at("n"));
    }

    #[test]
    fn dynamic_values_read_as_what_they_hold() {
        let value = Value::Dynamic(std::sync::Arc::new((Type::String, "x".into())));
        assert_eq!(value.decode::<Option<String>>(), Ok(Some("x".into())));
        let null = Value::Dynamic(std::sync::Arc::new((Type::String, Value::Null)));
        assert_eq!(null.decode::<Option<String>>(), Ok(None));
    }
}
