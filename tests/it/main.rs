//! End to end: real Terraform, the provider that was just built, and the stand-in. One binary, because each link is seconds.

mod acceptance;
mod architecture;
mod examples;
mod golden;
mod house;
// A harness offers more than the tests of one day use.
#[allow(dead_code, unused_imports)]
mod support;
