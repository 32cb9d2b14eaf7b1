//! Tests of values: reading them, changing them, and making them of Rust's.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::{Attr, Number, Path, Type, Value};

fn dynamic(value: Value) -> Value {
    Value::Dynamic(Arc::new((Type::of(&value), value)))
}

fn sample() -> Value {
    Value::object([
        ("o", Value::object([("x", 1.into())])),
        ("l", vec!["a", "b"].into()),
        ("u", Value::Unknown),
        ("d", dynamic(Value::object([("x", true.into())]))),
    ])
}

#[test]
fn below_what_is_not_there_is_null_and_below_the_unknown_unknown() {
    let sample = sample();
    for (path, value) in [
        ("o.x", 1.into()),
        ("o[\"x\"]", 1.into()),
        ("o.y", Value::Null),
        ("o[0]", Value::Null),
        ("o.x.y", Value::Null),
        ("none.x", Value::Null),
        ("l[1]", "b".into()),
        ("l[2]", Value::Null),
        ("u.x", Value::Unknown),
        ("u[0].x", Value::Unknown),
        ("d.x", true.into()),
        ("d.y", Value::Null),
    ] {
        assert_eq!(sample.at(path), &value, "{path}");
    }
    for (name, value) in [("o", 1.into()), ("l", Value::Null), ("u", Value::Unknown), ("d", true.into())] {
        assert_eq!(sample.attribute(name).attribute("x"), &value, "{name}");
    }
}

#[test]
fn reading_tells_null_unknown_and_known_apart() {
    let sample = sample();
    assert_eq!(sample.get::<u8>("o.x"), Ok(Attr::Known(1)));
    assert_eq!(sample.get::<u8>("o.y"), Ok(Attr::Null));
    assert_eq!(sample.get::<u8>("u"), Ok(Attr::Unknown));
    let error = sample.get::<u8>("l[0]").expect_err("text").to_string();
    assert!(error.contains("l[0]"), "{error}");
}

#[test]
fn nothing_and_what_is_not_known_yet() {
    let list = |value: Value| Value::List(vec![true.into(), value]);
    let map = |value: Value| Value::object([("a", true.into()), ("b", value)]);
    for (value, null, unknown, wholly_known) in [
        (Value::Null, true, false, true),
        (Value::Unknown, false, true, false),
        ("x".into(), false, false, true),
        (dynamic(Value::Null), true, false, true),
        (dynamic(Value::Unknown), false, true, false),
        (list(Value::Null), false, false, true),
        (list(Value::Unknown), false, false, false),
        (map("x".into()), false, false, true),
        (map(Value::Unknown), false, false, false),
        (dynamic(list(Value::Unknown)), false, false, false),
    ] {
        let found = (value.is_null(), value.is_unknown(), value.is_wholly_known());
        assert_eq!(found, (null, unknown, wholly_known), "{value:?}");
        assert!(value.clone().unknown_to_null().is_wholly_known());
        assert!(!wholly_known || value.is_null() || value.clone().unknown_to_null() == value, "{value:?}");
    }
    assert_eq!(list(map(Value::Unknown)).unknown_to_null(), list(map(Value::Null)));
    assert_eq!(dynamic(Value::Unknown).unknown_to_null(), Value::Null);
}

#[test]
fn text_numbers_and_truth_are_read_also_where_any_type_may_stand() {
    let number = Number::from(7i64);
    for wrap in [|value| value, dynamic] {
        let [text, seven, truth] = [Value::from("t"), number.clone().into(), false.into()].map(wrap);
        assert_eq!((text.as_str(), seven.as_str(), truth.as_str()), (Some("t"), None, None));
        assert_eq!((text.as_number(), seven.as_number(), truth.as_number()), (None, Some(&number), None));
        assert_eq!((text.as_bool(), seven.as_bool(), truth.as_bool()), (None, None, Some(false)));
    }
    assert_eq!(Value::from(true).as_bool(), Some(true));
}

#[test]
fn setting_makes_what_is_on_the_way_and_keeps_what_is_beside_it() {
    let mut value = Value::Null;
    value.set("o.x", 1);
    value.set("o.y", 2);
    value.set("l[2]", "c");
    value.set("l[0]", "a");
    let list = Value::List(vec!["a".into(), Value::Null, "c".into()]);
    assert_eq!(value, Value::object([("o", Value::object([("x", 1.into()), ("y", 2.into())])), ("l", list)]));
    value.set("o", Value::Unknown);
    value.set("o.x", 3);
    assert_eq!(value.at("o"), &Value::object([("x", 3.into())]));
}

