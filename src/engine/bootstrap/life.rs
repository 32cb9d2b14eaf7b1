//! Making and changing an integration: look, test, claim, one transaction, look again. What failed is undone, or told.

use secrecy::SecretString;
use tokio_util::sync::CancellationToken;

use super::conflict::{self, busy};
use super::found::Found;
use super::look;
use super::made::{Made, Owners};
use super::making::Making;
use super::marker::{self, Marker, Status};
use super::nodes::Nodes;
use super::parts::{How, UserPassword, missing, parts};
use super::prechecks::{Seat, tests};
use super::spec::Spec;
use super::verify::{count_keys, key_test};
use super::work::{Lock, Turn, alone};
use crate::engine::catalog::roles::{self, SystemRights};
use crate::engine::error::Error;
use crate::engine::session::validation::{Status as Verdict, TestResult};
use crate::engine::session::warehouse::Warehouse;
use crate::engine::sql::Sql;

/// What is wanted of an integration.
#[derive(Clone, Debug)]
pub struct Request {
    pub spec: Spec,
    pub password: UserPassword,
    /// Whether the warehouse is a serverless workgroup.
    pub serverless: bool,
}

/// An integration as it is now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Applied {
    pub id: String,
    pub made: Made,
    /// The digest of the view's query, by which an altered view is noticed.
    pub view: Option<String>,
    pub tests: Vec<TestResult>,
}

/// An integration that was not made or changed.
#[derive(Debug)]
pub struct NotApplied {
    /// One for each thing that is wrong.
    pub errors: Vec<Error>,
    /// What is left in the warehouse; none: nothing was begun, or everything was undone.
    pub left: Option<Left>,
    pub tests: Vec<TestResult>,
}

/// What a failed run left behind.
#[derive(Debug)]
pub struct Left {
    pub id: String,
    pub made: Made,
    pub status: Status,
}

impl NotApplied {
    pub(super) fn nothing(error: Error) -> Box<Self> {
        Box::new(Self { errors: vec![error], left: None, tests: Vec::new() })
    }
}

