//! `validation_results`: the tests of a connection as an attribute.

use serde::Deserialize;

use crate::engine::error::{Error, deceives};
use crate::engine::session::validation::{self, Status, TestResult, Validation};
use crate::terraform::{Attribute, Diagnostic, Diagnostics, Value, clean, list_of, object, string};

/// What a state holds of the tests: enough to see whether a status changed.
#[derive(Deserialize, PartialEq, Eq)]
pub struct Results {
    tests: Vec<Known>,
}

#[derive(Deserialize, PartialEq, Eq)]
struct Known {
    name: String,
    status: String,
}

impl Results {
    /// Whether every test has the status it had.
    pub(super) fn same_as(&self, tests: &[TestResult]) -> bool {
        self.tests.len() == tests.len()
            && self
                .tests
                .iter()
                .zip(tests)
                .all(|(known, test)| known.name == test.name && known.status == test.status.name())
    }
}

pub(super) fn attribute() -> Attribute {
    object([
        ("status", string().doc("The worst status of a test: `passed`, `warning` or `failed`.")),
        (
            "tests",
            list_of([
                ("name", string().doc("Name of the test.")),
                ("status", string().doc("`passed`, `failed`, `warning` or `skipped`.")),
                ("message", string().doc("What was found, and what to do; null if the test passed.")),
                ("result", string().doc("What the test saw, as JSON; null if there is nothing to show.")),
            ])
            .doc("The tests, in the order in which they ran."),
        ),
    ])
    .doc("What the tests of the connection said. A read replaces it only when a status changed.")
}

pub(super) fn value(validation: &Validation) -> Value {
    Value::object([
        ("status", validation.status.name().into()),
        ("tests", Value::List(validation.tests.iter().map(row).collect())),
    ])
}

/// The same where there was no login to try.
pub(super) fn not_tried(error: &Error) -> Value {
    let test = Value::object([
        ("name", validation::CONNECTION.into()),
        ("status", Status::Failed.name().into()),
        ("message", error.to_string().into()),
        ("result", Value::Null),
    ]);
    Value::object([("status", Status::Failed.name().into()), ("tests", Value::List(vec![test]))])
}

/// One error for each failed test, and one warning for each that warns.
pub(super) fn report(tests: &[TestResult]) -> Diagnostics {
    let mut d = Diagnostics::new();
    for test in tests {
        let message = test.message.clone().unwrap_or_default();
        match test.status {
            Status::Failed => d.push(Diagnostic::error(test.name.as_ref(), message)),
            Status::Warning => d.push(Diagnostic::warning(test.name.as_ref(), message)),
            Status::Passed | Status::Skipped => {}
        }
    }
    d
}

/// Results with one test in the place of its namesake, or after the others.
pub(super) fn with(results: &Value, test: &TestResult) -> Value {
    let mut tests: Vec<Value> = match results.at("tests") {
        Value::List(tests) => tests.clone(),
        _ => Vec::new(),
    };
    let one = row(test);
    match tests.iter_mut().find(|known| known.at("name") == one.at("name")) {
        Some(known) => *known = one,
        None => tests.push(one),
    }
    let rank = |test: &Value| match test.at("status").as_str() {
        Some("failed") => 2,
        Some("warning") => 1,
        _ => 0,
    };
    let status = ["passed", "warning", "failed"][tests.iter().map(rank).max().unwrap_or(0)];
    Value::object([("status", status.into()), ("tests", Value::List(tests))])
}

/// A value as JSON in which nothing deceives a terminal: names of others may be in it.
fn json(value: &serde_json::Value) -> String {
    let mut text = String::new();
    for c in value.to_string().chars() {
        match deceives(c) {
            true => c.encode_utf16(&mut [0; 2]).iter().for_each(|unit| text.push_str(&format!("\\u{unit:04x}"))),
            false => text.push(c),
        }
    }
    text
}

fn row(test: &TestResult) -> Value {
    Value::object([
        ("name", test.name.to_string().into()),
        ("status", test.status.name().into()),
        ("message", test.message.clone().map(clean).into()),
        ("result", test.result.as_ref().map(json).into()),
    ])
}