#[test]
fn setting_by_type_completes_objects_and_refuses_what_does_not_fit() {
    let object = Type::object([("x", Type::Number), ("y", Type::String)]);
    let ty = Type::object([
        ("o", object.clone()),
        ("m", Type::map(Type::String)),
        ("l", Type::list(object)),
        ("d", Type::Dynamic),
    ]);
    let xy = |x: Value, y: Value| Value::object([("x", x), ("y", y)]);
    let set = |before: Value, path: &str, value: Value| {
        let mut after = ty.fit(before).expect("it fits");
        after.set_typed(&ty, &Path::from(path), value).map(|()| after).map_err(|error| error.to_string())
    };
    let list = |item: Value| Value::List(vec![item]);
    let letters = |names: &[(&str, &str)]| {
        Value::Map(names.iter().map(|(name, text)| ((*name).to_owned(), (*text).into())).collect())
    };
    for (name, before, path, value, after) in [
        ("o", Value::Null, "o.x", 1.into(), xy(1.into(), Value::Null)),
        ("o", Value::Unknown, "o.x", 1.into(), xy(1.into(), Value::Unknown)),
        ("o", xy(1.into(), "b".into()), "o.x", 2.into(), xy(2.into(), "b".into())),
        ("o", xy(1.into(), "b".into()), "o", Value::object([("y", "c".into())]), xy(Value::Null, "c".into())),
        ("m", Value::Null, "m[\"k\"]", "v".into(), letters(&[("k", "v")])),
        ("m", letters(&[("a", "1")]), "m.k", "v".into(), letters(&[("a", "1"), ("k", "v")])),
        ("l", list(xy(1.into(), Value::Null)), "l[0].y", "b".into(), list(xy(1.into(), "b".into()))),
        ("d", Value::Null, "d", "any".into(), dynamic("any".into())),
    ] {
        let found = set(Value::object([(name, before)]), path, value);
        assert_eq!(found.map(|value| value.at(name).clone()), Ok(after), "{path}");
    }
    for (path, value, error) in [
        ("none", Value::Null, "there is no `none`"),
        ("o.z", Value::Null, "o: there is no `o.z`"),
        ("l[1].x", 1.into(), "l: there is no `l[1].x`"),
        ("o[0]", 1.into(), "o: there is no `o[0]`"),
        ("d.x", 1.into(), "d: there is no `d.x`"),
        ("o.x", "1".into(), "o.x: a number is needed, but it is a string"),
        ("o", Value::object([("x", true.into())]), "o.x: a number is needed, but it is true or false"),
    ] {
        let before = Value::object([("l", list(Value::Null))]);
        assert_eq!(set(before, path, value), Err(error.to_owned()), "{path}");
    }
}

#[test]
fn values_are_made_of_what_rust_has() {
    let number = |text: &str| Value::Number(text.parse().expect("a number"));
    for (made, value) in [
        (Value::from(-1i32), number("-1")),
        (i64::MIN.into(), number("-9223372036854775808")),
        (7u8.into(), number("7")),
        (7u16.into(), number("7")),
        (7u32.into(), number("7")),
        (u64::MAX.into(), number("18446744073709551615")),
        (7usize.into(), number("7")),
        (0.1.into(), number("0.1")),
        (f64::INFINITY.into(), number("inf")),
        (f64::NAN.into(), Value::Null),
        ("a".into(), Value::String("a".into())),
        ("a".to_owned().into(), Value::String("a".into())),
        ((&"a".to_owned()).into(), Value::String("a".into())),
        (true.into(), Value::Bool(true)),
        (Some("a").into(), "a".into()),
        (None::<&str>.into(), Value::Null),
        (Attr::Known("a").into(), "a".into()),
        (Attr::<&str>::Unknown.into(), Value::Unknown),
        (Attr::<&str>::Null.into(), Value::Null),
        (vec!["a"].into(), Value::List(vec!["a".into()])),
        (["a".into()].into_iter().collect(), Value::List(vec!["a".into()])),
        (BTreeMap::from([("k".to_owned(), "a")]).into(), Value::object([("k", "a".into())])),
        ([("k", "a".into())].into(), Value::object([("k", "a".into())])),
    ] {
        assert_eq!(made, value);
    }
}

#[test]
fn what_a_value_holds_is_shown_for_debugging() {
    let value = Value::object([("a", Value::List(vec![Value::Null, Value::Unknown, true.into()])), ("b", "x".into())]);
    assert_eq!(format!("{:?}", dynamic(value)), r#"{"a": [null, unknown, true], "b": "x"}"#);
}

#[test]
fn equal_values_of_any_type_are_held_once() {
    let object = |n: u32| Value::object([("d", dynamic(Value::from(vec![n.to_string()]))), ("n", Value::from(n))]);
    let (one, same, other) = (object(1), object(1), object(2));
    let held = |value: &Value| match value.at("d") {
        Value::Dynamic(inner) => std::sync::Arc::as_ptr(inner),
        _ => panic!("it has a type of its own"),
    };
    let shared = same.clone().sharing(&one);
    assert!(shared == same && held(&shared) == held(&one));
    assert!(held(&other.clone().sharing(&one)) == held(&other));
}