/// A random text for ids, runs and keys: 64 hexadecimal digits.
pub(super) fn random() -> String {
    rand::random::<[u8; 32]>().iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Makes the integration. What an interrupted run of ours left is adopted.
pub async fn create(
    warehouse: &Warehouse,
    request: &Request,
    cancel: &CancellationToken,
) -> Result<Applied, Box<NotApplied>> {
    let spec = &request.spec;
    spec.check().map_err(NotApplied::nothing)?;
    let _turn = Turn::take(warehouse, spec, cancel).await.map_err(NotApplied::nothing)?;
    let start = Start::look(warehouse, request, cancel).await?;
    let mut making = Making {
        warehouse,
        spec,
        cancel,
        id: start.leftover.as_ref().map_or_else(|| random()[..32].to_owned(), |marker| marker.id.clone()),
        run: random()[..32].to_owned(),
        how: start.how(request),
        made_so_far: start.leftover.as_ref().map_or_else(Made::default, |marker| marker.made.clone()),
        lock: start.lock,
        done: false,
        externals: Vec::new(),
    };
    let ended = making.all(start.found.database.is_some(), start.leftover.as_ref()).await;
    let tests = start.tests;
    match ended {
        Ok(view) => {
            let made = making.made_so_far;
            Ok(Applied { id: making.id, made, view, tests })
        }
        Err(error) => {
            let (left, undoing) = making.undo(&error).await;
            let errors = std::iter::once(error).chain(undoing).collect();
            Err(Box::new(NotApplied { errors, left, tests }))
        }
    }
}

/// What was found before anything is made.
struct Start {
    found: Found,
    superuser: bool,
    leftover: Option<Marker>,
    lock: Option<Lock>,
    tests: Vec<TestResult>,
}

impl Start {
    async fn look(
        warehouse: &Warehouse,
        request: &Request,
        cancel: &CancellationToken,
    ) -> Result<Start, Box<NotApplied>> {
        let spec = &request.spec;
        let mut found = look(warehouse, spec, cancel).await.map_err(NotApplied::nothing)?;
        let facts = warehouse.facts(cancel).await.map_err(NotApplied::nothing)?;
        let mut lock = None;
        if let Some(marker) = adoptable(warehouse, spec, &found)? {
            // Whoever holds the lock is alive, and at it.
            lock = Lock::take(warehouse, spec, cancel).await.map_err(NotApplied::nothing)?;
            if lock.is_none() {
                return Err(NotApplied::nothing(busy(warehouse, spec, marker, cancel).await));
            }
            // It may have ended while its lock was waited for.
            found = look(warehouse, spec, cancel).await.map_err(NotApplied::nothing)?;
        }
        let leftover = adoptable(warehouse, spec, &found)?.cloned();
        if let Some(other) = conflict::elsewhere(warehouse, spec, cancel).await.map_err(NotApplied::nothing)? {
            return Err(NotApplied::nothing(conflict::exists_in(warehouse, &other)));
        }
        let system_rights = match facts.superuser {
            true => SystemRights::default(),
            false => system_rights(warehouse, cancel).await.map_err(NotApplied::nothing)?,
        };
        let nodes = Nodes::ask(warehouse, request, cancel).await;
        let tests = tests(&Seat {
            spec,
            found: &found,
            facts: &facts,
            system_rights: &system_rights,
            leftover: leftover.as_ref().map(|marker| &marker.made),
            edited: None,
            nodes: &nodes,
            collation: collation(warehouse, spec, &found, cancel).await,
        });
        let errors = failures(&tests);
        if !errors.is_empty() {
            return Err(Box::new(NotApplied { errors, left: None, tests }));
        }
        Ok(Start { superuser: facts.superuser, found, leftover, lock, tests })
    }

    fn how(&self, request: &Request) -> How {
        How {
            owners: if self.superuser { Owners::System } else { Owners::Login },
            made: self.leftover.as_ref().map(|marker| marker.made.clone()).unwrap_or_default(),
            password: request.password.clone(),
            key: request.spec.impersonation.is_some().then(|| SecretString::from(random())),
            by_hand: false,
            view: None,
        }
    }
}

/// One error for each test that failed. A test is named for what should be, so its name alone would say the opposite.
fn failures(tests: &[TestResult]) -> Vec<Error> {
    let failed = tests.iter().filter(|test| test.status == Verdict::Failed);
    let error =
        |test: &TestResult| Error::refused(format!("Failed: {}", test.name), test.message.clone().unwrap_or_default());
    failed.map(error).collect()
}

/// How a database that is there already compares text (AWS: DB_COLLATION).
async fn collation(warehouse: &Warehouse, spec: &Spec, found: &Found, cancel: &CancellationToken) -> Option<String> {
    found.database.as_ref()?;
    let mut session = warehouse.session(&spec.database, cancel).await.ok()?;
    let rows = session.query(&Sql::from("SELECT db_collation()")).await.ok()?;
    rows.first()?.get(0).map(|text| text.trim().to_owned())
}

pub(super) async fn system_rights(warehouse: &Warehouse, cancel: &CancellationToken) -> Result<SystemRights, Error> {
    let mut session = warehouse.session(&warehouse.access().database, cancel).await?;
    roles::load_system_rights(&mut session).await
}

/// What an interrupted run of the same integration left, if that is what is there.
fn adoptable<'a>(warehouse: &Warehouse, spec: &Spec, found: &'a Found) -> Result<Option<&'a Marker>, Box<NotApplied>> {
    let Some(marker) = found.inside.as_ref().and_then(|inside| inside.marker.here()) else { return Ok(None) };
    let unfinished = matches!(marker.status, Status::Creating | Status::CreateError);
    let same_user = !marker.made.user || marker.made.system_user == spec.system_user;
    if unfinished && same_user && marker.is_kind(spec.kind) {
        return Ok(Some(marker));
    }
    Err(NotApplied::nothing(conflict::exists(warehouse, &marker.id)))
}

/// What is known of an integration that is to be changed.
#[derive(Clone, Debug)]
pub struct Known {
    pub id: String,
    /// None: nothing was kept, and the marker says it.
    pub made: Option<Made>,
    pub view: Option<String>,
}

