//! Making and changing an integration: look, test, claim, one transaction, look again. What failed is undone, or told.

use secrecy::SecretString;
use tokio_util::sync::CancellationToken;

use super::conflict::{self, Own, busy};
use super::exposure;
use super::found::Found;
use super::look;
use super::made::{Keepsake, Made, Owners};
use super::making::Making;
use super::marker::{self, Marker, Seen, Status};
use super::nodes::Nodes;
use super::parts::{How, NewKey, UserPassword, missing, parts, surplus};
use super::prechecks::{Seat, tests};
use super::spec::Spec;
use super::verify::{count_keys, key_test};
use super::work::{Lock, Turn, alone};
use crate::engine::catalog::roles::{self, SystemRights};
use crate::engine::error::Error;
use crate::engine::session::validation::{Status as Verdict, TestResult};
use crate::engine::session::warehouse::Warehouse;
use crate::engine::sql::sql;

/// What is wanted of an integration.
#[derive(Clone, Debug)]
pub struct Request {
    pub spec: Spec,
    pub password: UserPassword,
    /// Whether the warehouse is a serverless workgroup.
    pub serverless: bool,
    /// Whether the key that signs claims is to be another one.
    pub new_key: bool,
}

/// An integration as it is now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Applied {
    pub id: String,
    pub made: Made,
    pub keepsake: Keepsake,
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
    pub keepsake: Keepsake,
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
        made_so_far: start.made(request),
        kept_owner: None,
        keepsake: Keepsake::default(),
        lock: start.lock,
        made_database: false,
        marked: start.leftover.is_some(),
        done: false,
        externals: Vec::new(),
    };
    let ended = making.all(start.found.database.is_some(), start.leftover.as_ref()).await;
    let tests = start.tests;
    match ended {
        Ok(keepsake) => {
            let made = making.made_so_far;
            Ok(Applied { id: making.id, made, keepsake, tests })
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
        let mut found = look(warehouse, spec, None, cancel).await.map_err(NotApplied::nothing)?;
        let facts = warehouse.facts(cancel).await.map_err(NotApplied::nothing)?;
        let mut lock = None;
        if let Some(marker) = adoptable(warehouse, spec, &found)? {
            // Whoever holds the lock is alive, and at it.
            lock = Lock::take(warehouse, spec, &found, cancel).await.map_err(NotApplied::nothing)?;
            if lock.is_none() {
                let state = Some((marker.id.as_str(), marker.status));
                return Err(NotApplied::nothing(busy(warehouse, spec, &found, state, cancel).await));
            }
            // It may have ended while its lock was waited for.
            found = look(warehouse, spec, None, cancel).await.map_err(NotApplied::nothing)?;
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
        let mut tests = tests(&Seat {
            spec,
            found: &found,
            facts: &facts,
            system_rights: &system_rights,
            leftover: leftover.as_ref().map(|marker| Made::ours(spec, None, &marker.made)).as_ref(),
            edited: None,
            nodes: &nodes,
            collation: collation(warehouse, spec, &found, cancel).await,
        });
        tests.push(exposure::test(found.inside.as_ref().map_or(&[], |inside| &inside.exposures), spec));
        let errors = failures(&tests);
        if !errors.is_empty() {
            return Err(Box::new(NotApplied { errors, left: None, tests }));
        }
        Ok(Start { superuser: facts.superuser, found, leftover, lock, tests })
    }

    /// What is there and is ours. An empty database that was there is one of somebody who is believed (the tests saw to
    /// that), and the integration's from now on, as is one that an interrupted run made.
    fn made(&self, request: &Request) -> Made {
        let spec = &request.spec;
        let made = self.leftover.as_ref().map(|marker| Made::ours(spec, None, &marker.made)).unwrap_or_default();
        let adopts = spec.create_database && self.found.database.is_some() && self.leftover.is_none();
        Made { database: made.database || adopts, ..made }
    }

    fn how(&self, request: &Request) -> How {
        let acts = request.spec.impersonation.is_some();
        How {
            owners: if self.superuser { Owners::System } else { Owners::Login },
            made: self.made(request),
            password: request.password.clone(),
            key: if acts { NewKey::Drawn(SecretString::from(random())) } else { NewKey::Keep },
            by_hand: false,
            adopts: self.leftover.is_some(),
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
    let rows = session.query(&sql!("SELECT db_collation()")).await.ok()?;
    rows.first()?.get(0).map(|text| text.trim().to_owned())
}

pub(super) async fn system_rights(warehouse: &Warehouse, cancel: &CancellationToken) -> Result<SystemRights, Error> {
    let mut session = warehouse.session(&warehouse.access().database, cancel).await?;
    roles::load_system_rights(&mut session).await
}

/// What an interrupted run of the same integration left, if that is what is there.
fn adoptable<'a>(warehouse: &Warehouse, spec: &Spec, found: &'a Found) -> Result<Option<&'a Marker>, Box<NotApplied>> {
    let seen = found.inside.as_ref().map(|inside| &inside.marker);
    if let Some(Seen::Theirs(owner)) = seen {
        return Err(NotApplied::nothing(conflict::theirs(spec, owner)));
    }
    let Some(marker) = seen.and_then(Seen::here) else { return Ok(None) };
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
    /// The settings that state has: all that is left to know by, where the process died at the last change (Terraform
    /// keeps no private state then).
    pub prior: Option<Spec>,
    pub keepsake: Keepsake,
}

impl Known {
    /// What was made, by private state or else by what state names.
    fn kept(&self, marker: &Made) -> Option<Made> {
        let named = |spec: &Spec| Made {
            database: true,
            user: true,
            system_user: spec.system_user.clone(),
            actors: spec.impersonation.clone(),
            temp_to_public: true,
            owners: marker.owners,
            external_schemas: spec.external_schemas.clone(),
        };
        self.made.clone().or_else(|| self.prior.as_ref().map(named))
    }
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
    let kept_owner = known.keepsake.owner;
    let found = look(warehouse, spec, kept_owner, cancel).await.map_err(NotApplied::nothing)?;
    let before = conflict::own_marker(&found, spec, known).map_err(NotApplied::nothing)?;
    let lock = Lock::take(warehouse, spec, &found, cancel).await.map_err(NotApplied::nothing)?;
    let Some(lock) = lock else {
        let state = match &before {
            Own::Marked(marker) => Some((marker.id.as_str(), marker.status)),
            Own::Altered(_) => None,
        };
        return Err(NotApplied::nothing(busy(warehouse, spec, &found, state, cancel).await));
    };
    // Whoever had the lock may have changed everything.
    let found = look(warehouse, spec, kept_owner, cancel).await.map_err(NotApplied::nothing)?;
    let own = conflict::own_marker(&found, spec, known).map_err(NotApplied::nothing)?;
    let made = match &own {
        Own::Marked(marker) => Made::ours(spec, known.kept(&marker.made).as_ref(), &marker.made),
        // What private state knows was seen when the last apply ended.
        Own::Altered(_) => known.made.clone().unwrap_or_default(),
    };
    let tests = rights_to_edit(warehouse, request, &found, &made, cancel).await.map_err(NotApplied::nothing)?;
    let errors = failures(&tests);
    if !errors.is_empty() {
        return Err(Box::new(NotApplied { errors, left: None, tests }));
    }
    let gains_key = spec.impersonation.is_some()
        && (request.new_key
            || may_know_key(spec, &found, known, &made)
            || count_keys(warehouse, spec, &found, cancel).await.is_some_and(|keys| keys != 1));
    let mut making = Making {
        warehouse,
        spec,
        cancel,
        id: known.id.clone(),
        run: random()[..32].to_owned(),
        how: How {
            owners: made.owners,
            made: made.clone(),
            password: request.password.clone(),
            key: if gains_key { NewKey::Drawn(SecretString::from(random())) } else { NewKey::Keep },
            by_hand: false,
            adopts: false,
            view: known.keepsake.view.clone(),
        },
        made_so_far: made,
        kept_owner,
        keepsake: known.keepsake.clone(),
        lock: Some(lock),
        made_database: false,
        marked: true,
        done: false,
        externals: Vec::new(),
    };
    let changed = match own {
        Own::Marked(marker) => {
            tracing::debug!(status = marker.status.name(), "changing the integration");
            making.changes(Some(marker.generation)).await
        }
        Own::Altered(what) => {
            tracing::debug!(what, "the marker is made anew");
            match making.mark_again(&found).await {
                Ok(()) => making.changes(None).await,
                Err(error) => Err(error),
            }
        }
    };
    match changed {
        Ok(keepsake) => Ok(Applied { id: known.id.clone(), made: making.made_so_far, keepsake, tests }),
        Err(error) => {
            making.take_back_externals().await;
            let note = marker::failed(spec, Status::EditError, &making.run, &error.to_string());
            let noted = alone(warehouse, &spec.database, &note, &CancellationToken::new()).await;
            tracing::debug!(noted = noted.is_ok(), "the marker says that the edit failed");
            let left = Left {
                id: known.id.clone(),
                made: making.made_so_far,
                keepsake: known.keepsake.clone(),
                status: Status::EditError,
            };
            Err(Box::new(NotApplied { errors: vec![error], left: Some(left), tests }))
        }
    }
}

/// Whether the key is missing, or somebody may have read it: a new one ends all that is claimed by the old one.
fn may_know_key(spec: &Spec, found: &Found, known: &Known, made: &Made) -> bool {
    let how = How { owners: made.owners, made: made.clone(), view: known.keepsake.view.clone(), ..How::default() };
    let table = format!("{}.impersonation", spec.system());
    // Both run as the owner of the key.
    let readers = [format!("procedure {}", spec.procedure()), format!("view {}.user_profile", spec.system())];
    let parts = parts(spec, found, &how);
    let altered = [missing(&parts), surplus(&parts)].concat();
    let scopes: Vec<String> = spec.all_schemas().iter().map(|name| format!("for tables in schema {name} ")).collect();
    let columns = |what: &String| what.contains(" on column ") && what.contains(&table);
    let opened = altered.iter().any(columns)
        || altered.iter().any(|what| scopes.iter().any(|scope| what.contains(scope.as_str())));
    known.keepsake.exposed
        || opened
        || altered.iter().any(|what| what.contains(&table) || readers.iter().any(|reader| what.starts_with(reader)))
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
    tests.push(exposure::test(found.inside.as_ref().map_or(&[], |inside| &inside.exposures), spec));
    Ok(tests)
}
