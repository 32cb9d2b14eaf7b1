//! What is registered in a governance integration: users with their profiles, and tables that are offered as protected
//! views. What a view shows is decided in [`crate::engine::governance`]; here it is looked for, made and taken away.
//!
//! - [`uri`]: which integration; [`seat`]: as whom its statements run, and whether it is one at all;
//! - [`registry`]: the table in which a registration is entered, before anything of it is made elsewhere;
//! - [`profiles`]: the rows of the table `profile`;
//! - [`source`]: the tables that are read; [`wanted`], [`found`]: what is to be, and what is there; [`kept`]: what was made of it; [`changes`]: the way
//!   from one to the other; [`tables`]: making, changing and removing it;
//! - [`bypass`]: who reads the tables around the views; [`effects`]: what another reader or barrier shows and hides;
//! - [`reader`]: what a registration shows somebody;
//! - [`mask_key`]: the key of hashes;
//! - [`by_hand`]: the same as scripts for a person, and whether they were run.

pub mod by_hand;
mod bypass;
pub mod changes;
mod effects;
mod external;
pub mod found;
pub mod kept;
#[cfg(test)]
mod life_tests;
pub mod mask_key;
pub mod profiles;
pub mod reader;
pub mod registry;
pub mod seat;
pub mod source;
pub mod tables;
pub mod uri;
pub mod wanted;

use crate::engine::error::Error;
use crate::engine::names::is_plain_identifier;

/// The longest name of a registration: the names of its entitlements are made of it.
const LONGEST: usize = 63;

/// A registration's name stands in the names of views: lower-case letters, digits and `_`.
pub fn check_registration(name: &str) -> Result<(), String> {
    if is_plain_identifier(name) && !name.contains('$') && name.len() <= LONGEST {
        return Ok(());
    }
    Err(format!(
        "\"{}\" is no name of a registration: lower-case letters, digits and _, no digit first, no reserved word, at most {LONGEST} characters.",
        name.escape_debug()
    ))
}

/// Somebody registered it already.
fn exists(what: &str, name: &str) -> Error {
    Error::Exists { title: format!("The registration of {what} \"{name}\"") }
}
