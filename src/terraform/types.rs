//! Terraform's types, and how a value is fitted to one.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde_json::Value as Json;

use super::{Path, Step, Value};

/// A type constraint, as schemas and dynamic values carry it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Type {
    /// `bool`
    Bool,
    /// `number`
    Number,
    /// `string`
    String,
    /// `dynamic`: the value brings its own type along.
    Dynamic,
    /// `list(...)`
    List(Box<Type>),
    /// `set(...)`: unordered, without duplicates.
    Set(Box<Type>),
    /// `map(...)`
    Map(Box<Type>),
    /// `tuple([...])`
    Tuple(Vec<Type>),
    /// `object({...})`, also what a block or a nested attribute is.
    Object {
        /// The type of each attribute.
        fields: BTreeMap<String, Type>,
        /// Names of attributes that a caller may leave out.
        optional: BTreeSet<String>,
    },
}

/// A value does not have the type it should have, or bytes do not hold a value of the type.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{}{}{message}", path, if path.is_root() { "" } else { ": " })]
pub struct TypeError {
    /// Where in the value.
    pub path: Path,
    /// What is wrong there. Never repeats a value, for it may be a secret.
    pub message: String,
}

impl TypeError {
    pub(crate) fn new(path: &Path, message: impl Into<String>) -> Self {
        TypeError { path: path.clone(), message: message.into() }
    }
}

impl Type {
    /// An object all of whose attributes must be there.
    pub fn object(fields: impl IntoIterator<Item = (impl Into<String>, Type)>) -> Self {
        let fields = fields.into_iter().map(|(name, ty)| (name.into(), ty)).collect();
        Type::Object { fields, optional: BTreeSet::new() }
    }

    /// A list of `element`.
    pub fn list(element: Type) -> Self {
        Type::List(Box::new(element))
    }

    /// A set of `element`.
    pub fn set(element: Type) -> Self {
        Type::Set(Box::new(element))
    }

    /// A map from strings to `element`.
    pub fn map(element: Type) -> Self {
        Type::Map(Box::new(element))
    }

    /// The type a value shows on its own: sequences are tuples, and maps are objects.
    pub fn of(value: &Value) -> Self {
        match value {
            Value::Null | Value::Unknown => Type::Dynamic,
            Value::Bool(_) => Type::Bool,
            Value::Number(_) => Type::Number,
            Value::String(_) => Type::String,
            Value::List(items) => Type::Tuple(items.iter().map(Type::of).collect()),
            Value::Map(map) => Type::object(map.iter().map(|(name, value)| (name.clone(), Type::of(value)))),
            Value::Dynamic(inner) => inner.0.clone(),
        }
    }

