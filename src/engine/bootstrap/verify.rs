//! What is there, compared with what is wanted.

use tokio_util::sync::CancellationToken;

use super::exposure;
use super::found::Found;
use super::life::Known;
use super::look;
use super::made::{Keepsake, Made};
use super::marker::{Marker, Seen};
use super::parts::{How, missing, parts, surplus};
use super::spec::Spec;
use super::text::{KEY, of_system};
use crate::engine::catalog::snapshot::RelationKind;
use crate::engine::error::Error;
use crate::engine::session::validation::{CONNECTION, Status as Verdict, TestResult, passed_with, skipped};
use crate::engine::session::warehouse::Warehouse;
use crate::engine::sql::sql;

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
    let rows = if there { count_keys(warehouse, spec, found, cancel).await } else { Some(1) };
    let warning = |what: &str| TestResult {
        name: name.into(),
        status: Verdict::Warning,
        message: Some(format!("{}.impersonation {what} {otherwise}", spec.system())),
        result: None,
    };
    Some(match rows {
        Some(0) => warning("has no key, so nobody can act for others."),
        Some(1) => passed_with(name, serde_json::json!([])),
        Some(_) => warning("has several keys, of which any signs."),
        None => skipped(name, "This login cannot see it."),
    })
}

/// How many keys there are, where the login may count them.
pub(super) async fn count_keys(
    warehouse: &Warehouse,
    spec: &Spec,
    found: &Found,
    cancel: &CancellationToken,
) -> Option<u64> {
    // Nothing is selected from what somebody else put in its place.
    let table = found.inside.as_ref()?.relation(&spec.system(), KEY)?;
    let system = found.world.principals.user(&spec.system_user).map(|user| user.id);
    let ours = found.trusts(table.owner) || system == Some(table.owner);
    if !ours || table.kind != RelationKind::Table {
        return None;
    }
    let mut session = warehouse.session(&spec.database, cancel).await.ok()?;
    let rows = session.query(&sql!("SELECT count(*) FROM {}", of_system(spec, KEY))).await.ok()?;
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
        passed_with(CONNECTION, serde_json::json!([null])),
        passed_with("Validate Manual Bootstrap: Objects And Grants", serde_json::json!([])),
    ];
    let otherwise = "Put exactly one there, as the script does.";
    tests.extend(key_test(warehouse, spec, &looked.found, otherwise, cancel).await);
    tests.push(looked.exposure_test(spec));
    tests
}

/// What a read, and a set-up by hand, see.
#[derive(Debug)]
pub struct Looked {
    pub found: Found,
    pub missing: Vec<String>,
    /// What is there and should not be.
    pub surplus: Vec<String>,
    /// Who holds rights on everything in the database, and is not allowed to.
    pub exposed_to: Vec<String>,
    pub keepsake: Keepsake,
}

impl Looked {
    /// Whether nobody else reaches in.
    pub fn exposure_test(&self, spec: &Spec) -> TestResult {
        exposure::test(self.found.inside.as_ref().map_or(&[], |inside| &inside.exposures), spec)
    }

    /// Whether the managed schema is the one that an earlier apply saw, whatever is in it now.
    pub fn is_known(&self, known: &Keepsake) -> bool {
        known.schema.is_some() && known.schema == self.keepsake.schema
    }

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
    let found = look(warehouse, spec, known.and_then(|known| known.keepsake.owner), cancel).await?;
    let inside = found.inside.as_ref();
    let marker = inside.and_then(|inside| inside.marker.here());
    let kept = known.and_then(|known| known.made.as_ref());
    // Of a set-up by hand nothing is dropped here, and the script that a person ran says what it made.
    let ours = |marker: &Marker| if by_hand { marker.made.clone() } else { Made::ours(spec, kept, &marker.made) };
    let made = marker.map(ours).or_else(|| kept.cloned());
    let how = How {
        owners: made.as_ref().map(|made| made.owners).unwrap_or_default(),
        made: made.unwrap_or_else(|| super::scripts::made_by_hand(spec)),
        view: known.and_then(|known| known.keepsake.view.clone()),
        by_hand,
        ..How::default()
    };
    let parts = parts(spec, &found, &how);
    let (mut missing, surplus) = (missing(&parts), surplus(&parts));
    if marker.is_none() && found.database.is_some() {
        let why = match inside.map(|inside| &inside.marker) {
            Some(Seen::Broken(what)) => format!(" ({what})"),
            _ => String::new(),
        };
        missing.insert(0, format!("the marker in {}.integration{why}", spec.system()));
    }
    if let (Some(marker), Some(kept)) = (marker, kept)
        && !by_hand
        && kept.is_contradicted_by(spec, &marker.made)
    {
        missing.insert(0, format!("the marker in {}.integration (it names what is not known)", spec.system()));
    }
    let exposed_to = exposure::exposed_to(inside.map_or(&[], |inside| &inside.exposures), spec);
    let keepsake = Keepsake::of(spec, &found);
    Ok(Looked { found, missing, surplus, exposed_to, keepsake })
}
