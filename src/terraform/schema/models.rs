//! Whether the model of a type reads whatever its schema lets pass: what does not decode would be told only at apply, or
//! make a rule across attributes silent.

use super::super::{DecodeError, Number, Type, Value};
use super::attribute::{Attribute, Check, Kind, Nesting};
use super::{Class, Schema};

/// Numbers that a model may not have thought of.
const ODD: [&str; 4] = ["1.5", "-1", "1e30", "70000"];

/// The paths of numbers that the schema takes and `reads` does not, and whatever else keeps it from reading a value.
pub(super) fn unread<D>(schema: &Schema<D>, reads: impl Fn(&Value) -> Result<(), DecodeError>) -> Vec<String> {
    let whole = Value::Map(schema.entries.iter().map(|entry| (entry.name.clone(), sample(&entry.attribute))).collect());
    if let Err(error) = reads(&whole) {
        return vec![format!("the model does not read a value of the schema: {error}")];
    }
    let mut unread = Vec::new();
    for entry in schema.entries.iter().filter(|entry| matches!(entry.class, Class::Setting)) {
        numbers(&entry.name, &entry.attribute, &mut |path, attribute| {
            for odd in ODD {
                let Ok(number) = odd.parse::<Number>() else { continue };
                let value = Value::Number(number);
                let mut with = whole.clone();
                with.set(path, value.clone());
                let passes = attribute.checks.iter().all(|check| check.broken_by(&value, false).is_none());
                if let (true, Err(error)) = (passes, reads(&with)) {
                    unread.push(format!("{odd} passes, and the model does not read it: {error}"));
                }
            }
        });
    }
    unread
}

/// The numbers at one place, and not those of many.
fn numbers(path: &str, attribute: &Attribute, each: &mut dyn FnMut(&str, &Attribute)) {
    match &attribute.kind {
        Kind::Plain(Type::Number) => each(path, attribute),
        Kind::Nested(Nesting::Single, children) => {
            children.iter().for_each(|(name, child)| numbers(&format!("{path}.{name}"), child, each));
        }
        _ => {}
    }
}

/// A value that may be written, or may be in state.
fn sample(attribute: &Attribute) -> Value {
    if let Some(default) = &attribute.default {
        return default.clone();
    }
    let one_of = attribute.checks.iter().find_map(|check| match check {
        Check::OneOf(allowed) => allowed.first().map(|first| first.as_str().into()),
        Check::Between(low, _) => Some((*low).into()),
        _ => None,
    });
    match &attribute.kind {
        Kind::Plain(Type::String | Type::Number) if one_of.is_some() => one_of.unwrap_or_default(),
        Kind::Plain(Type::String) => "x".into(),
        Kind::Plain(Type::Number) => 1.into(),
        Kind::Plain(Type::Bool) => true.into(),
        Kind::Plain(Type::List(_) | Type::Set(_)) | Kind::Nested(Nesting::List | Nesting::Set, _) => {
            Value::List(Vec::new())
        }
        Kind::Plain(Type::Map(_)) | Kind::Nested(Nesting::Map, _) => Value::object([]),
        Kind::Plain(_) => Value::Null,
        Kind::Nested(Nesting::Single, children) => {
            Value::Map(children.iter().map(|(name, child)| (name.clone(), sample(child))).collect())
        }
    }
}