/// Changes the integration from what is there to what is wanted, and repairs what somebody altered.
pub async fn update(
    warehouse: &Warehouse,
    request: &Request,
    known: &Known,
    cancel: &CancellationToken,
) -> Result<Applied, Box<NotApplied>> {
    let spec = &request.spec;
    spec.check().map_err(NotApplied::nothing)?;
    let _turn = Turn::take(warehouse, spec, cancel).await.map_err(NotApplied::nothing)?;
    let found = look(warehouse, spec, cancel).await.map_err(NotApplied::nothing)?;
    let before = conflict::own_marker(&found, spec, &known.id).map_err(NotApplied::nothing)?;
    let lock = Lock::take(warehouse, spec, cancel).await.map_err(NotApplied::nothing)?;
    let Some(lock) = lock else {
        return Err(NotApplied::nothing(busy(warehouse, spec, &before, cancel).await));
    };
    // Whoever had the lock may have changed everything.
    let found = look(warehouse, spec, cancel).await.map_err(NotApplied::nothing)?;
    let marker = conflict::own_marker(&found, spec, &known.id).map_err(NotApplied::nothing)?;
    let facts = warehouse.facts(cancel).await.map_err(NotApplied::nothing)?;
    let tests = rights_to_edit(warehouse, request, &found, &marker.made, cancel).await.map_err(NotApplied::nothing)?;
    let errors = failures(&tests);
    if !errors.is_empty() {
        return Err(Box::new(NotApplied { errors, left: None, tests }));
    }
    let gains_key = spec.impersonation.is_some()
        && (may_know_key(spec, &found, known, &marker)
            || count_keys(warehouse, spec, cancel).await.is_some_and(|keys| keys != 1));
    let mut making = Making {
        warehouse,
        spec,
        cancel,
        id: marker.id.clone(),
        run: random()[..32].to_owned(),
        how: How {
            owners: marker.made.owners,
            made: marker.made.clone(),
            password: request.password.clone(),
            key: gains_key.then(|| SecretString::from(random())),
            by_hand: false,
            view: known.view.clone(),
        },
        made_so_far: Made {
            database: marker.made.database && known.made.as_ref().is_none_or(|made| made.database),
            ..marker.made.clone()
        },
        lock: Some(lock),
        done: false,
        externals: Vec::new(),
    };
    tracing::debug!(superuser = facts.superuser, status = marker.status.name(), "changing the integration");
    let changed = making.changes(marker.generation).await;
    match changed {
        Ok(view) => Ok(Applied { id: marker.id, made: making.made_so_far, view, tests }),
        Err(error) => {
            making.take_back_externals().await;
            let note = marker::failed(&spec.system(), Status::EditError, &making.run, &error.to_string());
            let noted = alone(warehouse, &spec.database, &Sql::from(note), &CancellationToken::new()).await;
            tracing::debug!(noted = noted.is_ok(), "the marker says that the edit failed");
            let left = Left { id: marker.id, made: making.made_so_far, status: Status::EditError };
            Err(Box::new(NotApplied { errors: vec![error], left: Some(left), tests }))
        }
    }
}

/// Whether the key is missing, or somebody may have read it: a new one ends all that is claimed by the old one.
fn may_know_key(spec: &Spec, found: &Found, known: &Known, marker: &Marker) -> bool {
    let how = How { owners: marker.made.owners, made: marker.made.clone(), view: known.view.clone(), ..How::default() };
    let table = format!("{}.impersonation", spec.system());
    // Both run as the owner of the key.
    let readers = [format!("procedure {}", spec.procedure()), format!("view {}.user_profile", spec.system())];
    let altered = missing(&parts(spec, found, &how));
    altered.iter().any(|what| what.contains(&table) || readers.iter().any(|reader| what.starts_with(reader)))
}

/// The tests of an edit: the same rights as for making it, and what it needs is there.
async fn rights_to_edit(
    warehouse: &Warehouse,
    request: &Request,
    found: &Found,
    made: &Made,
    cancel: &CancellationToken,
) -> Result<Vec<TestResult>, Error> {
    let facts = warehouse.facts(cancel).await?;
    let system_rights =
        if facts.superuser { SystemRights::default() } else { system_rights(warehouse, cancel).await? };
    let spec = &request.spec;
    let nodes = Nodes::ask(warehouse, request, cancel).await;
    let mut tests = tests(&Seat {
        spec,
        found,
        facts: &facts,
        system_rights: &system_rights,
        leftover: None,
        edited: Some(made),
        nodes: &nodes,
        collation: None,
    });
    tests.extend(key_test(warehouse, spec, found, "It gets a new one.", cancel).await);
    Ok(tests)
}
