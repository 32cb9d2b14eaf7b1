//! Speaks Redshift: a library that a command-line tool could use. Plain Rust, and nothing of Terraform.
//!
//! - [`settings`]: what is written, what it falls back on, and what that comes to: where to connect and as whom;
//! - [`session`]: a warehouse and one login to it, opened over TLS, asked one statement at a time, pooled;
//! - [`catalog`]: what the warehouse was seen to hold, each view read once per database;
//! - [`datastore`] and [`user`]: what is there against what is wanted, the steps between the two, whole lives;
//! - [`object`]: the life of what a database holds under a name, and [`schema`], which has it;
//! - [`bootstrap`]: a governance integration: what it is made of, what is there of it, made, changed, removed;
//! - [`governance`]: policies, and what they make of tables: the text of views, and what somebody would see;
//! - [`registration`]: profiles and protected tables in an integration, made, changed, removed;
//! - [`aws`]: temporary credentials, endpoints and secrets from AWS, and the IAM policies that they need;
//! - [`probe`]: what is taken for granted of a warehouse, and how to ask one about it;
//! - [`run`] executes [`step`]s, [`script`] prints statements for a person to run, [`sql`], [`names`], [`rights`] and [`password`] are the words they are written in, and
//!   [`error`] is what can go wrong, in Redshift's terms.

pub mod aws;
pub mod bootstrap;
pub mod catalog;
mod cell;
pub mod datastore;
pub mod error;
pub mod governance;
pub mod names;
pub mod object;
pub mod partition;
pub mod password;
pub mod probe;
pub mod registration;
pub mod rights;
pub mod run;
pub mod schema;
pub mod script;
pub mod session;
pub mod settings;
pub mod sql;
pub mod step;
#[cfg(test)]
mod trial;
pub mod user;
