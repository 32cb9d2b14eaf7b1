//! The AWS account, by a client of its own.

mod botocore;
mod client;
mod control;
mod errors;
mod logins;
mod rights;
mod signatures;

use std::sync::OnceLock;

use redshift_standin::{Standin, StandinOptions};

use client::{Keys, Request, json, query};

fn start() -> Standin {
    Standin::start(StandinOptions::default()).expect("a stand-in starts")
}

/// One stand-in for all tests that leave it as it was.
fn shared() -> &'static Standin {
    static SHARED: OnceLock<Standin> = OnceLock::new();
    SHARED.get_or_init(start)
}

fn block_on<T>(work: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime").block_on(work)
}

/// Assumes a role for a quarter of an hour; its keys.
fn assume(standin: &Standin, keys: &Keys, role: &str, external_id: Option<&str>) -> Keys {
    let mut parameters = vec![("RoleArn", role), ("RoleSessionName", "tests"), ("DurationSeconds", "900")];
    parameters.extend(external_id.map(|id| ("ExternalId", id)));
    let answer = query(standin, keys, "sts:AssumeRole", &parameters).ok();
    Keys {
        id: answer.xml("AccessKeyId"),
        secret: answer.xml("SecretAccessKey"),
        token: Some(answer.xml("SessionToken")),
    }
}

/// The fixture's role in the other account.
fn other_account(standin: &Standin) -> Keys {
    let fixtures = standin.aws().fixtures();
    assume(standin, &Keys::of(standin), &fixtures.role_arn, Some(&fixtures.external_id))
}

/// An error as status, code and message.
fn error(status: u16, code: &str, message: &str) -> (u16, String, String) {
    (status, code.to_owned(), message.to_owned())
}
