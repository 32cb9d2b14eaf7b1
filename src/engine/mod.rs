//! Speaks Redshift: a library that a command-line tool could use. Plain Rust, and nothing of Terraform.
//!
//! From what is written to a session: [`settings`] over [`defaults`] come to an [`access`], which a [`warehouse`] opens
//! [`session`]s with. From a session to what is there: [`catalog`] keeps what was read, [`found`] and [`missing`] compare
//! it with what is [`wanted`]. From there to what is done: [`steps`] plans, [`run`] executes, [`datastore`] and [`user`]
//! are whole lives.

pub mod access;
pub mod acl;
mod blockers;
pub mod catalog;
mod cell;
mod connect;
pub mod connection_string;
pub mod datastore;
#[cfg(test)]
mod datastore_tests;
pub mod defaults;
pub mod dropping;
pub mod effective;
pub mod endpoint;
pub mod env;
pub mod error;
mod facts;
pub mod found;
pub mod grantee;
pub mod handover;
pub mod host;
pub mod hostaddr;
pub mod id;
pub mod import;
pub mod inventory;
pub mod logins;
mod memory;
pub mod missing;
pub mod names;
pub mod owners;
pub mod password;
mod pool;
pub mod principals;
pub mod refusal;
pub mod rights;
pub mod roles;
pub mod row;
pub mod run;
pub mod schemas;
pub mod script;
pub mod session;
pub mod settings;
pub mod snapshot;
pub mod sql;
pub mod steps;
#[cfg(test)]
mod steps_tests;
pub mod sync;
mod taking;
pub mod tls;
#[cfg(test)]
mod trial;
mod uri;
pub mod user;
mod user_options;
#[cfg(test)]
mod user_tests;
pub mod validation;
mod view;
pub mod wanted;
pub mod warehouse;
#[cfg(test)]
mod wire_tests;
#[cfg(test)]
mod world;
