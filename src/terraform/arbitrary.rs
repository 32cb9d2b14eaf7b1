//! Random types and values. The parent module says which `Number`, `Type` and `Value` are meant, for the tests in
//! `tests/` use this file, too.

use std::sync::Arc;

use proptest::prelude::*;

use super::{Number, Type, Value};

/// Any text that normalization (NFC) leaves as it is, as Terraform does it.
fn texts() -> impl Strategy<Value = String> {
    "[ -~\t\n\x00äß€漢字🦀]{0,12}"
}

pub fn types() -> impl Strategy<Value = Type> {
    let leaf = prop_oneof![Just(Type::Bool), Just(Type::Number), Just(Type::String), Just(Type::Dynamic)];
    leaf.prop_recursive(3, 12, 3, |inner| {
        // A collection's elements have one type, so dynamic ones do not occur in it.
        let fixed = inner.clone().prop_filter("no dynamic in a collection", |ty| !has_dynamic(ty));
        prop_oneof![
            fixed.clone().prop_map(Type::list),
            fixed.clone().prop_map(Type::set),
            fixed.prop_map(Type::map),
            prop::collection::vec(inner.clone(), 0..3).prop_map(Type::Tuple),
            prop::collection::btree_map("[a-z_]{1,4}", inner, 0..4).prop_map(Type::object),
        ]
    })
}

fn has_dynamic(ty: &Type) -> bool {
    ty.to_json().to_string().contains("\"dynamic\"")
}

fn numbers() -> impl Strategy<Value = Number> {
    prop_oneof![
        any::<i64>().prop_map(Number::from),
        any::<u64>().prop_map(Number::from),
        any::<f64>().prop_filter_map("no NaN", Number::from_f64).prop_filter("JSON has no infinity", Number::is_finite),
        "-?[0-9]{1,40}(\\.[0-9]{1,30})?".prop_map(|text| text.parse().expect("decimal")),
    ]
}

/// A value of the type; `unknown` says whether some of it may be unknown.
fn values(ty: &Type, unknown: bool) -> BoxedStrategy<Value> {
    let known: BoxedStrategy<Value> = match ty {
        Type::Bool => any::<bool>().prop_map(Value::from).boxed(),
        Type::Number => numbers().prop_map(Value::from).boxed(),
        Type::String => texts().prop_map(Value::from).boxed(),
        Type::Dynamic => types()
            .prop_filter("a type of its own", |ty| *ty != Type::Dynamic)
            .prop_flat_map(move |ty| {
                values(&ty, unknown)
                    .prop_filter("dynamic is not null as a whole", |value| !value.is_null() && !value.is_unknown())
                    .prop_map(move |value| Value::Dynamic(Arc::new((ty.clone(), value))))
            })
            .boxed(),
        Type::List(element) | Type::Set(element) => {
            prop::collection::vec(values(element, unknown), 0..4).prop_map(Value::List).boxed()
        }
        Type::Map(element) => {
            prop::collection::btree_map(texts(), values(element, unknown), 0..4).prop_map(Value::Map).boxed()
        }
        Type::Tuple(types) => {
            types.iter().map(|ty| values(ty, unknown)).collect::<Vec<_>>().prop_map(Value::List).boxed()
        }
        Type::Object { fields, .. } => {
            let names: Vec<String> = fields.keys().cloned().collect();
            let values: Vec<_> = fields.values().map(|ty| values(ty, unknown)).collect();
            let object = move |values: Vec<Value>| Value::Map(names.iter().cloned().zip(values).collect());
            values.prop_map(object).boxed()
        }
    };
    let nothing =
        if unknown { prop_oneof![Just(Value::Null), Just(Value::Unknown)].boxed() } else { Just(Value::Null).boxed() };
    prop_oneof![6 => known, 1 => nothing].boxed()
}

pub fn typed(unknown: bool) -> impl Strategy<Value = (Type, Value)> {
    types().prop_flat_map(move |ty| values(&ty, unknown).prop_map(move |value| (ty.clone(), value)))
}
