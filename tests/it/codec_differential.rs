//! Our codecs against pyvider-cty, an implementation of Terraform's values that is not ours.

use std::io::Write as _;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use crate::support::tools;
use proptest::strategy::{Strategy as _, ValueTree as _};
use proptest::test_runner::TestRunner;
use serde_json::{Value as Json, json};
use terraform_provider_redshift::terraform::{Number, Type, Value, json, msgpack};

#[path = "../../src/terraform/arbitrary.rs"]
mod arbitrary;

const CASES: usize = 2000;

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn from_hex(text: &str) -> Vec<u8> {
    let byte = |pair: &[u8]| u8::from_str_radix(std::str::from_utf8(pair).expect("hex"), 16).expect("hex");
    text.as_bytes().chunks(2).map(byte).collect()
}

fn case(ty: &Type, value: &Value) -> Json {
    let text = value.is_wholly_known().then(|| json::to_json(value.clone(), ty).expect("the value has the type"));
    json!({
        "type": ty.to_json(),
        "msgpack": hex(&msgpack::encode(value.clone(), ty).expect("the value has the type")),
        "json": text.map(|json| json.to_string()),
    })
}

/// pyvider-cty 0.6.3 refuses a tuple that is null or unknown inside something else; Terraform does not.
fn has_null_tuple(ty: &Type, value: &Value) -> bool {
    match (ty, value) {
        (Type::Tuple(_), Value::Null | Value::Unknown) => true,
        (Type::Tuple(types), Value::List(items)) => items.iter().zip(types).any(|(item, ty)| has_null_tuple(ty, item)),
        (Type::List(element) | Type::Set(element), Value::List(items)) => {
            items.iter().any(|item| has_null_tuple(element, item))
        }
        (Type::Map(element), Value::Map(map)) => map.values().any(|item| has_null_tuple(element, item)),
        (Type::Object { fields, .. }, Value::Map(map)) => {
            map.iter().any(|(name, item)| fields.get(name).is_some_and(|ty| has_null_tuple(ty, item)))
        }
        (_, Value::Dynamic(inner)) => has_null_tuple(&inner.0, &inner.1),
        _ => false,
    }
}

/// What pyvider-cty makes of each case.
fn answers(cases: &[Json]) -> Vec<Json> {
    let root = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
    let package = tools::python_package("pyvider-cty==0.6.3").expect("pyvider-cty can be installed");
    let mut python = Command::new("python3")
        .arg(root.join("tests/it/codec_differential.py"))
        .env("PYTHONPATH", package)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("python3 is there");
    let mut input = python.stdin.take().expect("a pipe");
    let lines: String = cases.iter().map(|case| format!("{case}\n")).collect();
    let writer = std::thread::spawn(move || input.write_all(lines.as_bytes()));
    let output = python.wait_with_output().expect("it ends");
    assert!(output.status.success(), "pyvider-cty answers");
    writer.join().expect("no panic").expect("it reads all");
    let text = String::from_utf8(output.stdout).expect("UTF-8");
    text.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect()
}

#[test]
fn values_mean_the_same_to_pyvider_cty() {
    let mut runner = TestRunner::deterministic();
    let mut sample = |unknown: bool| arbitrary::typed(unknown).new_tree(&mut runner).expect("a value").current();
    let values = (0..CASES).map(|i| sample(i % 3 == 0));
    let values: Vec<(Type, Value)> = values.filter(|(ty, value)| !has_null_tuple(ty, value)).collect();
    assert!(values.len() > CASES * 9 / 10);
    let cases: Vec<Json> = values.iter().map(|(ty, value)| case(ty, value)).collect();
    let answers = answers(&cases);
    assert_eq!(answers.len(), cases.len());
    let mut differences = Vec::new();
    for (((ty, value), case), answer) in values.iter().zip(&cases).zip(&answers) {
        if let Some(error) = answer["error"].as_str() {
            differences.push(format!("{error}\n  {case}"));
        }
        for form in ["msgpack", "by_json"] {
            let Some(bytes) = answer[form].as_str() else { continue };
            let back = msgpack::decode(&from_hex(bytes), ty).expect(form);
            if !ty.same(&back, value) {
                differences.push(format!("{form} reads {back:?} for {value:?}\n  {case}"));
            }
        }
        if let Some(text) = answer["json"].as_str() {
            let back = json::decode(text.as_bytes(), ty, json::Extra::Refused).expect("own type");
            if !ty.same(&back, value) {
                differences.push(format!("its JSON reads {back:?} for {value:?}\n  {case}"));
            }
        }
    }
    let shown: Vec<_> = differences.iter().take(20).map(String::as_str).collect();
    assert!(differences.is_empty(), "{} differences:\n{}", differences.len(), shown.join("\n"));
}
