//! What is there, compared with what is wanted.

use tokio_util::sync::CancellationToken;

use super::found::Found;
use super::life::Known;
use super::look;
use super::marker::Seen;
use super::parts::{How, digest, missing, parts};
use super::spec::Spec;
use crate::engine::error::Error;
use crate::engine::session::validation::{CONNECTION, Status as Verdict, TestResult, passed_with, skipped};
use crate::engine::session::warehouse::Warehouse;
use crate::engine::sql::Sql;

/// Whether there is the one key that signs claims.
pub(super) async fn key_test(
    warehouse: &Warehouse,
    spec: &Spec,
    found: &Found,
    otherwise: &str,
    cancel: &CancellationToken,
) -> Option<TestResult> {
    spec.impersonation.as_ref()?;
    let name = "Impersonation key";
    let there = found.inside.as_ref().is_some_and(|it| it.relation(&spec.system(), "impersonation").is_some());
    let rows = if there { count_keys(warehouse, spec, cancel).await } else { Some(1) };
    let warning = |what: &str| TestResult {
        name: name.into(),
        status: Verdict::Warning,
        message: Some(format!("{}.impersonation {what} {otherwise}", spec.system())),
        result: None,
    };
    Some(match rows {
        Some(0) => warning("has no key, so nobody can act for others."),
        Some(1) => passed_with(name, "[]".to_owned()),
        Some(_) => warning("has several keys, of which any signs."),
        None => skipped(name, "This login cannot see it."),
    })
}

/// How many keys there are, where the login may count them.
pub(super) async fn count_keys(warehouse: &Warehouse, spec: &Spec, cancel: &CancellationToken) -> Option<u64> {
    let mut session = warehouse.session(&spec.database, cancel).await.ok()?;
    let query = format!("SELECT count(*) FROM {}.impersonation", spec.system());
    let rows = session.query(&Sql::from(query)).await.ok()?;
    rows.first()?.parse(0).ok()
}

/// The tests of a set-up by hand that is complete.
pub async fn tests_by_hand(
    warehouse: &Warehouse,
    spec: &Spec,
    looked: &Looked,
    cancel: &CancellationToken,
) -> Vec<TestResult> {
    let mut tests = vec![
        passed_with(CONNECTION, "[null]".to_owned()),
        passed_with("Validate Manual Bootstrap: Objects And Grants", "[]".to_owned()),
    ];
    let otherwise = "Put exactly one there, as the last lines of the script say.";
    tests.extend(key_test(warehouse, spec, &looked.found, otherwise, cancel).await);
    tests
}

/// What a read, and a set-up by hand, see.
#[derive(Debug)]
pub struct Looked {
    pub found: Found,
    pub missing: Vec<String>,
    pub view: Option<String>,
}

impl Looked {
    /// The marker as it was seen.
    pub fn marker(&self) -> Seen {
        self.found.inside.as_ref().map_or(Seen::Absent, |inside| inside.marker.clone())
    }
}

/// Compares what is there with what is wanted. `known` is what was kept of earlier runs.
pub async fn verify(
    warehouse: &Warehouse,
    spec: &Spec,
    known: Option<&Known>,
    by_hand: bool,
    cancel: &CancellationToken,
) -> Result<Looked, Error> {
    let found = look(warehouse, spec, cancel).await?;
    let view = found.inside.as_ref().and_then(|inside| inside.view.as_deref()).map(digest);
    let marker = found.inside.as_ref().and_then(|inside| inside.marker.here());
    let made = marker.map(|marker| marker.made.clone()).or_else(|| known.and_then(|known| known.made.clone()));
    let how = How {
        owners: made.as_ref().map(|made| made.owners).unwrap_or_default(),
        made: made.unwrap_or_else(|| super::scripts::made_by_hand(spec)),
        view: known.and_then(|known| known.view.clone()),
        by_hand,
        ..How::default()
    };
    let mut missing = missing(&parts(spec, &found, &how));
    if marker.is_none() && found.database.is_some() {
        missing.insert(0, format!("the marker in {}.integration", spec.system()));
    }
    Ok(Looked { found, missing, view })
}
