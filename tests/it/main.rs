//! End to end: real Terraform, the provider that was just built, and the stand-in. One binary, because each link is seconds.

mod acceptance;
mod architecture;
mod aws_errors;
mod aws_identity;
mod bad_input;
mod cancel;
mod codec_differential;
mod connections;
mod data_sources;
mod datastore;
mod examples;
mod golden;
mod grants;
mod history;
mod house;
mod iam_policy_document;
mod integration;
mod integration_checks;
mod integration_faults;
mod integration_manual;
mod integration_scripts;
mod integration_use;
mod integration_words;
mod moto;
mod places;
mod plugin;
mod proxies;
mod schema;
mod secrets;
mod sessions;
mod sign_in;
mod stored_passwords;
// A harness offers more than the tests of one day use.
#[allow(dead_code, unused_imports)]
mod support;
mod users;
