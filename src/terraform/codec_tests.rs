//! Tests of both codecs: what goes out comes back, and what others send is understood.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::arbitrary::{typed, types};
use super::{Type, Value, json, msgpack};

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn messagepack_comes_back((ty, value) in typed(true)) {
        let bytes = msgpack::encode(value.clone(), &ty).expect("the value has the type");
        prop_assert_eq!(msgpack::decode(&bytes, &ty).expect("own bytes"), value);
    }

    #[test]
    fn json_comes_back((ty, value) in typed(false)) {
        let text = json::to_json(value.clone(), &ty).expect("the value has the type").to_string();
        prop_assert_eq!(json::decode(text.as_bytes(), &ty, json::Extra::Refused).expect("own text"), value);
    }

    #[test]
    fn types_come_back(ty in types()) {
        prop_assert_eq!(Type::from_json(&ty.to_json()), Some(ty));
    }

    #[test]
    fn a_value_is_the_same_as_itself((ty, value) in typed(true)) {
        prop_assert!(ty.same(&value, &value));
        prop_assert_eq!(ty.fit(value.clone()).expect("the value has the type"), value);
    }

    #[test]
    fn rubbish_is_an_error_and_never_a_panic(bytes in prop::collection::vec(any::<u8>(), 0..60), ty in types()) {
        let _ = msgpack::decode(&bytes, &ty);
        let _ = json::decode(&bytes, &ty, json::Extra::Dropped);
    }
}

/// The bytes are written by hand from the object wire format.
#[test]
fn what_others_send_is_understood() {
    let number = |text: &str| Value::Number(text.parse().expect("a number"));
    let object = Type::object([("a", Type::String), ("b", Type::Number)]);
    for (hex, ty, value) in [
        ("c0", Type::String, Value::Null),
        ("d40000", Type::String, Value::Unknown),
        // Unknown, and certainly not null.
        ("c7030c8101c2", Type::String, Value::Unknown),
        // Unknown, with a prefix.
        ("c7080c8201c202a3616263", Type::String, Value::Unknown),
        ("d40c80", Type::list(Type::String), Value::Unknown),
        ("a0", Type::String, "".into()),
        ("01", Type::Number, 1.into()),
        ("cb3fe0000000000000", Type::Number, number("0.5")),
        ("ca3f000000", Type::Number, number("0.5")),
        ("cb3ff0000000000000", Type::Number, 1.into()),
        ("cfffffffffffffffff", Type::Number, number("18446744073709551615")),
        ("a3302e31", Type::Number, number("0.1")),
        ("cb7ff0000000000000", Type::Number, number("inf")),
        ("82a162a132a161c0", object.clone(), Value::object([("a", Value::Null), ("b", 2.into())])),
        ("81a161a178", object, Value::object([("a", "x".into()), ("b", Value::Null)])),
        ("92c40822737472696e6722a178", Type::Dynamic, Value::Dynamic(std::sync::Arc::new((Type::String, "x".into())))),
        ("92c40822737472696e6722c0", Type::Dynamic, Value::Dynamic(std::sync::Arc::new((Type::String, Value::Null)))),
        ("c0", Type::Dynamic, Value::Null),
        ("92c3c2", Type::Tuple(vec![Type::Bool, Type::Bool]), Value::List(vec![true.into(), false.into()])),
    ] {
        let bytes: Vec<u8> = hex
            .as_bytes()
            .chunks(2)
            .map(|pair| u8::from_str_radix(std::str::from_utf8(pair).expect("hex"), 16).expect("hex"))
            .collect();
        assert_eq!(msgpack::decode(&bytes, &ty).expect(hex), value, "{hex}");
    }
}

#[test]
fn what_does_not_fit_is_refused_with_its_place_and_without_its_value() {
    let ty = Type::object([("m", Type::map(Type::Number))]);
    let value = Value::object([("m", Value::Map(BTreeMap::from([("k".to_owned(), "CANARY".into())])))]);
    let error = msgpack::encode(value, &ty).expect_err("no number").to_string();
    assert_eq!(error, "m[\"k\"]: a number is needed, but it is a string");
    let error = json::decode(br#"{"m":{"k":"CANARY"}}"#, &ty, json::Extra::Refused).expect_err("no number").to_string();
    assert_eq!(error, "m[\"k\"]: a number is needed");
    let error = json::decode(br#"{"m":{"k":CANARY}}"#, &ty, json::Extra::Refused).expect_err("no JSON").to_string();
    assert!(!error.contains("CANARY"), "{error}");
    assert!(msgpack::decode(&[0xa1, b'1', 0x01], &Type::Number).is_err(), "bytes are left");
    assert!(msgpack::decode(&[0xa1, b'x'], &Type::Number).is_err(), "no number");
    assert!(json::to_json(Value::Unknown, &Type::String).is_err(), "JSON cannot say unknown");
    assert!(json::to_json(f64::INFINITY.into(), &Type::Number).is_err(), "JSON has no infinity");
}

#[test]
fn numbers_keep_every_digit() {
    for text in
        ["123456789012345678901234567890.12345678901234567890", "0.1", "1e400", "-1e-400", "9223372036854775808"]
    {
        let value = json::decode(text.as_bytes(), &Type::Number, json::Extra::Refused).expect(text);
        let bytes = msgpack::encode(value.clone(), &Type::Number).expect(text);
        assert_eq!(msgpack::decode(&bytes, &Type::Number).expect(text), value);
        let number = json::to_json(value.clone(), &Type::Number).expect(text).to_string();
        assert_eq!(json::decode(number.as_bytes(), &Type::Number, json::Extra::Refused).expect(&number), value);
    }
}

#[test]
fn state_of_another_release_loses_what_is_not_in_the_schema() {
    let ty = Type::object([
        ("a", Type::String),
        ("o", Type::list(Type::object([("x", Type::Bool)]))),
        ("new", Type::Number),
    ]);
    let text = br#"{"a":"1","gone":5,"o":[{"x":true,"gone":{}}]}"#;
    let value = json::decode(text, &ty, json::Extra::Dropped).expect("dropped");
    let element = Value::object([("x", true.into())]);
    assert_eq!(value, Value::object([("a", "1".into()), ("o", Value::List(vec![element])), ("new", Value::Null)]));
    assert!(json::decode(text, &ty, json::Extra::Refused).is_err());
}
