//! Values as Terraform sends them: MessagePack, with the extensions of the object wire format (protocol 6).

use std::sync::Arc;

use rmpv::Value as Raw;

use super::number::Wire;
use super::{Number, Path, Step, Type, TypeError, Value};

/// Reads a value of the type. Any extension means unknown: what a refined unknown promises is accepted and not used.
pub fn decode(bytes: &[u8], ty: &Type) -> Result<Value, TypeError> {
    let mut rest = bytes;
    let raw = rmpv::decode::read_value(&mut rest)
        .map_err(|error| TypeError::new(&Path::root(), format!("this is not MessagePack: {error}")))?;
    if !rest.is_empty() {
        return Err(TypeError::new(&Path::root(), "there are bytes behind the value"));
    }
    read(raw, ty, &mut Path::root())
}

/// Writes a value as the type; attributes that are missing become null.
pub fn encode(value: Value, ty: &Type) -> Result<Vec<u8>, TypeError> {
    let raw = write(ty.fit(value)?, ty)?;
    let mut bytes = Vec::new();
    rmpv::encode::write_value(&mut bytes, &raw)
        .map_err(|error| TypeError::new(&Path::root(), format!("it could not be encoded: {error}")))?;
    Ok(bytes)
}

fn read(raw: Raw, ty: &Type, path: &mut Path) -> Result<Value, TypeError> {
    let mut each = |ty: &Type, step: Step, raw: Raw| {
        path.push(step);
        let value = read(raw, ty, path);
        path.pop();
        value
    };
    match (ty, raw) {
        (_, Raw::Nil) => Ok(Value::Null),
        (_, Raw::Ext(..)) => Ok(Value::Unknown),
        (Type::Bool, Raw::Boolean(value)) => Ok(Value::Bool(value)),
        (Type::String, Raw::String(text)) => {
            text.into_str().map(Value::String).ok_or_else(|| TypeError::new(path, "the text is not UTF-8"))
        }
        (Type::Number, raw) => number(&raw).map(Value::Number).ok_or_else(|| TypeError::new(path, "it is no number")),
        (Type::List(element) | Type::Set(element), Raw::Array(items)) => {
            items.into_iter().enumerate().map(|(i, item)| each(element, Step::Index(i), item)).collect()
        }
        (Type::Tuple(types), Raw::Array(items)) if items.len() == types.len() => {
            items.into_iter().zip(types).enumerate().map(|(i, (item, ty))| each(ty, Step::Index(i), item)).collect()
        }
        (Type::Map(element), Raw::Map(entries)) => {
            let entry = |(key, raw): (Raw, Raw)| {
                let key = text(&key)?;
                Ok((key.clone(), each(element, Step::Key(key), raw)?))
            };
            entries.into_iter().map(entry).collect::<Result<_, _>>().map(Value::Map)
        }
        (Type::Object { fields, .. }, Raw::Map(entries)) => {
            let entry = |(key, raw): (Raw, Raw)| {
                let name = text(&key)?;
                let ty = fields.get(&name).ok_or_else(|| {
                    TypeError::new(&Path::root(), format!("there is no attribute `{name}` in this type"))
                })?;
                Ok((name.clone(), each(ty, Step::Attribute(name), raw)?))
            };
            let mut map: std::collections::BTreeMap<_, _> = entries.into_iter().map(entry).collect::<Result<_, _>>()?;
            for name in fields.keys() {
                map.entry(name.clone()).or_insert(Value::Null);
            }
            Ok(Value::Map(map))
        }
        (Type::Dynamic, Raw::Array(pair)) => match <[Raw; 2]>::try_from(pair) {
            Ok([Raw::Binary(ty), raw]) => {
                let ty = serde_json::from_slice(&ty).ok().and_then(|json| Type::from_json(&json));
                let ty = ty.ok_or_else(|| TypeError::new(path, "a dynamic value has no type"))?;
                let value = read(raw, &ty, path)?;
                Ok(Value::Dynamic(Arc::new((ty, value))))
            }
            _ => Err(TypeError::new(path, "a dynamic value is not a type and a value")),
        },
        (ty, _) => Err(TypeError::new(path, format!("{} is needed", ty.in_words()))),
    }
}

fn text(key: &Raw) -> Result<String, TypeError> {
    key.as_str().map(str::to_owned).ok_or_else(|| TypeError::new(&Path::root(), "a key is not a string"))
}

fn number(raw: &Raw) -> Option<Number> {
    match raw {
        Raw::Integer(value) => value.as_i64().map(Number::from).or_else(|| value.as_u64().map(Number::from)),
        Raw::F32(value) => Number::from_f64(f64::from(*value)),
        Raw::F64(value) => Number::from_f64(*value),
        Raw::String(text) => text.as_str()?.parse().ok(),
        _ => None,
    }
}

/// The value must fit the type.
fn write(value: Value, ty: &Type) -> Result<Raw, TypeError> {
    let list = |items: Vec<Value>, element: &Type| {
        items.into_iter().map(|item| write(item, element)).collect::<Result<_, _>>().map(Raw::Array)
    };
    match (ty, value) {
        (_, Value::Null) => Ok(Raw::Nil),
        (_, Value::Unknown) => Ok(Raw::Ext(0, vec![0])),
        (_, Value::Bool(value)) => Ok(Raw::Boolean(value)),
        (_, Value::String(text)) => Ok(Raw::from(text)),
        (_, Value::Number(number)) => Ok(match number.wire() {
            Wire::Int(value) => Raw::from(value),
            Wire::Float(value) => Raw::from(value),
            Wire::Text(text) => Raw::from(text),
        }),
        (Type::List(element) | Type::Set(element), Value::List(items)) => list(items, element),
        (Type::Tuple(types), Value::List(items)) => {
            let items = items.into_iter().zip(types).map(|(item, ty)| write(item, ty));
            items.collect::<Result<_, _>>().map(Raw::Array)
        }
        (Type::Map(element), Value::Map(map)) => {
            let entries = map.into_iter().map(|(key, value)| Ok((Raw::from(key), write(value, element)?)));
            entries.collect::<Result<_, _>>().map(Raw::Map)
        }
        (Type::Object { fields, .. }, Value::Map(mut map)) => {
            let field = |(name, ty): (&String, &Type)| {
                Ok((Raw::from(name.as_str()), write(map.remove(name).unwrap_or_default(), ty)?))
            };
            fields.iter().map(field).collect::<Result<_, _>>().map(Raw::Map)
        }
        (Type::Dynamic, Value::Dynamic(inner)) => {
            let (ty, value) = Arc::unwrap_or_clone(inner);
            if ty == Type::Dynamic {
                return write(value, &ty);
            }
            let json = ty.to_json().to_string().into_bytes();
            Ok(Raw::Array(vec![Raw::Binary(json), write(ty.fit(value)?, &ty)?]))
        }
        (ty, _) => Err(TypeError::new(&Path::root(), format!("{} is needed", ty.in_words()))),
    }
}
