//! A governance integration in a warehouse: a managed database or managed schemas, a system user, a profile table with
//! a view in which each user sees the own row, and if wanted a procedure by which members act for others.
//!
//! [`parts`] is the one list of what it is made of. [`create`](life::create) and [`update`](life::update) run the parts
//! that are not done, [`look`] says which are missing, [`scripts`] prints them, [`remove`](removal::remove) undoes them.

mod conflict;
pub mod exposure;
pub mod found;
pub mod life;
#[cfg(test)]
mod life_tests;
pub mod made;
mod making;
pub mod marker;
mod members;
mod nobody_else;
mod nodes;
mod owned;
pub mod parts;
mod prechecks;
pub(in crate::engine) mod probing;
mod provable;
mod registered;
pub mod removal;
pub mod scripts;
pub mod spec;
#[cfg(test)]
mod tamper_tests;
mod text;
mod trust;
pub mod verify;
mod work;

use tokio_util::sync::CancellationToken;

use crate::engine::bootstrap::found::{Found, Inside, World, database};
use crate::engine::bootstrap::trust::Whose;
use crate::engine::error::Error;
use crate::engine::session::Session;
use crate::engine::session::warehouse::Warehouse;

pub use crate::engine::bootstrap::conflict::{Listed, id_of, list, settings};
pub use crate::engine::bootstrap::life::{Applied, NotApplied, Request, create, update};
pub use crate::engine::bootstrap::made::{Keepsake, Made, Owners};
pub use crate::engine::bootstrap::marker::{ALTERED, Marker, Seen, Status};
pub use crate::engine::bootstrap::parts::{
    How, NewKey, UserPassword, database_in_words, digest, missing, parts, user_in_words,
};
pub use crate::engine::bootstrap::removal::{Removal, gone, remove};
pub use crate::engine::bootstrap::scripts::{Scripts, scripts};
pub use crate::engine::bootstrap::spec::{
    ActorKind, ExternalSchema, Impersonation, Kind, Spec, check_plain, check_prefix,
};
pub(in crate::engine) use crate::engine::bootstrap::text::{MASK_KEY, REGISTRATION, draws};

/// Looks at all of an integration: from the connection's own database at what all databases share, and into the managed
/// one if it is there.
pub async fn look(
    warehouse: &Warehouse,
    spec: &Spec,
    kept_owner: Option<i64>,
    cancel: &CancellationToken,
) -> Result<Found, Error> {
    let whose = Whose::of(spec, kept_owner);
    let (world, there) = {
        let mut session = home(warehouse, spec, cancel).await?.0;
        (World::read(&mut session).await?, database(&mut session, &spec.database).await?)
    };
    let inside = match &there {
        Some(_) => {
            let mut session = warehouse.session(&spec.database, cancel).await?;
            Some(Inside::read(&mut session, (&spec.database, &spec.prefix), &world, &whose).await?)
        }
        None => None,
    };
    Ok(Found { world, whose, database: there, inside })
}

/// A session beside the managed database: with the one that it is made from, or where that is gone or none, with the
/// connection's own.
async fn home(warehouse: &Warehouse, spec: &Spec, cancel: &CancellationToken) -> Result<(Session, String), Error> {
    let own = warehouse.access().database.clone();
    let initial = spec.initial_database.clone().filter(|_| spec.create_database).unwrap_or_else(|| own.clone());
    match warehouse.session(&initial, cancel).await {
        Err(error) if error.sqlstate() == Some("3D000") && initial != own => {
            tracing::debug!(database = initial, "the initial database is not there");
            Ok((warehouse.session(&own, cancel).await?, own))
        }
        session => Ok((session?, initial)),
    }
}

/// At most ten of a list, and how many more there are.
fn few(all: &[String]) -> String {
    const SHOWN: usize = 10;
    let shown = all[..all.len().min(SHOWN)].join(", ");
    match all.len().saturating_sub(SHOWN) {
        0 => shown,
        more => format!("{shown}, and {more} more"),
    }
}
