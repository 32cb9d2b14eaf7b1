//! Values as Terraform writes them into state: JSON.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::{Map, Value as Json};

use super::{Path, Step, Type, TypeError, Value};

/// What to do with attributes that the type does not have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Extra {
    /// An error.
    Refused,
    /// Left out: state that another release wrote.
    Dropped,
}

/// Reads JSON text as a value of the type.
pub fn decode(text: &[u8], ty: &Type, extra: Extra) -> Result<Value, TypeError> {
    let json: Json = serde_json::from_slice(text)
        .map_err(|error| TypeError::new(&Path::root(), format!("this is not JSON ({:?} error)", error.classify())))?;
    from_json(json, ty, extra)
}

/// Reads JSON as a value of the type; attributes that are missing become null.
pub fn from_json(json: Json, ty: &Type, extra: Extra) -> Result<Value, TypeError> {
    read(json, ty, extra, &mut Path::root())
}

/// Writes a value as the type. Unknown and infinite cannot be said in JSON.
pub fn to_json(value: Value, ty: &Type) -> Result<Json, TypeError> {
    write(ty.fit(value)?, ty, &mut Path::root())
}

fn read(json: Json, ty: &Type, extra: Extra, path: &mut Path) -> Result<Value, TypeError> {
    let mut each = |ty: &Type, step: Step, json: Json| {
        path.push(step);
        let value = read(json, ty, extra, path);
        path.pop();
        value
    };
    match (ty, json) {
        (_, Json::Null) => Ok(Value::Null),
        (Type::Bool, Json::Bool(value)) => Ok(Value::Bool(value)),
        (Type::String, Json::String(text)) => Ok(Value::String(text)),
        (Type::Number, Json::Number(number)) => {
            number.to_string().parse().map(Value::Number).map_err(|_| TypeError::new(path, "it is no number"))
        }
        (Type::List(element) | Type::Set(element), Json::Array(items)) => {
            items.into_iter().enumerate().map(|(i, item)| each(element, Step::Index(i), item)).collect()
        }
        (Type::Tuple(types), Json::Array(items)) if items.len() == types.len() => {
            items.into_iter().zip(types).enumerate().map(|(i, (item, ty))| each(ty, Step::Index(i), item)).collect()
        }
        (Type::Map(element), Json::Object(entries)) => {
            let entry = |(key, json): (String, Json)| Ok((key.clone(), each(element, Step::Key(key), json)?));
            entries.into_iter().map(entry).collect::<Result<_, _>>().map(Value::Map)
        }
        (Type::Object { fields, .. }, Json::Object(mut entries)) => {
            let mut map = BTreeMap::new();
            for (name, ty) in fields {
                let json = entries.remove(name).unwrap_or(Json::Null);
                map.insert(name.clone(), each(ty, Step::Attribute(name.clone()), json)?);
            }
            match entries.into_iter().next() {
                Some((name, _)) if extra == Extra::Refused => {
                    Err(TypeError::new(path, format!("there is no attribute `{name}` in this type")))
                }
                _ => Ok(Value::Map(map)),
            }
        }
        (Type::Dynamic, Json::Object(mut pair)) => {
            let ty = pair.get("type").and_then(Type::from_json);
            let ty = ty.ok_or_else(|| TypeError::new(path, "a dynamic value has no type"))?;
            let value = read(pair.remove("value").unwrap_or(Json::Null), &ty, extra, path)?;
            Ok(Value::Dynamic(Arc::new((ty, value))))
        }
        (ty, _) => Err(TypeError::new(path, format!("{} is needed", ty.in_words()))),
    }
}

fn write(value: Value, ty: &Type, path: &mut Path) -> Result<Json, TypeError> {
    let mut each = |ty: &Type, step: Step, value: Value| {
        path.push(step);
        let json = write(value, ty, path);
        path.pop();
        json
    };
    match (ty, value) {
        (_, Value::Null) => Ok(Json::Null),
        (_, Value::Unknown) => Err(TypeError::new(path, "it is not known, and JSON cannot say so")),
        (_, Value::Bool(value)) => Ok(Json::Bool(value)),
        (_, Value::String(text)) => Ok(Json::String(text)),
        (_, Value::Number(number)) => {
            let text = number.to_string();
            text.parse().map(Json::Number).map_err(|_| TypeError::new(path, "JSON has no such number"))
        }
        (Type::List(element) | Type::Set(element), Value::List(items)) => {
            items.into_iter().enumerate().map(|(i, item)| each(element, Step::Index(i), item)).collect()
        }
        (Type::Tuple(types), Value::List(items)) => {
            items.into_iter().zip(types).enumerate().map(|(i, (item, ty))| each(ty, Step::Index(i), item)).collect()
        }
        (Type::Map(element), Value::Map(map)) => {
            let entry = |(key, value): (String, Value)| Ok((key.clone(), each(element, Step::Key(key), value)?));
            map.into_iter().map(entry).collect::<Result<_, _>>().map(Json::Object)
        }
        (Type::Object { fields, .. }, Value::Map(mut map)) => {
            let mut object = Map::new();
            for (name, ty) in fields {
                let value = map.remove(name).unwrap_or_default();
                object.insert(name.clone(), each(ty, Step::Attribute(name.clone()), value)?);
            }
            Ok(Json::Object(object))
        }
        (Type::Dynamic, Value::Dynamic(inner)) => {
            let (ty, value) = Arc::unwrap_or_clone(inner);
            if ty == Type::Dynamic {
                return write(value, &ty, path);
            }
            let value = write(ty.fit(value)?, &ty, path)?;
            Ok(Json::Object(Map::from_iter([("value".to_owned(), value), ("type".to_owned(), ty.to_json())])))
        }
        (ty, _) => Err(TypeError::new(path, format!("{} is needed", ty.in_words()))),
    }
}