    /// In words: "a string", "a list".
    pub fn in_words(&self) -> &'static str {
        match self {
            Type::Bool => "true or false",
            Type::Number => "a number",
            Type::String => "a string",
            Type::Dynamic => "a value of any type",
            Type::List(_) => "a list",
            Type::Set(_) => "a set",
            Type::Map(_) => "a map",
            Type::Tuple(_) => "a tuple",
            Type::Object { .. } => "an object",
        }
    }

    /// The JSON form of Terraform's type constraints, such as `["list","string"]`.
    pub fn to_json(&self) -> Json {
        let pair = |kind: &str, of: Json| Json::Array(vec![Json::from(kind), of]);
        match self {
            Type::Bool => Json::from("bool"),
            Type::Number => Json::from("number"),
            Type::String => Json::from("string"),
            Type::Dynamic => Json::from("dynamic"),
            Type::List(element) => pair("list", element.to_json()),
            Type::Set(element) => pair("set", element.to_json()),
            Type::Map(element) => pair("map", element.to_json()),
            Type::Tuple(elements) => pair("tuple", elements.iter().map(Type::to_json).collect()),
            Type::Object { fields, optional } => {
                let fields = fields.iter().map(|(name, ty)| (name.clone(), ty.to_json())).collect();
                let mut parts = vec![Json::from("object"), Json::Object(fields)];
                if !optional.is_empty() {
                    parts.push(optional.iter().cloned().collect());
                }
                Json::Array(parts)
            }
        }
    }

    /// Reads the JSON form. `None` if it is not a type.
    pub fn from_json(json: &Json) -> Option<Self> {
        match json {
            Json::String(name) => match name.as_str() {
                "bool" => Some(Type::Bool),
                "number" => Some(Type::Number),
                "string" => Some(Type::String),
                "dynamic" => Some(Type::Dynamic),
                _ => None,
            },
            Json::Array(parts) => match (parts.first()?.as_str()?, &parts[1..]) {
                ("list", [element]) => Some(Type::list(Type::from_json(element)?)),
                ("set", [element]) => Some(Type::set(Type::from_json(element)?)),
                ("map", [element]) => Some(Type::map(Type::from_json(element)?)),
                ("tuple", [Json::Array(elements)]) => {
                    Some(Type::Tuple(elements.iter().map(Type::from_json).collect::<Option<_>>()?))
                }
                ("object", [Json::Object(fields), rest @ ..]) => {
                    let field = |(name, json): (&String, &Json)| Some((name.clone(), Type::from_json(json)?));
                    let fields = fields.iter().map(field).collect::<Option<_>>()?;
                    let optional = match rest {
                        [] => BTreeSet::new(),
                        [Json::Array(names)] => {
                            names.iter().map(|n| n.as_str().map(str::to_owned)).collect::<Option<_>>()?
                        }
                        _ => return None,
                    };
                    Some(Type::Object { fields, optional })
                }
                _ => None,
            },
            _ => None,
        }
    }

    /// The type one step down; `None` where the step does not fit the type.
    pub(crate) fn step(&self, step: &Step) -> Option<&Type> {
        match (self, step) {
            (Type::Object { fields, .. }, Step::Attribute(name) | Step::Key(name)) => fields.get(name),
            (Type::Map(element), Step::Attribute(_) | Step::Key(_)) => Some(element),
            (Type::List(element) | Type::Set(element), Step::Index(_)) => Some(element),
            (Type::Tuple(elements), Step::Index(index)) => elements.get(*index),
            (Type::Dynamic, _) => Some(&Type::Dynamic),
            _ => None,
        }
    }

    /// Completes a value: attributes that are missing become null, and what goes where any type may go is given one.
    /// Fails where the value does not have this type.
    pub fn fit(&self, value: Value) -> Result<Value, TypeError> {
        self.fit_at(value, &mut Path::root())
    }

    fn fit_at(&self, value: Value, path: &mut Path) -> Result<Value, TypeError> {
        let mut each = |element: &Type, step: Step, value: Value| {
            path.push(step);
            let fitted = element.fit_at(value, path);
            path.pop();
            fitted
        };
        match (self, value) {
            (_, Value::Null) => Ok(Value::Null),
            (_, Value::Unknown) => Ok(Value::Unknown),
            (Type::Dynamic, Value::Dynamic(inner)) => Ok(Value::Dynamic(inner)),
            (Type::Dynamic, value) => Ok(Value::Dynamic(Arc::new((Type::of(&value), value)))),
            (ty, Value::Dynamic(inner)) => ty.fit_at(Arc::unwrap_or_clone(inner).1, path),
            (Type::Bool, value @ Value::Bool(_)) => Ok(value),
            (Type::Number, value @ Value::Number(_)) => Ok(value),
            (Type::String, value @ Value::String(_)) => Ok(value),
            (Type::List(element) | Type::Set(element), Value::List(items)) => {
                let items = items.into_iter().enumerate().map(|(i, item)| each(element, Step::Index(i), item));
                Ok(Value::List(items.collect::<Result<_, _>>()?))
            }
            (Type::Tuple(elements), Value::List(items)) if elements.len() == items.len() => {
                let items = items.into_iter().zip(elements).enumerate();
                Ok(Value::List(items.map(|(i, (item, ty))| each(ty, Step::Index(i), item)).collect::<Result<_, _>>()?))
            }
            (Type::Map(element), Value::Map(map)) => {
                let fit = |(key, value): (String, Value)| Ok((key.clone(), each(element, Step::Key(key), value)?));
                Ok(Value::Map(map.into_iter().map(fit).collect::<Result<_, _>>()?))
            }
            (Type::Object { fields, .. }, Value::Map(mut map)) => {
                let mut fitted = BTreeMap::new();
                for (name, ty) in fields {
                    let value = map.remove(name).unwrap_or(Value::Null);
                    fitted.insert(name.clone(), each(ty, Step::Attribute(name.clone()), value)?);
                }
                match map.into_keys().next() {
                    Some(extra) => Err(TypeError::new(path, format!("there is no attribute `{extra}`"))),
                    None => Ok(Value::Map(fitted)),
                }
            }
            (ty, value) => {
                let message = format!("{} is needed, but it is {}", ty.in_words(), Type::of(&value).in_words());
                Err(TypeError::new(path, message))
            }
        }
    }

    /// Whether two values of this type are the same: the order in a set does not count, nor an element given twice.
    pub fn same(&self, a: &Value, b: &Value) -> bool {
        a == b || self.in_order(a) == self.in_order(b)
    }

    /// The value with the elements of its sets sorted, each once.
    fn in_order(&self, value: &Value) -> Value {
        match (self, value) {
            (Type::Dynamic, Value::Dynamic(inner)) => {
                Value::Dynamic(Arc::new((inner.0.clone(), inner.0.in_order(&inner.1))))
            }
            (Type::List(element), Value::List(items)) => items.iter().map(|item| element.in_order(item)).collect(),
            (Type::Set(element), Value::List(items)) => {
                let mut items: Vec<Value> = items.iter().map(|item| element.in_order(item)).collect();
                items.sort_by_cached_key(|item| format!("{item:?}"));
                items.dedup();
                Value::List(items)
            }
            (Type::Tuple(types), Value::List(items)) => {
                items.iter().zip(types).map(|(item, ty)| ty.in_order(item)).collect()
            }
            (Type::Map(element), Value::Map(map)) => {
                Value::Map(map.iter().map(|(key, value)| (key.clone(), element.in_order(value))).collect())
            }
            (Type::Object { fields, .. }, Value::Map(map)) => {
                let sorted = |(name, value): (&String, &Value)| {
                    (name.clone(), fields.get(name).map_or_else(|| value.clone(), |ty| ty.in_order(value)))
                };
                Value::Map(map.iter().map(sorted).collect())
            }
            (_, value) => value.clone(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn types_read_back_from_json() {
        for json in [
            json!("string"),
            json!(["list", ["set", "number"]]),
            json!(["object", {"a": "bool", "b": ["map", "dynamic"]}]),
            json!(["object", {"a": "bool", "b": "string"}, ["b"]]),
            json!(["tuple", ["string", ["tuple", []]]]),
        ] {
            assert_eq!(Type::from_json(&json).expect("a type").to_json(), json);
        }
        for json in [json!("str"), json!(["list"]), json!(["object", []]), json!([]), json!(1), json!(["set", "x"])] {
            assert_eq!(Type::from_json(&json), None, "{json}");
        }
    }

    #[test]
    fn sets_compare_without_order_also_deep_inside() {
        let ty = Type::object([("s", Type::set(Type::set(Type::String))), ("l", Type::list(Type::String))]);
        let value = |s: Vec<Vec<&str>>, l: Vec<&str>| Value::object([("s", s.into()), ("l", l.into())]);
        let a = value(vec![vec!["x", "y"], vec!["z"]], vec!["1", "2"]);
        assert!(ty.same(&a, &value(vec![vec!["z", "z"], vec!["y", "x"]], vec!["1", "2"])));
        assert!(!ty.same(&a, &value(vec![vec!["z"], vec!["y"]], vec!["1", "2"])));
        assert!(!ty.same(&a, &value(vec![vec!["x", "y"], vec!["z"]], vec!["2", "1"])), "lists keep their order");
    }

    #[test]
    fn sets_compare_without_order_in_whatever_holds_them() {
        let set = Type::set(Type::String);
        let item = |names: [&str; 2]| Value::from(names.to_vec());
        let dynamic = |ty: &Type, value| Value::Dynamic(Arc::new((ty.clone(), value)));
        let in_map = |value| Value::object([("k", value)]);
        let in_list = |value| Value::List(vec![value]);
        let (one, other, not) = (item(["a", "b"]), item(["b", "a"]), item(["b", "c"]));
        for (ty, holds) in [
            (Type::map(set.clone()), &in_map as &dyn Fn(Value) -> Value),
            (Type::object([("k", set.clone())]), &in_map),
            (Type::list(set.clone()), &in_list),
            (Type::Tuple(vec![set.clone()]), &in_list),
            (Type::Dynamic, &|value| dynamic(&set, value)),
        ] {
            assert!(ty.same(&holds(one.clone()), &holds(other.clone())), "{ty:?}");
            assert!(!ty.same(&holds(one.clone()), &holds(not.clone())), "{ty:?}");
        }
    }

    #[test]
    fn steps_lead_to_the_type_below() {
        let (attribute, key) = (Step::Attribute("a".into()), Step::Key("a".into()));
        let object = Type::object([("a", Type::Bool)]);
        let tuple = Type::Tuple(vec![Type::Bool, Type::String]);
        for (ty, step, below) in [
            (&object, &attribute, Some(Type::Bool)),
            (&object, &key, Some(Type::Bool)),
            (&object, &Step::Attribute("b".into()), None),
            (&object, &Step::Index(0), None),
            (&Type::map(Type::Number), &key, Some(Type::Number)),
            (&Type::map(Type::Number), &attribute, Some(Type::Number)),
            (&Type::list(Type::Number), &Step::Index(7), Some(Type::Number)),
            (&Type::set(Type::Number), &Step::Index(7), Some(Type::Number)),
            (&Type::list(Type::Number), &attribute, None),
            (&tuple, &Step::Index(1), Some(Type::String)),
            (&tuple, &Step::Index(2), None),
            (&Type::Dynamic, &attribute, Some(Type::Dynamic)),
            (&Type::String, &attribute, None),
        ] {
            assert_eq!(ty.step(step), below.as_ref(), "{ty:?} {step:?}");
        }
    }

    #[test]
    fn fitting_completes_and_refuses() {
        let ty = Type::object([("a", Type::String), ("d", Type::Dynamic), ("o", Type::object([("x", Type::Number)]))]);
        let fitted = ty.fit(Value::object([("d", true.into()), ("o", Value::object([]))])).expect("fits");
        assert_eq!(fitted.at("a"), &Value::Null);
        assert_eq!(fitted.at("o.x"), &Value::Null);
        assert!(matches!(fitted.at("d"), Value::Dynamic(inner) if inner.0 == Type::Bool));
        let wrong = ty.fit(Value::object([("o", Value::object([("x", "1".into())]))])).expect_err("not a number");
        assert_eq!(wrong.to_string(), "o.x: a number is needed, but it is a string");
        let pair = Type::Tuple(vec![Type::Bool, Type::Bool]);
        assert!(pair.fit(vec![true, false].into()).is_ok());
        for other in [vec![true], vec![true, false, true]] {
            assert!(pair.fit(other.into()).is_err(), "a tuple has its length");
        }
        let extra = ty.fit(Value::object([("b", true.into())])).expect_err("no such attribute");
        assert_eq!(extra.to_string(), "there is no attribute `b`");
    }
}
